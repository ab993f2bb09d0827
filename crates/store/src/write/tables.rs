//! What a write must know of tables that are not its own: which there are, and which refer to which.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use operation::{Ident, OnDelete, Table};
use parking_lot::RwLock;

/// The plan's tables by stored name, for messages and for which is part of which.
#[derive(Debug, Default)]
pub(crate) struct Tables(RwLock<HashMap<Ident, Arc<Table>>>);

impl Tables {
    /// Takes the tables of a model for those that there are.
    pub fn know(&self, tables: &[Arc<Table>]) {
        let mut known = self.0.write();
        known.clear();
        known.extend(tables.iter().map(|table| (table.name.clone(), table.clone())));
    }

    /// Whether there is such a table.
    pub fn has(&self, table: &Ident) -> bool {
        self.0.read().contains_key(table)
    }

    /// Whether a table is one of parts.
    pub fn is_part(&self, table: &Ident) -> bool {
        self.0.read().get(table).is_some_and(|table| table.root.is_some())
    }

    /// The entity of a table; the table's name where no entity is known.
    pub fn entity(&self, table: &Ident) -> String {
        let known = self.0.read();
        known.get(table).map_or_else(|| table.to_string(), |table| table.entity.to_string())
    }

    /// A part's table and its root's, by the stored name of the part.
    pub fn part_and_root(&self, part: &Ident) -> Option<(Arc<Table>, Arc<Table>)> {
        let known = self.0.read();
        let part = known.get(part)?;
        let column = part.root?;
        let target = part.foreign_keys.iter().find(|key| key.column == column)?.target;
        let root = known.values().find(|table| table.id == target)?;
        Some((part.clone(), root.clone()))
    }
}

/// The foreign keys of a database, by the table that they lead to.
#[derive(Debug, Default)]
pub(crate) struct References(pub HashMap<Ident, Vec<Reference>>);

/// A foreign key.
#[derive(Debug, Clone)]
pub(crate) struct Reference {
    /// The table that refers.
    pub table: Ident,
    /// Its referring column.
    pub column: Ident,
    /// What becomes of the referring row.
    pub on_delete: OnDelete,
    /// Whether the referring table has a version to raise.
    pub versioned: bool,
}

impl References {
    /// The foreign keys that lead to a table.
    pub fn to(&self, table: &Ident) -> &[Reference] {
        self.0.get(table).map_or(&[], Vec::as_slice)
    }

    /// The tables whose rows may go or change when a row of this one is deleted.
    pub fn reached(&self, table: &Ident) -> HashSet<Ident> {
        let mut reached = HashSet::new();
        let mut from = vec![table.clone()];
        while let Some(table) = from.pop() {
            for reference in self.to(&table) {
                let name = reference.table.clone();
                match reference.on_delete {
                    OnDelete::Restrict => {}
                    OnDelete::Clear => {
                        reached.insert(name);
                    }
                    OnDelete::Cascade => {
                        if reached.insert(name.clone()) {
                            from.push(name);
                        }
                    }
                }
            }
        }
        reached
    }
}

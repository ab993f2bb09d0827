//! Stored names that are not those of the model.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use operation::{Ident, Kept, Native};
use serde::{Deserialize, Serialize};

use crate::Schema;

/// Where a database calls things otherwise than the model does: while a change is under way, and after it for as long as
/// servers run that know the other name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Names {
    /// Stored names of tables, by the name that the model wants; a table of a service is `schema.name`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tables: BTreeMap<String, String>,
    /// The same of columns, by the name that the model wants for their table.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub columns: BTreeMap<String, BTreeMap<String, String>>,
    /// Types of the database's own that columns have there, by the names that the model wants for the table and the column: schema
    /// and type.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub natives: BTreeMap<String, BTreeMap<String, (String, String)>>,
    /// Forms in which columns of SQLite tables that others made keep their values, likewise. They are looked up at each start, and noted
    /// nowhere: such tables are never changed.
    #[serde(skip)]
    pub kept: BTreeMap<String, BTreeMap<String, Kept>>,
    /// Tables that others made, which count no versions of their rows.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub unversioned: BTreeSet<String>,
}

impl Names {
    /// Whether everything is called as the model calls it.
    pub fn is_empty(&self) -> bool {
        self.tables.is_empty()
            && self.columns.values().all(BTreeMap::is_empty)
            && !self.are_adopted()
    }

    /// Whether the tables were made by others, and are served as they are.
    pub fn are_adopted(&self) -> bool {
        !self.unversioned.is_empty()
    }

    /// The stored name of a table.
    pub fn table<'a>(&'a self, wanted: &'a str) -> &'a str {
        self.tables.get(wanted).map_or(wanted, String::as_str)
    }

    /// The stored name of a column; the table by the name that the model wants.
    pub fn column<'a>(&'a self, table: &str, wanted: &'a str) -> &'a str {
        let found = self.columns.get(table).and_then(|columns| columns.get(wanted));
        found.map_or(wanted, String::as_str)
    }

    /// What the model calls a stored table.
    pub fn table_of<'a>(&'a self, stored: &'a str) -> &'a str {
        let found = self.tables.iter().find(|(_, name)| *name == stored);
        found.map_or(stored, |(wanted, _)| wanted)
    }

    /// What the model calls a stored column; the table by its stored name, too.
    pub fn column_of<'a>(&'a self, table: &str, stored: &'a str) -> &'a str {
        let columns = self.columns.get(self.table_of(table));
        let found = columns.and_then(|columns| columns.iter().find(|(_, name)| *name == stored));
        found.map_or(stored, |(wanted, _)| wanted)
    }

    /// Says where a column is stored.
    pub(crate) fn put(&mut self, table: &str, wanted: &str, stored: &str) {
        if wanted != stored {
            self.columns.entry(table.to_owned()).or_default().insert(wanted.into(), stored.into());
        }
    }
}

impl Schema {
    /// The same tables under the names that they are stored under.
    #[must_use]
    pub fn stored_under(mut self, names: &Names) -> Self {
        for (table, origin) in self.tables.iter_mut().zip(&mut self.origins) {
            let wanted = table.name.to_string();
            let is_renamed =
                names.tables.contains_key(&wanted) || names.columns.contains_key(&wanted);
            let is_unversioned = names.unversioned.contains(&wanted);
            let natives = names.natives.get(&wanted);
            let kept = names.kept.get(&wanted);
            if !(is_renamed || is_unversioned || natives.is_some() || kept.is_some()) {
                continue;
            }
            let table = Arc::make_mut(table);
            if let Some(version) = table.version.take_if(|_| is_unversioned) {
                // It is the last of a root.
                table.columns.truncate(version);
                origin.columns.truncate(version);
            }
            table.name = Ident::read(names.table(&wanted));
            for column in &mut table.columns {
                let native = natives.and_then(|natives| natives.get(column.name.as_str()));
                let native = native.map(|(space, name)| Native::Type(Ident::within(space, name)));
                let form = kept.and_then(|kept| kept.get(column.name.as_str()));
                column.native = native.or_else(|| form.copied().map(Native::Kept));
                column.name = Ident::fit(names.column(&wanted, column.name.as_str()));
            }
        }
        self
    }
}

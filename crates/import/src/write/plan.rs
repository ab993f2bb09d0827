//! What becomes of each table: an entity, a part of another, or nothing; and what it is called.

use std::collections::{BTreeMap, HashMap};

use super::{Piece, Refused, What};
use crate::Remark;
use crate::catalog::{Catalog, Name, OnDelete, Reference, Table};
use crate::name::{self, Names};

/// What becomes of the tables of a catalog.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    /// By position of the table; `None` where it is no entity.
    pub(crate) entities: Vec<Option<Entity>>,
    /// Positions by name.
    pub(crate) places: HashMap<Name, usize>,
    /// Names of enums.
    pub(crate) enums: BTreeMap<Name, String>,
    /// Services by schema.
    pub(crate) services: BTreeMap<String, String>,
    pub(crate) remarks: Vec<Remark>,
}

#[derive(Debug, Clone)]
pub(crate) struct Entity {
    pub(crate) name: String,
    /// Position of its root, the column that refers to it, and what the parts are called.
    pub(crate) root: Option<(usize, String, String)>,
    /// Columns of its key, that of the root left out.
    pub(crate) key: Vec<String>,
}

impl Plan {
    pub(crate) fn of(catalog: &Catalog, refused: &Refused) -> Self {
        let mut plan = Self::default();
        for (at, table) in catalog.tables.iter().enumerate() {
            plan.places.insert(table.name.clone(), at);
        }
        let roots: Vec<Option<(usize, String)>> =
            (0..catalog.tables.len()).map(|at| plan.root_of(catalog, at)).collect();
        let mut names: HashMap<&str, Names> = HashMap::new();
        for (at, table) in catalog.tables.iter().enumerate() {
            let piece = Piece { subject: table.name.to_string(), what: What::Entity };
            let entity = match &roots[at] {
                _ if refused.contains_key(&piece) => None,
                // A part of a part is no part.
                Some((root, column)) if roots[*root].is_none() => {
                    let key = table.key.iter().filter(|name| *name != column).cloned().collect();
                    Some((Some((*root, column.clone())), key))
                }
                _ => plan.key_of(table).map(|key| (None, vec![key])),
            };
            let Some((root, key)) = entity else {
                plan.entities.push(None);
                continue;
            };
            let taken = names.entry(&table.name.schema).or_default();
            let mut wanted = name::entity(&table.name.name);
            if !taken.is_free(&wanted) {
                wanted = name::type_name(&table.name.name);
            }
            let name = taken.take(&wanted);
            let root = root.map(|(root, column)| (root, column, String::new()));
            plan.entities.push(Some(Entity { name, root, key }));
        }
        plan.name_parts(catalog);
        plan.name_types(catalog);
        plan
    }

    fn remark(&mut self, subject: impl Into<String>, sentence: impl Into<String>) {
        self.remarks.push(Remark { subject: subject.into(), sentence: sentence.into() });
    }

    /// The one column of a key.
    fn key_of(&mut self, table: &Table) -> Option<String> {
        match table.key.as_slice() {
            [key] => Some(key.clone()),
            [] => {
                let sentence = "has no primary key, and an entity needs one: it is left out";
                self.remark(table.name.to_string(), sentence);
                None
            }
            keys => {
                let keys = keys.join(", ");
                self.remark(
                    table.name.to_string(),
                    format!(
                        "has a key of several columns ({keys}), and is no part of one other table: it is left out; give it a \
                         key of one column"
                    ),
                );
                None
            }
        }
    }

    /// The table that a table is a part of, and the column that says so.
    fn root_of(&mut self, catalog: &Catalog, at: usize) -> Option<(usize, String)> {
        let table = &catalog.tables[at];
        let to_one = |reference: &&Reference| {
            let [_] = reference.columns.as_slice() else { return None };
            let target = *self.places.get(&reference.target)?;
            let to = &catalog.tables[target];
            let is_key = to.key.len() == 1
                && (reference.target_columns.is_empty() || reference.target_columns == to.key);
            (is_key && target != at && to.name.schema == table.name.schema).then_some(target)
        };
        let composing: Vec<(&Reference, usize)> = table
            .references
            .iter()
            .filter_map(|reference| Some((reference, to_one(&reference)?)))
            .collect();
        if let [first, second] = table.key.as_slice() {
            let of = |column: &String| {
                composing.iter().find(|(reference, _)| reference.columns == [column.clone()])
            };
            let found = [of(first), of(second)];
            let cascading = found
                .iter()
                .flatten()
                .find(|(reference, _)| reference.on_delete == OnDelete::Cascade);
            let (reference, root) = cascading.or(found.iter().flatten().next())?;
            if reference.on_delete != OnDelete::Cascade {
                let root = catalog.tables[*root].name.to_string();
                self.remark(
                    table.name.to_string(),
                    format!("is a part of `{root}` here, and goes with it; the database refuses to delete such a row"),
                );
            }
            return Some((*root, reference.columns[0].clone()));
        }
        // Counted rows that go with exactly one other, and that nobody refers to.
        let [key] = table.key.as_slice() else { return None };
        let is_counted = table.column(key).is_some_and(|column| column.counted);
        let mut cascading = composing.iter().filter(|(reference, _)| {
            reference.on_delete == OnDelete::Cascade
                && table.column(&reference.columns[0]).is_some_and(|column| column.required)
        });
        let (reference, root) = cascading.next()?;
        let is_referred_to = catalog
            .tables
            .iter()
            .flat_map(|other| &other.references)
            .any(|reference| reference.target == table.name);
        let alone = cascading.next().is_none() && !is_referred_to && is_counted;
        alone.then(|| (*root, reference.columns[0].clone()))
    }

    /// What the parts of each root are called: `InvoiceLine` of `Invoice` are its `lines`.
    fn name_parts(&mut self, catalog: &Catalog) {
        let mut taken: HashMap<usize, Names> = HashMap::new();
        for at in 0..self.entities.len() {
            let Some((root, name)) = self.entities[at].as_ref().and_then(|entity| {
                entity.root.as_ref().map(|(root, ..)| (*root, entity.name.clone()))
            }) else {
                continue;
            };
            let Some(of) = self.entities[root].as_ref().map(|entity| entity.name.clone()) else {
                let root = catalog.tables[root].name.to_string();
                self.remark(
                    catalog.tables[at].name.to_string(),
                    format!(
                        "is a part of `{root}`, which is not expressed: it is left out with it"
                    ),
                );
                self.entities[at] = None;
                continue;
            };
            let short = name.strip_prefix(&of).filter(|short| !short.is_empty()).unwrap_or(&name);
            let wanted = name::plural(&model::snake_case(short));
            let list = taken.entry(root).or_default().take(&wanted);
            if let Some((_, _, called)) =
                self.entities[at].as_mut().and_then(|entity| entity.root.as_mut())
            {
                *called = list;
            }
        }
    }

    fn name_types(&mut self, catalog: &Catalog) {
        let mut taken = Names::default();
        for entity in self.entities.iter().flatten() {
            taken.take(&entity.name);
        }
        for name in catalog.enums.keys() {
            let called = taken.take(&name::type_name(&name.name));
            self.enums.insert(name.clone(), called);
        }
        let mut services = Names::default();
        for table in &catalog.tables {
            let schema = &table.name.schema;
            if !schema.is_empty() && !self.services.contains_key(schema) {
                let called = services.take(&name::field(schema));
                self.services.insert(schema.clone(), called);
            }
        }
    }
}

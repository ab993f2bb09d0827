//! Where tables stand: schemas of services, and tables that come from one to another.
//!
//! A table that moves leaves a view in its old place, which shows what it showed and takes what it took: servers of the old
//! version go on through it.

use std::collections::BTreeSet;

use operation::{Dialect, FORMER_PLACE, Ident, Sql};

use super::{Kept, Planner};
use crate::ddl;
use crate::existing::Existing;
use crate::migration::{Hazard, Lock, Phase, Step, Work, qualified, quoted, step};

/// A table that comes to another schema: stored names.
pub(super) struct Move {
    pub(super) from: String,
    pub(super) to: String,
}

/// Whether two stored names are of one schema.
pub(super) fn are_together(one: &str, other: &str) -> bool {
    Ident::read(one).schema() == Ident::read(other).schema()
}

impl Planner<'_> {
    /// What a stored table is called before anything has moved, and by the view that then stands there.
    pub(super) fn before<'a>(&'a self, stored: &'a str) -> &'a str {
        let moved = self.moves.iter().find(|moved| moved.to == stored);
        moved.map_or(stored, |moved| &moved.from)
    }

    /// The schemas that are not there; `stored`: the tables that are, before anything has moved.
    pub(super) fn make_schemas(&mut self, stored: &[String]) {
        let there = schemas(stored);
        let missing: Vec<&str> =
            self.wanted.services().into_iter().filter(|schema| !there.contains(*schema)).collect();
        if missing.is_empty() {
            return;
        }
        // What was not a service's before is none again, and what holds nothing goes.
        let undo = missing.iter().flat_map(|schema| {
            let unsaid = format!("COMMENT ON SCHEMA {} IS NULL", quoted(schema));
            [unsaid, drop_schema(schema)]
        });
        self.expand.push(Step {
            title: format!("create schema `{}`", missing.join("`, `")),
            undo: undo.collect(),
            work: Work::Transaction {
                statements: missing
                    .iter()
                    .flat_map(|schema| ddl::postgres_schema(schema))
                    .collect(),
            },
            ..step(Phase::Expand)
        });
    }

    /// Moves tables, each by itself, and takes the views away when nobody looks through them any more.
    pub(super) fn move_tables(&mut self, kept: &[Kept<'_>]) {
        let mut views = Vec::new();
        for kept in kept {
            let Some(moved) = self.moves.iter().find(|moved| moved.to == kept.stored) else {
                continue;
            };
            let (from, to) = (Ident::read(&moved.from), Ident::read(&moved.to));
            let (place, view) = (qualified(&moved.to), qualified(&moved.from));
            views.push(moved.from.clone());
            let between = |from: &Ident, to: &Ident| {
                let schema = quoted(to.schema().unwrap_or(self.facts.schema()));
                let moved = to.beside(from.as_str()).to_string();
                let from_place = qualified(&from.to_string());
                let mut statements = vec![format!("ALTER TABLE {from_place} SET SCHEMA {schema}")];
                if from.as_str() != to.as_str() {
                    let (moved, name) = (qualified(&moved), quoted(to.as_str()));
                    statements.push(format!("ALTER TABLE {moved} RENAME TO {name}"));
                }
                statements
            };
            let mut statements = between(&from, &to);
            statements.push(format!("CREATE VIEW {view} AS SELECT * FROM {place}"));
            let mut said = Sql::new(Dialect::Postgres);
            said.push("COMMENT ON VIEW ").ident(&from).push(" IS ").literal(FORMER_PLACE);
            statements.push(said.finish());
            let mut undo = vec![format!("DROP VIEW {view}")];
            undo.extend(between(&to, &from));
            let mut moving = self.locking(
                Phase::Expand,
                (&kept.name, &[&moved.from]),
                Lock::AccessExclusive,
                statements,
            );
            moving.title = format!("move `{}` to `{}`, and leave a view", moved.from, moved.to);
            moving.undo = undo;
            moving.hazards.push(Hazard::MovedTable);
            self.expand.push(moving);
        }
        if views.is_empty() {
            return;
        }
        let statements = views.iter().map(|view| format!("DROP VIEW {}", qualified(view)));
        self.endings.push(Step {
            title: format!(
                "drop the {} `{}`",
                if views.len() == 1 { "view" } else { "views" },
                views.join("`, `")
            ),
            work: Work::Transaction { statements: statements.collect() },
            hazards: vec![Hazard::MovedTable],
            ..step(Phase::Contract)
        });
    }

    /// Drops schemas that no table of the new version stands in.
    pub(super) fn leave_schemas(&mut self, stored: &[String]) {
        let wanted = self.wanted.services();
        let left: Vec<String> =
            schemas(stored).into_iter().filter(|schema| !wanted.contains(&**schema)).collect();
        if left.is_empty() {
            return;
        }
        self.contract.push(Step {
            title: format!("drop schema `{}`, where nothing else is in it", left.join("`, `")),
            work: Work::Transaction {
                statements: left.iter().map(|schema| drop_schema(schema)).collect(),
            },
            ..step(Phase::Contract)
        });
    }
}

/// The stored names of all tables.
pub(super) fn stored(originals: &[Existing], names: &crate::Names) -> Vec<String> {
    originals.iter().map(|table| names.table(&table.name).to_owned()).collect()
}

fn schemas(stored: &[String]) -> BTreeSet<String> {
    let named = stored.iter().filter_map(|name| Ident::read(name).schema().map(str::to_owned));
    named.collect()
}

/// Drops a schema that holds nothing; what others have put there stays, and the schema with it.
fn drop_schema(schema: &str) -> String {
    format!(
        "DO $mimar$ BEGIN DROP SCHEMA {}; EXCEPTION WHEN dependent_objects_still_exist THEN NULL; END $mimar$",
        quoted(schema)
    )
}

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

/// The statements that part the numbers of a counted key in two, and those that make them one again.
struct Numbers {
    part: Vec<String>,
    join: Vec<String>,
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
        for kept in kept {
            let Some(moved) = self.moves.iter().find(|moved| moved.to == kept.stored) else {
                continue;
            };
            let (from, to) = (Ident::read(&moved.from), Ident::read(&moved.to));
            let (place, view) = (qualified(&moved.to), qualified(&moved.from));
            let numbers = self.numbers(kept, &from, &to);
            let mut statements = self.between(&from, &to);
            statements.push(format!("CREATE VIEW {view} AS SELECT * FROM {place}"));
            let mut said = Sql::new(Dialect::Postgres);
            said.push("COMMENT ON VIEW ").ident(&from).push(" IS ").literal(FORMER_PLACE);
            statements.push(said.finish());
            let mut ending = Vec::new();
            let mut lock = Lock::None;
            if let Some(Numbers { part, join }) = numbers {
                statements.extend(part);
                ending.extend(join);
                lock = Lock::AccessExclusive;
            }
            ending.push(format!("DROP VIEW {view}"));
            let mut undo = ending.clone();
            undo.extend(self.between(&to, &from));
            let mut moving = self.locking(
                Phase::Expand,
                (&kept.name, &[&moved.from]),
                Lock::AccessExclusive,
                statements,
            );
            moving.title = format!("move `{}` to `{}`, and leave a view", moved.from, moved.to);
            moving.undo = undo;
            moving.hazards.push(Hazard::MovedTable);
            let locked = [moved.to.as_str()];
            let locked = if lock == Lock::None { &locked[..0] } else { &locked };
            let mut leaving = self.locking(Phase::Contract, (&kept.name, locked), lock, ending);
            leaving.title = format!("drop the view `{}`", moved.from);
            leaving.hazards.retain(|_| lock != Lock::None);
            leaving.hazards.push(Hazard::MovedTable);
            self.expand.push(moving);
            self.endings.push(leaving);
        }
    }

    /// The statements that bring a table from one place to another.
    fn between(&self, from: &Ident, to: &Ident) -> Vec<String> {
        let place = qualified(&from.to_string());
        let schema = quoted(to.schema().unwrap_or(self.facts.schema()));
        let mut statements = vec![format!("ALTER TABLE {place} SET SCHEMA {schema}")];
        if from.as_str() != to.as_str() {
            let moved = qualified(&to.beside(from.as_str()).to_string());
            statements.push(format!("ALTER TABLE {moved} RENAME TO {}", quoted(to.as_str())));
        }
        statements
    }

    /// Whoever draws the next number of a counted key asks for the sequence of a column, and a view's column has none by
    /// itself. It gets one: each of the two passes over the numbers of the other, until they are one again.
    fn numbers(&self, kept: &Kept<'_>, view: &Ident, table: &Ident) -> Option<Numbers> {
        let counted = kept.original.columns.iter().find(|column| column.is_counted())?;
        let column = Ident::fit(self.names.column(&kept.original.name, &counted.name));
        let sequence = view.beside(&format!("mimar_{}_{column}", view.as_str()));
        let name = |name: &Ident| {
            let mut sql = Sql::new(Dialect::Postgres);
            sql.ident(name);
            sql.finish()
        };
        let (view, table, sequence) = (name(view), name(table), name(&sequence));
        let own = {
            let mut sql = Sql::new(Dialect::Postgres);
            sql.push("pg_get_serial_sequence(").literal(&table).push(", ");
            sql.literal(column.as_str()).push(")");
            sql.finish()
        };
        let other = {
            let mut sql = Sql::new(Dialect::Postgres);
            sql.literal(&sequence);
            sql.finish()
        };
        let column = quoted(column.as_str());
        // Changed first: from then on nobody draws a number before the transaction has ended.
        let step =
            |by: &str| format!("ALTER TABLE {table} ALTER COLUMN {column} SET INCREMENT BY {by}");
        Some(Numbers {
            part: vec![
                step("2"),
                format!("CREATE SEQUENCE {sequence} INCREMENT BY 2 OWNED BY {view}.{column}"),
                format!(
                    "SELECT setval({other}, coalesce(pg_sequence_last_value({own}::regclass) + 1, 2), false)"
                ),
            ],
            join: vec![
                step("1"),
                format!(
                    "SELECT setval({own}, n) FROM (SELECT greatest(pg_sequence_last_value({own}::regclass), \
                     pg_sequence_last_value({other}::regclass)) AS n) AS last WHERE n IS NOT NULL"
                ),
            ],
        })
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

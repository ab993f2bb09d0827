//! The schema: what is stored, how it changes, which tables refer to which.

use std::collections::HashMap;
use std::sync::atomic::Ordering;

use operation::{Ident, OnDelete};
use rusqlite::{Connection, OptionalExtension};

use super::Sqlite;
use super::connection::open_writing;
use super::reader::with_connection;
use crate::StoreFault;
use crate::write::{Reference, References};

/// Reads the foreign keys of a database.
pub(crate) fn references(connection: &Connection) -> rusqlite::Result<References> {
    let mut statement = connection.prepare(
        "SELECT t.name, f.\"table\", f.\"from\", f.on_delete, \
         EXISTS (SELECT 1 FROM pragma_table_info(t.name) WHERE name = 'row_version') \
         FROM sqlite_schema AS t, pragma_foreign_key_list(t.name) AS f WHERE t.type = 'table'",
    )?;
    let mut found: HashMap<Ident, Vec<Reference>> = HashMap::new();
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (table, target): (String, String) = (row.get(0)?, row.get(1)?);
        let column: String = row.get(2)?;
        let names = (Ident::new(&table), Ident::new(&target), Ident::new(&column));
        let (Some(table), Some(target), Some(column)) = names else {
            // No table of ours has such a name.
            continue;
        };
        let on_delete: String = row.get(3)?;
        let reference = Reference {
            table,
            column,
            on_delete: match &*on_delete {
                "CASCADE" => OnDelete::Cascade,
                "SET NULL" | "SET DEFAULT" => OnDelete::Clear,
                _ => OnDelete::Restrict,
            },
            versioned: row.get(4)?,
        };
        found.entry(target).or_default().push(reference);
    }
    Ok(References(found))
}

const NOTES: &str = "CREATE TABLE IF NOT EXISTS mimar_meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID";

impl Sqlite {
    pub(crate) fn migrate(
        &self,
        statements: &[String],
        notes: &[(&str, &str)],
    ) -> Result<(), StoreFault> {
        self.alone(|| {
            let mut connection = open_writing(&self.shared.path, &self.shared.options)?;
            // A table that is rebuilt is dropped for a moment, which must not cascade; what refers to what is
            // checked as a whole before the commit instead.
            connection.pragma_update(None, "foreign_keys", false)?;
            let transaction =
                connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
            for (index, statement) in statements.iter().enumerate() {
                transaction.execute_batch(statement).map_err(|error| StoreFault::Schema {
                    index,
                    statement: statement.clone(),
                    reason: error.to_string(),
                })?;
            }
            if !statements.is_empty() {
                super::bulk::check_references(&transaction)?;
            }
            if !notes.is_empty() {
                transaction.execute_batch(NOTES)?;
            }
            for (key, value) in notes {
                transaction.execute(
                    "INSERT INTO mimar_meta (key, value) VALUES (?1, ?2) \
                     ON CONFLICT (key) DO UPDATE SET value = excluded.value",
                    [key, value],
                )?;
            }
            transaction.commit()?;
            if !statements.is_empty() {
                self.shared.generation.fetch_add(1, Ordering::AcqRel);
            }
            Ok(())
        })
    }

    pub(crate) fn tables(&self) -> Result<Vec<(String, String)>, StoreFault> {
        with_connection(&self.shared, tables)
    }

    pub(crate) fn back_up(&self, path: &std::path::Path) -> Result<(), StoreFault> {
        let Some(path) = path.to_str() else {
            let reason = format!("the path {} is no text", path.display());
            return Err(StoreFault::Database { reason });
        };
        self.alone(|| {
            let connection = open_writing(&self.shared.path, &self.shared.options)?;
            connection.execute("VACUUM INTO ?1", [path])?;
            Ok(())
        })
    }

    pub(crate) fn meta(&self, key: &str) -> Result<Option<String>, StoreFault> {
        with_connection(&self.shared, |connection| {
            let there: bool = connection.query_row(
                "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = 'mimar_meta')",
                [],
                |row| row.get(0),
            )?;
            if !there {
                return Ok(None);
            }
            let read = "SELECT value FROM mimar_meta WHERE key = ?1";
            Ok(connection.query_row(read, [key], |row| row.get(0)).optional()?)
        })
    }
}

/// The tables and indexes of a database with their definitions, in the order in which they came; without the system's and ours.
pub(crate) fn tables(connection: &Connection) -> Result<Vec<(String, String)>, StoreFault> {
    let mut statement = connection.prepare(
        "SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL AND name NOT LIKE 'mimar\\_%' ESCAPE '\\' \
         AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY rowid",
    )?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

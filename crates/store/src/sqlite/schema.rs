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
        "SELECT t.name, coalesce((SELECT s.name FROM sqlite_schema AS s WHERE s.type = 'table' \
         AND s.name = f.\"table\" COLLATE NOCASE), f.\"table\"), f.\"from\", f.on_delete, \
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
            let before = if statements.is_empty() { Vec::new() } else { additions(&transaction)? };
            for (index, statement) in statements.iter().enumerate() {
                transaction
                    .execute_batch(statement)
                    .map_err(|error| refused(index, statement, &error))?;
            }
            restore(&transaction, before, statements.len())?;
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

    pub(crate) fn others_tables(&self) -> Result<Vec<(String, String)>, StoreFault> {
        with_connection(&self.shared, super::foreign::definitions)
    }

    pub(crate) fn additions(&self) -> Result<Vec<(String, String)>, StoreFault> {
        with_connection(&self.shared, |connection| {
            let named =
                |Addition { name, sql, kind, table }| (format!("{kind} {name} on {table}"), sql);
            Ok(additions(connection)?.into_iter().map(named).collect())
        })
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

/// Whether a row of `sqlite_schema` is an index over expressions, or over some rows only.
macro_rules! partial {
    () => {
        "s.type = 'index' AND (\
         EXISTS (SELECT 1 FROM pragma_index_list(s.tbl_name) l WHERE l.name = s.name AND l.partial) \
         OR EXISTS (SELECT 1 FROM pragma_index_info(s.name) i WHERE i.name IS NULL))"
    };
}

/// What others have put beside tables: triggers, and indexes over expressions or some rows only. Their name,
/// definition, type, and table.
const ADDITIONS: &str = concat!(
    "SELECT s.name, s.sql, s.type, s.tbl_name FROM sqlite_schema s WHERE s.sql IS NOT NULL \
     AND s.tbl_name NOT LIKE 'mimar\\_%' ESCAPE '\\' AND (s.type = 'trigger' OR ",
    partial!(),
    ") ORDER BY s.type, s.name"
);

/// Whether any table has a trigger.
pub(super) fn has_triggers(connection: &Connection) -> rusqlite::Result<bool> {
    let exists = "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE type = 'trigger')";
    connection.query_row(exists, [], |row| row.get(0))
}

/// Whether a table is declared so that writing one row changes others, besides by deletion: what stands in the way is replaced, or
/// follows what it refers to. In what Mimar declares no such thing stands.
pub(super) fn acts_by_itself(connection: &Connection) -> rusqlite::Result<bool> {
    let exists = "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE type = 'table' AND sql LIKE '%CONFLICT%REPLACE%') \
                  OR EXISTS (SELECT 1 FROM sqlite_schema AS t, pragma_foreign_key_list(t.name) AS f WHERE t.type = 'table' \
                  AND f.on_update IN ('CASCADE', 'SET NULL', 'SET DEFAULT'))";
    connection.query_row(exists, [], |row| row.get(0))
}

/// Something that others have put beside a table.
struct Addition {
    name: String,
    sql: String,
    kind: String,
    table: String,
}

fn additions(connection: &Connection) -> rusqlite::Result<Vec<Addition>> {
    let mut statement = connection.prepare(ADDITIONS)?;
    let rows = statement.query_map([], |row| {
        let (name, sql) = (row.get(0)?, row.get(1)?);
        Ok(Addition { name, sql, kind: row.get(2)?, table: row.get(3)? })
    })?;
    rows.collect()
}

/// Makes again what went with a table that was rebuilt. What was there before and is not now, while its table is, nobody meant
/// to take away.
fn restore(
    transaction: &Connection,
    before: Vec<Addition>,
    statements: usize,
) -> Result<(), StoreFault> {
    let exists = "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE type = ?1 AND name = ?2)";
    let is_there = |kind: &str, name: &str| {
        transaction.query_row(exists, [kind, name], |row| row.get::<_, bool>(0))
    };
    for (at, Addition { name, sql, kind, table }) in before.into_iter().enumerate() {
        if is_there(&kind, &name)? || !is_there("table", &table)? {
            continue;
        }
        transaction.execute_batch(&sql).map_err(|error| refused(statements + at, &sql, &error))?;
    }
    Ok(())
}

/// Why a schema statement failed: because of the rows, where SQLite says so.
fn refused(index: usize, statement: &str, error: &rusqlite::Error) -> StoreFault {
    let reason = error.to_string();
    if error.sqlite_error_code() != Some(rusqlite::ErrorCode::ConstraintViolation) {
        return StoreFault::Schema { index, statement: statement.to_owned(), reason };
    }
    // `UNIQUE constraint failed: task.owner, task.title`; a table that is being built anew is that of its final name.
    let columns = |what: &str| {
        // An index over an expression is named instead of columns, in quotes.
        let columns = reason.strip_prefix(what).filter(|rest| !rest.contains('\''))?;
        let columns = columns.replace("mimar_new_", "");
        let table = columns.split('.').next()?.to_owned();
        let names: Vec<_> = columns
            .split(", ")
            .map(|column| column.rsplit('.').next().unwrap_or(column))
            .map(|name| format!("\"{name}\""))
            .collect();
        Some((columns, table, names.join(", ")))
    };
    if let Some((shown, table, names)) = columns("UNIQUE constraint failed: ") {
        return StoreFault::Unfit {
            reason: format!("several rows have the same {shown}, which is to be unique"),
            query: Some(format!(
                "SELECT {names}, count(*) FROM \"{table}\" GROUP BY {names} HAVING count(*) > 1"
            )),
        };
    }
    if let Some((shown, table, names)) = columns("NOT NULL constraint failed: ") {
        return StoreFault::Unfit {
            reason: format!("rows have no value in {shown}, which is required"),
            query: Some(format!("SELECT * FROM \"{table}\" WHERE {names} IS NULL")),
        };
    }
    StoreFault::Unfit { reason, query: None }
}

/// The tables and indexes of a database with their definitions, in the order in which they came; without the system's and ours,
/// and without [`ADDITIONS`].
pub(crate) fn tables(connection: &Connection) -> Result<Vec<(String, String)>, StoreFault> {
    const TABLES: &str = concat!(
        "SELECT s.name, s.sql FROM sqlite_schema s WHERE s.sql IS NOT NULL AND s.type IN ('table', 'index') \
         AND s.name NOT LIKE 'mimar\\_%' ESCAPE '\\' AND s.name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND NOT (",
        partial!(),
        ") ORDER BY s.rowid"
    );
    let mut statement = connection.prepare(TABLES)?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_finds_its_table_however_that_is_spelled() {
        let connection = Connection::open_in_memory().unwrap();
        connection
            .execute_batch(
                "CREATE TABLE Artists (id INTEGER PRIMARY KEY);
                 CREATE TABLE album (id INTEGER PRIMARY KEY, artist INTEGER REFERENCES artists ON DELETE CASCADE)",
            )
            .unwrap();
        let artists = Ident::new("Artists").unwrap();
        let found = references(&connection).unwrap();
        assert_eq!(found.to(&artists).len(), 1);
        assert_eq!(found.reached(&artists).len(), 1);
    }
}

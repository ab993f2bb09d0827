//! SQLite files that others made: what they hold, which is only read.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};

use operation::{Table, Value};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags};

use crate::StoreFault;
pub use crate::kept::text_of;
use crate::sqlite::foreign;

/// Rows that are handed over at once, and how many such handfuls may wait.
const HANDFUL: usize = 256;
const WAITING: usize = 4;

/// A table that others made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OthersTable {
    /// Its name.
    pub name: String,
    /// Its columns, in their order.
    pub columns: Vec<OthersColumn>,
    /// How many rows it has.
    pub rows: u64,
}

/// A column of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OthersColumn {
    /// Its name.
    pub name: String,
    /// The table that it refers to, where it does.
    pub refers_to: Option<String>,
}

pub(crate) fn open(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    Connection::open_with_flags(path, flags)
}

/// The names of all tables that are not SQLite's own, in the order in which they came.
fn names(connection: &Connection) -> rusqlite::Result<Vec<String>> {
    let mut statement = connection.prepare(
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY rowid",
    )?;
    statement.query_map([], |row| row.get(0))?.collect()
}

/// The names of a file's tables, if there are any and others made them: each file of ours has tables of our own from the moment on in
/// which it comes into being. The file is only read; one that is not there, or cannot be read, has none.
pub fn made_by_others(path: &Path) -> Option<Vec<String>> {
    if !path.exists() {
        return None;
    }
    // Who opens it to work with it says better than we could why it cannot be read.
    let names = open(path).and_then(|connection| names(&connection)).ok()?;
    let is_ours = names.iter().any(|name| name.starts_with("mimar_"));
    (!names.is_empty() && !is_ours).then_some(names)
}

/// The tables of a file.
///
/// # Errors
/// [`StoreFault::Database`].
pub fn tables(path: &Path) -> Result<Vec<OthersTable>, StoreFault> {
    let connection = open(path)?;
    let mut columns = connection.prepare(
        "SELECT c.name, (SELECT f.\"table\" FROM pragma_foreign_key_list(?1) f WHERE f.\"from\" = c.name COLLATE NOCASE LIMIT 1) \
         FROM pragma_table_xinfo(?1) c WHERE c.hidden <> 1 ORDER BY c.cid",
    )?;
    let mut tables = Vec::new();
    for name in names(&connection)? {
        let column = |row: &rusqlite::Row<'_>| {
            Ok(OthersColumn { name: row.get(0)?, refers_to: row.get(1)? })
        };
        let columns = columns.query_map([&name], column)?.collect::<Result<Vec<_>, _>>()?;
        let count = format!("SELECT count(*) FROM {}", quoted(&name));
        let rows: i64 = connection.query_row(&count, [], |row| row.get(0))?;
        let rows = u64::try_from(rows).unwrap_or(0);
        tables.push(OthersTable { name, columns, rows });
    }
    Ok(tables)
}

/// The same of a file that Mimar may have served already, and has put tables of its own beside theirs: no table besides counts the
/// versions of its rows.
pub fn belongs_to_others(path: &Path) -> Option<Vec<String>> {
    if !path.exists() {
        return None;
    }
    let theirs = |connection: Connection| -> rusqlite::Result<Vec<String>> {
        let counts =
            "SELECT EXISTS (SELECT 1 FROM pragma_table_info(?1) WHERE name = 'row_version')";
        let mut theirs = Vec::new();
        for name in names(&connection)? {
            if connection.query_row(counts, [&name], |row| row.get(0))? {
                return Ok(Vec::new());
            }
            theirs.extend(Some(name).filter(|name| !name.starts_with("mimar_")));
        }
        Ok(theirs)
    };
    open(path).and_then(theirs).ok().filter(|theirs| !theirs.is_empty())
}

/// What of a file's tables cannot be served as the columns of `tables`, which are adopted, a sentence each: values among the last
/// that are none of their column's.
///
/// # Errors
/// [`StoreFault::Database`].
pub fn unfit(path: &Path, tables: &[Arc<Table>]) -> Result<Vec<String>, StoreFault> {
    foreign::unfit(&open(path)?, tables)
}

/// The tables of a file as [`crate::Store::others_tables`] tells them.
///
/// # Errors
/// [`StoreFault::Database`].
pub fn definitions(path: &Path) -> Result<Vec<(String, String)>, StoreFault> {
    foreign::definitions(&open(path)?)
}

/// The rows of one of a file's tables, in the order in which they are stored, as they are in one moment: of each the values of these
/// columns, of the kind that SQLite keeps them as ([`Value::Int`], [`Value::Float`], [`Value::Text`], [`Value::Bytes`]).
#[derive(Debug)]
pub struct OthersRows {
    handfuls: Receiver<Result<Vec<Vec<Value>>, StoreFault>>,
    rows: std::vec::IntoIter<Vec<Value>>,
}

impl OthersRows {
    /// Begins to read.
    ///
    /// # Errors
    /// [`StoreFault::NoThread`]. What fails later, a row says.
    pub fn of(path: PathBuf, table: &str, columns: &[String]) -> Result<Self, StoreFault> {
        let columns: Vec<String> = columns.iter().map(|column| quoted(column)).collect();
        let columns = if columns.is_empty() { "NULL".to_owned() } else { columns.join(", ") };
        let sql = format!("SELECT {columns} FROM {}", quoted(table));
        let (sender, handfuls) = sync_channel(WAITING);
        // An open statement borrows its connection, so both live on a thread of their own.
        std::thread::Builder::new()
            .name("mimar-others".to_owned())
            .spawn(move || {
                let read = || -> rusqlite::Result<()> {
                    let connection = open(&path)?;
                    let mut statement = connection.prepare(&sql)?;
                    let width = statement.column_count();
                    let mut rows = statement.query([])?;
                    let mut handful = Vec::with_capacity(HANDFUL);
                    while let Some(row) = rows.next()? {
                        let values = (0..width).map(|at| row.get_ref(at).map(value));
                        handful.push(values.collect::<Result<Vec<_>, _>>()?);
                        if handful.len() == HANDFUL
                            && sender.send(Ok(std::mem::take(&mut handful))).is_err()
                        {
                            // Nobody wants the rest.
                            return Ok(());
                        }
                    }
                    // Nobody may want these any more, either.
                    let _ = sender.send(Ok(handful));
                    Ok(())
                };
                if let Err(error) = read() {
                    let _ = sender.send(Err(error.into()));
                }
            })
            .map_err(|error| StoreFault::NoThread { reason: error.to_string() })?;
        Ok(Self { handfuls, rows: Vec::new().into_iter() })
    }
}

impl Iterator for OthersRows {
    type Item = Result<Vec<Value>, StoreFault>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(row) = self.rows.next() {
                return Some(Ok(row));
            }
            match self.handfuls.recv().ok()? {
                Ok(handful) => self.rows = handful.into_iter(),
                Err(fault) => return Some(Err(fault)),
            }
        }
    }
}

pub(crate) fn value(value: ValueRef<'_>) -> Value {
    match value {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(n) => Value::Int(n),
        ValueRef::Real(f) => Value::Float(f),
        // What is no UTF-8 stays bytes, and is refused where a text is wanted.
        ValueRef::Text(bytes) => {
            std::str::from_utf8(bytes).map_or_else(|_| Value::Bytes(bytes.into()), Value::text)
        }
        ValueRef::Blob(bytes) => Value::Bytes(bytes.into()),
    }
}

pub(crate) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

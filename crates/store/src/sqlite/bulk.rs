//! Whole tables in and out.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::fmt::Display;
use std::ops::ControlFlow;
use std::sync::atomic::Ordering;

use operation::{Scalar, Table, Value};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, Statement, TransactionBehavior};

use super::Sqlite;
use super::connection::open_writing;
use super::reader::with_connection;
use super::session::{DIALECT, row_of};
use super::value::{bound, write_json};
use crate::StoreFault;
use crate::lower;
use crate::renewal::{Compute, Renewal, Renewed, collides, unwritable};
use crate::store::Loaded;

impl Sqlite {
    pub(crate) fn load<T: Borrow<Table>, E: Display>(
        &self,
        rows: impl IntoIterator<Item = Result<(T, Vec<Value>), E>>,
    ) -> Result<Loaded, StoreFault> {
        self.alone(|| {
            let mut connection = open_writing(&self.shared.path, &self.shared.options)?;
            // Rows may come before what they refer to; the references are checked as a whole before the commit,
            // which also tells which row is at fault.
            connection.pragma_update(None, "foreign_keys", false)?;
            let transaction =
                connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let loaded = insert_all(&transaction, rows)?;
            transaction.commit()?;
            // What was loaded goes from the log into the database now, while nobody waits for the writer anyway;
            // readers at work are not waited for.
            connection.busy_timeout(std::time::Duration::from_millis(100))?;
            connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
            Ok(loaded)
        })
    }

    pub(crate) fn dump(
        &self,
        table: &Table,
        mut each: impl FnMut(&[Value]) -> ControlFlow<()>,
    ) -> Result<(), StoreFault> {
        let database = |reason: String| StoreFault::Database { reason };
        let lowered = lower::select_row(DIALECT, table).map_err(|f| database(f.to_string()))?;
        // A connection of its own: a dump may take longer than a read may.
        let connection = open_writing(&self.shared.path, &self.shared.options)?;
        let mut statement = connection.prepare(&lowered.text)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let values = row_of(table, row).map_err(|fault| database(fault.to_string()))?;
            if each(&values).is_break() {
                break;
            }
        }
        Ok(())
    }

    pub(crate) fn renew(
        &self,
        renewal: &Renewal<'_>,
        compute: &mut Compute<'_>,
    ) -> Result<Renewed, StoreFault> {
        let renewed = self.alone(|| {
            let mut connection = open_writing(&self.shared.path, &self.shared.options)?;
            let transaction =
                connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let renewed = renew(&transaction, renewal, compute)?;
            transaction.commit()?;
            Ok(renewed)
        })?;
        if renewed.rows > 0 {
            self.shared.generation.fetch_add(1, Ordering::AcqRel);
        }
        Ok(renewed)
    }

    /// Only where a number is never given out again does SQLite remember it longer than its row.
    pub(crate) fn counted(&self, table: &Table) -> Result<i64, StoreFault> {
        let Some(column) = table.auto.and_then(|at| table.columns.get(at)) else { return Ok(0) };
        with_connection(&self.shared, |connection| Ok(counted(connection, table, &column.name)?))
    }

    pub(crate) fn count_from(&self, table: &Table, number: i64) -> Result<(), StoreFault> {
        let remembers = with_connection(&self.shared, |connection| {
            Ok(connection.query_row(
                "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = ?1 AND sql LIKE '%AUTOINCREMENT%')",
                [table.name.as_str()],
                |row| row.get::<_, bool>(0),
            )?)
        })?;
        if !remembers {
            return Ok(());
        }
        let mut known = operation::Sql::new(DIALECT);
        known.push("INSERT INTO sqlite_sequence (name, seq) SELECT ").literal(table.name.as_str());
        known.push(", 0 WHERE NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = ");
        known.literal(table.name.as_str()).push(")");
        let mut raised = operation::Sql::new(DIALECT);
        raised.push("UPDATE sqlite_sequence SET seq = max(seq, ").integer(number);
        raised.push(") WHERE name = ").literal(table.name.as_str());
        self.migrate(&[known.finish(), raised.finish()], &[])
    }

    /// Whether anything is stored under a table's name.
    pub(crate) fn count(&self, table: &Table) -> Result<u64, StoreFault> {
        let mut sql = operation::Sql::new(DIALECT);
        sql.push("SELECT count(*) FROM ").ident(&table.name);
        with_connection(&self.shared, |connection| {
            let count: i64 = connection.query_row(sql.as_str(), [], |row| row.get(0))?;
            Ok(u64::try_from(count).unwrap_or(0))
        })
    }
}

fn renew(
    connection: &Connection,
    renewal: &Renewal<'_>,
    compute: &mut Compute<'_>,
) -> Result<Renewed, StoreFault> {
    let rows_of = |table: &Table, text: &str, binds: &[&Value]| {
        let mut statement = connection.prepare(text)?;
        let binds = rusqlite::params_from_iter(binds.iter().map(|value| bound(value)));
        let mut rows = statement.query(binds)?;
        let mut read: Vec<Vec<Value>> = Vec::new();
        while let Some(row) = rows.next()? {
            read.push(row_of(table, row).map_err(|fault| unwritable(&fault))?);
        }
        Ok::<_, StoreFault>(read)
    };
    let [root, parts @ ..] = renewal.tables else { return Ok(Renewed::default()) };
    let (key, _) = renewal.key().map_err(|fault| unwritable(&fault))?;
    let mut binds: Vec<&Value> = renewal.after.iter().collect();
    let statement = renewal.roots(DIALECT).map_err(|fault| unwritable(&fault))?;
    let mut before = vec![rows_of(root, &statement.text, &binds)?];
    let seen = before.iter().map(Vec::len).sum::<usize>();
    let last = before.iter().flatten().last().and_then(|row| row.get(key)).cloned();
    let Some(last) = last else { return Ok(Renewed::default()) };
    binds.push(&last);
    for part in parts {
        let statement = renewal.parts(DIALECT, part).map_err(|fault| unwritable(&fault))?;
        before.push(rows_of(part, &statement.text, &binds)?);
    }
    let mut after = before.clone();
    compute(&mut after)?;
    let written = renewal.changes(&before, &mut after);
    for change in &written {
        let (table, row) = change.of(renewal, &after).map_err(|fault| unwritable(&fault))?;
        let text = lower::update(DIALECT, table, &change.columns, 0);
        let text = text.map_err(|fault| unwritable(&fault))?.text;
        let binds = change.binds(table, row);
        let binds = rusqlite::params_from_iter(binds.iter().map(|(_, value)| bound(value)));
        connection.prepare_cached(&text)?.execute(binds).map_err(|error| match error {
            rusqlite::Error::SqliteFailure(failure, _)
                if failure.extended_code == rusqlite::ffi::SQLITE_CONSTRAINT_UNIQUE =>
            {
                collides(table)
            }
            error => error.into(),
        })?;
    }
    Ok(renewal.renewed(seen, written.len(), last))
}

fn insert_all<T: Borrow<Table>, E: Display>(
    connection: &Connection,
    rows: impl IntoIterator<Item = Result<(T, Vec<Value>), E>>,
) -> Result<Loaded, StoreFault> {
    let mut statements: HashMap<String, Statement<'_>> = HashMap::new();
    let mut places = Places::default();
    let mut loaded = Loaded::default();
    for row in rows {
        let index = loaded.rows;
        let (table, values) =
            row.map_err(|error| StoreFault::Source { index, reason: error.to_string() })?;
        let table: &Table = table.borrow();
        let refused = |reason: String| StoreFault::Row {
            index,
            table: table.name.as_str().to_owned(),
            reason,
        };
        if values.len() != table.columns.len() {
            return Err(refused(format!(
                "it has {} values for {} columns",
                values.len(),
                table.columns.len()
            )));
        }
        let name = table.name.as_str();
        if !statements.contains_key(name) {
            let lowered =
                lower::insert(DIALECT, table, 0).map_err(|fault| refused(fault.to_string()))?;
            statements.insert(name.to_owned(), connection.prepare(&lowered.text)?);
        }
        let Some(statement) = statements.get_mut(name) else { continue };
        for (at, value) in values.iter().enumerate() {
            statement.raw_bind_parameter(at + 1, bound(value))?;
        }
        statement.raw_execute().map_err(|error| refused(plain(&error, table)))?;
        places.note(index, table, &values);
        loaded.rows += 1;
    }
    drop(statements);
    check_references(connection).map_err(|fault| places.locate(fault))?;
    Ok(loaded)
}

/// Which rows of the load went into which table, so that a dangling reference can be traced to its row without
/// remembering the rows: only the keys' texts of tables that refer are kept, as hashes.
#[derive(Default)]
struct Places(HashMap<(u64, u64), u64>);

impl Places {
    fn note(&mut self, index: u64, table: &Table, values: &[Value]) {
        if table.foreign_keys.is_empty() {
            return;
        }
        let mut key = String::new();
        for (i, at) in table.key.iter().enumerate() {
            if let (Some(column), Some(value)) = (table.columns.get(*at), values.get(*at)) {
                describe(&mut key, i, column.name.as_str(), column.scalar, bound_ref(value));
            }
        }
        self.0.insert((hash(table.name.as_str()), hash(&key)), index);
    }

    fn locate(&self, fault: StoreFault) -> StoreFault {
        match fault {
            StoreFault::Dangling { table, row, column, target, .. } => {
                let index = self.0.get(&(hash(&table), hash(&row))).copied();
                StoreFault::Dangling { index, table, row, column, target }
            }
            other => other,
        }
    }
}

fn hash(text: &str) -> u64 {
    use std::hash::{Hash, Hasher};
    let mut hasher = rustc_hash::FxHasher::default();
    text.hash(&mut hasher);
    hasher.finish()
}

fn bound_ref(value: &Value) -> ValueRef<'_> {
    match bound(value) {
        rusqlite::types::ToSqlOutput::Borrowed(value) => value,
        _ => ValueRef::Null,
    }
}

/// Appends `name = value` of a key.
fn describe(out: &mut String, i: usize, name: &str, scalar: Scalar, value: ValueRef<'_>) {
    if i > 0 {
        out.push_str(", ");
    }
    out.push_str(name);
    out.push_str(" = ");
    let mut json = Vec::new();
    let scalar = match value {
        ValueRef::Integer(_) => Scalar::Int,
        ValueRef::Blob(bytes) if bytes.len() == 16 => Scalar::Uuid,
        _ => scalar,
    };
    write_json(scalar, value, &mut json);
    out.push_str(&String::from_utf8_lossy(&json));
}

/// Refuses a database with a reference that leads nowhere, naming the first.
pub(crate) fn check_references(connection: &Connection) -> Result<(), StoreFault> {
    let mut check = connection.prepare(
        "SELECT f.\"table\", f.\"from\", f.\"to\", f.child FROM \
         (SELECT DISTINCT c.\"table\" AS child, c.fkid FROM pragma_foreign_key_check AS c) AS c, \
         (SELECT t.name AS child, l.* FROM sqlite_schema AS t, pragma_foreign_key_list(t.name) AS l) AS f \
         WHERE f.child = c.child AND f.id = c.fkid LIMIT 1",
    )?;
    let mut rows = check.query([])?;
    let Some(row) = rows.next()? else { return Ok(()) };
    let (target, column, table): (String, String, String) = (row.get(0)?, row.get(1)?, row.get(3)?);
    let to: Option<String> = row.get(2)?;
    let row = first_dangling(connection, &table, &column, &target, to)?;
    Err(StoreFault::Dangling { index: None, table, row, column, target })
}

/// The key of the first row of `table` whose `column` leads to no row of `target`.
fn first_dangling(
    connection: &Connection,
    table: &str,
    column: &str,
    target: &str,
    to: Option<String>,
) -> Result<String, StoreFault> {
    let keys = |table: &str| -> rusqlite::Result<Vec<String>> {
        connection
            .prepare("SELECT name FROM pragma_table_info(?1) WHERE pk > 0 ORDER BY pk")?
            .query_map([table], |row| row.get(0))?
            .collect()
    };
    let own = keys(table)?;
    let to = match to {
        Some(to) => to,
        None => keys(target)?.into_iter().next().unwrap_or_default(),
    };
    let ident = |name: &str| {
        operation::Ident::new(name)
            .ok_or_else(|| StoreFault::Database { reason: format!("the name `{name}` is odd") })
    };
    let mut sql = operation::Sql::new(DIALECT);
    sql.push("SELECT ");
    for (i, key) in own.iter().enumerate() {
        sql.push(if i == 0 { "a." } else { ", a." }).ident(&ident(key)?);
    }
    sql.push(" FROM ").ident(&ident(table)?).push(" AS a LEFT JOIN ").ident(&ident(target)?);
    sql.push(" AS b ON b.").ident(&ident(&to)?).push(" = a.").ident(&ident(column)?);
    sql.push(" WHERE a.").ident(&ident(column)?).push(" IS NOT NULL AND b.").ident(&ident(&to)?);
    sql.push(" IS NULL LIMIT 1");
    let mut statement = connection.prepare(sql.as_str())?;
    let mut rows = statement.query([])?;
    let mut described = String::new();
    if let Some(row) = rows.next()? {
        for (i, key) in own.iter().enumerate() {
            describe(&mut described, i, key, Scalar::Text, row.get_ref(i)?);
        }
    }
    Ok(described)
}

/// What a constraint says, in the words of the data.
fn plain(error: &rusqlite::Error, table: &Table) -> String {
    let text = error.to_string();
    let columns = |list: &str| {
        list.split(", ")
            .map(|name| format!("`{}`", name.rsplit('.').next().unwrap_or(name)))
            .collect::<Vec<_>>()
            .join(" and ")
    };
    if let Some(list) = text.strip_prefix("UNIQUE constraint failed: ") {
        return format!("another {} has the same {}", table.entity, columns(list));
    }
    if let Some(list) = text.strip_prefix("NOT NULL constraint failed: ") {
        return format!("{} is missing", columns(list));
    }
    text
}

/// The greatest number that was given out for the key `column` of a table.
pub(super) fn counted(
    connection: &Connection,
    table: &Table,
    column: &operation::Ident,
) -> rusqlite::Result<i64> {
    let greatest: i64 = connection
        .prepare_cached(&lower::greatest(table, column))?
        .query_row([], |row| row.get(0))?;
    let remembers: bool = connection
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = 'sqlite_sequence')",
        )?
        .query_row([], |row| row.get(0))?;
    if !remembers {
        return Ok(greatest);
    }
    let remembered: i64 = connection
        .prepare_cached("SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = ?1")?
        .query_row([table.name.as_str()], |row| row.get(0))?;
    Ok(greatest.max(remembered))
}

//! Tables that others made, as far as must be known to serve them as they are.

use std::sync::Arc;

use operation::{Kept, Native, Scalar, Table, Value};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OptionalExtension, Row};

use crate::others::quoted;
use crate::{StoreFault, kept, others};

/// A column, as SQLite knows it.
struct Column {
    name: String,
    declared: String,
    required: bool,
    has_default: bool,
    /// Its place in the primary key, from 1; 0: it is none of it.
    key: i64,
}

/// The tables of a file that others made: name, and a statement that would make its columns, in the form in which
/// [`schema::ddl`](../../../schema/ddl) writes one. What its values are is said in the comment that stands there behind a column's
/// name: `sqlite AFFINITY looks`, and `unlike` where its texts are not compared by code points.
pub(crate) fn definitions(connection: &Connection) -> Result<Vec<(String, String)>, StoreFault> {
    let mut tables = connection.prepare(
        "SELECT name, wr FROM pragma_table_list WHERE schema = 'main' AND type = 'table' \
         AND name NOT LIKE 'mimar\\_%' ESCAPE '\\' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'",
    )?;
    let tables = tables.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    tables
        .map(|table| {
            let (name, rowless): (String, bool) = table?;
            let definition = definition(connection, &name, rowless)?;
            Ok((name, definition))
        })
        .collect()
}

fn definition(connection: &Connection, table: &str, rowless: bool) -> rusqlite::Result<String> {
    // Generated columns are left out: nobody writes them.
    let mut columns = connection.prepare(
        "SELECT name, type, \"notnull\", dflt_value IS NOT NULL, pk FROM pragma_table_xinfo(?1) WHERE hidden = 0 ORDER BY cid",
    )?;
    let column = |row: &Row<'_>| {
        Ok(Column {
            name: row.get(0)?,
            declared: row.get::<_, String>(1)?.to_uppercase(),
            required: row.get(2)?,
            has_default: row.get(3)?,
            key: row.get(4)?,
        })
    };
    let columns = columns.query_map([table], column)?.collect::<rusqlite::Result<Vec<_>>>()?;
    let mut key: Vec<&Column> = columns.iter().filter(|column| column.key > 0).collect();
    key.sort_by_key(|column| column.key);
    // The one that is the number of its row, which SQLite counts; a key that has an index is none, whatever its type.
    let indexed: bool = connection.query_row(
        "SELECT EXISTS (SELECT 1 FROM pragma_index_list(?1) WHERE origin = 'pk')",
        [table],
        |row| row.get(0),
    )?;
    let counted = match key.as_slice() {
        [one] if one.declared == "INTEGER" && !rowless && !indexed => Some(one.name.clone()),
        _ => None,
    };
    let mut lines = Vec::with_capacity(columns.len() + 1);
    for column in &columns {
        let mut line =
            format!("{} /* {} */ X", quoted(&column.name), meaning(connection, table, column)?);
        if counted.as_ref() == Some(&column.name) {
            line.push_str(" PRIMARY KEY");
        } else if column.required {
            line.push_str(" NOT NULL");
        }
        if column.has_default {
            line.push_str(" DEFAULT 0");
        }
        if let Some(reference) = reference(connection, table, &column.name)? {
            line.push_str(&reference);
        }
        lines.push(line);
    }
    if counted.is_none() && !key.is_empty() {
        let key: Vec<String> = key.iter().map(|column| quoted(&column.name)).collect();
        lines.push(format!("PRIMARY KEY ({})", key.join(", ")));
    }
    Ok(format!("CREATE TABLE {} ({})", quoted(table), lines.join(", ")))
}

/// What a column refers to, where it does so alone.
fn reference(
    connection: &Connection,
    table: &str,
    column: &str,
) -> rusqlite::Result<Option<String>> {
    let mut statement = connection.prepare_cached(
        "SELECT coalesce((SELECT s.name FROM sqlite_schema s WHERE s.type = 'table' AND s.name = f.\"table\" COLLATE NOCASE), f.\"table\"), \
         coalesce(f.\"to\", (SELECT name FROM pragma_table_info(f.\"table\") WHERE pk = 1)), f.on_delete \
         FROM pragma_foreign_key_list(?1) f WHERE f.\"from\" = ?2 COLLATE NOCASE \
         AND (SELECT count(*) FROM pragma_foreign_key_list(?1) o WHERE o.id = f.id) = 1 LIMIT 1",
    )?;
    let reference = |row: &Row<'_>| {
        let (target, column): (String, Option<String>) = (row.get(0)?, row.get(1)?);
        let on_delete: String = row.get(2)?;
        let on_delete = match &*on_delete {
            "CASCADE" => " ON DELETE CASCADE",
            "SET NULL" | "SET DEFAULT" => " ON DELETE SET NULL",
            _ => "",
        };
        let column = quoted(&column.unwrap_or_default());
        Ok(format!(" REFERENCES {} ({column}){on_delete}", quoted(&target)))
    };
    statement.query_row([table, column], reference).optional()
}

/// How many of a column's values are looked at, the last ones.
const LOOKED_AT: u32 = 1_000;

/// Values among the last that are none of the columns of these tables, a sentence for each column that has such.
pub(crate) fn unfit(
    connection: &Connection,
    tables: &[Arc<Table>],
) -> Result<Vec<String>, StoreFault> {
    let mut reasons = Vec::new();
    for table in tables {
        for column in &table.columns {
            let form = match column.native {
                Some(Native::Kept(form)) => Some(form),
                _ => None,
            };
            let (of, name) = (quoted(table.name.as_str()), quoted(column.name.as_str()));
            let sql = format!("SELECT {name} FROM {of} WHERE {name} IS NOT NULL");
            let mut statement = connection
                .prepare(&format!("{sql} ORDER BY rowid DESC LIMIT {LOOKED_AT}"))
                .or_else(|_| connection.prepare(&format!("{sql} LIMIT {LOOKED_AT}")))?;
            let mut rows = statement.query([])?;
            while let Some(row) = rows.next()? {
                let value = row.get_ref(0)?;
                if let Some(reason) = strange(column.scalar, form, value) {
                    let at = format!("{}.{}", table.name, column.name);
                    reasons.push(format!("`{at}` holds {reason}"));
                    break;
                }
            }
        }
    }
    Ok(reasons)
}

/// Why a value is none of a column's.
fn strange(scalar: Scalar, form: Option<Kept>, value: ValueRef<'_>) -> Option<String> {
    let is_own = match (scalar, value) {
        (Scalar::Int, ValueRef::Integer(_))
        | (Scalar::Text, ValueRef::Text(_))
        | (Scalar::Bytes, ValueRef::Blob(_)) => true,
        (Scalar::Uuid, ValueRef::Blob(bytes)) => bytes.len() == 16,
        _ => false,
    };
    let value = others::value(value);
    if form.is_none() && !is_own {
        let text = others::text_of(scalar, &value).unwrap_or_default();
        return Some(format!("`{text}`, which is no {}", scalar.name()));
    }
    let spelled = match (scalar, form, &value) {
        (Scalar::Bool, Some(Kept::Text), Value::Text(text)) => {
            matches!(&**text, "true" | "false")
        }
        _ => true,
    };
    if !spelled {
        return Some("truth values in words other than `true` and `false`".to_owned());
    }
    kept::read(scalar, value).err()
}

/// What stands in a column, by its type and by the value in it that came last.
fn meaning(connection: &Connection, table: &str, column: &Column) -> rusqlite::Result<String> {
    let name = quoted(&column.name);
    let sql = format!("SELECT {name} FROM {} WHERE {name} IS NOT NULL", quoted(table));
    let look = |row: &Row<'_>| Ok(looks(row.get_ref(0)?));
    let last = match connection.prepare(&format!("{sql} ORDER BY rowid DESC LIMIT 1")) {
        Ok(mut statement) => statement.query_row([], look).optional()?,
        // A table without numbers of rows.
        Err(_) => connection.query_row(&format!("{sql} LIMIT 1"), [], look).optional()?,
    };
    let (_, collation, ..) = connection.column_metadata(Some("main"), table, &*column.name)?;
    let unlike = collation.is_some_and(|name| name.to_bytes() != b"BINARY");
    let unlike = if unlike { " unlike" } else { "" };
    Ok(format!("sqlite {} {}{unlike}", affinity(&column.declared), last.unwrap_or("nothing")))
}

/// The affinity of a column of a declared type, in capitals (SQLite's "Datatypes In SQLite", 3.1).
fn affinity(declared: &str) -> &'static str {
    let says = |words: &[&str]| words.iter().any(|word| declared.contains(word));
    match () {
        () if says(&["INT"]) => "INTEGER",
        () if says(&["CHAR", "CLOB", "TEXT"]) => "TEXT",
        () if declared.is_empty() || says(&["BLOB"]) => "BLOB",
        () if says(&["REAL", "FLOA", "DOUB"]) => "REAL",
        () => "NUMERIC",
    }
}

/// What a value looks like.
fn looks(value: ValueRef<'_>) -> &'static str {
    match value {
        ValueRef::Null => "nothing",
        ValueRef::Integer(_) => "integer",
        ValueRef::Real(_) => "real",
        ValueRef::Blob(bytes) if bytes.len() == 16 => "blob16",
        ValueRef::Blob(_) => "blob",
        ValueRef::Text(text) if text.len() == 10 => "text10",
        ValueRef::Text(text) if text.get(10) == Some(&b'T') => "textT",
        ValueRef::Text(_) => "text",
    }
}

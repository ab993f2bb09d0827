//! Writes.

use operation::{Dialect, Expression, Fault, Ident, Native, Scalar, Sql, Table, TableId, Value};

use super::expression::{Lowering, binds_of, ill_formed};
use super::{Settings, Statement};

/// `INSERT` of a value for every column, in the table's order; its parameters stand behind `others`.
pub(crate) fn insert(dialect: Dialect, table: &Table, others: usize) -> Result<Statement, Fault> {
    insert_drawn(dialect, table, &[], others)
}

/// The same of a row of which these columns hold keys that this transaction has counted.
pub(crate) fn insert_drawn(
    dialect: Dialect,
    table: &Table,
    drawn: &[(usize, TableId)],
    others: usize,
) -> Result<Statement, Fault> {
    let lowering = Lowering::new(dialect, table.columns.len(), &[])
        .with(Settings { drawn, ..Settings::default() });
    let mut lowering = lowering.behind(others);
    let sql = &mut lowering.sql;
    sql.push("INSERT INTO ").ident(&table.name).push(" (");
    sql.list(", ", &table.columns, |sql, column| {
        sql.ident(&column.name);
    });
    sql.push(") VALUES (");
    for (at, column) in table.columns.iter().enumerate() {
        if at > 0 {
            lowering.sql.push(", ");
        }
        lowering.bind_of(at, column);
    }
    lowering.sql.push(")");
    Ok(lowering.finish(Vec::new()))
}

/// The same for PostgreSQL, where the database counts the value of `counted`, which it answers. The bind of that column
/// goes unused.
pub(crate) fn insert_counted(table: &Table, counted: usize) -> Result<Statement, Fault> {
    let mut lowering = Lowering::new(Dialect::Postgres, table.columns.len(), &[]);
    let written = || table.columns.iter().enumerate().filter(|(at, _)| *at != counted);
    lowering.sql.push("INSERT INTO ").ident(&table.name);
    lowering.sql.push(if written().next().is_some() { " (" } else { " DEFAULT VALUES" });
    lowering.sql.list(", ", written(), |sql, (_, column)| {
        sql.ident(&column.name);
    });
    for (i, (at, column)) in written().enumerate() {
        lowering.sql.push(if i == 0 { ") VALUES (" } else { ", " });
        lowering.bind_of(at, column);
    }
    lowering.sql.push(if written().next().is_some() { ") RETURNING " } else { " RETURNING " });
    let column = table.columns.get(counted).ok_or_else(|| ill_formed("no such column"))?;
    lowering.sql.ident(&column.name);
    lowering.as_answer(column.scalar);
    Ok(lowering.finish(vec![column.scalar]))
}

/// `UPDATE` of `columns`; binds: their values, then the values of the primary key, behind `others`.
pub(crate) fn update(
    dialect: Dialect,
    table: &Table,
    columns: &[usize],
    others: usize,
) -> Result<Statement, Fault> {
    let mut lowering = Lowering::new(dialect, columns.len() + table.key.len(), &[]).behind(others);
    lowering.sql.push("UPDATE ").ident(&table.name).push(" SET ");
    for (at, column) in columns.iter().enumerate() {
        if at > 0 {
            lowering.sql.push(", ");
        }
        is_bind(&mut lowering, table, *column, at)?;
    }
    by_columns(&mut lowering, table, &table.key, columns.len())?;
    Ok(lowering.finish(Vec::new()))
}

/// `DELETE` by `columns`; binds: their values.
pub(crate) fn delete(
    dialect: Dialect,
    table: &Table,
    columns: &[usize],
) -> Result<Statement, Fault> {
    let mut lowering = Lowering::new(dialect, columns.len(), &[]);
    lowering.sql.push("DELETE FROM ").ident(&table.name);
    by_columns(&mut lowering, table, columns, 0)?;
    Ok(lowering.finish(Vec::new()))
}

/// `SELECT` of every column of the rows with the given values in `columns`, in the order of the key. `locked`: nobody
/// else may change them before the transaction ends, where others could.
pub(crate) fn row_by(
    dialect: Dialect,
    table: &Table,
    columns: &[usize],
    locked: bool,
) -> Result<Statement, Fault> {
    let mut lowering = Lowering::new(dialect, columns.len(), &[]);
    all_columns(&mut lowering, table);
    by_columns(&mut lowering, table, columns, 0)?;
    by_key(&mut lowering, table)?;
    if locked && dialect == Dialect::Postgres {
        lowering.sql.push(" FOR NO KEY UPDATE");
    }
    Ok(lowering.finish(scalars(table)))
}

/// `SELECT` of every column of every row, in the order of the key.
pub(crate) fn select_row(dialect: Dialect, table: &Table) -> Result<Statement, Fault> {
    let mut lowering = Lowering::new(dialect, 0, &[]);
    all_columns(&mut lowering, table);
    by_key(&mut lowering, table)?;
    Ok(lowering.finish(scalars(table)))
}

/// Rows in the order of one column, from a value of it on.
#[derive(Debug)]
pub(crate) struct Between {
    /// The column.
    pub column: usize,
    /// Whether they begin behind a value.
    pub after: bool,
    /// Whether they end with one.
    pub until: bool,
    /// How many, at most.
    pub most: Option<u64>,
}

/// `SELECT` of every column of those rows, which nobody else may change before the transaction ends, where others could; binds:
/// where they begin, then where they end.
pub(crate) fn between(
    dialect: Dialect,
    table: &Table,
    between: &Between,
) -> Result<Statement, Fault> {
    let bounds = [(between.after, " > "), (between.until, " <= ")];
    let said = bounds.iter().filter(|(said, _)| *said);
    let mut lowering = Lowering::new(dialect, said.clone().count(), &[]);
    all_columns(&mut lowering, table);
    let column = table.columns.get(between.column).ok_or_else(|| ill_formed("no such column"))?;
    for (at, (_, operator)) in said.enumerate() {
        lowering.sql.push(if at == 0 { " WHERE " } else { " AND " });
        lowering.sql.ident(&column.name).push(operator);
        lowering.bind_of(at, column);
    }
    by_key(&mut lowering, table)?;
    if let Some(most) = between.most {
        lowering.sql.push(" LIMIT ").integer(i64::try_from(most).unwrap_or(i64::MAX));
    }
    if dialect == Dialect::Postgres {
        lowering.sql.push(" FOR NO KEY UPDATE");
    }
    Ok(lowering.finish(scalars(table)))
}

/// `SELECT` of the greatest number in a column, on SQLite; 0 where there is none.
pub(crate) fn greatest(table: &Table, column: &Ident) -> String {
    let mut sql = Sql::new(Dialect::Sqlite);
    sql.push("SELECT coalesce(max(").ident(column).push("), 0) FROM ").ident(&table.name);
    sql.finish()
}

/// `SELECT 1` of rows with the given values in `columns`.
pub(crate) fn exists(
    dialect: Dialect,
    table: &Table,
    columns: &[usize],
) -> Result<Statement, Fault> {
    let mut lowering = Lowering::new(dialect, columns.len(), &[]);
    lowering.sql.push("SELECT 1 FROM ").ident(&table.name);
    by_columns(&mut lowering, table, columns, 0)?;
    lowering.sql.push(" LIMIT 1");
    Ok(lowering.finish(vec![Scalar::Int]))
}

/// `SELECT 1` of rows that refer to the one bind, of whose scalar the column is.
pub(crate) fn refers(
    dialect: Dialect,
    table: &Ident,
    column: &Ident,
    scalar: Scalar,
) -> Result<Statement, Fault> {
    let mut lowering = Lowering::new(dialect, 1, &[]);
    lowering.sql.push("SELECT 1 FROM ").ident(table).push(" WHERE ").ident(column).push(" = ");
    lowering.bind(0, scalar);
    lowering.sql.push(" LIMIT 1");
    Ok(lowering.finish(vec![Scalar::Int]))
}

/// `SELECT` of a condition of the row with the given values in `columns`, which are bound after `binds`.
pub(crate) fn decide(
    dialect: Dialect,
    table: &Table,
    condition: &Expression,
    binds: &[Value],
    columns: &[usize],
) -> Result<Statement, Fault> {
    if binds_of([condition]) > binds.len() {
        return Err(ill_formed("no such bind"));
    }
    let mut lowering = Lowering::new(dialect, binds.len() + columns.len(), binds);
    let alias = lowering.alias();
    lowering.sql.push("SELECT ");
    lowering.with_row(alias, table, condition)?;
    lowering.sql.push(" FROM ");
    lowering.table(alias, table);
    for (i, column) in columns.iter().enumerate() {
        lowering.sql.push(if i == 0 { " WHERE " } else { " AND " });
        lowering.column(alias, table, *column)?;
        lowering.sql.push(" = ");
        lowering.bind(binds.len() + i, scalar_of(table, *column)?);
    }
    Ok(lowering.finish(vec![Scalar::Bool]))
}

/// `SELECT` of every column of the rows for which a condition holds, `most` at most, in the order of the key. `binds` are what
/// the condition's binds hold.
pub(crate) fn rows_where(
    dialect: Dialect,
    table: &Table,
    condition: &Expression,
    binds: &[Value],
    most: i64,
) -> Result<Statement, Fault> {
    if binds_of([condition]) > binds.len() {
        return Err(ill_formed("no such bind"));
    }
    let mut lowering = Lowering::new(dialect, binds.len(), binds);
    let alias = lowering.alias();
    for at in 0..table.columns.len() {
        lowering.sql.push(if at == 0 { "SELECT " } else { ", " });
        lowering.answered(alias, table, at)?;
    }
    lowering.sql.push(" FROM ");
    lowering.table(alias, table);
    lowering.sql.push(" WHERE ");
    lowering.with_row(alias, table, condition)?;
    for (i, at) in table.key.iter().enumerate() {
        lowering.sql.push(if i == 0 { " ORDER BY " } else { ", " });
        lowering.column(alias, table, *at)?;
    }
    lowering.sql.push(" LIMIT ").integer(most);
    Ok(lowering.finish(scalars(table)))
}

pub(super) fn scalars(table: &Table) -> Vec<Scalar> {
    table.columns.iter().map(|column| column.scalar).collect()
}

pub(super) fn all_columns(lowering: &mut Lowering<'_>, table: &Table) {
    for (at, column) in table.columns.iter().enumerate() {
        lowering.sql.push(if at == 0 { "SELECT " } else { ", " });
        lowering.stored(None, column);
        lowering.as_answer(column.scalar);
    }
    lowering.sql.push(" FROM ").ident(&table.name);
}

pub(super) fn by_key(lowering: &mut Lowering<'_>, table: &Table) -> Result<(), Fault> {
    for (i, at) in table.key.iter().enumerate() {
        lowering.sql.push(if i == 0 { " ORDER BY " } else { ", " });
        let column = table.columns.get(*at).ok_or_else(|| ill_formed("no such column"))?;
        lowering.sql.ident(&column.name);
    }
    Ok(())
}

fn by_columns(
    lowering: &mut Lowering<'_>,
    table: &Table,
    columns: &[usize],
    first_bind: usize,
) -> Result<(), Fault> {
    for (i, column) in columns.iter().enumerate() {
        lowering.sql.push(if i == 0 { " WHERE " } else { " AND " });
        match table.columns.get(*column) {
            // The same may be kept in several forms.
            Some(column) if matches!(column.native, Some(Native::Kept(_))) => {
                lowering.stored(None, column);
                lowering.sql.push(" = ");
                lowering.bind(first_bind + i, column.scalar);
            }
            _ => is_bind(lowering, table, *column, first_bind + i)?,
        }
    }
    Ok(())
}

/// Writes `"column" = ?`, which compares in a condition and assigns after `SET`.
fn is_bind(
    lowering: &mut Lowering<'_>,
    table: &Table,
    column: usize,
    bind: usize,
) -> Result<(), Fault> {
    let column = table.columns.get(column).ok_or_else(|| ill_formed("no such column"))?;
    lowering.sql.ident(&column.name).push(" = ");
    lowering.bind_of(bind, column);
    Ok(())
}

fn scalar_of(table: &Table, column: usize) -> Result<Scalar, Fault> {
    Ok(table.columns.get(column).ok_or_else(|| ill_formed("no such column"))?.scalar)
}

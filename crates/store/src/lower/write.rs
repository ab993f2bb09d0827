//! Writes.

use operation::{Dialect, Expression, Fault, Table, Value};

use super::expression::{Lowering, binds_of, ill_formed};

/// A statement and its constants.
#[derive(Debug)]
pub(crate) struct Statement {
    /// The text.
    pub text: String,
    /// Constants and their positions (from 0) among the binds.
    pub constants: Vec<(usize, Value)>,
}

/// `INSERT` of a value for every column, in the table's order.
pub(crate) fn insert(dialect: Dialect, table: &Table) -> Result<Statement, Fault> {
    let mut lowering = Lowering::new(dialect, table.columns.len());
    let sql = &mut lowering.sql;
    sql.push("INSERT INTO ").ident(&table.name).push(" (");
    sql.list(", ", &table.columns, |sql, column| {
        sql.ident(&column.name);
    });
    sql.push(") VALUES (");
    sql.list(", ", 0..table.columns.len(), |sql, at| {
        sql.bind(at);
    });
    sql.push(")");
    Ok(finish(lowering))
}

/// `UPDATE` of `columns`; binds: their values, then the values of the primary key.
pub(crate) fn update(
    dialect: Dialect,
    table: &Table,
    columns: &[usize],
) -> Result<Statement, Fault> {
    let mut lowering = Lowering::new(dialect, columns.len() + table.key.len());
    lowering.sql.push("UPDATE ").ident(&table.name).push(" SET ");
    for (at, column) in columns.iter().enumerate() {
        if at > 0 {
            lowering.sql.push(", ");
        }
        name(&mut lowering, table, *column)?;
        lowering.sql.push(" = ").bind(at);
    }
    by_columns(&mut lowering, table, &table.key, columns.len())?;
    Ok(finish(lowering))
}

/// `DELETE` by `columns`; binds: their values.
pub(crate) fn delete(
    dialect: Dialect,
    table: &Table,
    columns: &[usize],
) -> Result<Statement, Fault> {
    let mut lowering = Lowering::new(dialect, columns.len());
    lowering.sql.push("DELETE FROM ").ident(&table.name);
    by_columns(&mut lowering, table, columns, 0)?;
    Ok(finish(lowering))
}

/// `SELECT` of every column of the rows with the given values in `columns`, in the order of the key.
pub(crate) fn row_by(
    dialect: Dialect,
    table: &Table,
    columns: &[usize],
) -> Result<Statement, Fault> {
    let mut lowering = Lowering::new(dialect, columns.len());
    all_columns(&mut lowering, table);
    by_columns(&mut lowering, table, columns, 0)?;
    by_key(&mut lowering, table)?;
    Ok(finish(lowering))
}

/// `SELECT` of every column of every row, in the order of the key.
pub(crate) fn select_row(dialect: Dialect, table: &Table) -> Result<Statement, Fault> {
    let mut lowering = Lowering::new(dialect, 0);
    all_columns(&mut lowering, table);
    by_key(&mut lowering, table)?;
    Ok(finish(lowering))
}

/// `SELECT 1` of rows with the given values in `columns`.
pub(crate) fn exists(
    dialect: Dialect,
    table: &Table,
    columns: &[usize],
) -> Result<Statement, Fault> {
    let mut lowering = Lowering::new(dialect, columns.len());
    lowering.sql.push("SELECT 1 FROM ").ident(&table.name);
    by_columns(&mut lowering, table, columns, 0)?;
    Ok(finish(lowering))
}

/// `SELECT` of an expression of the row with the given values in `columns`, which are bound after `binds` values.
pub(crate) fn decide(
    dialect: Dialect,
    table: &Table,
    expression: &Expression,
    binds: usize,
    columns: &[usize],
) -> Result<Statement, Fault> {
    if binds_of([expression]) > binds {
        return Err(ill_formed("no such bind"));
    }
    let mut lowering = Lowering::new(dialect, binds + columns.len());
    let alias = lowering.alias();
    lowering.sql.push("SELECT ");
    lowering.with_row(alias, table, expression)?;
    lowering.sql.push(" FROM ");
    lowering.table(alias, table);
    for (i, column) in columns.iter().enumerate() {
        lowering.sql.push(if i == 0 { " WHERE " } else { " AND " });
        lowering.column(alias, table, *column)?;
        lowering.sql.push(" = ").bind(binds + i);
    }
    Ok(finish(lowering))
}

fn all_columns(lowering: &mut Lowering<'_>, table: &Table) {
    lowering.sql.push("SELECT ");
    lowering.sql.list(", ", &table.columns, |sql, column| {
        sql.ident(&column.name);
    });
    lowering.sql.push(" FROM ").ident(&table.name);
}

fn by_key(lowering: &mut Lowering<'_>, table: &Table) -> Result<(), Fault> {
    for (i, column) in table.key.iter().enumerate() {
        lowering.sql.push(if i == 0 { " ORDER BY " } else { ", " });
        name(lowering, table, *column)?;
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
        name(lowering, table, *column)?;
        lowering.sql.push(" = ").bind(first_bind + i);
    }
    Ok(())
}

fn name(lowering: &mut Lowering<'_>, table: &Table, column: usize) -> Result<(), Fault> {
    let column = table.columns.get(column).ok_or_else(|| ill_formed("no such column"))?;
    lowering.sql.ident(&column.name);
    Ok(())
}

fn finish(lowering: Lowering<'_>) -> Statement {
    let (text, constants) = lowering.finish();
    Statement { text, constants }
}

//! Statements about many rows at once, for a database behind a wire: each parameter is an array, with an element for each row.

use operation::{Column, Dialect, Expression, Fault, Scalar, Sql, Table, TableId, Value};

use super::expression::{Lowering, Parameter, binds_of, ill_formed};
use super::write::{all_columns, by_key, scalars};
use super::{Statement, ahead};

/// How rows that are read are kept from changing until the transaction ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Lock {
    /// Not at all.
    Free,
    /// Others may read and hold them, too.
    Shared,
    /// Nobody else may change or hold them.
    Held,
    /// Nor come to refer to them.
    Going,
}

impl Lock {
    /// What is written behind a `SELECT`.
    pub(crate) fn clause(self) -> &'static str {
        match self {
            Self::Free => "",
            Self::Shared => " FOR SHARE",
            Self::Held => " FOR NO KEY UPDATE",
            Self::Going => " FOR UPDATE",
        }
    }
}

/// How rows are come by that are locked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Taking {
    /// Others may hold them meanwhile.
    Waiting,
    /// Nobody may: others may wait for what is locked already.
    AtOnce,
    /// They are locked [already](super::along::held). What has come since is left out: what goes along with it is not locked.
    Held,
}

/// What is written behind a lock which must be free, since others may wait for what is locked already.
pub(super) const NOT_WAITING: &str = " NOWAIT";

/// The type of a scalar's column, by name, in a cast.
pub(super) type TypeName = fn(Scalar) -> &'static str;

/// `SELECT` of every column of the rows whose value in `column` is among the one array, in the order of the key: which
/// is the order in which they are locked.
pub(crate) fn rows_among(
    table: &Table,
    column: usize,
    (lock, taking): (Lock, Taking),
    type_name: TypeName,
) -> Result<Statement, Fault> {
    let mut lowering = Lowering::new(Dialect::Postgres, 0, &[]);
    all_columns(&mut lowering, table);
    let column = table.columns.get(column).ok_or_else(|| ill_formed("no such column"))?;
    let sql = &mut lowering.sql;
    sql.push(" WHERE ").ident(&column.name).push(" = ANY(");
    array(sql, 0, column, type_name);
    sql.push(")");
    if taking == Taking::Held {
        let own = table.columns.get(table.own_key()).ok_or_else(|| ill_formed("no key"))?;
        lowering.sql.push(" AND ").ident(&own.name).push(" = ANY(");
        ahead::locked(&mut lowering.sql, table, own.scalar);
        if let Some(native) = own.native_type() {
            lowering.sql.push("::").ident(native).push("[]");
        }
        lowering.sql.push(")");
    }
    by_key(&mut lowering, table)?;
    lowering.sql.push(match taking {
        Taking::Held => "",
        _ => lock.clause(),
    });
    lowering.sql.push(if taking == Taking::AtOnce { NOT_WAITING } else { "" });
    Ok(lowering.finish(scalars(table)))
}

/// `INSERT` of rows: an array for every column, in the table's order, from the bind `first` on. `drawn`: columns that hold keys
/// which this transaction has counted.
pub(crate) fn insert_many(
    table: &Table,
    drawn: &[(usize, TableId)],
    first: usize,
    type_name: TypeName,
) -> Statement {
    let mut sql = Sql::new(Dialect::Postgres);
    sql.push("INSERT INTO ").ident(&table.name).push(" (");
    sql.list(", ", &table.columns, |sql, column| {
        sql.ident(&column.name);
    });
    sql.push(") SELECT ");
    if drawn.is_empty() {
        sql.push("*");
    } else {
        sql.list(", ", 0..table.columns.len(), |sql, at| {
            let mut value = |sql: &mut Sql| {
                sql.push("v.").alias("v", at);
            };
            match drawn.iter().find(|(column, _)| *column == at) {
                Some((_, of)) => super::drawn::number(sql, *of, &mut value),
                None => value(sql),
            }
        });
    }
    sql.push(" FROM unnest(");
    sql.list(", ", table.columns.iter().enumerate(), |sql, (at, column)| {
        array(sql, first + at, column, type_name);
    });
    sql.push(")");
    if !drawn.is_empty() {
        sql.push(" AS v (");
        sql.list(", ", 0..table.columns.len(), |sql, at| {
            sql.alias("v", at);
        });
        sql.push(")");
    }
    statement(sql)
}

/// `UPDATE` of `columns`: an array for each of them, then one for each column of the primary key, from the bind `first` on.
pub(crate) fn update_many(
    table: &Table,
    columns: &[usize],
    first: usize,
    type_name: TypeName,
) -> Result<Statement, Fault> {
    let mut sql = Sql::behind(Dialect::Postgres, first);
    sql.push("UPDATE ").ident(&table.name).push(" AS t0 SET ");
    for (at, column) in columns.iter().enumerate() {
        let column = table.columns.get(*column).ok_or_else(|| ill_formed("no such column"))?;
        sql.push(if at > 0 { ", " } else { "" }).ident(&column.name).push(" = v.").alias("v", at);
    }
    sql.push(" FROM ");
    let given: Vec<usize> = columns.iter().chain(&table.key).copied().collect();
    rows(&mut sql, table, &given, type_name)?;
    by_key_of(&mut sql, table, columns.len())?;
    Ok(statement(sql))
}

/// `DELETE` of rows: an array for each column of the primary key.
pub(crate) fn delete_many(table: &Table, type_name: TypeName) -> Result<Statement, Fault> {
    let mut sql = Sql::new(Dialect::Postgres);
    sql.push("DELETE FROM ").ident(&table.name).push(" AS t0 USING ");
    rows(&mut sql, table, &table.key, type_name)?;
    by_key_of(&mut sql, table, 0)?;
    Ok(statement(sql))
}

/// Fails unless a condition holds of each row of the table that is named by its key: [`super::decide`] for many. What is a bind
/// there is an array here, with an element for each of them; the array of the keys is the last. `values` are what the binds of
/// one hold, for their kinds, and its key. The arrays stand from the bind `first` on.
pub(crate) fn insist_on_all(
    (table, condition): (&Table, &Expression),
    values: &[&Value],
    first: usize,
    type_name: TypeName,
) -> Result<Statement, Fault> {
    let binds = values.len().checked_sub(1).ok_or_else(|| ill_formed("a row without a key"))?;
    if binds_of([condition]) > binds {
        return Err(ill_formed("no such bind"));
    }
    let hints: Vec<Value> = values.iter().copied().cloned().collect();
    let mut lowering = Lowering::of_given(values.len(), &hints);
    let alias = lowering.alias();
    let key = table.columns.get(table.own_key()).ok_or_else(|| ill_formed("no such column"))?;
    // The division by zero ends the transaction.
    lowering.sql.push("SELECT 1 / coalesce(bool_and(coalesce((SELECT ");
    lowering.with_row(alias, table, condition)?;
    lowering.sql.push(" FROM ");
    lowering.table(alias, table);
    lowering.sql.push(" WHERE ");
    lowering.column(alias, table, table.own_key())?;
    lowering.sql.push(" = ");
    lowering.bind(binds, key.scalar);
    lowering.sql.push("), false)), true)::int FROM ");
    let mut statement = lowering.finish(vec![Scalar::Int]);
    let mut sql = Sql::new(Dialect::Postgres);
    given(&mut sql, &statement.parameters, first, type_name, |_| ());
    statement.text.push_str(&sql.finish());
    Ok(statement)
}

/// Statements that insert rows and statements that insist on something, as one: all or nothing of it is done. None sees what another
/// does. The last of a `WITH` is executed first (it is nowhere promised): there the first one stands, for triggers of others that
/// look for a root when its parts come.
pub(crate) fn all_of(inserts: &[&str], insisting: &[&str]) -> String {
    match (inserts, insisting) {
        ([only], []) | ([], [only]) => return (*only).to_owned(),
        _ => {}
    }
    let clauses = inserts.iter().rev().enumerate().map(|(i, insert)| format!("s{i} AS ({insert})"));
    let clauses: Vec<String> = clauses.collect();
    let with = if clauses.is_empty() { "" } else { "WITH " };
    let insisting: String = insisting.iter().map(|insist| format!(", ({insist})")).collect();
    format!("{with}{} SELECT 1{insisting}", clauses.join(", "))
}

/// Writes arrays of the parameters, from the bind `first` on, as rows of a table `given`, with the columns that
/// [`Lowering::of_given`] names; `others` writes further columns.
pub(super) fn given(
    sql: &mut Sql,
    parameters: &[Parameter],
    first: usize,
    type_name: TypeName,
    others: impl FnOnce(&mut Sql),
) {
    sql.push("(SELECT ");
    sql.list(", ", parameters.iter().enumerate(), |sql, (i, parameter)| {
        sql.push("unnest(").bind(first + i).push("::").push(type_name(parameter.form));
        sql.push("[]) AS ").alias("b", i + 1);
    });
    others(sql);
    sql.push(") AS given");
}

/// `SELECT` of as many numbers for the key `column` as the one bind says.
pub(crate) fn draw(table: &Table, column: usize) -> Result<Statement, Fault> {
    let column = table.columns.get(column).ok_or_else(|| ill_formed("no such column"))?;
    let mut lowering = Lowering::new(Dialect::Postgres, 1, &[]);
    lowering.sql.push("SELECT ");
    next_number(&mut lowering.sql, table, column);
    lowering.sql.push(" FROM generate_series(1, ");
    lowering.bind(0, Scalar::Int);
    lowering.sql.push(")");
    Ok(lowering.finish(vec![Scalar::Int]))
}

/// Writes the next number of a column that is counted.
pub(super) fn next_number(sql: &mut Sql, table: &Table, column: &Column) {
    let mut name = Sql::new(Dialect::Postgres);
    name.ident(&table.name);
    sql.push("nextval(pg_get_serial_sequence(").literal(name.as_str()).push(", ");
    sql.literal(column.name.as_str()).push("))");
}

pub(super) fn array(sql: &mut Sql, at: usize, column: &Column, type_name: TypeName) {
    sql.bind(at).push("::").push(type_name(column.scalar)).push("[]");
    if let Some(native) = column.native_type() {
        sql.push("::").ident(native).push("[]");
    }
}

/// Writes arrays of the columns as rows `v`, with columns `v0` and up.
fn rows(sql: &mut Sql, table: &Table, columns: &[usize], type_name: TypeName) -> Result<(), Fault> {
    sql.push("unnest(");
    for (at, column) in columns.iter().enumerate() {
        let column = table.columns.get(*column).ok_or_else(|| ill_formed("no such column"))?;
        sql.push(if at > 0 { ", " } else { "" });
        array(sql, at, column, type_name);
    }
    sql.push(") AS v (");
    sql.list(", ", 0..columns.len(), |sql, at| {
        sql.alias("v", at);
    });
    sql.push(")");
    Ok(())
}

/// Writes that the primary key is that of the row `v`, where it stands from `first` on.
fn by_key_of(sql: &mut Sql, table: &Table, first: usize) -> Result<(), Fault> {
    for (i, at) in table.key.iter().enumerate() {
        let column = table.columns.get(*at).ok_or_else(|| ill_formed("no such column"))?;
        sql.push(if i == 0 { " WHERE t0." } else { " AND t0." }).ident(&column.name);
        sql.push(" = v.").alias("v", first + i);
    }
    Ok(())
}

fn statement(sql: Sql) -> Statement {
    Statement {
        text: sql.finish(),
        constants: Vec::new(),
        parameters: Vec::new(),
        answer: Vec::new(),
    }
}

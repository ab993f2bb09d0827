//! What a direct command answers where PostgreSQL puts that into words: byte for byte the JSON that Rust would write (see [`told`](super::told)), or
//! the end of the transaction.

use operation::{Dialect, Expression, Fault, Output, Read, Scalar, Value};

use super::expression::{Lowering, binds_of, ill_formed};
use super::read::{self, sources};
use super::{Settings, Statement, receipt};

/// What is answered.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Answering<'a> {
    /// A value.
    Value(&'a Expression, Scalar),
    /// A row, or null where the caller may not see it.
    Row {
        /// How it is read.
        read: &'a Read,
        /// By which bind.
        bind: usize,
        /// What stands for that.
        key: &'a Expression,
    },
}

/// Whether a read can be answered so: rows of others and parts cannot.
pub(crate) fn can_say(read: &Read) -> bool {
    let is_own = |output: &Output| matches!(output, Output::Column { source: 0, .. });
    read.joins.is_empty() && read.output.fields.iter().all(|field| is_own(&field.output))
}

/// `SELECT` of an answer as JSON. `values` are what the binds hold. `kept`: it is put down in a receipt, whose key, request and moment stand
/// behind the binds.
pub(crate) fn answer(
    settings: Settings<'_>,
    answering: Answering<'_>,
    values: &[Value],
    kept: bool,
) -> Result<Statement, Fault> {
    let binds = values.len();
    let read = match answering {
        Answering::Row { read, bind, key } => Some(keyed(read, bind, key)?),
        Answering::Value(..) => None,
    };
    let most = match (&read, answering) {
        (Some(read), _) => read::binds(read),
        (None, Answering::Value(value, _)) => binds_of([value]),
        (None, Answering::Row { .. }) => 0,
    };
    if most > binds {
        return Err(ill_formed("no such bind"));
    }
    let all = if kept { binds + receipt::SAID.len() } else { binds };
    let mut lowering = Lowering::new(Dialect::Postgres, all, values).with(settings);
    if kept {
        receipt::keep_said(&mut lowering, binds);
    } else {
        lowering.sql.push("SELECT a.json");
    }
    match (&read, answering) {
        (Some(read), _) => {
            lowering.sql.push(
                " FROM (SELECT coalesce(max(o.json), 'null') AS json, \
                 1 / (count(*) = count(o.json) AND count(*) <= 1)::int AS sure FROM (SELECT ",
            );
            lowering.object_of(read)?;
            lowering.sql.push(" OFFSET 0) AS o) AS a");
        }
        (None, Answering::Value(value, scalar)) => {
            lowering
                .sql
                .push(" FROM (SELECT s.json, 1 / (s.json IS NOT NULL)::int AS sure FROM (SELECT ");
            lowering.json(value, scalar)?;
            lowering.sql.push(" AS json OFFSET 0) AS s OFFSET 0) AS a");
        }
        (None, Answering::Row { .. }) => return Err(ill_formed("an answer without its read")),
    }
    lowering.sql.push(" WHERE a.sure = 1");
    if kept {
        lowering.sql.push(" RETURNING json");
    }
    Ok(lowering.finish(vec![Scalar::Text]))
}

impl<'a> Lowering<'a> {
    /// Writes the object of each row of a read, and where the rows come from.
    fn object_of(&mut self, read: &'a Read) -> Result<(), Fault> {
        let row = self.alias();
        self.sql.push("'{' || substr(''");
        for field in &read.output.fields {
            let Output::Column { source: 0, column } = field.output else {
                return Err(ill_formed("an answer of more than its row"));
            };
            self.sql.push(" || ");
            if let Some(condition) = &field.condition {
                self.sql.push("CASE WHEN ");
                self.with_row(row, &read.table, condition)?;
                self.sql.push(" THEN ");
            }
            self.constant(&Value::text(format!(",{}", field.label)), Scalar::Text);
            self.sql.push(" || ");
            let scalar = read.table.columns.get(column).map(|column| column.scalar);
            let scalar = scalar.ok_or_else(|| ill_formed("no such column"))?;
            self.json_of(scalar, |it| it.answered(row, &read.table, column))?;
            self.sql.push(if field.condition.is_some() { " ELSE '' END" } else { "" });
        }
        self.sql.push(", 2) || '}' AS json");
        sources(self, read, (row, &[]))?;
        self.sql.push(" WHERE ");
        self.filter(row, &read.table, &read.filter)
    }
}

/// A read whose row is found by what stands for its key.
fn keyed(read: &Read, bind: usize, key: &Expression) -> Result<Read, Fault> {
    if !can_say(read) {
        return Err(ill_formed("an answer of more than its row"));
    }
    let mut keyed = read.clone();
    keyed.filter = with_key(&read.filter, bind, key);
    for field in &mut keyed.output.fields {
        if let Some(condition) = &mut field.condition {
            *condition = with_key(condition, bind, key);
        }
    }
    Ok(keyed)
}

fn with_key(value: &Expression, bind: usize, key: &Expression) -> Expression {
    if *value == Expression::Bind(bind) {
        return key.clone();
    }
    let with_key = |child: &Expression| Some(with_key(child, bind, key));
    value.with_children(&mut { with_key }).unwrap_or_else(|| value.clone())
}

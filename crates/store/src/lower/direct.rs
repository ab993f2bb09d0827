//! Statements for PostgreSQL that do what was asked or end the transaction, so that nobody has to wait for their answers.

use operation::{Expression, Fault, Scalar, Table, Value};

use super::Statement;
use super::expression::{Lowering, binds_of, ill_formed};
use super::form::Natural;

/// A change of one row by itself.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Change<'c> {
    pub table: &'c Table,
    /// Its key: a bind or a constant.
    pub key: &'c Expression,
    /// What its columns become, with the row as it was at depth 0.
    pub set: &'c [(usize, Expression)],
    /// Must be true of the row as it was.
    pub condition: &'c Expression,
    /// Whether the row is answered as it is then: every column.
    pub answered: bool,
}

/// `UPDATE` of a row for which a condition holds. `binds` are what the binds of its expressions hold.
pub(crate) fn change(change: Change<'_>, binds: &[Value]) -> Result<Statement, Fault> {
    let Change { table, key, set, condition, answered } = change;
    let values = set.iter().map(|(_, value)| value);
    if binds_of(values.chain([key, condition])) > binds.len() {
        return Err(ill_formed("no such bind"));
    }
    let mut lowering = Lowering::new(operation::Dialect::Postgres, binds.len(), binds);
    let alias = lowering.alias();
    lowering.sql.push("WITH changed AS (UPDATE ");
    lowering.table(alias, table);
    for (at, (column, value)) in set.iter().enumerate() {
        let set = table.columns.get(*column).ok_or_else(|| ill_formed("no such column"))?;
        lowering.sql.push(if at == 0 { " SET " } else { ", " }).ident(&set.name).push(" = ");
        lowering.assigned(alias, table, *column, value)?;
        if let Some(native) = &set.native {
            lowering.sql.push("::").ident(native);
        }
    }
    lowering.sql.push(" WHERE ");
    lowering.column_is(alias, table, table.own_key(), key)?;
    // In any order: what fails ends the transaction as well as what is not true.
    let terms = match condition {
        Expression::And(terms) => terms.as_slice(),
        Expression::Literal(Value::Bool(true)) => &[],
        condition => std::slice::from_ref(condition),
    };
    for term in terms {
        lowering.sql.push(" AND ");
        lowering.with_row(alias, table, term)?;
    }
    lowering.sql.push(" RETURNING ");
    if !answered {
        lowering.sql.push("1) SELECT 1 / count(*) FROM changed");
        return Ok(lowering.finish(vec![Scalar::Int]));
    }
    let columns = || 0..table.columns.len();
    for column in columns() {
        lowering.sql.push(if column == 0 { "" } else { ", " });
        lowering.answered(alias, table, column)?;
        lowering.sql.push(" AS ").alias("c", column);
    }
    lowering.sql.push(") SELECT ");
    for column in columns() {
        lowering.sql.alias("c", column).push(", ");
    }
    lowering.sql.push(
        "sure FROM (SELECT 1 / count(*) AS sure FROM changed) AS s LEFT JOIN changed ON true",
    );
    let mut answer: Vec<Scalar> = table.columns.iter().map(|column| column.scalar).collect();
    answer.push(Scalar::Int);
    Ok(lowering.finish(answer))
}

/// A statement that answers the rows that it changes, failing where there are none: the division by zero ends the transaction.
pub(crate) fn surely(statement: Statement) -> Statement {
    let text = format!("WITH changed AS ({}) SELECT 1 / count(*) FROM changed", statement.text);
    Statement { text, answer: vec![Scalar::Int], ..statement }
}

impl<'a> Lowering<'a> {
    /// Writes the new value of a column of the one row in scope, as that column keeps it.
    fn assigned(
        &mut self,
        alias: usize,
        table: &'a Table,
        column: usize,
        value: &'a Expression,
    ) -> Result<(), Fault> {
        let scalar = table.columns.get(column).ok_or_else(|| ill_formed("no such column"))?.scalar;
        let outer = std::mem::replace(&mut self.scope, vec![(alias, table)]);
        let outcome = match (self.natural(value, &[]), scalar) {
            (Natural::Is(of), _) if of == scalar => self.any(value, scalar),
            (Natural::Fits(_) | Natural::Unknown, _) => self.any(value, scalar),
            // Computed as a number of the least units; one of those as a factor is exact, as a division would not be.
            (Natural::Is(Scalar::Int), Scalar::Decimal { .. }) => {
                self.sql.push("(");
                self.any(value, Scalar::Int).map(|()| {
                    self.sql.push("::numeric * ");
                    self.constant(&Value::Int(1), scalar);
                    self.sql.push(")");
                })
            }
            (Natural::Is(_), _) => Err(ill_formed("a value as what it is not")),
        };
        self.scope = outer;
        outcome
    }
}

//! What is decided of an answer and not by the statement that asks for it: whether a request may see a row.
//!
//! A statement without such conditions is the same for callers of all roles, and serves them together.

use operation::{Expression, Fault, Join, Scope, Table, Value, truth};

use super::expression::{has_query, ill_formed};
use super::read::{Columns, Source, source_table};

/// What must be true of a row for a request to see it.
#[derive(Debug)]
pub(crate) struct Seen {
    /// True of the row, at depth 0.
    conditions: Vec<Expression>,
    /// The columns that the conditions look at: position in the table, and where it is in the answer.
    looked_at: Vec<(usize, Source)>,
    /// How many columns the table has.
    width: usize,
}

impl Seen {
    /// What must hold of the row of a source; asks for the columns that it looks at.
    pub(super) fn of<'e>(
        columns: &mut Columns<'_>,
        source: usize,
        conditions: impl IntoIterator<Item = &'e Expression>,
    ) -> Result<Self, Fault> {
        let conditions: Vec<Expression> = conditions.into_iter().cloned().collect();
        let width = source_table(columns.read, source)?.columns.len();
        let mut looked_at = Vec::new();
        for condition in &conditions {
            for column in columns_of(condition) {
                let found = columns.column(source, column)?;
                if looked_at.iter().all(|(known, _)| *known != column) {
                    looked_at.push((column, found));
                }
            }
        }
        Ok(Self { conditions, looked_at, width })
    }

    /// The condition of a reference's target, where it is decided of its columns alone and of nothing that a request brings.
    pub(super) fn of_reference(join: &Join) -> Option<&Expression> {
        let condition = &join.condition;
        let mut is_fixed = *condition != Expression::yes() && can_decide(&join.table, condition);
        condition.visit(&mut |e| is_fixed &= !matches!(e, Expression::Bind(_)));
        is_fixed.then_some(condition)
    }

    /// Whether a request with these binds sees the row, whose values are read as they are needed.
    pub fn is_seen(
        &self,
        binds: &[Value],
        value: impl Fn(Source) -> Result<Value, Fault>,
    ) -> Result<bool, Fault> {
        if self.conditions.is_empty() {
            return Ok(true);
        }
        let mut row = vec![Value::Null; self.width];
        for (column, source) in &self.looked_at {
            let place = row.get_mut(*column).ok_or_else(|| ill_formed("no such column"))?;
            *place = value(*source)?;
        }
        let scope = Scope { rows: &[&row], binds, parts: &[], stored: None };
        Ok(self.conditions.iter().all(|condition| truth(condition, &scope) == Ok(true)))
    }
}

/// Whether a condition on a row of a table is decided of that row's columns as an answer has them.
pub(super) fn can_decide(table: &Table, condition: &Expression) -> bool {
    // Tables of others count no versions, and may hold more than their answers tell: a number with more digits, say.
    let of_others = table.version.is_none()
        || columns_of(condition).iter().any(|at| {
            let column = table.columns.get(*at);
            column.is_none_or(|column| column.native.is_some())
        });
    !of_others && !has_query(condition) && !condition.can_fail()
}

fn columns_of(condition: &Expression) -> Vec<usize> {
    let mut all = Vec::new();
    condition.visit(&mut |e| {
        if let Expression::Column { column, .. } = e {
            all.push(*column);
        }
    });
    all
}

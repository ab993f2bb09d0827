//! Forms: how a value stands in a PostgreSQL statement.
//!
//! An expression computes with whole numbers where it means money, days or moments; a PostgreSQL column holds them as
//! `numeric`, `date` or `timestamptz`. A form is the scalar as whose column type a value stands. Columns and binds are
//! compared as what they are, so that indexes serve; where one side is computed, both stand as plain numbers. SQLite
//! stores what expressions compute with, and needs no forms.

use operation::{Aggregate, Expression, NumberKind, Scalar, Table, Value};

use super::expression::Lowering;

/// What an expression is by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Natural {
    /// It has this form.
    Is(Scalar),
    /// It can take any form of the same kind; this one if nobody asks for another.
    Fits(Scalar),
    /// It is null, as far as one can see.
    Unknown,
}

impl Natural {
    /// The form in which both can stand.
    pub fn with(self, other: Self) -> Self {
        match (self, other) {
            (Self::Is(a), Self::Is(b)) if a == b => self,
            (Self::Is(a), Self::Is(_)) => Self::Is(plain(a)),
            (Self::Is(_), _) | (Self::Fits(_), Self::Fits(_) | Self::Unknown) => self,
            (_, Self::Is(_) | Self::Fits(_)) => other,
            (Self::Unknown, Self::Unknown) => Self::Unknown,
        }
    }

    /// The form it takes if nobody asks for another.
    pub fn form(self) -> Scalar {
        match self {
            Self::Is(scalar) | Self::Fits(scalar) => scalar,
            Self::Unknown => Scalar::Text,
        }
    }

    /// The form in which it can be compared: `json` has no order, not even equality.
    pub fn comparable(self) -> Scalar {
        match self.form() {
            Scalar::Json => Scalar::Text,
            form => form,
        }
    }
}

/// The form of the numbers and texts that expressions compute with.
pub(super) fn plain(scalar: Scalar) -> Scalar {
    match scalar {
        Scalar::Int
        | Scalar::Decimal { .. }
        | Scalar::Date
        | Scalar::Time
        | Scalar::Timestamp
        | Scalar::Duration => Scalar::Int,
        Scalar::Text | Scalar::Json => Scalar::Text,
        Scalar::Bool | Scalar::Float | Scalar::Uuid | Scalar::Bytes => scalar,
    }
}

fn of_value(value: &Value) -> Natural {
    match value {
        Value::Null => Natural::Unknown,
        Value::Bool(_) => Natural::Is(Scalar::Bool),
        Value::Int(_) => Natural::Fits(Scalar::Int),
        Value::Float(_) => Natural::Is(Scalar::Float),
        Value::Text(_) => Natural::Fits(Scalar::Text),
        Value::Uuid(_) => Natural::Is(Scalar::Uuid),
        Value::Bytes(_) => Natural::Is(Scalar::Bytes),
    }
}

impl Lowering<'_> {
    /// What an expression is by itself, within the rows in scope and those in `inside`.
    pub(super) fn natural(&self, expression: &Expression, inside: &[&Table]) -> Natural {
        match expression {
            Expression::Literal(value) => of_value(value),
            Expression::Bind(at) => self.bound_natural(*at),
            Expression::Column { depth, column } => {
                let table = match inside.iter().rev().nth(*depth) {
                    Some(table) => Some(*table),
                    None => self.row_at(depth - inside.len()).ok().map(|(_, table)| table),
                };
                let column = table.and_then(|table| table.columns.get(*column));
                column.map_or(Natural::Unknown, |column| Natural::Is(column.scalar))
            }
            Expression::Lookup { table, value, .. } => {
                let mut inside = inside.to_vec();
                inside.push(table);
                self.natural(value, &inside)
            }
            Expression::Aggregate { aggregate, table, body, kind, .. } => match (aggregate, kind) {
                (Aggregate::Any | Aggregate::All, _) => Natural::Is(Scalar::Bool),
                (Aggregate::Count, _) | (Aggregate::Sum, NumberKind::Int) => {
                    Natural::Is(Scalar::Int)
                }
                (Aggregate::Sum, NumberKind::Float) => Natural::Is(Scalar::Float),
                (Aggregate::Min | Aggregate::Max, _) => {
                    let mut inside = inside.to_vec();
                    inside.push(table);
                    match self.natural(body, &inside) {
                        Natural::Is(Scalar::Json) => Natural::Is(Scalar::Text),
                        natural => natural,
                    }
                }
            },
            Expression::Not(_)
            | Expression::IsNull(_)
            | Expression::Compare(..)
            | Expression::And(_)
            | Expression::Or(_)
            | Expression::In(..) => Natural::Is(Scalar::Bool),
            Expression::Arithmetic { kind: NumberKind::Int, .. }
            | Expression::Negate(NumberKind::Int, _)
            | Expression::Rescale { .. }
            | Expression::DivideDecimal { .. } => Natural::Is(Scalar::Int),
            Expression::Arithmetic { kind: NumberKind::Float, .. }
            | Expression::Negate(NumberKind::Float, _)
            | Expression::ToFloat(..) => Natural::Is(Scalar::Float),
            Expression::Call(function, _) => Natural::Is(function.scalar()),
            Expression::If { then, otherwise, .. } => {
                self.natural(then, inside).with(self.natural(otherwise, inside))
            }
            Expression::Coalesce(list) => self.natural_of_all(list, inside),
            Expression::Member { scalar, .. } => Natural::Is(*scalar),
            Expression::Part { .. } => Natural::Unknown,
        }
    }

    /// The form in which all of them can stand.
    pub(super) fn natural_of_all(&self, list: &[Expression], inside: &[&Table]) -> Natural {
        let each = list.iter().map(|item| self.natural(item, inside));
        each.fold(Natural::Unknown, Natural::with)
    }

    fn bound_natural(&self, at: usize) -> Natural {
        if let Some((_, _, scalar)) = self.around(at) {
            return Natural::Is(scalar);
        }
        if let Some((_, scalar)) = self.found_at(at) {
            return Natural::Is(scalar);
        }
        self.hints.get(at).map_or(Natural::Unknown, of_value)
    }
}

/// How many of the least units make one, as SQL: 100 for two fraction digits.
pub(super) fn power_of_ten(digits: u8) -> i64 {
    10_i64.pow(u32::from(digits.min(18)))
}

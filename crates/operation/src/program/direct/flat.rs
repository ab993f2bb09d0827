//! Expressions of steps, written over rows as they were.
//!
//! While a form is made, the column of a row stands as one at the depth of that row's position; nothing else is in scope of what is
//! flat.

use std::sync::Arc;

use super::forming::{Forming, Holds};
use super::obstacle::Reason;
use super::rule::nodes;
use crate::{Aggregate, Expression, Scalar, Table, Value};

/// The largest expression that a row's values and its condition may have, in nodes: what is looked up again and again is
/// written out each time.
pub(super) const LARGEST: usize = 1024;

impl Forming<'_> {
    /// An expression written over rows as they were. `scope`: the rows in scope, the innermost last.
    pub(super) fn flat(
        &mut self,
        expression: &Expression,
        scope: &[usize],
    ) -> Result<Expression, Reason> {
        let flat = self.flatten(expression, scope)?;
        if nodes(&flat) <= LARGEST { Ok(flat) } else { Err(Reason::TooLarge) }
    }

    pub(super) fn flatten(
        &mut self,
        expression: &Expression,
        scope: &[usize],
    ) -> Result<Expression, Reason> {
        match expression {
            Expression::Literal(_) => Ok(expression.clone()),
            Expression::Bind(bind) => match self.holds(*bind)? {
                Holds::Given(value) => Ok(value.clone()),
                Holds::Drawn(bind) => Ok(Expression::Bind(*bind)),
                Holds::Kept(bind) => Ok(Expression::Bind(*bind)),
                Holds::Made(_) | Holds::Part(_) => Err(Reason::FoundByRow),
                Holds::Of(value) => {
                    let value = value.clone();
                    rows_of(&value).into_iter().for_each(|row| self.touch(row));
                    Ok(value)
                }
            },
            Expression::Column { depth, column } => {
                let row = *scope.iter().rev().nth(*depth).ok_or(Reason::NotInSql)?;
                self.touch(row);
                if self.is_stale(row, *column) {
                    return Err(Reason::Parts);
                }
                let turn = self.turn;
                if let Some(row) = self.rows.get_mut(row).filter(|row| row.turn != turn) {
                    row.looked_at_in_turns.push(*column);
                }
                let value = self.rows.get(row).and_then(|row| row.values.get(*column));
                let value = value.cloned().ok_or(Reason::NotInSql)?;
                // It may be another row's by now.
                rows_of(&value).into_iter().for_each(|row| self.touch(row));
                Ok(value)
            }
            Expression::Lookup { table, key, value }
                if **value == Expression::column(table.own_key())
                    && self.drawn_by(key).is_some()
                    && self.stepping.is_none() =>
            {
                self.flatten(key, scope)
            }
            // What is made is there, with all that it draws on, before anything is told.
            Expression::Lookup { table, key, value }
                if self.telling
                    && self.stepping.is_none()
                    && matches!(**value, Expression::Column { depth: 0, .. }) =>
            {
                let Some(made) = self.made_by(key) else {
                    let row = self.row_in(table, key, scope)?;
                    self.touch(row);
                    return self.flatten(value, &[row]);
                };
                // In a later turn it may have more parts, or other ones.
                if self.turn.is_some() && self.turn_of.get(made) != Some(&self.turn) {
                    return Err(Reason::ToldBefore);
                }
                self.looked_at_made = true;
                let key = Box::new(Expression::Bind(made));
                Ok(Expression::Lookup { table: table.clone(), key, value: value.clone() })
            }
            Expression::Lookup { table, key, value } => {
                let row = self.row_in(table, key, scope)?;
                if let Some(Expression::Part { own, .. }) = self.rows.get(row).map(|row| &row.key)
                    && **value == Expression::column(table.own_key())
                {
                    return Ok((**own).clone());
                }
                self.touch(row);
                let mut inside = scope.to_vec();
                inside.push(row);
                self.flatten(value, &inside)
            }
            Expression::Aggregate { depth, .. } => {
                let row = *scope.iter().rev().nth(*depth).ok_or(Reason::NotInSql)?;
                // Its own parts, of one row that is the only one in scope there: they change with it only, which is locked, or go with
                // what they refer to, as they may wherever they are loaded.
                if *depth > 0 {
                    return Err(Reason::NotInSql);
                }
                self.touch(row);
                self.fold(row, expression)
            }
            _ => {
                let mut failed = None;
                let flat = expression.with_children(&mut |child| {
                    self.flatten(child, scope).map_err(|reason| failed = Some(reason)).ok()
                });
                flat.ok_or(failed.unwrap_or(Reason::NotInSql))
            }
        }
    }

    /// An expression over a row as it is now, written over rows as they were.
    pub(super) fn of_row_and_others(
        &mut self,
        row: usize,
        expression: &Expression,
    ) -> Result<Expression, Reason> {
        self.flat(expression, &[row])
    }

    /// Something flat as it stands in the statement about a row: what is another's is looked up there, or before, where that row changes
    /// as well.
    pub(super) fn in_statement_of(
        &mut self,
        row: usize,
        flat: &Expression,
    ) -> Result<Expression, Reason> {
        match flat {
            Expression::Column { depth, .. } | Expression::Aggregate { depth, .. }
                if *depth == row =>
            {
                at_hand(flat).ok_or(Reason::NotInSql)
            }
            Expression::Column { depth, .. } | Expression::Aggregate { depth, .. } => {
                self.looks_around = true;
                let other = self.rows.get(*depth).ok_or(Reason::NotInSql)?;
                if self.stepping.is_none() && (other.target.is_some() || other.goes) {
                    return self.keep_value(flat);
                }
                self.looked_up(flat).ok_or(Reason::NotInSql)
            }
            Expression::Lookup { .. } => {
                self.looks_around = true;
                self.looked_up(flat).ok_or(Reason::NotInSql)
            }
            _ => {
                let mut failed = None;
                let of_one = flat.with_children(&mut |child| {
                    self.in_statement_of(row, child).map_err(|reason| failed = Some(reason)).ok()
                });
                of_one.ok_or(failed.unwrap_or(Reason::NotInSql))
            }
        }
    }

    /// An expression over a row as it is now, written over that row as it was, which no other row takes part in.
    pub(super) fn of_row(
        &mut self,
        row: usize,
        expression: &Expression,
    ) -> Result<Expression, Reason> {
        let flat = self.flat(expression, &[row])?;
        if rows_of(&flat).iter().all(|touched| *touched == row) {
            Ok(flat)
        } else {
            Err(Reason::SeveralRows)
        }
    }

    /// A value of a scalar as a statement of its own can look it up.
    pub(super) fn told(
        &mut self,
        expression: &Expression,
        scalar: Scalar,
    ) -> Result<Expression, Reason> {
        self.telling = true;
        let copied = self.copied(expression, scalar);
        self.telling = false;
        copied
    }

    /// How long something waits, in microseconds, as a statement of its own can look it up.
    pub(super) fn told_delay(&mut self, delay: &Expression) -> Result<Expression, Reason> {
        self.telling = true;
        let flat = self.flat(delay, &[]);
        self.telling = false;
        let flat = flat?;
        self.looked_up(&flat).ok_or(Reason::NotInSql)
    }

    /// The same as a column of that scalar keeps it.
    pub(super) fn copied(
        &mut self,
        expression: &Expression,
        scalar: Scalar,
    ) -> Result<Expression, Reason> {
        let flat = self.flat(expression, &[])?;
        self.copied_flat(flat, scalar)
    }

    pub(super) fn copied_flat(
        &mut self,
        flat: Expression,
        scalar: Scalar,
    ) -> Result<Expression, Reason> {
        if !self.stands_as(&flat, scalar) {
            return Err(Reason::Timed);
        }
        self.looked_up(&flat).ok_or(Reason::NotInSql)
    }

    /// The same with each column looked up in its row.
    pub(super) fn looked_up(&self, flat: &Expression) -> Option<Expression> {
        let (depth, value) = match flat {
            Expression::Column { depth, .. } | Expression::Aggregate { depth, .. } => {
                (depth, Box::new(at_hand(flat)?))
            }
            Expression::Lookup { .. } => return Some(flat.clone()),
            _ => return flat.with_children(&mut |child| self.looked_up(child)),
        };
        let row = self.rows.get(*depth)?;
        let (table, key) = (row.table.clone(), Box::new(row.key.clone()));
        Some(Expression::Lookup { table, key, value })
    }

    /// Whether the database can work out a value as a column of this kind keeps it. It computes with whole numbers, of which it makes
    /// durations, but neither times of day nor objects.
    pub(super) fn stands_as(&self, value: &Expression, scalar: Scalar) -> bool {
        let timed = matches!(scalar, Scalar::Time | Scalar::Json);
        match value {
            Expression::Bind(bind) if timed => {
                let found = self.found.iter().find(|found| found.bind == *bind);
                found.is_none_or(|found| found.scalar == scalar)
            }
            Expression::Literal(_) | Expression::Bind(_) => true,
            Expression::Column { depth, column } => {
                let column = self.rows.get(*depth).and_then(|row| row.table.columns.get(*column));
                column.is_some_and(|column| keeps(column.scalar, scalar))
            }
            Expression::Lookup { table, value, .. } => match **value {
                Expression::Column { column, .. } => {
                    table.columns.get(column).is_some_and(|column| keeps(column.scalar, scalar))
                }
                _ => !timed || is_of(value, &[table], scalar),
            },
            Expression::Member { scalar: of, .. } => keeps(*of, scalar),
            Expression::Aggregate { .. } if timed => is_of(value, &[], scalar),
            Expression::If { then, otherwise, .. } if timed => {
                self.stands_as(then, scalar) && self.stands_as(otherwise, scalar)
            }
            Expression::Coalesce(all) if timed => {
                all.iter().all(|value| self.stands_as(value, scalar))
            }
            _ => !timed,
        }
    }

    /// Whether an expression looks at no row, and names no bind that stands for something of one.
    pub(super) fn knows(&self, expression: &Expression) -> bool {
        let mut known = true;
        expression.visit(&mut |e| {
            known &= match e {
                Expression::Column { .. }
                | Expression::Lookup { .. }
                | Expression::Aggregate { .. } => false,
                Expression::Bind(bind) => !matches!(
                    self.binds.get(*bind),
                    Some(Holds::Of(_) | Holds::Drawn(_) | Holds::Kept(_) | Holds::Part(_))
                ),
                _ => true,
            };
        });
        known
    }

    pub(super) fn must_know(&self, expression: &Expression) -> Result<(), Reason> {
        if self.knows(expression) { Ok(()) } else { Err(Reason::DependsOnRow) }
    }

    /// Whether a value draws on a row that is made.
    pub(super) fn is_made(&self, expression: &Expression) -> bool {
        let mut made = false;
        expression.visit(&mut |e| {
            if let Expression::Bind(bind) = e {
                made |= matches!(self.binds.get(*bind), Some(Holds::Made(_)));
            }
        });
        made
    }

    /// The row of a key, which is known from now on.
    pub(super) fn row(&mut self, table: &Arc<Table>, key: &Expression) -> Result<usize, Reason> {
        self.row_in(table, key, &[])
    }

    /// The same of a key that looks at rows in scope, the innermost last.
    pub(super) fn row_in(
        &mut self,
        table: &Arc<Table>,
        key: &Expression,
        scope: &[usize],
    ) -> Result<usize, Reason> {
        if self.stepping.is_some() {
            return self.row_at_step(table, key, scope);
        }
        let key = self.found_key(table, key, scope)?;
        let (key, turn) = self.key(&key)?;
        let known = self.rows.iter().position(|row| row.table.id == table.id && row.key == key);
        match known {
            Some(row) if self.rows[row].goes => Err(Reason::Gone),
            Some(row) => Ok(row),
            None => self.add_row(table, key, turn),
        }
    }

    /// The bind or constant that a key is, and the loop that fills it in each turn.
    fn key(&self, key: &Expression) -> Result<(Expression, Option<usize>), Reason> {
        if self.found_by(key).is_some() {
            return Ok((key.clone(), None));
        }
        let key = match key {
            Expression::Bind(bind) => match self.holds(*bind)? {
                Holds::Given(key) => key,
                Holds::Drawn(bind) if self.stepping.is_some() => {
                    return Ok((Expression::Bind(*bind), None));
                }
                Holds::Made(_)
                | Holds::Drawn(_)
                | Holds::Of(_)
                | Holds::Kept(_)
                | Holds::Part(_) => return Err(Reason::FoundByRow),
            },
            key => key,
        };
        match key {
            Expression::Bind(bind) => Ok((key.clone(), self.turn_of.get(*bind).copied().flatten())),
            Expression::Literal(value) if *value != Value::Null => Ok((key.clone(), None)),
            _ => Err(Reason::FoundByRow),
        }
    }

    /// The key of a row that was there, as a bind or a constant.
    pub(super) fn flat_key(&self, key: &Expression) -> Result<Expression, Reason> {
        self.key(key).map(|(key, _)| key)
    }

    /// The bind that holds the key of a row that is made, if this is one.
    pub(super) fn made_by(&self, key: &Expression) -> Option<usize> {
        let Expression::Bind(bind) = key else { return None };
        match self.binds.get(*bind)? {
            Holds::Made(made) => *made,
            Holds::Drawn(made) => Some(*made),
            Holds::Given(_) | Holds::Of(_) | Holds::Kept(_) | Holds::Part(_) => None,
        }
    }

    /// The bind that stands for a key which the database counts, if this is one.
    pub(super) fn drawn_by(&self, key: &Expression) -> Option<usize> {
        let Expression::Bind(bind) = key else { return None };
        match self.binds.get(*bind)? {
            Holds::Drawn(drawn) => Some(*drawn),
            _ => None,
        }
    }

    pub(super) fn holds(&self, bind: usize) -> Result<&Holds, Reason> {
        self.binds.get(bind).ok_or(Reason::NotInSql)
    }
}

/// Whether what is kept as one scalar is kept alike as another: a whole number is a decimal without decimal places.
pub(super) fn keeps(as_one: Scalar, as_other: Scalar) -> bool {
    as_one == as_other || (as_one == Scalar::Int && as_other == Scalar::Decimal { scale: 0 })
}

/// Whether a value within rows of these tables is one of a scalar as it stands in columns, or one of several, or the least or greatest of
/// many.
pub(super) fn is_of(value: &Expression, inside: &[&Table], scalar: Scalar) -> bool {
    let within = |table: &Table, value: &Expression| {
        let inside: Vec<&Table> = inside.iter().copied().chain([table]).collect();
        is_of(value, &inside, scalar)
    };
    match value {
        Expression::Literal(_) | Expression::Bind(_) => true,
        Expression::Column { depth, column } => {
            let table = inside.iter().rev().nth(*depth);
            table.and_then(|of| of.columns.get(*column)).is_some_and(|of| keeps(of.scalar, scalar))
        }
        Expression::Lookup { table, value, .. } => within(table, value),
        Expression::Aggregate {
            aggregate: Aggregate::Min | Aggregate::Max, table, body, ..
        } => scalar != Scalar::Json && within(table, body),
        Expression::If { then, otherwise, .. } => {
            is_of(then, inside, scalar) && is_of(otherwise, inside, scalar)
        }
        Expression::Coalesce(all) => all.iter().all(|value| is_of(value, inside, scalar)),
        _ => false,
    }
}

/// The rows that something flat looks at.
pub(super) fn rows_of(flat: &Expression) -> Vec<usize> {
    fn gather(flat: &Expression, rows: &mut Vec<usize>) {
        match flat {
            // Inside a fold stand parts.
            Expression::Column { depth, .. } | Expression::Aggregate { depth, .. } => {
                if !rows.contains(depth) {
                    rows.push(*depth);
                }
            }
            _ => flat.children(&mut |child| gather(child, rows)),
        }
    }
    let mut rows = Vec::new();
    gather(flat, &mut rows);
    rows
}

/// Something flat of one row, with that row at depth 0.
pub(super) fn at_hand(flat: &Expression) -> Option<Expression> {
    match flat {
        Expression::Column { column, .. } => Some(Expression::column(*column)),
        Expression::Aggregate { aggregate, table, body, kind, .. } => {
            let (aggregate, table, body, kind) = (*aggregate, table.clone(), body.clone(), *kind);
            Some(Expression::Aggregate { aggregate, table, depth: 0, body, kind })
        }
        _ => flat.with_children(&mut at_hand),
    }
}

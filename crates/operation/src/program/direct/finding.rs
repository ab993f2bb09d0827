//! Values that only the database knows, and that decide of which row something is, or under which key it is told: they are looked up by
//! statements of their own and kept by the transaction, and from then on a bind stands for each.

use std::sync::Arc;

use super::flat::{LARGEST, rows_of};
use super::forming::{Forming, Holds};
use super::obstacle::Reason;
use super::rule::{either, nodes};
use super::stepping::{MOST, scalar_of_key};
use super::{Finding, Found};
use crate::{Expression, Scalar, Table};

impl Forming<'_> {
    /// The key of a row as a bind or a constant: what stands in rows is looked up.
    pub(super) fn found_key(
        &mut self,
        table: &Arc<Table>,
        key: &Expression,
        scope: &[usize],
    ) -> Result<Expression, Reason> {
        let flat = match key {
            Expression::Literal(_) => return Ok(key.clone()),
            Expression::Bind(bind) => match self.binds.get(*bind) {
                Some(Holds::Of(flat)) => flat.clone(),
                // What decides which of several it is was asked.
                Some(Holds::Given(flat @ Expression::If { .. })) => flat.clone(),
                _ => return Ok(key.clone()),
            },
            key => self.flatten(key, scope)?,
        };
        self.key_of_flat(table, flat)
    }

    /// The row whose key is this, written over rows as they were.
    pub(super) fn row_of(&mut self, table: &Arc<Table>, flat: Expression) -> Result<usize, Reason> {
        let key = self.key_of_flat(table, flat)?;
        self.row(table, &key)
    }

    fn key_of_flat(&mut self, table: &Table, flat: Expression) -> Result<Expression, Reason> {
        match flat {
            Expression::Bind(_) | Expression::Literal(_) => Ok(flat),
            flat => {
                rows_of(&flat).into_iter().for_each(|row| self.touch(row));
                self.find(table, flat)
            }
        }
    }

    /// The bind that stands for the key of a row which stands in others.
    fn find(&mut self, table: &Table, flat: Expression) -> Result<Expression, Reason> {
        self.keep(&flat, scalar_of_key(table)?, Finding::Key)
    }

    /// The bind that stands for a value of a row which changes before the value is asked for.
    pub(super) fn keep_value(&mut self, flat: &Expression) -> Result<Expression, Reason> {
        let scalar = match flat {
            Expression::Column { depth, column } => {
                let column = self.rows.get(*depth).and_then(|row| row.table.columns.get(*column));
                column.ok_or(Reason::NotInSql)?.scalar
            }
            _ => return Err(Reason::SeveralRows),
        };
        self.keep(flat, scalar, Finding::Value)
    }

    /// The bind that stands for the key under which an event is told, or a task, if only the database knows it.
    pub(super) fn told_under(
        &mut self,
        key: Option<&(Expression, Scalar)>,
        event: Option<usize>,
    ) -> Result<Option<usize>, Reason> {
        let Some((key, scalar)) = key else { return Ok(None) };
        if let Some(drawn) = self.drawn_by(key) {
            return Ok(Some(drawn));
        }
        if self.knows(key) {
            return Ok(None);
        }
        if self.stepping.is_some() {
            // That of a part is nobody else's either.
            return match self.flat(key, &[])? {
                Expression::Bind(own) if self.drawn.iter().any(|(drawn, _)| *drawn == own) => {
                    Ok(Some(own))
                }
                _ => self.keep_text(key, *scalar, event).map(Some),
            };
        }
        self.telling = true;
        let flat = self.flat(key, &[]);
        self.telling = false;
        let flat = flat?;
        if !self.stands_as(&flat, *scalar) {
            return Err(Reason::Timed);
        }
        match self.keep(&flat, Scalar::Text, Finding::Text(*scalar))? {
            Expression::Bind(bind) => Ok(Some(bind)),
            _ => Err(Reason::DependsOnRow),
        }
    }

    fn keep(
        &mut self,
        flat: &Expression,
        scalar: Scalar,
        what: Finding,
    ) -> Result<Expression, Reason> {
        if what == Finding::Key && !self.stands_as(flat, scalar) {
            return Err(Reason::Timed);
        }
        if !self.is_one(flat, what) {
            return Err(match what {
                Finding::Key => Reason::FoundByRow,
                Finding::Value => Reason::SeveralRows,
                Finding::Text(_) => Reason::DependsOnRow,
            });
        }
        let value = self.looked_up(flat).ok_or(Reason::NotInSql)?;
        let same = |found: &&Found| found.value == value && found.what == what;
        if let Some(known) = self.found.iter().find(same) {
            return Ok(Expression::Bind(known.bind));
        }
        if self.found.len() == MOST || nodes(&value) > LARGEST {
            return Err(Reason::TooLarge);
        }
        let bind = self.program.filled.len() + 1 + self.found.len();
        self.found.push(Found { bind, scalar, value, what });
        Ok(Expression::Bind(bind))
    }

    /// Whether something flat is one value, however often loops turn, and is there when it is looked up.
    fn is_one(&self, flat: &Expression, what: Finding) -> bool {
        let is_one_bind = |bind: usize| {
            let turns = self.turn_of.get(bind).copied().flatten().is_some();
            let drawn = self.drawn.iter().any(|(drawn, _)| *drawn == bind);
            !turns && !drawn
        };
        match flat {
            Expression::Column { depth, .. } | Expression::Aggregate { depth, .. } => {
                let row = self.rows.get(*depth);
                let mut is_one = row.is_some_and(|row| row.turn.is_none() && !row.made);
                flat.visit(&mut |e| {
                    if let Expression::Bind(bind) = e {
                        is_one &= is_one_bind(*bind);
                    }
                });
                is_one
            }
            Expression::Bind(bind) => is_one_bind(*bind),
            // A row that is made.
            Expression::Lookup { key, .. } => {
                matches!(what, Finding::Text(_)) && self.is_one(key, what)
            }
            _ => {
                let mut is_one = true;
                flat.children(&mut |child| is_one &= self.is_one(child, what));
                is_one
            }
        }
    }

    /// Which of what is looked up a key is.
    pub(super) fn found_by(&self, key: &Expression) -> Option<usize> {
        let Expression::Bind(bind) = key else { return None };
        self.found.iter().position(|found| found.bind == *bind)
    }

    /// Whether the key of a row is looked up.
    pub(super) fn is_found(&self, row: usize) -> bool {
        self.rows.get(row).is_some_and(|row| row.found.is_some())
    }

    /// Notes, once all rows are known, what must be true of those that are found: they are the same behind the locks, and none of them is
    /// another one that changes.
    pub(super) fn insist_on_found(&mut self) -> Result<(), Reason> {
        let mut conditions = Vec::new();
        for found in self.found.iter().filter(|found| found.what == Finding::Key) {
            conditions.push(is_same(&Expression::Bind(found.bind), &found.value));
        }
        for (at, row) in self.rows.iter().enumerate() {
            for other in self.rows.iter().skip(at + 1) {
                let changes = [row, other].iter().any(|row| row.target.is_some() || row.goes);
                let found = row.found.is_some() || other.found.is_some();
                if row.table.id != other.table.id || !changes || !found || row.made || other.made {
                    continue;
                }
                // Those are many, or their key is known later.
                let key = Expression::Bind(self.program.filled.len());
                if [row, other].iter().any(|row| row.turn.is_some() || row.key == key) {
                    return Err(Reason::FoundByRow);
                }
                let (a, b) = (&row.key, &other.key);
                let differ = Expression::Not(Box::new(Expression::equal(a.clone(), b.clone())));
                conditions.push(Expression::Coalesce(vec![differ, Expression::yes()]));
                self.may_alias = true;
            }
        }
        for condition in conditions {
            self.insist(condition, Vec::new())?;
        }
        Ok(())
    }
}

/// Whether two values are equal, or neither is there.
fn is_same(a: &Expression, b: &Expression) -> Expression {
    let nothing = |of: &Expression| Expression::IsNull(Box::new(of.clone()));
    let neither = Expression::all([nothing(a), nothing(b)]);
    either(&nothing(a), &neither, &Expression::equal(a.clone(), b.clone()))
}

//! What steps have made of rows, as far as that follows from what was asked: a branch that draws on no more is decided before anything is
//! sent. A computed field is worked out from its formula: it draws on its own row and parts alone, and of parts nothing is known.

use std::sync::Arc;

use super::flat::LARGEST;
use super::forming::{Forming, Holds};
use super::obstacle::Reason;
use super::rule::nodes;
use crate::program::{Creation, Fill, Place};
use crate::{Expression, Table, TableId};

/// What stands in a column of a row behind a step that made or changed it.
#[derive(Clone, PartialEq)]
pub(super) struct Decided {
    table: TableId,
    /// Its key, or the bind that stands for it. Two that differ may still be those of one row.
    key: Expression,
    column: usize,
    value: Expression,
}

/// The rows that an expression is about, outermost first: the table and the key of each.
type Scope<'s> = &'s [(&'s Arc<Table>, Expression)];

impl Forming<'_> {
    /// An expression over what was asked alone that says the same as this one; `None`, where it draws on anything else, or would be too large.
    pub(super) fn decided(&self, expression: &Expression) -> Option<Expression> {
        self.decided_in(expression, &[], &mut { LARGEST })
    }

    /// The same of a condition that decides; `None`, where it is known as it is written.
    pub(super) fn decides(&self, condition: &Expression) -> Result<Option<Expression>, Reason> {
        if self.knows(condition) {
            return Ok(None);
        }
        self.decided(condition).map(Some).ok_or(Reason::DependsOnRow)
    }

    /// `room`: how many nodes it may have.
    fn decided_in(
        &self,
        expression: &Expression,
        scope: Scope<'_>,
        room: &mut usize,
    ) -> Option<Expression> {
        *room = room.checked_sub(1)?;
        match expression {
            Expression::Bind(bind) => match self.binds.get(*bind)? {
                Holds::Given(value) => fits(value, room),
                Holds::Of(value) if self.knows(value) => fits(value, room),
                _ => None,
            },
            Expression::Column { depth, column } => {
                let at = scope.len().checked_sub(depth + 1)?;
                let (table, key) = scope.get(at)?;
                self.decided_column(table, key, *column, room)
            }
            Expression::Lookup { table, key, value } => {
                let key = match self.decided_in(key, scope, room) {
                    Some(key) => key,
                    None => self.stand_in(key)?,
                };
                // Something was made of it, so that it is there.
                self.decided.iter().find(|of| of.table == table.id && of.key == key)?;
                let mut inside = scope.to_vec();
                inside.push((table, key));
                self.decided_in(value, &inside, room)
            }
            Expression::Aggregate { .. } | Expression::Part { .. } => None,
            _ => expression.with_children(&mut |child| self.decided_in(child, scope, room)),
        }
    }

    fn decided_column(
        &self,
        table: &Arc<Table>,
        key: &Expression,
        column: usize,
        room: &mut usize,
    ) -> Option<Expression> {
        let of = |decided: &&Decided| {
            decided.table == table.id && decided.key == *key && decided.column == column
        };
        if let Some(decided) = self.decided.iter().find(of) {
            return fits(&decided.value, room);
        }
        // What others store in other words is not what was worked out.
        table.columns.get(column).filter(|column| column.native.is_none())?;
        let targets = self.program.targets.iter().map(|target| &target.target);
        let mut computed = targets.flat_map(|target| {
            let of_root = (target.table.id == table.id).then_some(&target.computed);
            let parts = target.parts.iter().filter(|part| part.table.id == table.id);
            of_root.into_iter().chain(parts.map(|part| &part.computed)).flatten()
        });
        let computed = computed.find(|computed| computed.column == column)?;
        self.decided_in(&computed.expression, &[(table, key.clone())], room)
    }

    /// What a key that only the database knows is told apart by.
    fn stand_in(&self, key: &Expression) -> Option<Expression> {
        let Expression::Bind(bind) = key else { return None };
        Some(match self.binds.get(*bind)? {
            Holds::Kept(bind) | Holds::Drawn(bind) | Holds::Made(Some(bind)) => {
                Expression::Bind(*bind)
            }
            Holds::Given(value) => value.clone(),
            Holds::Made(None) => return None,
            Holds::Of(_) | Holds::Part(_) => key.clone(),
        })
    }

    /// Notes what an update makes of a row. Any other of its table may be the same one, so that the columns that are set are no more known of
    /// any.
    pub(super) fn decide_update(
        &mut self,
        place: Place,
        key: &Expression,
        set: &[(usize, Expression)],
    ) {
        let Some(table) = self.program.table(place) else { return };
        let key = self.decided(key).or_else(|| self.stand_in(key));
        let row = key.clone().map(|key| (table, key));
        let decide = |value| self.decided_in(value, row.as_slice(), &mut { LARGEST });
        let values: Vec<_> = set.iter().map(|(at, value)| (*at, decide(value))).collect();
        let is_set = |column| set.iter().any(|(at, _)| *at == column);
        self.decided.retain(|of| of.table != table.id || !is_set(of.column));
        let Some(key) = key else { return };
        let values = values.into_iter().filter_map(|(at, value)| Some((at, value?)));
        self.note_decided(table, &key, values);
    }

    /// Notes what a new row holds.
    pub(super) fn decide_creation(&mut self, creation: &Creation) {
        let Some(table) = self.program.table(creation.row) else { return };
        let Some(bind) = creation.bind.map(Expression::Bind) else { return };
        let Some(key) = self.stand_in(&bind) else { return };
        let values = creation.values.iter().enumerate().filter_map(|(at, fill)| match fill {
            Fill::Value(value) => Some((at, self.decided(value)?)),
            _ => None,
        });
        let values: Vec<_> = values.collect();
        self.note_decided(table, &key, values.into_iter());
    }

    fn note_decided(
        &mut self,
        table: &Arc<Table>,
        key: &Expression,
        values: impl Iterator<Item = (usize, Expression)>,
    ) {
        // What others store in other words is not what was said.
        let is_plain = |at: usize| table.columns.get(at).is_some_and(|of| of.native.is_none());
        let values = values.filter(|(at, _)| is_plain(*at));
        self.decided.extend(values.map(|(column, value)| {
            let (table, key) = (table.id, key.clone());
            Decided { table, key, column, value }
        }));
    }
}

fn fits(value: &Expression, room: &mut usize) -> Option<Expression> {
    *room = room.checked_sub(nodes(value))?;
    Some(value.clone())
}

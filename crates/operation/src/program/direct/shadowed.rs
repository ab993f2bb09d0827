//! Branches that ask for rows which the command has made, step by step: what was asked decides them as well, as long as nothing that they draw on
//! stands in other rows. Who runs the command keeps such rows in memory, and decides over those.

use std::sync::Arc;

use super::decided::fits;
use super::flat::LARGEST;
use super::forming::{Forming, Holds};
use crate::program::{Creation, Fill, Step, any_step};
use crate::{Expression, Table, TableId};

/// The rows in scope, the innermost last: of what table, and the key of one that may have changed since it was made. Those that are kept are
/// as they were made.
type Scope<'s> = &'s [(&'s Arc<Table>, Option<Expression>)];

impl<'p> Forming<'p> {
    /// A condition over rows that are made in this turn, with what is computed in them written out; `None`, where it draws on anything else.
    pub(super) fn over_made(&mut self, condition: &Expression) -> Option<Expression> {
        let stands = self.stepping.is_some() && !self.loses_rows();
        let over_made =
            stands.then(|| self.made_in_scope(condition, &[], &mut { LARGEST })).flatten()?;
        self.keeps_made = true;
        Some(over_made)
    }

    /// Notes which columns of a new row are not known, and by what it is named.
    pub(super) fn note_unknown(&mut self, creation: &Creation) {
        let Some(table) = self.program.table(creation.row) else { return };
        for (at, fill) in creation.values.iter().enumerate() {
            let is_known = match fill {
                Fill::Value(value) => self.knows(value),
                Fill::Uuid | Fill::Computed => true,
                Fill::Root | Fill::Counted | Fill::Position => false,
            };
            let is_plain = table.columns.get(at).is_some_and(|column| column.native.is_none());
            if !(is_known && is_plain) {
                self.unknown.push((table.id, at));
            }
        }
        let named = creation.bind.filter(|_| creation.root.is_none());
        let made = named.and_then(|bind| match self.binds.get(bind)? {
            Holds::Given(Expression::Bind(made)) | Holds::Drawn(made) => Some(*made),
            _ => None,
        });
        self.made_here.extend(made.map(|made| (table.id, made)));
    }

    /// `room`: how many nodes it may have.
    fn made_in_scope(
        &self,
        expression: &Expression,
        scope: Scope<'_>,
        room: &mut usize,
    ) -> Option<Expression> {
        *room = room.checked_sub(1)?;
        match expression {
            Expression::Bind(bind) => match self.binds.get(*bind)? {
                Holds::Given(value) => Some(value.clone()),
                _ => None,
            },
            Expression::Column { depth, column } => {
                let (table, changed) = scope.iter().rev().nth(*depth)?;
                if let Some(key) = changed
                    && self.formula(table, *column).is_none()
                {
                    let decided = self.fact(table, key, *column).filter(|of| !of.names)?;
                    return fits(&decided.value, room);
                }
                if self.unknown.contains(&(table.id, *column)) {
                    return None;
                }
                match self.formula(table, *column) {
                    None => Some(expression.clone()),
                    Some(formula) if *depth == 0 => self.made_in_scope(formula, scope, room),
                    Some(_) => None,
                }
            }
            Expression::Lookup { table, key, value } => {
                let Expression::Bind(bind) = **key else { return None };
                let made = match self.binds.get(bind)? {
                    Holds::Given(Expression::Bind(made)) | Holds::Drawn(made) => *made,
                    _ => return None,
                };
                // What is made of it in another turn may be made behind this.
                let is_of_turn = self.made_here.contains(&(table.id, made))
                    && self.turn_of.get(made) == Some(&self.turn);
                if !is_of_turn || self.may_be_mistaken(table.id) {
                    return None;
                }
                let key = Expression::Bind(made);
                let changed = self.changed.contains(&table.id).then(|| key.clone());
                let inside = [scope, &[(table, changed)]].concat();
                let value = Box::new(self.made_in_scope(value, &inside, room)?);
                Some(Expression::Lookup { table: table.clone(), key: Box::new(key), value })
            }
            Expression::Aggregate { aggregate, table, depth: 0, kind, body }
                if !scope.is_empty()
                    && !self.changed.contains(&table.id)
                    && self.has_made_roots(table.id) =>
            {
                let inside = [scope, &[(table, None)]].concat();
                let body = Box::new(self.made_in_scope(body, &inside, room)?);
                let (aggregate, table, kind) = (*aggregate, table.clone(), *kind);
                Some(Expression::Aggregate { aggregate, table, depth: 0, kind, body })
            }
            Expression::Aggregate { .. } | Expression::Part { .. } | Expression::Member { .. } => {
                None
            }
            _ => expression.with_children(&mut |child| self.made_in_scope(child, scope, room)),
        }
    }

    /// Whether what stands for the counted key of a new row may be the key that another one is given.
    fn may_be_mistaken(&self, table: TableId) -> bool {
        let (mut counted, mut given) = (false, false);
        any_step(&self.program.body, &mut |step| {
            if let Step::Create(creation) = step
                && let Some(of) = self.program.table(creation.row).filter(|of| of.id == table)
            {
                let own = creation.values.get(of.own_key());
                counted |= matches!(own, Some(Fill::Counted));
                given |= matches!(own, Some(Fill::Value(_)));
            }
            false
        });
        counted && given
    }

    /// Whether all parts of a kind that the program makes, wherever, are of roots that it makes, and named so: parts of others might be taken for
    /// those of one that is made.
    fn has_made_roots(&self, part: TableId) -> bool {
        let mut roots = Vec::new();
        any_step(&self.program.body, &mut |step| {
            if let Step::Create(Creation { root: None, bind: Some(bind), .. }) = step {
                roots.push(*bind);
            }
            false
        });
        !any_step(&self.program.body, &mut |step| {
            let Step::Create(Creation { root: Some(root), row, .. }) = step else { return false };
            let is_made = matches!(root, Expression::Bind(bind) if roots.contains(bind));
            !is_made && self.program.table(*row).is_none_or(|of| of.id == part)
        })
    }

    /// Whether rows may go, or be changed by what nobody sees.
    fn loses_rows(&self) -> bool {
        any_step(&self.program.body, &mut |step| {
            matches!(step, Step::Delete { .. } | Step::Code { .. })
        })
    }
}

/// Whether it is folded over parts.
pub(super) fn folds(value: &Expression) -> bool {
    let mut folds = false;
    value.visit(&mut |e| folds |= matches!(e, Expression::Aggregate { .. }));
    folds
}

//! What steps have made of rows, as far as that follows from what was asked: a branch that draws on no more is decided before anything is
//! sent. A computed field is worked out from its formula: it draws on its own row and parts alone, and of parts nothing is known.

use std::sync::Arc;

use super::flat::LARGEST;
use super::forming::{Forming, Holds};
use super::obstacle::Reason;
use super::rule::{either, nodes};
use crate::program::{Creation, Fill, Place, ProgramTarget, Step, any_step};
use crate::{Arithmetic, Expression, ForeignKey, NumberKind, OnDelete, Table, TableId, Value};

/// What stands in a column of a row behind a step that made or changed it.
#[derive(Clone)]
pub(super) struct Decided {
    table: Arc<Table>,
    /// Its key, or what stands for it: a bind, or what it is found by. Two that differ may still be those of one row.
    key: Expression,
    column: usize,
    pub(super) value: Expression,
    /// Whether that only stands for the key of a row.
    pub(super) names: bool,
    /// Whether the row may have gone: then it cannot be worked out.
    may_be_gone: bool,
}

impl Decided {
    /// Whether both are about one column of a row.
    fn is_beside(&self, other: &Self) -> bool {
        self.table.id == other.table.id && self.column == other.column && self.key == other.key
    }

    /// Whether it is of a row that is found by what stands in a column for which this holds.
    fn is_found_by(&self, column_is: &dyn Fn(&Table, usize) -> bool) -> bool {
        let mut found = false;
        self.key.visit(&mut |e| {
            if let Expression::Lookup { table, value, .. } = e
                && let Expression::Column { column, .. } = **value
            {
                found |= column_is(table, column);
            }
        });
        found
    }
}

/// The rows that an expression is about, outermost first: the table and the key of each.
type Scope<'s> = &'s [(&'s Arc<Table>, Expression)];

impl<'p> Forming<'p> {
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
                // Nothing was made of any row of it.
                self.decided.iter().find(|of| of.table.id == table.id)?;
                let key = self.key_of(key, scope, room)?;
                // Something was made of it, so that it is there.
                self.decided.iter().find(|of| of.table.id == table.id && of.key == key)?;
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
        if let Some(decided) = self.fact(table, key, column) {
            return fits(&decided.value, room).filter(|_| !decided.names);
        }
        // What others store in other words is not what was worked out, and a row that has gone holds nothing.
        table.columns.get(column).filter(|column| column.native.is_none())?;
        let is_of_row = |of: &Decided| of.table.id == table.id && of.key == *key;
        if self.decided.iter().any(|of| is_of_row(of) && of.may_be_gone) {
            return None;
        }
        let formula = self.formula(table, column)?;
        self.decided_in(formula, &[(table, key.clone())], room)
    }

    pub(super) fn fact(&self, table: &Table, key: &Expression, column: usize) -> Option<&Decided> {
        let is_it =
            |of: &&Decided| of.table.id == table.id && of.column == column && of.key == *key;
        self.decided.iter().find(is_it)
    }

    /// What a computed column of a row that the program writes is worked out by.
    pub(super) fn formula(&self, table: &Table, column: usize) -> Option<&'p Expression> {
        let targets = self.program.targets.iter().map(|target| &target.target);
        let mut computed = targets.flat_map(|target| {
            let of_root = (target.table.id == table.id).then_some(&target.computed);
            let parts = target.parts.iter().filter(|part| part.table.id == table.id);
            of_root.into_iter().chain(parts.map(|part| &part.computed)).flatten()
        });
        let computed = computed.find(|computed| computed.column == column)?;
        Some(&computed.expression)
    }

    /// What a key is, or what it is told apart by where only the database knows it.
    fn key_of(&self, key: &Expression, scope: Scope<'_>, room: &mut usize) -> Option<Expression> {
        *room = room.checked_sub(1)?;
        let (table, key, column) = match key {
            Expression::Bind(bind) => {
                return Some(match self.binds.get(*bind)? {
                    Holds::Kept(bind) | Holds::Drawn(bind) | Holds::Made(Some(bind)) => {
                        Expression::Bind(*bind)
                    }
                    Holds::Given(value) | Holds::Of(value) => value.clone(),
                    Holds::Made(None) => return None,
                    Holds::Part(row) => self.rows.get(*row)?.key.clone(),
                });
            }
            Expression::Column { depth, column } => {
                let at = scope.len().checked_sub(depth + 1)?;
                let (table, key) = scope.get(at)?;
                (*table, key.clone(), *column)
            }
            Expression::Lookup { table, key, value } => match **value {
                Expression::Column { depth: 0, column } => {
                    (table, self.key_of(key, scope, room)?, column)
                }
                _ => return self.decided_in(key, scope, room),
            },
            _ => return self.decided_in(key, scope, room),
        };
        if let Some(decided) = self.fact(table, &key, column) {
            return fits(&decided.value, room);
        }
        // What it is found by, as long as that is not changed, which is seen of what is set only.
        if self.is_worked_out(table, column) {
            return self.decided_column(table, &key, column, room);
        }
        let (key, value) = (Box::new(key), Box::new(Expression::column(column)));
        Some(Expression::Lookup { table: table.clone(), key, value })
    }

    /// Whether a column may change when it is not set: what rows lose that a deletion clears is worked out again in any table.
    fn is_worked_out(&self, table: &Table, column: usize) -> bool {
        let is_reference = table.foreign_keys.iter().any(|key| key.column == column);
        !is_reference
            || self.formula(table, column).is_some()
            || (self.deletes()
                && self.program.targets.iter().all(|of| of.target.table.id != table.id))
    }

    fn stand_in(&self, key: &Expression) -> Option<Expression> {
        self.key_of(key, &[], &mut { LARGEST })
    }

    /// Whether two keys are surely those of two rows: one is of a row that is made here, under a key that is nobody else's, and the other one was
    /// asked for, or is of another such row.
    fn are_apart(&self, one: &Expression, other: &Expression) -> bool {
        let is_asked = |key: &Expression| match key {
            Expression::Literal(_) => true,
            Expression::Bind(bind) => self.is_asked.get(*bind).copied().unwrap_or_default(),
            _ => false,
        };
        let is_fresh = |key: &Expression| self.fresh.contains(key);
        one != other
            && ((is_fresh(one) && (is_fresh(other) || is_asked(other)))
                || (is_fresh(other) && is_asked(one)))
    }

    /// Notes what an update makes of a row. Any other of its table may be the same one, so that the columns that are set are no more known of
    /// any that is not surely another.
    pub(super) fn decide_update(
        &mut self,
        place: Place,
        key: &Expression,
        set: &[(usize, Expression)],
    ) {
        let Some(table) = self.program.table(place) else { return };
        let key = self.stand_in(key);
        let row = key.clone().map(|key| (table, key));
        let decide = |value| match self.decided_in(value, row.as_slice(), &mut { LARGEST }) {
            Some(value) => Some((value, false)),
            None => Some((self.stand_in(value)?, true)),
        };
        let values: Vec<_> = set.iter().map(|(at, value)| (*at, decide(value))).collect();
        let others = key.as_ref().map(|key| self.either_of(table, key, set)).unwrap_or_default();
        self.forget_set(table.id, key.as_ref(), set);
        let is_forgotten = |of: &Decided| self.decided.iter().all(|known| !known.is_beside(of));
        let others: Vec<_> = others.into_iter().filter(is_forgotten).collect();
        self.decided.extend(others);
        let Some(key) = key else { return };
        let values = values.into_iter().filter_map(|(at, value)| Some((at, value?)));
        self.note_decided(table, &key, values);
    }

    /// What columns hold of other rows, known by their keys, when those of one are set: it may be the same row, which is known when it is run.
    fn either_of(
        &self,
        table: &Arc<Table>,
        key: &Expression,
        set: &[(usize, Expression)],
    ) -> Vec<Decided> {
        if !is_told_apart(table) || !self.is_known(key) {
            return Vec::new();
        }
        let of_table = self.decided.iter().filter(|of| {
            of.table.id == table.id && of.key != *key && !of.names && self.is_known(&of.key)
        });
        let either_of = of_table.filter_map(|of| {
            let (_, value) = set.iter().find(|(at, _)| *at == of.column)?;
            let row = [(table, of.key.clone())];
            let as_this = self.decided_in(value, &row, &mut { LARGEST })?;
            let is_this = Expression::equal(of.key.clone(), key.clone());
            let value = either(&is_this, &as_this, &of.value);
            (nodes(&value) <= LARGEST).then(|| Decided { value, ..of.clone() })
        });
        either_of.collect()
    }

    /// Forgets what columns are set over, of rows that may be the one of this key.
    fn forget_set(
        &mut self,
        table: TableId,
        key: Option<&Expression>,
        set: &[(usize, Expression)],
    ) {
        let is_set =
            |of: &Table, column: usize| of.id == table && set.iter().any(|(at, _)| *at == column);
        let mut all = std::mem::take(&mut self.decided);
        all.retain(|of| {
            let is_another = || key.is_some_and(|key| self.are_apart(key, &of.key));
            !of.is_found_by(&is_set) && (!is_set(&of.table, of.column) || is_another())
        });
        self.decided = all;
    }

    /// Forgets what goes, or is cleared, with a row of a target; `key`: it, where it is known which one.
    pub(super) fn forget_gone(&mut self, place: Place, key: Option<&Expression>) {
        let key = key.and_then(|key| self.stand_in(key));
        let Some(ProgramTarget { target, along, .. }) = self.program.targets.get(place.target)
        else {
            return self.decided.clear();
        };
        let parts = target.parts.iter().map(|part| &part.table);
        let is_alone = place.part.is_none() && along.iter().all(|of| of.id != target.table.id);
        let gone: Vec<TableId> = match place.part.and_then(|part| target.parts.get(part)) {
            Some(part) => vec![part.table.id],
            None => {
                let all = along.iter().chain(parts).map(|table| table.id);
                all.chain([target.table.id]).collect()
            }
        };
        let cleared = |table: &Table, column: usize| {
            let clears = |key: &&ForeignKey| {
                key.column == column
                    && key.on_delete == OnDelete::Clear
                    && gone.contains(&key.target)
            };
            table.foreign_keys.iter().find(clears).map(|key| key.target)
        };
        let is_lost = |table: &Table, column: usize| {
            gone.contains(&table.id) || cleared(table, column).is_some()
        };
        // Which row goes is known when it is run: no other one goes with it.
        let known =
            key.filter(|key| is_alone && self.is_known(key) && is_told_apart(&target.table));
        let after = |of: &Decided| {
            let mut of = of.clone();
            if of.is_found_by(&is_lost) {
                return None;
            }
            if gone.contains(&of.table.id) {
                let known = known.as_ref().filter(|_| of.table.id == target.table.id)?;
                if !self.are_apart(known, &of.key) {
                    // What is asked of a row that has gone is refused, as it is where that is sent.
                    let is_this = Expression::equal(of.key.clone(), known.clone());
                    let is_sent = self.stepping.is_some() && self.is_known(&of.key) && !of.names;
                    of.value = is_sent.then(|| either(&is_this, &failing(), &of.value))?;
                    of.may_be_gone = true;
                }
            }
            if let Some(to) = cleared(&of.table, of.column)
                && of.value != Expression::Literal(Value::Null)
            {
                // Of what goes along it is not known which rows these are.
                let known = known.as_ref().filter(|_| to == target.table.id && !of.names)?;
                let is_this = Expression::equal(of.value.clone(), known.clone());
                of.value = either(&is_this, &Expression::Literal(Value::Null), &of.value);
            }
            (nodes(&of.value) <= LARGEST).then_some(of)
        };
        let left = self.decided.iter().filter_map(after).collect();
        self.decided = left;
    }

    /// Whether a key is known when the command is run, as it is: the row is told apart from another by it.
    fn is_known(&self, key: &Expression) -> bool {
        match key {
            Expression::Literal(_) => true,
            Expression::Bind(bind) => {
                *bind < self.program.filled.len()
                    && self.drawn.iter().all(|(drawn, _)| drawn != bind)
            }
            _ => false,
        }
    }

    /// Forgets what steps may change, which are carried out any number of times, or not to the end.
    pub(super) fn forget_steps(&mut self, steps: &[Step]) {
        any_step(steps, &mut |step| {
            match step {
                Step::Update { row, set, .. } => match self.program.table(*row) {
                    Some(table) => self.forget_set(table.id, None, set),
                    None => self.decided.clear(),
                },
                Step::Delete { row, .. } => self.forget_gone(*row, None),
                Step::Code { .. } => self.decided.clear(),
                _ => {}
            }
            false
        });
    }

    /// Takes together what either of two branches leaves: `then`, and what is known now.
    pub(super) fn join_decided(&mut self, decides: Option<&Expression>, then: Vec<Decided>) {
        let otherwise = std::mem::take(&mut self.decided);
        let joined = then.into_iter().filter_map(|of| {
            let other = otherwise.iter().find(|other| other.is_beside(&of))?;
            if other.value == of.value && other.names == of.names {
                return Some(of);
            }
            if other.names || of.names {
                return None;
            }
            let value = either(decides?, &of.value, &other.value);
            let may_be_gone = of.may_be_gone || other.may_be_gone;
            (nodes(&value) <= LARGEST).then_some(Decided { value, may_be_gone, ..of })
        });
        self.decided = joined.collect();
    }

    fn deletes(&self) -> bool {
        any_step(&self.program.body, &mut |step| {
            matches!(step, Step::Delete { .. } | Step::Code { .. })
        })
    }

    /// Notes what a new row holds.
    pub(super) fn decide_creation(&mut self, creation: &Creation) {
        let Some(table) = self.program.table(creation.row) else { return };
        let Some(bind) = creation.bind.map(Expression::Bind) else { return };
        let Some(key) = self.stand_in(&bind) else { return };
        // What is made under a key that was given may take the place of a row that went.
        let own = creation.values.get(table.own_key());
        let is_new = matches!(own, Some(Fill::Uuid | Fill::Counted)) || !self.deletes();
        if is_new && !self.fresh.contains(&key) {
            self.fresh.push(key.clone());
        }
        let values = creation.values.iter().enumerate().filter_map(|(at, fill)| match fill {
            Fill::Value(value) => match self.decided(value) {
                Some(value) => Some((at, (value, false))),
                None => Some((at, (self.stand_in(value)?, true))),
            },
            _ => None,
        });
        let values: Vec<_> = values.collect();
        self.note_decided(table, &key, values.into_iter());
    }

    fn note_decided(
        &mut self,
        table: &Arc<Table>,
        key: &Expression,
        values: impl Iterator<Item = (usize, (Expression, bool))>,
    ) {
        // What others store in other words is not what was said.
        let is_plain = |at: usize| table.columns.get(at).is_some_and(|of| of.native.is_none());
        for (column, (value, names)) in values.filter(|(at, _)| is_plain(*at)) {
            // What a row is found by may be changed, what is kept of it not.
            let is_kept = matches!(value, Expression::Bind(_))
                && table.foreign_keys.iter().any(|key| key.column == column);
            if names && !is_kept {
                continue;
            }
            let (table, key, may_be_gone) = (table.clone(), key.clone(), false);
            let decided = Decided { table, key, column, value, names, may_be_gone };
            self.decided.retain(|of| !of.is_beside(&decided));
            self.decided.push(decided);
        }
    }
}

/// Whether two keys of a table that differ are those of two rows: what others store in other words may be alike in more than one way.
fn is_told_apart(table: &Table) -> bool {
    table.columns.get(table.own_key()).is_some_and(|own| own.native.is_none())
}

/// What cannot be worked out.
fn failing() -> Expression {
    let number = |number| Box::new(Expression::Literal(Value::Int(number)));
    let (operation, kind) = (Arithmetic::Divide, NumberKind::Int);
    Expression::Arithmetic { operation, kind, left: number(1), right: number(0) }
}

/// A value, where there is room for it.
pub(super) fn fits(value: &Expression, room: &mut usize) -> Option<Expression> {
    *room = room.checked_sub(nodes(value))?;
    Some(value.clone())
}

//! Rows that change, and parts that are made and have a name. Such a part is found by its root and its own key; what is done to it changes
//! its root, too.

use super::Finding;
use super::forming::{Forming, Holds, Row};
use super::making::{add_to_layers, draws_on, of_row_and_parts, stands_as};
use super::obstacle::Reason;
use super::rule::{evaluates, transition, unless_false};
use super::stepping::{has_enough, has_no_gap, scalar_of_key};
use crate::program::{Bound, Creation, Place};
use crate::{Computed, Expression};

impl Forming<'_> {
    /// A row that changes.
    pub(super) fn update(
        &mut self,
        place: Place,
        key: &Expression,
        set: &[(usize, Expression)],
        bounds: &[Bound],
    ) -> Result<usize, Reason> {
        let program = self.program;
        let target = program.targets.get(place.target).ok_or(Reason::NotInSql)?;
        let part = match place.part {
            Some(part) => Some(target.target.parts.get(part).ok_or(Reason::NotInSql)?),
            None => None,
        };
        let table = part.map_or(&target.target.table, |part| &part.table);
        let at = match (place.part, &self.stepping) {
            (Some(_), None) => return Err(Reason::Parts),
            (Some(_), Some(_)) => self.deed_of_part(place, key)?,
            (None, Some(_)) => self.deed(place.target, key)?,
            (None, None) => self.row(table, key)?,
        };
        let row = self.rows.get_mut(at).ok_or(Reason::NotInSql)?;
        if part.is_none() {
            row.target = Some(place.target);
        }
        if row.turn != self.turn {
            return Err(Reason::OutsideOfLoop);
        }
        if !row.adds.is_empty() {
            return Err(Reason::Parts);
        }
        let mut values = Vec::with_capacity(set.len());
        let mut conditions = Vec::new();
        for (column, value) in set {
            let scalar = table.columns.get(*column).ok_or(Reason::NotInSql)?.scalar;
            if table.key.contains(column) {
                return Err(Reason::SetsKey);
            }
            if self.is_made(value) {
                return Err(Reason::FoundByRow);
            }
            let flat = self.of_row_and_others(at, value)?;
            if !self.stands_as(&flat, scalar) {
                return Err(Reason::Timed);
            }
            // What is set before is worked out, also where something else takes its place; where it must be there, it is.
            let before = self.value_of(at, *column)?;
            let nullable = table.columns.get(*column).ok_or(Reason::NotInSql)?.nullable;
            if nullable && before.can_fail() && !evaluates(&flat, &before) {
                self.evaluate(&before)?;
            }
            self.note_set(at, *column, &flat);
            values.push((*column, flat));
        }
        for flow in part.map_or(&target.target.flows, |part| &part.flows) {
            if let Some((_, new)) = values.iter().find(|(column, _)| *column == flow.column) {
                let old = self.value_of(at, flow.column)?;
                let nullable = table.columns.get(flow.column).ok_or(Reason::NotInSql)?.nullable;
                conditions.extend(transition(flow, &old, new, nullable));
            }
        }
        for (column, value) in values {
            self.set(at, column, value)?;
        }
        let changed = set.iter().map(|(column, _)| *column).collect();
        conditions.extend(self.work_out(at, place, changed)?);
        // What is known is held to its bounds before the statement is sent.
        for (column, value) in set {
            if self.knows(value) {
                continue;
            }
            let nullable = table.columns.get(*column).ok_or(Reason::NotInSql)?.nullable;
            conditions.extend(self.within_bounds(at, (*column, nullable), bounds)?);
        }
        conditions.into_iter().try_for_each(|condition| self.demand(at, condition))?;
        Ok(at)
    }

    /// Works out what draws on columns of a row that have changed; told is what must be true of a part. Of a root that is looked at once all
    /// is done.
    fn work_out(
        &mut self,
        at: usize,
        place: Place,
        mut changed: Vec<usize>,
    ) -> Result<Vec<Expression>, Reason> {
        let target = self.program.targets.get(place.target).ok_or(Reason::NotInSql)?;
        let part = place.part.and_then(|part| target.target.parts.get(part));
        let table = part.map_or(&target.target.table, |part| &part.table);
        let all = part.map_or(&target.target.computed, |part| &part.computed);
        for (nth, computed) in all.iter().enumerate() {
            let draws = |column: &usize| match part {
                Some(_) => draws_on(&computed.expression, *column, 0),
                None => target.computed.get(nth).is_some_and(|it| it.columns.contains(column)),
            };
            if changed.iter().any(draws) {
                let scalar = table.columns.get(computed.column).ok_or(Reason::NotInSql)?.scalar;
                match self.once_set(at, &computed.expression)? {
                    Some(value) if !self.stands_as(&value, scalar) => return Err(Reason::Timed),
                    Some(value) => self.set(at, computed.column, value)?,
                    None => self.compute_later(at, computed)?,
                }
                changed.push(computed.column);
            }
        }
        let mut conditions = Vec::new();
        for check in part.iter().flat_map(|part| &part.checks) {
            if changed.iter().any(|column| draws_on(&check.expression, *column, 0)) {
                match self.once_set(at, &check.expression)? {
                    Some(check) => conditions.extend(unless_false(check)),
                    None => self.rule_later(at, &check.expression)?,
                }
            }
        }
        Ok(conditions)
    }

    /// A rule about a row as it will be, over the row as it was; `None` where it would be too large, or draws on something that is: step by step
    /// it is worked out once the columns are set.
    pub(super) fn once_set(
        &mut self,
        at: usize,
        rule: &Expression,
    ) -> Result<Option<Expression>, Reason> {
        let row = self.rows.get(at).ok_or(Reason::NotInSql)?;
        let later = |(column, _): &(usize, Expression)| draws_on(rule, *column, 0);
        if row.layers.iter().flatten().any(later) {
            return Ok(None);
        }
        match self.of_row_and_others(at, rule) {
            Err(Reason::TooLarge) if self.stepping.is_some() => Ok(None),
            over => over.map(Some),
        }
    }

    /// Has a column computed once others are set.
    fn compute_later(&mut self, at: usize, computed: &Computed) -> Result<(), Reason> {
        let row = self.rows.get_mut(at).ok_or(Reason::NotInSql)?;
        let scalar = row.table.columns.get(computed.column).ok_or(Reason::NotInSql)?.scalar;
        let value = of_row_and_parts(&computed.expression).ok_or(Reason::TooLarge)?;
        if row.table.columns.iter().any(|column| column.native.is_some()) {
            return Err(Reason::TooLarge);
        }
        if !stands_as(&value, &row.table, scalar) {
            return Err(Reason::Timed);
        }
        add_to_layers(&mut row.layers, computed.column, value);
        Ok(())
    }

    /// Has something be true of a row once its columns are set and computed.
    pub(super) fn rule_later(&mut self, at: usize, rule: &Expression) -> Result<(), Reason> {
        let rule = of_row_and_parts(rule).ok_or(Reason::TooLarge)?;
        let row = self.rows.get_mut(at).ok_or(Reason::NotInSql)?;
        row.rules.extend(unless_false(rule));
        Ok(())
    }

    /// That what a column becomes, which only the database knows, is within its bounds.
    fn within_bounds(
        &mut self,
        at: usize,
        (column, nullable): (usize, bool),
        bounds: &[Bound],
    ) -> Result<Vec<Expression>, Reason> {
        let mut rules = Vec::new();
        for bound in bounds.iter().filter(|bound| bound.column == column) {
            let rule = bound.rule.as_ref().ok_or(Reason::Bound)?;
            rules.push(self.of_row_and_others(at, rule)?);
        }
        let rule = Expression::all(rules);
        Ok(if nullable {
            unless_false(rule)
        } else if rule == Expression::yes() {
            let value = self.value_of(at, column)?;
            vec![Expression::Not(Box::new(Expression::IsNull(Box::new(value))))]
        } else {
            // Of nothing no bound is true.
            vec![rule]
        })
    }

    pub(super) fn value_of(&self, row: usize, column: usize) -> Result<Expression, Reason> {
        let value = self.rows.get(row).and_then(|row| row.values.get(column));
        value.cloned().ok_or(Reason::NotInSql)
    }

    fn set(&mut self, row: usize, column: usize, value: Expression) -> Result<(), Reason> {
        let row = self.rows.get_mut(row).ok_or(Reason::NotInSql)?;
        *row.values.get_mut(column).ok_or(Reason::NotInSql)? = value;
        if !row.set.contains(&column) {
            row.set.push(column);
        }
        Ok(())
    }

    /// Gives a part a name that is made at a step: it is found by the key of its root and by its own, which is kept (`own`) where only the
    /// database knows it.
    pub(super) fn name_part(
        &mut self,
        creation: &Creation,
        (root, own): (usize, Option<usize>),
        values: Vec<Option<Expression>>,
    ) -> Result<(), Reason> {
        let Some(bind) = creation.bind else { return Ok(()) };
        let of = self.rows.get(root).ok_or(Reason::NotInSql)?;
        let table = self.program.table(creation.row).ok_or(Reason::NotInSql)?;
        let root = match of.key.clone() {
            key @ (Expression::Bind(_) | Expression::Literal(_)) => key,
            // Another row may be found so later.
            key => {
                let scalar = scalar_of_key(&of.table)?;
                Expression::Bind(self.keep_now(key, scalar, Finding::Value)?)
            }
        };
        let own = Expression::Bind(own.unwrap_or(bind));
        let key = Expression::Part { root: Box::new(root), own: Box::new(own) };
        self.note_made(table, key.clone(), values)?;
        let at = self.rows.len();
        let row = Row::untouched(at, table, key, self.turn);
        self.rows.push(Row { made: true, ..row });
        self.hold(bind, Holds::Part(at))
    }

    /// The row that stands for a part that is made, if this names one.
    pub(super) fn part_by(&self, key: &Expression) -> Option<usize> {
        let Expression::Bind(bind) = key else { return None };
        match self.binds.get(*bind)? {
            Holds::Part(row) => Some(*row),
            _ => None,
        }
    }

    /// What a part becomes at one step, and its root with it.
    fn deed_of_part(&mut self, place: Place, key: &Expression) -> Result<usize, Reason> {
        let program = self.program;
        let target = program.targets.get(place.target).ok_or(Reason::NotInSql)?;
        let table = program.table(place).ok_or(Reason::NotInSql)?;
        let row = self.row(table, key)?;
        let key = self.rows.get(row).ok_or(Reason::NotInSql)?.key.clone();
        let Expression::Part { root, .. } = &key else { return Err(Reason::Parts) };
        let root = self.row_by_key(&target.target.table, (**root).clone())?;
        let at = self.add_deed(table, key, true);
        let root = self.deed_of(place.target, root)?;
        self.rows.get_mut(root).ok_or(Reason::NotInSql)?.adds.extend(place.part);
        self.note_root(at, root)?;
        Ok(at)
    }

    /// A part that goes; its root must have enough of them left.
    pub(super) fn delete_part(&mut self, place: Place, key: &Expression) -> Result<usize, Reason> {
        let at = self.deed_of_part(place, key)?;
        let target = self.program.targets.get(place.target).ok_or(Reason::NotInSql)?;
        let part = place.part.and_then(|part| target.target.parts.get(part));
        let root = self.stepping.as_ref().and_then(|stepping| stepping.root_of(at));
        let root = root.ok_or(Reason::NotInSql)?;
        // Of one whose key is known that is looked at in the end.
        let is_found = self.rows.get(root).is_some_and(|row| row.site.is_some());
        let few = part.filter(|part| part.minimum > 0 && is_found);
        let few = few.map(|part| has_enough(part, root));
        // Others would move up.
        let last = part.filter(|part| part.positional).map(|part| has_no_gap(part, root));
        let row = self.rows.get_mut(root).ok_or(Reason::NotInSql)?;
        row.conditions.extend(few.into_iter().chain(last));
        self.rows.get_mut(at).ok_or(Reason::NotInSql)?.goes = true;
        Ok(at)
    }
}

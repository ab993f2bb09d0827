//! Steps that make, change and delete rows: in the workset only.

use std::borrow::Cow;
use std::sync::Arc;

use operation::{
    Bound, Creation, Expression, Fault, FaultCode, Fill, Ident, Place, ProgramTarget, Table,
    TableId, Value, Violation,
};
use smallvec::SmallVec;

use super::super::change::{Change, Pointer, compute, field_of, transitions};
use super::super::delete::still_referenced;
use super::super::workset::{Loss, Values};
use super::super::{self as write, Failure};
use super::{Database, Running, Wanted, bounded, ill_formed, said_of};

impl<D: Database> Running<'_, '_, D> {
    pub(super) async fn create_row(&mut self, creation: &Creation) -> Result<(), Fault> {
        self.create_row_but(creation, &|_| false).await.map(drop)
    }

    /// The same, but for columns that only the database knows: they stay empty. Answers its primary key.
    pub(super) async fn create_row_but(
        &mut self,
        creation: &Creation,
        unknown: &dyn Fn(usize) -> bool,
    ) -> Result<Vec<Value>, Fault> {
        let program = self.program;
        let table = self.table(creation.row)?;
        let target =
            program.targets.get(creation.row.target).ok_or_else(|| ill_formed("no such target"))?;
        let root = match &creation.root {
            Some(root) => {
                let root = self.value(root, None).await?;
                self.demand([
                    Wanted::Row(target.target.table.clone(), root.clone()),
                    Wanted::Parts(table.clone(), root.clone()),
                ])
                .await?;
                Some(root)
            }
            None => None,
        };
        let mut row = Vec::with_capacity(creation.values.len());
        for (at, fill) in creation.values.iter().enumerate() {
            row.push(match fill {
                _ if unknown(at) => Value::Null,
                Fill::Value(value) => self.value(value, None).await?,
                Fill::Uuid => Value::Uuid(uuid::Uuid::now_v7().into_bytes()),
                Fill::Counted => Box::pin(self.draw(&table)).await?,
                Fill::Position => self.position(&table, root.as_ref()),
                Fill::Root => root.clone().unwrap_or_default(),
                Fill::Computed => Value::Null,
            });
        }
        let known = |column| {
            !matches!(creation.values.get(column), Some(Fill::Computed)) && !unknown(column)
        };
        look_at_values(&table, &row, known, &creation.bounds)?;
        bounded(self.rows.count + 1)?;
        self.look_at_what_may_go(&table, &row).await?;
        let own = table.key.iter().map(|at| row.get(*at).cloned().unwrap_or_default()).collect();
        let bind = match root {
            None => {
                let key = row.get(table.own_key()).cloned().unwrap_or_default();
                self.look_whether_left(&table, &key)?;
                if !self.rows.add(&table, key.clone(), row) {
                    return Err(taken(&table));
                }
                for part in &target.target.parts {
                    self.rows.no_parts(&part.table, &key);
                }
                self.mark(creation.row.target, &key);
                key
            }
            Some(root) => {
                self.compute_part(creation.row, &root, &mut row)?;
                let number = self.rows.add_part(&table, &root, row);
                self.mark_part(creation.row.target, &table, &root);
                Value::Int(number)
            }
        };
        if let Some(at) = creation.bind {
            self.fill(at, bind);
        }
        Ok(own)
    }

    /// Refuses to put a row in the place of one that has gone, and that another row was given to refer to before.
    fn look_whether_left(&self, table: &Table, key: &Value) -> Result<(), Fault> {
        if !self.rows.is_gone(table, key) {
            return Ok(());
        }
        let Some((by, column)) = self.rows.referring(table, key) else { return Ok(()) };
        let found = still_referenced(&table.entity, field_of(by, column), &by.entity);
        Err(Fault::Conflict(said_of(table, vec![found])))
    }

    /// Works out the computed columns of a part; its root must be there.
    fn compute_part(&self, place: Place, root: &Value, row: &mut [Value]) -> Result<(), Fault> {
        let target = self.program.targets.get(place.target);
        let target = &target.ok_or_else(|| ill_formed("no such target"))?.target;
        let around = self.rows.root(&target.table, root).and_then(|row| row.new.as_deref());
        let around = around.ok_or_else(|| missing(&target.table))?;
        let Some(part) = place.part.and_then(|at| target.parts.get(at)) else { return Ok(()) };
        compute(&part.computed, row, &[around], &self.binds, &Vec::new(), |_| String::new())
    }

    /// The next number of a counted key. They are drawn ahead, more each time, so that few statements do; or it is only said the
    /// how manieth of those it is that are drawn with all else.
    pub(super) async fn draw(&mut self, table: &Arc<Table>) -> Result<Value, Fault> {
        let column = table.auto.ok_or_else(|| ill_formed("a key that nobody counts"))?;
        if let Some(counted) = &mut self.counted {
            return Ok(Value::Int(match counted.iter_mut().find(|(of, _)| of.id == table.id) {
                Some((_, many)) => {
                    *many += 1;
                    *many - 1
                }
                None => {
                    counted.push((table.clone(), 1));
                    0
                }
            }));
        }
        let (waiting, last) = self.drawn.entry(table.id).or_default();
        if waiting.is_empty() {
            let many = if *last == 0 { 1 } else { 16 };
            let drawn = self.writing.database.draw(table, column, *last, many).await;
            let drawn = drawn.map_err(Failure::into_fault)?;
            *last = drawn.last().copied().unwrap_or(*last);
            waiting.extend(drawn);
        }
        let number = waiting.pop_front().ok_or_else(|| ill_formed("no number was drawn"))?;
        Ok(Value::Int(number))
    }

    /// The place behind the last part.
    fn position(&self, table: &Table, root: Option<&Value>) -> Value {
        let own = table.own_key();
        let parts = root.map_or(&[][..], |root| self.rows.parts_of(table, root));
        let rows = parts.iter().filter_map(|part| part.new.as_ref().or(part.old.as_ref()));
        let last = rows.filter_map(|row| row.get(own)?.as_int()).max();
        Value::Int(last.unwrap_or(0) + 1)
    }

    pub(super) async fn update_row(
        &mut self,
        place: Place,
        key: &Expression,
        set: &[(usize, Expression)],
        bounds: &[Bound],
    ) -> Result<(), Fault> {
        let table = self.table(place)?;
        let key = self.value(key, None).await?;
        // The row is taken as it is once what it is computed from has been looked at: what is set is set in that.
        let mut before = self.current(place, &table, &key).await?;
        if self.draws_on_dirty(place, &key, set) {
            self.compute().await?;
            before = self.current(place, &table, &key).await?;
        }
        let mut values: SmallVec<[Value; 4]> = SmallVec::with_capacity(set.len());
        for (_, value) in set {
            values.push(self.value(value, Some(&before)).await?);
        }
        // A state that is not set stays, and needs no row to be compared with.
        let flows = self.program.flows(place);
        let moves = flows.iter().any(|flow| set.iter().any(|(column, _)| *column == flow.column));
        let mut after = before.clone();
        let slots = Arc::make_mut(&mut after);
        for ((column, _), value) in set.iter().zip(values) {
            *slots.get_mut(*column).ok_or_else(|| ill_formed("no such column"))? = value;
        }
        look_at_values(&table, &after, |column| set.iter().any(|(c, _)| *c == column), bounds)?;
        self.look_at_what_may_go(&table, &after).await?;
        if moves {
            self.look_at_flows(place, &table, set, (before.to_vec(), &after))?;
        }
        let changed = set.iter().map(|(column, _)| *column);
        match place.part {
            None => {
                if let Some(row) = self.rows.root_mut(&table, &key) {
                    row.new = Some(after);
                    row.changed.extend(changed.clone());
                    row.ever_changed.extend(changed);
                }
                self.rows.write(&table, &key);
                self.mark(place.target, &key);
            }
            Some(_) => {
                let root = self.rows.part(&key).map(|(root, _)| root.clone()).unwrap_or_default();
                self.compute_part(place, &root, Arc::make_mut(&mut after))?;
                if let Some(part) = self.rows.part_mut(&key) {
                    part.new = Some(after);
                }
                self.mark_part(place.target, &table, &root);
            }
        }
        Ok(())
    }

    /// Loads what a row comes to refer to, where that may go along with another: if it has gone, that is known before.
    async fn look_at_what_may_go(&mut self, table: &Table, row: &[Value]) -> Result<(), Fault> {
        if self.program.may_go_along.is_empty() {
            return Ok(());
        }
        self.rows.want_what_may_go(table, Some(row));
        self.demand([]).await
    }

    /// Whether what is set draws on computed columns that are to be worked out again.
    fn draws_on_dirty(&self, place: Place, key: &Value, set: &[(usize, Expression)]) -> bool {
        if self.dirty.is_empty() {
            return false;
        }
        let own = place.part.is_none()
            && self.dirty.iter().any(|(target, dirty)| *target == place.target && dirty == key);
        let target = self.program.targets.get(place.target).filter(|_| own);
        let computed = target.map_or(&[][..], |target| &target.target.computed);
        set.iter().any(|(_, value)| {
            let mut draws = self.looks_at_dirty(value);
            value.visit(&mut |e| {
                if let Expression::Column { depth: 0, column } = e {
                    draws |= computed.iter().any(|computed| computed.column == *column);
                }
            });
            draws
        })
    }

    /// Transitions that no flow has. Who sets a state says that it changes: a command that finds it set already has been run
    /// before, and what else it does would be done twice.
    fn look_at_flows(
        &self,
        place: Place,
        table: &Table,
        set: &[(usize, Expression)],
        (before, after): (Vec<Value>, &[Value]),
    ) -> Result<(), Fault> {
        let flows = self.program.flows(place);
        let mut found = Vec::new();
        for flow in flows {
            let (old, new) = (before.get(flow.column), after.get(flow.column));
            let (Some(Value::Text(old)), true) = (old, old == new) else { continue };
            let stays = |(from, to): &(Box<str>, Vec<Box<str>>)| {
                **from == **old && to.iter().any(|state| **state == **old)
            };
            if set.iter().any(|(column, _)| *column == flow.column)
                && !flow.transitions.iter().any(stays)
            {
                let field = field_of(table, flow.column);
                let detail = format!("`{field}` is `{old}` already");
                found.push(Violation::at(FaultCode::IllegalTransition, "", detail));
            }
        }
        let change = Change {
            place: write::Place { target: self.program.id, at: 0, table },
            pointer: Pointer::Body,
            old: Some(before),
            new: Some(Cow::Borrowed(after)),
            named: Cow::default(),
        };
        transitions(&change, flows, &mut found);
        if found.is_empty() { Ok(()) } else { Err(Fault::Invalid(said_of(table, found))) }
    }

    pub(super) async fn delete_row(&mut self, place: Place, key: &Expression) -> Result<(), Fault> {
        let program = self.program;
        let table = self.table(place)?;
        let key = self.value(key, None).await?;
        self.current(place, &table, &key).await?;
        if place.part.is_some() {
            let root = self.rows.part(&key).map(|(root, _)| root.clone()).unwrap_or_default();
            if let Some(part) = self.rows.part_mut(&key) {
                part.new = None;
            }
            self.mark_part(place.target, &table, &root);
            return Ok(());
        }
        let target =
            program.targets.get(place.target).ok_or_else(|| ill_formed("no such target"))?;
        let parts = target.target.parts.iter();
        let wanted: Vec<Wanted> =
            parts.map(|part| Wanted::Parts(part.table.clone(), key.clone())).collect();
        self.demand(wanted).await?;
        for part in &target.target.parts {
            let parts = self.rows.parts_of(&part.table, &key).iter();
            let numbers: Vec<Value> = parts.map(|part| Value::Int(part.number)).collect();
            for number in numbers {
                if let Some(part) = self.rows.part_mut(&number) {
                    part.new = None;
                }
            }
        }
        self.rows.delete(&table, &key);
        self.rows.write(&table, &key);
        self.rows.want_all_that_may_lose();
        self.demand([]).await?;
        self.mark_lost()?;
        Ok(())
    }

    /// Notes what is to be worked out again of rows that have lost something since; whether there are any.
    pub(super) fn mark_lost(&mut self) -> Result<bool, Fault> {
        let mut any = false;
        for loss in self.rows.take_lost() {
            let is_of = |of: &ProgramTarget| match &loss {
                Loss::Root(table, ..) => of.target.table.id == *table,
                Loss::Part(table, _) => of.target.parts.iter().any(|it| it.table.id == *table),
            };
            // What draws on nothing that a deletion empties is no target for that alone.
            let Some(at) = self.program.targets.iter().position(is_of) else { continue };
            match loss {
                Loss::Root(_, key, column) => {
                    let table = &self.program.targets[at].target.table;
                    if let Some(row) = self.rows.root_mut(table, &key) {
                        row.changed.push(column);
                        row.ever_changed.push(column);
                    }
                    self.mark(at, &key);
                }
                Loss::Part(table, root) => self.mark_lost_parts(at, table, &root)?,
            }
            any = true;
        }
        Ok(any)
    }

    fn mark_lost_parts(&mut self, target: usize, part: TableId, root: &Value) -> Result<(), Fault> {
        let rules = &self.program.targets[target].target;
        let at = rules.parts.iter().position(|of| of.table.id == part);
        let Some((at, of)) = at.and_then(|at| Some((at, rules.parts.get(at)?))) else {
            return Ok(());
        };
        let numbers: Vec<Value> = self
            .rows
            .parts_of(&of.table, root)
            .iter()
            .filter(|part| part.new.is_some())
            .map(|part| Value::Int(part.number))
            .collect();
        for number in numbers.iter().filter(|_| !of.computed.is_empty()) {
            let row = self.rows.part(number).and_then(|(_, part)| part.new.clone());
            let Some(mut row) = row else { continue };
            let place = Place { target, part: Some(at) };
            self.compute_part(place, root, Arc::make_mut(&mut row))?;
            if let Some(part) = self.rows.part_mut(number) {
                part.new = Some(row);
            }
        }
        self.note_parts(target, part, root);
        self.mark(target, root);
        Ok(())
    }

    /// Notes that parts of a root have changed.
    fn note_parts(&mut self, target: usize, part: TableId, root: &Value) {
        let table = &self.program.targets[target].target.table;
        if let Some(row) = self.rows.root_mut(table, root) {
            for changed in [&mut row.parts_changed, &mut row.parts_ever_changed] {
                if !changed.contains(&part) {
                    changed.push(part);
                }
            }
        }
    }

    /// A row as it is now; there must be one.
    async fn current(
        &mut self,
        place: Place,
        table: &Arc<Table>,
        key: &Value,
    ) -> Result<Values, Fault> {
        let row = if place.part.is_some() {
            let root = self.rows.part(key).map(|(root, _)| root.clone()).unwrap_or_default();
            let target = self.program.targets.get(place.target);
            let target = target.ok_or_else(|| ill_formed("no such target"))?;
            self.demand([Wanted::Row(target.target.table.clone(), root)]).await?;
            self.rows.part(key).and_then(|(_, part)| part.new.clone())
        } else {
            // A step before looked at it, as a rule.
            if self.rows.root(table, key).is_none() {
                self.demand([Wanted::Row(table.clone(), key.clone())]).await?;
            }
            self.rows.root(table, key).and_then(|row| row.new.clone())
        };
        row.ok_or_else(|| missing(table))
    }

    /// Whether the database may have changed rows of a table by itself, since others were deleted.
    pub(super) fn has_reached(&self, table: &Table) -> bool {
        let (tables, references) = self.writing.database.tables();
        self.program.targets.iter().any(|target| {
            let of = &target.target.table;
            let is_it = |reached: &Ident| {
                let root = || tables.part_and_root(reached).map(|(_, root)| root.name.clone());
                *reached == table.name || root().as_ref() == Some(&table.name)
            };
            self.rows.has_gone(of) && references.reached(&of.name).iter().any(is_it)
        })
    }

    /// Notes that computed columns of a root are to be worked out again.
    fn mark(&mut self, target: usize, root: &Value) {
        let computed = self.program.targets.get(target).map(|target| &target.target.computed);
        if computed.is_none_or(|computed| computed.is_empty()) {
            return;
        }
        if !self.dirty.iter().any(|(at, key)| *at == target && key == root) {
            self.dirty.push((target, root.clone()));
        }
    }

    /// The same where one of its parts has changed.
    fn mark_part(&mut self, target: usize, part: &Table, root: &Value) {
        let Some(of) = self.program.targets.get(target).map(|target| &target.target.table) else {
            return;
        };
        self.note_parts(target, part.id, root);
        self.rows.write(of, root);
        self.mark(target, root);
    }
}

/// A row whose key another has.
pub(super) fn taken(table: &Table) -> Fault {
    let detail = format!("another {} has this key; choose another", table.entity);
    Fault::Conflict(vec![Violation::at(FaultCode::NotUnique, "", detail)])
}

/// A row that a step changes and that is not there.
fn missing(table: &Table) -> Fault {
    let detail = format!("the {} that this is about does not exist", table.entity);
    Fault::Invalid(vec![Violation::at(FaultCode::UnknownReference, "", detail)])
}

/// Values that their columns cannot take.
pub(super) fn look_at_values(
    table: &Table,
    row: &[Value],
    of: impl Fn(usize) -> bool,
    bounds: &[Bound],
) -> Result<(), Fault> {
    let mut found = Vec::new();
    for (at, (column, value)) in table.columns.iter().zip(row).enumerate() {
        if of(at) && value.is_null() && !column.nullable {
            let detail = format!("`{}` must have a value", field_of(table, at));
            found.push(Violation::at(FaultCode::CheckFailed, "", detail));
        }
    }
    for Bound { column, holds, message, .. } in bounds {
        let value = row.get(*column).unwrap_or(&Value::Null);
        if !value.is_null() && !holds(value) {
            found.push(Violation::at(FaultCode::CheckFailed, "", &**message));
        }
    }
    if found.is_empty() { Ok(()) } else { Err(Fault::Invalid(said_of(table, found))) }
}

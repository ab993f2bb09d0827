//! Changes of roots and of their parts.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use operation::{
    Edit, Expression, Fault, FaultCode, Guard, PartChange, PartRow, PartTarget, Scope, SetColumn,
    Table, Target, Value, Violation,
};

use super::change::{
    Change, PartRows, Pointer, broken, check_row, compute, count_parts, field_of, rules,
    transitions,
};
use super::counted::draws_on_counted;
use super::{Database, Failure, Left, Place, Writing};
use crate::lower::ill_formed;

/// The parts of one kind, as they will be.
struct Kept {
    /// Position in the target's list.
    part: usize,
    rows: Vec<Vec<Value>>,
}

impl<D: Database> Writing<'_, D> {
    pub(super) async fn edit(&mut self, edit: &Edit) -> Result<Left, Fault> {
        let target = &*edit.target;
        let place = Place { target: target.id, at: 0, table: &target.table };
        let old = self.seen(place, &target.visible, &edit.key, &edit.binds).await?;
        if !self.allows(&edit.guard, place.table, &old, &edit.binds, &[]).await? {
            return Err(forbidden(place, "change"));
        }
        let version = expected(place, &old, edit.expected.as_deref())?;

        let mut found = Vec::new();
        frozen(target, &old, &edit.set, &mut found);
        let mut new = old.clone();
        assign(&mut new, &edit.set)?;
        if let Some(column) = place.table.version {
            *new.get_mut(column).ok_or_else(|| ill_formed("no such column"))? =
                Value::Int(version + 1);
        }
        let mut changes = Vec::new();
        let mut kept = Vec::new();
        for (at, change) in &edit.parts {
            self.change_parts(edit, *at, change, &mut changes, &mut kept, &mut found).await?;
        }
        self.compute_parts(target, &new, &edit.binds, &mut changes, &mut kept)?;
        self.load_parts(target, &edit.key, &mut kept).await?;
        let parts = part_rows(target, &kept);
        let name = |column| Pointer::Body.field(field_of(place.table, column));
        compute(&target.computed, &mut new, &[], &edit.binds, &parts, name)?;

        let named = edit.set.iter().filter(|set| set.named).map(|set| set.column).collect();
        let root = Change {
            place,
            pointer: Pointer::Body,
            old: Some(old),
            new: Some(Cow::Owned(new)),
            named: Cow::Owned(named),
        };
        changes.insert(0, root);

        let mut later = Vec::new();
        for (at, change) in changes.iter().enumerate() {
            let (Some(row), Some(root)) = (&change.new, &changes[0].new) else { continue };
            let rules = rules(target, change.place.at);
            transitions(change, rules.flows, &mut found);
            let rows: &[&[Value]] = if change.place.at == 0 { &[row] } else { &[root, row] };
            let scope = Scope { rows, binds: &edit.binds, parts: &parts, stored: None };
            let mut ask = Vec::new();
            check_row(rules.checks, change.pointer, &scope, &mut found, &mut ask)?;
            later.extend(ask.into_iter().map(|check| (at, check)));
        }
        self.invisible(target, &changes, &edit.binds, &mut found).await?;
        if !found.is_empty() {
            return Err(self.diagnose(target, &changes, found, "").await);
        }
        match self.apply(&mut changes).await {
            Ok(()) => {}
            Err(Failure::Fault(fault)) => return Err(fault),
            Err(Failure::Constraint(reason)) => {
                self.database.undo().await?;
                return Err(self.diagnose(target, &changes, found, &reason).await);
            }
        }
        let Some(new) = changes[0].new.as_deref().map(<[Value]>::to_vec) else {
            return Err(ill_formed("no root"));
        };
        if !self.allows(&edit.guard_after, place.table, &new, &edit.binds, &parts).await? {
            return Err(forbidden(place, "change it so that it is no longer yours to change:"));
        }
        for (at, check) in later {
            if self.fails(&changes[at], &check.expression, &edit.binds).await? {
                found.push(broken(check, changes[at].pointer));
            }
        }
        if !found.is_empty() {
            return Err(Fault::Invalid(found));
        }
        // Where no versions are counted there is none now, either.
        let version = if place.table.version.is_some() { version + 1 } else { 0 };
        self.reply(edit, &changes, new, version).await
    }

    /// The row with this key, if the caller may see it.
    pub(super) async fn seen(
        &mut self,
        place: Place<'_>,
        visible: &Guard,
        key: &Value,
        binds: &[Value],
    ) -> Result<Vec<Value>, Fault> {
        let row = self.rows(place, &[place.table.own_key()], &[key]).await?.pop();
        let row = row.ok_or(Fault::NotFound)?;
        if self.allows(visible, place.table, &row, binds, &[]).await? {
            Ok(row)
        } else {
            Err(Fault::NotFound)
        }
    }

    async fn change_parts<'t>(
        &mut self,
        edit: &'t Edit,
        at: usize,
        change: &'t PartChange,
        changes: &mut Vec<Change<'t>>,
        kept: &mut Vec<Kept>,
        found: &mut Vec<Violation>,
    ) -> Result<(), Fault> {
        let target = &*edit.target;
        let part = target.parts.get(at).ok_or_else(|| ill_formed("no such part"))?;
        let place = Place { target: target.id, at: at + 1, table: &part.table };
        let root = part.table.root.ok_or_else(|| ill_formed("a part without a root"))?;
        let before = self.rows(place, &[root], &[&edit.key]).await?;
        let changing = Changing { part, place, root: &edit.key, root_column: root };
        let first = changes.len();
        match change {
            PartChange::Replace(rows) => changing.replace(&before, rows, changes, found),
            PartChange::Add(row) => changing.add(&before, row, changes),
            PartChange::Set { key, set } => changing.set(&before, key, set, changes)?,
            PartChange::Remove { key } => changing.remove(&before, key, changes)?,
        }
        if draws_on_counted(target) {
            let new = changes[first..].iter_mut().filter_map(|change| change.new.as_mut());
            self.count_keys(&part.table, new.map(|row| row.to_mut())).await?;
        }
        let mut rows = before;
        for change in &changes[first..] {
            if let Some(old) = &change.old {
                rows.retain(|row| !same_key(&part.table, row, old));
            }
        }
        rows.extend(
            changes[first..]
                .iter()
                .filter_map(|change| change.new.as_deref().map(<[Value]>::to_vec)),
        );
        count_parts(part, rows.len(), found);
        kept.push(Kept { part: at, rows });
        Ok(())
    }

    fn compute_parts(
        &self,
        target: &Target,
        root: &[Value],
        binds: &[Value],
        changes: &mut [Change<'_>],
        kept: &mut [Kept],
    ) -> Result<(), Fault> {
        for change in changes {
            let Some(new) = &mut change.new else { continue };
            let computed = rules(target, change.place.at).computed;
            let (table, pointer) = (change.place.table, change.pointer);
            let new = new.to_mut();
            let before = new.clone();
            let name = |column| pointer.field(field_of(table, column));
            compute(computed, new, &[root], binds, &Vec::new(), name)?;
            let kept = kept.iter_mut().filter(|kept| kept.part + 1 == change.place.at);
            if let Some(row) = kept.flat_map(|kept| &mut kept.rows).find(|row| **row == before) {
                row.clone_from(new);
            }
        }
        for kept in kept {
            let Some(part) = target.parts.get(kept.part) else { continue };
            // In the order of the key, which is the order that the database folds them in; new keys come last.
            let key = &part.table.key;
            kept.rows.sort_by(|a, b| {
                let columns = key.iter().map(|at| by_key(a.get(*at), b.get(*at)));
                columns.fold(std::cmp::Ordering::Equal, std::cmp::Ordering::then)
            });
        }
        Ok(())
    }

    /// Reads the parts that a computed value or a check folds over, and that do not change.
    async fn load_parts(
        &mut self,
        target: &Target,
        key: &Value,
        kept: &mut Vec<Kept>,
    ) -> Result<(), Fault> {
        for (at, part) in target.parts.iter().enumerate() {
            if kept.iter().any(|kept| kept.part == at) {
                continue;
            }
            let mut wanted = false;
            let computed = target.computed.iter().map(|computed| &computed.expression);
            let checks = target.checks.iter().map(|check| &check.expression);
            for expression in computed.chain(checks) {
                expression.visit(&mut |e| {
                    wanted |= matches!(
                        e,
                        Expression::Aggregate { table, .. } if table.id == part.table.id
                    );
                });
            }
            if wanted {
                let place = Place { target: target.id, at: at + 1, table: &part.table };
                let root = part.table.root.ok_or_else(|| ill_formed("a part without a root"))?;
                let rows = self.rows(place, &[root], &[key]).await?;
                kept.push(Kept { part: at, rows });
            }
        }
        Ok(())
    }

    async fn reply(
        &mut self,
        edit: &Edit,
        changes: &[Change<'_>],
        root: Vec<Value>,
        version: i64,
    ) -> Result<Left, Fault> {
        let target = &*edit.target;
        let single = match edit.parts.as_slice() {
            [(at, PartChange::Add(_) | PartChange::Set { .. })] => changes
                .iter()
                .find(|change| change.place.at == at + 1)
                .and_then(|change| Some((change.place.table, change.new.as_deref()?.to_vec()))),
            _ => None,
        };
        let part_key = single.as_ref().and_then(|(table, row)| row.get(table.own_key())).cloned();
        let answer_key = match &edit.answer_key {
            Some(Value::Null) => part_key.as_ref(),
            other => other.as_ref(),
        };
        let row = if answer_key.is_some() { single } else { Some((&*target.table, root)) };
        let answer =
            self.answer(&edit.answer, edit.binds.clone(), &edit.key, answer_key, row).await?;
        Ok(Left {
            key: edit.key.clone(),
            version,
            part_key,
            answer,
            replayed: false,
            wakes: false,
            published: 0,
        })
    }
}

/// One kind of parts being changed.
struct Changing<'t> {
    part: &'t PartTarget,
    place: Place<'t>,
    root: &'t Value,
    root_column: usize,
}

impl<'t> Changing<'t> {
    fn own_key(&self) -> usize {
        self.part.table.own_key()
    }

    fn replace(
        &self,
        before: &[Vec<Value>],
        rows: &'t [PartRow],
        changes: &mut Vec<Change<'t>>,
        found: &mut Vec<Violation>,
    ) {
        let table = &*self.part.table;
        let identity = |row: &[Value]| -> Vec<Value> {
            table.key.iter().filter_map(|at| row.get(*at).cloned()).collect()
        };
        let known: HashMap<Vec<Value>, &Vec<Value>> =
            before.iter().map(|row| (identity(row), row)).collect();
        let mut taken = HashSet::new();
        for (index, row) in rows.iter().enumerate() {
            let pointer = Pointer::Row { part: &self.part.name, index };
            let new = self.row(&row.values, index + 1);
            let key = identity(&new);
            let fresh = key.iter().any(Value::is_null);
            if !fresh && !taken.insert(key.clone()) {
                let field = field_of(table, self.own_key());
                found.push(Violation::at(
                    FaultCode::NotUnique,
                    pointer.field(field),
                    format!("this `{field}` appears twice in `{}`", self.part.name),
                ));
                continue;
            }
            changes.push(Change {
                place: self.place,
                pointer,
                old: known.get(&key).filter(|_| !fresh).map(|row| (*row).clone()),
                new: Some(Cow::Owned(new)),
                named: Cow::Borrowed(&row.named),
            });
        }
        for old in before {
            if !taken.contains(&identity(old)) {
                changes.push(self.gone(old));
            }
        }
    }

    fn add(&self, before: &[Vec<Value>], row: &'t PartRow, changes: &mut Vec<Change<'t>>) {
        let last = before.last().and_then(|row| row.get(self.own_key())).and_then(Value::as_int);
        let position = usize::try_from(last.unwrap_or(0)).unwrap_or(before.len()) + 1;
        changes.push(Change {
            place: self.place,
            pointer: Pointer::Body,
            old: None,
            new: Some(Cow::Owned(self.row(&row.values, position))),
            named: Cow::Borrowed(&row.named),
        });
    }

    fn set(
        &self,
        before: &[Vec<Value>],
        key: &Value,
        set: &[SetColumn],
        changes: &mut Vec<Change<'t>>,
    ) -> Result<(), Fault> {
        let old = before.iter().find(|row| row.get(self.own_key()) == Some(key));
        let old = old.ok_or(Fault::NotFound)?;
        let mut new = old.clone();
        assign(&mut new, set)?;
        changes.push(Change {
            place: self.place,
            pointer: Pointer::Body,
            old: Some(old.clone()),
            new: Some(Cow::Owned(new)),
            named: set.iter().filter(|set| set.named).map(|set| set.column).collect(),
        });
        Ok(())
    }

    fn remove(
        &self,
        before: &[Vec<Value>],
        key: &Value,
        changes: &mut Vec<Change<'t>>,
    ) -> Result<(), Fault> {
        let own_key = self.own_key();
        let at = before.iter().position(|row| row.get(own_key) == Some(key));
        let mut at = at.ok_or(Fault::NotFound)?;
        if self.part.positional {
            // Each later row moves into the place before it; the last place goes.
            while let (Some(old), Some(next)) = (before.get(at), before.get(at + 1)) {
                let mut new = next.clone();
                if let (Some(place), Some(position)) = (new.get_mut(own_key), old.get(own_key)) {
                    place.clone_from(position);
                }
                changes.push(Change {
                    place: self.place,
                    pointer: Pointer::Body,
                    old: Some(old.clone()),
                    new: Some(Cow::Owned(new)),
                    named: Cow::default(),
                });
                at += 1;
            }
        }
        if let Some(old) = before.get(at) {
            changes.push(self.gone(old));
        }
        Ok(())
    }

    fn gone(&self, old: &[Value]) -> Change<'t> {
        Change {
            place: self.place,
            pointer: Pointer::Body,
            old: Some(old.to_vec()),
            new: None,
            named: Cow::default(),
        }
    }

    /// A row of this root, at this position if it has one.
    fn row(&self, values: &[Value], position: usize) -> Vec<Value> {
        let mut row = values.to_vec();
        if let Some(value) = row.get_mut(self.root_column) {
            value.clone_from(self.root);
        }
        if self.part.positional
            && let Some(value) = row.get_mut(self.own_key())
        {
            *value = Value::Int(i64::try_from(position).unwrap_or(i64::MAX));
        }
        row
    }
}

/// Whether two rows have one primary key.
fn same_key(table: &Table, a: &[Value], b: &[Value]) -> bool {
    table.key.iter().all(|at| a.get(*at) == b.get(*at))
}

fn part_rows<'r>(target: &Target, kept: &'r [Kept]) -> PartRows<'r> {
    let id = |kept: &Kept| target.parts.get(kept.part).map(|part| part.table.id);
    kept.iter().filter_map(|kept| Some((id(kept)?, kept.rows.as_slice()))).collect()
}

/// Immutable columns that would change. A replacement may name them with the value they have.
fn frozen(target: &Target, old: &[Value], set: &[SetColumn], found: &mut Vec<Violation>) {
    for SetColumn { column, value, .. } in set {
        if target.immutable.contains(column) && old.get(*column) != Some(value) {
            let field = field_of(&target.table, *column);
            found.push(Violation::at(
                FaultCode::Immutable,
                Pointer::Body.field(field),
                format!("`{field}` was set at creation and cannot change; leave it out"),
            ));
        }
    }
}

fn assign(row: &mut [Value], set: &[SetColumn]) -> Result<(), Fault> {
    for SetColumn { column, value, .. } in set {
        row.get_mut(*column).ok_or_else(|| ill_formed("no such column"))?.clone_from(value);
    }
    Ok(())
}

fn by_key(a: Option<&Value>, b: Option<&Value>) -> std::cmp::Ordering {
    use std::cmp::Ordering;
    match (a, b) {
        (Some(Value::Null), Some(Value::Null)) => Ordering::Equal,
        (Some(Value::Null), _) => Ordering::Greater,
        (_, Some(Value::Null)) => Ordering::Less,
        (Some(Value::Int(a)), Some(Value::Int(b))) => a.cmp(b),
        (Some(Value::Text(a)), Some(Value::Text(b))) => a.as_bytes().cmp(b.as_bytes()),
        (Some(Value::Uuid(a)), Some(Value::Uuid(b))) => a.cmp(b),
        (Some(Value::Bytes(a)), Some(Value::Bytes(b))) => a.cmp(b),
        (Some(Value::Float(a)), Some(Value::Float(b))) => a.total_cmp(b),
        (Some(Value::Bool(a)), Some(Value::Bool(b))) => a.cmp(b),
        _ => Ordering::Equal,
    }
}

/// The stored version, if it is one of those expected.
pub(crate) fn expected(
    place: Place<'_>,
    row: &[Value],
    expected: Option<&[i64]>,
) -> Result<i64, Fault> {
    let stored = place.table.version.and_then(|at| row.get(at)).and_then(Value::as_int);
    let current = stored.unwrap_or(0);
    match expected {
        // A table that counts no versions cannot tell whether the row is still what the caller saw.
        Some(versions) if stored.is_none() || !versions.contains(&current) => {
            Err(Fault::VersionMismatch { current })
        }
        _ => Ok(current),
    }
}

/// The refusal of a change to a row that the caller may see.
pub(crate) fn forbidden(place: Place<'_>, what: &str) -> Fault {
    Fault::Forbidden(format!("you may not {what} this {}", place.table.entity))
}

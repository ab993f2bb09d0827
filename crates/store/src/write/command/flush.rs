//! The end of a command: the rules of what has changed, and the statements that write it.

use std::borrow::Cow;

use operation::{
    Fault, FaultCode, Inputs, PartTarget, ProgramTarget, Scope, Table, TableId, Value, Violation,
};

use super::super::change::{broken, check_row, count_parts, field_of};
use super::super::{Many, Place};
use super::{Change, Database, Failure, Pointer, Running, ill_formed, said_of};

/// What becomes of one root and its parts.
struct Aggregate<'t> {
    target: &'t ProgramTarget,
    changes: Vec<Change<'t>>,
}

/// Which columns of which table change, and in which rows: positions among all changes.
type Updates = Vec<((TableId, Vec<usize>), Vec<usize>)>;

/// A part before and after; neither: it came and went.
type BeforeAndAfter = (Option<Vec<Value>>, Option<Vec<Value>>);

/// Statements over rows of one table: which rows, by their positions among all changes.
#[derive(Default)]
struct Batches {
    deletes: Vec<(TableId, Vec<usize>)>,
    updates: Updates,
    inserts: Vec<(TableId, Vec<usize>)>,
    /// Updates that refer to what is inserted.
    late: Updates,
}

impl<D: Database> Running<'_, '_, D> {
    /// Looks at the rules and writes what has changed.
    pub(super) async fn flush(&mut self) -> Result<(), Fault> {
        self.compute().await?;
        let program = self.program;
        let mut aggregates = Vec::new();
        let mut found = Vec::new();
        for target in &program.targets {
            let table = &target.target.table;
            for key in self.rows.written(table) {
                let changes = self.settled(target, &key, &mut found).await?;
                if !changes.is_empty() {
                    aggregates.push(Aggregate { target, changes });
                }
            }
        }
        if !found.is_empty() {
            return Err(Fault::Invalid(found));
        }
        match self.write(&aggregates).await {
            Ok(()) => Ok(()),
            Err(Failure::Fault(fault)) => Err(fault),
            Err(Failure::Constraint(reason)) => {
                self.writing.database.undo().await?;
                Err(self.explain(&aggregates, &reason).await)
            }
        }
    }

    /// The changes of one root and its parts; what stands against them is noted.
    async fn settled<'t>(
        &mut self,
        target: &'t ProgramTarget,
        key: &Value,
        found: &mut Vec<Violation>,
    ) -> Result<Vec<Change<'t>>, Fault> {
        let rules = &*target.target;
        let table = &rules.table;
        let Some(row) = self.rows.root_mut(table, key) else { return Ok(Vec::new()) };
        // What was is asked for no more; what is may still be looked at.
        let (old, mut new) = (row.old.take(), row.new.clone());
        let changed = std::mem::take(&mut row.ever_changed);
        let parts_changed = std::mem::take(&mut row.parts_ever_changed);
        let fresh = old.is_none();
        if fresh && new.is_none() {
            return Ok(Vec::new());
        }
        if let (Some(old), Some(new), Some(version)) = (&old, &mut new, table.version)
            && let (Some(slot), Some(before)) = (new.get_mut(version), old.get(version))
        {
            *slot = Value::Int(before.as_int().unwrap_or(0) + 1);
        }
        let mut changes = vec![change(rules.id, 0, table, old, new.clone())];
        for (at, part) in rules.parts.iter().enumerate() {
            let touched = parts_changed.contains(&part.table.id) || new.is_none();
            if !(touched || fresh) || !self.rows.has_parts(&part.table, key) {
                continue;
            }
            self.settle_parts(target, at, part, (key, new.as_deref()), &mut changes, found)?;
        }
        if let Some(new) = &new {
            let due = |inputs: &Inputs| {
                fresh
                    || inputs.others
                    || inputs.columns.iter().any(|column| changed.contains(column))
                    || inputs.parts.iter().any(|at| {
                        rules.parts.get(*at).is_some_and(|p| parts_changed.contains(&p.table.id))
                    })
            };
            for (check, inputs) in rules.checks.iter().zip(&target.checks) {
                if due(inputs)
                    && self.value_as_it_is(&check.expression, &[new]).await? == Value::Bool(false)
                {
                    found.extend(said_of(table, vec![broken(check, Pointer::Body)]));
                }
            }
        }
        Ok(changes)
    }

    /// The same of its parts of one kind.
    fn settle_parts<'t>(
        &mut self,
        target: &'t ProgramTarget,
        at: usize,
        part: &'t PartTarget,
        (key, root): (&Value, Option<&[Value]>),
        changes: &mut Vec<Change<'t>>,
        found: &mut Vec<Violation>,
    ) -> Result<(), Fault> {
        let table = &*part.table;
        let parts = self.rows.parts_of(table, key);
        let mut pairs: Vec<BeforeAndAfter> = if part.positional {
            // Later ones move up: each takes the place before it, and the last places go.
            let before = parts.iter().filter_map(|part| part.old.clone());
            let mut after: Vec<_> = parts.iter().filter_map(|part| part.new.clone()).collect();
            for (position, row) in after.iter_mut().enumerate() {
                if let Some(slot) = row.get_mut(table.own_key()) {
                    *slot = Value::Int(i64::try_from(position).unwrap_or(i64::MAX - 1) + 1);
                }
            }
            let mut before: Vec<_> = before.map(Some).collect();
            let mut after: Vec<_> = after.into_iter().map(Some).collect();
            let most = before.len().max(after.len());
            before.resize(most, None);
            after.resize(most, None);
            before.into_iter().zip(after).collect()
        } else {
            parts.iter().map(|part| (part.old.clone(), part.new.clone())).collect()
        };
        let left = pairs.iter().filter(|(_, new)| new.is_some()).count();
        if let Some(root) = root {
            let mut counted = Vec::new();
            count_parts(part, left, &mut counted);
            found.extend(said_of(&target.target.table, counted));
            for (old, new) in &mut pairs {
                let Some(new) = new.as_mut().filter(|new| old.as_ref() != Some(*new)) else {
                    continue;
                };
                let none = Vec::new();
                super::compute(&part.computed, new, &[root], &self.binds, &none, |_| {
                    String::new()
                })?;
                let rows: &[&[Value]] = &[root, new];
                let scope =
                    Scope { rows, binds: &self.binds, parts: &[], stored: Some(&self.rows) };
                let (mut broken, mut later) = (Vec::new(), Vec::new());
                check_row(&part.checks, Pointer::Body, &scope, &mut broken, &mut later)?;
                found.extend(said_of(table, broken));
                if !later.is_empty() {
                    return Err(ill_formed("a check of a part that looks elsewhere"));
                }
            }
        }
        for (old, new) in pairs {
            if old != new {
                changes.push(change(target.target.id, at + 1, table, old, new));
            }
        }
        Ok(())
    }

    /// Writes the changes: what goes, then what changes, then what is new; a statement for all rows that it can serve.
    async fn write(&mut self, aggregates: &[Aggregate<'_>]) -> Result<(), Failure> {
        let all: Vec<&Change<'_>> =
            aggregates.iter().flat_map(|aggregate| &aggregate.changes).collect();
        for aggregate in aggregates {
            if let Some(Change { old: Some(old), new: None, place, .. }) = aggregate.changes.first()
            {
                let key = old.get(place.table.own_key()).cloned().unwrap_or_default();
                self.writing.raise_cleared(place.table, &key).await?;
            }
        }
        let batches = self.batches(&all);
        for (_, rows) in &batches.deletes {
            let Some(first) = rows.first().map(|at| all[*at]) else { continue };
            let many = Many::delete(first.place)?;
            let values = rows.iter().filter_map(|at| all[*at].old.as_deref());
            let values = values.map(|old| picked(old, &first.place.table.key)).collect();
            self.writing.database.each(many, values).await?;
        }
        self.update_each(&all, &batches.updates).await?;
        for (_, rows) in &batches.inserts {
            let Some(first) = rows.first().map(|at| all[*at]) else { continue };
            let many = Many::insert(first.place)?;
            let values = rows.iter().filter_map(|at| all[*at].new.as_deref());
            self.writing
                .database
                .each(many, values.map(|new| new.iter().collect()).collect())
                .await?;
        }
        self.update_each(&all, &batches.late).await?;
        self.writing.publish(&self.published, &self.asking).await?;
        for change in all {
            for row in change.old.as_deref().into_iter().chain(change.new.as_deref()) {
                self.writing.touch(change.place.table, row);
            }
            if change.new.is_none() {
                self.writing.touch_cascade(change.place.table.name.as_str());
            }
        }
        self.writing.database.settle().await
    }

    async fn update_each(&mut self, all: &[&Change<'_>], updates: &Updates) -> Result<(), Failure> {
        for ((_, columns), rows) in updates {
            let Some(first) = rows.first().map(|at| all[*at]) else { continue };
            let many = Many::update(first.place, columns)?;
            let values = rows.iter().filter_map(|at| {
                let (old, new) = (all[*at].old.as_deref()?, all[*at].new.as_deref()?);
                let mut values = picked(new, columns);
                values.extend(picked(old, &first.place.table.key));
                Some(values)
            });
            self.writing.database.each(many, values.collect()).await?;
        }
        Ok(())
    }

    fn batches(&self, all: &[&Change<'_>]) -> Batches {
        let mut batches = Batches::default();
        for (at, change) in all.iter().enumerate() {
            let table = change.place.table;
            match (&change.old, &change.new) {
                (Some(_), None) => add(&mut batches.deletes, table.id, at),
                (None, Some(_)) => add(&mut batches.inserts, table.id, at),
                (Some(old), Some(new)) => {
                    let columns: Vec<usize> = (0..new.len())
                        .filter(|column| old.get(*column) != new.get(*column))
                        .collect();
                    if columns.is_empty() {
                        continue;
                    }
                    // Rows of one root may swap unique values: see `Writing::apply`.
                    let unique = |column: &usize| {
                        table.uniques.iter().any(|unique| unique.columns.contains(column))
                    };
                    let referred = || {
                        let (_, references) = self.writing.database.tables();
                        !references.to(table.name.as_str()).is_empty()
                    };
                    if change.place.at > 0 && columns.iter().any(unique) && !referred() {
                        add(&mut batches.deletes, table.id, at);
                        add(&mut batches.inserts, table.id, at);
                    } else if columns
                        .iter()
                        .any(|column| is_fresh(all, table, *column, &new[*column]))
                    {
                        add(&mut batches.late, (table.id, columns), at);
                    } else {
                        add(&mut batches.updates, (table.id, columns), at);
                    }
                }
                (None, None) => {}
            }
        }
        // Parts go before their roots; what is referred to comes before what refers to it.
        batches
            .deletes
            .sort_by_key(|(_, rows)| rows.first().is_none_or(|at| all[*at].place.at == 0));
        let mut ordered = Vec::with_capacity(batches.inserts.len());
        let mut waiting = std::mem::take(&mut batches.inserts);
        while !waiting.is_empty() {
            let free = waiting.iter().position(|(id, rows)| {
                let keys = rows.first().map_or(&[][..], |at| &all[*at].place.table.foreign_keys);
                keys.iter().all(|key| {
                    key.target == *id || !waiting.iter().any(|(other, _)| *other == key.target)
                })
            });
            // In a circle one is as good as another: the database says whether it is right.
            ordered.push(waiting.remove(free.unwrap_or(0)));
        }
        batches.inserts = ordered;
        batches
    }

    /// Which constraint stands against what was written.
    async fn explain(&mut self, aggregates: &[Aggregate<'_>], reason: &str) -> Fault {
        let mut last = None;
        let gone: Vec<&Change<'_>> = aggregates
            .iter()
            .flat_map(|aggregate| &aggregate.changes)
            .filter(|change| change.new.is_none())
            .collect();
        for Aggregate { target, changes } in aggregates {
            let mut found = Vec::new();
            for change in changes {
                refers_to_gone(change, &gone, &mut found);
                let held = self.writing.held_against(&target.target, change, changes, &mut found);
                if let Err(fault) = held.await {
                    return fault;
                }
            }
            let table = &target.target.table;
            if !found.is_empty() {
                last = Some((said_of(table, found.clone()), super::super::diagnose::kind(found)));
            }
        }
        match last {
            Some((said, Fault::Conflict(_))) => Fault::Conflict(said),
            Some((said, _)) => Fault::Invalid(said),
            None => super::super::diagnose::unknown_rule(reason),
        }
    }
}

fn change<'t>(
    target: operation::ReadId,
    at: usize,
    table: &'t Table,
    old: Option<Vec<Value>>,
    new: Option<Vec<Value>>,
) -> Change<'t> {
    Change {
        place: Place { target, at, table },
        pointer: Pointer::Body,
        old,
        new: new.map(Cow::Owned),
        named: Cow::default(),
    }
}

fn add<K: PartialEq>(batches: &mut Vec<(K, Vec<usize>)>, key: K, at: usize) {
    match batches.iter_mut().find(|(known, _)| *known == key) {
        Some((_, rows)) => rows.push(at),
        None => batches.push((key, vec![at])),
    }
}

fn picked<'v>(row: &'v [Value], columns: &[usize]) -> Vec<&'v Value> {
    columns.iter().filter_map(|at| row.get(*at)).collect()
}

/// References of a row to others that go with these changes: when the database is asked, they are there again.
fn refers_to_gone(change: &Change<'_>, gone: &[&Change<'_>], found: &mut Vec<Violation>) {
    let (table, Some(new)) = (change.place.table, &change.new) else { return };
    for key in &table.foreign_keys {
        let of = |gone: &&&Change<'_>| {
            let (table, old) = (gone.place.table, gone.old.as_deref());
            let own = old.and_then(|old| old.get(table.own_key()));
            table.id == key.target && own.is_some() && own == new.get(key.column)
        };
        if let Some(gone) = gone.iter().find(of) {
            let field = field_of(table, key.column);
            let entity = &gone.place.table.entity;
            let detail = format!("`{field}` refers to a {entity} that goes with this");
            found.push(Violation::at(FaultCode::UnknownReference, "", detail));
        }
    }
}

/// Whether a column refers to a row that comes with these changes.
fn is_fresh(all: &[&Change<'_>], table: &Table, column: usize, value: &Value) -> bool {
    let key = table.foreign_keys.iter().find(|key| key.column == column);
    key.is_some_and(|key| {
        all.iter().any(|change| {
            let of = change.place.table;
            let own = || change.new.as_ref().and_then(|new| new.get(of.own_key()));
            of.id == key.target && change.old.is_none() && own() == Some(value)
        })
    })
}

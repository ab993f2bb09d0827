//! The end of a command: the rules of what has changed, and the statements that write it.

mod circles;
mod order;
mod unique;

use std::borrow::Cow;
use std::sync::Arc;

use operation::{
    Fault, FaultCode, Inputs, OnDelete, PartTarget, Program, ProgramTarget, Scope, Table, TableId,
    Value, Violation,
};
use smallvec::{SmallVec, smallvec};

use super::super::change::{broken, check_row, count_parts, field_of};
use super::super::diagnose::IsMade;
use super::super::outbox;
use super::super::workset::Values;
use super::super::{Each, Load, Many, Picked, Place};
use super::{Change, Database, Failure, Lock, Pointer, Running, ill_formed, said_of};
use crate::lower::cleared::Cleared;

/// What becomes of one root and its parts.
#[derive(Debug)]
pub(super) struct Aggregate {
    /// Its target, by its position in the program.
    target: usize,
    rows: Vec<Decided>,
}

/// What becomes of one row.
#[derive(Debug)]
struct Decided {
    /// 0 for the root, 1 and up for the parts of one kind.
    at: usize,
    old: Option<Values>,
    new: Option<Values>,
}

/// The same with its table.
#[derive(Clone, Copy)]
struct Settled<'t> {
    place: Place<'t>,
    /// The table of its root.
    root: &'t Arc<Table>,
    old: &'t Option<Values>,
    new: &'t Option<Values>,
}

impl<'t> Settled<'t> {
    /// As those see it who look at what stands against it.
    fn change(&self) -> Change<'t> {
        Change {
            place: self.place,
            pointer: Pointer::Body,
            old: self.old.as_deref().map(<[Value]>::to_vec),
            new: self.new.as_deref().map(|new| Cow::Owned(new.to_vec())),
            named: Cow::default(),
        }
    }
}

impl Aggregate {
    /// The root's table, and what becomes of it.
    pub fn root<'t>(
        &'t self,
        program: &'t Program,
    ) -> Result<(&'t Arc<Table>, Option<&'t Values>), Fault> {
        let target =
            program.targets.get(self.target).ok_or_else(|| ill_formed("no such target"))?;
        let root = self.rows.iter().rev().find(|row| row.at == 0);
        Ok((&target.target.table, root.and_then(|root| root.new.as_ref())))
    }

    /// Changes what a command before has made of the same root. It comes back where none has made anything of it.
    ///
    /// # Errors
    /// Where that is not what this one has seen.
    pub fn behind(mut self, before: &mut [Self], program: &Program) -> Result<Option<Self>, Fault> {
        let (table, _) = self.root(program)?;
        let own = table.own_key();
        let [Decided { at: 0, old: Some(old), new: Some(new) }] = self.rows.as_mut_slice() else {
            return Ok(Some(self));
        };
        let is_it = |made: &&mut Decided| {
            made.at == 0 && made.new.as_ref().is_some_and(|made| made.get(own) == old.get(own))
        };
        let mut of_kind = before.iter_mut().filter(|made| made.target == self.target);
        match of_kind.find_map(|made| made.rows.first_mut().filter(is_it)) {
            None => Ok(Some(self)),
            Some(root) if root.new.as_ref() == Some(old) => {
                root.new = Some(new.clone());
                Ok(None)
            }
            Some(_) => Err(ill_formed("a row that is not what the one before has made of it")),
        }
    }

    /// Its rows with their tables.
    fn changes<'t>(
        &'t self,
        program: &'t Program,
    ) -> Result<(&'t ProgramTarget, impl Iterator<Item = Settled<'t>> + use<'t>), Fault> {
        let target =
            program.targets.get(self.target).ok_or_else(|| ill_formed("no such target"))?;
        let of = move |Decided { at, old, new }: &'t Decided| {
            let part = at.checked_sub(1).and_then(|at| target.target.parts.get(at));
            let table = part.map_or(&*target.target.table, |part| &*part.table);
            let place = Place { target: target.target.id, at: *at, table };
            Settled { place, root: &target.target.table, old, new }
        };
        Ok((target, self.rows.iter().map(of)))
    }
}

/// Which columns of which table change, and in which rows: positions among all changes.
type Updates = Vec<((TableId, Positions), Positions)>;

/// Positions of columns, or of changes among all: few, as a rule.
type Positions = SmallVec<[usize; 8]>;

/// A root whose parts are looked at.
#[derive(Clone, Copy)]
struct Root<'r> {
    key: &'r Value,
    /// As it shall be.
    row: Option<&'r [Value]>,
    /// Whether it takes the place of one that goes.
    anew: bool,
}

/// A part before and after; neither: it came and went.
type BeforeAndAfter = (Option<Values>, Option<Values>);

/// Statements over rows of one table: which rows, by their positions among all changes.
#[derive(Default)]
struct Batches {
    /// What rows that stay are to refer to instead of rows that go.
    first: Vec<(TableId, Positions)>,
    /// Updates that take rows away from what goes, before it would take them along.
    early: Updates,
    deletes: Vec<(TableId, Positions)>,
    updates: Updates,
    inserts: Vec<(TableId, Positions)>,
    /// Updates that refer to what is inserted.
    late: Updates,
}

impl<'p, D: Database> Running<'_, 'p, D> {
    /// Looks at the rules and writes what has changed.
    pub(super) async fn flush(&mut self) -> Result<(), Fault> {
        let aggregates = self.decide().await?;
        self.write_decided(&aggregates).await
    }

    /// Looks at the rules. What has changed is settled by that.
    pub(super) async fn decide(&mut self) -> Result<Vec<Aggregate>, Fault> {
        // What others lose the database draws anew.
        let (program, rows) = (self.program, &self.rows);
        let is_written = |(at, key): &(usize, Value)| {
            program.targets.get(*at).is_some_and(|of| rows.is_written(&of.target.table, key))
        };
        let (written, others) = std::mem::take(&mut self.dirty).into_iter().partition(is_written);
        self.dirty = written;
        self.compute().await?;
        self.dirty = others;
        self.look_at_unseen().await?;
        let program = self.program;
        let mut aggregates = Vec::new();
        let mut found = Vec::new();
        for (at, target) in program.targets.iter().enumerate() {
            let table = &target.target.table;
            for key in self.rows.written(table) {
                let rows = self.settled(target, &key, &mut found).await?;
                if !rows.is_empty() {
                    aggregates.push(Aggregate { target: at, rows });
                }
            }
        }
        if found.is_empty() { Ok(aggregates) } else { Err(Fault::Invalid(found)) }
    }

    /// Writes what was decided, and what is published.
    pub(super) async fn write_decided(&mut self, aggregates: &[Aggregate]) -> Result<(), Fault> {
        let program = self.program;
        let mut all = Vec::with_capacity(aggregates.iter().map(|of| of.rows.len()).sum());
        for aggregate in aggregates {
            all.extend(aggregate.changes(program)?.1);
        }
        let circles = match self.made.is_empty() {
            true => circles::circles(&all),
            false => Vec::new(),
        };
        for (at, first) in &circles {
            let Some(change) = all.get(*at).copied() else { continue };
            all.push(Settled { old: first, ..change });
            if let Some(change) = all.get_mut(*at) {
                change.new = first;
            }
        }
        match self.write(&all).await {
            Ok(()) => Ok(()),
            Err(Failure::Fault(fault)) => Err(fault),
            Err(Failure::Constraint(reason)) => {
                self.writing.database.undo().await?;
                Err(self.explain(aggregates, &reason).await)
            }
        }
    }

    /// Refuses rows that came and went under keys of others: nothing of them is written, so that nothing else would tell.
    /// Unique values besides are a rule of what is left.
    async fn look_at_unseen(&mut self) -> Result<(), Fault> {
        let unseen = self.rows.unseen();
        if unseen.is_empty() {
            return Ok(());
        }
        let target = self.program.id;
        let load = |(table, values): (Arc<Table>, Vec<Value>)| {
            let column = table.own_key();
            Load { target, table, column, values, lock: Lock::Free, held: false }
        };
        let loads: Vec<Load> = unseen.into_iter().map(load).collect();
        let found = self.writing.database.load(&loads).await.map_err(Failure::into_fault)?;
        let taken = loads.iter().zip(found).find(|(_, rows)| !rows.is_empty());
        taken.map_or(Ok(()), |(load, _)| Err(super::rows::taken(&load.table)))
    }

    /// The changes of one root and its parts; what stands against them is noted.
    async fn settled(
        &mut self,
        target: &ProgramTarget,
        key: &Value,
        found: &mut Vec<Violation>,
    ) -> Result<Vec<Decided>, Fault> {
        let rules = &*target.target;
        let table = &rules.table;
        let Some(row) = self.rows.root_mut(table, key) else { return Ok(Vec::new()) };
        if let (Some(old), Some(new), Some(version)) = (&row.old, &mut row.new, table.version)
            && let (Some(slot), Some(before)) =
                (Arc::make_mut(new).get_mut(version), old.get(version))
        {
            *slot = Value::Int(before.as_int().unwrap_or(0) + 1);
        }
        // What was is asked for no more; what is may still be looked at.
        let (old, new) = (row.old.take(), row.new.clone());
        let changed = std::mem::take(&mut row.ever_changed);
        let parts_changed = std::mem::take(&mut row.parts_ever_changed);
        let anew = row.anew;
        let fresh = old.is_none() || anew;
        if old.is_none() && new.is_none() {
            return Ok(Vec::new());
        }
        let mut of_parts = Vec::new();
        for (at, part) in rules.parts.iter().enumerate() {
            let touched = parts_changed.contains(&part.table.id) || new.is_none();
            if !(touched || fresh) || !self.rows.has_parts(&part.table, key) {
                continue;
            }
            let root = Root { key, row: new.as_deref(), anew };
            self.settle_parts(target, at, part, root, &mut of_parts, found)?;
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
                    && self.value(&check.expression, Some(new)).await? == Value::Bool(false)
                {
                    found.extend(said_of(table, vec![broken(check, Pointer::Body)]));
                }
            }
        }
        let mut changes = Vec::with_capacity(2 + of_parts.len());
        match old {
            // What comes in the place of one that goes counts on from its version, so that nobody takes it for that one.
            Some(old) if anew && new.is_some() => {
                changes.push(Decided { at: 0, old: Some(old), new: None });
                changes.push(Decided { at: 0, old: None, new });
            }
            old => changes.push(Decided { at: 0, old, new }),
        }
        changes.append(&mut of_parts);
        Ok(changes)
    }

    /// The same of its parts of one kind.
    fn settle_parts(
        &mut self,
        target: &ProgramTarget,
        at: usize,
        part: &PartTarget,
        Root { key, row: root, anew }: Root<'_>,
        changes: &mut Vec<Decided>,
        found: &mut Vec<Violation>,
    ) -> Result<(), Fault> {
        let table = &*part.table;
        let parts = self.rows.parts_of(table, key);
        let mut pairs: Vec<BeforeAndAfter> = if part.positional {
            // Later ones move up: each takes the place before it, and the last places go.
            let before = parts.iter().filter_map(|part| part.old.clone());
            let mut after: Vec<_> = parts.iter().filter_map(|part| part.new.clone()).collect();
            // Where one only went along with what it referred to, the others stay where they are.
            let moves = parts.iter().any(|part| part.new.is_none() && !part.lost);
            for (position, row) in after.iter_mut().enumerate().filter(|_| moves) {
                let place = Value::Int(i64::try_from(position).unwrap_or(i64::MAX - 1) + 1);
                if row.get(table.own_key()) != Some(&place)
                    && let Some(slot) = Arc::make_mut(row).get_mut(table.own_key())
                {
                    *slot = place;
                }
            }
            let mut before: Vec<_> = before.map(Some).collect();
            let mut after: Vec<_> = after.into_iter().map(Some).collect();
            if anew {
                let gone = before.into_iter().map(|old| (old, None));
                gone.chain(after.into_iter().map(|new| (None, new))).collect()
            } else {
                let most = before.len().max(after.len());
                before.resize(most, None);
                after.resize(most, None);
                before.into_iter().zip(after).collect()
            }
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
                if !part.computed.is_empty() {
                    let (none, new) = (Vec::new(), Arc::make_mut(new));
                    super::compute(&part.computed, new, &[root], &self.binds, &none, |_| {
                        String::new()
                    })?;
                }
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
                changes.push(Decided { at: at + 1, old, new });
            }
        }
        Ok(())
    }

    /// Writes the changes: what goes, then what changes, then what is new; a statement for all rows that it can serve.
    async fn write(&mut self, all: &[Settled<'_>]) -> Result<(), Failure> {
        let batches = self.batches(all)?;
        let locks = outbox::locks_of::<D>(&self.published, &self.unlocked);
        let events = outbox::events_of(&self.published);
        // In the order in which they are sent.
        let mut written = Vec::new();
        self.insert_each(all, &batches.first, &mut written).await?;
        update_each(all, &batches.early, &mut written)?;
        let noted = self.raise_cleared(all, &batches.early, &mut written).await?;
        for (_, rows) in &batches.deletes {
            let Some(first) = rows.first().map(|at| &all[*at]) else { continue };
            let many = Many::delete(first.place)?;
            let rows = rows.iter().filter_map(|at| all[*at].old.as_deref());
            let rows = rows.map(|old| picked(old, &first.place.table.key)).collect();
            written.push(Each { many, rows });
        }
        if !noted.is_empty() {
            self.writing.database.all(std::mem::take(&mut written)).await?;
            self.writing.raise_noted(&noted).await?;
        }
        update_each(all, &batches.updates, &mut written)?;
        self.insert_each(all, &batches.inserts, &mut written).await?;
        update_each(all, &batches.late, &mut written)?;
        if noted.iter().any(|cleared| !cleared.redraws.is_empty()) {
            self.writing.database.all(std::mem::take(&mut written)).await?;
            self.writing.redraw(&noted).await?;
        }
        self.writing.publish_behind(written, &locks, &events, &self.asking).await?;
        // What goes comes last: which rows go with it, only the database knows.
        for goes in [false, true] {
            for change in all.iter().filter(|change| change.new.is_none() == goes) {
                self.touch(change);
            }
        }
        self.writing.database.settle().await
    }

    /// Raises the versions of rows of which the database will clear something, as far as they do not change besides before it does; or answers
    /// what is to be raised then.
    async fn raise_cleared<'v>(
        &mut self,
        all: &'v [Settled<'_>],
        early: &Updates,
        written: &mut Vec<Each<'v>>,
    ) -> Result<Vec<Cleared>, Failure>
    where
        'p: 'v,
    {
        let gone = all.iter().filter_map(|Settled { old, new, place, root }| match (old, new) {
            (Some(old), None) if place.at == 0 => Some((*root, old.get(root.own_key())?)),
            _ => None,
        });
        let roots: Vec<(&Arc<Table>, &Value)> = gone.collect();
        if roots.is_empty() {
            return Ok(Vec::new());
        }
        if !early.is_empty() {
            self.writing.database.all(std::mem::take(written)).await?;
        }
        let held = |(table, key): &(&Arc<Table>, &Value)| {
            self.going.held.contains(&(table.id, (*key).clone()))
        };
        let others: Vec<_> = roots.iter().filter(|row| !held(row)).copied().collect();
        self.writing.hold_going(self.program.id, others).await?;
        let gone: Vec<(&Table, &Value)> =
            roots.iter().map(|(table, key)| (&***table, *key)).collect();
        let moved = early.iter().flat_map(|(_, rows)| rows).filter_map(|at| {
            let Settled { old, place, .. } = all.get(*at)?;
            Some((place.table, old.as_ref()?.get(place.table.own_key())?))
        });
        self.writing.raise_cleared(&gone, &moved.collect::<Vec<_>>()).await
    }

    /// Notes what a change makes stale. What is remembered of a root that stays is what it is now.
    fn touch(&mut self, change: &Settled<'_>) {
        let table = change.place.table;
        if let (Some(old), Some(new)) = (change.old, change.new) {
            self.writing.touch_both(table, old, new);
            if change.place.at == 0 {
                // Under the key that it has, which no step changes.
                self.writing.database.remember(change.root, new);
            }
            return;
        }
        for row in change.old.as_deref().into_iter().chain(change.new.as_deref()) {
            self.writing.touch(table, row);
        }
        if change.new.is_none() {
            self.writing.touch_cascade(&table.name);
        }
    }

    async fn insert_each<'v>(
        &mut self,
        all: &'v [Settled<'_>],
        inserts: &[(TableId, Positions)],
        written: &mut Vec<Each<'v>>,
    ) -> Result<(), Failure>
    where
        'p: 'v,
    {
        for (_, positions) in inserts {
            let Some(first) = positions.first().map(|at| &all[*at]) else { continue };
            let place = first.place;
            let refers_to_itself =
                place.table.foreign_keys.iter().any(|key| key.target == place.table.id);
            // Rows that go together, by the columns that hold keys which are counted.
            let mut together: Vec<Together<'_>> = Vec::new();
            // Those of which the database looks something up: behind what comes before.
            let mut looked_up: Vec<&[Value]> = Vec::new();
            for change in positions.iter().map(|at| &all[*at]) {
                let Some(new) = change.new.as_deref() else { continue };
                let made = self.made_row(place.table, new);
                if made.is_some_and(|made| !made.columns.is_empty()) {
                    if refers_to_itself {
                        // Sent by itself, also behind those that it may refer to.
                        write_together(place, &mut together, written)?;
                        self.writing.database.all(std::mem::take(written)).await?;
                        self.make(place.table, &[new]).await?;
                    } else {
                        looked_up.push(new);
                    }
                    continue;
                }
                let drawn = made.map_or(&[][..], |made| &made.drawn);
                let among = if refers_to_itself { together.len().saturating_sub(1) } else { 0 };
                match together[among..].iter_mut().find(|(of, _)| *of == drawn) {
                    Some((_, rows)) => rows.push(new.iter().collect()),
                    None => together.push((drawn, vec![new.iter().collect()])),
                }
            }
            if !looked_up.is_empty() {
                self.writing.database.all(std::mem::take(written)).await?;
                self.make(place.table, &looked_up).await?;
            }
            write_together(place, &mut together, written)?;
        }
        Ok(())
    }

    fn batches(&self, all: &[Settled<'_>]) -> Result<Batches, Fault> {
        let gone = gone_of(all);
        let mut moved_to_fresh = false;
        let mut batches = Batches::default();
        for (at, change) in all.iter().enumerate() {
            let table = change.place.table;
            match (change.old, change.new) {
                (Some(_), None) => add(&mut batches.deletes, table.id, at),
                (None, Some(_)) => add(&mut batches.inserts, table.id, at),
                (Some(old), Some(new)) => {
                    let columns: Positions = (0..new.len())
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
                        !references.to(&table.name).is_empty()
                    };
                    let fresh = |column: &usize| is_fresh(all, table, *column, &new[*column]);
                    let leaves = |column: &usize| {
                        follows(table, *column) && refers_among(&gone, table, *column, old)
                    };
                    if columns.iter().any(leaves) {
                        let to_new = |column: &usize| refers_among(&gone, table, *column, new);
                        if columns.iter().any(|column| fresh(column) && to_new(column)) {
                            return Err(moved_too_often(table));
                        }
                        moved_to_fresh |= columns.iter().any(fresh);
                        add(&mut batches.early, (table.id, columns), at);
                    } else if change.place.at > 0 && columns.iter().any(unique) && !referred() {
                        add(&mut batches.deletes, table.id, at);
                        add(&mut batches.inserts, table.id, at);
                    } else if columns.iter().any(fresh) {
                        add(&mut batches.late, (table.id, columns), at);
                    } else {
                        add(&mut batches.updates, (table.id, columns), at);
                    }
                }
                (None, None) => {}
            }
        }
        batches.updates = unique::free_first(all, std::mem::take(&mut batches.updates));
        // What is referred to comes before what refers to it, and goes after that; parts, to which nothing refers, go first.
        batches.deletes = order::in_order(all, std::mem::take(&mut batches.deletes));
        batches.deletes.reverse();
        let is_root = |rows: &Positions| rows.first().is_none_or(|at| all[*at].place.at == 0);
        batches.deletes.sort_by_key(|(_, rows)| is_root(rows));
        batches.inserts = order::in_order(all, std::mem::take(&mut batches.inserts));
        if moved_to_fresh {
            for (id, rows) in std::mem::take(&mut batches.inserts) {
                // What takes the place of a row that goes has to wait for that.
                let (later, first) = rows.into_iter().partition::<Positions, _>(|at| {
                    let change = &all[*at];
                    let own = change.place.table.root.unwrap_or(change.place.table.own_key());
                    let new = change.new.as_ref().and_then(|new| new.get(own));
                    let root = if change.place.at == 0 {
                        Some(id)
                    } else {
                        let keys = change.place.table.foreign_keys.iter();
                        keys.clone().find(|key| key.column == own).map(|key| key.target)
                    };
                    root.zip(new).is_some_and(|of| gone.contains(&of))
                });
                for (rows, of) in [(first, &mut batches.first), (later, &mut batches.inserts)] {
                    if !rows.is_empty() {
                        of.push((id, rows));
                    }
                }
            }
        }
        Ok(batches)
    }

    /// Which constraint stands against what was written.
    async fn explain(&mut self, aggregates: &[Aggregate], reason: &str) -> Fault {
        let program = self.program;
        let mut each = Vec::with_capacity(aggregates.len());
        for aggregate in aggregates {
            match aggregate.changes(program) {
                Ok((target, changes)) => each.push((target, changes.collect::<Vec<_>>())),
                Err(fault) => return fault,
            }
        }
        let mut last = None;
        let all: Vec<Settled<'_>> =
            each.iter().flat_map(|(_, changes)| changes.iter().copied()).collect();
        let stays_away = |change: &&Settled<'_>| {
            let own = change.old.as_ref().and_then(|old| old.get(change.place.table.own_key()));
            change.new.is_none()
                && !own.is_some_and(|own| is_there(&all, change.place.table.id, own))
        };
        let gone: Vec<&Settled<'_>> = all.iter().filter(stays_away).collect();
        let is_made = |table: &Table, key: &Value| is_there(&all, table.id, key);
        let is_none = |_: &Table, _: &Value| false;
        // What the write itself would have made is what is missing where nothing else is.
        for made in [&is_made as &IsMade<'_>, &is_none] {
            for (target, changes) in &each {
                let mut found = Vec::new();
                let told: Vec<Change<'_>> = changes.iter().map(Settled::change).collect();
                for (change, told_one) in changes.iter().zip(&told) {
                    refers_to_gone(change, &gone, &mut found);
                    let (target, told) = (&target.target, (&*told, made));
                    let held = self.writing.held_against(target, told_one, told, &mut found);
                    if let Err(fault) = held.await {
                        return fault;
                    }
                }
                let table = &target.target.table;
                if !found.is_empty() {
                    let said = said_of(table, found.clone());
                    last = Some((said, super::super::diagnose::kind(found)));
                }
            }
            if last.is_some() {
                break;
            }
        }
        match last {
            Some((said, Fault::Conflict(_))) => Fault::Conflict(said),
            Some((said, _)) => Fault::Invalid(said),
            None => super::super::diagnose::other_rule(reason, self.writing.database.tables().0),
        }
    }
}

/// Rows that one statement writes, and which of their columns hold keys that are counted.
type Together<'v> = (&'v [(usize, TableId)], Vec<Picked<'v>>);

/// The statements that write rows of a table which go together.
fn write_together<'v>(
    place: Place<'v>,
    together: &mut Vec<Together<'v>>,
    written: &mut Vec<Each<'v>>,
) -> Result<(), Fault> {
    for (drawn, rows) in together.drain(..) {
        let many = match drawn {
            [] => Many::insert(place)?,
            drawn => Many::insert_drawn(place, drawn)?,
        };
        written.push(Each { many, rows });
    }
    Ok(())
}

fn add<K: PartialEq>(batches: &mut Vec<(K, Positions)>, key: K, at: usize) {
    match batches.iter_mut().find(|(known, _)| *known == key) {
        Some((_, rows)) => rows.push(at),
        None => batches.push((key, smallvec![at])),
    }
}

fn picked<'v>(row: &'v [Value], columns: &[usize]) -> Picked<'v> {
    columns.iter().filter_map(|at| row.get(*at)).collect()
}

/// References of a row to others that go with these changes: when the database is asked, they are there again.
fn refers_to_gone(change: &Settled<'_>, gone: &[&Settled<'_>], found: &mut Vec<Violation>) {
    let (table, Some(new)) = (change.place.table, change.new) else { return };
    for key in &table.foreign_keys {
        let of = |gone: &&&Settled<'_>| {
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
fn is_fresh(all: &[Settled<'_>], table: &Table, column: usize, value: &Value) -> bool {
    let key = table.foreign_keys.iter().find(|key| key.column == column);
    key.is_some_and(|key| is_there(all, key.target, value))
}

/// Whether a row of this key comes with these changes.
fn is_there(all: &[Settled<'_>], table: TableId, key: &Value) -> bool {
    all.iter().any(|change| {
        let of = change.place.table;
        let own = || change.new.as_ref().and_then(|new| new.get(of.own_key()));
        of.id == table && change.old.is_none() && own() == Some(key)
    })
}

/// The roots that go with these changes, also those in whose place others come.
fn gone_of<'c>(all: &'c [Settled<'_>]) -> Vec<(TableId, &'c Value)> {
    let gone = all.iter().filter(|change| change.place.at == 0 && change.new.is_none());
    let of = |change: &'c Settled<'_>| {
        let table = change.place.table;
        Some((table.id, change.old.as_ref()?.get(table.own_key())?))
    };
    gone.filter_map(of).collect()
}

/// Whether a column of a row refers to one of these.
fn refers_among(gone: &[(TableId, &Value)], table: &Table, column: usize, row: &[Value]) -> bool {
    let key = table.foreign_keys.iter().find(|key| key.column == column);
    let value = key.and_then(|key| Some((key.target, row.get(column)?)));
    value.is_some_and(|value| gone.contains(&value))
}

/// Whether a row goes with what this column refers to, or keeps it from going.
fn follows(table: &Table, column: usize) -> bool {
    let key = table.foreign_keys.iter().find(|key| key.column == column);
    key.is_some_and(|key| key.on_delete != OnDelete::Clear)
}

/// A row that refers to what goes, and then to what comes in the place of something that goes: neither the old nor the new
/// one is there when the database would have to be told of the other.
fn moved_too_often(table: &Table) -> Fault {
    let detail = format!(
        "a {} cannot leave a row that goes for one that comes in the place of another that goes; do it in two commands",
        table.entity
    );
    Fault::Invalid(vec![Violation::at(FaultCode::CheckFailed, "", detail)])
}

fn update_each<'v>(
    all: &'v [Settled<'_>],
    updates: &'v Updates,
    written: &mut Vec<Each<'v>>,
) -> Result<(), Fault> {
    for ((_, columns), rows) in updates {
        let Some(first) = rows.first().map(|at| &all[*at]) else { continue };
        let many = Many::update(first.place, columns)?;
        let rows = rows.iter().filter_map(|at| {
            let (old, new) = (all[*at].old.as_deref()?, all[*at].new.as_deref()?);
            let mut values = picked(new, columns);
            values.extend(picked(old, &first.place.table.key));
            Some(values)
        });
        written.push(Each { many, rows: rows.collect() });
    }
    Ok(())
}

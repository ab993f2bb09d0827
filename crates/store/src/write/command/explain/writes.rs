//! What a program writes in the end.

use std::collections::{BTreeMap, BTreeSet};

use operation::{
    BROKER, Dialect, Fault, Ident, Inputs, OnDelete, Place, Program, Scalar, Table, Value,
};

use super::walk::{Walk, due};
use super::{Does, Sent, Times};
use crate::lower::cleared::{self, Cleared, Keys};
use crate::lower::{Settings, exchange, outbox, redraw};
use crate::write::{self, Gone, Many, References};

/// What is written, gathered step by step.
#[derive(Debug, Default)]
pub(super) struct Writes {
    tables: BTreeMap<(usize, Option<usize>), OfTable>,
    /// Whether events are published, and whether many.
    events: Option<bool>,
    /// Whether some of them are under keys that others may publish under.
    locked: bool,
    /// Whether somebody hears of events, or is asked for something later.
    heard: bool,
    later: bool,
    /// Whether events go to the broker.
    sends: bool,
}

/// What is written of one table.
#[derive(Debug, Default)]
struct OfTable {
    inserts: Count,
    deletes: Count,
    updates: Count,
    columns: BTreeSet<usize>,
    /// Updates that refer to what is inserted.
    late: Count,
    late_columns: BTreeSet<usize>,
}

/// How many rows.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Count {
    #[default]
    None,
    One,
    Many,
}

impl Count {
    fn add(&mut self, times: Times) {
        let many = *self != Self::None || times == Times::EachTurn;
        *self = if many { Self::Many } else { Self::One };
    }
}

impl Writes {
    fn of(&mut self, row: Place) -> &mut OfTable {
        self.tables.entry((row.target, row.part)).or_default()
    }

    /// A row is made; `to_made`: a part of a root that is made as well.
    pub fn creates(&mut self, program: &Program, row: Place, times: Times, to_made: bool) {
        self.of(row).inserts.add(times);
        if row.part.is_some() && !to_made {
            self.root_changes(program, row);
        }
    }

    /// Columns of a row change; of each is said whether it refers to a row that is made.
    pub fn updates(&mut self, program: &Program, row: Place, times: Times, set: &[(usize, bool)]) {
        let Some(target) = program.targets.get(row.target) else { return };
        let mut columns: BTreeSet<usize> = set.iter().map(|(column, _)| *column).collect();
        match row.part.and_then(|part| target.target.parts.get(part)) {
            Some(part) => {
                let none = |_: &Table| None;
                let inputs = part.computed.iter().map(|it| Inputs::of(&it.expression, &none));
                due(&part.computed, &inputs.collect::<Vec<_>>(), &mut columns, &[]);
                self.root_changes(program, row);
            }
            None => {
                due(&target.target.computed, &target.computed, &mut columns, &[]);
                columns.extend(target.target.table.version);
            }
        }
        let of = self.of(row);
        if set.iter().any(|(_, late)| *late) {
            of.late.add(times);
            of.late_columns.extend(columns);
        } else {
            of.updates.add(times);
            of.columns.extend(columns);
        }
    }

    /// A row goes; of a root with all its parts.
    pub fn deletes(&mut self, program: &Program, row: Place, times: Times) {
        self.of(row).deletes.add(times);
        let Some(target) = program.targets.get(row.target) else { return };
        let Some(part) = row.part else {
            for part in 0..target.target.parts.len() {
                self.of(Place { part: Some(part), ..row }).deletes = Count::Many;
            }
            return;
        };
        self.root_changes(program, row);
        if let Some(part) = target.target.parts.get(part).filter(|part| part.positional) {
            // Later ones move up into the places that others leave.
            let moved = (0..part.table.columns.len()).filter(|at| !part.table.key.contains(at));
            let of = self.of(row);
            of.columns.extend(moved);
            of.updates = Count::Many;
        }
    }

    /// A root changes with its parts.
    fn root_changes(&mut self, program: &Program, row: Place) {
        let (Some(target), Some(part)) = (program.targets.get(row.target), row.part) else {
            return;
        };
        let mut columns: BTreeSet<usize> = target.target.table.version.into_iter().collect();
        due(&target.target.computed, &target.computed, &mut columns, &[part]);
        let of = self.of(Place { part: None, ..row });
        of.columns.extend(columns);
        of.updates = of.updates.max(Count::One);
    }

    pub fn emits(&mut self, times: Times, locked: bool, by: &[Box<str>]) {
        self.events = Some(self.events.is_some() || times == Times::EachTurn);
        self.locked |= locked;
        self.heard |= by.iter().any(|target| **target != *BROKER);
        self.sends |= by.iter().any(|target| **target == *BROKER);
    }

    /// Leaves out inserts of rows of these.
    pub fn leave_inserts(&mut self, leaves: impl Fn(Place) -> bool) {
        for ((target, part), of) in &mut self.tables {
            if leaves(Place { target: *target, part: *part }) {
                of.inserts = Count::None;
            }
        }
    }

    /// Leaves out what happens to rows that are there.
    pub fn leave_changes(&mut self) {
        for of in self.tables.values_mut() {
            (of.updates, of.late, of.deletes) = (Count::None, Count::None, Count::None);
        }
    }

    pub fn asks(&mut self) {
        self.later = true;
    }
}

/// What is sent about rows that lose something when others go.
#[derive(Default)]
pub(super) struct Clears {
    /// Before those have gone.
    pub before: Vec<Sent>,
    /// Behind that.
    pub after: Vec<Sent>,
    /// When all else is written.
    pub redrawn: Vec<Sent>,
    /// What is asked in the end.
    pub rules: Option<Sent>,
}

impl Walk<'_> {
    /// The statements about rows, in the order in which they are sent, and the one that is awaited then.
    pub(super) fn writes_of_rows(&self) -> Result<(Vec<Sent>, Option<Sent>), Fault> {
        let mut all = Vec::new();
        let (mut deletes, mut updates, mut inserts) = (Vec::new(), Vec::new(), Vec::new());
        let (mut late, mut early) = (Vec::new(), Vec::new());
        let mut moved_to_made = false;
        let mut gone = Vec::new();
        for ((target, part), of) in &self.writes.tables {
            if part.is_none() && of.deletes > Count::None {
                let table = self.at(Place { target: *target, part: *part })?;
                gone.push((&**table, of.deletes == Count::Many));
            }
        }
        let names: Vec<Ident> = gone.iter().map(|(table, _)| table.name.clone()).collect();
        let cleared = self.cleared(&names);
        let redraws = || cleared.iter().flat_map(|(cleared, _)| &cleared.redraws);
        let mut leaving = Vec::new();
        for ((target, part), of) in &self.writes.tables {
            let place = Place { target: *target, part: *part };
            let table = self.at(place)?;
            // What rows lose that are written, too, they are given with the rest.
            let stages = redraws().flat_map(|redraw| &redraw.stages);
            let drawn: Vec<usize> = stages
                .filter(|stage| stage.table.id == table.id)
                .flat_map(|stage| stage.set.iter().map(|(column, _)| *column))
                .collect();
            let id = self.program.id;
            let placed = write::Place { target: id, at: part.map_or(0, |part| part + 1), table };
            // Rows of one root may swap unique values: then they go and come anew.
            let unique = table
                .uniques
                .iter()
                .any(|unique| unique.columns.iter().any(|at| of.columns.contains(at)));
            let anew =
                part.is_some() && unique && of.updates > Count::None && !self.is_referred(table);
            if of.deletes > Count::None || anew {
                let often = of.deletes == Count::Many || anew;
                deletes.push((table, self.many(&Many::delete(placed)?, often)?));
            }
            let columns = |columns: &BTreeSet<usize>| -> Vec<usize> {
                columns
                    .iter()
                    .copied()
                    .chain(drawn.iter().copied())
                    .collect::<BTreeSet<_>>()
                    .into_iter()
                    .collect()
            };
            if of.updates > Count::None {
                let columns = columns(&of.columns);
                let many = Many::update(placed, &columns)?;
                let sent = self.many(&many, of.updates == Count::Many)?;
                if self.leaves(table, &columns) {
                    leaving.push(&**table);
                    early.push(sent.clone());
                }
                updates.push(sent);
            }
            if of.inserts > Count::None || anew {
                let often = of.inserts == Count::Many || anew;
                inserts.push((table, self.many(&Many::insert(placed)?, often)?));
            }
            if of.late > Count::None {
                let columns = columns(&of.late_columns);
                let many = Many::update(placed, &columns)?;
                let sent = self.many(&many, of.late == Count::Many)?;
                if self.leaves(table, &columns) {
                    moved_to_made = true;
                    leaving.push(&**table);
                    early.push(sent.clone());
                }
                late.push(sent);
            }
        }
        // What is referred to goes after what refers to it.
        let deletes = in_order(deletes).into_iter().rev();
        let inserts = in_order(inserts);
        let first = if moved_to_made { inserts.clone() } else { Vec::new() };
        let Clears { before, after, redrawn, rules } = self.clears(&gone, &leaving)?;
        let written = first.into_iter().chain(early).chain(before).chain(deletes).chain(after);
        let written = written.chain(updates);
        all.extend(written.chain(inserts).chain(late).chain(redrawn));
        Ok((all, rules))
    }

    /// Whether rows of a table may be taken away from a row that goes, before that would take them along.
    fn leaves(&self, table: &Table, columns: &[usize]) -> bool {
        let going = |id| {
            self.writes.tables.iter().any(|((target, part), of)| {
                let of_root = part.is_none() && of.deletes > Count::None;
                let target = self.program.targets.get(*target);
                of_root && target.is_some_and(|target| target.target.table.id == id)
            })
        };
        let keys = table.foreign_keys.iter().filter(|key| columns.contains(&key.column));
        keys.filter(|key| key.on_delete != OnDelete::Clear).any(|key| going(key.target))
    }

    fn is_referred(&self, table: &Table) -> bool {
        self.tables.iter().any(|other| other.foreign_keys.iter().any(|key| key.target == table.id))
    }

    /// Rows that refer to rows which go: the versions of those whose references the database clears are raised, before that or, where they are
    /// but noted then, after it. Of some tables many go. `leaving`: those of which rows may have changed before.
    pub(super) fn clears(
        &self,
        gone: &[(&Table, bool)],
        leaving: &[&Table],
    ) -> Result<Clears, Fault> {
        let mut of: Vec<(&Table, bool)> = Vec::new();
        for (table, often) in gone {
            match of.iter_mut().find(|(known, _)| known.id == table.id) {
                Some((_, often)) => *often = true,
                None => of.push((table, *often)),
            }
        }
        let keys = |many: bool| -> Vec<(Scalar, usize)> {
            let keys = of.iter().map(|(table, often)| {
                let scalar =
                    table.columns.get(table.own_key()).map_or(Scalar::Text, |it| it.scalar);
                (scalar, if many && *often { 2 } else { 1 })
            });
            keys.collect()
        };
        let lower = |at: usize, cleared: &Cleared, most: bool| {
            let but = leaving.iter().find(|table| most && table.name == cleared.table);
            let keys = keys(most);
            let keys = Keys { gone: &keys, but: but.map(|table| (*table, 1)) };
            match self.dialect {
                Dialect::Postgres => cleared::note(cleared, at, keys),
                Dialect::Sqlite => cleared::raise(self.dialect, cleared, keys),
            }
        };
        let names: Vec<Ident> = of.iter().map(|(table, _)| table.name.clone()).collect();
        let mut clears = Clears::default();
        let Clears { before, after, redrawn, rules } = &mut clears;
        let all = self.cleared(&names);
        if self.dialect == Dialect::Postgres {
            let mut late = self.going_late.clone();
            late.sort_by_key(|table| table.rank);
            late.dedup_by_key(|table| table.id);
            let gone = Gone::of(late.iter().map(|table| (table.clone(), Value::Null)));
            let late = late.into_iter().map(|table| (table, Vec::new())).collect();
            let order = self.held_in_order(late, &gone, (Settings::default(), false))?;
            let leads = order.iter().any(|sent| sent.does == Some(Does::HoldsAlong));
            before.extend(order.into_iter().filter(|_| leads));
        }
        for (at, (cleared, entity)) in all.iter().enumerate() {
            for redraw in &cleared.redraws {
                let keep = |most: bool| {
                    let (cleared, named) = cleared.of_redraw(redraw).of_named();
                    let all = keys(most);
                    let keys: Vec<_> =
                        named.iter().filter_map(|at| all.get(*at).copied()).collect();
                    let keys = Keys { gone: &keys, but: None };
                    redraw::keep(self.dialect, (&cleared, redraw), keys)
                };
                let (text, one) = (keep(true)?.text, keep(false)?.text);
                let of_one = (one != text).then_some(one);
                let that = Sent::that(Does::KeepsWhoLoses, text);
                before.push(Sent { entity: entity.clone(), of_one, ..that });
            }
            redrawn.extend(self.redrawn(cleared)?);
            let (text, one) = (lower(at, cleared, true)?.text, lower(at, cleared, false)?.text);
            let of_one = (one != text).then_some(one);
            if self.dialect == Dialect::Postgres {
                let text = cleared::raise_noted(cleared, at)?.text;
                after.push(Sent { entity: entity.clone(), ..Sent::plain(text) });
            }
            before.push(Sent { entity: entity.clone(), of_one, ..Sent::plain(text) });
        }
        let cleared: Vec<Cleared> = all.into_iter().map(|(cleared, _)| cleared).collect();
        let of = write::redraw::rules(&cleared);
        if !of.is_empty() {
            let text = redraw::broken(self.dialect, &of, &write::redraw::moment(&of))?.text;
            *rules = Some(Sent::that(Does::LooksAtRules, text));
        }
        Ok(clears)
    }

    /// The statements that work out what is computed of rows which lose something.
    pub(super) fn redrawn(&self, cleared: &Cleared) -> Result<Vec<Sent>, Fault> {
        let mut sent = Vec::new();
        for redraw in &cleared.redraws {
            for stage in &redraw.stages {
                let text = redraw::work_out(self.dialect, redraw, stage)?.text;
                let entity = Some(stage.table.entity.clone());
                sent.push(Sent { entity, ..Sent::that(Does::WorksOut, text) });
            }
        }
        Ok(sent)
    }

    /// The statement that insists on the rules of rows which lose something when one of this table goes.
    pub(super) fn insisted_when_lost(&self, gone: &[Ident]) -> Result<Option<Sent>, Fault> {
        let cleared: Vec<Cleared> =
            self.cleared(gone).into_iter().map(|(cleared, _)| cleared).collect();
        let of = write::redraw::rules(&cleared);
        if of.is_empty() {
            return Ok(None);
        }
        let text = redraw::insist(&of, &write::redraw::moment(&of))?.text;
        Ok(Some(Sent::that(Does::LooksAtRules, text)))
    }

    /// What is cleared when rows of these tables go, each with the entity whose versions rise.
    pub(super) fn cleared(&self, gone: &[Ident]) -> Vec<(Cleared, Option<Box<str>>)> {
        let (tables, references) = (self.known, References::of(self.tables));
        let entity = |cleared: &Cleared| {
            let of = self.tables.iter().find(|of| of.name == cleared.table);
            of.map(|table| table.entity.clone())
        };
        let cleared = tables.cleared(&references, gone).into_iter();
        cleared.map(|cleared| (entity(&cleared), cleared)).map(|(of, it)| (it, of)).collect()
    }

    /// Events and tasks.
    pub(super) fn publishes(&self) -> Result<Vec<Sent>, Fault> {
        let said = self.writes.events.map(|often| self.said(often)).transpose()?;
        let asked = (self.writes.heard || self.writes.later).then(|| self.asked()).transpose()?;
        Ok(self
            .keys_locked()
            .into_iter()
            .chain(said)
            .chain(self.sent_out()?)
            .chain(asked)
            .collect())
    }

    /// Whoever publishes under the same key waits.
    pub(super) fn keys_locked(&self) -> Option<Sent> {
        let locks = self.dialect == Dialect::Postgres && self.writes.locked;
        locks.then(|| Sent::plain(outbox::lock_key().text))
    }

    /// What writes events that are known; `often`: many at once.
    pub(super) fn said(&self, often: bool) -> Result<Sent, Fault> {
        let table = outbox::events(self.dialect);
        let placed = write::Place { target: self.program.id, at: 1, table };
        Ok(Sent { entity: None, ..self.many(&Many::insert(placed)?, often)? })
    }

    /// What goes to the broker.
    pub(super) fn sent_out(&self) -> Result<Option<Sent>, Fault> {
        if !self.writes.sends {
            return Ok(None);
        }
        let table = exchange::outgoing(self.dialect);
        let placed = write::Place { target: self.program.id, at: 15, table };
        let often = self.writes.events.unwrap_or_default();
        Ok(Some(Sent { entity: None, ..self.many(&Many::insert(placed)?, often)? }))
    }

    /// What asks for a task that is known.
    pub(super) fn asked(&self) -> Result<Sent, Fault> {
        Ok(Sent { each_row: true, ..Sent::plain(outbox::add(self.dialect, None)?.text) })
    }
}

/// Inserts in the order in which they are sent: what is referred to comes before what refers to it.
fn in_order(mut waiting: Vec<(&std::sync::Arc<Table>, Sent)>) -> Vec<Sent> {
    let mut ordered = Vec::with_capacity(waiting.len());
    while !waiting.is_empty() {
        let free = waiting.iter().position(|(table, _)| {
            table.foreign_keys.iter().all(|key| {
                key.target == table.id || !waiting.iter().any(|(other, _)| other.id == key.target)
            })
        });
        ordered.push(waiting.remove(free.unwrap_or(0)).1);
    }
    ordered
}

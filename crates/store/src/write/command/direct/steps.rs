//! Direct commands that are sent step by step: each statement sees what those before it have done.
//!
//! ```text
//! steps ─► what is sent, in their order     keys looked up ahead ─► locks ─► what is sent ─► what must be true in the end
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use operation::{
    Course, Creation, Direct, DirectRow, Expression, Fault, MOST_ROWS, MadeRow, Named, Place,
    Program, Published, Redraw, Step, Table, TableId, Value,
};

use super::super::super::outbox::Asking;
use super::super::super::{Asked, Database, Failure, Key, Kind, Load};
use super::super::{Flow, Running, bounded, ill_formed, lock_of};
use super::make::Making;
use super::tell::Tellings;
use super::{Doing, Stated, Stating, Worded, answers_more, gone_of, insisted, key_of, not_so};
use crate::lower::cleared::{self, Cleared};
use crate::lower::{self, Lock, Settings};

/// As many statements as it sends: of more it is less work to load rows and write many at once.
const MOST_DEEDS: usize = 512;

/// What is sent. The values are what the binds hold then.
pub(super) enum Deed<'p> {
    /// A value is looked up and kept.
    Keep(usize, Arc<[Value]>),
    /// Something must be among what was looked up ahead.
    Held(usize, Arc<[Value]>),
    /// Something must be true.
    Insist(usize, Arc<[Value]>),
    /// A row changes, or is answered.
    Row(Doing, Arc<[Value]>),
    /// The version of a row that goes is kept, since another one may take its place.
    Leave(usize, Arc<[Value]>),
    /// Rows are noted that refer to one which goes, and their versions rise when it has gone.
    Note(usize, Arc<[Value]>),
    Raise(usize),
    /// A row is made: behind the binds stand its columns.
    Make(Arc<Table>, Making<'p>, Vec<Value>),
    /// An event is published, or something is asked for, by position.
    Event(usize),
    Task(usize),
    /// The answer is put into words.
    Answer(Worded, Arc<[Value]>),
}

/// What a command that is sent step by step has come to.
#[derive(Default)]
pub(super) struct Steps<'p> {
    deeds: Vec<Deed<'p>>,
    /// What is looked up ahead, in each turn.
    sites: BTreeMap<usize, Vec<Arc<[Value]>>>,
    /// Which events are told under what is looked up ahead.
    told: BTreeMap<usize, BTreeSet<Box<str>>>,
    /// Rows of which something must be true in the end: how, and their keys.
    ends: Vec<(usize, Value, Arc<[Value]>)>,
    /// The same of what only this turn of a loop can name: one for each, since each has one key that is kept.
    turn_ends: Vec<(usize, Arc<[Value]>)>,
    /// Rows that go, one of each table, where rules draw on what others lose by that.
    losing: Vec<usize>,
    /// Rows that go, as far as their keys are known.
    going: Vec<(TableId, Value)>,
}

impl<'p, D: Database> Stating<'_, 'p, D> {
    fn now(&self) -> Arc<[Value]> {
        self.running.binds.as_slice().into()
    }

    fn do_next(&mut self, deed: Deed<'p>) -> Result<(), Fault> {
        if self.steps.deeds.len() >= MOST_DEEDS {
            return Err(not_so());
        }
        self.steps.deeds.push(deed);
        Ok(())
    }

    /// Notes the rows that the caller named inside other values, and what must be true of each.
    pub(super) fn look_at_named(&mut self, named: &[Named]) -> Result<(), Fault> {
        let direct = self.direct;
        if named.len() > MOST_ROWS {
            return Err(not_so());
        }
        for Named { visible, key, .. } in named {
            let Some(row) = direct.named.get(*visible).copied().flatten() else { continue };
            let binds = self.with_key(key);
            let Some(Some(course)) = direct.naming_each.get(*visible) else {
                let (key, changes, binds) = (key.clone(), false, binds.into());
                self.stated.push(Stated { row, key, changes, binds });
                continue;
            };
            let before = std::mem::replace(&mut self.running.binds, binds);
            self.look_at_step(course)?;
            self.running.binds = before;
        }
        Ok(())
    }

    /// Notes what a step looks at, keeps and insists on.
    pub(super) fn look_at_step(&mut self, course: &Course) -> Result<(), Fault> {
        let now = self.now();
        for row in &course.looks {
            let made = self.direct.rows.get(*row).is_none_or(|row| row.made);
            let key = if made { Value::Null } else { key_of(self.direct, *row, &now)? };
            if !key.is_null() {
                let (row, changes, binds) = (*row, false, now.clone());
                self.stated.push(Stated { row, key, changes, binds });
            }
        }
        let (rows, texts): (Vec<usize>, Vec<usize>) = course.sites.iter().partition(|site| {
            self.direct.sites.get(**site).is_some_and(|site| site.table.is_some())
        });
        for site in rows.iter().chain(&texts) {
            self.steps.sites.entry(*site).or_default().push(now.clone());
        }
        for site in rows {
            self.do_next(Deed::Held(site, now.clone()))?;
        }
        for keep in &course.keeps {
            self.do_next(Deed::Keep(*keep, now.clone()))?;
        }
        for site in texts {
            self.do_next(Deed::Held(site, now.clone()))?;
        }
        for insist in &course.insists {
            self.do_next(Deed::Insist(*insist, now.clone()))?;
        }
        Ok(())
    }

    /// Changes a row at its step.
    pub(super) fn change_at_step(&mut self, row: usize) -> Result<(), Fault> {
        let now = self.now();
        let of = self.direct.rows.get(row).ok_or_else(|| ill_formed("no such row"))?;
        self.look_in_the_end(of.ends, &now)?;
        let root = of.root;
        let doing = Doing { row, changes: true, answered: false, each: false };
        self.do_next(Deed::Row(doing, now))?;
        root.map_or(Ok(()), |root| self.change_at_step(root))
    }

    fn look_in_the_end(&mut self, ends: Option<usize>, now: &Arc<[Value]>) -> Result<(), Fault> {
        let Some(end) = ends else { return Ok(()) };
        if self.direct.ends_with_turn(end) {
            if self.steps.turn_ends.iter().all(|(of, _)| *of != end) {
                self.steps.turn_ends.push((end, now.clone()));
            }
            return Ok(());
        }
        let key = key_of(self.direct, end, now)?;
        if !self.steps.ends.iter().any(|(of, known, _)| *of == end && *known == key) {
            self.steps.ends.push((end, key, now.clone()));
        }
        Ok(())
    }

    /// Where a turn of a loop begins.
    pub(super) fn begin_turn(&mut self) -> Vec<(usize, Arc<[Value]>)> {
        std::mem::take(&mut self.steps.turn_ends)
    }

    /// Where it ends: what it alone can name is looked at, though a later one may do something about it that would make it right. Then
    /// nothing is done, and rows are loaded.
    pub(super) fn end_turn(&mut self, outside: Vec<(usize, Arc<[Value]>)>) -> Result<(), Fault> {
        for (row, now) in std::mem::replace(&mut self.steps.turn_ends, outside) {
            let doing = Doing { row, changes: false, answered: false, each: false };
            self.do_next(Deed::Row(doing, now))?;
        }
        Ok(())
    }

    /// Deletes a row at its step. The database takes along and clears what the model says, or nothing is sent.
    pub(super) fn delete_at_step(&mut self, row: usize, place: Place) -> Result<(), Fault> {
        // Nothing refers to a part.
        if place.part.is_some() {
            return self.change_at_step(row);
        }
        let now = self.now();
        let of = self.direct.rows.get(row).ok_or_else(|| ill_formed("no such row"))?;
        let (tables, references) = self.running.writing.database.tables();
        if !self.takes_its_parts(place) || !tables.are_referred_to_as_told(references, of.table.id)
        {
            return Err(not_so());
        }
        let cleared = tables.cleared(references, std::slice::from_ref(&of.table.name));
        if cleared.iter().any(|cleared| cleared.own.is_none()) {
            return Err(not_so());
        }
        let raises = !cleared.is_empty();
        self.note_going(row, &now)?;
        let ruled = cleared.iter().flat_map(|it| &it.redraws).any(|it| !it.rules.is_empty());
        let is_known = |known: &usize| {
            let known = self.direct.rows.get(*known);
            known.is_some_and(|known| known.table.id == of.table.id)
        };
        if ruled && !self.steps.losing.iter().any(is_known) {
            self.steps.losing.push(row);
        }
        if self.direct.is_taken_by_others(of) {
            self.do_next(Deed::Leave(row, now.clone()))?;
        }
        if raises {
            self.do_next(Deed::Note(row, now.clone()))?;
        }
        let doing = Doing { row, changes: true, answered: false, each: false };
        self.do_next(Deed::Row(doing, now))?;
        if raises { self.do_next(Deed::Raise(row)) } else { Ok(()) }
    }

    /// Notes that a row goes, by its key where that is not looked up.
    fn note_going(&mut self, row: usize, now: &[Value]) -> Result<(), Fault> {
        let direct = self.direct;
        let of = direct.rows.get(row).ok_or_else(|| ill_formed("no such row"))?;
        let is_known = of.site.is_none() && !matches!(of.key, Expression::Lookup { .. });
        let key = if is_known { key_of(direct, row, now)? } else { Value::Null };
        if !key.is_null() {
            self.steps.going.push((of.table.id, key));
        }
        Ok(())
    }

    /// Makes a row at its step, as far as it is known.
    pub(super) async fn make_at_step(
        &mut self,
        at: usize,
        made: &MadeRow,
        creation: &Creation,
    ) -> Result<(), Fault> {
        let (table, row) = self.as_known(made, creation).await?;
        let key = row.get(table.own_key()).cloned().unwrap_or_default();
        if self.direct.keeps_made {
            self.keep_made(&table, creation, &row)?;
        }
        if let Some(bind) = creation.bind {
            self.running.fill(bind, key);
        }
        let now = self.now();
        let values = now.iter().cloned().chain(row).collect();
        let making = Making { direct: self.direct, at, binds: Vec::new() };
        self.do_next(Deed::Make(table, making, values))?;
        if let Some(root) = made.root {
            self.change_at_step(root)?;
        }
        self.look_in_the_end(made.ends, &now)
    }

    /// Keeps a row that is made, since branches ask for it. What of it is not known they do not ask for.
    fn keep_made(
        &mut self,
        table: &Arc<Table>,
        creation: &Creation,
        row: &[Value],
    ) -> Result<(), Fault> {
        let rows = &mut self.running.rows;
        let Some(root) = table.root.filter(|_| creation.root.is_some()) else {
            let key = row.get(table.own_key()).cloned().unwrap_or_default();
            if key.is_null() {
                return Ok(());
            }
            let target = self.running.program.targets.get(creation.row.target);
            let target = target.ok_or_else(|| ill_formed("no such target"))?;
            if !rows.add(table, key.clone(), row.to_vec()) {
                return Err(not_so());
            }
            target.target.parts.iter().for_each(|part| rows.no_parts(&part.table, &key));
            return bounded(rows.count);
        };
        let root = row.get(root).cloned().unwrap_or_default();
        if root.is_null() {
            return Ok(());
        }
        rows.add_part(table, &root, row.to_vec());
        bounded(rows.count)
    }

    /// Notes that an event is told under what was looked up ahead.
    pub(super) fn tell_under(&mut self, course: &Course, event: usize) {
        let Some(event) = self.running.program.events.get(event) else { return };
        for site in &course.sites {
            if self.direct.sites.get(*site).is_some_and(|site| site.table.is_none()) {
                self.steps.told.entry(*site).or_default().insert(event.name.clone());
            }
        }
    }

    /// Answers what a step returns.
    pub(super) fn answer_at_step(
        &mut self,
        row: Option<usize>,
        said: usize,
    ) -> Result<Flow, Fault> {
        let now = self.now();
        let worded = match row {
            Some(_) => self.worded(row, None),
            None => Some(Worded::Value(said)),
        };
        if let Some(row) = row.filter(|_| !answers_more(self.running.program)) {
            self.answered = Some(row);
            let doing = Doing { row, changes: false, answered: true, each: false };
            self.do_next(Deed::Row(doing, now.clone()))?;
        }
        if let Some(worded) = worded {
            self.words = true;
            self.do_next(Deed::Answer(worded, now))?;
        }
        Ok(Flow::Returned(None))
    }

    /// What was published and asked for since: `before` says how much of each there was.
    pub(super) fn tell_at_step(
        &mut self,
        before: (usize, usize),
        step: &Step,
    ) -> Result<(), Fault> {
        if matches!(step, Step::For { .. } | Step::If { .. } | Step::Run { .. }) {
            return Ok(());
        }
        for event in before.0..self.running.published.len() {
            self.do_next(Deed::Event(event))?;
        }
        for task in before.1..self.running.asking.len() {
            self.do_next(Deed::Task(task))?;
        }
        Ok(())
    }

    /// Sends all of it.
    pub(super) async fn send_steps(&mut self) -> Result<(), Fault> {
        let published = std::mem::take(&mut self.running.published);
        let asking = std::mem::take(&mut self.running.asking);
        let Steps { deeds, sites, mut told, ends, losing, going, .. } =
            std::mem::take(&mut self.steps);
        if !published.is_empty() {
            for site in self.direct.texts() {
                told.entry(site).or_default();
            }
        }
        self.look_ahead(&sites).await.map_err(Failure::into_fault)?;
        self.hold_at_steps(&sites, going).await?;
        self.draw_keys().await?;
        let direct = self.direct;
        let of = (direct.id, direct);
        let Running { writing, unlocked, .. } = &mut self.running;
        let locked = match told.is_empty() {
            true => writing.lock_keys(&published, unlocked).await,
            false => writing.lock_found_keys((&published, unlocked), &told, of).await,
        };
        locked.map_err(Failure::into_fault)?;
        let is_asked_about = |of: &Stated| {
            direct.rows.get(of.row).is_some_and(|row| row.condition != Expression::yes())
        };
        self.stated.retain(is_asked_about);
        self.send_rows().await?;
        let mut tellings = self.tellings();
        for deed in deeds {
            let sent = match deed {
                Deed::Event(at) => self.send_event(at, &published, &mut tellings).await,
                Deed::Task(at) => self.send_task(at, &asking, &mut tellings).await,
                deed => self.send_deed(deed).await,
            };
            sent.map_err(Failure::into_fault)?;
        }
        self.running.writing.send_out(&asking).await.map_err(Failure::into_fault)?;
        for (row, _, binds) in ends {
            let doing = Doing { row, changes: false, answered: false, each: false };
            let sent = self.send_deed(Deed::Row(doing, binds)).await;
            sent.map_err(Failure::into_fault)?;
        }
        for row in losing {
            let cleared = self.cleared_with(row)?;
            let insisted = self.running.writing.insist_on_redrawn(&cleared).await;
            insisted.map_err(Failure::into_fault)?;
        }
        Ok(())
    }

    /// Looks up what rows are found by, and under what something is told, in all turns.
    async fn look_ahead(
        &mut self,
        sites: &BTreeMap<usize, Vec<Arc<[Value]>>>,
    ) -> Result<(), Failure> {
        let (direct, target) = (self.direct, self.direct.id);
        for (place, turns) in sites {
            if direct.sites.get(*place).is_none_or(|site| site.ahead.is_empty()) {
                continue;
            }
            let turns: Vec<&[Value]> = turns.iter().map(|binds| &**binds).collect();
            let binds = turns.first().map_or(0, |binds| binds.len());
            let key = Key { target, place: *place, kind: Kind::Find, columns: 1 << 62, binds };
            let lower = |hints: &[Value]| lower::ahead::look(Settings::of(direct), *place, hints);
            self.running.writing.database.for_each(key, lower, &turns).await?;
        }
        Ok(())
    }

    /// Locks all rows that steps look at, and what goes along with those that go.
    async fn hold_at_steps(
        &mut self,
        sites: &BTreeMap<usize, Vec<Arc<[Value]>>>,
        going: Vec<(TableId, Value)>,
    ) -> Result<(), Fault> {
        let (program, direct) = (self.running.program, self.direct);
        let mut loads: BTreeMap<u32, Load> = BTreeMap::new();
        let mut load_of = |table: &Arc<Table>, key: Option<Value>| {
            let load = loads.entry(table.rank).or_insert_with(|| Load {
                target: direct.id,
                table: table.clone(),
                column: table.own_key(),
                values: Vec::new(),
                lock: lock_of(program, table, true),
                held: false,
            });
            load.values.extend(key);
        };
        for Stated { row, key, .. } in &self.stated {
            let row = direct.rows.get(*row).ok_or_else(|| ill_formed("no such row"))?;
            load_of(&row.table, Some(key.clone()));
        }
        for site in sites.keys() {
            if let Some(table) = direct.sites.get(*site).and_then(|site| site.table.as_ref()) {
                load_of(table, None);
            }
        }
        let sites_of = |load: Load| {
            let sites = direct.sites_of(load.table.id);
            (load, sites)
        };
        let loads = loads.into_values().map(sites_of).collect();
        let of = (direct.id, Settings::of(direct), true);
        let held = self.running.writing.hold_in_order(loads, &gone_of(direct, going), of).await;
        held.map_err(Failure::into_fault)
    }

    async fn send_deed(&mut self, deed: Deed<'p>) -> Result<(), Failure> {
        let (program, direct) = (self.running.program, self.direct);
        let target = direct.id;
        let database = &mut self.running.writing.database;
        match deed {
            Deed::Keep(place, binds) => {
                let key = Key { target, place, kind: Kind::Find, columns: 0, binds: binds.len() };
                let lower = || lower::found::find(Settings::of(direct), place, &binds);
                database.run(Asked::Kept(key), lower, binds.iter()).await.map(drop)
            }
            Deed::Held(place, binds) => {
                let (kind, binds_of) = (Kind::Sure, binds.len());
                let key = Key { target, place, kind, columns: 1 << 62, binds: binds_of };
                let site = (place, site_lock(program, direct, place));
                let lower = || lower::ahead::is_among(Settings::of(direct), site, &binds);
                database.run(Asked::Kept(key), lower, binds.iter()).await.map(drop)
            }
            Deed::Insist(place, binds) => {
                let (kind, binds_of) = (Kind::Sure, binds.len());
                let key = Key { target, place, kind, columns: 1 << 63, binds: binds_of };
                let lower = || insisted(direct, place, &binds);
                database.run(Asked::Kept(key), lower, binds.iter()).await.map(drop)
            }
            Deed::Row(doing, binds) => self.send_row(doing, &binds).await,
            Deed::Leave(place, binds) => {
                let row = direct.rows.get(place).ok_or_else(|| ill_formed("no such row"))?;
                let (kind, columns) = (Kind::Update, 1 << 60);
                let key = Key { target, place, kind, columns, binds: binds.len() };
                let of = (&*row.table, &row.key);
                let lower = || lower::direct::leave(Settings::of(direct), of, &binds);
                database.run(Asked::Kept(key), lower, binds.iter()).await.map(drop)
            }
            Deed::Note(row, binds) => self.note_at_step(row, &binds).await,
            Deed::Raise(row) => {
                let cleared = self.cleared_with(row)?;
                self.running.writing.raise_noted(&cleared).await?;
                self.running.writing.work_out(&cleared).await
            }
            Deed::Make(table, making, values) => {
                self.running.send_alike(direct, &table, making.at, &[values]).await
            }
            Deed::Answer(worded, binds) => self.put_into_words(&worded, &binds).await,
            Deed::Event(_) | Deed::Task(_) => Err(ill_formed("it is told by itself").into()),
        }
    }

    /// What is cleared when a row goes.
    fn cleared_with(&self, row: usize) -> Result<Vec<Cleared>, Fault> {
        let row = self.direct.rows.get(row).ok_or_else(|| ill_formed("no such row"))?;
        let (tables, references) = self.running.writing.database.tables();
        Ok(tables.cleared(references, std::slice::from_ref(&row.table.name)))
    }

    /// Notes the rows that refer to one which goes.
    async fn note_at_step(&mut self, place: usize, binds: &[Value]) -> Result<(), Failure> {
        let (direct, target) = (self.direct, self.direct.id);
        let row = direct.rows.get(place).ok_or_else(|| ill_formed("no such row"))?;
        let all_cleared = self.cleared_with(place)?;
        let mut kept = 0;
        for (at, cleared) in all_cleared.iter().enumerate() {
            let columns = 1 << 62 | at as u128;
            let key = Key { target, place, kind: Kind::Update, columns, binds: binds.len() };
            let lower = || lower_cleared(direct, row, (cleared, at), binds);
            let database = &mut self.running.writing.database;
            database.run(Asked::Kept(key), lower, binds.iter()).await?;
            for redraw in &cleared.redraws {
                let key = Key { columns: 1 << 61 | kept, ..key };
                kept += 1;
                let lower = || lower_kept(direct, row, (cleared, redraw), binds);
                database.run(Asked::Kept(key), lower, binds.iter()).await?;
            }
        }
        Ok(())
    }

    async fn send_event(
        &mut self,
        at: usize,
        published: &[Published],
        tellings: &mut Tellings,
    ) -> Result<(), Failure> {
        let event = published.get(at).ok_or_else(|| ill_formed("no such event"))?;
        self.tell_event_at(at, event, tellings).await
    }

    async fn send_task(
        &mut self,
        at: usize,
        asking: &[Asking],
        tellings: &mut Tellings,
    ) -> Result<(), Failure> {
        let asking = asking.get(at).ok_or_else(|| ill_formed("no such task"))?;
        self.tell_task_at(at, asking, tellings).await
    }
}

/// How rows are locked that are looked up ahead at a place.
pub(in super::super) fn site_lock(program: &Program, direct: &Direct, at: usize) -> Lock {
    let table = direct.sites.get(at).and_then(|site| site.table.as_ref());
    table.map_or(Lock::Free, |table| lock_of(program, table, true))
}

/// The statement that keeps which rows lose something with a row that goes.
pub(in super::super) fn lower_kept(
    direct: &Direct,
    row: &DirectRow,
    (cleared, redraw): (&Cleared, &Redraw),
    binds: &[Value],
) -> Result<lower::Statement, Fault> {
    let cleared = cleared.of_redraw(redraw);
    let key = (&row.key, key_scalar(row)?);
    lower::redraw::keep_by(Settings::of(direct), (&cleared, redraw), key, binds)
}

fn key_scalar(row: &DirectRow) -> Result<operation::Scalar, Fault> {
    let column = row.table.columns.get(row.table.own_key());
    column.map(|column| column.scalar).ok_or_else(|| ill_formed("no key"))
}

/// The statement that notes the rows which refer to a row that goes.
pub(in super::super) fn lower_cleared(
    direct: &Direct,
    row: &DirectRow,
    cleared: (&Cleared, usize),
    binds: &[Value],
) -> Result<lower::Statement, Fault> {
    cleared::note_by(Settings::of(direct), cleared, (&row.key, key_scalar(row)?), binds)
}

//! What a direct command sends, and what an `Idempotency-Key` adds to a command.

use operation::{
    BROKER, Carried, Course, Dialect, Direct, DirectRow, Fault, Finding, Form, How, Ident, Place,
    Program, Step, Value,
};

use super::super::super::{Many, Place as Written};
use super::super::direct::{
    Doing, Worded, answers_more, found_keys, gone_of, insisted, lower_answer, lower_made,
    lower_told, lower_total, statement,
};
use super::super::lock_of;
use super::walk::Walk;
use super::writes::Clears;
use super::{Does, Purpose, Sent, Times, Trip};
use crate::lower::{self, Settings, Under, ill_formed, receipt};

/// A row of which only the database knows all: where it is made, how, and whether in a loop.
type Made = (Place, usize, bool);

/// An event, and whether it stands in a loop: at which place something is told of rows, and what it carries.
type Event<'p> = (Option<(usize, &'p [Carried])>, bool);

/// What is to be done after a command: something told of rows, or not; or an event is heard in the lane of a key that only the database
/// knows.
enum Asks<'p> {
    Known,
    Told(usize, &'p [Carried], bool),
    Heard(Under),
}

/// What a program says, in order, and which of its rows change. Of what is told of rows it names the place, what is carried, and
/// whether that stands in a loop.
#[derive(Default)]
struct Says<'p> {
    events: Vec<Event<'p>>,
    tasks: Vec<Asks<'p>>,
    /// Each with whether it surely does.
    changed: Vec<(usize, bool)>,
    /// Rows that are made of what is known, and others.
    known: Vec<Place>,
    made: Vec<Made>,
    /// Whether what is walked over stands in a branch, and in a loop.
    within: bool,
    turns: bool,
}

impl<'p> Says<'p> {
    fn add(
        &mut self,
        (program, direct): (&Program, &Direct),
        steps: &'p [Step],
        courses: &'p [Course],
    ) {
        let all_within = self.within;
        for (step, course) in steps.iter().zip(courses) {
            let told = match course.how {
                How::Told(told) => Some(told),
                _ => None,
            };
            match (&course.how, step) {
                (_, Step::Emit { event, members, .. }) => {
                    self.events.push((told.map(|told| (told, &**members)), self.turns));
                    let heard = program.events.get(*event).map_or(&[][..], |event| &*event.by);
                    if heard.iter().any(|target| **target != *BROKER) {
                        let key = told.and_then(|told| direct.told.get(told)?.key);
                        let heard = key.and_then(|bind| Under::of(direct, bind)).map(Asks::Heard);
                        self.tasks.push(heard.unwrap_or(Asks::Known));
                    }
                }
                (_, Step::Later { arguments, .. }) => {
                    let told = told.map(|told| Asks::Told(told, arguments, self.turns));
                    self.tasks.push(told.unwrap_or(Asks::Known));
                }
                (How::Made(made), Step::Create(creation)) => {
                    let root = direct.made.get(*made).and_then(|made| made.root);
                    self.changed.extend(root.map(|root| (root, !self.within && !self.turns)));
                    self.made.push((creation.row, *made, self.turns));
                }
                (_, Step::Create(creation)) => self.known.push(creation.row),
                (How::Changed { row, .. }, _) => self.changed.push((*row, !self.within)),
                (How::Turns { body: courses, .. }, Step::For { body, .. }) => {
                    let outside = std::mem::replace(&mut self.turns, true);
                    self.add((program, direct), body, courses);
                    self.turns = outside;
                }
                (How::Body(courses), Step::Run { body, .. }) => {
                    self.add((program, direct), body, courses);
                }
                (
                    How::Branches { then: courses, otherwise: other, .. },
                    Step::If { then, otherwise, .. },
                ) => {
                    let outside = std::mem::replace(&mut self.within, true);
                    self.add((program, direct), then, courses);
                    self.add((program, direct), otherwise, other);
                    // What comes behind a `return` comes in the other branch only.
                    self.within = outside || may_return(then) || may_return(otherwise);
                }
                _ => {}
            }
        }
        self.within = all_within;
    }
}

impl Walk<'_> {
    /// All that a direct command sends: what it says of rows is stated, and nothing is awaited before the end.
    pub(super) fn end_directly(mut self, direct: &Direct) -> Result<Trip, Fault> {
        if direct.in_steps {
            return self.end_in_steps(direct);
        }
        let program = self.program;
        let mut says = Says::default();
        says.add((program, direct), &program.body, &direct.steps);
        let mut rows = Vec::with_capacity(direct.rows.len());
        let mut gone = Vec::new();
        for (at, row) in direct.rows.iter().enumerate() {
            let mut of_row = says.changed.iter().filter(|(row, _)| *row == at).peekable();
            if of_row.peek().is_some() {
                if row.goes {
                    gone.push((&*row.table, row.each_turn));
                }
                rows.extend(self.stated(direct, at, true)?);
            }
            if !of_row.any(|(_, surely)| *surely) {
                rows.extend(self.stated(direct, at, false)?);
            }
        }
        rows.sort_by_key(|(rank, _)| *rank);
        let Clears { before, after, redrawn, .. } = self.clears(&gone, &[])?;
        let names: Vec<Ident> = gone.iter().map(|(table, _)| table.name.clone()).collect();
        let rules = self.insisted_when_lost(&names)?;
        let rows = rows.into_iter().map(|(_, sent)| sent);
        let rows = before.into_iter().chain(rows).chain(after).chain(redrawn).chain(rules);
        self.writes.leave_changes();
        let mut statements = vec![Sent::steering("BEGIN")];
        if !direct.locks_first() {
            statements.extend(rows);
            statements.extend(self.writes_of_rows()?.0);
            statements.extend(self.publishes()?);
        } else {
            self.writes.leave_inserts(|row| !says.known.contains(&row));
            statements.extend(self.found(direct, true)?);
            statements.extend(self.held(direct)?);
            for table in &direct.counted {
                let text = lower::drawn::draw(table)?.text;
                statements.push(Sent { entity: Some(table.entity.clone()), ..Sent::plain(text) });
            }
            let binds = self.nothing(direct, false);
            for at in 0..direct.insists.len() {
                let text = insisted(direct, at, &binds)?.text;
                statements.push(Sent::that(Does::Requires, text));
            }
            let (made, parts) = with_parts_behind(says.made);
            statements.extend(self.made(direct, &made)?);
            statements.extend(self.writes_of_rows()?.0);
            statements.extend(self.made(direct, &parts)?);
            let binds = self.nothing(direct, true);
            for (at, total) in direct.totals.iter().enumerate() {
                let answers = !answers_more(program) && direct.answering_total() == Some(at);
                let text = lower_total(direct, at, &binds, answers)?.text;
                let entity = Some(total.table.entity.clone());
                statements.push(Sent { entity, each_row: true, ..Sent::plain(text) });
            }
            statements.extend(self.found(direct, false)?);
            statements.extend(self.keys_locked_of(direct, !says.events.is_empty())?);
            for event in says.events {
                statements.push(match event {
                    (Some((told, carried)), each) => {
                        self.told(direct, told, carried, (true, each))?
                    }
                    (None, each_row) => Sent { writes: None, each_row, ..self.said(false)? },
                });
            }
            statements.extend(self.sent_out()?.map(|sent| Sent { writes: None, ..sent }));
            for task in says.tasks {
                statements.push(match task {
                    Asks::Told(told, carried, each) => {
                        self.told(direct, told, carried, (false, each))?
                    }
                    Asks::Heard(under) => {
                        let under = Some((Settings::of(direct), under));
                        let text = lower::outbox::add(Dialect::Postgres, under)?.text;
                        Sent { each_row: true, ..Sent::plain(text) }
                    }
                    Asks::Known => self.asked()?,
                });
            }
            if !direct.said.is_empty() {
                statements.push(self.worded(direct, &Worded::Value(0), false)?);
            }
            statements.extend(rows);
        }
        statements.extend(self.answers(direct)?);
        statements.push(Sent::steering("COMMIT"));
        Ok(Trip { purpose: Purpose::Write, times: Times::Once, statements })
    }

    /// The statements about a row, with its table: where one of several is answered, as one that is and as one that is not.
    pub(super) fn stated(
        &self,
        direct: &Direct,
        at: usize,
        changes: bool,
    ) -> Result<Vec<(u32, Sent)>, Fault> {
        let row = direct.rows.get(at).ok_or_else(|| ill_formed("no such row"))?;
        // One that stands for any that the caller names has its key behind all other binds.
        let is_named = direct.named.contains(&Some(at));
        let binds = self.nothing(direct, is_named);
        let is_answered = direct.answered.contains(&at) && !answers_more(self.program);
        if row.made && !is_answered {
            return Ok(Vec::new());
        }
        let surely = is_answered && direct.answers_one;
        let mut all = Vec::new();
        for answered in [true, false] {
            let comes = if answered { is_answered } else { !surely };
            if !comes || (!answered && !changes && direct.is_held_only(row)) {
                continue;
            }
            let doing = Doing { row: at, changes, answered, each: false };
            let one = statement(self.program, direct, doing, &binds)?.text;
            let entity = Some(row.table.entity.clone());
            let lock = lock_of(self.program, &row.table, true);
            let each_row = row.each_turn || is_named;
            let sent = if each_row && direct.locks_first() {
                let each = Doing { each: true, ..doing };
                let text = statement(self.program, direct, each, &binds)?.text;
                Sent { entity, lock, of_one: Some(one), ..Sent::that(Does::IsAboutRow, text) }
            } else {
                Sent { entity, lock, each_row, ..Sent::that(Does::IsAboutRow, one) }
            };
            all.push((row.table.rank, sent));
        }
        Ok(all)
    }

    /// What has the answer put into words, where more of a row is answered than it holds: one of these.
    fn answers(&self, direct: &Direct) -> Result<Vec<Sent>, Fault> {
        if !answers_more(self.program) {
            return Ok(Vec::new());
        }
        let mut all: Vec<Worded> = direct.answered.iter().copied().map(Worded::Row).collect();
        if all.is_empty() {
            all.push(Worded::Known(Value::Null));
        }
        all.iter().map(|worded| self.worded(direct, worded, false)).collect()
    }

    /// What has an answer put into words.
    pub(super) fn worded(
        &self,
        direct: &Direct,
        worded: &Worded,
        kept: bool,
    ) -> Result<Sent, Fault> {
        let keyed = matches!(worded, Worded::Known(_));
        let binds = self.nothing(direct, keyed);
        let text = lower_answer((self.program, direct), worded, &binds, kept)?.text;
        let entity = match &self.program.answer {
            Form::Row(read) => Some(read.table.entity.clone()),
            _ => None,
        };
        Ok(Sent { entity, ..Sent::that(Does::Answers, text) })
    }

    /// What the binds of a direct form hold where nothing is asked.
    fn nothing(&self, direct: &Direct, keyed: bool) -> Vec<Value> {
        vec![Value::Null; direct.binds(self.program.filled.len(), keyed)]
    }

    /// What looks values up that are kept: keys of rows, or all else.
    fn found(&self, direct: &Direct, keys: bool) -> Result<Vec<Sent>, Fault> {
        let binds = self.nothing(direct, false);
        let all = direct.found.iter().enumerate();
        let found = all.filter(|(_, found)| (found.what == Finding::Key) == keys);
        let found = found.map(|(at, _)| {
            let text = lower::found::find(Settings::of(direct), at, &binds)?.text;
            Ok(Sent::that(Does::Keeps, text))
        });
        found.collect()
    }

    /// What waits until nobody else publishes under the keys of events.
    fn keys_locked_of(&self, direct: &Direct, publishes: bool) -> Result<Option<Sent>, Fault> {
        let found = found_keys(direct);
        if found.is_empty() || !publishes {
            return Ok(self.keys_locked());
        }
        let text = lower::outbox::lock_keys(Settings::of(direct), &found)?.text;
        Ok(Some(Sent::plain(text)))
    }

    /// What locks all rows, and what goes along with those that go.
    fn held(&self, direct: &Direct) -> Result<Vec<Sent>, Fault> {
        let rows = direct.rows.iter().filter(|row| !row.made);
        let tables = |of: &mut dyn Iterator<Item = &DirectRow>| {
            let mut tables: Vec<_> = of.map(|row| row.table.clone()).collect();
            tables.sort_by_key(|table| table.rank);
            tables.dedup_by_key(|table| table.id);
            tables
        };
        let named = tables(&mut rows.clone()).into_iter().map(|table| {
            let of_table = direct.rows.iter().filter(|row| row.table.id == table.id);
            let found = of_table.filter_map(|row| row.found).collect();
            (table, found)
        });
        let named = named.collect();
        self.held_in_order(named, &gone_of(direct, Vec::new()), (Settings::of(direct), true))
    }

    /// What makes rows of which only the database knows all.
    fn made(&self, direct: &Direct, made: &[Made]) -> Result<Vec<Sent>, Fault> {
        let binds = direct.binds(self.program.filled.len(), false);
        let drawn_of = |made: usize| direct.made.get(made).map(|made| &made.drawn);
        let made = made.iter().map(|(place, at, often)| {
            let alike = |other: &&Made| other.0 == *place && drawn_of(other.1) == drawn_of(*at);
            let (often, made) = (*often || made.iter().filter(alike).count() > 1, at);
            let table = self.at(*place)?;
            let of = direct.made.get(*made).ok_or_else(|| ill_formed("nothing is made there"))?;
            if of.columns.is_empty() && of.root.is_none() {
                let at = place.part.map_or(0, |part| part + 1);
                let place = Written { target: self.program.id, at, table };
                return self.many(&Many::insert_drawn(place, &of.drawn)?, often);
            }
            let lower = |each| lower_made(direct, *made, table, binds, &[], each);
            let (one, entity) = (lower(false)?.text, Some(table.entity.clone()));
            let refers_to_itself = table.foreign_keys.iter().any(|key| key.target == table.id);
            // Each part of a root that was there comes behind the one before.
            if of.root.is_some() || of.is_ruled() || refers_to_itself || !often {
                return Ok(Sent { entity, each_row: often, ..Sent::plain(one) });
            }
            Ok(Sent { entity, of_one: Some(one), ..Sent::plain(lower(true)?.text) })
        });
        made.collect()
    }

    /// What is told of rows at one place.
    fn told(
        &self,
        direct: &Direct,
        told: usize,
        carried: &[Carried],
        (is_event, each_row): (bool, bool),
    ) -> Result<Sent, Fault> {
        let binds = direct.binds(self.program.filled.len(), false);
        let text = lower_told(direct, told, carried, binds, is_event)?.text;
        Ok(Sent { each_row, ..Sent::plain(text) })
    }
}

/// Whether what is returned is known in a branch.
fn returns_known(steps: &[Step], courses: &[Course]) -> bool {
    steps.iter().zip(courses).any(|(step, course)| match (step, &course.how) {
        (Step::Return(_), How::Known) => true,
        (
            Step::If { then, otherwise, .. },
            How::Branches { then: courses, otherwise: other_courses, .. },
        ) => returns_known(then, courses) || returns_known(otherwise, other_courses),
        (Step::For { body, .. }, How::Turns { body: courses, .. }) => returns_known(body, courses),
        _ => false,
    })
}

fn may_return(steps: &[Step]) -> bool {
    steps.iter().any(|step| match step {
        Step::Return(_) => true,
        Step::If { then, otherwise, .. } => may_return(then) || may_return(otherwise),
        _ => false,
    })
}

/// Rows that are made, those of each root with its parts behind it, and parts of other roots.
fn with_parts_behind(made: Vec<Made>) -> (Vec<Made>, Vec<Made>) {
    let mut targets: Vec<usize> = Vec::new();
    for (place, ..) in made.iter().filter(|(place, ..)| place.part.is_none()) {
        if !targets.contains(&place.target) {
            targets.push(place.target);
        }
    }
    let rank = |place: &Place| targets.iter().position(|target| *target == place.target);
    let (mut made, parts): (Vec<_>, Vec<_>) =
        made.into_iter().partition(|(place, ..)| rank(place).is_some());
    made.sort_by_key(|(place, ..)| (rank(place), place.part));
    (made, parts)
}

/// What is sent besides where a command was asked for with an `Idempotency-Key`.
pub(super) fn with_key(dialect: Dialect) -> Vec<Sent> {
    let lock = (dialect == Dialect::Postgres).then(receipt::try_lock);
    let rest = [receipt::find, receipt::forget, receipt::keep];
    let all = lock.into_iter().chain(rest.into_iter().map(|lower| lower(dialect)));
    all.map(|statement| Sent::plain(statement.text)).collect()
}

/// The same where nothing is awaited. What is answered is kept as it is known, or as the database puts it into words.
pub(super) fn with_key_held(walk: &Walk<'_>, direct: &Direct) -> Result<Vec<Sent>, Fault> {
    let forget = receipt::forget(Dialect::Postgres);
    let mut all = vec![Sent::plain(receipt::hold().text), Sent::plain(forget.text)];
    let mut worded: Vec<Worded> = direct.answered.iter().copied().map(Worded::Row).collect();
    worded.extend((0..direct.said.len()).map(Worded::Value));
    if worded.is_empty() && answers_more(walk.program) {
        worded.push(Worded::Known(Value::Null));
    }
    let known = match direct.in_steps {
        true => returns_known(&walk.program.body, &direct.steps),
        false => !direct.answers_one && !direct.answered.is_empty(),
    };
    if worded.is_empty() || known {
        all.push(Sent::plain(receipt::keep(Dialect::Postgres).text));
    }
    for worded in worded {
        all.push(walk.worded(direct, &worded, true)?);
    }
    Ok(all)
}

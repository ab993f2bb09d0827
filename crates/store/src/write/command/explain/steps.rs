//! What a command sends that is carried out step by step.

use operation::{
    BROKER, Carried, Course, Dialect, Direct, Fault, How, Ident, Program, Step, Value,
};

use super::super::direct::{
    Doing, Worded, answers_more, gone_of, insisted, lower_cleared, lower_kept, lower_made,
    lower_told, site_lock, statement,
};
use super::super::lock_of;
use super::walk::Walk;
use super::{Does, Purpose, Sent, Times, Trip};
use crate::lower::{self, Settings, Under};

/// What the steps send.
struct Sending<'w, 's> {
    walk: &'w Walk<'s>,
    program: &'w Program,
    direct: &'w Direct,
    binds: Vec<Value>,
    statements: Vec<Sent>,
    publishes: bool,
    turns: bool,
    /// What is looked at where the turn of a loop ends.
    ends: Vec<usize>,
}

impl Walk<'_> {
    /// All that a direct command sends step by step; nothing is awaited before the end.
    pub(super) fn end_in_steps(mut self, direct: &Direct) -> Result<Trip, Fault> {
        let program = self.program;
        self.writes.leave_changes();
        self.writes.leave_inserts(|_| false);
        let binds = vec![Value::Null; direct.binds(program.filled.len(), true)];
        let (publishes, turns, statements) = (false, false, Vec::new());
        let walk = &self;
        let ends = Vec::new();
        let mut sending =
            Sending { walk, program, direct, binds, statements, publishes, turns, ends };
        for naming in &direct.naming {
            sending.look(naming)?;
        }
        sending.turns = true;
        direct.naming_each.iter().flatten().try_for_each(|naming| sending.look(naming))?;
        sending.turns = false;
        sending.look(&direct.admission)?;
        sending.steps(&program.body, &direct.steps)?;
        let (deeds, publishes) = (std::mem::take(&mut sending.statements), sending.publishes);
        sending.ahead(publishes)?;
        sending.statements.extend(deeds);
        sending.statements.extend(self.sent_out()?.map(|sent| Sent { writes: None, ..sent }));
        let ends = direct.rows.iter().filter_map(|row| row.ends);
        let mut ends: Vec<usize> =
            ends.chain(direct.made.iter().filter_map(|made| made.ends)).collect();
        ends.retain(|end| !direct.ends_with_turn(*end));
        ends.sort_unstable();
        ends.dedup();
        sending.turns = true;
        for end in ends {
            sending.row(end, false, false)?;
        }
        let Sending { mut statements, .. } = sending;
        let mut losing: Vec<&Ident> = Vec::new();
        for row in direct.rows.iter().filter(|row| row.goes) {
            if !losing.contains(&&row.table.name) {
                losing.push(&row.table.name);
                statements.extend(self.insisted_when_lost(std::slice::from_ref(&row.table.name))?);
            }
        }
        statements.push(Sent::steering("COMMIT"));
        Ok(Trip { purpose: Purpose::Write, times: Times::Once, statements })
    }
}

impl Sending<'_, '_> {
    fn send(&mut self, text: String) {
        self.statements.push(Sent { each_row: self.turns, ..Sent::plain(text) });
    }

    fn send_that(&mut self, does: Does, text: String) {
        self.statements.push(Sent { each_row: self.turns, ..Sent::that(does, text) });
    }

    /// What comes before the first step.
    fn ahead(&mut self, publishes: bool) -> Result<(), Fault> {
        let (direct, settings) = (self.direct, Settings::of(self.direct));
        self.statements.push(Sent::steering("BEGIN"));
        for (at, site) in direct.sites.iter().enumerate() {
            if site.ahead.is_empty() {
                continue;
            }
            let text = lower::ahead::look(settings, at, &self.binds)?.text;
            let entity = site.table.as_ref().map(|table| table.entity.clone());
            self.statements.push(Sent { entity, ..Sent::that(Does::LooksAhead, text) });
        }
        let rows = direct.rows.iter().enumerate().filter(|(at, _)| !direct.is_end(*at));
        let rows = rows.map(|(_, row)| row);
        let known = rows.filter(|row| !row.made && row.site.is_none());
        let found = direct.sites.iter().filter_map(|site| site.table.as_ref());
        let mut tables: Vec<_> = known.map(|row| &row.table).chain(found).collect();
        tables.sort_by_key(|table| table.rank);
        tables.dedup_by_key(|table| table.id);
        let named = tables.into_iter().map(|table| (table.clone(), direct.sites_of(table.id)));
        let gone = gone_of(direct, Vec::new());
        let held = self.walk.held_in_order(named.collect(), &gone, (settings, true))?;
        self.statements.extend(held);
        for table in &direct.counted {
            let text = lower::drawn::draw(table)?.text;
            self.statements.push(Sent { entity: Some(table.entity.clone()), ..Sent::plain(text) });
        }
        let texts = direct.texts();
        if publishes && !texts.is_empty() {
            self.statements.push(Sent::plain(lower::outbox::lock_keys(settings, &texts)?.text));
        } else {
            self.statements.extend(self.walk.keys_locked());
        }
        for named in direct.named.iter().copied().flatten() {
            let stated = self.walk.stated(direct, named, false)?;
            self.statements.extend(stated.into_iter().map(|(_, sent)| sent));
        }
        Ok(())
    }

    fn look(&mut self, course: &Course) -> Result<(), Fault> {
        let (direct, settings) = (self.direct, Settings::of(self.direct));
        let is_row = |site: &usize| direct.sites.get(*site).is_some_and(|it| it.table.is_some());
        let (rows, texts): (Vec<usize>, Vec<usize>) =
            course.sites.iter().partition(|at| is_row(at));
        for site in rows {
            let text = lower::ahead::is_among(
                settings,
                (site, site_lock(self.program, direct, site)),
                &self.binds,
            )?
            .text;
            self.send_that(Does::IsStillIt, text);
        }
        for keep in &course.keeps {
            let text = lower::found::find(settings, *keep, &self.binds)?.text;
            self.send_that(Does::Keeps, text);
        }
        for site in texts {
            let text = lower::ahead::is_among(
                settings,
                (site, site_lock(self.program, direct, site)),
                &self.binds,
            )?
            .text;
            self.send_that(Does::IsStillIt, text);
        }
        for insist in &course.insists {
            self.send_that(Does::Requires, insisted(direct, *insist, &self.binds)?.text);
        }
        Ok(())
    }

    fn steps(&mut self, steps: &[Step], courses: &[Course]) -> Result<(), Fault> {
        for (step, course) in steps.iter().zip(courses) {
            self.look(course)?;
            self.step(step, course)?;
        }
        Ok(())
    }

    fn step(&mut self, step: &Step, course: &Course) -> Result<(), Fault> {
        let told = match course.how {
            How::Told(told) => Some(told),
            _ => None,
        };
        match (&course.how, step) {
            (How::Changed { row, .. }, _) => {
                let of = self.direct.rows.get(*row);
                let of = of.ok_or_else(|| lower::ill_formed("no such row"))?;
                if of.goes {
                    if self.direct.is_taken_by_others(of) {
                        let row = (&*of.table, &of.key);
                        let settings = Settings::of(self.direct);
                        let text = lower::direct::leave(settings, row, &self.binds)?.text;
                        self.send_that(Does::Keeps, text);
                    }
                    let name = std::slice::from_ref(&of.table.name);
                    let cleared = self.walk.cleared(name);
                    for (at, (cleared, _)) in cleared.iter().enumerate() {
                        self.send(lower_cleared(self.direct, of, (cleared, at), &self.binds)?.text);
                        for redraw in &cleared.redraws {
                            let kept = (cleared, &**redraw);
                            let text = lower_kept(self.direct, of, kept, &self.binds)?.text;
                            self.send_that(Does::KeepsWhoLoses, text);
                        }
                    }
                    self.row(*row, true, false)?;
                    let each_row = self.turns;
                    for (at, (cleared, entity)) in cleared.iter().enumerate() {
                        let (text, entity) =
                            (lower::cleared::raise_noted(cleared, at)?.text, entity.clone());
                        self.statements.push(Sent { entity, each_row, ..Sent::plain(text) });
                    }
                    if let Some(root) = of.root {
                        self.row(root, true, false)?;
                    }
                    for (cleared, _) in &cleared {
                        let redrawn = self.walk.redrawn(cleared)?.into_iter();
                        self.statements.extend(redrawn.map(|sent| Sent { each_row, ..sent }));
                    }
                    return Ok(());
                }
                self.row(*row, true, false)?;
                if let Some(root) = of.root {
                    self.row(root, true, false)?;
                }
            }
            (How::Answers(row), _) if answers_more(self.program) => {
                let sent = self.walk.worded(self.direct, &Worded::Row(*row), false)?;
                self.statements.push(sent);
            }
            (How::Answers(row), _) => self.row(*row, false, true)?,
            (How::Says(said), _) => {
                let sent = self.walk.worded(self.direct, &Worded::Value(*said), false)?;
                self.statements.push(sent);
            }
            (How::Made(at), Step::Create(creation)) => {
                let table = self.walk.at(creation.row)?;
                let binds = self.direct.binds(self.program.filled.len(), false);
                let text = lower_made(self.direct, *at, table, binds, &[], false)?.text;
                let (entity, each_row) = (Some(table.entity.clone()), self.turns);
                self.statements.push(Sent { entity, each_row, ..Sent::plain(text) });
                let made = self.direct.made.get(*at);
                if let Some(root) = made.and_then(|made| made.root) {
                    self.row(root, true, false)?;
                }
                self.end(made.and_then(|made| made.ends));
            }
            (_, Step::Emit { event, members, .. }) => {
                self.publishes = true;
                self.event(*event, told.map(|told| (told, &**members)))?;
            }
            (_, Step::Later { arguments, .. }) => match told {
                Some(told) => {
                    let text = self.told(told, arguments, false)?;
                    self.send(text);
                }
                None => self.asked()?,
            },
            (How::Turns { body: courses, .. }, Step::For { body, .. }) => {
                let outside = std::mem::replace(&mut self.turns, true);
                let outside_ends = std::mem::take(&mut self.ends);
                self.steps(body, courses)?;
                for end in std::mem::replace(&mut self.ends, outside_ends) {
                    self.row(end, false, false)?;
                }
                self.turns = outside;
            }
            (How::Body(courses), Step::Run { body, .. }) => self.steps(body, courses)?,
            (
                How::Branches { then: courses, otherwise: others, .. },
                Step::If { then, otherwise, .. },
            ) => {
                self.steps(then, courses)?;
                self.steps(otherwise, others)?;
            }
            _ => {}
        }
        Ok(())
    }

    fn event(&mut self, event: usize, told: Option<(usize, &[Carried])>) -> Result<(), Fault> {
        match told {
            Some((told, members)) => {
                let text = self.told(told, members, true)?;
                self.send(text);
            }
            None => {
                let said = self.walk.said(false)?;
                self.statements.push(Sent { writes: None, each_row: self.turns, ..said });
            }
        }
        let heard = self.program.events.get(event).map_or(&[][..], |event| &*event.by);
        for _ in heard.iter().filter(|target| ***target != *BROKER) {
            let key = told.and_then(|(told, _)| self.direct.told.get(told)?.key);
            match key.and_then(|bind| Under::of(self.direct, bind)) {
                Some(under) => {
                    let under = Some((Settings::of(self.direct), under));
                    self.send(lower::outbox::add(Dialect::Postgres, under)?.text);
                }
                None => self.asked()?,
            }
        }
        Ok(())
    }

    fn asked(&mut self) -> Result<(), Fault> {
        let asked = self.walk.asked()?;
        self.statements.push(Sent { each_row: self.turns, ..asked });
        Ok(())
    }

    fn told(&self, told: usize, carried: &[Carried], is_event: bool) -> Result<String, Fault> {
        let binds = self.direct.binds(self.program.filled.len(), false);
        Ok(lower_told(self.direct, told, carried, binds, is_event)?.text)
    }

    /// Notes what is looked at where the turn of a loop ends.
    fn end(&mut self, end: Option<usize>) {
        let end = end.filter(|end| self.direct.ends_with_turn(*end) && !self.ends.contains(end));
        self.ends.extend(end);
    }

    fn row(&mut self, row: usize, changes: bool, answered: bool) -> Result<(), Fault> {
        let of = self.direct.rows.get(row).ok_or_else(|| lower::ill_formed("no such row"))?;
        self.end(of.ends.filter(|_| changes));
        let doing = Doing { row, changes, answered, each: false };
        let text = statement(self.program, self.direct, doing, &self.binds)?.text;
        let lock = lock_of(self.program, &of.table, true);
        let (entity, each_row) = (Some(of.table.entity.clone()), self.turns);
        let about = Sent::that(Does::IsAboutRow, text);
        self.statements.push(Sent { entity, lock, each_row, ..about });
        Ok(())
    }
}

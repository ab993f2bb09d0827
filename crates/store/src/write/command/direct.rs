//! Commands that know what they do before any row is known, on PostgreSQL: all that they do goes out with the commit, and nothing is
//! awaited before.
//!
//! Steps are run as far as they are about what was asked; what they say of rows is noted, turn by turn, and then stated:
//!
//! ```text
//! steps ─► rows, in the order in which all commands lock them ─┬─► changes, then what is made, then events and tasks
//!                                 where something is told of them └─► locks, what is made, events and tasks, then changes
//! ```
//!
//! What is sent does what was asked or ends the transaction. No error from here is told to anybody: the command is then run
//! over a workset, which says what stood against it.

mod answer;
mod make;
mod steps;
mod tell;

use std::cmp::Ordering;
use std::pin::Pin;
use std::sync::Arc;

use operation::{
    Bound, Command, Course, Direct, DirectRow, Expression, Fault, Finding, Form, How, MOST_ROWS,
    Named, OnDelete, Place as ProgramPlace, Program, Receipt, Source, Step, Table, TableId, Value,
};

use super::super::{
    Answer, Asked, Database, Failure, Gone, Key, Kind, Left, Load, Place, Reference, Writing,
};
use super::{Flow, Running, ill_formed, lock_of};
use crate::lower::answer::can_say;
use crate::lower::{self, Settings};
pub(super) use answer::{Worded, answers_more, lower_answer};
pub(super) use make::{Making, lower_made, lower_total};
use steps::Steps;
pub(super) use steps::{lower_cleared, lower_kept, site_lock};
use tell::Telling;
pub(super) use tell::{found_keys, lower_told};

/// The direct form of a command, where that spares it a wait. `receipt`: by which it is known if it is asked for again.
pub(crate) fn of<'c>(command: &'c Command, receipt: Option<&Receipt>) -> Option<&'c Direct> {
    let direct = sparing(&command.program)?;
    let asked = command.settles.is_some() || receipt.is_some();
    (asked || spares(&command.program, direct)).then_some(direct)
}

/// Whether a direct form spares a program a wait, however it is asked for.
pub(super) fn spares(program: &Program, direct: &Direct) -> bool {
    !direct.rows.is_empty() || !direct.counted.is_empty() || answers_more(program)
}

/// The direct form of a program, if what it answers can be put into words by the database, or is at hand.
pub(super) fn sparing(program: &Program) -> Option<&Direct> {
    let direct = program.direct.as_ref().ok()?;
    let at_hand = match &program.answer {
        Form::Row(read) => can_say(read),
        Form::Nothing | Form::Value(_) => true,
    };
    at_hand.then_some(direct)
}

/// The statement that ends the transaction where a condition over several rows is not true.
pub(super) fn insisted(
    direct: &Direct,
    at: usize,
    binds: &[Value],
) -> Result<lower::Statement, Fault> {
    let insist = direct.insists.get(at).ok_or_else(|| ill_formed("no such condition"))?;
    match insist.each_turn && !direct.in_steps {
        true => lower::direct::insist_each(&insist.condition, Settings::of(direct), binds),
        false => lower::direct::insist(&insist.condition, Settings::of(direct), binds),
    }
}

/// What a statement does about a row.
#[derive(Debug, Clone, Copy)]
pub(super) struct Doing {
    /// Which row of the form.
    pub row: usize,
    /// Whether it changes, or goes.
    pub changes: bool,
    /// Whether it is answered.
    pub answered: bool,
    /// Whether it is one statement for many rows.
    pub each: bool,
}

/// The statement that looks at a row of a direct form, or changes it.
pub(super) fn statement(
    program: &Program,
    direct: &Direct,
    Doing { row: at, changes, answered, each }: Doing,
    binds: &[Value],
) -> Result<lower::Statement, Fault> {
    let row = direct.rows.get(at).ok_or_else(|| ill_formed("no such row"))?;
    let (conditions, yes) = ([&row.condition, &row.checks], Expression::yes());
    let may_have_gone = direct.may_have_gone(at);
    let change = lower::direct::Change {
        table: &row.table,
        key: &row.key,
        set: if changes { &row.set } else { &[] },
        layers: if changes { &row.layers } else { &[] },
        rules: if changes { &row.rules } else { &yes },
        conditions: if changes { &conditions } else { &conditions[..1] },
        lock: lock_of(program, &row.table, true),
        answered,
        goes: changes && row.goes,
        settings: Settings::of(direct),
    };
    match each {
        true => lower::direct::change_each(change, binds),
        false if may_have_gone => lower::direct::hold_if_there(change, binds),
        false => lower::direct::change(change, binds),
    }
}

/// A row that is stated: of which form, by which values.
struct Stated {
    row: usize,
    /// Null, where it is looked up.
    key: Value,
    changes: bool,
    binds: Arc<[Value]>,
}

/// What the steps have said so far of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Said {
    Nothing,
    Looked,
    Changed,
}

/// A command under way whose rows nobody loads.
struct Stating<'d, 'p, D> {
    running: Running<'d, 'p, D>,
    direct: &'p Direct,
    /// With which the answer is kept, where it is.
    receipt: Option<Receipt>,
    /// What is said of each row of the form: of those of a loop, in this turn.
    said: Vec<Said>,
    stated: Vec<Stated>,
    /// Which row is answered, as the statement about it leaves it.
    answered: Option<usize>,
    /// Whether the database puts the answer into words.
    words: bool,
    /// What must be true of a turn, by its place among those of the form, and what the binds held then.
    insisted: Vec<(usize, Arc<[Value]>)>,
    /// What is told of rows: of which event or task, by its place among those of the command.
    events: Vec<(usize, Telling)>,
    tasks: Vec<(usize, Telling)>,
    /// New roots that draw on parts which are made of what stands in rows: how, and their keys.
    totals: Vec<(usize, Value)>,
    /// Parts of roots that were there.
    added: Vec<(Arc<Table>, Vec<Value>, Making<'p>)>,
    /// What is sent step by step.
    steps: Steps<'p>,
}

impl<D: Database> Writing<'_, D> {
    /// Sends a command in its direct form.
    pub(in super::super) async fn command_directly(
        &mut self,
        command: &Command,
        direct: &Direct,
        receipt: Option<&Receipt>,
    ) -> Result<Left, Fault> {
        if let Some(task) = command.settles {
            self.settle_task_surely(task).await?;
        }
        match (self.stated(command, direct, receipt).await?, &direct.by_steps) {
            (Some(left), _) => Ok(left),
            // Nothing has been sent yet.
            (None, Some(direct)) => self.stated(command, direct, receipt).await?.ok_or_else(not_so),
            (None, None) => Err(not_so()),
        }
    }

    /// The same of one that settles no task; `None`: two names are of one row that changes.
    async fn stated(
        &mut self,
        command: &Command,
        direct: &Direct,
        receipt: Option<&Receipt>,
    ) -> Result<Option<Left>, Fault> {
        let writing = Writing { database: &mut *self.database };
        let mut stating = Stating {
            running: Running::of(writing, command),
            direct,
            receipt: receipt.copied(),
            said: vec![Said::Nothing; direct.rows.len()],
            stated: Vec::new(),
            answered: None,
            words: false,
            insisted: Vec::new(),
            events: Vec::new(),
            tasks: Vec::new(),
            totals: Vec::new(),
            added: Vec::new(),
            steps: Steps::default(),
        };
        stating.running.counted = Some(Vec::new());
        let program = &*command.program;
        let binds = direct.binds(program.filled.len(), false);
        stating.running.binds.resize(binds, Value::Null);
        direct.naming.iter().try_for_each(|naming| stating.look(naming))?;
        if direct.in_steps {
            stating.look_at_named(&command.named)?;
        }
        stating.look(&direct.admission)?;
        if matches!(direct.admission.how, How::Known)
            && !stating.running.holds(&program.admission).await?
        {
            return Err(not_so());
        }
        let returned = match stating.steps(&program.body, &direct.steps).await? {
            Flow::Returned(value) => value,
            Flow::On => None,
        };
        let mut worded = None;
        if !direct.in_steps {
            let row = stating.answered_by(returned.as_ref())?;
            worded = stating.worded(row, returned.as_ref());
            stating.words = worded.is_some();
            stating.answered = row.filter(|_| !answers_more(program));
            let is_made = |row: &usize| direct.rows.get(*row).is_some_and(|row| row.made);
            if let Some(row) = row.filter(|row| stating.answered.is_some() || !is_made(row)) {
                stating.say(row, Said::Looked)?;
            }
            if !stating.state_all(&command.named)? {
                return Ok(None);
            }
        }
        let running = &stating.running;
        let (wakes, published) = (!running.asking.is_empty(), running.published.len());
        let answered = stating.answered;
        stating.send(worded.as_ref()).await?;
        let words = stating.words;
        let mut running = stating.running;
        running.binds.truncate(program.filled.len());
        let answer = match (&program.answer, answered) {
            _ if words => Answer::Said,
            (Form::Row(read), Some(_)) => {
                Answer::Returned { read: read.clone(), binds: running.binds.clone() }
            }
            _ => running.answer(returned).await?,
        };
        Ok(Some(Left { wakes, published, ..running.left(answer) }))
    }
}

impl<D: Database> Stating<'_, '_, D> {
    /// Carries out steps in order.
    fn steps<'s>(
        &'s mut self,
        steps: &'s [Step],
        courses: &'s [Course],
    ) -> Pin<Box<dyn Future<Output = Result<Flow, Fault>> + 's>> {
        Box::pin(async move {
            for (step, course) in steps.iter().zip(courses) {
                let told = (self.running.published.len(), self.running.asking.len());
                let flow = self.step(step, course).await?;
                if self.direct.in_steps {
                    self.tell_at_step(told, step)?;
                }
                if let Flow::Returned(value) = flow {
                    return Ok(Flow::Returned(value));
                }
            }
            Ok(Flow::On)
        })
    }

    async fn step(&mut self, step: &Step, course: &Course) -> Result<Flow, Fault> {
        let direct = self.direct;
        self.look(course)?;
        match (&course.how, step) {
            (How::Known, step) => return self.running.step(step).await,
            (How::WorkedOut(value), Step::Let { bind, .. }) => {
                let value = self.running.value(value, None).await?;
                self.running.fill(*bind, value);
            }
            (How::Stated, Step::Return(_)) => return Ok(Flow::Returned(None)),
            (How::Stated, _) => {}
            (How::Answers(row), _) => return self.answer_at_step(Some(*row), 0),
            (How::Says(said), _) => return self.answer_at_step(None, *said),
            (How::Changed { row, known }, Step::Update { row: place, set, bounds, .. }) => {
                if direct.in_steps {
                    self.change_at_step(*row)?;
                } else {
                    self.say(*row, Said::Changed)?;
                }
                let table = self.running.table(*place)?;
                for (column, value) in known.iter().filter_map(|at| set.get(*at)) {
                    let value = self.running.value(value, None).await?;
                    let nullable = table.columns.get(*column).is_some_and(|it| it.nullable);
                    let broken = |bound: &Bound| bound.column == *column && !(bound.holds)(&value);
                    let fits = if value.is_null() { nullable } else { !bounds.iter().any(broken) };
                    if !fits {
                        return Err(not_so());
                    }
                }
            }
            (How::Changed { row, .. }, Step::Delete { row: place, .. }) => {
                if direct.in_steps {
                    return self.delete_at_step(*row, *place).map(|()| Flow::On);
                }
                if !self.takes_its_parts(*place) {
                    return Err(not_so());
                }
                self.say(*row, Said::Changed)?;
            }
            (How::Told(told), Step::Emit { event, key, members }) => {
                self.tell_under(course, *event);
                self.tell_event((*event, key.as_ref(), members), *told).await?;
            }
            (How::Made(made), Step::Create(creation)) => self.making(*made, creation).await?,
            (How::Told(told), Step::Later { target, arguments, terms }) => {
                let telling = self.telling(*told, arguments).await?;
                self.tasks.push((self.running.asking.len(), telling));
                let of = self.direct.told.get(*told);
                let delayed = of.is_none_or(|told| told.delay.is_none());
                let keyed = of.is_none_or(|told| told.key.is_none());
                let mut asking = self.running.asking(target, None, (terms, delayed, keyed)).await?;
                if let Some(number) = self.counted_under(*told) {
                    asking.unique = number;
                }
                self.running.asking.push(asking);
            }
            (
                How::Turns { body: courses, rows },
                Step::For { source: Source::List { list, scalar }, bind, members, body },
            ) => {
                let list = self.running.value(list, None).await?;
                if list.is_null() {
                    return Ok(Flow::On);
                }
                let list = self.running.list(&list, *scalar, *bind, members)?;
                for element in list.elements() {
                    self.running.turn()?;
                    self.running.take(element, *bind, members);
                    let outside = self.begin_turn();
                    let flow = self.steps(body, courses).await?;
                    self.end_turn(outside)?;
                    self.state(rows.iter().copied())?;
                    if let Flow::Returned(value) = flow {
                        return Ok(Flow::Returned(value));
                    }
                }
            }
            (
                How::Branches { decides, then: courses, otherwise: other_courses },
                Step::If { condition, then, otherwise },
            ) => {
                let holds = self.running.holds(decides.as_ref().unwrap_or(condition)).await?;
                let (branch, courses) =
                    if holds { (then, courses) } else { (otherwise, other_courses) };
                return self.steps(branch, courses).await;
            }
            (How::Body(courses), Step::Run { body, bind }) => {
                let returned = match self.steps(body, courses).await? {
                    Flow::Returned(value) => value,
                    Flow::On => None,
                };
                if let Some(bind) = bind {
                    self.running.fill(*bind, returned.unwrap_or_default());
                }
            }
            _ => return Err(ill_formed("a step in another way")),
        }
        Ok(Flow::On)
    }

    /// Whether the database takes the parts of a root along when that goes. Tables that others made may keep no references.
    fn takes_its_parts(&self, place: ProgramPlace) -> bool {
        let Some(target) = self.running.program.targets.get(place.target) else { return false };
        let (_, references) = self.running.writing.database.tables();
        let references = references.to(&target.target.table.name);
        let leads = |part: &Table, reference: &Reference| {
            let root = part.root.and_then(|root| part.columns.get(root));
            reference.on_delete == OnDelete::Cascade
                && reference.table == part.name
                && root.is_some_and(|root| root.name == reference.column)
        };
        let parts = &target.target.parts;
        parts.iter().all(|part| references.iter().any(|it| leads(&part.table, it)))
    }

    /// The row that is answered, where this is returned.
    fn answered_by(&self, returned: Option<&Value>) -> Result<Option<usize>, Fault> {
        let answered = &self.direct.answered;
        if self.direct.answers_one {
            return Ok(answered.first().copied());
        }
        let Some(key) = returned.filter(|key| !key.is_null()) else { return Ok(None) };
        for row in answered {
            if key_of(self.direct, *row, &self.running.binds)? == *key {
                return Ok(Some(*row));
            }
        }
        if answered.is_empty() { Ok(None) } else { Err(ill_formed("an answer that no row is")) }
    }

    fn look(&mut self, course: &Course) -> Result<(), Fault> {
        if self.direct.in_steps {
            return self.look_at_step(course);
        }
        for insist in &course.insists {
            if self.insisted.len() >= MOST_ROWS {
                return Err(not_so());
            }
            self.insisted.push((*insist, self.running.binds.as_slice().into()));
        }
        course.looks.iter().try_for_each(|row| self.say(*row, Said::Looked))
    }

    fn say(&mut self, row: usize, said: Said) -> Result<(), Fault> {
        let slot = self.said.get_mut(row).ok_or_else(|| ill_formed("no such row"))?;
        *slot = said.max(*slot);
        Ok(())
    }

    /// States what was said of these rows, by what is known now.
    fn state(&mut self, rows: impl Iterator<Item = usize>) -> Result<(), Fault> {
        let mut binds: Option<Arc<[Value]>> = None;
        for row in rows {
            let slot = self.said.get_mut(row).ok_or_else(|| ill_formed("no such row"))?;
            let said = std::mem::replace(slot, Said::Nothing);
            if said == Said::Nothing {
                continue;
            }
            let binds = binds.get_or_insert_with(|| self.running.binds.as_slice().into()).clone();
            let key = key_of(self.direct, row, &binds)?;
            let found = self.direct.rows.get(row).is_some_and(|row| row.found.is_some());
            // Of nothing nothing is true, and it could not be told from a row that is not there.
            if (key.is_null() && !found) || self.stated.len() + self.running.rows.count >= MOST_ROWS
            {
                return Err(not_so());
            }
            self.stated.push(Stated { row, key, changes: said == Said::Changed, binds });
        }
        Ok(())
    }

    /// States all rows outside of loops, and those that the caller named and no step looked at. Answers whether each has one name, and
    /// was there before.
    fn state_all(&mut self, named: &[Named]) -> Result<bool, Fault> {
        let (program, direct) = (self.running.program, self.direct);
        let binds: Arc<[Value]> = self.running.binds.as_slice().into();
        let table_of = |row: usize| direct.rows.get(row).map(|row| row.table.id);
        for Named { visible: at, key, .. } in named {
            let visible = program.visible.get(*at).ok_or_else(|| ill_formed("no such rule"))?;
            let of_table = |row: usize| table_of(row) == Some(visible.table.id);
            match (&visible.named, direct.named.get(*at).copied().flatten()) {
                (Some(named), _) => {
                    for row in (0..direct.rows.len()).filter(|row| of_table(*row)) {
                        let by = |by: &Expression| {
                            named.iter().any(|bind| *by == Expression::Bind(*bind))
                        };
                        let is_named = direct.rows.get(row).is_some_and(|row| by(&row.key));
                        if is_named && key_of(direct, row, &binds)? == *key {
                            self.say(row, Said::Looked)?;
                        }
                    }
                }
                // What a loop runs over was stated turn by turn, with what it must be.
                (None, Some(row)) => {
                    let known = |stated: &Stated| of_table(stated.row) && stated.key == *key;
                    if !self.stated.iter().any(known) {
                        let (key, changes) = (key.clone(), false);
                        let binds = self.with_key(&key).into();
                        self.stated.push(Stated { row, key, changes, binds });
                    }
                }
                (None, None) => return Err(ill_formed("a row that nothing stands for")),
            }
        }
        for row in direct.insists.iter().flat_map(|insist| &insist.rows) {
            let found = direct.rows.get(*row).is_some_and(|row| row.found.is_some());
            if found || !key_of(direct, *row, &binds)?.is_null() {
                self.say(*row, Said::Looked)?;
            }
        }
        let once = |row: &usize| direct.rows.get(*row).is_some_and(|row| !row.each_turn);
        self.state((0..direct.rows.len()).filter(once))?;
        let order = |of: &Stated| direct.rows.get(of.row).map_or(u32::MAX, |row| row.table.rank);
        self.stated.sort_by(|a, b| {
            // Those that are found have no keys yet, and come first.
            let by_key = || match (a.key.is_null(), b.key.is_null()) {
                (false, false) => operation::order(&a.key, &b.key).unwrap_or(Ordering::Equal),
                (a, b) => b.cmp(&a),
            };
            order(a).cmp(&order(b)).then_with(by_key)
        });
        // Two names of one row: what one changes the other should see, which no statement knows.
        // What stands for the key of one that is made may look like another's; of those that are found the database is asked.
        let is_made = |of: &Stated| {
            direct.rows.get(of.row).is_some_and(|row| row.made || row.found.is_some())
        };
        let twice = |two: &[Stated]| {
            order(&two[0]) == order(&two[1])
                && two[0].key == two[1].key
                && (two[0].changes || two[1].changes)
                && !two.iter().any(is_made)
        };
        // One that is made here under a key that was given is not there yet.
        let is_fresh = |of: &Stated| {
            let row = direct.rows.get(of.row).filter(|row| !row.made);
            row.is_some_and(|DirectRow { table, .. }| {
                !direct.counted.iter().any(|counted| counted.id == table.id)
                    && self.running.rows.root(table, &of.key).is_some()
            })
        };
        let is_odd = self.stated.windows(2).any(twice)
            || (self.running.rows.count > 0 && self.stated.iter().any(is_fresh));
        Ok(!is_odd)
    }

    /// Sends all that was stated, and what has the answer put into words.
    async fn send(&mut self, worded: Option<&Worded>) -> Result<(), Fault> {
        if self.direct.in_steps {
            return self.send_steps().await;
        }
        // A value is one of rows as they were.
        let is_value = matches!(worded, Some(Worded::Value(_)));
        self.send_all(worded.filter(|_| is_value)).await?;
        self.answer(worded.filter(|_| !is_value)).await
    }

    async fn answer(&mut self, worded: Option<&Worded>) -> Result<(), Fault> {
        let Some(worded) = worded else { return Ok(()) };
        let binds = self.running.binds.clone();
        self.put_into_words(worded, &binds).await.map_err(Failure::into_fault)
    }

    async fn send_all(&mut self, value: Option<&Worded>) -> Result<(), Fault> {
        let direct = self.direct;
        if !direct.locks_first() {
            self.send_rows().await?;
            return self.running.flush().await;
        }
        // What is told of rows is what they were, and nobody else may change them meanwhile.
        self.find(true).await?;
        self.hold_rows().await?;
        self.draw_keys().await?;
        self.insist().await?;
        let published = std::mem::take(&mut self.running.published);
        let asking = std::mem::take(&mut self.running.asking);
        self.running.flush().await?;
        self.send_added().await?;
        self.send_totals().await?;
        self.find(false).await?;
        self.tell(&published, &asking).await.map_err(Failure::into_fault)?;
        self.answer(value).await?;
        self.send_rows().await
    }

    /// Looks up what only the database knows: keys of rows that are not locked yet, or all else.
    async fn find(&mut self, keys: bool) -> Result<(), Fault> {
        let (direct, target) = (self.direct, self.direct.id);
        for (place, found) in direct.found.iter().enumerate() {
            if (found.what == Finding::Key) != keys {
                continue;
            }
            let binds = &self.running.binds;
            let key = Key { target, place, kind: Kind::Find, columns: 0, binds: binds.len() };
            let lower = || lower::found::find(Settings::of(direct), place, binds);
            let database = &mut self.running.writing.database;
            let sent = database.run(Asked::Kept(key), lower, binds.iter()).await;
            sent.map_err(Failure::into_fault)?;
        }
        Ok(())
    }

    /// What the binds hold, and behind those that the program fills the key of a row.
    fn with_key(&self, key: &Value) -> Vec<Value> {
        let mut binds = self.running.binds.clone();
        match binds.get_mut(self.running.program.filled.len()) {
            Some(slot) => *slot = key.clone(),
            None => binds.push(key.clone()),
        }
        binds
    }

    /// Asks for what must be true of several rows, all of which are locked.
    async fn insist(&mut self) -> Result<(), Fault> {
        let (direct, target) = (self.direct, self.direct.id);
        let binds = self.running.binds.clone();
        let of_turns = std::mem::take(&mut self.insisted);
        for (place, insist) in direct.insists.iter().enumerate() {
            let kind = Kind::Sure;
            let key = Key { target, place, kind, columns: 1 << 63, binds: binds.len() };
            let database = &mut self.running.writing.database;
            let sent = if insist.each_turn {
                let of_this = of_turns.iter().filter(|(at, _)| *at == place);
                let turns: Vec<&[Value]> = of_this.map(|(_, binds)| &**binds).collect();
                let lower = |hints: &[Value]| insisted(direct, place, hints);
                database.for_each(key, lower, &turns).await
            } else {
                let lower = || insisted(direct, place, &binds);
                database.run(Asked::Kept(key), lower, binds.iter()).await.map(drop)
            };
            sent.map_err(Failure::into_fault)?;
        }
        Ok(())
    }

    /// Draws the keys that the database counts, before anything is made that has or names one.
    async fn draw_keys(&mut self) -> Result<(), Fault> {
        let target = self.direct.id;
        for (table, many) in self.running.counted.take().unwrap_or_default() {
            let place = usize::try_from(table.id.0).unwrap_or(usize::MAX);
            let key = Key { target, place, kind: Kind::Draw, columns: 0, binds: 1 };
            let (lower, many) = (|| lower::drawn::draw(&table), Value::Int(many));
            let database = &mut self.running.writing.database;
            let drawn = database.run(Asked::Kept(key), lower, [&many].into_iter()).await;
            drawn.map_err(Failure::into_fault)?;
        }
        Ok(())
    }

    async fn hold_rows(&mut self) -> Result<(), Fault> {
        let (program, direct) = (self.running.program, self.direct);
        let mut loads: Vec<(Load, Vec<usize>)> = Vec::new();
        for Stated { row, key, .. } in &self.stated {
            let DirectRow { table, made, found, .. } =
                direct.rows.get(*row).ok_or_else(|| ill_formed("no such row"))?;
            if *made {
                continue;
            }
            if loads.last().is_none_or(|(load, _)| load.table.id != table.id) {
                let load = Load {
                    target: direct.id,
                    table: table.clone(),
                    column: table.own_key(),
                    values: Vec::new(),
                    lock: lock_of(program, table, true),
                    held: false,
                };
                loads.push((load, Vec::new()));
            }
            let Some((load, all_found)) = loads.last_mut() else { continue };
            match found {
                Some(found) => all_found.push(*found),
                None => load.values.push(key.clone()),
            }
        }
        let goes = |stated: &&Stated| {
            stated.changes && direct.rows.get(stated.row).is_some_and(|row| row.goes)
        };
        let going =
            self.stated.iter().filter(goes).filter_map(|stated| {
                Some((direct.rows.get(stated.row)?.table.id, stated.key.clone()))
            });
        let gone = gone_of(direct, going.collect());
        let of = (direct.id, Settings::of(direct), true);
        let held = self.running.writing.hold_in_order(loads, &gone, of).await;
        held.map_err(Failure::into_fault)
    }

    /// Sends the statements about rows: in the order in which all commands lock rows, or, where those are locked, one for all rows of a kind.
    async fn send_rows(&mut self) -> Result<(), Fault> {
        let direct = self.direct;
        let mut kinds: Vec<(Doing, Vec<Stated>)> = Vec::new();
        let all = std::mem::take(&mut self.stated);
        let gone = all.iter().filter(|stated| stated.changes).filter_map(|stated| {
            let row = direct.rows.get(stated.row).filter(|row| row.goes)?;
            Some((&*row.table, &stated.key))
        });
        let gone: Vec<(&Table, &Value)> = gone.collect();
        let noted = self.running.writing.raise_cleared(&gone, &[]).await;
        let noted = noted.map_err(Failure::into_fault)?;
        for stated in all {
            let of = direct.rows.get(stated.row).ok_or_else(|| ill_formed("no such row"))?;
            let (row, changes) = (stated.row, stated.changes);
            let answered = self.answered == Some(row);
            if !changes && !answered && direct.is_held_only(of) {
                continue;
            }
            let many = direct.locks_first() && !answered;
            let alike =
                |(of, _): &&mut (Doing, Vec<Stated>)| of.row == row && of.changes == changes;
            match kinds.iter_mut().find(alike).filter(|_| many) {
                Some((doing, all)) => {
                    doing.each = true;
                    all.push(stated);
                }
                None => {
                    kinds.push((Doing { row, changes, answered, each: false }, vec![stated]));
                }
            }
        }
        for (doing, all) in kinds {
            self.send_kind(doing, &all).await?;
        }
        let writing = &mut self.running.writing;
        writing.raise_noted(&noted).await.map_err(Failure::into_fault)?;
        writing.redraw_surely(&noted).await.map_err(Failure::into_fault)
    }

    /// Sends the statement about all rows of a kind.
    async fn send_kind(&mut self, doing: Doing, all: &[Stated]) -> Result<(), Fault> {
        let Some(Stated { binds, .. }) = all.first() else { return Ok(()) };
        let (program, direct) = (self.running.program, self.direct);
        let sent = if doing.each {
            let key = self.key_of_row(doing, binds.len())?;
            let all: Vec<&[Value]> = all.iter().map(|stated| &*stated.binds).collect();
            let lower = |hints: &[Value]| statement(program, direct, doing, hints);
            self.running.writing.database.for_each(key, lower, &all).await
        } else {
            self.send_row(doing, binds).await
        };
        sent.map_err(Failure::into_fault)
    }

    /// Sends the statement about a row.
    async fn send_row(&mut self, doing: Doing, binds: &[Value]) -> Result<(), Failure> {
        let (program, direct) = (self.running.program, self.direct);
        let key = self.key_of_row(doing, binds.len())?;
        let lower = || statement(program, direct, doing, binds);
        let database = &mut self.running.writing.database;
        database.run(Asked::Kept(key), lower, binds.iter()).await.map(drop)
    }

    fn key_of_row(&self, doing: Doing, binds: usize) -> Result<Key, Fault> {
        let of = self.direct.rows.get(doing.row).ok_or_else(|| ill_formed("no such row"))?;
        let kind = if doing.answered { Kind::Answered } else { Kind::Sure };
        let place = Place { target: self.direct.id, at: doing.row, table: &of.table };
        Key::of(place, kind, &[usize::from(doing.changes)], binds)
    }
}

/// The rows that go, of all tables of which some may, so that what is sent does not hang on which of them do; with what was looked up ahead.
pub(super) fn gone_of(direct: &Direct, going: Vec<(TableId, Value)>) -> Vec<Gone> {
    let mut all: Vec<Gone> = Vec::new();
    for row in direct.rows.iter().filter(|row| row.goes) {
        let at = all.iter().position(|gone| gone.table.id == row.table.id).unwrap_or_else(|| {
            all.push(Gone { table: row.table.clone(), keys: Vec::new(), found: Vec::new() });
            all.len() - 1
        });
        if let Some(gone) = all.get_mut(at).filter(|_| row.site.is_some()) {
            gone.found = direct.sites_of(row.table.id);
        }
    }
    for (table, key) in going {
        if let Some(gone) = all.iter_mut().find(|gone| gone.table.id == table) {
            gone.keys.push(key);
        }
    }
    all
}

/// The key of a row of a form, where the binds hold this.
fn key_of(direct: &Direct, row: usize, binds: &[Value]) -> Result<Value, Fault> {
    let row = direct.rows.get(row).ok_or_else(|| ill_formed("no such row"))?;
    match &row.key {
        Expression::Literal(value) => Ok(value.clone()),
        Expression::Bind(at) => Ok(binds.get(*at).cloned().unwrap_or_default()),
        _ => Err(ill_formed("a key that is not known")),
    }
}

/// That something stands against a command; what, the workset says.
fn not_so() -> Fault {
    Fault::Internal("a direct command was not run over a workset when it was refused".to_owned())
}

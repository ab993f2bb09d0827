//! A program, walked as it is run.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use operation::{
    Dialect, Expression, Fault, Fill, Form, Inputs, MOST_ROWS, OnDelete, Place, Program, Source,
    Step, Table, TableId, Value,
};

use super::foreseen::{Foreseen, Known, Level, Pace, Seen, Wish, later, next};
use super::loads::Holds;
use super::writes::Writes;
use super::{Purpose, Sent, Times, Trip};
use crate::lower::{self, Nested, ill_formed};
use crate::postgres::value::type_name;
use crate::write::{Kind, Many, Tables, draws_on_row};

pub(super) struct Walk<'p> {
    pub program: &'p Program,
    pub tables: &'p [Arc<Table>],
    /// The same, and what draws on references in them.
    pub known: &'p Tables,
    pub dialect: Dialect,
    pace: Pace,
    binds: Vec<Known>,
    /// Rows that are foreseen; then those that are here.
    pub wishes: BTreeMap<Wish, Foreseen>,
    /// Ways to the keys of roots that this program makes.
    pub made: BTreeSet<String>,
    /// The tables of those roots.
    made_of: BTreeSet<TableId>,
    drawn: BTreeSet<TableId>,
    /// Tables of which rows that this program makes may go again before they are written.
    passing: BTreeMap<TableId, Times>,
    trips: Vec<Trip>,
    /// What was sent and is not awaited yet.
    pending: Vec<Sent>,
    /// How often what is walked over happens.
    pub times: Times,
    pub writes: Writes,
    /// The rank of the last table of which rows are locked.
    pub locked: Cell<Option<u32>>,
    /// Tables of which rows are foreseen to go, and after how many loads that is known.
    pub going: Vec<(Arc<Table>, usize)>,
    /// Tables of which rows go that nothing foresees.
    pub going_late: Vec<Arc<Table>>,
    /// Whether a row is answered that is not here.
    answers_other: bool,
    /// Whether what is walked over is another command's body.
    nested: bool,
    /// After how many loads what is walked over is come to: the turns of a loop are known with its elements.
    come_to: usize,
}

impl<'p> Walk<'p> {
    pub fn new(
        program: &'p Program,
        (tables, known): (&'p [Arc<Table>], &'p Tables),
        dialect: Dialect,
    ) -> Self {
        let binds = program.filled.iter().enumerate().map(|(at, filled)| Known {
            level: (!filled).then_some(0),
            way: format!("{at}"),
            root: None,
        });
        Self {
            program,
            tables,
            known,
            dialect,
            pace: Pace::Foresee,
            binds: binds.collect(),
            wishes: BTreeMap::new(),
            made: BTreeSet::new(),
            made_of: BTreeSet::new(),
            drawn: BTreeSet::new(),
            passing: BTreeMap::new(),
            trips: Vec::new(),
            pending: Vec::new(),
            times: Times::Once,
            writes: Writes::default(),
            locked: Cell::new(None),
            going: Vec::new(),
            going_late: Vec::new(),
            answers_other: false,
            nested: false,
            come_to: 0,
        }
    }

    /// What can be foreseen, load by load.
    pub fn foresee(&mut self) -> Result<(), Fault> {
        let program = self.program;
        self.pending = match self.dialect {
            Dialect::Sqlite => vec![Sent::steering("SAVEPOINT request")],
            Dialect::Postgres => vec![Sent::steering("BEGIN")],
        };
        if self.dialect == Dialect::Sqlite {
            // Where a row is a call away, each is looked up when a step needs it.
            self.pace = Pace::Run;
            return self.look_at_named();
        }
        if program.scans {
            self.pending.push(Sent::steering("SET TRANSACTION ISOLATION LEVEL SERIALIZABLE"));
        }
        self.look_at_named()?;
        self.look(&program.admission, &[])?;
        self.steps(&program.body)?;
        let all = self.wishes.values().flat_map(|it| [it.surely, it.perhaps]).flatten();
        for level in 0..all.max().map_or(0, |last| last + 1) {
            self.load_all(Purpose::Load, (!program.deep, level), |of| of.at(level))?;
        }
        if program.deep {
            self.load_all(Purpose::Lock, (true, usize::MAX), |_| Some(Times::Once))?;
        }
        Ok(())
    }

    /// Rows that the caller names, and what decides whether they are seen.
    fn look_at_named(&mut self) -> Result<(), Fault> {
        let program = self.program;
        for visible in &program.visible {
            let table = &visible.table;
            self.want(table, table.own_key(), "named", Some(0))?;
            let way = format!("{}[named]", table.name);
            let row = Seen { way, key: "named".to_owned(), level: Some(1) };
            self.look(&visible.condition, &[row])?;
        }
        Ok(())
    }

    /// The steps, and what they miss.
    pub fn run(&mut self) -> Result<(), Fault> {
        self.pace = Pace::Run;
        let program = self.program;
        self.look(&program.admission, &[])?;
        self.steps(&program.body)
    }

    /// What is written and answered, and the end.
    pub fn end(mut self) -> Result<Vec<Trip>, Fault> {
        self.look_at_passing()?;
        let (written, rules) = self.writes_of_rows()?;
        self.pending.extend(written);
        if let Some(rules) = rules {
            self.ask(Purpose::Check, Times::Once, vec![rules]);
        }
        let published = self.publishes()?;
        self.pending.extend(published);
        if let Form::Row(read) = &self.program.answer
            && (self.answers_other || !draws_on_row(read, &read.table))
        {
            let nothing = vec![Value::Null; self.program.filled.len() + 1];
            let text = match self.dialect {
                Dialect::Postgres => Nested::of(read, &nothing)?.statement.text,
                Dialect::Sqlite => lower::Select::of(read)?.statement.text,
            };
            let entity = Some(read.table.entity.clone());
            self.ask(Purpose::Answer, Times::Once, vec![Sent { entity, ..Sent::plain(text) }]);
        }
        let end = match self.dialect {
            Dialect::Postgres => "COMMIT",
            Dialect::Sqlite => "RELEASE request",
        };
        let wrote = self.pending.iter().any(|sent| !sent.steers);
        self.pending.push(Sent::steering(end));
        let purpose = if wrote { Purpose::Write } else { Purpose::Commit };
        self.ask(purpose, Times::Once, Vec::new());
        Ok(self.trips)
    }

    /// Whether the keys of rows that came and went were free.
    fn look_at_passing(&mut self) -> Result<(), Fault> {
        let passing = std::mem::take(&mut self.passing);
        let Some(times) = passing.values().min().copied() else { return Ok(()) };
        let mut statements = Vec::with_capacity(passing.len());
        for id in passing.into_keys() {
            let table = self.table_of(id)?;
            statements.push(self.load(table, table.own_key(), Holds::Not)?);
        }
        self.ask(Purpose::Load, times.min(Times::AtMostOnce), statements);
        Ok(())
    }

    pub(super) fn ask(&mut self, purpose: Purpose, times: Times, mut statements: Vec<Sent>) {
        let mut all = std::mem::take(&mut self.pending);
        all.append(&mut statements);
        if self.dialect == Dialect::Sqlite
            && let Some(last) = self.trips.last_mut().filter(|last| last.purpose == purpose)
        {
            // Nothing is waited for: what is alike stands together.
            last.statements.append(&mut all);
            return;
        }
        self.trips.push(Trip { purpose, times, statements: all });
    }

    pub(super) fn table_of(&self, id: TableId) -> Result<&'p Arc<Table>, Fault> {
        let found = self.tables.iter().find(|table| table.id == id);
        found.ok_or_else(|| ill_formed("no such table"))
    }

    /// Notes that rows are looked for.
    fn want(&mut self, table: &Table, column: usize, way: &str, level: Level) -> Result<(), Fault> {
        if self.made.contains(way) {
            return Ok(());
        }
        let wish = (table.id, column, way.to_owned());
        match self.pace {
            Pace::Foresee => {
                if let Some(level) = level {
                    let level = level.max(self.come_to);
                    let known = self.wishes.entry(wish).or_default();
                    let sure = self.times == Times::Once;
                    let known = if sure { &mut known.surely } else { &mut known.perhaps };
                    *known = Some(known.map_or(level, |known| level.min(known)));
                }
            }
            Pace::Run => {
                // What was named is here under whatever way it is come to.
                let named = (table.id, column, "named".to_owned());
                let is_named = level == Some(0) && self.wishes.contains_key(&named);
                if !is_named && self.wishes.insert(wish, Foreseen::default()).is_none() {
                    let sent = self.load(table, column, Holds::Now)?;
                    match self.dialect {
                        Dialect::Sqlite => self.ask(Purpose::Load, Times::Once, vec![sent]),
                        Dialect::Postgres => {
                            self.ask(Purpose::Miss, self.times.max(Times::AtMostOnce), vec![sent]);
                        }
                    }
                }
            }
        }
        Ok(())
    }

    /// Looks for the rows of an expression; after how many loads its value is known.
    fn look(&mut self, expression: &Expression, rows: &[Seen]) -> Result<Level, Fault> {
        match expression {
            Expression::Bind(at) => Ok(self.binds.get(*at).and_then(|known| known.level)),
            Expression::Column { depth, .. } => {
                Ok(rows.iter().rev().nth(*depth).and_then(|row| row.level))
            }
            Expression::Lookup { table, key, value } => {
                let by = self.look(key, rows)?.map(|level| level.max(self.come_to));
                let key = self.way(key, rows);
                let level = if table.root.is_some() {
                    by
                } else {
                    self.want(table, table.own_key(), &key, by)?;
                    next(by)
                };
                let way = format!("{}[{key}]", table.name);
                let inside = self.look(value, &[Seen { way, key, level }])?;
                Ok(later(level, inside))
            }
            Expression::Aggregate { table, depth, body, .. } => {
                let Some(root) = rows.iter().rev().nth(*depth).cloned() else { return Ok(None) };
                let column = table.root.ok_or_else(|| ill_formed("a part without a root"))?;
                self.want(table, column, &root.key, root.level)?;
                let level = next(root.level);
                let way = format!("{}<{}>", table.name, root.key);
                let mut inner = rows.to_vec();
                inner.push(Seen { key: way.clone(), way, level });
                let inside = self.look(body, &inner)?;
                Ok(later(level, inside))
            }
            _ => {
                let (mut level, mut failed) = (Some(0), None);
                expression.children(&mut |child| match self.look(child, rows) {
                    Ok(inside) => level = later(level, inside),
                    Err(fault) => failed = Some(fault),
                });
                failed.map_or(Ok(level), Err)
            }
        }
    }

    /// The way to a value: the same for the same value, whoever names it.
    fn way(&self, expression: &Expression, rows: &[Seen]) -> String {
        match expression {
            Expression::Bind(at) => {
                self.binds.get(*at).map_or_else(String::new, |known| known.way.clone())
            }
            Expression::Column { depth, column } => {
                let row = rows.iter().rev().nth(*depth).map_or("", |row| &row.way);
                format!("{row}.{column}")
            }
            Expression::Lookup { table, key, value } => {
                let key = self.way(key, rows);
                let way = format!("{}[{key}]", table.name);
                self.way(value, &[Seen { way, key, level: None }])
            }
            other => format!("{other:?}"),
        }
    }

    fn set(&mut self, bind: usize, level: Level, way: Option<String>, root: Option<String>) {
        if let Some(known) = self.binds.get_mut(bind) {
            *known = Known { level, way: way.unwrap_or_else(|| format!("{bind}")), root };
        }
    }

    fn look_all<'e>(
        &mut self,
        expressions: impl IntoIterator<Item = &'e Expression>,
    ) -> Result<(), Fault> {
        expressions.into_iter().try_for_each(|expression| self.look(expression, &[]).map(drop))
    }

    fn within(&mut self, times: Times, steps: &[Step]) -> Result<(), Fault> {
        let outside = self.times;
        self.times = outside.max(times);
        let walked = self.steps(steps);
        self.times = outside;
        walked
    }

    fn steps(&mut self, steps: &[Step]) -> Result<(), Fault> {
        steps.iter().try_for_each(|step| self.step(step))
    }

    fn step(&mut self, step: &Step) -> Result<(), Fault> {
        match step {
            Step::Let { bind, value } => {
                let level = self.look(value, &[])?;
                let way = self.way(value, &[]);
                let root = match value {
                    Expression::Bind(of) => {
                        self.binds.get(*of).and_then(|known| known.root.clone())
                    }
                    _ => None,
                };
                self.set(*bind, level, Some(way), root);
            }
            Step::Unpack { from, members } => {
                let level = self.look(from, &[])?;
                members.iter().for_each(|member| self.set(member.bind, level, None, None));
            }
            Step::Require { condition, .. } => drop(self.look(condition, &[])?),
            Step::For { source, bind, members, body } => match source {
                Source::List { list, .. } => {
                    let level = self.look(list, &[])?;
                    self.set(*bind, level, None, None);
                    members.iter().for_each(|member| self.set(member.bind, level, None, None));
                    self.turns_from(level, body)?;
                }
                Source::Parts { row, root } => {
                    let level = self.look(root, &[])?;
                    let (table, way) = (self.at(*row)?.clone(), self.way(root, &[]));
                    let column = table.root.ok_or_else(|| ill_formed("a part without a root"))?;
                    self.want(&table, column, &way, level)?;
                    let part = format!("{}<{way}>", table.name);
                    self.set(*bind, next(level), Some(part), Some(way));
                    self.turns(*bind, body)?;
                }
                Source::Rows { row, condition } => {
                    if matches!(self.pace, Pace::Run) {
                        self.find(
                            *row,
                            condition,
                            i64::try_from(MOST_ROWS).unwrap_or(i64::MAX) + 1,
                        )?;
                        let table = self.at(*row)?.clone();
                        let way = format!("{bind} of {}", table.name);
                        self.want(&table, table.own_key(), &way, None)?;
                        let row = Seen { way: way.clone(), key: way.clone(), level: None };
                        let outside = std::mem::replace(&mut self.times, Times::EachTurn);
                        self.look(condition, &[row])?;
                        self.times = outside;
                        self.set(*bind, None, Some(way), None);
                        self.turns(*bind, body)?;
                    }
                }
            },
            Step::If { condition, then, otherwise } => {
                self.look(condition, &[])?;
                self.within(Times::AtMostOnce, then)?;
                self.within(Times::AtMostOnce, otherwise)?;
            }
            Step::Create(creation) => self.create(creation)?,
            Step::Update { row, key, set, .. } => self.update(*row, key, set)?,
            Step::Delete { row, key } => self.delete(*row, key)?,
            Step::Emit { event, key, members } => {
                self.look_all(members.iter().map(|member| &member.value))?;
                self.look_all(key.iter().map(|(key, _)| key))?;
                if matches!(self.pace, Pace::Run) {
                    let program = self.program;
                    let by = program.events.get(*event).map_or(&[][..], |event| &*event.by);
                    let locks = key.as_ref().is_some_and(|(key, _)| !program.is_own_key(key));
                    self.writes.emits(self.times, locks, by);
                }
            }
            Step::Later { arguments, terms, .. } => {
                self.look_all(arguments.iter().map(|argument| &argument.value))?;
                self.look_all(terms.delay.iter().chain(terms.unique.iter().map(|(it, _)| it)))?;
                if matches!(self.pace, Pace::Run) {
                    self.writes.asks();
                }
            }
            Step::Collect { row, condition, most, .. } => {
                if matches!(self.pace, Pace::Run) {
                    self.find(*row, condition, i64::try_from(*most).unwrap_or(i64::MAX))?;
                }
            }
            Step::Code { arguments, bind, .. } => {
                self.look_all(arguments)?;
                if matches!(self.pace, Pace::Run) {
                    let (purpose, times) = (Purpose::Code, Times::EachTurn);
                    self.trips.push(Trip { purpose, times, statements: Vec::new() });
                }
                self.set(*bind, None, None, None);
            }
            Step::Run { body, bind } => {
                let outside = std::mem::replace(&mut self.nested, true);
                self.steps(body)?;
                self.nested = outside;
                if let Some(bind) = bind {
                    let way = self.returned(body);
                    self.set(*bind, None, way, None);
                }
            }
            Step::Return(value) => {
                if let Some(value) = value {
                    let level = self.look(value, &[])?;
                    if matches!(self.pace, Pace::Run) && !self.nested {
                        self.answer(value, level);
                    }
                }
            }
        }
        Ok(())
    }

    /// The turns of a loop over rows, which are looked over once more when the rows are known.
    fn turns(&mut self, bind: usize, body: &[Step]) -> Result<(), Fault> {
        let level = self.binds.get(bind).and_then(|known| known.level);
        if matches!(self.pace, Pace::Foresee) || self.dialect == Dialect::Sqlite {
            return self.turns_from(level, body);
        }
        // What each turn needs first is loaded for all together.
        let known = self.binds.clone();
        let here = std::mem::take(&mut self.wishes);
        self.binds.iter_mut().for_each(|bind| bind.level = Some(0));
        self.pace = Pace::Foresee;
        let foreseen = self.steps(body);
        self.pace = Pace::Run;
        self.binds = known;
        let wanted = std::mem::replace(&mut self.wishes, here);
        foreseen?;
        let new: Vec<Wish> = wanted
            .into_iter()
            .filter(|(wish, at)| at.at(0).is_some() && !self.wishes.contains_key(wish))
            .map(|(wish, _)| wish)
            .collect();
        if level.is_none() && !new.is_empty() {
            let mut loads = Vec::with_capacity(new.len());
            for (id, column) in
                new.iter().map(|(id, column, _)| (*id, *column)).collect::<BTreeSet<_>>()
            {
                let table = self.table_of(id)?;
                loads.push(self.load(table, column, Holds::Now)?);
            }
            self.ask(Purpose::Load, self.times, loads);
            self.wishes.extend(new.into_iter().map(|wish| (wish, Foreseen::default())));
        }
        self.within(Times::EachTurn, body)
    }

    fn turns_from(&mut self, level: Level, body: &[Step]) -> Result<(), Fault> {
        let before = self.come_to;
        self.come_to = before.max(level.unwrap_or(0));
        let walked = self.within(Times::EachTurn, body);
        self.come_to = before;
        walked
    }

    fn find(&mut self, row: Place, condition: &Expression, most: i64) -> Result<(), Fault> {
        let table = self.at(row)?.clone();
        let all = Expression::yes();
        let asked = if lower::is_lowerable(condition) { condition } else { &all };
        let nothing = vec![Value::Null; self.program.filled.len()];
        let text = lower::rows_where(self.dialect, &table, asked, &nothing, most)?.text;
        let entity = Some(table.entity.clone());
        self.ask(Purpose::Find, self.times, vec![Sent { entity, ..Sent::plain(text) }]);
        Ok(())
    }

    fn create(&mut self, creation: &operation::Creation) -> Result<(), Fault> {
        let table = self.at(creation.row)?.clone();
        let root_table = self.root_of(creation.row)?.clone();
        let mut around = None;
        if let Some(root) = &creation.root {
            let level = self.look(root, &[])?;
            let way = self.way(root, &[]);
            self.want(&root_table, root_table.own_key(), &way, level)?;
            let column = table.root.ok_or_else(|| ill_formed("a part without a root"))?;
            self.want(&table, column, &way, level)?;
            around = Some(way);
        }
        for fill in &creation.values {
            match fill {
                Fill::Value(value) => drop(self.look(value, &[])?),
                Fill::Counted if matches!(self.pace, Pace::Run) => self.draw(&table)?,
                _ => {}
            }
        }
        if matches!(self.pace, Pace::Run) {
            if creation.root.is_none() {
                self.made_of.insert(table.id);
            }
            let to_made = around.as_ref().is_some_and(|root| self.made.contains(root));
            self.writes.creates(self.program, creation.row, self.times, to_made);
        }
        if let Some(bind) = creation.bind {
            if creation.root.is_none() {
                self.made.insert(format!("{bind}"));
            }
            self.set(bind, None, None, around);
        }
        Ok(())
    }

    fn draw(&mut self, table: &Table) -> Result<(), Fault> {
        let column = table.auto.ok_or_else(|| ill_formed("a key that nobody counts"))?;
        let again = !self.drawn.insert(table.id);
        let text = match self.dialect {
            Dialect::Postgres => lower::draw(table, column)?.text,
            Dialect::Sqlite => {
                let column =
                    table.columns.get(column).ok_or_else(|| ill_formed("no such column"))?;
                lower::greatest(table, &column.name)
            }
        };
        let entity = Some(table.entity.clone());
        let sent = Sent { entity, ..Sent::plain(text) };
        if !again {
            self.ask(Purpose::Draw, self.times.min(Times::AtMostOnce), vec![sent.clone()]);
        }
        if again || self.times == Times::EachTurn {
            self.ask(Purpose::Draw, Times::Sixteenth, vec![sent]);
        }
        Ok(())
    }

    fn update(
        &mut self,
        row: Place,
        key: &Expression,
        set: &[(usize, Expression)],
    ) -> Result<(), Fault> {
        let level = self.look(key, &[])?;
        let way = self.way(key, &[]);
        let (table, root_table) = (self.at(row)?.clone(), self.root_of(row)?.clone());
        let mut inside = level;
        let mut around = way.clone();
        if row.part.is_none() {
            self.want(&table, table.own_key(), &way, level)?;
            self.want_inputs(row, &way, level, set)?;
            inside = next(level);
        } else {
            around = self.root_way(key);
            if matches!(self.pace, Pace::Run) {
                self.want_root(&root_table, &around)?;
            } else {
                // The row before is not at hand when a part's values are guessed.
                inside = None;
            }
        }
        let seen = Seen { way: format!("{}[{way}]", table.name), key: way.clone(), level: inside };
        for (_, value) in set {
            self.look(value, std::slice::from_ref(&seen))?;
        }
        if matches!(self.pace, Pace::Run) && !self.made.contains(&around) {
            let late = |value: &Expression| self.made.contains(&self.way(value, &[]));
            let set: Vec<(usize, bool)> =
                set.iter().map(|(at, value)| (*at, late(value))).collect();
            self.writes.updates(self.program, row, self.times, &set);
        }
        Ok(())
    }

    /// The parts that computed columns and checks fold over when these columns change.
    fn want_inputs(
        &mut self,
        row: Place,
        way: &str,
        level: Level,
        set: &[(usize, Expression)],
    ) -> Result<(), Fault> {
        let program = self.program;
        let target = program.targets.get(row.target).ok_or_else(|| ill_formed("no such target"))?;
        let mut changed: Vec<usize> = set.iter().map(|(column, _)| *column).collect();
        let computed = target.target.computed.iter().map(|computed| Some(computed.column));
        let computed = target.computed.iter().zip(computed);
        for (inputs, column) in computed.chain(target.checks.iter().zip(std::iter::repeat(None))) {
            if !inputs.columns.iter().any(|column| changed.contains(column)) {
                continue;
            }
            changed.extend(column);
            for part in inputs.parts.iter().filter_map(|part| target.target.parts.get(*part)) {
                let column = part.table.root.ok_or_else(|| ill_formed("a part without a root"))?;
                self.want(&part.table, column, way, level)?;
            }
        }
        Ok(())
    }

    fn delete(&mut self, row: Place, key: &Expression) -> Result<(), Fault> {
        let program = self.program;
        let level = self.look(key, &[])?;
        let way = self.way(key, &[]);
        let root_table = self.root_of(row)?.clone();
        if row.part.is_none() {
            self.want(&root_table, root_table.own_key(), &way, level)?;
            let target = program.targets.get(row.target);
            for part in target.iter().flat_map(|target| &target.target.parts) {
                let column = part.table.root.ok_or_else(|| ill_formed("a part without a root"))?;
                self.want(&part.table, column, &way, level)?;
            }
            match (&self.pace, level) {
                (Pace::Foresee, Some(level)) => {
                    self.going.push((root_table.clone(), level.max(self.come_to)));
                }
                (Pace::Run, None) => self.going_late.push(root_table.clone()),
                _ => {}
            }
        } else if matches!(self.pace, Pace::Run) {
            let around = self.root_way(key);
            self.want_root(&root_table, &around)?;
        }
        if matches!(self.pace, Pace::Run) {
            if row.part.is_none() {
                if self.made.contains(&way) {
                    self.passing.entry(root_table.id).or_insert(self.times);
                }
                let falling = self.falling(&root_table);
                for table in self.made_of.iter().filter(|table| falling.contains(table)) {
                    self.passing.entry(*table).or_insert(Times::AtMostOnce);
                }
            }
            self.writes.deletes(program, row, self.times);
            if let (Form::Row(read), None) = (&program.answer, row.part) {
                self.answers_other |= self.reaches(&root_table, &read.table);
            }
        }
        Ok(())
    }

    /// Whether rows of one table go or change when one of another is deleted.
    fn reaches(&self, from: &Table, to: &Table) -> bool {
        let falling = self.falling(from);
        to.foreign_keys
            .iter()
            .any(|key| key.on_delete != OnDelete::Restrict && falling.contains(&key.target))
    }

    /// The tables whose rows may go when one of this is deleted, itself among them.
    fn falling(&self, from: &Table) -> BTreeSet<TableId> {
        let (mut falling, mut next) = (BTreeSet::from([from.id]), vec![from.id]);
        while let Some(id) = next.pop() {
            for table in self.tables {
                let mut keys = table.foreign_keys.iter();
                let falls = keys.any(|key| key.target == id && key.on_delete == OnDelete::Cascade);
                if falls && falling.insert(table.id) {
                    next.push(table.id);
                }
            }
        }
        falling
    }

    /// The root of a part, which the first of its parts asks for.
    fn want_root(&mut self, table: &Table, way: &str) -> Result<(), Fault> {
        let times = std::mem::replace(&mut self.times, Times::AtMostOnce);
        // One that was named is known by a bind of the caller.
        let given = way.parse::<usize>().ok().and_then(|at| self.program.filled.get(at));
        let level = given.filter(|filled| !**filled).map(|_| 0);
        let wanted = self.want(table, table.own_key(), way, level);
        self.times = times;
        wanted
    }

    /// The way to the key of the root of a part that a bind stands for.
    fn root_way(&self, key: &Expression) -> String {
        let known = match key {
            Expression::Bind(at) => self.binds.get(*at).and_then(|known| known.root.clone()),
            _ => None,
        };
        known.unwrap_or_else(|| format!("root of {}", self.way(key, &[])))
    }

    /// The way to what a body returns, if it is always the same.
    fn returned(&self, body: &[Step]) -> Option<String> {
        let mut ways = BTreeSet::new();
        returns(body, &mut |value| {
            ways.insert(self.way(value, &[]));
        });
        if ways.len() == 1 { ways.pop_first() } else { None }
    }

    fn answer(&mut self, value: &Expression, level: Level) {
        let Form::Row(read) = &self.program.answer else { return };
        let way = self.way(value, &[]);
        let here = |way: &str| {
            self.wishes.contains_key(&(read.table.id, read.table.own_key(), way.to_owned()))
        };
        let is_here = here(&way) || level == Some(0) && here("named");
        self.answers_other |= !self.made.contains(&way) && !is_here;
    }

    pub fn at(&self, place: Place) -> Result<&'p Arc<Table>, Fault> {
        self.program.table(place).ok_or_else(|| ill_formed("no such place"))
    }

    fn root_of(&self, place: Place) -> Result<&'p Arc<Table>, Fault> {
        self.at(Place { part: None, ..place })
    }

    /// A statement of [`Many`], for one row and for many.
    pub fn many(&self, many: &Many<'_>, often: bool) -> Result<Sent, Fault> {
        let one = many.lower(self.dialect, 0)?.text;
        let entity = Some(many.table.entity.clone());
        if self.dialect == Dialect::Sqlite {
            return Ok(Sent { entity, each_row: often, ..Sent::plain(one) });
        }
        let writes = (many.key.kind != Kind::Delete).then(|| many.table.name.clone());
        if !often {
            return Ok(Sent { entity, writes, ..Sent::plain(one) });
        }
        let text = many.lower_many(0, type_name)?.text;
        Ok(Sent { entity, writes, of_one: Some(one), ..Sent::plain(text) })
    }
}

fn returns(body: &[Step], each: &mut dyn FnMut(&Expression)) {
    for step in body {
        match step {
            Step::Return(Some(value)) => each(value),
            Step::For { body, .. } => returns(body, each),
            Step::If { then, otherwise, .. } => {
                returns(then, each);
                returns(otherwise, each);
            }
            _ => {}
        }
    }
}

/// Which of the computed columns change when these do, or these parts.
pub(super) fn due(
    computed: &[operation::Computed],
    inputs: &[Inputs],
    changed: &mut BTreeSet<usize>,
    parts: &[usize],
) {
    for (computed, inputs) in computed.iter().zip(inputs) {
        let by_column = inputs.columns.iter().any(|column| changed.contains(column));
        if by_column || inputs.parts.iter().any(|part| parts.contains(part)) {
            changed.insert(computed.column);
        }
    }
}

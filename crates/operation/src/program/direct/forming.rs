//! Steps, walked once, with names for values.

use std::sync::Arc;

use super::decided::Decided;
use super::flat::rows_of;
use super::making::made_under_given;
use super::obstacle::{Obstacle, Reason};
use super::rule::either;
use super::stepping::{Stepping, folded};
use super::{Course, Direct, Found, How, Insist, Layer, MadeRow, Told, Total};
use crate::program::{Carried, Place, Program, Source, Step};
use crate::{Expression, ReadId, Table, TableId, Value};

/// What a bind holds once the steps before have run.
#[derive(Debug, Clone)]
pub(super) enum Holds {
    /// What is known: this bind or constant.
    Given(Expression),
    /// The key of a row that is made, and the bind that it goes to; `None`: what is worked out of that.
    Made(Option<usize>),
    /// The key of a row that is made, which the database counts, and the bind that stands for it.
    Drawn(usize),
    /// What is worked out of rows as they were; step by step, what steps have made of a row from what was asked.
    Of(Expression),
    /// What was looked up at its step and is kept: this bind stands for it.
    Kept(usize),
    /// A part that is made at a step: the row that stands for it.
    Part(usize),
}

/// A row as the steps so far leave it.
pub(super) struct Row {
    pub table: Arc<Table>,
    pub key: Expression,
    /// What its key is among what is looked up.
    pub found: Option<usize>,
    /// The loop that it is one of in each turn.
    pub turn: Option<usize>,
    /// Each column, over rows as they were.
    pub values: Vec<Expression>,
    pub set: Vec<usize>,
    /// The kinds of parts, by position, that are added to it.
    pub adds: Vec<usize>,
    /// Columns that were looked at in loops of which it is none in each turn.
    pub looked_at_in_turns: Vec<usize>,
    /// The tables of its parts that something folds over.
    pub folds: Vec<TableId>,
    /// Its position among the program's targets, where it changes.
    pub target: Option<usize>,
    pub conditions: Vec<Expression>,
    /// What is computed in it once its columns are set, and must be true of it then.
    pub layers: Vec<Layer>,
    pub rules: Vec<Expression>,
    /// Whether it is one that is made.
    pub made: bool,
    /// Whether it goes, at least in a branch.
    pub goes: bool,
    /// Which of what is looked up ahead its key is.
    pub site: Option<usize>,
    /// Whether it stands for one step's change of a row, or for what becomes of one in the end.
    pub deed: bool,
}

impl Row {
    /// One that stands at a position, and to which nothing has been done.
    pub fn untouched(at: usize, table: &Arc<Table>, key: Expression, turn: Option<usize>) -> Self {
        Self {
            table: table.clone(),
            key,
            found: None,
            turn,
            values: as_it_was(at, table),
            set: Vec::new(),
            adds: Vec::new(),
            looked_at_in_turns: Vec::new(),
            folds: Vec::new(),
            target: None,
            conditions: Vec::new(),
            layers: Vec::new(),
            rules: Vec::new(),
            made: false,
            goes: false,
            site: None,
            deed: false,
        }
    }
}

/// What becomes of a branch and, where it may end them, of the steps behind it.
struct Branches {
    course: Course,
    rest: Vec<Course>,
    /// Whether those are in `rest`.
    ended: bool,
    /// What is returned then.
    returned: Option<Holds>,
}

pub(super) struct Forming<'p> {
    pub(super) program: &'p Program,
    pub binds: Vec<Holds>,
    /// The loop in which each bind is filled.
    pub turn_of: Vec<Option<usize>>,
    pub rows: Vec<Row>,
    pub(super) told: Vec<Told>,
    /// Rows of which only the database knows all, each with its table.
    pub(super) made: Vec<(Arc<Table>, MadeRow)>,
    /// Tables whose keys are counted, and those of such that are given a key.
    pub(super) counted: Vec<Arc<Table>>,
    pub(super) given: Vec<TableId>,
    /// The binds that stand for such a key.
    pub(super) drawn: Vec<(usize, TableId)>,
    /// Tables that rows are made in, however.
    pub(super) made_in: Vec<TableId>,
    /// Rows that go, each with a table of which rows may go or change with it.
    pub(super) reached: Vec<(usize, TableId)>,
    pub(super) totals: Vec<Total>,
    pub(super) insists: Vec<Insist>,
    /// What steps have made of rows.
    pub(super) decided: Vec<Decided>,
    /// What stands for keys of rows that are made, and that are nobody else's.
    pub(super) fresh: Vec<Expression>,
    /// Whether each bind holds what was asked, as it was asked.
    pub(super) is_asked: Vec<bool>,
    /// Roots that are made, by the binds that stand for their keys, and columns of new rows that are not known.
    pub(super) made_here: Vec<(TableId, usize)>,
    pub(super) unknown: Vec<(TableId, usize)>,
    /// Tables of which rows have been changed.
    pub(super) changed: Vec<TableId>,
    /// Whether a branch asks for what new rows hold.
    pub(super) keeps_made: bool,
    /// What is looked up once.
    pub(super) found: Vec<Found>,
    /// Whether it is asked whether a row that was found is another one that changes.
    pub(super) may_alias: bool,
    /// Whether a statement about a row looks at others.
    pub(super) looks_around: bool,
    /// Whether one row is answered, whatever is returned.
    pub(super) answers_one: bool,
    /// Whether something is told, and whether what is made was looked at for that.
    pub telling: bool,
    pub looked_at_made: bool,
    /// How many loops there are so far, and the one that is walked over.
    pub(super) loops: usize,
    pub(super) turn: Option<usize>,
    /// The branches that are walked over: what decides, and whether it is true there.
    pub(super) path: Vec<(Expression, bool)>,
    /// Whether a `return` would end less than what is walked over.
    pub(super) within: bool,
    /// In how many bodies of other commands what is walked over stands.
    pub(super) bodies: usize,
    /// What is looked at by the step that is walked over.
    pub(super) looks: Vec<usize>,
    /// What must be true for it in this turn of a loop.
    pub(super) turn_insists: Vec<usize>,
    pub(super) step: Option<Box<str>>,
    /// What is known besides where all is said step by step.
    pub(super) stepping: Option<Stepping>,
}

/// The direct form of a program: over rows as they were or, where that cannot be, step by step.
pub(super) fn form(program: &Program) -> Result<Direct, Obstacle> {
    let by_steps = || {
        let direct = form_as(program, Some(Stepping::default()))?;
        match folded(program, &direct.sites) {
            folded if folded.is_empty() => Ok(direct),
            folded => {
                form_as(program, Some(Stepping::knowing(folded))).or(Ok::<_, Obstacle>(direct))
            }
        }
    };
    match form_as(program, None) {
        // Where a row may be found that changes under another name, too, each step sees what those before have done.
        // Or a unique value may go from one to the other, in the order of the command.
        Ok(direct) if direct.may_alias || direct.may_pass_on() => Ok(by_steps().unwrap_or(direct)),
        Ok(mut direct) => {
            let twice = direct.may_name_twice(&made_under_given(program));
            direct.by_steps = twice.then(by_steps).and_then(Result::ok).map(Box::new);
            Ok(direct)
        }
        Err(_) => by_steps(),
    }
}

fn form_as(program: &Program, stepping: Option<Stepping>) -> Result<Direct, Obstacle> {
    let binds = (0..program.filled.len()).map(|bind| Holds::Given(Expression::Bind(bind)));
    let mut forming = Forming {
        program,
        binds: binds.collect(),
        turn_of: vec![None; program.filled.len()],
        rows: Vec::new(),
        told: Vec::new(),
        made: Vec::new(),
        counted: Vec::new(),
        given: Vec::new(),
        drawn: Vec::new(),
        made_in: Vec::new(),
        reached: Vec::new(),
        totals: Vec::new(),
        insists: Vec::new(),
        decided: Vec::new(),
        fresh: Vec::new(),
        is_asked: vec![true; program.filled.len()],
        made_here: Vec::new(),
        unknown: Vec::new(),
        changed: Vec::new(),
        keeps_made: false,
        found: Vec::new(),
        may_alias: false,
        looks_around: false,
        answers_one: false,
        telling: false,
        looked_at_made: false,
        loops: 0,
        turn: None,
        path: Vec::new(),
        within: false,
        bodies: 0,
        looks: Vec::new(),
        turn_insists: Vec::new(),
        step: None,
        stepping,
    };
    forming.whole().map_err(|reason| Obstacle { step: forming.step.take(), reason })
}

impl<'p> Forming<'p> {
    fn whole(&mut self) -> Result<Direct, Reason> {
        let program = self.program;
        if program.coded {
            return Err(Reason::ByCode);
        }
        if program.scans {
            return Err(Reason::Scans);
        }
        let (named, naming) = match self.stepping {
            Some(_) => self.name_in_steps()?,
            None => (self.name()?, Vec::new()),
        };
        self.looks.clear();
        self.step = Some("allow".into());
        let admission = self.require(&program.admission)?;
        let (steps, returned) = self.walk(&program.body)?;
        let returned = returned.unwrap_or(Holds::Given(Expression::Literal(Value::Null)));
        let (mut answered, mut said) = self.answer(returned)?;
        // Where it is returned, it is said already what must be there for it.
        self.look_at_reached()?;
        // Where rows are told apart by what stands for their keys.
        let is_given = |table: &Arc<Table>| self.given.contains(&table.id);
        if self.stepping.is_none() && self.counted.iter().any(is_given) {
            return Err(Reason::Counted);
        }
        let mut rows = Vec::with_capacity(self.rows.len());
        for row in 0..self.rows.len() {
            rows.push(self.finish(row)?);
        }
        let in_steps = self.stepping.is_some();
        let mut stepping = self.stepping.take().unwrap_or_default();
        let mut sites = std::mem::take(&mut stepping.sites);
        for site in &mut sites {
            let made = |table: &Arc<Table>| self.made_in.contains(&table.id);
            site.may_be_made = site.table.as_ref().is_some_and(made);
            let gone = |table: &Arc<Table>| {
                stepping.gone.contains(&table.id) || stepping.along.contains(&table.id)
            };
            site.may_be_gone = site.table.as_ref().is_some_and(gone);
        }
        if in_steps {
            (answered, said) = (stepping.answered, stepping.said);
        } else {
            self.insist_on_found()?;
        }
        let told = std::mem::take(&mut self.told);
        let made = std::mem::take(&mut self.made).into_iter().map(|(_, made)| made).collect();
        let totals = std::mem::take(&mut self.totals);
        let counted = std::mem::take(&mut self.counted);
        let drawn = std::mem::take(&mut self.drawn);
        let folds = self.rows.iter().any(|row| !row.folds.is_empty());
        Ok(Direct {
            id: ReadId::fresh(),
            by_steps: None,
            may_alias: self.may_alias,
            rows,
            insists: std::mem::take(&mut self.insists),
            looks_around: folds || self.looks_around,
            admission,
            steps,
            told,
            made,
            counted,
            drawn,
            found: std::mem::take(&mut self.found),
            totals,
            named,
            answers_one: self.answers_one && answered.len() == 1 && !in_steps,
            answered,
            said,
            in_steps,
            keeps_made: self.keeps_made,
            naming,
            naming_each: stepping.naming_each,
            sites,
        })
    }

    /// The rows that the caller named: what they must be is theirs from the start.
    fn name(&mut self) -> Result<Vec<Option<usize>>, Reason> {
        let program = self.program;
        let mut named = Vec::with_capacity(program.visible.len());
        for visible in &program.visible {
            self.step = Some(format!("allow read {}", visible.table.entity).into());
            named.push(match &visible.named {
                Some(binds) => {
                    for bind in binds {
                        let row = self.row(&visible.table, &Expression::Bind(*bind))?;
                        self.looks.clear();
                        let condition = self.flat(&visible.condition, &[row])?;
                        match rows_of(&condition) {
                            rows if rows.iter().all(|of| *of == row) => {
                                self.demand(row, condition)?;
                            }
                            // One that may be left out is asked about where it is named, with all that it is found by.
                            _ => {
                                let rows = std::mem::take(&mut self.looks);
                                let left_out =
                                    Expression::IsNull(Box::new(Expression::Bind(*bind)));
                                self.insist(Expression::any([condition, left_out]), rows)?;
                            }
                        }
                    }
                    None
                }
                None => {
                    let key = Expression::Bind(program.filled.len());
                    Some(self.add_row(&visible.table, key, None)?)
                }
            });
        }
        Ok(named)
    }

    /// A row that is looked at for the first time.
    pub(super) fn add_row(
        &mut self,
        table: &Arc<Table>,
        key: Expression,
        turn: Option<usize>,
    ) -> Result<usize, Reason> {
        if table.root.is_some() {
            return Err(Reason::Parts);
        }
        let (at, found) = (self.rows.len(), self.found_by(&key));
        self.rows.push(Row { found, ..Row::untouched(at, table, key, turn) });
        if self.stepping.is_some() {
            return Ok(at);
        }
        // Any of them may be one that the caller named inside another value.
        let visible = self.program.visible.iter().find(|visible| visible.table.id == table.id);
        // One that is found by what stands in another the caller has not named so.
        let visible = visible.filter(|_| found.is_none());
        if let Some(visible) = visible.filter(|visible| visible.named.is_none()) {
            let condition = self.of_row(at, &visible.condition)?;
            self.rows[at].conditions.push(condition);
        }
        Ok(at)
    }

    pub(super) fn touch(&mut self, row: usize) {
        if !self.looks.contains(&row) {
            self.looks.push(row);
        }
    }

    pub(super) fn course(&mut self, how: How) -> Course {
        self.looked_up_ahead();
        let (looks, insists) = (&mut self.looks, &mut self.turn_insists);
        let (sites, keeps) = self.stepping.as_mut().map(Stepping::of_step).unwrap_or_default();
        let (looks, insists) = (std::mem::take(looks), std::mem::take(insists));
        Course { how, looks, insists, sites, keeps }
    }

    /// How steps are carried out, and what they return.
    pub(super) fn walk(
        &mut self,
        steps: &'p [Step],
    ) -> Result<(Vec<Course>, Option<Holds>), Reason> {
        let mut courses = Vec::with_capacity(steps.len());
        for (at, step) in steps.iter().enumerate() {
            self.looks.clear();
            self.step = self.said(step);
            if self.stepping.is_some() {
                courses.push(self.step_by_step(step)?);
                continue;
            }
            if let Step::If { condition, then, otherwise } = step {
                let rest = steps.get(at + 1..).unwrap_or_default();
                let mut branches = self.branches(condition, then, otherwise, rest)?;
                courses.push(branches.course);
                if branches.ended {
                    courses.append(&mut branches.rest);
                    return Ok((courses, branches.returned));
                }
                continue;
            }
            if let Step::Return(value) = step {
                if self.within {
                    return Err(Reason::ReturnsWithin);
                }
                let held = match value {
                    Some(value) => self.value(value, None)?,
                    None => Holds::Given(Expression::Literal(Value::Null)),
                };
                let known = value.as_ref().is_none_or(|value| self.knows(value))
                    || matches!(held, Holds::Drawn(_));
                courses.push(self.course(if known { How::Known } else { How::Stated }));
                return Ok((courses, Some(held)));
            }
            let course = self.step(step)?;
            courses.push(course);
        }
        Ok((courses, None))
    }

    pub(super) fn step(&mut self, step: &'p Step) -> Result<Course, Reason> {
        match step {
            Step::Let { bind, value } => {
                let held = self.value(value, Some(*bind))?;
                let known = self.knows(value) || matches!(held, Holds::Drawn(_));
                self.hold(*bind, held)?;
                return Ok(self.course(if known { How::Known } else { How::Stated }));
            }
            Step::Unpack { from, members } if !self.knows(from) => {
                for member in members {
                    let held = self.value(&member.in_object(from), Some(member.bind))?;
                    self.hold(member.bind, held)?;
                }
                return Ok(self.course(How::Stated));
            }
            // Objects are read before the statements are sent.
            Step::Unpack { members, .. } => {
                for member in members {
                    self.hold(member.bind, Holds::Given(Expression::Bind(member.bind)))?;
                }
            }
            Step::Require { condition, .. } => return self.require(condition),
            Step::Update { row: place, key, set, bounds } => {
                let row = self.update(*place, key, set, bounds)?;
                self.decide_update(*place, key, set);
                self.changed.extend(self.program.table(*place).map(|table| table.id));
                let known = set.iter().enumerate().filter(|(_, (_, value))| self.knows(value));
                let known = known.map(|(at, _)| at).collect();
                return Ok(self.course(How::Changed { row, known }));
            }
            Step::Create(creation) => {
                let how = self.create(creation)?;
                self.decide_creation(creation);
                self.note_unknown(creation);
                return Ok(self.course(how));
            }
            Step::Emit { event, key, members } => {
                let key = self.told_under(key.as_ref(), Some(*event))?;
                let how = self.carried(members, key, None)?;
                return Ok(self.course(how));
            }
            Step::Later { arguments, terms, .. } => {
                let delay = match terms.delay.as_ref().filter(|delay| !self.knows(delay)) {
                    Some(delay) => Some(self.told_delay(delay)?),
                    None => None,
                };
                let unique = self.told_under(terms.unique.as_ref(), None)?;
                let how = self.carried(arguments, unique, delay)?;
                return Ok(self.course(how));
            }
            Step::Run { body, bind } => {
                let outside = std::mem::replace(&mut self.within, false);
                self.bodies += 1;
                let (courses, returned) = self.walk(body)?;
                self.bodies -= 1;
                self.within = outside;
                if let Some(bind) = bind {
                    let nothing = Holds::Given(Expression::Literal(Value::Null));
                    let held = match returned.unwrap_or(nothing) {
                        // What is worked out is in the bind before it is asked for.
                        Holds::Given(value)
                            if !matches!(value, Expression::Bind(_) | Expression::Literal(_)) =>
                        {
                            Holds::Given(Expression::Bind(*bind))
                        }
                        held => held,
                    };
                    self.hold(*bind, held)?;
                }
                self.looks.clear();
                return Ok(self.course(How::Body(courses)));
            }
            Step::For { source: Source::List { list, .. }, bind, members, body } => {
                self.must_know(list)?;
                let binds = std::iter::once(*bind).chain(members.iter().map(|member| member.bind));
                return self.turns(binds, body);
            }
            Step::For { .. } => return Err(Reason::OverRows),
            Step::Delete { row, key } => {
                self.forget_gone(*row, Some(key));
                let (row, known) = (self.delete(*row, key)?, Vec::new());
                return Ok(self.course(How::Changed { row, known }));
            }
            Step::Code { .. } => return Err(Reason::ByCode),
            Step::Collect { .. } | Step::If { .. } | Step::Return(_) => return Err(Reason::Scans),
        }
        Ok(self.course(How::Known))
    }

    /// A branch that what was asked decides. A row is afterwards what either makes of it. Where one of them ends in a `return`, the
    /// steps behind it belong to the other one.
    fn branches(
        &mut self,
        condition: &Expression,
        then: &'p [Step],
        otherwise: &'p [Step],
        rest: &'p [Step],
    ) -> Result<Branches, Reason> {
        let decided = self.decides(condition)?;
        let decides = match &decided {
            Some(decided) => decided.clone(),
            None => self.flat(condition, &[])?,
        };
        for branch in [then, otherwise] {
            if !ends(branch) && returns(branch) {
                return Err(Reason::ReturnsWithin);
            }
        }
        let ended = ends(then) || ends(otherwise);
        let mut behind = Vec::new();
        let mut branch = |forming: &mut Self, branch: &'p [Step]| {
            let (courses, mut returned) = forming.walk(branch)?;
            if ended && !ends(branch) {
                (behind, returned) = forming.walk(rest)?;
            }
            Ok::<_, Reason>((courses, returned))
        };
        let (before, known) = (self.left(), self.decided.clone());
        self.path.push((decides.clone(), true));
        let (then, then_returned) = branch(self, then)?;
        let after = self.left();
        let known = std::mem::replace(&mut self.decided, known);
        for (at, row) in self.rows.iter_mut().enumerate() {
            (row.values, row.set) = match before.get(at) {
                Some(before) => before.clone(),
                None => (as_it_was(at, &row.table), Vec::new()),
            };
        }
        self.path.pop();
        self.path.push((decides.clone(), false));
        let (otherwise, returned) = branch(self, otherwise)?;
        self.path.pop();
        self.join_decided(Some(&decides), known);
        for (at, row) in self.rows.iter_mut().enumerate() {
            let (values, set) = match after.get(at) {
                Some(after) => after.clone(),
                None => (as_it_was(at, &row.table), Vec::new()),
            };
            for (value, then) in row.values.iter_mut().zip(&values) {
                *value = either(&decides, then, value);
            }
            let more: Vec<usize> = set.into_iter().filter(|at| !row.set.contains(at)).collect();
            row.set.extend(more);
        }
        self.looks.clear();
        let course = self.course(How::Branches { decides: decided, then, otherwise });
        let returned = match (then_returned, returned) {
            (None, None) => None,
            (then, otherwise) => {
                let nothing = || Holds::Given(Expression::Literal(Value::Null));
                let both = (then.unwrap_or_else(nothing), otherwise.unwrap_or_else(nothing));
                let (Holds::Given(then), Holds::Given(otherwise)) = both else {
                    return Err(Reason::ReturnsWithin);
                };
                Some(Holds::Given(either(&decides, &then, &otherwise)))
            }
        };
        Ok(Branches { course, rest: behind, ended, returned })
    }

    /// What the steps so far leave of each row.
    fn left(&self) -> Vec<(Vec<Expression>, Vec<usize>)> {
        self.rows.iter().map(|row| (row.values.clone(), row.set.clone())).collect()
    }

    /// A loop over what was asked: one turn stands for each.
    pub(super) fn turns(
        &mut self,
        binds: impl Iterator<Item = usize>,
        body: &'p [Step],
    ) -> Result<Course, Reason> {
        let turn = Some(self.loops);
        self.loops += 1;
        let outer = std::mem::replace(&mut self.turn, turn);
        let outside = std::mem::replace(&mut self.within, true);
        for bind in binds {
            self.hold(bind, Holds::Given(Expression::Bind(bind)))?;
        }
        if self.stepping.is_some() {
            self.goes_in_turns(body)?;
        }
        // Another turn may have been there before.
        self.forget_steps(body);
        let outside_of_turns = self.decided.clone();
        let (courses, _) = self.walk(body)?;
        self.decided = outside_of_turns;
        let body = courses;
        (self.turn, self.within) = (outer, outside);
        let of_turn = self.rows.iter().enumerate().filter(|(_, row)| row.turn == turn);
        let rows = of_turn.map(|(at, _)| at).collect();
        self.looks.clear();
        Ok(self.course(How::Turns { body, rows }))
    }

    /// What a value is, which `bind` will hold.
    pub(super) fn value(
        &mut self,
        value: &Expression,
        bind: Option<usize>,
    ) -> Result<Holds, Reason> {
        if let Some(drawn) = self.drawn_by(value) {
            return Ok(Holds::Drawn(drawn));
        }
        if let Some(part) = self.part_by(value) {
            return Ok(Holds::Part(part));
        }
        if !self.knows(value) {
            let flat = self.flat(value, &[])?;
            if self.stepping.is_some() {
                // What could fail is worked out where it stands.
                let is_plain = |value: &Expression| match value {
                    Expression::Literal(value) => !value.is_null(),
                    value => matches!(value, Expression::Bind(_)),
                };
                return match self.decided(value).filter(is_plain) {
                    Some(decided) => Ok(Holds::Of(decided)),
                    None => {
                        let returned = self.stepping.as_ref().and_then(|it| it.returns_to);
                        self.keep_as_it_is(&flat, bind.or(returned))
                    }
                };
            }
            // Evaluated as written, it would fail here, also where nobody asks for it later.
            // What the command answers, the database is asked for.
            let is_asked_for = bind.is_none() && self.bodies == 0;
            if flat.can_fail() && !is_asked_for {
                self.evaluate(&flat)?;
            }
            return Ok(Holds::Of(flat));
        }
        if self.is_made(value) {
            return Ok(Holds::Made(self.made_by(value)));
        }
        Ok(match (value, bind) {
            (Expression::Bind(of), _) => self.binds.get(*of).cloned().ok_or(Reason::NotInSql)?,
            (Expression::Literal(_), _) | (_, None) => Holds::Given(value.clone()),
            (_, Some(bind)) => Holds::Given(Expression::Bind(bind)),
        })
    }

    pub(super) fn hold(&mut self, bind: usize, held: Holds) -> Result<(), Reason> {
        *self.binds.get_mut(bind).ok_or(Reason::NotInSql)? = held;
        *self.turn_of.get_mut(bind).ok_or(Reason::NotInSql)? = self.turn;
        *self.is_asked.get_mut(bind).ok_or(Reason::NotInSql)? = false;
        Ok(())
    }

    /// What is carried by name, under a key that only the database knows if this is one: as written where all of it is known,
    /// otherwise what is told of rows.
    fn carried(
        &mut self,
        carried: &[Carried],
        key: Option<usize>,
        delay: Option<Expression>,
    ) -> Result<How, Reason> {
        let mut values = Vec::with_capacity(carried.len());
        for Carried { value, scalar, .. } in carried {
            values.push(match self.knows(value) {
                true => None,
                false => Some(self.told(value, *scalar)?),
            });
        }
        if key.is_none() && delay.is_none() && values.iter().all(Option::is_none) {
            return Ok(How::Known);
        }
        self.told.push(Told { values, key, delay });
        Ok(How::Told(self.told.len() - 1))
    }

    /// A step, as the language writes it.
    fn said(&self, step: &Step) -> Option<Box<str>> {
        let of = |verb: &str, place: Place| {
            let entity = self.program.table(place).map_or("", |table| &*table.entity);
            format!("{verb} {entity}")
        };
        let said = match step {
            Step::Let { .. } => "let".to_owned(),
            Step::Require { .. } => "require".to_owned(),
            Step::For { .. } => "for".to_owned(),
            Step::If { .. } => "if".to_owned(),
            Step::Create(creation) => of("create", creation.row),
            Step::Update { row, .. } => of("update", *row),
            Step::Delete { row, .. } => of("delete", *row),
            Step::Emit { event, .. } => {
                let name = self.program.events.get(*event).map_or("", |event| &*event.name);
                format!("emit {name}")
            }
            Step::Later { .. } => "run … later".to_owned(),
            Step::Return(_) => "return".to_owned(),
            Step::Unpack { .. } | Step::Run { .. } | Step::Code { .. } | Step::Collect { .. } => {
                return self.step.clone();
            }
        };
        Some(said.into())
    }
}

/// Whether steps surely end in a `return`, which is then the only one but for those of branches that do.
pub(super) fn ends(steps: &[Step]) -> bool {
    match steps.last() {
        Some(Step::Return(_)) => true,
        Some(Step::If { then, otherwise, .. }) => ends(then) && ends(otherwise),
        _ => false,
    }
}

/// Whether a `return` stands in steps, that of another command's body not counted.
pub(super) fn returns(steps: &[Step]) -> bool {
    steps.iter().any(|step| match step {
        Step::Return(_) => true,
        Step::If { then, otherwise, .. } => returns(then) || returns(otherwise),
        Step::For { body, .. } => returns(body),
        _ => false,
    })
}

/// The columns of a row before anything has changed.
pub(super) fn as_it_was(row: usize, table: &Table) -> Vec<Expression> {
    (0..table.columns.len()).map(|column| Expression::Column { depth: row, column }).collect()
}

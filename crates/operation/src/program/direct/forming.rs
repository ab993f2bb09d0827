//! Steps, walked once, with names for values.

use std::sync::Arc;

use super::flat::{LARGEST, at_hand, rows_of};
use super::obstacle::{Obstacle, Reason};
use super::rule::{either, next, nodes, transition, unless_false};
use super::{Course, Direct, DirectRow, How, MadeRow, Told, Total};
use crate::program::{
    Bound, Carried, Creation, Fill, Form, Inputs, Place, Program, ProgramTarget, Source, Step,
};
use crate::{Aggregate, Check, Computed, Expression, Read, Scalar, Table, TableId, Value};

/// What a bind holds once the steps before have run.
#[derive(Debug, Clone)]
pub(super) enum Holds {
    /// What is known: this bind or constant.
    Given(Expression),
    /// The key of a row that is made, and the bind that it goes to; `None`: what is worked out of that.
    Made(Option<usize>),
    /// The key of a row that is made, which the database counts, and the bind that stands for it.
    Drawn(usize),
    /// What is worked out of rows as they were.
    Of(Expression),
}

/// A row as the steps so far leave it.
pub(super) struct Row {
    pub table: Arc<Table>,
    pub key: Expression,
    /// The loop that it is one of in each turn.
    turn: Option<usize>,
    /// Each column, over rows as they were.
    pub values: Vec<Expression>,
    set: Vec<usize>,
    /// Its position among the program's targets, where it changes.
    target: Option<usize>,
    conditions: Vec<Expression>,
    /// Whether it is one that is made.
    made: bool,
    /// Whether it goes, at least in a branch.
    pub goes: bool,
}

pub(super) struct Forming<'p> {
    program: &'p Program,
    pub binds: Vec<Holds>,
    /// The loop in which each bind is filled.
    pub turn_of: Vec<Option<usize>>,
    pub rows: Vec<Row>,
    told: Vec<Told>,
    /// Rows of which only the database knows all, each with its table.
    made: Vec<(Arc<Table>, MadeRow)>,
    /// Tables whose keys are counted, and those of such that are given a key.
    counted: Vec<Arc<Table>>,
    given: Vec<TableId>,
    /// The binds that stand for such a key.
    drawn: Vec<(usize, TableId)>,
    /// Tables that rows are made in, however.
    made_in: Vec<TableId>,
    /// Rows that go, each with a table of which rows may go or change with it.
    reached: Vec<(usize, TableId)>,
    totals: Vec<Total>,
    /// Whether something is told, and whether what is made was looked at for that.
    pub telling: bool,
    pub looked_at_made: bool,
    /// How many loops there are so far, and the one that is walked over.
    loops: usize,
    turn: Option<usize>,
    /// The branches that are walked over: what decides, and whether it is true there.
    path: Vec<(Expression, bool)>,
    /// Whether a `return` would end less than what is walked over.
    within: bool,
    /// What is looked at by the step that is walked over.
    looks: Vec<usize>,
    step: Option<Box<str>>,
}

/// The direct form of a program.
pub(super) fn form(program: &Program) -> Result<Direct, Obstacle> {
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
        telling: false,
        looked_at_made: false,
        loops: 0,
        turn: None,
        path: Vec::new(),
        within: false,
        looks: Vec::new(),
        step: None,
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
        let named = self.name()?;
        self.looks.clear();
        self.step = Some("allow".into());
        let admission = self.require(&program.admission)?;
        let (steps, returned) = self.walk(&program.body)?;
        let returned = returned.unwrap_or(Holds::Given(Expression::Literal(Value::Null)));
        let answered = match (&program.answer, returned) {
            // Of a row that is made so only the database knows all.
            (Form::Row(read), Holds::Made(bind)) if self.is_looked_up(&read.table) => {
                Some(self.answer_made(read, bind.ok_or(Reason::AnswersOfRow)?)?)
            }
            (Form::Row(read), Holds::Drawn(bind)) => Some(self.answer_made(read, bind)?),
            (Form::Nothing, _) | (_, Holds::Made(_)) | (Form::Value(_), Holds::Given(_)) => None,
            (Form::Row(_), Holds::Given(Expression::Literal(Value::Null))) => None,
            (Form::Row(read), Holds::Given(key)) => Some(self.row(&read.table, &key)?),
            (_, Holds::Of(_) | Holds::Drawn(_)) => return Err(Reason::AnswersOfRow),
        };
        self.look_at_reached(answered)?;
        if self.counted.iter().any(|table| self.given.contains(&table.id)) {
            return Err(Reason::Counted);
        }
        let rows = (0..self.rows.len()).map(|row| self.finish(row));
        let rows = rows.collect::<Result<Vec<DirectRow>, Reason>>()?;
        let told = std::mem::take(&mut self.told);
        let made = std::mem::take(&mut self.made).into_iter().map(|(_, made)| made).collect();
        let totals = std::mem::take(&mut self.totals);
        let counted = std::mem::take(&mut self.counted);
        let drawn = std::mem::take(&mut self.drawn);
        Ok(Direct { rows, admission, steps, told, made, counted, drawn, totals, named, answered })
    }

    /// What the database does to other rows when one goes is not known here: nothing else may be done to those, or told of them
    /// afterwards.
    fn look_at_reached(&mut self, answered: Option<usize>) -> Result<(), Reason> {
        for (goes, table) in &self.reached {
            let turns = self.rows.get(*goes).is_some_and(|row| row.turn.is_some());
            let stands_against = |(at, row): (usize, &Row)| {
                let is_done = row.goes || row.target.is_some() || answered == Some(at);
                row.table.id == *table && is_done && (at != *goes || turns)
            };
            if self.made_in.contains(table) || self.rows.iter().enumerate().any(stands_against) {
                self.step =
                    self.rows.get(*goes).map(|row| format!("delete {}", row.table.entity).into());
                return Err(Reason::Deletes);
            }
        }
        Ok(())
    }

    /// The row that is made and answered.
    fn answer_made(&mut self, read: &Read, bind: usize) -> Result<usize, Reason> {
        let row = self.add_row(&read.table, Expression::Bind(bind), None)?;
        self.rows[row].made = true;
        Ok(row)
    }

    /// Whether new rows of a table are made of what stands in rows, or draw on such.
    fn is_looked_up(&self, table: &Table) -> bool {
        let made = self.made.iter().map(|(table, _)| table);
        made.chain(self.totals.iter().map(|total| &total.table)).any(|of| of.id == table.id)
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
                        let condition = self.of_row(row, &visible.condition)?;
                        self.demand(row, condition)?;
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
        let at = self.rows.len();
        let (set, target, conditions) = (Vec::new(), None, Vec::new());
        let values = as_it_was(at, table);
        let table = table.clone();
        self.rows.push(Row {
            table: table.clone(),
            key,
            turn,
            values,
            set,
            target,
            conditions,
            made: false,
            goes: false,
        });
        // Any of them may be one that the caller named inside another value.
        let visible = self.program.visible.iter().find(|visible| visible.table.id == table.id);
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

    /// A condition that must be true, or what is done ends.
    fn require(&mut self, condition: &Expression) -> Result<Course, Reason> {
        if self.knows(condition) {
            return Ok(self.course(How::Known));
        }
        let flat = self.flat(condition, &[])?;
        match rows_of(&flat)[..] {
            [row] => self.demand(row, flat)?,
            // What stands for something of a row turned out to be of none.
            [] => return Err(Reason::DependsOnRow),
            _ => return Err(Reason::SeveralRows),
        }
        // Then what is done does depend on rows, and a statement for each of them costs more than the wait that it spares.
        if self.turn.is_some() {
            return Err(Reason::RequiredInLoop);
        }
        Ok(self.course(How::Stated))
    }

    /// Notes what must be true of a row, if what is walked over is come to.
    fn demand(&mut self, row: usize, condition: Expression) -> Result<(), Reason> {
        let turn = self.turn;
        let yes = Expression::yes();
        let condition = self.path.iter().rev().fold(condition, |condition, (decides, so)| {
            let (then, otherwise) = if *so { (&condition, &yes) } else { (&yes, &condition) };
            either(decides, then, otherwise)
        });
        let row = self.rows.get_mut(row).ok_or(Reason::NotInSql)?;
        if row.turn != turn {
            return Err(Reason::OutsideOfLoop);
        }
        row.conditions.push(condition);
        Ok(())
    }

    fn course(&mut self, how: How) -> Course {
        Course { how, looks: std::mem::take(&mut self.looks) }
    }

    /// How steps are carried out, and what they return.
    fn walk(&mut self, steps: &'p [Step]) -> Result<(Vec<Course>, Option<Holds>), Reason> {
        let mut courses = Vec::with_capacity(steps.len());
        for step in steps {
            self.looks.clear();
            self.step = self.said(step);
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

    fn step(&mut self, step: &'p Step) -> Result<Course, Reason> {
        match step {
            Step::Let { bind, value } => {
                let held = self.value(value, Some(*bind))?;
                let known = self.knows(value) || matches!(held, Holds::Drawn(_));
                self.hold(*bind, held)?;
                return Ok(self.course(if known { How::Known } else { How::Stated }));
            }
            // Objects are read before the statements are sent.
            Step::Unpack { from, members } => {
                self.must_know(from)?;
                for member in members {
                    self.hold(member.bind, Holds::Given(Expression::Bind(member.bind)))?;
                }
            }
            Step::Require { condition, .. } => return self.require(condition),
            Step::Update { row, key, set, bounds } => {
                let row = self.update(*row, key, set, bounds)?;
                let known = set.iter().enumerate().filter(|(_, (_, value))| self.knows(value));
                let known = known.map(|(at, _)| at).collect();
                return Ok(self.course(How::Changed { row, known }));
            }
            Step::Create(creation) => {
                let how = self.create(creation)?;
                return Ok(self.course(how));
            }
            Step::Emit { key, members, .. } => {
                let key = key.as_ref().map(|(key, _)| key);
                let drawn = key.and_then(|key| self.drawn_by(key));
                key.filter(|_| drawn.is_none()).map_or(Ok(()), |key| self.must_know(key))?;
                let how = self.carried(members, drawn)?;
                return Ok(self.course(how));
            }
            Step::Later { arguments, terms, .. } => {
                terms.delay.iter().try_for_each(|delay| self.must_know(delay))?;
                terms.unique.iter().try_for_each(|(unique, _)| self.must_know(unique))?;
                let how = self.carried(arguments, None)?;
                return Ok(self.course(how));
            }
            Step::Run { body, bind } => {
                let outside = std::mem::replace(&mut self.within, false);
                let (courses, returned) = self.walk(body)?;
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
            Step::If { condition, then, otherwise } => {
                return self.branches(condition, then, otherwise);
            }
            Step::For { source: Source::List { list, .. }, bind, members, body } => {
                self.must_know(list)?;
                let binds = std::iter::once(*bind).chain(members.iter().map(|member| member.bind));
                return self.turns(binds, body);
            }
            Step::For { .. } => return Err(Reason::OverRows),
            Step::Delete { row, key } => {
                let (row, known) = (self.delete(*row, key)?, Vec::new());
                return Ok(self.course(How::Changed { row, known }));
            }
            Step::Code { .. } => return Err(Reason::ByCode),
            Step::Collect { .. } | Step::Return(_) => return Err(Reason::Scans),
        }
        Ok(self.course(How::Known))
    }

    /// A branch that what was asked decides. A row is afterwards what either makes of it.
    fn branches(
        &mut self,
        condition: &Expression,
        then: &'p [Step],
        otherwise: &'p [Step],
    ) -> Result<Course, Reason> {
        self.must_know(condition)?;
        let decides = self.flat(condition, &[])?;
        let outside = std::mem::replace(&mut self.within, true);
        let before = self.left();
        self.path.push((decides.clone(), true));
        let (then, _) = self.walk(then)?;
        let after = self.left();
        for (at, row) in self.rows.iter_mut().enumerate() {
            (row.values, row.set) = match before.get(at) {
                Some(before) => before.clone(),
                None => (as_it_was(at, &row.table), Vec::new()),
            };
        }
        self.path.pop();
        self.path.push((decides.clone(), false));
        let (otherwise, _) = self.walk(otherwise)?;
        self.path.pop();
        self.within = outside;
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
        Ok(self.course(How::Branches { then, otherwise }))
    }

    /// What the steps so far leave of each row.
    fn left(&self) -> Vec<(Vec<Expression>, Vec<usize>)> {
        self.rows.iter().map(|row| (row.values.clone(), row.set.clone())).collect()
    }

    /// A loop over what was asked: one turn stands for each.
    fn turns(
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
        let (body, _) = self.walk(body)?;
        (self.turn, self.within) = (outer, outside);
        let of_turn = self.rows.iter().enumerate().filter(|(_, row)| row.turn == turn);
        let rows = of_turn.map(|(at, _)| at).collect();
        self.looks.clear();
        Ok(self.course(How::Turns { body, rows }))
    }

    /// What a value is, which `bind` will hold.
    fn value(&mut self, value: &Expression, bind: Option<usize>) -> Result<Holds, Reason> {
        if let Some(drawn) = self.drawn_by(value) {
            return Ok(Holds::Drawn(drawn));
        }
        if !self.knows(value) {
            let flat = self.flat(value, &[])?;
            // Evaluated as written, it would fail here, also where nobody asks for it later.
            return if flat.can_fail() { Err(Reason::MayFail) } else { Ok(Holds::Of(flat)) };
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

    fn hold(&mut self, bind: usize, held: Holds) -> Result<(), Reason> {
        *self.binds.get_mut(bind).ok_or(Reason::NotInSql)? = held;
        *self.turn_of.get_mut(bind).ok_or(Reason::NotInSql)? = self.turn;
        Ok(())
    }

    /// What is carried by name, by an event whose key is this if that is counted: as written where all of it is known, otherwise
    /// what is told of rows.
    fn carried(&mut self, carried: &[Carried], key: Option<usize>) -> Result<How, Reason> {
        let mut values = Vec::with_capacity(carried.len());
        for Carried { value, scalar, .. } in carried {
            values.push(match self.knows(value) {
                true => None,
                false => Some(self.told(value, *scalar)?),
            });
        }
        if key.is_none() && values.iter().all(Option::is_none) {
            return Ok(How::Known);
        }
        self.told.push(Told { values, key });
        Ok(How::Told(self.told.len() - 1))
    }

    fn update(
        &mut self,
        place: Place,
        key: &Expression,
        set: &[(usize, Expression)],
        bounds: &[Bound],
    ) -> Result<usize, Reason> {
        let program = self.program;
        if place.part.is_some() {
            return Err(Reason::Parts);
        }
        let target = program.targets.get(place.target).ok_or(Reason::NotInSql)?;
        let table = &target.target.table;
        let at = self.row(table, key)?;
        let row = self.rows.get_mut(at).ok_or(Reason::NotInSql)?;
        row.target = Some(place.target);
        if row.turn != self.turn {
            return Err(Reason::OutsideOfLoop);
        }
        let mut values = Vec::with_capacity(set.len());
        let mut conditions = Vec::new();
        for (column, value) in set {
            let scalar = table.columns.get(*column).ok_or(Reason::NotInSql)?.scalar;
            if self.rows[at].set.contains(column) || table.key.contains(column) {
                return Err(Reason::SetTwice);
            }
            if self.is_made(value) {
                return Err(Reason::FoundByRow);
            }
            let flat = self.of_row(at, value)?;
            if !self.stands_as(&flat, scalar) {
                return Err(Reason::Timed);
            }
            values.push((*column, flat));
        }
        for flow in &target.target.flows {
            if let Some((_, new)) = values.iter().find(|(column, _)| *column == flow.column) {
                let old = self.value_of(at, flow.column)?;
                let nullable = table.columns.get(flow.column).ok_or(Reason::NotInSql)?.nullable;
                conditions.extend(transition(flow, &old, new, nullable));
            }
        }
        let mut changed: Vec<usize> = set.iter().map(|(column, _)| *column).collect();
        for (column, value) in values {
            self.set(at, column, value)?;
        }
        for (computed, inputs) in target.target.computed.iter().zip(&target.computed) {
            if inputs.columns.iter().any(|column| changed.contains(column)) {
                let value = self.of_row(at, &computed.expression)?;
                let scalar = table.columns.get(computed.column).ok_or(Reason::NotInSql)?.scalar;
                if !self.stands_as(&value, scalar) {
                    return Err(Reason::Timed);
                }
                self.set(at, computed.column, value)?;
                changed.push(computed.column);
            }
        }
        // What is known is held to its bounds before the statement is sent.
        for (column, value) in set {
            if self.knows(value) {
                continue;
            }
            let mut rules = Vec::new();
            for bound in bounds.iter().filter(|bound| bound.column == *column) {
                rules.push(self.of_row(at, bound.rule.as_ref().ok_or(Reason::Bound)?)?);
            }
            let rule = Expression::all(rules);
            if table.columns.get(*column).ok_or(Reason::NotInSql)?.nullable {
                conditions.extend(unless_false(rule));
            } else if rule == Expression::yes() {
                let value = self.value_of(at, *column)?;
                conditions.push(Expression::Not(Box::new(Expression::IsNull(Box::new(value)))));
            } else {
                // Of nothing no bound is true.
                conditions.push(rule);
            }
        }
        conditions.into_iter().try_for_each(|condition| self.demand(at, condition))?;
        Ok(at)
    }

    /// A root that goes; the database takes its parts along, and does what is to be done about what else refers to it.
    fn delete(&mut self, place: Place, key: &Expression) -> Result<usize, Reason> {
        let program = self.program;
        if place.part.is_some() {
            return Err(Reason::Parts);
        }
        let target = program.targets.get(place.target).ok_or(Reason::NotInSql)?;
        let table = &target.target.table;
        if self.made_in.contains(&table.id) {
            return Err(Reason::Deletes);
        }
        let at = self.row(table, key)?;
        let row = self.rows.get_mut(at).ok_or(Reason::NotInSql)?;
        if row.turn != self.turn {
            return Err(Reason::OutsideOfLoop);
        }
        // In another branch, it may be, as well.
        if row.target.is_some() {
            return Err(Reason::Deletes);
        }
        row.goes = true;
        self.reached.extend(target.reached.iter().map(|table| (at, *table)));
        Ok(at)
    }

    fn value_of(&self, row: usize, column: usize) -> Result<Expression, Reason> {
        let value = self.rows.get(row).and_then(|row| row.values.get(column));
        value.cloned().ok_or(Reason::NotInSql)
    }

    fn set(&mut self, row: usize, column: usize, value: Expression) -> Result<(), Reason> {
        let row = self.rows.get_mut(row).ok_or(Reason::NotInSql)?;
        *row.values.get_mut(column).ok_or(Reason::NotInSql)? = value;
        if !row.set.contains(&column) {
            row.set.push(column);
        }
        Ok(())
    }

    /// A root that is made, or a part of one, and whose rules look at nothing else. What is looked up for it takes part in no rule but
    /// the bounds of its own field, and in what a root draws on its parts.
    fn create(&mut self, creation: &Creation) -> Result<How, Reason> {
        let program = self.program;
        let target = program.targets.get(creation.row.target).ok_or(Reason::NotInSql)?;
        let table = program.table(creation.row).ok_or(Reason::NotInSql)?;
        if self.rows.iter().any(|row| row.goes && row.table.id == table.id) {
            return Err(Reason::Gone);
        }
        self.made_in.push(table.id);
        if target.computed.iter().chain(&target.checks).any(|inputs| inputs.others) {
            return Err(Reason::LooksElsewhere);
        }
        if let Some(root) = &creation.root {
            // Of one that was there parts are numbered, counted and looked at.
            self.made_by(root).ok_or(Reason::Parts)?;
            if self.looked_at_made {
                return Err(Reason::ToldBefore);
            }
        }
        let (mut columns, mut conditions, mut drawn) = (Vec::new(), Vec::new(), Vec::new());
        for (at, fill) in creation.values.iter().enumerate() {
            match fill {
                Fill::Value(value) if self.knows(value) => {
                    if table.auto == Some(at) {
                        self.given.push(table.id);
                    }
                }
                Fill::Value(value) => {
                    let from_root = creation.row.part.is_none() && parts_draw_on(target, at);
                    if table.key.contains(&at) || from_root {
                        return Err(Reason::Ruled);
                    }
                    let column = table.columns.get(at).ok_or(Reason::NotInSql)?;
                    // Many rows that refer to one which is counted are written together.
                    let drawn_by = self.drawn_by(value).filter(|_| {
                        let is_bounded = creation.bounds.iter().any(|bound| bound.column == at)
                            || is_ruled(target, creation.row, at);
                        !is_bounded && column.scalar == Scalar::Int && column.native.is_none()
                    });
                    if let Some(bind) = drawn_by {
                        let of = self.drawn.iter().find(|(of, _)| *of == bind);
                        drawn.push((at, of.ok_or(Reason::NotInSql)?.1));
                        continue;
                    }
                    let value = self.copied(value, column.scalar)?;
                    for bound in creation.bounds.iter().filter(|bound| bound.column == at) {
                        let rule = bound.rule.as_ref().ok_or(Reason::Bound)?;
                        let rule = with(rule, at, &value).ok_or(Reason::Bound)?;
                        conditions.extend(unless_false(rule));
                    }
                    if !column.nullable {
                        let nothing = Expression::IsNull(Box::new(value.clone()));
                        conditions.push(Expression::Not(Box::new(nothing)));
                    }
                    columns.push((at, value));
                }
                Fill::Uuid | Fill::Computed | Fill::Position => {}
                Fill::Root => {
                    let root = creation.root.as_ref().and_then(|root| self.drawn_by(root));
                    if root.is_some() {
                        drawn.push((at, target.target.table.id));
                    }
                }
                Fill::Counted => {
                    if is_ruled(target, creation.row, at) || parts_draw_on(target, at) {
                        return Err(Reason::Counted);
                    }
                    if !self.counted.iter().any(|of| of.id == table.id) {
                        self.counted.push(table.clone());
                    }
                    drawn.push((at, table.id));
                }
            }
        }
        if let Some(bind) = creation.bind {
            // A part has no key of its own.
            let made = match creation.root {
                None if drawn.iter().any(|(at, _)| *at == table.own_key()) => {
                    self.drawn.push((bind, table.id));
                    Holds::Drawn(bind)
                }
                None => Holds::Made(Some(bind)),
                Some(_) => Holds::Made(None),
            };
            self.hold(bind, made)?;
        }
        if columns.is_empty() && drawn.is_empty() {
            return Ok(How::Known);
        }
        let condition = Expression::all(conditions);
        if nodes(&condition) > LARGEST {
            return Err(Reason::TooLarge);
        }
        let looked_up: Vec<usize> = columns.iter().map(|(at, _)| *at).collect();
        let (computed, checks) = rules_over(target, creation.row, table, looked_up)?;
        let total = match creation.row.part {
            Some(part) if !columns.is_empty() => self.total(target, part)?,
            _ => None,
        };
        let made = MadeRow { columns, drawn, condition, computed, checks, total };
        self.made.push((table.clone(), made));
        Ok(How::Made(self.made.len() - 1))
    }

    /// What a root draws on parts of which some fields are looked up: once they are all there, it is worked out again.
    fn total(&mut self, target: &ProgramTarget, part: usize) -> Result<Option<usize>, Reason> {
        let table = &target.target.table;
        let draws = |inputs: &Inputs| inputs.parts.contains(&part);
        let mut set = Vec::new();
        for (computed, _) in
            target.target.computed.iter().zip(&target.computed).filter(|(_, inputs)| draws(inputs))
        {
            let column = table.columns.get(computed.column).ok_or(Reason::NotInSql)?;
            let timed = matches!(column.scalar, Scalar::Time | Scalar::Duration | Scalar::Json);
            // While fields are missing, a sum is another one; the least of nothing would be none.
            let mut sums = true;
            computed.expression.visit(&mut |e| {
                sums &= match e {
                    Expression::Aggregate { aggregate, .. } => {
                        matches!(aggregate, Aggregate::Sum | Aggregate::Count)
                    }
                    Expression::Bind(_) | Expression::Member { .. } => false,
                    _ => true,
                };
            });
            if timed || !sums {
                return Err(Reason::LooksElsewhere);
            }
            set.push((computed.column, computed.expression.clone()));
        }
        let again = |rule: &Expression| set.iter().any(|(column, _)| draws_on(rule, *column, 0));
        let rules = &target.target;
        if target.checks.iter().any(draws)
            || rules.checks.iter().any(|check| again(&check.expression))
            || rules.computed.iter().any(|computed| again(&computed.expression))
        {
            return Err(Reason::LooksElsewhere);
        }
        if set.is_empty() {
            return Ok(None);
        }
        let known =
            self.totals.iter().position(|total| total.table.id == table.id && total.set == set);
        Ok(Some(known.unwrap_or_else(|| {
            let key = Expression::Bind(self.program.filled.len());
            self.totals.push(Total { table: table.clone(), key, set });
            self.totals.len() - 1
        })))
    }

    /// What becomes of a row.
    fn finish(&mut self, at: usize) -> Result<DirectRow, Reason> {
        let (program, row) = (self.program, self.rows.get(at).ok_or(Reason::NotInSql)?);
        let (table, key) = (row.table.clone(), row.key.clone());
        let (columns, turn, target, made) = (row.set.clone(), row.turn, row.target, row.made);
        let row_goes = row.goes;
        let condition = Expression::all(row.conditions.clone());
        self.step = Some(format!("update {}", table.entity).into());
        let mut checks = Vec::new();
        let mut set = Vec::with_capacity(columns.len() + 1);
        if let Some(target) = target.and_then(|target| program.targets.get(target)) {
            for (check, inputs) in target.target.checks.iter().zip(&target.checks) {
                if inputs.others || inputs.columns.iter().any(|column| columns.contains(column)) {
                    checks.extend(unless_false(self.of_row(at, &check.expression)?));
                }
            }
            for column in &columns {
                set.push((*column, self.value_of(at, *column)?));
            }
            if let Some(version) = table.version {
                set.push((version, next(Expression::column(version))));
            }
        }
        let checks = Expression::all(checks);
        // What is always refused is refused sooner where the row is loaded.
        if condition == Expression::no() || checks == Expression::no() {
            return Err(Reason::NeverTrue);
        }
        let of_one = |flat: Expression| {
            let fits = nodes(&flat) <= LARGEST;
            at_hand(&flat).filter(|_| fits).ok_or(Reason::TooLarge)
        };
        let set = set.into_iter().map(|(column, value)| Ok((column, of_one(value)?)));
        Ok(DirectRow {
            set: set.collect::<Result<_, Reason>>()?,
            condition: of_one(condition)?,
            checks: of_one(checks)?,
            table,
            key,
            made,
            each_turn: turn.is_some(),
            goes: row_goes,
        })
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

/// The rules of a new row: what is computed of it, and what must be true.
fn rules(target: &ProgramTarget, row: Place) -> Option<(&[Computed], &[Check])> {
    let target = &target.target;
    match row.part {
        None => Some((&target.computed, &target.checks)),
        Some(part) => target.parts.get(part).map(|part| (&*part.computed, &*part.checks)),
    }
}

/// Whether a rule of a new row draws on one of its columns, but for what a root draws on its parts.
fn is_ruled(target: &ProgramTarget, row: Place, column: usize) -> bool {
    let Some((computed, checks)) = rules(target, row) else { return true };
    let computed = computed.iter().map(|computed| &computed.expression);
    let mut rules = computed.chain(checks.iter().map(|check| &check.expression));
    rules.any(|rule| draws_on(rule, column, 0))
}

/// The rules of a new row that draw on columns which are looked up: computed columns, each over such that are not, and what must be
/// true, likewise.
fn rules_over(
    target: &ProgramTarget,
    row: Place,
    table: &Table,
    mut looked_up: Vec<usize>,
) -> Result<(Vec<(usize, Expression)>, Expression), Reason> {
    let (computed, checks) = rules(target, row).ok_or(Reason::NotInSql)?;
    let mut columns: Vec<(usize, Expression)> = Vec::new();
    let over = |rule: &Expression, columns: &[(usize, Expression)]| {
        let over = of_row_alone(rule, columns).ok_or(Reason::Ruled)?;
        if nodes(&over) <= LARGEST { Ok(over) } else { Err(Reason::TooLarge) }
    };
    for Computed { column, expression } in computed {
        if !looked_up.iter().any(|at| draws_on(expression, *at, 0)) {
            continue;
        }
        let scalar = table.columns.get(*column).ok_or(Reason::NotInSql)?.scalar;
        if matches!(scalar, Scalar::Time | Scalar::Duration | Scalar::Json) {
            return Err(Reason::Timed);
        }
        columns.push((*column, over(expression, &columns)?));
        looked_up.push(*column);
    }
    let mut conditions = Vec::new();
    for Check { expression, .. } in checks {
        if looked_up.iter().any(|at| draws_on(expression, *at, 0)) {
            conditions.extend(unless_false(over(expression, &columns)?));
        }
    }
    if !columns.is_empty() || !conditions.is_empty() {
        // What others store in other words is not what stands here.
        if table.columns.iter().any(|column| column.native.is_some()) {
            return Err(Reason::Ruled);
        }
    }
    Ok((columns, Expression::all(conditions)))
}

/// A rule about a new row with its computed columns written out; `None` where it looks at anything but that row.
fn of_row_alone(rule: &Expression, computed: &[(usize, Expression)]) -> Option<Expression> {
    match rule {
        Expression::Column { depth: 0, column } => {
            let known = computed.iter().find(|(at, _)| at == column);
            Some(known.map_or_else(|| rule.clone(), |(_, value)| value.clone()))
        }
        Expression::Column { .. }
        | Expression::Lookup { .. }
        | Expression::Aggregate { .. }
        | Expression::Member { .. }
        | Expression::Bind(_) => None,
        _ => rule.with_children(&mut |child| of_row_alone(child, computed)),
    }
}

/// Whether a rule of a part draws on a column of its root.
fn parts_draw_on(target: &ProgramTarget, column: usize) -> bool {
    target.target.parts.iter().any(|part| {
        let computed = part.computed.iter().map(|computed| &computed.expression);
        let mut rules = computed.chain(part.checks.iter().map(|check| &check.expression));
        rules.any(|rule| draws_on(rule, column, 1))
    })
}

/// Whether a rule draws on a column of the row that is so many rows outwards.
fn draws_on(rule: &Expression, column: usize, outwards: usize) -> bool {
    match rule {
        Expression::Column { depth, column: of } => *depth == outwards && *of == column,
        Expression::Lookup { .. } => true,
        _ => {
            let inner = outwards + usize::from(matches!(rule, Expression::Aggregate { .. }));
            let mut draws = false;
            rule.children(&mut |child| draws |= draws_on(child, column, inner));
            draws
        }
    }
}

/// A rule about a row of which one column is this; `None` where it looks at another one.
fn with(rule: &Expression, column: usize, value: &Expression) -> Option<Expression> {
    match rule {
        Expression::Column { depth: 0, column: of } if *of == column => Some(value.clone()),
        Expression::Column { .. } | Expression::Lookup { .. } | Expression::Aggregate { .. } => {
            None
        }
        _ => rule.with_children(&mut |child| with(child, column, value)),
    }
}

/// The columns of a row before anything has changed.
fn as_it_was(row: usize, table: &Table) -> Vec<Expression> {
    (0..table.columns.len()).map(|column| Expression::Column { depth: row, column }).collect()
}

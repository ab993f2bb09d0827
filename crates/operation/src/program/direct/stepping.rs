//! Programs whose statements are sent step by step: each sees what those before it have done, so that rows may be named, made and changed
//! in any order.
//!
//! What is looked at stands over rows as they are at the step. A value that has a name is looked up where it gets it, and kept. Rows are
//! locked before the first step, in one order; those that are found by what stands in others are looked up ahead for that, and must be
//! among these where they are used.

use std::sync::Arc;

use super::ahead::instead_of;
use super::flat::{LARGEST, rows_of};
use super::forming::{Forming, Holds, Row, ends, returns};
use super::obstacle::Reason;
use super::rule::{nodes, unless_false};
use super::shadowed;
use super::{Course, EachPart, Finding, Found, How, InnerParts, Site};
use crate::program::{Creation, Fill, Form, Program, Step, any_step};
use crate::{
    Aggregate, Comparison, Expression, NumberKind, PartTarget, Scalar, Table, TableId, Value,
};

/// As many as are kept, and as are looked up ahead: a statement that locks rows is known by which of them it names.
pub(super) const MOST: usize = 120;

/// Rows that a fold finds by parts.
#[derive(Clone)]
pub(super) struct Folded {
    /// The table of the parts.
    part: TableId,
    /// That of the rows.
    table: Arc<Table>,
    /// Their key, with the part at depth 0.
    value: Expression,
}

/// A row that is made.
pub(super) struct Made {
    pub table: Arc<Table>,
    pub key: Expression,
    /// What each column that is said may be, before anything is done.
    pub values: Vec<Option<Vec<Expression>>>,
}

/// What a column of a row becomes.
pub(super) struct Set {
    pub table: TableId,
    pub column: usize,
    /// What that may be, before anything is done.
    pub ways: Vec<Expression>,
}

/// What stands for what the body of another command returns, at whichever place.
#[derive(Clone, Copy, Default)]
struct Several {
    /// The bind, once one place has come.
    bind: Option<usize>,
    /// What it is, once one place says so.
    scalar: Option<Scalar>,
}

/// What is known of a program that is sent step by step.
#[derive(Default)]
pub(super) struct Stepping {
    pub sites: Vec<Site>,
    /// What the step that is walked over looks up ahead, and now.
    step_sites: Vec<usize>,
    step_keeps: Vec<usize>,
    /// What kept values may be before anything is done, by the binds that stand for them.
    pub ahead: Vec<(usize, Vec<Expression>)>,
    /// Rows that are made.
    pub made: Vec<Made>,
    /// For changes of parts, and parts that go, the change of the root: both by position.
    roots: Vec<(usize, usize)>,
    /// What columns become.
    pub set: Vec<Set>,
    /// For changes of rows, what must be true of them in the end: both by position.
    ends: Vec<(usize, usize)>,
    /// Of which target and under which key that is.
    end_of: Vec<(usize, Expression, usize)>,
    /// What the body of another command returns, at each place.
    returned: Vec<Holds>,
    /// The bind that this goes to.
    pub returns_to: Option<usize>,
    /// Where it returns at several places what stands in rows: what stands for it.
    several: Option<Several>,
    /// Tables of which rows go so far, and those of which rows go with them.
    pub gone: Vec<TableId>,
    pub along: Vec<TableId>,
    /// What must be true of any row that the caller named inside another value.
    pub naming_each: Vec<Option<Course>>,
    /// What folds find by parts of tables in which the program makes some, however late they are folded.
    pub folded: Vec<Folded>,
    pub answered: Vec<usize>,
    pub said: Vec<(Expression, Scalar)>,
}

impl Stepping {
    /// The same of a program of which it is known what folds find by the parts that it makes.
    pub fn knowing(folded: Vec<Folded>) -> Self {
        Self { folded, ..Self::default() }
    }

    /// What the step looks up ahead, and what it keeps.
    pub fn of_step(&mut self) -> (Vec<usize>, Vec<usize>) {
        (std::mem::take(&mut self.step_sites), std::mem::take(&mut self.step_keeps))
    }

    /// What must be true in the end of the row that is changed there.
    pub fn ends_of(&self, deed: usize) -> Option<usize> {
        self.ends.iter().find(|(of, _)| *of == deed).map(|(_, end)| *end)
    }

    /// Notes that a bind stands for one of the things that another one stands for.
    fn is_one_of(&mut self, bind: usize, all: usize) {
        if bind == all {
            return;
        }
        let this = self.ahead.iter().position(|(of, _)| *of == bind);
        let this = this.map(|at| self.ahead.remove(at).1);
        if let Some((_, ways)) = self.ahead.iter_mut().find(|(of, _)| *of == all) {
            ways.extend(this.into_iter().flatten());
        }
    }

    /// The change of the root that goes with that of a part.
    pub fn root_of(&self, deed: usize) -> Option<usize> {
        self.roots.iter().find(|(of, _)| *of == deed).map(|(_, root)| *root)
    }
}

/// What folds find by parts of tables in which a program makes some.
pub(super) fn folded(program: &Program, sites: &[Site]) -> Vec<Folded> {
    let folded = sites.iter().filter_map(|site| {
        let (part, table, value) = (site.each.as_ref()?.part.id, site.table.clone()?, site.value.clone());
        let makes = |step: &Step| matches!(step, Step::Create(made) if program.table(made.row).is_some_and(|of| of.id == part));
        let is_of_part = site.each.as_ref().is_some_and(|each| each.within.is_empty());
        let is_of_part = is_of_part && columns_of(&value, 1).is_empty() && any_step(&program.body, &mut { makes });
        is_of_part.then_some(Folded { part, table, value })
    });
    folded.collect()
}

impl<'p> Forming<'p> {
    fn stepping(&mut self) -> Result<&mut Stepping, Reason> {
        self.stepping.as_mut().ok_or(Reason::NotInSql)
    }

    /// How a step is carried out.
    pub(super) fn step_by_step(&mut self, step: &'p Step) -> Result<Course, Reason> {
        match step {
            // What is folded over parts that are made here is known where it is asked for, whatever changes behind that.
            Step::Let { bind, value }
                if !self.knows(value)
                    && let Some(folded) = self.over_made(value).filter(shadowed::folds) =>
            {
                self.hold(*bind, Holds::Given(Expression::Bind(*bind)))?;
                Ok(self.course(How::WorkedOut(folded)))
            }
            Step::If { condition, then, otherwise } => {
                let (decided, known) = (self.decided(condition), self.decided.clone());
                let decides = match (self.knows(condition), &decided) {
                    (true, _) => None,
                    (false, Some(decided)) => Some(decided.clone()),
                    (false, None) => Some(self.over_made(condition).ok_or(Reason::DependsOnRow)?),
                };
                let (then_courses, _) = self.walk(then)?;
                let known = std::mem::replace(&mut self.decided, known);
                let (otherwise_courses, _) = self.walk(otherwise)?;
                // What stands behind them is not come to by way of a `return`.
                match (ends(then), ends(otherwise)) {
                    (true, _) => {}
                    (false, true) => self.decided = known,
                    (false, false) => self.join_decided(decided.as_ref(), known),
                }
                let (then, otherwise) = (then_courses, otherwise_courses);
                self.looks.clear();
                Ok(self.course(How::Branches { decides, then, otherwise }))
            }
            Step::Return(value) if self.bodies == 0 => {
                let how = self.answer_at_step(value.as_ref())?;
                Ok(self.course(how))
            }
            Step::Return(value) if self.stepping()?.several.is_some() => {
                let held = self.keep_returned(value.as_ref())?;
                self.stepping()?.returned.push(held);
                Ok(self.course(How::Stated))
            }
            Step::Return(value) => {
                let held = match value {
                    Some(value) => self.value(value, None)?,
                    None => Holds::Given(Expression::Literal(Value::Null)),
                };
                let known = matches!(held, Holds::Given(_) | Holds::Drawn(_));
                self.stepping()?.returned.push(held);
                Ok(self.course(if known { How::Known } else { How::Stated }))
            }
            Step::Run { body, bind } => {
                let outer = std::mem::take(&mut self.stepping()?.returned);
                let several = bind.is_some() && self.returns_of_rows(body);
                let several = several.then_some(Several::default());
                let outer_several = std::mem::replace(&mut self.stepping()?.several, several);
                let outer_bind = std::mem::replace(&mut self.stepping()?.returns_to, *bind);
                let known = self.decided.clone();
                self.bodies += 1;
                let (courses, _) = self.walk(body)?;
                self.bodies -= 1;
                // What stands behind a `return` may not have been come to.
                if body.split_last().is_some_and(|(last, rest)| {
                    returns(rest)
                        || (!matches!(last, Step::Return(_)) && returns(std::slice::from_ref(last)))
                }) {
                    self.decided = known;
                    self.forget_steps(body);
                }
                let returned = std::mem::replace(&mut self.stepping()?.returned, outer);
                self.stepping()?.returns_to = outer_bind;
                let several = std::mem::replace(&mut self.stepping()?.several, outer_several);
                if several.is_some_and(|several| several.scalar.is_none()) {
                    return Err(Reason::ReturnsWithin);
                }
                if let Some(bind) = bind {
                    let here = || Holds::Given(Expression::Bind(*bind));
                    let known = |held: &Holds| matches!(held, Holds::Given(_));
                    let is_plain = |held: &Holds| {
                        matches!(held, Holds::Given(Expression::Bind(_) | Expression::Literal(_)))
                    };
                    let held = match (&*returned, body.last()) {
                        // The key of a row that is made stays known as such.
                        ([held], Some(Step::Return(_))) if !known(held) || is_plain(held) => {
                            held.clone()
                        }
                        _ if returned.iter().all(known) => here(),
                        // All are kept in one place.
                        ([held @ Holds::Kept(_), ..], _) if several.is_some() => held.clone(),
                        _ => return Err(Reason::ReturnsWithin),
                    };
                    self.hold(*bind, held)?;
                }
                self.looks.clear();
                Ok(self.course(How::Body(courses)))
            }
            Step::Delete { row, key } => {
                self.forget_gone(*row, Some(key));
                let row = self.delete_at_step(*row, key)?;
                Ok(self.course(How::Changed { row, known: Vec::new() }))
            }
            step => self.step(step),
        }
    }

    fn answer_at_step(&mut self, value: Option<&Expression>) -> Result<How, Reason> {
        let program = self.program;
        let value = value.filter(|value| **value != Expression::Literal(Value::Null));
        Ok(match (&program.answer, value) {
            (Form::Nothing, _) => How::Stated,
            (_, None) => How::Known,
            (Form::Value(_), Some(value)) if self.knows(value) => How::Known,
            (Form::Value(scalar), Some(value)) => {
                let value = self.copied(value, *scalar)?;
                let said = &mut self.stepping()?.said;
                said.push((value, *scalar));
                How::Says(said.len() - 1)
            }
            (Form::Row(read), Some(key)) => {
                let row = self.row(&read.table, key)?;
                self.touch(row);
                let answered = &mut self.stepping()?.answered;
                if !answered.contains(&row) {
                    answered.push(row);
                }
                How::Answers(row)
            }
        })
    }

    /// The rows that the caller named, each asked about before anything is done.
    pub(super) fn name_in_steps(&mut self) -> Result<(Vec<Option<usize>>, Vec<Course>), Reason> {
        let program = self.program;
        let (mut named, mut naming) = (Vec::new(), Vec::new());
        for visible in &program.visible {
            self.step = Some(format!("allow read {}", visible.table.entity).into());
            let Some(binds) = &visible.named else {
                let key = Expression::Bind(program.filled.len());
                let row = self.add_row(&visible.table, key, None)?;
                self.touch(row);
                let condition = self.flat(&visible.condition, &[row])?;
                // What parts refer to is found for each row anew.
                let finds = !self.stepping()?.step_sites.is_empty();
                let course = if !finds && rows_of(&condition).iter().all(|of| *of == row) {
                    self.demand(row, condition)?;
                    self.looks.clear();
                    None
                } else {
                    self.insist(condition, Vec::new())?;
                    Some(self.course(How::Stated))
                };
                self.stepping()?.naming_each.push(course);
                named.push(Some(row));
                continue;
            };
            for bind in binds {
                let row = self.row(&visible.table, &Expression::Bind(*bind))?;
                self.touch(row);
                let condition = self.flat(&visible.condition, &[row])?;
                if condition != Expression::yes() {
                    // One that may be left out.
                    let left_out = Expression::IsNull(Box::new(Expression::Bind(*bind)));
                    self.insist(Expression::any([condition, left_out]), Vec::new())?;
                }
                naming.push(self.course(How::Stated));
            }
            named.push(None);
            self.stepping()?.naming_each.push(None);
        }
        Ok((named, naming))
    }

    /// The row of a key as it is at this step.
    pub(super) fn row_at_step(
        &mut self,
        table: &Arc<Table>,
        key: &Expression,
        scope: &[usize],
    ) -> Result<usize, Reason> {
        if let Some(part) = self.part_by(key) {
            return Ok(part);
        }
        let flat = self.flat(key, scope)?;
        let key = self.looked_up(&flat).ok_or(Reason::NotInSql)?;
        self.row_by_key(table, key)
    }

    /// The same of a key that is looked up.
    pub(super) fn row_by_key(
        &mut self,
        table: &Arc<Table>,
        key: Expression,
    ) -> Result<usize, Reason> {
        let known = |row: &Row| !row.deed && row.table.id == table.id && row.key == key;
        for (at, row) in self.rows.iter().enumerate().filter(|(_, row)| known(row)) {
            let stepping = self.stepping.as_ref().ok_or(Reason::NotInSql)?;
            let site = row.site.and_then(|site| stepping.sites.get(site));
            // By now it may be found to be another one.
            if site.is_none_or(|site| self.all_ahead(&key).is_ok_and(|all| all == site.ahead)) {
                return Ok(at);
            }
        }
        let (mut site, mut made) = (None, false);
        match &key {
            Expression::Literal(Value::Null) => return Err(Reason::FoundByRow),
            Expression::Literal(_) => {}
            Expression::Bind(bind) if *bind <= self.program.filled.len() => {
                let stepping = self.stepping.as_ref().ok_or(Reason::NotInSql)?;
                made = stepping.made.iter().any(|made| made.key == key)
                    || self.drawn.iter().any(|(drawn, _)| drawn == bind);
            }
            key => {
                let scalar = scalar_of_key(table)?;
                site = Some(self.site(Some(table.clone()), scalar, key)?);
            }
        }
        let row = self.add_row(table, key, None)?;
        (self.rows[row].site, self.rows[row].made) = (site, made);
        Ok(row)
    }

    /// What is looked up ahead.
    fn site(
        &mut self,
        table: Option<Arc<Table>>,
        scalar: Scalar,
        value: &Expression,
    ) -> Result<usize, Reason> {
        // What something is told under is a text by then.
        if table.is_some() && !self.stands_as(value, scalar) {
            return Err(Reason::Timed);
        }
        let (ahead, value) = (self.all_ahead(value)?, value.clone());
        self.add_site(Site {
            table,
            scalar,
            value,
            ahead,
            event: None,
            each: None,
            may_be_made: false,
            may_be_gone: false,
        })
    }

    /// The same of what each part of a row refers to, with the part at depth 0 and that row at depth 1.
    pub(super) fn site_of_each(
        &mut self,
        (table, value): (&Arc<Table>, Expression),
        (root, part, within): (usize, &Arc<Table>, Vec<InnerParts>),
    ) -> Result<(), Reason> {
        let scalar = scalar_of_key(table)?;
        let of = self.rows.get(root).ok_or(Reason::NotInSql)?;
        let (root, key) = (of.table.clone(), of.key.clone());
        let stepping = self.stepping.as_ref().ok_or(Reason::NotInSql)?;
        // What the row itself was before would have to be looked up for it.
        let mut columns = columns_of(&value, within.len() + 1);
        for (nth, inner) in within.iter().enumerate() {
            columns.extend(columns_of(&inner.root, nth + 1));
        }
        if stepping.set.iter().any(|set| set.table == root.id && columns.contains(&set.column)) {
            return Err(Reason::NotInSql);
        }
        // A row that is made has no parts yet. What those refer to that are made with it may be locked for something else.
        let made = stepping.made.iter().any(|made| made.key == key);
        let roots = if made { Vec::new() } else { self.all_ahead(&key)? };
        let ahead = if roots.is_empty() { Vec::new() } else { self.all_ahead(&value)? };
        let each = Some(EachPart { root, key, part: part.clone(), within, ahead: roots });
        let table = Some(table.clone());
        let site = Site {
            table,
            scalar,
            value,
            ahead,
            event: None,
            each,
            may_be_made: false,
            may_be_gone: false,
        };
        let site = self.add_site(site)?;
        let sites = &mut self.stepping()?.step_sites;
        if !sites.contains(&site) {
            sites.push(site);
        }
        Ok(())
    }

    /// Looks at what folds find by a part that is made, so that it is locked with the others.
    pub(super) fn look_at_folded(
        &mut self,
        part: &Table,
        creation: &Creation,
    ) -> Result<(), Reason> {
        let Some(stepping) = &self.stepping else { return Ok(()) };
        let of_part = stepping.folded.iter().filter(|folded| folded.part == part.id);
        'each: for Folded { table, value, .. } in of_part.cloned().collect::<Vec<_>>() {
            let mut key = value;
            for column in columns_of(&key, 0) {
                let Some(Fill::Value(fill)) = creation.values.get(column) else { continue 'each };
                let flat = self.flat(fill, &[])?;
                let flat = self.looked_up(&flat).ok_or(Reason::NotInSql)?;
                key = instead_of(&key, 0, column, &flat).ok_or(Reason::NotInSql)?;
            }
            if key != Expression::Literal(Value::Null) {
                let row = self.row_by_key(&table, key)?;
                self.touch(row);
            }
        }
        Ok(())
    }

    fn add_site(&mut self, site: Site) -> Result<usize, Reason> {
        let of_each = site.each.iter().flat_map(|each| &each.ahead);
        let all = site.ahead.iter().chain(of_each).map(nodes).sum::<usize>();
        let stepping = self.stepping()?;
        let known = stepping.sites.iter().position(|known| is_same(known, &site));
        if let Some(known) = known.filter(|_| site.each.is_some()) {
            return Ok(known);
        }
        if stepping.sites.len() == MOST || all > LARGEST {
            return Err(Reason::TooLarge);
        }
        stepping.sites.push(site);
        Ok(stepping.sites.len() - 1)
    }

    /// The rows that a step looks at, as far as their keys are known; all others are looked up ahead.
    pub(super) fn looked_up_ahead(&mut self) {
        let rows = &self.rows;
        let Some(stepping) = &mut self.stepping else { return };
        self.looks.retain(|row| {
            let Some(row) = rows.get(*row).filter(|row| !row.deed) else { return false };
            let site = row.site;
            stepping.step_sites.extend(site.filter(|site| !stepping.step_sites.contains(site)));
            site.is_none()
        });
    }

    /// Keeps a value as it is at this step; `bind`: what will hold it.
    pub(super) fn keep_as_it_is(
        &mut self,
        flat: &Expression,
        bind: Option<usize>,
    ) -> Result<Holds, Reason> {
        let value = self.looked_up(flat).ok_or(Reason::NotInSql)?;
        // Where its sides do not say what it is, the model does.
        let said = || {
            let kind = self.program.kinds.get(bind?).copied().flatten();
            kind.filter(|kind| self.stands_as(&value, *kind))
        };
        let scalar = self.scalar_of(&value, &[]).or_else(said).ok_or(Reason::FoundByRow)?;
        self.keep_now(value, scalar, Finding::Value).map(Holds::Kept)
    }

    /// Keeps what the body of another command returns at one of several places where that of the others is kept: one of them is come to.
    fn keep_returned(&mut self, value: Option<&Expression>) -> Result<Holds, Reason> {
        let flat = match value {
            Some(value) => self.flat(value, &[])?,
            None => Expression::Literal(Value::Null),
        };
        let value = self.looked_up(&flat).ok_or(Reason::NotInSql)?;
        let several = self.stepping()?.several.ok_or(Reason::NotInSql)?;
        // What was given does not say what it is.
        let scalar = match (several.scalar, self.scalar_of(&value, &[])) {
            (Some(known), Some(this)) => Some(either_of(known, this).ok_or(Reason::ReturnsWithin)?),
            (known, this) => known.or(this),
        };
        if scalar.is_some_and(|scalar| !self.stands_as(&value, scalar)) {
            return Err(Reason::ReturnsWithin);
        }
        let at = self.found.len();
        let kept = self.keep_now(value, scalar.unwrap_or(Scalar::Text), Finding::Value)?;
        let bind = several.bind.unwrap_or(kept);
        self.stepping()?.is_one_of(kept, bind);
        self.found.get_mut(at).ok_or(Reason::NotInSql)?.bind = bind;
        if let Some(scalar) = scalar {
            let of_bind = self.found.iter_mut().filter(|found| found.bind == bind);
            of_bind.for_each(|found| found.scalar = scalar);
        }
        self.stepping()?.several = Some(Several { bind: Some(bind), scalar });
        Ok(Holds::Kept(bind))
    }

    /// Keeps the text of a key under which something is told; of an event, it is looked up ahead as well.
    pub(super) fn keep_text(
        &mut self,
        key: &Expression,
        scalar: Scalar,
        event: Option<usize>,
    ) -> Result<usize, Reason> {
        let flat = self.flat(key, &[])?;
        if !self.stands_as(&flat, scalar) {
            return Err(Reason::Timed);
        }
        let value = self.looked_up(&flat).ok_or(Reason::NotInSql)?;
        let bind = self.keep_now(value, Scalar::Text, Finding::Text(scalar))?;
        if let Some(event) = event.and_then(|event| self.program.events.get(event)) {
            let site = self.site(None, scalar, &Expression::Bind(bind))?;
            let of = self.stepping()?.sites.get_mut(site).ok_or(Reason::NotInSql)?;
            of.event = Some(event.name.clone());
            self.stepping()?.step_sites.push(site);
        }
        Ok(bind)
    }

    /// Keeps a value as it is where its step stands.
    pub(super) fn keep_now(
        &mut self,
        value: Expression,
        scalar: Scalar,
        what: Finding,
    ) -> Result<usize, Reason> {
        if self.found.len() == MOST || nodes(&value) > LARGEST {
            return Err(Reason::TooLarge);
        }
        let (at, bind) = (self.found.len(), self.program.filled.len() + 1 + self.found.len());
        let ahead = self.may_be(&value)?;
        let stepping = self.stepping()?;
        stepping.ahead.push((bind, ahead));
        stepping.step_keeps.push(at);
        self.found.push(Found { bind, scalar, value, what });
        Ok(bind)
    }

    /// What a row becomes at one step, which changes it.
    pub(super) fn deed(&mut self, target: usize, key: &Expression) -> Result<usize, Reason> {
        let of = self.program.targets.get(target).ok_or(Reason::NotInSql)?;
        let row = self.row(&of.target.table, key)?;
        self.deed_of(target, row)
    }

    /// The same of a row that is known.
    pub(super) fn deed_of(&mut self, target: usize, row: usize) -> Result<usize, Reason> {
        let of = self.program.targets.get(target).ok_or(Reason::NotInSql)?;
        if of.checks.iter().any(|check| check.others) {
            return Err(Reason::LooksElsewhere);
        }
        self.touch(row);
        let Row { key, site, made, .. } = self.rows.get(row).ok_or(Reason::NotInSql)?;
        let (key, site, made) = (key.clone(), *site, *made);
        let at = self.add_deed(&of.target.table, key.clone(), made);
        (self.rows[at].site, self.rows[at].target) = (site, Some(target));
        if site.is_none() {
            let end = self.end(target, key)?;
            self.stepping()?.ends.extend(end.map(|end| (at, end)));
        }
        Ok(at)
    }

    /// Notes what a step makes of a column.
    pub(super) fn note_set(&mut self, row: usize, column: usize, value: &Expression) {
        let (Some(of), Some(value)) = (self.rows.get(row), self.looked_up(value)) else { return };
        let table = of.table.id;
        if let Some(stepping) = &mut self.stepping {
            let ways = stepping.ways(&value).unwrap_or_default();
            stepping.set.push(Set { table, column, ways });
        }
    }

    /// A row that stands for one step's change of a row, or for what becomes of one in the end.
    pub(super) fn add_deed(&mut self, table: &Arc<Table>, key: Expression, made: bool) -> usize {
        let at = self.rows.len();
        let row = Row::untouched(at, table, key, self.turn);
        self.rows.push(Row { made, deed: true, ..row });
        at
    }

    /// What must be true in the end of a row that is changed or made, if anything.
    pub(super) fn end(&mut self, target: usize, key: Expression) -> Result<Option<usize>, Reason> {
        let of = self.program.targets.get(target).ok_or(Reason::NotInSql)?;
        if of.checks.iter().any(|check| check.others) {
            return Err(Reason::LooksElsewhere);
        }
        let few = of.target.parts.iter().filter(|part| part.minimum > 0);
        if of.checks.is_empty() && few.clone().count() == 0 {
            return Ok(None);
        }
        let known = &self.stepping()?.end_of;
        if let Some((.., end)) = known.iter().find(|(at, by, _)| *at == target && *by == key) {
            return Ok(Some(*end));
        }
        let at = self.add_deed(&of.target.table, key.clone(), false);
        let mut conditions = Vec::new();
        for check in &of.target.checks {
            let check = self.flat(&check.expression, &[at])?;
            conditions.extend(unless_false(check));
        }
        conditions.extend(few.map(|part| has_enough(part, at)));
        self.rows[at].conditions = conditions;
        self.stepping()?.end_of.push((target, key, at));
        Ok(Some(at))
    }

    /// Notes the change of the root that goes with that of a part.
    pub(super) fn note_root(&mut self, deed: usize, root: usize) -> Result<(), Reason> {
        self.stepping()?.roots.push((deed, root));
        Ok(())
    }

    /// Notes a row that is made under a key.
    pub(super) fn note_made(
        &mut self,
        table: &Arc<Table>,
        key: Expression,
        values: Vec<Option<Expression>>,
    ) -> Result<(), Reason> {
        let stepping = self.stepping()?;
        let values = values.into_iter().map(|value| stepping.ways(&value?).ok()).collect();
        stepping.made.push(Made { table: table.clone(), key, values });
        Ok(())
    }

    /// What something looked up is, within rows of these tables; `None`: it does not say.
    fn scalar_of(&self, value: &Expression, inside: &[&Table]) -> Option<Scalar> {
        match value {
            Expression::Literal(_) | Expression::Part { .. } => None,
            Expression::Bind(bind) => {
                let found = self.found.iter().find(|found| found.bind == *bind);
                let drawn = self.drawn.iter().any(|(drawn, _)| drawn == bind);
                let known = found.map(|found| found.scalar).or(drawn.then_some(Scalar::Int));
                // What names a row is what the key of its table is.
                known.or_else(|| {
                    let row = self.rows.iter().find(|row| row.key == *value);
                    let made = self.stepping.iter().flat_map(|stepping| &stepping.made);
                    let made = || made.into_iter().find(|made| made.key == *value);
                    let table = row.map(|row| &row.table).or_else(|| Some(&made()?.table))?;
                    scalar_of_key(table).ok()
                })
            }
            Expression::Column { depth, column } => {
                let table = inside.iter().rev().nth(*depth)?;
                table.columns.get(*column).map(|column| column.scalar)
            }
            Expression::Lookup { table, value, .. } => {
                let inside: Vec<&Table> = inside.iter().copied().chain([&**table]).collect();
                self.scalar_of(value, &inside)
            }
            Expression::Aggregate { aggregate, table, body, kind, .. } => match aggregate {
                Aggregate::Any | Aggregate::All => Some(Scalar::Bool),
                Aggregate::Count => Some(Scalar::Int),
                Aggregate::Sum => Some(of_number(*kind)),
                Aggregate::Min | Aggregate::Max => {
                    let inside: Vec<&Table> = inside.iter().copied().chain([&**table]).collect();
                    self.scalar_of(body, &inside)
                }
            },
            Expression::Not(_)
            | Expression::IsNull(_)
            | Expression::Compare(..)
            | Expression::And(_)
            | Expression::Or(_)
            | Expression::In(..) => Some(Scalar::Bool),
            Expression::Arithmetic { kind, .. } | Expression::Negate(kind, _) => {
                Some(of_number(*kind))
            }
            Expression::Rescale { .. } | Expression::DivideDecimal { .. } => Some(Scalar::Int),
            Expression::ToFloat(..) => Some(Scalar::Float),
            Expression::Call(function, _) => Some(function.scalar()),
            Expression::If { then, otherwise, .. } => {
                self.scalar_of_all(&[then, otherwise], inside)
            }
            Expression::Coalesce(all) => {
                self.scalar_of_all(&all.iter().collect::<Vec<_>>(), inside)
            }
            Expression::Member { scalar, .. } => Some(*scalar),
        }
    }

    /// The same of values that are one: all that say what they are say the same.
    fn scalar_of_all(&self, all: &[&Expression], inside: &[&Table]) -> Option<Scalar> {
        let mut said = all.iter().filter_map(|value| self.scalar_of(value, inside));
        let first = said.next()?;
        said.all(|other| other == first).then_some(first)
    }
}

/// What something is that is one or the other: what is computed is a number of what the other counts in.
fn either_of(one: Scalar, other: Scalar) -> Option<Scalar> {
    let counts = |scalar| {
        use Scalar::{Date, Decimal, Duration, Timestamp};
        matches!(scalar, Decimal { .. } | Duration | Date | Timestamp)
    };
    match (one, other) {
        (one, other) if one == other => Some(one),
        (Scalar::Int, of) | (of, Scalar::Int) if counts(of) => Some(of),
        _ => None,
    }
}

/// What the keys of a table are, where rows are found by what stands in others.
pub(super) fn scalar_of_key(table: &Table) -> Result<Scalar, Reason> {
    let own = table.columns.get(table.own_key()).ok_or(Reason::NotInSql)?;
    let is_sure = !matches!(own.scalar, Scalar::Float | Scalar::Json | Scalar::Bool);
    if is_sure && own.native.is_none() { Ok(own.scalar) } else { Err(Reason::FoundByRow) }
}

/// That the row at a position has enough parts of a kind.
pub(super) fn has_enough(part: &PartTarget, at: usize) -> Expression {
    let count = fold_of(part, at, (Aggregate::Count, Expression::yes()));
    let least = Expression::Literal(Value::Int(i64::from(part.minimum)));
    Expression::Compare(Comparison::GreaterOrEqual, Box::new(count), Box::new(least))
}

/// That the places of its parts of a kind are all taken, up to the last.
pub(super) fn has_no_gap(part: &PartTarget, at: usize) -> Expression {
    let place = Expression::column(part.table.own_key());
    let last = fold_of(part, at, (Aggregate::Max, place));
    let last = Expression::Coalesce(vec![last, Expression::Literal(Value::Int(0))]);
    Expression::equal(last, fold_of(part, at, (Aggregate::Count, Expression::yes())))
}

fn fold_of(part: &PartTarget, at: usize, (aggregate, body): (Aggregate, Expression)) -> Expression {
    let (table, body, kind) = (part.table.clone(), Box::new(body), NumberKind::Int);
    Expression::Aggregate { aggregate, table, depth: at, body, kind }
}

/// The columns of the row that is so many rows outwards.
pub(super) fn columns_of(value: &Expression, outwards: usize) -> Vec<usize> {
    fn gather(value: &Expression, outwards: usize, columns: &mut Vec<usize>) {
        match value {
            Expression::Column { depth, column } if *depth == outwards => columns.push(*column),
            Expression::Lookup { key, value, .. } => {
                gather(key, outwards, columns);
                gather(value, outwards + 1, columns);
            }
            Expression::Aggregate { body, .. } => gather(body, outwards + 1, columns),
            _ => value.children(&mut |child| gather(child, outwards, columns)),
        }
    }
    let mut columns = Vec::new();
    gather(value, outwards, &mut columns);
    columns
}

/// Whether two sites of parts are one.
fn is_same(a: &Site, b: &Site) -> bool {
    let table = |site: &Site| site.table.as_ref().map(|table| table.id);
    let parts = |site: &Site| {
        site.each.as_ref().map(|each| (each.root.id, each.part.id, each.within.clone()))
    };
    let keys = |site: &Site| site.each.as_ref().map(|each| (each.key.clone(), each.ahead.clone()));
    let same = table(a) == table(b) && parts(a) == parts(b);
    same && a.value == b.value && a.ahead == b.ahead && keys(a) == keys(b)
}

fn of_number(kind: NumberKind) -> Scalar {
    match kind {
        NumberKind::Int => Scalar::Int,
        NumberKind::Float => Scalar::Float,
    }
}

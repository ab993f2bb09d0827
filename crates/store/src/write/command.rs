//! Commands: programs, run step by step over the rows that they need.
//!
//! ```text
//! foresee ─► load (and lock, in one order) ─► steps, over the workset ─► flush: rules, then few statements
//! ```
//!
//! All that a program will look at is guessed before it runs, from the values that are known then, and loaded together: a loop
//! over a list takes one statement, not one for each element. What the guess has missed is loaded when a step needs it.
//! Steps change rows in memory only; each row is locked, so that what is computed from it holds. In the end the rules of
//! each aggregate are looked at, once, and what has changed is written, many rows of a table at a time.
//!
//! Rows are locked table by table and key by key, in the same order by all, so that two commands do not wait for each
//! other. A program that finds rows by what stands in others reads them first, and then locks all of them in that order.

pub(crate) mod ahead;
mod code;
pub(crate) mod direct;
pub mod explain;
mod flush;
mod foresee;
mod list;
mod loading;
mod publish;
mod rows;
pub(crate) mod together;

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use operation::{
    Code, Command, Comparison, Dialect, EvaluationFault, Expression, Fault, FaultCode, Form, List,
    MOST_ROWS, Member, Named, Place, Program, Published, Scalar, Scope, Source, Step, Table,
    TableId, Value, Violation, evaluate,
};
use rustc_hash::FxHashMap;

use super::change::{Change, Pointer, compute};
use super::outbox::Asking;
use super::workset::{Wanted, Workset};
use ahead::Ahead;
use loading::{Going, WAVES};

use super::{Answer, Asked, Database, Failure, Left, Load, Writing, evaluation};
use crate::lower::{self, Lock, ill_formed};

/// Where steps have come to.
enum Flow {
    /// To their end.
    On,
    /// To a `return`.
    Returned(Option<Value>),
}

/// A command under way.
struct Running<'d, 'p, D> {
    writing: Writing<'d, D>,
    program: &'p Program,
    binds: Vec<Value>,
    rows: Workset,
    /// Roots of which computed columns are to be worked out again: the target's position, and the key.
    dirty: Vec<(usize, Value)>,
    /// Numbers that were drawn and not used yet, and the last one that was drawn.
    drawn: FxHashMap<TableId, (VecDeque<i64>, i64)>,
    /// Where numbers are drawn with all else that is sent: the tables, and how many of each.
    counted: Option<Vec<(Arc<Table>, i64)>>,
    turns: usize,
    /// Lists that were read lately.
    lists: Vec<Arc<List>>,
    now: i64,
    published: Vec<Published>,
    /// Events under keys that nobody else can know yet: nobody is waited for.
    unlocked: Vec<[u8; 16]>,
    asking: Vec<Asking>,
    code: Option<Arc<dyn Code>>,
    /// Roots that it is foreseen to delete, and those that are locked with all that goes along.
    going: Going,
    /// New rows of which only the database knows all: how they are made.
    made: FxHashMap<(TableId, Vec<Value>), direct::Making<'p>>,
}

impl<D: Database> Writing<'_, D> {
    /// Runs a command. `ahead`: what it has come to before its turn, and still holds.
    pub(super) async fn command(
        &mut self,
        command: &Command,
        ahead: Option<&mut Ahead>,
    ) -> Result<Left, Fault> {
        if let Some(task) = command.settles {
            self.settle_task(task).await?;
        }
        if let Some(ahead) = ahead {
            return self.carry_out_ahead(command, ahead).await;
        }
        let mut running = Running::of(Writing { database: &mut *self.database }, command);
        let returned = running.work(&command.named).await?;
        running.flush().await?;
        let answer = running.answer(returned).await?;
        Ok(running.left(answer))
    }
}

impl<'d, 'p, D: Database> Running<'d, 'p, D> {
    fn of(writing: Writing<'d, D>, command: &'p Command) -> Self {
        Self { lists: command.lists.clone(), ..Self::with(writing, command, command.binds.clone()) }
    }

    /// The same that goes through no lists any more.
    fn with(writing: Writing<'d, D>, command: &'p Command, binds: Vec<Value>) -> Self {
        Self {
            writing,
            program: &command.program,
            binds,
            rows: Workset::of(&command.program),
            dirty: Vec::new(),
            drawn: FxHashMap::default(),
            counted: None,
            turns: 0,
            lists: Vec::new(),
            now: command.now,
            published: Vec::new(),
            unlocked: Vec::new(),
            asking: Vec::new(),
            code: command.code.clone(),
            going: Going::default(),
            made: FxHashMap::default(),
        }
    }

    /// What is left of it.
    fn left(&self, answer: Answer) -> Left {
        let (key, part_key, replayed) = (Value::Null, None, false);
        let (wakes, published) = (!self.asking.is_empty(), self.published.len());
        Left { key, version: 0, part_key, answer, replayed, wakes, published }
    }
}

impl<D: Database> Running<'_, '_, D> {
    /// Does what the program says, as far as it is about rows in memory; what it returns.
    async fn work(&mut self, named: &[Named]) -> Result<Option<Value>, Fault> {
        let program = self.program;
        self.load_all(named).await?;
        self.look_at_named(named).await?;
        if !self.holds(&program.admission).await? {
            return Err(Fault::Forbidden(format!("you may not run {} on this", program.name)));
        }
        match self.steps(&program.body).await? {
            Flow::Returned(value) => Ok(value),
            Flow::On => Ok(None),
        }
    }

    /// Refuses rows that the caller may not see.
    async fn look_at_named(&mut self, named: &[Named]) -> Result<(), Fault> {
        let program = self.program;
        let mut found = Vec::new();
        for Named { visible, key, pointer } in named {
            let visible =
                program.visible.get(*visible).ok_or_else(|| ill_formed("no such rule"))?;
            self.demand([Wanted::Row(visible.table.clone(), key.clone())]).await?;
            let seen = match self.of_root(&visible.table, key, &visible.condition).await? {
                Some(value) => value == Value::Bool(true),
                None => false,
            };
            if seen {
                continue;
            }
            let Some(pointer) = pointer else { return Err(Fault::NotFound) };
            let detail = format!(
                "this refers to no {} that you may see; name one that exists",
                visible.table.entity
            );
            found.push(Violation::at(FaultCode::UnknownReference, &**pointer, detail));
        }
        if found.is_empty() { Ok(()) } else { Err(Fault::Invalid(found)) }
    }

    /// The value of an expression; what it misses is loaded.
    async fn value(
        &mut self,
        expression: &Expression,
        row: Option<&[Value]>,
    ) -> Result<Value, Fault> {
        if let Some(value) = self.value_at_hand(expression, row) {
            return value;
        }
        // On the heap: most values are at hand, and what asks for them is small without it.
        Box::pin(async move {
            if !self.dirty.is_empty() && self.looks_at_dirty(expression) {
                self.compute().await?;
            }
            self.value_as_it_is(expression, row.as_slice()).await
        })
        .await
    }

    /// The same where nothing has to be awaited for it.
    fn value_at_hand(
        &self,
        expression: &Expression,
        row: Option<&[Value]>,
    ) -> Option<Result<Value, Fault>> {
        match expression {
            Expression::Literal(value) => return Some(Ok(value.clone())),
            Expression::Bind(at) if *at < self.binds.len() => {
                return Some(Ok(self.binds[*at].clone()));
            }
            _ => {}
        }
        if !self.dirty.is_empty() && self.looks_at_dirty(expression) {
            return None;
        }
        let rows = row.as_slice();
        let scope = Scope { rows, binds: &self.binds, parts: &[], stored: Some(&self.rows) };
        match evaluate(expression, &scope) {
            Err(EvaluationFault::NotLocal) => None,
            outcome => Some(outcome.map_err(|fault| evaluation(fault, ""))),
        }
    }

    /// The same without working out first what computed columns are now.
    async fn value_as_it_is(
        &mut self,
        expression: &Expression,
        rows: &[&[Value]],
    ) -> Result<Value, Fault> {
        for _ in 0..WAVES {
            let scope = Scope { rows, binds: &self.binds, parts: &[], stored: Some(&self.rows) };
            match evaluate(expression, &scope) {
                Ok(value) => return Ok(value),
                Err(EvaluationFault::NotLocal) => {
                    let wanted = self.rows.take_wanted();
                    if wanted.is_empty() {
                        return Err(ill_formed("an expression that nothing answers"));
                    }
                    let known = self.dirty.len();
                    Box::pin(self.load(wanted, true)).await?;
                    // What was loaded may have lost something.
                    if self.dirty.len() > known {
                        Box::pin(self.compute()).await?;
                    }
                }
                Err(fault) => return Err(evaluation(fault, "")),
            }
        }
        Err(ill_formed("an expression that always misses something"))
    }

    /// The value of an expression of a root that is here, as it is; `None`: there is none.
    async fn of_root(
        &mut self,
        table: &Table,
        key: &Value,
        expression: &Expression,
    ) -> Result<Option<Value>, Fault> {
        let row = self.rows.root(table, key).and_then(|row| row.new.as_deref());
        let Some(row) = row else { return Ok(None) };
        let scope =
            Scope { rows: &[row], binds: &self.binds, parts: &[], stored: Some(&self.rows) };
        match evaluate(expression, &scope) {
            Ok(value) => Ok(Some(value)),
            // What is missed is loaded, and the row lent meanwhile.
            Err(EvaluationFault::NotLocal) => {
                let row = row.to_vec();
                self.value_as_it_is(expression, &[&row]).await.map(Some)
            }
            Err(fault) => Err(evaluation(fault, "")),
        }
    }

    async fn holds(&mut self, condition: &Expression) -> Result<bool, Fault> {
        Ok(self.value(condition, None).await? == Value::Bool(true))
    }

    fn looks_at_dirty(&self, expression: &Expression) -> bool {
        let mut found = false;
        expression.visit(&mut |e| {
            if let Expression::Lookup { table, .. } = e {
                found |= self.dirty.iter().any(|(target, _)| {
                    self.program.targets.get(*target).is_some_and(|t| {
                        t.target.table.id == table.id
                            || t.target.parts.iter().any(|part| part.table.id == table.id)
                    })
                });
            }
        });
        found
    }

    /// Works out computed columns of the roots that have changed.
    async fn compute(&mut self) -> Result<(), Fault> {
        let program = self.program;
        while let Some((at, key)) = self.dirty.pop() {
            let target = program.targets.get(at).ok_or_else(|| ill_formed("no such target"))?;
            let table = &target.target.table;
            for (computed, inputs) in target.target.computed.iter().zip(&target.computed) {
                let Some(row) = self.rows.root(table, &key) else { break };
                let parts = |part: &usize| {
                    let part = target.target.parts.get(*part);
                    part.is_some_and(|part| row.parts_changed.contains(&part.table.id))
                };
                let due = row.fresh
                    || inputs.columns.iter().any(|column| row.changed.contains(column))
                    || inputs.parts.iter().any(parts)
                    || row.changed.contains(&computed.column);
                if !due {
                    continue;
                }
                let Some(value) = self.of_root(table, &key, &computed.expression).await? else {
                    break;
                };
                if let Some(row) = self.rows.root_mut(table, &key)
                    && let Some(new) = &mut row.new
                    && new.get(computed.column).is_some_and(|known| *known != value)
                    && let Some(slot) = Arc::make_mut(new).get_mut(computed.column)
                {
                    *slot = value;
                    row.changed.push(computed.column);
                    row.ever_changed.push(computed.column);
                }
            }
            if let Some(row) = self.rows.root_mut(table, &key) {
                row.fresh = false;
                row.changed.clear();
                row.parts_changed.clear();
            }
        }
        Ok(())
    }

    /// Carries out steps in order.
    ///
    /// Their future is on the heap, since bodies stand in bodies. What waits for the database stands on the heap by itself inside
    /// it: a step is then small enough for what the allocator keeps at hand, which it is for each turn of a loop.
    fn steps<'s>(
        &'s mut self,
        steps: &'s [Step],
    ) -> Pin<Box<dyn Future<Output = Result<Flow, Fault>> + 's>> {
        Box::pin(async move {
            for step in steps {
                if let Flow::Returned(value) = self.step(step).await? {
                    return Ok(Flow::Returned(value));
                }
            }
            Ok(Flow::On)
        })
    }

    async fn step(&mut self, step: &Step) -> Result<Flow, Fault> {
        match step {
            Step::Let { bind, value } => {
                let value = self.value(value, None).await?;
                self.fill(*bind, value);
            }
            Step::Unpack { from, members } => {
                let object = self.value(from, None).await?;
                self.unpack(&object, members)?;
            }
            Step::Require { condition, error, members } => {
                if !self.holds(condition).await? {
                    let mut values = Vec::with_capacity(members.len());
                    for member in members {
                        values.push(self.value(member, None).await?);
                    }
                    return Err(Fault::Raised { error: *error, members: values });
                }
            }
            Step::For { source, bind, members, body } => {
                return Box::pin(self.for_each(source, *bind, members, body)).await;
            }
            Step::If { condition, then, otherwise } => {
                let branch = if self.holds(condition).await? { then } else { otherwise };
                return self.steps(branch).await;
            }
            Step::Create(creation) => self.create_row(creation).await?,
            Step::Update { row, key, set, bounds } => {
                self.update_row(*row, key, set, bounds).await?;
            }
            Step::Delete { row, key } => self.delete_row(*row, key).await?,
            Step::Emit { event, key, members } => self.emit(*event, key.as_ref(), members).await?,
            Step::Later { target, arguments, terms } => {
                self.later(target, arguments, terms).await?;
            }
            Step::Run { body, bind } => {
                let returned = match self.steps(body).await? {
                    Flow::Returned(value) => value,
                    Flow::On => None,
                };
                if let Some(bind) = bind {
                    self.fill(*bind, returned.unwrap_or_default());
                }
            }
            Step::Code { command, arguments, bind } => {
                self.call_code(*command, arguments, *bind).await?;
            }
            Step::Collect { row, condition, after, most } => {
                let keys = Box::pin(self.collect(*row, condition, *after, *most)).await?;
                return Ok(Flow::Returned(Some(keys)));
            }
            Step::Return(value) => {
                let value = match value {
                    Some(value) => Some(self.value(value, None).await?),
                    None => None,
                };
                return Ok(Flow::Returned(value));
            }
        }
        Ok(Flow::On)
    }

    fn fill(&mut self, bind: usize, value: Value) {
        if let Some(slot) = self.binds.get_mut(bind) {
            *slot = value;
        }
    }

    /// Fills binds with members of an object; all are null where there is none.
    fn unpack(&mut self, object: &Value, members: &[Member]) -> Result<(), Fault> {
        let Value::Text(text) = object else {
            members.iter().for_each(|member| self.fill(member.bind, Value::Null));
            return Ok(());
        };
        let tree = operation::parse_json(text.as_bytes()).map_err(Fault::Internal)?;
        for member in members {
            let value = member.of(&tree)?;
            self.fill(member.bind, value);
        }
        Ok(())
    }

    async fn for_each(
        &mut self,
        source: &Source,
        bind: usize,
        members: &[Member],
        body: &[Step],
    ) -> Result<Flow, Fault> {
        match source {
            Source::List { list, scalar } => {
                let list = self.value(list, None).await?;
                if list.is_null() {
                    return Ok(Flow::On);
                }
                let list = self.list(&list, *scalar, bind, members)?;
                for element in list.elements() {
                    self.turn()?;
                    self.take(element, bind, members);
                    if let Flow::Returned(value) = self.steps(body).await? {
                        return Ok(Flow::Returned(value));
                    }
                }
                Ok(Flow::On)
            }
            Source::Parts { row, root } => {
                let root = self.value(root, None).await?;
                let table = self.table(*row)?;
                self.demand([Wanted::Parts(table.clone(), root.clone())]).await?;
                let parts = self.rows.parts_of(&table, &root).iter();
                let numbers: Vec<i64> =
                    parts.filter(|part| part.new.is_some()).map(|part| part.number).collect();
                self.over(numbers.into_iter().map(Value::Int).collect(), bind, body).await
            }
            Source::Rows { row, condition } => {
                let table = self.table(*row)?;
                let keys = Box::pin(self.find(&table, condition)).await?;
                self.over(keys, bind, body).await
            }
        }
    }

    async fn over(
        &mut self,
        elements: Vec<Value>,
        bind: usize,
        body: &[Step],
    ) -> Result<Flow, Fault> {
        if D::DIALECT == Dialect::Postgres {
            self.foresee_turns(&elements, bind, body).await?;
        }
        for element in elements {
            self.turn()?;
            self.fill(bind, element);
            if let Flow::Returned(value) = self.steps(body).await? {
                return Ok(Flow::Returned(value));
            }
        }
        Ok(Flow::On)
    }

    /// Loads what the turns of a loop will look at.
    async fn foresee_turns(
        &mut self,
        elements: &[Value],
        bind: usize,
        body: &[Step],
    ) -> Result<(), Fault> {
        self.foresee_loop(elements, bind, body);
        let wanted = self.rows.take_wanted();
        if wanted.is_empty() { Ok(()) } else { Box::pin(self.load(wanted, true)).await }
    }

    fn turn(&mut self) -> Result<(), Fault> {
        self.turns += 1;
        if self.turns > D::TURNS {
            let detail = format!("this takes more than {} turns; ask for less at once", D::TURNS);
            return Err(Fault::Invalid(vec![Violation::at(FaultCode::CheckFailed, "", detail)]));
        }
        Ok(())
    }

    /// The keys of the rows that fulfil a condition: those that are stored, and those that this command has made or changed.
    async fn find(
        &mut self,
        table: &Arc<Table>,
        condition: &Expression,
    ) -> Result<Vec<Value>, Fault> {
        // A condition may look at what rows that have changed are computed from.
        if !self.dirty.is_empty() {
            self.compute().await?;
        }
        // As many as may be, and one more to know that there are too many.
        let most = i64::try_from(MOST_ROWS).unwrap_or(i64::MAX) + 1;
        let local = lower::is_lowerable(condition);
        let mut asked = if local { condition.clone() } else { Expression::yes() };
        // The database does not know yet what has gone, and finds what is cleared as it was: it is looked at again here.
        if let Some(refers) = self.rows.refers_to_gone(table).filter(|_| local) {
            asked = Expression::any([asked, refers]);
        }
        let binds = self.binds.clone();
        let lower = || lower::rows_where(D::DIALECT, table, &asked, &binds, most);
        let found = self.writing.database.run(Asked::Once, lower, binds.iter()).await;
        let found = found.map_err(Failure::into_fault)?;
        bounded(found.len())?;
        let own = table.own_key();
        let mut keys: Vec<Value> = found.iter().filter_map(|row| row.get(own).cloned()).collect();
        keys.extend(
            self.rows
                .written(table)
                .into_iter()
                .filter(|key| !keys.contains(key))
                .collect::<Vec<_>>(),
        );
        let wanted =
            keys.iter().map(|key| Wanted::Row(table.clone(), key.clone())).collect::<Vec<_>>();
        self.demand(wanted).await?;
        if !self.dirty.is_empty() {
            self.compute().await?;
        }
        let mut fulfilling = Vec::with_capacity(keys.len());
        for key in keys {
            let row = self.rows.root(table, &key).and_then(|row| row.new.clone());
            // Held now, and looked at once more: somebody may have changed it in between.
            if let Some(row) = row
                && self.value(condition, Some(&row)).await? == Value::Bool(true)
            {
                fulfilling.push(key);
            }
        }
        Ok(fulfilling)
    }

    /// The keys of the next rows that fulfil a condition.
    async fn collect(
        &mut self,
        place: Place,
        condition: &Expression,
        after: usize,
        most: usize,
    ) -> Result<Value, Fault> {
        let table = self.table(place)?;
        let own = table.own_key();
        let local = lower::is_lowerable(condition);
        let mut asked = if local { condition.clone() } else { Expression::yes() };
        if self.binds.get(after).is_some_and(|after| !after.is_null()) {
            let (key, after) = (Expression::column(own), Expression::Bind(after));
            let behind = Expression::Compare(Comparison::Greater, Box::new(key), Box::new(after));
            asked = Expression::all([asked, behind]);
        }
        let binds = self.binds.clone();
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        let lower = || lower::rows_where(D::DIALECT, &table, &asked, &binds, most);
        let found = self.writing.database.run(Asked::Once, lower, binds.iter()).await;
        let scalar = table.columns.get(own).map_or(Scalar::Text, |column| column.scalar);
        let mut json = vec![b'['];
        for row in found.map_err(Failure::into_fault)? {
            if json.len() > 1 {
                json.push(b',');
            }
            scalar.write_json(row.get(own).unwrap_or(&Value::Null), &mut json);
        }
        json.push(b']');
        Ok(Value::text(String::from_utf8_lossy(&json)))
    }

    fn table(&self, place: Place) -> Result<Arc<Table>, Fault> {
        self.program.table(place).cloned().ok_or_else(|| ill_formed("no such place"))
    }

    /// What the command answers.
    async fn answer(&mut self, returned: Option<Value>) -> Result<Answer, Fault> {
        match (&self.program.answer, returned) {
            (Form::Nothing, _) => Ok(Answer::Ready(None)),
            (_, None | Some(Value::Null)) => Ok(Answer::Ready(Some(Bytes::from_static(b"null")))),
            (Form::Value(scalar), Some(value)) => {
                let mut json = Vec::new();
                scalar.write_json(&value, &mut json);
                Ok(Answer::Ready(Some(json.into())))
            }
            (Form::Row(read), Some(key)) => {
                let table = read.table.clone();
                let row = self.rows.root(&table, &key).and_then(|row| row.new.clone());
                // What a deletion has taken along, or cleared in it, only the database knows.
                let row = row.filter(|_| !self.has_reached(&table));
                let row = row.map(|row| (&*table, row.to_vec()));
                self.writing.answer(read, self.binds.clone(), &key, None, row).await
            }
        }
    }
}

/// How rows of a table are kept from changing.
fn lock_of(program: &Program, table: &Table, held: bool) -> Lock {
    let of = |target: &&operation::ProgramTarget| target.target.table.id == table.id;
    let target = program.targets.iter().find(of);
    let deletes = || target.is_some_and(|target| target.deletes);
    let changes = || target.is_some_and(|target| target.changes);
    match table.root {
        // Parts change with their root only, which is held.
        Some(_) => Lock::Free,
        None if !held => Lock::Free,
        None if deletes() => Lock::Going,
        None if changes() => Lock::Held,
        None => Lock::Shared,
    }
}

/// Refuses a command that touches too many rows.
fn bounded(count: usize) -> Result<(), Fault> {
    if count <= MOST_ROWS {
        return Ok(());
    }
    let detail = format!("this touches more than {MOST_ROWS} rows; ask for less at once");
    Err(Fault::Invalid(vec![Violation::at(FaultCode::CheckFailed, "", detail)]))
}

/// Violations of rules about rows that the caller did not send: they speak of the row, and point to nothing in the body.
pub(super) fn said_of(table: &Table, found: Vec<Violation>) -> Vec<Violation> {
    let found = found.into_iter().map(|violation| Violation {
        pointer: String::new(),
        detail: format!("{}: {}", table.entity, violation.detail),
        ..violation
    });
    found.collect()
}

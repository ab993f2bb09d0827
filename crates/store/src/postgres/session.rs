//! A transaction of a write, as the logic of writes sees it.
//!
//! What changes rows is sent at once and its outcome awaited later, so that the statements of a write share a round
//! trip. A write runs in one of two ways:
//!
//! - **Grouped**: many writes share one transaction and one commit, all optimistic: a reference that may not be named is
//!   an error of the database, and any error ends the transaction for all. Nothing is told from it but that it failed.
//! - **Alone**: in a transaction of its own, each outcome known before the next step, so that a refusal can be explained.
//!
//! A command is optimistic too, alone: see [`super::writer`].

use std::cell::RefCell;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;

use futures_util::TryStreamExt as _;
use futures_util::future::try_join_all;
use operation::{Dialect, EvaluationFault, Fault, Read, Scalar, Table, Value};
use tokio::task::JoinHandle;
use tokio_postgres::error::SqlState;
use tokio_postgres::{Error, Row, RowStream};

use super::Shared;
use super::fault::{failure_of, gone, is_conflict, is_stale};
use super::link::{Asking, Link, Ready, Trouble, bound};
use super::read::cells;
use super::value::{Array, Bound, Given, type_name, value_of};
use crate::Rows;
use crate::cache::Slot;
use crate::lower::{self, Lock, Parameter, Taking, ill_formed};
use crate::write::{
    Asked, Database, Each, Failure, Footprint, Gone, Hold, Key, Kind, Load, Many, Picked, Place,
    References, Tables, evaluation,
};

/// A statement on its way. What sends it is on the heap by itself: both are then small enough for what the allocator keeps at hand.
type Sending = Pin<Box<dyn Future<Output = Result<(), Error>>>>;

/// A statement that was sent.
enum Sent {
    /// Its outcome is known.
    Done(Result<(), Error>),
    /// A task takes in what the database says of it: a connection goes on only when each answer is taken, also of those
    /// whom nobody asks for theirs yet.
    Task(JoinHandle<Result<(), Error>>),
}

/// The how manieth statement answers, and the row that it answers, if that can be read.
type Returned = (usize, Option<Vec<Value>>);

/// What went wrong, beyond what the caller is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wrong {
    /// Another transaction was in the way: the same may go through when tried again.
    Conflict,
    /// What was prepared no longer fits the tables.
    Stale,
    /// The connection is lost.
    Lost,
    /// A constraint stands against what was sent in one piece.
    Refused,
}

/// An open transaction.
pub(crate) struct Session<'s> {
    shared: &'s Shared,
    references: &'s References,
    link: Rc<Link>,
    grouped: bool,
    sent: Vec<Sent>,
    /// The row that is answered, once all that was sent has ended.
    returned: Rc<RefCell<Option<Returned>>>,
    /// What went wrong, if it was more than the write's own fault.
    pub wrong: Option<Wrong>,
    /// Whether a constraint stood against a statement.
    pub constrained: bool,
    /// Whether statements went as one that may be refused for that alone: by rules or triggers of others.
    pub joined: bool,
    /// Whether a statement could not even be sent, so that the database knows of no failure.
    pub unsent: bool,
    /// The rank of the last table of which rows are locked.
    locked: Option<u32>,
    /// Rows that were locked or were to be, and those that were to go: tried again, a command begins with these, all in one order.
    pub wanted: Vec<Footprint>,
}

impl<'s> Session<'s> {
    pub fn new(
        shared: &'s Shared,
        references: &'s References,
        link: Rc<Link>,
        grouped: bool,
    ) -> Self {
        Self {
            shared,
            references,
            link,
            grouped,
            sent: Vec::new(),
            returned: Rc::default(),
            wrong: None,
            constrained: false,
            joined: false,
            unsent: false,
            locked: None,
            wanted: Vec::new(),
        }
    }

    /// Whether rows of a table may be waited for when they are locked next: no other transaction then waits for what this one holds and holds
    /// what this one waits for.
    fn is_in_order(&mut self, table: &Table) -> bool {
        let is_behind = self.locked.is_none_or(|last| last < table.rank);
        self.locked = self.locked.max(Some(table.rank));
        is_behind
    }

    fn take_note(&mut self, table: &Arc<Table>, keys: &[Value], goes: bool) {
        let footprint = |key: &Value| Footprint { table: table.clone(), key: key.clone(), goes };
        self.wanted.extend(keys.iter().map(footprint));
    }

    /// Whether statements are sent on without waiting for the outcome of those before.
    pub fn is_in_one_piece(&self) -> bool {
        self.grouped
    }

    /// Begins the transaction.
    pub async fn begin(&mut self) {
        self.control(self.link.begin).await;
    }

    /// Sends a steering statement; its outcome is awaited with the others.
    pub async fn control(&mut self, text: &'static str) {
        let link = self.link.clone();
        self.send(Box::pin(async move { link.client.batch_execute(text).await })).await;
    }

    /// Awaits everything that was sent.
    pub async fn finish(&mut self) -> Result<(), Trouble> {
        let mut outcome = Ok(());
        for sent in std::mem::take(&mut self.sent) {
            let one = match sent {
                Sent::Done(outcome) => outcome.map_err(Trouble::Database),
                Sent::Task(task) => match task.await {
                    Ok(outcome) => outcome.map_err(Trouble::Database),
                    Err(_) => Err(Trouble::Fault(gone("a statement was given up"))),
                },
            };
            if outcome.is_ok() {
                outcome = one;
            }
        }
        if let Err(Trouble::Database(error)) = &outcome {
            self.note(error);
        }
        outcome
    }

    fn note(&mut self, error: &Error) {
        let wrong = if is_conflict(error) {
            Some(Wrong::Conflict)
        } else if is_stale(error) {
            Some(Wrong::Stale)
        } else if self.link.client.is_closed() || error.is_closed() {
            Some(Wrong::Lost)
        } else {
            None
        };
        self.wrong = self.wrong.or(wrong);
        self.constrained |= matches!(failure_of(error), Failure::Constraint(_));
    }

    /// Why something failed. What comes after a failed statement fails for that alone: then the first is the reason.
    async fn failed(&mut self, trouble: Trouble) -> Failure {
        match trouble {
            Trouble::Database(error) => {
                let follows = error.code() == Some(&SqlState::IN_FAILED_SQL_TRANSACTION);
                match if follows { self.finish().await } else { Ok(()) } {
                    Err(Trouble::Database(first)) => failure_of(&first),
                    Err(trouble) => Failure::Fault(trouble.into_fault()),
                    Ok(()) => {
                        self.note(&error);
                        failure_of(&error)
                    }
                }
            }
            trouble => Failure::Fault(trouble.into_fault()),
        }
    }

    /// Puts a statement on the wire, without waiting for its outcome.
    async fn send(&mut self, mut sending: Sending) {
        // First polled here, which is what sends it: in the order of the program, whoever is polled next.
        let outcome = futures_util::future::poll_fn(|context| {
            Poll::Ready(match sending.as_mut().poll(context) {
                Poll::Ready(outcome) => Some(outcome),
                Poll::Pending => None,
            })
        });
        match outcome.await {
            Some(outcome) => {
                self.unsent |= outcome.is_err();
                self.sent.push(Sent::Done(outcome));
            }
            None => self.sent.push(Sent::Task(tokio::task::spawn_local(sending))),
        }
    }

    /// Executes a statement whose one row is taken in later.
    async fn execute_for_row(
        &mut self,
        ready: Arc<Ready>,
        values: &[&Value],
    ) -> Result<(), Failure> {
        let parameters = owned(&ready, values)?;
        let (link, returned) = (self.link.clone(), self.returned.clone());
        let at = self.sent.len();
        let sent = async move {
            let mut rows = std::pin::pin!(Box::pin(link.ask_ready(&ready, parameters)).await?);
            while let Some(row) = rows.try_next().await? {
                // What cannot be read is missed by whoever takes it.
                let values = values_of(&ready, &row).ok();
                let mut returned = returned.borrow_mut();
                if returned.as_ref().is_none_or(|(before, _)| *before <= at) {
                    *returned = Some((at, values));
                }
            }
            Ok(())
        };
        self.send(Box::pin(sent)).await;
        Ok(())
    }

    /// The row that is answered, once all that was sent has ended: of several the last.
    pub fn take_returned(&mut self) -> Option<Vec<Value>> {
        self.returned.take()?.1
    }

    async fn execute(&mut self, ready: Arc<Ready>, values: &[&Value]) -> Result<(), Failure> {
        let parameters = owned(&ready, values)?;
        let link = self.link.clone();
        let sent = async move {
            let mut rows = std::pin::pin!(Box::pin(link.ask_ready(&ready, parameters)).await?);
            while rows.try_next().await?.is_some() {}
            Ok(())
        };
        self.send(Box::pin(sent)).await;
        Ok(())
    }

    /// The same of a statement about many rows, or of many that go as one.
    async fn execute_given(&mut self, ready: Arc<Ready>, given: Vec<Given>) {
        let link = self.link.clone();
        let sent = async move {
            let mut rows = std::pin::pin!(Box::pin(link.ask_given(&ready, given)).await?);
            while rows.try_next().await?.is_some() {}
            Ok(())
        };
        self.send(Box::pin(sent)).await;
    }

    /// Sends statements about rows of different tables as one.
    async fn send_joined(&mut self, mut statements: Vec<Each<'_>>) -> Result<(), Failure> {
        if statements.len() <= 1 {
            return match statements.pop() {
                Some(Each { many, rows }) => self.each(many, rows).await,
                None => Ok(()),
            };
        }
        let mut given = Vec::with_capacity(32);
        for Each { many, rows } in &statements {
            for (at, column) in many.given().into_iter().enumerate() {
                given.push(match rows.as_slice() {
                    [row] => {
                        let form = form_of(many.table, column)?;
                        Given::One(Bound { value: row[at].clone(), form })
                    }
                    rows => {
                        let values = rows.iter().map(|row| row[at]);
                        Given::Many(array_of(many.table, column, values)?)
                    }
                });
            }
        }
        let keys = statements.iter().map(|Each { many, rows }| (many.key, rows.len() > 1));
        let asking = Asking::Joined(keys.collect());
        self.joined = true;
        let text = || joined_text(&statements);
        let ready = match self.link.ready_joined(asking, &given, text).await {
            Ok(ready) => ready,
            Err(trouble) => return Err(self.failed(trouble).await),
        };
        self.execute_given(ready, given).await;
        Ok(())
    }

    /// Executes a statement and waits for its rows.
    async fn asked(
        &mut self,
        ready: &Ready,
        values: &[&Value],
    ) -> Result<Vec<Vec<Value>>, Failure> {
        match self.query(ready, values).await {
            Ok(rows) => Ok(rows),
            Err(trouble) => Err(self.failed(trouble).await),
        }
    }

    async fn query(&self, ready: &Ready, values: &[&Value]) -> Result<Vec<Vec<Value>>, Trouble> {
        let get = |at| values.get(at).copied();
        let parameters = bound(&ready.parameters, &ready.constants, get)?;
        let rows = self.link.ask_ready(ready, parameters).await?;
        found(ready, rows).await
    }
}

/// The rows of an answer.
pub(super) async fn found(ready: &Ready, rows: RowStream) -> Result<Vec<Vec<Value>>, Trouble> {
    let mut rows = std::pin::pin!(rows);
    let mut found = Vec::new();
    while let Some(row) = rows.try_next().await? {
        found.push(values_of(ready, &row)?);
    }
    Ok(found)
}

/// The values of one row of an answer.
fn values_of(ready: &Ready, row: &Row) -> Result<Vec<Value>, Trouble> {
    let cells = cells(row)?;
    let mut values = Vec::with_capacity(ready.answer.len());
    for (at, scalar) in ready.answer.iter().enumerate() {
        values.push(match cells.get(at).copied().flatten() {
            Some(bytes) => value_of(*scalar, bytes).map_err(Fault::from)?,
            None => Value::Null,
        });
    }
    Ok(values)
}

/// The text of statements that go as one.
fn joined_text(statements: &[Each<'_>]) -> Result<String, Fault> {
    let (mut texts, mut others) = (Vec::with_capacity(statements.len()), 0);
    for Each { many, rows } in statements {
        texts.push(match rows.as_slice() {
            [_] => many.lower(Dialect::Postgres, others)?.text,
            _ => many.lower_many(others, type_name)?.text,
        });
        others += many.given().len();
    }
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    Ok(lower::all_of(&texts, &[]))
}

fn form_of(table: &Table, column: usize) -> Result<Scalar, Fault> {
    Ok(table.columns.get(column).ok_or_else(|| ill_formed("no such column"))?.scalar)
}

/// Values of a column, as one parameter.
fn array_of<'v>(
    table: &Table,
    column: usize,
    values: impl ExactSizeIterator<Item = &'v Value>,
) -> Result<Array, Fault> {
    let mut array = Array::with_room(form_of(table, column)?, values.len());
    for value in values {
        array.push(value).map_err(|_| evaluation(EvaluationFault::Overflow, ""))?;
    }
    Ok(array)
}

/// The parameters of a statement that is sent on.
fn owned(ready: &Ready, values: &[&Value]) -> Result<Vec<Bound<Value>>, Fault> {
    let bound = bound(&ready.parameters, &ready.constants, |at| values.get(at).copied())?;
    let owned = |Bound { value, form }: Bound<&Value>| Bound { value: value.clone(), form };
    Ok(bound.into_iter().map(owned).collect())
}

impl Drop for Session<'_> {
    fn drop(&mut self) {
        // Whoever gives up a transaction gives up its statements: they would keep the connection open.
        for sent in &self.sent {
            if let Sent::Task(task) = sent {
                task.abort();
            }
        }
    }
}

impl Database for Session<'_> {
    const DIALECT: Dialect = Dialect::Postgres;

    async fn run<'v>(
        &mut self,
        asked: Asked,
        lower: impl FnOnce() -> Result<lower::Statement, Fault>,
        values: impl Iterator<Item = &'v Value>,
    ) -> Result<Vec<Vec<Value>>, Failure> {
        let values: Vec<&Value> = values.collect();
        let Asked::Kept(key) = asked else {
            let lowered = lower()?;
            let asking = Asking::Once(lowered.text.clone(), lowered.constants.clone());
            let ready = self.link.ready(asking, &values, || Ok(lowered)).await;
            let ready = match ready {
                Ok(ready) => ready,
                Err(trouble) => return Err(self.failed(trouble).await),
            };
            if asked == Asked::Sent {
                self.execute(ready, &values).await?;
                return Ok(Vec::new());
            }
            return self.asked(&ready, &values).await;
        };
        let asserted = self.grouped && key.kind == Kind::Visible;
        let lower = || {
            let lowered = lower()?;
            Ok(if asserted { insisting(lowered) } else { lowered })
        };
        let ready = self.link.ready(Asking::Kept(key, asserted), &values, lower).await;
        let ready = match ready {
            Ok(ready) => ready,
            Err(trouble) => return Err(self.failed(trouble).await),
        };
        match key.kind {
            Kind::Insert
            | Kind::Update
            | Kind::Delete
            | Kind::Sure
            | Kind::Make
            | Kind::Total
            | Kind::Draw
            | Kind::Find
            | Kind::TellEvent
            | Kind::TellTask => {
                self.execute(ready, &values).await?;
                Ok(Vec::new())
            }
            Kind::Answered => {
                self.execute_for_row(ready, &values).await?;
                Ok(Vec::new())
            }
            Kind::Visible if asserted => {
                self.execute(ready, &values).await?;
                Ok(vec![vec![Value::Bool(true)]])
            }
            Kind::Visible | Kind::Select | Kind::Among(..) | Kind::Hold(_) => {
                self.asked(&ready, &values).await
            }
        }
    }

    async fn insert(&mut self, place: Place<'_>, values: &[Value]) -> Result<i64, Failure> {
        let table = place.table;
        if values.len() != table.columns.len() {
            return Err(ill_formed("a row with other columns").into());
        }
        let counted = table.auto.filter(|at| values.get(*at).is_some_and(Value::is_null));
        let Some(column) = counted else {
            let key = Key::of(place, Kind::Insert, &[], 0)?;
            let lower = || lower::insert(Dialect::Postgres, table, 0);
            self.run(Asked::Kept(key), lower, values.iter()).await?;
            return Ok(0);
        };
        let key = Key::of(place, Kind::Insert, &[column], 0)?;
        let lower = || lower::insert_counted(table, column);
        let values: Vec<&Value> = values.iter().collect();
        let ready = self.link.ready(Asking::Kept(key, false), &values, lower).await;
        let ready = match ready {
            Ok(ready) => ready,
            Err(trouble) => return Err(self.failed(trouble).await),
        };
        let found = self.asked(&ready, &values).await?;
        let key = found.first().and_then(|row| row.first()).and_then(Value::as_int);
        key.ok_or_else(|| ill_formed("a row that was not counted").into())
    }

    fn footprints(&mut self) -> Vec<Footprint> {
        std::mem::take(&mut self.wanted)
    }

    async fn load(&mut self, loads: &[Load]) -> Result<Vec<Vec<Vec<Value>>>, Failure> {
        let mut readies = Vec::with_capacity(loads.len());
        for load in loads {
            let taking = match load.lock {
                _ if load.held => Taking::Held,
                Lock::Free => Taking::Waiting,
                _ if self.is_in_order(&load.table) => Taking::Waiting,
                _ => Taking::AtOnce,
            };
            let lower =
                || lower::rows_among(&load.table, load.column, (load.lock, taking), type_name);
            let ready = self.link.ready(Asking::Kept(load.key(taking)?, true), &[], lower).await;
            if load.lock != Lock::Free && !load.held {
                self.take_note(&load.table, &load.values, false);
            }
            readies.push(match ready {
                Ok(ready) => ready,
                Err(trouble) => return Err(self.failed(trouble).await),
            });
        }
        // First polled in order, which is what sends them: they are answered, and lock, one after another.
        let asking = loads.iter().zip(&readies).map(|(load, ready)| async {
            let values = array_of(&load.table, load.column, load.values.iter())?;
            let rows = Box::pin(self.link.ask_given(ready, vec![Given::Many(values)])).await?;
            found(ready, rows).await
        });
        match try_join_all(asking).await {
            Ok(found) => Ok(found),
            Err(trouble) => Err(self.failed(trouble).await),
        }
    }

    async fn hold(&mut self, hold: &Hold<'_>) -> Result<(), Failure> {
        let waits = self.is_in_order(&hold.load.table);
        if !hold.all {
            self.take_note(&hold.load.table, &hold.load.values, false);
            hold.gone.iter().for_each(|gone| self.take_note(&gone.table, &gone.keys, true));
        }
        let ready = match hold.key(waits).transpose()? {
            Some(key) => self.link.ready(Asking::Kept(key, true), &[], || hold.lower(waits)).await,
            None => {
                let lowered = hold.lower(waits)?;
                let asking = Asking::Set(lowered.text.clone());
                self.link.ready(asking, &[], || Ok(lowered)).await
            }
        };
        let ready = match ready {
            Ok(ready) => ready,
            Err(trouble) => return Err(self.failed(trouble).await),
        };
        let Load { table, column, values, .. } = hold.load;
        let mut keys = vec![Given::Many(array_of(table, *column, values.iter())?)];
        for Gone { table, keys: of, .. } in hold.arrays() {
            keys.push(Given::Many(array_of(table, table.own_key(), of.iter())?));
        }
        self.execute_given(ready, keys).await;
        Ok(())
    }

    async fn each(&mut self, many: Many<'_>, rows: Vec<Picked<'_>>) -> Result<(), Failure> {
        let table = many.table;
        if let [values] = rows.as_slice() {
            let lower = || many.lower(Dialect::Postgres, 0);
            return self.run(Asked::Kept(many.key), lower, values.iter().copied()).await.map(drop);
        }
        let lower = || many.lower_many(0, type_name);
        let ready = self.link.ready(Asking::Kept(many.key, true), &[], lower).await;
        let ready = match ready {
            Ok(ready) => ready,
            Err(trouble) => return Err(self.failed(trouble).await),
        };
        let mut arrays = Vec::new();
        for (at, column) in many.given().into_iter().enumerate() {
            let array = array_of(table, column, rows.iter().map(|row| row[at]))?;
            arrays.push(Given::Many(array));
        }
        self.execute_given(ready, arrays).await;
        Ok(())
    }

    async fn all(&mut self, statements: Vec<Each<'_>>) -> Result<(), Failure> {
        let mut joined: Vec<Each<'_>> = Vec::with_capacity(statements.len());
        for each in statements {
            if !self.grouped {
                self.each(each.many, each.rows).await?;
                continue;
            }
            // None sees what another does: what goes must have gone, and of one table there may be one.
            let is_free = each.many.key.kind != Kind::Delete;
            if !is_free || joined.iter().any(|it| it.many.table.name == each.many.table.name) {
                self.send_joined(std::mem::take(&mut joined)).await?;
            }
            if is_free {
                joined.push(each);
            } else {
                self.each(each.many, each.rows).await?;
            }
        }
        self.send_joined(joined).await
    }

    async fn for_each(
        &mut self,
        key: Key,
        lower: impl FnOnce(&[Value]) -> Result<lower::Statement, Fault>,
        rows: &[&[Value]],
    ) -> Result<(), Failure> {
        let Some(first) = rows.first() else { return Ok(()) };
        // Of a value that some leave out the others say what it is.
        let hints = (0..first.len()).map(|at| {
            let mut given = rows.iter().filter_map(|row| row.get(at));
            given.find(|value| !value.is_null()).cloned().unwrap_or_default()
        });
        let hints: Vec<Value> = hints.collect();
        let values: Vec<&Value> = hints.iter().collect();
        let ready = self.link.ready(Asking::Each(key), &values, || lower(&hints)).await;
        let ready = match ready {
            Ok(ready) => ready,
            Err(trouble) => return Err(self.failed(trouble).await),
        };
        let mut arrays = Vec::with_capacity(ready.parameters.len());
        for Parameter { origin, form } in &ready.parameters {
            let constant = ready.constants.iter().find(|(at, _)| at == origin);
            let mut array = Array::with_room(*form, rows.len());
            for row in rows {
                let value = row.get(*origin).or(constant.map(|(_, value)| value));
                let value = value.ok_or_else(|| ill_formed("fewer values than binds"))?;
                let pushed = array.push(value);
                pushed.map_err(|_| evaluation(EvaluationFault::Overflow, ""))?;
            }
            arrays.push(Given::Many(array));
        }
        self.execute_given(ready, arrays).await;
        Ok(())
    }

    async fn draw(
        &mut self,
        table: &Table,
        column: usize,
        _: i64,
        many: usize,
    ) -> Result<Vec<i64>, Failure> {
        let many = Value::Int(i64::try_from(many).unwrap_or(1));
        let lower = || lower::draw(table, column);
        let rows = self.run(Asked::Once, lower, [&many].into_iter()).await?;
        Ok(rows.iter().filter_map(|row| row.first()?.as_int()).collect())
    }

    async fn read(&mut self, read: &Arc<Read>, binds: &[Value]) -> Result<Rows, Fault> {
        let trouble = match self.link.read(read, binds).await {
            Ok(rows) => return Ok(rows),
            Err(trouble) => trouble,
        };
        Err(match self.failed(trouble).await {
            Failure::Fault(fault) => fault,
            Failure::Constraint(reason) => Fault::Internal(reason),
        })
    }

    async fn settle(&mut self) -> Result<(), Failure> {
        if self.grouped {
            // Whoever commits asks for all outcomes at once.
            return Ok(());
        }
        self.finish().await.map_err(|trouble| match trouble {
            Trouble::Database(error) => failure_of(&error),
            trouble => Failure::Fault(trouble.into_fault()),
        })
    }

    async fn undo(&mut self) -> Result<(), Fault> {
        // Not awaited: what is asked next comes after it.
        self.control("ROLLBACK").await;
        self.control(self.link.begin).await;
        Ok(())
    }

    fn tables(&self) -> (&Tables, &References) {
        (&self.shared.tables, self.references)
    }

    fn touched(&mut self) -> Option<&mut Vec<Slot>> {
        None
    }
}

/// The same statement, failing where its answer is not true: the division by zero ends the transaction.
fn insisting(lowered: lower::Statement) -> lower::Statement {
    let text = format!("SELECT 1 / coalesce(({}), false)::int", lowered.text);
    lower::Statement { text, answer: vec![Scalar::Int], ..lowered }
}

//! Writes, whatever the database: the rules of an aggregate, executed statement by statement.
//!
//! ```text
//! operation::Write ─ create, edit, delete ─► Change of each row ─ apply ─► Database ─► Reply
//!                                                    └─ diagnose, where a constraint stands against it
//! ```
//!
//! There is one logic of writes, so that two databases cannot disagree on it. What differs is behind [`Database`]:
//! how a statement is executed, and when its outcome is known.

mod along;
mod change;
pub(crate) mod command;
mod counted;
mod create;
mod delete;
mod diagnose;
mod edit;
mod exchange;
mod hook;
mod many;
mod only;
mod outbox;
mod receipt;
mod redraw;
mod tables;
mod workset;

use std::sync::Arc;

use bytes::Bytes;
use operation::{
    Dialect, EvaluationFault, Expression, Fault, FaultCode, Form, Guard, Ident, Output, Read,
    ReadId, Receipt, ReferenceRule, Scalar, Scope, Table, TableId, Value, Violation, Write,
    evaluate,
};
use smallvec::SmallVec;

use crate::cache::{ColumnSlots, Slot, table_slot, unseen_slot};
use crate::lower::{self, Lock, Statement, Taking, ill_formed};
use crate::{Rows, Written};
pub(crate) use change::rules;
pub(crate) use command::ahead::{Ahead, Seen, work_ahead};
pub(crate) use command::direct::of as direct;
pub(crate) use command::together::{execute_together, goes_with_others};
pub(crate) use create::is_one_statement;
pub(crate) use many::{Each, Footprint, Gone, Hold, Load, Many, Picked};
pub(crate) use only::{AtHand, Only};
pub(crate) use tables::{Holding, Reference, References, Tables};

/// An open transaction of a database, as the logic of writes sees it.
pub(crate) trait Database {
    /// How statements are written for it.
    const DIALECT: Dialect;
    /// The most turns that all loops of a command may take together.
    const TURNS: usize = 100_000;

    /// Executes a statement with these binds and answers its rows. `lower` writes it where it is not kept yet.
    async fn run<'v>(
        &mut self,
        asked: Asked,
        lower: impl FnOnce() -> Result<Statement, Fault>,
        values: impl Iterator<Item = &'v Value>,
    ) -> Result<Vec<Vec<Value>>, Failure>;

    /// Whether the caller may name the row that a reference leads to.
    async fn may_name(&mut self, naming: Naming<'_>) -> Result<bool, Failure> {
        let Naming { rule, condition, binds, key, .. } = naming;
        let own_key = [rule.target.own_key()];
        let lower = || lower::decide(Self::DIALECT, &rule.target, condition, binds, &own_key);
        let asked = Asked::Kept(naming.key()?);
        let rows = self.run(asked, lower, binds.iter().chain([key])).await?;
        Ok(rows.into_iter().flatten().next() == Some(Value::Bool(true)))
    }

    /// Inserts a row; the answer is the key that the database counted, where it counts it.
    async fn insert(&mut self, place: Place<'_>, values: &[Value]) -> Result<i64, Failure>;

    /// Answers a read inside the transaction.
    async fn read(&mut self, read: &Arc<Read>, binds: &[Value]) -> Result<Rows, Fault>;

    /// The rows that each load names, every column of each, in the order of the key; all are asked for at once, and
    /// locked in the order in which they stand.
    async fn load(&mut self, loads: &[Load]) -> Result<Vec<Vec<Vec<Value>>>, Failure>;

    /// Locks the rows that a load names, in the order of the key, and does not wait for that; one that is not there ends the
    /// transaction. Nothing where nobody else writes.
    async fn hold(&mut self, hold: &Hold<'_>) -> Result<(), Failure>;

    /// Executes a statement that changes rows for each of many.
    async fn each(&mut self, many: Many<'_>, rows: Vec<Picked<'_>>) -> Result<(), Failure>;

    /// Executes statements that change rows, in this order. Where that spares something, those go as one that may.
    async fn all(&mut self, statements: Vec<Each<'_>>) -> Result<(), Failure> {
        for Each { many, rows } in statements {
            self.each(many, rows).await?;
        }
        Ok(())
    }

    /// Executes a statement for many rows at once, as which [`Lowering::of_given`](lower) writes it: each parameter is an array. `lower` is given
    /// what one may hold, by its kind.
    async fn for_each(
        &mut self,
        _: Key,
        _: impl FnOnce(&[Value]) -> Result<Statement, Fault>,
        _: &[&[Value]],
    ) -> Result<(), Failure> {
        Err(ill_formed("a statement for many rows where rows are at hand").into())
    }

    /// Draws so many numbers for a counted key, all greater than `after`.
    async fn draw(
        &mut self,
        table: &Table,
        column: usize,
        after: i64,
        many: usize,
    ) -> Result<Vec<i64>, Failure>;

    /// Waits until the outcome of all that was executed is known.
    async fn settle(&mut self) -> Result<(), Failure>;

    /// Takes back what the running write has done, so that the database can be asked why it failed.
    async fn undo(&mut self) -> Result<(), Fault>;

    /// The tables that there are, and what refers to what.
    fn tables(&self) -> (&Tables, &References);

    /// Where slots are noted that the write makes stale; `None` where no answers are kept.
    fn touched(&mut self) -> Option<&mut Vec<Slot>>;

    /// A root as it stands, where that is known without asking: only where nobody else writes.
    fn remembered(&mut self, _table: &Arc<Table>, _key: &Value) -> Option<Arc<[Value]>> {
        None
    }

    /// Takes note of a root as it stands.
    fn remember(&mut self, _table: &Arc<Table>, _row: &Arc<[Value]>) {}

    /// Rows that the same command came to before, when others stood in its way.
    fn footprints(&mut self) -> Vec<Footprint> {
        Vec::new()
    }

    /// Forgets a row that changes.
    fn forget(&mut self, _table: &Table, _row: &[Value]) {}

    /// Forgets all rows: which ones change is not known.
    fn forget_all(&mut self) {}
}

/// Which statement is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asked {
    /// One that will be asked for again.
    Kept(Key),
    /// One of the slow paths, looked up by its text.
    Once,
    /// The same, of which no answer is awaited.
    Sent,
}

/// Which statement: of which target, of its root (0) or of a part (1 and up), over which columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    pub target: ReadId,
    pub place: usize,
    pub kind: Kind,
    pub columns: u128,
    /// How many binds of the caller it takes besides.
    pub binds: usize,
}

impl Key {
    /// The key of a statement over columns of a place.
    pub fn of(
        place: Place<'_>,
        kind: Kind,
        columns: &[usize],
        binds: usize,
    ) -> Result<Self, Fault> {
        let mask = columns.iter().try_fold(0_u128, |mask, at| {
            u32::try_from(*at).ok().and_then(|at| 1_u128.checked_shl(at)).map(|bit| mask | bit)
        });
        let columns = mask.ok_or_else(|| ill_formed("more than 128 columns in one statement"))?;
        Ok(Self { target: place.target, place: place.at, kind, columns, binds })
    }
}

/// What a statement does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    /// Inserts a row.
    Insert,
    /// Changes columns of a row.
    Update,
    /// Deletes a row by its primary key.
    Delete,
    /// Selects rows by columns.
    Select,
    /// Asks whether the target of a reference, by the column that refers, may be named.
    Visible,
    /// Selects rows by many values of one column.
    Among(Lock, Taking),
    /// Locks rows by many keys.
    Hold(Lock),
    /// Makes a row of what stands in others.
    Make,
    /// Works out what a new row draws on its parts.
    Total,
    /// Draws keys that the database counts.
    Draw,
    /// Looks up what later statements stand upon.
    Find,
    /// Writes an event that carries what stands in rows.
    TellEvent,
    /// The same of a task.
    TellTask,
    /// Does what was asked or ends the transaction.
    Sure,
    /// The same, and answers one row once it has ended.
    Answered,
}

/// A table that a target writes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place<'t> {
    /// The target.
    pub target: ReadId,
    /// 0 for the root, 1 and up for its parts.
    pub at: usize,
    /// The table.
    pub table: &'t Table,
}

/// The question whether a caller may name a row.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Naming<'t> {
    /// Where it is named.
    pub place: Place<'t>,
    /// By which reference.
    pub rule: &'t ReferenceRule,
    /// What must hold of the row.
    pub condition: &'t Expression,
    /// The caller's values.
    pub binds: &'t [Value],
    /// The row's key.
    pub key: &'t Value,
}

impl Naming<'_> {
    /// The key of the statement that answers it.
    pub fn key(&self) -> Result<Key, Fault> {
        Key::of(self.place, Kind::Visible, &[self.rule.column], self.binds.len())
    }
}

/// Why a statement of a write failed.
#[derive(Debug)]
pub(crate) enum Failure {
    /// A constraint stands against it; which one must be found out.
    Constraint(String),
    /// Anything else.
    Fault(Fault),
}

impl Failure {
    /// As a fault, where no constraint can stand against a statement.
    pub fn into_fault(self) -> Fault {
        match self {
            Self::Constraint(reason) => {
                Fault::Internal(format!("a constraint against what changes nothing: {reason}"))
            }
            Self::Fault(fault) => fault,
        }
    }
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

/// What a write left behind, before its answer is written.
#[derive(Debug)]
pub(crate) enum Reply {
    /// A new root that is stored as it was asked for: the answer is made of what was asked.
    Created,
    /// Anything else.
    Left(Left),
}

/// What a write left behind that is told by more than the write itself.
#[derive(Debug)]
pub(crate) struct Left {
    pub key: Value,
    pub version: i64,
    pub part_key: Option<Value>,
    pub answer: Answer,
    /// Whether it was done before, under the same receipt.
    pub replayed: bool,
    /// Whether it left something to be done.
    pub wakes: bool,
    /// How many events it has published.
    pub published: usize,
}

/// The answer to a write.
#[derive(Debug)]
pub(crate) enum Answer {
    /// Done.
    Ready(Option<Bytes>),
    /// To be made of a row, on the thread of whoever asked.
    Row {
        /// How.
        read: Arc<Read>,
        /// Of what.
        row: Vec<Value>,
        /// The caller's values.
        binds: Vec<Value>,
    },
    /// What the database answers, as JSON, with the end of the transaction.
    Said,
    /// The same of a row that the database answers with the end of the transaction.
    Returned {
        /// How.
        read: Arc<Read>,
        /// The caller's values, but for the last: the key of the row.
        binds: Vec<Value>,
    },
}

impl Reply {
    /// The same, made of the row that the transaction has answered in its end.
    pub fn with_row(self, returned: Vec<Value>) -> Self {
        match self {
            Self::Created => Self::Created,
            Self::Left(mut left) => {
                if let Answer::Returned { read, mut binds } = left.answer {
                    let key = returned.get(read.table.own_key());
                    if key.is_none_or(Value::is_null) {
                        left.answer = Answer::Ready(Some(Bytes::from_static(b"null")));
                        return Self::Left(left);
                    }
                    // One that is counted was not known before.
                    binds.extend(key.cloned());
                    left.answer = Answer::Row { read, row: returned, binds };
                } else if let Answer::Said = left.answer {
                    let json = match returned.into_iter().next() {
                        Some(Value::Text(json)) => Some(Bytes::from(json.to_string())),
                        _ => None,
                    };
                    left.answer = Answer::Ready(json);
                }
                Self::Left(left)
            }
        }
    }

    /// How many events were published.
    pub fn published(&self) -> u64 {
        match self {
            Self::Created => 0,
            Self::Left(left) => left.published as u64,
        }
    }

    /// Writes the answer; `write` is what was asked.
    pub fn render(self, write: &Write) -> Result<Written, Fault> {
        let Left { key, version, part_key, answer, replayed, wakes, published } =
            match (self, write) {
                (Self::Left(left), _) => left,
                (Self::Created, Write::Create(create)) => {
                    let row = &create.row.values;
                    let table = &create.target.table;
                    let key = row.get(table.own_key()).cloned().unwrap_or_default();
                    let binds = create.binds.iter().chain([&key]).cloned();
                    let binds: SmallVec<[Value; 4]> = binds.collect();
                    let json = render(&create.answer, row, &binds)?;
                    let version = version_of(table, row);
                    let (part_key, replayed, wakes, published) = (None, false, false, 0);
                    return Ok(Written {
                        key,
                        version,
                        json,
                        part_key,
                        replayed,
                        wakes,
                        published,
                    });
                }
                (Self::Created, _) => return Err(ill_formed("the answer to a new root")),
            };
        let mut json = match answer {
            Answer::Ready(json) => json,
            Answer::Row { read, row, binds } => render(&read, &row, &binds)?,
            Answer::Returned { .. } | Answer::Said => {
                return Err(ill_formed("an answer before its row"));
            }
        };
        if let (None, Write::Command(command)) = (&json, write)
            && !matches!(command.program.answer, Form::Nothing)
        {
            // A row that the caller may not see.
            json = Some(Bytes::from_static(b"null"));
        }
        Ok(Written { key, version, json, part_key, replayed, wakes, published })
    }
}

/// The version of a row; 0 where the table keeps none.
pub(crate) fn version_of(table: &Table, row: &[Value]) -> i64 {
    table.version.and_then(|at| row.get(at)).and_then(Value::as_int).unwrap_or(0)
}

fn render(read: &Read, row: &[Value], binds: &[Value]) -> Result<Option<Bytes>, Fault> {
    let scope = Scope { rows: &[row], binds, parts: &[], stored: None };
    let seen = operation::truth(&read.filter, &scope).map_err(|fault| evaluation(fault, ""))?;
    if !seen {
        return Ok(None);
    }
    let mut out = Vec::with_capacity(256);
    out.push(b'{');
    for (i, field) in read.output.fields.iter().enumerate() {
        if i > 0 {
            out.push(b',');
        }
        out.extend_from_slice(field.label.as_bytes());
        if let Output::Column { column, .. } = &field.output
            && let (Some(column), Some(value)) = (read.table.columns.get(*column), row.get(*column))
        {
            column.scalar.write_json(value, &mut out);
        } else {
            return Err(ill_formed("no such column"));
        }
    }
    out.push(b'}');
    Ok(Some(Bytes::from(out)))
}

/// Whether an answer draws on nothing but the row that was written.
pub(crate) fn draws_on_row(read: &Read, table: &Table) -> bool {
    // After the commit nothing may fail any more: a filter that could is read inside the transaction.
    read.table.id == table.id
        && read.joins.is_empty()
        && !lower::has_query(&read.filter)
        && !read.filter.can_fail()
        && read.output.fields.iter().all(|field| {
            field.condition.is_none() && matches!(field.output, Output::Column { source: 0, .. })
        })
}

/// What an expression without a value means for the request; `pointer` leads to the field it would have filled.
pub(crate) fn evaluation(fault: EvaluationFault, pointer: &str) -> Fault {
    match fault {
        EvaluationFault::Overflow => Fault::Invalid(vec![Violation::at(
            FaultCode::Overflow,
            pointer,
            "a value computed from these numbers is too large; use smaller ones",
        )]),
        EvaluationFault::DivisionByZero => Fault::Invalid(vec![Violation::at(
            FaultCode::DivisionByZero,
            pointer,
            "a value computed from these numbers divides by zero; the divisor must not be 0",
        )]),
        EvaluationFault::NotLocal | EvaluationFault::IllTyped => Fault::Internal(fault.to_string()),
    }
}

/// Executes one write inside the running transaction, unless its receipt says that it was done before. Positions and the
/// root's key are filled in where they are known before the write. `ahead`: what a command has come to
/// before its turn, and still holds.
pub(crate) async fn execute<D: Database>(
    database: &mut D,
    write: &mut Write,
    receipt: Option<&Receipt>,
    ahead: Option<&mut Ahead>,
) -> Result<Reply, Fault> {
    let Some(receipt) = receipt else { return execute_anew(database, write, ahead).await };
    if let Some(reply) = receipt::found(database, write, receipt).await? {
        return Ok(reply);
    }
    let reply = execute_anew(database, write, ahead).await?;
    kept(database, write, receipt, reply).await
}

/// Keeps what came of a write with it.
async fn kept<D: Database>(
    database: &mut D,
    write: &Write,
    receipt: &Receipt,
    reply: Reply,
) -> Result<Reply, Fault> {
    let written = reply.render(write)?;
    receipt::keep(database, write, receipt, &written).await?;
    let Written { key, version, json, part_key, replayed, wakes, published } = written;
    let answer = Answer::Ready(json);
    Ok(Reply::Left(Left { key, version, part_key, answer, replayed, wakes, published }))
}

/// Sends a command in its direct form: whatever goes wrong, nothing is known from it but that it did.
pub(crate) async fn execute_directly<D: Database>(
    database: &mut D,
    write: &Write,
    receipt: Option<&Receipt>,
) -> Result<Reply, Fault> {
    let Write::Command(command) = write else { return Err(ill_formed("no command")) };
    let direct = command::direct::of(command, receipt);
    let direct = direct.ok_or_else(|| ill_formed("a command that is not direct"))?;
    if let Some(receipt) = receipt {
        receipt::hold(database, receipt).await?;
    }
    let mut writing = Writing { database };
    let left = writing.command_directly(command, direct, receipt).await?;
    match receipt {
        // What the database puts into words it has kept.
        Some(receipt) if !matches!(left.answer, Answer::Said) => {
            kept(database, write, receipt, Reply::Left(left)).await
        }
        _ => Ok(Reply::Left(left)),
    }
}

async fn execute_anew<D: Database>(
    database: &mut D,
    write: &mut Write,
    ahead: Option<&mut Ahead>,
) -> Result<Reply, Fault> {
    let mut writing = Writing { database };
    match write {
        Write::Create(create) => writing.create(create).await,
        Write::Edit(edit) => writing.edit(edit).await.map(Reply::Left),
        Write::Delete(delete) => writing.delete_root(delete).await.map(Reply::Left),
        Write::Command(command) => writing.command(command, ahead).await.map(Reply::Left),
        Write::Chore(chore) => writing.chore(chore).await.map(Reply::Left),
    }
}

/// A write under way.
struct Writing<'d, D> {
    database: &'d mut D,
}

impl<D: Database> Writing<'_, D> {
    /// The rows of a table with these values in these columns, every column of each, in the order of the key. Those of
    /// a root are kept from changing until the write has ended.
    async fn rows(
        &mut self,
        place: Place<'_>,
        columns: &[usize],
        values: &[&Value],
    ) -> Result<Vec<Vec<Value>>, Fault> {
        let key = Key::of(place, Kind::Select, columns, 0)?;
        let lower = || lower::row_by(D::DIALECT, place.table, columns, place.at == 0);
        let rows = self.database.run(Asked::Kept(key), lower, values.iter().copied()).await;
        rows.map_err(Failure::into_fault)
    }

    /// Changes columns of the row with the primary key of `old`.
    async fn update(
        &mut self,
        place: Place<'_>,
        columns: &[usize],
        old: &[Value],
        new: &[Value],
    ) -> Result<(), Failure> {
        let table = place.table;
        let key = Key::of(place, Kind::Update, columns, 0)?;
        let lower = || lower::update(D::DIALECT, table, columns, 0);
        let values = columns.iter().filter_map(|at| new.get(*at));
        let own = table.key.iter().filter_map(|at| old.get(*at));
        self.database.run(Asked::Kept(key), lower, values.chain(own)).await.map(drop)
    }

    /// Deletes the row with the primary key of `old`.
    async fn delete(&mut self, place: Place<'_>, old: &[Value]) -> Result<(), Failure> {
        let table = place.table;
        let key = Key::of(place, Kind::Delete, &[], 0)?;
        let lower = || lower::delete(D::DIALECT, table, &table.key);
        let own = table.key.iter().filter_map(|at| old.get(*at));
        self.database.run(Asked::Kept(key), lower, own).await.map(drop)
    }

    /// Whether a row has these values in these columns.
    async fn exists(
        &mut self,
        table: &Table,
        columns: &[usize],
        values: &[&Value],
    ) -> Result<bool, Fault> {
        let lower = || lower::exists(D::DIALECT, table, columns);
        let rows = self.database.run(Asked::Once, lower, values.iter().copied()).await;
        Ok(!rows.map_err(Failure::into_fault)?.is_empty())
    }

    /// The rows of a table with these values in these columns, of whatever target it is.
    async fn rows_of(
        &mut self,
        table: &Table,
        columns: &[usize],
        values: &[&Value],
    ) -> Result<Vec<Vec<Value>>, Fault> {
        let lower = || lower::row_by(D::DIALECT, table, columns, false);
        let rows = self.database.run(Asked::Once, lower, values.iter().copied()).await;
        rows.map_err(Failure::into_fault)
    }

    /// Whether a stored row refers to this key by its column, from anywhere.
    async fn refers(
        &mut self,
        reference: &Reference,
        scalar: Scalar,
        key: &Value,
    ) -> Result<bool, Fault> {
        let lower = || lower::refers(D::DIALECT, &reference.table, &reference.column, scalar);
        let rows = self.database.run(Asked::Once, lower, [key].into_iter()).await;
        Ok(!rows.map_err(Failure::into_fault)?.is_empty())
    }

    /// What a condition says of the stored row with the primary key of `row`. `None`: there is no such row.
    async fn ask(
        &mut self,
        table: &Table,
        condition: &Expression,
        binds: &[Value],
        row: &[Value],
    ) -> Result<Option<Value>, Fault> {
        let lower = || lower::decide(D::DIALECT, table, condition, binds, &table.key);
        let key = table.key.iter().filter_map(|at| row.get(*at));
        let rows = self.database.run(Asked::Once, lower, binds.iter().chain(key)).await;
        Ok(rows.map_err(Failure::into_fault)?.into_iter().flatten().next())
    }

    /// Decides a guard about a stored row whose values are known; the database is asked only where it must be.
    async fn allows(
        &mut self,
        guard: &Guard,
        table: &Table,
        row: &[Value],
        binds: &[Value],
        parts: &[(TableId, &[Vec<Value>])],
    ) -> Result<bool, Fault> {
        let expression = match guard {
            Guard::Never => return Ok(false),
            Guard::Always => return Ok(true),
            Guard::When(expression) => expression,
        };
        match evaluate(expression, &Scope { rows: &[row], binds, parts, stored: None }) {
            Ok(value) => Ok(value == Value::Bool(true)),
            Err(EvaluationFault::NotLocal) => {
                let answer = self.ask(table, expression, binds, row).await?;
                Ok(answer == Some(Value::Bool(true)))
            }
            Err(fault) => Err(evaluation(fault, "")),
        }
    }

    /// The answer to a write: made of the row that was written where that is all it takes, otherwise read now.
    async fn answer(
        &mut self,
        read: &Arc<Read>,
        mut binds: Vec<Value>,
        key: &Value,
        part_key: Option<&Value>,
        row: Option<(&Table, Vec<Value>)>,
    ) -> Result<Answer, Fault> {
        binds.push(key.clone());
        binds.extend(part_key.cloned());
        if let Some((table, row)) = row
            && draws_on_row(read, table)
        {
            return Ok(Answer::Row { read: read.clone(), row, binds });
        }
        Ok(Answer::Ready(match self.database.read(read, &binds).await? {
            Rows::One(row) => row.map(|row| row.json),
            Rows::Page { json, .. } => Some(json),
        }))
    }

    /// Notes that a row with these values came, went or changed.
    fn touch(&mut self, table: &Table, row: &[Value]) {
        self.database.forget(table, row);
        self.touch_both(table, row, row);
    }

    /// Notes that a row changed from these values to those; what is remembered of it is told besides.
    fn touch_both(&mut self, table: &Table, old: &[Value], new: &[Value]) {
        let Some(touched) = self.database.touched() else { return };
        touched.push(table_slot(table));
        for column in &table.tracked {
            let values = (ColumnSlots::of(table, *column), old.get(*column), new.get(*column));
            let (Some(slots), Some(old), Some(new)) = values else { continue };
            touched.push(slots.value(old));
            if old != new {
                touched.push(slots.value(new));
            }
        }
    }

    /// Notes that rows of the tables that refer to this one may vanish or change with one of its rows.
    fn touch_cascade(&mut self, table: &Ident) {
        let reached = self.database.tables().1.reached(table);
        // Parts are not remembered.
        if reached.iter().any(|name| !self.database.tables().0.is_part(name)) {
            self.database.forget_all();
        }
        let Some(touched) = self.database.touched() else { return };
        touched.extend(reached.iter().map(|table| unseen_slot(table.as_str())));
    }
}

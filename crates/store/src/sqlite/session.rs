//! The writer's connection: its statements, its transaction, and what a write has touched so far.

use std::sync::Arc;
use std::time::Duration;

use operation::{Fault, Read, Receipt, Scalar, Table, Value, Write};
use rusqlite::{Connection, Result as Sqlite, Statement};
use rustc_hash::FxHashMap;

use super::bulk::counted;
use super::connection::fault_of;
use super::read::Reads;
use super::value::{bound, stored};
use super::{Shared, schema};
use crate::Rows;
use crate::cache::Slot;
use crate::lower::{self, Taking, ill_formed};
use crate::write::{
    self, Ahead, Asked, Database, Failure, Hold, Key, Kind, Load, Many, Picked, Place, References,
    Reply, Tables,
};

/// The dialect of this room.
pub(crate) const DIALECT: operation::Dialect = operation::Dialect::Sqlite;

/// The writer's connection.
pub(crate) struct Session<'c> {
    connection: &'c Connection,
    pub shared: &'c Shared,
    reads: Reads,
    statements: FxHashMap<Key, Kept<'c>>,
    clock: u64,
    controls: Controls<'c>,
    /// Whether the running write has a savepoint.
    saved: bool,
    /// How many rows this connection had changed when the running write began.
    changes: u64,
    /// What another connection's commits change.
    data_version: i64,
    /// Slots that the running transaction makes stale.
    pub touched: Vec<Slot>,
    /// Which tables refer to which.
    pub references: References,
    /// Whether others have put triggers into the database: which rows these change nobody tells.
    pub triggers: bool,
    /// Whether rows change by nothing but what a write tells of.
    remembers: bool,
    /// The version of the tables of which the last three were seen.
    schema_version: Option<i64>,
}

/// Statements that steer the transaction, prepared when first used and kept: each batch needs them.
#[derive(Default)]
struct Controls<'c> {
    begin: Option<Statement<'c>>,
    commit: Option<Statement<'c>>,
    save: Option<Statement<'c>>,
    undo: Option<Statement<'c>>,
    release: Option<Statement<'c>>,
    data_version: Option<Statement<'c>>,
}

/// Executes a steering statement.
fn control<'c>(
    connection: &'c Connection,
    kept: &mut Option<Statement<'c>>,
    text: &'static str,
) -> Sqlite<()> {
    let statement = match kept {
        Some(statement) => statement,
        None => kept.insert(connection.prepare(text)?),
    };
    statement.raw_execute().map(drop)
}

/// A prepared statement.
struct Kept<'c> {
    /// When it was last asked for.
    used: u64,
    statement: Statement<'c>,
    /// How many of its last binds are constants.
    constants: usize,
    /// What its columns mean.
    answer: Box<[Scalar]>,
}

/// Why SQLite refuses a statement.
fn failure(error: &rusqlite::Error) -> Failure {
    if error.sqlite_error_code() == Some(rusqlite::ErrorCode::ConstraintViolation) {
        Failure::Constraint(error.to_string())
    } else {
        Failure::Fault(fault_of(error))
    }
}

/// Runs what never waits: SQLite answers at once, so the logic of writes is done when it is first polled.
pub(super) fn at_once<T>(future: impl Future<Output = Result<T, Fault>>) -> Result<T, Fault> {
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    match std::pin::pin!(future).poll(&mut context) {
        std::task::Poll::Ready(outcome) => outcome,
        std::task::Poll::Pending => {
            Err(Fault::Internal("a write on SQLite waits for something".to_owned()))
        }
    }
}

impl<'c> Session<'c> {
    pub fn new(connection: &'c Connection, shared: &'c Shared) -> Self {
        let mut session = Self {
            connection,
            shared,
            reads: Reads::new(shared.options.statements),
            statements: FxHashMap::default(),
            clock: 0,
            controls: Controls::default(),
            saved: false,
            changes: 0,
            data_version: 0,
            touched: Vec::new(),
            references: References::default(),
            triggers: false,
            remembers: false,
            schema_version: None,
        };
        session.forget();
        session
    }

    /// Forgets all that may have changed while others wrote.
    pub fn forget(&mut self) {
        self.reads.clear(self.connection);
        self.shared.remembered.clear();
        self.statements.clear();
        self.controls = Controls::default();
        self.look_around();
        self.others_wrote();
    }

    /// Executes one write inside the running transaction. Positions and the root's key are filled in where they are
    /// known before the write.
    pub fn execute(
        &mut self,
        write: &mut Write,
        receipt: Option<&Receipt>,
        ahead: Option<&mut Ahead>,
    ) -> Result<Reply, Fault> {
        let ahead = self.still_holding(write, ahead);
        at_once(write::execute(self, write, receipt, ahead))
    }

    /// What a command has come to, if that is still right.
    fn still_holding<'a>(
        &mut self,
        write: &Write,
        ahead: Option<&'a mut Ahead>,
    ) -> Option<&'a mut Ahead> {
        let (Some(ahead), Write::Command(command)) = (ahead, write) else { return None };
        let waited = ahead.is_waiting();
        let holds = waited && ahead.holds(self);
        if waited {
            self.shared.luck.note(command.program.id, holds);
        }
        if holds {
            return Some(ahead);
        }
        ahead.give_up();
        None
    }

    /// Whether a write changes the database by one statement, and nothing of it can fail after that.
    pub fn is_one_statement(write: &Write) -> bool {
        matches!(write, Write::Create(create) if write::is_one_statement(create))
    }

    pub fn begin(&mut self) -> Sqlite<()> {
        self.saved = false;
        control(self.connection, &mut self.controls.begin, "BEGIN IMMEDIATE")
    }

    pub fn commit(&mut self) -> Sqlite<()> {
        control(self.connection, &mut self.controls.commit, "COMMIT")
    }

    /// Ends a transaction that could not be committed.
    pub fn roll_back(&mut self) {
        self.shared.remembered.clear();
        if !self.connection.is_autocommit() {
            // If even this fails there is no transaction any more.
            let _ = self.connection.execute_batch("ROLLBACK");
        }
    }

    pub fn save(&mut self) -> Sqlite<()> {
        self.saved = true;
        control(self.connection, &mut self.controls.save, "SAVEPOINT request")
    }

    /// Notes that a write begins.
    pub fn mark(&mut self) {
        self.changes = self.connection.total_changes();
    }

    /// Whether the running write has changed rows.
    pub fn has_written(&self) -> bool {
        self.connection.total_changes() != self.changes
    }

    /// Takes back what was done since the savepoint.
    pub fn take_back(&mut self) -> Sqlite<()> {
        if self.has_written() {
            self.shared.remembered.clear();
        }
        control(self.connection, &mut self.controls.undo, "ROLLBACK TO request")
    }

    pub fn release(&mut self) -> Sqlite<()> {
        self.saved = false;
        control(self.connection, &mut self.controls.release, "RELEASE request")
    }

    /// Whether the database has ended the transaction by itself.
    pub fn transaction_is_gone(&self) -> bool {
        self.connection.is_autocommit()
    }

    /// Whether another connection has committed since this was last asked.
    pub fn others_wrote(&mut self) -> bool {
        let version = self.data_version();
        // What cannot be told is taken for a change.
        let version = version.unwrap_or(-1);
        std::mem::replace(&mut self.data_version, version) != version || version == -1
    }

    /// Looks what the database does by itself: what refers to what, and whether there are triggers. What cannot be told is taken
    /// for one.
    pub fn look_around(&mut self) {
        let version = self.connection.query_row("PRAGMA schema_version", [], |row| row.get(0));
        let version: Option<i64> = version.ok();
        if version.is_some() && version == self.schema_version {
            return;
        }
        let (references, triggers, acts) = (
            schema::references(self.connection),
            schema::has_triggers(self.connection),
            schema::acts_by_itself(self.connection),
        );
        self.schema_version = version.filter(|_| references.is_ok());
        self.triggers = triggers.unwrap_or(true) || references.is_err();
        self.remembers = !self.triggers && matches!(acts, Ok(false));
        self.references = references.unwrap_or_default();
    }

    fn data_version(&mut self) -> Sqlite<i64> {
        let statement = match &mut self.controls.data_version {
            Some(statement) => statement,
            none => none.insert(self.connection.prepare("PRAGMA data_version")?),
        };
        statement.query_row([], |row| row.get(0))
    }

    /// Moves what of the log no reader needs into the database. What fails shows itself when the log shall begin
    /// anew.
    pub fn move_log(&self) {
        let _ = self.connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()));
    }

    /// Lets the log begin anew; the readers of this moment are waited for, a tenth of a second at most.
    pub fn restart_log(&mut self) -> Sqlite<()> {
        self.connection.busy_timeout(Duration::from_millis(100))?;
        let outcome =
            self.connection.query_row("PRAGMA wal_checkpoint(RESTART)", [], |row| row.get(0));
        self.connection.busy_timeout(self.shared.options.lock_wait)?;
        let busy: i64 = outcome?;
        if busy == 0 { Ok(()) } else { Err(rusqlite::Error::QueryReturnedNoRows) }
    }

    /// Moves the log into the database, so that the next start finds nothing to recover. Who still reads keeps
    /// it; then it stays for the next start.
    pub fn empty_log(&self) {
        let _ = self.connection.busy_timeout(Duration::from_millis(100));
        let _ = self.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
    }

    fn kept(
        &mut self,
        key: Key,
        lower: impl FnOnce() -> Result<lower::Statement, Fault>,
    ) -> Result<&mut Kept<'c>, Fault> {
        self.clock += 1;
        if !self.statements.contains_key(&key) {
            if self.statements.len() >= self.shared.options.statements * 4 {
                let oldest = self.statements.iter().min_by_key(|(_, kept)| kept.used);
                if let Some(oldest) = oldest.map(|(key, _)| *key) {
                    self.statements.remove(&oldest);
                }
            }
            let lowered = lower()?;
            let mut statement = self.connection.prepare(&lowered.text).map_err(|e| fault_of(&e))?;
            for (at, value) in &lowered.constants {
                statement.raw_bind_parameter(at + 1, bound(value)).map_err(|e| fault_of(&e))?;
            }
            let constants = lowered.constants.len();
            let kept = Kept { used: 0, statement, constants, answer: lowered.answer.into() };
            self.statements.insert(key, kept);
        }
        let kept =
            self.statements.get_mut(&key).ok_or_else(|| ill_formed("a statement went missing"))?;
        kept.used = self.clock;
        Ok(kept)
    }
}

impl Database for Session<'_> {
    const DIALECT: operation::Dialect = DIALECT;

    async fn run<'v>(
        &mut self,
        asked: Asked,
        lower: impl FnOnce() -> Result<lower::Statement, Fault>,
        values: impl Iterator<Item = &'v Value>,
    ) -> Result<Vec<Vec<Value>>, Failure> {
        match asked {
            Asked::Kept(key) => {
                let Kept { statement, constants, answer, .. } = self.kept(key, lower)?;
                bind(statement, values, *constants)?;
                rows(statement, answer)
            }
            Asked::Once | Asked::Sent => {
                let lowered = lower()?;
                let mut statement =
                    self.connection.prepare_cached(&lowered.text).map_err(|e| failure(&e))?;
                bind(&mut statement, values, lowered.constants.len())?;
                for (at, value) in &lowered.constants {
                    statement.raw_bind_parameter(at + 1, bound(value)).map_err(|e| fault_of(&e))?;
                }
                rows(&mut statement, &lowered.answer)
            }
        }
    }

    async fn insert(&mut self, place: Place<'_>, values: &[Value]) -> Result<i64, Failure> {
        let table = place.table;
        if values.len() != table.columns.len() {
            return Err(ill_formed("a row with other columns").into());
        }
        let key = Key::of(place, Kind::Insert, &[], 0)?;
        let Kept { statement, .. } = self.kept(key, || lower::insert(DIALECT, table, 0))?;
        bind(statement, values.iter(), 0)?;
        statement.raw_execute().map_err(|e| failure(&e))?;
        Ok(self.connection.last_insert_rowid())
    }

    async fn load(&mut self, loads: &[Load]) -> Result<Vec<Vec<Vec<Value>>>, Failure> {
        // Many small statements cost SQLite no more than a large one: nothing goes over a wire.
        let mut found = Vec::with_capacity(loads.len());
        for load in loads {
            let key = load.key(Taking::Waiting)?;
            let lower = || lower::row_by(DIALECT, &load.table, &[load.column], false);
            let mut all = Vec::with_capacity(load.values.len());
            let Kept { statement, answer, .. } = self.kept(key, lower)?;
            for value in &load.values {
                bind(statement, [value].into_iter(), 0)?;
                all.extend(rows(statement, answer)?);
            }
            found.push(all);
        }
        Ok(found)
    }

    async fn hold(&mut self, _: &Hold<'_>) -> Result<(), Failure> {
        Ok(())
    }

    async fn each(&mut self, many: Many<'_>, values: Vec<Picked<'_>>) -> Result<(), Failure> {
        let Kept { statement, .. } = self.kept(many.key, || many.lower(DIALECT, 0))?;
        for values in values {
            bind(statement, values.into_iter(), 0)?;
            statement.raw_execute().map_err(|e| failure(&e))?;
        }
        Ok(())
    }

    async fn draw(
        &mut self,
        table: &Table,
        column: usize,
        after: i64,
        many: usize,
    ) -> Result<Vec<i64>, Failure> {
        let column = table.columns.get(column).ok_or_else(|| ill_formed("no such column"))?;
        let last = counted(self.connection, table, &column.name).map_err(|e| fault_of(&e))?;
        let last = last.max(after);
        Ok((1..).take(many).filter_map(|n| last.checked_add(n)).collect())
    }

    async fn read(&mut self, read: &Arc<Read>, binds: &[Value]) -> Result<Rows, Fault> {
        self.reads.read(self.connection, read, binds, false)
    }

    async fn settle(&mut self) -> Result<(), Failure> {
        // Each statement was done when it was executed.
        Ok(())
    }

    async fn undo(&mut self) -> Result<(), Fault> {
        if self.saved {
            self.take_back().map_err(|error| fault_of(&error))
        } else if self.has_written() {
            // The writer tries it again, with a savepoint.
            Err(Fault::Internal("what was written cannot be taken back alone".to_owned()))
        } else {
            Ok(())
        }
    }

    fn tables(&self) -> (&Tables, &References) {
        (&self.shared.tables, &self.references)
    }

    fn touched(&mut self) -> Option<&mut Vec<Slot>> {
        Some(&mut self.touched)
    }

    fn remembered(&mut self, table: &Arc<Table>, key: &Value) -> Option<Arc<[Value]>> {
        self.shared.remembered.get(table, key)
    }

    fn remember(&mut self, table: &Arc<Table>, row: &Arc<[Value]>) {
        if self.remembers {
            self.shared.remembered.put(table, row);
        }
    }

    fn forget(&mut self, table: &Table, row: &[Value]) {
        if let (None, Some(key)) = (table.root, row.get(table.own_key())) {
            self.shared.remembered.forget(table, key);
        }
    }

    fn forget_all(&mut self) {
        self.shared.remembered.clear();
    }
}

/// Executes a statement that only reads, of which nothing is kept but what the connection keeps.
pub(super) fn ask(
    connection: &Connection,
    lowered: &lower::Statement,
    values: &[Value],
) -> Result<Vec<Vec<Value>>, Fault> {
    let prepared = connection.prepare_cached(&lowered.text);
    let mut statement = prepared.map_err(|error| fault_of(&error))?;
    bind(&mut statement, values.iter(), lowered.constants.len())?;
    rows(&mut statement, &lowered.answer).map_err(Failure::into_fault)
}

/// Binds values from the first on; behind them stand so many constants.
fn bind<'v>(
    statement: &mut Statement<'_>,
    values: impl Iterator<Item = &'v Value>,
    constants: usize,
) -> Result<(), Fault> {
    let (used, mut count) = (statement.parameter_count(), 0);
    for value in values {
        count += 1;
        // The last of the caller's values may be of no use to this statement.
        if count <= used {
            statement.raw_bind_parameter(count, bound(value)).map_err(|e| fault_of(&e))?;
        }
    }
    if count + constants < used {
        // What is not bound would be what the statement was last given: another request's value.
        return Err(ill_formed("fewer values than binds"));
    }
    Ok(())
}

/// Executes a statement whose columns have these scalars.
fn rows(statement: &mut Statement<'_>, answer: &[Scalar]) -> Result<Vec<Vec<Value>>, Failure> {
    let mut found = Vec::new();
    if answer.is_empty() {
        statement.raw_execute().map_err(|e| failure(&e))?;
        return Ok(found);
    }
    let mut rows = statement.raw_query();
    while let Some(row) = rows.next().map_err(|e| failure(&e))? {
        found.push(values(answer.iter().copied(), row)?);
    }
    Ok(found)
}

fn values(
    scalars: impl Iterator<Item = Scalar>,
    row: &rusqlite::Row<'_>,
) -> Result<Vec<Value>, Fault> {
    scalars
        .enumerate()
        .map(|(at, scalar)| {
            row.get_ref(at).map(|value| stored(scalar, value)).map_err(|e| fault_of(&e))
        })
        .collect()
}

/// A row as values.
pub(crate) fn row_of(table: &Table, row: &rusqlite::Row<'_>) -> Result<Vec<Value>, Fault> {
    values(table.columns.iter().map(|column| column.scalar), row)
}

//! The writer's connection: its statements, its transaction, and what a write has touched so far.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use operation::{
    EvaluationFault, Expression, Fault, Guard, Output, Read, ReadId, ReferenceRule, Scope, Table,
    TableId, Value, Write, evaluate,
};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, Result as Sqlite, Statement};
use rustc_hash::FxHashMap;

use super::connection::{evaluation, fault_of};
use super::reader::Reads;
use super::schema::References;
use super::value::{bound, stored};
use super::{Shared, schema};
use crate::cache::{ColumnSlots, Slot, table_slot, unseen_slot};
use crate::lower::{self, ill_formed};
use crate::{Rows, Written};

/// The dialect of this room.
pub(crate) const DIALECT: operation::Dialect = operation::Dialect::Sqlite;

/// The writer's connection.
pub(crate) struct Session<'c> {
    connection: &'c Connection,
    pub shared: &'c Shared,
    reads: Reads,
    statements: FxHashMap<Key, (u64, Statement<'c>)>,
    clock: u64,
    controls: Controls<'c>,
    /// What another connection's commits change.
    data_version: i64,
    /// Slots that the running transaction makes stale.
    pub touched: Vec<Slot>,
    /// Which tables refer to which.
    pub references: References,
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

/// Which statement: of which target, of its root (0) or of a part (1 and up), over which columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Key {
    target: ReadId,
    place: usize,
    kind: Kind,
    columns: u64,
    /// How many binds of the caller it takes besides.
    binds: usize,
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

/// Why a statement of a write failed.
pub(crate) enum Failure {
    /// A constraint stands against it; which one must be found out.
    Constraint(String),
    /// Anything else.
    Fault(Fault),
}

impl Failure {
    fn of(error: rusqlite::Error) -> Self {
        if error.sqlite_error_code() == Some(rusqlite::ErrorCode::ConstraintViolation) {
            Self::Constraint(error.to_string())
        } else {
            Self::Fault(fault_of(&error))
        }
    }
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

/// What a write left behind, before its answer is written.
pub(crate) enum Reply {
    /// A new root that is stored as it was asked for: the answer is made of what was asked.
    Created,
    /// Anything else.
    Left(Left),
}

/// What a write left behind that is told by more than the write itself.
pub(crate) struct Left {
    pub key: Value,
    pub version: i64,
    pub part_key: Option<Value>,
    pub answer: Answer,
}

/// The answer to a write.
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
}

impl Reply {
    /// Writes the answer; `write` is what was asked.
    pub fn render(self, write: &Write) -> Result<Written, Fault> {
        let Left { key, version, part_key, answer } = match (self, write) {
            (Self::Left(left), _) => left,
            (Self::Created, Write::Create(create)) => {
                let row = &create.row.values;
                let table = &create.target.table;
                let key = row.get(table.own_key()).cloned().unwrap_or_default();
                let mut binds = Vec::with_capacity(create.binds.len() + 1);
                binds.extend_from_slice(&create.binds);
                binds.push(key.clone());
                let json = render(&create.answer, row, &binds)?;
                return Ok(Written { key, version: version_of(table, row), json, part_key: None });
            }
            (Self::Created, _) => return Err(ill_formed("the answer to a new root")),
        };
        let json = match answer {
            Answer::Ready(json) => json,
            Answer::Row { read, row, binds } => render(&read, &row, &binds)?,
        };
        Ok(Written { key, version, json, part_key })
    }
}

/// The version of a row; 0 where the table keeps none.
pub(crate) fn version_of(table: &Table, row: &[Value]) -> i64 {
    table.version.and_then(|at| row.get(at)).and_then(Value::as_int).unwrap_or(0)
}

fn render(read: &Read, row: &[Value], binds: &[Value]) -> Result<Option<Bytes>, Fault> {
    let scope = Scope { rows: &[row], binds, parts: &[] };
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
    // After the commit nothing may fail any more: a filter that could is read inside the savepoint.
    read.table.id == table.id
        && read.joins.is_empty()
        && !lower::has_query(&read.filter)
        && !lower::can_fail(&read.filter)
        && read.output.fields.iter().all(|field| {
            field.condition.is_none() && matches!(field.output, Output::Column { source: 0, .. })
        })
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
            data_version: 0,
            touched: Vec::new(),
            references: References::default(),
        };
        session.forget();
        session
    }

    /// Forgets all that may have changed while others wrote.
    pub fn forget(&mut self) {
        self.reads.clear(self.connection);
        self.statements.clear();
        self.controls = Controls::default();
        self.references = schema::references(self.connection).unwrap_or_default();
        self.others_wrote();
    }

    /// Executes one write inside the running transaction. Positions and the root's key are filled in where they are
    /// known before the write.
    pub fn execute(&mut self, write: &mut Write) -> Result<Reply, Fault> {
        match write {
            Write::Create(create) => self.create(create),
            Write::Edit(edit) => self.edit(edit).map(Reply::Left),
            Write::Delete(delete) => self.delete_root(delete).map(Reply::Left),
        }
    }

    /// Whether a write changes the database by one statement, and nothing of it can fail after that.
    pub fn is_one_statement(write: &Write) -> bool {
        matches!(write, Write::Create(create) if super::create::is_one_statement(create))
    }

    pub fn begin(&mut self) -> Sqlite<()> {
        control(self.connection, &mut self.controls.begin, "BEGIN IMMEDIATE")
    }

    pub fn commit(&mut self) -> Sqlite<()> {
        control(self.connection, &mut self.controls.commit, "COMMIT")
    }

    /// Ends a transaction that could not be committed.
    pub fn roll_back(&mut self) {
        if !self.connection.is_autocommit() {
            // If even this fails there is no transaction any more.
            let _ = self.connection.execute_batch("ROLLBACK");
        }
    }

    pub fn save(&mut self) -> Sqlite<()> {
        control(self.connection, &mut self.controls.save, "SAVEPOINT request")
    }

    pub fn undo(&mut self) -> Sqlite<()> {
        control(self.connection, &mut self.controls.undo, "ROLLBACK TO request")
    }

    pub fn release(&mut self) -> Sqlite<()> {
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

    /// The rows of a table with these values in these columns, every column of each, in the order of the key.
    pub fn rows(
        &mut self,
        place: Place<'_>,
        columns: &[usize],
        values: &[&Value],
    ) -> Result<Vec<Vec<Value>>, Fault> {
        let table = place.table;
        let lower = || lower::row_by(DIALECT, table, columns);
        let statement = self.statement(place, Kind::Select, columns, lower)?;
        bind_all(statement, values)?;
        let mut found = Vec::new();
        let mut rows = statement.raw_query();
        while let Some(row) = rows.next().map_err(|e| fault_of(&e))? {
            found.push(row_of(table, row)?);
        }
        Ok(found)
    }

    /// Inserts a row; the answer is the row's number, which is the key where the database counts it.
    pub fn insert(&mut self, place: Place<'_>, values: &[Value]) -> Result<i64, Failure> {
        let table = place.table;
        if values.len() != table.columns.len() {
            // What is not bound would be what the statement was last given: another request's value.
            return Err(ill_formed("a row with other columns").into());
        }
        let lower = || lower::insert(DIALECT, table);
        let statement = self.statement(place, Kind::Insert, &[], lower)?;
        for (at, value) in values.iter().enumerate() {
            statement.raw_bind_parameter(at + 1, bound(value)).map_err(|e| fault_of(&e))?;
        }
        statement.raw_execute().map_err(Failure::of)?;
        Ok(self.connection.last_insert_rowid())
    }

    /// Changes columns of the row with the primary key of `old`.
    pub fn update(
        &mut self,
        place: Place<'_>,
        columns: &[usize],
        old: &[Value],
        new: &[Value],
    ) -> Result<(), Failure> {
        let table = place.table;
        let lower = || lower::update(DIALECT, table, columns);
        let statement = self.statement(place, Kind::Update, columns, lower)?;
        let values = columns.iter().map(|at| new.get(*at));
        let key = table.key.iter().map(|at| old.get(*at));
        for (at, value) in values.chain(key).enumerate() {
            let value = value.ok_or_else(|| ill_formed("a row without a value"))?;
            statement.raw_bind_parameter(at + 1, bound(value)).map_err(|e| fault_of(&e))?;
        }
        statement.raw_execute().map_err(Failure::of)?;
        Ok(())
    }

    /// Deletes the row with the primary key of `old`.
    pub fn delete(&mut self, place: Place<'_>, old: &[Value]) -> Result<(), Failure> {
        let table = place.table;
        let lower = || lower::delete(DIALECT, table, &table.key);
        let statement = self.statement(place, Kind::Delete, &[], lower)?;
        for (at, column) in table.key.iter().enumerate() {
            let value = old.get(*column).ok_or_else(|| ill_formed("a row without a value"))?;
            statement.raw_bind_parameter(at + 1, bound(value)).map_err(|e| fault_of(&e))?;
        }
        statement.raw_execute().map_err(Failure::of)?;
        Ok(())
    }

    /// Whether a row has these values in these columns. For the slow paths: the statement is looked up by text.
    pub fn exists(
        &self,
        table: &Table,
        columns: &[usize],
        values: &[&Value],
    ) -> Result<bool, Fault> {
        let lowered = lower::exists(DIALECT, table, columns)?;
        let mut statement =
            self.connection.prepare_cached(&lowered.text).map_err(|e| fault_of(&e))?;
        bind_all(&mut statement, values)?;
        let found = statement.raw_query().next().map_err(|e| fault_of(&e))?.is_some();
        Ok(found)
    }

    /// The rows of a table with these values in these columns, wherever the statement comes from.
    pub fn rows_of(
        &self,
        table: &Table,
        columns: &[usize],
        values: &[&Value],
    ) -> Result<Vec<Vec<Value>>, Fault> {
        let lowered = lower::row_by(DIALECT, table, columns)?;
        let mut statement =
            self.connection.prepare_cached(&lowered.text).map_err(|e| fault_of(&e))?;
        bind_all(&mut statement, values)?;
        let mut found = Vec::new();
        let mut rows = statement.raw_query();
        while let Some(row) = rows.next().map_err(|e| fault_of(&e))? {
            found.push(row_of(table, row)?);
        }
        Ok(found)
    }

    /// Whether a stored row refers to this key by its column, from anywhere.
    pub fn refers(&self, table: &str, column: &str, key: &Value) -> Result<bool, Fault> {
        let names = (operation::Ident::new(table), operation::Ident::new(column));
        let (Some(table), Some(column)) = names else { return Ok(false) };
        let mut sql = operation::Sql::new(DIALECT);
        sql.push("SELECT 1 FROM ").ident(&table).push(" WHERE ").ident(&column).push(" = ").bind(0);
        let mut statement =
            self.connection.prepare_cached(sql.as_str()).map_err(|e| fault_of(&e))?;
        bind_all(&mut statement, &[key])?;
        let found = statement.raw_query().next().map_err(|e| fault_of(&e))?.is_some();
        Ok(found)
    }

    /// Raises the version of the rows that refer to this key by a column.
    pub fn raise_versions(&self, table: &str, column: &str, key: &Value) -> Result<(), Failure> {
        let names = (operation::Ident::new(table), operation::Ident::new(column));
        let (Some(table), Some(column)) = names else { return Ok(()) };
        let mut sql = operation::Sql::new(DIALECT);
        sql.push("UPDATE ").ident(&table).push(" SET row_version = row_version + 1 WHERE ");
        sql.ident(&column).push(" = ").bind(0);
        let mut statement = self.connection.prepare_cached(sql.as_str()).map_err(Failure::of)?;
        bind_all(&mut statement, &[key])?;
        statement.raw_execute().map_err(Failure::of)?;
        Ok(())
    }

    /// The same of the roots of those rows, where they are parts.
    pub fn raise_roots(
        &mut self,
        part: &Table,
        root: &Table,
        column: &str,
        key: &Value,
    ) -> Result<(), Failure> {
        let name = |table: &Table, at: Option<usize>| {
            at.and_then(|at| table.columns.get(at)).map(|column| column.name.clone())
        };
        let names = (
            name(root, root.version),
            name(root, Some(root.own_key())),
            name(part, part.root),
            operation::Ident::new(column),
        );
        let (Some(version), Some(own), Some(of), Some(column)) = names else { return Ok(()) };
        let mut sql = operation::Sql::new(DIALECT);
        sql.push("UPDATE ").ident(&root.name).push(" SET ").ident(&version).push(" = ");
        sql.ident(&version).push(" + 1 WHERE ").ident(&own).push(" IN (SELECT ").ident(&of);
        sql.push(" FROM ").ident(&part.name).push(" WHERE ").ident(&column).push(" = ").bind(0);
        sql.push(")");
        let mut statement = self.connection.prepare_cached(sql.as_str()).map_err(Failure::of)?;
        bind_all(&mut statement, &[key])?;
        statement.raw_execute().map_err(Failure::of)?;
        self.touched.push(unseen_slot(root.name.as_str()));
        Ok(())
    }

    /// What a condition says of the stored row with the primary key of `row`. `None`: there is no such row.
    pub fn ask(
        &self,
        table: &Table,
        condition: &Expression,
        binds: &[Value],
        row: &[Value],
    ) -> Result<Option<Value>, Fault> {
        let lowered = lower::decide(DIALECT, table, condition, binds.len(), &table.key)?;
        let mut statement =
            self.connection.prepare_cached(&lowered.text).map_err(|e| fault_of(&e))?;
        let used = statement.parameter_count();
        let key = table.key.iter().filter_map(|at| row.get(*at));
        let values = binds.iter().chain(key).enumerate();
        let constants = lowered.constants.iter().map(|(at, value)| (*at, value));
        for (at, value) in values.chain(constants).filter(|(at, _)| *at < used) {
            statement.raw_bind_parameter(at + 1, bound(value)).map_err(|e| fault_of(&e))?;
        }
        let mut rows = statement.raw_query();
        let row = rows.next().map_err(|e| fault_of(&e))?;
        let Some(row) = row else { return Ok(None) };
        let value = row.get_ref(0).map_err(|e| fault_of(&e))?;
        Ok(Some(stored(operation::Scalar::Bool, value)))
    }

    /// Decides a guard about a stored row whose values are known; the database is asked only where it must be.
    pub fn allows(
        &self,
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
        match evaluate(expression, &Scope { rows: &[row], binds, parts }) {
            Ok(value) => Ok(value == Value::Bool(true)),
            Err(EvaluationFault::NotLocal) => {
                let answer = self.ask(table, expression, binds, row)?;
                Ok(answer == Some(Value::Bool(true)))
            }
            Err(fault) => Err(evaluation(fault, "")),
        }
    }

    /// The answer to a write: made of the row that was written where that is all it takes, otherwise read now.
    pub fn answer(
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
        Ok(Answer::Ready(match self.reads.read(self.connection, read, &binds, false)? {
            Rows::One(row) => row.map(|row| row.json),
            Rows::Page { json, .. } => Some(json),
        }))
    }

    /// Notes that a row with these values came, went or changed.
    pub fn touch(&mut self, table: &Table, row: &[Value]) {
        self.touched.push(table_slot(table));
        for column in &table.tracked {
            if let (Some(slots), Some(value)) = (ColumnSlots::of(table, *column), row.get(*column))
            {
                self.touched.push(slots.value(value));
            }
        }
    }

    /// Notes that rows of the tables that refer to this one may vanish or change with one of its rows.
    pub fn touch_cascade(&mut self, table: &str) {
        for name in self.references.reached(table) {
            self.touched.push(unseen_slot(&name));
        }
    }

    /// Whether the row of `rule`'s target with this key may be named by the caller.
    pub fn may_name(
        &mut self,
        place: Place<'_>,
        rule: &ReferenceRule,
        expression: &Expression,
        binds: &[Value],
        key: &Value,
    ) -> Result<bool, Fault> {
        let own_key = [rule.target.own_key()];
        let lower = || lower::decide(DIALECT, &rule.target, expression, binds.len(), &own_key);
        let columns = [rule.column];
        let statement = self.statement_with(place, Kind::Visible, &columns, binds.len(), lower)?;
        // The key is the last bind that is not a constant, so all before it are there.
        for (at, value) in binds.iter().chain([key]).enumerate() {
            statement.raw_bind_parameter(at + 1, bound(value)).map_err(|e| fault_of(&e))?;
        }
        let mut rows = statement.raw_query();
        let row = rows.next().map_err(|e| fault_of(&e))?;
        let Some(row) = row else { return Ok(false) };
        Ok(matches!(row.get_ref(0).map_err(|e| fault_of(&e))?, ValueRef::Integer(n) if n != 0))
    }

    fn statement(
        &mut self,
        place: Place<'_>,
        kind: Kind,
        columns: &[usize],
        lower: impl FnOnce() -> Result<lower::Statement, Fault>,
    ) -> Result<&mut Statement<'c>, Fault> {
        self.statement_with(place, kind, columns, 0, lower)
    }

    fn statement_with(
        &mut self,
        place: Place<'_>,
        kind: Kind,
        columns: &[usize],
        binds: usize,
        lower: impl FnOnce() -> Result<lower::Statement, Fault>,
    ) -> Result<&mut Statement<'c>, Fault> {
        self.clock += 1;
        let mask = columns.iter().try_fold(0_u64, |mask, at| {
            u32::try_from(*at).ok().and_then(|at| 1_u64.checked_shl(at)).map(|bit| mask | bit)
        });
        let columns = mask.ok_or_else(|| ill_formed("more than 64 columns in one statement"))?;
        let key = Key { target: place.target, place: place.at, kind, columns, binds };
        if !self.statements.contains_key(&key) {
            if self.statements.len() >= self.shared.options.statements * 4 {
                let oldest = self.statements.iter().min_by_key(|(_, (used, _))| *used);
                if let Some(oldest) = oldest.map(|(key, _)| *key) {
                    self.statements.remove(&oldest);
                }
            }
            let lowered = lower()?;
            let mut statement = self.connection.prepare(&lowered.text).map_err(|e| fault_of(&e))?;
            for (at, value) in &lowered.constants {
                statement.raw_bind_parameter(at + 1, bound(value)).map_err(|e| fault_of(&e))?;
            }
            self.statements.insert(key, (self.clock, statement));
        }
        let (used, statement) =
            self.statements.get_mut(&key).ok_or_else(|| ill_formed("a statement went missing"))?;
        *used = self.clock;
        Ok(statement)
    }
}

fn bind_all(statement: &mut Statement<'_>, values: &[&Value]) -> Result<(), Fault> {
    if statement.parameter_count() != values.len() {
        return Err(ill_formed("as many values as binds"));
    }
    for (at, value) in values.iter().enumerate() {
        statement.raw_bind_parameter(at + 1, bound(value)).map_err(|e| fault_of(&e))?;
    }
    Ok(())
}

/// A row as values.
pub(crate) fn row_of(table: &Table, row: &rusqlite::Row<'_>) -> Result<Vec<Value>, Fault> {
    let columns = table.columns.iter().enumerate();
    columns
        .map(|(at, column)| {
            row.get_ref(at).map(|value| stored(column.scalar, value)).map_err(|e| fault_of(&e))
        })
        .collect()
}

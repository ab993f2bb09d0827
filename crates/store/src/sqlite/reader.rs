//! Reads: prepared once for each connection, rows written straight from SQLite's columns as JSON.

use std::cell::RefCell;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use bytes::Bytes;
use operation::{Cardinality, Fault, Read, ReadId, Value};
use parking_lot::Mutex;
use rusqlite::Connection;
use rusqlite::types::ValueRef;
use rustc_hash::FxHashMap;

use super::connection::{fault_of, open_reading};
use super::value::{bound, stored, write_json};
use super::{Shared, session};
use crate::cache::{Answers, ColumnSlots, Dependencies, Gathered, Slot};
use crate::lower::{Member, Select, Shape, Statement};
use crate::{Row, Rows};

/// Reads as statements of one connection: what is known of them, and room to write answers. The statements
/// themselves are in the connection's own cache.
pub(crate) struct Reads {
    known: FxHashMap<ReadId, (u64, Prepared)>,
    most: usize,
    clock: u64,
    buffer: Vec<u8>,
    gathered: Gathered,
}

/// A read as a statement, with the statements of its parts.
struct Prepared {
    select: Select,
    dependencies: Dependencies,
    /// The slots of every table that it looks into, those of its parts included.
    tables: Box<[Slot]>,
    parts: Vec<Prepared>,
    cardinality: Cardinality,
    root_bind: Option<usize>,
    /// How many binds of the caller the statement takes.
    binds: usize,
}

/// The caller's binds, and the keys of the rows that stand around a part.
#[derive(Clone, Copy)]
struct Binds<'a> {
    values: &'a [Value],
    around: Option<(usize, ValueRef<'a>, &'a Binds<'a>)>,
}

impl<'a> Binds<'a> {
    fn get(&self, at: usize) -> Option<rusqlite::types::ToSqlOutput<'a>> {
        match self.around {
            Some((position, key, _)) if position == at => {
                Some(rusqlite::types::ToSqlOutput::Borrowed(key))
            }
            Some((_, _, outer)) => outer.get(at),
            None => self.values.get(at).map(bound),
        }
    }

    fn slot(&self, slots: ColumnSlots, at: usize) -> Slot {
        match self.get(at) {
            Some(rusqlite::types::ToSqlOutput::Borrowed(value)) => slot_of(slots, value),
            _ => slots.value(&Value::Null),
        }
    }
}

fn slot_of(slots: ColumnSlots, value: ValueRef<'_>) -> Slot {
    match value {
        ValueRef::Null => slots.value(&Value::Null),
        ValueRef::Integer(n) => slots.integer(n),
        ValueRef::Real(f) => slots.value(&Value::Float(f)),
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => slots.bytes(bytes),
    }
}

impl Reads {
    /// Nothing known yet; at most `most` reads stay known.
    pub fn new(most: usize) -> Self {
        Self {
            known: FxHashMap::default(),
            most,
            clock: 0,
            buffer: Vec::new(),
            gathered: Gathered::default(),
        }
    }

    /// Forgets every read, and the connection's statements with them.
    pub fn clear(&mut self, connection: &Connection) {
        self.known.clear();
        connection.flush_prepared_statement_cache();
    }

    /// Executes a read; with `gather`, the slots it depends on can be asked for afterwards.
    pub fn read(
        &mut self,
        connection: &Connection,
        read: &Read,
        binds: &[Value],
        gather: bool,
    ) -> Result<Rows, Fault> {
        self.clock += 1;
        if !self.known.contains_key(&read.id) {
            self.make_room();
            let prepared = prepare(connection, read)?;
            self.known.insert(read.id, (self.clock, prepared));
        }
        let Some((used, prepared)) = self.known.get_mut(&read.id) else {
            return Err(Fault::Internal("a statement went missing".to_owned()));
        };
        *used = self.clock;
        self.buffer.clear();
        self.gathered.reset(gather);
        let binds = Binds { values: binds, around: None };
        let outcome = prepared.run(connection, &binds, &mut self.buffer, &mut self.gathered)?;
        let json = Bytes::copy_from_slice(&self.buffer);
        if self.buffer.capacity() > LARGE {
            // One large answer must not cost every thread its size for good.
            self.buffer = Vec::new();
        }
        Ok(match read.cardinality {
            Cardinality::One if outcome.count == 0 => Rows::One(None),
            Cardinality::One => Rows::One(Some(Row { json, version: outcome.version })),
            Cardinality::Page { .. } | Cardinality::Bounded(_) => {
                Rows::Page { json, count: outcome.count, next: outcome.next }
            }
        })
    }

    /// Whether no table that a read looks into was touched since `sequence`, as far as that is known already.
    fn untouched(&self, read: &Read, answers: &Answers, sequence: u64) -> bool {
        let known = self.known.get(&read.id);
        known.is_some_and(|(_, prepared)| answers.unmoved(&prepared.tables, sequence))
    }

    /// What the last read depends on, if it was asked to gather that.
    fn slots(&self) -> &[Slot] {
        self.gathered.slots()
    }

    fn make_room(&mut self) {
        while self.known.len() >= self.most {
            let oldest = self.known.iter().min_by_key(|(_, (used, _))| *used).map(|(id, _)| *id);
            match oldest {
                Some(id) => self.known.remove(&id),
                None => return,
            };
        }
    }
}

/// Buffers larger than this are given back, in bytes.
const LARGE: usize = 1 << 20;

fn prepare(connection: &Connection, read: &Read) -> Result<Prepared, Fault> {
    let select = Select::of(read)?;
    let parameters = match connection.prepare_cached(&select.statement.text) {
        Ok(statement) => statement.parameter_count(),
        // An index that cannot serve the filter, or is not there yet, is a hint that does not fit.
        Err(_) if read.index.is_some() => {
            let free = Read { index: None, ..read.clone() };
            return prepare(connection, &free);
        }
        Err(error) => return Err(fault_of(&error)),
    };
    let parts = select
        .parts
        .iter()
        .map(|(read, _)| prepare(connection, read))
        .collect::<Result<Vec<_>, _>>()?;
    let dependencies = Dependencies::of(read);
    let mut tables = dependencies.tables().to_vec();
    tables.extend(parts.iter().flat_map(|part: &Prepared| part.tables.iter()));
    tables.sort_unstable();
    tables.dedup();
    let first_constant = select.statement.constants.first().map(|(at, _)| *at);
    Ok(Prepared {
        binds: first_constant.unwrap_or(parameters),
        dependencies,
        tables: tables.into(),
        parts,
        cardinality: read.cardinality,
        root_bind: read.root_bind,
        select,
    })
}

/// What came of an execution.
struct Outcome {
    count: usize,
    version: i64,
    next: Option<Vec<Value>>,
}

impl Prepared {
    fn run(
        &self,
        connection: &Connection,
        binds: &Binds<'_>,
        out: &mut Vec<u8>,
        gathered: &mut Gathered,
    ) -> Result<Outcome, Fault> {
        let mut statement =
            connection.prepare_cached(&self.select.statement.text).map_err(|e| fault_of(&e))?;
        for at in 0..self.binds {
            let value = binds.get(at).ok_or_else(|| {
                Fault::Internal(format!("the read needs a bind at position {at}"))
            })?;
            statement.raw_bind_parameter(at + 1, value).map_err(|e| fault_of(&e))?;
        }
        for (at, value) in &self.select.statement.constants {
            statement.raw_bind_parameter(at + 1, bound(value)).map_err(|e| fault_of(&e))?;
        }
        if gathered.wanted() {
            self.dependencies.begin(gathered, |slots, at| binds.slot(slots, at));
        }
        let limit = match self.cardinality {
            Cardinality::One => None,
            Cardinality::Bounded(_) => Some(usize::MAX),
            Cardinality::Page { limit } => {
                let limit = binds.values.get(limit).and_then(Value::as_int).unwrap_or(0);
                Some(usize::try_from(limit).unwrap_or(0))
            }
        };
        let mut outcome = Outcome { count: 0, version: 0, next: None };
        let mut rows = statement.raw_query();
        let Some(limit) = limit else {
            if let Some(row) = rows.next().map_err(|e| fault_of(&e))? {
                let mut writing = Writing { row, prepared: self, connection, binds, gathered };
                writing.object(&self.select.shape, out)?;
                writing.depend()?;
                outcome.count = 1;
                if let Some(at) = self.select.version {
                    outcome.version = row.get(at).map_err(|e| fault_of(&e))?;
                }
            }
            return Ok(outcome);
        };
        out.push(b'[');
        let mut last = None;
        while let Some(row) = rows.next().map_err(|e| fault_of(&e))? {
            if outcome.count == limit {
                outcome.next = Some(last.take().unwrap_or_default());
                break;
            }
            if outcome.count > 0 {
                out.push(b',');
            }
            outcome.count += 1;
            let mut writing = Writing { row, prepared: self, connection, binds, gathered };
            writing.object(&self.select.shape, out)?;
            writing.depend()?;
            if outcome.count == limit {
                let mut values = Vec::with_capacity(self.select.order.len());
                for source in &self.select.order {
                    let value = row.get_ref(source.at).map_err(|e| fault_of(&e))?;
                    values.push(stored(source.scalar, value));
                }
                last = Some(values);
            }
        }
        out.push(b']');
        Ok(outcome)
    }
}

/// One row on its way out. While it is, its statement is open, and with it the snapshot that the statements of
/// its parts see too.
struct Writing<'w, 'r> {
    row: &'w rusqlite::Row<'r>,
    prepared: &'w Prepared,
    connection: &'w Connection,
    binds: &'w Binds<'w>,
    gathered: &'w mut Gathered,
}

impl<'w> Writing<'w, '_> {
    fn value(&self, at: usize) -> Result<ValueRef<'w>, Fault> {
        self.row.get_ref(at).map_err(|e| fault_of(&e))
    }

    fn object(&mut self, shape: &Shape, out: &mut Vec<u8>) -> Result<(), Fault> {
        out.push(b'{');
        let mut first = true;
        for (label, condition, member) in &shape.members {
            if let Some(at) = condition
                && !matches!(self.value(*at)?, ValueRef::Integer(n) if n != 0)
            {
                continue;
            }
            if !first {
                out.push(b',');
            }
            first = false;
            out.extend_from_slice(label.as_bytes());
            match member {
                Member::Column(source) => write_json(source.scalar, self.value(source.at)?, out),
                Member::Reference { present, bare, shape } => {
                    if self.value(*present)? == ValueRef::Null {
                        write_json(bare.scalar, self.value(bare.at)?, out);
                    } else {
                        self.object(shape, out)?;
                    }
                }
                Member::Parts(at) => self.parts(*at, out)?,
            }
        }
        out.push(b'}');
        Ok(())
    }

    fn parts(&mut self, at: usize, out: &mut Vec<u8>) -> Result<(), Fault> {
        let Prepared { parts, select, .. } = self.prepared;
        let (Some(part), Some((_, key))) = (parts.get(at), select.parts.get(at)) else {
            return Err(Fault::Internal("parts without their statement".to_owned()));
        };
        let key = self.row.get_ref(key.at).map_err(|e| fault_of(&e))?;
        let position = part.root_bind.unwrap_or(self.binds.values.len());
        let binds = Binds { values: self.binds.values, around: Some((position, key, self.binds)) };
        part.run(self.connection, &binds, out, self.gathered)?;
        Ok(())
    }

    fn depend(&mut self) -> Result<(), Fault> {
        if !self.gathered.wanted() {
            return Ok(());
        }
        let Prepared { select, dependencies, .. } = self.prepared;
        for (join, source) in select.joined.iter().enumerate() {
            let value = self.value(source.at)?;
            if value != ValueRef::Null {
                dependencies.joined(join, self.gathered, |slots| slot_of(slots, value));
            }
        }
        Ok(())
    }
}

/// A thread's connection to one store. The thread alone reads with it; the writer's threads may take its snapshot
/// away between two reads, so that the log can be emptied.
pub(crate) struct Reader {
    connection: Connection,
    reads: Reads,
    view: View,
    generation: u64,
    /// Whether anything was read since somebody looked.
    used: bool,
    /// When the running read began, in nanoseconds since the connection was opened; 0 until anybody looks.
    started: Arc<AtomicU64>,
}

/// What a connection sees, and how.
#[derive(Debug, Clone, Copy)]
struct View {
    /// The commit sequence when its last snapshot was taken; the snapshot may be newer, never older.
    sequence: u64,
    /// Bytes of the file to map while snapshots last.
    mappable: u64,
    /// Whether the file is mapped.
    mapped: bool,
    /// Reads from this snapshot.
    reads: u32,
}

/// After this many reads from one snapshot the file is mapped, and so it is from the start if the snapshot before
/// lasted as long.
const LASTING: u32 = 256;

/// How long a read under way is waited for.
const PATIENCE: Duration = Duration::from_millis(10);

/// The readers of a store, as its writer sees them.
#[derive(Default)]
pub(crate) struct Readers(Mutex<Vec<Weak<Mutex<Reader>>>>);

/// Which snapshots are taken away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Whose {
    /// Those that a commit has made old.
    Old,
    /// Those from which nothing was read since the last look.
    Idle,
    /// All.
    All,
}

impl std::fmt::Debug for Readers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Readers").field(&self.0.lock().len()).finish()
    }
}

impl Readers {
    /// Takes snapshots away. A read under way is waited for only where all are to go, and no longer than it takes
    /// to answer most.
    pub fn release(&self, whose: Whose, committed: u64) {
        self.0.lock().retain(|reader| {
            let Some(reader) = reader.upgrade() else { return false };
            let patience = if whose == Whose::All { PATIENCE } else { Duration::ZERO };
            if let Some(mut reader) = reader.try_lock_for(patience) {
                let used = std::mem::replace(&mut reader.used, false);
                let wanted = match whose {
                    Whose::Old => reader.view.sequence != committed,
                    Whose::Idle => !used,
                    Whose::All => true,
                };
                if wanted {
                    // What cannot be ended now is ended by the next read, or shows itself there.
                    let _ = reader.end();
                }
            }
            true
        });
    }
}

impl Reader {
    fn connect(shared: &Shared) -> Result<Self, Fault> {
        let mut connection = open_reading(&shared.path, &shared.options)?;
        let started = Arc::new(AtomicU64::new(0));
        limit_time(&mut connection, shared.options.deadline, started.clone())
            .map_err(|error| fault_of(&error))?;
        let mappable = shared.options.mapped;
        let sequence = shared.answers.committed();
        Ok(Self {
            connection,
            reads: Reads::new(shared.options.statements),
            view: View { sequence, mappable, mapped: mappable > 0, reads: 0 },
            generation: shared.generation.load(Ordering::Acquire),
            used: false,
            started,
        })
    }

    /// Answers a read with all that was acknowledged before, and keeps the answer if `keep` says that it may pay.
    ///
    /// A new snapshot costs SQLite its page cache and its mapping of the file, so an older one is asked first: what
    /// it says holds while no commit since has touched a slot of the answer (see [`crate::cache`]).
    pub fn read(
        &mut self,
        shared: &Shared,
        read: &Read,
        binds: &[Value],
        keep: bool,
    ) -> Result<Rows, Fault> {
        let answers = &shared.answers;
        // Taken before the snapshot: the snapshot may be newer than its number, never older.
        let sequence = answers.committed();
        let Self { connection, reads, view, .. } = self;
        if !shared.reading.load(Ordering::Relaxed) {
            shared.reading.store(true, Ordering::Relaxed);
        }
        if view.sequence != sequence && !connection.is_autocommit() {
            // Where none of its tables was touched since, it is as good as new.
            let untouched = reads.untouched(read, answers, view.sequence);
            let rows = reads.read(connection, read, binds, keep || !untouched);
            // A failure may come of what has changed since, before its slot was gathered: then it is not believed.
            if untouched || (rows.is_ok() && answers.unmoved(reads.slots(), view.sequence)) {
                let rows = rows?;
                if keep {
                    answers.keep(read.id, binds, &rows, reads.slots(), view.sequence);
                }
                self.count().map_err(|e| fault_of(&e))?;
                return Ok(rows);
            }
        }
        self.refresh(sequence).map_err(|e| fault_of(&e))?;
        let Self { connection, reads, .. } = self;
        let rows = reads.read(connection, read, binds, keep)?;
        if keep {
            answers.keep(read.id, binds, &rows, reads.slots(), sequence);
        }
        Ok(rows)
    }

    /// Makes sure that the next read sees everything up to the commit `sequence`, at the least cost.
    ///
    /// Two system calls take a snapshot and give it back, more than the look-up of a row costs, so it is kept from
    /// one read to the next. And each new snapshot makes SQLite give up its mapping of the file, which costs more
    /// to set up again than the few pages of a read cost to copy: while snapshots change often, pages are copied.
    fn refresh(&mut self, sequence: u64) -> rusqlite::Result<()> {
        if self.view.sequence == sequence {
            self.count()?;
        } else {
            self.end()?;
            let lasted = self.view.reads >= LASTING;
            self.view = View { sequence, reads: 0, ..self.view };
            self.map(lasted)?;
        }
        if self.connection.is_autocommit() {
            self.connection.prepare_cached("BEGIN")?.execute([])?;
        }
        Ok(())
    }

    /// Counts a read, and maps the file once the snapshot has lasted for a while.
    fn count(&mut self) -> rusqlite::Result<()> {
        self.view.reads = self.view.reads.saturating_add(1);
        if self.view.reads == LASTING && !self.view.mapped && self.view.mappable > 0 {
            self.end()?;
            self.map(true)?;
        }
        Ok(())
    }

    fn map(&mut self, mapped: bool) -> rusqlite::Result<()> {
        if self.view.mapped == mapped || self.view.mappable == 0 {
            return Ok(());
        }
        self.view.mapped = mapped;
        let bytes = if mapped { self.view.mappable } else { 0 };
        let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
        self.connection.pragma_update_and_check(None, "mmap_size", bytes, |_| Ok(()))
    }

    /// Gives the snapshot back.
    fn end(&mut self) -> rusqlite::Result<()> {
        if !self.connection.is_autocommit() {
            self.connection.prepare_cached("COMMIT")?.execute([])?;
        }
        Ok(())
    }

    /// Executes a statement that only reads, over what is stored now.
    pub fn ask(
        &mut self,
        statement: &Statement,
        values: &[Value],
    ) -> Result<Vec<Vec<Value>>, Fault> {
        self.end().map_err(|error| fault_of(&error))?;
        session::ask(&self.connection, statement, values)
    }

    /// Whether the database answers.
    pub fn ping(&mut self) -> Result<(), Fault> {
        let answer =
            self.connection.query_row("SELECT 1 FROM sqlite_schema LIMIT 1", [], |_| Ok(()));
        match answer {
            Ok(()) | Err(rusqlite::Error::QueryReturnedNoRows) => Ok(()),
            Err(error) => Err(fault_of(&error)),
        }
    }
}

/// A store, and a thread's reader of it.
type Own = (Weak<Shared>, Arc<Mutex<Reader>>);

thread_local! {
    static READERS: RefCell<Vec<Own>> = const { RefCell::new(Vec::new()) };
}

/// Runs something on this thread's reader.
pub(crate) fn with_reader<T>(
    shared: &Arc<Shared>,
    action: impl FnOnce(&mut Reader) -> Result<T, Fault>,
) -> Result<T, Fault> {
    READERS.with(|readers| {
        let mut readers = readers
            .try_borrow_mut()
            .map_err(|_| Fault::Internal("a read inside a read".to_owned()))?;
        let known =
            readers.iter().position(|(store, _)| std::ptr::eq(store.as_ptr(), Arc::as_ptr(shared)));
        let at = match known {
            Some(at) => at,
            None => {
                // Connections of stores that are gone go with the next new one.
                readers.retain(|(store, _)| store.strong_count() > 0);
                let reader = Arc::new(Mutex::new(Reader::connect(shared)?));
                shared.readers.0.lock().push(Arc::downgrade(&reader));
                readers.push((Arc::downgrade(shared), reader));
                readers.len() - 1
            }
        };
        let Some((_, reader)) = readers.get(at) else {
            return Err(Fault::Internal("a connection went missing".to_owned()));
        };
        // Nobody else holds it for longer than it takes to end a snapshot.
        let mut reader = reader.lock();
        reader.used = true;
        reader.started.store(0, Ordering::Relaxed);
        let generation = shared.generation.load(Ordering::Acquire);
        if std::mem::replace(&mut reader.generation, generation) != generation {
            // What is prepared for the new tables must not be tried in a snapshot of the old ones.
            reader.end().map_err(|e| fault_of(&e))?;
            let Reader { connection, reads, .. } = &mut *reader;
            reads.clear(connection);
        }
        action(&mut reader)
    })
}

/// Ends a statement that runs longer than `deadline`. The clock is first read when a statement has worked for a
/// while, so that short ones never pay for it.
pub(crate) fn limit_time(
    connection: &mut Connection,
    deadline: Duration,
    started: Arc<AtomicU64>,
) -> rusqlite::Result<()> {
    let opened = Instant::now();
    let deadline = u64::try_from(deadline.as_nanos()).unwrap_or(u64::MAX);
    let handler = move || {
        let now = u64::try_from(opened.elapsed().as_nanos()).unwrap_or(u64::MAX).max(1);
        match started.load(Ordering::Relaxed) {
            0 => {
                started.store(now, Ordering::Relaxed);
                false
            }
            began => now.saturating_sub(began) > deadline,
        }
    };
    connection.progress_handler(INSTRUCTIONS, Some(handler))
}

/// SQLite looks at the clock each time it has run this many instructions, about half a millisecond.
const INSTRUCTIONS: i32 = 20_000;

/// Runs something that reads at length on this thread's connection, with a snapshot of its own.
pub(crate) fn with_connection<T>(
    shared: &Arc<Shared>,
    action: impl FnOnce(&Connection) -> Result<T, crate::StoreFault>,
) -> Result<T, crate::StoreFault> {
    let outcome = with_reader(shared, |reader| {
        reader.end().map_err(|e| fault_of(&e))?;
        Ok(action(&reader.connection))
    });
    outcome.unwrap_or_else(|fault| Err(crate::StoreFault::Database { reason: fault.to_string() }))
}

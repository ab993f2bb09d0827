//! Reads: prepared once for each connection, rows written straight from SQLite's columns as JSON.

use std::cell::{Cell, RefCell};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use bytes::Bytes;
use operation::{Cardinality, Dialect, Fault, Read, ReadId, Value};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, Statement};
use rustc_hash::FxHashMap;

use super::Shared;
use super::connection::{fault_of, open_reading};
use super::value::{bound, stored, write_json};
use crate::cache::{ColumnSlots, Dependencies, Gathered, Slot};
use crate::lower::{Member, Select, Shape};
use crate::{Row, Rows};

/// The prepared reads of one connection.
pub(crate) struct Reads<'c> {
    connection: &'c Connection,
    known: FxHashMap<ReadId, (u64, Prepared<'c>)>,
    most: usize,
    clock: u64,
    buffer: Vec<u8>,
    gathered: Gathered,
    view: View,
}

/// What a connection sees, and how.
#[derive(Debug, Clone, Copy)]
struct View {
    /// The commit sequence when its last snapshot was taken; the snapshot may be newer, never older.
    sequence: u64,
    /// Bytes of the file to map while nobody commits.
    mappable: u64,
    /// Whether the file is mapped.
    mapped: bool,
    /// Reads since the last commit, while the file is not mapped.
    calm: u32,
}

/// After this many reads without a commit in between the file is mapped again.
const CALM: u32 = 4_096;

/// A read as a statement, with the statements of its parts.
struct Prepared<'c> {
    statement: Statement<'c>,
    select: Select,
    dependencies: Dependencies,
    parts: Vec<Prepared<'c>>,
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

impl<'c> Reads<'c> {
    /// Nothing prepared yet; at most `most` reads stay prepared.
    pub fn new(connection: &'c Connection, most: usize) -> Self {
        Self {
            connection,
            known: FxHashMap::default(),
            most,
            clock: 0,
            buffer: Vec::new(),
            gathered: Gathered::default(),
            view: View { sequence: 0, mappable: 0, mapped: false, calm: 0 },
        }
    }

    /// Makes sure that the next read sees everything up to the commit `sequence`, at the least cost. Answers
    /// whether commits have come since the last read.
    ///
    /// Two system calls take a snapshot and give it back, more than the look-up of a row costs. A thread that
    /// says when it goes idle (see [`rest`]) therefore keeps its snapshot from one read to the next while nobody
    /// commits. And each new snapshot makes SQLite give up its mapping of the file, which costs more to set up
    /// again than the few pages of a read cost to copy: while commits come, pages are copied.
    fn refresh(&mut self, sequence: u64) -> rusqlite::Result<bool> {
        let view = &mut self.view;
        let moved = view.sequence != sequence;
        if moved {
            view.sequence = sequence;
            view.calm = 0;
            if !self.connection.is_autocommit() {
                self.connection.prepare_cached("COMMIT")?.execute([])?;
            }
            if view.mapped {
                view.mapped = false;
                self.connection.pragma_update_and_check(None, "mmap_size", 0, |_| Ok(()))?;
            }
        } else if !view.mapped && view.mappable > 0 {
            view.calm += 1;
            if view.calm == CALM {
                view.mapped = true;
                if !self.connection.is_autocommit() {
                    self.connection.prepare_cached("COMMIT")?.execute([])?;
                }
                let bytes = i64::try_from(view.mappable).unwrap_or(i64::MAX);
                self.connection.pragma_update_and_check(None, "mmap_size", bytes, |_| Ok(()))?;
            }
        }
        if RESTS.get() && self.connection.is_autocommit() {
            self.connection.prepare_cached("BEGIN")?.execute([])?;
        }
        Ok(moved)
    }

    /// Gives a snapshot back.
    fn rest(&self) {
        if !self.connection.is_autocommit() {
            // What cannot be ended now is ended by the next refresh, or shows itself there.
            let _ = self.connection.prepare_cached("COMMIT").and_then(|mut end| end.execute([]));
        }
    }

    /// Forgets every prepared statement.
    pub fn clear(&mut self) {
        self.known.clear();
    }

    /// Executes a read; with `gather`, the slots it depends on can be asked for afterwards.
    pub fn read(&mut self, read: &Read, binds: &[Value], gather: bool) -> Result<Rows, Fault> {
        self.clock += 1;
        if !self.known.contains_key(&read.id) {
            self.make_room();
            let prepared = prepare(self.connection, read)?;
            self.known.insert(read.id, (self.clock, prepared));
        }
        let Some((used, prepared)) = self.known.get_mut(&read.id) else {
            return Err(Fault::Internal("a statement went missing".to_owned()));
        };
        *used = self.clock;
        self.buffer.clear();
        self.gathered.reset(gather);
        let binds = Binds { values: binds, around: None };
        let outcome = prepared.run(&binds, &mut self.buffer, &mut self.gathered)?;
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

    /// Whether the database answers.
    pub fn ping(&mut self) -> Result<(), Fault> {
        let answer =
            self.connection.query_row("SELECT 1 FROM sqlite_schema LIMIT 1", [], |_| Ok(()));
        match answer {
            Ok(()) | Err(rusqlite::Error::QueryReturnedNoRows) => Ok(()),
            Err(error) => Err(fault_of(&error)),
        }
    }

    /// What the last read depends on.
    pub fn slots(&self) -> &[Slot] {
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

fn prepare<'c>(connection: &'c Connection, read: &Read) -> Result<Prepared<'c>, Fault> {
    let select = Select::of(read, Dialect::Sqlite)?;
    let statement = match connection.prepare(&select.text) {
        Ok(statement) => statement,
        // An index that cannot serve the filter, or is not there yet, is a hint that does not fit.
        Err(_) if read.index.is_some() => {
            let free = Read { index: None, ..read.clone() };
            return prepare(connection, &free);
        }
        Err(error) => return Err(fault_of(&error)),
    };
    let mut statement = statement;
    for (at, value) in &select.constants {
        statement.raw_bind_parameter(at + 1, bound(value)).map_err(|e| fault_of(&e))?;
    }
    let parts = select
        .parts
        .iter()
        .map(|(read, _)| prepare(connection, read))
        .collect::<Result<Vec<_>, _>>()?;
    let first_constant = select.constants.first().map(|(at, _)| *at);
    Ok(Prepared {
        binds: first_constant.unwrap_or_else(|| statement.parameter_count()),
        statement,
        dependencies: Dependencies::of(read),
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

impl Prepared<'_> {
    fn run(
        &mut self,
        binds: &Binds<'_>,
        out: &mut Vec<u8>,
        gathered: &mut Gathered,
    ) -> Result<Outcome, Fault> {
        for at in 0..self.binds {
            let value = binds.get(at).ok_or_else(|| {
                Fault::Internal(format!("the read needs a bind at position {at}"))
            })?;
            self.statement.raw_bind_parameter(at + 1, value).map_err(|e| fault_of(&e))?;
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
        let mut rows = self.statement.raw_query();
        let Some(limit) = limit else {
            if let Some(row) = rows.next().map_err(|e| fault_of(&e))? {
                let select = &self.select;
                let mut writing = Writing { row, select, parts: &mut self.parts, binds, gathered };
                writing.object(&select.shape, out)?;
                writing.depend(&self.dependencies)?;
                outcome.count = 1;
                if let Some(at) = select.version {
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
            let select = &self.select;
            let mut writing = Writing { row, select, parts: &mut self.parts, binds, gathered };
            writing.object(&select.shape, out)?;
            writing.depend(&self.dependencies)?;
            if outcome.count == limit {
                let mut values = Vec::with_capacity(select.order.len());
                for source in &select.order {
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
struct Writing<'w, 'r, 'c> {
    row: &'w rusqlite::Row<'r>,
    select: &'w Select,
    parts: &'w mut Vec<Prepared<'c>>,
    binds: &'w Binds<'w>,
    gathered: &'w mut Gathered,
}

impl<'w> Writing<'w, '_, '_> {
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
        let (Some(part), Some((_, key))) = (self.parts.get_mut(at), self.select.parts.get(at))
        else {
            return Err(Fault::Internal("parts without their statement".to_owned()));
        };
        let key = self.row.get_ref(key.at).map_err(|e| fault_of(&e))?;
        let position = part.root_bind.unwrap_or(self.binds.values.len());
        let binds = Binds { values: self.binds.values, around: Some((position, key, self.binds)) };
        part.run(&binds, out, self.gathered)?;
        Ok(())
    }

    fn depend(&mut self, dependencies: &Dependencies) -> Result<(), Fault> {
        if !self.gathered.wanted() {
            return Ok(());
        }
        for (join, source) in self.select.joined.iter().enumerate() {
            let value = self.value(source.at)?;
            if value != ValueRef::Null {
                dependencies.joined(join, self.gathered, |slots| slot_of(slots, value));
            }
        }
        Ok(())
    }
}

self_cell::self_cell!(
    struct Connected {
        owner: Connection,
        #[not_covariant]
        dependent: Reads,
    }
);

/// A thread's connection to one store.
struct Reader {
    store: Weak<Shared>,
    generation: u64,
    connected: Connected,
    /// When the running read began, in nanoseconds since the connection was opened; 0 until anybody looks.
    started: Arc<AtomicU64>,
}

thread_local! {
    static READERS: RefCell<Vec<Reader>> = const { RefCell::new(Vec::new()) };
    /// Whether this thread says when it goes idle, so that it may keep a snapshot until then.
    static RESTS: Cell<bool> = const { Cell::new(false) };
}

/// Gives back the snapshots that this thread's connections keep.
pub(crate) fn rest() {
    RESTS.set(true);
    READERS.with(|readers| {
        if let Ok(mut readers) = readers.try_borrow_mut() {
            for reader in readers.iter_mut() {
                reader.connected.with_dependent(|_, reads| reads.rest());
            }
        }
    });
}

/// Runs a read on this thread's connection, which sees all that was acknowledged before.
pub(crate) fn with_snapshot<T>(
    shared: &Arc<Shared>,
    action: impl FnOnce(&mut Reads<'_>) -> Result<T, Fault>,
) -> Result<T, Fault> {
    with_reads(shared, |reads| {
        // Taken before the snapshot: the snapshot may be newer than its number, never older.
        let sequence = shared.answers.committed();
        if reads.refresh(sequence).map_err(|e| fault_of(&e))? {
            shared.reading.store(true, Ordering::Relaxed);
        }
        action(reads)
    })
}

/// Runs something on this thread's connection.
pub(crate) fn with_reads<T>(
    shared: &Arc<Shared>,
    action: impl FnOnce(&mut Reads<'_>) -> Result<T, Fault>,
) -> Result<T, Fault> {
    READERS.with(|readers| {
        let mut readers = readers
            .try_borrow_mut()
            .map_err(|_| Fault::Internal("a read inside a read".to_owned()))?;
        let known =
            readers.iter().position(|r| std::ptr::eq(r.store.as_ptr(), Arc::as_ptr(shared)));
        let at = match known {
            Some(at) => at,
            None => {
                // Connections of stores that are gone go with the next new one.
                readers.retain(|reader| reader.store.strong_count() > 0);
                readers.push(connect(shared)?);
                readers.len() - 1
            }
        };
        let Some(reader) = readers.get_mut(at) else {
            return Err(Fault::Internal("a connection went missing".to_owned()));
        };
        reader.started.store(0, Ordering::Relaxed);
        let generation = shared.generation.load(Ordering::Acquire);
        let stale = reader.generation != generation;
        reader.generation = generation;
        reader.connected.with_dependent_mut(|_, reads| {
            if stale {
                reads.clear();
            }
            action(reads)
        })
    })
}

fn connect(shared: &Arc<Shared>) -> Result<Reader, Fault> {
    let mut connection = open_reading(&shared.path, &shared.options)?;
    let started = Arc::new(AtomicU64::new(0));
    limit_time(&mut connection, shared.options.deadline, started.clone())
        .map_err(|error| fault_of(&error))?;
    let most = shared.options.statements;
    Ok(Reader {
        store: Arc::downgrade(shared),
        generation: shared.generation.load(Ordering::Acquire),
        connected: Connected::new(connection, |connection| {
            let mut reads = Reads::new(connection, most);
            let mappable = shared.options.mapped;
            let mapped = mappable > 0;
            reads.view = View { sequence: shared.answers.committed(), mappable, mapped, calm: 0 };
            reads
        }),
        started,
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

/// Runs something of the schema's on this thread's connection.
pub(crate) fn with_connection<T>(
    shared: &Arc<Shared>,
    action: impl FnOnce(&Connection) -> Result<T, crate::StoreFault>,
) -> Result<T, crate::StoreFault> {
    let outcome = with_reads(shared, |reads| Ok(action(reads.connection)));
    outcome.unwrap_or_else(|fault| Err(crate::StoreFault::Database { reason: fault.to_string() }))
}

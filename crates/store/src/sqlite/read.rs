//! Reads: prepared once for each connection, rows written straight from SQLite's columns as JSON.

use bytes::Bytes;
use operation::{Cardinality, Fault, Read, ReadId, Value};
use rusqlite::Connection;
use rusqlite::types::ValueRef;
use rustc_hash::FxHashMap;

use super::connection::fault_of;
use super::value::{bound, stored, write_json};
use crate::cache::{Answers, ColumnSlots, Dependencies, Gathered, Slot};
use crate::lower::{Member, Select, Shape};
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
    pub fn untouched(&self, read: &Read, answers: &Answers, sequence: u64) -> bool {
        let known = self.known.get(&read.id);
        known.is_some_and(|(_, prepared)| answers.unmoved(&prepared.tables, sequence))
    }

    /// What the last read depends on, if it was asked to gather that.
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
            out.extend_from_slice(&label.as_bytes()[usize::from(first)..]);
            first = false;
            match member {
                Member::Column(source) => write_json(source.scalar, self.value(source.at)?, out),
                Member::Reference { present, bare, shape, .. } => {
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

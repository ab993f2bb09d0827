//! Answers that survive commits.
//!
//! An answer is kept with the commit sequence that was current before it was read, and with the slots it depends
//! on: hashes of (table, column, value), of a whole table, or of a table's rows that may change without being
//! named. The writer stores the coming sequence into every slot that its rows touch before it commits, and
//! publishes the sequence after. An answer is valid while no slot of it is newer than the answer. Two things that
//! share a slot make each other stale, never fresh.
//!
//! Why this is right: a reader that took sequence `g` before its snapshot saw every commit up to `g`. A commit
//! `s > g` that touches one of its slots stored `s` there before it became visible, so from the moment that the
//! commit can be acknowledged the answer is refused.

use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

use operation::{Comparison, Expression, Read, ReadId, Table, Value};
use quick_cache::sync::Cache;
use quick_cache::{Equivalent, Weighter};
use rustc_hash::{FxBuildHasher, FxHasher};
use smallvec::SmallVec;

use crate::Rows;
use crate::lower::conditions;

/// Position among the slots.
pub(crate) type Slot = u32;

/// How many slots there are, a power of two; each takes eight bytes once it is touched.
///
/// What shares a slot by chance makes each other stale. A reader's snapshot ends with the first read that finds one of
/// its slots touched, so where writes and reads have little in common it lasts for about the square root of so many
/// reads.
const SLOTS: usize = 1 << 18;

/// The slot that every answer depends on: it moves when something unknown may have changed anything.
pub(crate) const EVERYTHING: Slot = 0;

/// The longest answer that is kept, in bytes.
const LONGEST: usize = 64 << 10;

/// The most slots that one answer's rows may add before whole tables stand in for them.
const MOST: usize = 64;

/// Kept answers.
#[derive(Debug)]
pub(crate) struct Answers {
    slots: Box<[AtomicU64]>,
    committed: AtomicU64,
    kept: Option<Cache<Key, Arc<Kept>, Bytes, FxBuildHasher>>,
    seen: Box<[AtomicU32]>,
    /// Whether there is room for more answers.
    room: AtomicBool,
    inserted: AtomicU64,
    hits: AtomicU64,
    misses: AtomicU64,
}

#[derive(Debug, PartialEq, Eq)]
struct Key {
    id: ReadId,
    binds: Box<[Value]>,
}

struct KeyRef<'a> {
    id: ReadId,
    binds: &'a [Value],
}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        KeyRef { id: self.id, binds: &self.binds }.hash(state);
    }
}

impl Hash for KeyRef<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.id.hash(state);
        for value in self.binds {
            value.hash(state);
        }
    }
}

impl Equivalent<Key> for KeyRef<'_> {
    fn equivalent(&self, key: &Key) -> bool {
        self.id == key.id && *self.binds == *key.binds
    }
}

#[derive(Debug)]
struct Kept {
    rows: Rows,
    sequence: u64,
    /// Most answers depend on few, and an answer that is kept has its memory at once.
    slots: SmallVec<[Slot; 12]>,
    bytes: u64,
}

#[derive(Debug, Clone)]
struct Bytes;

impl Weighter<Key, Arc<Kept>> for Bytes {
    fn weight(&self, _: &Key, kept: &Arc<Kept>) -> u64 {
        kept.bytes
    }
}

/// What a look at the kept answers found.
pub(crate) enum Look {
    /// A valid answer.
    Hit(Rows),
    /// None.
    Miss {
        /// Whether the same was asked for before, so that keeping it pays.
        keep: bool,
    },
}

impl Answers {
    /// Room for `capacity` bytes of answers; none are kept if it is 0.
    pub fn new(capacity: u64) -> Self {
        // The average answer is guessed at 512 bytes; a wrong guess costs a little memory, nothing else.
        let items = usize::try_from(capacity / 512).unwrap_or(usize::MAX).clamp(16, 1 << 20);
        let kept = (capacity > 0)
            .then(|| Cache::with(items, capacity, Bytes, FxBuildHasher, Default::default()));
        let seen = if kept.is_some() { SEEN } else { 0 };
        Self {
            slots: (0..SLOTS).map(|_| AtomicU64::new(0)).collect(),
            committed: AtomicU64::new(0),
            kept,
            seen: (0..seen).map(|_| AtomicU32::new(0)).collect(),
            room: AtomicBool::new(true),
            inserted: AtomicU64::new(0),
            hits: AtomicU64::new(0),
            misses: AtomicU64::new(0),
        }
    }

    /// Looks for a valid answer.
    pub fn look(&self, id: ReadId, binds: &[Value]) -> Look {
        let Some(kept) = &self.kept else { return Look::Miss { keep: false } };
        let key = KeyRef { id, binds };
        let stale = match kept.get(&key) {
            Some(answer) if self.unmoved(&answer.slots, answer.sequence) => {
                self.hits.fetch_add(1, Ordering::Relaxed);
                return Look::Hit(answer.rows.clone());
            }
            other => other.is_some(),
        };
        self.misses.fetch_add(1, Ordering::Relaxed);
        // What was kept is kept anew, and while there is room everything is. Without room an answer is kept from
        // the second time on that it is asked for, so that questions which never come back push nothing out
        // and cost one load and one store.
        let room = self.room.load(Ordering::Relaxed);
        Look::Miss { keep: stale || room || self.seen_before(&key) }
    }

    /// Keeps an answer.
    pub fn keep(&self, id: ReadId, binds: &[Value], rows: &Rows, slots: &[Slot], sequence: u64) {
        let Some(kept) = &self.kept else { return };
        let length = match rows {
            Rows::One(row) => row.as_ref().map_or(0, |row| row.json.len()),
            Rows::Page { json, .. } => json.len(),
        };
        // An answer that is stale already would only push out others.
        if length > LONGEST || !self.unmoved(slots, sequence) {
            return;
        }
        let texts: usize = binds
            .iter()
            .map(|value| match value {
                Value::Text(text) => text.len(),
                Value::Bytes(bytes) => bytes.len(),
                _ => 0,
            })
            .sum();
        let mut bytes = length + texts + size_of_val(binds) + 240;
        let slots = SmallVec::from_slice(slots);
        if slots.spilled() {
            bytes += size_of_val(&*slots);
        }
        let key = Key { id, binds: binds.into() };
        let answer = Kept { rows: rows.clone(), sequence, slots, bytes: bytes as u64 };
        kept.insert(key, Arc::new(answer));
        // Asked now and then, because the question goes through all of the cache's locks.
        if self.inserted.fetch_add(1, Ordering::Relaxed).is_multiple_of(256) {
            let room = kept.weight() < kept.capacity() / 8 * 7;
            self.room.store(room, Ordering::Relaxed);
        }
    }

    /// Whether none of these slots is newer than `sequence`.
    pub fn unmoved(&self, slots: &[Slot], sequence: u64) -> bool {
        slots.iter().all(|slot| self.slot(*slot) <= sequence)
    }

    /// Before a commit: these slots will be as new as `sequence`.
    pub fn touch(&self, slots: &[Slot], sequence: u64) {
        for slot in slots {
            if let Some(slot) = self.slots.get(*slot as usize) {
                slot.store(sequence, Ordering::SeqCst);
            }
        }
    }

    /// The sequence of the next commit. Only the writer asks.
    pub fn next(&self) -> u64 {
        self.committed.load(Ordering::SeqCst) + 1
    }

    /// The sequence of the last commit that was published.
    pub fn committed(&self) -> u64 {
        self.committed.load(Ordering::SeqCst)
    }

    /// After a commit, or after the attempt failed: answers read from now on are this new.
    pub fn publish(&self, sequence: u64) {
        self.committed.store(sequence, Ordering::SeqCst);
    }

    /// Hits, misses and bytes kept.
    pub fn figures(&self) -> (u64, u64, u64) {
        let bytes = self.kept.as_ref().map_or(0, Cache::weight);
        (self.hits.load(Ordering::Relaxed), self.misses.load(Ordering::Relaxed), bytes)
    }

    fn slot(&self, slot: Slot) -> u64 {
        self.slots.get(slot as usize).map_or(u64::MAX, |slot| slot.load(Ordering::SeqCst))
    }

    /// Whether this question was asked lately.
    fn seen_before(&self, key: &KeyRef<'_>) -> bool {
        let mut hasher = FxHasher::default();
        key.hash(&mut hasher);
        let hash = hasher.finish();
        let mark = (hash >> 32) as u32 | 1;
        let Some(cell) = self.seen.get(hash as usize % SEEN) else { return false };
        if cell.load(Ordering::Relaxed) == mark {
            return true;
        }
        cell.store(mark, Ordering::Relaxed);
        false
    }
}

/// Questions that are remembered as asked lately; each takes four bytes.
const SEEN: usize = 1 << 17;

/// The slot of everything in a table: it moves with each named change of a row.
pub(crate) fn table_slot(table: &Table) -> Slot {
    fold(hash_of(table.name.as_str(), "", 1))
}

/// The slot of a table's rows that may change without being named: by a cascade, for one.
pub(crate) fn unseen_slot(table: &str) -> Slot {
    fold(hash_of(table, "", 2))
}

/// The slots of the rows with a value in a column.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ColumnSlots(u64);

impl ColumnSlots {
    /// Of a column; `None` if the writer does not track it.
    pub fn of(table: &Table, column: usize) -> Option<Self> {
        if !table.tracked.contains(&column) {
            return None;
        }
        let column = table.columns.get(column)?;
        Some(Self(hash_of(table.name.as_str(), column.name.as_str(), 3)))
    }

    /// Of the rows with this value.
    pub fn value(self, value: &Value) -> Slot {
        match value {
            Value::Null => self.hashed(0, 0),
            Value::Bool(b) => self.integer(i64::from(*b)),
            Value::Int(n) => self.integer(*n),
            Value::Float(f) => self.hashed(2, (f + 0.0).to_bits()),
            Value::Text(text) => self.bytes(text.as_bytes()),
            Value::Uuid(bytes) => self.bytes(bytes),
            Value::Bytes(bytes) => self.bytes(bytes),
        }
    }

    /// Of the rows with this integer.
    pub fn integer(self, n: i64) -> Slot {
        self.hashed(1, n.cast_unsigned())
    }

    /// Of the rows with this text or these bytes.
    pub fn bytes(self, bytes: &[u8]) -> Slot {
        let mut hasher = FxHasher::default();
        hasher.write(bytes);
        self.hashed(3, hasher.finish())
    }

    fn hashed(self, tag: u64, value: u64) -> Slot {
        let mut hasher = FxHasher::default();
        hasher.write_u64(self.0);
        hasher.write_u64(tag);
        hasher.write_u64(value);
        fold(hasher.finish())
    }
}

fn hash_of(table: &str, column: &str, kind: u8) -> u64 {
    let mut hasher = FxHasher::default();
    hasher.write_u8(kind);
    // By name and not by position: positions move when another model is loaded while requests run.
    table.hash(&mut hasher);
    column.hash(&mut hasher);
    hasher.finish()
}

fn fold(hash: u64) -> Slot {
    let mixed = hash.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    // Slot 0 is taken.
    ((mixed >> (64 - SLOTS.trailing_zeros())) as Slot).max(1)
}

/// What a compiled read depends on, as far as the template tells.
#[derive(Debug)]
pub(crate) struct Dependencies {
    /// Slots of every execution.
    fixed: SmallVec<[Slot; 4]>,
    /// The rows themselves: by the value of a bind.
    bound: Option<(ColumnSlots, usize)>,
    /// The table, where there would be too many of these.
    whole: Slot,
    /// Every table, by the slots that move with any change of a row of it.
    tables: Vec<Slot>,
    /// For each join the slots of the rows joined, by key.
    joined: Vec<(Option<ColumnSlots>, Slot)>,
}

impl Dependencies {
    /// Of a read; parts have dependencies of their own.
    pub fn of(read: &Read) -> Self {
        let mut fixed: SmallVec<[Slot; 4]> = SmallVec::new();
        let mut add = |slot: Slot| {
            if !fixed.contains(&slot) {
                fixed.push(slot);
            }
        };
        add(EVERYTHING);
        add(unseen_slot(read.table.name.as_str()));
        let mut tables = vec![EVERYTHING];
        let mut look_into = |table: &Table| {
            tables.extend([table_slot(table), unseen_slot(table.name.as_str())]);
        };
        look_into(&read.table);
        let mut bound = None;
        match narrowest(read) {
            Some((slots, Expression::Bind(at))) => bound = Some((slots, *at)),
            Some((slots, Expression::Literal(value))) => add(slots.value(value)),
            _ => add(table_slot(&read.table)),
        }
        let mut joined = Vec::new();
        for join in &read.joins {
            look_into(&join.table);
            add(unseen_slot(join.table.name.as_str()));
            let slots = ColumnSlots::of(&join.table, join.table.own_key());
            if slots.is_none() {
                add(table_slot(&join.table));
            }
            joined.push((slots, table_slot(&join.table)));
        }
        let mut inside = |expression: &Expression| {
            expression.visit(&mut |e| {
                if let Expression::Lookup { table, .. } | Expression::Aggregate { table, .. } = e {
                    look_into(table);
                    add(table_slot(table));
                    add(unseen_slot(table.name.as_str()));
                }
            });
        };
        inside(&read.filter);
        read.joins.iter().for_each(|join| inside(&join.condition));
        conditions(&read.output, &mut inside);
        Self { fixed, bound, whole: table_slot(&read.table), tables, joined }
    }

    /// Every table that the read itself looks into: while none of these slots moves, its answer stays what it is.
    pub fn tables(&self) -> &[Slot] {
        &self.tables
    }

    /// Begins an execution; `slot` knows its binds.
    pub fn begin(&self, gathered: &mut Gathered, slot: impl Fn(ColumnSlots, usize) -> Slot) {
        if gathered.slots.is_empty() && gathered.wanted {
            // Each of them is there once.
            gathered.slots.extend_from_slice(&self.fixed);
        } else {
            self.fixed.iter().for_each(|slot| gathered.add(*slot));
        }
        if let Some((slots, at)) = self.bound {
            if gathered.slots.len() >= MOST {
                gathered.add(self.whole);
            } else {
                gathered.add(slot(slots, at));
            }
        }
    }

    /// A row was joined by `slot` of its key.
    pub fn joined(&self, join: usize, gathered: &mut Gathered, slot: impl Fn(ColumnSlots) -> Slot) {
        let Some((Some(slots), table)) = self.joined.get(join) else { return };
        if gathered.slots.len() >= MOST {
            gathered.add(*table);
        } else {
            gathered.add(slot(*slots));
        }
    }
}

/// The column equal to one value in every row of a read, the most telling one: the key, then a reference.
fn narrowest(read: &Read) -> Option<(ColumnSlots, &Expression)> {
    let mut best: Option<(u8, ColumnSlots, &Expression)> = None;
    conjuncts(&read.filter, &mut |term| {
        let Expression::Compare(Comparison::Equal, a, b) = term else { return };
        let (column, value) = match (&**a, &**b) {
            (Expression::Column { depth: 0, column }, value)
            | (value, Expression::Column { depth: 0, column }) => (*column, value),
            _ => return,
        };
        if !matches!(value, Expression::Bind(_) | Expression::Literal(_)) {
            return;
        }
        let Some(slots) = ColumnSlots::of(&read.table, column) else { return };
        let rank = if column == read.table.own_key() && read.table.root.is_none() {
            0
        } else if read.table.root == Some(column) {
            1
        } else if read.table.foreign_keys.iter().any(|key| key.column == column) {
            2
        } else {
            3
        };
        if best.as_ref().is_none_or(|(known, ..)| rank < *known) {
            best = Some((rank, slots, value));
        }
    });
    best.map(|(_, slots, value)| (slots, value))
}

fn conjuncts<'e>(expression: &'e Expression, each: &mut impl FnMut(&'e Expression)) {
    match expression {
        Expression::And(terms) => {
            for term in terms {
                conjuncts(term, each);
            }
        }
        other => each(other),
    }
}

/// The slots that one execution depends on.
#[derive(Debug, Default)]
pub(crate) struct Gathered {
    slots: SmallVec<[Slot; 32]>,
    /// Whether anybody will ask.
    wanted: bool,
}

impl Gathered {
    /// Empties it for the next execution; if not `wanted`, nothing is gathered.
    pub fn reset(&mut self, wanted: bool) {
        self.slots.clear();
        self.wanted = wanted;
    }

    /// The slots gathered.
    pub fn slots(&self) -> &[Slot] {
        &self.slots
    }

    /// Whether slots are gathered at all.
    pub fn wanted(&self) -> bool {
        self.wanted
    }

    fn add(&mut self, slot: Slot) {
        if self.wanted && !self.slots.contains(&slot) {
            self.slots.push(slot);
        }
    }
}

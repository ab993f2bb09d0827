//! Rows as they stand in the writer's transaction, so that a command need not ask for them.
//!
//! One thread writes, and each write says which rows it changes: a row that was read stays what it is until then. All is
//! forgotten where somebody else may have written, and where something that was written is taken back.
//!
//! Other threads look here as well, without knowing whether what they find is committed or will be: what comes of it holds only
//! where the writer finds the very same row here when its turn has come.

use std::hash::Hash;
use std::sync::Arc;

use operation::{Ident, Table, Value};
use quick_cache::sync::{Cache, DefaultLifecycle};
use quick_cache::{Equivalent, OptionsBuilder, Weighter};
use rustc_hash::FxBuildHasher;

/// Bytes of rows that are remembered.
const CAPACITY: u64 = 16 << 20;

/// How many locks guard them, however many processors there are: each has its share of the bytes.
const SHARDS: usize = 8;

/// A zero whose sign SQLite does not keep.
const SIGNED_ZERO: u64 = (-0.0_f64).to_bits();

/// What a row is guessed to take: a wrong guess costs a little memory.
const GUESS: u64 = 512;

#[derive(Debug, PartialEq, Eq, Hash)]
struct Key {
    table: Ident,
    key: Value,
}

/// The same, borrowed: it must hash alike.
#[derive(Hash)]
struct Sought<'k> {
    table: &'k Ident,
    key: &'k Value,
}

impl Equivalent<Key> for Sought<'_> {
    fn equivalent(&self, key: &Key) -> bool {
        *self.table == key.table && *self.key == key.key
    }
}

#[derive(Debug, Clone)]
struct Row {
    /// Another version of the model may give it other columns.
    table: Arc<Table>,
    values: Arc<[Value]>,
    bytes: u64,
}

#[derive(Debug, Clone)]
struct Bytes;

impl Weighter<Key, Row> for Bytes {
    fn weight(&self, _: &Key, row: &Row) -> u64 {
        row.bytes
    }
}

/// Rows by table and key.
#[derive(Debug)]
pub(super) struct Remembered {
    rows: Cache<Key, Row, Bytes, FxBuildHasher>,
}

impl Remembered {
    pub fn new() -> Self {
        let items = usize::try_from(CAPACITY / GUESS).unwrap_or(usize::MAX);
        let options = OptionsBuilder::new()
            .estimated_items_capacity(items)
            .weight_capacity(CAPACITY)
            .shards(SHARDS)
            .build();
        let lifecycle = DefaultLifecycle::default();
        let rows = match options {
            Ok(options) => Cache::with_options(options, Bytes, FxBuildHasher, lifecycle),
            Err(_) => Cache::with(items, CAPACITY, Bytes, FxBuildHasher, lifecycle),
        };
        Self { rows }
    }

    /// A row as it stands, if it is known.
    pub fn get(&self, table: &Arc<Table>, key: &Value) -> Option<Arc<[Value]>> {
        let row = self.rows.get(&Sought { table: &table.name, key })?;
        let is_same = Arc::ptr_eq(&row.table, table) || row.table == *table;
        is_same.then_some(row.values)
    }

    /// Takes note of a row as it stands: read now, or written by values that come back as they went.
    pub fn put(&self, table: &Arc<Table>, values: &Arc<[Value]>) {
        let Some(key) = values.get(table.own_key()).cloned() else { return };
        // SQLite gives a zero back without its sign, and columns of others do not keep all that they are given.
        let loses_sign =
            |value: &Value| matches!(value, Value::Float(n) if n.to_bits() == SIGNED_ZERO);
        if table.columns.iter().any(|column| column.native.is_some())
            || values.iter().any(loses_sign)
        {
            self.forget(table, &key);
            return;
        }
        let of = |value: &Value| match value {
            Value::Text(text) => text.len(),
            Value::Bytes(bytes) => bytes.len(),
            _ => 0,
        };
        let own = values.len() * size_of::<Value>() + values.iter().map(of).sum::<usize>();
        // A key, counters, and the room in the table: some hundred bytes.
        let bytes = own as u64 + 128;
        let key = Key { table: table.name.clone(), key };
        self.rows.insert(key, Row { table: table.clone(), values: values.clone(), bytes });
    }

    /// Forgets a row that changes.
    pub fn forget(&self, table: &Table, key: &Value) {
        self.rows.remove(&Sought { table: &table.name, key });
    }

    /// Forgets all.
    pub fn clear(&self) {
        if !self.rows.is_empty() {
            self.rows.clear();
        }
    }
}

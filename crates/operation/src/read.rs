//! Reads: what rows, and what JSON comes of them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::{Expression, Ident, Table};

/// Identity of a compiled statement, unique in the process: what stores cache prepared statements and answers by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ReadId(u64);

impl ReadId {
    /// An identity that no other statement has.
    pub fn fresh() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }

    /// The bare number.
    pub fn number(self) -> u64 {
        self.0
    }
}

/// A compiled read. Source 0 is [`Read::table`], source `n` is `joins[n - 1]`.
///
/// All its expressions see the row of source 0 at depth 0, except a join's condition, which sees the joined row
/// at depth 0.
#[derive(Debug, Clone)]
pub struct Read {
    /// Identity.
    pub id: ReadId,
    /// Where the rows come from.
    pub table: Arc<Table>,
    /// References that are answered as objects.
    pub joins: Vec<Join>,
    /// Which rows: the caller's filter and the policy, one condition.
    pub filter: Expression,
    /// In which order. For a page it ends with the key, so that it is total.
    pub order: Vec<Order>,
    /// How many rows.
    pub cardinality: Cardinality,
    /// The JSON object made of each row.
    pub output: Object,
    /// Position where the store appends the key of the enclosing row, when this reads parts: the number of binds
    /// of the enclosing read.
    pub root_bind: Option<usize>,
    /// An index the rows should be found by, where the plan knows better than the database.
    pub index: Option<Ident>,
}

/// How many rows a read answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cardinality {
    /// None or one.
    One,
    /// A page: at most as many as the bind at `limit` says; the store looks one row further to know whether more
    /// follow.
    Page {
        /// Bind position of the page's size.
        limit: usize,
    },
    /// All, because the model bounds them (parts). The number is the model's bound.
    Bounded(u32),
}

/// A reference followed: a left join by the target's single-column key.
#[derive(Debug, Clone)]
pub struct Join {
    /// The target.
    pub table: Arc<Table>,
    /// The source that refers.
    pub source: usize,
    /// The referring column of that source.
    pub column: usize,
    /// The target's policy, with the target's row at depth 0. A row that fails it counts as absent.
    pub condition: Expression,
}

/// One term of an order.
#[derive(Debug, Clone, PartialEq)]
pub struct Order {
    /// Column of source 0.
    pub column: usize,
    /// Whether it descends. Nulls come first when ascending, last when descending, on every store.
    pub descending: bool,
}

/// A JSON object.
#[derive(Debug, Clone, Default)]
pub struct Object {
    /// Its members, in order.
    pub fields: Vec<Field>,
}

/// A member of a JSON object.
#[derive(Debug, Clone)]
pub struct Field {
    /// The member's name as JSON text with its colon: `"name":`.
    pub label: Box<str>,
    /// Its value.
    pub output: Output,
    /// If set, the member is absent where this is not true (field policy). Depth 0 is the row of the source that
    /// the object belongs to.
    pub condition: Option<Expression>,
}

/// A member's value.
#[derive(Debug, Clone)]
pub enum Output {
    /// A column, written by its scalar.
    Column {
        /// Which source.
        source: usize,
        /// Which column.
        column: usize,
    },
    /// A reference as an object, or as its bare key where the joined row is absent.
    Reference {
        /// The source (1 + position of the join).
        source: usize,
        /// What of the target.
        object: Object,
    },
    /// Parts as an array of objects.
    Parts(Box<Parts>),
}

/// The parts of a row.
#[derive(Debug, Clone)]
pub struct Parts {
    /// The source whose own key is the parts' root.
    pub source: usize,
    /// Reads the part's table; its [`Read::root_bind`] is set.
    pub read: Arc<Read>,
}

impl Field {
    /// A member that is always there.
    pub fn new(name: &str, output: Output) -> Self {
        let mut label = Vec::with_capacity(name.len() + 3);
        crate::scalar::write_json_string(name, &mut label);
        label.push(b':');
        Self { label: String::from_utf8_lossy(&label).into(), output, condition: None }
    }
}

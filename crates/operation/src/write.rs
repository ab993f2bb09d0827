//! Writes: one aggregate changed in one transaction.
//!
//! What can be decided without the database was decided before: types, bounds, computed values of a new row,
//! checks and grants that need no other table. What is here is what the store still has to look at.

use std::sync::Arc;

use crate::{Chore, Command, Expression, Read, ReadId, Table, Value};

/// One change of one aggregate.
#[derive(Debug, Clone)]
pub enum Write {
    /// A new root with its parts.
    Create(Create),
    /// A change of a root, of its parts, or of both.
    Edit(Edit),
    /// The end of a root and its parts.
    Delete(Delete),
    /// A transaction that the model describes.
    Command(Command),
    /// Work on the queue of tasks.
    Chore(Chore),
}

impl Write {
    /// Whether it may be begun anew after it has failed, and seldom fails after it has written: a task is ended before it is done,
    /// and what code has done outside of the database cannot be taken back.
    pub fn may_be_repeated(&self) -> bool {
        match self {
            Self::Create(_) | Self::Edit(_) | Self::Delete(_) => true,
            Self::Command(command) => command.code.is_none() && command.settles.is_none(),
            Self::Chore(_) => false,
        }
    }
}

/// Lets a write be asked for again without being done again: what came of it is kept with it, in its transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Receipt {
    /// Names the write: a digest of who asks and of the key that they chose.
    pub key: [u8; 32],
    /// A digest of the request, by which another request under the same key is told apart.
    pub request: [u8; 32],
    /// The moment of asking, in microseconds since 1970-01-01T00:00:00Z: receipts are not kept for ever.
    pub now: i64,
}

/// A decision about a row.
#[derive(Debug, Clone, PartialEq)]
pub enum Guard {
    /// Never.
    Never,
    /// Always.
    Always,
    /// Where this is true, with the row at depth 0.
    When(Expression),
}

impl Guard {
    /// The guard as an expression.
    pub fn expression(&self) -> Expression {
        match self {
            Self::Never => Expression::no(),
            Self::Always => Expression::yes(),
            Self::When(expression) => expression.clone(),
        }
    }

    /// The guard that an expression makes, constants recognised.
    pub fn of(expression: Expression) -> Self {
        match expression {
            Expression::Literal(Value::Bool(true)) => Self::Always,
            Expression::Literal(_) => Self::Never,
            other => Self::When(other),
        }
    }
}

/// What a store must know to change one entity for one set of roles: compiled once, shared by requests.
#[derive(Debug, Clone)]
pub struct Target {
    /// Identity, for prepared statements.
    pub id: ReadId,
    /// The root's table.
    pub table: Arc<Table>,
    /// Who sees the row: one that is not seen is [`Fault::NotFound`](crate::Fault::NotFound).
    pub visible: Guard,
    /// Computed columns, in the order in which they can be computed.
    pub computed: Vec<Computed>,
    /// Rules over the row and its parts.
    pub checks: Vec<Check>,
    /// Legal transitions.
    pub flows: Vec<Flow>,
    /// References of the root's own columns.
    pub references: Vec<ReferenceRule>,
    /// Columns that a replacement may name, but only with the value they have.
    pub immutable: Vec<usize>,
    /// The parts.
    pub parts: Vec<PartTarget>,
}

/// A part of a [`Target`].
#[derive(Debug, Clone)]
pub struct PartTarget {
    /// The member that holds the parts (`lines`).
    pub name: Box<str>,
    /// The part's table.
    pub table: Arc<Table>,
    /// The fewest that a root may have.
    pub minimum: u32,
    /// The most that a root may have.
    pub maximum: u32,
    /// Whether the key is the hidden 1-based position in the array.
    pub positional: bool,
    /// Computed columns.
    pub computed: Vec<Computed>,
    /// Rules over one part's row.
    pub checks: Vec<Check>,
    /// Legal transitions.
    pub flows: Vec<Flow>,
    /// References of the part's own columns, the root's column left out.
    pub references: Vec<ReferenceRule>,
}

/// A computed column.
#[derive(Debug, Clone)]
pub struct Computed {
    /// Which column.
    pub column: usize,
    /// Its value; local, aggregates over own parts included.
    pub expression: Expression,
}

/// A rule that must not be false; unknown passes, as in SQL.
#[derive(Debug, Clone)]
pub struct Check {
    /// The rule.
    pub expression: Expression,
    /// For the caller.
    pub message: Box<str>,
    /// The field to point at (empty: the whole object).
    pub field: Box<str>,
}

/// The legal transitions of an enum column.
#[derive(Debug, Clone)]
pub struct Flow {
    /// The column.
    pub column: usize,
    /// From which value to which; staying is always legal.
    pub transitions: Vec<(Box<str>, Vec<Box<str>>)>,
}

/// A reference that a caller may set.
#[derive(Debug, Clone)]
pub struct ReferenceRule {
    /// The referring column.
    pub column: usize,
    /// The table referred to.
    pub target: Arc<Table>,
    /// Which targets the caller may name: those it may see. The target's row is at depth 0.
    pub visible: Guard,
}

/// Leave to change some fields where a condition holds.
#[derive(Debug, Clone)]
pub struct Permission {
    /// The columns, or all.
    pub columns: Option<Vec<usize>>,
    /// The parts by position, or all.
    pub parts: Option<Vec<usize>>,
    /// Where.
    pub guard: Guard,
}

/// A new root.
#[derive(Debug, Clone)]
pub struct Create {
    /// What is written.
    pub target: Arc<Target>,
    /// This caller's values, for the guards and for the answer.
    pub binds: Vec<Value>,
    /// A value for every column of the root's table; an `auto` key is null, the version is 1.
    pub row: PartRow,
    /// For each of the target's parts its rows; the root's column is filled by the store when the key is `auto`.
    pub parts: Vec<Vec<PartRow>>,
    /// Must be true of the stored row: what of the grant could not be decided before.
    pub guard: Guard,
    /// Reads the answer; the root's key is appended to `binds`.
    pub answer: Arc<Read>,
}

/// A row to store.
#[derive(Debug, Clone, Default)]
pub struct PartRow {
    /// A value for every column of the table.
    pub values: Vec<Value>,
    /// The reference columns that the caller named (not defaults): their targets must be visible.
    pub named: Vec<usize>,
}

/// A change of an existing root.
#[derive(Debug, Clone)]
pub struct Edit {
    /// What is written.
    pub target: Arc<Target>,
    /// This caller's values, for the guards and for the answer.
    pub binds: Vec<Value>,
    /// The root's key.
    pub key: Value,
    /// `If-Match`: the versions of which the stored one must be one. `None`: any.
    pub expected: Option<Vec<i64>>,
    /// Must be true of the row before.
    pub guard: Guard,
    /// Must be true of the row after: the part of the grant that speaks of the caller.
    pub guard_after: Guard,
    /// What the root's columns become.
    pub set: Vec<SetColumn>,
    /// What becomes of parts: position in the target's list, and the change.
    pub parts: Vec<(usize, PartChange)>,
    /// Reads the answer; the root's key is appended to `binds`, then `answer_key` if set.
    pub answer: Arc<Read>,
    /// The part's own key, when the answer is one part (null: the one just added).
    pub answer_key: Option<Value>,
}

/// A column and its new value.
#[derive(Debug, Clone, PartialEq)]
pub struct SetColumn {
    /// Which column.
    pub column: usize,
    /// Its value.
    pub value: Value,
    /// Whether the caller named it (not a default).
    pub named: bool,
}

/// What becomes of one kind of parts.
#[derive(Debug, Clone)]
pub enum PartChange {
    /// These and no others. Rows whose key stays are kept and changed.
    Replace(Vec<PartRow>),
    /// One more; a position is counted by the store.
    Add(PartRow),
    /// One changed.
    Set {
        /// Its own key.
        key: Value,
        /// Its columns.
        set: Vec<SetColumn>,
    },
    /// One removed; later positions move up.
    Remove {
        /// Its own key.
        key: Value,
    },
}

/// The end of a root.
#[derive(Debug, Clone)]
pub struct Delete {
    /// What is deleted.
    pub target: Arc<Target>,
    /// This caller's values, for the guards.
    pub binds: Vec<Value>,
    /// The root's key.
    pub key: Value,
    /// `If-Match`.
    pub expected: Option<Vec<i64>>,
    /// Must be true of the row.
    pub guard: Guard,
}

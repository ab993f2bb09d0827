//! What comes back.

use bytes::Bytes;
use operation::Value;

/// The answer to a read.
#[derive(Debug, Clone, PartialEq)]
pub enum Rows {
    /// Of a read of one: the row, if there is one.
    One(Option<Row>),
    /// Of a page or of all parts.
    Page {
        /// The rows as a JSON array.
        json: Bytes,
        /// How many there are.
        count: usize,
        /// Where the next page begins: the last row's values of the order's columns, if more rows follow.
        next: Option<Vec<Value>>,
    },
}

/// One row.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// The row as a JSON object.
    pub json: Bytes,
    /// Its version; 0 for a part, which has none of its own.
    pub version: i64,
}

/// What a write left behind.
#[derive(Debug, Clone, PartialEq)]
pub struct Written {
    /// The root's key.
    pub key: Value,
    /// The root's version now; that of the last row for a deletion.
    pub version: i64,
    /// The answer as a JSON object; `None` where the caller may not see it, and for a deletion.
    pub json: Option<Bytes>,
    /// The own key of the part that was added or changed, when exactly one was.
    pub part_key: Option<Value>,
    /// Whether this was done before, and is answered again.
    pub replayed: bool,
    /// Whether it left tasks that somebody is to carry out.
    pub wakes: bool,
    /// How many events it has published.
    pub published: usize,
}

//! From an intent to an operation.

use operation::Operation;

use crate::CursorKey;

/// What the store is asked, and how its answer is read.
#[derive(Debug, Clone)]
pub struct Lowered {
    /// For the store.
    pub operation: Operation,
    /// For the door.
    pub reply: Reply,
}

/// How the store's answer is to be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// One row; absent is `NotFound`. `composite`: the JSON holds more than the row itself, so that its version alone
    /// is no entity tag.
    One {
        /// Whether included rows are in it.
        composite: bool,
    },
    /// A page; the key turns the last row's order into the next cursor ([`Plan::cursor`](crate::Plan::cursor)).
    Page {
        /// Of this list.
        cursor: CursorKey,
    },
    /// A row was created; its key is in the store's answer.
    Created {
        /// Whether included rows are in the JSON.
        composite: bool,
    },
    /// A row was changed.
    Changed {
        /// Whether included rows are in the JSON.
        composite: bool,
    },
    /// A root was deleted.
    Deleted,
    /// A part was removed; its root has a new version.
    PartDeleted,
}

//! From an intent to an operation.

use operation::{Fault, Operation};

use crate::{Caller, CursorKey, Intent, Plan};

/// What the store is asked, and how its answer is read.
#[derive(Debug, Clone)]
pub struct Lowered {
    /// For the store.
    pub operation: Operation,
    /// For the door.
    pub reply: Reply,
    /// Asked when a page comes back empty: if it finds no row either, the page is of nothing (`NotFound`) rather than
    /// empty. So are the parts of a root that does not exist.
    pub when_empty: Option<Operation>,
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
    /// A command has run; its answer is the store's, null where it has none.
    Done,
}

impl Plan {
    /// Lowers an intent for a caller at a moment (microseconds since 1970-01-01T00:00:00Z).
    ///
    /// # Errors
    /// Everything that can be known to be wrong before the store is asked, all at once.
    pub fn lower(&self, intent: &Intent<'_>, caller: &Caller, now: i64) -> Result<Lowered, Fault> {
        match intent {
            Intent::Read { entity, key, shape } => {
                self.lower_read(*entity, key, shape, caller, now)
            }
            Intent::ReadPart { part, root, key, shape } => {
                self.lower_read_part(*part, root, key, shape, caller, now)
            }
            Intent::List(list) => self.lower_list(list, caller, now),
            Intent::Create { entity, body, shape } => {
                self.lower_create(*entity, body, shape, caller, now)
            }
            Intent::Patch { entity, key, body, expected, shape } => {
                self.lower_patch(*entity, key, body, expected.clone(), shape, caller, now)
            }
            Intent::Replace { entity, key, body, expected, shape } => {
                self.lower_replace(*entity, key, body, expected.clone(), shape, caller, now)
            }
            Intent::Delete { entity, key, expected } => {
                self.lower_delete(*entity, key, expected.clone(), caller, now)
            }
            Intent::CreatePart { part, root, body, expected, shape } => {
                let at = PartPlace { part: *part, root, key: None, expected: expected.clone() };
                self.lower_part(at, Some((body, BodyKind::Create)), shape, caller, now)
            }
            Intent::PatchPart { part, root, key, body, expected, shape } => {
                let expected = expected.clone();
                let at = PartPlace { part: *part, root, key: Some(key), expected };
                self.lower_part(at, Some((body, BodyKind::Patch)), shape, caller, now)
            }
            Intent::ReplacePart { part, root, key, body, expected, shape } => {
                let expected = expected.clone();
                let at = PartPlace { part: *part, root, key: Some(key), expected };
                self.lower_part(at, Some((body, BodyKind::Replace)), shape, caller, now)
            }
            Intent::Command { command, key, body } => {
                self.lower_command(*command, *key, body.as_ref(), caller, now)
            }
            Intent::DeletePart { part, root, key, expected } => {
                let expected = expected.clone();
                let at = PartPlace { part: *part, root, key: Some(key), expected };
                self.lower_part(at, None, &crate::Shape::default(), caller, now)
            }
        }
    }
}

/// Which part is changed.
pub(crate) struct PartPlace<'a> {
    pub(crate) part: model::EntityId,
    pub(crate) root: &'a str,
    pub(crate) key: Option<&'a str>,
    pub(crate) expected: Option<Vec<i64>>,
}

/// What a body means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BodyKind {
    /// A new row: what is missing takes its default.
    Create,
    /// A merge patch: what is missing stays.
    Patch,
    /// A replacement: what is missing takes its default, what cannot change stays.
    Replace,
}

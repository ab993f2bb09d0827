//! What comes of a request.

use bytes::Bytes;

/// What came of an intent that was carried out.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// A row was read.
    One {
        /// It, as a JSON object.
        json: Bytes,
        /// Its version; 0 for a part, which has none of its own.
        version: i64,
        /// Whether the JSON holds more than the row itself, so that its version alone is no entity tag.
        composite: bool,
    },
    /// A page was read.
    Page {
        /// Its rows, as a JSON array.
        json: Bytes,
        /// The cursor of the next page, if there is one.
        next: Option<String>,
    },
    /// A root or a part was created.
    Created {
        /// The root's key as text.
        key: String,
        /// The part's own key as text, if it was a part.
        part_key: Option<String>,
        /// The root's version.
        version: i64,
        /// What was created, as a JSON object; `None` where the caller may not see it.
        json: Option<Bytes>,
        /// As in [`Outcome::One`].
        composite: bool,
        /// Whether it was created before, under the same receipt.
        replayed: bool,
    },
    /// A root or a part was changed.
    Changed {
        /// The root's version now.
        version: i64,
        /// What was changed, as a JSON object; `None` where the caller may not see it.
        json: Option<Bytes>,
        /// As in [`Outcome::One`].
        composite: bool,
    },
    /// A command has run.
    Done {
        /// What it answers, as JSON; `None` where it promises no answer.
        json: Option<Bytes>,
        /// Whether it was run before, under the same receipt.
        replayed: bool,
    },
    /// A root was deleted.
    Deleted,
    /// A part was removed.
    PartDeleted {
        /// The root's version now.
        version: i64,
    },
}

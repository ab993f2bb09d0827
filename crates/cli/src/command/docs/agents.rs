//! What a language model needs to write Mimar, as one text.
//!
//! The text is written by hand around tables that the checker has: what it says of words, types, functions and codes cannot drift.

/// The text; `{{name}}` stands for a table.
const TEXT: &str = include_str!("agents.md");

pub(super) fn text() -> String {
    TEXT.to_owned()
}

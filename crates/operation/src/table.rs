//! Tables as a store sees them.

use crate::{Ident, Scalar};

/// Position of a table in the plan's list; stable while one model is loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TableId(pub u32);

/// A table: what statements and the DDL need to know of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// Position in the plan.
    pub id: TableId,
    /// Its place in the one order in which rows are locked: behind all that it refers to, as far as they do not refer to it as well. A
    /// deletion locks what goes along, or loses something, behind what goes, since the database does. No two tables have the same.
    pub rank: u32,
    /// Stored name.
    pub name: Ident,
    /// The entity's name, for messages.
    pub entity: Box<str>,
    /// Columns in stored order. The hidden version column of a root is [`Table::version`].
    pub columns: Vec<Column>,
    /// Columns of the primary key, in order: one for a root, root and own key for a part.
    pub key: Vec<usize>,
    /// For a part: the column that holds its root's key (always `key[0]`, unless the part has an `auto` key).
    pub root: Option<usize>,
    /// The `INTEGER PRIMARY KEY` that the database counts, if the key is `auto`.
    pub auto: Option<usize>,
    /// The hidden `row_version` column of a root.
    pub version: Option<usize>,
    /// Unique constraints besides the primary key.
    pub uniques: Vec<Unique>,
    /// References enforced by the database.
    pub foreign_keys: Vec<ForeignKey>,
    /// Columns by whose value a store may track which cached answers a write makes stale: keys, references and
    /// leading columns of indexes.
    pub tracked: Vec<usize>,
}

/// One column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Stored name.
    pub name: Ident,
    /// The name callers use (JSON member, query parameter). Empty for a hidden column.
    pub field: Box<str>,
    /// What its values mean.
    pub scalar: Scalar,
    /// Whether it may be null.
    pub nullable: bool,
    /// How its values stand there, where others made the table and keep them otherwise than Mimar does.
    pub native: Option<Native>,
}

/// How a column of a table that others made keeps its values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Native {
    /// In a type of the database's own: an enum of PostgreSQL's.
    Type(Ident),
    /// In one of the forms in which SQLite is given what it has no type for.
    Kept(Kept),
}

/// A form in which others keep values in SQLite. What is read may have any of them, whichever it is; new values are written in this.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    /// Text, moments as SQLite's own functions write them: `2026-01-02 03:04:05`.
    Text,
    /// Text, moments as RFC 3339 has them: `2026-01-02T03:04:05Z`.
    Iso,
    /// Text, dates with the midnight that they begin at: `2026-01-02 00:00:00`.
    Midnight,
    /// A number: of a decimal its value, of a date or a moment the seconds since 1970.
    Number,
    /// A number, of a date or a moment the days of the Julian calendar.
    Julian,
}

/// A unique constraint over some columns; rows with a null in it never collide.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unique {
    /// Name of its index.
    pub name: Ident,
    /// Its columns.
    pub columns: Vec<usize>,
}

/// A reference the database enforces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForeignKey {
    /// The referring column.
    pub column: usize,
    /// The table referred to, by its single-column key.
    pub target: TableId,
    /// What becomes of this row when the target is deleted.
    pub on_delete: OnDelete,
}

/// The fate of a row whose reference is deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnDelete {
    /// The deletion is refused.
    Restrict,
    /// The row is deleted too.
    Cascade,
    /// The reference becomes null.
    Clear,
}

impl Column {
    /// The type of the database's own in which its values stand, where that is not the scalar's.
    pub fn native_type(&self) -> Option<&Ident> {
        match &self.native {
            Some(Native::Type(name)) => Some(name),
            Some(Native::Kept(_)) | None => None,
        }
    }
}

impl Table {
    /// The single key column of a root, or a part's own key column.
    pub fn own_key(&self) -> usize {
        self.key.last().copied().unwrap_or(0)
    }

    /// Position of the column that callers know as `field`.
    pub fn column_of(&self, field: &str) -> Option<usize> {
        self.columns.iter().position(|c| !c.field.is_empty() && &*c.field == field)
    }
}

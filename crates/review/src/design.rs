//! What is reviewed.

use contract::{Change, Contract};
use model::{Model, Valid};
use schema::Schema;
use syntax::Parse;

/// One design with what was derived from it.
#[derive(Debug, Clone, Copy)]
pub struct Design<'a> {
    /// The model, without errors.
    pub model: &'a Valid<Model>,
    /// The files it came from, by [`syntax::FileId`].
    pub parses: &'a [&'a Parse],
    /// Its tables.
    pub schema: &'a Schema,
    /// Its public surface.
    pub contract: &'a Contract,
    /// The day of the review, in days since 1970-01-01: some promises end on a day.
    pub today: i64,
    /// What it is compared with, if it is.
    pub before: Option<Before<'a>>,
}

/// What was served before.
#[derive(Debug, Clone, Copy)]
pub struct Before<'a> {
    /// What has changed since for callers and consumers.
    pub changes: &'a [Change],
    /// The model, where it was one and no document.
    pub model: Option<&'a Valid<Model>>,
}

//! Operations become SQL text: expressions here, reads and writes in the rooms below.
//!
//! What SQLite means differently from [`operation::evaluate`] goes through functions that the connection registers
//! (see `sqlite/functions.rs`): arithmetic, texts, sums. PostgreSQL checks its own arithmetic, and what else it means
//! differently goes through the functions of its schema `mimar` (see `postgres/functions.sql`). What all mean alike is
//! plain SQL, so that indexes serve.

pub(crate) mod advisory;
pub(crate) mod ahead;
pub(crate) mod along;
pub(crate) mod answer;
pub(crate) mod cleared;
pub(crate) mod direct;
pub(crate) mod drawn;
pub(crate) mod exchange;
mod expression;
mod form;
pub(crate) mod found;
pub(crate) mod hook;
mod many;
mod member;
mod nested;
pub(crate) mod outbox;
mod postgres;
mod read;
pub(crate) mod receipt;
pub(crate) mod redraw;
mod said;
mod seen;
pub(crate) mod told;
mod write;

use operation::{Scalar, Value};

pub(crate) use expression::{Parameter, function_name, has_query, ill_formed, is_lowerable};
pub(crate) use found::{Settings, Under};
pub use many::Lock;
pub(crate) use many::{
    Taking, all_of, delete_many, draw, insert_many, insist_on_all, rows_among, update_many,
};
pub(crate) use nested::{Nested, Rowwise};
pub(crate) use read::{Member, Select, Shape, Source, conditions};
pub(crate) use seen::Seen;
pub(crate) use write::{
    Between, between, decide, delete, exists, greatest, insert, insert_counted, insert_drawn,
    refers, row_by, rows_where, select_row, update,
};

/// A statement, what it is given and what it answers.
#[derive(Debug)]
pub(crate) struct Statement {
    /// The text.
    pub text: String,
    /// Constants and their positions (from 0) among the binds.
    pub constants: Vec<(usize, Value)>,
    /// PostgreSQL's placeholders, in their order; SQLite's are the binds by number.
    pub parameters: Vec<Parameter>,
    /// What its columns mean.
    pub answer: Vec<Scalar>,
}

impl Statement {
    /// One of this text, which is given nothing and answers nothing.
    pub fn of(text: &str) -> Self {
        let (constants, parameters, answer) = (Vec::new(), Vec::new(), Vec::new());
        Self { text: text.to_owned(), constants, parameters, answer }
    }
}

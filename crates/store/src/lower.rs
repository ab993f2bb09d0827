//! Operations become SQL text: expressions here, reads and writes in the rooms below.
//!
//! What SQL means differently from [`operation::evaluate`] goes through functions that the connection registers
//! (see `sqlite/functions.rs`): arithmetic, texts, sums. What both mean alike is plain SQL, so that indexes serve.

mod expression;
mod read;
mod write;

pub(crate) use expression::{can_fail, function_name, has_query, ill_formed};
pub(crate) use read::{Member, Select, Shape, conditions};
pub(crate) use write::{Statement, decide, delete, exists, insert, row_by, select_row, update};

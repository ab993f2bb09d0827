//! The grammar against the parser of the compiler, and against what is generated from it.

#![expect(clippy::unwrap_used, reason = "a test ends where it cannot go on")]

mod agreement;
mod corpus;
mod faults;
mod generated;
mod queries;
mod speed;

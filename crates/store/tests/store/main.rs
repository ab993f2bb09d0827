//! The store from outside: operations in, JSON and faults out.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "the helpers of tests fail by panicking"
)]

mod answers;
mod encryption;
mod group;
mod operations;
mod outage;
mod pooled;
mod receipts;
mod replicas;
mod schema;
mod shop;
mod together;
mod writes;

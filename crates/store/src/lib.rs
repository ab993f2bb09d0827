//! Executes operations: templates become SQL once, rows become JSON bytes without a value tree in between.
//!
//! Reads run on the caller's thread, on a connection that belongs to that thread; writes go through one writer
//! that commits concurrent requests as a group, each isolated by a savepoint. Answers that are read again are kept
//! until a write touches what they came from. SQLite today; another database comes beside it as another variant
//! of [`Store`], and no caller notices.

#[cfg(test)]
mod agreement;
mod cache;
pub mod definitions;
mod fault;
mod kept;
mod lower;
mod options;
pub mod others;
mod outbox;
mod postgres;
mod renewal;
mod rows;
mod sqlite;
mod store;
mod ticket;
mod workers;
mod write;

pub use fault::StoreFault;
pub use options::Options;
pub use outbox::{Backlog, Event, EventFilter, Outgoing, Parked, ParkedFilter, Promised, Queue};
pub use postgres::migrate::{Migrator, Size};
pub use renewal::{Compute, Renewal, Renewed};
pub use rows::{Row, Rows, Written};
pub use store::{Called, Loaded, ReplicaReads, Statistics, Store};
pub use workers::Workers;
pub use write::command::explain;

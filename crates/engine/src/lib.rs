//! Runs what callers ask: who they are ([`identity`]), what the plan makes of it, and the store that does it.
//!
//! A model is loaded beside the running one and swapped in whole; requests keep the one they began with.

mod code;
mod follow;
pub mod identity;
mod loaded;
pub mod migrate;
mod outcome;
mod replay;
mod run;
mod start;
mod work;

pub use code::{Handlers, Transaction};
pub use follow::{Batch, Follow, Wanted};
pub use loaded::Loaded;
pub use outcome::Outcome;
pub use replay::{Parked, Replayed};
pub use run::{Backlog, Engine, Queue, ReplicaReads, Statistics, UnderWay};
pub use start::{Cause, Mismatch, Standing, real_losses, stand};
pub use work::{Figures, Terms, exchange, webhook};

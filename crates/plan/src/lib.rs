//! The model in executable form: an [`Intent`] (what a caller asks, in the words of the model) becomes an
//! operation (what a store does, in the words of tables), with the policy already in it.
//!
//! [`compile`] runs once for each model; [`Plan::lower`] runs for each request and keeps what it compiled.

mod arrival;
mod body;
mod caller;
mod command;
mod condition;
mod cursor;
mod filter;
mod intent;
mod load;
mod lower;
mod page;
mod plan;
mod policy;
mod shape;
mod write;

pub use arrival::Foreign;
pub use caller::{Caller, Roles};
pub use command::{Coded, Coding, Job, Next, WEBHOOK, commands_by_code};
pub use cursor::CursorKey;
pub use intent::{Filter, FilterOperator, Intent, List, Shape, Source};
pub use lower::{Lowered, Reply};
pub use plan::{Plan, compile};

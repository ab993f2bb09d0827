//! The real binary, tortured: killed, crowded, drained, reloaded, attacked, and asked by those who may not know.
//!
//! Runs against `MIMAR_BINARY` (`cargo xtask test` builds it for release), otherwise against the binary that cargo
//! built beside the tests. What needs programs that only `cargo xtask test` installs is ignored here and run there.
#![cfg(unix)]
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test fails by panicking, and says with which seed"
)]

mod harness;

mod attack;
mod browser;
mod chinook;
mod contention;
mod crash;
mod drain;
mod footprint;
mod freshness;
mod migrate;
mod oracle;
mod orders;
mod outage;
mod overload;
mod paging;
mod pair;
mod reload;
mod schemathesis;
mod token;

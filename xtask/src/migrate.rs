//! A schema change under load, held to its promise of latency.

use std::process::Command;

use crate::fault::Fault;
use crate::{install, place, step};

/// Builds the server and changes a loaded table; what was measured goes straight to the terminal.
///
/// # Errors
/// [`Fault::Step`] if a request failed, or the 99th percentile of their latencies was more than twice the quiet one.
pub(crate) fn run() -> Result<(), Fault> {
    install::postgres()?;
    step::run(
        "build for release",
        Command::new(place::cargo()).args(["build", "--release", "--quiet", "-p", "mimar"]),
    )?;
    let mut command = Command::new(place::cargo());
    command
        .args(["test", "--quiet", "-p", "mimar", "--test", "torture", "--"])
        .args(["a_loaded_table_changes", "--nocapture"])
        .env("MIMAR_BINARY", place::binary())
        .env("MIMAR_P99", "twice")
        .current_dir(place::root());
    let status =
        command.status().map_err(|error| Fault::Start { program: "cargo".into(), error })?;
    if status.success() {
        return Ok(());
    }
    Err(Fault::Step { name: "migrate".into(), how: status.to_string() })
}

//! The benchmark, with what it measures built for release.

use std::process::Command;

use crate::fault::Fault;
use crate::{install, place, step};

/// Builds the server and runs the benchmark; its output goes straight to the terminal.
///
/// # Errors
/// [`Fault::Step`] if either fails.
pub(crate) fn run(arguments: &[&str]) -> Result<(), Fault> {
    install::postgres()?;
    install::brokers()?;
    install::load()?;
    step::run(
        "build for release",
        Command::new(place::cargo()).args([
            "build",
            "--release",
            "--quiet",
            "-p",
            "mimar",
            "-p",
            "mimar-bench",
        ]),
    )?;
    let mut command = Command::new(place::cargo());
    command
        .args(["run", "--release", "--quiet", "-p", "mimar-bench", "--", "run"])
        .args(arguments)
        .env("MIMAR_BINARY", place::binary())
        .current_dir(place::root());
    let status =
        command.status().map_err(|error| Fault::Start { program: "cargo".into(), error })?;
    if status.success() {
        return Ok(());
    }
    Err(Fault::Step { name: "bench".into(), how: status.to_string() })
}

//! The language reference, generated from what the code knows.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use crate::fault::Fault;
use crate::{place, step};

/// Writes `docs/language.md` anew.
///
/// # Errors
/// [`Fault`] if the binary does not build or the file cannot be written.
pub(crate) fn write() -> Result<(), Fault> {
    step::run(
        "build",
        Command::new(place::cargo()).args(["build", "--release", "--quiet", "-p", "mimar"]),
    )?;
    let path = path();
    fs::write(&path, generated()?).map_err(|error| Fault::File { path: path.clone(), error })?;
    println!("wrote {}", path.display());
    Ok(())
}

/// Whether `docs/language.md` says what the release binary knows.
///
/// # Errors
/// [`Fault::Step`] if it does not.
pub(crate) fn verify() -> Result<(), Fault> {
    let path = path();
    let written =
        fs::read_to_string(&path).map_err(|error| Fault::File { path: path.clone(), error })?;
    if written == generated()? {
        return Ok(());
    }
    Err(Fault::Step {
        name: "docs/language.md is current".into(),
        how: "the code knows better by now; `cargo xtask docs` writes it anew".into(),
    })
}

fn path() -> PathBuf {
    place::root().join("docs").join("language.md")
}

fn generated() -> Result<String, Fault> {
    // Standard output alone: what the binary logs is no part of the reference.
    let output = Command::new(place::binary())
        .arg("reference")
        .output()
        .map_err(|error| Fault::Start { program: "mimar reference".into(), error })?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let how = String::from_utf8_lossy(&output.stderr).into_owned();
    Err(Fault::Step { name: "mimar reference".into(), how })
}

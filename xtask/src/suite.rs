//! `cargo xtask test`: all that CI runs.

use std::panic::resume_unwind;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::Instant;

use crate::fault::Fault;
use crate::{docs, grammar, install, place, step, tally, tidy};

/// Runs everything, cheapest first, and closes with the number of tests. A fault in how the code is written does not
/// keep the tests from running: one run tells all.
///
/// # Errors
/// [`Fault`] of the first step that failed.
pub(crate) fn run() -> Result<(), Fault> {
    let began = Instant::now();
    println!("cargo xtask test");
    let mut first = None;
    let mut keep = |done: Result<(), Fault>| {
        if let Err(fault) = done {
            first.get_or_insert(fault);
        }
    };
    keep(step::run("format", &mut cargo(&["fmt", "--all", "--check"])).map(drop));
    keep(step::own("tidy", tidy::run));
    // Always of the whole workspace: of one package alone, features of libraries are others, and half of it would be built anew.
    let test = |arguments: &[&str]| {
        let mut command = cargo(&["test", "--quiet", "--workspace", "--locked", "--no-fail-fast"]);
        command.args(arguments).env("MIMAR_BINARY", place::binary());
        command
    };
    install::build()?;
    // Side by side: what is built for release ends with one processor at work.
    thread::scope(|scope| {
        let binary = scope.spawn(|| {
            let mut build = cargo(&["build", "--quiet", "--release", "--locked", "-p", "mimar"]);
            step::run("build for release", &mut build)
        });
        let mut clippy = cargo(&["clippy", "--quiet", "--workspace", "--all-targets"]);
        clippy.args(["--", "-D", "warnings"]);
        keep(step::run("clippy, warnings denied", &mut clippy).map(drop));
        let tests = step::run("build of all tests", &mut test(&["--no-run"]));
        // Without a binary there is nothing to torture.
        binary.join().unwrap_or_else(|panic| resume_unwind(panic)).and(tests)
    })?;
    keep(step::own("docs/language.md is current", docs::verify));

    let schemathesis = install::schemathesis()?;
    let squawk = install::squawk()?;
    let test = |arguments: &[&str]| {
        let mut command = test(arguments);
        // Every migration that a test carries out is linted.
        command.env("MIMAR_SQUAWK", &squawk);
        command
    };
    let mcp = install::mcp()?;
    let chromium = install::chromium()?;
    let libraries = install::node_libraries()?;
    keep(step::own("editors/tree-sitter-mimar/src is current", grammar::verify));
    install::postgres()?;
    install::brokers()?;

    // Ignored by a plain `cargo test`, because they need what only this installs.
    let ignored = |target: &str, filter: &[&str], variables: &[(&str, &Path)]| {
        let mut command = test(&["--test", target, "--", "--ignored"]);
        command.args(filter).envs(variables.iter().copied());
        command
    };
    let standards = libraries.join("node_modules");
    let with_tools: [(&str, Command); 7] = [
        (
            "Schemathesis and the browser",
            ignored(
                "torture",
                &["--nocapture"],
                &[("MIMAR_SCHEMATHESIS", &schemathesis), ("MIMAR_CHROMIUM", &chromium)],
            ),
        ),
        (
            "the Python SDK over the tools for agents",
            ignored("binary", &["mcp::"], &[("MIMAR_MCP_PYTHON", &mcp)]),
        ),
        ("squawk over migrations", ignored("migrate", &[], &[])),
        (
            "Standard Webhooks over deliveries",
            ignored("webhooks", &[], &[("MIMAR_STANDARDWEBHOOKS", &standards)]),
        ),
        ("public readers of events", ignored("events", &[], &[("MIMAR_NODE_TOOLS", &libraries)])),
        (
            "public readers of what brokers have",
            ignored("brokers", &[], &[("MIMAR_NODE_TOOLS", &libraries)]),
        ),
        (
            "the schema of SARIF over reports",
            ignored("review", &[], &[("MIMAR_NODE_TOOLS", &libraries)]),
        ),
    ];
    // Side by side: either spends half of its time waiting for servers and disks.
    let (everything, others) = thread::scope(|scope| {
        let others = scope.spawn(|| {
            with_tools
                .into_iter()
                .map(|(name, mut command)| step::attempt(name, &mut command))
                .collect::<Result<Vec<_>, _>>()
        });
        let everything = step::attempt("tests of all crates", &mut test(&[]));
        (everything, others.join().unwrap_or_else(|panic| resume_unwind(panic)))
    });
    let mut all = vec![everything?];
    all.extend(others?);
    let mut tally = tally::Tally::default();
    for done in &all {
        tally += tally::of(&done.output);
    }

    println!("  all     {:>6.1} s", began.elapsed().as_secs_f64());
    println!();
    println!("{} passed, {} failed", tally.passed, tally.failed);
    if let Some(fault) = first {
        return Err(fault);
    }
    if tally.failed > 0 || tally.passed == 0 || !all.iter().all(|done| done.success) {
        return Err(Fault::Tests { passed: tally.passed, failed: tally.failed });
    }
    Ok(())
}

fn cargo(arguments: &[&str]) -> Command {
    let mut command = Command::new(place::cargo());
    command.args(arguments).env("CARGO_TERM_COLOR", "never");
    command
}

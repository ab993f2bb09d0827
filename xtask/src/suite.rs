//! `cargo xtask test`: all that CI runs.

use std::process::Command;
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
    keep(
        step::run(
            "clippy, warnings denied",
            &mut cargo(&[
                "clippy",
                "--quiet",
                "--workspace",
                "--all-targets",
                "--",
                "-D",
                "warnings",
            ]),
        )
        .map(drop),
    );

    // Without a binary there is nothing to torture.
    step::run(
        "build for release",
        &mut cargo(&["build", "--quiet", "--release", "--locked", "-p", "mimar"]),
    )?;
    keep(step::own("docs/language.md is current", docs::verify));

    let schemathesis = install::schemathesis()?;
    let squawk = install::squawk()?;
    let mcp = install::mcp()?;
    let chromium = install::chromium()?;
    let libraries = install::node_libraries()?;
    keep(step::own("editors/tree-sitter-mimar/src is current", grammar::verify));
    install::postgres()?;
    install::brokers()?;

    // Always of the whole workspace: of one package alone, features of libraries are others, and half of it would be built anew.
    let mut tally = tally::Tally::default();
    let everything = step::attempt(
        "tests of all crates",
        cargo(&["test", "--quiet", "--workspace", "--locked", "--no-fail-fast"])
            .env("MIMAR_BINARY", place::binary()),
    )?;
    tally += tally::of(&everything.output);
    let torture = step::attempt(
        "Schemathesis and the browser",
        cargo(&["test", "--quiet", "--locked", "--no-fail-fast", "--workspace"])
            // Ignored by a plain `cargo test`, because they need what only this installs.
            .args(["--test", "torture", "--", "--ignored", "--nocapture"])
            .env("MIMAR_BINARY", place::binary())
            .env("MIMAR_SCHEMATHESIS", schemathesis)
            .env("MIMAR_CHROMIUM", chromium),
    )?;
    tally += tally::of(&torture.output);

    let agents = step::attempt(
        "the Python SDK over the tools for agents",
        cargo(&["test", "--quiet", "--locked", "--workspace", "--test", "binary"])
            .args(["--", "--ignored", "mcp::"])
            .env("MIMAR_MCP_PYTHON", mcp),
    )?;
    tally += tally::of(&agents.output);
    let lint = step::attempt(
        "squawk over migrations",
        cargo(&["test", "--quiet", "--locked", "--workspace", "--test", "migrate"])
            .args(["--", "--ignored"])
            .env("MIMAR_SQUAWK", squawk),
    )?;
    tally += tally::of(&lint.output);
    let signed = step::attempt(
        "Standard Webhooks over deliveries",
        cargo(&["test", "--quiet", "--locked", "--workspace", "--test", "webhooks"])
            .args(["--", "--ignored"])
            .env("MIMAR_STANDARDWEBHOOKS", libraries.join("node_modules")),
    )?;
    tally += tally::of(&signed.output);

    let readers = step::attempt(
        "public readers of events",
        cargo(&["test", "--quiet", "--locked", "--workspace", "--test", "events"])
            .args(["--", "--ignored"])
            .env("MIMAR_NODE_TOOLS", &libraries),
    )?;
    tally += tally::of(&readers.output);
    let messages = step::attempt(
        "public readers of what brokers have",
        cargo(&["test", "--quiet", "--locked", "--workspace", "--test", "brokers"])
            .args(["--", "--ignored"])
            .env("MIMAR_NODE_TOOLS", &libraries),
    )?;
    tally += tally::of(&messages.output);

    let reports = step::attempt(
        "the schema of SARIF over reports",
        cargo(&["test", "--quiet", "--locked", "--workspace", "--test", "review"])
            .args(["--", "--ignored"])
            .env("MIMAR_NODE_TOOLS", libraries),
    )?;
    tally += tally::of(&reports.output);

    println!("  all     {:>6.1} s", began.elapsed().as_secs_f64());
    println!();
    println!("{} passed, {} failed", tally.passed, tally.failed);
    if let Some(fault) = first {
        return Err(fault);
    }
    let all = [&everything, &torture, &agents, &lint, &signed, &readers, &messages, &reports];
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

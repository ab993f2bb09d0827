//! Schemathesis (all checks, stateful) against both examples: whatever a client can send, the answer is one that the
//! OpenAPI document promises.

use std::process::Command;

use crate::harness::{Project, Random, alone, example, token};

/// Requests for each operation in one round of a phase.
const EXAMPLES: &str = "30";

#[test]
#[ignore = "needs Schemathesis; `cargo xtask test` installs it and runs this"]
fn chinook_keeps_its_promises() {
    let project = Project::example("chinook");
    project.load(&example("chinook").join("data"));
    run(&project, "manager", Some("1"), LONG, &[]);
    run(&project, "customer", Some("1"), SHORT, FOR_SOME);
}

#[test]
#[ignore = "needs Schemathesis; `cargo xtask test` installs it and runs this"]
fn the_shop_keeps_its_promises() {
    let project = Project::example("shop");
    crate::oracle::stock(&project);
    run(&project, "clerk", None, LONG, &[]);
    run(&project, "customer", Some("00000000-0000-7000-8000-000000000001"), SHORT, FOR_SOME);
}

/// The document says what there is for anybody; a field that a caller may not see is unknown to it, and refused.
const FOR_SOME: &[&str] = &["--exclude-checks", "positive_data_acceptance"];

/// Phases, each in a go of its own, so that a slow machine takes no time of one for another. Examples and coverage end by
/// themselves, or when their time is over; fuzzing and chains go round until then.
const PHASES: [&str; 4] = ["Examples", "Coverage", "Fuzzing", "Stateful"];

/// Seconds for each phase; the examples of the document are few, and all of them are asked.
type Seconds = [Option<u32>; 4];

/// For callers who may nearly everything.
const LONG: Seconds = [None, Some(40), Some(15), Some(25)];

/// For callers who may little, and are answered the rest by a refusal.
const SHORT: Seconds = [None, Some(20), Some(10), Some(15)];

/// Runs all phases as a caller.
fn run(project: &Project, role: &str, subject: Option<&str>, seconds: Seconds, more: &[&str]) {
    for (phase, seconds) in PHASES.into_iter().zip(seconds) {
        go(project, &token(role, subject), phase, seconds, more);
    }
}

fn go(project: &Project, token: &str, phase: &str, seconds: Option<u32>, more: &[&str]) {
    let _turn = alone();
    let mut random = Random::seeded("schemathesis");
    let server = project.serve();
    let program = std::env::var_os("MIMAR_SCHEMATHESIS").expect("MIMAR_SCHEMATHESIS");
    let settings = project.scratch("schemathesis.toml");
    std::fs::write(&settings, include_str!("schemathesis.toml")).unwrap();
    let hooks = project.scratch("schemathesis_hooks.py");
    std::fs::write(&hooks, include_str!("schemathesis_hooks.py")).unwrap();
    let output = Command::new(program)
        .arg("--config-file")
        .arg(&settings)
        .arg("run")
        .arg(format!("http://{}/openapi.json", server.address))
        .args(["--checks", "all", "--phases", &phase.to_lowercase()])
        .args(["--max-examples", EXAMPLES, "--continue-on-failure"])
        .args(seconds.map(|seconds| format!("--max-time={seconds}")))
        // One worker: CPython 3.11 loses count of its own recursion where several threads compile at once.
        .args(["--suppress-health-check", "all", "--workers", "1"])
        .args(more)
        .args(["--seed", &(random.next() % 1_000_000).to_string()])
        .args(["--header", &format!("Authorization: Bearer {token}")])
        .current_dir(project.scratch(""))
        .env("NO_COLOR", "1")
        .env("SCHEMATHESIS_HOOKS", &hooks)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success(),
        "{}\n{text}\n{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    // An empty run would be green, too; a phase that was left out is named with another mark.
    assert!(text.contains(&format!("✅ {phase}")), "{phase} was not done:\n{text}");
    assert!(!server.log().contains("panicked"), "{}", server.log());
}

//! Schemathesis (all checks, stateful) against both examples: whatever a client can send, the answer is one that the
//! OpenAPI document promises.

use std::process::Command;

use crate::harness::{Project, Random, alone, example, token};

/// Requests for each operation.
const EXAMPLES: &str = "30";

#[test]
#[ignore = "needs Schemathesis; `cargo xtask test` installs it and runs this"]
fn chinook_keeps_its_promises() {
    let project = Project::example("chinook");
    project.load(&example("chinook").join("data"));
    run(&project, "manager", Some("1"), ["45", "25"], &[]);
    run(&project, "customer", Some("1"), ["25", "15"], FOR_SOME);
}

#[test]
#[ignore = "needs Schemathesis; `cargo xtask test` installs it and runs this"]
fn the_shop_keeps_its_promises() {
    let project = Project::example("shop");
    crate::oracle::stock(&project);
    run(&project, "clerk", None, ["45", "25"], &[]);
    run(&project, "customer", Some("00000000-0000-7000-8000-000000000001"), ["25", "15"], FOR_SOME);
}

/// The document says what there is for anybody; a field that a caller may not see is unknown to it, and refused.
const FOR_SOME: &[&str] = &["--exclude-checks", "positive_data_acceptance"];

/// What is asked in one go, and of it what must have been done when the time is over. Chains of requests have a go of their own, so
/// that a slow machine leaves time for them.
const GOES: [(&str, &str); 2] =
    [("examples,coverage,fuzzing", "Coverage"), ("stateful", "Stateful")];

/// Runs it as a caller, for so many seconds each go.
fn run(project: &Project, role: &str, subject: Option<&str>, seconds: [&str; 2], more: &[&str]) {
    for ((phases, done), seconds) in GOES.iter().zip(seconds) {
        go(project, &token(role, subject), (phases, done), seconds, more);
    }
}

fn go(project: &Project, token: &str, (phases, done): (&str, &str), seconds: &str, more: &[&str]) {
    let _turn = alone();
    let mut random = Random::seeded("schemathesis");
    let server = project.serve();
    let program = std::env::var_os("MIMAR_SCHEMATHESIS").expect("MIMAR_SCHEMATHESIS");
    let settings = project.scratch("schemathesis.toml");
    std::fs::write(&settings, include_str!("schemathesis.toml")).unwrap();
    let output = Command::new(program)
        .arg("--config-file")
        .arg(&settings)
        .arg("run")
        .arg(format!("http://{}/openapi.json", server.address))
        .args(["--checks", "all", "--phases", phases])
        .args(["--max-examples", EXAMPLES, "--max-time", seconds, "--continue-on-failure"])
        // One worker: CPython 3.11 loses count of its own recursion where several threads compile at once.
        .args(["--suppress-health-check", "all", "--workers", "1"])
        .args(more)
        .args(["--seed", &(random.next() % 1_000_000).to_string()])
        .args(["--header", &format!("Authorization: Bearer {token}")])
        .current_dir(project.scratch(""))
        .env("NO_COLOR", "1")
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
    assert!(text.contains(&format!("✅ {done}")), "{done} was not done:\n{text}");
    assert!(!server.log().contains("panicked"), "{}", server.log());
}

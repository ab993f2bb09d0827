//! The forms that other tools read.

use std::io::Write as _;
use std::process::{Command, Stdio};

use review::output::{self, Outcome};
use serde_json::Value;
use syntax::{Diagnostic, FileId, Source};

use crate::project::Project;

const MARKET: &str = include_str!("../designs/market/app.mimar");
/// With everything that must be escaped.
const PATH: &str = "my shop/100%/app&<b>.mimar";

fn outcome<T>(text: &str, read: impl Fn(&Outcome<'_>) -> T) -> T {
    let project = Project::of(&[text]);
    let report = project.report();
    let diagnostics: Vec<Diagnostic> = report.diagnostics().cloned().collect();
    let paths: Vec<String> = report.findings.iter().map(|it| it.path.clone()).collect();
    let source = |id: FileId| {
        project.parses.get(id.0 as usize).map(|it| Source { path: PATH, text: &it.text })
    };
    read(&Outcome { diagnostics: &diagnostics, paths: &paths, source: &source, version: "0.1.0" })
}

#[test]
fn sarif_has_what_the_standard_demands() {
    let log = outcome(MARKET, output::sarif);
    assert_eq!(log["version"], "2.1.0");
    let run = &log["runs"][0];
    let rules = run["tool"]["driver"]["rules"].as_array().unwrap();
    let results = run["results"].as_array().unwrap();
    assert!(results.len() >= 14, "{}", results.len());
    let mut prints = std::collections::BTreeSet::new();
    for result in results {
        let index = result["ruleIndex"].as_u64().unwrap() as usize;
        assert_eq!(rules[index]["id"], result["ruleId"]);
        assert!(["error", "warning", "note"].contains(&result["level"].as_str().unwrap()));
        let place = &result["locations"][0]["physicalLocation"];
        assert_eq!(place["artifactLocation"]["uri"], "my%20shop/100%25/app%26%3Cb%3E.mimar");
        let number = |name: &str| place["region"][name].as_u64().unwrap();
        assert!(number("startLine") >= 1 && number("startColumn") >= 1);
        let (start, end) = (number("startLine"), number("endLine"));
        assert!(start < end || (start == end && number("startColumn") <= number("endColumn")));
        assert!(prints.insert(result["partialFingerprints"]["mimar/v1"].clone().to_string()));
    }
    // What is found elsewhere in the file is the same finding.
    let moved = MARKET.replacen("/// Somebody who makes things.", "// moved\n\n/// Somebody.", 1);
    let of = |log: &Value| -> Vec<Value> {
        let results = log["runs"][0]["results"].as_array().unwrap().iter();
        results.map(|it| it["partialFingerprints"]["mimar/v1"].clone()).collect()
    };
    assert_eq!(of(&log), of(&outcome(&moved, output::sarif)));
}

/// What a validator of others says of a text.
fn validated(arguments: &[&str], text: &str) -> String {
    let mut command = Command::new("node");
    command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/schema.cjs")).args(arguments);
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap_or_else(|error| panic!("node: {error}"));
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let done = child.wait_with_output().unwrap();
    String::from_utf8(done.stdout).unwrap().trim().to_owned()
}

#[test]
#[ignore = "needs the libraries that `cargo xtask test` installs"]
fn the_schema_of_sarif_accepts_it() {
    let empty = "/// Bare.\napp Bare { version 1  roles user }";
    for text in [MARKET, empty] {
        let log = outcome(text, output::sarif);
        assert_eq!(validated(&["sarif"], &log.to_string()), "valid");
    }
}

#[test]
#[ignore = "needs the libraries that `cargo xtask test` installs"]
fn the_schema_of_a_baseline_accepts_those_that_are_written() {
    let schema = review::catalogue_schema();
    let holds = |baseline: &Value| {
        let given = serde_json::json!({"schema": schema, "value": baseline});
        validated(&[], &given.to_string()) == "valid"
    };
    let report = Project::of(&[MARKET]).report();
    let text = review::Baseline::of(&report).text();
    let mut baseline: Value = serde_json::from_str(&text).unwrap();
    assert!(holds(&baseline), "{text}");
    baseline["findings"]["DAT999"] = serde_json::json!({"Order": 1});
    assert!(!holds(&baseline));
}

#[test]
fn github_gets_one_line_for_each() {
    let text = outcome(MARKET, output::github);
    let found = outcome(MARKET, |outcome| outcome.diagnostics.len());
    assert_eq!(text.lines().count(), found);
    let line = text.lines().find(|line| line.contains("DAT005")).unwrap();
    assert!(line.starts_with("::warning file=my shop/100%25/app&<b>.mimar,line="), "{line}");
    assert!(line.contains(",title=DAT005::`fee` is money") && line.contains("%0A"), "{line}");
    assert!(text.contains("::error "), "{text}");
}

#[test]
fn gitlab_gets_issues_with_fingerprints() {
    let issues = outcome(MARKET, output::gitlab);
    for issue in issues.as_array().unwrap() {
        assert!(issue["location"]["lines"]["begin"].as_u64().unwrap() >= 1);
        let severity = issue["severity"].as_str().unwrap();
        assert!(["info", "minor", "major", "critical", "blocker"].contains(&severity));
        assert_eq!(issue["fingerprint"].as_str().unwrap().len(), 16);
        assert!(issue["check_name"].is_string() && issue["description"].is_string());
    }
}

#[test]
fn junit_is_well_formed() {
    let text = outcome(MARKET, output::junit);
    // Every tag that is opened is closed in its order.
    let mut open: Vec<&str> = Vec::new();
    for tag in text.split('<').skip(2) {
        let tag = tag.split('>').next().unwrap();
        let name = tag.split([' ', '/']).find(|it| !it.is_empty()).unwrap();
        match (tag.starts_with('/'), tag.ends_with('/')) {
            (true, _) => assert_eq!(open.pop(), Some(name)),
            (false, true) => {}
            (false, false) => open.push(name),
        }
    }
    assert!(open.is_empty(), "{open:?}");
    let failures = text.matches("<failure ").count();
    assert!(text.contains(&format!("failures=\"{failures}\"")) && failures >= 14, "{failures}");
    let nothing = outcome("/// Bare.\napp Bare { version 1  roles user }", |outcome| {
        output::junit(&Outcome { diagnostics: &[], paths: &[], ..*outcome })
    });
    assert!(nothing.contains("<testcase classname=\"mimar\" name=\"check\"/>"), "{nothing}");
}

#[test]
fn markdown_has_a_row_and_a_section_for_each() {
    let text = outcome(MARKET, output::markdown);
    let found = outcome(MARKET, |outcome| outcome.diagnostics.len());
    assert_eq!(text.lines().filter(|line| line.starts_with("| ")).count(), found + 1);
    assert_eq!(text.lines().filter(|line| line.starts_with("## ")).count(), found);
}

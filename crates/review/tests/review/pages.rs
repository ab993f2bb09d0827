//! Every page explains its rule, and its examples are true: the bad one is found by exactly that rule, the good one by
//! none, and what the fix makes of the bad one is found by none either.

use std::collections::BTreeSet;

use crate::project::{Project, codes, with_app};
use review::{Report, Rule};

/// What is found, without what an example lacks because it is no whole design.
fn found(report: &Report, rule: &Rule) -> BTreeSet<&'static str> {
    let own = |code: &&'static str| {
        *code == rule.code.id || !review::rule(code).is_some_and(|other| other.of_whole)
    };
    codes(report).into_iter().filter(|code| own(code)).collect()
}

/// The review of an example, compared with what its page says was before.
fn reviewed(project: &Project, rule: &Rule) -> Result<Report, String> {
    match rule.code.before() {
        Some(before) => project.review_against(&Project::of(&[&with_app(&before)])),
        None => project.review(&review::Levels::default(), None),
    }
}

#[test]
fn pages_are_complete() {
    for rule in review::rules() {
        let page = rule.code.docs;
        for part in [&format!("# {}: ", rule.code.id), "\n## What\n", "\n## Why\n", "\n## Fix\n"] {
            assert!(page.contains(part), "{} lacks {part:?}", rule.code.id);
        }
        for wanted in [true, false] {
            let examples = rule.code.examples();
            assert!(examples.iter().any(|(good, _)| *good == wanted), "{}", rule.code.id);
        }
        assert_eq!(rule.code.before().is_some(), rule.compares, "{}", rule.code.id);
    }
}

#[test]
fn codes_and_names_are_each_given_once_and_in_order() {
    let rules: Vec<&Rule> = review::rules().collect();
    let unique: BTreeSet<&str> = rules.iter().map(|rule| rule.code.id).collect();
    assert_eq!(unique.len(), rules.len());
    let names: BTreeSet<String> = rules.iter().map(|rule| rule.name()).collect();
    assert_eq!(names.len(), rules.len());
    for group in review::GROUPS {
        let of_group: Vec<&str> = group.rules.iter().map(|rule| rule.code.id).collect();
        assert!(of_group.is_sorted(), "{of_group:?}");
        assert!(of_group.iter().all(|code| code.starts_with(group.prefix)), "{of_group:?}");
    }
}

#[test]
fn examples_are_true() {
    let mut wrong = Vec::new();
    for rule in review::rules() {
        for (good, text) in rule.code.examples() {
            let project = Project::of(&[&with_app(&text)]);
            let report = match reviewed(&project, rule) {
                Ok(report) => report,
                Err(faults) => {
                    wrong.push(format!("{}: {faults} in\n{text}", rule.code.id));
                    continue;
                }
            };
            let wanted = if good { BTreeSet::new() } else { BTreeSet::from([rule.code.id]) };
            let found = found(&report, rule);
            if found != wanted {
                let kind = if good { "good" } else { "bad" };
                let drawn = project.drawn(&report);
                wrong.push(format!("{} ({kind}): {found:?} for\n{text}\n{drawn}", rule.code.id));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn fixes_mend() {
    let (mut wrong, mut mended_rules) = (Vec::new(), BTreeSet::new());
    for rule in review::rules() {
        for (_, text) in rule.code.examples().iter().filter(|(good, _)| !good) {
            let mut project = Project::of(&[&with_app(text)]);
            let report = reviewed(&project, rule).unwrap_or_else(|faults| panic!("{faults}"));
            let own: Vec<_> = report
                .findings
                .iter()
                .filter(|finding| finding.rule == rule && !finding.diagnostic.fixes.is_empty())
                .map(|finding| &finding.diagnostic)
                .collect();
            if own.is_empty() {
                continue;
            }
            mended_rules.insert(rule.code.id);
            let parses: Vec<&syntax::Parse> = project.parses.iter().collect();
            let mended = review::mend(&parses, own, true);
            let (_, text) = mended.files.into_iter().next().expect("a fix changes its file");
            project = Project::of(&[&text]);
            match reviewed(&project, rule) {
                Ok(report) => {
                    let found = found(&report, rule);
                    if !found.is_empty() {
                        wrong.push(format!(
                            "{}: {found:?} after the fix in\n{text}\n{}",
                            rule.code.id,
                            project.drawn(&report)
                        ));
                    }
                }
                Err(faults) => wrong.push(format!("{}: {faults} in\n{text}", rule.code.id)),
            }
        }
    }
    println!("{} rules mend what they find", mended_rules.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

//! The review itself.

use syntax::{Diagnostic, Severity};

use crate::directive::{self, Directive};
use crate::facts::Facts;
use crate::{Baseline, Design, Finding, Findings, Level, Levels, Rule, rules};

/// What a review came to.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// What is to be shown, in the order of the text.
    pub findings: Vec<Finding>,
    /// How many findings were left out where the text allows them, each with its reason.
    pub allowed: usize,
    /// How many were left out as known from the baseline.
    pub known: usize,
    /// What the baseline knows and the design no longer has: the rule's code and the item.
    pub mended: Vec<(String, String)>,
}

/// Looks a design over by every rule. Levels of the text stand over those of the caller, and these over the rules' own.
#[must_use]
pub fn review(design: &Design<'_>, levels: &Levels, baseline: Option<&Baseline>) -> Report {
    let facts = Facts::gather(design);
    let (mut directives, mut faults) = directive::read(&facts);
    let mut report = Report::default();
    // Each rule is asked, whatever its level: what a comment allows must be found to be allowed.
    for mut finding in rules().flat_map(|rule| found(rule, &facts)) {
        finding.level = levels.of(finding.rule.code.id, finding.rule.level);
        match directive::level(&mut directives, &finding) {
            Some(Level::Allow) => {
                report.allowed += 1;
                continue;
            }
            Some(level) => finding.level = level,
            None => {}
        }
        report.findings.push(finding);
    }
    faults.extend(
        directives
            .iter()
            .filter_map(|it: &Directive| it.unused(&directives, design.before.is_some())),
    );
    for mut finding in faults {
        finding.level = levels.of(finding.rule.code.id, finding.rule.level);
        report.findings.push(finding);
    }
    report.findings.retain(|finding| finding.level != Level::Allow);
    if let Some(baseline) = baseline {
        baseline.apply(&mut report);
    }
    for finding in &mut report.findings {
        finding.diagnostic.severity = finding.level.severity().unwrap_or(Severity::Note);
    }
    report.findings.sort_by(|a, b| {
        let key = |finding: &Finding| (finding.diagnostic.primary.span, finding.rule.code.id);
        key(a).cmp(&key(b))
    });
    report
}

fn found(rule: &'static Rule, facts: &Facts<'_>) -> Vec<Finding> {
    let Some(check) = rule.check else { return Vec::new() };
    let mut findings = Findings::new(rule);
    check(facts, &mut findings);
    findings.into_found()
}

impl Report {
    /// What is shown, in the order of the text.
    pub fn diagnostics(&self) -> impl Iterator<Item = &Diagnostic> {
        self.findings.iter().map(|finding| &finding.diagnostic)
    }
}

//! GitLab's Code Quality report: a subset of the Code Climate form.

use serde_json::{Value, json};
use syntax::Severity;

use super::{Outcome, fingerprints, whole};

/// A JSON array of issues. Lines count from 1; what has no place is not part of it, since the form demands one.
#[must_use]
pub fn gitlab(outcome: &Outcome<'_>) -> Value {
    let prints = fingerprints(outcome);
    outcome
        .each()
        .zip(prints)
        .filter_map(|((diagnostic, _), fingerprint)| {
            let place = outcome.locate(diagnostic.primary.span)?;
            let severity = match diagnostic.severity {
                Severity::Error => "critical",
                Severity::Warning => "minor",
                Severity::Note => "info",
            };
            Some(json!({
                "description": whole(diagnostic),
                "check_name": diagnostic.code,
                "fingerprint": fingerprint,
                "severity": severity,
                "location": {
                    "path": place.file,
                    "lines": { "begin": place.line, "end": place.end_line },
                },
            }))
        })
        .collect()
}

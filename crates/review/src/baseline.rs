//! Findings that are known, so that a design that begins with faults is held to no new ones.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{Finding, Level, Report};

/// What is known: how many findings of each rule about each item. Lines do not matter, so that edits elsewhere change
/// nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Baseline {
    /// The form of the file.
    version: u32,
    /// By code and item.
    findings: BTreeMap<String, BTreeMap<String, usize>>,
}

/// A file that is no baseline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoBaseline(
    /// What is wrong with it.
    pub String,
);

impl Baseline {
    /// The form that this version writes and reads.
    pub(crate) const VERSION: u32 = 1;

    /// All findings of a report.
    #[must_use]
    pub fn of(report: &Report) -> Self {
        let mut findings: BTreeMap<String, BTreeMap<String, usize>> = BTreeMap::new();
        for finding in &report.findings {
            let items = findings.entry(finding.rule.code.id.to_owned()).or_default();
            *items.entry(finding.path.clone()).or_default() += 1;
        }
        Self { version: Self::VERSION, findings }
    }

    /// Reads a file that [`Baseline::text`] wrote.
    ///
    /// # Errors
    /// [`NoBaseline`] if it is none, or of a newer form.
    pub fn read(text: &str) -> Result<Self, NoBaseline> {
        let found: Self =
            serde_json::from_str(text).map_err(|error| NoBaseline(error.to_string()))?;
        if found.version != Self::VERSION {
            let message = format!("its version is {}, not {}", found.version, Self::VERSION);
            return Err(NoBaseline(message));
        }
        Ok(found)
    }

    /// As a file: JSON, sorted, so that it merges well.
    #[must_use]
    pub fn text(&self) -> String {
        // A map of texts and numbers always has a form in JSON.
        let mut text = serde_json::to_string_pretty(self).unwrap_or_default();
        text.push('\n');
        text
    }

    /// Takes what is known out of a report. What fails by the level that was set for it is known all the same.
    pub(crate) fn apply(&self, report: &mut Report) {
        let mut left = self.findings.clone();
        let mut keep: Vec<Finding> = Vec::with_capacity(report.findings.len());
        for finding in std::mem::take(&mut report.findings) {
            let items = left.get_mut(finding.rule.code.id);
            match items.and_then(|items| items.get_mut(&finding.path)) {
                Some(number) if *number > 0 && finding.level != Level::Allow => {
                    *number -= 1;
                    report.known += 1;
                }
                _ => keep.push(finding),
            }
        }
        report.findings = keep;
        report.mended = left
            .into_iter()
            .flat_map(|(code, items)| {
                items
                    .into_iter()
                    .filter(|(_, number)| *number > 0)
                    .map(move |(path, _)| (code.clone(), path))
            })
            .collect();
    }
}

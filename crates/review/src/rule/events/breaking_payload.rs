//! EVT007

use crate::Findings;
use crate::facts::Facts;

pub(crate) fn check(facts: &Facts<'_>, findings: &mut Findings) {
    facts.report_changes("EVT007", findings);
}

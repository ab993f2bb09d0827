//! DAT020

use model::{Action, EntityKind};

use crate::facts::Facts;
use crate::{Findings, number};

const SECONDS_OF_A_YEAR: f64 = 365.0 * 86_400.0;
/// Beyond so many a table is changed, backed up and read as a whole no more.
const MANY: f64 = 100_000_000.0;

pub(crate) fn check(facts: &Facts<'_>, findings: &mut Findings) {
    for (id, entity) in facts.entities() {
        if matches!(entity.kind, EntityKind::Part(_)) {
            continue;
        }
        let (rate, place) = facts.create_rate(id);
        let yearly = rate * SECONDS_OF_A_YEAR;
        let kept = entity.privacy.as_ref().is_some_and(|privacy| privacy.retain.is_some());
        let deleted = facts.deletion(id).is_some()
            || entity.policies.iter().any(|policy| policy.action == Action::Delete);
        if yearly < MANY || kept || deleted {
            continue;
        }
        let message = format!(
            "`{}` grows by {} rows a year, and nothing takes one away",
            entity.name,
            number::count(yearly)
        );
        let mut finding = findings.at(entity.span, message).text("only grows");
        if let Some(place) = place {
            finding = finding.label(place, "the load says so");
        }
        let mut bytes = yearly * facts.row_bytes(id);
        for part in &entity.parts {
            let each = match (facts.loads.rows(*part), facts.loads.rows(id)) {
                (Some(parts), Some(roots)) => parts / roots.max(1.0),
                _ => 0.0,
            };
            bytes += yearly * each * facts.row_bytes(*part);
        }
        let finding = finding
            .note(format!(
                "{}/s make about {} a year with its parts, and the indexes besides",
                number::count(rate),
                number::bytes(bytes)
            ))
            .help("delete what is no longer needed by a job, or say why it is kept");
        findings.add(facts.entity_path(id), finding);
    }
}

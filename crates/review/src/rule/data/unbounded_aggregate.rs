//! DAT007

use crate::facts::Facts;
use crate::{Findings, number};

/// A bound that is no bound any more.
const MANY: u32 = 1_000;
/// So many on average are a burden for each write.
const HEAVY: f64 = 100.0;

pub(crate) fn check(facts: &Facts<'_>, findings: &mut Findings) {
    for (id, entity) in facts.entities() {
        let Some(part) = facts.model.part_of(id) else { continue };
        let (Some(rows), Some(roots)) = (facts.loads.rows(id), facts.loads.rows(part.root)) else {
            continue;
        };
        let average = rows / roots.max(1.0);
        if part.maximum <= MANY || average < HEAVY {
            continue;
        }
        let root = &facts.model[part.root];
        let message = format!(
            "`{}` has up to {} `{}`, and {} on average",
            root.name,
            number::count(f64::from(part.maximum)),
            part.name,
            number::count(average)
        );
        let mut finding = findings
            .at(part.name_span, message)
            .text("written, locked and versioned as one with its root")
            .label(root.span, "the root that is locked for each of them")
            .note(format!(
                "{} rows by {} roots: a read with its parts carries {} on average",
                number::count(rows),
                number::count(roots),
                number::bytes(average * facts.row_bytes(id))
            ));
        if let Some(span) = facts.loads.rows_span(id) {
            finding = finding.label(span, "the load says so");
        }
        let finding = finding.help(format!(
            "make `{}` an entity of its own that refers to `{}`",
            entity.name, root.name
        ));
        findings.add(facts.entity_path(id), finding);
    }
}

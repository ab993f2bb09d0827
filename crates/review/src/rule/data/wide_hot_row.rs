//! DAT013

use model::Action;

use crate::facts::{EffectKind, Facts};
use crate::{Findings, number};

/// Where PostgreSQL begins to move values out of a row of its 8 KB pages.
const WIDE: f64 = 2_000.0;
/// Updates of one table in a second that make its width matter.
const HOT: f64 = 50.0;

pub(crate) fn check(facts: &Facts<'_>, findings: &mut Findings) {
    for (id, entity) in facts.entities() {
        let Some(width) = facts.most_row_bytes(id).filter(|width| *width > WIDE) else { continue };
        let mut rate = facts.loads.entity(id, Action::Update).map_or(0.0, |rate| rate.usual);
        let mut place = None;
        for command in facts.commands_that_write(id) {
            let updates = facts.effects.of_command(*command).iter().find(
                |effect| matches!(effect.kind, EffectKind::Update { entity, .. } if entity == id),
            );
            if let (Some(update), Some(load)) = (updates, facts.loads.command(*command)) {
                rate += load.usual;
                place.get_or_insert(update.span);
            }
        }
        if rate < HOT {
            continue;
        }
        let message = format!(
            "`{}` is updated {} times a second, and a row takes up to {}",
            entity.name,
            number::count(rate),
            number::bytes(width)
        );
        let mut finding = findings.at(entity.span, message).text("written as a whole each time");
        if let Some(place) = place {
            finding = finding.label(place, "changes a few bytes of it");
        }
        let finding = finding
            .note(format!(
                "one changed number writes the row anew: up to {}/s of log, backup and replication",
                number::bytes(rate * width)
            ))
            .help("move what is wide, or what is hot, into an entity of its own");
        findings.add(facts.entity_path(id), finding);
    }
}

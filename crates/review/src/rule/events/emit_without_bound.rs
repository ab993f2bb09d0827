//! EVT008

use crate::facts::{Actor, EffectKind, Facts};
use crate::{Findings, number};

pub(crate) fn check(facts: &Facts<'_>, findings: &mut Findings) {
    for effect in facts.effects.all() {
        let (EffectKind::Emit { event, .. }, Some(rows)) = (effect.kind, effect.rows) else {
            continue;
        };
        // A job carries out each row in a transaction of its own, in batches.
        if matches!(effect.actor, Actor::Job(_)) {
            continue;
        }
        let name = &facts.event(event).name;
        let mut finding = findings
            .at(effect.span, format!("one request publishes any number of `{name}`"))
            .text("for each row")
            .label(rows, "as many as there are");
        if let Some(most) = facts.rows_of_loop(rows) {
            finding = finding.note(format!("up to {} in one transaction", number::count(most)));
        }
        let finding = finding
            .note("all that hear them are busy until the last, and nothing else gets through")
            .help("do it by a job, or publish one event for all of them");
        findings.add(facts.actor_path(effect.actor), finding);
    }
}

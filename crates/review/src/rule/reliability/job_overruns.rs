//! REL011

use crate::facts::{EffectKind, Facts};
use crate::{Findings, number};

/// Rows in a second that one worker carries out, each in a durable transaction of its own.
const MOST: f64 = 500.0;

pub(crate) fn check(facts: &Facts<'_>, findings: &mut Findings) {
    for (at, job) in facts.model.jobs.iter().enumerate() {
        for effect in facts.effects.of_job(at) {
            let EffectKind::Rows { entity, .. } = effect.kind else { continue };
            let (rate, place) = facts.create_rate(entity);
            if rate <= MOST {
                continue;
            }
            let name = &facts.model[entity].name;
            let message = format!("`{}` never catches up with `{name}`", job.name);
            let mut finding =
                findings.at(effect.span, message).text("each row in a transaction of its own");
            if let Some(place) = place {
                finding = finding.label(place, "so many come into being");
            }
            let finding = finding
                .note(format!(
                    "{} a second come, and one worker carries out about {}",
                    number::count(rate),
                    number::count(MOST)
                ))
                .help("do it with the command that creates the row");
            findings.add(facts.path(job.service, &job.name), finding);
        }
    }
}

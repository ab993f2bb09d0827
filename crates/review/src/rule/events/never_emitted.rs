//! EVT001

use crate::Findings;
use crate::facts::{EffectKind, Facts};

pub(crate) fn check(facts: &Facts<'_>, findings: &mut Findings) {
    // What code publishes is not written here.
    if facts.model.commands.iter().any(|command| command.by_code) {
        return;
    }
    let mut emitted = vec![false; facts.model.events.len()];
    for effect in facts.effects.all() {
        if let EffectKind::Emit { event, .. } = effect.kind {
            emitted[event.index()] = true;
        }
    }
    for (event, _) in facts.model.events.iter().zip(emitted).filter(|(_, emitted)| !emitted) {
        let finding = findings
            .at(event.span, format!("nothing publishes `{}`", event.name))
            .text("no command emits it")
            .note("those who hear it wait for ever, and its schema promises what never comes")
            .help(format!("write `emit {} {{ … }}` where it happens, or remove it", event.name));
        findings.add(facts.path(event.service, &event.name), finding);
    }
}

//! EVT001

use model::EventId;

use crate::Findings;
use crate::facts::Facts;

pub(crate) fn check(facts: &Facts<'_>, findings: &mut Findings) {
    // What code publishes is not written here.
    if facts.model.commands.iter().any(|command| command.by_code) {
        return;
    }
    for (at, event) in facts.model.events.iter().enumerate() {
        let id = EventId(at as u32);
        if !facts.emissions(id).is_empty() || facts.model.is_foreign(id) {
            continue;
        }
        let finding = findings
            .at(event.span, format!("nothing publishes `{}`", event.name))
            .text("no command emits it")
            .note("those who hear it wait for ever, and its schema promises what never comes")
            .help(format!("write `emit {} {{ … }}` where it happens, or remove it", event.name));
        findings.add(facts.path(event.service, &event.name), finding);
    }
}

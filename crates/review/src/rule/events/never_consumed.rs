//! EVT002

use model::EventId;

use crate::facts::Facts;
use crate::{Findings, number};

pub(crate) fn check(facts: &Facts<'_>, findings: &mut Findings) {
    for (at, event) in facts.model.events.iter().enumerate() {
        let id = EventId(at as u32);
        let emits = facts.emissions(id).first();
        let Some(emits) = emits.filter(|_| !facts.is_heard(id) && !facts.is_told(id)) else {
            continue;
        };
        let mut finding = findings
            .at(event.span, format!("nothing hears `{}`", event.name))
            .text("no `on`, no webhook, no workflow, no reader, no broker")
            .label(emits.span, "published here");
        finding = finding.note(match facts.emit_rate(id) {
            Some(rate) => {
                format!("{} a second are written and kept for a week", number::count(rate))
            }
            None => "each is written with its transaction and kept for a week".to_owned(),
        });
        let finding = finding.help("write who hears it, or publish it when somebody does");
        findings.add(facts.path(event.service, &event.name), finding);
    }
}

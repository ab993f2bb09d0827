//! PRI004

use model::Expression;

use crate::Findings;
use crate::facts::{EffectKind, Facts};

pub(crate) fn check(facts: &Facts<'_>, findings: &mut Findings) {
    if facts.model.fields.iter().all(|field| !field.pii) {
        return;
    }
    for effect in facts.effects.all() {
        let path = facts.actor_path(effect.actor);
        match effect.kind {
            EffectKind::Emit { event, members } => {
                let event = facts.event(event);
                let to = format!("the event `{}`", event.name);
                for (_, value) in members {
                    report(
                        facts,
                        findings,
                        &path,
                        value,
                        &to,
                        "events are kept, replayed and sent to partners, where nobody erases a person",
                    );
                }
            }
            EffectKind::Call(call) => {
                let external = &facts.model.externals[call.external.index()].name;
                let to = format!("a call of `{external}`");
                for value in &call.arguments {
                    report(
                        facts,
                        findings,
                        &path,
                        value,
                        &to,
                        "whoever gets it needs a contract and a purpose, and must erase it, too",
                    );
                }
            }
            _ => {}
        }
    }
}

fn report(
    facts: &Facts<'_>,
    findings: &mut Findings,
    path: &str,
    value: &Expression,
    to: &str,
    why: &str,
) {
    let Some(field) = facts.personal_fields(value).first().copied() else { return };
    let row = &facts.model[field];
    let finding = findings
        .at(value.span, format!("the personal `{}` leaves by {to}", row.name))
        .text("sent along")
        .label(row.span, "is personal")
        .note(why)
        .help("send the key, or say by a comment why the field must go");
    findings.add(path, finding);
}

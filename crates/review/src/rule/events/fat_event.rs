//! EVT005

use model::{EntityId, FieldId};

use crate::Findings;
use crate::facts::{EffectKind, Facts, path_of};

/// Fewer fields are no copy of a row.
const FEWEST: usize = 5;

pub(crate) fn check(facts: &Facts<'_>, findings: &mut Findings) {
    for effect in facts.effects.all() {
        let EffectKind::Emit { event, members } = effect.kind else { continue };
        let copied: Vec<FieldId> = members
            .iter()
            .filter_map(|(_, value)| path_of(value)?.last().copied())
            .filter(|field| !facts.model[*field].is_key)
            .collect();
        let mut owners: Vec<EntityId> =
            copied.iter().filter_map(|field| facts.owner(*field)).collect();
        owners.sort_unstable();
        owners.dedup();
        for owner in owners {
            let of_owner =
                copied.iter().filter(|field| facts.owner(**field) == Some(owner)).count();
            let entity = &facts.model[owner];
            let own = entity.fields.iter().filter(|field| !facts.model[**field].is_key).count();
            if of_owner < FEWEST || of_owner * 3 < own * 2 {
                continue;
            }
            let event = facts.event(event);
            let message = format!(
                "`{}` carries {of_owner} of the {own} fields of `{}`",
                event.name, entity.name
            );
            let finding = findings
                .at(effect.span, message)
                .text("copies the row")
                .label(event.span, "promises them to all who hear it")
                .note("the table can no longer change without them, and what they hold is old as soon as the row changes")
                .help("send the key and what has happened; whoever needs more asks");
            findings.add(facts.actor_path(effect.actor), finding);
        }
    }
}

//! PRI006

use model::{Action, EntityKind, FieldId, Grantee, Policy};

use crate::Findings;
use crate::facts::{Facts, roles};

pub(crate) fn check(facts: &Facts<'_>, findings: &mut Findings) {
    for (id, entity) in facts.entities() {
        if matches!(entity.kind, EntityKind::Part(_)) {
            continue;
        }
        for policy in entity.policies.iter().filter(|it| it.action == Action::Read) {
            let Some(field) = personal(facts, id, policy) else { continue };
            if policy.condition.is_some() {
                continue;
            }
            let who = if policy.grantees.contains(&Grantee::Anyone) {
                Some("anyone")
            } else {
                // Whole rows that belong to somebody are a matter of SEC002.
                let broad = roles(policy).find(|role| {
                    let path = facts.ownership(id, *role);
                    let told = path.is_some_and(|path| !path.is_empty() || policy.fields.is_none());
                    facts.who.is_bounded(*role) && !told
                });
                broad.map(|role| facts.role_name(role))
            };
            let Some(who) = who else { continue };
            let row = &facts.model[field];
            let message = format!("`{who}` reads `{}` of every `{}`", row.name, entity.name);
            let finding = findings
                .at(policy.span, message)
                .text("whoever asks gets all of them")
                .label(row.span, "is personal")
                .note("one loop over the list copies them all, and the policy allows it")
                .help("name the fields that all may read, or write a condition");
            findings.add(facts.entity_path(id), finding);
        }
    }
}

/// A personal field that a policy covers, of the entity or of its parts.
fn personal(facts: &Facts<'_>, id: model::EntityId, policy: &Policy) -> Option<FieldId> {
    let entity = &facts.model[id];
    match &policy.fields {
        Some(fields) => fields.iter().copied().find(|field| facts.model[*field].pii),
        None => {
            let parts = entity.parts.iter().flat_map(|part| &facts.model[*part].fields);
            entity.fields.iter().chain(parts).copied().find(|field| facts.model[*field].pii)
        }
    }
}

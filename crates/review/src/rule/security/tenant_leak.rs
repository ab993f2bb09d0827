//! SEC006

use model::{EntityId, EntityKind, ExpressionKind, FieldId, Grantee, RoleId};

use crate::Findings;
use crate::facts::{Facts, roles, visit};

/// By so many entities a field of the caller is what divides the world.
const ENOUGH: usize = 2;

pub(crate) fn check(facts: &Facts<'_>, findings: &mut Findings) {
    for (field, role) in dividing(facts) {
        let Some(tenant) = facts.model[field].ty.as_entity() else { continue };
        for (id, entity) in facts.entities() {
            let is_part = matches!(entity.kind, EntityKind::Part(_));
            if is_part || facts.ownership(id, role).is_some() {
                continue;
            }
            // What everybody may see divides nothing.
            let is_public =
                entity.policies.iter().any(|policy| policy.grantees.contains(&Grantee::Anyone));
            let open = entity.policies.iter().find(|policy| {
                policy.condition.is_none() && roles(policy).any(|other| other == role)
            });
            let Some(open) = open.filter(|_| !is_public) else { continue };
            let (who, other) = (facts.role_name(role), &facts.model[tenant].name);
            let name = &facts.model[field].name;
            // The tenant itself is known by its key.
            let (message, condition) = if id == tenant {
                let key = &facts.model[entity.key].name;
                (
                    format!("each `{who}` sees every `{other}`, and not only their own"),
                    format!(".{key} == caller.{name}.{key}"),
                )
            } else {
                (
                    format!(
                        "`{}` is shared by every `{other}`: each `{who}` sees what all of them wrote",
                        entity.name
                    ),
                    format!(".{name} == caller.{name}"),
                )
            };
            let finding = findings
                .at(open.span, message)
                .text("holds nobody to their own")
                .label(facts.model[field].span, "elsewhere this divides who sees what")
                .help(format!("write `when {condition}`"));
            findings.add(facts.entity_path(id), finding);
        }
    }
}

/// References of those who sign in by which policies of several entities divide what a role may do.
fn dividing(facts: &Facts<'_>) -> Vec<(FieldId, RoleId)> {
    let mut seen: Vec<((FieldId, RoleId), Vec<EntityId>)> = Vec::new();
    for (id, entity) in facts.entities() {
        for policy in &entity.policies {
            let Some(condition) = &policy.condition else { continue };
            visit(condition, &mut |part| {
                let ExpressionKind::Caller { path, .. } = &part.kind else { return };
                let Some(first) = path.first() else { return };
                if facts.model[*first].ty.as_entity().is_none() {
                    return;
                }
                for role in roles(policy) {
                    match seen.iter_mut().find(|(known, _)| *known == (*first, role)) {
                        Some((_, entities)) if entities.contains(&id) => {}
                        Some((_, entities)) => entities.push(id),
                        None => seen.push(((*first, role), vec![id])),
                    }
                }
            });
        }
    }
    seen.into_iter().filter(|(_, entities)| entities.len() >= ENOUGH).map(|(key, _)| key).collect()
}

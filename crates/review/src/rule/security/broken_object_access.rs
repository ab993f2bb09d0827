//! SEC002

use model::{Action, Entity, EntityId, EntityKind, FieldId, Grantee, Policy, RoleId};

use crate::facts::{Facts, mentions_caller, roles};
use crate::{Findings, edit};

pub(crate) fn check(facts: &Facts<'_>, findings: &mut Findings) {
    for (id, entity) in facts.entities() {
        if matches!(entity.kind, EntityKind::Part(_)) {
            continue;
        }
        let mut told: Vec<(RoleId, Action)> = Vec::new();
        for policy in entity.policies.iter().filter(|policy| policy.condition.is_none()) {
            // What everybody may read belongs to nobody.
            if is_public(entity, policy.action) {
                continue;
            }
            for role in roles(policy).filter(|role| facts.who.is_bounded(*role)) {
                let Some(path) = facts.ownership(id, role) else { continue };
                // A public profile: fields that were named one by one.
                let is_profile =
                    path.is_empty() && policy.fields.is_some() && policy.action == Action::Read;
                // A row of one's own kind is created by others or by signing up.
                let is_new = path.is_empty() && policy.action == Action::Create;
                if is_profile || is_new || told.contains(&(role, policy.action)) {
                    continue;
                }
                told.push((role, policy.action));
                report(facts, findings, (id, entity), policy, (role, &path));
            }
        }
    }
}

fn is_public(entity: &Entity, action: Action) -> bool {
    entity.policies.iter().any(|policy| {
        policy.action == action
            && policy.condition.as_ref().is_none_or(|it| !mentions_caller(it))
            && policy.grantees.contains(&Grantee::Anyone)
    })
}

fn report(
    facts: &Facts<'_>,
    findings: &mut Findings,
    (id, entity): (EntityId, &Entity),
    policy: &Policy,
    (role, path): (RoleId, &[FieldId]),
) {
    let model = facts.model;
    let who = facts.role_name(role);
    let message = format!(
        "every `{who}` may {} every `{}`, whoever it belongs to",
        policy.action.word(),
        entity.name
    );
    let condition = if path.is_empty() {
        format!(".{} == caller.{}", model[entity.key].name, model[entity.key].name)
    } else {
        let names: Vec<&str> = path.iter().map(|field| model[*field].name.as_str()).collect();
        format!(".{} == caller", names.join("."))
    };
    let mut finding = findings.at(policy.span, message).text("has no condition on the owner");
    if let Some(first) = path.first() {
        finding = finding.label(model[*first].span, "says whose it is");
    }
    finding = finding.note(format!(
        "elsewhere `{who}` is held to rows of its own; here another key in the address shows those of others"
    ));
    // With other roles in the same line the condition would hold for them as well.
    let alone = policy.grantees.len() == 1;
    if let (true, Some(node)) = (alone, facts.source.node(policy.span)) {
        let edits = vec![edit::append(node, &format!(" when {condition}"))];
        let title = format!("write `when {condition}`");
        finding = finding.fix_all(title, edits, syntax::Applicability::Unsafe);
    } else {
        finding = finding.help(format!("give `{who}` a line of its own: `… when {condition}`"));
    }
    findings.add(facts.entity_path(id), finding);
}

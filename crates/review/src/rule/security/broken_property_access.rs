//! SEC003

use model::{Action, ExpressionKind, FieldId, Policy, RoleId};
use syntax::Span;
use syntax::ast::{self, View as _};

use crate::Findings;
use crate::facts::{EffectKind, Facts, roles, visit};

pub(crate) fn check(facts: &Facts<'_>, findings: &mut Findings) {
    let deciding = deciding(facts);
    for (id, entity) in facts.entities() {
        for policy in entity.policies.iter().filter(|it| it.action == Action::Update) {
            let outsiders = roles(policy).filter(|role| facts.who.is_bounded(*role));
            for role in outsiders {
                let own = facts.model[role].entity == Some(id);
                for (field, place) in deciding.iter().filter(|_| own) {
                    if writes(facts, policy, *field) && facts.owner(*field) == Some(id) {
                        report(
                            facts,
                            findings,
                            policy,
                            (role, *field),
                            (*place, "decides here what they may do"),
                        );
                    }
                }
                for flow in entity.flows.iter().filter(|flow| writes(facts, policy, flow.field)) {
                    if let Some(place) = set_for_others(facts, role, flow.field) {
                        report(
                            facts,
                            findings,
                            policy,
                            (role, flow.field),
                            (place, "set here, by those who may"),
                        );
                    }
                }
            }
        }
    }
}

/// Fields of those who sign in that conditions look at, and where.
fn deciding(facts: &Facts<'_>) -> Vec<(FieldId, Span)> {
    let mut found: Vec<(FieldId, Span)> = Vec::new();
    let entities = facts.model.entities.iter().flat_map(|entity| &entity.policies);
    let queries = facts.model.queries.iter().flat_map(|query| &query.policies);
    let commands = facts.model.commands.iter().flat_map(|command| &command.policies);
    for condition in entities.chain(queries).chain(commands).filter_map(|it| it.condition.as_ref())
    {
        visit(condition, &mut |part| {
            if let ExpressionKind::Caller { path, .. } = &part.kind
                && let Some(first) = path.first()
                && !facts.model[*first].is_key
                && found.iter().all(|(known, _)| known != first)
            {
                found.push((*first, part.span));
            }
        });
    }
    found
}

fn writes(facts: &Facts<'_>, policy: &Policy, field: FieldId) -> bool {
    let row = &facts.model[field];
    let can_change = !row.is_key && !row.immutable && row.computed.is_none();
    can_change && policy.fields.as_ref().is_none_or(|fields| fields.contains(&field))
}

/// Where a command sets a field that callers of a role may not run.
fn set_for_others(facts: &Facts<'_>, role: RoleId, field: FieldId) -> Option<Span> {
    facts.command_ids().find_map(|id| {
        let policies = &facts.model.commands[id.index()].policies;
        if policies.is_empty() || policies.iter().any(|policy| policy.grants(&[role])) {
            return None;
        }
        facts.effects.of_command(id).iter().find_map(|effect| match effect.kind {
            EffectKind::Update { fields, .. } => {
                fields.iter().find(|(it, _)| *it == field).map(|(_, value)| value.span)
            }
            _ => None,
        })
    })
}

fn report(
    facts: &Facts<'_>,
    findings: &mut Findings,
    policy: &Policy,
    (role, field): (RoleId, FieldId),
    (place, text): (Span, &str),
) {
    let Some(owner) = facts.owner(field) else { return };
    let (who, row) = (facts.role_name(role), &facts.model[field]);
    let message = format!("every `{who}` may set `{}` by hand", row.name);
    let mut finding = findings
        .at(policy.span, message)
        .text("this update covers it")
        .label(row.span, "the field")
        .label(place, text)
        .note(
            "whoever may write the whole row writes this field as well, and the policy believes it",
        );
    let others: Vec<&str> = facts.model[owner]
        .fields
        .iter()
        .filter(|other| **other != field && writes(facts, policy, **other))
        .map(|other| facts.model[*other].name.as_str())
        .collect();
    let view = facts.source.node(policy.span).and_then(ast::Allow::cast);
    let update =
        view.and_then(|view| view.actions().find(|it| it.action() == Some(Action::Update)));
    if let (false, Some(update)) = (others.is_empty(), update) {
        let list = format!("update {}", others.join(", "));
        finding = finding.suggest(format!("write `{list}`"), update.span(), list);
    } else {
        finding =
            finding.help("name the fields that they may change: `allow update name, phone to …`");
    }
    findings.add(facts.field_path(owner, field), finding);
}

//! DAT016

use model::{Action, ExpressionKind};

use crate::Findings;
use crate::facts::Facts;

pub(crate) fn check(facts: &Facts<'_>, findings: &mut Findings) {
    let by_code = facts.model.commands.iter().any(|command| command.by_code);
    for (id, entity) in facts.entities() {
        for flow in &entity.flows {
            let field = &facts.model[flow.field];
            let Some(values) = field.ty.as_enum() else { continue };
            // Whoever may create a row chooses where it begins.
            let chosen = entity.policies.iter().any(|policy| policy.action == Action::Create);
            if chosen || by_code {
                continue;
            }
            let values = &facts.model[values].values;
            let mut reached = vec![false; values.len()];
            for (_, targets) in &flow.transitions {
                targets.iter().for_each(|at| reached[*at] = true);
            }
            let mut unknown = false;
            let default = match &field.default {
                Some(model::Default::Expression(default)) => Some(&**default),
                _ => None,
            };
            let created = facts.creations(id).iter().filter_map(|creation| {
                creation.fields.iter().find(|(it, _)| *it == flow.field).map(|(_, value)| value)
            });
            for value in default.into_iter().chain(created) {
                match value.kind {
                    ExpressionKind::EnumValue(_, at) => reached[at] = true,
                    _ => unknown = true,
                }
            }
            if unknown {
                continue;
            }
            for (at, value) in values.iter().enumerate().filter(|(at, _)| !reached[*at]) {
                let leaves = flow.transitions.iter().any(|(from, _)| *from == at);
                let message = format!("no `{}` is ever `{}`", entity.name, value.name);
                let finding = findings
                    .at(value.span, message)
                    .text("no transition leads here")
                    .label(flow.span, "where a row may go from where")
                    .note(if leaves {
                        "the transitions that leave it are never taken"
                    } else {
                        "whatever sets it is refused"
                    })
                    .help(format!("write from where it is entered: `… -> {}`", value.name));
                let path = format!("{}.{}", facts.field_path(id, flow.field), value.name);
                findings.add(path, finding);
            }
        }
    }
}

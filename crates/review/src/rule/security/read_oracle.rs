//! SEC015

use model::{Action, FieldId, Policy, QueryId, RoleId};

use crate::Findings;
use crate::facts::{Facts, parameter_fields, roles};

pub(crate) fn check(facts: &Facts<'_>, findings: &mut Findings) {
    for (at, query) in facts.model.queries.iter().enumerate() {
        let Some(filter) = &query.filter else { continue };
        for (field, position) in parameter_fields(filter) {
            let blind = query.policies.iter().flat_map(roles).find(|role| {
                *role != RoleId::SYSTEM
                    && is_blind(&facts.model[query.entity].policies, *role, field)
            });
            let Some(role) = blind else { continue };
            let (who, row) = (facts.role_name(role), &facts.model[field]);
            let Some(parameter) = query.parameters.get(position) else { continue };
            let message = format!(
                "`{who}` may not read `{}`, and finds it out by asking `{}`",
                row.name, query.name
            );
            let finding = findings
                .at(filter.span, message)
                .text("says whether the guess was right")
                .label(parameter.span, "the guess")
                .label(row.span, format!("not granted to `{who}`"))
                .help("grant the field, leave it out of the query, or let another role ask");
            findings.add(facts.query_path(QueryId(at as u32)), finding);
        }
    }
}

/// Whether a role reads rows without this field. A role that reads no rows at all gets no answer either.
fn is_blind(policies: &[Policy], role: RoleId, field: FieldId) -> bool {
    let mut reads = false;
    for policy in policies {
        if policy.action != Action::Read || !policy.grants(&[role]) {
            continue;
        }
        reads = true;
        if policy.fields.as_ref().is_none_or(|fields| fields.contains(&field)) {
            return false;
        }
    }
    reads
}

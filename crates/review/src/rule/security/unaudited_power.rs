//! SEC012

use model::{Action, EntityKind, RoleId};

use crate::facts::{Facts, roles};
use crate::{Findings, edit};

pub(crate) fn check(facts: &Facts<'_>, findings: &mut Findings) {
    for (id, entity) in facts.entities() {
        if entity.audit || matches!(entity.kind, EntityKind::Part(_)) {
            continue;
        }
        let parts = entity.parts.iter().flat_map(|part| &facts.model[*part].fields);
        let precious = entity.fields.iter().chain(parts).find(|field| {
            let field = &facts.model[**field];
            field.pii || Facts::is_money(&field.ty)
        });
        let Some(precious) = precious else { continue };
        let power = entity.policies.iter().find_map(|policy| {
            let staff = roles(policy)
                .find(|role| *role != RoleId::SYSTEM && !facts.who.is_bounded(*role))?;
            (policy.action != Action::Read).then_some((policy, staff))
        });
        let Some((policy, role)) = power else { continue };
        let field = &facts.model[*precious];
        let kind = if field.pii { "personal data" } else { "money" };
        let message = format!(
            "`{}` may {} rows of `{}` that hold {kind}, and nothing says who did",
            facts.role_name(role),
            policy.action.word(),
            entity.name
        );
        let mut finding = findings
            .at(policy.span, message)
            .text("leaves no trail")
            .label(field.span, format!("is {kind}"))
            .note("when something is wrong, nobody can say who changed it, when, and what it was before");
        let item = facts.source.entity(entity.span).map(|view| view.node());
        if let Some(edit) = item.and_then(|item| edit::add_member(item, "audit")) {
            finding = finding.fix_all("add `audit`", vec![edit], syntax::Applicability::Safe);
        }
        findings.add(facts.entity_path(id), finding);
    }
}

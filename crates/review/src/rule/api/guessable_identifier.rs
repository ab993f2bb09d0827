//! API005

use model::{Default, EntityKind};

use crate::Findings;
use crate::facts::{Facts, mentions_caller};

pub(crate) fn check(facts: &Facts<'_>, findings: &mut Findings) {
    for (id, entity) in facts.entities() {
        let key = &facts.model[entity.key];
        let counted = matches!(key.default, Some(Default::Auto));
        if !counted || matches!(entity.kind, EntityKind::Part(_)) {
            continue;
        }
        let owned = entity
            .policies
            .iter()
            .find(|policy| policy.condition.as_deref().is_some_and(mentions_caller));
        let Some(owned) = owned else { continue };
        let path = &facts.contract.resource(id).item_path;
        let message =
            format!("rows of `{}` that belong to somebody are counted in public", entity.name);
        let finding = findings
            .at(key.span, message)
            .text("one number after the other")
            .label(owned.span, "each sees only their own")
            .note(format!("`{path}` tells how many there are, and which to try next"))
            .help(format!(
                "write `key {}: Uuid`; a number for people may stand beside it",
                key.name
            ));
        findings.add(facts.field_path(id, entity.key), finding);
    }
}

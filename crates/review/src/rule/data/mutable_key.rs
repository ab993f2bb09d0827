//! DAT006

use model::Type;

use crate::Findings;
use crate::facts::Facts;

pub(crate) fn check(facts: &Facts<'_>, findings: &mut Findings) {
    for (id, entity) in facts.entities() {
        let key = &facts.model[entity.key];
        let is_address = matches!(key.ty, Type::Email | Type::Url);
        if key.is_position || !(key.pii || is_address) {
            continue;
        }
        let why = if key.pii || matches!(key.ty, Type::Email) {
            "is personal, and changes with its person"
        } else {
            "is an address, and addresses change"
        };
        let message = format!("the key of `{}` {why}", entity.name);
        let mut finding = findings
            .at(key.span, message)
            .text("never changes once it is stored")
            .note("keys stand in paths, logs and the tables of others, where nothing is erased");
        let referrers = &facts.referrers[id.index()];
        for (owner, field) in referrers.iter().take(2) {
            let name = &facts.model[*owner].name;
            finding =
                finding.label(facts.model[*field].span, format!("`{name}` keeps a copy of it"));
        }
        let finding = finding.help(format!(
            "write `key id: Uuid`, and `{}: {} unique` beside it",
            key.name,
            facts.model.type_text(&key.ty)
        ));
        findings.add(facts.field_path(id, entity.key), finding);
    }
}

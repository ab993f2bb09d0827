//! DAT003

use model::{EntityKind, FieldId};

use crate::facts::Facts;
use crate::{Findings, edit, number};

pub(crate) fn check(facts: &Facts<'_>, findings: &mut Findings) {
    // What code looks for is not written here.
    if facts.model.commands.iter().any(|command| command.by_code) {
        return;
    }
    for (id, entity) in facts.entities() {
        let listed = !facts.contract.resource(id).read.is_empty();
        if listed || matches!(entity.kind, EntityKind::Part(_)) {
            continue;
        }
        for index in &entity.indexes {
            let Some((first, _)) = index.keys.first() else { continue };
            let is_reference = facts.model[*first].ty.as_entity().is_some();
            if is_reference || is_asked(facts, id, *first) {
                continue;
            }
            let name = &facts.model[*first].name;
            let message = format!("nothing looks for rows of `{}` by `{name}`", entity.name);
            let mut finding = findings.at(index.span, message).text("nothing is found by this");
            finding = finding.note(match facts.write_rate(id) {
                Some(rate) => {
                    format!("each of {} writes a second changes it, too", number::count(rate))
                }
                None => "each write changes it, too".to_owned(),
            });
            if let Some(node) = facts.source.node(index.span) {
                let edits = vec![edit::remove(node)];
                finding = finding.fix_all("remove the index", edits, syntax::Applicability::Unsafe);
            }
            findings.add(facts.entity_path(id), finding);
        }
    }
}

fn is_asked(facts: &Facts<'_>, entity: model::EntityId, field: FieldId) -> bool {
    facts.accesses.iter().filter(|access| access.entity == entity).any(|access| {
        let compared = access.equal.iter().chain(&access.maybe).chain(&access.ranges);
        compared.into_iter().any(|(known, _)| *known == field)
            || access.sort.iter().any(|term| term.field == field)
    })
}

//! PRI001

use model::EntityKind;

use crate::facts::Facts;
use crate::{Findings, edit};

pub(crate) fn check(facts: &Facts<'_>, findings: &mut Findings) {
    let reached = reached(facts);
    for (id, entity) in facts.entities() {
        let personal = entity.fields.iter().find(|field| facts.model[**field].pii);
        let root = facts.root(id);
        // Who signs in is a person, and is not found by way of another one.
        let signs_in = facts.model.auth.users.iter().any(|user| user.entity == root);
        let is_subject = facts.model[root].privacy.as_ref().is_some_and(|privacy| privacy.subject);
        let found = if signs_in { is_subject } else { reached[root.index()] };
        let Some(personal) = personal.filter(|_| !found) else { continue };
        let field = &facts.model[*personal];
        let message =
            format!("nobody finds the personal data of `{}` from its person", entity.name);
        let mut finding = findings
            .at(entity.span, message)
            .text("leads to no person")
            .label(field.span, "is personal")
            .note("whoever asks what is known of them, or to be forgotten (GDPR articles 15 and 17), is told too little");
        let view = facts.source.entity(entity.span).filter(|_| signs_in && id == root);
        let line = "privacy  subject, retain 10y";
        let edit = view.and_then(|view| edit::add_member(view.node(), line));
        finding = match edit.filter(|_| entity.privacy.is_none()) {
            Some(edit) => finding.fix_all(
                "say that it is a person, and how long it is kept",
                vec![edit],
                syntax::Applicability::Unsafe,
            ),
            None => finding.help("write `privacy subject, retain …` where the row is a person, or refer to the one it speaks of"),
        };
        findings.add(facts.entity_path(id), finding);
    }
}

/// By entity: whether it is a person, or a chain of references leads to one.
fn reached(facts: &Facts<'_>) -> Vec<bool> {
    let mut reached = vec![false; facts.model.entities.len()];
    let mut open: Vec<model::EntityId> = facts
        .entities()
        .filter(|(_, entity)| entity.privacy.as_ref().is_some_and(|privacy| privacy.subject))
        .map(|(id, _)| id)
        .collect();
    open.iter().for_each(|id| reached[id.index()] = true);
    while let Some(id) = open.pop() {
        let referrers = facts.referrers[id.index()].iter().map(|(owner, _)| *owner);
        // A reference of a part is one of its root, and what a root leads to its parts lead to.
        let around = referrers.map(|owner| facts.root(owner));
        for owner in around {
            if matches!(facts.model[owner].kind, EntityKind::Root) && !reached[owner.index()] {
                reached[owner.index()] = true;
                open.push(owner);
            }
        }
    }
    reached
}

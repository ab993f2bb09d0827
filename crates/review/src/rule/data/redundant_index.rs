//! DAT002

use model::EntityId;

use crate::facts::Facts;
use crate::{Findings, edit, number};

pub(crate) fn check(facts: &Facts<'_>, findings: &mut Findings) {
    for (id, entity) in facts.entities() {
        for (at, index) in entity.indexes.iter().enumerate() {
            let Some((span, what)) = covering(facts, id, at) else { continue };
            let names: Vec<&str> =
                index.keys.iter().map(|(field, _)| facts.model[*field].name.as_str()).collect();
            let message =
                format!("the index over `{}` finds nothing that {what} does not", names.join(", "));
            let mut finding = findings.at(index.span, message).text("costs with each write");
            if let Some(span) = span {
                finding = finding.label(span, "finds the same, and more");
            }
            if let Some(rate) = facts.write_rate(id) {
                let rate = number::count(rate);
                finding = finding.note(format!(
                    "`{}` is written {rate} times a second, and each write changes both",
                    entity.name
                ));
            }
            if let Some(node) = facts.source.node(index.span) {
                let edits = vec![edit::remove(node)];
                finding = finding.fix_all("remove the index", edits, syntax::Applicability::Safe);
            }
            findings.add(facts.entity_path(id), finding);
        }
    }
}

/// What finds all that an index finds, and where it stands.
fn covering(
    facts: &Facts<'_>,
    id: EntityId,
    at: usize,
) -> Option<(Option<syntax::Span>, &'static str)> {
    let entity = &facts.model[id];
    let own = &entity.indexes[at].keys;
    let is_plain = own.iter().all(|(_, down)| !down);
    let of_constraint = facts.indexes[id.index()].iter().find(|other| {
        other.unique
            && is_plain
            && other.fields.len() >= own.len()
            && own.iter().zip(&other.fields).all(|((field, _), other)| field == other)
    });
    if let Some(constraint) = of_constraint {
        let what = if constraint.span.is_some() { "the unique constraint" } else { "the key" };
        return Some((constraint.span, what));
    }
    let of_index = entity.indexes.iter().enumerate().find(|(other, index)| {
        // Of two that are alike the later one goes.
        let longer = index.keys.len() > own.len() || (index.keys.len() == own.len() && *other < at);
        longer && index.keys.starts_with(own)
    });
    of_index.map(|(_, index)| (Some(index.span), "another index"))
}

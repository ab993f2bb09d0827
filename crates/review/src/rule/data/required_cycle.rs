//! DAT008

use model::{EntityId, EntityKind, FieldId};

use crate::facts::{Facts, cycles};
use crate::{Findings, edit};

pub(crate) fn check(facts: &Facts<'_>, findings: &mut Findings) {
    let mut references: Vec<Vec<(EntityId, FieldId)>> =
        vec![Vec::new(); facts.model.entities.len()];
    for (id, field_id, field) in facts.fields() {
        let Some(target) = field.ty.as_entity() else { continue };
        // Across services nothing looks whether the row is there.
        let is_free = field.optional
            || field.default.is_some()
            || field.computed.is_some()
            || facts.model.crosses(id, target);
        // A part that may be left out holds its root up in nothing.
        let is_needed = match &facts.model[id].kind {
            EntityKind::Root => true,
            EntityKind::Part(part) => part.minimum > 0,
        };
        if !is_free && is_needed {
            references[facts.root(id).index()].push((facts.root(target), field_id));
        }
    }
    let edges: Vec<Vec<usize>> = references
        .iter()
        .map(|targets| targets.iter().map(|(target, _)| target.index()).collect())
        .collect();
    for cycle in cycles(&edges) {
        report(facts, findings, &references, &cycle);
    }
}

fn report(
    facts: &Facts<'_>,
    findings: &mut Findings,
    references: &[Vec<(EntityId, FieldId)>],
    cycle: &[usize],
) {
    let inside = cycle.iter().flat_map(|at| {
        references[*at].iter().filter(|(target, _)| cycle.contains(&target.index()))
    });
    let mut fields = inside.map(|(_, field)| *field);
    let Some(first) = fields.next() else { return };
    let Some(owner) = facts.owner(first) else { return };
    let names: Vec<String> =
        cycle.iter().map(|at| facts.model.entities[*at].name.clone()).collect();
    let field = &facts.model[first];
    let message = match names.as_slice() {
        [only] => format!("the first `{only}` cannot be created: it needs another one"),
        _ => {
            format!("{} need each other: none can be created first", crate::number::list(&names, 4))
        }
    };
    let mut finding = findings.at(field.type_span, message).text("must be there already");
    for other in fields.take(3) {
        finding = finding.label(facts.model[other].type_span, "must be there already");
    }
    finding = finding.note("a reference is looked up when its row is created");
    let view = facts.source.field(facts.model[owner].span, field.span);
    if let Some(type_expr) = view.and_then(|view| view.type_expr()) {
        let edits = vec![edit::append(type_expr.node(), "?")];
        let title = format!("let `{}` be absent", field.name);
        finding = finding.fix_all(title, edits, syntax::Applicability::Unsafe);
    }
    findings.add(facts.field_path(owner, first), finding);
}

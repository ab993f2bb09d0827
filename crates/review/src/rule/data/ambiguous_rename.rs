//! DAT021

use model::{Entity, EntityId, Field, FieldId, Model};
use syntax::{Applicability, Diagnostic, Edit};

use crate::Findings;
use crate::edit::append;
use crate::facts::Facts;

/// So much of the fields of one entity must be in another, in tenths, before the two are taken for one.
const ALIKE: usize = 7;

pub(crate) fn check(facts: &Facts<'_>, findings: &mut Findings) {
    let Some(old) = facts.before.and_then(|before| before.model) else { return };
    let pairs = pairs(old, facts.model);
    entities(facts, findings, old, &pairs);
    for (before, after) in pairs {
        fields(facts, findings, old, (before, after));
    }
}

/// Entities of both models, by the name they have or had.
fn pairs(old: &Model, new: &Model) -> Vec<(EntityId, EntityId)> {
    let service =
        |model: &Model, id: EntityId| model.services[model[id].service.index()].name.clone();
    let mut pairs = Vec::new();
    for after in new.entity_ids() {
        let names = [Some(new[after].name.as_str()), new[after].was.as_deref()];
        let mut all =
            old.entity_ids().filter(|before| service(old, *before) == service(new, after));
        if let Some(before) = all.find(|before| names.contains(&Some(old[*before].name.as_str()))) {
            pairs.push((before, after));
        }
    }
    pairs
}

/// Stored fields of one entity that the other has not, by name.
fn apart<'m>(
    (model, entity): (&'m Model, &'m Entity),
    (other, beside): (&Model, &Entity),
    former: bool,
) -> Vec<(FieldId, &'m Field)> {
    let is_there = |field: &Field| {
        beside.fields.iter().any(|it| {
            let it = &other[*it];
            it.name == field.name || former && it.was.as_deref() == Some(&field.name)
        })
    };
    let own = entity.fields.iter().map(|id| (*id, &model[*id]));
    own.filter(|(_, field)| !field.is_position && field.computed.is_none() && !is_there(field))
        .collect()
}

fn fields(
    facts: &Facts<'_>,
    findings: &mut Findings,
    old: &Model,
    (before, after): (EntityId, EntityId),
) {
    let new = facts.model;
    let form = |model: &Model, field: &Field| (model.type_text(&field.ty), field.optional);
    let gone = apart((old, &old[before]), (new, &new[after]), true);
    let fresh = apart((new, &new[after]), (old, &old[before]), false);
    for (id, field) in fresh.into_iter().filter(|(_, field)| field.was.is_none()) {
        let alike: Vec<&str> = gone
            .iter()
            .filter(|(_, it)| form(old, it) == form(new, field))
            .map(|(_, it)| it.name.as_str())
            .collect();
        let Some(first) = alike.first() else { continue };
        let path = facts.field_path(after, id);
        let entity = &new[after];
        let finding = findings.at(
            field.span,
            format!(
                "`{}` is new, and `{}`, which was like it, is gone",
                field.name,
                alike.join("`, `")
            ),
        );
        let view = facts.source.field(entity.span, field.span);
        let edit = view.map(|view| append(view.node(), &format!(" was {first}")));
        // Of two that it could be, no edit chooses.
        let edit = edit.filter(|_| alike.len() == 1);
        findings.add(path, told(finding, first, "column", edit));
    }
}

fn entities(
    facts: &Facts<'_>,
    findings: &mut Findings,
    old: &Model,
    pairs: &[(EntityId, EntityId)],
) {
    let new = facts.model;
    let names = |model: &Model, id: EntityId| {
        let fields = model[id].fields.iter().map(|it| &model[*it]);
        fields
            .map(|it| (it.name.clone(), model.type_text(&it.ty)))
            .collect::<std::collections::BTreeSet<_>>()
    };
    let gone: Vec<EntityId> =
        old.entity_ids().filter(|id| pairs.iter().all(|(before, _)| before != id)).collect();
    for id in new.entity_ids().filter(|id| pairs.iter().all(|(_, after)| after != id)) {
        let own = names(new, id);
        let alike = gone.iter().find(|it| {
            let other = names(old, **it);
            let most = own.len().max(other.len());
            own.intersection(&other).count() * 10 >= most * ALIKE
        });
        let Some(before) = alike.map(|it| &old[*it].name) else { continue };
        let entity = &new[id];
        let finding = findings.at(
            entity.span,
            format!("`{}` is new, and `{before}`, which was like it, is gone", entity.name),
        );
        let edit = Edit { span: entity.span.after(), replacement: format!(" was {before}") };
        findings.add(facts.entity_path(id), told(finding, before, "table", Some(edit)));
    }
}

fn told(finding: Diagnostic, before: &str, stored: &str, edit: Option<Edit>) -> Diagnostic {
    let finding = finding.text("a new one, or the old one renamed?").note(format!(
        "as it is written the {stored} of `{before}` is dropped, with all that is in it"
    ));
    match edit {
        Some(edit) => finding.fix_all(
            format!("if it is the same, say so: `was {before}`"),
            vec![edit],
            Applicability::Unsafe,
        ),
        None => finding.help(format!("if it is the same, say so: `was {before}`")),
    }
}

//! SEC005

use model::{BinaryOperator, Entity, EntityId, Expression, ExpressionKind, FieldId, Function};
use operation::Comparison;

use crate::Findings;
use crate::facts::{Facts, mentions_caller, path_of, visit};

pub(crate) fn check(facts: &Facts<'_>, findings: &mut Findings) {
    for (id, entity) in facts.entities() {
        for policy in &entity.policies {
            let Some(condition) = &policy.condition else { continue };
            if let Some((field, place)) = opening(condition)
                && facts.model[field].optional
            {
                report(facts, findings, (id, entity), field, place);
                // One line with several actions is one fault.
                break;
            }
        }
    }
}

/// The field whose absence makes a condition true for every caller, and where.
fn opening(condition: &Expression) -> Option<(FieldId, &Expression)> {
    let mut found = None;
    visit(condition, &mut |part| match &part.kind {
        ExpressionKind::Or(terms) => {
            let absent = terms.iter().find_map(|term| Some((absent(term)?, term)));
            let compared = terms.iter().any(mentions_caller);
            if let (Some(absent), true) = (absent, compared) {
                found.get_or_insert(absent);
            }
        }
        ExpressionKind::Call(Function::Coalesce, arguments) => {
            let field = arguments.first().and_then(path_of).and_then(|path| path.first());
            if let (Some(field), true) = (field, arguments.iter().any(mentions_caller)) {
                found.get_or_insert((*field, part));
            }
        }
        _ => {}
    });
    found
}

/// The field that a term demands to be absent.
fn absent(term: &Expression) -> Option<FieldId> {
    let ExpressionKind::Binary(BinaryOperator::Compare(Comparison::Equal), left, right) =
        &term.kind
    else {
        return None;
    };
    let side = match (&left.kind, &right.kind) {
        (_, ExpressionKind::Null) => left,
        (ExpressionKind::Null, _) => right,
        _ => return None,
    };
    path_of(side)?.first().copied()
}

fn report(
    facts: &Facts<'_>,
    findings: &mut Findings,
    (id, entity): (EntityId, &Entity),
    field: FieldId,
    place: &Expression,
) {
    let row = &facts.model[field];
    let message = format!("a `{}` without `{}` is open to every caller", entity.name, row.name);
    let finding = findings
        .at(place.span, message)
        .text("true where there is none")
        .label(row.span, "may be absent")
        .note("a row that loses its owner belongs to everybody from then on")
        .help("let it be required, or give such rows to a role that looks after them");
    findings.add(facts.field_path(id, field), finding);
}

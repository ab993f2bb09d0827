//! DAT012

use model::{BinaryOperator, Expression, ExpressionKind, FieldId, Type};
use operation::Value;
use rustc_hash::FxHashMap;
use syntax::Span;

use crate::facts::{Facts, visit};
use crate::{Findings, number};

/// How a text is used.
#[derive(Default)]
struct Use {
    /// Texts it is compared with, and where.
    texts: Vec<(String, Span)>,
    /// Whether it is compared with something else.
    otherwise: bool,
}

pub(crate) fn check(facts: &Facts<'_>, findings: &mut Findings) {
    let mut uses: FxHashMap<FieldId, Use> = FxHashMap::default();
    facts.visit_all(&mut |expression| {
        visit(expression, &mut |part| match &part.kind {
            ExpressionKind::Binary(BinaryOperator::Compare(_), left, right) => {
                note(facts, &mut uses, left, right);
                note(facts, &mut uses, right, left);
            }
            ExpressionKind::In(value, values) => {
                values.iter().for_each(|other| note(facts, &mut uses, value, other));
            }
            _ => {}
        });
    });
    for (id, field_id, field) in facts.fields() {
        let Some(used) = uses.get(&field_id) else { continue };
        let mut texts: Vec<String> = used.texts.iter().map(|(text, _)| text.clone()).collect();
        texts.sort_unstable();
        texts.dedup();
        if used.otherwise || texts.len() < 2 || field.unique || field.search || field.is_key {
            continue;
        }
        let message = format!(
            "`{}` is a closed set that nothing closes: it is only compared with {}",
            field.name,
            number::list(&texts, 4)
        );
        let mut finding = findings.at(field.type_span, message).text("takes any text");
        for (_, span) in used.texts.iter().take(3) {
            finding = finding.label(*span, "compared with a text of the design");
        }
        let finding = finding
            .note("a misspelt value is stored without a complaint and found by nobody")
            .help(format!("write `{}: enum {{ {} }}`", field.name, texts.join(", ")));
        findings.add(facts.field_path(id, field_id), finding);
    }
}

fn note(
    facts: &Facts<'_>,
    uses: &mut FxHashMap<FieldId, Use>,
    side: &Expression,
    other: &Expression,
) {
    let path = match &side.kind {
        ExpressionKind::Row { path, .. }
        | ExpressionKind::Local { path, .. }
        | ExpressionKind::Parameter { path, .. } => path,
        _ => return,
    };
    let Some(field) = path.last() else { return };
    if !matches!(facts.model[*field].ty, Type::String(_)) {
        return;
    }
    let used = uses.entry(*field).or_default();
    match &other.kind {
        // An empty text asks for presence, not for a kind.
        ExpressionKind::Literal(Value::Text(text)) if text.is_empty() => {}
        ExpressionKind::Literal(Value::Text(text)) => {
            used.texts.push((text.to_string(), other.span));
        }
        ExpressionKind::Null => {}
        _ => used.otherwise = true,
    }
}

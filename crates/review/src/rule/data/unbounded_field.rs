//! DAT004

use model::{FieldId, Parameter, Type};
use syntax::Span;
use syntax::ast::Item;

use crate::Findings;
use crate::facts::Facts;

pub(crate) fn check(facts: &Facts<'_>, findings: &mut Findings) {
    for (id, field, _) in facts.fields() {
        // What is computed or copied by the system has the bound of what it comes from.
        if facts.model[field].computed.is_none() {
            of_field(facts, findings, facts.field_path(id, field), field);
        }
    }
    for record in &facts.model.records {
        for field in &record.fields {
            let path = facts.path(record.service, &record.name);
            let path = format!("{path}.{}", facts.model[*field].name);
            of_field(facts, findings, path, *field);
        }
    }
    for id in facts.public_command_ids() {
        let command = &facts.model.commands[id.index()];
        let view = match facts.source.item(command.span) {
            Some(Item::Command(view)) => view.parameters(),
            _ => None,
        };
        for (at, Parameter { name, span, ty, .. }) in command.parameters.iter().enumerate() {
            let path = format!("{}.{name}", facts.command_path(id));
            let type_expr = view.and_then(|view| view.list().nth(at)?.type_expr());
            let span = type_expr.map_or(*span, |it| it.span());
            report(facts, findings, path, (name, ty, span));
        }
    }
}

fn of_field(facts: &Facts<'_>, findings: &mut Findings, path: String, field: FieldId) {
    let field = &facts.model[field];
    report(facts, findings, path, (&field.name, &field.ty, field.type_span));
}

fn report(facts: &Facts<'_>, findings: &mut Findings, path: String, of: (&str, &Type, Span)) {
    let (name, ty, span) = of;
    let (what, bound) = match ty {
        Type::String(bounds) if bounds.greatest.is_none() => ("text", "200"),
        Type::Json(bounds) if bounds.greatest.is_none() => ("JSON", "10KB"),
        Type::Bytes(bounds) if bounds.greatest.is_none() => ("bytes", "1MB"),
        Type::List(_, bounds) if bounds.greatest.is_none() => ("list", "50"),
        _ => return,
    };
    let message = format!("`{name}` takes {what} of any length");
    let mut finding = findings.at(span, message).text("has no upper bound").note(
        "the largest value that somebody sends is stored, read with every list and kept in every backup",
    );
    // Another field's type has its bound there.
    let text = facts.source.text(span);
    let edit = match (text.rfind("..)"), text.trim_end_matches('?')) {
        (Some(at), _) => Some((at + 2, bound.to_owned())),
        (None, bare @ ("String" | "Json" | "Bytes")) => Some((bare.len(), format!("(..{bound})"))),
        (None, list) if list.ends_with(']') => Some((list.len(), format!("(..{bound})"))),
        _ => None,
    };
    if let Some((at, replacement)) = edit {
        let at = span.start + at as u32;
        let span = Span::new(span.file, at, at);
        finding = finding.suggest(format!("let it be {bound} at most"), span, replacement);
    } else {
        finding = finding.help("say how long it may be");
    }
    findings.add(path, finding);
}

//! DAT004

use model::{FieldId, Parameter, Type};
use syntax::Span;

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
        for Parameter { name, span, ty, .. } in &facts.model.commands[id.index()].parameters {
            let path = format!("{}.{name}", facts.command_path(id));
            report(findings, path, name, ty, *span);
        }
    }
}

fn of_field(facts: &Facts<'_>, findings: &mut Findings, path: String, field: FieldId) {
    let field = &facts.model[field];
    report(findings, path, &field.name, &field.ty, field.type_span);
}

fn report(findings: &mut Findings, path: String, name: &str, ty: &Type, span: Span) {
    let (what, example) = match ty {
        Type::String(bounds) if bounds.greatest.is_none() => ("text", "String(1..200)"),
        Type::Json(bounds) if bounds.greatest.is_none() => ("JSON", "Json(..10KB)"),
        Type::Bytes(bounds) if bounds.greatest.is_none() => ("bytes", "Bytes(..1MB)"),
        Type::List(_, bounds) if bounds.greatest.is_none() => ("list", "[…](1..50)"),
        _ => return,
    };
    let message = format!("`{name}` takes {what} of any length");
    let finding = findings
        .at(span, message)
        .text("has no upper bound")
        .note("the largest value that somebody sends is stored, read with every list and kept in every backup")
        .help(format!("say how long it may be, such as `{example}`"));
    findings.add(path, finding);
}

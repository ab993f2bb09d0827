//! DAT019

use syntax::Span;

use crate::Findings;
use crate::facts::Facts;

pub(crate) fn check(facts: &Facts<'_>, findings: &mut Findings) {
    for (id, entity) in facts.entities() {
        for unique in entity.uniques.iter().filter(|unique| unique.fields.len() > 1) {
            let absent = unique.fields.iter().find(|field| facts.model[**field].optional);
            let Some(absent) = absent else { continue };
            let field = &facts.model[*absent];
            let message =
                format!("rows of `{}` without `{}` are never unique", entity.name, field.name);
            let mut finding = findings
                .at(unique.span, message)
                .text("holds only where all of them are there")
                .label(field.span, "may be absent")
                .note("absent values are equal to nothing, not even to each other: the same row may be there many times");
            let view = facts.source.field(entity.span, field.span);
            let ty = view.and_then(|view| view.type_expr()).map(|it| it.span());
            if let Some(ty) = ty.filter(|ty| facts.source.text(*ty).ends_with('?')) {
                let question = Span::new(ty.file, ty.end - 1, ty.end);
                finding = finding.suggest("let it be required", question, "");
            }
            finding = finding.help("let it be required, with a value that stands for none");
            findings.add(facts.field_path(id, *absent), finding);
        }
    }
}

//! DAT019

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
            let finding = findings
                .at(unique.span, message)
                .text("holds only where all of them are there")
                .label(field.span, "may be absent")
                .note("absent values are equal to nothing, not even to each other: the same row may be there many times")
                .help("let it be required, with a value that stands for none");
            findings.add(facts.field_path(id, *absent), finding);
        }
    }
}

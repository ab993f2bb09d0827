//! DAT015

use model::{EntityKind, Type};

use crate::facts::Facts;
use crate::{Findings, edit};

/// Names that tell one thing from all others of its kind.
const NAMES: &[&str] = &[
    "sku",
    "slug",
    "isbn",
    "ean",
    "gtin",
    "vin",
    "imei",
    "barcode",
    "username",
    "user_name",
    "handle",
    "login",
    "serial_number",
];

pub(crate) fn check(facts: &Facts<'_>, findings: &mut Findings) {
    for (id, field_id, field) in facts.fields() {
        let entity = &facts.model[id];
        let names_it = NAMES.contains(&field.name.as_str())
            && matches!(field.ty, Type::String(_) | Type::Email)
            && matches!(entity.kind, EntityKind::Root);
        let is_unique = entity.uniques.iter().any(|unique| unique.fields.contains(&field_id));
        if !names_it || field.optional || field.is_key || is_unique || field.encrypted {
            continue;
        }
        let message = format!("two rows of `{}` may have one `{}`", entity.name, field.name);
        let mut finding = findings
            .at(field.span, message)
            .text("tells one from another, and is not unique")
            .note("a double click or an import that runs twice makes two of them, and nobody can say which is meant");
        if let Some(view) = facts.source.field(entity.span, field.span) {
            let edits = vec![edit::append(view.node(), " unique")];
            // Rows that are there already may have doubles.
            finding = finding.fix_all("make it unique", edits, syntax::Applicability::Unsafe);
        }
        findings.add(facts.field_path(id, field_id), finding);
    }
}

//! PRI005

use crate::facts::Facts;
use crate::{Findings, edit};

pub(crate) fn check(facts: &Facts<'_>, findings: &mut Findings) {
    for (id, field_id, field) in facts.fields() {
        if !field.sensitive || field.encrypted {
            continue;
        }
        let entity = &facts.model[id];
        let mut finding = findings
            .at(field.span, format!("`{}` is sensitive, and stored in clear", field.name))
            .text("is not `encrypted`")
            .note("backups, replicas and exports get out, and what they hold harms its person (GDPR article 9)");
        let sorted =
            entity.indexes.iter().any(|index| index.keys.iter().any(|(it, _)| *it == field_id))
                || entity.uniques.iter().any(|unique| unique.fields.contains(&field_id));
        let view = facts.source.field(entity.span, field.span);
        if let (false, Some(view)) = (sorted || field.is_key, view) {
            let edits = vec![edit::append(view.node(), " encrypted")];
            finding = finding.fix_all("encrypt it", edits, syntax::Applicability::Unsafe);
        } else {
            finding =
                finding.help("what is encrypted has no order: take it out of the index first");
        }
        findings.add(facts.field_path(id, field_id), finding);
    }
}

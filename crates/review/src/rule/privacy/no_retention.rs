//! PRI003

use syntax::ast::Member;

use crate::facts::Facts;
use crate::{Findings, edit};

pub(crate) fn check(facts: &Facts<'_>, findings: &mut Findings) {
    for (id, entity) in facts.entities() {
        let Some(privacy) = entity.privacy.as_ref() else { continue };
        if !privacy.subject || privacy.retain.is_some() {
            continue;
        }
        let view = facts.source.entity(entity.span).and_then(|view| {
            view.members().find_map(|member| match member {
                Member::Privacy(privacy) => Some(privacy),
                _ => None,
            })
        });
        let span = view.map_or(entity.span, |view| view.span());
        let message = format!("`{}` is a person, and is kept for ever", entity.name);
        let mut finding = findings
            .at(span, message)
            .text("says not how long")
            .note("data that is no longer needed may not be kept (GDPR article 5)");
        if let Some(view) = view {
            let edits = vec![edit::append(view.node(), ", retain 10y")];
            finding = finding.fix_all("keep it ten years", edits, syntax::Applicability::Unsafe);
        }
        findings.add(facts.entity_path(id), finding);
    }
}

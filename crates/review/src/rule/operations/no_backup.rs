//! OPS004

use crate::facts::Facts;
use crate::{Findings, edit};

pub(crate) fn check(facts: &Facts<'_>, findings: &mut Findings) {
    for place in facts.places.iter().filter(|place| place.is_production()) {
        let Some(store) = place.store.filter(|_| place.keeping.backup.is_none()) else { continue };
        let mut finding = findings
            .at(store, "what is lost in production is lost for good")
            .text("has no `backup`")
            .note("a replica repeats a wrong `delete` at once; only a copy elsewhere does not");
        if let Some(node) = facts.source.node(store) {
            let line = "backup every 1d keep 30d";
            let edit = edit::add_member(node, line)
                .unwrap_or_else(|| edit::append(node, &format!(" {{ {line} }}")));
            let title = format!("write `{line}`");
            finding = finding.fix_all(title, vec![edit], syntax::Applicability::Unsafe);
        }
        findings.add(place.environment.name.clone(), finding);
    }
}

//! API002

use crate::facts::Facts;
use crate::{Findings, number};

/// Bytes of one answer that hold a worker up.
const MOST: f64 = 10_000_000.0;

pub(crate) fn check(facts: &Facts<'_>, findings: &mut Findings) {
    for (id, entity) in facts.entities() {
        let Some(part) = facts.model.part_of(id) else { continue };
        let root = facts.contract.resource(part.root);
        let included = root.includes.contains(&part.name);
        // Without numbers nobody knows whether there are so many.
        let Some(stored) = facts.grown_rows(id) else { continue };
        // A bound beyond a thousand is a matter of DAT007.
        if !included || root.read.is_empty() || part.maximum > 1_000 {
            continue;
        }
        let page = f64::from(contract::PAGE_MAXIMUM);
        let page = facts.grown_rows(part.root).map_or(page, |roots| roots.min(page));
        let rows = (page * f64::from(part.maximum)).min(stored);
        let bytes = rows * facts.row_bytes(id);
        if bytes <= MOST {
            continue;
        }
        let root = &facts.model[part.root];
        let message = format!(
            "one page of `{}` with its `{}` may be {}",
            root.name,
            part.name,
            number::bytes(bytes)
        );
        let finding = findings
            .at(part.name_span, message)
            .text(format!("up to {} for each", number::count(f64::from(part.maximum))))
            .label(root.span, format!("up to {} on a page", number::count(page)))
            .note(format!(
                "`include={}` asks for {} rows, about {} each",
                part.name,
                number::count(rows),
                number::bytes(facts.row_bytes(id))
            ))
            .help(format!("lower the bound, or make `{}` an entity of its own", entity.name));
        findings.add(facts.entity_path(id), finding);
    }
}

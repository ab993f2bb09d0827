//! SEC014

use model::ExpressionKind;

use crate::facts::{Asker, Facts, Served, conjuncts, mentions_caller};
use crate::{Findings, edit, number};

/// Rows from which on a policy without an index is felt.
const LARGE: f64 = 10_000.0;

pub(crate) fn check(facts: &Facts<'_>, findings: &mut Findings) {
    let mut told = Vec::new();
    for access in facts.accesses.iter().filter(|it| matches!(it.asker, Asker::Policy(_))) {
        let rows = facts.grown_rows(access.entity);
        let (Some(rows), Some(filter)) = (rows.filter(|rows| *rows >= LARGE), access.filter) else {
            continue;
        };
        let served = access.served(facts.model, &facts.indexes[access.entity.index()]);
        if told.contains(&access.span) || (served != Served::Not && !access.equal.is_empty()) {
            continue;
        }
        told.push(access.span);
        let entity = &facts.model[access.entity];
        // Alternatives are looked through one by one; what each of them needs is not known.
        let through = conjuncts(filter)
            .into_iter()
            .any(|term| mentions_caller(term) && matches!(term.kind, ExpressionKind::Binary(..)));
        if !through {
            continue;
        }
        let message = format!(
            "a list of `{}` is looked through row by row for what the caller may see",
            entity.name
        );
        let mut finding = findings
            .at(access.span, message)
            .text("no index leads to these rows")
            .label(entity.span, format!("{} rows", number::count(rows)));
        let bytes = rows * facts.row_bytes(access.entity);
        finding = finding.note(match access.rate {
            Some(rate) => format!(
                "for somebody who may see few, {} at each of {} reads a second",
                number::bytes(bytes),
                number::count(rate.usual)
            ),
            None => format!("for somebody who may see few, {} at each read", number::bytes(bytes)),
        });
        match access.equal.first() {
            Some((field, _)) => {
                let line = format!("index ({})", facts.model[*field].name);
                let view = facts.source.entity(entity.span);
                if let Some(edit) = view.and_then(|view| edit::add_index(view, &line)) {
                    let title = format!("write `{line}`");
                    finding = finding.fix_all(title, vec![edit], syntax::Applicability::Safe);
                }
            }
            None => {
                finding = finding
                    .help("keep the reference in the entity itself, where an index finds it");
            }
        }
        findings.add(facts.entity_path(access.entity), finding);
    }
}

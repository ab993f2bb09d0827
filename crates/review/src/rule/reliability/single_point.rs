//! REL012

use syntax::{Diagnostic, Span};

use crate::facts::Facts;
use crate::{Findings, edit, number};

/// A promise that restoring a backup does not keep.
const PROMISED: f64 = 99.9;
const SECONDS_OF_A_MONTH: f64 = 30.0 * 86_400.0;

pub(crate) fn check(facts: &Facts<'_>, findings: &mut Findings) {
    for place in facts.places.iter().filter(|place| place.is_production()) {
        let Some(store) = place.store else { continue };
        let environment = place.environment;
        let path = environment.name.clone();
        let strictest = facts.model.slos.iter().max_by(|a, b| a.percent.total_cmp(&b.percent));
        if let Some(slo) = strictest
            && slo.percent >= PROMISED
            && place.engine() == "postgres"
            && place.keeping.replicas.is_none()
        {
            let left = (100.0 - slo.percent) / 100.0 * SECONDS_OF_A_MONTH;
            let finding = findings
                .at(store, "when this one database is gone, nothing takes over")
                .text("has no `replicas`")
                .label(slo.span, format!("promises {}", number::percent(slo.percent)))
                .note(format!(
                    "the promise allows {} a month, and restoring a backup takes longer",
                    number::duration((left * 1e6) as i64)
                ))
                .help("or promise less");
            let finding = with_option(facts, finding, store, "replicas 2");
            findings.add(path.clone(), finding);
        }
        if let (Some((recover, period)), None) = (place.keeping.recover, place.keeping.backup) {
            let finding = findings
                .at(recover, "there is no backup from which a recovery could begin")
                .text(format!("promises any point of the last {}", number::duration(period)))
                .label(store, "has no `backup`");
            let finding = with_option(facts, finding, store, "backup every 1d keep 30d");
            findings.add(path, finding);
        }
    }
}

/// Offers an option in the braces of the store.
fn with_option(facts: &Facts<'_>, finding: Diagnostic, store: Span, option: &str) -> Diagnostic {
    let Some(node) = facts.source.node(store) else { return finding };
    let edit = edit::add_member(node, option)
        .unwrap_or_else(|| edit::append(node, &format!(" {{ {option} }}")));
    finding.fix_all(format!("write `{option}`"), vec![edit], syntax::Applicability::Unsafe)
}

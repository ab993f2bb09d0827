//! CAP008

use model::Target;

use crate::facts::Facts;
use crate::{Findings, number};

pub(crate) fn check(facts: &Facts<'_>, findings: &mut Findings) {
    for limit in &facts.model.limits {
        let rate = match limit.target {
            Target::Command(id) => facts.loads.command(id),
            Target::Query(id) => facts.loads.query(id),
            Target::Entity(_) => None,
        };
        let Some(rate) = rate else { continue };
        let admitted = limit.count as f64 * 1e6 / limit.period.max(1) as f64;
        if admitted <= rate.peak {
            continue;
        }
        let message = format!(
            "the limit of `{}` lets one caller send more than is planned for all",
            limit.name
        );
        let finding = findings
            .at(limit.span, message)
            .text(format!("{}/s for each", number::count(admitted)))
            .label(
                rate.span,
                format!("{}/s at the peak for all together", number::count(rate.peak)),
            )
            .note("it limits nothing: one caller takes all there is before it counts")
            .help("admit what one caller needs, or plan for more");
        findings.add(format!("limit {}", limit.name), finding);
    }
}

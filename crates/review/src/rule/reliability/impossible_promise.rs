//! REL007

use model::{ServiceId, Target};

use crate::facts::{Facts, Place};
use crate::{Findings, number};

/// Shares of requests that leave a single process no time to restart.
const STRICT: f64 = 99.99;
const SECONDS_OF_A_MONTH: f64 = 30.0 * 86_400.0;

pub(crate) fn check(facts: &Facts<'_>, findings: &mut Findings) {
    let Some(place) = facts.places.iter().find(|place| place.is_production()) else { return };
    for slo in facts.model.slos.iter().filter(|slo| slo.percent >= STRICT) {
        let service = match slo.target {
            Target::Query(id) => facts.model[id].service,
            Target::Command(id) => facts.model.commands[id.index()].service,
            Target::Entity(id) => facts.model[id].service,
        };
        let Some((span, what)) = single(place, service) else { continue };
        let left = (100.0 - slo.percent) / 100.0 * SECONDS_OF_A_MONTH;
        let message =
            format!("`{}` promises {}, and {what}", slo.name, number::percent(slo.percent));
        let finding = findings
            .at(slo.span, message)
            .text(format!("leaves {} a month", number::duration((left * 1e6) as i64)))
            .label(span, "stands alone")
            .note("one deployment or one restart of the machine uses it up")
            .help("run more than one, or promise less");
        findings.add(format!("slo {}", slo.name), finding);
    }
}

/// What of an environment is there only once, and where that is said.
fn single(place: &Place<'_>, service: ServiceId) -> Option<(syntax::Span, &'static str)> {
    let environment = place.environment;
    if place.engine() == "sqlite" {
        return Some((place.store?, "its database is a file of one machine"));
    }
    let deployment = environment.deployments.iter().find(|it| it.service == service);
    match deployment {
        Some(deployment) if deployment.least > 1 => {}
        Some(_) => return Some((place.deploy?, "one process may be all that runs of it")),
        None => return Some((environment.span, "one process is all that runs of it")),
    }
    let replicated = place.keeping.replicas.is_some_and(|replicas| replicas > 0);
    (!replicated).then_some((place.store?, "its database has no replica"))
}

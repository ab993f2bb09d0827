//! OPS002

use crate::Findings;
use crate::facts::Facts;

pub(crate) fn check(facts: &Facts<'_>, findings: &mut Findings) {
    let Some(app) = &facts.model.app else { return };
    if facts.places.iter().any(|place| place.is_production()) || facts.model.entities.is_empty() {
        return;
    }
    let span = facts.places.last().map_or(app.span, |place| place.environment.span);
    let finding = findings
        .at(span, "nothing says where this design runs in production")
        .text("no environment is called `production`")
        .note(
            "how the data is kept, how many processes run and what it may cost is written nowhere",
        )
        .help("write `environment production { store … { backup every 1d keep 30d } }`");
    findings.add("environment", finding);
}

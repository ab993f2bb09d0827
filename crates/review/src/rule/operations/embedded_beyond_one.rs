//! OPS003

use crate::Findings;
use crate::facts::Facts;

pub(crate) fn check(facts: &Facts<'_>, findings: &mut Findings) {
    for place in &facts.places {
        let (Some(store), Some(deploy)) = (place.store, place.deploy) else { continue };
        if place.engine() != "sqlite" || place.most_processes() < 2 {
            continue;
        }
        let message =
            format!("{} processes, each with a database of its own", place.most_processes());
        let finding = findings
            .at(deploy, message)
            .text("more than one")
            .label(store, "a file, which one process has")
            .note("what is written in one is unknown in the others")
            .help("run one, or write `store postgres env DATABASE_URL`");
        findings.add(place.environment.name.clone(), finding);
    }
}

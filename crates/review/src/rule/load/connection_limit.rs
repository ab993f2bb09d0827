//! CAP002

use crate::facts::Facts;
use crate::{Findings, number};

/// Connections of one process at least: ten that write, two that read for each processor.
const OF_PROCESS: u32 = 12;
/// `max_connections` of PostgreSQL where nobody sets it, without those kept for the superuser.
const MOST: u32 = 97;

pub(crate) fn check(facts: &Facts<'_>, findings: &mut Findings) {
    for place in &facts.places {
        let processes = place.most_processes();
        let total = processes.saturating_mul(OF_PROCESS);
        let (Some(deploy), Some(store)) = (place.deploy, place.store) else { continue };
        if place.engine() != "postgres" || total <= MOST {
            continue;
        }
        let message = format!(
            "{processes} processes open {} connections, and PostgreSQL takes {MOST}",
            number::count(f64::from(total))
        );
        let finding = findings
            .at(deploy, message)
            .text(format!("{OF_PROCESS} connections each at least"))
            .label(store, "`max_connections` is 100 unless it was told otherwise")
            .note("the processes that are started at the peak are refused by the database")
            .help("run fewer, or put PgBouncer before the database");
        findings.add(place.environment.name.clone(), finding);
    }
}

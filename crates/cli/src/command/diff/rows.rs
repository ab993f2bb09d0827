//! What a change of the model means for the rows that are stored.

use contract::Change;
use contract::diff::Kind;
use model::{Model, Valid};
use operation::Dialect;
use schema::{Facts, Migration, Names, ddl, migration};

/// The changes of the tables. What would be lost or refused where the table has rows is breaking; what is dangerous while servers
/// run is risky, since `mimar migrate` meets the danger.
pub(super) fn changes(old: &Valid<Model>, new: &Valid<Model>) -> Vec<Change> {
    let plan = plan(old, new);
    let mut found = Vec::new();
    for loss in &plan.losses {
        let kind = if loss.blocks { Kind::RowsRefused } else { Kind::ValuesLost };
        found.push(change(kind, &format!("table {}", loss.probe.name), &loss.sentence));
    }
    for step in &plan.steps {
        for hazard in &step.hazards {
            // Every step that locks waits in the queue; that alone is no news.
            if *hazard != schema::Hazard::LockQueue {
                let (name, reason, way) = (hazard.name(), hazard.reason(), hazard.way());
                let said = format!("meets the hazard {name}: {reason}; {way}");
                // The item is shown as code where it can be.
                let item = step.title.replace('`', "");
                found.push(change(Kind::ChangeHazard, &item, &said));
            }
        }
    }
    for line in &plan.summary {
        found.push(change(Kind::TablesChanged, "tables", line));
    }
    found
}

/// The steps on a PostgreSQL server that holds the tables of the old model, whatever is in them.
pub(crate) fn plan(old: &Valid<Model>, new: &Valid<Model>) -> Migration {
    let derive = |model| schema::derive(model, Dialect::Postgres);
    let (before, after) = (derive(old), derive(new));
    migration::postgres(&ddl::definitions(&before), &Names::default(), &after, &Facts::default())
}

fn change(kind: Kind, item: &str, message: &str) -> Change {
    Change { kind, item: item.to_owned(), message: message.to_owned(), announced: false }
}

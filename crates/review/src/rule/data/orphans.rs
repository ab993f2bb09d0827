//! DAT018

use model::{Action, Entity, EntityId, OnDelete};
use syntax::Span;

use crate::facts::Facts;
use crate::{Findings, number};

/// So many rows in one transaction hold everybody up.
const MANY: f64 = 10_000.0;

pub(crate) fn check(facts: &Facts<'_>, findings: &mut Findings) {
    let deleted = deleted(facts);
    for (id, field_id, field) in facts.fields() {
        let Some(target) = field.ty.as_entity() else { continue };
        let Some(place) = deleted[target.index()] else { continue };
        let (owner, other) = (&facts.model[id].name, &facts.model[target].name);
        if facts.model.crosses(id, target) {
            if field.optional {
                continue;
            }
            let message = format!("`{owner}` keeps pointing at a `{other}` that is deleted");
            let finding = findings
                .at(field.span, message)
                .text("leads nowhere then")
                .label(place, format!("`{other}` is deleted here"))
                .note("no foreign key holds between services, and nothing tells this one")
                .help("do not delete the row but mark it, or let the reference be absent and clear it on an event");
            findings.add(facts.field_path(id, field_id), finding);
            continue;
        }
        let (Some(rows), Some(targets)) = (facts.loads.rows(id), facts.loads.rows(target)) else {
            continue;
        };
        let each = rows / targets.max(1.0);
        if field.on_delete == OnDelete::Cascade && each > MANY {
            let message = format!(
                "deleting one `{other}` deletes {} of `{owner}` in one transaction",
                number::count(each)
            );
            let finding = findings
                .at(field.span, message)
                .text("deleted along with it")
                .label(place, "deleted here")
                .note("all of them are locked until it is done, and the log holds them all")
                .help("mark the row as gone, and let a job delete what belongs to it in batches");
            findings.add(facts.field_path(id, field_id), finding);
        }
    }
}

/// By entity: where rows of it are deleted, if anywhere.
fn deleted(facts: &Facts<'_>) -> Vec<Option<Span>> {
    let of_entity = |(id, entity): (EntityId, &Entity)| {
        let mut policies = entity.policies.iter();
        let policy = policies.find(|policy| policy.action == Action::Delete);
        policy.map(|policy| policy.span).or(facts.deletion(id))
    };
    facts.entities().map(of_entity).collect()
}

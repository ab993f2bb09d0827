//! DAT001

use model::FieldId;
use syntax::Diagnostic;

use crate::facts::{Access, Asker, Facts, Served};
use crate::{Findings, edit, number};

/// Below so many rows, grown to the end of the load, a scan costs less than an index.
const FEW: f64 = 100.0;

pub(crate) fn check(facts: &Facts<'_>, findings: &mut Findings) {
    for access in &facts.accesses {
        if matches!(access.asker, Asker::Policy(_)) {
            continue;
        }
        let served = access.served(facts.model, &facts.indexes[access.entity.index()]);
        // A loop has no order to keep: it takes its rows as they come.
        let is_query = matches!(access.asker, Asker::Query(_));
        let faulty = match served {
            Served::Whole => false,
            Served::Unsorted => is_query,
            // A loop without a condition means every row.
            Served::Not => is_query || access.filter.is_some(),
        };
        if !faulty || facts.grown_rows(access.entity).is_some_and(|rows| rows < FEW) {
            continue;
        }
        if let Some((path, finding)) = finding(facts, findings, access, served) {
            findings.add(path, finding);
        }
    }
}

fn finding(
    facts: &Facts<'_>,
    findings: &Findings,
    access: &Access<'_>,
    served: Served,
) -> Option<(String, Diagnostic)> {
    let model = facts.model;
    let entity = &model[access.entity];
    let (path, name) = facts.asker(access);
    let wanted = wanted(facts, access);
    let first = wanted.first()?;
    let names: Vec<String> =
        wanted.iter().map(|(field, _)| model[*field].name.to_string()).collect();
    let message = match served {
        Served::Unsorted => format!(
            "`{name}` sorts what it finds in `{}`: no index has `{}` in this order",
            entity.name,
            names.join(", ")
        ),
        _ => format!(
            "`{name}` reads every row of `{}`: no index begins with `{}`",
            entity.name, model[first.0].name
        ),
    };
    let mut finding = findings.at(access.span, message);
    finding = finding.text("looks for rows here");
    finding = finding.label(entity.span, "has no index that serves it");
    if let Some(note) = cost(facts, access, served) {
        finding = finding.note(note);
    }
    let line = format!("index ({})", listed(facts, &wanted));
    let view = facts.source.entity(entity.span);
    if let Some(edit) = view.and_then(|view| edit::add_index(view, &line)) {
        let title = format!("write `{line}` into `{}`", entity.name);
        finding = finding.fix_all(title, vec![edit], syntax::Applicability::Safe);
    }
    Some((path, finding))
}

/// The fields that an index needs, each with whether it descends.
fn wanted(facts: &Facts<'_>, access: &Access<'_>) -> Vec<(FieldId, bool)> {
    let key = facts.model[access.entity].key;
    let mut fields: Vec<(FieldId, bool)> = Vec::new();
    let mut add = |field: FieldId, down: bool| {
        if fields.iter().all(|(known, _)| *known != field) {
            fields.push((field, down));
        }
    };
    access.equal.iter().for_each(|(field, _)| add(*field, false));
    let sort: Vec<_> = access.sort.iter().filter(|term| term.field != key).collect();
    // An index is read backwards as well: only an order that goes both ways needs its directions.
    let mixed = sort.iter().any(|term| term.descending != sort[0].descending);
    sort.iter().for_each(|term| add(term.field, mixed && term.descending));
    if access.equal.is_empty() && sort.is_empty() {
        access.ranges.iter().take(1).for_each(|(field, _)| add(*field, false));
    }
    fields
}

fn listed(facts: &Facts<'_>, fields: &[(FieldId, bool)]) -> String {
    let of = |(field, down): &(FieldId, bool)| {
        format!("{}{}", if *down { "-" } else { "" }, facts.model[*field].name)
    };
    fields.iter().map(of).collect::<Vec<_>>().join(", ")
}

/// What it costs by the numbers of the design.
fn cost(facts: &Facts<'_>, access: &Access<'_>, served: Served) -> Option<String> {
    let rows = facts.loads.rows(access.entity)?;
    if served == Served::Unsorted {
        return Some(format!(
            "all rows of one value are read and sorted for each page, and `{}` has {} rows",
            facts.model[access.entity].name,
            number::count(rows)
        ));
    }
    let once = rows * facts.row_bytes(access.entity);
    let Some(rate) = access.rate else {
        return Some(format!(
            "each time {} are read, about {}",
            number::plural(rows as usize, "row", "rows"),
            number::bytes(once)
        ));
    };
    Some(format!(
        "at {}/s over {} rows this reads {}/s",
        number::count(rate.usual),
        number::count(rows),
        number::bytes(once * rate.usual)
    ))
}

//! API008

use model::{Deprecation, QueryId};

use crate::Findings;
use crate::facts::Facts;

pub(crate) fn check(facts: &Facts<'_>, findings: &mut Findings) {
    facts.report_changes("API008", findings);
    for (id, entity) in facts.entities() {
        report(facts, findings, &entity.name, facts.entity_path(id), entity.deprecation.as_ref());
    }
    for (id, field_id, field) in facts.fields() {
        let path = facts.field_path(id, field_id);
        report(facts, findings, &field.name, path, field.deprecation.as_deref());
    }
    for (at, query) in facts.model.queries.iter().enumerate() {
        let path = facts.query_path(QueryId(at as u32));
        report(facts, findings, &query.name, path, query.deprecation.as_ref());
    }
    for id in facts.command_ids() {
        let command = &facts.model.commands[id.index()];
        let path = facts.command_path(id);
        report(facts, findings, &command.name, path, command.deprecation.as_ref());
    }
}

fn report(
    facts: &Facts<'_>,
    findings: &mut Findings,
    name: &str,
    path: String,
    deprecation: Option<&Deprecation>,
) {
    let Some(deprecation) = deprecation else { return };
    let (message, text, help) = match deprecation.sunset {
        None => (
            format!("`{name}` is deprecated, and nobody knows until when it is there"),
            "names no day",
            "write the day on which it goes: `sunset \"2027-01-01\"`",
        ),
        Some(day) if day < facts.today => (
            format!("the day on which `{name}` was to go has passed"),
            "is still there",
            "remove it with the next version of the interface, or name a day that holds",
        ),
        Some(_) => return,
    };
    let finding = findings
        .at(deprecation.span, message)
        .text(text)
        .note("callers plan by the `Sunset` header (RFC 8594)")
        .help(help);
    findings.add(path, finding);
}

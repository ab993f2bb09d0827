//! CAP007

use model::QueryId;

use crate::Findings;
use crate::facts::Facts;

pub(crate) fn check(facts: &Facts<'_>, findings: &mut Findings) {
    let Some(app) = &facts.model.app else { return };
    if facts.loads.is_empty() {
        if facts.model.entities.is_empty() {
            return;
        }
        let finding = findings
            .at(app.span, "nothing says what this design has to carry")
            .text("has no `load`")
            .note("whether an index is needed, a page too large, or one machine enough cannot be judged")
            .help("write what you expect, roughly: `load launch { Order 1_000_000 rows  place_order 40/s }`");
        findings.add("load", finding);
        return;
    }
    let public = |query: &model::Query| {
        query.policies.iter().any(|policy| crate::facts::is_outside(&policy.grantees))
    };
    for (at, query) in facts.model.queries.iter().enumerate() {
        let id = QueryId(at as u32);
        if public(query) && facts.loads.query(id).is_none() {
            rate(findings, &query.name, query.span, facts.query_path(id));
        }
    }
    for id in facts.public_command_ids() {
        if facts.loads.command(id).is_none() {
            let command = &facts.model.commands[id.index()];
            rate(findings, &command.name, command.span, facts.command_path(id));
        }
    }
    for (id, entity) in facts.entities() {
        let hidden = facts.contract.resource(facts.root(id)).is_hidden();
        if !hidden && facts.loads.rows(id).is_none() {
            let finding = findings
                .at(entity.span, format!("no load says how many rows `{}` has", entity.name))
                .text("of unknown size")
                .help(format!("write it into the load: `{} 10_000 rows`", entity.name));
            findings.add(facts.entity_path(id), finding);
        }
    }
}

fn rate(findings: &mut Findings, name: &str, span: syntax::Span, path: String) {
    let finding = findings
        .at(span, format!("no load says how often `{name}` is called"))
        .text("of unknown rate")
        .help(format!("write it into the load: `{name} 5/s peak 50/s`"));
    findings.add(path, finding);
}

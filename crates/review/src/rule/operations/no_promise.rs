//! OPS001

use model::{QueryId, Target};
use syntax::Span;

use crate::facts::{Facts, is_outside};
use crate::{Findings, edit, number};

pub(crate) fn check(facts: &Facts<'_>, findings: &mut Findings) {
    let mut open: Vec<(&str, Span, String)> = Vec::new();
    for (at, query) in facts.model.queries.iter().enumerate() {
        let id = QueryId(at as u32);
        let public = query.policies.iter().any(|policy| is_outside(&policy.grantees));
        if public && !facts.is_promised(Target::Query(id)) {
            open.push((&query.name, query.span, facts.query_path(id)));
        }
    }
    for id in facts.public_command_ids() {
        let command = &facts.model.commands[id.index()];
        if !facts.is_promised(Target::Command(id)) {
            open.push((&command.name, command.span, facts.command_path(id)));
        }
    }
    let Some(app) = facts.model.app.as_ref().filter(|_| !open.is_empty()) else { return };
    if facts.model.slos.is_empty() {
        let names: Vec<String> = open.iter().map(|(name, ..)| (*name).to_owned()).collect();
        let finding = findings
            .at(app.span, "this design promises nothing")
            .text("has no `slo`")
            .note(format!(
                "nobody knows when {} {} too slow",
                number::list(&names, 3),
                if names.len() == 1 { "is" } else { "are" }
            ))
            .help(format!("promise what users need: `slo {} 99.9% under 200ms`", names[0]));
        findings.add("slo", finding);
        return;
    }
    for (name, span, path) in open {
        let mut finding = findings
            .at(span, format!("nothing is promised of `{name}`"))
            .text("has no `slo`")
            .note("no alert fires when it is slow, and no change can be said to have harmed it");
        let line = format!("slo {name} 99.9% under 200ms");
        if let Some(item) = facts.source.item(span) {
            let edits = vec![edit::add_after(item.node(), &line)];
            let title = format!("promise what its users need: `{line}`");
            finding = finding.fix_all(title, edits, syntax::Applicability::Unsafe);
        }
        findings.add(path, finding);
    }
}

//! API003

use model::{EntityKind, QueryId};

use crate::Findings;
use crate::facts::Facts;

pub(crate) fn check(facts: &Facts<'_>, findings: &mut Findings) {
    for (at, query) in facts.model.queries.iter().enumerate() {
        if query.policies.is_empty() {
            let message = format!("nobody may ask `{}`", query.name);
            let finding = findings
                .at(query.span, message)
                .text("has no `allow`")
                .note("what nothing allows is closed")
                .help("write who may: `allow clerk`");
            findings.add(facts.query_path(QueryId(at as u32)), finding);
        }
    }
    for id in facts.command_ids() {
        let command = &facts.model.commands[id.index()];
        if facts.public_commands[id.index()] || facts.is_run(id) {
            continue;
        }
        let only_system = !command.policies.is_empty();
        let (message, text) = if only_system {
            (format!("nothing runs `{}`", command.name), "only `system` may run it")
        } else {
            (format!("nobody may run `{}`", command.name), "has no `allow`")
        };
        let finding = findings
            .at(command.span, message)
            .text(text)
            .note("what nothing allows is closed, and no event, job, workflow or other command runs it")
            .help("write who may, or what runs it: `on Event run …`");
        findings.add(facts.command_path(id), finding);
    }
    entities(facts, findings);
}

fn entities(facts: &Facts<'_>, findings: &mut Findings) {
    // Code reads and writes what it likes.
    if facts.model.commands.iter().any(|command| command.by_code) {
        return;
    }
    let mut touched = vec![false; facts.model.entities.len()];
    facts.touched_entities(&mut |id| touched[facts.root(id).index()] = true);
    for user in &facts.model.auth.users {
        touched[user.entity.index()] = true;
    }
    for (id, entity) in facts.entities() {
        let is_part = matches!(entity.kind, EntityKind::Part(_));
        if is_part || !entity.policies.is_empty() || touched[id.index()] {
            continue;
        }
        let message = format!("nobody may use `{}`, and nothing touches it", entity.name);
        let finding = findings
            .at(entity.span, message)
            .text("has no `allow`")
            .note("what nothing allows is closed: its rows can neither be read nor written")
            .help("write who may: `allow read to clerk`");
        findings.add(facts.entity_path(id), finding);
    }
}

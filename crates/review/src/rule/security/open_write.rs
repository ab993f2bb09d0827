//! SEC001

use model::{Action, Grantee, RoleId, Target};

use crate::facts::{Facts, roles};
use crate::{Findings, edit, number};

pub(crate) fn check(facts: &Facts<'_>, findings: &mut Findings) {
    for id in facts.public_command_ids() {
        let command = &facts.model.commands[id.index()];
        if facts.is_limited(Target::Command(id)) {
            continue;
        }
        let open = command.policies.iter().find_map(|policy| {
            if policy.grantees.contains(&Grantee::Anyone) {
                return Some((policy.span, "anyone".to_owned(), "ip"));
            }
            let outsider = roles(policy)
                .find(|role| *role != RoleId::SYSTEM && facts.who.is_bounded(*role))?;
            Some((policy.span, facts.role_name(outsider).to_owned(), "caller"))
        });
        let Some((span, who, by)) = open else { continue };
        let message = format!("`{who}` may run `{}` as often as they like", command.name);
        let mut finding = findings.at(span, message).text("open to those outside");
        finding = finding.label(command.span, "no `limit` is of it");
        finding = finding.note(match facts.loads.command(id) {
            Some(rate) => format!(
                "one of them may send all the {}/s that are planned for everybody, and more",
                number::count(rate.peak)
            ),
            None => "one script writes as fast as the database can".to_owned(),
        });
        if let Some(item) = facts.source.item(command.span) {
            let line = format!("limit {} 10 per 1m by {by}", command.name);
            let edits = vec![edit::add_after(item.node(), &line)];
            let title = format!("add `{line}`");
            finding = finding.fix_all(title, edits, syntax::Applicability::Unsafe);
        }
        findings.add(facts.command_path(id), finding);
    }
    for (id, entity) in facts.entities() {
        let open = entity.policies.iter().find(|policy| {
            policy.action != Action::Read && policy.grantees.contains(&Grantee::Anyone)
        });
        let Some(open) = open.filter(|_| !facts.is_limited(Target::Entity(id))) else { continue };
        let message = format!(
            "`anyone` may {} rows of `{}` as often as they like",
            open.action.word(),
            entity.name
        );
        let mut finding = findings
            .at(open.span, message)
            .text("open to those outside")
            .note("one script writes as fast as the database can");
        if let Some(item) = facts.source.item(entity.span) {
            let line = format!("limit {} 10 per 1m by ip", entity.name);
            let edits = vec![edit::add_after(item.node(), &line)];
            finding =
                finding.fix_all(format!("add `{line}`"), edits, syntax::Applicability::Unsafe);
        }
        findings.add(facts.entity_path(id), finding);
    }
}

//! REL010

use model::Runnable;

use crate::facts::{Actor, EffectKind, Facts};
use crate::{Findings, number};

pub(crate) fn check(facts: &Facts<'_>, findings: &mut Findings) {
    let mut told = Vec::new();
    for effect in facts.effects.all() {
        let (Actor::Command(id), Some(rows)) = (effect.actor, effect.rows) else { continue };
        let changes = effect.writes().is_some()
            || matches!(effect.kind, EffectKind::Run(run)
                if !run.later && matches!(run.target, Runnable::Command(_)));
        if !changes || told.contains(&rows) {
            continue;
        }
        told.push(rows);
        let name = &facts.model.commands[id.index()].name;
        let message = format!("`{name}` changes any number of rows in one transaction");
        let mut finding = findings
            .at(rows, message)
            .text("runs over as many as there are")
            .label(effect.span, "changes each of them");
        if let Some(most) = facts.rows_of_loop(rows) {
            finding = finding.note(format!("up to {} rows by the load", number::count(most)));
        }
        let finding = finding
            .note("all of them are locked until the last is done; whoever needs one waits or fails")
            .help("do it by a job, which takes them in batches, or by a list with a bound");
        findings.add(facts.command_path(id), finding);
    }
}

//! DAT014

use crate::facts::{EffectKind, Facts};
use crate::{Findings, number};

/// Durable changes of one row in a second: each waits for the commit of the one before.
const MOST: f64 = 50.0;

pub(crate) fn check(facts: &Facts<'_>, findings: &mut Findings) {
    for id in facts.command_ids() {
        let Some(rate) = facts.loads.command(id) else { continue };
        let mut told = Vec::new();
        for effect in facts.effects.of_command(id) {
            let EffectKind::Update { entity, .. } = effect.kind else { continue };
            let Some(rows) = facts.loads.rows(entity) else { continue };
            let each = rate.peak / rows.max(1.0);
            if each <= MOST || told.contains(&entity) {
                continue;
            }
            told.push(entity);
            let name = &facts.model.commands[id.index()].name;
            let message = format!(
                "`{name}` changes each row of `{}` {} times a second",
                facts.model[entity].name,
                number::count(each)
            );
            let mut finding = findings
                .at(effect.span, message)
                .text("holds the row until its commit is durable")
                .label(rate.span, "this often")
                .note(format!(
                    "{}/s at the peak over {}: a row takes about {} durable changes a second, the others wait",
                    number::count(rate.peak),
                    number::plural(rows as usize, "row", "rows"),
                    number::count(MOST)
                ));
            if let Some(span) = facts.loads.rows_span(entity) {
                finding = finding.label(span, "over these rows");
            }
            let finding =
                finding.help("create a row for each change, and sum them up when they are read");
            findings.add(facts.command_path(id), finding);
        }
    }
}

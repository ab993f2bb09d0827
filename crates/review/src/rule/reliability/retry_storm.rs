//! REL005

use crate::Findings;
use crate::facts::{EffectKind, Facts};

/// Attempts for one wish that a partner in trouble does not survive.
const MOST: i64 = 50;

pub(crate) fn check(facts: &Facts<'_>, findings: &mut Findings) {
    for (at, workflow) in facts.model.workflows.iter().enumerate() {
        let Some(outer) = facts.source.retry_of(workflow.span) else { continue };
        let mut told = Vec::new();
        for step in 0..workflow.bodies.len() {
            for effect in facts.effects.of_step(at, step).0 {
                let EffectKind::Call(call) = effect.kind else { continue };
                let dependency = &facts.dependencies[call.external.index()];
                let Some(inner) = dependency.retry else { continue };
                let total = (outer.times + 1).saturating_mul(dependency.attempts());
                if total <= MOST || told.contains(&call.external) {
                    continue;
                }
                told.push(call.external);
                let name = &dependency.external.name;
                let message =
                    format!("`{}` calls `{name}` up to {total} times for one wish", workflow.name);
                let finding = findings
                    .at(outer.span, message)
                    .text(format!("{} attempts", outer.times + 1))
                    .label(inner.span, format!("times {} attempts", dependency.attempts()))
                    .label(effect.span, "called here")
                    .note(format!("a `{name}` that is slow gets {total} times its load when it can bear it least"));
                let fewer = MOST / (outer.times + 1) - 1;
                let finding = if fewer > 0 {
                    finding.suggest(
                        format!("let `{name}` be tried {fewer} times"),
                        inner.times_span,
                        fewer.to_string(),
                    )
                } else {
                    finding.help("let the workflow try again, and keep the other short")
                };
                let path = facts.path(workflow.service, &workflow.name);
                findings.add(path, finding);
            }
        }
    }
}

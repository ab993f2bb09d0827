//! REL002

use syntax::Span;
use syntax::ast::{Item, WorkflowMember};

use crate::Findings;
use crate::facts::{EffectKind, Facts};

pub(crate) fn check(facts: &Facts<'_>, findings: &mut Findings) {
    for (at, workflow) in facts.model.workflows.iter().enumerate() {
        let spans = step_spans(facts, workflow.span);
        let last = workflow.bodies.len().saturating_sub(1);
        for (step, name) in workflow.steps.iter().enumerate().take(last) {
            let (done, undone) = facts.effects.of_step(at, step);
            let outside = done.iter().find(|effect| match effect.kind {
                EffectKind::Call(call) => facts.changes_outside(call),
                _ => false,
            });
            let Some(outside) = outside.filter(|_| undone.is_empty()) else { continue };
            let span = spans.get(step).copied().unwrap_or(workflow.span);
            let later = &workflow.steps[step + 1];
            let message = format!(
                "what `{name}` has done stays done when a later step of `{}` fails",
                workflow.name
            );
            let mut finding = findings
                .at(span, message)
                .text("has no `undo`")
                .label(outside.span, "changes something outside");
            if let Some(next) = spans.get(step + 1) {
                finding = finding.label(*next, format!("`{later}` may fail for good"));
            }
            let finding = finding
                .note("somebody has to find each of them and take it back by hand")
                .help("write what takes it back: `undo call …`");
            findings
                .add(format!("{}.{name}", facts.path(workflow.service, &workflow.name)), finding);
        }
    }
}

/// Where the names of the steps stand.
fn step_spans(facts: &Facts<'_>, workflow: Span) -> Vec<Span> {
    let Some(Item::Workflow(view)) = facts.source.item(workflow) else { return Vec::new() };
    let steps = view.members().filter_map(|member| match member {
        WorkflowMember::Step(step) => step.name(),
        _ => None,
    });
    steps.map(|name| name.span()).collect()
}

//! REL004

use model::Type;
use syntax::Span;

use crate::Findings;
use crate::facts::{EffectKind, Facts};

pub(crate) fn check(facts: &Facts<'_>, findings: &mut Findings) {
    for (at, dependency) in facts.dependencies.iter().enumerate() {
        let operations = dependency.external.operations.iter().zip(&dependency.operations);
        for (position, (operation, view)) in operations.enumerate() {
            if !matches!(view.method().text(), "post" | "patch") || operation.parameters.is_empty()
            {
                continue;
            }
            // A path that names what is changed says it as well.
            let named = operation.parameters.iter().any(|field| {
                matches!(facts.model[*field].ty, Type::Uuid | Type::String(_) | Type::Entity(_))
            });
            let Some(retried) = retried(facts, at, position).filter(|_| !named) else { continue };
            let name = &dependency.external.name;
            let message =
                format!("`{name}.{}` is tried again, and may happen twice", operation.name);
            let finding = findings
                .at(operation.span, message)
                .text("nothing tells the second attempt from a second wish")
                .label(retried, "tried again here")
                .note("when the answer is lost, the call was carried out and is made again")
                .help("send what identifies it, such as the key of the row: `{ order: Uuid  … }`");
            findings.add(format!("{name}.{}", operation.name), finding);
        }
    }
}

/// Where it is said that an operation is tried again: at the external, or in a workflow that calls it.
fn retried(facts: &Facts<'_>, external: usize, operation: usize) -> Option<Span> {
    if let Some(retry) = facts.dependencies[external].retry {
        return Some(retry.span);
    }
    facts.model.workflows.iter().enumerate().find_map(|(at, workflow)| {
        let retry = facts.source.retry_of(workflow.span)?;
        let calls = (0..workflow.bodies.len()).any(|step| {
            facts.effects.of_step(at, step).0.iter().any(|effect| match effect.kind {
                EffectKind::Call(call) => {
                    call.external.index() == external && call.operation == operation
                }
                _ => false,
            })
        });
        calls.then_some(retry.span)
    })
}

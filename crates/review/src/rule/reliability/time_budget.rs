//! REL006

use crate::facts::{EffectKind, Facts};
use crate::{Findings, number};

pub(crate) fn check(facts: &Facts<'_>, findings: &mut Findings) {
    for (at, workflow) in facts.model.workflows.iter().enumerate() {
        let Some((after, span)) = facts.source.gives_up_after(workflow.span) else { continue };
        let mut total = 0_i64;
        let mut longest = None;
        for step in 0..workflow.bodies.len() {
            let (done, undone) = facts.effects.of_step(at, step);
            for effect in done.iter().chain(undone) {
                let EffectKind::Call(call) = effect.kind else { continue };
                let dependency = &facts.dependencies[call.external.index()];
                let Some(one) = dependency.longest() else { continue };
                total = total.saturating_add(one);
                if longest.is_none_or(|(most, _)| one > most) {
                    longest = Some((one, dependency));
                }
            }
        }
        let Some((one, dependency)) = longest.filter(|_| total > after) else { continue };
        let message = format!(
            "`{}` gives up after {}, and its calls may take {}",
            workflow.name,
            number::duration(after),
            number::duration(total)
        );
        let mut finding = findings.at(span, message).text("too early for what is waited for");
        if let Some((_, place)) = dependency.timeout {
            finding = finding
                .label(place, format!("with its repetitions up to {}", number::duration(one)));
        }
        let finding = finding
            .note("it gives up while a call still waits for its answer, and nobody knows whether it happened")
            .help("give up later, wait for less, or try less often")
            .suggest("give up later", span, number::duration_above(total));
        findings.add(facts.path(workflow.service, &workflow.name), finding);
    }
    for dependency in &facts.dependencies {
        let (Some((timeout, place)), Some((_, Some(under), promise))) =
            (dependency.timeout, dependency.slo)
        else {
            continue;
        };
        if timeout >= under {
            continue;
        }
        let name = &dependency.external.name;
        let message = format!(
            "calls of `{name}` are cut off after {}, and it promises to answer within {}",
            number::duration(timeout),
            number::duration(under)
        );
        let finding = findings
            .at(place, message)
            .text("ends calls that would have been answered")
            .label(promise, "the promise")
            .suggest(
                "wait for as long as it may take",
                place,
                format!("timeout {}", number::duration_above(under)),
            );
        findings.add(name.clone(), finding);
    }
}

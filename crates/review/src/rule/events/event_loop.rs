//! EVT003

use model::{CommandId, EventId, Runnable};

use crate::facts::{Effect, EffectKind, Facts, cycles};
use crate::{Findings, number};

pub(crate) fn check(facts: &Facts<'_>, findings: &mut Findings) {
    let model = facts.model;
    // Nodes: events, then commands, then workflows.
    let (events, commands) = (model.events.len(), model.commands.len());
    let mut edges: Vec<Vec<usize>> = vec![Vec::new(); events + commands + model.workflows.len()];
    let target = |effect: &Effect<'_>| match effect.kind {
        EffectKind::Emit { event, .. } => Some(event.index()),
        EffectKind::Run(run) => Some(match run.target {
            Runnable::Command(id) => events + id.index(),
            Runnable::Workflow(at) => events + commands + at,
        }),
        _ => None,
    };
    for id in facts.command_ids() {
        let targets = facts.effects.of_command(id).iter().filter_map(target);
        edges[events + id.index()].extend(targets);
    }
    for (at, workflow) in model.workflows.iter().enumerate() {
        let node = events + commands + at;
        for step in 0..workflow.bodies.len() {
            let (done, undone) = facts.effects.of_step(at, step);
            edges[node].extend(done.iter().chain(undone).filter_map(target));
        }
        if let Some(EventId(event)) = workflow.on {
            edges[event as usize].push(node);
        }
    }
    for subscription in &model.subscriptions {
        edges[subscription.event.index()].push(events + subscription.command.index());
    }
    for cycle in cycles(&edges) {
        let names: Vec<String> = cycle
            .iter()
            .map(|at| match *at {
                at if at < events => model.events[at].name.clone(),
                at if at < events + commands => model.commands[at - events].name.clone(),
                at => model.workflows[at - events - commands].name.clone(),
            })
            .collect();
        // A circle of commands alone is a matter of the language, or waits by `later`.
        let Some(first) = cycle.first().copied().filter(|first| *first < events) else { continue };
        let event = &model.events[first];
        let message = format!(
            "`{}` leads to itself: {} feed each other",
            event.name,
            number::list(&names, 5)
        );
        let mut finding = findings.at(event.span, message).text("published again by what hears it");
        for at in cycle.iter().copied().filter(|at| (events..events + commands).contains(at)) {
            let id = CommandId((at - events) as u32);
            let emits = facts
                .effects
                .of_command(id)
                .iter()
                .find(|effect| target(effect).is_some_and(|target| cycle.contains(&target)));
            if let Some(emits) = emits {
                finding = finding.label(emits.span, "goes on here");
            }
        }
        let finding = finding
            .note("each makes the next, without end, as fast as the machine can")
            .help("publish another event, or do what is left by a job");
        findings.add(facts.path(event.service, &event.name), finding);
    }
}

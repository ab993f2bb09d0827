//! What follows from events and from time: subscriptions, webhooks, workflows, jobs.

use syntax::ast::{self, WebhookMember, WorkflowMember};
use syntax::{Diagnostic, Span};

use super::context::{Context, Part, Style};
use super::declare::path_text;
use super::entity::positive_duration;
use super::names::{Declared, Reach, Space, find, wrong_kind};
use super::scope::{Caller, Place, Scope};
use super::statement::{Body, Kind, block, run, statements};
use crate::schedule;
use crate::{
    CatchUp, EventId, Parameter, Received, Runnable, Schedule, ServiceId, Statement, StatementKind,
    Step, Subscription,
};

/// Nobody asks for what runs by itself.
const BY_ITSELF: Caller = Caller::Nobody("this runs by itself: nobody asks for it");

/// Fills in all of them.
pub(crate) fn reactions(cx: &mut Context<'_>) {
    cx.begin(Part::Reactions);
    for (view, service) in cx.source.subscriptions.clone() {
        subscription(cx, view, service);
    }
    for position in 0..cx.source.webhooks.len() {
        webhook(cx, position);
    }
    for position in 0..cx.source.workflows.len() {
        workflow(cx, position, cx.source.workflows[position].0);
    }
    for position in 0..cx.source.jobs.len() {
        job(cx, position, cx.source.jobs[position].0);
    }
}

/// The event that a path names: events are heard across services.
fn event<'a>(cx: &mut Context<'a>, service: ServiceId, path: ast::Path<'a>) -> Option<EventId> {
    match find(cx, Space::Types, service, path, Reach::Everywhere, "event")? {
        Declared::Event(id) => Some(id),
        other => {
            wrong_kind(cx, path.span(), path_text(path), other, "an event");
            None
        }
    }
}

/// Members of an event as what is in scope.
fn members(cx: &Context<'_>, event: EventId) -> Vec<Parameter> {
    cx.model.events[event.index()]
        .fields
        .iter()
        .map(|field| &cx.model[*field])
        .map(|field| Parameter {
            name: field.name.to_string(),
            span: field.span,
            ty: field.ty.clone(),
            optional: field.optional,
        })
        .collect()
}

fn subscription<'a>(cx: &mut Context<'a>, view: ast::On<'a>, service: ServiceId) {
    let (Some(path), Some(run_view)) = (view.event(), view.run()) else { return };
    let Some(event) = event(cx, service, path) else { return };
    let mut scope = Scope::new(Place::Body, service, BY_ITSELF);
    scope.parameters = members(cx, event);
    let Some(invocation) = run(cx, &mut scope, run_view, Kind::Step) else { return };
    let Runnable::Command(command) = invocation.target else {
        cx.report(
            Diagnostic::error(
                "E0516",
                run_view.span(),
                "an event runs a command; a workflow says itself which event starts it",
            )
            .help("write `workflow name(…) on Event { … }`"),
        );
        return;
    };
    let arguments = invocation.arguments;
    cx.model.subscriptions.push(Subscription { event, command, arguments, span: view.span() });
}

fn webhook(cx: &mut Context<'_>, position: usize) {
    let (view, service) = cx.source.webhooks[position];
    let mut events: Vec<EventId> = Vec::new();
    let mut said: Vec<(&'static str, Span)> = Vec::new();
    let (mut has_sends, mut received) = (false, None);
    for member in view.members() {
        let word = match member {
            WebhookMember::Sends(_) => "sends",
            WebhookMember::Receives(_) => "receives",
            WebhookMember::Sign(_) => "sign",
            WebhookMember::Retry(_) => "retry",
        };
        if let Some((_, first)) = said.iter().find(|(known, _)| *known == word) {
            cx.said_twice(&format!("`{word}`"), *first, member.span());
            continue;
        }
        said.push((word, member.span()));
        match member {
            WebhookMember::Sends(sends) => {
                has_sends = true;
                for path in sends.events() {
                    let Some(event) = event(cx, service, path) else { continue };
                    if events.contains(&event) {
                        cx.report(
                            Diagnostic::error(
                                "E0201",
                                path.span(),
                                format!("`{}` is sent already", path_text(path)),
                            )
                            .help("remove one of them"),
                        );
                        continue;
                    }
                    if cx.model.events[event.index()].from.is_some() {
                        let message =
                            format!("`{}` is published by another system", path_text(path));
                        cx.report(
                            Diagnostic::error("E0512", path.span(), message)
                                .note(
                                    "a webhook tells partners what has happened here, and signs it",
                                )
                                .help("emit an event of your own when it is heard, and send that"),
                        );
                        continue;
                    }
                    events.push(event);
                }
            }
            WebhookMember::Receives(view) => {
                received = Some(view.span());
                receives(cx, position, service, view);
            }
            WebhookMember::Sign(sign) => {
                if let Some(scheme) = sign.scheme()
                    && scheme.text() != "standard"
                {
                    let message = format!("webhooks are not signed by `{}`", scheme.text());
                    cx.unknown("E0602", scheme.span(), message, scheme.text(), ["standard"]);
                }
            }
            WebhookMember::Retry(retry) => {
                let period = retry.period().and_then(|period| positive_duration(cx, period));
                cx.model.webhooks[position].retry = period;
            }
        }
    }
    match (has_sends, received, view.name()) {
        (true, Some(span), _) => cx.report(
            Diagnostic::error("E0601", span, "a webhook sends or receives, not both")
                .note("who is sent to and who is listened to have secrets of their own")
                .help("write a webhook for each"),
        ),
        (false, None, Some(name)) => cx.report(
            Diagnostic::error("E0603", name.span(), format!("`{}` sends nothing", name.text()))
                .help("say which events: `sends OrderPlaced, OrderPaid`, or `receives PaymentArrived`"),
        ),
        _ => {}
    }
    if let (Some(_), Some((_, span))) = (received, said.iter().find(|(word, _)| *word == "retry")) {
        cx.report(
            Diagnostic::error("E0601", *span, "what comes in is tried again by who sends it")
                .help("leave `retry` out"),
        );
    }
    cx.model.webhooks[position].events = events;
}

/// Events that come in through a webhook.
fn receives<'a>(
    cx: &mut Context<'a>,
    position: usize,
    service: ServiceId,
    view: ast::WebhookReceives<'a>,
) {
    for item in view.events() {
        let Some(path) = item.event() else { continue };
        let Some(id) = event(cx, service, path) else { continue };
        let kind = item.kind().and_then(|kind| kind.string()).map(|kind| kind.into_owned());
        let name = kind.clone().unwrap_or_else(|| cx.model.events[id.index()].name.clone());
        let known = &cx.model.webhooks[position].receives;
        let taken = known.iter().any(|known| {
            let event = &cx.model.events[known.event.index()];
            known.event == id || *known.kind.as_ref().unwrap_or(&event.name) == name
        });
        if taken {
            let message = format!("`{name}` is received already");
            cx.report(Diagnostic::error("E0201", item.span(), message).help("remove one of them"));
            continue;
        }
        cx.model.webhooks[position].receives.push(Received { event: id, kind });
        let mut emitted = Vec::new();
        cx.model.commands.iter().for_each(|command| emits(&command.body, id, &mut emitted));
        for span in emitted {
            let name = &cx.model.events[id.index()].name;
            let message = format!("`{name}` comes from outside, and is not published here");
            cx.report(
                Diagnostic::error("E0527", span, message)
                    .label(item.span(), "received here")
                    .note("who hears an event must know who said it")
                    .help("publish an event of this service that says what has become of it"),
            );
        }
    }
}

/// Where statements publish an event.
fn emits(body: &[Statement], event: EventId, found: &mut Vec<Span>) {
    for statement in body {
        match &statement.kind {
            StatementKind::Emit { event: published, .. } if *published == event => {
                found.push(statement.span);
            }
            StatementKind::For { body, .. } => emits(body, event, found),
            StatementKind::If { then, otherwise, .. } => {
                emits(then, event, found);
                emits(otherwise, event, found);
            }
            _ => {}
        }
    }
}

/// Checks one workflow.
pub(crate) fn workflow<'a>(cx: &mut Context<'a>, position: usize, view: ast::Workflow<'a>) {
    cx.begin(Part::Workflow(position));
    let service = cx.model.workflows[position].service;
    if let Some(path) = view.on()
        && let Some(event) = event(cx, service, path)
    {
        started_by(cx, position, event, path);
        cx.model.workflows[position].on = Some(event);
    }
    let mut scope = Scope::new(Place::Body, service, BY_ITSELF);
    scope.parameters = cx.model.workflows[position].parameters.clone();
    let body = Body { kind: Kind::Step, answer: None };
    let mut steps: Vec<(String, Span)> = Vec::new();
    let mut bodies: Vec<Step> = Vec::new();
    let mut said: Vec<(&'static str, Span)> = Vec::new();
    for member in view.members() {
        let word = match member {
            WorkflowMember::Step(_) => None,
            WorkflowMember::Retry(_) => Some("retry"),
            WorkflowMember::GiveUp(_) => Some("give up"),
        };
        if let Some(word) = word {
            if let Some((_, first)) = said.iter().find(|(known, _)| *known == word) {
                cx.said_twice(&format!("`{word}`"), *first, member.span());
                continue;
            }
            said.push((word, member.span()));
        }
        match member {
            WorkflowMember::Step(step) => {
                let Some(name) = step.name() else { continue };
                cx.case_style(name, Style::Snake);
                if let Some((_, first)) = steps.iter().find(|(known, _)| known == name.text()) {
                    cx.twice("the step", name.text(), *first, name.span());
                }
                steps.push((name.text().to_owned(), name.span()));
                // What a step has learnt stays known to the steps behind it, and to what takes it back.
                let done = statements(cx, &mut scope, step.statements(), &body);
                if done.is_empty() {
                    cx.report(
                        Diagnostic::error(
                            "E0517",
                            name.span(),
                            format!("the step `{}` does nothing", name.text()),
                        )
                        .help("say what it does: `call …` or `run …`"),
                    );
                }
                let undo = step.undo().map(|undo| match undo.block() {
                    Some(inner) => block(cx, &mut scope, inner.statements(), &body),
                    None => block(cx, &mut scope, undo.statement().into_iter(), &body),
                });
                bodies.push(Step { body: done, undo: undo.unwrap_or_default() });
            }
            WorkflowMember::Retry(retry) => super::external::retry(cx, retry),
            WorkflowMember::GiveUp(give_up) => {
                give_up.after().and_then(|after| positive_duration(cx, after));
                if let Some(run_view) = give_up.run() {
                    // By then any step may have failed: only what the workflow was given is certain.
                    let mut scope = Scope::new(Place::Body, service, BY_ITSELF);
                    scope.parameters = cx.model.workflows[position].parameters.clone();
                    run(cx, &mut scope, run_view, Kind::Step);
                }
            }
        }
    }
    if let (true, Some(name)) = (steps.is_empty(), view.name()) {
        cx.report(
            Diagnostic::error(
                "E0517",
                name.span(),
                format!("the workflow `{}` has no step", name.text()),
            )
            .help("add one: `step name { … }`"),
        );
    }
    let workflow = &mut cx.model.workflows[position];
    workflow.steps = steps.into_iter().map(|(name, _)| name).collect();
    workflow.bodies = bodies;
}

/// The parameters of a workflow are members of the event that starts it.
fn started_by(cx: &mut Context<'_>, position: usize, event: EventId, path: ast::Path<'_>) {
    let members = members(cx, event);
    for parameter in cx.model.workflows[position].parameters.clone() {
        let found = members.iter().find(|member| member.name == parameter.name);
        let event_name = cx.model.events[event.index()].name.clone();
        let Some(member) = found else {
            if parameter.optional {
                continue;
            }
            let message = format!("`{event_name}` does not carry `{}`", parameter.name);
            let known: Vec<String> = members.iter().map(|member| member.name.clone()).collect();
            cx.report(
                Diagnostic::error("E0516", parameter.span, message)
                    .label(path.span(), "started by this event")
                    .note("a workflow is given the members of its event by their names")
                    .help(format!("it carries {}", super::path::list(&known))),
            );
            continue;
        };
        let fits = super::expression::assignable(&member.ty, &parameter.ty);
        if !fits || (member.optional && !parameter.optional) {
            let (found, wanted) = (cx.type_text(&member.ty), cx.type_text(&parameter.ty));
            let message = if fits {
                format!("`{}` may be absent in `{event_name}`", parameter.name)
            } else {
                format!(
                    "`{}` is of type {wanted} here, and of type {found} in `{event_name}`",
                    parameter.name
                )
            };
            cx.report(
                Diagnostic::error("E0516", parameter.span, message)
                    .label(member.span, "carried here")
                    .help("give both one type"),
            );
        }
    }
}

/// Checks one job.
pub(crate) fn job<'a>(cx: &mut Context<'a>, position: usize, view: ast::Job<'a>) {
    cx.begin(Part::Job(position));
    let service = cx.model.jobs[position].service;
    let schedule = match view.at() {
        Some(at) => calendar(cx, at),
        None => view.every().and_then(|every| positive_duration(cx, every)).map(Schedule::Every),
    };
    let jitter = view.jitter().and_then(|jitter| jitter.most());
    let jitter = jitter.and_then(|most| positive_duration(cx, most));
    let how = view.catch_up().and_then(|catch_up| catch_up.how());
    let catch_up = how.and_then(|how| {
        let known = CatchUp::ALL.iter().find(|(word, _)| *word == how.text());
        if known.is_none() {
            let message = format!("runs are not made up for by `{}`", how.text());
            let words = CatchUp::ALL.map(|(word, _)| word);
            cx.unknown("E0602", how.span(), message, how.text(), words);
        }
        known.map(|(_, catch_up)| *catch_up)
    });
    let mut scope = Scope::new(Place::Body, service, BY_ITSELF);
    let body = Body { kind: Kind::Job, answer: None };
    let typed = statements(cx, &mut scope, view.statements(), &body);
    let job = &mut cx.model.jobs[position];
    job.schedule = schedule.unwrap_or(Schedule::Every(0));
    job.jitter = jitter.unwrap_or(0);
    job.catch_up = catch_up.unwrap_or_default();
    job.body = typed;
}

/// A calendar that says when, and the clock that it means.
fn calendar(cx: &mut Context<'_>, view: ast::JobAt<'_>) -> Option<Schedule> {
    let literal = view.pattern()?;
    let pattern = literal.string()?.into_owned();
    if let Err(why) = schedule::parse(&pattern) {
        cx.report(
            Diagnostic::error("E0606", literal.span(), "this calendar names no time")
                .text(why)
                .note("it has five fields: minute, hour, day of month, month, day of week")
                .help("write `0 3 * * *` for three o'clock each day, `*/15 9-17 * * MON-FRI` for each quarter of office hours"),
        );
        return None;
    }
    let mut zone = None;
    if let Some(literal) = view.zone()
        && let Some(name) = literal.string()
    {
        if let Err(why) = schedule::time_zone(Some(&*name)) {
            cx.report(
                Diagnostic::error(
                    "E0606",
                    literal.span(),
                    format!("there is no time zone `{name}`"),
                )
                .text(why)
                .help("use a name of the IANA database, such as `Europe/Berlin`"),
            );
            return None;
        }
        zone = Some(name.into_owned());
    }
    Some(Schedule::Calendar { pattern, zone })
}

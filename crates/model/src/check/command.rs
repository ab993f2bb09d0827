//! Commands, errors and events: what they take, answer and carry.

use syntax::{Diagnostic, Span, TokenKind, ast};

use super::context::{Context, Part};
use super::external::placeholders;
use super::members::{indexable, parameters};
use super::modifier::deprecation;
use super::policy::{admission, grantees, known_caller};
use super::scope::{Caller, Place, Scope, caller_of};
use super::statement::{Body, Kind, returns, statements};
use super::type_expr::{self, Place as TypePlace};
use crate::{CommandId, Grantee, Runnable, Statement, StatementKind, Type, ValueSource};

/// Members of every problem document: those of RFC 9457, and ours.
const OF_EVERY_PROBLEM: &[&str] =
    &["type", "title", "status", "detail", "instance", "code", "trace_id", "errors"];

/// Resolves what commands take and answer: before any body, for bodies run each other.
pub(crate) fn signatures(cx: &mut Context<'_>) {
    cx.begin(Part::Signatures);
    for position in 0..cx.source.commands.len() {
        let view = cx.source.commands[position];
        let service = cx.model.commands[position].service;
        let name = view.name().map_or("", |name| name.text());
        let parameters = parameters(cx, view.parameters(), service, name);
        cx.model.commands[position].parameters = parameters;
        if let Some(result) = view.result() {
            let place = TypePlace { service, owner: name, member: "answer" };
            let mut ty = type_expr::resolve_now(cx, place, result);
            if super::members::no_part_type(cx, &ty, result.span()) {
                ty = Type::Unknown;
            }
            cx.model.commands[position].answer = Some((ty, result.is_optional()));
        }
    }
    for position in 0..cx.source.workflows.len() {
        let (view, service) = cx.source.workflows[position];
        let name = view.name().map_or("", |name| name.text());
        let parameters = parameters(cx, view.parameters(), service, name);
        cx.model.workflows[position].parameters = parameters;
    }
    for position in 0..cx.source.errors.len() {
        error(cx, position);
    }
    for position in 0..cx.source.events.len() {
        event(cx, position);
    }
}

fn error(cx: &mut Context<'_>, position: usize) {
    let view = cx.source.errors[position];
    if let Some(literal) = view.status()
        && let Some(status) = literal.integer()
    {
        if (400..=599).contains(&status) {
            cx.model.errors[position].status = status as u16;
        } else {
            cx.report(
                Diagnostic::error("E0514", literal.span(), format!("{status} is no status of a failure"))
                    .note("HTTP counts what the caller did wrong from 400, and what we did wrong from 500")
                    .help("use 409 for a conflict with the present state, 422 for what cannot be done, 404 for what is not there"),
            );
        }
    }
    if let Some(literal) = view.message()
        && let Some(text) = literal.string()
    {
        let fields = cx.model.errors[position].fields.clone();
        placeholders(cx, &text, literal.span(), &fields, "the error");
        cx.model.errors[position].message = text.into_owned();
    }
    for field in cx.model.errors[position].fields.clone() {
        let field = &cx.model[field];
        if OF_EVERY_PROBLEM.contains(&field.name.as_str()) {
            let fault = format!("every problem has a member `{}` of its own", field.name);
            let fault = Diagnostic::error("E0522", field.span, fault)
                .note("what an error carries stands beside them in one object, which has each name once")
                .help("call it something else");
            cx.report(fault);
        }
    }
}

fn event(cx: &mut Context<'_>, position: usize) {
    let view = cx.source.events[position];
    for allow in view.policies() {
        admitted(cx, position, allow);
    }
    if let Some(from) = view.from() {
        address(cx, position, from);
    }
    let Some(by) = view.by() else { return };
    let fields = cx.model.events[position].fields.clone();
    let found = fields.iter().copied().find(|field| cx.model[*field].name == by.text());
    let Some(field) = found else {
        let owner = format!("the event `{}`", cx.model.events[position].name);
        super::path::no_member(cx, by, &fields, &owner);
        return;
    };
    cx.used_field(by, field);
    let row = &cx.model[field];
    if row.optional || !indexable(&row.ty) {
        let declared = row.span;
        cx.report(
            Diagnostic::error(
                "E0515",
                by.span(),
                format!("events cannot be kept in order by `{}`", by.text()),
            )
            .label(declared, "declared here")
            .note("all events of one key are delivered in the order in which they happened")
            .help("use a required reference or identifier"),
        );
        return;
    }
    cx.model.events[position].by = Some(field);
}

/// The longest name of a place at a broker, in bytes: Kafka has topics of 249, RabbitMQ queues of 255.
const LONGEST_ADDRESS: usize = 249;

/// Where an event of another system comes from.
fn address(cx: &mut Context<'_>, position: usize, from: ast::Literal<'_>) {
    let Some(text) = cx.model.events[position].from.clone() else { return };
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '/' | ':');
    if text.is_empty() || text.len() > LONGEST_ADDRESS || !text.chars().all(fits) {
        cx.report(
            Diagnostic::error("E0601", from.span(), "no broker has a place of this name")
                .note("it is a subject of NATS, a topic of Kafka, a queue of RabbitMQ or a stream of Redis: letters, digits \
                       and `.`, `_`, `-`, `/`, `:`, 249 at most, without wildcards")
                .help("write it as \"payments.arrived\""),
        );
        return;
    }
    let first = cx.model.events.iter().take(position);
    let first =
        first.filter(|event| event.from.as_ref() == Some(&text)).map(|event| event.span).next();
    if let Some(first) = first {
        cx.said_twice(&format!("`from \"{text}\"`"), first, from.span());
    }
}

/// Who may read an event, and who may have it heard once more.
fn admitted<'a>(cx: &mut Context<'a>, position: usize, allow: ast::Allow<'a>) {
    let grantees = grantees(cx, allow.roles());
    let mut report = |span, message: String, help: &str| {
        cx.report(
            Diagnostic::error("E0408", span, message)
                .note(
                    "an event is published by commands, and read or replayed as a whole by whoever may",
                )
                .help(help),
        );
    };
    let (mut reads, mut replays) = (false, false);
    for view in allow.actions() {
        reads |= view.action() == Some(ast::Action::Read);
        replays |= view.is_replay();
        if let Some(action) = view.action().filter(|action| *action != ast::Action::Read) {
            let message = format!("nobody may {} an event", action.word());
            report(view.span(), message, "write `allow read` or `allow replay`");
        } else if let Some(member) = view.fields().next() {
            let (word, done) =
                if view.is_replay() { ("replay", "replayed") } else { ("read", "read") };
            let message = format!("an event is {done} with all its members");
            let help = format!("write `{word}` alone, or publish another event");
            report(member.span(), message, &help);
        }
    }
    if let Some(condition) = allow.condition() {
        let message = "whether an event may be read does not depend on what it carries".to_owned();
        report(condition.span(), message, "leave the condition out");
    }
    let event = &mut cx.model.events[position];
    for (is_meant, known) in [(reads, &mut event.readers), (replays, &mut event.replayers)] {
        for grantee in grantees.iter().filter(|_| is_meant) {
            if !known.contains(grantee) {
                known.push(*grantee);
            }
        }
    }
}

/// Checks who may run commands, and what they do.
pub(crate) fn commands(cx: &mut Context<'_>) {
    for position in 0..cx.source.commands.len() {
        command(cx, CommandId(position as u32), cx.source.commands[position]);
    }
    circles(cx);
}

/// Checks who may run one command, and what it does.
pub(crate) fn command<'a>(cx: &mut Context<'a>, id: CommandId, view: ast::Command<'a>) {
    cx.begin(Part::Command(id));
    let service = cx.model.commands[id.index()].service;
    let mut scope = Scope::new(Place::Body, service, Caller::Nobody("nobody is admitted here"));
    scope.parameters = cx.model.commands[id.index()].parameters.clone();
    let mut all: Vec<Grantee> = Vec::new();
    let mut unknown = false;
    for allow in view.allows() {
        let policy = admission(cx, &scope, allow);
        unknown |= matches!(known_caller(cx, allow.roles(), &policy.grantees), Caller::Unknown);
        for grantee in &policy.grantees {
            if !all.contains(grantee) {
                all.push(*grantee);
            }
        }
        cx.model.commands[id.index()].policies.push(policy);
    }
    scope.caller = if unknown { Caller::Unknown } else { caller_of(cx, &all) };
    let mut first = None;
    for view in view.deprecated() {
        if let Some(first) = first {
            cx.said_twice("`deprecated`", first, view.span());
            continue;
        }
        first = Some(view.span());
        cx.model.commands[id.index()].deprecation = deprecation(cx, view);
    }
    let Some(name) = view.name() else { return };
    let has_body = view.node().token(TokenKind::LeftBrace).is_some();
    let by_code = view.is_by_code();
    if by_code {
        if let Some(first) = view.statements().next() {
            cx.report(
                Diagnostic::error(
                    "E0510",
                    first.span(),
                    format!("`{}` is done by code, and says here what it does", name.text()),
                )
                .note("one of the two would never run")
                .help("remove `by code`, or the statements"),
            );
        }
        return;
    }
    if !has_body {
        cx.report(
            Diagnostic::error(
                "E0510",
                name.span(),
                format!("`{}` does not say what it does", name.text()),
            )
            .help("write its statements in braces, or `by code` if a program does it"),
        );
        return;
    }
    let answer = cx.model.commands[id.index()].answer.clone();
    let body = Body { kind: Kind::Command, answer: answer.clone() };
    let typed = statements(cx, &mut scope, view.statements(), &body);
    if answer.is_some() && !returns(&typed) {
        let place = view.result().map_or(name.span(), |result| result.span());
        cx.report(
            Diagnostic::error(
                "E0508",
                place,
                format!("`{}` promises an answer, and may end without one", name.text()),
            )
            .help("end every way through it with `return`"),
        );
    }
    cx.model.commands[id.index()].body = typed;
}

/// Commands that run themselves within one transaction.
pub(crate) fn circles(cx: &mut Context<'_>) {
    cx.begin(Part::Circles);
    let mut edges: Vec<Vec<(CommandId, Span)>> = Vec::with_capacity(cx.model.commands.len());
    for command in &cx.model.commands {
        let mut runs = Vec::new();
        runs_of(&command.body, &mut runs);
        edges.push(runs);
    }
    for start in 0..edges.len() {
        if edges[start].is_empty() {
            continue;
        }
        let target = CommandId(start as u32);
        let mut seen = vec![false; edges.len()];
        let mut open: Vec<CommandId> = vec![target];
        let mut found = None;
        while let (Some(from), None) = (open.pop(), found) {
            for (to, span) in &edges[from.index()] {
                if *to == target {
                    found = Some(*span);
                } else if !std::mem::replace(&mut seen[to.index()], true) {
                    open.push(*to);
                }
            }
        }
        if let Some(span) = found {
            let name = cx.model.commands[start].name.clone();
            let declared = cx.model.commands[start].span;
            cx.report(
                Diagnostic::error("E0521", span, format!("`{name}` runs itself, and never ends"))
                    .label(declared, "the command")
                    .note("what is run belongs to the same transaction")
                    .help("run it `later`, in a transaction of its own"),
            );
        }
    }
}

fn runs_of(body: &[Statement], runs: &mut Vec<(CommandId, Span)>) {
    let mut add = |run: &crate::Invocation, span: Span| {
        if let (Runnable::Command(command), false) = (run.target, run.later) {
            runs.push((command, span));
        }
    };
    for statement in body {
        match &statement.kind {
            StatementKind::Run(run) => add(run, statement.span),
            StatementKind::Let { value: ValueSource::Run(run), .. }
            | StatementKind::Return(Some(ValueSource::Run(run))) => add(run, statement.span),
            _ => {}
        }
    }
    for statement in body {
        match &statement.kind {
            StatementKind::For { body, .. } => runs_of(body, runs),
            StatementKind::If { then, otherwise, .. } => {
                runs_of(then, runs);
                runs_of(otherwise, runs);
            }
            _ => {}
        }
    }
}

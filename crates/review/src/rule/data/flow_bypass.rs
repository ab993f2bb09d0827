//! DAT017

use model::{
    BinaryOperator, CommandId, EntityId, Expression, ExpressionKind, FieldId, Flow, Runnable,
    Source, Statement, StatementKind,
};
use operation::Comparison;
use syntax::Span;
use syntax::ast::{self, View as _};

use crate::facts::{Facts, conjuncts, own_field};
use crate::{Findings, edit};

/// What is known of a row: a field of it has a value, and where that is said.
#[derive(Clone, Copy)]
struct Known {
    local: usize,
    field: FieldId,
    value: usize,
    span: Span,
}

pub(crate) fn check(facts: &Facts<'_>, findings: &mut Findings) {
    if facts.model.entities.iter().all(|entity| entity.flows.is_empty()) {
        return;
    }
    for id in facts.command_ids() {
        let body = &facts.model.commands[id.index()].body;
        walk(facts, findings, &facts.command_path(id), body, &mut Vec::new());
    }
    for job in &facts.model.jobs {
        let path = facts.path(job.service, &job.name);
        walk(facts, findings, &path, &job.body, &mut Vec::new());
    }
}

fn walk(
    facts: &Facts<'_>,
    findings: &mut Findings,
    path: &str,
    body: &[Statement],
    known: &mut Vec<Known>,
) {
    for statement in body {
        match &statement.kind {
            StatementKind::For { number, source, body } => {
                let before = known.len();
                if let Source::Rows { filter: Some(filter), .. } = source {
                    known.extend(states(*number, filter));
                }
                walk(facts, findings, path, body, known);
                known.truncate(before);
            }
            StatementKind::If { then, otherwise, .. } => {
                walk(facts, findings, path, then, known);
                walk(facts, findings, path, otherwise, known);
            }
            StatementKind::Update { target, entity, fields } => {
                let local = local(target);
                for (field, value) in fields {
                    set(facts, findings, path, *entity, (*field, value), (local, known));
                }
            }
            StatementKind::Run(run) => {
                let Runnable::Command(command) = run.target else { continue };
                for (position, argument) in run.arguments.iter().enumerate() {
                    let Some(local) = local(argument) else { continue };
                    let told = (statement.span, local, known.as_slice());
                    through(facts, findings, path, (command, position), told);
                }
            }
            _ => {}
        }
    }
}

/// What a condition of a loop says of its rows.
fn states(local: usize, filter: &Expression) -> impl Iterator<Item = Known> + '_ {
    conjuncts(filter).into_iter().filter_map(move |term| {
        let ExpressionKind::Binary(BinaryOperator::Compare(Comparison::Equal), left, right) =
            &term.kind
        else {
            return None;
        };
        let (field, value) = match (own_field(left), own_field(right)) {
            (Some(field), None) => (field, right),
            (None, Some(field)) => (field, left),
            _ => return None,
        };
        let ExpressionKind::EnumValue(_, value) = value.kind else { return None };
        Some(Known { local, field, value, span: term.span })
    })
}

fn local(expression: &Expression) -> Option<usize> {
    match &expression.kind {
        ExpressionKind::Local { number, path } if path.is_empty() => Some(*number),
        _ => None,
    }
}

/// A field is set to a value: by itself that must be possible, and from what is known of the row.
fn set(
    facts: &Facts<'_>,
    findings: &mut Findings,
    path: &str,
    entity: EntityId,
    (field, value): (FieldId, &Expression),
    (local, known): (Option<usize>, &[Known]),
) {
    let Some(flow) = facts.model[entity].flows.iter().find(|flow| flow.field == field) else {
        return;
    };
    let ExpressionKind::EnumValue(id, at) = value.kind else { return };
    let label = |at: usize| facts.model[id].values[at].name.as_str();
    let entered = flow.transitions.iter().any(|(_, targets)| targets.contains(&at));
    if !entered {
        let message = format!("`{}` can never be set: no transition leads to it", label(at));
        let finding = findings
            .at(value.span, message)
            .text("refused every time")
            .label(flow.span, "the flow names what may follow what")
            .help(format!("write from where it may be entered: `… -> {}`", label(at)));
        findings.add(path, finding);
        return;
    }
    let from = known.iter().find(|it| Some(it.local) == local && it.field == field);
    if let Some(from) = from
        && !allows(flow, from.value, at)
    {
        add(facts, findings, path, value.span, (flow, from), (label(from.value), label(at)));
    }
}

/// A command is run with a row of which something is known.
fn through(
    facts: &Facts<'_>,
    findings: &mut Findings,
    path: &str,
    (command, position): (CommandId, usize),
    (span, local, known): (Span, usize, &[Known]),
) {
    for statement in &facts.model.commands[command.index()].body {
        let StatementKind::Update { target, entity, fields } = &statement.kind else { continue };
        let is_argument = matches!(&target.kind, ExpressionKind::Parameter { position: at, path }
            if *at == position && path.is_empty());
        if !is_argument {
            continue;
        }
        for (field, value) in fields {
            let flow = facts.model[*entity].flows.iter().find(|flow| flow.field == *field);
            let (Some(flow), ExpressionKind::EnumValue(id, at)) = (flow, &value.kind) else {
                continue;
            };
            let from = known.iter().find(|it| it.local == local && it.field == *field);
            let Some(from) = from.filter(|from| !allows(flow, from.value, *at)) else { continue };
            let label = |at: usize| facts.model[*id].values[at].name.as_str();
            add(facts, findings, path, span, (flow, from), (label(from.value), label(*at)));
        }
    }
}

fn add(
    facts: &Facts<'_>,
    findings: &mut Findings,
    path: &str,
    span: Span,
    (flow, from): (&Flow, &Known),
    (before, after): (&str, &str),
) {
    let message = format!("a row that is `{before}` cannot become `{after}`");
    let mut finding = findings
        .at(span, message)
        .text(format!("sets `{after}`: refused every time"))
        .label(from.span, format!("only rows that are `{before}`"))
        .label(flow.span, format!("has no `{before} -> {after}`"));
    let view = facts.source.node(flow.span).and_then(ast::Flow::cast);
    let edit = view.and_then(|view| {
        let rule = view.rules().find(|rule| rule.from().is_some_and(|it| it.text() == before));
        match rule {
            Some(rule) => Some(edit::append(rule.node(), &format!(", {after}"))),
            None => edit::add_member(view.node(), &format!("{before} -> {after}")),
        }
    });
    let title = format!("write `{before} -> {after}` into the flow");
    finding = match edit {
        Some(edit) => finding.fix_all(title, vec![edit], syntax::Applicability::Unsafe),
        None => finding.help(title),
    };
    findings.add(path, finding);
}

fn allows(flow: &Flow, from: usize, to: usize) -> bool {
    flow.transitions.iter().any(|(state, targets)| *state == from && targets.contains(&to))
}

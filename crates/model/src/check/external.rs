//! Dependencies: `external`.

use syntax::ast::{self, ExternalMember, TypeExpr};
use syntax::{Diagnostic, Span};

use super::context::{Context, Style};
use super::entity::positive_duration;
use super::limit::{percent, positive};
use super::members::plain_fields;
use crate::{ExternalId, ExternalOperation, FieldId};

/// Declares the operations of externals and what they carry.
pub(crate) fn external_fields(cx: &mut Context<'_>) {
    for position in 0..cx.source.externals.len() {
        let (view, service) = cx.source.externals[position];
        let id = ExternalId(position as u32);
        for member in view.members() {
            let ExternalMember::Operation(operation) = member else { continue };
            let Some(name) = operation.name() else { continue };
            cx.case_style(name, Style::Snake);
            let known = &cx.model.externals[id.index()].operations;
            if let Some(first) = known.iter().find(|known| known.name == name.text()) {
                let first = first.span;
                cx.twice("the operation", name.text(), first, name.span());
                continue;
            }
            let parameters =
                plain_fields(cx, operation.fields(), service, name.text(), "a message");
            let answer = match operation.result() {
                Some(TypeExpr::Record(record)) => {
                    plain_fields(cx, record.fields(), service, name.text(), "an answer")
                }
                Some(TypeExpr::Named(named)) => named_answer(cx, named, service),
                Some(other) => {
                    cx.report(
                        Diagnostic::error(
                            "E0231",
                            other.span(),
                            "an external answers with a record",
                        )
                        .help("write `-> { id: String }`, or name a record"),
                    );
                    Vec::new()
                }
                None => Vec::new(),
            };
            path_fields(cx, operation, &parameters);
            cx.model.externals[id.index()].operations.push(ExternalOperation {
                name: name.text().to_owned(),
                span: name.span(),
                parameters,
                answer,
            });
        }
    }
}

/// `-> Receipt`: the fields of a record.
fn named_answer<'a>(
    cx: &mut Context<'a>,
    named: ast::NamedType<'a>,
    service: crate::ServiceId,
) -> Vec<FieldId> {
    let place = super::type_expr::Place { service, owner: "", member: "" };
    let ty = super::type_expr::resolve_now(cx, place, TypeExpr::Named(named));
    match ty {
        crate::Type::Record(id) => cx.model[id].fields.clone(),
        crate::Type::Unknown => Vec::new(),
        other => {
            let found = cx.type_text(&other);
            cx.report(
                Diagnostic::error(
                    "E0231",
                    named.span(),
                    format!("an external answers with a record, not with {found}"),
                )
                .help("write `-> { id: String }`, or name a record"),
            );
            Vec::new()
        }
    }
}

/// `{field}` in a path names something that is sent.
fn path_fields(
    cx: &mut Context<'_>,
    operation: ast::ExternalOperation<'_>,
    parameters: &[FieldId],
) {
    let Some(literal) = operation.path() else { return };
    let Some(text) = literal.string() else { return };
    if !text.starts_with('/') {
        cx.report(
            Diagnostic::error("E0601", literal.span(), "a path starts with `/`")
                .note("it is joined to the `url` of the external"),
        );
    }
    placeholders(cx, &text, literal.span(), parameters, "the operation");
}

/// Checks `{name}` in a text against what is there to fill it.
pub(crate) fn placeholders(
    cx: &mut Context<'_>,
    text: &str,
    span: Span,
    fields: &[FieldId],
    owner: &str,
) {
    let mut rest = text;
    while let Some(open) = rest.find('{') {
        let inner = &rest[open + 1..];
        let Some(close) = inner.find('}') else { return };
        let name = &inner[..close];
        rest = &inner[close + 1..];
        if fields.iter().any(|field| cx.model[*field].name == name) {
            continue;
        }
        let known: Vec<_> = fields.iter().map(|id| cx.model[*id].name.clone()).collect();
        let near = syntax::nearest(name, known.iter().map(|name| &**name)).map(str::to_owned);
        let mut diagnostic =
            Diagnostic::error("E0203", span, format!("{owner} has no field `{name}` to put here"));
        diagnostic = match near {
            Some(near) => diagnostic.help(format!("did you mean `{{{near}}}`?")),
            None => diagnostic.help(format!("it has {}", super::path::list(&known))),
        };
        cx.report(diagnostic);
    }
}

/// Checks the settings of externals.
pub(crate) fn externals(cx: &mut Context<'_>) {
    for (view, _) in cx.source.externals.clone() {
        settings(cx, view);
    }
}

fn settings(cx: &mut Context<'_>, view: ast::External<'_>) {
    let mut said: Vec<(&'static str, Span)> = Vec::new();
    for member in view.members() {
        let word = match member {
            ExternalMember::Url(_) => "url",
            ExternalMember::Bearer(_) => "bearer",
            ExternalMember::Timeout(_) => "timeout",
            ExternalMember::Retry(_) => "retry",
            ExternalMember::Breaker(_) => "breaker",
            ExternalMember::Bulkhead(_) => "bulkhead",
            ExternalMember::Slo(_) => "slo",
            ExternalMember::Operation(_) => continue,
        };
        if let Some((_, first)) = said.iter().find(|(known, _)| *known == word) {
            cx.said_twice(&format!("`{word}`"), *first, member.span());
            continue;
        }
        said.push((word, member.span()));
        match member {
            ExternalMember::Timeout(view) => {
                view.period().and_then(|period| positive_duration(cx, period));
            }
            ExternalMember::Retry(view) => retry(cx, view),
            ExternalMember::Breaker(view) => {
                view.share().and_then(|share| percent(cx, share));
                view.calls().and_then(|calls| positive(cx, calls));
                view.period().and_then(|period| positive_duration(cx, period));
            }
            ExternalMember::Bulkhead(view) => {
                view.calls().and_then(|calls| positive(cx, calls));
            }
            ExternalMember::Slo(view) => {
                view.objective().and_then(|share| percent(cx, share));
                view.under().and_then(|under| positive_duration(cx, under));
            }
            ExternalMember::Url(_) | ExternalMember::Bearer(_) | ExternalMember::Operation(_) => {}
        }
    }
    let Some(name) = view.name() else { return };
    for (word, example, why) in [
        ("url", "url env NAME", "nobody knows where to call"),
        ("timeout", "timeout 2s", "a call that never returns would hold what waits for it forever"),
    ] {
        if !said.iter().any(|(known, _)| *known == word) {
            cx.report(
                Diagnostic::error(
                    "E0603",
                    name.span(),
                    format!("`{}` has no `{word}`", name.text()),
                )
                .note(why)
                .help(format!("add `{example}`")),
            );
        }
    }
}

/// `retry 8 times from 200ms to 1m`
pub(crate) fn retry(cx: &mut Context<'_>, view: ast::Retry<'_>) {
    view.times().and_then(|times| positive(cx, times));
    let from = view.from().and_then(|from| positive_duration(cx, from));
    let to = view.to().and_then(|to| positive_duration(cx, to));
    if let (Some(from), Some(to), Some(literal)) = (from, to, view.to())
        && to < from
    {
        cx.report(
            Diagnostic::error(
                "E0601",
                literal.span(),
                "the longest pause is shorter than the first",
            )
            .help("turn the two round: pauses grow from the first to the longest"),
        );
    }
}

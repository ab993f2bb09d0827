//! Calls: functions of values, and folds over parts.

use operation::Aggregate;
use syntax::ast::{self, Expr, FunctionCall, Path};
use syntax::{Diagnostic, Span};

use super::context::Context;
use super::expression::{common, condition, infer, poison};
use super::scope::Scope;
use crate::{Bounds, EntityId, Expression, ExpressionKind, Function, Type};

/// A function as the language knows it: the one table that the checker and the reference read.
pub(crate) struct Signature {
    pub(crate) name: &'static str,
    pub(crate) form: &'static str,
    pub(crate) meaning: &'static str,
    pub(crate) kind: Kind,
}

/// What a function is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Fold(Aggregate),
    Plain(operation::Function),
    Coalesce,
}

/// All functions.
pub(crate) static FUNCTIONS: &[Signature] = &[
    fold(
        "count",
        "count(parts, condition)",
        "for how many parts the condition is true; without one, how many there are",
        Aggregate::Count,
    ),
    fold(
        "sum",
        "sum(parts, value)",
        "the sum over the parts; 0 when there are none",
        Aggregate::Sum,
    ),
    fold(
        "min",
        "min(parts, value)",
        "the least over the parts; absent when there are none",
        Aggregate::Min,
    ),
    fold(
        "max",
        "max(parts, value)",
        "the greatest over the parts; absent when there are none",
        Aggregate::Max,
    ),
    fold(
        "any",
        "any(parts, condition)",
        "whether the condition is true for some part",
        Aggregate::Any,
    ),
    fold(
        "all",
        "all(parts, condition)",
        "whether the condition is true for every part",
        Aggregate::All,
    ),
    plain("lower", "lower(text)", "in lower case", operation::Function::Lower),
    plain("upper", "upper(text)", "in upper case", operation::Function::Upper),
    plain("trim", "trim(text)", "without white space at both ends", operation::Function::Trim),
    plain(
        "length",
        "length(text)",
        "how many characters (code points) it has",
        operation::Function::Length,
    ),
    plain(
        "starts_with",
        "starts_with(text, prefix)",
        "whether it begins with the prefix",
        operation::Function::StartsWith,
    ),
    plain(
        "ends_with",
        "ends_with(text, suffix)",
        "whether it ends with the suffix",
        operation::Function::EndsWith,
    ),
    plain(
        "contains",
        "contains(text, part)",
        "whether the part is somewhere in it",
        operation::Function::Contains,
    ),
    plain("concat", "concat(text, text, …)", "the texts joined", operation::Function::Concat),
    plain("date", "date(moment)", "the day of a Timestamp, in UTC", operation::Function::DateOf),
    plain(
        "timestamp",
        "timestamp(day)",
        "the midnight with which a Date begins, in UTC",
        operation::Function::TimestampOf,
    ),
    Signature {
        name: "coalesce",
        form: "coalesce(value, value, …)",
        meaning: "the first that is not absent",
        kind: Kind::Coalesce,
    },
];

const fn fold(
    name: &'static str,
    form: &'static str,
    meaning: &'static str,
    aggregate: Aggregate,
) -> Signature {
    Signature { name, form, meaning, kind: Kind::Fold(aggregate) }
}

const fn plain(
    name: &'static str,
    form: &'static str,
    meaning: &'static str,
    function: operation::Function,
) -> Signature {
    Signature { name, form, meaning, kind: Kind::Plain(function) }
}

/// Types a call.
pub(crate) fn call<'a>(
    cx: &mut Context<'a>,
    scope: &mut Scope,
    view: FunctionCall<'a>,
    expected: Option<&Type>,
) -> Expression {
    let span = view.span();
    let Some(name) = view.name() else { return poison(span) };
    let Some(signature) = FUNCTIONS.iter().find(|known| known.name == name.text()) else {
        let message = format!("there is no function `{}`", name.text());
        let known = FUNCTIONS.iter().map(|known| known.name);
        cx.unknown("E0227", name.span(), message, name.text(), known);
        return poison(span);
    };
    match signature.kind {
        Kind::Fold(aggregate) => aggregated(cx, scope, view, signature, aggregate),
        Kind::Plain(function) => plain_call(cx, scope, view, signature, function),
        Kind::Coalesce => coalesce(cx, scope, view, signature, expected),
    }
}

fn wrong_count(cx: &mut Context<'_>, span: Span, signature: &Signature) {
    let message = format!("`{}` is given the wrong number of values", signature.name);
    cx.report(
        Diagnostic::error("E0226", span, message).help(format!("write `{}`", signature.form)),
    );
}

fn plain_call<'a>(
    cx: &mut Context<'a>,
    scope: &mut Scope,
    view: FunctionCall<'a>,
    signature: &Signature,
    function: operation::Function,
) -> Expression {
    use operation::Function as F;
    let span = view.span();
    let text = Type::String(Bounds::OPEN);
    let (wanted, count, result): (Type, _, Type) = match function {
        F::Lower | F::Upper | F::Trim => (text.clone(), 1..=1, text),
        F::Length => (text, 1..=1, Type::Int(Bounds::OPEN)),
        F::StartsWith | F::EndsWith | F::Contains => (text, 2..=2, Type::Bool),
        F::Concat => (text.clone(), 2..=usize::MAX, text),
        F::DateOf => (Type::Timestamp, 1..=1, Type::Date),
        F::TimestampOf => (Type::Date, 1..=1, Type::Timestamp),
        // The language has no names for these.
        F::Bytes | F::Items | F::Matches => (text, 0..=0, Type::Bool),
    };
    let views: Vec<Expr<'a>> = view.arguments().collect();
    if !count.contains(&views.len()) {
        wrong_count(cx, span, signature);
        return poison(span);
    }
    let mut arguments = Vec::with_capacity(views.len());
    let mut poisoned = false;
    for view in views {
        let typed = infer(cx, scope, view, Some(&wanted));
        if typed.ty == Type::Unknown {
            poisoned = true;
        } else if !super::expression::assignable(&typed.ty, &wanted) {
            let (found, name) = (cx.type_text(&typed.ty), signature.name);
            let needed = cx.type_text(&wanted);
            cx.report(
                Diagnostic::error(
                    "E0220",
                    typed.span,
                    format!("`{name}` takes {needed}, and this is of type {found}"),
                )
                .text(format!("of type {found}"))
                .help(format!("write `{}`", signature.form)),
            );
            poisoned = true;
        }
        arguments.push(typed);
    }
    if poisoned {
        return Expression { ty: result, ..poison(span) };
    }
    let optional = arguments.iter().any(|argument| argument.optional);
    let kind = ExpressionKind::Call(Function::Plain(function), arguments);
    Expression { kind, ty: result, optional, span }
}

fn coalesce<'a>(
    cx: &mut Context<'a>,
    scope: &mut Scope,
    view: FunctionCall<'a>,
    signature: &Signature,
    expected: Option<&Type>,
) -> Expression {
    let span = view.span();
    let views: Vec<Expr<'a>> = view.arguments().collect();
    if views.len() < 2 {
        wrong_count(cx, span, signature);
        return poison(span);
    }
    let mut wanted = expected.cloned();
    let mut arguments = Vec::with_capacity(views.len());
    for view in views {
        let typed = infer(cx, scope, view, wanted.as_ref());
        if wanted.is_none() && typed.ty != Type::Unknown {
            wanted = Some(typed.ty.clone());
        }
        arguments.push(typed);
    }
    let all: Vec<&Expression> = arguments.iter().collect();
    let Some(ty) = common(cx, &all) else { return poison(span) };
    let optional = arguments.iter().all(|argument| argument.optional);
    Expression { kind: ExpressionKind::Call(Function::Coalesce, arguments), ty, optional, span }
}

/// The parts a fold runs over.
enum Parts {
    /// Of a row in scope.
    Row { part: EntityId, depth: usize },
    /// Of a row that something else stands for.
    Of { part: EntityId, root: Expression },
}

fn aggregated<'a>(
    cx: &mut Context<'a>,
    scope: &mut Scope,
    view: FunctionCall<'a>,
    signature: &Signature,
    aggregate: Aggregate,
) -> Expression {
    let span = view.span();
    let views: Vec<Expr<'a>> = view.arguments().collect();
    let (parts, body) = match views.as_slice() {
        [parts] if aggregate == Aggregate::Count => (*parts, None),
        [parts, body] => (*parts, Some(*body)),
        _ => {
            wrong_count(cx, span, signature);
            return poison(span);
        }
    };
    let Some(parts) = parts_of(cx, scope, parts) else { return poison(span) };
    let part = match &parts {
        Parts::Row { part, .. } | Parts::Of { part, .. } => *part,
    };
    let body = body.map(|body| {
        let pushed = scope.rows.len();
        if let (Parts::Of { .. }, Some(part_of)) = (&parts, cx.model.part_of(part)) {
            scope.rows.push(part_of.root);
        }
        scope.rows.push(part);
        let typed = match aggregate {
            Aggregate::Count | Aggregate::Any | Aggregate::All => condition(cx, scope, body),
            Aggregate::Sum | Aggregate::Min | Aggregate::Max => infer(cx, scope, body, None),
        };
        scope.rows.truncate(pushed);
        typed
    });
    let Some((ty, optional)) = folded(cx, aggregate, body.as_ref(), span) else {
        return poison(span);
    };
    let body = body.map(Box::new);
    let kind = match parts {
        Parts::Row { part, depth } => ExpressionKind::Aggregate { aggregate, part, depth, body },
        Parts::Of { part, root } => {
            ExpressionKind::AggregateOf { aggregate, part, root: Box::new(root), body }
        }
    };
    Expression { kind, ty, optional, span }
}

/// The type a fold answers with.
fn folded(
    cx: &mut Context<'_>,
    aggregate: Aggregate,
    body: Option<&Expression>,
    span: Span,
) -> Option<(Type, bool)> {
    let body = match (aggregate, body) {
        (Aggregate::Count, _) => return Some((Type::Int(Bounds::OPEN), false)),
        (Aggregate::Any | Aggregate::All, _) => return Some((Type::Bool, false)),
        (_, None) => return None,
        (_, Some(body)) => body,
    };
    if body.ty == Type::Unknown {
        return None;
    }
    let summed = match &body.ty {
        Type::Int(_) => Some(Type::Int(Bounds::OPEN)),
        Type::Float(_) => Some(Type::Float(Bounds::OPEN)),
        Type::Decimal { scale, .. } => Some(Type::Decimal { precision: 18, scale: *scale }),
        Type::Money(_) | Type::Duration => Some(body.ty.clone()),
        _ => None,
    };
    let ordered = summed.clone().or_else(|| match &body.ty {
        Type::String(_) | Type::Email | Type::Url | Type::Date | Type::Time | Type::Timestamp => {
            Some(body.ty.clone())
        }
        _ => None,
    });
    let ty = if aggregate == Aggregate::Sum { summed } else { ordered };
    if ty.is_none() {
        let found = cx.type_text(&body.ty);
        let verb = if aggregate == Aggregate::Sum { "added up" } else { "ordered" };
        cx.report(
            Diagnostic::error(
                "E0220",
                body.span,
                format!("values of type {found} cannot be {verb}"),
            )
            .text(format!("of type {found}"))
            .label(span, "folded here"),
        );
    }
    ty.map(|ty| (ty, aggregate != Aggregate::Sum))
}

/// What the first argument of a fold names.
fn parts_of<'a>(cx: &mut Context<'a>, scope: &mut Scope, view: Expr<'a>) -> Option<Parts> {
    let Expr::Path(path) = view.without_parens() else {
        cx.report(
            Diagnostic::error("E0234", view.span(), "a fold runs over the parts of a row")
                .help("name the parts: `sum(lines, .price)`"),
        );
        return None;
    };
    let segments: Vec<ast::Name<'a>> = path.segments().collect();
    let (last, before) = segments.split_last()?;
    let known = before.is_empty()
        && !path.is_row()
        && (scope.local(last.text()).is_some() || scope.parameter(last.text()).is_some());
    if before.is_empty() && !known {
        let found = scope.rows.iter().rev().enumerate().find_map(|(depth, row)| {
            cx.model.part_named(*row, last.text()).map(|part| Parts::Row { part, depth })
        });
        match &found {
            Some(Parts::Row { part, .. } | Parts::Of { part, .. }) => cx.used_part(*last, *part),
            None => no_parts(cx, scope.rows.last().copied(), *last),
        }
        return found;
    }
    if known {
        let message = format!("`{}` has no parts of its own to fold", last.text());
        cx.report(
            Diagnostic::error("E0234", last.span(), message)
                .note("folds run over the parts of a stored row")
                .help("name the row and its parts: `order.lines`"),
        );
        return None;
    }
    if !scope.place.is_body() {
        let message = format!("`{}` are the parts of another row", path.node().text());
        cx.report(
            Diagnostic::error("E0306", path.span(), message)
                .note("outside of commands a fold runs over the parts of its own row")
                .help("compute the fold in the other entity (`total: … := sum(…)`), and read that field"),
        );
        return None;
    }
    let root = root_row(cx, scope, path, before)?;
    let Type::Entity(entity) = root.ty else {
        if root.ty != Type::Unknown {
            let found = cx.type_text(&root.ty);
            cx.report(Diagnostic::error(
                "E0234",
                root.span,
                format!("only a row has parts, and this is of type {found}"),
            ));
        }
        return None;
    };
    match cx.model.part_named(entity, last.text()) {
        Some(part) => {
            cx.used_part(*last, part);
            Some(Parts::Of { part, root })
        }
        None => {
            no_parts(cx, Some(entity), *last);
            None
        }
    }
}

/// The row before the last word of a path.
pub(crate) fn root_row<'a>(
    cx: &mut Context<'a>,
    scope: &Scope,
    path: Path<'a>,
    before: &[ast::Name<'a>],
) -> Option<Expression> {
    let (first, last) = (before.first()?, before.last()?);
    let span = first.span().to(last.span());
    Some(super::path::along(cx, scope, path.is_row(), span, before))
}

fn no_parts(cx: &mut Context<'_>, row: Option<EntityId>, name: ast::Name<'_>) {
    let Some(row) = row else {
        cx.report(
            Diagnostic::error(
                "E0234",
                name.span(),
                format!("there is no row here that could have `{}`", name.text()),
            )
            .help("name the row and its parts: `order.lines`"),
        );
        return;
    };
    let owner = cx.model[row].name.clone();
    let known: Vec<String> = cx.model[row]
        .parts
        .iter()
        .filter_map(|part| cx.model.part_of(*part).map(|part| part.name.clone()))
        .collect();
    let message = format!("`{owner}` has no parts called `{}`", name.text());
    cx.unknown("E0203", name.span(), message, name.text(), known.iter().map(String::as_str));
}

//! Expressions, typed by what they hold and by what is expected of them.

use operation::{Arithmetic, Comparison, Value};
use syntax::ast::{self, BinaryOperator as Operator, Expr, LiteralValue, UnaryOperator};
use syntax::{Diagnostic, Span};

use super::context::Context;
use super::scope::Scope;
use super::{function, literal, path};
use crate::{BinaryOperator, Bounds, Expression, ExpressionKind, Type};

/// What a fault leaves behind.
pub(crate) fn poison(span: Span) -> Expression {
    Expression { kind: ExpressionKind::Unknown, ty: Type::Unknown, optional: false, span }
}

/// Types an expression. `expected` is what the place wants: literals and labels take its type, everything else
/// keeps its own.
pub(crate) fn infer<'a>(
    cx: &mut Context<'a>,
    scope: &mut Scope,
    view: Expr<'a>,
    expected: Option<&Type>,
) -> Expression {
    match view {
        Expr::Literal(view) => literal::literal(cx, scope, view, expected, false),
        Expr::Path(view) => path::path(cx, scope, view, expected),
        Expr::Paren(view) => match view.inner() {
            Some(inner) => infer(cx, scope, inner, expected),
            None => poison(view.span()),
        },
        Expr::Unary(view) => unary(cx, scope, view, expected),
        Expr::Binary(view) => binary(cx, scope, view, expected),
        Expr::Call(view) => function::call(cx, scope, view, expected),
        Expr::List(view) => {
            cx.report(
                Diagnostic::error("E0234", view.span(), "a list of values stands only behind `in`")
                    .help("write `.field in (a, b)`"),
            );
            poison(view.span())
        }
        Expr::If(view) => conditional(cx, scope, view, expected),
    }
}

/// Types a condition: it must be a Bool.
pub(crate) fn condition<'a>(cx: &mut Context<'a>, scope: &mut Scope, view: Expr<'a>) -> Expression {
    let typed = infer(cx, scope, view, Some(&Type::Bool));
    boolean(cx, &typed);
    typed
}

fn boolean(cx: &mut Context<'_>, typed: &Expression) {
    if !matches!(typed.ty, Type::Bool | Type::Unknown) {
        let ty = cx.type_text(&typed.ty);
        cx.report(
            Diagnostic::error(
                "E0220",
                typed.span,
                format!("a condition is needed here, and this is of type {ty}"),
            )
            .text(format!("of type {ty}, not Bool"))
            .help("compare it with something"),
        );
    }
}

/// What a value is for, as a message names it.
#[derive(Clone, Copy)]
pub(crate) enum What<'a> {
    /// A field or a parameter.
    Named(&'a str),
    /// The answer of a command.
    Answer,
    /// How long something waits.
    Delay,
}

impl std::fmt::Display for What<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Named(name) => write!(formatter, "`{name}`"),
            Self::Answer => formatter.write_str("the answer"),
            Self::Delay => formatter.write_str("the delay"),
        }
    }
}

/// Types an expression that is to become a value of `target`: its type, whether it may be absent, and (of a
/// constant) its bounds are checked.
pub(crate) fn assigned<'a>(
    cx: &mut Context<'a>,
    scope: &mut Scope,
    view: Expr<'a>,
    target: &Type,
    optional: bool,
    what: What<'_>,
) -> Expression {
    let typed = infer(cx, scope, view, Some(target));
    fits(cx, typed, target, optional, what)
}

/// Checks that a typed expression may become a value of `target`.
pub(crate) fn fits(
    cx: &mut Context<'_>,
    typed: Expression,
    target: &Type,
    optional: bool,
    what: What<'_>,
) -> Expression {
    if matches!(typed.kind, ExpressionKind::Null) && !optional && *target != Type::Unknown {
        cx.report(
            Diagnostic::error("E0225", typed.span, format!("{what} must have a value"))
                .text("nothing is given here")
                .help("give it a value, or make it optional: `?` behind its type"),
        );
        return poison(typed.span);
    }
    if typed.ty == Type::Unknown || *target == Type::Unknown {
        return typed;
    }
    if !assignable(&typed.ty, target) {
        mismatch(cx, &typed, target, what);
        return poison(typed.span);
    }
    if typed.optional && !optional {
        cx.report(
            Diagnostic::error(
                "E0225",
                typed.span,
                format!("{what} must have a value, and this may be absent"),
            )
            .text("may be absent")
            .help("say what it is then: `coalesce(…, …)`, or make the target optional"),
        );
        return typed;
    }
    literal::within_bounds(cx, &typed, target);
    typed
}

fn mismatch(cx: &mut Context<'_>, typed: &Expression, target: &Type, what: What<'_>) {
    let (found, wanted) = (cx.type_text(&typed.ty), cx.type_text(target));
    let mut diagnostic = Diagnostic::error(
        "E0220",
        typed.span,
        format!("{what} is of type {wanted}, and this is of type {found}"),
    )
    .text(format!("of type {found}"));
    diagnostic = match (&typed.ty, target) {
        (Type::Entity(entity), key) if *key == cx.model[cx.model[*entity].key].ty => {
            let key = cx.model[cx.model[*entity].key].name.clone();
            diagnostic.help(format!("take its key: `.{key}` behind it"))
        }
        (Type::Timestamp, Type::Date) => diagnostic.help("take its day: `date(…)`").fix_all(
            "take its day with `date(…)`",
            vec![
                syntax::Edit { span: typed.span.before(), replacement: "date(".to_owned() },
                syntax::Edit { span: typed.span.after(), replacement: ")".to_owned() },
            ],
            syntax::Applicability::Unsafe,
        ),
        (Type::Float(_), Type::Decimal { .. } | Type::Money(_)) => {
            diagnostic.note("a binary fraction is not exact, and this must be")
        }
        (Type::Decimal { .. } | Type::Int(_), Type::Money(currency)) => diagnostic
            .note(format!("a number alone does not say that it is in {}", currency.as_str())),
        _ => diagnostic,
    };
    cx.report(diagnostic);
}

/// Whether a value of one type is a value of another, its bounds aside.
pub(crate) fn assignable(from: &Type, to: &Type) -> bool {
    match (from, to) {
        (Type::Unknown, _) | (_, Type::Unknown) => true,
        (Type::Int(_), Type::Int(_) | Type::Decimal { .. } | Type::Float(_)) => true,
        (Type::Float(_), Type::Float(_)) => true,
        (Type::Decimal { .. }, Type::Decimal { .. }) => true,
        (Type::String(_) | Type::Email | Type::Url, Type::String(_)) => true,
        (Type::Json(_), Type::Json(_)) | (Type::Bytes(_), Type::Bytes(_)) => true,
        (Type::List(a, _), Type::List(b, _)) => assignable(a, b),
        (a, b) => a == b,
    }
}

fn is_text(ty: &Type) -> bool {
    matches!(ty, Type::String(_) | Type::Email | Type::Url)
}

fn is_number(ty: &Type) -> bool {
    matches!(ty, Type::Int(_) | Type::Float(_) | Type::Decimal { .. })
}

fn unary<'a>(
    cx: &mut Context<'a>,
    scope: &mut Scope,
    view: ast::Unary<'a>,
    expected: Option<&Type>,
) -> Expression {
    let span = view.span();
    let Some(operand) = view.operand() else { return poison(span) };
    match view.operator() {
        UnaryOperator::Not => {
            let inner = condition(cx, scope, operand);
            Expression {
                optional: inner.optional,
                kind: ExpressionKind::Not(Box::new(inner)),
                ty: Type::Bool,
                span,
            }
        }
        UnaryOperator::Negate => {
            if let Expr::Literal(number) = operand.without_parens() {
                let mut typed = literal::literal(cx, scope, number, expected, true);
                typed.span = span;
                return typed;
            }
            let inner = infer(cx, scope, operand, expected);
            match inner.ty {
                Type::Unknown => return poison(span),
                Type::Int(_)
                | Type::Float(_)
                | Type::Decimal { .. }
                | Type::Money(_)
                | Type::Duration => {}
                _ => {
                    let ty = cx.type_text(&inner.ty);
                    cx.report(
                        Diagnostic::error(
                            "E0221",
                            span,
                            format!("`-` needs a number, and this is of type {ty}"),
                        )
                        .text(format!("of type {ty}")),
                    );
                    return poison(span);
                }
            }
            let ty = unbounded(&inner.ty);
            Expression {
                optional: inner.optional,
                ty,
                kind: ExpressionKind::Negate(Box::new(inner)),
                span,
            }
        }
    }
}

/// The type without its bounds: what arithmetic makes of it.
fn unbounded(ty: &Type) -> Type {
    match ty {
        Type::Int(_) => Type::Int(Bounds::OPEN),
        Type::Float(_) => Type::Float(Bounds::OPEN),
        Type::Decimal { scale, .. } => Type::Decimal { precision: 18, scale: *scale },
        other => other.clone(),
    }
}

fn binary<'a>(
    cx: &mut Context<'a>,
    scope: &mut Scope,
    view: ast::Binary<'a>,
    expected: Option<&Type>,
) -> Expression {
    let (Some(operator), Some(left), Some(right)) = (view.operator(), view.left(), view.right())
    else {
        return poison(view.span());
    };
    let span = view.span();
    match operator {
        Operator::And | Operator::Or => {
            let mut terms = Vec::new();
            terms_of(cx, scope, operator, Expr::Binary(view), &mut terms);
            let optional = terms.iter().any(|term| term.optional);
            let kind = if operator == Operator::And {
                ExpressionKind::And(terms)
            } else {
                ExpressionKind::Or(terms)
            };
            Expression { kind, ty: Type::Bool, optional, span }
        }
        Operator::In => membership(cx, scope, span, left, right),
        Operator::Add => arithmetic(cx, scope, view, Arithmetic::Add, (left, right), expected),
        Operator::Subtract => {
            arithmetic(cx, scope, view, Arithmetic::Subtract, (left, right), expected)
        }
        Operator::Multiply => {
            arithmetic(cx, scope, view, Arithmetic::Multiply, (left, right), None)
        }
        Operator::Divide => arithmetic(cx, scope, view, Arithmetic::Divide, (left, right), None),
        Operator::Equal => compare(cx, scope, view, Comparison::Equal, (left, right)),
        Operator::NotEqual => compare(cx, scope, view, Comparison::NotEqual, (left, right)),
        Operator::Less => compare(cx, scope, view, Comparison::Less, (left, right)),
        Operator::LessEqual => compare(cx, scope, view, Comparison::LessOrEqual, (left, right)),
        Operator::Greater => compare(cx, scope, view, Comparison::Greater, (left, right)),
        Operator::GreaterEqual => {
            compare(cx, scope, view, Comparison::GreaterOrEqual, (left, right))
        }
    }
}

/// The terms of a chain of one operator, flat.
fn terms_of<'a>(
    cx: &mut Context<'a>,
    scope: &mut Scope,
    operator: Operator,
    view: Expr<'a>,
    terms: &mut Vec<Expression>,
) {
    if let Expr::Binary(inner) = view.without_parens()
        && inner.operator() == Some(operator)
    {
        if let Some(left) = inner.left() {
            terms_of(cx, scope, operator, left, terms);
        }
        if let Some(right) = inner.right() {
            terms_of(cx, scope, operator, right, terms);
        }
        return;
    }
    terms.push(condition(cx, scope, view));
}

/// Whether an expression takes its type from the other side: a literal, or a name that is nothing in scope and so
/// may be a label.
fn is_adaptive(scope: &Scope, view: Expr<'_>) -> bool {
    match view.without_parens() {
        Expr::Literal(literal) => !matches!(literal.value(), Some(LiteralValue::Now)),
        Expr::Unary(view) => {
            view.operator() == UnaryOperator::Negate
                && view.operand().is_some_and(|inner| is_adaptive(scope, inner))
        }
        Expr::Path(view) => view.single().is_some_and(|name| {
            scope.local(name.text()).is_none()
                && scope.parameter(name.text()).is_none()
                && name.text() != "caller"
        }),
        _ => false,
    }
}

/// Types two sides, the one that knows its type first.
fn both<'a>(
    cx: &mut Context<'a>,
    scope: &mut Scope,
    (left, right): (Expr<'a>, Expr<'a>),
    expected: Option<&Type>,
) -> (Expression, Expression) {
    if is_adaptive(scope, left) && !is_adaptive(scope, right) {
        let right = infer(cx, scope, right, expected);
        let left = infer(cx, scope, left, Some(&right.ty));
        (left, right)
    } else {
        let left = infer(cx, scope, left, expected);
        let right = infer(cx, scope, right, Some(&left.ty));
        (left, right)
    }
}

fn compare<'a>(
    cx: &mut Context<'a>,
    scope: &mut Scope,
    view: ast::Binary<'a>,
    comparison: Comparison,
    sides: (Expr<'a>, Expr<'a>),
) -> Expression {
    let span = view.span();
    scope.comparisons += 1;
    let (left, right) = both(cx, scope, sides, None);
    scope.comparisons -= 1;
    let result = |left: Expression, right: Expression, optional: bool| Expression {
        kind: ExpressionKind::Binary(
            BinaryOperator::Compare(comparison),
            Box::new(left),
            Box::new(right),
        ),
        ty: Type::Bool,
        optional,
        span,
    };
    let left_null = matches!(left.kind, ExpressionKind::Null);
    let right_null = matches!(right.kind, ExpressionKind::Null);
    if left_null || right_null {
        null_comparison(cx, view, comparison, if left_null { &right } else { &left });
        return result(left, right, false);
    }
    if left.ty == Type::Unknown || right.ty == Type::Unknown {
        return Expression { ty: Type::Bool, ..poison(span) };
    }
    if !comparable(&left.ty, &right.ty) {
        incomparable(cx, &left, &right, span);
        return Expression { ty: Type::Bool, ..poison(span) };
    }
    let is_equality = matches!(comparison, Comparison::Equal | Comparison::NotEqual);
    let unordered =
        matches!(left.ty, Type::Bool | Type::Enum(_) | Type::Entity(_) | Type::Bytes(_));
    if unordered && !is_equality {
        let ty = cx.type_text(&left.ty);
        let operator = view.operator_span().unwrap_or(span);
        cx.report(
            Diagnostic::error("E0221", operator, format!("values of type {ty} have no order"))
                .label(left.span, format!("of type {ty}"))
                .help("compare them with `==`, `!=` or `in`"),
        );
        return Expression { ty: Type::Bool, ..poison(span) };
    }
    let optional = left.optional || right.optional;
    result(left, right, optional)
}

fn null_comparison(
    cx: &mut Context<'_>,
    view: ast::Binary<'_>,
    comparison: Comparison,
    other: &Expression,
) {
    let operator = view.operator_span().unwrap_or(view.span());
    if !matches!(comparison, Comparison::Equal | Comparison::NotEqual) {
        cx.report(
            Diagnostic::error("E0223", operator, "nothing is smaller or greater than `null`")
                .note("`null` is the absence of a value: one can only ask whether it is absent")
                .help("write `== null` or `!= null`"),
        );
    } else if !other.optional
        && !matches!(other.kind, ExpressionKind::Null | ExpressionKind::Unknown)
    {
        let always = if comparison == Comparison::Equal { "never" } else { "always" };
        cx.report(
            Diagnostic::warning(
                "W0201",
                view.span(),
                format!("this is {always} true: the value is never absent"),
            )
            .label(other.span, "always has a value")
            .help("remove the comparison, or make the value optional"),
        );
    }
}

fn comparable(left: &Type, right: &Type) -> bool {
    match (left, right) {
        (a, b) if is_number(a) && is_number(b) => true,
        (a, b) if is_text(a) && is_text(b) => true,
        (Type::Bytes(_), Type::Bytes(_)) => true,
        (Type::Json(_) | Type::Record(_) | Type::List(..), _) => false,
        (a, b) => a == b,
    }
}

fn incomparable(cx: &mut Context<'_>, left: &Expression, right: &Expression, span: Span) {
    let (mut a, mut b) = (cx.type_text(&left.ty), cx.type_text(&right.ty));
    if let (Type::Entity(x), Type::Entity(y)) = (&left.ty, &right.ty)
        && a == b
    {
        // Two services may have an entity of one name.
        (a, b) = (qualified(cx, *x), qualified(cx, *y));
    }
    let message = if a == b {
        format!("values of type {a} cannot be compared")
    } else {
        format!("{a} and {b} cannot be compared")
    };
    let mut diagnostic = Diagnostic::error("E0222", span, message)
        .label(left.span, format!("of type {a}"))
        .label(right.span, format!("of type {b}"));
    diagnostic = match (&left.ty, &right.ty) {
        (Type::Enum(_), Type::Enum(_)) => diagnostic
            .note("two enums are two sets: a value of one is never a value of the other")
            .help("declare one `enum Name { … }` and use it in both places"),
        (Type::Money(_), Type::Money(_)) => diagnostic
            .note("what one currency is worth in another changes: convert before you compare"),
        (Type::Entity(entity), other) | (other, Type::Entity(entity)) => {
            let key = &cx.model[cx.model[*entity].key];
            if key.ty == *other || comparable(&key.ty, other) {
                diagnostic.help(format!("compare keys with keys: `.{}` behind the reference, or the reference on both sides", key.name))
            } else {
                diagnostic
            }
        }
        (Type::Date, Type::Timestamp) | (Type::Timestamp, Type::Date) => {
            diagnostic.help("turn one into the other: `date(moment)` or `timestamp(day)`")
        }
        (Type::Json(_) | Type::Record(_) | Type::List(..), _) => {
            diagnostic.help("ask only whether it is absent: `== null`")
        }
        _ => diagnostic,
    };
    cx.report(diagnostic);
}

/// An entity with the service it belongs to.
fn qualified(cx: &Context<'_>, entity: crate::EntityId) -> String {
    let service = &cx.model.services[cx.model[entity].service.index()].name;
    let name = &cx.model[entity].name;
    if service.is_empty() { name.clone() } else { format!("{service}.{name}") }
}

fn membership<'a>(
    cx: &mut Context<'a>,
    scope: &mut Scope,
    span: Span,
    left: Expr<'a>,
    right: Expr<'a>,
) -> Expression {
    scope.comparisons += 1;
    let left = infer(cx, scope, left, None);
    let elements: Vec<Expr<'a>> = match right {
        Expr::List(list) => list.elements().collect(),
        Expr::Paren(paren) => paren.inner().into_iter().collect(),
        other => {
            cx.report(
                Diagnostic::error(
                    "E0221",
                    other.span(),
                    "behind `in` stands a list that is written out",
                )
                .help("write the values in parentheses: `.status in (paid, shipped)`"),
            );
            scope.comparisons -= 1;
            return Expression { ty: Type::Bool, ..poison(span) };
        }
    };
    let mut typed = Vec::with_capacity(elements.len());
    let mut poisoned = left.ty == Type::Unknown;
    for element in elements {
        let element = infer(cx, scope, element, Some(&left.ty));
        if matches!(element.kind, ExpressionKind::Null) {
            cx.report(
                Diagnostic::error("E0223", element.span, "`null` is in no list")
                    .help("ask for it by itself: `or … == null`"),
            );
            poisoned = true;
        } else if element.ty == Type::Unknown || left.ty == Type::Unknown {
            poisoned = true;
        } else if !comparable(&left.ty, &element.ty) {
            incomparable(cx, &left, &element, element.span);
            poisoned = true;
        }
        typed.push(element);
    }
    scope.comparisons -= 1;
    if typed.is_empty() {
        cx.report(
            Diagnostic::error("E0221", span, "nothing is in an empty list")
                .help("name the values, or remove the comparison"),
        );
        poisoned = true;
    }
    if poisoned {
        return Expression { ty: Type::Bool, ..poison(span) };
    }
    let optional = left.optional || typed.iter().any(|element| element.optional);
    Expression { kind: ExpressionKind::In(Box::new(left), typed), ty: Type::Bool, optional, span }
}

fn arithmetic<'a>(
    cx: &mut Context<'a>,
    scope: &mut Scope,
    view: ast::Binary<'a>,
    operation: Arithmetic,
    sides: (Expr<'a>, Expr<'a>),
    expected: Option<&Type>,
) -> Expression {
    let span = view.span();
    let is_sum = matches!(operation, Arithmetic::Add | Arithmetic::Subtract);
    let (left, right) = if is_sum {
        // A literal takes the other side's type; a duration beside a moment must not.
        both_summed(cx, scope, sides, expected)
    } else {
        (infer(cx, scope, sides.0, None), infer(cx, scope, sides.1, None))
    };
    for side in [&left, &right] {
        if matches!(side.kind, ExpressionKind::Null) {
            cx.report(
                Diagnostic::error("E0223", side.span, "`null` is no number")
                    .help("leave it out: what is computed with an absent value is absent"),
            );
            return poison(span);
        }
    }
    if left.ty == Type::Unknown || right.ty == Type::Unknown {
        return poison(span);
    }
    let Some(ty) = outcome(operation, &left.ty, &right.ty) else {
        no_arithmetic(cx, view, operation, &left, &right);
        return poison(span);
    };
    let optional = left.optional || right.optional;
    let kind = ExpressionKind::Binary(
        BinaryOperator::Arithmetic(operation),
        Box::new(left),
        Box::new(right),
    );
    Expression { kind, ty, optional, span }
}

fn both_summed<'a>(
    cx: &mut Context<'a>,
    scope: &mut Scope,
    (left, right): (Expr<'a>, Expr<'a>),
    expected: Option<&Type>,
) -> (Expression, Expression) {
    let numeric = |ty: &Type| is_number(ty) || matches!(ty, Type::Money(_));
    let expected = expected.filter(|ty| numeric(ty));
    if is_adaptive(scope, left) && !is_adaptive(scope, right) {
        let right = infer(cx, scope, right, expected);
        let wanted = Some(&right.ty).filter(|ty| numeric(ty) || **ty == Type::Unknown);
        let left = infer(cx, scope, left, wanted);
        (left, right)
    } else {
        let left = infer(cx, scope, left, expected);
        let wanted = Some(&left.ty).filter(|ty| numeric(ty) || **ty == Type::Unknown);
        let right = infer(cx, scope, right, wanted);
        (left, right)
    }
}

/// The type of `left operation right`; `None` where it means nothing. The rules are at [`crate::check`].
fn outcome(operation: Arithmetic, left: &Type, right: &Type) -> Option<Type> {
    use Arithmetic::{Add, Divide, Multiply, Subtract};
    let decimal = |scale: u8| Type::Decimal { precision: 18, scale };
    let is_sum = matches!(operation, Add | Subtract);
    Some(match (left, right) {
        (Type::Int(_), Type::Int(_)) => Type::Int(Bounds::OPEN),
        (Type::Float(_), b) if is_number(b) => Type::Float(Bounds::OPEN),
        (a, Type::Float(_)) if is_number(a) => Type::Float(Bounds::OPEN),
        (a, b) if is_number(a) && is_number(b) => {
            let (a, b) = (scale_of(a), scale_of(b));
            match operation {
                Add | Subtract => decimal(a.max(b)),
                Multiply => decimal((a + b).min(18)),
                Divide => decimal(a.max(b).max(6)),
            }
        }
        (Type::Money(a), Type::Money(b)) if a == b => match operation {
            Add | Subtract => Type::Money(*a),
            Divide => decimal(6),
            Multiply => return None,
        },
        (Type::Money(a), Type::Int(_) | Type::Decimal { .. }) if !is_sum => Type::Money(*a),
        (Type::Int(_) | Type::Decimal { .. }, Type::Money(a)) if operation == Multiply => {
            Type::Money(*a)
        }
        (Type::Timestamp, Type::Duration) if is_sum => Type::Timestamp,
        (Type::Duration, Type::Timestamp) if operation == Add => Type::Timestamp,
        (Type::Timestamp, Type::Timestamp) if operation == Subtract => Type::Duration,
        (Type::Duration, Type::Duration) if is_sum => Type::Duration,
        (Type::Duration, Type::Int(_)) if !is_sum => Type::Duration,
        (Type::Int(_), Type::Duration) if operation == Multiply => Type::Duration,
        _ => return None,
    })
}

fn scale_of(ty: &Type) -> u8 {
    match ty {
        Type::Decimal { scale, .. } => *scale,
        _ => 0,
    }
}

fn no_arithmetic(
    cx: &mut Context<'_>,
    view: ast::Binary<'_>,
    operation: Arithmetic,
    left: &Expression,
    right: &Expression,
) {
    let (a, b) = (cx.type_text(&left.ty), cx.type_text(&right.ty));
    let operator = view.operator().map_or("", Operator::text);
    let mut diagnostic = Diagnostic::error(
        "E0221",
        view.operator_span().unwrap_or(view.span()),
        format!("`{operator}` does not work between {a} and {b}"),
    )
    .label(left.span, format!("of type {a}"))
    .label(right.span, format!("of type {b}"));
    diagnostic = match (&left.ty, &right.ty) {
        (x, y) if is_text(x) && is_text(y) && operation == Arithmetic::Add => {
            diagnostic.help("join texts with `concat(a, b)`")
        }
        (Type::Date, _) | (_, Type::Date) => diagnostic
            .help("count with moments, and take the day at the end: `date(timestamp(.day) + 30d)`"),
        (Type::Money(x), Type::Money(y)) if x != y => {
            diagnostic.note("two currencies have no common sum: convert one of them first")
        }
        (Type::Money(_), Type::Money(_)) => {
            diagnostic.note("money times money is no amount of anything")
        }
        (Type::Money(_), Type::Float(_)) | (Type::Float(_), Type::Money(_)) => diagnostic
            .note("a binary fraction is not exact, and money must be")
            .help("use a Decimal for the factor"),
        (Type::Money(_), _) | (_, Type::Money(_)) => {
            diagnostic.note("a number alone does not say in which currency it is")
        }
        _ => diagnostic,
    };
    cx.report(diagnostic);
}

fn conditional<'a>(
    cx: &mut Context<'a>,
    scope: &mut Scope,
    view: ast::Conditional<'a>,
    expected: Option<&Type>,
) -> Expression {
    let span = view.span();
    let (Some(test), Some(then), Some(otherwise)) =
        (view.condition(), view.then(), view.otherwise())
    else {
        return poison(span);
    };
    let test = condition(cx, scope, test);
    let (then, otherwise) = match expected {
        Some(_) => (infer(cx, scope, then, expected), infer(cx, scope, otherwise, expected)),
        None => both(cx, scope, (then, otherwise), None),
    };
    let Some(ty) = common(cx, &[&then, &otherwise]) else { return poison(span) };
    let optional = then.optional || otherwise.optional;
    let kind = ExpressionKind::If(Box::new(test), Box::new(then), Box::new(otherwise));
    Expression { kind, ty, optional, span }
}

/// The one type that several expressions have in common; reports where there is none.
pub(crate) fn common(cx: &mut Context<'_>, all: &[&Expression]) -> Option<Type> {
    let mut ty: Option<Type> = None;
    for expression in all {
        if matches!(expression.kind, ExpressionKind::Null) {
            continue;
        }
        if expression.ty == Type::Unknown {
            return None;
        }
        ty = Some(match ty {
            None => expression.ty.clone(),
            Some(known) if known == expression.ty => known,
            Some(known) => match (&known, &expression.ty) {
                (Type::Decimal { .. } | Type::Int(_), Type::Decimal { .. } | Type::Int(_)) => {
                    match (scale_of(&known), scale_of(&expression.ty)) {
                        (0, 0) if matches!(known, Type::Int(_)) => Type::Int(Bounds::OPEN),
                        (a, b) => Type::Decimal { precision: 18, scale: a.max(b) },
                    }
                }
                (a, b) if is_number(a) && is_number(b) => Type::Float(Bounds::OPEN),
                (a, b) if is_text(a) && is_text(b) => Type::String(Bounds::OPEN),
                (a, b) if assignable(b, a) => known,
                _ => {
                    let (a, b) = (cx.type_text(&known), cx.type_text(&expression.ty));
                    let first = all[0].span;
                    cx.report(
                        Diagnostic::error(
                            "E0220",
                            expression.span,
                            format!("this is of type {b}, and the other value is of type {a}"),
                        )
                        .text(format!("of type {b}"))
                        .label(first, format!("of type {a}"))
                        .help("one expression has one type: make both sides the same"),
                    );
                    return None;
                }
            },
        });
    }
    ty
}

/// A constant as a typed expression.
pub(crate) fn constant(value: Value, ty: Type, span: Span) -> Expression {
    Expression { kind: ExpressionKind::Literal(value), ty, optional: false, span }
}

//! Literals: constants that take the type their place expects.

use operation::{Scalar, Value};
use syntax::Diagnostic;
use syntax::ast::{Literal, LiteralValue};

use super::context::Context;
use super::expression::{constant, poison};
use super::scope::Scope;
use crate::{Bounds, Expression, ExpressionKind, Type};

/// Types a literal; `negative` where a minus stands before it.
pub(crate) fn literal(
    cx: &mut Context<'_>,
    scope: &Scope,
    view: Literal<'_>,
    expected: Option<&Type>,
    negative: bool,
) -> Expression {
    let span = view.span();
    // What is malformed was reported by the lexer.
    let Some(value) = view.value() else { return poison(span) };
    let sign = if negative { -1 } else { 1 };
    match value {
        LiteralValue::Integer(number) => integer(cx, view, sign * number, expected),
        LiteralValue::Size(bytes) => integer(cx, view, sign * bytes, expected),
        LiteralValue::Decimal(decimal) => {
            decimal_literal(cx, view, sign * decimal.digits, decimal.scale, expected)
        }
        LiteralValue::Duration(duration) => match duration.microseconds() {
            Some(microseconds) => constant(Value::Int(sign * microseconds), Type::Duration, span),
            None => {
                cx.report(Diagnostic::error("E0224", span, "no clock counts that far").note(
                    "durations are counted in microseconds, in 64 bits: about 292,000 years",
                ));
                poison(span)
            }
        },
        _ if negative => {
            cx.report(Diagnostic::error("E0221", span, "`-` needs a number"));
            poison(span)
        }
        LiteralValue::String(text) => string(cx, view, &text, expected),
        LiteralValue::Bool(value) => constant(Value::Bool(value), Type::Bool, span),
        LiteralValue::Null => Expression {
            kind: ExpressionKind::Null,
            ty: expected.cloned().unwrap_or(Type::Unknown),
            optional: true,
            span,
        },
        LiteralValue::Now => {
            if !scope.place.has_now() {
                let message = format!("`now` does not belong in {}", scope.place.name());
                cx.report(
                    Diagnostic::error("E0234", span, message)
                        .note("a computed value is stored: one that moves with the clock would be wrong a moment later")
                        .help("use `= now` for the moment of creation, or compare with `now` where it is read"),
                );
                return poison(span);
            }
            Expression { kind: ExpressionKind::Now, ty: Type::Timestamp, optional: false, span }
        }
        LiteralValue::Rate(_) | LiteralValue::Percent(_) => {
            cx.report(
                Diagnostic::error(
                    "E0234",
                    span,
                    "rates and percentages are no values of an expression",
                )
                .help("write the number: `0.999` for 99.9%"),
            );
            poison(span)
        }
    }
}

fn integer(
    cx: &mut Context<'_>,
    view: Literal<'_>,
    number: i64,
    expected: Option<&Type>,
) -> Expression {
    let span = view.span();
    match expected {
        Some(ty @ (Type::Decimal { .. } | Type::Money(_))) => scaled(cx, view, number, 0, ty),
        Some(Type::Float(_)) => {
            constant(Value::Float(number as f64), Type::Float(Bounds::OPEN), span)
        }
        _ => constant(Value::Int(number), Type::Int(Bounds::OPEN), span),
    }
}

fn decimal_literal(
    cx: &mut Context<'_>,
    view: Literal<'_>,
    digits: i64,
    scale: u32,
    expected: Option<&Type>,
) -> Expression {
    let span = view.span();
    match expected {
        Some(ty @ (Type::Decimal { .. } | Type::Money(_))) => scaled(cx, view, digits, scale, ty),
        Some(Type::Float(_)) => {
            let number = digits as f64 / 10_f64.powi(scale as i32);
            constant(Value::Float(number), Type::Float(Bounds::OPEN), span)
        }
        _ if scale > 18 => {
            cx.report(
                Diagnostic::error("E0224", span, "an exact decimal has at most 18 digits")
                    .help("write fewer digits behind the point"),
            );
            poison(span)
        }
        _ => {
            let ty = Type::Decimal { precision: 18, scale: scale as u8 };
            constant(Value::Int(digits), ty, span)
        }
    }
}

/// A number in the units of a decimal or a currency.
fn scaled(
    cx: &mut Context<'_>,
    view: Literal<'_>,
    digits: i64,
    scale: u32,
    ty: &Type,
) -> Expression {
    let span = view.span();
    let wanted = match ty {
        Type::Decimal { scale, .. } => u32::from(*scale),
        Type::Money(currency) => u32::from(currency.digits),
        _ => 0,
    };
    // Zeros behind the last digit that counts are no digits.
    let (mut digits, mut scale) = (digits, scale);
    while scale > wanted && digits % 10 == 0 {
        digits /= 10;
        scale -= 1;
    }
    if scale > wanted {
        let name = cx.type_text(ty);
        let message =
            format!("`{}` has more digits behind the point than {name} keeps", view.text());
        cx.report(
            Diagnostic::error("E0224", span, message)
                .text(format!("{name} keeps {wanted}"))
                .help("round it, or give the type more digits"),
        );
        return poison(span);
    }
    match 10_i64.checked_pow(wanted - scale).and_then(|factor| digits.checked_mul(factor)) {
        Some(units) => constant(Value::Int(units), ty.clone(), span),
        None => {
            let name = cx.type_text(ty);
            cx.report(
                Diagnostic::error(
                    "E0224",
                    span,
                    format!("`{}` is too large for {name}", view.text()),
                )
                .note("exact numbers are kept in 64 bits"),
            );
            poison(span)
        }
    }
}

fn string(
    cx: &mut Context<'_>,
    view: Literal<'_>,
    text: &str,
    expected: Option<&Type>,
) -> Expression {
    let span = view.span();
    let plain = |ty: Type| constant(Value::text(text), ty, span);
    match expected {
        Some(Type::Email) => plain(Type::Email),
        Some(Type::Url) => plain(Type::Url),
        Some(
            ty @ (Type::Date
            | Type::Time
            | Type::Timestamp
            | Type::Uuid
            | Type::Bytes(_)
            | Type::Json(_)),
        ) => {
            let scalar = ty.scalar().unwrap_or(Scalar::Text);
            match scalar.parse(text) {
                Ok(value) => constant(value, ty.clone(), span),
                Err(fault) => {
                    let name = cx.type_text(ty);
                    let message = format!("this is no {name}: it must be {}", fault.0);
                    cx.report(
                        Diagnostic::error("E0224", span, message)
                            .text(format!("a {name} is needed")),
                    );
                    poison(span)
                }
            }
        }
        Some(Type::Duration) => match Scalar::Duration.parse(text) {
            Ok(value) => constant(value, Type::Duration, span),
            Err(_) => {
                cx.report(
                    Diagnostic::error("E0224", span, "this is no Duration")
                        .help("write it with its unit and without quotes: `90s`, `30d`"),
                );
                poison(span)
            }
        },
        Some(Type::Enum(id)) if cx.model[*id].position(text).is_some() => {
            let id = *id;
            let position = cx.model[id].position(text).unwrap_or(0);
            cx.report(
                Diagnostic::error(
                    "E0220",
                    span,
                    format!("`{text}` is a value of an enum: it stands without quotes"),
                )
                .help(format!("write `{text}`"))
                .fix("remove the quotes", span, text),
            );
            Expression {
                kind: ExpressionKind::EnumValue(id, position),
                ty: Type::Enum(id),
                optional: false,
                span,
            }
        }
        _ => plain(Type::String(Bounds::OPEN)),
    }
}

/// Checks a constant against the bounds of the type it becomes a value of.
pub(crate) fn within_bounds(cx: &mut Context<'_>, typed: &Expression, target: &Type) {
    let ExpressionKind::Literal(value) = &typed.kind else { return };
    let fault = match (value, target) {
        (Value::Int(number), Type::Int(bounds)) if !bounds.contains(*number) => {
            Some(format!("{number} lies outside {}", range(bounds)))
        }
        (Value::Float(number), Type::Float(bounds)) if !bounds.contains(*number) => {
            Some(format!("{number} lies outside {}", range(bounds)))
        }
        (Value::Int(number), Type::Decimal { precision, .. })
            if matches!(typed.ty, Type::Decimal { .. })
                && number.unsigned_abs() >= 10_u64.pow(u32::from(*precision)) =>
        {
            Some(format!("the number has more than {precision} digits"))
        }
        (Value::Text(text), Type::String(bounds)) => {
            let length = u32::try_from(text.chars().count()).unwrap_or(u32::MAX);
            (!bounds.contains(length))
                .then(|| format!("the text has {length} characters, outside {}", range(bounds)))
        }
        _ => None,
    };
    if let Some(message) = fault {
        cx.report(
            Diagnostic::error("E0224", typed.span, message)
                .help("change the value, or widen the bounds of the type"),
        );
    }
}

/// Bounds as they are written.
fn range<T: std::fmt::Display>(bounds: &Bounds<T>) -> String {
    let end = |end: &Option<T>| end.as_ref().map(ToString::to_string).unwrap_or_default();
    format!("{}..{}", end(&bounds.least), end(&bounds.greatest))
}

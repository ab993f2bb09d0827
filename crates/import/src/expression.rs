//! Expressions of SQL in the words of the language.

use sqlparser::ast::{
    BinaryOperator, Expr, FunctionArg, FunctionArgExpr, FunctionArguments, InTarget, UnaryOperator,
    Value,
};

use crate::kind::Kind;
use crate::read::text_of;

/// What is known of a column: the name of its field, and its type.
pub(crate) type Known<'a> = &'a dyn Fn(&str) -> Option<(String, Kind)>;

/// Without parentheses and casts.
pub(crate) fn bare(expression: &Expr) -> &Expr {
    match expression {
        Expr::Nested(inner) => bare(inner),
        Expr::Cast { expr, .. } | Expr::Collate { expr, .. } => bare(expr),
        other => other,
    }
}

/// The column that an expression is.
pub(crate) fn column(expression: &Expr) -> Option<String> {
    match bare(expression) {
        Expr::Identifier(ident) => Some(ident.value.clone()),
        Expr::CompoundIdentifier(parts) => parts.last().map(|ident| ident.value.clone()),
        _ => None,
    }
}

/// A number as it is written, with its sign.
pub(crate) fn number(expression: &Expr) -> Option<String> {
    match bare(expression) {
        Expr::Value(value) => match &value.value {
            Value::Number(text, _) => Some(text.clone()),
            Value::SingleQuotedString(text) if text.parse::<f64>().is_ok() => Some(text.clone()),
            _ => None,
        },
        Expr::UnaryOp { op: UnaryOperator::Minus, expr } => Some(format!("-{}", number(expr)?)),
        Expr::UnaryOp { op: UnaryOperator::Plus, expr } => number(expr),
        _ => None,
    }
}

/// The texts that a column is held to be one of: `c IN ('a', 'b')`, `c = ANY (ARRAY['a', 'b'])`.
pub(crate) fn one_of(expression: &Expr) -> Option<(String, Vec<String>)> {
    let texts = |list: &[Expr]| -> Option<Vec<String>> {
        list.iter()
            .map(|item| match bare(item) {
                Expr::Value(value) => text_of(&value.value).map(str::to_owned),
                _ => None,
            })
            .collect()
    };
    match bare(expression) {
        Expr::In { expr, target: InTarget::List(list), negated: false, .. } => {
            Some((column(expr)?, texts(list)?))
        }
        Expr::AnyOp { left, compare_op: BinaryOperator::Eq, right, .. } => match bare(right) {
            Expr::Array(array) => Some((column(left)?, texts(&array.elem)?)),
            _ => None,
        },
        Expr::BinaryOp { left, op: BinaryOperator::Eq, right } => match bare(right) {
            Expr::Function(_) => None,
            Expr::Value(value) => Some((column(left)?, vec![text_of(&value.value)?.to_owned()])),
            _ => None,
        },
        // `a = 'x' OR a = 'y'`
        Expr::BinaryOp { left, op: BinaryOperator::Or, right } => {
            let ((a, mut labels), (b, more)) = (one_of(left)?, one_of(right)?);
            labels.extend(more);
            (a == b).then_some((a, labels))
        }
        _ => None,
    }
}

/// A bound that a check sets.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Bound {
    /// The least value, as a number of the type.
    Least(String),
    Greatest(String),
    Shortest(u64),
    Longest(u64),
}

/// The bounds that a check sets for columns, if it says nothing else.
pub(crate) fn bounds(
    expression: &Expr,
    kind: &dyn Fn(&str) -> Option<Kind>,
) -> Option<Vec<(String, Bound)>> {
    match bare(expression) {
        Expr::BinaryOp { left, op: BinaryOperator::And, right } => {
            let mut found = bounds(left, kind)?;
            found.extend(bounds(right, kind)?);
            Some(found)
        }
        Expr::Between { expr, negated: false, low, high } => {
            let name = column(expr)?;
            matches!(kind(&name)?, Kind::Int(_)).then_some(())?;
            Some(vec![
                (name.clone(), Bound::Least(whole(&number(low)?, 0)?)),
                (name, Bound::Greatest(whole(&number(high)?, 0)?)),
            ])
        }
        Expr::BinaryOp { left, op, right } => {
            if let Some(bound) = one_bound(left, op, right, kind) {
                return Some(vec![bound]);
            }
            let turned = match op {
                BinaryOperator::Lt => BinaryOperator::Gt,
                BinaryOperator::Gt => BinaryOperator::Lt,
                BinaryOperator::LtEq => BinaryOperator::GtEq,
                BinaryOperator::GtEq => BinaryOperator::LtEq,
                _ => return None,
            };
            Some(vec![one_bound(right, &turned, left, kind)?])
        }
        _ => None,
    }
}

/// A whole number as text, moved by one where the comparison is strict.
fn whole(text: &str, by: i64) -> Option<String> {
    let number: i64 = text.parse().ok().or_else(|| {
        let float: f64 = text.parse().ok()?;
        #[expect(clippy::cast_possible_truncation, reason = "checked to be whole and small")]
        (float.fract() == 0.0 && float.abs() < 1e15).then_some(float as i64)
    })?;
    Some(number.checked_add(by)?.to_string())
}

fn one_bound(
    left: &Expr,
    op: &BinaryOperator,
    right: &Expr,
    kind: &dyn Fn(&str) -> Option<Kind>,
) -> Option<(String, Bound)> {
    let limit = number(right)?;
    if let Some(name) = length_of(left) {
        let limit: u64 = limit.parse().ok()?;
        return Some((
            name,
            match op {
                BinaryOperator::GtEq => Bound::Shortest(limit),
                BinaryOperator::Gt => Bound::Shortest(limit + 1),
                BinaryOperator::NotEq if limit == 0 => Bound::Shortest(1),
                BinaryOperator::LtEq => Bound::Longest(limit),
                BinaryOperator::Lt => Bound::Longest(limit.checked_sub(1)?),
                _ => return None,
            },
        ));
    }
    let name = column(left)?;
    matches!(kind(&name)?, Kind::Int(_)).then_some(())?;
    Some((
        name,
        match op {
            BinaryOperator::GtEq => Bound::Least(whole(&limit, 0)?),
            BinaryOperator::Gt => Bound::Least(whole(&limit, 1)?),
            BinaryOperator::LtEq => Bound::Greatest(whole(&limit, 0)?),
            BinaryOperator::Lt => Bound::Greatest(whole(&limit, -1)?),
            _ => return None,
        },
    ))
}

/// The column whose characters are counted.
fn length_of(expression: &Expr) -> Option<String> {
    let Expr::Function(function) = bare(expression) else { return None };
    let name = function.name.to_string().to_lowercase();
    if !matches!(&*name, "length" | "char_length" | "character_length") {
        return None;
    }
    let FunctionArguments::List(list) = &function.args else { return None };
    match list.args.as_slice() {
        [FunctionArg::Unnamed(FunctionArgExpr::Expr(argument))] => column(argument),
        _ => None,
    }
}

/// A condition over a row; `None` where the language has no words for it.
pub(crate) fn condition(expression: &Expr, known: Known<'_>) -> Option<String> {
    lower(expression, known, None)
}

/// How tightly an operator binds.
fn binds(op: &BinaryOperator) -> u8 {
    match op {
        BinaryOperator::Or => 1,
        BinaryOperator::And => 2,
        BinaryOperator::Plus | BinaryOperator::Minus => 4,
        BinaryOperator::Multiply | BinaryOperator::Divide => 5,
        _ => 3,
    }
}

fn lower(expression: &Expr, known: Known<'_>, beside: Option<&Kind>) -> Option<String> {
    match bare(expression) {
        Expr::Identifier(_) | Expr::CompoundIdentifier(_) => {
            let (field, _) = known(&column(expression)?)?;
            Some(format!(".{field}"))
        }
        Expr::Value(value) => literal(&value.value, beside),
        Expr::UnaryOp { op: UnaryOperator::Minus, expr } => {
            Some(format!("-{}", lower(expr, known, beside)?))
        }
        Expr::UnaryOp { op: UnaryOperator::Not, expr } => {
            Some(format!("not ({})", lower(expr, known, None)?))
        }
        Expr::IsTrue(inner) => lower(inner, known, None),
        Expr::IsFalse(inner) => Some(format!("not ({})", lower(inner, known, None)?)),
        Expr::Between { expr, negated: false, low, high } => {
            let kind = kind_of(expr, known);
            let value = lower(expr, known, None)?;
            let low = lower(low, known, kind.as_ref())?;
            let high = lower(high, known, kind.as_ref())?;
            Some(format!("{value} >= {low} and {value} <= {high}"))
        }
        Expr::BinaryOp { left, op, right } => {
            let word = match op {
                BinaryOperator::And => "and",
                BinaryOperator::Or => "or",
                BinaryOperator::Eq => "==",
                BinaryOperator::NotEq => "!=",
                BinaryOperator::Lt => "<",
                BinaryOperator::LtEq => "<=",
                BinaryOperator::Gt => ">",
                BinaryOperator::GtEq => ">=",
                BinaryOperator::Plus => "+",
                BinaryOperator::Minus => "-",
                BinaryOperator::Multiply => "*",
                BinaryOperator::Divide => "/",
                _ => return None,
            };
            let kind = kind_of(left, known).or_else(|| kind_of(right, known));
            let side = |side: &Expr| -> Option<String> {
                let text = lower(side, known, kind.as_ref())?;
                match bare(side) {
                    Expr::BinaryOp { op: inner, .. }
                        if binds(inner) <= binds(op) && inner != op =>
                    {
                        Some(format!("({text})"))
                    }
                    _ => Some(text),
                }
            };
            Some(format!("{} {word} {}", side(left)?, side(right)?))
        }
        _ => None,
    }
}

fn kind_of(expression: &Expr, known: Known<'_>) -> Option<Kind> {
    known(&column(expression)?).map(|(_, kind)| kind)
}

/// A constant as one of a type.
pub(crate) fn literal(value: &Value, kind: Option<&Kind>) -> Option<String> {
    match (value, kind) {
        (Value::Boolean(truth), _) => Some(truth.to_string()),
        (Value::Number(text, _), Some(Kind::Bool)) => match &**text {
            "0" => Some("false".to_owned()),
            "1" => Some("true".to_owned()),
            _ => None,
        },
        (Value::Number(text, _), Some(Kind::Decimal(_, scale))) => decimal(text, *scale),
        (Value::Number(text, _), Some(Kind::Float)) => {
            Some(if text.contains('.') { text.clone() } else { format!("{text}.0") })
        }
        (Value::Number(text, _), Some(Kind::Int(_)) | None) => {
            text.parse::<i64>().ok().map(|number| number.to_string())
        }
        (value, kind) => {
            let text = text_of(value)?;
            match kind {
                Some(Kind::Text(_)) => Some(quoted(text)),
                Some(Kind::Enum(_)) => Some(text.to_owned()),
                Some(Kind::Bool) => match &*text.to_lowercase() {
                    "t" | "true" | "1" | "yes" | "on" => Some("true".to_owned()),
                    "f" | "false" | "0" | "no" | "off" => Some("false".to_owned()),
                    _ => None,
                },
                Some(Kind::Int(_)) => text.parse::<i64>().ok().map(|number| number.to_string()),
                Some(Kind::Decimal(_, scale)) => decimal(text, *scale),
                _ => None,
            }
        }
    }
}

fn decimal(text: &str, scale: u32) -> Option<String> {
    text.parse::<f64>().ok()?;
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let fraction = fraction.trim_end_matches('0');
    let scale = scale as usize;
    if fraction.len() > scale {
        return None;
    }
    Some(if scale == 0 { whole.to_owned() } else { format!("{whole}.{fraction:0<scale$}") })
}

/// A text in quotes.
pub(crate) fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            c if c.is_control() => {}
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

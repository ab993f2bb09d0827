//! Bounds of values that are computed: what a caller sends is held to them when it is read, what a command works out
//! when it is set.

use model::{ExpressionKind, FieldId, Type};
use operation::{Bound, Comparison, Expression, Function, Tree, Value};

use super::pattern::for_postgres;
use crate::plan::Plan;

impl Plan {
    /// The pattern of the field whose value an expression is: what stands there matches it, unless it is worked out.
    fn pattern_of(&self, value: &model::Expression) -> Option<String> {
        let (ExpressionKind::Row { path, .. }
        | ExpressionKind::Caller { path, .. }
        | ExpressionKind::Parameter { path, .. }
        | ExpressionKind::Local { path, .. }) = &value.kind
        else {
            return None;
        };
        let field = path.last().map(|field| &self.model[*field]);
        field.filter(|field| field.computed.is_none()).and_then(|field| field.pattern.clone())
    }

    /// What must hold of the value of an expression that a field is set to.
    pub(super) fn bound(
        &self,
        field: FieldId,
        column: usize,
        value: &model::Expression,
    ) -> Vec<Bound> {
        let item = &self.model[field];
        // A constant was looked at when the model was checked.
        let constant = matches!(
            value.kind,
            ExpressionKind::Literal(_) | ExpressionKind::EnumValue(..) | ExpressionKind::Null
        );
        let mut bounds = Vec::new();
        let name = &item.name;
        let mut add = |holds: Holds, rule: Option<Expression>, said: String| {
            let message = format!("`{name}` {said}").into();
            bounds.push(Bound { column, holds, rule, message });
        };
        let own = || Expression::column(column);
        if let Some(pattern) = self.patterns.get(&field)
            && !constant
            && item.pattern != self.pattern_of(value)
        {
            let pattern = pattern.clone();
            let said =
                format!("must match the pattern {}", item.pattern.as_deref().unwrap_or_default());
            let rule = matches(&own(), pattern.as_str());
            add(Box::new(move |value| text(value, |text| pattern.is_match(text))), rule, said);
        }
        if constant || value.ty == item.ty {
            return bounds;
        }
        match &item.ty {
            Type::Int(limits) => {
                let limits = *limits;
                let holds = move |value: &Value| value.as_int().is_none_or(|n| limits.contains(n));
                if let Some(said) = sentence(limits.least, limits.greatest, "") {
                    let [least, greatest] =
                        [limits.least, limits.greatest].map(|n| n.map(Value::Int));
                    add(Box::new(holds), Some(within(&own(), least, greatest)), said);
                }
            }
            Type::Float(limits) => {
                let limits = *limits;
                let holds = move |value: &Value| match value {
                    Value::Float(f) => limits.contains(*f),
                    _ => true,
                };
                if let Some(said) = sentence(limits.least, limits.greatest, "") {
                    let [least, greatest] =
                        [limits.least, limits.greatest].map(|n| n.map(Value::Float));
                    add(Box::new(holds), Some(within(&own(), least, greatest)), said);
                }
            }
            Type::String(limits) => {
                let limits = *limits;
                let holds = move |value: &Value| {
                    text(value, |t| limits.contains(length(t.chars().count())))
                };
                if let Some(said) = sentence(limits.least, limits.greatest, " characters long") {
                    let rule = counted(Function::Length, own(), limits.least, limits.greatest);
                    add(Box::new(holds), Some(rule), said);
                }
            }
            Type::Json(limits) => {
                let limits = *limits;
                let holds = move |value: &Value| text(value, |t| limits.contains(length(t.len())));
                if let Some(said) = sentence(limits.least, limits.greatest, " bytes of JSON") {
                    let rule = counted(Function::Bytes, own(), limits.least, limits.greatest);
                    add(Box::new(holds), Some(rule), said);
                }
            }
            Type::List(_, limits) => {
                let limits = *limits;
                let holds = move |value: &Value| {
                    text(value, |t| match operation::parse_json(t.as_bytes()) {
                        Ok(Tree::List(items)) => limits.contains(length(items.len())),
                        _ => false,
                    })
                };
                if let Some(said) = sentence(limits.least, limits.greatest, " items long") {
                    let rule = counted(Function::Items, own(), limits.least, limits.greatest);
                    add(Box::new(holds), Some(rule), said);
                }
            }
            Type::Bytes(limits) => {
                let limits = *limits;
                let holds = move |value: &Value| match value {
                    Value::Bytes(bytes) => limits.contains(length(bytes.len())),
                    _ => true,
                };
                if let Some(said) = sentence(limits.least, limits.greatest, " bytes long") {
                    let rule = counted(Function::Bytes, own(), limits.least, limits.greatest);
                    add(Box::new(holds), Some(rule), said);
                }
            }
            Type::Decimal { precision, scale } => {
                let most = 10_u64.pow(u32::from(*precision).min(19));
                let holds =
                    move |value: &Value| value.as_int().is_none_or(|n| n.unsigned_abs() < most);
                let whole = precision - scale;
                // What has 19 digits has all that a number can have.
                let most = i64::try_from(most - 1).ok().map(Value::Int);
                let least = most.as_ref().and_then(Value::as_int).map(|most| Value::Int(-most));
                let said = format!("must have at most {whole} digits before the point");
                add(Box::new(holds), Some(within(&own(), least, most)), said);
            }
            Type::Email => {
                add(
                    Box::new(|value| text(value, model::is_email)),
                    formed(&own(), model::EMAIL_PATTERN, model::EMAIL_LENGTH),
                    "must be an email address".to_owned(),
                );
            }
            Type::Url => {
                add(
                    Box::new(|value| text(value, model::is_url)),
                    formed(&own(), model::URL_PATTERN, model::URL_LENGTH),
                    "must be an absolute URL".to_owned(),
                );
            }
            _ => {}
        }
        bounds
    }
}

/// Whether a value is right.
type Holds = Box<dyn Fn(&Value) -> bool + Send + Sync>;

/// That a value lies between two, as far as they are there.
fn within(value: &Expression, least: Option<Value>, greatest: Option<Value>) -> Expression {
    let limit = |comparison, limit: Option<Value>| {
        let limit = Box::new(Expression::Literal(limit?));
        Some(Expression::Compare(comparison, Box::new(value.clone()), limit))
    };
    let least = limit(Comparison::GreaterOrEqual, least);
    Expression::all(least.into_iter().chain(limit(Comparison::LessOrEqual, greatest)))
}

/// That a value has so many of what a function counts, as far as they are said.
fn counted(
    function: Function,
    value: Expression,
    least: Option<u32>,
    greatest: Option<u32>,
) -> Expression {
    let count = Expression::Call(function, vec![value]);
    let [least, greatest] = [least, greatest].map(|n| n.map(|n| Value::Int(n.into())));
    within(&count, least, greatest)
}

/// That a value matches a pattern; `None`, where only Rust can tell. Where it does not match, it is looked at once more.
fn matches(value: &Expression, pattern: &str) -> Option<Expression> {
    let pattern = Expression::Literal(Value::text(for_postgres(pattern)?));
    Some(Expression::Call(Function::Matches, vec![value.clone(), pattern]))
}

/// The same of one that is no longer than so many characters.
fn formed(value: &Expression, pattern: &str, most: usize) -> Option<Expression> {
    let most = u32::try_from(most).ok();
    Some(Expression::all([
        matches(value, pattern)?,
        counted(Function::Bytes, value.clone(), None, most),
    ]))
}

/// Whether a text is right; what is no text is not looked at.
fn text(value: &Value, right: impl Fn(&str) -> bool) -> bool {
    match value {
        Value::Text(text) => right(text),
        _ => true,
    }
}

fn length(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

fn sentence<T: std::fmt::Display>(
    least: Option<T>,
    greatest: Option<T>,
    unit: &str,
) -> Option<String> {
    Some(match (least, greatest) {
        (Some(least), Some(greatest)) => format!("must be {least} to {greatest}{unit}"),
        (Some(least), None) => format!("must be at least {least}{unit}"),
        (None, Some(greatest)) => format!("must be at most {greatest}{unit}"),
        (None, None) => return None,
    })
}

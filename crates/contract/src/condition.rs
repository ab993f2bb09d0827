//! Conditions as text, from the model alone: the same whatever the layout of the file.

use model::{BinaryOperator, Expression, ExpressionKind, FieldId, Function, Model, Parameter};
use operation::{Arithmetic, Comparison, Scalar, Value};

/// In which words an expression is written.
pub(crate) struct Words<'a> {
    pub(crate) model: &'a Model,
    /// What a field is called.
    pub(crate) name: &'a dyn Fn(FieldId) -> &'a str,
    /// What the parameters are called that it speaks of.
    pub(crate) parameters: &'a [Parameter],
}

/// A condition in the words of its own model.
pub(crate) fn written(model: &Model, parameters: &[Parameter], it: &Expression) -> String {
    Words { model, name: &|field| &model[field].name, parameters }.text(it)
}

impl Words<'_> {
    pub(crate) fn text(&self, expression: &Expression) -> String {
        match &expression.kind {
            ExpressionKind::Unknown => "?".to_owned(),
            ExpressionKind::Null => "null".to_owned(),
            ExpressionKind::Literal(value) => self.literal(expression, value),
            ExpressionKind::EnumValue(id, at) => {
                self.model[*id].values.get(*at).map_or_else(String::new, |it| it.name.to_string())
            }
            ExpressionKind::Now => "now".to_owned(),
            ExpressionKind::Caller { path, .. } => self.path("caller".to_owned(), path),
            ExpressionKind::Row { depth, path } if path.is_empty() => {
                format!("row{}", "^".repeat(*depth))
            }
            ExpressionKind::Row { depth, path } => self.path("^".repeat(*depth), path),
            ExpressionKind::Parameter { position, path } => {
                let name = self.parameters.get(*position).map(|it| it.name.clone());
                self.path(name.unwrap_or_else(|| format!("parameter {position}")), path)
            }
            ExpressionKind::Local { number, path } => self.path(format!("local {number}"), path),
            ExpressionKind::Not(inner) => format!("not {}", self.inner(inner)),
            ExpressionKind::Negate(inner) => format!("-{}", self.inner(inner)),
            ExpressionKind::Binary(operator, left, right) => {
                format!("{} {} {}", self.inner(left), sign(*operator), self.inner(right))
            }
            ExpressionKind::And(terms) => self.joined(terms, " and "),
            ExpressionKind::Or(terms) => self.joined(terms, " or "),
            ExpressionKind::In(left, list) => {
                format!("{} in ({})", self.inner(left), self.joined(list, ", "))
            }
            ExpressionKind::Aggregate { aggregate, part, body, .. } => {
                let of = self.model.part_of(*part).map_or("", |part| part.name.as_str());
                self.aggregate(&format!("{aggregate:?}"), of, body.as_deref())
            }
            ExpressionKind::AggregateOf { aggregate, part, root, body } => {
                let of = self.model.part_of(*part).map_or("", |part| part.name.as_str());
                let of = format!("{}.{of}", self.inner(root));
                self.aggregate(&format!("{aggregate:?}"), &of, body.as_deref())
            }
            ExpressionKind::Call(function, arguments) => {
                let name = match function {
                    Function::Plain(function) => function.name(),
                    Function::Coalesce => "coalesce",
                };
                format!("{name}({})", self.joined(arguments, ", "))
            }
            ExpressionKind::If(condition, then, otherwise) => format!(
                "if {} then {} else {}",
                self.text(condition),
                self.text(then),
                self.text(otherwise)
            ),
        }
    }

    /// As the language writes it.
    fn literal(&self, expression: &Expression, value: &Value) -> String {
        let Some(scalar) = self.model.scalar(&expression.ty) else { return format!("{value:?}") };
        if let (Scalar::Duration, Value::Int(microseconds)) = (scalar, value) {
            return duration(*microseconds);
        }
        let mut json = Vec::new();
        scalar.write_json(value, &mut json);
        let json = String::from_utf8_lossy(&json);
        match scalar {
            Scalar::Decimal { .. } => json.trim_matches('"').to_owned(),
            _ => json.into_owned(),
        }
    }

    fn aggregate(&self, name: &str, of: &str, body: Option<&Expression>) -> String {
        let body = body.map_or_else(String::new, |body| format!(", {}", self.text(body)));
        format!("{}({of}{body})", name.to_lowercase())
    }

    /// With parentheses where it has an operator of its own.
    fn inner(&self, expression: &Expression) -> String {
        let text = self.text(expression);
        match expression.kind {
            ExpressionKind::Binary(..)
            | ExpressionKind::And(_)
            | ExpressionKind::Or(_)
            | ExpressionKind::In(..)
            | ExpressionKind::If(..) => format!("({text})"),
            _ => text,
        }
    }

    fn joined(&self, terms: &[Expression], separator: &str) -> String {
        let comparisons = separator != ", ";
        let texts = terms.iter().map(|term| match term.kind {
            // A comparison binds closer than `and`, so it needs no parentheses beside it.
            ExpressionKind::Binary(BinaryOperator::Compare(_), ..) if comparisons => {
                self.text(term)
            }
            _ => self.inner(term),
        });
        texts.collect::<Vec<_>>().join(separator)
    }

    fn path(&self, mut text: String, path: &[FieldId]) -> String {
        for field in path {
            text.push('.');
            text.push_str((self.name)(*field));
        }
        text
    }
}

fn sign(operator: BinaryOperator) -> &'static str {
    match operator {
        BinaryOperator::Compare(Comparison::Equal) => "==",
        BinaryOperator::Compare(Comparison::NotEqual) => "!=",
        BinaryOperator::Compare(Comparison::Less) => "<",
        BinaryOperator::Compare(Comparison::LessOrEqual) => "<=",
        BinaryOperator::Compare(Comparison::Greater) => ">",
        BinaryOperator::Compare(Comparison::GreaterOrEqual) => ">=",
        BinaryOperator::Arithmetic(Arithmetic::Add) => "+",
        BinaryOperator::Arithmetic(Arithmetic::Subtract) => "-",
        BinaryOperator::Arithmetic(Arithmetic::Multiply) => "*",
        BinaryOperator::Arithmetic(Arithmetic::Divide) => "/",
    }
}

/// Microseconds in the greatest unit that divides them, as the language writes it: `7d`, `90s`.
pub fn duration(microseconds: i64) -> String {
    const UNITS: [(i64, &str); 5] = [
        (86_400_000_000, "d"),
        (3_600_000_000, "h"),
        (60_000_000, "m"),
        (1_000_000, "s"),
        (1_000, "ms"),
    ];
    if microseconds == 0 {
        return "0s".to_owned();
    }
    let unit = UNITS.iter().find(|(size, _)| microseconds % size == 0);
    unit.map_or_else(
        || format!("{microseconds}us"),
        |(size, name)| format!("{}{name}", microseconds / size),
    )
}

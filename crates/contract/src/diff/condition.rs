//! Conditions as text, so that those of two models can be compared, whatever their layout.

use model::{BinaryOperator, Expression, ExpressionKind, FieldId, Function, Model, Parameter};
use operation::{Arithmetic, Comparison};

use super::Report;

/// In which words an expression is written: fields by the names of the old model.
pub(super) struct Words<'a> {
    model: &'a Model,
    name: &'a dyn Fn(FieldId) -> &'a str,
    parameters: &'a [Parameter],
}

/// A condition of the old model.
pub(super) fn old(report: &Report<'_>, parameters: &[Parameter], it: &Expression) -> String {
    let model = report.old.model;
    Words { model, name: &|field| &model[field].name, parameters }.text(it)
}

/// A condition of the new model.
pub(super) fn new(report: &Report<'_>, parameters: &[Parameter], it: &Expression) -> String {
    let model = report.new.model;
    Words { model, name: &|field| report.identity.old_name(model, field), parameters }.text(it)
}

impl Words<'_> {
    fn text(&self, expression: &Expression) -> String {
        match &expression.kind {
            ExpressionKind::Unknown => "?".to_owned(),
            ExpressionKind::Null => "null".to_owned(),
            ExpressionKind::Literal(value) => {
                let mut json = Vec::new();
                match self.model.scalar(&expression.ty) {
                    Some(scalar) => scalar.write_json(value, &mut json),
                    None => return format!("{value:?}"),
                }
                String::from_utf8_lossy(&json).into_owned()
            }
            ExpressionKind::EnumValue(id, at) => {
                self.model[*id].values.get(*at).map_or_else(String::new, |it| it.name.clone())
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

//! The meaning of an expression, in Rust.

use std::cmp::Ordering;
use std::sync::Arc;

use smallvec::SmallVec;

use crate::{
    Aggregate, Arithmetic, Comparison, Expression, Function, NumberKind, Scalar, Table, TableId,
    Tree, Value, number, parse_json, scalar,
};

/// What an expression sees.
#[derive(Debug, Clone, Copy)]
pub struct Scope<'a> {
    /// Rows in scope, the innermost last; each holds a value for every column of its table.
    pub rows: &'a [&'a [Value]],
    /// The operation's binds.
    pub binds: &'a [Value],
    /// The parts of the outermost row, by table.
    pub parts: &'a [(TableId, &'a [Vec<Value>])],
    /// Rows of other tables, where they are at hand.
    pub stored: Option<&'a dyn Stored>,
}

/// Rows that a transaction has at hand.
pub trait Stored: std::fmt::Debug {
    /// The row of `table` with this key, if there is one.
    ///
    /// # Errors
    /// [`EvaluationFault::NotLocal`] where it is not at hand.
    fn row(&self, table: &Arc<Table>, key: &Value) -> Result<Option<&[Value]>, EvaluationFault>;

    /// The rows of the part `table` whose root is `root`, a row of the root's table, in the order of their keys.
    ///
    /// # Errors
    /// [`EvaluationFault::NotLocal`] where they are not at hand.
    fn parts(&self, table: &Arc<Table>, root: &[Value])
    -> Result<StoredParts<'_>, EvaluationFault>;
}

/// Why an expression has no value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EvaluationFault {
    /// A number left its range.
    #[error("a number is too large")]
    Overflow,
    /// A division by zero.
    #[error("division by zero")]
    DivisionByZero,
    /// It looks into another table; only a store can answer it.
    #[error("only the store can answer this")]
    NotLocal,
    /// The expression and the row do not belong together: a fault of the compiler of the expression.
    #[error("the expression does not fit its row")]
    IllTyped,
}

type Answer = Result<Value, EvaluationFault>;

/// The rows around something: there are few.
type Around<'r> = SmallVec<[&'r [Value]; 4]>;

/// The parts of a row.
pub type StoredParts<'r> = SmallVec<[&'r [Value]; 8]>;

/// Whether a condition holds: unknown counts as no.
///
/// # Errors
/// As [`evaluate`].
pub fn truth(expression: &Expression, scope: &Scope<'_>) -> Result<bool, EvaluationFault> {
    Ok(evaluate(expression, scope)? == Value::Bool(true))
}

/// The value of an expression.
///
/// # Errors
/// [`EvaluationFault::Overflow`] and [`EvaluationFault::DivisionByZero`] are the data's fault,
/// [`EvaluationFault::NotLocal`] says that a store must be asked.
pub fn evaluate(expression: &Expression, scope: &Scope<'_>) -> Answer {
    match expression {
        Expression::Literal(value) => Ok(value.clone()),
        Expression::Bind(at) => scope.binds.get(*at).cloned().ok_or(EvaluationFault::IllTyped),
        Expression::Column { depth, column } => {
            let row = scope.rows.iter().rev().nth(*depth).ok_or(EvaluationFault::IllTyped)?;
            row.get(*column).cloned().ok_or(EvaluationFault::IllTyped)
        }
        Expression::Part { .. } => Err(EvaluationFault::NotLocal),
        Expression::Lookup { table, key, value } => {
            let stored = scope.stored.ok_or(EvaluationFault::NotLocal)?;
            let key = evaluate(key, scope)?;
            if key.is_null() {
                return Ok(Value::Null);
            }
            let Some(row) = stored.row(table, &key)? else { return Ok(Value::Null) };
            let mut rows = Around::from_slice(scope.rows);
            rows.push(row);
            evaluate(value, &Scope { rows: &rows, ..*scope })
        }
        Expression::Aggregate { aggregate, table, depth, body, kind } => {
            if let Some((_, parts)) = scope.parts.iter().find(|(id, _)| *id == table.id) {
                let parts = parts.iter().map(Vec::as_slice);
                return fold(*aggregate, *kind, body, parts, scope);
            }
            let stored = scope.stored.ok_or(EvaluationFault::NotLocal)?;
            let root = scope.rows.iter().rev().nth(*depth).ok_or(EvaluationFault::IllTyped)?;
            fold(*aggregate, *kind, body, stored.parts(table, root)?.into_iter(), scope)
        }
        Expression::Member { object, name, scalar } => match evaluate(object, scope)? {
            Value::Null => Ok(Value::Null),
            Value::Text(text) => member(&text, name, *scalar),
            _ => Err(EvaluationFault::IllTyped),
        },
        Expression::Not(a) => Ok(match evaluate(a, scope)? {
            Value::Bool(b) => Value::Bool(!b),
            other => other,
        }),
        Expression::IsNull(a) => Ok(Value::Bool(evaluate(a, scope)?.is_null())),
        Expression::Compare(comparison, a, b) => {
            Ok(compare(*comparison, &evaluate(a, scope)?, &evaluate(b, scope)?))
        }
        Expression::And(terms) => junction(terms, scope, false),
        Expression::Or(terms) => junction(terms, scope, true),
        Expression::In(a, list) => {
            let needle = evaluate(a, scope)?;
            let mut found = Value::Bool(false);
            for item in list {
                match compare(Comparison::Equal, &needle, &evaluate(item, scope)?) {
                    Value::Bool(true) => return Ok(Value::Bool(true)),
                    Value::Null => found = Value::Null,
                    _ => {}
                }
            }
            Ok(found)
        }
        Expression::Arithmetic { operation, kind, left, right } => {
            arithmetic(*operation, *kind, &evaluate(left, scope)?, &evaluate(right, scope)?)
        }
        Expression::Negate(_, a) => match evaluate(a, scope)? {
            Value::Int(n) => number::negate(n).map(Value::Int),
            Value::Float(f) => Ok(Value::Float(number::unsigned_zero(-f))),
            other => Ok(other),
        },
        Expression::Rescale { value, from, to } => {
            integer(evaluate(value, scope)?, |n| number::rescale(n, *from, *to).map(Value::Int))
        }
        Expression::DivideDecimal { left, left_scale, right, right_scale, scale } => {
            match (evaluate(left, scope)?, evaluate(right, scope)?) {
                (Value::Int(a), Value::Int(b)) => {
                    number::divide_decimal(a, *left_scale, b, *right_scale, *scale).map(Value::Int)
                }
                (Value::Null, _) | (_, Value::Null) => Ok(Value::Null),
                _ => Err(EvaluationFault::IllTyped),
            }
        }
        Expression::ToFloat(a, scale) => integer(evaluate(a, scope)?, |n| {
            Ok(Value::Float(n as f64 / 10_f64.powi(i32::from(*scale))))
        }),
        Expression::Call(function, arguments) => {
            let values = arguments.iter().map(|a| evaluate(a, scope));
            call(*function, &values.collect::<Result<SmallVec<[_; 3]>, _>>()?)
        }
        Expression::If { condition, then, otherwise } => {
            evaluate(if truth(condition, scope)? { then } else { otherwise }, scope)
        }
        Expression::Coalesce(list) => {
            for item in list {
                let value = evaluate(item, scope)?;
                if !value.is_null() {
                    return Ok(value);
                }
            }
            Ok(Value::Null)
        }
    }
}

/// A member of a JSON object; null where there is none.
fn member(object: &str, name: &str, scalar: Scalar) -> Answer {
    let tree = parse_json(object.as_bytes()).map_err(|_| EvaluationFault::IllTyped)?;
    let Tree::Object(members) = tree else { return Err(EvaluationFault::IllTyped) };
    match members.iter().find(|(known, _)| **known == *name) {
        Some((_, tree)) => scalar.of_json(tree).map_err(|_| EvaluationFault::IllTyped),
        None => Ok(Value::Null),
    }
}

/// Three-valued `and` (`decisive` false) and `or` (`decisive` true).
fn junction(terms: &[Expression], scope: &Scope<'_>, decisive: bool) -> Answer {
    let mut outcome = Value::Bool(!decisive);
    for term in terms {
        match evaluate(term, scope)? {
            Value::Bool(b) if b == decisive => return Ok(Value::Bool(decisive)),
            Value::Bool(_) => {}
            _ => outcome = Value::Null,
        }
    }
    Ok(outcome)
}

fn integer(value: Value, then: impl FnOnce(i64) -> Answer) -> Answer {
    match value {
        Value::Int(n) => then(n),
        Value::Null => Ok(Value::Null),
        _ => Err(EvaluationFault::IllTyped),
    }
}

/// Which of two values comes first; `None` where one is null, or they are not of one kind. Text compares by code point.
pub fn order(a: &Value, b: &Value) -> Option<Ordering> {
    match (a, b) {
        (Value::Bool(a), Value::Bool(b)) => Some(a.cmp(b)),
        (Value::Int(a), Value::Int(b)) => Some(a.cmp(b)),
        (Value::Float(a), Value::Float(b)) => a.partial_cmp(b),
        (Value::Text(a), Value::Text(b)) => Some(a.as_bytes().cmp(b.as_bytes())),
        (Value::Uuid(a), Value::Uuid(b)) => Some(a.cmp(b)),
        (Value::Bytes(a), Value::Bytes(b)) => Some(a.cmp(b)),
        _ => None,
    }
}

fn compare(comparison: Comparison, a: &Value, b: &Value) -> Value {
    let Some(order) = order(a, b) else { return Value::Null };
    Value::Bool(match comparison {
        Comparison::Equal => order.is_eq(),
        Comparison::NotEqual => order.is_ne(),
        Comparison::Less => order.is_lt(),
        Comparison::LessOrEqual => order.is_le(),
        Comparison::Greater => order.is_gt(),
        Comparison::GreaterOrEqual => order.is_ge(),
    })
}

fn arithmetic(operation: Arithmetic, kind: NumberKind, a: &Value, b: &Value) -> Answer {
    match (kind, a, b) {
        (_, Value::Null, _) | (_, _, Value::Null) => Ok(Value::Null),
        (NumberKind::Int, Value::Int(a), Value::Int(b)) => match operation {
            Arithmetic::Add => number::add(*a, *b),
            Arithmetic::Subtract => number::subtract(*a, *b),
            Arithmetic::Multiply => number::multiply(*a, *b),
            Arithmetic::Divide => number::divide(*a, *b),
        }
        .map(Value::Int),
        (NumberKind::Float, Value::Float(a), Value::Float(b)) => {
            number::float(operation, *a, *b).map(Value::Float)
        }
        _ => Err(EvaluationFault::IllTyped),
    }
}

fn fold<'r>(
    aggregate: Aggregate,
    kind: NumberKind,
    body: &Expression,
    parts: impl Iterator<Item = &'r [Value]>,
    scope: &Scope<'r>,
) -> Answer {
    let mut outcome = match aggregate {
        Aggregate::Sum if kind == NumberKind::Float => Value::Float(0.0),
        Aggregate::Sum | Aggregate::Count => Value::Int(0),
        Aggregate::Min | Aggregate::Max => Value::Null,
        Aggregate::Any => Value::Bool(false),
        Aggregate::All => Value::Bool(true),
    };
    let mut rows = Around::from_slice(scope.rows);
    let mut missing = false;
    for part in parts {
        rows.truncate(scope.rows.len());
        rows.push(part);
        let value = match evaluate(body, &Scope { rows: &rows, ..*scope }) {
            Ok(value) => value,
            // What the other parts miss is to be known at once, too.
            Err(EvaluationFault::NotLocal) if scope.stored.is_some() => {
                missing = true;
                continue;
            }
            Err(fault) => return Err(fault),
        };
        match aggregate {
            Aggregate::Sum if !value.is_null() => {
                outcome = arithmetic(Arithmetic::Add, kind, &outcome, &value)?;
            }
            Aggregate::Count if value == Value::Bool(true) => {
                outcome = arithmetic(Arithmetic::Add, NumberKind::Int, &outcome, &Value::Int(1))?;
            }
            Aggregate::Min | Aggregate::Max if !value.is_null() => {
                let wanted =
                    if aggregate == Aggregate::Min { Ordering::Less } else { Ordering::Greater };
                if outcome.is_null() || order(&value, &outcome) == Some(wanted) {
                    outcome = value;
                }
            }
            Aggregate::Any if value == Value::Bool(true) => outcome = value,
            Aggregate::All if value != Value::Bool(true) => outcome = Value::Bool(false),
            _ => {}
        }
    }
    if missing { Err(EvaluationFault::NotLocal) } else { Ok(outcome) }
}

/// The lower case of a character where it is one character; otherwise the character itself.
pub fn lower(c: char) -> char {
    only(c.to_lowercase()).unwrap_or(c)
}

/// The upper case of a character where it is one character; otherwise the character itself.
pub fn upper(c: char) -> char {
    only(c.to_uppercase()).unwrap_or(c)
}

fn only(mut characters: impl Iterator<Item = char>) -> Option<char> {
    let first = characters.next();
    first.filter(|_| characters.next().is_none())
}

/// Applies a function. Stores that have no such function of their own register this one.
pub(crate) fn call(function: Function, arguments: &[Value]) -> Answer {
    if arguments.iter().any(Value::is_null) {
        return Ok(Value::Null);
    }
    let text = |at: usize| match arguments.get(at) {
        Some(Value::Text(text)) => Ok(&**text),
        _ => Err(EvaluationFault::IllTyped),
    };
    let count = |n: usize| i64::try_from(n).map(Value::Int).map_err(|_| EvaluationFault::Overflow);
    let int = |at: usize| match arguments.get(at) {
        Some(Value::Int(n)) => Ok(*n),
        _ => Err(EvaluationFault::IllTyped),
    };
    Ok(match function {
        Function::Lower => Value::text(text(0)?.chars().map(lower).collect::<String>()),
        Function::Upper => Value::text(text(0)?.chars().map(upper).collect::<String>()),
        Function::Trim => Value::text(text(0)?.trim()),
        Function::Length => count(text(0)?.chars().count())?,
        Function::StartsWith => Value::Bool(text(0)?.starts_with(text(1)?)),
        Function::EndsWith => Value::Bool(text(0)?.ends_with(text(1)?)),
        Function::Contains => Value::Bool(text(0)?.contains(text(1)?)),
        Function::Concat => {
            let mut joined = String::new();
            for at in 0..arguments.len() {
                joined.push_str(text(at)?);
            }
            Value::text(joined)
        }
        Function::DateOf => Value::Int(int(0)?.div_euclid(scalar::DAY)),
        Function::TimestampOf => Value::Int(number::multiply(int(0)?, scalar::DAY)?),
        Function::Bytes => count(match arguments.first() {
            Some(Value::Bytes(bytes)) => bytes.len(),
            _ => text(0)?.len(),
        })?,
        Function::Items => match parse_json(text(0)?.as_bytes()) {
            Ok(Tree::List(items)) => count(items.len())?,
            _ => return Err(EvaluationFault::IllTyped),
        },
        Function::Matches => return Err(EvaluationFault::NotLocal),
    })
}

impl Function {
    /// The function's value; null in gives null out.
    ///
    /// # Errors
    /// As [`evaluate`].
    pub fn apply(self, arguments: &[Value]) -> Result<Value, EvaluationFault> {
        call(self, arguments)
    }
}

//! Rules, written over a row as it was.

use crate::{Arithmetic, Expression, Flow, NumberKind, Value};

/// True, all of them, where a rule is not false, as in SQL.
pub(super) fn unless_false(rule: Expression) -> Vec<Expression> {
    let terms = match rule {
        Expression::And(terms) => terms,
        Expression::Literal(Value::Bool(true)) => Vec::new(),
        rule => vec![rule],
    };
    let each = terms.into_iter().map(|term| Expression::Coalesce(vec![term, Expression::yes()]));
    each.collect()
}

/// What must be true where a state goes from `old` to `new`: a flow has that, and what is set already is refused. Nothing, where
/// it is no state.
pub(super) fn transition(
    flow: &Flow,
    old: &Expression,
    new: &Expression,
    nullable: bool,
) -> Option<Expression> {
    let state = |state: &str| Expression::Literal(Value::text(state));
    let legal = match new {
        Expression::Literal(Value::Text(to)) => {
            let from = flow.transitions.iter().filter(|(_, next)| next.iter().any(|n| **n == **to));
            let from: Vec<Expression> = from.map(|(from, _)| state(from)).collect();
            if from.is_empty() {
                Expression::no()
            } else {
                Expression::In(Box::new(old.clone()), from)
            }
        }
        Expression::Literal(_) => return None,
        _ => Expression::any(flow.transitions.iter().map(|(from, next)| {
            let next = next.iter().map(|next| state(next)).collect();
            Expression::all([
                Expression::equal(old.clone(), state(from)),
                Expression::In(Box::new(new.clone()), next),
            ])
        })),
    };
    let nothing = |value: &Expression| match value {
        Expression::Literal(value) => Expression::Literal(Value::Bool(value.is_null())),
        _ if nullable => Expression::IsNull(Box::new(value.clone())),
        _ => Expression::no(),
    };
    Some(Expression::any([legal, nothing(old), nothing(new)]))
}

/// A value where a condition is true, and another one where it is not.
pub(super) fn either(
    condition: &Expression,
    then: &Expression,
    otherwise: &Expression,
) -> Expression {
    if then == otherwise {
        return then.clone();
    }
    Expression::If {
        condition: Box::new(condition.clone()),
        then: Box::new(then.clone()),
        otherwise: Box::new(otherwise.clone()),
    }
}

/// One more.
pub(super) fn next(number: Expression) -> Expression {
    Expression::Arithmetic {
        operation: Arithmetic::Add,
        kind: NumberKind::Int,
        left: Box::new(number),
        right: Box::new(Expression::Literal(Value::Int(1))),
    }
}

/// Whether to work something out is to work out another thing in it, whatever comes of the rest.
pub(super) fn evaluates(flat: &Expression, inner: &Expression) -> bool {
    let of = |flat: &Expression| evaluates(flat, inner);
    flat == inner
        || match flat {
            Expression::Compare(_, a, b)
            | Expression::Arithmetic { left: a, right: b, .. }
            | Expression::DivideDecimal { left: a, right: b, .. } => of(a) || of(b),
            Expression::Not(a)
            | Expression::IsNull(a)
            | Expression::Negate(_, a)
            | Expression::ToFloat(a, _)
            | Expression::Rescale { value: a, .. }
            | Expression::If { condition: a, .. } => of(a),
            Expression::Call(_, all) => all.iter().any(of),
            Expression::Coalesce(all) | Expression::And(all) | Expression::Or(all) => {
                all.first().is_some_and(of)
            }
            _ => false,
        }
}

pub(super) fn nodes(expression: &Expression) -> usize {
    let mut count = 0;
    expression.visit(&mut |_| count += 1);
    count
}

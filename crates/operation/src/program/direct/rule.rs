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
            | Expression::DivideDecimal { left: a, right: b, .. } => {
                of(a) && !may_be_nothing(b) || of(b) && !may_be_nothing(a)
            }
            Expression::Not(a)
            | Expression::IsNull(a)
            | Expression::Negate(_, a)
            | Expression::ToFloat(a, _)
            | Expression::Rescale { value: a, .. }
            | Expression::If { condition: a, .. } => of(a),
            Expression::Call(_, all) => all.iter().any(of) && !all.iter().any(may_be_nothing),
            Expression::Coalesce(all) | Expression::And(all) | Expression::Or(all) => {
                all.first().is_some_and(of)
            }
            _ => false,
        }
}

/// The binds that stand, with nothing of a row about them, beside what may fail; `None`, where a null does.
pub(super) fn hides_failure(flat: &Expression) -> Option<Vec<usize>> {
    let (mut binds, mut null) = (Vec::new(), false);
    flat.visit(&mut |e| {
        let is_strict = matches!(
            e,
            Expression::Compare(..)
                | Expression::Arithmetic { .. }
                | Expression::DivideDecimal { .. }
                | Expression::Call(..)
        );
        let mut fails = false;
        if is_strict {
            e.children(&mut |child| fails |= child.can_fail());
        }
        if fails {
            e.children(&mut |child| {
                if may_be_nothing(child) {
                    child.visit(&mut |e| match e {
                        Expression::Bind(bind) => binds.push(*bind),
                        Expression::Literal(Value::Null) => null = true,
                        _ => {}
                    });
                }
            });
        }
    });
    (!null).then_some(binds)
}

/// Whether something is known before any row is, and may be null.
fn may_be_nothing(flat: &Expression) -> bool {
    let (mut of_row, mut null) = (false, false);
    flat.visit(&mut |e| {
        of_row |= matches!(
            e,
            Expression::Column { .. } | Expression::Lookup { .. } | Expression::Aggregate { .. }
        );
        null |= matches!(e, Expression::Bind(_) | Expression::Literal(Value::Null));
    });
    null && !of_row
}

pub(super) fn nodes(expression: &Expression) -> usize {
    let mut count = 0;
    expression.visit(&mut |_| count += 1);
    count
}

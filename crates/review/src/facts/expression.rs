//! Questions to expressions.

use model::{Expression, ExpressionKind, FieldId};

/// Calls `see` with an expression and everything inside of it, from the outside in.
pub(crate) fn visit<'e>(expression: &'e Expression, see: &mut impl FnMut(&'e Expression)) {
    see(expression);
    visit_children(expression, &mut |child| visit(child, &mut *see));
}

/// Calls `see` with what stands directly inside of an expression.
pub(crate) fn visit_children<'e>(expression: &'e Expression, see: &mut dyn FnMut(&'e Expression)) {
    expression.children().into_iter().for_each(see);
}

/// What must all hold: the terms of `a and b and c`, or the expression alone.
pub(crate) fn conjuncts(expression: &Expression) -> Vec<&Expression> {
    let mut found = Vec::new();
    gather(expression, &mut found);
    found
}

fn gather<'e>(expression: &'e Expression, found: &mut Vec<&'e Expression>) {
    match &expression.kind {
        ExpressionKind::And(terms) => terms.iter().for_each(|term| gather(term, found)),
        _ => found.push(expression),
    }
}

/// Whether it depends on who asks.
pub(crate) fn mentions_caller(expression: &Expression) -> bool {
    let mut found = false;
    visit(expression, &mut |part| {
        found |= matches!(part.kind, ExpressionKind::Caller { .. });
    });
    found
}

/// The field of the row itself that an expression is, without going through a reference.
pub(crate) fn own_field(expression: &Expression) -> Option<FieldId> {
    match &expression.kind {
        ExpressionKind::Row { depth: 0, path } => match path.as_slice() {
            [field] => Some(*field),
            _ => None,
        },
        _ => None,
    }
}

/// The fields that an expression follows, if it is a path.
pub(crate) fn path_of(expression: &Expression) -> Option<&[FieldId]> {
    match &expression.kind {
        ExpressionKind::Row { path, .. }
        | ExpressionKind::Caller { path, .. }
        | ExpressionKind::Parameter { path, .. }
        | ExpressionKind::Local { path, .. } => Some(path),
        _ => None,
    }
}

/// The fields of the row itself that a condition compares with a parameter that may stand in an address.
pub(crate) fn parameter_fields(condition: &Expression) -> Vec<(FieldId, usize)> {
    let mut found = Vec::new();
    visit(condition, &mut |part| {
        let ExpressionKind::Binary(_, left, right) = &part.kind else { return };
        for (field, other) in [(left, right), (right, left)] {
            if let (Some(field), ExpressionKind::Parameter { position, path }) =
                (own_field(field), &other.kind)
                && path.is_empty()
            {
                found.push((field, *position));
            }
        }
    });
    found
}

//! Folds over the parts of a row, and what these refer to.
//!
//! Which rows parts refer to is known where they are looked at only. Step by step they are looked up ahead of all parts at once, so that they
//! are locked with the others, and none may be another where the fold is worked out.

use std::sync::Arc;

use super::InnerParts;
use super::forming::{Forming, Holds};
use super::obstacle::Reason;
use crate::{Expression, Table};

/// A row in scope inside a fold.
#[derive(Clone)]
struct Inside {
    table: Arc<Table>,
    /// By which it is found; `None`: it is a part.
    key: Option<Expression>,
}

impl Forming<'_> {
    /// A fold over the parts of a row, which stands at the depth of that row's position, with that row as it will be.
    pub(super) fn fold(&mut self, at: usize, fold: &Expression) -> Result<Expression, Reason> {
        let Expression::Aggregate { aggregate, table, kind, body, .. } = fold else {
            return Err(Reason::NotInSql);
        };
        let row = self.rows.get_mut(at).ok_or(Reason::NotInSql)?;
        if self.stepping.is_none() && (row.made || !row.adds.is_empty()) {
            return Err(Reason::Parts);
        }
        row.folds.push(table.id);
        let body = self.of_part(at, &[Inside { table: table.clone(), key: None }], body)?;
        let (aggregate, table, kind) = (*aggregate, table.clone(), *kind);
        Ok(Expression::Aggregate { aggregate, table, depth: at, body: Box::new(body), kind })
    }

    /// What is folded over the parts of a row. `inside`: the rows in scope in it, the innermost last.
    fn of_part(
        &mut self,
        row: usize,
        inside: &[Inside],
        body: &Expression,
    ) -> Result<Expression, Reason> {
        match body {
            Expression::Literal(_) => Ok(body.clone()),
            Expression::Column { depth, .. } if *depth < inside.len() => Ok(body.clone()),
            Expression::Column { depth, column } if *depth == inside.len() => {
                let of = self.rows.get(row).ok_or(Reason::NotInSql)?;
                as_around(of.values.get(*column).ok_or(Reason::NotInSql)?, row, *depth)
            }
            Expression::Column { .. } => Err(Reason::NotInSql),
            // Parts of what is found change with that only, which is locked.
            Expression::Aggregate { aggregate, table, depth, kind, body }
                if *depth <= inside.len() =>
            {
                if *depth == inside.len() {
                    let of = self.rows.get_mut(row).ok_or(Reason::NotInSql)?;
                    of.folds.push(table.id);
                }
                let part = Inside { table: table.clone(), key: None };
                let inside: Vec<Inside> = inside.iter().cloned().chain([part]).collect();
                let body = Box::new(self.of_part(row, &inside, body)?);
                let (aggregate, table, depth, kind) = (*aggregate, table.clone(), *depth, *kind);
                Ok(Expression::Aggregate { aggregate, table, depth, body, kind })
            }
            Expression::Aggregate { .. } => Err(Reason::NotInSql),
            Expression::Bind(bind) => match self.holds(*bind)? {
                Holds::Given(value @ (Expression::Bind(_) | Expression::Literal(_))) => {
                    Ok(value.clone())
                }
                Holds::Kept(bind) | Holds::Drawn(bind) => Ok(Expression::Bind(*bind)),
                Holds::Given(_) | Holds::Made(_) | Holds::Of(_) | Holds::Part(_) => {
                    Err(Reason::NotInSql)
                }
            },
            Expression::Lookup { table, key, value } if self.stepping.is_some() => {
                self.found_by_part(row, inside, (table, key, value))
            }
            Expression::Lookup { .. } => Err(Reason::NotInSql),
            _ => {
                let mut failed = None;
                let of_part = |child: &Expression| {
                    self.of_part(row, inside, child).map_err(|reason| failed = Some(reason)).ok()
                };
                let of_part = body.with_children(&mut { of_part });
                of_part.ok_or(failed.unwrap_or(Reason::NotInSql))
            }
        }
    }

    /// What stands in a row that a fold finds: by what stands in parts, or one that is known.
    fn found_by_part(
        &mut self,
        row: usize,
        inside: &[Inside],
        (table, key, value): (&Arc<Table>, &Expression, &Expression),
    ) -> Result<Expression, Reason> {
        let mut looks_at_part = false;
        key.visit(&mut |e| looks_at_part |= matches!(e, Expression::Column { .. }));
        let lookup = Expression::Lookup {
            table: table.clone(),
            key: Box::new(key.clone()),
            value: Box::new(value.clone()),
        };
        if folds(value) && is_closed(&lookup, 0) {
            return self.kept_of_all(&lookup);
        }
        let key = if looks_at_part {
            let key = self.of_part(row, inside, key)?;
            self.site_of_parts(row, inside, (table, &key))?;
            key
        } else {
            let found = self.row(table, key)?;
            self.touch(found);
            self.rows.get(found).ok_or(Reason::NotInSql)?.key.clone()
        };
        let found = Inside { table: table.clone(), key: Some(key.clone()) };
        let inside: Vec<Inside> = inside.iter().cloned().chain([found]).collect();
        let value = Box::new(self.of_part(row, &inside, value)?);
        Ok(Expression::Lookup { table: table.clone(), key: Box::new(key), value })
    }

    /// Keeps what is the same of all parts: a fold over those of another row.
    fn kept_of_all(&mut self, value: &Expression) -> Result<Expression, Reason> {
        let flat = self.flat(value, &[])?;
        match self.keep_as_it_is(&flat, None)? {
            Holds::Kept(bind) => Ok(Expression::Bind(bind)),
            _ => Err(Reason::NotInSql),
        }
    }

    /// Has all that parts refer to by a key looked up ahead.
    fn site_of_parts(
        &mut self,
        row: usize,
        inside: &[Inside],
        (table, key): (&Arc<Table>, &Expression),
    ) -> Result<(), Reason> {
        let parts: Vec<usize> = (0..inside.len()).filter(|at| inside[*at].key.is_none()).collect();
        let [first, within @ ..] = &parts[..] else { return Err(Reason::NotInSql) };
        let part = inside.get(*first).ok_or(Reason::NotInSql)?.table.clone();
        let mut inner = Vec::with_capacity(within.len());
        for at in within {
            // The root of these parts is the row in scope around them.
            let (before, of) = inside.split_at(*at);
            let (found, part) = (before.split_last(), of.first());
            let ((found, before), part) = found.zip(part).ok_or(Reason::NotInSql)?;
            let root = found.key.as_ref().and_then(|key| over_parts(before, key));
            let (table, root) = (part.table.clone(), root.ok_or(Reason::NotInSql)?);
            inner.push(InnerParts { table, root });
        }
        let value = over_parts(inside, key).ok_or(Reason::NotInSql)?;
        self.site_of_each((table, value), (row, &part, inner))
    }
}

/// Something that stands over rows in scope, the innermost last, as it stands over those of them that are parts and the row around all.
fn over_parts(inside: &[Inside], value: &Expression) -> Option<Expression> {
    let last = inside.iter().rposition(|of| of.key.is_none())?;
    let (outer, found) = inside.split_at(last + 1);
    // Whatever it is found through.
    let value = found.iter().rev().try_fold(value.clone(), |value, through| {
        let key = Box::new(through.key.clone()?);
        Some(Expression::Lookup { table: through.table.clone(), key, value: Box::new(value) })
    })?;
    // Of what is found around parts nothing is in scope.
    let parts = |from: usize| outer.iter().skip(from).filter(|of| of.key.is_none()).count();
    moved(&value, 0, &|outwards| match outer.len().checked_sub(outwards) {
        Some(0) => Some(parts(0)),
        Some(at) => outer.get(at - 1).filter(|of| of.key.is_none()).map(|_| parts(at)),
        None => None,
    })
}

/// The same with each row that is so many rows outwards at another depth. `within`: how many rows are brought into scope by itself.
fn moved(
    value: &Expression,
    within: usize,
    to: &dyn Fn(usize) -> Option<usize>,
) -> Option<Expression> {
    let depth_of = |depth: usize| match depth.checked_sub(within) {
        Some(outwards) => to(outwards).map(|to| to + within),
        None => Some(depth),
    };
    Some(match value {
        Expression::Column { depth, column } => {
            Expression::Column { depth: depth_of(*depth)?, column: *column }
        }
        Expression::Lookup { table, key, value } => {
            let key = Box::new(moved(key, within, to)?);
            let value = Box::new(moved(value, within + 1, to)?);
            Expression::Lookup { table: table.clone(), key, value }
        }
        Expression::Aggregate { aggregate, table, depth, body, kind } => {
            let body = Box::new(moved(body, within + 1, to)?);
            let (aggregate, depth, kind) = (*aggregate, depth_of(*depth)?, *kind);
            Expression::Aggregate { aggregate, table: table.clone(), depth, body, kind }
        }
        _ => value.with_children(&mut |child| moved(child, within, to))?,
    })
}

/// What becomes of a row, as it stands so deep in a fold over its parts.
fn as_around(value: &Expression, row: usize, depth: usize) -> Result<Expression, Reason> {
    match value {
        Expression::Column { depth: of, column } if *of == row => {
            Ok(Expression::Column { depth, column: *column })
        }
        Expression::Column { .. }
        | Expression::Lookup { .. }
        | Expression::Member { .. }
        | Expression::Aggregate { .. } => Err(Reason::NotInSql),
        Expression::Bind(_) | Expression::Literal(_) => Ok(value.clone()),
        _ => {
            let around = value.with_children(&mut |child| as_around(child, row, depth).ok());
            around.ok_or(Reason::NotInSql)
        }
    }
}

/// Whether something folds.
fn folds(expression: &Expression) -> bool {
    let mut folds = false;
    expression.visit(&mut |e| folds |= matches!(e, Expression::Aggregate { .. }));
    folds
}

/// Whether an expression looks at no row further outwards than so many.
fn is_closed(expression: &Expression, rows: usize) -> bool {
    match expression {
        Expression::Column { depth, .. } => *depth < rows,
        Expression::Lookup { key, value, .. } => is_closed(key, rows) && is_closed(value, rows + 1),
        Expression::Aggregate { depth, body, .. } => *depth < rows && is_closed(body, rows + 1),
        _ => {
            let mut closed = true;
            expression.children(&mut |child| closed &= is_closed(child, rows));
            closed
        }
    }
}

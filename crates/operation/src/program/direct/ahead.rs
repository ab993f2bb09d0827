//! What values may be before anything is done, where steps that come before change what they are looked up in: rows that will be found by
//! them are locked with all others.

use super::forming::Forming;
use super::obstacle::Reason;
use super::stepping::{Stepping, columns_of};
use crate::{Expression, TableId};

/// As many things as a value may be.
const MOST_WAYS: usize = 16;

impl Stepping {
    /// What a value that stands over rows as they are at a step may be, over those that are there before anything is done.
    fn ways(&self, value: &Expression) -> Result<Vec<Expression>, Reason> {
        if let Expression::Bind(bind) = value {
            let kept = self.ahead.iter().find(|(of, _)| of == bind);
            return match kept {
                Some((_, ways)) => ways.clone().ok_or(Reason::TooLarge),
                None => Ok(vec![value.clone()]),
            };
        }
        // A row that is made is not there yet, but what it is made of.
        if let Some(made) = self.made_of(value) {
            return self.ways(made);
        }
        let mut children = Vec::new();
        value.children(&mut |child| children.push(self.ways(child)));
        let children = children.into_iter().collect::<Result<Vec<_>, _>>()?;
        let all = children.iter().fold(1_usize, |all, ways| all.saturating_mul(ways.len()));
        if all > MOST_WAYS {
            return Err(Reason::TooLarge);
        }
        let way = |mut nth: usize| {
            let mut ways = children.iter();
            value.with_children(&mut |_| {
                let ways = ways.next()?;
                let way = ways.get(nth.checked_rem(ways.len())?);
                nth /= ways.len();
                way.cloned()
            })
        };
        (0..all).map(way).collect::<Option<_>>().ok_or(Reason::NotInSql)
    }

    /// What stands in a column of a row that is made.
    fn made_of(&self, value: &Expression) -> Option<&Expression> {
        let Expression::Lookup { key, value, .. } = value else { return None };
        let Expression::Column { depth: 0, column } = &**value else { return None };
        let made = self.made.iter().find(|made| made.key == **key)?;
        made.values.get(*column)?.as_ref()
    }
}

impl Forming<'_> {
    /// What a value may be, over rows that are there before anything is done.
    pub(super) fn may_be(&self, value: &Expression) -> Result<Vec<Expression>, Reason> {
        let stepping = self.stepping.as_ref().ok_or(Reason::NotInSql)?;
        let mut ahead = stepping.ways(value)?;
        // It may be what a step before has made of it.
        for (of, column, set) in &stepping.set {
            if let Some(become_so) = with_column(value, (*of, *column), set) {
                ahead.extend(stepping.ways(&become_so)?);
            }
        }
        let mut each: Vec<Expression> = Vec::with_capacity(ahead.len());
        for way in ahead {
            if !each.contains(&way) {
                each.push(way);
            }
        }
        if each.len() > MOST_WAYS { Err(Reason::TooLarge) } else { Ok(each) }
    }

    /// The same, as far as that is known then.
    pub(super) fn all_ahead(&self, value: &Expression) -> Result<Vec<Expression>, Reason> {
        let mut ahead = self.may_be(value)?;
        // What is counted is known behind the locks only; what it leads to may be locked for something else.
        ahead.retain(|ahead| !names(ahead, &self.drawn));
        Ok(ahead)
    }
}

/// Whether something is of a key that the database counts.
fn names(value: &Expression, drawn: &[(usize, TableId)]) -> bool {
    let mut names = false;
    value.visit(&mut |e| {
        if let Expression::Bind(bind) = e {
            names |= drawn.iter().any(|(drawn, _)| drawn == bind);
        }
    });
    names
}

/// A value in which a column of any row of a table is this; `None`, where it looks at none.
fn with_column(
    value: &Expression,
    (of, column): (TableId, usize),
    set: &Expression,
) -> Option<Expression> {
    let is_it = |value: &Expression| match value {
        Expression::Lookup { table, value, .. } => {
            table.id == of && columns_of(value, 0).contains(&column)
        }
        _ => false,
    };
    let mut any = false;
    value.visit(&mut |e| any |= is_it(e));
    if !any {
        return None;
    }
    let child = |child: &Expression| {
        Some(with_column(child, (of, column), set).unwrap_or_else(|| child.clone()))
    };
    let value = value.with_children(&mut { child })?;
    match &value {
        Expression::Lookup { value: inside, .. } if is_it(&value) => match &**inside {
            Expression::Column { .. } => Some(set.clone()),
            inside => {
                let inside = Box::new(instead_of(inside, 0, column, set)?);
                let Expression::Lookup { table, key, .. } = &value else { return None };
                Some(Expression::Lookup { table: table.clone(), key: key.clone(), value: inside })
            }
        },
        _ => Some(value),
    }
}

/// A value in which a column of the row that is so many rows outwards is something that looks at no row in scope.
pub(super) fn instead_of(
    value: &Expression,
    outwards: usize,
    column: usize,
    set: &Expression,
) -> Option<Expression> {
    match value {
        Expression::Column { depth, column: of } if *depth == outwards && *of == column => {
            Some(set.clone())
        }
        Expression::Lookup { table, key, value } => {
            let key = Box::new(instead_of(key, outwards, column, set)?);
            let value = Box::new(instead_of(value, outwards + 1, column, set)?);
            Some(Expression::Lookup { table: table.clone(), key, value })
        }
        Expression::Aggregate { .. } => Some(value.clone()),
        _ => value.with_children(&mut |child| instead_of(child, outwards, column, set)),
    }
}

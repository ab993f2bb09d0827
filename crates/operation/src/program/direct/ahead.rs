//! What values may be before anything is done, where steps that come before change what they are looked up in: rows that will be found by
//! them are locked with all others.

use super::forming::Forming;
use super::obstacle::Reason;
use super::rule::nodes;
use super::stepping::{Set, Stepping, columns_of};
use crate::{Expression, TableId};

/// As many things as are taken into account that a value may be. Where it is another one, the transaction ends.
const MOST_WAYS: usize = 32;
/// As many nodes as one of them may have.
const LARGEST_WAY: usize = 256;

impl Stepping {
    /// What a value that stands over rows as they are at a step may be, over those that are there before anything is done.
    pub(super) fn ways(&self, value: &Expression) -> Result<Vec<Expression>, Reason> {
        if let Expression::Bind(bind) = value {
            let kept = self.ahead.iter().find(|(of, _)| of == bind);
            return Ok(kept.map_or_else(|| vec![value.clone()], |(_, ways)| ways.clone()));
        }
        // A row that is made is not there yet, but what it is made of.
        let made = self.made_of(value);
        let mut all = made.map(<[_]>::to_vec).unwrap_or_default();
        let others = if made.is_some() { Vec::new() } else { self.ways_of_children(value)? };
        for way in others {
            match self.made_of(&way) {
                Some(made) => made.iter().for_each(|way| add(&mut all, way)),
                None => add(&mut all, &way),
            }
        }
        let Expression::Lookup { table, value: inside, .. } = value else { return Ok(all) };
        // It may be what a step before has made of it.
        let untouched = all.clone();
        for Set { ways, column, .. } in self.set.iter().filter(|set| set.table == table.id) {
            if !columns_of(inside, 0).contains(column) {
                continue;
            }
            for set in ways {
                if matches!(**inside, Expression::Column { .. }) {
                    add(&mut all, set);
                    continue;
                }
                for way in &untouched {
                    if all.len() == MOST_WAYS {
                        return Ok(all);
                    }
                    let Expression::Lookup { table, key, value } = way else { continue };
                    let value = instead_of(value, 0, *column, set).ok_or(Reason::NotInSql)?;
                    let (table, key, value) = (table.clone(), key.clone(), Box::new(value));
                    add(&mut all, &Expression::Lookup { table, key, value });
                }
            }
        }
        Ok(all)
    }

    /// The same with each expression that stands directly inside a value being one of what it may be.
    fn ways_of_children(&self, value: &Expression) -> Result<Vec<Expression>, Reason> {
        let mut children = Vec::new();
        value.children(&mut |child| children.push(self.ways(child)));
        let children = children.into_iter().collect::<Result<Vec<_>, _>>()?;
        let all = children.iter().fold(1_usize, |all, ways| all.saturating_mul(ways.len()));
        let way = |mut nth: usize| {
            let mut ways = children.iter();
            value.with_children(&mut |_| {
                let ways = ways.next()?;
                let way = ways.get(nth.checked_rem(ways.len())?);
                nth /= ways.len();
                way.cloned()
            })
        };
        (0..all.min(MOST_WAYS)).map(way).collect::<Option<_>>().ok_or(Reason::NotInSql)
    }

    /// What stands in a column of a row that is made.
    fn made_of(&self, value: &Expression) -> Option<&[Expression]> {
        let Expression::Lookup { key, value, .. } = value else { return None };
        let Expression::Column { depth: 0, column } = &**value else { return None };
        let made = self.made.iter().find(|made| made.key == **key)?;
        made.values.get(*column)?.as_deref()
    }
}

/// Adds one more thing that a value may be, if it is not too large.
fn add(ways: &mut Vec<Expression>, way: &Expression) {
    if ways.len() < MOST_WAYS && nodes(way) <= LARGEST_WAY && !ways.contains(way) {
        ways.push(way.clone());
    }
}

impl Forming<'_> {
    /// What a value may be, over rows that are there before anything is done.
    pub(super) fn may_be(&self, value: &Expression) -> Result<Vec<Expression>, Reason> {
        let stepping = self.stepping.as_ref().ok_or(Reason::NotInSql)?;
        let mut room = LARGEST_WAY;
        let mut ways = stepping.ways(value)?;
        ways.retain(|way| {
            let fits = nodes(way) <= room;
            room -= if fits { nodes(way) } else { 0 };
            fits
        });
        Ok(ways)
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

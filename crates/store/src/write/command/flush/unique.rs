//! Unique values that one row gives up and another one takes.

use operation::Value;
use rustc_hash::{FxHashMap, FxHashSet};

use super::{Positions, Settled, Updates};

/// Updates in an order in which a row takes a unique value behind the one that gives it up. Of rows that trade them the database says that it cannot
/// be.
pub(super) fn free_first(all: &[Settled<'_>], updates: Updates) -> Updates {
    let tuple = |row: &[Value], columns: &[usize]| {
        let values = columns.iter().map(|at| row.get(*at).cloned().filter(|it| !it.is_null()));
        values.collect::<Option<Vec<Value>>>()
    };
    let changed = |at: usize| {
        let change = all.get(at)?;
        Some((change.place.table, change.old.as_deref()?, change.new.as_deref()?))
    };
    let of_each = |at: usize| {
        let moves = changed(at).into_iter().flat_map(move |(table, old, new)| {
            table.uniques.iter().enumerate().filter_map(move |(nth, unique)| {
                let (old, new) = (tuple(old, &unique.columns), tuple(new, &unique.columns));
                (old != new).then_some(((table.id, nth), old, new))
            })
        });
        moves.collect::<Vec<_>>()
    };
    let rows = updates.iter().flat_map(|(_, rows)| rows.iter().copied());
    let moves: Vec<_> =
        rows.flat_map(|at| of_each(at).into_iter().map(move |of| (at, of))).collect();
    let given_up: FxHashMap<_, usize> = moves
        .iter()
        .filter_map(|(at, (unique, old, _))| Some(((*unique, old.clone()?), *at)))
        .collect();
    let mut behind: FxHashMap<usize, Positions> = FxHashMap::default();
    for (at, (unique, _, new)) in &moves {
        let before = new.clone().and_then(|new| given_up.get(&(*unique, new)));
        if let Some(before) = before.filter(|before| *before != at) {
            behind.entry(*at).or_default().push(*before);
        }
    }
    if behind.is_empty() {
        return updates;
    }
    let mut left = updates;
    let mut ordered = Updates::new();
    while !left.is_empty() {
        let waiting: FxHashSet<usize> =
            left.iter().flat_map(|(_, rows)| rows.iter().copied()).collect();
        let is_free = |at: &usize| {
            behind.get(at).is_none_or(|before| !before.iter().any(|it| waiting.contains(it)))
        };
        let (mut now, mut later) = (Updates::new(), Updates::new());
        for (columns, rows) in left {
            let (free, waits) = rows.into_iter().partition::<Positions, _>(is_free);
            for (rows, of) in [(free, &mut now), (waits, &mut later)] {
                if !rows.is_empty() {
                    of.push((columns.clone(), rows));
                }
            }
        }
        if now.is_empty() {
            std::mem::swap(&mut now, &mut later);
        }
        ordered.append(&mut now);
        left = later;
    }
    ordered
}

//! In which order the tables of a flush come.

use operation::TableId;

use super::circles::may_be_empty;
use super::{Positions, Settled};

/// New rows or those that go, by position, with their table.
type Waiting = (TableId, Positions);

/// Tables in an order in which rows can come: what is referred to before what refers to it. Of those that refer to each other in a circle one
/// comes first whose references may be empty for a while, as [`super::circles::circles`] has them. What refers to a circle comes behind it.
pub(super) fn in_order(all: &[Settled<'_>], mut waiting: Vec<Waiting>) -> Vec<Waiting> {
    let mut ordered = Vec::with_capacity(waiting.len());
    while !waiting.is_empty() {
        let free = waiting.iter().position(|of| awaited(all, &waiting, of).next().is_none());
        let next = free.unwrap_or_else(|| first_of_circle(all, &waiting));
        ordered.push(waiting.remove(next));
    }
    ordered
}

/// The place of the table that comes first where each refers to another one that waits.
fn first_of_circle(all: &[Settled<'_>], waiting: &[Waiting]) -> usize {
    let awaited: Vec<Vec<Awaited>> =
        waiting.iter().map(|of| awaited(all, waiting, of).collect()).collect();
    let in_circle = (0..waiting.len()).filter(|at| is_in_circle(&awaited, *at));
    let may_come = |at: &usize| awaited[*at].iter().all(|of| of.may_be_empty);
    // Where no row can begin the circle, the database says so.
    in_circle.clone().find(may_come).or_else(|| in_circle.min()).unwrap_or(0)
}

/// Another table that waits and is referred to.
struct Awaited {
    /// Its place among those that wait.
    at: usize,
    /// Whether the reference may be empty for a while.
    may_be_empty: bool,
}

fn awaited<'w>(
    all: &'w [Settled<'_>],
    waiting: &'w [Waiting],
    (id, rows): &'w Waiting,
) -> impl Iterator<Item = Awaited> + 'w {
    let first = rows.first().and_then(|at| all.get(*at));
    let keys =
        first.map(|first| first.place.table.foreign_keys.iter().map(move |key| (first, key)));
    keys.into_iter().flatten().filter(|(_, key)| key.target != *id).filter_map(|(first, key)| {
        let at = waiting.iter().position(|(other, _)| *other == key.target)?;
        Some(Awaited { at, may_be_empty: may_be_empty(first, key.column) })
    })
}

/// Whether a table is led to by what it refers to, however far.
fn is_in_circle(awaited: &[Vec<Awaited>], table: usize) -> bool {
    let mut seen = vec![false; awaited.len()];
    let mut next = vec![table];
    while let Some(at) = next.pop() {
        for to in awaited.get(at).into_iter().flatten() {
            if to.at == table {
                return true;
            }
            if !std::mem::replace(&mut seen[to.at], true) {
                next.push(to.at);
            }
        }
    }
    false
}

//! New rows that refer to each other in a circle: one of them comes without its reference, and is given it when all are there.

use std::sync::Arc;

use operation::{TableId, Value};

use super::Values;
use super::order::in_order;
use super::{Settled, add};

/// New rows, by position, as they come first: without references that may be empty and lead to rows that come later.
pub(super) fn circles(all: &[Settled<'_>]) -> Vec<(usize, Option<Values>)> {
    let mut inserts = Vec::new();
    for (at, change) in all.iter().enumerate().filter(|(_, change)| change.old.is_none()) {
        add(&mut inserts, change.place.table.id, at);
    }
    if !all.iter().any(|change| refers_to_another(all, change)) {
        return Vec::new();
    }
    let ordered = in_order(all, inserts);
    let own = |at: &usize| {
        let change: &Settled<'_> = all.get(*at)?;
        change.new.as_ref()?.get(change.place.table.own_key())
    };
    let comes_at = |table: TableId, key: &Value| {
        let (of, (_, rows)) = ordered.iter().enumerate().find(|(_, (id, _))| *id == table)?;
        Some((of, rows.iter().position(|at| own(at) == Some(key))?))
    };
    let mut circles = Vec::new();
    for (of, (_, rows)) in ordered.iter().enumerate() {
        for (nth, at) in rows.iter().enumerate() {
            let Some((change, new)) = all.get(*at).and_then(|it| Some((it, it.new.as_ref()?)))
            else {
                continue;
            };
            let table = change.place.table;
            let mut first = Vec::new();
            for key in table.foreign_keys.iter().filter(|key| may_be_empty(change, key.column)) {
                let value = new.get(key.column).filter(|value| !value.is_null());
                let later = value.and_then(|value| comes_at(key.target, value));
                if later.is_some_and(|later| later > (of, nth)) {
                    first.push(key.column);
                }
            }
            if !first.is_empty() {
                let with = |(column, value): (usize, &Value)| match first.contains(&column) {
                    true => Value::Null,
                    false => value.clone(),
                };
                let values: Arc<[Value]> = new.iter().enumerate().map(with).collect();
                circles.push((*at, Some(values)));
            }
        }
    }
    circles
}

/// Whether a new row refers to a new one by a reference that may be empty.
fn refers_to_another(all: &[Settled<'_>], change: &Settled<'_>) -> bool {
    let Some(new) = change.new.as_ref().filter(|_| change.old.is_none()) else { return false };
    change.place.table.foreign_keys.iter().any(|key| {
        let value = new.get(key.column).filter(|value| !value.is_null());
        may_be_empty(change, key.column)
            && value.is_some_and(|value| super::is_there(all, key.target, value))
    })
}

/// Whether a reference may be empty for a while. Where parts have unique ones, they come anew as a whole.
pub(super) fn may_be_empty(change: &Settled<'_>, column: usize) -> bool {
    let table = change.place.table;
    let nullable = table.columns.get(column).is_some_and(|column| column.nullable);
    let is_unique = || table.uniques.iter().any(|unique| unique.columns.contains(&column));
    nullable && (change.place.at == 0 || !is_unique())
}

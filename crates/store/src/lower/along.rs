//! Rows locked by their keys, and with rows that go those that go along with them, or lose something by it.

use std::sync::Arc;

use operation::{Column, Dialect, Fault, Ident, Scalar, Sql, Table};

use super::cleared::{Through, With};
use super::expression::{Lowering, ill_formed};
use super::many::{NOT_WAITING, array};
use super::{Lock, Settings, Statement, ahead};
use crate::postgres::value::type_name;

/// Rows of a table that go along with others, or lose something when those go.
#[derive(Debug, Clone)]
pub(crate) struct Along {
    /// The table.
    pub table: Arc<Table>,
    /// Whether some of them go.
    pub goes: bool,
    /// How they are found.
    pub trails: Vec<Trail>,
}

/// How rows are found that go along with others, or lose something.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Trail {
    /// The column that holds their keys: their own, or that of their parts.
    pub pick: Ident,
    /// The table in which it stands.
    pub from: Ident,
    /// The column that leads to what goes.
    pub column: Ident,
    /// To a row that goes with another one, and so on.
    pub through: Vec<Through>,
    /// Which of the tables of which rows go first.
    pub gone: usize,
}

/// Where keys of rows come from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Keys<'k> {
    pub table: &'k Table,
    /// What was found besides those that are given: of a command that is sent step by step, what was looked up ahead.
    pub found: &'k [usize],
}

/// What is locked of a table, in the order of its keys.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Held<'h> {
    /// The rows that are named: the first array holds their keys.
    pub of: Keys<'h>,
    pub lock: Lock,
    /// Whether others may hold them meanwhile.
    pub waits: bool,
    pub settings: Settings<'h>,
    /// Whether the transaction ends where one of those is not there. What was looked up ahead need not be.
    pub all: bool,
    /// The rows besides.
    pub along: &'h [Trail],
    /// What goes: for each of those that [lead](led_to) to them a further array holds the keys.
    pub gone: &'h [Keys<'h>],
}

impl Along {
    /// How its rows are locked, where this is asked for besides.
    pub fn lock(&self, besides: Lock) -> Lock {
        besides.max(if self.goes { Lock::Going } else { Lock::Held })
    }

    /// Whether some are found by way of tables whose rows go with each other in a circle.
    pub fn is_of_circle(&self) -> bool {
        let circles = |through: &Through| matches!(through.with, With::Circle(..));
        self.trails.iter().any(|trail| trail.through.iter().any(circles))
    }
}

/// Which of the tables of which rows go first lead to these rows: in this order stand the arrays of their keys.
pub(crate) fn led_to(along: &[Trail]) -> Vec<usize> {
    let mut gone: Vec<usize> = along.iter().map(|trail| trail.gone).collect();
    gone.sort_unstable();
    gone.dedup();
    gone
}

/// Locks rows, in the order of their keys. Where not all must be there it is kept which are.
pub(crate) fn held(held: Held<'_>) -> Result<Statement, Fault> {
    let Held { of, lock, waits, settings, all, along, gone } = held;
    let table = of.table;
    let own = own_of(table)?;
    let named = |sql: &mut Sql| keys(sql, 0, of, settings);
    let arrays = led_to(along);
    let mut lowering = Lowering::new(Dialect::Postgres, 0, &[]);
    lowering.sql.push("WITH held AS (SELECT ").ident(&own.name).push(" AS k FROM ");
    lowering.sql.ident(&table.name).push(" WHERE ").ident(&own.name).push(" = ANY(");
    named(&mut lowering.sql)?;
    for (at, trail) in along.iter().enumerate() {
        let Trail { pick, from, column, through, gone: of } = trail;
        lowering.sql.push(if at == 0 { " || ARRAY(SELECT " } else { " UNION ALL SELECT " });
        lowering.sql.ident(pick).push(" FROM ").ident(from).push(" WHERE ").ident(column);
        lowering.by_way(through, *of, &mut |it, of| {
            let array = arrays.iter().position(|at| *at == of);
            let known = array.zip(gone.get(of)).ok_or_else(|| ill_formed("nothing goes there"));
            let (array, of) = known?;
            it.sql.push(" = ANY(");
            keys(&mut it.sql, array + 1, *of, settings)?;
            it.sql.push(")");
            Ok(())
        })?;
    }
    lowering.sql.push(if along.is_empty() { "" } else { ")" });
    lowering.sql.push(") ORDER BY ").ident(&own.name).push(lock.clause());
    lowering.sql.push(if waits { "" } else { NOT_WAITING }).push(") SELECT ");
    let is_ahead = settings.in_steps && !of.found.is_empty();
    // What was looked up ahead may not be there yet.
    let surely = |sql: &mut Sql| match is_ahead {
        true => {
            array(sql, 0, own, type_name);
            Ok(())
        }
        false => named(sql),
    };
    lowering.sql.push(if all { "1 / (count(*)" } else { "count(*)" });
    if all && (is_ahead || !along.is_empty()) {
        lowering.sql.push(" FILTER (WHERE k = ANY(");
        surely(&mut lowering.sql)?;
        lowering.sql.push("))");
    }
    if all {
        lowering.sql.push(" = (SELECT count(DISTINCT u.k) FROM unnest(");
        surely(&mut lowering.sql)?;
        lowering.sql.push(") AS u(k)))::int");
    }
    if is_ahead || !all {
        lowering.sql.push(", set_config(");
        ahead::name_of_locked(&mut lowering.sql, table);
        lowering.sql.push(", coalesce(array_agg(k)::text, ''), true)");
    }
    lowering.sql.push(" FROM held");
    Ok(lowering.finish(vec![Scalar::Int]))
}

/// Writes keys: the array at this place, and what was found besides.
fn keys(
    sql: &mut Sql,
    at: usize,
    Keys { table, found }: Keys<'_>,
    settings: Settings<'_>,
) -> Result<(), Fault> {
    array(sql, at, own_of(table)?, type_name);
    if settings.in_steps {
        for site in found {
            sql.push(" || ");
            settings.write_all_of(sql, *site)?;
        }
        return Ok(());
    }
    for (at, found) in found.iter().enumerate() {
        sql.push(if at == 0 { " || ARRAY[" } else { ", " });
        settings.write_found(sql, *found)?;
    }
    sql.push(if found.is_empty() { "" } else { "]" });
    Ok(())
}

fn own_of(table: &Table) -> Result<&Column, Fault> {
    table.columns.get(table.own_key()).ok_or_else(|| ill_formed("no key"))
}

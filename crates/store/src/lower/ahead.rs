//! What is looked up before a command that is sent step by step does anything: keys of rows that it will find by what stands in others, and
//! keys under which it will tell something, of all turns of its loops. They are kept as arrays, in settings of the transaction.

use operation::{Dialect, Fault, Scalar, Site, Sql, Table, Value};

use super::expression::{Lowering, binds_of, ill_formed};
use super::many::given;
use super::{Settings, Statement};
use crate::postgres::value::type_name;

fn name(sql: &mut Sql, at: usize) {
    let at = i64::try_from(at).unwrap_or(i64::MAX);
    sql.push("'mimar.h").integer(at).push("'");
}

impl Settings<'_> {
    fn site(&self, at: usize) -> Result<&Site, Fault> {
        self.sites.get(at).ok_or_else(|| ill_formed("nothing is looked up ahead"))
    }

    /// Writes all that was looked up at a place, as an array.
    pub fn write_all_of(&self, sql: &mut Sql, at: usize) -> Result<(), Fault> {
        let site = self.site(at)?;
        let scalar = if site.table.is_some() { site.scalar } else { Scalar::Text };
        // Empty, where no turn has come to it.
        sql.push("nullif(current_setting(");
        name(sql, at);
        sql.push(", true), '')::").push(type_name(scalar)).push("[]");
        Ok(())
    }
}

/// Writes all rows of a table that are locked, as an array of their keys.
fn locked(sql: &mut Sql, table: &Table, scalar: Scalar) {
    sql.push("nullif(current_setting(");
    name_of_locked(sql, table);
    sql.push(", true), '')::").push(type_name(scalar)).push("[]");
}

/// Writes the name under which it is kept which rows of a table are locked.
pub(super) fn name_of_locked(sql: &mut Sql, table: &Table) {
    sql.push("'mimar.l").integer(i64::from(table.id.0)).push("'");
}

/// Looks up what stands at a place in each turn, and keeps it. `hints`: what the binds of one may hold.
pub(crate) fn look(settings: Settings<'_>, at: usize, hints: &[Value]) -> Result<Statement, Fault> {
    let Site { table, scalar, ahead, .. } = settings.site(at)?;
    if binds_of(ahead) > hints.len() {
        return Err(ill_formed("no such bind"));
    }
    let mut lowering = Lowering::of_given(hints.len(), hints).with(settings);
    lowering.sql.push("SELECT set_config(");
    name(&mut lowering.sql, at);
    lowering.sql.push(", coalesce(array_agg(DISTINCT s.v) FILTER (WHERE s.v IS NOT NULL), '{}')::text, true) FROM (SELECT ");
    lowering.sql.push(if ahead.len() > 1 { "unnest(ARRAY[" } else { "" });
    for (at, value) in ahead.iter().enumerate() {
        lowering.sql.push(if at > 0 { ", " } else { "" });
        match table {
            Some(_) => lowering.kept(value, *scalar)?,
            None => lowering.text_of_key(value, *scalar)?,
        }
    }
    lowering.sql.push(if ahead.len() > 1 { "]) AS v FROM " } else { " AS v FROM " });
    let mut statement = lowering.finish(vec![Scalar::Text]);
    let mut sql = Sql::new(Dialect::Postgres);
    given(&mut sql, &statement.parameters, 0, type_name, |_| ());
    statement.text.push_str(&sql.finish());
    statement.text.push_str(" OFFSET 0) AS s");
    Ok(statement)
}

/// Ends the transaction where what stands at a place is neither of the rows of its table that are locked, nor of the keys that were looked up
/// there.
pub(crate) fn is_among(
    settings: Settings<'_>,
    at: usize,
    binds: &[Value],
) -> Result<Statement, Fault> {
    let site = settings.site(at)?;
    if binds_of([&site.value]) > binds.len() {
        return Err(ill_formed("no such bind"));
    }
    let scalar = if site.table.is_some() { site.scalar } else { Scalar::Text };
    let mut lowering = Lowering::new(Dialect::Postgres, binds.len(), binds).with(settings);
    lowering.sql.push("SELECT 1 / coalesce(s.v IS NULL OR s.v = ANY(");
    match &site.table {
        Some(table) => locked(&mut lowering.sql, table, scalar),
        None => settings.write_all_of(&mut lowering.sql, at)?,
    }
    lowering.sql.push("), false)::int FROM (SELECT ");
    lowering.kept(&site.value, scalar)?;
    lowering.sql.push(" AS v OFFSET 0) AS s");
    Ok(lowering.finish(vec![Scalar::Int]))
}

//! What is looked up before a command that is sent step by step does anything: keys of rows that it will find by what stands in others, and
//! keys under which it will tell something, of all turns of its loops. They are kept as arrays, in settings of the transaction.

use operation::{Dialect, EachPart, Expression, Fault, Scalar, Site, Sql, Table, Value};

use super::expression::{Lowering, binds_of, ill_formed};
use super::many::given;
use super::{Lock, Settings, Statement};
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

/// Writes whether `s.v` is the key of a row that nobody else may change: one that is locked, or can be without waiting, or that this transaction
/// has made or deleted.
fn is_held(sql: &mut Sql, site: &Site, table: &Table, lock: Lock) -> Result<(), Fault> {
    let own = table.columns.get(table.own_key()).ok_or_else(|| ill_formed("no key"))?;
    sql.push("s.v = ANY(");
    locked(sql, table, site.scalar);
    sql.push(")");
    if site.may_be_made {
        sql.push(" OR EXISTS (SELECT 1 FROM ").ident(&table.name).push(" AS m WHERE m.");
        sql.ident(&own.name).push(" = s.v AND m.xmin = pg_current_xact_id()::xid)");
    }
    // Nothing is what stands there.
    if site.may_be_gone {
        sql.push(" OR NOT EXISTS (SELECT 1 FROM ").ident(&table.name).push(" AS m WHERE m.");
        sql.ident(&own.name).push(" = s.v)");
    }
    // There is no order any more in which all would lock it, or what goes along with it.
    if lock != Lock::Free && lock != Lock::Going {
        sql.push(" OR EXISTS (SELECT 1 FROM ").ident(&table.name).push(" AS m WHERE m.");
        sql.ident(&own.name).push(" = s.v").push(lock.clause()).push(" SKIP LOCKED)");
    }
    Ok(())
}

/// Writes the keys of the rows of a table that are locked.
pub(super) fn locked(sql: &mut Sql, table: &Table, scalar: Scalar) {
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
    let Site { table, scalar, ahead, each, .. } = settings.site(at)?;
    let roots = each.iter().flat_map(|each| &each.ahead);
    if binds_of(ahead.iter().chain(roots)) > hints.len() {
        return Err(ill_formed("no such bind"));
    }
    let mut lowering = Lowering::of_given(hints.len(), hints).with(settings);
    lowering.sql.push("SELECT set_config(");
    name(&mut lowering.sql, at);
    lowering.sql.push(", coalesce(array_agg(DISTINCT s.v) FILTER (WHERE s.v IS NOT NULL), '{}')::text, true) FROM (SELECT ");
    let outer = each.as_ref().map(|each| lowering.parts_in_scope(each));
    lowering.sql.push(if ahead.len() > 1 { "unnest(ARRAY[" } else { "" });
    for (at, value) in ahead.iter().enumerate() {
        lowering.sql.push(if at > 0 { ", " } else { "" });
        match table {
            Some(_) => lowering.kept(value, *scalar)?,
            None => lowering.text_of_key(value, *scalar)?,
        }
    }
    lowering.sql.push(if ahead.len() > 1 { "]) AS v FROM " } else { " AS v FROM " });
    // What is given stands before what draws on it, and is known behind it.
    let head = std::mem::replace(&mut lowering.sql, Sql::new(Dialect::Postgres));
    if let Some((each, outer)) = each.as_ref().zip(outer) {
        lowering.sql.push(", ");
        lowering.parts(each, &each.ahead, outer)?;
    }
    let mut statement = lowering.finish(vec![Scalar::Text]);
    let mut rows = Sql::new(Dialect::Postgres);
    given(&mut rows, &statement.parameters, 0, type_name, |_| ());
    let (head, rows) = (head.finish(), rows.finish());
    statement.text = format!("{head}{rows}{} OFFSET 0) AS s", statement.text);
    Ok(statement)
}

impl<'a> Lowering<'a> {
    /// Brings the parts of a row into scope, with that row around; told is what was in scope before.
    fn parts_in_scope(&mut self, each: &'a EachPart) -> Vec<(usize, &'a Table)> {
        let within = each.within.iter().map(|inner| &*inner.table);
        let tables = [&*each.root, &*each.part].into_iter().chain(within);
        let scope = tables.map(|table| (self.alias(), table)).collect();
        std::mem::replace(&mut self.scope, scope)
    }

    /// Writes from where the parts in scope are: those of a row with one of these keys, which see what was in scope before.
    fn parts(
        &mut self,
        each: &'a EachPart,
        keys: &'a [Expression],
        outer: Vec<(usize, &'a Table)>,
    ) -> Result<(), Fault> {
        let all = self.scope.clone();
        let [(root, root_table), (part, part_table), within @ ..] = &all[..] else {
            return Err(ill_formed("no part is in scope"));
        };
        let (root, part) = (*root, *part);
        let of = |part: &Table| part.root.ok_or_else(|| ill_formed("a part of nothing"));
        for (at, (alias, table)) in all.iter().enumerate() {
            self.sql.push(if at > 0 { ", " } else { "" });
            self.table(*alias, table);
        }
        self.sql.push(" WHERE ");
        self.column(part, part_table, of(part_table)?)?;
        self.sql.push(" = ");
        self.column(root, root_table, root_table.own_key())?;
        for (nth, ((alias, table), inner)) in within.iter().zip(&each.within).enumerate() {
            self.scope = all.iter().take(nth + 2).copied().collect();
            self.sql.push(" AND ");
            self.column_is(*alias, table, of(table)?, &inner.root)?;
        }
        self.scope = outer;
        self.sql.push(" AND (");
        for (at, key) in keys.iter().enumerate() {
            self.sql.push(if at > 0 { " OR " } else { "" });
            self.column_is(root, root_table, root_table.own_key(), key)?;
        }
        self.sql.push(")");
        Ok(())
    }
}

/// Ends the transaction where what stands at a place is neither of the rows of its table that are locked, nor of the keys that were looked up
/// there; `lock`: as rows of that table are. What is neither is locked now, if nobody is waited for.
pub(crate) fn is_among(
    settings: Settings<'_>,
    (at, lock): (usize, Lock),
    binds: &[Value],
) -> Result<Statement, Fault> {
    let site = settings.site(at)?;
    let root = site.each.as_ref().map(|each| &each.key);
    if binds_of([&site.value].into_iter().chain(root)) > binds.len() {
        return Err(ill_formed("no such bind"));
    }
    if let (Some(each), Some(table)) = (&site.each, &site.table) {
        return are_locked(settings, (site, each, table, lock), binds);
    }
    let scalar = if site.table.is_some() { site.scalar } else { Scalar::Text };
    let mut lowering = Lowering::new(Dialect::Postgres, binds.len(), binds).with(settings);
    lowering.sql.push("SELECT 1 / coalesce(s.v IS NULL OR ");
    match &site.table {
        Some(table) => is_held(&mut lowering.sql, site, table, lock)?,
        None => {
            lowering.sql.push("s.v = ANY(");
            settings.write_all_of(&mut lowering.sql, at)?;
            lowering.sql.push(")");
            // As with rows.
            if let Some(event) = &site.event {
                lowering.sql.push(" OR pg_try_advisory_xact_lock(hashtextextended(");
                lowering.sql.literal(&format!("{event}/")).push(" || s.v, 0))");
            }
        }
    }
    lowering.sql.push(", false)::int FROM (SELECT ");
    lowering.kept(&site.value, scalar)?;
    lowering.sql.push(" AS v OFFSET 0) AS s");
    Ok(lowering.finish(vec![Scalar::Int]))
}

/// The same of what stands in each part of a row.
fn are_locked<'s>(
    settings: Settings<'s>,
    (site, each, table, lock): (&'s Site, &'s EachPart, &Table, Lock),
    binds: &'s [Value],
) -> Result<Statement, Fault> {
    let mut lowering = Lowering::new(Dialect::Postgres, binds.len(), binds).with(settings);
    lowering.sql.push("SELECT 1 / (count(*) = 0)::int FROM (SELECT ");
    let outer = lowering.parts_in_scope(each);
    lowering.kept(&site.value, site.scalar)?;
    lowering.sql.push(" AS v FROM ");
    lowering.parts(each, std::slice::from_ref(&each.key), outer)?;
    lowering.sql.push(" OFFSET 0) AS s WHERE NOT coalesce(s.v IS NULL OR ");
    is_held(&mut lowering.sql, site, table, lock)?;
    lowering.sql.push(", false)");
    Ok(lowering.finish(vec![Scalar::Int]))
}

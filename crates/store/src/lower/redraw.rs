//! Computed columns and rules that draw on what a deletion empties or takes along: which rows that is about is kept before, and when it is
//! done, what they draw on it is worked out and looked at.
//!
//! On PostgreSQL the keys of those rows stand in a setting of the transaction, an array for each reference; on SQLite, where only one writes, in
//! a table of its connection.

use operation::{
    Column, Dialect, Expression, Fault, Native, Redraw, Rule, Scalar, Sql, Stage, Table, Value,
};

use super::cleared::{Cleared, Keys};
use super::expression::{Lowering, binds_of, ill_formed};
use super::{Settings, Statement};
use crate::kept;
use crate::postgres::value::type_name;

/// The table of a connection to SQLite that keeps keys.
pub(crate) const KEPT: &str = "CREATE TEMP TABLE IF NOT EXISTS mimar_redraw \
     (of TEXT NOT NULL, key NOT NULL, PRIMARY KEY (of, key)) WITHOUT ROWID";

/// Forgets the keys that are kept on SQLite. A setting ends with its transaction, and to look at a row once more does no harm.
pub(crate) const FORGET: &str = "DELETE FROM temp.mimar_redraw";

/// Keeps which rows lose what something draws on when rows of these keys go, besides those that are kept already. `cleared`: only by what
/// that is.
pub(crate) fn keep(
    dialect: Dialect,
    (cleared, redraw): (&Cleared, &Redraw),
    keys: Keys<'_>,
) -> Result<Statement, Fault> {
    let mut lowering = Lowering::new(dialect, keys.count(), &[]);
    lowering.keeping(redraw)?;
    lowering.which(cleared, keys)?;
    lowering.kept_besides();
    Ok(lowering.finish(vec![Scalar::Text]))
}

/// The same of one row that goes, for whose key this stands. `binds` are what the binds hold.
pub(crate) fn keep_by(
    settings: Settings<'_>,
    (cleared, redraw): (&Cleared, &Redraw),
    (key, scalar): (&Expression, Scalar),
    binds: &[Value],
) -> Result<Statement, Fault> {
    if binds_of([key]) > binds.len() {
        return Err(ill_formed("no such bind"));
    }
    let mut lowering = Lowering::new(Dialect::Postgres, binds.len(), binds).with(settings);
    lowering.keeping(redraw)?;
    lowering.which_by(cleared, key, scalar)?;
    lowering.kept_besides();
    Ok(lowering.finish(vec![Scalar::Text]))
}

/// `UPDATE` that works columns out.
pub(crate) fn work_out(
    dialect: Dialect,
    redraw: &Redraw,
    stage: &Stage,
) -> Result<Statement, Fault> {
    let mut lowering = Lowering::new(dialect, 0, &[]);
    let alias = lowering.alias();
    lowering.sql.push("UPDATE ");
    lowering.table(alias, &stage.table);
    for (at, (column, value)) in stage.set.iter().enumerate() {
        let column =
            stage.table.columns.get(*column).ok_or_else(|| ill_formed("no such column"))?;
        lowering.sql.push(if at == 0 { " SET " } else { ", " }).ident(&column.name).push(" = ");
        lowering.written((alias, &stage.table), column, value)?;
    }
    lowering.sql.push(" WHERE ");
    lowering.is_kept(alias, redraw, &stage.table)?;
    Ok(lowering.finish(Vec::new()))
}

/// Answers of each rule whether a row breaks it. The one bind, if it is wanted, is the moment.
pub(crate) fn broken(
    dialect: Dialect,
    rules: &[(&Redraw, &Rule)],
    now: &[Value],
) -> Result<Statement, Fault> {
    let mut lowering = Lowering::new(dialect, now.len(), now);
    lowering.sql.push("SELECT ");
    for (at, (redraw, rule)) in rules.iter().enumerate() {
        lowering.sql.push(if at > 0 { ", " } else { "" });
        lowering.is_broken(redraw, rule)?;
    }
    Ok(lowering.finish(vec![Scalar::Bool; rules.len()]))
}

/// Ends the transaction of PostgreSQL where a row breaks one of the rules.
pub(crate) fn insist(rules: &[(&Redraw, &Rule)], now: &[Value]) -> Result<Statement, Fault> {
    let mut lowering = Lowering::new(Dialect::Postgres, now.len(), now);
    lowering.sql.push("SELECT 1 / (NOT (");
    for (at, (redraw, rule)) in rules.iter().enumerate() {
        lowering.sql.push(if at > 0 { " OR " } else { "" });
        lowering.is_broken(redraw, rule)?;
    }
    lowering.sql.push("))::int");
    Ok(lowering.finish(vec![Scalar::Int]))
}

fn own_of(root: &Table) -> Result<&Column, Fault> {
    root.columns.get(root.own_key()).ok_or_else(|| ill_formed("no key"))
}

/// Writes the name under which the keys of roots are kept.
fn name(sql: &mut Sql, Redraw { root, table, column, .. }: &Redraw) {
    let column = i64::try_from(*column).unwrap_or(i64::MAX);
    sql.push("'mimar.d").integer(i64::from(root.id.0)).push("_");
    sql.integer(i64::from(table.id.0)).push("_").integer(column).push("'");
}

/// Writes the keys that are kept on PostgreSQL, as an array or null.
fn all_kept(sql: &mut Sql, redraw: &Redraw) -> Result<(), Fault> {
    sql.push("nullif(current_setting(");
    name(sql, redraw);
    sql.push(", true), '')::").push(type_name(own_of(&redraw.root)?.scalar)).push("[]");
    Ok(())
}

impl<'a> Lowering<'a> {
    /// Writes what keeps keys of a table, up to the conditions of its rows.
    fn keeping(&mut self, redraw: &Redraw) -> Result<(), Fault> {
        let root = &*redraw.root;
        let own = own_of(root)?;
        match self.sql.dialect() {
            Dialect::Sqlite => {
                self.sql.push("INSERT OR IGNORE INTO temp.mimar_redraw (of, key) SELECT ");
                name(&mut self.sql, redraw);
                self.sql.push(", ");
            }
            Dialect::Postgres => {
                self.sql.push("SELECT set_config(");
                name(&mut self.sql, redraw);
                self.sql.push(
                    ", coalesce(array_agg(DISTINCT s.k), '{}')::text, true) FROM (SELECT unnest(",
                );
                all_kept(&mut self.sql, redraw)?;
                self.sql.push(") AS k UNION ALL SELECT ");
            }
        }
        self.sql.ident(&own.name).push(" FROM ").ident(&root.name).push(" WHERE ");
        Ok(())
    }

    fn kept_besides(&mut self) {
        if self.sql.dialect() == Dialect::Postgres {
            self.sql.push(") AS s");
        }
    }

    /// Writes that a row is kept, or a part of one that is; of parts that lose a reference only those that have none.
    fn is_kept(&mut self, alias: usize, redraw: &Redraw, table: &Table) -> Result<(), Fault> {
        let root = &*redraw.root;
        let key = if table.id == root.id { Some(root.own_key()) } else { table.root };
        let key = key.and_then(|key| table.columns.get(key)).ok_or_else(|| ill_formed("no key"))?;
        self.sql.alias("t", alias).push(".").ident(&key.name);
        match self.sql.dialect() {
            Dialect::Sqlite => {
                self.sql.push(" IN (SELECT key FROM temp.mimar_redraw WHERE of = ");
                name(&mut self.sql, redraw);
                self.sql.push(")");
            }
            Dialect::Postgres => {
                self.sql.push(" = ANY(");
                all_kept(&mut self.sql, redraw)?;
                self.sql.push(")");
            }
        }
        if table.id == redraw.table.id {
            let column = table.columns.get(redraw.column);
            let column = column.ok_or_else(|| ill_formed("no such column"))?;
            self.sql.push(" AND ").alias("t", alias).push(".").ident(&column.name).push(" IS NULL");
        }
        Ok(())
    }

    /// Writes a value over the one row in scope, as a column keeps it.
    fn written(
        &mut self,
        row: (usize, &'a Table),
        column: &Column,
        value: &'a Expression,
    ) -> Result<(), Fault> {
        let outer = std::mem::replace(&mut self.scope, vec![row]);
        let outcome = match (self.sql.dialect(), &column.native) {
            (Dialect::Sqlite, Some(Native::Kept(form))) => {
                self.sql.push("mimar_kept(");
                self.any(value, column.scalar).map(|()| {
                    self.sql.push(", ").integer(kept::code_of(column.scalar));
                    self.sql.push(", ").integer(kept::code_of_form(*form)).push(")");
                })
            }
            (Dialect::Sqlite, _) => self.any(value, column.scalar),
            (Dialect::Postgres, _) => self.kept(value, column.scalar),
        };
        self.scope = outer;
        if let Some(native) = column.native_type() {
            self.sql.push("::").ident(native);
        }
        outcome
    }

    fn is_broken(&mut self, redraw: &'a Redraw, rule: &'a Rule) -> Result<(), Fault> {
        let alias = self.alias();
        self.sql.push("EXISTS (SELECT 1 FROM ");
        self.table(alias, &rule.table);
        self.sql.push(" WHERE ");
        self.is_kept(alias, redraw, &rule.table)?;
        self.sql.push(" AND (");
        self.with_row(alias, &rule.table, &rule.check.expression)?;
        self.sql.push(") IS FALSE)");
        Ok(())
    }
}

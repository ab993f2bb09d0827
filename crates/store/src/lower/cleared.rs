//! Rows that the database changes by itself when others go, since it clears what refers to those: their versions rise.

use std::sync::Arc;

use operation::{Dialect, Expression, Fault, Ident, Redraw, Scalar, Sql, Table, Value};

use super::expression::{Lowering, binds_of, ill_formed};
use super::{Settings, Statement};
use crate::postgres::value::type_name;

/// The rows that go, followed through their own table. Named as no table is.
const GONE: &str = "\"mimar gone\"";

/// A table whose rows have versions and refer, by themselves or by their parts, to rows that go.
#[derive(Debug, Clone)]
pub(crate) struct Cleared {
    /// The table.
    pub table: Ident,
    /// Its version.
    pub version: Ident,
    /// Its key; `None`: the model does not know the table.
    pub own: Option<(Ident, Scalar)>,
    /// How they refer to those.
    pub ways: Vec<Way>,
    /// How they go with those: then nothing rises.
    pub going: Vec<Way>,
    /// What draws on that.
    pub redraws: Vec<Arc<Redraw>>,
}

/// How a row refers to one that goes.
#[derive(Debug, Clone)]
pub(crate) struct Way {
    /// By its parts.
    pub part: Option<OfPart>,
    /// The column that is cleared, of the row or of its part.
    pub column: Ident,
    /// To a row that goes with another one, and so on: the row before last first.
    pub through: Vec<Through>,
    /// Which of the tables of which rows go.
    pub gone: usize,
}

/// Names of a part and its root.
#[derive(Debug, Clone)]
pub(crate) struct OfPart {
    /// The part's table.
    pub table: Ident,
    /// Its column that holds the root's key.
    pub of: Ident,
    /// The root's key.
    pub own: Ident,
}

/// A table of which rows go with others.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Through {
    /// The table.
    pub table: Ident,
    /// Its key.
    pub own: Ident,
    /// How its rows go.
    pub with: With,
}

/// With what rows go.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum With {
    /// With those that the next step is about, or which go first.
    Next {
        /// The column that refers to what goes.
        column: Ident,
        /// Columns by which its rows go with rows of the table itself, however far.
        again: Vec<Ident>,
    },
    /// With rows of tables that go with each other in a circle, however far: which of those the table is. No step comes behind.
    Circle(Arc<Circle>, usize),
}

/// Tables of which rows go with each other.
#[derive(Debug, PartialEq)]
pub(crate) struct Circle {
    /// The tables, that of the rows which go first in front: their keys, and what those are.
    pub tables: Vec<(Ident, Ident, Scalar)>,
    /// Which refers to which by which column, and goes with it: both by position.
    pub goes: Vec<(usize, Ident, usize)>,
}

impl Cleared {
    /// The same with only those ways by which rows lose what something draws on.
    pub fn of_redraw(&self, redraw: &Redraw) -> Self {
        let column = redraw.table.columns.get(redraw.column).map(|column| &column.name);
        let is_it = |way: &&Way| {
            let table = way.part.as_ref().map_or(&self.table, |part| &part.table);
            *table == redraw.table.name && Some(&way.column) == column
        };
        Self { ways: self.ways.iter().filter(is_it).cloned().collect(), ..self.clone() }
    }

    /// The same with only those tables counted that its ways lead to, and which of them these are.
    pub fn of_named(mut self) -> (Self, Vec<usize>) {
        let mut named: Vec<usize> =
            self.ways.iter().chain(&self.going).map(|way| way.gone).collect();
        named.sort_unstable();
        named.dedup();
        for way in self.ways.iter_mut().chain(&mut self.going) {
            way.gone = named.iter().position(|gone| *gone == way.gone).unwrap_or_default();
        }
        (self, named)
    }
}

/// Rows that go, by their keys: of each of the tables so many are bound, one behind another; and behind them so many of rows that are left
/// out, of the table whose versions rise.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Keys<'k> {
    pub gone: &'k [(Scalar, usize)],
    pub but: Option<(&'k Table, usize)>,
}

/// `UPDATE` that raises versions before rows go.
pub(crate) fn raise(
    dialect: Dialect,
    cleared: &Cleared,
    keys: Keys<'_>,
) -> Result<Statement, Fault> {
    let mut lowering = Lowering::new(dialect, keys.count(), &[]);
    lowering.raised(cleared);
    lowering.which(cleared, keys)?;
    Ok(lowering.finish(Vec::new()))
}

/// The same on PostgreSQL in two: this keeps which rows will have changed, and [`raise_noted`] raises their versions when they have. It looks
/// once more at all references of a row that has changed in the same transaction, and one of them may be broken until it, too, is cleared. `at`:
/// where they are kept.
pub(crate) fn note(cleared: &Cleared, at: usize, keys: Keys<'_>) -> Result<Statement, Fault> {
    let mut lowering = Lowering::new(Dialect::Postgres, keys.count(), &[]);
    lowering.noted(cleared, at)?;
    lowering.which(cleared, keys)?;
    Ok(lowering.finish(vec![Scalar::Text]))
}

/// The same of one row that goes, for whose key this stands; rows that have changed in this transaction have their versions already.
/// `binds` are what the binds hold.
pub(crate) fn note_by(
    settings: Settings<'_>,
    (cleared, at): (&Cleared, usize),
    (key, scalar): (&Expression, Scalar),
    binds: &[Value],
) -> Result<Statement, Fault> {
    if binds_of([key]) > binds.len() {
        return Err(ill_formed("no such bind"));
    }
    let mut lowering = Lowering::new(Dialect::Postgres, binds.len(), binds).with(settings);
    lowering.noted(cleared, at)?;
    lowering.which_by(cleared, key, scalar)?;
    lowering.sql.push(" AND xmin <> pg_current_xact_id()::xid");
    Ok(lowering.finish(vec![Scalar::Text]))
}

/// `UPDATE` that raises the versions of rows which were [noted](note).
pub(crate) fn raise_noted(cleared: &Cleared, at: usize) -> Result<Statement, Fault> {
    let (own, scalar) = cleared.own.as_ref().ok_or_else(|| ill_formed("no key"))?;
    let mut lowering = Lowering::new(Dialect::Postgres, 0, &[]);
    lowering.raised(cleared);
    lowering.sql.ident(own).push(" = ANY(nullif(current_setting(");
    name(&mut lowering.sql, at);
    lowering.sql.push(", true), '')::").push(type_name(*scalar)).push("[])");
    Ok(lowering.finish(Vec::new()))
}

fn name(sql: &mut Sql, at: usize) {
    sql.push("'mimar.c").integer(i64::try_from(at).unwrap_or(i64::MAX)).push("'");
}

impl Keys<'_> {
    pub fn count(self) -> usize {
        self.gone.iter().map(|(_, count)| count).sum::<usize>() + self.but.map_or(0, |(_, it)| it)
    }
}

/// Writes that a column holds a key of a row that goes, of one of the tables.
pub(super) type WriteKey<'k, 'a> = dyn FnMut(&mut Lowering<'a>, usize) -> Result<(), Fault> + 'k;

impl<'a> Lowering<'a> {
    /// Writes what raises a version, up to its conditions.
    fn raised(&mut self, Cleared { table, version, .. }: &Cleared) {
        self.sql.push("UPDATE ").ident(table).push(" SET ").ident(version).push(" = ");
        self.sql.ident(version).push(" + 1 WHERE ");
    }

    /// Writes what keeps the keys of rows, up to its conditions.
    fn noted(&mut self, Cleared { table, own, .. }: &Cleared, at: usize) -> Result<(), Fault> {
        let (own, _) = own.as_ref().ok_or_else(|| ill_formed("no key"))?;
        self.sql.push("SELECT set_config(");
        name(&mut self.sql, at);
        self.sql.push(", coalesce(array_agg(").ident(own).push(")::text, '{}'), true) FROM ");
        self.sql.ident(table).push(" WHERE ");
        Ok(())
    }

    /// Writes of which rows.
    pub(super) fn which(
        &mut self,
        cleared: &Cleared,
        Keys { gone, but }: Keys<'_>,
    ) -> Result<(), Fault> {
        self.by_all_ways(cleared, &mut |it, of| it.keys_of(Keys { gone, but }, of))?;
        if let Some((table, count)) = but {
            let first = gone.iter().map(|(_, count)| count).sum::<usize>();
            let own = table.columns.get(table.own_key()).ok_or_else(|| ill_formed("no key"))?;
            self.sql.push(" AND ").ident(&own.name).push(" NOT IN (");
            for at in 0..count {
                self.sql.push(if at > 0 { ", " } else { "" });
                self.bind(first + at, own.scalar);
            }
            self.sql.push(")");
        }
        Ok(())
    }

    /// Writes that a column holds one of the keys of a table.
    fn keys_of(&mut self, Keys { gone, .. }: Keys<'_>, of: usize) -> Result<(), Fault> {
        let (scalar, count) = *gone.get(of).ok_or_else(|| ill_formed("no such table"))?;
        let first = gone.iter().take(of).map(|(_, count)| count).sum::<usize>();
        self.sql.push(if count == 1 { " = " } else { " IN (" });
        for at in 0..count {
            self.sql.push(if at > 0 { ", " } else { "" });
            self.bind(first + at, scalar);
        }
        self.sql.push(if count == 1 { "" } else { ")" });
        Ok(())
    }

    /// The same of one row that goes, for whose key this stands.
    pub(super) fn which_by(
        &mut self,
        cleared: &Cleared,
        key: &'a Expression,
        scalar: Scalar,
    ) -> Result<(), Fault> {
        self.by_all_ways(cleared, &mut |it, _| {
            it.sql.push(" = ");
            it.kept(key, scalar)
        })
    }

    /// Writes that a row refers to one that goes, and does not go with it.
    fn by_all_ways(
        &mut self,
        Cleared { table, own, ways, going, .. }: &Cleared,
        key: &mut WriteKey<'_, 'a>,
    ) -> Result<(), Fault> {
        match own {
            // Each by itself, since the database finds nothing by an index where it may be by one way or another.
            Some((own, _)) if ways.len() > 1 => {
                self.sql.ident(own).push(" IN (");
                for (at, Way { part, column, through, gone }) in ways.iter().enumerate() {
                    self.sql.push(if at == 0 { "SELECT " } else { " UNION ALL SELECT " });
                    let (of, from) =
                        part.as_ref().map_or((own, table), |part| (&part.of, &part.table));
                    self.sql.ident(of).push(" FROM ").ident(from).push(" WHERE ").ident(column);
                    self.by_way(through, *gone, key)?;
                }
                self.sql.push(")");
            }
            _ => {
                self.sql.push("(");
                self.by_ways(ways, key)?;
                self.sql.push(")");
            }
        }
        if !going.is_empty() {
            self.sql.push(" AND (");
            self.by_ways(going, key)?;
            self.sql.push(") IS NOT TRUE");
        }
        Ok(())
    }

    /// Writes the rows that go with rows of their own table, behind those that these begin with.
    fn and_again(&mut self, Through { table, own, with }: &Through) {
        let With::Next { again, .. } = with else { return };
        if again.is_empty() {
            return;
        }
        self.sql.push(" UNION SELECT m.").ident(own).push(" FROM ").ident(table);
        self.sql.push(" AS m JOIN ").push(GONE).push(" AS g ON ");
        self.sql.list(" OR ", again, |sql, column| {
            sql.push("m.").ident(column).push(" = g.k");
        });
        self.sql.push(") SELECT k FROM ").push(GONE);
    }

    /// Writes, behind a column, that it holds the key of a row of one of the tables that goes with others in a circle, or first. What is found
    /// stands as text, since their keys may be of several kinds.
    fn in_circle(
        &mut self,
        circle: &Circle,
        at: usize,
        gone: usize,
        key: &mut WriteKey<'_, 'a>,
    ) -> Result<(), Fault> {
        let known = |at: usize| circle.tables.get(at).ok_or_else(|| ill_formed("no such table"));
        let postgres = self.sql.dialect() == Dialect::Postgres;
        let position = |at: usize| i64::try_from(at).unwrap_or(i64::MAX);
        let text = if postgres { "::text COLLATE \"C\"" } else { "" };
        let (first, own, _) = known(0)?;
        self.sql.push(" IN (WITH RECURSIVE ").push(GONE).push(" (t, k) AS (SELECT 0, ");
        self.sql.ident(own).push(text).push(" FROM ").ident(first).push(" WHERE ").ident(own);
        key(self, gone)?;
        // PostgreSQL lets one term alone look at what was found, SQLite none look around itself.
        let (before, between, behind) = match postgres {
            true => (" UNION SELECT x.t, x.k FROM ", " UNION ALL ", ") AS x"),
            false => (" UNION ", " UNION ", ""),
        };
        self.sql.push(before);
        if postgres {
            self.sql.push(GONE).push(" AS g CROSS JOIN LATERAL (");
        }
        for (nth, (from, column, to)) in circle.goes.iter().enumerate() {
            let ((table, own, _), (_, _, scalar)) = (known(*from)?, known(*to)?);
            self.sql.push(if nth > 0 { between } else { "" }).push("SELECT ");
            self.sql.integer(position(*from)).push(if postgres { " AS t, m." } else { ", m." });
            self.sql.ident(own).push(text).push(if postgres { " AS k" } else { "" });
            self.sql.push(" FROM ").ident(table).push(" AS m");
            if postgres {
                self.sql.push(" WHERE m.").ident(column).push(" = CASE WHEN g.t = ");
                self.sql.integer(position(*to)).push(" THEN g.k::").push(type_name(*scalar));
                self.sql.push(" END");
            } else {
                self.sql.push(" JOIN ").push(GONE).push(" AS g ON g.t = ");
                self.sql.integer(position(*to)).push(" AND m.").ident(column).push(" = g.k");
            }
        }
        self.sql.push(behind).push(") SELECT k");
        if postgres {
            self.sql.push("::").push(type_name(known(at)?.2));
        }
        self.sql.push(" FROM ").push(GONE).push(" WHERE t = ").integer(position(at)).push(")");
        Ok(())
    }

    fn by_ways(&mut self, ways: &[Way], key: &mut WriteKey<'_, 'a>) -> Result<(), Fault> {
        for (at, Way { part, column, through, gone }) in ways.iter().enumerate() {
            self.sql.push(if at == 0 { "" } else { " OR " });
            if let Some(OfPart { table, of, own }) = part {
                self.sql.ident(own).push(" IN (SELECT ").ident(of).push(" FROM ").ident(table);
                self.sql.push(" WHERE ");
            }
            self.sql.ident(column);
            self.by_way(through, *gone, key)?;
            self.sql.push(if part.is_some() { ")" } else { "" });
        }
        Ok(())
    }

    /// Writes, behind a column, that it holds the key of a row that goes, or goes along by these steps.
    pub(super) fn by_way(
        &mut self,
        through: &[Through],
        gone: usize,
        key: &mut WriteKey<'_, 'a>,
    ) -> Result<(), Fault> {
        // A level is of the rows whose keys the column before holds.
        for Through { table, own, with } in through {
            let (column, again) = match with {
                With::Next { column, again } => (column, again),
                With::Circle(circle, at) => return self.in_circle(circle, *at, gone, key),
            };
            self.sql.push(" IN (");
            if !again.is_empty() {
                self.sql.push("WITH RECURSIVE ").push(GONE).push(" (k) AS (");
            }
            self.sql.push("SELECT ").ident(own).push(" FROM ").ident(table);
            self.sql.push(" WHERE ").ident(column);
        }
        key(self, gone)?;
        for through in through.iter().rev() {
            self.and_again(through);
            self.sql.push(")");
        }
        Ok(())
    }
}

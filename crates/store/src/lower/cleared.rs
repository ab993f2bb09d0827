//! Rows that the database changes by itself when others go, since it clears what refers to those: their versions rise.

use operation::{Dialect, Expression, Fault, Ident, Scalar, Table, Value};

use super::expression::{Lowering, binds_of, ill_formed};
use super::{Settings, Statement};

/// A table whose rows have versions and refer, by themselves or by their parts, to rows that go.
#[derive(Debug, Clone)]
pub(crate) struct Cleared {
    /// The table.
    pub table: Ident,
    /// Its version.
    pub version: Ident,
    /// How they refer to those.
    pub ways: Vec<Way>,
    /// How they go with those: they are left as they are. PostgreSQL, which looks once more at all references of a row that has changed in this
    /// transaction, would find the one broken by which it goes.
    pub going: Vec<Way>,
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
#[derive(Debug, Clone)]
pub(crate) struct Through {
    /// The table.
    pub table: Ident,
    /// Its key.
    pub own: Ident,
    /// The column that refers to what goes.
    pub column: Ident,
}

impl Cleared {
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

/// `UPDATE` that raises versions. Of each of the tables of which rows go so many keys are bound, one behind another;
/// and behind them so many of rows that are left out, of their own table.
pub(crate) fn raise(
    dialect: Dialect,
    cleared: &Cleared,
    keys: &[(Scalar, usize)],
    but: Option<(&Table, usize)>,
) -> Result<Statement, Fault> {
    let first = keys.iter().map(|(_, count)| count).sum::<usize>();
    let all = first + but.map_or(0, |(_, count)| count);
    let mut lowering = Lowering::new(dialect, all, &[]);
    lowering.raise(cleared, false, &mut |it, gone| {
        let (scalar, count) = *keys.get(gone).ok_or_else(|| ill_formed("no such table"))?;
        let first = keys.iter().take(gone).map(|(_, count)| count).sum::<usize>();
        it.sql.push(if count == 1 { " = " } else { " IN (" });
        for at in 0..count {
            it.sql.push(if at > 0 { ", " } else { "" });
            it.bind(first + at, scalar);
        }
        it.sql.push(if count == 1 { "" } else { ")" });
        Ok(())
    })?;
    if let Some((table, count)) = but {
        let own = table.columns.get(table.own_key()).ok_or_else(|| ill_formed("no key"))?;
        lowering.sql.push(" AND ").ident(&own.name).push(" NOT IN (");
        for at in 0..count {
            lowering.sql.push(if at > 0 { ", " } else { "" });
            lowering.bind(first + at, own.scalar);
        }
        lowering.sql.push(")");
    }
    Ok(lowering.finish(Vec::new()))
}

/// The same on PostgreSQL of one row that goes, for whose key this stands; the version of a row that has changed in this transaction stays.
/// `binds` are what the binds hold.
pub(crate) fn raise_by(
    settings: Settings<'_>,
    cleared: &Cleared,
    (key, scalar): (&Expression, Scalar),
    binds: &[Value],
) -> Result<Statement, Fault> {
    if binds_of([key]) > binds.len() {
        return Err(ill_formed("no such bind"));
    }
    let mut lowering = Lowering::new(Dialect::Postgres, binds.len(), binds).with(settings);
    lowering.raise(cleared, true, &mut |it, _| {
        it.sql.push(" = ");
        it.kept(key, scalar)
    })?;
    Ok(lowering.finish(Vec::new()))
}

/// Writes that a column holds a key of a row that goes, of one of the tables.
type WriteKey<'k, 'a> = dyn FnMut(&mut Lowering<'a>, usize) -> Result<(), Fault> + 'k;

impl<'a> Lowering<'a> {
    fn raise(
        &mut self,
        Cleared { table, version, ways, going }: &Cleared,
        once: bool,
        key: &mut WriteKey<'_, 'a>,
    ) -> Result<(), Fault> {
        self.sql.push("UPDATE ").ident(table).push(" SET ").ident(version).push(" = ");
        if once {
            // Whatever else is done to the row in this transaction.
            self.sql.push("CASE WHEN xmin = pg_current_xact_id()::xid THEN ").ident(version);
            self.sql.push(" ELSE ").ident(version).push(" + 1 END");
        } else {
            self.sql.ident(version).push(" + 1");
        }
        self.sql.push(" WHERE (");
        self.by_ways(ways, key)?;
        self.sql.push(")");
        if !going.is_empty() {
            self.sql.push(" AND (");
            self.by_ways(going, key)?;
            self.sql.push(") IS NOT TRUE");
        }
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
            for Through { table, own, column } in through {
                self.sql.push(" IN (SELECT ").ident(own).push(" FROM ").ident(table);
                self.sql.push(" WHERE ").ident(column);
            }
            key(self, *gone)?;
            for _ in 0..through.len() + usize::from(part.is_some()) {
                self.sql.push(")");
            }
        }
        Ok(())
    }
}

//! Keys that the database counts, in commands that do not wait for them: the transaction draws them and keeps them in settings of
//! its own, and what comes after takes them from there. What stands for such a key outside is the how manieth it is.
//!
//! A setting holds the numbers of one table as an array, so many at most that it is quickly read.

use operation::{Dialect, Fault, Scalar, Sql, Table, TableId};

use super::Statement;
use super::expression::{Lowering, ill_formed};

/// How many numbers stand in one setting.
const ROOM: i64 = 100;

/// What a statement is written into.
pub(super) trait Writes {
    fn sql(&mut self) -> &mut Sql;
}

impl Writes for Sql {
    fn sql(&mut self) -> &mut Sql {
        self
    }
}

impl Writes for Lowering<'_> {
    fn sql(&mut self) -> &mut Sql {
        &mut self.sql
    }
}

/// Draws as many numbers for the keys of a table as the one bind says.
pub(crate) fn draw(table: &Table) -> Result<Statement, Fault> {
    let own = table.columns.get(table.own_key()).ok_or_else(|| ill_formed("no such column"))?;
    let mut lowering = Lowering::new(Dialect::Postgres, 1, &[]);
    lowering.sql.push("SELECT count(set_config(");
    name(&mut lowering.sql, table.id);
    lowering.sql.push("c.at, ARRAY(SELECT ");
    super::many::next_number(&mut lowering.sql, table, own);
    lowering.sql.push(" FROM generate_series(c.at * ").integer(ROOM).push(" + 1, least(");
    lowering.bind(0, Scalar::Int);
    lowering.sql.push(", c.at * ").integer(ROOM).push(" + ").integer(ROOM);
    lowering.sql.push(")))::text, true)) FROM generate_series(0, (");
    lowering.bind(0, Scalar::Int);
    lowering.sql.push(" - 1) / ").integer(ROOM).push(") AS c(at)");
    Ok(lowering.finish(vec![Scalar::Int]))
}

/// Writes a number that was drawn; `at` writes the how manieth it is, from 0.
pub(super) fn number<W: Writes>(of: &mut W, table: TableId, at: &mut dyn FnMut(&mut W)) {
    of.sql().push("(current_setting(");
    name(of.sql(), table);
    of.sql().push("(");
    at(of);
    of.sql().push(" / ").integer(ROOM).push("))::bigint[])[");
    at(of);
    of.sql().push(" % ").integer(ROOM).push(" + 1]");
}

/// Writes the name of a setting, up to which of several it is.
fn name(sql: &mut Sql, table: TableId) {
    sql.push("'mimar.n").integer(i64::from(table.0)).push("_' || ");
}

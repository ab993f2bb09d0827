//! Receipts: what is kept of a write so that it is not done twice.

use operation::{Dialect, Scalar, Sql};

use super::Statement;
use super::expression::Lowering;

/// The table of receipts, and the index by which the old ones are found, for a database that has none.
pub(crate) const SQLITE: &str = "CREATE TABLE IF NOT EXISTS mimar_receipt (key BLOB PRIMARY KEY, request BLOB NOT NULL, \
     made INTEGER NOT NULL, row_key TEXT NOT NULL, part_key TEXT, version INTEGER NOT NULL, json TEXT) STRICT, WITHOUT ROWID; \
     CREATE INDEX IF NOT EXISTS mimar_receipt_made ON mimar_receipt (made)";

/// The columns that are written, in order.
const COLUMNS: [Scalar; 7] = [
    Scalar::Bytes,
    Scalar::Bytes,
    Scalar::Int,
    Scalar::Text,
    Scalar::Text,
    Scalar::Int,
    Scalar::Text,
];

/// What is bound of a receipt whose JSON the database writes: key, request, moment.
pub(super) const SAID: [Scalar; 3] = [Scalar::Bytes, Scalar::Bytes, Scalar::Int];

fn table(sql: &mut Sql) {
    sql.push(match sql.dialect() {
        Dialect::Sqlite => "mimar_receipt",
        Dialect::Postgres => "mimar.receipt",
    });
}

/// `SELECT` of the receipt whose key is the first bind, unless it was made before the second: request, key of the root, key of the part, version, JSON.
pub(crate) fn find(dialect: Dialect) -> Statement {
    let mut lowering = Lowering::new(dialect, 2, &[]);
    lowering.sql.push("SELECT request, row_key, part_key, version, json FROM ");
    table(&mut lowering.sql);
    lowering.sql.push(" WHERE key = ");
    lowering.bind(0, Scalar::Bytes);
    lowering.sql.push(" AND made >= ");
    lowering.bind(1, Scalar::Int);
    lowering.finish(vec![Scalar::Bytes, Scalar::Text, Scalar::Text, Scalar::Int, Scalar::Text])
}

/// `INSERT` of a receipt; binds: key, request, moment, key of the root, key of the part, version, JSON.
pub(crate) fn keep(dialect: Dialect) -> Statement {
    let mut lowering = Lowering::new(dialect, COLUMNS.len(), &[]);
    lowering.sql.push("INSERT INTO ");
    table(&mut lowering.sql);
    lowering.sql.push(" (key, request, made, row_key, part_key, version, json) VALUES (");
    for (at, scalar) in COLUMNS.into_iter().enumerate() {
        if at > 0 {
            lowering.sql.push(", ");
        }
        lowering.bind(at, scalar);
    }
    lowering.sql.push(")");
    lowering.finish(Vec::new())
}

/// Begins an `INSERT … SELECT` of a command's receipt, on PostgreSQL, whose JSON is `a.json`; [`SAID`] stands from the bind `first` on.
pub(super) fn keep_said(lowering: &mut Lowering<'_>, first: usize) {
    lowering.sql.push("INSERT INTO ");
    table(&mut lowering.sql);
    lowering.sql.push(" (key, request, made, row_key, part_key, version, json) SELECT ");
    for (at, scalar) in SAID.into_iter().enumerate() {
        lowering.bind(first + at, scalar);
        lowering.sql.push(", ");
    }
    lowering.sql.push("'', NULL, 0, a.json");
}

/// `DELETE` of some receipts that were made before the first bind, the one whose key is the second among them. Some: a
/// write pays for a few old ones, never for all that a day has left, and does not wait for those that others take away.
pub(crate) fn forget(dialect: Dialect) -> Statement {
    let mut lowering = Lowering::new(dialect, 2, &[]);
    lowering.sql.push("DELETE FROM ");
    table(&mut lowering.sql);
    lowering.sql.push(" WHERE made < ");
    lowering.bind(0, Scalar::Int);
    lowering.sql.push(" AND (key = ");
    lowering.bind(1, Scalar::Bytes);
    lowering.sql.push(" OR key IN (SELECT key FROM ");
    table(&mut lowering.sql);
    lowering.sql.push(" WHERE made < ");
    lowering.bind(0, Scalar::Int);
    lowering.sql.push(" ORDER BY made LIMIT 16");
    if dialect == Dialect::Postgres {
        lowering.sql.push(" FOR UPDATE SKIP LOCKED");
    }
    lowering.sql.push("))");
    lowering.finish(Vec::new())
}

/// Waits, on PostgreSQL, until nobody else writes under the key of which the one bind is a part.
pub(crate) fn lock() -> Statement {
    let mut lowering = Lowering::new(Dialect::Postgres, 1, &[]);
    lowering.sql.push("SELECT pg_advisory_xact_lock(");
    lowering.bind(0, Scalar::Int);
    lowering.sql.push(")");
    lowering.finish(Vec::new())
}

/// Whether nobody else writes under the key of which the one bind is a part; from then on nobody else does.
pub(crate) fn try_lock() -> Statement {
    let mut lowering = Lowering::new(Dialect::Postgres, 1, &[]);
    lowering.sql.push("SELECT pg_try_advisory_xact_lock(");
    lowering.bind(0, Scalar::Int);
    lowering.sql.push(")");
    lowering.finish(vec![Scalar::Bool])
}

/// Holds a key, on PostgreSQL, or ends the transaction: where somebody else writes under it, or a receipt of it is kept; binds: a
/// part of the key, the key, since when receipts count. Who was done a moment ago may be missed: then theirs is found when this
/// one is kept, since there is one of a key.
pub(crate) fn hold() -> Statement {
    let mut lowering = Lowering::new(Dialect::Postgres, 3, &[]);
    lowering.sql.push("SELECT 1 / (pg_try_advisory_xact_lock(");
    lowering.bind(0, Scalar::Int);
    lowering.sql.push(") AND NOT EXISTS (SELECT 1 FROM ");
    table(&mut lowering.sql);
    lowering.sql.push(" WHERE key = ");
    lowering.bind(1, Scalar::Bytes);
    lowering.sql.push(" AND made >= ");
    lowering.bind(2, Scalar::Int);
    lowering.sql.push("))::int");
    lowering.finish(vec![Scalar::Int])
}

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

fn table(sql: &mut Sql) {
    sql.push(match sql.dialect() {
        Dialect::Sqlite => "mimar_receipt",
        Dialect::Postgres => "mimar.receipt",
    });
}

/// `SELECT` of the receipt whose key is the one bind: request, key of the root, key of the part, version, JSON.
pub(crate) fn find(dialect: Dialect) -> Statement {
    let mut lowering = Lowering::new(dialect, 1, &[]);
    lowering.sql.push("SELECT request, row_key, part_key, version, json FROM ");
    table(&mut lowering.sql);
    lowering.sql.push(" WHERE key = ");
    lowering.bind(0, Scalar::Bytes);
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

/// `DELETE` of the receipts that were made before the one bind.
pub(crate) fn forget(dialect: Dialect) -> Statement {
    let mut lowering = Lowering::new(dialect, 1, &[]);
    lowering.sql.push("DELETE FROM ");
    table(&mut lowering.sql);
    lowering.sql.push(" WHERE made < ");
    lowering.bind(0, Scalar::Int);
    lowering.finish(Vec::new())
}

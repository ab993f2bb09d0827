//! Statements that are written out, but for the names of tables and the places of binds.

use operation::{Dialect, Scalar};

use super::Statement;
use super::expression::Lowering;

/// Writes a statement: `{endpoint}` and the like are tables, `{0}` is the first bind, which is of the first of these scalars.
pub(super) fn said(
    dialect: Dialect,
    text: &'static str,
    binds: &[Scalar],
    answer: Vec<Scalar>,
) -> Statement {
    let mut lowering = Lowering::new(dialect, binds.len(), &[]);
    let mut pieces = text.split(['{', '}']);
    while let Some(piece) = pieces.next() {
        lowering.sql.push(piece);
        let Some(name) = pieces.next() else { break };
        let table = match (name, dialect) {
            ("endpoint", Dialect::Sqlite) => "mimar_endpoint",
            ("endpoint", Dialect::Postgres) => "mimar.endpoint",
            ("secret", Dialect::Sqlite) => "mimar_endpoint_secret",
            ("secret", Dialect::Postgres) => "mimar.endpoint_secret",
            ("delivery", Dialect::Sqlite) => "mimar_delivery",
            ("delivery", Dialect::Postgres) => "mimar.delivery",
            ("event", Dialect::Sqlite) => "mimar_event",
            ("event", Dialect::Postgres) => "mimar.event",
            ("outgoing", Dialect::Sqlite) => "mimar_outgoing",
            ("outgoing", Dialect::Postgres) => "mimar.outgoing",
            ("received", Dialect::Sqlite) => "mimar_received",
            ("received", Dialect::Postgres) => "mimar.received",
            ("position", Dialect::Sqlite) => "mimar_position",
            ("position", Dialect::Postgres) => "mimar.position",
            ("lease", Dialect::Sqlite) => "mimar_lease",
            ("lease", Dialect::Postgres) => "mimar.lease",
            ("task", Dialect::Sqlite) => "mimar_task",
            ("task", Dialect::Postgres) => "mimar.task",
            _ => {
                if let Some((at, scalar)) =
                    name.parse().ok().and_then(|at: usize| Some((at, *binds.get(at)?)))
                {
                    lowering.bind(at, scalar);
                }
                continue;
            }
        };
        lowering.sql.push(table);
    }
    lowering.finish(answer)
}

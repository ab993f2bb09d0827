//! What a direct command sends, and what an `Idempotency-Key` adds to a command.

use operation::{Dialect, Direct, Fault, Place, Value};

use super::super::direct::statement;
use super::walk::Walk;
use super::{Lock, Purpose, Sent, Times, Trip};
use crate::lower::receipt;

impl Walk<'_> {
    /// All that a direct command sends: its rows change by themselves, and nothing is awaited before the end.
    pub(super) fn end_directly(mut self, direct: &Direct) -> Result<Trip, Fault> {
        let program = self.program;
        let nothing = vec![Value::Null; program.filled.len()];
        let mut rows = Vec::with_capacity(direct.rows.len());
        for (at, row) in direct.rows.iter().enumerate() {
            let table = self.at(Place { target: row.target, part: None })?;
            let text = statement(program, direct, at, &nothing)?.text;
            let entity = Some(table.entity.clone());
            rows.push((table.id, Sent { entity, lock: Lock::Held, ..Sent::plain(text) }));
        }
        rows.sort_by_key(|(table, _)| *table);
        self.writes.leave_updates();
        let mut statements = vec![Sent::steering("BEGIN")];
        statements.extend(rows.into_iter().map(|(_, sent)| sent));
        statements.extend(self.writes_of()?.into_iter().map(|(_, sent)| sent));
        statements.push(Sent::steering("COMMIT"));
        Ok(Trip { purpose: Purpose::Write, times: Times::Once, statements })
    }
}

/// What is sent besides where a command was asked for with an `Idempotency-Key`.
pub(super) fn with_key(dialect: Dialect) -> Vec<Sent> {
    let lock = (dialect == Dialect::Postgres).then(receipt::try_lock);
    let rest = [receipt::find, receipt::forget, receipt::keep];
    let all = lock.into_iter().chain(rest.into_iter().map(|lower| lower(dialect)));
    all.map(|statement| Sent::plain(statement.text)).collect()
}

/// The same where nothing is awaited.
pub(super) fn with_key_held() -> Vec<Sent> {
    let rest = [receipt::forget, receipt::keep].map(|lower| lower(Dialect::Postgres));
    let all = [receipt::hold()].into_iter().chain(rest);
    all.map(|statement| Sent::plain(statement.text)).collect()
}

//! The one order in which rows are locked: those that a write names, and those that go along with what it deletes, or lose something by that.

use operation::{Dialect, ReadId};

use super::many::{Gone, Hold, Load};
use super::tables::Holding;
use super::{Database, Failure, Writing};
use crate::lower::Settings;

impl<D: Database> Writing<'_, D> {
    /// Locks rows, table by table, behind all that they refer to. Each load comes with what was found besides. `all`: the transaction ends
    /// where a named one is not there.
    pub(super) async fn hold_in_order(
        &mut self,
        loads: Vec<(Load, Vec<usize>)>,
        gone: &[Gone],
        (target, settings, all): (ReadId, Settings<'_>, bool),
    ) -> Result<(), Failure> {
        if D::DIALECT == Dialect::Sqlite {
            // Nobody else writes.
            return Ok(());
        }
        let (tables, references) = self.database.tables();
        let named = loads.iter().map(|(load, _)| (&load.table, load.lock));
        let order = tables.in_order(references, named, gone.iter().map(|gone| &gone.table));
        for Holding { table, lock, along } in order {
            let known = loads.iter().find(|(load, _)| load.table.id == table.id);
            let (mut values, found) = known
                .map_or((Vec::new(), &[][..]), |(load, found)| (load.values.clone(), &**found));
            values.sort_by(|a, b| operation::order(a, b).unwrap_or(std::cmp::Ordering::Equal));
            values.dedup();
            let column = table.own_key();
            let load = &Load { target, table, column, values, lock, held: false };
            self.database.hold(&Hold { load, settings, found, all, along: &along, gone }).await?;
        }
        Ok(())
    }
}

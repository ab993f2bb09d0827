//! What loads rows, and locks them.

use std::sync::Arc;

use operation::{Dialect, Fault, Table, Value};

use super::super::lock_of;
use super::foreseen::Foreseen;
use super::walk::Walk;
use super::{Does, Purpose, Sent, Times};
use crate::lower::along::{Held, Keys, held};
use crate::lower::{self, Lock, Settings, Taking};
use crate::postgres::value::type_name;
use crate::write::{Gone, Holding, References};

/// Whether rows that are loaded are locked.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Holds {
    Not,
    Now,
    /// They are already.
    Before,
}

impl Walk<'_> {
    pub(super) fn load_all(
        &mut self,
        purpose: Purpose,
        (held, level): (bool, usize),
        wanted: impl Fn(Foreseen) -> Option<Times>,
    ) -> Result<(), Fault> {
        let mut loads: Vec<(&Arc<Table>, usize)> = Vec::new();
        let mut times = None::<Times>;
        for ((id, column, _), foreseen) in &self.wishes {
            let Some(of) = wanted(*foreseen) else { continue };
            times = Some(times.map_or(of, |times| times.min(of)));
            let table = self.table_of(*id)?;
            if !loads.iter().any(|(known, _)| known.id == *id) {
                loads.push((table, *column));
            }
        }
        let Some(times) = times else { return Ok(()) };
        // As execution sorts them: in this order they are locked.
        loads.sort_by_key(|(table, _)| (table.root.is_some(), table.rank));
        let mut statements = Vec::new();
        let mut holds = if held { Holds::Now } else { Holds::Not };
        if held {
            let going = self.going.extract_if(.., |(_, known)| *known <= level);
            let gone = Gone::of(going.map(|(table, _)| (table, Value::Null)));
            let mut named: Vec<(Arc<Table>, Vec<usize>)> =
                gone.iter().map(|gone| (gone.table.clone(), Vec::new())).collect();
            for (table, _) in loads.iter().filter(|(table, _)| table.root.is_none()) {
                if !named.iter().any(|(of, _)| of.id == table.id) {
                    named.push(((*table).clone(), Vec::new()));
                }
            }
            if !gone.is_empty() {
                holds = Holds::Before;
                statements = self.held_in_order(named, &gone, (Settings::default(), false))?;
            }
        }
        for (table, column) in loads {
            statements.push(self.load(table, column, holds)?);
        }
        self.ask(purpose, times, statements);
        Ok(())
    }

    /// What locks rows in the one order of all: those that are named and, with what goes, what goes along. Of both it is said what was found
    /// besides; `all`: the named ones must be there.
    pub(super) fn held_in_order(
        &self,
        named: Vec<(Arc<Table>, Vec<usize>)>,
        gone: &[Gone],
        (settings, all): (Settings<'_>, bool),
    ) -> Result<Vec<Sent>, Fault> {
        let references = References::of(self.tables);
        if all {
            // What is walked over is not loaded.
            self.locked.set(None);
        }
        let locked = named.iter().map(|(table, _)| (table, lock_of(self.program, table, true)));
        let order = self.known.in_order(&references, locked, gone.iter().map(|gone| &gone.table));
        let gone: Vec<Keys<'_>> =
            gone.iter().map(|gone| Keys { table: &gone.table, found: &gone.found }).collect();
        let statements = order.into_iter().map(|Holding { table, lock, along }| {
            let known = named.iter().find(|(known, _)| known.id == table.id);
            let found = known.map_or(&[][..], |(_, found)| &**found);
            let of = Keys { table: &table, found };
            let (along, gone, waits) = (&*along, &*gone, self.is_in_order(&table));
            let text = held(Held { of, lock, waits, settings, all, along, gone })?.text;
            let does = (!along.is_empty()).then_some(Does::HoldsAlong);
            let entity = Some(table.entity.clone());
            Ok(Sent { entity, lock, does, ..Sent::plain(text) })
        });
        statements.collect()
    }

    /// Whether rows of a table may be waited for when they are locked next.
    fn is_in_order(&self, table: &Table) -> bool {
        let last = self.locked.get();
        self.locked.set(last.max(Some(table.rank)));
        last.is_none_or(|last| last < table.rank)
    }

    pub(super) fn load(&self, table: &Table, column: usize, held: Holds) -> Result<Sent, Fault> {
        let mut sent = match self.dialect {
            Dialect::Postgres => {
                let lock = lock_of(self.program, table, held != Holds::Not);
                let taking = match lock {
                    Lock::Free => Taking::Waiting,
                    _ if held == Holds::Before => Taking::Held,
                    _ if self.is_in_order(table) => Taking::Waiting,
                    _ => Taking::AtOnce,
                };
                let text = lower::rows_among(table, column, (lock, taking), type_name)?.text;
                Sent { lock, ..Sent::plain(text) }
            }
            Dialect::Sqlite => {
                let text = lower::row_by(Dialect::Sqlite, table, &[column], false)?.text;
                Sent { each_row: true, ..Sent::plain(text) }
            }
        };
        sent.entity = Some(table.entity.clone());
        Ok(sent)
    }
}

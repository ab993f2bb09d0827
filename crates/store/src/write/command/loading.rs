//! Rows are loaded into the workset and locked, in the one order of all.

use std::sync::Arc;

use operation::{Dialect, Fault, Named, Table, TableId, Value};
use rustc_hash::{FxHashMap, FxHashSet};

use super::super::workset::{Values, Wanted};
use super::super::{Database, Failure, Footprint, Gone, Load, Place};
use super::{Running, bounded, lock_of};
use crate::lower::{Settings, ill_formed};

/// How often what is missing is loaded before a program is taken for one that does not end.
pub(super) const WAVES: usize = 64;

/// Roots that go.
#[derive(Default)]
pub(super) struct Going {
    /// Those that are foreseen to.
    foreseen: Vec<(Arc<Table>, Value)>,
    /// Those that are locked, with what goes along with them or loses something.
    pub held: FxHashSet<(TableId, Value)>,
}

impl Going {
    /// Notes that a root will go, as far as that can be known.
    pub fn foresee(&mut self, table: &Arc<Table>, key: &Value) {
        let is_it = |(known, of): &(Arc<Table>, Value)| known.id == table.id && of == key;
        let is_known = self.held.contains(&(table.id, key.clone()));
        if !key.is_null() && !is_known && !self.foreseen.iter().any(is_it) {
            self.foreseen.push((table.clone(), key.clone()));
        }
    }

    /// Takes those that are to be locked now.
    fn take(&mut self) -> Vec<Gone> {
        let foreseen = std::mem::take(&mut self.foreseen);
        self.held.extend(foreseen.iter().map(|(table, key)| (table.id, key.clone())));
        Gone::of(foreseen)
    }
}

impl<D: Database> Running<'_, '_, D> {
    /// Loads what can be foreseen, so that little is loaded later.
    pub(super) async fn load_all(&mut self, named: &[Named]) -> Result<(), Fault> {
        if D::DIALECT == Dialect::Sqlite {
            // Where a row is a call away, looking ahead costs more than it spares, and nobody else holds any.
            return Ok(());
        }
        let at_once = !self.program.deep;
        for Footprint { table, key, goes } in self.writing.database.footprints() {
            if goes {
                self.going.foresee(&table, &key);
            }
            self.rows.want(Wanted::Row(table, key));
        }
        for _ in 0..WAVES {
            self.foresee_all(named);
            let wanted = self.rows.take_wanted();
            if wanted.is_empty() {
                break;
            }
            self.load(wanted, at_once).await?;
            if self.program.shallow {
                break;
            }
        }
        if !at_once {
            let all = self.rows.unheld();
            self.load(all, true).await?;
        }
        Ok(())
    }

    /// Loads rows, and what they refer to that may go along with others.
    pub(super) async fn load(&mut self, mut wanted: Vec<Wanted>, held: bool) -> Result<(), Fault> {
        while !wanted.is_empty() {
            match D::DIALECT {
                Dialect::Sqlite => self.load_singly(wanted).await?,
                Dialect::Postgres => self.load_tables(wanted, held).await?,
            }
            wanted = self.rows.take_wanted();
        }
        self.mark_lost().map(drop)
    }

    /// Loads rows, table by table.
    async fn load_tables(&mut self, wanted: Vec<Wanted>, held: bool) -> Result<(), Fault> {
        let mut loads: Vec<Load> = Vec::new();
        let mut seen: FxHashSet<(TableId, Value)> = FxHashSet::default();
        seen.reserve(wanted.len());
        let mut count = self.rows.count;
        for wanted in wanted {
            let (table, value, column) = match wanted {
                Wanted::Row(table, key) => {
                    let own = table.own_key();
                    (table, key, own)
                }
                Wanted::Parts(table, root) => {
                    let column = table.root.ok_or_else(|| ill_formed("a part without a root"))?;
                    (table, root, column)
                }
            };
            if !seen.insert((table.id, value.clone())) {
                continue;
            }
            count += 1;
            let known = loads.iter_mut().find(|load| load.table.id == table.id);
            match known {
                Some(load) => load.values.push(value),
                None => {
                    let lock = lock_of(self.program, &table, held);
                    let target = self.program.id;
                    let (values, held) = (vec![value], false);
                    loads.push(Load { target, table, column, values, lock, held });
                }
            }
        }
        bounded(count)?;
        // Roots before parts, so that the parts are those of the roots that are held.
        loads.sort_by_key(|load| (load.table.root.is_some(), load.table.rank));
        if held && !self.going.foreseen.is_empty() {
            self.hold_going(&loads).await.map_err(Failure::into_fault)?;
            loads.iter_mut().for_each(|load| load.held = load.table.root.is_none());
        }
        let found = self.writing.database.load(&loads).await.map_err(Failure::into_fault)?;
        for (load, rows) in loads.into_iter().zip(found) {
            let Load { table, column, values, .. } = load;
            let of = |row: &Vec<Value>| row.get(column).cloned().unwrap_or_default();
            if table.root.is_none() {
                let mut roots: FxHashMap<Value, Vec<Value>> =
                    rows.into_iter().map(|row| (of(&row), row)).collect();
                for key in values {
                    let row = roots.remove(&key).map(Values::from);
                    self.rows.put(&table, key, row, held);
                }
                continue;
            }
            let mut by_root: FxHashMap<Value, Vec<Vec<Value>>> = FxHashMap::default();
            for row in rows {
                by_root.entry(of(&row)).or_default().push(row);
            }
            for root in values {
                let rows = by_root.remove(&root).unwrap_or_default();
                self.rows.put_parts(&table, root, rows);
            }
        }
        bounded(self.rows.count)
    }

    /// Locks what is loaded, and with what is foreseen to go what goes along, in the one order of all.
    async fn hold_going(&mut self, loads: &[Load]) -> Result<(), Failure> {
        let gone = self.going.take();
        let (target, program) = (self.program.id, self.program);
        let roots = loads.iter().filter(|load| load.table.root.is_none());
        let mut named: Vec<(Load, Vec<usize>)> = roots
            .map(|Load { table, column, values, lock, .. }| {
                let (table, values) = (table.clone(), values.clone());
                let (column, lock) = (*column, *lock);
                (Load { target, table, column, values, lock, held: false }, Vec::new())
            })
            .collect();
        for Gone { table, keys, .. } in &gone {
            match named.iter_mut().find(|(load, _)| load.table.id == table.id) {
                Some((load, _)) => load.values.extend(keys.iter().cloned()),
                None => {
                    let (lock, column) = (lock_of(program, table, true), table.own_key());
                    let (table, values) = (table.clone(), keys.clone());
                    let load = Load { target, table, column, values, lock, held: false };
                    named.push((load, Vec::new()));
                }
            }
        }
        self.writing.hold_in_order(named, &gone, (target, Settings::default(), false)).await
    }

    /// Loads rows one after another, where nothing goes over a wire and nobody else writes.
    async fn load_singly(&mut self, wanted: Vec<Wanted>) -> Result<(), Fault> {
        bounded(self.rows.count + wanted.len())?;
        for wanted in wanted {
            if self.rows.has(&wanted) {
                continue;
            }
            let target = self.program.id;
            match wanted {
                Wanted::Row(table, key) => {
                    if let Some(row) = self.writing.database.remembered(&table, &key) {
                        self.rows.put(&table, key, Some(row), true);
                        continue;
                    }
                    let at = usize::try_from(table.id.0).unwrap_or(usize::MAX);
                    let place = Place { target, at, table: &table };
                    let row = self.writing.rows(place, &[table.own_key()], &[&key]).await?.pop();
                    let row = row.map(Values::from);
                    if let Some(row) = &row {
                        self.writing.database.remember(&table, row);
                    }
                    self.rows.put(&table, key, row, true);
                }
                Wanted::Parts(table, root) => {
                    let at = usize::try_from(table.id.0).unwrap_or(usize::MAX);
                    let place = Place { target, at, table: &table };
                    let column = table.root.ok_or_else(|| ill_formed("a part without a root"))?;
                    let rows = self.writing.rows(place, &[column], &[&root]).await?;
                    self.rows.put_parts(&table, root, rows);
                }
            }
        }
        bounded(self.rows.count)
    }

    /// Loads what is not here.
    pub(super) async fn demand(
        &mut self,
        wanted: impl IntoIterator<Item = Wanted>,
    ) -> Result<(), Fault> {
        for wanted in wanted {
            self.rows.want(wanted);
        }
        let wanted = self.rows.take_wanted();
        if wanted.is_empty() { Ok(()) } else { Box::pin(self.load(wanted, true)).await }
    }
}

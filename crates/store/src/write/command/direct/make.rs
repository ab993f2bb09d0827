//! Rows of which only the database knows all: they are made of what stands in rows, or their keys are counted.

use std::sync::Arc;

use operation::{Creation, Direct, Expression, Fault, Fill, MadeRow, Table, TableId, Value};

use super::super::super::{Asked, Database, Failure, Key, Kind};
use super::super::rows::look_at_values;
use super::super::{Running, bounded, ill_formed};
use super::{Said, Stating, key_of, not_so};
use crate::lower::{self, Settings};

/// How many parts of roots that were there are added by a statement each.
const MOST_ADDED: usize = 64;

/// How a new row is made.
#[derive(Debug)]
pub(in super::super) struct Making<'p> {
    pub(super) direct: &'p Direct,
    /// Position among [`Direct::made`].
    pub(super) at: usize,
    /// What the binds held then.
    pub(super) binds: Vec<Value>,
}

/// By what a new row is known.
fn of_row(table: &Table, row: &[Value]) -> (TableId, Vec<Value>) {
    let key = table.key.iter().map(|at| row.get(*at).cloned().unwrap_or_default());
    (table.id, key.collect())
}

/// The statement that makes a row, or each of many. `values`: what the binds hold, and the columns, if that is known.
pub(in super::super) fn lower_made(
    direct: &Direct,
    made: usize,
    table: &Table,
    binds: usize,
    values: &[Value],
    each: bool,
) -> Result<lower::Statement, Fault> {
    let made = direct.made.get(made).ok_or_else(|| ill_formed("nothing is made there"))?;
    let drawn = drawn_of(direct, made, binds);
    let MadeRow { columns, condition, computed, checks, anew, .. } = made;
    let settings = Settings { drawn: &drawn, ..Settings::of(direct) };
    let making = lower::direct::Making {
        table,
        columns,
        condition,
        computed,
        checks,
        binds,
        settings,
        anew: anew.is_some(),
    };
    match each {
        true => lower::direct::make_each(making, values),
        false => lower::direct::make(making, values),
    }
}

/// What stands for keys that the database counts: among the binds, and behind them among the columns.
fn drawn_of(direct: &Direct, made: &MadeRow, binds: usize) -> Vec<(usize, TableId)> {
    let own = made.drawn.iter().map(|(column, of)| (binds + column, *of));
    direct.drawn.iter().copied().chain(own).collect()
}

impl<D: Database> Stating<'_, '_, D> {
    /// Makes a row as far as it is known.
    pub(super) async fn making(&mut self, at: usize, creation: &Creation) -> Result<(), Fault> {
        let made = self.direct.made.get(at).ok_or_else(|| ill_formed("nothing is made there"))?;
        if self.direct.in_steps {
            return self.make_at_step(at, made, creation).await;
        }
        if let Some(root) = made.root {
            self.say(root, Said::Changed)?;
            return self.adding(at, made, creation).await;
        }
        let unknown = |column| made.columns.iter().any(|(of, _)| *of == column);
        let key = self.running.create_row_but(creation, &unknown).await?;
        let table = self.running.table(creation.row)?.id;
        let binds = self.running.binds.clone();
        if let (Some(total), Some(root)) = (made.total, &creation.root) {
            let root = self.running.value(root, None).await?;
            if self.totals.last() != Some(&(total, root.clone())) {
                self.totals.push((total, root));
            }
        }
        self.running.made.insert((table, key), Making { direct: self.direct, at, binds });
        Ok(())
    }

    /// A row as far as it is known, of which nothing else is here.
    pub(super) async fn as_known(
        &mut self,
        made: &MadeRow,
        creation: &Creation,
    ) -> Result<(Arc<Table>, Vec<Value>), Fault> {
        let table = self.running.table(creation.row)?;
        let unknown = |column| made.columns.iter().any(|(of, _)| *of == column);
        let mut row = Vec::with_capacity(creation.values.len());
        for (column, fill) in creation.values.iter().enumerate() {
            row.push(match (fill, &creation.root) {
                _ if unknown(column) => Value::Null,
                (Fill::Value(value), _) => self.running.value(value, None).await?,
                (Fill::Root, Some(root)) => self.running.value(root, None).await?,
                (Fill::Uuid, _) => Value::Uuid(uuid::Uuid::now_v7().into_bytes()),
                (Fill::Counted, _) => Box::pin(self.running.draw(&table)).await?,
                (Fill::Computed, _) => Value::Null,
                _ => return Err(ill_formed("a row that is not known")),
            });
        }
        let known =
            |at: usize| matches!(creation.values.get(at), Some(Fill::Value(_))) && !unknown(at);
        look_at_values(&table, &row, known, &creation.bounds)?;
        Ok((table, row))
    }

    /// Makes a part of a root that was there as far as it is known.
    async fn adding(
        &mut self,
        at: usize,
        made: &MadeRow,
        creation: &Creation,
    ) -> Result<(), Fault> {
        let (table, row) = self.as_known(made, creation).await?;
        // Each looks at all that are there; of many it is less work to load those once.
        if self.added.len() >= MOST_ADDED {
            return Err(not_so());
        }
        self.running.rows.count += 1;
        bounded(self.running.rows.count)?;
        let binds = self.running.binds.clone();
        self.added.push((table, row, Making { direct: self.direct, at, binds }));
        Ok(())
    }

    /// Sends parts of roots that were there, in the order of their places.
    pub(super) async fn send_added(&mut self) -> Result<(), Fault> {
        for (table, row, making) in std::mem::take(&mut self.added) {
            let values = making.binds.into_iter().chain(row).collect();
            let sent = self.running.send_alike(making.direct, &table, making.at, &[values]).await;
            sent.map_err(Failure::into_fault)?;
        }
        Ok(())
    }

    /// Whether what works a total out answers its root, which is the row that is answered.
    fn answers_by(&self, total: usize, root: &Value) -> Result<bool, Fault> {
        let Some(row) = self.answered.filter(|_| self.direct.answering_total() == Some(total))
        else {
            return Ok(false);
        };
        Ok(key_of(self.direct, row, &self.running.binds)? == *root)
    }

    /// Sends what works out what new roots draw on their parts.
    pub(super) async fn send_totals(&mut self) -> Result<(), Fault> {
        let (target, direct) = (self.running.program.id, self.direct);
        for (place, root) in std::mem::take(&mut self.totals) {
            let binds = self.with_key(&root);
            let answers = self.answers_by(place, &root)?;
            let kind = if answers { Kind::Answered } else { Kind::Total };
            let key = Key { target, place, kind, columns: 1 << 62, binds: binds.len() };
            let lower = || lower_total(direct, place, &binds, answers);
            if answers {
                self.answered = None;
                self.stated.retain(|stated| !direct.answered.contains(&stated.row));
            }
            let sent = self.running.writing.database.run(Asked::Kept(key), lower, binds.iter());
            sent.await.map_err(Failure::into_fault)?;
        }
        Ok(())
    }
}

/// The statement that works out what a new root draws on its parts.
pub(in super::super) fn lower_total(
    direct: &Direct,
    total: usize,
    binds: &[Value],
    answered: bool,
) -> Result<lower::Statement, Fault> {
    let total = direct.totals.get(total).ok_or_else(|| ill_formed("nothing is drawn there"))?;
    let mut drawn = direct.drawn.clone();
    if let (Expression::Bind(key), true) =
        (&total.key, direct.counted.iter().any(|table| table.id == total.table.id))
    {
        drawn.push((*key, total.table.id));
    }
    let change = lower::direct::Change {
        table: &total.table,
        key: &total.key,
        set: &total.set,
        layers: &[],
        rules: &Expression::yes(),
        conditions: &[],
        lock: lower::Lock::Held,
        answered,
        goes: false,
        settings: Settings { drawn: &drawn, ..Settings::of(direct) },
    };
    lower::direct::change(change, binds)
}

impl<'p, D: Database> Running<'_, 'p, D> {
    /// How a new row is made of which only the database knows all.
    pub(in super::super) fn made_row(&self, table: &Table, row: &[Value]) -> Option<&'p MadeRow> {
        if self.made.is_empty() {
            return None;
        }
        let Making { direct, at, .. } = self.made.get(&of_row(table, row))?;
        direct.made.get(*at)
    }

    /// Sends the statements that make such rows, one for all that are made in the same way.
    pub(in super::super) async fn make(
        &mut self,
        table: &Table,
        rows: &[&[Value]],
    ) -> Result<(), Failure> {
        let mut alike: Vec<(&Direct, usize, Vec<Vec<Value>>)> = Vec::new();
        for row in rows {
            let making = self.made.remove(&of_row(table, row));
            let making = making.ok_or_else(|| ill_formed("nothing is made"))?;
            let values = making.binds.iter().chain(*row).cloned().collect();
            match alike.iter_mut().find(|(_, at, _)| *at == making.at) {
                Some((.., all)) => all.push(values),
                None => alike.push((making.direct, making.at, vec![values])),
            }
        }
        for (direct, at, all) in alike {
            self.send_alike(direct, table, at, &all).await?;
        }
        Ok(())
    }

    /// Sends the statement that makes rows at one place. Each is given what the binds held, and its columns.
    pub(super) async fn send_alike(
        &mut self,
        direct: &Direct,
        table: &Table,
        place: usize,
        all: &[Vec<Value>],
    ) -> Result<(), Failure> {
        let Some(first) = all.first() else { return Ok(()) };
        let (target, binds) = (direct.id, first.len().saturating_sub(table.columns.len()));
        let key = Key { target, place, kind: Kind::Make, columns: 0, binds: first.len() };
        let ruled = direct.made.get(place).is_some_and(MadeRow::is_ruled);
        if ruled || all.len() == 1 {
            for values in all {
                let lower = || lower_made(direct, place, table, binds, values, false);
                let database = &mut self.writing.database;
                database.run(Asked::Kept(key), lower, values.iter()).await?;
            }
            return Ok(());
        }
        let lower = |hints: &[Value]| lower_made(direct, place, table, binds, hints, true);
        let all: Vec<&[Value]> = all.iter().map(Vec::as_slice).collect();
        self.writing.database.for_each(key, lower, &all).await
    }
}

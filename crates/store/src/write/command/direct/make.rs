//! Rows that are made of what stands in rows.

use operation::{Creation, Direct, Fault, MadeRow, Table, Value};

use super::super::super::{Asked, Database, Failure, Key, Kind};
use super::super::{Running, ill_formed};
use super::Stating;
use crate::lower;

/// How a new row is made.
#[derive(Debug)]
pub(in super::super) struct Making<'p> {
    /// Position among [`Direct::made`], and what stands there.
    at: usize,
    made: &'p MadeRow,
    /// What the binds held then.
    binds: Vec<Value>,
}

/// The statement that makes a row, without any values.
pub(in super::super) fn lower_made(
    direct: &Direct,
    made: usize,
    table: &Table,
    binds: usize,
) -> Result<lower::Statement, Fault> {
    let made = direct.made.get(made).ok_or_else(|| ill_formed("nothing is made there"))?;
    lower::direct::make(made_of(made, table, binds), &[])
}

fn made_of<'m>(
    MadeRow { columns, condition }: &'m MadeRow,
    table: &'m Table,
    binds: usize,
) -> lower::direct::Making<'m> {
    lower::direct::Making { table, columns, condition, binds }
}

impl<D: Database> Stating<'_, '_, D> {
    /// Makes a row as far as it is known.
    pub(super) async fn making(&mut self, at: usize, creation: &Creation) -> Result<(), Fault> {
        let made = self.direct.made.get(at).ok_or_else(|| ill_formed("nothing is made there"))?;
        let unknown = |column| made.columns.iter().any(|(of, _)| *of == column);
        let key = self.running.create_row_but(creation, &unknown).await?;
        let table = self.running.table(creation.row)?.id;
        let binds = self.running.binds.clone();
        self.running.made.insert((table, key), Making { at, made, binds });
        Ok(())
    }
}

impl<D: Database> Running<'_, '_, D> {
    /// Sends the statement that makes a new row, if only the database knows all of it; whether it was.
    pub(in super::super) async fn make(
        &mut self,
        table: &Table,
        row: &[Value],
    ) -> Result<bool, Failure> {
        if self.made.is_empty() || table.root.is_some() {
            return Ok(false);
        }
        let key = row.get(table.own_key()).cloned().unwrap_or_default();
        let Some(Making { at, made, binds }) = self.made.get(&(table.id, key)) else {
            return Ok(false);
        };
        let values: Vec<Value> = binds.iter().chain(row).cloned().collect();
        let (target, place) = (self.program.id, *at);
        let key = Key { target, place, kind: Kind::Make, columns: 0, binds: values.len() };
        let lower = || lower::direct::make(made_of(made, table, binds.len()), &values);
        self.writing.database.run(Asked::Kept(key), lower, values.iter()).await.map(|_| true)
    }
}

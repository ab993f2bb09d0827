//! Values of rows worked out anew, beside who writes.

use futures_util::future::try_join_all;
use operation::{Dialect, Scalar, Table, Value};
use tokio_postgres::error::SqlState;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Error};

use super::Postgres;
use super::bulk::values;
use super::migrate::{Migrator, busy_or};
use super::schema::set_note;
use super::value::{Bound, type_of};
use crate::StoreFault;
use crate::lower::{self, Statement};
use crate::renewal::{Compute, Renewal, Renewed, collides, unwritable};

impl Postgres {
    pub(crate) fn renew(
        &self,
        renewal: &Renewal<'_>,
        compute: &mut Compute<'_>,
    ) -> Result<Renewed, StoreFault> {
        self.blocking(async |client| renew(client, renewal, None, compute).await)
    }
}

impl Migrator {
    /// Works out values of a batch of aggregates anew and keeps how far it is, in one transaction, whose commit is not waited for:
    /// what is lost with it is done again.
    ///
    /// # Errors
    /// [`StoreFault::Busy`] if others hold the rows for too long; what `compute` says; [`StoreFault::Database`].
    pub fn renew(
        &self,
        renewal: &Renewal<'_>,
        note: &str,
        compute: &mut Compute<'_>,
    ) -> Result<Renewed, StoreFault> {
        let renewed = self.wait_for(renew(self.client(), renewal, Some(note), compute));
        if renewed.is_err() {
            self.give_up();
        }
        renewed
    }
}

async fn renew(
    client: &Client,
    renewal: &Renewal<'_>,
    note: Option<&str>,
    compute: &mut Compute<'_>,
) -> Result<Renewed, StoreFault> {
    let [_, parts @ ..] = renewal.tables else { return Ok(Renewed::default()) };
    let (key, scalar) = renewal.key().map_err(|fault| unwritable(&fault))?;
    let begin = "BEGIN; SET LOCAL synchronous_commit = off; SET LOCAL lock_timeout = 300";
    client.batch_execute(begin).await?;
    let mut binds: Vec<(Scalar, &Value)> =
        renewal.after.iter().map(|value| (scalar, value)).collect();
    let statement = renewal.roots(Dialect::Postgres).map_err(|fault| unwritable(&fault))?;
    let mut before = vec![rows_of(client, &statement, &binds).await?];
    let seen = before.iter().map(Vec::len).sum::<usize>();
    let last = before.iter().flatten().last().and_then(|row| row.get(key)).cloned();
    let Some(last) = last else {
        client.batch_execute("COMMIT").await?;
        return Ok(Renewed::default());
    };
    binds.push((scalar, &last));
    for part in parts {
        let statement =
            renewal.parts(Dialect::Postgres, part).map_err(|fault| unwritable(&fault))?;
        before.push(rows_of(client, &statement, &binds).await?);
    }
    let mut after = before.clone();
    compute(&mut after)?;
    let written = renewal.changes(&before, &mut after);
    // Sent one behind the other; answers are not waited for in between.
    let updates = written.iter().map(async |change| {
        let (table, row) = change.of(renewal, &after).map_err(|fault| unwritable(&fault))?;
        update(client, table, &change.columns, &change.binds(table, row)).await
    });
    try_join_all(updates).await?;
    if let Some(note) = note {
        let mut text = Vec::new();
        scalar.print(&last, &mut text);
        set_note(client, note, &String::from_utf8_lossy(&text)).await?;
    }
    client.batch_execute("COMMIT").await.map_err(busy_or)?;
    Ok(renewal.renewed(seen, written.len(), last))
}

async fn update(
    client: &Client,
    table: &Table,
    columns: &[usize],
    binds: &[(Scalar, &Value)],
) -> Result<(), StoreFault> {
    let statement = lower::update(Dialect::Postgres, table, columns, 0);
    let statement = statement.map_err(|fault| unwritable(&fault))?;
    let bound = bound(&statement, binds);
    let updated = client.execute_typed(&statement.text, &typed(&bound)).await;
    updated.map(drop).map_err(|error| match error.code() {
        Some(&SqlState::UNIQUE_VIOLATION) => collides(table),
        _ => busy_or(error),
    })
}

async fn rows_of(
    client: &Client,
    statement: &Statement,
    binds: &[(Scalar, &Value)],
) -> Result<Vec<Vec<Value>>, StoreFault> {
    let bound = bound(statement, binds);
    let rows: Result<_, Error> = client.query_typed(&statement.text, &typed(&bound)).await;
    rows.map_err(busy_or)?.iter().map(|row| values(row, &statement.answer)).collect()
}

/// What a statement is given, in the order of its parameters.
fn bound<'v>(statement: &Statement, binds: &[(Scalar, &'v Value)]) -> Vec<Bound<&'v Value>> {
    let of = |at: usize| binds.get(at).map(|(_, value)| *value);
    let parameters = statement.parameters.iter();
    parameters
        .filter_map(|parameter| Some(Bound { value: of(parameter.origin)?, form: parameter.form }))
        .collect()
}

fn typed<'b>(bound: &'b [Bound<&Value>]) -> Vec<(&'b (dyn ToSql + Sync), Type)> {
    bound.iter().map(|bound| (bound as &(dyn ToSql + Sync), type_of(bound.form))).collect()
}

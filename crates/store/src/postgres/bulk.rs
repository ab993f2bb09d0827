//! Many rows at once: in, out, and counted.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::fmt::Display;
use std::ops::ControlFlow;
use std::pin::pin;

use bytes::{BufMut, Bytes, BytesMut};
use futures_util::{SinkExt as _, TryStreamExt as _};
use operation::{Dialect, Ident, Scalar, Sql, Table, Value};
use tokio_postgres::error::{DbError, SqlState};
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Error};

use super::Postgres;
use super::fault::told;
use super::link::Trouble;
use super::read::cells;
use super::schema::called;
use super::value::{value_of, write_binary};
use crate::{Loaded, StoreFault, lower};

/// The head of binary `COPY` data: signature, flags, no extension.
const HEAD: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";

/// How much is gathered before it is sent, in bytes.
const CHUNK: usize = 256 << 10;

impl Postgres {
    pub(crate) fn load<T, E>(
        &self,
        rows: impl IntoIterator<Item = Result<(T, Vec<Value>), E>>,
    ) -> Result<Loaded, StoreFault>
    where
        T: Borrow<Table>,
        E: Display,
    {
        // Whoever reads the files need not be able to do so from another thread, so the rows come to the database's
        // thread through a channel that holds few of them.
        let (sender, receiver) = std::sync::mpsc::sync_channel::<Job>(4);
        let (told, outcome) = std::sync::mpsc::sync_channel(1);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let loaded = self.blocking(async |client| copy_all(client, receiver).await);
                let _ = told.send(loaded);
            });
            feed(rows, &sender);
            drop(sender);
            outcome.recv().unwrap_or(Err(StoreFault::Closed))
        })
    }

    pub(crate) fn dump(
        &self,
        table: &Table,
        mut each: impl FnMut(&[Value]) -> ControlFlow<()>,
    ) -> Result<(), StoreFault> {
        let lowered = lower::select_row(Dialect::Postgres, table);
        let lowered =
            lowered.map_err(|fault| StoreFault::Database { reason: fault.to_string() })?;
        let (sender, receiver) = std::sync::mpsc::sync_channel::<Vec<Value>>(1_024);
        std::thread::scope(|scope| {
            let reading = scope.spawn(|| {
                self.blocking(async move |client| {
                    let none: [(&str, Type); 0] = [];
                    let rows = client.query_typed_raw(&lowered.text, none).await?;
                    let mut rows = pin!(rows);
                    while let Some(row) = rows.try_next().await? {
                        let values = values(&row, &lowered.answer)?;
                        if sender.send(values).is_err() {
                            break;
                        }
                    }
                    Ok(())
                })
            });
            for values in receiver {
                if each(&values).is_break() {
                    // The receiver is gone with the loop, and with it the reason to send more.
                    break;
                }
            }
            match reading.join() {
                Ok(outcome) => outcome,
                Err(panic) => std::panic::resume_unwind(panic),
            }
        })
    }

    pub(crate) fn count(&self, table: &Table) -> Result<u64, StoreFault> {
        let mut sql = Sql::new(Dialect::Postgres);
        sql.push("SELECT count(*) FROM ").ident(&table.name);
        self.blocking(async |client| {
            let count: i64 = client.query_typed_one(sql.as_str(), &[]).await?.try_get(0)?;
            Ok(u64::try_from(count).unwrap_or(0))
        })
    }
}

impl Postgres {
    pub(crate) fn counted(&self, table: &Table) -> Result<i64, StoreFault> {
        let Some(column) = table.auto.and_then(|at| table.columns.get(at)) else { return Ok(0) };
        let mut sql = Sql::new(Dialect::Postgres);
        sql.push("SELECT coalesce(pg_sequence_last_value(pg_get_serial_sequence(");
        sql.literal(&quoted(table)).push(", ").literal(column.name.as_str());
        sql.push(")::regclass), 0)::bigint");
        self.blocking(async |client| {
            Ok(client.query_typed_one(sql.as_str(), &[]).await?.try_get(0)?)
        })
    }

    pub(crate) fn count_from(&self, table: &Table, number: i64) -> Result<(), StoreFault> {
        self.blocking(async |client| Ok(count_on(client, table, number).await?))
    }
}

/// The name of a table as a text of SQL has it.
fn quoted(table: &Table) -> String {
    let mut sql = Sql::new(Dialect::Postgres);
    sql.ident(&table.name);
    sql.finish()
}

pub(super) fn values(
    row: &tokio_postgres::Row,
    scalars: &[Scalar],
) -> Result<Vec<Value>, StoreFault> {
    let reason = |trouble: String| StoreFault::Database { reason: trouble };
    let cells = cells(row).map_err(|trouble| match trouble {
        Trouble::Database(error) => error.into(),
        trouble => reason(trouble.told()),
    })?;
    let each = scalars.iter().zip(cells.iter()).map(|(scalar, cell)| match cell {
        Some(bytes) => value_of(*scalar, bytes).map_err(|foreign| reason(foreign.to_string())),
        None => Ok(Value::Null),
    });
    each.collect()
}

/// What the database's thread is asked to do.
enum Job {
    /// To send rows of one table.
    Copy(Run),
    /// To give up, for this reason.
    Stop(StoreFault),
}

/// Rows of one table that came one after another.
struct Run {
    table: Table,
    /// Which columns are written: all, or all but the one that the database counts.
    counted: Option<usize>,
    /// Position of the first among all rows given.
    first: u64,
    rows: Vec<Vec<Value>>,
    bytes: usize,
}

fn feed<T: Borrow<Table>, E: Display>(
    rows: impl IntoIterator<Item = Result<(T, Vec<Value>), E>>,
    sender: &std::sync::mpsc::SyncSender<Job>,
) {
    let mut run: Option<Run> = None;
    for (index, row) in (0_u64..).zip(rows) {
        let (table, values) = match row {
            Ok(row) => row,
            Err(error) => {
                let fault = StoreFault::Source { index, reason: error.to_string() };
                let _ = sender.send(Job::Stop(fault));
                return;
            }
        };
        let table: &Table = table.borrow();
        if values.len() != table.columns.len() {
            let reason =
                format!("it has {} values for {} columns", values.len(), table.columns.len());
            let table = table.name.to_string();
            let _ = sender.send(Job::Stop(StoreFault::Row { index, table, reason }));
            return;
        }
        let counted = table.auto.filter(|at| values.get(*at).is_some_and(Value::is_null));
        let same = run.as_ref().is_some_and(|run| {
            run.table.name == table.name && run.counted == counted && run.bytes < CHUNK
        });
        if !same
            && let Some(full) = run.take()
            && sender.send(Job::Copy(full)).is_err()
        {
            return;
        }
        let run = run.get_or_insert_with(|| Run {
            table: table.clone(),
            counted,
            first: index,
            rows: Vec::new(),
            bytes: 0,
        });
        run.bytes += values.iter().map(size).sum::<usize>();
        run.rows.push(values);
    }
    if let Some(last) = run {
        let _ = sender.send(Job::Copy(last));
    }
}

fn size(value: &Value) -> usize {
    8 + match value {
        Value::Text(text) => text.len(),
        Value::Bytes(bytes) => bytes.len(),
        _ => 8,
    }
}

async fn copy_all(
    client: &mut Client,
    jobs: std::sync::mpsc::Receiver<Job>,
) -> Result<Loaded, StoreFault> {
    let mut loaded = Loaded::default();
    // References may point forwards: they are looked at when all rows are there.
    client.batch_execute("BEGIN; SET CONSTRAINTS ALL DEFERRED").await?;
    let mut tables: HashMap<Ident, Table> = HashMap::new();
    for job in jobs {
        let run = match job {
            Job::Copy(run) => run,
            // The connection is closed with this function, and the transaction with the connection.
            Job::Stop(fault) => return Err(fault),
        };
        copy(client, &run).await?;
        loaded.rows += run.rows.len() as u64;
        tables.entry(run.table.name.clone()).or_insert(run.table);
    }
    client.batch_execute("SAVEPOINT whole").await?;
    if let Err(error) = client.batch_execute("SET CONSTRAINTS ALL IMMEDIATE").await {
        client.batch_execute("ROLLBACK TO whole").await?;
        return Err(dangling(client, &tables, &error).await);
    }
    for table in tables.values() {
        count_on(client, table, 0).await?;
    }
    client.batch_execute("COMMIT").await?;
    for table in tables.values() {
        // Plans made without statistics can be far off, and the server would gather them only after a while.
        let mut sql = Sql::new(Dialect::Postgres);
        sql.push("ANALYZE ").ident(&table.name);
        client.batch_execute(sql.as_str()).await?;
    }
    Ok(loaded)
}

async fn copy(client: &Client, run: &Run) -> Result<(), StoreFault> {
    let table = &run.table;
    let written: Vec<usize> =
        (0..table.columns.len()).filter(|at| Some(*at) != run.counted).collect();
    let mut sql = Sql::new(Dialect::Postgres);
    sql.push("COPY ").ident(&table.name).push(" (");
    sql.list(", ", written.iter().filter_map(|at| table.columns.get(*at)), |sql, column| {
        sql.ident(&column.name);
    });
    sql.push(") FROM STDIN BINARY");
    let refused = |index: u64, reason: String| StoreFault::Row {
        index,
        table: table.name.to_string(),
        reason,
    };
    let mut data = BytesMut::with_capacity(run.bytes + 1_024);
    data.put_slice(HEAD);
    for (index, row) in (run.first..).zip(&run.rows) {
        data.put_i16(i16::try_from(written.len()).unwrap_or(i16::MAX));
        for at in &written {
            let (Some(column), Some(value)) = (table.columns.get(*at), row.get(*at)) else {
                continue;
            };
            let start = data.len();
            data.put_i32(-1);
            if value.is_null() {
                continue;
            }
            write_binary(column.scalar, value, &mut data)
                .map_err(|fault| refused(index, format!("`{}`: {fault}", column.field)))?;
            let length = i32::try_from(data.len() - start - 4)
                .map_err(|_| refused(index, format!("`{}` is too long", column.field)))?;
            if let Some(place) = data.get_mut(start..start + 4) {
                place.copy_from_slice(&length.to_be_bytes());
            }
        }
    }
    data.put_i16(-1);
    let outcome = async {
        let mut sink = pin!(client.copy_in::<_, Bytes>(sql.as_str()).await?);
        sink.send(data.freeze()).await?;
        sink.finish().await
    };
    let outcome: Result<u64, Error> = outcome.await;
    outcome.map(drop).map_err(|error| match error.as_db_error() {
        Some(database) => refused(run.first + line(database), plain(database, table)),
        None => error.into(),
    })
}

/// Which row of a `COPY` an error is about, from 0: its context says `COPY name, line 3`.
fn line(error: &DbError) -> u64 {
    let context = error.where_().unwrap_or("");
    let after = context.split(", line ").nth(1).unwrap_or("");
    let digits: String = after.chars().take_while(char::is_ascii_digit).collect();
    digits.parse::<u64>().map_or(0, |line| line.saturating_sub(1))
}

/// What a constraint says, in the words of the data.
fn plain(error: &DbError, table: &Table) -> String {
    if error.code() == &SqlState::UNIQUE_VIOLATION {
        let columns = table
            .uniques
            .iter()
            .find(|unique| error.constraint() == Some(unique.name.as_str()))
            .map_or(&table.key, |unique| &unique.columns);
        let names: Vec<String> = columns
            .iter()
            .filter_map(|at| table.columns.get(*at))
            .map(|column| format!("`{}`", column.name))
            .collect();
        return format!("another {} has the same {}", table.entity, names.join(" and "));
    }
    match error.column() {
        Some(column) if error.code() == &SqlState::NOT_NULL_VIOLATION => {
            format!("`{column}` is missing")
        }
        _ => error.message().to_owned(),
    }
}

/// The first row whose reference leads nowhere.
async fn dangling(client: &Client, tables: &HashMap<Ident, Table>, error: &Error) -> StoreFault {
    let constraint = error
        .as_db_error()
        .and_then(|error| Some((error.schema()?, error.table()?, error.constraint()?.to_owned())));
    let Some((schema, name, constraint)) = constraint else {
        return StoreFault::Database { reason: told(error) };
    };
    // A table without a schema is of the connection's.
    let found = tables.get(&Ident::within(schema, name));
    let found = found.or_else(|| tables.get(&Ident::fit(name)));
    match first_dangling(client, found, &constraint).await {
        Ok(Some(fault)) => fault,
        _ => StoreFault::Database { reason: told(error) },
    }
}

async fn first_dangling(
    client: &Client,
    table: Option<&Table>,
    constraint: &str,
) -> Result<Option<StoreFault>, Error> {
    let Some(table) = table else { return Ok(None) };
    let text = concat!(
        "SELECT a.attname, ",
        called!("t"),
        ", k.attname FROM pg_constraint c JOIN pg_class t ON t.oid = c.confrelid \
         JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = c.conkey[1] \
         JOIN pg_attribute k ON k.attrelid = t.oid AND k.attnum = c.confkey[1] \
         WHERE c.conname = $1 AND c.conrelid = to_regclass($2)"
    );
    let binds: [(&(dyn ToSql + Sync), Type); 2] =
        [(&constraint, Type::TEXT), (&quoted(table), Type::TEXT)];
    let row = client.query_typed_opt(text, &binds).await?;
    let Some(row) = row else { return Ok(None) };
    let (column, target, to): (String, String, String) =
        (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
    let target_name = Ident::read(&target);
    let (Some(from), Some(to)) = (Ident::new(&column), Ident::new(&to)) else { return Ok(None) };
    let mut sql = Sql::new(Dialect::Postgres);
    sql.push("SELECT ");
    sql.list(", ", table.key.iter().filter_map(|at| table.columns.get(*at)), |sql, key| {
        sql.push("a.").ident(&key.name).push("::text");
    });
    sql.push(" FROM ").ident(&table.name).push(" AS a LEFT JOIN ").ident(&target_name);
    sql.push(" AS b ON b.").ident(&to).push(" = a.").ident(&from);
    sql.push(" WHERE a.").ident(&from).push(" IS NOT NULL AND b.").ident(&to);
    sql.push(" IS NULL LIMIT 1");
    let found = client.query_typed_opt(sql.as_str(), &[]).await?;
    let Some(found) = found else { return Ok(None) };
    let mut described = Vec::new();
    for (i, at) in table.key.iter().enumerate() {
        let value: String = found.try_get(i)?;
        let name = table.columns.get(*at).map_or("", |column| column.name.as_str());
        described.push(format!("{name} = {value}"));
    }
    Ok(Some(StoreFault::Dangling {
        index: None,
        table: table.name.to_string(),
        row: described.join(", "),
        column,
        target,
    }))
}

/// Lets the database count on behind the greatest key that is there, and behind `number`.
async fn count_on(client: &Client, table: &Table, number: i64) -> Result<(), Error> {
    let Some(column) = table.auto.and_then(|at| table.columns.get(at)) else { return Ok(()) };
    let mut sql = Sql::new(Dialect::Postgres);
    // Never backwards: what was given out stays given out, though its row be gone.
    sql.push("SELECT setval(s, greatest(n, 1), n > 0) FROM (SELECT s, greatest(m, ");
    sql.integer(number).push(", coalesce(pg_sequence_last_value(s::regclass), 0)) AS n FROM (SELECT pg_get_serial_sequence(");
    sql.literal(&quoted(table)).push(", ");
    sql.literal(column.name.as_str()).push(") AS s, coalesce(max(").ident(&column.name);
    sql.push("), ")
        .integer(0)
        .push(") AS m FROM ")
        .ident(&table.name)
        .push(") AS greatest) AS counted");
    client.query_typed(sql.as_str(), &[]).await.map(drop)
}

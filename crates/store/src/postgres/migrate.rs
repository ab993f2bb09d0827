//! Changes a schema beside the traffic: a session of its own that one process at a time may hold.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use operation::{Dialect, Ident, Sql};
use tokio::runtime::Runtime;
use tokio::task::AbortHandle;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Error};

use super::schema::{called, note, set_note};
use super::{Shared, fault::told, told_with_help};
use crate::StoreFault;
use crate::lower::advisory;
use crate::postgres::link::Address;

/// How long a step waits for a lock: everybody who comes after waits as long.
const PATIENCE: Duration = Duration::from_millis(300);

/// How long a step waits for those that only maintain a table, and for transactions that began before it: nobody waits behind
/// it yet. More than the second (`deadlock_timeout`) after which autovacuum gives way to whoever waits for it.
const COURTESY: Duration = Duration::from_secs(5);

/// A transaction that has been open for so long may stay so.
const LONG: Duration = Duration::from_millis(50);

/// How long a session that another process held may take to end.
const ENDING: Duration = Duration::from_secs(2);

/// A session that changes the schema of a PostgreSQL database in use. Its methods block; never call them on a thread that
/// drives an async runtime.
pub struct Migrator {
    runtime: Runtime,
    client: Client,
    driver: AbortHandle,
    shared: Arc<Shared>,
}

impl std::fmt::Debug for Migrator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Migrator").field("database", &self.shared.address).finish_non_exhaustive()
    }
}

impl Drop for Migrator {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

/// How large a table is, as the database guesses, and what its references are called.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Size {
    /// The table.
    pub table: String,
    /// Rows.
    pub rows: u64,
    /// Bytes without indexes.
    pub bytes: u64,
    /// Column and constraint of each reference.
    pub references: Vec<(String, String)>,
}

impl Migrator {
    pub(super) fn open(shared: Arc<Shared>) -> Result<Self, StoreFault> {
        if shared.address.pooled {
            return Err(StoreFault::Pooled);
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime =
            runtime.map_err(|error| StoreFault::NoThread { reason: error.to_string() })?;
        let (client, driver) =
            runtime.block_on(shared.address.connect_bare()).map_err(|error| {
                StoreFault::CannotConnect {
                    database: shared.address.shown(),
                    reason: told_with_help(&error),
                }
            })?;
        let migrator = Self { runtime, client, driver, shared };
        migrator.run(Address::without_deadline())?;
        // Who looks at what servers run shall not count itself; and what a process that died has begun ends with it.
        migrator.run(
            "SET application_name = 'mimar migrate'; SET client_connection_check_interval = 1000",
        )?;
        let began = Instant::now();
        while !migrator.is_ours()? {
            // The session of a process that has just died is about to end.
            if began.elapsed() > ENDING {
                return Err(StoreFault::Migrating);
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(migrator)
    }

    fn is_ours(&self) -> Result<bool, StoreFault> {
        let text = "SELECT pg_try_advisory_lock($1)";
        let asking = async {
            self.client
                .query_typed_one(text, &[(&advisory::MIGRATION, Type::INT8)])
                .await?
                .try_get(0)
        };
        Ok(self.runtime.block_on(asking)?)
    }

    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    /// Drives what waits for the database.
    pub(super) fn wait_for<T>(&self, work: impl Future<Output = T>) -> T {
        self.runtime.block_on(work)
    }

    /// Ends a transaction that failed; what failed is told already.
    pub(super) fn give_up(&self) {
        if !self.client.is_closed() {
            let _ = self.run("ROLLBACK");
        }
    }

    fn run(&self, statements: &str) -> Result<(), StoreFault> {
        Ok(self.runtime.block_on(self.client.batch_execute(statements))?)
    }

    /// Keeps notes.
    ///
    /// # Errors
    /// [`StoreFault::Busy`], [`StoreFault::Schema`].
    pub fn note_down(&self, notes: &[(&str, &str)]) -> Result<(), StoreFault> {
        self.transaction(&[], &[], notes)
    }

    /// Executes statements, which lock these tables, and keeps notes in one transaction, which gives up where a lock is not to be
    /// had soon.
    ///
    /// # Errors
    /// [`StoreFault::Busy`] where it gave up; [`StoreFault::Schema`] names the statement. Nothing has changed then.
    pub fn transaction(
        &self,
        locked: &[String],
        statements: &[String],
        notes: &[(&str, &str)],
    ) -> Result<(), StoreFault> {
        self.within(locked, statements, notes, async |_| Ok(true)).map(drop)
    }

    /// The same if no server is connected but those whose name begins with `kept`, judged when nobody reads the notes any more;
    /// false if one is, and nothing has changed.
    ///
    /// # Errors
    /// As [`Migrator::transaction`].
    pub fn unless_served(
        &self,
        kept: Option<&str>,
        (locked, statements): (&[String], &[String]),
        notes: &[(&str, &str)],
    ) -> Result<bool, StoreFault> {
        self.within(locked, statements, notes, async |client| {
            client.batch_execute("LOCK TABLE mimar.meta IN ACCESS EXCLUSIVE MODE").await?;
            Ok(connected(client, kept).await? == 0)
        })
    }

    fn within(
        &self,
        locked: &[String],
        statements: &[String],
        notes: &[(&str, &str)],
        may: impl AsyncFnOnce(&Client) -> Result<bool, Error>,
    ) -> Result<bool, StoreFault> {
        let client = &self.client;
        let changing = async {
            client.batch_execute("BEGIN").await?;
            if !locked.is_empty() {
                make_way(client, locked).await.map_err(busy_or)?;
            }
            let patience = format!("SET LOCAL lock_timeout = {}", PATIENCE.as_millis());
            client.batch_execute(&patience).await?;
            if !may(client).await.map_err(busy_or)? {
                client.batch_execute("ROLLBACK").await?;
                return Ok(false);
            }
            for (index, statement) in statements.iter().enumerate() {
                client
                    .batch_execute(statement)
                    .await
                    .map_err(|error| of_statement(&error, index, statement))?;
            }
            for (key, value) in notes {
                set_note(client, key, value).await?;
            }
            client.batch_execute("COMMIT").await.map_err(busy_or)?;
            Ok(true)
        };
        let outcome = self.runtime.block_on(changing);
        if outcome.is_err() {
            self.give_up();
        }
        self.shared.generation.fetch_add(1, Ordering::AcqRel);
        outcome
    }

    /// Executes a statement that no transaction may hold.
    ///
    /// # Errors
    /// [`StoreFault::Busy`], [`StoreFault::Schema`].
    pub fn alone(&self, statement: &str) -> Result<(), StoreFault> {
        // It waits for transactions that are older than it, and nobody waits behind it.
        self.run("SET lock_timeout = 60000")?;
        let done = self.runtime.block_on(self.client.batch_execute(statement));
        self.run("SET lock_timeout = 0")?;
        done.map_err(|error| of_statement(&error, 0, statement))
    }

    /// Whether an index is there: `None` if not, and whether it can be used.
    ///
    /// # Errors
    /// [`StoreFault::Database`].
    pub fn index(&self, name: &str) -> Result<Option<bool>, StoreFault> {
        let text = "SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass($1)";
        let name = qualified(name);
        let row =
            self.runtime.block_on(self.client.query_typed_opt(text, &[(&name, Type::TEXT)]))?;
        Ok(row.map(|row| row.try_get(0)).transpose()?)
    }

    /// A note of the database.
    ///
    /// # Errors
    /// [`StoreFault::Database`].
    pub fn note(&self, key: &str) -> Result<Option<String>, StoreFault> {
        Ok(self.runtime.block_on(note(&self.client, key))?)
    }

    /// Writes rows of a table and notes in one transaction, which is sent whole. The trigger that keeps columns the same does not
    /// look, and the commit is not waited for: what is lost with it is done again.
    ///
    /// # Errors
    /// [`StoreFault::Busy`], [`StoreFault::Schema`].
    pub fn batch(&self, statement: &str, notes: &[(&str, &str)]) -> Result<(), StoreFault> {
        let mut whole = format!(
            "BEGIN; SET LOCAL mimar.backfill = 'on'; SET LOCAL synchronous_commit = off; \
             SET LOCAL lock_timeout = 2000; {statement}"
        );
        for (key, value) in notes {
            let mut note = Sql::new(Dialect::Postgres);
            note.push("; INSERT INTO mimar.meta (key, value) VALUES (").literal(key).push(", ");
            note.literal(value).push(") ON CONFLICT (key) DO UPDATE SET value = excluded.value");
            whole.push_str(note.as_str());
        }
        whole.push_str("; COMMIT");
        let outcome = self.runtime.block_on(self.client.batch_execute(&whole));
        if outcome.is_err() {
            self.give_up();
        }
        outcome.map_err(|error| of_statement(&error, 0, statement))
    }

    /// How many blocks of rows a table has.
    ///
    /// # Errors
    /// [`StoreFault::Database`].
    pub fn blocks(&self, table: &str) -> Result<u64, StoreFault> {
        let text = "SELECT pg_relation_size(c.oid) / current_setting('block_size')::int FROM pg_class c \
                    WHERE c.oid = to_regclass($1)";
        let table = qualified(table);
        let row =
            self.runtime.block_on(self.client.query_typed_one(text, &[(&table, Type::TEXT)]))?;
        Ok(u64::try_from(row.try_get::<_, i64>(0)?).unwrap_or(0))
    }

    /// Connections of servers but those whose name begins with `kept`.
    ///
    /// # Errors
    /// [`StoreFault::Database`].
    pub fn connected(&self, kept: Option<&str>) -> Result<u64, StoreFault> {
        Ok(self.runtime.block_on(connected(&self.client, kept))?)
    }

    /// Whether a query finds anything.
    ///
    /// # Errors
    /// [`StoreFault::Database`].
    pub fn finds(&self, query: &str) -> Result<bool, StoreFault> {
        let text = format!("SELECT EXISTS ({query})");
        let row = self.runtime.block_on(self.client.query_typed_one(&text, &[]))?;
        Ok(row.try_get(0)?)
    }

    /// The transaction that has been open longest, for people: who does not get a lock may wait for it.
    pub fn oldest(&self) -> Option<String> {
        let text = "SELECT format('%s has a transaction open for %s s: %s', coalesce(nullif(application_name, ''), usename), \
                    extract(epoch FROM now() - xact_start)::int, left(regexp_replace(query, '\\s+', ' ', 'g'), 100)) \
                    FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() \
                    AND xact_start < now() - interval '1 s' AND backend_type = 'client backend' ORDER BY xact_start LIMIT 1";
        let row = self.runtime.block_on(self.client.query_typed_opt(text, &[])).ok()??;
        row.try_get(0).ok()
    }
}

/// A stored name, `schema.name` or `name`, as PostgreSQL takes it.
fn qualified(stored: &str) -> String {
    let mut sql = Sql::new(Dialect::Postgres);
    sql.ident(&Ident::read(stored));
    sql.finish()
}

/// Sizes of tables.
pub(super) async fn sizes(client: &Client) -> Result<Vec<Size>, Error> {
    let text = concat!(
        "SELECT ",
        called!("c"),
        ", greatest(c.reltuples, 0)::bigint, pg_relation_size(c.oid), c.reltuples < 0 FROM pg_class c \
         JOIN pg_namespace s ON s.oid = c.relnamespace WHERE c.relkind = 'r' \
         AND s.nspname NOT LIKE 'pg\\_%' AND s.nspname NOT IN ('information_schema', 'mimar')"
    );
    let mut sizes = Vec::new();
    for row in client.query_typed(text, &[]).await? {
        let (table, bytes): (String, i64) = (row.try_get(0)?, row.try_get(2)?);
        let bytes = u64::try_from(bytes).unwrap_or(0);
        // A table that was never analysed says nothing of its rows: a hundred bytes each are usual.
        let rows: u64 = match row.try_get(3)? {
            true => bytes / 100,
            false => u64::try_from(row.try_get::<_, i64>(1)?).unwrap_or(0),
        };
        sizes.push(Size { table, rows, bytes, references: Vec::new() });
    }
    let text = concat!(
        "SELECT ",
        called!("t"),
        ", a.attname, c.conname FROM pg_constraint c JOIN pg_class t ON t.oid = c.conrelid \
         JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = c.conkey[1] \
         WHERE c.contype = 'f' AND cardinality(c.conkey) = 1"
    );
    for row in client.query_typed(text, &[]).await? {
        let table: &str = row.try_get(0)?;
        if let Some(size) = sizes.iter_mut().find(|size| size.table == table) {
            size.references.push((row.try_get(1)?, row.try_get(2)?));
        }
    }
    Ok(sizes)
}

pub(super) async fn connected(client: &Client, kept: Option<&str>) -> Result<u64, Error> {
    let text = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() \
                AND application_name LIKE 'mimar%' AND application_name <> 'mimar migrate' \
                AND ($1 IS NULL OR NOT starts_with(application_name || ' ', $1 || ' '))";
    let row = client.query_typed_one(text, &[(&kept, Type::TEXT)]).await?;
    let connected: i64 = row.try_get(0)?;
    let hidden = super::presence::others(client, kept).await?;
    Ok(u64::try_from(connected + hidden).unwrap_or(0))
}

/// Waits where nobody waits behind us yet, before a lock is asked for that everybody would wait behind.
///
/// Autovacuum keeps the lock of maintenance for as long as it works, and gives way only to who has waited for a second; a
/// transaction that has been open for long may stay open for long.
async fn make_way(client: &Client, tables: &[String]) -> Result<(), Error> {
    let courtesy = COURTESY.as_millis();
    let tables: Vec<String> = tables.iter().map(|table| qualified(table)).collect();
    let names: Vec<String> = tables.iter().map(|table| format!("ONLY {table}")).collect();
    client
        .batch_execute(&format!(
            "SET LOCAL lock_timeout = {courtesy}; LOCK TABLE {} IN SHARE UPDATE EXCLUSIVE MODE",
            names.join(", ")
        ))
        .await?;
    let text = "SELECT EXISTS (SELECT 1 FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid \
                WHERE l.relation = ANY (SELECT to_regclass(name)::oid FROM unnest($1) AS name) \
                AND l.locktype = 'relation' AND l.granted AND l.pid <> pg_backend_pid() \
                AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database()) \
                AND a.xact_start < clock_timestamp() - make_interval(secs => $2))";
    let began = Instant::now();
    while began.elapsed() < COURTESY {
        let binds: [(&(dyn ToSql + Sync), Type); 2] =
            [(&tables, Type::TEXT_ARRAY), (&LONG.as_secs_f64(), Type::FLOAT8)];
        if !client.query_typed_one(text, &binds).await?.try_get::<_, bool>(0)? {
            break;
        }
        tokio::time::sleep(LONG / 2).await;
    }
    Ok(())
}

fn is_busy(error: &Error) -> bool {
    error.code().is_some_and(|code| {
        [
            SqlState::LOCK_NOT_AVAILABLE,
            SqlState::T_R_DEADLOCK_DETECTED,
            SqlState::T_R_SERIALIZATION_FAILURE,
        ]
        .contains(code)
    })
}

pub(super) fn busy_or(error: Error) -> StoreFault {
    if is_busy(&error) { StoreFault::Busy } else { error.into() }
}

fn of_statement(error: &Error, index: usize, statement: &str) -> StoreFault {
    if is_busy(error) {
        return StoreFault::Busy;
    }
    StoreFault::Schema { index, statement: statement.to_owned(), reason: told(error) }
}

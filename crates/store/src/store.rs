//! The store, whatever the database.

use std::future::Future;
use std::path::Path;
use std::sync::Arc;

use operation::{Dialect, Fault, Read, Receipt, Redraw, Table, Value, Write};

use crate::postgres::Postgres;
use crate::sqlite::Sqlite;
use crate::{
    Compute, Migrator, Options, Renewal, Renewed, Rows, Size, StoreFault, Workers, Written,
};

/// A database that executes operations. Cloning it is cheap and gives the same store.
#[derive(Debug, Clone)]
pub enum Store {
    /// Embedded SQLite.
    Sqlite(Arc<Sqlite>),
    /// A PostgreSQL server.
    Postgres(Arc<Postgres>),
}

/// What a stored table is called, and a column of it where one is given.
pub type Called<'a> = &'a (dyn Fn(&str, Option<&str>) -> String + Sync);

/// What a load brought in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Loaded {
    /// Rows inserted.
    pub rows: u64,
}

/// Figures of a running store; counts are since it was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Statistics {
    /// Writes that wait now.
    pub queue: u64,
    /// Writes that were refused because the queue was full.
    pub overloaded: u64,
    /// Commits of the writer.
    pub commits: u64,
    /// Writes that were acknowledged.
    pub writes: u64,
    /// Writes that failed.
    pub failures: u64,
    /// Events that were published.
    pub events: u64,
    /// Commands that were worked out before their turn to write, while others wrote.
    pub ahead: u64,
    /// Reads that the database answered.
    pub reads: u64,
    /// Of them those that another read's statement answered.
    pub gathered: u64,
    /// Where they were made; nothing without replicas.
    pub replicas: Option<ReplicaReads>,
    /// Reads that a kept answer served.
    pub answer_hits: u64,
    /// Reads for which no valid answer was kept.
    pub answer_misses: u64,
    /// Bytes of kept answers.
    pub answer_bytes: u64,
    /// Snapshots that the threads which read SQLite took to stay with; each begins with an empty page cache.
    pub snapshots: u64,
    /// Size of the write-ahead log in bytes after the last commit.
    pub log_bytes: u64,
    /// Checkpoints that ran.
    pub checkpoints: u64,
}

/// Where reads were made that a replica may answer, and why not on one; counts are since the store was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ReplicaReads {
    /// On a replica.
    pub served: u64,
    /// On the primary: no replica had all of what was acknowledged before the read.
    pub behind: u64,
    /// On the primary: no replica was connected to, or all were left alone after a failure.
    pub away: u64,
    /// On the primary: the replica failed, refused or was too slow.
    pub failed: u64,
}

impl Store {
    /// Opens the database at `path`, creating an empty one if there is none.
    ///
    /// # Errors
    /// [`StoreFault::LibraryTooOld`], [`StoreFault::CannotOpen`], [`StoreFault::NoThread`].
    pub fn open(path: &Path, options: Options) -> Result<Self, StoreFault> {
        Sqlite::open(path, options.bounded()).map(|sqlite| Self::Sqlite(Arc::new(sqlite)))
    }

    /// Connects to the PostgreSQL database at `url` (`postgres://user:password@host:port/name`).
    ///
    /// # Errors
    /// [`StoreFault::Address`], [`StoreFault::CannotConnect`], [`StoreFault::NoThread`], [`StoreFault::Database`].
    pub fn connect(url: &str, options: Options) -> Result<Self, StoreFault> {
        Self::connect_with(url, &[], options)
    }

    /// Connects to the PostgreSQL database at `url`, whose reads ([`Store::read`]) may be made on the streaming replicas at other
    /// addresses (16 at most). A read sees all that was acknowledged before it was asked for, by whichever process, wherever it
    /// is made; and it never fails for a replica's sake.
    ///
    /// # Errors
    /// As [`Store::connect`]; [`StoreFault::Replica`] where a server is a copy of another database, [`StoreFault::PooledReplica`].
    pub fn connect_with(
        url: &str,
        replicas: &[String],
        options: Options,
    ) -> Result<Self, StoreFault> {
        let postgres = Postgres::open(url, replicas, options.bounded())?;
        Ok(Self::Postgres(Arc::new(postgres)))
    }

    /// Tells that so many threads call the store from now on; all of them run, until they say otherwise. Before this the store
    /// takes it that somebody always runs. Whoever says it last is believed.
    pub fn workers(&self, count: usize) -> Workers {
        match self {
            Self::Sqlite(sqlite) => sqlite.workers(count),
            Self::Postgres(_) => Workers::none(),
        }
    }

    /// The replicas that reads may be made on: each by its name, and why it was not used when it was last looked at. Such a one
    /// is tried again.
    pub fn replicas(&self) -> Vec<(String, Option<String>)> {
        match self {
            Self::Sqlite(_) => Vec::new(),
            Self::Postgres(postgres) => postgres.replicas(),
        }
    }

    /// How its statements are written.
    pub fn dialect(&self) -> Dialect {
        match self {
            Self::Sqlite(_) => Dialect::Sqlite,
            Self::Postgres(_) => Dialect::Postgres,
        }
    }

    /// Answers a read. SQLite does so on the calling thread, microseconds where an index serves and never longer than
    /// [`Options::deadline`], so that the future is done when it is first polled; PostgreSQL is waited for. Neither
    /// waits for the writer.
    ///
    /// # Errors
    /// [`Fault::Invalid`] where an expression overflows or divides by zero, [`Fault::Unavailable`] past the
    /// deadline, [`Fault::Internal`] where template and schema do not fit.
    pub async fn read(&self, read: &Read, binds: &[Value]) -> Result<Rows, Fault> {
        match self {
            Self::Sqlite(sqlite) => sqlite.read(read, binds),
            // Boxed, so that the future of a request is not as large as the longest road through a driver.
            Self::Postgres(postgres) => Box::pin(postgres.read(read, binds)).await,
        }
    }

    /// The same, blocking. Never call it on a thread that drives an async runtime.
    ///
    /// # Errors
    /// As [`Store::read`].
    pub fn read_blocking(&self, read: &Read, binds: &[Value]) -> Result<Rows, Fault> {
        match self {
            Self::Sqlite(sqlite) => sqlite.read(read, binds),
            Self::Postgres(postgres) => Postgres::read_blocking(postgres, read, binds),
        }
    }

    /// Queues a write at once, before the future is first polled. The future ends after the commit; dropping it
    /// does not undo the write. A write with a receipt is done once, however often it is asked for within a day.
    ///
    /// # Errors
    /// Every [`Fault`] but `Unauthenticated`; [`Fault::Overloaded`] where the queue is full.
    pub fn write(
        &self,
        write: Box<Write>,
        receipt: Option<Box<Receipt>>,
    ) -> impl Future<Output = Result<Written, Fault>> + Send + use<> {
        let ticket = match self {
            Self::Sqlite(sqlite) => sqlite.enqueue(write, receipt),
            Self::Postgres(postgres) => postgres.enqueue(write, receipt),
        };
        async move { ticket?.wait().await }
    }

    /// The same, blocking. Never call it on a thread that drives an async runtime.
    ///
    /// # Errors
    /// As [`Store::write`].
    pub fn write_blocking(&self, write: Write) -> Result<Written, Fault> {
        self.write_once_blocking(write, None)
    }

    /// The same with a receipt.
    ///
    /// # Errors
    /// As [`Store::write`].
    pub fn write_once_blocking(
        &self,
        write: Write,
        receipt: Option<Receipt>,
    ) -> Result<Written, Fault> {
        let (write, receipt) = (Box::new(write), receipt.map(Box::new));
        match self {
            Self::Sqlite(sqlite) => sqlite.enqueue(write, receipt)?.wait_blocking(),
            Self::Postgres(postgres) => postgres.enqueue(write, receipt)?.wait_blocking(),
        }
    }

    /// Tells the plan's tables: messages speak of their entities, and a change inside a part is one of its root; and what draws on references
    /// that the database empties. Call it whenever a model is loaded.
    pub fn know(&self, tables: &[Arc<Table>], redraws: Vec<Redraw>) {
        match self {
            Self::Sqlite(sqlite) => sqlite.know(tables, redraws),
            Self::Postgres(postgres) => postgres.know(tables, redraws),
        }
    }

    /// Executes schema statements in one transaction, alone; then everything prepared or kept is dropped.
    ///
    /// # Errors
    /// [`StoreFault::Schema`] names the statement; nothing has changed then.
    pub fn execute_schema(&self, statements: &[String]) -> Result<(), StoreFault> {
        match self {
            Self::Sqlite(sqlite) => sqlite.migrate(statements, &[]),
            Self::Postgres(postgres) => postgres.migrate(statements, &[]),
        }
    }

    /// The same, keeping notes (key, value) in the same transaction, for [`Store::meta`].
    ///
    /// # Errors
    /// As [`Store::execute_schema`].
    pub fn migrate(&self, statements: &[String], notes: &[(&str, &str)]) -> Result<(), StoreFault> {
        match self {
            Self::Sqlite(sqlite) => sqlite.migrate(statements, notes),
            Self::Postgres(postgres) => postgres.migrate(statements, notes),
        }
    }

    /// Stored tables and indexes in order of creation: name, and the statement that would make it on SQLite, with every table
    /// and column called what `called` calls it (of a table, and of its column where one is given). The store's own tables
    /// are left out. On PostgreSQL these are the tables of the connection's schema, of those that are services', and of
    /// `schemas`; a table that is not in the connection's is called `schema.name`.
    ///
    /// # Errors
    /// [`StoreFault::Database`].
    pub fn tables(
        &self,
        schemas: &[&str],
        called: Called<'_>,
    ) -> Result<Vec<(String, String)>, StoreFault> {
        match self {
            // There everything has the name that the model wants at once.
            Self::Sqlite(sqlite) => sqlite.tables(),
            Self::Postgres(postgres) => postgres.tables(schemas, called),
        }
    }

    /// The same of a database whose tables others made, which keep their values in types of their own: what these are is said in the
    /// comment of each column, by which [`schema::adopt`](../schema/fn.adopt.html) decides whether they can be served as they are.
    ///
    /// # Errors
    /// [`StoreFault::Database`].
    pub fn others_tables(
        &self,
        schemas: &[&str],
        called: Called<'_>,
    ) -> Result<Vec<(String, String)>, StoreFault> {
        match self {
            Self::Sqlite(sqlite) => sqlite.others_tables(),
            Self::Postgres(postgres) => postgres.tables(schemas, called),
        }
    }

    /// What others have put beside the tables that [`Store::tables`] tells, and that no model says: triggers, checks and other
    /// constraints, indexes over expressions or over some rows only, rules and policies of PostgreSQL. Each by its name
    /// (`trigger touch on product`), with its definition; in the order of names.
    ///
    /// # Errors
    /// [`StoreFault::Database`].
    pub fn additions(&self) -> Result<Vec<(String, String)>, StoreFault> {
        match self {
            Self::Sqlite(sqlite) => sqlite.additions(),
            Self::Postgres(postgres) => postgres.additions(),
        }
    }

    /// The schema of a PostgreSQL database where tables of no service stand; empty on SQLite, which has none.
    ///
    /// # Errors
    /// [`StoreFault::Database`].
    pub fn schema(&self) -> Result<String, StoreFault> {
        match self {
            Self::Sqlite(_) => Ok(String::new()),
            Self::Postgres(postgres) => postgres.schema(),
        }
    }

    /// A session that changes the schema beside the traffic; `None` on SQLite, which changes it at once.
    ///
    /// # Errors
    /// [`StoreFault::Migrating`] while another process holds one, [`StoreFault::Pooled`], [`StoreFault::CannotConnect`].
    pub fn migrator(&self) -> Result<Option<Migrator>, StoreFault> {
        match self {
            Self::Sqlite(_) => Ok(None),
            Self::Postgres(postgres) => postgres.migrator().map(Some),
        }
    }

    /// How large the tables are; nothing on SQLite, which does not guess.
    ///
    /// # Errors
    /// [`StoreFault::Database`].
    pub fn sizes(&self) -> Result<Vec<Size>, StoreFault> {
        match self {
            Self::Sqlite(_) => Ok(Vec::new()),
            Self::Postgres(postgres) => postgres.sizes(),
        }
    }

    /// Writes a whole and consistent copy of the database into a new file; false on a server, which has backups of its own.
    ///
    /// # Errors
    /// [`StoreFault::Database`], also where the file is there already.
    pub fn back_up(&self, path: &Path) -> Result<bool, StoreFault> {
        match self {
            Self::Sqlite(sqlite) => sqlite.back_up(path).map(|()| true),
            Self::Postgres(_) => Ok(false),
        }
    }

    /// Calls this server so to others who are connected to the same database (`application_name`), on every connection that
    /// is opened from now on.
    pub fn call(&self, name: &str) {
        match self {
            Self::Sqlite(_) => {}
            Self::Postgres(postgres) => postgres.call(name),
        }
    }

    /// How many connections servers have whose name ([`Store::call`]) does not begin with `kept`; 0 on SQLite, where nobody else is
    /// seen.
    ///
    /// # Errors
    /// [`StoreFault::CannotConnect`], [`StoreFault::Database`].
    pub fn others(&self, kept: &str) -> Result<u64, StoreFault> {
        match self {
            Self::Sqlite(_) => Ok(0),
            Self::Postgres(postgres) => postgres.others(kept),
        }
    }

    /// A note that was kept under `key` with the database itself.
    ///
    /// # Errors
    /// [`StoreFault::Database`].
    pub fn meta(&self, key: &str) -> Result<Option<String>, StoreFault> {
        match self {
            Self::Sqlite(sqlite) => sqlite.meta(key),
            Self::Postgres(postgres) => postgres.meta(key),
        }
    }

    /// Keeps a note under `key` with the database itself, durably.
    ///
    /// # Errors
    /// [`StoreFault::Database`].
    pub fn set_meta(&self, key: &str, value: &str) -> Result<(), StoreFault> {
        match self {
            Self::Sqlite(sqlite) => sqlite.migrate(&[], &[(key, value)]),
            Self::Postgres(postgres) => postgres.migrate(&[], &[(key, value)]),
        }
    }

    /// Inserts rows in one transaction, alone; each is a table and a value for every column of it (an `auto` key
    /// may be null). References may point forwards. All or nothing.
    ///
    /// # Errors
    /// [`StoreFault::Row`], [`StoreFault::Dangling`] and [`StoreFault::Source`] say which row and why.
    pub fn load<T, E>(
        &self,
        rows: impl IntoIterator<Item = Result<(T, Vec<Value>), E>>,
    ) -> Result<Loaded, StoreFault>
    where
        T: std::borrow::Borrow<Table>,
        E: std::fmt::Display,
    {
        match self {
            Self::Sqlite(sqlite) => sqlite.load(rows),
            Self::Postgres(postgres) => postgres.load(rows),
        }
    }

    /// Hands every row of a table to `each`, in the order of its key, from one snapshot, until `each` breaks.
    ///
    /// # Errors
    /// [`StoreFault::Database`].
    pub fn dump(
        &self,
        table: &Table,
        each: impl FnMut(&[Value]) -> std::ops::ControlFlow<()>,
    ) -> Result<(), StoreFault> {
        match self {
            Self::Sqlite(sqlite) => sqlite.dump(table, each),
            Self::Postgres(postgres) => postgres.dump(table, each),
        }
    }

    /// Works out values of a batch of aggregates anew, in one transaction; others may write beside it.
    ///
    /// # Errors
    /// [`StoreFault::Busy`] if others hold the rows for too long; what `compute` says; [`StoreFault::Database`].
    pub fn renew(
        &self,
        renewal: &Renewal<'_>,
        compute: &mut Compute<'_>,
    ) -> Result<Renewed, StoreFault> {
        match self {
            Self::Sqlite(sqlite) => sqlite.renew(renewal, compute),
            Self::Postgres(postgres) => postgres.renew(renewal, compute),
        }
    }

    /// How many rows a table has.
    ///
    /// # Errors
    /// [`StoreFault::Database`].
    pub fn count(&self, table: &Table) -> Result<u64, StoreFault> {
        match self {
            Self::Sqlite(sqlite) => sqlite.count(table),
            Self::Postgres(postgres) => postgres.count(table),
        }
    }

    /// The greatest number that the database has given out for a table's key, whether its row is still there or not; 0
    /// where it has given out none, or counts none.
    ///
    /// # Errors
    /// [`StoreFault::Database`].
    pub fn counted(&self, table: &Table) -> Result<i64, StoreFault> {
        match self {
            Self::Sqlite(sqlite) => sqlite.counted(table),
            Self::Postgres(postgres) => postgres.counted(table),
        }
    }

    /// Lets the database count a table's key from behind a number; never backwards.
    ///
    /// # Errors
    /// [`StoreFault::Database`], [`StoreFault::Schema`].
    pub fn count_from(&self, table: &Table, number: i64) -> Result<(), StoreFault> {
        match self {
            Self::Sqlite(sqlite) => sqlite.count_from(table, number),
            Self::Postgres(postgres) => postgres.count_from(table, number),
        }
    }

    /// Whether the database answers.
    ///
    /// # Errors
    /// [`Fault::Unavailable`] or [`Fault::Internal`] with the reason, for the log.
    pub async fn ping(&self) -> Result<(), Fault> {
        match self {
            Self::Sqlite(sqlite) => sqlite.ping(),
            Self::Postgres(postgres) => postgres.ping().await,
        }
    }

    /// Lets those who change the tables see that this server runs, under the name of [`Store::call`]: by a connection that is
    /// open, or, where a pooler hides that, by a note that holds for 20 s. It ends with [`Store::close`].
    ///
    /// # Errors
    /// As [`Store::ping`].
    pub async fn be_present(&self) -> Result<(), Fault> {
        match self {
            Self::Sqlite(sqlite) => sqlite.ping(),
            Self::Postgres(postgres) => postgres.be_present().await,
        }
    }

    /// Figures of now.
    pub fn statistics(&self) -> Statistics {
        match self {
            Self::Sqlite(sqlite) => sqlite.statistics(),
            Self::Postgres(postgres) => postgres.statistics(),
        }
    }

    /// Finishes every write that was accepted, then ends the writer; later writes are refused as unavailable.
    /// Blocks until that is done.
    pub fn close(&self) {
        match self {
            Self::Sqlite(sqlite) => sqlite.close(),
            Self::Postgres(postgres) => postgres.close(),
        }
    }
}

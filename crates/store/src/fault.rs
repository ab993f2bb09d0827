//! How a store fails where no request is at fault.

use std::path::PathBuf;

/// Why a store cannot be opened, changed or filled. Requests fail with [`operation::Fault`] instead.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreFault {
    /// The SQLite library is older than 3.51.3.
    #[error(
        "the SQLite library is {found}, and {needed} or newer is needed: older ones can corrupt a database when \
         two connections checkpoint its write-ahead log at once. Build with the bundled library, or update the \
         system's"
    )]
    LibraryTooOld {
        /// The version that was found.
        found: &'static str,
        /// The oldest version that is safe.
        needed: &'static str,
    },
    /// The file cannot be opened as a database.
    #[error("cannot open the database {}: {reason}", path.display())]
    CannotOpen {
        /// The database file.
        path: PathBuf,
        /// What SQLite or the system said.
        reason: String,
    },
    /// The file holds tables that others made; none of them was touched.
    #[error("the SQLite file {} holds tables that others made ({}), and none of them was touched", path.display(), some(tables))]
    Others {
        /// The database file.
        path: PathBuf,
        /// Its tables.
        tables: Vec<String>,
    },
    /// A computed field has no value for a row.
    #[error(
        "a computed field cannot be given its value: {reason}. Mend the row or the formula, then do the same again: it goes on from there"
    )]
    Formula {
        /// Which of which row, and why.
        reason: String,
    },
    /// The address of a database cannot be used.
    #[error(
        "cannot use the address of the database: {reason}; write it as postgres://user:password@host:5432/database"
    )]
    Address {
        /// What is wrong with it.
        reason: String,
    },
    /// A replica that is none of this database.
    #[error(
        "cannot read from the replica {replica}: {reason}; a replica is a standby that streams from the primary (`pg_basebackup --write-recovery-conf`)"
    )]
    Replica {
        /// The replica, without its password.
        replica: String,
        /// In what it is none.
        reason: String,
    },
    /// A replica behind a pooler.
    #[error(
        "cannot read from the replica {replica} through a pooler in transaction mode: how far it has come holds for one session; name the server itself"
    )]
    PooledReplica {
        /// The replica, without its password.
        replica: String,
    },
    /// The database at an address does not let us in.
    #[error("cannot connect to the database {database}: {reason}")]
    CannotConnect {
        /// The database, without its password.
        database: String,
        /// What it or the system said.
        reason: String,
    },
    /// A thread of the store cannot be started.
    #[error("cannot start the store's thread: {reason}")]
    NoThread {
        /// What the system said.
        reason: String,
    },
    /// A schema statement failed; none of the statements had an effect.
    #[error("schema statement {} failed: {reason}\n{statement}", index + 1)]
    Schema {
        /// Position of the statement in the list, from 0.
        index: usize,
        /// The statement.
        statement: String,
        /// What SQLite said.
        reason: String,
    },
    /// What is stored does not fit a schema statement; none of the statements had an effect.
    #[error(
        "what is stored does not fit the model: {reason}. Nothing was changed\n\nMend the rows first{}, or take back what the model asks of \
         them", mend(.query)
    )]
    Unfit {
        /// What is wrong with the rows, in the words of the data.
        reason: String,
        /// A query that finds them, where one is known.
        query: Option<String>,
    },
    /// A row could not be loaded; nothing of the load stays.
    #[error("row {} cannot be loaded into {table}: {reason}", index + 1)]
    Row {
        /// Position among all rows given, from 0.
        index: u64,
        /// The table's stored name.
        table: String,
        /// What is wrong, in the words of the data.
        reason: String,
    },
    /// After the load a reference leads nowhere; nothing of the load stays.
    #[error("{table} {row}: the reference {column} leads to no row of {target}")]
    Dangling {
        /// Position among all rows given, from 0, where it is known.
        index: Option<u64>,
        /// The table's stored name.
        table: String,
        /// The referring row, by its key: `id = 7`.
        row: String,
        /// The referring column.
        column: String,
        /// The table that is referred to.
        target: String,
    },
    /// The source of the rows failed; nothing of the load stays.
    #[error("reading the rows failed: {reason}")]
    Source {
        /// Position among all rows given, from 0.
        index: u64,
        /// What the source said.
        reason: String,
    },
    /// The database failed.
    #[error("the database failed: {reason}")]
    Database {
        /// What SQLite said.
        reason: String,
    },
    /// A lock was not to be had soon; nothing has changed.
    #[error("a lock was not to be had in time")]
    Busy,
    /// Another process changes the schema.
    #[error("another process is changing this database; one at a time may")]
    Migrating,
    /// The schema cannot be changed through a pooler.
    #[error(
        "the schema is changed in one session, which a pooler in transaction mode does not give: name the server itself"
    )]
    Pooled,
    /// The store was closed.
    #[error("the store is closed")]
    Closed,
}

/// The first of many names, and how many more there are.
fn some(names: &[String]) -> String {
    const SHOWN: usize = 3;
    let shown = names[..names.len().min(SHOWN)].join(", ");
    match names.len().saturating_sub(SHOWN) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

fn mend(query: &Option<String>) -> String {
    query.as_ref().map_or_else(String::new, |query| format!(" (`{query}` finds them)"))
}

impl From<rusqlite::Error> for StoreFault {
    fn from(error: rusqlite::Error) -> Self {
        Self::Database { reason: error.to_string() }
    }
}

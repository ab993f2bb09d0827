//! What can go wrong while data is made, a server serves or a run measures.

use std::path::PathBuf;

/// A failure of the world around the benchmark; nothing here is a client's mistake.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// A file or socket did not do what was asked.
    #[error("{doing}: {source}")]
    Io {
        /// What was being done, as a phrase.
        doing: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// SQLite refused.
    #[error("SQLite: {0}")]
    Database(#[from] rusqlite::Error),
    /// PostgreSQL refused, or cannot be reached.
    #[error("PostgreSQL: {0}")]
    Postgres(#[from] tokio_postgres::Error),
    /// The same, seen by sqlx.
    #[error("PostgreSQL: {0}")]
    Pool(#[from] sqlx_core::Error),
    /// The bundled SQLite carries the WAL corruption that 3.51.3 mends.
    #[error("SQLite {found} is older than 3.51.3, whose predecessors can corrupt a WAL database")]
    OldSqlite {
        /// The version linked in.
        found: &'static str,
    },
    /// A server needs the key that signs its callers' tokens.
    #[error("MIMAR_JWT_SECRET is not set: it holds the key that verifies callers' tokens")]
    NoSecret,
    /// A child server ended or stayed silent before its first answer.
    #[error("{server} did not become ready within {seconds} s; its output is in {log}")]
    NotReady {
        /// The server's name in the report.
        server: String,
        /// How long was waited.
        seconds: u64,
        /// Where its output went.
        log: PathBuf,
    },
    /// A command that prepares data ended with a failure.
    #[error("`{command}` failed ({status}); its output is in {log}")]
    Command {
        /// The command line.
        command: String,
        /// How it ended.
        status: std::process::ExitStatus,
        /// Where its output went.
        log: PathBuf,
    },
    /// What came back is no HTTP/1.1 response that the load generator can count.
    #[error("an answer cannot be read: {0}")]
    Unreadable(&'static str),
    /// `wrk` failed, or one of its connections did.
    #[error("wrk measured nothing: {0}")]
    Wrk(String),
    /// A request of the workload was refused, so its speed would mean nothing.
    #[error("{row}: {refused} of {total} requests were refused, the last with status {status}")]
    Refused {
        /// The row of the table.
        row: &'static str,
        /// Answers outside 2xx.
        refused: u64,
        /// All answers.
        total: u64,
        /// The last status outside 2xx.
        status: u16,
    },
    /// The two servers do not answer alike, so their speeds cannot be compared.
    #[error("the servers disagree:\n{0}")]
    Disagree(String),
}

/// Gives an I/O error the phrase that says what was being done.
pub(crate) trait Doing<T> {
    /// Wraps the error with `doing`.
    fn doing(self, doing: impl Into<String>) -> Result<T, Fault>;
}

impl<T> Doing<T> for std::io::Result<T> {
    fn doing(self, doing: impl Into<String>) -> Result<T, Fault> {
        self.map_err(|source| Fault::Io { doing: doing.into(), source })
    }
}

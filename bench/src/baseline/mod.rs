//! The limit: a server written by hand for exactly the requests of the workload, with every technique that
//! measurements have shown to pay. It is what Mimar is compared with, so it must be as good as can be.
//!
//! Reads run inline on the worker that has the connection, each worker with a connection to SQLite and
//! statements of its own; one writer thread commits what has queued as a group; a third thread moves the
//! write-ahead log into the database.

mod door;
mod reader;
mod writer;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rusqlite::{Connection, OpenFlags};
use tokio::net::{TcpListener, TcpStream};
use tokio::signal::unix::{SignalKind, signal};

use crate::fault::{Doing as _, Fault};

/// How the baseline is started.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where it listens.
    pub listen: SocketAddr,
    /// The database that [`crate::data::build_database`] built.
    pub database: PathBuf,
    /// The most requests that one commit carries; 1 is a commit of its own for each.
    pub batch: usize,
    /// Worker threads.
    pub threads: usize,
    /// How long the writer may wait for a fuller batch while reads run.
    pub patience: Duration,
    /// The key of callers' tokens.
    pub secret: Vec<u8>,
}

/// What all workers see.
struct Shared {
    database: PathBuf,
    secret: Vec<u8>,
    /// Counts commits: a reader whose snapshot is older takes a new one.
    commits: AtomicU64,
    /// Set by a reader that took a new snapshot: reads are running, so fewer commits would help them.
    refreshed: AtomicBool,
    queue: writer::Queue,
}

/// Serves until SIGTERM or SIGINT.
///
/// # Errors
/// When the database cannot be opened or the address cannot be listened on.
pub fn serve(options: &Options) -> Result<(), Fault> {
    if rusqlite::version_number() < 3_051_003 {
        return Err(Fault::OldSqlite { found: rusqlite::version() });
    }
    let shared = Arc::new(Shared {
        database: options.database.clone(),
        secret: options.secret.clone(),
        commits: AtomicU64::new(0),
        refreshed: AtomicBool::new(false),
        queue: writer::Queue::default(),
    });
    let writer = writer::start(Arc::clone(&shared), options.batch, options.patience)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(options.threads)
        .enable_io()
        // A worker that goes to sleep must not hold the write-ahead log at an old snapshot.
        .on_thread_park(door::rest)
        .build()
        .doing("starting the workers")?;
    let outcome = runtime.block_on(listen(options.listen, Arc::clone(&shared)));
    runtime.shutdown_timeout(Duration::from_secs(1));
    writer.stop(&shared);
    outcome
}

async fn listen(address: SocketAddr, shared: Arc<Shared>) -> Result<(), Fault> {
    let listener = TcpListener::bind(address).await.doing(format!("listening on {address}"))?;
    let mut terminate = signal(SignalKind::terminate()).doing("listening for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).doing("listening for SIGINT")?;
    // The accepting runs as a task of a worker: the thread of `block_on` would need waking for each connection.
    let accepting = tokio::spawn(async move {
        loop {
            match listener.accept().await {
                Ok((stream, _)) => {
                    tokio::spawn(converse(stream, Arc::clone(&shared)));
                }
                // Out of descriptors, or a peer that left: the next may do better, but not at once.
                Err(_) => tokio::task::yield_now().await,
            }
        }
    });
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    accepting.abort();
    Ok(())
}

async fn converse(stream: TcpStream, shared: Arc<Shared>) {
    if stream.set_nodelay(true).is_err() {
        return;
    }
    let service = service_fn(|request| door::answer(&shared, request));
    // An error here is a peer that left or sent no HTTP; hyper has answered the latter.
    let _ = http1::Builder::new()
        .pipeline_flush(true)
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

/// Bytes of the database that may be mapped: more than it holds.
const MAPPED: i64 = 1 << 32;

/// A connection with the settings that both readers and the writer want.
fn open(shared: &Shared, flags: OpenFlags) -> rusqlite::Result<Connection> {
    let connection =
        Connection::open_with_flags(&shared.database, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.busy_timeout(Duration::from_secs(5))?;
    connection.execute_batch(
        "PRAGMA cache_size = -16384; PRAGMA temp_store = MEMORY;
         PRAGMA foreign_keys = ON; PRAGMA wal_autocheckpoint = 0; PRAGMA synchronous = FULL;",
    )?;
    connection.pragma_update(None, "mmap_size", MAPPED)?;
    Ok(connection)
}

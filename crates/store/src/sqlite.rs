//! SQLite: one writer, a reader for each thread, a log that a thread of its own empties.

mod ahead;
mod bulk;
mod checkpoint;
mod connection;
mod flush;
pub(crate) mod foreign;
pub(crate) mod functions;
mod queue;
mod read;
mod reader;
mod remembered;
mod schema;
mod session;
mod snapshot;
pub(crate) mod value;
mod writer;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::sync_channel;
use std::thread::JoinHandle;

use operation::{Fault, Read, Receipt, Redraw, Table, Value, Write};
use parking_lot::Mutex;
use tokio::sync::oneshot;

use crate::cache::{Answers, Look};
use crate::lower::Statement;
use crate::ticket::{Ticket, closed};
use crate::write::Tables;
use crate::{Options, Rows, Statistics, StoreFault, Workers};
use ahead::Luck;
pub(crate) use queue::Queue;
use queue::{Pending, Refused};
use reader::Readers;
use remembered::Remembered;
pub(crate) use schema::tables;

/// An SQLite database.
#[derive(Debug)]
pub struct Sqlite {
    shared: Arc<Shared>,
    writer: Mutex<Option<JoinHandle<()>>>,
}

/// What the threads of one store share.
#[derive(Debug)]
struct Shared {
    path: PathBuf,
    options: Options,
    answers: Answers,
    remembered: Remembered,
    /// Whether it pays to look ahead.
    luck: Luck,
    queue: Arc<Queue>,
    /// Counts schema changes; what was prepared under another count is stale.
    generation: AtomicU64,
    readers: Readers,
    /// Whether the database was read since the last commit.
    reading: AtomicBool,
    tables: Tables,
    counts: Counts,
}

#[derive(Debug, Default)]
struct Counts {
    overloaded: AtomicU64,
    commits: AtomicU64,
    writes: AtomicU64,
    failures: AtomicU64,
    events: AtomicU64,
    ahead: AtomicU64,
    reads: AtomicU64,
    snapshots: AtomicU64,
    log_bytes: AtomicU64,
    checkpoints: AtomicU64,
}

impl Sqlite {
    pub(crate) fn open(path: &Path, options: Options) -> Result<Self, StoreFault> {
        connection::assert_version()?;
        if !options.adopt
            && let Some(tables) = crate::others::made_by_others(path)
        {
            return Err(StoreFault::Others { path: path.to_owned(), tables });
        }
        let connection = connection::open_writing(path, &options)?;
        connection.execute_batch(crate::lower::receipt::SQLITE)?;
        connection.execute_batch(crate::lower::outbox::SQLITE)?;
        connection.execute_batch(crate::lower::hook::SQLITE)?;
        connection.execute_batch(crate::lower::exchange::SQLITE)?;
        let shared = Arc::new(Shared {
            path: path.to_owned(),
            answers: Answers::new(options.answers),
            remembered: Remembered::new(),
            luck: Luck::new(),
            queue: Arc::new(Queue::new(options.queue)),
            options,
            generation: AtomicU64::new(0),
            readers: Readers::default(),
            reading: AtomicBool::new(false),
            tables: Tables::default(),
            counts: Counts::default(),
        });
        let writer = writer::start(connection, shared.clone())?;
        Ok(Self { shared, writer: Mutex::new(Some(writer)) })
    }

    pub(crate) fn read(&self, read: &Read, binds: &[Value]) -> Result<Rows, Fault> {
        let answers = &self.shared.answers;
        let keep = match answers.look(read.id, binds) {
            Look::Hit(rows) => return Ok(rows),
            Look::Miss { keep } => keep,
        };
        self.shared.counts.reads.fetch_add(1, Ordering::Relaxed);
        reader::with_reader(&self.shared, |reader| reader.read(&self.shared, read, binds, keep))
    }

    /// Executes a statement that only reads.
    pub(crate) fn ask(
        &self,
        statement: &Statement,
        values: &[Value],
    ) -> Result<Vec<Vec<Value>>, Fault> {
        reader::with_reader(&self.shared, |reader| reader.ask(statement, values))
    }

    pub(crate) fn workers(&self, count: usize) -> Workers {
        self.shared.queue.work(count);
        Workers::of(self.shared.queue.clone())
    }

    pub(crate) fn enqueue(
        &self,
        write: Box<Write>,
        receipt: Option<Box<Receipt>>,
    ) -> Result<Ticket, Fault> {
        let (sender, reply) = oneshot::channel();
        let ahead = ahead::of(&self.shared, &write);
        let pending = Pending { write, receipt, ahead, reply: sender, outcome: None };
        match self.shared.queue.put(pending) {
            Ok(()) => Ok(Ticket { reply }),
            Err(Refused::Full) => {
                self.shared.counts.overloaded.fetch_add(1, Ordering::Relaxed);
                Err(Fault::Overloaded { retry_after: 1 })
            }
            Err(Refused::Closed) => Err(closed()),
        }
    }

    pub(crate) fn know(&self, tables: &[Arc<Table>], redraws: Vec<Redraw>) {
        self.shared.tables.know(tables, redraws);
    }

    pub(crate) fn ping(&self) -> Result<(), Fault> {
        reader::with_reader(&self.shared, reader::Reader::ping)
    }

    pub(crate) fn statistics(&self) -> Statistics {
        let counts = &self.shared.counts;
        let get = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let (answer_hits, answer_misses, answer_bytes) = self.shared.answers.figures();
        Statistics {
            queue: self.shared.queue.len() as u64,
            overloaded: get(&counts.overloaded),
            commits: get(&counts.commits),
            writes: get(&counts.writes),
            failures: get(&counts.failures),
            events: get(&counts.events),
            reads: get(&counts.reads),
            gathered: 0,
            ahead: get(&counts.ahead),
            replicas: None,
            answer_hits,
            answer_misses,
            answer_bytes,
            snapshots: get(&counts.snapshots),
            log_bytes: get(&counts.log_bytes),
            checkpoints: get(&counts.checkpoints),
        }
    }

    pub(crate) fn close(&self) {
        self.shared.queue.close();
        if let Some(writer) = self.writer.lock().take() {
            // A panic of the writer was answered request by request; nothing is left to say here.
            let _ = writer.join();
        }
    }

    /// Runs something while the writer stands still and nothing kept is valid.
    fn alone<T>(&self, action: impl FnOnce() -> Result<T, StoreFault>) -> Result<T, StoreFault> {
        let (ready, is_ready) = sync_channel(1);
        let (done, is_done) = sync_channel::<()>(1);
        self.shared.queue.put_still(ready, is_done).map_err(|_| StoreFault::Closed)?;
        is_ready.recv().map_err(|_| StoreFault::Closed)?;
        let outcome = action();
        drop(done);
        // Until the writer has published the change, a thread could take its old snapshot for the newest.
        let _ = is_ready.recv();
        outcome
    }
}

impl Drop for Sqlite {
    fn drop(&mut self) {
        self.close();
    }
}

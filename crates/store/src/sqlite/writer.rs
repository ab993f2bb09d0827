//! The writer: one thread that commits what has queued as a group.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use operation::{Fault, Write};
use rusqlite::{Connection, ErrorCode};
use tokio::sync::oneshot;

use super::connection::fault_of;
use super::reader::limit_time;
use super::session::{Reply, Session};
use super::{Shared, checkpoint};
use crate::StoreFault;
use crate::cache::EVERYTHING;

/// What the writer is asked.
pub(crate) enum Job {
    /// To write, and to say how it went after the commit.
    Write(Box<Write>, oneshot::Sender<Result<Reply, Fault>>),
    /// To stand still: it says so through `ready`, goes on when `done` is dropped, and says so again once it has
    /// published that things may have changed.
    StandStill {
        /// Told once the writer stands, and once it goes on.
        ready: SyncSender<()>,
        /// Dropped at the other end when it may go on.
        done: Receiver<()>,
    },
}

/// How often an idle writer looks whether another process has written.
const LOOK: Duration = Duration::from_millis(100);

/// A batch of this many has company enough to be committed at once.
const COMPANY: usize = 8;

/// Starts the thread; it ends when the queue's sender is dropped and the queue is empty.
pub(crate) fn start(
    mut connection: Connection,
    shared: Arc<Shared>,
    jobs: Receiver<Job>,
) -> Result<JoinHandle<()>, StoreFault> {
    let checkpoint = checkpoint::start(shared.clone())?;
    let page: i64 = connection.query_row("PRAGMA page_size", [], |row| row.get(0))?;
    let page = u64::try_from(page).unwrap_or(4_096);
    let limit = i64::try_from(shared.options.log_limit).unwrap_or(i64::MAX);
    connection.pragma_update_and_check(None, "journal_size_limit", limit, |_| Ok(()))?;
    let pages = Arc::new(AtomicU64::new(0));
    let seen = pages.clone();
    connection.wal_hook(Some(move |_: &mut rusqlite::hooks::Wal, count: i32| {
        seen.store(u64::try_from(count).unwrap_or(0), Ordering::Relaxed);
        Ok(())
    }))?;
    let started = Arc::new(AtomicU64::new(0));
    limit_time(&mut connection, shared.options.deadline, started.clone())?;
    let log = Log { checkpoint, page, pages, asked_at: 0, refused_at: 0 };
    std::thread::Builder::new()
        .name("mimar-writer".to_owned())
        .spawn(move || {
            let session = Session::new(&connection, &shared);
            Writer { session, shared: &shared, log, started }.run(&jobs);
        })
        .map_err(|error| StoreFault::NoThread { reason: error.to_string() })
}

/// The write-ahead log.
struct Log {
    checkpoint: SyncSender<()>,
    /// Bytes of a page.
    page: u64,
    /// Pages in the log after the last commit.
    pages: Arc<AtomicU64>,
    /// Its size when a checkpoint was last asked for, in bytes.
    asked_at: u64,
    /// Its size when a reader last kept it from beginning anew, in bytes.
    refused_at: u64,
}

struct Writer<'c> {
    session: Session<'c>,
    shared: &'c Shared,
    log: Log,
    /// When the running write began, for its deadline; 0 until anybody looks.
    started: Arc<AtomicU64>,
}

struct Pending {
    write: Box<Write>,
    reply: oneshot::Sender<Result<Reply, Fault>>,
    outcome: Option<Result<Reply, Fault>>,
}

impl Writer<'_> {
    fn run(&mut self, jobs: &Receiver<Job>) {
        let options = &self.shared.options;
        let mut batch = Vec::new();
        loop {
            let mut next = match jobs.recv_timeout(LOOK) {
                Ok(job) => Some(job),
                Err(RecvTimeoutError::Timeout) => {
                    self.look_around();
                    continue;
                }
                Err(RecvTimeoutError::Disconnected) => break,
            };
            let mut patience = None;
            while let Some(job) = next.take() {
                match job {
                    Job::Write(write, reply) => {
                        self.shared.counts.queue.fetch_sub(1, Ordering::Relaxed);
                        batch.push(Pending { write, reply, outcome: None });
                    }
                    Job::StandStill { ready, done } => {
                        self.group(&mut batch);
                        self.stand_still(&ready, &done);
                    }
                }
                if batch.len() >= options.batch {
                    break;
                }
                next = jobs.try_recv().ok();
                if next.is_none() && batch.len() < COMPANY && !options.wait.is_zero() {
                    let until = *patience.get_or_insert_with(|| {
                        let reads_run = self.shared.reading.swap(false, Ordering::Relaxed);
                        let wait = if reads_run { options.wait } else { Duration::ZERO };
                        Instant::now() + wait
                    });
                    next = jobs.recv_timeout(until.saturating_duration_since(Instant::now())).ok();
                }
            }
            self.group(&mut batch);
        }
        self.session.empty_log();
    }

    /// Executes and commits a batch, then answers.
    fn group(&mut self, batch: &mut Vec<Pending>) {
        if batch.is_empty() {
            return;
        }
        self.commit(batch);
        let counts = &self.shared.counts;
        for pending in batch.drain(..) {
            let outcome = pending.outcome.unwrap_or_else(|| Err(lost()));
            let count = if outcome.is_ok() { &counts.writes } else { &counts.failures };
            count.fetch_add(1, Ordering::Relaxed);
            // Nobody listens any more: the write stands all the same.
            let _ = pending.reply.send(outcome);
        }
        self.mind_the_log();
    }

    fn commit(&mut self, batch: &mut [Pending]) {
        // A statement that fails for want of disk or memory takes the whole transaction with it. The one it
        // happened to is answered, the others are tried again without it.
        for _ in 0..3 {
            match self.attempt(batch) {
                Attempt::Done => return,
                Attempt::Again => {}
                Attempt::OneByOne => {
                    for pending in batch {
                        if pending.outcome.is_none() {
                            self.commit(std::slice::from_mut(pending));
                        }
                    }
                    return;
                }
            }
        }
        for pending in batch.iter_mut().filter(|pending| pending.outcome.is_none()) {
            pending.outcome = Some(Err(lost()));
        }
    }

    fn attempt(&mut self, batch: &mut [Pending]) -> Attempt {
        let failed = |batch: &mut [Pending], fault: &Fault| {
            for pending in batch {
                if !matches!(pending.outcome, Some(Err(_))) {
                    pending.outcome = Some(Err(fault.clone()));
                }
            }
        };
        if let Err(error) = self.session.begin() {
            failed(batch, &fault_of(&error));
            return Attempt::Done;
        }
        self.session.touched.clear();
        if self.session.others_wrote() {
            self.session.touched.push(EVERYTHING);
        }
        for at in 0..batch.len() {
            if batch[at].outcome.is_some() {
                continue;
            }
            let outcome = self.isolated(&batch[at].write);
            if self.session.transaction_is_gone() {
                for pending in batch.iter_mut().filter(|p| matches!(p.outcome, Some(Ok(_)))) {
                    pending.outcome = None;
                }
                batch[at].outcome = Some(outcome.and_then(|_| Err(lost())));
                return Attempt::Again;
            }
            batch[at].outcome = Some(outcome);
        }
        let answers = &self.shared.answers;
        let sequence = answers.next();
        // Before the commit, so that no answer older than it is taken for valid once it can be seen.
        answers.touch(&self.session.touched, sequence);
        let committed = self.session.commit();
        answers.publish(sequence);
        match committed {
            Ok(()) => {
                self.shared.counts.commits.fetch_add(1, Ordering::Relaxed);
                Attempt::Done
            }
            Err(error) => {
                self.session.roll_back();
                let constraint = error.sqlite_error_code() == Some(ErrorCode::ConstraintViolation);
                if constraint && batch.len() > 1 {
                    for pending in batch.iter_mut().filter(|p| matches!(p.outcome, Some(Ok(_)))) {
                        pending.outcome = None;
                    }
                    return Attempt::OneByOne;
                }
                failed(batch, &fault_of(&error));
                Attempt::Done
            }
        }
    }

    /// Executes one write so that its failure, even a panic, leaves nothing behind.
    fn isolated(&mut self, write: &Write) -> Result<Reply, Fault> {
        self.started.store(0, Ordering::Relaxed);
        let touched = self.session.touched.len();
        self.session.save().map_err(|error| fault_of(&error))?;
        let outcome = catch_unwind(AssertUnwindSafe(|| self.session.execute(write)))
            .unwrap_or_else(|_| Err(Fault::Internal("a write panicked".to_owned())));
        if outcome.is_err() {
            self.session.touched.truncate(touched);
            if !self.session.transaction_is_gone() {
                self.session.undo().map_err(|error| fault_of(&error))?;
            }
        }
        if !self.session.transaction_is_gone() {
            self.session.release().map_err(|error| fault_of(&error))?;
        }
        outcome
    }

    /// Lets another connection of ours change what it likes.
    fn stand_still(&mut self, ready: &SyncSender<()>, done: &Receiver<()>) {
        let answers = &self.shared.answers;
        let sequence = answers.next();
        answers.touch(&[EVERYTHING], sequence);
        if ready.send(()).is_ok() {
            // Ends with an error when the other side lets go, which is what is waited for.
            let _ = done.recv();
        }
        answers.publish(sequence);
        self.session.forget();
        // Whoever asked may be gone by now.
        let _ = ready.send(());
    }

    /// Drops kept answers if another process has written.
    fn look_around(&mut self) {
        if self.session.others_wrote() {
            let answers = &self.shared.answers;
            let sequence = answers.next();
            answers.touch(&[EVERYTHING], sequence);
            answers.publish(sequence);
            self.session.forget();
        }
    }

    /// Asks for a checkpoint when the log has grown, and empties it here when that was not enough.
    fn mind_the_log(&mut self) {
        let log = &mut self.log;
        let size = log.pages.load(Ordering::Relaxed) * (log.page + 24);
        self.shared.counts.log_bytes.store(size, Ordering::Relaxed);
        let options = &self.shared.options;
        if size < log.asked_at {
            log.asked_at = 0;
        }
        if size < log.refused_at {
            log.refused_at = 0;
        }
        let due = if log.refused_at > 0 {
            log.refused_at + options.log_limit / 4
        } else {
            options.log_limit
        };
        if size >= due {
            // The background checkpoint has done most of the work; what is left is to wait, briefly, for the
            // readers of this moment, so that the log can begin anew. A reader that stays (a long dump) is
            // waited for again when the log has grown by a quarter of its limit, not at every commit.
            if self.session.restart_log().is_ok() {
                self.shared.counts.checkpoints.fetch_add(1, Ordering::Relaxed);
                log.pages.store(0, Ordering::Relaxed);
                log.refused_at = 0;
            } else {
                log.refused_at = size;
            }
            log.asked_at = 0;
        }
        if size >= options.checkpoint && size >= log.asked_at + options.checkpoint / 4 {
            log.asked_at = size;
            // Full means that one is asked for already.
            let _ = log.checkpoint.try_send(());
        }
    }
}

enum Attempt {
    Done,
    Again,
    OneByOne,
}

fn lost() -> Fault {
    Fault::Unavailable {
        reason: "the transaction was rolled back by the database".to_owned(),
        retry_after: 1,
    }
}

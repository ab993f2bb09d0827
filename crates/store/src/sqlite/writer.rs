//! The writer: one thread that commits what has queued as a group.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use operation::{Fault, Receipt, Write};
use rusqlite::{Connection, ErrorCode};

use super::checkpoint::Checkpoints;
use super::connection::fault_of;
use super::queue::{Job, Pending, Taken};
use super::reader::Whose;
use super::session::Session;
use super::snapshot::limit_time;
use super::{Shared, checkpoint};
use crate::StoreFault;
use crate::cache::EVERYTHING;
use crate::ticket::Done;
use crate::write::{Ahead, Reply};

/// How often an idle writer looks whether another process has written.
const LOOK: Duration = Duration::from_millis(100);

/// A batch of this many has company enough to be committed at once.
const COMPANY: usize = 32;

/// After so many groups beside which nothing was read, writes are alone. Then nothing is gained by moving a page late (no reader
/// finds it in the database before), and what is moved at once is what the writes behind it wait for: it is half.
const ALONE: u32 = 64;

/// How many writes are guarded by a savepoint each after one has failed that had written already: who sends such writes makes
/// the group of others begin anew once in so many, and no more often.
const CAUTION: u32 = 1_000;

/// Starts the thread; it ends when the queue is closed and empty.
pub(crate) fn start(
    mut connection: Connection,
    shared: Arc<Shared>,
) -> Result<JoinHandle<()>, StoreFault> {
    let page: i64 = connection.query_row("PRAGMA page_size", [], |row| row.get(0))?;
    // A frame of the log is a page with a header of 24 bytes.
    let frame = u64::try_from(page).unwrap_or(4_096) + 24;
    let checkpoints = checkpoint::start(shared.clone(), frame)?;
    let limit = i64::try_from(shared.options.log_limit).unwrap_or(i64::MAX);
    connection.pragma_update_and_check(None, "journal_size_limit", limit, |_| Ok(()))?;
    let frames = Arc::new(AtomicU64::new(0));
    let seen = frames.clone();
    connection.wal_hook(Some(move |_: &mut rusqlite::hooks::Wal, count: i32| {
        seen.store(u64::try_from(count).unwrap_or(0), Ordering::Relaxed);
        Ok(())
    }))?;
    let started = Arc::new(AtomicU64::new(0));
    limit_time(&mut connection, shared.options.deadline, started.clone())?;
    let log = Log { checkpoints, frame, frames, asked_at: 0, refused_at: 0 };
    std::thread::Builder::new()
        .name("mimar-writer".to_owned())
        .spawn(move || {
            // Even if this thread should panic: nobody waits for one that is gone.
            let _end = End(&shared);
            let session = Session::new(&connection, &shared);
            let (caution, others_wrote, alone) = (0, false, 0);
            Writer { session, shared: &shared, log, started, caution, others_wrote, alone }.run();
        })
        .map_err(|error| StoreFault::NoThread { reason: error.to_string() })
}

/// Ends the queue when it is dropped.
struct End<'a>(&'a Shared);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.queue.end();
    }
}

/// The write-ahead log.
struct Log {
    checkpoints: Checkpoints,
    /// Bytes of a frame.
    frame: u64,
    /// Frames in the log after the last commit.
    frames: Arc<AtomicU64>,
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
    /// How many writes are still to be guarded by a savepoint.
    caution: u32,
    /// Whether another process has written, and no answer was taken back for it.
    others_wrote: bool,
    /// Groups since reads last ran beside them, [`ALONE`] at most.
    alone: u32,
}

impl Writer<'_> {
    fn run(&mut self) {
        let most = self.shared.options.batch;
        let mut jobs = Vec::with_capacity(most);
        let mut batch = Vec::with_capacity(most);
        loop {
            match self.shared.queue.take(&mut jobs, most, LOOK) {
                Taken::Some => {}
                Taken::Nothing => {
                    self.look_around();
                    continue;
                }
                Taken::Closed => break,
            }
            // Where reads run, commits share the processors with them: fewer leave more. Where nobody runs any more, the
            // processors are free, and who waits would wait for nothing.
            let reads_run = self.shared.reading.swap(false, Ordering::Relaxed);
            self.alone = if reads_run { 0 } else { ALONE.min(self.alone + 1) };
            let (company, wait) = (COMPANY.min(most), self.shared.options.wait);
            if reads_run && jobs.len() < company && !wait.is_zero() {
                let deadline = Instant::now() + wait;
                self.shared.queue.take_more(&mut jobs, company, most, deadline);
            }
            for job in jobs.drain(..) {
                match job {
                    Job::Write(pending) => batch.push(pending),
                    Job::StandStill { ready, done } => {
                        self.group(&mut batch);
                        self.stand_still(&ready, &done);
                    }
                }
            }
            self.group(&mut batch);
        }
        self.release_all();
        self.session.empty_log();
    }

    /// Executes and commits a batch, then answers.
    fn group(&mut self, batch: &mut Vec<Pending>) {
        if batch.is_empty() {
            return;
        }
        self.commit(batch);
        let counts = &self.shared.counts;
        for Pending { write, reply, outcome, ahead, .. } in batch.drain(..) {
            let outcome = outcome.unwrap_or_else(|| Err(lost()));
            let count = if outcome.is_ok() { &counts.writes } else { &counts.failures };
            count.fetch_add(1, Ordering::Relaxed);
            let is_ahead = ahead.as_ref().is_some_and(|ahead| ahead.is_carried_out());
            counts.ahead.fetch_add(u64::from(is_ahead && outcome.is_ok()), Ordering::Relaxed);
            let events = outcome.as_ref().map_or(0, Reply::published);
            counts.events.fetch_add(events, Ordering::Relaxed);
            // Nobody listens any more: the write stands all the same.
            let _ = reply.send(Done { write, outcome, ahead });
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
            self.session.look_around();
            self.others_wrote = true;
        }
        if self.others_wrote || self.session.triggers {
            self.session.touched.push(EVERYTHING);
            self.shared.remembered.clear();
        }
        for at in 0..batch.len() {
            if batch[at].outcome.is_some() {
                continue;
            }
            let Pending { write, receipt, ahead, .. } = &mut batch[at];
            let outcome = self.isolated(write, receipt.as_deref(), ahead.as_deref_mut());
            if self.session.transaction_is_gone() {
                self.shared.remembered.clear();
                for pending in batch.iter_mut().filter(|p| matches!(p.outcome, Some(Ok(_)))) {
                    pending.outcome = None;
                }
                batch[at].outcome = outcome.map(|outcome| outcome.and_then(|_| Err(lost())));
                return Attempt::Again;
            }
            batch[at].outcome = outcome;
        }
        let answers = &self.shared.answers;
        let sequence = answers.next();
        // Before the commit, so that no answer older than it is taken for valid once it can be seen.
        answers.touch(&self.session.touched, sequence);
        let committed = self.session.commit();
        answers.publish(sequence);
        self.others_wrote = false;
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

    /// Executes one write so that its failure, even a panic, leaves nothing behind. `None`: it has failed when it had written
    /// already, and the transaction went with it; it is tried again, with a savepoint that tells why.
    ///
    /// A savepoint costs more than its two statements: SQLite keeps a copy of each page that a write changes after another. What
    /// fails does so nearly always before it writes, so that there is nothing to take back.
    fn isolated(
        &mut self,
        write: &mut Write,
        receipt: Option<&Receipt>,
        ahead: Option<&mut Ahead>,
    ) -> Option<Result<Reply, Fault>> {
        self.started.store(0, Ordering::Relaxed);
        let touched = self.session.touched.len();
        // One statement that fails has done nothing; only of several may some have been done.
        let is_one = receipt.is_none() && Session::is_one_statement(write);
        let is_guarded = self.caution > 0 || !write.may_be_repeated();
        self.caution = self.caution.saturating_sub(1);
        let saved = !is_one && is_guarded;
        if saved && let Err(error) = self.session.save() {
            return Some(Err(fault_of(&error)));
        }
        self.session.mark();
        let executed =
            catch_unwind(AssertUnwindSafe(|| self.session.execute(write, receipt, ahead)));
        let panicked = executed.is_err();
        let outcome =
            executed.unwrap_or_else(|_| Err(Fault::Internal("a write panicked".to_owned())));
        if outcome.is_err() && !self.session.transaction_is_gone() {
            if saved {
                if let Err(error) = self.session.take_back() {
                    return Some(Err(fault_of(&error)));
                }
            } else if panicked || self.session.has_written() {
                // The transaction goes with it; the others are tried again.
                self.session.roll_back();
                if !is_one && !panicked {
                    self.caution = CAUTION;
                    return None;
                }
            }
        }
        if outcome.is_err() {
            self.session.touched.truncate(touched);
        }
        if saved
            && !self.session.transaction_is_gone()
            && let Err(error) = self.session.release()
        {
            return Some(Err(fault_of(&error)));
        }
        Some(outcome)
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

    fn release_all(&self) {
        self.shared.readers.release(Whose::All, self.shared.answers.committed());
    }

    /// Drops kept answers if another process has written, and takes snapshots away that nobody reads from.
    fn look_around(&mut self) {
        self.shared.readers.release(Whose::Idle, self.shared.answers.committed());
        if self.session.others_wrote() {
            let answers = &self.shared.answers;
            let sequence = answers.next();
            answers.touch(&[EVERYTHING], sequence);
            answers.publish(sequence);
            self.session.forget();
        }
    }

    /// Asks for a checkpoint when the log has grown, and lets it begin anew when that was not enough.
    fn mind_the_log(&mut self) {
        let options = &self.shared.options;
        let step = if self.alone == ALONE { options.checkpoint / 2 } else { options.checkpoint };
        let log = &mut self.log;
        let frames = log.frames.load(Ordering::Relaxed);
        let size = frames * log.frame;
        self.shared.counts.log_bytes.store(size, Ordering::Relaxed);
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
        let moved = log.checkpoints.moved();
        if size >= due {
            // Everybody who writes waits for what is left to move, so the background does nearly all of it first;
            // but not for one that does not come to an end.
            let left = moved.map_or(u64::MAX, |moved| frames.saturating_sub(moved) * log.frame);
            if left <= step / 2 || size >= due + options.log_limit / 4 {
                self.begin_the_log_anew(size);
                return;
            }
        }
        if size >= log.asked_at + step || (size >= due && moved.is_some()) {
            log.asked_at = size;
            log.checkpoints.ask();
        }
    }

    /// Moves what is left and waits, briefly, for the readers of this moment. One that stays (a long dump) is waited
    /// for again when the log has grown by a quarter of its limit, not at every commit.
    fn begin_the_log_anew(&mut self, size: u64) {
        // Snapshots that were taken before all is moved stand in the way, those taken after it do not.
        self.release_all();
        self.session.move_log();
        self.release_all();
        let log = &mut self.log;
        if self.session.restart_log().is_ok() {
            self.shared.counts.checkpoints.fetch_add(1, Ordering::Relaxed);
            log.frames.store(0, Ordering::Relaxed);
            log.checkpoints.begin_anew();
            log.refused_at = 0;
        } else {
            log.refused_at = size;
        }
        log.asked_at = 0;
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

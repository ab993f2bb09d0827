//! Emptying the write-ahead log beside the writer.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use super::Shared;
use super::connection::open_writing;
use super::flush::flush;
use super::reader::Whose;
use crate::StoreFault;

/// The background checkpoint, as the writer sees it.
pub(crate) struct Checkpoints {
    ask: SyncSender<()>,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    /// Whether one was asked for and has not ended.
    running: AtomicBool,
    /// Frames of the log that the last one found moved into the database.
    moved: AtomicU64,
}

impl Checkpoints {
    /// Asks for one, unless one is under way.
    pub fn ask(&self) {
        if !self.state.running.swap(true, Ordering::AcqRel) {
            // The thread ends only with this sender; what it does not do, the writer does.
            let _ = self.ask.try_send(());
        }
    }

    /// Frames of the log that are in the database; `None` while a checkpoint is under way.
    pub fn moved(&self) -> Option<u64> {
        let running = self.state.running.load(Ordering::Acquire);
        (!running).then(|| self.state.moved.load(Ordering::Relaxed))
    }

    /// The log has begun anew: of the new one nothing is moved. A checkpoint that has just ended may still say
    /// otherwise, which costs one wait and loses nothing.
    pub fn begin_anew(&self) {
        self.state.moved.store(0, Ordering::Relaxed);
    }
}

/// Starts the thread; it ends when what is returned is dropped. `frame` is what a page takes in the log, in bytes.
pub(crate) fn start(shared: Arc<Shared>, frame: u64) -> Result<Checkpoints, StoreFault> {
    // One message waits at most: asking twice is asking once.
    let (ask, asked) = sync_channel(1);
    let state = Arc::new(State::default());
    let told = state.clone();
    std::thread::Builder::new()
        .name("mimar-checkpoint".to_owned())
        .spawn(move || run(&shared, frame, &asked, &told))
        .map_err(|error| StoreFault::NoThread { reason: error.to_string() })?;
    Ok(Checkpoints { ask, state })
}

fn run(shared: &Shared, frame: u64, asked: &Receiver<()>, state: &State) {
    let mut connection = None;
    let mut flushes = Flushes { limit: shared.options.log_limit / frame, flushed: 0 };
    while asked.recv().is_ok() {
        if connection.is_none() {
            // Opened when first needed: a store that is only read starts without it.
            connection = open_writing(&shared.path, &shared.options).ok();
        }
        if let Some(connection) = &connection {
            // Only what no snapshot needs any more can move.
            shared.readers.release(Whose::Old, shared.answers.committed());
            // PASSIVE waits for nobody and makes nobody wait. If it fails, the writer's own checkpoint follows.
            let moved = connection
                .query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |row| row.get::<_, i64>(2));
            if let Ok(moved) = moved {
                let moved = u64::try_from(moved).unwrap_or(0);
                if flushes.is_due(moved) {
                    // If this fails, so does the writer's, and the log stays.
                    let _ = flush(connection);
                }
                state.moved.store(moved, Ordering::Relaxed);
                shared.counts.checkpoints.fetch_add(1, Ordering::Relaxed);
            }
        }
        state.running.store(false, Ordering::Release);
    }
}

/// When the database is flushed. A page that many writes change is written once for all of them that a flush comes after, so
/// few are cheaper; but before the log begins anew hardly anything may be left, because everybody who writes waits for that.
/// In frames of the log.
struct Flushes {
    /// At so many the log begins anew.
    limit: u64,
    /// So many had been moved at the last one.
    flushed: u64,
}

impl Flushes {
    /// Whether it is time after so many have been moved: at each quarter of the limit, and always in the last.
    fn is_due(&mut self, moved: u64) -> bool {
        if moved < self.flushed {
            // The log has begun anew.
            self.flushed = 0;
        }
        let quarter = self.limit / 4;
        let due = moved > self.flushed && (moved >= quarter * 3 || moved - self.flushed >= quarter);
        if due {
            self.flushed = moved;
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_database_is_flushed_at_each_quarter_and_always_in_the_last() {
        let mut flushes = Flushes { limit: 100, flushed: 0 };
        let due =
            [10, 20, 30, 40, 54, 56, 60, 70, 76, 80, 80, 99].map(|moved| flushes.is_due(moved));
        let wanted =
            [false, false, true, false, false, true, false, false, true, true, false, true];
        assert_eq!(due, wanted);
        // The log has begun anew.
        assert_eq!([5, 26].map(|moved| flushes.is_due(moved)), [false, true]);
    }
}

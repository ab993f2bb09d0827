//! Emptying the write-ahead log beside the writer.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use super::Shared;
use super::connection::open_writing;
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

/// Starts the thread; it ends when what is returned is dropped.
pub(crate) fn start(shared: Arc<Shared>) -> Result<Checkpoints, StoreFault> {
    // One message waits at most: asking twice is asking once.
    let (ask, asked) = sync_channel(1);
    let state = Arc::new(State::default());
    let told = state.clone();
    std::thread::Builder::new()
        .name("mimar-checkpoint".to_owned())
        .spawn(move || run(&shared, &asked, &told))
        .map_err(|error| StoreFault::NoThread { reason: error.to_string() })?;
    Ok(Checkpoints { ask, state })
}

fn run(shared: &Shared, asked: &Receiver<()>, state: &State) {
    let mut connection = None;
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
                state.moved.store(u64::try_from(moved).unwrap_or(0), Ordering::Relaxed);
                shared.counts.checkpoints.fetch_add(1, Ordering::Relaxed);
            }
        }
        state.running.store(false, Ordering::Release);
    }
}

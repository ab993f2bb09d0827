//! What waits for the writer.
//!
//! One lock hands over all that has come, not one for each: while a commit runs the next batch gathers, and the
//! writer takes it whole. Whoever puts something in wakes the writer only if it sleeps.

use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, SyncSender};
use std::time::{Duration, Instant};

use operation::{Fault, Receipt, Write};
use parking_lot::{Condvar, Mutex};
use tokio::sync::oneshot;

use crate::ticket::Done;
use crate::write::Reply;

/// What the writer is asked.
pub(crate) enum Job {
    /// To write.
    Write(Pending),
    /// To stand still: it says so through `ready`, goes on when `done` is dropped, and says so again once it has
    /// published that things may have changed.
    StandStill {
        /// Told once the writer stands, and once it goes on.
        ready: SyncSender<()>,
        /// Dropped at the other end when it may go on.
        done: Receiver<()>,
    },
}

/// A write on its way, and what became of it.
pub(crate) struct Pending {
    /// The write; whoever asked gets it back, since the answer may be made of it.
    pub write: Box<Write>,
    /// By which it is known if it is asked for again.
    pub receipt: Option<Receipt>,
    /// Told after the commit.
    pub reply: oneshot::Sender<Done>,
    /// `None` until it is known.
    pub outcome: Option<Result<Reply, Fault>>,
}

/// Why something was not taken in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refused {
    /// As much waits as may.
    Full,
    /// The writer has ended, or will when it has done what waits.
    Closed,
}

/// What came of waiting for jobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Taken {
    /// Something.
    Some,
    /// Nothing in the time given.
    Nothing,
    /// Nothing, and nothing will come.
    Closed,
}

/// Jobs in the order in which they came, at most `bound` of them writes.
pub(crate) struct Queue {
    state: Mutex<State>,
    arrived: Condvar,
    bound: usize,
}

#[derive(Default)]
struct State {
    jobs: VecDeque<Job>,
    closed: bool,
}

impl std::fmt::Debug for Queue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Queue").field("waiting", &self.len()).finish_non_exhaustive()
    }
}

impl Queue {
    /// Empty; at most `bound` writes wait.
    pub fn new(bound: usize) -> Self {
        Self { state: Mutex::default(), arrived: Condvar::new(), bound }
    }

    /// Takes a write in, unless as many wait as may.
    pub fn put(&self, pending: Pending) -> Result<(), Refused> {
        let mut state = self.state.lock();
        if state.closed {
            return Err(Refused::Closed);
        }
        if state.jobs.len() >= self.bound {
            return Err(Refused::Full);
        }
        state.jobs.push_back(Job::Write(pending));
        drop(state);
        self.arrived.notify_one();
        Ok(())
    }

    /// Takes in what is no write: it is rare, and not turned away for want of room.
    pub fn put_still(&self, ready: SyncSender<()>, done: Receiver<()>) -> Result<(), Refused> {
        let mut state = self.state.lock();
        if state.closed {
            return Err(Refused::Closed);
        }
        state.jobs.push_back(Job::StandStill { ready, done });
        drop(state);
        self.arrived.notify_one();
        Ok(())
    }

    /// Moves what waits into `jobs`, `most` at most; waits `patience` at most for the first.
    pub fn take(&self, jobs: &mut Vec<Job>, most: usize, patience: Duration) -> Taken {
        let mut state = self.state.lock();
        let until = Instant::now() + patience;
        while state.jobs.is_empty() {
            if state.closed {
                return Taken::Closed;
            }
            if self.arrived.wait_until(&mut state, until).timed_out() && state.jobs.is_empty() {
                return Taken::Nothing;
            }
        }
        let count = state.jobs.len().min(most);
        jobs.extend(state.jobs.drain(..count));
        Taken::Some
    }

    /// The same for what comes until `deadline`, unless `jobs` holds `enough` before.
    pub fn take_more(&self, jobs: &mut Vec<Job>, enough: usize, most: usize, deadline: Instant) {
        let mut state = self.state.lock();
        while jobs.len() + state.jobs.len() < enough
            && !state.closed
            && !self.arrived.wait_until(&mut state, deadline).timed_out()
        {}
        let count = state.jobs.len().min(most.saturating_sub(jobs.len()));
        jobs.extend(state.jobs.drain(..count));
    }

    /// How much waits.
    pub fn len(&self) -> usize {
        self.state.lock().jobs.len()
    }

    /// Takes nothing in any more and drops what waits: whoever asked is told by that.
    pub fn end(&self) {
        let mut state = self.state.lock();
        state.closed = true;
        let waiting = std::mem::take(&mut state.jobs);
        drop(state);
        drop(waiting);
    }

    /// Takes nothing in any more.
    pub fn close(&self) {
        self.state.lock().closed = true;
        self.arrived.notify_one();
    }
}

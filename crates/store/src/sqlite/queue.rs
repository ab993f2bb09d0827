//! What waits for the writer.
//!
//! One lock hands over all that has come, not one for each: while a commit runs the next batch gathers, and the
//! writer takes it whole. Whoever puts something in wakes the writer only if it sleeps, and one that gathers company
//! only once that is there: to be woken for each newcomer would cost more than the company saves.

use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, SyncSender};
use std::time::{Duration, Instant};

use operation::{Fault, Receipt, Write};
use parking_lot::{Condvar, Mutex, MutexGuard};
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
    pub receipt: Option<Box<Receipt>>,
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
    /// How much must wait before the writer is woken; 0 while it is awake.
    wake_at: usize,
}

impl State {
    /// Puts something in and says whether the writer is to be woken.
    fn push(&mut self, job: Job) -> bool {
        let is_urgent = matches!(job, Job::StandStill { .. });
        self.jobs.push_back(job);
        self.wake_at > 0 && (is_urgent || self.jobs.len() >= self.wake_at)
    }
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
        let is_awaited = state.push(Job::Write(pending));
        drop(state);
        if is_awaited {
            self.arrived.notify_one();
        }
        Ok(())
    }

    /// Takes in what is no write: it is rare, and not turned away for want of room.
    pub fn put_still(&self, ready: SyncSender<()>, done: Receiver<()>) -> Result<(), Refused> {
        let mut state = self.state.lock();
        if state.closed {
            return Err(Refused::Closed);
        }
        let is_awaited = state.push(Job::StandStill { ready, done });
        drop(state);
        if is_awaited {
            self.arrived.notify_one();
        }
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
            if self.sleep(&mut state, 1, until) && state.jobs.is_empty() {
                return Taken::Nothing;
            }
        }
        let count = state.jobs.len().min(most);
        jobs.extend(state.jobs.drain(..count));
        Taken::Some
    }

    /// The same for what comes until `deadline`, unless `jobs` holds `enough` before or somebody wants the writer to
    /// stand still.
    pub fn take_more(&self, jobs: &mut Vec<Job>, enough: usize, most: usize, deadline: Instant) {
        let mut state = self.state.lock();
        loop {
            let is_urgent = state.jobs.iter().any(|job| matches!(job, Job::StandStill { .. }));
            let missing = enough.saturating_sub(jobs.len());
            if state.closed || is_urgent || state.jobs.len() >= missing {
                break;
            }
            if self.sleep(&mut state, missing, deadline) {
                break;
            }
        }
        let count = state.jobs.len().min(most.saturating_sub(jobs.len()));
        jobs.extend(state.jobs.drain(..count));
    }

    /// Sleeps until `wake_at` jobs wait or `until`; whether it was the latter.
    fn sleep(&self, state: &mut MutexGuard<'_, State>, wake_at: usize, until: Instant) -> bool {
        state.wake_at = wake_at;
        let timed_out = self.arrived.wait_until(state, until).timed_out();
        state.wake_at = 0;
        timed_out
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

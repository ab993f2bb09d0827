//! What waits for the writer.
//!
//! One lock hands over all that has come, not one for each: while a commit runs the next batch gathers, and the
//! writer takes it whole. Whoever puts something in wakes the writer only if it sleeps, and one that gathers company
//! only once that is there: to be woken for each newcomer would cost more than the company saves.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender};
use std::time::{Duration, Instant};

use operation::{Fault, Receipt, Write};
use parking_lot::{Condvar, Mutex, MutexGuard};
use tokio::sync::oneshot;

use crate::ticket::Done;
use crate::write::{Ahead, Reply};

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
    /// What it has come to before its turn, if it is a command.
    pub ahead: Option<Box<Ahead>>,
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
    /// How many of the threads that put something in have something to do.
    running: AtomicUsize,
}

/// More than there are threads: what runs is not known.
const UNKNOWN: usize = usize::MAX / 2;

#[derive(Default)]
struct State {
    jobs: VecDeque<Job>,
    closed: bool,
    /// How much must wait before the writer is woken; 0 while it is awake.
    wake_at: usize,
    /// Whether the writer has something to do, and sleeps for more to come.
    gathers: bool,
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
        let (state, arrived, running) = (Mutex::default(), Condvar::new(), UNKNOWN.into());
        Self { state, arrived, bound, running }
    }

    /// From now on so many threads put something in, all of which run.
    pub fn work(&self, threads: usize) {
        self.running.store(threads, Ordering::SeqCst);
    }

    /// One of the threads has something to do.
    pub fn runs(&self) {
        self.running.fetch_add(1, Ordering::SeqCst);
    }

    /// One of the threads has nothing to do. With the last of them goes what the writer would gather.
    pub fn rests(&self) {
        if self.running.fetch_sub(1, Ordering::SeqCst) == 1 {
            // Under the lock it either gathers already, or will see that nobody runs before it does.
            let gathers = self.state.lock().gathers;
            if gathers {
                self.arrived.notify_one();
            }
        }
    }

    /// Whether any of the threads has something to do.
    pub fn any_runs(&self) -> bool {
        self.running.load(Ordering::SeqCst) > 0
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

    /// The same for what comes until `deadline`, unless before it `jobs` holds `enough`, nobody runs who could bring more, or
    /// somebody wants the writer to stand still.
    pub fn take_more(&self, jobs: &mut Vec<Job>, enough: usize, most: usize, deadline: Instant) {
        let mut state = self.state.lock();
        loop {
            let is_urgent = state.jobs.iter().any(|job| matches!(job, Job::StandStill { .. }));
            let missing = enough.saturating_sub(jobs.len());
            if state.closed || is_urgent || state.jobs.len() >= missing || !self.any_runs() {
                break;
            }
            state.gathers = true;
            let timed_out = self.sleep(&mut state, missing, deadline);
            state.gathers = false;
            if timed_out {
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

    /// Whether as many wait as may.
    pub fn is_full(&self) -> bool {
        self.len() >= self.bound
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::thread;

    use super::*;

    /// So long that a test which waits for it has failed.
    const FOREVER: Duration = Duration::from_secs(3_600);

    fn still() -> Job {
        Job::StandStill {
            ready: std::sync::mpsc::sync_channel(1).0,
            done: std::sync::mpsc::channel().1,
        }
    }

    /// Waits for company with one job at hand and says with how many it ended.
    fn gather(queue: &Queue, patience: Duration) -> usize {
        let mut jobs = vec![still()];
        queue.take_more(&mut jobs, 8, 8, Instant::now() + patience);
        jobs.len()
    }

    #[test]
    fn company_is_waited_for_while_it_is_not_known_who_runs() {
        assert_eq!(gather(&Queue::new(8), Duration::from_millis(20)), 1);
        let queue = Queue::new(8);
        queue.work(2);
        queue.rests();
        let began = Instant::now();
        assert_eq!(gather(&queue, Duration::from_millis(20)), 1);
        assert!(began.elapsed() >= Duration::from_millis(20), "the other thread still runs");
    }

    #[test]
    fn company_is_not_waited_for_when_nobody_runs() {
        let queue = Queue::new(8);
        queue.work(1);
        queue.rests();
        assert!(!queue.any_runs());
        assert_eq!(gather(&queue, FOREVER), 1);
    }

    #[test]
    fn whoever_waits_for_company_stops_when_the_last_thread_rests() {
        let queue = Arc::new(Queue::new(8));
        queue.work(2);
        let writer = {
            let queue = queue.clone();
            thread::spawn(move || gather(&queue, FOREVER))
        };
        while !queue.state.lock().gathers {
            thread::yield_now();
        }
        queue.rests();
        queue.rests();
        assert_eq!(writer.join().unwrap(), 1);
        queue.runs();
        assert!(queue.any_runs());
    }
}

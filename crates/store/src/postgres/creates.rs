//! New roots, written where they are asked for: a thread of requests has a connection of its own for them, so that neither the
//! write nor its answer crosses threads.
//!
//! What comes while a commit is on its way is the next one, as a [`Set`]. There is no timer: the more there is to do, the less
//! each costs. What cannot be part of a set, or was in one that failed, goes to the writer's thread.

use std::collections::VecDeque;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};

use futures_util::TryStreamExt as _;
use futures_util::future::{FutureExt as _, try_join_all};
use operation::Fault;
use parking_lot::Mutex;
use tokio_postgres::Error;

use super::fault::is_stale;
use super::link::{Link, Trouble, own_number};
use super::set::{Put, Set, Whole};
use super::writer::{Entrances, Pending, unknown};
use super::{PATIENCE, Shared};
use crate::ticket::closed;
use crate::write::Reply;

/// The queues of all threads.
#[derive(Debug)]
pub(crate) struct Creates {
    queues: Vec<Arc<Queue>>,
}

/// The queue of a thread.
#[derive(Debug, Default)]
struct Queue {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    waiting: VecDeque<Pending>,
    /// Whether a task takes them out.
    is_served: bool,
    link: Option<Arc<Link>>,
}

impl Creates {
    pub fn new(count: usize) -> Self {
        Self { queues: (0..count.max(1)).map(|_| Arc::default()).collect() }
    }

    /// Takes in a new root that is asked for on a thread with a runtime.
    pub fn put(&self, pending: Pending, shared: &Arc<Shared>, entrances: &Arc<Entrances>) {
        let Some(queue) = self.queues.get(own_number() % self.queues.len()) else { return };
        let mut state = queue.state.lock();
        state.waiting.push_back(pending);
        if !std::mem::replace(&mut state.is_served, true) {
            drop(state);
            let (queue, shared) = (queue.clone(), shared.clone());
            let entrances = Arc::downgrade(entrances);
            let serving = Serving { queue, shared, entrances, has_ended: false };
            tokio::spawn(serving.run());
        }
    }

    /// Lets go of all connections.
    pub fn close(&self) {
        for queue in &self.queues {
            queue.state.lock().link = None;
        }
    }
}

/// The right to take writes out of a queue.
struct Serving {
    queue: Arc<Queue>,
    shared: Arc<Shared>,
    /// Of the writer's thread, which ends when nobody holds them any more.
    entrances: Weak<Entrances>,
    has_ended: bool,
}

impl Drop for Serving {
    fn drop(&mut self) {
        if self.has_ended {
            return;
        }
        // The runtime ends under it: nobody would ever answer.
        let mut state = self.queue.state.lock();
        state.is_served = false;
        let left = std::mem::take(&mut state.waiting);
        drop(state);
        for pending in left {
            self.shared.answer(pending, Err(closed()));
        }
    }
}

impl Serving {
    async fn run(mut self) {
        let most = self.shared.options.batch;
        loop {
            let batch: Vec<Pending> = {
                let mut state = self.queue.state.lock();
                let count = state.waiting.len().min(most);
                if count == 0 {
                    // Under the lock: who comes from now on starts another.
                    state.is_served = false;
                    self.has_ended = true;
                    return;
                }
                state.waiting.drain(..count).collect()
            };
            self.write(batch).await;
        }
    }

    async fn write(&self, batch: Vec<Pending>) {
        let mut set = Set::new(&self.shared);
        let (mut inside, mut replies) = (Vec::with_capacity(batch.len()), Vec::new());
        for mut pending in batch {
            match set.put(&mut pending.write) {
                Put::In(reply) => {
                    inside.push(pending);
                    replies.push(reply);
                }
                Put::Unfit => self.pass_on(pending, Entrances::put),
                // Why, it says alone.
                Put::Refused => self.pass_on(pending, Entrances::put_alone),
            }
        }
        if inside.is_empty() {
            return;
        }
        let patience = self.shared.options.deadline * 2 + PATIENCE;
        let outcome = match tokio::time::timeout(patience, self.commit(set)).await {
            Ok(outcome) => outcome,
            Err(_) => {
                self.queue.state.lock().link = None;
                Outcome::Unknown(unknown("the database does not answer"))
            }
        };
        self.answer(inside, replies, outcome);
    }

    fn answer(&self, inside: Vec<Pending>, replies: Vec<Reply>, outcome: Outcome) {
        match outcome {
            Outcome::Done => {
                self.shared.counts.commits.fetch_add(1, Ordering::Relaxed);
                for (pending, reply) in inside.into_iter().zip(replies) {
                    self.shared.answer(pending, Ok(reply));
                }
            }
            Outcome::Unknown(fault) => {
                for pending in inside {
                    self.shared.answer(pending, Err(fault.clone()));
                }
            }
            Outcome::Refused => {
                for pending in inside {
                    self.pass_on(pending, Entrances::put_alone);
                }
            }
        }
    }

    fn pass_on(
        &self,
        pending: Pending,
        put: impl FnOnce(&Entrances, Pending) -> Result<(), Pending>,
    ) {
        let refused = match self.entrances.upgrade() {
            Some(entrances) => put(&entrances, pending).err(),
            None => Some(pending),
        };
        if let Some(pending) = refused {
            self.shared.answer(pending, Err(closed()));
        }
    }

    async fn commit(&self, set: Set<'_>) -> Outcome {
        let link = match self.link().await {
            Ok(link) => link,
            Err(fault) => return Outcome::Unknown(fault),
        };
        // Nothing is written yet: whatever is wrong, each finds out by itself.
        let Ok(wholes) = set.prepared(&link).await else {
            link.forget();
            return Outcome::Refused;
        };
        match send(&link, wholes).await {
            Ok(()) => Outcome::Done,
            Err(error) => {
                if is_stale(&error) {
                    link.forget();
                }
                let trouble = Trouble::Database(error);
                if trouble.is_refusal() {
                    Outcome::Refused
                } else {
                    Outcome::Unknown(unknown(&trouble.told()))
                }
            }
        }
    }

    /// The thread's connection.
    async fn link(&self) -> Result<Arc<Link>, Fault> {
        let generation = self.shared.generation();
        let known = self.queue.state.lock().link.clone();
        if let Some(link) = known.filter(|link| !link.client.is_closed()) {
            link.belong_to(generation);
            return Ok(link);
        }
        let link = Arc::new(self.shared.address.connect(generation).await?);
        self.queue.state.lock().link = Some(link.clone());
        Ok(link)
    }
}

/// What became of a set.
enum Outcome {
    /// It is committed.
    Done,
    /// Nothing of it stands.
    Refused,
    /// What stands of it, nobody knows; or there is no connection.
    Unknown(Fault),
}

/// Sends all at once and awaits the outcome. One statement is a transaction by itself, unless settings must go with it.
async fn send(link: &Link, wholes: Vec<Whole>) -> Result<(), Error> {
    let steer = |text: &'static str| link.client.batch_execute(text).boxed();
    let is_alone = wholes.len() == 1 && !link.pooled;
    let executed = wholes.into_iter().map(|(ready, arrays)| {
        async move {
            let mut rows = std::pin::pin!(link.ask_arrays(&ready, arrays).await?);
            while rows.try_next().await?.is_some() {}
            Ok(())
        }
        .boxed()
    });
    // First polled in order, which is what sends them. Had a statement failed, the database makes a rollback of the commit.
    if is_alone {
        try_join_all(executed).await
    } else {
        try_join_all([steer(link.begin)].into_iter().chain(executed).chain([steer("COMMIT")])).await
    }
    .map(drop)
}

//! New roots, written where they are asked for: a thread of requests has a connection of its own for them, so that neither the
//! write nor its answer crosses threads (where there are no more of these than connections).
//!
//! What comes while a commit is on its way is the next one, as a [`Set`]. There is no timer: the more there is to do, the less
//! each costs. What cannot be part of a set, or was in one that failed, goes to the writer's thread.

use std::collections::VecDeque;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use futures_util::TryStreamExt as _;
use futures_util::future::{FutureExt as _, join_all};
use operation::{Fault, Write};
use parking_lot::Mutex;
use tokio_postgres::Error;

use super::Shared;
use super::fault::{gone, is_stale};
use super::link::{Link, Trouble, own_number};
use super::set::{Put, Set, Whole};
use super::writer::{Entrances, Pending, unknown};
use crate::ticket::closed;
use crate::write::Reply;

/// How long whoever closes the store waits for sets that are on their way.
const ENDING: Duration = Duration::from_secs(1);

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
        let queue = &self.queues[own_number() % self.queues.len()];
        let mut state = queue.state.lock();
        state.waiting.push_back(pending);
        if !std::mem::replace(&mut state.is_served, true) {
            drop(state);
            let (queue, shared) = (queue.clone(), shared.clone());
            let entrances = Arc::downgrade(entrances);
            let (inside, was_sent, has_ended) = (Vec::new(), false, false);
            let serving = Serving { queue, shared, entrances, inside, was_sent, has_ended };
            tokio::spawn(serving.run());
        }
    }

    /// Waits for what is on its way, and lets go of all connections. Nothing may come in any more.
    pub fn end(&self) {
        let until = Instant::now() + ENDING;
        for queue in &self.queues {
            while queue.state.lock().is_served && Instant::now() < until {
                std::thread::sleep(Duration::from_millis(1));
            }
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
    /// The writes of the set that is on its way.
    inside: Vec<Pending>,
    /// Whether it was sent.
    was_sent: bool,
    has_ended: bool,
}

impl Drop for Serving {
    fn drop(&mut self) {
        if self.has_ended {
            return;
        }
        // The runtime ends under it: nobody else would ever answer.
        let mut state = self.queue.state.lock();
        state.is_served = false;
        let left = std::mem::take(&mut state.waiting);
        drop(state);
        let fault = if self.was_sent { unknown("the server ends") } else { closed() };
        for pending in std::mem::take(&mut self.inside) {
            self.shared.answer(pending, Err(fault.clone()));
        }
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

    async fn write(&mut self, mut batch: Vec<Pending>) {
        // In an order of their kinds, whoever came first: so there is one statement for the kinds that meet, and not one for each
        // order in which they do.
        batch.sort_by_key(|pending| match &*pending.write {
            Write::Create(create) => Some(create.target.id),
            _ => None,
        });
        let shared = self.shared.clone();
        let mut set = Set::new(&shared);
        let mut replies = Vec::with_capacity(batch.len());
        for mut pending in batch {
            match set.put(&mut pending.write) {
                Put::In(reply) => {
                    self.inside.push(pending);
                    replies.push(reply);
                }
                Put::Unfit => self.pass_on(pending, Entrances::put),
                // Why, it says alone.
                Put::Refused => self.pass_on(pending, Entrances::put_alone),
            }
        }
        if self.inside.is_empty() {
            return;
        }
        let outcome = match tokio::time::timeout(shared.patience(), self.commit(set)).await {
            Ok(outcome) => outcome,
            Err(_) => {
                self.queue.state.lock().link = None;
                let silent = "the database does not answer";
                Outcome::Failed(if self.was_sent { unknown(silent) } else { gone(silent) })
            }
        };
        self.was_sent = false;
        self.answer(replies, outcome);
    }

    fn answer(&mut self, replies: Vec<Reply>, outcome: Outcome) {
        let inside = std::mem::take(&mut self.inside);
        match outcome {
            Outcome::Done => {
                self.shared.counts.commits.fetch_add(1, Ordering::Relaxed);
                for (pending, reply) in inside.into_iter().zip(replies) {
                    self.shared.answer(pending, Ok(reply));
                }
            }
            Outcome::Failed(fault) => {
                for pending in inside {
                    self.shared.answer(pending, Err(fault.clone()));
                }
            }
            Outcome::Refused => {
                for pending in inside {
                    self.pass_on(pending, Entrances::put);
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

    async fn commit(&mut self, set: Set<'_>) -> Outcome {
        let link = match self.link().await {
            Ok(link) => link,
            Err(fault) => return Outcome::Failed(fault),
        };
        // Nothing is written yet: whatever is wrong, each finds out by itself.
        let Ok(wholes) = set.prepared(&link).await else {
            link.forget();
            return Outcome::Refused;
        };
        self.was_sent = true;
        let Err(error) = send(&link, wholes).await else { return Outcome::Done };
        if error.as_db_error().is_none() {
            // Nobody knows how far it came: a transaction may be open there.
            self.queue.state.lock().link = None;
        } else if is_stale(&error) {
            link.forget();
        }
        let trouble = Trouble::Database(error);
        if trouble.is_refusal() {
            Outcome::Refused
        } else {
            Outcome::Failed(unknown(&trouble.told()))
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
    /// There is no connection, or nobody knows what stands of it.
    Failed(Fault),
}

/// Sends all at once and awaits the outcome. One statement is a transaction by itself, unless settings must go with it.
async fn send(link: &Link, wholes: Vec<Whole>) -> Result<(), Error> {
    let steer = |text: &'static str| link.client.batch_execute(text).boxed();
    let is_alone = wholes.len() == 1 && !link.pooled;
    let executed = wholes.into_iter().map(|(ready, arrays)| {
        async move {
            let mut rows = std::pin::pin!(link.ask_given(&ready, arrays).await?);
            while rows.try_next().await?.is_some() {}
            Ok(())
        }
        .boxed()
    });
    // First polled in order, which is what sends them, and each to its end: what has begun must end, also where something
    // fails. Had a statement failed, the database makes a rollback of the commit.
    let outcomes = if is_alone {
        join_all(executed).await
    } else {
        join_all([steer(link.begin)].into_iter().chain(executed).chain([steer("COMMIT")])).await
    };
    outcomes.into_iter().collect()
}

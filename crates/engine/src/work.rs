//! Tasks, carried out: what commands asked to be done later, and what is done when an event happens.
//!
//! Tasks are rows of the database. They are taken for a while, by one process at a time; a command that carries one out ends it
//! in its own transaction, so that nothing is done twice. What a process has taken and does not settle, because it was killed,
//! others take when its time has run out.

pub mod exchange;
mod job;
mod trouble;
pub mod webhook;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt as _, StreamExt as _};
use operation::{ARRIVED, Chore, Dialect, Fault, Receipt, Settled, Task, Write};
use store::Queue;

use crate::run::microseconds_now;
use crate::{Engine, Loaded};
pub(crate) use trouble::Troubles;

/// How many tasks are taken at once.
const MOST: usize = 64;

/// How long an idle worker waits before it looks by itself: what others have left, and what has become due.
const LOOK: Duration = Duration::from_millis(500);

/// How long it waits when the database does not answer.
const REST: Duration = Duration::from_secs(1);

/// For how long it is known how many tasks there are.
const FRESH: Duration = Duration::from_secs(5);

/// Deliveries that are over, and what is remembered of events that came in, are kept for so long, in microseconds: a week.
const KEPT: i64 = 7 * 24 * 3_600 * 1_000_000;

/// How many deliveries are forgotten at once.
const FORGOTTEN: u64 = 1_000;

/// How often a thousand events are looked at in a row for old ones.
const FORGETTING: u32 = 500;

/// How often old events are looked for, at least.
const TIDY: Duration = Duration::from_secs(60);

/// What the worker of a process has come to since its start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Figures {
    /// Tasks that were done, and runs of jobs.
    pub done: u64,
    /// Attempts that failed.
    pub failed: u64,
    /// Deliveries that have arrived at their endpoints.
    pub delivered: u64,
    /// Attempts to deliver that failed.
    pub undelivered: u64,
}

/// The same, counted.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    done: AtomicU64,
    failed: AtomicU64,
    delivered: AtomicU64,
    undelivered: AtomicU64,
}

/// On which terms tasks are carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terms {
    /// For how long tasks are taken: 30 s. What is not settled by then, whoever looks next takes. A task is not begun any more
    /// when two fifths of it are left, since the database may take as long; it must be longer than clocks differ.
    pub lease: Duration,
    /// How often a task is tried before it is parked: 12 times.
    pub tries: u32,
    /// The wait after the first failure: 250 ms. It doubles with each, and grows by up to a half at random.
    pub first_wait: Duration,
    /// For how long events are kept, to be looked at and heard again: a week. What a delivery or the broker waits for stays.
    pub kept: Duration,
}

impl Default for Terms {
    fn default() -> Self {
        let (lease, first_wait) = (Duration::from_secs(30), Duration::from_millis(250));
        let kept = Duration::from_secs(7 * 24 * 3_600);
        Self { lease, tries: 12, first_wait, kept }
    }
}

impl Terms {
    /// In microseconds.
    fn lease(&self) -> i64 {
        microseconds(self.lease)
    }

    /// How much of a task's time must be left when it is begun, in microseconds.
    fn margin(&self) -> i64 {
        self.lease() * 2 / 5
    }
}

fn microseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

impl Engine {
    /// Carries out tasks as they come, until the engine rests. A process needs one of it.
    pub async fn work(&self) {
        self.work_with(Terms::default()).await;
    }

    /// The same on other terms.
    pub async fn work_with(&self, terms: Terms) {
        if self.store.dialect() == Dialect::Sqlite {
            // A database that one process serves: what was taken was taken by one that is gone.
            let _ = self.chore(Chore::Release).await;
        }
        let (mut tidied, mut forgotten) = (Instant::now(), 0);
        let mut scheduled = 0;
        let mut running = FuturesUnordered::new();
        while !self.closing.load(Ordering::Acquire) {
            // Before looking, so that what comes while nobody waits is not missed.
            let rung = self.bell.notified();
            let loaded = self.current().await;
            if scheduled != loaded.generation && self.schedule(&loaded).await.is_ok() {
                scheduled = loaded.generation;
            }
            let room = MOST.saturating_sub(running.len());
            let taken = if room > 0 { self.take(room, terms).await } else { Ok(Vec::new()) };
            match taken {
                Ok(tasks) if !tasks.is_empty() => {
                    let lanes = lanes(tasks).into_iter();
                    running.extend(lanes.map(|lane| self.lane(Arc::clone(&loaded), lane, terms)));
                    // What is on its way is waited for only where there is no room for more.
                    while running.len() >= MOST && running.next().await.is_some() {}
                    while let Some(Some(())) = running.next().now_or_never() {}
                    continue;
                }
                Ok(_) => {}
                Err(_) => tokio::time::sleep(REST).await,
            }
            if tidied.elapsed() > TIDY.min(terms.kept) {
                tidied = Instant::now();
                let before = microseconds_now().saturating_sub(microseconds(terms.kept));
                forgotten = self.forget_events(before, forgotten).await;
            }
            let wait = tokio::time::timeout(LOOK, rung);
            if running.is_empty() {
                // Whichever comes first.
                let _ = wait.await;
            } else {
                tokio::select! {
                    _ = wait => {}
                    _ = running.next() => {}
                }
            }
        }
        while running.next().await.is_some() {}
    }

    /// Carries out what is due, and what comes of that, and ends when nothing is. How many tasks were taken.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn work_off(&self) -> Result<usize, Fault> {
        let loaded = self.current().await;
        self.schedule(&loaded).await?;
        let terms = Terms::default();
        let mut count = 0;
        loop {
            let tasks = self.take(MOST, terms).await?;
            if tasks.is_empty() {
                return Ok(count);
            }
            count += tasks.len();
            let lanes = lanes(tasks).into_iter();
            let lanes = lanes.map(|lane| self.lane(Arc::clone(&loaded), lane, terms));
            futures_util::future::join_all(lanes).await;
        }
    }

    /// How many tasks there are, as it was five seconds ago at most, since they are counted one by one; `None` where the database
    /// does not say so within a second.
    pub async fn queue(&self) -> Option<Queue> {
        let mut known = self.queue.lock().await;
        if let Some((when, queue)) = *known
            && when.elapsed() < FRESH
        {
            return Some(queue);
        }
        let asked = self.store.queue(microseconds_now());
        let Ok(Ok(queue)) = tokio::time::timeout(REST, asked).await else { return None };
        *known = Some((Instant::now(), queue));
        Some(queue)
    }

    /// What this engine's worker has come to.
    pub fn work_figures(&self) -> Figures {
        let get = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Figures {
            done: get(&self.counts.done),
            failed: get(&self.counts.failed),
            delivered: get(&self.counts.delivered),
            undelivered: get(&self.counts.undelivered),
        }
    }

    /// Work on the queue of tasks.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn chore(&self, chore: Chore) -> Result<Option<bytes::Bytes>, Fault> {
        Ok(self.chore_once(chore, None).await?.0)
    }

    /// The same of what may be asked for again; what it answered, and whether that was before.
    pub(crate) async fn chore_once(
        &self,
        chore: Chore,
        receipt: Option<Box<Receipt>>,
    ) -> Result<(Option<bytes::Bytes>, bool), Fault> {
        let written = self.store.write(Box::new(Write::Chore(chore)), receipt).await?;
        Ok((written.json, written.replayed))
    }

    /// Forgets events that are old, from behind a number on; where to go on next time. What a delivery or the broker waits for stays,
    /// for days perhaps, and keeps nothing behind it from being forgotten.
    async fn forget_events(&self, before: i64, from: i64) -> i64 {
        let mut after = from;
        for _ in 0..FORGETTING {
            if self.closing.load(Ordering::Acquire) {
                break;
            }
            let answer = self.chore(Chore::Forget { before, after }).await.ok().flatten();
            let answer = answer.and_then(|json| serde_json::from_slice::<(u64, i64)>(&json).ok());
            after = answer.map_or(0, |(_, next)| next);
            if after == 0 {
                break;
            }
        }
        after
    }

    /// Forgets what is old, as often as there is more than goes at once: a busy server leaves that in a minute. What is not
    /// forgotten now is forgotten next time.
    async fn forget(&self, some: impl Fn() -> Chore) {
        while !self.closing.load(Ordering::Acquire) {
            let count = self.chore(some()).await.ok().flatten().unwrap_or_default();
            let count = std::str::from_utf8(&count).ok().and_then(|count| count.parse().ok());
            if count.unwrap_or(0) < FORGOTTEN {
                break;
            }
        }
    }

    async fn take(&self, most: usize, terms: Terms) -> Result<Vec<Task>, Fault> {
        let now = microseconds_now();
        let most = i64::try_from(most).unwrap_or(1);
        let take = Chore::Take { now, until: now.saturating_add(terms.lease()), most };
        let json = self.chore(take).await?.unwrap_or_default();
        serde_json::from_slice(&json).map_err(|error| Fault::Internal(error.to_string()))
    }

    /// Carries out tasks one after another.
    async fn lane(&self, loaded: Arc<Loaded>, tasks: Vec<Task>, terms: Terms) {
        let mut tasks = tasks.into_iter();
        for task in tasks.by_ref() {
            if !self.carry_out(&loaded, &task, terms).await {
                break;
            }
        }
        // At once, so that they share a commit. What cannot be given back comes back when its time has run out.
        let given = tasks.map(|task| self.chore(Chore::GiveBack(settled(&task))));
        futures_util::future::join_all(given).await;
    }

    /// Whether the next of its lane may be done.
    async fn carry_out(&self, loaded: &Loaded, task: &Task, terms: Terms) -> bool {
        let now = microseconds_now();
        if now > task.until - terms.margin() || self.closing.load(Ordering::Acquire) {
            let _ = self.chore(Chore::GiveBack(settled(task))).await;
            return false;
        }
        if task.target.starts_with("job ") {
            self.run_job(loaded, task, terms).await;
            return true;
        }
        let outcome = if let Some(webhook) = task.target.strip_prefix(plan::WEBHOOK) {
            match loaded.plan.sent_by(webhook) {
                Some(_) => self.spread(task, webhook).await,
                None => {
                    Err(Fault::Internal(format!("the model has no `{}` any more", task.target)))
                }
            }
        } else if let Some(event) = task.target.strip_prefix(ARRIVED) {
            self.receive_again(loaded, task, event).await
        } else {
            match loaded.plan.task(task, now) {
                Ok(write) => self.write(loaded, write).await.map(drop),
                Err(fault) => Err(fault),
            }
        };
        let fault = match outcome {
            Ok(()) => {
                self.counts.done.fetch_add(1, Ordering::Relaxed);
                return true;
            }
            // Somebody else has it by now.
            Err(Fault::NotFound) => return true,
            Err(fault) => fault,
        };
        if matches!(fault, Fault::Overloaded { .. }) {
            tokio::time::sleep(REST).await;
            let _ = self.chore(Chore::GiveBack(settled(task))).await;
            return false;
        }
        // Also what this model does not have is tried again: a server of a newer one, beside this one, may have asked for it. What is
        // parked no longer stands in the way of its lane. A database that does not answer takes no note of this either, and the
        // task comes back when its time has run out.
        let parked = task.failures + 1 >= i64::from(terms.tries);
        let due = if parked { now } else { again(task, now, terms) };
        self.fail(task, settled(task), (due, parked), loaded.told(&fault)).await && parked
    }

    /// Notes that a task has failed, when it is due again or that it is parked; whether it was noted.
    async fn fail(
        &self,
        task: &Task,
        settled: Settled,
        (due, parked): (i64, bool),
        error: String,
    ) -> bool {
        self.counts.failed.fetch_add(1, Ordering::Relaxed);
        let (target, number, attempt) = (&*task.target, task.number, task.failures + 1);
        if parked {
            tracing::error!(
                task = number,
                target,
                attempts = attempt,
                reason = error,
                "a task has failed too often and is put aside: `mimar events dead` shows it, `mimar events dead retry {number}` tries it again"
            );
        } else if let Some(more) = self.troubles.comes(target) {
            let wait = due.saturating_sub(microseconds_now()).max(0) / 1_000;
            let wait =
                if wait < 1_000 { format!("{wait} ms") } else { format!("{} s", wait / 1_000) };
            tracing::warn!(
                task = number,
                target,
                attempt,
                reason = error,
                more,
                "a task has failed, and is tried again in {wait}"
            );
        }
        self.chore(Chore::Fail { task: settled, due, parked, error: error.into() }).await.is_ok()
    }
}

/// When a task is tried again that has failed once more.
fn again(task: &Task, now: i64, terms: Terms) -> i64 {
    let doubled = microseconds(terms.first_wait) << task.failures.clamp(0, 20);
    now + doubled + random(task.number, doubled / 2)
}

/// Those of one lane together, in their order.
fn lanes(tasks: Vec<Task>) -> Vec<Vec<Task>> {
    let mut lanes: Vec<Vec<Task>> = Vec::new();
    for task in tasks {
        let known = lanes.iter_mut().find(|lane| {
            task.lane.is_some() && lane.first().is_some_and(|first| first.lane == task.lane)
        });
        match known {
            Some(lane) => lane.push(task),
            None => lanes.push(vec![task]),
        }
    }
    lanes
}

fn settled(task: &Task) -> Settled {
    Settled { number: task.number, until: task.until }
}

/// A number below `most`, another one each time: those who would meet shall not.
fn random(number: i64, most: i64) -> i64 {
    let seed = number ^ microseconds_now();
    let mixed = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15_u64 as i64);
    (mixed >> 17).rem_euclid(most.max(1))
}

impl Loaded {
    /// What a fault says, for those who look after the tasks.
    fn told(&self, fault: &Fault) -> String {
        match fault {
            Fault::Invalid(found) | Fault::Conflict(found) => {
                let details: Vec<&str> = found.iter().map(|found| found.detail.as_str()).collect();
                details.join("; ")
            }
            Fault::Raised { error, members } => {
                let name = self.model.errors.get(*error).map_or("", |error| &error.name);
                let said = self.contract().errors.get(*error);
                format!("{name}: {}", said.map_or_else(String::new, |error| error.says(members)))
            }
            other => other.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Twice as long each time, and up to a half more, another time for each; parked after the twelfth, within half an hour.
    #[test]
    fn what_fails_is_tried_again_later_each_time() {
        let terms = Terms::default();
        let mut whole = 0;
        for failures in 0..i64::from(terms.tries) - 1 {
            let task = |number| Task {
                number,
                target: String::new(),
                arguments: String::new(),
                lane: None,
                due: 0,
                failures,
                until: 0,
            };
            let doubled = 250_000 << failures;
            let waits: Vec<i64> = (0..64).map(|number| again(&task(number), 0, terms)).collect();
            let fits = |wait: &i64| (doubled..doubled + doubled / 2).contains(wait);
            assert!(waits.iter().all(fits), "{failures}: {waits:?}");
            assert!(waits.iter().any(|wait| *wait != waits[0]), "{failures}: all alike");
            whole += waits.iter().max().copied().unwrap_or_default();
        }
        assert!((450_000_000..1_800_000_000).contains(&whole), "{whole}");
    }
}

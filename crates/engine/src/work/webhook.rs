//! Webhooks: events on their way to partners.
//!
//! A command writes a task for each webhook that sends its event, and knows nothing of who hears it. The task is *spread*: it
//! ends, and for each endpoint there is a delivery, in one transaction. Deliveries have a queue of their own, from which of each
//! endpoint only a few are taken and of each lane (an endpoint and a key) only the first: an endpoint that hangs holds up
//! nobody else, and a key keeps its order.
//!
//! A request cannot be part of a transaction: what has arrived and could not be noted is sent again, under the same identifier.

mod address;
mod envelope;
mod inbound;
mod request;
mod schedule;
mod signature;
mod target;

use std::sync::atomic::Ordering;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt as _, StreamExt as _};
use operation::{Chore, Dialect, Failed, Fault, Hook, Settled, Task};

use self::schedule::Failure;
use super::{KEPT, LOOK, REST, TIDY, random, settled};
use crate::run::microseconds_now;
use crate::{Engine, Loaded};

pub use address::{Kind, kind};
pub use inbound::{Arrival, Taken};
pub use request::{Outcome, Parcel, deliver};
pub use signature::{Secret, signatures, verifies};
pub use target::{Target, TargetFault};

/// How many requests are under way at once.
const MOST: usize = 64;

/// How many of them to one endpoint.
const EACH: i64 = 4;

/// For how long a delivery is taken, in microseconds: twice as long as an attempt may take.
const LEASE: i64 = 30_000_000;

/// For how long a delivery is tried where the model says nothing, in microseconds: three days.
const RETRY: i64 = 3 * 24 * 3_600 * 1_000_000;

/// How deliveries are made.
#[derive(Debug)]
pub struct Settings {
    /// Whether private networks, this machine and `http://` may be sent to.
    pub to_private: bool,
    /// How long a connection may take: to resolve a name, to connect, to agree on a cipher.
    pub connect: Duration,
    /// How long an attempt may take in all.
    pub whole: Duration,
    /// By what the waits between attempts and the time for all of them are divided. 1, except in tests, which would wait for
    /// days otherwise; what an endpoint asks for (`Retry-After`) is not divided.
    pub haste: u32,
    /// Whom to believe; `None`: whom the system believes.
    pub roots: Option<rustls::RootCertStore>,
    tls: OnceLock<Result<Arc<rustls::ClientConfig>, String>>,
}

impl Settings {
    /// Those of a server.
    pub fn new(to_private: bool) -> Self {
        Self {
            to_private,
            connect: Duration::from_secs(5),
            whole: Duration::from_secs(15),
            haste: 1,
            roots: None,
            tls: OnceLock::new(),
        }
    }

    /// Made when it is first needed: the system's certificates are many.
    fn tls(&self) -> Result<Arc<rustls::ClientConfig>, String> {
        self.tls.get_or_init(|| request::tls(self.roots.as_ref())).clone()
    }
}

/// What was taken for one endpoint.
#[derive(Debug, serde::Deserialize)]
struct Batch {
    url: String,
    webhook: String,
    /// Until when it is ours.
    until: i64,
    /// The newest first.
    secrets: Vec<String>,
    deliveries: Vec<Delivery>,
}

/// An event on its way.
#[derive(Debug, serde::Deserialize)]
struct Delivery {
    number: i64,
    attempts: i64,
    made: i64,
    /// Of the event.
    id: String,
    /// Its name; nothing of what follows is there if it is not kept any more.
    name: Option<String>,
    key: Option<String>,
    happened: Option<i64>,
    data: Option<String>,
}

impl Engine {
    /// Sends deliveries as they come, until the engine rests. A process needs one of it, beside [`Engine::work`].
    pub async fn send(&self, settings: &Settings) {
        if self.store.dialect() == Dialect::Sqlite {
            // A database that one process serves: what was taken was taken by one that is gone.
            let _ = self.hook(Hook::Release { now: microseconds_now() }).await;
        }
        let mut tidied = Instant::now();
        let mut running = FuturesUnordered::new();
        while !self.closing.load(Ordering::Acquire) {
            // Before looking, so that what comes while nobody waits is not missed.
            let rung = self.post.notified();
            let loaded = self.current().await;
            match self.take_deliveries(&loaded, MOST.saturating_sub(running.len())).await {
                Ok(batches) => {
                    for batch in batches {
                        let batch = Arc::new(batch);
                        running.extend((0..batch.deliveries.len()).map(|at| {
                            self.carry(settings, Arc::clone(&loaded), Arc::clone(&batch), at)
                        }));
                    }
                }
                Err(_) => tokio::time::sleep(REST).await,
            }
            if tidied.elapsed() > TIDY {
                tidied = Instant::now();
                let before = microseconds_now().saturating_sub(KEPT);
                self.forget(|| Chore::Hook(Hook::Forget { before })).await;
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
                while let Some(Some(())) = running.next().now_or_never() {}
            }
        }
        while running.next().await.is_some() {}
    }

    /// Sends what is due, and ends when nothing is. How many attempts there were.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn send_off(&self, settings: &Settings) -> Result<usize, Fault> {
        let loaded = self.current().await;
        let mut count = 0;
        loop {
            let mut running = FuturesUnordered::new();
            for batch in self.take_deliveries(&loaded, MOST).await? {
                let batch = Arc::new(batch);
                running.extend(
                    (0..batch.deliveries.len()).map(|at| {
                        self.carry(settings, Arc::clone(&loaded), Arc::clone(&batch), at)
                    }),
                );
            }
            if running.is_empty() {
                return Ok(count);
            }
            count += running.len();
            while running.next().await.is_some() {}
        }
    }

    /// Ends the task of an event that a webhook sends; from then on each of its endpoints has it.
    pub(super) async fn spread(&self, task: &Task, webhook: &str) -> Result<(), Fault> {
        let now = microseconds_now();
        self.hook(Hook::Spread { task: settled(task), webhook: webhook.into(), now }).await?;
        self.post.notify_one();
        Ok(())
    }

    async fn take_deliveries(&self, loaded: &Loaded, room: usize) -> Result<Vec<Batch>, Fault> {
        if room == 0 || loaded.model.webhooks.is_empty() {
            return Ok(Vec::new());
        }
        let now = microseconds_now();
        let most = i64::try_from(room).unwrap_or(1);
        let take = Hook::Take { now, until: now.saturating_add(LEASE), each: EACH, most };
        let json = self.hook(take).await?;
        serde_json::from_slice(&json).map_err(|error| Fault::Internal(error.to_string()))
    }

    /// Makes one attempt, and notes what came of it.
    async fn carry(&self, settings: &Settings, loaded: Arc<Loaded>, batch: Arc<Batch>, at: usize) {
        let Some(delivery) = batch.deliveries.get(at) else { return };
        let mark = Settled { number: delivery.number, until: batch.until };
        let Some(body) = envelope::of(&loaded, delivery) else {
            let reason = "the event is not kept any more".into();
            let (now, resumes) = (microseconds_now(), 0);
            let failed = Failed {
                delivery: mark,
                status: None,
                reason,
                now,
                due: None,
                resumes,
                gone: false,
            };
            self.note(Hook::Failed(Box::new(failed))).await;
            return;
        };
        let secrets = batch.secrets.iter().filter_map(|secret| Secret::parse(secret)).collect();
        let parcel = Parcel { id: delivery.id.clone(), body, secrets, now: microseconds_now() };
        let outcome = deliver(settings, &batch.url, &parcel).await;
        let now = microseconds_now();
        let status = outcome.status.map(i64::from);
        if let (true, Some(status)) = (outcome.has_arrived(), status) {
            self.counts.delivered.fetch_add(1, Ordering::Relaxed);
            if self.troubles.ends(&batch.url) {
                tracing::warn!(
                    endpoint = without_query(&batch.url),
                    "an endpoint takes deliveries again"
                );
            }
            self.note(Hook::Arrived { delivery: mark, status, now }).await;
            return;
        }
        self.counts.undelivered.fetch_add(1, Ordering::Relaxed);
        let gone = status == Some(410);
        let webhook = loaded.model.webhooks.iter().find(|webhook| webhook.name == batch.webhook);
        let retry = webhook.and_then(|webhook| webhook.retry).unwrap_or(RETRY);
        let failure = Failure {
            before: delivery.attempts,
            made: delivery.made,
            now,
            retry: retry / i64::from(settings.haste.max(1)),
            asked: outcome.wait,
            jitter: u16::try_from(random(delivery.number, 512)).unwrap_or(0),
            haste: settings.haste,
        };
        // What was not wanted any more is not lost: it waits, should the endpoint be enabled again.
        let due = if gone { Some(now) } else { schedule::next(failure) };
        self.tell(&batch, delivery, &outcome, due.filter(|_| !gone));
        // Who asks for time means himself, not the one delivery that he happened to be given.
        let resumes = due.filter(|_| outcome.wait.is_some()).unwrap_or(0);
        let reason = outcome.reason.into();
        let failed = Failed { delivery: mark, status, reason, now, due, resumes, gone };
        self.note(Hook::Failed(Box::new(failed))).await;
    }

    /// Tells the log of an attempt that failed; `due` is when it is made again.
    fn tell(&self, batch: &Batch, delivery: &Delivery, outcome: &Outcome, due: Option<i64>) {
        let (endpoint, reason) = (without_query(&batch.url), &*outcome.reason);
        let (delivery, attempt) = (delivery.number, delivery.attempts + 1);
        if outcome.status == Some(410) {
            tracing::error!(
                endpoint,
                delivery,
                "an endpoint answers 410, and nothing is sent to it any more: `mimar webhook enable` changes that, what it missed waits"
            );
        } else if due.is_none() {
            tracing::error!(
                endpoint,
                delivery,
                attempts = attempt,
                reason,
                "a delivery has failed for too long and is put aside: `mimar webhook deliveries` shows it, `mimar webhook replay` sends it again"
            );
        } else if let Some(more) = self.troubles.comes(&batch.url) {
            tracing::warn!(
                endpoint,
                delivery,
                attempt,
                reason,
                more,
                "a delivery has failed, and is made again"
            );
        }
    }

    /// Notes what came of an attempt. What cannot be noted is sent again when its time has run out.
    async fn note(&self, hook: Hook) {
        if self.hook(hook.clone()).await.is_err_and(|fault| fault.is_passing()) {
            tokio::time::sleep(REST).await;
            let _ = self.hook(hook).await;
        }
    }

    async fn hook(&self, hook: Hook) -> Result<Bytes, Fault> {
        Ok(self.chore(Chore::Hook(hook)).await?.unwrap_or_default())
    }
}

/// An address as a log may have it: what stands in a query may be secret.
fn without_query(url: &str) -> &str {
    url.split('?').next().unwrap_or(url)
}

//! What goes to a broker, and what comes from one.
//!
//! A command that publishes writes for each event a row of what is to be sent, in its own transaction. One process at a time, which
//! holds a lease in the database, sends these rows in their order, deletes what the broker has acknowledged, and takes in what comes.
//! A broker that does not answer is tried again and again; meanwhile what is to be sent waits in the database, and nobody else
//! notices.

mod message;
mod receive;
mod relay;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use broker::{Address, Broker, BrokerFault, Party};
use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use operation::{Chore, Dialect, Exchange, Fault};
use store::Backlog;

use super::{KEPT, REST, TIDY, microseconds, random};
use crate::run::microseconds_now;
use crate::{Engine, Loaded};

/// The longest wait before a broker is tried again that did not answer.
const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// How it is spoken with a broker.
pub struct Settings {
    /// Where it is.
    pub address: Address,
    /// For how long a process is the one that speaks with it, unless it says so again: 15 s. Another takes its place within that time
    /// when it is gone. It must be longer than clocks differ.
    pub lease: Duration,
    /// The wait after the first failure: 100 ms. It doubles with each, up to ten seconds, and grows by up to a half at random.
    pub first_wait: Duration,
    /// How often it is looked by itself for what other processes have published, and whether they still hold the lease: every 100 ms.
    pub look: Duration,
    /// Told what those who run this should know.
    pub tell: Box<dyn Fn(&Notice) + Send + Sync>,
}

impl Settings {
    /// Those of a server.
    pub fn new(address: Address, tell: impl Fn(&Notice) + Send + Sync + 'static) -> Self {
        Self {
            address,
            lease: Duration::from_secs(15),
            first_wait: Duration::from_millis(100),
            look: Duration::from_millis(100),
            tell: Box::new(tell),
        }
    }
}

impl std::fmt::Debug for Settings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Settings").field("address", &self.address).finish_non_exhaustive()
    }
}

/// What those who run a server should know of its broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// It is spoken with. What its settings mean for what it acknowledges, in sentences.
    Connected(Vec<String>),
    /// It cannot be spoken with, or takes nothing of what is sent; told once, until it does.
    Away(BrokerFault),
    /// Nothing can come from an address; told once, until it can.
    NoPlace(BrokerFault),
}

/// What has gone to the broker and come from it, since the start of the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Traffic {
    /// Events that the broker has acknowledged.
    pub published: u64,
    /// Attempts to send that it has not.
    pub failed: u64,
    /// Events that came from it, those included that had come before.
    pub received: u64,
    /// What came from it and could not be read.
    pub unreadable: u64,
}

/// The same, counted; and what is known of what waits.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    published: AtomicU64,
    failed: AtomicU64,
    received: AtomicU64,
    unreadable: AtomicU64,
    /// Whether there is a broker at all.
    serves: AtomicBool,
    /// What waits, and when that was asked.
    backlog: tokio::sync::Mutex<Option<(Instant, Backlog)>>,
}

/// Why a connection is given up.
#[derive(Debug)]
enum End {
    /// The engine rests.
    Rest,
    /// Another process is the one that speaks, or the model is another one.
    Anew,
    /// The broker does not do what it shall.
    Fault(BrokerFault),
}

/// A connection, and what is exchanged over it.
struct Line<'a> {
    engine: &'a Engine,
    settings: &'a Settings,
    loaded: Arc<Loaded>,
    party: Party,
    broker: Box<dyn Broker>,
    holder: [u8; 16],
}

impl Engine {
    /// Speaks with a broker until the engine rests. A process needs one of it, and only where the models that it serves were loaded
    /// [to send](Loaded::sending).
    pub async fn exchange(&self, settings: &Settings) {
        let holder = uuid::Uuid::new_v4().into_bytes();
        self.exchanged.serves.store(true, Ordering::Relaxed);
        let (mut failures, mut is_away, mut is_first) = (0, false, true);
        let mut tidied = Instant::now();
        while !self.is_closing() {
            if tidied.elapsed() > TIDY {
                tidied = Instant::now();
                self.forget_received().await;
            }
            let until = microseconds_now().saturating_add(microseconds(settings.lease));
            // A database that one process serves: who held the lease before is gone.
            let is_alone = std::mem::take(&mut is_first) && self.store.dialect() == Dialect::Sqlite;
            let now = if is_alone { i64::MAX } else { microseconds_now() };
            match self.ask(Exchange::Hold { holder, now, until }).await.as_deref() {
                Ok(b"true") => {}
                Ok(_) => {
                    tokio::time::sleep(settings.look).await;
                    continue;
                }
                Err(_) => {
                    tokio::time::sleep(REST).await;
                    continue;
                }
            }
            let loaded = self.current().await;
            let party = message::party(&loaded);
            let began = Instant::now();
            let ended = match broker::connect(&settings.address, &party).await {
                Ok(broker) => {
                    is_away = false;
                    (settings.tell)(&Notice::Connected(broker.remarks()));
                    Line { engine: self, settings, loaded, party, broker, holder }
                        .speak(until)
                        .await
                }
                Err(fault) => End::Fault(fault),
            };
            if let End::Fault(fault) = ended {
                if !is_away {
                    (settings.tell)(&Notice::Away(fault));
                }
                // A connection that was of no use is no reason to try sooner.
                if began.elapsed() > LONGEST_WAIT {
                    failures = 0;
                }
                (failures, is_away) = (failures + 1, true);
                let rested = tokio::time::sleep(wait(settings.first_wait, failures));
                tokio::select! {
                    () = rested => {}
                    () = self.closed() => {}
                }
            }
        }
        // What cannot be said now is known when the time has run out.
        let _ = self.ask(Exchange::Yield { holder }).await;
    }

    /// What this engine has exchanged with its broker; `None` where it has none.
    pub fn traffic(&self) -> Option<Traffic> {
        if !self.exchanged.serves.load(Ordering::Relaxed) {
            return None;
        }
        let get = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let Counts { published, failed, received, unreadable, .. } = &self.exchanged;
        Some(Traffic {
            published: get(published),
            failed: get(failed),
            received: get(received),
            unreadable: get(unreadable),
        })
    }

    /// What waits for the broker, as it was a second ago at most, since it is counted row by row; `None` where the database does not
    /// say so within a second.
    pub async fn backlog(&self) -> Option<Backlog> {
        let mut known = self.exchanged.backlog.lock().await;
        if let Some((when, backlog)) = *known
            && when.elapsed() < REST
        {
            return Some(backlog);
        }
        let asked = tokio::time::timeout(REST, self.store.backlog()).await;
        let Ok(Ok(backlog)) = asked else { return None };
        *known = Some((Instant::now(), backlog));
        Some(backlog)
    }

    pub(super) fn is_closing(&self) -> bool {
        self.closing.load(Ordering::Acquire)
    }

    /// Ends when the engine rests.
    async fn closed(&self) {
        while !self.is_closing() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    async fn ask(&self, exchange: Exchange) -> Result<Bytes, Fault> {
        Ok(self.chore(Chore::Exchange(exchange)).await?.unwrap_or_default())
    }

    /// Forgets what came so long ago that it does not come again.
    async fn forget_received(&self) {
        let before = microseconds_now().saturating_sub(KEPT);
        self.forget(|| Chore::Exchange(Exchange::Forget { before })).await;
    }
}

impl Line<'_> {
    /// Sends and receives until that has to end. The lease holds until then, unless it is renewed.
    async fn speak(&self, until: i64) -> End {
        let receiving = (0..self.party.receives.len()).map(|at| self.receive(at));
        let mut receiving: FuturesUnordered<_> = receiving.collect();
        tokio::select! {
            end = self.keep(until) => end,
            end = self.relay() => end,
            Some(end) = receiving.next() => end,
        }
    }

    /// Renews the lease, until it is lost.
    async fn keep(&self, mut until: i64) -> End {
        let lease = self.settings.lease;
        let mut tidied = Instant::now();
        let mut renewed = Instant::now();
        loop {
            tokio::time::sleep(self.settings.look.min(lease / 6)).await;
            let now = microseconds_now();
            if now >= until {
                // The database did not answer in time: another may be the one by now.
                return End::Anew;
            }
            if renewed.elapsed() > lease / 3 {
                let wanted = now.saturating_add(microseconds(lease));
                let hold = Exchange::Hold { holder: self.holder, now, until: wanted };
                match self.engine.ask(hold).await.as_deref() {
                    Ok(b"true") => (until, renewed) = (wanted, Instant::now()),
                    Ok(_) => return End::Anew,
                    Err(_) => {}
                }
            }
            if tidied.elapsed() > TIDY {
                tidied = Instant::now();
                self.engine.forget_received().await;
            }
        }
    }
}

/// How long is waited after so many failures.
fn wait(first: Duration, failures: u32) -> Duration {
    let doubled = first.saturating_mul(1 << failures.saturating_sub(1).min(16)).min(LONGEST_WAIT);
    let jitter = random(i64::from(failures), microseconds(doubled / 2));
    doubled + Duration::from_micros(jitter.unsigned_abs())
}

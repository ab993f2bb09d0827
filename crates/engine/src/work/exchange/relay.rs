//! From the database to the broker.

use std::sync::atomic::Ordering;

use broker::BrokerFault;
use operation::Exchange;

use super::{End, Line, Notice, REST, message, wait};

/// How many events are read and sent at once.
const BATCH: u32 = 500;

impl Line<'_> {
    /// Sends what waits, and what is published, until that has to end.
    pub(super) async fn relay(&self) -> End {
        let (engine, counts) = (self.engine, &self.engine.exchanged);
        let mut refusals = 0;
        loop {
            // Here, where all that was sent is noted.
            if engine.is_closing() {
                return End::Rest;
            }
            if engine.loaded().generation != self.loaded.generation {
                return End::Anew;
            }
            // Before looking, so that what comes while nobody waits is not missed.
            let rung = engine.outgoing.notified();
            let Ok(waiting) = engine.store.outgoing(0, BATCH).await else {
                tokio::time::sleep(REST).await;
                continue;
            };
            if waiting.is_empty() {
                // Whichever comes first.
                let _ = tokio::time::timeout(self.settings.look, rung).await;
                continue;
            }
            // An event that is not kept any more cannot be sent, and does not wait.
            let (kept, gone): (Vec<_>, Vec<_>) =
                waiting.into_iter().partition(|outgoing| outgoing.event.is_some());
            let messages: Vec<_> = kept
                .iter()
                .filter_map(|outgoing| outgoing.event.as_ref())
                .map(|event| message::of(&self.loaded, event))
                .collect();
            let outcome = self.broker.send(&messages).await;
            let sent = kept.iter().zip(&outcome.acknowledged).filter(|(_, is)| **is);
            let sent: Vec<i64> = sent.map(|(outgoing, _)| outgoing.number).collect();
            let published = sent.len() as u64;
            counts.published.fetch_add(published, Ordering::Relaxed);
            counts.failed.fetch_add(kept.len() as u64 - published, Ordering::Relaxed);
            let numbers: Vec<i64> =
                sent.into_iter().chain(gone.iter().map(|outgoing| outgoing.number)).collect();
            if !numbers.is_empty() {
                // What cannot be noted is sent again, under the same identifiers.
                while engine.ask(Exchange::Sent { numbers: numbers.clone() }).await.is_err() {
                    tokio::time::sleep(REST).await;
                }
            }
            match outcome.fault {
                None => refusals = 0,
                // Another connection would not help: what is refused waits, and its key with it; the rest goes on.
                Some(fault @ BrokerFault::Refused { .. }) => {
                    if refusals == 0 {
                        (self.settings.tell)(&Notice::Away(fault));
                    }
                    refusals += 1;
                    tokio::time::sleep(wait(self.settings.first_wait, refusals)).await;
                }
                Some(fault) => return End::Fault(fault),
            }
        }
    }
}

//! From the broker to the database: what other systems publish, and starts commands here.
//!
//! What comes is read against the model and written with the tasks of those who hear it in one transaction, which knows it by its
//! source and identifier; only then it is acknowledged. What cannot be read becomes a parked task, and is acknowledged as well: it shall not
//! stand in the way of what comes after it.

use std::sync::atomic::Ordering;

use broker::{Arrived, BrokerFault};
use operation::{
    ARRIVED, Accept, Arrival, Exchange, Fault, Published, Task, Tree, Unreadable, parse_json,
};
use plan::Foreign;
use serde_json::json;

use super::{End, LONGEST_WAIT, Line, Notice, REST};
use crate::run::microseconds_now;
use crate::work::settled;
use crate::{Engine, Loaded};

/// How much is kept of what cannot be read, in bytes.
const KEPT: usize = 64 * 1024;

/// What is kept of what could not be read.
#[derive(serde::Deserialize)]
struct Kept {
    source: Option<String>,
    id: Option<String>,
    data: Option<String>,
}

impl Line<'_> {
    /// Takes in what comes from one address, until that has to end.
    pub(super) async fn receive(&self, at: usize) -> End {
        let Some(foreign) = self.loaded.plan.foreign().nth(at) else {
            return std::future::pending().await;
        };
        let Ok(positions) = self.engine.store.positions().await else {
            tokio::time::sleep(REST).await;
            return End::Anew;
        };
        let position = |name: &str| {
            positions.iter().find(|(known, _)| **known == *name).map(|(_, next)| *next)
        };
        let mut is_told = false;
        loop {
            let arrived = match self.broker.receive(at, &position).await {
                Ok(arrived) if arrived.is_empty() => continue,
                Ok(arrived) => {
                    is_told = false;
                    arrived
                }
                Err(fault @ (BrokerFault::NoPlace { .. } | BrokerFault::Refused { .. })) => {
                    if !is_told {
                        (self.settings.tell)(&Notice::NoPlace(fault));
                    }
                    is_told = true;
                    tokio::time::sleep(LONGEST_WAIT).await;
                    continue;
                }
                Err(fault) => return End::Fault(fault),
            };
            if let Err(end) = self.accept(&foreign, &arrived).await {
                return end;
            }
            self.engine.bell.notify_one();
            if let Err(fault) = self.broker.acknowledge(at, arrived).await {
                return End::Fault(fault);
            }
        }
    }

    /// Writes what has come; all of it in one transaction, unless the database refuses something of it.
    async fn accept(&self, foreign: &Foreign, arrived: &[Arrived]) -> Result<(), End> {
        let Err(fault) = self.write(self.read(foreign, arrived)).await? else { return Ok(()) };
        if let [one] = arrived {
            let accept = Accept {
                unreadable: vec![unreadable(foreign, one, &self.loaded.told(&fault))],
                ..self.read(foreign, &[])
            };
            // What is refused as well comes again.
            return match self.write(accept).await? {
                Ok(()) => Ok(()),
                Err(fault) => Err(End::Fault(BrokerFault::Refused { reason: fault.to_string() })),
            };
        }
        for one in arrived {
            Box::pin(self.accept(foreign, std::slice::from_ref(one))).await?;
        }
        Ok(())
    }

    /// Writes it once the database answers; what it refuses.
    async fn write(&self, accept: Accept) -> Result<Result<(), Fault>, End> {
        let (read, unread) = (accept.arrivals.len() as u64, accept.unreadable.len() as u64);
        loop {
            match self.engine.ask(Exchange::Accept(Box::new(accept.clone()))).await {
                Ok(_) => {
                    let counts = &self.engine.exchanged;
                    counts.received.fetch_add(read, Ordering::Relaxed);
                    counts.unreadable.fetch_add(unread, Ordering::Relaxed);
                    for Unreadable { target, reason, .. } in &accept.unreadable {
                        if let Some(more) = self.engine.troubles.comes(target) {
                            let (target, reason) = (&**target, &**reason);
                            tracing::error!(
                                target,
                                reason,
                                more,
                                "a message cannot be read and is put aside: `mimar events dead` shows it"
                            );
                        }
                    }
                    return Ok(Ok(()));
                }
                Err(Fault::NotFound) => return Err(End::Anew),
                Err(fault) if fault.is_passing() => {
                    tokio::time::sleep(REST).await;
                }
                Err(fault) => return Ok(Err(fault)),
            }
        }
    }

    fn read(&self, foreign: &Foreign, arrived: &[Arrived]) -> Accept {
        let now = microseconds_now();
        let mut accept = Accept { holder: Some(self.holder), now, ..Accept::default() };
        for one in arrived {
            let read = match &one.envelope {
                Ok(envelope) => {
                    let (source, id) = (&envelope.source, &envelope.id);
                    self.loaded.arrival(foreign, source, id, &envelope.data, now)
                }
                Err(reason) => Err(reason.clone()),
            };
            match read {
                Ok(arrival) => accept.arrivals.push(arrival),
                Err(reason) => accept.unreadable.push(unreadable(foreign, one, &reason)),
            }
            if let Some((name, next)) = &one.next {
                accept.positions.retain(|(known, _)| known != name);
                accept.positions.push((name.clone(), *next));
            }
        }
        accept
    }
}

impl Engine {
    /// Reads once more what could not be read, and ends the task.
    pub(in crate::work) async fn receive_again(
        &self,
        loaded: &Loaded,
        task: &Task,
        name: &str,
    ) -> Result<(), Fault> {
        let gone =
            || Fault::Internal(format!("the model hears no `{name}` from a broker any more"));
        let foreign = loaded.plan.foreign().find(|known| *known.name == *name).ok_or_else(gone)?;
        let kept: Kept = serde_json::from_str(&task.arguments)
            .map_err(|error| Fault::Internal(error.to_string()))?;
        let (Some(source), Some(id), Some(data)) = (kept.source, kept.id, kept.data) else {
            let reason = "what came was no event, or too large to be kept: it cannot be read again";
            return Err(Fault::Internal(reason.to_owned()));
        };
        let now = microseconds_now();
        let arrival =
            loaded.arrival(&foreign, &source, &id, &data, now).map_err(Fault::Internal)?;
        let settles = Some(settled(task));
        let accept = Accept { settles, now, arrivals: vec![arrival], ..Accept::default() };
        self.ask(Exchange::Accept(Box::new(accept))).await?;
        self.bell.notify_one();
        Ok(())
    }
}

impl Loaded {
    /// An event of another system, read against the model.
    fn arrival(
        &self,
        foreign: &Foreign,
        source: &str,
        id: &str,
        data: &str,
        now: i64,
    ) -> Result<Arrival, String> {
        let tree: Tree<'_> = parse_json(data.as_bytes())?;
        let (data, key) = self.plan.arrived(foreign.event, &tree, now).map_err(|found| {
            let said = found.iter().map(|it| format!("{}: {}", it.pointer, it.detail));
            said.collect::<Vec<_>>().join("; ")
        })?;
        let event = Published {
            id: uuid::Uuid::now_v7().into_bytes(),
            name: foreign.name.clone(),
            key,
            made: now,
            data,
        };
        let by = self.plan.heard(&foreign.name);
        Ok(Arrival { source: source.into(), id: id.into(), event, by })
    }
}

/// What is kept of what could not be read.
fn unreadable(foreign: &Foreign, arrived: &Arrived, reason: &str) -> Unreadable {
    // A text of PostgreSQL has no such character.
    let clean = |text: &str| text.replace('\0', "\u{fffd}");
    let content = match &arrived.envelope {
        Ok(envelope) if envelope.data.len() <= KEPT => json!({
            "from": foreign.address, "source": envelope.source, "id": envelope.id, "data": clean(&envelope.data)
        }),
        _ => {
            let end = arrived.text.floor_char_boundary(KEPT);
            json!({"from": foreign.address, "text": clean(arrived.text.get(..end).unwrap_or_default())})
        }
    };
    Unreadable {
        target: format!("{ARRIVED}{}", foreign.name).into(),
        content: content.to_string().into(),
        reason: clean(reason).into(),
    }
}

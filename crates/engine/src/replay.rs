//! Events are heard once more, and what failed too often when they were heard is seen to.

use operation::{BROKER, Chore, Fault, FaultCode, Receipt, Violation};
use serde::{Deserialize, Serialize};
pub use store::Parked;
use store::{EventFilter, ParkedFilter};

use crate::run::microseconds_now;
use crate::{Engine, Loaded, Wanted};

/// What is heard once more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Replayed {
    /// How many events.
    pub events: usize,
    /// How much is to be done for them.
    pub tasks: usize,
    /// Behind which number there may be more; none where there are none.
    pub after: Option<i64>,
    /// Up to which number they are heard.
    pub until: i64,
}

impl Engine {
    /// The next of these events behind a number, and up to another, are heard once more by those of the model who hear them; not
    /// by the broker. Under a receipt it is done once: what was answered then, and whether it was.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn replay(
        &self,
        loaded: &Loaded,
        wanted: &Wanted,
        (after, until): (i64, i64),
        most: usize,
        receipt: Option<Box<Receipt>>,
    ) -> Result<(Replayed, bool), Fault> {
        let batch = self.events_after(wanted, after, most).await?;
        // A page also ends before a number that may still come, so it is asked whether anything is left.
        let rest = EventFilter { after: Some(batch.after), limit: 1, ..EventFilter::default() };
        let rest = self.store.events(&rest).await?;
        let is_over = rest.first().is_none_or(|event| event.number > until);
        let events = batch.events.into_iter().filter(|event| event.number <= until);
        let heard = events.map(|event| {
            let mut by = loaded.plan.heard(&event.event.name);
            by.retain(|target| **target != *BROKER);
            (event.event, by)
        });
        let events: Vec<_> = heard.collect();
        let tasks = events.iter().map(|(_, by)| by.len()).sum();
        let after = (!is_over).then_some(batch.after);
        let replayed = Replayed { events: events.len(), tasks, after, until };
        if tasks == 0 && receipt.is_none() {
            return Ok((replayed, false));
        }
        let said = serde_json::to_string(&replayed).unwrap_or_default().into();
        let chore = Chore::Replay { events, now: microseconds_now(), said };
        let (said, again) = self.chore_once(chore, receipt).await?;
        let said = said.as_deref().and_then(|said| serde_json::from_slice(said).ok());
        Ok((said.unwrap_or(replayed), again))
    }

    /// Tasks that failed too often when one of these events was heard, those first that are parked longest. `since` is of when
    /// they were parked; of that very moment those with a number behind `after`.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn dead(
        &self,
        wanted: Wanted,
        after: Option<i64>,
        most: usize,
    ) -> Result<Vec<Parked>, Fault> {
        let Wanted { names, key, since } = wanted;
        let limit = u32::try_from(most).unwrap_or(u32::MAX);
        let filter = ParkedFilter { names, key, since, after, limit, ..ParkedFilter::default() };
        self.store.parked(&filter).await
    }

    /// A parked task that an event of one of these names left is tried again. Under a receipt it is once; whether it was before.
    ///
    /// # Errors
    /// [`Fault::NotFound`] where there is no such task; [`Fault::Conflict`] where it is a message of which nothing could be read;
    /// those of the store.
    pub async fn retry_dead(
        &self,
        names: Vec<String>,
        number: i64,
        receipt: Option<Box<Receipt>>,
    ) -> Result<bool, Fault> {
        let found = match (self.find_dead(names, number).await, receipt.is_some()) {
            // What was tried again may be dead no more.
            (Err(Fault::NotFound), true) => {
                return self.chore_once(Chore::Nothing, receipt).await.map(|(_, again)| again);
            }
            (found, _) => found?,
        };
        if found.is_unreadable() {
            let detail = "what came was no event, or too large to be kept: it cannot be read again; delete it instead";
            return Err(Fault::Conflict(vec![Violation::at(FaultCode::CheckFailed, "", detail)]));
        }
        let now = microseconds_now();
        self.chore_on_one(Chore::Revive { number: Some(number), now }, receipt).await
    }

    /// A parked task that an event of one of these names left is dropped.
    ///
    /// # Errors
    /// [`Fault::NotFound`] where there is no such task; those of the store.
    pub async fn drop_dead(&self, names: Vec<String>, number: i64) -> Result<(), Fault> {
        self.find_dead(names, number).await?;
        self.chore_on_one(Chore::Discard { number }, None).await.map(drop)
    }

    async fn find_dead(&self, names: Vec<String>, number: i64) -> Result<Parked, Fault> {
        let filter =
            ParkedFilter { names, number: Some(number), limit: 1, ..ParkedFilter::default() };
        let found = self.store.parked(&filter).await?;
        found.into_iter().next().ok_or(Fault::NotFound)
    }

    /// Somebody else may have been faster.
    async fn chore_on_one(
        &self,
        chore: Chore,
        receipt: Option<Box<Receipt>>,
    ) -> Result<bool, Fault> {
        let (count, again) = self.chore_once(chore, receipt).await?;
        match count.as_deref() {
            Some(b"0") | None => Err(Fault::NotFound),
            Some(_) => Ok(again),
        }
    }
}

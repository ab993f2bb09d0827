//! Events, read in the order of their numbers, so that none is left out.
//!
//! A number is given out when an event is written and seen when its transaction commits, so on PostgreSQL an event may be seen
//! after one with a greater number. Numbers that are missing between those that were seen are asked for besides, until whoever
//! had them has surely ended.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use operation::{Dialect, Fault, Published, Value};
use store::{Event, EventFilter};

use crate::Engine;
use crate::run::microseconds_now;

/// How long a missing number is asked for: longer than a transaction may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// How many events are read at once.
const BATCH: u32 = 200;

/// How often they are for one page.
const BATCHES: usize = 10;

/// The most missing numbers, the least of which are forgotten.
const MOST: usize = 1_000;

/// What was seen.
#[derive(Debug)]
pub struct Follow {
    last: i64,
    /// Numbers that are missing, and since when.
    missing: BTreeMap<i64, SystemTime>,
    /// Whether anything was seen yet: what is missing before it was there before.
    began: bool,
}

impl Follow {
    /// Follows what comes behind a number.
    pub fn after(last: i64) -> Self {
        Self { last, missing: BTreeMap::new(), began: last > 0 }
    }

    /// What to ask for: all that is behind a number, and these.
    pub fn ask(&mut self, now: SystemTime) -> (i64, Vec<i64>) {
        let is_late =
            |since: &SystemTime| now.duration_since(*since).is_ok_and(|waited| waited > PATIENCE);
        self.missing.retain(|_, since| !is_late(since));
        while self.missing.len() > MOST {
            self.missing.pop_first();
        }
        (self.last, self.missing.keys().copied().collect())
    }

    /// Up to where nothing is missing: whoever goes on behind it has lost nothing, and may see some once more.
    pub fn mark(&self) -> i64 {
        self.missing.keys().next().map_or(self.last, |missing| missing - 1)
    }

    /// Notes the numbers of what came.
    pub fn saw(&mut self, numbers: impl IntoIterator<Item = i64>, now: SystemTime) {
        for number in numbers {
            self.missing.remove(&number);
            if number > self.last {
                if self.began {
                    let first = (self.last + 1).max(number.saturating_sub(MOST as i64));
                    self.missing.extend((first..number).map(|missing| (missing, now)));
                }
                (self.last, self.began) = (number, true);
            }
        }
    }
}

/// Which events are read.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Wanted {
    /// Those of these names, as a store keeps them: none where there are no names.
    pub names: Vec<String>,
    /// Those of this key.
    pub key: Option<String>,
    /// Those published then or later, in microseconds since 1970-01-01T00:00:00Z.
    pub since: Option<i64>,
}

impl Wanted {
    fn has(&self, event: &Published) -> bool {
        self.names.iter().any(|name| **name == *event.name)
            && self.key.as_ref().is_none_or(|key| event.key == Value::text(key.as_str()))
            && self.since.is_none_or(|since| event.made >= since)
    }
}

/// Events, and where to go on.
#[derive(Debug, Clone, PartialEq)]
pub struct Batch {
    /// In the order of their numbers.
    pub events: Vec<Event>,
    /// All that is wanted up to this number is here, or was before.
    pub after: i64,
}

impl Engine {
    /// The number behind which events are that were published at that moment or later.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn events_since(&self, since: i64) -> Result<i64, Fault> {
        let first = EventFilter { since: Some(since), limit: 1, ..EventFilter::default() };
        match self.store.events(&first).await?.first() {
            Some(event) => Ok(event.number - 1),
            None => self.last_event().await,
        }
    }

    /// The number of the last event that was published; 0 if none is kept.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn last_event(&self) -> Result<i64, Fault> {
        let newest = EventFilter { newest: true, limit: 1, ..EventFilter::default() };
        Ok(self.store.events(&newest).await?.first().map_or(0, |event| event.number))
    }

    /// The next of these events behind a number. It ends before a number that is missing and may still come; and after two
    /// thousand events that were looked at, wanted or not.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn events_after(
        &self,
        wanted: &Wanted,
        after: i64,
        most: usize,
    ) -> Result<Batch, Fault> {
        let mut batch = Batch { events: Vec::new(), after };
        // On SQLite one writes at a time: what is missing does not come any more.
        let waits = self.store.dialect() == Dialect::Postgres;
        let patience = i64::try_from(PATIENCE.as_micros()).unwrap_or(i64::MAX);
        for _ in 0..BATCHES {
            let after = Some(batch.after);
            let filter = EventFilter { after, limit: BATCH, ..EventFilter::default() };
            let found = self.store.events(&filter).await?;
            let is_last = found.len() < BATCH as usize;
            let fresh = microseconds_now().saturating_sub(patience);
            for event in found {
                let is_behind_gap = event.number > batch.after + 1;
                if waits && is_behind_gap && event.event.made > fresh {
                    return Ok(batch);
                }
                batch.after = event.number;
                if wanted.has(&event.event) {
                    batch.events.push(event);
                    if batch.events.len() >= most {
                        return Ok(batch);
                    }
                }
            }
            if is_last {
                break;
            }
        }
        Ok(batch)
    }

    /// What has come of these events since they were last asked for: at most two hundred are looked at. Whether there are more.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn follow_events(
        &self,
        wanted: &Wanted,
        follow: &mut Follow,
    ) -> Result<(Vec<Event>, bool), Fault> {
        let now = SystemTime::now();
        let (after, numbers) = follow.ask(now);
        // All of them, so that what is missing between them is known.
        let after = Some(after);
        let filter = EventFilter { after, numbers, limit: BATCH, ..EventFilter::default() };
        let mut events = self.store.events(&filter).await?;
        follow.saw(events.iter().map(|event| event.number), now);
        let more = events.len() >= BATCH as usize;
        events.retain(|event| wanted.has(&event.event));
        Ok((events, more))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_goes_on_behind_the_mark_has_lost_nothing() {
        let begin = SystemTime::UNIX_EPOCH;
        let mut follow = Follow::after(3);
        assert_eq!(follow.mark(), 3);
        follow.saw([4, 7], begin);
        assert_eq!(follow.mark(), 4);
        follow.saw([5], begin);
        assert_eq!(follow.mark(), 5);
        follow.saw([6], begin);
        assert_eq!(follow.mark(), 7);
    }

    #[test]
    fn what_is_seen_late_is_asked_for() {
        let begin = SystemTime::UNIX_EPOCH;
        let mut follow = Follow::after(3);
        assert_eq!(follow.ask(begin), (3, vec![]));
        follow.saw([4, 7], begin);
        assert_eq!(follow.ask(begin), (7, vec![5, 6]));
        follow.saw([6, 8], begin + PATIENCE / 2);
        assert_eq!(follow.ask(begin + PATIENCE), (8, vec![5]));
        follow.saw([10], begin + PATIENCE);
        assert_eq!(follow.ask(begin + PATIENCE * 3 / 2), (10, vec![9]));
        assert_eq!(follow.ask(begin + PATIENCE * 3), (10, vec![]));
    }

    #[test]
    fn what_was_before_is_not_missing() {
        let begin = SystemTime::UNIX_EPOCH;
        let mut follow = Follow::after(0);
        follow.saw([100, 102], begin);
        assert_eq!(follow.ask(begin), (102, vec![101]));
        follow.saw([1_000_000], begin);
        assert_eq!(follow.ask(begin).1.len(), MOST);
    }
}

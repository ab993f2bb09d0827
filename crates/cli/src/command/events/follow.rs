//! Which events to ask for next, so that none is left out.
//!
//! A number is given out when an event is written and seen when its transaction commits, so on PostgreSQL an event may be seen
//! after one with a greater number. Numbers that are missing between those that were seen are asked for besides, until whoever
//! had them has surely ended.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

/// How long a missing number is asked for: longer than a transaction may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// The most missing numbers, the least of which are forgotten.
const MOST: usize = 1_000;

/// What was seen.
#[derive(Debug)]
pub(super) struct Follow {
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

#[cfg(test)]
mod tests {
    use super::*;

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

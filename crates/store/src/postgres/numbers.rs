//! Numbers of counted keys, drawn before they are needed: where one is at hand, a command that makes a row waits for none.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use operation::Ident;
use parking_lot::Mutex;
use rustc_hash::FxHashMap;

/// How many are drawn at once, at most: as many are passed over when a server ends.
const MOST: usize = 64;

/// Who needed none for so long draws one: gaps are for those who are in a hurry.
const IDLE: Duration = Duration::from_secs(60);

/// By the table that they are for.
#[derive(Debug, Default)]
pub(super) struct Numbers(Mutex<FxHashMap<Ident, Ahead>>);

#[derive(Debug)]
struct Ahead {
    waiting: BTreeSet<i64>,
    /// How many were drawn last, and when.
    many: usize,
    drawn: Instant,
}

impl Numbers {
    /// The least that is at hand.
    pub fn take(&self, table: &Ident) -> Option<i64> {
        self.0.lock().get_mut(table)?.waiting.pop_first()
    }

    /// How many are drawn now: twice as many as before, where that is not long ago.
    pub fn wanted(&self, table: &Ident) -> usize {
        match self.0.lock().get(table) {
            Some(ahead) if ahead.drawn.elapsed() < IDLE => (ahead.many * 2).min(MOST),
            _ => 1,
        }
    }

    /// Keeps what was drawn.
    pub fn keep(&self, table: &Ident, drawn: &[i64]) {
        let mut tables = self.0.lock();
        let none = || Ahead { waiting: BTreeSet::new(), many: 1, drawn: Instant::now() };
        let ahead = tables.entry(table.clone()).or_insert_with(none);
        ahead.waiting.extend(drawn);
        (ahead.many, ahead.drawn) = (drawn.len(), Instant::now());
    }

    /// Takes back what a transaction did not need after all.
    pub fn give_back(&self, taken: &[(Ident, i64)]) {
        let mut tables = self.0.lock();
        for (table, number) in taken {
            if let Some(ahead) = tables.get_mut(table) {
                ahead.waiting.insert(*number);
            }
        }
    }

    /// Lets go of what is at hand for these tables: somebody may have used it, by loading rows under numbers of their own.
    pub fn forget(&self, taken: &[(Ident, i64)]) {
        let mut tables = self.0.lock();
        for (table, _) in taken {
            if let Some(ahead) = tables.get_mut(table) {
                ahead.waiting.clear();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_in_order_and_twice_as_many_each_time() {
        let (numbers, table) = (Numbers::default(), Ident::fit("ticket"));
        let (mut sequence, mut drawn, mut taken) = (0_i64.., Vec::new(), Vec::new());
        for _ in 0..300 {
            let number = numbers.take(&table).or_else(|| {
                let many = numbers.wanted(&table);
                drawn.push(many);
                numbers.keep(&table, &sequence.by_ref().take(many).collect::<Vec<_>>());
                numbers.take(&table)
            });
            taken.extend(number);
        }
        assert_eq!(taken, (0..300).collect::<Vec<_>>());
        assert_eq!(drawn, [1, 2, 4, 8, 16, 32, 64, 64, 64, 64]);
        numbers.give_back(&[(table.clone(), 7), (table.clone(), 3)]);
        assert_eq!((numbers.take(&table), numbers.take(&table)), (Some(3), Some(7)));
        numbers.forget(&[(table.clone(), 3)]);
        assert_eq!(numbers.take(&table), None);
    }
}

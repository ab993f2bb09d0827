//! Chance that can be repeated.

use std::time::{SystemTime, UNIX_EPOCH};

/// A generator of numbers (SplitMix64): small, fast and good enough to shuffle tests with.
#[derive(Debug, Clone)]
pub(crate) struct Random(u64);

impl Random {
    /// From `MIMAR_SEED`, or from the clock; the seed is printed, so that a failure can be repeated.
    pub(crate) fn seeded(test: &str) -> Self {
        let seed = std::env::var("MIMAR_SEED").ok().and_then(|seed| seed.parse().ok());
        let seed = seed.unwrap_or_else(|| {
            let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
            u64::from(since.subsec_nanos()) ^ since.as_secs()
        });
        eprintln!("{test}: MIMAR_SEED={seed}");
        Self(seed)
    }

    /// Another one, for another thread.
    pub(crate) fn split(&mut self) -> Self {
        Self(self.next())
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    /// One of them.
    pub(crate) fn pick<'a, T>(&mut self, choices: &'a [T]) -> &'a T {
        &choices[self.below(choices.len() as u64) as usize]
    }
}

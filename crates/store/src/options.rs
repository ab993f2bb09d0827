//! Settings of a store.

use std::time::Duration;

/// Settings of a store. Each has bounds; a value outside is moved to the nearest bound by [`Options::bounded`],
/// which opening a store does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Writes that may wait for the writer, 1 to 1,000,000. Past it a write is refused as overloaded.
    pub queue: usize,
    /// Writes that one commit may carry, 1 to 1,024.
    pub batch: usize,
    /// How long a commit waits for company, 0 to 10 ms; only while reads run, with which it shares the processors, and
    /// anybody of [`crate::Workers`] does.
    pub wait: Duration,
    /// Memory for kept answers in bytes, 0 (none are kept) to 64 GiB.
    pub answers: u64,
    /// Page cache of one connection in KiB, 64 to 4 GiB; the one that writes has four times as much, and nothing mapped.
    pub page_cache_kib: u32,
    /// How much of the file is mapped into memory in bytes for who reads, 0 to 2,147,418,112 (SQLite's own limit).
    pub mapped: u64,
    /// Prepared reads that one connection keeps, 8 to 100,000; on PostgreSQL as many more for those that go together.
    pub statements: usize,
    /// How long one read may take, 10 ms to 1 h.
    pub deadline: Duration,
    /// How long to wait for a lock that another process holds, 0 to 1 min.
    pub lock_wait: Duration,
    /// Size of the write-ahead log in bytes at which the background checkpoint runs, 64 KiB to 1 GiB; half of it where
    /// nothing is read meanwhile.
    pub checkpoint: u64,
    /// Size of the write-ahead log in bytes at which the writer itself empties it, twice `checkpoint` at least.
    pub log_limit: u64,
    /// Whether an SQLite file whose tables others made is opened as well; otherwise nothing is written to it.
    pub adopt: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            queue: 1_024,
            batch: 64,
            wait: Duration::from_millis(4),
            answers: 64 << 20,
            page_cache_kib: 8 << 10,
            mapped: 256 << 20,
            statements: 256,
            deadline: Duration::from_secs(5),
            lock_wait: Duration::from_secs(5),
            checkpoint: 16 << 20,
            log_limit: 128 << 20,
            adopt: false,
        }
    }
}

impl Options {
    /// The same settings, each within its bounds.
    #[must_use]
    pub fn bounded(self) -> Self {
        let checkpoint = self.checkpoint.clamp(64 << 10, 1 << 30);
        Self {
            queue: self.queue.clamp(1, 1_000_000),
            batch: self.batch.clamp(1, 1_024),
            wait: self.wait.min(Duration::from_millis(10)),
            answers: self.answers.min(64 << 30),
            page_cache_kib: self.page_cache_kib.clamp(64, 4 << 20),
            mapped: self.mapped.min(2_147_418_112),
            statements: self.statements.clamp(8, 100_000),
            deadline: self.deadline.clamp(Duration::from_millis(10), Duration::from_secs(3_600)),
            lock_wait: self.lock_wait.min(Duration::from_secs(60)),
            checkpoint,
            log_limit: self.log_limit.clamp(checkpoint * 2, 64 << 30),
            adopt: self.adopt,
        }
    }
}

//! Readers: what each thread reads with, and what the writer may take from it.

use std::cell::RefCell;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::time::Duration;

use operation::{Fault, Read, Value};
use parking_lot::Mutex;
use rusqlite::Connection;

use super::Shared;
use super::snapshot::Snapshot;
use crate::Rows;
use crate::lower::Statement;

/// What a thread reads one store with. The thread alone reads with it; the writer's threads may take its snapshots
/// away between two reads, so that the log can be emptied.
///
/// A new snapshot costs SQLite its page cache and its mapping of the file, so the thread stays with one for as long
/// as it answers nearly everything, and has a second connection for what it can't answer any more.
pub(crate) struct Reader {
    lasting: Snapshot,
    /// Opened when first needed: without writes it never is.
    fresh: Option<Snapshot>,
    generation: u64,
    /// Whether anything was read since somebody looked.
    used: bool,
}

/// So many reads are answered by the second connection before the first takes a new snapshot. Each costs about twice
/// what it would otherwise; a new snapshot makes the next few hundred cost more.
const STRAYS: u32 = 128;

/// How long a read under way is waited for.
const PATIENCE: Duration = Duration::from_millis(10);

/// The readers of a store, as its writer sees them.
#[derive(Default)]
pub(crate) struct Readers(Mutex<Vec<Weak<Mutex<Reader>>>>);

/// Which snapshots are taken away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Whose {
    /// Those that a commit has made old.
    Old,
    /// Those from which nothing was read since the last look.
    Idle,
    /// All.
    All,
}

impl std::fmt::Debug for Readers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Readers").field(&self.0.lock().len()).finish()
    }
}

impl Readers {
    /// Takes snapshots away. A read under way is waited for only where all are to go, and no longer than it takes
    /// to answer most.
    pub fn release(&self, whose: Whose, committed: u64) {
        self.0.lock().retain(|reader| {
            let Some(reader) = reader.upgrade() else { return false };
            let patience = if whose == Whose::All { PATIENCE } else { Duration::ZERO };
            if let Some(mut reader) = reader.try_lock_for(patience) {
                let used = std::mem::replace(&mut reader.used, false);
                for snapshot in reader.snapshots() {
                    let wanted = match whose {
                        Whose::Old => snapshot.sequence() != committed,
                        Whose::Idle => !used,
                        Whose::All => true,
                    };
                    if wanted {
                        // What cannot be ended now is ended by the next read, or shows itself there.
                        let _ = snapshot.end();
                    }
                }
            }
            true
        });
    }
}

impl Reader {
    fn connect(shared: &Shared) -> Result<Self, Fault> {
        Ok(Self {
            lasting: Snapshot::connect(shared, shared.options.mapped)?,
            fresh: None,
            generation: shared.generation.load(Ordering::Acquire),
            used: false,
        })
    }

    /// Answers a read with all that was acknowledged before, and keeps the answer if `keep` says that it may pay.
    pub fn read(
        &mut self,
        shared: &Shared,
        read: &Read,
        binds: &[Value],
        keep: bool,
    ) -> Result<Rows, Fault> {
        // Taken before any snapshot: that may be newer than its number, never older.
        let sequence = shared.answers.committed();
        if !shared.reading.load(Ordering::Relaxed) {
            shared.reading.store(true, Ordering::Relaxed);
        }
        let Self { lasting, fresh, .. } = self;
        if lasting.is_open() && lasting.sequence() != sequence {
            if let Some(rows) = lasting.recall(shared, read, binds, keep)? {
                return Ok(rows);
            }
            if lasting.strays() < STRAYS {
                let fresh = match fresh {
                    Some(fresh) => fresh,
                    // It never lasts, so nothing is mapped for it.
                    None => fresh.insert(Snapshot::connect(shared, 0)?),
                };
                return fresh.read(shared, sequence, read, binds, keep);
            }
        }
        if !lasting.is_open() || lasting.sequence() != sequence {
            shared.counts.snapshots.fetch_add(1, Ordering::Relaxed);
        }
        lasting.read(shared, sequence, read, binds, keep)
    }

    /// Executes a statement that only reads, over what is stored now.
    pub fn ask(
        &mut self,
        statement: &Statement,
        values: &[Value],
    ) -> Result<Vec<Vec<Value>>, Fault> {
        self.lasting.ask(statement, values)
    }

    /// Whether the database answers.
    pub fn ping(&mut self) -> Result<(), Fault> {
        self.lasting.ping()
    }

    /// A read begins: its time is counted from now.
    fn start(&mut self) {
        self.used = true;
        self.snapshots().for_each(|snapshot| snapshot.start());
    }

    fn snapshots(&mut self) -> impl Iterator<Item = &mut Snapshot> {
        std::iter::once(&mut self.lasting).chain(&mut self.fresh)
    }
}

/// A store, and a thread's reader of it.
type Own = (Weak<Shared>, Arc<Mutex<Reader>>);

thread_local! {
    static READERS: RefCell<Vec<Own>> = const { RefCell::new(Vec::new()) };
}

/// Runs something on this thread's reader.
pub(crate) fn with_reader<T>(
    shared: &Arc<Shared>,
    action: impl FnOnce(&mut Reader) -> Result<T, Fault>,
) -> Result<T, Fault> {
    READERS.with(|readers| {
        let mut readers = readers
            .try_borrow_mut()
            .map_err(|_| Fault::Internal("a read inside a read".to_owned()))?;
        let known =
            readers.iter().position(|(store, _)| std::ptr::eq(store.as_ptr(), Arc::as_ptr(shared)));
        let at = match known {
            Some(at) => at,
            None => {
                // Connections of stores that are gone go with the next new one.
                readers.retain(|(store, _)| store.strong_count() > 0);
                let reader = Arc::new(Mutex::new(Reader::connect(shared)?));
                shared.readers.0.lock().push(Arc::downgrade(&reader));
                readers.push((Arc::downgrade(shared), reader));
                readers.len() - 1
            }
        };
        let Some((_, reader)) = readers.get(at) else {
            return Err(Fault::Internal("a connection went missing".to_owned()));
        };
        // Nobody else holds it for longer than it takes to end a snapshot.
        let mut reader = reader.lock();
        reader.start();
        let generation = shared.generation.load(Ordering::Acquire);
        if std::mem::replace(&mut reader.generation, generation) != generation {
            // What is prepared for the new tables must not be tried in a snapshot of the old ones.
            reader.snapshots().try_for_each(Snapshot::forget)?;
        }
        action(&mut reader)
    })
}

/// Runs something that reads at length on this thread's connection, with a snapshot of its own.
pub(crate) fn with_connection<T>(
    shared: &Arc<Shared>,
    action: impl FnOnce(&Connection) -> Result<T, crate::StoreFault>,
) -> Result<T, crate::StoreFault> {
    let outcome = with_reader(shared, |reader| Ok(action(reader.lasting.bare()?)));
    outcome.unwrap_or_else(|fault| Err(crate::StoreFault::Database { reason: fault.to_string() }))
}

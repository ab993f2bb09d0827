//! A connection that reads, and the snapshot that it has open.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use operation::{Fault, Read, Value};
use rusqlite::Connection;

use super::connection::{fault_of, open_reading};
use super::read::Reads;
use super::{Shared, session};
use crate::lower::Statement;
use crate::{Options, Rows};

/// A connection with a read transaction that stays open from one read to the next.
pub(crate) struct Snapshot {
    connection: Connection,
    reads: Reads,
    /// The commit sequence when it was taken; it may be newer, never older.
    sequence: u64,
    /// Bytes of the file to map while snapshots last.
    mappable: u64,
    /// Whether the file is mapped.
    mapped: bool,
    /// Reads from this one.
    count: u32,
    /// Reads that it could not answer any more.
    strays: u32,
    /// When the running read began, in nanoseconds since the connection was opened; 0 until anybody looks.
    started: Arc<AtomicU64>,
}

/// After this many reads from one snapshot the file is mapped, and so it is from the start if the snapshot before
/// lasted as long.
const LASTING: u32 = 256;

impl Snapshot {
    /// Opens a connection; of the file `mappable` bytes are mapped while a snapshot lasts.
    pub fn connect(shared: &Shared, mappable: u64) -> Result<Self, Fault> {
        let options = Options { mapped: mappable, ..shared.options.clone() };
        let mut connection = open_reading(&shared.path, &options)?;
        let started = Arc::new(AtomicU64::new(0));
        limit_time(&mut connection, options.deadline, started.clone())
            .map_err(|error| fault_of(&error))?;
        Ok(Self {
            connection,
            reads: Reads::new(options.statements),
            sequence: shared.answers.committed(),
            mappable,
            mapped: mappable > 0,
            count: 0,
            strays: 0,
            started,
        })
    }

    /// A read begins: its time is counted from now.
    pub fn start(&self) {
        self.started.store(0, Ordering::Relaxed);
    }

    /// Whether there is one at present.
    pub fn is_open(&self) -> bool {
        !self.connection.is_autocommit()
    }

    /// The commit that it is as new as.
    pub fn sequence(&self) -> u64 {
        self.sequence
    }

    /// The connection itself, with no snapshot open.
    pub fn bare(&mut self) -> Result<&Connection, Fault> {
        self.end().map_err(|error| fault_of(&error))?;
        Ok(&self.connection)
    }

    /// What it says, if that holds although others have committed since: no commit has touched a slot of the answer
    /// (see [`crate::cache`]).
    pub fn recall(
        &mut self,
        shared: &Shared,
        read: &Read,
        binds: &[Value],
        keep: bool,
    ) -> Result<Option<Rows>, Fault> {
        let Self { connection, reads, sequence, .. } = self;
        let answers = &shared.answers;
        // Where none of its tables was touched since, it is as good as new.
        let untouched = reads.untouched(read, answers, *sequence);
        let rows = reads.read(connection, read, binds, keep || !untouched);
        // A failure may come of what has changed since, before its slot was gathered: then it is not believed.
        if !untouched && (rows.is_err() || !answers.unmoved(reads.slots(), *sequence)) {
            self.strays = self.strays.saturating_add(1);
            return Ok(None);
        }
        let rows = rows?;
        if keep {
            answers.keep(read.id, binds, &rows, reads.slots(), *sequence);
        }
        self.count().map_err(|error| fault_of(&error))?;
        Ok(Some(rows))
    }

    /// How many reads it could not answer any more.
    pub fn strays(&self) -> u32 {
        self.strays
    }

    /// Reads with all that was committed up to `sequence`.
    pub fn read(
        &mut self,
        shared: &Shared,
        sequence: u64,
        read: &Read,
        binds: &[Value],
        keep: bool,
    ) -> Result<Rows, Fault> {
        self.refresh(sequence).map_err(|error| fault_of(&error))?;
        let Self { connection, reads, .. } = self;
        let rows = reads.read(connection, read, binds, keep)?;
        if keep {
            shared.answers.keep(read.id, binds, &rows, reads.slots(), sequence);
        }
        Ok(rows)
    }

    /// Makes sure that the next read sees everything up to the commit `sequence`, at the least cost.
    ///
    /// Two system calls take a snapshot and give it back, more than the look-up of a row costs, so it is kept from
    /// one read to the next. And each new snapshot makes SQLite give up its mapping of the file, which costs more
    /// to set up again than the few pages of a read cost to copy: while snapshots change often, pages are copied.
    fn refresh(&mut self, sequence: u64) -> rusqlite::Result<()> {
        if self.sequence == sequence {
            self.count()?;
        } else {
            self.end()?;
            let lasted = self.count >= LASTING;
            (self.sequence, self.count, self.strays) = (sequence, 0, 0);
            self.map(lasted)?;
        }
        if !self.is_open() {
            self.connection.prepare_cached("BEGIN")?.execute([])?;
        }
        Ok(())
    }

    /// Counts a read, and maps the file once the snapshot has lasted for a while.
    fn count(&mut self) -> rusqlite::Result<()> {
        self.count = self.count.saturating_add(1);
        if self.count == LASTING && !self.mapped && self.mappable > 0 {
            self.end()?;
            self.map(true)?;
        }
        Ok(())
    }

    fn map(&mut self, mapped: bool) -> rusqlite::Result<()> {
        if self.mapped == mapped || self.mappable == 0 {
            return Ok(());
        }
        self.mapped = mapped;
        let bytes = if mapped { self.mappable } else { 0 };
        let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
        self.connection.pragma_update_and_check(None, "mmap_size", bytes, |_| Ok(()))
    }

    /// Gives the snapshot back.
    pub fn end(&mut self) -> rusqlite::Result<()> {
        if self.is_open() {
            self.connection.prepare_cached("COMMIT")?.execute([])?;
        }
        Ok(())
    }

    /// Gives the snapshot back and forgets how reads are done: the tables are others now.
    pub fn forget(&mut self) -> Result<(), Fault> {
        self.end().map_err(|error| fault_of(&error))?;
        self.reads.clear(&self.connection);
        Ok(())
    }

    /// Executes a statement that only reads, over what is stored now.
    pub fn ask(
        &mut self,
        statement: &Statement,
        values: &[Value],
    ) -> Result<Vec<Vec<Value>>, Fault> {
        session::ask(self.bare()?, statement, values)
    }

    /// Whether the database answers.
    pub fn ping(&self) -> Result<(), Fault> {
        let answer =
            self.connection.query_row("SELECT 1 FROM sqlite_schema LIMIT 1", [], |_| Ok(()));
        match answer {
            Ok(()) | Err(rusqlite::Error::QueryReturnedNoRows) => Ok(()),
            Err(error) => Err(fault_of(&error)),
        }
    }
}

/// Ends a statement that runs longer than `deadline`. The clock is first read when a statement has worked for a
/// while, so that short ones never pay for it.
pub(crate) fn limit_time(
    connection: &mut Connection,
    deadline: Duration,
    started: Arc<AtomicU64>,
) -> rusqlite::Result<()> {
    let opened = Instant::now();
    let deadline = u64::try_from(deadline.as_nanos()).unwrap_or(u64::MAX);
    let handler = move || {
        let now = u64::try_from(opened.elapsed().as_nanos()).unwrap_or(u64::MAX).max(1);
        match started.load(Ordering::Relaxed) {
            0 => {
                started.store(now, Ordering::Relaxed);
                false
            }
            began => now.saturating_sub(began) > deadline,
        }
    };
    connection.progress_handler(INSTRUCTIONS, Some(handler))
}

/// SQLite looks at the clock each time it has run this many instructions, about half a millisecond.
const INSTRUCTIONS: i32 = 20_000;

//! The one thread that writes. What has queued while the last commit ran is the next commit, so that one
//! flush of the disk carries many requests; each is answered after its commit.
//!
//! A request of one statement needs no savepoint: a statement that fails leaves nothing behind by itself.

use std::collections::VecDeque;
use std::fs::File;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};
use rusqlite::{Connection, ErrorCode, OpenFlags, Statement, ffi};
use tokio::sync::oneshot;

use super::Shared;
use crate::fault::{Doing as _, Fault};
use crate::http::{Change, Line, Refusal, order_placed};

/// Requests that may wait; past it a request is turned away at once.
const BOUND: usize = 8_192;
/// Pages in the write-ahead log that call the checkpointing thread: 4 MB.
const CHECKPOINT_AT: i32 = 1_000;
/// Pages in the write-ahead log at which the writer itself makes it start anew: 128 MB.
const RESTART_AT: i32 = 32_000;
/// A batch that is this full is not waited for any longer.
const FULL_ENOUGH: usize = 16;

/// What came of a change: what an order costs in all, if it is one that was placed.
type Done = Result<i64, Refusal>;

struct Job {
    change: Change,
    reply: oneshot::Sender<Done>,
}

/// Requests that wait for the writer.
#[derive(Default)]
pub(super) struct Queue {
    jobs: Mutex<VecDeque<Job>>,
    arrived: Condvar,
    stopping: AtomicBool,
}

impl Queue {
    /// Has `change` made; answers after its commit.
    pub(super) async fn submit(&self, change: Change) -> Done {
        let (reply, answer) = oneshot::channel();
        {
            let mut jobs = self.jobs.lock();
            if jobs.len() >= BOUND || self.stopping.load(Ordering::Relaxed) {
                return Err(Refusal::Busy);
            }
            jobs.push_back(Job { change, reply });
        }
        self.arrived.notify_one();
        answer.await.unwrap_or(Err(Refusal::Failed))
    }

    /// Moves what waits into `batch` up to `limit`; waits for the first until `stopping`.
    fn take(&self, batch: &mut Vec<Job>, limit: usize) -> bool {
        let mut jobs = self.jobs.lock();
        while jobs.is_empty() {
            if self.stopping.load(Ordering::Relaxed) {
                return false;
            }
            self.arrived.wait(&mut jobs);
        }
        let count = jobs.len().min(limit);
        batch.extend(jobs.drain(..count));
        true
    }

    /// Moves what has come meanwhile into `batch`, until it holds `enough` or `deadline` has passed.
    fn take_more(&self, batch: &mut Vec<Job>, enough: usize, limit: usize, deadline: Instant) {
        let mut jobs = self.jobs.lock();
        while batch.len() + jobs.len() < enough
            && !self.arrived.wait_until(&mut jobs, deadline).timed_out()
        {}
        let count = jobs.len().min(limit - batch.len());
        batch.extend(jobs.drain(..count));
    }
}

/// The writing and the checkpointing thread.
pub(super) struct Writer {
    writing: JoinHandle<()>,
    checkpointing: JoinHandle<()>,
}

impl Writer {
    /// Lets the writer finish what waits, then ends both threads.
    pub(super) fn stop(self, shared: &Shared) {
        {
            let _jobs = shared.queue.jobs.lock();
            shared.queue.stopping.store(true, Ordering::Relaxed);
        }
        shared.queue.arrived.notify_one();
        self.checkpointing.thread().unpark();
        // A thread that panicked has nothing left to finish.
        let _ = self.writing.join();
        let _ = self.checkpointing.join();
    }
}

/// Starts both threads; each opens its own connection first, so a database that cannot be opened is told here.
pub(super) fn start(
    shared: Arc<Shared>,
    batch: usize,
    patience: Duration,
) -> Result<Writer, Fault> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE;
    let mut connection = super::open(&shared, flags)?;
    connection.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(()))?;
    let checkpointer = super::open(&shared, flags)?;
    // Open as long as the threads run: closing it would take SQLite's locks of the file away.
    let file = File::open(&shared.database).doing("opening the database")?;

    let pages = Arc::new(AtomicI32::new(0));
    let stop = Arc::clone(&shared);
    let hook_pages = Arc::clone(&pages);
    connection.wal_hook(Some(move |_: &mut rusqlite::hooks::Wal, count: i32| {
        hook_pages.store(count, Ordering::Relaxed);
        Ok(())
    }))?;
    let seen_pages = Arc::clone(&pages);
    let checkpointing = std::thread::Builder::new()
        .name("checkpoint".into())
        .spawn(move || {
            let mut flushed_at = 0;
            while !stop.queue.stopping.load(Ordering::Relaxed) {
                std::thread::park();
                let count = seen_pages.load(Ordering::Relaxed);
                if count >= CHECKPOINT_AT {
                    checkpoint(&checkpointer, "PASSIVE");
                    // SQLite leaves that to the checkpoint after which the log begins anew, while the writer waits.
                    if count < flushed_at {
                        flushed_at = 0;
                    }
                    if count >= RESTART_AT / 4 * 3 || count - flushed_at >= RESTART_AT / 4 {
                        flushed_at = count;
                        let _ = file.sync_data();
                    }
                }
            }
        })
        .doing("starting the checkpointing thread")?;
    let wake = checkpointing.thread().clone();
    let writing = std::thread::Builder::new()
        .name("writer".into())
        .spawn(move || {
            let limit = batch.max(1);
            // Without statements nothing can be written: those who wait are told by their dropped reply.
            if let Ok(mut statements) = Statements::prepare(&connection) {
                let mut jobs = Vec::with_capacity(limit);
                let mut checkpointed_at = 0;
                while shared.queue.take(&mut jobs, limit) {
                    let reads_run = shared.refreshed.swap(false, Ordering::Relaxed);
                    let enough = FULL_ENOUGH.min(limit);
                    if reads_run && !patience.is_zero() && jobs.len() < enough {
                        shared.queue.take_more(&mut jobs, enough, limit, Instant::now() + patience);
                    }
                    let outcomes = statements.run(&jobs);
                    shared.commits.fetch_add(1, Ordering::Release);
                    for (job, outcome) in jobs.drain(..).zip(outcomes) {
                        // Whoever has gone away needs no answer.
                        let _ = job.reply.send(outcome);
                    }
                    let count = pages.load(Ordering::Relaxed);
                    if count < checkpointed_at {
                        checkpointed_at = 0;
                    }
                    if count >= RESTART_AT {
                        checkpoint(&connection, "RESTART");
                        pages.store(0, Ordering::Relaxed);
                    } else if count - checkpointed_at >= CHECKPOINT_AT {
                        checkpointed_at = count;
                        wake.unpark();
                    }
                }
            }
            checkpoint(&connection, "TRUNCATE");
        })
        .doing("starting the writer")?;
    Ok(Writer { writing, checkpointing })
}

/// Moves pages of the write-ahead log into the database; what stays behind is moved the next time.
fn checkpoint(connection: &Connection, mode: &'static str) {
    let statement = match mode {
        "PASSIVE" => "PRAGMA wal_checkpoint(PASSIVE)",
        "RESTART" => "PRAGMA wal_checkpoint(RESTART)",
        _ => "PRAGMA wal_checkpoint(TRUNCATE)",
    };
    let _ = connection.query_row(statement, [], |_| Ok(()));
}

struct Statements<'connection> {
    connection: &'connection Connection,
    begin: Statement<'connection>,
    commit: Statement<'connection>,
    savepoint: Statement<'connection>,
    release: Statement<'connection>,
    undo: Statement<'connection>,
    product: Statement<'connection>,
    order: Statement<'connection>,
    line: Statement<'connection>,
    /// The same for a caller who may name live products only: no row where it may not.
    live_line: Statement<'connection>,
    /// Takes pieces of a live product, if there are enough; gives its price.
    take: Statement<'connection>,
    is_live: Statement<'connection>,
    event: Statement<'connection>,
}

impl<'connection> Statements<'connection> {
    fn prepare(connection: &'connection Connection) -> rusqlite::Result<Self> {
        Ok(Statements {
            connection,
            begin: connection.prepare("BEGIN IMMEDIATE")?,
            commit: connection.prepare("COMMIT")?,
            savepoint: connection.prepare("SAVEPOINT request")?,
            release: connection.prepare("RELEASE request")?,
            undo: connection.prepare("ROLLBACK TO request")?,
            product: connection.prepare(
                "INSERT INTO product (sku, name, price, stock, state) VALUES (?1, ?2, ?3, ?4, ?5)",
            )?,
            order: connection.prepare(
                r#"INSERT INTO "order" (id, customer, status, total, placed)
                   VALUES (?1, ?2, 'pending', ?3, ?4)"#,
            )?,
            line: connection.prepare(
                r#"INSERT INTO line ("order", position, product, quantity, price)
                   VALUES (?1, ?2, ?3, ?4, ?5)"#,
            )?,
            live_line: connection.prepare(
                r#"INSERT INTO line ("order", position, product, quantity, price)
                   SELECT ?1, ?2, sku, ?4, ?5 FROM product WHERE sku = ?3 AND state = 'live'"#,
            )?,
            take: connection.prepare(
                "UPDATE product SET stock = stock - ?2, row_version = row_version + 1
                 WHERE sku = ?1 AND stock >= ?2 AND state = 'live' RETURNING price",
            )?,
            is_live: connection
                .prepare("SELECT 1 FROM product WHERE sku = ?1 AND state = 'live'")?,
            event: connection.prepare(
                "INSERT INTO event (id, name, key, made, data) VALUES (?1, 'OrderPlaced', ?2, ?3, ?4)",
            )?,
        })
    }

    /// Makes all changes in one transaction; one that is refused leaves its neighbours alone.
    fn run(&mut self, jobs: &[Job]) -> Vec<Done> {
        if self.begin.raw_execute().is_err() {
            return vec![Err(Refusal::Failed); jobs.len()];
        }
        let mut outcomes = Vec::with_capacity(jobs.len());
        for job in jobs {
            let outcome = self.apply(&job.change);
            outcomes.push(outcome);
            // A full disk ends the whole transaction: then nothing of it stands.
            if outcome == Err(Refusal::Failed) && self.connection.is_autocommit() {
                return vec![Err(Refusal::Failed); jobs.len()];
            }
        }
        if self.commit.raw_execute().is_err() {
            let _ = self.connection.execute_batch("ROLLBACK");
            return vec![Err(Refusal::Failed); jobs.len()];
        }
        outcomes
    }

    fn apply(&mut self, change: &Change) -> Done {
        match change {
            Change::Product { sku, name, price, stock, state } => {
                self.make_product(sku, name, *price, *stock, state).map(|()| 0).map_err(refusal)
            }
            Change::Order { .. } | Change::Basket { .. } => {
                self.savepoint.raw_execute().map_err(refusal)?;
                let made = match change {
                    Change::Basket { id, customer, placed, lines } => {
                        self.place_order(id, customer, *placed, lines)
                    }
                    _ => self.make_order(change),
                };
                if made.is_err() && !self.connection.is_autocommit() {
                    self.undo.raw_execute().map_err(refusal)?;
                }
                if !self.connection.is_autocommit() {
                    self.release.raw_execute().map_err(refusal)?;
                }
                made
            }
        }
    }

    fn make_product(
        &mut self,
        sku: &str,
        name: &str,
        price: i64,
        stock: i64,
        state: &str,
    ) -> rusqlite::Result<()> {
        self.product.raw_bind_parameter(1, sku)?;
        self.product.raw_bind_parameter(2, name)?;
        self.product.raw_bind_parameter(3, price)?;
        self.product.raw_bind_parameter(4, stock)?;
        self.product.raw_bind_parameter(5, state)?;
        self.product.raw_execute()?;
        Ok(())
    }

    fn make_order(&mut self, change: &Change) -> Done {
        let Change::Order { id, customer, total, placed, lines, sees_all } = change else {
            return Err(Refusal::Failed);
        };
        self.make_order_row(id, customer, *total, *placed).map_err(refusal)?;
        let insert = if *sees_all { &mut self.line } else { &mut self.live_line };
        insert.raw_bind_parameter(1, &id[..]).map_err(refusal)?;
        for (index, line) in lines.iter().enumerate() {
            if make_line(insert, index as i64 + 1, line).map_err(refusal)? == 0 {
                return Err(Refusal::Dangling);
            }
        }
        Ok(0)
    }

    fn place_order(
        &mut self,
        id: &[u8; 16],
        customer: &[u8; 16],
        placed: i64,
        lines: &[Line],
    ) -> Done {
        let mut prices = Vec::with_capacity(lines.len());
        let mut total = 0;
        for line in lines {
            let price = self.take(line).map_err(refusal)?;
            let Some(price) = price else {
                let is_live = self.is_live.exists([&line.product]).map_err(refusal)?;
                return Err(if is_live { Refusal::OutOfStock } else { Refusal::Dangling });
            };
            total += price * line.quantity;
            prices.push(price);
        }
        self.make_order_row(id, customer, total, placed).map_err(refusal)?;
        self.line.raw_bind_parameter(1, &id[..]).map_err(refusal)?;
        for (index, (line, price)) in lines.iter().zip(prices).enumerate() {
            let line = Line { price, product: line.product.clone(), ..*line };
            make_line(&mut self.line, index as i64 + 1, &line).map_err(refusal)?;
        }
        let (key, data) = order_placed(id, total);
        let event = uuid::Uuid::now_v7();
        self.event.execute((&event.as_bytes()[..], &key, placed, &data)).map_err(refusal)?;
        Ok(total)
    }

    fn take(&mut self, line: &Line) -> rusqlite::Result<Option<i64>> {
        let mut rows = self.take.query((&line.product, line.quantity))?;
        rows.next()?.map(|row| row.get(0)).transpose()
    }

    fn make_order_row(
        &mut self,
        id: &[u8; 16],
        customer: &[u8; 16],
        total: i64,
        placed: i64,
    ) -> rusqlite::Result<()> {
        self.order.raw_bind_parameter(1, &id[..])?;
        self.order.raw_bind_parameter(2, &customer[..])?;
        self.order.raw_bind_parameter(3, total)?;
        self.order.raw_bind_parameter(4, placed)?;
        self.order.raw_execute()?;
        Ok(())
    }
}

/// Inserts one line by a statement that has its order already; gives the number of rows inserted.
fn make_line(insert: &mut Statement<'_>, position: i64, line: &Line) -> rusqlite::Result<usize> {
    insert.raw_bind_parameter(2, position)?;
    insert.raw_bind_parameter(3, &line.product)?;
    insert.raw_bind_parameter(4, line.quantity)?;
    insert.raw_bind_parameter(5, line.price)?;
    insert.raw_execute()
}

#[expect(clippy::needless_pass_by_value, reason = "it stands where an error is mapped")]
fn refusal(error: rusqlite::Error) -> Refusal {
    match error.sqlite_error() {
        Some(error) if error.code == ErrorCode::ConstraintViolation => match error.extended_code {
            ffi::SQLITE_CONSTRAINT_FOREIGNKEY => Refusal::Dangling,
            _ => Refusal::Taken,
        },
        _ => Refusal::Failed,
    }
}

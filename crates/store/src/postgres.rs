//! PostgreSQL: pipelined connections, for each processor two for reads and one for new roots, and a few for the writer.

mod bulk;
mod creates;
pub(crate) mod fault;
pub(crate) mod link;
pub(crate) mod migrate;
mod position;
mod presence;
pub(crate) mod read;
mod renew;
mod replica;
mod schema;
mod session;
mod set;
mod tls;
mod together;
pub(crate) mod value;
mod writer;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use operation::{Fault, Read, Receipt, Redraw, Table, Value, Write};
use parking_lot::Mutex;
use tokio::sync::oneshot;
use tokio_postgres::Client;

use crate::lower::Statement;
use crate::ticket::{Done, Ticket, closed};
use crate::write::{Reply, Tables};
use crate::{Options, Rows, Statistics, StoreFault};
use creates::Creates;
use fault::{fault_of, gone, is_stale, told};
use link::{Address, Asking, Lane, Link, Links, Trouble, Whose, bound};
use read::Terms;
use replica::Replicas;
use session::found;
use writer::{Entrances, Pending};

/// How much longer than the database may work an answer is waited for: one that does not come is lost on the way.
const PATIENCE: Duration = Duration::from_secs(1);

/// How often a read is asked while the tables change under it.
const TRIES: u32 = 4;

/// Pairs of connections that read, at most: pipelined they carry far more than one request each, and a server has a
/// hundred unless told otherwise.
const MOST_READING: usize = 8;

/// A PostgreSQL database.
#[derive(Debug)]
pub struct Postgres {
    shared: Arc<Shared>,
    links: Arc<Links>,
    /// Where reads may be made besides; nothing without replicas.
    replicas: Option<Replicas>,
    creates: Creates,
    entrances: Mutex<Option<Arc<Entrances>>>,
    writer: Mutex<Option<JoinHandle<()>>>,
    /// The runtime that the writer's thread drives.
    runtime: tokio::runtime::Handle,
}

/// What the threads of one store share.
#[derive(Debug)]
struct Shared {
    address: Address,
    options: Options,
    tables: Tables,
    /// Counts schema changes; what was prepared under another count is stale.
    generation: AtomicU64,
    /// Writes that were taken in and not answered yet.
    waiting: AtomicUsize,
    counts: Counts,
    /// Who this is among those that run, and whether that was said; see [`presence`].
    server: uuid::Uuid,
    is_told: AtomicBool,
}

impl Shared {
    fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// How long the outcome of a transaction is waited for. The database gives up a statement before; what takes longer
    /// is lost on the way.
    fn patience(&self) -> Duration {
        self.options.deadline * 2 + PATIENCE
    }

    /// Answers a write.
    fn answer(&self, Pending { write, reply, .. }: Pending, outcome: Result<Reply, Fault>) {
        let count = if outcome.is_ok() { &self.counts.writes } else { &self.counts.failures };
        count.fetch_add(1, Ordering::Relaxed);
        let events = outcome.as_ref().map_or(0, Reply::published);
        self.counts.events.fetch_add(events, Ordering::Relaxed);
        self.waiting.fetch_sub(1, Ordering::AcqRel);
        // Nobody listens any more: the write stands all the same.
        let _ = reply.send(Done { write, ahead: None, outcome });
    }
}

#[derive(Debug, Default)]
struct Counts {
    overloaded: AtomicU64,
    commits: AtomicU64,
    writes: AtomicU64,
    failures: AtomicU64,
    events: AtomicU64,
    reads: AtomicU64,
}

impl Postgres {
    pub(crate) fn open(
        url: &str,
        replicas: &[String],
        options: Options,
    ) -> Result<Self, StoreFault> {
        let address = Address::of(url, &options)?;
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        let reading = processors.min(MOST_READING);
        let replicas = match replicas {
            [] => None,
            urls => Some(Replicas::find(urls, &options, reading, &address)?),
        };
        let shared = Arc::new(Shared {
            address,
            options,
            tables: Tables::default(),
            generation: AtomicU64::new(0),
            waiting: AtomicUsize::new(0),
            counts: Counts::default(),
            server: uuid::Uuid::now_v7(),
            is_told: AtomicBool::new(false),
        });
        let writer::Started { thread: writer, entrances, runtime } = writer::start(shared.clone())?;
        let store = Self {
            shared,
            links: Arc::new(Links::new(reading)),
            replicas,
            creates: Creates::new(reading),
            entrances: Mutex::new(Some(Arc::new(entrances))),
            writer: Mutex::new(Some(writer)),
            runtime,
        };
        store.greet()?;
        Ok(store)
    }

    /// Asks a database something on one connection, and leaves nothing behind.
    pub(crate) fn look<T: Send>(
        url: &str,
        options: Options,
        ask: impl AsyncFnOnce(&mut Client) -> Result<T, StoreFault> + Send,
    ) -> Result<T, StoreFault> {
        let address = Address::of(url, &options)?;
        alone(&address, ask)
    }

    /// Makes sure that the database can be used.
    fn greet(&self) -> Result<(), StoreFault> {
        self.blocking(async |client| {
            let cannot = |reason: String| StoreFault::CannotConnect {
                database: self.shared.address.shown(),
                reason,
            };
            let row = client
                .query_typed_one(
                    "SELECT current_setting('server_version_num')::int, \
                     current_setting('server_encoding'), current_schema()",
                    &[],
                )
                .await?;
            let (version, encoding): (i32, String) = (row.try_get(0)?, row.try_get(1)?);
            if version < 140_000 {
                let found = version / 10_000;
                return Err(cannot(format!("it is PostgreSQL {found}; 14 or newer is needed")));
            }
            if encoding != "UTF8" {
                return Err(cannot(format!(
                    "its encoding is {encoding}; create it with `ENCODING 'UTF8'`"
                )));
            }
            if row.try_get::<_, Option<String>>(2)?.is_none() {
                return Err(cannot("no schema of its `search_path` exists".to_owned()));
            }
            Ok(schema::prepare(client).await?)
        })
    }

    pub(crate) async fn read(&self, read: &Read, binds: &[Value]) -> Result<Rows, Fault> {
        if let Some(replicas) = &self.replicas
            && let Some(rows) = replicas.read(read, binds, (&self.shared, &self.links)).await
        {
            self.shared.counts.reads.fetch_add(1, Ordering::Relaxed);
            return Ok(rows);
        }
        self.read_for(Whose::Request, read, binds).await
    }

    async fn read_for(&self, whose: Whose, read: &Read, binds: &[Value]) -> Result<Rows, Fault> {
        self.shared.counts.reads.fetch_add(1, Ordering::Relaxed);
        let until = tokio::time::Instant::now() + self.shared.options.deadline + PATIENCE;
        let terms = Terms { least: None, until: Some(until) };
        let lane = Lane::of(read);
        let mut tries = 0;
        loop {
            tries += 1;
            let (address, generation) = (&self.shared.address, self.shared.generation());
            let link = self.links.get(whose, lane, address, generation).await?;
            match link.read_on(terms, read, binds).await {
                Ok(rows) => return Ok(rows),
                // Tables may change again while it is asked anew.
                Err(Trouble::Database(error)) if tries < TRIES && is_stale(&error) => {
                    link.forget();
                }
                // A connection that broke says nothing of the database: it is asked once more over another.
                Err(Trouble::Database(error))
                    if tries == 1 && (error.is_closed() || link.client.is_closed()) =>
                {
                    self.links.drop_link(&link);
                }
                Err(trouble) => {
                    if matches!(trouble, Trouble::Silent) {
                        self.links.drop_link(&link);
                    }
                    return Err(trouble.into_fault());
                }
            }
        }
    }

    pub(crate) fn read_blocking(
        own: &Arc<Self>,
        read: &Read,
        binds: &[Value],
    ) -> Result<Rows, Fault> {
        let (own, read, binds) = (own.clone(), read.clone(), binds.to_vec());
        let (told, outcome) = std::sync::mpsc::sync_channel(1);
        // On the writer's thread, which drives a runtime as long as the store is open.
        let runtime = own.runtime.clone();
        runtime.spawn(async move {
            let _ = told.send(own.read_for(Whose::Aside, &read, &binds).await);
        });
        outcome.recv().unwrap_or_else(|_| Err(closed()))
    }

    pub(crate) fn enqueue(
        &self,
        write: Box<Write>,
        receipt: Option<Box<Receipt>>,
    ) -> Result<Ticket, Fault> {
        let waiting = &self.shared.waiting;
        if waiting.fetch_add(1, Ordering::AcqRel) >= self.shared.options.queue {
            waiting.fetch_sub(1, Ordering::AcqRel);
            self.shared.counts.overloaded.fetch_add(1, Ordering::Relaxed);
            return Err(Fault::Overloaded { retry_after: 1 });
        }
        let (sender, reply) = oneshot::channel();
        let pending = Pending { write, receipt, reply: sender };
        let entrances = self.entrances.lock().clone();
        if let Some(entrances) = &entrances
            && pending.receipt.is_none()
            && matches!(&*pending.write, Write::Create(_))
            && tokio::runtime::Handle::try_current().is_ok()
        {
            self.creates.put(pending, &self.shared, entrances);
        } else if entrances.is_none_or(|entrances| entrances.put(pending).is_err()) {
            waiting.fetch_sub(1, Ordering::AcqRel);
            return Err(closed());
        }
        Ok(Ticket { reply })
    }

    /// Executes a statement that only reads, beside what requests ask.
    pub(crate) async fn ask(
        &self,
        statement: Statement,
        values: &[Value],
    ) -> Result<Vec<Vec<Value>>, Fault> {
        let (address, generation) = (&self.shared.address, self.shared.generation());
        let link = self.links.get(Whose::Aside, Lane::Slow, address, generation).await?;
        let ask = async {
            let values: Vec<&Value> = values.iter().collect();
            let asking = Asking::Once(statement.text.clone(), statement.constants.clone());
            let ready = link.ready(asking, &values, || Ok(statement)).await?;
            let get = |at: usize| values.get(at).copied();
            let parameters = bound(&ready.parameters, &ready.constants, get)?;
            let rows = link.ask_ready(&ready, parameters).await?;
            found(&ready, rows).await
        };
        let patience = self.shared.options.deadline + PATIENCE;
        match tokio::time::timeout(patience, ask).await {
            Ok(outcome) => outcome.map_err(Trouble::into_fault),
            Err(_) => {
                self.links.drop_link(&link);
                Err(gone("the database does not answer"))
            }
        }
    }

    pub(crate) fn know(&self, tables: &[Arc<Table>], redraws: Vec<Redraw>) {
        self.shared.tables.know(tables, redraws);
    }

    pub(crate) async fn ping(&self) -> Result<(), Fault> {
        let link = self.aside().await?;
        let asked = link.client.simple_query("SELECT 1");
        self.answered(&link, asked).await.map(drop)
    }

    /// Lets those who change the tables see that this server runs, under the name that it was given.
    pub(crate) async fn be_present(&self) -> Result<(), Fault> {
        let address = &self.shared.address;
        let Some(name) = address.name().filter(|_| address.pooled) else {
            return self.ping().await;
        };
        let link = self.aside().await?;
        let telling = presence::tell(&link.client, self.shared.server, &name);
        self.answered(&link, telling).await?;
        self.shared.is_told.store(true, Ordering::Release);
        Ok(())
    }

    /// A connection beside those of requests.
    async fn aside(&self) -> Result<Arc<Link>, Fault> {
        let (address, generation) = (&self.shared.address, self.shared.generation());
        self.links.get(Whose::Aside, Lane::Quick, address, generation).await
    }

    /// What was asked on a connection, which is given up where no answer comes.
    async fn answered<T>(
        &self,
        link: &Arc<Link>,
        asked: impl Future<Output = Result<T, tokio_postgres::Error>>,
    ) -> Result<T, Fault> {
        match tokio::time::timeout(PATIENCE, asked).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => Err(fault_of(&error)),
            Err(_) => {
                self.links.drop_link(link);
                Err(gone("the database does not answer"))
            }
        }
    }

    pub(crate) fn statistics(&self) -> Statistics {
        let counts = &self.shared.counts;
        let get = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Statistics {
            queue: self.shared.waiting.load(Ordering::Relaxed) as u64,
            overloaded: get(&counts.overloaded),
            commits: get(&counts.commits),
            writes: get(&counts.writes),
            failures: get(&counts.failures),
            events: get(&counts.events),
            reads: get(&counts.reads),
            ahead: 0,
            gathered: get(&self.shared.address.gathered),
            replicas: self.replicas.as_ref().map(Replicas::reads),
            ..Statistics::default()
        }
    }

    pub(crate) fn migrator(&self) -> Result<migrate::Migrator, StoreFault> {
        migrate::Migrator::open(self.shared.clone())
    }

    pub(crate) fn sizes(&self) -> Result<Vec<migrate::Size>, StoreFault> {
        self.blocking(async |client| Ok(migrate::sizes(client).await?))
    }

    pub(crate) fn others(&self, kept: &str) -> Result<u64, StoreFault> {
        self.blocking(async |client| Ok(migrate::connected(client, Some(kept)).await?))
    }

    pub(crate) fn call(&self, name: &str) {
        self.shared.address.call(name);
        if let Some(replicas) = &self.replicas {
            replicas.call(name);
        }
    }

    pub(crate) fn replicas(&self) -> Vec<(String, Option<String>)> {
        self.replicas.as_ref().map(Replicas::each).unwrap_or_default()
    }

    pub(crate) fn close(&self) {
        // Nothing comes in any more; what is in is done first.
        let entrances = self.entrances.lock().take();
        self.creates.end();
        drop(entrances);
        if let Some(writer) = self.writer.lock().take() {
            let _ = writer.join();
        }
        self.links.close();
        if self.shared.is_told.swap(false, Ordering::AcqRel) {
            // What is not said is seen when it has not been for long.
            let _ =
                self.blocking(async |client| Ok(presence::end(client, self.shared.server).await?));
        }
        if let Some(replicas) = &self.replicas {
            replicas.close();
        }
    }

    /// Runs something on a connection of its own, which is closed after it. Blocks; may be called from anywhere, since
    /// it runs on a thread of its own.
    fn blocking<T: Send>(
        &self,
        action: impl AsyncFnOnce(&mut Client) -> Result<T, StoreFault> + Send,
    ) -> Result<T, StoreFault> {
        alone(&self.shared.address, action)
    }
}

fn alone<T: Send>(
    address: &Address,
    action: impl AsyncFnOnce(&mut Client) -> Result<T, StoreFault> + Send,
) -> Result<T, StoreFault> {
    beside(async || {
        let client = address.connect_bare().await;
        let (mut client, _) = client.map_err(|error| StoreFault::CannotConnect {
            database: address.shown(),
            reason: told_with_help(&error),
        })?;
        if !address.pooled {
            client.batch_execute(Address::without_deadline()).await?;
        }
        action(&mut client).await
    })?
}

/// Runs something on a thread and a runtime of its own, which end with it. Blocks; may be called from anywhere.
fn beside<T: Send>(work: impl AsyncFnOnce() -> T + Send) -> Result<T, StoreFault> {
    let no_thread = |error: std::io::Error| StoreFault::NoThread { reason: error.to_string() };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(no_thread)?;
    let work = || runtime.block_on(work());
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().name("mimar-schema".to_owned());
        let thread = thread.spawn_scoped(scope, work).map_err(no_thread)?;
        match thread.join() {
            Ok(outcome) => Ok(outcome),
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })
}

/// Why no connection came about, and what to do where that is known.
fn told_with_help(error: &tokio_postgres::Error) -> String {
    let reason = told(error);
    let help = if reason.contains("does not support TLS") {
        "\n\nBeyond this machine the connection is encrypted; add `?sslmode=disable` to the address if the network is trusted"
    } else if reason.contains("certificate") {
        "\n\nIts certificate is verified: `?sslrootcert=FILE` in the address names whom to believe, otherwise the system's \
         certificates count"
    } else {
        ""
    };
    format!("{reason}{help}")
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.close();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn size<A, F: Future>(_: impl FnOnce(A) -> F) -> usize {
        size_of::<F>()
    }

    /// A future is moved about until it is first polled, and every request has one of its own.
    #[test]
    fn the_future_of_a_read_is_small() {
        type Asked = (&'static Postgres, &'static Read, &'static [Value]);
        let whole = size(|(postgres, read, binds): Asked| postgres.read(read, binds));
        assert!(whole < 1_024, "{whole} bytes");
    }
}

//! The engine: from an intent to its outcome.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use arc_swap::ArcSwap;
use model::EntityId;
use operation::{Fault, Operation, Receipt, Scalar, Value, Write};
use plan::{Caller, CursorKey, Intent, Reply};
use store::{Rows, Store, Written};
use tokio::sync::{Mutex, Notify};

use crate::identity::Verifier;
use crate::{Handlers, Loaded, Outcome, work};

/// Figures of the store under the engine, for `/metrics`.
pub use store::{Backlog, Queue, ReplicaReads, Statistics};

/// How long requests that have just come by the old model get to be counted before the tables change.
const GRACE: Duration = Duration::from_millis(15);

/// How long those that are counted get to end.
const ENDING: Duration = Duration::from_secs(1);

/// Runs intents. Shared by all doors.
#[derive(Debug)]
pub struct Engine {
    pub(crate) store: Store,
    state: ArcSwap<Loaded>,
    verifier: Verifier,
    /// Tables are changing: new requests wait.
    changing: AtomicBool,
    changed: Notify,
    /// Whether tables may change while requests are under way; only then are these counted.
    reloads: AtomicBool,
    under_way: AtomicUsize,
    /// Rung when there is something to be done.
    pub(crate) bell: Notify,
    /// Rung when there is something to be sent.
    pub(crate) post: Notify,
    /// Rung when something was published.
    pub(crate) outgoing: Notify,
    /// No task is begun any more.
    pub(crate) closing: AtomicBool,
    pub(crate) counts: work::Counts,
    /// What of its work has gone wrong lately.
    pub(crate) troubles: work::Troubles,
    pub(crate) handlers: Arc<Handlers>,
    pub(crate) exchanged: work::exchange::Counts,
    /// How many tasks there are, and when that was asked.
    pub(crate) queue: Mutex<Option<(Instant, Queue)>>,
}

impl Engine {
    /// An engine over an open store whose tables are those of `loaded`
    /// ([`stand`](crate::stand) tells).
    pub fn new(store: Store, loaded: Loaded, verifier: Verifier) -> Self {
        store.know(&loaded.schema.tables, loaded.plan.redraws());
        Self {
            store,
            state: ArcSwap::from_pointee(loaded),
            verifier,
            changing: AtomicBool::new(false),
            changed: Notify::new(),
            reloads: AtomicBool::new(false),
            under_way: AtomicUsize::new(0),
            bell: Notify::new(),
            post: Notify::new(),
            outgoing: Notify::new(),
            closing: AtomicBool::new(false),
            counts: work::Counts::default(),
            troubles: work::Troubles::default(),
            handlers: Arc::default(),
            exchanged: work::exchange::Counts::default(),
            queue: Mutex::default(),
        }
    }

    /// The same, with what does commands by code.
    #[must_use]
    pub fn with_code(mut self, handlers: Handlers) -> Self {
        self.handlers = Arc::new(handlers);
        self
    }

    /// The model that is served now.
    pub fn loaded(&self) -> Arc<Loaded> {
        self.state.load_full()
    }

    /// The model that a new request is served with: waits while tables change, which only a reload does.
    pub async fn current(&self) -> Arc<Loaded> {
        while self.changing.load(Ordering::Acquire) {
            let changed = self.changed.notified();
            // Between the check and the wait it may have ended: `notified` counts from its creation.
            if self.changing.load(Ordering::Acquire) {
                changed.await;
            }
        }
        self.state.load_full()
    }

    /// Says that [`Engine::swap_after`] will be called while requests are served: from now on it waits for those under way.
    pub fn expect_reloads(&self) {
        self.reloads.store(true, Ordering::Release);
    }

    /// Counts a request as under way with the model that [`Engine::current`] has just told, until what this answers is dropped.
    pub fn enter(&self) -> UnderWay<'_> {
        let counted = self.reloads.load(Ordering::Acquire).then_some(&self.under_way);
        if let Some(under_way) = counted {
            under_way.fetch_add(1, Ordering::AcqRel);
        }
        UnderWay(counted)
    }

    /// Serves another model from now on. Requests under way end with the model they began with.
    pub fn swap(&self, loaded: Loaded) {
        self.store.know(&loaded.schema.tables, loaded.plan.redraws());
        self.state.store(Arc::new(loaded));
    }

    /// The same after `change` has brought the tables along; requests that come meanwhile wait. `change` may block.
    ///
    /// # Errors
    /// What `change` says: then the model before is served on.
    pub async fn swap_after<E: Send + 'static>(
        &self,
        loaded: Loaded,
        change: impl FnOnce(&Loaded) -> Result<(), E> + Send + 'static,
    ) -> Result<(), E> {
        let _open = Closed::begin(self);
        tokio::time::sleep(GRACE).await;
        let until = Instant::now() + ENDING;
        while self.under_way.load(Ordering::Acquire) > 0 && Instant::now() < until {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let changing = tokio::task::spawn_blocking(move || change(&loaded).map(|()| loaded));
        let loaded = match changing.await {
            Ok(outcome) => outcome?,
            Err(error) => match error.try_into_panic() {
                // It panicked: so do we, as if it had run here.
                Ok(panic) => std::panic::resume_unwind(panic),
                // The runtime ends before it began: nobody waits for this any more.
                Err(_) => std::future::pending().await,
            },
        };
        self.swap(loaded);
        Ok(())
    }

    /// The caller behind an `Authorization` header.
    ///
    /// # Errors
    /// [`Fault::Unauthenticated`] if the header does not hold.
    pub fn caller(&self, authorization: Option<&str>, loaded: &Loaded) -> Result<Caller, Fault> {
        self.verifier.caller(authorization, loaded)
    }

    /// What verifies tokens.
    pub fn verifier(&self) -> &Verifier {
        &self.verifier
    }

    /// Carries out an intent for a caller; with a receipt, a write is done once. On SQLite reads run on the calling thread and take as long as the
    /// database does; writes are queued at once and waited for.
    ///
    /// # Errors
    /// Every [`Fault`].
    pub async fn run(
        &self,
        loaded: &Loaded,
        intent: &Intent<'_>,
        caller: &Caller,
        receipt: Option<Box<Receipt>>,
    ) -> Result<Outcome, Fault> {
        let lowered = loaded.plan.lower(intent, caller, microseconds_now())?;
        match lowered.operation {
            Operation::Read { read, binds } => {
                let rows = self.store.read(&read, &binds).await?;
                if let (Rows::Page { count: 0, .. }, Some(owner)) = (&rows, &lowered.when_empty) {
                    self.demand(owner).await?;
                }
                answer(loaded, rows, &lowered.reply)
            }
            Operation::Write(mut write) => {
                self.handlers.attach(&mut write, loaded, Some(caller));
                let written = self.store.write(write, receipt).await?;
                self.ring(&written);
                acknowledge(loaded, intent, written, &lowered.reply)
            }
        }
    }

    /// Carries out a write of the system's own, and wakes those who do what it has left.
    pub(crate) async fn write(&self, loaded: &Loaded, mut write: Write) -> Result<Written, Fault> {
        self.handlers.attach(&mut write, loaded, None);
        let written = self.store.write(Box::new(write), None).await?;
        self.ring(&written);
        Ok(written)
    }

    /// Wakes those who do what a write has left.
    pub(crate) fn ring(&self, written: &Written) {
        if written.wakes {
            self.bell.notify_one();
        }
        if written.published > 0 {
            self.outgoing.notify_one();
        }
    }

    /// Whether what a page is of exists: no parts and no root are two answers.
    async fn demand(&self, owner: &Operation) -> Result<(), Fault> {
        let Operation::Read { read, binds } = owner else { return Err(mixed_up()) };
        match self.store.read(read, binds).await? {
            Rows::One(None) => Err(Fault::NotFound),
            Rows::One(Some(_)) | Rows::Page { .. } => Ok(()),
        }
    }

    /// Whether the store answers.
    ///
    /// # Errors
    /// The reason, for the log.
    pub async fn ready(&self) -> Result<(), Fault> {
        self.store.ping().await
    }

    /// Figures of the store.
    pub fn statistics(&self) -> Statistics {
        self.store.statistics()
    }

    /// Begins no task any more; those that are carried out end.
    pub fn rest(&self) {
        self.closing.store(true, Ordering::Release);
        self.bell.notify_one();
        self.post.notify_one();
        self.outgoing.notify_one();
    }

    /// Finishes every write that was accepted and refuses later ones. Blocks until that is done.
    pub fn close(&self) {
        self.rest();
        self.store.close();
    }
}

/// A request under way.
#[derive(Debug)]
pub struct UnderWay<'a>(Option<&'a AtomicUsize>);

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        if let Some(under_way) = self.0 {
            under_way.fetch_sub(1, Ordering::AcqRel);
        }
    }
}

/// Keeps new requests waiting until it is dropped.
struct Closed<'a>(&'a Engine);

impl<'a> Closed<'a> {
    fn begin(engine: &'a Engine) -> Self {
        engine.changing.store(true, Ordering::Release);
        Self(engine)
    }
}

impl Drop for Closed<'_> {
    fn drop(&mut self) {
        self.0.changing.store(false, Ordering::Release);
        self.0.changed.notify_waiters();
    }
}

fn answer(loaded: &Loaded, rows: Rows, reply: &Reply) -> Result<Outcome, Fault> {
    match (rows, reply) {
        (Rows::One(None), _) => Err(Fault::NotFound),
        (Rows::One(Some(row)), Reply::One { composite }) => {
            Ok(Outcome::One { json: row.json, version: row.version, composite: *composite })
        }
        (Rows::Page { json, next, .. }, Reply::Page { cursor }) => {
            Ok(Outcome::Page { json, next: next.map(|values| page(loaded, cursor, &values)) })
        }
        _ => Err(mixed_up()),
    }
}

fn page(loaded: &Loaded, cursor: &CursorKey, values: &[Value]) -> String {
    loaded.plan.cursor(cursor, values)
}

fn acknowledge(
    loaded: &Loaded,
    intent: &Intent<'_>,
    written: Written,
    reply: &Reply,
) -> Result<Outcome, Fault> {
    let Written { key, version, json, part_key, replayed, .. } = written;
    match reply {
        Reply::Created { composite } => {
            let (root, part) = match intent {
                Intent::Create { entity, .. } => (*entity, None),
                Intent::CreatePart { part, .. } => {
                    let root = loaded.model.part_of(*part).map_or(*part, |of| of.root);
                    (root, Some(*part))
                }
                _ => return Err(mixed_up()),
            };
            Ok(Outcome::Created {
                key: text(loaded, root, &key),
                part_key: part.zip(part_key).map(|(part, key)| text(loaded, part, &key)),
                version,
                json,
                composite: *composite,
                replayed,
            })
        }
        Reply::Changed { composite } => {
            Ok(Outcome::Changed { version, json, composite: *composite })
        }
        Reply::Done => Ok(Outcome::Done { json, replayed }),
        Reply::Deleted => Ok(Outcome::Deleted),
        Reply::PartDeleted => Ok(Outcome::PartDeleted { version }),
        Reply::One { .. } | Reply::Page { .. } => Err(mixed_up()),
    }
}

/// An entity's own key as text.
fn text(loaded: &Loaded, entity: EntityId, key: &Value) -> String {
    let table = loaded.schema.table(entity);
    let scalar = table.columns.get(table.own_key()).map_or(Scalar::Text, |column| column.scalar);
    // A UUID, still in its quotes, or any number.
    let mut text = Vec::with_capacity(38);
    scalar.print(key, &mut text);
    String::from_utf8(text).unwrap_or_default()
}

fn mixed_up() -> Fault {
    Fault::Internal("the store's answer is not of the kind the plan asked for".into())
}

pub(crate) fn microseconds_now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}

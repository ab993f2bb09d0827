//! The writer: a thread that sends writes over a few connections.
//!
//! New roots come here that are no part of a set (see [`super::creates`]). Those that have queued share one transaction and one
//! commit, all their statements on the wire at once; if any of them fails, each is tried again alone. What changes or ends a root runs alone, on one of several connections,
//! with its root locked. So does a command, as [`Manner`] says, but where more commands of one kind wait than there are connections:
//! those share a transaction.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use futures_util::future::join_all;
use operation::{Command, Fault, ReadId, Receipt, Write};
use rustc_hash::FxHashMap;
use tokio::sync::mpsc;
use tokio::task::LocalSet;

use super::Shared;
use super::fault::{fault_of, gone};
use super::link::Link;
use super::session::{Session, Wrong};
use crate::StoreFault;
use crate::ticket::Done;
use crate::write::{self, References, Reply};

/// Connections over which new roots are written: while one commits, the other fills.
const CREATING: usize = 2;

/// Connections over which roots are changed.
const CHANGING: usize = 8;

/// The most commands that share a transaction.
const TOGETHER: usize = 8;

/// How many commands go by themselves after some could not go together: who sends such commands makes the others go twice once in so
/// many, and no more often.
const CAUTION: u32 = 64;

/// How many programs are remembered for that.
const CAREFUL: usize = 256;

/// How often a write is tried that others stood in the way of.
const TRIES: u32 = 8;

/// A write on its way.
#[derive(Debug)]
pub(crate) struct Pending {
    /// The write; whoever asked gets it back, since the answer may be made of it.
    pub write: Box<Write>,
    /// By which it is known if it is asked for again.
    pub receipt: Option<Box<Receipt>>,
    /// Told after the commit.
    pub reply: tokio::sync::oneshot::Sender<Done>,
}

impl Pending {
    fn command(&self) -> Option<&Command> {
        match &*self.write {
            Write::Command(command) => Some(command),
            _ => None,
        }
    }

    /// Whether it may share a transaction with others of its kind.
    fn goes_with_others(&self) -> bool {
        self.receipt.is_none() && self.command().is_some_and(write::goes_with_others)
    }

    /// Whether it may share one with this.
    fn is_of_kind(&self, other: &Self) -> bool {
        let programs = self.command().zip(other.command());
        programs.is_some_and(|(one, other)| one.program.id == other.program.id)
            && self.goes_with_others()
    }
}

/// Where writes are put in.
#[derive(Debug)]
pub(crate) struct Entrances {
    creates: mpsc::UnboundedSender<Pending>,
    changes: mpsc::UnboundedSender<Pending>,
}

impl Entrances {
    /// Takes a write in; it comes back where the writer has ended.
    pub fn put(&self, pending: Pending) -> Result<(), Pending> {
        let entrance = match &*pending.write {
            Write::Create(_) => &self.creates,
            _ => &self.changes,
        };
        entrance.send(pending).map_err(|refused| refused.0)
    }

    /// The same for one that shall be in a transaction of its own.
    pub fn put_alone(&self, pending: Pending) -> Result<(), Pending> {
        self.changes.send(pending).map_err(|refused| refused.0)
    }
}

/// The writer's thread, running.
pub(crate) struct Started {
    pub thread: JoinHandle<()>,
    pub entrances: Entrances,
    pub runtime: tokio::runtime::Handle,
}

/// Starts the thread; it ends when the entrances are closed and nothing waits.
pub(crate) fn start(shared: Arc<Shared>) -> Result<Started, StoreFault> {
    let no_thread = |error: std::io::Error| StoreFault::NoThread { reason: error.to_string() };
    let (creates, creating) = mpsc::unbounded_channel();
    let (changes, changing) = mpsc::unbounded_channel();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(no_thread)?;
    let handle = runtime.handle().clone();
    let thread = std::thread::Builder::new().name("mimar-writer".to_owned()).spawn(move || {
        let local = LocalSet::new();
        let (references, caution) = (RefCell::default(), RefCell::default());
        let writer = Rc::new(Writer { shared, references, caution });
        local.spawn_local(groups(writer.clone(), creating));
        local.spawn_local(singles(writer, changing));
        // Ends when both loops and all that they began have ended.
        runtime.block_on(local);
    });
    let thread = thread.map_err(no_thread)?;
    Ok(Started { thread, entrances: Entrances { creates, changes }, runtime: handle })
}

struct Writer {
    shared: Arc<Shared>,
    /// Which tables refer to which, with the schema's generation that it was read at.
    references: RefCell<Option<(u64, Rc<References>)>>,
    /// How many commands of which programs are still to go by themselves.
    caution: RefCell<FxHashMap<ReadId, u32>>,
}

/// A connection that is lent out; it goes back when this is dropped.
struct Lane {
    link: Option<Rc<Link>>,
    generation: u64,
    back: mpsc::UnboundedSender<Option<Rc<Link>>>,
}

impl Drop for Lane {
    fn drop(&mut self) {
        let _ = self.back.send(self.link.take());
    }
}

/// Connections to lend out.
struct Lanes {
    free: mpsc::UnboundedReceiver<Option<Rc<Link>>>,
    back: mpsc::UnboundedSender<Option<Rc<Link>>>,
}

impl Lanes {
    fn new(count: usize) -> Self {
        let (back, free) = mpsc::unbounded_channel();
        for _ in 0..count {
            let _ = back.send(None);
        }
        Self { free, back }
    }

    /// Waits for one that is free; after a change of the schema what was prepared is forgotten.
    async fn next(&mut self, generation: u64) -> Lane {
        let link = self.free.recv().await.flatten();
        if let Some(link) = &link {
            link.belong_to(generation);
        }
        Lane { link, generation, back: self.back.clone() }
    }
}

async fn groups(writer: Rc<Writer>, mut creates: mpsc::UnboundedReceiver<Pending>) {
    let mut lanes = Lanes::new(CREATING);
    let most = writer.shared.options.batch;
    while let Some(first) = creates.recv().await {
        let lane = lanes.next(writer.shared.generation()).await;
        let mut batch = vec![first];
        while batch.len() < most
            && let Ok(next) = creates.try_recv()
        {
            batch.push(next);
        }
        let writer = writer.clone();
        tokio::task::spawn_local(async move { writer.group(lane, batch).await });
    }
}

/// Changes, each in a transaction of its own: but where more wait than there are connections, commands of one kind that come one
/// after another share one.
async fn singles(writer: Rc<Writer>, mut changes: mpsc::UnboundedReceiver<Pending>) {
    let mut lanes = Lanes::new(CHANGING);
    let mut passed = None;
    loop {
        let first = match passed.take() {
            Some(first) => first,
            None => match changes.recv().await {
                Some(first) => first,
                None => break,
            },
        };
        let mut lane = lanes.next(writer.shared.generation()).await;
        let waiting = 1 + changes.len();
        let most = waiting.div_ceil(1 + lanes.free.len()).min(TOGETHER);
        let most = if most > 1 && writer.may_have_company(&first) { most } else { 1 };
        let mut batch = vec![first];
        while batch.len() < most
            && let Ok(next) = changes.try_recv()
        {
            if !next.is_of_kind(&batch[0]) {
                passed = Some(next);
                break;
            }
            batch.push(next);
        }
        let writer = writer.clone();
        tokio::task::spawn_local(async move {
            match <[Pending; 1]>::try_from(batch) {
                Ok([pending]) => writer.alone(&mut lane, pending).await,
                Err(batch) => writer.group(lane, batch).await,
            }
        });
    }
}

impl Writer {
    /// Whether a write may have company now: each time that it may not, a little less is missing until it may.
    fn may_have_company(&self, first: &Pending) -> bool {
        let Some(command) = first.command().filter(|_| first.goes_with_others()) else {
            return false;
        };
        let mut caution = self.caution.borrow_mut();
        match caution.get_mut(&command.program.id) {
            None => true,
            Some(left) if *left > 1 => {
                *left -= 1;
                false
            }
            Some(_) => {
                caution.remove(&command.program.id);
                false
            }
        }
    }

    /// Lets commands of this kind go by themselves for a while.
    fn be_careful(&self, batch: &[Pending]) {
        let Some(command) = batch.first().and_then(Pending::command) else { return };
        let mut caution = self.caution.borrow_mut();
        // Of models that came and went; a reminder that is lost costs little.
        if caution.len() >= CAREFUL {
            caution.clear();
        }
        caution.insert(command.program.id, CAUTION);
    }

    /// Writes new roots in one transaction, or runs commands of one kind in one; or each alone if that fails.
    async fn group(&self, mut lane: Lane, mut batch: Vec<Pending>) {
        let patience = self.shared.patience();
        // New roots go out with their commit.
        let committing = Cell::new(false);
        let is_commands = batch.first().is_some_and(|first| first.command().is_some());
        let outcomes = match self.ready(&mut lane).await {
            Ok((link, references)) => {
                let together = async {
                    if is_commands {
                        Box::pin(self.commands(&link, &references, &batch, &committing)).await
                    } else {
                        self.together(&link, &references, &mut batch).await
                    }
                };
                match tokio::time::timeout(patience, together).await {
                    Ok(outcomes) => outcomes,
                    Err(_) => {
                        lane.link = None;
                        let silent = "the database does not answer";
                        let sent = !is_commands || committing.get();
                        self.be_careful(&batch);
                        Together::Failed(if sent { unknown(silent) } else { gone(silent) })
                    }
                }
            }
            Err(fault) => Together::Failed(fault),
        };
        match outcomes {
            Together::Done(outcomes) => {
                for (pending, outcome) in batch.into_iter().zip(outcomes) {
                    self.shared.answer(pending, outcome);
                }
            }
            Together::Failed(fault) => {
                for pending in batch {
                    self.shared.answer(pending, Err(fault.clone()));
                }
            }
            Together::Again => {
                self.be_careful(&batch);
                for pending in batch {
                    self.alone(&mut lane, pending).await;
                }
            }
        }
    }

    async fn together(
        &self,
        link: &Rc<Link>,
        references: &References,
        batch: &mut [Pending],
    ) -> Together {
        let mut steering = Session::new(&self.shared, references, link.clone(), true);
        steering.begin().await;
        let writes = batch.iter_mut().map(|pending| {
            let mut session = Session::new(&self.shared, references, link.clone(), true);
            let Pending { write, receipt, .. } = pending;
            async move {
                let outcome = write::execute(&mut session, write, receipt.as_deref(), None).await;
                (session, outcome)
            }
        });
        let executed = join_all(writes).await;
        let mut replies = Vec::with_capacity(executed.len());
        let mut sessions = Vec::with_capacity(executed.len());
        for (session, outcome) in executed {
            replies.extend(outcome.ok());
            sessions.push(session);
        }
        // Sent before the outcomes are known: had a statement failed, the database makes a rollback of it.
        let whole =
            replies.len() == sessions.len() && sessions.iter().all(|session| !session.unsent);
        let mut outcome = Ok(());
        if whole {
            steering.control("COMMIT").await;
        } else {
            steering.control("ROLLBACK").await;
        }
        for session in &mut sessions {
            outcome = outcome.and(session.finish().await);
        }
        let ended = steering.finish().await;
        match outcome.and(ended) {
            Ok(()) if whole => {
                self.shared.counts.commits.fetch_add(1, Ordering::Relaxed);
                Together::Done(replies.into_iter().map(Ok).collect())
            }
            // The commit was on its way, and what became of it nobody knows.
            Err(trouble) if whole && !trouble.is_refusal() => {
                Together::Failed(unknown(&trouble.told()))
            }
            _ => Together::Again,
        }
    }

    /// Runs commands of one kind in one transaction.
    async fn commands(
        &self,
        link: &Rc<Link>,
        references: &References,
        batch: &[Pending],
        committing: &Cell<bool>,
    ) -> Together {
        let commands: Vec<&Command> = batch.iter().filter_map(Pending::command).collect();
        let mut session = Session::new(&self.shared, references, link.clone(), true);
        session.begin().await;
        let outcomes = match write::execute_together(&mut session, &commands).await {
            Ok(outcomes) if !session.unsent && outcomes.len() == batch.len() => outcomes,
            _ => {
                session.control("ROLLBACK").await;
                // If even this fails, the connection is gone, and the transaction with it.
                let _ = session.finish().await;
                return Together::Again;
            }
        };
        committing.set(true);
        session.control("COMMIT").await;
        match session.finish().await {
            Ok(()) => {
                self.shared.counts.commits.fetch_add(1, Ordering::Relaxed);
                Together::Done(outcomes.into_iter().map(|one| one.map(Reply::Left)).collect())
            }
            Err(trouble) if !trouble.is_refusal() => Together::Failed(unknown(&trouble.told())),
            Err(_) => Together::Again,
        }
    }

    /// Executes one write in a transaction of its own.
    async fn alone(&self, lane: &mut Lane, mut pending: Pending) {
        let mut tries = 0;
        let mut manner = Manner::first(&pending.write, pending.receipt.as_deref());
        let mut wanted = Vec::new();
        let outcome = loop {
            tries += 1;
            let (link, references) = match self.ready(lane).await {
                Ok(ready) => ready,
                Err(fault) => break Err(fault),
            };
            let in_one_piece = manner != Manner::Awaited;
            let mut session = Session::new(&self.shared, &references, link.clone(), in_one_piece);
            session.wanted = std::mem::take(&mut wanted);
            let committing = Cell::new(false);
            let Pending { write, receipt, .. } = &mut pending;
            // On the heap: it is moved often, and is large.
            let transaction =
                Box::pin(transact(&mut session, (write, receipt.as_deref()), manner, &committing));
            let Ok((outcome, wrong)) =
                tokio::time::timeout(self.shared.patience(), transaction).await
            else {
                drop(session);
                lane.link = None;
                let silent = "the database does not answer";
                break Err(if committing.get() { unknown(silent) } else { gone(silent) });
            };
            match (outcome, wrong) {
                (Err(_), Some(wrong)) if tries < TRIES && wrong != Ended::Unknown => {
                    match wrong {
                        Ended::Wrong(Wrong::Conflict) => {
                            wanted = std::mem::take(&mut session.wanted);
                            tokio::time::sleep(jitter(tries)).await;
                        }
                        Ended::Wrong(Wrong::Stale) => link.forget(),
                        Ended::Wrong(Wrong::Refused) => {
                            manner = manner.after();
                            tries -= 1;
                        }
                        // The database is asked once more, over a new connection.
                        _ => tries = tries.max(TRIES - 1),
                    }
                }
                (Ok(reply), _) => {
                    self.shared.counts.commits.fetch_add(1, Ordering::Relaxed);
                    break Ok(reply);
                }
                (Err(fault), _) => break Err(fault),
            }
        };
        self.shared.answer(pending, outcome);
    }

    /// The lane's connection, opened where it is not, and what refers to what.
    async fn ready(&self, lane: &mut Lane) -> Result<(Rc<Link>, Rc<References>), Fault> {
        if let Some(ready) = self.at_hand(lane) {
            return Ok(ready);
        }
        match tokio::time::timeout(self.shared.patience(), Box::pin(self.open(lane))).await {
            Ok(outcome) => outcome,
            Err(_) => {
                lane.link = None;
                Err(gone("the database does not answer"))
            }
        }
    }

    /// The same where nothing has to be asked for.
    fn at_hand(&self, lane: &Lane) -> Option<(Rc<Link>, Rc<References>)> {
        let link = lane.link.as_ref().filter(|link| !link.client.is_closed())?;
        let references = self.references.borrow();
        let (_, references) = references.as_ref().filter(|(known, _)| *known == lane.generation)?;
        Some((link.clone(), references.clone()))
    }

    async fn open(&self, lane: &mut Lane) -> Result<(Rc<Link>, Rc<References>), Fault> {
        if lane.link.as_ref().is_some_and(|link| link.client.is_closed()) {
            lane.link = None;
        }
        let link = match &mut lane.link {
            Some(link) => link.clone(),
            none => {
                none.insert(Rc::new(self.shared.address.connect(lane.generation).await?)).clone()
            }
        };
        let known = self.references.borrow().clone();
        let references = match known {
            Some((generation, references)) if generation == lane.generation => references,
            _ => {
                let read = super::schema::references(&link.client, &self.shared.tables).await;
                let references = Rc::new(read.map_err(|error| fault_of(&error))?);
                *self.references.borrow_mut() = Some((lane.generation, references.clone()));
                references
            }
        };
        Ok((link, references))
    }
}

/// What became of a group.
enum Together {
    Done(Vec<Result<Reply, Fault>>),
    Failed(Fault),
    Again,
}

/// How a write goes out that runs alone. What refuses it in one manner is found out in the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Manner {
    /// A command in its direct form: nothing is awaited before the commit.
    Direct,
    /// A command over its workset, once that is loaded: what it writes and its commit go out together.
    InOnePiece,
    /// Each outcome is awaited, so that it is known which constraint stands against which statement.
    Awaited,
}

impl Manner {
    fn first(write: &Write, receipt: Option<&Receipt>) -> Self {
        match write {
            Write::Command(command) if write::direct(command, receipt).is_some() => Self::Direct,
            Write::Command(_) => Self::InOnePiece,
            _ => Self::Awaited,
        }
    }

    fn after(self) -> Self {
        match self {
            Self::Direct => Self::InOnePiece,
            Self::InOnePiece | Self::Awaited => Self::Awaited,
        }
    }
}

/// How a transaction ended that did not end well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ended {
    Wrong(Wrong),
    /// It may have been committed.
    Unknown,
}

async fn transact(
    session: &mut Session<'_>,
    (write, receipt): (&mut Write, Option<&Receipt>),
    manner: Manner,
    committing: &Cell<bool>,
) -> (Result<Reply, Fault>, Option<Ended>) {
    session.begin().await;
    if let Write::Command(command) = write
        && command.program.scans
    {
        // Which rows there are matters, so that those which come meanwhile do: locks cannot hold what is not there.
        session.control("SET TRANSACTION ISOLATION LEVEL SERIALIZABLE").await;
    }
    let mut outcome = match manner {
        Manner::Direct => write::execute_directly(session, write, receipt).await,
        Manner::InOnePiece | Manner::Awaited => write::execute(session, write, receipt, None).await,
    };
    if !session.is_in_one_piece() || session.unsent {
        outcome = match (outcome, session.finish().await) {
            (Ok(reply), Ok(())) => Ok(reply),
            (Ok(_), Err(trouble)) => Err(trouble.into_fault()),
            (Err(fault), _) => Err(fault),
        };
    }
    match outcome {
        Ok(reply) => {
            committing.set(true);
            session.control("COMMIT").await;
            match session.finish().await {
                Ok(()) => match session.take_returned() {
                    Some(row) => (Ok(reply.with_row(row)), None),
                    None => (Ok(reply), None),
                },
                Err(trouble) => {
                    if !trouble.is_refusal() {
                        return (Err(unknown(&trouble.told())), Some(Ended::Unknown));
                    }
                    let constrained = session.is_in_one_piece() && session.constrained;
                    let fault = trouble.into_fault();
                    let refused = constrained
                        || is_refused(manner, &fault)
                        || is_refused_joined(session, &fault);
                    let wrong = session.wrong.or(refused.then_some(Wrong::Refused));
                    (Err(fault), wrong.map(Ended::Wrong))
                }
            }
        }
        Err(fault) => {
            // What stood against it was not there any more when it was looked for: somebody else has changed it.
            let vanished = session.constrained && matches!(fault, Fault::Internal(_));
            let again = if session.is_in_one_piece() { Wrong::Refused } else { Wrong::Conflict };
            let refused = is_refused(manner, &fault) || is_refused_joined(session, &fault);
            let again = (vanished || refused).then_some(again);
            let wrong = session.wrong.or(again).map(Ended::Wrong);
            session.control("ROLLBACK").await;
            // If even this fails, the connection is gone, and the transaction with it.
            let _ = session.finish().await;
            (Err(fault), wrong)
        }
    }
}

/// Whether a command in its direct form was refused: why, its workset says. A database that has no time says the same of that.
fn is_refused(manner: Manner, fault: &Fault) -> bool {
    manner == Manner::Direct && !fault.is_passing()
}

/// Whether statements may have been refused because they went as one: rules of others cannot be set off by a `WITH`, and what
/// their triggers change meanwhile no other part of it may change.
fn is_refused_joined(session: &Session<'_>, fault: &Fault) -> bool {
    session.joined && matches!(fault, Fault::Internal(_))
}

pub(super) fn unknown(reason: &str) -> Fault {
    Fault::OutcomeUnknown {
        reason: format!("the connection to the database was lost during the commit: {reason}"),
        retry_after: 1,
    }
}

/// A random while that grows with the tries: those who stood in each other's way shall not meet again.
fn jitter(tries: u32) -> Duration {
    static SEED: AtomicU64 = AtomicU64::new(0x9e37_79b9_7f4a_7c15);
    let mut bits = SEED.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    Duration::from_micros(200 + (bits >> 33) % (1_000 << tries.min(6)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_stood_in_each_others_way_wait_longer_each_time_and_not_alike() {
        for tries in 1..TRIES {
            let most = Duration::from_micros(200 + (1_000 << tries.min(6)));
            let waits: Vec<Duration> = (0..64).map(|_| jitter(tries)).collect();
            assert!(waits.iter().all(|wait| (Duration::from_micros(200)..most).contains(wait)));
            let longest = waits.iter().max().copied().unwrap_or_default();
            assert!(longest > most / 2, "{tries}: {longest:?}");
            let mut others = waits.clone();
            others.sort_unstable();
            others.dedup();
            assert!(others.len() > 32, "{tries}: {} of 64", others.len());
        }
    }
}

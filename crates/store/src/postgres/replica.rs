//! Replicas: a read goes to one that has all of what was acknowledged before the read came, and otherwise to the primary.
//!
//! Nothing of a replica is ever a caller's error: what it cannot answer, or not soon, the primary answers. A replica that failed
//! is left alone for a while, longer each time, and connections to it are opened beside the requests.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use operation::{Cardinality, Fault, Read, Value};
use parking_lot::Mutex;
use tokio_postgres::Client;
use tokio_postgres::error::SqlState;

use super::fault::{is_stale, told};
use super::link::{Address, CONNECT, Lane, Link, Links, Trouble, Whose, own_number};
use super::position::{Lsn, Position, Question};
use super::read::Terms;
use super::{PATIENCE, Shared};
use crate::{Options, ReplicaReads, Rows, StoreFault};

/// Replicas that one store knows, at most.
const MOST: usize = 16;

/// How long a read waits for a replica to come as far as it must.
const CATCH_UP: Duration = Duration::from_millis(20);

/// How long until a replica that has not come that far is asked again.
const STEP: Duration = Duration::from_millis(1);

/// How long a replica may take to say how far it has come, where rows by key are read, and behind lists.
const SAYS: [Duration; 2] = [Duration::from_millis(250), Duration::from_secs(1)];

/// How long a replica is left alone at first; each time after that twice as long.
const REST: Duration = Duration::from_millis(50);

/// How long at most: one that is behind, and one that failed.
const BEHIND: Duration = Duration::from_secs(1);
const FAILED: Duration = Duration::from_secs(30);

/// Which database a server has, and what it is. The identifier is the same on a primary and on what was copied from it.
const WHAT: &str = "SELECT pg_is_in_recovery(), (SELECT system_identifier FROM pg_control_system()), \
     current_database()::text, current_schema()::text, (SELECT timeline_id FROM pg_control_checkpoint())";

/// The replicas of a database.
#[derive(Debug)]
pub(super) struct Replicas {
    each: Vec<Arc<Replica>>,
    /// Where the primary's log stands, for each thread that reads.
    standing: Vec<Question<Position>>,
    counts: [AtomicU64; 4],
}

/// Where a read was made, and why not on a replica.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Made {
    OnReplica,
    /// No replica had all of what it must.
    Behind,
    /// No replica could be asked.
    Away,
    /// It was asked, and failed.
    Failed,
}

/// One replica.
#[derive(Debug)]
struct Replica {
    address: Address,
    database: Database,
    /// For each thread that reads one connection for every lane.
    places: Vec<[Place; 2]>,
    /// How far it has come, for each thread that reads.
    following: Vec<Question<Lsn>>,
    /// How far it once said it had come: what need not be asked beforehand.
    replayed: AtomicU64,
    rest: Mutex<Rest>,
    /// Why it was not used when it was last looked at.
    unused: Mutex<Option<String>>,
}

/// Which database it is, as its server says.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Database {
    system: i64,
    name: String,
    schema: Option<String>,
}

#[derive(Debug, Default)]
struct Place {
    far: Mutex<Option<Far>>,
    is_opening: AtomicBool,
}

/// A connection to a replica.
#[derive(Debug, Clone)]
struct Far {
    link: Arc<Link>,
    /// That of the replica, when it was connected to.
    timeline: u32,
}

/// How long a replica is left alone.
#[derive(Debug, Default)]
struct Rest {
    until: Option<Instant>,
    length: Duration,
}

/// Why a server cannot be read from.
#[derive(Debug)]
enum Unfit {
    /// It may be another time.
    Now(String),
    /// It holds something else.
    Never(String),
}

impl Replicas {
    /// Looks at the servers at these addresses, beside a primary. One that does not answer, or that is no replica at the moment
    /// as after a failover, is tried again later.
    pub fn find(
        urls: &[String],
        options: &Options,
        threads: usize,
        primary: &Address,
    ) -> Result<Self, StoreFault> {
        if urls.len() > MOST {
            let reason = format!("{} replicas are named, and {MOST} may be", urls.len());
            return Err(StoreFault::Address { reason });
        }
        // The primary must have time left to answer what a replica does not.
        let options = Options { deadline: options.deadline / 2, ..options.clone() };
        let own = super::alone(primary, async |client: &mut Client| Ok(look(client).await?))?;
        let mut each = Vec::with_capacity(urls.len());
        for url in urls {
            let mut address = Address::of(url, &options)?;
            address.gathered = primary.gathered.clone();
            if address.pooled {
                return Err(StoreFault::PooledReplica { replica: address.shown() });
            }
            each.push(Arc::new(Replica {
                address,
                database: own.database.clone(),
                places: (0..threads).map(|_| Default::default()).collect(),
                following: (0..threads).map(|_| Question::default()).collect(),
                replayed: AtomicU64::new(0),
                rest: Mutex::default(),
                unused: Mutex::default(),
            }));
        }
        let looks = each.iter().map(|replica| replica.connect(0));
        let found = super::beside(async || futures_util::future::join_all(looks).await)?;
        for (replica, found) in each.iter().zip(found) {
            match found {
                Ok(_) => {}
                Err(Unfit::Now(reason)) => *replica.unused.lock() = Some(reason),
                Err(Unfit::Never(reason)) => {
                    return Err(StoreFault::Replica { replica: replica.address.shown(), reason });
                }
            }
        }
        let standing = (0..threads).map(|_| Question::default()).collect();
        Ok(Self { each, standing, counts: Default::default() })
    }

    /// Answers a read, where a replica can.
    pub async fn read(
        &self,
        read: &Read,
        binds: &[Value],
        primary: (&Arc<Shared>, &Arc<Links>),
    ) -> Option<Rows> {
        let outcome = self.attempt(read, binds, primary).await;
        let made = outcome.as_ref().map_or_else(|made| *made, |_| Made::OnReplica);
        if let Some(count) = self.counts.get(made as usize) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        outcome.ok()
    }

    async fn attempt(
        &self,
        read: &Read,
        binds: &[Value],
        (shared, links): (&Arc<Shared>, &Arc<Links>),
    ) -> Result<Rows, Made> {
        let lane = Lane::of(read);
        let (replica, far) = self.choose(lane, shared.generation()).ok_or(Made::Away)?;
        let (of_task, links) = (shared.clone(), links.clone());
        let standing = self.standing.get(own_number() % self.standing.len().max(1));
        let asking = standing.ok_or(Made::Away)?.ask(move || stand(of_task.clone(), links.clone()));
        let position = asking.await.ok_or(Made::Away)?;
        if far.timeline != position.timeline {
            // One of the two was promoted. Whether the other follows its log is seen when it is connected to anew.
            replica.leave(&far, FAILED);
            return Err(Made::Away);
        }
        replica.comes_to(position.lsn, &far).await?;
        let says = match lane {
            Lane::Quick => SAYS[0],
            Lane::Slow => SAYS[1],
        };
        let terms = Terms { least: Some((position.lsn, says)), until: None };
        let reading = far.link.read_on(terms, read, binds);
        match tokio::time::timeout(shared.options.deadline / 2 + PATIENCE, reading).await {
            Ok(Ok(rows)) => {
                replica.rest.lock().end();
                Ok(rows)
            }
            Ok(Err(Trouble::Behind)) => {
                replica.rest.lock().begin(BEHIND);
                Err(Made::Behind)
            }
            Ok(Err(trouble)) => {
                replica.judge(&trouble, &far);
                Err(Made::Failed)
            }
            Err(_) => {
                replica.leave(&far, FAILED);
                Err(Made::Failed)
            }
        }
    }

    /// A replica that can be asked, and this thread's connection to it. A thread keeps to one, so that what goes together does;
    /// threads and processes begin with different ones.
    fn choose(&self, lane: Lane, generation: u64) -> Option<(&Arc<Replica>, Far)> {
        let count = self.each.len().max(1);
        let first = (own_number() + std::process::id() as usize) % count;
        let (before, from) = self.each.split_at_checked(first)?;
        let mut each = from.iter().chain(before);
        each.find_map(|replica| Some((replica, replica.far(lane, generation)?)))
    }

    /// What connections call themselves from now on (`application_name`).
    pub fn call(&self, name: &str) {
        for replica in &self.each {
            replica.address.call(name);
        }
    }

    /// Each by its name, and why it was not used when it was last looked at.
    pub fn each(&self) -> Vec<(String, Option<String>)> {
        let each = self.each.iter();
        each.map(|replica| (replica.address.shown(), replica.unused.lock().clone())).collect()
    }

    pub fn reads(&self) -> ReplicaReads {
        let [served, behind, away, failed] =
            self.counts.each_ref().map(|count| count.load(Ordering::Relaxed));
        ReplicaReads { served, behind, away, failed }
    }

    /// Lets go of all connections.
    pub fn close(&self) {
        for place in self.each.iter().flat_map(|replica| &replica.places).flatten() {
            *place.far.lock() = None;
        }
    }
}

/// Where the primary's log stands.
async fn stand(shared: Arc<Shared>, links: Arc<Links>) -> Option<Position> {
    let (address, generation) = (&shared.address, shared.generation());
    let asking = async {
        let link = links.get(Whose::Request, Lane::Quick, address, generation).await.ok()?;
        link.standing().await.ok()
    };
    // Why not, the read on the primary will tell.
    tokio::time::timeout(PATIENCE, asking).await.ok()?
}

impl Replica {
    fn place(&self, lane: Lane) -> Option<&Place> {
        let [quick, slow] = self.places.get(own_number() % self.places.len().max(1))?;
        Some(match lane {
            Lane::Quick => quick,
            Lane::Slow => slow,
        })
    }

    /// This thread's connection; `None` while the replica is left alone, and where there is none yet: then one is opened aside.
    fn far(self: &Arc<Self>, lane: Lane, generation: u64) -> Option<Far> {
        if self.rest.lock().lasts() {
            return None;
        }
        let place = self.place(lane)?;
        let open = place.far.lock().as_ref().filter(|far| !far.link.client.is_closed()).cloned();
        if let Some(far) = open {
            far.link.belong_to(generation);
            return Some(far);
        }
        if !place.is_opening.swap(true, Ordering::AcqRel) {
            let opening = Opening { replica: self.clone(), thread: own_number(), lane };
            // Driven by the runtime of this thread, as what is asked over it is.
            tokio::spawn(async move {
                let far = opening.replica.connect(generation).await;
                opening.end(far);
            });
        }
        None
    }

    async fn connect(&self, generation: u64) -> Result<Far, Unfit> {
        let connecting = async {
            let link = self.address.connect(generation).await;
            let link = link.map_err(|fault| match fault {
                Fault::Unavailable { reason, .. } => Unfit::Now(reason),
                other => Unfit::Now(other.to_string()),
            })?;
            let seen = look(&link.client).await.map_err(|error| Unfit::Now(told(&error)))?;
            if seen.database != self.database {
                return Err(Unfit::Never(seen.database.unlike(&self.database)));
            }
            if !seen.is_replica {
                let reason = "it is no replica: it takes writes itself";
                return Err(Unfit::Now(reason.to_owned()));
            }
            // Asked here so that it is prepared.
            link.replayed().await.map_err(|trouble| Unfit::Now(trouble.told()))?;
            Ok(Far { link: Arc::new(link), timeline: seen.timeline })
        };
        match tokio::time::timeout(CONNECT, connecting).await {
            Ok(outcome) => outcome,
            Err(_) => Err(Unfit::Now("it does not answer".to_owned())),
        }
    }

    /// Waits a moment for it to come to a position.
    async fn comes_to(&self, least: Lsn, far: &Far) -> Result<(), Made> {
        if self.replayed.load(Ordering::Relaxed) >= least.0 {
            return Ok(());
        }
        // Not behind lists, where there is another way.
        let quick = self.place(Lane::Quick).and_then(|place| place.far.lock().clone());
        let link = quick.unwrap_or_else(|| far.clone()).link;
        let following = self.following.get(own_number() % self.following.len().max(1));
        let following = following.ok_or(Made::Away)?;
        let coming = async {
            loop {
                let link = link.clone();
                let asking = following.ask(move || {
                    let link = link.clone();
                    async move {
                        let asking = tokio::time::timeout(SAYS[0], link.replayed());
                        asking.await.ok()?.ok()
                    }
                });
                let Some(Lsn(replayed)) = asking.await else { return Made::Failed };
                self.replayed.fetch_max(replayed, Ordering::Relaxed);
                if replayed >= least.0 {
                    return Made::OnReplica;
                }
                tokio::time::sleep(STEP).await;
            }
        };
        match tokio::time::timeout(CATCH_UP, coming).await {
            Ok(Made::OnReplica) => Ok(()),
            Ok(_) => {
                self.leave(far, FAILED);
                Err(Made::Failed)
            }
            Err(_) => {
                self.rest.lock().begin(BEHIND);
                Err(Made::Behind)
            }
        }
    }

    /// What an error says of the replica, if anything.
    fn judge(&self, trouble: &Trouble, far: &Far) {
        let error = match trouble {
            Trouble::Behind => return,
            // It does not answer, or is no replica any more.
            Trouble::Silent | Trouble::Fault(Fault::Unavailable { .. }) => {
                return self.leave(far, FAILED);
            }
            Trouble::Fault(_) => return,
            Trouble::Database(error) => error,
        };
        if is_stale(error) {
            far.link.forget();
        } else if error.is_closed() || far.link.client.is_closed() {
            self.leave(far, FAILED);
        } else if let Some(code) = error.code() {
            let ends = matches!(code.code().get(..2), Some("08" | "53" | "58"));
            // What it has may be older than what is asked for: tables of a change that it has not replayed.
            let differs = matches!(code.code().get(..2), Some("3F" | "42"));
            if ends || (code.code().starts_with("57") && *code != SqlState::QUERY_CANCELED) {
                self.leave(far, FAILED);
            } else if differs {
                self.rest.lock().begin(FAILED);
            }
        }
    }

    /// Lets go of a connection, and leaves the replica alone for a while. Whoever still waits for it has it as long.
    fn leave(&self, far: &Far, most: Duration) {
        for place in self.places.iter().flatten() {
            let mut known = place.far.lock();
            if known.as_ref().is_some_and(|known| Arc::ptr_eq(&known.link, &far.link)) {
                *known = None;
            }
        }
        // Another log may be shorter.
        self.replayed.store(0, Ordering::Relaxed);
        self.rest.lock().begin(most);
    }
}

/// A connection that is being opened, for a thread in a lane.
struct Opening {
    replica: Arc<Replica>,
    thread: usize,
    lane: Lane,
}

impl Opening {
    fn place(&self) -> Option<&Place> {
        let places = &self.replica.places;
        let [quick, slow] = places.get(self.thread % places.len().max(1))?;
        Some(match self.lane {
            Lane::Quick => quick,
            Lane::Slow => slow,
        })
    }

    fn end(self, far: Result<Far, Unfit>) {
        let unused = match far {
            Ok(far) => {
                if let Some(place) = self.place() {
                    *place.far.lock() = Some(far);
                }
                None
            }
            Err(Unfit::Now(reason) | Unfit::Never(reason)) => {
                self.replica.rest.lock().begin(FAILED);
                Some(reason)
            }
        };
        *self.replica.unused.lock() = unused;
    }
}

impl Drop for Opening {
    fn drop(&mut self) {
        if let Some(place) = self.place() {
            place.is_opening.store(false, Ordering::Release);
        }
    }
}

impl Rest {
    fn lasts(&self) -> bool {
        self.until.is_some_and(|until| Instant::now() < until)
    }

    /// All who fail at once are one reason.
    fn begin(&mut self, most: Duration) {
        if !self.lasts() {
            self.length = (self.length * 2).clamp(REST, most);
            self.until = Some(Instant::now() + self.length);
        }
    }

    /// It did its work; a reason that came meanwhile stands.
    fn end(&mut self) {
        if !self.lasts() {
            *self = Self::default();
        }
    }
}

/// What a server is.
struct Seen {
    is_replica: bool,
    database: Database,
    timeline: u32,
}

async fn look(client: &Client) -> Result<Seen, tokio_postgres::Error> {
    let row = client.query_typed_one(WHAT, &[]).await?;
    let timeline: i32 = row.try_get(4)?;
    Ok(Seen {
        is_replica: row.try_get(0)?,
        database: Database {
            system: row.try_get(1)?,
            name: row.try_get(2)?,
            schema: row.try_get(3)?,
        },
        timeline: timeline.cast_unsigned(),
    })
}

impl Database {
    /// In what it is not the primary's.
    fn unlike(&self, primary: &Self) -> String {
        if self.system != primary.system {
            return "it is no copy of the primary: it was made by itself, and has other rows"
                .to_owned();
        }
        if self.name != primary.name {
            return format!(
                "it is the database {}, and the primary's is {}",
                self.name, primary.name
            );
        }
        let shown = |schema: &Option<String>| schema.clone().unwrap_or_else(|| "none".to_owned());
        format!(
            "its tables would be looked for in the schema {}, and those of the primary in {}: give both addresses the same user or \
             `search_path`",
            shown(&self.schema),
            shown(&primary.schema)
        )
    }
}

impl Lane {
    /// Where a read belongs.
    pub(super) fn of(read: &Read) -> Self {
        match read.cardinality {
            Cardinality::One => Self::Quick,
            Cardinality::Page { .. } | Cardinality::Bounded(_) => Self::Slow,
        }
    }
}

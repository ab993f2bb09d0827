//! Connections, and what is prepared on them.

use std::borrow::Borrow;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use futures_util::future::Either;
use operation::{Cardinality, Fault, Read, ReadId, Scalar, Value};
use parking_lot::Mutex;
use quick_cache::sync::Cache;
use rustc_hash::FxBuildHasher;
use tokio::sync::OnceCell;
use tokio::task::AbortHandle;
use tokio_postgres::config::{Host, SslMode};
use tokio_postgres::error::{Severity, SqlState};
use tokio_postgres::types::Type;
use tokio_postgres::{Client, Config, Error, NoTls, Row, RowStream};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::fault::{fault_of, gone, told};
use super::tls::Said;
use super::together::Queue;
use super::value::{Bound, Given, fits, type_name, type_of};
use crate::lower::{self, Nested, Parameter, ill_formed};
use crate::write::Key;
use crate::{Options, StoreFault};

/// Where the socket of a local server is, in folders that only it may write to: a password goes there.
const SOCKETS: &[&str] = &["/var/run/postgresql", "/run/postgresql"];

/// What is otherwise set on a connection, for one transaction.
const BEGIN_POOLED: &str = "BEGIN; SET LOCAL statement_timeout = 5000; SET LOCAL lock_timeout = 5000; \
     SET LOCAL plan_cache_mode = force_generic_plan";

/// How long a connection may take to come about.
pub(super) const CONNECT: Duration = Duration::from_secs(3);

/// How long nobody tries again after a connection did not come about.
const REST: Duration = Duration::from_millis(250);

const BEHIND: &str = "the replica is behind";

const SILENT: &str = "the database does not answer";

/// Waits for an answer as long as one may be waited for. It is given pinned, so that it is not there twice.
pub(super) async fn within<T>(
    until: Option<tokio::time::Instant>,
    asking: Pin<&mut impl Future<Output = Result<T, Trouble>>>,
) -> Result<T, Trouble> {
    match until {
        Some(until) => tokio::time::timeout_at(until, asking).await.unwrap_or(Err(Trouble::Silent)),
        None => asking.await,
    }
}

/// Where a database is, and how it is spoken to.
pub(crate) struct Address {
    config: Config,
    /// How what goes over the wire is encrypted, if it is.
    tls: Option<MakeRustlsConnect>,
    /// What is set on each new connection.
    settings: String,
    /// What each new connection calls itself, once that is said.
    name: Mutex<Option<String>>,
    /// Whether a pooler hands each transaction to another connection of the server (PgBouncer's transaction mode): then
    /// nothing is prepared by name, and nothing is set.
    pub pooled: bool,
    /// What begins a transaction.
    begin: &'static str,
    /// Prepared statements that one connection keeps.
    statements: usize,
    /// Counts reads that were answered by another's statement.
    pub gathered: Arc<AtomicU64>,
    /// When a connection last did not come about, and why; `None` once one has.
    down: Mutex<Option<(Instant, String)>>,
}

impl std::fmt::Debug for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Address").field(&self.shown()).finish()
    }
}

impl Address {
    /// Reads a connection string (`postgres://…` or `host=… dbname=…`).
    pub fn of(url: &str, options: &Options) -> Result<Self, StoreFault> {
        let unusable = |reason: String| StoreFault::Address { reason };
        let (url, said) = Said::out_of(url)?;
        let pooled = said.pooled;
        let mut config: Config = url.parse().map_err(|error: Error| unusable(told(&error)))?;
        if config.get_dbname().is_none() && config.get_user().is_none() {
            return Err(unusable("it names neither a database nor a user".to_owned()));
        }
        if config.get_application_name().is_none() {
            config.application_name("mimar");
        }
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(CONNECT);
        }
        config.tcp_user_timeout(options.deadline + CONNECT);
        config.keepalives_idle(Duration::from_secs(30));
        let (mode, tls) = said.settle(is_local(&config))?;
        config.ssl_mode(mode);
        let config = by_socket(config, SOCKETS);
        let deadline = options.deadline.as_millis();
        let lock = options.lock_wait.as_millis().max(1);
        let settings = format!(
            "SET statement_timeout = {deadline}; SET lock_timeout = {lock}; \
             SET idle_in_transaction_session_timeout = {}; SET TimeZone = 'UTC'; \
             SET standard_conforming_strings = on; SET plan_cache_mode = force_generic_plan; SET jit = off; \
             SET client_min_messages = warning",
            deadline * 2
        );
        let statements = options.statements;
        let begin = if pooled { BEGIN_POOLED } else { "BEGIN" };
        let (name, down) = (Mutex::new(None), Mutex::new(None));
        let gathered = Arc::default();
        Ok(Self { config, tls, settings, name, pooled, begin, statements, gathered, down })
    }

    /// What connections call themselves from now on (`application_name`).
    pub fn call(&self, name: &str) {
        *self.name.lock() = Some(name.to_owned());
    }

    /// What it is called.
    pub fn name(&self) -> Option<String> {
        self.name.lock().clone()
    }

    /// The database, for people: without its password.
    pub fn shown(&self) -> String {
        let hosts: Vec<String> = self.config.get_hosts().iter().map(host_text).collect();
        let name = self.config.get_dbname().or(self.config.get_user()).unwrap_or("");
        format!("{name} on {}", hosts.last().map_or("localhost", String::as_str))
    }

    /// Opens a connection; a task of the running runtime drives it. Where none came about a moment ago, none is tried: who
    /// waits in a queue shall not wait for the same in turn.
    pub async fn connect(&self, generation: u64) -> Result<Link, Fault> {
        let down = self.down.lock().clone();
        if let Some((since, reason)) = down
            && since.elapsed() < REST
        {
            return Err(gone(&reason));
        }
        let connecting = tokio::time::timeout(CONNECT, self.connect_bare()).await;
        let (client, driver) = match connecting {
            Ok(Ok(connected)) => connected,
            Ok(Err(error)) => return Err(self.note_down(told(&error))),
            Err(_) => return Err(self.note_down("the database does not answer".to_owned())),
        };
        *self.down.lock() = None;
        Ok(Link {
            client,
            generation: AtomicU64::new(generation),
            begin: self.begin,
            driver,
            pooled: self.pooled,
            gathered: self.gathered.clone(),
            always: OnceCell::new(),
            reads: Cache::with(
                self.statements,
                self.statements as u64,
                quick_cache::UnitWeighter,
                FxBuildHasher,
                quick_cache::sync::DefaultLifecycle::default(),
            ),
            groups: Cache::new(self.statements),
            statements: Cache::new(self.statements * 4),
        })
    }

    fn note_down(&self, reason: String) -> Fault {
        let fault = gone(&reason);
        *self.down.lock() = Some((Instant::now(), reason));
        fault
    }

    /// Opens a connection on which nothing is kept.
    pub async fn connect_bare(&self) -> Result<(Client, AbortHandle), Error> {
        // Whoever waits for an answer is told by that answer when a connection breaks; when nobody does, the next who
        // asks connects anew.
        let mut config = self.config.clone();
        if let Some(name) = &*self.name.lock() {
            // Said when connecting, so that a pooler passes it on. It keeps connections open when their server has gone, so
            // that none counts for one.
            let pooled = if self.pooled { "pooled " } else { "" };
            config.application_name(format!("{pooled}{name}"));
        }
        let (client, driver) = match &self.tls {
            Some(tls) => {
                let (client, connection) = config.connect(tls.clone()).await?;
                (client, tokio::spawn(async move { drop(connection.await) }))
            }
            None => {
                let (client, connection) = config.connect(NoTls).await?;
                (client, tokio::spawn(async move { drop(connection.await) }))
            }
        };
        if !self.pooled {
            client.batch_execute(&self.settings).await?;
        }
        Ok((client, driver.abort_handle()))
    }

    /// The longest that a statement may take.
    pub fn without_deadline() -> &'static str {
        "SET statement_timeout = 0; SET lock_timeout = 0; SET idle_in_transaction_session_timeout = 0"
    }
}

fn host_text(host: &Host) -> String {
    match host {
        Host::Tcp(name) => name.clone(),
        #[cfg(unix)]
        Host::Unix(path) => path.display().to_string(),
    }
}

fn is_loopback(host: &Host) -> bool {
    matches!(host, Host::Tcp(name) if matches!(&**name, "localhost" | "127.0.0.1" | "::1"))
}

/// Whether nothing that is sent leaves this machine.
fn is_local(config: &Config) -> bool {
    config.get_hostaddrs().is_empty()
        && config.get_hosts().iter().all(|host| match host {
            Host::Tcp(_) => is_loopback(host),
            #[cfg(unix)]
            Host::Unix(_) => true,
        })
}

/// The same, trying the local socket first where the server is this machine: no TCP, no copying through the loopback.
fn by_socket(config: Config, folders: &[&str]) -> Config {
    let [only] = config.get_hosts() else { return config };
    let encrypted = config.get_ssl_mode() != SslMode::Disable;
    // An address in numbers may be the end of a tunnel, and means that end.
    let named = matches!(only, Host::Tcp(name) if name == "localhost");
    if !named || !config.get_hostaddrs().is_empty() || encrypted {
        return config;
    }
    let port = config.get_ports().first().copied().unwrap_or(5_432);
    let file = format!(".s.PGSQL.{port}");
    let Some(folder) = folders.iter().find(|folder| Path::new(folder).join(&file).exists()) else {
        return config;
    };
    let mut both = Config::new();
    both.host_path(folder).host(host_text(only)).port(port).port(port);
    if let Some(user) = config.get_user() {
        both.user(user);
    }
    if let Some(password) = config.get_password() {
        both.password(password);
    }
    if let Some(name) = config.get_dbname() {
        both.dbname(name);
    }
    if let Some(options) = config.get_options() {
        both.options(options);
    }
    if let Some(name) = config.get_application_name() {
        both.application_name(name);
    }
    if let Some(timeout) = config.get_connect_timeout() {
        both.connect_timeout(*timeout);
    }
    if let Some(timeout) = config.get_tcp_user_timeout() {
        both.tcp_user_timeout(*timeout);
    }
    both.keepalives_idle(config.get_keepalives_idle());
    both.ssl_mode(config.get_ssl_mode()).target_session_attrs(config.get_target_session_attrs());
    both
}

/// A connection with its prepared statements. Many may ask at once: what is sent meanwhile follows on the wire.
#[derive(Debug)]
pub(crate) struct Link {
    pub client: Client,
    /// The schema's generation that what is prepared belongs to.
    pub generation: AtomicU64,
    /// What begins a transaction, with what holds for it alone.
    pub begin: &'static str,
    /// Drives the connection; ended with it, or it would wait for answers that nobody wants.
    driver: AbortHandle,
    pub pooled: bool,
    /// Counts reads that were answered by another's statement.
    pub gathered: Arc<AtomicU64>,
    /// The statement of [`Link::ask_always`].
    always: OnceCell<tokio_postgres::Statement>,
    reads: Cache<ReadId, Arc<Prepared>, quick_cache::UnitWeighter, FxBuildHasher>,
    groups: Cache<String, Arc<Group>>,
    statements: Cache<Asking, Arc<Ready>>,
}

impl Drop for Link {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

/// A read, prepared.
#[derive(Debug)]
pub(crate) struct Prepared {
    pub nested: Nested,
    /// `None` where nothing is prepared by name.
    statement: Option<tokio_postgres::Statement>,
    /// How long an answer was lately, in bytes: the next is likely to be as long.
    pub size: AtomicUsize,
    /// The same read for many requests at once; `None` where such are never together.
    pub together: Option<Arc<Together>>,
}

/// A read for many requests at once.
#[derive(Debug)]
pub(crate) struct Together {
    pub nested: Nested,
    /// With whom its requests go.
    pub group: Arc<Group>,
}

impl Together {
    /// Whether a request's values allow it to go with others.
    pub fn takes(&self, binds: &[Value]) -> bool {
        self.nested.alike.iter().all(|(a, b)| binds.get(*a) == binds.get(*b))
    }
}

/// Reads that ask the database for the same in the same words, whatever each makes of it: those of callers of several roles, say.
#[derive(Debug)]
pub(crate) struct Group {
    /// Requests that wait for each other.
    pub queue: Queue,
    /// What all of them ask for.
    text: String,
    statement: OnceCell<tokio_postgres::Statement>,
}

/// A statement of a write, prepared.
#[derive(Debug)]
pub(crate) struct Ready {
    /// `None` where nothing is prepared by name.
    statement: Option<tokio_postgres::Statement>,
    text: String,
    pub constants: Vec<(usize, Value)>,
    pub parameters: Vec<Parameter>,
    pub answer: Vec<Scalar>,
}

/// By what a statement of a write is found again.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Asking {
    /// By its place; the flag: in a form of its own, for writes that are grouped.
    Kept(Key, bool),
    /// By its text, which says of what the arrays are that are its parameters.
    Set(String),
    /// By its place, for many rows: the text says of what the arrays are that are its parameters.
    Each(Key),
    /// By the places of those that go as one; the flags: for many rows.
    Joined(Vec<(Key, bool)>),
    /// By its text and its constants, which are not in the text.
    Once(String, Vec<(usize, Value)>),
}

impl Link {
    /// The read, where it is prepared for binds of these kinds.
    pub fn known(&self, read: &Read, binds: &[Value]) -> Option<Arc<Prepared>> {
        let prepared = self.reads.get(&read.id)?;
        let lower::Statement { parameters, constants, .. } = &prepared.nested.statement;
        fitting(parameters, constants, |at| binds.get(at)).then_some(prepared)
    }

    /// The read, prepared for binds of these kinds.
    pub async fn prepared(&self, read: &Read, binds: &[Value]) -> Result<Arc<Prepared>, Trouble> {
        if let Some(prepared) = self.known(read, binds) {
            return Ok(prepared);
        }
        let nested = Nested::of(read, binds)?;
        let statement = self.prepare(&nested.statement).await?;
        let size = AtomicUsize::new(256);
        let together = self.together(read, binds)?;
        let prepared = Arc::new(Prepared { nested, statement, size, together });
        self.reads.insert(read.id, prepared.clone());
        Ok(prepared)
    }

    /// A statement of a write, prepared.
    pub async fn ready(
        &self,
        asking: Asking,
        values: &[&Value],
        lower: impl FnOnce() -> Result<lower::Statement, Fault>,
    ) -> Result<Arc<Ready>, Trouble> {
        if let Some(ready) = self.statements.get(&asking)
            && fitting(&ready.parameters, &ready.constants, |at| values.get(at).copied())
        {
            return Ok(ready);
        }
        let lowered = lower()?;
        let statement = match &asking {
            // Of arrays the text itself says what they are of.
            Asking::Set(_) | Asking::Each(_) if self.pooled => None,
            Asking::Set(_) | Asking::Each(_) => Some(self.client.prepare(&lowered.text).await?),
            _ => self.prepare(&lowered).await?,
        };
        let lower::Statement { text, constants, parameters, answer } = lowered;
        let ready = Arc::new(Ready { statement, text, constants, parameters, answer });
        self.statements.insert(asking, ready.clone());
        Ok(ready)
    }

    /// Statements that go as one, prepared.
    pub async fn ready_joined(
        &self,
        asking: Asking,
        given: &[Given],
        text: impl FnOnce() -> Result<String, Fault>,
    ) -> Result<Arc<Ready>, Trouble> {
        if let Some(ready) = self.statements.get(&asking) {
            return Ok(ready);
        }
        let text = text()?;
        let statement = if self.pooled {
            None
        } else {
            let types: Vec<Type> = given.iter().map(Given::type_of).collect();
            Some(self.client.prepare_typed(&text, &types).await?)
        };
        let (constants, parameters, answer) = (Vec::new(), Vec::new(), Vec::new());
        let ready = Arc::new(Ready { statement, text, constants, parameters, answer });
        self.statements.insert(asking, ready.clone());
        Ok(ready)
    }

    async fn prepare(
        &self,
        lowered: &lower::Statement,
    ) -> Result<Option<tokio_postgres::Statement>, Error> {
        if self.pooled {
            return Ok(None);
        }
        let types: Vec<Type> = lowered.parameters.iter().map(|it| type_of(it.form)).collect();
        self.client.prepare_typed(&lowered.text, &types).await.map(Some)
    }

    /// The same for many requests at once, of which this is one.
    fn together(&self, read: &Read, binds: &[Value]) -> Result<Option<Arc<Together>>, Fault> {
        if self.pooled || matches!(read.cardinality, Cardinality::Bounded(_)) {
            return Ok(None);
        }
        let mut nested = Nested::together(read, binds, type_name)?;
        let text = std::mem::take(&mut nested.statement.text);
        let group = self.groups.get_or_insert_with(&text, || {
            let (queue, statement) = (Queue::default(), OnceCell::new());
            Ok::<_, Fault>(Arc::new(Group { queue, text: text.clone(), statement }))
        })?;
        Ok(Some(Arc::new(Together { nested, group })))
    }

    /// Executes it: each parameter is an array with an element for each request.
    pub async fn ask_together(
        &self,
        group: &Group,
        parameters: Vec<Vec<Bound<&Value>>>,
    ) -> Result<RowStream, Error> {
        let statement = self.prepared_together(group).await?;
        self.client.query_raw(statement, parameters).await
    }

    /// What is asked for many requests at once, prepared.
    pub async fn prepared_together<'g>(
        &self,
        group: &'g Group,
    ) -> Result<&'g tokio_postgres::Statement, Error> {
        group.statement.get_or_try_init(|| self.client.prepare(&group.text)).await
    }

    /// Executes a prepared read.
    pub fn ask_prepared<'a>(
        &'a self,
        prepared: &'a Prepared,
        parameters: Vec<Bound<&'a Value>>,
    ) -> impl Future<Output = Result<RowStream, Error>> + 'a {
        self.ask(prepared.statement.as_ref(), &prepared.nested.statement.text, parameters)
    }

    /// Executes a prepared statement of a write.
    pub fn ask_ready<'a, V: Borrow<Value> + std::fmt::Debug + Sync + 'a>(
        &'a self,
        ready: &'a Ready,
        parameters: Vec<Bound<V>>,
    ) -> impl Future<Output = Result<RowStream, Error>> + 'a {
        self.ask(ready.statement.as_ref(), &ready.text, parameters)
    }

    /// The same of a statement about many rows, or of many that go as one.
    pub fn ask_given<'a>(
        &'a self,
        ready: &'a Ready,
        given: Vec<Given>,
    ) -> impl Future<Output = Result<RowStream, Error>> + 'a {
        match &ready.statement {
            Some(statement) => Either::Left(self.client.query_raw(statement, given)),
            None => {
                let typed = given.into_iter().map(|given| {
                    let kind = given.type_of();
                    (given, kind)
                });
                Either::Right(Box::pin(self.client.query_typed_raw(&ready.text, typed)))
            }
        }
    }

    // No `async fn`, here and above: each would hold the parameters once more, in a future that every statement has.
    fn ask<'a, V: Borrow<Value> + std::fmt::Debug + Sync + 'a>(
        &'a self,
        statement: Option<&'a tokio_postgres::Statement>,
        text: &'a str,
        parameters: Vec<Bound<V>>,
    ) -> impl Future<Output = Result<RowStream, Error>> + 'a {
        match statement {
            Some(statement) => Either::Left(self.client.query_raw(statement, parameters)),
            None => {
                let typed = parameters.into_iter().map(|bound| {
                    let kind = type_of(bound.form);
                    (bound, kind)
                });
                Either::Right(Box::pin(self.client.query_typed_raw(text, typed)))
            }
        }
    }

    /// Asks the one thing without parameters that is asked over this connection again and again. Once it has been asked, the next
    /// time sends it when first polled.
    pub async fn ask_always(&self, text: &'static str) -> Result<Row, Error> {
        if self.pooled {
            return self.client.query_typed_one(text, &[]).await;
        }
        let statement = self.always.get_or_try_init(|| self.client.prepare(text)).await?;
        self.client.query_one(statement, &[]).await
    }

    /// Forgets what was prepared for other tables than those of this generation.
    pub fn belong_to(&self, generation: u64) {
        // Looked at first: a line of memory that is only read stays where it is.
        if self.generation.load(Ordering::Acquire) != generation
            && self.generation.swap(generation, Ordering::AcqRel) != generation
        {
            self.forget();
        }
    }

    /// Forgets what is prepared.
    pub fn forget(&self) {
        self.reads.clear();
        self.groups.clear();
        self.statements.clear();
    }
}

/// Whether the values of a request can stand as the parameters of a statement.
pub(crate) fn fitting<'v>(
    parameters: &[Parameter],
    constants: &[(usize, Value)],
    values: impl Fn(usize) -> Option<&'v Value>,
) -> bool {
    parameters.iter().all(|parameter| match values(parameter.origin) {
        Some(value) => fits(parameter.form, value),
        None => constants.iter().any(|(at, _)| *at == parameter.origin),
    })
}

/// The parameters of a statement, from the values of a request and the statement's constants.
pub(crate) fn bound<'v>(
    parameters: &[Parameter],
    constants: &'v [(usize, Value)],
    values: impl Fn(usize) -> Option<&'v Value>,
) -> Result<Vec<Bound<&'v Value>>, Fault> {
    let each = parameters.iter().map(|Parameter { origin, form }| {
        let constant = || constants.iter().find(|(at, _)| at == origin).map(|(_, value)| value);
        let value = values(*origin).or_else(constant);
        let value = value.ok_or_else(|| ill_formed("fewer values than binds"))?;
        Ok(Bound { value, form: *form })
    });
    each.collect()
}

/// Why something asked of a connection did not come.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// The database or the connection to it.
    Database(Error),
    /// The operation.
    Fault(Fault),
    /// A replica has not come as far as the answer must.
    Behind,
    /// Nothing came in the time that it may take.
    Silent,
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        Self::Database(error)
    }
}

impl From<Fault> for Trouble {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl Trouble {
    /// Whether the database itself said no, so that nothing of it stands.
    pub fn is_refusal(&self) -> bool {
        let Self::Database(error) = self else { return false };
        let Some(error) = error.as_db_error() else { return false };
        // A pooler that has lost the server, and a server that ends, speak in the same form; what became of the
        // statement they do not know. A statement that took too long has done nothing.
        let class = error.code().code().get(..2).unwrap_or("");
        let unknown = matches!(class, "08" | "57" | "58");
        let known = !unknown || error.code() == &SqlState::QUERY_CANCELED;
        error.parsed_severity() == Some(Severity::Error) && known
    }

    /// In words.
    pub fn told(&self) -> String {
        match self {
            Self::Database(error) => told(error),
            Self::Fault(fault) => fault.to_string(),
            Self::Behind => BEHIND.to_owned(),
            Self::Silent => SILENT.to_owned(),
        }
    }

    pub fn into_fault(self) -> Fault {
        match self {
            Self::Database(error) => fault_of(&error),
            Self::Fault(fault) => fault,
            Self::Behind => gone(BEHIND),
            Self::Silent => gone(SILENT),
        }
    }
}

/// The connections that answer reads: for each processor one for every lane, opened when first needed.
#[derive(Debug)]
pub(crate) struct Links {
    places: Vec<[Place; 2]>,
    /// For what no request asks.
    aside: [Place; 2],
}

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Whose {
    /// A request, on its thread.
    Request,
    /// Somebody else, on any thread.
    Aside,
}

/// What is pipelined behind what: a statement that takes long holds up those behind it on its connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lane {
    /// One row by its key: never long.
    Quick,
    /// Anything else.
    Slow,
}

#[derive(Debug, Default)]
struct Place {
    link: Mutex<Option<Arc<Link>>>,
    /// Held by whoever opens the connection.
    opening: tokio::sync::Mutex<()>,
}

impl Links {
    pub fn new(count: usize) -> Self {
        Self {
            places: (0..count.max(1)).map(|_| Default::default()).collect(),
            aside: Default::default(),
        }
    }

    /// The connection of a thread in a lane. It is driven where it was opened: a thread of requests shall have one that is driven
    /// by it, and so nobody else opens theirs.
    pub async fn get(
        &self,
        whose: Whose,
        lane: Lane,
        address: &Address,
        generation: u64,
    ) -> Result<Arc<Link>, Fault> {
        let places = match whose {
            Whose::Request => self.places.get(own_number() % self.places.len()),
            Whose::Aside => Some(&self.aside),
        };
        let [quick, slow] = places.ok_or_else(|| gone("there is no connection"))?;
        let place = match lane {
            Lane::Quick => quick,
            Lane::Slow => slow,
        };
        if let Some(link) = place.open() {
            link.belong_to(generation);
            return Ok(link);
        }
        let _opening = place.opening.lock().await;
        if let Some(link) = place.open() {
            return Ok(link);
        }
        let link = Arc::new(Box::pin(address.connect(generation)).await?);
        *place.link.lock() = Some(link.clone());
        Ok(link)
    }

    /// Lets go of a connection that no longer answers.
    pub fn drop_link(&self, link: &Arc<Link>) {
        for place in self.places.iter().flatten().chain(&self.aside) {
            let mut known = place.link.lock();
            if known.as_ref().is_some_and(|known| Arc::ptr_eq(known, link)) {
                *known = None;
            }
        }
    }

    /// Lets go of all.
    pub fn close(&self) {
        for place in self.places.iter().flatten().chain(&self.aside) {
            *place.link.lock() = None;
        }
    }
}

impl Place {
    fn open(&self) -> Option<Arc<Link>> {
        self.link.lock().as_ref().filter(|link| !link.client.is_closed()).cloned()
    }
}

/// A number of this thread: threads that come one after another have numbers one after another.
pub(super) fn own_number() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static OWN: usize = NEXT.fetch_add(1, Ordering::Relaxed);
    }
    OWN.with(|own| *own)
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn a_server_here_is_tried_by_its_socket_first() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(".s.PGSQL.7777"), "").unwrap();
        let folders = [folder.path().to_str().unwrap()];
        let socket = Host::Unix(folder.path().to_owned());
        let by = |url: &str| {
            let config: Config = url.parse().unwrap();
            let config = by_socket(config, &folders);
            (config.get_hosts().to_vec(), config)
        };
        let tcp = |name: &str| Host::Tcp(name.to_owned());
        let (hosts, config) =
            by("postgres://ann:s3cret@localhost:7777/shop?sslmode=disable&application_name=a");
        // Where it does not answer there, it is asked over TCP.
        assert_eq!(hosts, [socket, tcp("localhost")]);
        assert_eq!(config.get_ports(), [7777, 7777]);
        let of = (config.get_user(), config.get_dbname(), config.get_application_name());
        assert_eq!(of, (Some("ann"), Some("shop"), Some("a")));
        assert_eq!(config.get_password(), Some(&b"s3cret"[..]));
        for (url, host) in [
            ("postgres://localhost:7778/shop?sslmode=disable", "localhost"),
            ("postgres://localhost:7777/shop?sslmode=require", "localhost"),
            ("postgres://127.0.0.1:7777/shop?sslmode=disable", "127.0.0.1"),
            ("postgres://db.example:7777/shop?sslmode=disable", "db.example"),
        ] {
            assert_eq!(by(url).0, [tcp(host)], "{url}");
        }
    }
}

//! Streams of Redis.
//!
//! Each address is a stream, and each event an entry of it with one field, `event`, that holds the structured form: an entry has no headers.
//! Entries are read by a group named after the app, whose one consumer has first what it had not acknowledged.

use std::time::Duration;

use futures_util::future::BoxFuture;
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, RedisError};
use tokio::sync::Mutex;

use crate::message::shown;
use crate::{Address, Arrived, Broker, BrokerFault, Envelope, Message, Outcome, Party};

/// The field that holds an event.
const FIELD: &str = "event";

/// How long is waited for an answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long `receive` waits where there is nothing, in milliseconds.
const IDLE: u32 = 1_000;

/// How much is read at once.
const MOST: u32 = 200;

/// About how many entries a stream keeps; the oldest go.
const KEPT: u32 = 1_000_000;

/// What is read of a stream: streams, entries with their identifiers, fields and values; an entry that is deleted has none.
type Read = Option<Vec<(String, Vec<(String, Option<Vec<Vec<u8>>>)>)>>;

/// A connection.
pub(crate) struct Redis {
    client: Client,
    connection: MultiplexedConnection,
    party: Party,
    remarks: Vec<String>,
    /// What comes, by the position of its address; made when it is first asked for, since reading waits on its connection.
    places: Vec<Mutex<Option<Place>>>,
}

/// A stream that is read.
struct Place {
    connection: MultiplexedConnection,
    /// Whether there may be entries that were read and not acknowledged.
    pending: bool,
}

impl std::fmt::Debug for Redis {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Redis").field("party", &self.party).finish_non_exhaustive()
    }
}

impl Redis {
    pub async fn connect(address: &Address, party: &Party) -> Result<Self, BrokerFault> {
        let client = Client::open(address.reveal()).map_err(|error| BrokerFault::Address {
            // The rest of the error may hold what was given.
            reason: format!("the address of Redis cannot be read: {}", error.category()),
        })?;
        let mut connection = open(&client).await?;
        let remarks =
            if party.sends.is_empty() { Vec::new() } else { remarks(&mut connection).await? };
        let places = party.receives.iter().map(|_| Mutex::new(None)).collect();
        Ok(Self { client, connection, party: party.clone(), remarks, places })
    }

    /// All or none of them, in their order: what fails on the way leaves nothing.
    async fn send_all(&self, messages: &[Message]) -> Outcome {
        let mut all = redis::pipe();
        all.atomic();
        for Message { address, structured, .. } in messages {
            let add = all.cmd("XADD").arg(address).arg("MAXLEN").arg("~").arg(KEPT);
            add.arg("*").arg(FIELD).arg(&structured[..]).ignore();
        }
        let mut connection = self.connection.clone();
        match all.query_async::<()>(&mut connection).await {
            Ok(()) => Outcome { acknowledged: vec![true; messages.len()], fault: None },
            Err(error) => {
                Outcome { acknowledged: vec![false; messages.len()], fault: Some(fault(&error)) }
            }
        }
    }

    async fn receive_at(&self, at: usize) -> Result<Vec<Arrived>, BrokerFault> {
        let nothing = || BrokerFault::refused("nothing is received there");
        let address = self.party.receives.get(at).ok_or_else(nothing)?;
        let mut place = self.places.get(at).ok_or_else(nothing)?.lock().await;
        if place.is_none() {
            *place = Some(self.subscribe(address).await?);
        }
        let Some(place) = place.as_mut() else { return Err(nothing()) };
        let mut command = redis::cmd("XREADGROUP");
        command.arg("GROUP").arg(self.group()).arg("mimar").arg("COUNT").arg(MOST);
        if !place.pending {
            command.arg("BLOCK").arg(IDLE);
        }
        command.arg("STREAMS").arg(address).arg(if place.pending { "0" } else { ">" });
        let read: Read =
            command.query_async(&mut place.connection).await.map_err(|error| fault(&error))?;
        let entries = read.into_iter().flatten().flat_map(|(_, entries)| entries);
        let arrived: Vec<Arrived> = entries.map(|(id, fields)| arrived(id, fields)).collect();
        if arrived.is_empty() {
            place.pending = false;
        }
        Ok(arrived)
    }

    async fn subscribe(&self, address: &str) -> Result<Place, BrokerFault> {
        let mut connection = open(&self.client).await?;
        let mut command = redis::cmd("XGROUP");
        command.arg("CREATE").arg(address).arg(self.group()).arg("0").arg("MKSTREAM");
        match command.query_async::<()>(&mut connection).await {
            Ok(()) => {}
            Err(error) if error.code() == Some("BUSYGROUP") => {}
            Err(error) => return Err(fault(&error)),
        }
        Ok(Place { connection, pending: true })
    }

    fn group(&self) -> &str {
        if self.party.name.is_empty() { "mimar" } else { &self.party.name }
    }

    async fn acknowledge_at(&self, at: usize, arrived: &[Arrived]) -> Result<(), BrokerFault> {
        let Some(address) = self.party.receives.get(at) else { return Ok(()) };
        let mut command = redis::cmd("XACK");
        command.arg(address).arg(self.group());
        for arrived in arrived {
            command.arg(&arrived.token);
        }
        let mut connection = self.connection.clone();
        command.query_async::<()>(&mut connection).await.map_err(|error| fault(&error))
    }
}

impl Broker for Redis {
    fn remarks(&self) -> Vec<String> {
        self.remarks.clone()
    }

    fn send<'a>(&'a self, messages: &'a [Message]) -> BoxFuture<'a, Outcome> {
        Box::pin(self.send_all(messages))
    }

    fn receive<'a>(
        &'a self,
        at: usize,
        _: &'a (dyn Fn(&str) -> Option<i64> + Sync),
    ) -> BoxFuture<'a, Result<Vec<Arrived>, BrokerFault>> {
        Box::pin(self.receive_at(at))
    }

    fn acknowledge(
        &self,
        at: usize,
        arrived: Vec<Arrived>,
    ) -> BoxFuture<'_, Result<(), BrokerFault>> {
        Box::pin(async move { self.acknowledge_at(at, &arrived).await })
    }
}

async fn open(client: &Client) -> Result<MultiplexedConnection, BrokerFault> {
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(PATIENCE))
        .set_response_timeout(Some(PATIENCE));
    let connecting = client.get_multiplexed_async_connection_with_config(&config);
    connecting.await.map_err(|error| fault(&error))
}

/// What the settings of the server mean, as far as it tells them.
async fn remarks(connection: &mut MultiplexedConnection) -> Result<Vec<String>, BrokerFault> {
    let mut remarks = vec![format!(
        "Redis keeps about the last {KEPT} entries of each stream; who reads more slowly than that loses the oldest."
    )];
    let mut settings = Vec::new();
    for name in ["appendonly", "appendfsync", "maxmemory-policy"] {
        let mut command = redis::cmd("CONFIG");
        command.arg("GET").arg(name);
        match command.query_async::<Vec<String>>(connection).await {
            Ok(pair) => settings.push(pair.into_iter().nth(1).unwrap_or_default()),
            Err(error) if error.is_io_error() => return Err(fault(&error)),
            Err(_) => {
                remarks.push(
                    "Redis does not tell its settings (CONFIG GET is refused): unless it has `appendonly yes` and `appendfsync always`, a \
                     failure can lose what was acknowledged."
                        .to_owned(),
                );
                return Ok(remarks);
            }
        }
    }
    let heals = "`mimar events replay --to broker` sends it again.";
    match &*settings {
        [only, ..] if only != "yes" => remarks.push(format!(
            "Redis has no append-only file (`appendonly no`): what was acknowledged since the last snapshot is lost when the server ends; {heals}"
        )),
        [_, sync, _] if sync != "always" => remarks.push(format!(
            "Redis acknowledges before it syncs (`appendfsync {sync}`): a power failure can lose what was acknowledged; {heals}"
        )),
        _ => {}
    }
    if let Some(policy) = settings.get(2)
        && policy.starts_with("allkeys")
    {
        remarks.push(format!(
            "Redis may throw streams away when its memory is full (`maxmemory-policy {policy}`); `noeviction` refuses instead, and events wait."
        ));
    }
    Ok(remarks)
}

fn arrived(id: String, fields: Option<Vec<Vec<u8>>>) -> Arrived {
    let fields = fields.unwrap_or_default();
    let (pairs, _) = fields.as_chunks::<2>();
    let event = pairs.iter().find(|[name, _]| name == FIELD.as_bytes()).map(|[_, value]| value);
    let envelope = match event {
        Some(event) => Envelope::of_structured(event),
        None => Err(format!("the entry {id} has no field `{FIELD}`, or was deleted")),
    };
    let text = match event {
        Some(event) => shown(event),
        None => fields.iter().map(|field| shown(field)).collect::<Vec<_>>().join(" "),
    };
    Arrived { envelope, text, next: None, token: id }
}

fn fault(error: &RedisError) -> BrokerFault {
    // A group that is gone is made anew with the connection; the others are of a server that is about to be another one.
    const PASSING: [&str; 5] = ["NOGROUP", "READONLY", "LOADING", "MASTERDOWN", "UNBLOCKED"];
    let is_away = error.is_io_error()
        || error.is_timeout()
        || error.is_connection_dropped()
        || error.code().is_some_and(|code| PASSING.contains(&code));
    if is_away { BrokerFault::unreachable(error) } else { BrokerFault::refused(error) }
}

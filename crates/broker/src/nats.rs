//! NATS with JetStream.
//!
//! What is sent goes into a stream of the app's own, which is made where there is none; the identifier (`Nats-Msg-Id`) lets the
//! stream leave out what it has had within its window. What is received comes from whichever stream has the subject, by a durable
//! consumer that waits for acknowledgements.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_nats::jetstream::consumer::{AckPolicy, PullConsumer, pull};
use async_nats::jetstream::context::{PublishError, PublishErrorKind};
use async_nats::jetstream::stream::{Config, StorageType};
use async_nats::jetstream::{self, Context};
use async_nats::{Client, ConnectOptions, Event, HeaderMap, ServerAddr};
use futures_util::future::BoxFuture;
use futures_util::{FutureExt as _, StreamExt as _};
use tokio::sync::{Mutex, Notify};

use crate::message::shown;
use crate::{Address, Arrived, Broker, BrokerFault, Envelope, Message, Outcome, Party, lane};

/// How long is waited for an answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long `receive` waits where there is nothing.
const IDLE: Duration = Duration::from_secs(1);

/// What was delivered and is not acknowledged by then is delivered again.
const ACKNOWLEDGED_WITHIN: Duration = Duration::from_secs(10);

/// How much is delivered without being acknowledged.
const UNACKNOWLEDGED: usize = 200;

/// For how long a stream keeps messages that we have made: as long as events are kept.
const KEPT: Duration = Duration::from_secs(7 * 24 * 3_600);

/// A connection.
pub(crate) struct Nats {
    client: Client,
    context: Context,
    party: Party,
    lost: Arc<Lost>,
    remarks: Vec<String>,
    /// What comes, by the position of its address; made when it is first asked for.
    places: Vec<Mutex<Option<pull::Stream>>>,
}

/// Whether the connection is lost. The library would make another one and go on; what was on its way would be waited for in vain.
#[derive(Default)]
struct Lost {
    is: AtomicBool,
    bell: Notify,
}

impl Lost {
    /// What a future answers, unless the connection is lost before.
    async fn or<T>(
        &self,
        future: impl Future<Output = Result<T, BrokerFault>>,
    ) -> Result<T, BrokerFault> {
        let rung = self.bell.notified();
        let gone = || Err(BrokerFault::unreachable("the connection is lost"));
        if self.is.load(Ordering::Acquire) {
            return gone();
        }
        tokio::select! {
            answer = future => answer,
            () = rung => gone(),
        }
    }
}

impl std::fmt::Debug for Nats {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Nats").field("party", &self.party).finish_non_exhaustive()
    }
}

impl Nats {
    pub async fn connect(address: &Address, party: &Party) -> Result<Self, BrokerFault> {
        let lost = Arc::new(Lost::default());
        let client = client(address, party, &lost).await?;
        let mut context = jetstream::new(client.clone());
        context.set_timeout(PATIENCE);
        let mut remarks = Vec::new();
        if !party.sends.is_empty() {
            remarks = stream(&context, party).await?;
        }
        let places = party.receives.iter().map(|_| Mutex::new(None)).collect();
        Ok(Self { client, context, party: party.clone(), lost, remarks, places })
    }

    async fn send_one(&self, message: &Message) -> Result<(), BrokerFault> {
        let mut headers = HeaderMap::new();
        for (name, value) in &message.headers {
            headers.insert(&**name, &**value);
        }
        headers.insert("Nats-Msg-Id", &*message.id);
        let (subject, data) = (message.address.clone(), message.data.clone());
        let sending = async {
            let sent = self.context.publish_with_headers(subject, headers, data).await;
            let acknowledged = sent.map_err(unsent)?;
            acknowledged.await.map_err(unsent).map(drop)
        };
        self.lost.or(sending).await
    }

    async fn receive_at(&self, at: usize) -> Result<Vec<Arrived>, BrokerFault> {
        let nothing = || BrokerFault::refused("nothing is received there");
        let address = self.party.receives.get(at).ok_or_else(nothing)?;
        let mut place = self.places.get(at).ok_or_else(nothing)?.lock().await;
        if place.is_none() {
            *place = Some(self.lost.or(self.subscribe(address)).await?);
        }
        let Some(messages) = place.as_mut() else { return Err(nothing()) };
        let mut arrived = Vec::new();
        let first = self.lost.or(async { Ok(tokio::time::timeout(IDLE, messages.next()).await) });
        let mut next = match first.await? {
            Err(_) => return Ok(arrived),
            Ok(next) => next,
        };
        loop {
            let message = next.ok_or_else(|| BrokerFault::unreachable("the consumer has ended"))?;
            arrived.push(read(message.map_err(BrokerFault::unreachable)?));
            if arrived.len() >= UNACKNOWLEDGED {
                return Ok(arrived);
            }
            // What is there already comes along.
            match messages.next().now_or_never() {
                Some(more) => next = more,
                None => return Ok(arrived),
            }
        }
    }

    async fn subscribe(&self, address: &str) -> Result<pull::Stream, BrokerFault> {
        let no_place = || BrokerFault::NoPlace {
            address: address.to_owned(),
            mend: "no stream of JetStream keeps this subject; whoever publishes there has to make one",
        };
        let name = self.context.stream_by_subject(address).await;
        let name = name.map_err(|error| match error.kind() {
            jetstream::context::GetStreamByNameErrorKind::NotFound => no_place(),
            _ => refused(error),
        })?;
        let stream = self.context.get_stream(name).await.map_err(refused)?;
        let durable = format!("{}-{address}", self.party.name).replace(['.', '/', ':'], "-");
        let config = pull::Config {
            durable_name: Some(durable.clone()),
            filter_subject: address.to_owned(),
            ack_policy: AckPolicy::Explicit,
            ack_wait: ACKNOWLEDGED_WITHIN,
            max_ack_pending: UNACKNOWLEDGED as i64,
            ..pull::Config::default()
        };
        let consumer: PullConsumer =
            stream.get_or_create_consumer(&durable, config).await.map_err(refused)?;
        let info = consumer.get_info().await.map_err(refused)?;
        if info.num_ack_pending > 0 {
            // Somebody had these and is gone: they come again before what follows them, once their time has run out.
            tokio::time::sleep(info.config.ack_wait).await;
        }
        let messages = consumer.stream().max_messages_per_batch(UNACKNOWLEDGED);
        messages.expires(PATIENCE).messages().await.map_err(refused)
    }
}

impl Broker for Nats {
    fn remarks(&self) -> Vec<String> {
        self.remarks.clone()
    }

    fn send<'a>(&'a self, messages: &'a [Message]) -> BoxFuture<'a, Outcome> {
        Box::pin(lane::send(messages, |message| self.send_one(message)))
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
        _: usize,
        arrived: Vec<Arrived>,
    ) -> BoxFuture<'_, Result<(), BrokerFault>> {
        Box::pin(async move {
            for arrived in arrived {
                let told = self.client.publish(arrived.token, "+ACK".into()).await;
                told.map_err(BrokerFault::unreachable)?;
            }
            self.lost
                .or(async { self.client.flush().await.map_err(BrokerFault::unreachable) })
                .await
        })
    }
}

async fn client(address: &Address, party: &Party, lost: &Arc<Lost>) -> Result<Client, BrokerFault> {
    let lost = Arc::clone(lost);
    let mut options = ConnectOptions::new()
        .name(format!("mimar {}", party.name))
        .connection_timeout(PATIENCE)
        .request_timeout(Some(PATIENCE))
        .require_tls(address.is_encrypted())
        .event_callback(move |event| {
            if matches!(event, Event::Disconnected | Event::Closed) {
                lost.is.store(true, Ordering::Release);
                lost.bell.notify_waiters();
            }
            std::future::ready(())
        });
    match address.credentials() {
        Some((user, Some(password))) => {
            options = options.user_and_password(decoded(user), decoded(password));
        }
        Some((token, None)) => options = options.token(decoded(token)),
        None => {}
    }
    if let Some(file) = address.parameter("creds") {
        let read = std::fs::read_to_string(file).and_then(|text| options.credentials(&text));
        options = read.map_err(|error| BrokerFault::Address {
            reason: format!("the credentials in {file} cannot be read: {error}"),
        })?;
    }
    let scheme = if address.is_encrypted() { "tls" } else { "nats" };
    let servers = address.hosts().split(',').map(|host| format!("{scheme}://{host}").parse());
    let servers: Result<Vec<ServerAddr>, _> = servers.collect();
    let servers = servers.map_err(|error| BrokerFault::Address { reason: error.to_string() })?;
    let connecting = tokio::time::timeout(PATIENCE * 2, options.connect(servers)).await;
    let connected = connecting.map_err(|_| BrokerFault::unreachable("not within ten seconds"))?;
    connected.map_err(BrokerFault::unreachable)
}

/// Makes the stream, or takes the one that is there; what its settings mean.
async fn stream(context: &Context, party: &Party) -> Result<Vec<String>, BrokerFault> {
    let (name, subjects) = match &*party.name {
        "" => ("MIMAR".to_owned(), party.sends.clone()),
        name => (name.to_uppercase(), vec![format!("{name}.>")]),
    };
    let config = Config {
        name: name.clone(),
        subjects,
        storage: StorageType::File,
        max_age: KEPT,
        ..Config::default()
    };
    let mut stream = context.get_or_create_stream(config).await.map_err(refused)?;
    let config = stream.info().await.map_err(refused)?.config.clone();
    let mut remarks = Vec::new();
    if config.storage == StorageType::Memory {
        remarks.push(format!(
            "The stream {name} of NATS keeps messages in memory: what was acknowledged is lost when its server ends."
        ));
    } else if config.num_replicas < 3 {
        remarks.push(format!(
            "The stream {name} of NATS has {}, and JetStream acknowledges before it syncs to the disk unless `sync_interval` is \
             `always`: a power failure can lose what was acknowledged; `mimar events replay --to broker` sends it again.",
            if config.num_replicas == 1 { "one replica" } else { "two replicas" }
        ));
    }
    Ok(remarks)
}

fn read(message: jetstream::Message) -> Arrived {
    let message = message.message;
    let header = |name: &str| {
        let headers = message.headers.as_ref()?;
        // Names differ in case, by who writes them.
        let found = headers.iter().find(|(known, _)| known.to_string().eq_ignore_ascii_case(name));
        found.and_then(|(_, values)| values.first()).map(|value| value.as_str().to_owned())
    };
    let attribute = |name: &str| header(&format!("ce-{name}")).map(|value| decoded(&value));
    let envelope = Envelope::read(header("content-type").as_deref(), attribute, &message.payload);
    let text = shown(&message.payload);
    let token = message.reply.as_ref().map(ToString::to_string).unwrap_or_default();
    Arrived { envelope, text, next: None, token }
}

/// A text whose bytes are percent-encoded where they must be; what is no such text is left as it is.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = tail;
        let code = tail.get(..2).filter(|_| *first == b'%');
        let code = code.and_then(|code| std::str::from_utf8(code).ok());
        match code.and_then(|code| u8::from_str_radix(code, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = tail.get(2..).unwrap_or_default();
            }
            None => bytes.push(*first),
        }
    }
    String::from_utf8(bytes).unwrap_or_else(|_| text.to_owned())
}

/// What is too large stays too large. A stream that is gone is made anew with the connection.
fn unsent(error: PublishError) -> BrokerFault {
    match error.kind() {
        PublishErrorKind::MaxPayloadExceeded => BrokerFault::refused(error),
        _ => BrokerFault::unreachable(error),
    }
}

fn refused(error: impl std::fmt::Display) -> BrokerFault {
    BrokerFault::refused(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_encoded_is_decoded() {
        for (text, meant) in
            [("a%20b%25", "a b%"), ("%C3%A9", "é"), ("50%", "50%"), ("%zz", "%zz"), ("%ff", "%ff")]
        {
            assert_eq!(decoded(text), meant);
        }
    }
}

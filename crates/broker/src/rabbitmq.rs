//! RabbitMQ, by AMQP 0-9-1.
//!
//! What is sent goes to a durable topic exchange that is called after the app, with the address as routing key, persistent and confirmed. What no queue is bound for
//! goes by an alternate exchange to a queue of its own, where it is kept for a week. What is received comes from the queue that is called like the address.

use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::{FutureExt as _, StreamExt as _};
use lapin::message::Delivery;
use lapin::options::{
    BasicAckOptions, BasicConsumeOptions, BasicPublishOptions, BasicQosOptions,
    ConfirmSelectOptions, ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions,
};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{
    BasicProperties, Channel, Confirmation, Connection, ConnectionProperties, Consumer,
    ExchangeKind,
};
use tokio::sync::Mutex;

use crate::message::shown;
use crate::{Address, Arrived, Broker, BrokerFault, Envelope, Message, Outcome, Party, lane};

/// How long is waited for an answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long `receive` waits where there is nothing.
const IDLE: Duration = Duration::from_secs(1);

/// How much is delivered without being acknowledged.
const UNACKNOWLEDGED: u16 = 200;

/// The most messages for which no queue is bound, the oldest of which go.
const UNROUTED: u32 = 100_000;

/// For how long they are kept, in milliseconds: as long as events are.
const KEPT: u32 = 7 * 24 * 3_600 * 1_000;

/// How the attributes of an envelope are called among the headers (AMQP binding of CloudEvents, which reads the second form as well).
const PREFIXES: [&str; 2] = ["cloudEvents:", "cloudEvents_"];

/// A persistent message.
const PERSISTENT: u8 = 2;

/// A connection.
pub(crate) struct RabbitMq {
    connection: Connection,
    sending: Channel,
    exchange: String,
    party: Party,
    remarks: Vec<String>,
    /// What comes, by the position of its address; made when it is first asked for.
    places: Vec<Mutex<Option<Place>>>,
}

/// A queue that is consumed. Its deliveries are acknowledged on its channel.
struct Place {
    channel: Channel,
    deliveries: Consumer,
}

impl std::fmt::Debug for RabbitMq {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RabbitMq").field("party", &self.party).finish_non_exhaustive()
    }
}

impl RabbitMq {
    pub async fn connect(address: &Address, party: &Party) -> Result<Self, BrokerFault> {
        let name = format!("mimar {}", party.name);
        let properties = ConnectionProperties::default().with_connection_name(name.into());
        let connection = in_time(Connection::connect(address.reveal(), properties)).await?;
        let exchange = if party.name.is_empty() { "mimar" } else { &party.name };
        let mut remarks = Vec::new();
        if !party.sends.is_empty() {
            make(&connection, exchange).await?;
            remarks = vec![
                format!(
                    "Events for which no queue is bound to the exchange `{exchange}` of RabbitMQ wait in the queue `{exchange}.unrouted`, {UNROUTED} at \
                     most, for a week."
                ),
                "RabbitMQ confirms what all bound queues have taken: a quorum queue has it on a majority of its nodes, a durable classic queue on the disk of one, \
                 and one that is not durable loses it when its node ends; `mimar events replay --to broker` sends it again."
                    .to_owned(),
            ];
        }
        let sending = in_time(connection.create_channel()).await?;
        in_time(sending.confirm_select(ConfirmSelectOptions::default())).await?;
        let places = party.receives.iter().map(|_| Mutex::new(None)).collect();
        let (exchange, party) = (exchange.to_owned(), party.clone());
        Ok(Self { connection, sending, exchange, party, remarks, places })
    }

    async fn send_one(&self, message: &Message) -> Result<(), BrokerFault> {
        let mut headers = FieldTable::default();
        for (name, value) in &message.attributes {
            let [prefix, _] = PREFIXES;
            let value = AMQPValue::LongString(value.as_str().into());
            headers.insert(format!("{prefix}{name}").into(), value);
        }
        let properties = BasicProperties::default()
            .with_content_type("application/json".into())
            .with_delivery_mode(PERSISTENT)
            .with_message_id(message.id.as_str().into())
            .with_headers(headers);
        let (exchange, address) = (self.exchange.as_str(), message.address.as_str());
        let options = BasicPublishOptions::default();
        let publishing = self.sending.basic_publish(
            exchange.into(),
            address.into(),
            options,
            &message.data,
            properties,
        );
        let confirmed = in_time(async { publishing.await?.await }).await?;
        match confirmed {
            Confirmation::Ack(None) => Ok(()),
            Confirmation::Ack(Some(_)) => Err(BrokerFault::refused("no queue takes the message")),
            Confirmation::Nack(_) => Err(BrokerFault::refused("a queue does not take the message")),
            Confirmation::NotRequested => Err(BrokerFault::refused("it confirms nothing")),
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
        let mut arrived = Vec::new();
        let Ok(mut next) = tokio::time::timeout(IDLE, place.deliveries.next()).await else {
            return Ok(arrived);
        };
        loop {
            let delivery =
                next.ok_or_else(|| BrokerFault::unreachable("the consumer has ended"))?;
            arrived.push(read(&delivery.map_err(BrokerFault::unreachable)?));
            if arrived.len() >= usize::from(UNACKNOWLEDGED) {
                return Ok(arrived);
            }
            // What is there already comes along.
            match place.deliveries.next().now_or_never() {
                Some(more) => next = more,
                None => return Ok(arrived),
            }
        }
    }

    async fn subscribe(&self, address: &str) -> Result<Place, BrokerFault> {
        declare_queue(&self.connection, address, quorum()).await?;
        let channel = in_time(self.connection.create_channel()).await?;
        in_time(channel.basic_qos(UNACKNOWLEDGED, BasicQosOptions::default())).await?;
        let tag = format!("mimar-{}", self.exchange);
        let (options, arguments) = (BasicConsumeOptions::default(), FieldTable::default());
        let consuming = channel.basic_consume(address.into(), tag.into(), options, arguments);
        let deliveries = in_time(consuming).await?;
        Ok(Place { channel, deliveries })
    }

    async fn acknowledge_at(&self, at: usize, arrived: &[Arrived]) -> Result<(), BrokerFault> {
        let Some(place) = self.places.get(at) else { return Ok(()) };
        let place = place.lock().await;
        let last = arrived.last().and_then(|arrived| arrived.token.parse().ok());
        let (Some(place), Some(last)) = (place.as_ref(), last) else { return Ok(()) };
        // All that were delivered before it have been taken in with it, or before.
        let options = BasicAckOptions { multiple: true };
        in_time(place.channel.basic_ack(last, options)).await.map(drop)
    }
}

impl Broker for RabbitMq {
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
        at: usize,
        arrived: Vec<Arrived>,
    ) -> BoxFuture<'_, Result<(), BrokerFault>> {
        Box::pin(async move { self.acknowledge_at(at, &arrived).await })
    }
}

/// Makes the exchange, and where what is not wanted waits; what is there already stays as it is.
async fn make(connection: &Connection, exchange: &str) -> Result<(), BrokerFault> {
    let unrouted = format!("{exchange}.unrouted");
    let mut bounds = FieldTable::default();
    bounds.insert("x-max-length".into(), AMQPValue::LongUInt(UNROUTED));
    bounds.insert("x-message-ttl".into(), AMQPValue::LongUInt(KEPT));
    declare_exchange(connection, &unrouted, ExchangeKind::Fanout, FieldTable::default()).await?;
    declare_queue(connection, &unrouted, bounds).await?;
    let channel = in_time(connection.create_channel()).await?;
    let (name, options) = (unrouted.as_str(), QueueBindOptions::default());
    let binding =
        channel.queue_bind(name.into(), name.into(), "".into(), options, FieldTable::default());
    in_time(binding).await?;
    let mut alternate = FieldTable::default();
    alternate.insert("alternate-exchange".into(), AMQPValue::LongString(unrouted.as_str().into()));
    declare_exchange(connection, exchange, ExchangeKind::Topic, alternate).await
}

async fn declare_exchange(
    connection: &Connection,
    name: &str,
    kind: ExchangeKind,
    arguments: FieldTable,
) -> Result<(), BrokerFault> {
    let asking = ExchangeDeclareOptions { passive: true, ..ExchangeDeclareOptions::default() };
    let channel = in_time(connection.create_channel()).await?;
    let asked = channel.exchange_declare(name.into(), kind.clone(), asking, FieldTable::default());
    if in_time(asked).await.is_ok() {
        return Ok(());
    }
    // A question that was answered with no has ended its channel.
    let channel = in_time(connection.create_channel()).await?;
    let options = ExchangeDeclareOptions { durable: true, ..ExchangeDeclareOptions::default() };
    in_time(channel.exchange_declare(name.into(), kind, options, arguments)).await
}

async fn declare_queue(
    connection: &Connection,
    name: &str,
    arguments: FieldTable,
) -> Result<(), BrokerFault> {
    let asking = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
    let channel = in_time(connection.create_channel()).await?;
    let asked = channel.queue_declare(name.into(), asking, FieldTable::default());
    if in_time(asked).await.is_ok() {
        return Ok(());
    }
    let channel = in_time(connection.create_channel()).await?;
    let options = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
    in_time(channel.queue_declare(name.into(), options, arguments)).await.map(drop)
}

/// A queue that survives the loss of a node.
fn quorum() -> FieldTable {
    let mut arguments = FieldTable::default();
    arguments.insert("x-queue-type".into(), AMQPValue::LongString("quorum".into()));
    arguments
}

fn read(delivery: &Delivery) -> Arrived {
    let headers = delivery.properties.headers().as_ref();
    let header = |name: String| {
        let value = headers?.inner().iter().find(|(known, _)| known.as_str() == name)?.1;
        match value {
            AMQPValue::LongString(text) => {
                Some(String::from_utf8_lossy(text.as_bytes()).into_owned())
            }
            AMQPValue::ShortString(text) => Some(text.as_str().to_owned()),
            _ => None,
        }
    };
    let attribute =
        |name: &str| PREFIXES.iter().find_map(|prefix| header(format!("{prefix}{name}")));
    let content = delivery.properties.content_type().as_ref().map(|content| content.as_str());
    let envelope = Envelope::read(content, attribute, &delivery.data);
    let (text, token) = (shown(&delivery.data), delivery.delivery_tag.to_string());
    Arrived { envelope, text, next: None, token }
}

async fn in_time<T>(
    asking: impl Future<Output = Result<T, lapin::Error>>,
) -> Result<T, BrokerFault> {
    match tokio::time::timeout(PATIENCE, asking).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error)) => Err(BrokerFault::unreachable(error)),
        Err(_) => Err(BrokerFault::unreachable("not within ten seconds")),
    }
}

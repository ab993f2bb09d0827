//! RabbitMQ.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use engine::exchange::Notice;
use lapin::options::{
    BasicAckOptions, BasicGetOptions, BasicPublishOptions, ConfirmSelectOptions,
    ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions,
};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties, ExchangeKind};
use testbed::RabbitMq;
use tokio::runtime::Runtime;

use crate::peer::{Peer, SAID, Seen};
use crate::scene::{self, Place, TALK, until};
use crate::world::On;

pub struct Server {
    rabbitmq: RabbitMq,
    runtime: Runtime,
}

impl Server {
    pub fn start() -> Self {
        Self { rabbitmq: RabbitMq::start(), runtime: Runtime::new().unwrap() }
    }

    async fn channel(&self) -> (Connection, Channel) {
        let began = Instant::now();
        let connection = loop {
            let properties = ConnectionProperties::default();
            match Connection::connect(&self.rabbitmq.url(), properties).await {
                Ok(connection) => break connection,
                // A broker that has just started, on a machine that does much else.
                Err(_) if began.elapsed() < Duration::from_secs(30) => {
                    tokio::time::sleep(Duration::from_millis(200)).await;
                }
                Err(error) => panic!("{error}"),
            }
        };
        let channel = connection.create_channel().await.unwrap();
        (connection, channel)
    }

    /// All that waits in a queue.
    fn take(&self, queue: &str) -> Vec<Seen> {
        self.runtime.block_on(async {
            let (_connection, channel) = self.channel().await;
            let mut seen = Vec::new();
            let options = BasicGetOptions::default;
            while let Some(message) = channel.basic_get(queue.into(), options()).await.unwrap() {
                message.ack(BasicAckOptions::default()).await.unwrap();
                let properties = &message.properties;
                assert_eq!(*properties.delivery_mode(), Some(2));
                assert_eq!(
                    properties.content_type().as_ref().unwrap().as_str(),
                    "application/json"
                );
                let headers = properties.headers().as_ref().unwrap().inner().iter();
                let attributes: BTreeMap<String, String> = headers
                    .filter_map(|(name, value)| {
                        let name = name.as_str().strip_prefix("cloudEvents:")?.to_owned();
                        let AMQPValue::LongString(value) = value else { return None };
                        Some((name, value.to_string()))
                    })
                    .collect();
                assert_eq!(properties.message_id().as_ref().unwrap().as_str(), attributes["id"]);
                let data = serde_json::from_slice(&message.data).unwrap();
                seen.push(Seen { key: None, attributes, data });
            }
            seen
        })
    }
}

/// A queue beside the one that is received from, with the same messages.
fn beside(address: &str) -> String {
    format!("{address}.seen")
}

impl Peer for Server {
    fn url(&self) -> String {
        self.rabbitmq.url()
    }

    fn kill(&mut self) {
        self.rabbitmq.kill();
    }

    fn again(&mut self) {
        self.rabbitmq.again();
    }

    fn wipe(&mut self) {
        self.rabbitmq.wipe();
    }

    fn prepare(&self, address: &str) {
        self.runtime.block_on(async {
            let (_connection, channel) = self.channel().await;
            let options = ExchangeDeclareOptions { durable: true, ..Default::default() };
            let none = FieldTable::default;
            let declared =
                channel.exchange_declare("talk".into(), ExchangeKind::Topic, options, none());
            declared.await.unwrap();
            for queue in [address.to_owned(), beside(address)] {
                let options = QueueDeclareOptions { durable: true, ..Default::default() };
                channel.queue_declare(queue.as_str().into(), options, none()).await.unwrap();
                let options = QueueBindOptions::default();
                let (queue, exchange) = (queue.as_str().into(), "talk".into());
                channel.queue_bind(queue, exchange, address.into(), options, none()).await.unwrap();
            }
        });
    }

    fn seen(&self, address: &str) -> Vec<Seen> {
        self.take(&beside(address))
    }

    fn send(&self, address: &str, attributes: &[(&str, &str)], data: &str) {
        let mut headers = FieldTable::default();
        for (name, value) in attributes {
            let value = AMQPValue::LongString((*value).into());
            headers.insert(format!("cloudEvents:{name}").into(), value);
        }
        self.runtime.block_on(async {
            let (_connection, channel) = self.channel().await;
            channel.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
            let properties = BasicProperties::default().with_headers(headers);
            let options = BasicPublishOptions::default();
            let (exchange, key) = ("".into(), address.into());
            let sent = channel.basic_publish(exchange, key, options, data.as_bytes(), properties);
            assert!(sent.await.unwrap().await.unwrap().is_ack());
        });
    }
}

#[test]
fn everything_arrives() {
    for on in [On::Sqlite, On::Postgres] {
        scene::everything_arrives(&Server::start(), on);
    }
}

#[test]
fn what_cannot_be_read() {
    for on in [On::Sqlite, On::Postgres] {
        scene::what_cannot_be_read(&Server::start(), on);
    }
}

/// What no queue is bound for is kept, and that is said.
#[test]
fn what_nobody_wants_is_not_lost() {
    let server = Server::start();
    let mut talk = Place::new(On::Sqlite, TALK);
    talk.open(&server.url());
    until("connected", || talk.has_been_told(|_| true));
    talk.say(1, 1);
    until("it is sent", || talk.waiting() == 0);
    let kept = server.take("talk.unrouted");
    assert_eq!(kept.len(), 1);
    assert_eq!(kept[0].attributes["type"], SAID);
    let notices = talk.notices.lock();
    let Some(Notice::Connected(remarks)) = notices.first() else { panic!("{notices:?}") };
    let all = remarks.join(" ");
    assert!(all.contains("talk.unrouted") && all.contains("not durable"), "{all}");
}

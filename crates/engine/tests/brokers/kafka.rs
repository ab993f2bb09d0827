//! Kafka, as the mock cluster of `librdkafka` plays it: another implementation of the protocol, which keeps what it has in memory.

use std::collections::BTreeMap;
use std::time::Duration;

use engine::exchange::Notice;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::message::{Header, Headers as _, Message as _, OwnedHeaders};
use rdkafka::mocking::MockCluster;
use rdkafka::producer::{BaseProducer, BaseRecord, DefaultProducerContext, Producer as _};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};

use crate::peer::{Peer, SAID, Seen};
use crate::scene::{self, Place, TALK, until};
use crate::world::On;

const PARTITIONS: i32 = 3;

pub struct Server {
    cluster: MockCluster<'static, DefaultProducerContext>,
}

impl Server {
    pub fn start() -> Self {
        Self { cluster: MockCluster::new(1).unwrap() }
    }

    fn client(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", self.cluster.bootstrap_servers());
        config.set("group.id", "seen").set("message.timeout.ms", "10000");
        config
    }
}

impl Peer for Server {
    fn url(&self) -> String {
        format!("kafka://{}", self.cluster.bootstrap_servers())
    }

    fn kill(&mut self) {
        self.cluster.broker_down(1).unwrap();
    }

    fn again(&mut self) {
        self.cluster.broker_up(1).unwrap();
    }

    /// Another cluster.
    fn wipe(&mut self) {
        *self = Self::start();
    }

    fn prepare(&self, address: &str) {
        self.cluster.create_topic(address, PARTITIONS, 1).unwrap();
    }

    fn seen(&self, address: &str) -> Vec<Seen> {
        let consumer: BaseConsumer = self.client().create().unwrap();
        let mut places = TopicPartitionList::new();
        for partition in 0..PARTITIONS {
            places.add_partition_offset(address, partition, Offset::Beginning).unwrap();
        }
        consumer.assign(&places).unwrap();
        let ends = (0..PARTITIONS).map(|partition| {
            consumer.fetch_watermarks(address, partition, Duration::from_secs(10)).unwrap().1
        });
        let total: i64 = ends.sum();
        let (mut seen, mut partitions) = (Vec::new(), BTreeMap::new());
        while (seen.len() as i64) < total {
            let message = consumer.poll(Duration::from_secs(10)).unwrap().unwrap();
            let headers: BTreeMap<&str, &str> = message
                .headers()
                .unwrap()
                .iter()
                .map(|header| (header.key, std::str::from_utf8(header.value.unwrap()).unwrap()))
                .collect();
            assert_eq!(headers["content-type"], "application/json");
            let attributes = headers.iter().filter_map(|(name, value)| {
                Some((name.strip_prefix("ce_")?.to_owned(), (*value).to_owned()))
            });
            let key = String::from_utf8(message.key().unwrap().to_vec()).unwrap();
            // All of one key are in one partition.
            let partition = *partitions.entry(key.clone()).or_insert(message.partition());
            assert_eq!(partition, message.partition());
            let data = serde_json::from_slice(message.payload().unwrap()).unwrap();
            seen.push(Seen { key: Some(key), attributes: attributes.collect(), data });
        }
        seen
    }

    fn send(&self, address: &str, attributes: &[(&str, &str)], data: &str) {
        let producer: BaseProducer = self.client().create().unwrap();
        let mut headers = OwnedHeaders::new();
        for (name, value) in attributes {
            headers = headers.insert(Header { key: &format!("ce_{name}"), value: Some(*value) });
        }
        let record = BaseRecord::to(address).key("1").payload(data).headers(headers);
        producer.send(record).map_err(|(error, _)| error).unwrap();
        producer.flush(Duration::from_secs(10)).unwrap();
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

/// What was read is not read again by who comes later: its position is kept.
#[test]
fn a_position_is_kept() {
    let server = Server::start();
    server.prepare(SAID);
    let mut listen = Place::new(On::Sqlite, scene::LISTEN);
    listen.world.ask(r#"add user Ear {"id":1}"#);
    listen.open(&server.url());
    let say = |line: u64| {
        let id = line.to_string();
        let envelope = [("specversion", "1.0"), ("id", &*id), ("source", "/else"), ("type", "t")];
        server.send(SAID, &envelope, &format!(r#"{{"topic": 1, "line": {line}}}"#));
    };
    (1..=5).for_each(say);
    until("the first are heard", || listen.hears(1) == 5);
    listen.vanish();
    say(6);
    listen.open(&server.url());
    until("the next is heard", || listen.hears(1) == 6);
    assert_eq!(listen.world.engine.traffic().unwrap().received, 6);
    let positions = listen.world.runtime.block_on(listen.world.store.positions()).unwrap();
    assert_eq!(positions.iter().map(|(_, next)| next).sum::<i64>(), 6);
}

#[test]
fn remarks() {
    let server = Server::start();
    let mut talk = Place::new(On::Sqlite, TALK);
    talk.open(&server.url());
    until("connected", || talk.has_been_told(|_| true));
    let notices = talk.notices.lock();
    let Some(Notice::Connected(remarks)) = notices.first() else { panic!("{notices:?}") };
    assert!(remarks.join(" ").contains("flush.messages"), "{remarks:?}");
}

#[test]
#[ignore = "needs the libraries that `cargo xtask test` installs"]
fn the_library_of_cloudevents_reads_it() {
    scene::the_library_of_cloudevents_reads_it(&Server::start(), "kafka");
}

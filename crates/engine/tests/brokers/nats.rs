//! NATS with JetStream.

use std::time::Duration;

use async_nats::HeaderMap;
use async_nats::jetstream::{self, consumer, stream};
use engine::exchange::Notice;
use futures_util::StreamExt as _;
use testbed::Nats;
use tokio::runtime::Runtime;

use crate::peer::{Peer, SAID, Seen};
use crate::scene::{self, LISTEN, Place, TALK, all, lines, until};
use crate::world::{On, World};

pub struct Server {
    nats: Nats,
    runtime: Runtime,
}

impl Server {
    pub fn start() -> Self {
        Self { nats: Nats::start(), runtime: Runtime::new().unwrap() }
    }

    async fn context(&self) -> jetstream::Context {
        jetstream::new(async_nats::connect(self.nats.url()).await.unwrap())
    }
}

impl Peer for Server {
    fn url(&self) -> String {
        self.nats.url()
    }

    fn kill(&mut self) {
        self.nats.kill();
    }

    fn again(&mut self) {
        self.nats.again();
    }

    fn wipe(&mut self) {
        self.nats.wipe();
    }

    /// Mimar makes the stream.
    fn prepare(&self, _: &str) {}

    fn seen(&self, address: &str) -> Vec<Seen> {
        self.runtime.block_on(async {
            let context = self.context().await;
            let name = context.stream_by_subject(address).await.unwrap();
            let stream = context.get_stream(name).await.unwrap();
            let config = consumer::pull::Config {
                filter_subject: address.to_owned(),
                ..consumer::pull::Config::default()
            };
            let consumer = stream.create_consumer(config).await.unwrap();
            let mut messages = consumer.fetch().max_messages(10_000).messages().await.unwrap();
            let mut seen = Vec::new();
            while let Some(message) = messages.next().await {
                let message = message.unwrap();
                let headers = message.headers.as_ref().unwrap();
                let attributes = headers.iter().filter_map(|(name, values)| {
                    let name = name.to_string().strip_prefix("ce-")?.to_owned();
                    Some((name, values.first()?.to_string()))
                });
                let attributes: std::collections::BTreeMap<_, _> = attributes.collect();
                assert_eq!(headers.get("content-type").unwrap().as_str(), "application/json");
                assert_eq!(headers.get("Nats-Msg-Id").unwrap().as_str(), attributes["id"]);
                let data = serde_json::from_slice(&message.payload).unwrap();
                seen.push(Seen { key: None, attributes, data });
            }
            seen
        })
    }

    fn send(&self, address: &str, attributes: &[(&str, &str)], data: &str) {
        let mut headers = HeaderMap::new();
        for (name, value) in attributes {
            headers.insert(format!("ce-{name}"), *value);
        }
        let (address, data) = (address.to_owned(), data.to_owned());
        self.runtime.block_on(async {
            let context = self.context().await;
            let sent = context.publish_with_headers(address, headers, data.into()).await;
            sent.unwrap().await.unwrap();
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
fn a_commit_wakes_the_relay() {
    for on in [On::Sqlite, On::Postgres] {
        scene::a_commit_wakes_the_relay(&Server::start(), on);
    }
}

#[test]
fn what_cannot_be_read() {
    for on in [On::Sqlite, On::Postgres] {
        scene::what_cannot_be_read(&Server::start(), on);
    }
}

/// Two processes over one database: each event is sent once, and where one is gone the other goes on.
#[test]
fn one_speaks_at_a_time() {
    let server = Server::start();
    let mut first = Place::new(On::Postgres, TALK);
    let mut second = Place::of(first.world.beside());
    first.open(&server.url());
    until("connected", || first.has_been_told(|notice| matches!(notice, Notice::Connected(_))));
    second.open(&server.url());
    for line in 1..=20 {
        for topic in 1..=5 {
            if line % 2 == 0 { first.say(topic, line) } else { second.say(topic, line) }
        }
    }
    until("all is sent", || first.waiting() == 0);
    assert!(!second.has_been_told(|_| true), "{:?}", second.notices);
    let seen = server.seen(SAID);
    assert_eq!((seen.len(), lines(&seen)), (100, all(5, 20)));

    first.vanish();
    let began = std::time::Instant::now();
    for topic in 1..=5 {
        second.say(topic, 21);
    }
    until("the other goes on", || second.waiting() == 0);
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    assert_eq!(second.world.engine.traffic().unwrap().published, 5);
    assert_eq!(lines(&server.seen(SAID)), all(5, 21));
}

/// What the settings of a stream mean is said.
#[test]
fn remarks() {
    let server = Server::start();
    let remarks = |storage| {
        let made = async {
            let context = server.context().await;
            let _ = context.delete_stream("TALK").await;
            let subjects = vec!["talk.>".to_owned()];
            let name = "TALK".to_owned();
            let config = stream::Config { name, subjects, storage, ..stream::Config::default() };
            context.create_stream(config).await.unwrap();
        };
        server.runtime.block_on(made);
        let mut talk = Place::new(On::Sqlite, TALK);
        talk.open(&server.url());
        until("connected", || talk.has_been_told(|_| true));
        let notices = talk.notices.lock();
        let Some(Notice::Connected(remarks)) = notices.first() else { panic!("{notices:?}") };
        remarks.join(" ")
    };
    let said = remarks(stream::StorageType::File);
    assert!(said.contains("one replica") && said.contains("sync_interval"), "{said}");
    let said = remarks(stream::StorageType::Memory);
    assert!(said.contains("in memory"), "{said}");
}

/// Nothing can come from a subject that no stream has: that is said, once.
#[test]
fn a_subject_without_a_stream_is_told() {
    let server = Server::start();
    let mut listen = Place::of(World::new(On::Sqlite, LISTEN));
    listen.open(&server.url());
    until("it is told", || listen.has_been_told(|notice| matches!(notice, Notice::NoPlace(_))));
    let told = format!("{:?}", listen.notices.lock());
    assert!(told.contains(SAID) && !told.contains("Away"), "{told}");
}

#[test]
#[ignore = "needs the libraries that `cargo xtask test` installs"]
fn the_library_of_cloudevents_reads_it() {
    scene::the_library_of_cloudevents_reads_it(&Server::start(), "nats");
}

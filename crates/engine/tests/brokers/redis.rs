//! Streams of Redis.

use std::collections::BTreeMap;

use engine::exchange::Notice;
use redis::{Client, Connection, Value};
use testbed::Redis;

use crate::peer::{Peer, Seen};
use crate::scene::{self, Place, TALK, until};
use crate::world::On;

pub struct Server {
    redis: Redis,
}

impl Server {
    pub fn start() -> Self {
        Self { redis: Redis::start() }
    }

    fn connection(&self) -> Connection {
        Client::open(self.redis.url()).unwrap().get_connection().unwrap()
    }

    fn set(&self, name: &str, value: &str) {
        let mut connection = self.connection();
        redis::cmd("CONFIG").arg("SET").arg(name).arg(value).exec(&mut connection).unwrap();
    }
}

impl Peer for Server {
    fn url(&self) -> String {
        self.redis.url()
    }

    fn kill(&mut self) {
        self.redis.kill();
    }

    fn again(&mut self) {
        self.redis.again();
    }

    fn wipe(&mut self) {
        self.redis.wipe();
    }

    /// Whoever adds to a stream makes it.
    fn prepare(&self, _: &str) {}

    fn seen(&self, address: &str) -> Vec<Seen> {
        let mut connection = self.connection();
        let mut command = redis::cmd("XRANGE");
        command.arg(address).arg("-").arg("+");
        let entries: Vec<(String, Vec<(String, String)>)> = command.query(&mut connection).unwrap();
        let seen = entries.into_iter().map(|(_, fields)| {
            let [(field, event)] = &*fields else { panic!("{fields:?}") };
            assert_eq!(field, "event");
            let serde_json::Value::Object(mut event) = serde_json::from_str(event).unwrap() else {
                panic!("{event}")
            };
            let data = event.remove("data").unwrap();
            assert_eq!(event.remove("datacontenttype").unwrap(), "application/json");
            let attributes: BTreeMap<String, String> = event
                .into_iter()
                .map(|(name, value)| (name, value.as_str().unwrap().to_owned()))
                .collect();
            Seen { key: None, attributes, data }
        });
        seen.collect()
    }

    fn send(&self, address: &str, attributes: &[(&str, &str)], data: &str) {
        let event = if attributes.is_empty() {
            data.to_owned()
        } else {
            let members = attributes.iter().map(|(name, value)| format!(r#""{name}":"{value}","#));
            format!(r#"{{{}"data":{data}}}"#, members.collect::<String>())
        };
        let mut connection = self.connection();
        let mut command = redis::cmd("XADD");
        command.arg(address).arg("*").arg("event").arg(event);
        let _: Value = command.query(&mut connection).unwrap();
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

#[test]
fn remarks() {
    let server = Server::start();
    for (name, value, said) in [
        ("appendfsync", "always", None),
        ("appendfsync", "everysec", Some("appendfsync everysec")),
        ("maxmemory-policy", "allkeys-lru", Some("maxmemory-policy allkeys-lru")),
        ("appendonly", "no", Some("appendonly no")),
    ] {
        server.set(name, value);
        let mut talk = Place::new(On::Sqlite, TALK);
        talk.open(&server.url());
        until("connected", || talk.has_been_told(|_| true));
        let notices = talk.notices.lock();
        let Some(Notice::Connected(remarks)) = notices.first() else { panic!("{notices:?}") };
        let all = remarks.join(" ");
        assert!(all.contains("1000000 entries"), "{all}");
        match said {
            Some(said) => assert!(all.contains(said), "{all}"),
            None => assert_eq!(remarks.len(), 1, "{all}"),
        }
    }
}

#[test]
#[ignore = "needs the libraries that `cargo xtask test` installs"]
fn the_library_of_cloudevents_reads_it() {
    scene::the_library_of_cloudevents_reads_it(&Server::start(), "redis");
}

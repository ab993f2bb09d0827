//! Events, sent to brokers and received from them: real ones, which these tests start, end and rob of their data.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test ends where it cannot go on")]

mod bound;
mod kafka;
mod nats;
mod peer;
mod rabbitmq;
mod redis;
mod scene;
#[expect(dead_code, reason = "the scenes of commands ask more of a world")]
#[path = "../commands/world.rs"]
mod world;

use std::time::Duration;

use crate::world::On;

/// Each is away for half a minute, and then loses its data. All at once: for most of the time nobody does anything.
#[test]
fn what_a_broker_misses() {
    let away = Duration::from_secs(30);
    std::thread::scope(|scope| {
        for on in [On::Sqlite, On::Postgres] {
            scope.spawn(move || scene::what_a_broker_misses(&mut nats::Server::start(), on, away));
            scope.spawn(move || scene::what_a_broker_misses(&mut redis::Server::start(), on, away));
            scope.spawn(move || scene::what_a_broker_misses(&mut kafka::Server::start(), on, away));
            scope.spawn(move || {
                scene::what_a_broker_misses(&mut rabbitmq::Server::start(), on, away);
            });
        }
    });
}

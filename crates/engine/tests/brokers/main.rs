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

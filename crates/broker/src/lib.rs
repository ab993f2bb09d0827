//! Brokers: what sends events to others, and what others send comes from.
//!
//! The crate knows neither the model nor the database. A [`Message`] is an event in the words of CloudEvents 1.0, ready to be sent; an
//! [`Arrived`] is one that has come. A [`Broker`] is one connection: where it fails, it is dropped and another one is made, by
//! whoever uses it and when they like. What each broker calls the place that an event is sent to or comes from (its address): a
//! subject of NATS, a routing key and a queue of RabbitMQ, a stream of Redis, a topic of Kafka.

#![cfg_attr(
    not(any(feature = "kafka", feature = "nats", feature = "rabbitmq", feature = "redis")),
    expect(dead_code, unused_variables, reason = "nobody is there to speak with")
)]

mod address;
mod fault;
#[cfg(feature = "kafka")]
mod kafka;
#[cfg(any(feature = "nats", feature = "rabbitmq"))]
mod lane;
mod message;
#[cfg(feature = "nats")]
mod nats;
#[cfg(feature = "rabbitmq")]
mod rabbitmq;
#[cfg(feature = "redis")]
mod redis;

use futures_util::future::BoxFuture;

pub use address::{Address, Kind};
pub use fault::BrokerFault;
pub use message::{Arrived, Envelope, Message};

/// What a process is called at a broker, and what it exchanges there.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Party {
    /// The app, in kebab case: `shop`. What is made at the broker is named after it.
    pub name: String,
    /// The addresses of what it sends: `shop.sales.OrderPaid.v1`.
    pub sends: Vec<String>,
    /// The addresses of what it receives.
    pub receives: Vec<String>,
}

/// What came of sending.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Of each message, whether the broker has acknowledged it.
    pub acknowledged: Vec<bool>,
    /// Why others were not, one reason for all.
    pub fault: Option<BrokerFault>,
}

/// A connection to a broker. Everything that it does ends within seconds, well or badly.
pub trait Broker: std::fmt::Debug + Send + Sync {
    /// What the settings of the broker mean for what it has acknowledged, in plain sentences.
    fn remarks(&self) -> Vec<String>;

    /// Sends messages. One is sent only when all before it that have its address and key are acknowledged, or together with them, so that
    /// all or none arrive.
    fn send<'a>(&'a self, messages: &'a [Message]) -> BoxFuture<'a, Outcome>;

    /// What has come to one of [`Party::receives`], by its position, in the order in which it came; waits for a second where there
    /// is nothing. `position` is where to begin, where the broker does not keep that itself ([`Arrived::next`]) and it is known.
    ///
    /// What is not acknowledged comes again, over another connection, before what came after it.
    fn receive<'a>(
        &'a self,
        at: usize,
        position: &'a (dyn Fn(&str) -> Option<i64> + Sync),
    ) -> BoxFuture<'a, Result<Vec<Arrived>, BrokerFault>>;

    /// Acknowledges what has come to an address.
    fn acknowledge(
        &self,
        at: usize,
        arrived: Vec<Arrived>,
    ) -> BoxFuture<'_, Result<(), BrokerFault>>;
}

/// Connects to a broker, and makes there what the party needs to send.
///
/// # Errors
/// [`BrokerFault`].
pub async fn connect(address: &Address, party: &Party) -> Result<Box<dyn Broker>, BrokerFault> {
    let kind = address.kind();
    #[cfg(feature = "kafka")]
    if kind == Kind::Kafka {
        return Ok(Box::new(kafka::Kafka::connect(address, party).await?));
    }
    #[cfg(feature = "nats")]
    if kind == Kind::Nats {
        return Ok(Box::new(nats::Nats::connect(address, party).await?));
    }
    #[cfg(feature = "rabbitmq")]
    if kind == Kind::RabbitMq {
        return Ok(Box::new(rabbitmq::RabbitMq::connect(address, party).await?));
    }
    #[cfg(feature = "redis")]
    if kind == Kind::Redis {
        return Ok(Box::new(redis::Redis::connect(address, party).await?));
    }
    Err(BrokerFault::NotBuilt { kind })
}

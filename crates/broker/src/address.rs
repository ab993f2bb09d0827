//! Where a broker is.

use std::fmt;
use std::str::FromStr;

use crate::BrokerFault;

/// Which broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// NATS with JetStream.
    Nats,
    /// RabbitMQ, by AMQP 0-9-1.
    RabbitMq,
    /// Streams of Redis.
    Redis,
    /// Kafka.
    Kafka,
}

/// The schemes of addresses, what each is, and whether the connection is encrypted.
const SCHEMES: [(&str, Kind, bool); 8] = [
    ("nats", Kind::Nats, false),
    ("tls", Kind::Nats, true),
    ("amqp", Kind::RabbitMq, false),
    ("amqps", Kind::RabbitMq, true),
    ("redis", Kind::Redis, false),
    ("rediss", Kind::Redis, true),
    ("kafka", Kind::Kafka, false),
    ("kafkas", Kind::Kafka, true),
];

impl Kind {
    /// By the word that a model has for it.
    pub fn of_word(word: &str) -> Option<Self> {
        match word {
            "nats" => Some(Self::Nats),
            "rabbitmq" => Some(Self::RabbitMq),
            "redis" => Some(Self::Redis),
            "kafka" => Some(Self::Kafka),
            _ => None,
        }
    }

    /// The feature of the build that brings it, which is also what a model calls it.
    pub fn feature(self) -> &'static str {
        match self {
            Self::Nats => "nats",
            Self::RabbitMq => "rabbitmq",
            Self::Redis => "redis",
            Self::Kafka => "kafka",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Nats => "NATS",
            Self::RabbitMq => "RabbitMQ",
            Self::Redis => "Redis",
            Self::Kafka => "Kafka",
        })
    }
}

/// The address of a broker: `nats://user:password@host:4222`. What is shown of it has neither user nor password.
#[derive(Clone, PartialEq, Eq)]
pub struct Address {
    kind: Kind,
    encrypted: bool,
    text: String,
}

impl Address {
    /// Which broker it is of.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Whether the connection is encrypted (TLS).
    pub fn is_encrypted(&self) -> bool {
        self.encrypted
    }

    /// As it was given, with its password.
    pub fn reveal(&self) -> &str {
        &self.text
    }

    /// What is behind the scheme, user and password: hosts, path and parameters.
    pub(crate) fn rest(&self) -> &str {
        let rest = self.text.split_once("://").map_or(&*self.text, |(_, rest)| rest);
        rest.rsplit_once('@').map_or(rest, |(_, rest)| rest)
    }

    /// The hosts, without path and parameters.
    pub(crate) fn hosts(&self) -> &str {
        self.rest().split(['/', '?']).next().unwrap_or_default()
    }

    /// User and password, or a token alone, as they stand in the address.
    #[cfg(any(feature = "kafka", feature = "nats"))]
    pub(crate) fn credentials(&self) -> Option<(&str, Option<&str>)> {
        let rest = self.text.split_once("://").map_or(&*self.text, |(_, rest)| rest);
        let (credentials, _) = rest.rsplit_once('@')?;
        Some(match credentials.split_once(':') {
            Some((user, password)) => (user, Some(password)),
            None => (credentials, None),
        })
    }

    /// A parameter behind the question mark.
    #[cfg(any(feature = "kafka", feature = "nats"))]
    pub(crate) fn parameter(&self, name: &str) -> Option<&str> {
        let (_, query) = self.rest().split_once('?')?;
        query
            .split('&')
            .find_map(|pair| pair.split_once('=').filter(|(key, _)| *key == name))
            .map(|(_, value)| value)
    }
}

impl FromStr for Address {
    type Err = BrokerFault;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = |reason: &str| BrokerFault::Address { reason: reason.to_owned() };
        let (scheme, _) =
            text.split_once("://").ok_or_else(|| wrong("there is no `://` in the address"))?;
        let known = SCHEMES.iter().find(|(known, ..)| *known == scheme);
        let (_, kind, encrypted) =
            known.ok_or_else(|| wrong("the address is of no broker that is known"))?;
        let address = Self { kind: *kind, encrypted: *encrypted, text: text.to_owned() };
        if address.hosts().is_empty() || text.chars().any(|c| c.is_whitespace() || c.is_control()) {
            return Err(wrong("the address names no host"));
        }
        Ok(address)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = self.text.split_once("://").map_or("", |(scheme, _)| scheme);
        write!(f, "{scheme}://{}", self.hosts())
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_shown_without_its_password() {
        let address: Address =
            "nats://ann:s3cret@a.example:4222,b.example:4222/x?creds=/f".parse().unwrap();
        assert_eq!(address.to_string(), "nats://a.example:4222,b.example:4222");
        assert_eq!(format!("{address:?}"), address.to_string());
        assert_eq!((address.kind(), address.is_encrypted()), (Kind::Nats, false));
        let address: Address = "amqps://x".parse().unwrap();
        assert_eq!((address.kind(), address.is_encrypted()), (Kind::RabbitMq, true));
    }

    #[test]
    fn what_is_no_address_is_refused_and_not_shown() {
        for text in
            ["localhost:4222", "http://s3cret@host", "nats://", "redis://u:s3cret@", "kafka://a b"]
        {
            let fault = text.parse::<Address>().unwrap_err().to_string();
            assert!(!fault.contains("s3cret") && fault.contains("nats://"), "{fault}");
        }
    }
}

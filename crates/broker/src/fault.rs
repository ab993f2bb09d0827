//! What can go wrong with a broker.

use crate::Kind;

/// Why a broker does not do what it shall.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BrokerFault {
    /// The address is none. What it is is not told: it may hold a password.
    #[error(
        "{reason}; an address is nats://, tls://, amqp://, amqps://, redis://, rediss:// or kafka://, then [user:password@]host:port"
    )]
    Address {
        /// Why.
        reason: String,
    },
    /// This program was built without it.
    #[error("this program was built without {kind}: build it with the feature `{}`", kind.feature())]
    NotBuilt {
        /// The broker.
        kind: Kind,
    },
    /// It does not answer, or not any more.
    #[error("the broker does not answer: {reason}")]
    Unreachable {
        /// Why.
        reason: String,
    },
    /// It answers, and refuses, as it would over any other connection.
    #[error("the broker refuses: {reason}")]
    Refused {
        /// Why.
        reason: String,
    },
    /// There is no place of this address, so that nothing can come from there.
    #[error("the broker has no `{address}`: {mend}")]
    NoPlace {
        /// The address.
        address: String,
        /// What has to be done.
        mend: &'static str,
    },
}

impl BrokerFault {
    pub(crate) fn unreachable(reason: impl std::fmt::Display) -> Self {
        Self::Unreachable { reason: reason.to_string() }
    }

    pub(crate) fn refused(reason: impl std::fmt::Display) -> Self {
        Self::Refused { reason: reason.to_string() }
    }
}

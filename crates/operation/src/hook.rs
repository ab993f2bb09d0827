//! Webhooks: who is told of events, and how far it has come.
//!
//! A partner's address is an *endpoint*, one event on its way to one endpoint is a *delivery*. Both are rows, beside those of
//! tasks; moments are in microseconds since 1970-01-01T00:00:00Z.

use crate::Settled;

/// What becomes of endpoints and deliveries.
#[derive(Debug, Clone, PartialEq)]
pub enum Hook {
    /// Makes an endpoint: the answer is its number.
    Add {
        /// Of which webhook of the model.
        webhook: Box<str>,
        /// Where it is.
        url: Box<str>,
        /// What its deliveries are signed with.
        secret: Box<str>,
        /// Now.
        now: i64,
    },
    /// All endpoints: the answer is an array, and no secret is in it.
    List,
    /// Ends an endpoint, with its deliveries: the answer is how many there were.
    Remove {
        /// Which.
        endpoint: i64,
    },
    /// Sends to an endpoint again, what waits for it first.
    Enable {
        /// Which.
        endpoint: i64,
        /// Now.
        now: i64,
    },
    /// Sends nothing to an endpoint any more: events that happen meanwhile are not kept for it.
    Disable {
        /// Which.
        endpoint: i64,
        /// Why.
        reason: Box<str>,
    },
    /// Signs with another secret; the one before holds for a while beside it.
    Rotate {
        /// Of which endpoint.
        endpoint: i64,
        /// The new one.
        secret: Box<str>,
        /// Now.
        now: i64,
        /// Until when the one before holds.
        until: i64,
    },
    /// The newest deliveries: the answer is an array.
    Deliveries {
        /// To which endpoint; to all if none is named.
        endpoint: Option<i64>,
        /// The most.
        most: i64,
    },
    /// Sends events again that are still kept, some at a time: the answer is an array of how many, and of the number of the
    /// last, null when there are no more.
    Replay {
        /// To which endpoint.
        endpoint: i64,
        /// Names of events: a JSON array as text.
        names: Box<str>,
        /// Those that were published since.
        since: i64,
        /// Those behind this number.
        after: i64,
        /// Now.
        now: i64,
        /// The most.
        most: i64,
    },
    /// Ends a task that is about an event, and makes a delivery of it for every endpoint that is enabled.
    Spread {
        /// Which.
        task: Settled,
        /// To the endpoints of which webhook.
        webhook: Box<str>,
        /// Now.
        now: i64,
    },
    /// Takes deliveries that are due, of each endpoint a few and of each lane of it the first: the answer is an array of
    /// endpoints with what is sent to each.
    Take {
        /// Now.
        now: i64,
        /// Until when they are the taker's; whoever comes later takes them again.
        until: i64,
        /// The most at once to one endpoint. It is one where the last attempt has failed, so that an endpoint that does not
        /// answer takes no room from those that do.
        each: i64,
        /// The most.
        most: i64,
    },
    /// Notes that a delivery has arrived.
    Arrived {
        /// Which.
        delivery: Settled,
        /// The status of the answer.
        status: i64,
        /// Now.
        now: i64,
    },
    /// Notes that an attempt has failed.
    Failed(Box<Failed>),
    /// Gives all deliveries back, whoever has taken them: where it is known that nobody else sends any.
    Release {
        /// Now.
        now: i64,
    },
    /// Forgets deliveries that were made before and are over, a thousand at most; the answer is how many. What still waits for
    /// an endpoint that is disabled is over then.
    Forget {
        /// Before when.
        before: i64,
    },
}

/// An attempt that has failed.
#[derive(Debug, Clone, PartialEq)]
pub struct Failed {
    /// Of which delivery.
    pub delivery: Settled,
    /// The status of the answer, if there was one.
    pub status: Option<i64>,
    /// Why, in a few words.
    pub reason: Box<str>,
    /// Now.
    pub now: i64,
    /// When it is tried again; `None`: never by itself, it is parked.
    pub due: Option<i64>,
    /// Nothing is sent to the endpoint before: it has asked for that. 0 if it has not.
    pub resumes: i64,
    /// Whether the endpoint said that it is gone: it is disabled.
    pub gone: bool,
}

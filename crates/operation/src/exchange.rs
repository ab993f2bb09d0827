//! What goes to a broker, and what comes from one.

use crate::{Published, Settled};

/// What stands among those who hear an event where it is sent to the broker: not a task, but a row of what goes out.
pub const BROKER: &str = "broker";

/// How the target of a task begins that reads once more what came and could not be read; the event's name is behind it.
pub const ARRIVED: &str = "arrived ";

/// Work on what goes to a broker and what comes from one. Moments are in microseconds since 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, PartialEq)]
pub enum Exchange {
    /// Makes a process the one that speaks with the broker, or lets it be so for longer. The answer is `true`, or `false` where
    /// another one is.
    Hold {
        /// Who asks.
        holder: [u8; 16],
        /// Now.
        now: i64,
        /// Until when it shall be the one; whoever asks later takes its place.
        until: i64,
    },
    /// Ends that, so that nobody has to wait.
    Yield {
        /// Who it was.
        holder: [u8; 16],
    },
    /// Events have been acknowledged by the broker and wait no longer.
    Sent {
        /// Their numbers among those that wait.
        numbers: Vec<i64>,
    },
    /// Takes in what has come from the broker, in this order: what came before, from the same source under the same identifier, is
    /// left out; of the rest each becomes an event, and a task for each who hears it.
    Accept(Box<Accept>),
    /// Forgets what came before, a thousand at most: the answer is how many.
    Forget {
        /// Before when.
        before: i64,
    },
}

/// What has come from a broker.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Accept {
    /// Who took it there: if it is not the one any more that speaks with the broker, nothing of this happens. `None` where nobody has to be.
    pub holder: Option<[u8; 16]>,
    /// The parked task that this carries out, which ends with it.
    pub settles: Option<Settled>,
    /// Now.
    pub now: i64,
    /// What could be read.
    pub arrivals: Vec<Arrival>,
    /// What could not be read: it becomes a parked task.
    pub unreadable: Vec<Unreadable>,
    /// How far a place of the broker has been read, by the place's name, where the broker does not keep that itself.
    pub positions: Vec<(Box<str>, i64)>,
}

/// An event of another system.
#[derive(Debug, Clone, PartialEq)]
pub struct Arrival {
    /// Where it happened (CloudEvents' `source`).
    pub source: Box<str>,
    /// Its identifier there (CloudEvents' `id`).
    pub id: Box<str>,
    /// What is kept of it.
    pub event: Published,
    /// The targets of those who hear it.
    pub by: Vec<Box<str>>,
}

/// Something that came and could not be read.
#[derive(Debug, Clone, PartialEq)]
pub struct Unreadable {
    /// The target of the task that would read it again.
    pub target: Box<str>,
    /// What came: a JSON object as text.
    pub content: Box<str>,
    /// Why it could not be read.
    pub reason: Box<str>,
}

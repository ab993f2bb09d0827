//! Work that is done after the transaction that asked for it, and facts that are published.
//!
//! Both are rows that a command writes in its own transaction: what was acknowledged is done, however the process ends.

use crate::{Exchange, Hook, Value};

/// Something to be done: a row of the queue, taken by whoever carries it out.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize)]
pub struct Task {
    /// Its number.
    pub number: i64,
    /// What is done: `run COMMAND` or `on EVENT run COMMAND`, as the model knows it.
    pub target: String,
    /// With what: a JSON object as text, by the names of parameters or of members.
    pub arguments: String,
    /// Those of one lane are done one after another.
    pub lane: Option<String>,
    /// When it was due, in microseconds since 1970-01-01T00:00:00Z.
    pub due: i64,
    /// How often it has failed.
    pub failures: i64,
    /// Until when it is this taker's, in microseconds since 1970-01-01T00:00:00Z. Who settles it must name it.
    pub until: i64,
}

/// Names a taken task, so that what it does and that it is done are one transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settled {
    /// Its number.
    pub number: i64,
    /// Until when it was taken.
    pub until: i64,
}

/// What becomes of tasks and events, beside the commands that write them. Moments are in microseconds since
/// 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, PartialEq)]
pub enum Chore {
    /// Takes tasks that are due, the most urgent first, then those that were asked for first, and of each lane without a gap:
    /// the answer is an array of [`Task`].
    Take {
        /// Now.
        now: i64,
        /// Until when they are the taker's; whoever comes later takes them again.
        until: i64,
        /// The most.
        most: i64,
    },
    /// Gives a task back that has failed.
    Fail {
        /// Which.
        task: Settled,
        /// When it is tried again; where it is parked: since when.
        due: i64,
        /// Whether it is never tried again by itself.
        parked: bool,
        /// Why it failed.
        error: Box<str>,
    },
    /// Sees to it that a job has its task, which has no arguments.
    Schedule {
        /// The job, as the model knows it.
        target: Box<str>,
        /// When it is due.
        due: i64,
        /// One that is due later than this becomes due then, too: the model may have another calendar now.
        unless_before: i64,
    },
    /// Notes how far a task has come, and keeps it for longer.
    Advance {
        /// Which.
        task: Settled,
        /// What it goes on with.
        arguments: Box<str>,
        /// Until when it is kept now.
        until: i64,
    },
    /// Ends a task until it is due again.
    Again {
        /// Which.
        task: Settled,
        /// When.
        due: i64,
        /// With what it is carried out then.
        arguments: Box<str>,
        /// What has failed of it, if anything.
        error: Option<Box<str>>,
    },
    /// Ends a task for good.
    Drop(Settled),
    /// Gives a task back that was not tried.
    GiveBack(Settled),
    /// Gives all tasks back, whoever has taken them: where it is known that nobody else carries any out.
    Release,
    /// Lets parked tasks be tried again: one, or all. The answer is how many.
    Revive {
        /// Its number; all parked ones if none is named.
        number: Option<i64>,
        /// Now.
        now: i64,
    },
    /// Drops a parked task. The answer is how many it was.
    Discard {
        /// Its number.
        number: i64,
    },
    /// Asks those who hear events once more: tasks of their own, in this order, about events that keep their identifiers.
    Replay {
        /// The events, and the targets of those who hear each.
        events: Vec<(Published, Vec<Box<str>>)>,
        /// Now.
        now: i64,
        /// What is answered.
        said: Box<str>,
    },
    /// Does nothing: only what was answered before under its receipt is looked for. Otherwise it is not found.
    Nothing,
    /// Publishes an event that came in, unless it has come in before: whether it has not is the answer.
    Receive {
        /// The event; its identifier derives from what its sender calls it.
        event: Published,
        /// The targets of those who hear it.
        by: Vec<Box<str>>,
    },
    /// Forgets those of the next thousand events that are old and that nothing waits for. The answer is an array of two: how many went,
    /// and the number behind which the next are; 0, where none of those is old.
    Forget {
        /// Before when they were published.
        before: i64,
        /// The number behind which they are.
        after: i64,
    },
    /// Work on endpoints of webhooks and on deliveries to them.
    Hook(Hook),
    /// Work on what goes to a broker and what comes from one.
    Exchange(Exchange),
}

/// An event, as it is kept.
#[derive(Debug, Clone, PartialEq)]
pub struct Published {
    /// Its identifier, by which it is told apart from another delivery of itself.
    pub id: [u8; 16],
    /// Its name in the model.
    pub name: Box<str>,
    /// By what its order is kept.
    pub key: Value,
    /// When it happened.
    pub made: i64,
    /// What it carries: a JSON object as text.
    pub data: Box<str>,
}

//! Commands that are worked out before their turn to write, on the thread of whoever asked.
//!
//! ```text
//! rows that are known ─► steps, rules ─► Ahead ─► the writer: are they the same rows now? ─┬─ yes ─► statements
//!                                                                                       └─ no ──► all of it once more
//! ```
//!
//! One thread writes, and all that write wait for it; what others can do is not for it to do. What came of looking at a row holds
//! while that row is the one that was seen, and a command that has seen only such rows would do the same in its turn. Errors are
//! no outcome of this: whether one is right is known in the turn only.

use std::sync::Arc;

use operation::{Command, Fault, Published, Table, Value};

use super::super::outbox::Asking;
use super::super::workset::{Values, Workset};
use super::flush::Aggregate;
use super::{Answer, Database, Left, Running, Writing, ill_formed};

/// A row that was looked at.
#[derive(Debug)]
pub(crate) struct Seen {
    pub table: Arc<Table>,
    pub key: Value,
    pub row: Values,
}

/// The most rows, events and tasks of a command that is worked out ahead: they wait in the queue with it.
const MOST: usize = 128;

/// What a command has come to. It goes to whoever awaits the write: freed by the writer, its memory would be fought over.
#[derive(Debug)]
pub(crate) struct Ahead {
    state: State,
    seen: Vec<Seen>,
    binds: Vec<Value>,
    rows: Workset,
    published: Vec<Published>,
    unlocked: Vec<[u8; 16]>,
    asking: Vec<Asking>,
    decided: Vec<Aggregate>,
    returned: Option<Value>,
    /// What it answers, where that is known.
    answer: Option<Answer>,
}

/// What a command has come to, to be written with what others have.
pub(super) struct Parts {
    pub decided: Vec<Aggregate>,
    pub published: Vec<Published>,
    pub unlocked: Vec<[u8; 16]>,
    pub asking: Vec<Asking>,
    pub answer: Option<Answer>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Waiting,
    CarriedOut,
    /// It did not hold, or something stood against it. What is tried again is worked out anew.
    Void,
}

impl Ahead {
    /// Whether its turn has not come before.
    pub fn is_waiting(&self) -> bool {
        self.state == State::Waiting
    }

    /// Whether it was carried out, and nothing else in its place.
    pub fn is_carried_out(&self) -> bool {
        self.state == State::CarriedOut
    }

    /// What it consists of.
    pub(super) fn into_parts(self) -> Parts {
        let Self { decided, published, unlocked, asking, answer, .. } = self;
        Parts { decided, published, unlocked, asking, answer }
    }

    /// Gives it up.
    pub fn give_up(&mut self) {
        self.state = State::Void;
    }

    /// Whether the rows that were seen are those that there are.
    pub fn holds<D: Database>(&self, database: &mut D) -> bool {
        self.seen.iter().all(|Seen { table, key, row }| {
            database.remembered(table, key).is_some_and(|now| Arc::ptr_eq(&now, row))
        })
    }
}

/// Works a command out as far as nothing but known rows is needed for it; `seen` tells the rows that `database` has answered.
///
/// # Errors
/// Where it needs more, or something stands against it: it has to wait for its turn.
pub(crate) async fn work_ahead<D: Database>(
    database: &mut D,
    command: &Command,
    seen: impl FnOnce(&mut D) -> Vec<Seen>,
) -> Result<Ahead, Fault> {
    let mut running = Running::of(Writing { database }, command);
    let returned = running.work(&command.named).await?;
    if running.rows.count + running.published.len() + running.asking.len() > MOST {
        return Err(ill_formed("a command that is too large to be worked out ahead"));
    }
    let decided = running.decide().await?;
    let answer = running.answer(returned.clone()).await.ok();
    let Running { writing, binds, rows, published, unlocked, asking, .. } = running;
    let seen = seen(writing.database);
    let state = State::Waiting;
    Ok(Ahead { state, seen, binds, rows, published, unlocked, asking, decided, returned, answer })
}

impl<D: Database> Writing<'_, D> {
    /// Carries out what a command has come to.
    pub(super) async fn carry_out_ahead(
        &mut self,
        command: &Command,
        ahead: &mut Ahead,
    ) -> Result<Left, Fault> {
        ahead.give_up();
        let writing = Writing { database: &mut *self.database };
        let mut running = Running::with(writing, command, Vec::new());
        running.swap_with(ahead);
        let outcome = running.write_decided(&ahead.decided).await;
        let answer = match (outcome, ahead.answer.take()) {
            (Ok(()), Some(answer)) => Ok(answer),
            (Ok(()), None) => running.answer(ahead.returned.take()).await,
            (Err(fault), _) => Err(fault),
        };
        let left = answer.map(|answer| running.left(answer));
        running.swap_with(ahead);
        if left.is_ok() {
            ahead.state = State::CarriedOut;
        }
        left
    }
}

impl<D: Database> Running<'_, '_, D> {
    /// Takes up what was come to, or gives it back.
    fn swap_with(&mut self, ahead: &mut Ahead) {
        std::mem::swap(&mut self.binds, &mut ahead.binds);
        std::mem::swap(&mut self.rows, &mut ahead.rows);
        std::mem::swap(&mut self.published, &mut ahead.published);
        std::mem::swap(&mut self.unlocked, &mut ahead.unlocked);
        std::mem::swap(&mut self.asking, &mut ahead.asking);
    }
}

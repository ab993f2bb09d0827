//! Commands worked out before the writer's turn: over rows that it remembers, and nothing else.

use std::hash::BuildHasher as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use operation::{Dialect, ReadId, Table, Value, Write};
use rustc_hash::FxBuildHasher;

use super::Shared;
use super::session::at_once;
use crate::write::{self, Ahead, AtHand, Only, References, Seen, Tables};

/// Whether commands are worked out ahead to some purpose. Where many change the same rows, what one has seen has changed by its
/// turn, and what is refused ahead is looked at once more.
#[derive(Debug)]
pub(super) struct Luck([Score; PROGRAMS]);

/// Scores are kept for so many programs; those of more share them.
const PROGRAMS: usize = 64;

/// Of one command.
#[derive(Debug)]
struct Score {
    /// How many more have held than not, of late; at zero it is not tried.
    left: AtomicU32,
    /// How often it was not tried.
    refrained: AtomicU32,
}

/// A score rises no further, so that it is soon used up.
const HIGHEST: u32 = 32;

/// Without luck one command in so many is worked out ahead, to see whether that has changed.
const TRIAL: u32 = 16;

impl Luck {
    pub fn new() -> Self {
        let score = |_| Score { left: HIGHEST.into(), refrained: 0.into() };
        Self(std::array::from_fn(score))
    }

    fn of(&self, program: ReadId) -> &Score {
        let hash = FxBuildHasher.hash_one(program);
        &self.0[usize::try_from(hash % PROGRAMS as u64).unwrap_or(0)]
    }

    fn invites(&self, program: ReadId) -> bool {
        let score = self.of(program);
        score.left.load(Ordering::Relaxed) > 0
            || score.refrained.fetch_add(1, Ordering::Relaxed) % TRIAL == TRIAL - 1
    }

    /// Takes note of whether one has held. Of two at once one may be lost: it is a guess.
    pub fn note(&self, program: ReadId, held: bool) {
        let score = &self.of(program).left;
        let left = score.load(Ordering::Relaxed);
        let left = if held { HIGHEST.min(left + 1) } else { left.saturating_sub(1) };
        score.store(left, Ordering::Relaxed);
    }
}

/// What a write comes to, if it is a command that needs only rows which are remembered.
pub(super) fn of(shared: &Shared, write: &Write) -> Option<Box<Ahead>> {
    let Write::Command(command) = write else { return None };
    let program = &command.program;
    // What is turned away is not worked out.
    if program.waits || shared.queue.is_full() || !shared.luck.invites(program.id) {
        return None;
    }
    let work = || {
        let rows = Remembering { shared, seen: Vec::new(), none: References::default() };
        let seen = |rows: &mut Only<Remembering<'_>>| std::mem::take(&mut rows.0.seen);
        at_once(write::work_ahead(&mut Only(rows), command, seen))
    };
    // A panic comes again in its turn, and is answered then.
    let ahead = catch_unwind(AssertUnwindSafe(work)).ok().and_then(Result::ok);
    if ahead.is_none() {
        shared.luck.note(program.id, false);
    }
    ahead.map(Box::new)
}

/// Rows that are remembered.
struct Remembering<'s> {
    shared: &'s Shared,
    seen: Vec<Seen>,
    none: References,
}

impl AtHand for Remembering<'_> {
    const DIALECT: Dialect = super::session::DIALECT;

    /// As long as it takes, its thread answers nobody else.
    const TURNS: usize = 100;

    fn root(&mut self, table: &Arc<Table>, key: &Value) -> Option<Arc<[Value]>> {
        let row = self.shared.remembered.get(table, key)?;
        self.seen.push(Seen { table: table.clone(), key: key.clone(), row: row.clone() });
        Some(row)
    }

    /// What is written, and which tables that reaches, is for its turn.
    fn tables(&self) -> (&Tables, &References) {
        (&self.shared.tables, &self.none)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_luck_one_command_in_sixteen_is_tried() {
        let luck = Luck::new();
        let [one, other] = [0, 1].map(|_| ReadId::fresh());
        (0..HIGHEST - 1).for_each(|_| luck.note(one, false));
        assert!((0..100).all(|_| luck.invites(one)));
        luck.note(one, false);
        assert_eq!((0..160).filter(|_| luck.invites(one)).count(), 10);
        assert!(luck.invites(other), "each command has its own");
        luck.note(one, true);
        assert!((0..100).all(|_| luck.invites(one)));
    }
}

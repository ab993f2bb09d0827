//! What a command sends to its database, told without running it.
//!
//! A program is walked as it is run: first what can be foreseen, load by load, then the steps and what they miss, then
//! what is written. The statements are those of execution, by the same functions; what depends on values is told as the most
//! that may be: both branches, every load that may find nothing to do.

mod directly;
mod foreseen;
mod loads;
mod steps;
mod walk;
mod writes;

use std::sync::Arc;

use operation::{Dialect, Direct, Fault, Ident, Program, Redraw, Table};

use super::super::Tables;
use super::{direct, together};
pub use crate::lower::Lock;
use walk::Walk;

/// How a command is carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// On which kind of database.
    pub dialect: Dialect,
    /// What is sent, in order: each trip awaits the answers to what it asks before the next begins.
    pub trips: Vec<Trip>,
    /// What is sent after that where its rows change by themselves and something stands against it: the same as for a command
    /// whose rows are loaded. Empty where they are.
    pub when_refused: Vec<Trip>,
    /// What it sends instead where the caller names a row twice that changes.
    pub when_named_twice: Vec<Trip>,
    /// Whether each statement sees what those before it have done, in the order of the steps.
    pub in_steps: bool,
    /// Why its rows are loaded, in a sentence's end; `None`: they are not, or there are none.
    pub loaded_since: Option<String>,
    /// Whether its transaction is serializable: it looks for rows by a condition, so that those which come meanwhile matter.
    pub serializable: bool,
    /// Whether rows are found first, and then locked together.
    pub found_first: bool,
    /// Whether it shares a transaction with others of its kind where more of them wait than there are connections.
    pub shares: bool,
    /// What is sent besides where it was asked for with an `Idempotency-Key`: before all others what came of it before is looked
    /// for, and with the writes it is kept. Where the database puts the answer into words, the statement that keeps it answers it.
    pub with_key: Vec<Sent>,
    /// How often an answer to that is awaited.
    pub round_trips_with_key: usize,
}

/// How many times an answer is awaited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RoundTrips {
    /// Of those that are made once.
    pub usual: usize,
    /// With those that may be made.
    pub most: usize,
    /// Whether loops add to it.
    pub grow: bool,
}

/// Statements that go together, and are awaited together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trip {
    /// What for.
    pub purpose: Purpose,
    /// How often it is made.
    pub times: Times,
    /// The statements, in the order in which they are sent.
    pub statements: Vec<Sent>,
}

/// What a trip is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Rows that the command names, or that stand in them.
    Load,
    /// All of those, once more, to lock them in one order.
    Lock,
    /// Rows that fulfil a condition.
    Find,
    /// A row that a step needs, and that could not be foreseen.
    Miss,
    /// What code asks for, which is not known before it runs.
    Code,
    /// Numbers for keys that the database counts.
    Draw,
    /// What has changed.
    Write,
    /// Rules of rows that lose something with those that are deleted.
    Check,
    /// What is answered.
    Answer,
    /// The end of the transaction.
    Commit,
}

/// How often something happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Times {
    /// Once.
    Once,
    /// Once, or not at all: it stands in a branch, or may have been loaded by then.
    AtMostOnce,
    /// Once for every sixteen rows.
    Sixteenth,
    /// In every turn of a loop.
    EachTurn,
}

/// A statement that is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    /// Its text.
    pub text: String,
    /// Its text where it is about one row only, if that is another one.
    pub of_one: Option<String>,
    /// The entity whose rows it is about, if it is about those of one.
    pub entity: Option<Box<str>>,
    /// How the rows that it reads are kept from changing.
    pub lock: Lock,
    /// Whether it is executed once for each row.
    pub each_row: bool,
    /// Whether it goes as one statement with the one before it.
    pub joined: bool,
    /// Whether it steers the transaction.
    pub steers: bool,
    /// What it is for, where its text alone does not say so.
    pub does: Option<Does>,
    /// The table whose rows it inserts or changes, where it may go with others.
    writes: Option<Ident>,
}

/// What a statement is for that nobody awaits: it does that, or ends the transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Does {
    /// It looks up what rows will be found by, or what will be told under, before anything is locked.
    LooksAhead,
    /// It ends the transaction where something else is found by now.
    IsStillIt,
    /// It keeps a value that later statements take.
    Keeps,
    /// It ends the transaction where a condition is not true.
    Requires,
    /// It looks at a row, or changes it, and ends the transaction where there is none or a rule does not hold.
    IsAboutRow,
    /// It locks rows, and with those that go what goes along, or loses something by it.
    HoldsAlong,
    /// It keeps which rows lose what they refer to, or parts.
    KeepsWhoLoses,
    /// It works out what is computed of those.
    WorksOut,
    /// It looks at rules of those.
    LooksAtRules,
    /// It puts the answer into words.
    Answers,
}

impl Explanation {
    /// How many times an answer is awaited.
    pub fn round_trips(&self) -> RoundTrips {
        RoundTrips::of(&self.trips)
    }

    /// The same where something stands against a command whose rows change by themselves; `None`, where they are loaded.
    pub fn round_trips_when_refused(&self) -> Option<RoundTrips> {
        let RoundTrips { usual, most, grow } = RoundTrips::of(&self.when_refused);
        let before = self.trips.len();
        let refused = RoundTrips { usual: usual + before, most: most + before, grow };
        (!self.when_refused.is_empty()).then_some(refused)
    }
}

impl RoundTrips {
    fn of(trips: &[Trip]) -> Self {
        let count = |most| trips.iter().filter(|trip| trip.times <= most).count();
        let (usual, most) = (count(Times::Once), count(Times::AtMostOnce));
        Self { usual, most, grow: most < trips.len() }
    }
}

impl Sent {
    fn steering(text: &str) -> Self {
        Self { steers: true, ..Self::plain(text.to_owned()) }
    }

    /// One that does so.
    fn that(does: Does, text: String) -> Self {
        Self { does: Some(does), ..Self::plain(text) }
    }

    fn plain(text: String) -> Self {
        Self {
            text,
            of_one: None,
            entity: None,
            lock: Lock::Free,
            each_row: false,
            joined: false,
            steers: false,
            does: None,
            writes: None,
        }
    }
}

/// Says which statements go as one, by the rule of [`Database::all`](super::super::Database::all).
fn join(mut trips: Vec<Trip>) -> Vec<Trip> {
    for trip in &mut trips {
        let mut tables: Vec<Ident> = Vec::new();
        for sent in &mut trip.statements {
            match &sent.writes {
                Some(table) if !tables.contains(table) => {
                    sent.joined = !tables.is_empty();
                    tables.push(table.clone());
                }
                Some(table) => tables = vec![table.clone()],
                None => tables.clear(),
            }
        }
    }
    trips
}

/// Explains a program. `tables` and `redraws` are all of the plan: rows of any of them may refer to what is deleted.
///
/// # Errors
/// [`Fault::Internal`] where the program and its tables do not fit.
pub fn explain(
    program: &Program,
    tables: &[Arc<Table>],
    redraws: Vec<Redraw>,
    dialect: Dialect,
) -> Result<Explanation, Fault> {
    let known = Tables::default();
    known.know(tables, redraws);
    let walked = || {
        let mut walk = Walk::new(program, (tables, &known), dialect);
        walk.foresee()?;
        walk.run()?;
        Ok::<_, Fault>(walk)
    };
    let trips = join(walked()?.end()?);
    let loads = trips.iter().any(|trip| !matches!(trip.purpose, Purpose::Write | Purpose::Commit));
    let on_postgres = dialect == Dialect::Postgres;
    let explanation = Explanation {
        dialect,
        trips,
        when_refused: Vec::new(),
        when_named_twice: Vec::new(),
        in_steps: false,
        // Where none is, nothing is loaded whatever it does.
        loaded_since: loaded_since(program).filter(|_| on_postgres && loads),
        serializable: on_postgres && program.scans,
        found_first: on_postgres && program.deep,
        shares: on_postgres && together::may_share(program),
        with_key: directly::with_key(dialect),
        // Whether somebody else holds the key is known before anything is looked for.
        round_trips_with_key: if on_postgres { 2 } else { 0 },
    };
    match direct::sparing(program).filter(|_| on_postgres) {
        Some(direct) if !direct::spares(program, direct) && direct.said.is_empty() => {
            let with_key = directly::with_key_held(&walked()?, direct)?;
            Ok(Explanation { with_key, round_trips_with_key: 0, ..explanation })
        }
        Some(direct) => {
            let twice = direct.by_steps.as_ref().map(|direct| walked()?.end_directly(direct));
            let twice = join(twice.transpose()?.into_iter().collect());
            of_direct(explanation, walked()?, direct, twice)
        }
        None => Ok(explanation),
    }
}

/// Why the rows of a program are loaded.
fn loaded_since(program: &Program) -> Option<String> {
    match &program.direct {
        Err(obstacle) => Some(obstacle.to_string()),
        Ok(_) if direct::sparing(program).is_some() => None,
        Ok(_) => Some("what is answered is more than the row that it changes".to_owned()),
    }
}

/// The same of a command whose rows change by themselves.
fn of_direct(
    loaded: Explanation,
    walk: Walk<'_>,
    direct: &Direct,
    when_named_twice: Vec<Trip>,
) -> Result<Explanation, Fault> {
    let with_key = directly::with_key_held(&walk, direct)?;
    Ok(Explanation {
        trips: join(vec![walk.end_directly(direct)?]),
        when_refused: loaded.trips,
        when_named_twice,
        in_steps: direct.in_steps,
        found_first: false,
        with_key,
        round_trips_with_key: 0,
        ..loaded
    })
}

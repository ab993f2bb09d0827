//! The direct form of a program: rows that change by themselves, each by one statement that also holds every rule.
//!
//! A program has one if what it does is known before any row is. What a step would look up in a row becomes an expression over
//! that row as it was, so that the database can decide it while it changes the row, or write it down beside what is known.
//! A statement that finds its condition untrue ends the transaction; who ran it then runs the program as written, which says
//! what stood against it. So the condition may refuse too much, and must never refuse too little.
//!
//! Branches and loops stay what they are where they draw on what was asked alone, also where steps have put that into rows: a row is
//! named by the step that changes it, and how often that step comes is known when it is run.
//!
//! What cannot be said of rows as they were (loops about one row again and again, values of rows that were made or changed before) is
//! said step by step ([`Direct::in_steps`]): each statement sees what those before it have done.

mod ahead;
mod answering;
mod changing;
mod conditions;
mod decided;
mod finding;
mod finishing;
mod flat;
mod folding;
mod forming;
mod going;
mod making;
mod obstacle;
mod rule;
mod shadowed;
mod stepping;

use std::sync::Arc;

pub use obstacle::{Obstacle, Reason};

use super::Program;
use crate::{Expression, ReadId, Scalar, Table, TableId};

/// The direct form of a program.
#[derive(Debug)]
pub struct Direct {
    /// Identity, for prepared statements.
    pub id: ReadId,
    /// The rows that it looks at or changes; of a loop those of one turn.
    pub rows: Vec<DirectRow>,
    /// What must be true of several rows as they were.
    pub insists: Vec<Insist>,
    /// Whether the statement about one of these rows looks at another one, or at parts.
    pub looks_around: bool,
    /// How it is known who may run it.
    pub admission: Course,
    /// How each step of the body is carried out; none for those behind a `return`.
    pub steps: Vec<Course>,
    /// What is told of rows, at each place.
    pub told: Vec<Told>,
    /// Rows of which only the database knows all, at each place where such are made.
    pub made: Vec<MadeRow>,
    /// The tables whose keys the database counts, and in which rows are made.
    pub counted: Vec<Arc<Table>>,
    /// The binds that stand for such a key: each holds the how manieth it is, from 0, of those of that table.
    pub drawn: Vec<(usize, TableId)>,
    /// What only the database knows, and keeps where later statements take it from; in the order in which it is looked up.
    pub found: Vec<Found>,
    /// Roots of which computed columns draw on parts that are made so.
    pub totals: Vec<Total>,
    /// For each of [`Program::visible`] whose rows are named inside other values: the row that stands for one that no step
    /// looks at. Its key is the bind behind all others.
    pub named: Vec<Option<usize>>,
    /// The rows of which one is answered: the one whose key is returned. None: nothing, or what is known when it is made.
    pub answered: Vec<usize>,
    /// Whether it is the only one of them, whatever is returned.
    pub answers_one: bool,
    /// Values that stand in rows and of which one is answered: what stands for each, with rows as they were.
    pub said: Vec<(Expression, Scalar)>,
    /// Whether each statement is sent where its step stands, and sees what those before have done. Then what looks at rows is written over
    /// rows as they are at that step.
    pub in_steps: bool,
    /// Of one that is not: whether it refuses where a row that is found is another one that changes.
    pub may_alias: bool,
    /// Of one that is not: how it is sent where the caller names a row twice that changes.
    pub by_steps: Option<Box<Self>>,
    /// Of one that is: whether branches ask for rows that it makes, so that these are kept.
    pub keeps_made: bool,
    /// Of one that is: what must be true of rows that the caller named.
    pub naming: Vec<Course>,
    /// The same of one that stands for any of [`Direct::named`], where that looks at others.
    pub naming_each: Vec<Option<Course>>,
    /// Of one that is: what stands in rows and decides which row something is about, or under which key something is told.
    pub sites: Vec<Site>,
}

/// A value that is looked up before anything is done, in all turns of loops, so that whatever it names is locked in one order; where it is
/// used, it must be one of those, or one that nobody else holds then.
#[derive(Debug)]
pub struct Site {
    /// Whose key it is; `None`: something is told under it.
    pub table: Option<Arc<Table>>,
    /// What it is.
    pub scalar: Scalar,
    /// It, where it is used.
    pub value: Expression,
    /// What it may be, as far as that is known before anything is done.
    pub ahead: Vec<Expression>,
    /// Which event is told under it: what was not looked up ahead is locked where it is used, unless somebody else holds it.
    pub event: Option<Box<str>>,
    /// Where it is one for each part of a row: of which. It has the part at depth 0 and that row behind all parts.
    pub each: Option<EachPart>,
    /// Whether it may be the key of a row that the program makes.
    pub may_be_made: bool,
    /// Whether it may be the key of a row that the program has deleted.
    pub may_be_gone: bool,
}

/// The parts of a row, each of which refers to a row.
#[derive(Debug)]
pub struct EachPart {
    /// The table of the row whose parts they are.
    pub root: Arc<Table>,
    /// Its key, where the parts are folded over.
    pub key: Expression,
    /// Their table.
    pub part: Arc<Table>,
    /// Of what those refer to, each of its parts, and so on.
    pub within: Vec<InnerParts>,
    /// What that key may be, as far as it is known before anything is done.
    pub ahead: Vec<Expression>,
}

/// The parts of a row that other parts refer to.
#[derive(Debug, Clone, PartialEq)]
pub struct InnerParts {
    /// Their table.
    pub table: Arc<Table>,
    /// The key of their root, with the parts around at depth 0 and up.
    pub root: Expression,
}

/// A value that is looked up once, and stands for what was found wherever it is named.
#[derive(Debug)]
pub struct Found {
    /// The bind that stands for it, behind all that the program fills and one more: see [`Direct::binds`].
    pub bind: usize,
    /// What it is.
    pub scalar: Scalar,
    /// What is looked up, with rows as they were or, step by step, as they are then.
    pub value: Expression,
    /// What is kept of it.
    pub what: Finding,
}

/// What is kept of a value that is looked up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finding {
    /// The key of a row, before that is locked; [`Direct::insists`] see to it that it is the same behind the locks.
    Key,
    /// The value, behind the locks and before any row changes or, step by step, where its step stands.
    Value,
    /// The text of a key of this scalar under which something is told, likewise.
    Text(Scalar),
}

/// A row that is looked at, or changes, whatever else stands in it.
#[derive(Debug)]
pub struct DirectRow {
    /// Its table.
    pub table: Arc<Table>,
    /// Its key: a bind or a constant; of one of [`Direct::sites`] what it is then.
    pub key: Expression,
    /// Which of [`Direct::found`] its key is; `None`: it is known.
    pub found: Option<usize>,
    /// Which of [`Direct::sites`] its key is; `None`: it is known.
    pub site: Option<usize>,
    /// Which of [`Direct::rows`] says what must be true of it once all is done.
    pub ends: Option<usize>,
    /// Of a part: its root, which changes with it.
    pub root: Option<usize>,
    /// Whether it is one that is made: over rows as they were it is looked at to be answered only.
    pub made: bool,
    /// Whether there is one in every turn of a loop.
    pub each_turn: bool,
    /// Whether it goes, where it would change otherwise.
    pub goes: bool,
    /// What its columns become, with the row as it was at depth 0; nothing, where it is looked at only.
    pub set: Vec<(usize, Expression)>,
    /// Must be true of the row as it was.
    pub condition: Expression,
    /// The same where it changes: what must be true of it then.
    pub checks: Expression,
    /// What is computed in it once its columns are set, where that would be too large over the row as it was.
    pub layers: Vec<Layer>,
    /// Must be true of the row with those, where it changes.
    pub rules: Expression,
}

/// Columns that are computed over a row with those of the layers before.
pub type Layer = Vec<(usize, Expression)>;

/// A condition over several rows.
#[derive(Debug)]
pub struct Insist {
    /// Must be true, with rows as they were; where it stands in a branch, true elsewhere.
    pub condition: Expression,
    /// The rows that are looked at for it, whatever steps are carried out.
    pub rows: Vec<usize>,
    /// Whether it is about one turn of a loop: where a step says so, by [`Course::insists`].
    pub each_turn: bool,
}

/// What is told of rows.
#[derive(Debug)]
pub struct Told {
    /// For each value that is carried what stands for it, with rows as they were; `None`, where it is known.
    pub values: Vec<Option<Expression>>,
    /// Of an event: the bind of [`Direct::drawn`] or [`Direct::found`] that its key is; of a task, that its unique key is; `None`, where
    /// it is known.
    pub key: Option<usize>,
    /// Of a task: how long it waits, in microseconds, if that is looked up.
    pub delay: Option<Expression>,
}

/// A row that is made, and of which only the database knows all.
#[derive(Debug)]
pub struct MadeRow {
    /// The columns that are looked up, each with what stands for it, with rows as they were.
    pub columns: Vec<(usize, Expression)>,
    /// The columns that hold a key which is counted, each with whose it is. All others are known.
    pub drawn: Vec<(usize, TableId)>,
    /// Must be true, with rows as they were.
    pub condition: Expression,
    /// Computed columns that draw on those, with the new row at depth 0.
    pub computed: Vec<Layer>,
    /// The same of what must be true of it, with all of them.
    pub checks: Expression,
    /// Of a part of a root that was there: that, by position in [`Direct::rows`], which changes with it.
    pub root: Option<usize>,
    /// Of a part: what its root draws on it, by position in [`Direct::totals`].
    pub total: Option<usize>,
    /// Which of [`Direct::rows`] says what must be true of it once all is done.
    pub ends: Option<usize>,
    /// Its table, where it may take the place of one that went: then it counts on from that one's version.
    pub anew: Option<TableId>,
}

/// What a new root draws on its parts.
#[derive(Debug)]
pub struct Total {
    /// Its table.
    pub table: Arc<Table>,
    /// Its key: the bind behind all others.
    pub key: Expression,
    /// The columns, with the root at depth 0.
    pub set: Vec<(usize, Expression)>,
    /// The binds that hold the keys of such roots.
    pub roots: Vec<usize>,
}

/// How a step is carried out.
#[derive(Debug)]
pub struct Course {
    /// How.
    pub how: How,
    /// The rows that it looks at.
    pub looks: Vec<usize>,
    /// What must be true in this turn of a loop, by position in [`Direct::insists`].
    pub insists: Vec<usize>,
    /// What must be among what was looked up ahead, by position in [`Direct::sites`].
    pub sites: Vec<usize>,
    /// What is looked up now and kept, by position in [`Direct::found`].
    pub keeps: Vec<usize>,
}

/// What is done about a step.
#[derive(Debug)]
pub enum How {
    /// As written: nothing of it is a row's.
    Known,
    /// Nothing: statements do it.
    Stated,
    /// A name is given to this, over rows that are kept.
    WorkedOut(Expression),
    /// A row changes, or goes.
    Changed {
        /// Which.
        row: usize,
        /// What is set and known, by position.
        known: Vec<usize>,
    },
    /// As written, but for what is told of rows: position in [`Direct::told`].
    Told(usize),
    /// A row is made, of which some columns are looked up or counted: position in [`Direct::made`].
    Made(usize),
    /// A loop.
    Turns {
        /// What is done in each turn.
        body: Vec<Course>,
        /// The rows of one turn.
        rows: Vec<usize>,
    },
    /// A branch.
    Branches {
        /// What decides, where rows that steps have made or changed are in what does so as it is written.
        decides: Option<Expression>,
        /// What is done.
        then: Vec<Course>,
        /// What is done otherwise.
        otherwise: Vec<Course>,
    },
    /// Another command's body.
    Body(Vec<Course>),
    /// This row is answered.
    Answers(usize),
    /// This of [`Direct::said`] is answered.
    Says(usize),
}

impl MadeRow {
    /// Whether rules are about the row as it is made, so that each is a statement of its own.
    pub fn is_ruled(&self) -> bool {
        !self.computed.is_empty() || self.checks != Expression::yes()
    }
}

impl Direct {
    /// How many binds its statements have, of a program that fills so many. `keyed`: whether one more is the key of a row, which is the
    /// first behind those that are filled.
    pub fn binds(&self, filled: usize, keyed: bool) -> usize {
        match self.found.len() {
            0 => filled + usize::from(keyed),
            found => filled + 1 + found,
        }
    }

    /// Which of [`Direct::sites`] are keys of rows of a table.
    pub fn sites_of(&self, table: TableId) -> Vec<usize> {
        let sites = self.sites.iter().enumerate();
        let of_table =
            sites.filter(|(_, site)| site.table.as_ref().is_some_and(|it| it.id == table));
        of_table.map(|(at, _)| at).collect()
    }

    /// Which of [`Direct::sites`] are keys under which something is told.
    pub fn texts(&self) -> Vec<usize> {
        let sites = self.sites.iter().enumerate();
        sites.filter(|(_, site)| site.table.is_none()).map(|(at, _)| at).collect()
    }

    /// Which of [`Direct::totals`] answers the new row that is answered, as it leaves it.
    pub fn answering_total(&self) -> Option<usize> {
        let row = self.answered.first().and_then(|row| self.rows.get(*row));
        let row = row.filter(|row| row.made && row.condition == Expression::yes());
        let row = row.filter(|_| self.answers_one)?;
        let mut of_table = self.totals.iter().enumerate();
        let mut of_table = of_table.by_ref().filter(|(_, total)| total.table.id == row.table.id);
        let (at, total) = of_table.next()?;
        let is_root = matches!((&row.key, &total.roots[..]), (Expression::Bind(bind), [root]) if bind == root);
        (is_root && of_table.next().is_none()).then_some(at)
    }

    /// Whether a row stands for what must be true of one in the end.
    pub fn is_end(&self, row: usize) -> bool {
        let ends = self.rows.iter().map(|row| row.ends);
        ends.chain(self.made.iter().map(|made| made.ends)).any(|end| end == Some(row))
    }

    /// Whether a row stands for what must be true of one that only a turn of a loop can name: its key is kept until the next turn.
    pub fn ends_with_turn(&self, row: usize) -> bool {
        let row = self.rows.get(row).filter(|row| row.each_turn);
        row.is_some_and(|row| matches!(row.key, Expression::Bind(key) if self.found.iter().any(|found| found.bind == key)))
    }

    /// Whether another row may take the place of this one when it has gone.
    pub fn is_taken_by_others(&self, row: &DirectRow) -> bool {
        self.made.iter().any(|made| made.anew == Some(row.table.id))
    }

    /// Whether it stands for that of a row which may have gone by then.
    pub fn may_have_gone(&self, row: usize) -> bool {
        self.in_steps && self.rows.iter().any(|row| row.goes) && self.is_end(row)
    }

    /// Whether the caller may name one row twice that changes: in turns of a loop, or by two names, of which one is given to a row that is
    /// made in one of these tables.
    fn may_name_twice(&self, given: &[TableId]) -> bool {
        let named = |row: &DirectRow| row.found.is_none() && !row.made;
        let sets = |row: &DirectRow| !row.set.is_empty() || !row.layers.is_empty();
        let changes = |row: &DirectRow| named(row) && (row.goes || sets(row));
        self.rows.iter().enumerate().any(|(at, row)| {
            let other = |(of, other): (usize, &DirectRow)| {
                of != at && other.table.id == row.table.id && named(other)
            };
            let is_twice = row.each_turn || self.rows.iter().enumerate().any(other);
            (changes(row) && is_twice) || (named(row) && given.contains(&row.table.id))
        })
    }

    /// Whether a row may take the unique value that another one gives up.
    fn may_pass_on(&self) -> bool {
        self.rows.iter().enumerate().any(|(at, row)| {
            let others = || {
                let of_table = |other: &&DirectRow| other.table.id == row.table.id;
                self.rows.iter().skip(at + 1).filter(of_table)
            };
            row.table.uniques.iter().any(|unique| {
                let sets = |row: &DirectRow| {
                    row.set.iter().any(|(column, _)| unique.columns.contains(column))
                };
                sets(row) && (row.each_turn || others().any(sets))
            })
        })
    }

    /// Whether a row need not be asked about by a statement of its own: locked as it is already, with nothing to be true of it.
    pub fn is_held_only(&self, row: &DirectRow) -> bool {
        self.locks_first() && !row.made && row.condition == Expression::yes()
    }

    /// Whether all rows are locked before anything is said of them: what is told, made or folded is looked up while nobody else may
    /// change them, by a statement that begins when they are locked.
    pub fn locks_first(&self) -> bool {
        let looked_up = !self.told.is_empty() || !self.made.is_empty() || !self.said.is_empty();
        // Those of all turns change by one statement, which locks them in any order.
        let many = self.rows.iter().any(|row| row.each_turn);
        // With what goes others go, or lose something, which are locked among all.
        let goes = self.rows.iter().any(|row| row.goes);
        self.in_steps || looked_up || self.looks_around || many || goes || !self.insists.is_empty()
    }

    /// The direct form of a program.
    ///
    /// # Errors
    /// Why it has none.
    pub fn of(program: &Program) -> Result<Self, Obstacle> {
        forming::form(program)
    }
}

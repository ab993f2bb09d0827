//! Commands: a transaction that a model describes, compiled to steps over tables.
//!
//! A program is a template as a [`Read`] is one: compiled once for a command and a set of roles. The binds are this
//! caller's values and, behind them, places that the steps fill as they run. An expression of a step sees rows by
//! [`Expression::Lookup`], which a store answers from the rows that the transaction has loaded. A row of a part has no
//! key of its own that would be unique; what stands for it in a bind is a number that the store gives out.

mod along;
mod code;
mod depth;
mod direct;
mod list;
mod named;

use std::sync::Arc;

pub use code::{Code, Transaction, Waiting};
pub use direct::{
    Course, Direct, DirectRow, EachPart, Finding, Found, How, InnerParts, Layer, MadeRow, Obstacle,
    Reason, Site, Total,
};
pub use list::List;

use crate::{
    Check, Column, Expression, Flow, Read, ReadId, Scalar, Settled, Table, TableId, Target, Value,
};

/// A command, compiled.
#[derive(Debug)]
pub struct Program {
    /// Identity, for prepared statements.
    pub id: ReadId,
    /// The command's name.
    pub name: Box<str>,
    /// What it writes: each root with its parts. Everything of them may be seen and named: who may call the command was
    /// decided before.
    pub targets: Vec<ProgramTarget>,
    /// Which rows a caller may name, by table.
    pub visible: Vec<Visible>,
    /// Must be true, or the command is forbidden.
    pub admission: Expression,
    /// What it does.
    pub body: Vec<Step>,
    /// Which binds are filled by steps, by position.
    pub filled: Vec<bool>,
    /// What those are that hold values which are worked out, as far as that is said.
    pub kinds: Vec<Option<Scalar>>,
    /// Whether rows are found by what stands in other rows, so that not all that it needs can be named at once
    /// ([`Program::is_deep`]).
    pub deep: bool,
    /// Whether one look at what is known before any row is loaded foresees all that can be foreseen.
    pub shallow: bool,
    /// Whether the rows that the caller names are all that is to be foreseen ([`Program::is_of_named`]).
    pub of_named: bool,
    /// Which binds hold keys that nobody else can know before the command has ended, by position ([`Program::keys_of_its_own`]).
    pub own_keys: Vec<bool>,
    /// Whether it looks for rows by a condition, so that rows which are not there yet matter.
    pub scans: bool,
    /// Whether the database is asked for more than rows whose keys are known before anything is written
    /// ([`Program::has_to_wait`]).
    pub waits: bool,
    /// Whether commands of it may share a transaction ([`Program::can_go_together`]).
    pub together: bool,
    /// Whether code is called: then all roots are among the targets, and all events among the events.
    pub coded: bool,
    /// Where something depends on it, the tables of which rows may go with a row that it deletes ([`Program::tables_that_go_along`]): whether one has
    /// is known by what it refers to.
    pub may_go_along: Vec<Arc<Table>>,
    /// Parts that may lose something with rows that it deletes, or go, where what is drawn on that is looked at: with the tables of their
    /// roots.
    pub may_lose: Vec<(TableId, Arc<Table>)>,
    /// Events that it may publish, and what hears each of them.
    pub events: Vec<Heard>,
    /// What is answered.
    pub answer: Form,
    /// How the rows that it looks at need not be loaded ([`Direct::of`]), or why they must be.
    pub direct: Result<Direct, Obstacle>,
}

impl Program {
    /// Whether a value is a key that nobody else can know before the command has ended.
    pub fn is_own_key(&self, key: &Expression) -> bool {
        matches!(key, Expression::Bind(at) if self.own_keys.get(*at) == Some(&true))
    }

    /// Whether it looks for rows by a condition, goes through parts or changes them, has a key counted, or deletes anything: how
    /// far that reaches only the database knows.
    pub fn has_to_wait(&self) -> bool {
        let mut made = Vec::new();
        any_step(&self.body, &mut |step| {
            if let Step::Create(Creation { bind: Some(bind), root: None, .. }) = step {
                made.push(*bind);
            }
            false
        });
        let is_made = |root: &Expression| matches!(root, Expression::Bind(at) if made.contains(at));
        let waits = |step: &Step| match step {
            Step::Create(Creation { root, values, .. }) => {
                root.as_ref().is_some_and(|root| !is_made(root))
                    || values.iter().any(|fill| matches!(fill, Fill::Counted))
            }
            Step::Update { row, .. } => row.part.is_some(),
            Step::For { source, .. } => matches!(source, Source::Parts { .. }),
            Step::Delete { .. } => true,
            _ => false,
        };
        self.scans || any_step(&self.body, &mut { waits })
    }

    /// Whether commands of it may run one after another over rows that were loaded for all of them, so that of a row which several
    /// change only the last is written: nothing may depend on the rows between that the database alone knows, or waits for.
    pub fn can_go_together(&self) -> bool {
        // What the database could refuse of a value: that another has it, that it leads nowhere, that it is no moment it knows.
        let judged = |table: &Table, column: usize| {
            let is_moment = |column: &Column| {
                matches!(
                    column.scalar,
                    Scalar::Date | Scalar::Time | Scalar::Timestamp | Scalar::Duration
                )
            };
            table.uniques.iter().any(|it| it.columns.contains(&column))
                || table.foreign_keys.iter().any(|it| it.column == column)
                || table.columns.get(column).is_none_or(is_moment)
        };
        let alone = |step: &Step| match step {
            Step::Update { row, set, .. } => self.targets.get(row.target).is_none_or(|of| {
                let Target { table, computed, parts, .. } = &*of.target;
                !parts.is_empty()
                    || set.iter().any(|(column, _)| judged(table, *column))
                    || computed.iter().any(|computed| judged(table, computed.column))
            }),
            Step::Create(Creation { row, values, .. }) => self.table(*row).is_none_or(|table| {
                let is_drawn = matches!(values.get(table.own_key()), Some(Fill::Uuid));
                !table.uniques.is_empty() || (row.part.is_none() && !is_drawn)
            }),
            Step::Later { terms, .. } => terms.unique.is_some(),
            Step::Code { .. } | Step::Collect { .. } | Step::Delete { .. } => true,
            _ => false,
        };
        // Those keep no version: what else they keep, and how, others have decided.
        let of_others = self.targets.iter().any(|of| of.target.table.version.is_none());
        let foreseen = self.shallow && !self.deep && !self.waits;
        foreseen && !of_others && !any_step(&self.body, &mut { alone })
    }

    /// Which binds hold the keys of new rows that are UUIDs drawn here, by position.
    pub fn keys_of_its_own(&self) -> Vec<bool> {
        let mut own = vec![false; self.filled.len()];
        self.note_own_keys(&self.body, &mut own);
        own
    }

    fn note_own_keys(&self, steps: &[Step], own: &mut [bool]) {
        for step in steps {
            match step {
                Step::Create(Creation { bind: Some(bind), values, row, root: None, .. }) => {
                    let fill = self.table(*row).and_then(|table| values.get(table.own_key()));
                    if let Some(own) = own.get_mut(*bind) {
                        *own = matches!(fill, Some(Fill::Uuid));
                    }
                }
                Step::For { body, .. } | Step::Run { body, .. } => self.note_own_keys(body, own),
                Step::If { then, otherwise, .. } => {
                    self.note_own_keys(then, own);
                    self.note_own_keys(otherwise, own);
                }
                _ => {}
            }
        }
    }
}

/// Whether something is true of a step, or of one inside it.
pub fn any_step(steps: &[Step], holds: &mut impl FnMut(&Step) -> bool) -> bool {
    steps.iter().any(|step| {
        holds(step)
            || match step {
                Step::For { body, .. } | Step::Run { body, .. } => any_step(body, holds),
                Step::If { then, otherwise, .. } => {
                    any_step(then, holds) || any_step(otherwise, holds)
                }
                _ => false,
            }
    })
}

/// An event of a program.
#[derive(Debug)]
pub struct Heard {
    /// Its name.
    pub name: Box<str>,
    /// What is done when it happens: targets of tasks.
    pub by: Vec<Box<str>>,
}

/// A root that a program writes.
#[derive(Debug)]
pub struct ProgramTarget {
    /// The root, its parts, and their rules.
    pub target: Arc<Target>,
    /// What each computed column of the root is computed from, in the order of [`Target::computed`].
    pub computed: Vec<Inputs>,
    /// What each check of the root looks at, in the order of [`Target::checks`].
    pub checks: Vec<Inputs>,
    /// Whether rows of it are changed or deleted, or get new parts: then they are locked against everybody else.
    pub changes: bool,
    /// Whether the program's steps delete rows of it: then they are locked against those as well who would refer to them.
    pub deletes: bool,
    /// The tables, but for those of its own parts, whose rows go, change or stand against it when a row of it goes; of parts those of
    /// their roots as well.
    pub reached: Vec<TableId>,
    /// The tables, but for those of its own parts, whose rows go with one of it.
    pub along: Vec<Arc<Table>>,
}

/// What an expression about a root draws on: it is worked out again when one of these has changed.
#[derive(Debug, Clone, Default)]
pub struct Inputs {
    /// Columns of the root.
    pub columns: Vec<usize>,
    /// Parts, by position.
    pub parts: Vec<usize>,
    /// Whether it looks at anything else.
    pub others: bool,
}

/// Which rows of a table a caller may name.
#[derive(Debug)]
pub struct Visible {
    /// The table.
    pub table: Arc<Table>,
    /// Must be true of the row, which is at depth 0.
    pub condition: Expression,
    /// The binds that hold keys of such rows; `None` where some of them stand inside lists or value objects.
    pub named: Option<Vec<usize>>,
}

/// What a program answers.
#[derive(Debug)]
pub enum Form {
    /// Nothing.
    Nothing,
    /// The row whose key is returned; null where none is, or none that the caller may see.
    Row(Arc<Read>),
    /// The value that is returned.
    Value(Scalar),
}

/// One thing that a program does.
#[derive(Debug)]
pub enum Step {
    /// Fills a bind.
    Let {
        /// Which.
        bind: usize,
        /// With what.
        value: Expression,
    },
    /// Fills binds with members of a JSON object.
    Unpack {
        /// The object, as text.
        from: Expression,
        /// Which members go where.
        members: Vec<Member>,
    },
    /// Ends the command where a condition is not true.
    Require {
        /// The condition.
        condition: Expression,
        /// The error: position among the model's.
        error: usize,
        /// What it carries.
        members: Vec<Expression>,
    },
    /// Does something for each of many.
    For {
        /// Of what.
        source: Source,
        /// The bind that holds the element.
        bind: usize,
        /// Where members of the element go, if it is a JSON object.
        members: Vec<Member>,
        /// What is done.
        body: Vec<Step>,
    },
    /// Does one thing or the other.
    If {
        /// What decides: only true is yes.
        condition: Expression,
        /// What is done then.
        then: Vec<Step>,
        /// What is done otherwise.
        otherwise: Vec<Step>,
    },
    /// Makes a row.
    Create(Creation),
    /// Changes a row.
    Update {
        /// Which.
        row: Place,
        /// Its key; of a part the number that stands for it.
        key: Expression,
        /// New values, evaluated with the row before at depth 0.
        set: Vec<(usize, Expression)>,
        /// Bounds of what is set.
        bounds: Vec<Bound>,
    },
    /// Deletes a row; of a root with all its parts.
    Delete {
        /// Which.
        row: Place,
        /// Its key; of a part the number that stands for it.
        key: Expression,
    },
    /// Publishes an event.
    Emit {
        /// Which: position in [`Program::events`].
        event: usize,
        /// By what its order is kept, if it is, and what that means.
        key: Option<(Expression, Scalar)>,
        /// What it carries.
        members: Vec<Carried>,
    },
    /// Another command's body, in this transaction.
    Run {
        /// What is done.
        body: Vec<Step>,
        /// The bind that what it returns goes to.
        bind: Option<usize>,
    },
    /// Calls what does a command by code.
    Code {
        /// Which: its position in the model.
        command: usize,
        /// What it is given, one for each parameter.
        arguments: Vec<Expression>,
        /// The bind that what it returns goes to.
        bind: usize,
    },
    /// Another command, after this transaction and in one of its own.
    Later {
        /// Which: the target of a task.
        target: Box<str>,
        /// What it is given, by the names of its parameters.
        arguments: Vec<Carried>,
        /// When, and how often at once.
        terms: Terms,
    },
    /// Returns the keys of the next rows that fulfil a condition, as a JSON array.
    Collect {
        /// Which rows.
        row: Place,
        /// With the row at depth 0.
        condition: Expression,
        /// The bind that holds the key behind which they are; null: from the first.
        after: usize,
        /// The most.
        most: usize,
    },
    /// Ends the body that it stands in.
    Return(Option<Expression>),
}

/// On which terms something is done later.
#[derive(Debug, Default)]
pub struct Terms {
    /// How long it waits first, in microseconds.
    pub delay: Option<Expression>,
    /// The more urgent comes first.
    pub priority: i64,
    /// While one with the same value waits, another is not asked for.
    pub unique: Option<(Expression, Scalar)>,
}

/// A table of a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Position in [`Program::targets`].
    pub target: usize,
    /// The position of the part; `None` for the root.
    pub part: Option<usize>,
}

/// A row to be made.
#[derive(Debug)]
pub struct Creation {
    /// Where.
    pub row: Place,
    /// For a part: the key of its root.
    pub root: Option<Expression>,
    /// A value for every column, in the table's order.
    pub values: Vec<Fill>,
    /// Bounds of what is set.
    pub bounds: Vec<Bound>,
    /// The bind that its key goes to; of a part the number that stands for it.
    pub bind: Option<usize>,
}

/// What a column of a new row is filled with.
#[derive(Debug)]
pub enum Fill {
    /// A value.
    Value(Expression),
    /// A new UUID (version 7, RFC 9562).
    Uuid,
    /// The next number that the database counts.
    Counted,
    /// The place among the parts, from 1.
    Position,
    /// The key of the root.
    Root,
    /// What is computed, once the rest is there.
    Computed,
}

/// What a value must be for its field, where that cannot be known before.
pub struct Bound {
    /// The column.
    pub column: usize,
    /// Whether a value that is there is one.
    pub holds: Box<dyn Fn(&Value) -> bool + Send + Sync>,
    /// The same of the row that has the value, at depth 0; `None` where SQL has no words for it.
    pub rule: Option<Expression>,
    /// What is said of a value that is none.
    pub message: Box<str>,
}

impl std::fmt::Debug for Bound {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Bound").field("message", &self.message).finish_non_exhaustive()
    }
}

/// A member of a JSON object that goes to a bind.
#[derive(Debug, Clone, PartialEq)]
pub struct Member {
    /// The names that lead to it.
    pub path: Vec<Box<str>>,
    /// What its text means.
    pub scalar: Scalar,
    /// Where it goes.
    pub bind: usize,
}

/// A value that an event or a command is given by name.
#[derive(Debug)]
pub struct Carried {
    /// The name.
    pub name: Box<str>,
    /// The value.
    pub value: Expression,
    /// What it means.
    pub scalar: Scalar,
}

/// What a `for` runs over.
#[derive(Debug)]
pub enum Source {
    /// The elements of a JSON array.
    List {
        /// It, as text.
        list: Expression,
        /// What an element means.
        scalar: Scalar,
    },
    /// The parts of a root.
    Parts {
        /// Which.
        row: Place,
        /// The root's key.
        root: Expression,
    },
    /// The rows of a table that fulfil a condition, in the order of their keys.
    Rows {
        /// Which.
        row: Place,
        /// With the row at depth 0.
        condition: Expression,
    },
}

/// A command, asked for.
#[derive(Debug, Clone)]
pub struct Command {
    /// What is done.
    pub program: Arc<Program>,
    /// The caller's values; behind them room for what the steps fill in.
    pub binds: Vec<Value>,
    /// Lists among them that the program goes through, read ([`Program::lists`]).
    pub lists: Vec<Arc<List>>,
    /// Rows that the caller named.
    pub named: Vec<Named>,
    /// The moment, in microseconds since 1970-01-01T00:00:00Z.
    pub now: i64,
    /// The task that this carries out, which ends with it.
    pub settles: Option<Settled>,
    /// What is called where code does a part of it.
    pub code: Option<Arc<dyn Code>>,
}

/// A row that a caller named.
#[derive(Debug, Clone)]
pub struct Named {
    /// Position in [`Program::visible`].
    pub visible: usize,
    /// Its key.
    pub key: Value,
    /// Where it stands in the body; `None`: in the address, so that a row which is not seen is not found.
    pub pointer: Option<String>,
}

/// The most rows that one command may load, make or change.
pub const MOST_ROWS: usize = 10_000;

impl Program {
    /// The table of a place.
    pub fn table(&self, place: Place) -> Option<&Arc<Table>> {
        let target = &self.targets.get(place.target)?.target;
        match place.part {
            None => Some(&target.table),
            Some(part) => target.parts.get(part).map(|part| &part.table),
        }
    }

    /// The legal transitions of a place.
    pub fn flows(&self, place: Place) -> &[Flow] {
        self.targets.get(place.target).map_or(&[], |target| match place.part {
            None => target.target.flows.as_slice(),
            Some(part) => target.target.parts.get(part).map_or(&[], |part| part.flows.as_slice()),
        })
    }
}

impl Inputs {
    /// What an expression with a root's row at depth 0 draws on; `part` finds the position of a part by its table.
    pub fn of(expression: &Expression, part: &dyn Fn(&Table) -> Option<usize>) -> Self {
        let mut inputs = Self::default();
        inputs.add(expression, 0, part);
        inputs
    }

    /// The same of one inside, from which the root's row is so many rows outwards.
    fn add(
        &mut self,
        expression: &Expression,
        outwards: usize,
        part: &dyn Fn(&Table) -> Option<usize>,
    ) {
        let mut inside = outwards;
        match expression {
            Expression::Column { depth, column } if *depth == outwards => {
                self.columns.push(*column);
            }
            Expression::Aggregate { table, .. } => {
                inside += 1;
                match part(table) {
                    Some(part) => self.parts.push(part),
                    None => self.others = true,
                }
            }
            Expression::Lookup { key, value, .. } => {
                self.others = true;
                self.add(key, outwards, part);
                return self.add(value, outwards + 1, part);
            }
            _ => {}
        }
        expression.children(&mut |child| self.add(child, inside, part));
    }

    /// The same of a check.
    pub fn of_check(check: &Check, part: &dyn Fn(&Table) -> Option<usize>) -> Self {
        Self::of(&check.expression, part)
    }
}

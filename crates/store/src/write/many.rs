//! Statements about many rows at once.

use std::sync::Arc;

use operation::{Dialect, Fault, ReadId, Scalar, Table, TableId, Value};
use smallvec::SmallVec;

use super::{Key, Kind, Place};
use crate::lower::along::{Held, Keys, Trail, held, led_to};
use crate::lower::{self, Lock, Settings, Statement, Taking};

/// Rows of a table by the values of one of its columns.
#[derive(Debug)]
pub(crate) struct Load {
    /// Whose statement it is.
    pub target: ReadId,
    pub table: Arc<Table>,
    pub column: usize,
    pub values: Vec<Value>,
    /// How they are kept from changing, where others could change them.
    pub lock: Lock,
    /// Whether they are locked already.
    pub held: bool,
}

/// Rows of a table that go: their keys, and what was found besides.
#[derive(Debug)]
pub(crate) struct Gone {
    pub table: Arc<Table>,
    pub keys: Vec<Value>,
    pub found: Vec<usize>,
}

impl Gone {
    /// The same, by table.
    pub fn of(rows: impl IntoIterator<Item = (Arc<Table>, Value)>) -> Vec<Self> {
        let mut all: Vec<Self> = Vec::new();
        for (table, key) in rows {
            match all.iter_mut().find(|gone| gone.table.id == table.id) {
                Some(gone) => gone.keys.push(key),
                None => all.push(Self { table, keys: vec![key], found: Vec::new() }),
            }
        }
        all
    }
}

/// A root that a command came to.
#[derive(Debug, Clone)]
pub(crate) struct Footprint {
    pub table: Arc<Table>,
    pub key: Value,
    /// Whether it was to go.
    pub goes: bool,
}

/// Rows of a table that are locked, in the order of their keys.
#[derive(Debug)]
pub(crate) struct Hold<'h> {
    /// Those that are named.
    pub load: &'h Load,
    pub settings: Settings<'h>,
    /// What was found besides.
    pub found: &'h [usize],
    /// Whether the transaction ends where one of those is not there.
    pub all: bool,
    /// Those that go along with others, or lose something.
    pub along: &'h [Trail],
    /// What goes.
    pub gone: &'h [Gone],
}

impl Hold<'_> {
    /// The key of its statement, where that is kept.
    pub fn key(&self, waits: bool) -> Option<Result<Key, Fault>> {
        let Load { lock, .. } = self.load;
        let is_kept = waits && self.all && self.along.is_empty();
        is_kept.then(|| self.load.key_of(Kind::Hold(*lock), self.found))
    }

    /// Its statement.
    pub fn lower(&self, waits: bool) -> Result<Statement, Fault> {
        let Self { load: Load { table, lock, .. }, settings, found, all, along, gone } = *self;
        let gone = gone.iter().map(|gone| Keys { table: &gone.table, found: &gone.found });
        let gone: Vec<Keys<'_>> = gone.collect();
        let of = Keys { table, found };
        held(Held { of, lock: *lock, waits, settings, all, along, gone: &gone })
    }

    /// What goes, in the order in which the arrays of its keys stand behind that of the named rows.
    pub fn arrays(&self) -> impl Iterator<Item = &Gone> {
        led_to(self.along).into_iter().filter_map(|at| self.gone.get(at))
    }
}

/// What a statement takes of a row.
pub(crate) type Picked<'v> = SmallVec<[&'v Value; 8]>;

/// Which columns it takes them of.
pub(crate) type Picks = SmallVec<[usize; 8]>;

/// A statement that is executed for many rows.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Many<'t> {
    pub key: Key,
    pub table: &'t Table,
    /// Of an update: the columns that change.
    pub columns: &'t [usize],
    /// Of rows that come: the columns that hold keys which this transaction has counted.
    pub drawn: &'t [(usize, TableId)],
}

/// A statement, and the rows that it is executed for.
#[derive(Debug)]
pub(crate) struct Each<'v> {
    pub many: Many<'v>,
    pub rows: Vec<Picked<'v>>,
}

impl Load {
    /// The key of its statement.
    pub fn key(&self, taking: Taking) -> Result<Key, Fault> {
        self.key_of(Kind::Among(self.lock, taking), &[self.column])
    }

    fn key_of(&self, kind: Kind, columns: &[usize]) -> Result<Key, Fault> {
        let at = usize::try_from(self.table.id.0).unwrap_or(usize::MAX);
        let place = Place { target: self.target, at, table: &self.table };
        Key::of(place, kind, columns, 0)
    }
}

impl<'t> Many<'t> {
    /// Rows that go: the values of the primary key.
    pub fn delete(place: Place<'t>) -> Result<Self, Fault> {
        Self::of(place, Kind::Delete, &[])
    }

    /// Rows that change: the new values of these columns, then the values of the primary key.
    pub fn update(place: Place<'t>, columns: &'t [usize]) -> Result<Self, Fault> {
        Self::of(place, Kind::Update, columns)
    }

    /// Rows that come: a value for every column.
    pub fn insert(place: Place<'t>) -> Result<Self, Fault> {
        Self::of(place, Kind::Insert, &[])
    }

    /// The same of rows of which these columns hold keys that this transaction has counted.
    pub fn insert_drawn(place: Place<'t>, drawn: &'t [(usize, TableId)]) -> Result<Self, Fault> {
        let columns: Picks = drawn.iter().map(|(column, _)| *column).collect();
        let key = Key::of(place, Kind::Insert, &columns, 0)?;
        Ok(Self { key, table: place.table, columns: &[], drawn })
    }

    fn of(place: Place<'t>, kind: Kind, columns: &'t [usize]) -> Result<Self, Fault> {
        Ok(Self { key: Key::of(place, kind, columns, 0)?, table: place.table, columns, drawn: &[] })
    }

    /// The columns of which it takes a value for each row, in the order of its parameters.
    pub fn given(&self) -> Picks {
        match self.key.kind {
            Kind::Insert => (0..self.table.columns.len()).collect(),
            Kind::Update => self.columns.iter().chain(&self.table.key).copied().collect(),
            _ => self.table.key.iter().copied().collect(),
        }
    }

    /// The statement for one row; its parameters stand behind `others`.
    pub fn lower(&self, dialect: Dialect, others: usize) -> Result<Statement, Fault> {
        match self.key.kind {
            Kind::Insert => lower::insert_drawn(dialect, self.table, self.drawn, others),
            Kind::Update => lower::update(dialect, self.table, self.columns, others),
            _ => lower::delete(dialect, self.table, &self.table.key),
        }
    }

    /// The statement for many rows, where each parameter is an array; the first stands behind `others`.
    pub fn lower_many(
        &self,
        others: usize,
        type_name: fn(Scalar) -> &'static str,
    ) -> Result<Statement, Fault> {
        match self.key.kind {
            Kind::Insert => Ok(lower::insert_many(self.table, self.drawn, others, type_name)),
            Kind::Update => lower::update_many(self.table, self.columns, others, type_name),
            _ => lower::delete_many(self.table, type_name),
        }
    }
}

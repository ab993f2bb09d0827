//! Statements about many rows at once.

use std::sync::Arc;

use operation::{Dialect, Fault, ReadId, Scalar, Table, TableId, Value};
use smallvec::SmallVec;

use super::{Key, Kind, Place};
use crate::lower::{self, Lock, Statement};

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
    pub fn key(&self) -> Result<Key, Fault> {
        self.key_of(Kind::Among(self.lock), &[self.column])
    }

    /// The key of the statement that locks them, and those whose keys were found at these positions, and answers nothing.
    pub fn key_of_hold(&self, found: &[usize]) -> Result<Key, Fault> {
        self.key_of(Kind::Hold(self.lock), found)
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

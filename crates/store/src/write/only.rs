//! A database of rows that are at hand: whatever needs more is refused, and with it the command.

use std::sync::Arc;

use operation::{Dialect, Fault, Read, Table, Value};

use super::{Asked, Database, Failure, Hold, Load, Many, Picked, Place, References, Tables};
use crate::Rows;
use crate::cache::Slot;
use crate::lower::Statement;

/// Rows that are at hand.
pub(crate) trait AtHand {
    /// How statements would be written for their database.
    const DIALECT: Dialect;
    /// The most turns that all loops of a command may take together.
    const TURNS: usize = 100_000;

    /// A root as it stands; `None` where that is not known.
    fn root(&mut self, _table: &Arc<Table>, _key: &Value) -> Option<Arc<[Value]>> {
        None
    }

    /// The rows that a load names; `None` where they are not all known.
    fn rows(&mut self, _load: &Load) -> Option<Vec<Vec<Value>>> {
        None
    }

    /// The tables that there are, and what refers to what.
    fn tables(&self) -> (&Tables, &References);
}

/// Rows that are at hand, as a database that has nothing else.
pub(crate) struct Only<A>(pub A);

/// That more is needed: nobody is told, the command is run where there is more.
fn refused() -> Fault {
    Fault::Internal("a command that needs more than is at hand".to_owned())
}

impl<A: AtHand> Database for Only<A> {
    const DIALECT: Dialect = A::DIALECT;
    const TURNS: usize = A::TURNS;

    fn remembered(&mut self, table: &Arc<Table>, key: &Value) -> Option<Arc<[Value]>> {
        self.0.root(table, key)
    }

    async fn load(&mut self, loads: &[Load]) -> Result<Vec<Vec<Vec<Value>>>, Failure> {
        loads.iter().map(|load| self.0.rows(load).ok_or_else(|| refused().into())).collect()
    }

    async fn run<'v>(
        &mut self,
        _: Asked,
        _: impl FnOnce() -> Result<Statement, Fault>,
        _: impl Iterator<Item = &'v Value>,
    ) -> Result<Vec<Vec<Value>>, Failure> {
        Err(refused().into())
    }

    async fn insert(&mut self, _: Place<'_>, _: &[Value]) -> Result<i64, Failure> {
        Err(refused().into())
    }

    async fn read(&mut self, _: &Arc<Read>, _: &[Value]) -> Result<Rows, Fault> {
        Err(refused())
    }

    async fn hold(&mut self, _: &Hold<'_>) -> Result<(), Failure> {
        Err(refused().into())
    }

    async fn each(&mut self, _: Many<'_>, _: Vec<Picked<'_>>) -> Result<(), Failure> {
        Err(refused().into())
    }

    async fn draw(&mut self, _: &Table, _: usize, _: i64, _: usize) -> Result<Vec<i64>, Failure> {
        Err(refused().into())
    }

    async fn settle(&mut self) -> Result<(), Failure> {
        Err(refused().into())
    }

    async fn undo(&mut self) -> Result<(), Fault> {
        Err(refused())
    }

    fn tables(&self) -> (&Tables, &References) {
        self.0.tables()
    }

    fn touched(&mut self) -> Option<&mut Vec<Slot>> {
        None
    }
}

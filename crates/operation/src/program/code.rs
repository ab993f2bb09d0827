//! What a model leaves to code: a program calls it, and it works on the program's open transaction.

use std::fmt::Debug;
use std::pin::Pin;

use super::{Place, Program, Step};
use crate::{Expression, Fault, Value};

/// What is awaited. It stays on its thread, as the transaction does.
pub type Waiting<'t, T> = Pin<Box<dyn Future<Output = Result<T, Fault>> + 't>>;

/// Commands that are done by code.
///
/// A transaction that has lost a race is tried again, and code runs anew with it: what it does besides is done twice.
pub trait Code: Debug + Send + Sync {
    /// Carries out a command, by its position in the model, for these arguments, one for each parameter. What it returns: of a
    /// row the key.
    fn call<'t>(
        &'t self,
        program: &'t Program,
        command: usize,
        arguments: &'t [Value],
        transaction: &'t mut (dyn Transaction + 't),
    ) -> Waiting<'t, Option<Value>>;
}

/// An open transaction, as code sees it. Rows are as the transaction has left them; what is read is kept from changing by others.
pub trait Transaction {
    /// How many binds there are: those of steps that are carried out come behind them.
    fn binds(&self) -> usize;

    /// Carries out steps over the tables and events of the program, with these binds besides. What they return.
    fn carry_out<'t>(
        &'t mut self,
        steps: &'t [Step],
        binds: Vec<Value>,
    ) -> Waiting<'t, Option<Value>>;

    /// A root: a value for each column.
    fn row<'t>(&'t mut self, place: Place, key: &'t Value) -> Waiting<'t, Option<Vec<Value>>>;

    /// The keys of the roots that fulfil a condition, which are at depth 0 of it; in their order.
    fn find<'t>(&'t mut self, place: Place, condition: &'t Expression) -> Waiting<'t, Vec<Value>>;

    /// The parts of a root: the number that stands for each in steps, and a value for each column.
    fn parts<'t>(
        &'t mut self,
        place: Place,
        root: &'t Value,
    ) -> Waiting<'t, Vec<(Value, Vec<Value>)>>;
}

//! The waist's vocabulary: what a store is asked to do, in the words of tables, binds and predicates.
//!
//! Every front door ends in an [`Operation`] and every store executes one. Policies are already part of it, so a
//! store cannot forget them. The crate knows neither the model nor a database; it holds data, the one meaning of
//! an expression ([`evaluate`]), and the buffer that SQL is written into ([`Sql`]).

mod evaluate;
mod exchange;
mod expression;
mod fault;
mod hook;
mod ident;
mod json;
mod number;
mod program;
mod read;
mod redraw;
mod scalar;
mod sql;
mod table;
mod task;
mod value;
mod write;

pub use evaluate::{
    EvaluationFault, Scope, Stored, StoredParts, evaluate, lower, order, truth, upper,
};
pub use exchange::{ARRIVED, Accept, Arrival, BROKER, Exchange, Unreadable};
pub use expression::{Aggregate, Arithmetic, Comparison, Expression, Function, NumberKind};
pub use fault::{Fault, FaultCode, Violation};
pub use hook::{Failed, Hook};
pub use ident::{FORMER_PLACE, Ident, SERVICE_SCHEMA};
pub use json::{Tree, parse_json};
pub use number::{
    add, divide, divide_decimal, float, multiply, negate, rescale, subtract, unsigned_zero,
};
pub use program::{
    Bound, Carried, Code, Command, Course, Creation, Direct, DirectRow, EachPart, Fill, Finding,
    Form, Found, Heard, How, InnerParts, Inputs, Layer, List, MOST_ROWS, MadeRow, Member, Named,
    Obstacle, Place, Program, ProgramTarget, Reason, Site, Source, Step, Terms, Total, Transaction,
    Visible, Waiting, any_step,
};
pub use read::{Cardinality, Field, Join, Object, Order, Output, Parts, Read, ReadId};
pub use redraw::{Redraw, Rule, Stage};
pub use scalar::{Scalar, TextFault};
pub use sql::{Dialect, Sql};
pub use table::{Column, ForeignKey, Kept, Native, OnDelete, Table, TableId, Unique};
pub use task::{Chore, Published, Settled, Task};
pub use value::Value;
pub use write::{
    Check, Computed, Create, Delete, Edit, Flow, Guard, PartChange, PartRow, PartTarget,
    Permission, Receipt, ReferenceRule, SetColumn, Target, Write,
};

/// What a store executes: one read, or one write that is atomic by itself.
///
/// The template (`Arc`) is compiled once and shared; the binds are this caller's values.
#[derive(Debug, Clone)]
pub enum Operation {
    /// Answer rows as JSON.
    Read {
        /// The compiled statement.
        read: std::sync::Arc<Read>,
        /// Values for the statement's [`Expression::Bind`] positions.
        binds: Vec<Value>,
    },
    /// Change one aggregate, then answer with it.
    Write(Box<Write>),
}

//! Expressions, typed.

use operation::Value;
use smallvec::SmallVec;
use syntax::Span;

use crate::{EntityId, EnumId, FieldId, Type};

/// Fields followed one after another; hardly a path has more than four.
pub type FieldPath = SmallVec<[FieldId; 4]>;

/// A typed expression.
#[derive(Debug, Clone)]
pub struct Expression {
    /// What it is.
    pub kind: ExpressionKind,
    /// Its type.
    pub ty: Type,
    /// Whether it may be null.
    pub optional: bool,
    /// Where it stands.
    pub span: Span,
}

impl Expression {
    /// A constant of a type, said at a place.
    pub fn constant(value: Value, ty: Type, span: Span) -> Self {
        let optional = value.is_null();
        let kind = if optional { ExpressionKind::Null } else { ExpressionKind::Literal(value) };
        Self { kind, ty, optional, span }
    }

    /// The expressions directly inside.
    pub fn children(&self) -> Vec<&Self> {
        match &self.kind {
            ExpressionKind::Not(inner) | ExpressionKind::Negate(inner) => vec![inner],
            ExpressionKind::Binary(_, left, right) => vec![left, right],
            ExpressionKind::And(all) | ExpressionKind::Or(all) | ExpressionKind::Call(_, all) => {
                all.iter().collect()
            }
            ExpressionKind::In(left, all) => std::iter::once(left.as_ref()).chain(all).collect(),
            ExpressionKind::Aggregate { body, .. } => body.iter().map(AsRef::as_ref).collect(),
            ExpressionKind::AggregateOf { root, body, .. } => {
                std::iter::once(root.as_ref()).chain(body.iter().map(AsRef::as_ref)).collect()
            }
            ExpressionKind::If(test, then, otherwise) => vec![test, then, otherwise],
            ExpressionKind::Unknown
            | ExpressionKind::Null
            | ExpressionKind::Literal(_)
            | ExpressionKind::EnumValue(..)
            | ExpressionKind::Now
            | ExpressionKind::Caller { .. }
            | ExpressionKind::Row { .. }
            | ExpressionKind::Parameter { .. }
            | ExpressionKind::Local { .. } => Vec::new(),
        }
    }
}

/// The kinds of expressions.
#[derive(Debug, Clone)]
pub enum ExpressionKind {
    /// Poison.
    Unknown,
    /// `null`
    Null,
    /// A constant, already of the stored form of its type (a decimal is scaled, a date is a day number).
    Literal(Value),
    /// A label of an enum.
    EnumValue(EnumId, usize),
    /// The moment of the request.
    Now,
    /// The caller: the row that signed in where its role has one (its key stands for it), otherwise the subject
    /// text. `path` leads on from that row: `caller.support_agent.id`. `caller.id` has an empty path when the key
    /// is meant.
    Caller {
        /// The entity whose row the caller is, if any.
        entity: Option<EntityId>,
        /// Fields followed from it; each but the last is a reference.
        path: FieldPath,
    },
    /// A field of a row in scope, references followed: `.customer.support_agent`.
    Row {
        /// How many rows outwards: inside an aggregate over parts, 0 is the part, 1 its root.
        depth: usize,
        /// Fields followed; each but the last is a reference. Empty: the row itself, by its key.
        path: FieldPath,
    },
    /// A parameter of a query, command, workflow or external operation, references followed.
    Parameter {
        /// Its position.
        position: usize,
        /// Fields followed from it.
        path: FieldPath,
    },
    /// A `let` or loop variable of a command, workflow or job, fields followed (records and references).
    Local {
        /// Its number within its body, in order of appearance.
        number: usize,
        /// Fields followed from it.
        path: FieldPath,
    },
    /// `not a`
    Not(Box<Expression>),
    /// `-a`
    Negate(Box<Expression>),
    /// `a == b`, `a + b`, … (`and`, `or` and `in` are kinds of their own).
    Binary(BinaryOperator, Box<Expression>, Box<Expression>),
    /// `a and b and c`
    And(Vec<Expression>),
    /// `a or b or c`
    Or(Vec<Expression>),
    /// `a in (b, c)`
    In(Box<Expression>, Vec<Expression>),
    /// `sum(lines, .price * .quantity)`
    Aggregate {
        /// Which fold.
        aggregate: operation::Aggregate,
        /// The part folded over.
        part: EntityId,
        /// How many rows outwards the root stands.
        depth: usize,
        /// What is folded, with the part at depth 0; none for a plain `count(lines)`.
        body: Option<Box<Expression>>,
    },
    /// `count(order.lines)`: a fold over the parts of a row that a parameter, a local or the caller stands for.
    /// Only in bodies of commands, workflows and jobs.
    AggregateOf {
        /// Which fold.
        aggregate: operation::Aggregate,
        /// The part folded over.
        part: EntityId,
        /// The row of the root.
        root: Box<Expression>,
        /// What is folded, with the part at depth 0 and its root at depth 1; none for a plain `count`.
        body: Option<Box<Expression>>,
    },
    /// `lower(.name)`
    Call(Function, Vec<Expression>),
    /// `if a then b else c`
    If(Box<Expression>, Box<Expression>, Box<Expression>),
}

/// Comparison and arithmetic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BinaryOperator {
    /// A comparison; of references it compares keys.
    Compare(operation::Comparison),
    /// `+ - * /`; the rules for decimals and money are at [`check`](crate::check).
    Arithmetic(operation::Arithmetic),
}

/// Functions of values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Function {
    /// One that the waist has.
    Plain(operation::Function),
    /// The first that is not null.
    Coalesce,
}

//! Statements, typed: bodies of commands, steps and jobs.

use syntax::Span;

use crate::{CommandId, EntityId, ErrorId, EventId, Expression, ExternalId, FieldId};

/// One statement.
#[derive(Debug, Clone)]
pub struct Statement {
    /// What it is.
    pub kind: StatementKind,
    /// Where it stands.
    pub span: Span,
}

/// The kinds of statements.
#[derive(Debug, Clone)]
pub enum StatementKind {
    /// Poison: a fault was reported.
    Unknown,
    /// `let name = VALUE`
    Let {
        /// The number of the local it fills.
        number: usize,
        /// What it is.
        value: ValueSource,
    },
    /// `require EXPR else Error { … }`
    Require {
        /// What must be true.
        condition: Expression,
        /// The error that is answered otherwise.
        error: ErrorId,
        /// What it carries.
        members: Vec<(FieldId, Expression)>,
    },
    /// `for name in … { … }`
    For {
        /// The number of the local that holds the element.
        number: usize,
        /// What it runs over.
        source: Source,
        /// What is done for each.
        body: Vec<Statement>,
    },
    /// `if EXPR { … } else { … }`
    If {
        /// What decides: only true is yes.
        condition: Expression,
        /// What is done if it holds.
        then: Vec<Statement>,
        /// What is done if not.
        otherwise: Vec<Statement>,
    },
    /// `create Entity { … }`
    Create(Creation),
    /// `update ROW { … }`
    Update {
        /// The row.
        target: Expression,
        /// Its entity.
        entity: EntityId,
        /// The new values, evaluated over the row before.
        fields: Vec<(FieldId, Expression)>,
    },
    /// `delete ROW`
    Delete {
        /// The row.
        target: Expression,
        /// Its entity.
        entity: EntityId,
    },
    /// `emit Event { … }`
    Emit {
        /// The event.
        event: EventId,
        /// What it carries.
        members: Vec<(FieldId, Expression)>,
    },
    /// `run command(…)`, maybe `later`.
    Run(Invocation),
    /// `call external.operation(…)`
    Call(ExternalCall),
    /// `return VALUE`
    Return(Option<ValueSource>),
}

/// `create Entity { … }`
#[derive(Debug, Clone)]
pub struct Creation {
    /// The entity.
    pub entity: EntityId,
    /// For a part: the row of its root.
    pub root: Option<Expression>,
    /// Fields and their values; what is left out gets its default, or null.
    pub fields: Vec<(FieldId, Expression)>,
}

/// `run command(…)`
#[derive(Debug, Clone)]
pub struct Invocation {
    /// What runs.
    pub target: Runnable,
    /// What it is given, one for each parameter.
    pub arguments: Vec<Expression>,
    /// Whether it runs after the transaction instead of in it.
    pub later: bool,
    /// On which terms it does then.
    pub terms: Terms,
}

/// `later in 2h priority 5 unique EXPR`
#[derive(Debug, Clone, Default)]
pub struct Terms {
    /// How long it waits.
    pub delay: Option<Expression>,
    /// The greater comes first.
    pub priority: i64,
    /// Of all with one value one waits.
    pub unique: Option<Expression>,
}

/// What `run` may start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Runnable {
    /// A command.
    Command(CommandId),
    /// A workflow, by its position.
    Workflow(usize),
}

/// `call external.operation(…)`
#[derive(Debug, Clone)]
pub struct ExternalCall {
    /// The dependency.
    pub external: ExternalId,
    /// The position of its operation.
    pub operation: usize,
    /// What it is given, one for each parameter.
    pub arguments: Vec<Expression>,
}

/// What a `let` binds and a `return` answers.
#[derive(Debug, Clone)]
pub enum ValueSource {
    /// An expression.
    Expression(Expression),
    /// The row created.
    Create(Creation),
    /// The answer of a command.
    Run(Invocation),
    /// The answer of an external.
    Call(ExternalCall),
}

/// What a `for` runs over.
#[derive(Debug, Clone)]
pub enum Source {
    /// The elements of a list.
    List(Expression),
    /// The parts of a row.
    Parts {
        /// The row of the root.
        root: Expression,
        /// Which parts.
        part: EntityId,
    },
    /// The rows of an entity that fulfil a condition.
    Rows {
        /// The entity.
        entity: EntityId,
        /// The condition, with the row at depth 0.
        filter: Option<Expression>,
    },
}

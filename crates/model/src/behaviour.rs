//! What the system does: queries, commands, events, and what follows from them.

use syntax::Span;

use crate::{
    CommandId, Deprecation, EntityId, EventId, Expression, FieldId, Policy, QueryId, RoleId,
    ServiceId, Statement, Type,
};

/// A named access pattern.
#[derive(Debug, Clone)]
pub struct Query {
    /// `snake_case` name.
    pub name: String,
    /// Its documentation.
    pub docs: Option<String>,
    /// Where the name stands.
    pub span: Span,
    /// Its service.
    pub service: ServiceId,
    /// Its parameters.
    pub parameters: Vec<Parameter>,
    /// What it answers.
    pub entity: EntityId,
    /// Which rows. A comparison with an optional parameter that is left out drops out of it.
    pub filter: Option<Expression>,
    /// In which order; the key is appended by who compiles it.
    pub sort: Vec<SortKey>,
    /// Rows of a page unless the caller says otherwise.
    pub page: u32,
    /// The most rows of a page.
    pub page_maximum: u32,
    /// Who may ask (the entity's row policies apply besides). Conditions speak of parameters and the caller.
    pub policies: Vec<Policy>,
    /// `deprecated`
    pub deprecation: Option<Deprecation>,
}

/// A parameter.
#[derive(Debug, Clone)]
pub struct Parameter {
    /// Its name.
    pub name: String,
    /// Where it stands.
    pub span: Span,
    /// Its type.
    pub ty: Type,
    /// Whether it may be left out.
    pub optional: bool,
}

/// One term of a sort.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SortKey {
    /// The field.
    pub field: FieldId,
    /// Whether it descends.
    pub descending: bool,
}

/// A transaction.
#[derive(Debug, Clone)]
pub struct Command {
    /// `snake_case` name.
    pub name: String,
    /// Its documentation.
    pub docs: Option<String>,
    /// Where the name stands.
    pub span: Span,
    /// Its service.
    pub service: ServiceId,
    /// Its parameters.
    pub parameters: Vec<Parameter>,
    /// What it answers, if anything; optional or not.
    pub answer: Option<(Type, bool)>,
    /// Who may call it.
    pub policies: Vec<Policy>,
    /// Whether its body is registered as code.
    pub by_code: bool,
    /// `deprecated`
    pub deprecation: Option<Deprecation>,
    /// What it does, in order; empty where its body is code.
    pub body: Vec<Statement>,
}

/// A fact that is published.
#[derive(Debug, Clone)]
pub struct Event {
    /// `UpperCamel` name.
    pub name: String,
    /// Its documentation.
    pub docs: Option<String>,
    /// Where the name stands.
    pub span: Span,
    /// Its service.
    pub service: ServiceId,
    /// Where it comes from, if another system publishes it: a subject, stream, queue or topic of the broker.
    pub from: Option<String>,
    /// The field by which its order is kept.
    pub by: Option<FieldId>,
    /// Its members.
    pub fields: Vec<FieldId>,
    /// Who may read it from outside.
    pub readers: Vec<crate::Grantee>,
    /// Who may have it heard once more, and sees to what failed when it was heard.
    pub replayers: Vec<crate::Grantee>,
}

/// A problem with a status and a message.
#[derive(Debug, Clone)]
pub struct ErrorType {
    /// `UpperCamel` name.
    pub name: String,
    /// Its documentation.
    pub docs: Option<String>,
    /// Where the name stands.
    pub span: Span,
    /// Its service.
    pub service: ServiceId,
    /// HTTP status, 400 to 599.
    pub status: u16,
    /// What is said, with `{field}` in it.
    pub message: String,
    /// Its members.
    pub fields: Vec<FieldId>,
}

/// `on EVENT run COMMAND(…)`
#[derive(Debug, Clone)]
pub struct Subscription {
    /// What is heard.
    pub event: EventId,
    /// What is done.
    pub command: CommandId,
    /// What the command is given, one for each parameter; [`crate::ExpressionKind::Parameter`] is a member of the
    /// event, by position.
    pub arguments: Vec<Expression>,
    /// Where it stands.
    pub span: Span,
}

/// `webhook`
#[derive(Debug, Clone)]
pub struct Webhook {
    /// Its name.
    pub name: String,
    /// Its documentation.
    pub docs: Option<String>,
    /// Where the name stands.
    pub span: Span,
    /// What it sends.
    pub events: Vec<EventId>,
    /// What it takes in: it does one or the other.
    pub receives: Vec<Received>,
    /// For how long what fails is tried again, in microseconds.
    pub retry: Option<i64>,
}

/// An event that comes in through a webhook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    /// Which.
    pub event: EventId,
    /// What its type is called by who sends it; the event's name where nothing is said.
    pub kind: Option<String>,
}

/// `workflow`
#[derive(Debug, Clone)]
pub struct Workflow {
    /// Its name.
    pub name: String,
    /// Its documentation.
    pub docs: Option<String>,
    /// Where the name stands.
    pub span: Span,
    /// Its service.
    pub service: ServiceId,
    /// Its parameters.
    pub parameters: Vec<Parameter>,
    /// What starts it: its parameters are the event's members of the same names.
    pub on: Option<EventId>,
    /// Names of its steps.
    pub steps: Vec<String>,
    /// What its steps do and how each is taken back, in the order of the names.
    pub bodies: Vec<Step>,
}

/// What a step does.
#[derive(Debug, Clone, Default)]
pub struct Step {
    /// What it does, in order.
    pub body: Vec<Statement>,
    /// What takes it back.
    pub undo: Vec<Statement>,
}

/// `job`
#[derive(Debug, Clone)]
pub struct Job {
    /// Its name.
    pub name: String,
    /// Its documentation.
    pub docs: Option<String>,
    /// Where the name stands.
    pub span: Span,
    /// Its service.
    pub service: ServiceId,
    /// When it runs.
    pub schedule: crate::Schedule,
    /// By how much its beginning is moved at random, in microseconds at most.
    pub jitter: i64,
    /// What becomes of runs that were missed.
    pub catch_up: crate::CatchUp,
    /// What it does, in order.
    pub body: Vec<Statement>,
}

/// What a limit or a promise speaks of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Target {
    /// A query.
    Query(QueryId),
    /// A command.
    Command(CommandId),
    /// An entity, whatever is done with it.
    Entity(EntityId),
}

/// `limit NAME 10 per 1m by caller`
#[derive(Debug, Clone)]
pub struct Limit {
    /// What is limited, as it is written.
    pub name: String,
    /// What that is.
    pub target: Target,
    /// Where it stands.
    pub span: Span,
    /// How many.
    pub count: i64,
    /// In how many microseconds.
    pub period: i64,
}

/// `slo NAME 99.9% under 200ms`
#[derive(Debug, Clone)]
pub struct Slo {
    /// What promises it, as it is written.
    pub name: String,
    /// What that is.
    pub target: Target,
    /// Where it stands.
    pub span: Span,
    /// Share of requests, in percent.
    pub percent: f64,
    /// Within how many microseconds, if it says so.
    pub under: Option<i64>,
}

impl Policy {
    /// Whether callers with these roles are meant.
    pub fn grants(&self, roles: &[RoleId]) -> bool {
        self.grantees.iter().any(|grantee| match grantee {
            crate::Grantee::Anyone => true,
            crate::Grantee::Role(role) => roles.contains(role),
        })
    }
}

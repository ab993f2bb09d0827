//! The system around the data: the app, its services, who signs in, where it runs, and why.

use syntax::Span;

use crate::{CommandId, EntityId, FieldId, QueryId, RoleId, ServiceId};

/// `app`
#[derive(Debug, Clone)]
pub struct App {
    /// `UpperCamel` name.
    pub name: String,
    /// Its documentation.
    pub docs: Option<String>,
    /// Where the name stands.
    pub span: Span,
    /// The version of its interface: `/v1`.
    pub version: u32,
    /// What it is reached by.
    pub surfaces: Vec<Surface>,
}

/// A front door.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Surface {
    /// HTTP and JSON.
    Rest,
    /// GraphQL.
    Graphql,
    /// gRPC.
    Grpc,
}

/// A role that a token may carry.
#[derive(Debug, Clone)]
pub struct Role {
    /// Its name.
    pub name: String,
    /// Its documentation.
    pub docs: Option<String>,
    /// Where it stands.
    pub span: Span,
    /// The entity whose rows callers of this role are, by their key in the token's subject.
    pub entity: Option<EntityId>,
}

/// A bounded context.
#[derive(Debug, Clone)]
pub struct Service {
    /// Its name; empty for what stands outside any service.
    pub name: String,
    /// Its documentation.
    pub docs: Option<String>,
    /// Where the name stands.
    pub span: Span,
}

/// `auth`
#[derive(Debug, Clone, Default)]
pub struct Auth {
    /// Who signs in.
    pub users: Vec<SignIn>,
    /// Whether there are local accounts.
    pub password: bool,
    /// Issuers of identity.
    pub oidc: Vec<Oidc>,
    /// What a token must say.
    pub token: Token,
    /// How often anyone may try to sign in: so many in so many microseconds, by network address.
    pub limit: Option<(i64, i64)>,
    /// Where `auth` stands, if it does.
    pub span: Option<Span>,
}

/// `users Customer by email as customer`
#[derive(Debug, Clone)]
pub struct SignIn {
    /// The entity whose rows sign in.
    pub entity: EntityId,
    /// The field they sign in by.
    pub by: Option<FieldId>,
    /// The roles they get.
    pub roles: Vec<RoleId>,
    /// Where it stands.
    pub span: Span,
}

/// `oidc name { … }`
#[derive(Debug, Clone)]
pub struct Oidc {
    /// Its name.
    pub name: String,
    /// Where it stands.
    pub span: Span,
}

/// `token { … }`: claims of RFC 7519 that must hold.
#[derive(Debug, Clone, Default)]
pub struct Token {
    /// `iss`, if it is demanded.
    pub issuer: Option<String>,
    /// `aud`, if it is demanded.
    pub audience: Option<String>,
    /// The claim that carries the roles; `roles` (or `role`) if unsaid.
    pub roles_claim: Option<String>,
}

/// `deprecated …`
#[derive(Debug, Clone)]
pub struct Deprecation {
    /// Since when: days since 1970-01-01.
    pub since: Option<i64>,
    /// When it goes away: days since 1970-01-01.
    pub sunset: Option<i64>,
    /// What to use instead.
    pub advice: Option<String>,
    /// Where it stands.
    pub span: Span,
}

/// `external`
#[derive(Debug, Clone)]
pub struct External {
    /// Its name.
    pub name: String,
    /// Its documentation.
    pub docs: Option<String>,
    /// Where the name stands.
    pub span: Span,
    /// Its operations: name, parameters and answer.
    pub operations: Vec<ExternalOperation>,
}

/// `post charge "/charges" { … } -> { … }`
#[derive(Debug, Clone)]
pub struct ExternalOperation {
    /// Its name.
    pub name: String,
    /// Where it stands.
    pub span: Span,
    /// Members of the body, in order: what it is called with.
    pub parameters: Vec<FieldId>,
    /// Members of the answer.
    pub answer: Vec<FieldId>,
}

/// `load`
#[derive(Debug, Clone)]
pub struct Load {
    /// Its name.
    pub name: String,
    /// Where it stands.
    pub span: Span,
    /// What it says.
    pub entries: Vec<LoadEntry>,
}

/// One line of a load.
#[derive(Debug, Clone)]
pub enum LoadEntry {
    /// `Order 1_000_000 rows`
    Rows(EntityId, i64),
    /// `place_order 40/s peak 400/s`, per second.
    CommandRate(CommandId, f64, Option<f64>),
    /// The same of a query.
    QueryRate(QueryId, f64, Option<f64>),
    /// `Product.read 2_000/s`
    EntityRate(EntityId, crate::Action, f64, Option<f64>),
    /// `grows 10% per month for 24 months`: percent, and over how many months.
    Growth(f64, i64),
}

/// `environment`
#[derive(Debug, Clone)]
pub struct Environment {
    /// Its name.
    pub name: String,
    /// Where the name stands.
    pub span: Span,
    /// The engine of its store (`sqlite`, `postgres`), and the file or the variable that says where.
    pub store: Option<(String, Option<String>)>,
    /// How many replicas its store has.
    pub replicas: Option<i64>,
    /// Whether it says how the store is kept: backups, how far back it can be recovered.
    pub keeping: bool,
    /// The engine of its shared cache (`redis`), and its address or the variable that says where.
    pub cache: Option<(String, Option<String>)>,
    /// The engine of its broker (`nats`, `kafka`, `rabbitmq`, `redis`), and its address or the variable that holds it.
    pub broker: Option<(String, Option<String>)>,
    /// The provider and the region it runs in.
    pub cloud: Option<(String, String)>,
    /// What it may cost.
    pub budget: Option<Budget>,
    /// Services that run on their own; those left out share one process.
    pub deployments: Vec<Deployment>,
}

/// `budget 900 USD per month`
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Budget {
    /// Units of the currency in a month.
    pub monthly: f64,
    /// Its currency.
    pub currency: crate::Currency,
}

/// `deploy sales x 2..20`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deployment {
    /// The service.
    pub service: ServiceId,
    /// The fewest of it that run.
    pub least: u32,
    /// The most.
    pub most: u32,
}

/// `decision`
#[derive(Debug, Clone)]
pub struct Decision {
    /// What was decided.
    pub title: String,
    /// Where it stands.
    pub span: Span,
    /// What counted, and how much.
    pub criteria: Vec<Criterion>,
    /// The options and their marks, in the order of the criteria.
    pub options: Vec<(String, Vec<Option<f64>>)>,
    /// The option chosen.
    pub chosen: Option<String>,
    /// Why.
    pub because: Option<String>,
}

/// A criterion and its weight.
#[derive(Debug, Clone, PartialEq)]
pub struct Criterion {
    /// Its name.
    pub name: String,
    /// Its weight.
    pub weight: f64,
}

//! The architecture, resolved and type-checked: ids and tables, no strings to look up.
//!
//! [`check`] turns parsed files into a [`Model`] and everything that is wrong with them. A fault poisons what it
//! touches ([`Type::Unknown`]) and stops nothing, so that every fault of a model is reported at once.

mod architecture;
mod behaviour;
mod check;
mod codes;
mod currency;
mod data;
mod deferred;
mod expression;
mod format;
mod id;
mod naming;
mod reference;
mod schedule;
mod statement;
mod ty;
mod uses;
mod visit;
mod vocabulary;

pub use architecture::{
    App, Auth, Budget, Criterion, Decision, Deployment, Deprecation, Environment, External,
    ExternalOperation, Load, LoadEntry, Oidc, Role, Service, SignIn, Surface, Token,
};
pub use behaviour::{
    Command, ErrorType, Event, Job, Limit, Parameter, Query, Received, Slo, SortKey, Step,
    Subscription, Target, Webhook, Workflow,
};
pub use check::{Checked, Edited, Extent, check};
pub use codes::CODES;
pub use data::{
    Action, Check, Default, Entity, EntityKind, EnumType, EnumValue, Field, Flow, Grantee,
    Grantees, Half, Index, OnDelete, PartOf, Policy, Privacy, RecordType, Unique,
};
pub use deferred::deferred;
pub use expression::{BinaryOperator, Expression, ExpressionKind, FieldPath, Function};
pub use format::{EMAIL_LENGTH, EMAIL_PATTERN, URL_LENGTH, URL_PATTERN, is_email, is_url};
pub use id::{
    CommandId, EntityId, EnumId, ErrorId, EventId, ExternalId, FieldId, QueryId, RecordId, RoleId,
    ServiceId,
};
pub use model_root::{Model, Valid};
pub use naming::{collection_path, kebab_case, plural, snake_case, upper_camel};
pub use reference::reference;
pub use schedule::{CatchUp, Schedule};
pub use statement::{
    Creation, ExternalCall, Invocation, Runnable, Source, Statement, StatementKind, Terms,
    ValueSource,
};
pub use ty::{Bounds, Currency, Type};
pub use uses::{Binding, Bound, Uses};
pub use vocabulary::{Place, Word, words};

mod model_root;

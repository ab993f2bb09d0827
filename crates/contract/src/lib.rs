//! The public surface as data. [`derive`] reads it from a model; the router, OpenAPI, AsyncAPI and the API page all read the
//! same [`Contract`], so that none of them can say what another does not do.

mod asyncapi;
mod cloud_event;
mod condition;
mod contract;
mod derive;
mod describe;
pub mod diff;
mod event;
mod example;
mod formula;
mod openapi;
mod policy;
mod schema;
mod shape;

pub use asyncapi::asyncapi;
pub use cloud_event::CloudEvent;
pub use condition::duration;
pub use contract::{
    Answer, CommandRoute, Contract, ErrorMember, ErrorType, EventType, Farewell, Filter, Grant,
    Labels, Member, PAGE, PAGE_MAXIMUM, Parameter, PartOf, QueryRoute, Record, Resource, Tag,
    Webhook,
};
pub use derive::derive;
pub use describe::{
    CommandDescription, Description, Engine, EntityDescription, EnumDescription,
    EnvironmentDescription, ErrorDescription, EventDescription, ExternalDescription,
    FieldDescription, Growth, JobDescription, LoadDescription, MembersDescription, Named,
    PartDescription, QueryDescription, Rate, RoleDescription, Route, Rows, WebhookDescription,
    WorkflowDescription, describe,
};
pub use diff::{Change, diff, qualified};
pub use event::event_schema;
pub use formula::formulas;
pub use openapi::openapi;
pub use policy::{Access, AccessGrant, FixedFields, May, PolicyMatrix, Thing, Verb, policy};
pub use shape::Shape;

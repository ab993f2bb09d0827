//! The public surface as data. [`derive`] reads it from a model; the router, OpenAPI, AsyncAPI and the API page all read the
//! same [`Contract`], so that none of them can say what another does not do.

mod asyncapi;
mod cloud_event;
mod contract;
mod derive;
pub mod diff;
mod event;
mod example;
mod openapi;
mod schema;
mod shape;

pub use asyncapi::asyncapi;
pub use cloud_event::CloudEvent;
pub use contract::{
    Answer, CommandRoute, Contract, ErrorMember, ErrorType, EventType, Farewell, Filter, Grant,
    Labels, Member, PAGE, PAGE_MAXIMUM, Parameter, PartOf, QueryRoute, Record, Resource, Tag,
    Webhook,
};
pub use derive::derive;
pub use diff::{Change, diff};
pub use event::event_schema;
pub use openapi::openapi;
pub use shape::Shape;

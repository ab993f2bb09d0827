//! The public surface as data. [`derive`] reads it from a model; the router, OpenAPI and the API page all read the
//! same [`Contract`], so that none of them can say what another does not do.

mod contract;
mod derive;
mod example;
mod openapi;
mod schema;
mod shape;

pub use contract::{
    Answer, CommandRoute, Contract, ErrorMember, ErrorType, Farewell, Filter, Grant, Labels,
    Member, PAGE, PAGE_MAXIMUM, Parameter, PartOf, QueryRoute, Record, Resource, Tag,
};
pub use derive::derive;
pub use openapi::openapi;
pub use shape::Shape;

//! The model itself.

use std::ops::{Deref, Index};

use operation::Scalar;
use syntax::{Diagnostic, Severity};

use crate::{
    App, Auth, Command, Decision, Entity, EntityId, EntityKind, EnumId, EnumType, Environment,
    ErrorType, Event, EventId, External, Field, FieldId, Job, Limit, Load, PartOf, Query, RecordId,
    RecordType, Role, RoleId, Service, Slo, Subscription, Type, Webhook, Workflow,
};

/// An architecture, resolved. Ids are positions in these tables.
#[derive(Debug, Clone, Default)]
pub struct Model {
    /// `app`; a model without one has reported it.
    pub app: Option<App>,
    /// Roles; position 0 is `system`.
    pub roles: Vec<Role>,
    /// Who signs in.
    pub auth: Auth,
    /// Services; position 0 is the nameless one.
    pub services: Vec<Service>,
    /// Entities and parts.
    pub entities: Vec<Entity>,
    /// Fields of all owners.
    pub fields: Vec<Field>,
    /// Enums.
    pub enums: Vec<EnumType>,
    /// Records.
    pub records: Vec<RecordType>,
    /// Errors.
    pub errors: Vec<ErrorType>,
    /// Queries.
    pub queries: Vec<Query>,
    /// Commands.
    pub commands: Vec<Command>,
    /// Events.
    pub events: Vec<Event>,
    /// Who hears events.
    pub subscriptions: Vec<Subscription>,
    /// Webhooks.
    pub webhooks: Vec<Webhook>,
    /// Workflows.
    pub workflows: Vec<Workflow>,
    /// Jobs.
    pub jobs: Vec<Job>,
    /// Limits.
    pub limits: Vec<Limit>,
    /// Promises.
    pub slos: Vec<Slo>,
    /// Dependencies.
    pub externals: Vec<External>,
    /// Loads.
    pub loads: Vec<Load>,
    /// Environments.
    pub environments: Vec<Environment>,
    /// Decisions.
    pub decisions: Vec<Decision>,
}

impl Model {
    /// How a value of a type is stored: a reference as its target's key. `None` only for poison.
    pub fn scalar(&self, ty: &Type) -> Option<Scalar> {
        match ty {
            Type::Entity(id) if self.entities.get(id.index()).is_none() => None,
            // A key is never a reference to its own entity; a part keyed by a reference leads on at most once.
            Type::Entity(id) => match &self[self[*id].key].ty {
                Type::Entity(next) if next != id => self.scalar(&Type::Entity(*next)),
                Type::Entity(_) => None,
                key => key.scalar(),
            },
            other => other.scalar(),
        }
    }

    /// A type as a person would write it: `Money(EUR)`, `Order`, `[Basket]`.
    pub fn type_text(&self, ty: &Type) -> String {
        match ty {
            Type::Unknown => "an unknown type".to_owned(),
            Type::Bool => "Bool".to_owned(),
            Type::Int(_) => "Int".to_owned(),
            Type::Float(_) => "Float".to_owned(),
            Type::Decimal { precision, scale } => format!("Decimal({precision}, {scale})"),
            Type::Money(currency) => format!("Money({})", currency.as_str()),
            Type::String(_) => "String".to_owned(),
            Type::Email => "Email".to_owned(),
            Type::Url => "Url".to_owned(),
            Type::Uuid => "Uuid".to_owned(),
            Type::Date => "Date".to_owned(),
            Type::Time => "Time".to_owned(),
            Type::Timestamp => "Timestamp".to_owned(),
            Type::Duration => "Duration".to_owned(),
            Type::Json(_) => "Json".to_owned(),
            Type::Bytes(_) => "Bytes".to_owned(),
            Type::Enum(id) => self[*id].name.clone(),
            Type::Record(id) => self[*id].name.clone(),
            Type::Entity(id) => self[*id].name.clone(),
            Type::List(element, _) => format!("[{}]", self.type_text(element)),
        }
    }

    /// Whether a reference from one entity to another crosses from one service into another: such a reference is
    /// an identifier only, without a foreign key and never joined.
    pub fn crosses(&self, from: EntityId, to: EntityId) -> bool {
        self[from].service != self[to].service
    }

    /// The ids of all entities, in source order.
    pub fn entity_ids(&self) -> impl Iterator<Item = EntityId> + use<> {
        (0..self.entities.len() as u32).map(EntityId)
    }

    /// Whether an event is published by another system: it comes from a broker, or a webhook receives it.
    pub fn is_foreign(&self, event: EventId) -> bool {
        let received =
            |webhook: &Webhook| webhook.receives.iter().any(|received| received.event == event);
        self.events.get(event.index()).is_some_and(|event| event.from.is_some())
            || self.webhooks.iter().any(received)
    }

    /// How a part hangs on its root; `None` for a root.
    pub fn part_of(&self, entity: EntityId) -> Option<&PartOf> {
        match &self[entity].kind {
            EntityKind::Root => None,
            EntityKind::Part(part) => Some(part),
        }
    }

    /// The field of an entity by its name.
    pub fn field_named(&self, entity: EntityId, name: &str) -> Option<FieldId> {
        self[entity].fields.iter().copied().find(|field| self[*field].name == name)
    }

    /// The part of a root by the name of the member that holds it.
    pub fn part_named(&self, root: EntityId, name: &str) -> Option<EntityId> {
        self[root]
            .parts
            .iter()
            .copied()
            .find(|part| self.part_of(*part).is_some_and(|p| p.name == name))
    }
}

macro_rules! tables {
    ($($id:ident $item:ident $table:ident;)*) => {$(
        impl Index<$id> for Model {
            type Output = $item;

            fn index(&self, id: $id) -> &$item {
                &self.$table[id.index()]
            }
        }
    )*};
}

tables! {
    EntityId Entity entities;
    FieldId Field fields;
    EnumId EnumType enums;
    RecordId RecordType records;
    RoleId Role roles;
}

impl Index<crate::QueryId> for Model {
    type Output = Query;

    fn index(&self, id: crate::QueryId) -> &Query {
        &self.queries[id.index()]
    }
}

/// Proof that a value was checked and had no errors: what later stages ask for.
#[derive(Debug, Clone)]
pub struct Valid<T>(T);

impl Valid<Model> {
    /// The model, if none of its diagnostics is an error and it has an app.
    pub fn new(model: Model, diagnostics: &[Diagnostic]) -> Option<Self> {
        let clean = diagnostics.iter().all(|diagnostic| diagnostic.severity != Severity::Error);
        (clean && model.app.is_some()).then_some(Self(model))
    }
}

impl<T> Deref for Valid<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

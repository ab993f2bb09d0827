//! Who may do what, as a matrix: every role, every thing, every verb.

use model::{
    Action, EntityId, Field, FieldId, Grantee, Model, Parameter, Policy, RoleId, ServiceId, Valid,
};
use schemars::JsonSchema;
use serde::Serialize;

use crate::condition;
use crate::diff::qualified;

/// Who may do what. Closed: what is not granted is refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct PolicyMatrix {
    /// Who may come: `anyone` (with a token or without one), then the roles of the model, then `system`, which is
    /// what runs inside: only of commands is said what it may.
    pub roles: Vec<String>,
    /// One entry for each role, thing and verb, in the order of the model.
    pub access: Vec<Access>,
    /// What no grant reaches, entity by entity.
    pub fixed: Vec<FixedFields>,
}

/// What one role may do with one thing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Access {
    /// The role.
    pub role: String,
    /// The thing, with its service before it: `sales.Order`; a part under its root: `sales.Order.lines`.
    pub item: String,
    /// What it is.
    pub thing: Thing,
    /// What is done with it.
    pub verb: Verb,
    /// Whether it may.
    pub may: May,
    /// What together gives it, those of `anyone` included; one of them is enough. Empty where it never may.
    pub grants: Vec<AccessGrant>,
    /// Of a query: the entity whose own `read` bounds the rows besides.
    pub rows_of: Option<String>,
}

/// One grant.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
pub struct AccessGrant {
    /// The fields and parts that it reaches; null: all that can be reached at all.
    pub fields: Option<Vec<String>>,
    /// The condition that must be true; null: always. `.field` is the row (of a part, its root's row), `caller` who asks. A condition
    /// that comes out unknown refuses.
    pub when: Option<String>,
}

/// Fields that have a rule of their own whatever is granted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct FixedFields {
    /// The entity or part, as in [`Access::item`].
    pub item: String,
    /// Secret: nobody ever reads them.
    pub never_read: Vec<String>,
    /// Keys, immutable and computed ones: nobody ever changes them.
    pub never_updated: Vec<String>,
}

/// Whether a role may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum May {
    /// No.
    Never,
    /// Where a condition is true.
    When,
    /// Whatever the row.
    Always,
}

/// What access is to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Thing {
    /// A root.
    Entity,
    /// What lives with a root.
    Part,
    /// A named access pattern.
    Query,
    /// A transaction.
    Command,
    /// A fact that is published.
    Event,
}

/// What is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Verb {
    /// See a row, or an event.
    Read,
    /// Add a row.
    Create,
    /// Change a row.
    Update,
    /// Remove a row.
    Delete,
    /// Ask a query.
    Ask,
    /// Run a command.
    Run,
    /// Have an event heard once more, and see to what failed when it was heard.
    Replay,
}

impl May {
    /// Its word.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Never => "never",
            Self::When => "when",
            Self::Always => "always",
        }
    }
}

impl Verb {
    /// Its word.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Create => "create",
            Self::Update => "update",
            Self::Delete => "delete",
            Self::Ask => "ask",
            Self::Run => "run",
            Self::Replay => "replay",
        }
    }

    fn of(action: Action) -> Self {
        match action {
            Action::Read => Self::Read,
            Action::Create => Self::Create,
            Action::Update => Self::Update,
            Action::Delete => Self::Delete,
        }
    }
}

/// Who may do what in a model.
#[must_use]
pub fn policy(model: &Valid<Model>) -> PolicyMatrix {
    let model: &Model = model;
    // What runs inside goes through commands alone, and those ask no policy of rows.
    let inside = Grantee::Role(RoleId::SYSTEM);
    let names = callers(model).into_iter().chain([inside]);
    let mut matrix = PolicyMatrix {
        roles: names.map(|who| word(model, who).to_owned()).collect(),
        access: Vec::new(),
        fixed: Vec::new(),
    };
    for entity in model.entity_ids() {
        of_entity(model, entity, &mut matrix);
    }
    for query in &model.queries {
        let read = |who| entity_grants(model, query.entity, Action::Read, who);
        let item = qualified(model, query.service, &query.name);
        let rows_of = Some(item_of(model, query.entity));
        for who in callers(model) {
            let mut grants = grants(model, &query.policies, &query.parameters, who);
            if read(who).is_empty() {
                // Whoever may ask and read no row is answered none.
                grants.clear();
            }
            let cell = Cell { item: &item, thing: Thing::Query, verb: Verb::Ask, who };
            matrix.add(model, &cell, grants, rows_of.clone());
        }
    }
    for command in &model.commands {
        let item = qualified(model, command.service, &command.name);
        for who in callers(model).into_iter().chain([inside]) {
            let grants = grants(model, &command.policies, &command.parameters, who);
            let cell = Cell { item: &item, thing: Thing::Command, verb: Verb::Run, who };
            matrix.add(model, &cell, grants, None);
        }
    }
    for event in &model.events {
        let item = qualified(model, event.service, &event.name);
        for who in callers(model) {
            let reads = event.readers.iter().any(|reader| is_meant(*reader, who));
            let grants = if reads { vec![ALL] } else { Vec::new() };
            let cell = Cell { item: &item, thing: Thing::Event, verb: Verb::Read, who };
            matrix.add(model, &cell, grants, None);
        }
        // Said only where somebody may: else nobody asks.
        let who_may = if event.replayers.is_empty() { Vec::new() } else { callers(model) };
        for who in who_may {
            let may = event.replayers.iter().any(|replayer| is_meant(*replayer, who));
            let grants = if may { vec![ALL] } else { Vec::new() };
            let cell = Cell { item: &item, thing: Thing::Event, verb: Verb::Replay, who };
            matrix.add(model, &cell, grants, None);
        }
    }
    matrix
}

const ALL: AccessGrant = AccessGrant { fields: None, when: None };

struct Cell<'a> {
    item: &'a str,
    thing: Thing,
    verb: Verb,
    who: Grantee,
}

impl PolicyMatrix {
    fn add(
        &mut self,
        model: &Model,
        cell: &Cell<'_>,
        grants: Vec<AccessGrant>,
        rows_of: Option<String>,
    ) {
        let may = match grants.as_slice() {
            [] => May::Never,
            some if some.iter().any(|grant| grant.when.is_none()) => May::Always,
            _ => May::When,
        };
        self.access.push(Access {
            role: word(model, cell.who).to_owned(),
            item: cell.item.to_owned(),
            thing: cell.thing,
            verb: cell.verb,
            may,
            grants,
            rows_of,
        });
    }
}

fn of_entity(model: &Model, entity: EntityId, matrix: &mut PolicyMatrix) {
    let item = item_of(model, entity);
    let thing = if model.part_of(entity).is_some() { Thing::Part } else { Thing::Entity };
    for who in callers(model) {
        for action in Action::ALL {
            let grants = entity_grants(model, entity, action, who);
            let cell = Cell { item: &item, thing, verb: Verb::of(action), who };
            matrix.add(model, &cell, grants, None);
        }
    }
    let named = |is_meant: fn(&Field) -> bool| {
        let fields = model[entity].fields.iter().map(|field| &model[*field]);
        fields.filter(|field| is_meant(field)).map(|field| field.name.to_string()).collect()
    };
    let fixed = FixedFields {
        never_read: named(|field| field.secret),
        never_updated: named(|it| it.is_key || it.immutable || it.computed.is_some()),
        item,
    };
    matrix.fixed.push(fixed);
}

/// `anyone`, and the roles that a token may carry.
fn callers(model: &Model) -> Vec<Grantee> {
    let roles = (0..model.roles.len() as u32).map(RoleId).filter(|role| *role != RoleId::SYSTEM);
    std::iter::once(Grantee::Anyone).chain(roles.map(Grantee::Role)).collect()
}

fn word(model: &Model, who: Grantee) -> &str {
    match who {
        Grantee::Anyone => "anyone",
        Grantee::Role(role) => &model[role].name,
    }
}

/// A role has what `anyone` has, and its own.
fn is_meant(grantee: Grantee, who: Grantee) -> bool {
    grantee == Grantee::Anyone || grantee == who
}

fn item_of(model: &Model, entity: EntityId) -> String {
    let of = |service: ServiceId, name: &str| qualified(model, service, name);
    match model.part_of(entity) {
        None => of(model[entity].service, &model[entity].name),
        Some(part) => {
            let root = &model[part.root];
            format!("{}.{}", of(root.service, &root.name), part.name)
        }
    }
}

/// What reaches an entity. A part is read with its root, and written by whoever may update the root so.
fn entity_grants(
    model: &Model,
    entity: EntityId,
    action: Action,
    who: Grantee,
) -> Vec<AccessGrant> {
    let Some(part) = model.part_of(entity) else {
        let of = model[entity].policies.iter().filter(|policy| policy.action == action);
        return least(of.filter_map(|policy| grant(model, policy, &[], who)).collect());
    };
    let action = if action == Action::Read { Action::Read } else { Action::Update };
    let of = model[part.root].policies.iter().filter(|policy| policy.action == action);
    let covers = |policy: &&Policy| {
        let named = policy.parts.as_ref().is_some_and(|parts| parts.contains(&entity));
        named || policy.fields.is_none()
    };
    let grants = of.filter(covers).filter_map(|policy| grant(model, policy, &[], who));
    least(grants.map(|it| AccessGrant { fields: None, ..it }).collect())
}

fn grants(
    model: &Model,
    policies: &[Policy],
    parameters: &[Parameter],
    who: Grantee,
) -> Vec<AccessGrant> {
    least(policies.iter().filter_map(|policy| grant(model, policy, parameters, who)).collect())
}

fn grant(
    model: &Model,
    policy: &Policy,
    parameters: &[Parameter],
    who: Grantee,
) -> Option<AccessGrant> {
    if !policy.grantees.iter().any(|grantee| is_meant(*grantee, who)) {
        return None;
    }
    let fields = policy.fields.as_ref().map(|fields| {
        let name = |field: &FieldId| model[*field].name.to_string();
        let parts = policy.parts.iter().flatten();
        let parts = parts.filter_map(|part| Some(model.part_of(*part)?.name.to_string()));
        fields.iter().map(name).chain(parts).collect()
    });
    let condition = policy.condition.as_ref();
    let when = condition.map(|condition| condition::written(model, parameters, condition));
    Some(AccessGrant { fields, when })
}

/// Without those that another one includes.
fn least(grants: Vec<AccessGrant>) -> Vec<AccessGrant> {
    let mut kept: Vec<AccessGrant> = Vec::new();
    for grant in grants {
        if kept.iter().any(|known| known.includes(&grant)) {
            continue;
        }
        kept.retain(|known| !grant.includes(known));
        kept.push(grant);
    }
    kept
}

impl AccessGrant {
    /// Whether whoever has this has the other, as far as can be told without a proof.
    fn includes(&self, other: &Self) -> bool {
        let fields = match (&self.fields, &other.fields) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(mine), Some(theirs)) => theirs.iter().all(|field| mine.contains(field)),
        };
        fields && (self.when.is_none() || self.when == other.when)
    }
}

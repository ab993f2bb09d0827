//! A whole model as data: what it holds, what it does, how it is reached and what it promises.

mod route;
mod text;

use model::{
    Default as FieldDefault, EntityId, Field, FieldId, LoadEntry, Model, Parameter, RoleId,
    Schedule, Surface, Target, Valid, Webhook,
};
use schemars::JsonSchema;
use serde::Serialize;

use crate::condition::{self, duration};
use crate::diff::qualified;
pub use route::Route;

/// A model. Names stand with their service before them: `sales.Order`. Types and conditions are as the language writes them.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Description {
    /// The app.
    pub app: String,
    /// What is said of it.
    pub docs: Option<String>,
    /// The version of its interface.
    pub version: u32,
    /// Its front doors.
    pub surfaces: Vec<String>,
    /// Its roles.
    pub roles: Vec<RoleDescription>,
    /// Its bounded contexts; without those that stand outside of any.
    pub services: Vec<Named>,
    /// Roots and parts.
    pub entities: Vec<EntityDescription>,
    /// Closed sets that have a name.
    pub enums: Vec<EnumDescription>,
    /// Value objects.
    pub records: Vec<MembersDescription>,
    /// Named access patterns.
    pub queries: Vec<QueryDescription>,
    /// Transactions.
    pub commands: Vec<CommandDescription>,
    /// Problems that commands raise.
    pub errors: Vec<ErrorDescription>,
    /// Facts that are published.
    pub events: Vec<EventDescription>,
    /// What is done again and again.
    pub jobs: Vec<JobDescription>,
    /// What is sent to partners, or received from them.
    pub webhooks: Vec<WebhookDescription>,
    /// Steps that are carried out durably.
    pub workflows: Vec<WorkflowDescription>,
    /// Dependencies.
    pub externals: Vec<ExternalDescription>,
    /// How often something may be done: `place_order 10 per 1m`.
    pub limits: Vec<String>,
    /// Promises: `place_order 99.9% under 200ms`.
    pub promises: Vec<String>,
    /// What has to be carried.
    pub loads: Vec<LoadDescription>,
    /// Where it runs.
    pub environments: Vec<EnvironmentDescription>,
    /// The routes of its REST surface.
    pub routes: Vec<Route>,
}

/// Something with a name and its documentation.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Named {
    /// Its name.
    pub name: String,
    /// What is said of it.
    pub docs: Option<String>,
}

/// A role.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct RoleDescription {
    /// Its name.
    pub name: String,
    /// What is said of it.
    pub docs: Option<String>,
    /// The entity whose rows its callers are.
    pub entity: Option<String>,
}

/// A root, or a part.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct EntityDescription {
    /// Its name.
    pub name: String,
    /// What is said of it.
    pub docs: Option<String>,
    /// Of a part: how it hangs on its root.
    pub part_of: Option<PartDescription>,
    /// The field that identifies a row.
    pub key: String,
    /// Its fields.
    pub fields: Vec<FieldDescription>,
    /// Members that hold its parts.
    pub parts: Vec<String>,
    /// Fields that are unique together.
    pub unique: Vec<Vec<String>>,
    /// Indexes; `-` before a field that descends.
    pub indexes: Vec<Vec<String>>,
    /// Rules over a row.
    pub checks: Vec<String>,
    /// Legal transitions: `status: pending -> paid, cancelled`.
    pub flows: Vec<String>,
    /// How long an answer may be kept.
    pub cache: Option<String>,
    /// Whether changes are written down.
    pub audit: bool,
}

/// How a part hangs on its root.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct PartDescription {
    /// The root.
    pub root: String,
    /// The member of the root that holds the parts.
    pub member: String,
    /// The fewest that a root has.
    pub least: u32,
    /// The most.
    pub most: u32,
}

/// A field of an entity, a record, an event or an error; or a parameter.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct FieldDescription {
    /// Its name.
    pub name: String,
    /// Its type with its bounds: `String(1..200)`, `enum { draft, live }`, `[Basket](1..50)`.
    pub r#type: String,
    /// Whether it may be absent.
    pub optional: bool,
    /// The entity that it refers to.
    pub references: Option<String>,
    /// What it is where it is left out.
    pub default: Option<String>,
    /// What it always is; nobody writes it.
    pub computed: Option<String>,
    /// Words that say more: `key`, `unique`, `immutable`, `pii`, `secret`.
    pub traits: Vec<String>,
    /// What is said of it.
    pub docs: Option<String>,
}

/// A closed set.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct EnumDescription {
    /// Its name.
    pub name: String,
    /// What is said of it.
    pub docs: Option<String>,
    /// Its labels.
    pub labels: Vec<String>,
}

/// A value object.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct MembersDescription {
    /// Its name.
    pub name: String,
    /// What is said of it.
    pub docs: Option<String>,
    /// Its members.
    pub fields: Vec<FieldDescription>,
}

/// A named access pattern.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct QueryDescription {
    /// Its name.
    pub name: String,
    /// What is said of it.
    pub docs: Option<String>,
    /// What it takes.
    pub parameters: Vec<FieldDescription>,
    /// The entity whose rows it answers.
    pub answers: String,
    /// Which rows.
    pub r#where: Option<String>,
    /// In which order; `-` descends.
    pub sort: Vec<String>,
    /// Rows of a page, and the most that may be asked for.
    pub page: [u32; 2],
}

/// A transaction.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct CommandDescription {
    /// Its name.
    pub name: String,
    /// What is said of it.
    pub docs: Option<String>,
    /// What it takes.
    pub parameters: Vec<FieldDescription>,
    /// What it answers, if anything.
    pub answers: Option<String>,
    /// The errors that it may raise, those of what it runs included.
    pub errors: Vec<String>,
    /// Whether a program of one's own carries it out.
    pub by_code: bool,
}

/// A problem.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct ErrorDescription {
    /// Its name.
    pub name: String,
    /// What is said of it.
    pub docs: Option<String>,
    /// Its `code` in a problem document.
    pub code: String,
    /// HTTP status.
    pub status: u16,
    /// What is said.
    pub message: String,
    /// What it carries.
    pub fields: Vec<FieldDescription>,
}

/// A fact.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct EventDescription {
    /// Its name.
    pub name: String,
    /// What is said of it.
    pub docs: Option<String>,
    /// The place of the broker that it comes from, if another system publishes it.
    pub from: Option<String>,
    /// The member that keeps the order.
    pub by: Option<String>,
    /// What it carries.
    pub fields: Vec<FieldDescription>,
    /// The commands that run when it is heard.
    pub heard_by: Vec<String>,
}

/// What is done again and again.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct JobDescription {
    /// Its name.
    pub name: String,
    /// What is said of it.
    pub docs: Option<String>,
    /// When: `every 10m`, `at "0 3 * * *" in "Europe/Berlin"`.
    pub when: String,
}

/// Events to or from partners.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct WebhookDescription {
    /// Its name.
    pub name: String,
    /// What is said of it.
    pub docs: Option<String>,
    /// Events that it sends.
    pub sends: Vec<String>,
    /// Events that it takes in.
    pub receives: Vec<String>,
}

/// Steps that are carried out durably.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct WorkflowDescription {
    /// Its name.
    pub name: String,
    /// What is said of it.
    pub docs: Option<String>,
    /// The event that starts it.
    pub on: Option<String>,
    /// Its steps.
    pub steps: Vec<String>,
}

/// A dependency.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct ExternalDescription {
    /// Its name.
    pub name: String,
    /// What is said of it.
    pub docs: Option<String>,
    /// What it can do.
    pub operations: Vec<String>,
}

/// What has to be carried.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct LoadDescription {
    /// Its name.
    pub name: String,
    /// Growth in percent, and over how many months.
    pub growth: Option<Growth>,
    /// Rows of entities.
    pub rows: Vec<Rows>,
    /// Rates of what is done.
    pub rates: Vec<Rate>,
}

/// How it grows.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Growth {
    /// Percent, as the model says it.
    pub percent: f64,
    /// For how many months.
    pub months: i64,
}

/// Rows of an entity.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Rows {
    /// The entity.
    pub entity: String,
    /// How many.
    pub rows: i64,
}

/// How often something is done.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Rate {
    /// A query, a command, or an entity and what is done with it: `sales.Product.read`.
    pub of: String,
    /// Per second.
    pub per_second: f64,
    /// Per second at the peak.
    pub peak: Option<f64>,
}

/// Where it runs.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct EnvironmentDescription {
    /// Its name.
    pub name: String,
    /// What holds the rows, and the file or the variable that says where. What a variable holds is not told.
    pub store: Option<Engine>,
    /// What holds shared answers.
    pub cache: Option<Engine>,
    /// What carries events.
    pub broker: Option<Engine>,
}

/// An engine and where it is.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Engine {
    /// `sqlite`, `postgres`, `redis`, `nats`, …
    pub engine: String,
    /// A file, or the variable that holds an address.
    pub at: Option<String>,
}

/// Describes a model.
#[must_use]
pub fn describe(model: &Valid<Model>) -> Description {
    let contract = crate::derive(model);
    let model: &Model = model;
    let app = model.app.as_ref();
    let named =
        |name: &str, docs: &Option<String>| Named { name: name.to_owned(), docs: docs.clone() };
    let services = model.services.iter().filter(|it| !it.name.is_empty());
    Description {
        app: contract.name.clone(),
        docs: contract.docs.clone(),
        version: contract.version,
        surfaces: app.map_or_else(Vec::new, |app| {
            app.surfaces.iter().map(|it| surface(*it).to_owned()).collect()
        }),
        roles: roles(model),
        services: services.map(|it| named(&it.name, &it.docs)).collect(),
        entities: model.entity_ids().map(|id| entity(model, id)).collect(),
        enums: model.enums.iter().filter(|it| !it.inline).map(enumeration).collect(),
        records: model
            .records
            .iter()
            .map(|it| MembersDescription {
                name: qualified(model, it.service, &it.name),
                docs: it.docs.clone(),
                fields: fields(model, &it.fields),
            })
            .collect(),
        queries: model.queries.iter().map(|it| query(model, it)).collect(),
        commands: model
            .commands
            .iter()
            .zip(&contract.commands)
            .map(|(it, route)| CommandDescription {
                name: qualified(model, it.service, &it.name),
                docs: it.docs.clone(),
                parameters: parameters(model, &it.parameters),
                answers: it.answer.as_ref().map(|(ty, optional)| {
                    format!("{}{}", text::of_type(model, ty), if *optional { "?" } else { "" })
                }),
                errors: route.raises.iter().map(|id| error_name(model, *id)).collect(),
                by_code: it.by_code,
            })
            .collect(),
        errors: model
            .errors
            .iter()
            .zip(&contract.errors)
            .map(|(it, raised)| ErrorDescription {
                name: qualified(model, it.service, &it.name),
                docs: it.docs.clone(),
                code: raised.code.clone(),
                status: it.status,
                message: it.message.clone(),
                fields: fields(model, &it.fields),
            })
            .collect(),
        events: (0..)
            .zip(&model.events)
            .map(|(at, it)| event(model, model::EventId(at), it))
            .collect(),
        jobs: model
            .jobs
            .iter()
            .map(|it| JobDescription {
                name: qualified(model, it.service, &it.name),
                docs: it.docs.clone(),
                when: schedule(&it.schedule),
            })
            .collect(),
        webhooks: model.webhooks.iter().map(|it| webhook(model, it)).collect(),
        workflows: model
            .workflows
            .iter()
            .map(|it| WorkflowDescription {
                name: qualified(model, it.service, &it.name),
                docs: it.docs.clone(),
                on: it.on.map(|event| event_name(model, event)),
                steps: it.steps.clone(),
            })
            .collect(),
        externals: model
            .externals
            .iter()
            .map(|it| ExternalDescription {
                name: it.name.clone(),
                docs: it.docs.clone(),
                operations: it.operations.iter().map(|it| it.name.clone()).collect(),
            })
            .collect(),
        limits: model
            .limits
            .iter()
            .map(|it| {
                format!("{} {} per {}", target(model, it.target), it.count, duration(it.period))
            })
            .collect(),
        promises: model
            .slos
            .iter()
            .map(|it| {
                let under = it.under.map_or(String::new(), |it| format!(" under {}", duration(it)));
                format!("{} {}%{under}", target(model, it.target), it.percent)
            })
            .collect(),
        loads: model.loads.iter().map(|it| load(model, it)).collect(),
        environments: model.environments.iter().map(environment).collect(),
        routes: route::routes(&contract),
    }
}

fn surface(surface: Surface) -> &'static str {
    match surface {
        Surface::Rest => "rest",
        Surface::Graphql => "graphql",
        Surface::Grpc => "grpc",
    }
}

fn roles(model: &Model) -> Vec<RoleDescription> {
    let roles = (0..).zip(&model.roles).filter(|(at, _)| RoleId(*at) != RoleId::SYSTEM);
    let roles = roles.map(|(_, role)| RoleDescription {
        name: role.name.clone(),
        docs: role.docs.clone(),
        entity: role.entity.map(|entity| text::entity(model, entity)),
    });
    roles.collect()
}

fn entity(model: &Model, id: EntityId) -> EntityDescription {
    let item = &model[id];
    let names = |fields: &[FieldId]| -> Vec<String> {
        fields.iter().map(|field| model[*field].name.to_string()).collect()
    };
    let signed = |(field, descends): &(FieldId, bool)| {
        format!("{}{}", if *descends { "-" } else { "" }, model[*field].name)
    };
    let parts = item.parts.iter().filter_map(|part| model.part_of(*part));
    EntityDescription {
        name: text::entity(model, id),
        docs: item.docs.clone(),
        part_of: model.part_of(id).map(|part| PartDescription {
            root: text::entity(model, part.root),
            member: part.name.clone(),
            least: part.minimum,
            most: part.maximum,
        }),
        key: model[item.key].name.to_string(),
        fields: fields(model, &item.fields),
        parts: parts.map(|part| part.name.clone()).collect(),
        unique: item.uniques.iter().map(|it| names(&it.fields)).collect(),
        indexes: item.indexes.iter().map(|it| it.keys.iter().map(signed).collect()).collect(),
        checks: item
            .checks
            .iter()
            .map(|it| condition::written(model, &[], &it.condition))
            .collect(),
        flows: item.flows.iter().flat_map(|it| text::flow(model, it)).collect(),
        cache: item.cache.map(duration),
        audit: item.audit,
    }
}

fn fields(model: &Model, fields: &[FieldId]) -> Vec<FieldDescription> {
    fields.iter().map(|field| self::field(model, &model[*field])).collect()
}

fn field(model: &Model, field: &Field) -> FieldDescription {
    let traits = [
        ("key", field.is_key),
        ("position", field.is_position),
        ("unique", field.unique),
        ("immutable", field.immutable),
        ("search", field.search),
        ("pii", field.pii),
        ("sensitive", field.sensitive),
        ("encrypted", field.encrypted),
        ("secret", field.secret),
        ("deprecated", field.deprecation.is_some()),
    ];
    let default = field.default.as_ref().map(|default| match default {
        FieldDefault::Auto => "auto".to_owned(),
        FieldDefault::Uuid => "a time-ordered UUID".to_owned(),
        FieldDefault::Expression(expression) => condition::written(model, &[], expression),
    });
    FieldDescription {
        name: field.name.to_string(),
        r#type: text::of_type(model, &field.ty),
        optional: field.optional,
        references: field.ty.as_entity().map(|entity| text::entity(model, entity)),
        default,
        computed: field.computed.as_ref().map(|it| condition::written(model, &[], it)),
        traits: traits.iter().filter(|(_, has)| *has).map(|(word, _)| (*word).to_owned()).collect(),
        docs: field.docs.clone(),
    }
}

fn parameters(model: &Model, parameters: &[Parameter]) -> Vec<FieldDescription> {
    let each = parameters.iter().map(|parameter| FieldDescription {
        name: parameter.name.clone(),
        r#type: text::of_type(model, &parameter.ty),
        optional: parameter.optional,
        references: parameter.ty.as_entity().map(|entity| text::entity(model, entity)),
        default: None,
        computed: None,
        traits: Vec::new(),
        docs: None,
    });
    each.collect()
}

fn enumeration(item: &model::EnumType) -> EnumDescription {
    EnumDescription {
        name: item.name.clone(),
        docs: item.docs.clone(),
        labels: item.values.iter().map(|value| value.name.to_string()).collect(),
    }
}

fn query(model: &Model, item: &model::Query) -> QueryDescription {
    let sort = item
        .sort
        .iter()
        .map(|key| format!("{}{}", if key.descending { "-" } else { "" }, model[key.field].name));
    QueryDescription {
        name: qualified(model, item.service, &item.name),
        docs: item.docs.clone(),
        parameters: parameters(model, &item.parameters),
        answers: text::entity(model, item.entity),
        r#where: item.filter.as_ref().map(|it| condition::written(model, &item.parameters, it)),
        sort: sort.collect(),
        page: [item.page, item.page_maximum],
    }
}

fn error_name(model: &Model, id: model::ErrorId) -> String {
    let error = &model.errors[id.index()];
    qualified(model, error.service, &error.name)
}

fn event_name(model: &Model, id: model::EventId) -> String {
    let event = &model.events[id.index()];
    qualified(model, event.service, &event.name)
}

fn command_name(model: &Model, id: model::CommandId) -> String {
    let command = &model.commands[id.index()];
    qualified(model, command.service, &command.name)
}

fn event(model: &Model, id: model::EventId, item: &model::Event) -> EventDescription {
    let heard = model.subscriptions.iter().filter(|it| it.event == id);
    EventDescription {
        name: event_name(model, id),
        docs: item.docs.clone(),
        from: item.from.clone(),
        by: item.by.map(|field| model[field].name.to_string()),
        fields: fields(model, &item.fields),
        heard_by: heard.map(|it| command_name(model, it.command)).collect(),
    }
}

fn webhook(model: &Model, item: &Webhook) -> WebhookDescription {
    WebhookDescription {
        name: item.name.clone(),
        docs: item.docs.clone(),
        sends: item.events.iter().map(|event| event_name(model, *event)).collect(),
        receives: item.receives.iter().map(|it| event_name(model, it.event)).collect(),
    }
}

fn schedule(schedule: &Schedule) -> String {
    match schedule {
        Schedule::Every(every) => format!("every {}", duration(*every)),
        Schedule::Calendar { pattern, zone: None } => format!("at \"{pattern}\""),
        Schedule::Calendar { pattern, zone: Some(zone) } => {
            format!("at \"{pattern}\" in \"{zone}\"")
        }
    }
}

fn target(model: &Model, target: Target) -> String {
    match target {
        Target::Query(id) => qualified(model, model[id].service, &model[id].name),
        Target::Command(id) => command_name(model, id),
        Target::Entity(id) => text::entity(model, id),
    }
}

fn load(model: &Model, item: &model::Load) -> LoadDescription {
    let mut load = LoadDescription {
        name: item.name.clone(),
        growth: None,
        rows: Vec::new(),
        rates: Vec::new(),
    };
    for entry in &item.entries {
        let (of, per_second, peak) = match entry {
            LoadEntry::Rows(entity, rows) => {
                load.rows.push(Rows { entity: text::entity(model, *entity), rows: *rows });
                continue;
            }
            LoadEntry::Growth(percent, months) => {
                load.growth = Some(Growth { percent: *percent, months: *months });
                continue;
            }
            LoadEntry::CommandRate(id, rate, peak) => (command_name(model, *id), *rate, *peak),
            LoadEntry::QueryRate(id, rate, peak) => {
                (target(model, Target::Query(*id)), *rate, *peak)
            }
            LoadEntry::EntityRate(id, action, rate, peak) => {
                (format!("{}.{}", text::entity(model, *id), action.word()), *rate, *peak)
            }
        };
        load.rates.push(Rate { of, per_second, peak });
    }
    load
}

fn environment(item: &model::Environment) -> EnvironmentDescription {
    let engine = |it: &Option<(String, Option<String>)>| {
        it.as_ref().map(|(engine, at)| Engine {
            engine: engine.clone(),
            at: at.as_deref().map(text::address),
        })
    };
    EnvironmentDescription {
        name: item.name.clone(),
        store: engine(&item.store),
        cache: engine(&item.cache),
        broker: engine(&item.broker),
    }
}

//! Everything that has a name, by the place where it is declared.

use model::{EntityId, EnumId, FieldId, Model, Type, Uses};
use syntax::Span;

/// A named thing and where it is declared.
#[derive(Debug, Clone, PartialEq)]
pub struct Symbol {
    /// Where its name stands.
    pub span: Span,
    /// Its name.
    pub name: String,
    /// What it is.
    pub thing: Thing,
}

/// What a name stands for; positions are those of the model's tables.
#[derive(Debug, Clone, PartialEq)]
pub enum Thing {
    /// The app.
    App,
    /// A role.
    Role,
    /// A service.
    Service,
    /// An entity or a part.
    Entity(EntityId),
    /// The member of a root that holds this part.
    Parts(EntityId),
    /// A field of an entity.
    Field(EntityId, FieldId),
    /// A member of a record, an event, an error or a message.
    Member(FieldId),
    /// A named enum.
    Enum(EnumId),
    /// A label, by its position.
    Label(EnumId, usize),
    /// A record.
    Record(usize),
    /// An error.
    Error(usize),
    /// An event.
    Event(usize),
    /// A query.
    Query(usize),
    /// A command.
    Command(usize),
    /// A workflow.
    Workflow(usize),
    /// A job.
    Job(usize),
    /// A webhook.
    Webhook(usize),
    /// An external.
    External(usize),
    /// An operation of an external.
    Operation(usize, usize),
    /// A parameter of a query, a command or a workflow.
    Parameter(Type, bool),
    /// What a `let` or a `for` names, by its position among the bindings.
    Binding(usize),
    /// An environment.
    Environment,
}

impl Symbol {
    /// Whether a `let` or a `for` of some body gives the name.
    pub(crate) const fn is_binding(&self) -> bool {
        matches!(self.thing, Thing::Binding(_))
    }
}

/// What the bodies of a model name.
pub(crate) fn bindings(
    uses: &Uses,
    word: impl Fn(Span) -> Option<String>,
) -> impl Iterator<Item = Symbol> {
    uses.bindings.iter().enumerate().filter_map(move |(at, it)| {
        Some(Symbol { span: it.span, name: word(it.span)?, thing: Thing::Binding(at) })
    })
}

impl Thing {
    /// The word for it.
    #[must_use]
    pub const fn noun(&self) -> &'static str {
        match self {
            Self::App => "app",
            Self::Role => "role",
            Self::Service => "service",
            Self::Entity(_) => "entity",
            Self::Parts(_) => "parts",
            Self::Field(..) => "field",
            Self::Member(_) => "member",
            Self::Enum(_) => "enum",
            Self::Label(..) => "value",
            Self::Record(_) => "record",
            Self::Error(_) => "error",
            Self::Event(_) => "event",
            Self::Query(_) => "query",
            Self::Command(_) => "command",
            Self::Workflow(_) => "workflow",
            Self::Job(_) => "job",
            Self::Webhook(_) => "webhook",
            Self::External(_) => "external",
            Self::Operation(..) => "operation",
            Self::Parameter(..) => "parameter",
            Self::Binding(_) => "name",
            Self::Environment => "environment",
        }
    }
}

/// All symbols of a model, in the order of their places. `word` tells whether a name stands at a place: what is named after
/// something else, such as an enum inside of a field, is declared nowhere.
pub(crate) fn symbols(
    model: &Model,
    uses: &Uses,
    mut word: impl FnMut(Span) -> Option<String>,
) -> Vec<Symbol> {
    let mut all: Vec<(Span, Thing)> = Vec::new();
    all.extend(model.app.iter().map(|it| (it.span, Thing::App)));
    // The first role is `system`, the first service the nameless one.
    all.extend(model.roles.iter().skip(1).map(|it| (it.span, Thing::Role)));
    all.extend(model.services.iter().skip(1).map(|it| (it.span, Thing::Service)));
    let mut is_of_entity = vec![false; model.fields.len()];
    for id in model.entity_ids() {
        let entity = &model[id];
        all.push((entity.span, Thing::Entity(id)));
        all.extend(model.part_of(id).map(|part| (part.name_span, Thing::Parts(id))));
        for field in &entity.fields {
            if let Some(known) = is_of_entity.get_mut(field.index()) {
                *known = true;
            }
            if !model[*field].is_position {
                all.push((model[*field].span, Thing::Field(id, *field)));
            }
        }
    }
    let members = is_of_entity.iter().enumerate().filter(|(_, owned)| !**owned);
    for (at, _) in members {
        let id = FieldId(at as u32);
        all.push((model[id].span, Thing::Member(id)));
    }
    for (at, it) in model.enums.iter().enumerate() {
        let id = EnumId(at as u32);
        if !it.inline {
            all.push((it.span, Thing::Enum(id)));
        }
        let labels = it.values.iter().enumerate();
        all.extend(labels.map(|(at, label)| (label.span, Thing::Label(id, at))));
    }
    all.extend(model.records.iter().enumerate().map(|(at, it)| (it.span, Thing::Record(at))));
    all.extend(model.errors.iter().enumerate().map(|(at, it)| (it.span, Thing::Error(at))));
    all.extend(model.events.iter().enumerate().map(|(at, it)| (it.span, Thing::Event(at))));
    all.extend(model.queries.iter().enumerate().map(|(at, it)| (it.span, Thing::Query(at))));
    all.extend(model.commands.iter().enumerate().map(|(at, it)| (it.span, Thing::Command(at))));
    all.extend(model.workflows.iter().enumerate().map(|(at, it)| (it.span, Thing::Workflow(at))));
    all.extend(model.jobs.iter().enumerate().map(|(at, it)| (it.span, Thing::Job(at))));
    all.extend(model.webhooks.iter().enumerate().map(|(at, it)| (it.span, Thing::Webhook(at))));
    for (at, it) in model.externals.iter().enumerate() {
        all.push((it.span, Thing::External(at)));
        let operations = it.operations.iter().enumerate();
        all.extend(operations.map(|(number, it)| (it.span, Thing::Operation(at, number))));
    }
    let queries = model.queries.iter().flat_map(|it| &it.parameters);
    let commands = model.commands.iter().flat_map(|it| &it.parameters);
    let workflows = model.workflows.iter().flat_map(|it| &it.parameters);
    let parameters = queries.chain(commands).chain(workflows);
    all.extend(parameters.map(|it| (it.span, Thing::Parameter(it.ty.clone(), it.optional))));
    all.extend(uses.bindings.iter().enumerate().map(|(at, it)| (it.span, Thing::Binding(at))));
    all.extend(model.environments.iter().map(|it| (it.span, Thing::Environment)));
    all.sort_by_key(|(span, _)| *span);
    // What is typed twice is declared once.
    all.dedup_by_key(|(span, _)| *span);
    all.into_iter()
        .filter_map(|(span, thing)| Some(Symbol { span, name: word(span)?, thing }))
        .collect()
}

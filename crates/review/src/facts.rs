//! What rules ask: the model walked once.

mod access;
mod change;
mod dependency;
mod effect;
mod expression;
mod graph;
mod load;
mod place;
mod question;
mod serving;
mod source;
mod who;

pub(crate) use access::{Access, AccessIndex, Asker, Served};
pub(crate) use dependency::{Dependency, Pauses};
pub(crate) use effect::{Actor, Effect, EffectKind};
pub(crate) use expression::{
    conjuncts, mentions_caller, own_field, parameter_fields, path_of, visit,
};
pub(crate) use graph::cycles;
pub(crate) use load::{Loads, Rate};
pub(crate) use place::Place;
pub use serving::{Serving, serving};
pub(crate) use source::Source;
pub(crate) use who::{Who, is_outside, roles};

use contract::Contract;
use model::{
    CommandId, Creation, Entity, EntityId, EntityKind, Event, EventId, Expression, Field, FieldId,
    Model, QueryId, ServiceId, Target, Type,
};
use rustc_hash::FxHashSet;
use schema::Schema;
use syntax::Span;

use crate::{Before, Design};

/// Everything that rules ask of a design. Each question is answered from tables, so that a review is as long as the model.
pub(crate) struct Facts<'a> {
    /// The model.
    pub(crate) model: &'a Model,
    /// Its public surface.
    pub(crate) contract: &'a Contract,
    /// The day of the review.
    pub(crate) today: i64,
    /// What it is compared with.
    pub(crate) before: Option<Before<'a>>,
    /// The text behind the model.
    pub(crate) source: Source<'a>,
    /// What the loads say.
    pub(crate) loads: Loads,
    /// What bodies do.
    pub(crate) effects: effect::Effects<'a>,
    /// How rows are looked for.
    pub(crate) accesses: Vec<Access<'a>>,
    /// By entity: what its rows can be found and sorted by.
    pub(crate) indexes: Vec<Vec<AccessIndex>>,
    /// Who asks.
    pub(crate) who: Who,
    /// Externals, by position.
    pub(crate) dependencies: Vec<Dependency<'a>>,
    /// Environments, by position.
    pub(crate) places: Vec<Place<'a>>,
    /// By field: the entity that has it.
    owners: Vec<Option<EntityId>>,
    /// By entity: the fields that refer to it.
    pub(crate) referrers: Vec<Vec<(EntityId, FieldId)>>,
    /// Whether somebody outside may run a command, by command.
    pub(crate) public_commands: Vec<bool>,
    /// By entity: the commands whose own body writes it.
    writers: Vec<Vec<CommandId>>,
    /// By command: whether something inside runs it.
    run: Vec<bool>,
    /// By entity: what creates rows of it.
    creations: Vec<Vec<&'a Creation>>,
    /// By entity: where a body deletes rows of it, if one does.
    deletions: Vec<Option<Span>>,
    /// By event: what publishes it.
    emissions: Vec<Vec<Effect<'a>>>,
    /// By event: where it is heard, if it is.
    heard: Vec<Option<Span>>,
    /// What something is promised of.
    promised: FxHashSet<Target>,
    /// What is limited.
    limited: FxHashSet<Target>,
}

impl<'a> Facts<'a> {
    pub(crate) fn gather(design: &Design<'a>) -> Self {
        let model: &'a Model = design.model;
        let schema: &'a Schema = design.schema;
        let mut owners = vec![None; model.fields.len()];
        let mut referrers = vec![Vec::new(); model.entities.len()];
        for id in model.entity_ids() {
            for field in &model[id].fields {
                owners[field.index()] = Some(id);
                if let Type::Entity(target) = model[*field].ty {
                    referrers[target.index()].push((id, *field));
                }
            }
        }
        let source = Source::of(design.parses);
        let loads = Loads::of(model, &source);
        let effects = effect::Effects::of(model);
        let indexes = access::indexes(model, schema);
        let accesses = access::accesses(model, &effects, &loads);
        let public_commands = model
            .commands
            .iter()
            .map(|command| command.policies.iter().any(|policy| is_outside(&policy.grantees)))
            .collect();
        let mut writers: Vec<Vec<CommandId>> = vec![Vec::new(); model.entities.len()];
        let mut creations = vec![Vec::new(); model.entities.len()];
        let mut deletions = vec![None; model.entities.len()];
        let mut emissions = vec![Vec::new(); model.events.len()];
        for effect in effects.all() {
            match effect.kind {
                EffectKind::Create(creation) => creations[creation.entity.index()].push(creation),
                EffectKind::Delete { entity } => {
                    deletions[entity.index()].get_or_insert(effect.span);
                }
                EffectKind::Emit { event, .. } => emissions[event.index()].push(*effect),
                _ => {}
            }
            if let (Actor::Command(id), Some(entity)) = (effect.actor, effect.writes()) {
                let known = &mut writers[entity.index()];
                // Effects of one command stand side by side.
                if known.last() != Some(&id) {
                    known.push(id);
                }
            }
        }
        let mut facts = Self {
            model,
            contract: design.contract,
            today: design.today,
            before: design.before,
            who: Who::of(model),
            dependencies: dependency::dependencies(model, &source),
            places: place::places(model, &source),
            source,
            loads,
            effects,
            accesses,
            indexes,
            owners,
            referrers,
            public_commands,
            writers,
            run: Vec::new(),
            creations,
            deletions,
            emissions,
            heard: question::heard(model),
            promised: model.slos.iter().map(|slo| slo.target).collect(),
            limited: model.limits.iter().map(|limit| limit.target).collect(),
        };
        facts.run = question::run_commands(&facts);
        facts
    }

    /// All entities, with their ids.
    pub(crate) fn entities(&self) -> impl Iterator<Item = (EntityId, &'a Entity)> + use<'a> {
        let model = self.model;
        model.entity_ids().map(move |id| (id, &model[id]))
    }

    /// All fields of entities that somebody wrote, with the entity.
    pub(crate) fn fields(&self) -> impl Iterator<Item = (EntityId, FieldId, &'a Field)> + use<'a> {
        let model = self.model;
        model.entity_ids().flat_map(move |id| {
            let written = model[id].fields.iter().filter(|field| !model[**field].is_position);
            written.map(move |field| (id, *field, &model[*field]))
        })
    }

    /// The entity that has a field; none for fields of records, events and errors.
    pub(crate) fn owner(&self, field: FieldId) -> Option<EntityId> {
        self.owners.get(field.index()).copied().flatten()
    }

    /// The root of a part, or the entity itself.
    pub(crate) fn root(&self, entity: EntityId) -> EntityId {
        match &self.model[entity].kind {
            EntityKind::Root => entity,
            EntityKind::Part(part) => part.root,
        }
    }

    /// `sales.Order`, or `Order` outside of any service: what baselines and machines know an item by.
    pub(crate) fn path(&self, service: ServiceId, name: &str) -> String {
        let service = self.model.services.get(service.index()).map_or("", |it| it.name.as_str());
        if service.is_empty() { name.to_owned() } else { format!("{service}.{name}") }
    }

    /// The path of an entity.
    pub(crate) fn entity_path(&self, id: EntityId) -> String {
        self.path(self.model[id].service, &self.model[id].name)
    }

    /// The path of a field of an entity: `sales.Order.customer`.
    pub(crate) fn field_path(&self, id: EntityId, field: FieldId) -> String {
        format!("{}.{}", self.entity_path(id), self.model[field].name)
    }

    /// The path of a command.
    pub(crate) fn command_path(&self, id: CommandId) -> String {
        let command = &self.model.commands[id.index()];
        self.path(command.service, &command.name)
    }

    /// The path of a query.
    pub(crate) fn query_path(&self, id: QueryId) -> String {
        let query = &self.model[id];
        self.path(query.service, &query.name)
    }

    /// An event.
    pub(crate) fn event(&self, id: EventId) -> &'a Event {
        &self.model.events[id.index()]
    }

    /// The path of whoever acts.
    pub(crate) fn actor_path(&self, actor: Actor) -> String {
        let model = self.model;
        match actor {
            Actor::Command(id) => self.command_path(id),
            Actor::Step { workflow, .. } => {
                let workflow = &model.workflows[workflow];
                self.path(workflow.service, &workflow.name)
            }
            Actor::Job(job) => self.path(model.jobs[job].service, &model.jobs[job].name),
        }
    }

    /// All commands that somebody outside may run, with their ids.
    pub(crate) fn public_command_ids(&self) -> impl Iterator<Item = CommandId> + '_ {
        let ids = 0..self.model.commands.len() as u32;
        ids.map(CommandId).filter(|id| self.public_commands[id.index()])
    }

    /// The fields that a path over references reads: each with the entity that has it.
    pub(crate) fn personal_fields(&self, expression: &Expression) -> Vec<FieldId> {
        let mut found = Vec::new();
        visit(expression, &mut |part| {
            if let Some(last) = path_of(part).and_then(|path| path.last())
                && self.model[*last].pii
                && !found.contains(last)
            {
                found.push(*last);
            }
        });
        found
    }

    /// About how many bytes a row takes: a guess for comparing, not for billing.
    pub(crate) fn row_bytes(&self, entity: EntityId) -> f64 {
        let fields = self.model[entity].fields.iter();
        24.0 + fields.map(|field| self.value_bytes(&self.model[*field].ty)).sum::<f64>()
    }

    /// The most bytes that a row takes, where every field has a bound.
    pub(crate) fn most_row_bytes(&self, entity: EntityId) -> Option<f64> {
        let fields = self.model[entity].fields.iter();
        fields.map(|field| self.most_bytes(&self.model[*field].ty)).sum::<Option<f64>>()
    }

    fn value_bytes(&self, ty: &Type) -> f64 {
        match ty {
            Type::Bool => 1.0,
            Type::Uuid => 16.0,
            Type::String(bounds) => {
                let least = bounds.least.unwrap_or(0);
                // Most texts are far shorter than the longest that is allowed.
                let most = bounds.greatest.unwrap_or(least.saturating_add(64)).max(least);
                (f64::from(least) + f64::from(most.min(least.saturating_add(256)))) / 2.0
            }
            Type::Email => 24.0,
            Type::Url => 60.0,
            Type::Json(bounds) | Type::Bytes(bounds) => {
                f64::from(bounds.greatest.unwrap_or(2_000)) / 2.0
            }
            Type::Enum(_) => 8.0,
            Type::Record(id) => {
                let fields = self.model[*id].fields.iter();
                fields.map(|field| 10.0 + self.value_bytes(&self.model[*field].ty)).sum()
            }
            Type::List(element, bounds) => {
                f64::from(bounds.greatest.unwrap_or(20)) / 2.0 * self.value_bytes(element)
            }
            Type::Entity(_) => match self.model.scalar(ty) {
                Some(operation::Scalar::Uuid) => 16.0,
                Some(operation::Scalar::Text) => 24.0,
                _ => 8.0,
            },
            _ => 8.0,
        }
    }

    fn most_bytes(&self, ty: &Type) -> Option<f64> {
        Some(match ty {
            // A character takes one to four bytes; most take one or two.
            Type::String(bounds) => f64::from(bounds.greatest?) * 1.5,
            Type::Json(bounds) | Type::Bytes(bounds) => f64::from(bounds.greatest?),
            Type::List(element, bounds) => {
                f64::from(bounds.greatest?) * self.most_bytes(element)?
            }
            other => self.value_bytes(other),
        })
    }
}

//! Questions that many rules ask.

use model::{
    Action, CommandId, EntityId, EventId, Expression, FieldId, Model, RoleId, Runnable, Statement,
    StatementKind, Target, Type, ValueSource,
};
use syntax::Span;

use super::{Access, Actor, Asker, Effect, EffectKind, Facts, Who};

impl Facts<'_> {
    /// All commands.
    pub(crate) fn command_ids(&self) -> impl Iterator<Item = CommandId> + use<> {
        (0..self.model.commands.len() as u32).map(CommandId)
    }

    /// Rows at the end of the growth that the load states.
    pub(crate) fn grown_rows(&self, entity: EntityId) -> Option<f64> {
        let rows = self.loads.rows(entity)?;
        let (percent, months) = self.loads.growth().unwrap_or((0.0, 0));
        Some(rows * (1.0 + percent / 100.0).powi(i32::try_from(months).unwrap_or(i32::MAX)))
    }

    /// The path and the name of who looks for rows.
    pub(crate) fn asker(&self, access: &Access<'_>) -> (String, String) {
        match access.asker {
            Asker::Query(id) => (self.query_path(id), self.model[id].name.clone()),
            Asker::Policy(_) => {
                (self.entity_path(access.entity), self.model[access.entity].name.clone())
            }
            Asker::Command(id) => {
                (self.command_path(id), self.model.commands[id.index()].name.clone())
            }
            Asker::Job(at) => {
                let job = &self.model.jobs[at];
                (self.path(job.service, &job.name), job.name.clone())
            }
            Asker::Workflow(at) => {
                let workflow = &self.model.workflows[at];
                (self.path(workflow.service, &workflow.name), workflow.name.clone())
            }
        }
    }

    /// Commands whose own body writes rows of an entity.
    pub(crate) fn commands_that_write(&self, entity: EntityId) -> &[CommandId] {
        &self.writers[entity.index()]
    }

    /// How often rows of an entity are written in a second, as far as the load says.
    pub(crate) fn write_rate(&self, entity: EntityId) -> Option<f64> {
        let actions = [Action::Create, Action::Update, Action::Delete];
        let direct = actions.into_iter().filter_map(|action| self.loads.entity(entity, action));
        let commands = self.commands_that_write(entity).iter();
        let commands = commands.filter_map(|command| self.loads.command(*command));
        let rates: Vec<f64> = direct.chain(commands).map(|rate| rate.usual).collect();
        (!rates.is_empty()).then(|| rates.iter().sum())
    }

    /// How many rows of an entity come into being in a second, as far as the load says, and where it says so.
    pub(crate) fn create_rate(&self, entity: EntityId) -> (f64, Option<Span>) {
        let (mut sum, mut place) = (0.0, None);
        if let Some(rate) = self.loads.entity(entity, Action::Create) {
            sum += rate.usual;
            place = Some(rate.span);
        }
        for command in self.commands_that_write(entity) {
            let creates = self.effects.of_command(*command).iter().any(|effect| {
                matches!(effect.kind, EffectKind::Create(creation) if creation.entity == entity)
            });
            if let (true, Some(rate)) = (creates, self.loads.command(*command)) {
                sum += rate.usual;
                place.get_or_insert(rate.span);
            }
        }
        (sum, place)
    }

    /// Calls `see` with each entity that a body creates, changes, deletes, looks through, or is given a row of, and with
    /// each that a query answers.
    pub(crate) fn touched_entities(&self, see: &mut dyn FnMut(EntityId)) {
        for effect in self.effects.all() {
            if let Some(entity) = effect.writes() {
                see(entity);
            }
            if let EffectKind::Rows { entity, .. } = effect.kind {
                see(entity);
            }
        }
        let model = self.model;
        model.queries.iter().for_each(|query| see(query.entity));
        let commands = model.commands.iter().flat_map(|command| &command.parameters);
        let workflows = model.workflows.iter().flat_map(|workflow| &workflow.parameters);
        for parameter in commands.chain(workflows) {
            let ty = match &parameter.ty {
                Type::List(element, _) => element,
                other => other,
            };
            ty.as_entity().into_iter().for_each(&mut *see);
        }
    }

    /// Calls `see` with each expression of the model, the outermost ones.
    pub(crate) fn visit_all<'e>(&'e self, see: &mut dyn FnMut(&'e Expression)) {
        let model = self.model;
        for entity in &model.entities {
            entity.policies.iter().filter_map(|it| it.condition.as_deref()).for_each(&mut *see);
            entity.checks.iter().for_each(|check| see(&check.condition));
        }
        model.fields.iter().filter_map(|it| it.computed.as_deref()).for_each(&mut *see);
        for query in &model.queries {
            query.filter.iter().for_each(&mut *see);
            query.policies.iter().filter_map(|it| it.condition.as_deref()).for_each(&mut *see);
        }
        for command in &model.commands {
            command.policies.iter().filter_map(|it| it.condition.as_deref()).for_each(&mut *see);
            statements(&command.body, see);
        }
        for step in model.workflows.iter().flat_map(|workflow| &workflow.bodies) {
            statements(&step.body, see);
            statements(&step.undo, see);
        }
        model.jobs.iter().for_each(|job| statements(&job.body, see));
    }

    /// By which of its fields a row of an entity belongs to a caller of a role: references to the role's entity, at most
    /// two steps away. `None` if it belongs to nobody; an empty path is the caller's own row.
    pub(crate) fn ownership(&self, entity: EntityId, role: RoleId) -> Option<Vec<FieldId>> {
        let person = Who::entity(self.model, role)?;
        if entity == person {
            return Some(Vec::new());
        }
        let references = |of: EntityId| {
            self.model[of]
                .fields
                .iter()
                .filter_map(|field| Some((*field, self.model[*field].ty.as_entity()?)))
        };
        let direct = references(entity).find(|(_, target)| *target == person);
        if let Some((field, _)) = direct {
            return Some(vec![field]);
        }
        references(entity).find_map(|(field, target)| {
            // What is owned by way of something is what that something is about, within one service.
            if self.model.crosses(entity, target) {
                return None;
            }
            let (next, _) = references(target).find(|(_, last)| *last == person)?;
            Some(vec![field, next])
        })
    }

    /// Whether a command is run from inside: by another, a job, a workflow, an event, or when a workflow gives up.
    pub(crate) fn is_run(&self, id: CommandId) -> bool {
        self.run[id.index()]
    }

    /// Whether a call changes something outside: all but `get` do.
    pub(crate) fn changes_outside(&self, call: &model::ExternalCall) -> bool {
        let operations = &self.dependencies[call.external.index()].operations;
        operations.get(call.operation).is_none_or(|view| view.method().text() != "get")
    }

    /// Whether anything hears an event.
    pub(crate) fn is_heard(&self, event: EventId) -> bool {
        self.hearing(event).is_some()
    }

    /// Whether an event goes to those who are not in the design: readers over HTTP, or whoever listens at a broker.
    pub(crate) fn is_told(&self, event: EventId) -> bool {
        let mut environments = self.model.environments.iter();
        !self.model.events[event.index()].readers.is_empty()
            || environments.any(|environment| environment.broker.is_some())
    }

    /// Where an event is heard.
    pub(crate) fn hearing(&self, event: EventId) -> Option<Span> {
        self.heard[event.index()]
    }

    /// What creates rows of an entity.
    pub(crate) fn creations(&self, entity: EntityId) -> &[&model::Creation] {
        &self.creations[entity.index()]
    }

    /// Where a body deletes rows of an entity, if one does.
    pub(crate) fn deletion(&self, entity: EntityId) -> Option<Span> {
        self.deletions[entity.index()]
    }

    /// What publishes an event.
    pub(crate) fn emissions(&self, event: EventId) -> &[Effect<'_>] {
        &self.emissions[event.index()]
    }

    /// Whether something is promised of it.
    pub(crate) fn is_promised(&self, target: Target) -> bool {
        self.promised.contains(&target)
    }

    /// Whether it is limited.
    pub(crate) fn is_limited(&self, target: Target) -> bool {
        self.limited.contains(&target)
    }

    /// How often an event is published in a second, as far as the load says.
    pub(crate) fn emit_rate(&self, event: EventId) -> Option<f64> {
        let commands = self.emissions(event).iter().filter_map(|effect| match effect.actor {
            Actor::Command(id) => Some(id),
            _ => None,
        });
        let rates: Vec<f64> =
            commands.filter_map(|id| self.loads.command(id)).map(|rate| rate.usual).collect();
        (!rates.is_empty()).then(|| rates.iter().sum())
    }

    /// How many rows the entity has that a loop runs over, by where the loop stands.
    pub(crate) fn rows_of_loop(&self, span: Span) -> Option<f64> {
        let found = self.effects.all().iter().find(|effect| effect.span == span)?;
        match found.kind {
            EffectKind::Rows { entity, .. } => self.loads.rows(entity),
            _ => None,
        }
    }

    /// A role's name.
    pub(crate) fn role_name(&self, role: RoleId) -> &str {
        &self.model[role].name
    }

    /// Whether a type holds money.
    pub(crate) fn is_money(ty: &Type) -> bool {
        matches!(ty, Type::Money(_))
    }
}

/// By event: where it is heard.
pub(super) fn heard(model: &Model) -> Vec<Option<Span>> {
    let mut found = vec![None; model.events.len()];
    let mut hear = |event: EventId, span: Span| {
        found[event.index()].get_or_insert(span);
    };
    model.subscriptions.iter().for_each(|it| hear(it.event, it.span));
    for webhook in &model.webhooks {
        webhook.events.iter().for_each(|event| hear(*event, webhook.span));
    }
    for workflow in &model.workflows {
        workflow.on.into_iter().for_each(|event| hear(event, workflow.span));
    }
    found
}

/// By command: whether something inside runs it.
pub(super) fn run_commands(facts: &Facts<'_>) -> Vec<bool> {
    let model = facts.model;
    let mut found = vec![false; model.commands.len()];
    for effect in facts.effects.all() {
        if let EffectKind::Run(run) = effect.kind
            && let Runnable::Command(id) = run.target
        {
            found[id.index()] = true;
        }
    }
    for subscription in &model.subscriptions {
        found[subscription.command.index()] = true;
    }
    for workflow in &model.workflows {
        let command = facts.source.gives_up_with(workflow.span);
        for (at, known) in model.commands.iter().enumerate() {
            found[at] |= command == Some(known.name.as_str());
        }
    }
    found
}

fn statements<'e>(body: &'e [Statement], see: &mut dyn FnMut(&'e Expression)) {
    for statement in body {
        match &statement.kind {
            StatementKind::Unknown | StatementKind::Return(None) => {}
            StatementKind::Let { value, .. } | StatementKind::Return(Some(value)) => {
                value_source(value, see);
            }
            StatementKind::Require { condition, members, .. } => {
                see(condition);
                members.iter().for_each(|(_, value)| see(value));
            }
            StatementKind::For { source, body, .. } => {
                match source {
                    model::Source::List(list) => see(list),
                    model::Source::Parts { root, .. } => see(root),
                    model::Source::Rows { filter, .. } => filter.iter().for_each(&mut *see),
                }
                statements(body, see);
            }
            StatementKind::If { condition, then, otherwise } => {
                see(condition);
                statements(then, see);
                statements(otherwise, see);
            }
            StatementKind::Create(creation) => {
                creation.fields.iter().for_each(|(_, value)| see(value));
            }
            StatementKind::Update { target, fields, .. } => {
                see(target);
                fields.iter().for_each(|(_, value)| see(value));
            }
            StatementKind::Delete { target, .. } => see(target),
            StatementKind::Emit { members, .. } => {
                members.iter().for_each(|(_, value)| see(value));
            }
            StatementKind::Run(run) => run.arguments.iter().for_each(&mut *see),
            StatementKind::Call(call) => call.arguments.iter().for_each(&mut *see),
        }
    }
}

fn value_source<'e>(value: &'e ValueSource, see: &mut dyn FnMut(&'e Expression)) {
    match value {
        ValueSource::Expression(value) => see(value),
        ValueSource::Create(creation) => creation.fields.iter().for_each(|(_, value)| see(value)),
        ValueSource::Run(run) => run.arguments.iter().for_each(see),
        ValueSource::Call(call) => call.arguments.iter().for_each(see),
    }
}

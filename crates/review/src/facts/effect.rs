//! What the bodies of commands, workflows and jobs do, one after another.

use std::ops::Range;

use model::{
    CommandId, Creation, EntityId, EventId, Expression, ExternalCall, FieldId, Invocation, Model,
    Source, Statement, StatementKind, ValueSource,
};
use syntax::Span;

/// Whose body it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Actor {
    /// A command's.
    Command(CommandId),
    /// A step's, or what takes it back.
    Step {
        /// The workflow, by position.
        workflow: usize,
        /// The step, by position.
        step: usize,
        /// Whether it is what takes the step back.
        undo: bool,
    },
    /// A job's, by position.
    Job(usize),
}

/// One thing that is done.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Effect<'a> {
    /// Whose body it stands in.
    pub(crate) actor: Actor,
    /// Where it stands.
    pub(crate) span: Span,
    /// What is done.
    pub(crate) kind: EffectKind<'a>,
    /// The loop over rows in which it stands, if any: it runs over as many as there are.
    pub(crate) rows: Option<Span>,
}

/// What is done.
#[derive(Debug, Clone, Copy)]
pub(crate) enum EffectKind<'a> {
    /// `create`
    Create(&'a Creation),
    /// `update`
    Update {
        /// Its entity.
        entity: EntityId,
        /// The new values.
        fields: &'a [(FieldId, Expression)],
    },
    /// `delete`
    Delete {
        /// The entity of the row.
        entity: EntityId,
    },
    /// `emit`
    Emit {
        /// What.
        event: EventId,
        /// What it carries.
        members: &'a [(FieldId, Expression)],
    },
    /// `run`
    Run(&'a Invocation),
    /// `call`
    Call(&'a ExternalCall),
    /// `require`
    Require {
        /// What must be true.
        condition: &'a Expression,
    },
    /// `if`: what is done inside follows.
    Branch {
        /// What decides.
        condition: &'a Expression,
    },
    /// `for … in Entity where …`
    Rows {
        /// The entity looked through.
        entity: EntityId,
        /// Which rows.
        filter: Option<&'a Expression>,
    },
}

/// All bodies, in the order of the model.
#[derive(Debug, Default)]
pub(crate) struct Effects<'a> {
    all: Vec<Effect<'a>>,
    commands: Vec<Range<usize>>,
    jobs: Vec<Range<usize>>,
    /// By workflow and step: what it does, and what takes it back.
    steps: Vec<Vec<(Range<usize>, Range<usize>)>>,
}

impl<'a> Effects<'a> {
    pub(crate) fn of(model: &'a Model) -> Self {
        let mut found = Self::default();
        for (at, command) in model.commands.iter().enumerate() {
            let body = found.body(Actor::Command(CommandId(at as u32)), &command.body);
            found.commands.push(body);
        }
        for (at, workflow) in model.workflows.iter().enumerate() {
            let mut steps = Vec::with_capacity(workflow.bodies.len());
            for (step, bodies) in workflow.bodies.iter().enumerate() {
                let actor = |undo| Actor::Step { workflow: at, step, undo };
                let done = found.body(actor(false), &bodies.body);
                let undone = found.body(actor(true), &bodies.undo);
                steps.push((done, undone));
            }
            found.steps.push(steps);
        }
        for (at, job) in model.jobs.iter().enumerate() {
            let body = found.body(Actor::Job(at), &job.body);
            found.jobs.push(body);
        }
        found
    }

    /// All of them.
    pub(crate) fn all(&self) -> &[Effect<'a>] {
        &self.all
    }

    /// What a command does itself, without what it runs.
    pub(crate) fn of_command(&self, id: CommandId) -> &[Effect<'a>] {
        &self.all[self.commands[id.index()].clone()]
    }

    /// What a job does.
    pub(crate) fn of_job(&self, at: usize) -> &[Effect<'a>] {
        &self.all[self.jobs[at].clone()]
    }

    /// What a step does, and what takes it back.
    pub(crate) fn of_step(&self, workflow: usize, step: usize) -> (&[Effect<'a>], &[Effect<'a>]) {
        match self.steps.get(workflow).and_then(|steps| steps.get(step)) {
            Some((done, undone)) => (&self.all[done.clone()], &self.all[undone.clone()]),
            None => (&[], &[]),
        }
    }

    fn body(&mut self, actor: Actor, body: &'a [Statement]) -> Range<usize> {
        let start = self.all.len();
        self.statements(actor, body, None);
        start..self.all.len()
    }

    fn statements(&mut self, actor: Actor, body: &'a [Statement], rows: Option<Span>) {
        for statement in body {
            self.statement(actor, statement, rows);
        }
    }

    fn statement(&mut self, actor: Actor, statement: &'a Statement, rows: Option<Span>) {
        let span = statement.span;
        let kind = match &statement.kind {
            StatementKind::Unknown => return,
            StatementKind::Let { value, .. } => return self.value(actor, span, value, rows),
            StatementKind::Return(value) => {
                if let Some(value) = value {
                    self.value(actor, span, value, rows);
                }
                return;
            }
            StatementKind::For { source, body, .. } => {
                let mut rows = rows;
                if let Source::Rows { entity, filter } = source {
                    let kind = EffectKind::Rows { entity: *entity, filter: filter.as_ref() };
                    self.all.push(Effect { actor, span, kind, rows });
                    rows = Some(span);
                }
                return self.statements(actor, body, rows);
            }
            StatementKind::If { condition, then, otherwise } => {
                self.all.push(Effect { actor, span, kind: EffectKind::Branch { condition }, rows });
                self.statements(actor, then, rows);
                return self.statements(actor, otherwise, rows);
            }
            StatementKind::Require { condition, .. } => EffectKind::Require { condition },
            StatementKind::Create(creation) => EffectKind::Create(creation),
            StatementKind::Update { entity, fields, .. } => {
                EffectKind::Update { entity: *entity, fields }
            }
            StatementKind::Delete { entity, .. } => EffectKind::Delete { entity: *entity },
            StatementKind::Emit { event, members } => EffectKind::Emit { event: *event, members },
            StatementKind::Run(invocation) => EffectKind::Run(invocation),
            StatementKind::Call(call) => EffectKind::Call(call),
        };
        self.all.push(Effect { actor, span, kind, rows });
    }

    fn value(&mut self, actor: Actor, span: Span, value: &'a ValueSource, rows: Option<Span>) {
        let kind = match value {
            ValueSource::Expression(_) => return,
            ValueSource::Create(creation) => EffectKind::Create(creation),
            ValueSource::Run(invocation) => EffectKind::Run(invocation),
            ValueSource::Call(call) => EffectKind::Call(call),
        };
        self.all.push(Effect { actor, span, kind, rows });
    }
}

impl Effect<'_> {
    /// Whether it changes rows.
    pub(crate) fn writes(&self) -> Option<EntityId> {
        match self.kind {
            EffectKind::Create(creation) => Some(creation.entity),
            EffectKind::Update { entity, .. } | EffectKind::Delete { entity } => Some(entity),
            _ => None,
        }
    }
}

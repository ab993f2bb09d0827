//! Tasks: what is done later, and what is done when an event happens, by names that outlast a version of the model.

use std::sync::Arc;

use model::{CatchUp, CommandId, EventId, Model, Schedule};
use operation::{BROKER, Command, Fault, Heard, Scalar, Settled, Task, Tree, Value, Write};

use super::compile::JobStep;
use super::{CommandTemplate, compile};
use crate::Roles;
use crate::plan::{Compiled, Detail, Key, Plan, Request, What, mixed_up};

/// `run sales.cancel`
pub(super) fn of_command(model: &Model, id: CommandId) -> Box<str> {
    let command = &model.commands[id.index()];
    format!("run {}", named(model, command.service, &command.name)).into()
}

/// `on sales.OrderPaid run shipping.pack`
pub(super) fn of_subscription(model: &Model, at: usize) -> Box<str> {
    let subscription = &model.subscriptions[at];
    let event = &model.events[subscription.event.index()];
    let event = named(model, event.service, &event.name);
    format!("on {event} {}", of_command(model, subscription.command)).into()
}

/// An event, and what hears it.
pub(super) fn heard(model: &Model, event: usize, to_broker: bool) -> Heard {
    let item = &model.events[event];
    let by = model.subscriptions.iter().enumerate();
    let by = by.filter(|(_, subscription)| subscription.event.index() == event);
    let webhooks = model.webhooks.iter();
    let webhooks = webhooks.filter(|webhook| webhook.events.iter().any(|id| id.index() == event));
    Heard {
        name: named(model, item.service, &item.name).into(),
        by: by
            .map(|(at, _)| of_subscription(model, at))
            .chain(webhooks.map(|webhook| format!("{WEBHOOK}{}", webhook.name).into()))
            .chain((to_broker && item.from.is_none()).then(|| BROKER.into()))
            .collect(),
    }
}

/// How the target of a task begins that sends an event; a webhook's name is behind it.
pub const WEBHOOK: &str = "webhook ";

pub(crate) fn named(model: &Model, service: model::ServiceId, name: &str) -> String {
    let service = &model.services[service.index()].name;
    if service.is_empty() { name.to_owned() } else { format!("{service}.{name}") }
}

/// `job sales.cancel_stale`
fn of_job(model: &Model, at: usize) -> Box<str> {
    let job = &model.jobs[at];
    format!("job {}", named(model, job.service, &job.name)).into()
}

/// A job, compiled: what it does, one transaction after another.
#[derive(Debug)]
pub struct Job {
    steps: Vec<JobStep>,
    /// When it runs.
    pub schedule: Schedule,
    /// By how much its beginning is moved at random, in microseconds at most.
    pub jitter: i64,
    /// What becomes of runs that were missed.
    pub catch_up: CatchUp,
}

impl Job {
    /// How many steps it has.
    pub fn steps(&self) -> usize {
        self.steps.len()
    }
}

impl Plan {
    /// The names under which events are kept that a webhook sends; `None` where the model has no webhook of this name.
    pub fn sent_by(&self, webhook: &str) -> Option<Vec<String>> {
        let mut webhooks = self.model.webhooks.iter();
        let webhook = webhooks.find(|known| known.name == webhook && known.receives.is_empty())?;
        let events = webhook.events.iter().map(|id| &self.model.events[id.index()]);
        Some(events.map(|event| named(&self.model, event.service, &event.name)).collect())
    }

    /// The events that these roles may read.
    pub fn readable_events(&self, roles: Roles) -> impl Iterator<Item = EventId> {
        crate::policy::readable_events(&self.model, roles)
    }

    /// The events that these roles may have heard once more.
    pub fn replayable_events(&self, roles: Roles) -> impl Iterator<Item = EventId> {
        crate::policy::replayable_events(&self.model, roles)
    }

    /// Jobs: the targets of their tasks, and when each runs.
    pub fn jobs(&self) -> impl Iterator<Item = (Box<str>, &Schedule)> {
        let jobs = self.model.jobs.iter().enumerate();
        jobs.map(|(at, job)| (of_job(&self.model, at), &job.schedule))
    }

    /// A job by the target of its task; `None` where the model has none of this name any more.
    ///
    /// # Errors
    /// [`Fault::Internal`] where it cannot be compiled.
    pub fn job(&self, target: &str) -> Result<Option<Arc<Job>>, Fault> {
        let mut all = 0..self.model.jobs.len();
        let Some(at) = all.find(|at| *of_job(&self.model, *at) == *target) else { return Ok(None) };
        let key = Key { what: What::Job(at), roles: Roles::NONE, detail: Detail::default() };
        let compiled = self.keep(key, || {
            let steps = compile::compile_job(self, at)?;
            let job = &self.model.jobs[at];
            let (schedule, jitter) = (job.schedule.clone(), job.jitter);
            let catch_up = job.catch_up;
            Ok(Compiled::Job(Arc::new(Job { steps, schedule, jitter, catch_up })))
        })?;
        match compiled {
            Compiled::Job(job) => Ok(Some(job)),
            _ => Err(mixed_up()),
        }
    }

    /// The targets of those who hear an event, by its name as a store keeps it; none where the model has no such event any more.
    pub fn heard(&self, event: &str) -> Vec<Box<str>> {
        let mut all = (0..self.model.events.len()).map(|at| heard(&self.model, at, self.to_broker));
        all.find(|heard| *heard.name == *event).map_or_else(Vec::new, |heard| heard.by)
    }

    /// What a task does, which ends with it.
    ///
    /// # Errors
    /// [`Fault::Internal`] where the model has no such target any more, or where its arguments are of another form.
    pub fn task(&self, task: &Task, now: i64) -> Result<Write, Fault> {
        let model = &self.model;
        let gone = || Fault::Internal(format!("the model has no `{}` any more", task.target));
        let mut commands = (0..model.commands.len()).map(|at| CommandId(at as u32));
        let scalar = |ty| model.scalar(ty).unwrap_or(Scalar::Json);
        let (template, parameters): (_, Vec<(&str, Scalar)>) =
            match commands.find(|id| *of_command(model, *id) == *task.target) {
                Some(id) => {
                    let parameters = model.commands[id.index()].parameters.iter();
                    let template = self.command(id, Roles::SYSTEM)?;
                    let parameters = parameters.map(|p| (p.name.as_str(), scalar(&p.ty)));
                    (template, parameters.collect())
                }
                None => {
                    let mut all = 0..model.subscriptions.len();
                    let at = all.find(|at| *of_subscription(model, *at) == *task.target);
                    let at = at.ok_or_else(gone)?;
                    let event = model.subscriptions[at].event.index();
                    let fields = model.events[event].fields.iter().map(|field| &model[*field]);
                    let fields = fields.map(|field| (field.name.as_str(), scalar(&field.ty)));
                    (self.subscription(at)?, fields.collect())
                }
            };
        let tree = operation::parse_json(task.arguments.as_bytes()).map_err(Fault::Internal)?;
        let Tree::Object(members) = tree else { return Err(mixed_up()) };
        let values = parameters.iter().map(|(name, scalar)| {
            match members.iter().find(|(known, _)| **known == **name) {
                Some((_, tree)) => scalar.of_json(tree),
                // A parameter that the model has got since.
                None => Ok(Value::Null),
            }
        });
        let values: Vec<Value> = values
            .collect::<Result<_, _>>()
            .map_err(|fault| Fault::Internal(format!("an argument must be {}", fault.0)))?;
        let request = Request { now, parameters: &values, ..Request::default() };
        let binds = request.binds(&template.sources, 1);
        let settles = Some(Settled { number: task.number, until: task.until });
        let program = Arc::clone(&template.program);
        let (lists, named) = (program.lists(&binds), Vec::new());
        Ok(Write::Command(Command { program, binds, lists, named, now, settles, code: None }))
    }

    fn subscription(&self, at: usize) -> Result<Arc<CommandTemplate>, Fault> {
        let key =
            Key { what: What::Subscription(at), roles: Roles::NONE, detail: Detail::default() };
        let compiled = self.keep(key, || {
            Ok(Compiled::Command(Arc::new(compile::compile_subscription(self, at)?)))
        })?;
        match compiled {
            Compiled::Command(template) => Ok(template),
            _ => Err(mixed_up()),
        }
    }
}

/// What is next in a job.
#[derive(Debug)]
pub enum Next {
    /// A transaction, and then the next step.
    Once(Write),
    /// Find rows: the answer is a JSON array of keys, empty when there are no more.
    Find(Write),
}

impl Job {
    /// What a step does. `after` is the key behind which its rows are, as JSON.
    ///
    /// # Errors
    /// [`Fault::Internal`] where there is no such step.
    pub fn next(&self, step: usize, after: Option<&Tree<'_>>, now: i64) -> Result<Next, Fault> {
        match self.steps.get(step).ok_or_else(mixed_up)? {
            JobStep::Once(template) => Ok(Next::Once(write(template, &[], now))),
            JobStep::Each { find, key, .. } => {
                let after = after.map_or(Ok(Value::Null), |tree| key.of_json(tree));
                let after = after.map_err(|_| mixed_up())?;
                Ok(Next::Find(write(find, &[after], now)))
            }
        }
    }

    /// What a step does for the row with this key, which is JSON.
    ///
    /// # Errors
    /// [`Fault::Internal`] where the step is not about rows.
    pub fn one(&self, step: usize, row: &Tree<'_>, now: i64) -> Result<Write, Fault> {
        let Some(JobStep::Each { one, key, .. }) = self.steps.get(step) else {
            return Err(mixed_up());
        };
        let row = key.of_json(row).map_err(|_| mixed_up())?;
        Ok(write(one, &[row], now))
    }
}

fn write(template: &CommandTemplate, parameters: &[Value], now: i64) -> Write {
    let request = Request { now, parameters, ..Request::default() };
    let binds = request.binds(&template.sources, 1);
    let program = Arc::clone(&template.program);
    let lists = program.lists(&binds);
    let named = Vec::new();
    Write::Command(Command { program, binds, lists, named, now, settles: None, code: None })
}

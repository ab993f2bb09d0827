//! From the statements of a command to the steps of a program.

use std::collections::BTreeMap;
use std::sync::Arc;

use model::{
    CommandId, Default as FieldDefault, EntityId, FieldId, Invocation, Runnable, Statement,
    StatementKind, Type, ValueSource,
};
use operation::{
    Carried, Creation, Direct, Expression, Fault, Fill, Form, Inputs, Obstacle, OnDelete, Place,
    Program, ProgramTarget, ReadId, Redraw, Scalar, Source, Step, Table, TableId, Terms, Value,
    Visible, any_step,
};

use super::{CommandTemplate, task};
use crate::condition::{BindSource, Binder, Frame, Local, align};
use crate::plan::Plan;
use crate::policy::reaches;
use crate::shape::Wanted;
use crate::{Caller, Roles};

/// Compiles a command for a set of roles.
pub(super) fn compile(plan: &Plan, id: CommandId, roles: Roles) -> Result<CommandTemplate, Fault> {
    let command = &plan.model.commands[id.index()];
    let mut compiler = Compiler::of(plan);
    compiler.answer = command.answer.as_ref().map(|(ty, _)| ty.clone());
    let parameters = command.parameters.iter().enumerate();
    compiler.binder.frame.parameters = parameters
        .map(|(at, parameter)| Local {
            bind: compiler.binder.position(BindSource::Parameter(at)),
            ty: parameter.ty.clone(),
            members: Vec::new(),
        })
        .collect();
    let mut inside = Vec::new();
    let mut keys = Vec::new();
    let given = compiler.binder.frame.parameters.iter().map(|local| local.bind);
    for (parameter, bind) in command.parameters.iter().zip(given) {
        match parameter.ty.as_entity() {
            Some(entity) => keys.push((entity, bind)),
            None => compiler.named(&parameter.ty, command.service, &mut inside),
        }
    }
    let grants = command.policies.iter().filter(|policy| reaches(policy, roles));
    let admission = if roles.has(model::RoleId::SYSTEM) {
        Expression::yes()
    } else {
        let world = plan.world();
        let mut terms = Vec::new();
        for policy in grants {
            terms.push(match &policy.condition {
                Some(condition) => world.lower(condition, &[], &mut compiler.binder),
                None => Expression::yes(),
            });
        }
        Expression::any(terms)
    };
    let body = compiler.body_of(id);
    let unpacked = std::mem::take(&mut compiler.binder.frame.parameters);
    let body = unpacked.into_iter().filter_map(unpack).chain(body).collect();
    let mut seen = Vec::new();
    if !roles.has(model::RoleId::SYSTEM) {
        for parameter in &command.parameters {
            compiler.named(&parameter.ty, command.service, &mut seen);
        }
    }
    let visible = seen.iter().map(|entity| Visible {
        table: plan.schema.table(*entity).clone(),
        condition: plan.visible(*entity, roles, &mut compiler.binder),
        named: named_by(*entity, &keys, &inside),
    });
    let visible = visible.collect();
    let answer = command.answer.as_ref().map(|(ty, _)| ty);
    compiler.finish(&command.name, roles, (admission, visible, body), answer, seen)
}

/// The binds that hold keys of an entity's rows, of those that hold one; `None` where rows of it stand inside other values.
fn named_by(
    entity: EntityId,
    keys: &[(EntityId, usize)],
    inside: &[EntityId],
) -> Option<Vec<usize>> {
    let of = keys.iter().filter(|(known, _)| *known == entity);
    (!inside.contains(&entity)).then(|| of.map(|(_, bind)| *bind).collect())
}

/// Compiles what is done when an event happens: its parameters are the event's members.
pub(super) fn compile_subscription(plan: &Plan, at: usize) -> Result<CommandTemplate, Fault> {
    let subscription = &plan.model.subscriptions[at];
    let event = &plan.model.events[subscription.event.index()];
    let mut compiler = Compiler::of(plan);
    let fields = event.fields.iter().enumerate();
    compiler.binder.frame.parameters = fields
        .map(|(at, field)| Local {
            bind: compiler.binder.position(BindSource::Parameter(at)),
            ty: plan.model[*field].ty.clone(),
            members: Vec::new(),
        })
        .collect();
    let invocation = Invocation {
        target: Runnable::Command(subscription.command),
        arguments: subscription.arguments.clone(),
        later: false,
        terms: model::Terms::default(),
    };
    let mut body = Vec::new();
    compiler.run(&invocation, None, &mut body);
    let unpacked = std::mem::take(&mut compiler.binder.frame.parameters);
    let body = unpacked.into_iter().filter_map(unpack).chain(body).collect();
    let rules = (Expression::yes(), Vec::new(), body);
    compiler.finish(&task::of_subscription(&plan.model, at), SYSTEM, rules, None, Vec::new())
}

/// What a job does, statement by statement: each is a transaction of its own, and each row of a loop over rows is one.
#[derive(Debug)]
pub(crate) enum JobStep {
    /// A transaction.
    Once(Arc<CommandTemplate>),
    /// One for each row.
    Each {
        /// Finds the next rows: its parameter is the key behind which they are, its answer a JSON array of keys.
        find: Arc<CommandTemplate>,
        /// What is done for a row: its parameter is the key.
        one: Arc<CommandTemplate>,
        /// What a key means.
        key: Scalar,
    },
}

/// How many rows of a job are found at once.
pub(crate) const BATCH: usize = 200;

/// Compiles a job.
pub(super) fn compile_job(plan: &Plan, at: usize) -> Result<Vec<JobStep>, Fault> {
    let job = &plan.model.jobs[at];
    // What is bound before holds for all that follows, in each transaction anew.
    let (mut before, mut steps) = (Vec::new(), Vec::new());
    for statement in &job.body {
        match &statement.kind {
            StatementKind::Let { value: ValueSource::Expression(_), .. } => {
                before.push(statement.clone());
            }
            StatementKind::For { number, source: model::Source::Rows { entity, filter }, body } => {
                let of = (*number, *entity, filter.as_ref(), body.as_slice());
                steps.push(each(plan, &job.name, &before, of)?);
            }
            _ => {
                let mut compiler = Compiler::of(plan);
                let mut body = before.clone();
                body.push(statement.clone());
                let body = compiler.body(&body);
                let rules = (Expression::yes(), Vec::new(), body);
                let program = compiler.finish(&job.name, SYSTEM, rules, None, Vec::new())?;
                steps.push(JobStep::Once(Arc::new(program)));
            }
        }
    }
    Ok(steps)
}

const SYSTEM: Roles = Roles::SYSTEM;

fn each(
    plan: &Plan,
    name: &str,
    before: &[Statement],
    (number, entity, filter, body): (usize, EntityId, Option<&model::Expression>, &[Statement]),
) -> Result<JobStep, Fault> {
    let key = plan.key_scalar(entity);
    let mut compiler = Compiler::of(plan);
    let after = compiler.binder.position(BindSource::Parameter(0));
    let mut steps = compiler.body_open(before);
    let row = compiler.place(entity, false);
    let condition = compiler.filter(entity, filter);
    steps.push(Step::Collect { row, condition, after, most: BATCH });
    let rules = (Expression::yes(), Vec::new(), steps);
    let answer = Type::List(Box::new(Type::Entity(entity)), model::Bounds::OPEN);
    let find = compiler.finish(name, SYSTEM, rules, Some(&answer), Vec::new())?;

    let mut compiler = Compiler::of(plan);
    let own = compiler.binder.position(BindSource::Parameter(0));
    let mut steps = compiler.body_open(before);
    let row = compiler.place(entity, false);
    let bind = compiler.binder.local();
    let column = plan.world().column(entity, plan.model[entity].key);
    // Looked at once more, of this row alone: it may have changed since it was found.
    let is_it = Expression::equal(Expression::column(column), Expression::Bind(own));
    let condition = Expression::all([is_it, compiler.filter(entity, filter)]);
    compiler.declare(number, bind, Type::Entity(entity));
    let body = compiler.body(body);
    let source = Source::Rows { row, condition };
    steps.push(Step::For { source, bind, members: Vec::new(), body });
    let rules = (Expression::yes(), Vec::new(), steps);
    let one = compiler.finish(name, SYSTEM, rules, None, Vec::new())?;
    Ok(JobStep::Each { find: Arc::new(find), one: Arc::new(one), key })
}

/// The step that reads the members of a value object, if any of them is asked for.
fn unpack(local: Local) -> Option<Step> {
    let Local { bind, members, .. } = local;
    (!members.is_empty()).then_some(Step::Unpack { from: Expression::Bind(bind), members })
}

fn target(plan: &Plan, entity: EntityId, changes: bool, binder: &mut Binder) -> ProgramTarget {
    let target = plan.target_for(entity, None, binder);
    let part = |table: &Table| target.parts.iter().position(|part| part.table.id == table.id);
    let computed =
        target.computed.iter().map(|computed| Inputs::of(&computed.expression, &part)).collect();
    let checks = target.checks.iter().map(|check| Inputs::of_check(check, &part)).collect();
    let reached = reached(plan, &target.table);
    let along = along(plan, &target.table);
    let target = Arc::new(target);
    ProgramTarget { target, computed, checks, changes, deletes: false, reached, along }
}

/// Notes of which targets rows are deleted, and adds what rules there are of rows that lose something when others go, as far as these draw on
/// that; tells of which parts they do.
fn add_reached(
    plan: &Plan,
    body: &[Step],
    coded: bool,
    targets: &mut Vec<ProgramTarget>,
    binder: &mut Binder,
) -> Vec<(TableId, Arc<Table>)> {
    let mut reached: Vec<TableId> = Vec::new();
    for (at, of) in targets.iter_mut().enumerate() {
        let deletes = |step: &Step| matches!(step, Step::Delete { row: Place { target, part: None }, .. } if *target == at);
        of.deletes = any_step(body, &mut |step| deletes(step));
        if coded || of.deletes {
            reached.extend(&of.reached);
        }
    }
    let roots = plan.model.entity_ids().filter(|id| plan.model.part_of(*id).is_none());
    for entity in roots {
        let table = plan.schema.table(entity).id;
        let is_known = targets.iter().any(|of| of.target.table.id == table);
        if !is_known && reached.contains(&table) {
            let target = target(plan, entity, false, binder);
            targets.extend((!Redraw::of(&target.target).is_empty()).then_some(target));
        }
    }
    let mut may_lose = Vec::new();
    for redraw in targets.iter().flat_map(|of| Redraw::of(&of.target)) {
        let (root, table) = (redraw.root.id, redraw.table);
        let is_known = may_lose.iter().any(|(_, known): &(_, Arc<Table>)| known.id == table.id);
        if table.id != root && reached.contains(&table.id) && !is_known {
            may_lose.push((root, table));
        }
    }
    may_lose
}

/// The tables, but for those of its own parts, whose rows go when a row of this one goes.
fn along(plan: &Plan, root: &Table) -> Vec<Arc<Table>> {
    let mut along = Vec::new();
    let (mut waiting, mut seen) = (vec![root.id], vec![root.id]);
    while let Some(target) = waiting.pop() {
        for table in plan.model.entity_ids().map(|entity| plan.schema.table(entity)) {
            let goes = |key: &&operation::ForeignKey| {
                key.target == target && key.on_delete == OnDelete::Cascade
            };
            for key in table.foreign_keys.iter().filter(goes) {
                match table.root {
                    // Nothing refers to parts.
                    Some(column) if column == key.column => {
                        along.extend((target != root.id).then(|| table.clone()));
                    }
                    // What its root draws on it is worked out again.
                    Some(_) => along.push(table.clone()),
                    None => {
                        along.push(table.clone());
                        if !seen.contains(&table.id) {
                            seen.push(table.id);
                            waiting.push(table.id);
                        }
                    }
                }
            }
        }
    }
    along.sort_by_key(|table| table.id);
    along.dedup_by_key(|table| table.id);
    along
}

/// The tables, but for those of its own parts, whose rows go, change or stand against it when a row of this one goes.
fn reached(plan: &Plan, root: &Table) -> Vec<TableId> {
    let (mut reached, mut going) = (Vec::new(), vec![root.id]);
    let mut at = 0;
    while let Some(goes) = going.get(at).copied() {
        at += 1;
        for table in plan.model.entity_ids().map(|entity| plan.schema.table(entity)) {
            for key in table.foreign_keys.iter().filter(|key| key.target == goes) {
                let is_own_part = goes == root.id && table.root == Some(key.column);
                // What becomes of a part its root is told by its version, and by what it draws on its parts.
                let roots = table.foreign_keys.iter().filter(|of| table.root == Some(of.column));
                for table in [table.id].into_iter().chain(roots.map(|of| of.target)) {
                    if !is_own_part && !reached.contains(&table) {
                        reached.push(table);
                    }
                }
                if key.on_delete == OnDelete::Cascade && !going.contains(&table.id) {
                    going.push(table.id);
                }
            }
        }
    }
    reached
}

pub(super) struct Compiler<'p> {
    plan: &'p Plan,
    pub(super) binder: Binder,
    /// Roots that are written, and whether rows that are there change.
    pub(super) targets: Vec<(EntityId, bool)>,
    scans: bool,
    /// Whether code is called, which may do anything.
    coded: bool,
    /// What the body that is being compiled answers.
    answer: Option<Type>,
    /// What the binds are that steps work out.
    kinds: BTreeMap<usize, Scalar>,
    /// Events that are published: positions among the model's.
    pub(super) events: Vec<usize>,
}

impl<'p> Compiler<'p> {
    pub(super) fn of(plan: &'p Plan) -> Self {
        let (targets, events) = (Vec::new(), Vec::new());
        let (scans, coded) = (false, false);
        Self {
            plan,
            binder: Binder::default(),
            targets,
            scans,
            coded,
            answer: None,
            kinds: BTreeMap::new(),
            events,
        }
    }

    fn filter(&mut self, entity: EntityId, filter: Option<&model::Expression>) -> Expression {
        match filter {
            Some(filter) => self.lower(filter, &[entity]),
            None => Expression::yes(),
        }
    }

    /// Steps of statements whose names stay.
    fn body_open(&mut self, statements: &[Statement]) -> Vec<Step> {
        let mut steps = Vec::new();
        for statement in statements {
            self.statement(&statement.kind, &mut steps);
        }
        steps
    }

    fn finish(
        mut self,
        name: &str,
        roles: Roles,
        (admission, visible, body): (Expression, Vec<Visible>, Vec<Step>),
        answer: Option<&Type>,
        seen: Vec<EntityId>,
    ) -> Result<CommandTemplate, Fault> {
        if self.coded {
            let model = &self.plan.model;
            let roots = model.entity_ids().filter(|entity| model.part_of(*entity).is_none());
            let roots: Vec<EntityId> = roots.collect();
            for root in roots {
                self.place(root, true);
            }
            let all = 0..self.plan.model.events.len();
            let missing: Vec<usize> = all.filter(|event| !self.events.contains(event)).collect();
            self.events.extend(missing);
        }
        let Compiler { plan, mut binder, targets, scans, coded, kinds, events, .. } = self;
        let targets =
            targets.into_iter().map(|(entity, changes)| target(plan, entity, changes, &mut binder));
        let mut targets: Vec<ProgramTarget> = targets.collect();
        let may_lose = add_reached(plan, &body, coded, &mut targets, &mut binder);
        let (answer, sources) = match answer {
            None => (Form::Nothing, binder.sources),
            Some(Type::Entity(entity)) if plan.model.part_of(*entity).is_none() => {
                // Who may run it and not see the row is answered without it.
                let caller = Caller { roles, subject: None, authenticated: true };
                let (read, sources) = plan.answer(*entity, &Wanted::default(), &caller, &binder)?;
                (read.map_or(Form::Nothing, Form::Row), sources)
            }
            Some(ty) => {
                let scalar = plan.model.scalar(ty).unwrap_or(Scalar::Json);
                (Form::Value(scalar), binder.sources)
            }
        };
        let filled = sources.iter().map(|source| matches!(source, BindSource::Local(_))).collect();
        let kinds = (0..sources.len()).map(|bind| kinds.get(&bind).copied()).collect();
        let mut program = Program {
            id: ReadId::fresh(),
            name: name.into(),
            targets,
            visible,
            admission,
            body,
            filled,
            kinds,
            deep: false,
            shallow: false,
            of_named: false,
            own_keys: Vec::new(),
            // What code looks for is not known before it runs.
            scans: scans || coded,
            waits: false,
            together: false,
            coded,
            may_go_along: Vec::new(),
            may_lose,
            events: events
                .into_iter()
                .map(|event| task::heard(&plan.model, event, plan.to_broker))
                .collect(),
            answer,
            direct: Err(Obstacle::UNFORMED),
        };
        program.may_go_along = program.tables_that_go_along();
        program.deep = coded || program.is_deep();
        program.shallow = !coded && program.is_shallow();
        program.of_named = program.is_of_named();
        program.waits = program.has_to_wait();
        program.together = program.can_go_together();
        program.own_keys = program.keys_of_its_own();
        program.direct = Direct::of(&program);
        Ok(CommandTemplate { program: Arc::new(program), sources, visible: seen })
    }

    /// What a command does; its parameters are in the frame.
    fn body_of(&mut self, id: CommandId) -> Vec<Step> {
        let command = &self.plan.model.commands[id.index()];
        if !command.by_code {
            return self.body(&command.body);
        }
        self.coded = true;
        let arguments = self.binder.frame.parameters.iter();
        let arguments = arguments.map(|parameter| Expression::Bind(parameter.bind)).collect();
        let bind = self.binder.local();
        let returned = command.answer.as_ref().map(|_| Expression::Bind(bind));
        vec![Step::Code { command: id.index(), arguments, bind }, Step::Return(returned)]
    }

    /// Steps of statements that stand together; what they declare ends with them.
    fn body(&mut self, statements: &[Statement]) -> Vec<Step> {
        let mut steps = Vec::with_capacity(statements.len());
        // Value objects among what is declared here: after which step, and which local.
        let mut objects: Vec<(usize, usize)> = Vec::new();
        for statement in statements {
            self.statement(&statement.kind, &mut steps);
            if let StatementKind::Let { number, .. } = &statement.kind {
                objects.push((steps.len(), *number));
            }
        }
        // Only now is known which of their members are asked for.
        for (at, number) in objects.into_iter().rev() {
            let local = self.binder.frame.locals.get_mut(number).and_then(Option::take);
            if let Some(step) = local.and_then(unpack) {
                steps.insert(at, step);
            }
        }
        steps
    }

    pub(super) fn statement(&mut self, kind: &StatementKind, steps: &mut Vec<Step>) {
        match kind {
            // A valid model holds no poison, and a command makes no calls.
            StatementKind::Unknown | StatementKind::Call(_) => {}
            StatementKind::Let { number, value } => {
                if let Some((bind, ty)) = self.value(value, steps) {
                    self.declare(*number, bind, ty);
                }
            }
            StatementKind::Require { condition, error, members } => {
                let condition = self.lower(condition, &[]);
                let fields = self.plan.model.errors[error.index()].fields.clone();
                let members = fields.iter().map(|field| self.member(*field, members)).collect();
                steps.push(Step::Require { condition, error: error.index(), members });
            }
            StatementKind::For { number, source, body } => {
                let step = self.for_each(*number, source, body);
                steps.push(step);
            }
            StatementKind::If { condition, then, otherwise } => {
                let condition = self.lower(condition, &[]);
                let (then, otherwise) = (self.body(then), self.body(otherwise));
                steps.push(Step::If { condition, then, otherwise });
            }
            StatementKind::Create(creation) => {
                let creation = self.creation(creation, None);
                steps.push(Step::Create(creation));
            }
            StatementKind::Update { target, entity, fields } => {
                let row = self.place(*entity, true);
                let key = self.lower(target, &[]);
                let mut set = Vec::with_capacity(fields.len());
                let mut bounds = Vec::new();
                for (field, value) in fields {
                    let column = self.plan.world().column(*entity, *field);
                    let lowered = self.lower(value, &[*entity]);
                    set.push((column, align(lowered, &value.ty, &self.plan.model[*field].ty)));
                    bounds.extend(self.plan.bound(*field, column, value));
                }
                steps.push(Step::Update { row, key, set, bounds });
            }
            StatementKind::Delete { target, entity } => {
                let row = self.place(*entity, true);
                let key = self.lower(target, &[]);
                steps.push(Step::Delete { row, key });
            }
            StatementKind::Emit { event, members } => {
                let step = self.emit(event.index(), members);
                steps.push(step);
            }
            StatementKind::Run(invocation) => self.run(invocation, None, steps),
            StatementKind::Return(value) => {
                let value = value.as_ref().and_then(|value| match value {
                    ValueSource::Expression(expression) => {
                        let lowered = self.lower(expression, &[]);
                        let wanted = self.answer.clone();
                        Some(match wanted {
                            Some(wanted) => align(lowered, &expression.ty, &wanted),
                            None => lowered,
                        })
                    }
                    other => self.value(other, steps).map(|(bind, _)| Expression::Bind(bind)),
                });
                steps.push(Step::Return(value));
            }
        }
    }

    fn note_kind(&mut self, bind: usize, ty: &Type) {
        self.kinds.extend(ty.scalar().map(|kind| (bind, kind)));
    }

    fn declare(&mut self, number: usize, bind: usize, ty: Type) {
        let locals = &mut self.binder.frame.locals;
        if locals.len() <= number {
            locals.resize(number + 1, None);
        }
        locals[number] = Some(Local { bind, ty, members: Vec::new() });
    }

    /// Steps that work out a value, the bind that holds it, and its type.
    fn value(&mut self, value: &ValueSource, steps: &mut Vec<Step>) -> Option<(usize, Type)> {
        match value {
            ValueSource::Expression(expression) => {
                let value = self.lower(expression, &[]);
                let bind = self.binder.local();
                self.note_kind(bind, &expression.ty);
                steps.push(Step::Let { bind, value });
                Some((bind, expression.ty.clone()))
            }
            ValueSource::Create(creation) => {
                let bind = self.binder.local();
                let entity = creation.entity;
                let creation = self.creation(creation, Some(bind));
                steps.push(Step::Create(creation));
                Some((bind, Type::Entity(entity)))
            }
            ValueSource::Run(invocation) => {
                let bind = self.binder.local();
                self.run(invocation, Some(bind), steps);
                let ty = match invocation.target {
                    Runnable::Command(id) => self.plan.model.commands[id.index()].answer.clone(),
                    Runnable::Workflow(_) => None,
                };
                Some((bind, ty.map_or(Type::Unknown, |(ty, _)| ty)))
            }
            // A command makes no calls.
            ValueSource::Call(_) => None,
        }
    }

    fn for_each(&mut self, number: usize, source: &model::Source, body: &[Statement]) -> Step {
        let bind = self.binder.local();
        let (source, ty) = match source {
            model::Source::List(list) => {
                let element = match &list.ty {
                    Type::List(element, _) => (**element).clone(),
                    _ => Type::Unknown,
                };
                let scalar = self.plan.model.scalar(&element).unwrap_or(Scalar::Json);
                (Source::List { list: self.lower(list, &[]), scalar }, element)
            }
            model::Source::Parts { root, part } => {
                let row = self.place(*part, false);
                (Source::Parts { row, root: self.lower(root, &[]) }, Type::Entity(*part))
            }
            model::Source::Rows { entity, filter } => {
                self.scans = true;
                let row = self.place(*entity, false);
                let condition = match filter {
                    Some(filter) => self.lower(filter, &[*entity]),
                    None => Expression::yes(),
                };
                (Source::Rows { row, condition }, Type::Entity(*entity))
            }
        };
        self.declare(number, bind, ty);
        let body = self.body(body);
        let local = self.binder.frame.locals.get_mut(number).and_then(Option::take);
        let members = local.map_or_else(Vec::new, |local| local.members);
        Step::For { source, bind, members, body }
    }

    fn creation(&mut self, creation: &model::Creation, bind: Option<usize>) -> Creation {
        let entity = creation.entity;
        let plan = self.plan;
        let row = self.place(entity, plan.model.part_of(entity).is_some());
        let root = creation.root.as_ref().map(|root| self.lower(root, &[]));
        let table = plan.schema.table(entity);
        let mut values: Vec<Fill> = (0..table.columns.len())
            .map(|column| match () {
                () if Some(column) == table.version => {
                    Fill::Value(Expression::Literal(Value::Int(1)))
                }
                () if Some(column) == table.root => Fill::Root,
                () => Fill::Value(Expression::Literal(Value::Null)),
            })
            .collect();
        let mut bounds = Vec::new();
        for &field in &plan.model[entity].fields {
            let item = &plan.model[field];
            let column = plan.world().column(entity, field);
            let given = creation.fields.iter().find(|(given, _)| *given == field);
            let fill = match (given, &item.default) {
                (Some((_, value)), _) => {
                    bounds.extend(plan.bound(field, column, value));
                    let lowered = self.lower(value, &[]);
                    Fill::Value(align(lowered, &value.ty, &item.ty))
                }
                (None, _) if item.computed.is_some() => Fill::Computed,
                (None, _) if item.is_position => Fill::Position,
                (None, Some(FieldDefault::Uuid)) => Fill::Uuid,
                (None, Some(FieldDefault::Auto)) => Fill::Counted,
                (None, Some(FieldDefault::Expression(default))) => {
                    let lowered = self.lower(default, &[]);
                    Fill::Value(align(lowered, &default.ty, &item.ty))
                }
                (None, None) => Fill::Value(Expression::Literal(Value::Null)),
            };
            if let Some(slot) = values.get_mut(column) {
                *slot = fill;
            }
        }
        Creation { row, root, values, bounds, bind }
    }

    fn emit(&mut self, event: usize, members: &[(FieldId, model::Expression)]) -> Step {
        let item = &self.plan.model.events[event];
        let (by, fields) = (item.by, item.fields.clone());
        let key = by.map(|by| {
            let scalar = self.plan.model.scalar(&self.plan.model[by].ty).unwrap_or(Scalar::Text);
            (self.member(by, members), scalar)
        });
        let members = fields
            .iter()
            .map(|field| {
                let item = &self.plan.model[*field];
                Carried {
                    name: item.name.as_str().into(),
                    value: self.member(*field, members),
                    scalar: self.plan.model.scalar(&item.ty).unwrap_or(Scalar::Json),
                }
            })
            .collect();
        let position = self.events.iter().position(|known| *known == event);
        let event = position.unwrap_or_else(|| {
            self.events.push(event);
            self.events.len() - 1
        });
        Step::Emit { event, key, members }
    }

    /// The value of a member of an event or an error: what was given, or its default.
    fn member(&mut self, field: FieldId, given: &[(FieldId, model::Expression)]) -> Expression {
        let item = &self.plan.model[field];
        let value = match (given.iter().find(|(known, _)| *known == field), &item.default) {
            (Some((_, value)), _) => value,
            (None, Some(FieldDefault::Expression(default))) => default,
            _ => return Expression::Literal(Value::Null),
        };
        let lowered = self.lower(value, &[]);
        align(lowered, &value.ty, &item.ty)
    }

    fn run(&mut self, invocation: &Invocation, bind: Option<usize>, steps: &mut Vec<Step>) {
        // Workflows are named at the start as not carried out yet.
        let Runnable::Command(id) = invocation.target else { return };
        let plan = self.plan;
        let command = &plan.model.commands[id.index()];
        let given = command.parameters.iter().zip(&invocation.arguments);
        let values: Vec<Expression> = given
            .map(|(parameter, value)| align(self.lower(value, &[]), &value.ty, &parameter.ty))
            .collect();
        if invocation.later {
            let arguments = command.parameters.iter().zip(values);
            let arguments = arguments.map(|(parameter, value)| Carried {
                name: parameter.name.as_str().into(),
                value,
                scalar: plan.model.scalar(&parameter.ty).unwrap_or(Scalar::Json),
            });
            let (target, arguments) = (task::of_command(&plan.model, id), arguments.collect());
            let model::Terms { delay, priority, unique } = &invocation.terms;
            let unique = unique.as_ref().map(|unique| {
                let scalar = plan.model.scalar(&unique.ty).unwrap_or(Scalar::Text);
                (self.lower(unique, &[]), scalar)
            });
            let delay = delay.as_ref().map(|delay| self.lower(delay, &[]));
            let terms = Terms { delay, priority: *priority, unique };
            steps.push(Step::Later { target, arguments, terms });
            return;
        }
        let mut parameters = Vec::with_capacity(values.len());
        for (parameter, value) in command.parameters.iter().zip(values) {
            let bind = self.binder.local();
            self.note_kind(bind, &parameter.ty);
            steps.push(Step::Let { bind, value });
            parameters.push(Local { bind, ty: parameter.ty.clone(), members: Vec::new() });
        }
        let frame = Frame { parameters, locals: Vec::new() };
        let outer = std::mem::replace(&mut self.binder.frame, frame);
        let answer = command.answer.as_ref().map(|(ty, _)| ty.clone());
        if let (Some(bind), Some(ty)) = (bind, &answer) {
            self.note_kind(bind, ty);
        }
        let outer_answer = std::mem::replace(&mut self.answer, answer);
        let body = self.body_of(id);
        self.answer = outer_answer;
        let frame = std::mem::replace(&mut self.binder.frame, outer);
        steps.extend(frame.parameters.into_iter().filter_map(unpack));
        steps.push(Step::Run { body, bind });
    }

    fn lower(&mut self, expression: &model::Expression, rows: &[EntityId]) -> Expression {
        self.plan.world().lower(expression, rows, &mut self.binder)
    }

    /// The place of an entity among what the program writes.
    fn place(&mut self, entity: EntityId, changes: bool) -> Place {
        let part_of = self.plan.model.part_of(entity);
        let root = part_of.map_or(entity, |part| part.root);
        let target = match self.targets.iter().position(|(known, _)| *known == root) {
            Some(at) => at,
            None => {
                self.targets.push((root, false));
                self.targets.len() - 1
            }
        };
        self.targets[target].1 |= changes;
        let parts = &self.plan.model[root].parts;
        let part = part_of.and_then(|_| parts.iter().position(|part| *part == entity));
        Place { target, part }
    }

    /// Entities whose rows stand in values of a type, as far as the service knows their rows.
    fn named(&self, ty: &Type, service: model::ServiceId, seen: &mut Vec<EntityId>) {
        let model = &self.plan.model;
        match ty {
            Type::Entity(entity) if model[*entity].service == service && !seen.contains(entity) => {
                seen.push(*entity);
            }
            Type::List(element, _) => self.named(element, service, seen),
            Type::Record(record) => {
                for field in &model[*record].fields {
                    self.named(&model[*field].ty, service, seen);
                }
            }
            _ => {}
        }
    }
}

//! What code does in a transaction: each deed becomes a statement of the language, with constants for what code says.

use model::{
    CommandId, Creation, EntityId, Expression, ExpressionKind, FieldId, Invocation, Model,
    Runnable, ServiceId, StatementKind, Type, ValueSource,
};
use operation::{Fault, FaultCode, Place, Program, Scalar, Step, Tree, Value};

use super::compile::Compiler;
use super::task;
use crate::Caller;
use crate::body::{At, Decoder};
use crate::condition::BindSource;
use crate::page::list_of;
use crate::plan::{Plan, Request};

/// Compiles what code does in a transaction of a program.
///
/// What code says is held to the types and bounds of the model as the body of a request is. A name that the model does not
/// have is a fault of the code ([`Fault::Internal`]); a value that does not fit is one of whoever sent it ([`Fault::Invalid`]).
#[derive(Debug, Clone, Copy)]
pub struct Coding<'t> {
    /// The plan.
    pub plan: &'t Plan,
    /// The program whose transaction it is.
    pub program: &'t Program,
    /// Who asked, unless it is the system.
    pub caller: Option<&'t Caller>,
    /// The moment, in microseconds since 1970-01-01T00:00:00Z.
    pub now: i64,
}

/// Steps, and the values of the binds that they need besides those of the program.
#[derive(Debug)]
pub struct Coded {
    /// What is done.
    pub steps: Vec<Step>,
    /// Values of the binds behind those that there are.
    pub binds: Vec<Value>,
}

/// The commands of a model that are done by code: the position of each, and its name with its service, `sales.quote`.
pub fn commands_by_code(model: &Model) -> impl Iterator<Item = (usize, String)> {
    let commands = model.commands.iter().enumerate();
    let coded = commands.filter(|(_, command)| command.by_code);
    coded.map(|(at, command)| (at, task::named(model, command.service, &command.name)))
}

impl Coding<'_> {
    /// The arguments of a command, as a JSON object.
    pub fn arguments(&self, command: usize, values: &[Value]) -> Vec<u8> {
        let parameters = self.plan.model.commands.get(command);
        let parameters = parameters.map_or(&[][..], |command| &command.parameters);
        let members = parameters.iter().zip(values);
        object(
            members.map(|(parameter, value)| (&*parameter.name, self.scalar(&parameter.ty), value)),
        )
    }

    /// A row as a JSON object: every field of its entity, parts left out.
    pub fn json(&self, entity: EntityId, row: &[Value]) -> Vec<u8> {
        let fields = self.plan.model[entity].fields.iter();
        object(fields.filter_map(|field| {
            let item = &self.plan.model[*field];
            let column = self.plan.world().column(entity, *field);
            Some((&*item.name, self.scalar(&item.ty), row.get(column)?))
        }))
    }

    /// What a command answers, read; of a row the key. `None`: nothing.
    ///
    /// # Errors
    /// [`Fault::Internal`] where it is not of the type that the model promises.
    pub fn answer(&self, command: usize, tree: &Tree<'_>) -> Result<Option<Value>, Fault> {
        let item = self.plan.model.commands.get(command);
        let item = item.ok_or_else(|| Fault::Internal("no such command".to_owned()))?;
        let Some((ty, optional)) = &item.answer else {
            return match tree {
                Tree::Null => Ok(None),
                _ => Err(told(format!(
                    "`{}` answers something, and the model says nothing",
                    item.name
                ))),
            };
        };
        if *tree == Tree::Null {
            return match optional {
                true => Ok(None),
                false => Err(told(format!("`{}` answers nothing", item.name))),
            };
        }
        let mut decoder = self.decoder();
        let value = decoder.value(ty, tree, &At::BODY);
        match decoder.faults.first() {
            Some(fault) => {
                let detail = &fault.detail;
                Err(told(format!("`{}` answers what it does not promise: it {detail}", item.name)))
            }
            None => Ok(value),
        }
    }

    /// An entity by its name, with its service or without: `sales.Order`, `Order`.
    ///
    /// # Errors
    /// [`Fault::Internal`] where there is none, or more than one.
    pub fn entity(&self, name: &str) -> Result<EntityId, Fault> {
        let model = &self.plan.model;
        let all = model.entity_ids().map(|id| (id, &*model[id].name, model[id].service));
        self.named("entity", name, all)
    }

    /// Where the rows of an entity are.
    ///
    /// # Errors
    /// [`Fault::Internal`] where the program does not have them.
    pub fn place(&self, entity: EntityId) -> Result<Place, Fault> {
        let part_of = self.plan.model.part_of(entity);
        let root = part_of.map_or(entity, |part| part.root);
        let table = self.plan.schema.table(root).id;
        let target = self.program.targets.iter().position(|known| known.target.table.id == table);
        let target = target.ok_or_else(|| Fault::Internal("a program without code".to_owned()))?;
        let parts = &self.plan.model[root].parts;
        let part = part_of.and_then(|_| parts.iter().position(|part| *part == entity));
        Ok(Place { target, part })
    }

    /// A key of an entity, read. Of a part: the key of its root and its own, as an array.
    ///
    /// # Errors
    /// [`Fault::NotFound`] where it cannot be one.
    pub fn key(&self, entity: EntityId, tree: &Tree<'_>) -> Result<Vec<Value>, Fault> {
        let model = &self.plan.model;
        let (of, trees) = match (model.part_of(entity), tree) {
            (None, tree) => (vec![entity], std::slice::from_ref(tree)),
            (Some(part), Tree::List(trees)) if trees.len() == 2 => {
                (vec![part.root, entity], trees.as_slice())
            }
            (Some(_), _) => {
                let name = &model[entity].name;
                return Err(told(format!(
                    "a {name} is named by the key of what it is a part of and its own, as an array"
                )));
            }
        };
        let keys = of.iter().zip(trees);
        keys.map(|(entity, tree)| {
            let value = self.plan.key_scalar(*entity).of_json(tree);
            value.ok().filter(|value| !value.is_null()).ok_or(Fault::NotFound)
        })
        .collect()
    }

    /// The condition that fields have these values.
    ///
    /// # Errors
    /// As said of all.
    pub fn filter(
        &self,
        entity: EntityId,
        fields: &Tree<'_>,
    ) -> Result<operation::Expression, Fault> {
        let model = &self.plan.model;
        let members = members(fields)?;
        let mut terms = Vec::with_capacity(members.len());
        let mut decoder = self.decoder();
        for (name, tree) in members {
            let field = self.field(entity, name)?;
            let column = self.plan.world().column(entity, field);
            let column = operation::Expression::column(column);
            terms.push(match tree {
                Tree::Null => operation::Expression::IsNull(Box::new(column)),
                tree => {
                    let value = decoder.value(&model[field].ty, tree, &At::BODY.member(name));
                    let value = operation::Expression::Literal(value.unwrap_or_default());
                    operation::Expression::equal(column, value)
                }
            });
        }
        said_of(&model[entity].name, decoder)?;
        Ok(operation::Expression::all(terms))
    }

    /// `create ENTITY { … }`; its steps return the key, of a part the number that stands for it.
    ///
    /// # Errors
    /// As said of all.
    pub fn create(&self, entity: EntityId, body: &Tree<'_>, base: usize) -> Result<Coded, Fault> {
        let model = &self.plan.model;
        let item = &model[entity];
        let root = model
            .part_of(entity)
            .map(|part| (part.root, model::snake_case(&model[part.root].name)));
        let mut decoder = self.decoder();
        let (mut given, mut around) = (Vec::new(), None);
        for (name, tree) in members(body)? {
            if let Some((root, _)) = root.as_ref().filter(|(_, known)| **known == **name) {
                let key = self.plan.key_scalar(*root).of_json(tree).map_err(|_| Fault::NotFound)?;
                around = Some(Expression::constant(key, Type::Entity(*root), item.span));
                continue;
            }
            let field = self.field(entity, name)?;
            if model[field].computed.is_some() || model[field].is_position {
                return Err(told(format!(
                    "`{name}` of {} is computed, and cannot be given",
                    item.name
                )));
            }
            given.extend(self.given(field, tree, &mut decoder));
        }
        if let (Some((_, name)), None) = (&root, &around) {
            return Err(told(format!(
                "a {} needs `{name}`, the row that it is a part of",
                item.name
            )));
        }
        for field in &item.fields {
            if !given.iter().any(|(known, _)| known == field) && decoder.default(*field).is_none() {
                let name = &model[*field].name;
                let at = At::BODY;
                decoder.fault(
                    FaultCode::Required,
                    &at.member(name),
                    format!("`{name}` is required"),
                );
            }
        }
        said_of(&item.name, decoder)?;
        let creation = Creation { entity, root: around, fields: given };
        self.compile(&StatementKind::Return(Some(ValueSource::Create(creation))), base)
    }

    /// `update ROW { … }`. The row is named by its key, of a part by the number that stands for it.
    ///
    /// # Errors
    /// As said of all.
    pub fn update(
        &self,
        entity: EntityId,
        key: Value,
        body: &Tree<'_>,
        base: usize,
    ) -> Result<Coded, Fault> {
        let model = &self.plan.model;
        let item = &model[entity];
        let mut decoder = self.decoder();
        let mut fields = Vec::new();
        for (name, tree) in members(body)? {
            let field = self.field(entity, name)?;
            if model[field].computed.is_some() || model[field].is_position || model[field].is_key {
                return Err(told(format!("`{name}` of {} cannot be set", item.name)));
            }
            fields.extend(self.given(field, tree, &mut decoder));
        }
        said_of(&item.name, decoder)?;
        let target = Expression::constant(key, Type::Entity(entity), item.span);
        self.compile(&StatementKind::Update { target, entity, fields }, base)
    }

    /// `delete ROW`
    ///
    /// # Errors
    /// As said of all.
    pub fn delete(&self, entity: EntityId, key: Value, base: usize) -> Result<Coded, Fault> {
        let target = Expression::constant(key, Type::Entity(entity), self.plan.model[entity].span);
        self.compile(&StatementKind::Delete { target, entity }, base)
    }

    /// `emit EVENT { … }`
    ///
    /// # Errors
    /// As said of all.
    pub fn emit(&self, event: &str, body: &Tree<'_>, base: usize) -> Result<Coded, Fault> {
        let model = &self.plan.model;
        let all = model.events.iter().enumerate();
        let all = all.map(|(at, event)| (at, &*event.name, event.service));
        let at = self.named("event", event, all)?;
        let item = &model.events[at];
        let event = model::EventId(u32::try_from(at).unwrap_or(u32::MAX));
        if model.is_foreign(event) {
            return Err(told(format!("`{}` is published by another system", item.name)));
        }
        let members = self.members_of(&item.name, &item.fields, body)?;
        self.compile(&StatementKind::Emit { event, members }, base)
    }

    /// `run COMMAND(…)`, now or later; its steps return what it returns.
    ///
    /// # Errors
    /// As said of all.
    pub fn run(
        &self,
        command: &str,
        body: &Tree<'_>,
        later: bool,
        base: usize,
    ) -> Result<Coded, Fault> {
        let model = &self.plan.model;
        let all = model.commands.iter().enumerate();
        let all = all.map(|(at, command)| (at, &*command.name, command.service));
        let at = self.named("command", command, all)?;
        let item = &model.commands[at];
        let given = members(body)?;
        if let Some((name, _)) =
            given.iter().find(|(name, _)| !item.parameters.iter().any(|p| p.name == **name))
        {
            return Err(told(format!("`{}` has no parameter `{name}`", item.name)));
        }
        let mut decoder = self.decoder();
        let mut arguments = Vec::with_capacity(item.parameters.len());
        for parameter in &item.parameters {
            let at = At::BODY.member(&parameter.name);
            let tree =
                given.iter().find(|(name, _)| **name == parameter.name).map(|(_, tree)| tree);
            let value = match tree {
                None | Some(Tree::Null) => {
                    if !parameter.optional {
                        let detail = format!("`{}` is required", parameter.name);
                        decoder.fault(
                            FaultCode::Required,
                            &At::BODY.member(&parameter.name),
                            detail,
                        );
                    }
                    Value::Null
                }
                Some(tree) => decoder.value(&parameter.ty, tree, &at).unwrap_or_default(),
            };
            arguments.push(Expression::constant(value, parameter.ty.clone(), item.span));
        }
        said_of(&item.name, decoder)?;
        let target = Runnable::Command(CommandId(u32::try_from(at).unwrap_or(u32::MAX)));
        let terms = model::Terms::default();
        let invocation = Invocation { target, arguments, later, terms };
        let statement = if later || item.answer.is_none() {
            StatementKind::Run(invocation)
        } else {
            StatementKind::Return(Some(ValueSource::Run(invocation)))
        };
        self.compile(&statement, base)
    }

    /// What a command returned, as JSON.
    pub fn returned(&self, command: &str, value: &Value) -> Vec<u8> {
        let commands = &self.plan.model.commands;
        let all = commands.iter().enumerate();
        let all = all.map(|(at, command)| (at, &*command.name, command.service));
        let at = self.named("command", command, all).ok();
        let answer = at.and_then(|at| commands[at].answer.as_ref());
        let mut json = Vec::new();
        match answer {
            Some((ty, _)) => self.scalar(ty).write_json(value, &mut json),
            None => json.extend_from_slice(b"null"),
        }
        json
    }

    /// The key of a row, as JSON.
    pub fn key_json(&self, entity: EntityId, key: &Value) -> Vec<u8> {
        let mut json = Vec::new();
        self.plan.key_scalar(entity).write_json(key, &mut json);
        json
    }

    /// The error of the model that ends the command.
    pub fn refusal(&self, error: &str, body: &Tree<'_>) -> Fault {
        let model = &self.plan.model;
        let all = model.errors.iter().enumerate();
        let all = all.map(|(at, error)| (at, &*error.name, error.service));
        let made = self.named("error", error, all).and_then(|at| {
            let item = &model.errors[at];
            let given = self.members_of(&item.name, &item.fields, body)?;
            let value = |field: &FieldId| {
                let found = given.iter().find(|(known, _)| known == field);
                match found.map(|(_, value)| &value.kind) {
                    Some(ExpressionKind::Literal(value)) => value.clone(),
                    _ => Value::Null,
                }
            };
            Ok(Fault::Raised { error: at, members: item.fields.iter().map(value).collect() })
        });
        made.unwrap_or_else(|fault| fault)
    }

    fn members_of(
        &self,
        name: &str,
        fields: &[FieldId],
        body: &Tree<'_>,
    ) -> Result<Vec<(FieldId, Expression)>, Fault> {
        let model = &self.plan.model;
        let given = members(body)?;
        if let Some((unknown, _)) =
            given.iter().find(|(name, _)| !fields.iter().any(|field| model[*field].name == **name))
        {
            return Err(told(format!("`{name}` has no member `{unknown}`")));
        }
        let mut decoder = self.decoder();
        let mut members = Vec::with_capacity(fields.len());
        for field in fields {
            let item = &model[*field];
            match given.iter().find(|(name, _)| **name == item.name) {
                Some((_, tree)) => members.extend(self.given(*field, tree, &mut decoder)),
                None if decoder.default(*field).is_none() => {
                    let detail = format!("`{}` is required", item.name);
                    decoder.fault(FaultCode::Required, &At::BODY.member(&item.name), detail);
                }
                None => {}
            }
        }
        said_of(name, decoder)?;
        Ok(members)
    }

    fn given(
        &self,
        field: FieldId,
        tree: &Tree<'_>,
        decoder: &mut Decoder<'_>,
    ) -> Option<(FieldId, Expression)> {
        let item = &self.plan.model[field];
        let value = decoder.field_value(field, tree, &At::BODY.member(&item.name))?;
        Some((field, Expression::constant(value, item.ty.clone(), item.span)))
    }

    fn field(&self, entity: EntityId, name: &str) -> Result<FieldId, Fault> {
        let model = &self.plan.model;
        model.field_named(entity, name).ok_or_else(|| {
            let known: Vec<&str> =
                model[entity].fields.iter().map(|field| model[*field].name.as_str()).collect();
            told(format!(
                "{} has no field `{name}`; its fields are: {}",
                model[entity].name,
                list_of(&known)
            ))
        })
    }

    fn named<'m, I>(
        &self,
        what: &str,
        name: &str,
        all: impl Iterator<Item = (I, &'m str, ServiceId)>,
    ) -> Result<I, Fault> {
        let mut found = all.filter(|(_, known, service)| {
            *known == name || task::named(&self.plan.model, *service, known) == name
        });
        match (found.next(), found.next()) {
            (Some((id, ..)), None) => Ok(id),
            (None, _) => Err(told(format!("the model has no {what} `{name}`"))),
            (Some(_), Some(_)) => Err(told(format!(
                "the model has more than one {what} `{name}`; say `service.{name}`"
            ))),
        }
    }

    fn compile(&self, statement: &StatementKind, base: usize) -> Result<Coded, Fault> {
        let mut compiler = Compiler::of(self.plan);
        // What stands there already is not looked for by what it comes from.
        compiler.binder.sources = (0..base).map(BindSource::Local).collect();
        let model = &self.plan.model;
        for target in &self.program.targets {
            let id = target.target.table.id;
            let root = model.entity_ids().find(|entity| self.plan.schema.table(*entity).id == id);
            compiler.targets.push((root.ok_or_else(gone)?, target.changes));
        }
        for event in &self.program.events {
            let name = |at: &usize| {
                let known = &model.events[*at];
                *task::named(model, known.service, &known.name) == *event.name
            };
            compiler.events.push((0..model.events.len()).find(name).ok_or_else(gone)?);
        }
        let mut steps = Vec::new();
        compiler.statement(statement, &mut steps);
        let grown = compiler.targets.len() > self.program.targets.len()
            || compiler.events.len() > self.program.events.len();
        if grown {
            return Err(gone());
        }
        let request = Request { caller: self.caller, now: self.now, ..Request::default() };
        let sources = compiler.binder.sources.get(base..).unwrap_or_default();
        Ok(Coded { steps, binds: request.binds(sources, 0) })
    }

    fn decoder(&self) -> Decoder<'_> {
        let request = Request { caller: self.caller, now: self.now, ..Request::default() };
        Decoder { plan: self.plan, request, faults: Vec::new() }
    }

    fn scalar(&self, ty: &Type) -> Scalar {
        self.plan.model.scalar(ty).unwrap_or(Scalar::Json)
    }
}

/// A fault of the code.
fn told(text: String) -> Fault {
    Fault::Internal(text)
}

fn gone() -> Fault {
    told("a program that calls code, without all that code may touch".to_owned())
}

fn members<'t, 'a>(
    tree: &'t Tree<'a>,
) -> Result<&'t [(std::borrow::Cow<'a, str>, Tree<'a>)], Fault> {
    match tree {
        Tree::Object(members) => Ok(members),
        other => Err(told(format!(
            "an object is needed, with a member for each field, and not {}",
            other.kind()
        ))),
    }
}

/// What does not fit, told of the thing: the body of the request may have it somewhere else, or nowhere.
fn said_of(name: &str, decoder: Decoder<'_>) -> Result<(), Fault> {
    if decoder.faults.is_empty() {
        return Ok(());
    }
    let faults = decoder.faults.into_iter().map(|mut fault| {
        let member = fault.pointer.trim_start_matches('/').replace('/', ".");
        fault.detail = format!("{name}.{member}: {}", fault.detail);
        fault.pointer = String::new();
        fault
    });
    Err(Fault::Invalid(faults.collect()))
}

fn object<'a>(members: impl Iterator<Item = (&'a str, Scalar, &'a Value)>) -> Vec<u8> {
    let mut json = vec![b'{'];
    for (name, scalar, value) in members {
        if json.len() > 1 {
            json.push(b',');
        }
        Scalar::Text.write_json_text(name, &mut json);
        json.push(b':');
        scalar.write_json(value, &mut json);
    }
    json.push(b'}');
    json
}

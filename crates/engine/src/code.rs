//! Commands by code: handlers, by the names of their commands, and the open transaction as a handler sees it.

use std::fmt;
use std::marker::PhantomData;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures_util::FutureExt as _;
use model::{EntityId, Model};
use operation::{Code, Fault, Program, Tree, Value, Waiting, Write};
use plan::{Caller, Coded, Coding, Plan};
use rustc_hash::FxHashMap;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::Loaded;

/// What does commands by code.
#[derive(Debug, Default)]
pub struct Handlers {
    all: FxHashMap<Box<str>, Arc<dyn Handler>>,
}

/// What does one command.
trait Handler: fmt::Debug + Send + Sync {
    /// Does it for these arguments, a JSON object; the answer is JSON.
    fn handle<'t, 'x: 't>(
        &'t self,
        arguments: &'t [u8],
        transaction: &'t mut Transaction<'x>,
    ) -> Waiting<'t, Vec<u8>>;
}

impl Handlers {
    /// Adds what does a command; its name may have its service before it: `sales.quote`.
    pub fn add<A, R, F>(&mut self, command: impl Into<Box<str>>, handler: F)
    where
        A: DeserializeOwned + 'static,
        R: Serialize + 'static,
        F: AsyncFn(A, &mut Transaction<'_>) -> Result<R, Fault> + Send + Sync + 'static,
    {
        let handler: Typed<A, R, F> = Typed { handler, types: PhantomData };
        self.all.insert(command.into(), Arc::new(handler));
    }

    /// Commands that the model leaves to code, and nobody does.
    pub fn missing(&self, model: &Model) -> Vec<String> {
        let coded = plan::commands_by_code(model);
        let missing = coded.filter(|(_, name)| self.of(name).is_none());
        missing.map(|(_, name)| name).collect()
    }

    /// Handlers of what is no command by code in the model.
    pub fn idle(&self, model: &Model) -> Vec<String> {
        let is_known =
            |handler: &str| plan::commands_by_code(model).any(|(_, name)| is_named(&name, handler));
        let idle = self.all.keys().filter(|name| !is_known(name));
        idle.map(|name| name.to_string()).collect()
    }

    fn of(&self, command: &str) -> Option<&Arc<dyn Handler>> {
        self.all.get(command).or_else(|| {
            let (_, bare) = command.rsplit_once('.')?;
            self.all.get(bare)
        })
    }
}

/// Whether a handler's name is that of a command, which has its service before it.
fn is_named(command: &str, handler: &str) -> bool {
    command == handler || command.rsplit_once('.').is_some_and(|(_, bare)| bare == handler)
}

struct Typed<A, R, F> {
    handler: F,
    types: PhantomData<fn(A) -> R>,
}

impl<A, R, F> fmt::Debug for Typed<A, R, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("handler")
    }
}

impl<A, R, F> Handler for Typed<A, R, F>
where
    A: DeserializeOwned + 'static,
    R: Serialize + 'static,
    F: AsyncFn(A, &mut Transaction<'_>) -> Result<R, Fault> + Send + Sync + 'static,
{
    fn handle<'t, 'x: 't>(
        &'t self,
        arguments: &'t [u8],
        transaction: &'t mut Transaction<'x>,
    ) -> Waiting<'t, Vec<u8>> {
        Box::pin(async move {
            let arguments = serde_json::from_slice(arguments);
            let arguments =
                arguments.map_err(|error| Fault::Internal(format!("arguments: {error}")))?;
            let answer = (self.handler)(arguments, transaction).await?;
            serde_json::to_vec(&answer).map_err(|error| Fault::Internal(format!("answer: {error}")))
        })
    }
}

/// Who asked, and what is called for it.
#[derive(Debug)]
struct Calling {
    plan: Arc<Plan>,
    handlers: Arc<Handlers>,
    caller: Option<Caller>,
    now: i64,
}

impl Handlers {
    /// Gives a write what its code is done by.
    pub(crate) fn attach(
        self: &Arc<Self>,
        write: &mut Write,
        loaded: &Loaded,
        caller: Option<&Caller>,
    ) {
        let Write::Command(command) = write else { return };
        if command.program.coded {
            command.code = Some(Arc::new(Calling {
                plan: Arc::clone(&loaded.plan),
                handlers: Arc::clone(self),
                caller: caller.cloned(),
                now: command.now,
            }));
        }
    }
}

impl Code for Calling {
    fn call<'t>(
        &'t self,
        program: &'t Program,
        command: usize,
        arguments: &'t [Value],
        transaction: &'t mut (dyn operation::Transaction + 't),
    ) -> Waiting<'t, Option<Value>> {
        Box::pin(async move {
            let mut named = plan::commands_by_code(self.plan.model());
            let name =
                named.find(|(at, _)| *at == command).map(|(_, name)| name).unwrap_or_default();
            let handler = self.handlers.of(&name);
            let handler =
                handler.ok_or_else(|| Fault::Internal(format!("no code does `{name}`")))?;
            let coding =
                Coding { plan: &self.plan, program, caller: self.caller.as_ref(), now: self.now };
            let arguments = coding.arguments(command, arguments);
            let mut transaction = Transaction { coding, open: transaction };
            // One request ends when its code panics, not the thread that serves others.
            let handled = AssertUnwindSafe(handler.handle(&arguments, &mut transaction));
            let panicked = |_| Err(Fault::Internal(format!("the code of `{name}` panicked")));
            let answer = handled.catch_unwind().await.unwrap_or_else(panicked)?;
            coding.answer(command, &operation::parse_json(&answer).map_err(Fault::Internal)?)
        })
    }
}

/// The open transaction of a command, for the code that does it.
///
/// Entities, events, commands and errors are named as in the model, with their service where two have one name. Rows are
/// read and written as in the command language: whole or by field, with the defaults, bounds, flows and checks of the model,
/// and without regard to policies, since who may call the command was decided before. Nothing is stored unless the command
/// ends without a fault. A transaction that loses a race is run anew, so code keeps its hands off the world outside, and waits
/// for nothing but the transaction.
///
/// Every method answers [`Fault::Internal`] for a name that the model does not have, and [`Fault::Invalid`] for a value that
/// does not fit its type.
pub struct Transaction<'t> {
    coding: Coding<'t>,
    open: &'t mut (dyn operation::Transaction + 't),
}

impl fmt::Debug for Transaction<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transaction")
            .field("command", &self.coding.program.name)
            .finish_non_exhaustive()
    }
}

impl Transaction<'_> {
    /// A row by its key, with all its fields; of a part by `(key of the root, own key)`.
    ///
    /// # Errors
    /// Those of all, and of the store.
    pub async fn get<T: DeserializeOwned>(
        &mut self,
        entity: &str,
        key: impl Serialize,
    ) -> Result<Option<T>, Fault> {
        let entity = self.coding.entity(entity)?;
        let place = self.coding.place(entity)?;
        let found = match self.row_of(entity, &json(&key)?).await {
            Ok(found) => found,
            Err(Fault::NotFound) => return Ok(None),
            Err(fault) => return Err(fault),
        };
        let row = match (place.part, found) {
            (Some(_), (_, row)) => row,
            (None, (key, _)) => self.open.row(place, &key).await?,
        };
        row.map(|row| self.typed(entity, &row)).transpose()
    }

    /// The rows whose fields have these values (`()`: all), in the order of their keys; 10,000 at most.
    ///
    /// # Errors
    /// Those of all, and of the store; [`Fault::Invalid`] where there are more.
    pub async fn list<T: DeserializeOwned>(
        &mut self,
        entity: &str,
        fields: impl Serialize,
    ) -> Result<Vec<T>, Fault> {
        let entity = self.coding.entity(entity)?;
        let place = self.coding.place(entity)?;
        if place.part.is_some() {
            return Err(Fault::Internal("parts are read by what they are parts of".to_owned()));
        }
        let condition = self.coding.filter(entity, &tree(&json(&fields)?)?)?;
        let mut rows = Vec::new();
        for key in self.open.find(place, &condition).await? {
            if let Some(row) = self.open.row(place, &key).await? {
                rows.push(self.typed(entity, &row)?);
            }
        }
        Ok(rows)
    }

    /// The parts of a row, in their order: `parts("Line", order)`.
    ///
    /// # Errors
    /// Those of all, and of the store.
    pub async fn parts<T: DeserializeOwned>(
        &mut self,
        part: &str,
        root: impl Serialize,
    ) -> Result<Vec<T>, Fault> {
        let part = self.coding.entity(part)?;
        let Some(of) = self.coding.plan.model().part_of(part) else {
            return Err(Fault::Internal("this is a part of nothing".to_owned()));
        };
        let place = self.coding.place(part)?;
        let root = self.coding.key(of.root, &tree(&json(&root)?)?)?.pop().unwrap_or_default();
        let parts = self.open.parts(place, &root).await?;
        parts.iter().map(|(_, row)| self.typed(part, row)).collect()
    }

    /// Makes a row; its key. A part is given its root under that one's name: `{ "order": …, "product": … }`, and answers its
    /// own key.
    ///
    /// # Errors
    /// Those of all, and of the rules of the model.
    pub async fn create<K: DeserializeOwned>(
        &mut self,
        entity: &str,
        fields: impl Serialize,
    ) -> Result<K, Fault> {
        let entity = self.coding.entity(entity)?;
        let place = self.coding.place(entity)?;
        let body = json(&fields)?;
        let coded = self.coding.create(entity, &tree(&body)?, self.open.binds())?;
        let mut key = self.carry_out(coded).await?.unwrap_or_default();
        if place.part.is_some() {
            let part = self.coding.plan.model().part_of(entity);
            let name = part.map(|of| model::snake_case(&self.coding.plan.model()[of.root].name));
            let root = match tree(&body)? {
                Tree::Object(members) => members
                    .into_iter()
                    .find(|(known, _)| name.as_deref() == Some(known))
                    .map(|(_, tree)| tree),
                _ => None,
            };
            let (Some(of), Some(root)) = (part, root) else { return Err(gone()) };
            let root = self.coding.key(of.root, &root)?.pop().unwrap_or_default();
            let parts = self.open.parts(place, &root).await?;
            let row = parts.into_iter().find(|(number, _)| *number == key).map(|(_, row)| row);
            key = row.and_then(|row| self.own_key(entity, &row)).ok_or_else(gone)?;
        }
        read(&self.coding.key_json(entity, &key))
    }

    /// Changes fields of a row.
    ///
    /// # Errors
    /// Those of all, and of the rules of the model; [`Fault::Invalid`] where there is no such row, [`Fault::NotFound`] where no
    /// row can have this key.
    pub async fn update(
        &mut self,
        entity: &str,
        key: impl Serialize,
        fields: impl Serialize,
    ) -> Result<(), Fault> {
        let entity = self.coding.entity(entity)?;
        let (key, _) = self.row_of(entity, &json(&key)?).await?;
        let body = json(&fields)?;
        let coded = self.coding.update(entity, key, &tree(&body)?, self.open.binds())?;
        self.carry_out(coded).await.map(drop)
    }

    /// Deletes a row, with its parts.
    ///
    /// # Errors
    /// Those of all, and of the rules of the model; [`Fault::Invalid`] where there is no such row, [`Fault::NotFound`] where no
    /// row can have this key.
    pub async fn delete(&mut self, entity: &str, key: impl Serialize) -> Result<(), Fault> {
        let entity = self.coding.entity(entity)?;
        let (key, _) = self.row_of(entity, &json(&key)?).await?;
        let coded = self.coding.delete(entity, key, self.open.binds())?;
        self.carry_out(coded).await.map(drop)
    }

    /// Publishes an event with this transaction.
    ///
    /// # Errors
    /// Those of all.
    pub async fn emit(&mut self, event: &str, members: impl Serialize) -> Result<(), Fault> {
        let coded = self.coding.emit(event, &tree(&json(&members)?)?, self.open.binds())?;
        self.carry_out(coded).await.map(drop)
    }

    /// Runs another command in this transaction; what it answers, of a row the key.
    ///
    /// # Errors
    /// Those of all, and of the command.
    pub async fn run<T: DeserializeOwned>(
        &mut self,
        command: &str,
        arguments: impl Serialize,
    ) -> Result<T, Fault> {
        let arguments = json(&arguments)?;
        let coded = self.coding.run(command, &tree(&arguments)?, false, self.open.binds())?;
        let returned = self.carry_out(coded).await?.unwrap_or_default();
        read(&self.coding.returned(command, &returned))
    }

    /// Runs another command after this transaction, in one of its own, with retries.
    ///
    /// # Errors
    /// Those of all.
    pub async fn run_later(
        &mut self,
        command: &str,
        arguments: impl Serialize,
    ) -> Result<(), Fault> {
        let arguments = json(&arguments)?;
        let coded = self.coding.run(command, &tree(&arguments)?, true, self.open.binds())?;
        self.carry_out(coded).await.map(drop)
    }

    /// The fault that answers an error of the model: `return Err(transaction.refuse("OutOfStock", …))`.
    pub fn refuse(&self, error: &str, members: impl Serialize) -> Fault {
        let made = json(&members).and_then(|body| Ok(self.coding.refusal(error, &tree(&body)?)));
        made.unwrap_or_else(|fault| fault)
    }

    /// The subject of the caller's token; for a role whose callers are rows, the key. None: the system, or nobody known.
    pub fn subject(&self) -> Option<&str> {
        self.coding.caller.and_then(|caller| caller.subject.as_deref())
    }

    /// Whether the caller has a role.
    pub fn has_role(&self, role: &str) -> bool {
        let model = self.coding.plan.model();
        let mut roles = (0..model.roles.len()).map(|at| model::RoleId(at as u32));
        match (roles.find(|id| model[*id].name == role), self.coding.caller) {
            (Some(id), Some(caller)) => caller.roles.has(id),
            (Some(id), None) => id == model::RoleId::SYSTEM,
            (None, _) => false,
        }
    }

    /// The moment of the request, in microseconds since 1970-01-01T00:00:00Z.
    pub fn now(&self) -> i64 {
        self.coding.now
    }

    async fn carry_out(&mut self, coded: Coded) -> Result<Option<Value>, Fault> {
        let Coded { steps, binds } = coded;
        self.open.carry_out(&steps, binds).await
    }

    /// What stands for a row in steps; of a part its values besides.
    async fn row_of(
        &mut self,
        entity: EntityId,
        key: &[u8],
    ) -> Result<(Value, Option<Vec<Value>>), Fault> {
        let mut keys = self.coding.key(entity, &tree(key)?)?.into_iter();
        match (keys.next(), keys.next()) {
            (Some(root), Some(own)) => {
                let place = self.coding.place(entity)?;
                let parts = self.open.parts(place, &root).await?;
                let is_it = |row: &[Value]| self.own_key(entity, row).as_ref() == Some(&own);
                let found = parts.into_iter().find(|(_, row)| is_it(row));
                found.map(|(number, row)| (number, Some(row))).ok_or(Fault::NotFound)
            }
            (Some(key), None) => Ok((key, None)),
            (None, _) => Err(Fault::NotFound),
        }
    }

    fn own_key(&self, entity: EntityId, row: &[Value]) -> Option<Value> {
        row.get(self.coding.plan.schema().table(entity).own_key()).cloned()
    }

    fn typed<T: DeserializeOwned>(&self, entity: EntityId, row: &[Value]) -> Result<T, Fault> {
        read(&self.coding.json(entity, row))
    }
}

fn json(value: &impl Serialize) -> Result<Vec<u8>, Fault> {
    let json = serde_json::to_vec(value);
    let mut json = json.map_err(|error| Fault::Internal(format!("this is no JSON: {error}")))?;
    if json == b"null" {
        json = b"{}".to_vec();
    }
    Ok(json)
}

fn tree(json: &[u8]) -> Result<Tree<'_>, Fault> {
    operation::parse_json(json).map_err(Fault::Internal)
}

fn read<T: DeserializeOwned>(json: &[u8]) -> Result<T, Fault> {
    serde_json::from_slice(json)
        .map_err(|error| Fault::Internal(format!("code wants another type: {error}")))
}

fn gone() -> Fault {
    Fault::Internal("a part that was made is not there".to_owned())
}

//! The plan: a model, its tables, and what was compiled of them so far.

use std::sync::Arc;

use model::{CommandId, EntityId, FieldId, Model, QueryId, Valid};
use operation::{Expression, Fault, Guard, Read, Scalar, Target, Value};
use quick_cache::sync::Cache;
use regex::Regex;
use rustc_hash::FxHashMap;
use schema::Schema;
use smallvec::SmallVec;

use crate::command::{CommandTemplate, Job};
use crate::condition::{BindSource, Binder, World, align};
use crate::{Caller, CursorKey, Roles};

/// How many compiled statements are kept: shapes that callers made up are many, those that are used are few.
const COMPILED: usize = 4_096;
/// The largest compiled regular expression, in bytes.
const PATTERN_SIZE: usize = 1 << 20;

/// A model in executable form. Shared by all requests; what it compiles on the way it keeps.
#[derive(Debug)]
pub struct Plan {
    pub(crate) model: Arc<Valid<Model>>,
    pub(crate) schema: Arc<Schema>,
    pub(crate) patterns: FxHashMap<FieldId, Regex>,
    /// Values of fields that are left out, and where their binds come from.
    pub(crate) defaults: FxHashMap<FieldId, (Expression, Vec<BindSource>)>,
    compiled: Cache<Key, Compiled>,
    /// Whether what is published goes to a broker, too.
    pub(crate) to_broker: bool,
}

/// What a compiled statement was compiled for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    pub(crate) what: What,
    pub(crate) roles: Roles,
    /// What else it depends on: shape, filters, sort, touched fields.
    pub(crate) detail: Detail,
}

/// What a statement depends on beside what it is about. Texts carry their length and numbers are as long as each other, so that no
/// two are written alike.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(crate) struct Detail(SmallVec<[u8; 64]>);

impl Detail {
    pub(crate) fn number(&mut self, number: u32) {
        self.0.extend_from_slice(&number.to_le_bytes());
    }

    /// A text of a caller, or none.
    pub(crate) fn text(&mut self, text: Option<&str>) {
        // No address is as long as that.
        let length =
            text.map_or(u32::MAX, |text| u32::try_from(text.len()).unwrap_or(u32::MAX - 1));
        self.number(length);
        self.0.extend_from_slice(text.unwrap_or_default().as_bytes());
    }

    /// Flags, with their count.
    pub(crate) fn flags(&mut self, flags: impl ExactSizeIterator<Item = bool>) {
        self.number(flags.len() as u32);
        self.0.extend(flags.map(u8::from));
    }
}

/// The kinds of statements.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum What {
    Row(EntityId),
    List(EntityId),
    Parts(EntityId),
    Query(QueryId),
    Target(EntityId),
    Create(EntityId),
    Edit(EntityId),
    EditPart(EntityId),
    Delete(EntityId),
    Command(CommandId),
    Subscription(usize),
    Job(usize),
}

/// A compiled statement.
#[derive(Debug, Clone)]
pub(crate) enum Compiled {
    Read(Arc<ReadTemplate>),
    Target(Arc<TargetTemplate>),
    Write(Arc<WriteTemplate>),
    Command(Arc<CommandTemplate>),
    Job(Arc<Job>),
}

/// A read and where its binds come from.
#[derive(Debug)]
pub(crate) struct ReadTemplate {
    pub(crate) read: Arc<Read>,
    pub(crate) sources: Vec<BindSource>,
    pub(crate) composite: bool,
    /// For a query: who may ask, where that can be decided before the store is asked.
    pub(crate) admission: Option<Expression>,
}

/// What is written, and the binds its expressions use.
#[derive(Debug)]
pub(crate) struct TargetTemplate {
    pub(crate) target: Arc<Target>,
    pub(crate) binder: Binder,
}

/// A write and where its binds come from.
#[derive(Debug)]
pub(crate) struct WriteTemplate {
    pub(crate) target: Arc<Target>,
    pub(crate) guard: Guard,
    pub(crate) guard_after: Guard,
    /// Absent for a deletion.
    pub(crate) answer: Option<Arc<Read>>,
    pub(crate) sources: Vec<BindSource>,
    pub(crate) composite: bool,
}

/// Compiles a model. Statements are compiled when they are first asked for.
#[must_use]
pub fn compile(model: Arc<Valid<Model>>, schema: Arc<Schema>) -> Plan {
    let patterns = model
        .fields
        .iter()
        .enumerate()
        .filter_map(|(at, field)| {
            let pattern = field.pattern.as_deref()?;
            // The model has compiled it before; anchored, since a pattern speaks of the whole text.
            let regex = regex::RegexBuilder::new(&format!(r"\A(?:{pattern})\z"))
                .size_limit(PATTERN_SIZE)
                .build()
                .ok()?;
            Some((FieldId(u32::try_from(at).ok()?), regex))
        })
        .collect();
    let defaults = defaults(World { model: &model, schema: &schema });
    Plan { model, schema, patterns, defaults, compiled: Cache::new(COMPILED), to_broker: false }
}

fn defaults(world: World<'_>) -> FxHashMap<FieldId, (Expression, Vec<BindSource>)> {
    let fields = world.model.fields.iter().enumerate();
    let lowered = fields.filter_map(|(at, field)| {
        let Some(model::Default::Expression(expression)) = &field.default else { return None };
        let mut binder = Binder::default();
        let lowered = world.lower(expression, &[], &mut binder);
        let lowered = align(lowered, &expression.ty, &field.ty);
        Some((FieldId(u32::try_from(at).ok()?), (lowered, binder.sources)))
    });
    lowered.collect()
}

impl Plan {
    /// The model it was compiled from.
    pub fn model(&self) -> &Valid<Model> {
        &self.model
    }

    /// The same, with what is published going to a broker, too.
    #[must_use]
    pub fn with_broker(self) -> Self {
        Self { to_broker: true, compiled: Cache::new(COMPILED), ..self }
    }

    /// The tables it works on.
    pub fn schema(&self) -> &Schema {
        &self.schema
    }

    /// The cursor behind a page whose last row has these order values.
    pub fn cursor(&self, key: &CursorKey, values: &[Value]) -> String {
        key.encode(values)
    }

    pub(crate) fn world(&self) -> World<'_> {
        World { model: &self.model, schema: &self.schema }
    }

    /// What is kept under `key`, or what `compile` makes of it. Faults are not kept.
    pub(crate) fn keep(
        &self,
        key: Key,
        compile: impl FnOnce() -> Result<Compiled, Fault>,
    ) -> Result<Compiled, Fault> {
        if let Some(compiled) = self.compiled.get(&key) {
            return Ok(compiled);
        }
        let compiled = compile()?;
        self.compiled.insert(key, compiled.clone());
        Ok(compiled)
    }

    pub(crate) fn keep_read(
        &self,
        key: Key,
        compile: impl FnOnce() -> Result<ReadTemplate, Fault>,
    ) -> Result<Arc<ReadTemplate>, Fault> {
        match self.keep(key, || compile().map(|read| Compiled::Read(Arc::new(read))))? {
            Compiled::Read(read) => Ok(read),
            _ => Err(mixed_up()),
        }
    }

    pub(crate) fn keep_write(
        &self,
        key: Key,
        compile: impl FnOnce() -> Result<WriteTemplate, Fault>,
    ) -> Result<Arc<WriteTemplate>, Fault> {
        match self.keep(key, || compile().map(|write| Compiled::Write(Arc::new(write))))? {
            Compiled::Write(write) => Ok(write),
            _ => Err(mixed_up()),
        }
    }

    /// How a key of an entity's rows is stored.
    pub(crate) fn key_scalar(&self, entity: EntityId) -> Scalar {
        self.model.scalar(&self.model[self.model[entity].key].ty).unwrap_or(Scalar::Text)
    }

    /// A key from a path. One that cannot be a key names no row.
    pub(crate) fn key(&self, entity: EntityId, text: &str) -> Result<Value, Fault> {
        self.key_scalar(entity).parse(text).map_err(|_| Fault::NotFound)
    }
}

/// Cannot happen: a key's `what` says what is kept under it.
pub(crate) fn mixed_up() -> Fault {
    Fault::Internal("a compiled statement of another kind stood under this key".into())
}

/// The values of a request that binds draw on.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Request<'a> {
    pub(crate) caller: Option<&'a Caller>,
    pub(crate) now: i64,
    pub(crate) parameters: &'a [Value],
    pub(crate) filters: &'a [Value],
    pub(crate) cursor: &'a [Value],
    pub(crate) limit: i64,
    pub(crate) root: Option<&'a Value>,
}

impl Request<'_> {
    /// The binds of a template, with room for `more`.
    pub(crate) fn binds(&self, sources: &[BindSource], more: usize) -> Vec<Value> {
        let mut binds = Vec::with_capacity(sources.len() + more);
        binds.extend(sources.iter().map(|source| {
            match source {
                BindSource::Caller(scalar) => self
                    .caller
                    .and_then(|caller| caller.subject.as_deref())
                    .filter(|subject| *scalar != Scalar::Int || is_one_spelling(subject))
                    .and_then(|subject| scalar.parse(subject).ok())
                    .unwrap_or(Value::Null),
                BindSource::Now => Value::Int(self.now),
                BindSource::Parameter(at) => self.parameters.get(*at).cloned().unwrap_or_default(),
                BindSource::Filter(at) => self.filters.get(*at).cloned().unwrap_or_default(),
                BindSource::Cursor(at) => self.cursor.get(*at).cloned().unwrap_or_default(),
                BindSource::Limit => Value::Int(self.limit),
                BindSource::Root => self.root.cloned().unwrap_or_default(),
                BindSource::Local(_) => Value::Null,
            }
        }));
        binds
    }
}

/// Whether a subject is the one spelling of a number, if it is a number: `7` and `07` are two subjects to whoever
/// gave them out, and must not be one row here.
fn is_one_spelling(subject: &str) -> bool {
    let digits = subject.strip_prefix('-').unwrap_or(subject);
    let number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    !number || subject == "0" || !digits.starts_with('0')
}

/// The answer to a caller whom no grant reaches: 401 for a stranger, who may come back with a token.
pub(crate) fn refuse(caller: &Caller, what: &str) -> Fault {
    if caller.authenticated {
        Fault::Forbidden(format!("your roles do not allow you to {what}"))
    } else {
        Fault::Unauthenticated(format!("a token is needed to {what}"))
    }
}

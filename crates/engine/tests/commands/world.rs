//! A model that is served, and the words in which scenes speak to it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use engine::identity::Verifier;
use engine::{Engine, Loaded, Outcome};
use model::{Model, Valid};
use operation::{
    Dialect, Expression, Fault, Form, Obstacle, Operation, Place, Program, ProgramTarget, Receipt,
    Source, Step, Table, Target, Write,
};
use plan::{Caller, Intent, Roles, Shape};
use store::{Options, Rows, Store};
use testbed::Pooler;

/// Connections of a pooler: fewer than ask at once.
const POOLED: u32 = 3;

/// On which database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum On {
    Sqlite,
    Postgres,
    /// PostgreSQL behind PgBouncer in transaction mode: each transaction may meet another connection of the server.
    Pooled,
}

/// A model over a database of its own.
pub struct World {
    pub loaded: Arc<Loaded>,
    pub store: Store,
    pub engine: Arc<Engine>,
    pub runtime: tokio::runtime::Runtime,
    /// Counted keys in the order in which they were told: databases leave different gaps.
    counted: parking_lot::Mutex<Vec<String>>,
    /// Whether code does some of its commands.
    pub coded: bool,
    /// Whether commands that are run are run over loaded rows, also those whose rows could change by themselves.
    pub loads: bool,
    /// Whether each command that is asked for is asked for under a key, and once more if it was done.
    pub keeps: bool,
    /// How many keys there were.
    keys: AtomicU32,
    /// Whether all rows are made known before a command is run, so that it is worked out before its turn (SQLite).
    pub known: bool,
    /// Of a PostgreSQL database.
    pub url: Option<String>,
    folder: Option<tempfile::TempDir>,
    _pooler: Option<Pooler>,
}

/// The model of a scene, and what is asked of it.
pub fn in_two(scene: &str) -> (&str, &str) {
    scene.split_once("\n---\n").unwrap_or_else(|| panic!("a scene without `---`"))
}

impl World {
    pub fn new(on: On, text: &str) -> Self {
        Self::with(on, text, Options::default())
    }

    /// The same on other terms.
    pub fn with(on: On, text: &str, options: Options) -> Self {
        match on {
            On::Sqlite => {
                let folder = tempfile::tempdir().unwrap();
                let store = Store::open(&folder.path().join("scene.db"), options).unwrap();
                Self::made(store, Some(folder), None, text)
            }
            On::Postgres => Self::at(&testbed::postgres().database(), text, options),
            On::Pooled => {
                let server = testbed::postgres();
                let pooler = Pooler::before(server, POOLED);
                let port = |port: u16| format!(":{port}/");
                let url = server.database().replace(&port(server.port()), &port(pooler.port()));
                let world = Self::at(&format!("{url}?pgbouncer=true"), text, options);
                Self { _pooler: Some(pooler), ..world }
            }
        }
    }

    /// The same in a new PostgreSQL database, by its address.
    pub fn at(url: &str, text: &str, options: Options) -> Self {
        Self::made(Store::connect(url, options).unwrap(), None, Some(url.to_owned()), text)
    }

    fn made(
        store: Store,
        folder: Option<tempfile::TempDir>,
        url: Option<String>,
        text: &str,
    ) -> Self {
        let parse = syntax::parse(syntax::FileId(0), text.to_owned());
        let (model, mut found) = model::check(&[&parse]);
        found.extend(parse.diagnostics.iter().cloned());
        let faults: Vec<String> = found
            .iter()
            .filter(|d| d.severity == syntax::Severity::Error)
            .map(|d| format!("{}: {}", d.code, d.message))
            .collect();
        let model: Valid<Model> =
            Valid::new(model, &found).unwrap_or_else(|| panic!("{faults:#?}"));
        let schema = schema::derive(&model, store.dialect());
        let ddl = match store.dialect() {
            Dialect::Sqlite => schema::ddl::sqlite(&schema),
            Dialect::Postgres => schema::ddl::postgres(&schema),
        };
        store.execute_schema(&ddl).unwrap();
        let loaded = Loaded::new(Arc::new(model), Arc::new(schema));
        Self { url, folder, ..Self::over(store, loaded) }
    }

    /// The file of the SQLite database.
    pub fn file(&self) -> std::path::PathBuf {
        self.folder.as_ref().unwrap().path().join("scene.db")
    }

    /// Another process, as it were, that serves the same PostgreSQL database.
    pub fn beside(&self) -> Self {
        self.with_tables(self.loaded.schema.clone())
    }

    /// The same, over these tables of it.
    pub fn with_tables(&self, schema: Arc<schema::Schema>) -> Self {
        let url = self.url.clone().unwrap();
        let store = Store::connect(&url, Options::default()).unwrap();
        let loaded = Loaded::new(self.loaded.model.clone(), schema);
        Self { url: Some(url), ..Self::over(store, loaded) }
    }

    fn over(store: Store, loaded: Loaded) -> Self {
        let engine = Arc::new(Engine::new(store.clone(), loaded, Verifier::new(Vec::new())));
        let loaded = engine.loaded();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        let counted = Default::default();
        let (coded, loads, known, keeps, keys) = (false, false, false, false, AtomicU32::new(0));
        let (url, folder, _pooler) = (None, None, None);
        Self {
            loaded,
            store,
            engine,
            runtime,
            counted,
            coded,
            loads,
            keeps,
            keys,
            known,
            url,
            folder,
            _pooler,
        }
    }

    pub fn caller(&self, text: &str) -> Caller {
        let (role, subject) = match text.split_once(':') {
            Some((role, subject)) => (role, Some(subject)),
            None => (text, None),
        };
        if role == "anyone" {
            return Caller::anonymous();
        }
        let at = self.loaded.model.roles.iter().position(|known| known.name == role);
        let role =
            model::RoleId(u32::try_from(at.unwrap_or_else(|| panic!("no role {role}"))).unwrap());
        Caller {
            roles: Roles::NONE.with(role),
            subject: subject.map(Into::into),
            authenticated: true,
        }
    }

    /// Asks in the words of a scene.
    pub fn ask(&self, ask: &str) -> String {
        if ask == "work" {
            let count = self.runtime.block_on(self.engine.work_off()).unwrap();
            return format!("{count} tasks");
        }
        if ask == "wait" {
            std::thread::sleep(std::time::Duration::from_millis(1_200));
            return String::new();
        }
        let mut words = ask.splitn(4, ' ');
        let mut word = || words.next().unwrap_or("");
        let (verb, caller, name, rest) = (word(), word(), word(), word());
        let caller = self.caller(caller);
        let (name, rest) = (&*self.with_keys(name), &*self.with_keys(rest));
        let told = match verb {
            "run" if self.keeps => self.run_under_key(&caller, name, rest),
            "run" => self.run(&caller, name, rest, None),
            "add" => {
                let entity = self.entity(name);
                let body = operation::parse_json(rest.as_bytes()).unwrap();
                let shape = Shape::default();
                self.write(&Intent::Create { entity, body, shape }, &caller, None)
            }
            "change" => {
                let (key, body) = rest.split_once(' ').unwrap();
                let (body, shape) =
                    (operation::parse_json(body.as_bytes()).unwrap(), Shape::default());
                let (entity, expected) = (self.entity(name), None);
                self.write(&Intent::Patch { entity, key, body, expected, shape }, &caller, None)
            }
            "remove" => {
                let intent =
                    Intent::Delete { entity: self.entity(name), key: rest, expected: None };
                self.write(&intent, &caller, None)
            }
            "read" => {
                let (key, include) =
                    rest.split_once(' ').map_or((rest, None), |(k, i)| (k, Some(i)));
                let shape = Shape { include, fields: None };
                let intent = Intent::Read { entity: self.entity(name), key, shape };
                self.read(&intent, &caller)
            }
            _ => panic!("no such verb: {verb}"),
        };
        match told {
            Ok(text) => self.without_gaps(&text),
            Err(fault) => self.told(&fault),
        }
    }

    /// `@2` is the second of the counted keys that were told.
    fn with_keys(&self, text: &str) -> String {
        let counted = self.counted.lock();
        let keys = counted.iter().enumerate().rev();
        keys.fold(text.to_owned(), |text, (at, key)| text.replace(&format!("@{}", at + 1), key))
    }

    /// An answer with its counted keys told by their order: that of a row that begins with its own, and what refers to such.
    pub fn without_gaps(&self, text: &str) -> String {
        let own = text.starts_with(r#"{"number":"#).then_some(r#"{"number":"#);
        let members = [r#""ticket":"#, r#""before":"#, r#""latest":"#];
        own.into_iter().chain(members).fold(text.to_owned(), |text, member| {
            let Some((before, rest)) = text.split_once(member) else { return text };
            let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
            if end == 0 {
                return text;
            }
            let (key, rest) = rest.split_at(end);
            let mut counted = self.counted.lock();
            let at = counted.iter().position(|known| known == key).unwrap_or_else(|| {
                counted.push(key.to_owned());
                counted.len() - 1
            });
            format!("{before}{member}@{}{rest}", at + 1)
        })
    }

    fn entity(&self, name: &str) -> model::EntityId {
        let model = &self.loaded.model;
        let is_called = |id: &model::EntityId| match name.split_once('.') {
            Some((service, name)) => {
                let entity = &model[*id];
                entity.name == name && model.services[entity.service.index()].name == service
            }
            None => model[*id].name == name,
        };
        model.entity_ids().find(is_called).unwrap_or_else(|| panic!("no {name}"))
    }

    /// Runs a command under a key of its own; what was done is asked for once more, and answered alike.
    fn run_under_key(&self, caller: &Caller, name: &str, body: &str) -> Result<String, Fault> {
        let number = self.keys.fetch_add(1, Ordering::Relaxed).to_be_bytes();
        let mut key = [0; 32];
        key[..4].copy_from_slice(&number);
        let receipt = Receipt { key, request: key, now: now() };
        let told = self.run(caller, name, body, Some(receipt))?;
        assert_eq!(
            self.run(caller, name, body, Some(receipt)).as_ref(),
            Ok(&told),
            "{name} {body}"
        );
        Ok(told)
    }

    /// Runs a command, whose name may be followed by the key of its row.
    pub fn run(
        &self,
        caller: &Caller,
        name: &str,
        body: &str,
        receipt: Option<Receipt>,
    ) -> Result<String, Fault> {
        let (name, key) =
            name.split_once('/').map_or((name, None), |(name, key)| (name, Some(key)));
        let commands = &self.loaded.model.commands;
        let at = commands.iter().position(|command| command.name == name);
        let at = at.unwrap_or_else(|| panic!("no command {name}"));
        let command = model::CommandId(u32::try_from(at).unwrap());
        let body = (!body.is_empty()).then(|| operation::parse_json(body.as_bytes()).unwrap());
        self.write(&Intent::Command { command, key, body }, caller, receipt)
    }

    /// The program of a command.
    pub fn program(&self, caller: &Caller, name: &str, body: &str) -> Arc<Program> {
        let commands = &self.loaded.model.commands;
        let at = commands.iter().position(|command| command.name == name).unwrap();
        let command = model::CommandId(u32::try_from(at).unwrap());
        let body = Some(operation::parse_json(body.as_bytes()).unwrap());
        let intent = Intent::Command { command, key: None, body };
        let lowered = self.loaded.plan.lower(&intent, caller, NOW).unwrap();
        let Operation::Write(write) = lowered.operation else { panic!("no write") };
        let Write::Command(command) = *write else { panic!("no command") };
        command.program
    }

    fn write(
        &self,
        intent: &Intent<'_>,
        caller: &Caller,
        receipt: Option<Receipt>,
    ) -> Result<String, Fault> {
        let receipt = receipt.map(Box::new);
        if self.coded && matches!(intent, Intent::Command { .. }) {
            let run = self.engine.run(&self.loaded, intent, caller, receipt);
            let Outcome::Done { json, .. } = self.runtime.block_on(run)? else {
                panic!("no command")
            };
            return Ok(
                json.map_or("done".to_owned(), |json| String::from_utf8(json.to_vec()).unwrap())
            );
        }
        let loads = self.loads && matches!(intent, Intent::Command { .. });
        // Of a plan of its own, so that nobody else has its program.
        let own = || {
            let (model, schema) = (self.loaded.model.clone(), self.loaded.schema.clone());
            Loaded::new(model, schema).plan.lower(intent, caller, NOW)
        };
        let lowered = if loads { own()? } else { self.loaded.plan.lower(intent, caller, NOW)? };
        if let (true, Operation::Write(write)) = (self.known, &lowered.operation)
            && matches!(**write, Write::Command(_))
            && let Operation::Write(write) = own()?.operation
        {
            self.look_at_all_rows(write);
        }
        let Operation::Write(mut write) = lowered.operation else { panic!("no write") };
        if let (true, Write::Command(command)) = (loads, &mut *write) {
            Arc::get_mut(&mut command.program).unwrap().direct = Err(Obstacle::UNFORMED);
        }
        let written = self.runtime.block_on(self.store.write(write, receipt))?;
        Ok(match written.json {
            Some(json) => String::from_utf8(json.to_vec()).unwrap(),
            None => "done".to_owned(),
        })
    }

    /// Runs a command that looks at all rows and does nothing, made of another.
    fn look_at_all_rows(&self, mut write: Box<Write>) {
        let Write::Command(command) = &mut *write else { panic!("no command") };
        let program = Arc::get_mut(&mut command.program).unwrap();
        let Some(of) = program.targets.first().map(|target| target.target.clone()) else { return };
        let tables = &self.loaded.schema.tables;
        let tables = tables.iter().filter(|table| table.root.is_none() && table.key.len() == 1);
        let target = |table: &Arc<Table>| ProgramTarget {
            target: Arc::new(Target {
                table: table.clone(),
                computed: Vec::new(),
                checks: Vec::new(),
                parts: Vec::new(),
                ..(*of).clone()
            }),
            computed: Vec::new(),
            checks: Vec::new(),
            changes: false,
            deletes: false,
            reached: Vec::new(),
            along: Vec::new(),
        };
        program.targets = tables.map(target).collect();
        let each = |target| {
            let row = Place { target, part: None };
            let source = Source::Rows { row, condition: Expression::yes() };
            Step::For { source, bind: usize::MAX, members: Vec::new(), body: Vec::new() }
        };
        program.body = (0..program.targets.len()).map(each).collect();
        program.waits = true;
        program.admission = Expression::yes();
        program.answer = Form::Nothing;
        command.named = Vec::new();
        self.runtime.block_on(self.store.write(write, None)).unwrap();
    }

    fn read(&self, intent: &Intent<'_>, caller: &Caller) -> Result<String, Fault> {
        let lowered = self.loaded.plan.lower(intent, caller, NOW)?;
        let Operation::Read { read, binds } = lowered.operation else { panic!("no read") };
        match self.runtime.block_on(self.store.read(&read, &binds))? {
            Rows::One(Some(row)) => {
                Ok(format!("{} version {}", String::from_utf8_lossy(&row.json), row.version))
            }
            Rows::One(None) => Err(Fault::NotFound),
            Rows::Page { .. } => panic!("no page was asked for"),
        }
    }

    pub fn told(&self, fault: &Fault) -> String {
        match fault {
            Fault::Invalid(found) | Fault::Conflict(found) => {
                let kind = if matches!(fault, Fault::Invalid(_)) { "invalid" } else { "conflict" };
                let each = found.iter().map(|violation| {
                    format!(
                        "{kind} {} at {:?}: {}",
                        violation.code.as_str(),
                        violation.pointer,
                        violation.detail
                    )
                });
                each.collect::<Vec<_>>().join("\n")
            }
            Fault::Raised { error, members } => {
                let error = &self.loaded.model.errors[*error];
                format!("raised {} {members:?}", error.name)
            }
            other => other.to_string(),
        }
    }
}

/// The moment of all that scenes ask: they tell it.
pub const NOW: i64 = 1_790_000_000_000_000;

pub fn now() -> i64 {
    i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_micros()).unwrap()
}

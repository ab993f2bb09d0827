//! A server of its own for a test, and a client that sends exactly what it is told.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use engine::identity::{Key, Verifier, mint};
use engine::{Engine, Loaded};
use model::Valid;
use operation::{Accept, Chore, Dialect, Exchange, Settled, Unreadable};
use serve::http::{Origins, Settings};
use store::{Options, Store};

const MODEL: &str = include_str!("../shop.mimar");
const SECRET: &[u8] = b"0123456789abcdef0123456789abcdef";

/// A customer's key.
pub const ADA: &str = "00000000-0000-7000-8000-000000000001";

fn usual() -> Settings {
    Settings {
        origins: Origins::Listed(vec!["https://shop.example".to_owned()]),
        drain_time: Duration::from_secs(2),
        ..Settings::default()
    }
}

/// A running server.
pub struct Server {
    pub address: SocketAddr,
    /// Where its database is, over PostgreSQL.
    pub url: Option<String>,
    engine: Arc<Engine>,
    store: Store,
    stop: Option<tokio::sync::oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
    _folder: tempfile::TempDir,
}

impl Server {
    /// A server with an empty database.
    pub fn start() -> Self {
        Self::on(Dialect::Sqlite, usual())
    }

    /// The same over PostgreSQL.
    pub fn on_postgres() -> Self {
        Self::on(Dialect::Postgres, usual())
    }

    /// The same over SQLite, with other settings.
    pub fn with(settings: Settings) -> Self {
        Self::on(Dialect::Sqlite, settings)
    }

    fn on(dialect: Dialect, settings: Settings) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let parse = syntax::parse(syntax::FileId(0), MODEL.to_owned());
        assert!(parse.diagnostics.is_empty(), "{:?}", parse.diagnostics);
        let (model, diagnostics) = model::check(&[&parse]);
        let model = Valid::new(model, &diagnostics).unwrap_or_else(|| panic!("{diagnostics:?}"));
        let schema = schema::derive(&model, dialect);
        let options = Options::default();
        let mut url = None;
        let (store, ddl) = match dialect {
            Dialect::Sqlite => {
                let store = Store::open(&folder.path().join("shop.db"), options).unwrap();
                (store, schema::ddl::sqlite(&schema))
            }
            Dialect::Postgres => {
                let database = url.insert(testbed::postgres().database());
                let store = Store::connect(database, options).unwrap();
                (store, schema::ddl::postgres(&schema))
            }
        };
        store.execute_schema(&ddl).unwrap();
        let loaded = Loaded::new(Arc::new(model), Arc::new(schema));
        let verifier = Verifier::new(vec![Key::secret(SECRET).unwrap()]);
        let engine = Arc::new(Engine::new(store.clone(), loaded, verifier));
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let (told, address) = std::sync::mpsc::channel();
        let served = Arc::clone(&engine);
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .worker_threads(2)
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async move {
                let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
                told.send(listener.local_addr().unwrap()).unwrap();
                let stopped = async {
                    let _ = stopped.await;
                };
                serve::http::serve(listener, served, settings, stopped).await.unwrap();
            });
        });
        let address = address.recv().unwrap();
        let (stop, thread) = (Some(stop), Some(thread));
        Self { address, url, engine, store, stop, thread, _folder: folder }
    }

    /// One server for many requests.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Server> = OnceLock::new();
        SHARED.get_or_init(Self::start)
    }

    /// The header of a caller.
    pub fn bearer(&self, role: &str, subject: &str) -> String {
        let model = &self.engine.loaded().model;
        let token = mint(model, SECRET, role, Some(subject), Duration::from_secs(600)).unwrap();
        format!("Authorization: Bearer {token}")
    }

    /// What somebody signs with who sends to a webhook.
    pub fn sender(&self, webhook: &str) -> engine::webhook::Secret {
        let secret = engine::webhook::Secret::fresh().unwrap();
        let hook = operation::Hook::Add {
            webhook: webhook.into(),
            url: format!("/hooks/{webhook}").into(),
            secret: secret.reveal().into(),
            now: 0,
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(self.engine.chore(Chore::Hook(hook))).unwrap();
        secret
    }

    /// How many tasks wait.
    pub fn waiting(&self) -> u64 {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(self.store.queue(0)).unwrap().waiting
    }

    /// The numbers of the tasks that were given up and hear this event.
    pub fn dead_of(&self, event: &str) -> Vec<i64> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let filter =
            store::ParkedFilter { names: vec![event.to_owned()], limit: 100, ..Default::default() };
        let parked = runtime.block_on(self.store.parked(&filter)).unwrap();
        parked.iter().map(|parked| parked.number).collect()
    }

    /// Gives up every task that would do this and is due, as if it had failed too often.
    pub fn give_up(&self, target: &str, error: &str) {
        // Each taking is later than the one before, so that it has again what that one left.
        static LATER: AtomicI64 = AtomicI64::new(i64::MAX / 2);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let chore = |chore| runtime.block_on(self.engine.chore(chore)).unwrap();
        let mut at = 0;
        loop {
            let now = LATER.fetch_add(2, Ordering::Relaxed);
            let taken = chore(Chore::Take { now, until: now + 1, most: 100 }).unwrap_or_default();
            let mut taken: Vec<operation::Task> = serde_json::from_slice(&taken).unwrap();
            taken.retain(|task| task.target == target);
            if taken.is_empty() {
                break;
            }
            for task in taken {
                let settled = Settled { number: task.number, until: task.until };
                // Two at each moment.
                let due = 1_700_000_000_000_000 + at / 2 * 1_000_000;
                chore(Chore::Fail { task: settled, due, parked: true, error: error.into() });
                at += 1;
            }
        }
    }

    /// Forgets all events, as if they were old.
    pub fn forget_events(&self) {
        self.chore(Chore::Forget { before: i64::MAX, after: 0 });
    }

    /// Puts aside what came over a broker and could not be read.
    pub fn cannot_read(&self, target: &str, content: &str, reason: &str) {
        let (target, content, reason) = (target.into(), content.into(), reason.into());
        let unreadable = vec![Unreadable { target, content, reason }];
        let accept = Accept { now: 1_800_000_000_000_000, unreadable, ..Accept::default() };
        self.chore(Chore::Exchange(Exchange::Accept(Box::new(accept))));
    }

    fn chore(&self, chore: Chore) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(self.engine.chore(chore)).unwrap();
    }

    /// Sends bytes and reads until the server closes.
    pub fn raw(&self, bytes: &[u8]) -> Vec<u8> {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        // A server that refuses early closes while we still write: what it said counts.
        let _ = stream.write_all(bytes);
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        answer
    }

    /// Asks, and reads the answer.
    pub fn ask(&self, method: &str, target: &str, headers: &[String], body: &[u8]) -> Answer {
        let mut request =
            format!("{method} {target} HTTP/1.1\r\nHost: shop.test\r\nConnection: close\r\n");
        for header in headers {
            request.push_str(header);
            request.push_str("\r\n");
        }
        if !body.is_empty() || matches!(method, "POST" | "PUT" | "PATCH") {
            request.push_str(&format!("Content-Length: {}\r\n", body.len()));
        }
        request.push_str("\r\n");
        let mut bytes = request.into_bytes();
        bytes.extend_from_slice(body);
        Answer::read(&self.raw(&bytes))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        self.engine.close();
    }
}

/// An answer.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Answer {
    /// A header, by its name in small letters.
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }

    fn read(bytes: &[u8]) -> Self {
        let bytes = bytes.strip_prefix(b"HTTP/1.1 100 Continue\r\n\r\n").unwrap_or(bytes);
        let end = bytes
            .windows(4)
            .position(|w| w == b"\r\n\r\n")
            .unwrap_or_else(|| panic!("no answer: {:?}", String::from_utf8_lossy(bytes)));
        let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
        let mut lines = head.lines();
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let headers = lines
            .map(|line| {
                let (name, value) = line.split_once(':').unwrap();
                (name.to_ascii_lowercase(), value.trim().to_owned())
            })
            .collect();
        Self { status, headers, body: bytes[end + 4..].to_vec() }
    }

    pub fn all(&self, name: &str) -> Vec<&str> {
        self.headers.iter().filter(|(n, _)| n == name).map(|(_, value)| value.as_str()).collect()
    }

    pub fn one(&self, name: &str) -> &str {
        self.all(name).first().copied().unwrap_or_default()
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

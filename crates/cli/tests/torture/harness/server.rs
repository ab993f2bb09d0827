//! A server of one's own.

use std::cell::Cell;
use std::env;
use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use super::{Answer, Client, Request, SECRET};

/// How long a server may take to come up; it takes milliseconds where nothing is wrong.
const PATIENCE: Duration = Duration::from_secs(30);

/// The binary under test.
pub(crate) fn binary() -> PathBuf {
    env::var_os("MIMAR_BINARY").map_or_else(|| env!("CARGO_BIN_EXE_mimar").into(), PathBuf::from)
}

/// A folder of the examples.
pub(crate) fn example(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples").join(name)
}

/// Runs the binary to its end.
#[track_caller]
fn run<'a>(arguments: impl IntoIterator<Item = &'a str>) -> Output {
    let output = Command::new(binary())
        .args(arguments)
        .env("MIMAR_JWT_SECRET", SECRET)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    output
}

/// Which database the projects of this thread keep their rows in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum On {
    Sqlite,
    Postgres,
}

thread_local! {
    static ON: Cell<On> = const { Cell::new(On::Sqlite) };
}

/// Runs a test on both databases, one after the other.
pub(crate) fn both(test: impl Fn()) {
    for on in [On::Sqlite, On::Postgres] {
        ON.set(on);
        eprintln!("on {on:?}");
        test();
    }
    ON.set(On::Sqlite);
}

/// A model and a database in a folder that goes away.
#[derive(Debug)]
pub(crate) struct Project {
    scratch: TempDir,
    pub(crate) model: PathBuf,
    /// A file, or the address of a PostgreSQL database.
    pub(crate) database: String,
}

impl Project {
    /// A model of its own.
    pub(crate) fn of(text: &str) -> Self {
        let scratch = tempfile::tempdir().unwrap();
        let model = scratch.path().join("project");
        fs::create_dir(&model).unwrap();
        fs::write(model.join("model.mimar"), text).unwrap();
        let database = match ON.get() {
            On::Sqlite => scratch.path().join("data.db").to_str().unwrap().to_owned(),
            On::Postgres => testbed::postgres().database(),
        };
        Self { scratch, model, database }
    }

    /// A model of its own over a PostgreSQL database of its own.
    pub(crate) fn on_postgres(text: &str) -> Self {
        let before = ON.replace(On::Postgres);
        let project = Self::of(text);
        ON.set(before);
        project
    }

    /// Another model over the same database.
    pub(crate) fn beside(&self, text: &str) -> Self {
        let mut project = Self::of(text);
        project.database.clone_from(&self.database);
        project
    }

    /// The ledger.
    pub(crate) fn ledger() -> Self {
        Self::of(include_str!("../ledger.mimar"))
    }

    /// An example's model, with a database of its own.
    pub(crate) fn example(name: &str) -> Self {
        let text = fs::read_to_string(example(name).join(format!("{name}.mimar"))).unwrap();
        Self::of(&text)
    }

    /// Whether the rows are in a file.
    pub(crate) fn is_file(&self) -> bool {
        !self.database.starts_with("postgres://")
    }

    /// Loads the files of a folder into the database.
    #[track_caller]
    pub(crate) fn load(&self, folder: &Path) {
        let [folder, project] = [folder, &self.model].map(|path| path.to_str().unwrap());
        let database = &*self.database;
        run(["data", "load", folder, "--project", project, "--database", database]);
    }

    /// Dumps the database into a folder that is new.
    #[track_caller]
    pub(crate) fn dump(&self, folder: &Path, format: &str) {
        let [folder, project] = [folder, &self.model].map(|path| path.to_str().unwrap());
        let database = &*self.database;
        run([
            "data",
            "dump",
            folder,
            "--format",
            format,
            "--project",
            project,
            "--database",
            database,
        ]);
    }

    /// A place for files of the test.
    pub(crate) fn scratch(&self, name: &str) -> PathBuf {
        self.scratch.path().join(name)
    }

    /// Serves it.
    pub(crate) fn serve(&self) -> Server {
        self.start(|command, listen| {
            command.arg("serve").arg(&self.model).args(["--listen", listen]);
            command.arg("--database").arg(&self.database);
        })
    }

    /// Serves it with tokens of the secret in a file.
    pub(crate) fn serve_with_secret_file(&self, secret: &Path) -> Server {
        self.start(|command, listen| {
            command.arg("serve").arg(&self.model).args(["--listen", listen]);
            command.arg("--database").arg(&self.database);
            command.env_remove("MIMAR_JWT_SECRET").env("MIMAR_JWT_SECRET_FILE", secret);
        })
    }

    /// Serves it as `dev` does.
    pub(crate) fn dev(&self) -> Server {
        self.start(|command, listen| {
            command.arg("dev").arg(&self.model).args(["--listen", listen]);
        })
    }

    fn start(&self, arguments: impl Fn(&mut Command, &str)) -> Server {
        let log = self.scratch("server.log");
        let out = File::options().create(true).append(true).open(&log).unwrap();
        let before = out.metadata().unwrap().len() as usize;
        let mut command = Command::new(binary());
        command.env("MIMAR_JWT_SECRET", SECRET);
        // It takes a free port itself: one that is looked for here may be another test's by then.
        let address = SocketAddr::from(([127, 0, 0, 1], 0));
        arguments(&mut command, &address.to_string());
        let child = command
            .stdin(Stdio::null())
            .stdout(out.try_clone().unwrap())
            .stderr(out)
            .spawn()
            .unwrap();
        let mut server = Server { child, address, log };
        assert!(server.becomes_ready(before), "the server does not come up");
        server
    }
}

/// Where a server says that it listens, as `serve` says it and as `dev` does.
fn listens_on(log: &str) -> Option<SocketAddr> {
    let said = |line: &&str| line.contains(" listens on ") || line.contains("API page");
    let (_, place) = log.lines().find(said)?.split_once("http://")?;
    place.split_once([' ', '/'])?.0.parse().ok()
}

/// A running server. It is killed when it goes out of scope.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    pub(crate) address: SocketAddr,
    log: PathBuf,
}

impl Server {
    /// Waits for `/readyz` of the address that the log tells after its first `before` bytes; false if the
    /// process ended or took too long.
    fn becomes_ready(&mut self, before: usize) -> bool {
        let began = Instant::now();
        while began.elapsed() < PATIENCE && self.lives() {
            if let Some(address) = listens_on(&self.log()[before..]) {
                self.address = address;
                let answer =
                    Client::connect(address).and_then(|mut it| it.send(&Request::get("/readyz")));
                if answer.is_ok_and(|answer| answer.status == 200) {
                    return true;
                }
            }
            thread::sleep(Duration::from_millis(2));
        }
        false
    }

    pub(crate) fn client(&self) -> Client {
        Client::connect(self.address).unwrap()
    }

    /// One request on a connection of its own.
    #[track_caller]
    pub(crate) fn send(&self, request: &Request) -> Answer {
        self.client().send(request).unwrap_or_else(|error| panic!("{error}\n{}", self.log()))
    }

    /// Every row of a list, followed page by page.
    #[track_caller]
    pub(crate) fn all(&self, token: &str, target: &str) -> Vec<Value> {
        let mut client = self.client();
        let mut rows = Vec::new();
        let mut after = String::new();
        loop {
            let mark = if target.contains('?') { '&' } else { '?' };
            let target = format!("{target}{mark}limit=100{after}");
            let answer = client.send(&Request::get(target).token(token)).unwrap().expect(200);
            let mut page = answer.json();
            let Value::Array(data) = page["data"].take() else { panic!("no data: {answer}") };
            rows.extend(data);
            match page["next"].as_str() {
                Some(next) => after = format!("&after={next}"),
                None => return rows,
            }
        }
    }

    /// What the process is told by `kill -KILL`: nothing, it is gone.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// `SIGTERM`.
    pub(crate) fn terminate(&self) {
        self.signal("-TERM");
    }

    /// Sends the process a signal: `-STOP`.
    pub(crate) fn signal(&self, signal: &str) {
        let status = Command::new("kill").args([signal, &self.child.id().to_string()]).status();
        assert!(status.unwrap().success());
    }

    /// Waits for the process to end by itself.
    #[track_caller]
    pub(crate) fn wait(&mut self) -> ExitStatus {
        let began = Instant::now();
        while began.elapsed() < PATIENCE {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            thread::sleep(Duration::from_millis(5));
        }
        panic!("the server does not end:\n{}", self.log());
    }

    /// Whether the process lives.
    pub(crate) fn lives(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Resident memory in KiB, where the system tells.
    pub(crate) fn memory(&self) -> Option<u64> {
        self.status("VmRSS:")
    }

    /// The part of it that is the server's own and no page of a file, in KiB.
    pub(crate) fn own_memory(&self) -> Option<u64> {
        self.status("RssAnon:")
    }

    fn status(&self, name: &str) -> Option<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        line.trim().strip_suffix("kB")?.trim().parse().ok()
    }

    /// What it printed.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if thread::panicking() {
            eprintln!("the server printed:\n{}", self.log());
        }
    }
}

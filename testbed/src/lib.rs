//! Services that tests start for themselves: on a free port of the loopback, with their data in a temporary folder. They
//! end with the process that started them, however it ends.

#![expect(clippy::panic, reason = "a test without its service fails, and says why")]

mod dump;
mod nats;
mod pooler;
mod proxy;
mod rabbitmq;
mod redis;
mod service;
mod squawk;

use std::ffi::OsStr;
use std::hash::{BuildHasher, RandomState};
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

pub use dump::large_dump;
pub use nats::Nats;
pub use pooler::Pooler;
pub use proxy::{Proxy, Way};
pub use rabbitmq::RabbitMq;
pub use redis::Redis;
pub use squawk::lint_migration;

/// A PostgreSQL server.
#[derive(Debug)]
pub struct Postgres {
    /// Where its programs are.
    programs: PathBuf,
    /// Where its data and its socket are.
    folder: PathBuf,
    port: u16,
    databases: AtomicU32,
    /// The shell that ends the server when this process lets go of its input.
    _keeper: Child,
}

/// A session of [`Postgres::hold`].
#[derive(Debug)]
pub struct Held(Child);

impl Held {
    /// Ends it; what it had begun is taken back.
    pub fn release(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.release();
    }
}

/// The server of this process, started when it is first asked for.
pub fn postgres() -> &'static Postgres {
    static SERVER: OnceLock<Postgres> = OnceLock::new();
    SERVER.get_or_init(Postgres::start)
}

impl Postgres {
    /// Starts one more server.
    ///
    /// # Panics
    /// If there is no PostgreSQL, or it does not start.
    pub fn start() -> Self {
        Self::start_with(None, FAST)
    }

    /// Starts one that keeps what it has committed and has the memory of a server in use: to be measured, not to be quick.
    ///
    /// # Panics
    /// As [`Postgres::start`].
    pub fn durable() -> Self {
        Self::start_with(None, DURABLE)
    }

    /// Starts one that speaks with clients over TCP only encrypted, with this certificate and key (PEM).
    ///
    /// # Panics
    /// As [`Postgres::start`].
    pub fn encrypted(certificate: &str, key: &str) -> Self {
        Self::start_with(Some((certificate, key)), FAST)
    }

    fn start_with(encrypted: Option<(&str, &str)>, given: &[&str]) -> Self {
        let programs = programs();
        let folder = tempfile::Builder::new().prefix("mimar-postgres-").tempdir();
        let folder = folder.unwrap_or_else(|error| panic!("no temporary folder: {error}")).keep();
        // A server refuses to run as root: it runs as the user that its package made.
        let user = is_root();
        if user {
            done(Command::new("chown").arg("postgres").arg(&folder));
        }
        let data = folder.join("data");
        let mut make = as_user(user, programs.join("initdb"));
        make.args(["--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C"]);
        done(make.arg("--no-sync").arg("--pgdata").arg(&data));
        let mut settings: Vec<&str> = given.iter().flat_map(|given| ["-c", *given]).collect();
        if let Some((certificate, key)) = encrypted {
            let files = [
                ("server.crt", certificate),
                ("server.key", key),
                ("pg_hba.conf", "local all all trust\nhostssl all all 127.0.0.1/32 trust\n"),
            ];
            for (name, text) in files {
                let file = data.join(name);
                if let Err(error) = std::fs::write(&file, text) {
                    panic!("{}: {error}", file.display());
                }
                done(Command::new("chmod").arg("600").arg(&file));
                if user {
                    done(Command::new("chown").arg("postgres").arg(&file));
                }
            }
            settings.extend(["-c", "ssl=on"]);
        }
        Self::run(programs, folder, &settings)
    }

    /// Starts a replica of it, which streams its log and answers reads (a hot standby).
    ///
    /// # Panics
    /// If it cannot be copied, or does not start.
    pub fn replica(&self) -> Self {
        let folder = tempfile::Builder::new().prefix("mimar-postgres-").tempdir();
        let folder = folder.unwrap_or_else(|error| panic!("no temporary folder: {error}")).keep();
        let user = is_root();
        if user {
            done(Command::new("chown").arg("postgres").arg(&folder));
        }
        let mut copy = as_user(user, self.programs.join("pg_basebackup"));
        copy.args(["--username=postgres", "--host=127.0.0.1", "--port", &self.port.to_string()]);
        copy.args(["--write-recovery-conf", "--checkpoint=fast", "--no-sync", "--pgdata"]);
        done(copy.arg(folder.join("data")));
        let settings: Vec<&str> = FAST.iter().flat_map(|given| ["-c", *given]).collect();
        Self::run(self.programs.clone(), folder, &settings)
    }

    /// Runs a server over the data of a folder.
    fn run(programs: PathBuf, folder: PathBuf, settings: &[&str]) -> Self {
        let (port, user, data) = (free_port(), is_root(), folder.join("data"));
        // The shell waits for the end of its input, which comes when this process ends.
        let keeper = Command::new("sh")
            .args(["-c", KEEP, "sh"])
            .arg(&folder)
            .args(if user { SETPRIV } else { &[] })
            .arg(programs.join("postgres"))
            .arg("-D")
            .arg(&data)
            .args(["-p", &port.to_string(), "-h", "127.0.0.1", "-k"])
            .arg(&folder)
            .args(["-c", "max_connections=300", "-c", "log_min_messages=warning"])
            .args(settings)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("PostgreSQL does not start: {error}"));
        let server = Self { programs, folder, port, databases: AtomicU32::new(0), _keeper: keeper };
        server.wait();
        server
    }

    fn wait(&self) {
        let began = Instant::now();
        let mut ready = Command::new(self.programs.join("pg_isready"));
        ready.args(["-q", "-h", "127.0.0.1", "-p", &self.port.to_string()]);
        while !ready.status().is_ok_and(|status| status.success()) {
            if began.elapsed() > Duration::from_secs(60) {
                let log = std::fs::read_to_string(self.folder.join("log")).unwrap_or_default();
                panic!("PostgreSQL is not ready after a minute\n{log}");
            }
            pause();
        }
    }

    /// A new, empty database; its address.
    ///
    /// # Panics
    /// If it cannot be made.
    pub fn database(&self) -> String {
        let name = format!("test_{}", self.databases.fetch_add(1, Ordering::Relaxed));
        self.psql("postgres", &format!("CREATE DATABASE {name}"));
        format!("postgres://postgres@127.0.0.1:{}/{name}", self.port)
    }

    /// A new database that holds what another holds, to which nobody may be connected; its address.
    ///
    /// # Panics
    /// If it cannot be made.
    pub fn database_like(&self, url: &str) -> String {
        let template = url.rsplit('/').next().unwrap_or(url);
        let name = format!("test_{}", self.databases.fetch_add(1, Ordering::Relaxed));
        self.psql("postgres", &format!("CREATE DATABASE {name} TEMPLATE {template}"));
        format!("postgres://postgres@127.0.0.1:{}/{name}", self.port)
    }

    /// Executes SQL in a database by name; what it prints, without decoration.
    ///
    /// # Panics
    /// If it fails.
    pub fn psql(&self, database: &str, sql: &str) -> String {
        let mut command = Command::new(self.programs.join("psql"));
        command.args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-U", "postgres"]);
        command.args(["-h", "127.0.0.1", "-p", &self.port.to_string(), "-d", database, "-c", sql]);
        done(&mut command)
    }

    /// A session that has executed some SQL and stays as it is, with its locks, until it is released or dropped.
    ///
    /// # Panics
    /// If it cannot be had.
    pub fn hold(url: &str, sql: &str) -> Held {
        use std::io::{BufRead as _, BufReader, Write as _};
        let mut command = Command::new(programs().join("psql"));
        command.args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", url]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("psql: {error}"));
        let input = child.stdin.as_mut().unwrap_or_else(|| panic!("psql takes no input"));
        writeln!(input, "{sql}\n\\echo held").unwrap_or_else(|error| panic!("psql: {error}"));
        let output = child.stdout.take().unwrap_or_else(|| panic!("psql says nothing"));
        let mut lines = BufReader::new(output).lines().map_while(Result::ok);
        assert!(lines.any(|line| line == "held"), "psql did not do: {sql}");
        Held(child)
    }

    /// The address on this server of a database whose address on another is known.
    pub fn like(&self, url: &str) -> String {
        let name = url.rsplit('/').next().unwrap_or(url);
        format!("postgres://postgres@127.0.0.1:{}/{name}", self.port)
    }

    /// Ends it at once, as if it had crashed; its data stays.
    ///
    /// # Panics
    /// If it cannot be ended.
    pub fn kill(&self) {
        let mut command = as_user(is_root(), self.programs.join("pg_ctl"));
        command.args(["stop", "-m", "immediate", "-w", "-D"]).arg(self.folder.join("data"));
        done(&mut command);
    }

    /// Ends all connections and starts anew, as after a crash; also starts it where it was ended.
    ///
    /// # Panics
    /// If it does not come back.
    pub fn restart(&self) {
        let mut command = as_user(is_root(), self.programs.join("pg_ctl"));
        command.args(["restart", "-m", "immediate", "-w", "-D"]).arg(self.folder.join("data"));
        command.arg("-l").arg(self.folder.join("log-of-restarts"));
        done(&mut command);
        self.wait();
    }

    /// The port that it listens on.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its first process, the parent of those that serve connections.
    pub fn process(&self) -> Option<u32> {
        let noted = std::fs::read_to_string(self.folder.join("data/postmaster.pid")).ok()?;
        noted.lines().next()?.trim().parse().ok()
    }

    /// The address of a database by its socket.
    pub fn by_socket(&self, database: &str) -> String {
        let folder = self.folder.display().to_string().replace('/', "%2F");
        format!("postgres://postgres@{folder}:{}/{database}", self.port)
    }

    /// The folder of its socket.
    pub fn socket(&self) -> &Path {
        &self.folder
    }
}

/// Runs the server in the background until there is no more input, then ends it and removes its folder.
const KEEP: &str = "folder=$1; shift; \"$@\" </dev/null 2>\"$folder/log\" & server=$!; \
     read -r _; kill -INT $(head -1 \"$folder/data/postmaster.pid\"); wait $server; \
     while [ -e \"$folder/data/postmaster.pid\" ]; do sleep 0.1; done; rm -rf \"$folder\"";

/// What is lost with the machine may be lost.
const FAST: &[&str] = &["fsync=off", "full_page_writes=off", "shared_buffers=64MB"];

const DURABLE: &[&str] = &["shared_buffers=1GB", "max_wal_size=8GB", "checkpoint_timeout=30min"];

const SETPRIV: &[&str] = &["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"];

fn as_user(user: bool, program: impl AsRef<OsStr>) -> Command {
    if !user {
        return Command::new(program);
    }
    let mut command = Command::new(SETPRIV[0]);
    command.args(&SETPRIV[1..]).arg(program);
    command
}

fn is_root() -> bool {
    done(Command::new("id").arg("-u")).trim() == "0"
}

/// Where the newest PostgreSQL is: `MIMAR_POSTGRES` says, or Debian's folders are looked into, or the PATH.
fn programs() -> PathBuf {
    if let Some(folder) = std::env::var_os("MIMAR_POSTGRES") {
        return folder.into();
    }
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let newest = versions
        .filter_map(|version| version.file_name().to_str()?.parse::<u32>().ok())
        .filter(|version| {
            Path::new("/usr/lib/postgresql").join(version.to_string()).join("bin/initdb").exists()
        })
        .max();
    if let Some(version) = newest {
        return Path::new("/usr/lib/postgresql").join(version.to_string()).join("bin");
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).find(|folder| folder.join("initdb").exists());
    found.unwrap_or_else(|| {
        panic!(
            "there is no PostgreSQL; `cargo xtask test` installs it, or install it yourself (Debian: `sudo apt-get \
             install postgresql`), or name the folder of its programs in MIMAR_POSTGRES"
        )
    })
}

/// A program: `variable` says where, or the PATH, or where Debian puts those of administrators.
fn program(name: &str, package: &str, variable: &str) -> PathBuf {
    if let Some(program) = std::env::var_os(variable) {
        return program.into();
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain([PathBuf::from("/usr/sbin")]);
    let found = folders.map(|folder| folder.join(name)).find(|program| program.is_file());
    found.unwrap_or_else(|| {
        panic!(
            "there is no {name}; `cargo xtask test` installs it, or install it yourself (Debian: `sudo apt-get install \
             {package}`), or name the program in {variable}"
        )
    })
}

/// Writes a text to a file of a folder; its path.
fn kept(folder: &Path, name: &str, text: &str) -> String {
    let path = folder.join(name);
    if let Err(error) = std::fs::write(&path, text) {
        panic!("{}: {error}", path.display());
    }
    path.display().to_string()
}

fn pause() {
    std::thread::sleep(Duration::from_millis(20));
}

/// A port that nobody listens at, from below those that the system gives to whoever asks for any: none of
/// the tests' own servers and clients is given it before its server has started.
fn free_port() -> u16 {
    const PORTS: std::ops::Range<u16> = 20_000..32_000;
    for turn in 0..1000_u32 {
        let drawn = RandomState::new().hash_one(turn);
        let port = PORTS.start + (drawn % PORTS.len() as u64) as u16;
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return port;
        }
    }
    panic!("no free port from {} to {}", PORTS.start, PORTS.end);
}

/// The output of a command that must succeed.
fn done(command: &mut Command) -> String {
    let output = command.stdin(Stdio::null()).output();
    let output = output.unwrap_or_else(|error| panic!("{command:?} cannot run: {error}"));
    if !output.status.success() {
        panic!("{command:?} failed:\n{}", String::from_utf8_lossy(&output.stderr));
    }
    String::from_utf8_lossy(&output.stdout).into_owned()
}

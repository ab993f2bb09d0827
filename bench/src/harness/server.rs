//! A server under measurement: a child process of this one, with a database of its own and a free port.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::rc::Rc;
use std::time::{Duration, Instant};

use testbed::Postgres;

use super::SECRET;
use super::agree::{Client, Reply};
use crate::fault::{Doing as _, Fault};
use crate::load::request::Plain;

/// How long a server may take to its first answer.
const PATIENCE: Duration = Duration::from_secs(30);
/// Linux counts a process's CPU time in hundredths of a second (USER_HZ), whatever the kernel's own clock.
const TICK: Duration = Duration::from_millis(10);

/// How the report calls what is usually written.
pub const USUAL: &str = "axum + sqlx";

/// Which server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// The hand-written one.
    Baseline {
        /// How the report calls it.
        name: String,
        /// Requests that one commit carries at most.
        batch: usize,
    },
    /// The one written by hand on PostgreSQL.
    Pipelined {
        /// How the report calls it.
        name: String,
    },
    /// What is usually written on PostgreSQL.
    Usual,
    /// Mimar.
    Mimar {
        /// The binary `mimar`.
        binary: PathBuf,
        /// The broker that it speaks with, by its address.
        broker: Option<String>,
    },
}

impl Kind {
    /// How the report calls it.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Kind::Baseline { name, .. } | Kind::Pipelined { name } => name,
            Kind::Usual => USUAL,
            Kind::Mimar { .. } => "Mimar",
        }
    }
}

/// The database of a server under measurement, its own; it goes when this is dropped.
#[derive(Debug)]
pub enum Database {
    /// A file of SQLite.
    File(PathBuf),
    /// One of a PostgreSQL.
    Postgres {
        /// Where it is.
        server: Rc<Postgres>,
        /// Its name.
        name: String,
    },
}

impl Database {
    /// How it is named on a command line.
    fn argument(&self) -> OsString {
        match self {
            Database::File(path) => path.into(),
            Database::Postgres { server, name } => server.by_socket(name).into(),
        }
    }

    /// CPU time that processes beside the server's own have used for it.
    fn cpu(&self) -> Duration {
        let Database::Postgres { server, .. } = self else { return Duration::ZERO };
        let Some(parent) = server.process() else { return Duration::ZERO };
        // Sessions that have ended are counted by their parent: one that ends meanwhile is in neither, and it is looked once more.
        let mut spent = all_ticks(parent);
        for _ in 0..TRIES {
            let again = all_ticks(parent);
            if again.0 == spent.0 {
                break;
            }
            spent = again;
        }
        ticks(spent.1)
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        match self {
            Database::File(path) => remove_database(path),
            Database::Postgres { server, name } => {
                server.psql("postgres", &format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"));
            }
        }
    }
}

/// How often the processes of a database are looked at until none has ended meanwhile.
const TRIES: usize = 8;

/// The children of a process, and the ticks that it and all of them have used.
fn all_ticks(parent: u32) -> (Vec<u32>, u64) {
    let own = stat(parent).map_or(0, |stat| stat.own + stat.children);
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let processes = processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let sessions = processes.filter_map(|process| Some((process, stat(process)?)));
    let (mut children, mut sum) = (Vec::new(), own);
    for (process, stat) in sessions.filter(|(_, stat)| stat.parent == parent) {
        children.push(process);
        sum += stat.own;
    }
    children.sort_unstable();
    (children, sum)
}

/// What the system knows of a process.
struct Stat {
    parent: u32,
    /// Ticks of user and system time.
    own: u64,
    /// The same of its children that have ended.
    children: u64,
}

fn stat(process: u32) -> Option<Stat> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The name in parentheses may hold spaces; the parent is the 2nd field after it, times the 12th to the 15th.
    let fields: Vec<&str> = stat.rsplit_once(") ")?.1.split(' ').collect();
    let number = |at: usize| fields.get(at)?.parse::<u64>().ok();
    Some(Stat {
        parent: fields.get(1)?.parse().ok()?,
        own: number(11)? + number(12)?,
        children: number(13)? + number(14)?,
    })
}

fn ticks(count: u64) -> Duration {
    TICK * u32::try_from(count).unwrap_or(u32::MAX)
}

/// A running server; it is killed and its database removed when this is dropped.
#[derive(Debug)]
pub struct Server {
    /// How the report calls it.
    pub name: String,
    /// Where it listens.
    pub address: SocketAddr,
    child: Child,
    database: Database,
    log: PathBuf,
    /// Whether it has answered; the output of one that never did is kept, for it says why.
    answered: bool,
}

impl Server {
    /// Where its rows are, as a command line names it.
    #[must_use]
    pub fn place(&self) -> OsString {
        self.database.argument()
    }

    /// Starts a server and waits until `/readyz` answers 200.
    ///
    /// # Errors
    /// When it cannot be started or does not become ready.
    pub fn start(
        kind: &Kind,
        database: Database,
        model: &Path,
        log: &Path,
    ) -> Result<Server, Fault> {
        let ready = Plain {
            method: "GET",
            target: "/readyz".into(),
            token: String::new(),
            body: String::new(),
        };
        Ok(Server::start_until(kind, database, model, log, &ready)?.0)
    }

    /// Starts a server and waits until `request` is answered with 200; also tells how long that took.
    ///
    /// # Errors
    /// When it cannot be started or does not answer in time.
    pub fn start_until(
        kind: &Kind,
        database: Database,
        model: &Path,
        log: &Path,
        request: &Plain,
    ) -> Result<(Server, Duration), Fault> {
        // The port is given back before the server takes it; nobody else asks for ports in between but by
        // bad luck, and then the start fails and says so.
        let address = TcpListener::bind("127.0.0.1:0")
            .and_then(|listener| listener.local_addr())
            .doing("looking for a free port")?;
        let mut command = match kind {
            Kind::Baseline { batch, .. } => {
                let own = std::env::current_exe().doing("looking for this program's file")?;
                let mut command = Command::new(own);
                command.arg("baseline").arg("--batch").arg(batch.to_string());
                command
            }
            Kind::Pipelined { .. } | Kind::Usual => {
                let own = std::env::current_exe().doing("looking for this program's file")?;
                let mut command = Command::new(own);
                command.arg(if *kind == Kind::Usual { "usual" } else { "pipelined" });
                command
            }
            Kind::Mimar { binary, broker } => {
                let mut command = Command::new(binary);
                command.arg("serve").arg(model);
                if let Some(broker) = broker {
                    command.arg("--broker").arg(broker);
                }
                command
            }
        };
        command
            .arg("--listen")
            .arg(address.to_string())
            .arg("--database")
            .arg(database.argument())
            .env("MIMAR_JWT_SECRET", SECRET)
            // Partners of a measurement are on this machine.
            .env("MIMAR_WEBHOOKS_TO_PRIVATE", "true")
            .stdin(Stdio::null());
        log_to(&mut command, log)?;
        let started = Instant::now();
        let child = command.spawn().doing(format!("starting {}", kind.name()))?;
        let mut server = Server {
            name: kind.name().to_owned(),
            address,
            child,
            database,
            log: log.to_owned(),
            answered: false,
        };
        while started.elapsed() < PATIENCE {
            if let Ok(mut client) = Client::connect(address)
                && let Ok(Reply { status: 200, .. }) = client.send(request)
            {
                server.answered = true;
                return Ok((server, started.elapsed()));
            }
            if !matches!(server.child.try_wait(), Ok(None)) {
                break;
            }
            std::thread::sleep(Duration::from_micros(200));
        }
        Err(Fault::NotReady {
            server: server.name.clone(),
            seconds: PATIENCE.as_secs(),
            log: log.to_owned(),
        })
    }

    /// CPU time that the server has used, user and system, and its database with it.
    ///
    /// # Errors
    /// When the process has ended.
    pub fn cpu(&self) -> Result<Duration, Fault> {
        let gone = || std::io::Error::from(std::io::ErrorKind::NotFound);
        let stat = stat(self.child.id()).ok_or_else(gone).doing("looking at the server's time")?;
        Ok(ticks(stat.own) + self.database.cpu())
    }

    /// Resident bytes, and those of them that are the process's own rather than a file's.
    #[must_use]
    pub fn memory(&self) -> (u64, u64) {
        let status =
            fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap_or_default();
        let field = |name: &str| {
            status
                .lines()
                .find_map(|line| line.strip_prefix(name))
                .and_then(|rest| rest.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok())
                .map_or(0, |kilobytes| kilobytes * 1_024)
        };
        (field("VmRSS:"), field("RssAnon:"))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself; either way it is reaped and its copy of the data goes.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if self.answered {
            let _ = fs::remove_file(&self.log);
        }
    }
}

/// Loads the CSV files in `csv` into a new database with `mimar data load`.
///
/// # Errors
/// When the command fails.
pub fn load_mimar(
    binary: &Path,
    model: &Path,
    csv: &Path,
    database: impl AsRef<OsStr>,
    work: &Path,
) -> Result<(), Fault> {
    let log = work.join("mimar-load.log");
    let mut command = Command::new(binary);
    command.args(["data", "load"]).arg(csv).arg("--project").arg(model);
    command.arg("--database").arg(database.as_ref()).stdin(Stdio::null());
    log_to(&mut command, &log)?;
    let status = command.status().doing(format!("starting {}", binary.display()))?;
    if status.success() {
        return Ok(());
    }
    Err(Fault::Command { command: format!("{command:?}"), status, log })
}

/// Copies a database that no process has open, down to the disk: what is written later is not what a server that
/// flushes its own has to wait for.
///
/// # Errors
/// When it cannot be copied.
pub fn copy_database(from: &Path, to: &Path) -> Result<(), Fault> {
    remove_database(to);
    for suffix in ["", "-wal"] {
        let from = beside(from, suffix);
        if from.exists() {
            let to = beside(to, suffix);
            let copied = fs::copy(&from, &to).and_then(|_| File::open(&to)?.sync_all());
            copied.doing(format!("copying {}", from.display()))?;
        }
    }
    Ok(())
}

/// Removes a database with its log and index, as far as they exist.
pub fn remove_database(path: &Path) {
    for suffix in ["", "-wal", "-shm"] {
        let _ = fs::remove_file(beside(path, suffix));
    }
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    name.into()
}

fn log_to(command: &mut Command, log: &Path) -> Result<(), Fault> {
    let doing = || format!("writing {}", log.display());
    let out = File::create(log).doing(doing())?;
    let errors = out.try_clone().doing(doing())?;
    command.stdout(out).stderr(errors);
    Ok(())
}

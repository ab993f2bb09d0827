//! Tools that are no crates: those of Python and of Node.js in folders of their own, a browser from the system's packages.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::fault::Fault;
use crate::{place, step};

/// A program from PyPI. The version is one that the suite is known to hold against; a newer one may check more.
struct PythonTool {
    package: &'static str,
    program: &'static str,
    version: &'static str,
    /// Names a program to use instead.
    variable: &'static str,
}

const SCHEMATHESIS: PythonTool = PythonTool {
    package: "schemathesis",
    program: "schemathesis",
    version: "4.32.5",
    variable: "MIMAR_SCHEMATHESIS",
};

const SQUAWK: PythonTool = PythonTool {
    package: "squawk-cli",
    program: "squawk",
    version: "2.70.0",
    variable: "MIMAR_SQUAWK",
};

/// The official SDK of the Model Context Protocol: what runs is the Python of its environment.
const MCP: PythonTool = PythonTool {
    package: "mcp",
    program: "python",
    version: "2.3.0",
    variable: "MIMAR_MCP_PYTHON",
};

/// Libraries from npm with which those who made a standard read what we write: their names, and versions that are known to hold.
const NODE_LIBRARIES: [(&str, &str); 4] = [
    ("@asyncapi/parser", "3.6.6"),
    ("cloudevents", "10.0.0"),
    ("standardwebhooks", "1.1.1"),
    // Carries the schema of SARIF 2.1.0 and a validator that knows its draft.
    ("@microsoft/jest-sarif", "1.0.0-beta.0"),
];

/// Names that the browser goes by.
const BROWSERS: [&str; 3] = ["chromium", "chromium-browser", "google-chrome"];

/// The program `schemathesis`, installed into the cache if it is not there.
///
/// # Errors
/// [`Fault`] if there is no Python or the package cannot be had.
pub(crate) fn schemathesis() -> Result<PathBuf, Fault> {
    python_tool(&SCHEMATHESIS)
}

/// The program `squawk`, which lints migrations of PostgreSQL, installed into the cache if it is not there.
///
/// # Errors
/// [`Fault`] if there is no Python or the package cannot be had.
pub(crate) fn squawk() -> Result<PathBuf, Fault> {
    python_tool(&SQUAWK)
}

/// A Python that has the official SDK of the Model Context Protocol, installed into the cache if it is not there.
///
/// # Errors
/// [`Fault`] if there is no Python or the package cannot be had.
pub(crate) fn mcp() -> Result<PathBuf, Fault> {
    python_tool(&MCP)
}

fn python_tool(tool: &PythonTool) -> Result<PathBuf, Fault> {
    if let Some(path) = env::var_os(tool.variable) {
        return Ok(path.into());
    }
    let folder = place::cache().join(format!("{}-{}", tool.package, tool.version));
    let program = folder.join("bin").join(tool.program);
    let Some(complete) = begin(&folder)? else { return Ok(program) };
    let python = env::var_os("PYTHON").unwrap_or_else(|| "python3".into());
    // Debian's Python comes without what makes an environment.
    let is_whole = || runs(Command::new(&python).args(["-c", "import venv, ensurepip"]));
    if !is_whole() && runs(Command::new("apt-get").arg("--version")) && is_root() {
        step::run("install: package lists", apt().arg("update"))?;
        step::run(
            "install: Python",
            apt().args(["install", "-y", "--no-install-recommends", "python3", "python3-venv"]),
        )?;
    }
    if !is_whole() {
        return Err(Fault::Missing {
            what: "Python 3.10 or newer, with `venv`".into(),
            mend:
                "install it (Debian: `apt-get install python3 python3-venv`), or name it in PYTHON"
                    .into(),
        });
    }
    step::run(
        "install: a Python environment",
        Command::new(&python).args(["-m", "venv"]).arg(&folder),
    )?;
    step::run(
        &format!("install: {}", tool.package),
        Command::new(folder.join("bin").join("python"))
            .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"])
            .arg(format!("{}=={}", tool.package, tool.version)),
    )?;
    fs::write(&complete, tool.version).map_err(file(&complete))?;
    Ok(program)
}

/// A folder whose `node_modules` has the libraries that read what we publish and send, installed into the cache if it is not
/// there.
///
/// # Errors
/// [`Fault`] if there is no Node.js or a package cannot be had.
pub(crate) fn node_libraries() -> Result<PathBuf, Fault> {
    if let Some(path) = env::var_os("MIMAR_NODE_TOOLS") {
        return Ok(path.into());
    }
    let wanted = NODE_LIBRARIES.map(|(package, version)| format!("{package}@{version}"));
    let name = wanted.join("-").replace(['@', '/'], "-");
    let folder = place::cache().join(format!("node{name}"));
    let Some(complete) = begin(&folder)? else { return Ok(folder) };
    node()?;
    step::run(
        "install: libraries of AsyncAPI, CloudEvents, Standard Webhooks and SARIF",
        Command::new("npm")
            .args(["install", "--silent", "--no-audit", "--no-fund", "--ignore-scripts"])
            .arg("--prefix")
            .arg(&folder)
            .args(&wanted),
    )?;
    fs::write(&complete, wanted.join("\n")).map_err(file(&complete))?;
    Ok(folder)
}

/// Node.js and npm, installed from Debian's packages if they are not there.
fn node() -> Result<(), Fault> {
    let there =
        || ["node", "npm"].iter().all(|program| runs(Command::new(program).arg("--version")));
    if there() {
        return Ok(());
    }
    if !(runs(Command::new("apt-get").arg("--version")) && is_root()) {
        return Err(Fault::Missing {
            what: "Node.js 18 or newer and npm, for the checks of events, webhooks and reports".into(),
            mend: "install them (Debian: `sudo apt-get install nodejs npm`), or name a folder whose `node_modules` has \
                   the libraries in MIMAR_NODE_TOOLS"
                .into(),
        });
    }
    step::run("install: package lists", apt().arg("update"))?;
    step::run(
        "install: nodejs, npm",
        apt().args(["install", "-y", "--no-install-recommends", "nodejs", "npm"]),
    )?;
    if there() {
        return Ok(());
    }
    Err(Fault::Missing {
        what: "Node.js or npm".into(),
        mend: "their packages were installed, yet `node` or `npm` is not on the PATH".into(),
    })
}

/// Makes room for what is installed into a folder of the cache; `None` if it is there already. The mark that is answered is
/// written last: half an installation is none.
fn begin(folder: &Path) -> Result<Option<PathBuf>, Fault> {
    let complete = folder.join("complete");
    if complete.exists() {
        return Ok(None);
    }
    if folder.exists() {
        fs::remove_dir_all(folder).map_err(file(folder))?;
    }
    fs::create_dir_all(folder).map_err(file(folder))?;
    Ok(Some(complete))
}

fn file(path: &Path) -> impl FnOnce(std::io::Error) -> Fault {
    let path = path.to_path_buf();
    move |error| Fault::File { path, error }
}

/// The program `chromium`, installed from Debian's packages if it is not there.
///
/// # Errors
/// [`Fault::Missing`] with what to install where this may not do it.
pub(crate) fn chromium() -> Result<PathBuf, Fault> {
    if let Some(path) = env::var_os("MIMAR_CHROMIUM") {
        return Ok(path.into());
    }
    if let Some(path) = on_path() {
        return Ok(path);
    }
    if !(runs(Command::new("apt-get").arg("--version")) && is_root()) {
        return Err(Fault::Missing {
            what: "Chromium, for the check of the API page".into(),
            mend:
                "install it (Debian: `sudo apt-get install chromium`), or name it in MIMAR_CHROMIUM"
                    .into(),
        });
    }
    step::run("install: package lists", apt().arg("update"))?;
    step::run(
        "install: chromium",
        apt().args(["install", "-y", "--no-install-recommends", "chromium"]),
    )?;
    on_path().ok_or_else(|| Fault::Missing {
        what: "Chromium".into(),
        mend: "its package was installed, yet no program of its name is on the PATH".into(),
    })
}

/// PostgreSQL's server and PgBouncer, installed from Debian's packages if they are not there. Tests start servers of their own with it.
///
/// # Errors
/// [`Fault::Missing`] with what to install where this may not do it.
pub(crate) fn postgres() -> Result<(), Fault> {
    let there = (env::var_os("MIMAR_POSTGRES").is_some() || has_postgres()) && has_pgbouncer();
    if there {
        return Ok(());
    }
    if !(runs(Command::new("apt-get").arg("--version")) && is_root()) {
        return Err(Fault::Missing {
            what: "PostgreSQL 14 or newer and PgBouncer, for the tests of the store".into(),
            mend: "install them (Debian: `sudo apt-get install postgresql pgbouncer`), or name the folder of \
                   PostgreSQL's programs in MIMAR_POSTGRES"
                .into(),
        });
    }
    step::run("install: package lists", apt().arg("update"))?;
    step::run(
        "install: postgresql, pgbouncer",
        apt().args(["install", "-y", "--no-install-recommends", "postgresql", "pgbouncer"]),
    )?;
    if has_postgres() && has_pgbouncer() {
        return Ok(());
    }
    Err(Fault::Missing {
        what: "PostgreSQL or PgBouncer".into(),
        mend: "their packages were installed, yet `initdb` or `pgbouncer` is nowhere".into(),
    })
}

/// The brokers, by the programs and packages of Debian: installed if they are not there. Tests start servers of their own with them.
const BROKERS: [(&str, &str, &str); 3] = [
    ("nats-server", "nats-server", "MIMAR_NATS"),
    ("rabbitmq-server", "rabbitmq-server", "MIMAR_RABBITMQ"),
    ("redis-server", "redis-server", "MIMAR_REDIS"),
];

/// What builds the client of Kafka that tests hold ours against.
const BUILD: [(&str, &str, &str); 1] = [("make", "make", "MAKE")];

/// What sends the requests of the benchmark a second time.
const LOAD: [(&str, &str, &str); 1] = [("wrk", "wrk", "MIMAR_WRK")];

/// The brokers that tests start.
///
/// # Errors
/// [`Fault::Missing`] with what to install where this may not do it.
pub(crate) fn brokers() -> Result<(), Fault> {
    packages(&BROKERS, "the tests of brokers")
}

/// What builds need besides Rust and a C compiler.
///
/// # Errors
/// [`Fault::Missing`] with what to install where this may not do it.
pub(crate) fn build() -> Result<(), Fault> {
    packages(&BUILD, "the tests of Kafka")
}

/// The load generator of the benchmark.
///
/// # Errors
/// [`Fault::Missing`] with what to install where this may not do it.
pub(crate) fn load() -> Result<(), Fault> {
    packages(&LOAD, "the benchmark")
}

/// Programs with their packages, and the variables that name them elsewhere: installed if they are not there.
fn packages(programs: &[(&str, &str, &str)], purpose: &str) -> Result<(), Fault> {
    let missing = || {
        let absent = programs.iter().filter(|(program, _, variable)| {
            env::var_os(variable).is_none() && !has_administrators(program)
        });
        absent.map(|(_, package, _)| *package).collect::<Vec<_>>()
    };
    let wanted = missing();
    if wanted.is_empty() {
        return Ok(());
    }
    let names = wanted.join(" ");
    if !(runs(Command::new("apt-get").arg("--version")) && is_root()) {
        return Err(Fault::Missing {
            what: format!("{names}, for {purpose}"),
            mend: format!("install them (Debian: `sudo apt-get install {names}`)"),
        });
    }
    step::run("install: package lists", apt().arg("update"))?;
    let install = ["install", "-y", "--no-install-recommends"];
    step::run(&format!("install: {names}"), apt().args(install).args(&wanted))?;
    for package in &wanted {
        // Where the package has started a service of its own, on its own port, that is ended: tests start theirs.
        let _ = step::capture(Command::new("service").args([package, "stop"]));
    }
    match missing().as_slice() {
        [] => Ok(()),
        absent => Err(Fault::Missing {
            what: absent.join(", "),
            mend: "the packages were installed, yet their programs are nowhere".into(),
        }),
    }
}

fn has_postgres() -> bool {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let of_debian = versions.map(|version| version.path().join("bin"));
    let path = env::var_os("PATH").unwrap_or_default();
    let on_path: Vec<PathBuf> = env::split_paths(&path).collect();
    of_debian.chain(on_path).any(|folder| folder.join("initdb").is_file())
}

/// Debian puts it where only the administrator's PATH leads.
fn has_pgbouncer() -> bool {
    has_administrators("pgbouncer")
}

/// The same of any program.
fn has_administrators(program: &str) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    let folders = env::split_paths(&path).chain([PathBuf::from("/usr/sbin")]);
    folders.into_iter().any(|folder| folder.join(program).is_file())
}

fn apt() -> Command {
    let mut command = Command::new("apt-get");
    command.env("DEBIAN_FRONTEND", "noninteractive").arg("-qq");
    command
}

fn on_path() -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    let folders: Vec<PathBuf> = env::split_paths(&path).collect();
    BROWSERS
        .iter()
        .flat_map(|name| folders.iter().map(move |folder| folder.join(name)))
        .find(|candidate| candidate.is_file())
}

fn runs(command: &mut Command) -> bool {
    step::capture(command).is_ok_and(|done| done.success)
}

fn is_root() -> bool {
    step::capture(Command::new("id").arg("-u")).is_ok_and(|done| done.output.trim() == "0")
}

//! The run: data made once, servers started, their answers compared, then measured in turns.

pub mod agree;
pub mod report;
pub mod server;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::{Duration, UNIX_EPOCH};

use testbed::Postgres;

use crate::data::{self, Shop};
use crate::fault::{Doing as _, Fault};
use crate::load::request::{Requests, Row};
use crate::load::{self, By};
use server::{Database, Kind, Server};

/// The databases that can be measured on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum On {
    /// Embedded.
    #[default]
    Sqlite,
    /// A server that the run starts for itself.
    Postgres,
}

/// What is measured, and for how long.
#[derive(Debug, Clone)]
pub struct Options {
    /// The limit.
    pub limit: Kind,
    /// The servers beside it.
    pub rivals: Vec<Kind>,
    /// The rows, in the order of the report.
    pub rows: Vec<Row>,
    /// Numbers of connections.
    pub connections: Vec<usize>,
    /// Windows of each server for each row and number of connections; the median counts.
    pub rounds: usize,
    /// How long a window is.
    pub window: Duration,
    /// Who sends the requests, one after the other.
    pub by: Vec<By>,
    /// The shop that is served.
    pub shop: Shop,
    /// Where prepared data is kept between runs.
    pub folder: PathBuf,
    /// The model that Mimar serves.
    pub model: PathBuf,
}

/// The key that signs the tokens of a run; it protects nothing but made-up rows on the loopback.
pub const SECRET: &str = "a-key-for-the-benchmark-and-nothing-else";

/// How long caches are filled at least before the first window of a server.
const WARM: Duration = Duration::from_secs(2);

/// One window.
#[derive(Debug, Clone, Copy)]
pub struct Round {
    /// Answers per second.
    pub rate: f64,
    /// Milliseconds of the server's CPU (user and system) for 1,000 answers.
    pub cpu: f64,
    /// Microseconds that half of the requests stay below.
    pub p50: f64,
    /// Microseconds that 99 of 100 requests stay below.
    pub p99: f64,
}

/// The median of the rounds of one server under one load.
#[derive(Debug, Clone)]
pub struct Cell {
    /// The row of the table.
    pub row: Row,
    /// Connections.
    pub connections: usize,
    /// Who sent the requests.
    pub by: By,
    /// The server's name.
    pub server: String,
    /// Answers per second.
    pub rate: f64,
    /// Milliseconds of the server's CPU (user and system) for 1,000 answers.
    pub cpu: f64,
    /// Microseconds that half of the requests stay below.
    pub p50: f64,
    /// Microseconds that 99 of 100 requests stay below.
    pub p99: f64,
    /// The lowest and the highest rate of the rounds.
    pub range: (f64, f64),
    /// The rounds, as they were measured in turns with the other servers.
    pub rounds: Vec<Round>,
}

/// What was seen of a server that does nothing yet.
#[derive(Debug, Clone)]
pub struct Start {
    /// The server's name.
    pub server: String,
    /// From the start of the process to the first answered R1, median.
    pub first_answer: Duration,
    /// Resident bytes a second later, with the pages of files it has mapped.
    pub resident: u64,
    /// Resident bytes that are its own.
    pub anonymous: u64,
}

/// All that a run found.
#[derive(Debug, Clone, Default)]
pub struct Findings {
    /// On which database.
    pub on: On,
    /// The medians.
    pub cells: Vec<Cell>,
    /// Starts and idle memory.
    pub starts: Vec<Start>,
    /// How many answers were compared between the servers, or 0 when there was only one.
    pub compared: usize,
}

/// Prepares, verifies and measures; tells `say` how far it is.
///
/// # Errors
/// When data cannot be made, a server does not come up, the servers disagree, or a load fails.
pub fn run(options: &Options, say: &mut dyn FnMut(&str)) -> Result<Findings, Fault> {
    let prepared = prepare(options, say)?;
    let on = if prepared.postgres.is_some() { On::Postgres } else { On::Sqlite };
    let mut findings = Findings { on, ..Findings::default() };

    let mut kinds = vec![options.limit.clone()];
    kinds.extend(options.rivals.iter().cloned());

    for kind in &kinds {
        findings.starts.push(measure_start(options, &prepared, kind)?);
    }
    if kinds.len() > 1 {
        say("comparing the servers' answers");
        for rival in &kinds[1..] {
            // Each pair begins with the same rows: comparing writes some.
            let pair = [kinds[0].clone(), rival.clone()];
            let servers = start_all(options, &prepared, &pair)?;
            let mut requests = Requests::new(options.shop, SECRET.as_bytes(), 11, unique());
            findings.compared += agree::check(&servers[0], &servers[1], &mut requests)?;
        }
    }
    // The floor is measured in turns with R1, so that the two meet the same neighbours.
    let (floor, rows): (Vec<Row>, Vec<Row>) =
        options.rows.iter().partition(|&&row| row == Row::Bare);
    let mut groups: Vec<Vec<Row>> = rows.into_iter().map(|row| vec![row]).collect();
    match groups.iter_mut().find(|group| group[0] == Row::R1) {
        Some(group) => group.splice(0..0, floor).for_each(drop),
        None if floor.is_empty() => {}
        None => groups.insert(0, floor),
    }
    for group in &groups {
        let mut kinds = kinds.clone();
        if group.contains(&Row::W1) && prepared.postgres.is_none() {
            kinds.push(Kind::Baseline { name: "one commit per request".into(), batch: 1 });
        }
        measure_group(options, &prepared, group, &kinds, &mut findings, say)?;
    }
    Ok(findings)
}

/// Where the prepared data lies.
struct Prepared {
    csv: PathBuf,
    baseline: PathBuf,
    work: PathBuf,
    /// With the databases `by_hand` and `mimar`, where PostgreSQL is measured.
    postgres: Option<Rc<Postgres>>,
}

impl Prepared {
    /// A copy of a server's pristine database.
    fn copy(&self, kind: &Kind, name: &str) -> Result<Database, Fault> {
        let process = std::process::id();
        if let Some(server) = &self.postgres {
            let template = if matches!(kind, Kind::Mimar { .. }) { "mimar" } else { "by_hand" };
            let name = format!("run_{process}_{name}");
            server.psql("postgres", &format!("CREATE DATABASE {name} TEMPLATE {template}"));
            return Ok(Database::Postgres { server: Rc::clone(server), name });
        }
        let pristine = match kind {
            Kind::Mimar { binary, .. } => self.mimar(binary)?,
            _ => self.baseline.clone(),
        };
        let path = self.work.join(format!("run-{process}-{name}.db"));
        server::copy_database(&pristine, &path)?;
        Ok(Database::File(path))
    }

    /// Where a server writes what it has to say.
    fn log(&self, name: &str) -> PathBuf {
        self.work.join(format!("run-{}-{name}.log", std::process::id()))
    }

    /// Named after the binary's age and size: another build may lay its tables out otherwise.
    fn mimar(&self, binary: &Path) -> Result<PathBuf, Fault> {
        let facts = std::fs::metadata(binary).doing(format!("looking at {}", binary.display()))?;
        let age = facts
            .modified()
            .ok()
            .and_then(|time| time.duration_since(UNIX_EPOCH).ok())
            .map_or(0, |age| age.as_millis());
        Ok(self.work.join(format!("mimar-{age}-{}.db", facts.len())))
    }
}

fn prepare(options: &Options, say: &mut dyn FnMut(&str)) -> Result<Prepared, Fault> {
    let shop = options.shop;
    let name = format!("shop-{}-{}", data::VERSION, shop.orders);
    let work = options.folder.join(name);
    let prepared = Prepared {
        csv: work.join("csv"),
        baseline: work.join("baseline.db"),
        work: work.clone(),
        postgres: None,
    };
    std::fs::create_dir_all(&work).doing(format!("making {}", work.display()))?;
    // Made beside its name and renamed: what has the name is whole.
    let rename = |from: &Path, to: &Path| {
        std::fs::rename(from, to).doing(format!("renaming {}", from.display()))
    };
    if !prepared.csv.exists() {
        say(&format!("writing {} orders and what belongs to them as CSV", shop.orders));
        let draft = work.join("csv.draft");
        data::write_csv(&shop, &draft)?;
        rename(&draft, &prepared.csv)?;
    }
    if matches!(options.limit, Kind::Pipelined { .. }) {
        return prepare_postgres(options, prepared, say);
    }
    if !prepared.baseline.exists() {
        say("building the hand-written server's database");
        let draft = work.join("baseline.draft");
        server::remove_database(&draft);
        data::build_database(&shop, &draft)?;
        rename(&draft, &prepared.baseline)?;
    }
    for kind in &options.rivals {
        let Kind::Mimar { binary, .. } = kind else { continue };
        let database = prepared.mimar(binary)?;
        if !database.exists() {
            say("loading the same rows with `mimar data load`");
            forget_mimar(&work)?;
            let draft = work.join("mimar.draft");
            server::remove_database(&draft);
            server::load_mimar(binary, &options.model, &prepared.csv, &draft, &work)?;
            rename(&draft, &database)?;
        }
    }
    Ok(prepared)
}

/// Starts a PostgreSQL and loads both forms of the shop into it.
fn prepare_postgres(
    options: &Options,
    prepared: Prepared,
    say: &mut dyn FnMut(&str),
) -> Result<Prepared, Fault> {
    say("starting PostgreSQL and building the hand-written servers' database");
    let server = Postgres::durable();
    server.psql("postgres", "CREATE DATABASE by_hand");
    server.psql("postgres", "CREATE DATABASE mimar");
    server.psql("by_hand", data::POSTGRES_STAGE);
    for table in ["Product", "Customer", "Order", "Line"] {
        let path = prepared.csv.join(format!("{table}.csv"));
        let table = table.to_lowercase();
        server.psql(
            "by_hand",
            &format!(r"\copy stage.{table} FROM '{}' WITH (FORMAT csv, HEADER)", path.display()),
        );
    }
    server.psql("by_hand", data::POSTGRES_TABLES);
    for kind in &options.rivals {
        let Kind::Mimar { binary, .. } = kind else { continue };
        say("loading the same rows with `mimar data load`");
        let database = server.by_socket("mimar");
        server::load_mimar(binary, &options.model, &prepared.csv, database, &prepared.work)?;
    }
    // As autovacuum leaves them: what is measured shall not meet it.
    for database in ["by_hand", "mimar"] {
        server.psql(database, "VACUUM ANALYZE");
    }
    server.psql("postgres", "CHECKPOINT");
    Ok(Prepared { postgres: Some(Rc::new(server)), ..prepared })
}

/// Removes what other builds of Mimar had loaded: each is as large as the shop.
fn forget_mimar(work: &Path) -> Result<(), Fault> {
    let doing = || format!("looking through {}", work.display());
    for entry in std::fs::read_dir(work).doing(doing())? {
        let path = entry.doing(doing())?.path();
        let name = path.file_name().map_or("".into(), |name| name.to_string_lossy());
        if name.starts_with("mimar-") && name.ends_with(".db") {
            server::remove_database(&path);
        }
    }
    Ok(())
}

fn start_all(options: &Options, prepared: &Prepared, kinds: &[Kind]) -> Result<Vec<Server>, Fault> {
    kinds
        .iter()
        .enumerate()
        .map(|(index, kind)| {
            let name = index.to_string();
            let database = prepared.copy(kind, &name)?;
            Server::start(kind, database, &options.model, &prepared.log(&name))
        })
        .collect()
}

fn measure_start(options: &Options, prepared: &Prepared, kind: &Kind) -> Result<Start, Fault> {
    let request = Requests::new(options.shop, SECRET.as_bytes(), 3, 0).plain(Row::R1);
    let mut times = Vec::new();
    let mut memory = (0, 0);
    for round in 0..5 {
        let database = prepared.copy(kind, "start")?;
        let log = prepared.log("start");
        let (server, time) = Server::start_until(kind, database, &options.model, &log, &request)?;
        times.push(time);
        if round == 4 {
            std::thread::sleep(Duration::from_secs(1));
            memory = server.memory();
        }
    }
    times.sort_unstable();
    Ok(Start {
        server: kind.name().to_owned(),
        first_answer: times[times.len() / 2],
        resident: memory.0,
        anonymous: memory.1,
    })
}

fn measure_group(
    options: &Options,
    prepared: &Prepared,
    rows: &[Row],
    kinds: &[Kind],
    findings: &mut Findings,
    say: &mut dyn FnMut(&str),
) -> Result<(), Fault> {
    let servers = start_all(options, prepared, kinds)?;
    for &connections in &options.connections {
        for &by in &options.by {
            let lanes = rows.iter().flat_map(|&row| {
                let wanted = if row == Row::Bare { 1 } else { servers.len() };
                servers[..wanted].iter().map(move |server| Load { row, server, connections, by })
            });
            let mut lanes: Vec<(Load<'_>, Vec<Round>)> =
                lanes.map(|load| (load, Vec::new())).collect();
            for round in 0..options.rounds {
                for (load, rounds) in &mut lanes {
                    rounds.push(measure(options, prepared, load, round)?);
                }
                // Back and forth: who comes first and who follows a heavy neighbour changes.
                lanes.reverse();
            }
            if options.rounds % 2 == 1 {
                lanes.reverse();
            }
            for (load, rounds) in lanes {
                let cell = cell(&load, rounds);
                say(&format!(
                    "{:<5}{connections:>4}  {:<24}{:>9.0}/s {:>8.2} ms CPU/1000   p50 {:>6.0} us   p99 {:>6.0} us{}",
                    load.row.name(),
                    cell.server,
                    cell.rate,
                    cell.cpu,
                    cell.p50,
                    cell.p99,
                    if by == By::Wrk { "   wrk" } else { "" },
                ));
                findings.cells.push(cell);
            }
        }
    }
    Ok(())
}

/// What is sent to whom, and how.
struct Load<'a> {
    row: Row,
    server: &'a Server,
    connections: usize,
    by: By,
}

fn measure(
    options: &Options,
    prepared: &Prepared,
    load: &Load<'_>,
    round: usize,
) -> Result<Round, Fault> {
    let Load { row, server, connections, by } = *load;
    let mut requests =
        Requests::new(options.shop, SECRET.as_bytes(), 1_000_000 * round as u64, unique());
    let mut spent = Vec::with_capacity(2);
    let mark = || {
        spent.push(server.cpu()?);
        Ok(())
    };
    // The first round also fills caches, which a server that has run for a while has filled.
    let warm_up = if round == 0 { options.window.max(WARM) } else { options.window / 5 };
    let figures = match by {
        By::Own => {
            let write = |out: &mut Vec<u8>| requests.write(row, out);
            load::run(server.address, connections, warm_up, options.window, write, mark)?.figures()
        }
        By::Wrk => {
            if round == 0 {
                let write = |out: &mut Vec<u8>| requests.write(row, out);
                load::run(server.address, connections, warm_up, Duration::ZERO, write, || Ok(()))?;
            }
            let write = |out: &mut Vec<u8>| requests.write(row, out);
            let folder = &prepared.work;
            load::wrk::run(server.address, connections, options.window, folder, write, mark)?
        }
    };
    if figures.refused > 0 {
        return Err(Fault::Refused {
            row: row.name(),
            refused: figures.refused,
            total: figures.refused + figures.answered,
            status: figures.last_refusal,
        });
    }
    let answered = figures.answered.max(1) as f64;
    let [before, after] = [spent.first(), spent.last()].map(|at| at.copied().unwrap_or_default());
    let cpu = after.saturating_sub(before);
    Ok(Round {
        rate: answered / figures.elapsed.as_secs_f64(),
        cpu: cpu.as_secs_f64() * 1e6 / answered,
        p50: figures.p50,
        p99: figures.p99,
    })
}

fn cell(load: &Load<'_>, rounds: Vec<Round>) -> Cell {
    let of = |of: fn(&Round) -> f64| median(rounds.iter().map(of).collect());
    let rates = rounds.iter().map(|round| round.rate);
    Cell {
        row: load.row,
        connections: load.connections,
        by: load.by,
        server: load.server.name.clone(),
        rate: of(|round| round.rate),
        cpu: of(|round| round.cpu),
        p50: of(|round| round.p50),
        p99: of(|round| round.p99),
        range: (rates.clone().fold(f64::INFINITY, f64::min), rates.fold(0.0, f64::max)),
        rounds,
    }
}

impl Cell {
    /// The median of the ratios of the same rounds of this and another cell: rounds of one number ran one
    /// after the other, so what disturbed the machine for longer than a window is in both.
    #[must_use]
    pub fn ratio(&self, other: &Cell, of: fn(&Round) -> f64) -> f64 {
        median(self.rounds.iter().zip(&other.rounds).map(|(a, b)| of(a) / of(b)).collect())
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    if values.is_empty() {
        0.0
    } else if values.len().is_multiple_of(2) {
        f64::midpoint(values[middle - 1], values[middle])
    } else {
        values[middle]
    }
}

/// A number that no other window of this or another run has, for the keys of new rows.
fn unique() -> u64 {
    std::time::SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_nanos() as u64)
}

/// Microseconds that flushing one overwritten page of a file in `folder` takes, median of 200.
///
/// # Errors
/// When the folder cannot be written.
pub fn flush_time(folder: &Path) -> Result<f64, Fault> {
    let path = folder.join(format!("flush-{}", std::process::id()));
    let doing = || format!("flushing {}", path.display());
    let mut file = std::fs::File::create(&path).doing(doing())?;
    file.write_all(&[1; 4_096]).doing(doing())?;
    file.sync_data().doing(doing())?;
    let mut times = Vec::with_capacity(200);
    for _ in 0..200 {
        let started = std::time::Instant::now();
        std::os::unix::fs::FileExt::write_all_at(&file, &[2; 4_096], 0).doing(doing())?;
        file.sync_data().doing(doing())?;
        times.push(started.elapsed().as_secs_f64() * 1e6);
    }
    std::fs::remove_file(&path).doing(doing())?;
    times.sort_by(f64::total_cmp);
    Ok(times[times.len() / 2])
}

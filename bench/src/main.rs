//! `mimar-bench`: the command line of the benchmark.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand, ValueEnum};
use mimar_bench::harness::{self, On, report, server::Kind};
use mimar_bench::load::By;
use mimar_bench::load::request::{Requests, Row};
use mimar_bench::{baseline, broker, check, data, fault::Fault, load, pipelined, usual, webhook};

/// Measures Mimar against a server written by hand for the same requests.
#[derive(Parser)]
#[command(name = "mimar-bench", version)]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Measure Mimar against the hand-written server, print the figures and write the report.
    Run {
        /// Three short windows per cell instead of nine longer ones.
        #[arg(long)]
        quick: bool,
        /// A thirtieth of the rows; for trying the run itself.
        #[arg(long)]
        small: bool,
        /// Measure on SQLite or on PostgreSQL; on both, one after the other, unless given.
        #[arg(long)]
        on: Option<On>,
        /// Measure only this server.
        #[arg(long)]
        only: Option<Only>,
        /// Measure a second hand-written server in Mimar's place: its ratios show the noise of the method.
        #[arg(long, conflicts_with = "only")]
        stand_in: bool,
        /// The binary `mimar`; the one beside this program unless given.
        #[arg(long, env = "MIMAR_BINARY")]
        mimar: Option<PathBuf>,
        /// The model that it serves.
        #[arg(long, default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/shop"))]
        model: PathBuf,
        /// Rows to measure: bare, R1, R2, R3, W1, W2, M1.
        #[arg(long, value_delimiter = ',', value_parser = parse_row)]
        rows: Vec<Row>,
        /// Numbers of connections.
        #[arg(long, value_delimiter = ',', default_value = "32,128")]
        connections: Vec<usize>,
        /// Windows of each server in each cell.
        #[arg(long)]
        rounds: Option<usize>,
        /// Seconds of a window.
        #[arg(long)]
        seconds: Option<f64>,
        /// Leave out that `wrk` sends the same requests again.
        #[arg(long)]
        without_wrk: bool,
        /// Where the report is written; `-` prints it.
        #[arg(long, default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/RESULTS.md"))]
        report: PathBuf,
    },
    /// Measure only how fast events reach a broker and the endpoints of webhooks, and print it.
    Events {
        /// A tenth of the events.
        #[arg(long)]
        quick: bool,
        /// Measure on SQLite or on PostgreSQL; on both unless given.
        #[arg(long)]
        on: Option<On>,
        /// The binary `mimar`; the one beside this program unless given.
        #[arg(long, env = "MIMAR_BINARY")]
        mimar: Option<PathBuf>,
    },
    /// Write the shop's CSV files, and with --database the baseline's database.
    Data {
        /// The folder for the CSV files.
        folder: PathBuf,
        /// A thirtieth of the rows.
        #[arg(long)]
        small: bool,
        /// Where to build the baseline's database.
        #[arg(long)]
        database: Option<PathBuf>,
    },
    /// Serve the shop by hand; MIMAR_JWT_SECRET holds the key of callers' tokens.
    Baseline {
        /// The database that `data` built.
        #[arg(long)]
        database: PathBuf,
        /// Where to listen.
        #[arg(long, default_value = "127.0.0.1:8088")]
        listen: SocketAddr,
        /// The most requests that one commit carries.
        #[arg(long, default_value_t = 64)]
        batch: usize,
        /// Worker threads; as many as there are processors unless given.
        #[arg(long)]
        threads: Option<usize>,
        /// Microseconds that the writer may wait for a fuller batch while reads run.
        #[arg(long, default_value_t = 1_000)]
        patience: u64,
    },
    /// Serve the shop by hand on PostgreSQL; MIMAR_JWT_SECRET holds the key of callers' tokens.
    Pipelined {
        /// The address of the database.
        #[arg(long)]
        database: String,
        /// Where to listen.
        #[arg(long, default_value = "127.0.0.1:8088")]
        listen: SocketAddr,
        /// The most requests that one commit or one read carries.
        #[arg(long, default_value_t = 64)]
        batch: usize,
        /// Threads; as many as there are processors unless given.
        #[arg(long)]
        threads: Option<usize>,
    },
    /// Serve the shop as is usual, with axum and sqlx; MIMAR_JWT_SECRET holds the key of callers' tokens.
    Usual {
        /// The address of the database.
        #[arg(long)]
        database: String,
        /// Where to listen.
        #[arg(long, default_value = "127.0.0.1:8088")]
        listen: SocketAddr,
    },
    /// Load one server with one kind of request and print what came of it.
    Load {
        /// Where it listens.
        #[arg(long, default_value = "127.0.0.1:8088")]
        address: SocketAddr,
        /// bare, R1, R2, R3, W1, W2 or M1.
        #[arg(value_parser = parse_row)]
        row: Row,
        /// Connections, each with one request in flight.
        #[arg(long, default_value_t = 32)]
        connections: usize,
        /// How long the counted window is.
        #[arg(long, default_value_t = 3.0)]
        seconds: f64,
        /// How long is loaded before the window opens.
        #[arg(long, default_value_t = 1.0)]
        warm_up: f64,
        /// The process whose CPU time is read.
        #[arg(long)]
        process: Option<u32>,
        /// Which requests: the same seed sends the same.
        #[arg(long, default_value_t = 7)]
        seed: u64,
        /// The data is the small one.
        #[arg(long)]
        small: bool,
    },
}

/// The servers that can be measured alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Only {
    /// The hand-written one.
    Baseline,
}

fn parse_row(text: &str) -> Result<Row, String> {
    Row::ALL
        .into_iter()
        .find(|row| row.name().eq_ignore_ascii_case(text))
        .ok_or_else(|| "the rows are bare, R1, R2, R3, W1, W2, M1".to_owned())
}

fn main() -> ExitCode {
    match run(Arguments::parse().task) {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            say(&format!("error: {fault}"));
            ExitCode::FAILURE
        }
    }
}

fn run(task: Task) -> Result<(), Fault> {
    let size = |small| if small { data::SMALL } else { data::FULL };
    match task {
        Task::Run {
            quick,
            small,
            on,
            only,
            stand_in,
            mimar,
            model,
            rows,
            connections,
            rounds,
            seconds,
            without_wrk,
            report,
        } => {
            let mimar = Kind::Mimar { binary: mimar.map_or_else(beside, Ok)?, broker: None };
            let window = seconds.unwrap_or(if quick { 0.8 } else { 1.5 });
            let limit = |on, name: &str| match on {
                On::Sqlite => Kind::Baseline { name: name.into(), batch: 64 },
                On::Postgres => Kind::Pipelined { name: name.into() },
            };
            let mut options = harness::Options {
                limit: limit(On::Sqlite, "hand-written"),
                rivals: Vec::new(),
                rows: if rows.is_empty() { Row::ALL.to_vec() } else { rows },
                connections,
                rounds: rounds.unwrap_or(if quick { 3 } else { 9 }).max(1),
                window: Duration::from_secs_f64(window.clamp(0.1, 60.0)),
                by: if without_wrk { vec![By::Own] } else { vec![By::Own, By::Wrk] },
                shop: size(small),
                folder: std::env::var_os("MIMAR_BENCH_DIR")
                    .map_or_else(|| std::env::temp_dir().join("mimar-bench"), PathBuf::from),
                model,
            };
            // First, as `mimar check` does it: in a process that has done nothing else.
            say("checking a large model");
            let checked = check::measure();
            let (mut findings, mut events, mut hooks) = (Vec::new(), Vec::new(), Vec::new());
            for on in on.map_or(vec![On::Sqlite, On::Postgres], |on| vec![on]) {
                options.limit = limit(on, "hand-written");
                options.rivals = match (only, stand_in) {
                    (Some(Only::Baseline), _) => Vec::new(),
                    (None, true) => vec![limit(on, "hand-written again")],
                    (None, false) => vec![mimar.clone()],
                };
                if on == On::Postgres && only.is_none() {
                    options.rivals.push(Kind::Usual);
                }
                say(if on == On::Postgres { "PostgreSQL" } else { "SQLite" });
                findings.push(harness::run(&options, &mut |text| say(text))?);
                if let (None, false, Kind::Mimar { binary, .. }) = (only, stand_in, &mimar) {
                    say("events to NATS");
                    let options = reaching(binary.clone(), options.folder.clone(), quick);
                    events.push(broker::measure(&options, on)?);
                    say("events to webhooks");
                    hooks.push(webhook::measure(&options, on)?);
                }
            }
            tell(&options, &checked, &findings, (&events, &hooks), &report)
        }
        Task::Events { quick, on, mimar } => {
            let folder = std::env::temp_dir().join("mimar-bench");
            let options = reaching(mimar.map_or_else(beside, Ok)?, folder, quick);
            let on = on.map_or(vec![On::Sqlite, On::Postgres], |on| vec![on]);
            let (mut events, mut hooks) = (Vec::new(), Vec::new());
            for on in on {
                events.push(broker::measure(&options, on)?);
                hooks.push(webhook::measure(&options, on)?);
            }
            say(&broker::markdown(&events));
            say(&webhook::markdown(&hooks));
            Ok(())
        }
        Task::Data { folder, small, database } => {
            data::write_csv(&size(small), &folder)?;
            match database {
                Some(path) => data::build_database(&size(small), &path),
                None => Ok(()),
            }
        }
        Task::Baseline { database, listen, batch, threads, patience } => {
            let threads = threads
                .or_else(|| std::thread::available_parallelism().ok().map(usize::from))
                .unwrap_or(2);
            baseline::serve(&baseline::Options {
                listen,
                database,
                batch,
                threads,
                patience: Duration::from_micros(patience),
                secret: secret()?,
            })
        }
        Task::Pipelined { database, listen, batch, threads } => {
            let threads = threads
                .or_else(|| std::thread::available_parallelism().ok().map(usize::from))
                .unwrap_or(2);
            let secret = secret()?;
            pipelined::serve(&pipelined::Options { listen, database, batch, threads, secret })
        }
        Task::Usual { database, listen } => {
            usual::serve(&usual::Options { listen, database, secret: secret()? })
        }
        Task::Load { address, row, connections, seconds, warm_up, process, seed, small } => {
            let run = u64::from(std::process::id()) << 32
                | std::time::SystemTime::now()
                    .duration_since(std::time::UNIX_EPOCH)
                    .map_or(0, |now| u64::from(now.subsec_nanos()));
            let mut requests = Requests::new(size(small), &secret()?, seed, run);
            let mut cpu = Vec::new();
            let measure = load::run(
                address,
                connections,
                Duration::from_secs_f64(warm_up),
                Duration::from_secs_f64(seconds),
                |out| requests.write(row, out),
                || {
                    cpu.push(process.map_or(0, cpu_ticks));
                    Ok(())
                },
            )?;
            let rate = measure.answered as f64 / measure.elapsed.as_secs_f64();
            let spent = (cpu[1] - cpu[0]) as f64 * 10.0 / (measure.answered as f64 / 1_000.0);
            say(&format!(
                "{:>4} {connections:>4} {rate:>9.0}/s  {spent:>7.2} ms/1000  p50 {} p99 {} us  refused {} ({})",
                row.name(),
                measure.latency.value_at_quantile(0.5),
                measure.latency.value_at_quantile(0.99),
                measure.refused,
                measure.last_refusal,
            ));
            Ok(())
        }
    }
}

/// How events are measured.
fn reaching(binary: PathBuf, folder: PathBuf, quick: bool) -> broker::Options {
    let (events, commands) = if quick { (5_000, 200) } else { (50_000, 2_000) };
    broker::Options { binary, folder, events, commands }
}

/// Writes the report.
fn tell(
    options: &harness::Options,
    checked: &check::Figures,
    findings: &[harness::Findings],
    (events, hooks): (&[broker::Figures], &[webhook::Figures]),
    report: &Path,
) -> Result<(), Fault> {
    let doing = |doing: &str, path: &Path, source| Fault::Io {
        doing: format!("{doing} {}", path.display()),
        source,
    };
    std::fs::create_dir_all(&options.folder)
        .map_err(|source| doing("making", &options.folder, source))?;
    let flush = harness::flush_time(&options.folder)?;
    let circumstances = report::Circumstances::here(flush, options);
    let mut text = report::markdown(findings, &circumstances);
    text.push_str(&check::markdown(checked));
    if !events.is_empty() {
        text.push_str(&broker::markdown(events));
        text.push_str(&webhook::markdown(hooks));
    }
    if report == Path::new("-") {
        say(&format!("\n{text}"));
        return Ok(());
    }
    std::fs::write(report, text).map_err(|source| doing("writing", report, source))?;
    say(&format!("the report is in {}", report.display()));
    Ok(())
}

/// The binary `mimar` that cargo builds beside this one.
fn beside() -> Result<PathBuf, Fault> {
    let own = std::env::current_exe()
        .map_err(|source| Fault::Io { doing: "looking for this program's file".into(), source })?;
    Ok(own.with_file_name("mimar"))
}

fn cpu_ticks(process: u32) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    let fields = stat.rsplit_once(") ").map_or("", |(_, fields)| fields);
    let mut fields = fields.split(' ').skip(11);
    let mut next = || fields.next().and_then(|field| field.parse().ok()).unwrap_or(0);
    let user: u64 = next();
    let system: u64 = next();
    user + system
}

fn secret() -> Result<Vec<u8>, Fault> {
    std::env::var("MIMAR_JWT_SECRET").map(String::into_bytes).map_err(|_| Fault::NoSecret)
}

fn say(text: &str) {
    let _ = std::io::Write::write_all(&mut std::io::stdout(), format!("{text}\n").as_bytes());
}

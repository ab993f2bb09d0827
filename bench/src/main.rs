//! `mimar-bench`: the command line of the benchmark.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand};
use mimar_bench::{baseline, data, fault::Fault, load};

/// Measures Mimar against a server written by hand for the same requests.
#[derive(Parser)]
#[command(name = "mimar-bench", version)]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
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
    /// Load one server with one kind of request and print what came of it.
    Load {
        /// Where it listens.
        #[arg(long, default_value = "127.0.0.1:8088")]
        address: SocketAddr,
        /// bare, R1, R2, R3, W1, W2 or M1.
        row: String,
        /// Connections, each with one request in flight.
        #[arg(long, default_value_t = 32)]
        connections: usize,
        /// How long the counted window is.
        #[arg(long, default_value_t = 3.0)]
        seconds: f64,
        /// The process whose CPU time is read.
        #[arg(long)]
        process: Option<u32>,
        /// The data is the small one.
        #[arg(long)]
        small: bool,
    },
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
        Task::Load { address, row, connections, seconds, process, small } => {
            let Some(row) =
                load::request::Row::ALL.into_iter().find(|known| known.name() == row)
            else {
                say("error: the row is one of bare, R1, R2, R3, W1, W2, M1");
                return Ok(());
            };
            let run = u64::from(std::process::id()) << 32
                | std::time::SystemTime::now()
                    .duration_since(std::time::UNIX_EPOCH)
                    .map_or(0, |now| u64::from(now.subsec_nanos()));
            let mut requests = load::request::Requests::new(size(small), &secret()?, 7, run);
            let mut cpu = Vec::new();
            let measure = load::run(
                address,
                connections,
                Duration::from_millis(500),
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

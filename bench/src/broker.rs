//! How fast events reach a broker: from the commit of a command to a subscriber of NATS.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use async_nats::Subscriber;
use futures_util::StreamExt as _;
use hdrhistogram::Histogram;
use testbed::Nats;
use tokio::runtime::Runtime;

use crate::fault::{Doing as _, Fault};
use crate::harness::agree::Client;
use crate::harness::server::{Database, Kind, Server, remove_database};
use crate::harness::{On, SECRET};
use crate::identity;
use crate::load::request::Plain;

/// How many events one command of the backlog publishes.
pub(crate) const TOGETHER: usize = 100;

/// How many keys they have.
pub(crate) const TOPICS: usize = 64;

/// What was found.
#[derive(Debug, Clone, Copy)]
pub struct Figures {
    /// Over which database.
    pub on: On,
    /// Events that reached the subscriber in a second, from the first request to the last event.
    pub rate: f64,
    /// How many events that were.
    pub events: usize,
    /// Milliseconds from the answer to a command to its event, which had not left before: median, and 99 of 100.
    pub delivery: (f64, f64),
    /// The same from the request, which is before its commit: the median.
    pub from_request: f64,
    /// How many commands that were, one after another.
    pub commands: usize,
}

/// What is measured, and with what.
#[derive(Debug)]
pub struct Options {
    /// The binary `mimar`.
    pub binary: PathBuf,
    /// The folder for databases and logs.
    pub folder: PathBuf,
    /// How many events are published at once, about.
    pub events: usize,
    /// How many commands are asked for one after another.
    pub commands: usize,
}

/// Measures over one kind of database, which is new, with a NATS that keeps a stream on the disk.
///
/// # Errors
/// When a server does not start, or a command is refused.
pub fn measure(options: &Options, on: On) -> Result<Figures, Fault> {
    let nats = Nats::start();
    let database = database(options, on, "events")?;
    let kind = Kind::Mimar { binary: options.binary.clone(), broker: Some(nats.url()) };
    let model = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/events"));
    let server = Server::start(&kind, database, model, &options.folder.join("events.log"))?;
    let runtime = Runtime::new().doing("starting a runtime")?;
    let mut heard = runtime.block_on(async {
        let client = async_nats::connect(nats.url()).await.map_err(silent)?;
        let heard = client.subscribe("events.>").await.map_err(silent)?;
        client.flush().await.map_err(silent)?;
        Ok::<_, Fault>(heard)
    })?;
    let mut client = Client::connect(server.address)?;
    let token = clerk();

    // Until the server speaks with the broker.
    say(&mut client, &token, 0, 0)?;
    next(&runtime, &mut heard)?;

    let histogram = || {
        Histogram::<u64>::new_with_bounds(1, 60_000_000, 3)
            .map_err(|_| Fault::Unreadable("no histogram"))
    };
    let (mut delivery, mut whole) = (histogram()?, histogram()?);
    for line in 0..options.commands {
        let asked = Instant::now();
        say(&mut client, &token, line % TOPICS, line)?;
        let answered = Instant::now();
        next(&runtime, &mut heard)?;
        delivery.saturating_record(answered.elapsed().as_micros() as u64);
        whole.saturating_record(asked.elapsed().as_micros() as u64);
    }

    let batches = (options.events / TOGETHER).max(1);
    let began = Instant::now();
    for batch in 0..batches {
        say_all(&mut client, &token, batch)?;
    }
    let events = batches * TOGETHER;
    for _ in 0..events {
        next(&runtime, &mut heard)?;
    }
    let rate = events as f64 / began.elapsed().as_secs_f64();
    let quantile = |of: &Histogram<u64>, at| of.value_at_quantile(at) as f64 / 1_000.0;
    let commands = options.commands;
    let from_request = quantile(&whole, 0.5);
    let delivery = (quantile(&delivery, 0.5), quantile(&delivery, 0.99));
    Ok(Figures { on, rate, events, delivery, from_request, commands })
}

/// A section of the report.
#[must_use]
pub fn markdown(all: &[Figures]) -> String {
    let mut out = String::from(
        "\n# Events to NATS\n\nMimar, the client and NATS JetStream (one server, a stream on the disk) on the same processors. Throughput: commands of a \
         hundred events with 64 keys, one after another, from the first request to the last event at a subscriber. Delivery: from the answer to a command of \
         one event to the subscriber; its commit lies between the request and that answer. The goal: less than 10 ms from the commit, at the median, which \
         is met where it is less from the request.\n\n| database | events | events per second | commands | delivery p50 | delivery p99 | from the request p50 | goal: under 10 ms |\n|---|---:|---:|---:|---:|---:|---:|---|\n",
    );
    for Figures { on, rate, events, delivery: (half, most), from_request, commands } in all {
        let met = if *from_request < 10.0 { "met" } else { "missed" };
        let on = if *on == On::Sqlite { "SQLite" } else { "PostgreSQL" };
        // Writing to a string cannot fail.
        let _ = writeln!(
            out,
            "| {on} | {events} | {rate:.0} | {commands} | {half:.1} ms | {most:.1} ms | {from_request:.1} ms | {met} |"
        );
    }
    out
}

/// A new database.
pub(crate) fn database(options: &Options, on: On, name: &str) -> Result<Database, Fault> {
    std::fs::create_dir_all(&options.folder).doing("making the folder")?;
    Ok(match on {
        On::Sqlite => {
            let path = options.folder.join(format!("{name}-{}.db", std::process::id()));
            remove_database(&path);
            Database::File(path)
        }
        On::Postgres => {
            let server = std::rc::Rc::new(testbed::Postgres::durable());
            let url = server.database();
            let name = url.rsplit('/').next().unwrap_or_default().to_owned();
            Database::Postgres { server, name }
        }
    })
}

/// The token of one who may ask, for an hour.
pub(crate) fn clerk() -> String {
    let until = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs() + 3_600;
    identity::sign(SECRET.as_bytes(), "1", "clerk", until)
}

/// Has one event published.
pub(crate) fn say(
    client: &mut Client,
    token: &str,
    topic: usize,
    line: usize,
) -> Result<(), Fault> {
    ask(client, token, "/v1/say", format!(r#"{{"topic":{topic},"line":{line}}}"#))
}

/// Has [`TOGETHER`] events published at once.
pub(crate) fn say_all(client: &mut Client, token: &str, line: usize) -> Result<(), Fault> {
    let words = (0..TOGETHER).map(|at| format!(r#"{{"topic":{},"line":{line}}}"#, at % TOPICS));
    let body = format!(r#"{{"words":[{}]}}"#, words.collect::<Vec<_>>().join(","));
    ask(client, token, "/v1/say-all", body)
}

fn ask(client: &mut Client, token: &str, target: &str, body: String) -> Result<(), Fault> {
    let request = Plain { method: "POST", target: target.into(), token: token.to_owned(), body };
    let status = client.send(&request)?.status;
    if (200..300).contains(&status) {
        return Ok(());
    }
    Err(Fault::Refused { row: "events", refused: 1, total: 1, status })
}

fn next(runtime: &Runtime, heard: &mut Subscriber) -> Result<(), Fault> {
    let waited = async { tokio::time::timeout(Duration::from_secs(60), heard.next()).await };
    match runtime.block_on(waited) {
        Ok(Some(_)) => Ok(()),
        _ => Err(Fault::Unreadable("an event has not come within a minute")),
    }
}

fn silent(_: impl std::error::Error) -> Fault {
    Fault::Unreadable("NATS does not answer")
}

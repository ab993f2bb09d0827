//! How fast events reach the endpoints of webhooks: from the commit of a command to partners on the same machine.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use axum::http::StatusCode;
use axum::routing::post;
use hdrhistogram::Histogram;
use tokio::runtime::Runtime;

use crate::broker::{Options, TOGETHER, TOPICS, clerk, database, say, say_all};
use crate::fault::{Doing as _, Fault};
use crate::harness::On;
use crate::harness::agree::Client;
use crate::harness::server::{Kind, Server};

/// How many partners there are; each hears of every event.
const ENDPOINTS: usize = 8;

/// A webhook is signed, sent and noted by itself: so many times fewer events than a broker is given.
const FEWER: usize = 20;

/// What was found.
#[derive(Debug, Clone, Copy)]
pub struct Figures {
    /// Over which database.
    pub on: On,
    /// Deliveries that arrived in a second, from the first request to the last of them.
    pub rate: f64,
    /// How many deliveries that were.
    pub deliveries: usize,
    /// Milliseconds from the answer to a command to the arrival of its event at the last endpoint: median, and 99 of 100.
    pub delivery: (f64, f64),
    /// How many commands that were, one after another.
    pub commands: usize,
}

/// Measures over one kind of database, which is new.
///
/// # Errors
/// When a server does not start, or a command is refused.
pub fn measure(options: &Options, on: On) -> Result<Figures, Fault> {
    let database = database(options, on, "deliveries")?;
    let kind = Kind::Mimar { binary: options.binary.clone(), broker: None };
    let model = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/deliveries"));
    let server = Server::start(&kind, database, model, &options.folder.join("deliveries.log"))?;
    let runtime = Runtime::new().doing("starting a runtime")?;
    let (sender, arrived) = channel();
    let partner = runtime.block_on(partner(sender))?;
    for endpoint in 0..ENDPOINTS {
        let added = Command::new(&options.binary)
            .args(["webhook", "add", "partners"])
            .arg(format!("http://{partner}/{endpoint}"))
            .arg("--project")
            .arg(model)
            .arg("--database")
            .arg(server.place())
            .stdout(Stdio::null())
            .status()
            .doing("adding an endpoint")?;
        if !added.success() {
            return Err(Fault::Unreadable("an endpoint was refused"));
        }
    }
    let mut client = Client::connect(server.address)?;
    let token = clerk();

    // Until the server has found its partners.
    say(&mut client, &token, 0, 0)?;
    next(&arrived, ENDPOINTS)?;

    let mut delivery = Histogram::<u64>::new_with_bounds(1, 60_000_000, 3)
        .map_err(|_| Fault::Unreadable("no histogram"))?;
    let commands = (options.commands / FEWER).max(1);
    for line in 0..commands {
        say(&mut client, &token, line % TOPICS, line)?;
        let answered = Instant::now();
        next(&arrived, ENDPOINTS)?;
        delivery.saturating_record(answered.elapsed().as_micros() as u64);
    }

    let batches = (options.events / FEWER / TOGETHER).max(1);
    let deliveries = batches * TOGETHER * ENDPOINTS;
    let began = Instant::now();
    for batch in 0..batches {
        say_all(&mut client, &token, batch)?;
    }
    next(&arrived, deliveries)?;
    let rate = deliveries as f64 / began.elapsed().as_secs_f64();
    let quantile = |at| delivery.value_at_quantile(at) as f64 / 1_000.0;
    let delivery = (quantile(0.5), quantile(0.99));
    Ok(Figures { on, rate, deliveries, delivery, commands })
}

/// A section of the report.
#[must_use]
pub fn markdown(all: &[Figures]) -> String {
    let mut out = format!(
        "\n# Webhooks\n\nMimar, the client and {ENDPOINTS} endpoints (one server, which answers 204) on the same processors; every event goes to all of them, \
         signed. Throughput: commands of a hundred events with 64 keys, one after another, from the first request to the last delivery. Delivery: from the answer to a \
         command of one event to its arrival at the last endpoint.\n\n| database | deliveries | deliveries per second | commands | delivery p50 | \
         delivery p99 |\n|---|---:|---:|---:|---:|---:|\n",
    );
    for Figures { on, rate, deliveries, delivery: (half, most), commands } in all {
        let on = if *on == On::Sqlite { "SQLite" } else { "PostgreSQL" };
        // Writing to a string cannot fail.
        let _ = writeln!(
            out,
            "| {on} | {deliveries} | {rate:.0} | {commands} | {half:.1} ms | {most:.1} ms |"
        );
    }
    out
}

/// Somebody who takes whatever is sent, and tells of it.
async fn partner(arrived: Sender<()>) -> Result<SocketAddr, Fault> {
    let take = move || {
        // Whoever counts may have gone.
        let _ = arrived.send(());
        std::future::ready(StatusCode::NO_CONTENT)
    };
    let router = axum::Router::new().route("/{endpoint}", post(take));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await;
    let listener = listener.doing("looking for a free port")?;
    let address = listener.local_addr().doing("looking for a free port")?;
    // It ends with the runtime.
    tokio::spawn(async move { axum::serve(listener, router).await });
    Ok(address)
}

fn next(arrived: &Receiver<()>, count: usize) -> Result<(), Fault> {
    for _ in 0..count {
        let waited = arrived.recv_timeout(Duration::from_secs(60));
        waited.map_err(|_| Fault::Unreadable("a delivery has not come within a minute"))?;
    }
    Ok(())
}

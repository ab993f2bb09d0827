//! What a run found, as Markdown: ratios first, then the figures they come from.

use std::fmt::{self, Write as _};

use super::{Cell, Findings, On, Round, Start};
use crate::load::By;
use crate::load::request::Row;

/// What the machine and the method were.
#[derive(Debug, Clone)]
pub struct Circumstances {
    /// The processor's name.
    pub processor: String,
    /// How many processors there are.
    pub processors: usize,
    /// Bytes of memory.
    pub memory: u64,
    /// Name and version of the kernel.
    pub kernel: String,
    /// Microseconds for one flush of the disk.
    pub flush: f64,
    /// Load of the machine before the run, as the mean of one minute.
    pub load_before: String,
    /// Windows of each cell.
    pub rounds: usize,
    /// Seconds of a window.
    pub window: f64,
    /// Orders in the shop.
    pub orders: u64,
    /// Customers in the shop.
    pub customers: u64,
}

impl Circumstances {
    /// Looks at this machine.
    #[must_use]
    pub fn here(flush: f64, options: &super::Options) -> Circumstances {
        let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
        let field = |text: &str, name: &str| {
            text.lines()
                .find(|line| line.starts_with(name))
                .and_then(|line| line.split_once(':'))
                .map_or_else(|| "unknown".to_owned(), |(_, value)| value.trim().to_owned())
        };
        let memory = field(&read("/proc/meminfo"), "MemTotal");
        let kernel = read("/proc/sys/kernel/osrelease");
        Circumstances {
            processor: field(&read("/proc/cpuinfo"), "model name"),
            processors: std::thread::available_parallelism().map_or(0, usize::from),
            memory: memory.split(' ').next().and_then(|kb| kb.parse::<u64>().ok()).unwrap_or(0)
                * 1_024,
            // The base version says what matters; what a distributor appends does not.
            kernel: format!("Linux {}", kernel.split('-').next().unwrap_or_default().trim()),
            flush,
            load_before: read("/proc/loadavg").split(' ').next().unwrap_or_default().to_owned(),
            rounds: options.rounds,
            window: options.window.as_secs_f64(),
            orders: options.shop.orders,
            customers: options.shop.customers,
        }
    }
}

/// Writes the whole report.
#[must_use]
pub fn markdown(findings: &[Findings], circumstances: &Circumstances) -> String {
    let mut out = String::new();
    // Writing to a string cannot fail.
    let _ = write(&mut out, findings, circumstances);
    out
}

const LIMIT: &str = "hand-written";
const USUAL: &str = super::server::USUAL;
const SINGLE: &str = "one commit per request";

fn write(out: &mut String, runs: &[Findings], facts: &Circumstances) -> fmt::Result {
    writeln!(out, "# Speed\n")?;
    writeln!(
        out,
        "Written by `cargo xtask bench` (`cargo run --release -p mimar-bench -- run`). Absolute figures hold \
         for one machine; ratios travel further, but not everywhere.\n"
    )?;
    for findings in runs {
        let title = match findings.on {
            On::Sqlite => "On SQLite",
            On::Postgres => "On PostgreSQL",
        };
        writeln!(out, "# {title}\n")?;
        let mut rivals: Vec<&str> = Vec::new();
        for cell in &findings.cells {
            let name = cell.server.as_str();
            if name != LIMIT && name != SINGLE && !rivals.contains(&name) {
                rivals.push(name);
            }
        }
        for rival in &rivals {
            ratios(out, findings, rival)?;
            match findings.on {
                On::Sqlite => goals(out, findings, rival)?,
                On::Postgres if *rival == USUAL => {}
                On::Postgres => goals_on_postgres(out, findings, rival)?,
            }
        }
        floor(out, findings)?;
        durable(out, findings, &rivals)?;
        starts(out, &findings.starts)?;
        figures(out, findings)?;
    }
    method(out, runs, facts)
}

fn ratios(out: &mut String, findings: &Findings, rival: &str) -> fmt::Result {
    writeln!(out, "## {rival} against the hand-written limit\n")?;
    let by_wrk = findings.cells.iter().any(|cell| cell.by == By::Wrk);
    let (more, line) =
        if by_wrk { (" by `wrk`: throughput | CPU per request |", "---:|---:|") } else { ("", "") };
    writeln!(out, "| row | what | connections | throughput | CPU per request | p99 |{more}")?;
    writeln!(out, "|---|---|---:|---:|---:|---:|{line}")?;
    for (cell, limit) in pairs(findings, rival, By::Own) {
        write!(
            out,
            "| {} | {} | {} | {:.2} | {:.2} | {:.2} |",
            cell.row.name(),
            cell.row.meaning(),
            cell.connections,
            cell.ratio(limit, |round| round.rate),
            cell.ratio(limit, |round| round.cpu),
            cell.ratio(limit, |round| round.p99),
        )?;
        let same = |(other, _): &(&Cell, &Cell)| {
            other.row == cell.row && other.connections == cell.connections
        };
        if let Some((cell, limit)) = pairs(findings, rival, By::Wrk).find(same) {
            let (rate, cpu) =
                (cell.ratio(limit, |round| round.rate), cell.ratio(limit, |round| round.cpu));
            write!(out, " {rate:.2} | {cpu:.2} |")?;
        } else if by_wrk {
            write!(out, " | |")?;
        }
        writeln!(out)?;
    }
    writeln!(out)
}

fn goals(out: &mut String, findings: &Findings, rival: &str) -> fmt::Result {
    writeln!(out, "| goal | found | |\n|---|---|---|")?;
    let mut goal = |text: &str, found: String, met: bool| {
        writeln!(out, "| {text} | {found} | {} |", if met { "met" } else { "**missed**" })
    };
    let all: Vec<_> = by_anyone(findings, rival).collect();
    let (commands, rows): (Vec<_>, Vec<_>) = all.iter().partition(|(cell, _)| cell.row == Row::C1);
    if let Some((ratio, cell)) = worst(&rows, |round| round.rate, 1.0) {
        let met = ratio >= 0.85;
        goal("at least 0.85 of the limit's throughput on each row", found(ratio, cell), met)?;
    }
    if let Some((ratio, cell)) = worst(&rows, |round| round.cpu, -1.0) {
        goal("at most 1.3 of the limit's CPU on each row", found(ratio, cell), ratio <= 1.3)?;
    }
    if let Some((ratio, cell)) = worst(&commands, |round| round.rate, 1.0) {
        goal(COMMANDS, found(ratio, cell), ratio >= 0.9)?;
    }
    let mixed: Vec<_> = rows.iter().filter(|(cell, _)| cell.row == Row::M1).copied().collect();
    if let Some((ratio, cell)) = worst(&mixed, |round| round.rate, 1.0) {
        goal("M1 ahead of the limit", found(ratio, cell), ratio > 1.0)?;
    }
    let single = own(findings, Row::W1, 128, SINGLE);
    if let (Some(grouped), Some(single)) = (own(findings, Row::W1, 128, rival), single) {
        let by_wrk = |server| cell_of(findings, Row::W1, 128, server, By::Wrk);
        let ratio = grouped.ratio(single, |round| round.rate);
        let ratio = match (by_wrk(rival), by_wrk(SINGLE)) {
            (Some(grouped), Some(single)) => ratio.min(grouped.ratio(single, |round| round.rate)),
            _ => ratio,
        };
        goal(
            "durable inserts at 128 connections at least 3 times one commit per request",
            format!("{ratio:.1}"),
            ratio >= 3.0,
        )?;
        let by_wrk = by_wrk(rival).map(|cell| cell.p99);
        let told = by_wrk.map_or(String::new(), |p99| format!(", {:.1} by `wrk`", p99 / 1_000.0));
        goal(
            "their p99 under 30 ms",
            format!("{:.1} ms{told}", grouped.p99 / 1_000.0),
            grouped.p99.max(by_wrk.unwrap_or(0.0)) < 30_000.0,
        )?;
    }
    if let Some(start) = findings.starts.iter().find(|start| start.server == rival) {
        let first = start.first_answer.as_secs_f64() * 1e3;
        goal("start to first answer under 50 ms", format!("{first:.1} ms"), first < 50.0)?;
        let idle = mebibytes(start.resident);
        goal("idle memory under 30 MiB", format!("{idle:.1} MiB"), idle < 30.0)?;
    }
    writeln!(out)
}

fn goals_on_postgres(out: &mut String, findings: &Findings, rival: &str) -> fmt::Result {
    writeln!(out, "| goal | found | |\n|---|---|---|")?;
    let mut goal = |text: &str, (ratio, cell): (f64, &Cell), met: bool| {
        let met = if met { "met" } else { "**missed**" };
        writeln!(out, "| {text} | {} | {met} |", found(ratio, cell))
    };
    let all: Vec<_> = by_anyone(findings, rival).collect();
    let (commands, rows): (Vec<_>, Vec<_>) = all.iter().partition(|(cell, _)| cell.row == Row::C1);
    if let Some(found) = worst(&rows, |round| round.rate, 1.0) {
        goal("at least 0.8 of the limit's throughput on each row", found, found.0 >= 0.8)?;
    }
    if let Some(found) = worst(&rows, |round| round.cpu, -1.0) {
        goal(
            "at most 1.4 of the limit's CPU, server and database, on each row",
            found,
            found.0 <= 1.4,
        )?;
    }
    if let Some(found) = worst(&commands, |round| round.rate, 1.0) {
        goal(COMMANDS, found, found.0 >= 0.9)?;
    }
    let usual: Vec<_> =
        rows.iter().filter_map(|(cell, _)| Some((*cell, find(findings, cell, USUAL)?))).collect();
    if let Some(found) = worst(&usual, |round| round.rate, 1.0) {
        goal("at least 2 times the throughput of what is usual", found, found.0 >= 2.0)?;
    }
    writeln!(out)
}

const COMMANDS: &str = "C1: at least 0.9 of the transaction written by hand";

/// A ratio, and what it is of.
fn found(ratio: f64, cell: &Cell) -> String {
    let by = if cell.by == By::Wrk { ", by `wrk`" } else { "" };
    format!("{ratio:.2} ({} at {}{by})", cell.row.name(), cell.connections)
}

/// The smallest ratio of pairs (times the sign), and the cell it is of.
fn worst<'a>(
    pairs: &[(&'a Cell, &'a Cell)],
    of: fn(&Round) -> f64,
    sign: f64,
) -> Option<(f64, &'a Cell)> {
    pairs
        .iter()
        .map(|(cell, other)| (cell.ratio(other, of), *cell))
        .min_by(|(a, _), (b, _)| (a * sign).total_cmp(&(b * sign)))
}

fn floor(out: &mut String, findings: &Findings) -> fmt::Result {
    let Some(bare) = own(findings, Row::Bare, 32, LIMIT) else { return Ok(()) };
    writeln!(out, "## How near the limit is to the floor\n")?;
    writeln!(
        out,
        "A bare HTTP exchange, the same server without caller or database, costs {:.1} ms of CPU per 1,000 \
         requests at 32 connections. The rows cost, as multiples of it:\n",
        bare.cpu
    )?;
    writeln!(out, "| row | CPU of the limit over the floor |\n|---|---:|")?;
    for row in Row::ALL {
        if let Some(cell) = own(findings, row, 32, LIMIT)
            && row != Row::Bare
        {
            // Only R1 runs in turns with the floor; the others are compared by their medians.
            let ratio = match row {
                Row::R1 => cell.ratio(bare, |round| round.cpu),
                _ => cell.cpu / bare.cpu,
            };
            writeln!(out, "| {} | {ratio:.1} |", row.name())?;
        }
    }
    writeln!(out)
}

fn durable(out: &mut String, findings: &Findings, rivals: &[&str]) -> fmt::Result {
    if own(findings, Row::W1, 128, SINGLE).is_none() {
        return Ok(());
    }
    writeln!(out, "## Durable inserts: a commit for many against a commit for each\n")?;
    writeln!(
        out,
        "Each answered after its commit with `synchronous=FULL`; as multiples of the hand-written server with \
         one commit per request.\n"
    )?;
    writeln!(out, "| connections | server | throughput | p99 in ms |\n|---:|---|---:|---:|")?;
    for connections in [32, 128] {
        let Some(single) = own(findings, Row::W1, connections, SINGLE) else { continue };
        for name in [&[SINGLE, LIMIT], rivals].concat() {
            if let Some(cell) = own(findings, Row::W1, connections, name) {
                writeln!(
                    out,
                    "| {connections} | {name} | {:.1} | {:.1} |",
                    cell.ratio(single, |round| round.rate),
                    cell.p99 / 1_000.0
                )?;
            }
        }
    }
    writeln!(out)
}

fn starts(out: &mut String, starts: &[Start]) -> fmt::Result {
    writeln!(out, "## Start and idle memory\n")?;
    writeln!(out, "On the existing database; memory one second after the first answer.\n")?;
    writeln!(out, "| server | first answer | resident | of it its own |\n|---|---:|---:|---:|")?;
    for start in starts {
        writeln!(
            out,
            "| {} | {:.1} ms | {:.1} MiB | {:.1} MiB |",
            start.server,
            start.first_answer.as_secs_f64() * 1e3,
            mebibytes(start.resident),
            mebibytes(start.anonymous)
        )?;
    }
    writeln!(out)
}

fn figures(out: &mut String, findings: &Findings) -> fmt::Result {
    writeln!(out, "## Figures of this machine\n")?;
    writeln!(
        out,
        "| row | connections | server | load | per second | lowest to highest round | CPU ms per 1,000 | p50 ms | p99 ms |"
    )?;
    writeln!(out, "|---|---:|---|---|---:|---:|---:|---:|---:|")?;
    for cell in &findings.cells {
        writeln!(
            out,
            "| {} | {} | {} | {} | {:.0} | {:.0} to {:.0} | {:.1} | {:.2} | {:.2} |",
            cell.row.name(),
            cell.connections,
            cell.server,
            if cell.by == By::Wrk { "`wrk`" } else { "own" },
            cell.rate,
            cell.range.0,
            cell.range.1,
            cell.cpu,
            cell.p50 / 1_000.0,
            cell.p99 / 1_000.0
        )?;
    }
    writeln!(out)
}

fn method(out: &mut String, runs: &[Findings], facts: &Circumstances) -> fmt::Result {
    writeln!(out, "## How it was measured\n")?;
    writeln!(
        out,
        "- Machine: {} × {}, {:.0} GiB, {}; one flush of the disk {:.0} µs; SQLite {}; load average before the run {}.",
        facts.processors,
        facts.processor,
        facts.memory as f64 / (1u64 << 30) as f64,
        facts.kernel,
        facts.flush,
        rusqlite::version(),
        facts.load_before,
    )?;
    writeln!(
        out,
        "- Data: {} customers, {} orders with three lines each on average; deterministic, the same rows for all servers.",
        facts.customers, facts.orders
    )?;
    writeln!(
        out,
        "- Load: one thread, keep-alive, one request in flight per connection, random keys; half of the callers of \
         reads and orders are customers who see what is theirs, half are clerks. Every request carries a signed \
         token and passes the row policies. It is sent by a generator of this repository, and again by `wrk` (one \
         thread, a script that hands out the same requests), whose CPU figures have no warm-up of their own and whose \
         windows are whole seconds: ADR 0038."
    )?;
    writeln!(
        out,
        "- Rounds: {} windows of {} s per cell, the servers in turns, back and forth. Figures are medians; a ratio is \
         the median of the ratios of neighbouring windows. Each row starts from a fresh copy of the database. A \
         refused request fails the run.",
        facts.rounds, facts.window
    )?;
    let compared: usize = runs.iter().map(|findings| findings.compared).sum();
    if compared > 0 {
        writeln!(
            out,
            "- Before measuring, {compared} answers were compared between the servers: status, body, media type, `ETag`, \
             `Location`, `Link`, the page behind the cursor, and refusals."
        )?;
    }
    writeln!(out, "\n## What to keep in mind\n")?;
    writeln!(
        out,
        "- Load generator, server and disk share the machine's processors: throughput is what is left over, CPU per \
         request is the firmer figure."
    )?;
    writeln!(
        out,
        "- The hand-written server knows only these requests. It has no OpenAPI, filters, idempotency keys, rate \
         limits, metrics or tracing, and its index for `recent_orders` covers the whole row."
    )?;
    writeln!(
        out,
        "- On PostgreSQL the database runs beside the servers, is asked through its socket, and its CPU time is counted \
         with theirs. Its commits are durable (`fsync` and `synchronous_commit` on)."
    )?;
    writeln!(
        out,
        "- The database fits into memory, and the network is the loopback: neither a cold disk nor a real network is \
         measured here."
    )?;
    writeln!(
        out,
        "- Flushes are as durable as the machine's disk makes them; a virtual disk may acknowledge early."
    )
}

/// The cells of a server that `by` loaded, each with the limit's.
fn pairs<'a>(
    findings: &'a Findings,
    rival: &'a str,
    by: By,
) -> impl Iterator<Item = (&'a Cell, &'a Cell)> {
    by_anyone(findings, rival).filter(move |(cell, _)| cell.by == by)
}

/// The same, whoever sent the requests.
fn by_anyone<'a>(
    findings: &'a Findings,
    rival: &'a str,
) -> impl Iterator<Item = (&'a Cell, &'a Cell)> {
    findings
        .cells
        .iter()
        .filter(move |cell| cell.server == rival)
        .filter_map(|cell| Some((cell, find(findings, cell, LIMIT)?)))
}

/// The cell of another server under the same load.
fn find<'a>(findings: &'a Findings, like: &Cell, server: &str) -> Option<&'a Cell> {
    findings.cells.iter().find(|cell| {
        cell.row == like.row
            && cell.connections == like.connections
            && cell.by == like.by
            && cell.server == server
    })
}

/// The cell of a server under the load of this repository's own generator.
fn own<'a>(findings: &'a Findings, row: Row, connections: usize, server: &str) -> Option<&'a Cell> {
    cell_of(findings, row, connections, server, By::Own)
}

fn cell_of<'a>(
    findings: &'a Findings,
    row: Row,
    connections: usize,
    server: &str,
    by: By,
) -> Option<&'a Cell> {
    findings.cells.iter().find(|cell| {
        cell.row == row && cell.connections == connections && cell.by == by && cell.server == server
    })
}

fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / (1u64 << 20) as f64
}

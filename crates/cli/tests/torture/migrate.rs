//! A loaded table of a million rows is changed under an old and a new client, and the process that changes it is killed
//! at every step.

use std::collections::BTreeSet;
use std::fmt;
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::harness::{Client, Project, Random, Request, alone, binary};

const ROWS: u64 = 1_000_000;

/// Requests per second, of all clients together.
const RATE: u32 = 200;
const CLIENTS: u32 = 4;

const OLD: &str = r#"
app Store {
  version 1
  roles user
  surface rest
}
entity Maker {
  key id: Int = auto
  name: String(1..60)
  allow read to anyone
}
entity Product {
  key id: Int = auto
  name: String(1..80)
  price: Int(0..)
  state: enum { open, gone } = open
  colour: String(1..20)
  label: String(1..60)
  maker: Maker?
  index (name)
  allow read, create, update, delete to anyone
}
"#;

/// Added: `stock`, `tag`, `Review`; renamed: `title`, `closed`; retyped: `price`; split: `label`; dropped: `colour`.
const NEW: &str = r#"
app Store {
  version 1
  roles user
  surface rest
}
entity Maker {
  key id: Int = auto
  name: String(1..60)
  allow read to anyone
}
entity Product {
  key id: Int = auto
  title: String(1..80) was name
  price: Decimal(12, 2)
  state: enum { open, closed was gone } = open
  brand: String(0..60) was label before " "
  line: String(0..60) was label after " "
  stock: Int(0..) = 3
  tag: String(1..20)?
  maker: Maker?
  index (title)
  allow read, create, update, delete to anyone
}
entity Review {
  key id: Int = auto
  product: Product on delete cascade
  text: String(1..100)
  allow read, create to anyone
}
"#;

/// Which version a client speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Version {
    Old,
    New,
}

/// What clients have seen.
#[derive(Debug, Default)]
struct Seen {
    latencies: Vec<Duration>,
    failures: Vec<String>,
}

/// A latency that one in a hundred exceeds, of so many.
#[derive(Debug, Clone, Copy)]
struct P99 {
    latency: Duration,
    of: usize,
}

impl fmt::Display for P99 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let milliseconds = self.latency.as_secs_f64() * 1e3;
        write!(f, "p99 {milliseconds:.1} ms of {} requests", self.of)
    }
}

fn p99(latencies: &mut [Duration]) -> P99 {
    latencies.sort_unstable();
    let latency = latencies.get(latencies.len() * 99 / 100).copied().unwrap_or_default();
    P99 { latency, of: latencies.len() }
}

#[test]
fn a_loaded_table_changes_under_an_old_and_a_new_client() {
    let _turn = alone();
    let old = Project::on_postgres(OLD);
    drop(old.serve());
    let database = old.database.rsplit('/').next().unwrap();
    testbed::postgres().psql(
        database,
        &format!(
            "INSERT INTO maker (name) SELECT 'maker ' || g FROM generate_series(1, 100) g;
             INSERT INTO product (name, price, state, colour, label, maker)
             SELECT 'product ' || g, g % 1000, (ARRAY['open', 'gone'])[1 + g % 2], 'red', 'brand line ' || g, 1 + g % 100
             FROM generate_series(1, {ROWS}) g;
             ANALYZE; CHECKPOINT"
        ),
    );
    let new = old.beside(NEW);
    let first = old.serve();
    let seen = Mutex::new(Seen::default());
    // Long enough that one in a hundred is more than a few.
    let mut quiet = load(&seen, &[(Version::Old, first.address)], || {
        thread::sleep(Duration::from_secs(20));
    });
    let plan = Command::new(binary())
        .args(["migrate", "plan", "--format", "sql", "--database", &new.database])
        .arg(&new.model)
        .output()
        .unwrap();
    assert!(!plan.stdout.is_empty(), "{}", String::from_utf8_lossy(&plan.stderr));
    testbed::lint_migration(&String::from_utf8_lossy(&plan.stdout));
    let mut kills = 0;
    let expanding = load(&seen, &[(Version::Old, first.address)], || {
        kills += killed_at_every_step(&new, &["--allow-drop", "product.colour"]);
    });
    let second = new.serve();
    let both =
        load(&seen, &[(Version::Old, first.address), (Version::New, second.address)], || {
            thread::sleep(Duration::from_secs(5));
        });
    each_reads_what_the_other_wrote(first.address, second.address);
    drop(first);
    let contracting = load(&seen, &[(Version::New, second.address)], || {
        kills += killed_at_every_step(&new, &["--contract"]);
    });
    let mut seen = seen.into_inner().unwrap();
    let mut changing = Seen::default();
    for (name, mut latencies) in
        [("expanding", expanding), ("both versions", both), ("contracting", contracting)]
    {
        eprintln!("{name}: {}", p99(&mut latencies));
        changing.latencies.extend(latencies);
    }
    let (quiet, changing) = (p99(&mut quiet), p99(&mut changing.latencies));
    eprintln!("quiet: {quiet}; changing: {changing}");
    // `cargo xtask migrate` asks for twice the quiet one, which some runs miss by far (ADR 0016). Here what is held off is a stall:
    // somebody who waits behind a lock.
    let most = match std::env::var_os("MIMAR_P99") {
        Some(_) => quiet.latency * 2,
        None => Duration::from_secs(1),
    };
    assert!(changing.latency <= most, "{changing}, while quiet it was {quiet}");
    let failures = std::mem::take(&mut seen.failures);
    eprintln!("killed {kills} times");
    assert!(failures.is_empty(), "{} failed: {:#?}", failures.len(), &failures[..1]);
    // As many steps as there are.
    assert!(kills >= 10, "{kills}");
    drop(second);
    // Nobody runs who knows the other names.
    assert!(migrate(&new, &[]).status.success());
    let columns = testbed::postgres().psql(
        database,
        "SELECT string_agg(attname, ' ' ORDER BY attname) FROM pg_attribute \
         WHERE attrelid = 'product'::regclass AND attnum > 0 AND NOT attisdropped",
    );
    assert_eq!(columns.trim(), "brand id line maker price row_version state stock tag title");
    let count = testbed::postgres().psql(
        database,
        "SELECT count(*) FROM product WHERE title IS NULL OR price IS NULL OR state NOT IN ('open', 'closed')",
    );
    assert_eq!(count.trim(), "0");
    drop(new.serve());
}

/// Clients ask while something happens; how long they waited for answers.
fn load(
    seen: &Mutex<Seen>,
    servers: &[(Version, SocketAddr)],
    happens: impl FnOnce(),
) -> Vec<Duration> {
    let ended = AtomicBool::new(false);
    thread::scope(|scope| {
        for number in 0..CLIENTS {
            let (version, address) = servers[number as usize % servers.len()];
            let ended = &ended;
            scope.spawn(move || ask(seen, version, address, ended));
        }
        happens();
        ended.store(true, Ordering::Release);
    });
    std::mem::take(&mut seen.lock().unwrap().latencies)
}

/// One client, at its own pace whatever the answers take.
fn ask(seen: &Mutex<Seen>, version: Version, address: SocketAddr, ended: &AtomicBool) {
    let mut random = Random::seeded("schema change");
    let mut client = Client::connect(address).unwrap();
    let pause = Duration::from_secs(1) * CLIENTS / RATE;
    let mut next = Instant::now();
    let mut made: Vec<u64> = Vec::new();
    while !ended.load(Ordering::Acquire) {
        thread::sleep(next.saturating_duration_since(Instant::now()));
        // From when it should have been sent: a stall is seen by all who come in it.
        let began = next;
        next += pause;
        let id = 1 + random.below(ROWS);
        let (name, price, state): (_, Value, _) = match version {
            Version::Old => ("name", json!(random.below(1000)), "gone"),
            Version::New => ("title", json!(format!("{}.25", random.below(1000))), "closed"),
        };
        let (request, wanted) = match random.below(10) {
            0..=3 => (Request::get(format!("/v1/products/{id}")), 200),
            4..=5 => (Request::get(format!("/v1/products?{name}=product+{id}")), 200),
            6..=7 => {
                (Request::patch(format!("/v1/products/{id}"), &json!({ "price": price })), 200)
            }
            8 => {
                let mut body = json!({ "price": price, "state": state, "maker": 1 + id % 100 });
                body[name] = json!(format!("made {id}"));
                if version == Version::Old {
                    body["colour"] = json!("blue");
                    body["label"] = json!("acme one");
                } else {
                    body["brand"] = json!("acme");
                    body["line"] = json!("two");
                }
                (Request::post("/v1/products", &body), 201)
            }
            _ => match made.pop() {
                Some(id) => (Request::delete(format!("/v1/products/{id}")), 204),
                None => (Request::get(format!("/v1/makers/{}", 1 + id % 100)), 200),
            },
        };
        let answer = client.send(&request).unwrap();
        let took = began.elapsed();
        if answer.status == 201 {
            made.extend(answer.json()["id"].as_u64());
        }
        let mut seen = seen.lock().unwrap();
        seen.latencies.push(took);
        if answer.status != wanted {
            seen.failures.push(format!("{version:?}: {request:?}\n{answer}"));
        }
    }
}

/// What each version writes, the other reads in its own words.
fn each_reads_what_the_other_wrote(old: SocketAddr, new: SocketAddr) {
    let mut old = Client::connect(old).unwrap();
    let mut new = Client::connect(new).unwrap();
    let body = json!({
        "name": "by the old", "price": 7, "state": "gone", "colour": "red", "label": "acme super two",
    });
    let id =
        old.send(&Request::post("/v1/products", &body)).unwrap().expect(201).json()["id"].clone();
    let path = format!("/v1/products/{id}");
    let read = new.send(&Request::get(&path)).unwrap().expect(200).json();
    assert_eq!(
        (&read["title"], &read["price"], &read["state"], &read["stock"]),
        (&json!("by the old"), &json!("7.00"), &json!("closed"), &json!(3))
    );
    assert_eq!((&read["brand"], &read["line"]), (&json!("acme"), &json!("super two")));
    let change =
        json!({ "title": "by the new", "price": "8.60", "state": "open", "line": "three" });
    new.send(&Request::patch(&path, &change)).unwrap().expect(200);
    let read = old.send(&Request::get(&path)).unwrap().expect(200).json();
    assert_eq!(
        (&read["name"], &read["price"], &read["state"], &read["colour"]),
        (&json!("by the new"), &json!(9), &json!("open"), &json!("red"))
    );
    assert_eq!(read["label"], "acme three");
}

fn command(project: &Project, arguments: &[&str]) -> Command {
    let mut command = Command::new(binary());
    command.args(["migrate", "apply"]).arg(&project.model);
    command.arg("--database").arg(&project.database).args(arguments).stdin(Stdio::null());
    command
}

fn migrate(project: &Project, arguments: &[&str]) -> std::process::Output {
    command(project, arguments).output().unwrap()
}

/// Carries the half of a change out in processes that are each killed at the first step that no other was killed at. Answers how many steps
/// were begun within 40 ms before a kill.
fn killed_at_every_step(project: &Project, arguments: &[&str]) -> usize {
    let mut killed = BTreeSet::new();
    loop {
        let mut child = command(project, arguments).stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut said = Vec::new();
        let mut is_killed = false;
        while let Some(line) = lines.next() {
            let line = line.unwrap();
            let begun = step(&line);
            said.push(line);
            if !begun.is_some_and(|step| killed.insert(step)) {
                continue;
            }
            // Between a moment after the step has begun and one into the next, which is then never begun again.
            thread::sleep(Duration::from_millis(killed.len() as u64 * 7 % 40));
            child.kill().unwrap();
            killed.extend(lines.by_ref().filter_map(|line| step(&line.unwrap())));
            is_killed = true;
            break;
        }
        let ended = child.wait().unwrap();
        if !is_killed {
            assert!(ended.success(), "{said:#?}");
            return killed.len();
        }
    }
}

/// The number in "  3/10  `product`: fill the rows that are there".
fn step(line: &str) -> Option<u32> {
    line.trim_start().split_once('/')?.0.parse().ok()
}

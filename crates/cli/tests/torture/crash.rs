//! `kill -9` during 200 concurrent writers: what was acknowledged is there, and nothing is half there.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};
use serde_json::{Value, json};

use crate::harness::{Client, Project, Random, Request, Server, beside, both, token};

const WRITERS: usize = 200;
const ROUNDS: usize = 20;
/// On PostgreSQL it is the server's to survive; what is ours is that nothing is acknowledged that it has not committed.
const ROUNDS_BESIDE: usize = 5;

/// What a basket must look like: which of its versions was acknowledged, and which one was on its way.
#[derive(Debug, Clone, Default)]
struct Expected {
    acknowledged: Option<Shape>,
    under_way: Option<Shape>,
}

/// A version of a basket: as many items as this, all of one name.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Shape {
    version: u64,
    items: u64,
}

impl Shape {
    fn new(version: u64, random: &mut Random) -> Self {
        Self { version, items: 1 + random.below(5) }
    }

    fn name(&self) -> String {
        format!("version {}", self.version)
    }

    /// All items alike, so that a mixture of two versions shows.
    fn items(&self) -> Value {
        let item = json!({ "name": self.name(), "quantity": 2, "price": "1.25" });
        (0..self.items).map(|_| item.clone()).collect()
    }
}

#[test]
fn an_acknowledged_write_survives_kill_9() {
    both(|| {
        let project = Project::ledger();
        let rounds = if project.is_file() { ROUNDS } else { ROUNDS_BESIDE };
        killed_again_and_again(&project, rounds);
    });
}

fn killed_again_and_again(project: &Project, rounds: usize) {
    let _turn = beside();
    let mut random = Random::seeded("kill -9");
    let mut expected: HashMap<String, Expected> = HashMap::new();
    for round in 0..rounds {
        let mut server = project.serve();
        verify(project, &server, &expected, round);
        for (label, mut seen) in write_until_killed(&mut server, &mut random, round) {
            // What was on its way when the process died may be there or not; the next round saw which.
            seen.under_way =
                seen.under_way.filter(|shape| Some(shape) != seen.acknowledged.as_ref());
            expected.insert(label, seen);
        }
    }
    let server = project.serve();
    verify(project, &server, &expected, rounds);
    let acknowledged = expected.values().filter(|basket| basket.acknowledged.is_some()).count();
    eprintln!("kill -9: {acknowledged} baskets were acknowledged in {rounds} rounds");
    assert!(acknowledged > rounds * 50, "hardly anything was written: {acknowledged}");
}

fn write_until_killed(
    server: &mut Server,
    random: &mut Random,
    round: usize,
) -> Vec<(String, Expected)> {
    let token = token("writer", None);
    let stop = AtomicBool::new(false);
    let address = server.address;
    let randoms: Vec<Random> = (0..WRITERS).map(|_| random.split()).collect();
    let pause = Duration::from_millis(80 + random.below(400));
    thread::scope(|scope| {
        let writers: Vec<_> = (0..)
            .zip(randoms)
            .map(|(writer, mut random)| {
                let (token, stop) = (&token, &stop);
                scope.spawn(move || {
                    let mut baskets = Vec::new();
                    if let Ok(mut client) = Client::connect(address) {
                        while !stop.load(Ordering::Relaxed) {
                            let label = format!("{round}/{writer}/{}", baskets.len());
                            let (basket, alive) =
                                one_basket(&mut client, token, &label, &mut random);
                            baskets.push((label, basket));
                            if !alive {
                                break;
                            }
                        }
                    }
                    baskets
                })
            })
            .collect();
        thread::sleep(pause);
        server.kill();
        stop.store(true, Ordering::Relaxed);
        writers.into_iter().flat_map(|writer| writer.join().unwrap()).collect()
    })
}

/// Posts a basket, then replaces all its items once or twice; false if the server died meanwhile.
fn one_basket(
    client: &mut Client,
    token: &str,
    label: &str,
    random: &mut Random,
) -> (Expected, bool) {
    let mut basket = Expected::default();
    let first = Shape::new(1, random);
    basket.under_way = Some(first.clone());
    let post = Request::post("/v1/baskets", &json!({ "label": label, "items": first.items() }));
    let Ok(answer) = client.send(&post.token(token)) else { return (basket, false) };
    let answer = answer.expect(201);
    basket.acknowledged = Some(first);
    let id = answer.json()["id"].as_str().unwrap().to_string();
    for version in 2..2 + random.below(3) {
        let next = Shape::new(version, random);
        basket.under_way = Some(next.clone());
        let patch = Request::patch(format!("/v1/baskets/{id}"), &json!({ "items": next.items() }));
        let Ok(answer) = client.send(&patch.token(token)) else { return (basket, false) };
        answer.expect(200);
        basket.acknowledged = Some(next);
    }
    (basket, true)
}

/// A basket as the database holds it, with what its items come to.
struct Stored {
    label: String,
    /// Cents.
    total: i64,
    amount: i64,
    items: i64,
    /// Cents.
    worth: Option<i64>,
    names: (String, String),
    positions: (i64, i64),
}

/// Every basket. Left join: a root without its parts must show, too.
fn stored(project: &Project, round: usize) -> Vec<Stored> {
    if project.is_file() { stored_in_file(project, round) } else { stored_on_server(project) }
}

fn stored_on_server(project: &Project) -> Vec<Stored> {
    let (_, name) = project.database.rsplit_once('/').unwrap();
    let rows = testbed::postgres().psql(
        name,
        "SELECT b.label, (b.total * 100)::bigint, b.amount, count(i.basket), \
         (sum(i.quantity * i.price) * 100)::bigint, min(i.name), max(i.name), min(i.position), max(i.position) \
         FROM basket b LEFT JOIN item i ON i.basket = b.id GROUP BY b.id",
    );
    let number = |text: &str| text.parse::<i64>().unwrap_or(-1);
    rows.lines()
        .map(|line| {
            let cells: Vec<&str> = line.split('|').collect();
            Stored {
                label: cells[0].to_owned(),
                total: number(cells[1]),
                amount: number(cells[2]),
                items: number(cells[3]),
                worth: cells[4].parse().ok(),
                names: (cells[5].to_owned(), cells[6].to_owned()),
                positions: (number(cells[7]), number(cells[8])),
            }
        })
        .collect()
}

fn stored_in_file(project: &Project, round: usize) -> Vec<Stored> {
    let database =
        Connection::open_with_flags(&project.database, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
    let verdict: String =
        database.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(verdict, "ok", "after round {round}");
    let dangling = database.prepare("PRAGMA foreign_key_check").unwrap().exists([]).unwrap();
    assert!(!dangling, "a reference leads nowhere after round {round}");

    let mut statement = database
        .prepare(
            "SELECT b.label, b.total, b.amount, count(i.basket), sum(i.quantity * i.price), \
             min(i.name), max(i.name), min(i.position), max(i.position) \
             FROM basket b LEFT JOIN item i ON i.basket = b.id GROUP BY b.id",
        )
        .unwrap();
    let rows = statement.query_map([], |row| {
        Ok(Stored {
            label: row.get(0)?,
            total: row.get(1)?,
            amount: row.get(2)?,
            items: row.get(3)?,
            worth: row.get(4)?,
            names: (
                row.get::<_, Option<_>>(5)?.unwrap_or_default(),
                row.get::<_, Option<_>>(6)?.unwrap_or_default(),
            ),
            positions: (
                row.get::<_, Option<_>>(7)?.unwrap_or(-1),
                row.get::<_, Option<_>>(8)?.unwrap_or(-1),
            ),
        })
    });
    rows.unwrap().map(Result::unwrap).collect()
}

fn verify(project: &Project, server: &Server, expected: &HashMap<String, Expected>, round: usize) {
    let mut found = 0;
    for Stored { label, total, amount, items: count, worth, names, positions } in
        stored(project, round)
    {
        assert!(count > 0, "{label} has lost its parts");
        assert_eq!(amount, count, "{label}: the count is of another version than the parts");
        assert_eq!(Some(total), worth, "{label}: the total is not its parts'");
        let (first, last) = names;
        assert_eq!(first, last, "{label}: parts of two versions");
        assert_eq!((1, count), positions, "{label}: positions");
        let basket = &expected[&label];
        let stands = |shape: &Option<Shape>| {
            shape.as_ref().is_some_and(|shape| shape.name() == first && shape.items == count as u64)
        };
        assert!(
            stands(&basket.acknowledged) || stands(&basket.under_way),
            "{label} is {count} × {first:?}, of {basket:?}"
        );
        found += usize::from(basket.acknowledged.is_some());
    }
    let acknowledged = expected.values().filter(|basket| basket.acknowledged.is_some()).count();
    assert_eq!(found, acknowledged, "acknowledged baskets are missing after round {round}");

    // And the server says the same of some of the last round.
    let token = token("writer", None);
    let before = format!("{}/", round.wrapping_sub(1));
    let mut client = server.client();
    for (label, basket) in expected.iter().filter(|(label, _)| label.starts_with(&before)).take(40)
    {
        let list = format!("/v1/baskets?label={label}&include=items");
        let answer = client.send(&Request::get(list).token(&token)).unwrap().expect(200);
        let rows = answer.json();
        let Some(row) = rows["data"].get(0) else {
            assert!(basket.acknowledged.is_none(), "{label} is not served: {answer}");
            continue;
        };
        let items = row["items"].as_array().unwrap();
        assert_eq!(row["total"], format!("{:.2}", items.len() as f64 * 2.5), "{answer}");
        assert_eq!(row["amount"], items.len(), "{answer}");
    }
}

//! `kill -9` during 200 concurrent orders: a command happens whole or not at all, and once for each key.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rusqlite::{Connection, OpenFlags};
use serde_json::{Value, json};

use crate::harness::{Answer, Client, Project, Random, Request, Server, beside, both, token};

const CUSTOMERS: usize = 200;
const ROUNDS: usize = 50;
const PRODUCTS: u64 = 6;
/// The first product runs out.
const SCARCE: u64 = 4_000;
const PLENTY: u64 = 10_000_000;
/// How many keys events have.
pub(crate) const COUNTERS: u64 = 16;
/// How long what is left to be heard may take in the end.
const PATIENCE: Duration = Duration::from_secs(180);

/// What was asked for under one label, which is its key as well.
#[derive(Debug, Clone)]
struct Asked {
    counter: u64,
    basket: Vec<(u64, u64)>,
    outcome: Outcome,
}

/// What became of it, as far as its customer knows.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Outcome {
    /// The server died meanwhile.
    Unknown,
    /// It was placed: the answer.
    Placed(String),
    /// There was not as much.
    Refused,
}

impl Asked {
    fn new(random: &mut Random) -> Self {
        let count = 1 + random.below(3);
        let basket = (0..count).map(|_| (random.below(PRODUCTS), 1 + random.below(3))).collect();
        Self { counter: random.below(COUNTERS), basket, outcome: Outcome::Unknown }
    }

    fn request(&self, label: &str, token: &str) -> Request {
        let items: Vec<Value> = self
            .basket
            .iter()
            .map(|(product, quantity)| json!({ "product": sku(*product), "quantity": quantity }))
            .collect();
        let body = json!({ "label": label, "counter": self.counter, "basket": items });
        Request::post("/v1/place-order", &body).token(token).header("Idempotency-Key", label)
    }

    fn pieces(&self) -> u64 {
        self.basket.iter().map(|(_, quantity)| quantity).sum()
    }

    /// In cents.
    fn total(&self) -> u64 {
        self.basket.iter().map(|(product, quantity)| price(*product) * quantity).sum()
    }
}

pub(crate) fn sku(product: u64) -> String {
    format!("p{product}")
}

/// In cents.
fn price(product: u64) -> u64 {
    125 + product * 50
}

fn stock(product: u64) -> u64 {
    if product == 0 { SCARCE } else { PLENTY }
}

#[test]
fn an_order_is_placed_whole_and_once_whenever_the_server_dies() {
    both(|| {
        let _turn = beside();
        let mut random = Random::seeded("kill -9 during commands");
        let project = Project::of(include_str!("orders.mimar"));
        fill(&project.serve());
        let mut asked: HashMap<String, Asked> = HashMap::new();
        for round in 0..ROUNDS {
            let mut server = project.serve();
            ask_again(&server, &mut asked, round);
            verify(&project, &asked, round);
            asked.extend(order_until_killed(&mut server, &mut random, round));
        }
        let server = project.serve();
        ask_again(&server, &mut asked, ROUNDS);
        verify(&project, &asked, ROUNDS);
        verify_heard(&project);
        let of = |wanted: fn(&Outcome) -> bool| {
            asked.values().filter(|asked| wanted(&asked.outcome)).count()
        };
        let placed = of(|outcome| matches!(outcome, Outcome::Placed(_)));
        let refused = of(|outcome| *outcome == Outcome::Refused);
        eprintln!("kill -9: {placed} orders were placed and {refused} refused in {ROUNDS} rounds");
        assert!(placed > ROUNDS * 20, "hardly anything was placed: {placed}");
    });
}

pub(crate) fn fill(server: &Server) {
    let clerk = token("clerk", None);
    for product in 0..PRODUCTS {
        let price = format!("{:.2}", price(product) as f64 / 100.0);
        let body = json!({ "sku": sku(product), "price": price, "stock": stock(product) });
        server.send(&Request::post("/v1/products", &body).token(&clerk)).expect(201);
    }
    let body = json!({ "id": 1, "email": "ada@example.org" });
    server.send(&Request::post("/v1/customers", &body).token(&clerk)).expect(201);
}

/// Orders by many customers at once, until the server is killed in the middle.
fn order_until_killed(
    server: &mut Server,
    random: &mut Random,
    round: usize,
) -> Vec<(String, Asked)> {
    let token = token("customer", Some("1"));
    let stop = AtomicBool::new(false);
    let address = server.address;
    let randoms: Vec<Random> = (0..CUSTOMERS).map(|_| random.split()).collect();
    let pause = Duration::from_millis(60 + random.below(240));
    thread::scope(|scope| {
        let customers: Vec<_> = (0..)
            .zip(randoms)
            .map(|(customer, mut random)| {
                let (token, stop) = (&token, &stop);
                scope.spawn(move || {
                    let mut all = Vec::new();
                    let Ok(mut client) = Client::connect(address) else { return all };
                    while !stop.load(Ordering::Relaxed) {
                        let label = format!("{round}-{customer}-{}", all.len());
                        let mut asked = Asked::new(&mut random);
                        let answer = client.send(&asked.request(&label, token));
                        let lives = answer.is_ok();
                        if let Ok(answer) = answer {
                            asked.outcome = outcome(&answer);
                        }
                        all.push((label, asked));
                        if !lives {
                            break;
                        }
                    }
                    all
                })
            })
            .collect();
        thread::sleep(pause);
        server.kill();
        stop.store(true, Ordering::Relaxed);
        customers.into_iter().flat_map(|customer| customer.join().unwrap()).collect()
    })
}

fn outcome(answer: &Answer) -> Outcome {
    match answer.status {
        200 => Outcome::Placed(answer.text()),
        409 => match answer.expect_problem()["code"].as_str() {
            Some("out_of_stock") => Outcome::Refused,
            // On PostgreSQL what the dead server has begun may not have ended yet.
            Some("request_in_flight") => Outcome::Unknown,
            _ => panic!("{answer}"),
        },
        // Too many at once: nothing has happened.
        503 => Outcome::Unknown,
        _ => panic!("{answer}"),
    }
}

/// Who was not answered asks again with the same key, and some who were do so, too.
fn ask_again(server: &Server, asked: &mut HashMap<String, Asked>, round: usize) {
    let token = token("customer", Some("1"));
    let before = format!("{}-", round.wrapping_sub(1));
    let mut client = server.client();
    let mut answered = 0;
    for (label, asked) in asked.iter_mut().filter(|(label, _)| label.starts_with(&before)) {
        let known = match &asked.outcome {
            Outcome::Unknown => None,
            Outcome::Placed(answer) if answered < 20 => {
                answered += 1;
                Some(answer.clone())
            }
            _ => continue,
        };
        let deadline = Instant::now() + Duration::from_secs(10);
        let answer = loop {
            let answer = client.send(&asked.request(label, &token)).unwrap();
            if outcome(&answer) != Outcome::Unknown || Instant::now() > deadline {
                break answer;
            }
            thread::sleep(Duration::from_millis(20));
        };
        let replayed = answer.header("idempotency-replayed") == Some("true");
        asked.outcome = outcome(&answer);
        if let Some(known) = known {
            assert!(replayed, "{label} was placed once more: {answer}");
            assert_eq!(asked.outcome, Outcome::Placed(known), "{label}");
        }
        assert_ne!(asked.outcome, Outcome::Unknown, "{label}: {answer}");
    }
}

/// What a query answers, as texts; null is an empty one. `cents(…)` is an amount of money as a whole number.
pub(crate) fn query(project: &Project, sql: &str) -> Vec<Vec<String>> {
    if project.is_file() {
        let database =
            Connection::open_with_flags(&project.database, OpenFlags::SQLITE_OPEN_READ_ONLY);
        let database = database.unwrap();
        // Amounts are stored as such.
        let mut statement = database.prepare(&sql.replace("cents(", "(1 * ")).unwrap();
        let columns = statement.column_count();
        let rows = statement.query_map([], |row| {
            let cell = |at| row.get::<_, rusqlite::types::Value>(at);
            (0..columns).map(cell).collect::<Result<Vec<_>, _>>()
        });
        let text = |value: rusqlite::types::Value| match value {
            rusqlite::types::Value::Integer(number) => number.to_string(),
            rusqlite::types::Value::Text(text) => text,
            _ => String::new(),
        };
        return rows.unwrap().map(|row| row.unwrap().into_iter().map(text).collect()).collect();
    }
    let (_, name) = project.database.rsplit_once('/').unwrap();
    let sql = sql.replace("cents(", "trunc(100 * ").replace("mimar_", "mimar.");
    let rows = testbed::postgres().psql(name, &sql);
    rows.lines().map(|line| line.split('|').map(str::to_owned).collect()).collect()
}

/// Waits until all has been heard, and looks whether it was heard once, and in the order of its counter.
pub(crate) fn verify_heard(project: &Project) {
    let began = Instant::now();
    let left = loop {
        let left = query(
            project,
            "SELECT count(*), coalesce(sum(failures), 0) FROM mimar_task WHERE target NOT LIKE 'job %'",
        );
        if left[0][0] == "0" || began.elapsed() > PATIENCE {
            break left;
        }
        thread::sleep(Duration::from_millis(200));
    };
    assert_eq!(left[0][0], "0", "left to be heard after {PATIENCE:?}, and failures: {left:?}");
    let sql = "SELECT CAST(data AS text) FROM mimar_event ORDER BY number";
    let mut published: HashMap<u64, Vec<String>> = HashMap::new();
    for row in query(project, sql) {
        let data: Value = serde_json::from_str(&row[0]).unwrap();
        let counter = published.entry(data["counter"].as_u64().unwrap()).or_default();
        counter.push(data["label"].as_str().unwrap().to_owned());
    }
    let mut heard: HashMap<u64, Vec<String>> = HashMap::new();
    for row in query(project, "SELECT counter, label FROM heard ORDER BY number") {
        heard.entry(row[0].parse().unwrap()).or_default().push(row[1].clone());
    }
    assert_eq!(heard.len() as u64, COUNTERS, "hardly anything was heard");
    for (counter, labels) in &published {
        let wrong = heard[counter].iter().zip(labels).find(|(heard, published)| heard != published);
        assert_eq!(wrong, None, "what was heard at counter {counter}, and what should have been");
        assert_eq!(heard[counter].len(), labels.len(), "at counter {counter}");
    }
    let count = published.values().map(Vec::len).sum::<usize>();
    let last = began.elapsed();
    eprintln!("all of {count} events were heard, the last {last:?} after the last round");
}

/// Looks at the orders of the round before, and every tenth time at all of them.
fn verify(project: &Project, asked: &HashMap<String, Asked>, round: usize) {
    let before = if round.is_multiple_of(10) { String::new() } else { format!("{}-", round - 1) };
    if project.is_file() {
        assert_eq!(query(project, "PRAGMA integrity_check"), [["ok"]], "after round {round}");
        assert!(query(project, "PRAGMA foreign_key_check").is_empty(), "after round {round}");
    }
    let number = |text: &str| text.parse::<u64>().unwrap_or_else(|_| panic!("{text:?}"));
    // What is on the shelf, and what was sold.
    let sql = "SELECT p.sku, p.stock, sum(l.quantity) FROM product p LEFT JOIN line l ON l.product = p.sku \
               GROUP BY p.sku, p.stock ORDER BY p.sku";
    for (product, row) in (0..).zip(query(project, sql)) {
        let sold = if row[2].is_empty() { 0 } else { number(&row[2]) };
        assert_eq!(number(&row[1]) + sold, stock(product), "{}, after round {round}", row[0]);
    }
    // Left join: an order without its lines must show, too.
    let sql = format!(
        "SELECT o.label, cents(o.total), o.pieces, count(l.position), sum(l.quantity), \
               cents(sum(l.quantity * l.price)), max(l.position) \
               FROM \"order\" o LEFT JOIN line l ON l.\"order\" = o.number \
               WHERE o.label LIKE '{before}%' GROUP BY o.number, o.label, o.total, o.pieces"
    );
    let mut found: HashMap<String, usize> = HashMap::new();
    for row in query(project, &sql) {
        let label = row[0].clone();
        let asked = asked.get(&label).unwrap_or_else(|| panic!("nobody has asked for {label}"));
        let (lines, total, pieces) = (asked.basket.len() as u64, asked.total(), asked.pieces());
        let stored: Vec<u64> = row[1..].iter().map(|cell| number(cell)).collect();
        let wanted = [total, pieces, lines, pieces, total, lines];
        assert_eq!(stored, wanted, "{label} is another one, after round {round}");
        *found.entry(label).or_default() += 1;
    }
    let sql = format!(
        "SELECT CAST(data AS text), count(*) FROM mimar_event WHERE CAST(data AS text) LIKE '%\"label\":\"{before}%' GROUP BY 1"
    );
    let events: HashMap<String, u64> = query(project, &sql)
        .into_iter()
        .map(|row| {
            let data: Value = serde_json::from_str(&row[0]).unwrap();
            (data["label"].as_str().unwrap().to_owned(), number(&row[1]))
        })
        .collect();
    for (label, Asked { outcome, .. }) in
        asked.iter().filter(|(label, _)| label.starts_with(&before))
    {
        let wanted = usize::from(matches!(outcome, Outcome::Placed(_)));
        assert_eq!(found.get(label).copied().unwrap_or(0), wanted, "{label}: {outcome:?}");
        // An event leaves with its transaction, and not without it.
        assert_eq!(events.get(label).copied().unwrap_or(0), wanted as u64, "event of {label}");
    }
    assert_eq!(events.len(), found.len(), "events of nothing, after round {round}");
}

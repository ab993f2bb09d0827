//! Chance: requests put together from pieces, right and wrong. No 5xx, and every refusal is a problem document.

use serde_json::{Value, json};

use super::Scene;
use crate::harness::{Random, Request, beside, both};

const ROUNDS: usize = 6_000;

const NAMES: [&str; 16] = [
    "id",
    "label",
    "owner",
    "state",
    "total",
    "amount",
    "note",
    "items",
    "items.name",
    "owner.email",
    "name",
    "value",
    "nope",
    "",
    "ß",
    "row_version",
];
const WORDS: [&str; 10] = ["eq", "ne", "lt", "lte", "gt", "gte", "in", "null", "like", ""];
const VALUES: [&str; 20] = [
    "1",
    "-1",
    "0",
    "x",
    "",
    "true",
    "null",
    "open",
    "open,closed",
    "1.00",
    "1e3",
    "9223372036854775807",
    "9223372036854775808",
    "%00",
    "%ff",
    "%",
    "+",
    "2024-02-30",
    "00000000-0000-0000-0000-000000000000",
    "a,b,,c",
];

#[test]
fn requests_made_of_chance_never_break_the_server() {
    both(|| {
        let _turn = beside();
        let mut random = Random::seeded("fuzz");
        let scene = Scene::new();
        let nobody = String::new();
        let tokens = [&scene.writer, &scene.reader, &scene.owners[0], &scene.owners[1], &nobody];
        let mut client = scene.server.client();
        let mut fine = 0;
        for _ in 0..ROUNDS {
            let request = request(&mut random, &scene);
            let token = *random.pick(&tokens);
            let request = request.token(token);
            let answer = match client.send(&request) {
                Ok(answer) => answer,
                Err(_) => {
                    client = scene.server.client();
                    client.send(&request).unwrap_or_else(|error| panic!("{request:?}: {error}"))
                }
            };
            assert!(answer.status < 500, "{request:?}\n{answer}");
            match answer.status {
                200..=299 => fine += 1,
                304 => {}
                _ if answer.body.is_empty() => {}
                _ => drop(answer.expect_problem()),
            }
        }
        eprintln!("fuzz: {fine} of {ROUNDS} were fine");
        assert!(fine > ROUNDS / 50, "chance never hit: {fine}");
    });
}

fn request(random: &mut Random, scene: &Scene) -> Request {
    let target = target(random, scene);
    match random.below(8) {
        0 => Request::post(target, &value(random, 0)),
        1 => Request::patch(target, &value(random, 0)),
        2 => Request::put(target, &value(random, 0)),
        3 => {
            let method: &&'static str = random.pick(&["HEAD", "OPTIONS"]);
            Request::new(method, target)
        }
        4 => Request::get(target).header("If-None-Match", random.pick(&VALUES)),
        5 => Request::patch(target, &value(random, 0))
            .header("If-Match", random.pick(&["\"1\"", "*", "\"x\""])),
        _ => Request::get(target),
    }
}

fn target(random: &mut Random, scene: &Scene) -> String {
    let owner = random.below(2) as usize;
    let basket = random.pick(&scene.baskets[owner]).clone();
    let mut target = match random.below(8) {
        0 => "/v1/counters".to_string(),
        1 => format!("/v1/counters/{}", random.pick(&VALUES)),
        2 | 3 => format!("/v1/baskets/{basket}"),
        4 => format!("/v1/baskets/{basket}/items"),
        5 => format!("/v1/baskets/{basket}/items/{}", random.pick(&VALUES)),
        _ => "/v1/baskets".to_string(),
    };
    for number in 0..random.below(4) {
        target.push(if number == 0 { '?' } else { '&' });
        target.push_str(&parameter(random));
    }
    target
}

fn parameter(random: &mut Random) -> String {
    let (name, value) = (*random.pick(&NAMES), *random.pick(&VALUES));
    match random.below(9) {
        0 => format!("sort={}{name}", random.pick(&["", "-", "--"])),
        1 => format!("limit={value}"),
        2 => format!("after={value}"),
        3 => format!("include={name}"),
        4 => format!("fields={name},{}", random.pick(&NAMES)),
        5 => format!("{name}={value}"),
        _ => format!("{name}[{}]={value}", random.pick(&WORDS)),
    }
}

fn value(random: &mut Random, depth: u32) -> Value {
    match random.below(if depth > 2 { 7 } else { 10 }) {
        0 => json!(null),
        1 => json!(random.next() as i64),
        2 => json!(f64::from_bits(random.next())),
        3 => json!(random.below(2) == 0),
        4 => json!("x".repeat(random.below(300) as usize)),
        5 => json!("1.00"),
        6 => json!(random.pick(&VALUES)),
        7 => (0..random.below(14)).map(|_| value(random, depth + 1)).collect(),
        _ => {
            let mut members = serde_json::Map::new();
            for _ in 0..random.below(6) {
                let name = *random.pick(&[
                    "label", "items", "name", "quantity", "price", "value", "note", "owner", "x",
                ]);
                members.insert(name.into(), value(random, depth + 1));
            }
            Value::Object(members)
        }
    }
}

/// A cursor is for one list in one order; whatever else is made of it is refused.
#[test]
fn cursors_of_others_and_mangled_ones_are_refused() {
    both(|| {
        let _turn = beside();
        let mut random = Random::seeded("cursors");
        let scene = Scene::new();
        let mut client = scene.server.client();
        let mut cursor = |query: &str, token: &str| {
            let answer = client
                .send(&Request::get(format!("/v1/baskets?limit=1{query}")).token(token))
                .unwrap();
            answer.expect(200).json()["next"].as_str().unwrap().to_string()
        };
        let own = cursor("&sort=label", &scene.writer);
        let foreign = [
            ("&sort=-label", own.clone()),
            ("&sort=owner,label", own.clone()),
            ("", own.clone()),
            ("&sort=label", cursor("", &scene.writer)),
            ("&sort=label", cursor("&sort=-label", &scene.writer)),
        ];
        for (query, cursor) in &foreign {
            let target = format!("/v1/baskets?limit=1{query}&after={cursor}");
            let answer = client.send(&Request::get(&target).token(&scene.writer)).unwrap();
            let problem = answer.expect_problem();
            assert_eq!(problem["errors"][0]["code"], "invalid_cursor", "{target}: {answer}");
        }
        for _ in 0..500 {
            let mut bytes = own.clone().into_bytes();
            match random.below(3) {
                0 => bytes.truncate(random.below(bytes.len() as u64) as usize),
                1 => {
                    let at = random.below(bytes.len() as u64) as usize;
                    bytes[at] = *random.pick(b"AZaz09-_=.%");
                }
                _ => bytes.extend(b"AAAA"),
            }
            let mangled = String::from_utf8_lossy(&bytes).replace('%', "%25");
            let target = format!("/v1/baskets?limit=1&sort=label&after={mangled}");
            let answer = client.send(&Request::get(&target).token(&scene.writer)).unwrap();
            assert!(answer.status < 500, "{target}: {answer}");
        }
        // A cursor says where to go on, never what may be seen: with another's, own rows only.
        let target = format!("/v1/baskets?limit=10&sort=label&after={own}");
        let answer = client.send(&Request::get(&target).token(&scene.owners[1])).unwrap();
        assert!(!answer.text().contains("basket 1-"), "{answer}");
    });
}

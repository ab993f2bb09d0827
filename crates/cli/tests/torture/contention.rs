//! Many at once: nobody's update is lost, and nobody pays for a neighbour's fault.

use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use serde_json::json;

use crate::harness::{Client, Project, Random, Request, beside, both, token};

#[test]
fn sixty_four_clients_on_one_counter_lose_no_update() {
    both(|| {
        const CLIENTS: u64 = 64;
        const EACH: u64 = 12;
        let _turn = beside();
        let project = Project::ledger();
        let server = project.serve();
        let token = token("writer", None);
        let created = server
            .send(&Request::post("/v1/counters", &json!({ "name": "one" })).token(&token))
            .expect(201);
        let target = created.header("location").unwrap().to_string();
        let refused = AtomicU64::new(0);
        thread::scope(|scope| {
            for _ in 0..CLIENTS {
                scope.spawn(|| {
                    let mut client = server.client();
                    let mut done = 0;
                    while done < EACH {
                        let read =
                            client.send(&Request::get(&target).token(&token)).unwrap().expect(200);
                        let value = read.json()["value"].as_u64().unwrap();
                        let patch = Request::patch(&target, &json!({ "value": value + 1 }))
                            .header("If-Match", read.header("etag").unwrap());
                        let answer = client.send(&patch.token(&token)).unwrap();
                        match answer.status {
                            200 => {
                                assert_eq!(answer.json()["value"], value + 1, "{answer}");
                                done += 1;
                            }
                            412 => {
                                refused.fetch_add(1, Ordering::Relaxed);
                            }
                            _ => panic!("{answer}"),
                        }
                    }
                });
            }
        });
        let read = server.send(&Request::get(&target).token(&token)).expect(200);
        assert_eq!(read.json()["value"], CLIENTS * EACH, "{read}");
        eprintln!("one counter: {} retries", refused.load(Ordering::Relaxed));
    });
}

#[test]
fn one_failing_request_in_a_commit_group_harms_no_other() {
    both(|| {
        const CLIENTS: u64 = 48;
        const EACH: u64 = 40;
        let _turn = beside();
        let mut random = Random::seeded("commit group");
        let project = Project::ledger();
        let server = project.serve();
        let writer = token("writer", None);
        let taken =
            json!({ "label": "taken", "items": [{ "name": "x", "quantity": 1, "price": "1.00" }] });
        server.send(&Request::post("/v1/baskets", &taken).token(&writer)).expect(201);
        let randoms: Vec<Random> = (0..CLIENTS).map(|_| random.split()).collect();
        thread::scope(|scope| {
            for (number, mut random) in (0..).zip(randoms) {
                let (server, writer) = (&server, &writer);
                scope.spawn(move || {
                    let mut client = server.client();
                    for turn in 0..EACH {
                        one_turn(&mut client, writer, &format!("{number}-{turn}"), &mut random);
                    }
                });
            }
        });
        let rows = server.all(&writer, "/v1/baskets?include=items");
        let good =
            rows.iter().filter(|row| row["label"].as_str().unwrap().starts_with("good ")).count();
        assert_eq!(good as u64, CLIENTS * EACH, "a good one is missing");
        assert_eq!(rows.len(), good + 1, "a bad one left something behind");
        for row in &rows {
            assert_eq!(row["amount"], row["items"].as_array().unwrap().len(), "{row}");
        }
    });
}

/// One good write, and one that only the store can refuse, for a reason of its own each time.
fn one_turn(client: &mut Client, writer: &str, name: &str, random: &mut Random) {
    let item = json!({ "name": "x", "quantity": 100, "price": "90.00" });
    let bad = match random.below(4) {
        0 => json!({ "label": "taken", "items": [item] }),
        1 => json!({ "label": format!("bad {name}"), "items": [item, item] }),
        2 => json!({ "label": format!("bad {name}"), "owner": 4_711, "items": [item] }),
        _ => json!({ "label": format!("bad {name}"), "items": [] }),
    };
    let refused = client.send(&Request::post("/v1/baskets", &bad).token(writer)).unwrap();
    refused.expect_problem();
    let good = json!({ "label": format!("good {name}"), "items": [item] });
    client.send(&Request::post("/v1/baskets", &good).token(writer)).unwrap().expect(201);
}

#[test]
fn two_callers_interleaved_never_see_each_others_rows() {
    both(|| {
        // 100,000 requests where it is fast; the binary that cargo builds for its tests is not.
        let requests: u64 = if cfg!(debug_assertions) && std::env::var_os("MIMAR_BINARY").is_none()
        {
            10_000
        } else {
            100_000
        };
        const CLIENTS: u64 = 8;
        let _turn = beside();
        let mut random = Random::seeded("two callers");
        let project = Project::ledger();
        let server = project.serve();
        let writer = token("writer", None);
        let mut callers = Vec::new();
        for number in 1..=2_u64 {
            let email = format!("owner{number}@example.org");
            let owner = server
                .send(&Request::post("/v1/owners", &json!({ "email": email })).token(&writer))
                .expect(201)
                .json();
            let mut baskets = Vec::new();
            for turn in 0..5 {
                let body = json!({
                    "label": format!("canary-{number}-{turn}"), "owner": owner["id"], "note": "hidden",
                    "items": [{ "name": format!("canary-{number}"), "quantity": 1, "price": "1.00" }],
                });
                let made =
                    server.send(&Request::post("/v1/baskets", &body).token(&writer)).expect(201);
                baskets.push(made.json()["id"].as_str().unwrap().to_string());
            }
            callers.push((token("owner", Some(&owner["id"].to_string())), baskets));
        }
        let randoms: Vec<Random> = (0..CLIENTS).map(|_| random.split()).collect();
        thread::scope(|scope| {
            for mut random in randoms {
                let (server, callers) = (&server, &callers);
                scope.spawn(move || {
                    // One connection, two callers: what sticks to it would show.
                    let mut client = server.client();
                    for _ in 0..requests / CLIENTS {
                        let own = random.below(2) as usize;
                        ask(&mut client, &mut random, callers, own);
                    }
                });
            }
        });
    });
}

fn ask(client: &mut Client, random: &mut Random, callers: &[(String, Vec<String>)], own: usize) {
    let (token, baskets) = &callers[own];
    let (_, others) = &callers[1 - own];
    let foreign = format!("canary-{}", 2 - own);
    let (target, status) = match random.below(5) {
        0 => ("/v1/baskets?limit=10".to_string(), 200),
        1 => (format!("/v1/baskets/{}?include=items", random.pick(baskets)), 200),
        2 => (format!("/v1/baskets/{}", random.pick(others)), 404),
        3 => (format!("/v1/baskets/{}/items", random.pick(others)), 404),
        _ => (format!("/v1/baskets?label={foreign}-0"), 200),
    };
    let answer = client.send(&Request::get(&target).token(token)).unwrap().expect(status);
    let text = answer.text();
    assert!(!text.contains(&foreign) || status == 404, "{target} bleeds: {answer}");
    assert!(!text.contains("hidden"), "{target} shows what is not to be read: {answer}");
    if target.ends_with("limit=10") {
        assert_eq!(answer.json()["data"].as_array().unwrap().len(), 5, "{answer}");
    }
}

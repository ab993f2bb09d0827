//! An acknowledged write is seen by every read that begins after it: on any connection, by any road, kept answers and
//! kept snapshots notwithstanding.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::{Client, Project, Random, Request, beside, both, token};

const REGISTERS: usize = 6;
const READERS: usize = 6;
const ROUND: Duration = Duration::from_secs(4);

/// A basket that only ever grows: its note counts the writes, its items are as many as the count's last digit.
struct Register {
    label: String,
    place: String,
    /// The count of the last write that was acknowledged.
    acknowledged: AtomicU64,
}

fn body(count: u64) -> Value {
    let items: Vec<Value> = (0..=count % 9)
        .map(|_| json!({ "name": format!("n{count}"), "quantity": 1, "price": "1.00" }))
        .collect();
    json!({ "note": count.to_string(), "items": items })
}

#[test]
fn a_read_sees_every_write_acknowledged_before_it() {
    both(|| {
        let _turn = beside();
        let mut random = Random::seeded("freshness");
        let project = Project::ledger();
        let server = project.serve();
        let writer = token("writer", None);
        let owner = server
            .send(&Request::post("/v1/owners", &json!({ "email": "o@example.org" })).token(&writer))
            .expect(201)
            .json();
        let registers: Vec<Register> = (0..REGISTERS)
            .map(|number| {
                let label = format!("register-{number}");
                let mut first = body(0);
                first["label"] = json!(label);
                first["owner"] = owner["id"].clone();
                let made =
                    server.send(&Request::post("/v1/baskets", &first).token(&writer)).expect(201);
                let place = made.header("location").unwrap().to_string();
                Register { label, place, acknowledged: AtomicU64::new(0) }
            })
            .collect();
        let stop = AtomicBool::new(false);
        let reads = AtomicU64::new(0);
        let randoms: Vec<Random> = (0..READERS).map(|_| random.split()).collect();
        thread::scope(|scope| {
            for register in &registers {
                let (server, writer, stop) = (&server, &writer, &stop);
                scope.spawn(move || {
                    let mut client = server.client();
                    for count in 1.. {
                        if stop.load(Ordering::Relaxed) {
                            break;
                        }
                        let patch = Request::patch(&register.place, &body(count)).token(writer);
                        client.send(&patch).unwrap().expect(200);
                        register.acknowledged.store(count, Ordering::SeqCst);
                        // Calm now and then: that is when snapshots and files are kept.
                        if count % 40 == 0 {
                            thread::sleep(Duration::from_millis(30));
                        }
                    }
                });
            }
            for mut random in randoms {
                let (server, writer, stop) = (&server, &writer, &stop);
                let (registers, reads, owner) = (&registers, &reads, &owner["id"]);
                scope.spawn(move || {
                    let mut client = server.client();
                    while !stop.load(Ordering::Relaxed) {
                        let register = random.pick(registers);
                        look(&mut client, writer, register, owner, &mut random);
                        reads.fetch_add(1, Ordering::Relaxed);
                    }
                });
            }
            thread::sleep(ROUND);
            stop.store(true, Ordering::Relaxed);
        });
        let writes: u64 = registers.iter().map(|one| one.acknowledged.load(Ordering::SeqCst)).sum();
        let reads = reads.load(Ordering::Relaxed);
        eprintln!("freshness: {writes} writes, {reads} reads");
        assert!(
            writes > 100 && reads > 500,
            "hardly anything happened: {writes} writes, {reads} reads"
        );
    });
}

/// Looks at a register by one of many roads; what is seen is at least what was acknowledged before.
fn look(
    client: &mut Client,
    writer: &str,
    register: &Register,
    owner: &Value,
    random: &mut Random,
) {
    let before = register.acknowledged.load(Ordering::SeqCst);
    let place = &register.place;
    let target = match random.below(6) {
        0 => place.clone(),
        1 => format!("{place}?include=items"),
        2 => format!("/v1/baskets?label={}&include=items", register.label),
        3 => format!("/v1/baskets?owner={owner}&limit=50&include=items"),
        4 => "/v1/baskets?limit=50&sort=-label&include=items,owner".to_string(),
        _ => format!("{place}?fields=label,note,amount,total"),
    };
    let answer = client.send(&Request::get(&target).token(writer)).unwrap().expect(200);
    let json = answer.json();
    let row = match json["data"].as_array() {
        Some(rows) => rows.iter().find(|row| row["label"] == register.label.as_str()).unwrap(),
        None => &json,
    };
    let count: u64 = row["note"].as_str().unwrap().parse().unwrap();
    assert!(count >= before, "{target} shows {count} after {before} was acknowledged");
    // And what is seen is of one moment: the row, its total and its parts.
    assert_eq!(row["amount"], count % 9 + 1, "{target}: {row}");
    assert_eq!(row["total"], format!("{}.00", count % 9 + 1), "{target}: {row}");
    if let Some(items) = row["items"].as_array() {
        assert_eq!(items.len() as u64, count % 9 + 1, "{target}: {row}");
        assert!(items.iter().all(|item| item["name"] == format!("n{count}")), "{target}: {row}");
    }
}

/// What is deleted is gone, what is renamed is found by its new name only, as soon as it was said.
#[test]
fn what_was_deleted_or_renamed_is_so_at_once_everywhere() {
    both(|| {
        let _turn = beside();
        let project = Project::ledger();
        let server = project.serve();
        let writer = token("writer", None);
        let mut clients: Vec<Client> = (0..8).map(|_| server.client()).collect();
        for round in 0..60_usize {
            let label = format!("short-lived-{round}");
            let mut first = body(round as u64);
            first["label"] = json!(label);
            let made =
                clients[round % 8].send(&Request::post("/v1/baskets", &first).token(&writer));
            let place = made.unwrap().expect(201).header("location").unwrap().to_string();
            let found = |client: &mut Client, label: &str| {
                let list = Request::get(format!("/v1/baskets?label={label}")).token(&writer);
                let answer = client.send(&list).unwrap().expect(200);
                answer.json()["data"].as_array().unwrap().len()
            };
            // Asked twice by everybody, so that the answer is one that is kept.
            for client in clients.iter_mut().chain([&mut server.client()]) {
                assert_eq!(found(client, &label), 1, "{label} is not found");
                client.send(&Request::get(&place).token(&writer)).unwrap().expect(200);
            }
            let renamed = format!("renamed-{round}");
            let patch = Request::patch(&place, &json!({ "label": renamed })).token(&writer);
            clients[(round + 3) % 8].send(&patch).unwrap().expect(200);
            for client in &mut clients {
                assert_eq!(found(client, &label), 0, "{label} is found by its old name");
                assert_eq!(found(client, &renamed), 1, "{renamed} is not found");
            }
            let delete = Request::delete(&place).token(&writer);
            clients[(round + 5) % 8].send(&delete).unwrap().expect(204);
            for client in &mut clients {
                assert_eq!(found(client, &renamed), 0, "{renamed} is found after its end");
                client.send(&Request::get(&place).token(&writer)).unwrap().expect(404);
            }
        }
    });
}

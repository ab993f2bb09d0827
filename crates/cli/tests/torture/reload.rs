//! A model is edited while it is served: nobody notices but those who ask for what is new.

use std::fs;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::harness::{Client, Project, Request, SECRET, alone, beside, token};

const LEDGER: &str = include_str!("ledger.mimar");

/// The ledger as `dev` keeps it, with the secret that the tests sign with.
fn project() -> Project {
    let project = Project::ledger();
    let own = project.model.join(".mimar");
    fs::create_dir(&own).unwrap();
    fs::write(own.join("secret"), SECRET).unwrap();
    project
}

/// Replaces the file at once, as editors do.
fn save(project: &Project, text: &str) {
    let file = project.model.join("model.mimar");
    let new = project.scratch("new.mimar");
    fs::write(&new, text).unwrap();
    fs::rename(new, file).unwrap();
}

/// Waits until a list answers with this status; how long that took.
fn until(client: &mut Client, target: &str, token: &str, status: u16) -> Duration {
    let began = Instant::now();
    loop {
        let answer = client.send(&Request::get(target).token(token)).unwrap();
        if answer.status == status {
            return began.elapsed();
        }
        assert!(began.elapsed() < Duration::from_secs(10), "the edit is never served: {answer}");
        thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn an_edit_is_served_within_100_ms_and_drops_no_request() {
    let _turn = alone();
    let project = project();
    let server = project.dev();
    let writer = token("writer", None);
    let stop = AtomicBool::new(false);
    let answered = AtomicU64::new(0);
    let mut took = Vec::new();
    thread::scope(|scope| {
        // Two readers and a writer that never pause for long: with more, two cores measure the crowd, not the reload.
        for number in 0..3 {
            let (server, writer, stop, answered) = (&server, &writer, &stop, &answered);
            scope.spawn(move || {
                let mut client = server.client();
                for turn in 0.. {
                    if stop.load(Ordering::Relaxed) {
                        break;
                    }
                    let (request, status) = if number == 0 {
                        let item = json!({ "name": "x", "quantity": 1, "price": "1.00" });
                        let body = json!({ "label": format!("b{turn}"), "items": [item] });
                        (Request::post("/v1/baskets", &body), 201)
                    } else {
                        (Request::get("/v1/baskets?include=items"), 200)
                    };
                    client.send(&request.token(writer)).unwrap().expect(status);
                    answered.fetch_add(1, Ordering::Relaxed);
                    thread::sleep(Duration::from_millis(2));
                }
            });
        }
        let mut client = server.client();
        for round in 0..6 {
            thread::sleep(Duration::from_millis(150));
            // A new entity is a new table, too: the hardest kind of edit.
            let thing = format!(
                "\nentity Thing{round} {{\n  key id: Int = auto\n  name: String(1..20)\n  \
                 allow read to writer\n}}\n"
            );
            save(&project, &format!("{LEDGER}{thing}"));
            took.push(until(&mut client, &format!("/v1/thing{round}s"), &writer, 200));
            thread::sleep(Duration::from_millis(50));
            save(&project, LEDGER);
            took.push(until(&mut client, &format!("/v1/thing{round}s"), &writer, 404));
        }
        stop.store(true, Ordering::Relaxed);
    });
    took.sort();
    let (median, worst) = (took[took.len() / 2], took[took.len() - 1]);
    let answered = answered.load(Ordering::Relaxed);
    eprintln!("reload: median {median:?}, worst {worst:?}, {answered} requests meanwhile");
    assert!(answered > 300, "hardly anybody asked: {answered}");
    assert!(median < Duration::from_millis(100), "{took:?}");
}

#[test]
fn a_broken_edit_keeps_the_last_good_model_serving() {
    let _turn = beside();
    let project = project();
    let server = project.dev();
    let writer = token("writer", None);
    let mut client = server.client();
    let made = client
        .send(&Request::post("/v1/counters", &json!({ "name": "kept" })).token(&writer))
        .unwrap()
        .expect(201);
    let place = made.header("location").unwrap().to_string();
    for broken in ["entity {", "entity Thing { key id: Nonsense }", "", "\u{feff}}}}", "app"] {
        let before = server.log().len();
        // An empty file is a model without an entity: valid, but then everything would be lost.
        save(&project, &format!("{broken}\n"));
        let began = Instant::now();
        while server.log().len() == before && began.elapsed() < Duration::from_secs(5) {
            client.send(&Request::get(&place).token(&writer)).unwrap().expect(200);
            thread::sleep(Duration::from_millis(5));
        }
        assert!(server.log().len() > before, "nobody is told of {broken:?}");
        client.send(&Request::get(&place).token(&writer)).unwrap().expect(200);
    }
    let mended = LEDGER.replace(
        "name:   String(1..40)  unique",
        "name: String(1..40) unique\n  unit: String(1..9)?",
    );
    assert_ne!(mended, LEDGER);
    save(&project, &mended);
    until(&mut client, "/v1/counters?fields=unit", &writer, 200);
    let row = client.send(&Request::get(&place).token(&writer)).unwrap().expect(200).json();
    assert_eq!(row["name"], "kept");
    assert_eq!(row["unit"], json!(null));
}

#[test]
fn a_request_that_began_before_an_edit_ends_with_the_model_it_began_with() {
    let _turn = beside();
    let project = project();
    let server = project.dev();
    let writer = token("writer", None);
    let body = json!({ "name": "slow" });
    let bytes = Request::post("/v1/counters", &body).token(&writer).bytes();
    let (now, later) = bytes.split_at(bytes.len() - 5);
    let mut slow = server.client();
    slow.write(now).unwrap();
    let edited = LEDGER.replace("entity Owner {", "/// Edited.\nentity Owner {")
        + "\nentity Thing {\n  key id: Int = auto\n  allow read to writer\n}\n";
    save(&project, &edited);
    until(&mut server.client(), "/v1/things", &writer, 200);
    slow.write(later).unwrap();
    slow.read(false).unwrap().expect(201);
}

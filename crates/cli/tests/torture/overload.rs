//! More than can be done: what is refused is refused at once and says when to come back; what was promised is kept.

use std::thread;
use std::time::{Duration, Instant};

use rusqlite::Connection;
use serde_json::json;

use crate::harness::{Client, Project, Request, beside, token};

/// More writes at once than the writer's queue holds (1,024) and one commit carries (64).
const AT_ONCE: usize = 2_000;

#[test]
fn past_the_queues_bound_writes_are_refused_and_reads_are_not() {
    let _turn = beside();
    let project = Project::ledger();
    let mut server = project.serve();
    let writer = token("writer", None);
    let mut clients: Vec<Client> = (0..AT_ONCE).map(|_| server.client()).collect();

    // Somebody else holds the database, so that the writer cannot go on.
    let other = Connection::open(&project.database).unwrap();
    other.busy_timeout(Duration::from_secs(5)).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    for (number, client) in clients.iter_mut().enumerate() {
        let item = json!({ "name": "x", "quantity": 1, "price": "1.00" });
        let body = json!({ "label": number.to_string(), "items": [item] });
        client.write(&Request::post("/v1/baskets", &body).token(&writer).bytes()).unwrap();
    }
    // Those who come now are refused at once, and whoever only reads notices nothing.
    thread::sleep(Duration::from_millis(500));
    let began = Instant::now();
    let late =
        server.send(&Request::post("/v1/counters", &json!({ "name": "late" })).token(&writer));
    assert_eq!(late.expect(503).json()["code"], "overloaded");
    server.send(&Request::get("/v1/baskets").token(&writer)).expect(200);
    assert!(began.elapsed() < Duration::from_secs(1), "refusing took {:?}", began.elapsed());
    other.execute_batch("ROLLBACK").unwrap();

    let (mut done, mut refused) = (0, 0);
    for client in &mut clients {
        let answer = client.read(false).unwrap();
        if answer.status == 503 {
            let seconds: u32 = answer.header("retry-after").unwrap().parse().unwrap();
            assert!(seconds > 0, "{answer}");
            refused += 1;
        } else {
            answer.expect(201);
            done += 1;
        }
    }
    eprintln!("overload: {done} done, {refused} refused");
    assert!(refused > 0 && done >= 1_024, "{done} done, {refused} refused");
    assert!(server.lives());
    let stored = server.all(&writer, "/v1/baskets?fields=label").len();
    assert_eq!(stored, done, "what was refused is there, or what was done is not");
    // And it goes on as if nothing had been.
    server
        .send(&Request::post("/v1/counters", &json!({ "name": "late" })).token(&writer))
        .expect(201);
}

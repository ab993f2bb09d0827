//! `SIGTERM`: what was begun is finished, then the process ends by itself.

use std::thread;
use std::time::Duration;

use serde_json::json;

use crate::harness::{Client, Project, Request, beside, both, token};

#[test]
fn sigterm_answers_what_is_in_flight() {
    both(|| {
        const CLIENTS: usize = 40;
        let _turn = beside();
        let project = Project::ledger();
        let mut server = project.serve();
        let writer = token("writer", None);
        // Half a request each: it is in flight, and cannot have been answered yet.
        let mut halves: Vec<(Client, Vec<u8>)> = (0..CLIENTS)
            .map(|number| {
                let item = json!({ "name": "x", "quantity": 1, "price": "1.00" });
                let body = json!({ "label": format!("half {number}"), "items": [item] });
                let bytes = Request::post("/v1/baskets", &body).token(&writer).bytes();
                let mut client = server.client();
                let (now, later) = bytes.split_at(bytes.len() - 20);
                client.write(now).unwrap();
                (client, later.to_vec())
            })
            .collect();
        thread::sleep(Duration::from_millis(200));
        server.terminate();
        thread::sleep(Duration::from_millis(200));
        assert!(server.lives(), "it ended before it had answered:\n{}", server.log());
        for (client, later) in &mut halves {
            client.write(later).unwrap();
        }
        for (client, _) in &mut halves {
            client.read(false).unwrap_or_else(|error| panic!("not answered: {error}")).expect(201);
        }
        let status = server.wait();
        assert!(status.success(), "{status}\n{}", server.log());
        assert!(Client::connect(server.address).is_err(), "somebody still listens");
        // And what was answered is there.
        let again = project.serve();
        assert_eq!(again.all(&writer, "/v1/baskets").len(), CLIENTS);
    });
}

#[test]
fn sigterm_with_idle_connections_ends_at_once() {
    both(|| {
        let _turn = beside();
        let project = Project::ledger();
        let mut server = project.serve();
        let writer = token("writer", None);
        let mut idle: Vec<Client> = (0..20).map(|_| server.client()).collect();
        for client in &mut idle {
            client.send(&Request::get("/v1/baskets").token(&writer)).unwrap().expect(200);
        }
        let began = std::time::Instant::now();
        server.terminate();
        let status = server.wait();
        assert!(status.success(), "{status}");
        assert!(
            began.elapsed() < Duration::from_secs(5),
            "it waited for nobody: {:?}",
            began.elapsed()
        );
    });
}

#[test]
fn a_writer_under_load_gets_an_answer_or_a_closed_door() {
    both(|| {
        let _turn = beside();
        let project = Project::ledger();
        let mut server = project.serve();
        let writer = token("writer", None);
        let address = server.address;
        let acknowledged: usize = thread::scope(|scope| {
            let writers: Vec<_> = (0..32)
                .map(|number| {
                    let writer = &writer;
                    scope.spawn(move || {
                        let mut acknowledged = 0;
                        let mut client = Client::connect(address).unwrap();
                        for turn in 0..100_000 {
                            let item = json!({ "name": "x", "quantity": 1, "price": "1.00" });
                            let body =
                                json!({ "label": format!("{number}-{turn}"), "items": [item] });
                            let post = Request::post("/v1/baskets", &body).token(writer);
                            match client.send(&post) {
                                Ok(answer) if answer.status == 503 => break,
                                Ok(answer) => {
                                    answer.expect(201);
                                    acknowledged += 1;
                                }
                                Err(_) => break,
                            }
                        }
                        acknowledged
                    })
                })
                .collect();
            thread::sleep(Duration::from_millis(300));
            server.terminate();
            let status = server.wait();
            assert!(status.success(), "{status}");
            writers.into_iter().map(|writer| writer.join().unwrap()).sum()
        });
        let again = project.serve();
        let stored = again.all(&writer, "/v1/baskets?fields=label").len();
        assert!(stored >= acknowledged, "{acknowledged} were acknowledged, {stored} are there");
        // A closed door hides at most the one request that was under way on each connection.
        assert!(
            stored <= acknowledged + 32,
            "{stored} are there, {acknowledged} were acknowledged"
        );
    });
}

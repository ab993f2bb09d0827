//! Requests under an `Idempotency-Key`: whose key it is, and what is said while one is under way.

use std::time::{Duration, Instant};

use crate::support::{ADA, Answer, Server};

const JSON: &str = "Content-Type: application/json";

fn add_ada(server: &Server) {
    let body = format!(r#"{{"id":"{ADA}","email":"ada@example.org","name":"Ada"}}"#);
    let headers = [server.bearer("clerk", "somebody"), JSON.to_owned()];
    let added = server.ask("POST", "/v1/customers", &headers, body.as_bytes());
    assert_eq!(added.status, 201, "{}", added.text());
}

/// Has somebody run a command, always under the same key.
fn greet(server: &Server, subject: &str) -> Answer {
    let key = "Idempotency-Key: \"8e03978e\"".to_owned();
    let headers = [server.bearer("clerk", subject), JSON.to_owned(), key];
    let target = format!("/v1/customers/{ADA}/greet");
    server.ask("POST", &target, &headers, br#"{"note":"hello"}"#)
}

/// A key is its caller's own: another one, who may do the same, is not answered what the first one was.
#[test]
fn a_key_is_its_callers_own() {
    for started in [Server::start, Server::on_postgres] {
        let server = started();
        add_ada(&server);
        let greet = |subject: &str| {
            let answer = greet(&server, subject);
            assert_eq!(answer.status, 204, "{}", answer.text());
            answer.header("idempotency-replayed") == Some("true")
        };
        let before = server.waiting();
        assert!(!greet("first"));
        let each = server.waiting() - before;
        assert!(each > 0);
        assert!(greet("first"));
        assert_eq!(server.waiting(), before + each);
        assert!(!greet("second"));
        assert_eq!(server.waiting(), before + 2 * each);
        assert!(greet("second") && greet("first"));
        assert_eq!(server.waiting(), before + 2 * each);
    }
}

/// Whoever sends the same again while it is being done is told so at once. (On SQLite one write is done after the other.)
#[test]
fn a_key_in_flight_is_told_of() {
    let server = Server::on_postgres();
    let url = server.url.clone().unwrap();
    let database = url.rsplit('/').next().unwrap();
    let psql = |sql: &str| testbed::postgres().psql(database, sql);
    add_ada(&server);
    let held = testbed::Postgres::hold(&url, "BEGIN; SELECT FROM customer FOR UPDATE;");
    let greet = || greet(&server, "first");
    std::thread::scope(|scope| {
        let first = scope.spawn(greet);
        let waiting = "SELECT count(*) FROM pg_stat_activity \
                       WHERE datname = current_database() AND wait_event_type = 'Lock'";
        let began = Instant::now();
        while psql(waiting).trim() == "0" {
            assert!(began.elapsed() < Duration::from_secs(4), "it does not wait for the row");
            std::thread::sleep(Duration::from_millis(10));
        }
        let second = greet();
        assert_eq!(second.status, 409, "{}", second.text());
        assert!(second.text().contains("request_in_flight"), "{}", second.text());
        drop(held);
        let first = first.join().unwrap();
        assert_eq!((first.status, first.header("idempotency-replayed")), (204, None));
    });
    let third = greet();
    assert_eq!((third.status, third.header("idempotency-replayed")), (204, Some("true")));
}

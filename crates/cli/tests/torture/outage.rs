//! A database that goes away under a server, as a client sees it: refused, silent, or lost in the middle of a commit.

use std::time::{Duration, Instant};

use serde_json::json;
use testbed::{Proxy, Way};

use crate::harness::{Answer, Project, Request, Server, beside, token};
use crate::orders::{fill, query, sku};

/// No answer takes longer, whatever the database does.
const BOUND: Duration = Duration::from_secs(15);

/// A shop whose server reaches its database only by a way of ours.
fn behind() -> (Project, Proxy, Server) {
    let mut project = Project::on_postgres(include_str!("orders.mimar"));
    let port = testbed::postgres().port();
    let proxy = Proxy::to(port);
    let way = |port: u16| format!(":{port}/");
    project.database = project.database.replace(&way(port), &way(proxy.port()));
    let server = project.serve();
    fill(&server);
    (project, proxy, server)
}

fn order(label: &str) -> Request {
    let item = json!({ "product": sku(1), "quantity": 1 });
    let body = json!({ "label": label, "counter": 1, "basket": [item] });
    Request::post("/v1/place-order", &body)
        .token(&token("customer", Some("1")))
        .header("Idempotency-Key", label)
}

/// Looks whether it is refused in time, and by which code.
#[track_caller]
fn refused(answer: &Answer, code: &str) {
    assert_eq!(answer.status, 503, "{answer}");
    assert_eq!(answer.json()["code"], code, "{answer}");
    let after: u32 = answer.header("retry-after").unwrap().parse().unwrap();
    assert!(after > 0, "{answer}");
}

/// Asks until it is done.
fn insist(server: &Server, request: &Request) -> Answer {
    let began = Instant::now();
    loop {
        let answer = server.send(request);
        if answer.status == 200 {
            return answer;
        }
        // Not yet reached again, or what was cut off is still being done.
        assert!(matches!(answer.status, 503 | 409), "{answer}");
        assert!(began.elapsed() < BOUND, "it does not come back: {answer}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_commit_that_is_lost_is_said_to_be_unknown_and_is_done_once() {
    let _turn = beside();
    let (project, proxy, server) = behind();
    // Done, and nobody heard of it; then not done, which nobody can know either.
    for (label, way) in
        [("behind", Way::CutBehind(b"COMMIT")), ("before", Way::CutBefore(b"COMMIT"))]
    {
        insist(&server, &order(&format!("first-{label}")));
        proxy.set(way);
        let answer = server.send(&order(label));
        proxy.set(Way::Open);
        refused(&answer, "outcome_unknown");
        let answer = insist(&server, &order(label));
        let again = server.send(&order(label)).expect(200);
        assert_eq!(again.header("idempotency-replayed"), Some("true"));
        assert_eq!(again.text(), answer.text());
        let label = format!("'{label}'");
        for of in ["\"order\" WHERE label = ", "mimar_event WHERE data->>'label' = "] {
            let sql = format!("SELECT count(*) FROM {of}{label}");
            assert_eq!(query(&project, &sql)[0][0], "1", "{sql}");
        }
    }
}

#[test]
fn a_database_that_is_away_is_said_to_be_and_waited_for_within_bounds() {
    let _turn = beside();
    let (_project, proxy, mut server) = behind();
    for way in [Way::Refused, Way::Swallowed] {
        proxy.set(way);
        let reading = Request::get("/v1/products").token(&token("clerk", None));
        for request in [&order(&format!("{way:?}")), &reading] {
            let began = Instant::now();
            refused(&server.send(request), "unavailable");
            assert!(began.elapsed() < BOUND, "{way:?}: {:?}", began.elapsed());
        }
        server.send(&Request::get("/livez")).expect(200);
        server.send(&Request::get("/readyz")).expect(503);
        proxy.set(Way::Open);
        insist(&server, &order(&format!("after-{way:?}")));
        // It has connections of its own, and none is tried for a moment after one did not come about.
        insist(&server, &reading);
    }
    assert!(server.lives());
}

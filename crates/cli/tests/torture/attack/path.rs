//! Paths and methods in odd form.

use super::Scene;
use crate::harness::{Request, beside};

/// gRPC-Go CVE-2026-33186: no spelling of a path reaches what its plain spelling would refuse.
#[test]
fn no_spelling_of_a_path_goes_around_its_policy() {
    let _turn = beside();
    let scene = Scene::new();
    for path in [
        "/v1/baskets",
        "/V1/baskets",
        "/v1/Baskets",
        "/v1/BASKETS",
        "//v1/baskets",
        "/v1//baskets",
        "/v1/baskets/",
        "/v1/baskets//",
        "/./v1/baskets",
        "/v1/./baskets",
        "/v1/x/../baskets",
        "/v1/counters/../baskets",
        "/docs/../v1/baskets",
        "/livez/../v1/baskets",
        "/v1/%62askets",
        "/v1/%2562askets",
        "/%76%31/baskets",
        "/v1%2Fbaskets",
        "/v1/baskets%2F",
        "/v1/baskets%00",
        "/v1/baskets%00.json",
        "/v1/baskets;a=b",
        "/v1;/baskets",
        "/v1/baskets.json",
        "/v1/baskets%20",
        "/v1/baskets%09",
        "/v1/baskets#x",
        "/v1\\baskets",
        "/v1/baskets\\",
        "/v1/%2e%2e/v1/baskets",
        "/v1/baskets/%2e%2e/baskets",
        "http://localhost/v1/baskets",
        "http://internal/v1/baskets",
        "https://localhost:443/v1/baskets",
        "*",
        "v1/baskets",
        "",
        "/v1/ｂaskets",
        "/v1/baskets?",
        "/v1/baskets?token=x",
        "/v1/baskets?access_token=x",
    ] {
        for method in ["GET", "HEAD", "POST", "DELETE"] {
            // A connection each: some of these are no HTTP at all, and end it.
            let mut client = scene.server.client();
            let Ok(answer) = client.send(&Request::new(method, path)) else { continue };
            assert!(
                (400..500).contains(&answer.status) || (method == "POST" && answer.status == 501),
                "{method} {path:?} of nobody: {answer}"
            );
            assert!(!answer.text().contains("canary"), "{method} {path:?}: {answer}");
        }
    }
    let plain = scene.server.send(&Request::get("/v1/baskets"));
    plain.expect(401).expect_problem();
}

/// Hasura CVE-2023-27588: no path leads to a file.
#[test]
fn no_path_leads_to_a_file() {
    let _turn = beside();
    let scene = Scene::new();
    let up = "../".repeat(12);
    for prefix in ["/", "/docs/", "/v1/", "/openapi.json/", "/v1/baskets/"] {
        for path in [
            format!("{up}etc/passwd"),
            up.replace("../", "%2e%2e/") + "etc/passwd",
            up.replace("../", "..%2f") + "etc%2fpasswd",
            up.replace("../", "..%5c") + "etc%5cpasswd",
            up.replace("../", "..%252f") + "etc/passwd",
            up.replace("../", "....//") + "etc/passwd",
            "/etc/passwd".to_string(),
            "model.mimar".to_string(),
            "../model.mimar".to_string(),
            "data.db".to_string(),
            ".mimar/secret".to_string(),
        ] {
            let mut client = scene.server.client();
            let request = Request::get(format!("{prefix}{path}")).token(&scene.writer);
            let Ok(answer) = client.send(&request) else { continue };
            assert!((400..500).contains(&answer.status), "{prefix}{path}: {answer}");
            assert!(!answer.text().contains("root:"), "{prefix}{path}: {answer}");
        }
    }
}

/// A method is what the request line says, in the letters it says it.
#[test]
fn no_header_and_no_spelling_makes_another_method() {
    let _turn = beside();
    let scene = Scene::new();
    let before = scene.state();
    let row = format!("/v1/baskets/{}", scene.baskets[0][0]);
    for name in ["X-HTTP-Method-Override", "X-Method-Override", "X-HTTP-Method", "_method"] {
        for method in ["GET", "POST"] {
            let request = Request::new(method, &row).header(name, "DELETE").token(&scene.writer);
            let answer = scene.server.send(&request);
            assert!(matches!(answer.status, 200 | 405 | 400 | 415), "{name}: {answer}");
        }
    }
    for method in [
        "delete", "Delete", "get", "PURGE", "TRACE", "TRACK", "PROPFIND", "MOVE", "LINK", "DELETEX",
    ] {
        let mut client = scene.server.client();
        let Ok(answer) = client.send(&Request::new(method, &row).token(&scene.writer)) else {
            continue;
        };
        assert!((400..=501).contains(&answer.status) && answer.status != 500, "{method}: {answer}");
    }
    for name in ["X-Original-URL", "X-Rewrite-URL", "X-Forwarded-Path", "X-Forwarded-Prefix"] {
        let answer = scene.server.send(&Request::get("/livez").header(name, &row));
        assert!(!answer.text().contains("basket"), "{name}: {answer}");
    }
    assert_eq!(scene.state(), before, "something was deleted");
}

/// Answers come in the order of their requests, also where nobody waits for them.
#[test]
fn pipelined_requests_are_answered_in_order() {
    let _turn = beside();
    let scene = Scene::new();
    let mut client = scene.server.client();
    let targets: Vec<String> =
        (0..60).map(|turn| format!("/v1/baskets/{}", scene.baskets[turn % 2][turn % 3])).collect();
    for target in &targets {
        client.write(&Request::get(target).token(&scene.writer).bytes()).unwrap();
    }
    for target in &targets {
        let answer = client.read(false).unwrap().expect(200);
        assert!(target.ends_with(answer.json()["id"].as_str().unwrap()), "{target}: {answer}");
    }
}

//! Headers that are believed by others.

use serde_json::json;

use super::{Scene, item};
use crate::harness::{Request, beside};

/// Supabase GHSA-3529-5m8x-rpv3, Parse CVE-2023-22474: from an unlisted peer, forwarded headers change nothing.
#[test]
fn forwarded_headers_change_nothing() {
    let _turn = beside();
    let scene = Scene::new();
    let list = "/v1/baskets?limit=1";
    let plain = scene.server.send(&Request::get(list).token(&scene.writer)).expect(200);
    for (name, value) in [
        ("X-Forwarded-For", "127.0.0.1"),
        ("X-Forwarded-Host", "evil.example"),
        ("X-Forwarded-Proto", "https"),
        ("X-Forwarded-Port", "1"),
        ("X-Real-IP", "127.0.0.1"),
        ("True-Client-IP", "127.0.0.1"),
        ("Forwarded", "for=127.0.0.1;host=evil.example;proto=https"),
        ("X-Forwarded-User", "writer"),
        ("X-Forwarded-Prefix", "/evil"),
        ("X-User", "1"),
        ("X-Role", "writer"),
        ("X-Host", "evil.example"),
        ("Remote-User", "writer"),
        ("X-Hasura-Role", "writer"),
        ("X-Hasura-Admin-Secret", "x"),
    ] {
        let answer = scene
            .server
            .send(&Request::get(list).token(&scene.writer).header(name, value))
            .expect(200);
        assert_eq!(answer.text(), plain.text(), "{name}");
        assert_eq!(answer.header("link"), plain.header("link"), "{name}");
        let nobody = scene.server.send(&Request::get(list).header(name, value));
        assert_eq!(nobody.status, 401, "{name}: {nobody}");
        let body = json!({ "label": format!("by {name}"), "items": [item("1.00")] });
        let made = scene
            .server
            .send(&Request::post("/v1/baskets", &body).token(&scene.writer).header(name, value));
        let place = made.expect(201).header("location").unwrap().to_string();
        assert!(!place.contains("evil"), "{name}: {place}");
    }
}

/// A Host of somebody else's choice ends up in no answer.
#[test]
fn the_host_is_not_repeated() {
    let _turn = beside();
    let scene = Scene::new();
    for target in ["/v1/baskets?limit=1", "/openapi.json", "/docs", "/nope"] {
        let mut client = scene.server.client();
        let request = format!(
            "GET {target} HTTP/1.1\r\nHost: evil.example\r\nAuthorization: Bearer {}\r\n\r\n",
            scene.writer
        );
        client.write(request.as_bytes()).unwrap();
        let answer = client.read(false).unwrap();
        assert!(!answer.to_string().contains("evil.example"), "{target}: {answer}");
    }
}

/// Preconditions in every form that RFC 9110 knows, and in those it does not.
#[test]
fn odd_preconditions_never_pass_by_accident() {
    let _turn = beside();
    let scene = Scene::new();
    let row = format!("/v1/baskets/{}", scene.baskets[0][0]);
    let mut client = scene.server.client();
    let read = client.send(&Request::get(&row).token(&scene.writer)).unwrap().expect(200);
    let tag = read.header("etag").unwrap().to_string();
    let patch = |value: &str| {
        Request::patch(&row, &json!({ "note": "changed" }))
            .token(&scene.writer)
            .header("If-Match", value)
    };
    for odd in [
        "",
        "x",
        "1",
        "\"",
        "\"1",
        "1\"",
        "'1'",
        "W/\"1\"",
        "w/\"1\"",
        "\"-1\"",
        "\"01\"",
        "\"1 \"",
        "\"0\"",
        "\"999\"",
        "\"99999999999999999999999\"",
        "\"1.0\"",
        "\"x\"",
        ",",
        "\"\"",
        "** ",
        "\"2\", x",
        "\u{e9}",
    ] {
        let answer = client.send(&patch(odd)).unwrap();
        assert!(matches!(answer.status, 400 | 412), "{odd:?} passed: {answer}");
    }
    let many = vec!["\"77\""; 2_000].join(", ");
    let answer = scene.server.send(&patch(&many));
    assert!(matches!(answer.status, 400 | 412 | 431), "{answer}");
    let mut client = scene.server.client();
    client.send(&patch(&format!("\"77\", {tag}"))).unwrap().expect(200);
    client.send(&patch(&tag)).unwrap().expect(412);
    client.send(&patch("*")).unwrap().expect(200);
    // A read that has not changed is not repeated.
    let read = client.send(&Request::get(&row).token(&scene.writer)).unwrap().expect(200);
    let tag = read.header("etag").unwrap();
    for known in [tag.to_string(), format!("W/{tag}"), "*".into(), format!("\"x\", {tag}")] {
        let request = Request::get(&row).token(&scene.writer).header("If-None-Match", known);
        let answer = client.send(&request).unwrap().expect(304);
        assert!(answer.body.is_empty());
    }
    // Of an answer that differs by caller, the tag of one is none of another's.
    let other = Request::get(&row).token(&scene.reader).header("If-None-Match", tag);
    let answer = client.send(&other).unwrap();
    assert!(answer.status == 200 || !answer.to_string().contains("note"), "{answer}");
}

/// Every header that negotiates something, with nonsense in it.
#[test]
fn nonsense_in_headers_is_the_clients_fault_or_ignored() {
    let _turn = beside();
    let scene = Scene::new();
    let nonsense = [
        "",
        " ",
        ",",
        ";",
        "*/*;q=nan",
        "q=1",
        "\"",
        "text/html;q=0, */*;q=0",
        "\u{e9}",
        "a, b;c=d;;q=9",
        "gzip;q=0,identity;q=0",
        "bytes=0-1",
        "0",
        "-1",
        "Thu, 99 Foo 0000",
        "application/json; charset=utf-16",
        "deflate, gzip;q=1.0, *;q=0.5",
    ];
    for name in [
        "Accept",
        "Accept-Encoding",
        "Accept-Language",
        "Accept-Charset",
        "Range",
        "If-Range",
        "If-Modified-Since",
        "If-Unmodified-Since",
        "Origin",
        "Access-Control-Request-Method",
        "Access-Control-Request-Headers",
        "Cookie",
        "Prefer",
        "traceparent",
        "tracestate",
        "Idempotency-Key",
        "Content-Type",
        "Expect",
        "TE",
        "Upgrade",
    ] {
        for value in nonsense {
            for request in [
                Request::get("/v1/baskets?limit=1"),
                Request::new("OPTIONS", "/v1/baskets"),
                Request::new("HEAD", "/v1/baskets"),
            ] {
                let mut client = scene.server.client();
                let request = request.token(&scene.writer).header(name, value);
                let Ok(answer) = client.send(&request) else { continue };
                assert!(answer.status < 500, "{name}: {value:?}: {answer}");
            }
        }
    }
}

//! axum CVE-2022-3212, Apollo Router CVE-2025-32033: everything that can be long has a bound, and memory stays flat.

use serde_json::json;

use super::{Scene, item};
use crate::harness::{Request, alone, beside};

/// Resident memory that a flood may cost, in KiB.
const FLAT: u64 = 64 << 10;

#[test]
fn bodies_headers_and_addresses_have_bounds() {
    let _turn = alone();
    let scene = Scene::new();
    let before = scene.server.memory();
    for round in 0..20 {
        // Said beforehand: refused before a byte of it is read.
        for length in ["104857600", "9223372036854775807"] {
            let mut client = scene.server.client();
            let head = format!(
                "POST /v1/baskets HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\nContent-Type: application/json\r\n\
                 Content-Length: {length}\r\n\r\n",
                scene.writer
            );
            client.write(head.as_bytes()).unwrap();
            client.read(false).unwrap().expect(413).expect_problem();
        }
        // Not said beforehand: refused when it is too long.
        let mut client = scene.server.client();
        let head = format!(
            "POST /v1/baskets HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\nContent-Type: application/json\r\n\
             Transfer-Encoding: chunked\r\n\r\n",
            scene.writer
        );
        client.write(head.as_bytes()).unwrap();
        let chunk = format!("10000\r\n{}\r\n", " ".repeat(0x10000));
        let mut sent = 0;
        while sent < 1_024 && client.write(chunk.as_bytes()).is_ok() {
            sent += 1;
        }
        assert!(sent < 1_024, "64 MiB were taken");
        // The answer may be lost with the connection; a second reading of it proves nothing.
        if let Ok(answer) = client.read(false) {
            answer.expect(413);
        }
        let long = "x".repeat(200 << 10);
        for (request, statuses) in [
            (Request::get(format!("/v1/baskets?label={long}")), &[414, 400, 431][..]),
            (Request::get(format!("/v1/{long}")), &[414, 404, 431][..]),
            (Request::get("/v1/baskets").header("X-Long", &long), &[431][..]),
        ] {
            let mut client = scene.server.client();
            if let Ok(answer) = client.send(&request.token(&scene.writer)) {
                assert!(statuses.contains(&answer.status), "round {round}: {answer}");
            }
        }
        let mut many = Request::get("/v1/baskets").token(&scene.writer);
        for number in 0..5_000 {
            many = many.header(&format!("X-{number}"), "x");
        }
        if let Ok(answer) = scene.server.client().send(&many) {
            assert_eq!(answer.status, 431, "{answer}");
        }
    }
    if let (Some(before), Some(after)) = (before, scene.server.memory()) {
        assert!(after < before + FLAT, "memory grew from {before} to {after} KiB");
    }
    scene.server.send(&Request::get("/v1/baskets").token(&scene.writer)).expect(200);
}

#[test]
fn lengths_that_contradict_themselves_end_the_connection() {
    let _turn = beside();
    let scene = Scene::new();
    let body = json!({ "label": "smuggled", "items": [item("1.00")] }).to_string();
    let length = body.len();
    for framing in [
        format!("Content-Length: {length}\r\nContent-Length: 1\r\n"),
        format!("Content-Length: {length}, 1\r\n"),
        format!("Content-Length: +{length}\r\n"),
        format!("Content-Length: -{length}\r\n"),
        format!("Content-Length: {length}x\r\n"),
        "Content-Length: 0x10\r\n".into(),
        "Content-Length: 99999999999999999999\r\n".into(),
        "Transfer-Encoding: chunked, identity\r\n".into(),
        "Transfer-Encoding: xchunked\r\n".into(),
        "Transfer-Encoding: gzip\r\n".into(),
    ] {
        let mut client = scene.server.client();
        // What follows would be a second request, if the framing were believed.
        let text = format!(
            "POST /v1/baskets HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\nContent-Type: application/json\r\n\
             {framing}\r\n{body}GET /v1/counters HTTP/1.1\r\nHost: x\r\n\r\n",
            scene.writer
        );
        client.write(text.as_bytes()).unwrap();
        if let Ok(answer) = client.read(false) {
            assert!(
                (400..=501).contains(&answer.status) && answer.status != 500,
                "{framing}: {answer}"
            );
            assert!(client.read(false).is_err(), "{framing}: a second answer");
        }
    }
    for chunks in ["x\r\n", "-1\r\n", "FFFFFFFFFFFFFFFFFF\r\nx", "5\r\nab\r\n0\r\n\r\n", "1;\n\r\n"]
    {
        let mut client = scene.server.client();
        let text = format!(
            "POST /v1/baskets HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\nContent-Type: application/json\r\n\
             Transfer-Encoding: chunked\r\n\r\n{chunks}",
            scene.writer
        );
        client.write(text.as_bytes()).unwrap();
        if chunks.starts_with(['x', '-', 'F'])
            && let Ok(answer) = client.read(false)
        {
            assert!((400..500).contains(&answer.status), "{chunks}: {answer}");
        }
    }
    let left = scene.server.all(&scene.writer, "/v1/baskets?label=smuggled");
    assert!(left.is_empty(), "{left:?}");
}

/// Clients that say little and slowly keep nobody else from being served.
#[test]
fn silent_connections_keep_nobody_out() {
    let _turn = beside();
    let scene = Scene::new();
    let silent: Vec<_> = (0..500)
        .map(|number| {
            let mut client = scene.server.client();
            let text = &b"GET /v1/baskets HTTP/1.1\r\nHost: x\r\nX-Slow: "[..number % 40];
            client.write(text).unwrap();
            client
        })
        .collect();
    for _ in 0..50 {
        scene.server.send(&Request::get("/v1/baskets").token(&scene.writer)).expect(200);
    }
    drop(silent);
}

/// h2 RUSTSEC-2024-0332 and its kind: a flood of HTTP/2 frames is bounded, others are served meanwhile.
#[test]
fn a_flood_of_http2_frames_leaves_memory_flat() {
    let _turn = alone();
    let scene = Scene::new();
    let before = scene.server.memory();
    for kind in [PING, RESET, SETTINGS, CONTINUATION] {
        let mut flood = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
        flood.extend(frame(0x4, 0, 0, &[]));
        for number in 0..20_000_u32 {
            flood.extend(kind(number * 2 + 1));
        }
        let mut client = scene.server.client();
        // Sooner or later the server has enough of it and hangs up; both are well.
        let _ = client.write(&flood);
        scene.server.send(&Request::get("/v1/baskets").token(&scene.writer)).expect(200);
    }
    if let (Some(before), Some(after)) = (before, scene.server.memory()) {
        assert!(after < before + FLAT, "memory grew from {before} to {after} KiB");
    }
}

const PING: fn(u32) -> Vec<u8> = |_| frame(0x6, 0, 0, &[0; 8]);
const SETTINGS: fn(u32) -> Vec<u8> = |_| frame(0x4, 0, 0, &[0, 3, 0, 0, 0, 100]);
/// A request (`:method: GET`, `:scheme: http`, `:path: /`) that is taken back at once: RFC 9113 §6.4.
const RESET: fn(u32) -> Vec<u8> = |stream| {
    let mut both = frame(0x1, 0x5, stream, &[0x82, 0x86, 0x84]);
    both.extend(frame(0x3, 0, stream, &[0, 0, 0, 8]));
    both
};
/// A header block that never ends: RFC 9113 §6.10.
const CONTINUATION: fn(u32) -> Vec<u8> = |stream| {
    if stream == 1 {
        frame(0x1, 0, 1, &[0x82])
    } else {
        frame(0x9, 0, 1, &[0x40, 1, b'x', 1, b'y'])
    }
};

/// A frame of RFC 9113 §4.1.
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let mut bytes = (payload.len() as u32).to_be_bytes()[1..].to_vec();
    bytes.extend([kind, flags]);
    bytes.extend(stream.to_be_bytes());
    bytes.extend(payload);
    bytes
}

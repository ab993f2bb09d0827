//! The door, asked over real sockets.
//!
//! Exchanges are data: each file under `tests/exchanges` holds requests and the answers they must get, one after the
//! other, against a fresh database of either kind. `UPDATE_EXPECT=1` writes down the answers that came from SQLite instead.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on says so")]

mod events;
mod keys;
mod support;

use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::path::Path;
use std::time::{Duration, Instant};

use serve::http::Settings;
use support::{ADA, Answer, Server};

#[test]
fn exchanges_are_as_written() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/exchanges");
    let mut files: Vec<_> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(!files.is_empty());
    for file in files {
        let written = std::fs::read_to_string(&file).unwrap();
        let actual = replay(&Server::start(), &written);
        if std::env::var_os("UPDATE_EXPECT").is_some() {
            std::fs::write(&file, &actual).unwrap();
        } else {
            alike("SQLite", &file, &written, &actual);
        }
        alike("PostgreSQL", &file, &actual, &replay(&Server::on_postgres(), &written));
    }
}

#[track_caller]
fn alike(on: &str, file: &Path, wanted: &str, actual: &str) {
    if let Some(line) = actual.lines().zip(wanted.lines()).position(|(a, b)| a != b) {
        panic!("{}, on {on}, differs at line {}:\n{actual}", file.display(), line + 1);
    }
    assert_eq!(actual.len(), wanted.len(), "{}, on {on}:\n{actual}", file.display());
}

/// Sends every request of a file and writes the file anew with what came.
fn replay(server: &Server, written: &str) -> String {
    let mut out = String::new();
    for block in written.split("### ").skip(1) {
        let (title, rest) = block.split_once('\n').unwrap();
        let (request, _) = rest.split_once("\n--- ").unwrap_or((rest, ""));
        let request = request.trim_end();
        let (head, body) = request.split_once("\n\n").unwrap_or((request, ""));
        let mut lines = head.lines();
        let (method, target) = lines.next().unwrap().split_once(' ').unwrap();
        let mut headers: Vec<String> = Vec::new();
        for line in lines {
            headers.push(match line.strip_prefix('@') {
                Some("ada") => server.bearer("customer", ADA),
                Some(role) => server.bearer(role, "somebody"),
                None => line.to_owned(),
            });
        }
        let answer = server.ask(method, target, &headers, body.as_bytes());
        let _ = write!(out, "### {title}\n{request}\n\n--- {}\n\n", shown(&answer));
    }
    out
}

const SHOWN: &[&str] = &[
    "content-type",
    "etag",
    "location",
    "idempotency-replayed",
    "link",
    "allow",
    "www-authenticate",
    "retry-after",
    "cache-control",
    "deprecation",
    "sunset",
    "content-encoding",
    "access-control-allow-origin",
    "access-control-allow-methods",
    "accept-patch",
];

fn shown(answer: &Answer) -> String {
    let mut out = answer.status.to_string();
    for name in SHOWN {
        for value in answer.all(name) {
            let _ = write!(out, "\n{name}: {}", settled(value));
        }
    }
    if !answer.body.is_empty() {
        let _ = write!(out, "\n\n{}", settled(answer.text().trim_end()));
    }
    out
}

/// The text without what no two runs share: traces, marks of tags, keys that the server made, moments of now.
fn settled(text: &str) -> String {
    let text = &without_now(text);
    let mut out = String::with_capacity(text.len());
    let mut run = String::new();
    for c in text.chars().chain(['\u{0}']) {
        if c.is_ascii_hexdigit() && !c.is_ascii_uppercase() || (c == '-' && run.len() >= 8) {
            run.push(c);
            continue;
        }
        let digits = run.trim_end_matches('-');
        let dashes = run.len() - digits.len();
        match digits.len() {
            36 if !digits.starts_with("00000000") => out.push_str("<uuid>"),
            32 => out.push_str("<trace>"),
            8 | 14..=16 if !digits.contains('-') => out.push_str("<mark>"),
            _ => out.push_str(digits),
        }
        out.extend(std::iter::repeat_n('-', dashes));
        run.clear();
        if c != '\u{0}' {
            out.push(c);
        }
    }
    out
}

/// Moments that files name have whole seconds; those of the server have fractions.
fn without_now(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('.') {
        let (before, fraction) = (&rest[..at], rest[at + 1..].trim_start_matches(char::is_numeric));
        let whole = before.len().checked_sub("2026-11-21T08:00:00".len());
        match (whole.and_then(|from| before.get(from..)), fraction.strip_prefix('Z')) {
            (Some(moment), Some(after)) if moment.as_bytes()[10] == b'T' => {
                out.push_str(before.strip_suffix(moment).unwrap());
                out.push_str("<now>");
                rest = after;
            }
            _ => {
                out.push_str(&rest[..=at]);
                rest = &rest[at + 1..];
            }
        }
    }
    out + rest
}

#[test]
fn head_is_get_without_its_body() {
    let server = Server::start();
    for path in ["/v1/products", "/v1/products/none", "/openapi.json", "/docs", "/livez"] {
        let get = server.ask("GET", path, &[], b"");
        let head = server.ask("HEAD", path, &[], b"");
        assert_eq!(get.status, head.status, "{path}");
        assert!(head.body.is_empty(), "{path}");
        assert_eq!(get.all("content-length"), head.all("content-length"), "{path}");
    }
}

#[test]
fn odd_paths_lead_nowhere() {
    let server = Server::start();
    for path in [
        "/v1/products/",
        "/v1//products",
        "//v1/products",
        "/v1/%70roducts",
        "/V1/products",
        "/v1/Products",
        "/v1/products/a/b",
        "/v1/products/..",
        "/v1/../v1/products",
        "/v1/products/%",
        "/v1/products/%zz",
        "/v1/products/%ff",
        "/v1/orders/x/lines/1/2",
        "/v1",
        "/v1/",
        "/docs/",
        "/v1/products;a=b",
        "/v1/lines",
        "/v1/products/%00",
        "/.git/config",
        "/..%2f..%2fetc/passwd",
    ] {
        let answer = server.ask("GET", path, &[server.bearer("manager", "x")], b"");
        assert_eq!(answer.status, 404, "{path}: {}", answer.text());
        assert_eq!(answer.one("content-type"), "application/problem+json", "{path}");
    }
}

#[test]
fn methods_are_those_of_the_contract() {
    let server = Server::start();
    for method in ["DELETE", "PUT", "PATCH", "TRACE", "PROPFIND", "get", "CONNECTED"] {
        let answer = server.ask(method, "/v1/products", &[], b"");
        assert_eq!(answer.status, 405, "{method}");
        assert_eq!(answer.one("allow"), "GET, HEAD, POST, OPTIONS", "{method}");
    }
}

#[test]
fn what_is_too_large_is_refused() {
    let server = Server::start();
    let clerk = server.bearer("clerk", "x");
    let json = "Content-Type: application/json".to_owned();
    let large = format!("{{\"name\":\"{}\"}}", "a".repeat(1 << 20));
    let answer = server.ask("POST", "/v1/products", &[clerk, json], large.as_bytes());
    assert_eq!(answer.status, 413, "{}", answer.text());
    let answer = server.ask("GET", &format!("/v1/products?name={}", "a".repeat(9_000)), &[], b"");
    assert_eq!((answer.status, answer.one("content-type")), (414, "application/problem+json"));
    let answer = server.ask("GET", "/v1/products", &[format!("X: {}", "a".repeat(40_000))], b"");
    assert_eq!((answer.status, answer.one("content-type")), (431, "application/problem+json"));
    let answer = server.ask("GET", "/v1/products", &vec!["X: a".to_owned(); 70], b"");
    assert_eq!((answer.status, answer.one("content-type")), (431, "application/problem+json"));
    // Far beyond the bounds the peer is cut off, and nobody else notices.
    for fields in [99, 2_000, 200_000] {
        server.raw(
            format!(
                "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{}\r\n",
                "X: a\r\n".repeat(fields)
            )
            .as_bytes(),
        );
    }
    assert_eq!(server.ask("GET", "/livez", &[], b"").status, 200);
}

#[test]
fn answers_are_compressed_for_those_who_ask() {
    let server = Server::start();
    let plain = server.ask("GET", "/openapi.json", &[], b"");
    let zipped = server.ask("GET", "/openapi.json", &["Accept-Encoding: gzip".to_owned()], b"");
    assert_eq!(zipped.one("content-encoding"), "gzip");
    assert!(zipped.body.len() * 3 < plain.body.len());
    let mut text = String::new();
    flate2::read::GzDecoder::new(zipped.body.as_slice()).read_to_string(&mut text).unwrap();
    assert_eq!(text, plain.text());
    let tag = zipped.one("etag");
    assert_ne!(tag, plain.one("etag"));
    let again = server.ask("GET", "/openapi.json", &[format!("If-None-Match: {tag}")], b"");
    assert_eq!((again.status, again.body.len()), (304, 0));
}

#[test]
fn the_document_names_only_what_it_holds() {
    let server = Server::start();
    let text = server.ask("GET", "/openapi.json", &[], b"").text();
    let document: serde_json::Value = serde_json::from_str(&text).unwrap();
    let mut stack = vec![&document];
    while let Some(value) = stack.pop() {
        match value {
            serde_json::Value::Object(members) => {
                if let Some(serde_json::Value::String(reference)) = members.get("$ref") {
                    let pointer = reference.strip_prefix('#').unwrap();
                    assert!(document.pointer(pointer).is_some(), "{reference}");
                }
                stack.extend(members.values());
            }
            serde_json::Value::Array(items) => stack.extend(items),
            _ => {}
        }
    }
}

#[test]
fn what_is_answered_again_is_the_same_to_the_byte() {
    let server = Server::start();
    let json = "Content-Type: application/json".to_owned();
    let clerk = [server.bearer("clerk", "x"), json.clone()];
    let customer = format!(r#"{{"id":"{ADA}","email":"ada@example.org","name":"Ada"}}"#);
    server.ask("POST", "/v1/customers", &clerk, customer.as_bytes());
    let product = br#"{"sku":"mug","name":"Mug","price":"9.50","stock":5,"state":"live"}"#;
    server.ask("POST", "/v1/products", &clerk, product);
    let ada = [server.bearer("customer", ADA), json, "Idempotency-Key: order-1".to_owned()];
    let body = br#"{"basket":[{"product":"mug","quantity":2}]}"#;
    let first = server.ask("POST", "/v1/place-order", &ada, body);
    assert_eq!((first.status, first.one("idempotency-replayed")), (200, ""), "{}", first.text());
    // What has happened since does not show.
    let key = first.text().chars().skip(7).take(36).collect::<String>();
    let paid = server.ask("POST", &format!("/v1/orders/{key}/take-money"), &clerk, b"");
    assert_eq!(paid.status, 200, "{}", paid.text());
    let again = server.ask("POST", "/v1/place-order", &ada, body);
    assert_eq!((again.status, again.one("idempotency-replayed")), (200, "true"));
    assert_eq!(again.body, first.body);
}

#[test]
fn metrics_are_counted_by_template() {
    let server = Server::start();
    server.ask("GET", "/v1/products/abc", &[], b"");
    let text = server.ask("GET", "/metrics", &[], b"").text();
    let line = r#"mimar_requests_total{method="GET",route="/v1/products/{sku}",status="404"} 1"#;
    assert!(text.contains(line), "{text}");
}

#[test]
fn pipelined_requests_are_answered_in_turn() {
    let server = Server::start();
    let one = "GET /livez HTTP/1.1\r\nHost: a\r\n\r\n";
    let two = "GET /v1/products/x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    let text = String::from_utf8(server.raw(format!("{one}{one}{two}").as_bytes())).unwrap();
    let statuses: Vec<_> =
        text.match_indices("HTTP/1.1 ").map(|(at, _)| &text[at + 9..at + 12]).collect();
    assert_eq!(statuses, ["200", "200", "404"]);
}

#[test]
fn idle_connections_are_closed_and_busy_ones_are_not() {
    let header_time = Duration::from_millis(200);
    let server = Server::with(Settings { header_time, ..Settings::default() });
    for sent in ["", "GET /livez HTTP/1.1\r\nHost:", "GET /livez HTTP/1.1\r\nHost: a\r\n\r\n"] {
        let began = Instant::now();
        let answer = server.raw(sent.as_bytes());
        let took = began.elapsed();
        assert!(took < Duration::from_secs(5), "{sent:?} {took:?}");
        assert_eq!(answer.starts_with(b"HTTP/1.1 200"), sent.ends_with("\r\n\r\n"), "{sent:?}");
    }
    let mut stream = std::net::TcpStream::connect(server.address).unwrap();
    for _ in 0..12 {
        std::thread::sleep(Duration::from_millis(100));
        stream.write_all(b"GET /livez HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
        let mut answer = [0; 1024];
        assert!(stream.read(&mut answer).unwrap() > 0);
    }
}

#[test]
fn a_server_that_stops_lets_idle_connections_go() {
    let server = Server::start();
    let mut stream = std::net::TcpStream::connect(server.address).unwrap();
    stream.write_all(b"GET /livez HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    let mut answer = [0; 1024];
    assert!(stream.read(&mut answer).unwrap() > 0);
    let began = Instant::now();
    drop(server);
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
}

#[test]
fn http2_is_spoken_to_those_who_begin_with_it() {
    let server = Server::start();
    // The preface and empty settings; the server answers with settings of its own.
    let mut stream = std::net::TcpStream::connect(server.address).unwrap();
    stream.write_all(b"PRI * HTT").unwrap();
    std::thread::sleep(Duration::from_millis(30));
    stream.write_all(b"P/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00").unwrap();
    let mut frame = [0; 9];
    stream.read_exact(&mut frame).unwrap();
    assert_eq!(frame[3], 4, "{frame:?}");
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(300))]

    /// Whatever is asked, the answer is no fault of the server.
    #[test]
    fn nothing_that_is_asked_is_our_fault(
        method in proptest::sample::select(vec!["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"]),
        path in proptest::sample::select(vec![
            "/v1/products", "/v1/products/abc", "/v1/orders", "/v1/recent-orders", "/v1/customers",
            "/v1/orders/00000000-0000-7000-8000-000000000001",
            "/v1/orders/00000000-0000-7000-8000-000000000001/lines",
            "/v1/orders/00000000-0000-7000-8000-000000000001/lines/1",
            "/v1/notes", "/v1/notes/1", "/v1/notes/99999999999999999999",
            "/v1/place-order", "/v1/coupons/abc/redeem",
            "/v1/orders/00000000-0000-7000-8000-000000000001/ship",
            "/v1/orders/00000000-0000-7000-8000-000000000001/take-money",
        ]),
        query in "(((include|fields|sort|limit|after|name|state|sku|id|customer|placed|price|since|total)(\\[(eq|ne|lt|gte|in|null|x)\\])?|[a-z%]{0,3})=[a-z0-9,.:%+-]{0,12}&){0,4}",
        headers in proptest::collection::vec(
            "(If-Match|If-None-Match|Accept|Content-Type|Authorization|Accept-Encoding|Range|traceparent|Origin|Expect|Idempotency-Key): [ -~]{0,20}",
            0..4,
        ),
        body in "(\\{|\\[|\"|\\}|\\]|:|,|null|1e9|-1|\"(sku|name|price|lines|customer|quantity|text|basket|product|note)\"|\"[ -~]{0,5}\"){0,14}",
        json: bool,
        role in proptest::sample::select(vec!["", "customer", "clerk", "manager"]),
    ) {
        let server = Server::shared();
        let mut headers: Vec<String> =
            headers.into_iter().map(|header| header.trim_end().to_owned()).collect();
        if json {
            headers.push("Content-Type: application/json".to_owned());
        }
        if !role.is_empty() {
            headers.push(server.bearer(role, ADA));
        }
        let answer = server.ask(method, &format!("{path}?{query}"), &headers, body.as_bytes());
        proptest::prop_assert!(answer.status < 500, "{} {}", answer.status, answer.text());
        if answer.status >= 400 && method != "HEAD" && !answer.body.is_empty() {
            let problem: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
            proptest::prop_assert_eq!(problem["status"].as_u64(), Some(u64::from(answer.status)));
            proptest::prop_assert!(problem["code"].is_string());
        }
    }
}

//! Events, read and followed over real sockets.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use serve::http::Settings;

use crate::support::{ADA, Answer, Server};

/// A server with guests that can be greeted.
fn server(settings: Settings, guests: usize) -> (Server, Vec<String>) {
    with_guests(Server::with(settings), guests)
}

fn with_guests(server: Server, guests: usize) -> (Server, Vec<String>) {
    let clerk = server.bearer("clerk", "somebody");
    let post = |target: &str, bearer: &str, body: Value| {
        let headers = [bearer.to_owned(), "Content-Type: application/json".to_owned()];
        let answer = server.ask("POST", target, &headers, body.to_string().as_bytes());
        assert_eq!(answer.status / 100, 2, "{target}: {}", answer.text());
        answer
    };
    let guests = (0..guests).map(|at| {
        let id = format!("00000000-0000-7000-8000-0000000000{at:02}");
        let guest = json!({"id": id, "name": "Ada", "email": format!("ada{at}@example.org")});
        post("/v1/customers", &clerk, guest);
        id
    });
    let guests = guests.collect();
    (server, guests)
}

fn greet(server: &Server, guest: &str, note: &str) {
    let headers = [server.bearer("clerk", "somebody"), "Content-Type: application/json".to_owned()];
    let body = json!({ "note": note }).to_string();
    let answer =
        server.ask("POST", &format!("/v1/customers/{guest}/greet"), &headers, body.as_bytes());
    assert_eq!(answer.status / 100, 2, "{}", answer.text());
}

fn get(server: &Server, target: &str, role: &str) -> Answer {
    server.ask("GET", target, &[server.bearer(role, ADA)], b"")
}

/// What a page holds: type and key of each event; and where the next begins.
fn page(answer: &Answer) -> (Vec<(String, String)>, String) {
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.one("content-type"), "application/cloudevents-batch+json");
    assert_eq!(answer.one("cache-control"), "no-store");
    let events: Vec<Value> = serde_json::from_slice(&answer.body).unwrap();
    let told = |event: &Value, name: &str| event[name].as_str().unwrap().to_owned();
    let events = events.iter().map(|event| (told(event, "type"), told(event, "subject")));
    let next = answer.one("link").strip_prefix('<').unwrap();
    let next = next.strip_suffix(">; rel=\"next\"").unwrap();
    (events.collect(), next.to_owned())
}

const GREETED: &str = "shop.Greeted.v1";
const COUNTED: &str = "shop.Counted.v1";

#[test]
fn events_are_read_page_by_page() {
    let (server, guests) = server(Settings::default(), 3);
    for guest in &guests {
        greet(&server, guest, "soon");
    }
    let both = |guest: &String| [(GREETED.into(), guest.clone()), (COUNTED.into(), guest.clone())];
    let all: Vec<(String, String)> = guests.iter().flat_map(both).collect();
    let (events, next) = page(&get(&server, "/v1/events", "clerk"));
    assert_eq!(events, all);
    // The next page has what happens later.
    let (events, next) = page(&get(&server, &next, "clerk"));
    assert_eq!((events.len(), next.as_str()), (0, "/v1/events?after=6"));
    let (first, next) = page(&get(&server, "/v1/events?limit=4", "clerk"));
    let (second, _) = page(&get(&server, &next, "clerk"));
    assert_eq!([first, second].concat(), all);
    let (events, _) = page(&get(&server, &format!("/v1/events?type={COUNTED}&limit=2"), "clerk"));
    assert_eq!(events, [all[1].clone(), all[3].clone()]);
    let (events, _) = page(&get(&server, &format!("/v1/events?key={}", guests[1]), "clerk"));
    assert_eq!(events, all[2..4]);
    let (events, _) = page(&get(&server, "/v1/events?since=2999-01-01T00:00:00Z", "clerk"));
    assert_eq!(events, []);
    let (events, _) = page(&get(&server, "/v1/events?since=2020-01-01T00:00:00Z", "clerk"));
    assert_eq!(events, all);
}

#[test]
fn events_are_read_by_whom_the_model_lets() {
    let (server, guests) = server(Settings::default(), 1);
    greet(&server, &guests[0], "");
    let greeted = vec![(GREETED.to_owned(), guests[0].clone())];
    assert_eq!(page(&get(&server, "/v1/events", "customer")).0, greeted);
    let refused = |target: &str, role: &str, status: u16, says: &str| {
        let answer = get(&server, target, role);
        assert_eq!(answer.status, status, "{}", answer.text());
        assert!(answer.text().contains(says), "{}", answer.text());
    };
    let says = format!("there is no event `{COUNTED}` that you may read; there are: {GREETED}");
    refused(&format!("/v1/events?type={COUNTED}"), "customer", 400, &says);
    refused("/v1/events", "manager", 403, "you may not read any events");
    refused("/v1/events?limit=101", "clerk", 400, "must be 1 to 100");
    refused("/v1/events?after=x", "clerk", 400, "the `Link` of a page");
    refused("/v1/events?since=now", "clerk", 400, "RFC 3339");
    refused("/v1/events?kind=x", "clerk", 400, "there is no parameter `kind` here");
    assert_eq!(server.ask("GET", "/v1/events", &[], b"").status, 401);
    let clerk = server.bearer("clerk", "somebody");
    assert_eq!(server.ask("POST", "/v1/events", std::slice::from_ref(&clerk), b"").status, 405);
    let html = [clerk, "Accept: text/html".to_owned()];
    assert_eq!(server.ask("GET", "/v1/events", &html, b"").status, 406);
    let document = server.ask("GET", "/openapi.json", &[], b"");
    let document: Value = serde_json::from_slice(&document.body).unwrap();
    let operation = &document["paths"]["/v1/events"]["get"];
    assert_eq!(
        operation["parameters"][0]["schema"]["items"]["enum"],
        json!([GREETED, COUNTED, "shop.Paid.v1"])
    );
    let sent = &document["webhooks"]["greetings"]["post"];
    let schema = &sent["requestBody"]["content"]["application/cloudevents+json"]["schema"];
    let kinds: Vec<&Value> = schema["anyOf"]
        .as_array()
        .unwrap()
        .iter()
        .map(|event| &event["properties"]["type"]["const"])
        .collect();
    assert_eq!(kinds, [GREETED, COUNTED]);
    assert!(document["components"]["schemas"]["Greeted"]["properties"]["note"].is_object());
}

/// What a page leads on to.
fn next(answer: &Answer) -> Option<String> {
    let link = answer.one("link").strip_prefix('<')?.strip_suffix(">; rel=\"next\"")?;
    Some(link.to_owned())
}

#[test]
fn dead_letters_are_seen_to_by_whom_the_model_lets() {
    let error = "there is no room for \"her\"";
    for started in [Server::start, Server::on_postgres] {
        let (server, guests) = with_guests(started(), 3);
        for guest in &guests {
            greet(&server, guest, "soon");
        }
        server.give_up("on Greeted run remember", error);
        let ask = |method: &str, target: &str| {
            server.ask(method, target, &[server.bearer("manager", "somebody")], b"")
        };
        let rows = |answer: &Answer| -> Vec<Value> {
            assert_eq!(answer.status, 200, "{}", answer.text());
            serde_json::from_slice(&answer.body).unwrap()
        };
        let first = ask("GET", "/v1/events/dead?limit=1");
        let mut dead = rows(&first);
        assert_eq!(dead[0]["type"], GREETED);
        assert_eq!(dead[0]["key"], guests[0]);
        assert_eq!(dead[0]["target"], "on Greeted run remember");
        assert_eq!(dead[0]["failures"], 1);
        assert_eq!(dead[0]["since"], "2023-11-14T22:13:20Z");
        assert_eq!(dead[0]["error"], error);
        let (events, _) = page(&get(&server, "/v1/events?limit=1", "clerk"));
        assert_eq!(events[0].1, guests[0], "its event is the first");
        assert_eq!(dead[0].as_object().unwrap().len(), 8, "what the event carries is not told");
        // The second was put aside at the same moment, the third later.
        let mut link = next(&first);
        while let Some(target) = link {
            let answer = ask("GET", &target);
            dead.extend(rows(&answer));
            link = next(&answer);
        }
        let keys: Vec<&str> = dead.iter().map(|row| row["key"].as_str().unwrap()).collect();
        assert_eq!(keys, guests);
        assert_eq!(rows(&ask("GET", "/v1/events/dead")), dead);
        let of_one = ask("GET", &format!("/v1/events/dead?type={GREETED}&key={}", guests[1]));
        assert_eq!(rows(&of_one), dead[1..2]);
        let later = ask("GET", "/v1/events/dead?since=2023-11-14T22:13:21Z");
        assert_eq!(rows(&later), dead[2..]);

        let number = |at: usize| dead[at]["number"].to_string();
        let retry = format!("/v1/events/dead/{}/retry", number(0));
        let once = |key: &str| {
            let headers = [server.bearer("manager", "somebody"), format!("Idempotency-Key: {key}")];
            server.ask("POST", &retry, &headers, b"")
        };
        let first = once("one");
        assert_eq!((first.status, first.header("idempotency-replayed")), (202, None));
        let again = once("one");
        assert_eq!((again.status, again.header("idempotency-replayed")), (202, Some("true")));
        assert_eq!(once("two").status, 404, "it is not dead any more");
        assert_eq!(ask("POST", &retry).status, 404, "it is not dead any more");
        let drop = format!("/v1/events/dead/{}", number(1));
        assert_eq!(ask("DELETE", &drop).status, 204);
        assert_eq!(ask("DELETE", &drop).status, 404);
        assert_eq!(ask("DELETE", "/v1/events/dead/first").status, 404);
        assert_eq!(rows(&ask("GET", "/v1/events/dead")), dead[2..]);
        server.give_up("on Greeted run remember", "again");
        let again = rows(&ask("GET", "/v1/events/dead"));
        assert_eq!(again.len(), 2, "what is tried again may fail again");
        assert_eq!(
            (&again[0]["number"], &again[0]["error"]),
            (&dead[0]["number"], &json!("again"))
        );
    }
}

#[test]
fn dead_letters_of_what_is_kept_no_more_or_never_was_are_seen_to() {
    for started in [Server::start, Server::on_postgres] {
        let (server, guests) = with_guests(started(), 2);
        for guest in &guests {
            greet(&server, guest, "soon");
        }
        server.give_up("on Greeted run remember", "it fails");
        // A week later the events are gone.
        server.forget_events();
        let ask = |method: &str, target: &str| {
            server.ask(method, target, &[server.bearer("manager", "somebody")], b"")
        };
        let rows = |target: &str| -> Vec<Value> {
            let answer = ask("GET", target);
            assert_eq!(answer.status, 200, "{}", answer.text());
            serde_json::from_slice(&answer.body).unwrap()
        };
        let dead = rows("/v1/events/dead");
        let told: Vec<_> = dead.iter().map(|row| (&row["type"], &row["key"])).collect();
        let (kind, [first, second]) = (json!(GREETED), [json!(guests[0]), json!(guests[1])]);
        assert_eq!(told, [(&kind, &first), (&kind, &second)]);
        assert_eq!(rows(&format!("/v1/events/dead?key={}", guests[1])), dead[1..]);
        let retry = |row: &Value| ask("POST", &format!("/v1/events/dead/{}/retry", row["number"]));
        assert_eq!(retry(&dead[0]).status, 202);
        // What came over a broker and could not be read is of its event, too.
        let data = r#"{"from":"queue","source":"/a","id":"1","data":"{}"}"#;
        server.cannot_read("arrived Greeted", data, "note: is missing");
        server.cannot_read("arrived Greeted", r#"{"from":"queue","text":"hello"}"#, "no event");
        server.cannot_read("arrived Counted", data, "count: is missing");
        let dead = rows("/v1/events/dead");
        let told: Vec<_> = dead.iter().map(|row| (&row["type"], &row["error"])).collect();
        let errors = ["it fails", "note: is missing", "no event"].map(|error| json!(error));
        assert_eq!(told, errors.iter().map(|error| (&kind, error)).collect::<Vec<_>>());
        let [_, readable, unreadable] = dead.as_slice() else { panic!("{dead:?}") };
        assert_eq!(retry(readable).status, 202);
        let refused = retry(unreadable);
        assert_eq!(refused.status, 409, "{}", refused.text());
        assert!(refused.text().contains("it cannot be read again"), "{}", refused.text());
        let drop = format!("/v1/events/dead/{}", unreadable["number"]);
        assert_eq!(ask("DELETE", &drop).status, 204);
        assert_eq!(rows("/v1/events/dead"), dead[..1]);
    }
}

#[test]
fn dead_letters_are_closed_to_others() {
    let (server, guests) = server(Settings::default(), 1);
    greet(&server, &guests[0], "soon");
    server.give_up("on Greeted run remember", "it fails");
    let ask = |method: &str, target: &str, role: &str| {
        server.ask(method, target, &[server.bearer(role, "somebody")], b"")
    };
    let dead: Vec<Value> =
        serde_json::from_slice(&ask("GET", "/v1/events/dead", "manager").body).unwrap();
    let one = format!("/v1/events/dead/{}", dead[0]["number"]);
    let retry = format!("{one}/retry");
    // What an event of others left is nobody's here.
    server.give_up("webhook greetings", "nobody is there");
    let hidden = server.dead_of("Counted");
    assert_eq!(hidden.len(), 1);
    let shown = ask("GET", "/v1/events/dead", "manager").text();
    assert_eq!(shown.matches(GREETED).count(), 2, "{shown}");
    assert!(!shown.contains(COUNTED), "{shown}");
    for number in hidden {
        let one = format!("/v1/events/dead/{number}");
        assert_eq!(ask("DELETE", &one, "manager").status, 404);
        assert_eq!(ask("POST", &format!("{one}/retry"), "manager").status, 404);
    }
    for (method, target) in [
        ("GET", "/v1/events/dead"),
        ("POST", "/v1/events/replay"),
        ("DELETE", &one),
        ("POST", &retry),
    ] {
        // Who may read the event may not replay it.
        let refused = ask(method, target, "clerk");
        assert_eq!(refused.status, 403, "{target}: {}", refused.text());
        assert!(refused.text().contains("you may not replay any events"), "{}", refused.text());
        assert_eq!(server.ask(method, target, &[], b"").status, 401, "{target}");
    }
    let refused = |target: &str, says: &str| {
        let answer = ask("GET", target, "manager");
        assert_eq!(answer.status, 400, "{target}: {}", answer.text());
        assert!(answer.text().contains(says), "{}", answer.text());
    };
    let says = format!("there is no event `{COUNTED}` that you may replay; there are: {GREETED}");
    refused(&format!("/v1/events/dead?type={COUNTED}"), &says);
    refused("/v1/events/dead?limit=0", "must be 1 to 100");
    refused("/v1/events/dead?after=3", "goes together with `since`");
    refused("/v1/events/dead?until=3", "there is no parameter `until` here");
    assert_eq!(ask("GET", "/v1/events/replay", "manager").status, 405);
    assert_eq!(ask("POST", "/v1/events/dead", "manager").status, 405);
    assert_eq!(ask("GET", "/v1/events/dead/1/retry/now", "manager").status, 404);
    assert_eq!(ask("GET", "/v1/events/living", "manager").status, 404);
}

#[test]
fn events_are_replayed_by_whom_the_model_lets() {
    for started in [Server::start, Server::on_postgres] {
        let (server, guests) = with_guests(started(), 3);
        for guest in &guests {
            greet(&server, guest, "soon");
        }
        let ask = |target: &str, headers: &[&str], body: &str| {
            let mut all = vec![server.bearer("manager", "somebody")];
            all.extend(headers.iter().map(|header| (*header).to_owned()));
            server.ask("POST", target, &all, body.as_bytes())
        };
        let waiting = || server.waiting();
        let before = waiting();
        let said = |answer: &Answer| -> (u64, u64) {
            assert_eq!(answer.status, 202, "{}", answer.text());
            let said: Value = serde_json::from_slice(&answer.body).unwrap();
            (said["events"].as_u64().unwrap(), said["tasks"].as_u64().unwrap())
        };
        // A command and a webhook hear each; `Counted` is not the manager's to replay.
        let first = ask("/v1/events/replay?limit=2", &[], "");
        assert_eq!(said(&first), (2, 4));
        assert_eq!(waiting(), before + 4);
        // What is published meanwhile is heard anyway.
        greet(&server, &guests[0], "later");
        let before = waiting();
        let second = ask(&next(&first).unwrap(), &[], "");
        assert_eq!(said(&second), (1, 2));
        assert_eq!(next(&second), None);
        assert_eq!(waiting(), before + 2);
        let of_one = ask(&format!("/v1/events/replay?key={}", guests[0]), &[], "");
        assert_eq!(said(&of_one), (2, 4));
        let none = ask("/v1/events/replay?since=2999-01-01T00:00:00Z", &[], "");
        assert_eq!((said(&none), next(&none)), ((0, 0), None));

        let refused = |headers: &[&str], body: &str, says: &str| {
            let answer = ask("/v1/events/replay", headers, body);
            assert_eq!(answer.status, 400, "{}", answer.text());
            assert!(answer.text().contains(says), "{}", answer.text());
        };
        refused(
            &["Idempotency-Key: a b"],
            "",
            "must be one text of 1 to 255 visible ASCII characters",
        );
        // Under a key they are heard once more once, however often that is asked for.
        let before = waiting();
        let target = "/v1/events/replay?limit=2";
        let first = ask(target, &["Idempotency-Key: k"], "");
        assert_eq!((said(&first), first.header("idempotency-replayed")), ((2, 4), None));
        let again = ask(target, &["Idempotency-Key: k"], "");
        assert_eq!((again.status, &again.body), (first.status, &first.body));
        assert_eq!(again.header("idempotency-replayed"), Some("true"));
        assert_eq!(next(&again), next(&first));
        assert_eq!(waiting(), before + 4);
        let other = ask("/v1/events/replay?limit=1", &["Idempotency-Key: k"], "");
        assert!(other.status == 422 && other.text().contains("idempotency_key_reused"));
        // Another's key is another one.
        let bearer = server.bearer("manager", "somebody else");
        let others = server.ask("POST", target, &[bearer, "Idempotency-Key: k".to_owned()], b"");
        assert_eq!(said(&others), (2, 4));
        assert_eq!(waiting(), before + 8);
        refused(&["Content-Type: application/json"], "{}", "this takes no body");
    }
}

/// A stream that is read line by line.
struct Stream {
    lines: std::io::Lines<BufReader<TcpStream>>,
}

impl Stream {
    fn open(server: &Server, target: &str, headers: &[&str]) -> Self {
        let mut socket = TcpStream::connect(server.address).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let bearer = server.bearer("clerk", "somebody");
        let mut request = format!(
            "GET {target} HTTP/1.1\r\nHost: shop.test\r\nAccept: text/event-stream\r\n{bearer}\r\n"
        );
        headers.iter().for_each(|header| request.push_str(&format!("{header}\r\n")));
        socket.write_all(format!("{request}\r\n").as_bytes()).unwrap();
        Self { lines: BufReader::new(socket).lines() }
    }

    fn status(&mut self) -> String {
        self.lines.next().unwrap().unwrap()
    }

    /// The next lines of the stream that begin with these words.
    fn next(&mut self, word: &str) -> Option<String> {
        self.lines
            .by_ref()
            .map_while(Result::ok)
            .find_map(|line| line.strip_prefix(word).map(str::to_owned))
    }

    /// The next event, and the identifier before it.
    fn event(&mut self) -> (String, Value) {
        let mut id = String::new();
        for line in self.lines.by_ref() {
            let line = line.unwrap();
            if let Some(said) = line.strip_prefix("id: ") {
                id = said.to_owned();
            }
            if let Some(data) = line.strip_prefix("data: ") {
                return (id, serde_json::from_str(data).unwrap());
            }
        }
        panic!("the stream has ended");
    }
}

#[test]
fn events_are_followed_as_they_happen() {
    let (server, guests) = server(Settings::default(), 3);
    greet(&server, &guests[0], "before");
    let mut stream = Stream::open(&server, &format!("/v1/events?type={GREETED}"), &[]);
    assert_eq!(stream.status(), "HTTP/1.1 200 OK");
    assert_eq!(stream.next("content-type: ").unwrap(), "text/event-stream");
    assert_eq!(stream.next("retry: ").unwrap(), "1000");
    greet(&server, &guests[1], "a\nb");
    let (id, event) = stream.event();
    assert_eq!(event["subject"], json!(guests[1]));
    assert_eq!(event["data"]["note"], json!("a\nb"));
    drop(stream);
    // Whoever comes back goes on where it was.
    greet(&server, &guests[2], "after");
    let mut stream = Stream::open(&server, "/v1/events", &[&format!("Last-Event-ID: {id}")]);
    let mut subjects = Vec::new();
    while subjects.last() != Some(&json!(guests[2])) {
        subjects.push(stream.event().1["subject"].clone());
    }
    assert!(!subjects.contains(&json!(guests[0])));
    let mut wrong = Stream::open(&server, "/v1/events", &["Last-Event-ID: x"]);
    assert_eq!(wrong.status(), "HTTP/1.1 400 Bad Request");
}

#[test]
fn streams_are_bounded_and_end_with_the_server() {
    let settings = Settings { streams: 1, ..Settings::default() };
    let (server, _) = server(settings, 0);
    let mut first = Stream::open(&server, "/v1/events", &[]);
    assert_eq!(first.status(), "HTTP/1.1 200 OK");
    let mut second = Stream::open(&server, "/v1/events", &[]);
    assert_eq!(second.status(), "HTTP/1.1 503 Service Unavailable");
    drop(first);
    let waiting = Instant::now();
    let mut third = loop {
        let mut again = Stream::open(&server, "/v1/events", &[]);
        if again.status() == "HTTP/1.1 200 OK" {
            break again;
        }
        assert!(waiting.elapsed() < Duration::from_secs(10), "its place was not given back");
        std::thread::sleep(Duration::from_millis(50));
    };
    let stopping = Instant::now();
    let stopped = std::thread::spawn(move || drop(server));
    assert_eq!(third.next("never: "), None);
    stopped.join().unwrap();
    // The time of a drain is longer.
    assert!(stopping.elapsed() < Duration::from_secs(10), "{:?}", stopping.elapsed());
}

#[test]
fn events_come_in_through_a_webhook() {
    let server = Server::with(Settings { body_bytes: 1_000, ..Settings::default() });
    let secret = server.sender("payments_in");
    let send_once = |id: &str, media_type: &str, body: &str, key: Option<&str>| {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        let now = i64::try_from(now.as_secs()).unwrap();
        let signature =
            engine::webhook::signatures(std::slice::from_ref(&secret), id, now, body.as_bytes());
        let mut headers = vec![
            format!("Content-Type: {media_type}"),
            format!("webhook-id: {id}"),
            format!("webhook-timestamp: {now}"),
            format!("webhook-signature: {signature}"),
        ];
        headers.extend(key.map(|key| format!("Idempotency-Key: {key}")));
        server.ask("POST", "/hooks/payments_in", &headers, body.as_bytes())
    };
    let send = |id: &str, media_type: &str, body: &str| send_once(id, media_type, body, None);
    let json = "application/json";
    let cloud = "application/cloudevents+json; charset=utf-8";
    let event = r#"{"specversion":"1.0","id":"1","source":"/b","type":"Paid","data":{"number":2}}"#;
    for (id, media_type, body, status) in [
        ("a", json, r#"{"number":1}"#, 204),
        ("a", json, r#"{"number":1}"#, 204),
        ("b", cloud, event, 204),
        ("c", "text/plain", r#"{"number":1}"#, 415),
        ("d", json, r#"{"number":0}"#, 422),
        ("e", json, r#"{"type":"Lost","data":{}}"#, 422),
        ("f", json, "{", 422),
        ("g", json, &format!("{{\"number\":1,\"more\":\"{}\"}}", "x".repeat(1_000)), 413),
    ] {
        let answer = send(id, media_type, body);
        assert_eq!(answer.status, status, "{id}: {}", answer.text());
    }
    // Under a key, it is known by that as well.
    let first = send_once("a", json, r#"{"number":1}"#, Some("one"));
    assert_eq!((first.status, first.header("idempotency-replayed")), (204, None));
    let again = send_once("a", json, r#"{"number":1}"#, Some("one"));
    assert_eq!((again.status, again.header("idempotency-replayed")), (204, Some("true")));
    let other = send_once("l", json, r#"{"number":4}"#, Some("one"));
    assert!(other.status == 422 && other.text().contains("idempotency_key_reused"));
    let unsigned = server.ask(
        "POST",
        "/hooks/payments_in",
        &["Content-Type: application/json".to_owned()],
        br#"{"number":1}"#,
    );
    assert_eq!(unsigned.status, 401);
    assert!(unsigned.text().contains("webhook-signature"), "{}", unsigned.text());
    let read = server.ask("GET", "/hooks/payments_in", &[], b"");
    assert_eq!((read.status, read.one("allow")), (405, "POST, OPTIONS"));
    assert_eq!(server.ask("POST", "/hooks/nobody", &[], b"{}").status, 404);
    let (events, _) = page(&get(&server, "/v1/events?type=shop.Paid.v1", "clerk"));
    let numbers: Vec<&str> = events.iter().map(|(_, key)| key.as_str()).collect();
    assert_eq!(numbers, ["1", "2"]);
    let document = server.ask("GET", "/openapi.json", &[], b"");
    let document: Value = serde_json::from_slice(&document.body).unwrap();
    let hook = &document["paths"]["/hooks/payments_in"]["post"];
    assert_eq!(hook["operationId"], "receive_payments_in");
}

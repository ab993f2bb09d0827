//! `mimar webhook`, beside a server that delivers.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::process::Command;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::process::{Ended, Project, Server, ask, end, mimar, run};

const MODEL: &str = "\
app Talk { version 1  roles user  surface rest }

entity Line { key id: Int = auto  text: String(1..20)  allow read to user }

event Said by line { line: Line }

/// Says something.
command say(text: String(1..20)) { allow user  let line = create Line { text }  emit Said { line } }

/// For partners who listen.
webhook talk { sends Said  sign standard  retry for 1d }
";

const SECRET: &str = "0123456789abcdef0123456789abcdef";

/// A server that answers every request with 204, and hands out what it got.
fn partner() -> (String, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/hooks", listener.local_addr().unwrap());
    let (sender, received) = channel();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let (mut text, mut buffer) = (String::new(), [0; 4_096]);
            // The last member of an event is its data.
            while !text.ends_with("}}") {
                let count = stream.read(&mut buffer).unwrap();
                text.push_str(std::str::from_utf8(&buffer[..count]).unwrap());
            }
            let _ = stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n");
            let _ = sender.send(text);
        }
    });
    (url, received)
}

/// `mimar webhook … --json` in one project and database.
struct Hooks<'a> {
    project: &'a str,
    database: &'a str,
}

impl Hooks<'_> {
    fn run(&self, arguments: &[&str]) -> Ended {
        let place = ["--project", self.project, "--database", self.database];
        end(mimar().arg("webhook").args(arguments).args(place))
    }

    fn json(&self, arguments: &[&str]) -> Value {
        let ended = self.run(&[arguments, &["--json"]].concat());
        assert_eq!(ended.code, 0, "{}", ended.err);
        serde_json::from_str(&ended.out).unwrap()
    }
}

fn say(server: &Server, token: &str, text: &str) {
    let body = format!(r#"{{"text":"{text}"}}"#);
    let reply = ask(server.address, "POST", "/v1/say", Some(token), &body);
    assert!((200..300).contains(&reply.status), "{reply:?}");
}

fn token(project: &Project) -> String {
    let token = end(mimar()
        .args(["token", "--role", "user", "--project", project.path()])
        .env("MIMAR_JWT_SECRET", SECRET));
    token.out.trim().to_owned()
}

fn serve(project: &Project, database: &str) -> Command {
    let mut serve = mimar();
    serve.args(["serve", project.path(), "--database", database]).env("MIMAR_JWT_SECRET", SECRET);
    serve
}

fn until(what: &str, is_so: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !is_so() {
        assert!(Instant::now() < deadline, "{what}: not within 20 s");
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn endpoints_are_looked_after_while_the_server_runs() {
    let project = Project::new(MODEL);
    let file = project.join("talk.db").to_str().unwrap().to_owned();
    for database in [file, testbed::postgres().database()] {
        let server = Server::start(serve(&project, &database).arg("--webhooks-to-private"));
        let hooks = Hooks { project: project.path(), database: &database };
        let token = token(&project);
        let (url, received) = partner();
        let patience = Duration::from_secs(20);

        let added = hooks.json(&["add", "talk", &url]);
        let id = added["id"].to_string();
        assert!(added["secret"].as_str().unwrap().starts_with("whsec_"), "{added}");
        say(&server, &token, "one");
        let got = received.recv_timeout(patience).unwrap();
        assert!(
            got.starts_with("POST /hooks HTTP/1.1\r\n") && got.contains("webhook-signature: v1,"),
            "{got}"
        );
        until("it is noted", || hooks.json(&["deliveries", &id])[0]["state"] == "delivered");

        // No secret is told twice.
        let listed = hooks.run(&["list"]);
        assert!(listed.out.contains(&url) && !listed.out.contains("whsec_"), "{}", listed.out);
        assert!(!hooks.json(&["list"]).to_string().contains("whsec_"));

        let rotated = hooks.json(&["rotate", &id, "--overlap", "1h"]);
        assert_ne!(rotated["secret"], added["secret"]);
        say(&server, &token, "two");
        let got = received.recv_timeout(patience).unwrap();
        assert_eq!(got.matches("v1,").count(), 2, "{got}");

        hooks.json(&["disable", &id]);
        say(&server, &token, "three");
        assert!(received.recv_timeout(Duration::from_secs(2)).is_err());
        hooks.json(&["enable", &id]);
        let replayed = hooks.json(&["replay", &id, "--since", "1h"]);
        assert_eq!(replayed["events"], 3, "{replayed}");
        for _ in 0..3 {
            received.recv_timeout(patience).unwrap();
        }
        until("all is noted", || {
            let all = hooks.json(&["deliveries"]);
            all.as_array().unwrap().iter().filter(|one| one["state"] == "delivered").count() == 5
        });
        let shown = hooks.run(&["deliveries", &id]).out;
        assert!(shown.contains("delivered after 1 attempt  Said"), "{shown}");

        hooks.json(&["remove", &id]);
        assert_eq!(hooks.json(&["list"]), serde_json::json!([]));
        let gone = hooks.run(&["enable", &id]);
        assert!(gone.code == 2 && gone.err.contains("there is no endpoint"), "{}", gone.err);
    }
}

#[test]
fn a_server_sends_to_public_addresses_unless_told_otherwise() {
    let project = Project::new(MODEL);
    let database = project.join("talk.db").to_str().unwrap().to_owned();
    let mut server = Server::start(&mut serve(&project, &database));
    let hooks = Hooks { project: project.path(), database: &database };
    let (url, received) = partner();
    // A query may be secret.
    let url = format!("{url}?key=s3cret");
    let added = hooks.run(&["add", "talk", &url]);
    assert!(added.err.contains("--webhooks-to-private"), "{}", added.err);
    let secure = hooks.json(&["add", "talk", &url.replace("http:", "https:")]);
    say(&server, &token(&project), "one");
    let tried = || hooks.json(&["deliveries"]);
    until("both are refused", || {
        tried().as_array().unwrap().iter().filter(|one| !one["reason"].is_null()).count() == 2
    });
    for delivery in tried().as_array().unwrap() {
        let expected = if delivery["endpoint"] == secure["id"] {
            "not sent: the address is that of this machine"
        } else {
            "not sent: only https:// is spoken"
        };
        assert_eq!(delivery["reason"], expected, "{delivery}");
    }
    assert!(received.try_recv().is_err());
    server.says("a delivery has failed, and is made again");
    let said = server.said();
    assert!(said.contains("/hooks\"") && !said.contains("s3cret"), "{said}");
    assert!(said.contains("not sent: only https:// is spoken"), "{said}");
}

#[test]
fn dev_sends_to_this_machine() {
    let project = Project::new(MODEL);
    let mut server = Server::dev(project.folder.path());
    let token = server.token("user");
    let (url, received) = partner();
    let added = run(&["webhook", "add", "talk", &url, "--project", project.path()]);
    assert!(added.code == 0 && added.out.contains("\nSecret whsec_"), "{}{}", added.out, added.err);
    say(&server, &token, "one");
    assert!(received.recv_timeout(Duration::from_secs(20)).unwrap().contains("cloudevents"));
}

#[test]
fn what_is_no_endpoint_is_refused() {
    let project = Project::new(MODEL);
    drop(Server::dev(project.folder.path()));
    let add =
        |name: &str, url: &str| run(&["webhook", "add", name, url, "--project", project.path()]);
    for (name, url, text) in [
        ("tlak", "https://a.example/", "the model has no webhook `tlak`; it has: talk"),
        ("talk", "ftp://a.example/", "only https:// is spoken"),
        ("talk", "https://ann:secret@a.example/", "a user or a password"),
        ("talk", "https://a.example:0/", "1 to 65535"),
        ("talk", "a.example", "not a URL"),
    ] {
        let refused = add(name, url);
        assert!(refused.code == 2 && refused.err.contains(text), "{}", refused.err);
        assert!(!refused.err.contains("secret@"), "{}", refused.err);
    }
    let none = run(&["webhook", "deliveries", "99", "--project", project.path()]);
    assert!(none.code == 2 && none.err.contains("there is no endpoint 99"), "{}", none.err);
}

const INBOUND: &str = "\
app Shop { version 1  roles user  surface rest }

entity Payment { key order: Int  amount: Int  allow read to user }

event PaymentArrived by order { order: Int  amount: Int }

command book(order: Int, amount: Int) { allow system  create Payment { order, amount } }

on PaymentArrived run book(order, amount)

webhook payments_in { receives PaymentArrived as \"payment.arrived\"  sign standard }
webhook payments_out { sends PaymentArrived  sign standard }
";

/// Sends a signed request; its status.
fn send(server: &Server, secret: &str, id: &str, body: &str) -> String {
    let secret = engine::webhook::Secret::parse(secret).unwrap();
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let now = i64::try_from(now.as_secs()).unwrap();
    let signature = engine::webhook::signatures(&[secret], id, now, body.as_bytes());
    let mut stream = std::net::TcpStream::connect(server.address).unwrap();
    let length = body.len();
    write!(
        stream,
        "POST /hooks/payments_in HTTP/1.1\r\nhost: shop\r\nconnection: close\r\n\
         content-type: application/json\r\ncontent-length: {length}\r\nwebhook-id: {id}\r\n\
         webhook-timestamp: {now}\r\nwebhook-signature: {signature}\r\n\r\n{body}"
    )
    .unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    text.lines().next().unwrap_or_default().to_owned()
}

#[test]
fn what_a_known_sender_signs_comes_in() {
    let project = Project::new(INBOUND);
    let file = project.join("shop.db").to_str().unwrap().to_owned();
    for database in [file, testbed::postgres().database()] {
        let server = Server::start(&mut serve(&project, &database));
        let hooks = Hooks { project: project.path(), database: &database };
        let token = token(&project);
        let body = |order: u32| {
            format!(r#"{{"type":"payment.arrived","data":{{"order":{order},"amount":5}}}}"#)
        };
        let added = hooks.json(&["add", "payments_in"]);
        let secret = added["secret"].as_str().unwrap();
        assert_eq!(added["url"], "/hooks/payments_in");
        assert_eq!(send(&server, secret, "m1", &body(1)), "HTTP/1.1 204 No Content");
        assert_eq!(send(&server, secret, "m1", &body(1)), "HTTP/1.1 204 No Content");
        let read = |order: u32| {
            let path = format!("/v1/payments/{order}");
            ask(server.address, "GET", &path, Some(&token), "").status
        };
        until("it is booked", || read(1) == 200);

        // A sender may bring a secret of its own.
        let own = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
        assert_eq!(send(&server, own, "m2", &body(2)), "HTTP/1.1 401 Unauthorized");
        let brought = hooks.json(&["add", "payments_in", "--secret", own]);
        assert!(brought["secret"].is_null(), "{brought}");
        assert_eq!(send(&server, own, "m2", &body(2)), "HTTP/1.1 204 No Content");
        until("it is booked", || read(2) == 200);
        hooks.json(&["disable", &brought["id"].to_string()]);
        assert_eq!(send(&server, own, "m3", &body(3)), "HTTP/1.1 401 Unauthorized");

        let rotated = hooks.json(&["rotate", &added["id"].to_string(), "--overlap", "1h"]);
        for secret in [secret, rotated["secret"].as_str().unwrap()] {
            assert_eq!(send(&server, secret, secret, &body(4)), "HTTP/1.1 204 No Content");
        }
        for (arguments, says) in [
            (vec!["add", "payments_in", "https://a.example/"], "leave the address out"),
            (vec!["add", "payments_out"], "say where it is"),
            (vec!["add", "payments_in", "--secret", "whsec_AAAA"], "24 to 64 bytes"),
        ] {
            let refused = hooks.run(&arguments);
            assert!(refused.code == 2 && refused.err.contains(says), "{}", refused.err);
        }
    }
}

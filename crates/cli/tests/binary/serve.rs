//! `mimar serve`

use std::net::TcpStream;
use std::time::{Duration, Instant};

use crate::process::{Project, Server, ask, end, mimar, run};

const SECRET: &str = "0123456789abcdef0123456789abcdef";
const MODEL: &str = "app Shop { version 1  roles clerk  surface rest }\n\
                     entity Thing { key id: Int = auto  name: String(1..20)  allow read to anyone  allow create to clerk }\n";

#[test]
fn it_needs_a_key_where_roles_are_granted_something() {
    let project = Project::new(MODEL);
    let refused = run(&["serve", project.path(), "--listen", "127.0.0.1:0"]);
    assert_eq!(refused.code, 3);
    assert!(refused.err.contains("MIMAR_JWT_SECRET"), "{}", refused.err);
    let short = end(mimar().args(["serve", project.path()]).env("MIMAR_JWT_SECRET", "short"));
    assert!(short.code == 3 && short.err.contains("32 bytes"), "{}", short.err);
    let odd = end(mimar().args(["serve", project.path()]).env("MIMAR_JWT_PUBLIC_KEY", "odd"));
    assert!(odd.code == 3 && odd.err.contains("BEGIN PUBLIC KEY"), "{}", odd.err);
    project.write("app.mimar", &MODEL.replace("allow create to clerk", ""));
    let open = Server::start(mimar().args(["serve", project.path()]));
    assert_eq!(open.get("/v1/things", None).status, 200);
}

#[test]
fn it_serves_drains_and_keeps() {
    let project = Project::new(MODEL);
    let database = project.join("shop.db");
    let start = || {
        Server::start(
            mimar()
                .args(["serve", project.path(), "--workers", "2", "--database"])
                .arg(&database)
                .env("MIMAR_JWT_SECRET", SECRET),
        )
    };
    let token = end(mimar()
        .args(["token", "--role", "clerk", "--project", project.path()])
        .env("MIMAR_JWT_SECRET", SECRET));
    let token = token.out.trim();
    let mut server = start();
    let made = ask(server.address, "POST", "/v1/things", Some(token), r#"{"name":"a"}"#);
    assert_eq!(made.status, 201, "{made:?}");
    assert!(!server.said().contains(SECRET) && !server.said().contains(token));
    // An idle connection does not keep it from ending.
    let idle = TcpStream::connect(server.address).unwrap();
    let began = Instant::now();
    server.signal("-TERM");
    assert_eq!(server.ends(), Some(0), "{}", server.said());
    assert!(began.elapsed() < Duration::from_secs(11));
    drop(idle);
    let mut server = start();
    assert!(server.get("/v1/things", None).body.contains(r#""name":"a""#));
    server.signal("-INT");
    assert_eq!(server.ends(), Some(0));
}

/// What is not carried out is said where it is served, too.
#[test]
fn it_says_what_it_does_not_do() {
    let project = Project::new(&MODEL.replace("entity Thing {", "entity Thing {\n  audit\n"));
    let mut server = Server::start(
        mimar()
            .args(["serve", project.path(), "--database"])
            .arg(project.join("shop.db"))
            .env("MIMAR_JWT_SECRET", SECRET),
    );
    server.says("In this version");
    assert!(server.said().contains("no trail is written yet"), "{}", server.said());
}

#[test]
fn it_refuses_a_database_of_another_model() {
    let project = Project::new(&MODEL.replace("allow create to clerk", ""));
    let database = project.join("shop.db");
    let database = database.to_str().unwrap();
    drop(Server::start(mimar().args(["serve", project.path(), "--database", database])));
    project.write(
        "app.mimar",
        &MODEL.replace("allow create to clerk", "").replace("name:", "size: Int?  name:"),
    );
    let refused = run(&["serve", project.path(), "--database", database]);
    assert_eq!(refused.code, 3);
    for text in ["does not hold the tables of this model", "new column `thing.size`"] {
        assert!(refused.err.contains(text), "{}", refused.err);
    }
}

#[test]
fn a_key_that_is_taken_away_is_refused_within_a_second() {
    let project = Project::new(MODEL);
    let file = project.join("secret.key");
    std::fs::write(&file, SECRET).unwrap();
    let server =
        Server::start(mimar().args(["serve", project.path(), "--jwt-secret-file"]).arg(&file));
    let token = end(mimar()
        .args(["token", "--role", "clerk", "--project", project.path()])
        .env("MIMAR_JWT_SECRET", SECRET));
    let create = || {
        ask(server.address, "POST", "/v1/things", Some(token.out.trim()), r#"{"name":"a"}"#).status
    };
    assert_eq!(create(), 201);
    std::fs::write(&file, SECRET.to_uppercase()).unwrap();
    let began = Instant::now();
    while create() != 401 {
        assert!(began.elapsed() < Duration::from_millis(1500));
    }
}

/// Pages of a web origin may call where that origin is named, and nobody else's.
#[test]
fn named_origins_may_call() {
    use std::io::{Read as _, Write as _};
    let project = Project::new(MODEL);
    let server = Server::start(
        mimar()
            .args(["serve", project.path(), "--origin", "https://shop.example", "--database"])
            .arg(project.join("shop.db"))
            .env("MIMAR_JWT_SECRET", SECRET),
    );
    let allowed = |origin: &str| {
        let mut stream = TcpStream::connect(server.address).unwrap();
        let head = "GET /v1/things HTTP/1.1\r\nHost: localhost\r\nConnection: close";
        stream.write_all(format!("{head}\r\nOrigin: {origin}\r\n\r\n").as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        let mut lines = answer.lines();
        lines.any(|line| line == format!("access-control-allow-origin: {origin}"))
    };
    assert!(allowed("https://shop.example"));
    assert!(!allowed("https://shop.example.org"));
}

//! Tables that others made: served as they are, read, and left alone.

use std::fs;
use std::io::{Read as _, Write as _};
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::import::{database, imported};
use crate::process::{Project, Server, ask, end, mimar, run};

/// Waits for what somebody else has written: it is noticed within a tenth of a second.
#[track_caller]
fn comes(server: &Server, path: &str, status: u16) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while server.get(path, None).status != status {
        assert!(Instant::now() < deadline, "{path} never answers {status}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A model with a grant in each entity that can have one.
fn opened(model: &str, grant: &str) -> String {
    let mut opened = String::new();
    for line in model.lines() {
        opened.push_str(line);
        opened.push('\n');
        if line.trim_start().starts_with("entity ") && !line.contains(" part of ") {
            opened.push_str(&format!("  {grant}\n"));
        }
    }
    opened
}

/// What was there before somebody came.
const ROWS: &str = "
INSERT INTO artist VALUES (1, 'Ada'), (2, NULL);
INSERT INTO album VALUES (1, 'Engines', 1), (2, 'Notes', 1);
INSERT INTO genre VALUES (1, 'Tape');
INSERT INTO media_type VALUES (1, 'File');
INSERT INTO track VALUES (1, 'First', 1, 1, 1, NULL, 1000, 2000, 0.99), (2, 'Second', 2, 1, NULL, 'B', 1, NULL, 1.50);
INSERT INTO playlist VALUES (1, 'All');
INSERT INTO playlist_track VALUES (1, 1), (1, 2);
INSERT INTO employee VALUES (1, 'Byron', 'Ada', NULL, NULL, '2020-02-29', '2021-01-01 12:30:00');
INSERT INTO customer (customer_id, first_name, last_name, email, support_rep_id) VALUES (1, 'C', 'D', 'c@d.example', 1);
INSERT INTO invoice (invoice_id, customer_id, invoice_date, total) VALUES (1, 1, '2026-01-02 03:04:05.678', 2.49);
INSERT INTO invoice_line VALUES (1, 1, 1, 0.99, 1);
";

#[test]
fn an_imported_database_is_served_over_its_own_tables() {
    let (url, name) = database("chinook-postgresql.sql");
    testbed::postgres().psql(&name, ROWS);
    let shape = "SELECT table_name, column_name, data_type, is_nullable FROM information_schema.columns \
                 WHERE table_schema = 'public' ORDER BY 1, ordinal_position";
    let before = testbed::postgres().psql(&name, shape);
    let model = imported(&[&url])["model"].as_str().unwrap().to_owned();
    // What is to be served is granted: everything, to everyone.
    let opened = opened(&model, "allow read, create, update, delete to anyone");
    let project = Project::new(&opened);
    let server = Server::start(mimar().args(["serve", project.path(), "--database", &url]));
    let ask = |method: &str, path: &str, body: &str, status: u16| -> String {
        let reply = ask(server.address, method, path, None, body);
        assert_eq!(reply.status, status, "{method} {path}: {}", reply.body);
        reply.body
    };
    let json = |text: String| serde_json::from_str::<Value>(&text).unwrap();

    let albums = json(ask("GET", "/v1/albums?artist=1&include=artist", "", 200));
    assert_eq!(albums["data"][1]["title"], "Notes");
    assert_eq!(albums["data"][1]["artist"]["name"], "Ada");
    let track = json(ask("GET", "/v1/tracks/1", "", 200));
    assert_eq!(
        (&track["unit_price"], &track["milliseconds"], &track["composer"]),
        (&"0.99".into(), &1000.into(), &Value::Null)
    );
    let employee = json(ask("GET", "/v1/employees/1", "", 200));
    assert_eq!(employee["hire_date"], "2021-01-01T12:30:00Z");
    let invoice = json(ask("GET", "/v1/invoices/1", "", 200));
    assert_eq!(invoice["invoice_date"], "2026-01-02T03:04:05.678Z");
    let playlist = json(ask("GET", "/v1/playlists/1?include=tracks", "", 200));
    assert_eq!(playlist["tracks"].as_array().unwrap().len(), 2, "{playlist}");

    ask("POST", "/v1/albums", r#"{"id": 3, "title": "Third", "artist": 2}"#, 201);
    ask("PATCH", "/v1/albums/3", r#"{"title": "Fourth"}"#, 200);
    // No version is counted: a tag tells the content, and no change can be tied to it.
    let tag = |method: &str, body: &str, header: &str| {
        let length = body.len();
        let request = format!(
            "{method} /v1/albums/3 HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\nconnection: close\r\n{header}content-length: {length}\r\n\r\n{body}"
        );
        let mut stream = std::net::TcpStream::connect(server.address).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut reply = String::new();
        stream.read_to_string(&mut reply).unwrap();
        let tag = reply.lines().find_map(|line| line.strip_prefix("etag: ")).map(str::to_owned);
        (reply, tag.unwrap_or_default())
    };
    let (_, third) = tag("PATCH", r#"{"title": "Third"}"#, "");
    let (_, fourth) = tag("PATCH", r#"{"title": "Fourth"}"#, "");
    assert!(
        third.starts_with("W/\"") && fourth.starts_with("W/\"") && third != fourth,
        "{third} {fourth}"
    );
    let (_, replaced) = tag("PUT", r#"{"title": "Fourth", "artist": 2}"#, "");
    assert_eq!((&replaced, &tag("GET", "", "").1), (&fourth, &fourth));
    let (refused, _) = tag("PATCH", r#"{"title": "Fifth"}"#, &format!("if-match: {fourth}\r\n"));
    assert!(refused.contains(" 412 ") && refused.contains("count no versions"), "{refused}");
    ask(
        "PATCH",
        "/v1/invoices/1",
        r#"{"invoice_date": "2026-05-06T07:08:09Z", "total": "3.10"}"#,
        200,
    );
    ask("PATCH", "/v1/playlists/1", r#"{"tracks": [{"track": 2}]}"#, 200);
    ask("DELETE", "/v1/tracks/1", "", 409);
    ask("POST", "/v1/albums", r#"{"id": 3, "title": "Again", "artist": 2}"#, 409);
    ask("POST", "/v1/albums", r#"{"id": 4, "title": "Lost", "artist": 99}"#, 422);
    ask("DELETE", "/v1/albums/3", "", 204);
    ask("GET", "/v1/albums/3", "", 404);
    let stored = testbed::postgres().psql(
        &name,
        "SELECT invoice_date, total FROM invoice; SELECT track_id FROM playlist_track; SELECT count(*) FROM album",
    );
    assert_eq!(stored, "2026-05-06 07:08:09|3.10\n2\n2\n");
    drop(server);
    // Who changes tables keeps off.
    let status = run(&["migrate", "status", project.path(), "--database", &url]);
    assert!(status.out.contains("others made, and this model serves them"), "{}", status.out);
    let planned = run(&["migrate", "plan", project.path(), "--database", &url]);
    assert_eq!(planned.code, 3);
    assert!(planned.err.contains("others made these tables"), "{}", planned.err);
    // Its rows can go elsewhere, where versions are counted from then on.
    let new = project.join("new.db");
    let copied =
        run(&["copy", "--project", project.path(), "--from", &url, "--to", new.to_str().unwrap()]);
    assert_eq!(copied.code, 0, "{}", copied.err);
    assert!(copied.err.contains("checksum of each table are the same"), "{}", copied.err);
    // Nothing about the tables has changed, and a second start is as good.
    assert_eq!(testbed::postgres().psql(&name, shape), before);
    let again = Server::start(mimar().args(["serve", project.path(), "--database", &url]));
    assert_eq!(again.get("/v1/artists/1", None).status, 200);
}

#[test]
fn enums_of_the_database_are_served_as_they_are() {
    let (server, url) = (testbed::postgres(), testbed::postgres().database());
    let database = url.rsplit('/').next().unwrap();
    server.psql(
        database,
        "CREATE SCHEMA kinds; CREATE TYPE kinds.mood AS ENUM ('sad', 'glad', 'angry'); CREATE TYPE size AS ENUM ('small', 'large');
         CREATE TABLE person (id bigint PRIMARY KEY, name text NOT NULL, mood kinds.mood NOT NULL DEFAULT 'glad', size size,
           UNIQUE (name, mood));
         CREATE INDEX ON person (mood);
         CREATE TABLE visit (person bigint NOT NULL REFERENCES person ON DELETE CASCADE, number int NOT NULL, felt kinds.mood NOT NULL,
           PRIMARY KEY (person, number));
         INSERT INTO person VALUES (1, 'Ada', 'sad', 'small'), (2, 'Bob', 'glad', NULL), (3, 'Cy', 'angry', 'large')",
    );
    let model = imported(&[&url])["model"].as_str().unwrap().to_owned();
    let mut opened =
        opened(&model, "allow read, create, update, delete to anyone when .mood != angry");
    opened.push_str(
        "command soothe(person: Person) {\n  allow anyone\n  update person { mood: glad }\n}\n",
    );
    let project = Project::new(&opened);
    let served = Server::start(mimar().args(["serve", project.path(), "--database", &url]));
    let ask = |method: &str, path: &str, body: &str, status: u16| -> Value {
        let reply = ask(served.address, method, path, None, body);
        assert_eq!(reply.status, status, "{method} {path}: {}", reply.body);
        serde_json::from_str(&reply.body).unwrap_or_default()
    };
    let names = |page: &Value| -> Vec<String> {
        let rows = page["data"].as_array().unwrap().iter();
        rows.map(|row| row["name"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(ask("GET", "/v1/people/1", "", 200)["mood"], "sad");
    ask("GET", "/v1/people/3", "", 404);
    // Sorted as texts, as everywhere, and paged so.
    let first = ask("GET", "/v1/people?sort=mood&limit=1", "", 200);
    assert_eq!(names(&first), ["Bob"]);
    let next = format!("/v1/people?sort=mood&limit=1&after={}", first["next"].as_str().unwrap());
    assert_eq!(names(&ask("GET", &next, "", 200)), ["Ada"]);
    assert_eq!(names(&ask("GET", "/v1/people?mood=glad", "", 200)), ["Bob"]);
    ask("POST", "/v1/people", r#"{"id": 4, "name": "Di", "mood": "glad", "size": "large"}"#, 201);
    ask("POST", "/v1/people", r#"{"id": 5, "name": "Di", "mood": "glad"}"#, 409);
    ask("POST", "/v1/people", r#"{"id": 5, "name": "Ed", "mood": "gone"}"#, 400);
    ask("PATCH", "/v1/people/4", r#"{"mood": "sad", "size": null}"#, 200);
    ask(
        "PATCH",
        "/v1/people/1",
        r#"{"visits": [{"number": 1, "felt": "glad"}, {"number": 2, "felt": "sad"}]}"#,
        200,
    );
    ask("POST", "/v1/people/1/soothe", "", 204);
    ask("POST", "/v1/people/3/soothe", "", 404);
    ask("DELETE", "/v1/people/2", "", 204);
    let stored = server.psql(
        database,
        "SELECT id, mood, size FROM person ORDER BY id; SELECT number, felt FROM visit ORDER BY 1",
    );
    assert_eq!(stored, "1|glad|small\n3|angry|large\n4|sad|\n1|glad\n2|sad\n");
    drop(served);
    // A label more is one that the model does not know.
    server.psql(database, "ALTER TYPE size ADD VALUE 'huge'");
    let ended = run(&["serve", project.path(), "--database", &url]);
    assert_eq!(ended.code, 3, "{}", ended.err);
    let wanted = "`person.size` is an enum of the database: its field is to be one of the same labels, `enum { small, large, huge }`";
    assert!(ended.err.contains(wanted), "{}", ended.err);
}

#[test]
fn what_cannot_be_served_as_it_is_is_said() {
    let (url, name) = database("chinook-postgresql.sql");
    let model = imported(&[&url])["model"].as_str().unwrap().to_owned();
    testbed::postgres().psql(
        &name,
        "ALTER TABLE genre ALTER COLUMN name TYPE point USING NULL; ALTER TABLE artist ADD COLUMN born date NOT NULL",
    );
    let project = Project::new(&model.replace("title:  String(0..160)", "title:  String(0..160)?"));
    let ended = run(&["serve", project.path(), "--database", &url]);
    assert_eq!(ended.code, 3, "{}", ended.err);
    for wanted in [
        "made by others",
        "`genre.name` is point, which cannot be served as Text",
        "`artist.born` must have a value, and no field gives it one",
        "`album.title` may not be NULL, and its field is optional",
    ] {
        assert!(ended.err.contains(wanted), "{wanted}\n{}", ended.err);
    }
}

#[test]
fn columns_of_domains_are_served_as_what_these_are_over() {
    let url = testbed::postgres().database();
    let name = url.rsplit('/').next().unwrap();
    testbed::postgres().psql(
        name,
        "CREATE DOMAIN posint AS integer CHECK (VALUE > 0);
         CREATE DOMAIN few AS posint NOT NULL CHECK (VALUE < 100);
         CREATE DOMAIN price AS numeric(9, 3);
         CREATE TYPE mood AS ENUM ('well', 'ill');
         CREATE DOMAIN feeling AS mood;
         CREATE TABLE item (id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY, pieces few, rank posint, cost price NOT NULL, mood feeling);
         INSERT INTO item (pieces, rank, cost, mood) VALUES (3, NULL, 1.5, 'ill');",
    );
    let model = imported(&[&url])["model"].as_str().unwrap().to_owned();
    let granted = "{\n  allow read, create, update, delete to anyone\n";
    let project =
        Project::new(&model.replacen("entity Item {", &format!("entity Item {granted}"), 1));
    let server = Server::start(mimar().args(["serve", project.path(), "--database", &url]));
    let ask = |method: &str, path: &str, body: &str| ask(server.address, method, path, None, body);
    let first = ask("GET", "/v1/items/1", "");
    assert_eq!(first.body, r#"{"id":1,"pieces":3,"rank":null,"cost":"1.500","mood":"ill"}"#);
    let made =
        ask("POST", "/v1/items", r#"{"pieces": 99, "rank": 1, "cost": "2.125", "mood": "well"}"#);
    assert_eq!(made.status, 201, "{}", made.body);
    let changed = ask("PATCH", "/v1/items/2", r#"{"pieces": 98, "mood": null}"#);
    assert_eq!(changed.status, 200, "{}", changed.body);
    // Its check is the domain's, in the model or not: a caller is told, and nothing fails.
    let refused = ask("PATCH", "/v1/items/2", r#"{"pieces": 100}"#);
    assert!((400..500).contains(&refused.status), "{}: {}", refused.status, refused.body);
    assert_eq!(
        testbed::postgres().psql(name, "SELECT pieces, cost FROM item ORDER BY id"),
        "3|1.500\n98|2.125\n"
    );
}

#[test]
fn tables_of_other_schemas_are_served_as_services() {
    let (server, url) = (testbed::postgres(), testbed::postgres().database());
    let database = url.rsplit('/').next().unwrap();
    server.psql(
        database,
        "CREATE SCHEMA billing; CREATE SCHEMA secret; CREATE TABLE secret.lost (id bigint PRIMARY KEY);
         CREATE TABLE person (id bigint PRIMARY KEY, name text NOT NULL UNIQUE);
         CREATE TABLE billing.payer (id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY, name text NOT NULL UNIQUE);
         CREATE TABLE billing.invoice (id bigint PRIMARY KEY, payer bigint NOT NULL REFERENCES billing.payer,
           owner bigint REFERENCES person, total numeric(10,2) NOT NULL);
         CREATE INDEX ON billing.invoice (payer);
         INSERT INTO person VALUES (1, 'Ada'); INSERT INTO billing.payer (name) VALUES ('Ada');
         INSERT INTO billing.invoice VALUES (1, 1, 1, 2.50)",
    );
    let model = imported(&[&url])["model"].as_str().unwrap().to_owned();
    let opened = opened(&model, "allow read, create, update, delete to anyone");
    assert!(opened.contains("service billing {"), "{opened}");
    let project = Project::new(&opened);
    let tables = "SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
                  WHERE c.relkind = 'r' AND n.nspname IN ('public', 'billing', 'secret') ORDER BY 1, 2";
    let before = server.psql(database, tables);
    let served = Server::start(mimar().args(["serve", project.path(), "--database", &url]));
    let ask = |method: &str, path: &str, body: &str, status: u16| -> Value {
        let reply = ask(served.address, method, path, None, body);
        assert_eq!(reply.status, status, "{method} {path}: {}", reply.body);
        serde_json::from_str(&reply.body).unwrap_or_default()
    };
    assert_eq!(ask("GET", "/v1/invoices/1?include=payer", "", 200)["payer"]["name"], "Ada");
    assert_eq!(ask("POST", "/v1/payers", r#"{"name": "Bob"}"#, 201)["id"], 2);
    ask("POST", "/v1/payers", r#"{"name": "Bob"}"#, 409);
    ask("POST", "/v1/invoices", r#"{"id": 2, "payer": 9, "total": "1.00"}"#, 422);
    ask("POST", "/v1/invoices", r#"{"id": 2, "payer": 2, "total": "1.00"}"#, 201);
    let kept = ask("DELETE", "/v1/payers/2", "", 409);
    assert!(kept["detail"].as_str().unwrap().contains("Invoice"), "{kept}");
    ask("DELETE", "/v1/invoices/2", "", 204);
    ask("DELETE", "/v1/payers/2", "", 204);
    drop(served);
    // Nothing has moved.
    assert_eq!(server.psql(database, tables), before);
    assert_eq!(server.psql(database, "SELECT count(*) FROM billing.invoice"), "1\n");
}

/// What SQLite keeps as it was given: texts that are dates, reals that are money, whole numbers that are truth values.
const OLD: &str = "
CREATE TABLE Client (ClientId INTEGER PRIMARY KEY, Name VARCHAR(40) NOT NULL, Active BOOLEAN NOT NULL, Born DATE, Seen DATETIME, Mood TEXT);
CREATE TABLE Bill (BillId INTEGER PRIMARY KEY, ClientId INTEGER NOT NULL REFERENCES Client (ClientId), Total NUMERIC(10, 2) NOT NULL);
CREATE TABLE BillItem (ItemId INTEGER PRIMARY KEY, BillId INTEGER NOT NULL REFERENCES Bill (BillId) ON DELETE CASCADE, Text VARCHAR(20) NOT NULL);
CREATE TABLE Scratch (A);
INSERT INTO Client VALUES (1, 'Ada', 1, '1815-12-10', '2026-01-02 03:04:05', 'fine'), (2, 'Łukasz', 0, NULL, 1767323045, NULL);
INSERT INTO Bill VALUES (7, 2, 0.1 + 0.2), (8, 1, 12);
INSERT INTO BillItem VALUES (1, 7, 'Nails'), (2, 7, 'Glue'), (3, 8, 'Rope');
INSERT INTO Scratch VALUES (1);";

#[test]
fn a_file_that_others_made_is_left_alone_and_its_rows_move_in() {
    let project = Project::new("");
    let old = project.join("old.db");
    rusqlite::Connection::open(&old).unwrap().execute_batch(OLD).unwrap();
    let before = fs::read(&old).unwrap();
    let (old, new) = (old.to_str().unwrap(), project.join("new.db"));
    let new = new.to_str().unwrap();
    let imported = run(&["import", old, "--format", "json"]);
    assert_eq!(imported.code, 0, "{}", imported.err);
    let imported: Value = serde_json::from_str(&imported.out).unwrap();
    let model = imported["model"].as_str().unwrap();
    assert!(model.contains("entity BillItem part of Bill"), "{model}");
    // A column and a table that the model shall not have.
    let without = |text: &str, line: &str| -> String {
        let kept = text.lines().filter(|other| !other.trim_start().starts_with(line));
        kept.map(|line| format!("{line}\n")).collect()
    };
    let model = without(model, "mood:");
    let scratch = model.find("entity Scratch").map(|at| model[at..].find('}').unwrap() + at + 1);
    let model = match scratch {
        Some(end) => {
            let start = model.find("entity Scratch").unwrap();
            format!("{}{}", &model[..start], &model[end..])
        }
        None => model,
    };
    project.write("app.mimar", &model);

    for command in [
        vec!["migrate", "plan", project.path(), "--database", old],
        vec!["migrate", "apply", project.path(), "--database", old],
        vec!["migrate", "status", project.path(), "--database", old],
        vec!["data", "dump", "out", "--project", project.path(), "--database", old],
        vec!["data", "load", old, "--project", project.path(), "--database", old],
        vec!["copy", "--project", project.path(), "--from", old, "--to", new],
    ] {
        let ended = end(mimar().args(&command).env("MIMAR_JWT_SECRET", "s".repeat(32)));
        assert_eq!(ended.code, 3, "{command:?}: {}", ended.err);
        let told = "holds tables that others made (Client, Bill, BillItem and 1 more), and none of them was touched";
        assert!(ended.err.contains(told), "{command:?}: {}", ended.err);
        assert!(ended.err.contains(&format!("mimar data load {old}")), "{}", ended.err);
    }

    let load = || run(&["data", "load", old, "--project", project.path(), "--database", new]);
    let loaded = load();
    assert_eq!(loaded.code, 0, "{}", loaded.err);
    assert!(loaded.err.contains("loaded 7 rows from 3 tables"), "{}", loaded.err);
    assert!(loaded.err.contains("no entity or field for Client.Mood, Scratch:"), "{}", loaded.err);
    assert_eq!(fs::read(old).unwrap(), before, "the file is as it was");
    let folder = fs::read_dir(&project.folder).unwrap();
    let beside = folder.filter(|entry| {
        let name = entry.as_ref().unwrap().file_name();
        name.to_str().unwrap().starts_with("old.db")
    });
    assert_eq!(beside.count(), 1, "nothing was put beside it");
    let out = project.join("out");
    let out = out.to_str().unwrap();
    let dumped = run(&["data", "dump", out, "--project", project.path(), "--database", new]);
    assert_eq!(dumped.code, 0, "{}", dumped.err);
    assert_eq!(
        project.read("out/Client.csv"),
        "id,name,active,born,seen\n1,Ada,true,1815-12-10,2026-01-02T03:04:05Z\n2,Łukasz,false,,2026-01-02T03:04:05Z\n"
    );
    assert_eq!(project.read("out/Bill.csv"), "id,client,total\n7,2,0.30\n8,1,12.00\n");
    assert!(
        project.read("out/BillItem.csv").contains("7,2,Glue"),
        "{}",
        project.read("out/BillItem.csv")
    );

    // A row that the model refuses is named, and nothing of the others stays.
    let strange = "UPDATE Client SET Born = 'in spring' WHERE ClientId = 2";
    rusqlite::Connection::open(old).unwrap().execute_batch(strange).unwrap();
    fs::remove_file(new).unwrap();
    let refused = load();
    assert_eq!(refused.code, 3, "{}", refused.err);
    assert!(
        refused.err.contains("old.db:Client:2, column `born`: must be a date"),
        "{}",
        refused.err
    );
    assert!(!Path::new(new).exists(), "the file that was made for it went with it");
}

/// The same, and what else SQLite lets others do: texts that are compared without regard to case, tables without numbers of rows, keys
/// that are texts, a trigger.
const MORE: &str = "
CREATE TABLE Tag (Name TEXT PRIMARY KEY, Label TEXT NOT NULL COLLATE NOCASE, Extra JSON, Since DATE, Worth NUMERIC(8, 3), Used INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID;
CREATE TABLE Note (NoteId INTEGER PRIMARY KEY AUTOINCREMENT, Tag TEXT REFERENCES Tag (Name) ON DELETE SET NULL, Written TIMESTAMP NOT NULL, Body TEXT NOT NULL);
CREATE TRIGGER counts AFTER INSERT ON Note WHEN NEW.Tag IS NOT NULL BEGIN UPDATE Tag SET Used = Used + 1 WHERE Name = NEW.Tag; END;
INSERT INTO Tag (Name, Label, Extra, Since, Worth) VALUES ('a', 'First', '{\"k\": 1}', '2020-02-29', 1.5), ('b', 'second', NULL, NULL, NULL);
INSERT INTO Note VALUES (4, 'b', '2026-01-02T03:04:05Z', 'old');";

#[test]
fn a_file_that_others_made_is_served_over_its_own_tables() {
    let project = Project::new("");
    let path = project.join("old.db");
    let own = rusqlite::Connection::open(&path).unwrap();
    own.execute_batch(OLD).unwrap();
    own.execute_batch(MORE).unwrap();
    own.execute_batch("DROP TABLE Scratch").unwrap();
    let shape = || -> Vec<String> {
        let sql = "SELECT sql FROM sqlite_schema WHERE tbl_name NOT LIKE 'mimar%' AND sql IS NOT NULL ORDER BY name";
        let mut statement = own.prepare(sql).unwrap();
        statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
    };
    let stored = |sql: &str| -> String {
        let mut statement = own.prepare(sql).unwrap();
        let width = statement.column_count();
        let row = |row: &rusqlite::Row<'_>| {
            let values = (0..width).map(|at| row.get::<_, rusqlite::types::Value>(at).unwrap());
            Ok(values.map(|value| format!("{value:?}")).collect::<Vec<_>>().join(" "))
        };
        let rows = statement.query_map([], row).unwrap().map(Result::unwrap);
        rows.collect::<Vec<_>>().join("\n")
    };
    let before = shape();
    let file = path.to_str().unwrap();
    let model = imported(&[file])["model"].as_str().unwrap().to_owned();
    let opened = opened(&model, "allow read, create, update, delete to anyone");
    project.write("app.mimar", &opened);
    let start = || Server::start(mimar().args(["serve", project.path(), "--database", file]));
    let server = start();
    let ask = |method: &str, path: &str, body: &str, status: u16| -> Value {
        let reply = ask(server.address, method, path, None, body);
        assert_eq!(reply.status, status, "{method} {path}: {}", reply.body);
        serde_json::from_str(&reply.body).unwrap_or_default()
    };

    // Each value is read as what it means, whichever form it has.
    let ada = ask("GET", "/v1/clients/1", "", 200);
    assert_eq!((&ada["active"], &ada["born"]), (&true.into(), &"1815-12-10".into()));
    assert_eq!(ada["seen"], "2026-01-02T03:04:05Z");
    assert_eq!(ask("GET", "/v1/clients/2", "", 200)["seen"], "2026-01-02T03:04:05Z");
    let bill = ask("GET", "/v1/bills/7?include=client", "", 200);
    assert_eq!((&bill["total"], &bill["client"]["active"]), (&"0.30".into(), &false.into()));
    let names = |page: Value, field: &str| -> Vec<String> {
        let rows = page["data"].as_array().unwrap().iter();
        rows.map(|row| row[field].to_string()).collect()
    };
    assert_eq!(names(ask("GET", "/v1/bills?client=1", "", 200), "id"), ["8"]);
    assert_eq!(ask("GET", "/v1/tags/a", "", 200)["extra"], serde_json::json!({ "k": 1 }));
    ask("GET", "/v1/tags/A", "", 404);

    // What is written has the form of what is there.
    ask(
        "POST",
        "/v1/clients",
        r#"{"name": "Cy", "active": true, "born": "2000-01-02", "seen": "2026-05-06T07:08:09Z", "mood": null}"#,
        201,
    );
    assert_eq!(
        stored("SELECT * FROM Client WHERE ClientId = 3"),
        r#"Integer(3) Text("Cy") Integer(1) Text("2000-01-02") Integer(1778051289) Null"#
    );
    ask("PATCH", "/v1/bills/8", r#"{"total": "12.25"}"#, 200);
    assert_eq!(
        stored("SELECT Total FROM Bill ORDER BY BillId"),
        "Real(0.30000000000000004)\nReal(12.25)"
    );
    ask(
        "POST",
        "/v1/bills",
        r#"{"client": 3, "total": "99.00", "items": [{"text": "Rope"}]}"#,
        201,
    );
    assert_eq!(
        stored(
            "SELECT Total, ItemId, Text FROM Bill JOIN BillItem USING (BillId) WHERE BillId = 9"
        ),
        r#"Integer(99) Integer(4) Text("Rope")"#
    );
    assert_eq!(ask("GET", "/v1/bills/9?include=items", "", 200)["items"][0]["text"], "Rope");
    ask("POST", "/v1/bills", r#"{"client": 99, "total": "1.00", "items": []}"#, 422);
    ask(
        "POST",
        "/v1/notes",
        r#"{"tag": "a", "written": "2026-05-06T07:08:09Z", "body": "new"}"#,
        201,
    );
    assert_eq!(
        stored("SELECT Written FROM Note WHERE NoteId = 5"),
        r#"Text("2026-05-06T07:08:09Z")"#
    );
    // Nothing is remembered that a trigger changes.
    assert_eq!(ask("GET", "/v1/tags/a", "", 200)["used"], 1);
    ask(
        "POST",
        "/v1/notes",
        r#"{"tag": "a", "written": "2026-05-06T07:08:09Z", "body": "new"}"#,
        201,
    );
    assert_eq!(ask("GET", "/v1/tags/a", "", 200)["used"], 2);
    ask("DELETE", "/v1/tags/b", "", 204);
    assert_eq!(ask("GET", "/v1/notes/4", "", 200)["tag"], Value::Null);
    ask("PATCH", "/v1/tags/a", r#"{"extra": {"k": [2]}, "since": null, "worth": "2.125"}"#, 200);
    assert_eq!(
        stored("SELECT * FROM Tag"),
        r#"Text("a") Text("First") Text("{\"k\":[2]}") Null Real(2.125) Integer(2)"#
    );
    ask("PATCH", "/v1/bills/8", r#"{"total": "99999999.99"}"#, 200);
    ask("DELETE", "/v1/bills/7", "", 204);
    assert_eq!(stored("SELECT count(*) FROM BillItem WHERE BillId = 7"), "Integer(0)");
    // A value that is none is told by the log, and takes nothing else along.
    own.execute_batch("UPDATE Client SET Born = 'in spring' WHERE ClientId = 2").unwrap();
    comes(&server, "/v1/clients/2", 500);
    ask("GET", "/v1/clients/1", "", 200);
    own.execute_batch("UPDATE Client SET Born = NULL WHERE ClientId = 2").unwrap();
    drop(server);

    // Who changes tables keeps off, and who copies rows takes them as what they mean.
    let status = run(&["migrate", "status", project.path(), "--database", file]);
    assert!(status.out.contains("others made, and this model serves them"), "{}", status.out);
    let planned = run(&["migrate", "plan", project.path(), "--database", file]);
    assert_eq!(planned.code, 3, "{}", planned.out);
    assert!(planned.err.contains("others made these tables"), "{}", planned.err);
    let out = project.join("out");
    let dumped = run(&[
        "data",
        "dump",
        out.to_str().unwrap(),
        "--project",
        project.path(),
        "--database",
        file,
    ]);
    assert_eq!(dumped.code, 0, "{}", dumped.err);
    assert_eq!(project.read("out/Bill.csv"), "id,client,total\n8,1,99999999.99\n9,3,99.00\n");
    let new = project.join("new.db");
    let copied =
        run(&["copy", "--project", project.path(), "--from", file, "--to", new.to_str().unwrap()]);
    assert_eq!(copied.code, 0, "{}", copied.err);
    let out = project.join("copied");
    let (out, new) = (out.to_str().unwrap(), new.to_str().unwrap());
    let dumped = run(&["data", "dump", out, "--project", project.path(), "--database", new]);
    assert_eq!(dumped.code, 0, "{}", dumped.err);
    for table in ["Bill", "BillItem", "Client", "Note", "Tag"] {
        let file = |folder: &str| project.read(&format!("{folder}/{table}.csv"));
        assert_eq!(file("copied"), file("out"), "{table}");
    }
    assert_eq!(shape(), before);
    assert_eq!(start().get("/v1/clients/3", None).status, 200);
}

/// What the values say that types do not: each is looked at before anything is written.
#[test]
fn values_that_are_none_of_their_columns_are_told() {
    let project = Project::new("");
    let old = project.join("old.db");
    let own = rusqlite::Connection::open(&old).unwrap();
    own.execute_batch(
        "CREATE TABLE thing (id INTEGER PRIMARY KEY, at INTEGER, day TEXT, flag TEXT, size INTEGER, price REAL, seen REAL);
         INSERT INTO thing VALUES (1, 1767323045000, '1/2/2026', 'Y', 'n/a', 0.125, 1767323045.5), (2, NULL, NULL, NULL, 7, 1.5, NULL)",
    )
    .unwrap();
    project.write(
        "app.mimar",
        "app Things {\n}\n\nentity Thing stored as \"thing\" {\n  allow read to anyone\n  key id: Int = auto\n  at: Timestamp?\n  day: Date?\n  flag: Bool?\n  size: Int?\n  price: Decimal(9, 2)?\n  seen: Timestamp?\n}\n",
    );
    let file = old.to_str().unwrap();
    let serve = ["serve", project.path(), "--listen", "127.0.0.1:0", "--database", file];
    let ended = run(&serve);
    assert_eq!(ended.code, 3, "{}", ended.err);
    for wanted in [
        "`thing.at` holds `1767323045000`, which must be a moment",
        "`thing.day` holds `1/2/2026`, which must be a date",
        "`thing.flag` holds truth values in words other than `true` and `false`",
        "`thing.size` holds `n/a`, which must be a whole number",
        "`thing.price` holds `0.125`, which must be a decimal number",
        "`thing.seen` holds `1767323045.5`, which must be a moment",
    ] {
        assert!(ended.err.contains(wanted), "{wanted}\n{}", ended.err);
    }
    own.execute_batch("DELETE FROM thing WHERE id = 1").unwrap();
    let server = Server::start(mimar().args(["serve", project.path(), "--database", file]));
    assert_eq!(
        server.get("/v1/things/2", None).body,
        r#"{"id":2,"at":null,"day":null,"flag":null,"size":7,"price":"1.50","seen":null}"#
    );
    // Also with tables of ours beside it, it stays a file of others.
    drop(server);
    let applied = run(&["migrate", "apply", project.path(), "--database", file]);
    assert_eq!(applied.code, 3, "{}", applied.err);
    // What others have computed is not computed anew.
    let model =
        project.read("app.mimar").replace("price: Decimal(9, 2)?", "price: Decimal(9, 2) := 9.00");
    own.execute_batch("CREATE TABLE copied AS SELECT * FROM thing; DROP TABLE thing; CREATE TABLE thing (id INTEGER PRIMARY KEY, at INTEGER, day TEXT, flag TEXT, size INTEGER, price REAL NOT NULL, seen REAL); INSERT INTO thing SELECT * FROM copied; DROP TABLE copied").unwrap();
    project.write("app.mimar", &model);
    let server = Server::start(mimar().args(["serve", project.path(), "--database", file]));
    assert!(server.get("/v1/things/2", None).body.contains(r#""price":"1.50""#));
    let price: f64 = own.query_row("SELECT price FROM thing", [], |row| row.get(0)).unwrap();
    assert_eq!(price.to_bits(), 1.5_f64.to_bits());
    // A value that comes later hides no more than what asks for it.
    own.execute_batch("INSERT INTO thing VALUES (3, NULL, NULL, NULL, 'n/a', 1.5, NULL)").unwrap();
    comes(&server, "/v1/things/3", 500);
    assert_eq!(server.get("/v1/things/2", None).status, 200);
}

#[test]
fn a_file_whose_tables_cannot_be_served_stays_as_it_is() {
    let project = Project::new("");
    let old = project.join("old.db");
    let sql = "CREATE TABLE thing (id INTEGER PRIMARY KEY, code TEXT NOT NULL COLLATE NOCASE, born TEXT, size TEXT, gone TEXT, label STRING);
        CREATE TABLE other (code TEXT COLLATE NOCASE PRIMARY KEY);
        INSERT INTO thing VALUES (1, 'a', 'x', X'00', NULL, 'a')";
    rusqlite::Connection::open(&old).unwrap().execute_batch(sql).unwrap();
    let before = fs::read(&old).unwrap();
    project.write(
        "app.mimar",
        "app Things {\n}\n\nentity Thing stored as \"thing\" {\n  allow read to anyone\n  key id: Int = auto\n  code: String(1..9)\n  born: Int?\n  size: String(0..9)?\n  missing: Int?\n  label: String(0..9)?\n}\n\nentity Other stored as \"other\" {\n  allow read to anyone\n  key code: String(1..9)\n}\n",
    );
    let ended = run(&[
        "serve",
        project.path(),
        "--listen",
        "127.0.0.1:0",
        "--database",
        old.to_str().unwrap(),
    ]);
    assert_eq!(ended.code, 3, "{}", ended.err);
    for wanted in [
        "were made by others, and cannot be served as they are",
        "`thing.born` holds texts, which cannot be served as Int",
        "`thing.size` holds bytes, which cannot be served as Text",
        "`thing` has no column `missing`",
        "`thing.label` holds texts in a column of affinity NUMERIC, where digits become numbers",
        "`other.code` holds nothing yet, and is of affinity TEXT, by which its rows are looked up",
    ] {
        assert!(ended.err.contains(wanted), "{wanted}\n{}", ended.err);
    }
    assert_eq!(fs::read(&old).unwrap(), before, "the file is as it was");
    let beside = fs::read_dir(&project.folder).unwrap();
    let beside = beside.filter(|entry| {
        entry.as_ref().unwrap().file_name().to_str().unwrap().starts_with("old.db")
    });
    assert_eq!(beside.count(), 1, "nothing was put beside it");
}

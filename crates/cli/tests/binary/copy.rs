//! `mimar copy`: from SQLite to PostgreSQL and back, interrupted or not.

use std::fs;
use std::path::Path;
use std::time::Duration;

use testbed::{Proxy, Way};

use crate::process::{Ended, end, mimar, run};

const MODEL: &str = "
app Copied {
  version  1
  surface  rest
}

entity Writer {
  key id: Int = auto
  name: String(1..80)
  born: Date?
}

entity Book {
  key isbn: String(1..20)
  title: String(1..200)
  price: Decimal(10, 2)
  writer: Writer?
  sequel: Book?
  since: Timestamp
}

entity Line part of Book as lines (0..9) {
  text: String(1..200)
}
";

fn example(name: &str) -> String {
    format!("{}/../../examples/{name}", env!("CARGO_MANIFEST_DIR"))
}

#[track_caller]
fn well(ended: Ended) -> String {
    assert_eq!(ended.code, 0, "{}{}", ended.out, ended.err);
    ended.out
}

/// What a database holds, as `data dump` writes it.
fn dumped(project: &str, database: &str, folder: &Path) -> Vec<(String, String)> {
    let shown = folder.to_str().unwrap();
    let arguments =
        ["data", "dump", shown, "--project", project, "--database", database, "--format", "jsonl"];
    well(run(&arguments));
    let mut files: Vec<(String, String)> = fs::read_dir(folder)
        .unwrap()
        .map(|file| {
            let file = file.unwrap();
            let name = file.file_name().to_str().unwrap().to_owned();
            (name, fs::read_to_string(file.path()).unwrap())
        })
        .collect();
    files.sort();
    files
}

#[test]
fn chinook_goes_to_postgres_and_back() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (project, first, last) = (example("chinook"), at("first.db"), at("last.db"));
    let data = format!("{project}/data");
    well(run(&["data", "load", &data, "--project", &project, "--database", &first]));
    // A customer's number is never given out again, also where its row is long gone.
    let counted = |file: &str| -> i64 {
        let database = rusqlite::Connection::open(file).unwrap();
        let seq = "SELECT seq FROM sqlite_sequence WHERE name = 'customer'";
        database.query_row(seq, [], |row| row.get(0)).unwrap()
    };
    rusqlite::Connection::open(&first)
        .unwrap()
        .execute("UPDATE sqlite_sequence SET seq = 1000 WHERE name = 'customer'", [])
        .unwrap();
    let server = testbed::postgres().database();
    let there = well(run(&["copy", "--project", &project, "--from", &first, "--to", &server]));
    let back = format!("sqlite:{last}");
    let again = well(run(&["copy", "--project", &project, "--from", &server, "--to", &back]));
    // The table of counts and checksums says the same both ways, and so do the rows.
    assert_eq!(there, again);
    assert_eq!((counted(&first), counted(&last)), (1_000, 1_000));
    let (_, name) = server.rsplit_once('/').unwrap();
    let next =
        testbed::postgres().psql(name, "SELECT nextval(pg_get_serial_sequence('customer', 'id'))");
    assert_eq!(next.trim(), "1001");
    assert!(there.contains("Track") && there.contains("3,503 rows"), "{there}");
    let before = dumped(&project, &first, &folder.path().join("before"));
    assert_eq!(before, dumped(&project, &server, &folder.path().join("server")));
    assert_eq!(before, dumped(&project, &last, &folder.path().join("after")));
    // What was copied is a database like any other: it is served, and its keys are counted on.
    let full = run(&["copy", "--project", &project, "--from", &first, "--to", &server]);
    assert_eq!(full.code, 3, "{}", full.err);
    assert!(full.err.contains("holds tables already"), "{}", full.err);
}

#[test]
fn a_copy_that_was_killed_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (project, rows, first) = (at("project"), at("rows"), at("first.db"));
    fs::create_dir_all(&project).unwrap();
    fs::create_dir_all(&rows).unwrap();
    fs::write(format!("{project}/model.mimar"), MODEL).unwrap();
    let mut books = String::new();
    let mut lines = String::new();
    for number in 0..120_000 {
        // References point forwards, backwards and nowhere; texts need care.
        let sequel = match number % 3 {
            0 => format!("\"b{:06}\"", (number + 777) % 120_000),
            1 => format!("\"b{:06}\"", number / 2),
            _ => "null".to_owned(),
        };
        let writer =
            if number % 5 == 0 { "null".to_owned() } else { (1 + number % 50).to_string() };
        books.push_str(&format!(
            "{{\"isbn\":\"b{number:06}\",\"title\":\"Straße \\\"{number}\\\" é\",\"price\":\"{}.{:02}\",\
             \"writer\":{writer},\"sequel\":{sequel},\"since\":\"2026-01-02T03:04:05.{:06}Z\"}}\n",
            number % 1_000,
            number % 100,
            number
        ));
        if number % 2 == 0 {
            lines.push_str(&format!("{{\"book\":\"b{number:06}\",\"text\":\"line {number}\"}}\n"));
        }
    }
    let writers: String =
        (1..=50).map(|id| format!("{{\"id\":{id},\"name\":\"w{id}\",\"born\":null}}\n")).collect();
    for (name, text) in [("Writer", writers), ("Book", books), ("Line", lines)] {
        fs::write(format!("{rows}/{name}.jsonl"), text).unwrap();
    }
    well(run(&["data", "load", &rows, "--project", &project, "--database", &first]));
    let server = testbed::postgres().database();
    let arguments = ["copy", "--project", &project, "--from", &first, "--to", &server];
    // A target that fails ends the copy, however many rows are left.
    let proxy = Proxy::to(testbed::postgres().port());
    let port = |port: u16| format!(":{port}/");
    let through = server.replace(&port(testbed::postgres().port()), &port(proxy.port()));
    proxy.set(Way::CutBefore(b"PGCOPY"));
    let cut = run(&["copy", "--project", &project, "--from", &first, "--to", &through]);
    assert_eq!(cut.code, 3, "{}{}", cut.out, cut.err);
    let mut killed = 0;
    for pause in [300, 900, 1_500] {
        let mut child = mimar().args(arguments).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(pause));
        if child.try_wait().unwrap().is_none() {
            child.kill().unwrap();
            killed += 1;
        }
        child.wait().unwrap();
    }
    assert!(killed > 0, "it was done before it could be killed");
    let last = end(mimar().args(arguments));
    assert!(last.code == 0 || last.err.contains("holds tables already"), "{}", last.err);
    let before = dumped(&project, &first, &folder.path().join("before"));
    assert_eq!(before, dumped(&project, &server, &folder.path().join("after")));
}

#[test]
fn a_copy_of_which_a_row_was_changed_is_no_copy() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (rows, first) = (at("rows"), at("first.db"));
    let project = crate::process::Project::new(MODEL);
    let project = project.path();
    fs::create_dir_all(&rows).unwrap();
    let writers =
        "{\"id\":1,\"name\":\"Ada\",\"born\":null}\n{\"id\":2,\"name\":\"Bo\",\"born\":null}\n";
    fs::write(format!("{rows}/Writer.jsonl"), writers).unwrap();
    well(run(&["data", "load", &rows, "--project", project, "--database", &first]));
    let server = testbed::postgres().database();
    let name = server.rsplit('/').next().unwrap();
    let psql = |sql: &str| testbed::postgres().psql(name, sql);
    // All rows are there, and what stands around them is not: the copy is to go on.
    let proxy = Proxy::to(testbed::postgres().port());
    let port = |port: u16| format!(":{port}/");
    let through = server.replace(&port(testbed::postgres().port()), &port(proxy.port()));
    proxy.set(Way::CutBefore(b"FOREIGN KEY"));
    let cut = run(&["copy", "--project", project, "--from", &first, "--to", &through]);
    assert_eq!(cut.code, 3, "{}{}", cut.out, cut.err);
    assert_eq!(psql("SELECT count(*) FROM writer").trim(), "2");
    // As many rows, and one of them another: counting alone would not tell.
    let arguments = ["copy", "--project", project, "--from", &first, "--to", &server];
    psql("UPDATE writer SET name = 'Eve' WHERE id = 1");
    let changed = run(&arguments);
    assert_eq!(changed.code, 3, "{}{}", changed.out, changed.err);
    assert!(changed.err.contains("the rows of Writer are not the same: 2 in"), "{}", changed.err);
    psql("UPDATE writer SET name = 'Ada' WHERE id = 1");
    psql("INSERT INTO writer (id, name) VALUES (3, 'Cy')");
    let more = run(&arguments);
    assert!(more.err.contains("and 3 in"), "{}", more.err);
    psql("DELETE FROM writer WHERE id = 3");
    well(run(&arguments));
}

const SERVICES: &str = r#"
app Two { version 1  roles user  surface rest }
service sales {
  entity Item { key id: Int = auto  name: String(1..9) unique  allow read, create, delete to anyone }
  entity Mark part of Item as marks (0..9) { text: String(1..9) }
}
service shipping {
  entity Item { key id: Int = auto  name: String(1..9) unique  box: Box?  allow read to user }
  entity Box { key id: Int  allow read to user }
}
entity Note { key id: Int  allow read to user }
"#;

#[test]
fn services_go_to_schemas_and_back() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (first, last) = (at("first.db"), at("last.db"));
    let project = crate::process::Project::new(SERVICES);
    let project = project.path();
    let make = |rows: &str| {
        let database = rusqlite::Connection::open(&first).unwrap();
        database.execute_batch(rows).unwrap();
    };
    let empty = at("none");
    fs::create_dir(&empty).unwrap();
    well(run(&["data", "load", &empty, "--project", project, "--database", &first]));
    make(
        "INSERT INTO sales_item (name) VALUES ('cup'), ('pot'); INSERT INTO mark VALUES (2, 1, 'a'), (2, 2, 'b');
         INSERT INTO box VALUES (1, 1); INSERT INTO shipping_item (id, name, box) VALUES (7, 'cup', 1); INSERT INTO note VALUES (1, 1)",
    );
    let server = testbed::postgres().database();
    let name = server.rsplit('/').next().unwrap();
    let there = well(run(&["copy", "--project", project, "--from", &first, "--to", &server]));
    let count = "SELECT (SELECT count(*) FROM sales.item), (SELECT count(*) FROM sales.mark), (SELECT count(*) FROM shipping.item), \
                 (SELECT count(*) FROM note), nextval(pg_get_serial_sequence('shipping.item', 'id'))";
    assert_eq!(testbed::postgres().psql(name, count).trim(), "2|2|1|1|8");
    let back = format!("sqlite:{last}");
    let again = well(run(&["copy", "--project", project, "--from", &server, "--to", &back]));
    assert_eq!(there, again);
    // Files of both are the same, and load into another one; what leads nowhere is told where it stands.
    let before = dumped(project, &first, &folder.path().join("before"));
    assert_eq!(before, dumped(project, &server, &folder.path().join("server")));
    let other = testbed::postgres().database();
    let files = at("server");
    well(run(&["data", "load", &files, "--project", project, "--database", &other]));
    assert_eq!(before, dumped(project, &other, &folder.path().join("other")));
    let wrong = at("wrong");
    fs::create_dir(&wrong).unwrap();
    let lost = before
        .iter()
        .find(|(name, rows)| name.contains("Item") && rows.contains("\"box\""))
        .unwrap();
    fs::write(format!("{wrong}/{}", lost.0), lost.1.replace("\"box\":1", "\"box\":5")).unwrap();
    let empty = testbed::postgres().database();
    let refused = run(&["data", "load", &wrong, "--project", project, "--database", &empty]);
    assert_ne!(refused.code, 0);
    assert!(refused.err.contains("box") && refused.err.contains("id = 7"), "{}", refused.err);
}

//! `mimar dev`

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::process::{Project, Server, ask, mimar, run};

const MODEL: &str = r#"
app Desk { version 1  roles member, admin  surface rest }
auth { users Person by email as member }
entity Person {
  key id: Int = auto
  email: Email unique
  allow read to member when .id == caller.id
  allow read, create, update, delete to admin
}
entity Task {
  key id: Int = auto
  owner: Person
  title: String(1..40)
  effort: Int(0..) := sum(steps, .minutes)
  allow read, create, update to member when .owner == caller
}
entity Step part of Task as steps (0..50) { minutes: Int(0..600) }
"#;

fn desk() -> Project {
    let project = Project::new(MODEL);
    project.write("data/Person.csv", "id,email\n1,ada@example.org\n2,grace@example.org\n");
    project.write("data/Task.csv", "id,owner,title\n1,2,Write\n2,2,Read\n3,1,Rest\n");
    project.write("data/Step.csv", "task,minutes\n1,30\n1,12\n");
    project
}

/// A copy of an example, as it is delivered.
fn example(name: &str) -> Project {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples").join(name);
    let text = std::fs::read_to_string(folder.join(format!("{name}.mimar"))).unwrap();
    let project = Project::new(&text);
    for file in std::fs::read_dir(folder.join("data")).unwrap() {
        let file = file.unwrap();
        let name = format!("data/{}", file.file_name().to_str().unwrap());
        project.write(&name, &std::fs::read_to_string(file.path()).unwrap());
    }
    project
}

/// What the README promises of them.
#[test]
fn the_examples_are_served_with_their_rows() {
    for (name, rows, roles, path, role) in [
        (
            "chinook",
            "15,607 rows from 11 files",
            &["customer", "agent", "manager"][..],
            "/v1/tracks",
            "manager",
        ),
        (
            "shop",
            "7 rows from 2 files",
            &["customer", "clerk", "manager"],
            "/v1/products",
            "customer",
        ),
    ] {
        let project = example(name);
        let mut dev = Server::dev(project.folder.path());
        dev.says("Ready in");
        let tokens: Vec<String> = roles.iter().map(|role| dev.token(role)).collect();
        let said = dev.said().to_owned();
        // How long each part of the start took.
        for text in [
            rows,
            "API page",
            "OpenAPI",
            "In this version",
            "check ",
            "database ",
            "data ",
            "listen ",
        ] {
            assert!(said.contains(text), "{name}: {text}\n{said}");
        }
        let token = &tokens[roles.iter().position(|of| *of == role).unwrap()];
        let listed = dev.get(path, Some(token));
        assert_eq!(listed.status, 200, "{listed:?}");
        assert!(listed.body.starts_with(r#"{"data":[{"#), "{}", listed.body);
    }
}

#[test]
fn it_serves_at_once() {
    let project = desk();
    let mut dev = Server::dev(project.folder.path());
    let token = dev.token("member");
    let said = dev.said().to_owned();
    // The subject is the one who has most to see.
    for text in [
        "Desk version 1",
        "/docs",
        "/v1/tasks",
        "member Person 2",
        "7 rows from 3 files",
        "Ready in",
    ] {
        assert!(said.contains(text), "{text}\n{said}");
    }
    let tasks = dev.get("/v1/tasks?include=steps", Some(&token));
    assert_eq!(tasks.status, 200, "{tasks:?}");
    assert!(tasks.body.contains(r#""title":"Write","effort":42"#), "{}", tasks.body);
    assert!(!tasks.body.contains("Rest"), "{}", tasks.body);
    assert_eq!(dev.get("/v1/tasks", None).status, 401);
    assert_eq!(dev.get("/docs", None).status, 200);
    assert_eq!(dev.get("/openapi.json", None).status, 200);
    assert_eq!(dev.get("/readyz", None).status, 200);
    dev.signal("-TERM");
    assert_eq!(dev.ends(), Some(0));
    // The second start finds its rows and its secret.
    let mut dev = Server::dev(project.folder.path());
    assert_eq!(dev.get("/v1/tasks", Some(&token)).status, 200);
    dev.says("Every save reloads");
    assert!(!dev.said().contains("rows from"));
    assert!(!dev.said().contains("files in `data` have changed"), "{}", dev.said());
    dev.signal("-TERM");
    dev.ends();
    // Rows that are written there later are not loaded, and that is said.
    project.write(
        "data/Person.csv",
        "id,email\n1,ada@example.org\n2,grace@example.org\n3,eve@example.org\n",
    );
    let mut dev = Server::dev(project.folder.path());
    dev.says("files in `data` have changed since their rows were loaded");
}

#[test]
fn a_save_reloads_and_a_broken_one_does_not() {
    let project = desk();
    let mut dev = Server::dev(project.folder.path());
    let token = dev.token("member");
    let with = |field: &str| MODEL.replace("  title:", &format!("  {field}\n  title:"));

    let began = Instant::now();
    project.write("app.mimar", &with("urgent: Bool = false"));
    while !dev.get("/v1/tasks", Some(&token)).body.contains(r#""urgent":false"#) {
        assert!(began.elapsed() < Duration::from_secs(10), "{}", dev.said());
    }
    dev.says("new column `task.urgent`");
    project.write("app.mimar", &with("urgent: Bool = false\n  audit"));
    dev.says("no trail is written yet");

    project.write("app.mimar", &with("urgent: Bol = false"));
    dev.says("there is no type `Bol`");
    dev.says("the last good model is served on");
    assert!(dev.get("/v1/tasks", Some(&token)).body.contains(r#""urgent":false"#));

    // What was never changed may go again without a word; what was entered may not.
    project.write("app.mimar", MODEL);
    dev.says("column `task.urgent` is gone");
    dev.says("breaking for the caller: ");
    project.write("app.mimar", &MODEL.replace("title: String(1..40)", "size: Int = 1"));
    dev.says("`task.title` is no field any more");
    assert!(dev.get("/v1/tasks", Some(&token)).body.contains(r#""title":"Write""#));
    project.write("app.mimar", &MODEL.replace("title: String", "name was title: String"));
    project.write(
        "app.mimar",
        &MODEL.replace("title: String(1..40)", "name: String(1..40) was title"),
    );
    dev.says("`task.title` is now `name`");
    assert!(dev.get("/v1/tasks", Some(&token)).body.contains(r#""name":"Write""#));
}

#[test]
fn rows_that_do_not_fit_are_told_with_the_query_that_finds_them() {
    let project = desk();
    project.write("data/Task.csv", "id,owner,title\n1,2,Write\n2,2,Write\n");
    let mut dev = Server::dev(project.folder.path());
    project
        .write("app.mimar", &MODEL.replace("title: String(1..40)", "title: String(1..40) unique"));
    dev.says("several rows have the same task.title, which is to be unique");
    dev.says(r#"SELECT "title", count(*) FROM "task" GROUP BY "title" HAVING count(*) > 1"#);
    dev.says("the last good model is served on");
}

#[test]
fn a_command_by_code_is_not_reloaded() {
    let project = desk();
    let mut dev = Server::dev(project.folder.path());
    dev.says("Every save reloads");
    project.write("app.mimar", &format!("{MODEL}command tidy() by code {{ allow anyone }}\n"));
    dev.says("no code for them: `tidy`");
    dev.says("the last good model is served on");
}

#[test]
fn a_changed_formula_is_computed_anew() {
    let project = desk();
    let mut dev = Server::dev(project.folder.path());
    let token = dev.token("member");
    project.write("app.mimar", &MODEL.replace(".minutes)", ".minutes * 2)"));
    dev.says("reloaded");
    let deadline = Instant::now() + Duration::from_secs(10);
    while !dev.get("/v1/tasks/1", Some(&token)).body.contains(r#""effort":84"#) {
        assert!(Instant::now() < deadline, "{}", dev.get("/v1/tasks/1", Some(&token)).body);
    }
    // Also when it changed while nobody served.
    drop(dev);
    project.write("app.mimar", MODEL);
    let dev = Server::dev(project.folder.path());
    assert!(dev.get("/v1/tasks/1", Some(&token)).body.contains(r#""effort":42"#));
}

#[test]
fn no_request_is_lost_while_tables_change() {
    let project = desk();
    let mut dev = Server::dev(project.folder.path());
    let token = dev.token("member");
    let done = Arc::new(AtomicBool::new(false));
    let answered = Arc::new(AtomicU64::new(0));
    let address = dev.address;
    let callers: Vec<_> = (0..4)
        .map(|caller| {
            let (done, answered, token) = (Arc::clone(&done), Arc::clone(&answered), token.clone());
            std::thread::spawn(move || {
                while !done.load(Ordering::Relaxed) {
                    let reply = if caller == 0 {
                        let body = r#"{"owner":2,"title":"More","steps":[{"minutes":1}]}"#;
                        ask(address, "POST", "/v1/tasks", Some(&token), body)
                    } else {
                        ask(address, "GET", "/v1/tasks/1?include=steps", Some(&token), "")
                    };
                    assert!(matches!(reply.status, 200 | 201), "{reply:?}");
                    answered.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    for round in 0..4 {
        let field = format!("  extra_{round}: Int = {round}\n  title:");
        project.write("app.mimar", &MODEL.replace("  title:", &field));
        dev.says(&format!("new column `task.extra_{round}`"));
    }
    done.store(true, Ordering::Relaxed);
    for caller in callers {
        assert!(caller.join().is_ok(), "{}", dev.said());
    }
    assert!(answered.load(Ordering::Relaxed) > 50);
}

#[test]
fn a_model_with_errors_is_served_once_it_is_mended() {
    let project = desk();
    project.write("app.mimar", "app X { version one }");
    let mut dev = Server::begin(mimar().arg("dev").arg(project.path()));
    dev.says("it begins with the save that mends it");
    project.write("app.mimar", "app X { version two }");
    dev.says("version two");
    project.write("app.mimar", MODEL);
    dev.says("Every save reloads");
    assert_eq!(dev.get("/readyz", None).status, 200);
    dev.signal("-TERM");
    assert_eq!(dev.ends(), Some(0));
    // Nothing is left open where it never begins.
    project.write("app.mimar", "app X { version one }");
    let mut dev = Server::begin(mimar().arg("dev").arg(project.path()));
    dev.says("it begins with the save that mends it");
    dev.signal("-TERM");
    dev.ends();
}

#[test]
fn a_bad_row_is_said() {
    let project = desk();
    project.write("data/Task.csv", "id,owner,title\n1,2,Write\n2,9,Read\n");
    let dangling = run(&["dev", project.path()]);
    assert_eq!(dangling.code, 3);
    assert!(
        dangling.err.contains("Task.csv:3") && dangling.err.contains("owner"),
        "{}",
        dangling.err
    );
    // Mended, it begins as if nothing had been.
    project.write("data/Task.csv", "id,owner,title\n1,2,Write\n");
    let mut dev = Server::dev(project.folder.path());
    dev.says("5 rows from 3 files");
}

#[test]
fn a_taken_port_is_passed_over_unless_it_was_asked_for() {
    let project = desk();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let refused = run(&["dev", project.path(), "--listen", &address]);
    assert_eq!(refused.code, 3);
    assert!(refused.err.contains("--listen takes another"), "{}", refused.err);
}

#[test]
fn fresh_begins_anew() {
    let project = desk();
    drop(Server::dev(project.folder.path()));
    project.write("app.mimar", &MODEL.replace("title: String(1..40)", "size: Int = 1"));
    project.write("data/Task.csv", "id,owner\n1,2\n");
    let lossy = run(&["dev", project.path(), "--listen", "127.0.0.1:0"]);
    assert_eq!(lossy.code, 3);
    assert!(lossy.err.contains("--fresh"), "{}", lossy.err);
    let mut dev = Server::start(mimar().args(["dev", project.path(), "--fresh"]));
    dev.says("5 rows from 3 files");
}

#[test]
fn rows_are_not_taken_from_under_a_server() {
    let project = desk();
    let mut dev = Server::dev(project.folder.path());
    // Another that follows the same saves is none either.
    for flag in ["--fresh", "--accept-loss", "--color=never"] {
        let refused = run(&["dev", project.path(), "--listen", "127.0.0.1:0", flag]);
        assert_eq!(refused.code, 3, "{flag}: {}", refused.err);
        assert!(refused.err.contains("another `mimar dev` serves the project"), "{}", refused.err);
    }
    dev.signal("-TERM");
    dev.ends();
    let database = project.folder.path().join(".mimar/dev.db");
    let mut serve = mimar();
    serve.env("MIMAR_JWT_SECRET", "0123456789abcdef0123456789abcdef");
    let mut server =
        Server::start(serve.args(["serve", project.path(), "--database"]).arg(database));
    for flag in ["--fresh", "--accept-loss"] {
        let refused = run(&["dev", project.path(), "--listen", "127.0.0.1:0", flag]);
        assert_eq!(refused.code, 3, "{flag}: {}", refused.err);
        assert!(refused.err.contains("Stop that server first"), "{flag}: {}", refused.err);
    }
    server.signal("-TERM");
    server.ends();
    let mut again = Server::start(mimar().args(["dev", project.path(), "--fresh"]));
    again.says("7 rows from 3 files");
}

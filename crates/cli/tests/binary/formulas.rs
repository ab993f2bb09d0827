//! Formulas that change while servers of the version before still run.

use std::time::{Duration, Instant};

use crate::process::{Project, Server, ask, mimar, run};

const MODEL: &str = "
app Shop {
  version  1
  surface  rest
}

entity Thing {
  key id: Int = auto
  a: Int
  b: Int
  both: Int := .a + .b
  allow read, create to anyone
}
";

fn serve(project: &Project, database: &str) -> Server {
    Server::start(
        mimar()
            .args(["serve", project.path(), "--database", database])
            .env("MIMAR_JWT_SECRET", "a secret of more than thirty-two bytes"),
    )
}

#[track_caller]
fn make(server: &Server, a: u32, b: u32) {
    let body = format!(r#"{{"a":{a},"b":{b}}}"#);
    let made = ask(server.address, "POST", "/v1/things", None, &body);
    assert_eq!(made.status, 201, "{}", made.body);
}

/// What a server tells of a row.
fn told(server: &Server, id: u32) -> serde_json::Value {
    let row = server.get(&format!("/v1/things/{id}"), None);
    serde_json::from_str::<serde_json::Value>(&row.body).unwrap()["both"].clone()
}

#[test]
fn what_an_old_server_computes_is_computed_anew_when_it_has_ended() {
    let database = testbed::postgres().database();
    let project = Project::new(MODEL);
    let mut old = serve(&project, &database);
    make(&old, 3, 4);
    assert_eq!(told(&old, 1), 7);
    project.write("app.mimar", &MODEL.replace(".a + .b", ".a * .b"));
    let plan = run(&["migrate", "plan", project.path(), "--database", &database]);
    assert!(plan.out.contains("compute `both` of `thing`"), "{}{}", plan.out, plan.err);
    let apply = || run(&["migrate", "apply", project.path(), "--database", &database]);
    let refused = apply();
    assert_eq!(refused.code, 3, "{}", refused.err);
    assert!(refused.err.contains("servers of other formulas are connected"), "{}", refused.err);

    let new = serve(&project, &database);
    assert_eq!(told(&new, 1), 12);
    make(&old, 5, 6);
    assert_eq!(told(&new, 2), 11);
    old.signal("-TERM");
    old.ends();
    let deadline = Instant::now() + Duration::from_secs(30);
    while told(&new, 2) != 30 {
        assert!(Instant::now() < deadline, "{}", told(&new, 2));
        std::thread::sleep(Duration::from_millis(100));
    }
    // The note comes after the values.
    loop {
        let applied = apply();
        assert_eq!(applied.code, 0, "{}", applied.err);
        if applied.err.contains("nothing to do") {
            break;
        }
        assert!(Instant::now() < deadline, "{}", applied.err);
    }
}

#[test]
fn a_server_that_comes_and_goes_while_a_change_waits_is_noticed() {
    let database = testbed::postgres().database();
    let of = |formula: &str| {
        MODEL.replace(".a + .b", formula).replace("read, create to", "read, create, update to")
    };
    let (before, after) = (of(".a + .b"), of(".a * 10 / .b"));
    let project = Project::new(&before);
    let apply = || run(&["migrate", "apply", project.path(), "--database", &database]);
    let stop = |mut server: Server| {
        server.signal("-TERM");
        server.ends();
    };
    let old = serve(&project, &database);
    (1..=60).for_each(|at| make(&old, at, u32::from(at < 60)));
    stop(old);
    project.write("app.mimar", &after);
    let failed = apply();
    assert_eq!(failed.code, 3, "{}", failed.err);
    assert!(failed.err.contains("the row 60"), "{}", failed.err);
    // It writes a row that has been computed, and the one that has no value.
    project.write("app.mimar", &before);
    let old = serve(&project, &database);
    for (id, body) in [(1, r#"{"a":7}"#), (60, r#"{"b":2}"#)] {
        let changed = ask(old.address, "PATCH", &format!("/v1/things/{id}"), None, body);
        assert_eq!(changed.status, 200, "{}", changed.body);
    }
    assert_eq!(told(&old, 1), 8);
    stop(old);
    project.write("app.mimar", &after);
    let applied = apply();
    assert_eq!(applied.code, 0, "{}", applied.err);
    let new = serve(&project, &database);
    assert_eq!((told(&new, 1), told(&new, 2), told(&new, 60)), (70.into(), 20.into(), 300.into()));
}

#[test]
fn a_file_that_somebody_else_serves_is_not_computed_anew() {
    let project = Project::new(MODEL);
    let file = format!("sqlite:{}/shop.db", project.path());
    let mut old = serve(&project, &file);
    make(&old, 3, 4);
    project.write("app.mimar", &MODEL.replace(".a + .b", ".a * .b"));
    let refused = run(&["serve", project.path(), "--database", &file]);
    assert_eq!(refused.code, 3, "{}", refused.err);
    assert!(refused.err.contains("may follow other formulas"), "{}", refused.err);
    assert_eq!(told(&old, 1), 7);
    // Who follows the same ones may come beside it, also after that.
    let models = [MODEL.to_owned(), MODEL.replace(".a + .b", ".a * .b")];
    project.write("app.mimar", &models[0]);
    assert_eq!(told(&serve(&project, &file), 1), 7);
    project.write("app.mimar", &models[1]);
    old.signal("-TERM");
    old.ends();
    let new = serve(&project, &file);
    assert_eq!(told(&new, 1), 12);
    assert_eq!(told(&serve(&project, &file), 1), 12);
}

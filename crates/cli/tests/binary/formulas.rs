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

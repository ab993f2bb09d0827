//! A program of one's own, which does commands by code: the example `quote`.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::process::{Server, ask, end, mimar};

const SECRET: &str = "a-secret-of-thirty-two-bytes-or-more";

/// The program. Where only some tests are asked for, cargo may not have built it.
fn program() -> PathBuf {
    let beside = Path::new(env!("CARGO_BIN_EXE_mimar")).parent().unwrap();
    let path = beside.join("examples").join("quote");
    if path.exists() {
        return path;
    }
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut build = Command::new(cargo);
    build.args(["build", "--quiet", "--package", "mimar", "--example", "quote"]);
    if beside.ends_with("release") {
        build.arg("--release");
    }
    assert!(build.status().unwrap().success());
    path
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn token(role: &str) -> String {
    let project = root().join("examples/quote");
    let mut command = mimar();
    command.args(["token", "--role", role, "--project"]).arg(project);
    end(command.env("MIMAR_JWT_SECRET", SECRET)).out.trim().to_owned()
}

#[test]
fn a_program_of_its_own_does_what_the_model_leaves_to_code() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(
        Command::new(program())
            .current_dir(root())
            .arg("--database")
            .arg(folder.path().join("quotes.db"))
            .env("MIMAR_JWT_SECRET", SECRET),
    );
    let (clerk, customer) = (token("clerk"), token("customer"));
    let post =
        |path: &str, token: &str, body: &str| ask(server.address, "POST", path, Some(token), body);
    let zone = r#"{"code":"EU","base":"9.50","each":"1.25","heaviest":20000}"#;
    assert_eq!(post("/v1/zones", &clerk, zone).status, 201);
    let quoted = post("/v1/zones/EU/quote", &customer, r#"{"grams":3200}"#);
    assert!(quoted.status == 200 && quoted.body.contains(r#""price":"13.25""#), "{}", quoted.body);
    let heavy = post("/v1/zones/EU/quote", &customer, r#"{"grams":20001}"#);
    assert_eq!(heavy.status, 422);
    assert!(heavy.body.contains("To EU we carry 20000 g at most"), "{}", heavy.body);
    // What the model says of arguments, rows and callers is said before the code is asked.
    let odd = post("/v1/zones/EU/quote", &customer, r#"{"grams":0}"#);
    assert!(odd.status == 400 && odd.body.contains("/grams"), "{}", odd.body);
    let nowhere = post("/v1/zones/XX/quote", &customer, r#"{"grams":1}"#);
    assert_eq!(nowhere.status, 404, "{}", nowhere.body);
    assert_eq!(post("/v1/zones/EU/quote", &clerk, r#"{"grams":1}"#).status, 403);
}

#[test]
fn a_program_of_its_own_has_help_and_a_version() {
    let help = end(Command::new(program()).current_dir(root()).arg("--help"));
    assert!(help.code == 0 && help.out.contains("--database"), "{}", help.out);
    let elsewhere = tempfile::tempdir().unwrap();
    let lost = end(Command::new(program()).current_dir(elsewhere.path()));
    assert!(lost.code == 1 && lost.err.contains("examples/quote"), "{}", lost.err);
}

//! What `check` makes of the review: levels, forms, mending, baselines.

use serde_json::Value;

use crate::process::{Project, Server, end, mimar, run};

/// Two faults that `--fix` mends (DAT001, SEC012), one that needs `--unsafe` (SEC001), one that nobody mends (DAT010).
const FAULTY: &str = r#"/// A shop.
app Shop {
  version  1
  surface  rest
  roles    customer, clerk
}

auth {
  users  Reader by handle as customer
}

/// Somebody who buys.
entity Reader {
  key id: Uuid
  handle: String(3..40)    unique

  allow read to customer when .id == caller.id
}

/// One purchase.
entity Order {
  key id:  Uuid
  country: String(2)
  total:   Money(EUR)       = 0.00
  note1:   String(1..20)?
  note2:   String(1..20)?
  note3:   String(1..20)?

  allow read, update to clerk
}

/// Those of a country.
query orders_of_country(country: Order.country) -> Order {
  where .country == country
  page  20
  allow clerk
}

/// Orders.
command place() {
  allow customer
  create Order { country: "DE" }
}
"#;

fn report(arguments: &[&str]) -> (i32, Value) {
    let found = run(&[arguments, &["--format", "json"]].concat());
    (found.code, serde_json::from_str(&found.out).unwrap())
}

fn codes(report: &Value) -> Vec<&str> {
    let found = report["diagnostics"].as_array().unwrap().iter();
    found.filter(|it| it["severity"] != "note").map(|it| it["code"].as_str().unwrap()).collect()
}

#[test]
fn a_design_is_reviewed_with_items_and_levels() {
    let project = Project::new(FAULTY);
    let (code, found) = report(&["check", project.path()]);
    assert_eq!((code, codes(&found)), (0, vec!["DAT010", "SEC012", "DAT001", "SEC001"]));
    let index = found["diagnostics"].as_array().unwrap().iter().find(|it| it["code"] == "DAT001");
    assert_eq!(index.unwrap()["item"], "orders_of_country");
    for arguments in [&["--strict"][..], &["--deny", "warnings"], &["--deny", "sec"]] {
        let (code, _) = report(&[&["check", project.path()][..], arguments].concat());
        assert_eq!(code, 1, "{arguments:?}");
    }
    // The more special stands over the more general, the stricter over the looser.
    let special = ["--deny", "DAT001", "--allow", "DAT", "--allow", "SEC", "--warn", "SEC012"];
    let (code, found) = report(&[&["check", project.path()][..], &special].concat());
    assert_eq!((code, codes(&found)), (1, vec!["SEC012", "DAT001"]));
    let unknown = run(&["check", project.path(), "--deny", "DAT999"]);
    assert!(unknown.code == 2 && unknown.err.contains("DAT001"), "{}", unknown.err);
    let broken = Project::new(&FAULTY.replace("total:   Money", "total:   Mony"));
    let (code, found) = report(&["check", broken.path()]);
    assert!(code == 1 && codes(&found).iter().all(|it| it.starts_with('E')), "{found:#}");
}

#[test]
fn each_form_is_printed() {
    let project = Project::new(FAULTY);
    let form = |name: &str| run(&["check", project.path(), "--format", name]).out;
    let sarif: Value = serde_json::from_str(&form("sarif")).unwrap();
    assert_eq!(sarif["runs"][0]["tool"]["driver"]["version"], env!("CARGO_PKG_VERSION"));
    let gitlab: Value = serde_json::from_str(&form("gitlab")).unwrap();
    assert!(gitlab.as_array().unwrap().iter().any(|it| it["check_name"] == "SEC012"));
    assert!(form("github").lines().any(|line| line.starts_with("::warning file=")));
    assert!(form("junit").starts_with("<?xml") && form("markdown").starts_with("# Review"));
    let drawn = run(&["check", project.path(), "--format", "human"]);
    assert!(
        drawn.err.contains("warning[SEC012]") && drawn.err.contains("ok: Shop"),
        "{}",
        drawn.err
    );
}

#[test]
fn fix_mends_what_is_surely_meant_and_unsafe_the_rest() {
    let project = Project::new(FAULTY);
    let fixed = run(&["check", project.path(), "--fix"]);
    assert!(fixed.code == 0 && fixed.err.contains("mended 2 findings in 1 file"), "{}", fixed.err);
    let text = project.read("app.mimar");
    assert!(text.contains("\n  index (country)\n") && text.contains("\n  audit\n}"), "{text}");
    assert_eq!(run(&["fmt", "--check", project.path()]).code, 0, "{text}");
    assert_eq!(codes(&report(&["check", project.path()]).1), ["DAT010", "SEC001"]);
    let again = run(&["check", project.path(), "--fix"]);
    assert!(again.err.contains("nothing to mend"), "{}", again.err);
    assert_eq!(project.read("app.mimar"), text);
    assert_eq!(run(&["check", project.path(), "--fix", "--unsafe"]).code, 0);
    assert!(project.read("app.mimar").contains("limit place 10 per 1m by caller"));
    assert_eq!(codes(&report(&["check", project.path()]).1), ["DAT010"]);
    assert_eq!(run(&["check", project.path(), "--unsafe"]).code, 2);
    // From inside the folder, too, and a level that is allowed is not mended.
    let project = Project::new(FAULTY);
    let inside = ["check", "--fix", "--allow", "DAT001"];
    let fixed = end(mimar().args(inside).current_dir(project.folder.path()));
    assert!(fixed.err.contains("mended 1 finding in 1 file"), "{}", fixed.err);
    assert!(!project.read("app.mimar").contains("index (country)"));
}

#[test]
fn a_baseline_holds_to_nothing_new() {
    let project = Project::new(FAULTY);
    let file = project.join("baseline.json");
    let file = file.to_str().unwrap();
    let wrote = run(&["check", project.path(), "--write-baseline", file]);
    assert!(wrote.code == 0 && wrote.err.contains("wrote"), "{}", wrote.err);
    let strict = ["check", project.path(), "--strict", "--baseline", file];
    let (code, found) = report(&strict);
    assert_eq!((code, codes(&found), found["known"].as_u64() >= Some(4)), (0, vec![], true));
    project.write(
        "more.mimar",
        "/// Rates.\nentity Rate {\n  key id: Uuid\n  price: Float\n  allow read to clerk\n}\n",
    );
    let (code, found) = report(&strict);
    assert_eq!((code, codes(&found)), (1, vec!["DAT005"]));
    project.write("baseline.json", "{}");
    let odd = run(&strict);
    assert!(odd.code == 3 && odd.err.contains("no baseline"), "{}", odd.err);
}

#[test]
fn rules_are_listed() {
    let list = run(&["rules"]);
    assert!(list.code == 0 && list.out.contains("DAT001  warn "), "{}", list.out);
    assert!(run(&["rules", "--format", "md"]).out.starts_with("# The rules of the review"));
    let machine: Value = serde_json::from_str(&run(&["rules", "--format", "json"]).out).unwrap();
    assert!(machine.as_array().unwrap().len() >= 70);
}

#[test]
fn servers_say_only_how_many_findings_there_are() {
    let project = Project::new(FAULTY);
    let secret = "0123456789abcdef0123456789abcdef";
    let mut serve =
        Server::start(mimar().args(["serve", project.path()]).env("MIMAR_JWT_SECRET", secret));
    serve.says("The review has 4 findings; `mimar check` shows them");
    assert!(!serve.said().contains("DAT001"));
    drop(serve);
    let mut dev = Server::dev(project.folder.path());
    dev.says("The review has 4 findings; `mimar check` shows them");
}

#[test]
fn several_projects_below_a_folder_are_told_apart() {
    let app = "app One { version 1  roles user }\n";
    let project = Project::new(app);
    std::fs::remove_file(project.join("app.mimar")).unwrap();
    project.write("a/app.mimar", app);
    project.write("b/app.mimar", app);
    let told = run(&["check", project.path()]);
    assert_eq!(told.code, 2, "{}", told.err);
    assert!(told.err.contains("there are several projects in"), "{}", told.err);
    assert!(!told.err.contains("E0201"), "{}", told.err);
    let one = project.join("a");
    assert_eq!(run(&["check", one.to_str().unwrap()]).code, 0);
    // Two in one folder are a fault of the text.
    project.write("a/more.mimar", app);
    let told = run(&["check", one.to_str().unwrap()]);
    assert!(told.code == 1 && told.err.contains("E0201"), "{}", told.err);
    // Two that have more in common, imports of two databases say, are two projects.
    let own = format!("{app}entity Book {{ key id: Int }}\n");
    project.write("a/app.mimar", &own);
    project.write("a/more.mimar", &own);
    let told = run(&["check", one.to_str().unwrap()]);
    assert!(told.code == 2 && told.err.contains("Name the file of one project"), "{}", told.err);
    assert!(told.err.contains("more.mimar") && !told.err.contains("E0201"), "{}", told.err);
}

/// A fault of the grammar hides no fault of what is meant, in the same file or another.
#[test]
fn faults_of_every_kind_are_said_together() {
    let project = Project::new(
        "app Shop { version 1  surface rest }\n\n\
         entity Cup {\n  key id Int\n  name: String(1..9)\n  allow read to anyone\n}\n\n\
         entity Pot {\n  key id: Int\n  lid: Ldi\n  size: Int\n  check .size > \"big\"\n  allow read to anyone\n}\n",
    );
    project.write(
        "more.mimar",
        "entity Jug {\n  key id: Int\n  pot: Pto\n  allow read to anyone\n}\n",
    );
    let checked = run(&["check", project.path(), "--format", "json"]);
    assert_eq!(checked.code, 1, "{}", checked.err);
    for wanted in ["E0105", "`Ldi`", "`Pto`", "of type String"] {
        assert!(checked.out.contains(wanted), "{wanted}\n{}", checked.out);
    }
}

//! What `diff` tells of two models: on the disk, and at revisions of git.

use std::process::Command;

use serde_json::Value;

use crate::process::{Project, end, mimar, run};

const OLD: &str = r#"/// A library.
app Library {
  version  1
  roles    reader, clerk
  surface  rest
}

/// Something to read.
entity Book {
  key isbn: String(10..13)
  title:    String(1..200)
  shelf:    String(1..20)?
  state:    enum { here, lent } = here

  index (state)
  allow read           to anyone
  allow create, update to clerk
}

/// It was lent.
event Lent by book { book: Book  days: Int(1..90)  allow read to clerk }

/// Lends a book.
command lend(book: Book) {
  allow clerk
  update book { state: lent }
  emit Lent { book, days: 30 }
}
"#;

/// A field goes, one comes that is demanded, one may hold less, a label and a member come, and somebody sees more.
fn new() -> String {
    OLD.replace("  shelf:    String(1..20)?\n", "  pages:    Int\n")
        .replace("String(1..200)", "String(1..100)")
        .replace("{ here, lent }", "{ here, lent, lost }")
        .replace("days: Int(1..90)", "days: Int(1..90)  again: Bool?")
        .replace("allow create, update to clerk", "allow create, update to clerk, reader")
}

fn kinds(report: &Value) -> Vec<String> {
    let changes = report["changes"].as_array().unwrap().iter();
    let text = |it: &Value, name: &str| it[name].as_str().unwrap().to_owned();
    changes
        .filter(|it| it["kind"] != "tables-changed" && it["kind"] != "change-hazard")
        .map(|it| format!("{} {} {}", text(it, "class"), text(it, "audience"), text(it, "kind")))
        .collect()
}

#[test]
fn every_change_has_its_class_and_its_audience() {
    let (old, new) = (Project::new(OLD), Project::new(&new()));
    let told = run(&["diff", old.path(), new.path(), "--format", "json"]);
    assert_eq!((told.code, told.err.as_str()), (0, ""));
    let report: Value = serde_json::from_str(&told.out).unwrap();
    assert_eq!(
        kinds(&report),
        [
            "breaking caller required-field-added",
            "breaking caller field-removed",
            "breaking caller request-narrowed",
            "breaking database values-lost",
            "breaking database rows-refused",
            "risky caller access-granted",
            "risky caller access-granted",
            "risky caller label-answered",
            "risky database rows-beyond",
            "safe caller answer-narrowed",
            "safe caller label-accepted",
            "safe consumer member-added",
        ]
    );
    let hazards = report["changes"].as_array().unwrap().iter();
    let mut hazards = hazards.filter(|it| it["kind"] == "change-hazard");
    let dropped = "meets the hazard dropped-column: ";
    assert!(hazards.any(|it| it["message"].as_str().unwrap().starts_with(dropped)));
    let first = &report["changes"][0];
    assert_eq!((&first["item"], &first["code"]), (&"Book.pages".into(), &"API007".into()));
    for (fail_on, code) in [("breaking", 1), ("risky", 1)] {
        assert_eq!(run(&["diff", old.path(), new.path(), "--fail-on", fail_on]).code, code);
    }
    let same = run(&["diff", old.path(), old.path(), "--fail-on", "risky"]);
    assert_eq!(
        (same.code, same.out.as_str()),
        (0, "nothing has changed for callers, consumers and the database\n")
    );
}

#[test]
fn each_form_is_printed() {
    let (old, new) = (Project::new(OLD), Project::new(&new()));
    let form = |name: &str| run(&["diff", old.path(), new.path(), "--format", name]).out;
    let text = form("text");
    assert!(text.starts_with("breaking for the caller\n  Book.pages is new"), "{text}");
    assert!(text.contains("      instead: make it optional, or give it a default\n"), "{text}");
    let markdown = form("markdown");
    assert!(markdown.contains("\n## Risky for the database\n"), "{markdown}");
    assert!(markdown.contains("| `Book.shelf` | is gone | `field-removed` API007 |"), "{markdown}");
    let github = form("github");
    let line =
        "::error title=breaking for the caller%3A field-removed API007::Book.shelf is gone%0A";
    assert!(github.contains(line), "{github}");
    let quiet = run(&["diff", old.path(), new.path(), "-q"]).out;
    assert!(!quiet.contains("safe for the"), "{quiet}");
}

#[test]
fn revisions_of_git_are_read() {
    let project = Project::new(OLD);
    project.write("api/app.mimar", OLD);
    std::fs::remove_file(project.join("app.mimar")).unwrap();
    let git = |arguments: &[&str]| {
        let mut command = Command::new("git");
        command.current_dir(project.folder.path());
        command.args(["-c", "user.name=a", "-c", "user.email=a@example.org"]);
        assert!(command.args(arguments).output().unwrap().status.success(), "{arguments:?}");
    };
    git(&["init", "--quiet"]);
    git(&["add", "."]);
    git(&["commit", "--quiet", "--message", "first"]);
    project.write("api/app.mimar", &new());
    let within = |arguments: &[&str]| end(mimar().current_dir(project.path()).args(arguments));
    for arguments in [
        &["diff", "git:HEAD", "api"][..],
        &["diff", "HEAD:api", "api"],
        &["diff", "git:HEAD", "api/app.mimar"],
        &["diff", "git:HEAD"],
    ] {
        let told = within(&[arguments, &["--fail-on", "breaking"]].concat());
        assert!(
            told.code == 1 && told.out.contains("Book.shelf is gone"),
            "{arguments:?} {}",
            told.err
        );
    }
    git(&["commit", "--quiet", "--all", "--message", "second"]);
    let told = within(&["diff", "git:HEAD~1", "git:HEAD"]);
    assert!(told.out.contains("Book.shelf is gone"), "{}", told.err);
    for (arguments, why) in [
        (&["diff", "git:nowhere"][..], "cannot read git:nowhere from git"),
        (&["diff", "git:--output=x"], "this is no revision"),
        (&["diff", "HEAD:docs", "api"], "it has no *.mimar file there"),
        (&["diff", "openapi.yaml", "api"], "cannot read openapi.yaml"),
    ] {
        let told = within(arguments);
        assert!(told.code == 3 && told.err.contains(why), "{}", told.err);
    }
    project.write("openapi.json", "{}");
    let told = within(&["diff", "openapi.json", "api"]);
    assert!(told.code == 2 && told.err.contains("`openapi` does not say 3.x"), "{}", told.err);
    project.write("openapi.json", "{");
    let told = within(&["diff", "openapi.json", "api"]);
    assert!(told.code == 2 && told.err.contains("it is no JSON"), "{}", told.err);
    // A document at a revision, and one beside a model at a revision.
    let published = within(&["openapi", "api"]);
    project.write("openapi.json", &published.out);
    git(&["add", "openapi.json"]);
    git(&["commit", "--quiet", "--message", "published"]);
    let told = within(&["diff", "HEAD:openapi.json", "git:HEAD~2", "--repository", "api"]);
    assert!(told.code == 0 && told.out.contains("Book.shelf"), "{} {}", told.out, told.err);
    let told = within(&["diff", "git:HEAD", "openapi.json", "--fail-on", "risky"]);
    assert!(told.code == 0 && told.out.contains("nothing has"), "{} {}", told.out, told.err);
    project.write("api/app.mimar", &OLD.replace("key isbn", "key"));
    let told = within(&["diff", "git:HEAD", "api"]);
    assert!(told.code == 1 && told.err.contains("the model api has errors"), "{}", told.err);
}

#[test]
fn a_published_document_is_the_old_side() {
    let (old, new) = (Project::new(OLD), Project::new(&new()));
    let published = run(&["openapi", old.path()]);
    old.write("openapi.json", &published.out);
    let document = old.join("openapi.json");
    let document = document.to_str().unwrap();
    let told = run(&["diff", document, new.path(), "--format", "json"]);
    assert_eq!(told.code, 0, "{}", told.err);
    assert!(told.err.contains("only the REST part is compared"), "{}", told.err);
    let report: Value = serde_json::from_str(&told.out).unwrap();
    let told = kinds(&report);
    for kind in [
        "breaking caller required-field-added",
        "breaking caller field-removed",
        "breaking caller request-narrowed",
        "risky caller access-granted",
        "risky caller label-answered",
        "safe caller label-accepted",
    ] {
        assert!(told.contains(&kind.to_owned()), "{kind} is not in {told:?}");
    }
    let same = run(&["diff", document, old.path(), "--fail-on", "risky"]);
    assert_eq!((same.code, same.out.as_str()), (0, "nothing has changed for callers\n"));
    let back = run(&["diff", new.path(), document, "--fail-on", "breaking"]);
    assert_eq!(back.code, 1, "{}", back.out);
}

#[test]
fn check_finds_what_a_change_breaks() {
    let (old, new) = (Project::new(OLD), Project::new(&new()));
    let told = run(&["check", new.path(), "--against", old.path(), "--format", "json"]);
    assert_eq!(told.code, 1, "{}", told.err);
    let report: Value = serde_json::from_str(&told.out).unwrap();
    let found = report["diagnostics"].as_array().unwrap();
    let at = |item: &str| found.iter().any(|it| it["code"] == "API007" && it["item"] == item);
    assert!(at("Book") && at("Book.pages") && at("Book.title"), "{found:#?}");
    let same = run(&["check", old.path(), "--against", old.path(), "--allow", "all"]);
    assert_eq!(same.code, 0, "{}", same.err);
    // Beside a document, too.
    let published = run(&["openapi", old.path()]);
    old.write("openapi.json", &published.out);
    let document = old.join("openapi.json");
    let told = run(&["check", new.path(), "--against", document.to_str().unwrap()]);
    assert!(told.code == 1 && told.err.contains("API007"), "{} {}", told.out, told.err);
    let told = run(&["check", new.path(), "--against", "git:nowhere"]);
    assert!(told.code == 3 && told.err.contains("cannot read git:nowhere"), "{}", told.err);
    // What may be a rename is written down.
    new.write("app.mimar", &OLD.replace("shelf: ", "board: "));
    let path = new.path();
    let told = run(&["check", path, "--against", old.path(), "--fix", "--unsafe"]);
    let text = std::fs::read_to_string(new.join("app.mimar")).unwrap();
    assert!(text.contains(" was shelf"), "{text} {}", told.err);
}

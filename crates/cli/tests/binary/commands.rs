//! Commands that end by themselves.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::process::Stdio;

use crate::process::{Project, end, mimar, run};

const GOOD: &str = "app Shop {\n  version  1\n  roles    clerk\n  surface  rest\n}\n\nentity Thing {\n  \
                    key id: Int           = auto\n  name:   String(1..20)\n\n  allow read to anyone\n}\n";

#[test]
fn help_and_version_are_worth_reading() {
    let help = run(&["--help"]);
    assert_eq!(help.code, 0);
    for text in ["Exit codes:", "MIMAR_JWT_SECRET", "mimar dev notes"] {
        assert!(help.out.contains(text), "{}", help.out);
    }
    assert!(!help.out.contains('\u{1b}'), "colours in a pipe");
    assert!(run(&["--version"]).out.starts_with("mimar "));
    for command in
        ["new", "check", "fmt", "explain", "explain-plan", "dev", "serve", "openapi", "token"]
    {
        assert!(run(&[command, "--help"]).out.contains("Example"), "{command}");
    }
    let wrong = run(&["chekc"]);
    assert_eq!(wrong.code, 2);
    assert!(wrong.err.contains("check"), "{}", wrong.err);
}

#[test]
fn check_finds_everything_at_once() {
    let project = Project::new(&GOOD.replace("String", "Strin").replace("to anyone", "to clrk"));
    let found = run(&["check", project.path()]);
    assert_eq!((found.code, found.out.as_str()), (1, ""));
    for text in ["`Strin`", "`clrk`", "did you mean", "app.mimar:9:", "not ok"] {
        assert!(found.err.contains(text), "{text}\n{}", found.err);
    }
    assert!(!found.err.contains('\u{1b}'), "colours in a pipe");
    let colored = run(&["check", project.path(), "--color", "always"]);
    assert!(colored.err.contains('\u{1b}'));
    let json = run(&["check", project.path(), "--format", "json"]);
    let report: serde_json::Value = serde_json::from_str(&json.out).unwrap();
    assert!(json.code == 1 && report["errors"].as_u64() >= Some(2), "{report:#}");
    assert_eq!(report["diagnostics"][0]["primary"]["line"], 9);
    assert!(report["diagnostics"][0]["fixes"][0]["edits"][0]["replacement"].is_string());
}

#[test]
fn check_is_content_with_a_good_model() {
    let project = Project::new(GOOD);
    let found = run(&["check", project.path()]);
    assert_eq!(found.code, 0, "{}", found.err);
    assert!(found.err.contains("ok: Shop, 1 entity"), "{}", found.err);
    // One file instead of its folder, and a folder seen from inside.
    assert_eq!(run(&["check", project.join("app.mimar").to_str().unwrap()]).code, 0);
    assert_eq!(end(mimar().arg("check").current_dir(project.folder.path())).code, 0);
}

#[test]
fn a_folder_without_files_and_a_file_that_is_no_text_are_said() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_str().unwrap();
    let empty = run(&["check", path]);
    assert_eq!(empty.code, 3);
    assert!(
        empty.err.contains("no *.mimar file") && empty.err.contains("mimar new"),
        "{}",
        empty.err
    );
    fs::write(folder.path().join("x.mimar"), b"app \xff").unwrap();
    let odd = run(&["check", path]);
    assert_eq!(odd.code, 3);
    assert!(odd.err.contains("not UTF-8 text (the first odd byte is at 4)"), "{}", odd.err);
    assert_eq!(run(&["check", "/no/such/folder"]).code, 3);
}

#[test]
fn fmt_lays_out_once_and_for_all() {
    let project = Project::new(&GOOD.replace("  key id: Int           = auto", "key id: Int=auto"));
    let check = run(&["fmt", "--check", project.path()]);
    assert_eq!(check.code, 1);
    assert!(check.out.trim_end().ends_with("app.mimar"), "{}", check.out);
    assert_eq!(run(&["fmt", project.path()]).code, 0);
    let once = project.read("app.mimar");
    let written = fs::metadata(project.join("app.mimar")).unwrap().modified().unwrap();
    assert_eq!(run(&["fmt", "--check", project.path()]).code, 0);
    assert_eq!(run(&["fmt", project.path()]).code, 0);
    assert_eq!(project.read("app.mimar"), once);
    let again = fs::metadata(project.join("app.mimar")).unwrap().modified().unwrap();
    assert_eq!(again, written, "a file that is laid out is not touched");
}

#[test]
fn fmt_leaves_a_broken_file_and_reads_a_stream() {
    let project = Project::new("entity {");
    let broken = run(&["fmt", project.path()]);
    assert_eq!((broken.code, project.read("app.mimar").as_str()), (1, "entity {"));
    assert!(broken.err.contains("left as it is"), "{}", broken.err);
    let mut child =
        mimar().args(["fmt", "-"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"app A { version 1 }").unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.stdout, b"app A { version 1 }\n");
}

#[test]
fn explain_knows_every_code() {
    let list = run(&["explain"]);
    assert_eq!(list.code, 0);
    let codes: Vec<&str> = list.out.lines().filter_map(|line| line.split(' ').next()).collect();
    assert!(codes.len() > 150, "{}", list.out);
    for code in codes {
        let page = run(&["explain", &code.to_lowercase()]);
        assert!(page.code == 0 && page.out.contains(code), "{code}");
    }
    let named = run(&["explain", "missing-index"]);
    assert!(named.out.contains("DAT001"), "{}", named.out);
    let unknown = run(&["explain", "E0999"]);
    assert_eq!(unknown.code, 2);
    assert!(unknown.err.contains("no code `E0999`"), "{}", unknown.err);
}

#[test]
fn commands_by_code_are_noted_and_not_served() {
    let coded = "\ncommand tidy(thing: Thing) by code { allow clerk }\ncommand sweep() by code { allow system }\n";
    let project = Project::new(&format!("{GOOD}{coded}"));
    let checked = run(&["check", project.path()]);
    assert_eq!(checked.code, 0, "{}", checked.err);
    assert!(checked.err.contains("N0118"), "{}", checked.err);
    for command in ["serve", "dev"] {
        let refused =
            end(mimar().args([command, project.path()]).env("MIMAR_JWT_SECRET", "s".repeat(32)));
        assert_eq!(refused.code, 1, "{command}: {}", refused.err);
        for text in ["`tidy`, `sweep`", "by code", "a program of its own"] {
            assert!(refused.err.contains(text), "{command}: {}", refused.err);
        }
        assert!(!project.join(".mimar").exists(), "{command} has begun");
    }
}

/// The page's own example, command by command.
#[test]
fn explain_plan_tells_the_waits_that_the_page_on_them_tells() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/round-trips.md");
    let page = fs::read_to_string(page).unwrap();
    let (_, model) = page.split_once("```mimar\n").unwrap();
    let (model, told) = model.split_once("```\n").unwrap();
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("model.mimar"), model).unwrap();
    let mut told: BTreeMap<&str, &str> = told
        .lines()
        .filter_map(|line| {
            let mut cells = line.strip_prefix("| `")?.split(" | ");
            Some((cells.next()?.strip_suffix('`')?, cells.next()?))
        })
        .collect();
    for command in model.lines().filter_map(|line| line.strip_prefix("command ")) {
        let (command, _) = command.split_once('(').unwrap();
        let waits = told.remove(command).unwrap_or_else(|| panic!("nothing is told of {command}"));
        let plan = end(mimar()
            .args(["explain-plan", command, "--on", "postgres", "--project"])
            .arg(folder.path()));
        assert!(plan.out.contains(&format!("waits        {waits}")), "{command}\n{}", plan.out);
    }
    assert!(told.is_empty(), "{told:?} are no commands");
}

#[test]
fn explain_plan_shows_what_a_command_sends() {
    let shop = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/shop");
    let plan =
        |arguments: &[&str]| end(mimar().args(["explain-plan", "--project", shop]).args(arguments));
    let text = plan(&["place_order", "--on", "postgres"]);
    assert_eq!(text.code, 0, "{}", text.err);
    for part in [
        "place_order for customer, on PostgreSQL",
        "1 round trip, its commit among what is sent; 3 where it is refused",
        "FROM \"sales\".\"product\" WHERE \"sku\" = ANY($1::text[]) ORDER BY \"sku\" FOR NO KEY UPDATE",
        "rows of Product: nobody else",
        "INSERT INTO \"sales\".\"line\"",
        "INSERT INTO \"mimar\".\"event\"",
        "With an Idempotency-Key: no round trip more",
    ] {
        assert!(text.out.contains(part), "{part}\n{}", text.out);
    }
    assert!(
        text.out.contains("shares       its transaction with others of its kind"),
        "{}",
        text.out
    );
    assert!(!text.out.contains('\u{1b}'), "colours in a pipe");
    let loaded = plan(&["cancel", "--on", "postgres"]);
    for part in ["its rows, before it does anything: `for`: which turns", "however many rows"] {
        assert!(loaded.out.contains(part), "{part}\n{}", loaded.out);
    }
    let direct = plan(&["mark_paid", "--on", "postgres"]);
    for part in [
        "1 round trip, its commit among what is sent; 3 where it is refused",
        "UPDATE \"sales\".\"order\" AS t0 SET \"status\" = 'paid'::text, \"row_version\" = ",
        "    goes on only where the row is there and its rules hold",
        "Where that is refused: Load what it will look at",
        "With an Idempotency-Key: no round trip more",
    ] {
        assert!(direct.out.contains(part), "{part}\n{}", direct.out);
    }
    let json = plan(&["mark_paid", "--on", "postgres", "--format", "json"]);
    let told: serde_json::Value = serde_json::from_str(&json.out).unwrap();
    assert_eq!(
        (&told["round_trips"]["usual"], told["trips"].as_array().unwrap().len()),
        (&1.into(), 1)
    );
    assert_eq!(told["when_refused"]["round_trips"]["usual"], 3, "{told:#}");
    assert_eq!(told["shares_its_transaction"], false);
    let statements = told["trips"][0]["statements"].as_array().unwrap();
    assert!(statements.iter().any(|statement| statement["does"] == "row"), "{told:#}");
    let json = plan(&["cancel", "--role", "system", "--on", "postgres", "--format", "json"]);
    let told: serde_json::Value = serde_json::from_str(&json.out).unwrap();
    assert_eq!((&told["found_first"], &told["isolation"]), (&true.into(), &"default".into()));
    assert_eq!(told["trips"][0]["statements"][0]["sql"], "BEGIN");
    assert_eq!(told["trips"][2]["purpose"], "lock", "{told:#}");
    let sqlite = plan(&["place_order", "--on", "sqlite"]);
    for part in ["one writer", "SAVEPOINT request", "once for each row", "\"sku\" = ?1"] {
        assert!(sqlite.out.contains(part), "{part}\n{}", sqlite.out);
    }
    // The example's production is PostgreSQL.
    assert_eq!(plan(&["place_order"]).out, text.out);
    for (arguments, wanted) in [
        (&["place_oder"][..], "its commands are: place_order"),
        (&["cancel", "--role", "clerk"], "`clerk` may not run `cancel`; who may: customer, system"),
        (&["cancel", "--role", "boss"], "has no role `boss`"),
    ] {
        let refused = plan(arguments);
        assert!(refused.code == 2 && refused.err.contains(wanted), "{}", refused.err);
    }
}

#[test]
fn new_makes_a_project_that_is_good_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("my-notes");
    let path = path.to_str().unwrap();
    let made = run(&["new", path]);
    assert_eq!(made.code, 0, "{}", made.err);
    assert!(made.err.contains("mimar dev"), "{}", made.err);
    let check = run(&["check", path]);
    assert!(check.code == 0 && check.err.contains("ok: MyNotes"), "{}", check.err);
    assert_eq!(run(&["fmt", "--check", path]).code, 0);
    let again = run(&["new", path]);
    assert!(again.code == 3 && again.err.contains("exists already"), "{}", again.err);
    assert_eq!(run(&["new", "1st"]).code, 2);
    // Here, where a repository was just begun.
    let here = folder.path().join("to-do");
    fs::create_dir_all(here.join(".git")).unwrap();
    let made = mimar().current_dir(&here).args(["new", "."]).output().unwrap();
    assert!(made.status.success(), "{made:?}");
    let check = run(&["check", here.to_str().unwrap()]);
    assert!(check.code == 0 && check.err.contains("ok: ToDo"), "{}", check.err);
}

#[test]
fn openapi_is_a_document() {
    let project = Project::new(GOOD);
    let printed = run(&["openapi", project.path()]);
    let document: serde_json::Value = serde_json::from_str(&printed.out).unwrap();
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
    assert!(document["paths"]["/v1/things"]["get"].is_object(), "{document:#}");
    let file = project.join("api.json");
    let written = run(&["openapi", project.path(), "-o", file.to_str().unwrap()]);
    assert_eq!((written.code, written.out.as_str()), (0, ""));
    assert_eq!(project.read("api.json"), printed.out);
}

#[test]
fn token_signs_for_roles_that_exist() {
    let project = Project::new(GOOD);
    let token = run(&["token", "--role", "clerk", "--project", project.path()]);
    assert_eq!((token.code, token.out.trim().split('.').count()), (0, 3), "{}", token.err);
    let unknown = run(&["token", "--role", "clark", "--project", project.path()]);
    assert_eq!(unknown.code, 2);
    assert!(unknown.err.contains("its roles are: clerk"), "{}", unknown.err);
    let short = end(mimar()
        .args(["token", "--role", "clerk", "--project", project.path()])
        .env("MIMAR_JWT_SECRET", "hunter2"));
    assert_eq!(short.code, 3);
    assert!(short.err.contains("32 bytes") && !short.err.contains("hunter2"), "{}", short.err);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = fs::metadata(project.join(".mimar/secret")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}

#[test]
fn completions_and_the_reference_are_printed() {
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        assert!(run(&["completions", shell]).out.contains("mimar"), "{shell}");
    }
    let script = run(&["completions", "zsh"]).out;
    assert!(script.contains("DAT001") && script.contains("E0105"), "codes are completed");
    let reference = run(&["reference"]).out;
    for text in ["# The language", "`field[gte]=value`", "`not_unique`", "`E0105`"] {
        assert!(reference.contains(text), "{text}");
    }
}

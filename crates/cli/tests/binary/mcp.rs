//! `mimar mcp` as the host of an agent uses it: a process, and a client of the protocol that others made.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::Stdio;
use std::time::{Duration, Instant};

use rmcp::model::{
    CallToolRequestParams, CallToolResult, GetPromptRequestParams, ReadResourceRequestParams,
    ResourceContents,
};
use rmcp::service::{RoleClient, RunningService};
use rmcp::transport::TokioChildProcess;
use rmcp::{ServiceError, ServiceExt as _};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use crate::process::{Project, mimar, run};

const SHOP: &str = "\
app Shop { version 1  roles customer, clerk }

auth { users Customer by email as customer }

entity Customer {
  key id: Uuid
  email:  Email unique
  allow read to customer when .id == caller.id
  allow read to clerk
}

entity Order {
  key id:   Uuid
  customer: Customer
  note:     String(0..80)?
  allow read       to customer when .customer == caller
  allow read       to clerk
  allow update note to clerk
}
";

/// A host with one server.
struct Host {
    runtime: Runtime,
    client: RunningService<RoleClient, ()>,
    project: Project,
}

impl Host {
    fn start(project: Project) -> Self {
        let runtime = Runtime::new().unwrap();
        let client = runtime.block_on(async {
            let mut command = mimar();
            command.args(["mcp", "--root", project.path()]);
            // The root is not where the host happens to be.
            command.current_dir(std::env::temp_dir());
            let command = tokio::process::Command::from(command);
            let (process, _) =
                TokioChildProcess::builder(command).stderr(Stdio::null()).spawn().unwrap();
            ().serve(process).await.unwrap()
        });
        Self { runtime, client, project }
    }

    fn shop() -> Self {
        Self::start(Project::new(SHOP))
    }

    fn try_call(&self, tool: &str, arguments: Value) -> Result<CallToolResult, ServiceError> {
        let arguments = arguments.as_object().unwrap().clone();
        let request = CallToolRequestParams::new(tool.to_owned()).with_arguments(arguments);
        self.runtime.block_on(self.client.call_tool(request))
    }

    /// The structured answer of a tool, and its text.
    #[track_caller]
    fn call(&self, tool: &str, arguments: Value) -> (Value, String) {
        let result = self.try_call(tool, arguments).unwrap();
        let text = text_of(&result);
        assert_ne!(result.is_error, Some(true), "{text}");
        (result.structured_content.unwrap(), text)
    }

    /// Why a tool has no answer.
    #[track_caller]
    fn refused(&self, tool: &str, arguments: Value, wanted: &[&str]) {
        let result = self.try_call(tool, arguments).unwrap();
        let text = text_of(&result);
        assert_eq!(result.is_error, Some(true), "{text}");
        assert_eq!(result.structured_content, None);
        for part in wanted {
            assert!(text.contains(part), "{part:?} is not in:\n{text}");
        }
    }

    #[track_caller]
    fn resource(&self, uri: &str) -> String {
        let request = ReadResourceRequestParams::new(uri);
        let read = self.runtime.block_on(self.client.read_resource(request)).unwrap();
        match read.contents.as_slice() {
            [ResourceContents::TextResourceContents { text, .. }] => text.clone(),
            other => panic!("{other:?}"),
        }
    }
}

fn text_of(result: &CallToolResult) -> String {
    let texts = result.content.iter().filter_map(|block| block.as_text());
    texts.map(|block| block.text.as_str()).collect::<Vec<_>>().join("\n")
}

fn codes(report: &Value) -> Vec<&str> {
    let found = report["diagnostics"].as_array().unwrap().iter();
    found.map(|it| it["code"].as_str().unwrap()).collect()
}

#[test]
fn a_server_says_what_it_has() {
    let host = Host::shop();
    let info = host.client.peer_info().unwrap();
    assert_eq!(info.server_info.as_ref().unwrap().name, "mimar");
    assert!(info.instructions.as_ref().unwrap().contains("mimar://agents"));
    let tools = host.runtime.block_on(host.client.list_all_tools()).unwrap();
    let names: Vec<&str> = tools.iter().map(|tool| &*tool.name).collect();
    let wanted =
        ["check", "explain", "fix", "format", "policy", "describe", "diff", "plan_migration"];
    assert_eq!(names, wanted);
    for tool in &tools {
        let hints = tool.annotations.clone().unwrap();
        let writes = ["fix", "format"].contains(&&*tool.name);
        assert_eq!(hints.destructive_hint, Some(writes), "{}", tool.name);
        assert!(tool.output_schema.is_some(), "{}", tool.name);
    }
    // The page for people names them all.
    let page = include_str!("../../../../docs/agents.md");
    for name in wanted {
        assert!(page.contains(&format!("| `{name}` |")), "docs/agents.md does not tell of {name}");
    }
}

#[test]
fn a_model_is_checked_on_the_disk_and_before_it_is_written() {
    let host = Host::shop();
    let (report, _) = host.call("check", json!({}));
    assert_eq!(report["errors"], 0);
    let by_hand = run(&["check", host.project.path(), "--format", "json"]);
    let by_hand: Value = serde_json::from_str(&by_hand.out).unwrap();
    assert_eq!(codes(&report), codes(&by_hand), "it is what the command finds");

    let broken = SHOP.replace("when .customer == caller", "when .custmer == caller");
    let (report, text) = host.call("check", json!({ "text": broken }));
    assert_eq!((&report["ok"], &report["errors"]), (&json!(false), &json!(1)));
    let fault = &report["diagnostics"][0];
    assert_eq!(fault["code"], "E0203");
    assert_eq!(fault["primary"]["file"], "text.mimar");
    assert_eq!(fault["primary"]["line"], 16);
    assert_eq!(fault["fixes"][0]["edits"][0]["replacement"], "customer");
    assert!(text.contains("text.mimar:16"), "{text}");

    let (report, _) = host.call("check", json!({ "text": SHOP, "allow": ["all"] }));
    assert_eq!((&report["ok"], &report["warnings"]), (&json!(true), &json!(0)));
    let (report, _) = host.call("check", json!({ "text": SHOP, "strict": true }));
    assert_eq!(report["ok"], report["warnings"] == 0);
    let (report, _) = host.call("check", json!({ "text": SHOP, "quiet": true }));
    assert_eq!(report["notes"], 0);
}

#[test]
fn many_faults_are_told_the_worst_first_and_in_part() {
    let host = Host::shop();
    let mut model = SHOP.to_owned();
    for at in 0..300 {
        model.push_str(&format!("entity E{at} {{ key id: Uuid  it: Nothing{at} }}\n"));
    }
    let (report, text) = host.call("check", json!({ "text": model }));
    assert_eq!(report["errors"], 300);
    assert_eq!(report["diagnostics"].as_array().unwrap().len(), 100);
    assert_eq!(report["left_out"], 200);
    assert!(text.contains("200 of them are left out"), "{text}");
}

#[test]
fn codes_rules_and_words_are_explained() {
    let host = Host::shop();
    for topic in ["e0405", "E0405"] {
        assert_eq!(host.call("explain", json!({ "topic": topic })).0["topic"], "E0405");
    }
    let (page, text) = host.call("explain", json!({ "topic": "missing-index" }));
    assert!(page["topic"].as_str().unwrap().starts_with("DAT"), "{page}");
    assert!(text.contains("## Why"), "{text}");
    for word in ["flow", "Money", "coalesce", "require", "index", "entity", "secret"] {
        let (page, _) = host.call("explain", json!({ "topic": word }));
        assert!(page["page"].as_str().unwrap().contains("```mimar"), "{word}: {page}");
    }
    host.refused(
        "explain",
        json!({ "topic": "missing-indx" }),
        &["missing-index", "mimar://rules"],
    );
    host.refused("explain", json!({ "topic": "E9999" }), &["no code"]);
}

#[test]
fn a_fix_is_shown_and_written_only_where_that_is_asked_for() {
    let broken = SHOP.replace("when .customer == caller", "when .custmer == caller");
    let host = Host::start(Project::new(&broken));
    // A name that is only near may be meant otherwise.
    assert_eq!(host.call("fix", json!({ "write": true })).0["fixes"], 0);
    assert_eq!(host.project.read("app.mimar"), broken);
    let (shown, text) = host.call("fix", json!({ "path": "app.mimar", "unsafe": true }));
    assert_eq!(shown["written"], false);
    assert!(shown["fixes"].as_u64().unwrap() > 0);
    let diff = shown["files"][0]["diff"].as_str().unwrap();
    assert!(diff.contains("--- app.mimar\n+++ app.mimar\n"), "{diff}");
    assert!(diff.contains(".custmer == caller\n+"), "{diff}");
    assert!(text.contains("`write` changes the files"), "{text}");
    assert_eq!(host.project.read("app.mimar"), broken, "nothing was written");

    let (written, _) = host.call("fix", json!({ "path": ".", "write": true, "unsafe": true }));
    assert_eq!((&written["written"], &written["errors"]), (&json!(true), &json!(0)));
    let mended = host.project.read("app.mimar");
    assert!(mended.contains("when .customer == caller"), "{mended}");
    assert!(!mended.contains(".custmer"), "{mended}");
    let (again, _) = host.call("fix", json!({ "write": true }));
    assert_eq!((&again["written"], &again["fixes"]), (&json!(false), &json!(0)));

    let (of_text, _) = host.call("fix", json!({ "text": broken, "unsafe": true }));
    assert_eq!(of_text["text"], mended);
    host.refused("fix", json!({ "text": broken, "write": true }), &["leave `write` out"]);
}

#[test]
fn a_model_is_laid_out() {
    let odd = SHOP.replace("key id: Uuid\n", "key   id:Uuid\n");
    let host = Host::start(Project::new(&odd));
    let (report, text) = host.call("format", json!({ "text": odd }));
    assert_eq!(report["text"].as_str(), Some(text.as_str()));
    let laid_out = text;
    let (report, _) = host.call("format", json!({}));
    assert_eq!(report["files"].as_array().unwrap().len(), 1);
    assert_eq!(host.project.read("app.mimar"), odd, "nothing was written");
    let (report, _) = host.call("format", json!({ "write": true }));
    assert_eq!(report["written"], true);
    assert_eq!(host.project.read("app.mimar"), laid_out);
    assert_eq!(host.call("format", json!({})).0["files"], json!([]));
    host.refused("format", json!({ "text": "entity {" }), &["cannot be laid out", "E01"]);
}

#[test]
fn who_may_do_what_is_told() {
    let host = Host::shop();
    let (matrix, text) = host.call("policy", json!({ "role": "clerk", "entity": "Order" }));
    let cell = |verb: &str| {
        let cells = matrix["access"].as_array().unwrap();
        cells.iter().find(|it| it["verb"] == verb).unwrap().clone()
    };
    assert_eq!(cell("read")["may"], "always");
    assert_eq!(cell("update")["grants"], json!([{ "fields": ["note"], "when": null }]));
    assert_eq!(cell("delete")["may"], "never");
    assert!(text.contains("| clerk | always | never | only note | never |"), "{text}");
    host.refused("policy", json!({ "role": "boss" }), &["no role `boss`", "customer, clerk"]);
    host.refused("policy", json!({ "entity": "Ordr" }), &["the nearest is `Order`"]);

    let by_hand = run(&[
        "policy",
        host.project.path(),
        "--role",
        "clerk",
        "--entity",
        "Order",
        "--format",
        "json",
    ]);
    assert_eq!(serde_json::from_str::<Value>(&by_hand.out).unwrap(), matrix);
    let drawn = run(&["policy", host.project.path()]);
    assert!(drawn.out.contains("customer     when .customer == caller"), "{}", drawn.out);
    assert_eq!(run(&["policy", host.project.path(), "--role", "boss"]).code, 2);
}

#[test]
fn a_model_is_described() {
    let host = Host::shop();
    let (model, text) = host.call("describe", json!({}));
    assert_eq!(model["app"], "Shop");
    assert_eq!(model["entities"][1]["fields"][1]["references"], "Customer");
    let routes = model["routes"].as_array().unwrap().iter();
    let routes: Vec<String> = routes
        .map(|it| format!("{} {}", it["method"].as_str().unwrap(), it["path"].as_str().unwrap()))
        .collect();
    assert!(routes.contains(&"PATCH /v1/orders/{id}".to_owned()), "{routes:?}");
    assert!(text.contains("note: String(0..80)?"), "{text}");
    let by_hand = run(&["describe", host.project.path(), "--format", "json"]);
    assert_eq!(serde_json::from_str::<Value>(&by_hand.out).unwrap(), model);
    host.refused("describe", json!({ "text": "app" }), &["the model has errors", "E0"]);
}

fn git(project: &Project, arguments: &[&str]) {
    let done = std::process::Command::new("git")
        .current_dir(project.path())
        .args(["-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false"])
        .args(arguments)
        .output()
        .unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}

#[test]
fn changes_are_told_of_folders_and_of_revisions() {
    let project = Project::new(SHOP);
    git(&project, &["init", "-q"]);
    git(&project, &["add", "."]);
    git(&project, &["commit", "-qm", "first"]);
    project.write(
        "app.mimar",
        &SHOP.replace("  note:     String(0..80)?\n", "  note:     String(0..80)\n"),
    );
    project.write("other/app.mimar", SHOP);
    let host = Host::start(project);
    let arguments = json!({ "old": "git:HEAD", "new": "app.mimar" });
    let (report, text) = host.call("diff", arguments);
    assert_eq!(report["breaking"].as_u64().map(|it| it > 0), Some(true), "{report}");
    assert!(text.starts_with("# Changes of the contract"), "{text}");
    assert_eq!(host.call("diff", json!({ "old": "other", "new": "app.mimar" })).0, report);
    // What breaks stands where it has changed, beside a model as beside what was published.
    let published = run(&["openapi", host.project.join("other").to_str().unwrap()]);
    host.project.write("openapi.json", &published.out);
    for against in ["git:HEAD", "other", "openapi.json"] {
        let (found, _) = host.call("check", json!({ "path": "app.mimar", "against": against }));
        assert!(codes(&found).contains(&"API007"), "{against}: {found}");
    }
    let (rest, _) = host.call("diff", json!({ "old": "openapi.json", "new": "app.mimar" }));
    assert_eq!((&rest["scope"], rest["breaking"].as_u64() > Some(0)), (&json!("rest"), true));
    let same = json!({ "old": "other", "new": "other" });
    assert_eq!(host.call("diff", same).0["changes"], json!([]));
    host.refused(
        "diff",
        json!({ "old": "git:HEAD:other", "new": "other" }),
        &["git:REVISION alone"],
    );
    host.refused("diff", json!({ "old": "git:--help", "new": "other" }), &["no revision"]);
    host.refused(
        "diff",
        json!({ "old": "git:nowhere", "new": "other" }),
        &["cannot read git:nowhere"],
    );
    host.refused("diff", json!({}), &["missing field `old`", "This tool takes: old, new, quiet"]);

    let plan = json!({ "path": "app.mimar", "against": "git:HEAD" });
    let (plan, text) = host.call("plan_migration", plan);
    assert!(!plan["steps"].as_array().unwrap().is_empty(), "{plan}");
    assert!(text.contains("SET NOT NULL") && !text.contains('\u{1b}'), "{text}");
    let small = json!({ "path": "app.mimar", "against": "other", "on": "sqlite" });
    assert_eq!(host.call("plan_migration", small).0["steps"].as_array().unwrap().len(), 1);
    let none = json!({ "path": "other", "against": "other" });
    assert_eq!(host.call("plan_migration", none).0["summary"], json!([]));
}

#[test]
fn a_plan_from_a_database_leaves_it_as_it_is() {
    let project = Project::new(SHOP);
    let database = project.join("shop.db");
    let rows = project.join("rows");
    project
        .write("rows/Customer.csv", "id,email\n00000000-0000-7000-8000-000000000001,a@b.example\n");
    let made = run(&[
        "data",
        "load",
        rows.to_str().unwrap(),
        "--project",
        project.path(),
        "--database",
        database.to_str().unwrap(),
    ]);
    assert_eq!(made.code, 0, "{}", made.err);
    project.write("app.mimar", &SHOP.replace("  note: ", "  extra:    Int?\n  note: "));
    let before = std::fs::read(project.join("shop.db")).unwrap();
    let host = Host::start(project);
    let (plan, _) = host.call("plan_migration", json!({ "database": "shop.db" }));
    assert!(plan["summary"][0].as_str().unwrap().contains("extra"), "{plan}");
    assert_eq!(plan["from"], "shop.db");
    assert_eq!(std::fs::read(host.project.join("shop.db")).unwrap(), before);
    host.refused("plan_migration", json!({}), &["no database to plan from", "git:HEAD"]);
    host.refused("plan_migration", json!({ "database": "../shop.db" }), &["outside of the root"]);
    let both = json!({ "database": "shop.db", "against": "." });
    host.refused("plan_migration", both, &["not both"]);
    host.refused("plan_migration", json!({ "environment": "moon" }), &["no environment `moon`"]);
}

#[test]
fn a_plan_from_a_server_is_the_one_of_the_command() {
    let project = Project::new(SHOP);
    let database = testbed::postgres().database();
    project
        .write("rows/Customer.csv", "id,email\n00000000-0000-7000-8000-000000000001,a@b.example\n");
    let rows = project.join("rows");
    let rows = rows.to_str().unwrap();
    let made = run(&["data", "load", rows, "--project", project.path(), "--database", &database]);
    assert_eq!(made.code, 0, "{}", made.err);
    project.write("app.mimar", &SHOP.replace("  note: ", "  extra:    Int?\n  note: "));
    let host = Host::start(project);
    let (mut plan, text) = host.call("plan_migration", json!({ "database": database }));
    assert!(text.contains("ADD COLUMN"), "{text}");
    // Whoever may connect with the address knows its password; nobody else reads it here.
    assert!(!plan["from"].as_str().unwrap().contains('@'), "{plan}");
    let path = host.project.path();
    let by_hand = run(&["migrate", "plan", path, "--database", &database, "--format", "json"]);
    let by_hand: Value = serde_json::from_str(&by_hand.out).unwrap();
    let own = plan.as_object_mut().unwrap();
    own.remove("from");
    own.remove("where_rows");
    assert_eq!(plan, by_hand);
    let nobody = json!({ "database": "postgres://nobody:secret@127.0.0.1:1/none" });
    let refused = host.try_call("plan_migration", nobody).unwrap();
    assert_eq!(refused.is_error, Some(true));
    assert!(!text_of(&refused).contains("secret"), "{}", text_of(&refused));
}

#[test]
fn arguments_that_do_not_fit_are_told_what_would() {
    let host = Host::shop();
    host.refused(
        "check",
        json!({ "pth": "." }),
        &["unknown field `pth`", "This tool takes: path, text"],
    );
    host.refused("check", json!({ "path": 7 }), &["invalid type", "expected a string"]);
    host.refused("check", json!({ "path": ".", "text": SHOP }), &["not both"]);
    host.refused("check", json!({ "deny": ["DAT999"] }), &["`DAT999` is no rule", "mimar://rules"]);
    host.refused("check", json!({ "path": "nowhere" }), &["cannot read `nowhere`"]);
    let unknown = host.try_call("destroy", json!({}));
    match unknown {
        Err(ServiceError::McpError(error)) => {
            assert!(error.message.contains("there are: check, explain"), "{error:?}");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn nothing_outside_of_the_root_is_seen() {
    let outside = Project::new(SHOP);
    let host = Host::start(Project::new(SHOP));
    let file = format!("{}/app.mimar", outside.path());
    for path in ["..", "../..", "a/../..", "/etc", outside.path(), &file, "/nowhere/at/all"] {
        host.refused("check", json!({ "path": path }), &["outside of the root folder"]);
        host.refused(
            "fix",
            json!({ "path": path, "write": true }),
            &["outside of the root folder"],
        );
        host.refused("diff", json!({ "old": path }), &["outside of the root folder"]);
    }
    // By its own full name it is the root.
    assert_eq!(host.call("check", json!({ "path": host.project.path() })).0["errors"], 0);

    #[cfg(unix)]
    {
        std::os::unix::fs::symlink(outside.path(), host.project.join("folder")).unwrap();
        host.refused("check", json!({ "path": "folder" }), &["outside of the root folder"]);
        std::os::unix::fs::symlink(&file, host.project.join("linked.mimar")).unwrap();
        for path in ["linked.mimar", "."] {
            let arguments = json!({ "path": path, "write": true });
            host.refused("format", arguments, &["`linked.mimar` is outside of the root folder"]);
        }
        assert_eq!(outside.read("app.mimar"), SHOP);
        // A link that stays within is a name like others.
        std::fs::remove_file(host.project.join("linked.mimar")).unwrap();
        host.project.write("deep/one.mimar", SHOP);
        std::os::unix::fs::symlink("deep/one.mimar", host.project.join("two.mimar")).unwrap();
        assert_eq!(host.call("check", json!({ "path": "two.mimar" })).0["errors"], 0);
        let pipe = host.project.join("pipe.mimar");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        let arguments = json!({ "path": "pipe.mimar" });
        host.refused("check", arguments, &["neither a folder nor a file"]);
    }
}

#[test]
fn what_is_too_large_is_refused() {
    let host = Host::shop();
    let text = format!("// {}\n{SHOP}", "x".repeat(1 << 20));
    host.refused("check", json!({ "text": text }), &["are the most", "give its path"]);
    let large = format!("// {}\n", "x".repeat(5 << 20));
    host.project.write("one.mimar", &large);
    host.project.write("two.mimar", &large);
    host.refused("check", json!({}), &["larger than 8 MB together"]);
    // One of them alone is not.
    assert_eq!(host.call("check", json!({ "path": "app.mimar" })).0["errors"], 0);
}

#[test]
fn documents_pages_and_examples_can_be_read() {
    let host = Host::shop();
    let listed = host.runtime.block_on(host.client.list_all_resources()).unwrap();
    for resource in &listed {
        assert!(host.resource(&resource.uri).len() > 200, "{}", resource.uri);
    }
    let language = run(&["reference"]).out;
    assert_eq!(host.resource("mimar://language"), language);
    assert_eq!(host.resource("mimar://agents"), run(&["docs", "--for-agents"]).out);
    assert_eq!(host.resource("mimar://rules"), run(&["rules", "--format", "md"]).out);
    assert!(host.resource("mimar://rules/missing-index").contains("## Why"));
    let templates = host.runtime.block_on(host.client.list_all_resource_templates()).unwrap();
    assert!(templates.iter().any(|it| it.uri_template == "mimar://rules/{code}"));
    for example in ["shop", "chinook", "quote"] {
        let text = host.resource(&format!("mimar://examples/{example}"));
        let (report, _) = host.call("check", json!({ "text": text }));
        assert_eq!((&report["ok"], &report["errors"]), (&json!(true), &json!(0)), "{example}");
    }
    for uri in
        ["mimar://nothing", "mimar://rules/XYZ", "file:///etc/passwd", "mimar://examples/../x"]
    {
        let request = ReadResourceRequestParams::new(uri);
        let refused = host.runtime.block_on(host.client.read_resource(request)).unwrap_err();
        assert!(refused.to_string().contains("there are: mimar://agents"), "{refused}");
    }
}

#[test]
fn prompts_carry_what_they_are_given() {
    let host = Host::shop();
    let prompts = host.runtime.block_on(host.client.list_all_prompts()).unwrap();
    assert_eq!(prompts.len(), 2);
    let ask = |name: &str, arguments: Value| {
        let arguments = arguments.as_object().unwrap().clone();
        let request = GetPromptRequestParams::new(name).with_arguments(arguments);
        host.runtime.block_on(host.client.get_prompt(request))
    };
    let prompt = ask("design_backend", json!({ "description": "a shop for tea" })).unwrap();
    let said = serde_json::to_string(&prompt.messages).unwrap();
    assert!(said.contains("a shop for tea") && said.contains("mimar://agents"), "{said}");
    assert!(
        serde_json::to_string(&ask("review_design", json!({})).unwrap()).unwrap().contains("`.`")
    );
    let missing = ask("design_backend", json!({})).unwrap_err().to_string();
    assert!(missing.contains("needs `description`"), "{missing}");
    assert!(ask("dance", json!({})).is_err());
}

/// What a host sees that speaks by hand: only messages on stdout, whatever comes in; and an end when there is nobody any more.
#[test]
fn stdout_carries_the_protocol_alone_and_the_end_of_input_ends_it() {
    let project = Project::new(SHOP);
    let mut child = mimar()
        .args(["-v", "mcp", "--root", project.path()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut answer = move || {
        let line = lines.next()?.unwrap();
        let message: Value = serde_json::from_str(&line).unwrap_or_else(|_| panic!("{line}"));
        assert_eq!(message["jsonrpc"], "2.0");
        Some(message)
    };
    let capabilities = json!({});
    let client = json!({ "name": "hand", "version": "0" });
    let initialize = json!({ "jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
        "protocolVersion": "2024-11-05", "capabilities": capabilities, "clientInfo": client } });
    writeln!(input, "{initialize}").unwrap();
    let first = answer().unwrap();
    assert_eq!(first["result"]["protocolVersion"], "2024-11-05", "an older version is spoken, too");
    writeln!(input, "{}", json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }))
        .unwrap();
    // A message that is longer than any may be is passed over, and the next one is answered.
    let long = "x".repeat(5 << 20);
    let call = |id: u32, arguments: Value| {
        json!({ "jsonrpc": "2.0", "id": id, "method": "tools/call",
            "params": { "name": "check", "arguments": arguments } })
    };
    writeln!(input, "{}", call(2, json!({ "text": long }))).unwrap();
    writeln!(input, "{}", call(3, json!({}))).unwrap();
    assert_eq!(answer().unwrap()["id"], 3);
    drop(input);
    let deadline = Instant::now() + Duration::from_secs(20);
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        assert!(Instant::now() < deadline, "it does not end with its input");
        std::thread::sleep(Duration::from_millis(10));
    };
    assert_eq!(status.code(), Some(0));
    assert_eq!(answer(), None);
}

#[test]
fn a_root_that_is_not_there_is_told_at_once() {
    let ended = run(&["mcp", "--root", "/nowhere/at/all"]);
    assert_eq!(ended.code, 3);
    assert!(ended.err.contains("cannot open /nowhere/at/all"), "{}", ended.err);
    assert_eq!(ended.out, "");
}

#[test]
fn documents_are_listed_and_printed() {
    let listed = run(&["docs"]).out;
    for name in ["agents", "language", "rules", "review", "diff", "schema-changes", "mcp"] {
        assert!(listed.lines().any(|line| line.starts_with(name)), "{name}");
        let printed = run(&["docs", name]);
        assert!(printed.code == 0 && printed.out.starts_with("# "), "{name}");
    }
    assert_eq!(run(&["docs", "agents"]).out, run(&["docs", "--for-agents"]).out);
    let unknown = run(&["docs", "agnts"]);
    assert!(unknown.code == 2 && unknown.err.contains("agents"), "{}", unknown.err);
}

/// The official client of another language, which holds every answer against the schema that was announced.
#[test]
#[ignore = "needs the Python SDK of MCP; `cargo xtask test` installs it and runs this"]
fn the_python_client_believes_every_answer() {
    let python = std::env::var_os("MIMAR_MCP_PYTHON").expect("MIMAR_MCP_PYTHON");
    let project = Project::new(SHOP);
    project.write("old/app.mimar", &SHOP.replace("String(0..80)?", "String(0..40)?"));
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/binary/mcp_client.py");
    let output = std::process::Command::new(python)
        .arg(script)
        .args([env!("CARGO_BIN_EXE_mimar"), project.path()])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    // An empty run would be green, too.
    assert!(said.contains("8 tools answered as they announced"), "{said}");
}

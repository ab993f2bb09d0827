//! `mimar lsp` as an editor uses it: a process, and messages on its pipes.

use std::collections::VecDeque;
use std::io::{BufReader, Write as _};
use std::process::{Child, ChildStdin, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use serde_json::{Value, json};

use crate::process::{Project, mimar};

const SHOP: &str = "\
app Shop { version 1  roles customer, clerk  surface rest }

auth { users Customer by email as customer }

/// A person who buys.
entity Customer {
  key id: Uuid
  email:  Email unique
  allow read to customer when .id == caller.id
  allow read to clerk
}
";

const ORDERS: &str = "\
/// One purchase: 😀.
entity Order {
  key id:   Uuid
  customer: Customer
  status:   enum { pending, paid } = pending
  placed:   Timestamp = now
  index (customer, placed)
  allow read to customer when .customer == caller
  allow read to clerk
}

query recent(customer: Customer) -> Order {
  where .customer == customer
  sort -.placed
  page 20
  allow clerk
}

command pay(order: Order) {
  allow clerk
  let buyer = order.customer
  update order { status: paid }
}
";

/// An editor with one folder.
struct Editor {
    child: Child,
    input: Option<ChildStdin>,
    messages: Receiver<Value>,
    seen: VecDeque<Value>,
    project: Project,
    number: i32,
}

impl Editor {
    fn start() -> Self {
        let project = Project::new(SHOP);
        project.write("orders.mimar", ORDERS);
        let mut child = mimar()
            .args(["lsp", "--stdio"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let (sender, messages) = channel();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        std::thread::spawn(move || {
            while let Some(message) = read(&mut output) {
                if sender.send(message).is_err() {
                    return;
                }
            }
        });
        let input = child.stdin.take();
        Self { child, input, messages, seen: VecDeque::new(), project, number: 0 }
    }

    fn uri(&self, name: &str) -> String {
        format!("file://{}", self.project.join(name).display())
    }

    fn raw(&mut self, body: &str) {
        let input = self.input.as_mut().unwrap();
        write!(input, "Content-Length: {}\r\n\r\n{body}", body.len()).unwrap();
        input.flush().unwrap();
    }

    fn notify(&mut self, method: &str, params: Value) {
        self.raw(&json!({ "jsonrpc": "2.0", "method": method, "params": params }).to_string());
    }

    fn next(&mut self, wanted: impl Fn(&Value) -> bool) -> Value {
        if let Some(at) = self.seen.iter().position(&wanted) {
            return self.seen.remove(at).unwrap();
        }
        loop {
            let message = self.messages.recv_timeout(Duration::from_secs(20)).unwrap();
            if wanted(&message) {
                return message;
            }
            self.seen.push_back(message);
        }
    }

    /// The whole answer to a request.
    fn ask(&mut self, method: &str, params: Value) -> Value {
        self.number += 1;
        let id = self.number;
        self.raw(
            &json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }).to_string(),
        );
        self.next(|message| message["id"] == id)
    }

    fn result(&mut self, method: &str, params: Value) -> Value {
        let answer = self.ask(method, params);
        assert!(answer.get("error").is_none(), "{method}: {answer}");
        answer["result"].clone()
    }

    fn initialize(&mut self, capabilities: Value) -> Value {
        let root = format!("file://{}", self.project.path());
        let folders = json!([{ "uri": root, "name": "shop" }]);
        let params = json!({ "processId": null, "rootUri": null, "capabilities": capabilities, "workspaceFolders": folders });
        let result = self.result("initialize", params);
        self.notify("initialized", json!({}));
        result
    }

    fn open(&mut self, name: &str, text: &str) {
        let document =
            json!({ "uri": self.uri(name), "languageId": "mimar", "version": 1, "text": text });
        self.notify("textDocument/didOpen", json!({ "textDocument": document }));
    }

    fn diagnostics(&mut self, name: &str) -> Vec<Value> {
        let uri = self.uri(name);
        let message = self.next(|message| {
            message["method"] == "textDocument/publishDiagnostics"
                && message["params"]["uri"] == uri
        });
        message["params"]["diagnostics"].as_array().unwrap().clone()
    }

    /// A place in the orders: that of the first letter of `word`, the nth time it stands there.
    fn place(&self, word: &str, nth: usize) -> Value {
        let offset = ORDERS.match_indices(word).nth(nth).unwrap().0;
        let (line, start) = line_of(ORDERS, offset);
        let position =
            json!({ "line": line, "character": ORDERS[start..offset].encode_utf16().count() });
        json!({ "textDocument": { "uri": self.uri("orders.mimar") }, "position": position })
    }

    fn ends(mut self) -> i32 {
        drop(self.input.take());
        self.child.wait().unwrap().code().unwrap()
    }
}

fn line_of(text: &str, offset: usize) -> (usize, usize) {
    let start = text[..offset].rfind('\n').map_or(0, |at| at + 1);
    (text[..offset].matches('\n').count(), start)
}

fn read(output: &mut impl std::io::BufRead) -> Option<Value> {
    let mut length = 0;
    loop {
        let mut line = String::new();
        if output.read_line(&mut line).ok()? == 0 {
            return None;
        }
        if line == "\r\n" {
            break;
        }
        if let Some(value) = line.strip_prefix("Content-Length: ") {
            length = value.trim().parse().unwrap();
        }
    }
    let mut body = vec![0; length];
    output.read_exact(&mut body).ok()?;
    serde_json::from_slice(&body).ok()
}

fn labels(completions: &Value) -> Vec<&str> {
    completions.as_array().unwrap().iter().map(|it| it["label"].as_str().unwrap()).collect()
}

#[test]
fn an_editor_is_served() {
    let mut editor = Editor::start();
    let early = editor.ask("textDocument/hover", json!({}));
    assert_eq!(early["error"]["code"], -32002, "{early}");
    let initialized = editor.initialize(json!({}));
    let capabilities = &initialized["capabilities"];
    assert_eq!(capabilities["positionEncoding"], "utf-16");
    editor.open("orders.mimar", ORDERS);

    let hover = editor.place("Order {", 1);
    let hover = editor.result("textDocument/hover", hover);
    let text = hover["contents"]["value"].as_str().unwrap();
    for part in ["entity Order", "One purchase: 😀.", "Table `order`", "allow read to clerk"] {
        assert!(text.contains(part), "no `{part}` in {text}");
    }
    let hover = editor.place("recent", 0);
    let hover = editor.result("textDocument/hover", hover);
    assert!(
        hover["contents"]["value"].as_str().unwrap().contains("index (customer, placed)"),
        "{hover}"
    );

    // A definition in another file, on disk only.
    let place = editor.place("Customer", 0);
    let found = editor.result("textDocument/definition", place.clone());
    assert_eq!(found[0]["uri"], editor.uri("app.mimar"));
    assert_eq!(found[0]["range"]["start"], json!({ "line": 5, "character": 7 }));
    let mut with = place;
    with["context"] = json!({ "includeDeclaration": true });
    let found = editor.result("textDocument/references", with);
    assert_eq!(found.as_array().unwrap().len(), 4, "{found}");

    let mut renaming = editor.place("placed", 0);
    renaming["newName"] = json!("ordered");
    let renamed = editor.result("textDocument/rename", renaming.clone());
    let edits = renamed["changes"][editor.uri("orders.mimar")].as_array().unwrap().clone();
    let texts: Vec<&str> = edits.iter().map(|it| it["newText"].as_str().unwrap()).collect();
    assert_eq!(texts, ["ordered", " was placed", "ordered", "ordered"]);
    renaming["newName"] = json!("customer");
    let refused = editor.ask("textDocument/rename", renaming);
    assert_eq!(refused["error"]["code"], -32803, "{refused}");

    let file = json!({ "textDocument": { "uri": editor.uri("orders.mimar") } });
    let symbols = editor.result("textDocument/documentSymbol", file.clone());
    let names: Vec<&str> =
        symbols.as_array().unwrap().iter().map(|it| it["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["Order", "recent", "pay"]);
    assert_eq!(symbols[0]["children"][2]["name"], "status");
    let tokens = editor.result("textDocument/semanticTokens/full", file.clone());
    let data = tokens["data"].as_array().unwrap();
    // The comment ends behind a pair of UTF-16: 21 units, and then `entity` in the next line.
    assert_eq!(data[..10], json!([0, 0, 21, 1, 0, 1, 0, 6, 0, 0]).as_array().unwrap()[..]);
    let mut all = file.clone();
    all["range"] =
        json!({ "start": { "line": 0, "character": 0 }, "end": { "line": 99, "character": 0 } });
    let hints = editor.result("textDocument/inlayHint", all);
    let hints: Vec<&str> =
        hints.as_array().unwrap().iter().map(|it| it["label"].as_str().unwrap()).collect();
    assert_eq!(hints, ["index (customer, placed)", ": Customer"]);
    let mut options = file;
    options["options"] = json!({ "tabSize": 2, "insertSpaces": true });
    let edits = editor.result("textDocument/formatting", options);
    assert!(edits.as_array().unwrap().len() < 2, "{edits}");

    let unknown = editor.ask("textDocument/unheard", json!({}));
    assert_eq!(unknown["error"]["code"], -32601);
    assert!(editor.result("shutdown", Value::Null).is_null());
    editor.notify("exit", Value::Null);
    assert_eq!(editor.ends(), 0);
}

#[test]
fn diagnostics_follow_the_keys() {
    let mut editor = Editor::start();
    editor.initialize(json!({ "general": { "positionEncodings": ["utf-8", "utf-16"] } }));
    editor.open("orders.mimar", ORDERS);
    let before = editor.diagnostics("orders.mimar");
    assert!(before.iter().all(|it| it["severity"] != 1), "{before:?}");
    // `Customer` becomes `Custome`, in UTF-8 columns, and the emoji of line 0 goes in the same message.
    let uri = editor.uri("orders.mimar");
    let change = |line: u32, from: u32, to: u32, text: &str| json!({ "range": { "start": { "line": line, "character": from }, "end": { "line": line, "character": to } }, "text": text });
    let changes = json!([change(0, 18, 22, "x"), change(3, 19, 20, "")]);
    editor.notify(
        "textDocument/didChange",
        json!({ "textDocument": { "uri": uri, "version": 2 }, "contentChanges": changes }),
    );
    let after = editor.diagnostics("orders.mimar");
    let fault = after.iter().find(|it| it["code"] == "E0202").unwrap();
    assert_eq!(fault["range"]["start"], json!({ "line": 3, "character": 12 }));
    assert_eq!(fault["range"]["end"], json!({ "line": 3, "character": 19 }));

    let params = json!({ "textDocument": { "uri": uri }, "range": fault["range"], "context": { "diagnostics": [] } });
    let actions = editor.result("textDocument/codeAction", params);
    let action = actions
        .as_array()
        .unwrap()
        .iter()
        .find(|it| it["diagnostics"][0]["code"] == "E0202")
        .unwrap();
    assert_eq!(action["edit"]["changes"][&uri][0]["newText"], "Customer");

    // Behind a dot, in a statement that is being written.
    let changes = json!([change(3, 12, 19, "Customer"), change(20, 28, 28, "\n  let x = order.")]);
    editor.notify(
        "textDocument/didChange",
        json!({ "textDocument": { "uri": uri, "version": 3 }, "contentChanges": changes }),
    );
    let place =
        json!({ "textDocument": { "uri": uri }, "position": { "line": 21, "character": 16 } });
    let found = editor.result("textDocument/completion", place);
    assert_eq!(labels(&found), ["id", "customer", "status", "placed"]);

    // What is closed is what stands on disk.
    editor.notify("textDocument/didClose", json!({ "textDocument": { "uri": uri } }));
    // The faulty text may have been told of in between.
    while editor.diagnostics("orders.mimar").iter().any(|it| it["severity"] == 1) {}

    editor.raw("{ this is no JSON");
    let refused = editor.next(|message| message["id"].is_null() && message.get("error").is_some());
    assert_eq!(refused["error"]["code"], -32700);
    editor.notify("exit", Value::Null);
    assert_eq!(editor.ends(), 1, "`exit` without `shutdown`");
}

/// What the editor is told of a file next.
fn told(editor: &mut Editor, uri: &str) -> Vec<Value> {
    let message = editor.next(|message| {
        message["method"] == "textDocument/publishDiagnostics" && message["params"]["uri"] == uri
    });
    message["params"]["diagnostics"].as_array().unwrap().clone()
}

#[test]
fn folders_come_and_go() {
    let mut editor = Editor::start();
    editor.initialize(json!({}));
    let beside = tempfile::tempdir().unwrap();
    let path = beside.path().canonicalize().unwrap();
    std::fs::write(path.join("app.mimar"), "app Other { version 1 }\nentity A { key id: Uid }\n")
        .unwrap();
    // What stands there is no model of anybody's.
    std::fs::create_dir_all(path.join("node_modules/x")).unwrap();
    std::fs::write(path.join("node_modules/x/b.mimar"), "entity B {").unwrap();
    let folder = json!([{ "uri": format!("file://{}", path.display()), "name": "other" }]);
    let uri = format!("file://{}", path.join("app.mimar").display());
    let event = json!({ "event": { "added": folder, "removed": [] } });
    editor.notify("workspace/didChangeWorkspaceFolders", event);
    assert_eq!(told(&mut editor, &uri)[0]["code"], "E0202");

    // A file changes outside of the editor, and another one comes.
    let touched = |name: &str| json!({ "changes": [{ "uri": format!("file://{}", path.join(name).display()), "type": 2 }] });
    std::fs::write(
        path.join("app.mimar"),
        "app Other { version 1 }\nentity A { key id: Uuid  b: B }\n",
    )
    .unwrap();
    editor.notify("workspace/didChangeWatchedFiles", touched("app.mimar"));
    while told(&mut editor, &uri)
        .iter()
        .all(|it| it["message"] != "there is no type `B`: not known here")
    {}
    std::fs::write(path.join("b.mimar"), "entity B { key id: Uuid }\n").unwrap();
    editor.notify("workspace/didChangeWatchedFiles", touched("b.mimar"));
    while told(&mut editor, &uri).iter().any(|it| it["severity"] == 1) {}
    std::fs::remove_file(path.join("b.mimar")).unwrap();
    editor.notify("workspace/didChangeWatchedFiles", touched("b.mimar"));
    while told(&mut editor, &uri).iter().all(|it| it["severity"] != 1) {}

    // The folder goes, and with it all that was said of it; the other one is served on.
    let event = json!({ "event": { "added": [], "removed": folder } });
    editor.notify("workspace/didChangeWorkspaceFolders", event);
    while !told(&mut editor, &uri).is_empty() {}
    let gone = json!({ "textDocument": { "uri": uri } });
    let answer = editor.ask("textDocument/documentSymbol", gone);
    assert_eq!(answer["error"]["code"], -32602, "{answer}");
    editor.open("orders.mimar", ORDERS);
    let file = json!({ "textDocument": { "uri": editor.uri("orders.mimar") } });
    assert_eq!(editor.result("textDocument/documentSymbol", file)[0]["name"], "Order");
}

#[test]
fn what_can_be_renamed_is_told_before() {
    let mut editor = Editor::start();
    editor.initialize(json!({}));
    editor.open("orders.mimar", ORDERS);
    let place = editor.place("placed", 1);
    let found = editor.result("textDocument/prepareRename", place);
    assert_eq!(found["placeholder"], "placed");
    assert_eq!(found["range"]["start"], json!({ "line": 6, "character": 19 }));
    for word in ["entity", "Uuid", "caller"] {
        let place = editor.place(word, 0);
        assert!(editor.result("textDocument/prepareRename", place).is_null(), "{word}");
    }
}

#[test]
fn colours_are_told_of_what_can_be_seen() {
    let mut editor = Editor::start();
    let requests = json!({ "range": true, "full": true });
    let semantic = json!({ "requests": requests, "tokenTypes": [], "tokenModifiers": [], "formats": ["relative"] });
    let initialized = editor.initialize(json!({ "textDocument": { "semanticTokens": semantic } }));
    let provider = &initialized["capabilities"]["semanticTokensProvider"];
    assert_eq!((&provider["range"], &provider["full"]), (&json!(true), &json!(false)));
    editor.open("orders.mimar", ORDERS);
    let uri = editor.uri("orders.mimar");
    let range =
        json!({ "start": { "line": 1, "character": 0 }, "end": { "line": 2, "character": 0 } });
    let params = json!({ "textDocument": { "uri": uri }, "range": range });
    let tokens = editor.result("textDocument/semanticTokens/range", params);
    // `entity` and `Order` of the second line.
    assert_eq!(tokens["data"], json!([1, 0, 6, 0, 0, 0, 7, 5, 5, 1]));
}

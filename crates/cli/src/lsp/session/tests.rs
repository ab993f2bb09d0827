use std::collections::BTreeMap;

use lsp_server::Message;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::Session;
use crate::lsp::documents::Work;
use crate::lsp::reviewer;

const APP: &str =
    "app Shop { version 1  roles customer, clerk }\nauth { users Customer by email as customer }\n";

const SHOP: &str = "\
service sales {
  entity Customer {
    key id: Uuid
    email:  Email unique
    allow read to customer when .id == caller.id
  }

  entity Order {
    key id:   Uuid
    customer: Customer
    status:   enum { pending, paid } = pending
    placed:   Timestamp = now
    allow read to customer when .customer == caller
    allow read, create to clerk
  }

  command pay(order: Order) {
    allow clerk
    let buyer = order.customer
    update order { status: paid }
  }

  query recent(customer: Customer) -> Order {
    where .customer == customer
    sort -.placed
    page 20
    allow clerk
  }
}
";

const FILES: [(&str, &str); 2] =
    [("file:///shop/app.mimar", APP), ("file:///shop/orders.mimar", SHOP)];

/// A conversation with a folder that is nowhere but in the editor.
struct Editor {
    session: Session,
    version: i32,
    /// The diagnostics that it has been told, by file.
    shown: BTreeMap<String, Value>,
    /// How often it was told some.
    told: usize,
}

impl Editor {
    fn open(texts: [&str; 2]) -> Self {
        let mut editor =
            Self { session: Session::default(), version: 0, shown: BTreeMap::new(), told: 0 };
        let folders = json!([{ "uri": "file:///shop", "name": "shop" }]);
        let params = json!({ "capabilities": {}, "workspaceFolders": folders });
        editor.take(json!({ "id": 1, "method": "initialize", "params": params }));
        for ((uri, _), text) in FILES.iter().zip(texts) {
            let document = json!({ "uri": uri, "languageId": "mimar", "version": 0, "text": text });
            let params = json!({ "textDocument": document });
            editor.take(json!({ "method": "textDocument/didOpen", "params": params }));
        }
        editor.settle();
        editor
    }

    fn take(&mut self, message: Value) -> Vec<Value> {
        let message: Message = serde_json::from_value(message).unwrap();
        self.session.take(message);
        self.hear()
    }

    fn hear(&mut self) -> Vec<Value> {
        let sent = self.session.sent().map(|text| serde_json::from_str(&text).unwrap());
        let sent: Vec<Value> = sent.collect();
        for message in &sent {
            if message["method"] == "textDocument/publishDiagnostics" {
                let params = &message["params"];
                let uri = params["uri"].as_str().unwrap().to_owned();
                self.shown.insert(uri, params["diagnostics"].clone());
                self.told += 1;
            }
        }
        sent
    }

    /// Replaces bytes of the second file, as an editor says it.
    fn edit(&mut self, text: &mut String, start: usize, end: usize, new: &str) {
        let place = |at: usize| {
            let before = &text[..at];
            let line = before.rfind('\n').map_or(0, |at| at + 1);
            let character = before[line..].encode_utf16().count();
            json!({ "line": before.matches('\n').count(), "character": character })
        };
        let range = json!({ "start": place(start), "end": place(end) });
        self.version += 1;
        let params = json!({
            "textDocument": { "uri": FILES[1].0, "version": self.version },
            "contentChanges": [{ "range": range, "text": new }],
        });
        text.replace_range(start..end, new);
        self.take(json!({ "method": "textDocument/didChange", "params": params }));
    }

    /// No message waits.
    fn publish(&mut self) {
        self.session.publish();
        self.hear();
    }

    /// The editor is quiet: all that is due is done.
    fn settle(&mut self) {
        self.publish();
        while let Some(job) = self.session.check().or_else(|| self.session.review()) {
            self.session.done(reviewer::run(job));
            self.publish();
        }
    }

    fn codes(&self) -> Vec<&str> {
        let shown = self.shown.get(FILES[1].0).and_then(Value::as_array);
        shown.into_iter().flatten().filter_map(|it| it["code"].as_str()).collect()
    }

    /// What it shows, files without diagnostics left out.
    fn all(&self) -> BTreeMap<&str, &Value> {
        let shown = self.shown.iter().filter(|(_, all)| !all.as_array().unwrap().is_empty());
        shown.map(|(uri, all)| (uri.as_str(), all)).collect()
    }
}

#[test]
fn findings_stay_until_a_review_of_the_newest_text() {
    let mut editor = Editor::open([APP, SHOP]);
    let findings: Vec<String> = editor.codes().into_iter().map(str::to_owned).collect();
    assert!(findings.iter().any(|code| code == "PRI002"), "{findings:?}");
    let mut text = SHOP.to_owned();
    let at = SHOP.find("update order").unwrap();
    // It breaks: the fault is told at once, and no finding goes.
    editor.edit(&mut text, at, at, "require order.totl\n    ");
    editor.publish();
    let codes = editor.codes();
    assert!(
        codes.contains(&"E0204") || codes.iter().any(|code| code.starts_with("E0")),
        "{codes:?}"
    );
    assert!(findings.iter().all(|code| codes.contains(&code.as_str())), "{codes:?}");
    // A review that was overtaken says nothing.
    let job = editor.session.review().unwrap();
    let end = at + "require order.totl\n    ".len();
    editor.edit(&mut text, at, end, "");
    let outcome = reviewer::run(job);
    assert!(outcome.reviewed.is_none(), "it was given up");
    editor.session.done(outcome);
    editor.publish();
    assert_eq!(editor.codes(), findings, "it has healed");
    let before = editor.told;
    editor.settle();
    assert_eq!(
        (editor.codes(), editor.told),
        (findings.iter().map(String::as_str).collect(), before)
    );
}

/// Types a text behind a mark, letter by letter: each key works on the item it is in, and on what uses its fields.
#[track_caller]
fn works_on_an_item(mark: &str, typed: &str) {
    let mut editor = Editor::open([APP, SHOP]);
    let at = SHOP.find(mark).unwrap() + mark.len();
    let mut text = SHOP.to_owned();
    for (key, letter) in typed.chars().enumerate() {
        let place = editor.session.workspace.find(&FILES[1].0.parse().unwrap()).unwrap();
        let before = &text[..at + key];
        let line = before.rfind('\n').map_or(0, |at| at + 1);
        let position = lsp_types::Position::new(
            before.matches('\n').count() as u32,
            (before.len() - line) as u32,
        );
        text.insert(at + key, letter);
        let change = lsp_types::TextDocumentContentChangeEvent {
            range: Some(lsp_types::Range::new(position, position)),
            range_length: None,
            text: letter.to_string(),
        };
        let work = editor.session.workspace.change(place, 1, vec![change]).unwrap();
        assert!(matches!(work, Work::Item { lexed } if lexed < 100), "{letter}: {work:?}");
    }
}

#[test]
fn a_key_in_a_body_works_on_one_item() {
    works_on_an_item("allow clerk\n    ", "require order.status == paid ");
}

#[test]
fn a_key_in_a_field_works_on_what_uses_it() {
    works_on_an_item("enum { pending, paid", ", lost");
    works_on_an_item("    key id:   Uuid", "\n    weight: Int(0..100) = 3");
}

/// A model that is too large to be checked while the editor waits.
fn large() -> String {
    let mut text = SHOP.to_owned();
    for number in 0..1_500 {
        text.push_str(&format!("entity Thing{number} {{\n  key id: Uuid\n  name: String(1..9)\n  allow read to clerk\n}}\n"));
    }
    text
}

#[test]
fn a_large_model_is_checked_beside_the_conversation() {
    let mut text = large();
    let mut editor = Editor::open([APP, &text]);
    assert!(!editor.codes().contains(&"E0202"));
    // Where the entity is used, it is not known any more.
    let at = text.find("entity Order").unwrap() + "entity ".len();
    editor.edit(&mut text, at, at + "Order".len(), "Bought");
    editor.publish();
    assert!(editor.codes().iter().all(|code| !code.starts_with('E')), "nothing was checked yet");
    let job = editor.session.check().unwrap();
    assert!(editor.session.check().is_none(), "there is one at a time");
    // Another key comes meanwhile: that check is of no use, and the next one is of the newest text.
    let end = text.len();
    editor.edit(&mut text, end, end, "// more\n");
    editor.session.done(reviewer::run(job));
    editor.publish();
    assert!(editor.codes().iter().all(|code| !code.starts_with('E')), "it was overtaken");
    let job = editor.session.check().unwrap();
    editor.session.done(reviewer::run(job));
    editor.publish();
    assert!(editor.codes().iter().any(|code| code.starts_with('E')), "{:?}", editor.codes());
    assert!(editor.session.check().is_none());
    editor.settle();
    assert_eq!(editor.all(), Editor::open([APP, &text]).all());
    // What changes texts does not wait for it.
    editor.edit(&mut text, at, at + "Bought".len(), "Order");
    let line = text[..text.find("entity Order").unwrap()].matches('\n').count();
    let place = json!({ "line": line, "character": 10 });
    let params =
        json!({ "textDocument": { "uri": FILES[1].0 }, "position": place, "newName": "Purchase" });
    let sent = editor.take(json!({ "id": 7, "method": "textDocument/rename", "params": params }));
    let edits = sent[0]["result"]["changes"][FILES[1].0].as_array().map(Vec::len);
    assert!(edits.is_some_and(|count| count >= 3), "{sent:?}");
}

#[test]
fn more_diagnostics_than_anybody_reads_are_counted() {
    let mut text = "app Shop { version 1 }\n".to_owned();
    for number in 0..400 {
        text.push_str(&format!("entity T{number} {{ key id: Uid }}\n"));
    }
    let editor = Editor::open([&text, ""]);
    let shown = editor.shown[FILES[0].0].as_array().unwrap();
    assert_eq!(shown.len(), 301);
    assert_eq!(shown[300]["message"], "100 more in this file: `mimar check` shows all of them");
    assert!(shown[..300].iter().all(|it| it["code"] == "E0202"));
}

#[test]
fn many_completions_are_chosen_by_their_letters() {
    let mut text = large();
    let mut editor = Editor::open([APP, &text]);
    let at = text.find("placed:").unwrap();
    let mut completed = |editor: &mut Editor, typed: &str| {
        editor.edit(&mut text, at, at, typed);
        let line = text[..at].matches('\n').count();
        let place = json!({ "line": line, "character": 4 + typed.len() });
        let params = json!({ "textDocument": { "uri": FILES[1].0 }, "position": place });
        let sent =
            editor.take(json!({ "id": 7, "method": "textDocument/completion", "params": params }));
        editor.edit(&mut text, at, at + typed.len(), "");
        sent[0]["result"].clone()
    };
    let found = completed(&mut editor, "more: ");
    assert_eq!(
        (&found["isIncomplete"], found["items"].as_array().map(Vec::len)),
        (&json!(true), Some(100))
    );
    let found = completed(&mut editor, "more: thg1499");
    assert_eq!(found["items"].as_array().map(Vec::len), Some(1));
    assert_eq!(found["items"][0]["label"], "Thing1499");
}

/// What is typed, sound and not.
fn pieces() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "x",
        " ",
        "\n",
        ".",
        "}",
        "{",
        "\"",
        "//",
        "é😀",
        "run pay(order)",
        "audit\n",
        "allow read to clerk\n",
        "\n  entity X {\n",
        "let a = 1\n",
        "where .status == paid\n",
        "weight: Int\n",
        ", gone",
        "/// More.\n",
        "Order",
        "index (status)\n",
    ])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    /// After any keys the editor shows what it would show had it just been started.
    #[test]
    fn what_is_shown_is_what_a_new_session_shows(
        edits in prop::collection::vec((any::<prop::sample::Index>(), 0..12_usize, pieces(), 0..4_u8), 1..14),
    ) {
        let mut editor = Editor::open([APP, SHOP]);
        let mut text = SHOP.to_owned();
        for (at, length, new, pause) in edits {
            let start = text.floor_char_boundary(at.index(text.len() + 1));
            let end = text.floor_char_boundary((start + length.saturating_sub(6)).min(text.len()));
            editor.edit(&mut text, start, end.max(start), new);
            match pause {
                0 => editor.settle(),
                1 => editor.publish(),
                _ => {}
            }
        }
        editor.settle();
        let new = Editor::open([APP, &text]);
        prop_assert_eq!(editor.all(), new.all());
    }
}

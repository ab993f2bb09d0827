//! Times what an editor waits for at each key in a generated model of a thousand entities, with real messages on the pipes of
//! `mimar lsp`: `cargo build --release -p mimar && cargo run --release -p mimar --example lsp_bench [path of mimar]`.
//!
//! A letter is typed every 60 ms. With each the editor asks for completions and for the colours of its screen, and waits until
//! both are answered and diagnostics have come, if there are others.
#![expect(clippy::print_stdout, reason = "an example prints")]
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a bench ends where it cannot go on")]

#[path = "../../../review/examples/review_bench/design.rs"]
mod design;
#[path = "../../../model/examples/check_bench/design.rs"]
mod plain;

use std::io::{BufRead, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// Between two keys.
const KEY: Duration = Duration::from_millis(60);

/// How often each text is typed: of less than a hundred keys the 99th percentile would be the slowest.
const ROUNDS: usize = 8;

/// Where something is typed, what, and behind which mark.
const TYPED: [(&str, &str, &str); 5] = [
    (
        "a policy",
        "allow read, create, update to clerk",
        " when .price > 3.00 and .owner.email == \"a\"",
    ),
    (
        "a policy",
        "when .owner == caller and .status in (draft, live)",
        " and .price > 3.00 and .owner.email == \"a\"",
    ),
    (
        "a body",
        "update thing { status: live }",
        "\n  let it = thing.owner.email\n  require thing.price > 1.00",
    ),
    ("a field", "price: Money(EUR) = 0.00", "\n  weight: Int(0..100) = 3"),
    ("an enum", "enum { draft, live", ", another"),
];

fn main() {
    let own = std::env::current_exe().unwrap();
    let beside = own.parent().and_then(Path::parent).unwrap().join("mimar");
    let binary = std::env::args().nth(1).map_or(beside, PathBuf::from);
    for text in [plain::source(), design::source()] {
        println!("{} entities, {} lines", plain::ENTITIES, text.lines().count());
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().canonicalize().unwrap().join("app.mimar");
        std::fs::write(&file, &text).unwrap();
        let mut editor = Editor::start(&binary, &file, text);
        for (what, mark, new) in TYPED {
            editor.typed(what, mark, new);
        }
    }
}

/// One conversation about one file.
struct Editor {
    input: ChildStdin,
    messages: Receiver<(Instant, Value)>,
    uri: String,
    text: String,
    version: i32,
    /// Ends with this.
    _child: Child,
}

struct Child(std::process::Child);

impl Drop for Child {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Editor {
    fn start(binary: &Path, file: &Path, text: String) -> Self {
        let mut child = Command::new(binary)
            .arg("lsp")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("`mimar` is built");
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let (sender, messages) = channel();
        std::thread::spawn(move || {
            while let Some(message) = read(&mut output) {
                let _ = sender.send(message);
            }
        });
        let uri = format!("file://{}", file.display());
        let folder = format!("file://{}", file.parent().unwrap().display());
        let input = child.stdin.take().unwrap();
        let mut editor = Self { input, messages, uri, text, version: 0, _child: Child(child) };
        let semantic = json!({ "requests": { "range": true }, "tokenTypes": [], "tokenModifiers": [], "formats": ["relative"] });
        let capabilities = json!({ "general": { "positionEncodings": ["utf-8"] }, "textDocument": { "semanticTokens": semantic } });
        let folders = json!([{ "uri": folder, "name": "bench" }]);
        let params = json!({ "processId": null, "rootUri": null, "capabilities": capabilities, "workspaceFolders": folders });
        editor.send(json!({ "id": 0, "method": "initialize", "params": params }));
        let document =
            json!({ "uri": editor.uri, "languageId": "mimar", "version": 0, "text": editor.text });
        editor.send(
            json!({ "method": "textDocument/didOpen", "params": { "textDocument": document } }),
        );
        // Until the first review has come.
        while editor.messages.recv_timeout(Duration::from_secs(2)).is_ok() {}
        editor
    }

    fn send(&mut self, mut message: Value) {
        message["jsonrpc"] = json!("2.0");
        let body = message.to_string();
        write!(self.input, "Content-Length: {}\r\n\r\n{body}", body.len()).unwrap();
        self.input.flush().unwrap();
    }

    /// Types in the middle and takes it all away again.
    fn typed(&mut self, what: &str, mark: &str, new: &str) {
        let middle = self.text.floor_char_boundary(self.text.len() / 2);
        let found = self.text[middle..].find(mark);
        let Some(at) = found.map(|at| middle + at + mark.len()) else { return };
        let mut times: Vec<[Duration; 2]> = Vec::new();
        for _ in 0..ROUNDS {
            for key in 0..new.len() {
                times.push(self.key(at + key, at + key, &new[key..=key]));
            }
            for key in (0..new.len()).rev() {
                times.push(self.key(at + key, at + key + 1, ""));
            }
        }
        println!("  {what}: {} keys", times.len());
        for (at, phase) in ["completion and colours", "and diagnostics"].iter().enumerate() {
            let mut each: Vec<Duration> = times.iter().map(|times| times[at]).collect();
            each.sort_unstable();
            let quantile = |share: usize| each[(each.len() * share / 100).min(each.len() - 1)];
            println!("    {phase:<22} p50 {:?}, p99 {:?}", quantile(50), quantile(99));
        }
    }

    /// One key: how long until what was asked for is answered, and until nothing more comes.
    fn key(&mut self, start: usize, end: usize, new: &str) -> [Duration; 2] {
        let (from, to) = (self.place(start), self.place(end));
        self.text.replace_range(start..end, new);
        self.version += 1;
        let document = json!({ "uri": self.uri, "version": self.version });
        let changes = json!([{ "range": { "start": from, "end": to }, "text": new }]);
        let cursor = self.place(start + new.len());
        let line = cursor["line"].as_u64().unwrap();
        let screen = json!({ "start": { "line": line.saturating_sub(30), "character": 0 }, "end": { "line": line + 30, "character": 0 } });
        let file = json!({ "uri": self.uri });
        let begun = Instant::now();
        self.send(json!({ "method": "textDocument/didChange", "params": { "textDocument": document, "contentChanges": changes } }));
        self.send(json!({ "id": 1, "method": "textDocument/completion", "params": { "textDocument": file, "position": cursor } }));
        self.send(json!({ "id": 2, "method": "textDocument/semanticTokens/range", "params": { "textDocument": file, "range": screen } }));
        let (mut answered, mut told) = (Duration::ZERO, Duration::ZERO);
        while let Some(left) = KEY.checked_sub(begun.elapsed()).filter(|left| !left.is_zero()) {
            let Ok((at, message)) = self.messages.recv_timeout(left) else { break };
            told = at - begun;
            if message["id"] == 2 {
                answered = told;
            }
        }
        assert!(!answered.is_zero(), "no answer within {KEY:?}");
        [answered, told]
    }

    fn place(&self, at: usize) -> Value {
        let before = &self.text[..at];
        let line = before.rfind('\n').map_or(0, |at| at + 1);
        json!({ "line": before.matches('\n').count(), "character": at - line })
    }
}

/// The next message, and when all of it had come.
fn read(output: &mut impl BufRead) -> Option<(Instant, Value)> {
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
            length = value.trim().parse().ok()?;
        }
    }
    let mut body = vec![0; length];
    output.read_exact(&mut body).ok()?;
    let come = Instant::now();
    Some((come, serde_json::from_slice(&body).ok()?))
}

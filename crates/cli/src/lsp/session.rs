//! One conversation with an editor: what was agreed on, what is known, what is to be said.

use std::collections::VecDeque;

use ide::Encoding;
use lsp_server::{ErrorCode, Message, Notification, Request, RequestId, Response};
use lsp_types::{
    DidChangeTextDocumentParams, DidChangeWatchedFilesParams, DidChangeWorkspaceFoldersParams,
    DidCloseTextDocumentParams, DidOpenTextDocumentParams, InitializeParams, Url,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::documents::{Project, Workspace};
use super::reviewer::{Job, Outcome, Task};
use super::{convert, requests};

/// How many diagnostics of a file are shown: all of them go to the editor whenever one has changed.
const SHOWN: usize = 300;

/// How far the conversation has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Stage {
    /// Nothing was agreed on.
    #[default]
    New,
    /// Requests are answered.
    Running,
    /// The editor has said `shutdown`.
    Down,
}

/// The state of a conversation.
#[derive(Default)]
pub(super) struct Session {
    stage: Stage,
    pub(super) workspace: Workspace,
    /// Whether the editor can be asked to tell of files that change.
    watches: bool,
    /// Whether a check beside the conversation is on its way, and whether a review is: there is one of each at a time.
    is_checking: bool,
    is_reviewing: bool,
    /// Messages, as they are written.
    outgoing: VecDeque<String>,
}

impl Session {
    /// Whether diagnostics are due.
    pub(super) fn is_stale(&self) -> bool {
        self.workspace.projects.iter().any(|project| project.is_stale)
    }

    /// Whether something is to be reviewed once the editor is quiet.
    pub(super) fn awaits_review(&self) -> bool {
        !self.is_reviewing && self.workspace.projects.iter().any(|project| project.is_unreviewed)
    }

    /// The next thing to be reviewed, if there is something.
    pub(super) fn review(&mut self) -> Option<Job> {
        if self.is_reviewing {
            return None;
        }
        let project = self.workspace.projects.iter_mut().find(|project| project.is_unreviewed)?;
        self.is_reviewing = true;
        Some(project.job(Task::Review))
    }

    /// The next model that is to be checked beside the conversation, if there is one.
    pub(super) fn check(&mut self) -> Option<Job> {
        if self.is_checking {
            return None;
        }
        let project = self.workspace.projects.iter_mut().find(|project| project.is_behind())?;
        self.is_checking = true;
        Some(project.job(Task::Check))
    }

    /// Takes what was found beside the conversation.
    pub(super) fn done(&mut self, outcome: Outcome) {
        match outcome.task {
            Task::Check => self.is_checking = false,
            Task::Review => self.is_reviewing = false,
        }
        let number = outcome.project;
        if self.workspace.done(outcome) {
            self.publish_where(|project| project.number() == number);
        }
    }

    /// Whether the editor has said `shutdown`.
    pub(super) fn is_shut_down(&self) -> bool {
        self.stage == Stage::Down
    }

    /// What is to be written, in order.
    pub(super) fn sent(&mut self) -> impl Iterator<Item = String> {
        std::mem::take(&mut self.outgoing).into_iter()
    }

    /// Says something.
    pub(super) fn send(&mut self, message: Message) {
        // Messages are made of JSON, so that they always become JSON.
        let mut value = serde_json::to_value(message).unwrap_or_default();
        value["jsonrpc"] = json!("2.0");
        self.outgoing.push_back(value.to_string());
    }

    /// Answers a request.
    fn answer(&mut self, id: RequestId, answer: Result<Box<RawValue>, (ErrorCode, String)>) {
        match answer {
            Ok(result) => self.push(&Answer { jsonrpc: "2.0", id: &id, result: &result }),
            Err((code, why)) => self.send(Response::new_err(id, code as i32, why).into()),
        }
    }

    /// Large messages become text at once, without a tree between.
    fn push(&mut self, message: &impl Serialize) {
        match serde_json::to_string(message) {
            Ok(text) => self.outgoing.push_back(text),
            Err(error) => self.warn(&error.to_string()),
        }
    }

    /// Answers what is no message. It has no number, and neither has its answer.
    pub(super) fn refuse(&mut self, why: &str) {
        let error = json!({ "code": ErrorCode::ParseError as i32, "message": why });
        let message = json!({ "jsonrpc": "2.0", "id": null, "error": error });
        self.outgoing.push_back(message.to_string());
    }

    /// Takes a message and says what is to be said to it.
    pub(super) fn take(&mut self, message: Message) {
        match message {
            Message::Request(request) => {
                let id = request.id.clone();
                let answer = self.request(request);
                self.answer(id, answer);
            }
            Message::Notification(notification) => self.notification(notification),
            // To the only request that is ever sent, whose refusal changes nothing.
            Message::Response(_) => {}
        }
    }

    fn request(&mut self, request: Request) -> Result<Box<RawValue>, (ErrorCode, String)> {
        match (self.stage, request.method.as_str()) {
            (Stage::New, "initialize") => requests::json(self.initialize(params(request.params)?)),
            (Stage::New, _) => {
                Err((ErrorCode::ServerNotInitialized, "`initialize` comes first".to_owned()))
            }
            (Stage::Down, _) => {
                Err((ErrorCode::InvalidRequest, "the server was shut down".to_owned()))
            }
            (Stage::Running, "initialize") => {
                Err((ErrorCode::InvalidRequest, "the server is initialized already".to_owned()))
            }
            (Stage::Running, "shutdown") => {
                self.stage = Stage::Down;
                requests::json(())
            }
            (Stage::Running, _) => requests::answer(&mut self.workspace, request),
        }
    }

    #[expect(deprecated, reason = "older editors name their one folder by `rootUri`")]
    fn initialize(&mut self, agreed: InitializeParams) -> Value {
        let offered = agreed.capabilities.general.and_then(|it| it.position_encodings);
        let is_offered = |kind| offered.as_ref().is_some_and(|offered| offered.contains(&kind));
        // Bytes cost nothing to count; UTF-16 is what everyone has.
        let is_utf8 = is_offered(lsp_types::PositionEncodingKind::UTF8);
        self.workspace.encoding = if is_utf8 { Encoding::Utf8 } else { Encoding::Utf16 };
        let watching = agreed.capabilities.workspace.and_then(|it| it.did_change_watched_files);
        self.watches = watching.and_then(|it| it.dynamic_registration).unwrap_or(false);
        let folders = agreed.workspace_folders.unwrap_or_default();
        let mut roots: Vec<Url> = folders.into_iter().map(|folder| folder.uri).collect();
        if roots.is_empty() {
            roots.extend(agreed.root_uri);
        }
        self.add_folders(roots);
        self.stage = Stage::Running;
        let semantic = agreed.capabilities.text_document.and_then(|it| it.semantic_tokens);
        // Who asks for what can be seen need not be told of all of a file at each key.
        let by_range = semantic.and_then(|it| it.requests.range).unwrap_or(false);
        let capabilities = convert::capabilities(self.workspace.encoding, by_range);
        let info = json!({ "name": "mimar", "version": env!("CARGO_PKG_VERSION") });
        json!({ "capabilities": capabilities, "serverInfo": info })
    }

    fn add_folders(&mut self, roots: Vec<Url>) {
        for root in roots {
            let Ok(path) = root.to_file_path() else { continue };
            for fault in self.workspace.add(path) {
                self.warn(&fault.to_string());
            }
        }
    }

    /// Unloads folders. What the editor knows of their files is not true any more.
    fn remove_folders(&mut self, roots: impl Iterator<Item = Url>) {
        for path in roots.filter_map(|root| root.to_file_path().ok()) {
            for uri in self.workspace.remove(&path) {
                let told = Diagnosed { uri: &uri, version: None, diagnostics: &[] };
                self.outgoing.push_back(diagnosed(&told));
            }
        }
    }

    fn notification(&mut self, notification: Notification) {
        if self.stage != Stage::Running {
            return;
        }
        let Notification { method, params: given } = notification;
        let taken = match method.as_str() {
            "initialized" => {
                self.watch();
                Ok(())
            }
            "textDocument/didOpen" => params(given).map(|it| self.opened(it)),
            "textDocument/didChange" => params(given).map(|it| self.changed(it)),
            "textDocument/didClose" => params(given).map(|it: DidCloseTextDocumentParams| {
                if let Some(at) = self.workspace.find(&it.text_document.uri) {
                    self.workspace.close(at);
                }
            }),
            "workspace/didChangeWatchedFiles" => {
                params(given).map(|it: DidChangeWatchedFilesParams| {
                    it.changes.iter().for_each(|change| self.workspace.touched(&change.uri));
                })
            }
            "workspace/didChangeWorkspaceFolders" => {
                params(given).map(|it: DidChangeWorkspaceFoldersParams| {
                    self.remove_folders(it.event.removed.into_iter().map(|it| it.uri));
                    self.add_folders(it.event.added.into_iter().map(|it| it.uri).collect());
                })
            }
            // Notifications of others are passed over, as the protocol has it.
            _ => Ok(()),
        };
        if let Err((_, why)) = taken {
            self.warn(&format!("`{method}` was not understood: {why}"));
        }
    }

    fn opened(&mut self, it: DidOpenTextDocumentParams) {
        let document = it.text_document;
        if !self.workspace.open(document.uri.clone(), document.version, document.text) {
            self.too_long(&document.uri);
        }
    }

    fn changed(&mut self, it: DidChangeTextDocumentParams) {
        let document = it.text_document;
        let Some(at) = self.workspace.find(&document.uri) else {
            return self.warn(&format!("{} was changed, but never opened", document.uri));
        };
        if self.workspace.change(at, document.version, it.content_changes).is_none() {
            self.too_long(&document.uri);
        }
    }

    fn too_long(&mut self, url: &Url) {
        self.warn(&format!("{url} is longer than 16 MB and is not checked"));
    }

    /// Asks to be told of files that change outside of the editor.
    fn watch(&mut self) {
        if !self.watches {
            return;
        }
        let options = json!({ "watchers": [{ "globPattern": "**/*.mimar" }] });
        let registration = json!({
            "id": "files",
            "method": "workspace/didChangeWatchedFiles",
            "registerOptions": options,
        });
        self.send(Message::Request(Request {
            id: RequestId::from("files".to_owned()),
            method: "client/registerCapability".to_owned(),
            params: json!({ "registrations": [registration] }),
        }));
    }

    pub(super) fn warn(&mut self, message: &str) {
        // 2 is a warning.
        self.notify("window/showMessage", json!({ "type": 2, "message": message }));
    }

    fn notify(&mut self, method: &str, params: Value) {
        self.send(Message::Notification(Notification { method: method.to_owned(), params }));
    }

    /// Sends what the language says of what has changed, with what the last review said.
    pub(super) fn publish(&mut self) {
        let mut new = Vec::new();
        for project in self.workspace.projects.iter_mut().filter(|project| project.is_stale) {
            if project.tell() {
                new.push(project.number());
            }
        }
        self.publish_where(|project| new.contains(&project.number()));
    }

    /// Sends the diagnostics of each file of which the editor has others.
    fn publish_where(&mut self, wanted: impl Fn(&Project) -> bool) {
        let encoding = self.workspace.encoding;
        let mut outgoing: Vec<String> = Vec::new();
        for project in self.workspace.projects.iter_mut().filter(|project| wanted(project)) {
            let analysis = project.analysis();
            let mut by_file: Vec<Vec<lsp_types::Diagnostic>> =
                project.documents.iter().map(|_| Vec::new()).collect();
            let mut left_out = vec![0; by_file.len()];
            // What the language says comes first.
            for found in analysis.diagnostics().iter().chain(project.findings()) {
                let file = found.primary.span.file.0 as usize;
                let Some(of_file) = by_file.get_mut(file) else { continue };
                if of_file.len() < SHOWN {
                    of_file.extend(convert::diagnostic(project, found, encoding));
                } else {
                    left_out[file] += 1;
                }
            }
            for (of_file, more) in by_file.iter_mut().zip(left_out).filter(|(_, more)| *more > 0) {
                of_file.push(convert::more_diagnostics(more));
            }
            for (document, diagnostics) in project.documents.iter_mut().zip(by_file) {
                if document.sent != diagnostics {
                    document.sent = diagnostics;
                    let told = Diagnosed {
                        uri: &document.url,
                        version: document.version,
                        diagnostics: &document.sent,
                    };
                    outgoing.push(diagnosed(&told));
                }
            }
        }
        self.outgoing.extend(outgoing);
    }
}

/// What is said of a document, without a copy of it.
#[derive(Serialize)]
struct Diagnosed<'a> {
    uri: &'a Url,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<i32>,
    diagnostics: &'a [lsp_types::Diagnostic],
}

/// The message that says it.
fn diagnosed(params: &Diagnosed<'_>) -> String {
    let method = "textDocument/publishDiagnostics";
    // Made of texts and numbers, so that it always becomes JSON.
    serde_json::to_string(&Note { jsonrpc: "2.0", method, params }).unwrap_or_default()
}

/// The answer to a request, as it is written.
#[derive(Serialize)]
struct Answer<'a> {
    jsonrpc: &'static str,
    id: &'a RequestId,
    result: &'a RawValue,
}

/// A notification, as it is written.
#[derive(Serialize)]
struct Note<'a, P> {
    jsonrpc: &'static str,
    method: &'static str,
    params: &'a P,
}

/// The parameters of a message.
pub(super) fn params<P: DeserializeOwned>(given: Value) -> Result<P, (ErrorCode, String)> {
    serde_json::from_value(given).map_err(|error| (ErrorCode::InvalidParams, error.to_string()))
}

#[cfg(test)]
mod tests;

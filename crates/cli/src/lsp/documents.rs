//! The files of an editor's folders, with unsaved texts over those on disk.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use ide::{Analysis, Encoding, LineColumn, Lines};
use lsp_types::{Position, Range, TextDocumentContentChangeEvent, Url};
use syntax::{Damage, Diagnostic, FileId, Parse, Shift, Span};

use super::reviewer::{Job, Outcome, Task};
use crate::failure::Failure;
use crate::project;

/// The longest text that is checked, in bytes.
const LONGEST: usize = 16 << 20;

/// How many files and folders of a workspace's folder are looked at.
const MOST: usize = 50_000;

/// Up to how many tokens a model is checked as a whole while the editor waits: some milliseconds.
const SMALL: usize = 30_000;

/// One file.
pub(super) struct Document {
    pub(super) url: Url,
    path: Option<PathBuf>,
    pub(super) parse: Arc<Parse>,
    pub(super) lines: Lines,
    /// Its version, as long as the editor has it open.
    pub(super) version: Option<i32>,
    /// The diagnostics that the editor has of it.
    pub(super) sent: Vec<lsp_types::Diagnostic>,
    /// Whether what the editor holds is too long to follow.
    is_lost: bool,
}

/// One folder, or one file outside of any: the files that form one model. `FileId(n)` is the document at `n`, for as long as the
/// project lives.
pub(super) struct Project {
    number: u64,
    root: Option<PathBuf>,
    pub(super) documents: Vec<Document>,
    analysis: Option<Arc<Analysis>>,
    /// One that was replaced.
    spent: Option<Arc<Analysis>>,
    /// What the language said when the editor was last told, moved with the edits since.
    told: Vec<Diagnostic>,
    /// What the last review said, moved with the edits since.
    findings: Vec<Diagnostic>,
    /// Whether the editor was not told of the last change.
    pub(super) is_stale: bool,
    /// Whether there was no review of the last change.
    pub(super) is_unreviewed: bool,
    /// Counts changes: a review of an older text is given up.
    newest: Arc<AtomicU64>,
}

/// How much was worked on for a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Work {
    /// The items that were edited were parsed, so many tokens, and one was checked.
    Item { lexed: usize },
    /// All of the model is to be checked: when something asks for it, or beside the conversation if that takes long.
    Model,
}

/// Where a document is: its project and its file.
#[derive(Clone, Copy)]
pub(super) struct At {
    pub(super) project: usize,
    pub(super) file: FileId,
}

/// All projects of an editor.
#[derive(Default)]
pub(super) struct Workspace {
    pub(super) projects: Vec<Project>,
    /// How many projects there have been.
    count: u64,
    pub(super) encoding: Encoding,
}

impl Document {
    fn new(project: &Project, url: Url, path: Option<PathBuf>, text: String) -> Self {
        let file = FileId(project.documents.len() as u32);
        let lines = Lines::of(&text);
        let parse = Arc::new(syntax::parse(file, text));
        Self { url, path, parse, lines, version: None, sent: Vec::new(), is_lost: false }
    }

    /// Takes a text, for which `lines` are set already; answers what has moved.
    fn parse_again(&mut self, text: String) -> (Shift, Option<Damage>) {
        let again = syntax::reparse(&self.parse, text);
        self.parse = Arc::new(again.parse);
        (again.shift, again.damage)
    }

    /// The offset of a place.
    pub(super) fn offset(&self, position: Position, encoding: Encoding) -> u32 {
        let place = LineColumn { line: position.line, column: position.character };
        self.lines.offset(&self.parse.text, place, encoding)
    }

    /// The place of an offset.
    pub(super) fn position(&self, offset: u32, encoding: Encoding) -> Position {
        let place = self.lines.at(&self.parse.text, offset, encoding);
        Position::new(place.line, place.column)
    }

    /// The range of a span.
    pub(super) fn range(&self, span: Span, encoding: Encoding) -> Range {
        Range::new(self.position(span.start, encoding), self.position(span.end, encoding))
    }
}

impl Project {
    fn new(number: u64, root: Option<PathBuf>) -> Self {
        Self {
            number,
            root,
            documents: Vec::new(),
            analysis: None,
            spent: None,
            told: Vec::new(),
            findings: Vec::new(),
            is_stale: true,
            is_unreviewed: true,
            newest: Arc::default(),
        }
    }

    /// Its number, which no other project of the conversation has.
    pub(super) const fn number(&self) -> u64 {
        self.number
    }

    /// The model as it stands now: of a large one what is known of it until a check beside the conversation has ended.
    pub(super) fn analysis(&mut self) -> Arc<Analysis> {
        let parses = || self.documents.iter().map(|document| Arc::clone(&document.parse)).collect();
        let check = || Arc::new(ide::analyze(parses()));
        Arc::clone(self.analysis.get_or_insert_with(check))
    }

    /// The same, whatever it takes.
    pub(super) fn exact_analysis(&mut self) -> Arc<Analysis> {
        if self.is_behind() {
            self.analysis = None;
        }
        self.analysis()
    }

    /// Whether the model is to be checked beside the conversation.
    pub(super) fn is_behind(&self) -> bool {
        self.analysis.as_ref().is_some_and(|analysis| analysis.is_behind())
    }

    /// What the language says of it, and what the last review said of what stands there still.
    pub(super) fn diagnostics(&mut self) -> Vec<Diagnostic> {
        let mut all = self.analysis().diagnostics().to_vec();
        all.extend_from_slice(&self.findings);
        all
    }

    /// What the last review said of what stands there still.
    pub(super) fn findings(&self) -> &[Diagnostic] {
        &self.findings
    }

    /// Notes that the editor is told now what the language says. False if that is nothing new: what the editor has moves
    /// with its text, and goes out once typing pauses.
    pub(super) fn tell(&mut self) -> bool {
        self.is_stale = false;
        let analysis = self.analysis();
        let is_new = self.told != analysis.diagnostics();
        if is_new {
            self.told = analysis.diagnostics().to_vec();
        }
        is_new
    }

    /// What is to be looked at beside the conversation.
    pub(super) fn job(&mut self, task: Task) -> Job {
        self.is_unreviewed &= task != Task::Review;
        let parses = self.documents.iter().map(|document| Arc::clone(&document.parse)).collect();
        let (newest, change) = (Arc::clone(&self.newest), self.newest.load(Ordering::Relaxed));
        let (project, today, spent) = (self.number, crate::review::today(), self.spent.take());
        Job { task, project, parses, today, newest, change, spent }
    }

    /// Sets up a file that has changed.
    fn changed(&mut self, file: FileId, shift: Shift, damage: Option<&Damage>) -> Work {
        self.is_stale = true;
        self.is_unreviewed = true;
        self.newest.fetch_add(1, Ordering::Relaxed);
        self.told.iter_mut().for_each(|found| found.shift(shift));
        for finding in &mut self.findings {
            let touches = |span: Span| {
                span.file == file && span.start <= shift.old_end && shift.start <= span.end
            };
            // An edit of what was rewritten meanwhile may mend nothing any more.
            finding.fixes.retain(|fix| !fix.edits.iter().any(|edit| touches(edit.span)));
            finding.shift(shift);
        }
        let is_small = self.documents.iter().map(|it| it.parse.tokens.len()).sum::<usize>() < SMALL;
        let parse = self.document(file).map(|document| Arc::clone(&document.parse));
        // No answer is being made, so that nobody else holds it.
        let analysis = self.analysis.as_mut().and_then(Arc::get_mut);
        let (Some(analysis), Some(parse)) = (analysis, parse) else { return Work::Model };
        if let Some(damage) = damage
            && analysis.again(Arc::clone(&parse), damage)
        {
            return Work::Item { lexed: damage.lexed };
        }
        if is_small {
            self.analysis = None;
        } else {
            analysis.follow(parse, shift);
        }
        Work::Model
    }

    /// The document of a file.
    pub(super) fn document(&self, file: FileId) -> Option<&Document> {
        self.documents.get(file.0 as usize)
    }
}

impl Workspace {
    /// Adds a folder with all of its files; those that cannot be read are answered.
    pub(super) fn add(&mut self, root: PathBuf) -> Vec<Failure> {
        if self.projects.iter().any(|project| project.root.as_ref() == Some(&root)) {
            return Vec::new();
        }
        let mut project = Project::new(self.next_number(), Some(root.clone()));
        let mut faults = Vec::new();
        let paths = project::files_within(&root, MOST, &mut faults);
        for path in paths {
            let Ok(url) = Url::from_file_path(&path) else { continue };
            let text = project::read_text(&path).unwrap_or_else(|fault| {
                faults.push(fault);
                String::new()
            });
            let document = Document::new(&project, url, Some(path), text);
            project.documents.push(document);
        }
        self.projects.push(project);
        faults
    }

    /// Where a document is, if it is known.
    pub(super) fn find(&self, url: &Url) -> Option<At> {
        // Editors escape more or less of one path, so that paths are compared where there are any.
        let path = url.to_file_path().ok();
        self.projects.iter().enumerate().find_map(|(project, it)| {
            let at = it.documents.iter().position(|document| match (&path, &document.path) {
                (Some(path), Some(known)) => path == known,
                _ => document.url == *url,
            })?;
            Some(At { project, file: FileId(at as u32) })
        })
    }

    /// The project and the document of a place.
    pub(super) fn get(&mut self, at: At) -> Option<&mut Document> {
        self.projects.get_mut(at.project)?.documents.get_mut(at.file.0 as usize)
    }

    /// A document is open: its text is the editor's now. False if it is too long to be followed.
    pub(super) fn open(&mut self, url: Url, version: i32, text: String) -> bool {
        let is_lost = text.len() > LONGEST;
        let text = if is_lost { String::new() } else { text };
        let at = self.find(&url).unwrap_or_else(|| self.place(&url));
        if let Some(document) = self.get(at) {
            document.url = url;
            document.version = Some(version);
            document.is_lost = is_lost;
        }
        self.set(at, text);
        !is_lost
    }

    /// Forgets a folder; answers the documents of which the editor was told something.
    pub(super) fn remove(&mut self, root: &Path) -> Vec<Url> {
        let is_gone = |project: &Project| project.root.as_deref() == Some(root);
        let Some(at) = self.projects.iter().position(is_gone) else { return Vec::new() };
        let gone = self.projects.remove(at);
        // A review of it is of no use.
        gone.newest.fetch_add(1, Ordering::Relaxed);
        let mut told = Vec::new();
        for document in gone.documents {
            if !document.sent.is_empty() {
                told.push(document.url.clone());
            }
            // What the editor has open is checked still: by itself, or with the folder around.
            if let Some(version) = document.version {
                self.open(document.url, version, document.parse.text.to_string());
            }
        }
        told
    }

    fn next_number(&mut self) -> u64 {
        self.count += 1;
        self.count
    }

    /// Takes what was found beside the conversation, unless the text has changed meanwhile. Answers whether the editor is to
    /// be told.
    pub(super) fn done(&mut self, outcome: Outcome) -> bool {
        let Some(project) = self.projects.iter_mut().find(|it| it.number == outcome.project) else {
            return false;
        };
        let is_newest = project.newest.load(Ordering::Relaxed) == outcome.change;
        let Some(reviewed) = outcome.reviewed.filter(|_| is_newest) else {
            project.is_unreviewed |= !is_newest;
            return false;
        };
        project.spent = project.analysis.replace(Arc::new(reviewed.analysis));
        match outcome.task {
            Task::Check => project.is_stale = true,
            Task::Review => {
                project.tell();
                project.findings = reviewed.findings;
            }
        }
        outcome.task == Task::Review
    }

    /// A new document: in the innermost folder that holds its path, or in a project of its own.
    fn place(&mut self, url: &Url) -> At {
        let path = url.to_file_path().ok();
        let holds = |project: &Project| match (&project.root, &path) {
            (Some(root), Some(path)) if path.starts_with(root) => root.components().count(),
            _ => 0,
        };
        let best = self.projects.iter().enumerate().map(|(at, it)| (holds(it), at)).max();
        let project = match best {
            Some((depth, at)) if depth > 0 => at,
            _ => {
                let number = self.next_number();
                self.projects.push(Project::new(number, None));
                self.projects.len() - 1
            }
        };
        let home = &mut self.projects[project];
        let document = Document::new(home, url.clone(), path, String::new());
        home.documents.push(document);
        // A file more changes the model, whatever its text.
        home.analysis = None;
        home.is_stale = true;
        home.is_unreviewed = true;
        home.newest.fetch_add(1, Ordering::Relaxed);
        At { project, file: FileId(home.documents.len() as u32 - 1) }
    }

    /// Applies the changes of an open document in their order. `None` if it has become too long to be followed.
    pub(super) fn change(
        &mut self,
        at: At,
        version: i32,
        changes: Vec<TextDocumentContentChangeEvent>,
    ) -> Option<Work> {
        let encoding = self.encoding;
        let document = self.get(at)?;
        document.version = Some(version);
        let mut text = document.parse.text.to_string();
        for change in changes {
            match change.range {
                None => {
                    document.is_lost = false;
                    text = change.text;
                    document.lines = Lines::of(&text);
                }
                Some(_) if document.is_lost => continue,
                Some(range) => {
                    let offset = |position: Position| {
                        let place = LineColumn { line: position.line, column: position.character };
                        document.lines.offset(&text, place, encoding)
                    };
                    let (one, other) = (offset(range.start), offset(range.end));
                    let (start, old_end) = (one.min(other), other.max(one));
                    let new_end = start + u32::try_from(change.text.len()).unwrap_or(u32::MAX);
                    text.replace_range(start as usize..old_end as usize, &change.text);
                    let shift = Shift { file: at.file, start, old_end, new_end };
                    document.lines.shift(&text, shift);
                }
            }
            if text.len() > LONGEST {
                document.is_lost = true;
                text = String::new();
                document.lines = Lines::of(&text);
            }
        }
        let is_lost = document.is_lost;
        let (shift, damage) = document.parse_again(text);
        let project = self.projects.get_mut(at.project)?;
        let work = project.changed(at.file, shift, damage.as_ref());
        (!is_lost).then_some(work)
    }

    /// A document is closed: what is on disk counts again.
    pub(super) fn close(&mut self, at: At) {
        let Some(document) = self.get(at) else { return };
        document.version = None;
        document.is_lost = false;
        self.reread(at);
    }

    /// A file may have changed on disk: one that was opened nowhere is read again, a new one is taken in.
    pub(super) fn touched(&mut self, url: &Url) {
        let at = match self.find(url) {
            Some(at) => at,
            None => {
                let Ok(path) = url.to_file_path() else { return };
                let is_model = path.extension().is_some_and(|it| it == "mimar") && path.is_file();
                let is_held = self.projects.iter().any(|project| {
                    project.root.as_ref().is_some_and(|root| is_looked_into(root, &path))
                });
                if !is_model || !is_held {
                    return;
                }
                self.place(url)
            }
        };
        if self.get(at).is_some_and(|document| document.version.is_none()) {
            self.reread(at);
        }
    }

    fn reread(&mut self, at: At) {
        let Some(document) = self.get(at) else { return };
        // A file that is gone, or is no text, says nothing; the place of its number stays taken.
        let read = document.path.as_deref().map(project::read_text);
        let text = read.and_then(Result::ok).filter(|text| text.len() <= LONGEST);
        self.set(at, text.unwrap_or_default());
    }

    /// Gives a document another text.
    fn set(&mut self, at: At, text: String) {
        let Some(document) = self.get(at) else { return };
        if *document.parse.text == *text {
            return;
        }
        document.lines = Lines::of(&text);
        let (shift, damage) = document.parse_again(text);
        if let Some(project) = self.projects.get_mut(at.project) {
            project.changed(at.file, shift, damage.as_ref());
        }
    }
}

/// Whether `files` would find a path below a folder.
fn is_looked_into(root: &Path, path: &Path) -> bool {
    let Ok(below) = path.strip_prefix(root) else { return false };
    below.components().all(|part| {
        let name = part.as_os_str().to_string_lossy();
        !name.starts_with('.') && !project::PASSED_OVER.contains(&&*name)
    })
}

//! The files of an editor's folders, with unsaved texts over those on disk.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use ide::{Analysis, Encoding, LineColumn, Lines};
use lsp_types::{Position, Range, TextDocumentContentChangeEvent, Url};
use syntax::{Diagnostic, FileId, Parse, Span};

use crate::failure::Failure;
use crate::project;

/// The longest text that is checked, in bytes.
const LONGEST: usize = 16 << 20;

/// One file.
pub(super) struct Document {
    pub(super) url: Url,
    path: Option<PathBuf>,
    pub(super) parse: Arc<Parse>,
    pub(super) lines: Lines,
    /// Its version, as long as the editor has it open.
    pub(super) version: Option<i32>,
    /// Whether the editor knows diagnostics of it.
    pub(super) is_marked: bool,
    /// Whether what the editor holds is too long to follow.
    is_lost: bool,
}

/// One folder, or one file outside of any: the files that form one model. `FileId(n)` is the document at `n`, for as long as the
/// project lives.
pub(super) struct Project {
    root: Option<PathBuf>,
    pub(super) documents: Vec<Document>,
    analysis: Option<Arc<Analysis>>,
    diagnostics: Option<Arc<Vec<Diagnostic>>>,
    /// Whether its diagnostics have not gone out since a change.
    pub(super) is_stale: bool,
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
    pub(super) encoding: Encoding,
}

impl Document {
    fn new(project: &Project, url: Url, path: Option<PathBuf>, text: String) -> Self {
        let file = FileId(project.documents.len() as u32);
        let lines = Lines::of(&text);
        let parse = Arc::new(syntax::parse(file, text));
        Self { url, path, parse, lines, version: None, is_marked: false, is_lost: false }
    }

    fn set(&mut self, text: String) {
        self.lines = Lines::of(&text);
        self.parse = Arc::new(syntax::parse(self.parse.file, text));
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
    fn new(root: Option<PathBuf>) -> Self {
        Self { root, documents: Vec::new(), analysis: None, diagnostics: None, is_stale: true }
    }

    /// The model as it stands now; checked again only after a change.
    pub(super) fn analysis(&mut self) -> Arc<Analysis> {
        let documents = &self.documents;
        let check = || {
            let parses = documents.iter().map(|document| Arc::clone(&document.parse));
            Arc::new(ide::analyze(parses.collect()))
        };
        Arc::clone(self.analysis.get_or_insert_with(check))
    }

    /// What the language and the review say of it.
    pub(super) fn diagnostics(&mut self) -> Arc<Vec<Diagnostic>> {
        if let Some(known) = &self.diagnostics {
            return Arc::clone(known);
        }
        let analysis = self.analysis();
        let mut all = analysis.diagnostics().to_vec();
        all.extend(analysis.review(crate::review::today()));
        let all = Arc::new(all);
        self.diagnostics = Some(Arc::clone(&all));
        all
    }

    /// The document of a file.
    pub(super) fn document(&self, file: FileId) -> Option<&Document> {
        self.documents.get(file.0 as usize)
    }

    fn changed(&mut self) {
        self.analysis = None;
        self.diagnostics = None;
        self.is_stale = true;
    }
}

impl Workspace {
    /// Adds a folder with all of its files; those that cannot be read are answered.
    pub(super) fn add(&mut self, root: PathBuf) -> Vec<Failure> {
        if self.projects.iter().any(|project| project.root.as_ref() == Some(&root)) {
            return Vec::new();
        }
        let mut project = Project::new(Some(root.clone()));
        let mut faults = Vec::new();
        let paths = project::files(&root).unwrap_or_else(|fault| {
            faults.push(fault);
            Vec::new()
        });
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
            if *document.parse.text != *text {
                document.set(text);
            }
        }
        self.changed(at);
        !is_lost
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
                self.projects.push(Project::new(None));
                self.projects.len() - 1
            }
        };
        let home = &mut self.projects[project];
        let document = Document::new(home, url.clone(), path, String::new());
        home.documents.push(document);
        At { project, file: FileId(home.documents.len() as u32 - 1) }
    }

    /// Applies the changes of an open document in their order. False if it has become too long to be followed.
    pub(super) fn change(
        &mut self,
        at: At,
        version: i32,
        changes: Vec<TextDocumentContentChangeEvent>,
    ) -> bool {
        let encoding = self.encoding;
        let Some(document) = self.get(at) else { return true };
        document.version = Some(version);
        let mut text = document.parse.text.to_string();
        for change in changes {
            match change.range {
                None => {
                    document.is_lost = false;
                    text = change.text;
                }
                Some(_) if document.is_lost => continue,
                Some(range) => {
                    let lines = Lines::of(&text);
                    let offset = |position: Position| {
                        let place = LineColumn { line: position.line, column: position.character };
                        lines.offset(&text, place, encoding) as usize
                    };
                    let (start, end) = (offset(range.start), offset(range.end));
                    text.replace_range(start.min(end)..end.max(start), &change.text);
                }
            }
            if text.len() > LONGEST {
                document.is_lost = true;
                text = String::new();
            }
        }
        let is_lost = document.is_lost;
        document.set(text);
        self.changed(at);
        !is_lost
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
        document.set(text.unwrap_or_default());
        self.changed(at);
    }

    fn changed(&mut self, at: At) {
        if let Some(project) = self.projects.get_mut(at.project) {
            project.changed();
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

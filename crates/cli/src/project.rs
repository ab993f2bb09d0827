//! A project: the files under a folder, read as one model.

use std::collections::{BTreeSet, VecDeque};
use std::fs;
use std::path::{Path, PathBuf};

use engine::Handlers;
use model::{Model, Valid};
use syntax::{Diagnostic, FileId, Look, Parse, Severity, Source, ast};

use crate::failure::Failure;
use crate::screen;

/// What is said of a name that is declared twice.
const TWICE: &str = "E0201";

/// Folders that are never looked into; neither are hidden ones.
pub(crate) const PASSED_OVER: &[&str] = &["target", "node_modules"];

/// A project's files, parsed and checked.
#[derive(Debug)]
pub(crate) struct Project {
    /// The folder that `data` and `.mimar` stand in.
    pub(crate) root: PathBuf,
    pub(crate) files: Vec<File>,
    pub(crate) diagnostics: Vec<Diagnostic>,
    /// The model, if it has no errors.
    pub(crate) model: Option<Valid<Model>>,
}

/// One file.
#[derive(Debug)]
pub(crate) struct File {
    /// As it is shown.
    pub(crate) shown: String,
    pub(crate) parse: Parse,
}

/// What was found, by severity.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) errors: usize,
    pub(crate) warnings: usize,
    pub(crate) notes: usize,
}

/// The folder of a file, as it is shown.
fn folder_of(file: &File) -> String {
    let parent = Path::new(&file.shown).parent().unwrap_or(Path::new(""));
    if parent.as_os_str().is_empty() { ".".to_owned() } else { parent.display().to_string() }
}

impl Project {
    /// Reads, parses and checks the files at `path`.
    pub(crate) fn read(path: &Path) -> Result<Self, Failure> {
        let texts = texts(path)?;
        Self::of(root_of(path), texts).alone(path)
    }

    /// Parses and checks texts, each with the name it is shown by.
    pub(crate) fn of(root: PathBuf, texts: Vec<(String, String)>) -> Self {
        let files: Vec<File> = (0_u32..)
            .zip(texts)
            .map(|(id, (shown, text))| File { shown, parse: syntax::parse(FileId(id), text) })
            .collect();
        let parses: Vec<&Parse> = files.iter().map(|file| &file.parse).collect();
        let (model, found) = model::check(&parses);
        let mut diagnostics: Vec<Diagnostic> =
            files.iter().flat_map(|file| file.parse.diagnostics.iter().cloned()).collect();
        diagnostics.extend(found);
        diagnostics.sort_by_key(|d| (d.primary.span.file.0, d.primary.span.start, d.severity));
        let model = Valid::new(model, &diagnostics);
        Self { root, files, diagnostics, model }
    }

    /// Refuses a folder with several projects in it: what would be said of all their files as one model helps nobody.
    pub(crate) fn alone(self, path: &Path) -> Result<Self, Failure> {
        let is_app =
            |file: &&File| file.parse.tree().items().any(|it| matches!(it, ast::Item::App(_)));
        let apps: Vec<&File> = self.files.iter().filter(is_app).collect();
        let folders: BTreeSet<String> = apps.iter().map(|file| folder_of(file)).collect();
        // Two in one folder that have nothing else in common are a fault of the text.
        let twice = self.diagnostics.iter().filter(|found| found.code == TWICE).count();
        let (kind, places) = match (folders.len(), apps.len().min(twice)) {
            (2.., _) => ("folder", folders),
            (_, 2..) => ("file", apps.iter().map(|file| file.shown.clone()).collect()),
            _ => return Ok(self),
        };
        let places = places.into_iter().collect::<Vec<_>>().join(", ");
        Err(Failure::SeveralProjects { path: path.to_owned(), kind, places })
    }

    /// The model, or a failure after everything that is wrong with it was drawn on stderr.
    pub(crate) fn valid(mut self) -> Result<(Self, Valid<Model>), Failure> {
        match self.model.take() {
            Some(model) => Ok((self, model)),
            None => {
                self.draw(|diagnostic| diagnostic.severity != Severity::Note);
                Err(Failure::Model)
            }
        }
    }

    /// Refuses a model with commands by code: the program `mimar` has none.
    pub(crate) fn without_code(model: &Model) -> Result<(), Failure> {
        Self::all_coded(model, &Handlers::default())
    }

    /// Refuses commands by code that nobody does, and code for what is no such command.
    pub(crate) fn all_coded(model: &Model, handlers: &Handlers) -> Result<(), Failure> {
        let listed = |names: Vec<String>| {
            let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
            names.join(", ")
        };
        let (missing, idle) = (handlers.missing(model), handlers.idle(model));
        if !missing.is_empty() {
            return Err(Failure::ByCode { commands: listed(missing) });
        }
        if !idle.is_empty() {
            return Err(Failure::IdleCode { commands: listed(idle) });
        }
        Ok(())
    }

    /// What of it is not carried out, each kind once by its title, but for what code of a program's own does here.
    pub(crate) fn deferred_titles(model: &Model, by_code: bool) -> Vec<&'static str> {
        let notes = model::deferred(model);
        let is_said =
            |id: &str| !(by_code && id == "N0118") && notes.iter().any(|note| note.code == id);
        let codes = crate::command::explain::codes().filter(|code| is_said(code.id));
        codes.map(|code| code.title).collect()
    }

    /// What the model says and the runtime does not carry out yet.
    pub(crate) fn deferred(model: &Model) -> Vec<Diagnostic> {
        model::deferred(model)
    }

    pub(crate) fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        for diagnostic in &self.diagnostics {
            match diagnostic.severity {
                Severity::Error => counts.errors += 1,
                Severity::Warning => counts.warnings += 1,
                Severity::Note => counts.notes += 1,
            }
        }
        counts
    }

    /// Draws diagnostics on stderr.
    pub(crate) fn draw(&self, wanted: impl Fn(&Diagnostic) -> bool) {
        let wanted: Vec<Diagnostic> =
            self.diagnostics.iter().filter(|diagnostic| wanted(diagnostic)).cloned().collect();
        // Drawn with colours always: the stream strips them where they do not belong.
        let look = Look { color: true, width: screen::width() };
        let text = syntax::render(&wanted, |id| self.source(id), look);
        if !text.is_empty() {
            screen::note(text.trim_end_matches('\n'));
            screen::note("");
        }
    }

    /// A file as reports show it.
    pub(crate) fn source(&self, id: FileId) -> Option<Source<'_>> {
        let file = self.files.get(id.0 as usize)?;
        Some(Source { path: &file.shown, text: &file.parse.text })
    }

    /// What `mimar dev` keeps in the project.
    pub(crate) fn own_folder(&self) -> PathBuf {
        self.root.join(".mimar")
    }
}

impl Counts {
    /// `2 errors, 1 warning`
    pub(crate) fn sentence(self) -> String {
        let parts = [
            (self.errors, "error", "errors"),
            (self.warnings, "warning", "warnings"),
            (self.notes, "note", "notes"),
        ];
        parts
            .iter()
            .filter(|(number, ..)| *number > 0)
            .map(|(number, one, many)| screen::count(*number as u64, one, many))
            .collect::<Vec<_>>()
            .join(", ")
    }
}

/// The folder of a project that was given as a folder or as a file.
pub(crate) fn root_of(path: &Path) -> PathBuf {
    if path.is_dir() {
        return path.to_owned();
    }
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}

/// The texts of a project's files, in the order of their paths.
pub(crate) fn texts(path: &Path) -> Result<Vec<(String, String)>, Failure> {
    let files = files(path)?;
    if files.is_empty() {
        return Err(Failure::NoFiles { path: path.to_owned() });
    }
    files.into_iter().map(|file| Ok((shown(&file), read_text(&file)?))).collect()
}

/// The `*.mimar` files at a path, sorted.
pub(crate) fn files(path: &Path) -> Result<Vec<PathBuf>, Failure> {
    files_of(path, usize::MAX)
}

/// The same; it fails where more than `most` files and folders would have to be looked at.
pub(crate) fn files_of(path: &Path, most: usize) -> Result<Vec<PathBuf>, Failure> {
    let kind = fs::metadata(path).map_err(Failure::file("read", path))?;
    if !kind.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut files = Vec::new();
    if !walk(path, most, &mut files)? {
        return Err(Failure::TooManyFiles { path: path.to_owned(), most });
    }
    files.sort();
    Ok(files)
}

/// The `*.mimar` files in a folder, sorted, of which at most so many files and folders are looked at. What cannot be read is
/// added to the faults, and so is that there are more.
pub(crate) fn files_within(root: &Path, most: usize, faults: &mut Vec<Failure>) -> Vec<PathBuf> {
    let mut files = Vec::new();
    match walk(root, most, &mut files) {
        Ok(true) => {}
        Ok(false) => faults.push(Failure::LargeFolder { path: root.to_owned(), most }),
        Err(fault) => faults.push(fault),
    }
    files.sort();
    files
}

/// Finds files, those near the top first. Whether that was all: it ends where more than `most` files and folders would have to be
/// looked at.
fn walk(root: &Path, most: usize, files: &mut Vec<PathBuf>) -> Result<bool, Failure> {
    let mut folders = VecDeque::from([root.to_owned()]);
    let mut count = 0;
    while let Some(folder) = folders.pop_front() {
        for entry in fs::read_dir(&folder).map_err(Failure::file("read", &folder))? {
            let entry = entry.map_err(Failure::file("read", &folder))?;
            let name = entry.file_name();
            let name = name.to_string_lossy();
            // Links are not followed: a ring of them would never end.
            let kind = entry.file_type().map_err(Failure::file("read", entry.path()))?;
            if count >= most {
                return Ok(false);
            }
            count += 1;
            if kind.is_dir() && !is_passed_over(&name) {
                folders.push_back(entry.path());
            } else if !kind.is_dir() && name.ends_with(".mimar") && !name.starts_with('.') {
                files.push(entry.path());
            }
        }
    }
    Ok(true)
}

/// Whether a folder or a file of this name is never read.
pub(crate) fn is_passed_over(name: &str) -> bool {
    name.starts_with('.') || PASSED_OVER.contains(&name)
}

/// A file's text.
pub(crate) fn read_text(path: &Path) -> Result<String, Failure> {
    let bytes = fs::read(path).map_err(Failure::file("read", path))?;
    String::from_utf8(bytes).map_err(|error| Failure::NotText {
        path: path.to_owned(),
        at: error.utf8_error().valid_up_to(),
    })
}

/// A path as people wrote it, without a leading `./`.
pub(crate) fn shown(path: &Path) -> String {
    path.strip_prefix("./").unwrap_or(path).display().to_string()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::files_within;

    #[test]
    fn a_large_folder_is_looked_at_in_part_and_that_is_said() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        for name in ["a.mimar", "deep/b.mimar", ".git/c.mimar", "target/d.mimar"] {
            let path = root.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        let mut faults = Vec::new();
        let found = files_within(root, 100, &mut faults);
        assert_eq!(found, [root.join("a.mimar"), root.join("deep/b.mimar")]);
        assert!(faults.is_empty(), "{faults:?}");
        // What is near the top comes first.
        let found = files_within(root, 4, &mut faults);
        assert_eq!(found, [root.join("a.mimar")]);
        assert!(faults[0].to_string().contains("more than 4 files and folders"), "{faults:?}");
    }
}

//! The folder that tools see, and nothing outside of it.

use std::fs;
use std::path::{Component, Path, PathBuf};

use super::tool::Refusal;
use crate::failure::Failure;
use crate::project::{self, Project};

/// Files and folders that are looked at for one project.
const MOST_ENTRIES: usize = 50_000;

/// Bytes of text of one project.
const MOST_TEXT: u64 = 8 << 20;

/// Bytes of a text that is given inline.
pub(super) const MOST_INLINE: usize = 1 << 20;

/// How a text that is given inline is called where places are told.
pub(super) const INLINE: &str = "text.mimar";

/// A folder, links resolved. It is the current folder of the process, so that paths are shown as they are given.
pub(super) struct Root {
    folder: PathBuf,
}

/// A model that was given by its path or as a text.
#[derive(Debug, Default)]
pub(super) struct Given<'a> {
    pub(super) path: Option<&'a str>,
    pub(super) text: Option<&'a str>,
}

impl Root {
    /// Opens the folder and makes it the current one.
    pub(super) fn open(folder: &Path) -> Result<Self, Failure> {
        let canonical = folder.canonicalize().map_err(Failure::file("open", folder))?;
        std::env::set_current_dir(&canonical).map_err(Failure::file("open", folder))?;
        Ok(Self { folder: canonical })
    }

    /// Where a path leads, from the root: `.` for the root itself.
    pub(super) fn resolve(&self, path: &str) -> Result<PathBuf, Refusal> {
        let outside = || {
            Refusal::new(format!(
                "`{path}` is outside of the root folder {}\n\nGive a path below it; `mimar mcp --root DIR` sets another root",
                self.folder.display()
            ))
        };
        // Before the disk is asked, so that nobody learns what is there outside.
        if self.leads_out(Path::new(path)) {
            return Err(outside());
        }
        let given = self.folder.join(path);
        let found = given.canonicalize().map_err(|error| {
            Refusal::new(format!(
                "cannot read `{path}`: {error}\n\nPaths are relative to {}",
                self.folder.display()
            ))
        })?;
        let below = found.strip_prefix(&self.folder).map_err(|_| outside())?;
        if !(found.is_dir() || found.is_file()) {
            return Err(Refusal::new(format!("`{path}` is neither a folder nor a file")));
        }
        Ok(if below.as_os_str().is_empty() { PathBuf::from(".") } else { below.to_owned() })
    }

    /// The files of a project, each looked at as [`Root::resolve`] does.
    pub(super) fn project(&self, path: &str) -> Result<Project, Refusal> {
        let place = self.resolve(path)?;
        let files = project::files_of(&place, MOST_ENTRIES)?;
        if files.is_empty() {
            return Err(Failure::NoFiles { path: place }.into());
        }
        let mut room = MOST_TEXT;
        let mut texts = Vec::new();
        for file in files {
            let shown = project::shown(&file);
            // A link may lead anywhere, whatever its name.
            self.resolve(&shown)?;
            let size = fs::metadata(&file).map_err(Failure::file("read", &file))?.len();
            room = room.checked_sub(size).ok_or_else(|| {
                let most = MOST_TEXT >> 20;
                Refusal::new(format!("the *.mimar files of `{path}` are larger than {most} MB together; name one project"))
            })?;
            texts.push((shown, project::read_text(&file)?));
        }
        Ok(Project::of(project::root_of(&place), texts))
    }

    /// The project that was given: by its path, which is the root where nothing is said, or as one text.
    pub(super) fn given(&self, given: &Given<'_>) -> Result<Project, Refusal> {
        match (given.path, given.text) {
            (Some(_), Some(_)) => Err(Refusal::new(
                "give `path` or `text`, not both: a path for what is on the disk, a text for what is not written yet",
            )),
            (path, None) => self.project(path.unwrap_or(".")),
            (None, Some(text)) if text.len() > MOST_INLINE => Err(Refusal::new(format!(
                "the text has {} bytes, and {MOST_INLINE} are the most; write it to a file below the root and give its path",
                text.len()
            ))),
            (None, Some(text)) => {
                Ok(Project::of(PathBuf::from("."), vec![(INLINE.to_owned(), text.to_owned())]))
            }
        }
    }

    /// Whether a path leads out as it is written, links aside.
    fn leads_out(&self, path: &Path) -> bool {
        let Ok(path) =
            (if path.is_absolute() { path.strip_prefix(&self.folder) } else { Ok(path) })
        else {
            return true;
        };
        let mut depth = 0_usize;
        for component in path.components() {
            match component {
                Component::Normal(_) => depth += 1,
                Component::CurDir => {}
                Component::ParentDir if depth > 0 => depth -= 1,
                Component::ParentDir | Component::RootDir | Component::Prefix(_) => return true,
            }
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use super::Root;

    #[test]
    fn what_leads_out_is_seen_before_the_disk_is_asked() {
        let root = Root { folder: PathBuf::from("/a/root") };
        for inside in [".", "", "b", "b/../c", "./b/c.mimar", "/a/root", "/a/root/b"] {
            assert!(!root.leads_out(Path::new(inside)), "{inside}");
        }
        for outside in ["..", "b/../..", "/a", "/a/rooted", "/a/root/../b", "../root/b", "/"] {
            assert!(root.leads_out(Path::new(outside)), "{outside}");
        }
    }
}

//! What no compiler checks. Each rule is a pure function from the files of the house to findings.

mod changelog;
mod length;
mod link;
mod lint;
mod name;
mod origin;
mod rooms;
mod text;

use std::fmt;
use std::fs;
use std::process::Command;

use crate::fault::Fault;
use crate::place;

/// A file that is tracked, or would be: path from the root with `/`, and its text; files that are no text are absent.
#[derive(Debug, Clone)]
pub(crate) struct File {
    pub(crate) path: String,
    pub(crate) text: String,
}

impl File {
    fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or(&self.path)
    }

    fn has_extension(&self, extensions: &[&str]) -> bool {
        self.name().rsplit_once('.').is_some_and(|(_, end)| extensions.contains(&end))
    }

    /// Its lines with their numbers, from 1.
    fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        (1..).zip(self.text.lines())
    }
}

/// Something that is not tidy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Finding {
    path: String,
    /// From 1; 0 where the file as a whole is meant.
    line: usize,
    message: String,
}

impl Finding {
    fn new(path: &str, line: usize, message: impl Into<String>) -> Self {
        Self { path: path.into(), line, message: message.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}: {}", self.path, self.message),
            line => write!(f, "{}:{line}: {}", self.path, self.message),
        }
    }
}

type Rule = fn(&[File]) -> Vec<Finding>;

/// Every rule, once.
const RULES: [Rule; 8] = [
    changelog::check,
    length::check,
    link::check,
    lint::check,
    name::check,
    origin::check,
    rooms::check,
    text::check,
];

/// Checks the whole house.
fn check(files: &[File]) -> Vec<Finding> {
    RULES.iter().flat_map(|rule| rule(files)).collect()
}

/// Checks the checkout and shows what it finds.
///
/// # Errors
/// [`Fault::Untidy`] if there is anything.
pub(crate) fn run() -> Result<(), Fault> {
    let findings = check(&tracked()?);
    for finding in &findings {
        println!("{finding}");
    }
    if findings.is_empty() { Ok(()) } else { Err(Fault::Untidy { findings: findings.len() }) }
}

/// The files of the checkout, new ones with them, ignored ones without.
fn tracked() -> Result<Vec<File>, Fault> {
    let root = place::root();
    let listed = Command::new("git")
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        .current_dir(&root)
        .output()
        .map_err(|error| Fault::Start { program: "git".into(), error })?;
    if !listed.status.success() {
        let how = String::from_utf8_lossy(&listed.stderr).into_owned();
        return Err(Fault::Step { name: "git ls-files".into(), how });
    }
    let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
    let mut files = Vec::new();
    for path in listed.split('\0').filter(|path| !path.is_empty()) {
        let full = root.join(path);
        // A file that was deleted but not yet committed so is listed and not there.
        if !full.is_file() {
            continue;
        }
        let bytes = fs::read(&full).map_err(|error| Fault::File { path: full, error })?;
        if let Ok(text) = String::from_utf8(bytes) {
            files.push(File { path: path.into(), text });
        }
    }
    Ok(files)
}

#[cfg(test)]
fn found(rule: Rule, files: &[(&str, &str)]) -> Vec<String> {
    let files: Vec<File> = files
        .iter()
        .map(|(path, text)| File { path: (*path).into(), text: (*text).into() })
        .collect();
    rule(&files).iter().map(ToString::to_string).collect()
}

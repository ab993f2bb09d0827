//! `format`

use std::path::Path;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use syntax::Look;

use super::{Answer, Refusal, unified};
use crate::command::fmt;
use crate::mcp::root::{Given, Root};
use crate::screen;

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Arguments {
    /// A folder or one file, below the root. Where neither this nor `text` is given: the root.
    path: Option<String>,
    /// A text to lay out, instead of a path.
    text: Option<String>,
    /// Whether the files are changed; otherwise the diff is only shown.
    write: bool,
}

/// What was laid out.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Report {
    /// Whether the files were changed.
    written: bool,
    /// The files that differ.
    files: Vec<File>,
    /// The laid out text, where a text was given.
    text: Option<String>,
}

/// A file that differs.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct File {
    /// Its path, from the root.
    pub(super) file: String,
    /// What changes, as a unified diff.
    pub(super) diff: String,
}

pub(super) fn call(root: &Root, arguments: &Arguments) -> Result<Answer, Refusal> {
    let given = Given { path: arguments.path.as_deref(), text: arguments.text.as_deref() };
    refuse_writing_of_text(arguments.text.is_some(), arguments.write)?;
    let project = root.given(&given)?;
    let mut laid_out = Vec::new();
    for file in &project.files {
        let text = syntax::format(&file.parse).map_err(|faults| {
            let drawn = syntax::render(&faults, |id| project.source(id), Look::default());
            let said = "cannot be laid out before it can be parsed, and nothing was changed";
            Refusal::new(format!("{} {said}:\n\n{}", file.shown, drawn.trim_end()))
        })?;
        laid_out.push((file, text));
    }
    laid_out.retain(|(file, text)| **text != *file.parse.text);
    let mut files = Vec::new();
    for (file, text) in &laid_out {
        if arguments.write {
            // It may have become a link since it was read.
            root.resolve(&file.shown)?;
            fmt::replace(Path::new(&file.shown), text)?;
        }
        let diff = unified(&file.shown, &file.parse.text, text);
        files.push(File { file: file.shown.clone(), diff });
    }
    let text = arguments.text.as_ref().map(|text| {
        laid_out.first().map_or_else(|| text.clone(), |(_, laid_out)| laid_out.clone())
    });
    let said = match (&text, files.len() as u64) {
        (Some(text), _) => text.clone(),
        (None, 0) => "every file is laid out already".to_owned(),
        (None, number) => {
            let changed = screen::count(number, "file", "files");
            let diffs: String = files.iter().map(|file| file.diff.as_str()).collect();
            match arguments.write {
                true => format!("{diffs}{changed} written"),
                false => format!("{diffs}{changed} would change; `write` changes them"),
            }
        }
    };
    let written = arguments.write && !files.is_empty();
    Answer::of(said, &Report { written, files, text })
}

/// A text that was given has no file to be written to.
pub(super) fn refuse_writing_of_text(is_text: bool, write: bool) -> Result<(), Refusal> {
    if is_text && write {
        return Err(Refusal::new(
            "a `text` has no file that `write` could change: leave `write` out, and the new text is answered",
        ));
    }
    Ok(())
}

//! `fix`

use review::Levels;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Answer, Refusal, unified};
use crate::command::check::fix;
use crate::mcp::root::{Given, Root};
use crate::review as reviewing;
use crate::screen;

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Arguments {
    /// A folder or one file, below the root. Where neither this nor `text` is given: the root.
    path: Option<String>,
    /// The text of a whole model, instead of a path.
    text: Option<String>,
    /// Whether edits are applied, too, that should be looked at afterwards.
    r#unsafe: bool,
    /// Whether the files are changed; otherwise the diff is only shown.
    write: bool,
}

/// What was mended.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Report {
    /// How many findings.
    fixes: u64,
    /// Whether the files were changed.
    written: bool,
    /// The files that differ.
    files: Vec<super::format::File>,
    /// The mended text, where a text was given.
    text: Option<String>,
    /// Errors that are left.
    errors: u64,
    /// Warnings that are left, those of the review included.
    warnings: u64,
}

pub(super) fn call(root: &Root, arguments: &Arguments) -> Result<Answer, Refusal> {
    let given = Given { path: arguments.path.as_deref(), text: arguments.text.as_deref() };
    super::format::refuse_writing_of_text(arguments.text.is_some(), arguments.write)?;
    let project = root.given(&given)?;
    let fix::Mended { mut project, fixes, changed } =
        fix::mend(project, &Levels::default(), None, arguments.r#unsafe)?;
    if arguments.write {
        for file in &changed {
            // It may have become a link since it was read.
            root.resolve(&file.shown)?;
        }
        fix::write(&changed)?;
    }
    let report = reviewing::of(&project, &Levels::default(), None, None)?;
    project.diagnostics.extend(report.diagnostics().cloned());
    let counts = project.counts();
    let files: Vec<super::format::File> = changed
        .iter()
        .map(|file| super::format::File {
            file: file.shown.clone(),
            diff: unified(&file.shown, &file.before, &file.after),
        })
        .collect();
    let mut text: String = files.iter().map(|file| file.diff.as_str()).collect();
    let findings = screen::count(fixes as u64, "finding", "findings");
    text.push_str(&match (fixes, arguments.write) {
        (0, _) => "nothing to mend".to_owned(),
        (_, true) => format!("mended {findings}, and the files are written"),
        (_, false) if arguments.text.is_some() => format!("mended {findings}"),
        (_, false) => format!("{findings} can be mended so; `write` changes the files"),
    });
    let left = counts.sentence();
    text.push_str(&format!("\nleft: {}", if left.is_empty() { "nothing" } else { &left }));
    let mended = arguments
        .text
        .as_ref()
        .map(|text| changed.first().map_or_else(|| text.clone(), |file| file.after.clone()));
    if let Some(mended) = &mended {
        text.push_str(&format!("\n\n```mimar\n{}\n```", mended.trim_end()));
    }
    let report = Report {
        fixes: fixes as u64,
        written: arguments.write && !changed.is_empty(),
        files,
        text: mended,
        errors: counts.errors as u64,
        warnings: counts.warnings as u64,
    };
    Answer::of(text, &report)
}

//! `mimar check --fix`: the edits that mend what was found, until nothing is left that they mend.

use std::path::PathBuf;

use review::Levels;
use syntax::{Diagnostic, Parse};

use crate::command::fmt;
use crate::failure::Failure;
use crate::project::Project;
use crate::review as reviewing;
use crate::source::Content;

/// One edit may make another possible; so often it is looked again.
const ROUNDS: usize = 20;

/// A project after its edits.
pub(crate) struct Mended {
    pub(crate) project: Project,
    /// How many findings were mended.
    pub(crate) fixes: usize,
    /// The files that are not as they were.
    pub(crate) changed: Vec<Changed>,
}

/// A file that is not as it was.
pub(crate) struct Changed {
    /// As it is shown, which is where it is.
    pub(crate) shown: String,
    pub(crate) before: String,
    pub(crate) after: String,
}

/// Mends a project; nothing is written. A file that was laid out by `fmt` stays so. An edit after which a valid model would not be
/// valid any more is not made.
pub(crate) fn mend(
    project: Project,
    levels: &Levels,
    old: Option<(&str, &Content)>,
    also_unsafe: bool,
) -> Result<Mended, Failure> {
    let originals: Vec<String> = texts(&project).into_iter().map(|(_, text)| text).collect();
    let tidy: Vec<bool> = project.files.iter().map(|file| is_formatted(&file.parse)).collect();
    let (mut project, mut fixes) = (project, 0);
    for _ in 0..ROUNDS {
        let Some((next, number)) = round(&project, levels, old, also_unsafe)? else { break };
        project = next;
        fixes += number;
    }
    let mut changed = Vec::new();
    for ((file, before), tidy) in project.files.iter().zip(originals).zip(tidy) {
        let after = match syntax::format(&file.parse) {
            Ok(text) if tidy => text,
            _ => file.parse.text.to_string(),
        };
        if after != before {
            changed.push(Changed { shown: file.shown.clone(), before, after });
        }
    }
    Ok(Mended { project, fixes, changed })
}

/// Writes the files that changed, each whole or not at all.
pub(crate) fn write(changed: &[Changed]) -> Result<(), Failure> {
    changed.iter().try_for_each(|file| fmt::replace(&PathBuf::from(&file.shown), &file.after))
}

/// What becomes of a project by the edits of what is found now: all at once where that does no harm, one by one where it
/// does. Nothing where none is left.
fn round(
    project: &Project,
    levels: &Levels,
    before: Option<(&str, &Content)>,
    also_unsafe: bool,
) -> Result<Option<(Project, usize)>, Failure> {
    let mut found: Vec<Diagnostic> = project.diagnostics.clone();
    let report = reviewing::of(project, levels, None, before)?;
    found.extend(report.diagnostics().cloned());
    let Some(all) = apply(project, &found, also_unsafe) else { return Ok(None) };
    if is_better(project, &all.0) {
        return Ok(Some(all));
    }
    Ok(found.iter().find_map(|one| {
        let one = apply(project, std::slice::from_ref(one), also_unsafe)?;
        is_better(project, &one.0).then_some(one)
    }))
}

fn apply(project: &Project, found: &[Diagnostic], also_unsafe: bool) -> Option<(Project, usize)> {
    let parses: Vec<&Parse> = project.files.iter().map(|file| &file.parse).collect();
    let mended = review::mend(&parses, found, also_unsafe);
    if mended.fixes == 0 {
        return None;
    }
    let mut texts = texts(project);
    for (file, text) in mended.files {
        if let Some(known) = texts.get_mut(file.0 as usize) {
            known.1 = text;
        }
    }
    Some((Project::of(project.root.clone(), texts), mended.fixes))
}

fn is_better(before: &Project, after: &Project) -> bool {
    match (&before.model, &after.model) {
        (Some(_), Some(_)) | (None, Some(_)) => true,
        (Some(_), None) => false,
        (None, None) => after.counts().errors < before.counts().errors,
    }
}

fn texts(project: &Project) -> Vec<(String, String)> {
    let files = project.files.iter();
    files.map(|file| (file.shown.clone(), file.parse.text.to_string())).collect()
}

fn is_formatted(parse: &Parse) -> bool {
    syntax::format(parse).is_ok_and(|text| text == *parse.text)
}

//! `check`

use review::Selector;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use syntax::{Look, Severity};

use super::{Answer, Refusal, SHOWN};
use crate::arguments::LevelArguments;
use crate::command::check;
use crate::failure::Failure;
use crate::mcp::root::{Given, Root};
use crate::review as reviewing;

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Arguments {
    /// A folder (all *.mimar files under it are one model) or one file, below the root. Where neither this nor `text` is given: the root.
    path: Option<String>,
    /// The text of a whole model, instead of a path; at most 1 MB.
    text: Option<String>,
    /// What was there before, to find what the change breaks: a folder or a file below the root, git:REVISION, which is the same folder at a
    /// revision, or a published openapi.json below the root.
    against: Option<String>,
    /// Rules whose findings are errors: codes (DAT001), groups (SEC), `all`, or `warnings`.
    deny: Vec<String>,
    /// Rules whose findings are warnings.
    warn: Vec<String>,
    /// Rules whose findings are notes.
    note: Vec<String>,
    /// Rules whose findings are left out.
    allow: Vec<String>,
    /// Whether warnings fail as well.
    strict: bool,
    /// Whether notes are left out.
    quiet: bool,
}

/// What was found.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(super) struct Report {
    /// Whether the model can be served, and nothing fails that was asked to.
    #[serde(default)]
    ok: bool,
    /// How many errors there are.
    errors: u64,
    /// How many warnings.
    warnings: u64,
    /// How many notes.
    notes: u64,
    /// Findings that comments in the model allow.
    allowed: u64,
    /// What was found, in the order of the text.
    diagnostics: Vec<Found>,
    /// How many more there are: at most a hundred are told, errors first.
    #[serde(default)]
    left_out: u64,
}

/// One diagnostic.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
struct Found {
    /// Its stable code; `explain` tells more.
    code: String,
    /// `error`, `warning` or `note`.
    severity: String,
    /// What is wrong.
    message: String,
    /// The item it is about, of findings of the review: `sales.Order.customer`.
    item: Option<String>,
    /// Where it is wrong.
    primary: Place,
    /// Other places that matter.
    labels: Vec<Place>,
    /// Why it matters.
    notes: Vec<String>,
    /// What to do.
    helps: Vec<String>,
    /// Edits that mend it.
    fixes: Vec<Fix>,
}

/// A place; lines and columns count from 1, `start` and `end` are byte offsets.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
struct Place {
    /// The file.
    file: Option<String>,
    /// The byte it begins at.
    start: u64,
    /// The byte behind it.
    end: u64,
    /// The line it begins in.
    line: Option<u64>,
    /// The column it begins at, in characters.
    column: Option<u64>,
    /// The line it ends in.
    end_line: Option<u64>,
    /// The column behind it.
    end_column: Option<u64>,
    /// What is said of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    text: Option<String>,
    /// What stands there afterwards, of an edit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    replacement: Option<String>,
}

/// Edits that mend a fault when applied together.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
struct Fix {
    /// What it does.
    title: String,
    /// `safe`: certainly what was meant; `unsafe`: to be looked at.
    applicability: String,
    /// The edits.
    edits: Vec<Place>,
}

pub(super) fn call(root: &Root, arguments: &Arguments) -> Result<Answer, Refusal> {
    let levels = check::levels(&given_levels(arguments)?, arguments.strict);
    let mut project =
        root.given(&Given { path: arguments.path.as_deref(), text: arguments.text.as_deref() })?;
    let before = match arguments.against.as_deref() {
        Some(place) => {
            let beside = arguments.path.as_deref().unwrap_or(".");
            Some((place, super::diff::content(root, place, beside)?))
        }
        None => None,
    };
    let before = before.as_ref().map(|(place, content)| (*place, content));
    let report = reviewing::of(&project, &levels, None, before)?;
    let mut items = check::merge(&mut project, &report, arguments.quiet);
    let counts = project.counts();
    let left_out = project.diagnostics.len().saturating_sub(SHOWN);
    if left_out > 0 {
        let mut all: Vec<_> = project.diagnostics.drain(..).zip(items).collect();
        all.sort_by_key(|(diagnostic, _)| diagnostic.severity);
        all.truncate(SHOWN);
        (project.diagnostics, items) = all.into_iter().unzip();
    }
    let found = check::json_report(&project, &report, &items);
    let mut found: Report = serde_json::from_value(found).map_err(Failure::Json)?;
    let [errors, warnings, notes] =
        [counts.errors, counts.warnings, counts.notes].map(|it| it as u64);
    found = Report { errors, warnings, notes, left_out: left_out as u64, ..found };
    found.ok = project.model.is_some() && errors == 0 && !(levels.strict && warnings > 0);
    let mut text = syntax::render(&project.diagnostics, |id| project.source(id), Look::default());
    let sentence = counts.sentence();
    let verdict = if found.ok { "ok" } else { "not ok" };
    let sentence = if sentence.is_empty() { "nothing was found" } else { &sentence };
    text.push_str(&format!("{verdict}: {sentence}"));
    if left_out > 0 {
        text.push_str(&format!("; {left_out} of them are left out here, mend these first"));
    }
    if project.diagnostics.iter().any(|it| it.severity != Severity::Note && !it.fixes.is_empty()) {
        text.push_str("\n`fix` can mend some of it");
    }
    Answer::of(text, &found)
}

/// The levels as the command line takes them; a word that is no rule is refused.
fn given_levels(arguments: &Arguments) -> Result<LevelArguments, Refusal> {
    let lists = [&arguments.deny, &arguments.warn, &arguments.note, &arguments.allow];
    for (at, word) in
        lists.iter().enumerate().flat_map(|(at, list)| list.iter().map(move |it| (at, it)))
    {
        let is_all_warnings = at == 0 && word.eq_ignore_ascii_case("warnings");
        if !is_all_warnings && Selector::of(word).is_none() {
            let groups: Vec<&str> = review::GROUPS.iter().map(|group| group.prefix).collect();
            return Err(Refusal::new(format!(
                "`{word}` is no rule of the review: give a code such as DAT001, a group ({}), `all`, or in `deny` also `warnings`. The \
                 resource mimar://rules has all of them",
                groups.join(", ")
            )));
        }
    }
    Ok(LevelArguments {
        deny: arguments.deny.clone(),
        warn: arguments.warn.clone(),
        note: arguments.note.clone(),
        allow: arguments.allow.clone(),
    })
}

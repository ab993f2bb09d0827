//! The review of a project.

use std::time::{SystemTime, UNIX_EPOCH};

use model::{Model, Valid};
use operation::Dialect;
use review::{Baseline, Before, Design, Levels, Report};
use syntax::{Parse, Severity};

use crate::failure::Failure;
use crate::project::Project;
use crate::source::Content;

/// Reviews a project whose model is valid; nothing is found where it is not. `before` is what was there before, under the name
/// that it was given by.
pub(crate) fn of(
    project: &Project,
    levels: &Levels,
    baseline: Option<&Baseline>,
    before: Option<(&str, &Content)>,
) -> Result<Report, Failure> {
    let Some(model) = &project.model else { return Ok(Report::default()) };
    let Some((shown, content)) = before else {
        return Ok(of_model(project, model, levels, baseline));
    };
    let changes = content.changes_to(model, shown)?;
    let before = Before {
        changes: &changes,
        model: match content {
            Content::Model(model) => Some(model),
            Content::Document(_) => None,
        },
    };
    let parses: Vec<&Parse> = project.files.iter().map(|file| &file.parse).collect();
    Ok(reviewed(&parses, model, levels, baseline, Some(before)))
}

/// Reviews a model that was taken out of its project.
pub(crate) fn of_model(
    project: &Project,
    model: &Valid<Model>,
    levels: &Levels,
    baseline: Option<&Baseline>,
) -> Report {
    let parses: Vec<&Parse> = project.files.iter().map(|file| &file.parse).collect();
    reviewed(&parses, model, levels, baseline, None)
}

fn reviewed(
    parses: &[&Parse],
    model: &Valid<Model>,
    levels: &Levels,
    baseline: Option<&Baseline>,
    before: Option<Before<'_>>,
) -> Report {
    // What is said of tables holds wherever they stand.
    let schema = schema::derive(model, Dialect::Sqlite);
    let contract = contract::derive(model);
    let (schema, contract) = (&schema, &contract);
    let design = Design { model, parses, schema, contract, today: today(), before };
    review::review(&design, levels, baseline)
}

/// How many findings a model has and how to see them, in one line; nothing where there are none but notes.
pub(crate) fn sentence(project: &Project, model: &Valid<Model>) -> Option<String> {
    let report = of_model(project, model, &Levels::default(), None);
    let serious =
        report.diagnostics().filter(|found| found.severity != Severity::Note).count() as u64;
    (serious > 0).then(|| {
        let found = crate::screen::count(serious, "finding", "findings");
        format!("The review has {found}; `mimar check` shows them")
    })
}

/// Days since 1970-01-01.
pub(crate) fn today() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(now.as_secs() / 86_400).unwrap_or(i64::MAX)
}

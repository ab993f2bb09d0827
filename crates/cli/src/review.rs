//! The review of a project.

use std::time::{SystemTime, UNIX_EPOCH};

use review::{Baseline, Design, Levels, Report};
use syntax::{Parse, Severity};

use crate::project::Project;

/// Reviews a project whose model is valid; nothing where it is not.
pub(crate) fn of(
    project: &Project,
    levels: &Levels,
    baseline: Option<&Baseline>,
) -> Option<Report> {
    let model = project.model.as_ref()?;
    Some(of_model(project, model, levels, baseline))
}

/// Reviews a model that was taken out of its project.
pub(crate) fn of_model(
    project: &Project,
    model: &model::Valid<model::Model>,
    levels: &Levels,
    baseline: Option<&Baseline>,
) -> Report {
    let parses: Vec<&Parse> = project.files.iter().map(|file| &file.parse).collect();
    let (schema, contract) = (schema::derive(model), contract::derive(model));
    let design =
        Design { model, parses: &parses, schema: &schema, contract: &contract, today: today() };
    review::review(&design, levels, baseline)
}

/// How many findings a model has and how to see them, in one line; nothing where there are none but notes.
pub(crate) fn sentence(project: &Project, model: &model::Valid<model::Model>) -> Option<String> {
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

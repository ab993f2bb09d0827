//! `mimar check`

use serde_json::json;
use syntax::Severity;

use crate::arguments::{Check, Format};
use crate::failure::Failure;
use crate::project::Project;
use crate::screen::{self, GREEN, RED, YELLOW, styled};

pub(crate) fn run(arguments: &Check) -> Result<(), Failure> {
    let mut project = Project::read(&arguments.path)?;
    if let Some(model) = &project.model {
        project.diagnostics.extend(Project::deferred(model));
    }
    if arguments.quiet {
        project.diagnostics.retain(|diagnostic| diagnostic.severity != Severity::Note);
    }
    let counts = project.counts();
    match arguments.format {
        Format::Json => {
            let found = syntax::render_json(&project.diagnostics, |id| project.source(id));
            let report = json!({
                "errors": counts.errors,
                "warnings": counts.warnings,
                "notes": counts.notes,
                "diagnostics": found,
            });
            screen::out(&format!("{report:#}\n"));
        }
        Format::Human => {
            project.draw(|_| true);
            let found = counts.sentence();
            let verdict = match (&project.model, found.as_str()) {
                (Some(model), "") => format!("{}: {}", styled(GREEN, "ok"), size(model)),
                (Some(model), found) if counts.warnings == 0 => {
                    format!("{}: {}; {found}", styled(GREEN, "ok"), size(model))
                }
                (Some(model), found) => {
                    format!("{}: {}; {found}", styled(YELLOW, "ok"), size(model))
                }
                (None, found) => format!("{}: {found}", styled(RED, "not ok")),
            };
            screen::note(&verdict);
        }
    }
    if project.model.is_some() { Ok(()) } else { Err(Failure::Model) }
}

fn size(model: &model::Model) -> String {
    let name = model.app.as_ref().map_or("", |app| app.name.as_str());
    let counts = [
        screen::count(model.entities.len() as u64, "entity", "entities"),
        screen::count(model.queries.len() as u64, "query", "queries"),
        screen::count(model.commands.len() as u64, "command", "commands"),
    ];
    format!("{name}, {}", counts.join(", "))
}

//! `mimar check`

pub(crate) mod fix;

use std::fs;
use std::path::Path;

use review::output::Outcome;
use review::{Baseline, Level, Levels, Report, Selector};
use serde_json::json;
use syntax::{Diagnostic, Severity};

use crate::arguments::{Check, Format, LevelArguments};
use crate::failure::Failure;
use crate::project::Project;
use crate::review as reviewing;
use crate::screen::{self, GREEN, RED, YELLOW, styled};
use crate::source::{Content, Source};

pub(crate) fn run(arguments: &Check) -> Result<(), Failure> {
    let levels = levels(&arguments.levels, arguments.strict);
    let baseline = arguments.baseline.as_deref().map(read_baseline).transpose()?;
    let mut project = Project::read(&arguments.path)?;
    let before = match arguments.against.as_deref() {
        Some(shown) => {
            let own = Source::Path(arguments.path.clone());
            Some((shown, Source::of(shown, Some(&own), None).content(shown)?))
        }
        None => None,
    };
    let before = before.as_ref().map(|(shown, content)| (*shown, content));
    if arguments.fix {
        project = mend(project, &arguments.path, &levels, before, arguments.r#unsafe)?;
    }
    let report = reviewing::of(&project, &levels, baseline.as_ref(), before)?;
    if let Some(path) = &arguments.write_baseline {
        if project.model.is_none() {
            project.draw(|diagnostic| diagnostic.severity != Severity::Note);
            return Err(Failure::Model);
        }
        fs::write(path, Baseline::of(&report).text()).map_err(Failure::file("write", path))?;
        let number = screen::count(report.findings.len() as u64, "finding", "findings");
        screen::note(&format!("{} {}: {number}", styled(GREEN, "wrote"), path.display()));
        return Ok(());
    }
    let paths = merge(&mut project, &report, arguments.quiet);
    let counts = project.counts();
    let fails = counts.errors > 0 || (levels.strict && counts.warnings > 0);
    print(arguments.format, &project, &report, &paths, fails);
    if project.model.is_some() && !fails { Ok(()) } else { Err(Failure::Model) }
}

/// Mends a project and writes the files that change; as it stands afterwards comes back.
fn mend(
    project: Project,
    path: &Path,
    levels: &Levels,
    before: Option<(&str, &Content)>,
    also_unsafe: bool,
) -> Result<Project, Failure> {
    let fix::Mended { project, fixes, changed } = fix::mend(project, levels, before, also_unsafe)?;
    if fixes == 0 {
        screen::note("nothing to mend");
        return Ok(project);
    }
    fix::write(&changed)?;
    screen::note(&format!(
        "{} {} in {}",
        styled(GREEN, "mended"),
        screen::count(fixes as u64, "finding", "findings"),
        screen::count(changed.len() as u64, "file", "files")
    ));
    Project::read(path)
}

/// The levels that were given, the more special over the more general and the stricter over the looser.
pub(crate) fn levels(given: &LevelArguments, strict: bool) -> Levels {
    let lists = [
        (&given.allow, Level::Allow),
        (&given.note, Level::Note),
        (&given.warn, Level::Warn),
        (&given.deny, Level::Deny),
    ];
    let mut set: Vec<(u8, Level, Selector)> = Vec::new();
    for (list, level) in lists {
        for text in list {
            // `warnings` is no rule.
            let Some(selector) = Selector::of(text) else { continue };
            let rank = match selector {
                Selector::All => 0,
                Selector::Group(_) => 1,
                Selector::Code(_) => 2,
            };
            set.push((rank, level, selector));
        }
    }
    set.sort_by_key(|(rank, level, _)| (*rank, *level));
    let mut levels = Levels::default();
    for (_, level, selector) in set {
        levels.set(selector, level);
    }
    let warnings = given.deny.iter().any(|text| text.eq_ignore_ascii_case("warnings"));
    levels.strict = strict || warnings;
    levels
}

fn read_baseline(path: &Path) -> Result<Baseline, Failure> {
    let text = crate::project::read_text(path)?;
    Baseline::read(&text)
        .map_err(|fault| Failure::NoBaseline { path: path.to_owned(), why: fault.0 })
}

/// Puts the findings among the diagnostics of the project, in the order of the text; the items they are about come back.
pub(crate) fn merge(project: &mut Project, report: &Report, quiet: bool) -> Vec<String> {
    let mut all: Vec<(Diagnostic, String)> = std::mem::take(&mut project.diagnostics)
        .into_iter()
        .map(|it| (it, String::new()))
        .collect();
    if let Some(model) = &project.model {
        all.extend(Project::deferred(model).into_iter().map(|it| (it, String::new())));
    }
    all.extend(report.findings.iter().map(|it| (it.diagnostic.clone(), it.path.clone())));
    if quiet {
        all.retain(|(diagnostic, _)| diagnostic.severity != Severity::Note);
    }
    all.sort_by_key(|(it, _)| (it.primary.span.file.0, it.primary.span.start, it.severity));
    let (diagnostics, paths) = all.into_iter().unzip();
    project.diagnostics = diagnostics;
    paths
}

fn print(format: Format, project: &Project, report: &Report, paths: &[String], fails: bool) {
    let outcome = Outcome {
        diagnostics: &project.diagnostics,
        paths,
        source: &|id| project.source(id),
        version: env!("CARGO_PKG_VERSION"),
    };
    match format {
        Format::Terminal => terminal(project, report, fails),
        Format::Json => screen::out(&format!("{:#}\n", json_report(project, report, paths))),
        Format::Sarif => screen::out(&format!("{:#}\n", review::output::sarif(&outcome))),
        Format::Gitlab => screen::out(&format!("{:#}\n", review::output::gitlab(&outcome))),
        Format::Github => screen::out(&review::output::github(&outcome)),
        Format::Junit => screen::out(&review::output::junit(&outcome)),
        Format::Markdown => screen::out(&review::output::markdown(&outcome)),
    }
}

/// What was found as one JSON object.
pub(crate) fn json_report(
    project: &Project,
    report: &Report,
    paths: &[String],
) -> serde_json::Value {
    let counts = project.counts();
    let mut found = syntax::render_json(&project.diagnostics, |id| project.source(id));
    if let Some(found) = found.as_array_mut() {
        for (diagnostic, path) in found.iter_mut().zip(paths).filter(|(_, path)| !path.is_empty()) {
            diagnostic["item"] = json!(path);
        }
    }
    json!({
        "errors": counts.errors,
        "warnings": counts.warnings,
        "notes": counts.notes,
        "allowed": report.allowed,
        "known": report.known,
        "diagnostics": found,
    })
}

fn terminal(project: &Project, report: &Report, fails: bool) {
    project.draw(|_| true);
    let counts = project.counts();
    let mut found = counts.sentence();
    let beside = [
        (report.allowed, "allowed by comments"),
        (report.known, "known from the baseline"),
        (report.mended.len(), "of the baseline mended: write it anew"),
    ];
    for (number, what) in beside.into_iter().filter(|(number, _)| *number > 0) {
        let comma = if found.is_empty() { "" } else { ", " };
        found.push_str(&format!("{comma}{number} {what}"));
    }
    let style = if counts.warnings == 0 && counts.errors == 0 { GREEN } else { YELLOW };
    let verdict = match &project.model {
        Some(model) if !fails && found.is_empty() => {
            format!("{}: {}", styled(style, "ok"), size(model))
        }
        Some(model) if !fails => {
            format!("{}: {}; {found}", styled(style, "ok"), size(model))
        }
        Some(_) if counts.errors == 0 => {
            format!("{}: {found}, and warnings fail here (--strict)", styled(RED, "not ok"))
        }
        _ => format!("{}: {found}", styled(RED, "not ok")),
    };
    screen::note(&verdict);
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

//! `mimar import`: a model from a database that is there already.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::Instant;

use import::{Dialect, Imported};
use serde_json::json;
use store::definitions;

use crate::arguments::{Import, RecordFormat, ScriptDialect};
use crate::data::others;
use crate::failure::Failure;
use crate::screen::{self, BOLD, DIM, GREEN, YELLOW, styled};

/// Names of one kind that are shown.
const SHOWN: usize = 5;

/// Things of one reason that are shown.
const SUBJECTS: usize = 8;

pub(crate) fn run(arguments: &Import) -> Result<(), Failure> {
    let began = Instant::now();
    if let Some(path) = arguments.output.as_ref().filter(|path| path.exists()) {
        return Err(Failure::Exists { path: path.clone() });
    }
    let (sql, dialect, called) = definitions(arguments)?;
    let name = arguments.name.clone().unwrap_or(called);
    let imported = import::import(&sql, dialect, &name);
    if imported.entities == 0 {
        return Err(Failure::NothingToImport { place: arguments.source.clone() });
    }
    if arguments.format == RecordFormat::Json {
        let remarks: Vec<_> = imported
            .remarks
            .iter()
            .map(|remark| json!({ "subject": remark.subject, "sentence": remark.sentence }))
            .collect();
        let value = json!({
            "model": imported.text,
            "entities": imported.entities,
            "fields": imported.fields,
            "remarks": remarks,
            "skipped": imported.skipped,
        });
        screen::out(&format!("{value:#}\n"));
    }
    match &arguments.output {
        Some(path) => fs::write(path, &imported.text).map_err(Failure::file("write", path))?,
        None if arguments.format == RecordFormat::Human => screen::out(&imported.text),
        None => {}
    }
    if arguments.format == RecordFormat::Human {
        tell(&imported);
        screen::note(&format!(
            "{}: {}, {} in {} ms",
            styled(GREEN, "imported"),
            screen::count(imported.entities as u64, "entity", "entities"),
            screen::count(imported.fields as u64, "field", "fields"),
            began.elapsed().as_millis()
        ));
        let source = arguments.source.strip_prefix("sqlite:").unwrap_or(&arguments.source);
        if let Some(model) = &arguments.output
            && others::is_database(Path::new(source))
        {
            screen::note(&format!(
                "`mimar serve {0} --database {source}` serves its tables as they are, once the model says to whom (`allow`); `mimar data load {source} \
                 --project {0} --database NEW.db` moves its rows into a file of Mimar's own",
                model.display()
            ));
        }
    }
    Ok(())
}

/// The definitions of a source, how they are written, and what the source is called.
fn definitions(arguments: &Import) -> Result<(String, Dialect, String), Failure> {
    let source = &arguments.source;
    if source.starts_with("postgres://") || source.starts_with("postgresql://") {
        let name = source.rsplit('/').next().unwrap_or_default();
        let name = name.split('?').next().unwrap_or_default().to_owned();
        return Ok((definitions::postgres(source)?, Dialect::Postgres, name));
    }
    let stem = |path: &Path| {
        path.file_stem().map_or_else(String::new, |stem| stem.to_string_lossy().into_owned())
    };
    let path = PathBuf::from(source.strip_prefix("sqlite:").unwrap_or(source));
    if source.starts_with("sqlite:") || others::is_database(&path) {
        if let Err(error) = fs::metadata(&path) {
            return Err(Failure::File { doing: "read", path, source: error });
        }
        return Ok((definitions::sqlite(&path)?, Dialect::Sqlite, stem(&path)));
    }
    let bytes = if source == "-" {
        let mut bytes = Vec::new();
        std::io::stdin().read_to_end(&mut bytes).map_err(Failure::file("read", "-"))?;
        bytes
    } else {
        fs::read(&path).map_err(Failure::file("read", &path))?
    };
    let text = String::from_utf8(bytes).map_err(|error| Failure::NotText {
        path: path.clone(),
        at: error.utf8_error().valid_up_to(),
    })?;
    let dialect = match arguments.dialect {
        Some(ScriptDialect::Postgres) => Dialect::Postgres,
        Some(ScriptDialect::Sqlite) => Dialect::Sqlite,
        None => import::dialect_of(&text),
    };
    let name = if source == "-" { "imported".to_owned() } else { stem(&path) };
    Ok((text, dialect, name))
}

/// What the model does not say, by reason.
fn tell(imported: &Imported) {
    let mut reasons: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for remark in &imported.remarks {
        reasons.entry(&remark.sentence).or_default().push(&remark.subject);
    }
    if !reasons.is_empty() {
        screen::note(&styled(BOLD, "what the model says otherwise, or not at all:"));
    }
    for (sentence, subjects) in reasons {
        screen::note(&format!("  {}", styled(YELLOW, sentence)));
        screen::note(&format!("      {}", styled(DIM, listed(&subjects, SUBJECTS))));
    }
    if !imported.skipped.is_empty() {
        screen::note(&styled(BOLD, "what a model has no words for, and stays as it is:"));
    }
    for (kind, names) in &imported.skipped {
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        screen::note(&format!("  {} × {kind}: {}", names.len(), listed(&names, SHOWN)));
    }
}

/// The first of many, and how many more there are.
fn listed(names: &[&str], most: usize) -> String {
    let mut text = names.iter().take(most).copied().collect::<Vec<_>>().join(", ");
    if names.len() > most {
        text.push_str(&format!(" and {} more", names.len() - most));
    }
    text
}

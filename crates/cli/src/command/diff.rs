//! `mimar diff`

mod output;
mod rows;
mod source;

use contract::Change;
use contract::diff::Class;
use serde_json::Value;

use crate::arguments::{Diff, DiffFormat, FailOn};
use crate::failure::Failure;
use crate::screen;
use output::Summary;
use source::{Content, Source};

pub(crate) fn run(arguments: &Diff) -> Result<(), Failure> {
    let new = Source::of(&arguments.new, None, arguments.repository.as_deref());
    let old = Source::of(&arguments.old, Some(&new), arguments.repository.as_deref());
    let (before, after) = (old.content(&arguments.old)?, new.content(&arguments.new)?);
    let rest_only = !matches!((&before, &after), (Content::Model(_), Content::Model(_)));
    let mut changes = match (before, after) {
        (Content::Model(old), Content::Model(new)) => {
            let mut changes = contract::diff(&old, &new, crate::review::today());
            changes.extend(rows::changes(&old, &new));
            changes
        }
        (old, new) => {
            screen::note(
                "a document says nothing of conditions, events and rows: only the REST part is compared",
            );
            documents(arguments, &old.document(), &new.document())?
        }
    };
    contract::diff::sort(&mut changes);
    let fails = changes.iter().any(|change| match arguments.fail_on {
        None => false,
        Some(FailOn::Breaking) => change.kind.class() == Class::Breaking,
        Some(FailOn::Risky) => change.kind.class() != Class::Safe,
    });
    let summary = Summary { counts: count(&changes), rest_only };
    if arguments.quiet {
        changes.retain(|change| change.kind.class() != Class::Safe);
    }
    screen::out(&match arguments.format {
        DiffFormat::Text => output::text(&changes, summary),
        DiffFormat::Json => output::json(&changes, summary),
        DiffFormat::Markdown => output::markdown(&changes, summary),
        DiffFormat::Github => output::github(&changes),
    });
    if fails { Err(Failure::Breaks) } else { Ok(()) }
}

/// The changes between two documents.
fn documents(arguments: &Diff, old: &Value, new: &Value) -> Result<Vec<Change>, Failure> {
    let failed = |place: &String, why: contract::diff::NoDocument| Failure::NoDocument {
        place: place.clone(),
        why: why.to_string(),
    };
    // The one that is none is named.
    for (place, document) in [(&arguments.old, old), (&arguments.new, new)] {
        contract::diff::is_document(document).map_err(|why| failed(place, why))?;
    }
    contract::diff::documents(old, new, crate::review::today())
        .map_err(|why| failed(&arguments.old, why))
}

/// How many changes there are of each class, in the order of [`Class::ALL`].
fn count(changes: &[Change]) -> [usize; 3] {
    Class::ALL.map(|class| changes.iter().filter(|it| it.kind.class() == class).count())
}

//! `mimar diff`

mod output;
mod rows;

use contract::Change;
use contract::diff::Class;

use crate::arguments::{Diff, DiffFormat, FailOn};
use crate::failure::Failure;
use crate::screen;
use crate::source::{Content, Source};
use output::Summary;

pub(crate) fn run(arguments: &Diff) -> Result<(), Failure> {
    let new = Source::of(&arguments.new, None, arguments.repository.as_deref());
    let old = Source::of(&arguments.old, Some(&new), arguments.repository.as_deref());
    let (before, after) = (old.content(&arguments.old)?, new.content(&arguments.new)?);
    let mut changes = before.changes(&after, &arguments.old)?;
    let rest_only = match (&before, &after) {
        (Content::Model(old), Content::Model(new)) => {
            changes.extend(rows::changes(old, new));
            false
        }
        _ => {
            screen::note(
                "a document says nothing of conditions, events and rows: only the REST part is compared",
            );
            true
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

/// How many changes there are of each class, in the order of [`Class::ALL`].
fn count(changes: &[Change]) -> [usize; 3] {
    Class::ALL.map(|class| changes.iter().filter(|it| it.kind.class() == class).count())
}

//! `mimar diff`

pub(crate) mod output;
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
    let (mut changes, summary) = changes(&before, &after, &arguments.old)?;
    if summary.rest_only {
        screen::note(
            "a document says nothing of conditions, events and rows: only the REST part is compared",
        );
    }
    let fails = changes.iter().any(|change| match arguments.fail_on {
        None => false,
        Some(FailOn::Breaking) => change.kind.class() == Class::Breaking,
        Some(FailOn::Risky) => change.kind.class() != Class::Safe,
    });
    if arguments.quiet {
        changes.retain(|change| change.kind.class() != Class::Safe);
    }
    screen::out(&match arguments.format {
        DiffFormat::Text => output::text(&changes, summary),
        DiffFormat::Json => format!("{:#}\n", output::json(&changes, summary)),
        DiffFormat::Markdown => output::markdown(&changes, summary),
        DiffFormat::Github => output::github(&changes),
    });
    if fails { Err(Failure::Breaks) } else { Ok(()) }
}

/// Every change between two sides, the worst first: for callers, and where both are models also for consumers and for the rows. `shown`
/// names the old one.
pub(crate) fn changes(
    old: &Content,
    new: &Content,
    shown: &str,
) -> Result<(Vec<Change>, Summary), Failure> {
    let mut changes = old.changes(new, shown)?;
    let both = match (old, new) {
        (Content::Model(old), Content::Model(new)) => Some((old, new)),
        _ => None,
    };
    if let Some((old, new)) = both {
        changes.extend(rows::changes(old, new));
    }
    contract::diff::sort(&mut changes);
    let summary = Summary { counts: count(&changes), rest_only: both.is_none() };
    Ok((changes, summary))
}

/// How many changes there are of each class, in the order of [`Class::ALL`].
fn count(changes: &[Change]) -> [usize; 3] {
    Class::ALL.map(|class| changes.iter().filter(|it| it.kind.class() == class).count())
}

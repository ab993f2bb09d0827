//! `mimar diff`

mod output;
mod rows;
mod source;

use contract::Change;
use contract::diff::Class;

use crate::arguments::{Diff, DiffFormat, FailOn};
use crate::failure::Failure;
use crate::screen;
use source::Source;

pub(crate) fn run(arguments: &Diff) -> Result<(), Failure> {
    let new = Source::of(&arguments.new, None, arguments.repository.as_deref());
    let old = Source::of(&arguments.old, Some(&new), arguments.repository.as_deref());
    let (old, new) = (old.model(&arguments.old)?, new.model(&arguments.new)?);
    let mut changes = contract::diff(&old, &new, crate::review::today());
    changes.extend(rows::changes(&old, &new));
    contract::diff::sort(&mut changes);
    let fails = changes.iter().any(|change| match arguments.fail_on {
        None => false,
        Some(FailOn::Breaking) => change.kind.class() == Class::Breaking,
        Some(FailOn::Risky) => change.kind.class() != Class::Safe,
    });
    let counted = count(&changes);
    if arguments.quiet {
        changes.retain(|change| change.kind.class() != Class::Safe);
    }
    screen::out(&match arguments.format {
        DiffFormat::Text => output::text(&changes, counted),
        DiffFormat::Json => output::json(&changes, counted),
        DiffFormat::Markdown => output::markdown(&changes, counted),
        DiffFormat::Github => output::github(&changes),
    });
    if fails { Err(Failure::Breaks) } else { Ok(()) }
}

/// How many changes there are of each class, in the order of [`Class::ALL`].
fn count(changes: &[Change]) -> [usize; 3] {
    Class::ALL.map(|class| changes.iter().filter(|it| it.kind.class() == class).count())
}

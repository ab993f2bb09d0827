//! `mimar diff`

pub(crate) mod output;
pub(crate) mod rows;
pub(crate) mod source;

use contract::Change;
use contract::diff::Class;
use model::{Model, Valid};

use crate::arguments::{Diff, DiffFormat, FailOn};
use crate::failure::Failure;
use crate::screen;
use source::Source;

pub(crate) fn run(arguments: &Diff) -> Result<(), Failure> {
    let new = Source::of(&arguments.new, None, arguments.repository.as_deref());
    let old = Source::of(&arguments.old, Some(&new), arguments.repository.as_deref());
    let (old, new) = (old.model(&arguments.old)?, new.model(&arguments.new)?);
    let mut changes = changes(&old, &new);
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
        DiffFormat::Json => format!("{:#}\n", output::json(&changes, counted)),
        DiffFormat::Markdown => output::markdown(&changes, counted),
        DiffFormat::Github => output::github(&changes),
    });
    if fails { Err(Failure::Breaks) } else { Ok(()) }
}

/// Every change between two models, for callers, for consumers and for the rows, the worst first.
pub(crate) fn changes(old: &Valid<Model>, new: &Valid<Model>) -> Vec<Change> {
    let mut changes = contract::diff(old, new, crate::review::today());
    changes.extend(rows::changes(old, new));
    contract::diff::sort(&mut changes);
    changes
}

/// How many changes there are of each class, in the order of [`Class::ALL`].
pub(crate) fn count(changes: &[Change]) -> [usize; 3] {
    Class::ALL.map(|class| changes.iter().filter(|it| it.kind.class() == class).count())
}

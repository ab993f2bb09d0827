//! One fault of each kind, put into clean designs at every place where it can be: how many of them are found.
//!
//! What is a fault is said here and not by the rules: an index is missed if a query or job compares its first field, a
//! condition if it held callers to their own rows. What the language refuses is no matter of the review and not counted.

mod data;
mod running;
mod wrong;

use std::collections::BTreeMap;
use std::ops::Range;

use crate::project::Project;
use syntax::Parse;
use syntax::ast::Item;

/// A clean design, parsed.
pub(crate) struct Clean {
    pub(crate) parse: Parse,
    pub(crate) model: model::Model,
}

/// One fault.
pub(crate) struct Mutation {
    /// Its kind.
    pub(crate) kind: &'static str,
    /// What is replaced, and by what.
    pub(crate) edit: (Range<usize>, String),
    /// The rules that may find it.
    pub(crate) wanted: &'static [&'static str],
}

impl Clean {
    /// All items, those of services included.
    pub(crate) fn items(&self) -> Vec<Item<'_>> {
        let mut all = Vec::new();
        for item in self.parse.tree().items() {
            all.push(item);
            if let Item::Service(service) = item {
                all.extend(service.items());
            }
        }
        all
    }

    pub(crate) fn text(&self) -> &str {
        &self.parse.text
    }

    /// A range together with the blanks before it.
    pub(crate) fn with_blanks(&self, range: Range<usize>) -> Range<usize> {
        self.text()[..range.start].trim_end().len()..range.end
    }
}

/// A fault by which something goes.
pub(crate) fn without(
    kind: &'static str,
    range: Range<usize>,
    wanted: &'static [&'static str],
) -> Mutation {
    Mutation { kind, edit: (range, String::new()), wanted }
}

/// What became of the mutations of one kind.
#[derive(Default)]
struct Tally {
    found: usize,
    refused: usize,
    missed: Vec<String>,
}

#[test]
fn what_is_wrong_is_found() {
    let examples = [
        ("shop", include_str!("../../../../examples/shop/shop.mimar")),
        ("chinook", include_str!("../../../../examples/chinook/chinook.mimar")),
        ("tickets", include_str!("../designs/tickets/app.mimar")),
        ("blog", include_str!("../designs/blog/app.mimar")),
        ("rooms", include_str!("../designs/rooms/app.mimar")),
    ];
    let mut tallies: BTreeMap<&str, Tally> = BTreeMap::new();
    for (name, text) in examples {
        let parse = syntax::parse(syntax::FileId(0), text);
        let (model, found) = model::check(&[&parse]);
        assert!(model::Valid::new(model.clone(), &found).is_some());
        let clean = Clean { parse, model };
        let mut mutations = data::mutations(&clean);
        mutations.extend(running::mutations(&clean));
        mutations.extend(wrong::mutations(&clean));
        for mutation in mutations {
            let tally = tallies.entry(mutation.kind).or_default();
            let (range, replacement) = &mutation.edit;
            let mutant = format!("{}{replacement}{}", &text[..range.start], &text[range.end..]);
            let parse = syntax::parse(syntax::FileId(0), mutant.as_str());
            let project = Project { parses: vec![parse] };
            if project.parses[0].has_errors() {
                tally.refused += 1;
                continue;
            }
            match project.review(&review::Levels::default(), None) {
                Err(_) => tally.refused += 1,
                Ok(report) => {
                    let codes = crate::project::codes(&report);
                    if mutation.wanted.iter().any(|code| codes.contains(code)) {
                        tally.found += 1;
                    } else {
                        let line = text[..range.start].matches('\n').count() + 1;
                        let gone = &text[range.clone()];
                        tally.missed.push(format!("{name}:{line}: {} {codes:?}", gone.trim()));
                    }
                }
            }
        }
    }
    let (mut found, mut total) = (0, 0);
    println!("| fault | put in | found | refused by the language |\n|---|---:|---:|---:|");
    for (kind, tally) in &tallies {
        let all = tally.found + tally.missed.len();
        println!("| {kind} | {all} | {} | {} |", tally.found, tally.refused);
        found += tally.found;
        total += all;
    }
    let recall = 100.0 * found as f64 / total as f64;
    println!("\n{found} of {total} found: {recall:.1} %");
    for (kind, tally) in &tallies {
        for missed in &tally.missed {
            println!("missed: {kind}: {missed}");
        }
    }
    assert!(total > 400, "{total}");
    assert!(recall >= 98.0, "{recall:.1} %");
}

//! The forms of a difference.

use std::fmt::Write as _;

use anstyle::Style;
use contract::Change;
use contract::diff::{Audience, Class};
use serde_json::{Value, json};

use crate::screen::{BOLD, CYAN, DIM, GREEN, RED, YELLOW, styled};

fn style(class: Class) -> Style {
    match class {
        Class::Breaking => RED,
        Class::Risky => YELLOW,
        Class::Safe => GREEN,
    }
}

/// Changes of one class and audience, in their order.
fn groups(changes: &[Change]) -> impl Iterator<Item = (Class, Audience, &[Change])> {
    let key = |it: &Change| (it.kind.class(), it.kind.audience());
    changes.chunk_by(move |a, b| key(a) == key(b)).filter_map(move |group| {
        let (class, audience) = key(group.first()?);
        Some((class, audience, group))
    })
}

/// What is told of all changes together.
#[derive(Clone, Copy)]
pub(crate) struct Summary {
    /// How many there are of each class, in the order of [`Class::ALL`].
    pub(crate) counts: [usize; 3],
    /// Whether documents were compared, which say nothing of consumers and rows.
    pub(crate) rest_only: bool,
}

fn verdict(summary: Summary) -> String {
    let [breaking, risky, safe] = summary.counts;
    if breaking + risky + safe == 0 {
        let whom =
            if summary.rest_only { "callers" } else { "callers, consumers and the database" };
        return format!("nothing has changed for {whom}");
    }
    format!("{breaking} breaking, {risky} risky, {safe} safe")
}

/// For people: in groups, the worst first. What is safe is one line each.
pub(super) fn text(changes: &[Change], summary: Summary) -> String {
    let mut page = String::new();
    for (class, audience, group) in groups(changes) {
        let heading = format!("{} for the {}", class.name(), audience.name());
        let _ = writeln!(page, "{}", styled(style(class), heading));
        let mut last = None;
        for change in group {
            let code = change.code().map_or(String::new(), |code| format!(" {code}"));
            let kind = styled(DIM, format!("({}{code})", change.kind.name()));
            let _ = writeln!(page, "  {} {} {kind}", styled(BOLD, &change.item), change.message);
            // What the last one said of its kind need not be said again.
            if class != Class::Safe && last != Some(change.kind) {
                let _ = writeln!(page, "      why: {}", change.kind.reason());
                let _ = writeln!(page, "      {} {}", styled(CYAN, "instead:"), change.kind.way());
            }
            if change.announced && last != Some(change.kind) {
                page.push_str("      announced by the new version, and the old one is not served beside it (N0117)\n");
            }
            last = Some(change.kind);
        }
        page.push('\n');
    }
    page.push_str(&verdict(summary));
    page.push('\n');
    page
}

/// What breaks others, one line each and at most `most` of them: for who has just saved. Empty where nothing does.
pub(crate) fn breaking(changes: &[Change], most: usize) -> String {
    let breaking: Vec<_> =
        changes.iter().filter(|it| it.kind.class() == Class::Breaking && !it.announced).collect();
    let mut page = String::new();
    for change in breaking.iter().take(most) {
        let heading = format!("breaking for the {}:", change.kind.audience().name());
        let _ = writeln!(
            page,
            "  {} {} {}",
            styled(YELLOW, heading),
            styled(BOLD, &change.item),
            change.message
        );
    }
    if breaking.len() > most {
        let _ = writeln!(page, "  and {} more", breaking.len() - most);
    }
    page
}

/// For programs.
pub(crate) fn json(changes: &[Change], summary: Summary) -> Value {
    let [breaking, risky, safe] = summary.counts;
    let each = changes.iter().map(|it| {
        json!({
            "class": it.kind.class().name(),
            "audience": it.kind.audience().name(),
            "kind": it.kind.name(),
            "code": it.code(),
            "item": it.item,
            "message": it.message,
            "announced": it.announced,
            "reason": it.kind.reason(),
            "instead": Some(it.kind.way()).filter(|way| !way.is_empty()),
        })
    });
    let each: Vec<_> = each.collect();
    let scope = if summary.rest_only { "rest" } else { "all" };
    json!({ "scope": scope, "breaking": breaking, "risky": risky, "safe": safe, "changes": each })
}

/// For a comment under a change.
pub(crate) fn markdown(changes: &[Change], summary: Summary) -> String {
    let mut page = format!("# Changes of the contract\n\n{}\n", sentence(&verdict(summary)));
    for (class, audience, group) in groups(changes) {
        let _ =
            write!(page, "\n## {} for the {}\n\n", sentence_case(class.name()), audience.name());
        page.push_str("| what | change | kind | why | instead |\n|---|---|---|---|---|\n");
        for it in group {
            let code = it.code().map_or(String::new(), |code| format!(" {code}"));
            let _ = writeln!(
                page,
                "| `{}` | {} | `{}`{code} | {} | {} |",
                cell(&it.item),
                cell(&it.message),
                it.kind.name(),
                cell(it.kind.reason()),
                cell(it.kind.way())
            );
        }
    }
    page
}

fn sentence_case(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or(String::new(), |first| first.to_uppercase().chain(letters).collect())
}

fn sentence(text: &str) -> String {
    format!("{}.", sentence_case(text))
}

fn cell(text: &str) -> String {
    text.replace('\n', " ").replace('<', "&lt;").replace('|', "\\|")
}

/// GitHub's workflow commands, one line for each change.
pub(super) fn github(changes: &[Change]) -> String {
    let mut page = String::new();
    for it in changes {
        let level = match it.kind.class() {
            Class::Breaking => "error",
            Class::Risky => "warning",
            Class::Safe => "notice",
        };
        let code = it.code().map_or(String::new(), |code| format!(" {code}"));
        let title = format!(
            "{} for the {}: {}{code}",
            it.kind.class().name(),
            it.kind.audience().name(),
            it.kind.name()
        );
        let mut said = format!("{} {}\n{}", it.item, it.message, it.kind.reason());
        if !it.kind.way().is_empty() {
            let _ = write!(said, "\nInstead: {}", it.kind.way());
        }
        let _ = writeln!(page, "::{level} title={}::{}", property(&title), data(&said));
    }
    page
}

fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

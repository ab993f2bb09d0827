//! What a language model needs to write Mimar, as one text.
//!
//! The text is written by hand around tables that the checker has: what it says of words, types, functions and codes cannot drift. Its
//! blocks are compiled by the tests: `mimar` has no fault, `mimar clean` not even a finding, `mimar bad CODE` exactly that one.

use std::fmt::Write as _;
use std::path::PathBuf;

use model::{Place, Word, words};
use plan::FilterOperator;
use review::Level;
use syntax::{Code, Diagnostic, Severity};

use crate::project::Project;

/// The text; `{{name}}` stands for one of [`TABLES`].
const TEXT: &str = include_str!("agents.md");

/// A name between double braces, and what stands for it.
type Table = (&'static str, fn() -> String);

/// Every table.
const TABLES: [Table; 10] = [
    ("items", || list(Place::Item)),
    ("members", || list(Place::Member)),
    ("modifiers", || list(Place::Modifier)),
    ("statements", || list(Place::Statement)),
    ("types", || list(Place::Type)),
    ("functions", || list(Place::Function)),
    ("filters", filters),
    ("faults", faults),
    ("rules", rules),
    ("deferred", deferred),
];

pub(super) fn text() -> String {
    let mut text = with_faults(TEXT);
    for (name, table) in TABLES {
        text = text.replace(&format!("{{{{{name}}}}}"), table().trim_end());
    }
    text
}

/// What stands before a block that leaves its app out.
const APP: &str = "app Example { version 1  roles customer, clerk, manager }\n";

/// A block as a project of its own.
fn project(block: &str) -> Project {
    let app = if block.contains("app ") { "" } else { APP };
    Project::of(PathBuf::from("."), vec![("block.mimar".to_owned(), format!("{app}{block}"))])
}

/// Below each block that is bad what the compiler says of it.
fn with_faults(text: &str) -> String {
    let (mut told, mut bad) = (String::with_capacity(text.len()), None);
    for line in text.lines() {
        told.push_str(line);
        told.push('\n');
        match &mut bad {
            None if line.starts_with("```mimar bad") => bad = Some(String::new()),
            Some(block) if line == "```" => {
                told.push_str(&faults_of(block));
                bad = None;
            }
            Some(block) => {
                block.push_str(line);
                block.push('\n');
            }
            None => {}
        }
    }
    told
}

/// The errors of a block: code, message, what to do.
fn faults_of(block: &str) -> String {
    let project = project(block);
    let errors = project.diagnostics.iter().filter(|it| it.severity == Severity::Error);
    let told = errors.map(|Diagnostic { code, message, notes, helps, .. }| {
        let more = helps.first().or(notes.first());
        let more = more.map_or(String::new(), |more| format!(" ({more})"));
        format!("{code}: {message}{more}\n")
    });
    told.collect()
}

/// Words with their meanings, one a line.
fn list(place: Place) -> String {
    let line = |Word { name, form, meaning }: Word| {
        // A type or a function is told by its form; of the others the form is an example.
        match place {
            Place::Type | Place::Function => format!("- `{form}`: {meaning}\n"),
            _ if form == name => format!("- `{name}`: {meaning}\n"),
            _ => format!("- `{name}`: {meaning}. `{form}`\n"),
        }
    };
    words(place).into_iter().map(line).collect()
}

fn filters() -> String {
    let forms = FilterOperator::ALL.iter().map(|(operator, word)| match operator {
        FilterOperator::Equal => "`field=value`".to_owned(),
        _ => format!("`field[{word}]=value`"),
    });
    forms.collect::<Vec<_>>().join(", ")
}

/// Codes that fail or warn. What is only a note is told where it is met.
fn faults() -> String {
    let codes = syntax::CODES.iter().chain(model::CODES).filter(|code| !code.id.starts_with('N'));
    let told = |code: &Code| format!("`{}` {}", code.id, code.title);
    codes.map(told).collect::<Vec<_>>().join("; ")
}

/// What is not carried out yet, a code a line.
fn deferred() -> String {
    let notes = model::CODES.iter().filter(|code| code.id.starts_with('N'));
    notes.map(|Code { id, title, .. }| format!("- {id}: {title}\n")).collect()
}

fn rules() -> String {
    let mut text = String::new();
    for group in review::GROUPS {
        let told = group.rules.iter().map(|rule| {
            let level = match rule.level {
                Level::Deny => " (an error)",
                Level::Note => " (a note)",
                Level::Warn | Level::Allow => "",
            };
            format!("`{}` {}{level}", rule.code.id, rule.code.title)
        });
        let _ = writeln!(text, "- {}: {}", group.title, told.collect::<Vec<_>>().join("; "));
    }
    text
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use review::Levels;

    use super::*;
    use crate::command::explain;
    use crate::review as reviewing;

    /// The most bytes that the text may have: about 12,000 tokens, of somewhat less than four bytes each.
    const MOST: usize = 45_000;

    /// The blocks of the text: what their fences say, and what is in them.
    fn blocks() -> Vec<(String, String)> {
        let text = text();
        let mut blocks = Vec::new();
        let mut open: Option<(String, String)> = None;
        for line in text.lines() {
            match (&mut open, line.strip_prefix("```")) {
                (None, Some(fence)) => open = Some((fence.to_owned(), String::new())),
                (Some(_), Some(_)) => blocks.extend(open.take()),
                (Some((_, body)), None) => {
                    body.push_str(line);
                    body.push('\n');
                }
                (None, None) => {}
            }
        }
        assert!(open.is_none(), "a block is not closed");
        blocks
    }

    fn serious<'a>(found: impl IntoIterator<Item = &'a Diagnostic>) -> BTreeSet<&'static str> {
        let found = found.into_iter().filter(|it| it.severity != Severity::Note);
        found.map(|it| it.code).collect()
    }

    #[test]
    fn every_block_is_what_it_says() {
        let (mut wrong, mut counts) = (Vec::new(), [0; 3]);
        for (fence, block) in blocks() {
            let project = project(&block);
            let found = serious(&project.diagnostics);
            let wanted = match fence.as_str() {
                "mimar" => {
                    counts[0] += 1;
                    BTreeSet::new()
                }
                "mimar clean" => {
                    counts[1] += 1;
                    let report = reviewing::of(&project, &Levels::default(), None, None);
                    let findings = serious(report.unwrap_or_default().diagnostics());
                    if !findings.is_empty() {
                        wrong.push(format!("the review finds {findings:?} in\n{block}"));
                    }
                    BTreeSet::new()
                }
                other => {
                    counts[2] += 1;
                    let code =
                        other.strip_prefix("mimar bad ").unwrap_or_else(|| panic!("{other}"));
                    BTreeSet::from([explain::find(code).unwrap().id])
                }
            };
            if found != wanted {
                wrong.push(format!("{found:?}, not {wanted:?}, in\n{block}"));
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
        assert!(counts.iter().all(|count| *count > 0), "{counts:?}");
    }

    #[test]
    fn every_word_is_told() {
        let text = text();
        let told = |word: &str| {
            let is_letter =
                |it: Option<char>| it.is_some_and(|it| it.is_alphanumeric() || it == '_');
            text.match_indices(word).any(|(at, _)| {
                let (before, after) =
                    (text[..at].chars().next_back(), text[at + word.len()..].chars().next());
                !is_letter(before) && !is_letter(after)
            })
        };
        let places = [
            Place::Item,
            Place::Member,
            Place::Modifier,
            Place::Statement,
            Place::Type,
            Place::Function,
        ];
        for word in places.into_iter().flat_map(words) {
            assert!(told(word.name.split(' ').next().unwrap()), "{}", word.name);
        }
        let keywords = syntax::ITEM_KEYWORDS.iter().chain(&syntax::MEMBER_KEYWORDS);
        let untold: Vec<&&str> = keywords.filter(|word| !told(word)).collect();
        assert!(untold.is_empty(), "{untold:?}");
        for rule in review::rules() {
            assert!(text.contains(rule.code.id), "{}", rule.code.id);
        }
        let explained = text.matches("```\nE0").count();
        assert_eq!(explained, text.matches("```mimar bad").count(), "a fault is not told");
        assert!(!text.contains("{{"), "a table has no name");
    }

    #[test]
    fn it_fits_into_the_memory_of_an_agent() {
        let bytes = text().len();
        assert!(bytes < MOST, "{bytes} bytes");
    }
}

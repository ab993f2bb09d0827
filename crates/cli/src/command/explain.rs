//! `mimar explain`

use model::{Place, Word, words};
use syntax::Code;

use crate::arguments::Explain;
use crate::failure::Failure;
use crate::screen::{self, BOLD, CYAN, DIM, styled};

/// Every code there is.
pub(crate) fn codes() -> impl Iterator<Item = &'static Code> {
    let rules = review::rules().map(|rule| &rule.code);
    syntax::CODES.iter().chain(model::CODES).chain(rules)
}

pub(crate) fn run(arguments: &Explain) -> Result<(), Failure> {
    let Some(wanted) = &arguments.code else {
        let list: String =
            codes().map(|code| format!("{}  {}\n", styled(CYAN, code.id), code.title)).collect();
        screen::out(&list);
        return Ok(());
    };
    let text = match find(wanted) {
        Ok(code) if code.docs.starts_with("# ") => page(code.docs),
        Ok(code) => {
            let title = format!("{}: {}", code.id, code.title);
            format!("{}\n\n{}", styled(BOLD, title), page(code.docs))
        }
        Err(unknown) => page(&of_word(wanted).ok_or(unknown)?.page),
    };
    screen::out(&format!("{}\n", text.trim_end()));
    Ok(())
}

/// The places at which words stand, and how people say so.
const PLACES: [(Place, &str); 6] = [
    (Place::Item, "an item"),
    (Place::Member, "in an entity"),
    (Place::Modifier, "behind a field's type"),
    (Place::Statement, "a statement"),
    (Place::Type, "a type"),
    (Place::Function, "a function"),
];

/// What a word of the language means, in Markdown.
pub(crate) struct WordPage {
    pub(crate) name: &'static str,
    /// One line.
    pub(crate) meaning: &'static str,
    pub(crate) page: String,
}

/// What a word means, wherever it may stand.
pub(crate) fn of_word(topic: &str) -> Option<WordPage> {
    let is_meant = |word: &Word| word.name.split(", ").any(|name| name.eq_ignore_ascii_case(topic));
    let found: Vec<(Word, &str)> = every_word().filter(|(word, _)| is_meant(word)).collect();
    let (first, _) = found.first()?;
    let mut page = format!("# {}\n", first.name);
    for (word, place) in &found {
        page.push_str(&format!("\n{place}: {}\n\n```mimar\n{}\n```\n", word.meaning, word.form));
    }
    Some(WordPage { name: first.name, meaning: first.meaning, page: page.trim_end().to_owned() })
}

/// Every word, and where it stands.
pub(crate) fn every_word() -> impl Iterator<Item = (Word, &'static str)> {
    PLACES.into_iter().flat_map(|(place, said)| words(place).into_iter().map(move |it| (it, said)))
}

/// The code of that id, in any letter case, or of the rule of that name.
pub(crate) fn find(wanted: &str) -> Result<&'static Code, Failure> {
    let code = codes().find(|code| code.id.eq_ignore_ascii_case(wanted));
    let code = code.or_else(|| review::rule(wanted).map(|rule| &rule.code));
    code.ok_or_else(|| Failure::UnknownCode {
        code: wanted.to_owned(),
        nearest: syntax::nearest(&wanted.to_uppercase(), codes().map(|code| code.id)),
    })
}

/// A page's Markdown with its headings and examples set off.
fn page(markdown: &str) -> String {
    let mut text = String::new();
    let mut fenced = false;
    for line in markdown.lines() {
        if let Some(fence) = line.strip_prefix("```") {
            fenced = !fenced;
            let label = fence.split(' ').nth(1).unwrap_or("");
            if fenced && !label.is_empty() {
                text.push_str(&styled(DIM, format!("  {label}:")));
                text.push('\n');
            }
        } else if fenced {
            text.push_str("    ");
            text.push_str(&styled(CYAN, line));
            text.push('\n');
        } else if let Some(heading) = line.strip_prefix('#') {
            text.push_str(&styled(BOLD, heading.trim_start_matches('#').trim()));
            text.push('\n');
        } else {
            text.push_str(line);
            text.push('\n');
        }
    }
    text
}

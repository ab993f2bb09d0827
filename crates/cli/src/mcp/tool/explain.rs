//! `explain`

use model::{Place, Word, words};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Answer, Refusal};
use crate::command::explain;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Arguments {
    /// A code (E0405, SEC001), the name of a rule (missing-index), or a word of the language: an item, a member, a modifier, a statement, a
    /// type or a function.
    topic: String,
}

/// A page.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Explanation {
    /// What it is about: the code, or the word.
    topic: String,
    /// One line.
    title: String,
    /// The page, in Markdown.
    page: String,
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

pub(super) fn call(arguments: &Arguments) -> Result<Answer, Refusal> {
    let topic = arguments.topic.trim();
    let explanation = match explain::find(topic) {
        Ok(code) => Explanation {
            topic: code.id.to_owned(),
            title: code.title.to_owned(),
            page: code.docs.trim_end().to_owned(),
        },
        Err(_) => of_word(topic).ok_or_else(|| unknown(topic))?,
    };
    Answer::of(explanation.page.clone(), &explanation)
}

/// What a word means, wherever it may stand.
fn of_word(topic: &str) -> Option<Explanation> {
    let found: Vec<(Word, &str)> = every_word()
        .filter(|(word, _)| name_of(word).split(", ").any(|name| name.eq_ignore_ascii_case(topic)))
        .collect();
    let (first, _) = found.first()?;
    let mut page = format!("# {}\n", name_of(first));
    for (word, place) in &found {
        page.push_str(&format!("\n{place}: {}\n\n```mimar\n{}\n```\n", word.meaning, word.form));
    }
    let page = page.trim_end().to_owned();
    Some(Explanation { topic: name_of(first).to_owned(), title: first.meaning.to_owned(), page })
}

fn every_word() -> impl Iterator<Item = (Word, &'static str)> {
    PLACES.into_iter().flat_map(|(place, said)| words(place).into_iter().map(move |it| (it, said)))
}

fn name_of(word: &Word) -> &'static str {
    word.name
}

fn unknown(topic: &str) -> Refusal {
    let names: Vec<String> =
        every_word().map(|(word, _)| word.name.to_owned()).chain(rule_names()).collect();
    let codes = explain::codes().map(|code| code.id);
    let upper = topic.to_uppercase();
    let nearest = syntax::nearest(&upper, codes)
        .or_else(|| syntax::nearest(topic, names.iter().map(String::as_str)));
    let nearest = nearest.map_or(String::new(), |it| format!("; the nearest is `{it}`"));
    Refusal::new(format!(
        "`{topic}` is no code, no rule and no word of the language{nearest}\n\nThe resource mimar://language has all words and codes, \
         mimar://rules all rules"
    ))
}

fn rule_names() -> impl Iterator<Item = String> {
    review::rules().map(review::Rule::name)
}

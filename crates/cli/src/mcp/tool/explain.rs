//! `explain`

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

pub(super) fn call(arguments: &Arguments) -> Result<Answer, Refusal> {
    let topic = arguments.topic.trim();
    let explanation = match explain::find(topic) {
        Ok(code) => Explanation {
            topic: code.id.to_owned(),
            title: code.title.to_owned(),
            page: code.docs.trim_end().to_owned(),
        },
        Err(_) => {
            let explain::WordPage { name, meaning, page } =
                explain::of_word(topic).ok_or_else(|| unknown(topic))?;
            Explanation { topic: name.to_owned(), title: meaning.to_owned(), page }
        }
    };
    Answer::of(explanation.page.clone(), &explanation)
}

fn unknown(topic: &str) -> Refusal {
    let names: Vec<String> =
        explain::every_word().map(|(word, _)| word.name.to_owned()).chain(rule_names()).collect();
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

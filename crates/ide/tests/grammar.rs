//! The grammar that colours a file before the server has answered has the parser's words, and no others.

#![expect(clippy::unwrap_used, reason = "a test ends where it cannot go on")]

use std::collections::BTreeSet;

const GRAMMAR: &str = include_str!("../../../editors/vscode/syntaxes/mimar.tmLanguage.json");

/// The words of a rule: those between the first `(` that opens no group of another kind, and its `)`.
fn words(rule: &str) -> BTreeSet<String> {
    let grammar: serde_json::Value = serde_json::from_str(GRAMMAR).unwrap();
    let pattern = grammar["repository"][rule]["match"].as_str().unwrap().to_owned();
    let list = pattern.split("\\w])(").nth(1).unwrap().split(')').next().unwrap();
    list.split('|').map(str::to_owned).collect()
}

#[test]
fn its_keywords_are_those_of_the_parser() {
    let of = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<BTreeSet<_>>();
    assert_eq!(words("item"), of(&syntax::ITEM_KEYWORDS));
    assert_eq!(words("member"), of(&syntax::MEMBER_KEYWORDS));
}

//! The queries of editors: each compiles, and the highlights give each keyword one colour with a name that editors know.

use std::collections::{BTreeMap, BTreeSet};

use tree_sitter::{Query, QueryCursor, StreamingIterator};

use crate::agreement::{files, keywords, tree};

const HIGHLIGHTS: &str = tree_sitter_mimar::HIGHLIGHTS_QUERY;

/// Of the names that Neovim (`:help treesitter-highlight-groups`) and Helix share or fall back from.
const COLOURS: [&str; 30] = [
    "boolean",
    "comment",
    "comment.documentation",
    "constant",
    "constant.builtin",
    "function",
    "function.builtin",
    "function.call",
    "keyword",
    "keyword.conditional",
    "keyword.function",
    "keyword.modifier",
    "keyword.operator",
    "keyword.repeat",
    "keyword.return",
    "keyword.type",
    "label",
    "module",
    "number",
    "number.float",
    "operator",
    "property",
    "punctuation.bracket",
    "punctuation.delimiter",
    "string",
    "string.escape",
    "string.special",
    "type",
    "type.builtin",
    "type.definition",
];
const VARIABLES: [&str; 3] = ["variable", "variable.builtin", "variable.parameter"];

fn query(text: &str) -> Query {
    Query::new(&tree_sitter_mimar::LANGUAGE.into(), text).unwrap()
}

/// The colours of each coloured node of a text: what it is, its text, and the names.
fn colours(text: &str) -> BTreeMap<(usize, usize, String), BTreeSet<String>> {
    let (query, tree) = (query(HIGHLIGHTS), tree(text));
    let mut cursor = QueryCursor::new();
    let mut captures = cursor.captures(&query, tree.root_node(), text.as_bytes());
    let mut found: BTreeMap<_, BTreeSet<String>> = BTreeMap::new();
    while let Some((matched, index)) = captures.next() {
        let capture = matched.captures()[*index];
        let key =
            (capture.node.start_byte(), capture.node.end_byte(), capture.node.kind().to_owned());
        let name = query.capture_names()[capture.index as usize].to_owned();
        found.entry(key).or_default().insert(name);
    }
    found
}

#[test]
fn every_query_compiles() {
    for text in [
        HIGHLIGHTS,
        tree_sitter_mimar::INJECTIONS_QUERY,
        tree_sitter_mimar::LOCALS_QUERY,
        tree_sitter_mimar::TAGS_QUERY,
        include_str!("../queries/folds.scm"),
        include_str!("../queries/indents.scm"),
    ] {
        assert!(query(text).pattern_count() > 0);
    }
}

#[test]
fn colours_have_names_that_editors_know() {
    for name in query(HIGHLIGHTS).capture_names() {
        assert!(COLOURS.contains(name) || VARIABLES.contains(name), "@{name}");
    }
}

#[test]
fn every_keyword_is_coloured_as_one_and_every_node_once() {
    let (words, mut seen) = (keywords(), BTreeSet::new());
    // The one word that no file has.
    let half = "entity A { given: String(0..80) was name before \" \" }";
    for (path, text) in files("mimar").into_iter().chain([("half".to_owned(), half.to_owned())]) {
        for ((start, end, kind), names) in colours(&text) {
            assert_eq!(names.len(), 1, "{path}: `{}` is {names:?}", &text[start..end]);
            if names.iter().all(|name| name.starts_with("keyword")) {
                assert!(words.contains(&text[start..end]), "{path}: {kind} at {start}");
                seen.insert(text[start..end].to_owned());
            }
        }
    }
    let values = ["true", "false", "null", "now"];
    let words = words.into_iter().filter(|word| !values.contains(&word.as_str()));
    let missing: Vec<String> = words.filter(|word| !seen.contains(word)).collect();
    assert!(missing.is_empty(), "not coloured in any file: {missing:?}");
    for word in syntax::ITEM_KEYWORDS.iter().chain(&syntax::MEMBER_KEYWORDS) {
        assert!(seen.contains(*word), "{word}");
    }
}

/// In a text without a fault, no name is left without a colour.
#[test]
fn every_name_is_coloured() {
    for (path, text) in files("mimar") {
        let (found, tree) = (colours(&text), tree(&text));
        let mut cursor = tree.walk();
        let mut is_done = tree.root_node().has_error();
        while !is_done {
            let node = cursor.node();
            if matches!(node.kind(), "name" | "name_ref" | "identifier") {
                let key = (node.start_byte(), node.end_byte(), node.kind().to_owned());
                let parent = node.parent().map(|parent| parent.to_sexp());
                assert!(
                    found.contains_key(&key),
                    "{path}: `{}` in {parent:?}",
                    &text[key.0..key.1]
                );
            }
            if cursor.goto_first_child() {
                continue;
            }
            while !cursor.goto_next_sibling() {
                if !cursor.goto_parent() {
                    is_done = true;
                    break;
                }
            }
        }
    }
}

/// The grammar of the other editor, which has no parser, knows each word as well.
#[test]
fn every_keyword_is_in_the_textmate_grammar() {
    let text = include_str!("../../vscode/syntaxes/mimar.tmLanguage.json");
    let grammar: serde_json::Value = serde_json::from_str(text).unwrap();
    let rules = grammar["repository"].as_object().unwrap();
    let patterns = rules.values().filter_map(|rule| rule["match"].as_str());
    // Words between what regular expressions put around them; `\\b` and `\\s` are none.
    let known: BTreeSet<String> = patterns
        .map(|pattern| pattern.replace("\\b", " ").replace("\\s", " ").replace("\\w", " "))
        .flat_map(|pattern| {
            let words = pattern.split(|letter: char| !letter.is_ascii_lowercase());
            words.map(str::to_owned).collect::<Vec<_>>()
        })
        .collect();
    let missing: Vec<String> =
        keywords().into_iter().filter(|word| !known.contains(word)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

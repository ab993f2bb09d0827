//! Where the compiler's parser finds no fault, tree-sitter finds none, and both build the same tree.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use syntax::{FileId, Parse};

/// A node: its kind as the grammar names it, the offsets of its first byte and behind its last.
type Seen = (String, usize, usize);

pub(crate) fn tree(text: &str) -> tree_sitter::Tree {
    let mut parser = tree_sitter::Parser::new();
    parser.set_language(&tree_sitter_mimar::LANGUAGE.into()).unwrap();
    parser.parse(text, None).unwrap()
}

/// What the compiler sees, in order; `None` where it finds a fault.
fn by_compiler(text: &str) -> Option<Vec<Seen>> {
    let parse = syntax::parse(FileId(0), text);
    if parse.has_errors() {
        return None;
    }
    Some(nodes(&parse))
}

fn nodes(parse: &Parse) -> Vec<Seen> {
    let mut seen = Vec::new();
    let mut half = 0;
    for node in &parse.nodes[1..] {
        let kind = snake_case(&format!("{:?}", node.kind));
        // The word of a half is a keyword to an editor.
        if kind == "half" {
            half = node.end_node;
        } else if kind == "name_ref"
            && (seen.len() as u32) < half
            && seen.last().is_some_and(|(last, ..): &Seen| last == "half")
        {
            continue;
        }
        // A node may end in front of trivia, never behind it.
        let mut last = node.end_token - 1;
        while parse.token_kind(last).is_trivia() && last > node.first_token {
            last -= 1;
        }
        let start = parse.token_span(node.first_token).start;
        seen.push((kind, start as usize, parse.token_span(last).end as usize));
    }
    seen
}

/// What tree-sitter sees, without what the compiler has no nodes for, and the first place it does not understand.
fn by_tree_sitter(text: &str) -> (Vec<Seen>, Option<String>) {
    let tree = tree(text);
    let (mut seen, mut wrong) = (Vec::new(), None);
    let mut cursor = tree.walk();
    loop {
        let node = cursor.node();
        if (node.is_error() || node.is_missing()) && wrong.is_none() {
            let line = node.start_position().row;
            wrong = Some(format!("line {}: {}", line + 1, text.lines().nth(line).unwrap_or("")));
        }
        if node.is_named() && node.parent().is_some() {
            let kind = match node.kind() {
                "integer" | "decimal" | "string" | "duration" | "size" | "rate" | "percent"
                | "boolean" | "null" | "now" => Some("literal"),
                "identifier" | "string_content" | "escape_sequence" | "placeholder" | "comment"
                | "doc_comment" | "period" => None,
                kind => Some(kind),
            };
            seen.extend(kind.map(|kind| (kind.to_owned(), node.start_byte(), node.end_byte())));
        }
        if cursor.goto_first_child() {
            continue;
        }
        while !cursor.goto_next_sibling() {
            if !cursor.goto_parent() {
                return (seen, wrong);
            }
        }
    }
}

fn snake_case(name: &str) -> String {
    let mut snake = String::new();
    for letter in name.chars() {
        if letter.is_ascii_uppercase() && !snake.is_empty() {
            snake.push('_');
        }
        snake.push(letter.to_ascii_lowercase());
    }
    snake
}

/// Whether the compiler finds no fault; then tree-sitter has to find none, and the same nodes.
fn agree(text: &str) -> Result<bool, String> {
    let Some(expected) = by_compiler(text) else { return Ok(false) };
    let (seen, wrong) = by_tree_sitter(text);
    if let Some(wrong) = wrong {
        return Err(format!("tree-sitter does not understand {wrong}"));
    }
    let Some(at) =
        (0..expected.len().max(seen.len())).find(|at| expected.get(*at) != seen.get(*at))
    else {
        return Ok(true);
    };
    let shown = |seen: Option<&Seen>| {
        seen.map_or_else(
            || "nothing".to_owned(),
            |(kind, start, end)| format!("{kind} `{}`", &text[*start..*end]),
        )
    };
    Err(format!(
        "the compiler sees {}, tree-sitter {}",
        shown(expected.get(at)),
        shown(seen.get(at))
    ))
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// All files of the repository with that extension, by path.
pub(crate) fn files(extension: &str) -> Vec<(String, String)> {
    fn visit(folder: &Path, extension: &str, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            let (path, name) = (entry.path(), entry.file_name());
            if entry.file_type().unwrap().is_dir() {
                if name != "target"
                    && name != "node_modules"
                    && !name.as_encoded_bytes().starts_with(b".")
                {
                    visit(&path, extension, found);
                }
            } else if path.extension().is_some_and(|found| found == extension) {
                found.push(path);
            }
        }
    }
    let mut found = Vec::new();
    visit(&root(), extension, &mut found);
    found.sort();
    let named = |path: PathBuf| {
        (
            path.strip_prefix(root()).unwrap().display().to_string(),
            fs::read_to_string(&path).unwrap(),
        )
    };
    found.into_iter().map(named).collect()
}

/// The blocks of Mimar in a page.
fn blocks(page: &str) -> Vec<String> {
    let mut blocks = Vec::new();
    let mut open: Option<String> = None;
    for line in page.lines() {
        match &mut open {
            None if line.trim_start().starts_with("```mimar") => open = Some(String::new()),
            None => {}
            Some(_) if line.trim_start().starts_with("```") => blocks.extend(open.take()),
            Some(block) => {
                block.push_str(line);
                block.push('\n');
            }
        }
    }
    blocks
}

/// Whether all agree; the faults of those that do not, and how many the compiler took.
fn check(texts: impl IntoIterator<Item = (String, String)>) -> usize {
    let (mut taken, mut faults) = (0, Vec::new());
    for (name, text) in texts {
        match agree(&text) {
            Ok(is_taken) => taken += usize::from(is_taken),
            Err(fault) => faults.push(format!("{name}: {fault}")),
        }
    }
    assert!(faults.is_empty(), "{} faults\n{}", faults.len(), faults.join("\n"));
    taken
}

#[test]
fn on_every_file_of_the_repository() {
    let files = files("mimar");
    let all = files.len();
    let taken = check(files);
    assert!(taken >= 20 && taken * 10 >= all * 9, "{taken} of {all}");
}

#[test]
fn on_every_block_of_the_pages() {
    let pages = files("md").into_iter();
    let blocks = pages
        .flat_map(|(name, page)| blocks(&page).into_iter().map(move |block| (name.clone(), block)));
    let taken = check(blocks);
    assert!(taken >= 200, "{taken}");
}

/// Every example of the reference, as an item, a member of an entity or a statement: whichever it is.
#[test]
fn on_the_examples_of_the_reference() {
    let page = fs::read_to_string(root().join("docs/language.md")).unwrap();
    let examples: BTreeSet<&str> =
        page.lines().flat_map(|line| line.split('`').skip(1).step_by(2)).collect();
    let mut texts = Vec::new();
    for example in examples {
        for (before, after) in [
            ("", ""),
            ("entity A {\n", "\n}"),
            ("command a() {\n", "\n}"),
            ("command a() { let b = ", "\n}"),
        ] {
            texts.push((example.to_owned(), format!("{before}{example}{after}")));
        }
    }
    let taken = check(texts);
    assert!(taken >= 100, "{taken}");
}

/// Every word that the grammar knows, as the name of whatever may have one.
#[test]
fn on_keywords_as_names() {
    let words = keywords();
    assert!(
        words.len() > 120 && words.contains("entity") && words.contains("sensitive"),
        "{words:?}"
    );
    // Item by item: some words may not have some names, for the compiler neither.
    let items: Vec<(String, String)> = words
        .iter()
        .flat_map(|word| items(&names(word)).into_iter().map(|item| (word.clone(), item)))
        .collect();
    let all = items.len();
    let taken = check(items);
    assert!(taken * 10 >= all * 8, "{taken} of {all}");
}

/// Cuts a text before each line that begins an item.
fn items(text: &str) -> Vec<String> {
    let mut items: Vec<String> = Vec::new();
    for line in text.lines() {
        match items.last_mut() {
            Some(item) if line.starts_with([' ', '}', ')']) || line.is_empty() => {
                item.push('\n');
                item.push_str(line);
            }
            _ => items.push(line.to_owned()),
        }
    }
    items
}

/// The strings of `src/grammar.json` that are words, and those that the scanner reads.
pub(crate) fn keywords() -> BTreeSet<String> {
    fn visit(rule: &serde_json::Value, words: &mut BTreeSet<String>) {
        match rule {
            serde_json::Value::Array(rules) => rules.iter().for_each(|rule| visit(rule, words)),
            serde_json::Value::Object(members) => {
                let text = rule["value"].as_str().unwrap_or("");
                let is_word = text.starts_with(|first: char| first.is_ascii_lowercase());
                if (rule["type"] == "STRING" || rule["named"] == false) && is_word {
                    words.insert(text.to_owned());
                }
                members.values().for_each(|rule| visit(rule, words));
            }
            _ => {}
        }
    }
    let grammar: serde_json::Value =
        serde_json::from_str(include_str!("../src/grammar.json")).unwrap();
    let mut words = BTreeSet::new();
    visit(&grammar["rules"], &mut words);
    words
}

fn names(word: &str) -> String {
    format!(
        "app {word} {{ version 1 roles {word}, b
  surface {word} }}
auth {{ users {word} by {word} as {word}, b  oidc {word} {{ issuer env {word} }} }}
service {word} {{
}}
entity {word} part of {word} as {word} (1..2) was {word} {{
  key {word}: Uuid
  other: Int = 0
  {word}2: {word} := .{word} + 1 deprecated \"x\"
  {word}: Int pii
  {word}: Int unique
  {word}: Int was {word}
  {word}: enum {{ {word}, b }} = {word}
  last: Int := .a
  {word}: Int on delete {word}
  deprecated \"x\"

  index ({word}, -other)
  unique (other, {word})
  unique (
    {word}
    b
  )
  check .{word} > 0 and other.{word} == sum(lines, .{word}) or {word} in ({word}, b)
  flow {word} {{ {word} -> b  b -> {word} }}
  allow read {word} to {word}
  allow update a, {word}, read a to b, {word} when {word}
  privacy retain 1d after {word}.{word}, subject
  audit
}}
record Each {{
  first: Int
  {word}: Int
  {word}: Int {word}: Int
  last: Bool
}}
enum {word} {{
  a
  {word}
  b was {word}, {word}
}}
error {word} 409 \"x\"
query {word}({word}: Thing, b: Thing
  {word}: String({word})
) -> {word}.{word} {{
  where .{word} == {word} or .b == b
  sort .{word}
  allow {word}
}}
command go({word}: {word}, other: Int) {{
  let done = {word}
  create Thing {{ {word}, other: {word}.{word} }}
  update {word} {{
    a: b
    {word}: 1,
    other
  }}
  let {word} = run {word}({word}, b) later
  run go(
    {word},
    other
  )
  require {word} else {word}
  for {word} in {word} where {word} {{ emit {word} {{ {word}: {word} }} }}
  if {word} {{ return {word} }} else {{ return }}
  return {word}
}}
event {word} by {word} {{ {word}: Int  allow read, create to {word} }}
on {word} run {word}({word})
webhook {word} {{ sends {word}, {word}.{word} sign {word} }}
workflow {word}() on {word} {{ step {word} {{ call {word}.{word}({word}) }} }}
job {word} every 10m catch up {word} {{ }}
limit {word} 10 per 1m by {word}
slo {word} 99%
external {word} {{ get {word} \"/\" -> {word}?  put a \"/\" {{ {word}: Int }} }}
load {word} {{ {word} 10 rows  {word} 10/s peak 20/s  {word}.{word} 10/s }}
environment {word} {{ store {word} env {word}  cloud {word} {word}-1  budget 1 {word} per {word}  deploy {word} x 1.. }}
decision \"x\" {{ criteria {word} 1, b 2  option {word} {{ {word} 1 }} chosen {word} because \"y\" }}
"
    )
}

/// Programs that somebody is in the middle of: files with lines deleted, doubled, swapped, joined, broken and borrowed.
#[test]
fn on_files_with_changed_lines() {
    let files: Vec<Vec<String>> = files("mimar")
        .into_iter()
        .map(|(_, text)| text.lines().map(str::to_owned).collect())
        .collect();
    let taken = std::cell::Cell::new(0);
    let mut runner =
        TestRunner::new(Config { cases: 2_000, failure_persistence: None, ..Config::default() });
    let change = (
        0..7_u8,
        any::<prop::sample::Index>(),
        any::<prop::sample::Index>(),
        any::<prop::sample::Index>(),
    );
    let changes = (any::<prop::sample::Index>(), prop::collection::vec(change, 1..5));
    let done = runner.run(&changes, |(file, changes)| {
        let mut lines = file.get(&files).clone();
        for (kind, at, to, other) in changes {
            let (at, to) = (at.index(lines.len()), to.index(lines.len()));
            match kind {
                0 => drop(lines.remove(at)),
                1 => lines.insert(to, lines[at].clone()),
                2 => lines.swap(at, to),
                3 if at + 1 < lines.len() => {
                    let next = lines.remove(at + 1);
                    // Behind a comment everything is one.
                    if !lines[at].contains("//") {
                        lines[at] = format!("{} {}", lines[at], next.trim_start());
                    }
                }
                4 => {
                    let blanks: Vec<usize> =
                        lines[at].match_indices(' ').map(|(blank, _)| blank).collect();
                    if !blanks.is_empty() {
                        let rest = lines[at].split_off(*other.get(&blanks));
                        lines.insert(at + 1, rest);
                    }
                }
                5 => {
                    let borrowed: &Vec<String> = other.get(&files);
                    lines.insert(to, other.get(borrowed).clone());
                }
                _ => {
                    let words: Vec<&str> = lines[at].split_inclusive(' ').collect();
                    if !words.is_empty() {
                        let skipped = other.index(words.len());
                        let kept = words.iter().enumerate().filter(|(index, _)| *index != skipped);
                        lines[at] = kept.map(|(_, word)| *word).collect();
                    }
                }
            }
            if lines.is_empty() {
                lines.push(String::new());
            }
        }
        let text = lines.join("\n");
        let is_taken =
            agree(&text).map_err(|fault| TestCaseError::fail(format!("{fault}\nin\n{text}")))?;
        taken.set(taken.get() + u32::from(is_taken));
        Ok(())
    });
    if let Err(fault) = done {
        panic!("{fault}");
    }
    assert!(taken.get() > 200, "only {} programs were without a fault", taken.get());
}

/// A comment is part of no node that ends in front of it: behind each line, and on a line of its own behind each.
#[test]
fn with_comments_everywhere() {
    for comment in [" // why", "\n// why", "\n/// Why."] {
        let taken = check(files("mimar").into_iter().map(|(name, text)| {
            let lines: Vec<String> = text
                .lines()
                // Behind a comment everything is one.
                .map(|line| {
                    let is_comment = line.contains("//") && !comment.starts_with('\n');
                    format!("{line}{}", if is_comment { "" } else { comment })
                })
                .collect();
            (name, lines.join("\n"))
        }));
        assert!(taken >= 20, "{taken} with `{comment}`");
    }
}

#[test]
fn with_the_line_ends_of_windows() {
    let taken =
        check(files("mimar").into_iter().map(|(name, text)| (name, text.replace('\n', "\r\n"))));
    assert!(taken >= 20, "{taken}");
}

/// An editor does not parse anew: what it keeps of the old tree must fit the new text.
#[test]
fn a_tree_that_was_edited_is_that_of_the_text() {
    let mut parser = tree_sitter::Parser::new();
    parser.set_language(&tree_sitter_mimar::LANGUAGE.into()).unwrap();
    for (name, text) in files("mimar") {
        let old = parser.parse(&text, None).unwrap();
        let mut start = 0;
        for (row, line) in text.split_inclusive('\n').enumerate() {
            let end = start + line.len();
            let edited = format!("{}{}", &text[..start], &text[end..]);
            let mut tree = old.clone();
            tree.edit(&tree_sitter::InputEdit {
                start_byte: start,
                old_end_byte: end,
                new_end_byte: start,
                start_position: tree_sitter::Point::new(row, 0),
                old_end_position: tree_sitter::Point::new(row + 1, 0),
                new_end_position: tree_sitter::Point::new(row, 0),
            });
            let again = parser.parse(&edited, Some(&tree)).unwrap();
            let anew = parser.parse(&edited, None).unwrap();
            // How a fault is mended may hang on what was there before.
            if !anew.root_node().has_error() {
                let (again, anew) = (again.root_node().to_sexp(), anew.root_node().to_sexp());
                assert_eq!(again, anew, "{name}:{} deleted", row + 1);
            }
            start = end;
        }
    }
}

//! Formatting: a fixed point, a function of tokens and line structure alone, and nothing is lost.

use proptest::prelude::*;
use syntax::{FileId, TokenKind, format, parse};

const SHOP: &str = include_str!("../../../examples/shop/shop.mimar");
const ALL: &str = include_str!("all.mimar");
const CHINOOK: &str = include_str!("../../../examples/chinook/chinook.mimar");

fn formatted(text: &str) -> String {
    let source = |_| Some(syntax::Source { path: "test.mimar", text });
    let (formatted, errors) = match format(&parse(FileId(0), text)) {
        Ok(formatted) => (formatted, Vec::new()),
        Err(errors) => (String::new(), errors),
    };
    assert_eq!(syntax::render(&errors, source, syntax::Look::default()), "");
    formatted
}

/// The tokens that mean something.
fn words(text: &str) -> Vec<String> {
    of_kind(text, |kind| !kind.is_trivia() && kind != TokenKind::End)
}

fn comments(text: &str) -> Vec<String> {
    of_kind(text, |kind| matches!(kind, TokenKind::Comment | TokenKind::DocComment))
}

fn of_kind(text: &str, accept: impl Fn(TokenKind) -> bool) -> Vec<String> {
    let parse = parse(FileId(0), text);
    (0..parse.tokens.len() as u32)
        .filter(|index| accept(parse.token_kind(*index)))
        .map(|index| parse.token_text(index).trim_end().to_owned())
        .collect()
}

/// What must hold for every text that parses.
fn check(text: &str) -> String {
    let once = formatted(text);
    assert_eq!(words(text), words(&once), "tokens");
    assert_eq!(comments(text), comments(&once), "comments");
    let twice = formatted(&once);
    assert!(once == twice, "formatted twice: {}", difference(&once, &twice));
    assert!(!once.contains("\n\n\n"), "{once}");
    assert!(once.lines().all(|line| line.trim_end() == line), "{once}");
    once
}

/// The first line that differs.
fn difference(left: &str, right: &str) -> String {
    let pair = left.lines().zip(right.lines()).find(|(left, right)| left != right);
    format!("{pair:?} of {} and {} lines", left.lines().count(), right.lines().count())
}

#[test]
fn examples_are_fixed_points() {
    assert_eq!(check(SHOP), SHOP);
    assert_eq!(check(ALL), ALL);
    assert_eq!(check(CHINOOK), CHINOOK);
}

#[test]
fn errors_are_refused() {
    let parse = parse(FileId(0), "entity A {\n  key id Uuid\n}\n");
    let errors = format(&parse).unwrap_err();
    assert_eq!(errors.len(), 1);
    assert_eq!(errors[0].code, "E0105");
}

#[test]
fn white_space_within_a_line_changes_nothing() {
    for text in [SHOP, ALL] {
        assert_eq!(formatted(&respaced(text, |_| " ".to_owned())), text);
        assert_eq!(formatted(&respaced(text, |at| " ".repeat(1 + at % 5))), text);
        assert_eq!(formatted(&text.replace('\n', "\r\n")), text);
        assert_eq!(formatted(&text.replace('\n', "  \n\t")), text);
    }
}

/// Replaces the white space inside of lines, and drops the indent.
fn respaced(text: &str, space: impl Fn(usize) -> String) -> String {
    let parse = parse(FileId(0), text);
    let mut out = String::new();
    for index in 0..parse.tokens.len() as u32 {
        let text = parse.token_text(index);
        if parse.token_kind(index) != TokenKind::Whitespace {
            out.push_str(text);
        } else if text.contains('\n') {
            out.push_str(text.trim_end_matches(' '));
        } else {
            out.push_str(&space(index as usize));
        }
    }
    out
}

#[test]
fn long_bodies_break() {
    let long = "a_name_that_is_rather_long: String(1..200)  ".repeat(3);
    let out = check(&format!("record Long {{ {long} }}"));
    assert_eq!(out.lines().count(), 5, "{out}");
    let out = check(&format!(
        "command a({}) {{ allow system }}",
        "a_parameter: String(1..20), ".repeat(6)
    ));
    assert!(out.lines().all(|line| line.chars().count() <= 120), "{out}");
}

#[test]
fn a_return_may_stand_without_a_value() {
    for (text, out) in [
        ("command a() { return }", "command a() { return }\n"),
        (
            "command a() { if x {return} else{ return} }",
            "command a() { if x { return } else { return } }\n",
        ),
        (
            "command a() {\n  if x { return }\n  return\n}\n",
            "command a() {\n  if x { return }\n  return\n}\n",
        ),
        (
            "command a() {\n  return // so\n  delete b\n}\n",
            "command a() {\n  return   // so\n  delete b\n}\n",
        ),
        ("command a() {\n  return\n    b\n}\n", "command a() {\n  return b\n}\n"),
    ] {
        assert_eq!(check(text), out);
    }
}

#[test]
fn jobs_say_how_they_catch_up() {
    let out = "job a every 10m jitter 5s catch up all { run b() }\n";
    assert_eq!(check("job a every 10m jitter   5s\ncatch up\n all {run b()}"), out);
}

/// Puts a comment before token number `at`.
fn with_comment(text: &str, at: usize, comment: &str) -> String {
    let parse = parse(FileId(0), text);
    let tokens: Vec<u32> = (0..parse.tokens.len() as u32)
        .filter(|index| !parse.token_kind(*index).is_trivia())
        .collect();
    let start = parse.token_span(tokens[at % tokens.len()]).start as usize;
    format!("{}{comment}{}", &text[..start], &text[start..])
}

#[test]
fn a_comment_may_stand_anywhere() {
    for text in [SHOP, ALL] {
        let count = words(text).len();
        for at in 0..count {
            let comment = ["// one\n", "\n// own line\n", "\n\n// apart\n\n"][at % 3];
            let changed = with_comment(text, at, comment);
            // A comment breaks the line, and at a few places a broken line is a fault.
            if !parse(FileId(0), changed.as_str()).has_errors() {
                check(&changed);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn mutated_white_space(seed in proptest::collection::vec(0..12_u8, 64), all in any::<bool>()) {
        let text = if all { ALL } else { SHOP };
        let parse = parse(FileId(0), text);
        let mut out = String::new();
        for index in 0..parse.tokens.len() as u32 {
            let token = parse.token_text(index);
            let kind = parse.token_kind(index);
            let choice = seed[(index as usize * 7 + index as usize / 64) % seed.len()];
            if kind == TokenKind::Whitespace {
                let follows_comment = index > 0 && matches!(
                    parse.token_kind(index - 1), TokenKind::Comment | TokenKind::DocComment);
                match choice {
                    0 => out.push('\n'),
                    1 => out.push_str("\n\n\n"),
                    2 if !follows_comment => out.push(' '),
                    3 => out.push_str("\n\t "),
                    4 => out.push_str(" // a comment\n"),
                    5 => out.push_str("\n  // its own line\n\n"),
                    _ => out.push_str(token),
                }
                // A comment must stay one.
                if follows_comment && !out.ends_with('\n') && !token.contains('\n') {
                    out.push('\n');
                }
            } else {
                out.push_str(token);
            }
        }
        if !syntax::parse(FileId(0), out.as_str()).has_errors() {
            check(&out);
        }
    }

    #[test]
    fn few_mutations(places in proptest::collection::vec((0..3000_usize, 0..6_usize), 1..6), all in any::<bool>()) {
        let mut text = if all { ALL } else { SHOP }.to_owned();
        for (at, what) in places {
            let change = ["// c\n", "\n", "\n\n", "/// d\n", "\n// e\n", "   "][what];
            text = with_comment(&text, at, change);
        }
        if !parse(FileId(0), text.as_str()).has_errors() {
            check(&text);
        }
    }
}

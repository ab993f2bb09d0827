//! Every page explains its code: its bad example is reported under exactly it, its good one is clean; and every
//! code that the source reports has a page.

use std::collections::BTreeSet;

use syntax::{FileId, parse};

/// What an example needs around it.
fn with_app(text: &str) -> String {
    if text.lines().any(|line| line.starts_with("app ") || line == "// no app here") {
        return text.to_owned();
    }
    format!("app Example {{\n  version 1\n  roles customer, clerk\n}}\n\n{text}")
}

/// The codes of the faults, or where it is about those, of the notes.
fn found(text: &str, id: &str) -> BTreeSet<&'static str> {
    let text = with_app(text);
    let parse = parse(FileId(0), text.as_str());
    assert_eq!(parse.diagnostics, [], "{id}: {text}");
    let (model, diagnostics) = model::check(&[&parse]);
    let codes: BTreeSet<_> = diagnostics.iter().map(|fault| fault.code).collect();
    if id.starts_with('N') {
        assert!(codes.is_empty(), "{id}: {codes:?} for {text}");
        return model::deferred(&model).iter().map(|note| note.code).filter(|c| *c == id).collect();
    }
    codes
}

#[test]
fn pages_are_complete_and_their_examples_true() {
    let mut wrong = Vec::new();
    for code in model::CODES {
        for part in [&format!("# {}: ", code.id), "\n## What\n", "\n## Why\n", "\n## Fix\n"] {
            assert!(code.docs.contains(part), "{} lacks {part:?}", code.id);
        }
        let examples = code.examples();
        for wanted in [true, false] {
            assert!(examples.iter().any(|(good, _)| *good == wanted), "{}: examples", code.id);
        }
        for (good, text) in examples {
            let wanted = if good { BTreeSet::new() } else { BTreeSet::from([code.id]) };
            let found = found(&text, code.id);
            if found != wanted {
                wrong.push(format!(
                    "{} ({}): {found:?} for\n{text}",
                    code.id,
                    if good { "good" } else { "bad" }
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// One example is not all that a note is about.
#[test]
fn a_note_is_made_wherever_something_is_not_carried_out() {
    let users = "auth { users Customer by email as customer }\n\
                 entity Customer { key id: Uuid  email: Email unique }";
    for (id, text) in [
        ("N0114", users),
        ("N0114", "auth { oidc google { issuer \"https://accounts.example\" } }"),
        ("N0116", "environment production { store sqlite \"app.db\"  budget 60 USD per month }"),
    ] {
        assert_eq!(found(text, id), BTreeSet::from([id]), "{text}");
    }
}

#[test]
fn codes_are_in_order_and_each_is_reported_somewhere() {
    let registered: Vec<&str> = model::CODES.iter().map(|code| code.id).collect();
    let ordered: BTreeSet<&str> = registered.iter().copied().collect();
    assert_eq!(registered, ordered.iter().copied().collect::<Vec<_>>());
    let mut reported = BTreeSet::new();
    let source = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for folder in [source.clone(), source.join("check")] {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() || path.ends_with("codes.rs") {
                continue;
            }
            let text = std::fs::read_to_string(path).unwrap();
            for (at, _) in text.match_indices('"') {
                let Some(id) = text.get(at + 1..at + 7) else { continue };
                let bytes = id.as_bytes();
                let is_code = matches!(bytes, [b'E' | b'W' | b'N', digits @ .., b'"']
                    if digits.iter().all(u8::is_ascii_digit));
                if is_code {
                    reported.insert(id.trim_end_matches('"').to_owned());
                }
            }
        }
    }
    let ordered: BTreeSet<String> = ordered.into_iter().map(str::to_owned).collect();
    assert_eq!(ordered, reported);
}

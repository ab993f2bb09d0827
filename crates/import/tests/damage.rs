//! Whatever a script has become on its way: the import ends, and what it writes is a model.

#![expect(clippy::unwrap_used, reason = "a test ends where it cannot go on")]

use std::fs;
use std::path::Path;

use import::Dialect;
use proptest::prelude::*;
use syntax::Severity;

fn fixture(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name))
        .unwrap()
}

/// The model of a text has no faults but that it may be empty.
fn holds(sql: &str, dialect: Dialect) {
    let imported = import::import(sql, dialect, "damaged");
    let parse = syntax::parse(syntax::FileId(0), imported.text.as_str());
    let (_, mut found) = model::check(&[&parse]);
    found.extend(parse.diagnostics.iter().cloned());
    let faults: Vec<&str> = found
        .iter()
        .filter(|diagnostic| diagnostic.severity == Severity::Error)
        .map(|diagnostic| diagnostic.message.as_str())
        .collect();
    assert!(faults.is_empty(), "{faults:?}\n{}\n{sql}", imported.text);
}

/// A piece of a text, at boundaries of characters.
fn piece(text: &str, from: usize, to: usize) -> &str {
    let at = |mut at: usize| {
        at = at.min(text.len());
        while !text.is_char_boundary(at) {
            at -= 1;
        }
        at
    };
    let (from, to) = (at(from.min(to)), at(from.max(to)));
    &text[from..to]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_damaged_script_is_imported_as_far_as_it_goes(
        postgres in any::<bool>(),
        cuts in proptest::collection::vec((0_usize..9_000, 0_usize..60), 0..8),
        noise in proptest::collection::vec((0_usize..9_000, "[ -~é\\n]{0,6}"), 0..6),
    ) {
        let (name, dialect) = if postgres {
            ("odd-postgresql.sql", Dialect::Postgres)
        } else {
            ("odd-sqlite.sql", Dialect::Sqlite)
        };
        let mut sql = fixture(name);
        for (at, length) in cuts {
            sql = format!("{}{}", piece(&sql, 0, at), piece(&sql, at + length, sql.len()));
        }
        for (at, text) in noise {
            sql = format!("{}{text}{}", piece(&sql, 0, at), piece(&sql, at, sql.len()));
        }
        holds(&sql, dialect);
    }

    #[test]
    fn what_is_no_script_is_no_trouble(text in "(?s).{0,200}", postgres in any::<bool>()) {
        holds(&text, if postgres { Dialect::Postgres } else { Dialect::Sqlite });
    }
}

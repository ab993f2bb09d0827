//! Every page explains its code: its bad example is reported under it, its good one is clean.

use syntax::{CODES, FileId, parse};

#[test]
fn pages_are_complete_and_their_examples_true() {
    let mut last = "";
    for code in CODES {
        assert!(last < code.id, "{} is out of order", code.id);
        last = code.id;
        for part in [&format!("# {}: ", code.id), "\n## What\n", "\n## Why\n", "\n## Fix\n"] {
            assert!(code.docs.contains(part), "{} lacks {part:?}", code.id);
        }
        let examples = code.examples();
        for wanted in [true, false] {
            assert!(examples.iter().any(|(good, _)| *good == wanted), "{}: examples", code.id);
        }
        for (good, text) in examples {
            let parse = parse(FileId(0), text.as_str());
            let codes: Vec<_> = parse.diagnostics.iter().map(|found| found.code).collect();
            if good {
                assert_eq!(codes, [""; 0], "{}: {text}", code.id);
            } else {
                assert!(codes.contains(&code.id), "{}: {codes:?} for {text}", code.id);
            }
        }
    }
    assert_eq!(syntax::explain("e0101").map(|code| code.id), Some("E0101"));
    assert!(syntax::explain("E9999").is_none());
}

//! JUnit's XML: each diagnostic a test case, so that any server shows it.

use std::fmt::Write as _;

use syntax::Severity;

use super::{Outcome, whole};

/// One suite. Errors and warnings are failures; notes are cases that passed, with their text as output.
#[must_use]
pub fn junit(outcome: &Outcome<'_>) -> String {
    let total = outcome.diagnostics.len().max(1);
    let is_failure = |severity| severity != Severity::Note;
    let failures = outcome.diagnostics.iter().filter(|it| is_failure(it.severity)).count();
    let mut text = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let _ = writeln!(text, "<testsuites tests=\"{total}\" failures=\"{failures}\">");
    let _ = writeln!(
        text,
        "  <testsuite name=\"mimar check\" tests=\"{total}\" failures=\"{failures}\">"
    );
    if outcome.diagnostics.is_empty() {
        text.push_str("    <testcase classname=\"mimar\" name=\"check\"/>\n");
    }
    for (diagnostic, path) in outcome.each() {
        let place = outcome.locate(diagnostic.primary.span);
        let at = place.as_ref().map_or(String::new(), |it| format!("{}:{}", it.file, it.line));
        let name = if path.is_empty() { &at } else { path };
        let _ = write!(
            text,
            "    <testcase classname=\"mimar.{}\" name=\"{}\"",
            escaped(diagnostic.code),
            escaped(name)
        );
        if let Some(place) = &place {
            let _ = write!(text, " file=\"{}\" line=\"{}\"", escaped(place.file), place.line);
        }
        let body = escaped(&format!("{at}\n{}", whole(diagnostic)));
        let _ = if is_failure(diagnostic.severity) {
            writeln!(
                text,
                ">\n      <failure type=\"{}\" message=\"{}\">{body}</failure>\n    </testcase>",
                diagnostic.severity.name(),
                escaped(&diagnostic.message)
            )
        } else {
            writeln!(text, ">\n      <system-out>{body}</system-out>\n    </testcase>")
        };
    }
    text.push_str("  </testsuite>\n</testsuites>\n");
    text
}

/// Text as XML 1.0 allows it; characters that it has no form for are left out.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' => out.push_str("&#10;"),
            '\t' => out.push_str("&#9;"),
            '\u{fffe}' | '\u{ffff}' => {}
            character if character.is_control() => {}
            character => out.push(character),
        }
    }
    out
}

//! GitHub's workflow commands: annotations on the lines of a pull request.

use std::fmt::Write as _;

use syntax::Severity;

use super::{Outcome, whole};

/// One line for each diagnostic: `::warning file=…,line=…,title=…::message`.
#[must_use]
pub fn github(outcome: &Outcome<'_>) -> String {
    let mut text = String::new();
    for (diagnostic, _) in outcome.each() {
        let level = match diagnostic.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Note => "notice",
        };
        let _ = write!(text, "::{level} ");
        if let Some(place) = outcome.locate(diagnostic.primary.span) {
            let _ = write!(
                text,
                "file={},line={},endLine={},",
                property(place.file),
                place.line,
                place.end_line
            );
            // Columns mean something within one line only.
            if place.line == place.end_line {
                let _ = write!(text, "col={},endColumn={},", place.column, place.end_column);
            }
        }
        let _ = writeln!(text, "title={}::{}", property(diagnostic.code), data(&whole(diagnostic)));
    }
    text
}

fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

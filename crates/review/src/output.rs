//! Findings in the forms that other tools read. Each is a function from diagnostics to text; where a form knows the rules
//! as well, they are those of this crate and whatever else the diagnostics name.

mod github;
mod gitlab;
mod junit;
mod markdown;
mod sarif;

pub use github::github;
pub use gitlab::gitlab;
pub use junit::junit;
pub use markdown::markdown;
pub use sarif::sarif;

use syntax::{Diagnostic, FileId, Source, Span, line_column};

/// What is written, and where the files are known from.
#[derive(Clone, Copy)]
pub struct Outcome<'a> {
    /// What was found, in the order in which it is written.
    pub diagnostics: &'a [Diagnostic],
    /// Of each diagnostic the item it is about; empty where it has none.
    pub paths: &'a [String],
    /// The files by their ids.
    pub source: &'a dyn Fn(FileId) -> Option<Source<'a>>,
    /// The version of the tool.
    pub version: &'a str,
}

/// A place as people and tools count: from 1, columns in Unicode scalar values.
struct Location<'a> {
    file: &'a str,
    line: usize,
    column: usize,
    end_line: usize,
    end_column: usize,
}

impl<'a> Outcome<'a> {
    fn locate(&self, span: Span) -> Option<Location<'a>> {
        let Source { path, text } = (self.source)(span.file)?;
        let (line, column) = line_column(text, span.start as usize);
        let (end_line, end_column) = line_column(text, span.end as usize);
        Some(Location { file: path, line, column, end_line, end_column })
    }

    fn each(&self) -> impl Iterator<Item = (&'a Diagnostic, &'a str)> {
        let paths = self.paths.iter().map(String::as_str).chain(std::iter::repeat(""));
        self.diagnostics.iter().zip(paths)
    }
}

/// Message, notes and helps in one text, a line for each.
fn whole(diagnostic: &Diagnostic) -> String {
    let mut text = diagnostic.message.clone();
    for more in diagnostic.notes.iter().chain(&diagnostic.helps) {
        text.push('\n');
        text.push_str(more);
    }
    text
}

/// A number that stays the same while the finding does: of its code, its item and its message, never its line.
fn fingerprint(diagnostic: &Diagnostic, path: &str, times: usize) -> String {
    let parts = [diagnostic.code, path, if path.is_empty() { &diagnostic.message } else { "" }];
    // FNV-1a, 64 bit: nobody gains by a collision, and it needs no library.
    let bytes = parts.iter().flat_map(|part| part.bytes().chain([0])).chain(times.to_le_bytes());
    let hash = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    format!("{hash:016x}")
}

/// Fingerprints of all diagnostics; of those that are alike each its own.
fn fingerprints(outcome: &Outcome<'_>) -> Vec<String> {
    let mut seen: std::collections::BTreeMap<String, usize> = std::collections::BTreeMap::new();
    outcome
        .each()
        .map(|(diagnostic, path)| {
            let times = seen.entry(fingerprint(diagnostic, path, 0)).or_default();
            *times += 1;
            fingerprint(diagnostic, path, *times)
        })
        .collect()
}

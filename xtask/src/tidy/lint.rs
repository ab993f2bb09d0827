//! A lint is silenced only where it is expected, with the reason.

use super::{File, Finding};

/// Written so that this file does not find itself.
const SILENCED: [&str; 2] = [concat!("#[", "allow("), concat!("#![", "allow(")];

pub(super) fn check(files: &[File]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in files.iter().filter(|file| file.has_extension(&["rs"])) {
        for (number, line) in file.lines() {
            if SILENCED.iter().any(|silenced| line.trim_start().starts_with(silenced)) {
                let message = "silences a lint for good; `#[expect(lint, reason = \"…\")]` says when it is stale";
                findings.push(Finding::new(&file.path, number, message));
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::super::found;
    use super::{SILENCED, check};

    #[test]
    fn allow_is_found_and_expect_is_not() {
        let text = format!("#[expect(unused, reason = \"x\")]\n  {}unused)]\n", SILENCED[0]);
        let findings = found(check, &[("a.rs", &text)]);
        assert_eq!(findings.len(), 1);
        assert!(findings[0].starts_with("a.rs:2: "));
    }
}

//! Lines end where they end.

use super::{File, Finding};

/// What people write here; rows of examples keep every blank they came with.
const WRITTEN: [&str; 13] =
    ["css", "html", "js", "json", "lock", "md", "mimar", "py", "rs", "sh", "svg", "toml", "yml"];

/// Blanks that rustfmt leaves in a Rust file stand in a text, where they mean something.
const FORMATTED: [&str; 1] = ["rs"];

/// What a generator writes stays as it writes it: these are compared with it byte by byte.
const GENERATED: [&str; 2] =
    ["editors/tree-sitter-mimar/src/grammar.json", "editors/tree-sitter-mimar/src/node-types.json"];

pub(super) fn check(files: &[File]) -> Vec<Finding> {
    let written = |file: &&File| {
        // A licence is somebody else's text, to the last blank.
        !file.name().starts_with("LICENSE")
            && !GENERATED.contains(&file.path.as_str())
            && (file.has_extension(&WRITTEN) || file.path.starts_with(".ci/"))
    };
    let mut findings = Vec::new();
    for file in files.iter().filter(written) {
        if file.text.contains('\r') {
            findings.push(Finding::new(&file.path, 0, "has carriage returns; lines end with LF"));
            continue;
        }
        for (number, line) in file.lines() {
            if line.ends_with([' ', '\t']) && !file.has_extension(&FORMATTED) {
                findings.push(Finding::new(&file.path, number, "blanks at the end of the line"));
            }
        }
        if !file.text.is_empty() && !file.text.ends_with('\n') {
            findings.push(Finding::new(&file.path, 0, "the last line does not end"));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::super::found;
    use super::{GENERATED, check};

    #[test]
    fn what_is_generated_is_left_alone() {
        assert!(found(check, &[(GENERATED[0], "{}")]).is_empty());
        assert_eq!(found(check, &[("editors/tree-sitter-mimar/tree-sitter.json", "{}")]).len(), 1);
    }

    #[test]
    fn blanks_and_ends() {
        let files = [("a.md", "x \ny"), ("b.rs", "x\r\n"), ("c.csv", "x \r\n"), ("d.rs", "x\n")];
        let findings = found(check, &files);
        assert_eq!(
            findings,
            [
                "a.md:1: blanks at the end of the line",
                "a.md: the last line does not end",
                "b.rs: has carriage returns; lines end with LF",
            ]
        );
    }
}

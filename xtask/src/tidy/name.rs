//! A file is named for what is in it, not for its shape.

use super::{File, Finding};

const SHAPES: [&str; 9] =
    ["common", "helper", "helpers", "misc", "shared", "types", "util", "utils", "stuff"];

pub(super) fn check(files: &[File]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in files.iter().filter(|file| file.has_extension(&["rs"])) {
        for step in file.path.split('/') {
            let stem = step.strip_suffix(".rs").unwrap_or(step);
            if SHAPES.contains(&stem) {
                let message = format!("`{stem}` names a shape; name what is in it");
                findings.push(Finding::new(&file.path, 0, message));
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::super::found;
    use super::check;

    #[test]
    fn files_and_folders() {
        let files = [("a/src/types.rs", ""), ("a/common/x.rs", ""), ("a/src/type_expr.rs", "")];
        let findings = found(check, &files);
        assert_eq!(findings.len(), 2);
        assert_eq!(findings[0], "a/src/types.rs: `types` names a shape; name what is in it");
    }
}

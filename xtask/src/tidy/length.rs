//! No Rust file is longer than a reader's patience.

use super::{File, Finding};

const LONGEST: usize = 800;

pub(super) fn check(files: &[File]) -> Vec<Finding> {
    let long = |file: &File| {
        let lines = file.text.lines().count();
        (lines > LONGEST).then(|| {
            let message = format!("{lines} lines; past {LONGEST}, split it by noun");
            Finding::new(&file.path, 0, message)
        })
    };
    files.iter().filter(|file| file.has_extension(&["rs"])).filter_map(long).collect()
}

#[cfg(test)]
mod tests {
    use super::super::found;
    use super::{LONGEST, check};

    #[test]
    fn one_line_too_many() {
        let fits = "x\n".repeat(LONGEST);
        let long = "x\n".repeat(LONGEST + 1);
        assert!(found(check, &[("a.rs", &fits), ("data.csv", &long)]).is_empty());
        let findings = found(check, &[("a.rs", &long)]);
        assert_eq!(findings, ["a.rs: 801 lines; past 800, split it by noun"]);
    }
}

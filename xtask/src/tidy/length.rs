//! No Rust file is longer than a reader's patience, and no program of an example longer than it says.

use super::{File, Finding};

const LONGEST: usize = 800;

/// Programs that show how little it takes.
const EXAMPLES: (&str, usize) = ("examples/", 29);

pub(super) fn check(files: &[File]) -> Vec<Finding> {
    let long = |file: &File| {
        let lines = file.text.lines().count();
        let (folder, most) = EXAMPLES;
        let (most, advice) = match file.path.starts_with(folder) {
            true => (most, "show less in an example"),
            false => (LONGEST, "split it by noun"),
        };
        (lines > most).then(|| {
            let message = format!("{lines} lines; past {most}, {advice}");
            Finding::new(&file.path, 0, message)
        })
    };
    files.iter().filter(|file| file.has_extension(&["rs"])).filter_map(long).collect()
}

#[cfg(test)]
mod tests {
    use super::super::found;
    use super::{EXAMPLES, LONGEST, check};

    #[test]
    fn one_line_too_many() {
        let of = |lines: usize| "x\n".repeat(lines);
        let (fits, long) = (of(LONGEST), of(LONGEST + 1));
        assert!(found(check, &[("a.rs", &fits), ("data.csv", &long)]).is_empty());
        let findings = found(check, &[("a.rs", &long)]);
        assert_eq!(findings, ["a.rs: 801 lines; past 800, split it by noun"]);
        let (fits, long) = (of(EXAMPLES.1), of(EXAMPLES.1 + 1));
        assert!(found(check, &[("examples/a/main.rs", &fits)]).is_empty());
        let findings = found(check, &[("examples/a/main.rs", &long)]);
        assert_eq!(findings, ["examples/a/main.rs: 30 lines; past 29, show less in an example"]);
    }
}

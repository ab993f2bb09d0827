//! Counting tests from what their runners print.

use std::ops::AddAssign;

/// How many tests ran.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
    }
}

/// Sums the closing lines of every test binary in what `cargo test` printed:
/// `test result: ok. 12 passed; 0 failed; 1 ignored; …`.
pub(crate) fn of(output: &str) -> Tally {
    let mut tally = Tally::default();
    for line in output.lines().filter_map(|line| line.trim().strip_prefix("test result: ")) {
        tally += Tally { passed: count(line, "passed"), failed: count(line, "failed") };
    }
    tally
}

/// The number before a word: 12 for `passed` in `ok. 12 passed; 0 failed`.
fn count(line: &str, word: &str) -> u64 {
    line.split([';', '.'])
        .filter_map(|part| part.trim().strip_suffix(word))
        .find_map(|number| number.trim().parse().ok())
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_binary_counts() {
        let output = "\
running 2 tests
..
test result: ok. 2 passed; 0 failed; 3 ignored; 0 measured; 0 filtered out; finished in 0.10s

test result: FAILED. 40 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1.00s
";
        assert_eq!(of(output), Tally { passed: 42, failed: 1 });
    }

    #[test]
    fn nothing_is_nothing() {
        assert_eq!(of("error: could not compile"), Tally::default());
        assert_eq!(of("the test result: ok is not a closing line"), Tally::default());
    }
}

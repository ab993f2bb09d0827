//! How long a large model takes to be parsed and checked.

#[path = "../../crates/model/examples/check_bench/design.rs"]
mod design;

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use syntax::FileId;

/// How often it is done.
const ROUNDS: usize = 50;

/// The goal.
const GOAL: Duration = Duration::from_millis(10);

/// What was measured: medians.
#[derive(Debug, Clone, Copy)]
pub struct Figures {
    /// Lines of the model.
    pub lines: usize,
    /// Time to parse it.
    pub parse: Duration,
    /// Time to check it.
    pub check: Duration,
    /// Time for both.
    pub both: Duration,
    /// Faults that were found in it; it has none.
    pub faults: usize,
}

/// Parses and checks a model of a thousand entities, in this process and on one thread.
#[must_use]
pub fn measure() -> Figures {
    let text = design::source();
    let (mut parsing, mut checking, mut all) = (Vec::new(), Vec::new(), Vec::new());
    let mut faults = 0;
    for _ in 0..ROUNDS {
        let start = Instant::now();
        let parse = syntax::parse(FileId(0), text.as_str());
        let parsed = start.elapsed();
        let (model, diagnostics) = model::check(&[&parse]);
        let both = start.elapsed();
        parsing.push(parsed);
        checking.push(both - parsed);
        all.push(both);
        faults = parse.diagnostics.len() + diagnostics.len();
        drop(model);
    }
    let median = |mut times: Vec<Duration>| {
        times.sort_unstable();
        times.get(ROUNDS / 2).copied().unwrap_or_default()
    };
    Figures {
        lines: text.lines().count(),
        parse: median(parsing),
        check: median(checking),
        both: median(all),
        faults,
    }
}

/// The part of the report.
#[must_use]
pub fn markdown(figures: &Figures) -> String {
    let Figures { lines, parse, check, both, faults } = *figures;
    let milliseconds = |time: Duration| time.as_secs_f64() * 1e3;
    let met = if both < GOAL && faults == 0 { "met" } else { "**missed**" };
    let mut out = String::from("# Checking a model\n\n");
    // Writing to a string cannot fail.
    let _ = writeln!(
        out,
        "Medians of {ROUNDS} rounds, on one thread.\n\n| entities | lines | faults | parsed | checked | both | goal: under {} ms |\n\
         |---:|---:|---:|---:|---:|---:|---|\n| {} | {lines} | {faults} | {:.1} ms | {:.1} ms | {:.1} ms | {met} |\n",
        GOAL.as_millis(),
        design::ENTITIES,
        milliseconds(parse),
        milliseconds(check),
        milliseconds(both),
    );
    out
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_model_has_no_fault() {
        let figures = super::measure();
        assert_eq!(figures.faults, 0);
        assert!(super::markdown(&figures).contains("| 1000 |"));
    }
}

//! Times parsing and checking on a generated model of a thousand entities: `cargo run --release --example
//! check_bench [rounds]`.
#![expect(clippy::print_stdout, reason = "an example prints")]

mod design;

use std::time::Instant;

use syntax::FileId;

fn main() {
    let rounds = std::env::args().nth(1).and_then(|rounds| rounds.parse().ok()).unwrap_or(50);
    let text = design::source();
    let (mut parsing, mut checking) = (Vec::new(), Vec::new());
    let mut faults = 0;
    for _ in 0..rounds {
        let start = Instant::now();
        let parse = syntax::parse(FileId(0), text.as_str());
        parsing.push(start.elapsed());
        let start = Instant::now();
        let (model, diagnostics) = model::check(&[&parse]);
        checking.push(start.elapsed());
        faults = parse.diagnostics.len() + diagnostics.len();
        if let Some(fault) = diagnostics.first() {
            println!("{}: {}", fault.code, fault.message);
        }
        drop(model);
    }
    println!("{} entities, {} lines, {faults} faults", design::ENTITIES, text.lines().count());
    for (what, times) in [("parse", &mut parsing), ("check", &mut checking)] {
        times.sort_unstable();
        println!("{what}: best {:?}, median {:?}", times[0], times[times.len() / 2]);
    }
}

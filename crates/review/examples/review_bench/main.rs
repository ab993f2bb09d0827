//! Times the review of a generated design of a thousand entities, with commands, queries, events, jobs and loads: `cargo run
//! --release -p mimar-review --example review_bench [rounds]`.
#![expect(clippy::print_stdout, reason = "an example prints")]

mod design;

use std::time::Instant;

use model::Valid;
use review::{Design, Levels};
use syntax::FileId;

fn main() {
    let rounds = std::env::args().nth(1).and_then(|rounds| rounds.parse().ok()).unwrap_or(30);
    let text = design::source();
    let parse = syntax::parse(FileId(0), text.as_str());
    let parses = [&parse];
    let (model, found) = model::check(&parses);
    let Some(model) = Valid::new(model, &found) else {
        for fault in parse.diagnostics.iter().chain(&found).take(5) {
            println!("{}: {}", fault.code, fault.message);
        }
        return;
    };
    let begun = Instant::now();
    let schema = schema::derive(&model, operation::Dialect::Sqlite);
    let tables = begun.elapsed();
    let begun = Instant::now();
    let contract = contract::derive(&model);
    let surface = begun.elapsed();
    let design = Design {
        model: &model,
        parses: &parses,
        schema: &schema,
        contract: &contract,
        today: 20_000,
        before: None,
    };
    let (mut times, mut findings) = (Vec::new(), 0);
    for _ in 0..rounds {
        let begun = Instant::now();
        let report = review::review(&design, &Levels::default(), None);
        times.push(begun.elapsed());
        findings = report.findings.len();
    }
    times.sort_unstable();
    println!(
        "{} entities, {} commands, {} queries, {} lines, {findings} findings",
        model.entities.len(),
        model.commands.len(),
        model.queries.len(),
        text.lines().count()
    );
    println!("review: best {:?}, median {:?}", times[0], times[times.len() / 2]);
    println!("before it, once: tables {tables:?}, surface {surface:?}");
}

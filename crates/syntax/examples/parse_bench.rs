//! How long a model of 1,000 entities takes to lex and parse: the median and the best of 30 runs.
//!
//! `cargo run --release -p mimar-syntax --example parse_bench [ENTITIES]`

#![expect(clippy::print_stdout, reason = "the figure is the output")]

use std::fmt::Write;
use std::time::Instant;

use syntax::{FileId, parse};

/// A model of so many entities, about ten lines each, as an author would write them.
fn bench_source(entities: usize) -> String {
    let mut out = String::from(
        "app Bench {\n  version  1\n  roles    clerk, customer\n}\n\nservice main {\n",
    );
    for index in 0..entities {
        let other = index.saturating_sub(1);
        let _ = write!(
            out,
            "
  /// Thing number {index} of many.
  entity Thing{index} {{
    key id:   Uuid
    name:     String(1..200)   search
    price:    Money(EUR)       = 0
    state:    enum {{ draft, live }} = draft
    previous: Thing{other}?
    created:  Timestamp        = now

    allow read to customer when .state == live and .price > 0
  }}
"
        );
    }
    out.push_str("}\n");
    out
}

fn main() {
    let entities = std::env::args().nth(1).and_then(|count| count.parse().ok()).unwrap_or(1_000);
    let source: std::sync::Arc<str> = bench_source(entities).into();
    let mut times: Vec<f64> = (0..30)
        .map(|_| {
            let start = Instant::now();
            let parse = parse(FileId(0), source.clone());
            let time = start.elapsed().as_secs_f64() * 1_000.0;
            assert!(parse.diagnostics.is_empty(), "{:?}", parse.diagnostics);
            time
        })
        .collect();
    times.sort_by(f64::total_cmp);
    let parse = parse(FileId(0), source.clone());
    let start = Instant::now();
    let formatted = syntax::format(&parse).map(|text| text.len());
    let format = start.elapsed().as_secs_f64() * 1_000.0;
    println!(
        "{entities} entities, {} lines, {} KiB, {} tokens, {} nodes: parsed in {:.2} ms (best {:.2}), formatted in {format:.1} ms ({} errors)",
        source.lines().count(),
        source.len() / 1024,
        parse.tokens.len(),
        parse.nodes.len(),
        times[times.len() / 2],
        times[0],
        formatted.err().map_or(0, |errors| errors.len()),
    );
}

//! Times what a key costs in generated models of a thousand entities: `cargo run --release -p mimar-ide --example ide_bench`.
//!
//! The first is that of `check_bench`, the second has commands, events, jobs and loads besides. In the middle of each a text
//! is typed letter by letter and taken away again, so that the model breaks and heals.
#![expect(clippy::print_stdout, reason = "an example prints")]

#[path = "../../review/examples/review_bench/design.rs"]
mod design;
#[path = "../../model/examples/check_bench/design.rs"]
mod plain;

use std::sync::Arc;
use std::time::{Duration, Instant};

use syntax::{FileId, Span};

const FILE: FileId = FileId(0);

/// How many bytes an editor shows at once, about.
const SCREEN: u32 = 4_000;

/// Where something is typed, what, and behind which mark.
const TYPED: [(&str, &str, &str); 5] = [
    (
        "a policy",
        "allow read, create, update to clerk",
        " when .price > 3.00 and .owner.email == \"a\"",
    ),
    (
        "a policy",
        "when .owner == caller and .status in (draft, live)",
        " and .price > 3.00 and .owner.email == \"a\"",
    ),
    (
        "a body",
        "update thing { status: live }",
        "\n  let it = thing.owner.email\n  require thing.price > 1.00",
    ),
    ("a field", "price: Money(EUR) = 0.00", "\n  weight: Int(0..100) = 3"),
    ("an enum", "enum { draft, live", ", another"),
];

fn main() {
    let rounds = std::env::args().nth(1).and_then(|rounds| rounds.parse().ok()).unwrap_or(3);
    for text in [plain::source(), design::source()] {
        println!("{} entities, {} lines", plain::ENTITIES, text.lines().count());
        for (what, mark, new) in TYPED {
            measure(&text, what, mark, new, rounds);
        }
        let parse = Arc::new(syntax::parse(FILE, text));
        let begun = Instant::now();
        let reviewed = ide::review(vec![parse], 20_000, || true);
        let findings = reviewed.map_or(0, |it| it.findings.len());
        println!("  review, beside: {:?}, {findings} findings", begun.elapsed());
    }
}

fn measure(text: &str, what: &str, mark: &str, new: &str, rounds: usize) {
    let middle = text.floor_char_boundary(text.len() / 2);
    let Some(at) = text[middle..].find(mark).map(|at| middle + at + mark.len()) else { return };
    let mut parse = Arc::new(syntax::parse(FILE, text));
    let mut analysis = ide::analyze(vec![Arc::clone(&parse)]);
    let mut times: Vec<[Duration; 5]> = Vec::new();
    let mut whole = 0;
    for end in (0..rounds).flat_map(|_| (1..=new.len()).chain((0..new.len()).rev())) {
        let text = format!("{}{}{}", &text[..at], &new[..end], &text[at..]);
        let cursor = (at + end) as u32;
        let begun = Instant::now();
        let again = syntax::reparse(&parse, text);
        parse = Arc::new(again.parse);
        let parsed = begun.elapsed();
        let begun = Instant::now();
        let is_item =
            again.damage.is_some_and(|damage| analysis.again(Arc::clone(&parse), &damage));
        if !is_item {
            whole += 1;
            analysis = ide::analyze(vec![Arc::clone(&parse)]);
        }
        let checked = begun.elapsed();
        let begun = Instant::now();
        let offers = ide::complete(&analysis, FILE, cursor, 200).items;
        let completed = begun.elapsed();
        let begun = Instant::now();
        let screen = Span::new(FILE, cursor.saturating_sub(SCREEN / 2), cursor + SCREEN / 2);
        let coloured = ide::semantic_tokens_in(&analysis, screen);
        let tokens = begun.elapsed();
        assert!(offers.len() < 100_000 && !coloured.is_empty());
        times.push([parsed, checked, completed, tokens, parsed + checked + completed + tokens]);
    }
    println!("  {what}: {} keys, {whole} of them checked all", times.len());
    for (at, phase) in ["parse", "check", "completion", "colours", "all"].iter().enumerate() {
        let mut each: Vec<Duration> = times.iter().map(|times| times[at]).collect();
        each.sort_unstable();
        let quantile = |share: usize| each[(each.len() * share / 100).min(each.len() - 1)];
        println!("    {phase:<12} p50 {:?}, p99 {:?}", quantile(50), quantile(99));
    }
}

//! Times what a key costs in a generated design of a thousand entities: `cargo run --release -p mimar-ide --example ide_bench
//! [keys]`.
#![expect(clippy::print_stdout, reason = "an example prints")]

#[path = "../../review/examples/review_bench/design.rs"]
mod design;

use std::sync::Arc;
use std::time::{Duration, Instant};

use syntax::{FileId, Parse};

/// Files of the design: one of them changes, the others stay as they were parsed.
const FILES: usize = 50;

fn main() {
    let keys = std::env::args().nth(1).and_then(|keys| keys.parse().ok()).unwrap_or(50);
    let text = design::source();
    for files in [1, FILES] {
        measure(&text, files, keys);
    }
}

fn measure(text: &str, files: usize, keys: usize) {
    let texts = split(text, files);
    let mut parses: Vec<Arc<Parse>> = Vec::new();
    for (at, text) in texts.iter().enumerate() {
        parses.push(Arc::new(syntax::parse(FileId(at as u32), text.as_str())));
    }
    let edited = files / 2;
    let mut text = texts[edited].clone();
    let place = text.find("  check .price").unwrap_or(0) + 2;
    let mut times: Vec<[Duration; 4]> = Vec::new();
    for key in 0..keys {
        // A comment grows and shrinks by a letter.
        if key % 2 == 0 {
            text.insert_str(place, "// a key\n");
        } else {
            text.replace_range(place..place + "// a key\n".len(), "");
        }
        let begun = Instant::now();
        parses[edited] = Arc::new(syntax::parse(FileId(edited as u32), text.as_str()));
        let analysis = ide::analyze(parses.clone());
        let checked = begun.elapsed();
        let begun = Instant::now();
        let offers = ide::complete(&analysis, FileId(edited as u32), place as u32);
        let completed = begun.elapsed();
        let begun = Instant::now();
        let hover =
            ide::hover(&analysis, FileId(edited as u32), (place + "check .pr".len()) as u32);
        let hovered = begun.elapsed();
        let begun = Instant::now();
        let findings = analysis.review(20_000);
        let reviewed = begun.elapsed();
        assert!(analysis.is_valid() && !offers.is_empty() && !findings.is_empty());
        assert!(hover.is_some() || key % 2 == 0);
        times.push([checked, completed, hovered, reviewed]);
    }
    println!(
        "{files} files, {} lines, median of {keys} keys:",
        texts.iter().map(|it| it.lines().count()).sum::<usize>()
    );
    for (at, what) in ["parse and check", "completion", "first hover", "review"].iter().enumerate()
    {
        let mut each: Vec<Duration> = times.iter().map(|times| times[at]).collect();
        each.sort_unstable();
        println!("  {what:<16} {:?}, worst {:?}", each[each.len() / 2], each[each.len() - 1]);
    }
}

/// Cuts a text before lines that open an entity, into parts of about one length.
fn split(text: &str, files: usize) -> Vec<String> {
    let mut parts = vec![String::new()];
    for item in text.split_inclusive("\n/// One of many.\n") {
        let is_full = parts.last().is_some_and(|part| part.len() > text.len() / files);
        if is_full {
            parts.push(String::new());
        }
        if let Some(last) = parts.last_mut() {
            last.push_str(item);
        }
    }
    parts
}

//! A model of ten thousand lines is parsed while nobody notices.

use std::fmt::Write;
use std::time::{Duration, Instant};

use crate::agreement::tree;

/// A thousand entities of ten lines, as `crates/syntax/examples/parse_bench.rs` writes them.
fn large() -> String {
    let mut text =
        String::from("app Large {\n  version 1\n  roles clerk, customer\n}\n\nservice main {\n");
    for index in 0..1_000 {
        write!(
            text,
            "
  /// Thing number {index} of many.
  entity Thing{index} {{
    key id:   Uuid
    name:     String(1..200)   search
    price:    Money(EUR)       = 0
    state:    enum {{ draft, live }} = draft
    created:  Timestamp        = now

    allow read to customer when .state == live and .price > 0
  }}
"
        )
        .unwrap();
    }
    text.push_str("}\n");
    text
}

#[test]
fn ten_thousand_lines_take_well_below_a_second() {
    let text = large();
    assert!(text.lines().count() > 10_000);
    let times = (0..5).map(|_| {
        let began = Instant::now();
        assert!(!tree(&text).root_node().has_error());
        began.elapsed()
    });
    let best = times.min().unwrap();
    println!("{} lines, {} KiB: {best:?}", text.lines().count(), text.len() / 1024);
    assert!(best < Duration::from_millis(500), "{best:?}");
}

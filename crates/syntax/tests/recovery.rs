//! One fault hides no other: whatever token is lost or added, a fault elsewhere is still reported.

use syntax::{FileId, TokenKind, parse};

const SHOP: &str = include_str!("../../../examples/shop/shop.mimar");

/// A fault put into the shop: what is replaced, by what, and the piece of text that a report must touch.
const SEEDS: &[(&str, &str, &str)] = &[
    ("name:    String(1..200)   search", "name:    String(1..200)   serch", "serch"),
    ("phone:  String(5..20)?", "phone:  ?", "phone:  ?"),
    (
        "placed:   Timestamp        = now",
        "placed:   Timestamp        =",
        "placed:   Timestamp        =",
    ),
    ("sort  -.placed", "srot  -.placed", "srot"),
    (
        "emit OrderPlaced { order, total: order.total }",
        "emit OrderPlaced { order, total: }",
        "total: }",
    ),
    ("update order { status: cancelled }", "updte order { status: cancelled }", "updte"),
    ("undo call warehouse.release(order.id) }", "undo call warehouse.(order.id) }", "warehouse.("),
    ("slo   recent_orders 99.9% under 100ms", "slo   recent_orders 99.9 under 100ms", "99.9 "),
    ("tracking: String(5..60)?", "tracking String(5..60)?", "tracking String"),
    ("timeout  1s", "timeout  1", "timeout  1"),
    ("grows         10% per month", "grows         10% pre month", "pre"),
    ("budget  900 USD per month", "budget  USD per month", "budget  USD"),
    ("chosen nats because", "chosen nats becaus", "becaus"),
];

#[test]
fn a_fault_elsewhere_is_still_reported() {
    let mut lost = Vec::new();
    let mut tried = 0;
    for (good, bad, mark) in SEEDS {
        assert_eq!(SHOP.matches(good).count(), 1, "{good:?} stands once in the shop");
        let seeded = SHOP.replace(good, bad);
        let start = seeded.find(bad).unwrap();
        let line_of = |offset: usize| seeded[..offset].matches('\n').count();
        let at = start + bad.find(mark).unwrap();
        let fault = (at, at + mark.len());
        assert!(is_reported(&seeded, fault, 0), "{bad:?} is a fault");
        let clean = parse(FileId(0), seeded.as_str());
        for (index, token) in clean.tokens.iter().enumerate() {
            if token.kind.is_trivia() || token.kind == TokenKind::End {
                continue;
            }
            let span = clean.token_span(index as u32).range();
            // The same line is the same place, and so are its neighbours: there one fault may swallow the other.
            if line_of(span.start).abs_diff(line_of(start)) <= 2 {
                continue;
            }
            let mut changes = vec![(span.clone(), "")];
            for text in
                ["{", "}", "(", ")", "x ", "1 ", "= ", ", ", "\"s\" ", ": ", "-> ", "entity "]
            {
                // Every seventh place each, a different one for each seed.
                if (index + text.len() * 3 + at) % 7 == 0 {
                    changes.push((span.start..span.start, text));
                }
            }
            for (range, text) in changes {
                let mut changed = seeded.clone();
                changed.replace_range(range.clone(), text);
                let shift = if range.start < fault.0 {
                    text.len() as isize - range.len() as isize
                } else {
                    0
                };
                tried += 1;
                if !is_reported(&changed, fault, shift) {
                    let line = line_of(range.start) + 1;
                    lost.push(format!(
                        "{mark:?} by {:?} -> {text:?} in line {line}",
                        &seeded[range]
                    ));
                }
            }
        }
    }
    assert!(tried > 10_000);
    assert!(lost.is_empty(), "{} of {tried} lost:\n{}", lost.len(), lost.join("\n"));
}

fn is_reported(text: &str, fault: (usize, usize), shift: isize) -> bool {
    let start = (fault.0 as isize + shift) as u32;
    let end = (fault.1 as isize + shift) as u32;
    parse(FileId(0), text).diagnostics.iter().any(|found| {
        let span = found.primary.span;
        // An empty place counts when it touches.
        span.start <= end && span.end >= start
    })
}

#[test]
fn one_lost_token_makes_few_reports() {
    let clean = parse(FileId(0), SHOP);
    let (mut worst, mut total, mut count) = (0, 0, 0);
    for (index, token) in clean.tokens.iter().enumerate() {
        if token.kind.is_trivia() || token.kind == TokenKind::End {
            continue;
        }
        let mut changed = SHOP.to_owned();
        changed.replace_range(clean.token_span(index as u32).range(), "");
        let found = parse(FileId(0), changed).diagnostics.len();
        if found > 6 {
            println!("{found} for {:?} at {}", clean.token_text(index as u32), token.start);
        }
        worst = worst.max(found);
        total += found;
        count += 1;
    }
    assert!(worst <= 6, "a single lost token made {worst} reports");
    assert!(total < count * 3 / 2, "{total} reports for {count} lost tokens: they cascade");
}

#[test]
fn safe_fixes_mend() {
    for (good, bad, _) in SEEDS {
        let mut text = SHOP.replace(good, bad);
        let before = parse(FileId(0), text.as_str()).diagnostics.len();
        for _ in 0..4 {
            let parse = parse(FileId(0), text.as_str());
            let Some(fix) = parse.diagnostics.iter().find_map(|found| found.fixes.first()) else {
                break;
            };
            text = syntax::apply(FileId(0), &text, &fix.edits);
        }
        let after = parse(FileId(0), text.as_str()).diagnostics.len();
        assert!(after <= before, "{bad:?}: {before} became {after}");
    }
}

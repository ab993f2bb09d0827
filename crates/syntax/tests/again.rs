//! Whatever is edited: parsing again is parsing.

use proptest::prelude::*;
use syntax::{FileId, Parse, parse, reparse};

const SHOP: &str = include_str!("../../../examples/shop/shop.mimar");
const CHINOOK: &str = include_str!("../../../examples/chinook/chinook.mimar");

/// Checks that an edit makes the parse that parsing the whole makes; answers it, and how many tokens were lexed.
fn check(old: &Parse, text: &str) -> (Parse, Option<usize>) {
    let again = reparse(old, text);
    let whole = parse(FileId(7), text);
    assert_eq!(again.parse.tokens, whole.tokens);
    assert_eq!(again.parse.nodes, whole.nodes);
    assert_eq!(again.parse.diagnostics, whole.diagnostics);
    assert_eq!(again.parse.text, whole.text);
    if let Some(damage) = &again.damage {
        let (old_nodes, new_nodes) = (&damage.old_nodes, &damage.new_nodes);
        assert_eq!(old_nodes.start, new_nodes.start);
        let behind = old.nodes.len() as u32 - old_nodes.end;
        assert_eq!(whole.nodes.len() as u32 - new_nodes.end, behind);
    }
    (again.parse, again.damage.map(|damage| damage.lexed))
}

/// Types a text letter by letter at a mark, and takes it away again. Answers for how many keys all was parsed, and the most
/// tokens that were lexed for one of the others.
fn typed(text: &str, mark: &str, new: &str) -> (usize, usize) {
    assert!(text.contains(mark), "{mark}");
    let at = text.find(mark).map_or(0, |at| at + mark.len());
    let mut parse = parse(FileId(7), text);
    let (mut whole, mut most) = (0, 0);
    let ends: Vec<usize> = (0..=new.len()).filter(|end| new.is_char_boundary(*end)).collect();
    for end in ends.iter().chain(ends.iter().rev()) {
        let text = format!("{}{}{}", &text[..at], &new[..*end], &text[at..]);
        let lexed;
        (parse, lexed) = check(&parse, &text);
        match lexed {
            Some(lexed) => most = most.max(lexed),
            None => whole += 1,
        }
    }
    (whole, most)
}

#[test]
fn a_key_parses_the_item_it_is_in_and_no_more() {
    for (mark, new) in [
        ("stock:   Int(0..)         = 0", "\n    weight: Int(0..10)? = 3 // grams\n    audit"),
        (
            "let order = create Order { customer: caller }",
            "\n      require order.total >= 1.00 else OutOfStock",
        ),
        ("allow read to customer when .customer == caller", " and .status in (paid, shipped)"),
        ("enum { pending, paid, shipped, cancelled", ", lost, found"),
        ("/// One purchase", " // and \"more é"),
    ] {
        let (whole, most) = typed(SHOP, mark, new);
        assert_eq!(whole, 0, "{mark}");
        assert!(most < 800, "{mark}: {most} tokens");
    }
    // Services look at indentation while a brace is open, which is none of these items' business.
    let mark = "let order = create Order { customer: caller }";
    let (whole, most) = typed(SHOP, mark, "\n if true {\n return order");
    assert!(whole == 0 && most < 800, "{whole}, {most}");
    let shallow = SHOP.replace("\n  entity Product", "\nentity Product");
    assert!(typed(&shallow, mark, "\n if true {").0 > 0);
    // Outside of services nothing does.
    let plain = "entity A {\n  key id: Uuid\n}\nentity B {\n  key id: Uuid\n}\nentity C {\n  key id: Uuid\n}\n";
    assert_eq!(typed(plain, "entity B {", " { flow x {").0, 0);
}

#[test]
fn what_swallows_the_rest_is_seen() {
    for new in [
        "\"",
        "//",
        "{",
        "}",
        "}}}",
        "{{{",
        "entity ",
        "\nentity X {",
        "\nservice a {",
        "'",
        "\\",
        "///",
        "\n}\n",
        "\u{feff}",
    ] {
        for mark in [
            "service sales {",
            "key id:  Uuid",
            "ships.",
            "flow status {",
            "}\n\n  /// One purchase",
            "on OrderPaid run pack(order)\n}",
        ] {
            if SHOP.contains(mark) {
                typed(SHOP, mark, new);
            }
        }
    }
}

/// What is typed, deleted and pasted.
fn pieces() -> impl Strategy<Value = String> {
    let words = [
        "{",
        "}",
        "(",
        ")",
        "\"",
        "//",
        "///",
        "\n",
        " ",
        "'",
        ":",
        ",",
        ".",
        "->",
        "x",
        "entity",
        "entity X {\n",
        "service s {\n",
        "auth {",
        "decision",
        "on ",
        "enum",
        "command c",
        "}\n}\n",
        "Ü",
        "\r\n",
        "\\",
        "12",
        "9ms",
        "let",
        "app A { version 1 }\n",
        "allow read to clerk",
        "\n\n",
        "&&",
        ";",
        "\t",
        "on delete cascade",
        "\nlimit x 1 per 1m\n",
    ];
    prop_oneof![
        4 => prop::sample::select(words.to_vec()).prop_map(str::to_owned),
        1 => prop::collection::vec(prop::sample::select(words.to_vec()), 1..8).prop_map(|all| all.concat()),
        1 => (0..SHOP.len(), 0..200_usize).prop_map(|(from, length)| part(SHOP, from, length)),
    ]
}

fn part(text: &str, from: usize, length: usize) -> String {
    let end = text.floor_char_boundary((from + length).min(text.len()));
    text[text.floor_char_boundary(from)..end].to_owned()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn parsing_again_is_parsing(
        is_shop in any::<bool>(),
        edits in prop::collection::vec((any::<prop::sample::Index>(), 0..40_usize, pieces()), 1..12),
    ) {
        let mut text = if is_shop { SHOP } else { CHINOOK }.to_owned();
        let mut old = parse(FileId(7), text.as_str());
        for (at, length, new) in edits {
            let start = text.floor_char_boundary(at.index(text.len() + 1));
            // Half of the edits take nothing away.
            let length = length.saturating_sub(20);
            let end = text.floor_char_boundary((start + length).min(text.len())).max(start);
            text.replace_range(start..end, &new);
            (old, _) = check(&old, &text);
        }
    }
}

//! The two models that must stay clean, and what becomes of them when they are damaged.

use proptest::prelude::*;
use syntax::{FileId, TokenKind, parse};

const SHOP: &str = include_str!("../../../examples/shop/shop.mimar");
const CHINOOK: &str = include_str!("../../../examples/chinook/chinook.mimar");

fn check(text: &str) -> (model::Model, Vec<syntax::Diagnostic>) {
    let parse = parse(FileId(0), text);
    assert_eq!(parse.diagnostics, []);
    model::check(&[&parse])
}

#[test]
fn the_examples_are_clean() {
    for text in [SHOP, CHINOOK] {
        let (model, diagnostics) = check(text);
        assert_eq!(diagnostics, []);
        assert!(model::Valid::new(model, &diagnostics).is_some());
    }
}

#[test]
fn the_shop_is_what_it_says() {
    let (model, _) = check(SHOP);
    let order = model.entity_ids().find(|id| model[*id].name == "Order").unwrap();
    let names: Vec<&str> =
        model[order].fields.iter().map(|field| model[*field].name.as_str()).collect();
    assert_eq!(names, ["id", "customer", "status", "total", "placed"]);
    let line = model.part_named(order, "lines").unwrap();
    assert_eq!(model.part_of(line).map(|part| (part.minimum, part.maximum)), Some((1, 50)));
    assert!(model[model[line].key].is_position);
    let parcel = model.entity_ids().find(|id| model[*id].name == "Parcel").unwrap();
    assert!(model.crosses(parcel, order) && !model.crosses(order, line));
    assert_eq!(model.commands.len(), 4);
    assert!(model.commands.iter().all(|command| !command.body.is_empty()));
    assert_eq!(model.workflows[0].bodies.len(), 3);
    let codes: Vec<&str> = model::deferred(&model).iter().map(|note| note.code).collect();
    assert!(codes.contains(&"N0104") && codes.contains(&"N0111") && codes.contains(&"N0116"));
}

/// One damage to a text: at a token, another token of the text deleted, doubled or put in its place.
#[derive(Debug, Clone)]
enum Damage {
    Delete(prop::sample::Index),
    Insert(prop::sample::Index, prop::sample::Index),
    Replace(prop::sample::Index, prop::sample::Index),
}

fn damage() -> impl Strategy<Value = Damage> {
    let index = any::<prop::sample::Index>;
    prop_oneof![
        index().prop_map(Damage::Delete),
        (index(), index()).prop_map(|(at, from)| Damage::Insert(at, from)),
        (index(), index()).prop_map(|(at, from)| Damage::Replace(at, from)),
    ]
}

fn damaged(text: &str, damages: &[Damage]) -> String {
    let parse = parse(FileId(0), text);
    let mut tokens: Vec<String> = (0..parse.tokens.len() as u32)
        .filter(|index| !matches!(parse.token_kind(*index), TokenKind::End))
        .map(|index| parse.token_text(index).to_owned())
        .collect();
    for damage in damages {
        match damage {
            Damage::Delete(at) => {
                let at = at.index(tokens.len());
                tokens.remove(at);
            }
            Damage::Insert(at, from) => {
                let token = tokens[from.index(tokens.len())].clone();
                let at = at.index(tokens.len());
                tokens.insert(at, format!(" {token} "));
            }
            Damage::Replace(at, from) => {
                let token = tokens[from.index(tokens.len())].clone();
                let at = at.index(tokens.len());
                tokens[at] = token;
            }
        }
    }
    tokens.concat()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_that_is_written_makes_the_check_fail(
        damages in prop::collection::vec(damage(), 1..12),
        other in any::<bool>(),
    ) {
        let text = damaged(if other { CHINOOK } else { SHOP }, &damages);
        let parse = parse(FileId(0), text.as_str());
        let (model, diagnostics) = model::check(&[&parse]);
        for diagnostic in &diagnostics {
            let spans = diagnostic.labels.iter().map(|label| label.span);
            for span in spans.chain([diagnostic.primary.span]) {
                prop_assert!(span.end as usize <= text.len() && span.start <= span.end);
            }
        }
        let _ = model::deferred(&model);
    }
}

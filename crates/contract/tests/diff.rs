//! Each kind of change, made by one edit of a small model, there and back.

#![expect(clippy::panic, reason = "a test that cannot go on says so")]

use std::collections::BTreeSet;
use std::fmt::Write as _;

use contract::Change;
use contract::diff::{Audience, Kind};
use expect_test::{expect, expect_file};
use model::{Model, Valid};

/// What is edited.
const SHOP: &str = include_str!("diff/shop.mimar");

/// The day on which the models are compared: 2026-06-01.
const TODAY: i64 = 20_605;

/// Edits: of what, to what.
const EDITS: &[(&str, &str)] = &[
    ("version  2", "version  3"),
    ("rest, graphql", "rest, grpc"),
    ("app Shop", "app Store"),
    ("customer, clerk, manager", "customer, clerk, manager, guest"),
    ("issuer \"https://id.example\"", "issuer \"https://login.example\""),
    ("email as customer", "email as manager"),
    // Entities and their operations.
    ("entity Leaflet", "entity Brochure was Leaflet"),
    ("  allow delete to manager\n", ""),
    ("sunset \"2026-05-01\" \"over\"\n  allow read to clerk", "sunset \"2026-05-01\" \"over\""),
    ("sunset \"2026-09-01\" \"soon\"\n  allow read to clerk", "sunset \"2026-09-01\" \"soon\""),
    ("sunset \"2026-09-01\" \"soon\"", "sunset \"2026-08-01\" \"soon\""),
    ("  deprecated \"2026-01-01\" sunset \"2026-09-01\" \"soon\"\n", ""),
    ("  index (state, name)\n", ""),
    ("  cache 60s", "  cache 2m"),
    ("(1..50)", "(2..40)"),
    ("= open\n  allow read to clerk", "= open"),
    // Fields.
    ("  note:    String(0..80)?\n", ""),
    ("  note:    String(0..80)?\n", "  note:    String(0..80)\n"),
    ("  note:    String(0..80)?\n", "  remark:  String(0..80)? was note\n"),
    ("  colour:  String(1..20)? deprecated \"2026-01-01\" sunset \"2026-05-01\"\n", ""),
    ("  weight:  Int? deprecated \"2026-01-01\" sunset \"2026-09-01\"\n", ""),
    ("  depth:   Int? deprecated \"2026-01-01\"\n", ""),
    ("  maker:   String(1..20) = \"us\"", "  maker:   String(1..20)"),
    ("  maker:   String(1..20) = \"us\"", "  maker:   String(1..20) = \"them\""),
    ("  maker:   String(1..20) = \"us\"\n", ""),
    ("  name:    String(1..200)", "  name:    String(1..200)\n  code:    Int"),
    ("  name:    String(1..200)", "  name:    Url"),
    ("  name:    String(1..200)", "  name:    String(3..100)"),
    ("  name:    String(1..200)", "  name:    String(1..200) pattern \"[a-z]*\""),
    ("  name:    String(1..200)", "  name:    String(1..200) immutable"),
    ("  stock:   Int(0..1000) = 0", "  stock:   Int(0..1000) := 7"),
    ("  token:   String(1..9)?", "  token:   String(1..9)? secret"),
    ("draft, live, retired", "draft, live"),
    ("draft, live, retired", "draft, live, withdrawn was retired"),
    // Rules.
    (".stock >= 0", ".stock >= 1"),
    ("  name:    String(1..200)", "  name:    String(1..200) unique"),
    ("pending -> paid, cancelled", "pending -> paid"),
    // Who may.
    ("  allow update to clerk\n", "  allow update name to clerk\n"),
    ("  allow update to clerk\n", "  allow update to clerk when .state == draft\n"),
    ("  allow update to clerk\n", "  allow update to clerk, customer\n"),
    ("  allow read, create to anyone\n", "  allow read, create to anyone when .state == live\n"),
    (
        "  allow update to clerk\n",
        "  allow update to manager\n  allow update name to clerk when .state == live\n  allow update note to clerk\n",
    ),
    (
        "  allow update to manager when .state == draft\n",
        "  allow update to manager when .state == live\n",
    ),
    // Queries.
    ("status: Order.status?", "status: Order.status"),
    (
        "customer: Customer, status: Order.status?",
        "customer: Customer, since: Timestamp?, status: Order.status?",
    ),
    (
        "customer: Customer, status: Order.status?",
        "customer: Customer, since: Timestamp, status: Order.status?",
    ),
    (".status == status", ".status != status"),
    ("sort  -.placed", "sort  .placed"),
    ("page  20..50", "page  10..40"),
    ("allow clerk\n}\n\nrecord", "allow manager, clerk\n}\n\nrecord"),
    // Commands.
    (
        "settle(order: Order, amount: Int(1..10), basket",
        "settle(order: Order, amount: Int(1..9), basket",
    ),
    ("basket: [Basket](1..5)) -> Order", "basket: [Basket](1..6)) -> Order"),
    ("quantity: Int(1..100)", "quantity: Int(1..99)"),
    ("quantity: Int(1..100)", "quantity: Int(1..100)  note: String(0..9)?"),
    ("look(order: Order) -> Order {", "look(order: Order) -> Order? {"),
    (
        "look(order: Order) -> Order { allow clerk  return order }",
        "look(order: Order) { allow clerk  update order { status: paid } }",
    ),
    (
        "look(order: Order) -> Order { allow clerk  return order }",
        "look(order: Order) -> Customer { allow clerk  return order.customer }",
    ),
    ("  require amount > 0 else TooFew { amount }\n", "  require amount > 0 else Closed {}\n"),
    ("TooFew 409", "TooFew 422"),
    ("\"Only {amount}\"", "\"Too few: {amount}\""),
    ("{ amount: Int  least: Int? }\n", "{ amount: Int  least: Int?  more: Int? }\n"),
    ("{ amount: Int  least: Int? }\n", "{ amount: Int?  least: Int? }\n"),
    ("least: Int?", "least: Bool?"),
    ("limit settle 10", "limit settle 5"),
    ("slo   settle 99.9%", "slo   settle 99.5%"),
    // Events and webhooks.
    ("enum { open, closed }", "enum { open, closed, lost }"),
    ("enum { open, closed }", "enum { open, shut was closed }"),
    ("event Came from \"arrivals\"", "event Came from \"incoming\""),
    ("event Settled by order {", "event Settled {"),
    ("weight: Int(1..9) }", "weight: Int(2..9) }"),
    ("weight: Int(1..9) }", "weight: Int(1..9)? }"),
    ("weight: Int(1..9) }", "weight: Int(1..9)  depth: Int }"),
    ("weight: Int(1..9) }", "weight: Int(1..9)  depth: Int? }"),
    (
        "event Settled by order { order: Order  amount: Int(1..10)",
        "event Settled by order { order: Order  amount: Int(1..10)  more: Int?",
    ),
    (
        "event Settled by order { order: Order  amount: Int(1..10)",
        "event Settled by order { order: Order  amount: Int(1..11)",
    ),
    (
        "event Settled by order { order: Order  amount: Int(1..10)",
        "event Settled by order { order: Order  amount: Int(1..10)?",
    ),
    (
        "event Came from \"arrivals\" by id { id: Uuid",
        "event Came from \"arrivals\" by id { id: Int",
    ),
    (
        "  kind: Customer.kind  allow read to clerk }",
        "  kind: Customer.kind  allow read to clerk, manager }",
    ),
    (
        "  kind: Customer.kind  allow read to clerk }",
        "  kind: Customer.kind  allow read to clerk  allow replay to manager }",
    ),
    (
        "event Gone by order { order: Order  size: Int? }\n",
        "event Gone by order { order: Order  size: Int? }\nevent More by order { order: Order }\n",
    ),
    ("size: Int? }", "size: Bool? }"),
    ("sends Settled, Gone", "sends Settled"),
    ("webhook carriers { receives Came as \"came\" }", ""),
    ("as \"came\"", "as \"arrived\""),
    ("retry for 3d", "retry for 1d"),
];

#[track_caller]
fn model(text: &str) -> Valid<Model> {
    let parse = syntax::parse(syntax::FileId(0), text);
    let (model, mut found) = model::check(&[&parse]);
    found.extend(parse.diagnostics.iter().cloned());
    let faults: Vec<String> = found
        .iter()
        .filter(|it| it.severity == syntax::Severity::Error)
        .map(|it| format!("{}: {}", it.code, it.message))
        .collect();
    Valid::new(model, &found).unwrap_or_else(|| panic!("{faults:?}"))
}

fn told(page: &mut String, changes: &[Change]) {
    for Change { kind, item, message, .. } in changes {
        let (class, audience) = (kind.class().name(), kind.audience().name());
        let _ = writeln!(page, "{class} {audience} {}: {item} {message}", kind.name());
    }
}

/// Every edit, and what it changes there and back.
fn all() -> Vec<(&'static str, &'static str, Vec<Change>, Vec<Change>)> {
    let old = model(SHOP);
    let edits = EDITS.iter().map(|(from, to)| {
        assert_eq!(SHOP.matches(from).count(), 1, "the model has this not once: {from}");
        let new = model(&SHOP.replace(from, to));
        (*from, *to, contract::diff(&old, &new, TODAY), contract::diff(&new, &old, TODAY))
    });
    edits.collect()
}

#[test]
fn each_edit_is_told() {
    let mut page = String::new();
    for (from, to, there, back) in all() {
        let _ = writeln!(page, "=== {from:?} to {to:?}");
        told(&mut page, &there);
        page.push_str("--- and back\n");
        told(&mut page, &back);
        page.push('\n');
    }
    expect_file!["diff/changes.txt"].assert_eq(&page);
}

#[test]
fn no_edit_is_missed_and_no_kind_is_without_one() {
    let mut seen: BTreeSet<Kind> = BTreeSet::new();
    for (from, to, there, back) in all() {
        assert!(!there.is_empty() && !back.is_empty(), "{from:?} to {to:?} is not found");
        seen.extend(there.iter().chain(&back).map(|it| it.kind));
    }
    // What becomes of tables is for `schema` to say.
    let mut elsewhere =
        vec![Kind::ValuesLost, Kind::RowsRefused, Kind::ChangeHazard, Kind::TablesChanged];
    // Models leave no member out; documents of others may (`document.rs`).
    elsewhere.extend([Kind::FieldOmitted, Kind::FieldAlwaysAnswered]);
    let missing = Kind::ALL.iter().filter(|it| !seen.contains(it) && !elsewhere.contains(it));
    let missing: Vec<&str> = missing.map(|it| it.name()).collect();
    assert_eq!(missing, [""; 0]);
}

#[test]
fn a_model_does_not_differ_from_itself() {
    for text in [SHOP, include_str!("../../../examples/shop/shop.mimar")] {
        assert_eq!(contract::diff(&model(text), &model(text), TODAY), []);
        // Layout and comments say nothing.
        let other = text.replace("  ", "    ").replace("\n\n", "\n// more\n\n");
        assert_eq!(contract::diff(&model(text), &model(&other), TODAY), []);
    }
}

#[test]
fn a_new_version_announces_what_it_breaks() {
    let new = SHOP.replace("version  2", "version  3").replace("  note:    String(0..80)?\n", "");
    let changes = contract::diff(&model(SHOP), &model(&new), TODAY);
    let mut page = String::new();
    for it in changes.iter().filter(|it| it.kind.audience() == Audience::Caller) {
        let _ = writeln!(page, "{} {} {:?} {}", it.kind.name(), it.item, it.code(), it.announced);
    }
    expect![[r#"
        field-removed Product.note None true
        version-raised Shop None true
    "#]]
    .assert_eq(&page);
}

/// The document of a model.
fn document(text: &str) -> serde_json::Value {
    contract::openapi(&contract::derive(&model(text)))
}

#[track_caller]
fn documents(old: &serde_json::Value, new: &serde_json::Value) -> Vec<Change> {
    contract::diff::documents(old, new, TODAY).unwrap_or_else(|fault| panic!("{fault}"))
}

/// What no document says: conditions, transitions, limits, promises, events, what a value is called in the language.
const UNSAID: &[Kind] = &[
    Kind::AccessChanged,
    Kind::AccessNarrowed,
    Kind::AccessRevoked,
    Kind::RoleRemoved,
    Kind::RuleAdded,
    Kind::SurfaceRemoved,
    Kind::TokenChanged,
    Kind::TransitionRemoved,
];

#[test]
fn documents_tell_what_they_say() {
    let (mut page, mut missed) = (String::new(), String::new());
    let old = document(SHOP);
    for (from, to, there, back) in all() {
        let new = document(&SHOP.replace(from, to));
        for (arrow, models, (a, b)) in
            [("to", there, (&old, &new)), ("back from", back, (&new, &old))]
        {
            let changes = documents(a, b);
            let breaks = |changes: &[Change]| {
                let mut breaking = changes.iter().filter(|it| {
                    it.kind.class() == contract::diff::Class::Breaking
                        && it.kind.audience() == Audience::Caller
                });
                breaking.any(|it| !UNSAID.contains(&it.kind))
            };
            if breaks(&models) && !breaks(&changes) {
                let _ = writeln!(missed, "{from:?} {arrow} {to:?}");
            }
            if !changes.is_empty() {
                let _ = writeln!(page, "=== {from:?} {arrow} {to:?}");
                told(&mut page, &changes);
                page.push('\n');
            }
        }
    }
    expect_file!["diff/documents.txt"].assert_eq(&page);
    // What breaks callers and is not seen in documents.
    expect![[r#"
        "entity Leaflet" to "entity Brochure was Leaflet"
        "enum { open, closed }" to "enum { open, shut was closed }"
    "#]]
    .assert_eq(&missed);
}

#[test]
fn a_document_does_not_differ_from_itself() {
    for text in [SHOP, include_str!("../../../examples/shop/shop.mimar")] {
        assert_eq!(documents(&document(text), &document(text)), []);
    }
}

#[test]
fn the_documentation_has_every_kind() {
    let path = "../../../docs/diff.md";
    let page = include_str!("../../../docs/diff.md");
    let (head, _) = page.split_once("\n### For the caller").unwrap_or((page, ""));
    expect_file![path].assert_eq(&format!("{head}{}", Kind::table()));
}

//! A design beside what was served before: what is found stands where it has changed.

use std::fmt::Write as _;

use expect_test::expect;

use crate::project::Project;

const BEFORE: &str = r#"app Market {
  version 1
  roles clerk, customer
}

service sales {
  /// What can be bought.
  entity Product {
    key sku: String(3..40)
    name:    String(1..200)
    note:    String(0..80)?
    state:   enum { draft, live } = draft

    allow read to anyone
    allow create, update to clerk
  }

  entity Crate { key id: Uuid  weight: Int(1..9)  height: Int(1..9)  width: Int(1..9) }

  event Sold by product { product: Product  pieces: Int(1..9)  allow read to clerk }

  error Closed 409 "Closed" {}

  command sell(product: Product, pieces: Int(1..9)) {
    allow clerk
    require product.state == live else Closed {}
    create Crate { weight: pieces, height: 1, width: 1 }
    emit Sold { product, pieces }
  }

  query live_products() -> Product {
    where .state == live
    sort  .name
    page  20
    allow anyone
  }
}
"#;

/// What `BEFORE` has become, and what is found of it by the rules that compare.
fn found(edits: &[(&str, &str)]) -> String {
    let mut text = BEFORE.to_owned();
    for (from, to) in edits {
        assert_eq!(text.matches(from).count(), 1, "{from}");
        text = text.replace(from, to);
    }
    let (before, after) = (Project::of(&[BEFORE]), Project::of(&[&text]));
    let report = after.review_against(&before).unwrap_or_else(|faults| panic!("{faults}"));
    let mut page = String::new();
    for finding in report.findings {
        let code = finding.rule.code.id;
        if !finding.rule.compares && code != "API008" {
            continue;
        }
        let span = finding.diagnostic.primary.span;
        let at = &text[span.range()];
        let _ = writeln!(page, "{code} {} `{at}`: {}", finding.path, finding.diagnostic.message);
        for fix in &finding.diagnostic.fixes {
            let edits = fix.edits.iter().map(|edit| edit.replacement.as_str());
            let _ = writeln!(page, "  {}", edits.collect::<Vec<_>>().join(" "));
        }
    }
    page
}

#[test]
fn nothing_is_found_where_nothing_has_changed() {
    expect![""].assert_eq(&found(&[]));
}

#[test]
fn findings_stand_where_it_has_changed() {
    expect![[r#"
        API007 sales.Product `Product`: sales.Product.note is gone
    "#]]
    .assert_eq(&found(&[("    note:    String(0..80)?\n", "")]));
    expect![[r#"
        API007 sales.Product.name `name`: sales.Product.name at most 100 characters, was 200
    "#]]
    .assert_eq(&found(&[("String(1..200)", "String(1..100)")]));
    expect![[r#"
        API007 sales.Product `Product`: PATCH /v1/products/{sku} is gone: nobody may any more
        API007 sales.Product `Product`: POST /v1/products is gone: nobody may any more
        API007 sales.Product `Product`: PUT /v1/products/{sku} is gone: nobody may any more
    "#]]
    .assert_eq(&found(&[("    allow create, update to clerk\n", "")]));
    expect![[r#"
        API007 sales.sell `sell`: sales.sell(pieces) at most 8, was 9
    "#]]
    .assert_eq(&found(&[("pieces: Int(1..9)) {", "pieces: Int(1..8)) {")]));
    expect![[r#"
        EVT007 sales.Sold `Sold`: event sales.Sold.pieces may be null now
    "#]]
    .assert_eq(&found(&[("pieces: Int(1..9)  allow", "pieces: Int(1..9)?  allow")]));
    expect![[r#"
        API007 design `Market`: role customer is gone
    "#]]
    .assert_eq(&found(&[("roles clerk, customer", "roles clerk")]));
    expect![[r#"
        API007 sales.Closed `Closed`: error Closed its status is 422, was 409
    "#]]
    .assert_eq(&found(&[("Closed 409", "Closed 422")]));
    expect![[r#"
        API007 design `Market`: GET /v1/live-products is gone
    "#]]
    .assert_eq(&found(&[("query live_products", "query products_live")]));
    expect![""].assert_eq(&found(&[("{ draft, live } = draft", "{ draft, live, late } = draft")]));
}

#[test]
fn what_may_be_a_rename_is_asked() {
    expect![[r#"
        API007 sales.Product `Product`: sales.Product.note is gone
        DAT021 sales.Product.remark `remark`: `remark` is new, and `note`, which was like it, is gone
           was note
    "#]].assert_eq(&found(&[("note:    String(0..80)?", "remark:  String(0..80)?")]));
    expect![[r#"
        API007 sales.Product `Product`: sales.Product.note is gone
        DAT021 sales.Product.remark `remark`: `remark` is new, and `note`, which was like it, is gone
           was note
    "#]].assert_eq(&found(&[("note:    String(0..80)?", "remark:  String(0..90)?")]));
    expect![[r#"
        DAT021 sales.Box `Box`: `Box` is new, and `Crate`, which was like it, is gone
           was Crate
    "#]]
    .assert_eq(&found(&[("entity Crate {", "entity Box {"), ("create Crate {", "create Box {")]));
    // Two that it could be: no edit chooses.
    expect![[r#"
        DAT021 sales.Crate.depth `depth`: `depth` is new, and `height`, `width`, which was like it, is gone
    "#]].assert_eq(&found(&[
        ("height: Int(1..9)  width: Int(1..9)", "depth: Int(1..9)"),
        ("height: 1, width: 1", "depth: 1"),
    ]));
}

#[test]
fn a_new_version_may_break() {
    expect![""].assert_eq(&found(&[
        ("  version 1", "  version 2"),
        ("    note:    String(0..80)?\n", ""),
    ]));
}

#[test]
fn what_is_allowed_is_counted_and_needs_what_was_before() {
    let comment = "    // mimar: allow API007 because \"nobody sends longer names\"\n";
    let line = "    name:    String(1..200)\n";
    let after = BEFORE.replace(line, &format!("{comment}{}", line.replace("200", "100")));
    let (before, after) = (Project::of(&[BEFORE]), Project::of(&[&after]));
    let compared = after.review_against(&before).unwrap_or_else(|faults| panic!("{faults}"));
    let codes = crate::project::codes(&compared);
    assert_eq!(
        (compared.allowed, codes.contains("API007"), codes.contains("REV001")),
        (1, false, false)
    );
    // Alone nothing was looked for, so that the comment is not said to be unused.
    assert!(!crate::project::codes(&after.report()).contains("REV001"));
}

//! Levels, comments, baselines and fixes.

use review::{Baseline, Level, Levels, Selector};
use syntax::Severity;

use crate::project::{Project, codes};

const FAULTY: &str = r#"/// A shop.
app Shop { version 1  roles clerk }

/// What is sold.
entity Product {
  key id: Uuid
  price:  Float
  cost:   Float
  allow read to clerk
}
"#;

fn with(levels: &[(&str, Level)]) -> Levels {
    let mut all = Levels::default();
    for (text, level) in levels {
        all.set(Selector::of(text).unwrap(), *level);
    }
    all
}

/// How often DAT005 is found, and at which severity.
#[track_caller]
fn money(text: &str, levels: &Levels) -> Vec<Severity> {
    let report = Project::of(&[text]).review(levels, None).unwrap();
    let found = report.findings.iter().filter(|it| it.rule.code.id == "DAT005");
    found.map(|it| it.diagnostic.severity).collect()
}

#[test]
fn levels_are_set_by_code_group_and_all() {
    assert_eq!(money(FAULTY, &Levels::default()), [Severity::Warning; 2]);
    assert_eq!(money(FAULTY, &with(&[("dat005", Level::Deny)])), [Severity::Error; 2]);
    assert_eq!(money(FAULTY, &with(&[("float-for-money", Level::Note)])), [Severity::Note; 2]);
    assert_eq!(money(FAULTY, &with(&[("DAT", Level::Allow)])), []);
    let last = with(&[("all", Level::Allow), ("DAT005", Level::Warn)]);
    assert_eq!(money(FAULTY, &last), [Severity::Warning; 2]);
    assert_eq!(Selector::of("DAT999"), None);
}

#[test]
fn a_comment_holds_for_what_it_stands_before_or_behind() {
    let reason = "because \"the partner sends it so\"";
    let behind = FAULTY
        .replace("price:  Float\n", &format!("price:  Float // mimar: allow DAT005 {reason}\n"));
    assert_eq!(money(&behind, &Levels::default()), [Severity::Warning]);
    let before = FAULTY.replace("  price:  Float\n", "  // mimar: deny DAT005\n  price:  Float\n");
    assert_eq!(money(&before, &Levels::default()), [Severity::Error, Severity::Warning]);
    let entity = format!("/// What is sold.\n// mimar: note DAT {reason}\nentity");
    let entity = FAULTY.replace("/// What is sold.\nentity", &entity);
    assert_eq!(money(&entity, &Levels::default()), [Severity::Note; 2]);
    // The smaller item stands over the larger, and comments over the caller's levels.
    let both = entity.replace(
        "  cost:   Float\n",
        &format!("  // mimar: allow DAT005 {reason}\n  cost:   Float\n"),
    );
    assert_eq!(money(&both, &with(&[("DAT005", Level::Deny)])), [Severity::Note]);
    let app =
        FAULTY.replace("/// A shop.\n", &format!("/// A shop.\n// mimar: allow DAT005 {reason}\n"));
    assert_eq!(money(&app, &Levels::default()), []);
}

#[test]
fn comments_that_say_nothing_are_found() {
    for (comment, wanted) in [
        ("// mimar: allow DAT005", "needs a reason"),
        ("// mimar: allow DAT005 because \"\"", "needs a reason"),
        ("// mimar: allow DAT0055 because \"x\"", "did you mean `DAT005`?"),
        ("// mimar: forbid DAT005", "no level"),
        ("// mimar: allow N0111 because \"x\"", "only findings of the review"),
        ("// mimar: deny", "names no rule"),
    ] {
        let text = FAULTY.replace("  price:", &format!("  {comment}\n  price:"));
        let report = Project::of(&[&text]).report();
        let found = report.findings.iter().find(|it| it.rule.code.id == "REV002").unwrap();
        assert!(found.diagnostic.message.contains(wanted), "{}", found.diagnostic.message);
        assert_eq!(money(&text, &Levels::default()).len(), 2, "{comment}");
    }
    let lost = format!("{FAULTY}\n// mimar: allow DAT005 because \"x\"\n");
    assert!(codes(&Project::of(&[&lost]).report()).contains("REV002"));
}

#[test]
fn a_comment_that_nothing_needs_is_found_and_removed() {
    let unused = "  // mimar: allow DAT006 because \"x\"\n";
    let text = FAULTY.replace("  price:", &format!("{unused}  price:"));
    let project = Project::of(&[&text]);
    let report = project.report();
    let found: Vec<_> = report
        .findings
        .iter()
        .filter(|it| it.rule.code.id == "REV001")
        .map(|it| &it.diagnostic)
        .collect();
    assert_eq!(found.len(), 1);
    let parses: Vec<&syntax::Parse> = project.parses.iter().collect();
    assert_eq!(review::mend(&parses, found, false).files[0].1, FAULTY);
}

#[test]
fn a_comment_of_which_a_part_is_needed_stays() {
    let both = "  // mimar: allow DAT005, DAT006 because \"x\"\n";
    let text = FAULTY.replace("  price:", &format!("{both}  price:"));
    let report = Project::of(&[&text]).report();
    let found: Vec<_> = report.findings.iter().filter(|it| it.rule.code.id == "REV001").collect();
    assert_eq!(found.len(), 1);
    assert!(found[0].diagnostic.message.contains("DAT006"), "{}", found[0].diagnostic.message);
    assert!(found[0].diagnostic.fixes.is_empty());
    assert_eq!(money(&text, &Levels::default()).len(), 1);
}

#[test]
fn a_baseline_knows_items_and_not_lines() {
    let project = Project::of(&[FAULTY]);
    let baseline = Baseline::of(&project.report());
    let baseline = Baseline::read(&baseline.text()).unwrap();
    let known = project.review(&Levels::default(), Some(&baseline)).unwrap();
    assert!(known.findings.is_empty() && known.known >= 2 && known.mended.is_empty());
    // Elsewhere in the file, and known all the same; what is new is not.
    let moved =
        FAULTY.replace("entity Product {", "// A comment.\n\n\nentity Product {\n  fee: Float");
    let report = Project::of(&[&moved]).review(&Levels::default(), Some(&baseline)).unwrap();
    let paths: Vec<&str> = report.findings.iter().map(|it| it.path.as_str()).collect();
    assert_eq!(paths, ["Product.fee"]);
    let mended = FAULTY.replace("price:  Float", "price:  Money(EUR)");
    let report = Project::of(&[&mended]).review(&Levels::default(), Some(&baseline)).unwrap();
    assert_eq!(report.mended, [("DAT005".to_owned(), "Product.price".to_owned())]);
    assert!(
        Baseline::read("{}").is_err()
            && Baseline::read("{\"version\": 9, \"findings\": {}}").is_err()
    );
}

#[test]
fn fixes_that_touch_the_same_text_do_not_spoil_each_other() {
    let text = r#"app Shop { version 1  roles clerk }
entity Order {
  key id:  Uuid
  country: String(2)
  placed:  Timestamp = now
  balance: Money(EUR)
  allow read, update to clerk
}
query by_country(country: Order.country) -> Order {
  where .country == country
  page 20
  allow clerk
}
query by_country_and_day(country: Order.country) -> Order {
  where .country == country
  sort .placed
  page 20
  allow clerk
}
query all_by_country(country: Order.country) -> Order {
  where .country == country
  page 50
  allow clerk
}
"#;
    let mut project = Project::of(&[text]);
    for _ in 0..4 {
        let report = project.report();
        let parses: Vec<&syntax::Parse> = project.parses.iter().collect();
        let mended = review::mend(&parses, report.diagnostics(), false);
        let Some((_, text)) = mended.files.into_iter().next() else { break };
        project = Project::of(&[&text]);
    }
    let left = codes(&project.report());
    assert!(!left.contains("DAT001") && !left.contains("SEC012"), "{left:?}\n{}", project.text());
    assert_eq!(project.text().matches("audit").count(), 1, "{}", project.text());
}

#[test]
fn a_design_of_several_files_is_mended_in_each() {
    let app = "/// A shop.\napp Shop { version 1  roles clerk }\n";
    let query = "query dear(least: Money(EUR)) -> Product {\n  where .price >= least\n  page 20\n  allow clerk\n}\n";
    let entity =
        "entity Product {\n  key id: Uuid\n  price:  Money(EUR)\n  allow read to clerk\n}\n";
    let project = Project::of(&[app, query, entity]);
    let report = project.report();
    let found = report.findings.iter().find(|it| it.rule.code.id == "DAT001").unwrap();
    assert_eq!(found.diagnostic.primary.span.file.0, 1);
    let parses: Vec<&syntax::Parse> = project.parses.iter().collect();
    let mended = review::mend(&parses, [&found.diagnostic], false);
    let wanted = entity.replace("(EUR)\n", "(EUR)\n\n  index (price)\n");
    assert_eq!(mended.files, [(syntax::FileId(2), wanted)]);
}

//! The page of all rules is what the rules say. `UPDATE_EXPECT=1` writes it anew.

use expect_test::expect_file;

#[test]
fn the_page_of_rules_is_current() {
    expect_file!["../../../../docs/rules.md"].assert_eq(&review::catalogue());
}

#[test]
fn machines_read_the_same() {
    let rules = review::catalogue_json();
    assert_eq!(rules.as_array().map(Vec::len), Some(review::rules().count()));
    assert_eq!(rules[0]["code"], "DAT001");
    assert_eq!(rules[0]["name"], "missing-index");
}

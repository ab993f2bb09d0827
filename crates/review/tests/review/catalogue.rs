//! The page of all rules is what the rules say. `UPDATE_EXPECT=1` writes it anew.

use expect_test::expect_file;

#[test]
fn the_page_of_rules_is_current() {
    expect_file!["../../../../docs/rules.md"].assert_eq(&review::catalogue());
}

#[test]
fn reserved_codes_are_no_rules() {
    let page = review::catalogue();
    let reserved = page.split("## Reserved").nth(1).unwrap().split("\n#").next().unwrap();
    let codes: Vec<&str> = reserved
        .lines()
        .filter_map(|line| line.strip_prefix("| ")?.split(' ').next())
        .filter(|code| code.ends_with(|it: char| it.is_ascii_digit()))
        .collect();
    assert!(codes.len() > 20, "{codes:?}");
    assert!(codes.iter().all(|code| review::rule(code).is_none()), "{codes:?}");
}

#[test]
fn machines_read_the_same() {
    let rules = review::catalogue_json();
    assert_eq!(rules.as_array().map(Vec::len), Some(review::rules().count()));
    assert_eq!(rules[0]["code"], "DAT001");
    assert_eq!(rules[0]["name"], "missing-index");
}

#[test]
fn the_schema_has_every_code() {
    let schema = review::catalogue_schema();
    let codes = schema["definitions"]["code"]["oneOf"].as_array().unwrap();
    let codes: Vec<&str> = codes.iter().map(|it| it["const"].as_str().unwrap()).collect();
    assert_eq!(codes, review::rules().map(|rule| rule.code.id).collect::<Vec<_>>());
}

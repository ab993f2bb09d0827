//! The page in the documents begins with what the checker prints; `mimar reference` puts behind it what other rooms
//! know, and `cargo xtask docs` writes it anew.

#[test]
fn the_page_says_what_the_checker_knows() {
    let page = include_str!("../../../docs/language.md");
    let printed = model::reference();
    assert!(page.starts_with(printed.trim_end()), "stale: `cargo xtask docs` writes it anew");
}

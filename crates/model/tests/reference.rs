//! The page in the documents is the one that the checker prints. `UPDATE_EXPECT=1` writes it anew.

#[test]
fn the_page_is_the_one_that_is_printed() {
    expect_test::expect_file!["../../../docs/language.md"].assert_eq(&model::reference());
}

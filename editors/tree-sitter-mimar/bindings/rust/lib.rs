//! The tree-sitter grammar of Mimar, for programs that read `*.mimar` files with [tree-sitter](https://tree-sitter.github.io).
//!
//! ```
//! let mut parser = tree_sitter::Parser::new();
//! parser.set_language(&tree_sitter_mimar::LANGUAGE.into())?;
//! let tree = parser.parse("enum Colour { red, green }", None).ok_or("no tree")?;
//! assert_eq!(tree.root_node().named_child(0).map(|item| item.kind()), Some("enum"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use tree_sitter_language::LanguageFn;

#[expect(unsafe_code, reason = "the generated parser is C; this is its one door")]
mod parser {
    use super::LanguageFn;

    unsafe extern "C" {
        fn tree_sitter_mimar() -> *const ();
    }

    // SAFETY: `src/parser.c` defines the function; it takes nothing and answers a pointer to a static `TSLanguage`.
    pub(super) const LANGUAGE: LanguageFn = unsafe { LanguageFn::from_raw(tree_sitter_mimar) };
}

/// The language, for `tree_sitter::Parser::set_language`.
pub const LANGUAGE: LanguageFn = parser::LANGUAGE;

/// Every kind of node, its fields and children: the generated `src/node-types.json`, in the form of tree-sitter's
/// [static node types](https://tree-sitter.github.io/tree-sitter/using-parsers/6-static-node-types.html).
pub const NODE_TYPES: &str = include_str!("../../src/node-types.json");

/// The query for syntax highlighting.
pub const HIGHLIGHTS_QUERY: &str = include_str!("../../queries/highlights.scm");

/// The query for languages within strings.
pub const INJECTIONS_QUERY: &str = include_str!("../../queries/injections.scm");

/// The query for names and where they hold.
pub const LOCALS_QUERY: &str = include_str!("../../queries/locals.scm");

/// The query for what a file declares.
pub const TAGS_QUERY: &str = include_str!("../../queries/tags.scm");

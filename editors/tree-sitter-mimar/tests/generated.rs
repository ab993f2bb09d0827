//! What is generated is what the grammar yields.

use std::fs;
use std::path::Path;

use tree_sitter_generate::{OptLevel, generate_parser_in_directory};

/// As in `examples/generate.rs`.
const ABI: usize = 14;

/// From `grammar.json` on; that `grammar.js` yields `grammar.json` takes Node.js, and is a step of `cargo xtask test`.
#[test]
fn the_parser_is_that_of_the_grammar() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = tempfile::tempdir().unwrap();
    let mut warnings = Vec::new();
    generate_parser_in_directory(
        root,
        Some(folder.path()),
        Some(root.join("src/grammar.json")),
        ABI,
        None,
        None,
        true,
        OptLevel::default(),
        &mut warnings,
    )
    .unwrap();
    assert!(warnings.is_empty(), "{}", warnings[0]);
    for file in [
        "parser.c",
        "node-types.json",
        "tree_sitter/parser.h",
        "tree_sitter/alloc.h",
        "tree_sitter/array.h",
    ] {
        let written = fs::read(root.join("src").join(file)).unwrap();
        let generated = fs::read(folder.path().join(file)).unwrap();
        assert!(written == generated, "src/{file} is stale; `cargo xtask grammar` writes it anew");
    }
}

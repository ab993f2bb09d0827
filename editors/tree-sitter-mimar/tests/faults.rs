//! What the compiler refuses, tree-sitter mostly refuses as well.

use std::collections::BTreeSet;

use crate::agreement::tree;

/// Left to the compiler: too deep a nesting, documentation of nothing, comparisons in a chain.
const LEFT: [&str; 3] = ["E0114", "E0115", "E0117"];

#[test]
fn the_bad_examples_of_the_pages_have_errors() {
    let mut accepted = BTreeSet::new();
    for code in syntax::CODES {
        for (is_good, text) in code.examples() {
            let has_error = tree(&text).root_node().has_error();
            assert!(!(is_good && has_error), "{}: {text}", code.id);
            if !is_good && !has_error {
                accepted.insert(code.id);
            }
        }
    }
    assert_eq!(accepted, BTreeSet::from(LEFT));
}

/// A fault stays where it is: the items before and behind it keep their nodes.
#[test]
fn a_fault_leaves_its_neighbours_alone() {
    let text = "enum Before { a }\n\nentity Broken {\n  key id: Uuid\n  name String(1..200) = = 3\n  last: Int\n}\n\n\
                enum Behind { b }\n";
    let tree = tree(text);
    assert!(tree.root_node().has_error());
    let mut cursor = tree.walk();
    let items: Vec<String> = tree
        .root_node()
        .named_children(&mut cursor)
        .filter_map(|item| item.child_by_field_name("name"))
        .map(|name| text[name.byte_range()].to_owned())
        .collect();
    assert_eq!(items, ["Before", "Broken", "Behind"]);
}

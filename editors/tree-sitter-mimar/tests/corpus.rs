//! `test/corpus`, in the form of `tree-sitter test`: a name, a text, its tree. `UPDATE_EXPECT=1` writes the trees anew.

use std::fs;
use std::path::Path;

use crate::agreement::tree;

const RULE: &str = "==================";

#[test]
fn the_corpus() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("test/corpus");
    let mut paths: Vec<_> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let (mut cases, mut faults) = (0, Vec::new());
    for path in paths {
        let written = fs::read_to_string(&path).unwrap();
        let generated = renewed(&written);
        cases += written.matches(RULE).count() / 2;
        if generated == written {
            continue;
        }
        if std::env::var_os("UPDATE_EXPECT").is_some() {
            fs::write(&path, generated).unwrap();
        } else {
            let mut lines = written.lines().zip(generated.lines());
            let first = lines.find(|(written, generated)| written != generated);
            faults.push(format!("{}: {first:?}", path.display()));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    assert!(cases > 10, "{cases}");
}

/// A file of the corpus with the trees as they are.
fn renewed(written: &str) -> String {
    let mut parts = written.split(RULE).skip(1);
    let mut cases = Vec::new();
    while let (Some(name), Some(rest)) = (parts.next(), parts.next()) {
        let text = rest.rsplit_once("\n---\n").unwrap().0.trim_matches('\n');
        let tree = tree(text);
        assert!(!tree.root_node().has_error(), "{name}: {}", tree.root_node().to_sexp());
        let shown = indented(&tree.root_node().to_sexp());
        cases.push(format!("{RULE}\n{}\n{RULE}\n\n{text}\n\n---\n\n{shown}\n", name.trim()));
    }
    cases.join("\n")
}

/// A tree with each node on a line of its own.
fn indented(tree: &str) -> String {
    let (mut shown, mut depth, mut field) = (String::new(), 0, "");
    for word in tree.split(' ') {
        if word.ends_with(':') {
            field = word;
            continue;
        }
        if !shown.is_empty() {
            shown.push('\n');
        }
        shown.push_str(&"  ".repeat(depth));
        if !field.is_empty() {
            shown.push_str(field);
            shown.push(' ');
        }
        shown.push_str(word);
        field = "";
        depth = depth + word.matches('(').count() - word.matches(')').count();
    }
    shown
}

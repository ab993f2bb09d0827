//! The tree-sitter grammar, generated from `grammar.js`.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::fault::Fault;
use crate::{place, step};

const FOLDER: &str = "editors/tree-sitter-mimar/src";

const GENERATED: [&str; 6] = [
    "grammar.json",
    "node-types.json",
    "parser.c",
    "tree_sitter/alloc.h",
    "tree_sitter/array.h",
    "tree_sitter/parser.h",
];

/// Writes what is generated anew.
///
/// # Errors
/// [`Fault`] if the generator does not build, Node.js is missing, or the grammar has a conflict.
pub(crate) fn write() -> Result<(), Fault> {
    generate(&place::root().join(FOLDER))?;
    println!("wrote {FOLDER}");
    Ok(())
}

/// Whether what is generated is what `grammar.js` yields.
///
/// # Errors
/// [`Fault::Step`] if it is not; otherwise as [`write`].
pub(crate) fn verify() -> Result<(), Fault> {
    let folder = std::env::temp_dir().join(format!("mimar-grammar-{}", std::process::id()));
    let stale = generate(&folder).and_then(|()| stale(&folder));
    // What stays behind in the folder for temporary files harms nobody.
    let _ = fs::remove_dir_all(&folder);
    let stale = stale?;
    if stale.is_empty() {
        return Ok(());
    }
    Err(Fault::Step {
        name: "the grammar is current".into(),
        how: format!("{} in {FOLDER}: `cargo xtask grammar` writes it anew", stale.join(", ")),
    })
}

fn generate(folder: &Path) -> Result<(), Fault> {
    let mut command = Command::new(place::cargo());
    command.args([
        "run",
        "--quiet",
        "--locked",
        "-p",
        "tree-sitter-mimar",
        "--example",
        "generate",
    ]);
    step::run("generate the grammar", command.arg(folder)).map(drop)
}

/// Which files differ.
fn stale(folder: &Path) -> Result<Vec<&'static str>, Fault> {
    let mut stale = Vec::new();
    for file in GENERATED {
        if read(&place::root().join(FOLDER).join(file))? != read(&folder.join(file))? {
            stale.push(file);
        }
    }
    Ok(stale)
}

fn read(path: &Path) -> Result<Vec<u8>, Fault> {
    fs::read(path).map_err(|error| Fault::File { path: path.into(), error })
}

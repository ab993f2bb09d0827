//! Writes `src/` anew from `grammar.js`, which Node.js evaluates: `cargo xtask grammar`.

#![expect(clippy::print_stderr, reason = "a chore talks to whoever ran it")]

use std::path::Path;
use std::process::ExitCode;

use tree_sitter_generate::{OptLevel, generate_parser_in_directory};

/// The version of the tables: the oldest that the generator writes, so that editors of some years ago read them.
const ABI: usize = 14;

fn main() -> ExitCode {
    // Where to: the folder `src`, unless a check asks for another one.
    let folder = std::env::args().nth(1);
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut warnings = Vec::new();
    let done = generate_parser_in_directory(
        root,
        folder,
        Some(root.join("grammar.js")),
        ABI,
        None,
        None,
        true,
        OptLevel::default(),
        &mut warnings,
    );
    for warning in &warnings {
        eprintln!("{warning}");
    }
    match done {
        Ok(()) if warnings.is_empty() => ExitCode::SUCCESS,
        Ok(()) => ExitCode::FAILURE,
        Err(fault) => {
            eprintln!("{fault}");
            ExitCode::FAILURE
        }
    }
}

//! Compiles the generated parser and the scanner.

fn main() {
    println!("cargo:rerun-if-changed=src");
    cc::Build::new()
        .std("c11")
        .include("src")
        .files(["src/parser.c", "src/scanner.c"])
        // A failed test would otherwise wait for a parser that was compiled for debugging.
        .opt_level(2)
        .warnings(false)
        .compile("tree-sitter-mimar");
}

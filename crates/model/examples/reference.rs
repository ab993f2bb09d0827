//! Prints the language reference: `cargo run -p mimar-model --example reference > docs/language.md`.
#![expect(clippy::print_stdout, reason = "an example prints")]

fn main() {
    print!("{}", model::reference());
}

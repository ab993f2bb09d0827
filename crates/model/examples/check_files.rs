//! Checks files and prints what is wrong with them.
#![expect(clippy::print_stdout, reason = "an example prints")]

use syntax::FileId;

fn main() -> std::io::Result<()> {
    let mut parses = Vec::new();
    for (position, path) in std::env::args().skip(1).enumerate() {
        let text = std::fs::read_to_string(path)?;
        parses.push(syntax::parse(FileId(position as u32), text));
    }
    let parses: Vec<&syntax::Parse> = parses.iter().collect();
    let (_, diagnostics) = model::check(&parses);
    let of_syntax = parses.iter().flat_map(|parse| &parse.diagnostics);
    for diagnostic in of_syntax.chain(&diagnostics) {
        let parse = parses[diagnostic.primary.span.file.0 as usize];
        let line = parse.text[..diagnostic.primary.span.start as usize].lines().count();
        println!("{} line {line}: {}", diagnostic.code, diagnostic.message);
    }
    println!("{} faults", diagnostics.len());
    Ok(())
}

//! Formats the file named by its argument onto standard output.
fn main() {
    let path = std::env::args().nth(1).unwrap();
    let text = std::fs::read_to_string(path).unwrap();
    print!("{}", syntax::format(&syntax::parse(syntax::FileId(0), text)).unwrap());
}

//! The binary `mimar`.
fn main() {}

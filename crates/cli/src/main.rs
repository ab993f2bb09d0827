//! The binary `mimar`.

use std::process::ExitCode;

fn main() -> ExitCode {
    mimar::main()
}

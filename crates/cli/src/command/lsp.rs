//! `mimar lsp`

use crate::failure::Failure;
use crate::lsp;

pub(crate) fn run() -> Result<(), Failure> {
    lsp::serve(std::io::stdin(), &mut std::io::stdout())
}

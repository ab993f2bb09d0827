//! `mimar mcp`

use crate::arguments::Mcp;
use crate::failure::Failure;
use crate::mcp;

pub(crate) fn run(arguments: &Mcp) -> Result<(), Failure> {
    mcp::serve(&arguments.root)
}

//! The binary `mimar`.

use std::process::ExitCode;

/// Small pieces come and go with each request: see ADR 0052.
#[cfg(all(feature = "jemalloc", not(target_env = "msvc")))]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    mimar::main()
}

//! What can go wrong in a chore.

use std::fmt;
use std::io;
use std::path::PathBuf;

/// Why a chore did not end well.
#[derive(Debug)]
pub(crate) enum Fault {
    /// A program could not be started.
    Start { program: String, error: io::Error },
    /// A file could not be read or written.
    File { path: PathBuf, error: io::Error },
    /// A step said no; its output has been shown.
    Step { name: String, how: String },
    /// Something is missing that this chore may not install by itself.
    Missing { what: String, mend: String },
    /// Tidy found something; it has been shown.
    Untidy { findings: usize },
    /// The runners counted no test at all, or failed ones.
    Tests { passed: u64, failed: u64 },
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Start { program, error } => write!(f, "`{program}` does not start: {error}"),
            Self::File { path, error } => write!(f, "{}: {error}", path.display()),
            Self::Step { name, how } => write!(f, "the step `{name}` failed: {how}"),
            Self::Missing { what, mend } => write!(f, "{what} is missing: {mend}"),
            Self::Untidy { findings } => write!(f, "tidy: {findings} findings"),
            Self::Tests { passed: 0, failed: 0 } => write!(f, "no test was run"),
            Self::Tests { passed, failed } => write!(f, "{passed} passed, {failed} failed"),
        }
    }
}

impl std::error::Error for Fault {}

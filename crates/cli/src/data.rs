//! Rows of files: CSV and JSON Lines, in and out, and those of SQLite files that others made, in.

pub(crate) mod command;
mod dump;
mod file;
mod load;
pub(crate) mod others;

use std::fmt;

pub(crate) use dump::dump;
pub(crate) use load::{Loaded, load};

/// Something wrong with a file of rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DataFault {
    /// The file, as it is shown.
    pub(crate) file: String,
    /// The line, from 1; 0 where the file as a whole is meant.
    pub(crate) line: u64,
    /// Everything that is wrong there.
    pub(crate) reasons: Vec<Reason>,
}

/// One thing wrong with a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reason {
    /// The column, if one is meant.
    pub(crate) column: Option<String>,
    /// A sentence.
    pub(crate) text: String,
}

impl std::error::Error for DataFault {}

impl fmt::Display for DataFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, reason) in self.reasons.iter().enumerate() {
            if at > 0 {
                f.write_str("\n       ")?;
            }
            f.write_str(&self.file)?;
            if self.line > 0 {
                write!(f, ":{}", self.line)?;
            }
            if let Some(column) = &reason.column {
                write!(f, ", column `{column}`")?;
            }
            write!(f, ": {}", reason.text)?;
        }
        Ok(())
    }
}

impl DataFault {
    fn new(file: &str, line: u64, text: impl Into<String>) -> Self {
        Self {
            file: file.to_owned(),
            line,
            reasons: vec![Reason { column: None, text: text.into() }],
        }
    }

    fn at(file: &str, line: u64, column: &str, text: impl Into<String>) -> Self {
        Self {
            file: file.to_owned(),
            line,
            reasons: vec![Reason { column: Some(column.to_owned()), text: text.into() }],
        }
    }
}

//! What an editor asks of a model: functions from the files of a project and a place in them to values.
//!
//! ```text
//! texts ── syntax::parse ──► Parse, kept by file ── analyze ──► Analysis ── hover, complete, rename, … ──► values
//! ```
//!
//! Nothing here reads a file, waits, or knows of a protocol: places are byte offsets, and [`Lines`] turns them into lines
//! and columns. What is not to be known answers nothing; no text is too broken to be asked about.

mod action;
mod analysis;
mod completion;
mod hint;
mod hover;
mod lines;
mod navigate;
mod outline;
mod place;
mod rename;
mod semantic;
mod symbol;

pub use action::actions;
pub use analysis::{Analysis, Reviewed, analyze, review};
pub use completion::{Completion, CompletionKind, Completions, complete};
pub use hint::{Hint, hints};
pub use hover::{Hover, hover};
pub use lines::{Encoding, LineColumn, Lines};
pub use navigate::{definition, references};
pub use outline::{Outline, outline};
pub use rename::{NoRename, renamable, rename};
pub use semantic::{SemanticKind, SemanticToken, semantic_tokens, semantic_tokens_in};
pub use symbol::{Symbol, Thing};

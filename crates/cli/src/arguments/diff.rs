//! What `diff` takes.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

/// Show what a change of the model changes for those outside.
///
/// Every difference between two models, classified: breaking, risky or safe; for callers of the REST API, for consumers of events
/// and webhooks, and for the rows in the database. Each with the reason and, unless it is safe, a way around it. Things are the
/// same by name, or by the name that `was` says they had.
///
/// OLD or NEW may also be a document of OpenAPI that was published, whoever wrote it: then the REST part is compared.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  mimar diff git:main                    what the working tree changes against the branch main\n  mimar diff \
                  git:HEAD~1 git:HEAD         what the last commit changed\n  mimar diff v1.2:services/shop services/shop\n  mimar diff old.mimar \
                  new.mimar --format json\n  mimar diff openapi.json                against what was published\n  mimar diff git:origin/main --fail-on breaking --format github    in a pipeline\n\nExit code 0 whatever \
                  was found, unless --fail-on names it: then 1. 1 as well if a model has errors,\n3 if it cannot be read."
)]
pub(crate) struct Diff {
    /// The model before: a folder, a file, git:REVISION (the same folder as NEW) or REVISION:PATH; or an openapi.json.
    #[arg(value_name = "OLD")]
    pub(crate) old: String,
    /// The model after, given alike.
    #[arg(value_name = "NEW", default_value = ".")]
    pub(crate) new: String,
    /// How to print it.
    #[arg(long, value_enum, default_value_t = DiffFormat::Text, value_name = "FORMAT")]
    pub(crate) format: DiffFormat,
    /// Exit with 1 if a change is breaking, or at least risky.
    #[arg(long, value_enum, value_name = "CLASS")]
    pub(crate) fail_on: Option<FailOn>,
    /// Leave out what is safe.
    #[arg(short, long)]
    pub(crate) quiet: bool,
    /// The folder of the repository that revisions are read from [default: that of NEW].
    #[arg(long, value_name = "FOLDER")]
    pub(crate) repository: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum DiffFormat {
    /// Drawn for people.
    Text,
    /// One JSON object for programs: {"scope", "breaking", "risky", "safe", "changes": [...]}.
    Json,
    /// Markdown, for a comment under a change.
    Markdown,
    /// Annotations of GitHub Actions.
    Github,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum FailOn {
    /// What breaks somebody who did everything right.
    Breaking,
    /// That, and what may break somebody.
    Risky,
}

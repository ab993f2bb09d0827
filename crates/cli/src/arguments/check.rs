//! What `check` and `rules` take.

use std::path::PathBuf;

use clap::builder::PossibleValue;
use clap::{Args, ValueEnum};

/// Check a model and review the design.
///
/// Every fault is shown at once, each with its place, the reason and, where there is one, the edit that mends it. A model
/// without errors is reviewed as well: over data, surface, access, people, events, failure, load and running. What the model
/// says and this version does not carry out yet is shown as a note.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  mimar check\n  mimar check examples/shop --format sarif > review.sarif\n  mimar check --deny SEC --allow \
                  API004\n  mimar check --fix\n  mimar check --against git:main       what the change breaks, too\n  mimar check --write-baseline baseline.json    then: --baseline baseline.json\n\nA comment \
                  above an item sets a level for it: // mimar: allow DAT001 because \"why\"\n\nExit code 1 if there are errors, or \
                  findings of rules with the level deny; warnings and notes are 0 unless --strict."
)]
pub(crate) struct Check {
    /// A folder (all *.mimar files under it are one model) or one file.
    #[arg(default_value = ".")]
    pub(crate) path: PathBuf,
    /// How to print what was found.
    #[arg(long, value_enum, default_value_t = Format::Terminal, value_name = "FORMAT")]
    pub(crate) format: Format,
    /// Leave notes out.
    #[arg(short, long)]
    pub(crate) quiet: bool,
    /// Warnings fail, too.
    #[arg(long)]
    pub(crate) strict: bool,
    /// Also compare with what was before, and find what breaks callers and consumers, and what may be a rename: a folder, a file,
    /// git:REVISION, REVISION:PATH or a published openapi.json.
    #[arg(long, value_name = "OLD")]
    pub(crate) against: Option<String>,
    #[command(flatten)]
    pub(crate) levels: LevelArguments,
    /// Apply the edits that surely mend what was found.
    #[arg(long, help_heading = "Mending")]
    pub(crate) fix: bool,
    /// With --fix: also those that a person should look at afterwards.
    #[arg(long, requires = "fix", help_heading = "Mending")]
    pub(crate) r#unsafe: bool,
    /// Leave out what a file knows that --write-baseline wrote.
    #[arg(long, value_name = "FILE", help_heading = "Baseline")]
    pub(crate) baseline: Option<PathBuf>,
    /// Write what the review finds to a file, as known.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["baseline", "fix"], help_heading = "Baseline")]
    pub(crate) write_baseline: Option<PathBuf>,
}

/// Levels of rules: a code stands over a group, a group over `all`; of two alike the stricter holds.
#[derive(Debug, Args)]
#[command(
    next_help_heading = "Levels of rules (a code, a group such as SEC, or all; may be repeated)"
)]
pub(crate) struct LevelArguments {
    /// What is found fails; `warnings` is all warnings.
    #[arg(long, value_name = "CODE", value_parser = selectors(true), ignore_case = true, hide_possible_values = true)]
    pub(crate) deny: Vec<String>,
    /// What is found is a warning.
    #[arg(long, value_name = "CODE", value_parser = selectors(false), ignore_case = true, hide_possible_values = true)]
    pub(crate) warn: Vec<String>,
    /// What is found is a note.
    #[arg(long, value_name = "CODE", value_parser = selectors(false), ignore_case = true, hide_possible_values = true)]
    pub(crate) note: Vec<String>,
    /// What is found is left out.
    #[arg(long, value_name = "CODE", value_parser = selectors(false), ignore_case = true, hide_possible_values = true)]
    pub(crate) allow: Vec<String>,
}

/// What may be named: completions have it from here.
fn selectors(with_warnings: bool) -> clap::builder::PossibleValuesParser {
    let mut values = vec![PossibleValue::new("all")];
    if with_warnings {
        values.push(PossibleValue::new("warnings"));
    }
    values.extend(review::GROUPS.iter().map(|group| PossibleValue::new(group.prefix)));
    values.extend(review::rules().map(|rule| PossibleValue::new(rule.code.id)));
    values.into()
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Drawn for people.
    #[value(alias = "human")]
    Terminal,
    /// One JSON object for programs: {"errors", "warnings", "notes", "allowed", "known", "diagnostics": [...]}.
    Json,
    /// SARIF 2.1.0, for code hosts and editors.
    Sarif,
    /// Annotations of GitHub Actions.
    Github,
    /// A Code Quality report of GitLab.
    Gitlab,
    /// JUnit's XML.
    Junit,
    /// Markdown, for a comment under a change.
    Markdown,
}

/// Print the rules of the review.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  mimar rules\n  mimar rules --format json\n  mimar explain DAT001    one of them, with examples"
)]
pub(crate) struct Rules {
    /// How to print them.
    #[arg(long, value_enum, default_value_t = RulesFormat::Text, value_name = "FORMAT")]
    pub(crate) format: RulesFormat,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum RulesFormat {
    /// A line for each.
    Text,
    /// Markdown with every page: docs/rules.md.
    Md,
    /// A JSON array for programs.
    Json,
    /// The JSON Schema of a baseline file, with every code, group and level.
    Schema,
}

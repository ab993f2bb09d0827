//! What `mcp`, `docs`, `policy` and `describe` take.

use std::path::PathBuf;

use clap::builder::PossibleValue;
use clap::{Args, ValueEnum};

use super::Output;
use crate::command::docs::DOCUMENTS;

/// Serve a coding agent: the tools of Mimar over the Model Context Protocol, on standard input and output.
///
/// Hosts of agents start it themselves. It checks, explains, mends, formats, compares and describes models, plans migrations and shows
/// who may do what. It reads and writes below one folder, and writes only where a tool is told to; it ends with its standard input.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  mimar mcp --root shop\n  claude mcp add mimar -- mimar mcp      Claude Code; docs/agents.md has other hosts"
)]
pub(crate) struct Mcp {
    /// The folder that tools may read and write in; links that lead out of it are refused.
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub(crate) root: PathBuf,
}

/// Print a document, or say which there are.
///
/// They are those of the version at hand: what can be is printed by the program from its own tables.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  mimar docs\n  mimar docs language\n  mimar docs --for-agents > AGENTS.md    with which a language model writes Mimar at first try"
)]
pub(crate) struct Docs {
    /// Which [default: list them].
    #[arg(value_name = "NAME", value_parser = documents())]
    pub(crate) name: Option<String>,
    /// What a language model needs to write Mimar, as one text: the document `agents`.
    #[arg(long, conflicts_with = "name")]
    pub(crate) for_agents: bool,
}

fn documents() -> clap::builder::PossibleValuesParser {
    let values = DOCUMENTS.iter().map(|it| PossibleValue::new(it.name).help(it.about));
    values.collect::<Vec<_>>().into()
}

/// Show who may do what.
///
/// Each role, each entity, query, command and event: never, always, or under which condition, and which fields. What is not granted
/// is refused. A role has what `anyone` has, and its own.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  mimar policy examples/shop\n  mimar policy examples/shop --role customer\n  mimar policy examples/shop --entity \
                  Order --format markdown"
)]
pub(crate) struct Policy {
    /// The project's folder, or one file.
    #[arg(default_value = ".")]
    pub(crate) path: PathBuf,
    /// Only one role: a role of the model, `anyone` or `system`.
    #[arg(long, value_name = "ROLE")]
    pub(crate) role: Option<String>,
    /// Only one entity and its parts, or one query, command or event: `Order`, `sales.Order`.
    #[arg(long, value_name = "NAME")]
    pub(crate) entity: Option<String>,
    /// How to print it.
    #[arg(long, value_enum, default_value_t = PolicyFormat::Text, value_name = "FORMAT")]
    pub(crate) format: PolicyFormat,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum PolicyFormat {
    /// Drawn for people: what is granted.
    Text,
    /// One JSON object for programs: {"roles", "access": [...], "fixed": [...]}.
    Json,
    /// Markdown: a table for each thing, with every role.
    Markdown,
}

/// Describe a model: entities, queries, commands, events, routes, load, where it runs.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  mimar describe examples/shop\n  mimar describe examples/shop --format json | jq '.routes[].path'"
)]
pub(crate) struct Describe {
    /// The project's folder, or one file.
    #[arg(default_value = ".")]
    pub(crate) path: PathBuf,
    /// How to print it.
    #[arg(long, value_enum, default_value_t = Output::Text, value_name = "FORMAT")]
    pub(crate) format: Output,
}

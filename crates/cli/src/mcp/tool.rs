//! The tools: each a function from arguments to an answer, announced by one table.

mod check;
mod describe;
mod diff;
mod explain;
mod fix;
mod format;
mod migration;
mod policy;

use std::sync::Arc;

use rmcp::handler::server::tool::{schema_for_output, schema_for_type};
use rmcp::model::{JsonObject, ToolAnnotations};
use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use syntax::{Look, Severity};

use super::root::Root;
use crate::failure::Failure;
use crate::project::Project;

/// A tool.
pub(super) struct Tool {
    pub(super) name: &'static str,
    title: &'static str,
    description: &'static str,
    effect: Effect,
    input: fn() -> Arc<JsonObject>,
    output: fn() -> Arc<JsonObject>,
    pub(super) call: fn(&Root, Value) -> Result<Answer, Refusal>,
}

/// What a tool does to the world.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Effect {
    /// It reads files.
    Reads,
    /// It changes files when it is told to.
    Writes,
    /// It asks a database, in which Mimar's own tables come into being where they are not.
    Asks,
}

/// What a tool answers.
pub(super) struct Answer {
    /// For people and models.
    pub(super) text: String,
    /// For programs, as the tool's output schema says.
    pub(super) data: Value,
}

/// Why a tool has no answer: a text that says what would be right.
#[derive(Debug)]
pub(super) struct Refusal(String);

/// Every tool, in the order in which an agent needs them.
pub(super) static TOOLS: &[Tool] = &[
    Tool {
        name: "check",
        title: "Check a model",
        description: "Checks a Mimar model as a compiler does and reviews its design as a senior architect does. Answers every diagnostic \
            with its place, the reason and the edits that mend it. Give `path` for files, or `text` to try a model before it is written.",
        effect: Effect::Reads,
        input: schema_for_type::<check::Arguments>,
        output: schema_for_output::<check::Report>,
        call: |root, arguments| check::call(root, &read(arguments)?),
    },
    Tool {
        name: "explain",
        title: "Explain a code or a word",
        description: "Explains a diagnostic code (E0405, DAT001), a rule of the review by its name (missing-index), or a word of the language \
            (flow, Money, coalesce): what, why, how to mend it, with examples.",
        effect: Effect::Reads,
        input: schema_for_type::<explain::Arguments>,
        output: schema_for_output::<explain::Explanation>,
        call: |_, arguments| explain::call(&read(arguments)?),
    },
    Tool {
        name: "fix",
        title: "Mend what is found",
        description: "Applies the edits that surely mend what `check` finds; with `unsafe` also those to look at afterwards. Shows a diff, \
            and changes files only with `write`. With `text` the mended text is answered.",
        effect: Effect::Writes,
        input: schema_for_type::<fix::Arguments>,
        output: schema_for_output::<fix::Report>,
        call: |root, arguments| fix::call(root, &read(arguments)?),
    },
    Tool {
        name: "format",
        title: "Lay a model out",
        description: "Lays a model out in the one way there is. With `text` the laid out text is answered; with `path` a diff, and files are \
            changed only with `write`.",
        effect: Effect::Writes,
        input: schema_for_type::<format::Arguments>,
        output: schema_for_output::<format::Report>,
        call: |root, arguments| format::call(root, &read(arguments)?),
    },
    Tool {
        name: "policy",
        title: "Who may do what",
        description: "The matrix of policies: each role, each entity, query, command and event: never, always, or under which condition, and \
            which fields. Use it to see whether a model gives away what it should not.",
        effect: Effect::Reads,
        input: schema_for_type::<policy::Arguments>,
        output: schema_for_output::<contract::PolicyMatrix>,
        call: |root, arguments| policy::call(root, &read(arguments)?),
    },
    Tool {
        name: "describe",
        title: "Describe a model",
        description: "A model as structured data: entities with fields, types, bounds, keys and parts; queries, commands with their errors, \
            events, jobs, webhooks, load, environments, and every route of its REST API.",
        effect: Effect::Reads,
        input: schema_for_type::<describe::Arguments>,
        output: schema_for_output::<contract::Description>,
        call: |root, arguments| describe::call(root, &read(arguments)?),
    },
    Tool {
        name: "diff",
        title: "What a change breaks",
        description: "Every difference between two models, classified breaking, risky or safe: for callers of the API, for consumers of events \
            and for the rows that are stored; each with its reason and a way around it.",
        effect: Effect::Reads,
        input: schema_for_type::<diff::Arguments>,
        output: schema_for_output::<diff::Report>,
        call: |root, arguments| diff::call(root, &read(arguments)?),
    },
    Tool {
        name: "plan_migration",
        title: "Plan a change of the tables",
        description: "The steps by which tables follow the model: SQL, locks, cost, dangers and how they are met, what would be lost. From an \
            older model (`against`: a folder, a file or git:REVISION), or from a database. Nothing is carried out. On a PostgreSQL database \
            Mimar's own schema `mimar` comes into being where it is not there.",
        effect: Effect::Asks,
        input: schema_for_type::<migration::Arguments>,
        output: schema_for_output::<migration::Plan>,
        call: |root, arguments| migration::call(root, &read(arguments)?),
    },
];

/// The tool of a name.
pub(super) fn find(name: &str) -> Option<&'static Tool> {
    TOOLS.iter().find(|tool| tool.name == name)
}

impl Tool {
    /// As it is announced to clients.
    pub(super) fn announced(&self) -> rmcp::model::Tool {
        let reads = self.effect == Effect::Reads;
        let annotations = ToolAnnotations::new()
            .read_only(reads)
            .destructive(self.effect == Effect::Writes)
            .idempotent(true)
            .open_world(self.effect == Effect::Asks);
        rmcp::model::Tool::new(self.name, self.description, (self.input)())
            .with_title(self.title)
            .with_raw_output_schema((self.output)())
            .with_annotations(annotations)
    }
}

impl Answer {
    /// An answer whose structured form is `data`.
    fn of(text: String, data: &impl Serialize) -> Result<Self, Refusal> {
        let data = serde_json::to_value(data).map_err(Failure::Json)?;
        Ok(Self { text, data })
    }
}

impl Refusal {
    pub(super) fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    pub(super) fn text(&self) -> &str {
        &self.0
    }

    /// A model that has errors, where a sound one is needed.
    fn faulty(what: &str, project: &Project) -> Self {
        let errors = |diagnostic: &syntax::Diagnostic| diagnostic.severity == Severity::Error;
        Self(format!("{what} has errors, and they come first:\n\n{}", drawn(project, errors)))
    }
}

impl From<Failure> for Refusal {
    fn from(failure: Failure) -> Self {
        Self(failure.to_string())
    }
}

/// Reads the arguments of a tool; what does not fit is told with what would.
fn read<T: DeserializeOwned + JsonSchema + 'static>(arguments: Value) -> Result<T, Refusal> {
    serde_json::from_value(arguments).map_err(|error| {
        let schema = schema_for_type::<T>();
        let known = schema.get("properties").and_then(Value::as_object);
        let known: Vec<&str> = known.into_iter().flatten().map(|(name, _)| name.as_str()).collect();
        Refusal(format!(
            "the arguments do not fit: {error}\n\nThis tool takes: {}",
            known.join(", ")
        ))
    })
}

/// The most diagnostics that are shown of one model: more would fill the memory of an agent, and mending these mends many of the others.
const SHOWN: usize = 100;

/// Diagnostics as text, without colours.
fn drawn(project: &Project, wanted: impl Fn(&syntax::Diagnostic) -> bool) -> String {
    let found = project.diagnostics.iter().filter(|diagnostic| wanted(diagnostic));
    let found: Vec<syntax::Diagnostic> = found.take(SHOWN).cloned().collect();
    syntax::render(&found, |id| project.source(id), Look::default()).trim_end().to_owned()
}

/// The lines in which two texts differ, as `diff -u` shows them.
fn unified(name: &str, before: &str, after: &str) -> String {
    similar::TextDiff::from_lines(before, after).unified_diff().header(name, name).to_string()
}

#[cfg(test)]
mod tests {
    use super::{Effect, TOOLS};

    #[test]
    fn what_is_announced_is_whole() {
        for tool in TOOLS {
            let announced = tool.announced();
            assert_eq!(announced.input_schema["type"], "object", "{}", tool.name);
            assert_eq!(announced.input_schema["additionalProperties"], false, "{}", tool.name);
            let output = announced.output_schema.unwrap();
            assert_eq!(output["type"], "object", "{}", tool.name);
            for (name, property) in announced.input_schema["properties"].as_object().unwrap() {
                assert!(property["description"].is_string(), "{}.{name}", tool.name);
            }
            let hints = announced.annotations.unwrap();
            assert_eq!(hints.read_only_hint, Some(tool.effect == Effect::Reads));
            assert_eq!(hints.destructive_hint, Some(tool.effect == Effect::Writes));
        }
    }
}

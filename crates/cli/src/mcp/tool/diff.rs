//! `diff`

use contract::diff::Class;
use model::{Model, Valid};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Answer, Refusal};
use crate::command::diff::{changes, output};
use crate::failure::Failure;
use crate::mcp::root::Root;
use crate::source::{self, Content, Source};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Arguments {
    /// What was before: a folder or a file below the root, git:REVISION, which is the same folder as `new` at a revision, or a published
    /// openapi.json below the root, of which only the REST part is compared.
    old: String,
    /// The model after, a folder or a file below the root, or git:REVISION of the root; the root where it is left out.
    #[serde(default = "root_itself")]
    new: String,
    /// Whether what is safe is left out.
    #[serde(default)]
    quiet: bool,
}

fn root_itself() -> String {
    ".".to_owned()
}

/// What has changed.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(super) struct Report {
    /// `all`, or `rest` where one side is a document: then nothing is told of conditions, events and rows.
    scope: String,
    /// How many changes break somebody who did everything right.
    breaking: u64,
    /// How many may break somebody.
    risky: u64,
    /// How many break nobody.
    safe: u64,
    /// The changes, the worst first.
    changes: Vec<Change>,
}

/// One change.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
struct Change {
    /// `breaking`, `risky` or `safe`.
    class: String,
    /// Whom it concerns.
    audience: String,
    /// What kind of change it is.
    kind: String,
    /// The rule of the review that it breaks.
    code: Option<String>,
    /// What has changed.
    item: String,
    /// What is so now, and what was.
    message: String,
    /// Whether a new version of the interface announces it.
    announced: bool,
    /// Why it is of its class.
    reason: String,
    /// What to do instead.
    instead: Option<String>,
}

pub(super) fn call(root: &Root, arguments: &Arguments) -> Result<Answer, Refusal> {
    let new_path = if arguments.new.starts_with("git:") { "." } else { &arguments.new };
    let new = content(root, &arguments.new, ".")?;
    let old = content(root, &arguments.old, new_path)?;
    let (mut changes, summary) = changes(&old, &new, &arguments.old)?;
    if arguments.quiet {
        changes.retain(|change| change.kind.class() != Class::Safe);
    }
    let data: Report =
        serde_json::from_value(output::json(&changes, summary)).map_err(Failure::Json)?;
    Answer::of(output::markdown(&changes, summary), &data)
}

/// A sound model, or a published document of OpenAPI below the root.
pub(super) fn content(root: &Root, place: &str, beside: &str) -> Result<Content, Refusal> {
    let is_document = |path: &str| path.to_ascii_lowercase().ends_with(".json");
    if !place.starts_with("git:") && is_document(place) {
        let text = crate::project::read_text(&root.resolve(place)?)?;
        return Ok(source::document(place, &text)?);
    }
    Ok(Content::Model(Box::new(model(root, place, beside)?)))
}

/// A sound model: a path below the root, or the folder or file `beside` at a revision.
pub(super) fn model(root: &Root, place: &str, beside: &str) -> Result<Valid<Model>, Refusal> {
    let mut project = match place.strip_prefix("git:") {
        None => root.project(place)?,
        // A colon would name another path of the repository, which may be larger than the root.
        Some(revision) if revision.contains(':') => {
            return Err(Refusal::new(format!(
                "`{place}` names a path of the repository; give git:REVISION alone, which is the same folder at that revision"
            )));
        }
        Some(revision) => {
            let path = root.resolve(beside)?;
            Source::Same { revision: revision.to_owned(), path }.project(place)?
        }
    };
    let Some(model) = project.model.take() else {
        return Err(Refusal::faulty(&format!("the model `{place}`"), &project));
    };
    Ok(model)
}

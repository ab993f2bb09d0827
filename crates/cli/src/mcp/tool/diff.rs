//! `diff`

use contract::diff::Class;
use model::{Model, Valid};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Answer, Refusal};
use crate::command::diff::output;
use crate::command::diff::source::Source;
use crate::command::diff::{changes, count};
use crate::failure::Failure;
use crate::mcp::root::Root;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Arguments {
    /// The model before: a folder or a file below the root, or git:REVISION, which is the same folder as `new` at a revision.
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
    let new = model(root, &arguments.new, ".")?;
    let old = model(root, &arguments.old, new_path)?;
    let mut changes = changes(&old, &new);
    let counted = count(&changes);
    if arguments.quiet {
        changes.retain(|change| change.kind.class() != Class::Safe);
    }
    let data: Report =
        serde_json::from_value(output::json(&changes, counted)).map_err(Failure::Json)?;
    Answer::of(output::markdown(&changes, counted), &data)
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

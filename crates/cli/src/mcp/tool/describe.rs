//! `describe`

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Answer, Refusal};
use crate::command::describe;
use crate::mcp::root::{Given, Root};

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Arguments {
    /// A folder or one file, below the root. Where neither this nor `text` is given: the root.
    path: Option<String>,
    /// The text of a whole model, instead of a path.
    text: Option<String>,
}

pub(super) fn call(root: &Root, arguments: &Arguments) -> Result<Answer, Refusal> {
    let given = Given { path: arguments.path.as_deref(), text: arguments.text.as_deref() };
    let project = root.given(&given)?;
    let Some(model) = &project.model else { return Err(Refusal::faulty("the model", &project)) };
    let description = contract::describe(model);
    Answer::of(describe::text(&description), &description)
}

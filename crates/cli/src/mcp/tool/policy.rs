//! `policy`

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Answer, Refusal};
use crate::command::policy;
use crate::mcp::root::{Given, Root};

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Arguments {
    /// A folder or one file, below the root. Where neither this nor `text` is given: the root.
    path: Option<String>,
    /// The text of a whole model, instead of a path.
    text: Option<String>,
    /// Only this role: one of the model, `anyone` or `system`.
    role: Option<String>,
    /// Only this entity and its parts, or this query, command or event: `Order`, `sales.Order`.
    entity: Option<String>,
}

pub(super) fn call(root: &Root, arguments: &Arguments) -> Result<Answer, Refusal> {
    let given = Given { path: arguments.path.as_deref(), text: arguments.text.as_deref() };
    let project = root.given(&given)?;
    let Some(model) = &project.model else { return Err(Refusal::faulty("the model", &project)) };
    let (role, entity) = (arguments.role.as_deref(), arguments.entity.as_deref());
    let matrix = policy::select(contract::policy(model), role, entity)?;
    Answer::of(policy::markdown(&matrix), &matrix)
}

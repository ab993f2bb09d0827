//! What a person may ask an agent for, in words that use the tools well.

use std::borrow::Cow;

use rmcp::model::{
    ErrorData, GetPromptResult, JsonObject, Prompt, PromptArgument, PromptMessage, Role,
};

/// A prompt.
struct Template {
    name: &'static str,
    title: &'static str,
    about: &'static str,
    /// Its argument: name, meaning, and what stands for it where it is left out; none must not be left out.
    argument: (&'static str, &'static str, Option<&'static str>),
    /// The text; `{}` is the argument.
    text: &'static str,
}

const TEMPLATES: [Template; 2] = [
    Template {
        name: "design_backend",
        title: "Design a backend",
        about: "From a description in plain words to a model that checks clean.",
        argument: ("description", "What the backend is for: who uses it, what they do, how much of it.", None),
        text: "\
Design a backend with Mimar for this:

{}

1. Read the resource mimar://agents, then mimar://examples/shop as an example of taste.
2. Say in a few sentences which entities, roles, commands and events you see, and what you assume. Ask me where an assumption would change the \
design.
3. Write the model. Try it with the tool `check` (argument `text`) until it has no errors; mend the warnings as well, or say in a comment in the \
model why one is accepted: // mimar: allow CODE because \"why\".
4. Look at `policy` and go through it role by role: does anybody see or change what they should not?
5. Write the file, then show me the matrix of policies and what you decided.",
    },
    Template {
        name: "review_design",
        title: "Review a design",
        about: "What a senior architect would say of the model at hand.",
        argument: ("path", "The folder or file of the model.", Some(".")),
        text: "\
Review the Mimar model at `{}`.

1. Call `describe` and `check` on it, and `policy`.
2. Group what you found by how much it matters: what loses or leaks data, what breaks under the load that the model states, what will hurt later.
3. For each: the place, what happens because of it (in one sentence, with numbers of the model where there are some), and the edit. `explain` has \
the reasons behind a code.
4. Then say what no tool can know: whether names, boundaries of services and the split of entities and parts fit what the system is for.
5. Change nothing before I have agreed.",
    },
];

/// Every prompt.
pub(super) fn all() -> Vec<Prompt> {
    let prompts = TEMPLATES.iter().map(|it| {
        let (name, about, default) = it.argument;
        let argument =
            PromptArgument::new(name).with_description(about).with_required(default.is_none());
        Prompt::new(it.name, Some(it.about), Some(vec![argument])).with_title(it.title)
    });
    prompts.collect()
}

/// A prompt with its argument in it.
pub(super) fn get(name: &str, arguments: &JsonObject) -> Result<GetPromptResult, ErrorData> {
    let invalid = |said: String| ErrorData::invalid_params(Cow::Owned(said), None);
    let Some(template) = TEMPLATES.iter().find(|it| it.name == name) else {
        let names: Vec<&str> = TEMPLATES.iter().map(|it| it.name).collect();
        return Err(invalid(format!(
            "there is no prompt `{name}`; there are: {}",
            names.join(", ")
        )));
    };
    let (argument, _, default) = template.argument;
    let given = arguments.get(argument).and_then(serde_json::Value::as_str).or(default);
    let Some(given) = given else {
        return Err(invalid(format!("the prompt `{name}` needs `{argument}`")));
    };
    let message = PromptMessage::new_text(Role::User, template.text.replace("{}", given));
    Ok(GetPromptResult::new(vec![message]).with_description(template.about))
}

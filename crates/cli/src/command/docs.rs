//! `mimar docs`: the documents that the program carries with it.

mod agents;

use crate::arguments::Docs;
use crate::command::reference;
use crate::screen::{self, CYAN, styled};

/// A document.
pub(crate) struct Document {
    /// What it is asked for by.
    pub(crate) name: &'static str,
    /// What is in it.
    pub(crate) about: &'static str,
    /// Its text, in Markdown.
    pub(crate) text: fn() -> String,
}

/// Every document, in the order in which they are read.
pub(crate) const DOCUMENTS: &[Document] = &[
    Document {
        name: "agents",
        about: "what a language model needs to write Mimar, as one text",
        text: agents::text,
    },
    Document { name: "language", about: "the reference of the language", text: reference::text },
    Document {
        name: "rules",
        about: "every rule of the review, with examples",
        text: review::catalogue,
    },
    Document {
        name: "review",
        about: "how a design is reviewed",
        text: || include_str!("../../../../docs/review.md").to_owned(),
    },
    Document {
        name: "diff",
        about: "what a change of the model breaks, kind by kind",
        text: || include_str!("../../../../docs/diff.md").to_owned(),
    },
    Document {
        name: "schema-changes",
        about: "how tables change while servers run",
        text: || include_str!("../../../../docs/schema-changes.md").to_owned(),
    },
    Document {
        name: "mcp",
        about: "how an agent's host is told of `mimar mcp`",
        text: || include_str!("../../../../docs/agents.md").to_owned(),
    },
];

pub(crate) fn run(arguments: &Docs) {
    let wanted = if arguments.for_agents { Some("agents") } else { arguments.name.as_deref() };
    match DOCUMENTS.iter().find(|it| Some(it.name) == wanted) {
        Some(document) => screen::out(&(document.text)()),
        None => {
            let list = DOCUMENTS
                .iter()
                .map(|it| format!("{}  {}\n", styled(CYAN, format!("{:<14}", it.name)), it.about));
            screen::out(&list.collect::<String>());
        }
    }
}

//! What can be read: the documents of the program, the pages of its rules, and the examples.

use std::borrow::Cow;

use rmcp::model::{ErrorData, ReadResourceResult, Resource, ResourceContents, ResourceTemplate};

use crate::command::docs::DOCUMENTS;

const MARKDOWN: &str = "text/markdown";
const MODEL: &str = "text/x-mimar";

/// Before the name of each.
const SCHEME: &str = "mimar://";

/// A model that ships with Mimar.
struct Example {
    name: &'static str,
    about: &'static str,
    text: &'static str,
}

const EXAMPLES: [Example; 3] = [
    Example {
        name: "shop",
        about: "a shop: catalogue, orders with parts and a flow, commands, events, jobs, webhooks, load and environments",
        text: include_str!("../../../../examples/shop/shop.mimar"),
    },
    Example {
        name: "chinook",
        about: "a music store over tables that were there before: eleven entities with policies, queries and indexes",
        text: include_str!("../../../../examples/chinook/chinook.mimar"),
    },
    Example {
        name: "quote",
        about: "a command by code: what a program of one's own carries out",
        text: include_str!("../../../../examples/quote/quote.mimar"),
    },
];

/// Every resource that can be listed.
pub(super) fn all() -> Vec<Resource> {
    let documents = DOCUMENTS.iter().map(|it| {
        Resource::new(format!("{SCHEME}{}", it.name), it.name)
            .with_description(it.about)
            .with_mime_type(MARKDOWN)
    });
    let examples = EXAMPLES.iter().map(|it| {
        Resource::new(format!("{SCHEME}examples/{}", it.name), format!("{}.mimar", it.name))
            .with_description(it.about)
            .with_mime_type(MODEL)
            .with_size(it.text.len() as u64)
    });
    documents.chain(examples).collect()
}

/// Resources with a hole in their names.
pub(super) fn templates() -> Vec<ResourceTemplate> {
    vec![
        ResourceTemplate::new(format!("{SCHEME}rules/{{code}}"), "rule")
            .with_description("the page of one rule of the review, by its code (DAT001) or its name (missing-index)")
            .with_mime_type(MARKDOWN),
        ResourceTemplate::new(format!("{SCHEME}examples/{{name}}"), "example")
            .with_description("a model that ships with Mimar: shop, chinook or quote")
            .with_mime_type(MODEL),
    ]
}

/// The text of a resource.
pub(super) fn read(uri: &str) -> Result<ReadResourceResult, ErrorData> {
    let found = uri.strip_prefix(SCHEME).and_then(find);
    let Some((text, kind)) = found else {
        let known: Vec<String> = all().into_iter().map(|it| it.uri).collect();
        let said = format!(
            "there is no resource `{uri}`; there are: {}, {SCHEME}rules/CODE",
            known.join(", ")
        );
        return Err(ErrorData::resource_not_found(Cow::Owned(said), None));
    };
    let contents = ResourceContents::text(text, uri).with_mime_type(kind);
    Ok(ReadResourceResult::new(vec![contents]))
}

fn find(name: &str) -> Option<(String, &'static str)> {
    if let Some(document) = DOCUMENTS.iter().find(|it| it.name == name) {
        return Some(((document.text)(), MARKDOWN));
    }
    let (folder, name) = name.split_once('/')?;
    match folder {
        "rules" => review::rule(name).map(|rule| (rule.code.docs.to_owned(), MARKDOWN)),
        "examples" => {
            let example = EXAMPLES.iter().find(|it| it.name == name)?;
            Some((example.text.to_owned(), MODEL))
        }
        _ => None,
    }
}

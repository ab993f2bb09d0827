//! Events in the document: the list that is read, and the stream that is followed.

use serde_json::{Map, Value, json};

use super::{Operation, header, limit};
use crate::contract::{Contract, EventType};
use crate::{CloudEvent, asyncapi, event};

/// The events that somebody may read.
pub(super) fn readable(contract: &Contract) -> impl Iterator<Item = &EventType> {
    contract.events.iter().filter(|event| !event.grant.is_empty())
}

/// Adds the path under which events are read, if anybody may read any.
pub(super) fn path(contract: &Contract, paths: &mut Map<String, Value>) {
    if readable(contract).next().is_some() {
        paths.insert(contract.events_path(), json!({"get": list(contract)}));
    }
}

/// Adds what those events carry.
pub(super) fn schemas(contract: &Contract, schemas: &mut Map<String, Value>) {
    for event in readable(contract) {
        schemas.insert(event.name.clone(), event::data(contract, event));
    }
}

fn list(contract: &Contract) -> Value {
    let tag = readable(contract).next().map_or(0, |event| event.tag);
    let grant = contract.events_grant();
    let docs = "What was published in the last week, in the order in which it was: in pages, or, where \
                `text/event-stream` is accepted, as it happens. An event may come twice, and has the same `id` then.";
    let mut operation = Operation::described(contract, tag, &grant, Some(docs.to_owned()), None);
    let types: Vec<&str> = readable(contract).map(|event| event.kind.as_str()).collect();
    operation.set("operationId", "list_events");
    operation.set("summary", "Events");
    operation.set(
        "parameters",
        json!([
            {
                "name": "type", "in": "query", "style": "form", "explode": false,
                "description": "Events of these types; all that the caller may read where none is named.",
                "schema": {"type": "array", "minItems": 1, "uniqueItems": true, "items": {"type": "string", "enum": types}}
            },
            {
                "name": "key", "in": "query", "description": "Events of this key.",
                "schema": {"type": "string"}
            },
            {
                "name": "since", "in": "query", "description": "Events that happened then or later.",
                "schema": {"type": "string", "format": "date-time"}
            },
            {
                "name": "after", "in": "query",
                "description": "Events behind this place, which the `Link` to the next page has.",
                "schema": {"type": "integer", "format": "int64", "minimum": 0}
            },
            limit(crate::contract::PAGE, crate::contract::PAGE_MAXIMUM),
            {
                "name": "Last-Event-ID", "in": "header",
                "description": "Of a stream: where the one before has ended.",
                "schema": {"type": "integer", "format": "int64", "minimum": 0}
            }
        ]),
    );
    let envelopes: Vec<Value> = readable(contract).map(asyncapi::envelope).collect();
    let envelopes =
        if envelopes.len() == 1 { json!(envelopes[0]) } else { json!({"oneOf": envelopes}) };
    operation.answer(
        "200",
        json!({
            "description": "A page; its `Link` leads on, also to what has not happened yet. Or a stream of events.",
            "headers": {"Link": header("Link")},
            "content": {
                CloudEvent::BATCH_TYPE: {"schema": {"type": "array", "items": envelopes}},
                "text/event-stream": {"schema": {
                    "type": "string",
                    "description": "Server-Sent Events, the `data` of each of which is one such event."
                }}
            }
        }),
    );
    operation.problem("422");
    operation.finish()
}

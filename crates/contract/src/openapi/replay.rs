//! What is done about events in the document: they are heard once more, and what failed when they were heard is seen to.

use serde_json::{Map, Value, json};

use super::{Operation, event, header, limit, shared_parameter};
use crate::contract::{Contract, EventType, PAGE, PAGE_MAXIMUM};

/// The events that somebody may have heard once more.
pub(super) fn replayable(contract: &Contract) -> impl Iterator<Item = &EventType> {
    contract.events.iter().filter(|event| !event.replay.is_empty())
}

/// Adds the paths, if anybody may replay any event.
pub(super) fn paths(contract: &Contract, paths: &mut Map<String, Value>) {
    if replayable(contract).next().is_none() {
        return;
    }
    let number = json!({
        "name": "number", "in": "path", "required": true, "description": "Of the task.",
        "schema": {"type": "integer", "format": "int64"}
    });
    paths.insert(contract.replay_path(), json!({"post": replay(contract)}));
    paths.insert(contract.dead_path(), json!({"get": list(contract)}));
    paths.insert(
        contract.dead_item_path(),
        json!({"parameters": [number], "delete": drop(contract)}),
    );
    paths.insert(contract.retry_path(), json!({"parameters": [number], "post": retry(contract)}));
}

fn operation(contract: &Contract, id: &str, summary: &str, docs: &str) -> Operation {
    let tag = replayable(contract).next().map_or(0, |event| event.tag);
    let grant = contract.replay_grant();
    let mut operation = Operation::described(contract, tag, &grant, Some(docs.to_owned()), None);
    operation.set("operationId", id);
    operation.set("summary", summary);
    operation
}

fn replay(contract: &Contract) -> Value {
    let docs = "Whoever hears these events hears them once more: commands that run on them, workflows, webhooks. In the order in \
                which they were published; events are kept for a week, unless the server is told otherwise. A page at a time: its `Link` leads on to what was \
                published before the first page was asked for.";
    let mut operation = operation(contract, "replay_events", "Replay events", docs);
    let [kind, key, since, after] = event::filters(replayable(contract));
    let until = json!({
        "name": "until", "in": "query",
        "description": "Events up to this place, which the `Link` to the next page has.",
        "schema": {"type": "integer", "format": "int64", "minimum": 0}
    });
    let limit = limit(PAGE_MAXIMUM, PAGE_MAXIMUM);
    let once = shared_parameter("IdempotencyKey");
    operation.set("parameters", json!([kind, key, since, after, until, limit, once]));
    operation.answer(
        "202",
        json!({
            "description": "They will be heard. Without a `Link` there are no more.",
            "headers": {
                "Link": header("Link"),
                "Idempotency-Replayed": header("Idempotency-Replayed")
            },
            "content": {"application/json": {"schema": {
                "type": "object",
                "properties": {
                    "events": {"type": "integer", "minimum": 0, "description": "Events that were found."},
                    "tasks": {"type": "integer", "minimum": 0, "description": "What is to be done for them."}
                },
                "required": ["events", "tasks"]
            }}}
        }),
    );
    // Under the key of a request that is not done yet.
    operation.problem("409");
    operation.problem("422");
    operation.finish()
}

fn list(contract: &Contract) -> Value {
    let docs = "What failed too often when an event was heard, and waits for somebody: those first that wait longest.";
    let mut operation = operation(contract, "list_dead_events", "Dead letters", docs);
    let [kind, key, ..] = event::filters(replayable(contract));
    let since = json!({
        "name": "since", "in": "query", "description": "Put aside then or later.",
        "schema": {"type": "string", "format": "date-time"}
    });
    let after = json!({
        "name": "after", "in": "query",
        "description": "Of those put aside at the moment of `since`: behind this number. The `Link` to the next page has it.",
        "schema": {"type": "integer", "format": "int64", "minimum": 0}
    });
    operation.set("parameters", json!([kind, key, since, after, limit(PAGE, PAGE_MAXIMUM)]));
    operation.answer(
        "200",
        json!({
            "description": "A page. Without a `Link` there are no more.",
            "headers": {"Link": header("Link")},
            "content": {"application/json": {"schema": {"type": "array", "items": {
                "type": "object",
                "properties": {
                    "number": {"type": "integer", "format": "int64"},
                    "type": {"type": "string", "description": "The type of the event."},
                    "event": {"type": "string", "format": "uuid", "description": "The `id` of the event."},
                    "key": {"type": ["string", "null"], "description": "The key of the event."},
                    "target": {"type": "string", "description": "What was to be done."},
                    "failures": {"type": "integer", "minimum": 0},
                    "since": {"type": "string", "format": "date-time"},
                    "error": {"type": ["string", "null"], "description": "How it failed last."}
                },
                "required": ["number", "type", "event", "key", "target", "failures", "since", "error"]
            }}}}
        }),
    );
    operation.problem("422");
    operation.finish()
}

fn retry(contract: &Contract) -> Value {
    let docs = "It is tried again as if it had never failed.";
    let mut operation = operation(contract, "retry_dead_event", "Retry a dead letter", docs);
    operation.set("parameters", json!([shared_parameter("IdempotencyKey")]));
    let replayed = json!({"Idempotency-Replayed": header("Idempotency-Replayed")});
    operation.answer("202", json!({"description": "It will be tried.", "headers": replayed}));
    operation.problem("404");
    // A message of which nothing could be read, or the key of a request that is not done yet.
    operation.problem("409");
    operation.problem("422");
    operation.finish()
}

fn drop(contract: &Contract) -> Value {
    let docs = "It is never done.";
    let mut operation = operation(contract, "drop_dead_event", "Drop a dead letter", docs);
    operation.answer("204", json!({"description": "It is gone."}));
    operation.problem("404");
    operation.finish()
}

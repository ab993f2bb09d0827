//! Events in the document: the list that is read, and the stream that is followed.

use serde_json::{Map, Value, json};

use super::{Operation, capitalised, header, limit, shared_parameter, words};
use crate::contract::{Contract, EventType, Webhook};
use crate::{CloudEvent, asyncapi, event, schema};

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

/// Adds where webhooks take events in.
pub(super) fn hooks(contract: &Contract, paths: &mut Map<String, Value>) {
    for webhook in contract.webhooks.iter().filter(|webhook| !webhook.receives.is_empty()) {
        paths.insert(webhook.path(), json!({"post": hook(contract, webhook)}));
    }
}

fn hook(contract: &Contract, webhook: &Webhook) -> Value {
    let bodies: Vec<Value> = webhook
        .receives
        .iter()
        .map(|(event, kind)| {
            let data = schema::reference(&contract.event(*event).name);
            json!({
                "type": "object",
                "properties": {"type": {"const": kind}, "data": data},
                "required": ["type", "data"]
            })
        })
        .collect();
    let mut bodies = bodies;
    if let [(event, _)] = webhook.receives.as_slice() {
        bodies.push(schema::reference(&contract.event(*event).name));
    }
    let docs = "Signed as [Standard Webhooks](https://www.standardwebhooks.com) has it. What has come in under its `webhook-id` \
                is done once. A CloudEvent is taken in both of its forms.";
    let docs =
        webhook.docs.as_ref().map_or_else(|| docs.to_owned(), |own| format!("{own}\n\n{docs}"));
    let header = |name: &str, docs: &str| json!({"name": name, "in": "header", "required": true, "description": docs, "schema": {"type": "string"}});
    let schema = json!({"anyOf": bodies});
    let problem = |name: &str| json!({"$ref": format!("#/components/responses/{name}")});
    json!({
        "operationId": format!("receive_{}", webhook.name),
        "summary": capitalised(&words(&webhook.name)),
        "description": docs,
        "security": [],
        "parameters": [
            header("webhook-id", "By which it is told that it has come before."),
            header("webhook-timestamp", "When it was sent, in seconds since 1970-01-01T00:00:00Z; five minutes away at most."),
            header("webhook-signature", "`v1,` and the base64 of an HMAC-SHA256; several with spaces between them."),
            shared_parameter("IdempotencyKey")
        ],
        "requestBody": {"required": true, "content": {
            "application/json": {"schema": schema}, CloudEvent::MEDIA_TYPE: {"schema": schema}
        }},
        "responses": {
            "204": {
                "description": "It is kept, and so is what it asks for.",
                "headers": {"Idempotency-Replayed": super::header("Idempotency-Replayed")}
            },
            "400": problem("BadRequest"),
            "401": problem("Unauthenticated"),
            "409": problem("Conflict"),
            "413": problem("ContentTooLarge"),
            "415": problem("UnsupportedMediaType"),
            "422": problem("Unprocessable"),
            "500": problem("Internal"),
            "503": problem("Unavailable")
        }
    })
}

/// What is sent to partners, by the names of webhooks.
pub(super) fn webhooks(contract: &Contract) -> Map<String, Value> {
    let sending = contract.webhooks.iter().filter(|webhook| webhook.receives.is_empty());
    sending
        .map(|webhook| (webhook.name.clone(), json!({"post": sent(contract, webhook)})))
        .collect()
}

fn sent(contract: &Contract, webhook: &Webhook) -> Value {
    let envelopes: Vec<Value> =
        webhook.events.iter().map(|event| asyncapi::envelope(contract.event(*event))).collect();
    let docs = "Signed as [Standard Webhooks](https://www.standardwebhooks.com) has it, in order per key, and tried again until it \
                is answered with 2xx. It may come twice, and has the same `webhook-id` then.";
    let docs =
        webhook.docs.as_ref().map_or_else(|| docs.to_owned(), |own| format!("{own}\n\n{docs}"));
    let header = |name: &str, docs: &str| json!({"name": name, "in": "header", "required": true, "description": docs, "schema": {"type": "string"}});
    json!({
        "operationId": format!("send_{}", webhook.name),
        "summary": capitalised(&words(&webhook.name)),
        "description": docs,
        "parameters": [
            header("webhook-id", "The identifier of the event."),
            header("webhook-timestamp", "When it is sent, in seconds since 1970-01-01T00:00:00Z."),
            header("webhook-signature", "`v1,` and the base64 of an HMAC-SHA256; several with spaces between them.")
        ],
        "requestBody": {"required": true, "content": {
            CloudEvent::MEDIA_TYPE: {"schema": {"anyOf": envelopes}}
        }},
        "responses": {
            "2XX": {"description": "It has arrived."},
            "410": {"description": "Nothing is sent here any more."}
        }
    })
}

/// Adds what the events carry that the document speaks of.
pub(super) fn schemas(contract: &Contract, schemas: &mut Map<String, Value>) {
    let received = contract.webhooks.iter().flat_map(|webhook| &webhook.receives);
    let received = received.map(|(event, _)| event);
    let sent = contract.webhooks.iter().flat_map(|webhook| &webhook.events);
    for event in readable(contract).chain(received.chain(sent).map(|id| contract.event(*id))) {
        schemas.insert(event.name.clone(), event::data(contract, event));
    }
}

fn list(contract: &Contract) -> Value {
    let tag = readable(contract).next().map_or(0, |event| event.tag);
    let grant = contract.events_grant();
    let docs = "What was published and is kept, for a week unless the server is told otherwise, in the order in which it was: in pages, or, where \
                `text/event-stream` is accepted, as it happens. An event may come twice, and has the same `id` then.";
    let mut operation = Operation::described(contract, tag, &grant, Some(docs.to_owned()), None);
    let [kind, key, since, after] = filters(readable(contract));
    operation.set("operationId", "list_events");
    operation.set("summary", "Events");
    operation.set(
        "parameters",
        json!([
            kind,
            key,
            since,
            after,
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

/// The parameters by which some of these events are asked for: type, key, since, after.
pub(super) fn filters<'a>(events: impl Iterator<Item = &'a EventType>) -> [Value; 4] {
    let types: Vec<&str> = events.map(|event| event.kind.as_str()).collect();
    [
        json!({
            "name": "type", "in": "query", "style": "form", "explode": false,
            "description": "Events of these types; all that are open to the caller where none is named.",
            "schema": {"type": "array", "minItems": 1, "uniqueItems": true, "items": {"type": "string", "enum": types}}
        }),
        json!({
            "name": "key", "in": "query", "description": "Events of this key.",
            "schema": {"type": "string"}
        }),
        json!({
            "name": "since", "in": "query", "description": "Events that happened then or later.",
            "schema": {"type": "string", "format": "date-time"}
        }),
        json!({
            "name": "after", "in": "query",
            "description": "Events behind this place, which the `Link` to the next page has.",
            "schema": {"type": "integer", "format": "int64", "minimum": 0}
        }),
    ]
}

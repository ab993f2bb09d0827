//! The AsyncAPI 3.0 document of a contract: what is published, as whoever hears it needs to know it.

use serde_json::{Map, Value, json};

use crate::cloud_event::CloudEvent;
use crate::contract::{Contract, EventType, Webhook};
use crate::{event, schema};

/// What is added to the name of a message in its binary form.
const BINARY: &str = "Binary";

/// The document: AsyncAPI 3.0. There is a channel for each event, under the address of its type, and one for each webhook: where it takes
/// events in, or, where it sends them, an address that its receiver knows. Each event is a message in the two forms of CloudEvents: structured, the whole event as one JSON
/// object, and binary, its data with the rest as headers.
pub fn asyncapi(contract: &Contract) -> Value {
    let (mut channels, mut operations) = (Map::new(), Map::new());
    let (mut messages, mut schemas) = (Map::new(), Map::new());
    for event in &contract.events {
        messages.insert(event.name.clone(), structured(event));
        messages.insert(format!("{}{BINARY}", event.name), binary(event));
        let data = event::data(contract, event);
        schemas.extend(event::shared(contract, &data));
        schemas.insert(event.name.clone(), data);
        let address = event.from.as_ref().unwrap_or(&event.kind);
        let mut channel = json!({"address": address, "messages": carried([event])});
        schema::insert(&mut channel, "description", event.docs.clone().map(Value::from));
        channels.insert(event.name.clone(), channel);
        let mut operation = send(&event.name, [event]);
        let name = match event.from {
            None => format!("send_{}", event.name),
            Some(_) => {
                schema::insert(&mut operation, "action", Some(json!("receive")));
                format!("receive_{}", event.name)
            }
        };
        operations.insert(name, operation);
    }
    for webhook in receiving(contract) {
        let (channel, operation) = hook(contract, webhook, &mut messages);
        channels.insert(webhook.name.clone(), channel);
        operations.insert(format!("receive_{}", webhook.name), operation);
    }
    for Webhook { name, docs, events, .. } in sending(contract) {
        let events = || events.iter().map(|id| contract.event(*id));
        let mut channel = json!({"address": null, "messages": carried(events())});
        schema::insert(&mut channel, "description", docs.clone().map(Value::from));
        channels.insert(name.clone(), channel);
        let mut operation = send(name, events());
        schema::insert(&mut operation, "bindings", Some(posted()));
        operations.insert(format!("send_{name}"), operation);
    }
    let mut info = json!({"title": contract.name, "version": contract.version.to_string()});
    schema::insert(&mut info, "description", contract.docs.clone().map(Value::from));
    json!({
        "asyncapi": "3.0.0",
        "info": info,
        "defaultContentType": CloudEvent::MEDIA_TYPE,
        "channels": channels,
        "operations": operations,
        "components": {"messages": messages, "schemas": schemas}
    })
}

/// That messages are posted to their channel.
fn posted() -> Value {
    json!({"http": {"method": "POST", "bindingVersion": "0.3.0"}})
}

/// Where a webhook takes in what partners send, and that it does. What they send is in an envelope of Standard Webhooks: a type, which is
/// what they call it, and the data.
fn hook(
    contract: &Contract,
    webhook: &Webhook,
    messages: &mut Map<String, Value>,
) -> (Value, Value) {
    let text = || json!({"type": "string", "minLength": 1});
    let headers = json!({
        "type": "object",
        "properties": {
            "webhook-id": text(), "webhook-timestamp": text(), "webhook-signature": text()
        },
        "required": ["webhook-id", "webhook-timestamp", "webhook-signature"]
    });
    let mut carried = Map::new();
    for (event, kind) in &webhook.receives {
        let event = contract.event(*event);
        let name = format!("{}_{}", webhook.name, event.name);
        let payload = json!({
            "type": "object",
            "properties": {"type": {"const": kind}, "data": schema::reference(&event.name)},
            "required": ["type", "data"]
        });
        let mut message = json!({
            "name": name, "title": kind, "contentType": "application/json",
            "headers": headers, "payload": payload
        });
        schema::insert(&mut message, "description", event.docs.clone().map(Value::from));
        carried.insert(name.clone(), json!({"$ref": format!("#/components/messages/{name}")}));
        messages.insert(name, message);
    }
    let reference = format!("#/channels/{}", webhook.name);
    let each: Vec<Value> = carried
        .keys()
        .map(|name| json!({"$ref": format!("{reference}/messages/{name}")}))
        .collect();
    let mut channel = json!({"address": webhook.path(), "messages": carried});
    schema::insert(&mut channel, "description", webhook.docs.clone().map(Value::from));
    let operation = json!({
        "action": "receive", "channel": {"$ref": reference}, "messages": each, "bindings": posted()
    });
    (channel, operation)
}

/// The webhooks that take in.
fn receiving(contract: &Contract) -> impl Iterator<Item = &Webhook> {
    contract.webhooks.iter().filter(|webhook| !webhook.receives.is_empty())
}

/// The webhooks that send.
fn sending(contract: &Contract) -> impl Iterator<Item = &Webhook> {
    contract.webhooks.iter().filter(|webhook| webhook.receives.is_empty())
}

/// The names of an event's messages.
fn forms(event: &EventType) -> [String; 2] {
    [event.name.clone(), format!("{}{BINARY}", event.name)]
}

/// The messages of a channel.
fn carried<'e>(events: impl IntoIterator<Item = &'e EventType>) -> Map<String, Value> {
    let names = events.into_iter().flat_map(forms);
    names
        .map(|name| (name.clone(), json!({"$ref": format!("#/components/messages/{name}")})))
        .collect()
}

/// That what a channel carries is sent.
fn send<'e>(channel: &str, events: impl IntoIterator<Item = &'e EventType>) -> Value {
    let channel = format!("#/channels/{channel}");
    let messages = events.into_iter().flat_map(forms);
    let messages: Vec<Value> =
        messages.map(|name| json!({"$ref": format!("{channel}/messages/{name}")})).collect();
    json!({"action": "send", "channel": {"$ref": channel}, "messages": messages})
}

/// The schema of an event in its envelope, as one JSON object.
pub(crate) fn envelope(event: &EventType) -> Value {
    let mut properties = attributes(event);
    properties.insert("datacontenttype".to_owned(), json!({"const": "application/json"}));
    properties.insert("data".to_owned(), schema::reference(&event.name));
    let required = match event.from {
        None => &["specversion", "id", "source", "type", "time", "datacontenttype", "data"][..],
        Some(_) => &["specversion", "id", "source", "type", "data"],
    };
    json!({"type": "object", "properties": properties, "required": required})
}

fn structured(event: &EventType) -> Value {
    let payload = envelope(event);
    described(event, event.name.clone(), CloudEvent::MEDIA_TYPE, json!({"payload": payload}))
}

fn binary(event: &EventType) -> Value {
    let attributes = attributes(event).into_iter();
    let properties: Map<String, Value> =
        attributes.map(|(name, schema)| (format!("ce-{name}"), schema)).collect();
    let required = match event.from {
        None => &["ce-specversion", "ce-id", "ce-source", "ce-type", "ce-time"][..],
        Some(_) => &["ce-specversion", "ce-id", "ce-source", "ce-type"],
    };
    let headers = json!({"type": "object", "properties": properties, "required": required});
    let message = json!({"headers": headers, "payload": schema::reference(&event.name)});
    described(event, format!("{}{BINARY}", event.name), "application/json", message)
}

fn described(event: &EventType, name: String, media: &str, mut message: Value) -> Value {
    schema::insert(&mut message, "name", Some(json!(name)));
    let title = event.from.is_none().then(|| json!(event.kind));
    schema::insert(&mut message, "title", title);
    schema::insert(&mut message, "contentType", Some(json!(media)));
    schema::insert(&mut message, "description", event.docs.clone().map(Value::from));
    message
}

/// What every event says of itself, as [`CloudEvent`] writes it.
fn attributes(event: &EventType) -> Map<String, Value> {
    if event.from.is_some() {
        return foreign();
    }
    let mut attributes = Map::from_iter([
        ("specversion".to_owned(), json!({"const": "1.0"})),
        (
            "id".to_owned(),
            json!({
                "type": "string", "format": "uuid",
                "description": "Names the event: one that is delivered again has the same."
            }),
        ),
        ("source".to_owned(), json!({"const": event.source})),
        ("type".to_owned(), json!({"const": event.kind})),
        ("time".to_owned(), json!({"type": "string", "format": "date-time"})),
        (
            "dataschema".to_owned(),
            json!({
                "type": "string", "format": "uri",
                "description": "Where the schema of the data is, if whoever sends it knows."
            }),
        ),
    ]);
    if let Some(key) = event.key.and_then(|at| event.members.get(at)) {
        let docs = format!("`{}`, by which the order is kept.", key.name);
        let subject = json!({"type": "string", "minLength": 1, "description": docs});
        attributes.insert("subject".to_owned(), subject);
    }
    attributes
}

/// The same of what another system says of its events: together with the source, the identifier names an event.
fn foreign() -> Map<String, Value> {
    let text = || json!({"type": "string", "minLength": 1});
    let mut attributes = Map::from_iter([("specversion".to_owned(), json!({"const": "1.0"}))]);
    attributes.extend(["id", "source", "type"].map(|name| (name.to_owned(), text())));
    attributes.insert("time".to_owned(), json!({"type": "string", "format": "date-time"}));
    attributes
}

//! What events carry, as JSON Schema.

use serde_json::{Map, Value, json};

use crate::contract::{Contract, EventType};
use crate::schema::{self, Way};
use crate::shape::Shape;

/// Where schemas of a document stand.
const SHARED: &str = "#/components/schemas/";

/// The schema of what an event carries, by itself (JSON Schema 2020-12).
pub fn event_schema(contract: &Contract, event: &EventType) -> Value {
    let mut own = data(contract, event);
    let mut definitions = shared(contract, &own);
    let mut document = Map::from_iter([
        ("$schema".to_owned(), json!("https://json-schema.org/draft/2020-12/schema")),
        ("title".to_owned(), json!(event.name)),
    ]);
    definitions.values_mut().chain([&mut own]).for_each(move_references);
    if let Value::Object(members) = own {
        document.extend(members);
    }
    if !definitions.is_empty() {
        document.insert("$defs".to_owned(), Value::Object(definitions));
    }
    Value::Object(document)
}

/// The same within a document that has [`shared`] among its schemas. Whoever publishes writes every member, null where it is
/// absent; references are the keys of rows.
pub(crate) fn data(contract: &Contract, event: &EventType) -> Value {
    let mut properties = Map::new();
    for member in &event.members {
        let mut schema = carried(contract, &member.shape);
        if member.nullable {
            schema = schema::or_null(schema);
        }
        if schema.get("$ref").is_some() && (member.docs.is_some() || member.personal) {
            // In a document of AsyncAPI nothing may stand beside a reference.
            schema = json!({"allOf": [schema]});
        }
        schema::insert(&mut schema, "description", member.docs.clone().map(Value::from));
        schema::insert(&mut schema, "x-personal-data", member.personal.then_some(json!(true)));
        properties.insert(member.name.clone(), schema);
    }
    let required = event.members.iter().map(|member| member.name.clone()).collect();
    schema::object(properties, required, event.docs.as_deref())
}

fn carried(contract: &Contract, shape: &Shape) -> Value {
    match shape {
        Shape::Reference { key, .. } => schema::value(contract, key.bare(), Way::Key),
        Shape::List { item, least, greatest } => {
            let mut schema = json!({"type": "array", "items": carried(contract, item)});
            schema::insert(&mut schema, "minItems", (*least > 0).then_some(json!(least)));
            schema::insert(&mut schema, "maxItems", greatest.map(Value::from));
            schema
        }
        other => schema::value(contract, other, Way::Out),
    }
}

/// The enums and value objects that a schema leads to, by name.
pub(crate) fn shared(contract: &Contract, schema: &Value) -> Map<String, Value> {
    let mut found = Map::new();
    let mut next = references(schema);
    while let Some(name) = next.pop() {
        if found.contains_key(&name) {
            continue;
        }
        let labels = contract.enums.iter().find(|labels| labels.name == name);
        let record = contract.records.iter().find(|record| record.name == name);
        let schema = labels
            .map(schema::labels)
            .or_else(|| record.map(|record| schema::record(contract, record)));
        if let Some(schema) = schema {
            next.extend(references(&schema));
            found.insert(name, schema);
        }
    }
    found
}

/// The names of schemas that a schema refers to.
fn references(schema: &Value) -> Vec<String> {
    match schema {
        Value::Object(members) => {
            let own = members.get("$ref").and_then(Value::as_str);
            let own = own.and_then(|pointer| pointer.strip_prefix(SHARED)).map(str::to_owned);
            own.into_iter().chain(members.values().flat_map(references)).collect()
        }
        Value::Array(items) => items.iter().flat_map(references).collect(),
        _ => Vec::new(),
    }
}

/// From a document's schemas to definitions of their own.
fn move_references(schema: &mut Value) {
    match schema {
        Value::Object(members) => {
            for (name, value) in members {
                match value {
                    Value::String(pointer) if name == "$ref" => {
                        *pointer = pointer.replace(SHARED, "#/$defs/");
                    }
                    other => move_references(other),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(move_references),
        _ => {}
    }
}

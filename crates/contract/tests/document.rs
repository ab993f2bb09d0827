//! Documents of OpenAPI that others wrote: each kind of edit, there and back.

#![expect(clippy::panic, reason = "a test that cannot go on says so")]

use std::fmt::Write as _;

use contract::diff::{Class, documents};
use expect_test::{expect, expect_file};
use serde_json::{Value, json};

/// OpenAPI 3.0, as a server by hand might publish it.
const PETS: &str = include_str!("diff/pets.json");

/// The day on which documents are compared: 2026-06-01.
const TODAY: i64 = 20_605;

/// Edits: where, and what is there then. Null takes away.
fn edits() -> Vec<(&'static str, Value)> {
    vec![
        // Schemas.
        ("/components/schemas/Pet/required", json!(["id"])),
        ("/components/schemas/NewPet/required", json!(["name", "tag"])),
        ("/components/schemas/Pet/properties/tag", Value::Null),
        ("/components/schemas/Pet/properties/tag/nullable", json!(false)),
        ("/components/schemas/NewPet/properties/age/maximum", json!(20)),
        ("/components/schemas/NewPet/properties/age/exclusiveMinimum", json!(true)),
        ("/components/schemas/NewPet/properties/age/type", json!("number")),
        ("/components/schemas/NewPet/properties/age/multipleOf", json!(2)),
        ("/components/schemas/NewPet/properties/age/default", json!(3)),
        ("/components/schemas/NewPet/additionalProperties", json!(false)),
        ("/components/schemas/Named/properties/name/maxLength", json!(9)),
        ("/components/schemas/Named/properties/name/pattern", json!("^[a-z]{1,5}$")),
        ("/components/schemas/Named/properties/name/format", json!("hostname")),
        ("/components/schemas/Kind/enum", json!(["cat", "dog", "fish"])),
        ("/components/schemas/Pet/properties/friends/items", json!({"type": "integer"})),
        ("/components/schemas/Pet/properties/friends/uniqueItems", json!(true)),
        ("/components/schemas/Toy/oneOf/1", Value::Null),
        ("/components/schemas/Pet/properties/marks/additionalProperties/type", json!("integer")),
        // Operations.
        ("/paths/~1pets~1{id}/delete", Value::Null),
        ("/paths/~1pets~1{id}/delete/x-sunset", json!("2026-05-01")),
        ("/paths/~1pets/get/parameters/0/required", json!(true)),
        ("/paths/~1pets/get/parameters/0", Value::Null),
        ("/paths/~1pets/get/parameters/0/explode", json!(false)),
        ("/paths/~1pets/post/requestBody/required", json!(false)),
        ("/paths/~1pets/post/requestBody/content/application~1xml", Value::Null),
        ("/paths/~1pets/post/requestBody", Value::Null),
        ("/paths/~1pets/post/responses/201/headers/Location", Value::Null),
        ("/paths/~1pets/post/responses/201", Value::Null),
        ("/paths/~1pets/post/responses/409", Value::Null),
        ("/paths/~1pets/post/security", json!([])),
        ("/security", json!([{"key": []}])),
        ("/servers/0/url", json!("https://pets.example/v2")),
    ]
}

fn pets() -> Value {
    serde_json::from_str(PETS).unwrap_or_else(|fault| panic!("{fault}"))
}

/// The document after an edit.
#[track_caller]
fn edited(pointer: &str, value: Value) -> Value {
    let mut document = pets();
    let (parent, name) = pointer.rsplit_once('/').unwrap_or(("", pointer));
    let name = name.replace("~1", "/");
    match document.pointer_mut(parent) {
        Some(Value::Object(members)) if value.is_null() => {
            assert!(members.remove(&name).is_some(), "{pointer} is not there");
        }
        Some(Value::Object(members)) => {
            members.insert(name, value);
        }
        Some(Value::Array(items)) => {
            let at: usize = name.parse().unwrap_or_else(|_| panic!("{pointer}"));
            if value.is_null() {
                items.remove(at);
            } else {
                items[at] = value;
            }
        }
        _ => panic!("{pointer} is not there"),
    }
    document
}

#[track_caller]
fn told(page: &mut String, old: &Value, new: &Value) {
    let changes = documents(old, new, TODAY).unwrap_or_else(|fault| panic!("{fault}"));
    for it in &changes {
        let (class, kind) = (it.kind.class().name(), it.kind.name());
        let _ = writeln!(page, "{class} {kind}: {} {}", it.item, it.message);
    }
}

#[test]
fn each_edit_is_told() {
    let mut page = String::new();
    let old = pets();
    for (pointer, value) in edits() {
        let _ = writeln!(page, "=== {pointer} {value}");
        let new = edited(pointer, value);
        told(&mut page, &old, &new);
        page.push_str("--- and back\n");
        told(&mut page, &new, &old);
        page.push('\n');
    }
    expect_file!["diff/pets.txt"].assert_eq(&page);
}

#[test]
fn no_edit_is_missed() {
    let old = pets();
    for (pointer, value) in edits() {
        let new = edited(pointer, value);
        for (a, b) in [(&old, &new), (&new, &old)] {
            let changes = documents(a, b, TODAY).unwrap_or_else(|fault| panic!("{fault}"));
            // That an operation will go is told, and that somebody need not be told any more.
            assert!(!changes.is_empty(), "{pointer} is not found");
        }
    }
}

#[test]
fn another_way_to_say_the_same_is_no_change() {
    let old = pets();
    let mut new = old.clone();
    // 3.1 says null as a type; a reference may have a neighbour; names of path parameters are free.
    new["openapi"] = json!("3.1.0");
    new["components"]["schemas"]["Pet"]["properties"]["tag"] =
        json!({"anyOf": [{"type": "string"}, {"type": "null"}]});
    new["components"]["schemas"]["Pet"]["properties"]["kind"] =
        json!({"$ref": "#/components/schemas/Kind", "description": "What it is."});
    let mut item = new["paths"]["/pets/{id}"].take();
    item["parameters"][0]["name"] = json!("pet");
    new["paths"].as_object_mut().unwrap_or_else(|| panic!()).remove("/pets/{id}");
    new["paths"]["/pets/{pet}"] = item;
    let mut page = String::new();
    told(&mut page, &old, &new);
    expect![[""]].assert_eq(&page);
}

#[test]
fn a_greater_version_announces_what_it_breaks() {
    let mut old = pets();
    old["servers"] = json!([]);
    let mut new = old.clone();
    new["info"]["version"] = json!("2.0.0");
    let same = documents(&old, &new, TODAY).unwrap_or_else(|fault| panic!("{fault}"));
    assert_eq!(same, []);
    new["components"]["schemas"]["Pet"]["properties"]["tag"].take();
    let changes = documents(&old, &new, TODAY).unwrap_or_else(|fault| panic!("{fault}"));
    assert!(!changes.is_empty());
    for it in changes.iter().filter(|it| it.kind.class() == Class::Breaking) {
        assert!(it.announced && it.code().is_none(), "{it:?}");
    }
}

#[test]
fn a_schema_that_leads_to_itself_ends() {
    let mut old = pets();
    old["components"]["schemas"]["Loop"] = json!({"$ref": "#/components/schemas/Loop"});
    old["components"]["schemas"]["Kind"] =
        json!({"allOf": vec![json!({"$ref": "#/components/schemas/Kind"}); 40]});
    old["components"]["schemas"]["Toy"] = json!({"oneOf": [
        {"$ref": "#/components/schemas/Toy"}, {"$ref": "#/components/schemas/Loop"}, {"type": "null"}
    ]});
    let mut new = old.clone();
    new["components"]["schemas"]["Named"]["properties"]["name"]["maxLength"] = json!(1);
    let changes = documents(&old, &new, TODAY).unwrap_or_else(|fault| panic!("{fault}"));
    assert!(changes.iter().any(|it| it.kind.class() == Class::Breaking), "{changes:?}");
}

#[test]
fn what_is_no_document_is_refused() {
    let fault = |document: &Value| documents(document, &pets(), TODAY).map_err(|it| it.to_string());
    expect!["Err(\"it is a document of Swagger 2.0: convert it to OpenAPI 3 first\")"]
        .assert_eq(&format!("{:?}", fault(&json!({"swagger": "2.0"}))));
    expect!["Err(\"it is no OpenAPI 3 document: `openapi` does not say 3.x\")"]
        .assert_eq(&format!("{:?}", fault(&json!({"paths": {}}))));
}

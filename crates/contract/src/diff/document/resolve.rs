//! Documents: references followed, composed schemas laid flat.

use std::collections::BTreeSet;

use ::operation::{Scalar, Value as Typed};
use serde_json::{Map, Value};

use super::NoDocument;
use crate::Farewell;

/// References that lead to references are followed so far.
const HOPS: usize = 32;

/// Schemas that are composed of composed ones are laid flat so deep, and of so many parts.
const DEPTH: usize = 16;
const PARTS: usize = 4096;

/// A document that can be compared.
pub(super) struct Document<'a> {
    pub(super) root: &'a Value,
    pub(super) title: &'a str,
    /// The version that all its versioned paths name, or the whole number with which that of `info` begins.
    pub(super) version: Option<u64>,
    /// The path of its first server, without a slash at the end.
    pub(super) base: String,
    /// What paths begin with that name the version: `/v2`.
    pub(super) prefix: Option<String>,
}

impl<'a> Document<'a> {
    pub(super) fn of(root: &'a Value) -> Result<Self, NoDocument> {
        if root.get("swagger").is_some() {
            return Err(NoDocument(
                "it is a document of Swagger 2.0: convert it to OpenAPI 3 first",
            ));
        }
        let is_openapi =
            root.get("openapi").and_then(Value::as_str).is_some_and(|it| it.starts_with("3."));
        if !is_openapi {
            return Err(NoDocument("it is no OpenAPI 3 document: `openapi` does not say 3.x"));
        }
        let text = |pointer: &str| root.pointer(pointer).and_then(Value::as_str);
        let server = text("/servers/0/url").unwrap_or("/");
        let path = match server.split_once("://") {
            Some((_, rest)) => rest.find('/').and_then(|at| rest.get(at..)).unwrap_or(""),
            None => server,
        };
        let base = path.trim_end_matches('/').to_owned();
        let paths = root.get("paths").and_then(Value::as_object);
        let named = paths.into_iter().flatten().map(|(path, _)| format!("{base}{path}"));
        let named: BTreeSet<u64> = named.filter_map(|it| version_of(&it)).collect();
        let said = text("/info/version").and_then(|it| leading(it.trim_start_matches('v')));
        // Where versions stand side by side, paths of one are not paths of the other.
        let prefix =
            (named.len() == 1).then(|| named.first().map(|it| format!("/v{it}"))).flatten();
        let version = named.first().copied().filter(|_| named.len() == 1).or(said);
        Ok(Self { root, title: text("/info/title").unwrap_or("document"), version, base, prefix })
    }

    /// What a value is, once its reference is followed, and the last reference. One that leads nowhere stays as it is.
    pub(super) fn resolve<'v>(&self, value: &'v Value) -> (Option<&'v str>, &'v Value)
    where
        'a: 'v,
    {
        let (mut name, mut value) = (None, value);
        for _ in 0..HOPS {
            let Some(reference) = value.get("$ref").and_then(Value::as_str) else { break };
            let target = reference.strip_prefix('#').and_then(|it| self.root.pointer(it));
            let Some(target) = target else { break };
            (name, value) = (Some(reference), target);
        }
        (name, value)
    }

    /// A schema with its references followed and what `allOf` adds laid into it. What cannot be laid together stays under `allOf`.
    pub(super) fn flat(&self, schema: &Value) -> Map<String, Value> {
        self.flat_within(schema, DEPTH, &mut { PARTS })
    }

    fn flat_within(
        &self,
        schema: &Value,
        depth: usize,
        parts_left: &mut usize,
    ) -> Map<String, Value> {
        let mut flat = match schema {
            // What stands beside a reference holds as well (OpenAPI 3.1).
            Value::Object(members) if members.len() > 1 && members.contains_key("$ref") => {
                let mut flat = members.clone();
                let reference = flat.remove("$ref").unwrap_or_default();
                let mut parts = vec![serde_json::json!({"$ref": reference})];
                if let Some(Value::Array(more)) = flat.remove("allOf") {
                    parts.extend(more);
                }
                flat.insert("allOf".to_owned(), Value::Array(parts));
                flat
            }
            _ => match self.resolve(schema).1 {
                Value::Object(members) => members.clone(),
                // `false` takes nothing (JSON Schema §4.3.2).
                Value::Bool(false) => {
                    Map::from_iter([("not".to_owned(), Value::Object(Map::new()))])
                }
                _ => Map::new(),
            },
        };
        if depth == 0 {
            return flat;
        }
        let Some(Value::Array(parts)) = flat.remove("allOf") else { return flat };
        let mut rest = Vec::new();
        for part in parts {
            if *parts_left == 0 {
                rest.push(part);
                continue;
            }
            *parts_left -= 1;
            let other = self.flat_within(&part, depth - 1, parts_left);
            let clash = other.iter().any(|(name, value)| {
                !matches!(name.as_str(), "properties" | "required" | "allOf")
                    && !is_annotation(name)
                    && flat.get(name).is_some_and(|it| it != value)
            });
            if clash || other.contains_key("not") {
                rest.push(part);
            } else {
                lay(&mut flat, other, &mut rest);
            }
        }
        if !rest.is_empty() {
            flat.insert("allOf".to_owned(), Value::Array(rest));
        }
        flat
    }
}

/// The version that a path begins with: `/v2/pets`.
fn version_of(path: &str) -> Option<u64> {
    let segment = path.strip_prefix("/v")?.split('/').next()?;
    leading(segment).filter(|_| segment.bytes().all(|it| it.is_ascii_digit()))
}

/// The whole number with which a text begins.
fn leading(text: &str) -> Option<u64> {
    let end = text.find(|it: char| !it.is_ascii_digit()).unwrap_or(text.len());
    text.get(..end)?.parse().ok()
}

/// Lays one flat schema into another with which it does not clash.
fn lay(flat: &mut Map<String, Value>, other: Map<String, Value>, rest: &mut Vec<Value>) {
    for (name, value) in other {
        match (name.as_str(), flat.get_mut(&name), value) {
            ("properties", Some(Value::Object(known)), Value::Object(more)) => {
                for (member, schema) in more {
                    match known.get_mut(&member) {
                        Some(both) if *both != schema => {
                            *both = serde_json::json!({"allOf": [both.take(), schema]});
                        }
                        Some(_) => {}
                        None => {
                            known.insert(member, schema);
                        }
                    }
                }
            }
            ("required", Some(Value::Array(known)), Value::Array(more)) => {
                known.extend(more);
            }
            ("allOf", _, Value::Array(more)) => rest.extend(more),
            (_, Some(_), _) => {}
            (_, None, value) => {
                flat.insert(name, value);
            }
        }
    }
}

/// Whether a keyword says nothing of what is taken.
pub(super) fn is_annotation(name: &str) -> bool {
    let known = [
        "title",
        "description",
        "example",
        "examples",
        "deprecated",
        "externalDocs",
        "xml",
        "$comment",
        "$id",
        "$schema",
        "$anchor",
        "$defs",
        "definitions",
        "discriminator",
        "default",
        "readOnly",
        "writeOnly",
        "contentEncoding",
        "contentMediaType",
        "contentSchema",
    ];
    known.contains(&name) || name.starts_with("x-")
}

/// What an operation, a parameter or a member says of its end.
pub(super) fn farewell(value: &Value) -> Option<Farewell> {
    if value.get("deprecated").and_then(Value::as_bool) != Some(true) {
        return None;
    }
    let day = |name: &str| {
        let text = value.get(name).and_then(Value::as_str)?;
        match Scalar::Date.parse(text) {
            Ok(Typed::Int(days)) => Some(days),
            _ => None,
        }
    };
    Some(Farewell { since: day("x-deprecated-since"), sunset: day("x-sunset"), advice: None })
}

//! JSON Schema 2020-12 of values, bodies and answers.

use serde_json::{Map, Value, json};

use crate::contract::{
    CommandRoute, Contract, ErrorMember, ErrorType, Farewell, Labels, Member, Record, Resource,
};
use crate::shape::Shape;

/// Which way a value goes: what is answered is described as it may be, what is taken as it must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// From the server.
    Out,
    /// In a body.
    In,
    /// In a path: a key that cannot be is only one that nothing has.
    Key,
}

/// Text that holds no NUL: the one character that no store keeps.
const NO_NUL: &str = "^[^\\u0000]*$";
/// The same without a comma, which separates.
const NO_NUL_NO_COMMA: &str = "^[^\\u0000,]*$";
const UUID: &str = "^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$";
const TIME: &str = "^([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\\.[0-9]{1,6})?$";
const TIMESTAMP: &str = "^[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ]([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\\.[0-9]{1,6})?([Zz]|[+-]([01][0-9]|2[0-3]):[0-5][0-9])$";
const DURATION: &str = "^-?P(?=[0-9T])([0-9]{1,4}W)?([0-9]{1,8}D)?(T(?=[0-9])([0-9]{1,6}H)?([0-9]{1,6}M)?([0-9]{1,9}(\\.[0-9]{1,6})?S)?)?$";
const BASE64: &str =
    "^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/][AQgw]==|[A-Za-z0-9+/]{2}[AEIMQUYcgkosw048]=)?$";

/// The schema of a value.
pub(crate) fn value(contract: &Contract, shape: &Shape, way: Way) -> Value {
    match shape {
        Shape::Boolean => json!({"type": "boolean"}),
        Shape::Integer { least, greatest } => {
            let (least, greatest) =
                if way == Way::Key { (&i64::MIN, &i64::MAX) } else { (least, greatest) };
            json!({"type": "integer", "format": "int64", "minimum": least, "maximum": greatest})
        }
        Shape::Number { least, greatest } => {
            let mut schema = json!({"type": "number", "format": "double"});
            if way != Way::Key {
                insert(&mut schema, "minimum", least.map(Value::from));
                insert(&mut schema, "maximum", greatest.map(Value::from));
            }
            schema
        }
        Shape::Decimal { whole, fraction, currency } => decimal(*whole, *fraction, currency, way),
        Shape::Text { least, greatest, pattern } => match (way, pattern) {
            (Way::Key, _) => json!({"type": "string", "pattern": NO_NUL}),
            (Way::Out, _) => {
                let mut schema = json!({"type": "string"});
                lengths(&mut schema, *least, *greatest);
                schema
            }
            (Way::In, pattern) => {
                let pattern = pattern.as_ref().map(|p| format!("^(?:{p})$"));
                let mut schema =
                    json!({"type": "string", "pattern": pattern.as_deref().unwrap_or(NO_NUL)});
                lengths(&mut schema, *least, *greatest);
                schema
            }
        },
        Shape::Email => match way {
            Way::Key => json!({"type": "string", "pattern": NO_NUL}),
            // Neither `email` nor `idn-email` of JSON Schema is what is taken: the pattern is.
            _ => json!({
                "type": "string", "pattern": model::EMAIL_PATTERN,
                "maxLength": model::EMAIL_LENGTH
            }),
        },
        Shape::Url => match way {
            Way::Key => json!({"type": "string", "pattern": NO_NUL}),
            _ => json!({
                "type": "string", "pattern": model::URL_PATTERN, "maxLength": model::URL_LENGTH
            }),
        },
        Shape::Uuid => json!({"type": "string", "format": "uuid", "pattern": UUID}),
        Shape::Date => json!({"type": "string", "format": "date"}),
        Shape::Time => json!({"type": "string", "pattern": TIME}),
        Shape::Timestamp => json!({"type": "string", "format": "date-time", "pattern": TIMESTAMP}),
        Shape::Duration => json!({"type": "string", "pattern": DURATION}),
        Shape::Json { .. } => json!({}),
        Shape::Bytes { least, greatest } => {
            let mut schema = json!({
                "type": "string", "contentEncoding": "base64", "pattern": BASE64
            });
            let encoded = |bytes: u32| bytes.div_ceil(3).saturating_mul(4);
            lengths(&mut schema, encoded(*least), greatest.map(encoded));
            schema
        }
        Shape::Enum(id) => reference(&contract.labels(*id).name),
        Shape::Record(id) => reference(&contract.record(*id).name),
        Shape::Reference { target, key } => {
            let bare = value(contract, key, if way == Way::Out { Way::Key } else { way });
            let resource = contract.resource(*target);
            if way != Way::Out || resource.read.is_empty() || resource.part.is_some() {
                return bare;
            }
            json!({"anyOf": [bare, reference(&resource.name)]})
        }
        Shape::List { item, least, greatest } => {
            let mut schema = json!({"type": "array", "items": value(contract, item, way)});
            if *least > 0 {
                insert(&mut schema, "minItems", Some(json!(least)));
            }
            insert(&mut schema, "maxItems", greatest.map(Value::from));
            schema
        }
    }
}

/// One of several values in one parameter, separated by commas.
pub(crate) fn listed_value(contract: &Contract, shape: &Shape) -> Value {
    let mut schema = value(contract, shape.bare(), Way::In);
    match shape.bare() {
        Shape::Text { least, .. } => {
            // An empty list is none at all, so its one item cannot be empty.
            insert(&mut schema, "minLength", Some(json!((*least).max(1))));
            insert(&mut schema, "pattern", Some(json!(NO_NUL_NO_COMMA)));
            schema
        }
        Shape::Url => json!({"allOf": [schema, {"pattern": "^[^,]*$"}]}),
        _ => schema,
    }
}

fn decimal(whole: u8, fraction: u8, currency: &Option<String>, way: Way) -> Value {
    let whole = match (way, currency) {
        // A sum may have one digit more than an amount that was taken.
        (Way::Out, _) => 19,
        _ => whole.max(1),
    };
    let pattern = match (fraction, way) {
        (0, _) => format!("^-?[0-9]{{1,{whole}}}$"),
        (_, Way::Out) => format!("^-?[0-9]{{1,{whole}}}\\.[0-9]{{{fraction}}}$"),
        _ => format!("^-?[0-9]{{1,{whole}}}(\\.[0-9]{{1,{fraction}}})?$"),
    };
    let mut schema = json!({"type": "string", "format": "decimal", "pattern": pattern});
    if let Some(currency) = currency {
        insert(&mut schema, "description", Some(json!(format!("An amount of {currency}."))));
    }
    schema
}

fn lengths(schema: &mut Value, least: u32, greatest: Option<u32>) {
    if least > 0 {
        insert(schema, "minLength", Some(json!(least)));
    }
    insert(schema, "maxLength", greatest.map(Value::from));
}

/// A reference to a schema of the document.
pub(crate) fn reference(name: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{name}")})
}

/// Sets a member, if there is a value.
pub(crate) fn insert(schema: &mut Value, name: &str, value: Option<Value>) {
    if let (Value::Object(members), Some(value)) = (schema, value) {
        members.insert(name.to_owned(), value);
    }
}

/// The same schema with null besides.
pub(crate) fn or_null(mut schema: Value) -> Value {
    match schema.get("type") {
        Some(Value::String(name)) => {
            let types = json!([name, "null"]);
            insert(&mut schema, "type", Some(types));
            schema
        }
        // Any JSON takes null as it is.
        _ if schema.as_object().is_some_and(Map::is_empty) => schema,
        _ => json!({"anyOf": [schema, {"type": "null"}]}),
    }
}

/// The schema of a member, with what is said about it.
fn member(contract: &Contract, member: &Member, way: Way) -> Value {
    let mut schema = value(contract, &member.shape, way);
    if member.nullable {
        schema = or_null(schema);
    }
    let mut docs = member.docs.clone();
    if let Some(farewell) = &member.farewell {
        docs = with_advice(docs, farewell);
        deprecate(&mut schema, farewell);
    }
    insert(&mut schema, "description", docs.map(Value::from));
    if way == Way::In {
        insert(&mut schema, "default", member.default.clone());
        if !member.readable {
            insert(&mut schema, "writeOnly", Some(json!(true)));
        }
    } else if !member.creatable && !member.updatable {
        insert(&mut schema, "readOnly", Some(json!(true)));
    }
    if member.personal {
        insert(&mut schema, "x-personal-data", Some(json!(true)));
    }
    schema
}

/// Says of an operation or a schema that it goes, and when, as `mimar diff` and oasdiff read it.
pub(crate) fn deprecate(json: &mut Value, farewell: &Farewell) {
    insert(json, "deprecated", Some(json!(true)));
    insert(json, "x-deprecated-since", farewell.since.map(|it| crate::diff::day(it).into()));
    insert(json, "x-sunset", farewell.sunset.map(|it| crate::diff::day(it).into()));
}

/// Documentation with what to use instead.
pub(crate) fn with_advice(docs: Option<String>, farewell: &Farewell) -> Option<String> {
    match (docs, &farewell.advice) {
        (docs, None) => docs,
        (None, Some(advice)) => Some(format!("Deprecated: {advice}")),
        (Some(docs), Some(advice)) => Some(format!("{docs}\n\nDeprecated: {advice}")),
    }
}

/// What a body is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Body {
    /// A new row.
    Create,
    /// A merge patch.
    Patch,
    /// A replacement.
    Replace,
}

impl Body {
    /// What stands behind the resource's name in the name of its schema.
    pub(crate) fn suffix(self) -> &'static str {
        match self {
            Self::Create => "Create",
            Self::Patch => "Patch",
            Self::Replace => "Replace",
        }
    }

    /// Whether a member may stand in it.
    pub(crate) fn takes(self, resource: &Resource, member: &Member) -> bool {
        match self {
            Self::Create => member.creatable,
            Self::Patch => member.updatable,
            // A key stays what the path says, so that nobody has to repeat it.
            Self::Replace => member.creatable && member.name != resource.key_parameter,
        }
    }
}

/// What is answered of a row. Nothing is required: `fields` may leave out any member, a policy may hide it.
pub(crate) fn read(contract: &Contract, resource: &Resource) -> Value {
    let mut properties = Map::new();
    for item in resource.members.iter().filter(|item| item.readable) {
        properties.insert(item.name.clone(), member(contract, item, Way::Out));
    }
    for part in &resource.parts {
        let part = contract.resource(*part);
        if !part.read.is_empty() {
            properties.insert(
                part.member().to_owned(),
                json!({
                    "type": "array",
                    "items": reference(&part.name),
                    "readOnly": true,
                    "description": format!("Only with `include={}`.", part.member()),
                }),
            );
        }
    }
    object(properties, Vec::new(), resource.docs.as_deref())
}

/// What a body must be.
pub(crate) fn body(contract: &Contract, resource: &Resource, body: Body) -> Value {
    let mut properties = Map::new();
    let mut required = Vec::new();
    for item in resource.members.iter().filter(|item| body.takes(resource, item)) {
        let mut schema = member(contract, item, Way::In);
        if body == Body::Patch
            && let Value::Object(members) = &mut schema
        {
            // What a patch leaves out stays.
            members.remove("default");
        }
        properties.insert(item.name.clone(), schema);
        let demanded = match body {
            Body::Create => item.required,
            Body::Patch => false,
            // What cannot change stays, so that nobody has to repeat it.
            Body::Replace => item.required && item.updatable,
        };
        if demanded {
            required.push(item.name.clone());
        }
    }
    for id in &resource.parts {
        let part = contract.resource(*id);
        let Some(part_of) = &part.part else { continue };
        if body != Body::Create && part.update.is_empty() {
            continue;
        }
        let name = part.member().to_owned();
        let item = inside(contract, part);
        properties.insert(
            name.clone(),
            json!({
                "type": "array",
                "items": item,
                "minItems": part_of.minimum,
                "maxItems": part_of.maximum,
                "description": match body {
                    Body::Patch => "Replaces all of them.".to_owned(),
                    _ => part.docs.clone().unwrap_or_default(),
                },
            }),
        );
        if body != Body::Patch && part_of.minimum > 0 {
            required.push(name);
        }
    }
    let docs = match body {
        Body::Create => "A new one.",
        Body::Patch => "A merge patch (RFC 7396): what is left out stays, null removes.",
        Body::Replace => "All of it: what is left out takes its default.",
    };
    object(properties, required, Some(docs))
}

/// A part inside the body of its root.
fn inside(contract: &Contract, part: &Resource) -> Value {
    let mut properties = Map::new();
    let mut required = Vec::new();
    for item in part.members.iter().filter(|item| item.creatable) {
        properties.insert(item.name.clone(), member(contract, item, Way::In));
        if item.required {
            required.push(item.name.clone());
        }
    }
    object(properties, required, None)
}

/// An enum.
pub(crate) fn labels(labels: &Labels) -> Value {
    let names: Vec<&str> = labels.labels.iter().map(|(label, _)| label.as_str()).collect();
    let mut schema = json!({"type": "string", "enum": names});
    insert(&mut schema, "description", label_docs(labels).map(Value::from));
    schema
}

fn label_docs(labels: &Labels) -> Option<String> {
    let mut text = labels.docs.clone().unwrap_or_default();
    for (label, docs) in &labels.labels {
        if let Some(docs) = docs {
            text.push_str(&format!("\n- `{label}`: {docs}"));
        }
    }
    (!text.is_empty()).then(|| text.trim_start().to_owned())
}

/// A value object.
pub(crate) fn record(contract: &Contract, record: &Record) -> Value {
    let mut properties = Map::new();
    let mut required = Vec::new();
    for item in &record.members {
        properties.insert(item.name.clone(), member(contract, item, Way::In));
        if item.required {
            required.push(item.name.clone());
        }
    }
    object(properties, required, record.docs.as_deref())
}

/// The arguments of a command.
pub(crate) fn arguments(contract: &Contract, route: &CommandRoute) -> Value {
    let mut properties = Map::new();
    let mut required = Vec::new();
    for parameter in &route.parameters {
        let schema = value(contract, &parameter.shape, Way::In);
        if parameter.required {
            properties.insert(parameter.name.clone(), schema);
            required.push(parameter.name.clone());
        } else {
            properties.insert(parameter.name.clone(), or_null(schema));
        }
    }
    object(properties, required, route.docs.as_deref())
}

/// The key alone: what is told of a row that nobody may read.
pub(crate) fn key_alone(contract: &Contract, resource: &Resource) -> Value {
    let key = resource.key_member();
    let schema = value(contract, &key.shape, Way::Key);
    object(Map::from_iter([(key.name.clone(), schema)]), Vec::new(), None)
}

/// A problem of the model: all of it, since what is closed cannot be added to.
pub(crate) fn raised(contract: &Contract, error: &ErrorType) -> Value {
    let mut properties = Map::from_iter([
        ("type".to_owned(), json!({"type": "string", "format": "uri-reference"})),
        ("title".to_owned(), json!({"type": "string", "const": error.title})),
        ("status".to_owned(), json!({"type": "integer", "const": error.status})),
        ("code".to_owned(), json!({"type": "string", "const": error.code})),
        ("detail".to_owned(), json!({"type": "string", "description": error.message})),
        ("trace_id".to_owned(), trace_id()),
    ]);
    let mut required: Vec<String> =
        ["type", "title", "status", "code", "trace_id"].map(str::to_owned).into();
    for member in &error.members {
        properties.insert(member.name.clone(), error_member(contract, member));
        required.push(member.name.clone());
    }
    object(properties, required, error.docs.as_deref())
}

fn error_member(contract: &Contract, member: &ErrorMember) -> Value {
    let mut schema = value(contract, member.shape.bare(), Way::Out);
    if member.nullable {
        schema = or_null(schema);
    }
    insert(&mut schema, "description", member.docs.clone().map(Value::from));
    schema
}

/// What names a request in the logs.
pub(crate) fn trace_id() -> Value {
    json!({
        "type": "string", "pattern": "^[0-9a-f]{32}$",
        "description": "Names this request in the logs (W3C Trace Context)."
    })
}

/// An object with these members and no others.
pub(crate) fn object(
    properties: Map<String, Value>,
    required: Vec<String>,
    docs: Option<&str>,
) -> Value {
    let mut schema = json!({
        "type": "object", "properties": properties, "additionalProperties": false
    });
    if !required.is_empty() {
        insert(&mut schema, "required", Some(json!(required)));
    }
    insert(&mut schema, "description", docs.map(Value::from));
    schema
}

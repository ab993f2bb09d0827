//! The OpenAPI 3.1 document of a contract.

mod command;
mod event;
mod replay;

use serde_json::{Map, Value, json};

use crate::contract::{Contract, Farewell, Filter, Grant, QueryRoute, Resource};
use crate::example;
use crate::schema::{self, Body, Way};
use crate::shape::Shape;

/// The document: OpenAPI 3.1, whose schemas are JSON Schema 2020-12.
pub fn openapi(contract: &Contract) -> Value {
    let mut paths = Map::new();
    for resource in contract.resources.iter().filter(|resource| !resource.is_hidden()) {
        let many = collection(contract, resource);
        if !many.is_empty() {
            paths.insert(
                resource.path.clone(),
                with_parameters(root_parameter(contract, resource), many),
            );
        }
        let one = item(contract, resource);
        if !one.is_empty() {
            let mut parameters = root_parameter(contract, resource);
            parameters.push(key_parameter(contract, resource));
            paths.insert(resource.item_path.clone(), with_parameters(parameters, one));
        }
    }
    for route in contract.queries.iter().filter(|route| !route.grant.is_empty()) {
        paths.insert(route.path.clone(), json!({"get": query(contract, route)}));
    }
    command::paths(contract, &mut paths);
    event::path(contract, &mut paths);
    replay::paths(contract, &mut paths);
    event::hooks(contract, &mut paths);
    let mut info = json!({"title": contract.name, "version": contract.version.to_string()});
    schema::insert(&mut info, "description", contract.docs.clone().map(Value::from));
    let mut document = json!({
        "openapi": "3.1.0",
        "info": info,
        "servers": [{"url": "/"}],
        "tags": tags(contract),
        "paths": paths,
        "components": {
            "schemas": schemas(contract),
            "responses": responses(),
            "headers": headers(),
            "parameters": shared_parameters(),
            "securitySchemes": {
                "bearer": {
                    "type": "http", "scheme": "bearer", "bearerFormat": "JWT",
                    "description": "A JSON Web Token (RFC 7519) whose `roles` claim names the roles of its bearer."
                }
            }
        }
    });
    let webhooks = event::webhooks(contract);
    if !webhooks.is_empty() {
        schema::insert(&mut document, "webhooks", Some(Value::Object(webhooks)));
    }
    document
}

fn with_parameters(parameters: Vec<Value>, mut operations: Map<String, Value>) -> Value {
    if !parameters.is_empty() {
        operations.shift_insert(0, "parameters".to_owned(), Value::Array(parameters));
    }
    Value::Object(operations)
}

fn tags(contract: &Contract) -> Value {
    let used = |at: usize| {
        contract.resources.iter().any(|resource| resource.tag == at && !resource.is_hidden())
            || contract.queries.iter().any(|route| route.tag == at && !route.grant.is_empty())
            || command::public(contract).any(|route| route.tag == at)
            || event::readable(contract).next().is_some_and(|event| event.tag == at)
            || replay::replayable(contract).next().is_some_and(|event| event.tag == at)
    };
    let tags = contract.tags.iter().enumerate().filter(|(at, _)| used(*at));
    tags.map(|(_, tag)| {
        let mut json = json!({"name": tag.name});
        schema::insert(&mut json, "description", tag.docs.clone().map(Value::from));
        json
    })
    .collect()
}

fn schemas(contract: &Contract) -> Value {
    let mut schemas = Map::new();
    for resource in contract.resources.iter().filter(|resource| !resource.is_hidden()) {
        schemas.insert(resource.name.clone(), schema::read(contract, resource));
        for (body, grant) in [
            (Body::Create, &resource.create),
            (Body::Patch, &resource.update),
            (Body::Replace, &resource.replace),
        ] {
            if !grant.is_empty() {
                let name = format!("{}{}", resource.name, body.suffix());
                schemas.insert(name, schema::body(contract, resource, body));
            }
        }
    }
    for labels in &contract.enums {
        schemas.insert(labels.name.clone(), schema::labels(labels));
    }
    for record in &contract.records {
        schemas.insert(record.name.clone(), schema::record(contract, record));
    }
    command::schemas(contract, &mut schemas);
    event::schemas(contract, &mut schemas);
    schemas.insert("Violation".to_owned(), violation());
    schemas.insert("Problem".to_owned(), problem());
    Value::Object(schemas)
}

fn violation() -> Value {
    let codes: Vec<_> = operation::FaultCode::ALL.iter().map(|code| code.as_str()).collect();
    json!({
        "type": "object",
        "description": "One thing that is wrong with a request.",
        "properties": {
            "code": {"type": "string", "enum": codes, "description": "What kind of fault; stable."},
            "pointer": {"type": "string", "description": "Where in the body (RFC 6901)."},
            "parameter": {"type": "string", "description": "Which parameter."},
            "detail": {"type": "string", "description": "What is wrong and what would be right."}
        },
        "required": ["code", "detail"],
        "additionalProperties": false
    })
}

fn problem() -> Value {
    json!({
        "type": "object",
        "description": "What went wrong (RFC 9457).",
        "properties": {
            "type": {"type": "string", "format": "uri-reference"},
            "title": {"type": "string"},
            "status": {"type": "integer", "minimum": 400, "maximum": 599},
            "code": {"type": "string", "description": "What kind of problem; stable."},
            "detail": {"type": "string"},
            "trace_id": schema::trace_id(),
            "errors": {"type": "array", "items": schema::reference("Violation")}
        },
        "required": ["type", "title", "status", "code", "trace_id"],
        "additionalProperties": false
    })
}

/// Problems that an operation may answer with: status, name, what it says.
const PROBLEMS: &[(&str, &str, &str)] = &[
    ("400", "BadRequest", "The request is not as described here; `errors` says where."),
    ("401", "Unauthenticated", "There is no token, or it does not hold."),
    ("403", "Forbidden", "The token's roles do not allow this."),
    ("404", "NotFound", "There is no such thing, or none that the caller may see."),
    ("406", "NotAcceptable", "Only JSON can be answered."),
    ("408", "RequestTimeout", "The body took too long to arrive."),
    (
        "409",
        "Conflict",
        "What is stored stands against it: a value that is taken, a row that is still referred to.",
    ),
    ("412", "PreconditionFailed", "The row has changed since its `ETag` was given out."),
    ("413", "ContentTooLarge", "The body is too large."),
    ("414", "UriTooLong", "The address is too long."),
    ("415", "UnsupportedMediaType", "The body is of another media type."),
    (
        "422",
        "Unprocessable",
        "The request is as described here, but a rule of the model forbids it; `errors` says which.",
    ),
    ("431", "HeadersTooLarge", "The header is too large."),
    ("500", "Internal", "A fault of the server."),
    (
        "503",
        "Unavailable",
        "Too much at once, or the store is away: try again after the time given. `outcome_unknown`: it was lost while it wrote; \
         under the same `Idempotency-Key` the request is done once.",
    ),
];

fn responses() -> Value {
    let mut all = Map::new();
    for (status, name, description) in PROBLEMS {
        let mut response = json!({
            "description": description,
            "content": {"application/problem+json": {"schema": schema::reference("Problem")}}
        });
        let headers = match *status {
            "401" => Some(json!({"WWW-Authenticate": header("WWW-Authenticate")})),
            "503" => Some(json!({"Retry-After": header("Retry-After")})),
            _ => None,
        };
        schema::insert(&mut response, "headers", headers);
        all.insert((*name).to_owned(), response);
    }
    all.insert(
        "NotModified".to_owned(),
        json!({
            "description": "It is as the caller has it.",
            "headers": {"ETag": header("ETag")}
        }),
    );
    Value::Object(all)
}

fn header(name: &str) -> Value {
    json!({"$ref": format!("#/components/headers/{name}")})
}

fn headers() -> Value {
    json!({
        "ETag": {
            "description": "Names this version of the row: for `If-Match` and `If-None-Match`.",
            "required": true,
            "schema": {"type": "string", "pattern": "^(W/)?\"[!#-~]*\"$"}
        },
        "Location": {
            "description": "Where the new one is.",
            "required": true,
            "schema": {"type": "string", "format": "uri-reference"}
        },
        "Link": {
            "description": "The next page, if there is one (RFC 8288).",
            "schema": {"type": "string"}
        },
        "Idempotency-Replayed": {
            "description": "`true` where the same request was done before, and is answered as it was then.",
            "schema": {"const": "true"}
        },
        "Retry-After": {
            "description": "Seconds to wait.",
            "required": true,
            "schema": {"type": "integer", "minimum": 1}
        },
        "WWW-Authenticate": {
            "description": "How to ask (RFC 6750).",
            "required": true,
            "schema": {"type": "string"}
        }
    })
}

fn shared_parameters() -> Value {
    json!({
        "IfMatch": {
            "name": "If-Match", "in": "header",
            "description": "Only if the row is still one of these versions (RFC 9110 §13.1.1).",
            "schema": {"type": "string"},
            "example": "\"3\""
        },
        "IfNoneMatch": {
            "name": "If-None-Match", "in": "header",
            "description": "Only if it is none of these versions: 304 otherwise (RFC 9110 §13.1.2).",
            "schema": {"type": "string"},
            "example": "\"3\""
        },
        "IdempotencyKey": {
            "name": "Idempotency-Key", "in": "header",
            "description": "A name of your choice for this request, such as a UUID: sent again within a day by the same caller to the same path, it is done once and answered alike.",
            "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!#-\\[\\]-~]+$"},
            "example": "8e03978e-40d5-43e8-bc93-6894a57f9324"
        },
        "After": {
            "name": "after", "in": "query",
            "description": "The cursor that the page before gave out as `next`.",
            "schema": {"type": "string", "minLength": 1, "maxLength": 4096, "pattern": "^[A-Za-z0-9_-]+$"}
        }
    })
}

fn shared_parameter(name: &str) -> Value {
    json!({"$ref": format!("#/components/parameters/{name}")})
}

/// The operations on many.
fn collection(contract: &Contract, resource: &Resource) -> Map<String, Value> {
    let mut operations = Map::new();
    let under_root = resource.part.is_some();
    if !resource.read.is_empty() {
        let mut parameters =
            vec![limit(crate::PAGE, crate::PAGE_MAXIMUM), shared_parameter("After")];
        parameters.extend(sort(resource));
        parameters.extend(shape_parameters(resource));
        for filter in &resource.filters {
            parameters.extend(filter_parameters(contract, filter));
        }
        parameters.push(shared_parameter("IfNoneMatch"));
        let mut operation = Operation::new(contract, resource, &resource.read);
        operation.set("operationId", format!("list_{}", many(resource)));
        operation.set("summary", format!("A page of {}", words(&many(resource))));
        operation.set("parameters", parameters);
        operation.answer("200", page_answer(resource));
        operation.problem("304");
        operation.problem("422");
        if under_root {
            operation.problem("404");
        }
        operations.insert("get".to_owned(), operation.finish());
    }
    if !resource.create.is_empty() {
        let mut parameters = shape_parameters(resource);
        parameters.push(shared_parameter("IdempotencyKey"));
        if under_root {
            parameters.push(shared_parameter("IfMatch"));
        }
        let mut operation = Operation::new(contract, resource, &resource.create);
        operation.set("operationId", format!("create_{}", one(resource)));
        operation.set("summary", format!("A new {}", words(&one(resource))));
        operation.set("parameters", parameters);
        operation.set("requestBody", request_body(contract, resource, Body::Create));
        operation.answer(
            "201",
            json!({
                "description": "It is stored. Who may not read it is given its key alone.",
                "headers": {
                    "Location": header("Location"),
                    "ETag": header("ETag"),
                    "Idempotency-Replayed": header("Idempotency-Replayed")
                },
                "content": {"application/json": {"schema": schema::reference(&resource.name)}},
                "links": links(resource, "$response.body#/")
            }),
        );
        for status in ["409", "413", "415", "422", "408"] {
            operation.problem(status);
        }
        if under_root {
            operation.problem("404");
            operation.problem("412");
        }
        operations.insert("post".to_owned(), operation.finish());
    }
    operations
}

/// The operations on one.
fn item(contract: &Contract, resource: &Resource) -> Map<String, Value> {
    let mut operations = Map::new();
    let name = one(resource);
    if !resource.read.is_empty() {
        let mut parameters = shape_parameters(resource);
        parameters.push(shared_parameter("IfNoneMatch"));
        let mut operation = Operation::new(contract, resource, &resource.read);
        operation.set("operationId", format!("get_{name}"));
        operation.set("summary", format!("One {}", words(&name)));
        operation.set("parameters", parameters);
        operation.answer("200", row_answer(resource, "The row."));
        for status in ["304", "404"] {
            operation.problem(status);
        }
        operations.insert("get".to_owned(), operation.finish());
    }
    let writes = [
        ("put", "replace", "Replaces", &resource.replace, Some(Body::Replace)),
        ("patch", "update", "Changes", &resource.update, Some(Body::Patch)),
        ("delete", "delete", "Deletes", &resource.delete, None),
    ];
    for (method, verb, sentence, grant, body) in writes {
        if grant.is_empty() {
            continue;
        }
        let mut parameters = if body.is_some() { shape_parameters(resource) } else { Vec::new() };
        parameters.push(shared_parameter("IfMatch"));
        let mut operation = Operation::new(contract, resource, grant);
        operation.set("operationId", format!("{verb}_{name}"));
        operation.set("summary", format!("{sentence} one {}", words(&name)));
        operation.set("parameters", parameters);
        match body {
            Some(body) => {
                operation.set("requestBody", request_body(contract, resource, body));
                operation.answer("200", row_answer(resource, "The row as it is now."));
                operation.answer(
                    "204",
                    json!({
                        "description": "It is changed, and the caller may not read it.",
                        "headers": {"ETag": header("ETag")}
                    }),
                );
                for status in ["413", "415", "408"] {
                    operation.problem(status);
                }
            }
            None => operation.answer("204", json!({"description": "It is gone."})),
        }
        for status in ["404", "409", "412", "422"] {
            operation.problem(status);
        }
        operations.insert(method.to_owned(), operation.finish());
    }
    operations
}

fn query(contract: &Contract, route: &QueryRoute) -> Value {
    let resource = contract.resource(route.entity);
    let mut parameters: Vec<Value> = route
        .parameters
        .iter()
        .map(|parameter| {
            let shape = parameter.shape.bare();
            let schema = schema::value(contract, shape, Way::In);
            let mut json = json!({
                "name": parameter.name, "in": "query", "required": parameter.required
            });
            let structured =
                matches!(shape, Shape::Json { .. } | Shape::Record(_) | Shape::List { .. });
            if structured {
                let content = json!({"application/json": {"schema": schema}});
                schema::insert(&mut json, "content", Some(content));
            } else {
                schema::insert(&mut json, "schema", Some(schema));
            }
            json
        })
        .collect();
    parameters.push(limit(route.page, route.page_maximum));
    parameters.push(shared_parameter("After"));
    parameters.extend(shape_parameters(resource));
    parameters.push(shared_parameter("IfNoneMatch"));
    let mut operation = Operation::described(
        contract,
        route.tag,
        &route.grant,
        route.docs.clone(),
        route.farewell.as_ref(),
    );
    operation.set("operationId", route.name.clone());
    operation.set("summary", capitalised(&words(&route.name)));
    operation.set("parameters", parameters);
    operation.answer("200", page_answer(resource));
    for status in ["304", "422"] {
        operation.problem(status);
    }
    operation.finish()
}

/// One operation under construction.
struct Operation {
    json: Value,
    answers: Map<String, Value>,
}

impl Operation {
    fn new(contract: &Contract, resource: &Resource, grant: &Grant) -> Self {
        let farewell = resource.farewell.as_ref();
        Self::described(contract, resource.tag, grant, resource.docs.clone(), farewell)
    }

    fn described(
        contract: &Contract,
        tag: usize,
        grant: &Grant,
        docs: Option<String>,
        farewell: Option<&Farewell>,
    ) -> Self {
        let tag = contract.tags.get(tag).map_or("", |tag| tag.name.as_str());
        let mut json = json!({"tags": [tag]});
        let mut docs = docs;
        if let Some(farewell) = farewell {
            docs = schema::with_advice(docs, farewell);
            schema::deprecate(&mut json, farewell);
        }
        let who = if grant.anyone {
            "For anyone.".to_owned()
        } else {
            format!("For {}.", grant.roles.join(", "))
        };
        let docs = docs.map_or(who.clone(), |docs| format!("{docs}\n\n{who}"));
        schema::insert(&mut json, "description", Some(json!(docs)));
        let security =
            if grant.anyone { json!([{}, {"bearer": []}]) } else { json!([{"bearer": []}]) };
        schema::insert(&mut json, "security", Some(security));
        schema::insert(&mut json, "x-roles", Some(json!(grant.roles)));
        let mut this = Self { json, answers: Map::new() };
        for status in ["400", "401", "403", "406", "414", "431", "500", "503"] {
            this.problem(status);
        }
        this
    }

    fn set(&mut self, name: &str, value: impl Into<Value>) {
        schema::insert(&mut self.json, name, Some(value.into()));
    }

    fn answer(&mut self, status: &str, answer: Value) {
        self.answers.insert(status.to_owned(), answer);
    }

    fn problem(&mut self, status: &str) {
        let name = match status {
            "304" => "NotModified",
            status => {
                PROBLEMS.iter().find(|(s, ..)| *s == status).map_or("Internal", |(_, name, _)| name)
            }
        };
        self.answer(status, json!({"$ref": format!("#/components/responses/{name}")}));
    }

    fn finish(mut self) -> Value {
        self.answers.sort_keys();
        let answers = std::mem::take(&mut self.answers);
        self.set("responses", answers);
        self.json
    }
}

fn page_answer(resource: &Resource) -> Value {
    let mut answer = json!({
        "description": "A page, and the cursor of the next one.",
        "headers": {"Link": header("Link"), "ETag": header("ETag")},
        "content": {"application/json": {"schema": {
            "type": "object",
            "properties": {
                "data": {"type": "array", "items": schema::reference(&resource.name)},
                "next": {"type": ["string", "null"], "description": "For `after`; null on the last page."}
            },
            "required": ["data", "next"],
            "additionalProperties": false
        }}}
    });
    if resource.part.is_none() {
        schema::insert(&mut answer, "links", Some(links(resource, "$response.body#/data/0/")));
    }
    answer
}

fn row_answer(resource: &Resource, description: &str) -> Value {
    json!({
        "description": description,
        "headers": {"ETag": header("ETag")},
        "content": {"application/json": {"schema": schema::reference(&resource.name)}}
    })
}

fn request_body(contract: &Contract, resource: &Resource, body: Body) -> Value {
    let schema = schema::reference(&format!("{}{}", resource.name, body.suffix()));
    let mut content = json!({"schema": schema});
    schema::insert(&mut content, "example", example::body(contract, resource, body));
    match body {
        // Both mean the same; the first is the name that says so.
        Body::Patch => json!({"required": true, "content": {
            "application/merge-patch+json": content.clone(), "application/json": content
        }}),
        Body::Create | Body::Replace => {
            json!({"required": true, "content": {"application/json": content}})
        }
    }
}

/// From an answer that holds a key to what can be done with it.
fn links(resource: &Resource, body: &str) -> Value {
    let key = format!("{body}{}", resource.key_member().name);
    let mut parameters = Map::new();
    if let Some(part) = &resource.part {
        let name = &part.root_parameter;
        parameters.insert(name.clone(), json!(format!("$request.path.{name}")));
    }
    parameters.insert(resource.key_parameter.clone(), json!(key));
    let name = one(resource);
    let mut links = Map::new();
    for (verb, grant) in [
        ("get", &resource.read),
        ("update", &resource.update),
        ("replace", &resource.replace),
        ("delete", &resource.delete),
    ] {
        if !grant.is_empty() {
            let operation = format!("{verb}_{name}");
            links.insert(
                verb.to_owned(),
                json!({"operationId": operation, "parameters": parameters}),
            );
        }
    }
    Value::Object(links)
}

fn root_parameter(contract: &Contract, resource: &Resource) -> Vec<Value> {
    let Some(part) = &resource.part else { return Vec::new() };
    let root = contract.resource(part.root);
    vec![path_parameter(contract, &part.root_parameter, root)]
}

fn key_parameter(contract: &Contract, resource: &Resource) -> Value {
    path_parameter(contract, &resource.key_parameter, resource)
}

fn path_parameter(contract: &Contract, name: &str, resource: &Resource) -> Value {
    let member = resource.key_member();
    let mut schema = match member.shape.bare() {
        // A segment of nothing, of one dot or of two is no segment.
        Shape::Text { .. } | Shape::Email | Shape::Url => {
            json!({"type": "string", "minLength": 1, "pattern": "^[^\\u0000]*$"})
        }
        shape => schema::value(contract, shape, Way::Key),
    };
    schema::insert(&mut schema, "description", member.docs.clone().map(Value::from));
    json!({"name": name, "in": "path", "required": true, "schema": schema})
}

fn limit(default: u32, maximum: u32) -> Value {
    json!({
        "name": "limit", "in": "query",
        "description": "The most rows of the page.",
        "schema": {"type": "integer", "minimum": 1, "maximum": maximum, "default": default}
    })
}

fn sort(resource: &Resource) -> Option<Value> {
    if resource.sorts.is_empty() {
        return None;
    }
    let terms: Vec<String> =
        resource.sorts.iter().flat_map(|name| [name.clone(), format!("-{name}")]).collect();
    // No field twice: neither as it is, nor upwards and downwards at once.
    let apart: Vec<Value> = resource
        .sorts
        .iter()
        .map(|name| {
            json!({"not": {"allOf": [
                {"contains": {"const": name}}, {"contains": {"const": format!("-{name}")}}
            ]}})
        })
        .collect();
    Some(json!({
        "name": "sort", "in": "query", "style": "form", "explode": false,
        "description": "The order, `-` before what descends; the key follows by itself.",
        "schema": {
            "type": "array", "minItems": 1, "maxItems": 4, "uniqueItems": true,
            "items": {"type": "string", "enum": terms}, "allOf": apart
        }
    }))
}

/// `include` and `fields`.
fn shape_parameters(resource: &Resource) -> Vec<Value> {
    if resource.read.is_empty() {
        return Vec::new();
    }
    let mut parameters = Vec::new();
    if !resource.includes.is_empty() {
        parameters.push(json!({
            "name": "include", "in": "query", "style": "form", "explode": false,
            "description": "What is answered besides, through references and parts, at most three steps.",
            "schema": {
                "type": "array", "minItems": 1, "maxItems": 16, "uniqueItems": true,
                "items": {"type": "string", "enum": resource.includes}
            }
        }));
    }
    let fields: Vec<&String> = resource
        .members
        .iter()
        .filter(|member| member.readable)
        .map(|member| &member.name)
        .collect();
    if !fields.is_empty() {
        parameters.push(json!({
            "name": "fields", "in": "query", "style": "form", "explode": false,
            "description": "Only these members; of what is included `lines.quantity`.",
            "schema": {
                "type": "array", "minItems": 1, "uniqueItems": true,
                "items": {"type": "string", "enum": fields}
            }
        }));
    }
    parameters
}

fn filter_parameters(contract: &Contract, filter: &Filter) -> Vec<Value> {
    let shape = filter.shape.bare();
    let parameters = filter.operators.iter().map(|operator| {
        let (name, schema) = match *operator {
            "eq" => (filter.field.clone(), schema::value(contract, shape, Way::In)),
            "in" => {
                let item = schema::listed_value(contract, shape);
                let schema = json!({"type": "array", "maxItems": 100, "items": item});
                (format!("{}[in]", filter.field), schema)
            }
            "null" => (format!("{}[null]", filter.field), json!({"type": "boolean"})),
            other => {
                (format!("{}[{other}]", filter.field), schema::value(contract, shape, Way::In))
            }
        };
        let mut parameter = json!({
            "name": name, "in": "query", "schema": schema,
            "description": match *operator {
                "eq" => format!("Rows whose `{}` is this.", filter.field),
                "ne" => format!("Rows whose `{}` is something else.", filter.field),
                "lt" => format!("Rows whose `{}` is less.", filter.field),
                "lte" => format!("Rows whose `{}` is at most this.", filter.field),
                "gt" => format!("Rows whose `{}` is greater.", filter.field),
                "gte" => format!("Rows whose `{}` is at least this.", filter.field),
                "in" => format!("Rows whose `{}` is one of these.", filter.field),
                _ => format!("Rows that have no `{}` (true), or one (false).", filter.field),
            }
        });
        if *operator == "in" {
            schema::insert(&mut parameter, "style", Some(json!("form")));
            schema::insert(&mut parameter, "explode", Some(json!(false)));
        }
        parameter
    });
    parameters.collect()
}

/// `invoice_line`
fn one(resource: &Resource) -> String {
    model::snake_case(&resource.name)
}

/// `invoice_lines`
fn many(resource: &Resource) -> String {
    model::plural(&one(resource))
}

fn words(name: &str) -> String {
    name.replace('_', " ")
}

fn capitalised(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

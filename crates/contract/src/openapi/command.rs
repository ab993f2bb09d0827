//! Commands in the document: what is sent, what comes back, and how each may fail.

use std::collections::{BTreeMap, HashSet};

use serde_json::{Map, Value, json};

use super::{
    Operation, PROBLEMS, capitalised, header, key_parameter, shared_parameter, with_parameters,
    words,
};
use crate::contract::{Answer, CommandRoute, Contract, ErrorType};
use crate::example;
use crate::schema::{self, Way};
use crate::shape::Shape;

/// The commands that somebody outside may call.
pub(super) fn public(contract: &Contract) -> impl Iterator<Item = &CommandRoute> {
    contract.commands.iter().filter(|route| !route.grant.is_empty())
}

/// Adds the commands to the paths.
pub(super) fn paths(contract: &Contract, paths: &mut Map<String, Value>) {
    let operations = paths.values().filter_map(Value::as_object).flat_map(Map::values);
    let ids = operations.filter_map(|operation| operation.get("operationId")?.as_str());
    let mut taken: HashSet<String> = ids.map(str::to_owned).collect();
    for route in public(contract) {
        let id = unused(&mut taken, &route.name);
        let parameters =
            route.row.map(|row| key_parameter(contract, contract.resource(row))).into_iter();
        let operations = Map::from_iter([("post".to_owned(), command(contract, route, id))]);
        paths.insert(route.path.clone(), with_parameters(parameters.collect(), operations));
    }
}

/// A name that no operation has: a command `create_order` may stand beside the creation of an order.
fn unused(taken: &mut HashSet<String>, name: &str) -> String {
    let mut id = name.to_owned();
    let mut number = 1;
    while !taken.insert(id.clone()) {
        id = if number == 1 { format!("run_{name}") } else { format!("run_{name}_{number}") };
        number += 1;
    }
    id
}

/// Adds the bodies of commands, and the problems that they raise.
pub(super) fn schemas(contract: &Contract, schemas: &mut Map<String, Value>) {
    for route in public(contract) {
        schemas.insert(route.body.clone(), schema::arguments(contract, route));
    }
    for route in public(contract) {
        for error in route.raises.iter().map(|id| contract.error(*id)) {
            schemas.insert(error.name.clone(), schema::raised(contract, error));
        }
    }
}

fn command(contract: &Contract, route: &CommandRoute, id: String) -> Value {
    let mut operation = Operation::described(
        contract,
        route.tag,
        &route.grant,
        route.docs.clone(),
        route.farewell.as_ref(),
    );
    operation.set("operationId", id);
    operation.set("summary", capitalised(&words(&route.name)));
    operation.set("parameters", vec![shared_parameter("IdempotencyKey")]);
    operation.set("requestBody", request_body(contract, route));
    let replayed = json!({"Idempotency-Replayed": header("Idempotency-Replayed")});
    match &route.answer {
        Some(answer) => operation.answer(
            "200",
            json!({
                "description": "It is done.",
                "headers": replayed,
                "content": {"application/json": {"schema": answered(contract, answer)}}
            }),
        ),
        None => operation.answer("204", json!({"description": "It is done.", "headers": replayed})),
    }
    for status in ["409", "413", "415", "422", "408"] {
        operation.problem(status);
    }
    if route.row.is_some() {
        operation.problem("404");
    }
    let mut raised: BTreeMap<String, Vec<&ErrorType>> = BTreeMap::new();
    for error in route.raises.iter().map(|id| contract.error(*id)) {
        raised.entry(error.status.to_string()).or_default().push(error);
    }
    for (status, errors) in raised {
        let beside = operation.answers.contains_key(&status);
        operation.answer(&status, problems(&status, &errors, beside));
    }
    operation.finish()
}

fn request_body(contract: &Contract, route: &CommandRoute) -> Value {
    let mut content = json!({"schema": schema::reference(&route.body)});
    schema::insert(&mut content, "example", example::arguments(contract, route));
    let required = route.parameters.iter().any(|parameter| parameter.required);
    json!({"required": required, "content": {"application/json": content}})
}

fn answered(contract: &Contract, answer: &Answer) -> Value {
    let schema = match &answer.shape {
        Shape::Reference { target, .. } => {
            let resource = contract.resource(*target);
            if resource.read.is_empty() {
                schema::key_alone(contract, resource)
            } else {
                schema::reference(&resource.name)
            }
        }
        shape => schema::value(contract, shape, Way::Out),
    };
    if answer.nullable { schema::or_null(schema) } else { schema }
}

/// The answer of one status: by the model's errors, and `beside` them by what may always happen.
fn problems(status: &str, errors: &[&ErrorType], beside: bool) -> Value {
    let known = PROBLEMS.iter().find(|(known, ..)| beside && *known == status);
    let mut lines: Vec<String> =
        known.map(|(.., description)| (*description).to_owned()).into_iter().collect();
    lines.extend(errors.iter().map(|error| {
        let said = error.docs.as_ref().unwrap_or(&error.message);
        format!("- `{}`: {said}", error.code)
    }));
    let mut schemas: Vec<Value> =
        errors.iter().map(|error| schema::reference(&error.name)).collect();
    let schema = match (known.is_some(), schemas.as_slice()) {
        (false, [one]) => one.clone(),
        (false, _) => json!({"oneOf": schemas}),
        (true, _) => {
            // A problem of the model without members is one of any kind, too: not `oneOf`.
            schemas.push(schema::reference("Problem"));
            json!({"anyOf": schemas})
        }
    };
    let mut response = json!({
        "description": lines.join("\n"),
        "content": {"application/problem+json": {"schema": schema}}
    });
    if status == "401" {
        let headers = json!({"WWW-Authenticate": header("WWW-Authenticate")});
        schema::insert(&mut response, "headers", Some(headers));
    }
    response
}

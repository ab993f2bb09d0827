//! Values that a body may hold, for the documents.

use serde_json::{Map, Value, json};

use crate::contract::{CommandRoute, Contract, Member, Resource};
use crate::schema::Body;
use crate::shape::Shape;

/// A value of a form; `None` where only a person could think of one (text of a pattern).
pub(crate) fn value(contract: &Contract, shape: &Shape, name: &str) -> Option<Value> {
    Some(match shape {
        Shape::Boolean => json!(true),
        Shape::Integer { least, greatest } => json!(1.clamp(*least, (*greatest).max(*least))),
        Shape::Number { least, greatest } => {
            let low = least.unwrap_or(f64::MIN);
            json!(1.5_f64.max(low).min(greatest.unwrap_or(f64::MAX).max(low)))
        }
        Shape::Decimal { whole, fraction, .. } => {
            let digits = if *whole > 1 { "12" } else { "0" };
            match fraction {
                0 => json!(digits),
                fraction => {
                    let cents: String = "50"
                        .chars()
                        .chain(std::iter::repeat('0'))
                        .take(usize::from(*fraction))
                        .collect();
                    json!(format!("{digits}.{cents}"))
                }
            }
        }
        Shape::Text { pattern: Some(_), .. } => return None,
        Shape::Text { least, greatest, .. } => json!(text(name, *least, *greatest)),
        Shape::Email => json!("ada@example.org"),
        Shape::Url => json!("https://example.org/a"),
        Shape::Uuid => json!("018f4e5a-7b3c-7def-8123-456789abcdef"),
        Shape::Date => json!("2026-11-21"),
        Shape::Time => json!("17:30:00"),
        Shape::Timestamp => json!("2026-11-21T17:30:00Z"),
        Shape::Duration => json!("PT1H30M"),
        Shape::Json { .. } => json!({}),
        Shape::Bytes { least, .. } => {
            let full = "AAAA".repeat((*least / 3) as usize);
            let rest = match least % 3 {
                1 => "AA==",
                2 => "AAA=",
                _ => "",
            };
            json!(format!("{full}{rest}"))
        }
        Shape::Enum(id) => json!(contract.labels(*id).labels.first()?.0),
        Shape::Record(id) => members(contract, contract.record(*id).members.iter())?,
        Shape::Reference { key, .. } => value(contract, key, name)?,
        Shape::List { item, least, .. } => {
            let item = value(contract, item, name)?;
            Value::Array(vec![item; (*least).clamp(1, 3).max(*least) as usize])
        }
    })
}

/// The field's name as words, made as long or short as it must be.
fn text(name: &str, least: u32, greatest: Option<u32>) -> String {
    let mut words: String = name.replace('_', " ");
    let mut chars = words.chars();
    if let Some(first) = chars.next() {
        words = first.to_uppercase().chain(chars).collect();
    }
    while words.chars().count() < least as usize {
        words.push('a');
    }
    words.chars().take(greatest.map_or(usize::MAX, |most| most as usize)).collect()
}

/// A body: what is required, and what says most beside it.
pub(crate) fn body(contract: &Contract, resource: &Resource, body: Body) -> Option<Value> {
    let taken: Vec<&Member> =
        resource.members.iter().filter(|member| body.takes(resource, member)).collect();
    if body == Body::Patch {
        let one = taken
            .iter()
            .filter(|member| !matches!(member.shape, Shape::Reference { .. } | Shape::Enum(_)))
            .find_map(|m| Some((m.name.clone(), value(contract, &m.shape, &m.name)?)));
        return Some(Value::Object(one.into_iter().collect()));
    }
    let mut object = members(contract, taken.into_iter().filter(|member| member.required))?;
    for id in &resource.parts {
        let part = contract.resource(*id);
        let Some(part_of) = part.part.as_ref().filter(|part_of| part_of.minimum > 0) else {
            continue;
        };
        let item = members(contract, part.members.iter().filter(|m| m.creatable && m.required))?;
        let items = vec![item; part_of.minimum as usize];
        if let Value::Object(members) = &mut object {
            members.insert(part.member().to_owned(), Value::Array(items));
        }
    }
    Some(object)
}

/// The arguments that a command must have.
pub(crate) fn arguments(contract: &Contract, route: &CommandRoute) -> Option<Value> {
    let mut object = Map::new();
    for parameter in route.parameters.iter().filter(|parameter| parameter.required) {
        let value = value(contract, &parameter.shape, &parameter.name)?;
        object.insert(parameter.name.clone(), value);
    }
    Some(Value::Object(object))
}

fn members<'a>(contract: &Contract, list: impl Iterator<Item = &'a Member>) -> Option<Value> {
    let mut object = Map::new();
    for member in list {
        object.insert(member.name.clone(), value(contract, &member.shape, &member.name)?);
    }
    Some(Value::Object(object))
}

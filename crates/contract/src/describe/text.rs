//! Types, transitions and places as the language writes them.

use model::{Bounds, EntityId, Flow, Model, Type};

use crate::diff::qualified;

/// An entity with its service before it.
pub(super) fn entity(model: &Model, id: EntityId) -> String {
    qualified(model, model[id].service, &model[id].name)
}

/// A type with its bounds.
pub(super) fn of_type(model: &Model, ty: &Type) -> String {
    match ty {
        Type::Int(bounds) => format!("Int{}", bounded(bounds)),
        Type::Float(bounds) => format!("Float{}", bounded(bounds)),
        Type::String(bounds) => format!("String{}", bounded(bounds)),
        Type::Json(bounds) => format!("Json{}", bounded(bounds)),
        Type::Bytes(bounds) => format!("Bytes{}", bounded(bounds)),
        Type::Enum(id) if model[*id].inline => {
            let labels = model[*id].values.iter().map(|value| value.name.as_str());
            format!("enum {{ {} }}", labels.collect::<Vec<_>>().join(", "))
        }
        Type::Entity(id) => entity(model, *id),
        Type::Record(id) => qualified(model, model[*id].service, &model[*id].name),
        Type::List(element, bounds) => format!("[{}]{}", of_type(model, element), bounded(bounds)),
        other => model.type_text(other),
    }
}

fn bounded<T: PartialEq + std::fmt::Display>(bounds: &Bounds<T>) -> String {
    match (&bounds.least, &bounds.greatest) {
        (None, None) => String::new(),
        (Some(least), Some(greatest)) if least == greatest => format!("({least})"),
        (least, greatest) => {
            let end = |it: &Option<T>| it.as_ref().map_or(String::new(), T::to_string);
            format!("({}..{})", end(least), end(greatest))
        }
    }
}

/// The transitions of a flow, one text for each label that something follows.
pub(super) fn flow(model: &Model, flow: &Flow) -> Vec<String> {
    let field = &model[flow.field];
    let Some(labels) = field.ty.as_enum() else { return Vec::new() };
    let label = |at: usize| model[labels].values.get(at).map_or("", |value| value.name.as_str());
    let each = flow.transitions.iter().map(|(from, to)| {
        let to: Vec<&str> = to.iter().map(|to| label(*to)).collect();
        format!("{}: {} -> {}", field.name, label(*from), to.join(", "))
    });
    each.collect()
}

/// A file, a variable, or an address without what only its server may know.
pub(super) fn address(at: &str) -> String {
    let Some((scheme, rest)) = at.split_once("://") else { return at.to_owned() };
    let rest = rest.rsplit_once('@').map_or(rest, |(_, rest)| rest);
    format!("{scheme}://{}", rest.split('?').next().unwrap_or(rest))
}

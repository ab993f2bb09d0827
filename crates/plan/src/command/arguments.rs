//! What a caller gives a command.

use model::{CommandId, EntityId, Type};
use operation::{Fault, FaultCode, Named, Tree, Value};

use super::CommandTemplate;
use crate::body::{At, Decoder};
use crate::page::list_of;
use crate::plan::{Plan, Request};

/// The arguments of a command, read.
pub(super) struct Arguments {
    /// A value for each parameter.
    pub(super) values: Vec<Value>,
    /// The rows among them.
    pub(super) named: Vec<Named>,
}

impl Plan {
    /// Reads the arguments; every fault of them is found.
    pub(super) fn command_arguments(
        &self,
        template: &CommandTemplate,
        id: CommandId,
        key: Option<&str>,
        body: Option<&Tree<'_>>,
        request: Request<'_>,
    ) -> Result<Arguments, Fault> {
        let parameters = &self.model.commands[id.index()].parameters;
        let mut arguments =
            Arguments { values: Vec::with_capacity(parameters.len()), named: Vec::new() };
        let mut inside = parameters.as_slice();
        if let Some(key) = key {
            let Some((first, rest)) = parameters.split_first() else { return Err(Fault::NotFound) };
            let Some(entity) = first.ty.as_entity() else { return Err(Fault::NotFound) };
            let value = self.key(entity, key)?;
            if let Some(visible) = template.visible.iter().position(|seen| *seen == entity) {
                arguments.named.push(Named { visible, key: value.clone(), pointer: None });
            }
            arguments.values.push(value);
            inside = rest;
        }
        let mut decoder = Decoder { plan: self, request, faults: Vec::new() };
        let nothing = Tree::Object(Vec::new());
        let body = body.unwrap_or(&nothing);
        let Tree::Object(members) = body else {
            let detail = format!("must be an object, not {}", body.kind());
            decoder.fault(FaultCode::WrongType, &At::BODY, detail);
            return Err(Fault::Invalid(decoder.faults));
        };
        for (name, _) in members {
            if !inside.iter().any(|parameter| parameter.name == **name) {
                let known: Vec<&str> =
                    inside.iter().map(|parameter| parameter.name.as_str()).collect();
                let at = At::BODY.member(name);
                let detail = match &*known {
                    [] => format!("there is no parameter `{name}`: it takes none here"),
                    known => {
                        let known = list_of(known);
                        format!("there is no parameter `{name}`; parameters are: {known}")
                    }
                };
                decoder.fault(FaultCode::UnknownField, &at, detail);
            }
        }
        for parameter in inside {
            let at = At::BODY.member(&parameter.name);
            let given = members.iter().find(|(name, _)| **name == parameter.name);
            let value = match given {
                None | Some((_, Tree::Null)) if parameter.optional => Some(Value::Null),
                None => {
                    let detail = format!("`{}` is required", parameter.name);
                    decoder.fault(FaultCode::Required, &at, detail);
                    None
                }
                Some((_, Tree::Null)) => {
                    let detail = format!("`{}` cannot be null", parameter.name);
                    decoder.fault(FaultCode::Required, &at, detail);
                    None
                }
                Some((_, tree)) => {
                    let value = decoder.value(&parameter.ty, tree, &at);
                    if value.is_some() {
                        self.name_rows(template, &parameter.ty, tree, &at, &mut arguments.named);
                    }
                    value
                }
            };
            arguments.values.push(value.unwrap_or_default());
        }
        if decoder.faults.is_empty() { Ok(arguments) } else { Err(Fault::Invalid(decoder.faults)) }
    }

    /// Notes the rows that stand in a value.
    fn name_rows(
        &self,
        template: &CommandTemplate,
        ty: &Type,
        tree: &Tree<'_>,
        at: &At<'_>,
        named: &mut Vec<Named>,
    ) {
        match (ty, tree) {
            (Type::Entity(entity), tree) => {
                let seen = |known: &EntityId| known == entity;
                let Some(visible) = template.visible.iter().position(seen) else { return };
                if let Ok(key) = self.key_scalar(*entity).of_json(tree)
                    && !key.is_null()
                {
                    named.push(Named { visible, key, pointer: Some(at.pointer()) });
                }
            }
            (Type::List(item, _), Tree::List(items)) => {
                for (index, tree) in items.iter().enumerate() {
                    self.name_rows(template, item, tree, &at.item(index), named);
                }
            }
            (Type::Record(record), Tree::Object(members)) => {
                for field in &self.model[*record].fields {
                    let field = &self.model[*field];
                    if let Some((_, tree)) = members.iter().find(|(name, _)| **name == field.name) {
                        self.name_rows(template, &field.ty, tree, &at.member(&field.name), named);
                    }
                }
            }
            _ => {}
        }
    }
}

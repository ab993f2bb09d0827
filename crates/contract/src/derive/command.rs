//! Commands and the problems they raise, as clients meet them.

use std::collections::HashSet;

use model::{
    CommandId, EntityId, ErrorId, FieldId, Invocation, Model, Runnable, Statement, StatementKind,
    ValueSource, kebab_case, snake_case, upper_camel,
};
use operation::Scalar;

use super::{Names, below, farewell, grant, parameter};
use crate::contract::{Answer, CommandRoute, Contract, ErrorMember, ErrorType};
use crate::shape::Shape;

/// The commands of a model. `contract` holds its resources and queries.
pub(super) fn commands(model: &Model, contract: &Contract, names: &mut Names) -> Vec<CommandRoute> {
    let mut parts: Vec<HashSet<String>> = contract
        .resources
        .iter()
        .map(|root| root.parts.iter().map(|id| contract.resource(*id).segment.clone()).collect())
        .collect();
    let ids = (0..model.commands.len()).map(|at| CommandId(at as u32));
    ids.map(|id| command(model, contract, id, names, &mut parts)).collect()
}

/// `neighbours` are the segments that are taken below each entity's rows.
fn command(
    model: &Model,
    contract: &Contract,
    id: CommandId,
    names: &mut Names,
    neighbours: &mut [HashSet<String>],
) -> CommandRoute {
    let item = &model.commands[id.index()];
    let service = &model.services[item.service.index()].name;
    let row = row(model, item);
    let segment = kebab_case(&item.name);
    let (segment, path) = match row {
        Some(root) => {
            let segment = below(&mut neighbours[root.index()], segment, service);
            let path = format!("{}/{segment}", contract.resource(root).item_path);
            (segment, path)
        }
        None => {
            let segment = names.segment(segment, service);
            let path = format!("{}/{segment}", contract.prefix);
            (segment, path)
        }
    };
    let mut raises = Vec::new();
    raised(model, id, &mut Vec::new(), &mut raises);
    raises.sort();
    raises.dedup();
    CommandRoute {
        command: id,
        name: item.name.clone(),
        docs: item.docs.clone(),
        segment,
        path,
        row,
        tag: item.service.index(),
        parameters: item
            .parameters
            .iter()
            .skip(usize::from(row.is_some()))
            .map(|item| parameter(model, item))
            .collect(),
        body: names.schema(&format!("{}Body", upper_camel(&item.name)), service),
        answer: item.answer.as_ref().map(|(ty, nullable)| Answer {
            shape: Shape::of(model, ty, None),
            nullable: *nullable,
        }),
        raises,
        grant: grant(model, item.policies.iter()),
        farewell: farewell(item.deprecation.as_ref()),
    }
}

/// The root whose row the path names: what is done to one row stands below it. A row of another service is known by its
/// identifier alone, and one that may be left out has no path.
fn row(model: &Model, command: &model::Command) -> Option<EntityId> {
    let first = command.parameters.first().filter(|first| !first.optional)?;
    let entity = first.ty.as_entity()?;
    let is_own = model[entity].service == command.service && model.part_of(entity).is_none();
    is_own.then_some(entity)
}

/// What a command and those that it runs within its transaction may raise.
fn raised(model: &Model, id: CommandId, seen: &mut Vec<CommandId>, errors: &mut Vec<ErrorId>) {
    if !seen.contains(&id) {
        seen.push(id);
        raised_by(model, &model.commands[id.index()].body, seen, errors);
    }
}

fn raised_by(
    model: &Model,
    body: &[Statement],
    seen: &mut Vec<CommandId>,
    errors: &mut Vec<ErrorId>,
) {
    for statement in body {
        match &statement.kind {
            StatementKind::Require { error, .. } => errors.push(*error),
            StatementKind::For { body, .. } => raised_by(model, body, seen, errors),
            StatementKind::If { then, otherwise, .. } => {
                raised_by(model, then, seen, errors);
                raised_by(model, otherwise, seen, errors);
            }
            StatementKind::Run(run)
            | StatementKind::Let { value: ValueSource::Run(run), .. }
            | StatementKind::Return(Some(ValueSource::Run(run))) => {
                if let Invocation { target: Runnable::Command(id), later: false, .. } = run {
                    raised(model, *id, seen, errors);
                }
            }
            _ => {}
        }
    }
}

/// The errors of a model.
pub(super) fn errors(model: &Model, names: &mut Names) -> Vec<ErrorType> {
    let errors = model.errors.iter().map(|item| {
        let service = &model.services[item.service.index()].name;
        let words = snake_case(&item.name);
        ErrorType {
            name: names.schema(&item.name, service),
            title: sentence(&words),
            code: names.code(words, service),
            docs: item.docs.clone(),
            status: item.status,
            message: item.message.clone(),
            members: item.fields.iter().map(|field| error_member(model, *field)).collect(),
        }
    });
    errors.collect()
}

fn error_member(model: &Model, field: FieldId) -> ErrorMember {
    let item = &model[field];
    ErrorMember {
        name: item.name.to_string(),
        docs: item.docs.clone(),
        shape: Shape::of(model, &item.ty, item.pattern.as_deref()),
        // A valid model holds no poison: the other reading of it is the one that promises least.
        scalar: model.scalar(&item.ty).unwrap_or(Scalar::Json),
        nullable: item.optional,
    }
}

/// `out_of_stock` as `Out of stock`.
fn sentence(words: &str) -> String {
    let words = words.replace('_', " ");
    let mut characters = words.chars();
    let first = characters.next();
    first.into_iter().flat_map(char::to_uppercase).chain(characters).collect()
}

//! From a model to its public surface.

mod command;
mod event;

use std::collections::HashSet;

use model::{
    Action, Default as FieldDefault, Deprecation, EntityId, ExpressionKind, FieldId, Grantee,
    Model, Policy, QueryId, RoleId, Type, Valid, collection_path, kebab_case, snake_case,
};
use operation::Scalar;

use crate::contract::{
    Contract, Farewell, Filter, Grant, Labels, Member, Parameter, PartOf, QueryRoute, Record,
    Resource, Tag,
};
use crate::shape::Shape;

/// The deepest include, in steps.
const INCLUDE_DEPTH: usize = 3;
/// The most include paths listed for one resource; deeper ones beyond them still work.
const INCLUDE_LISTED: usize = 48;

/// The public surface of a model: what its policies let somebody reach, and nothing else.
pub fn derive(model: &Valid<Model>) -> Contract {
    let model: &Model = model;
    let (name, docs, version) = model
        .app
        .as_ref()
        .map_or((String::new(), None, 1), |app| (app.name.clone(), app.docs.clone(), app.version));
    let mut names = Names::default();
    let mut events = model.events.iter();
    if events.any(|event| !event.readers.is_empty() || !event.replayers.is_empty()) {
        // Where events are read or replayed, nothing else may stand.
        names.segments.insert(crate::contract::EVENTS.to_owned());
    }
    let mut contract = Contract {
        tags: tags(model, &name),
        prefix: format!("/v{version}"),
        name,
        docs,
        version,
        resources: Vec::with_capacity(model.entities.len()),
        queries: Vec::with_capacity(model.queries.len()),
        commands: Vec::new(),
        errors: Vec::new(),
        events: Vec::new(),
        webhooks: event::webhooks(model),
        enums: Vec::new(),
        records: Vec::new(),
    };
    for entity in model.entity_ids() {
        let item = &model[entity];
        let schema = names.schema(&item.name, &model.services[item.service.index()].name);
        let resource = resource(model, &contract.prefix, entity, schema, &mut names);
        contract.resources.push(resource);
    }
    for entity in model.entity_ids() {
        let includes = includes(model, &contract.resources, entity);
        let paths = part_paths(&contract, entity);
        let resource = &mut contract.resources[entity.index()];
        resource.includes = includes;
        if let Some((path, item_path)) = paths {
            resource.path = path;
            resource.item_path = item_path;
        }
    }
    contract.enums = model
        .enums
        .iter()
        .map(|item| Labels {
            name: names.schema(&item.name, ""),
            docs: item.docs.clone(),
            labels: item.values.iter().map(|v| (v.name.to_string(), v.docs.clone())).collect(),
        })
        .collect();
    contract.records = model
        .records
        .iter()
        .map(|item| Record {
            name: names.schema(&item.name, ""),
            docs: item.docs.clone(),
            members: item.fields.iter().map(|field| record_member(model, *field)).collect(),
        })
        .collect();
    for at in 0..model.queries.len() {
        let route = query(model, &contract, QueryId(at as u32), &mut names);
        contract.queries.push(route);
    }
    contract.errors = command::errors(model, &mut names);
    contract.commands = command::commands(model, &contract, &mut names);
    contract.events = event::events(model, &contract, &mut names);
    contract
}

/// Names given out so far; a second owner of a name gets its service before it, and then a number.
#[derive(Default)]
struct Names {
    schemas: HashSet<String>,
    segments: HashSet<String>,
    codes: HashSet<String>,
}

/// Names of schemas that the documents need for themselves.
const RESERVED: &[&str] = &["Problem", "Violation"];

impl Names {
    fn schema(&mut self, name: &str, service: &str) -> String {
        let upper: String = service
            .split('_')
            .flat_map(|word| {
                let mut chars = word.chars();
                chars
                    .next()
                    .into_iter()
                    .flat_map(char::to_uppercase)
                    .chain(chars.collect::<Vec<_>>())
            })
            .collect();
        let taken =
            |set: &HashSet<String>, name: &str| set.contains(name) || RESERVED.contains(&name);
        unique(&mut self.schemas, taken, name.to_owned(), format!("{upper}{name}"), "")
    }

    fn segment(&mut self, segment: String, service: &str) -> String {
        below(&mut self.segments, segment, service)
    }

    fn code(&mut self, code: String, service: &str) -> String {
        let longer = of_service(service, &code, '_');
        unique(&mut self.codes, HashSet::contains, code, longer, "_")
    }
}

/// A segment that none of its neighbours has.
fn below(neighbours: &mut HashSet<String>, segment: String, service: &str) -> String {
    let longer = of_service(&kebab_case(service), &segment, '-');
    unique(neighbours, HashSet::contains, segment, longer, "-")
}

fn of_service(service: &str, name: &str, separator: char) -> String {
    if service.is_empty() { name.to_owned() } else { format!("{service}{separator}{name}") }
}

fn unique(
    set: &mut HashSet<String>,
    taken: impl Fn(&HashSet<String>, &str) -> bool,
    short: String,
    long: String,
    separator: &str,
) -> String {
    let mut name = short;
    if taken(set, &name) {
        name.clone_from(&long);
    }
    let mut number = 2;
    while taken(set, &name) {
        name = format!("{long}{separator}{number}");
        number += 1;
    }
    set.insert(name.clone());
    name
}

fn tags(model: &Model, app: &str) -> Vec<Tag> {
    let tags = model.services.iter().map(|service| Tag {
        name: if service.name.is_empty() { app.to_owned() } else { service.name.clone() },
        docs: service.docs.clone(),
    });
    tags.collect()
}

fn farewell(deprecation: Option<&Deprecation>) -> Option<Farewell> {
    deprecation.map(|d| Farewell { since: d.since, sunset: d.sunset, advice: d.advice.clone() })
}

/// Who is meant by some policies. What runs inside (`system`) is nobody who calls.
fn grant<'a>(model: &Model, policies: impl Iterator<Item = &'a Policy>) -> Grant {
    granted(model, policies.flat_map(|policy| &policy.grantees))
}

fn granted<'a>(model: &Model, grantees: impl IntoIterator<Item = &'a Grantee>) -> Grant {
    let mut anyone = false;
    let mut roles: Vec<RoleId> = Vec::new();
    for grantee in grantees {
        match grantee {
            Grantee::Anyone => anyone = true,
            Grantee::Role(role) if *role != RoleId::SYSTEM && !roles.contains(role) => {
                roles.push(*role);
            }
            Grantee::Role(_) => {}
        }
    }
    roles.sort();
    Grant { anyone, roles: roles.into_iter().map(|role| model[role].name.clone()).collect() }
}

fn covers_field(policy: &Policy, field: FieldId) -> bool {
    policy.fields.as_ref().is_none_or(|fields| fields.contains(&field))
}

fn covers_part(policy: &Policy, part: EntityId) -> bool {
    match (&policy.fields, &policy.parts) {
        (_, Some(parts)) if parts.contains(&part) => true,
        (fields, _) => fields.is_none(),
    }
}

fn resource(
    model: &Model,
    prefix: &str,
    entity: EntityId,
    name: String,
    names: &mut Names,
) -> Resource {
    let item = &model[entity];
    let part_of = model.part_of(entity);
    let root = part_of.map_or(entity, |part| part.root);
    let policies = &model[root].policies;
    let of = |action: Action| policies.iter().filter(move |policy| policy.action == action);
    let granted = |action: Action| {
        grant(model, of(action).filter(|p| part_of.is_none() || covers_part(p, entity)))
    };
    let key_name = model[item.key].name.clone();
    let (segment, path, item_path, part) = match part_of {
        None => {
            let service = &model.services[item.service.index()].name;
            let segment = names.segment(collection_path(&item.name), service);
            let path = format!("{prefix}/{segment}");
            let item_path = format!("{path}/{{{key_name}}}");
            (segment, path, item_path, None)
        }
        Some(part) => {
            // The root may come later in the model: the paths follow when all roots have theirs.
            let mut root_parameter = snake_case(&model[part.root].name);
            if root_parameter == key_name {
                root_parameter.push_str("_key");
            }
            let part_of = PartOf {
                root: part.root,
                member: part.name.clone(),
                root_parameter,
                minimum: part.minimum,
                maximum: part.maximum,
                positional: model[item.key].is_position,
            };
            (kebab_case(&part.name), String::new(), String::new(), Some(part_of))
        }
    };
    let update = granted(Action::Update);
    let is_part = part.is_some();
    Resource {
        entity,
        name,
        docs: item.docs.clone(),
        segment,
        path,
        item_path,
        key_parameter: key_name.to_string(),
        key: item.fields.iter().position(|field| *field == item.key).unwrap_or(0),
        tag: item.service.index(),
        part,
        members: item.fields.iter().map(|field| member(model, entity, root, *field)).collect(),
        parts: item.parts.clone(),
        read: granted(Action::Read),
        create: if is_part { update.clone() } else { granted(Action::Create) },
        replace: if is_part {
            update.clone()
        } else {
            grant(model, of(Action::Update).filter(|policy| policy.fields.is_none()))
        },
        delete: if is_part { update.clone() } else { granted(Action::Delete) },
        update,
        filters: filters(model, entity, root),
        sorts: sorts(model, entity, root),
        includes: Vec::new(),
        farewell: farewell(item.deprecation.as_ref()),
    }
}

/// The paths of a part, under its root's.
fn part_paths(contract: &Contract, entity: EntityId) -> Option<(String, String)> {
    let resource = contract.resource(entity);
    let part = resource.part.as_ref()?;
    let root = contract.resource(part.root);
    let path = format!("{}/{{{}}}/{}", root.path, part.root_parameter, resource.segment);
    let item_path = format!("{path}/{{{}}}", resource.key_parameter);
    Some((path, item_path))
}

fn readable(model: &Model, entity: EntityId, root: EntityId, field: FieldId) -> bool {
    if model[field].secret {
        return false;
    }
    let mut reads = model[root].policies.iter().filter(|policy| policy.action == Action::Read);
    if entity == root {
        let key = model[entity].key == field;
        reads.any(|policy| key || covers_field(policy, field))
    } else {
        reads.any(|policy| covers_part(policy, entity))
    }
}

fn member(model: &Model, entity: EntityId, root: EntityId, field: FieldId) -> Member {
    let item = &model[field];
    let mut updates = model[root].policies.iter().filter(|policy| policy.action == Action::Update);
    let granted = if entity == root {
        updates.any(|policy| covers_field(policy, field))
    } else {
        updates.any(|policy| covers_part(policy, entity))
    };
    let counted = matches!(item.default, Some(FieldDefault::Auto));
    let given = item.computed.is_none() && !item.is_position;
    Member {
        name: item.name.to_string(),
        docs: item.docs.clone(),
        shape: Shape::of(model, &item.ty, item.pattern.as_deref()),
        nullable: item.optional,
        readable: readable(model, entity, root, field),
        creatable: given && !counted,
        required: given && !counted && !item.optional && item.default.is_none(),
        updatable: given && granted && !item.is_key && !item.immutable,
        default: constant(model, field),
        personal: item.pii || item.sensitive,
        farewell: farewell(item.deprecation.as_deref()),
    }
}

fn record_member(model: &Model, field: FieldId) -> Member {
    let item = &model[field];
    Member {
        name: item.name.to_string(),
        docs: item.docs.clone(),
        shape: Shape::of(model, &item.ty, item.pattern.as_deref()),
        nullable: item.optional,
        readable: !item.secret,
        creatable: true,
        required: !item.optional && item.default.is_none(),
        updatable: true,
        default: constant(model, field),
        personal: item.pii || item.sensitive,
        farewell: farewell(item.deprecation.as_deref()),
    }
}

/// A default that is the same for everybody and for ever.
fn constant(model: &Model, field: FieldId) -> Option<serde_json::Value> {
    let item = &model[field];
    let Some(FieldDefault::Expression(expression)) = &item.default else { return None };
    match &expression.kind {
        ExpressionKind::EnumValue(id, at) => {
            Some(serde_json::Value::String(model[*id].values.get(*at)?.name.to_string()))
        }
        ExpressionKind::Literal(value) => {
            let scalar = model.scalar(&item.ty)?;
            let (from, to) = (expression.ty.scalar().and_then(Scalar::scale), scalar.scale());
            let value = match (value, from, to) {
                (operation::Value::Int(n), Some(from), Some(to)) => {
                    operation::Value::Int(operation::rescale(*n, from, to).ok()?)
                }
                (other, ..) => other.clone(),
            };
            let mut json = Vec::new();
            scalar.write_json(&value, &mut json);
            serde_json::from_slice(&json).ok()
        }
        _ => None,
    }
}

/// Whether lists can be filtered by a field: keys, references, unique and indexed fields.
fn filterable(model: &Model, entity: EntityId, field: FieldId) -> bool {
    let entity = &model[entity];
    let item = &model[field];
    !item.secret
        && (item.is_key
            || item.is_position
            || item.unique
            || item.ty.as_entity().is_some()
            || entity.uniques.iter().any(|unique| unique.fields.contains(&field))
            || entity.indexes.iter().any(|index| index.keys.iter().any(|(f, _)| *f == field)))
}

fn filters(model: &Model, entity: EntityId, root: EntityId) -> Vec<Filter> {
    let fields = model[entity].fields.iter().copied();
    let fields =
        fields.filter(|f| filterable(model, entity, *f) && readable(model, entity, root, *f));
    fields
        .map(|field| {
            let item = &model[field];
            let scalar = model.scalar(&item.ty);
            let ordered = !matches!(item.ty, Type::Enum(_) | Type::Entity(_))
                && !matches!(
                    scalar,
                    Some(Scalar::Bool | Scalar::Uuid | Scalar::Json | Scalar::Bytes) | None
                );
            let mut operators = vec!["eq", "ne"];
            if ordered {
                operators.extend(["lt", "lte", "gt", "gte"]);
            }
            if scalar != Some(Scalar::Bool) {
                operators.push("in");
            }
            if item.optional {
                operators.push("null");
            }
            Filter {
                field: item.name.to_string(),
                shape: Shape::of(model, &item.ty, None),
                nullable: item.optional,
                operators,
            }
        })
        .collect()
}

/// Fields by which some role may sort whatever row it sees: an order over rows whose field is hidden would tell it.
fn sorts(model: &Model, entity: EntityId, root: EntityId) -> Vec<String> {
    let fields = model[entity].fields.iter().copied();
    let fields =
        fields.filter(|f| filterable(model, entity, *f) && readable(model, entity, root, *f));
    fields.map(|field| model[field].name.to_string()).collect()
}

/// Paths through references of the same service and through parts, shorter ones first.
fn includes(model: &Model, resources: &[Resource], entity: EntityId) -> Vec<String> {
    let mut listed = Vec::new();
    let mut level: Vec<(String, EntityId)> = vec![(String::new(), entity)];
    for _ in 0..INCLUDE_DEPTH {
        let mut next = Vec::new();
        for (path, at) in &level {
            for (name, target) in steps(model, resources, *at) {
                let path = if path.is_empty() { name } else { format!("{path}.{name}") };
                if listed.len() == INCLUDE_LISTED {
                    return listed;
                }
                listed.push(path.clone());
                next.push((path, target));
            }
        }
        level = next;
    }
    listed
}

fn steps(model: &Model, resources: &[Resource], at: EntityId) -> Vec<(String, EntityId)> {
    let resource = &resources[at.index()];
    let references =
        model[at].fields.iter().zip(&resource.members).filter_map(|(field, member)| {
            let target = model[*field].ty.as_entity()?;
            let reachable = member.readable
                && model[target].service == model[at].service
                && model.part_of(target).is_none()
                && !resources[target.index()].read.is_empty();
            reachable.then(|| (member.name.clone(), target))
        });
    let parts = model[at].parts.iter().filter_map(|part| {
        let name = &model.part_of(*part)?.name;
        (!resources[part.index()].read.is_empty()).then(|| (name.clone(), *part))
    });
    references.chain(parts).collect()
}

fn query(model: &Model, contract: &Contract, id: QueryId, names: &mut Names) -> QueryRoute {
    let item = &model[id];
    let service = &model.services[item.service.index()].name;
    let segment = names.segment(kebab_case(&item.name), service);
    let asked = grant(model, item.policies.iter());
    let read = &contract.resource(item.entity).read;
    let either = if asked.anyone { &read.roles } else { &asked.roles };
    let grant = Grant {
        anyone: asked.anyone && read.anyone,
        roles: either
            .iter()
            .filter(|role| read.anyone || read.roles.contains(role))
            .cloned()
            .collect(),
    };
    QueryRoute {
        query: id,
        name: item.name.clone(),
        docs: item.docs.clone(),
        path: format!("{}/{segment}", contract.prefix),
        segment,
        tag: item.service.index(),
        entity: item.entity,
        parameters: item.parameters.iter().map(|item| parameter(model, item)).collect(),
        page: item.page,
        page_maximum: item.page_maximum,
        grant,
        farewell: farewell(item.deprecation.as_ref()),
    }
}

fn parameter(model: &Model, item: &model::Parameter) -> Parameter {
    Parameter {
        name: item.name.clone(),
        shape: Shape::of(model, &item.ty, None),
        required: !item.optional,
    }
}

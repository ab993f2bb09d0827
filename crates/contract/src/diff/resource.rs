//! Entities as callers meet them: paths, operations, fields, filters.

use model::{Action, EntityId, Model};

use super::field::{self, Both, Travel};
use super::{Kind, Report, Side, access, rule, shape};
use crate::{Contract, Grant, Resource};

pub(super) fn changes(report: &mut Report<'_>) {
    let (old, new) = (report.old, report.new);
    for before in old.model.entity_ids() {
        let resource = old.contract.resource(before);
        match report.identity.new_entity(before) {
            Some(after) => both(report, before, after),
            None => gone(report, resource),
        }
    }
    for after in new.model.entity_ids() {
        if report.identity.old_entity(after).is_none() {
            fresh(report, new.contract.resource(after));
        }
    }
}

/// An entity with its service: `sales.Product`.
pub(super) fn name(model: &Model, entity: EntityId) -> String {
    let item = &model[entity];
    super::system::qualified(model, item.service, &item.name)
}

/// A path without the version.
pub(super) fn bare<'a>(contract: &Contract, path: &'a str) -> &'a str {
    path.strip_prefix(contract.prefix.as_str()).unwrap_or(path)
}

/// What can be asked of a resource: method, path, who may.
fn operations(resource: &Resource) -> [(&'static str, &str, &Grant); 6] {
    [
        ("GET", &resource.path, &resource.read),
        ("GET", &resource.item_path, &resource.read),
        ("POST", &resource.path, &resource.create),
        ("PATCH", &resource.item_path, &resource.update),
        ("PUT", &resource.item_path, &resource.replace),
        ("DELETE", &resource.item_path, &resource.delete),
    ]
}

fn gone(report: &mut Report<'_>, resource: &Resource) {
    let kinds = [Kind::OperationRemoved, Kind::OperationRemovedEarly, Kind::OperationRetired];
    let (kind, told) = report.found.departure(resource.farewell.as_ref(), kinds);
    for (method, path, grant) in operations(resource) {
        if !grant.is_empty() {
            report.found.add(kind, format!("{method} {path}"), format!("is gone{told}"));
        }
    }
    // What stands in its root's answers and bodies is gone from there, too.
    if let Some(part) = resource.part.as_ref()
        && report.identity.new_entity(part.root).is_some()
        && !resource.read.is_empty()
    {
        let item = format!("{}.{}", name(report.old.model, part.root), part.member);
        report.found.add(Kind::FieldRemoved, item, "is gone");
    }
}

fn fresh(report: &mut Report<'_>, resource: &Resource) {
    for (method, path, grant) in operations(resource) {
        if !grant.is_empty() {
            report.found.add(Kind::OperationAdded, format!("{method} {path}"), "is new");
        }
    }
    if let Some(part) = resource.part.as_ref()
        && report.identity.old_entity(part.root).is_some()
    {
        let item = format!("{}.{}", name(report.new.model, part.root), part.member);
        let creates = !report.new.contract.resource(part.root).create.is_empty();
        if creates && part.minimum > 0 {
            report.found.add(Kind::RequiredFieldAdded, item, "is new, and bodies must have it");
        } else if !resource.read.is_empty() || creates {
            report.found.add(Kind::FieldAdded, item, "is new");
        }
    }
}

fn both(report: &mut Report<'_>, before: EntityId, after: EntityId) {
    let (old, new) = (report.old.contract.resource(before), report.new.contract.resource(after));
    let item = name(report.new.model, after);
    paths(report, old, new);
    fields(report, &item, (before, after));
    lists(report, &item, old, new);
    parts(report, &item, old, new);
    rule::changes(report, &item, before, after);
    if !old.is_hidden() {
        report.found.farewell(&item, old.farewell.as_ref(), new.farewell.as_ref());
    }
    let policies = (&report.old.model[before].policies, &report.new.model[after].policies);
    for action in [Action::Read, Action::Create, Action::Update, Action::Delete] {
        let (from, to) = match action {
            Action::Read => (&old.read, &new.read),
            Action::Create => (&old.create, &new.create),
            Action::Update => (&old.update, &new.update),
            Action::Delete => (&old.delete, &new.delete),
        };
        // Where nobody may any more, the operations are gone.
        if !from.is_empty() && to.is_empty() || old.part.is_some() {
            continue;
        }
        let of = |all: &'_ [model::Policy]| {
            all.iter().filter(|it| it.action == action).cloned().collect::<Vec<_>>()
        };
        let (from, to) = (of(policies.0), of(policies.1));
        let doing = match action {
            Action::Read => "read",
            Action::Create => "create",
            Action::Update => "update",
            Action::Delete => "delete",
        };
        access::changes(
            report,
            &access::Compared { item: &item, doing, old: (&from, &[]), new: (&to, &[]) },
        );
    }
}

fn paths(report: &mut Report<'_>, old: &Resource, new: &Resource) {
    let kinds = [Kind::OperationRemoved, Kind::OperationRemovedEarly, Kind::OperationRetired];
    let (removed, told) = report.found.departure(old.farewell.as_ref(), kinds);
    for ((method, from, before), (_, to, after)) in operations(old).into_iter().zip(operations(new))
    {
        match (before.is_empty(), after.is_empty()) {
            (false, true) => {
                report.found.add(
                    removed,
                    format!("{method} {from}"),
                    format!("is gone: nobody may any more{told}"),
                );
            }
            (true, false) => {
                report.found.add(Kind::OperationAdded, format!("{method} {to}"), "is new");
            }
            (false, false) => {
                let (a, b) = (bare(report.old.contract, from), bare(report.new.contract, to));
                if shape_of_path(a) != shape_of_path(b) {
                    report.found.add(
                        Kind::PathChanged,
                        format!("{method} {from}"),
                        format!("is at {to} now"),
                    );
                }
            }
            (true, true) => {}
        }
    }
}

/// A path without the names of its parameters, which no caller sends.
fn shape_of_path(path: &str) -> String {
    let segments = path.split('/').map(|it| if it.starts_with('{') { "{}" } else { it });
    segments.collect::<Vec<_>>().join("/")
}

fn travel(side: Side<'_>, entity: EntityId, at: usize) -> Travel {
    let resource = side.contract.resource(entity);
    let member = &resource.members[at];
    Travel {
        answer: member.readable && !resource.read.is_empty(),
        create: member.creatable && !resource.create.is_empty(),
        update: member.updatable && !resource.update.is_empty(),
    }
}

fn fields(report: &mut Report<'_>, item: &str, (before, after): (EntityId, EntityId)) {
    let (old, new) = (report.old, report.new);
    // Where nobody reads rows any more, or nobody did, the operations tell it.
    let (from, to) = (old.contract.resource(before), new.contract.resource(after));
    let read = !from.read.is_empty() && !to.read.is_empty();
    let travel = |side: Side<'_>, entity: EntityId, at: usize| {
        let travel = travel(side, entity, at);
        Travel { answer: travel.answer && read, ..travel }
    };
    for (at, field) in old.model[before].fields.iter().enumerate() {
        let member = &old.contract.resource(before).members[at];
        let travels = travel(old, before, at);
        let Some(now) = report.identity.new_field(*field) else {
            field::gone(report, &format!("{item}.{}", member.name), member, travels);
            continue;
        };
        let Some(place) = new.model[after].fields.iter().position(|it| *it == now) else {
            continue;
        };
        let fresh = &new.contract.resource(after).members[place];
        field::both(
            report,
            &Both {
                item: &format!("{item}.{}", fresh.name),
                old: (member, travels),
                new: (fresh, travel(new, after, place)),
                changeable: !from.update.is_empty() && !to.update.is_empty(),
                ids: (*field, now),
            },
        );
        for said in shape::compare(report, &member.shape, &fresh.shape).narrower {
            report.found.add(Kind::RowsBeyond, format!("{item}.{}", fresh.name), said);
        }
    }
    for (at, field) in new.model[after].fields.iter().enumerate() {
        if report.identity.is_new_field(*field) {
            let member = &new.contract.resource(after).members[at];
            field::fresh(
                report,
                &format!("{item}.{}", member.name),
                member,
                travel(new, after, at),
            );
        }
    }
}

/// Filters, sorts and includes; those of a field that is gone go with it.
fn lists(report: &mut Report<'_>, item: &str, old: &Resource, new: &Resource) {
    if old.read.is_empty() || new.read.is_empty() {
        return;
    }
    let stays = |name: &str| new.members.iter().any(|it| it.name == name && it.readable);
    let stood = |name: &str| old.members.iter().any(|it| it.name == name && it.readable);
    for filter in old.filters.iter().filter(|it| stays(&it.field)) {
        let field = format!("{item}.{}", filter.field);
        match new.filters.iter().find(|it| it.field == filter.field) {
            None => {
                report.found.add(
                    Kind::FilterRemoved,
                    field,
                    "lists cannot be filtered by it any more",
                );
            }
            Some(now) => {
                for operator in filter.operators.iter().filter(|it| !now.operators.contains(it)) {
                    report.found.add(
                        Kind::FilterRemoved,
                        &field,
                        format!("lists cannot be filtered with `[{operator}]` any more"),
                    );
                }
                for operator in now.operators.iter().filter(|it| !filter.operators.contains(it)) {
                    report.found.add(
                        Kind::FilterAdded,
                        &field,
                        format!("lists can be filtered with `[{operator}]` now"),
                    );
                }
            }
        }
    }
    for filter in new.filters.iter().filter(|it| stood(&it.field)) {
        if !old.filters.iter().any(|it| it.field == filter.field) {
            report.found.add(
                Kind::FilterAdded,
                format!("{item}.{}", filter.field),
                "lists can be filtered by it now",
            );
        }
    }
    let without = |a: &[String], b: &[String]| -> Vec<String> {
        a.iter().filter(|it| !b.contains(it)).cloned().collect()
    };
    for name in without(&old.sorts, &new.sorts).into_iter().filter(|it| stays(it)) {
        report.found.add(
            Kind::SortRemoved,
            format!("{item}.{name}"),
            "lists cannot be sorted by it any more",
        );
    }
    for name in without(&new.sorts, &old.sorts).into_iter().filter(|it| stood(it)) {
        report.found.add(
            Kind::SortAdded,
            format!("{item}.{name}"),
            "lists can be sorted by it now",
        );
    }
    for path in without(&old.includes, &new.includes) {
        report.found.add(Kind::IncludeRemoved, item, format!("`include={path}` is refused now"));
    }
    for path in without(&new.includes, &old.includes) {
        report.found.add(Kind::IncludeAdded, item, format!("`include={path}` is possible now"));
    }
}

fn parts(report: &mut Report<'_>, item: &str, old: &Resource, new: &Resource) {
    let (Some(before), Some(after)) = (&old.part, &new.part) else { return };
    let said = format!(
        "a root has {} to {} of them, was {} to {}",
        after.minimum, after.maximum, before.minimum, before.maximum
    );
    if after.minimum > before.minimum || after.maximum < before.maximum {
        report.found.add(Kind::PartsNarrowed, item, said.clone());
    }
    if after.minimum < before.minimum || after.maximum > before.maximum {
        report.found.add(Kind::PartsWidened, item, said);
    }
}

//! The addresses and tables that names derive: no two of them alike.

use std::borrow::Cow;
use std::collections::hash_map::Entry;

use rustc_hash::FxHashMap;
use syntax::{Diagnostic, Span};

use super::context::Context;
use crate::{Event, ServiceId, collection_path, kebab_case, snake_case};

/// Reports names that would share an address, a table or a generated name.
pub(crate) fn collisions(cx: &mut Context<'_>) {
    paths(cx);
    tables(cx);
}

/// What stands at an address, as its kind and its name: worded only where it is reported.
#[derive(Clone, Copy)]
struct Stands<'m> {
    kind: &'static str,
    name: &'m str,
    service: ServiceId,
    span: Span,
}

fn paths(cx: &mut Context<'_>) {
    let model = &cx.model;
    let mut found: Vec<(Cow<'_, str>, Stands<'_>)> =
        Vec::with_capacity(model.entities.len() + model.queries.len() + model.commands.len());
    // Every address begins with the collection of some entity, or is a name of its own.
    let collections: Vec<String> =
        model.entities.iter().map(|entity| collection_path(&entity.name)).collect();
    for (entity, collection) in model.entities.iter().zip(&collections) {
        if matches!(entity.kind, crate::EntityKind::Root) && !entity.name.is_empty() {
            let stands = Stands {
                kind: "the entity",
                name: &entity.name,
                service: entity.service,
                span: entity.span,
            };
            found.push((Cow::Borrowed(collection), stands));
        }
    }
    for query in &model.queries {
        let stands = Stands {
            kind: "the query",
            name: &query.name,
            service: query.service,
            span: query.span,
        };
        found.push((kebab_case(&query.name).into(), stands));
    }
    for command in &model.commands {
        let of_row = command.parameters.first().and_then(|parameter| parameter.ty.as_entity());
        let path = match of_row.and_then(|entity| collections.get(entity.index())) {
            Some(collection) => format!("{collection}/{{id}}/{}", kebab_case(&command.name)),
            None => kebab_case(&command.name),
        };
        // A command on a row stands below the row's entity.
        let service = of_row
            .and_then(|entity| model.entities.get(entity.index()))
            .map_or(command.service, |entity| entity.service);
        let stands =
            Stands { kind: "the command", name: &command.name, service, span: command.span };
        found.push((path.into(), stands));
    }
    for part in &model.entities {
        let crate::EntityKind::Part(part_of) = &part.kind else { continue };
        let root = &collections[part_of.root.index()];
        let path = format!("{root}/{{id}}/{}", kebab_case(&part_of.name));
        let stands = Stands {
            kind: "the parts",
            name: &part_of.name,
            service: part.service,
            span: part_of.name_span,
        };
        found.push((path.into(), stands));
    }
    // Across services the contract puts the service before the second: only within one is there no way out.
    let mut taken: FxHashMap<(ServiceId, &str), Stands<'_>> = FxHashMap::default();
    taken.reserve(found.len());
    let mut faults = Vec::new();
    for (path, stands) in &found {
        let first = match taken.entry((stands.service, &**path)) {
            Entry::Occupied(first) => *first.get(),
            Entry::Vacant(free) => {
                free.insert(*stands);
                continue;
            }
        };
        let is_same = first.kind == stands.kind && first.name == stands.name;
        // The same name declared twice is reported as such.
        if first.span == stands.span || is_same && declared_twice(cx, stands.span, first.span) {
            continue;
        }
        let message = format!(
            "{} `{}` would stand at `/{path}`, where {} `{}` stands",
            stands.kind, stands.name, first.kind, first.name
        );
        faults.push(
            Diagnostic::error("E0208", stands.span, message)
                .label(first.span, "this one stands there")
                .note("addresses are derived from names, so that nobody writes them twice")
                .help("rename one of the two"),
        );
    }
    // The events that somebody may read or replay are one list, whatever their services.
    let is_open = |event: &&Event| !event.readers.is_empty() || !event.replayers.is_empty();
    if let Some(event) = cx.model.events.iter().find(is_open) {
        let at_events = found.iter().filter(|(path, _)| path == EVENTS);
        faults.extend(at_events.map(|(_, stands)| {
            let message = format!(
                "{} `{}` would stand at `/{EVENTS}`, where events are read",
                stands.kind, stands.name
            );
            Diagnostic::error("E0208", stands.span, message)
                .label(event.span, "this one may be read or replayed")
                .note("addresses are derived from names, so that nobody writes them twice")
                .help("rename it, or let nobody read or replay events")
        }));
    }
    cx.diagnostics.extend(faults);
}

/// Where events are read.
const EVENTS: &str = "events";

/// Whether a collision is the consequence of a name that was declared twice in one service.
fn declared_twice(cx: &Context<'_>, second: Span, first: Span) -> bool {
    cx.diagnostics.iter().any(|diagnostic| {
        diagnostic.code == "E0201"
            && diagnostic.primary.span == second
            && diagnostic.labels.iter().any(|label| label.span == first)
    })
}

/// Tables of one service: `OrderLine` and `Orderline` are told apart, `SKUCode` and `SkuCode` are not.
fn tables(cx: &mut Context<'_>) {
    let mut taken: FxHashMap<(ServiceId, Cow<'_, str>), (Span, &str)> = FxHashMap::default();
    taken.reserve(cx.model.entities.len());
    let mut faults = Vec::new();
    for entity in &cx.model.entities {
        if entity.name.is_empty() {
            continue;
        }
        let table = match &entity.stored_as {
            Some(stored) => Cow::Borrowed(stored.as_str()),
            None => Cow::Owned(snake_case(&entity.name)),
        };
        match taken.entry((entity.service, table)) {
            Entry::Occupied(taken) => {
                let (first, other) = *taken.get();
                if other != entity.name || entity.stored_as.is_some() {
                    let table = taken.key().1.clone().into_owned();
                    faults.push((entity.span, first, entity.name.clone(), other.to_owned(), table));
                }
            }
            Entry::Vacant(free) => {
                free.insert((entity.span, &entity.name));
            }
        }
    }
    for (span, first, name, other, table) in faults {
        cx.report(
            Diagnostic::error(
                "E0207",
                span,
                format!("`{name}` would be stored in the table `{table}`, and so is `{other}`"),
            )
            .label(first, "stored there")
            .help("rename one of the two, or say `stored as \"…\"`"),
        );
    }
}

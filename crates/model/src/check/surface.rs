//! The addresses and tables that names derive: no two of them alike.

use rustc_hash::FxHashMap;
use syntax::{Diagnostic, Span};

use super::context::Context;
use crate::{collection_path, kebab_case, snake_case};

/// Reports names that would share an address, a table or a generated name.
pub(crate) fn collisions(cx: &mut Context<'_>) {
    paths(cx);
    tables(cx);
}

fn paths(cx: &mut Context<'_>) {
    let mut taken: FxHashMap<String, (Span, String)> = FxHashMap::default();
    let mut found: Vec<(String, String, Span)> = Vec::new();
    for entity in &cx.model.entities {
        if matches!(entity.kind, crate::EntityKind::Root) && !entity.name.is_empty() {
            found.push((
                collection_path(&entity.name),
                format!("the entity `{}`", entity.name),
                entity.span,
            ));
        }
    }
    for query in &cx.model.queries {
        found.push((kebab_case(&query.name), format!("the query `{}`", query.name), query.span));
    }
    for command in &cx.model.commands {
        let of_row = command.parameters.first().and_then(|parameter| {
            let entity = parameter.ty.as_entity()?;
            Some(collection_path(&cx.model.entities.get(entity.index())?.name))
        });
        let path = match of_row {
            Some(collection) => format!("{collection}/{{id}}/{}", kebab_case(&command.name)),
            None => kebab_case(&command.name),
        };
        found.push((path, format!("the command `{}`", command.name), command.span));
    }
    for part in &cx.model.entities {
        let crate::EntityKind::Part(part_of) = &part.kind else { continue };
        let root = collection_path(&cx.model[part_of.root].name);
        let path = format!("{root}/{{id}}/{}", kebab_case(&part_of.name));
        found.push((path, format!("the parts `{}`", part_of.name), part_of.name_span));
    }
    for (path, what, span) in found {
        if let Some((first, other)) = taken.get(&path) {
            // The same name declared twice is reported as such.
            if *first == span || *other == what && same_service_names(cx, span, *first) {
                continue;
            }
            let (first, other) = (*first, other.clone());
            cx.report(
                Diagnostic::error(
                    "E0208",
                    span,
                    format!("{what} would stand at `/{path}`, where {other} stands"),
                )
                .label(first, "this one stands there")
                .note("addresses are derived from names, so that nobody writes them twice")
                .help("rename one of the two"),
            );
            continue;
        }
        taken.insert(path, (span, what));
    }
}

/// Whether a collision is the consequence of a name that was declared twice in one service.
fn same_service_names(cx: &Context<'_>, second: Span, first: Span) -> bool {
    cx.diagnostics.iter().any(|diagnostic| {
        diagnostic.code == "E0201"
            && diagnostic.primary.span == second
            && diagnostic.labels.iter().any(|label| label.span == first)
    })
}

/// Tables of one service: `OrderLine` and `Orderline` are told apart, `SKUCode` and `SkuCode` are not.
fn tables(cx: &mut Context<'_>) {
    let mut taken: FxHashMap<(crate::ServiceId, String), (Span, String)> = FxHashMap::default();
    let mut faults = Vec::new();
    for entity in &cx.model.entities {
        if entity.name.is_empty() {
            continue;
        }
        let table = entity.stored_as.clone().unwrap_or_else(|| snake_case(&entity.name));
        match taken.get(&(entity.service, table.clone())) {
            Some((first, other)) if *other != entity.name || entity.stored_as.is_some() => {
                faults.push((entity.span, *first, entity.name.clone(), other.clone(), table));
            }
            Some(_) => {}
            None => {
                taken.insert((entity.service, table), (entity.span, entity.name.clone()));
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

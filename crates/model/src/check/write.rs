//! Rows and events as statements write them: which fields are given, and which are missing.

use syntax::ast::{self, Initializer, Name};
use syntax::{Diagnostic, Span};

use super::context::Context;
use super::declare::path_text;
use super::expression::{What, assigned, fits, infer};
use super::names::{Declared, Reach, Space, find, find_entity, wrong_kind};
use super::path::{along, no_field, no_member, path};
use super::policy::unwritable;
use super::scope::Scope;
use crate::{Creation, EntityId, Expression, FieldId, StatementKind, Type};

/// Fills all members of a record-like thing.
pub(crate) fn filled<'a>(
    cx: &mut Context<'a>,
    scope: &mut Scope,
    views: impl Iterator<Item = Initializer<'a>>,
    fields: &[FieldId],
    owner: &str,
    place: Span,
) -> Vec<(FieldId, Expression)> {
    let mut given: Vec<(FieldId, Expression)> = Vec::new();
    let mut spans: Vec<(FieldId, Span)> = Vec::new();
    for view in views {
        let Some(name) = view.name() else { continue };
        let found = fields.iter().copied().find(|field| cx.model[*field].name == name.text());
        let Some(field) = found else {
            no_member(cx, name, fields, owner);
            continue;
        };
        cx.used_field(name, field);
        if let Some((_, first)) = spans.iter().find(|(known, _)| *known == field) {
            cx.said_twice(&format!("`{}`", name.text()), *first, name.span());
            continue;
        }
        spans.push((field, name.span()));
        let value = initial_value(cx, scope, view, name, field);
        given.push((field, value));
    }
    let missing: Vec<String> = fields
        .iter()
        .filter(|field| spans.iter().all(|(known, _)| known != *field))
        .map(|field| &cx.model[*field])
        .filter(|field| !field.optional && field.default.is_none())
        .map(|field| field.name.to_string())
        .collect();
    say_missing(cx, &missing, owner, place);
    given
}

fn say_missing(cx: &mut Context<'_>, missing: &[String], owner: &str, place: Span) {
    if missing.is_empty() {
        return;
    }
    let names = super::path::list(missing);
    let verb = if missing.len() == 1 { "is" } else { "are" };
    cx.report(
        Diagnostic::error("E0506", place, format!("{names} of {owner} {verb} missing"))
            .note("what is neither optional nor has a default must be given")
            .help(format!("give {names}")),
    );
}

/// `name: EXPR`, or `name` for the thing of that name.
fn initial_value<'a>(
    cx: &mut Context<'a>,
    scope: &mut Scope,
    view: Initializer<'a>,
    name: Name<'a>,
    field: FieldId,
) -> Expression {
    let (ty, optional) = (cx.model[field].ty.clone(), cx.model[field].optional);
    let what = What::Named(name.text());
    match view.value() {
        Some(value) => assigned(cx, scope, value, &ty, optional, what),
        None => {
            let typed = along(cx, scope, false, name.span(), &[name]);
            fits(cx, typed, &ty, optional, what)
        }
    }
}

pub(crate) fn create<'a>(
    cx: &mut Context<'a>,
    scope: &mut Scope,
    view: ast::Create<'a>,
) -> Option<Creation> {
    let entity_path = view.entity()?;
    let Some(entity) = find_entity(cx, scope.service, entity_path, Reach::Service) else {
        ignored(cx, scope, view.initializers());
        return None;
    };
    own_service(cx, scope, entity, entity_path.span())?;
    let owner = format!("`{}`", cx.model[entity].name);
    let part_of = cx.model.part_of(entity).map(|part| part.root);
    let root_name = part_of.map(|root| crate::snake_case(&cx.model[root].name));
    let fields = cx.model[entity].fields.clone();
    let mut root: Option<Expression> = None;
    let mut root_span: Option<Span> = None;
    let mut given: Vec<(FieldId, Expression)> = Vec::new();
    let mut spans: Vec<(FieldId, Span)> = Vec::new();
    for initializer in view.initializers() {
        let Some(name) = initializer.name() else { continue };
        if let (Some(root_entity), Some(known)) = (part_of, root_name.as_deref())
            && name.text() == known
        {
            if let Some(first) = root_span {
                cx.said_twice(&format!("`{known}`"), first, name.span());
                continue;
            }
            root_span = Some(name.span());
            let ty = Type::Entity(root_entity);
            let what = What::Named(name.text());
            root = Some(match initializer.value() {
                Some(value) => assigned(cx, scope, value, &ty, false, what),
                None => {
                    let typed = along(cx, scope, false, name.span(), &[name]);
                    fits(cx, typed, &ty, false, what)
                }
            });
            continue;
        }
        let Some(field) = cx.model.field_named(entity, name.text()) else {
            no_field(cx, entity, name);
            continue;
        };
        cx.used_field(name, field);
        if let Some((_, first)) = spans.iter().find(|(known, _)| *known == field) {
            cx.said_twice(&format!("`{}`", name.text()), *first, name.span());
            continue;
        }
        spans.push((field, name.span()));
        let is_computed = cx.said[field.index()].computed;
        if is_computed || cx.model[field].is_position {
            let why = if is_computed { "it is computed" } else { "the database counts it" };
            unsettable(cx, field, name, why);
            continue;
        }
        let value = initial_value(cx, scope, initializer, name, field);
        given.push((field, value));
    }
    let mut missing: Vec<String> = Vec::new();
    if let (Some(name), None) = (root_name, root_span) {
        missing.push(name);
    }
    for field in fields {
        let row = &cx.model[field];
        let said = cx.said[field.index()];
        let has_value = row.optional
            || row.is_position
            || row.default.is_some()
            || said.default
            || said.computed;
        if !has_value && spans.iter().all(|(known, _)| *known != field) {
            missing.push(row.name.to_string());
        }
    }
    say_missing(cx, &missing, &owner, entity_path.span());
    Some(Creation { entity, root, fields: given })
}

/// Types values whose owner is unknown, for the faults in them.
fn ignored<'a>(
    cx: &mut Context<'a>,
    scope: &mut Scope,
    views: impl Iterator<Item = Initializer<'a>>,
) {
    for view in views {
        if let Some(value) = view.value() {
            infer(cx, scope, value, Some(&Type::Unknown));
        }
    }
}

fn own_service(cx: &mut Context<'_>, scope: &Scope, entity: EntityId, span: Span) -> Option<()> {
    if cx.model[entity].service == scope.service {
        return Some(());
    }
    let name = cx.model[entity].name.clone();
    cx.report(
        Diagnostic::error(
            "E0512",
            span,
            format!("rows of `{name}` are written by its own service only"),
        )
        .note("a service is the only one that writes its tables: its rules are kept there")
        .help("emit an event that the other service hears, or run a command of it `later`"),
    );
    None
}

fn unsettable(cx: &mut Context<'_>, field: FieldId, name: Name<'_>, why: &str) {
    let declared = cx.model[field].span;
    cx.report(
        Diagnostic::error(
            "E0507",
            name.span(),
            format!("`{}` cannot be set here: {why}", name.text()),
        )
        .label(declared, "declared here")
        .help("remove it"),
    );
}

/// The row that is updated or deleted.
pub(crate) fn row<'a>(
    cx: &mut Context<'a>,
    scope: &mut Scope,
    view: ast::Path<'a>,
) -> Option<(Expression, EntityId)> {
    let target = path(cx, scope, view, None);
    let entity = match target.ty {
        Type::Entity(entity) => entity,
        Type::Unknown => return None,
        ref other => {
            let found = cx.type_text(other);
            cx.report(
                Diagnostic::error(
                    "E0512",
                    target.span,
                    format!("only a row can be changed, and this is of type {found}"),
                )
                .text(format!("of type {found}"))
                .help("name a row: a parameter, a local, or a reference"),
            );
            return None;
        }
    };
    if target.optional {
        cx.report(
            Diagnostic::error("E0225", target.span, "this row may be absent")
                .help("say which row it is then: `let row = coalesce(…, …)`, or take it as a parameter; asking whether it is there does not change its type"),
        );
    }
    own_service(cx, scope, entity, target.span)?;
    Some((target, entity))
}

pub(crate) fn update<'a>(
    cx: &mut Context<'a>,
    scope: &mut Scope,
    view: ast::Update<'a>,
) -> Option<StatementKind> {
    let Some((target, entity)) = row(cx, scope, view.target()?) else {
        ignored(cx, scope, view.initializers());
        return None;
    };
    scope.rows.push(entity);
    let mut fields: Vec<(FieldId, Expression)> = Vec::new();
    let mut spans: Vec<(FieldId, Span)> = Vec::new();
    for initializer in view.initializers() {
        let Some(name) = initializer.name() else { continue };
        let Some(field) = cx.model.field_named(entity, name.text()) else {
            no_field(cx, entity, name);
            continue;
        };
        cx.used_field(name, field);
        if let Some((_, first)) = spans.iter().find(|(known, _)| *known == field) {
            cx.said_twice(&format!("`{}`", name.text()), *first, name.span());
            continue;
        }
        spans.push((field, name.span()));
        if let Some(why) = unwritable(&cx.model[field], cx.said[field.index()]) {
            unsettable(cx, field, name, why);
            continue;
        }
        let value = initial_value(cx, scope, initializer, name, field);
        fields.push((field, value));
    }
    scope.rows.pop();
    if fields.is_empty() && spans.is_empty() {
        cx.report(
            Diagnostic::error("E0506", view.span(), "this update changes nothing")
                .help("say what changes: `update order { status: paid }`"),
        );
    }
    Some(StatementKind::Update { target, entity, fields })
}

pub(crate) fn emit<'a>(
    cx: &mut Context<'a>,
    scope: &mut Scope,
    view: ast::Emit<'a>,
) -> Option<StatementKind> {
    let event_path = view.event()?;
    let found = find(cx, Space::Types, scope.service, event_path, Reach::Service, "event");
    let event = match found {
        Some(Declared::Event(id)) => id,
        Some(other) => {
            wrong_kind(cx, event_path.span(), path_text(event_path), other, "an event");
            ignored(cx, scope, view.initializers());
            return None;
        }
        None => {
            ignored(cx, scope, view.initializers());
            return None;
        }
    };
    if cx.model.events[event.index()].service != scope.service {
        let name = cx.model.events[event.index()].name.clone();
        cx.report(
            Diagnostic::error(
                "E0512",
                event_path.span(),
                format!("`{name}` is published by its own service only"),
            )
            .note("who hears an event must know who said it")
            .help("declare an event of this service"),
        );
    }
    if cx.model.events[event.index()].from.is_some() {
        let event = &cx.model.events[event.index()];
        let message = format!("`{}` is published by another system", event.name);
        let declared = event.span;
        cx.report(
            Diagnostic::error("E0512", event_path.span(), message)
                .label(declared, "it comes from there")
                .note("whoever hears an event must know who said it")
                .help("emit an event of this service"),
        );
    }
    let fields = cx.model.events[event.index()].fields.clone();
    let owner = format!("the event `{}`", cx.model.events[event.index()].name);
    let members = filled(cx, scope, view.initializers(), &fields, &owner, event_path.span());
    Some(StatementKind::Emit { event, members })
}

//! `allow`: who may do what.

use std::sync::Arc;

use syntax::ast::{self, Action, Roles};
use syntax::{Diagnostic, Span};

use super::context::{Context, Said};
use super::expression::condition;
use super::names::Space;
use super::path::no_field;
use super::scope::{Caller, Place, Scope, caller_of};
use crate::{EntityId, Field, Grantee, Grantees, Policy};

/// The roles named, each known.
pub(crate) fn grantees<'a>(cx: &mut Context<'a>, view: Option<Roles<'a>>) -> Grantees {
    let mut grantees = Grantees::new();
    for name in view.into_iter().flat_map(Roles::names) {
        let Some(grantee) = cx.names.roles.get(name.text()).copied() else {
            let mut known: Vec<&str> = cx.names.roles.keys().copied().collect();
            known.sort_unstable();
            let message = format!("there is no role `{}`", name.text());
            let near = syntax::nearest(name.text(), known).map(str::to_owned);
            let entity =
                cx.names.table(Space::Types).keys().any(|(_, known)| *known == name.text());
            if near.is_none() && entity {
                cx.report(
                    Diagnostic::error("E0401", name.span(), message)
                        .note("roles are what a token carries; an entity is what is stored")
                        .help("name a role, and say in `auth` whose rows its callers are"),
                );
            } else {
                cx.unknown_but("E0401", name.span(), message, near);
            }
            continue;
        };
        if let Grantee::Role(role) = grantee
            && role != crate::RoleId::SYSTEM
        {
            cx.used(name, cx.model[role].span);
        }
        if grantees.contains(&grantee) {
            cx.report(
                Diagnostic::error(
                    "E0201",
                    name.span(),
                    format!("the role `{}` is named twice", name.text()),
                )
                .help("remove one of them"),
            );
            continue;
        }
        grantees.push(grantee);
    }
    grantees
}

/// The policies of an entity.
pub(crate) fn entity_policy<'a>(cx: &mut Context<'a>, entity: EntityId, view: ast::Allow<'a>) {
    let grantees = grantees(cx, view.roles());
    let service = cx.model[entity].service;
    let mut when = view.condition().map(|when| {
        let mut scope =
            Scope::new(Place::Policy, service, known_caller(cx, view.roles(), &grantees))
                .over(entity);
        Arc::new(condition(cx, &mut scope, when))
    });
    let mut grantees = grantees;
    let mut actions = view.actions().peekable();
    while let Some(action_view) = actions.next() {
        let Some(action) = action_view.action() else { continue };
        let (fields, parts) = named(cx, entity, action, action_view);
        // The last one takes what the others copy.
        let is_last = actions.peek().is_none();
        let condition = if is_last { when.take() } else { when.clone() };
        let grantees = if is_last { std::mem::take(&mut grantees) } else { grantees.clone() };
        cx.model.entities[entity.index()].policies.push(Policy {
            action,
            fields,
            parts,
            grantees,
            condition,
            span: view.span(),
        });
    }
}

/// Who asks: where a role was unknown nothing is said about the caller, so that one fault stays one.
pub(crate) fn known_caller(
    cx: &Context<'_>,
    view: Option<Roles<'_>>,
    grantees: &[Grantee],
) -> Caller {
    let named = view.map_or(0, |roles| roles.names().count());
    match caller_of(cx, grantees) {
        Caller::Nobody(_) if grantees.is_empty() && named > 0 => Caller::Unknown,
        Caller::Subject | Caller::Mixed(_) if grantees.len() < named => Caller::Unknown,
        caller => caller,
    }
}

type Named = (Option<Vec<crate::FieldId>>, Option<Vec<EntityId>>);

/// The fields and parts an action is restricted to.
fn named<'a>(
    cx: &mut Context<'a>,
    entity: EntityId,
    action: Action,
    view: ast::AllowAction<'a>,
) -> Named {
    let names: Vec<ast::Name<'a>> = view.fields().collect();
    let Some(first) = names.first() else { return (None, None) };
    if matches!(action, Action::Create | Action::Delete) {
        let word = action.word();
        cx.report(
            Diagnostic::error(
                "E0405",
                first.span(),
                format!("`{word}` is of whole rows, not of fields"),
            )
            .note("only `read` and `update` can be allowed field by field")
            .help(format!("write `{word}` alone")),
        );
        return (None, None);
    }
    let (mut fields, mut parts) = (Vec::new(), Vec::new());
    for name in names {
        if let Some(part) = cx.model.part_named(entity, name.text()) {
            cx.used_part(name, part);
            if parts.contains(&part) {
                repeated(cx, name.text(), name.span());
            } else {
                parts.push(part);
            }
            continue;
        }
        let Some(field) = cx.model.field_named(entity, name.text()) else {
            no_field(cx, entity, name);
            continue;
        };
        cx.used_field(name, field);
        if fields.contains(&field) {
            repeated(cx, name.text(), name.span());
            continue;
        }
        if action == Action::Update
            && let Some(why) = unwritable(&cx.model[field], cx.said[field.index()])
        {
            let declared = cx.model[field].span;
            cx.report(
                Diagnostic::error(
                    "E0404",
                    name.span(),
                    format!("`{}` is never updated: {why}", name.text()),
                )
                .label(declared, "declared here")
                .help("remove it from the list"),
            );
            continue;
        }
        if action == Action::Read && cx.model[field].secret {
            let declared = cx.model[field].span;
            cx.report(
                Diagnostic::error(
                    "E0404",
                    name.span(),
                    format!("`{}` is secret: nobody reads it back", name.text()),
                )
                .label(declared, "declared here")
                .help("remove it from the list"),
            );
            continue;
        }
        fields.push(field);
    }
    (Some(fields), Some(parts))
}

/// Why a field is never updated, if so.
pub(crate) fn unwritable(field: &Field, said: Said) -> Option<&'static str> {
    if field.is_key {
        Some("it is the key")
    } else if said.computed {
        Some("it is computed")
    } else if field.immutable {
        Some("it is immutable")
    } else {
        None
    }
}

fn repeated(cx: &mut Context<'_>, name: &str, span: Span) {
    cx.report(
        Diagnostic::error("E0201", span, format!("`{name}` is named twice"))
            .help("remove one of them"),
    );
}

/// Who may call a query or a command. Conditions speak of parameters and the caller.
pub(crate) fn admission<'a>(cx: &mut Context<'a>, scope: &Scope, view: ast::Admit<'a>) -> Policy {
    let grantees = grantees(cx, view.roles());
    let when = view.condition().map(|when| {
        let mut scope = scope.clone();
        scope.place = Place::Admission;
        scope.caller = known_caller(cx, view.roles(), &grantees);
        Arc::new(condition(cx, &mut scope, when))
    });
    Policy {
        action: Action::Read,
        fields: None,
        parts: None,
        grantees,
        condition: when,
        span: view.span(),
    }
}

//! Queries: named, bounded access patterns.

use syntax::ast::{self, QueryMember, TypeExpr};
use syntax::{Diagnostic, Span};

use super::context::{Context, Part};
use super::entity::{LIST_PARAMETERS, list_parameter};
use super::expression::condition;
use super::members::{indexable, parameters};
use super::names::{Reach, find_entity};
use super::path::no_field;
use super::policy::{admission, grantees, known_caller};
use super::scope::{Caller, Place, Scope};
use crate::{EntityId, Grantee, Parameter, QueryId, ServiceId, SortKey};

/// Rows of a page unless the model says otherwise, and the most that any may say.
const PAGE: u32 = 20;
const PAGE_MAXIMUM: u32 = 100;
const PAGE_LIMIT: u32 = 1_000;

/// Checks all queries.
pub(crate) fn queries(cx: &mut Context<'_>) {
    for position in 0..cx.source.queries.len() {
        query(cx, QueryId(position as u32), cx.source.queries[position]);
    }
}

/// Checks one query.
pub(crate) fn query<'a>(cx: &mut Context<'a>, id: QueryId, view: ast::Query<'a>) {
    cx.begin(Part::Query(id));
    let service = cx.model[id].service;
    let name = view.name().map_or("", |name| name.text());
    let parameters = parameters(cx, view.parameters(), service, name);
    for parameter in &parameters {
        query_parameter(cx, parameter);
    }
    let entity = result(cx, view, service);
    let (caller, _) = callers(cx, view);
    let mut scope = Scope::new(Place::Filter, service, caller);
    scope.parameters = parameters;
    let mut said: Vec<(&'static str, Span)> = Vec::new();
    let mut page = None;
    for member in view.members() {
        let word = match member {
            QueryMember::Where(_) => Some("where"),
            QueryMember::Sort(_) => Some("sort"),
            QueryMember::Page(_) => Some("page"),
            QueryMember::Allow(_) => None,
        };
        if let Some(word) = word {
            if let Some((_, first)) = said.iter().find(|(known, _)| *known == word) {
                cx.said_twice(&format!("`{word}`"), *first, member.span());
                continue;
            }
            said.push((word, member.span()));
        }
        match member {
            QueryMember::Where(filter) => {
                if let (Some(entity), Some(filter)) = (entity, filter.condition()) {
                    let mut scope = scope.clone().over(entity);
                    let typed = condition(cx, &mut scope, filter);
                    cx.model.queries[id.index()].filter = Some(typed);
                }
            }
            QueryMember::Sort(sort) => {
                if let Some(entity) = entity {
                    let keys = sort_keys(cx, entity, sort);
                    cx.model.queries[id.index()].sort = keys;
                }
            }
            QueryMember::Page(view) => page = Some(view),
            QueryMember::Allow(allow) => {
                let policy = admission(cx, &scope, allow);
                cx.model.queries[id.index()].policies.push(policy);
            }
        }
    }
    let (size, maximum) = page_size(cx, view, page);
    let query = &mut cx.model.queries[id.index()];
    query.page = size;
    query.page_maximum = maximum;
    query.parameters = scope.parameters;
    if let Some(entity) = entity {
        query.entity = entity;
    }
}

/// Who asks, whoever of the admitted it is.
fn callers<'a>(cx: &mut Context<'a>, view: ast::Query<'a>) -> (Caller, Vec<Grantee>) {
    let mut all: Vec<Grantee> = Vec::new();
    let mut unknown = false;
    // The faults of these names are reported where the policies are checked.
    let before = cx.diagnostics.len();
    for member in view.members() {
        if let QueryMember::Allow(allow) = member {
            let some = grantees(cx, allow.roles());
            unknown |= matches!(known_caller(cx, allow.roles(), &some), Caller::Unknown);
            all.extend(some);
        }
    }
    cx.diagnostics.truncate(before);
    let caller = if unknown { Caller::Unknown } else { super::scope::caller_of(cx, &all) };
    (caller, all)
}

fn query_parameter(cx: &mut Context<'_>, parameter: &Parameter) {
    if LIST_PARAMETERS.contains(&parameter.name.as_str()) {
        list_parameter(cx, &parameter.name, parameter.span);
    }
    if !indexable(&parameter.ty) {
        let ty = cx.type_text(&parameter.ty);
        let message = format!("`{}` cannot be asked for: it is of type {ty}", parameter.name);
        cx.report(
            Diagnostic::error("E0502", parameter.span, message)
                .note("the parameters of a query stand in an address, and are compared with fields")
                .help("take one value, or make it a command"),
        );
    }
}

/// The entity whose rows a query answers with.
fn result<'a>(cx: &mut Context<'a>, view: ast::Query<'a>, service: ServiceId) -> Option<EntityId> {
    let wrong = |cx: &mut Context<'a>, span: Span, found: &str| {
        cx.report(
            Diagnostic::error(
                "E0501",
                span,
                format!("a query answers with rows of an entity, not with {found}"),
            )
            .help("write `-> Entity`: it answers with a page of its rows"),
        );
    };
    let Some(type_expr) = view.result() else {
        if let Some(name) = view.name() {
            wrong(cx, name.span(), "nothing");
        }
        return None;
    };
    let TypeExpr::Named(named) = type_expr else {
        wrong(cx, type_expr.span(), "a list or a record");
        return None;
    };
    let path = named.path()?;
    if super::type_expr::builtin(path.node().text()).is_some() {
        wrong(cx, path.span(), "single values");
        return None;
    }
    let entity = find_entity(cx, service, path, Reach::Service)?;
    let name = cx.model[entity].name.clone();
    if type_expr.is_optional() {
        wrong(cx, type_expr.span(), "a row or nothing");
    }
    if cx.model[entity].service != service {
        cx.report(
            Diagnostic::error("E0501", path.span(), format!("`{name}` belongs to another service"))
                .note("a query reads the tables of its own service")
                .help("put the query into the service of the entity"),
        );
        return None;
    }
    if let Some(part) = cx.model.part_of(entity) {
        let root = cx.model[part.root].name.clone();
        cx.report(
            Diagnostic::error(
                "E0501",
                path.span(),
                format!("`{name}` is a part of `{root}`, and is read with it"),
            )
            .help(format!("answer with `{root}`: the caller asks for `include={}`", part.name)),
        );
        return None;
    }
    Some(entity)
}

fn sort_keys<'a>(cx: &mut Context<'a>, entity: EntityId, view: ast::Sort<'a>) -> Vec<SortKey> {
    let mut keys: Vec<SortKey> = Vec::new();
    for key in view.keys() {
        let Some(path) = key.path() else { continue };
        let segments: Vec<ast::Name<'a>> = path.segments().collect();
        let Some(first) = segments.first().copied() else { continue };
        if let (false, [_]) = (path.is_row(), segments.as_slice()) {
            cx.report(
                Diagnostic::error(
                    "E0503",
                    path.span(),
                    format!("`{}` is a field of the row, so it starts with a dot", first.text()),
                )
                .fix("write the dot", path.span().before(), "."),
            );
        } else if segments.len() > 1 || !path.is_row() {
            cx.report(
                Diagnostic::error("E0503", path.span(), "rows are sorted by their own fields")
                    .note("no index reaches over two tables: sorting by another row's field reads everything first")
                    .help("keep a copy of the value in this entity, and sort by that"),
            );
            continue;
        }
        let Some(field) = cx.model.field_named(entity, first.text()) else {
            no_field(cx, entity, first);
            continue;
        };
        cx.used_field(first, field);
        let row = &cx.model[field];
        if !indexable(&row.ty) || row.encrypted || row.secret {
            let ty = cx.type_text(&row.ty);
            let why = if row.secret {
                "it is secret".to_owned()
            } else if row.encrypted {
                "it is encrypted".to_owned()
            } else {
                format!("values of type {ty} have no order")
            };
            cx.report(
                Diagnostic::error(
                    "E0503",
                    first.span(),
                    format!("rows cannot be sorted by `{}`: {why}", first.text()),
                )
                .help("sort by another field"),
            );
            continue;
        }
        if keys.iter().any(|known| known.field == field) {
            cx.report(
                Diagnostic::error(
                    "E0503",
                    first.span(),
                    format!("`{}` sorts already", first.text()),
                )
                .help("remove the second"),
            );
            continue;
        }
        keys.push(SortKey { field, descending: key.is_descending() });
    }
    keys
}

fn page_size(
    cx: &mut Context<'_>,
    query: ast::Query<'_>,
    view: Option<ast::Page<'_>>,
) -> (u32, u32) {
    let Some(view) = view else {
        if let Some(name) = query.name() {
            cx.report(
                Diagnostic::error(
                    "E0504",
                    name.span(),
                    format!("`{}` does not say how many rows a page has", name.text()),
                )
                .note(
                    "without a bound an answer grows with the table, until one day it is too much",
                )
                .help("say `page 20`, or `page 20..200` for the default and the most"),
            );
        }
        return (PAGE, PAGE_MAXIMUM);
    };
    let (size, most) = match (view.range(), view.size()) {
        (Some(range), _) => {
            let number = |bound: Option<ast::Bound<'_>>| bound.and_then(|b| b.number.integer());
            (number(range.lower()), number(range.upper()))
        }
        (None, Some(size)) => {
            let size = size.integer();
            (size, size.map(|size| size.max(i64::from(PAGE_MAXIMUM))))
        }
        (None, None) => return (PAGE, PAGE_MAXIMUM),
    };
    let limits = 1..=i64::from(PAGE_LIMIT);
    match (size, most) {
        (Some(size), Some(most))
            if limits.contains(&size) && limits.contains(&most) && size <= most =>
        {
            (size as u32, most as u32)
        }
        _ => {
            cx.report(
                Diagnostic::error("E0504", view.span(), format!("a page has 1 to {PAGE_LIMIT} rows, and its default is no more than its most"))
                    .help("write `page 20`, or `page 20..200`"),
            );
            (PAGE, PAGE_MAXIMUM)
        }
    }
}

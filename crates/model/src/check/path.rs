//! Paths: from a row, a parameter, a local or the caller to a field.

use syntax::ast::{Name, Path};
use syntax::{Diagnostic, Span};

use super::context::Context;
use super::expression::poison;
use super::scope::{Caller, LocalType, Scope};
use crate::{EntityId, Expression, ExpressionKind, FieldId, FieldPath, Type};

/// The words of a path, on the stack as long as there are few.
pub(crate) type Segments<'a> = smallvec::SmallVec<[Name<'a>; 4]>;

/// Types a path. `expected` tells which enum a lone label may be of.
pub(crate) fn path<'a>(
    cx: &mut Context<'a>,
    scope: &Scope,
    view: Path<'a>,
    expected: Option<&Type>,
) -> Expression {
    let segments: Segments<'a> = view.segments().collect();
    match in_scope(cx, scope, view.is_row(), view.span(), &segments) {
        Some(typed) => typed,
        None => name_or_label(cx, scope, view.span(), &segments, expected),
    }
}

/// Types the words of a path, which must start in scope.
pub(crate) fn along<'a>(
    cx: &mut Context<'a>,
    scope: &Scope,
    is_row: bool,
    span: Span,
    segments: &[Name<'a>],
) -> Expression {
    match in_scope(cx, scope, is_row, span, segments) {
        Some(typed) => typed,
        None => name_or_label(cx, scope, span, segments, None),
    }
}

/// A path that starts at a row, a local, a parameter or the caller; `None` where its first word is none of them.
fn in_scope<'a>(
    cx: &mut Context<'a>,
    scope: &Scope,
    is_row: bool,
    span: Span,
    segments: &[Name<'a>],
) -> Option<Expression> {
    let Some((first, rest)) = segments.split_first() else { return Some(poison(span)) };
    if is_row {
        return Some(row_path(cx, scope, span, segments));
    }
    if let Some(local) = scope.local(first.text()) {
        let (number, optional, declared) = (local.number, local.optional, local.span);
        cx.used(*first, declared);
        let (start, rest) = match local.ty.clone() {
            LocalType::Value(ty) => (Followed { ty, optional, path: FieldPath::new() }, rest),
            LocalType::Answer(fields) => {
                let Some((member, rest)) = rest.split_first() else {
                    whole_answer(cx, *first, &fields);
                    return Some(poison(span));
                };
                let found =
                    fields.iter().copied().find(|field| cx.model[*field].name == member.text());
                let Some(field) = found else {
                    no_member(cx, *member, &fields, &format!("the answer `{}`", first.text()));
                    return Some(poison(span));
                };
                cx.used_field(*member, field);
                let ty = cx.model[field].ty.clone();
                let optional = cx.model[field].optional;
                (Followed { ty, optional, path: FieldPath::from_slice(&[field]) }, rest)
            }
        };
        return Some(finish(cx, scope, span, start, rest, |path| ExpressionKind::Local {
            number,
            path,
        }));
    }
    if let Some(position) = scope.parameter(first.text()) {
        let parameter = &scope.parameters[position];
        cx.used(*first, parameter.span);
        let start = Followed {
            ty: parameter.ty.clone(),
            optional: parameter.optional,
            path: FieldPath::new(),
        };
        if parameter.optional
            && scope.place == super::scope::Place::Filter
            && scope.comparisons == 0
        {
            let message =
                format!("`{}` may be left out, but stands in no comparison", first.text());
            cx.report(
                Diagnostic::error("E0505", first.span(), message)
                    .note(
                        "an optional parameter that is left out drops the comparison it stands in",
                    )
                    .help(format!("compare it: `.field == {}`, or make it required", first.text())),
            );
        }
        return Some(finish(cx, scope, span, start, rest, |path| ExpressionKind::Parameter {
            position,
            path,
        }));
    }
    if first.text() == "caller" {
        return Some(caller_path(cx, scope, span, *first, rest));
    }
    None
}

/// Where a path has come to.
struct Followed {
    ty: Type,
    optional: bool,
    path: FieldPath,
}

fn finish(
    cx: &mut Context<'_>,
    scope: &Scope,
    span: Span,
    start: Followed,
    segments: &[Name<'_>],
    kind: impl FnOnce(FieldPath) -> ExpressionKind,
) -> Expression {
    match follow(cx, scope, start, segments) {
        Some(Followed { ty, optional, path }) => {
            Expression { kind: kind(path), ty, optional, span }
        }
        None => poison(span),
    }
}

/// Walks along fields; `None` where something was reported, or poisoned before.
fn follow(
    cx: &mut Context<'_>,
    scope: &Scope,
    mut at: Followed,
    segments: &[Name<'_>],
) -> Option<Followed> {
    for (position, segment) in segments.iter().enumerate() {
        let field = match &at.ty {
            Type::Unknown => return None,
            Type::Entity(entity) => {
                let entity = *entity;
                let Some(field) = cx.model.field_named(entity, segment.text()) else {
                    no_field(cx, entity, *segment);
                    return None;
                };
                let is_key = field == cx.model[entity].key;
                let started_here = at.path.is_empty() && position == 0;
                if !is_key && cx.model[entity].service != scope.service {
                    other_service(cx, entity, *segment);
                    return None;
                }
                // A row in scope is at hand; anything further is another row.
                if !started_here && !scope.place.follows_references() {
                    beyond_the_row(cx, scope, *segment);
                    return None;
                }
                field
            }
            Type::Record(record) if scope.place.is_body() => {
                let fields = cx.model[*record].fields.clone();
                let found = fields.iter().find(|field| cx.model[**field].name == segment.text());
                let Some(field) = found else {
                    let owner = format!("the record `{}`", cx.model[*record].name);
                    no_member(cx, *segment, &fields, &owner);
                    return None;
                };
                *field
            }
            other => {
                let inside = cx.type_text(other);
                let message = format!("there is no `{}` inside {inside}", segment.text());
                let is_record = matches!(other, Type::Record(_));
                let diagnostic = Diagnostic::error("E0203", segment.span(), message);
                cx.report(if is_record {
                    diagnostic
                        .note("a record is stored whole, as JSON: a condition cannot look inside")
                        .help("make the member a field of the entity")
                } else {
                    diagnostic.help("only rows and records have members: stop before the dot")
                });
                return None;
            }
        };
        cx.used_field(*segment, field);
        at.optional |= cx.model[field].optional;
        at.ty = cx.model[field].ty.clone();
        at.path.push(field);
    }
    (at.ty != Type::Unknown).then_some(at)
}

fn beyond_the_row(cx: &mut Context<'_>, scope: &Scope, segment: Name<'_>) {
    let place = scope.place.name();
    let message = format!("`{}` is read from another row", segment.text());
    cx.report(
        Diagnostic::error("E0306", segment.span(), message)
            .note(format!("{place} speaks of its own row and its own parts: another row changes without asking this one"))
            .help("copy the value into a field of this row when it is written, or say it in a command"),
    );
}

fn row_path(cx: &mut Context<'_>, scope: &Scope, span: Span, segments: &[Name<'_>]) -> Expression {
    let first = segments[0];
    let Some((innermost, outer)) = scope.rows.split_last() else {
        let place = scope.place.name();
        let message = format!("`.{}` has no row to be a field of", first.text());
        let mut diagnostic = Diagnostic::error("E0234", span, message)
            .note(format!("{place} stands outside any row"));
        let known = scope.local(first.text()).is_some() || scope.parameter(first.text()).is_some();
        diagnostic = if known {
            diagnostic.suggest(
                "remove the dot",
                span.before().to(Span { end: first.span().start, ..span }),
                "",
            )
        } else {
            diagnostic.help("name the thing whose field it is: `order.total`")
        };
        cx.report(diagnostic);
        return poison(span);
    };
    let has =
        |cx: &Context<'_>, entity: EntityId| cx.model.field_named(entity, first.text()).is_some();
    // Inside a fold a part's row hides its root's, name by name.
    let (depth, row) = match outer.last() {
        Some(root) if !has(cx, *innermost) && has(cx, *root) => (1, *root),
        _ => (0, *innermost),
    };
    let start = Followed { ty: Type::Entity(row), optional: false, path: FieldPath::new() };
    // Computed values and checks of one's own row do not cross services.
    finish(cx, scope, span, start, segments, |path| ExpressionKind::Row { depth, path })
}

fn caller_path(
    cx: &mut Context<'_>,
    scope: &Scope,
    span: Span,
    first: Name<'_>,
    rest: &[Name<'_>],
) -> Expression {
    let fault = |cx: &mut Context<'_>, message: String, note: String, help: &str| {
        cx.report(Diagnostic::error("E0402", first.span(), message).note(note).help(help));
        poison(span)
    };
    match scope.caller.clone() {
        Caller::Unknown => poison(span),
        Caller::Nobody(why) => fault(
            cx,
            "there is no `caller` here".to_owned(),
            why.to_owned(),
            "allow it to roles that sign in, or leave the caller out",
        ),
        Caller::Mixed(rows) => fault(
            cx,
            "`caller` is not of one entity here".to_owned(),
            rows,
            "write one `allow` for each of them",
        ),
        Caller::Subject => match rest.first() {
            None => Expression {
                kind: ExpressionKind::Caller { entity: None, path: FieldPath::new() },
                ty: Type::String(crate::Bounds::OPEN),
                optional: false,
                span,
            },
            Some(member) => fault(
                cx,
                format!("the caller has no `{}`", member.text()),
                "these roles are rows of no entity: all that is known is the subject of their token".to_owned(),
                "say whose rows they are: `users Entity by field as role` in `auth`, or compare `caller` itself",
            ),
        },
        Caller::Row(entity) => {
            let key = cx.model[entity].key;
            if let [only] = rest
                && cx.model[key].name == only.text()
            {
                cx.used_field(*only, key);
                return Expression {
                    kind: ExpressionKind::Caller { entity: Some(entity), path: FieldPath::new() },
                    ty: cx.model[key].ty.clone(),
                    optional: false,
                    span,
                };
            }
            let start = Followed { ty: Type::Entity(entity), optional: false, path: FieldPath::new() };
            finish(cx, scope, span, start, rest, |path| ExpressionKind::Caller {
                entity: Some(entity),
                path,
            })
        }
    }
}

/// A lone name that is nothing in scope: a label of the expected enum, or a fault.
fn name_or_label<'a>(
    cx: &mut Context<'a>,
    scope: &Scope,
    span: Span,
    segments: &[Name<'a>],
    expected: Option<&Type>,
) -> Expression {
    let Some((first, rest)) = segments.split_first() else { return poison(span) };
    let first = *first;
    let text = first.text();
    if rest.is_empty()
        && let Some(Type::Enum(id)) = expected
    {
        return match cx.model[*id].position(text) {
            Some(position) => {
                cx.used_label(first, *id, position);
                label(*id, position, span)
            }
            None => {
                no_label(cx, *id, first);
                poison(span)
            }
        };
    }
    // `OrderStatus.paid`, said in full.
    if let [second] = rest
        && let Some((super::names::Declared::Enum(id), declared)) =
            cx.names.types.get(&(scope.service, text)).copied()
    {
        cx.used(first, declared);
        return match cx.model[id].position(second.text()) {
            Some(position) => {
                cx.used_label(*second, id, position);
                label(id, position, span)
            }
            None => {
                no_label(cx, id, *second);
                poison(span)
            }
        };
    }
    if matches!(expected, Some(Type::Unknown)) {
        return poison(span);
    }
    let row = scope.rows.last().copied();
    if let Some(row) = row {
        if cx.model.part_named(row, text).is_some() {
            parts_alone(cx, first);
            return poison(span);
        }
        if cx.model.field_named(row, text).is_some() {
            let message = format!("there is no `{text}` here, but the row has a field `.{text}`");
            cx.report(
                Diagnostic::error("E0204", first.span(), message)
                    .help(format!("write `.{text}`: a field of the row starts with a dot"))
                    .suggest(format!("write `.{text}`"), first.span().before(), "."),
            );
            return poison(span);
        }
    }
    let mut known: Vec<String> = scope.locals.iter().map(|local| local.name.clone()).collect();
    known.extend(scope.parameters.iter().map(|parameter| parameter.name.clone()));
    known.push("caller".to_owned());
    let mut message = format!("there is no `{text}` here");
    if let Some(expected) = expected {
        message.push_str(&format!(", where {} is needed", cx.type_text(expected)));
    }
    cx.unknown("E0204", first.span(), message, text, known.iter().map(|name| &**name));
    poison(span)
}

fn label(id: crate::EnumId, position: usize, span: Span) -> Expression {
    Expression {
        kind: ExpressionKind::EnumValue(id, position),
        ty: Type::Enum(id),
        optional: false,
        span,
    }
}

/// Says that an enum has no such label.
pub(crate) fn no_label(cx: &mut Context<'_>, id: crate::EnumId, name: Name<'_>) {
    let labels: Vec<_> = cx.model[id].values.iter().map(|value| value.name.clone()).collect();
    let owner = cx.model[id].name.clone();
    let message = format!("`{owner}` has no value `{}`", name.text());
    let known = labels.iter().map(|label| &**label);
    let near = syntax::nearest(name.text(), known).map(str::to_owned);
    let mut diagnostic = Diagnostic::error("E0205", name.span(), message)
        .text("not one of its values")
        .note(format!("it has {}", list(&labels)));
    if let Some(near) = near {
        diagnostic = diagnostic.help(format!("did you mean `{near}`?")).suggest(
            format!("write `{near}`"),
            name.span(),
            near,
        );
    }
    cx.report(diagnostic);
}

/// `a`, `b` and `c`, each quoted.
pub(crate) fn list(names: &[impl std::fmt::Display]) -> String {
    match names {
        [] => "none".to_owned(),
        [only] => format!("`{only}`"),
        [rest @ .., last] => {
            let rest: Vec<String> = rest.iter().map(|name| format!("`{name}`")).collect();
            format!("{} and `{last}`", rest.join(", "))
        }
    }
}

/// Says that parts cannot stand where one value is needed.
fn parts_alone(cx: &mut Context<'_>, name: Name<'_>) {
    let text = name.text();
    let message = format!("`{text}` are parts: several rows, not one value");
    cx.report(Diagnostic::error("E0234", name.span(), message).help(format!(
        "fold them: `count({text})`, `sum({text}, .field)`, `any({text}, condition)`"
    )));
}

/// Says that an entity has no such field.
pub(crate) fn no_field(cx: &mut Context<'_>, entity: EntityId, name: Name<'_>) {
    let text = name.text();
    if cx.model.part_named(entity, text).is_some() {
        parts_alone(cx, name);
        return;
    }
    let owner = cx.model[entity].name.clone();
    if let Some(part) = cx.model.part_of(entity)
        && crate::snake_case(&cx.model[part.root].name) == text
    {
        let message = format!("a `{owner}` does not lead back to its root here");
        cx.report(
            Diagnostic::error("E0203", name.span(), message)
                .note("a part is reached through its root, so the root is already at hand")
                .help("name the root's row itself"),
        );
        return;
    }
    let fields: Vec<_> =
        cx.model[entity].fields.iter().map(|id| cx.model[*id].name.clone()).collect();
    let message = format!("`{owner}` has no field `{text}`");
    cx.unknown("E0203", name.span(), message, text, fields.iter().map(|name| &**name));
}

/// Says that a record, an event, an error or an answer has no such member.
pub(crate) fn no_member(cx: &mut Context<'_>, name: Name<'_>, fields: &[FieldId], owner: &str) {
    let known: Vec<_> = fields.iter().map(|id| cx.model[*id].name.clone()).collect();
    let message = format!("{owner} has no field `{}`", name.text());
    cx.unknown("E0203", name.span(), message, name.text(), known.iter().map(|name| &**name));
}

fn whole_answer(cx: &mut Context<'_>, name: Name<'_>, fields: &[FieldId]) {
    let known: Vec<_> = fields.iter().map(|id| cx.model[*id].name.clone()).collect();
    let message = format!("`{}` is a whole answer, not one value", name.text());
    cx.report(
        Diagnostic::error("E0220", name.span(), message)
            .note(format!("it has {}", list(&known)))
            .help("take one member of it"),
    );
}

fn other_service(cx: &mut Context<'_>, entity: EntityId, name: Name<'_>) {
    let (entity_name, service) = (
        cx.model[entity].name.clone(),
        cx.model.services[cx.model[entity].service.index()].name.clone(),
    );
    let owner = if service.is_empty() {
        "outside this service".to_owned()
    } else {
        format!("in `{service}`")
    };
    let key = cx.model[cx.model[entity].key].name.clone();
    let message = format!("`{}` lies in a row of `{entity_name}`, {owner}", name.text());
    cx.report(
        Diagnostic::error("E0212", name.span(), message)
            .note("services share no tables: across them a reference is an identifier, and no join follows it")
            .help(format!("compare its key (`{key}`), or carry the value over in an event and keep a copy")),
    );
}

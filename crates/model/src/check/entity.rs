//! Third pass over entities: indexes, rules, flows, privacy, defaults and computed fields.

use syntax::ast::{self, Expr, Member, PrivacyRule};
use syntax::{Diagnostic, Span};

use super::checked::in_order;
use super::context::{Context, Part};
use super::expression::{What, assigned, condition, infer, poison};
use super::members::indexable;
use super::modifier::deprecation;
use super::names::{Declared, Reach, Space, find_name, find_qualified};
use super::path::{no_field, no_label};
use super::policy::entity_policy;
use super::scope::{Caller, Place, Scope};
use crate::{
    Check, Default, EntityId, Expression, ExpressionKind, FieldId, Flow, Index, Privacy, Type,
    Unique,
};

/// Parameters that every list takes, which no filter may be called.
pub(crate) const LIST_PARAMETERS: &[&str] = &["after", "fields", "include", "limit", "sort"];

/// Checks what entities say beside their fields.
pub(crate) fn entities(cx: &mut Context<'_>) {
    for position in 0..cx.source.entities.len() {
        let id = EntityId(position as u32);
        let from = cx.uses.names.len();
        values(cx, id);
        entity(cx, id, cx.source.entities[position]);
        // Few at a time, so that what is sorted in the end is a few long runs.
        in_order(&mut cx.uses.names[from..]);
    }
    cx.begin(Part::Defaults);
    for position in 0..cx.source.records.len() {
        let service = cx.model.records[position].service;
        for field in cx.model.records[position].fields.clone() {
            default(cx, service, field);
        }
    }
}

/// Checks what one entity says beside its fields.
pub(crate) fn entity<'a>(cx: &mut Context<'a>, id: EntityId, view: ast::Entity<'a>) {
    cx.begin(Part::Rules(id));
    rules(cx, id, view);
    single_uniques(cx, id);
    filters(cx, id);
}

/// Defaults and computed values of an entity's fields.
pub(crate) fn values(cx: &mut Context<'_>, id: EntityId) {
    cx.begin(Part::Values(id));
    let service = cx.model[id].service;
    for at in 0..cx.model[id].fields.len() {
        let field = cx.model[id].fields[at];
        let Some(view) = cx.source.fields[field.index()] else { continue };
        if let Some(computed) = view.computed().and_then(|computed| computed.value()) {
            let (ty, optional) = (cx.model[field].ty.clone(), cx.model[field].optional);
            let what = What::Named(view.name().map_or("", |name| name.text()));
            let nobody = Caller::Nobody("a computed value is the same for everybody");
            let mut scope = Scope::new(Place::Computed, service, nobody).over(id);
            let typed = assigned(cx, &mut scope, computed, &ty, optional, what);
            let mut reads = Vec::new();
            reads_of(&typed, &mut reads);
            cx.source.computed_reads.insert(field, reads);
            cx.model.fields[field.index()].computed = Some(Box::new(typed));
        }
        default(cx, service, field);
        let field_row = &mut cx.model.fields[field.index()];
        let is_uuid_key = field_row.is_key && field_row.ty == Type::Uuid;
        if is_uuid_key && field_row.default.is_none() && view.default().is_none() {
            field_row.default = Some(Default::Uuid);
        }
    }
    circles(cx);
}

/// What a field is when it is left out.
fn default(cx: &mut Context<'_>, service: crate::ServiceId, field: FieldId) {
    let Some(view) = cx.source.fields[field.index()] else { return };
    let Some(value) = view.default().and_then(|default| default.value()) else { return };
    let (ty, optional) = (cx.model[field].ty.clone(), cx.model[field].optional);
    if let Expr::Path(path) = value
        && path.single().is_some_and(|name| name.text() == "auto")
        && !matches!(&ty, Type::Enum(id) if cx.model[*id].position("auto").is_some())
    {
        let row = &cx.model[field];
        if row.is_key && matches!(row.ty, Type::Int(_)) {
            cx.model.fields[field.index()].default = Some(Default::Auto);
        } else if row.is_key && row.ty == Type::Uuid {
            cx.model.fields[field.index()].default = Some(Default::Uuid);
        } else if row.ty != Type::Unknown {
            let message =
                format!("`{}` cannot be counted: `auto` is for keys of type Int", row.name);
            cx.report(
                Diagnostic::error("E0305", value.span(), message)
                    .help("write `key id: Int = auto`, or give a value"),
            );
        }
        return;
    }
    let what = What::Named(view.name().map_or("", |name| name.text()));
    let caller = default_caller(cx, &ty);
    let mut scope = Scope::new(Place::Default, service, caller);
    let typed = assigned(cx, &mut scope, value, &ty, optional, what);
    if let Some(span) = wandering(&typed) {
        cx.report(
            Diagnostic::error(
                "E0305",
                span,
                "a default is a constant, `now`, `caller`, or what functions make of these",
            )
            .note("it is worked out before the row exists"),
        );
        return;
    }
    cx.model.fields[field.index()].default = Some(Default::Expression(Box::new(typed)));
}

/// In a default the caller is the row that the field can hold.
fn default_caller(cx: &Context<'_>, ty: &Type) -> Caller {
    let mut entities = cx.model.roles.iter().filter_map(|role| role.entity);
    match ty {
        Type::Unknown => Caller::Unknown,
        Type::Entity(entity) if entities.any(|known| known == *entity) => Caller::Row(*entity),
        Type::Entity(_) => Caller::Nobody("no role is a row of that entity"),
        _ => match entities.next() {
            None => Caller::Subject,
            Some(first) if entities.all(|entity| entity == first) => Caller::Row(first),
            Some(_) => Caller::Mixed("callers are rows of several entities".to_owned()),
        },
    }
}

/// The first place where an expression looks at another row than the caller's key.
fn wandering(typed: &Expression) -> Option<Span> {
    match &typed.kind {
        ExpressionKind::Caller { path, .. } if !path.is_empty() => Some(typed.span),
        ExpressionKind::Aggregate { .. } | ExpressionKind::AggregateOf { .. } => Some(typed.span),
        _ => typed.children().into_iter().find_map(wandering),
    }
}

/// The fields of rows that an expression reads.
fn reads_of(typed: &Expression, reads: &mut Vec<FieldId>) {
    if let ExpressionKind::Row { path, .. } = &typed.kind {
        reads.extend(path.first());
    }
    for child in typed.children() {
        reads_of(child, reads);
    }
}

/// Computed fields that read each other in a circle. A circle stays within an entity: what folds its parts is read by none of
/// them, and what is behind a reference is no field of the row.
fn circles(cx: &mut Context<'_>) {
    if cx.source.computed_reads.is_empty() {
        return;
    }
    let reads = std::mem::take(&mut cx.source.computed_reads);
    let mut fields: Vec<FieldId> = reads.keys().copied().collect();
    fields.sort_unstable();
    // 1: on the way, 2: done.
    let mut state: rustc_hash::FxHashMap<FieldId, u8> = rustc_hash::FxHashMap::default();
    for start in fields {
        let mut stack = vec![(start, 0_usize)];
        while let Some((field, next)) = stack.pop() {
            if next == 0 {
                if state.contains_key(&field) {
                    continue;
                }
                state.insert(field, 1);
            }
            let Some(target) = reads.get(&field).and_then(|all| all.get(next)).copied() else {
                state.insert(field, 2);
                continue;
            };
            stack.push((field, next + 1));
            if !reads.contains_key(&target) {
                continue;
            }
            match state.get(&target) {
                Some(1) => {
                    let (name, span) = (cx.model[target].name.clone(), cx.model[target].span);
                    let through = cx.model[field].span;
                    let mut diagnostic = Diagnostic::error(
                        "E0307",
                        span,
                        format!("`{name}` is computed from itself"),
                    );
                    if through != span {
                        diagnostic = diagnostic.label(through, "through this one");
                    }
                    cx.report(
                        diagnostic
                            .note("there is no order in which such fields could be worked out")
                            .help("compute one of them from plain fields only"),
                    );
                    cx.model.fields[target.index()].computed = None;
                }
                Some(_) => {}
                None => stack.push((target, 0)),
            }
        }
    }
}

/// Indexes, uniques, checks, flows, policies and promises.
fn rules<'a>(cx: &mut Context<'a>, id: EntityId, view: ast::Entity<'a>) {
    let is_part = view.part_of().is_some();
    let mut said: smallvec::SmallVec<[(&'static str, Span); 4]> = smallvec::SmallVec::new();
    for member in view.members() {
        let once = match member {
            Member::Cache(_) => Some("cache"),
            Member::Audit(_) => Some("audit"),
            Member::Privacy(_) => Some("privacy"),
            Member::Deprecated(_) => Some("deprecated"),
            _ => None,
        };
        if let Some(word) = once {
            if let Some((_, first)) = said.iter().find(|(known, _)| *known == word) {
                cx.said_twice(&format!("`{word}`"), *first, member.span());
                continue;
            }
            said.push((word, member.span()));
        }
        let of_roots = match member {
            Member::Allow(_) => Some("allow"),
            Member::Cache(_) => Some("cache"),
            Member::Audit(_) => Some("audit"),
            Member::Privacy(_) => Some("privacy"),
            _ => None,
        };
        if let (true, Some(word)) = (is_part, of_roots) {
            cx.report(
                Diagnostic::error(
                    "E0317",
                    member.span(),
                    format!("a part says no `{word}` of its own"),
                )
                .note("it is read and written with its root, under the rules of its root")
                .help("say it in the root"),
            );
            continue;
        }
        match member {
            Member::Field(_) => {}
            Member::Index(index) => index_member(cx, id, index),
            Member::Unique(unique) => unique_member(cx, id, unique),
            Member::Check(check) => check_member(cx, id, check),
            Member::Flow(flow) => flow_member(cx, id, flow),
            Member::Allow(allow) => entity_policy(cx, id, allow),
            Member::Cache(cache) => {
                let period = cache.period().and_then(|literal| positive_duration(cx, literal));
                cx.model.entities[id.index()].cache = period;
            }
            Member::Audit(_) => cx.model.entities[id.index()].audit = true,
            Member::Privacy(privacy) => privacy_member(cx, id, privacy),
            Member::Deprecated(view) => {
                cx.model.entities[id.index()].deprecation = deprecation(cx, view);
            }
        }
    }
}

/// A duration longer than nothing, in microseconds.
pub(crate) fn positive_duration(cx: &mut Context<'_>, literal: ast::Literal<'_>) -> Option<i64> {
    let period = literal.duration().and_then(|duration| duration.microseconds())?;
    if period == 0 {
        cx.report(
            Diagnostic::error("E0601", literal.span(), "no time at all is no duration here")
                .help("write how long: `60s`, `10m`, `30d`"),
        );
        return None;
    }
    Some(period)
}

/// A field that can be indexed.
fn indexed_field<'a>(
    cx: &mut Context<'a>,
    id: EntityId,
    name: ast::Name<'a>,
    what: &str,
) -> Option<FieldId> {
    let Some(field) = cx.model.field_named(id, name.text()) else {
        no_field(cx, id, name);
        return None;
    };
    cx.used_field(name, field);
    let row = &cx.model[field];
    let why = if row.encrypted {
        Some("it is encrypted, and equal values are stored as different bytes")
    } else if !indexable(&row.ty) {
        Some("values of its type have no order")
    } else {
        None
    };
    if let Some(why) = why {
        let declared = row.span;
        cx.report(
            Diagnostic::error(
                "E0310",
                name.span(),
                format!("`{}` cannot be in {what}: {why}", name.text()),
            )
            .label(declared, "declared here")
            .help("leave it out"),
        );
        return None;
    }
    Some(field)
}

fn index_member<'a>(cx: &mut Context<'a>, id: EntityId, view: ast::Index<'a>) {
    let mut keys: Vec<(FieldId, bool)> = Vec::new();
    for key in view.keys() {
        let Some(name) = key.field() else { continue };
        let Some(field) = indexed_field(cx, id, name, "an index") else { continue };
        if keys.iter().any(|(known, _)| *known == field) {
            cx.report(
                Diagnostic::error(
                    "E0310",
                    name.span(),
                    format!("`{}` is in this index twice", name.text()),
                )
                .help("remove the second"),
            );
            continue;
        }
        keys.push((field, key.is_descending()));
    }
    if keys.is_empty() {
        return;
    }
    let same = cx.model[id].indexes.iter().find(|known| known.keys == keys);
    if let Some(first) = same.map(|index| index.span) {
        cx.said_twice("this index", first, view.span());
        return;
    }
    cx.model.entities[id.index()].indexes.push(Index { keys, span: view.span() });
}

fn unique_member<'a>(cx: &mut Context<'a>, id: EntityId, view: ast::Unique<'a>) {
    let mut fields: Vec<FieldId> = Vec::new();
    for name in view.fields() {
        let Some(field) = indexed_field(cx, id, name, "a unique constraint") else { continue };
        if fields.contains(&field) {
            cx.report(
                Diagnostic::error(
                    "E0310",
                    name.span(),
                    format!("`{}` is in this constraint twice", name.text()),
                )
                .help("remove the second"),
            );
            continue;
        }
        fields.push(field);
    }
    if fields.is_empty() {
        return;
    }
    let same = cx.model[id].uniques.iter().find(|known| known.fields == fields);
    if let Some(first) = same.map(|unique| unique.span) {
        cx.said_twice("this constraint", first, view.span());
        return;
    }
    cx.model.entities[id.index()].uniques.push(Unique { fields, span: view.span() });
}

/// `unique` behind a type, as a constraint like any other.
fn single_uniques(cx: &mut Context<'_>, id: EntityId) {
    for at in 0..cx.model[id].fields.len() {
        let field = cx.model[id].fields[at];
        if !cx.model[field].unique {
            continue;
        }
        let span = cx.model[field].span;
        let entity = &mut cx.model.entities[id.index()];
        if !entity.uniques.iter().any(|unique| unique.fields == [field]) {
            entity.uniques.push(Unique { fields: vec![field], span });
        }
    }
}

/// A field that can be filtered by must not be called as what every list takes.
fn filters(cx: &mut Context<'_>, id: EntityId) {
    if cx.model.part_of(id).is_some() {
        return;
    }
    for at in 0..cx.model[id].fields.len() {
        let field = cx.model[id].fields[at];
        let row = &cx.model[field];
        if !LIST_PARAMETERS.contains(&row.name.as_str()) {
            continue;
        }
        let entity = &cx.model[id];
        let filtered = row.is_key
            || matches!(row.ty, Type::Entity(_))
            || entity.uniques.iter().any(|unique| unique.fields.contains(&field))
            || entity.indexes.iter().any(|index| index.keys.iter().any(|(key, _)| *key == field));
        if filtered {
            let (name, span) = (row.name.clone(), row.span);
            list_parameter(cx, &name, span);
        }
    }
}

/// Says that a name is taken by what every list takes.
pub(crate) fn list_parameter(cx: &mut Context<'_>, name: &str, span: Span) {
    cx.report(
        Diagnostic::error(
            "E0207",
            span,
            format!("`{name}` means something else in the address of a list"),
        )
        .note("every list takes `after`, `fields`, `include`, `limit` and `sort`")
        .help("call it something else"),
    );
}

fn check_member<'a>(cx: &mut Context<'a>, id: EntityId, view: ast::Check<'a>) {
    let Some(rule) = view.condition() else { return };
    let service = cx.model[id].service;
    let nobody = Caller::Nobody("a check holds for everybody: who may do what is said by `allow`");
    let mut scope = Scope::new(Place::Check, service, nobody).over(id);
    let typed = condition(cx, &mut scope, rule);
    let message = view
        .message()
        .and_then(|literal| literal.string())
        .map_or_else(|| format!("must fulfil: {}", rule.node().text()), |text| text.into_owned());
    cx.model.entities[id.index()].checks.push(Check {
        condition: typed,
        message,
        span: view.span(),
    });
}

fn flow_member<'a>(cx: &mut Context<'a>, id: EntityId, view: ast::Flow<'a>) {
    let Some(name) = view.field() else { return };
    let Some(field) = cx.model.field_named(id, name.text()) else {
        no_field(cx, id, name);
        return;
    };
    cx.used_field(name, field);
    let enum_id = match &cx.model[field].ty {
        Type::Enum(enum_id) => *enum_id,
        Type::Unknown => return,
        other => {
            let ty = cx.type_text(other);
            let declared = cx.model[field].span;
            cx.report(
                Diagnostic::error(
                    "E0311",
                    name.span(),
                    format!("`{}` cannot flow: it is of type {ty}", name.text()),
                )
                .label(declared, "declared here")
                .note("a flow says which value of an enum may follow which")
                .help("make it an enum: `enum { a, b }`"),
            );
            return;
        }
    };
    let first = cx.model[id].flows.iter().find(|flow| flow.field == field);
    if let Some(first) = first.map(|flow| flow.span) {
        cx.said_twice(&format!("the flow of `{}`", name.text()), first, view.span());
        return;
    }
    let mut transitions: Vec<(usize, Vec<usize>)> = Vec::new();
    let position = |cx: &mut Context<'a>, name: ast::Name<'a>| {
        let found = cx.model[enum_id].position(name.text());
        match found {
            Some(position) => cx.used_label(name, enum_id, position),
            None => no_label(cx, enum_id, name),
        }
        found
    };
    for rule in view.rules() {
        let Some(from_name) = rule.from() else { continue };
        let from = position(cx, from_name);
        let mut targets: Vec<usize> = Vec::new();
        for to_name in rule.to() {
            let Some(to) = position(cx, to_name) else { continue };
            let known = from.is_some_and(|from| {
                transitions.iter().any(|(start, all)| *start == from && all.contains(&to))
            });
            if Some(to) == from || known || targets.contains(&to) {
                let message = if Some(to) == from {
                    format!("`{}` need not flow into itself", to_name.text())
                } else {
                    format!("`{}` -> `{}` is said twice", from_name.text(), to_name.text())
                };
                cx.report(
                    Diagnostic::error("E0312", to_name.span(), message)
                        .note("what stays as it is passes every flow")
                        .help("remove it"),
                );
                continue;
            }
            targets.push(to);
        }
        let Some(from) = from else { continue };
        match transitions.iter_mut().find(|(start, _)| *start == from) {
            Some((_, all)) => all.extend(targets),
            None => transitions.push((from, targets)),
        }
    }
    cx.model.entities[id.index()].flows.push(Flow { field, transitions, span: view.span() });
}

fn privacy_member<'a>(cx: &mut Context<'a>, id: EntityId, view: ast::Privacy<'a>) {
    let mut privacy = Privacy { subject: false, retain: None, after: None };
    let mut retain_span: Option<Span> = None;
    for rule in view.rules() {
        match rule {
            PrivacyRule::Subject(_) => privacy.subject = true,
            PrivacyRule::Retain(retain) => {
                if let Some(first) = retain_span {
                    cx.said_twice("`retain`", first, retain.span());
                    continue;
                }
                retain_span = Some(retain.span());
                privacy.retain = retain.period().and_then(|literal| positive_duration(cx, literal));
                if let Some(path) = retain.after() {
                    privacy.after = Some(path.span());
                    retention_start(cx, id, path, retain.is_last());
                }
            }
        }
    }
    cx.model.entities[id.index()].privacy = Some(privacy);
}

/// `after .joined`, or `after last Order.placed`.
fn retention_start<'a>(cx: &mut Context<'a>, id: EntityId, path: ast::Path<'a>, is_last: bool) {
    let service = cx.model[id].service;
    if path.is_row() {
        let nobody = Caller::Nobody("retention is the same for everybody");
        let mut scope = Scope::new(Place::Check, service, nobody).over(id);
        let typed = infer(cx, &mut scope, Expr::Path(path), None);
        moment(cx, &typed);
        return;
    }
    let segments: Vec<ast::Name<'a>> = path.segments().collect();
    let (found, entity_name, field_name) = match segments.as_slice() {
        [entity, field] => {
            let found = find_name(cx, Space::Types, service, *entity, Reach::Service, "entity");
            (found, entity, field)
        }
        [other, entity, field] => {
            (find_qualified(cx, Space::Types, *other, *entity, "entity"), entity, field)
        }
        _ => return counts_from_nothing(cx, path),
    };
    let Some(declared) = found else { return };
    let Declared::Entity(entity) = declared else {
        super::names::wrong_kind(cx, entity_name.span(), entity_name.text(), declared, "an entity");
        return;
    };
    let Some(field) = cx.model.field_named(entity, field_name.text()) else {
        no_field(cx, entity, *field_name);
        return;
    };
    cx.used_field(*field_name, field);
    let refers = cx.model[entity].fields.iter().any(|f| cx.model[*f].ty == Type::Entity(id));
    if !refers && entity != id {
        let (other, own) = (cx.model[entity].name.clone(), cx.model[id].name.clone());
        cx.report(
            Diagnostic::error("E0314", path.span(), format!("no `{other}` refers to a `{own}`"))
                .note("the retention of a row counts from rows that belong to it")
                .help(format!("name an entity with a field of type `{own}`")),
        );
        return;
    }
    if !is_last {
        let other = cx.model[entity].name.clone();
        cx.report(
            Diagnostic::error("E0314", path.span(), format!("a row may have many `{other}` rows"))
                .help(format!("say which counts: `after last {other}.{}`", field_name.text()))
                .suggest("write `last`", path.span().before(), "last "),
        );
        return;
    }
    let mut typed = poison(path.span());
    typed.ty = cx.model[field].ty.clone();
    moment(cx, &typed);
}

fn counts_from_nothing(cx: &mut Context<'_>, path: ast::Path<'_>) {
    cx.report(
        Diagnostic::error(
            "E0314",
            path.span(),
            "retention counts from a field of the row, or from the last row that refers to it",
        )
        .help("write `after .joined` or `after last Order.placed`"),
    );
}

fn moment(cx: &mut Context<'_>, typed: &Expression) {
    if !matches!(typed.ty, Type::Date | Type::Timestamp | Type::Unknown) {
        let ty = cx.type_text(&typed.ty);
        cx.report(
            Diagnostic::error(
                "E0314",
                typed.span,
                format!("retention counts from a moment, and this is of type {ty}"),
            )
            .text(format!("of type {ty}"))
            .help("name a field of type Date or Timestamp"),
        );
    }
}

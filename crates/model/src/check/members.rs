//! Second pass: fields and their types, parts and their roots, keys.

use rustc_hash::FxHashMap;
use smol_str::SmolStr;
use syntax::ast::{self, Member, Modifier};
use syntax::{Diagnostic, Span, TokenKind};

use super::context::{Context, Part, PendingField, Said, Style};
use super::declare::text_of;
use super::modifier::{
    column_names, deprecation, former_names, modifiers, pattern, stored_table, word_of,
};
use super::names::{Reach, find_entity};
use super::scope::can_be_asked_for;
use super::type_expr::{self, Known, Place, Resolved};
use crate::{
    Bounds, EntityId, EntityKind, Field, FieldId, OnDelete, PartOf, RecordId, ServiceId, Type,
};

/// The most parts of a root whose model does not say.
const PARTS_UNSAID: u32 = 1_000;

/// Names of hidden columns and of list parameters, which no field may have.
pub(crate) const RESERVED: &[&str] = &["row_version"];

/// Fills in entities, records, errors, events and externals.
pub(crate) fn members<'a>(cx: &mut Context<'a>) {
    cx.model.fields.reserve(cx.source.entities.len() * 8);
    cx.source.fields.reserve(cx.source.entities.len() * 8);
    for position in 0..cx.source.entities.len() {
        link_part(cx, EntityId(position as u32));
    }
    let mut names: FxHashMap<&'a str, Span> = FxHashMap::default();
    for position in 0..cx.source.entities.len() {
        names.clear();
        cx.befores.push(cx.sizes());
        let id = EntityId(position as u32);
        entity_fields(cx, id, cx.source.entities[position], &mut names);
    }
    cx.befores.push(cx.sizes());
    cx.begin(Part::Declarations);
    for position in 0..cx.source.records.len() {
        let view = cx.source.records[position];
        let service = cx.model.records[position].service;
        let name = view.name().map_or("", |name| name.text());
        cx.model.records[position].fields =
            plain_fields(cx, view.fields(), service, name, "a record");
    }
    for position in 0..cx.source.errors.len() {
        let view = cx.source.errors[position];
        let service = cx.model.errors[position].service;
        let name = view.name().map_or("", |name| name.text());
        cx.model.errors[position].fields =
            plain_fields(cx, view.fields(), service, name, "an error");
    }
    for position in 0..cx.source.events.len() {
        let view = cx.source.events[position];
        let service = cx.model.events[position].service;
        let name = view.name().map_or("", |name| name.text());
        cx.model.events[position].fields =
            plain_fields(cx, view.fields(), service, name, "an event");
    }
    super::external::external_fields(cx);
    resolve_pending(cx);
    for position in 0..cx.source.entities.len() {
        check_entity(cx, EntityId(position as u32), cx.source.entities[position]);
    }
    cx.begin(Part::Declarations);
    for (was, service) in std::mem::take(&mut cx.source.renamed_enums) {
        former_type(cx, was, service);
    }
    for position in 0..cx.model.records.len() {
        check_recursion(cx, RecordId(position as u32));
    }
    for position in 0..cx.model.records.len() {
        no_part_types(cx, &cx.model.records[position].fields.clone());
    }
    for position in 0..cx.model.errors.len() {
        no_part_types(cx, &cx.model.errors[position].fields.clone());
    }
    for position in 0..cx.model.events.len() {
        no_part_types(cx, &cx.model.events[position].fields.clone());
    }
}

/// Hangs a part on its root.
fn link_part(cx: &mut Context<'_>, id: EntityId) {
    let view = cx.source.entities[id.index()];
    let Some(part_of) = view.part_of() else { return };
    let service = cx.model[id].service;
    let Some(path) = part_of.root() else { return };
    let Some(root) = find_entity(cx, service, path, Reach::Service) else { return };
    let name = view.name().map_or("", |name| name.text());
    if root == id || cx.source.entities[root.index()].part_of().is_some() {
        let message = if root == id {
            format!("`{name}` cannot be a part of itself")
        } else {
            format!("`{name}` cannot be a part of `{}`, which is a part itself", path.node().text())
        };
        cx.report(
            Diagnostic::error("E0303", path.span(), message)
                .note("an aggregate is one root and its parts, written together: deeper nesting hides what one write locks")
                .help("hang it on the root, with a reference to the part it belongs to, or make it an entity of its own"),
        );
        return;
    }
    if cx.model[root].service != service {
        let message = format!("`{name}` and its root `{}` are of two services", path.node().text());
        cx.report(
            Diagnostic::error("E0303", path.span(), message)
                .note("a part is written in one transaction with its root, and services share none")
                .help("move the part into the service of its root, or refer to the root instead"),
        );
        return;
    }
    let Some(member) = part_of.name() else { return };
    cx.case_style(member, Style::Snake);
    let bounds = part_of.bounds().map(|range| type_expr::counts(cx, range));
    if bounds.is_none_or(|bounds| bounds.greatest.is_none()) {
        let message = format!(
            "`{}` says nowhere how many `{}` it has at most",
            cx.model[root].name,
            member.text()
        );
        let place = part_of.bounds().map_or(member.span().after(), |range| range.span());
        let least = bounds.and_then(|bounds| bounds.least).unwrap_or(0);
        let diagnostic = Diagnostic::warning("W0301", member.span(), message)
            .note(format!("a root is read and written with its parts: without a bound it takes {PARTS_UNSAID} and no more"));
        cx.report(match part_of.bounds() {
            None => diagnostic.suggest(
                format!("bound it: `({least}..{PARTS_UNSAID})`"),
                place,
                format!(" ({least}..{PARTS_UNSAID})"),
            ),
            Some(_) => diagnostic.help(format!("bound it: `({least}..{PARTS_UNSAID})`")),
        });
    }
    let bounds = bounds.unwrap_or(Bounds::OPEN);
    if bounds.greatest == Some(0) {
        let span = part_of.bounds().map_or(member.span(), |range| range.span());
        cx.report(
            Diagnostic::error("E0304", span, "no parts at all are allowed by these bounds")
                .help("say how many it may have at most: `(0..50)`"),
        );
    }
    let part = PartOf {
        root,
        name: member.text().to_owned(),
        name_span: member.span(),
        minimum: bounds.least.unwrap_or(0),
        maximum: bounds.greatest.unwrap_or(PARTS_UNSAID),
    };
    cx.model.entities[id.index()].kind = EntityKind::Part(part);
    cx.model.entities[root.index()].parts.push(id);
}

/// Declares the fields of an entity.
pub(crate) fn entity_fields<'a>(
    cx: &mut Context<'a>,
    id: EntityId,
    view: ast::Entity<'a>,
    names: &mut FxHashMap<&'a str, Span>,
) {
    cx.begin(Part::Fields(id));
    let service = cx.model[id].service;
    let name = view.name().map_or("", |name| name.text());
    let says_part = view.part_of().is_some();
    let mut fields: Vec<FieldId> = Vec::with_capacity(8);
    let mut keys: smallvec::SmallVec<[FieldId; 2]> = smallvec::SmallVec::new();
    for part in &cx.model[id].parts {
        if let Some(part) = cx.model.part_of(*part) {
            names.entry(cx.text(part.name_span)).or_insert(part.name_span);
        }
    }
    for member in view.members() {
        let Member::Field(field) = member else { continue };
        let Some(field_name) = field.name() else { continue };
        if let Some(first) = names.get(field_name.text()).copied() {
            cx.twice("the field", field_name.text(), first, field_name.span());
            continue;
        }
        names.insert(field_name.text(), field_name.span());
        let field_id = declare_field(cx, field, service, name);
        if field.is_key() {
            keys.push(field_id);
        }
        fields.push(field_id);
    }
    let hidden_position = says_part && keys.is_empty();
    if hidden_position {
        if let Some(first) = names.get("position").copied() {
            let message =
                format!("`{name}` has no key, so its `position` is counted by the database");
            cx.report(
                Diagnostic::error("E0207", first, message)
                    .note("a part without a key is told from its siblings by a hidden field called `position`")
                    .help("give the part a key, or call this field something else"),
            );
        }
        let span = cx.model[id].span;
        let ty = Type::Int(Bounds { least: Some(1), greatest: None });
        let mut position = blank_field("position", span, ty, span);
        position.is_key = true;
        position.is_position = true;
        let position = push_field(cx, position, None);
        keys.push(position);
        fields.insert(0, position);
    }
    let key = match keys.first() {
        Some(key) => *key,
        None => {
            no_key(cx, view, name);
            let span = cx.model[id].span;
            // Poison stands in for the key, so that what asks for it finds one.
            push_field(cx, blank_field("id", span, Type::Unknown, span), None)
        }
    };
    if let (false, [first, second, ..]) = (says_part, keys.as_slice()) {
        let message = format!("`{name}` has two keys");
        let (first, second) = (cx.model[*first].span, cx.model[*second].span);
        cx.report(
            Diagnostic::error("E0301", second, message)
                .text("a second key")
                .label(first, "the first")
                .note(
                    "a root has one key: it is what a reference holds and what its path ends with",
                )
                .help("keep one key, and say `unique (a, b)` of what must be unique together"),
        );
    }
    let entity = &mut cx.model.entities[id.index()];
    entity.fields = fields;
    entity.key = key;
}

fn no_key(cx: &mut Context<'_>, view: ast::Entity<'_>, name: &str) {
    let Some(name_view) = view.name() else { return };
    let diagnostic = Diagnostic::error("E0301", name_view.span(), format!("`{name}` has no key"))
        .note("a root has one key: it is what a reference holds and what its path ends with")
        .help("give it one: `key id: Uuid`");
    let brace = view.node().token(TokenKind::LeftBrace);
    cx.report(match brace {
        Some(brace) => {
            let place = view.node().parse().token_span(brace).after();
            diagnostic.suggest("add `key id: Uuid`", place, "\n  key id: Uuid")
        }
        None => diagnostic,
    });
}

/// A field without modifiers.
pub(crate) fn blank_field(
    name: impl Into<SmolStr>,
    span: Span,
    ty: Type,
    type_span: Span,
) -> Field {
    Field {
        name: name.into(),
        docs: None,
        span,
        ty,
        type_span,
        optional: false,
        is_key: false,
        is_position: false,
        default: None,
        computed: None,
        unique: false,
        immutable: false,
        search: false,
        pii: false,
        sensitive: false,
        encrypted: false,
        secret: false,
        pattern: None,
        was: None,
        half: None,
        stored_as: None,
        on_delete: OnDelete::Restrict,
        deprecation: None,
    }
}

pub(crate) fn push_field<'a>(
    cx: &mut Context<'a>,
    field: Field,
    view: Option<ast::Field<'a>>,
) -> FieldId {
    let id = FieldId(cx.model.fields.len() as u32);
    cx.model.fields.push(field);
    cx.said.push(Said {
        computed: view.is_some_and(|view| view.computed().is_some()),
        default: view.is_none_or(|view| view.default().is_some()),
    });
    cx.source.fields.push(view);
    id
}

/// Declares one field; its type waits where it is another field's that is not known yet.
pub(crate) fn declare_field<'a>(
    cx: &mut Context<'a>,
    view: ast::Field<'a>,
    service: ServiceId,
    owner: &'a str,
) -> FieldId {
    let (name, span) = match view.name() {
        Some(name) => {
            cx.case_style(name, Style::Snake);
            if RESERVED.contains(&name.text()) {
                let message = format!("`{}` is the name of a hidden column", name.text());
                cx.report(
                    Diagnostic::error("E0207", name.span(), message)
                        .note("every root carries it: it is what `ETag` and `If-Match` compare")
                        .help("call the field something else"),
                );
            }
            (name.text(), name.span())
        }
        None => ("", view.span()),
    };
    let type_expr = view.type_expr();
    let type_span = type_expr.map_or(span, |ty| ty.span());
    let mut field = blank_field(name, span, Type::Unknown, type_span);
    field.docs = view.docs();
    field.is_key = view.is_key();
    field.optional = type_expr.is_some_and(|ty| ty.is_optional());
    let id = push_field(cx, field, Some(view));
    if let Some(type_expr) = type_expr {
        let place = Place { service, owner, member: name };
        match type_expr::resolve(cx, place, type_expr, Known::Nothing) {
            Resolved::Type(ty) => cx.model.fields[id.index()].ty = ty,
            Resolved::Waits => {
                let part = cx.part();
                cx.source.pending.push(PendingField { field: id, service, type_expr, part });
            }
        }
    }
    id
}

/// Fields of what is no entity: they have types and little else.
pub(crate) fn plain_fields<'a>(
    cx: &mut Context<'a>,
    views: impl Iterator<Item = ast::Field<'a>>,
    service: ServiceId,
    owner: &'a str,
    what: &str,
) -> Vec<FieldId> {
    let mut fields: Vec<FieldId> = Vec::new();
    for view in views {
        let Some(name) = view.name() else { continue };
        let first = fields.iter().map(|id| &cx.model[*id]).find(|field| field.name == name.text());
        if let Some(first) = first {
            let first = first.span;
            cx.twice("the field", name.text(), first, name.span());
            continue;
        }
        let id = declare_field(cx, view, service, owner);
        if view.is_key() {
            cx.report(
                Diagnostic::error("E0309", name.span(), format!("{what} has no key"))
                    .help("remove `key`"),
            );
            cx.model.fields[id.index()].is_key = false;
        }
        for modifier in view.modifiers() {
            match modifier {
                Modifier::Pii(pii) => {
                    cx.model.fields[id.index()].pii = true;
                    cx.model.fields[id.index()].sensitive = pii.is_sensitive();
                }
                Modifier::Deprecated(view) => {
                    cx.model.fields[id.index()].deprecation = deprecation(cx, view).map(Box::new);
                }
                Modifier::Pattern(view) => {
                    cx.model.fields[id.index()].pattern = pattern(cx, view);
                }
                Modifier::Default(_) if what == "a record" => {}
                other => {
                    let word = word_of(other);
                    cx.report(
                        Diagnostic::error(
                            "E0309",
                            other.span(),
                            format!("`{word}` says nothing about a field of {what}"),
                        )
                        .note("it is about stored rows, and this is never stored by itself")
                        .help("remove it"),
                    );
                }
            }
        }
        fields.push(id);
    }
    fields
}

/// Gives the fields that waited their types; circles among them are faults.
pub(crate) fn resolve_pending(cx: &mut Context<'_>) {
    let mut pending = std::mem::take(&mut cx.source.pending);
    while !pending.is_empty() {
        let waiting: rustc_hash::FxHashSet<FieldId> =
            pending.iter().map(|field| field.field).collect();
        let before = pending.len();
        let mut still = Vec::new();
        for field in pending {
            let (owner, member) = ("", "");
            cx.begin(field.part);
            let place = Place { service: field.service, owner, member };
            match type_expr::resolve(cx, place, field.type_expr, Known::But(&waiting)) {
                Resolved::Type(ty) => cx.model.fields[field.field.index()].ty = ty,
                Resolved::Waits => still.push(field),
            }
        }
        if still.len() == before {
            for field in &still {
                cx.begin(field.part);
                let message = format!(
                    "the type of `{}` is the type of a field whose type is, in the end, its own",
                    cx.model[field.field].name
                );
                cx.report(
                    Diagnostic::error("E0235", field.type_expr.span(), message)
                        .help("write the type out in one of them"),
                );
            }
            return;
        }
        pending = still;
    }
}

/// Checks key, modifiers and types of an entity's fields, now that all types are known.
pub(crate) fn check_entity(cx: &mut Context<'_>, id: EntityId, view: ast::Entity<'_>) {
    cx.begin(Part::Fields(id));
    entity_header(cx, view, id);
    let service = cx.model[id].service;
    let fields = std::mem::take(&mut cx.model.entities[id.index()].fields);
    let root = cx.model.part_of(id).map(|part| crate::snake_case(&cx.model[part.root].name));
    for field_id in &fields {
        let Some(view) = cx.source.fields[field_id.index()] else { continue };
        if let (Some(root), Some(name)) = (&root, view.name())
            && name.text() == root
        {
            let message = format!("`{root}` already names the row this part belongs to");
            cx.report(
                Diagnostic::error("E0207", name.span(), message)
                    .note("every part has it without saying so: `create Part { root, … }` fills it")
                    .help("remove the field, or call it something else if it is another row"),
            );
        }
        storable(cx, *field_id);
        modifiers(cx, *field_id, view, service);
        if view.is_key() {
            key_type(cx, id, *field_id);
        }
    }
    former_names(cx, &fields);
    column_names(cx, &fields, root.as_deref());
    cx.model.entities[id.index()].fields = fields;
}

/// A type's former name, which no other may have now.
fn former_type(cx: &mut Context<'_>, was: ast::Name<'_>, service: ServiceId) {
    let still = cx.names.types.get(&(service, was.text())).map(|(_, span)| *span);
    if let Some(first) = still {
        type_expr::still_there(cx, was, first);
    }
}

fn entity_header(cx: &mut Context<'_>, view: ast::Entity<'_>, id: EntityId) {
    if let Some(was) = view.was().and_then(|was| was.name()) {
        former_type(cx, was, cx.model[id].service);
        cx.model.entities[id.index()].was = Some(was.text().to_owned());
    }
    if let Some(stored_as) = view.stored_as() {
        cx.model.entities[id.index()].stored_as = stored_table(cx, stored_as);
    }
}

/// Refuses types that a table cannot keep sound.
fn storable(cx: &mut Context<'_>, id: FieldId) {
    let field = &cx.model[id];
    let span = field.type_span;
    let inner = match &field.ty {
        Type::List(element, _) => contains_entity(cx, element, &mut Vec::new()),
        ty @ Type::Record(_) => contains_entity(cx, ty, &mut Vec::new()),
        Type::Entity(_) => None,
        // Nothing refers from within these.
        _ => return,
    };
    let ty = field.ty.clone();
    no_part_type(cx, &ty, span);
    if let Some(target) = inner {
        let name = cx.model[id].name.clone();
        let target_name = cx.model[target].name.clone();
        let message =
            format!("`{name}` would store references to `{target_name}` that nothing keeps true");
        cx.report(
            Diagnostic::error("E0231", span, message)
                .note("lists and records are stored whole, as JSON: no foreign key reaches inside")
                .help(format!("make it a part: `entity Name part of … as {name} (0..50) {{ … : {target_name} }}`")),
        );
        cx.model.fields[id.index()].ty = Type::Unknown;
    }
}

/// The entity that a value of this type refers to, however deep inside. Each record is looked into once: one
/// inside itself is reported elsewhere.
fn contains_entity(cx: &Context<'_>, ty: &Type, seen: &mut Vec<RecordId>) -> Option<EntityId> {
    match ty {
        Type::Entity(id) => Some(*id),
        Type::List(element, _) => contains_entity(cx, element, seen),
        Type::Record(id) if !seen.contains(id) => {
            seen.push(*id);
            cx.model[*id]
                .fields
                .iter()
                .find_map(|field| contains_entity(cx, &cx.model[*field].ty, seen))
        }
        _ => None,
    }
}

fn no_part_types(cx: &mut Context<'_>, fields: &[FieldId]) {
    for field in fields {
        let (ty, span) = (cx.model[*field].ty.clone(), cx.model[*field].type_span);
        if no_part_type(cx, &ty, span) {
            cx.model.fields[field.index()].ty = Type::Unknown;
        }
    }
}

/// Refuses a reference to a part; true if it was one.
pub(crate) fn no_part_type(cx: &mut Context<'_>, ty: &Type, span: Span) -> bool {
    let target = match ty {
        Type::Entity(id) => *id,
        Type::List(element, _) => match element.as_ref() {
            Type::Entity(id) => *id,
            _ => return false,
        },
        _ => return false,
    };
    let Some(part) = cx.model.part_of(target) else { return false };
    let (name, root) = (cx.model[target].name.clone(), cx.model[part.root].name.clone());
    let message = format!("nothing refers to `{name}`: it is a part of `{root}`");
    cx.report(
        Diagnostic::error("E0232", span, message)
            .note("a part has no identity outside of its root, and goes when the root replaces it")
            .help(format!("refer to `{root}`, or make `{name}` an entity of its own")),
    );
    true
}

/// A key is present, small and comparable.
fn key_type(cx: &mut Context<'_>, entity: EntityId, id: FieldId) {
    let field = &cx.model[id];
    let (span, type_span, name) = (field.span, field.type_span, field.name.clone());
    let is_root = cx.model.part_of(entity).is_none();
    if field.optional {
        cx.report(
            Diagnostic::error("E0302", type_span, format!("the key `{name}` may not be absent"))
                .note("what has no key cannot be found again")
                .help("remove the `?`"),
        );
    }
    let fits = match &cx.model[id].ty {
        Type::Unknown
        | Type::Int(_)
        | Type::String(_)
        | Type::Email
        | Type::Url
        | Type::Uuid
        | Type::Date
        | Type::Time
        | Type::Timestamp
        | Type::Decimal { .. } => true,
        // In a part an enum may tell the rows apart; a root of three rows at most is an enum itself.
        Type::Enum(_) => !is_root,
        Type::Entity(target) => {
            let key = &cx.model[cx.model[*target].key].ty;
            let leads_on = matches!(key, Type::Entity(_));
            if *target == entity || leads_on {
                let message = if *target == entity {
                    format!("the key `{name}` refers to its own entity")
                } else {
                    let target = &cx.model[*target].name;
                    format!(
                        "the key `{name}` refers to `{target}`, whose key is a reference itself"
                    )
                };
                cx.report(
                    Diagnostic::error("E0302", type_span, message)
                        .note("a key that is a reference must end in a value")
                        .help("use a key of its own, such as `key id: Uuid`, and keep the reference as a unique field"),
                );
                cx.model.fields[id.index()].ty = Type::Unknown;
                return;
            }
            true
        }
        _ => false,
    };
    if !fits {
        let ty = cx.type_text(&cx.model[id].ty);
        cx.report(
            Diagnostic::error(
                "E0302",
                span,
                format!("`{name}` cannot be a key: it is of type {ty}"),
            )
            .note("a key is compared, sorted and written into paths")
            .help("use Uuid, Int, String, a date, or a reference"),
        );
        cx.model.fields[id.index()].ty = Type::Unknown;
    }
}

/// Refuses a record that contains itself.
fn check_recursion(cx: &mut Context<'_>, id: RecordId) {
    fn reaches(cx: &Context<'_>, from: RecordId, to: RecordId, seen: &mut Vec<RecordId>) -> bool {
        cx.model[from].fields.iter().any(|field| {
            let ty = match &cx.model[*field].ty {
                Type::List(element, _) => element,
                other => other,
            };
            let Type::Record(next) = ty else { return false };
            if *next == to {
                return true;
            }
            if seen.contains(next) {
                return false;
            }
            seen.push(*next);
            reaches(cx, *next, to, seen)
        })
    }
    if reaches(cx, id, id, &mut Vec::new()) {
        let (name, span) = (cx.model[id].name.clone(), cx.model[id].span);
        cx.report(
            Diagnostic::error("E0235", span, format!("the record `{name}` contains itself"))
                .note("a value object is written whole: one inside itself would never end")
                .help("make the inner one an entity, and refer to it"),
        );
    }
}

/// Whether values of a type can be indexed and told apart.
pub(crate) fn indexable(ty: &Type) -> bool {
    !matches!(ty, Type::Json(_) | Type::Record(_) | Type::List(..) | Type::Bytes(_))
}

/// Parameters, named and typed.
pub(crate) fn parameters<'a>(
    cx: &mut Context<'a>,
    view: Option<ast::Parameters<'a>>,
    service: ServiceId,
    owner: &'a str,
) -> Vec<crate::Parameter> {
    let mut parameters: Vec<crate::Parameter> = Vec::new();
    for view in view.into_iter().flat_map(ast::Parameters::list) {
        let Some(name) = view.name() else { continue };
        cx.case_style(name, Style::Snake);
        let known = parameters.iter().find(|known| known.name == name.text());
        if let Some(first) = known.map(|known| known.span) {
            cx.twice("the parameter", name.text(), first, name.span());
            continue;
        }
        can_be_asked_for(cx, name);
        let place = Place { service, owner, member: name.text() };
        let mut ty =
            view.type_expr().map_or(Type::Unknown, |ty| type_expr::resolve_now(cx, place, ty));
        if let Some(type_expr) = view.type_expr()
            && no_part_type(cx, &ty, type_expr.span())
        {
            ty = Type::Unknown;
        }
        let optional = view.type_expr().is_some_and(|ty| ty.is_optional());
        parameters.push(crate::Parameter {
            name: text_of(Some(name)),
            span: name.span(),
            ty,
            optional,
        });
    }
    parameters
}

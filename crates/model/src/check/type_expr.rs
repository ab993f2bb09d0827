//! Types as written, resolved.

use rustc_hash::FxHashSet;
use syntax::ast::{self, LiteralValue, NamedType, TypeArgument, TypeExpr};
use syntax::{Diagnostic, Span};

use super::context::{Context, Style};
use super::names::{Declared, Reach, Space, find_name, find_qualified, wrong_kind};
use crate::{Bounds, EntityId, EnumId, EnumType, EnumValue, FieldId, ServiceId, Type};

/// What a built-in type takes in parentheses.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Arguments {
    None,
    Integers,
    Floats,
    Characters,
    Bytes,
    Precision,
    Currency,
}

/// A built-in type: the one table that the checker and the reference read.
pub(crate) struct Builtin {
    pub(crate) name: &'static str,
    pub(crate) arguments: Arguments,
    pub(crate) example: &'static str,
    pub(crate) meaning: &'static str,
    pub(crate) json: &'static str,
    pub(crate) plain: Type,
}

/// All built-in types.
pub(crate) static BUILTINS: &[Builtin] = &[
    Builtin {
        name: "Bool",
        arguments: Arguments::None,
        example: "Bool",
        meaning: "true or false",
        json: "`true`",
        plain: Type::Bool,
    },
    Builtin {
        name: "Int",
        arguments: Arguments::Integers,
        example: "Int(0..100)",
        meaning: "a whole number of 64 bits; the bounds are its least and its greatest value",
        json: "`42`",
        plain: Type::Int(Bounds::OPEN),
    },
    Builtin {
        name: "Float",
        arguments: Arguments::Floats,
        example: "Float(0..1)",
        meaning: "a binary floating-point number of 64 bits, finite; for measurements, never for money",
        json: "`1.5`",
        plain: Type::Float(Bounds::OPEN),
    },
    Builtin {
        name: "Decimal",
        arguments: Arguments::Precision,
        example: "Decimal(12, 3)",
        meaning: "an exact decimal: digits in all (1 to 18), and how many of them stand behind the point",
        json: "`\"12.500\"`, always with all its digits",
        plain: Type::Decimal { precision: 18, scale: 0 },
    },
    Builtin {
        name: "Money",
        arguments: Arguments::Currency,
        example: "Money(EUR)",
        meaning: "an amount of one currency (ISO 4217), exact to its minor unit",
        json: "`\"12.50\"`, with the digits of the currency",
        plain: Type::Unknown,
    },
    Builtin {
        name: "String",
        arguments: Arguments::Characters,
        example: "String(1..200)",
        meaning: "text; the bounds count characters (code points)",
        json: "`\"text\"`",
        plain: Type::String(Bounds::OPEN),
    },
    Builtin {
        name: "Email",
        arguments: Arguments::None,
        example: "Email",
        meaning: "an email address",
        json: "`\"ada@example.org\"`",
        plain: Type::Email,
    },
    Builtin {
        name: "Url",
        arguments: Arguments::None,
        example: "Url",
        meaning: "an absolute http or https address",
        json: "`\"https://example.org/\"`",
        plain: Type::Url,
    },
    Builtin {
        name: "Uuid",
        arguments: Arguments::None,
        example: "Uuid",
        meaning: "an identifier (RFC 9562); a key of this type without a default gets a time-ordered one",
        json: "`\"018f4e5a-7b3c-7def-8123-456789abcdef\"`",
        plain: Type::Uuid,
    },
    Builtin {
        name: "Date",
        arguments: Arguments::None,
        example: "Date",
        meaning: "a calendar day",
        json: "`\"2026-11-21\"`",
        plain: Type::Date,
    },
    Builtin {
        name: "Time",
        arguments: Arguments::None,
        example: "Time",
        meaning: "a time of day, to the microsecond",
        json: "`\"17:30:00\"`",
        plain: Type::Time,
    },
    Builtin {
        name: "Timestamp",
        arguments: Arguments::None,
        example: "Timestamp",
        meaning: "a moment in UTC, to the microsecond",
        json: "`\"2026-11-21T17:30:00Z\"` (RFC 3339)",
        plain: Type::Timestamp,
    },
    Builtin {
        name: "Duration",
        arguments: Arguments::None,
        example: "Duration",
        meaning: "a span of time, to the microsecond",
        json: "`\"PT1M30S\"` (ISO 8601)",
        plain: Type::Duration,
    },
    Builtin {
        name: "Json",
        arguments: Arguments::Bytes,
        example: "Json(..10KB)",
        meaning: "any JSON, kept as it is; the bound counts bytes",
        json: "any JSON",
        plain: Type::Json(Bounds::OPEN),
    },
    Builtin {
        name: "Bytes",
        arguments: Arguments::Bytes,
        example: "Bytes(..1MB)",
        meaning: "raw bytes; the bounds count them",
        json: "`\"AAEC\"` (base64)",
        plain: Type::Bytes(Bounds::OPEN),
    },
];

/// The built-in type of that name.
pub(crate) fn builtin(name: &str) -> Option<&'static Builtin> {
    BUILTINS.iter().find(|builtin| builtin.name == name)
}

/// Where a type stands: whose service, and after what an inline enum is called.
#[derive(Clone, Copy)]
pub(crate) struct Place<'a> {
    pub(crate) service: ServiceId,
    pub(crate) owner: &'a str,
    pub(crate) member: &'a str,
}

/// A type that was resolved, or the field whose type it waits for.
pub(crate) enum Resolved {
    Type(Type),
    /// `Entity.field` of a field whose own type is not yet known.
    Waits,
}

/// Which fields have a type already.
#[derive(Clone, Copy)]
pub(crate) enum Known<'a> {
    /// None: they are being declared.
    Nothing,
    /// All but these.
    But(&'a FxHashSet<FieldId>),
    /// All of them.
    All,
}

/// Resolves a type.
pub(crate) fn resolve<'a>(
    cx: &mut Context<'a>,
    place: Place<'a>,
    view: TypeExpr<'a>,
    known: Known<'_>,
) -> Resolved {
    match view {
        TypeExpr::Named(named) => resolve_named(cx, place, named, known),
        TypeExpr::List(list) => {
            let Some(element) = list.element() else { return Resolved::Type(Type::Unknown) };
            let element_type = match resolve(cx, place, element, known) {
                Resolved::Type(ty) => ty,
                waits @ Resolved::Waits => return waits,
            };
            if matches!(element_type, Type::List(..)) {
                cx.report(
                    Diagnostic::error("E0231", element.span(), "a list of lists is no type")
                        .help("put the inner list into a record, and list the records"),
                );
                return Resolved::Type(Type::Unknown);
            }
            if element.is_optional() {
                cx.report(
                    Diagnostic::error(
                        "E0231",
                        element.span(),
                        "an element of a list is never absent",
                    )
                    .help("remove the `?`: leave the element out instead"),
                );
            }
            let bounds = list.bounds().map_or(Bounds::OPEN, |range| counts(cx, range));
            Resolved::Type(Type::List(Box::new(element_type), bounds))
        }
        TypeExpr::Enum(view) => Resolved::Type(inline_enum(cx, place, view)),
        TypeExpr::Record(record) => {
            cx.report(
                Diagnostic::error(
                    "E0231",
                    record.span(),
                    "a record without a name stands only in an external's operation",
                )
                .help("declare it: `record Name { … }`, and write `Name` here"),
            );
            Resolved::Type(Type::Unknown)
        }
    }
}

/// Resolves a type when all fields are known.
pub(crate) fn resolve_now<'a>(cx: &mut Context<'a>, place: Place<'a>, view: TypeExpr<'a>) -> Type {
    match resolve(cx, place, view, Known::All) {
        Resolved::Type(ty) => ty,
        Resolved::Waits => Type::Unknown,
    }
}

fn resolve_named<'a>(
    cx: &mut Context<'a>,
    place: Place<'a>,
    named: NamedType<'a>,
    known: Known<'_>,
) -> Resolved {
    let Some(path) = named.path() else { return Resolved::Type(Type::Unknown) };
    let mut segments = path.segments();
    let Some(first) = segments.next() else { return Resolved::Type(Type::Unknown) };
    let (second, third) = (segments.next(), segments.next());
    let Some(second) = second else {
        if let Some(builtin) = builtin(first.text()) {
            return Resolved::Type(builtin_type(cx, builtin, named));
        }
        if let Some(near) = near_builtin(cx, place.service, first.text()) {
            let message = format!("there is no type `{}`", first.text());
            cx.unknown_but("E0202", first.span(), message, Some(near.to_owned()));
            return Resolved::Type(Type::Unknown);
        }
        let found = find_name(cx, Space::Types, place.service, first, Reach::Service, "type");
        if found.is_some() {
            no_arguments(cx, named, first.text());
        }
        return Resolved::Type(type_of(cx, first.span(), first.text(), found));
    };
    let is_type = first.text().starts_with(|c: char| c.is_ascii_uppercase());
    let (found, field) = if is_type {
        let found = find_name(cx, Space::Types, place.service, first, Reach::Service, "entity");
        (found, Some(second))
    } else {
        (find_qualified(cx, Space::Types, first, second, "type"), third)
    };
    let waits = matches!(known, Known::Nothing) && matches!(found, Some(Declared::Entity(_)));
    if field.is_some() && waits {
        return Resolved::Waits;
    }
    // What waits is resolved again.
    no_arguments(cx, named, path.node().text());
    let Some(field) = field else {
        return Resolved::Type(type_of(cx, path.span(), second.text(), found));
    };
    match found {
        None => Resolved::Type(Type::Unknown),
        Some(Declared::Entity(entity)) => field_type(cx, entity, field, known),
        Some(other) => {
            wrong_kind(cx, path.span(), path.node().text(), other, "an entity");
            Resolved::Type(Type::Unknown)
        }
    }
}

/// A built-in type that an unknown name is probably a misspelling of: nearer than any declared one.
fn near_builtin(cx: &Context<'_>, service: ServiceId, name: &str) -> Option<&'static str> {
    let types = &cx.names.types;
    if types.contains_key(&(service, name))
        || types.contains_key(&(ServiceId(0), name))
        || types.keys().any(|(_, known)| *known == name)
    {
        return None;
    }
    let spelt: &[(&str, &str)] = &[
        ("Integer", "Int"),
        ("Boolean", "Bool"),
        ("Text", "String"),
        ("Str", "String"),
        ("Double", "Float"),
        ("Number", "Decimal"),
        ("DateTime", "Timestamp"),
        ("UUID", "Uuid"),
        ("URL", "Url"),
        ("Blob", "Bytes"),
    ];
    let known = spelt.iter().find(|(wrong, _)| *wrong == name).map(|(_, right)| *right);
    if let Some(right) = known {
        return Some(right);
    }
    let declared = syntax::nearest(name, types.keys().map(|(_, known)| *known));
    let near = syntax::nearest(name, BUILTINS.iter().map(|builtin| builtin.name));
    match (near, declared) {
        (Some(near), None) => {
            BUILTINS.iter().find(|builtin| builtin.name == near).map(|builtin| builtin.name)
        }
        _ => None,
    }
}

fn field_type<'a>(
    cx: &mut Context<'a>,
    entity: EntityId,
    field: ast::Name<'a>,
    known: Known<'_>,
) -> Resolved {
    let Some(id) = cx.model.field_named(entity, field.text()) else {
        super::path::no_field(cx, entity, field);
        return Resolved::Type(Type::Unknown);
    };
    cx.used_field(field, id);
    if let Known::But(waiting) = known
        && waiting.contains(&id)
    {
        return Resolved::Waits;
    }
    Resolved::Type(cx.model[id].ty.clone())
}

fn type_of(cx: &mut Context<'_>, span: Span, name: &str, found: Option<Declared>) -> Type {
    match found {
        None => Type::Unknown,
        Some(Declared::Entity(id)) => Type::Entity(id),
        Some(Declared::Enum(id)) => Type::Enum(id),
        Some(Declared::Record(id)) => Type::Record(id),
        Some(other) => {
            wrong_kind(cx, span, name, other, "a type");
            Type::Unknown
        }
    }
}

fn no_arguments(cx: &mut Context<'_>, named: NamedType<'_>, name: &str) {
    if let Some(argument) = named.arguments().next() {
        cx.report(
            Diagnostic::error(
                "E0228",
                argument.span(),
                format!("`{name}` takes nothing in parentheses"),
            )
            .help("remove the parentheses"),
        );
    }
}

fn builtin_type(cx: &mut Context<'_>, builtin: &Builtin, named: NamedType<'_>) -> Type {
    let arguments: smallvec::SmallVec<[TypeArgument<'_>; 2]> = named.arguments().collect();
    let wrong = |cx: &mut Context<'_>, span: Span, message: String| {
        cx.report(
            Diagnostic::error("E0228", span, message)
                .help(format!("write it as `{}`", builtin.example)),
        );
    };
    match builtin.arguments {
        Arguments::None => {
            no_arguments(cx, named, builtin.name);
            builtin.plain.clone()
        }
        Arguments::Precision => match arguments.as_slice() {
            [TypeArgument::Number(precision), TypeArgument::Number(scale)] => {
                let (Some(digits), Some(behind)) = (precision.integer(), scale.integer()) else {
                    return Type::Unknown;
                };
                if !(1..=18).contains(&digits) {
                    let message = format!("a decimal has 1 to 18 digits, not {digits}");
                    wrong(cx, precision.span(), message);
                    return Type::Unknown;
                }
                if behind > digits {
                    let message =
                        format!("{behind} of {digits} digits cannot stand behind the point");
                    wrong(cx, scale.span(), message);
                    return Type::Unknown;
                }
                Type::Decimal { precision: digits as u8, scale: behind as u8 }
            }
            _ => {
                let message = "`Decimal` says how many digits it has and how many of them stand behind the point";
                wrong(cx, named.span(), message.to_owned());
                Type::Unknown
            }
        },
        Arguments::Currency => match arguments.as_slice() {
            [TypeArgument::Word(word)] => match crate::currency::currency(word.text()) {
                Some(currency) => Type::Money(currency),
                None => {
                    let message = format!("`{}` is no currency of ISO 4217", word.text());
                    cx.unknown(
                        "E0229",
                        word.span(),
                        message,
                        word.text(),
                        crate::currency::codes(),
                    );
                    Type::Unknown
                }
            },
            _ => {
                wrong(cx, named.span(), "`Money` says in which currency".to_owned());
                Type::Unknown
            }
        },
        kind => {
            let ends = match arguments.as_slice() {
                [] => Some((None, None)),
                [TypeArgument::Range(range)] => ends(*range),
                [TypeArgument::Number(number)] => {
                    // One number is both ends; a size alone is the most.
                    let end = End { literal: *number, is_negative: false };
                    let is_size = matches!(number.value(), Some(LiteralValue::Size(_)));
                    Some((if is_size { None } else { Some(end) }, Some(end)))
                }
                _ => {
                    let message = format!("`{}` takes one range in parentheses", builtin.name);
                    wrong(cx, named.span(), message);
                    return Type::Unknown;
                }
            };
            let Some((least, greatest)) = ends else { return builtin.plain.clone() };
            match kind {
                Arguments::Integers => {
                    let bounds = (whole(cx, least), whole(cx, greatest));
                    Type::Int(ordered(cx, bounds, greatest))
                }
                Arguments::Floats => {
                    let bounds = (real(cx, least), real(cx, greatest));
                    Type::Float(ordered(cx, bounds, greatest))
                }
                Arguments::Characters => Type::String(sizes(cx, least, greatest)),
                _ if builtin.name == "Json" => Type::Json(sizes(cx, least, greatest)),
                _ => Type::Bytes(sizes(cx, least, greatest)),
            }
        }
    }
}

/// One end of a range.
#[derive(Clone, Copy)]
struct End<'a> {
    literal: ast::Literal<'a>,
    is_negative: bool,
}

type Ends<'a> = (Option<End<'a>>, Option<End<'a>>);

fn end_of(bound: ast::Bound<'_>) -> End<'_> {
    End { literal: bound.number, is_negative: bound.is_negative }
}

fn ends(range: ast::Range<'_>) -> Option<Ends<'_>> {
    let (least, greatest) = (range.lower().map(end_of), range.upper().map(end_of));
    (least.is_some() || greatest.is_some()).then_some((least, greatest))
}

fn whole(cx: &mut Context<'_>, end: Option<End<'_>>) -> Option<i64> {
    let end = end?;
    match end.literal.value() {
        Some(LiteralValue::Integer(number) | LiteralValue::Size(number)) => {
            Some(if end.is_negative { -number } else { number })
        }
        None => None,
        Some(_) => {
            cx.report(
                Diagnostic::error("E0230", end.literal.span(), "this bound must be a whole number")
                    .help("write whole numbers on both sides of `..`"),
            );
            None
        }
    }
}

fn real(cx: &mut Context<'_>, end: Option<End<'_>>) -> Option<f64> {
    let inner = end?;
    match inner.literal.value() {
        Some(LiteralValue::Decimal(decimal)) => {
            let number = decimal.digits as f64 / 10_f64.powi(decimal.scale as i32);
            Some(if inner.is_negative { -number } else { number })
        }
        _ => whole(cx, end).map(|number| number as f64),
    }
}

fn ordered<T: PartialOrd + Copy + std::fmt::Display>(
    cx: &mut Context<'_>,
    (least, greatest): (Option<T>, Option<T>),
    end: Option<End<'_>>,
) -> Bounds<T> {
    if let (Some(low), Some(high), Some(end)) = (least, greatest, end)
        && low > high
    {
        let message = format!("no value is at least {low} and at most {high}");
        cx.report(
            Diagnostic::error("E0230", end.literal.span(), message)
                .help(format!("turn the bounds round: `{high}..{low}`")),
        );
        return Bounds { least: None, greatest: None };
    }
    Bounds { least, greatest }
}

fn sizes(cx: &mut Context<'_>, least: Option<End<'_>>, greatest: Option<End<'_>>) -> Bounds<u32> {
    let mut count = |end: Option<End<'_>>| {
        let number = whole(cx, end)?;
        if let Ok(count) = u32::try_from(number) {
            return Some(count);
        }
        if let Some(end) = end {
            let message = format!("a size lies between 0 and {}, not at {number}", u32::MAX);
            cx.report(
                Diagnostic::error("E0230", end.literal.span(), message)
                    .help("count characters, bytes or elements here"),
            );
        }
        None
    };
    let bounds = (count(least), count(greatest));
    ordered(cx, bounds, greatest)
}

/// The bounds of a list or of parts.
pub(crate) fn counts(cx: &mut Context<'_>, range: ast::Range<'_>) -> Bounds<u32> {
    match ends(range) {
        Some((least, greatest)) => sizes(cx, least, greatest),
        None => Bounds::OPEN,
    }
}

/// The enum of a field, called after it.
fn inline_enum<'a>(cx: &mut Context<'a>, place: Place<'a>, view: ast::EnumType<'a>) -> Type {
    let mut name = String::with_capacity(place.owner.len() + place.member.len());
    name.push_str(place.owner);
    crate::naming::push_upper_camel(&mut name, place.member);
    let span = view.span();
    if let Some((_, first)) = cx.names.types.get(&(place.service, name.as_str())).copied() {
        let message = format!(
            "the enum of `{}.{}` is called `{name}`, and so is something else",
            place.owner, place.member
        );
        cx.report(
            Diagnostic::error("E0207", span, message)
                .label(first, "this has the name too")
                .note("an enum without a name is called after its entity and its field in all interfaces")
                .help(format!("give it a name of its own: `enum Name {{ … }}`, or rename `{name}`")),
        );
    }
    let values = enum_values(cx, view.values(), span);
    let id = EnumId(cx.model.enums.len() as u32);
    cx.model.enums.push(EnumType { name, inline: true, was: None, docs: None, span, values });
    Type::Enum(id)
}

/// The values of an enum, checked against each other.
pub(crate) fn enum_values<'a>(
    cx: &mut Context<'a>,
    views: impl Iterator<Item = ast::EnumValue<'a>>,
    span: Span,
) -> Vec<EnumValue> {
    let mut values: Vec<EnumValue> = Vec::new();
    let mut renamed: Vec<(ast::Name<'a>, usize)> = Vec::new();
    for view in views {
        let Some(name) = view.name() else { continue };
        cx.case_style(name, Style::Snake);
        if let Some(first) = values.iter().find(|value| value.name == name.text()) {
            let first = first.span;
            cx.twice("the value", name.text(), first, name.span());
            continue;
        }
        let was = view.was().and_then(|was| was.name());
        if let Some(was) = was {
            renamed.push((was, values.len()));
        }
        values.push(EnumValue {
            name: name.text().into(),
            docs: view.docs(),
            was: was.map(|name| name.text().to_owned()),
            span: name.span(),
        });
    }
    if values.is_empty() {
        cx.report(
            Diagnostic::error("E0236", span, "an enum without values holds nothing")
                .help("name its values: `enum { draft, live }`"),
        );
    }
    for (was, _) in renamed {
        if let Some(value) = values.iter().find(|value| value.name == was.text()) {
            let first = value.span;
            still_there(cx, was, first);
        }
    }
    values
}

/// Says that a former name is still in use.
pub(crate) fn still_there(cx: &mut Context<'_>, was: ast::Name<'_>, first: Span) {
    let message = format!("`{}` cannot be a former name: it is still in use", was.text());
    cx.report(
        Diagnostic::error("E0214", was.span(), message)
            .label(first, "in use here")
            .note("`was` says that data under the old name now belongs to the new one")
            .help("remove the `was`, or the thing that has the name now"),
    );
}

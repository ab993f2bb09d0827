//! Schemas, as what may be sent and as what may be answered.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::super::shape::{Difference, greatest, least};
use super::pattern::{self, Order};
use super::resolve::{Document, farewell, is_annotation};
use super::{Kind, Report};

/// Which way what is described travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// Callers send it: what is narrower refuses them.
    Request,
    /// Callers read it: what is wider surprises them.
    Answer,
}

impl Way {
    fn either(self, request: Kind, answer: Kind) -> Kind {
        if self == Self::Request { request } else { answer }
    }
}

/// Schemas without a name are compared so deep.
const DEPTH: usize = 64;

/// All differences between two schemas. Those that have a name are told under it, once for each way.
pub(super) fn compare(report: &mut Report<'_>, item: &str, old: &Value, new: &Value, way: Way) {
    within(report, item, (old, new), way, DEPTH);
}

/// A schema without its references, its null and its only choice.
struct View<'a> {
    /// The last reference that was followed.
    name: Option<String>,
    flat: Map<String, Value>,
    /// Whether it takes null.
    nullable: bool,
    /// What it may be, if there is more than one thing.
    choices: Vec<Value>,
    /// As it is written.
    schema: Value,
    document: &'a Document<'a>,
}

impl<'a> View<'a> {
    fn of(document: &'a Document<'a>, schema: &Value) -> Self {
        Self::within(document, schema, 8)
    }

    fn within(document: &'a Document<'a>, schema: &Value, depth: usize) -> Self {
        let (name, _) = document.resolve(schema);
        let name = name.map(str::to_owned);
        let mut flat = document.flat(schema);
        // OpenAPI 3.0 says null so; it means nothing in 3.1.
        let mut nullable = flat.remove("nullable") == Some(Value::Bool(true));
        if let Some(constant) = flat.remove("const") {
            flat.insert("enum".to_owned(), Value::Array(vec![constant]));
        }
        if let Some(Value::Array(labels)) = flat.get_mut("enum") {
            let count = labels.len();
            labels.retain(|it| !it.is_null());
            nullable |= labels.len() < count;
        }
        let types = types(&flat);
        nullable |= types.contains("null");
        let mut choices = Vec::new();
        for keyword in ["anyOf", "oneOf"] {
            if let Some(Value::Array(list)) = flat.remove(keyword) {
                choices.extend(list);
            }
        }
        let count = choices.len();
        choices.retain(|it| {
            let flat = document.flat(it);
            flat.get("type").and_then(Value::as_str) != Some("null")
        });
        nullable |= choices.len() < count;
        let is_bare = flat.keys().all(|it| is_annotation(it));
        match choices.as_slice() {
            [only] if is_bare && depth > 0 => {
                let only = Self::within(document, only, depth - 1);
                Self { nullable: nullable || only.nullable, name: only.name.or(name), ..only }
            }
            _ => Self { name, flat, nullable, choices, schema: schema.clone(), document },
        }
    }

    /// What it is called among choices.
    fn label(&self) -> String {
        let code = self.flat.get("properties").and_then(|it| it.pointer("/code/const"));
        match (code.and_then(Value::as_str), &self.name) {
            (Some(code), _) => code.to_owned(),
            (None, Some(name)) => last(name).to_owned(),
            (None, None) => described(&types(&self.flat)),
        }
    }
}

/// The names of what a schema may be.
pub(super) fn named(document: &Document<'_>, schema: &Value) -> Vec<String> {
    let view = View::of(document, schema);
    if view.choices.is_empty() {
        return view.name.is_some().then(|| view.label()).into_iter().collect();
    }
    let choices = view.choices.iter().map(|it| View::of(document, it));
    choices.filter(|it| it.name.is_some()).map(|it| it.label()).collect()
}

/// The last segment of a reference.
fn last(name: &str) -> &str {
    name.rsplit('/').next().unwrap_or(name)
}

/// The types that a schema names.
fn types(flat: &Map<String, Value>) -> BTreeSet<&str> {
    match flat.get("type") {
        Some(Value::String(name)) => BTreeSet::from([name.as_str()]),
        Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).collect(),
        _ if flat.contains_key("properties") => BTreeSet::from(["object"]),
        _ => BTreeSet::new(),
    }
}

fn described(types: &BTreeSet<&str>) -> String {
    if types.is_empty() {
        return "anything".to_owned();
    }
    types.iter().copied().collect::<Vec<_>>().join(" or ")
}

fn within(
    report: &mut Report<'_>,
    item: &str,
    (old, new): (&Value, &Value),
    way: Way,
    depth: usize,
) {
    let (old, new) = (View::of(report.old, old), View::of(report.new, new));
    // That a member may be null is its own affair, whatever it refers to.
    if old.nullable != new.nullable {
        let said = if new.nullable { "may be null now" } else { "is never null now" };
        let kinds = match way {
            Way::Request => (Kind::NullAccepted, Kind::NullRefused),
            Way::Answer => (Kind::NullAnswered, Kind::NullNotAnswered),
        };
        report.found.add_either(new.nullable, kinds, item, said.to_owned());
    }
    let mut item = item.to_owned();
    if let (Some(before), Some(after)) = (&old.name, &new.name) {
        if !report.compared.insert((before.clone(), after.clone(), way == Way::Request)) {
            return;
        }
        if last(before) == last(after) {
            last(before).clone_into(&mut item);
        }
    }
    if depth == 0 {
        return;
    }
    if !old.choices.is_empty() || !new.choices.is_empty() {
        choices(report, &item, &old, &new, way, depth);
        if old.choices.is_empty() || new.choices.is_empty() {
            return;
        }
    }
    let mut found = Difference::default();
    kinds(&mut found, &old.flat, &new.flat);
    if found.other.is_none() {
        labels(report, &mut found, &item, (&old.flat, &new.flat), way);
        bounds(&mut found, (&old.flat, &new.flat), way);
        unlike(&mut found, (&old.flat, &new.flat), way);
        members(report, &item, (&old.flat, &new.flat), way, depth);
        if let (Some(before), Some(after)) = (old.flat.get("items"), new.flat.get("items")) {
            within(report, &format!("{item}[]"), (before, after), way, depth - 1);
        }
    }
    if way == Way::Request {
        default(report, &item, &old.flat, &new.flat);
    }
    tell(report, &item, found, way);
}

fn tell(report: &mut Report<'_>, item: &str, found: Difference, way: Way) {
    if let Some((before, after)) = found.other {
        report.found.add(Kind::TypeChanged, item, format!("is {after}, was {before}"));
    }
    for said in found.narrower {
        report.found.add(way.either(Kind::RequestNarrowed, Kind::AnswerNarrowed), item, said);
    }
    for said in found.wider {
        report.found.add(way.either(Kind::RequestWidened, Kind::AnswerWidened), item, said);
    }
}

/// What a value may be one of. Choices are the same if they have one name, or are alike, or are the only ones of their type.
fn choices(
    report: &mut Report<'_>,
    item: &str,
    old: &View<'_>,
    new: &View<'_>,
    way: Way,
    depth: usize,
) {
    let list = |view: &View<'_>| {
        if view.choices.is_empty() { vec![view.schema.clone()] } else { view.choices.clone() }
    };
    let (before, mut after) = (list(old), list(new));
    let mut gone = Vec::new();
    for choice in before {
        let seen = View::of(old.document, &choice);
        let same = |it: &Value| {
            let other = View::of(new.document, it);
            seen.name.is_some() && seen.name == other.name || choice == *it
        };
        let alike = |it: &Value| {
            let other = View::of(new.document, it);
            seen.name.is_none() && other.name.is_none() && types(&seen.flat) == types(&other.flat)
        };
        match after.iter().position(same).or_else(|| after.iter().position(alike)) {
            Some(at) => {
                let other = after.remove(at);
                within(report, item, (&choice, &other), way, depth - 1);
            }
            None => gone.push(choice),
        }
    }
    let is_error = item.rsplit(' ').next().is_some_and(|it| it.starts_with(['4', '5']));
    for choice in gone {
        let label = View::of(old.document, &choice).label();
        let (kind, said) = match way {
            Way::Request => (Kind::RequestNarrowed, format!("is never {label} any more")),
            Way::Answer if is_error => {
                (Kind::ErrorRemoved, format!("does not raise {label} any more"))
            }
            Way::Answer => (Kind::AnswerNarrowed, format!("is never {label} any more")),
        };
        report.found.add(kind, item, said);
    }
    for choice in after {
        let label = View::of(new.document, &choice).label();
        let (kind, said) = match way {
            Way::Request => (Kind::RequestWidened, format!("may be {label} now")),
            Way::Answer if is_error => (Kind::ErrorAdded, format!("may raise {label} now")),
            Way::Answer => (Kind::AnswerWidened, format!("may be {label} now")),
        };
        report.found.add(kind, item, said);
    }
}

/// Types, without null; every integer is a number.
fn kinds(found: &mut Difference, old: &Map<String, Value>, new: &Map<String, Value>) {
    let of = |flat| {
        let mut types = types(flat);
        types.remove("null");
        types
    };
    let (before, after) = (of(old), of(new));
    if before == after {
        return;
    }
    // No type is every type.
    let takes = |all: &BTreeSet<&str>, one: &str| {
        all.is_empty() || all.contains(one) || one == "integer" && all.contains("number")
    };
    let is_within = |some: &BTreeSet<&str>, all: &BTreeSet<&str>| {
        all.is_empty() || !some.is_empty() && some.iter().all(|it| takes(all, it))
    };
    let said = format!("is {}, was {}", described(&after), described(&before));
    if is_within(&before, &after) {
        found.wider.push(said);
    } else if is_within(&after, &before) {
        found.narrower.push(said);
    } else {
        found.other = Some((described(&before), described(&after)));
    }
}

/// What a value is one of, label by label.
fn labels(
    report: &mut Report<'_>,
    found: &mut Difference,
    item: &str,
    (old, new): (&Map<String, Value>, &Map<String, Value>),
    way: Way,
) {
    let list = |flat: &Map<String, Value>| flat.get("enum").and_then(Value::as_array).cloned();
    let shown = |label: &Value| label.as_str().map_or_else(|| label.to_string(), str::to_owned);
    match (list(old), list(new)) {
        (Some(before), Some(after)) => {
            for label in before.iter().filter(|it| !after.contains(it)) {
                let kind = way.either(Kind::LabelRemoved, Kind::LabelNotAnswered);
                report.found.add(kind, item, format!("has no label `{}` any more", shown(label)));
            }
            for label in after.iter().filter(|it| !before.contains(it)) {
                let kind = way.either(Kind::LabelAccepted, Kind::LabelAnswered);
                report.found.add(kind, item, format!("has a new label `{}`", shown(label)));
            }
        }
        (None, Some(after)) => {
            let labels = after.iter().map(shown).collect::<Vec<_>>().join(", ");
            found.narrower.push(format!("is one of {labels} now"));
        }
        (Some(before), None) => {
            let labels = before.iter().map(shown).collect::<Vec<_>>().join(", ");
            found.wider.push(format!("need not be one of {labels} any more"));
        }
        (None, None) => {}
    }
}

/// The keywords that bound a value from below or above, and the unit that is told.
const LEAST: [(&str, &str); 4] = [
    ("minimum", ""),
    ("minLength", " characters"),
    ("minItems", " elements"),
    ("minProperties", " members"),
];
const GREATEST: [(&str, &str); 4] = [
    ("maximum", ""),
    ("maxLength", " characters"),
    ("maxItems", " elements"),
    ("maxProperties", " members"),
];

fn number<'v>(flat: &'v Map<String, Value>, name: &str) -> Option<Number<'v>> {
    flat.get(name).and_then(Number::of)
}

fn bounds(
    found: &mut Difference,
    (old, new): (&Map<String, Value>, &Map<String, Value>),
    way: Way,
) {
    for (name, unit) in LEAST {
        // No length is below zero.
        let of = |flat| number(flat, name).filter(|it| unit.is_empty() || it.0 > 0.0);
        least(found, unit, of(old), of(new));
    }
    for (name, unit) in GREATEST {
        greatest(found, unit, number(old, name), number(new, name));
    }
    // OpenAPI 3.0 says with `true` that the bound itself is out.
    for name in ["exclusiveMinimum", "exclusiveMaximum"] {
        let is_least = name == "exclusiveMinimum";
        match (number(old, name), number(new, name)) {
            (None, None) => appears(found, name, old, new),
            (before, after) if is_least => least(found, " (itself out)", before, after),
            (before, after) => greatest(found, " (itself out)", before, after),
        }
    }
    let text = |flat: &Map<String, Value>, name: &str| {
        flat.get(name).and_then(Value::as_str).map(str::to_owned)
    };
    match (text(old, "pattern"), text(new, "pattern")) {
        (Some(before), Some(after)) => {
            let said = format!("matches {after:?}, was {before:?}");
            match pattern::order(&before, &after) {
                Order::Same => {}
                Order::Wider => found.wider.push(said),
                Order::Narrower => found.narrower.push(said),
                Order::Unknown => unclear(found, said, way),
            }
        }
        (None, Some(after)) => found.narrower.push(format!("matches {after:?} now")),
        (Some(before), None) => {
            found.wider.push(format!("need not match {before:?} any more"));
        }
        (None, None) => {}
    }
    match (text(old, "format"), text(new, "format")) {
        (Some(before), Some(after)) if before != after => {
            found.other = Some((before, after));
        }
        (None, Some(after)) => found.narrower.push(format!("has the form `{after}` now")),
        (Some(before), None) => {
            found.wider.push(format!("need not have the form `{before}` any more"));
        }
        _ => {}
    }
    appears(found, "uniqueItems", old, new);
}

/// A keyword that only says `true`.
fn appears(found: &mut Difference, name: &str, old: &Map<String, Value>, new: &Map<String, Value>) {
    let says = |flat: &Map<String, Value>| flat.get(name).and_then(Value::as_bool) == Some(true);
    match (says(old), says(new)) {
        (false, true) => found.narrower.push(format!("`{name}` holds now")),
        (true, false) => found.wider.push(format!("`{name}` does not hold any more")),
        _ => {}
    }
}

/// A bound, compared as a number and told as it is written.
struct Number<'a>(f64, &'a serde_json::Number);

impl<'a> Number<'a> {
    fn of(value: &'a Value) -> Option<Self> {
        let Value::Number(written) = value else { return None };
        // What no integer is beyond is no bound.
        let limit = written.as_i64().is_some_and(|it| it == i64::MIN || it == i64::MAX);
        written.as_f64().filter(|_| !limit).map(|it| Self(it, written))
    }
}

impl PartialEq for Number<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.1 == other.1 || self.partial_cmp(other) == Some(std::cmp::Ordering::Equal)
    }
}

impl PartialOrd for Number<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        match (self.1.as_i64(), other.1.as_i64()) {
            (Some(a), Some(b)) => Some(a.cmp(&b)),
            _ => self.0.partial_cmp(&other.0),
        }
    }
}

impl std::fmt::Display for Number<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.1.fmt(f)
    }
}

/// The keywords that are compared one by one.
const KNOWN: [&str; 24] = [
    "type",
    "properties",
    "required",
    "additionalProperties",
    "items",
    "enum",
    "const",
    "format",
    "pattern",
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "minLength",
    "maxLength",
    "minItems",
    "maxItems",
    "minProperties",
    "maxProperties",
    "uniqueItems",
    "nullable",
    "anyOf",
    "oneOf",
    "allOf",
];

/// What may be both narrower and wider is told as what is worse.
fn unclear(found: &mut Difference, said: String, way: Way) {
    match way {
        Way::Request => found.narrower.push(said),
        Way::Answer => found.wider.push(said),
    }
}

/// What no rule is known for is told where it is another text.
fn unlike(
    found: &mut Difference,
    (old, new): (&Map<String, Value>, &Map<String, Value>),
    way: Way,
) {
    let other = |name: &&String| !KNOWN.contains(&name.as_str()) && !is_annotation(name);
    let names: BTreeSet<&String> = old.keys().chain(new.keys()).filter(other).collect();
    for name in names {
        match (old.get(name), new.get(name)) {
            (Some(before), Some(after)) if before != after => {
                let said = format!("`{name}` is {after}, was {before}");
                unclear(found, said, way);
            }
            (None, Some(after)) => found.narrower.push(format!("`{name}` is {after} now")),
            (Some(_), None) => found.wider.push(format!("is without `{name}` now")),
            _ => {}
        }
    }
    let conditions = |flat: &Map<String, Value>| {
        flat.get("allOf").and_then(Value::as_array).cloned().unwrap_or_default()
    };
    let (before, after) = (conditions(old), conditions(new));
    for it in after.iter().filter(|it| !before.contains(it) && !is_beside(it, old)) {
        found.narrower.push(format!("{it} holds now"));
    }
    for it in before.iter().filter(|it| !after.contains(it) && !is_beside(it, new)) {
        found.wider.push(format!("{it} does not hold any more"));
    }
}

/// Whether a condition forbids only lists of labels that a schema has not: `sort` forbids `name` beside `-name`.
fn is_beside(condition: &Value, flat: &Map<String, Value>) -> bool {
    let Some(parts) = condition.pointer("/not/allOf").and_then(Value::as_array) else {
        return false;
    };
    let labels = flat.get("items").and_then(|it| it.get("enum")).and_then(Value::as_array);
    let Some(labels) = labels else { return false };
    let has = |part: &Value| part.pointer("/contains/const").is_none_or(|it| labels.contains(it));
    !parts.iter().all(has)
}

/// The members of an object.
fn members(
    report: &mut Report<'_>,
    item: &str,
    (old, new): (&Map<String, Value>, &Map<String, Value>),
    way: Way,
    depth: usize,
) {
    let (before, after) = (properties(report.old, old, way), properties(report.new, new, way));
    let required = |flat: &Map<String, Value>, name: &str| {
        let list = flat.get("required").and_then(Value::as_array);
        list.is_some_and(|it| it.iter().any(|it| it.as_str() == Some(name)))
    };
    let is_closed =
        |flat: &Map<String, Value>| flat.get("additionalProperties") == Some(&Value::Bool(false));
    for (name, schema) in &before {
        let member = format!("{item}.{name}");
        let Some(other) = after.get(name) else {
            gone(report, &member, schema, way);
            continue;
        };
        let (was, is) = (required(old, name), required(new, name));
        if was != is {
            let (kinds, said) = match (way, is) {
                (Way::Request, true) => {
                    ((Kind::FieldRequired, Kind::FieldNotRequired), "must be in bodies now")
                }
                (Way::Request, false) => {
                    ((Kind::FieldRequired, Kind::FieldNotRequired), "may be left out of bodies now")
                }
                (Way::Answer, true) => {
                    ((Kind::FieldAlwaysAnswered, Kind::FieldOmitted), "is always in answers now")
                }
                (Way::Answer, false) => (
                    (Kind::FieldAlwaysAnswered, Kind::FieldOmitted),
                    "may be missing in answers now",
                ),
            };
            report.found.add_either(is, kinds, &member, said.to_owned());
        }
        report.found.farewell(&member, farewell(schema).as_ref(), farewell(other).as_ref());
        within(report, &member, (schema, other), way, depth - 1);
    }
    for name in after.keys().filter(|it| !before.contains_key(*it)) {
        let member = format!("{item}.{name}");
        match way {
            Way::Request if required(new, name) => {
                report.found.add(
                    Kind::RequiredFieldAdded,
                    member,
                    "is new, and bodies must have it",
                );
            }
            Way::Request => report.found.add(Kind::FieldSettable, member, "may be in bodies now"),
            Way::Answer => report.found.add(Kind::FieldAdded, member, "is new"),
        }
    }
    if way == Way::Request && is_closed(old) != is_closed(new) {
        let said = if is_closed(new) {
            "members that it does not name are refused now"
        } else {
            "members that it does not name are taken now"
        };
        let kinds = (Kind::RequestNarrowed, Kind::RequestWidened);
        report.found.add_either(is_closed(new), kinds, item, said.to_owned());
    }
    let open = |flat: &Map<String, Value>| {
        flat.get("additionalProperties").filter(|it| it.is_object()).cloned()
    };
    if let (Some(before), Some(after)) = (open(old), open(new)) {
        within(report, &format!("{item}.*"), (&before, &after), way, depth - 1);
    }
}

/// The members that travel this way.
fn properties(document: &Document<'_>, flat: &Map<String, Value>, way: Way) -> Map<String, Value> {
    let unread = way.either_text("readOnly", "writeOnly");
    let all = flat.get("properties").and_then(Value::as_object);
    let says = |it: &Value| it.get(unread).and_then(Value::as_bool) == Some(true);
    let own = all.into_iter().flatten();
    let own = own.filter(|(_, schema)| !says(schema) && !says(document.resolve(schema).1));
    own.map(|(name, schema)| (name.clone(), schema.clone())).collect()
}

impl Way {
    fn either_text(self, request: &'static str, answer: &'static str) -> &'static str {
        if self == Self::Request { request } else { answer }
    }
}

/// A member that is gone.
fn gone(report: &mut Report<'_>, member: &str, schema: &Value, way: Way) {
    let (unannounced, said) = match way {
        Way::Request => (Kind::FieldReadOnly, "may not be in bodies any more"),
        Way::Answer => (Kind::FieldRemoved, "is gone"),
    };
    let kinds = [unannounced, Kind::FieldRemovedEarly, Kind::FieldRetired];
    let (kind, told) = report.found.departure(farewell(schema).as_ref(), kinds);
    report.found.add(kind, member, format!("{said}{told}"));
}

/// What a member is when it is left out.
fn default(
    report: &mut Report<'_>,
    item: &str,
    old: &Map<String, Value>,
    new: &Map<String, Value>,
) {
    if let (Some(before), Some(after)) = (old.get("default"), new.get("default"))
        && before != after
    {
        let said = format!("is {after} when left out, was {before}");
        report.found.add(Kind::DefaultChanged, item, said);
    }
}

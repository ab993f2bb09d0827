//! One operation: parameters, body, answers, who may.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::resolve::{Document, farewell};
use super::schema::{Way, compare, named};
use super::{Kind, Place, Report};

/// What has changed about an operation that is in both documents.
pub(super) fn both(report: &mut Report<'_>, item: &str, old: Place<'_>, new: Place<'_>) {
    parameters(report, item, old, new);
    body(report, item, old.operation, new.operation);
    answers(report, item, old.operation, new.operation);
    security(report, item, old.operation, new.operation);
    roles(report, item, old.operation, new.operation);
    let farewells = (farewell(old.operation), farewell(new.operation));
    report.found.farewell(item, farewells.0.as_ref(), farewells.1.as_ref());
}

/// Parameters by where they stand and their name, those of the path item among them. Those of the path are the same by their order.
fn listed<'a>(
    document: &'a Document<'a>,
    place: Place<'a>,
) -> BTreeMap<(&'a str, String), &'a Value> {
    let mut found = BTreeMap::new();
    for list in [place.item, place.operation] {
        let list = list.get("parameters").and_then(Value::as_array);
        for parameter in list.into_iter().flatten() {
            let (_, parameter) = document.resolve(parameter);
            let text = |name: &str| parameter.get(name).and_then(Value::as_str);
            let (Some(within), Some(name)) = (text("in"), text("name")) else { continue };
            let name = match within {
                // Names of headers have no case (RFC 9110 §5.1).
                "header" => name.to_ascii_lowercase(),
                "path" => position(place.path, name),
                _ => name.to_owned(),
            };
            found.insert((within, name), parameter);
        }
    }
    found
}

/// Which of the path's parameters a name is.
fn position(path: &str, name: &str) -> String {
    let sign = format!("{{{name}}}");
    let before = path.split(&sign).next().unwrap_or(path);
    format!("{}", before.matches('{').count() + 1)
}

fn parameters(report: &mut Report<'_>, item: &str, old: Place<'_>, new: Place<'_>) {
    let (before, after) = (listed(report.old, old), listed(report.new, new));
    let is_required = |it: &Value| it.get("required").and_then(Value::as_bool) == Some(true);
    let named = |within: &str, it: &Value| {
        let name = it.get("name").and_then(Value::as_str).unwrap_or("");
        match within {
            "query" => format!("{item}?{name}"),
            _ => format!("{item} {within} {name}"),
        }
    };
    for (key @ (within, _), parameter) in &before {
        let name = named(within, parameter);
        let Some(other) = after.get(key) else {
            let kinds = [Kind::ParameterRemoved, Kind::FieldRemovedEarly, Kind::FieldRetired];
            let (kind, told) = report.found.departure(farewell(parameter).as_ref(), kinds);
            report.found.add(kind, name, format!("is gone{told}"));
            continue;
        };
        if is_required(parameter) != is_required(other) {
            let is = is_required(other);
            let said = if is { "must be there now" } else { "may be left out now" };
            let kinds = (Kind::ParameterRequired, Kind::ParameterNotRequired);
            report.found.add_either(is, kinds, &name, said.to_owned());
        }
        form(report, &name, parameter, other, Way::Request);
        report.found.farewell(&name, farewell(parameter).as_ref(), farewell(other).as_ref());
    }
    for (key @ (within, _), parameter) in &after {
        if !before.contains_key(key) {
            let kinds = (Kind::RequiredParameterAdded, Kind::ParameterAdded);
            let is = is_required(parameter);
            report.found.add_either(is, kinds, &named(within, parameter), "is new".to_owned());
        }
    }
}

/// What a parameter or a header holds: a schema, or a schema of a media type; and how it is written.
fn form(report: &mut Report<'_>, item: &str, old: &Value, new: &Value, way: Way) {
    let schema = |it: &Value| it.get("schema").cloned();
    if let (Some(before), Some(after)) = (schema(old), schema(new)) {
        compare(report, item, &before, &after, way);
    } else {
        content(report, item, old, new, way);
    }
    for name in ["style", "explode", "allowReserved"] {
        let (before, after) = (old.get(name), new.get(name));
        if before != after {
            let shown = |it: Option<&Value>| it.map_or("unsaid".to_owned(), Value::to_string);
            let said = format!("`{name}` is {}, was {}", shown(after), shown(before));
            report.found.add(Kind::TypeChanged, item, said);
        }
    }
}

/// The media types of a body, a parameter or an answer.
fn content(report: &mut Report<'_>, item: &str, old: &Value, new: &Value, way: Way) {
    let empty = Map::new();
    let of = |it: &'_ Value| it.get("content").and_then(Value::as_object).cloned();
    let (before, after) =
        (of(old).unwrap_or_else(|| empty.clone()), of(new).unwrap_or_else(|| empty.clone()));
    if way == Way::Answer && before.is_empty() != after.is_empty() {
        let kinds = (Kind::AnswerRemoved, Kind::AnswerAdded);
        let said = if after.is_empty() { "answers nothing now" } else { "answers something now" };
        report.found.add_either(after.is_empty(), kinds, item, said.to_owned());
        return;
    }
    for (name, media) in &before {
        match after.get(name) {
            Some(other) => {
                if let (Some(was), Some(is)) = (media.get("schema"), other.get("schema")) {
                    compare(report, item, was, is, way);
                }
            }
            None if way == Way::Request => {
                report.found.add(
                    Kind::RequestNarrowed,
                    item,
                    format!("does not take {name} any more"),
                );
            }
            None => {
                report.found.add(Kind::AnswerChanged, item, format!("is not {name} any more"));
            }
        }
    }
    for name in after.keys().filter(|it| !before.contains_key(*it)) {
        let (kind, said) = match way {
            Way::Request => (Kind::RequestWidened, format!("takes {name} now")),
            Way::Answer => (Kind::AnswerWidened, format!("may be {name} now")),
        };
        report.found.add(kind, item, said);
    }
}

fn body(report: &mut Report<'_>, item: &str, old: &Value, new: &Value) {
    let (document, other) = (report.old, report.new);
    let before = old.get("requestBody").map(|it| document.resolve(it).1);
    let after = new.get("requestBody").map(|it| other.resolve(it).1);
    let is_required = |it: &Value| it.get("required").and_then(Value::as_bool) == Some(true);
    let name = format!("{item} body");
    match (before, after) {
        (Some(before), Some(after)) => {
            if is_required(before) != is_required(after) {
                let is = is_required(after);
                let said = if is { "must be there now" } else { "may be left out now" };
                let kinds = (Kind::ParameterRequired, Kind::ParameterNotRequired);
                report.found.add_either(is, kinds, &name, said.to_owned());
            }
            content(report, &name, before, after, Way::Request);
        }
        (None, Some(after)) => {
            let kinds = (Kind::RequiredParameterAdded, Kind::ParameterAdded);
            report.found.add_either(is_required(after), kinds, &name, "is new".to_owned());
        }
        (Some(_), None) => report.found.add(Kind::ParameterRemoved, name, "is gone"),
        (None, None) => {}
    }
}

fn answers(report: &mut Report<'_>, item: &str, old: &Value, new: &Value) {
    let (document, other) = (report.old, report.new);
    let none = Map::new();
    let of = |it: &'_ Value| it.get("responses").and_then(Value::as_object).cloned();
    let (before, after) =
        (of(old).unwrap_or_else(|| none.clone()), of(new).unwrap_or_else(|| none.clone()));
    let is_error = |status: &str| status.starts_with(['4', '5']);
    for (status, answer) in &before {
        let name = format!("{item} {status}");
        let Some(now) = after.get(status) else {
            if is_error(status) {
                report.found.add(
                    Kind::ErrorRemoved,
                    item,
                    format!("does not answer {status} any more"),
                );
            } else {
                report.found.add(
                    Kind::AnswerChanged,
                    item,
                    format!("does not answer {status} any more"),
                );
            }
            continue;
        };
        let (answer, now) = (document.resolve(answer).1, other.resolve(now).1);
        content(report, &name, answer, now, Way::Answer);
        headers(report, &name, answer, now);
    }
    let (was, is) = (raised(document, &before), raised(other, &after));
    for (label, statuses) in &was {
        let Some(now) = is.get(label).filter(|it| it.is_disjoint(statuses)) else { continue };
        let shown = |it: &BTreeSet<&str>| it.iter().copied().collect::<Vec<_>>().join(" or ");
        let said = format!("{label} is {} now, was {}", shown(now), shown(statuses));
        report.found.add(Kind::ErrorStatusChanged, item, said);
    }
    for status in after.keys().filter(|it| !before.contains_key(*it)) {
        let kind = if is_error(status) { Kind::ErrorAdded } else { Kind::AnswerWidened };
        report.found.add(kind, item, format!("may answer {status} now"));
    }
}

/// The errors that have a name, and with which statuses they are answered.
fn raised<'v>(
    document: &Document<'_>,
    answers: &'v Map<String, Value>,
) -> BTreeMap<String, BTreeSet<&'v str>> {
    let mut found: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
    for (status, answer) in answers.iter().filter(|(it, _)| it.starts_with(['4', '5'])) {
        let content = document.resolve(answer).1.get("content").and_then(Value::as_object);
        for schema in content.into_iter().flatten().filter_map(|(_, it)| it.get("schema")) {
            for name in named(document, schema) {
                found.entry(name).or_default().insert(status);
            }
        }
    }
    found
}

fn headers(report: &mut Report<'_>, item: &str, old: &Value, new: &Value) {
    let (document, other) = (report.old, report.new);
    let of = |it: &'_ Value| {
        let all = it.get("headers").and_then(Value::as_object).cloned().unwrap_or_default();
        all.into_iter().map(|(name, it)| (name.to_ascii_lowercase(), it)).collect()
    };
    let (before, after): (BTreeMap<String, Value>, BTreeMap<String, Value>) = (of(old), of(new));
    for (name, header) in &before {
        let named = format!("{item} header {name}");
        match after.get(name) {
            Some(now) => {
                let (header, now) = (document.resolve(header).1, other.resolve(now).1);
                form(report, &named, header, now, Way::Answer);
            }
            None => report.found.add(Kind::FieldRemoved, named, "is gone"),
        }
    }
    for name in after.keys().filter(|it| !before.contains_key(*it)) {
        report.found.add(Kind::FieldAdded, format!("{item} header {name}"), "is new");
    }
}

/// What callers must show: any one of these, nothing among them if the list is empty.
fn demanded(document: &Document<'_>, operation: &Value) -> BTreeSet<String> {
    let own = operation.get("security").or_else(|| document.root.get("security"));
    let list = own.and_then(Value::as_array).filter(|it| !it.is_empty());
    let mut found: BTreeSet<String> = list.into_iter().flatten().map(shown).collect();
    if found.is_empty() {
        found.insert(NOTHING.to_owned());
    }
    found
}

/// What callers show that need show nothing.
const NOTHING: &str = "";

/// A demand as people read it: `login (read, write) and key`.
fn shown(demand: &Value) -> String {
    let schemes = demand.as_object().into_iter().flatten().map(|(name, scopes)| {
        let scopes = scopes.as_array().into_iter().flatten().filter_map(Value::as_str);
        let scopes = scopes.collect::<Vec<_>>().join(", ");
        if scopes.is_empty() { name.clone() } else { format!("{name} ({scopes})") }
    });
    schemes.collect::<Vec<_>>().join(" and ")
}

fn security(report: &mut Report<'_>, item: &str, old: &Value, new: &Value) {
    let (before, after) = (demanded(report.old, old), demanded(report.new, new));
    let open = |it: &BTreeSet<String>| it.contains(NOTHING);
    match (open(&before), open(&after)) {
        (true, false) => {
            report.found.add(Kind::AccessRevoked, item, "is closed to callers without a token now");
        }
        (false, true) => {
            report.found.add(Kind::AccessGranted, item, "is open to callers without a token now");
        }
        // Whatever is shown is taken.
        (true, true) => {}
        (false, false) => {
            for it in before.difference(&after) {
                report.found.add(
                    Kind::AccessNarrowed,
                    item,
                    format!("{it} is not enough any more"),
                );
            }
            for it in after.difference(&before) {
                report.found.add(Kind::AccessWidened, item, format!("{it} is enough now"));
            }
        }
    }
}

/// The roles that documents of ours name.
fn roles(report: &mut Report<'_>, item: &str, old: &Value, new: &Value) {
    let of = |it: &Value| {
        let list = it.get("x-roles").and_then(Value::as_array)?;
        Some(list.iter().filter_map(Value::as_str).map(str::to_owned).collect())
    };
    let (before, after): (Option<BTreeSet<String>>, Option<BTreeSet<String>>) = (of(old), of(new));
    let (Some(before), Some(after)) = (before, after) else { return };
    // Who needs no token needs no role.
    if demanded(report.new, new).contains(NOTHING) && demanded(report.old, old).contains(NOTHING) {
        return;
    }
    for role in before.difference(&after) {
        report.found.add(Kind::AccessRevoked, item, format!("`{role}` may not any more"));
    }
    for role in after.difference(&before) {
        report.found.add(Kind::AccessGranted, item, format!("`{role}` may now"));
    }
}

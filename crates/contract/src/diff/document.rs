//! What a change of an OpenAPI document changes for callers: the REST part of [`diff`](super::diff), where one side is a
//! document that was published and no model.
//!
//! Documents of OpenAPI 3.0 and 3.1 are taken, whoever wrote them. Dates of deprecations are read from `x-sunset`, roles
//! from `x-roles`; documents of ours have both.

mod operation;
mod pattern;
mod resolve;
mod schema;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde_json::Value;

use super::{Change, Found, Kind};
use resolve::Document;

/// Why a JSON value is no document that can be compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoDocument(&'static str);

impl fmt::Display for NoDocument {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for NoDocument {}

/// Every change between two OpenAPI documents for callers, the worst first, each once. `today` decides whether a sunset date has
/// passed: days since 1970-01-01.
///
/// Operations are the same by method and path, whatever their parameters of the path are called; and without the version
/// with which paths begin where all begin with one.
///
/// # Errors
///
/// [`NoDocument`] if one of them is no document of OpenAPI 3.
pub fn documents(old: &Value, new: &Value, today: i64) -> Result<Vec<Change>, NoDocument> {
    let (old, new) = (Document::of(old)?, Document::of(new)?);
    let mut report =
        Report { old: &old, new: &new, found: Found::new(today), compared: BTreeSet::new() };
    let announced = version(&mut report);
    operations(&mut report);
    Ok(report.found.sorted(announced))
}

/// Whether a JSON value is a document that can be compared.
///
/// # Errors
///
/// [`NoDocument`], with the reason, if it is none.
pub fn is_document(value: &Value) -> Result<(), NoDocument> {
    Document::of(value).map(|_| ())
}

/// Both documents, and what was found so far.
struct Report<'a> {
    old: &'a Document<'a>,
    new: &'a Document<'a>,
    found: Found,
    /// Named schemas that were compared: those of each side, and whether in requests.
    compared: BTreeSet<(String, String, bool)>,
}

/// The version is told once. Whether it was raised.
fn version(report: &mut Report<'_>) -> bool {
    let (Some(before), Some(after)) = (report.old.version, report.new.version) else {
        return false;
    };
    // A version that no path names breaks nobody by itself; it may still announce what does.
    if before != after && report.old.prefix.is_some() && report.new.prefix.is_some() {
        let kinds = (Kind::VersionRaised, Kind::VersionLowered);
        let said = format!("the version is {after}, was {before}");
        report.found.add_either(after > before, kinds, report.new.title, said);
    }
    after > before
}

/// The methods of a path item (OpenAPI 3.1 §4.8.9).
const METHODS: [&str; 8] = ["get", "put", "post", "delete", "options", "head", "patch", "trace"];

/// An operation, with the path item that it stands in.
#[derive(Clone, Copy)]
struct Place<'a> {
    path: &'a str,
    item: &'a Value,
    operation: &'a Value,
}

/// The operations of a document by path and method; names of parameters do not count.
fn places<'a>(document: &'a Document<'a>) -> BTreeMap<(String, &'static str), Place<'a>> {
    let mut found = BTreeMap::new();
    let paths = document.root.get("paths").and_then(Value::as_object);
    for (path, item) in paths.into_iter().flatten() {
        let (_, item) = document.resolve(item);
        for method in METHODS {
            if let Some(operation) = item.get(method) {
                let bare = bare(document, path);
                found.insert((bare, method), Place { path, item, operation });
            }
        }
    }
    found
}

/// A path from the root of the server, without the version and without names of parameters.
fn bare(document: &Document<'_>, path: &str) -> String {
    let whole = format!("{}{path}", document.base);
    let bare = document.prefix.as_deref().and_then(|prefix| whole.strip_prefix(prefix));
    let bare = bare.filter(|it| it.is_empty() || it.starts_with('/'));
    let mut out = String::new();
    let mut is_name = false;
    for letter in bare.unwrap_or(&whole).chars() {
        match letter {
            '{' => {
                is_name = true;
                out.push_str("{}");
            }
            '}' => is_name = false,
            _ if is_name => {}
            other => out.push(other),
        }
    }
    out
}

fn operations(report: &mut Report<'_>) {
    let (old, new) = (places(report.old), places(report.new));
    for (key @ (_, method), before) in &old {
        let item = format!("{} {}", method.to_uppercase(), before.path);
        match new.get(key) {
            Some(after) => operation::both(report, &item, *before, *after),
            None => {
                let kinds =
                    [Kind::OperationRemoved, Kind::OperationRemovedEarly, Kind::OperationRetired];
                let farewell = resolve::farewell(before.operation);
                let (kind, told) = report.found.departure(farewell.as_ref(), kinds);
                report.found.add(kind, item, format!("is gone{told}"));
            }
        }
    }
    for ((_, method), after) in new.iter().filter(|(key, _)| !old.contains_key(*key)) {
        let item = format!("{} {}", method.to_uppercase(), after.path);
        report.found.add(Kind::OperationAdded, item, "is new");
    }
}

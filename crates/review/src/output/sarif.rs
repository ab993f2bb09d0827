//! SARIF 2.1.0 (OASIS): what code hosts and editors show.

use serde_json::{Value, json};
use syntax::{Diagnostic, FileId, Severity, Span};

use super::{Outcome, fingerprints, whole};

/// The schema that the document follows.
const SCHEMA: &str = "https://json.schemastore.org/sarif-2.1.0.json";

/// One run. Columns count Unicode scalar values, as `columnKind` says; fingerprints depend on the item and not on its line.
#[must_use]
pub fn sarif(outcome: &Outcome<'_>) -> Value {
    let mut codes: Vec<&str> = outcome.diagnostics.iter().map(|it| it.code).collect();
    codes.extend(crate::rules().map(|rule| rule.code.id));
    codes.sort_unstable();
    codes.dedup();
    let prints = fingerprints(outcome);
    let results: Vec<Value> = outcome
        .each()
        .zip(prints)
        .map(|((diagnostic, path), print)| result(outcome, diagnostic, path, &print, &codes))
        .collect();
    json!({
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "mimar",
                "version": outcome.version,
                "rules": codes.iter().map(|code| rule(code)).collect::<Vec<_>>(),
            }},
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    })
}

/// A rule; of a code of the language only its id is known here.
fn rule(code: &str) -> Value {
    let Some(rule) = crate::rule(code) else { return json!({ "id": code }) };
    json!({
        "id": code,
        "name": model::upper_camel(&rule.name().replace('-', "_")),
        "shortDescription": { "text": rule.code.title },
        "help": { "text": rule.code.docs, "markdown": rule.code.docs },
        "defaultConfiguration": { "level": rule.level.severity().map_or("none", level) },
    })
}

fn result(
    outcome: &Outcome<'_>,
    diagnostic: &Diagnostic,
    path: &str,
    print: &str,
    codes: &[&str],
) -> Value {
    let mut value = json!({
        "ruleId": diagnostic.code,
        "level": level(diagnostic.severity),
        "message": { "text": whole(diagnostic) },
        "partialFingerprints": { "mimar/v1": print },
    });
    if let Some(at) = codes.iter().position(|code| *code == diagnostic.code) {
        value["ruleIndex"] = json!(at);
    }
    if let Some(mut location) = location(outcome, diagnostic.primary.span, "") {
        if !path.is_empty() {
            location["logicalLocations"] = json!([{ "fullyQualifiedName": path }]);
        }
        value["locations"] = json!([location]);
    }
    let related: Vec<Value> = diagnostic
        .labels
        .iter()
        .filter_map(|label| location(outcome, label.span, &label.text))
        .collect();
    if !related.is_empty() {
        value["relatedLocations"] = json!(related);
    }
    let fixes: Vec<Value> = diagnostic.fixes.iter().filter_map(|it| fix(outcome, it)).collect();
    if !fixes.is_empty() {
        value["fixes"] = json!(fixes);
    }
    value
}

fn fix(outcome: &Outcome<'_>, fix: &syntax::Fix) -> Option<Value> {
    let mut files: Vec<FileId> = fix.edits.iter().map(|edit| edit.span.file).collect();
    files.sort_unstable();
    files.dedup();
    let changes: Vec<Value> = files
        .into_iter()
        .filter_map(|file| {
            let path = (outcome.source)(file)?.path;
            let edits = fix.edits.iter().filter(|edit| edit.span.file == file);
            let replacements: Vec<Value> = edits
                .filter_map(|edit| {
                    Some(json!({
                        "deletedRegion": region(outcome, edit.span)?,
                        "insertedContent": { "text": edit.replacement },
                    }))
                })
                .collect();
            Some(json!({
                "artifactLocation": { "uri": uri(path) },
                "replacements": replacements,
            }))
        })
        .collect();
    (!changes.is_empty())
        .then(|| json!({ "description": { "text": fix.title }, "artifactChanges": changes }))
}

fn location(outcome: &Outcome<'_>, span: Span, text: &str) -> Option<Value> {
    let path = (outcome.source)(span.file)?.path;
    let mut value = json!({
        "physicalLocation": {
            "artifactLocation": { "uri": uri(path) },
            "region": region(outcome, span)?,
        },
    });
    if !text.is_empty() {
        value["message"] = json!({ "text": text });
    }
    Some(value)
}

fn region(outcome: &Outcome<'_>, span: Span) -> Option<Value> {
    let place = outcome.locate(span)?;
    Some(json!({
        "startLine": place.line,
        "startColumn": place.column,
        "endLine": place.end_line,
        "endColumn": place.end_column,
    }))
}

const fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Note => "note",
    }
}

/// A path as a relative reference of RFC 3986.
fn uri(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    for byte in path.replace('\\', "/").bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                out.push(char::from(byte));
            }
            byte => {
                out.push('%');
                out.push_str(&format!("{byte:02X}"));
            }
        }
    }
    out
}

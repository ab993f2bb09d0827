//! The catalogue of rules, for people and for machines.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::GROUPS;
use crate::rule::RESERVED;

/// All rules in Markdown: a table of each group, then every page.
#[must_use]
pub fn catalogue() -> String {
    let mut text = String::from(
        "# The rules of the review\n\nThis page is printed by `mimar rules --format md` from the rules themselves; the examples are their tests. \
         [How the review is used](review.md) is another page.\n",
    );
    for group in GROUPS {
        let _ = write!(
            text,
            "\n## {}: {}\n\n| code | name | level | fault |\n|---|---|---|---|\n",
            group.prefix, group.title
        );
        for rule in group.rules {
            let code = rule.code;
            let _ = writeln!(
                text,
                "| [{id}](#{anchor}) | {name} | {level} | {title} |",
                id = code.id,
                anchor = anchor(code.docs),
                name = rule.name(),
                level = rule.level.word(),
                title = code.title,
            );
        }
    }
    text.push_str("\n## Reserved\n\nCodes that no rule has, and that are never given to another fault.\n\n| code | name | why |\n|---|---|---|\n");
    for (code, name, why) in RESERVED {
        let _ = writeln!(text, "| {code} | {name} | {why} |");
    }
    for rule in crate::rules() {
        text.push('\n');
        let mut fenced = false;
        for line in rule.code.docs.trim_end().lines() {
            fenced ^= line.starts_with("```");
            // Headings of a page stand two levels below those of the catalogue.
            if line.starts_with('#') && !fenced {
                text.push_str("##");
            }
            text.push_str(line);
            text.push('\n');
        }
    }
    text
}

/// All rules as one JSON array: code, name, group, level, title, page.
#[must_use]
pub fn catalogue_json() -> Value {
    let of_group = |group: &'static crate::Group| {
        group.rules.iter().map(move |rule| {
            json!({
                "code": rule.code.id,
                "name": rule.name(),
                "group": group.prefix,
                "level": rule.level.word(),
                "title": rule.code.title,
                "page": rule.code.docs,
            })
        })
    };
    GROUPS.iter().flat_map(of_group).collect()
}

/// The JSON Schema (draft 7, which most validators and editors know) of a baseline file, with every code, group and level under
/// `definitions`, for those who describe what `check` prints.
#[must_use]
pub fn catalogue_schema() -> Value {
    let codes: Vec<Value> = crate::rules()
        .map(|rule| json!({"const": rule.code.id, "title": rule.name(), "description": rule.code.title}))
        .collect();
    let groups: Vec<Value> = GROUPS
        .iter()
        .map(|group| json!({"const": group.prefix, "description": group.title}))
        .collect();
    let levels: Vec<&str> = crate::Level::ALL.iter().map(|level| level.word()).collect();
    json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "A baseline of `mimar check`",
        "type": "object",
        "properties": {
            "version": {"const": crate::Baseline::VERSION},
            "findings": {
                "description": "How many findings of each rule are known, by the item that they are about.",
                "type": "object",
                "propertyNames": {"$ref": "#/definitions/code"},
                "additionalProperties": {
                    "type": "object",
                    "additionalProperties": {"type": "integer", "minimum": 0}
                }
            }
        },
        "required": ["version", "findings"],
        "additionalProperties": false,
        "definitions": {
            "code": {"oneOf": codes},
            "group": {"oneOf": groups},
            "level": {"enum": levels}
        }
    })
}

/// The anchor that Markdown viewers make of a page's first heading: `# DAT001: Missing index` is `dat001-missing-index`.
fn anchor(page: &str) -> String {
    let heading = page.lines().next().unwrap_or("").trim_start_matches('#').trim();
    let kept = heading.chars().filter(|it| it.is_alphanumeric() || *it == ' ' || *it == '-');
    kept.map(|it| if it == ' ' { '-' } else { it.to_ascii_lowercase() }).collect()
}

//! Tables that others made, served as they are.

use std::collections::BTreeSet;

use operation::{Kept, Scalar, Table};

use crate::existing::{Existing, ExistingColumn, Others};
use crate::{Meaning, Names, Schema};

/// The names under which the tables of a database that others made can be served as those of a model, without a change
/// to them. `existing` is what the database holds, each table as [`crate::ddl::sqlite`] would define it.
///
/// # Errors
/// What stands in the way, a sentence each.
pub fn adopt(existing: &[(String, String)], wanted: &Schema) -> Result<Names, Vec<String>> {
    let tables: Vec<Existing> =
        existing.iter().filter_map(|(_, sql)| Existing::parse(sql)).collect();
    let mut names = Names::default();
    let mut reasons = Vec::new();
    for table in &wanted.tables {
        let name = table.name.to_string();
        match tables.iter().find(|there| there.name == name) {
            Some(there) => one(table, there, wanted, &mut names, &mut reasons),
            None => reasons.push(format!("there is no table `{name}` for {}", table.entity)),
        }
    }
    if reasons.is_empty() { Ok(names) } else { Err(reasons) }
}

/// Whether tables were made by somebody else: none of them counts the versions of its rows.
pub fn are_foreign(existing: &[(String, String)]) -> bool {
    let mut tables = existing.iter().filter_map(|(_, sql)| Existing::parse(sql));
    !existing.is_empty() && tables.all(|table| table.column("row_version").is_none())
}

fn one(
    table: &Table,
    there: &Existing,
    wanted: &Schema,
    names: &mut Names,
    reasons: &mut Vec<String>,
) {
    let name = table.name.to_string();
    let name = name.as_str();
    let mut used = BTreeSet::new();
    let mut key = Vec::new();
    for (at, column) in table.columns.iter().enumerate() {
        if table.version == Some(at) {
            names.unversioned.insert(name.to_owned());
            continue;
        }
        let found = there.column(column.name.as_str()).or_else(|| {
            // The way from a part to its root is called after the root here, and anything there.
            let is_way = table.root == Some(at);
            is_way.then(|| way_to_root(table, there, wanted)).flatten()
        });
        let Some(found) = found else {
            reasons.push(format!("`{name}` has no column `{}`", column.name));
            continue;
        };
        used.insert(found.name.clone());
        names.put(name, column.name.as_str(), &found.name);
        if table.key.contains(&at) {
            key.push(found.name.clone());
        }
        let is_key = table.key.contains(&at);
        if let Some(others) = found.others() {
            let refers = table.foreign_keys.iter().any(|key| key.column == at);
            let looked_up = is_key || refers;
            match form_of(others, column.scalar, looked_up) {
                Ok(None) => {}
                Ok(Some(_)) if looked_up => reasons.push(format!(
                    "`{name}.{}` holds {}, by which its rows are looked up: as {} no index would serve that",
                    found.name,
                    held(others),
                    column.scalar.name()
                )),
                Ok(Some(form)) => {
                    let forms = names.kept.entry(name.to_owned()).or_default();
                    forms.insert(column.name.as_str().to_owned(), form);
                }
                Err(()) => reasons.push(format!(
                    "`{name}.{}` holds {}, which cannot be served as {}",
                    found.name,
                    held(others),
                    column.scalar.name()
                )),
            }
        } else if let Some((native, labels)) = found.native() {
            let wanted = wanted.labels(table.id, at);
            if wanted.is_some_and(|wanted| same_labels(wanted, &labels)) {
                let natives = names.natives.entry(name.to_owned()).or_default();
                natives.insert(column.name.as_str().to_owned(), native);
            } else {
                reasons.push(format!(
                    "`{name}.{}` is an enum of the database: its field is to be one of the same labels, `enum {{ {} }}`",
                    found.name,
                    labels.join(", ")
                ));
            }
        } else if !holds(found, column.scalar) {
            reasons.push(format!(
                "`{name}.{}` is {}, which cannot be served as {}",
                found.name,
                found.meaning,
                column.scalar.name()
            ));
        }
        match (found.nullable() && !there.is_key(&found.name), column.nullable) {
            (true, false) if !is_key => reasons.push(format!(
                "`{name}.{}` may be NULL, and its field is required: make it optional (`?`)",
                found.name
            )),
            (false, true) => reasons.push(format!(
                "`{name}.{}` may not be NULL, and its field is optional: make it required",
                found.name
            )),
            _ => {}
        }
        if table.auto == Some(at) && !(found.is_counted() || found.has_default()) {
            reasons.push(format!(
                "`{name}.{}` is not counted by the database, and its field says `auto`",
                found.name
            ));
        }
    }
    for column in &there.columns {
        let is_needed = !column.nullable() && !column.has_default() && !column.is_counted();
        if !used.contains(&column.name) && (is_needed || there.is_key(&column.name)) {
            reasons.push(format!(
                "`{name}.{}` must have a value, and no field gives it one",
                column.name
            ));
        }
    }
    let mut stands = there.key();
    stands.sort();
    key.sort();
    if stands != key {
        reasons.push(format!("the key of `{name}` is ({}) there", there.key().join(", ")));
    }
}

/// The form in which SQLite is to be given values of a scalar, so that they stand in a column as those that are there; `None`: as they
/// are. Whatever a type says, SQLite lets others put anything there, and a text is greater than any number: so that nobody's
/// conditions are misled, only columns by which rows are looked up are asked for as they stand, and texts.
fn form_of(others: Others<'_>, scalar: Scalar, looked_up: bool) -> Result<Option<Kept>, ()> {
    let Others { affinity, looks, unlike } = others;
    let is_text = looks.starts_with("text");
    let is_number = matches!(looks, "integer" | "real");
    let is_blob = looks.starts_with("blob");
    let is_nothing = looks == "nothing";
    let form = match scalar {
        Scalar::Int if looked_up && affinity == "INTEGER" && !is_text && !is_blob => None,
        Scalar::Text if affinity == "TEXT" && !unlike && !is_blob => None,
        // Elsewhere a text of digits would become a number.
        Scalar::Text if matches!(affinity, "TEXT" | "BLOB") && !is_blob => Some(Kept::Text),
        Scalar::Bytes if !is_text && !is_number && affinity == "BLOB" => None,
        Scalar::Uuid if is_text || is_nothing && affinity != "BLOB" => Some(Kept::Text),
        Scalar::Uuid if looks == "blob16" || is_nothing => (!looked_up).then_some(Kept::Number),
        Scalar::Json if is_text || is_nothing => Some(Kept::Text),
        Scalar::Int | Scalar::Float if is_number || is_nothing => Some(Kept::Number),
        Scalar::Bool | Scalar::Decimal { .. } if is_text || is_nothing && affinity == "TEXT" => {
            Some(Kept::Text)
        }
        Scalar::Bool | Scalar::Decimal { .. } if is_number || is_nothing => Some(Kept::Number),
        Scalar::Date | Scalar::Timestamp => match (looks, affinity) {
            ("nothing", "INTEGER") | ("integer", _) => Some(Kept::Number),
            ("nothing", "REAL") | ("real", _) => Some(Kept::Julian),
            ("textT", _) => Some(Kept::Iso),
            ("text", _) if scalar == Scalar::Date => Some(Kept::Midnight),
            ("nothing" | "text" | "text10", _) => Some(Kept::Text),
            _ => return Err(()),
        },
        Scalar::Time | Scalar::Duration
            if is_text || is_nothing && matches!(affinity, "TEXT" | "NUMERIC" | "BLOB") =>
        {
            Some(Kept::Text)
        }
        _ => return Err(()),
    };
    Ok(form)
}

/// What a column holds, for people.
fn held(Others { affinity, looks, unlike }: Others<'_>) -> String {
    let held = match looks {
        "nothing" => return format!("nothing yet, and is of affinity {affinity}"),
        "integer" => "whole numbers",
        "real" => "numbers with a point",
        "blob" | "blob16" => "bytes",
        _ if !matches!(affinity, "TEXT" | "BLOB") => {
            return format!(
                "texts in a column of affinity {affinity}, where digits become numbers"
            );
        }
        _ if unlike => "texts that are compared by rules of their own (COLLATE)",
        _ => "texts",
    };
    held.to_owned()
}

/// The column of a part that refers to its root.
fn way_to_root<'e>(
    table: &Table,
    there: &'e Existing,
    wanted: &Schema,
) -> Option<&'e ExistingColumn> {
    let target = table.foreign_keys.iter().find(|key| Some(key.column) == table.root)?.target;
    let root = wanted.tables.get(target.0 as usize)?.name.to_string();
    let refers = |column: &&ExistingColumn| {
        column.reference().is_some_and(|(to, ..)| to == root)
            && table.columns.iter().all(|other| other.name.as_str() != column.name)
    };
    there.columns.iter().find(refers)
}

/// Whether two enums have the same labels, in whatever order: values are compared as texts.
fn same_labels(one: &[String], other: &[String]) -> bool {
    one.len() == other.len() && one.iter().all(|label| other.contains(label))
}

/// Whether a stored column can be read and written as values of a scalar.
fn holds(column: &ExistingColumn, scalar: Scalar) -> bool {
    match column.meaning() {
        Some(Meaning::Scalar(Scalar::Decimal { scale })) => {
            return matches!(scalar, Scalar::Decimal { scale: wanted } if wanted == scale);
        }
        Some(Meaning::Scalar(stored)) => return stored == scalar,
        Some(Meaning::Labels(_)) => return scalar == Scalar::Text,
        None => {}
    }
    let written = column.meaning.as_str();
    let base = written.split('(').next().unwrap_or(written).trim();
    match base {
        "integer" | "smallint" => scalar == Scalar::Int,
        "real" => scalar == Scalar::Float,
        "character varying" | "character" | "citext" | "name" => scalar == Scalar::Text,
        "jsonb" => scalar == Scalar::Json,
        "timestamp without time zone" => scalar == Scalar::Timestamp,
        _ if written.starts_with("timestamp(") => scalar == Scalar::Timestamp,
        "numeric" => match scalar {
            Scalar::Decimal { scale } => written
                .split_once(',')
                .and_then(|(_, rest)| rest.trim_end_matches(')').trim().parse::<u8>().ok())
                .is_none_or(|stored| stored == scale),
            _ => false,
        },
        _ => false,
    }
}

//! What was changed by hand, for people.

use store::Store;

use super::{MigrateFault, Noted, added, names, note, read, tables};

/// What was changed by hand since the tables were noted, as a diff of definitions; nothing where they were not.
///
/// # Errors
/// [`MigrateFault::Store`], [`MigrateFault::Record`].
pub fn drift(store: &Store) -> Result<Vec<String>, MigrateFault> {
    let mut lines = Vec::new();
    if let Some(noted) = read::<Noted>(store, note::TABLES)?
        && store.meta(note::SCHEMA)?.as_deref() == Some(&noted.schema)
    {
        lines = difference(&noted.tables, &tables(store, &names(store)?, None)?);
    }
    lines.extend(added(store)?);
    Ok(lines)
}

/// Lines that went with `-`, lines that came with `+`, each under the table it belongs to.
pub(super) fn difference(before: &[(String, String)], after: &[(String, String)]) -> Vec<String> {
    let pieces = |sql: &str| -> Vec<String> {
        // Each column on a line of its own, however the definition was spaced.
        let sql = sql.replace('\n', " ");
        let sql = sql.trim_end_matches(", WITHOUT ROWID").trim_end_matches(") STRICT");
        sql.split(", ").map(|piece| piece.trim().to_owned()).collect()
    };
    let find = |list: &[(String, String)], name: &str| {
        list.iter().find(|(other, _)| other == name).map(|(_, sql)| pieces(sql))
    };
    let mut lines = Vec::new();
    let mut names: Vec<&String> = before.iter().chain(after).map(|(name, _)| name).collect();
    names.sort();
    names.dedup();
    for name in names {
        let (old, new) = (find(before, name), find(after, name));
        match (old, new) {
            (Some(_), None) => lines.push(format!("- {name}")),
            (None, Some(_)) => lines.push(format!("+ {name}")),
            (Some(old), Some(new)) if old != new => {
                lines.push(format!("  {name}"));
                let gone = old.iter().filter(|piece| !new.contains(piece));
                lines.extend(gone.map(|piece| format!("-   {piece}")));
                let come = new.iter().filter(|piece| !old.contains(piece));
                lines.extend(come.map(|piece| format!("+   {piece}")));
            }
            _ => {}
        }
    }
    lines
}

/// The same of what stands beside tables: its name, and how it is defined.
pub(super) fn of_additions(before: &[(String, String)], after: &[(String, String)]) -> Vec<String> {
    let said = |sign, list: &[(String, String)], other: &[(String, String)]| -> Vec<String> {
        let fresh = list.iter().filter(|it| !other.contains(it));
        fresh
            .map(|(name, definition)| format!("{sign} {name}: {}", on_one_line(definition)))
            .collect()
    };
    let mut lines = said('-', before, after);
    lines.extend(said('+', after, before));
    lines
}

fn on_one_line(definition: &str) -> String {
    definition.split_whitespace().collect::<Vec<_>>().join(" ")
}

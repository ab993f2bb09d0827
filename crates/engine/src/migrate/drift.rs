//! What was changed by hand, for people.

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

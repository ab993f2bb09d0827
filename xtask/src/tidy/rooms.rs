//! Each room knows only those rooms that ARCHITECTURE.md lets it know.

use std::collections::{BTreeMap, BTreeSet};

use super::{File, Finding};

const TABLE: &str = "ARCHITECTURE.md";

/// Rooms that compute and never wait: no runtime, no socket.
const PURE: [&str; 11] = [
    "capacity",
    "contract",
    "deliver",
    "ide",
    "import",
    "model",
    "operation",
    "plan",
    "review",
    "schema",
    "syntax",
];

/// What brings waiting with it.
const WAITING: [&str; 11] = [
    "async-std",
    "axum",
    "futures",
    "futures-util",
    "hyper",
    "hyper-util",
    "mio",
    "reqwest",
    "smol",
    "tokio",
    "tokio-util",
];

/// What a room may know of.
#[derive(Debug, PartialEq, Eq)]
enum May {
    All,
    Only(BTreeSet<String>),
}

pub(super) fn check(files: &[File]) -> Vec<Finding> {
    let Some(architecture) = files.iter().find(|file| file.path == TABLE) else {
        return vec![Finding::new(TABLE, 0, "there is none; it says which room may know which")];
    };
    let table = table(architecture);
    let manifests: BTreeMap<&str, &File> = files.iter().filter_map(room).collect();
    let mut findings = Vec::new();
    for (name, (line, _)) in &table {
        if !manifests.contains_key(name.as_str()) {
            let message = format!("there is no room `{name}`; a room is listed when it stands");
            findings.push(Finding::new(TABLE, *line, message));
        }
    }
    for (name, manifest) in &manifests {
        let Some((_, may)) = table.get(*name) else {
            let message = format!("the room `{name}` is not in the table of {TABLE}");
            findings.push(Finding::new(&manifest.path, 0, message));
            continue;
        };
        for (line, dependency) in dependencies(manifest) {
            if PURE.contains(name) && WAITING.contains(&dependency) {
                let message =
                    format!("`{name}` computes and never waits; `{dependency}` has no place in it");
                findings.push(Finding::new(&manifest.path, line, message));
            }
            if let May::Only(known) = may
                && manifests.contains_key(dependency)
                && !known.contains(dependency)
            {
                let message =
                    format!("`{name}` may not know `{dependency}`, says the table of {TABLE}");
                findings.push(Finding::new(&manifest.path, line, message));
            }
        }
    }
    findings
}

/// The manifest of a room, with the name of its folder.
fn room(file: &File) -> Option<(&str, &File)> {
    let name = file.path.strip_prefix("crates/")?.strip_suffix("/Cargo.toml")?;
    Some((name, file))
}

/// The rows of the table whose first column is headed `crate`: line, and what the third column says.
fn table(architecture: &File) -> BTreeMap<String, (usize, May)> {
    let mut rows = BTreeMap::new();
    let mut inside = false;
    for (number, line) in architecture.lines() {
        let Some(row) = line.trim().strip_prefix('|').and_then(|row| row.strip_suffix('|')) else {
            inside = false;
            continue;
        };
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        if cells.first() == Some(&"crate") {
            inside = true;
        } else if let [name, _, may] = cells.as_slice()
            && inside
            && !name.starts_with('-')
        {
            rows.insert(name.trim_matches('`').to_string(), (number, allowed(may)));
        }
    }
    rows
}

/// `none`, `all`, or names with commas between; what follows a semicolon is for people.
fn allowed(cell: &str) -> May {
    let (names, _) = cell.split_once(';').unwrap_or((cell, ""));
    match names.trim() {
        "all" => May::All,
        names => May::Only(
            names
                .split(',')
                .map(|name| name.trim().trim_matches('`').to_string())
                .filter(|name| !name.is_empty() && name != "none")
                .collect(),
        ),
    }
}

/// Names under `[dependencies]` and `[build-dependencies]`. Those for tests alone may be any.
fn dependencies(manifest: &File) -> Vec<(usize, &str)> {
    let mut names = Vec::new();
    let mut counts = false;
    for (number, line) in manifest.lines() {
        if line.starts_with('[') {
            counts = (line.contains("dependencies]") || line.contains("dependencies."))
                && !line.contains("dev-dependencies");
            if let Some((_, name)) = line.trim_end_matches(']').split_once("dependencies.")
                && counts
            {
                names.push((number, name));
            }
        } else if counts
            && let Some((name, _)) = line.split_once(['=', '.'])
            && !line.starts_with('#')
        {
            names.push((number, name.trim()));
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::super::found;
    use super::check;

    const ARCHITECTURE: &str = "\
| crate | purpose | may depend on |
|---|---|---|
| `operation` | words | none |
| `plan` | lowers | operation |
| `serve` | doors | plan, operation; never store |
| `cli` | all of it | all |
";

    fn house<'a>(extra: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
        let mut files = vec![
            ("ARCHITECTURE.md", ARCHITECTURE),
            ("crates/operation/Cargo.toml", "[dependencies]\nitoa.workspace = true\n"),
            ("crates/plan/Cargo.toml", "[dependencies]\noperation.workspace = true\n"),
            ("crates/serve/Cargo.toml", "[dependencies]\nplan = { path = \"../plan\" }\n"),
            ("crates/cli/Cargo.toml", "[dependencies]\nserve.workspace = true\n"),
        ];
        for (path, text) in extra {
            files.retain(|(known, _)| known != path);
            files.push((path, text));
        }
        files
    }

    #[test]
    fn a_tidy_house() {
        assert!(found(check, &house(&[])).is_empty());
    }

    #[test]
    fn a_room_knows_too_much() {
        let manifest =
            "[dependencies]\nserve.workspace = true\n[dev-dependencies]\ncli.workspace = true\n";
        let findings = found(check, &house(&[("crates/plan/Cargo.toml", manifest)]));
        assert_eq!(
            findings,
            [
                "crates/plan/Cargo.toml:2: `plan` may not know `serve`, says the table of ARCHITECTURE.md"
            ]
        );
    }

    #[test]
    fn a_pure_room_waits() {
        let manifest = "[dependencies]\ntokio.workspace = true\n";
        let findings = found(check, &house(&[("crates/plan/Cargo.toml", manifest)]));
        assert_eq!(findings.len(), 1);
        assert!(findings[0].contains("never waits"), "{findings:?}");
        assert!(found(check, &house(&[("crates/serve/Cargo.toml", manifest)])).is_empty());
    }

    #[test]
    fn rooms_and_rows_go_together() {
        let unlisted = found(check, &house(&[("crates/ide/Cargo.toml", "")]));
        assert_eq!(
            unlisted,
            ["crates/ide/Cargo.toml: the room `ide` is not in the table of ARCHITECTURE.md"]
        );
        let mut files = house(&[]);
        files.retain(|(path, _)| *path != "crates/cli/Cargo.toml");
        assert_eq!(found(check, &files).len(), 1);
    }
}

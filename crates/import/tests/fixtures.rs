//! Scripts of others, and the models that they become. `UPDATE_EXPECT=1` writes what is expected anew.

#![expect(clippy::unwrap_used, reason = "a test ends where it cannot go on")]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use import::{Dialect, Imported};
use syntax::Severity;

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

/// The model must be one.
fn check(name: &str, imported: &Imported) {
    let parse = syntax::parse(syntax::FileId(0), imported.text.as_str());
    let (model, mut found) = model::check(&[&parse]);
    found.extend(parse.diagnostics.iter().cloned());
    let faults: Vec<String> = found
        .iter()
        .filter(|diagnostic| diagnostic.severity == Severity::Error)
        .map(|diagnostic| format!("{} {}", diagnostic.code, diagnostic.message))
        .collect();
    assert_eq!(faults, Vec::<String>::new(), "{name}\n{}", imported.text);
    assert_eq!(model.entities.len(), imported.entities, "{name}");
    assert_eq!(syntax::format(&parse).as_deref(), Ok(&*imported.text), "{name}: not formatted");
}

/// What is said beside the model.
fn beside(imported: &Imported) -> String {
    let mut text = String::new();
    for remark in &imported.remarks {
        writeln!(text, "{remark}").unwrap();
    }
    for (kind, names) in &imported.skipped {
        writeln!(text, "skipped {kind}: {}", names.join(", ")).unwrap();
    }
    text
}

#[test]
fn scripts_become_models() {
    let mut files: Vec<PathBuf> = fs::read_dir(fixtures())
        .unwrap()
        .map(|file| file.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "sql"))
        .collect();
    files.sort();
    assert!(files.len() >= 4, "{files:?}");
    for file in files {
        let name = file.file_stem().unwrap().to_str().unwrap();
        let sql = fs::read_to_string(&file).unwrap();
        let dialect = import::dialect_of(&sql);
        let wanted = if name.ends_with("sqlite") { Dialect::Sqlite } else { Dialect::Postgres };
        assert_eq!(dialect, wanted, "{name}");
        let imported = import::import(&sql, dialect, name.split('-').next().unwrap());
        check(name, &imported);
        for (extension, text) in [("mimar", imported.text.clone()), ("remarks", beside(&imported))]
        {
            let expected = file.with_extension(extension);
            if std::env::var_os("UPDATE_EXPECT").is_some() {
                fs::write(&expected, &text).unwrap();
            }
            assert_eq!(
                fs::read_to_string(&expected).unwrap_or_default(),
                text,
                "{name}.{extension}"
            );
        }
    }
}

/// What goes with something that is left out is named as well.
#[test]
fn parts_of_what_is_left_out_are_named() {
    let sql = "CREATE TABLE parcel (id BLOB PRIMARY KEY);
        CREATE TABLE item (parcel BLOB NOT NULL REFERENCES parcel (id) ON DELETE CASCADE, number INTEGER NOT NULL,
          PRIMARY KEY (parcel, number));
        CREATE TABLE note (id INTEGER PRIMARY KEY, body TEXT NOT NULL);";
    let imported = import::import(sql, Dialect::Sqlite, "post");
    check("post", &imported);
    assert_eq!(imported.entities, 1, "{}", imported.text);
    let beside = beside(&imported);
    let named = "item: is a part of `parcel`, which is not expressed: it is left out with it";
    assert!(beside.lines().any(|line| line == named), "{beside}");
    assert!(beside.contains("parcel: this table is not expressed"), "{beside}");
}

/// Two megabytes of all that dumps hold: nothing fails, and it takes a moment.
#[test]
fn a_large_dump_is_read_in_a_moment() {
    let tables = 800;
    let dump = testbed::large_dump(tables);
    assert!(dump.len() > 2_000_000, "{}", dump.len());
    let began = Instant::now();
    let imported = import::import(&dump, Dialect::Postgres, "big");
    let took = began.elapsed();
    assert_eq!(imported.entities, tables);
    let counts: BTreeMap<&str, usize> =
        imported.skipped.iter().map(|(kind, names)| (&**kind, names.len())).collect();
    let all = [("extension", 1), ("function", tables), ("partition", tables), ("trigger", tables)];
    assert_eq!(counts, BTreeMap::from(all));
    // About a second without optimisation; what is held off is work that grows with the square. The binary that is released is
    // held to two seconds (`torture::footprint`).
    assert!(took < Duration::from_secs(30), "{took:?}");
    check("big", &imported);
}

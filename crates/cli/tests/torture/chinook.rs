//! The record shop, whole: eleven tables, 15,607 rows, in and out again.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::harness::{Project, beside, both, example, token};

/// Entities, the path that lists them, and how many there are.
const ROOTS: [(&str, &str, usize); 9] = [
    ("Album", "/v1/albums", 347),
    ("Artist", "/v1/artists", 275),
    ("Customer", "/v1/customers", 59),
    ("Employee", "/v1/employees", 8),
    ("Genre", "/v1/genres", 25),
    ("Invoice", "/v1/invoices", 412),
    ("MediaType", "/v1/media-types", 5),
    ("Playlist", "/v1/playlists", 18),
    ("Track", "/v1/tracks", 3_503),
];
const PARTS: [(&str, &str, &str, usize); 2] = [
    ("InvoiceLine", "/v1/invoices", "lines", 2_240),
    ("PlaylistTrack", "/v1/playlists", "tracks", 8_715),
];

#[test]
fn all_eleven_tables_and_15_607_rows_are_served() {
    both(|| {
        let _turn = beside();
        let project = Project::example("chinook");
        project.load(&example("chinook").join("data"));
        let server = project.serve();
        let manager = token("manager", Some("1"));
        let mut rows = 0;
        let mut by_path = BTreeMap::new();
        for (entity, path, count) in ROOTS {
            let listed = server.all(&manager, path);
            assert_eq!(listed.len(), count, "{entity}");
            let mut keys: Vec<i64> = listed.iter().map(|row| row["id"].as_i64().unwrap()).collect();
            keys.sort_unstable();
            keys.dedup();
            assert_eq!(keys.len(), count, "{entity}: a page repeats rows");
            rows += count;
            by_path.insert(path, keys);
        }
        for (entity, path, member, count) in PARTS {
            // Once through their roots' lists …
            let included: usize = server
                .all(&manager, &format!("{path}?include={member}"))
                .iter()
                .map(|root| root[member].as_array().unwrap().len())
                .sum();
            assert_eq!(included, count, "{entity}, included");
            // … and once by their own paths, for the largest of them page by page.
            let paged: usize = by_path[path]
                .iter()
                .map(|key| server.all(&manager, &format!("{path}/{key}/{member}")).len())
                .sum();
            assert_eq!(paged, count, "{entity}, by its own path");
            rows += count;
        }
        assert_eq!(rows, 15_607);
    });
}

#[test]
fn totals_are_what_the_lines_come_to() {
    both(|| {
        let _turn = beside();
        let project = Project::example("chinook");
        project.load(&example("chinook").join("data"));
        let server = project.serve();
        let manager = token("manager", Some("1"));
        for invoice in server.all(&manager, "/v1/invoices?include=lines") {
            let cents =
                |value: &Value| value.as_str().unwrap().replace('.', "").parse::<i64>().unwrap();
            let lines = invoice["lines"].as_array().unwrap();
            let sum: i64 = lines
                .iter()
                .map(|line| cents(&line["unit_price"]) * line["quantity"].as_i64().unwrap())
                .sum();
            assert_eq!(cents(&invoice["total"]), sum, "{invoice}");
        }
    });
}

#[test]
fn what_is_dumped_is_what_was_loaded() {
    both(|| {
        let _turn = beside();
        let first = Project::example("chinook");
        first.load(&example("chinook").join("data"));
        for format in ["csv", "jsonl"] {
            let out = first.scratch(&format!("dump-{format}"));
            first.dump(&out, format);
            let second = Project::example("chinook");
            second.load(&out);
            let again = first.scratch(&format!("again-{format}"));
            second.dump(&again, format);
            let (once, twice) = (files(&out), files(&again));
            assert_eq!(once.len(), 11, "{format}: {:?}", once.keys());
            for (name, text) in &once {
                assert!(twice[name] == *text, "{format}: {name} is not what it was");
            }
            if format == "csv" {
                for (name, text) in &files(&example("chinook").join("data")) {
                    same_rows(name, text, &once[name]);
                }
            }
        }
    });
}

fn files(folder: &Path) -> BTreeMap<String, String> {
    fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|end| end == "csv" || end == "jsonl"))
        .map(|path| {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            (name, fs::read_to_string(path).unwrap())
        })
        .collect()
}

/// Every row of the shipped file is in the dump, cell by cell; the dump may have more columns (what is computed).
fn same_rows(name: &str, shipped: &str, dumped: &str) {
    let (shipped_head, mut shipped) = table(shipped);
    let (dumped_head, dumped) = table(dumped);
    let columns: Vec<usize> = shipped_head
        .iter()
        .map(|column| {
            let at = dumped_head.iter().position(|known| known == column);
            at.unwrap_or_else(|| panic!("{name}: no column {column} in {dumped_head:?}"))
        })
        .collect();
    let mut dumped: Vec<Vec<String>> =
        dumped.into_iter().map(|row| columns.iter().map(|at| row[*at].clone()).collect()).collect();
    shipped.sort();
    dumped.sort();
    assert_eq!(shipped.len(), dumped.len(), "{name}");
    for (shipped, dumped) in shipped.iter().zip(&dumped) {
        assert_eq!(shipped, dumped, "{name}");
    }
}

fn table(text: &str) -> (Vec<String>, Vec<Vec<String>>) {
    let mut reader = csv::ReaderBuilder::new().from_reader(text.as_bytes());
    let head = reader.headers().unwrap().iter().map(str::to_string).collect();
    let rows = reader
        .records()
        .map(|record| record.unwrap().iter().map(str::to_string).collect())
        .collect();
    (head, rows)
}

//! A database of others, imported and reviewed: each finding was judged, and the judgement stands in `docs/review.md`.

use std::collections::BTreeMap;

use import::Dialect;

use crate::project::Project;

#[test]
fn the_findings_on_an_imported_database_are_those_that_were_judged() {
    let sql = include_str!("../../../import/tests/fixtures/chinook-postgresql.sql");
    let imported = import::import(sql, Dialect::Postgres, "chinook");
    let project = Project::of(&[&imported.text]);
    let report = project.report();
    let mut found: BTreeMap<&str, usize> = BTreeMap::new();
    for finding in &report.findings {
        *found.entry(finding.rule.code.id).or_default() += 1;
    }
    let page = include_str!("../../../../docs/review.md");
    let section = page.split("## A database of others, judged").nth(1).unwrap();
    let judged: BTreeMap<&str, usize> = section
        .lines()
        .filter_map(|line| {
            let mut cells = line.strip_prefix("| ")?.split(" | ");
            Some((cells.next()?, cells.next()?.parse().ok()?))
        })
        .collect();
    assert_eq!(found, judged, "{}", project.drawn(&report));
}

//! `mimar import`: from running databases, files and scripts; and back again.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use serde_json::Value;

use crate::process::{Project, end, mimar, run};

pub(crate) fn fixture(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../import/tests/fixtures").join(name)
}

/// A PostgreSQL database made by a script: its address, and its name.
pub(crate) fn database(script: &str) -> (String, String) {
    let url = testbed::postgres().database();
    let name = url.rsplit('/').next().unwrap().to_owned();
    // What `psql` and administrators do around the definitions.
    let skipped = ["DROP DATABASE", "CREATE DATABASE", "\\c", "COPY ", "1\t", "\\."];
    let sql = fs::read_to_string(fixture(script)).unwrap();
    let lines: Vec<&str> = sql
        .trim_start_matches('\u{feff}')
        .lines()
        .filter(|line| !skipped.iter().any(|start| line.starts_with(start)))
        .collect();
    testbed::postgres().psql(&name, &lines.join("\n"));
    (url, name)
}

#[track_caller]
pub(crate) fn imported(arguments: &[&str]) -> Value {
    let mut all = vec!["import"];
    all.extend(arguments);
    all.extend(["--format", "json"]);
    let ended = run(&all);
    assert_eq!(ended.code, 0, "{}", ended.err);
    serde_json::from_str(&ended.out).unwrap()
}

/// What tables are, a line for each fact: whether columns may be null, their kinds, keys, references, uniques, indexes, and which
/// columns have a default (`NULL` and what is counted are none) or stand in a check, their domains' included.
fn facts_of(name: &str) -> BTreeSet<String> {
    let sql = "
WITH t AS (SELECT c.oid, CASE n.nspname WHEN 'public' THEN '' ELSE n.nspname || '.' END || c.relname AS name
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND n.nspname IN ('public', 'billing')),
cols AS (SELECT t.oid, a.attnum, a.attname FROM t JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum > 0)
SELECT t.name || '.' || a.attname || CASE WHEN a.attnotnull OR y.typnotnull THEN ' required ' ELSE ' optional ' END ||
  CASE format_type(coalesce(nullif(y.typbasetype, 0), a.atttypid), NULL)
    WHEN 'integer' THEN 'int' WHEN 'bigint' THEN 'int' WHEN 'smallint' THEN 'int' WHEN 'character varying' THEN 'text'
    WHEN 'numeric' THEN 'decimal' WHEN 'double precision' THEN 'float' WHEN 'real' THEN 'float' WHEN 'boolean' THEN 'bool'
    WHEN 'timestamp without time zone' THEN 'timestamp' WHEN 'timestamp with time zone' THEN 'timestamp' WHEN 'jsonb' THEN 'json'
    WHEN 'interval' THEN 'duration' WHEN 'money' THEN 'decimal'
    ELSE CASE WHEN y.typtype = 'e' OR y.typname IN ('citext', 'inet') THEN 'text' ELSE y.typname END END
FROM t JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped JOIN pg_type y ON y.oid = a.atttypid
UNION ALL SELECT t.name || ' key ' || (SELECT string_agg(attname, ',' ORDER BY o) FROM unnest(k.conkey) WITH ORDINALITY u (n, o)
  JOIN cols ON cols.oid = t.oid AND attnum = n) FROM t JOIN pg_constraint k ON k.conrelid = t.oid AND contype = 'p'
UNION ALL SELECT t.name || '.' || c.attname || ' to ' || o.name || CASE confdeltype WHEN 'c' THEN ' cascade' WHEN 'n' THEN ' clear' ELSE '' END
  FROM t JOIN pg_constraint k ON k.conrelid = t.oid AND contype = 'f' JOIN cols c ON c.oid = t.oid AND c.attnum = k.conkey[1]
  JOIN t o ON o.oid = k.confrelid
UNION ALL SELECT t.name || CASE WHEN x.indisunique THEN ' unique ' ELSE ' index ' END ||
  coalesce((SELECT string_agg(coalesce(attname, '?'), ',' ORDER BY o) FROM unnest(x.indkey::int2[]) WITH ORDINALITY u (n, o)
  LEFT JOIN cols ON cols.oid = t.oid AND attnum = n), '?') || CASE WHEN x.indpred IS NULL THEN '' ELSE ' partial' END
  FROM t JOIN pg_index x ON x.indrelid = t.oid WHERE NOT x.indisprimary AND NOT x.indisexclusion
UNION ALL SELECT t.name || '.' || a.attname || ' default' FROM t JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum > 0
  AND NOT a.attisdropped AND a.attgenerated = '' JOIN pg_type y ON y.oid = a.atttypid
  LEFT JOIN pg_attrdef d ON d.adrelid = t.oid AND d.adnum = a.attnum
  WHERE a.attname <> 'row_version' AND coalesce(pg_get_expr(d.adbin, d.adrelid), y.typdefault) !~ '^(nextval\\(|NULL)'
UNION SELECT t.name || '.' || c.attname || ' checked' FROM t JOIN pg_constraint k ON k.conrelid = t.oid AND k.contype = 'c'
  JOIN cols c ON c.oid = t.oid AND c.attnum = ANY (k.conkey)
UNION SELECT t.name || '.' || a.attname || ' checked' FROM t JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum > 0
  JOIN pg_constraint k ON k.contypid = a.atttypid AND k.contype = 'c'";
    testbed::postgres().psql(name, sql).lines().map(str::to_owned).collect()
}

/// What the model itself keeps, and no table of Mimar's does: defaults, and checks with the bounds and labels that types are of.
fn facts_of_text(text: &str) -> BTreeSet<String> {
    let parse = syntax::parse(syntax::FileId(0), text);
    let (model, found) = model::check(&[&parse]);
    let model = model::Valid::new(model, &found).unwrap();
    let schema = schema::derive(&model, operation::Dialect::Postgres);
    let mut facts = BTreeSet::new();
    for id in model.entity_ids() {
        let (entity, table) = (&model[id], schema.table(id));
        let from = text.find(&format!("entity {} ", entity.name)).unwrap();
        let block = &text[from..from + text[from..].find("\n}").unwrap()];
        let checks = block.lines().filter(|line| line.trim_start().starts_with("check "));
        let checks = checks.collect::<Vec<_>>().join("\n");
        let words: Vec<&str> = checks.split(|c: char| !(c.is_alphanumeric() || c == '_')).collect();
        for field in &entity.fields {
            let Some(column) = schema.column(id, *field) else { continue };
            let column = table.columns[column].name.as_str();
            let field = &model[*field];
            if matches!(field.default, Some(model::Default::Expression(_) | model::Default::Uuid)) {
                facts.insert(format!("{}.{column} default", table.name));
            }
            let is_bounded = match &field.ty {
                model::Type::Int(bounds) => bounds != &model::Bounds::OPEN,
                model::Type::Float(bounds) => bounds != &model::Bounds::OPEN,
                model::Type::String(bounds) => bounds.least.is_some(),
                model::Type::Enum(_) => true,
                _ => false,
            };
            if is_bounded || words.contains(&field.name.as_str()) {
                facts.insert(format!("{}.{column} checked", table.name));
            }
        }
    }
    facts
}

/// The same of the tables that Mimar makes of the model, in a database of their own, and of the model itself.
fn facts_of_model(text: &str) -> BTreeSet<String> {
    let project = Project::new(text);
    let url = testbed::postgres().database();
    let empty = project.join("none");
    fs::create_dir(&empty).unwrap();
    let (path, empty) = (project.path(), empty.to_str().unwrap());
    let made = run(&["data", "load", empty, "--project", path, "--database", &url]);
    assert_eq!(made.code, 0, "{}", made.err);
    let mut facts = facts_of(url.rsplit('/').next().unwrap());
    facts.retain(|fact| !fact.contains(".row_version "));
    facts.extend(facts_of_text(text));
    facts
}

/// Every difference between the tables of a database and those of the model that was made of it must have been said.
fn goes_round(script: &str, unsaid: &[&str], (defaults, checks): (usize, usize)) {
    let (url, name) = database(script);
    let import = imported(&[&url]);
    let before = facts_of(&name);
    let after = facts_of_model(import["model"].as_str().unwrap());
    let subjects: Vec<&str> = import["remarks"]
        .as_array()
        .unwrap()
        .iter()
        .map(|remark| remark["subject"].as_str().unwrap())
        .collect();
    // Other schemas are services, whose tables stand in a schema again.
    let plain = |fact: &str| fact.replace("billing.", "");
    let subjects: Vec<String> = subjects.iter().map(|subject| plain(subject)).collect();
    let mut unexplained = Vec::new();
    for fact in before.symmetric_difference(&after) {
        let subject = &*plain(fact.split(' ').next().unwrap());
        let table = subject.split('.').next().unwrap();
        // A remark on a column speaks of the column; of keys and indexes those on any column of the table do.
        let is_said = subjects.iter().any(|said| {
            if subject.contains('.') {
                said == subject || said == table
            } else {
                said.split(['.', ':']).next() == Some(table)
            }
        });
        let is_known = unsaid.iter().any(|known| fact == known);
        // An index that Mimar adds by itself takes nothing away; bounds may come from the type of a column, and labels from an enum.
        let is_added =
            after.contains(fact) && (fact.contains(" index ") || fact.ends_with(" checked"));
        if !(is_said || is_known || is_added) {
            unexplained.push(fact);
        }
    }
    assert!(unexplained.is_empty(), "{unexplained:#?}\n{subjects:#?}");
    let same = |what: &str| before.intersection(&after).filter(|fact| fact.ends_with(what)).count();
    assert!(same("") > 20, "hardly anything is the same");
    assert!(same(" default") >= defaults && same(" checked") >= checks, "{before:#?}\n{after:#?}");
}

#[test]
fn chinook_goes_round() {
    goes_round("chinook-postgresql.sql", &[], (0, 0));
}

#[test]
fn an_odd_database_goes_round() {
    // Across services a reference is no foreign key, as the reference of the language says.
    goes_round("odd-postgresql.sql", &["billing.invoices.order_id to orders"], (4, 4));
}

#[test]
fn a_server_and_its_dump_are_one() {
    let (url, _) = database("odd-postgresql.sql");
    let script = fixture("odd-postgresql.sql");
    let (of_server, of_script) = (
        imported(&[&url, "--name", "odd"]),
        imported(&[script.to_str().unwrap(), "--name", "odd"]),
    );
    assert_eq!(of_server["model"], of_script["model"]);
    assert_eq!(of_server["entities"], of_script["entities"]);
}

#[test]
fn a_file_and_its_script_are_one() {
    let project = Project::new("");
    let file = project.join("shop.db");
    let script = fixture("chinook-sqlite.sql");
    let sql = fs::read_to_string(&script).unwrap();
    rusqlite::Connection::open(&file).unwrap().execute_batch(&sql).unwrap();
    let source = format!("sqlite:{}", file.display());
    let of_file = imported(&[&source, "--name", "shop"]);
    let of_script = imported(&[script.to_str().unwrap(), "--name", "shop"]);
    assert_eq!(of_file["model"], of_script["model"]);
    assert_eq!(of_file["entities"], 11);
}

#[test]
fn what_cannot_be_imported_is_said() {
    let project = Project::new("");
    project.write("none.sql", "CREATE VIEW v AS SELECT 1;\nSELECT 1;");
    let path = project.join("none.sql");
    let ended = run(&["import", path.to_str().unwrap()]);
    assert_eq!(ended.code, 3);
    assert!(ended.err.contains("defines no table that could be an entity"), "{}", ended.err);
    let there = project.join("app.mimar");
    let script = fixture("odd-sqlite.sql");
    let ended = run(&["import", script.to_str().unwrap(), "--output", there.to_str().unwrap()]);
    assert_eq!(ended.code, 3);
    assert!(ended.err.contains("exists already"), "{}", ended.err);
    let ended = end(mimar().args(["import", "sqlite:/nowhere/at/all.db"]));
    assert_eq!(ended.code, 3);
    // For people the remarks stand apart from the model.
    let ended = run(&["import", script.to_str().unwrap()]);
    assert!(ended.out.starts_with("// Nothing of this is open"), "{}", ended.out);
    assert!(ended.err.contains("1 × virtual table: search"), "{}", ended.err);
}

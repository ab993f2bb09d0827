//! Values of computed fields, whose formulas change.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use engine::migrate::{self, MigrateFault, Outcome, Progress, Terms};
use schema::{Dialect, Phase, Work};
use store::{Options, Store, StoreFault};

use crate::{Bench, name_of, quietly, tables, tables_as};

const BEFORE: &str =
    "entity Thing { key id: Int = auto  a: Int  b: Int  both: Int := .a + .b  allow read to user }";
const AFTER: &str =
    "entity Thing { key id: Int = auto  a: Int  b: Int  both: Int := .a / .b  allow read to user }";
const ROWS: &str =
    "INSERT INTO thing (a, b, \"both\") SELECT g * 2, 2, g * 2 + 2 FROM generate_series(1, 3000) g";
const WRONG: &str =
    "SELECT coalesce(string_agg(id::text, ' ' ORDER BY id), '') FROM thing WHERE \"both\" <> a / b";

#[test]
fn a_step_that_computes_goes_on_where_it_was_left() {
    quietly();
    let (before, after) = (tables(BEFORE), tables(AFTER));
    let bench = Bench::new(&before, ROWS);
    let plan = migrate::plan(&bench.store, &after, &BTreeMap::new()).unwrap();
    let [step] = plan.steps.as_slice() else { panic!("{plan:#?}") };
    assert_eq!((step.title.as_str(), step.phase), ("compute `both` of `thing`", Phase::Contract));
    assert!(matches!(step.work, Work::Compute { .. }), "{step:?}");
    let mut told = 0;
    let run = || {
        migrate::apply(&bench.store, &after, &BTreeMap::new(), &Terms::default(), &mut |progress| {
            if matches!(progress, Progress::Filled(..)) {
                told += 1;
                assert!(told < 3, "dies here");
            }
        })
    };
    assert!(catch_unwind(AssertUnwindSafe(run)).is_err());
    let left: i64 =
        bench.psql("SELECT count(*) FROM thing WHERE \"both\" <> a / b").parse().unwrap();
    assert!((1..3_000).contains(&left), "{left}");
    // What is behind it is not looked at again.
    bench.psql("UPDATE thing SET \"both\" = 0 WHERE id = 1");
    let outcome =
        migrate::apply(&bench.store, &after, &BTreeMap::new(), &Terms::default(), &mut |_| {});
    assert!(matches!(outcome, Ok(Outcome::Done(_))), "{outcome:?}");
    assert_eq!(bench.psql(WRONG), "1");
    assert_eq!(migrate::plan(&bench.store, &after, &BTreeMap::new()).unwrap().steps, []);
}

#[test]
fn a_row_without_a_value_is_named_and_a_better_formula_goes_on() {
    let (before, after) = (tables(BEFORE), tables(AFTER));
    let bench = Bench::new(&before, ROWS);
    bench.psql("UPDATE thing SET b = 0 WHERE id = 2500");
    let apply = |wanted| {
        migrate::apply(&bench.store, wanted, &BTreeMap::new(), &Terms::default(), &mut |_| {})
    };
    let Err(MigrateFault::Store(StoreFault::Formula { reason })) = apply(&after) else {
        panic!("nothing is what zero divides")
    };
    assert!(reason.starts_with("Thing.both of the row 2500: "), "{reason}");
    let better = tables(&AFTER.replace(".a / .b", "if .b == 0 then -1 else .a / .b"));
    let outcome = apply(&better);
    assert!(matches!(outcome, Ok(Outcome::Done(_))), "{outcome:?}");
    let wrong = "SELECT string_agg(concat(id, ' ', \"both\"), ', ') FROM thing WHERE b = 0 OR \"both\" <> a / b";
    assert_eq!(bench.psql(wrong), "2500 -1");
}

#[test]
fn servers_of_other_formulas_are_waited_for() {
    let (before, after) = (tables(BEFORE), tables(AFTER));
    let bench = Bench::new(&before, ROWS);
    let server = Store::connect(&bench.url, Options::default()).unwrap();
    server.call(&name_of(&before));
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(server.ping()).unwrap();
    assert_eq!(bench.store.others(&name_of(&before)), Ok(0));
    assert!(bench.store.others(&name_of(&after)).unwrap() > 0);
    let apply =
        || migrate::apply(&bench.store, &after, &BTreeMap::new(), &Terms::default(), &mut |_| {});
    assert!(matches!(apply(), Err(MigrateFault::Served { .. })));
    assert_eq!(migrate::status(&bench.store).unwrap(), None);
    drop((server, runtime));
    bench.settle();
    assert!(matches!(apply(), Ok(Outcome::Done(_))));
    assert_eq!(bench.psql(WRONG), "");
}

#[test]
fn a_file_is_computed_with_its_change() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&folder.path().join("a.db"), Options::default()).unwrap();
    let before = tables_as(BEFORE, Dialect::Sqlite);
    store.execute_schema(&schema::ddl::sqlite(&before.schema)).unwrap();
    migrate::settle(&store, &before.schema).unwrap();
    migrate::note_formulas(&store, &before.model).unwrap();
    let rows = (1..=12_000).map(|at| format!("({at}, {}, 2, {}, 1)", at * 2, at * 2 + 2));
    let rows = rows.collect::<Vec<_>>().join(", ");
    let insert = format!("INSERT INTO thing (id, a, b, \"both\", row_version) VALUES {rows}");
    store.execute_schema(&[insert]).unwrap();
    let after =
        tables_as(&AFTER.replace("  allow", "  more: Int := .both + 1  allow"), Dialect::Sqlite);
    let plan = migrate::plan(&store, &after, &BTreeMap::new()).unwrap();
    let titles: Vec<&str> = plan.steps.iter().map(|step| step.title.as_str()).collect();
    let wanted = [
        "change the tables in one transaction, after a backup",
        "compute `both` and `more` of `thing`",
    ];
    assert_eq!(titles, wanted);
    let mut computed = 0;
    let outcome =
        migrate::apply(&store, &after, &BTreeMap::new(), &Terms::default(), &mut |progress| {
            if let Progress::Computed(rows) = progress {
                computed += rows;
            }
        });
    assert!(matches!(outcome, Ok(Outcome::Done(_))), "{outcome:?}");
    assert_eq!(computed, 12_000);
    let table = after.schema.tables.first().unwrap();
    let at = |field| table.column_of(field).unwrap();
    let (a, both, more) = (at("a"), at("both"), at("more"));
    store
        .dump(table, |row| {
            let number = |at: usize| match &row[at] {
                operation::Value::Int(number) => *number,
                other => panic!("{other:?}"),
            };
            assert_eq!((number(both), number(more)), (number(a) / 2, number(a) / 2 + 1));
            std::ops::ControlFlow::Continue(())
        })
        .unwrap();
    assert!(migrate::plan(&store, &after, &BTreeMap::new()).unwrap().is_empty());
}

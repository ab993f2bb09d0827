//! Values of computed fields, whose formulas change.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use engine::Loaded;
use engine::migrate::{self, MigrateFault, Outcome, Pace, Progress, Terms};
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

/// A change that dies in its third batch.
fn dies(bench: &Bench, wanted: &Loaded) {
    quietly();
    let mut told = 0;
    let run = || {
        migrate::apply(&bench.store, wanted, &BTreeMap::new(), &Terms::default(), &mut |progress| {
            if matches!(progress, Progress::Filled(..)) {
                told += 1;
                assert!(told < 3, "dies here");
            }
        })
    };
    assert!(catch_unwind(AssertUnwindSafe(run)).is_err());
}

#[test]
fn a_step_that_computes_goes_on_where_it_was_left() {
    let (before, after) = (tables(BEFORE), tables(AFTER));
    let bench = Bench::new(&before, ROWS);
    let plan = migrate::plan(&bench.store, &after, &BTreeMap::new()).unwrap();
    let [step] = plan.steps.as_slice() else { panic!("{plan:#?}") };
    assert_eq!((step.title.as_str(), step.phase), ("compute `both` of `thing`", Phase::Contract));
    assert!(matches!(step.work, Work::Compute { .. }), "{step:?}");
    dies(&bench, &after);
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
    // Another one also for the rows that have their values already.
    let better = tables(&AFTER.replace(".a / .b", "if .b == 0 then -1 else .a * 10 / .b"));
    let outcome = apply(&better);
    assert!(matches!(outcome, Ok(Outcome::Done(_))), "{outcome:?}");
    let wrong = "SELECT string_agg(concat(id, ' ', \"both\"), ', ') FROM thing WHERE b = 0 OR \"both\" <> a * 10 / b";
    assert_eq!(bench.psql(wrong), "2500 -1");
    assert!(!migrate::has_new_formulas(&bench.store, &better.model).unwrap());
}

#[test]
fn a_unique_value_that_another_row_still_has_is_told() {
    let of = |formula: &str| {
        tables(&format!(
            "entity Thing {{ key id: Int = auto  a: Int  n: Int unique := {formula}  allow read to user }}"
        ))
    };
    let bench = Bench::new(&of(".a + 1"), "INSERT INTO thing (a, n) VALUES (1, 2), (2, 3)");
    let outcome = apply(&bench, &of(".a + 2"));
    let told = outcome.unwrap_err().to_string();
    assert!(told.contains("leave `unique` out"), "{told}");
    assert!(apply(&bench, &of("10 - .a")).is_ok());
    assert_eq!(bench.psql("SELECT string_agg(n::text, ' ' ORDER BY id) FROM thing"), "9 8");
}

/// Both halves, whatever goes.
fn apply(bench: &Bench, wanted: &Loaded) -> Result<Outcome, MigrateFault> {
    let terms = Terms { contract: true, ..Terms::default() };
    migrate::apply(&bench.store, wanted, &BTreeMap::new(), &terms, &mut |_| {})
}

const TWO: &str = "entity Thing { key id: Int = auto  w: Int = 1  a: Int  twice: Int := .a * 2  allow read to user }
                   entity Other { key id: Int = auto  a: Int  twice: Int := .a * 2  allow read to user }";
const TWO_ROWS: &str = "INSERT INTO thing (w, a, twice) VALUES (1, 1, 2), (1, 2, 4); INSERT INTO other (a, twice) VALUES (3, 6), (4, 8)";
const TWO_VALUES: &str = "SELECT string_agg(twice::text, ' ' ORDER BY twice) FROM (SELECT twice FROM thing UNION ALL SELECT twice FROM other) all_of_them";

#[test]
fn formulas_that_change_once_more_while_a_change_is_under_way_are_followed() {
    let bench = Bench::new(&tables(TWO), TWO_ROWS);
    let wider = TWO.replace("w: Int = 1", "w: Decimal(9, 2) = 1");
    let outcome = migrate::apply(
        &bench.store,
        &tables(&wider),
        &BTreeMap::new(),
        &Terms::default(),
        &mut |_| {},
    );
    assert!(matches!(outcome, Ok(Outcome::Expanded(_))), "{outcome:?}");
    let later = tables(&wider.replace(
        "entity Other { key id: Int = auto  a: Int  twice: Int := .a * 2",
        "entity Other { key id: Int = auto  a: Int  twice: Int := .a * 3",
    ));
    assert!(matches!(apply(&bench, &later), Ok(Outcome::Done(_))));
    assert_eq!(bench.psql(TWO_VALUES), "2 4 9 12");
    assert!(!migrate::has_new_formulas(&bench.store, &later.model).unwrap());
}

#[test]
fn tables_that_come_with_a_change_follow_corrected_formulas_too() {
    let bench = Bench::new(&tables(""), "");
    let made = tables(BEFORE);
    let first =
        migrate::apply(&bench.store, &made, &BTreeMap::new(), &Terms::default(), &mut |_| {});
    assert!(matches!(first, Ok(Outcome::Expanded(_))), "{first:?}");
    // Servers of it have made rows by now.
    bench.psql(ROWS);
    let corrected = tables(AFTER);
    assert!(matches!(apply(&bench, &corrected), Ok(Outcome::Done(_))));
    assert_eq!(bench.psql(WRONG), "");
    assert!(!migrate::has_new_formulas(&bench.store, &corrected.model).unwrap());
}

#[test]
fn an_aggregate_without_values_keeps_no_other_from_them() {
    let of = |formula: &str| tables(&TWO.replace(".a * 2", formula));
    let bench = Bench::new(&of(".a * 2"), TWO_ROWS);
    bench.psql("UPDATE thing SET a = 0 WHERE id = 1");
    let fault = migrate::recompute(&bench.store, &of("12 / .a"), &[], Pace::Brisk, &|| true);
    assert!(matches!(fault, Err(MigrateFault::Store(StoreFault::Formula { .. }))), "{fault:?}");
    assert_eq!(bench.psql("SELECT string_agg(twice::text, ' ' ORDER BY id) FROM other"), "4 3");
}

#[test]
fn where_a_field_stands_changes_no_formula() {
    let one = tables(
        "entity Thing { key id: Int = auto  a: Int  x: Int := .a  y: Int := .a * 2  allow read to user }",
    );
    let other = tables(
        "entity Thing { key id: Int = auto  y: Int := .a * 2  a: Int  x: Int := .a  allow read to user }",
    );
    assert_eq!(migrate::Formulas::of(&one.model), migrate::Formulas::of(&other.model));
}

#[test]
fn what_a_change_has_not_computed_is_not_taken_for_computed() {
    let bench = Bench::new(&tables(TWO), TWO_ROWS);
    let after = tables(&TWO.replace(".a * 2", ".a * 5"));
    // As of a version of Mimar that did not plan for it.
    let terms = Terms { contract: true, leave_values: true, ..Terms::default() };
    let added = tables(
        &TWO.replace(".a * 2", ".a * 5").replace("entity Thing {", "entity Thing { more: Int?"),
    );
    let outcome = migrate::apply(&bench.store, &added, &BTreeMap::new(), &terms, &mut |_| {});
    assert!(matches!(outcome, Ok(Outcome::Done(_))), "{outcome:?}");
    assert_eq!(bench.psql(TWO_VALUES), "2 4 6 8");
    assert!(migrate::has_new_formulas(&bench.store, &added.model).unwrap());
    assert!(matches!(apply(&bench, &after), Err(MigrateFault::NotAllowed(..))));
    assert!(matches!(apply(&bench, &added), Ok(Outcome::Done(_))));
    assert_eq!(bench.psql(TWO_VALUES), "5 10 15 20");
}

/// Computes three thousand rows, of which 500 go at once, and does something after the second time.
fn follow(bench: &Bench, wanted: &Loaded, meanwhile: &dyn Fn()) -> (u64, bool) {
    let batches = std::cell::Cell::new(0);
    let go_on = || {
        batches.set(batches.get() + 1);
        if batches.get() == 3 {
            meanwhile();
        }
        true
    };
    let called = name_of(wanted);
    migrate::follow_formulas(&bench.store, wanted, &called, Pace::Brisk, &go_on).unwrap()
}

#[test]
fn who_comes_with_other_formulas_and_goes_before_the_end_is_noticed() {
    let (before, after) = (tables(BEFORE), tables(AFTER));
    let bench = Bench::new(&before, ROWS);
    let come_and_go = || {
        migrate::arrive(&bench.store, &before.model).unwrap();
        bench.psql("UPDATE thing SET \"both\" = a + b WHERE id = 1");
    };
    let (rows, follows) = follow(&bench, &after, &come_and_go);
    assert!(rows > 2_900 && !follows, "{rows} {follows}");
    assert_eq!(bench.psql(WRONG), "1");
    // Who has the same formulas leaves it as it is.
    let come = || migrate::arrive(&bench.store, &after.model).unwrap();
    assert_eq!(follow(&bench, &after, &come), (1, true));
    assert_eq!(bench.psql(WRONG), "");
    assert!(!migrate::has_new_formulas(&bench.store, &after.model).unwrap());
}

#[test]
fn who_comes_and_goes_while_a_change_waits_to_be_gone_on_with_is_noticed() {
    let (before, after) = (tables(BEFORE), tables(AFTER));
    let bench = Bench::new(&before, ROWS);
    dies(&bench, &after);
    migrate::arrive(&bench.store, &before.model).unwrap();
    bench.psql("UPDATE thing SET \"both\" = a + b WHERE id = 1");
    assert!(matches!(apply(&bench, &after), Ok(Outcome::Done(_))));
    assert_eq!(bench.psql(WRONG), "");
    assert!(!migrate::has_new_formulas(&bench.store, &after.model).unwrap());
}

#[test]
fn who_is_there_when_it_begins_leaves_it_open_what_values_follow() {
    let (before, after) = (tables(BEFORE), tables(AFTER));
    let bench = Bench::new(&before, ROWS);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let server = std::cell::Cell::new(Some(connected(&bench, &runtime, &name_of(&before))));
    let go = || {
        drop(server.take());
        bench.settle();
    };
    let (rows, follows) = follow(&bench, &after, &go);
    assert!(rows == 3_000 && !follows, "{rows} {follows}");
    assert_eq!(follow(&bench, &after, &|| ()), (0, true));
}

#[test]
fn a_server_that_starts_meanwhile_leaves_it_open_what_values_follow() {
    let (before, after) = (tables(BEFORE), tables(AFTER));
    let bench = Bench::new(&before, ROWS);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let mut server = None;
    let outcome = migrate::apply(
        &bench.store,
        &after,
        &BTreeMap::new(),
        &Terms::default(),
        &mut |progress| {
            if matches!(progress, Progress::Filled(..)) && server.is_none() {
                server = Some(connected(&bench, &runtime, &name_of(&before)));
            }
        },
    );
    assert!(matches!(outcome, Ok(Outcome::Done(_))), "{outcome:?}");
    assert!(migrate::has_new_formulas(&bench.store, &after.model).unwrap());
    bench.psql("UPDATE thing SET \"both\" = a + b WHERE id = 7");
    drop(server);
    bench.settle();
    assert!(matches!(apply(&bench, &after), Ok(Outcome::Done(_))));
    assert_eq!(bench.psql(WRONG), "");
}

/// A server of this name that runs.
fn connected(bench: &Bench, runtime: &tokio::runtime::Runtime, name: &str) -> Store {
    let server = Store::connect(&bench.url, Options::default()).unwrap();
    server.call(name);
    runtime.block_on(server.ping()).unwrap();
    server
}

#[test]
fn nobody_takes_tables_or_formulas_from_under_a_new_server() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    // Nothing was there before: every server is one of the new version.
    let made = tables(BEFORE);
    let bench = Bench::new(&tables(""), "");
    bench.psql("DELETE FROM mimar.meta");
    let outcome =
        migrate::apply(&bench.store, &made, &BTreeMap::new(), &Terms::default(), &mut |_| {});
    assert!(matches!(outcome, Ok(Outcome::Expanded(_))), "{outcome:?}");
    let server = connected(&bench, &runtime, &name_of(&made));
    let fault = migrate::rollback(&bench.store, false, &mut |_| {});
    assert!(matches!(fault, Err(MigrateFault::Served { .. })), "{fault:?}");
    drop(server);

    let (before, after) = (tables(BEFORE), tables(AFTER));
    let bench = Bench::new(&before, ROWS);
    bench.psql("UPDATE thing SET b = 0 WHERE id = 2500");
    assert!(apply(&bench, &after).is_err());
    let server = connected(&bench, &runtime, &name_of(&after));
    let fault = migrate::rollback(&bench.store, false, &mut |_| {});
    assert!(matches!(fault, Err(MigrateFault::OtherFormulas { .. })), "{fault:?}");
    drop(server);
    bench.settle();
    assert!(migrate::rollback(&bench.store, false, &mut |_| {}).unwrap().undone);
    assert!(migrate::has_new_formulas(&bench.store, &before.model).unwrap());
    migrate::settle_formulas(&bench.store, &before, &[]).unwrap();
    assert_eq!(bench.psql("SELECT count(*) FROM thing WHERE \"both\" <> a + b"), "0");
}

#[test]
fn who_is_interrupted_leaves_it_open_what_values_follow() {
    let (before, after) = (tables(BEFORE), tables(AFTER));
    let bench = Bench::new(&before, ROWS);
    let batches = std::cell::Cell::new(0);
    let go_on = || {
        batches.set(batches.get() + 1);
        batches.get() < 3
    };
    let fault = migrate::recompute(&bench.store, &after, &[], Pace::Brisk, &go_on);
    assert!(matches!(fault, Err(MigrateFault::Store(StoreFault::Closed))), "{fault:?}");
    // The version before was never told that its values had been touched, and sees it all the same.
    assert!(migrate::has_new_formulas(&bench.store, &before.model).unwrap());
    assert!(migrate::settle_formulas(&bench.store, &before, &[]).unwrap() > 0);
    assert_eq!(bench.psql("SELECT count(*) FROM thing WHERE \"both\" <> a + b"), "0");
    assert!(!migrate::has_new_formulas(&bench.store, &before.model).unwrap());
}

#[test]
fn servers_of_other_formulas_are_waited_for() {
    let (before, after) = (tables(BEFORE), tables(AFTER));
    let bench = Bench::new(&before, ROWS);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let server = connected(&bench, &runtime, &name_of(&before));
    assert_eq!(bench.store.others(&name_of(&before)), Ok(0));
    assert!(bench.store.others(&name_of(&after)).unwrap() > 0);
    let apply =
        || migrate::apply(&bench.store, &after, &BTreeMap::new(), &Terms::default(), &mut |_| {});
    assert!(matches!(apply(), Err(MigrateFault::OtherFormulas { .. })));
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

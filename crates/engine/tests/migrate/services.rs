//! Where the tables of services stand.

use std::collections::BTreeMap;

use engine::migrate::{self, MigrateFault, Outcome, Terms};
use engine::{Cause, Standing};
use schema::{Dialect, Names, Work};
use store::{Options, Store};

use crate::cases::CASES;
use crate::{Bench, expanded, stand, tables, tables_as};

const SALES: &str = "service sales { entity Thing { key id: Int = auto  name: String(1..9) unique  allow read to user } }";

#[test]
fn changes_by_hand_in_the_schema_of_a_service_are_shown() {
    let schema = tables(SALES);
    let bench = Bench::new(&schema, "");
    bench.psql(
        "ALTER TABLE sales.thing ADD COLUMN hand int; CREATE TABLE sales.extra (id bigint PRIMARY KEY); CREATE INDEX by_hand ON sales.thing (id, name); \
         CREATE SCHEMA other; CREATE TABLE other.thing (id int)",
    );
    let Standing::Differs(mismatch) = stand(&bench.store, &schema).unwrap() else {
        panic!("a change by hand is no fit")
    };
    let Cause::Drift(lines) = mismatch.cause else { panic!("{:?}", mismatch.cause) };
    let wanted =
        ["  sales.thing", "+   \"hand\" /* integer */ TEXT", "+ sales.extra", "+ sales.by_hand"];
    for line in wanted {
        assert!(lines.iter().any(|told| told == line), "{line}\n{lines:#?}");
    }
    assert!(!lines.iter().any(|line| line.contains("other")), "{lines:#?}");
}

#[test]
fn a_move_is_told_with_its_lock_and_drops_nothing() {
    let bench =
        Bench::new(&tables_as(SALES, Dialect::Sqlite), "INSERT INTO thing (name) VALUES ('a')");
    let plan = migrate::plan(&bench.store, &tables(SALES), &BTreeMap::new()).unwrap();
    assert_eq!(plan.summary, ["table `thing` is now `sales.thing`"]);
    assert!(plan.drops.is_empty() && plan.losses.is_empty(), "{plan:#?}");
    let titles: Vec<&str> = plan.steps.iter().map(|step| &*step.title).collect();
    assert_eq!(
        titles,
        [
            "create schema `sales`",
            "move `thing` to `sales.thing`, and leave a view",
            "drop the view `thing`"
        ]
    );
    let moving = &plan.steps[1];
    assert_eq!(
        (moving.lock.name(), moving.lock.blocks()),
        ("ACCESS EXCLUSIVE", "reads and writes")
    );
    assert_eq!(moving.locked, ["thing"]);
    let names: Vec<&str> = moving.hazards.iter().map(|hazard| hazard.name()).collect();
    assert_eq!(names, ["lock-queue", "moved-table"]);
}

/// What a plan tells of a backfill could be given to `psql` as it stands.
#[test]
fn a_backfill_names_its_table_in_its_schema() {
    let name = "tables of a service change in its schema";
    let case = CASES.iter().find(|case| case.name == name).unwrap();
    let bench = Bench::new(&case.before(), case.fill);
    let plan = migrate::plan(&bench.store, &tables(case.after), &BTreeMap::new()).unwrap();
    let backfills = plan.steps.iter().filter(|step| matches!(step.work, Work::Backfill { .. }));
    let updates: Vec<String> = backfills.flat_map(|step| step.statements().into_owned()).collect();
    expect_test::expect![[r#"
        UPDATE "sales"."order" SET "title" = "name" WHERE ("title" IS NULL AND "name" IS NOT NULL)
        UPDATE "shipping"."order" SET "price_2" = ("price")::numeric(19,2) WHERE ("price_2" IS NULL AND "price" IS NOT NULL)"#]].assert_eq(&updates.join("\n"));
}

#[test]
fn the_version_before_writes_through_the_view() {
    let service = |name: &str| {
        format!(
            "service {name} {{ entity Thing {{ key id: Int = auto  name: String(1..9) unique  a: Int?  allow read to user }} }}"
        )
    };
    let (bench, after) = expanded(
        &service("sales"),
        "INSERT INTO sales.thing (name, a) VALUES ('a', 1)",
        &service("trade").replace("a: Int?", "a: Decimal(9, 2)?  more: Int = 7"),
    );
    let written = bench.psql(
        "INSERT INTO sales.thing (name, a) VALUES ('b', 2) RETURNING id, name, a; \
         UPDATE sales.thing SET a = 3 WHERE name = 'a' RETURNING id, row_version; \
         INSERT INTO sales.thing (name, a) VALUES ('b', 9) ON CONFLICT (name) DO UPDATE SET a = excluded.a RETURNING a; \
         BEGIN; SELECT name FROM sales.thing ORDER BY id FOR NO KEY UPDATE; COMMIT; \
         DELETE FROM sales.thing WHERE name = 'c' RETURNING id",
    );
    let lines: Vec<&str> = written
        .lines()
        .filter(|line| !line.chars().all(|c| c.is_ascii_uppercase() || c == ' ' || c == '0'))
        .collect();
    assert_eq!(lines[0], "3|b|2");
    assert!(written.contains("a\nb"), "{written}");
    assert_eq!(
        bench.psql("SELECT id, name, a_2, more FROM trade.thing ORDER BY id"),
        "1|a|3.00|7\n3|b|9.00|7"
    );
    // Numbers are drawn in both places, none twice, and go on behind the greatest when the old one is gone.
    let draw = |table: &str| {
        bench.psql(&format!("SELECT nextval(pg_get_serial_sequence('{table}', 'id'))"))
    };
    let drawn = ["sales.thing", "sales.thing", "trade.thing", "sales.thing", "sales.thing"];
    assert_eq!(drawn.map(draw), ["2", "4", "7", "6", "8"]);
    let terms = Terms { contract: true, ..Terms::default() };
    let outcome = migrate::apply(&bench.store, &after, &BTreeMap::new(), &terms, &mut |_| {});
    assert!(matches!(outcome, Ok(Outcome::Done(_))), "{outcome:?}");
    assert_eq!(["trade.thing"; 2].map(draw), ["9", "10"]);
}

#[test]
fn what_others_have_put_into_a_schema_stays() {
    let before = tables(SALES);
    let bench = Bench::new(&before, "CREATE VIEW sales.report AS SELECT 1 AS one");
    let after = tables(
        "entity Thing { key id: Int = auto  name: String(1..9) unique  allow read to user }",
    );
    let terms = Terms { contract: true, ..Terms::default() };
    let outcome = migrate::apply(&bench.store, &after, &BTreeMap::new(), &terms, &mut |_| {});
    assert!(matches!(outcome, Ok(Outcome::Done(_))), "{outcome:?}");
    assert_eq!(bench.psql("SELECT one FROM sales.report"), "1");
    assert_eq!(stand(&bench.store, &after).unwrap(), Standing::Fits(Names::default()));
}

#[test]
fn tables_of_others_in_the_schema_of_a_service_are_not_dropped_in_silence() {
    let bench = Bench::new(
        &tables_as(SALES, Dialect::Sqlite),
        "CREATE SCHEMA sales; CREATE TABLE sales.theirs (id int)",
    );
    let terms = Terms::default();
    let fault = migrate::apply(&bench.store, &tables(SALES), &BTreeMap::new(), &terms, &mut |_| {});
    let Err(MigrateFault::NotAllowed(drops, _)) = fault else { panic!("{fault:?}") };
    assert_eq!(drops.iter().map(|drop| &*drop.name).collect::<Vec<_>>(), ["sales.theirs"]);
}

#[test]
fn only_what_has_no_table_in_its_place_comes_from_elsewhere() {
    let entity = |name: &str| {
        format!("entity {name} {{ key id: Int = auto  name: String(1..9)  allow read to user }}")
    };
    let service =
        |name: &str, entities: &str| format!("service {name} {{ {} }}\n", entity(entities));
    let before = service("a", "Thing") + &service("b", "Other");
    let bench = Bench::new(&tables(&before), "");
    let moves = |after: &str| -> Vec<String> {
        let plan = migrate::plan(&bench.store, &tables(after), &BTreeMap::new()).unwrap();
        assert!(plan.obstacles.is_empty(), "{plan:#?}");
        let titles = plan.steps.into_iter().map(|step| step.title);
        titles.filter(|title| title.starts_with("move")).collect()
    };
    let crossed = service("b", "Thing") + &service("a", "Other");
    assert_eq!(
        moves(&crossed),
        [
            "move `a.thing` to `b.thing`, and leave a view",
            "move `b.other` to `a.other`, and leave a view"
        ]
    );
    // One of that name is where it was.
    let more = before + &service("c", "Thing") + &entity("Thing");
    assert_eq!(moves(&more), [""; 0]);
    // Renamed on the way.
    let renamed = service("b", "Other") + &service("c", "Second was Thing");
    assert_eq!(moves(&renamed), ["move `a.thing` to `c.second`, and leave a view"]);
}

#[test]
fn a_service_is_not_called_as_the_schema_of_the_connection() {
    let server = testbed::postgres();
    let url = server.database();
    server.psql(url.rsplit('/').next().unwrap(), "CREATE SCHEMA sales");
    let store =
        Store::connect(&format!("{url}?options=-c%20search_path%3Dsales"), Options::default())
            .unwrap();
    let fault = stand(&store, &tables(SALES));
    assert!(matches!(&fault, Err(MigrateFault::Together(name)) if name == "sales"), "{fault:?}");
    // With another one it may be.
    let store = Store::connect(&url, Options::default()).unwrap();
    assert!(matches!(stand(&store, &tables(SALES)), Ok(Standing::Empty(_))));
}

#[test]
fn numbers_go_on_when_a_move_is_taken_back() {
    let thing = "entity Thing { key id: Int = auto  name: String(1..9)?  allow read to user }";
    let (bench, after) = expanded(
        thing,
        "INSERT INTO thing (name) VALUES ('a')",
        &format!("service sales {{ {thing} }}"),
    );
    let draw = |table: &str| {
        bench.psql(&format!("SELECT nextval(pg_get_serial_sequence('{table}', 'id'))"))
    };
    // Nobody has drawn more in the new place.
    assert_eq!(["thing", "thing", "thing", "sales.thing"].map(draw), ["2", "4", "6", "3"]);
    migrate::rollback(&bench.store, false, &mut |_| {}).unwrap();
    assert_eq!(["thing"; 2].map(draw), ["7", "8"]);
    assert_eq!(bench.psql("SELECT count(*) FROM pg_namespace WHERE nspname = 'sales'"), "0");
    // And it is begun again.
    let terms = Terms { contract: true, ..Terms::default() };
    let outcome = migrate::apply(&bench.store, &after, &BTreeMap::new(), &terms, &mut |_| {});
    assert!(matches!(outcome, Ok(Outcome::Done(_))), "{outcome:?}");
    assert_eq!(draw("sales.thing"), "9");
    assert_eq!(bench.psql("SELECT id, name FROM sales.thing"), "1|a");
}

//! Schema changes on a real PostgreSQL: each is carried out, interrupted at every step and gone on from, and interrupted at
//! every step and taken back.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test ends where it cannot go on")]

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use engine::Standing;
use engine::migrate::{self, MigrateFault, Outcome, Progress, Terms};
use model::{Model, Valid};
use schema::{Names, Schema};
use store::{Options, Store};
use testbed::Postgres;

/// The tables of a model given by its entities.
#[track_caller]
fn tables(entities: &str) -> Schema {
    let text = format!("app Test {{ version 1  roles user  surface rest }}\n{entities}");
    let parse = syntax::parse(syntax::FileId(0), text);
    let (model, mut found) = model::check(&[&parse]);
    found.extend(parse.diagnostics.iter().cloned());
    let faults: Vec<String> = found
        .iter()
        .filter(|d| d.severity == syntax::Severity::Error)
        .map(|d| format!("{}: {}", d.code, d.message))
        .collect();
    let model: Valid<Model> = Valid::new(model, &found).unwrap_or_else(|| panic!("{faults:?}"));
    schema::derive(&model)
}

/// A change, and what the rows are before and after it.
struct Case {
    name: &'static str,
    before: &'static str,
    fill: &'static str,
    after: &'static str,
    /// What may be lost.
    allowed: &'static [&'static str],
    /// What is asked after the change, and the answer.
    select: &'static str,
    wanted: &'static str,
}

const CASES: &[Case] = &[
    Case {
        name: "columns come",
        before: "entity Thing { key id: Int = auto  name: String(1..20)  allow read to user }",
        fill: "INSERT INTO thing (name) VALUES ('a'), ('b')",
        after: r#"entity Thing {
            key id: Int = auto
            name: String(1..20) unique
            stock: Int(0..) = 7
            price: Money(EUR) = 1.50
            seen: Timestamp = now
            tag: String(1..9)?
            state: enum { open, done } = done
            span: Duration = 90s
            index (state, -stock)
            allow read to user
        }"#,
        allowed: &[],
        select: "SELECT name, stock, price, seen > '2026-01-01', tag IS NULL, state, span FROM thing ORDER BY id",
        wanted: "a|7|1.50|t|t|done|00:01:30\nb|7|1.50|t|t|done|00:01:30",
    },
    Case {
        name: "columns are renamed",
        before: r#"
            entity Maker { key id: Int = auto  allow read, delete to user }
            entity Thing {
              key id: Int = auto
              name: String(1..20) unique
              note: String(0..20)?
              maker: Maker? on delete clear
              extra: Json(..1KB)?
              index (note, -name)
              allow read to user
            }"#,
        fill: "INSERT INTO maker DEFAULT VALUES; \
               INSERT INTO thing (name, note, maker, extra) VALUES ('a', NULL, 1, '{\"a\":1}'), ('b', 'n', NULL, NULL)",
        after: r#"
            entity Maker { key id: Int = auto  allow read, delete to user }
            entity Thing {
              key id: Int = auto
              title: String(1..20) unique was name
              remark: String(0..20)? was note
              made_by: Maker? on delete clear was maker
              more: Json(..1KB)? was extra
              index (remark, -title)
              allow read to user
            }"#,
        allowed: &[],
        select: "SELECT title, remark, made_by, more FROM thing ORDER BY id",
        wanted: "a||1|{\"a\":1}\nb|n||",
    },
    Case {
        name: "columns get another type",
        before: r#"entity Thing {
            key id: Int = auto
            price: Int(0..)
            code: Int(0..)
            flag: Bool
            day: Date
            weight: Decimal(9, 2)
            name: enum { red, blue } = red
            any: Json(..1KB)?
            index (price, code)
            allow read to user
        }"#,
        fill: "INSERT INTO thing (price, code, flag, day, weight, name, \"any\") VALUES \
               (3, 42, true, '2026-11-21', 1.25, 'blue', '[1]'), (0, 0, false, '1969-12-31', 0, 'red', NULL)",
        after: r#"entity Thing {
            key id: Int = auto
            price: Decimal(12, 2)
            code: String(1..20)
            flag: Int(0..1)
            day: Timestamp
            weight: Decimal(12, 4)
            name: String(1..20)
            any: String(0..1000)?
            index (price, code)
            allow read to user
        }"#,
        allowed: &[],
        select: "SELECT price, code, flag, day AT TIME ZONE 'UTC', weight, name, \"any\" FROM thing ORDER BY id",
        wanted: "3.00|42|1|2026-11-21 00:00:00|1.2500|blue|[1]\n0.00|0|0|1969-12-31 00:00:00|0.0000|red|",
    },
    Case {
        name: "texts are split",
        before: r#"entity Thing {
            key id: Int = auto
            name: String(1..80)
            place: String(0..80)?
            index (name)
            allow read to user
        }"#,
        fill: "INSERT INTO thing (name, place) VALUES ('Ada King Lovelace', 'Berlin, DE'), ('Plato', NULL), ('it''s, odd', '')",
        after: r#"entity Thing {
            key id: Int = auto
            given: String(0..80) was name before " "
            family: String(0..80) was name after " "
            city: String(0..80)? was place before ", "
            country: String(0..80)? was place after ", "
            index (family, given)
            allow read to user
        }"#,
        allowed: &[],
        select: "SELECT given, family, city, country IS NULL, country FROM thing ORDER BY id",
        wanted: "Ada|King Lovelace|Berlin|f|DE\nPlato|||t|\nit's,|odd||f|",
    },
    Case {
        name: "labels are renamed, come and go",
        before: "entity Thing { key id: Int = auto  state: enum { open, done, lost } = open  kind: enum { a, b }? allow read to user }",
        fill: "INSERT INTO thing (state, kind) VALUES ('open', 'a'), ('done', NULL), ('lost', 'b')",
        after: "entity Thing { key id: Int = auto  state: enum { fresh was open, done, late } = done  kind: enum { a, b, c }? allow read to user }",
        allowed: &["thing.state"],
        select: "SELECT state, kind FROM thing ORDER BY id",
        wanted: "fresh|a\ndone|\ndone|b",
    },
    Case {
        name: "columns become required and optional",
        before: "entity Thing { key id: Int = auto  a: String(0..9)?  b: String(1..9)  c: Int?  allow read to user }",
        fill: "INSERT INTO thing (a, b, c) VALUES (NULL, 'x', 1), ('y', 'z', 2)",
        after: "entity Thing { key id: Int = auto  a: String(0..9) = \"none\"  b: String(1..9)?  c: Int  allow read to user }",
        allowed: &[],
        select: "SELECT a, b, c FROM thing ORDER BY id",
        wanted: "none|x|1\ny|z|2",
    },
    Case {
        name: "columns and tables go",
        before: r#"
            entity Maker { key id: Int = auto  allow read to user }
            entity Gone { key id: Int = auto  maker: Maker  allow read to user }
            entity Thing { key id: Int = auto  name: String(1..9)  colour: String(1..9) unique  maker: Maker  allow read to user }"#,
        fill: "INSERT INTO maker DEFAULT VALUES; INSERT INTO gone (maker) VALUES (1); \
               INSERT INTO thing (name, colour, maker) VALUES ('a', 'red', 1)",
        after: r#"
            entity Maker { key id: Int = auto  allow read to user }
            entity Thing { key id: Int = auto  name: String(1..9)  allow read to user }"#,
        allowed: &["gone", "thing.colour", "thing.maker"],
        select: "SELECT name FROM thing",
        wanted: "a",
    },
    Case {
        name: "an entity is renamed with its key, parts and references",
        before: r#"
            entity Order { key id: Int = auto  name: String(1..9)  index (name)  allow read to user }
            entity Line part of Order as lines (0..9) { price: Int(0..) }
            entity Note { key id: Int = auto  order: Order  allow read to user }"#,
        fill: "INSERT INTO \"order\" (name) VALUES ('a'); INSERT INTO line VALUES (1, 0, 5); INSERT INTO note (\"order\") VALUES (1)",
        after: r#"
            entity Purchase was Order { key number: Int = auto was id  name: String(1..9)  index (name)  allow read to user }
            entity Line part of Purchase as lines (0..9) { price: Int(0..) }
            entity Note { key id: Int = auto  purchase: Purchase was order  allow read to user }"#,
        allowed: &[],
        select: "SELECT p.number, p.name, l.price, n.purchase FROM purchase p JOIN line l ON l.purchase = p.number \
                 JOIN note n ON n.purchase = p.number",
        wanted: "1|a|5|1",
    },
    Case {
        name: "tables come that refer to each other and to what is there",
        before: "entity Thing { key id: Uuid  allow read to user }",
        fill: "INSERT INTO thing VALUES ('018f4e5a-7b3c-7def-8123-456789abcdef')",
        after: r#"
            entity Thing { key id: Uuid  best: Review?  allow read to user }
            entity Review { key id: Int = auto  thing: Thing on delete cascade  allow read to user }
            entity Mark part of Review as marks (0..9) { key name: String(1..9)  thing: Thing }"#,
        allowed: &[],
        select: "SELECT id, best FROM thing",
        wanted: "018f4e5a-7b3c-7def-8123-456789abcdef|",
    },
    Case {
        name: "references come, change and go",
        before: r#"
            entity A { key id: Int = auto  allow read, delete to user }
            entity B { key id: Int = auto  plain: Int  bound: A  free: A?  allow read to user }"#,
        fill: "INSERT INTO a DEFAULT VALUES; INSERT INTO b (plain, bound, free) VALUES (1, 1, 1)",
        after: r#"
            entity A { key id: Int = auto  allow read, delete to user }
            entity B { key id: Int = auto  plain: A  bound: A on delete cascade  free: Int?  allow read to user }"#,
        allowed: &[],
        select: "SELECT plain, bound, free FROM b",
        wanted: "1|1|1",
    },
    Case {
        name: "names that SQL would trip over",
        before: "entity Thing { key id: Int = auto  a: Int(0..) stored as \"we'ird \\\"name\\\"\"  select: Int?  allow read to user }",
        fill: "INSERT INTO thing (\"we'ird \"\"name\"\"\", \"select\") VALUES (1, 2)",
        after: "entity Thing { key id: Int = auto  a: Decimal(9, 1) stored as \"we'ird \\\"name\\\"\"  table: Int? was select  allow read to user }",
        allowed: &[],
        select: "SELECT \"we'ird \"\"name\"\"\", \"table\" FROM thing",
        wanted: "1.0|2",
    },
];

/// A database with the tables and rows before a change.
struct Bench {
    server: &'static Postgres,
    url: String,
    store: Store,
}

impl Bench {
    fn new(schema: &Schema, fill: &str) -> Self {
        let server = testbed::postgres();
        let url = server.database();
        let store = Store::connect(&url, Options::default()).unwrap();
        store.execute_schema(&schema::ddl::postgres(schema)).unwrap();
        migrate::settle(&store, schema).unwrap();
        let bench = Self { server, url, store };
        if !fill.is_empty() {
            bench.psql(fill);
        }
        bench
    }

    /// The address of a database that others are made from.
    fn template(schema: &Schema, fill: &str) -> String {
        let bench = Self::new(schema, fill);
        bench.store.close();
        // Sessions of this process end a moment after they are closed.
        let name = bench.url.rsplit('/').next().unwrap();
        bench.server.psql(
            "postgres",
            &format!(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"
            ),
        );
        bench.url
    }

    /// One that holds what a template holds.
    fn like(template: &str) -> Self {
        let server = testbed::postgres();
        let url = server.database_like(template);
        let store = Store::connect(&url, Options::default()).unwrap();
        Self { server, url, store }
    }

    fn psql(&self, sql: &str) -> String {
        let name = self.url.rsplit('/').next().unwrap();
        self.server.psql(name, sql).trim_end().to_owned()
    }

    /// What tables and indexes there are, whatever the order of columns.
    fn shape(&self) -> Vec<String> {
        let mut shape: Vec<String> = migrate::tables(&self.store, &Names::default())
            .unwrap()
            .into_iter()
            .map(|(name, sql)| {
                if !sql.starts_with("CREATE TABLE") {
                    return sql;
                }
                let mut pieces: Vec<&str> = sql.split_once('(').unwrap().1.split(", ").collect();
                pieces.sort_unstable();
                format!("{name}: {}", pieces.join("\n  ").replace(") STRICT", ""))
            })
            .collect();
        shape.sort();
        shape.push(self.psql(
            "SELECT count(*) FROM pg_trigger WHERE NOT tgisinternal UNION ALL \
             SELECT count(*) FROM pg_constraint WHERE contype = 'c' UNION ALL \
             SELECT count(*) FROM pg_index WHERE NOT indisvalid UNION ALL \
             SELECT count(*) FROM pg_proc WHERE proname LIKE 'sync%' UNION ALL \
             SELECT count(*) FROM pg_constraint WHERE NOT convalidated",
        ));
        shape
    }

    /// Every row of every table, as text.
    fn rows(&self) -> String {
        let tables = self.psql(
            "SELECT quote_ident(relname) FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace \
             ORDER BY 1",
        );
        let rows: Vec<String> = tables
            .lines()
            .map(|table| {
                self.psql(&format!(
                    "SELECT jsonb_agg(to_jsonb(t) - 'row_version' ORDER BY to_jsonb(t)) FROM {table} t"
                ))
            })
            .collect();
        rows.join("\n")
    }

    /// Applies a change; dies before step `die` of the whole.
    fn apply(
        &self,
        wanted: &Schema,
        case: &Case,
        contract: bool,
        die: Option<usize>,
    ) -> Option<Outcome> {
        let allowed = case.allowed.iter().map(|name| (*name).to_owned()).collect();
        let terms = Terms { allowed, contract, backup: None };
        let mut seen = 0;
        let run = || {
            migrate::apply(&self.store, wanted, &BTreeMap::new(), &terms, &mut |progress| {
                if matches!(progress, Progress::Step(..)) {
                    assert!(die != Some(seen), "dies here");
                    seen += 1;
                }
            })
        };
        match catch_unwind(AssertUnwindSafe(run)) {
            Ok(outcome) => Some(outcome.unwrap_or_else(|fault| panic!("{}: {fault}", case.name))),
            Err(_) => None,
        }
    }
}

/// Silences the panics that are meant.
fn quietly() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        let told = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if info.payload().downcast_ref::<&str>() != Some(&"dies here") {
                told(info);
            }
        }));
    });
}

#[test]
fn a_changed_database_is_as_a_new_one_would_be() {
    for case in CASES {
        let (before, after) = (tables(case.before), tables(case.after));
        let bench = Bench::new(&before, case.fill);
        let wanted = Bench::new(&after, "").shape();
        let outcome = bench.apply(&after, case, true, None);
        assert!(matches!(outcome, Some(Outcome::Done(_))), "{}: {outcome:?}", case.name);
        assert_eq!(bench.shape(), wanted, "{}", case.name);
        assert_eq!(bench.psql(case.select), case.wanted, "{}", case.name);
        let standing = engine::stand(&bench.store, &after).unwrap();
        assert_eq!(standing, Standing::Fits(Names::default()), "{}", case.name);
        let again = bench.apply(&after, case, true, None);
        assert_eq!(again, Some(Outcome::Nothing), "{}", case.name);
    }
}

#[test]
fn a_change_that_died_at_any_step_is_completed() {
    quietly();
    for case in CASES {
        let (before, after) = (tables(case.before), tables(case.after));
        let wanted = Bench::new(&after, "").shape();
        let template = Bench::template(&before, case.fill);
        let mut die = 0;
        loop {
            let bench = Bench::like(&template);
            let died = bench.apply(&after, case, true, Some(die)).is_none();
            if !died {
                break;
            }
            let outcome = bench.apply(&after, case, true, None);
            assert!(matches!(outcome, Some(Outcome::Done(_))), "{} at {die}", case.name);
            assert_eq!(bench.shape(), wanted, "{} at {die}", case.name);
            assert_eq!(bench.psql(case.select), case.wanted, "{} at {die}", case.name);
            die += 1;
        }
        assert!(die > 0, "{}", case.name);
    }
}

#[test]
fn a_change_that_died_at_any_step_is_taken_back() {
    quietly();
    for case in CASES {
        let (before, after) = (tables(case.before), tables(case.after));
        let template = Bench::template(&before, case.fill);
        let mut die = 0;
        loop {
            let bench = Bench::like(&template);
            let (shape, rows) = (bench.shape(), bench.rows());
            let died = bench.apply(&after, case, false, Some(die)).is_none();
            // At its end the first half can still be taken back.
            let entry = migrate::rollback(&bench.store, &mut |_| {});
            let entry = entry.unwrap_or_else(|fault| panic!("{} at {die}: {fault}", case.name));
            assert!(entry.undone);
            assert_eq!(bench.shape(), shape, "{} at {die}", case.name);
            // What the old version could not have been without is given to it.
            if case.name != "columns become required and optional" {
                assert_eq!(bench.rows(), rows, "{} at {die}", case.name);
            }
            let standing = engine::stand(&bench.store, &before).unwrap();
            assert_eq!(standing, Standing::Fits(Names::default()), "{} at {die}", case.name);
            if !died {
                break;
            }
            die += 1;
        }
    }
}

#[test]
fn what_nobody_allowed_is_not_destroyed() {
    let case = CASES.iter().find(|case| case.name == "columns and tables go").unwrap();
    let (before, after) = (tables(case.before), tables(case.after));
    let bench = Bench::new(&before, case.fill);
    let terms = Terms { allowed: vec!["gone".to_owned()], contract: true, backup: None };
    let fault = migrate::apply(&bench.store, &after, &BTreeMap::new(), &terms, &mut |_| {});
    let Err(MigrateFault::NotAllowed(drops)) = fault else { panic!("{fault:?}") };
    let names: Vec<&str> = drops.iter().map(|drop| &*drop.name).collect();
    assert_eq!(names, ["thing.colour", "thing.maker"]);
    assert_eq!(migrate::status(&bench.store).unwrap(), None);
}

#[test]
fn one_at_a_time_changes_a_database() {
    let before = tables(CASES[0].before);
    let bench = Bench::new(&before, "");
    let held = bench.store.migrator().unwrap();
    let other = bench.store.migrator();
    assert_eq!(other.err(), Some(store::StoreFault::Migrating));
    drop(held);
    assert!(bench.store.migrator().unwrap().is_some());
}

#[test]
fn what_waits_for_a_lock_lets_others_through_and_is_tried_again() {
    let case = &CASES[0];
    let (before, after) = (tables(case.before), tables(case.after));
    let bench = Bench::new(&before, case.fill);
    let mut reader = Postgres::hold(&bench.url, "BEGIN; SELECT count(*) FROM thing;");
    let terms = Terms::default();
    let mut waited = 0;
    let outcome = migrate::apply(&bench.store, &after, &BTreeMap::new(), &terms, &mut |progress| {
        if let Progress::Waiting(tries) = progress {
            waited = tries;
            // Behind a lock that is waited for nobody reads: given up, it lets others through.
            assert_eq!(bench.psql("SELECT count(*) FROM thing"), "2");
            if tries == 2 {
                reader.release();
            }
        }
    });
    assert!(matches!(outcome, Ok(Outcome::Expanded(_))), "{outcome:?}");
    assert!(waited >= 2, "{waited}");
}

#[test]
fn changes_by_hand_are_shown() {
    let case = &CASES[0];
    let schema = tables(case.before);
    let bench = Bench::new(&schema, case.fill);
    bench.psql("ALTER TABLE thing ADD COLUMN hand int; ALTER TABLE thing ALTER COLUMN name DROP NOT NULL; CREATE INDEX by_hand ON thing (name)");
    let Standing::Differs(mismatch) = engine::stand(&bench.store, &schema).unwrap() else {
        panic!("a change by hand is no fit")
    };
    let engine::Cause::Drift(lines) = mismatch.cause else { panic!("{:?}", mismatch.cause) };
    assert_eq!(
        lines,
        [
            "+ by_hand",
            "  thing",
            "-   \"name\" /* Text */ TEXT NOT NULL",
            "+   \"name\" /* Text */ TEXT",
            "+   \"hand\" /* integer */ TEXT",
        ]
    );
}

#[test]
#[ignore = "needs squawk; `cargo xtask test` installs it and runs this"]
fn squawk_finds_nothing() {
    let program = std::env::var_os("MIMAR_SQUAWK").unwrap();
    let folder = std::env::temp_dir().join(format!("mimar-squawk-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let mut files = Vec::new();
    for case in CASES {
        let (before, after) = (tables(case.before), tables(case.after));
        let bench = Bench::new(&before, case.fill);
        let plan = migrate::plan(&bench.store, &after, &BTreeMap::new()).unwrap();
        let file = folder.join(format!("{}.sql", case.name.replace(' ', "_")));
        std::fs::write(&file, plan.script()).unwrap();
        files.push(file);
    }
    let output = std::process::Command::new(program)
        .args(["--pg-version", "14.0", "--reporter", "gcc"])
        .args(&files)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    std::fs::remove_dir_all(&folder).unwrap();
}

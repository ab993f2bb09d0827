//! Schema changes on a real PostgreSQL: each is carried out, interrupted at every step and gone on from, and interrupted at
//! every step and taken back.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test ends where it cannot go on")]

mod cases;
mod computed;
mod services;

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use engine::migrate::{self, MigrateFault, Outcome, Progress, Terms};
use engine::{Loaded, Standing};
use model::{Model, Valid};
use schema::{Dialect, Hazard, Names};
use store::{Options, Store};
use testbed::{Pooler, Postgres};

use cases::{CASES, Case};

/// The tables of a model given by its entities.
#[track_caller]
fn tables(entities: &str) -> Loaded {
    tables_as(entities, Dialect::Postgres)
}

#[track_caller]
fn tables_as(entities: &str, dialect: Dialect) -> Loaded {
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
    compiled(model, dialect)
}

fn compiled(model: Valid<Model>, dialect: Dialect) -> Loaded {
    let schema = schema::derive(&model, dialect);
    Loaded::new(Arc::new(model), Arc::new(schema))
}

/// How its servers call themselves.
fn name_of(loaded: &Loaded) -> String {
    let formulas = migrate::Formulas::of(&loaded.model).fingerprint();
    migrate::server_name(&schema::fingerprint(&loaded.schema), &formulas)
}

fn stand(store: &Store, loaded: &Loaded) -> Result<Standing, MigrateFault> {
    engine::stand(store, &loaded.schema)
}

/// A database with the tables and rows before a change.
struct Bench {
    server: &'static Postgres,
    url: String,
    store: Store,
}

impl Bench {
    fn new(loaded: &Loaded, fill: &str) -> Self {
        let schema = &loaded.schema;
        let server = testbed::postgres();
        let url = server.database();
        let store = Store::connect(&url, Options::default()).unwrap();
        // Not a server, that a change would wait for.
        store.call("mimar migrate");
        store.execute_schema(&schema::ddl::postgres(schema)).unwrap();
        migrate::settle(&store, schema).unwrap();
        migrate::note_formulas(&store, &loaded.model).unwrap();
        let bench = Self { server, url, store };
        if !fill.is_empty() {
            bench.psql(fill);
        }
        bench
    }

    /// The address of a database that others are made from.
    fn template(schema: &Loaded, fill: &str) -> String {
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
        store.call("mimar migrate");
        Self { server, url, store }
    }

    /// Waits until no server is connected any more.
    fn settle(&self) {
        let servers = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() \
                       AND application_name LIKE 'mimar%' AND application_name <> 'mimar migrate'";
        for _ in 0..200 {
            if self.psql(servers) == "0" {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        panic!("a server is still connected");
    }

    fn psql(&self, sql: &str) -> String {
        let name = self.url.rsplit('/').next().unwrap();
        self.server.psql(name, sql).trim_end().to_owned()
    }

    /// What tables and indexes there are, whatever the order of columns.
    fn shape(&self) -> Vec<String> {
        let mut shape: Vec<String> = migrate::tables(&self.store, &Names::default(), None)
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
             SELECT count(*) FROM pg_class WHERE relkind = 'v' AND relnamespace >= 16384 UNION ALL \
             SELECT count(*) FROM pg_namespace WHERE oid >= 16384 UNION ALL \
             SELECT count(*) FROM pg_constraint WHERE NOT convalidated",
        ));
        shape
    }

    /// Every row of every table, as text.
    fn rows(&self) -> String {
        let tables = self.psql(
            "SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
             WHERE c.relkind = 'r' AND n.nspname NOT LIKE 'pg\\_%' AND n.nspname NOT IN ('information_schema', 'mimar') ORDER BY 1",
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
        wanted: &Loaded,
        case: &Case,
        contract: bool,
        die: Option<usize>,
    ) -> Option<Outcome> {
        let allowed = case.allowed.iter().map(|name| (*name).to_owned()).collect();
        let terms = Terms { allowed, contract, alone: false, ..Terms::default() };
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
        let (before, after) = (case.before(), tables(case.after));
        let bench = Bench::new(&before, case.fill);
        let wanted = Bench::new(&after, "").shape();
        let outcome = bench.apply(&after, case, true, None);
        assert!(matches!(outcome, Some(Outcome::Done(_))), "{}: {outcome:?}", case.name);
        assert_eq!(bench.shape(), wanted, "{}", case.name);
        assert_eq!(bench.psql(case.select), case.wanted, "{}", case.name);
        let standing = stand(&bench.store, &after).unwrap();
        assert_eq!(standing, Standing::Fits(Names::default()), "{}", case.name);
        let again = bench.apply(&after, case, true, None);
        assert_eq!(again, Some(Outcome::Nothing), "{}", case.name);
    }
}

#[test]
fn a_change_that_died_at_any_step_is_completed() {
    quietly();
    for case in CASES {
        let (before, after) = (case.before(), tables(case.after));
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
        let (before, after) = (case.before(), tables(case.after));
        let template = Bench::template(&before, case.fill);
        let mut die = 0;
        loop {
            let bench = Bench::like(&template);
            let (shape, rows) = (bench.shape(), bench.rows());
            let died = bench.apply(&after, case, false, Some(die)).is_none();
            if !died && migrate::status(&bench.store).unwrap().is_none() {
                assert_eq!(case.name, "a formula changes, and nothing else", "it has one half");
                break;
            }
            // At its end the first half can still be taken back.
            let entry = migrate::rollback(&bench.store, false, &mut |_| {});
            let entry = entry.unwrap_or_else(|fault| panic!("{} at {die}: {fault}", case.name));
            assert!(entry.undone);
            // As a server of the old version does when it starts.
            migrate::settle_formulas(&bench.store, &before, &[]).unwrap();
            assert_eq!(bench.shape(), shape, "{} at {die}", case.name);
            // What the old version could not have been without is given to it.
            if !case.name.contains("become") {
                assert_eq!(bench.rows(), rows, "{} at {die}", case.name);
            }
            let standing = stand(&bench.store, &before).unwrap();
            assert_eq!(standing, Standing::Fits(Names::default()), "{} at {die}", case.name);
            if !died {
                break;
            }
            die += 1;
        }
    }
}

/// Brings a database to where both versions are served.
fn expanded(before: &str, fill: &str, after: &str) -> (Bench, Loaded) {
    let (before, after) = (tables(before), tables(after));
    let bench = Bench::new(&before, fill);
    let plan = migrate::plan(&bench.store, &after, &BTreeMap::new()).unwrap();
    let allowed = plan.drops.into_iter().map(|drop| drop.name).collect();
    let terms = Terms { allowed, ..Terms::default() };
    let outcome = migrate::apply(&bench.store, &after, &BTreeMap::new(), &terms, &mut |_| {});
    assert!(matches!(outcome, Ok(Outcome::Expanded(_))), "{outcome:?}");
    (bench, after)
}

#[test]
fn what_either_version_writes_the_other_reads() {
    let (bench, _) = expanded(
        r#"
        entity Maker { key id: Int = auto  allow read, delete to user }
        entity Thing {
            key id: Int = auto
            name: String(1..20)
            kind: enum { a, b }
            price: Int?
            maker: Maker
            code: String(1..9) unique
            other: Int = 0
            late: String(1..9)?
            allow read to user
        }"#,
        "INSERT INTO maker DEFAULT VALUES; \
         INSERT INTO thing (name, kind, price, maker, code, other, late) VALUES ('n', 'a', 5, 1, 'c', 0, 'l')",
        r#"
        entity Maker { key id: Int = auto  allow read, delete to user }
        entity Thing {
            key id: Int = auto
            title: String(1..20)? was name
            sort: enum { a, b }? was kind
            price: Decimal(12, 2)?
            made_by: Maker? was maker
            other: Int = 0
            later: String(1..9) was late
            allow read to user
        }"#,
    );
    // What the new version empties stays empty, whatever is written besides, and the old one reads something.
    bench.psql(
        "UPDATE thing SET title = NULL, sort = NULL, price_2 = NULL, made_by = NULL WHERE id = 1",
    );
    bench.psql("UPDATE thing SET other = 7 WHERE id = 1");
    let row = "SELECT title IS NULL, sort IS NULL, price_2 IS NULL, made_by IS NULL, name, kind, price IS NULL, maker IS NULL \
               FROM thing WHERE id = ";
    assert_eq!(bench.psql(&format!("{row}1")), "t|t|t|t||a|t|t");
    // What it creates without them, too; twice, though the old version has a unique column that it does not know.
    bench.psql("INSERT INTO thing (other, later) VALUES (1, 'x'), (2, 'y')");
    assert_eq!(bench.psql(&format!("{row}2")), "t|t|t|t||a|t|t");
    // The old version creates rows without what it does not know, and what need not be there.
    bench.psql("INSERT INTO thing (name, kind, maker, code, other) VALUES ('o', 'b', 1, 'd', 0)");
    assert_eq!(
        bench.psql("SELECT title, sort, made_by, later IS NULL FROM thing WHERE name = 'o'"),
        "o|b|1|t"
    );
    // Each change of one is one of the other.
    bench.psql("UPDATE thing SET name = 'p', price = 3 WHERE name = 'o'");
    bench.psql("UPDATE thing SET sort = 'a', price_2 = 4.6 WHERE title = 'p'");
    assert_eq!(bench.psql("SELECT kind, price, price_2 FROM thing WHERE title = 'p'"), "a|5|4.60");
}

#[test]
fn rows_that_break_the_new_rules_are_found_before_there_is_no_way_back() {
    let before = r#"
        entity A { key id: Int = auto  allow read, delete to user }
        entity B { key id: Int = auto  plain: Int  free: String(1..9)?  gone: Int?  same: Int  allow read to user }"#;
    let after = r#"
        entity A { key id: Int = auto  allow read, delete to user }
        entity B { key id: Int = auto  plain: A  free: String(1..9)  same: Int unique  allow read to user }"#;
    let bad = "INSERT INTO b (plain, free, same) VALUES (99, NULL, 1), (99, 'x', 1)";
    let bench = Bench::new(&tables(before), bad);
    let terms = Terms { allowed: vec!["b.gone".to_owned()], contract: true, ..Terms::default() };
    let wanted = tables(after);
    let run = || migrate::apply(&bench.store, &wanted, &BTreeMap::new(), &terms, &mut |_| {});
    let Err(MigrateFault::Obstacles(found)) = run() else { panic!("rows break the rules") };
    assert!(found.iter().any(|line| line.contains("required")), "{found:?}");
    bench.psql("UPDATE b SET free = 'y'");
    let Err(MigrateFault::Obstacles(found)) = run() else { panic!("rows break the rules") };
    assert!(found.iter().any(|line| line.contains("lead nowhere")), "{found:?}");
    assert!(found.iter().any(|line| line.contains("unique")), "{found:?}");
    assert_eq!(migrate::status(&bench.store).unwrap(), None);
    // Between the halves the old version writes what breaks them.
    bench.psql("INSERT INTO a DEFAULT VALUES; UPDATE b SET plain = 1, same = id");
    let first = Terms { allowed: vec!["b.gone".to_owned()], ..Terms::default() };
    migrate::apply(&bench.store, &wanted, &BTreeMap::new(), &first, &mut |_| {}).unwrap();
    bench.psql("UPDATE b SET free = NULL, plain = 77, gone = 1 WHERE id = 1");
    let Err(MigrateFault::Obstacles(found)) = run() else { panic!("rows break the rules") };
    assert_eq!(found.len(), 2, "{found:?}");
    let state = migrate::status(&bench.store).unwrap().unwrap().state;
    assert_eq!(state, migrate::State::Expanded);
    bench.psql("UPDATE b SET free = 'z', plain = 1 WHERE id = 1");
    assert!(matches!(run(), Ok(Outcome::Done(_))));
}

#[test]
fn a_change_is_taken_back_after_the_new_version_has_written() {
    let before = "entity Thing { key id: Int = auto  a: String(1..9)  b: Int  allow read to user }";
    let (bench, _) = expanded(
        before,
        "INSERT INTO thing (a, b) VALUES ('x', 1)",
        "entity Thing { key id: Int = auto  a: String(1..9)?  c: Int? was b  allow read to user }",
    );
    bench.psql("INSERT INTO thing (a, c) VALUES (NULL, NULL)");
    migrate::rollback(&bench.store, false, &mut |_| {}).unwrap();
    assert_eq!(bench.psql("SELECT a, b FROM thing ORDER BY id"), "x|1\n|0");
    let standing = stand(&bench.store, &tables(before)).unwrap();
    assert_eq!(standing, Standing::Fits(Names::default()));
}

#[test]
fn names_that_had_to_wait_become_final_whatever_their_order() {
    let first = "entity Thing { key id: Int = auto  a: Int  allow read to user }";
    let second =
        "entity Thing { key number: Int = auto was id  a: Decimal(9, 2)  allow read to user }";
    let third = "entity Thing { key number: Int = auto  a: Decimal(9, 2)  id: Int = 3  allow read to user }";
    let bench = Bench::new(&tables(first), "INSERT INTO thing (a) VALUES (1)");
    // A server of each version runs through the change to it.
    for model in [second, third] {
        let wanted = tables(model);
        let server = Store::connect(&bench.url, Options::default()).unwrap();
        server.call(&name_of(&wanted));
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(server.ping()).unwrap();
        let terms = Terms { contract: true, ..Terms::default() };
        let outcome = migrate::apply(&bench.store, &wanted, &BTreeMap::new(), &terms, &mut |_| {});
        assert!(matches!(outcome, Ok(Outcome::Done(_))), "{outcome:?}");
        assert!(!migrate::names(&bench.store).unwrap().is_empty());
        // Another model must wait for it to end.
        let fault =
            migrate::apply(&bench.store, &tables(first), &BTreeMap::new(), &terms, &mut |_| {});
        assert!(!matches!(fault, Ok(Outcome::Done(_))), "{fault:?}");
        if migrate::status(&bench.store).unwrap().is_some() {
            drop(server);
            drop(runtime);
            bench.settle();
            migrate::rollback(&bench.store, false, &mut |_| {}).unwrap();
        }
    }
    bench.settle();
    let wanted = tables(third);
    let outcome =
        migrate::apply(&bench.store, &wanted, &BTreeMap::new(), &Terms::default(), &mut |_| {});
    assert!(matches!(outcome, Ok(Outcome::Nothing)), "{outcome:?}");
    assert!(migrate::names(&bench.store).unwrap().is_empty());
    assert_eq!(bench.psql("SELECT number, a, id FROM thing"), "1|1.00|3");
}

/// A pooler shows connections of its own; servers behind it say that they run, and when they have ended.
#[test]
fn a_server_behind_a_pooler_is_seen() {
    let before = "entity Thing { key id: Int = auto  a: Int  allow read to user }";
    let after = "entity Thing { key id: Int = auto  b: Int was a  allow read to user }";
    let bench = Bench::new(&tables(before), "INSERT INTO thing (a) VALUES (1)");
    let pooler = Pooler::before(bench.server, 2);
    let port = |port: u16| format!(":{port}/");
    let url = bench.url.replace(&port(bench.server.port()), &port(pooler.port()));
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let serve = |schema: &Loaded| {
        let server = Store::connect(&format!("{url}?pgbouncer=true"), Options::default()).unwrap();
        server.call(&name_of(schema));
        runtime.block_on(server.be_present()).unwrap();
        server
    };
    let apply = || {
        let terms = Terms { contract: true, ..Terms::default() };
        migrate::apply(&bench.store, &tables(after), &BTreeMap::new(), &terms, &mut |_| {})
    };
    let (old, new) = (serve(&tables(before)), serve(&tables(after)));
    let served = apply();
    assert!(
        matches!(served, Err(MigrateFault::Served { connections: 1, version: "new" })),
        "{served:?}"
    );
    old.close();
    assert!(matches!(apply(), Ok(Outcome::Done(_))));
    new.close();
    assert_eq!(bench.psql("SELECT count(*) FROM mimar.server"), "0");
    // One that was killed is missed when it was not seen for long.
    bench.psql(
        "INSERT INTO mimar.server VALUES (gen_random_uuid(), 'mimar 1', now() - interval '15 s')",
    );
    let migrator = bench.store.migrator().unwrap().unwrap();
    assert_eq!(migrator.connected(None).unwrap(), 1);
    bench.psql("UPDATE mimar.server SET seen = now() - interval '25 s'");
    assert_eq!(migrator.connected(None).unwrap(), 0);
}

/// The hazards of each change, so that none is forgotten where it threatens and none is cried where it does not.
#[test]
fn each_hazard_is_named_where_it_threatens() {
    let (mut told, mut found) = (String::new(), BTreeSet::new());
    for case in CASES {
        let bench = Bench::new(&case.before(), case.fill);
        let plan = migrate::plan(&bench.store, &tables(case.after), &BTreeMap::new()).unwrap();
        let hazards = plan.steps.iter().flat_map(|step| &step.hazards);
        let names: BTreeSet<&str> = hazards.map(|hazard| hazard.name()).collect();
        let line: Vec<&str> = names.iter().copied().collect();
        told.push_str(&format!("{}\n  {}\n", case.name, line.join(", ")));
        found.extend(names);
    }
    expect_test::expect![[r#"
        columns come
          column-default, index-build, lock-queue, required-column, unique-over-rows
        columns are renamed
          dropped-index, index-build, lock-queue, reference-over-rows, renamed-column, required-now, rewritten-rows, unique-over-rows
        columns get another type
          dropped-index, index-build, lock-queue, narrowed-for-old-version, new-label, required-now, retyped-column, rewritten-rows
        texts are split
          dropped-index, index-build, lock-queue, required-now, rewritten-rows, split-column
        labels are renamed, come and go
          lock-queue, lost-values, narrowed-for-old-version, new-label, required-now, retyped-column, rewritten-rows
        columns become required and optional
          lock-queue, optional-now, required-now, rewritten-rows, rule-for-old-version
        columns and tables go
          dropped-column, dropped-index, dropped-table, lock-queue, optional-now
        an entity is renamed with its key, parts and references
          dropped-index, index-build, lock-queue, reference-over-rows, renamed-column, renamed-table, required-now, rewritten-rows
        an entity is renamed, and nothing else
          lock-queue, renamed-table
        a key is renamed, and nothing else
          lock-queue
        tables come that refer to each other and to what is there
          index-build, lock-queue, reference-over-rows
        references come, change and go
          dropped-index, index-build, lock-queue, reference-over-rows, rule-for-old-version
        a root goes with its parts, and tables that refer to each other
          dropped-table, lock-queue
        a renamed column becomes required with a default, and names are close
          column-default, dropped-column, dropped-index, lock-queue, narrowed-for-old-version, optional-now, renamed-column, required-column, required-now, retyped-column, rewritten-rows
        names that SQL would trip over
          lock-queue, narrowed-for-old-version, renamed-column, required-now, retyped-column, rewritten-rows
        services become schemas
          lock-queue, moved-table
        services become schemas while much else changes
          dropped-column, dropped-index, index-build, lock-queue, moved-table, narrowed-for-old-version, reference-over-rows, renamed-column, required-now, retyped-column, rewritten-rows, rule-for-old-version, unique-over-rows
        an entity goes to another service, one to none, and one goes with its service
          dropped-table, lock-queue, moved-table
        tables of a service change in its schema
          dropped-index, index-build, lock-queue, narrowed-for-old-version, reference-over-rows, renamed-column, renamed-table, required-now, retyped-column, rewritten-rows, unique-over-rows
        a formula changes while much else does
          column-default, lock-queue, narrowed-for-old-version, required-column, required-now, retyped-column, rewritten-rows
        a formula changes, and nothing else
          rewritten-rows
    "#]].assert_eq(&told);
    let all: BTreeSet<&str> = Hazard::all().iter().map(|hazard| hazard.name()).collect();
    assert_eq!(all.difference(&found).copied().collect::<Vec<_>>(), Vec::<&str>::new());
}

#[test]
fn what_nobody_allowed_is_not_destroyed() {
    let case = CASES.iter().find(|case| case.name == "columns and tables go").unwrap();
    let (before, after) = (case.before(), tables(case.after));
    let bench = Bench::new(&before, case.fill);
    let terms = Terms {
        // The one as the model calls it, not as it is stored.
        allowed: vec!["gone".to_owned(), "Thing.colour".to_owned()],
        contract: true,
        alone: false,
        ..Terms::default()
    };
    let fault = migrate::apply(&bench.store, &after, &BTreeMap::new(), &terms, &mut |_| {});
    let said = fault.as_ref().map(drop).unwrap_err().to_string();
    assert!(said.ends_with("Nothing that it destroys is called Thing.colour"), "{said}");
    let Err(MigrateFault::NotAllowed(drops, _)) = fault else { panic!("{fault:?}") };
    let names: Vec<&str> = drops.iter().map(|drop| &*drop.name).collect();
    assert_eq!(names, ["thing.colour", "thing.maker"]);
    assert_eq!(migrate::status(&bench.store).unwrap(), None);
    // Also where it has begun: what is said then is not passed over.
    let apply = |allowed: &[&str], contract: bool| {
        let allowed = allowed.iter().copied().map(str::to_owned).collect();
        let terms = Terms { allowed, contract, ..Terms::default() };
        migrate::apply(&bench.store, &after, &BTreeMap::new(), &terms, &mut |_| {})
    };
    let all = ["gone", "thing.colour", "thing.maker"];
    assert!(matches!(apply(&all, false), Ok(Outcome::Expanded(_))));
    let fault = apply(&["thing.colour", "thing.color"], true);
    assert!(
        matches!(&fault, Err(MigrateFault::AllowedInVain(names)) if *names == ["thing.color"]),
        "{fault:?}"
    );
    assert!(matches!(apply(&all, true), Ok(Outcome::Done(_))));
}

#[test]
fn one_at_a_time_changes_a_database() {
    let before = CASES[0].before();
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
    let (before, after) = (case.before(), tables(case.after));
    let bench = Bench::new(&before, case.fill);
    let mut reader = Postgres::hold(&bench.url, "BEGIN; SELECT count(*) FROM thing;");
    let terms = Terms::default();
    let mut waited = 0;
    let outcome = migrate::apply(&bench.store, &after, &BTreeMap::new(), &terms, &mut |progress| {
        if let Progress::Waiting(tries) = progress {
            waited = tries;
            // Behind a lock that is waited for nobody reads: given up, it lets others through.
            assert_eq!(bench.psql("SELECT count(*) FROM thing"), "2");
            if tries == 1 {
                reader.release();
            }
        }
    });
    assert!(matches!(outcome, Ok(Outcome::Expanded(_))), "{outcome:?}");
    assert!(waited >= 1, "{waited}");
}

#[test]
fn nobody_waits_behind_a_change_that_waits_for_maintenance() {
    let case = &CASES[0];
    let (before, after) = (case.before(), tables(case.after));
    let bench = Bench::new(&before, case.fill);
    // As autovacuum does for as long as it works on a table.
    let vacuum = "BEGIN; LOCK TABLE thing IN SHARE UPDATE EXCLUSIVE MODE;";
    let mut vacuum = Postgres::hold(&bench.url, vacuum);
    std::thread::scope(|scope| {
        let change = scope.spawn(|| {
            let terms = Terms::default();
            migrate::apply(&bench.store, &after, &BTreeMap::new(), &terms, &mut |_| {})
        });
        // Short readers, one after the other for two seconds.
        bench.psql(
            "DO $$ DECLARE began timestamptz; worst interval = '0'; BEGIN
               FOR i IN 1..200 LOOP
                 began = clock_timestamp();
                 PERFORM count(*) FROM thing;
                 worst = greatest(worst, clock_timestamp() - began);
                 COMMIT;
                 PERFORM pg_sleep(0.01);
                 COMMIT;
               END LOOP;
               IF worst > '250 ms' THEN RAISE EXCEPTION 'somebody waited for %', worst; END IF;
             END $$",
        );
        assert!(!change.is_finished());
        vacuum.release();
        let outcome = change.join().unwrap();
        assert!(matches!(outcome, Ok(Outcome::Expanded(_))), "{outcome:?}");
    });
}

#[test]
fn changes_by_hand_are_shown() {
    let case = &CASES[0];
    let schema = case.before();
    let bench = Bench::new(&schema, case.fill);
    bench.psql("ALTER TABLE thing ADD COLUMN hand int; ALTER TABLE thing ALTER COLUMN name DROP NOT NULL; CREATE INDEX by_hand ON thing (name)");
    let Standing::Differs(mismatch) = stand(&bench.store, &schema).unwrap() else {
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

/// The tables of an example.
fn example(name: &str) -> Loaded {
    let folder = format!("{}/../../examples/{name}", env!("CARGO_MANIFEST_DIR"));
    let mut files: Vec<_> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "mimar"));
    files.sort();
    let texts = files.iter().map(|path| std::fs::read_to_string(path).unwrap());
    let parses: Vec<_> =
        (0..).zip(texts).map(|(id, text)| syntax::parse(syntax::FileId(id), text)).collect();
    let (model, found) = model::check(&parses.iter().collect::<Vec<_>>());
    compiled(Valid::new(model, &found).unwrap(), Dialect::Postgres)
}

/// Each change that these tests know, the way back from it, and all of it at once in an empty database.
#[test]
#[ignore = "needs squawk; `cargo xtask test` installs it and runs this"]
fn squawk_finds_nothing() {
    let program = std::env::var_os("MIMAR_SQUAWK").unwrap();
    let folder = std::env::temp_dir().join(format!("mimar-squawk-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let mut files = Vec::new();
    let mut write = |name: String, (before, fill): (&Loaded, &str), after: &Loaded| {
        let bench = Bench::new(before, fill);
        let plan = migrate::plan(&bench.store, after, &BTreeMap::new()).unwrap();
        let file = folder.join(format!("{}.sql", name.replace(' ', "_")));
        std::fs::write(&file, plan.script()).unwrap();
        files.push(file);
    };
    let nothing = tables("");
    for case in CASES {
        let (before, after) = (case.before(), tables(case.after));
        write(case.name.to_owned(), (&before, case.fill), &after);
        write(format!("{}, at once", case.name), (&nothing, ""), &after);
        if !case.is_flat() {
            write(format!("{}, back", case.name), (&after, ""), &before);
        }
    }
    for name in ["chinook", "shop"] {
        write(name.to_owned(), (&nothing, ""), &example(name));
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

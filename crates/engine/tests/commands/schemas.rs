//! Tables of services that move into schemas of their own, while servers of the version before and of the one after answer.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use engine::Standing;
use engine::migrate::{self, Outcome, Progress, Terms};
use schema::{Dialect, Names, Schema};

use crate::world::{On, World, in_two};

/// The model of the scene.
fn model() -> &'static str {
    in_two(include_str!("scenes/services.scene")).0
}

/// What a server is asked, and what it answers whichever version it is of; `at` tells one round from another.
#[track_caller]
fn round(world: &World, at: u64) {
    let (one, two) = (at * 10 + 1, at * 10 + 2);
    let ask = |ask: &str, wanted: &str| {
        let told = world.ask(ask);
        assert!(told.contains(wanted), "round {at}: > {ask}\n{told}\nwanted: {wanted}");
    };
    ask(&format!(r#"add user Maker {{"id":{one},"name":"m"}}"#), "\"id\"");
    ask(
        &format!(
            r#"add user sales.Item {{"id":{one},"name":"i{one}","made":{one},"marks":[{{"text":"a","by":{one}}}]}}"#
        ),
        "\"stock\":3",
    );
    // A unique column, a reference, and a row that is not there.
    ask(&format!(r#"add user sales.Item {{"id":{two},"name":"i{one}"}}"#), "conflict");
    ask(&format!(r#"add user shipping.Item {{"id":{one},"name":"i{one}","of":{one}}}"#), "\"id\"");
    ask(&format!(r#"run user take {{"item":{one},"parcel":{one},"count":2}}"#), "done");
    ask(&format!(r#"run user take {{"item":{one},"parcel":{one},"count":2}}"#), "TooFew");
    ask(&format!("read user sales.Item {one} marks"), "\"stock\":1");
    ask(&format!("run user fresh/{one}"), "\"stock\":9");
    // Numbers are drawn ahead, and nobody else has them.
    ask(&format!(r#"run user book/{one} {{"more":[1,2]}}"#), "\"number\":");
    // What refers to it, itself and by a part, is cleared by the database, and its version is raised once.
    ask(&format!("run user drop/{one}"), "done");
    ask(&format!("read user sales.Item {one} marks"), "\"made\":null");
    ask(&format!("read user sales.Item {one} marks"), "version 4");
    ask(&format!("read user shipping.Item {one}"), "\"weight\":1");
}

/// Over a database whose tables stand where they stood before services had schemas of their own.
fn flat() -> World {
    let mut made = World::new(On::Postgres, model());
    let tables = Arc::new(schema::derive(&made.loaded.model, Dialect::Sqlite));
    made.url = Some(testbed::postgres().database());
    let world = made.with_tables(tables);
    world.store.execute_schema(&schema::ddl::postgres(&world.loaded.schema)).unwrap();
    world
}

fn name_of(world: &World, schema: &Schema) -> String {
    let formulas = migrate::Formulas::of(&world.loaded.model).fingerprint();
    migrate::server_name(&schema::fingerprint(schema), &formulas)
}

fn named(world: &World, schema: &Schema) {
    world.store.call(&name_of(world, schema));
    world.runtime.block_on(world.store.ping()).unwrap();
}

#[test]
fn servers_of_both_versions_answer_while_tables_move() {
    let old = flat();
    let flat = old.loaded.schema.clone();
    let wanted = Arc::new(schema::derive(&old.loaded.model, Dialect::Postgres));
    migrate::settle(&old.store, &flat).unwrap();
    named(&old, &flat);
    round(&old, 1);

    let migrating = store::Store::connect(old.url.as_deref().unwrap(), Default::default()).unwrap();
    migrating.call("mimar migrate");
    migrate::note_formulas(&migrating, &old.loaded.model).unwrap();
    let model = Arc::clone(&old.loaded.model);
    let to = engine::Loaded::new(model, wanted.clone());
    let plan = migrate::plan(&migrating, &to, &BTreeMap::new()).unwrap();
    assert!(plan.drops.is_empty() && plan.obstacles.is_empty(), "{plan:#?}");
    let apply = |contract: bool, told: &mut dyn FnMut(Progress<'_>)| {
        let terms = Terms { contract, ..Terms::default() };
        migrate::apply(&migrating, &to, &BTreeMap::new(), &terms, told).unwrap()
    };

    // The old version answers all the while, and before each step whatever came before it.
    let (ending, next) = (AtomicBool::new(false), AtomicU64::new(100));
    let outcome = std::thread::scope(|scope| {
        let asking = scope.spawn(|| {
            while !ending.load(Ordering::Acquire) {
                round(&old, next.fetch_add(1, Ordering::AcqRel));
            }
        });
        let beside = old.beside();
        let outcome = apply(false, &mut |progress| {
            if matches!(progress, Progress::Step(..)) {
                round(&beside, next.fetch_add(1, Ordering::AcqRel));
                // One that has just started.
                round(&old.beside(), next.fetch_add(1, Ordering::AcqRel));
            }
        });
        ending.store(true, Ordering::Release);
        asking.join().unwrap();
        outcome
    });
    let Outcome::Expanded(record) = outcome else { panic!("{outcome:?}") };
    assert!(record.names.is_empty(), "{record:?}");

    // Both do, each over what the other has written.
    assert_eq!(engine::stand(&migrating, &flat).unwrap(), Standing::Fits(Names::default()));
    assert_eq!(engine::stand(&migrating, &wanted).unwrap(), Standing::Fits(Names::default()));
    let new = old.with_tables(wanted.clone());
    named(&new, &wanted);
    for at in 11..14 {
        round(&new, at * 2);
        round(&old, at * 2 + 1);
        round(&old.beside(), at * 2 + 50);
        let key = at * 20 + 1;
        let told = |world: &World| world.ask(&format!("read user sales.Item {key} marks"));
        assert_eq!(told(&old), told(&new));
        let said = new.ask(&format!(r#"add user Maker {{"id":{key},"name":"again"}}"#));
        assert!(said.contains("\"id\""), "{said}");
        assert_eq!(
            old.ask(&format!("read user Maker {key}")),
            new.ask(&format!("read user Maker {key}"))
        );
    }

    // The old one is there; when it has gone, only the new one answers, before each step and after the last.
    let terms = Terms { contract: true, ..Terms::default() };
    let fault = migrate::apply(&migrating, &to, &BTreeMap::new(), &terms, &mut |_| {});
    assert!(fault.is_err(), "{fault:?}");
    drop(old);
    let name = new.url.as_deref().unwrap().rsplit('/').next().unwrap();
    let stale = format!(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE 'mimar%' \
         AND application_name NOT IN ('mimar migrate', '{}')",
        name_of(&new, &wanted)
    );
    while testbed::postgres().psql(name, &stale).trim() != "0" {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    let mut at = 1_000;
    let outcome = apply(true, &mut |progress| {
        if matches!(progress, Progress::Step(..)) {
            at += 1;
            round(&new, at);
        }
    });
    assert!(matches!(outcome, Outcome::Done(_)), "{outcome:?}");
    round(&new, 2_000);
    assert_eq!(engine::stand(&migrating, &wanted).unwrap(), Standing::Fits(Names::default()));
    let views = "SELECT count(*) FROM pg_class WHERE relkind = 'v' AND relnamespace = 'public'::regnamespace";
    assert_eq!(testbed::postgres().psql(name, views).trim(), "0");
}

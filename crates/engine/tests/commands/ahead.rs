//! Commands that are worked out before their turn to write, on SQLite: they do what they would have done in it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use engine::{Handlers, Transaction};
use operation::{Fault, Receipt};
use serde::Deserialize;

use crate::contention::at_once;
use crate::world::{On, World, now};

const MODEL: &str = r#"
app Ahead { version 1  roles clerk  surface rest }
entity Article {
  key sku: String(1..9)
  stock:   Int
  allow read, create, update, delete to clerk
}
entity Ticket { key number: Int = auto  allow read to clerk }
error OutOfStock 409 "Only {left} are left" { left: Int }
command sell(article: Article, count: Int(1..)) -> Int {
  allow clerk
  require article.stock >= count else OutOfStock { left: article.stock }
  update article { stock: .stock - count }
  return article.stock
}
entity Label { key name: String(1..9)  value: Int unique  allow read, create to clerk }
event Labelled { name: String(1..9) }
command label(article: Article, name: String(1..9), value: Int) {
  allow clerk
  update article { stock: .stock - 1 }
  create Label { name, value }
  emit Labelled { name }
}
command ticket() -> Int {
  allow clerk
  let made = create Ticket { }
  return made.number
}
command restock() -> Int {
  allow clerk
  for article in Article where .stock < 2 { update article { stock: 2 } }
  return 1
}
"#;

fn articles(names: &[&str], stock: usize) -> World {
    let world = World::new(On::Sqlite, MODEL);
    for name in names {
        world.ask(&format!(r#"add clerk Article {{"sku":"{name}","stock":{stock}}}"#));
    }
    world
}

fn sell(world: &World, name: &str) -> Result<String, Fault> {
    world.run(&world.caller("clerk"), "sell", &format!(r#"{{"article":"{name}","count":1}}"#), None)
}

#[test]
fn a_command_over_known_rows_is_worked_out_ahead() {
    let world = articles(&["a"], 100);
    for left in (50..100).rev() {
        assert_eq!(sell(&world, "a").unwrap(), left.to_string());
    }
    // All but the first, which has made the row known.
    assert_eq!(world.store.statistics().ahead, 49);
    // Others than commands change it: then it has to be asked for again.
    world.ask(r#"change clerk Article a {"stock":1}"#);
    assert_eq!(sell(&world, "a").unwrap(), "0");
    assert_eq!(world.store.statistics().ahead, 49);
    let refused = sell(&world, "a");
    assert!(matches!(refused, Err(Fault::Raised { .. })), "{refused:?}");
    world.ask(r#"change clerk Article a {"stock":2}"#);
    assert_eq!(sell(&world, "a").unwrap(), "1");
    assert_eq!(sell(&world, "a").unwrap(), "0");
    assert_eq!(world.store.statistics().ahead, 50);
}

/// What was seen has changed for most of them by their turn.
#[test]
fn what_others_have_changed_by_its_turn_is_worked_out_anew() {
    let names = ["a", "b", "c", "d", "e", "f", "g", "h"];
    let world = articles(&names, 1_000);
    let sold = AtomicUsize::new(0);
    at_once(16, |number| {
        for turn in 0..70 {
            // First all of them sell one article, then each its own and that of one other.
            let name = if turn < 35 { "a" } else { names[number % 8] };
            match sell(&world, name) {
                Ok(_) => sold.fetch_add(1, Ordering::Relaxed),
                Err(fault) => panic!("{fault:?}"),
            };
        }
    });
    assert_eq!(sold.load(Ordering::Relaxed), 16 * 70);
    let stock = |name: &str| {
        let left = world.ask(&format!("read clerk Article {name}"));
        let (_, left) = left.split_once(r#""stock":"#).unwrap();
        left.split([',', '}']).next().unwrap().parse::<usize>().unwrap()
    };
    assert_eq!(stock("a"), 1_000 - 16 * 35 - 2 * 35);
    for name in &names[1..] {
        assert_eq!(stock(name), 1_000 - 2 * 35, "{name}");
    }
    // Whoever is alone has luck again, if not at once.
    let before = world.store.statistics().ahead;
    for _ in 0..600 {
        world.ask(r#"change clerk Article b {"stock":9}"#);
        sell(&world, "b").unwrap();
        sell(&world, "b").unwrap();
    }
    assert!(world.store.statistics().ahead > before);
}

/// What the database refuses is worked out anew, with all that was written with it, and each is done once.
#[test]
fn what_is_taken_back_is_worked_out_anew() {
    let world = articles(&["a", "b"], 1_000);
    world.ask(r#"run clerk label {"article":"a","name":"one","value":1}"#);
    sell(&world, "b").unwrap();
    let before = world.store.statistics();
    let refused = world.ask(r#"run clerk label {"article":"a","name":"two","value":1}"#);
    assert_eq!(
        refused,
        r#"conflict not_unique at "": Label: another Label has this `value`; choose another"#
    );
    assert_eq!(world.store.statistics().ahead, before.ahead, "nothing of it was carried out");
    let made = AtomicUsize::new(2);
    at_once(8, |number| {
        for turn in 0..40 {
            let value = if number == 0 { 1 } else { made.fetch_add(1, Ordering::Relaxed) };
            let body = format!(
                r#"{{"article":"{}","name":"{number}x{turn}","value":{value}}}"#,
                if number % 2 == 0 { "a" } else { "b" }
            );
            let outcome = world.run(&world.caller("clerk"), "label", &body, None);
            assert_eq!(outcome.is_ok(), number > 0, "{outcome:?}");
        }
    });
    let of = |name: &str| world.ask(&format!("read clerk Article {name}"));
    assert!(of("a").contains(r#""stock":879"#), "{}", of("a"));
    assert!(of("b").contains(r#""stock":839"#), "{}", of("b"));
    let after = world.store.statistics();
    assert_eq!(after.events - before.events, 7 * 40);
    assert!(after.ahead - before.ahead <= 7 * 40);
}

#[test]
fn what_is_asked_for_twice_is_done_once() {
    let world = articles(&["a"], 10);
    sell(&world, "a").unwrap();
    let caller = world.caller("clerk");
    for (key, left) in [(1, "8"), (1, "8"), (2, "7"), (2, "7"), (1, "8")] {
        let receipt = Receipt { key: [key; 32], request: [key; 32], now: now() };
        let body = r#"{"article":"a","count":1}"#;
        assert_eq!(world.run(&caller, "sell", body, Some(receipt)).unwrap(), left);
    }
    assert_eq!(world.store.statistics().ahead, 2);
}

#[derive(Deserialize)]
struct Of {
    article: String,
}

static CALLS: AtomicUsize = AtomicUsize::new(0);

async fn look(of: Of, transaction: &mut Transaction<'_>) -> Result<i64, Fault> {
    CALLS.fetch_add(1, Ordering::Relaxed);
    let found: Option<serde_json::Value> = transaction.get("Article", &of.article).await?;
    Ok(found.map_or(0, |found| found["stock"].as_i64().unwrap()))
}

#[test]
fn code_is_called_once() {
    let model =
        format!("{MODEL}command look(article: Article) -> Int by code {{\n  allow clerk\n}}\n");
    let mut world = World::new(On::Sqlite, &model);
    let mut handlers = Handlers::default();
    handlers.add("look", look);
    let engine = Arc::into_inner(world.engine).unwrap();
    world.engine = Arc::new(engine.with_code(handlers));
    world.coded = true;
    world.ask(r#"add clerk Article {"sku":"a","stock":7}"#);
    for calls in 1..=5 {
        let found = world.run(&world.caller("clerk"), "look", r#"{"article":"a"}"#, None);
        assert_eq!(found.unwrap(), "7");
        assert_eq!(CALLS.load(Ordering::Relaxed), calls);
    }
}

#[test]
fn what_the_database_has_to_be_asked_for_waits_for_its_turn() {
    let world = articles(&["a", "b"], 1);
    for number in ["1", "2", "3"] {
        assert_eq!(world.run(&world.caller("clerk"), "ticket", "", None).unwrap(), number);
        assert_eq!(world.run(&world.caller("clerk"), "restock", "", None).unwrap(), "1");
    }
    assert_eq!(world.store.statistics().ahead, 0);
    assert_eq!(sell(&world, "a").unwrap(), "1");
    assert_eq!(sell(&world, "b").unwrap(), "1");
}

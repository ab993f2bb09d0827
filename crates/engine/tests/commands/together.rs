//! Commands of one kind that share a transaction, on PostgreSQL: each does what it would have done by itself.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use operation::Fault;
use parking_lot::Mutex;

use crate::contention::at_once;
use crate::world::{On, World};

const MODEL: &str = r#"
app Together { version 1  roles clerk  surface rest }
entity Article {
  key sku: String(1..9)
  stock:   Int
  owner:   Owner?
  seen:    Timestamp?
  allow read, create, update, delete to clerk
}
entity Order {
  key id: Uuid
  by:     Int
  total:  Int := sum(lines, .count)
  allow read to clerk
}
entity Line part of Order as lines (1..9) {
  article: Article
  count:   Int(1..9)
}
record Item { article: Article  count: Int(1..9) }
entity Label { key name: String(1..9)  value: Int unique  allow read, create to clerk }
entity Owner { key id: Int  handle: String(1..9) unique  allow read, create to clerk }
event Labelled { article: Article  value: Int }
error OutOfStock 409 "Only {left} are left" { left: Int }
command sell(article: Article, count: Int(1..)) -> Int {
  allow clerk
  require article.stock >= count else OutOfStock { left: article.stock }
  if article.stock < 0 { update article { stock: 0 } }
  update article { stock: .stock - count }
  return article.stock
}
command label(article: Article, name: String(1..9), value: Int) -> Int {
  allow clerk
  if article.stock < 0 { update article { stock: 0 } }
  update article { stock: .stock - 1 }
  create Label { name, value }
  emit Labelled { article, value }
  return article.stock
}
command order(items: [Item](1..9), by: Int) -> Order {
  allow clerk
  let order = create Order { by }
  for item in items {
    require item.article.stock >= item.count else OutOfStock { left: item.article.stock }
    update item.article { stock: .stock - item.count }
    create Line { order, article: item.article, count: item.count }
  }
  return order
}
command rename(owner: Owner, handle: String(1..9)) {
  allow clerk
  update owner { handle }
}
command own(article: Article, owner: Owner) {
  allow clerk
  update article { owner }
}
command look(article: Article) {
  allow clerk
  update article { seen: now }
}
command remind(article: Article) {
  allow clerk
  update article { stock: .stock - 1 }
  run restock(article) later unique article
}
command restock(article: Article) {
  update article { stock: .stock + 1 }
}
"#;

const CLIENTS: usize = 24;
const TURNS: usize = 40;

fn stock(world: &World, name: &str) -> i64 {
    let row = world.ask(&format!("read clerk Article {name}"));
    let (_, stock) = row.split_once(r#""stock":"#).unwrap();
    stock.split([',', '}']).next().unwrap().parse().unwrap()
}

/// How many commands shared a transaction with others.
fn shared(world: &World, before: &store::Statistics) -> u64 {
    let after = world.store.statistics();
    (after.writes - before.writes).saturating_sub(after.commits - before.commits)
}

#[test]
fn each_sees_what_those_before_it_have_made() {
    for on in [On::Postgres, On::Pooled] {
        let world = World::new(on, MODEL);
        world.ask(r#"add clerk Article {"sku":"a","stock":100000}"#);
        let before = world.store.statistics();
        let told = Mutex::new(Vec::new());
        at_once(CLIENTS, |_| {
            let caller = world.caller("clerk");
            for _ in 0..TURNS {
                let left = world.run(&caller, "sell", r#"{"article":"a","count":1}"#, None);
                told.lock().push(left.unwrap().parse::<i64>().unwrap());
            }
        });
        let mut told = told.into_inner();
        told.sort_unstable();
        let all = i64::try_from(CLIENTS * TURNS).unwrap();
        assert_eq!(told, (100_000 - all..100_000).collect::<Vec<_>>(), "{on:?}");
        assert_eq!(stock(&world, "a"), 100_000 - all);
        assert!(shared(&world, &before) > 0, "{on:?}: none shared a transaction");
    }
}

/// What is refused by a command leaves its neighbours alone, and what the database refuses is run once more, each by itself.
#[test]
fn what_is_refused_leaves_its_neighbours_alone() {
    let world = World::new(On::Postgres, MODEL);
    for (name, stock) in [("a", 100_000), ("b", 100_000), ("none", 0)] {
        world.ask(&format!(r#"add clerk Article {{"sku":"{name}","stock":{stock}}}"#));
    }
    world.ask(r#"add clerk Label {"name":"taken","value":0}"#);
    let before = world.store.statistics();
    let made = AtomicUsize::new(1);
    at_once(CLIENTS, |number| {
        let caller = world.caller("clerk");
        let article = if number % 2 == 0 { "a" } else { "b" };
        for turn in 0..TURNS {
            let sell = |article: &str, count: i64| {
                let body = format!(r#"{{"article":"{article}","count":{count}}}"#);
                world.run(&caller, "sell", &body, None)
            };
            let value = if number == 5 { 0 } else { made.fetch_add(1, Ordering::Relaxed) };
            let body =
                format!(r#"{{"article":"{article}","name":"{number}x{turn}","value":{value}}}"#);
            match number {
                0 => {
                    let refused = sell("none", 1).unwrap_err();
                    let members = [operation::Value::Int(0)];
                    let is_right =
                        matches!(&refused, Fault::Raised { members: of, .. } if *of == members);
                    assert!(is_right, "{refused:?}");
                }
                1 => {
                    let refused = sell("nobody", 1).unwrap_err();
                    assert!(matches!(refused, Fault::Invalid(_)), "{refused:?}");
                }
                // One that the database refuses, now and then.
                5 if turn % 10 > 0 => {}
                5 => {
                    let refused = world.run(&caller, "label", &body, None).unwrap_err();
                    assert_eq!(
                        world.told(&refused),
                        r#"conflict not_unique at "": Label: another Label has this `value`; choose another"#
                    );
                }
                _ if number % 4 < 2 => drop(sell(article, 2).unwrap()),
                _ => drop(world.run(&caller, "label", &body, None).unwrap()),
            }
        }
    });
    let turns = i64::try_from(TURNS).unwrap();
    // Of the even clients 4, 8, 12, 16 and 20 sell two at once, and 2, 6, 10, 14, 18 and 22 label one; of the odd ones 9, 13, 17 and
    // 21, and 3, 7, 11, 15, 19 and 23.
    assert_eq!(stock(&world, "a"), 100_000 - turns * (5 * 2 + 6));
    assert_eq!(stock(&world, "b"), 100_000 - turns * (4 * 2 + 6));
    let after = world.store.statistics();
    assert_eq!(after.events - before.events, 12 * TURNS as u64);
    assert!(shared(&world, &before) > 0, "none shared a transaction");
}

/// Orders of several articles, in any order, of which some are short: what was sold is what the orders hold.
#[test]
fn orders_that_share_a_transaction_are_whole() {
    for on in [On::Postgres, On::Pooled] {
        let world = World::new(on, MODEL);
        let names = ["a", "b", "c", "d", "e"];
        for name in names {
            world.ask(&format!(r#"add clerk Article {{"sku":"{name}","stock":400}}"#));
        }
        let before = world.store.statistics();
        let sold = Mutex::new(vec![0_i64; names.len()]);
        at_once(CLIENTS, |number| {
            let caller = world.caller("clerk");
            for turn in 0..TURNS {
                let picks = [(number + turn) % 5, (number * 3 + turn * 2 + 1) % 5];
                let item = |pick: usize| {
                    format!(r#"{{"article":"{}","count":{}}}"#, names[pick], 1 + pick % 2)
                };
                let items = picks.map(item).join(",");
                let body = format!(r#"{{"items":[{items}],"by":{number}}}"#);
                match world.run(&caller, "order", &body, None) {
                    Ok(made) => {
                        let total: usize = picks.iter().map(|pick| 1 + pick % 2).sum();
                        assert!(
                            made.contains(&format!(r#""by":{number},"total":{total}"#)),
                            "{made}"
                        );
                        let mut sold = sold.lock();
                        picks
                            .iter()
                            .for_each(|pick| sold[*pick] += 1 + i64::try_from(pick % 2).unwrap());
                    }
                    Err(Fault::Raised { .. }) => {}
                    Err(fault) => panic!("{fault:?}"),
                }
            }
        });
        for (name, sold) in names.iter().zip(sold.into_inner()) {
            assert_eq!(stock(&world, name), 400 - sold, "{on:?}: {name}");
            assert!(sold > 300, "{on:?}: {name} was to run short");
        }
        assert!(shared(&world, &before) > 0, "{on:?}: none shared a transaction");
    }
}

/// What only the database refuses, or makes others wait for, must not depend on rows that are never written.
#[test]
fn commands_of_which_the_database_judges_go_by_themselves() {
    let world = World::new(On::Postgres, MODEL);
    let caller = world.caller("clerk");
    for (command, body, together) in [
        ("sell", r#"{"article":"a","count":1}"#, true),
        ("order", r#"{"items":[{"article":"a","count":1}],"by":1}"#, true),
        ("label", r#"{"article":"a","name":"one","value":1}"#, false),
        ("rename", r#"{"owner":1,"handle":"x"}"#, false),
        ("own", r#"{"article":"a","owner":1}"#, false),
        ("look", r#"{"article":"a"}"#, false),
        ("remind", r#"{"article":"a"}"#, false),
    ] {
        assert_eq!(world.program(&caller, command, body).together, together, "{command}");
    }
    // Tables that others made keep no versions, and what else they keep nobody knows.
    let mut schema = (*world.loaded.schema).clone();
    for table in &mut schema.tables {
        Arc::make_mut(table).version = None;
    }
    let others = world.with_tables(Arc::new(schema));
    for (command, body) in [
        ("sell", r#"{"article":"a","count":1}"#),
        ("order", r#"{"items":[{"article":"a","count":1}],"by":1}"#),
    ] {
        assert!(!others.program(&caller, command, body).together, "{command}");
    }
}

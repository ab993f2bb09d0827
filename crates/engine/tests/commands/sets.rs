//! New roots that many ask for at once: what goes together on PostgreSQL is told apart as if each had been alone.

use engine::Loaded;
use futures_util::future::join_all;
use operation::{Fault, Operation, Write};
use plan::{Intent, Shape};
use store::Written;

use crate::world::{On, World};

const MODEL: &str = r#"
app Shop { roles customer, clerk }

auth { users Customer by email as customer }

entity Product {
  key sku: String(1..20)
  price:   Money(EUR)
  state:   enum { draft, live } = draft
  allow read         to customer when .state == live
  allow read, create to clerk
}

entity Customer {
  key id: Int
  email:  Email unique
  allow read         to customer when .id == caller.id
  allow read, create to clerk
}

entity Order {
  key id:   Uuid
  customer: Customer
  wish:     Product?
  number:   Int unique
  total:    Money(EUR) := sum(lines, .price * .quantity)
  allow read, create to customer when .customer == caller
  allow read, create to clerk
}

entity Line part of Order as lines (0..5) {
  product:  Product
  quantity: Int(1..100)
  price:    Money(EUR)
}

/// What it works out may be more than the database has a place for.
entity Slot {
  key id: Uuid
  starts: Timestamp
  length: Duration
  ends:   Timestamp := .starts + .length
  allow read, create to customer, clerk
}

/// Its key is counted: it goes step by step.
entity Visit {
  key id: Int = auto
  by:     Customer
  allow read, create to clerk
}
"#;

fn shop(on: On) -> World {
    let world = World::new(on, MODEL);
    for (sku, state) in [("cup", "live"), ("pot", "live"), ("jug", "draft")] {
        world.ask(&format!(
            r#"add clerk Product {{"sku":"{sku}","price":"2.50","state":"{state}"}}"#
        ));
    }
    for id in 1..=2 {
        world.ask(&format!(r#"add clerk Customer {{"id":{id},"email":"c{id}@example.org"}}"#));
    }
    world
}

/// Asks for all at the same time: a caller, an entity and a body each.
fn at_once(world: &World, asked: &[(&str, &str, String)]) -> Vec<Result<String, Fault>> {
    let writes: Vec<Write> = asked
        .iter()
        .map(|(who, name, body)| lowered(world, &world.loaded, who, name, body))
        .collect();
    let written = |written: Written| String::from_utf8(written.json.unwrap().to_vec()).unwrap();
    world.runtime.block_on(async {
        let tasks = writes.into_iter().map(|write| {
            let store = world.store.clone();
            tokio::spawn(async move { store.write(Box::new(write), None).await })
        });
        let answers = join_all(tasks).await;
        answers.into_iter().map(|answer| answer.unwrap().map(written)).collect()
    })
}

fn lowered(world: &World, loaded: &Loaded, who: &str, name: &str, body: &str) -> Write {
    let entity = loaded.model.entity_ids().find(|id| loaded.model[*id].name == name).unwrap();
    let body = operation::parse_json(body.as_bytes()).unwrap();
    let intent = Intent::Create { entity, body, shape: Shape::default() };
    let lowered = loaded.plan.lower(&intent, &world.caller(who), 1_790_000_000_000_000).unwrap();
    let Operation::Write(write) = lowered.operation else { panic!("no write") };
    *write
}

fn line(product: &str, quantity: usize) -> String {
    format!(r#"{{"product":"{product}","quantity":{quantity},"price":"2.50"}}"#)
}

fn order(number: usize, customer: usize, wish: &str, lines: &[String]) -> String {
    let lines = lines.join(",");
    format!(r#"{{"number":{number},"customer":{customer},{wish}"lines":[{lines}]}}"#)
}

fn codes(fault: &Fault) -> String {
    match fault {
        Fault::Invalid(found) | Fault::Conflict(found) => {
            let each = found.iter().map(|it| format!("{} {}", it.code.as_str(), it.pointer));
            each.collect::<Vec<_>>().join(", ")
        }
        other => other.to_string(),
    }
}

#[test]
fn what_goes_together_takes_few_commits() {
    for on in [On::Sqlite, On::Postgres] {
        let world = shop(on);
        let before = world.store.statistics();
        let orders = |from: usize| -> Vec<(&str, &str, String)> {
            let each = (from..from + 60).map(|number| {
                let lines: Vec<String> = (0..number % 4)
                    .map(|at| line(["cup", "pot"][at % 2], 1 + number % 9))
                    .collect();
                // Parts or none, one that is named besides or none, one who sees all and one who does not.
                let wish = if number % 3 == 0 { r#""wish":"pot","# } else { "" };
                let who = if number % 5 == 0 { "clerk" } else { "customer:1" };
                (who, "Order", order(number, 1, wish, &lines))
            });
            each.collect()
        };
        for round in 0..4 {
            let asked = orders(100 + round * 60);
            for ((_, _, body), answer) in asked.iter().zip(at_once(&world, &asked)) {
                let answer = answer.unwrap();
                let id = answer.split('"').nth(3).unwrap().to_owned();
                let stored = world.ask(&format!("read clerk Order {id} lines"));
                let lines = body.split_once(r#""lines":"#).unwrap().1;
                let quantity = lines.matches("quantity").count();
                assert_eq!(stored.matches(r#""quantity":"#).count(), quantity, "{on:?} {stored}");
                let total = answer.split(r#""total":""#).nth(1).unwrap().split('"').next().unwrap();
                assert!(stored.contains(&format!(r#""total":"{total}""#)), "{on:?} {stored}");
            }
        }
        let after = world.store.statistics();
        assert_eq!(after.writes - before.writes, 240);
        let commits = after.commits - before.commits;
        assert!(commits < 80, "{on:?}: {commits} commits of 240 orders");
    }
}

/// Each of them is refused for its own reason and harms no other, whoever it goes with.
#[test]
fn what_cannot_be_done_harms_no_other() {
    for on in [On::Sqlite, On::Postgres] {
        let world = shop(on);
        let mut asked: Vec<(&str, &str, String)> = Vec::new();
        let mut expected: Vec<Option<&str>> = Vec::new();
        for round in 0..10 {
            let number = 100 * (round + 1);
            let mut ask = |who, name, body, refusal| {
                asked.push((who, name, body));
                expected.push(refusal);
            };
            ask("customer:1", "Order", order(number, 1, "", &[line("cup", 1)]), None);
            // A draft: nobody but a clerk may name it.
            let hidden = [line("cup", 1), line("jug", 1)];
            let refusal = Some("unknown_reference /lines/1/product");
            ask("customer:1", "Order", order(number + 1, 1, "", &hidden), refusal);
            ask("clerk", "Order", order(number + 2, 1, "", &hidden), None);
            let wish = r#""wish":"jug","#;
            let refusal = Some("unknown_reference /wish");
            ask("customer:1", "Order", order(number + 3, 1, wish, &[]), refusal);
            // There is none.
            let refusal = Some("unknown_reference /lines/0/product");
            ask("clerk", "Order", order(number + 4, 1, "", &[line("mug", 1)]), refusal);
            let refusal = Some("unknown_reference /customer");
            ask("clerk", "Order", order(number + 5, 3, "", &[line("cup", 1)]), refusal);
            // One number for two.
            ask("clerk", "Order", order(7, 2, "", &[line("pot", 2)]), Some("not_unique /number"));
            ask("clerk", "Visit", r#"{"by":1}"#.to_owned(), None);
            let product = format!(r#"{{"sku":"p{round}","price":"1.00"}}"#);
            ask("clerk", "Product", product, None);
        }
        world.ask(&format!("add clerk Order {}", order(7, 1, "", &[])));
        for (at, answer) in at_once(&world, &asked).into_iter().enumerate() {
            let told = answer.as_ref().err().map(codes);
            assert_eq!(told.as_deref(), expected[at], "{on:?} {:?}", asked[at]);
        }
        let count = |name: &str| {
            let tables = &world.loaded.schema.tables;
            let table = tables.iter().find(|table| &*table.entity == name).unwrap();
            world.store.count(table).unwrap()
        };
        let counts = ["Order", "Line", "Visit", "Product"].map(count);
        assert_eq!(counts, [21, 30, 10, 13], "{on:?}");
    }
}

/// A value that cannot even be sent harms no other, and what is acknowledged is there, whoever asks: also what comes next over
/// the same connections.
#[test]
fn what_cannot_be_sent_harms_no_other() {
    let world = shop(On::Postgres);
    let beside = world.beside();
    let stored = |name: &str| {
        let tables = &world.loaded.schema.tables;
        let table = tables.iter().find(|table| &*table.entity == name).unwrap();
        beside.store.count(table).unwrap()
    };
    let slot = |length: &str| format!(r#"{{"starts":"2026-01-01T00:00:00Z","length":"{length}"}}"#);
    for round in 0..10 {
        let mut asked: Vec<(&str, &str, String)> = Vec::new();
        for at in 0..12 {
            let who = if at % 2 == 0 { "clerk" } else { "customer:1" };
            asked.push((who, "Slot", slot(if at == round { "-P3000000D" } else { "P1D" })));
            let number = 1_000 * (round as usize + 1) + at as usize;
            asked.push((who, "Order", order(number, 1, "", &[line("cup", 1)])));
        }
        let answers = at_once(&world, &asked);
        for ((_, name, body), answer) in asked.iter().zip(&answers) {
            let is_bad = *name == "Slot" && body.contains("-P3000000D");
            match answer {
                Err(Fault::Invalid(_)) if is_bad => {}
                Ok(_) if !is_bad => {}
                other => panic!("{name} {body}: {other:?}"),
            }
        }
        let (slots, orders) = (11 * (round as u64 + 1), 12 * (round as u64 + 1));
        assert_eq!((stored("Slot"), stored("Order")), (slots, orders));
        // One statement, which is its own commit.
        let product = format!(r#"{{"sku":"after{round}","price":"1.00"}}"#);
        at_once(&world, &[("clerk", "Product", product)]).remove(0).unwrap();
        assert_eq!(stored("Product"), 3 + round as u64 + 1);
    }
}

//! Commands by code: what the command language says, said in Rust, answers alike.

use std::sync::Arc;
use std::task::Poll;

use engine::{Handlers, Transaction};
use operation::Fault;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::world::{On, World, in_two};

#[derive(Deserialize)]
struct Basket {
    basket: Vec<Item>,
}

#[derive(Deserialize)]
struct Item {
    product: String,
    quantity: i64,
}

#[derive(Deserialize)]
struct Product {
    sku: String,
    price: String,
    stock: i64,
}

#[derive(Deserialize)]
struct Of {
    order: i64,
}

async fn place_order(basket: Basket, transaction: &mut Transaction<'_>) -> Result<i64, Fault> {
    let customer: i64 = transaction.subject().unwrap_or_default().parse().unwrap();
    let order: i64 = transaction.create("Order", json!({ "customer": customer })).await?;
    for Item { product, quantity } in basket.basket {
        let Product { sku, price, stock } =
            transaction.get("Product", &product).await?.ok_or(Fault::NotFound)?;
        if stock < quantity {
            return Err(transaction.refuse("OutOfStock", json!({ "sku": sku, "left": stock })));
        }
        transaction.update("Product", &sku, json!({ "stock": stock - quantity })).await?;
        let line = json!({ "order": order, "product": sku, "quantity": quantity, "price": price });
        let _: i64 = transaction.create("Line", line).await?;
    }
    Ok(order)
}

async fn mark_paid(of: Of, transaction: &mut Transaction<'_>) -> Result<(), Fault> {
    transaction.update("Order", of.order, json!({ "status": "paid" })).await
}

async fn cancel(of: Of, transaction: &mut Transaction<'_>) -> Result<(), Fault> {
    transaction.update("Order", of.order, json!({ "status": "cancelled" })).await?;
    for Item { product, quantity } in transaction.parts("Line", of.order).await? {
        let found: Option<Product> = transaction.get("Product", &product).await?;
        let stock = found.ok_or(Fault::NotFound)?.stock;
        transaction.update("Product", &product, json!({ "stock": stock + quantity })).await?;
    }
    Ok(())
}

fn with_code(mut world: World, handlers: Handlers) -> World {
    let engine = Arc::into_inner(world.engine).unwrap();
    world.engine = Arc::new(engine.with_code(handlers));
    world.coded = true;
    world
}

fn shop(on: On) -> (World, &'static str) {
    let scene = include_str!("scenes/place_order.scene");
    let (model, script) = in_two(scene);
    let mut coded = String::new();
    let mut inside = false;
    for line in model.lines() {
        match line {
            "}" if inside => inside = false,
            _ if line.starts_with("command ") => {
                inside = true;
                coded.push_str(&line.replace(" {", " by code {\n"));
            }
            _ if inside && !line.trim_start().starts_with("allow ") => continue,
            _ => {}
        }
        coded.push_str(if line.starts_with("command ") { "" } else { line });
        coded.push('\n');
    }
    let mut handlers = Handlers::default();
    handlers.add("place_order", place_order);
    handlers.add("mark_paid", mark_paid);
    handlers.add("cancel", cancel);
    (with_code(World::new(on, &coded), handlers), script)
}

#[test]
fn code_answers_as_the_language_does() {
    for on in [On::Sqlite, On::Postgres] {
        let (world, script) = shop(on);
        let mut lines = script.lines().filter(|line| !line.starts_with('#')).peekable();
        while let Some(line) = lines.next() {
            let ask = line.strip_prefix("> ").unwrap();
            let mut told = Vec::new();
            while let Some(line) = lines.next_if(|line| !line.starts_with("> ")) {
                told.push(line);
            }
            assert_eq!(world.ask(ask), told.join("\n"), "{on:?}: {ask}");
        }
    }
}

#[test]
fn code_that_races_sells_each_piece_once() {
    for on in [On::Sqlite, On::Postgres] {
        let (world, _) = shop(on);
        world.ask(r#"add clerk Product {"sku":"cup","price":"1.00","stock":60,"state":"live"}"#);
        world.ask(r#"add clerk Customer {"id":1,"email":"ada@example.org"}"#);
        let sold = std::sync::atomic::AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    let caller = world.caller("customer:1");
                    for _ in 0..10 {
                        let body = r#"{"basket":[{"product":"cup","quantity":1}]}"#;
                        match world.run(&caller, "place_order", body, None) {
                            Ok(_) => {
                                sold.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                            }
                            // Somebody else was faster, or too often.
                            Err(Fault::Raised { .. }) => {}
                            Err(fault) if fault.is_passing() => {}
                            Err(fault) => panic!("{on:?}: {fault}"),
                        }
                    }
                });
            }
        });
        let left = 60 - sold.into_inner();
        let row = world.ask("read clerk Product cup");
        assert!(row.contains(&format!(r#""stock":{left},"#)), "{on:?}: {row}");
    }
}

const NOTES: &str = r#"
app Notes { version 1  roles user  surface rest }
entity Note { key id: Int  text: String(1..5)  seen: Bool = false  allow read, create to user }
entity Remark part of Note as remarks (0..9) { key name: String(1..9)  value: Int(0..9) }
event Noted by note { note: Note  text: String(1..5) }
entity Log { key id: Int = auto  text: String(0..20)  allow read to user }
on Noted run log(text)
command log(text: String(0..20)) by code { allow system }
command twice(n: Int) -> Int { allow system  return n * 2 }
command act(deed: String(1..20)) -> Json(0..999) by code { allow user }
"#;

#[derive(Deserialize)]
struct Act {
    deed: String,
}

#[derive(Deserialize)]
struct Text {
    text: String,
}

/// A deed for each thing that code may do, and may do wrong.
async fn act(act: Act, transaction: &mut Transaction<'_>) -> Result<Value, Fault> {
    match &*act.deed {
        "all" => {
            let id: i64 = transaction.create("Note", json!({ "id": 1, "text": "one" })).await?;
            for (name, value) in [("a", 1), ("b", 2)] {
                let remark = json!({ "note": id, "name": name, "value": value });
                let made: String = transaction.create("Remark", remark).await?;
                assert_eq!(made, name);
            }
            transaction.update("Remark", (id, "b"), json!({ "value": 3 })).await?;
            transaction.delete("Remark", (id, "a")).await?;
            transaction.emit("Noted", json!({ "note": id, "text": "one" })).await?;
            let four: i64 = transaction.run("twice", json!({ "n": 2 })).await?;
            transaction.run_later("log", json!({ "text": "later" })).await?;
            let unseen: Vec<Value> = transaction.list("Note", json!({ "seen": false })).await?;
            let seen: Vec<Value> = transaction.list("Note", json!({ "seen": true })).await?;
            let remark: Value = transaction.get("Remark", (id, "b")).await?.unwrap_or_default();
            let gone: Option<Value> = transaction.get("Remark", (id, "a")).await?;
            assert!(gone.is_none() && transaction.has_role("user") && !transaction.has_role("x"));
            Ok(json!([unseen, seen.len(), remark, four]))
        }
        "entity" => transaction.get("Nothing", 1).await.map(Option::unwrap_or_default),
        "field" => transaction.update("Note", 1, json!({ "colour": 1 })).await.map(|()| json!(1)),
        "bound" => transaction
            .update("Note", 1, json!({ "text": "much too long" }))
            .await
            .map(|()| json!(1)),
        "missing" => transaction.create("Note", json!({ "id": 7 })).await,
        "absent" => transaction.delete("Note", 99).await.map(|()| json!(1)),
        "panic" => panic!("a fault of the code"),
        "wait" => {
            let mut waited = false;
            std::future::poll_fn(|context| {
                context.waker().wake_by_ref();
                if std::mem::replace(&mut waited, true) { Poll::Ready(()) } else { Poll::Pending }
            })
            .await;
            Ok(json!(1))
        }
        "much" => Ok(json!("x".repeat(2_000))),
        "left" => {
            let id: i64 = transaction.create("Note", json!({ "id": 2, "text": "two" })).await?;
            Err(transaction.refuse("Nothing", json!({ "id": id })))
        }
        other => Err(Fault::Internal(other.to_owned())),
    }
}

async fn log(text: Text, transaction: &mut Transaction<'_>) -> Result<(), Fault> {
    let _: i64 = transaction.create("Log", json!({ "text": text.text })).await?;
    Ok(())
}

#[test]
fn code_does_all_that_the_language_does() {
    for on in [On::Sqlite, On::Postgres] {
        let mut handlers = Handlers::default();
        handlers.add("act", act);
        handlers.add("log", log);
        let world = with_code(World::new(on, NOTES), handlers);
        let ask = |deed: &str| world.ask(&format!(r#"run user act {{"deed":"{deed}"}}"#));
        assert_eq!(
            ask("all"),
            r#"[[{"id":1,"text":"one","seen":false}],0,{"name":"b","value":3},4]"#,
            "{on:?}"
        );
        assert_eq!(world.ask("work"), "2 tasks");
        for key in [1, 2] {
            let row = world.ask(&format!("read user Log {key}"));
            assert!(row.contains(r#""text":"one""#) || row.contains(r#""text":"later""#), "{row}");
        }
        for (deed, told) in [
            ("all", "conflict not_unique at \"\": "),
            ("entity", "internal: the model has no entity `Nothing`"),
            ("field", "internal: Note has no field `colour`; its fields are: "),
            ("bound", "invalid out_of_bounds at \"\": Note.text: "),
            ("missing", "invalid required at \"\": Note.text: `text` is required"),
            ("absent", "invalid unknown_reference at \"\": the Note "),
            ("panic", "internal: the code of `act` panicked"),
            ("much", "internal: `act` answers what it does not promise: it must be "),
            ("left", "internal: the model has no error `Nothing`"),
        ] {
            let answer = ask(deed);
            assert!(answer.starts_with(told), "{on:?} {deed}: {answer}");
        }
        // What a command has done that ends with a fault is not there.
        assert_eq!(world.ask("read user Note 2"), "not found");
        let waited = match on {
            On::Sqlite => "internal: a write on SQLite waits for something",
            On::Postgres | On::Pooled => "1",
        };
        assert_eq!(ask("wait"), waited);
        assert!(ask("entity").starts_with("internal"), "the transaction goes on");
    }
}

const STORE: &str = r#"
app Store { version 1  roles user  surface rest }
entity Bin { key id: Int  left: Int = 100  allow read, create to user }
entity Entry { key id: Int  amount: Int  bin: Bin  allow read to user }
record Line { bin: Bin  quantity: Int(1..50) }
command reserve(lines: [Line](1..5)) {
  allow system
  for line in lines { update line.bin { left: .left - line.quantity } }
}
command bill(lines: [Line](1..5)) {
  allow system
  for line in lines { create Entry { id: line.quantity, amount: line.quantity, bin: line.bin } }
}
command both(lines: Json(0..999)) by code { allow user }
"#;

async fn both(lines: Value, transaction: &mut Transaction<'_>) -> Result<(), Fault> {
    transaction.run::<()>("reserve", &lines).await?;
    transaction.run::<()>("bill", &lines).await
}

/// Loops of two commands stand under the same binds, and take other members of the same list, in another order.
#[test]
fn one_list_is_gone_through_by_two_commands() {
    for on in [On::Sqlite, On::Postgres] {
        let mut handlers = Handlers::default();
        handlers.add("both", both);
        let world = with_code(World::new(on, STORE), handlers);
        world.ask(r#"add user Bin {"id":7}"#);
        world.ask(r#"add user Bin {"id":8}"#);
        let done =
            world.ask(r#"run user both {"lines":[{"bin":7,"quantity":3},{"bin":8,"quantity":5}]}"#);
        assert!(!done.contains("internal") && !done.contains("invalid"), "{on:?}: {done}");
        for (id, told) in
            [(3, r#"{"id":3,"amount":3,"bin":7}"#), (5, r#"{"id":5,"amount":5,"bin":8}"#)]
        {
            let row = world.ask(&format!("read user Entry {id}"));
            assert!(row.starts_with(told), "{on:?}: {row}");
        }
        assert!(world.ask("read user Bin 7").starts_with(r#"{"id":7,"left":97}"#));
        assert!(world.ask("read user Bin 8").starts_with(r#"{"id":8,"left":95}"#));
    }
}

#[test]
fn who_does_what_is_known_before() {
    let world = World::new(On::Sqlite, NOTES);
    let mut handlers = Handlers::default();
    handlers.add("log", log);
    handlers.add("twice", log);
    assert_eq!(handlers.missing(&world.loaded.model), ["act"]);
    assert_eq!(handlers.idle(&world.loaded.model), ["twice"]);
}

//! Rows that the writer remembers, on SQLite: what others write into the file is seen by the next command.

use operation::Fault;

use crate::contention::at_once;
use crate::world::{On, World};

const MODEL: &str = r"
app Remembered { version 1  roles clerk  surface rest }
entity Article {
  key sku: String(1..9)
  stock:   Int
  allow read, create, update, delete to clerk
}
command take(article: Article, count: Int) -> Int {
  allow clerk
  update article { stock: .stock - count }
  return article.stock
}
entity Label { key name: String(1..9)  value: Int unique  allow read, create to clerk }
command label(article: Article, name: String(1..9)) {
  allow clerk
  update article { stock: .stock - 1000 }
  create Label { name, value: 1 }
}
";

#[test]
fn what_another_process_writes_is_seen_by_the_next_command() {
    let world = World::new(On::Sqlite, MODEL);
    world.ask(r#"add clerk Article {"sku":"a","stock":10}"#);
    assert_eq!(world.ask(r#"run clerk take/a {"count":1}"#), "9");
    let other = rusqlite::Connection::open(world.file()).unwrap();
    for (stock, left) in [(100, "99"), (200, "199")] {
        other.execute("UPDATE article SET stock = ?1", [stock]).unwrap();
        assert_eq!(world.ask(r#"run clerk take/a {"count":1}"#), left);
    }
    // A trigger of others changes rows that no write tells of.
    other
        .execute_batch(
            "CREATE TRIGGER theirs AFTER INSERT ON article BEGIN UPDATE article SET stock = stock + 1000; END",
        )
        .unwrap();
    assert_eq!(world.ask(r#"run clerk take/a {"count":1}"#), "198");
    world.ask(r#"add clerk Article {"sku":"b","stock":1}"#);
    assert_eq!(world.ask(r#"run clerk take/a {"count":1}"#), "1197");
}

/// What the database refuses takes the transaction of its group with it. What its neighbours had written is written again, and from
/// what was before.
#[test]
fn what_went_with_a_neighbour_is_forgotten() {
    let world = World::new(On::Sqlite, MODEL);
    world.ask(r#"add clerk Article {"sku":"a","stock":10000}"#);
    world.ask(r#"add clerk Label {"name":"one","value":1}"#);
    // More than the thousand that are guarded by a savepoint after one that was refused.
    at_once(16, |number| {
        let caller = world.caller("clerk");
        for _ in 0..150 {
            if number % 8 > 0 {
                world.run(&caller, "take", r#"{"article":"a","count":1}"#, None).unwrap();
            } else {
                let body = r#"{"article":"a","name":"two"}"#;
                let refused = world.run(&caller, "label", body, None);
                assert!(matches!(refused, Err(Fault::Conflict(_))), "{refused:?}");
            }
        }
    });
    assert!(world.ask("read clerk Article a").contains(r#""stock":7900"#));
}

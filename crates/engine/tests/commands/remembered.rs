//! Rows that the writer remembers, on SQLite: what others write into the file is seen by the next command.

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

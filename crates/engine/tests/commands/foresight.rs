//! Many rows that a command looks at are loaded together.

use crate::world::{On, World, in_two};

const SHELVES: &str = include_str!("scenes/foresight.scene");

/// Each part of a fold leads to a row of its own: they were loaded one by one, and behind the 128th nobody would go on.
#[test]
fn a_fold_over_many_parts_loads_what_they_lead_to_at_once() {
    for on in [On::Sqlite, On::Postgres] {
        let world = World::new(on, in_two(SHELVES).0);
        world.ask(r#"add user Maker {"id":1,"name":"Ada"}"#);
        world.ask(r#"add user Shelf {"id":1,"owner":1}"#);
        for eight in 0..25 {
            let skus: Vec<String> = (0..8).map(|at| format!("p{}", eight * 8 + at)).collect();
            for sku in &skus {
                world.ask(&format!(r#"add user Product {{"sku":"{sku}","price":3}}"#));
            }
            world.ask(&format!("run user fill/1 {{\"products\":{skus:?}}}"));
        }
        assert_eq!(world.ask("run user worth/1"), "600", "{on:?}");
    }
}

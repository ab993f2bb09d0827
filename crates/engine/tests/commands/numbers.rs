//! Numbers of counted keys on PostgreSQL, drawn ahead.

use crate::explain::wired;

/// A transfer makes a row whose key the database counts, and changes two others.
fn transfer(world: &crate::world::World, amount: u32) -> String {
    world.ask(&format!(r#"run user transfer/1 {{"to":2,"amount":{amount}}}"#))
}

#[test]
fn a_row_with_a_counted_key_is_made_in_one_round_trip_and_no_number_is_left_out() {
    let (model, _) = include_str!("scenes/rules.scene").split_once("\n---\n").unwrap();
    let (wire, world) = wired(model);
    world.ask(r#"add user Account {"id":1,"owner":"ada","balance":500,"limit":50}"#);
    world.ask(r#"add user Account {"id":2,"owner":"bob"}"#);
    wire.take();
    let mut trips = Vec::new();
    for _ in 0..12 {
        let made = transfer(&world, 10);
        assert!(made.contains(r#""number":"#), "{made}");
        let transactions = wire.take();
        trips.push(transactions.iter().map(|it| it.trips).sum::<usize>());
        // Refused, in its direct form and over its rows: the next one takes the number all the same.
        let refused = transfer(&world, 999);
        assert!(refused.contains("the limit is reached"), "{refused}");
        wire.take();
    }
    // What was refused had drawn the next ones.
    assert_eq!((trips[0], trips.iter().sum::<usize>()), (2, 13), "{trips:?}");
    let name = world.url.as_deref().unwrap().rsplit('/').next().unwrap().split('?').next().unwrap();
    let numbers = |from: u32| {
        let list = format!(
            "SELECT string_agg(number::text, ' ' ORDER BY number) FROM transfer WHERE number >= {from}"
        );
        testbed::postgres().psql(name, &list).trim().to_owned()
    };
    assert_eq!(numbers(0), "1 2 3 4 5 6 7 8 9 10 11 12");
    // Somebody loads rows under numbers that are at hand here.
    let load = r#"INSERT INTO transfer (number, "from", "to", amount) SELECT g, 1, 2, 1 FROM generate_series(13, 40) g;
                  SELECT setval(pg_get_serial_sequence('transfer', 'number'), 40)"#;
    testbed::postgres().psql(name, load);
    let made = transfer(&world, 10);
    assert!(made.contains(r#""number":"#), "{made}");
    assert_eq!(numbers(40), "40 41");
}

//! What has a bound.

use operation::{Accept, Chore, Exchange, Unreadable};

use crate::scene::LISTEN;
use crate::world::{On, World, now};

/// A place that sends nothing but what cannot be read does not fill the database.
#[test]
fn a_thousand_unreadable_messages_are_kept() {
    for on in [On::Sqlite, On::Postgres] {
        let world = World::new(on, LISTEN);
        let unreadable = (0..1_010).map(|at| Unreadable {
            target: "arrived Heard".into(),
            content: "{}".into(),
            reason: at.to_string().into(),
        });
        let accept = Accept { unreadable: unreadable.collect(), now: now(), ..Accept::default() };
        let accept = Chore::Exchange(Exchange::Accept(Box::new(accept)));
        world.runtime.block_on(world.engine.chore(accept)).unwrap();
        let parked = world
            .runtime
            .block_on(
                world.store.parked(&store::ParkedFilter { limit: 2_000, ..Default::default() }),
            )
            .unwrap();
        assert_eq!(parked.len(), 1_000);
        assert_eq!(parked[0].error.as_deref(), Some("10"));
    }
}

/// Only who holds the lease takes in what has come.
#[test]
fn who_has_lost_the_lease_takes_in_nothing() {
    for on in [On::Sqlite, On::Postgres] {
        let world = World::new(on, LISTEN);
        let ask = |exchange| {
            let asked = world.engine.chore(Chore::Exchange(exchange));
            world
                .runtime
                .block_on(asked)
                .map(|json| String::from_utf8(json.unwrap().to_vec()).unwrap())
        };
        let [one, other] = [[1; 16], [2; 16]];
        let hold = |holder, now| Exchange::Hold { holder, now, until: now + 10 };
        let accept = |holder| {
            let accept = Accept { holder: Some(holder), ..Accept::default() };
            Exchange::Accept(Box::new(accept))
        };
        assert_eq!(ask(hold(one, 100)).unwrap(), "true");
        assert_eq!(ask(hold(other, 110)).unwrap(), "false");
        assert_eq!(ask(hold(one, 105)).unwrap(), "true");
        assert!(ask(accept(one)).is_ok());
        assert_eq!(ask(hold(other, 116)).unwrap(), "true");
        assert!(ask(accept(one)).is_err());
        assert!(ask(accept(other)).is_ok());
        ask(Exchange::Yield { holder: one }).unwrap();
        assert_eq!(ask(hold(one, 117)).unwrap(), "false");
        ask(Exchange::Yield { holder: other }).unwrap();
        assert_eq!(ask(hold(one, 117)).unwrap(), "true");
    }
}

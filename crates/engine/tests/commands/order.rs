//! The order in which tasks are taken.

use operation::{Chore, Settled, Task};

use crate::world::{On, World, now};

const MODEL: &str = "\
app Talk { version 1  roles user  surface rest }

entity Line { key id: Int = auto  topic: Int  allow read to user }

event Said by topic { topic: Int }

command say(topic: Int) { allow user  emit Said { topic } }

command hear(topic: Int) { allow system  create Line { topic } }

on Said run hear(topic)
";

fn take(world: &World, now: i64, most: i64) -> Vec<Task> {
    let take = Chore::Take { now, until: now + 1_000_000, most };
    let json = world.runtime.block_on(world.engine.chore(take)).unwrap().unwrap();
    serde_json::from_slice(&json).unwrap()
}

/// A first one that is tried again is due after those behind it, and there may be no room for all.
#[test]
fn a_task_that_is_tried_again_stays_before_those_behind_it() {
    for on in [On::Sqlite, On::Postgres] {
        let world = World::new(on, MODEL);
        world.ask(r#"run user say {"topic":1}"#);
        world.ask(r#"run user say {"topic":1}"#);
        let later = now() + 60_000_000;
        let first = take(&world, later, 1);
        let [Task { number, until, .. }] = *first else { panic!("{on:?}: {first:?}") };
        let task = Settled { number, until };
        let fail = Chore::Fail { task, due: later + 1, parked: false, error: "not now".into() };
        world.runtime.block_on(world.engine.chore(fail)).unwrap();
        let again = take(&world, later + 2, 1);
        assert_eq!(again.first().map(|task| task.number), Some(number), "{on:?}");
    }
}

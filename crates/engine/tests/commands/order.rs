//! The order in which tasks are taken, and how events are forgotten.

use engine::{Follow, Wanted};
use operation::{Chore, Settled, Task};

use crate::world::{NOW, On, World, now};

const MODEL: &str = "\
app Talk { version 1  roles user  surface rest }

entity Line { key id: Int = auto  topic: Int  allow read to user }

event Said by topic { topic: Int  allow read to user }

command say(topic: Int) { allow user  emit Said { topic } }

command hear(topic: Int) { allow system  create Line { topic } }

on Said run hear(topic)
";

const LATER: &str = "\
app Later { version 1  roles user  surface rest }

entity Line { key id: Int = auto  text: String(1..9)  allow read to user }

command write(text: String(1..9)) { allow system  create Line { text } }

command ask() {
  allow user
  run write(\"plain\") later
  run write(\"urgent\") later priority 9
  run write(\"late\") later in 5s
}
";

/// What is asked for later is due then and not before; of what is due, what is urgent comes first.
#[test]
fn delay_and_priority_are_kept() {
    for on in [On::Sqlite, On::Postgres] {
        let world = World::new(on, LATER);
        world.ask("run user ask");
        let taken = |after: i64, most| {
            let tasks = take(&world, NOW + after * 1_000_000, most);
            tasks.iter().map(|task| task.arguments.clone()).collect::<Vec<_>>()
        };
        assert_eq!(taken(0, 1), [r#"{"text":"urgent"}"#], "{on:?}");
        assert_eq!(taken(0, 9), [r#"{"text":"plain"}"#], "{on:?}");
        // Those above are taken for a second, and due again.
        assert!(taken(0, 9).is_empty(), "{on:?}");
        assert_eq!(taken(4, 9).len(), 2, "{on:?}");
        assert_eq!(taken(5, 9), [r#"{"text":"late"}"#], "{on:?}");
    }
}

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

/// A change of tables takes its time, and holds a lock all the while that is not theirs.
#[test]
fn tasks_are_taken_while_tables_change() {
    let world = World::new(On::Postgres, MODEL);
    let migrator = world.store.migrator().unwrap();
    assert!(migrator.is_some());
    world.ask(r#"run user say {"topic":1}"#);
    let began = std::time::Instant::now();
    assert_eq!(take(&world, now() + 60_000_000, 1).len(), 1);
    assert!(began.elapsed() < std::time::Duration::from_secs(2), "{:?}", began.elapsed());
    drop(migrator);
}

/// A thousand at once: who forgets has to know whether there are more, and where.
#[test]
fn forgetting_says_how_many_events_went_and_where_the_next_are() {
    for on in [On::Sqlite, On::Postgres] {
        let world = World::new(on, MODEL);
        for _ in 0..1_003 {
            world.ask(r#"run user say {"topic":1}"#);
        }
        let forget = |before: i64, after: i64| -> (u64, i64) {
            let forget = world.engine.chore(Chore::Forget { before, after });
            serde_json::from_slice(&world.runtime.block_on(forget).unwrap().unwrap()).unwrap()
        };
        // Nothing is old, or nothing is there.
        let old = now() + 1_000_000;
        assert_eq!(forget(1, 0), (0, 0), "{on:?}");
        assert_eq!(forget(old, 10_000), (0, 0), "{on:?}");
        let (gone, next) = forget(old, 0);
        assert_eq!((gone, next >= 1_000), (1_000, true), "{on:?}: {next}");
        assert_eq!(forget(old, next), (3, 0), "{on:?}");
        assert_eq!(forget(old, 0), (0, 0), "{on:?}");
    }
}

fn topics(events: &[store::Event]) -> Vec<String> {
    let topic = |event: &store::Event| match &event.event.key {
        operation::Value::Text(key) => key.to_string(),
        other => panic!("{other:?}"),
    };
    events.iter().map(topic).collect()
}

/// Events are read in the order of their numbers, some at a time, by name, key and time.
#[test]
fn events_are_read_in_order() {
    for on in [On::Sqlite, On::Postgres] {
        let world = World::new(on, MODEL);
        for topic in 1..=5 {
            world.ask(&format!(r#"run user say {{"topic":{topic}}}"#));
        }
        let all = Wanted { names: vec!["Said".to_owned()], key: None, since: None };
        let read = |wanted: &Wanted, after: i64, most: usize| {
            world.runtime.block_on(world.engine.events_after(wanted, after, most)).unwrap()
        };
        let first = read(&all, 0, 3);
        assert_eq!(topics(&first.events), ["1", "2", "3"], "{on:?}");
        let second = read(&all, first.after, 3);
        assert_eq!(topics(&second.events), ["4", "5"], "{on:?}");
        assert_eq!(read(&all, second.after, 3).events, [], "{on:?}");
        let fourth = Wanted { key: Some("4".to_owned()), ..all.clone() };
        assert_eq!(topics(&read(&fourth, 0, 3).events), ["4"], "{on:?}");
        let nothing = Wanted { names: Vec::new(), ..all.clone() };
        assert_eq!(read(&nothing, 0, 3).events, [], "{on:?}");
        let late = Wanted { since: Some(now() + 1_000_000), ..all.clone() };
        assert_eq!(read(&late, 0, 3).events, [], "{on:?}");
        let since = |moment| world.runtime.block_on(world.engine.events_since(moment)).unwrap();
        assert_eq!(read(&all, since(0), 1).events, first.events[..1], "{on:?}");
        assert_eq!(since(now() + 1_000_000), second.after, "{on:?}");
    }
}

/// Numbers are given out before they are seen: a page ends before one that is missing and may come, a stream asks for it.
#[test]
fn what_may_still_come_is_not_passed_over() {
    let world = World::new(On::Postgres, MODEL);
    let database = world.url.as_deref().unwrap().rsplit('/').next().unwrap();
    let psql = |sql: &str| testbed::postgres().psql(database, sql);
    world.ask(r#"run user say {"topic":1}"#);
    psql("SELECT nextval(pg_get_serial_sequence('mimar.event', 'number'))");
    world.ask(r#"run user say {"topic":2}"#);
    let all = Wanted { names: vec!["Said".to_owned()], key: None, since: None };
    let read = |after: i64| world.runtime.block_on(world.engine.events_after(&all, after, 9));
    psql(&format!("UPDATE mimar.event SET made = {}", now()));
    let page = read(0).unwrap();
    assert_eq!(topics(&page.events), ["1"]);
    let mut follow = Follow::after(page.after);
    let come = world.runtime.block_on(world.engine.follow_events(&all, &mut follow)).unwrap();
    assert_eq!(topics(&come.0), ["2"]);
    assert_eq!(follow.mark(), page.after);
    // Whoever had the number has surely ended after half a minute.
    psql("UPDATE mimar.event SET made = made - 31000000");
    assert_eq!(topics(&read(page.after).unwrap().events), ["2"]);
}

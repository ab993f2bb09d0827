//! The order in which tasks are taken, and how events are forgotten.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use engine::{Follow, Wanted};
use operation::{Chore, Settled, Task};

use crate::contention::at_once;
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

/// Both kinds of tasks: what is said of a topic has its lane, what is asked for later has none.
const BOTH: &str = "\
app Talk { version 1  roles user  surface rest }

entity Line { key id: Int = auto  topic: Int  allow read to user }

event Said by topic { topic: Int  allow read to user }

command say(topic: Int) { allow user  emit Said { topic } }

command hear(topic: Int) { allow system  create Line { topic } }

command ask(topic: Int) { allow user  run hear(topic) later }

on Said run hear(topic)
";

/// The topics of tasks.
fn topics_of(tasks: &[Task]) -> Vec<u32> {
    let topic = |task: &Task| {
        let digits = task.arguments.chars().filter(char::is_ascii_digit).collect::<String>();
        digits.parse().unwrap()
    };
    tasks.iter().map(topic).collect()
}

/// What another process takes or settles at this moment is not waited for where nothing stands behind it.
#[test]
fn what_others_hold_is_skipped() {
    let world = World::new(On::Postgres, BOTH);
    for topic in 1..=3 {
        world.ask(&format!(r#"run user ask {{"topic":{topic}}}"#));
    }
    let url = world.url.as_deref().unwrap();
    let first = "SELECT FROM mimar.task ORDER BY number LIMIT 1 FOR UPDATE";
    let held = testbed::Postgres::hold(url, &format!("BEGIN; {first};"));
    let (later, began) = (now() + 60_000_000, Instant::now());
    assert_eq!(topics_of(&take(&world, later, 9)), [2, 3]);
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    drop(held);
    assert_eq!(topics_of(&take(&world, later, 9)), [1]);
}

/// Neither what has a lane nor what has none waits for the end of the other, however much of that there is.
#[test]
fn lanes_and_what_has_none_take_turns() {
    for on in [On::Sqlite, On::Postgres] {
        let world = World::new(on, BOTH);
        for topic in 1..=40 {
            let what = if topic <= 30 { "ask" } else { "say" };
            world.ask(&format!(r#"run user {what} {{"topic":{topic}}}"#));
        }
        let later = now() + 60_000_000;
        // How many were taken that have none, and that have one.
        let takes = |times: i64, most: i64| {
            let tasks = (0..times).flat_map(|at| take(&world, later + at, most));
            tasks.fold((0, 0), |(loose, laned), task| match task.lane {
                None => (loose + 1, laned),
                Some(_) => (loose, laned + 1),
            })
        };
        // One place is given to the one and to the other; what the one leaves of its half is the other's. SQLite has one worker, and takes in
        // the order in which they were asked for.
        let expected = match on {
            On::Sqlite => [(10, 0), (6, 0), (14, 10)],
            _ => [(5, 5), (3, 3), (22, 2)],
        };
        assert_eq!([takes(1, 10), takes(6, 1), takes(1, 24)], expected, "{on:?}");
    }
}

/// However many take at once: each task is taken by one, and of a lane nothing is before what stands before it has ended.
#[test]
fn many_take_at_once() {
    const TASKS: usize = 160;
    let world = World::new(On::Postgres, BOTH);
    for turn in 0..TASKS {
        let what = ["say", "ask"][turn % 4 / 3];
        world.ask(&format!(r#"run user {what} {{"topic":{}}}"#, turn % 7));
    }
    let until = now() + 600_000_000;
    // Of each lane, who has it and what was taken of it last; and which tasks were taken.
    let under_way = parking_lot::Mutex::new((HashMap::new(), Vec::new()));
    let ended = AtomicUsize::new(0);
    let began = Instant::now();
    at_once(6, |thread| {
        while ended.load(Ordering::Relaxed) < TASKS {
            assert!(began.elapsed() < Duration::from_secs(60), "not all are taken");
            let take = Chore::Take { now: now() + 60_000_000, until, most: 3 };
            let json = world.runtime.block_on(world.engine.chore(take)).unwrap().unwrap();
            let tasks: Vec<Task> = serde_json::from_slice(&json).unwrap();
            {
                let (lanes, taken) = &mut *under_way.lock();
                for task in &tasks {
                    assert!(!taken.contains(&task.number), "{task:?} is taken by two");
                    taken.push(task.number);
                    let Some(lane) = &task.lane else { continue };
                    let (by, last) = lanes.entry(lane.clone()).or_insert((None, 0));
                    assert!(by.is_none_or(|by| by == thread), "{task:?}: its lane is another's");
                    assert!(*last < task.number, "{task:?} is taken behind {last}");
                    (*by, *last) = (Some(thread), task.number);
                }
            }
            for task in tasks {
                let settled = Settled { number: task.number, until };
                let park =
                    Chore::Fail { task: settled, due: 0, parked: true, error: "done".into() };
                if let Some(lane) = &task.lane {
                    let lanes = &mut under_way.lock().0;
                    let (by, last) = lanes.get_mut(lane).unwrap();
                    *by = by.filter(|_| *last != task.number);
                }
                world.runtime.block_on(world.engine.chore(park)).unwrap();
                ended.fetch_add(1, Ordering::Relaxed);
            }
        }
    });
    assert_eq!(under_way.lock().1.len(), TASKS);
}

/// A change of tables takes its time, and holds a lock all the while that is not theirs.
#[test]
fn tasks_are_taken_while_tables_change() {
    let world = World::new(On::Postgres, MODEL);
    let migrator = world.store.migrator().unwrap();
    assert!(migrator.is_some());
    world.ask(r#"run user say {"topic":1}"#);
    let began = Instant::now();
    assert_eq!(take(&world, now() + 60_000_000, 1).len(), 1);
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
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

//! Tasks, carried out by workers: in order, once, and by others where one is gone.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use engine::Terms;
use operation::Chore;
use store::{EventFilter, Options};

use crate::world::{On, World, now};

const LINES: &str = r#"
app Lines { version 1  roles user  surface rest }

/// What was said of it, and what was heard of that.
entity Line {
  key id: Int
  said:   Int = 0
  allow read, create to user
}

entity Ear {
  key id: Int
  heard:  Int = 0
  open:   Bool = true
  allow read, create, update to user
}

error OutOfOrder 409 "{number} comes after {heard}" { number: Int  heard: Int }
error Shut 409 "{ear} is shut" { ear: Int }

event Said by line { line: Line  number: Int }

command say(line: Line) {
  allow user
  update line { said: .said + 1 }
  emit Said { line, number: line.said }
}

command say_all(line: Line, turns: [Int](1..100)) {
  allow user
  for turn in turns { run say(line) }
}

command hear(ear: Ear, number: Int) {
  allow system
  require ear.open else Shut { ear: ear.id }
  require ear.heard == number - 1 else OutOfOrder { number, heard: ear.heard }
  update ear { heard: number }
}

command listen(line: Line, number: Int) {
  allow system
  for ear in Ear where .id == line.id { run hear(ear, number) }
}

on Said run listen(line, number)

command open(ear: Ear) { allow user  update ear { open: true } }
"#;

/// So many lines of which something can be said, numbered from 1.
fn lines(on: On, count: usize) -> World {
    let world = World::new(on, LINES);
    for id in 1..=count {
        world.ask(&format!(r#"add user Line {{"id":{id}}}"#));
        world.ask(&format!(r#"add user Ear {{"id":{id}}}"#));
    }
    world
}

/// `[1,2,…]`
fn turns(count: usize) -> String {
    let turns: Vec<String> = (1..=count).map(|turn| turn.to_string()).collect();
    format!("{{\"turns\":[{}]}}", turns.join(","))
}

fn heard(world: &World, line: usize, number: usize) -> bool {
    world.ask(&format!("read user Ear {line}")).contains(&format!(r#""heard":{number},"#))
}

/// Terms on which little is waited for.
fn hurried() -> Terms {
    let (lease, first_wait) = (Duration::from_secs(2), Duration::from_millis(20));
    Terms { lease, tries: 4, first_wait, ..Terms::default() }
}

/// A worker, until it is told to rest.
fn employ(world: &World, terms: Terms) -> tokio::task::JoinHandle<()> {
    let engine = Arc::clone(&world.engine);
    world.runtime.spawn(async move { engine.work_with(terms).await })
}

fn dismiss(world: &World, worker: tokio::task::JoinHandle<()>) {
    world.engine.rest();
    world.runtime.block_on(worker).unwrap();
}

/// Waits until something holds, for a minute at most.
fn until(what: &str, holds: impl Fn() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < Duration::from_secs(60), "{what}: not within a minute");
        thread::sleep(Duration::from_millis(50));
    }
}

/// What is parked, as it is told.
fn parked(world: &World) -> Vec<store::Parked> {
    world
        .runtime
        .block_on(world.store.parked(&store::ParkedFilter { limit: 1_000, ..Default::default() }))
        .unwrap()
}

fn waiting(world: &World) -> u64 {
    let queue = world.runtime.block_on(world.store.queue(now())).unwrap();
    queue.waiting + queue.taken + queue.parked
}

/// Twenty lines, fifty turns each, said by twenty threads while a worker hears them: each ear asks for the next number, so that
/// one which is heard twice, too early or never would be told.
#[test]
fn each_key_has_its_order() {
    for on in [On::Sqlite, On::Postgres, On::Pooled] {
        let world = lines(on, 20);
        let worker = employ(&world, Terms::default());
        thread::scope(|scope| {
            for line in 1..=20 {
                let world = &world;
                scope.spawn(move || {
                    let caller = world.caller("user");
                    for _ in 0..50 {
                        world.run(&caller, &format!("say/{line}"), "", None).unwrap();
                    }
                });
            }
        });
        until("all is heard", || (1..=20).all(|line| heard(&world, line, 50)));
        dismiss(&world, worker);
        let figures = world.engine.work_figures();
        assert_eq!((figures.done, figures.failed), (1_000, 0), "{on:?}");
        assert_eq!(waiting(&world), 0, "{on:?}");
    }
}

/// More of one key than are taken at once, of which the first has to wait: the others wait with it.
#[test]
fn what_failed_is_tried_before_what_came_after_it() {
    for on in [On::Sqlite, On::Postgres] {
        let world = World::new(on, LINES);
        world.ask(r#"add user Line {"id":1}"#);
        world.ask(r#"add user Ear {"id":1,"open":false}"#);
        world.ask(&format!("run user say_all/1 {}", turns(100)));
        world.ask("work");
        let failed = world.engine.work_figures().failed;
        assert!(failed > 0, "{on:?}");
        world.ask("run user open/1");
        until("all is heard", || {
            world.ask("work");
            heard(&world, 1, 100)
        });
        assert_eq!(world.engine.work_figures().failed, failed, "{on:?}");
    }
}

/// What keeps failing is put aside, and does not hold up its own lane or another. Then it can be tried again, or dropped.
#[test]
fn what_keeps_failing_is_parked() {
    for on in [On::Sqlite, On::Postgres, On::Pooled] {
        let world = lines(on, 1);
        world.ask(r#"add user Line {"id":2}"#);
        world.ask(r#"add user Ear {"id":2,"open":false}"#);
        for line in [2, 2, 1] {
            world.ask(&format!("run user say/{line}"));
        }
        let worker = employ(&world, hurried());
        until("both are parked", || parked(&world).len() == 2);
        assert!(heard(&world, 1, 1), "{on:?}");
        let aside = parked(&world);
        for (task, number) in aside.iter().zip(1..) {
            assert_eq!(&*task.target, "on Said run listen", "{on:?}");
            assert_eq!(task.failures, 4, "{on:?}");
            assert!(task.since > now() - 60_000_000 && task.since <= now(), "{on:?}");
            assert_eq!(task.error.as_deref(), Some("Shut: 2 is shut"), "{on:?}");
            assert_eq!(&*task.arguments, format!(r#"{{"line":2,"number":{number}}}"#), "{on:?}");
        }
        let ask = |chore| world.runtime.block_on(world.engine.chore(chore)).unwrap().unwrap();
        world.ask("run user open/2");
        let first = aside[0].number;
        assert_eq!(&*ask(Chore::Revive { number: Some(first), now: now() }), b"1");
        assert_eq!(&*ask(Chore::Revive { number: Some(first), now: now() }), b"0");
        until("it is heard", || heard(&world, 2, 1));
        assert_eq!(&*ask(Chore::Discard { number: aside[1].number }), b"1");
        assert!(parked(&world).is_empty(), "{on:?}");
        dismiss(&world, worker);
        assert_eq!(waiting(&world), 0, "{on:?}");
    }
}

/// What the database does not come to the end of in time fails like anything else: it does not hold up its lane for ever.
#[test]
fn what_takes_too_long_is_parked() {
    let options = Options { deadline: Duration::from_millis(200), ..Options::default() };
    let world = World::with(On::Postgres, LINES, options);
    world.ask(r#"add user Line {"id":1}"#);
    world.ask(r#"add user Ear {"id":1}"#);
    world.ask("run user say/1");
    let held = testbed::Postgres::hold(
        world.url.as_deref().unwrap(),
        "BEGIN; SELECT FROM ear WHERE id = 1 FOR UPDATE;",
    );
    let worker = employ(&world, hurried());
    until("it is parked", || !parked(&world).is_empty());
    assert_eq!(parked(&world)[0].error.as_deref(), Some("unavailable: the database took too long"));
    drop(held);
    dismiss(&world, worker);
}

/// Events are kept as long as it is said, and what they have brought about stays.
#[test]
fn events_are_kept_for_a_set_time() {
    for on in [On::Sqlite, On::Postgres] {
        let world = lines(on, 1);
        let events = || {
            let all = EventFilter { limit: 9, ..EventFilter::default() };
            world.runtime.block_on(world.store.events(&all)).unwrap().len()
        };
        world.ask("run user say/1");
        assert_eq!(events(), 1, "{on:?}");
        let terms = Terms { kept: Duration::from_millis(300), ..hurried() };
        let worker = employ(&world, terms);
        until("it is heard", || heard(&world, 1, 1));
        until("it is forgotten", || events() == 0);
        dismiss(&world, worker);
        assert!(heard(&world, 1, 1), "{on:?}");
    }
}

/// Two processes on one database, of which one is killed with what it has taken.
#[test]
fn others_do_what_a_killed_worker_had_taken() {
    let world = lines(On::Postgres, 20);
    let other = world.beside();
    for line in 1..=20 {
        world.ask(&format!("run user say_all/{line} {}", turns(100)));
    }
    let killed = employ(&world, hurried());
    let worker = employ(&other, hurried());
    until("both have some", || {
        world.engine.work_figures().done > 20 && other.engine.work_figures().done > 20
    });
    killed.abort();
    assert!(waiting(&other) > 0, "it was killed too late");
    until("all is heard", || (1..=20).all(|line| heard(&other, line, 100)));
    dismiss(&other, worker);
    assert_eq!(waiting(&other), 0);
    assert_eq!(other.engine.work_figures().failed, 0);
}

const SWEEP: &str = r#"
app Sweep { version 1  roles user  surface rest }
entity Item { key id: Int  swept: Int = 0  allow read, create to user }
command stock(items: [Int](1..100)) { allow user  for item in items { create Item { id: item } } }
command sweep(item: Item) { allow system  update item { swept: .swept + 1 } }
job clean every 1h { for item in Item where .id > 0 { run sweep(item) } }
"#;

/// A job over many batches, whose worker is killed in the middle: another goes on where the batch began that was under way. Others
/// write while it runs.
#[test]
fn a_job_goes_on_where_it_was() {
    const ROWS: usize = 3_000;
    /// What a job finds at once.
    const BATCH: usize = 200;
    for on in [On::Sqlite, On::Postgres, On::Pooled] {
        let world = World::new(on, SWEEP);
        for first in (1..=ROWS).step_by(100) {
            let items: Vec<String> = (first..first + 100).map(|id| id.to_string()).collect();
            world.ask(&format!("run user stock {{\"items\":[{}]}}", items.join(",")));
        }
        let due = now() - 1_000_000;
        let clean = Chore::Schedule { target: "job clean".into(), due, unless_before: due };
        world.runtime.block_on(world.engine.chore(clean)).unwrap();
        let swept = |id: usize| -> usize {
            let told = world.ask(&format!("read user Item {id}"));
            let count = told.split_once(r#""swept":"#).unwrap().1;
            count.split_once('}').unwrap().0.parse().unwrap()
        };
        // Long enough that no worker of a busy machine loses it on the way.
        let terms = Terms { lease: Duration::from_secs(8), ..Terms::default() };
        let (killed, began) = (employ(&world, terms), Instant::now());
        let mut beside = 0;
        while swept(2 * BATCH) == 0 {
            beside += 1;
            let stocked = world.ask(&format!("run user stock {{\"items\":[-{beside}]}}"));
            assert_eq!(stocked, "done", "{on:?}");
            assert!(began.elapsed() < Duration::from_secs(60), "{on:?}: it does not begin");
        }
        killed.abort();
        let _ = world.runtime.block_on(killed);
        assert_eq!(swept(ROWS), 0, "{on:?}: it was killed too late");
        // On SQLite a worker that begins takes back what another had; elsewhere the time of that has to run out.
        let worker = employ(&world, terms);
        until("all are swept", || swept(ROWS) > 0 && world.engine.work_figures().done == 1);
        dismiss(&world, worker);
        let counts: Vec<usize> = (1..=ROWS).map(swept).collect();
        assert!(!counts.contains(&0), "{on:?}: some were left out");
        let twice: Vec<usize> = (1..=ROWS).filter(|id| counts[id - 1] > 1).collect();
        assert!(counts.iter().all(|count| *count <= 2), "{on:?}");
        // Only what the batch had done that was under way.
        assert!(twice.len() <= BATCH, "{on:?}: {} twice", twice.len());
        if let (Some(first), Some(last)) = (twice.first(), twice.last()) {
            assert!((first - 1) / BATCH == (last - 1) / BATCH, "{on:?}: {first} to {last}");
        }
        assert_eq!(world.engine.work_figures().failed, 0, "{on:?}");
    }
}

/// A worker is woken by the commit. One that is not looks half a second after its last task, and here no more than a tenth passes
/// before the next is promised.
#[test]
fn a_commit_wakes_the_worker() {
    const TIMES: u32 = 20;
    for on in [On::Sqlite, On::Postgres] {
        let mut world = lines(on, 1);
        // By the engine, as servers do.
        world.coded = true;
        let worker = employ(&world, Terms::default());
        let mut waited = Duration::ZERO;
        for number in 1..=TIMES as usize {
            thread::sleep(Duration::from_millis(number as u64 * 37 % 100));
            world.ask("run user say/1");
            let began = Instant::now();
            while !heard(&world, 1, number) {
                assert!(began.elapsed() < Duration::from_secs(30), "{on:?}");
                thread::sleep(Duration::from_millis(1));
            }
            waited += began.elapsed();
        }
        dismiss(&world, worker);
        assert!(waited < TIMES * Duration::from_millis(250), "{on:?}: {:?} each", waited / TIMES);
    }
}

const LATE: &str = r#"
app Late { version 1  roles user  surface rest }
entity Tick { key id: Int  count: Int = 0  allow read, create to user }
command tick(id: Int) { allow system  for row in Tick where .id == id { update row { count: .count + 1 } } }
job strike every 1h jitter 5m { run tick(1) }
"#;

/// Jitter puts a run off by up to so much, at random, and the clock of the job does not move with it.
#[test]
fn jitter_puts_a_run_off() {
    let minutes = |minutes: i64| minutes * 60_000_000;
    let mut offs = Vec::new();
    for _ in 0..5 {
        let world = World::new(On::Sqlite, LATE);
        world.ask(r#"add user Tick {"id":1}"#);
        let began = now();
        let due = began - 1_000_000;
        let strike = Chore::Schedule { target: "job strike".into(), due, unless_before: due };
        world.runtime.block_on(world.engine.chore(strike)).unwrap();
        // It is taken, and put off.
        assert_eq!(world.ask("work"), "1 tasks");
        assert!(world.ask("read user Tick 1").starts_with(r#"{"id":1,"count":0}"#));
        let task = |world: &World| {
            let take = |now| Chore::Take { now, until: now + 1, most: 1 };
            let told = world.runtime.block_on(world.engine.chore(take(began + minutes(600))));
            let told: Vec<operation::Task> =
                serde_json::from_slice(&told.unwrap().unwrap()).unwrap();
            told.into_iter().next().unwrap()
        };
        let put_off = task(&world);
        offs.push(put_off.due - began);
        let nominal = format!(r#"{{"nominal":{due}}}"#);
        assert_eq!(&*put_off.arguments, nominal);
    }
    assert!(offs.iter().all(|off| (0..=minutes(5) + 60_000_000).contains(off)), "{offs:?}");
    offs.sort_unstable();
    offs.dedup();
    assert!(offs.len() > 1, "always the same: {offs:?}");
}

/// Two processes on one database, side by side.
#[test]
fn two_workers_share_the_work() {
    let world = lines(On::Postgres, 20);
    let other = world.beside();
    let workers = (employ(&world, Terms::default()), employ(&other, Terms::default()));
    thread::scope(|scope| {
        for line in 1..=20 {
            let world = if line % 2 == 0 { &world } else { &other };
            scope.spawn(move || {
                let caller = world.caller("user");
                for _ in 0..50 {
                    world.run(&caller, &format!("say/{line}"), "", None).unwrap();
                }
            });
        }
    });
    until("all is heard", || (1..=20).all(|line| heard(&world, line, 50)));
    dismiss(&world, workers.0);
    dismiss(&other, workers.1);
    let (one, two) = (world.engine.work_figures(), other.engine.work_figures());
    assert_eq!((one.done + two.done, one.failed + two.failed), (1_000, 0));
    assert_eq!(waiting(&world), 0);
}

const CLOCK: &str = r#"
app Clock { version 1  roles user  surface rest }
entity Tick { key id: Int  count: Int = 0  allow read, create to user }
command tick() { allow system  for row in Tick where .id == 1 { update row { count: .count + 1 } } }
job strike every 1s { run tick() }
"#;

/// A job runs once in each of its periods, however many processes there are.
#[test]
fn a_job_runs_once_per_period() {
    let world = World::new(On::Postgres, CLOCK);
    let other = world.beside();
    world.ask(r#"add user Tick {"id":1}"#);
    let began = Instant::now();
    let workers = (employ(&world, Terms::default()), employ(&other, Terms::default()));
    let ticks = || {
        let told = world.ask("read user Tick 1");
        let count = told.split_once(r#""count":"#).unwrap().1;
        count.chars().take_while(char::is_ascii_digit).collect::<String>().parse::<u64>().unwrap()
    };
    until("it has run", || ticks() >= 4);
    dismiss(&world, workers.0);
    dismiss(&other, workers.1);
    let (ran, whole) = (ticks(), began.elapsed().as_secs());
    assert!(ran <= whole, "{ran} runs in {whole} s");
}

/// A run that takes longer than the period is not joined by the next one, of whichever process.
#[test]
fn a_job_does_not_run_beside_itself() {
    let world = World::new(On::Postgres, CLOCK);
    let other = world.beside();
    world.ask(r#"add user Tick {"id":1}"#);
    let (url, began) = (world.url.clone().unwrap(), Instant::now());
    let database = url.rsplit('/').next().unwrap();
    let held = testbed::Postgres::hold(&url, "BEGIN; SELECT FROM tick FOR UPDATE;");
    let workers = (employ(&world, Terms::default()), employ(&other, Terms::default()));
    let running = || -> u32 {
        let waiting = "SELECT count(*) FROM pg_stat_activity \
                       WHERE datname = current_database() AND wait_event_type = 'Lock'";
        testbed::postgres().psql(database, waiting).trim().parse().unwrap()
    };
    until("it runs", || running() > 0);
    let held_since = Instant::now();
    while held_since.elapsed() < Duration::from_millis(3_300) {
        assert_eq!(running(), 1);
        thread::sleep(Duration::from_millis(50));
    }
    drop(held);
    let ticks = || -> u64 {
        let told = world.ask("read user Tick 1");
        let count = told.split_once(r#""count":"#).unwrap().1;
        count.chars().take_while(char::is_ascii_digit).collect::<String>().parse().unwrap()
    };
    until("it goes on", || ticks() >= 3);
    dismiss(&world, workers.0);
    dismiss(&other, workers.1);
    let (ran, whole) = (ticks(), began.elapsed().as_secs());
    // What was missed meanwhile is made up for by one run.
    assert!(ran < whole, "{ran} runs in {whole} s, of which one took three");
    let failed = world.engine.work_figures().failed + other.engine.work_figures().failed;
    assert_eq!(failed, 0);
}

/// A model whose jobs count their runs, each in a row of its own.
fn clocks(every: &str) -> String {
    let job = |at: usize, catch_up: &str| {
        format!("job strike_{at} {every} {catch_up} {{ run tick({at}) }}\n")
    };
    format!(
        r#"
app Clock {{ version 1  roles user  surface rest }}
entity Tick {{ key id: Int  count: Int = 0  allow read, create to user }}
command tick(id: Int) {{
  allow system
  for row in Tick where .id == id {{ update row {{ count: .count + 1 }} }}
}}
{}{}{}{}"#,
        job(1, ""),
        job(2, "catch up once"),
        job(3, "catch up all"),
        job(4, "catch up none"),
    )
}

/// After so long without anybody who carries jobs out: how often each has run, once they have caught up.
#[track_caller]
fn caught_up(on: On, every: &str, away: Duration) -> Vec<String> {
    let world = World::new(on, &clocks(every));
    for id in 1..=4 {
        world.ask(&format!(r#"add user Tick {{"id":{id}}}"#));
        let due = now() - i64::try_from(away.as_micros()).unwrap();
        let target = format!("job strike_{id}").into();
        let asleep = Chore::Schedule { target, due, unless_before: due };
        world.runtime.block_on(world.engine.chore(asleep)).unwrap();
    }
    world.ask("work");
    let counts = (1..=4).map(|id| world.ask(&format!("read user Tick {id}")));
    counts.map(|told| told.split(['{', '}']).nth(1).unwrap().to_owned()).collect()
}

#[test]
fn jobs_catch_up_as_they_are_told() {
    for on in [On::Sqlite, On::Postgres] {
        let hours = |hours: u64| Duration::from_secs(hours * 3_600 + 60 * 30);
        let counts = |counts: [u32; 4]| -> Vec<String> {
            let all = counts.iter().enumerate();
            all.map(|(at, count)| format!(r#""id":{},"count":{count}"#, at + 1)).collect()
        };
        assert_eq!(caught_up(on, "every 1h", hours(5)), counts([1, 1, 6, 0]), "{on:?}");
        // What waits for its turn was not missed.
        let late = Duration::from_secs(5);
        assert_eq!(caught_up(on, "every 1h", late), counts([1, 1, 1, 1]), "{on:?}");
    }
    // More than a hundred are not made up for.
    let days = Duration::from_secs(40 * 24 * 3_600 + 60);
    let told = caught_up(On::Sqlite, "at \"0 */2 * * *\"", days);
    assert_eq!(told[2], r#""id":3,"count":101"#);
}

/// A server of a newer model, beside this one, may have asked for what this one does not know: it is tried again before it is
/// parked.
#[test]
fn what_the_model_does_not_have_is_tried_again() {
    for on in [On::Sqlite, On::Postgres] {
        let world = World::new(on, "app Bare { version 1  roles user  surface rest }");
        for target in ["run vanished", "on Vanished run tick", "webhook vanished"] {
            let target = target.into();
            let asked = Chore::Schedule { target, due: now() - 1_000_000, unless_before: 0 };
            world.runtime.block_on(world.engine.chore(asked)).unwrap();
        }
        assert_eq!(world.ask("work"), "3 tasks", "{on:?}");
        assert!(parked(&world).is_empty(), "{on:?}");
        let queue = world.runtime.block_on(world.store.queue(now())).unwrap();
        assert_eq!((queue.waiting, queue.parked), (3, 0), "{on:?}");
        world.ask("wait");
        assert_eq!(world.ask("work"), "3 tasks", "{on:?}");
    }
}

//! Many at once: nothing is sold twice, nothing is lost, nobody waits for ever.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use operation::{Fault, Receipt};
use store::Options;

use crate::world::{On, World, in_two, now};

const SHOP: &str = include_str!("scenes/place_order.scene");

fn shop(on: On) -> World {
    World::new(on, in_two(SHOP).0)
}

/// Runs `each` on so many threads.
pub fn at_once(threads: usize, each: impl Fn(usize) + Send + Sync) {
    std::thread::scope(|scope| {
        for number in 0..threads {
            let each = &each;
            scope.spawn(move || each(number));
        }
    });
}

/// 64 clients buy the last 1,000 pieces, one each time, and would buy on.
#[test]
fn the_last_pieces_are_sold_once() {
    for on in [On::Sqlite, On::Postgres] {
        let world = shop(on);
        world.ask(r#"add clerk Product {"sku":"cup","price":"1.00","stock":1000,"state":"live"}"#);
        world.ask(r#"add clerk Customer {"id":1,"email":"ada@example.org"}"#);
        let (sold, refused) = (AtomicUsize::new(0), AtomicUsize::new(0));
        at_once(64, |_| {
            let caller = world.caller("customer:1");
            for _ in 0..17 {
                let body = r#"{"basket":[{"product":"cup","quantity":1}]}"#;
                match world.run(&caller, "place_order", body, None) {
                    Ok(_) => sold.fetch_add(1, Ordering::Relaxed),
                    Err(Fault::Raised { .. }) => refused.fetch_add(1, Ordering::Relaxed),
                    Err(fault) => panic!("{on:?}: {fault}"),
                };
            }
        });
        assert_eq!(sold.into_inner(), 1_000, "{on:?}");
        assert_eq!(refused.into_inner(), 64 * 17 - 1_000, "{on:?}");
        assert!(world.ask("read clerk Product cup").contains(r#""stock":0"#), "{on:?}");
    }
}

const ROOMS: &str = "\
app Rooms { version 1  roles user  surface rest }

entity Booking { key id: Int = auto  room: Int  index (room)  allow read to user }

error Taken 409 \"{room} is taken\" { room: Int }

command book(room: Int) {
  allow user
  for other in Booking where .room == room { require other.room != room else Taken { room } }
  create Booking { room }
}
";

/// Who finds that a room is free has found no row that could be locked: that nobody else finds the same is for the database.
#[test]
fn a_room_is_booked_once() {
    for on in [On::Sqlite, On::Postgres] {
        let world = World::new(on, ROOMS);
        for room in 0..12 {
            let booked = AtomicUsize::new(0);
            at_once(8, |_| {
                let caller = world.caller("user");
                match world.run(&caller, "book", &format!(r#"{{"room":{room}}}"#), None) {
                    Ok(_) => drop(booked.fetch_add(1, Ordering::Relaxed)),
                    Err(Fault::Raised { .. }) => {}
                    Err(fault) if fault.is_passing() => {}
                    Err(fault) => panic!("{on:?}: {fault}"),
                }
            });
            assert_eq!(booked.into_inner(), 1, "{on:?}: room {room}");
        }
        let table = world.loaded.schema.tables.iter().find(|table| *table.entity == *"Booking");
        assert_eq!(world.store.count(table.unwrap()).unwrap(), 12, "{on:?}");
    }
}

/// Orders of two products in both orders, and cancellations that put them back: all want the same locks.
#[test]
fn nobody_waits_in_a_circle() {
    for on in [On::Sqlite, On::Postgres] {
        let world = shop(on);
        for sku in ["cup", "pot", "jug"] {
            world.ask(&format!(
                r#"add clerk Product {{"sku":"{sku}","price":"1.00","stock":1000,"state":"live"}}"#
            ));
        }
        world.ask(r#"add clerk Customer {"id":1,"email":"ada@example.org"}"#);
        at_once(16, |number| {
            let caller = world.caller("customer:1");
            let mut skus = ["cup", "pot", "jug"];
            skus.rotate_left(number % 3);
            if number % 2 == 0 {
                skus.reverse();
            }
            let items = skus.map(|sku| format!(r#"{{"product":"{sku}","quantity":2}}"#));
            let body = format!(r#"{{"basket":[{}]}}"#, items.join(","));
            for _ in 0..12 {
                let placed = world.run(&caller, "place_order", &body, None).unwrap();
                let id: String = placed.chars().skip(10).take_while(char::is_ascii_digit).collect();
                world.run(&caller, &format!("cancel/{id}"), "", None).unwrap();
            }
        });
        for sku in ["cup", "pot", "jug"] {
            let row = world.ask(&format!("read clerk Product {sku}"));
            assert!(row.contains(r#""stock":1000"#), "{on:?}: {row}");
        }
        nothing_was_broken(&world);
    }
}

/// Of what twelve threads have asked for sixty times: what scans sees the database as of one moment, and here that is over soon.
fn few_were_given_up(given_up: usize) {
    assert!(given_up < 12 * 60 / 10, "{given_up} were given up");
}

/// A circle that the database had to break would have been tried again, and told nobody.
fn nothing_was_broken(world: &World) {
    let Some(url) = &world.url else { return };
    let name = url.rsplit('/').next().unwrap();
    let ask = |what: &str, of: &str| {
        let sql = format!("SELECT {what} FROM {of} WHERE datname = current_database()");
        testbed::postgres().psql(name, &sql).trim().to_owned()
    };
    // What a session has counted is there for certain when it has ended.
    world.store.close();
    let began = std::time::Instant::now();
    while ask("count(*)", "pg_stat_activity") != "1" {
        assert!(began.elapsed().as_secs() < 30, "sessions do not end");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    assert_eq!(ask("deadlocks", "pg_stat_database"), "0");
}

/// Rows go while others of theirs, whose tables the model has before and behind, are changed beside them.
const GOING: &str = "\
app Going { version 1  roles user  surface rest }

entity Loose { key id: Int  n: Int = 0  root: Root? on delete clear  allow read, create to user }
entity Bound { key id: Int  n: Int = 0  root: Root on delete cascade  allow read to user }
entity Root { key id: Int  n: Int = 0  allow read to user }
entity Late { key id: Int  n: Int = 0  bound: Bound on delete cascade  allow read to user }

command loose(loose: Loose, root: Root) { allow user  update loose { n: .n + 1 }  update root { n: .n + 1 } }
command bound(bound: Bound, root: Root) { allow user  update bound { n: .n + 1 }  update root { n: .n + 1 } }
command late(late: Late, bound: Bound) { allow user  update late { n: .n + 1 }  update bound { n: .n + 1 } }
command hang(loose: Loose, root: Root) { allow user  update loose { root } }
command drop(root: Root) { allow user  delete root }
command drop_beside(root: Root, late: Late) { allow user  delete root  update late { n: .n + 1 } }
command drop_all() { allow user  for root in Root where .n > 3 { delete root } }
command make(id: Int) {
  allow user
  let root = create Root { id }
  let bound = create Bound { id, root }
  create Late { id, bound }
}
";

#[test]
fn what_goes_waits_in_no_circle() {
    for (on, loads) in [(On::Sqlite, false), (On::Postgres, false), (On::Postgres, true)] {
        let mut world = World::new(on, GOING);
        world.loads = loads;
        for id in 1..=3 {
            world.ask(&format!(r#"add user Loose {{"id":{id}}}"#));
        }
        let (gone, given_up) = (AtomicUsize::new(0), AtomicUsize::new(0));
        at_once(12, |number| {
            for turn in 0..60 {
                let id = 1 + (number + turn) % 3;
                let ask = match (number * 7 + turn) % 8 {
                    0 => format!(r#"run user loose/{id} {{"root":{id}}}"#),
                    1 => format!(r#"run user bound/{id} {{"root":{id}}}"#),
                    2 => format!(r#"run user late/{id} {{"bound":{id}}}"#),
                    3 | 4 => format!(r#"run user hang/{id} {{"root":{id}}}"#),
                    5 => [
                        format!("run user drop/{id}"),
                        format!(r#"run user drop_beside/{id} {{"late":{}}}"#, 1 + id % 3),
                        "run user drop_all".to_owned(),
                    ][turn / 8 % 3]
                        .clone(),
                    _ => format!(r#"run user make {{"id":{id}}}"#),
                };
                let told = world.ask(&ask);
                let is_over = told.contains("unavailable: could not");
                assert!(is_over || !told.starts_with("unavailable"), "{ask}: {told}");
                given_up.fetch_add(usize::from(is_over), Ordering::Relaxed);
                gone.fetch_add(
                    usize::from(told == "done" && ask.contains("drop")),
                    Ordering::Relaxed,
                );
            }
        });
        assert!(gone.into_inner() > 10, "{on:?}");
        few_were_given_up(given_up.into_inner());
        nothing_was_broken(&world);
    }
}

/// A command that others stand in the way of each time is given up in the end, and the caller is told to come back.
#[test]
fn what_is_tried_again_is_bounded() {
    for loads in [false, true] {
        let mut world = World::new(On::Postgres, GOING);
        world.loads = loads;
        world.ask(r#"run user make {"id":1}"#);
        let database = world.url.as_deref().unwrap().rsplit('/').next().unwrap().to_owned();
        let psql = |sql: &str| testbed::postgres().psql(&database, sql);
        // What a sequence has counted is not taken back.
        psql(
            "CREATE SEQUENCE tries; \
             CREATE FUNCTION meet() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
               PERFORM nextval('tries'); RAISE EXCEPTION 'somebody was first' USING ERRCODE = '40001'; END $$; \
             CREATE TRIGGER meet BEFORE UPDATE ON root FOR EACH ROW EXECUTE FUNCTION meet()",
        );
        let began = std::time::Instant::now();
        let caller = world.caller("user");
        let told = world.run(&caller, "bound/1", r#"{"root":1}"#, None);
        assert!(matches!(&told, Err(fault) if fault.is_passing()), "{told:?}");
        assert_eq!(psql("SELECT last_value FROM tries").trim(), "8", "loaded: {loads}");
        // Longer each time, and not for long.
        assert!(began.elapsed() < std::time::Duration::from_secs(5), "{:?}", began.elapsed());
        psql("DROP TRIGGER meet ON root");
        assert_eq!(world.run(&caller, "bound/1", r#"{"root":1}"#, None), Ok("done".to_owned()));
    }
}

/// Rows go with each other in a circle that is entered at either end, and rows are found when others are locked already.
const TANGLED: &str = "\
app Tangled { version 1  roles user  surface rest }

entity Alpha { key id: Int  n: Int = 0  beta: Beta? on delete cascade  allow read, create to user }
entity Beta { key id: Int  n: Int = 0  alpha: Alpha? on delete cascade  allow read, create to user }
entity Last { key id: Int  n: Int = 0  alpha: Alpha? on delete clear  allow read, create to user }

command drop_alpha(alpha: Alpha) { allow user  delete alpha }
command drop_beta(beta: Beta) { allow user  delete beta }
command both(alpha: Alpha, beta: Beta) { allow user  update alpha { n: .n + 1 }  update beta { n: .n + 1 } }
command tie(alpha: Alpha, beta: Beta) { allow user  update alpha { beta }  update beta { alpha } }
command make(id: Int) { allow user  create Alpha { id }  create Beta { id } }
command beside(alpha: Alpha, last: Last) { allow user  update alpha { n: .n + 1 }  update last { n: .n + 1, alpha } }
command then_all(last: Last) {
  allow user
  update last { n: .n + 1 }
  if last.n > 0 { for alpha in Alpha where .n >= 0 { update alpha { n: .n + 1 } } }
}
";

#[test]
fn what_is_tangled_waits_in_no_circle() {
    for (on, loads) in [(On::Sqlite, false), (On::Postgres, false), (On::Postgres, true)] {
        let mut world = World::new(on, TANGLED);
        world.loads = loads;
        for id in 1..=4 {
            world.ask(&format!("run user make/{id}"));
            world.ask(&format!(r#"add user Last {{"id":{id}}}"#));
        }
        let (done, given_up) = (AtomicUsize::new(0), AtomicUsize::new(0));
        at_once(12, |number| {
            for turn in 0..60 {
                let (id, next) = (1 + (number + turn) % 4, 1 + (number + turn / 3) % 4);
                let ask = match (number * 5 + turn) % 9 {
                    0 => format!("run user drop_alpha/{id}"),
                    1 => format!("run user drop_beta/{id}"),
                    2 | 3 => format!(r#"run user tie/{id} {{"beta":{next}}}"#),
                    4 => format!(r#"run user both/{id} {{"beta":{next}}}"#),
                    5 => format!(r#"run user beside/{id} {{"last":{next}}}"#),
                    6 => format!("run user then_all/{id}"),
                    _ => format!(r#"run user make {{"id":{id}}}"#),
                };
                let told = world.ask(&ask);
                let is_over = told.contains("unavailable: could not");
                assert!(is_over || !told.starts_with("unavailable"), "{ask}: {told}");
                given_up.fetch_add(usize::from(is_over), Ordering::Relaxed);
                done.fetch_add(usize::from(told == "done"), Ordering::Relaxed);
            }
        });
        assert!(done.into_inner() > 60, "{on:?}");
        few_were_given_up(given_up.into_inner());
        nothing_was_broken(&world);
    }
}

/// One key, a hundred times in parallel: one order, and one answer for all who get one.
#[test]
fn a_key_is_used_once() {
    for on in [On::Sqlite, On::Postgres, On::Pooled] {
        let world = Arc::new(shop(on));
        world.ask(r#"add clerk Product {"sku":"cup","price":"1.00","stock":1000,"state":"live"}"#);
        world.ask(r#"add clerk Customer {"id":1,"email":"ada@example.org"}"#);
        let receipt = Receipt { key: [7; 32], request: [1; 32], now: now() };
        let body = r#"{"basket":[{"product":"cup","quantity":1}]}"#;
        let answers = parking_lot::Mutex::new(Vec::new());
        at_once(100, |_| {
            let caller = world.caller("customer:1");
            match world.run(&caller, "place_order", body, Some(receipt)) {
                Ok(answer) => answers.lock().push(answer),
                Err(Fault::InFlight) => {}
                Err(fault) => panic!("{on:?}: {fault}"),
            }
        });
        let answers = answers.into_inner();
        assert!(!answers.is_empty());
        assert!(answers.iter().all(|answer| *answer == answers[0]), "{on:?}: {answers:?}");
        assert!(world.ask("read clerk Product cup").contains(r#""stock":999"#), "{on:?}");
        let caller = world.caller("customer:1");
        let other = Receipt { request: [2; 32], ..receipt };
        assert!(matches!(
            world.run(&caller, "place_order", body, Some(other)),
            Err(Fault::KeyReused)
        ));
    }
}

/// On PostgreSQL two may ask for the same at the same time: the second is told so at once, and what came of it once it is done.
/// (On SQLite one is done after the other.)
#[test]
fn a_key_that_is_being_used_is_said_to_be() {
    // Longer than a busy machine takes to ask a second time.
    let long = std::time::Duration::from_secs(60);
    let options = Options { deadline: long, lock_wait: long, ..Options::default() };
    let model = in_two(SHOP).0;
    let world = Arc::new(World::with(On::Postgres, model, options));
    world.ask(r#"add clerk Product {"sku":"cup","price":"1.00","stock":1000,"state":"live"}"#);
    world.ask(r#"add clerk Customer {"id":1,"email":"ada@example.org"}"#);
    let url = world.url.clone().unwrap();
    let held =
        testbed::Postgres::hold(&url, "BEGIN; SELECT FROM product WHERE sku = 'cup' FOR UPDATE;");
    let receipt = Receipt { key: [7; 32], request: [1; 32], now: now() };
    let place = move |world: &World| {
        let body = r#"{"basket":[{"product":"cup","quantity":1}]}"#;
        world.run(&world.caller("customer:1"), "place_order", body, Some(receipt))
    };
    let first = std::thread::spawn({
        let world = Arc::clone(&world);
        move || place(&world)
    });
    let name = url.rsplit('/').next().unwrap();
    let waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    let began = std::time::Instant::now();
    while testbed::postgres().psql(name, waiting).trim() == "0" {
        assert!(began.elapsed().as_secs() < 30, "it does not wait for the row");
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    assert_eq!(place(&world), Err(Fault::InFlight));
    drop(held);
    let answer = first.join().unwrap().unwrap();
    assert_eq!(place(&world), Ok(answer));
    assert!(world.ask("read clerk Product cup").contains(r#""stock":999"#));
}

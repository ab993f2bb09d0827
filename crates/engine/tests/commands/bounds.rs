//! What a command may touch, and how long it may go round.

use std::time::Duration;

use operation::{Fault, MOST_ROWS};
use store::Options;

use crate::world::{On, World};

const MODEL: &str = r#"
app Bounds { version 1  roles user  surface rest }
entity Item { key id: Int  seen: Int = 0  allow read, create to user }
error Never 409 "never"
command stock(items: [Int](1..1000)) { allow user  for item in items { create Item { id: item } } }
command see() { allow user  for item in Item where .id > 0 { update item { seen: .seen + 1 } } }
command turn(outer: [Int](1..1000), inner: [Int](1..1000)) {
  allow user
  create Item { id: 1 }
  for one in outer { for two in inner { require one + two > 0 else Never } }
}
"#;

/// With more time than usual: so much is long for a build that is not optimised.
fn patient(on: On) -> World {
    let options = Options { deadline: Duration::from_secs(60), ..Options::default() };
    World::with(on, MODEL, options)
}

/// `[1,2,…]`
fn numbers(from: usize, count: usize) -> String {
    let numbers: Vec<String> = (from..from + count).map(|number| number.to_string()).collect();
    format!("[{}]", numbers.join(","))
}

#[track_caller]
fn refused(outcome: Result<String, Fault>, told: &str) {
    let Err(Fault::Invalid(found)) = outcome else { panic!("{outcome:?}") };
    assert!(found[0].detail.contains(told), "{found:?}");
}

/// As many rows as a command may touch, and one more, of which nothing stays.
#[test]
fn a_command_touches_so_many_rows_at_most() {
    for on in [On::Sqlite, On::Postgres] {
        let world = patient(on);
        let caller = world.caller("user");
        let stock = |from, count| {
            world.run(&caller, "stock", &format!("{{\"items\":{}}}", numbers(from, count)), None)
        };
        for from in (1..MOST_ROWS).step_by(1_000) {
            stock(from, 1_000).unwrap();
        }
        world.run(&caller, "see", "", None).unwrap();
        stock(MOST_ROWS + 1, 1).unwrap();
        refused(world.run(&caller, "see", "", None), "more than 10000 rows");
        for id in [1, MOST_ROWS] {
            let row = world.ask(&format!("read user Item {id}"));
            assert!(row.contains(r#""seen":1}"#), "{on:?}: {row}");
        }
    }
}

/// Where nobody else could write meanwhile, a command has so much time in all.
#[test]
fn a_command_takes_so_long_at_most() {
    let options = Options { deadline: Duration::from_millis(50), ..Options::default() };
    let world = World::with(On::Sqlite, MODEL, options);
    let caller = world.caller("user");
    // A machine that does much else may be too slow for one of them, and is not for all of these.
    let stock = |from, count| {
        let body = format!("{{\"items\":{}}}", numbers(from, count));
        let given_up = |_: &usize| world.run(&caller, "stock", &body, None).is_err();
        assert_eq!((0..50).take_while(given_up).count() / 50, 0, "{from}");
    };
    // Each of them is short, and all together are not.
    for from in (1..6_000).step_by(20) {
        stock(from, 20);
    }
    let began = std::time::Instant::now();
    let given_up = world.run(&caller, "see", "", None);
    let Err(Fault::Unavailable { reason, .. }) = given_up else { panic!("{given_up:?}") };
    assert!(reason.contains("too long"), "{reason}");
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    assert!(world.ask("read user Item 1").contains(r#""seen":0}"#));
    stock(6_001, 1);
}

#[test]
fn loops_take_so_many_turns_at_most() {
    for on in [On::Sqlite, On::Postgres] {
        let world = patient(on);
        let caller = world.caller("user");
        let turn = |outer, inner| {
            let (outer, inner) = (numbers(1, outer), numbers(1, inner));
            let body = format!("{{\"outer\":{outer},\"inner\":{inner}}}");
            world.run(&caller, "turn", &body, None)
        };
        // The turns of the outer loop count as well.
        refused(turn(1_000, 100), "more than 100000 turns");
        assert_eq!(world.ask("read user Item 1"), Fault::NotFound.to_string(), "{on:?}");
        turn(990, 100).unwrap();
    }
}

/// What is worked out is held to the forms of its field by the database; where that knows too few words, over loaded rows.
#[test]
fn forms_are_looked_at_as_told() {
    crate::explain::compare(
        include_str!("scenes/formed.scene"),
        &expect_test::expect![[r#"
            bump: 1, told 1 to 1
            code: 1, told 1 to 1
            copy: 1, told 1 to 1
            name: 1, told 1 to 1
            seal: 1, told 1 to 1
        "#]],
    );
}

/// What each step may find is worked out from what those before may have set: that must not double with each of them.
#[test]
fn many_steps_are_seen_through() {
    let steps = "update one { n: .n + .m + .n }  \
                 update other { m: .m + one.n + .m, next: coalesce(one.next.next, other.next) }  ";
    let model = format!(
        "app Many {{ version 1  roles user  surface rest }}
         entity Thing {{ key id: Int  n: Int = 0  m: Int = 1  next: Thing?  allow read, create to user }}
         command many(one: Thing, other: Thing) -> Int {{
           allow user
           {}
           let last = coalesce(other.next.next.next, one)
           update last {{ m: one.m + 1 }}
           return last.m
         }}",
        steps.repeat(20)
    );
    for on in [On::Sqlite, On::Postgres] {
        let world = World::new(on, &model);
        for id in 1..=2 {
            world.ask(&format!(r#"add user Thing {{"id":{id}}}"#));
        }
        assert_eq!(world.ask(r#"run user many/1 {"other":2}"#), "2");
    }
}

/// What a helper returns is looked at through its names, each once, however often others draw on it.
#[test]
fn many_names_are_seen_through() {
    let mut names = String::from("let v0 = by + 1  ");
    for at in 1..40 {
        names.push_str(&format!("let v{at} = v{} - v{} + {at}  ", at - 1, at - 1));
    }
    let model = format!(
        "app Many {{ version 1  roles user  surface rest }}
         entity Thing {{ key id: Int  n: Int = 7  allow read, create to user }}
         command pick(one: Thing, by: Int) -> Int {{ {names} if by > 3 {{ return v39 }}  return one.n }}
         command many(one: Thing, by: Int) -> Int {{ allow user  let n = run pick(one, by)  return n }}"
    );
    for on in [On::Sqlite, On::Postgres] {
        let world = World::new(on, &model);
        world.ask(r#"add user Thing {"id":1}"#);
        assert_eq!(world.ask(r#"run user many/1 {"by":5}"#), "39");
        assert_eq!(world.ask(r#"run user many/1 {"by":1}"#), "7");
    }
}

/// What steps have set is followed through other fields only as far as that stays small.
#[test]
fn many_fields_are_seen_through() {
    let (mut fields, mut computed) = (String::new(), String::new());
    let mut steps = String::from("update thing { f0: n }  ");
    for at in 1..40 {
        let before = at - 1;
        fields.push_str(&format!("f{at}: Int = 0  "));
        computed.push_str(&format!("g{at}: Int := .g{before} - .g{before} + {at}  "));
        steps.push_str(&format!(
            "update thing {{ f{at}: thing.f{before} - thing.f{before} + {at} }}  "
        ));
    }
    let model = format!(
        "app Many {{ version 1  roles user  surface rest }}
         entity Thing {{ key id: Int  f0: Int = 0  {fields} allow read, create to user }}
         entity Other {{ key id: Int  g0: Int = 0  {computed} allow read, create to user }}
         command many(thing: Thing, n: Int) -> Int {{ allow user  {steps} if thing.f39 > 3 {{ update thing {{ f0: 1 }} }}  return thing.f39 }}
         command made(id: Int, n: Int) -> Int {{ allow user  let other = create Other {{ id, g0: n }}  if other.g39 > 3 {{ return 1 }}  return 0 }}"
    );
    for on in [On::Sqlite, On::Postgres] {
        let world = World::new(on, &model);
        world.ask(r#"add user Thing {"id":1}"#);
        assert_eq!(world.ask(r#"run user many/1 {"n":5}"#), "39");
        assert_eq!(world.ask(r#"run user made {"id":1,"n":5}"#), "1");
    }
}

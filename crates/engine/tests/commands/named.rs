//! Parts that are made and have a name (PostgreSQL): what stands in them is looked up where they are, and they change or go there.

use expect_test::expect;

use crate::agreement::Agreement;
use crate::direct::Dice;
use crate::explain::compare;
use crate::world::{World, in_two};

const SCENE: &str = include_str!("scenes/named.scene");

fn model() -> &'static str {
    in_two(SCENE).0
}

#[test]
fn named_parts_are_told_of() {
    compare(
        SCENE,
        &expect![[r#"
            run user chair/1 {"by":3}: 2 transactions
            bump: 1, told 1 to 1
            chair: 1, told 1 to 1
            chair_of: 1, told 1 to 1
            follow: 1, told 1 to 1
            fresh: 1, told 1 to 1
            line: 1, told 1 to 1
            line_after: 1, told 1 to 1
            line_closed: 1, told 1 to 1
            line_gone: 1, told 1 to 1
            line_lost: 1, told 1 to 1
            line_sent: 1, told 1 to 1
            line_twice: 1, told 1 to 1
            mark: 1, told 1 to 1
            mark_of: 1, told 1 to 1
            seat: 1, told 1 to 1
            seat_each: 1, told 1 to 1
            seat_of: 1, told 1 to 1
            seat_taken: 1, told 1 to 1
        "#]],
    );
}

fn ask(dice: &mut Dice) -> String {
    let mut one = || dice.below(4) + 1;
    let (person, other, order, to) = (one(), one(), one(), one());
    let by = dice.of(&["-3", "0", "1", "2", "4", "7", "30"]);
    let code = dice.of(&["a", "b", "n2", "c", "long"]);
    match dice.below(47) {
        44..=46 => {
            let first = dice.below(2) == 0;
            format!(r#"run user line_closed/{order} {{"by":{by},"first":{first}}}"#)
        }
        40 | 41 => format!(r#"run user chair/{} {{"by":{by}}}"#, order % 2 + 1),
        42 => format!(r#"run user chair_of/{person} {{"other":{},"by":{by}}}"#, order % 2 + 1),
        43 => format!(r#"change user Person {person} {{"club":{}}}"#, order % 2 + 1),
        0..=2 => format!(r#"run user line/{order} {{"person":{person},"by":{by}}}"#),
        3..=5 => format!(r#"run user line_twice/{order} {{"by":{by}}}"#),
        6 | 7 => format!(r#"run user line_sent/{order} {{"by":{by}}}"#),
        8..=10 => {
            let keeps = dice.below(2) == 0;
            format!(r#"run user line_gone/{order} {{"person":{person},"keeps":{keeps}}}"#)
        }
        11 => format!(r#"run user line_lost/{order} {{"person":{person}}}"#),
        12 | 13 => format!(r#"run user seat/{order} {{"person":{person}}}"#),
        14..=16 => format!(r#"run user seat_each/{order} {{"persons":[{person},{other}]}}"#),
        17 | 18 => format!(r#"run user seat_of/{person} {{"other":{order},"by":{by}}}"#),
        19 => format!(r#"run user mark/{order} {{"code":"{code}"}}"#),
        20 | 21 => format!(r#"run user mark_of/{order} {{"person":{person}}}"#),
        22 | 23 => {
            let id = dice.below(20) + 1;
            format!(r#"run user fresh {{"id":{id},"person":{person},"by":{by}}}"#)
        }
        24..=26 => format!(r#"run user follow/{order} {{"person":{person}}}"#),
        27..=32 => {
            let parts = dice.of(&["lines", "seats", "marks"]);
            format!(r#"change user Order {order} {{"{parts}":[]}}"#)
        }
        33 => format!(r#"change user Order {order} {{"note":"{code}"}}"#),
        34 => format!(r#"change user Person {person} {{"order":{to}}}"#),
        35 | 36 => format!(r#"add user Person {{"id":{person},"name":"n{person}","rank":{by}}}"#),
        _ => format!(r#"change user Person {person} {{"rank":{by},"name":"n{person}"}}"#),
    }
}

/// All that a world holds, but for what is counted, and what it has told.
fn held(world: &World) -> String {
    let database = world.url.as_deref().unwrap().rsplit('/').next().unwrap();
    let all = "SELECT 'p', to_jsonb(t)::text FROM person AS t UNION ALL SELECT 'o', to_jsonb(t)::text FROM \"order\" AS t \
               UNION ALL SELECT 'l', to_jsonb(t)::text FROM line AS t UNION ALL SELECT 's', (to_jsonb(t) - 'no')::text FROM seat AS t \
               UNION ALL SELECT 'c', to_jsonb(t)::text FROM club AS t UNION ALL SELECT 'r', (to_jsonb(t) - 'id')::text FROM chair AS t \
               UNION ALL SELECT 'm', to_jsonb(t)::text FROM mark AS t UNION ALL SELECT 'e', data::text FROM mimar.event ORDER BY 1, 2";
    testbed::postgres().psql(database, all)
}

fn people(world: &World) {
    for id in 1..=2 {
        let chairs = format!(r#"[{{"id":"00000000-0000-0000-0000-00000000000{id}","size":4}}]"#);
        let told = world.ask(&format!(r#"add user Club {{"id":{id},"chairs":{chairs}}}"#));
        assert!(told.starts_with('{'), "{told}");
    }
    for id in 1..=4 {
        for add in [
            format!(r#"add user Order {{"id":{id}}}"#),
            format!(r#"add user Person {{"id":{id},"name":"n{id}","rank":{id},"order":{id}}}"#),
        ] {
            let told = world.ask(&add);
            assert!(told.starts_with('{'), "{add}: {told}");
        }
    }
}

#[test]
fn whatever_has_a_name() {
    for seed in 1..=4 {
        Agreement::of(model(), people, held).go_through(seed, ask, |_, _, _| ());
    }
}

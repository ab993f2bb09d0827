//! Rows and values that another command picks by what it was asked, some of which stand in rows (PostgreSQL): nothing is awaited for them.

use expect_test::expect;

use crate::agreement::Agreement;
use crate::direct::Dice;
use crate::explain::compare;
use crate::world::{World, in_two};

const SCENE: &str = include_str!("scenes/picked.scene");

fn model() -> &'static str {
    in_two(SCENE).0
}

#[test]
fn what_is_picked_is_told_of() {
    compare(
        SCENE,
        &expect![[r#"
            again: 1, told 1 to 1
            among: 1, told 1 to 1
            boss_among: 1, told 1 to 1
            boss_lost: 1, told 1 to 1
            boss_of: 1, told 1 to 1
            bump: 1, told 1 to 1
            followed: 1, told 1 to 1
            followed_on: 1, told 1 to 1
            line: 1, told 1 to 1
            line_lost: 1, told 1 to 1
            line_of: 1, told 1 to 1
            lined: 1, told 1 to 1
            moved: 1, told 1 to 1
            name: 1, told 1 to 1
            nested: 1, told 1 to 1
            note_lost: 1, told 1 to 1
            raise: 1, told 1 to 1
            raise_each: 1, told 1 to 1
            renamed: 1, told 1 to 1
            seat: 1, told 1 to 1
            shifted: 1, told 1 to 1
            size: 1, told 1 to 1
            ticket: 1, told 1 to 1
            ticket_each: 1, told 1 to 1
            worth: 1, told 1 to 1
        "#]],
    );
}

fn ask(dice: &mut Dice) -> String {
    let mut one = || dice.below(4) + 1;
    let (person, third, team) = (one(), one(), one());
    let other = dice.below(5) + 1;
    let (plain, second) = (dice.below(2) == 0, dice.below(2) == 0);
    let by = dice.of(&["-3", "0", "1", "2", "4", "9", "40"]);
    let name = dice.of(&["a", "b", "c", "a!"]);
    let size = dice.of(&["null", r#"{"a":1}"#, r#"{"a":4,"b":"x"}"#]);
    match dice.below(80) {
        50..=52 => format!("run user boss_of/{person}"),
        53 | 54 => {
            format!(r#"run user boss_among {{"persons":[{other}],"person":{person}}}"#)
        }
        55 => format!(r#"run user boss_among {{"persons":[],"person":{person}}}"#),
        56 => format!("run user boss_lost/{person}"),
        57 => format!("run user line_lost/{person}"),
        58 | 59 => {
            format!(r#"run user note_lost/{person} {{"id":{third},"keeps":{plain}}}"#)
        }
        60..=62 => format!(r#"run user followed/{person} {{"to":{other}}}"#),
        63..=65 => format!(r#"run user followed_on/{person} {{"to":{other}}}"#),
        66 | 67 => format!(r#"add user Note {{"id":{third},"of":{person}}}"#),
        68..=71 => format!("run user shifted/{third}"),
        72..=74 => {
            format!(r#"run user line_of/{person} {{"other":{other},"plain":{plain}}}"#)
        }
        75..=77 => format!(r#"run user lined {{"persons":[{person},{other}],"by":{by}}}"#),
        78 | 79 => format!("remove user Note {third}"),
        40 | 41 => format!(r#"run user nested/{person} {{"by":{by}}}"#),
        42..=44 => format!(r#"run user ticket/{person} {{"plain":{plain},"by":{by}}}"#),
        45 | 46 => {
            format!(r#"run user ticket_each {{"persons":[{person},{other}],"plain":{plain}}}"#)
        }
        47..=49 => format!(r#"run user renamed/{person} {{"other":{other}}}"#),
        0..=3 => format!(r#"run user raise/{person} {{"plain":{plain},"by":{by}}}"#),
        4 => format!(r#"run user drop/{person} {{"plain":{plain}}}"#),
        5..=7 => format!(r#"run user again/{person} {{"plain":{plain},"second":{second}}}"#),
        8..=11 => format!(r#"run user moved/{person} {{"to":{other},"plain":{plain}}}"#),
        12..=14 => format!(
            r#"run user raise_each {{"persons":[{person},{other},{third}],"plain":{plain},"by":{by}}}"#
        ),
        15..=17 => format!(r#"run user seat/{person} {{"plain":{plain},"by":{by}}}"#),
        18 | 19 => format!(r#"run user line/{person} {{"plain":{plain},"by":{by}}}"#),
        20 | 21 => format!(r#"run user name/{person} {{"plain":{plain},"name":"{name}"}}"#),
        22 => format!("remove user Name {name}"),
        23 | 24 => format!(r#"run user worth/{person} {{"by":"{person}.25","plain":{plain}}}"#),
        25 | 26 => format!(
            r#"run user size {{"persons":[{person},{other}],"size":{size},"plain":{plain}}}"#
        ),
        27..=29 => {
            format!(r#"run user among {{"persons":[{person},{other}],"last":{third},"by":{by}}}"#)
        }
        30..=32 => format!(r#"add user Person {{"id":{person},"n":{by},"team":{}}}"#, team % 2 + 1),
        33..=36 => format!(r#"change user Person {person} {{"other":{other}}}"#),
        37 => format!(r#"change user Team {} {{"seats":[]}}"#, team % 2 + 1),
        38 => format!(r#"change user Person {person} {{"size":{size}}}"#),
        _ => format!(r#"change user Person {person} {{"n":1,"team":{}}}"#, team % 2 + 1),
    }
}

/// All that a world holds, but for what is counted, and what it has told.
fn held(world: &World) -> String {
    let database = world.url.as_deref().unwrap().rsplit('/').next().unwrap();
    let all = "SELECT 'p', to_jsonb(t)::text FROM person AS t UNION ALL SELECT 't', to_jsonb(t)::text FROM team AS t \
               UNION ALL SELECT 's', (to_jsonb(t) - 'no')::text FROM seat AS t UNION ALL SELECT 'l', (to_jsonb(t) - 'no')::text FROM line AS t \
               UNION ALL SELECT 'k', (to_jsonb(t) - 'id')::text FROM ticket AS t \
               UNION ALL SELECT 'n', to_jsonb(t)::text FROM name AS t UNION ALL SELECT 'o', to_jsonb(t)::text FROM note AS t \
               UNION ALL SELECT 'e', (data::jsonb - 'line' - 'no')::text FROM mimar.event ORDER BY 1, 2";
    testbed::postgres().psql(database, all)
}

fn people(world: &World) {
    for id in 1..=2 {
        let told = world.ask(&format!(r#"add user Team {{"id":{id}}}"#));
        assert!(told.starts_with('{'), "{told}");
    }
    for id in 1..=4 {
        let add = format!(r#"add user Person {{"id":{id},"n":{id},"team":{}}}"#, id % 2 + 1);
        let told = world.ask(&add);
        assert!(told.starts_with('{'), "{add}: {told}");
    }
}

#[test]
fn whatever_is_picked() {
    for seed in 1..=4 {
        Agreement::of(model(), people, held).go_through(seed, ask, |_, _, _| ());
    }
}

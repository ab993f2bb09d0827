//! Keys of new rows, and roots of new parts, that stand in other rows or are counted (PostgreSQL): nothing is awaited for them.

use expect_test::expect;

use crate::agreement::Agreement;
use crate::direct::Dice;
use crate::explain::compare;
use crate::world::{World, in_two};

const SCENE: &str = include_str!("scenes/keys.scene");

fn model() -> &'static str {
    in_two(SCENE).0
}

#[test]
fn keys_are_told_of_rows() {
    compare(
        SCENE,
        &expect![[r#"
            day_each: 1, told 1 to 1
            day_of: 1, told 1 to 1
            deal: 1, told 1 to 1
            drop_poorer: 1, told 1 to 1
            heavier: 1, told 1 to 1
            heirs: 1, told 1 to 1
            join: 1, told 1 to 1
            join_all: 1, told 1 to 1
            join_heir: 1, told 1 to 1
            join_own: 1, told 1 to 1
            join_plain: 1, told 1 to 1
            name_all: 1, told 1 to 1
            name_and_tell: 1, told 1 to 1
            name_of: 1, told 1 to 1
            open: 1, told 1 to 1
            richer: 1, told 1 to 1
            role: 1, told 1 to 1
            team_of: 1, told 1 to 1
            worth: 1, told 1 to 1
            worths: 1, told 1 to 1
        "#]],
    );
}

fn ask(dice: &mut Dice) -> String {
    let mut one = || dice.below(4) + 1;
    let (person, other, team, id) = (one(), one(), one(), one());
    let by = dice.of(&["-2", "0", "1", "2", "5", "12", "40"]);
    let maybe = if dice.below(3) == 0 { "null".to_owned() } else { other.to_string() };
    match dice.below(50) {
        40..=42 => format!(r#"run user day_of/{person} {{"by":{by}}}"#),
        43 | 44 => format!(r#"run user day_lost/{person} {{"by":{id}}}"#),
        45 => format!(
            r#"run user opens/2026-01-0{id}T00:00:00Z {{"opens":"1{other}:00:00","by":{by}}}"#
        ),
        46 | 47 => format!(r#"run user day_each {{"persons":[{person},{other}],"by":{by}}}"#),
        48 | 49 => format!("remove user Day 2026-01-0{}T00:00:00Z", id + 1),
        38 | 39 => format!(r#"run user heavier/{team} {{"other":{id},"by":{by}}}"#),
        29 | 30 => format!(r#"run user name_and_tell/{person} {{"by":{by}}}"#),
        31 => format!("remove user Name n{person}?"),
        32 | 33 => format!(r#"run user team_of/{person} {{"by":{by}}}"#),
        34 => format!(r#"run user worth/{person} {{"by":{by}}}"#),
        35..=37 => {
            format!(r#"run user worths {{"persons":[{person},{other}],"team":{team},"by":{by}}}"#)
        }
        26 | 27 => format!(r#"run user richer/{team} {{"other":{id},"person":{person}}}"#),
        28 => format!(r#"run user drop_poorer/n{person} {{"other":"n{other}"}}"#),
        0 => format!("run user name_of/{person}"),
        1 => format!(r#"run user name_all {{"persons":[{person},{other}]}}"#),
        2 => format!("remove user Name n{person}"),
        3 => format!("remove user Name n{person}!"),
        4..=6 => format!(r#"run user join/{team} {{"person":{person}}}"#),
        7 | 8 => format!(r#"run user join_plain/{team} {{"by":{by}}}"#),
        9 | 10 => format!(r#"run user join_all/{team} {{"persons":[{person},{other}]}}"#),
        11..=13 => format!(r#"run user join_own/{person} {{"by":{by}}}"#),
        14 | 15 => format!(r#"run user join_heir/{team} {{"person":{person}}}"#),
        16 | 17 => format!(r#"run user join_each {{"persons":[{person},{other}]}}"#),
        18 => format!(r#"run user role/{team} {{"person":{person}}}"#),
        19 => format!(r#"run user open {{"id":{},"person":{person}}}"#, id * 10 + team),
        20 => format!(r#"run user deal {{"id":{},"person":{person},"by":{by}}}"#, id * 10 + team),
        21..=23 => format!(r#"run user heirs/{team} {{"heir":{maybe},"person":{person}}}"#),
        24 => format!(r#"change user Person {person} {{"rank":{by}}}"#),
        _ => format!(r#"change user Person {person} {{"team":{}}}"#, id * 10 + team),
    }
}

/// All that a world holds, but for what is counted.
fn held(world: &World) -> String {
    let database = world.url.as_deref().unwrap().rsplit('/').next().unwrap();
    let all = "SELECT 'p', to_jsonb(t)::text FROM person AS t UNION ALL SELECT 'n', to_jsonb(t)::text FROM name AS t \
               UNION ALL SELECT 't', to_jsonb(t)::text FROM team AS t UNION ALL SELECT 'm', (to_jsonb(t) - 'no')::text FROM member AS t \
               UNION ALL SELECT 'y', to_jsonb(t)::text FROM day AS t UNION ALL SELECT 'h', to_jsonb(t)::text FROM hour AS t \
               UNION ALL SELECT 'r', to_jsonb(t)::text FROM role AS t UNION ALL SELECT 'd', to_jsonb(t)::text FROM deal AS t ORDER BY 1, 2";
    testbed::postgres().psql(database, all)
}

fn people(world: &World) {
    for id in 1..=4 {
        for add in [
            format!(r#"add user Team {{"id":{id}}}"#),
            format!(
                r#"add user Person {{"id":{id},"name":"n{id}","rank":{id},"team":{id},"born":"2026-01-01T00:00:00Z"}}"#
            ),
        ] {
            let told = world.ask(&add);
            assert!(told.starts_with('{'), "{add}: {told}");
        }
    }
}

#[test]
fn whatever_is_keyed() {
    for seed in 1..=4 {
        Agreement::of(model(), people, held).go_through(seed, ask, |_, _, _| ());
    }
}

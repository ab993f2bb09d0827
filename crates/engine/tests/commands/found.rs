//! Rows that are found by what stands in others, and keys that stand in rows, in commands that do not wait for them (PostgreSQL).

use expect_test::expect;

use crate::agreement::Agreement;
use crate::contention::at_once;
use crate::direct::Dice;
use crate::explain::compare;
use crate::world::{On, World, in_two};

const SCENE: &str = include_str!("scenes/found.scene");

fn model() -> &'static str {
    in_two(SCENE).0
}

#[test]
fn rows_are_found_as_told() {
    compare(
        SCENE,
        &expect![[r#"
            add_line: 1, told 1 to 1
            badge_of: 1, told 1 to 1
            boss_of: 1, told 1 to 1
            chain_of: 1, told 1 to 1
            chosen: 1, told 1 to 1
            close: 1, told 1 to 1
            credit: 1, told 1 to 1
            credit_both: 1, told 1 to 1
            credit_team: 1, told 1 to 1
            dates: 1, told 1 to 1
            each_team: 1, told 1 to 1
            either: 1, told 1 to 1
            exchange: 1, told 1 to 1
            follow: 1, told 1 to 1
            join: 1, told 1 to 1
            lead: 1, told 1 to 1
            look: 1, told 1 to 1
            look_far: 1, told 1 to 1
            memo: 1, told 1 to 1
            one_of: 1, told 1 to 1
            order_of: 1, told 1 to 1
            perhaps: 1, told 1 to 1
            promote: 1, told 1 to 1
            rotate: 1, told 1 to 1
            skip: 1, told 1 to 1
            told_all: 1, told 1 to 1
            wait: 1, told 1 to 1
            wear: 1, told 1 to 1
        "#]],
    );
}

fn ask(dice: &mut Dice) -> String {
    let (id, other) = (dice.below(6) + 1, dice.below(6) + 1);
    let by = dice.of(&["1", "2", "3", "5", "-1", "-4", "30", "0", "9223372036854775807"]);
    let flag = dice.of(&["true", "false"]);
    match dice.below(31) {
        0 => format!("run user look/{id}"),
        1 => format!("run user look_far/{id}"),
        2 => format!(r#"run user credit/{id} {{"by":{by}}}"#),
        3 => format!(r#"run user credit_team/{id} {{"by":{by}}}"#),
        4 => format!(r#"run user credit_both/{id} {{"by":{by}}}"#),
        5 => format!(r#"run user promote/{id} {{"by":{by}}}"#),
        6 => format!("run user skip/{id}"),
        7 => format!("run user chain_of/{id}"),
        8 => format!("run user wear/{id}"),
        9 => format!("run user badge_of/{id}"),
        10 => format!(r#"run user join/{id} {{"other":{other}}}"#),
        11 => format!(r#"run user follow/{id} {{"other":{other}}}"#),
        12 => format!("run user memo/{id}"),
        13 => format!(r#"run user order_of/{id} {{"id":{}}}"#, dice.below(12) + 1),
        14 => format!(
            r#"run user add_line/{id} {{"count":{by},"weight":{}}}"#,
            dice.of(&["0.1", "0.2", "0.3", "-0.7", "1e300", "-0.0", "3.3"])
        ),
        15 => format!(r#"run user one_of/{id} {{"other":{other},"first":{flag},"by":{by}}}"#),
        16 => format!(r#"run user chosen/{id} {{"other":{other},"by":{by}}}"#),
        17 => format!(r#"run user either/{id} {{"other":{other},"by":{by}}}"#),
        18 => format!(r#"run user exchange/{id} {{"other":{other}}}"#),
        19 => format!(r#"run user rotate/{id} {{"by":{by}}}"#),
        20 => format!(r#"run user lead/{id} {{"by":{by}}}"#),
        21 => format!(r#"run user boss_of/{id} {{"other":{other}}}"#),
        22 => format!("run user dates/{id}"),
        23 => format!(
            r#"run user told_all {{"members":[{id},{other}],"order":{}}}"#,
            dice.below(6) + 1
        ),
        24 => format!(r#"run user each_team {{"members":[{id},{other}],"by":{by}}}"#),
        25 => format!(r#"run user wait/{id} {{"by":{}}}"#, dice.below(3)),
        26 => format!("run user leave/{id}"),
        27 => format!("run user close/{id}"),
        30 => format!(r#"run user perhaps/{id} {{"by":{by}}}"#),
        28 => format!(r#"add user Order {{"id":{id},"of":{other}}}"#),
        _ => {
            let boss = dice.of(&["null", "1", "2"]);
            format!(
                r#"add user Member {{"id":{id},"name":"m{id}","team":{},"boss":{boss}}}"#,
                dice.below(3) + 1
            )
        }
    }
}

/// All that a world holds, but for what is drawn by chance.
fn held(world: &World) -> String {
    let database = world.url.as_deref().unwrap().rsplit('/').next().unwrap();
    let all = "SELECT 't', to_jsonb(t)::text FROM team AS t UNION ALL SELECT 'b', to_jsonb(t)::text FROM badge AS t \
               UNION ALL SELECT 'm', to_jsonb(t)::text FROM member AS t UNION ALL SELECT 'o', to_jsonb(t)::text FROM \"order\" AS t \
               UNION ALL SELECT 'l', to_jsonb(t)::text FROM line AS t UNION ALL SELECT 'n', (to_jsonb(t) - 'id')::text FROM memo AS t ORDER BY 1, 2";
    let events = "SELECT name, key, data::text FROM mimar.event ORDER BY number";
    let tasks = "SELECT target, lane, priority, CASE WHEN failures = 0 THEN due END, failures, unique_key, arguments::text FROM mimar.task ORDER BY number";
    [all, events, tasks].map(|sql| testbed::postgres().psql(database, sql)).join("\n")
}

fn people(world: &World) {
    for id in 1..=3 {
        let code = ["", "b=2", "b=2"][id - 1];
        world.ask(&format!(r#"add user Badge {{"code":"{code}","name":"badge {id}"}}"#));
        let add = format!(r#"add owner Team {{"id":{id},"name":"team {id}","badge":"{code}"}}"#);
        assert!(world.ask(&add).starts_with('{'), "{}", world.ask(&add));
    }
    for id in 1..=6 {
        let boss = if id == 1 { "null".to_owned() } else { (id / 2).to_string() };
        let add = format!(
            r#"add user Member {{"id":{id},"name":"m{id}","team":{},"boss":{boss},"points":{id}}}"#,
            id % 3 + 1
        );
        assert!(world.ask(&add).starts_with('{'), "{}", world.ask(&add));
        world.ask(&format!(r#"add user Order {{"id":{id},"of":{id}}}"#));
    }
}

#[test]
fn whatever_is_asked_is_answered_as_where_rows_are_loaded() {
    for seed in 1..=4 {
        Agreement::of(model(), people, held).go_through(seed, ask, |_, _, _| ());
    }
}

/// Rows are found by what changes under way: no point is lost, and none goes to somebody who had left.
#[test]
fn who_is_found_is_who_is_locked() {
    let world = World::new(On::Postgres, model());
    people(&world);
    at_once(8, |number| {
        let caller = world.caller("user");
        for turn in 0..25 {
            let (what, body) = match (number + turn) % 4 {
                0 => ("credit/1", r#"{"by":1}"#),
                1 => ("exchange/1", r#"{"other":2}"#),
                2 => ("credit_both/1", r#"{"by":0}"#),
                _ => ("look_far/1", ""),
            };
            let _ = world.run(&caller, what, body, None);
        }
    });
}

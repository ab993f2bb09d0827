//! Value objects and lists that stand in others, taken whole or read further (PostgreSQL): nothing is awaited for them.

use expect_test::expect;

use crate::agreement::Agreement;
use crate::direct::Dice;
use crate::explain::compare;
use crate::world::{World, in_two};

const SCENE: &str = include_str!("scenes/objects.scene");

fn model() -> &'static str {
    in_two(SCENE).0
}

#[test]
fn objects_are_told_of_rows() {
    compare(
        SCENE,
        &expect![[r#"
            again: 1, told 1 to 1
            bump: 1, told 1 to 1
            geo_of: 1, told 1 to 1
            level: 1, told 1 to 1
            mark: 1, told 1 to 1
            moved: 1, told 1 to 1
            names_of: 1, told 1 to 1
            swap: 1, told 1 to 1
            within: 1, told 1 to 1
        "#]],
    );
}

fn geo(dice: &mut Dice) -> String {
    let lat = dice.of(&["1.0", "-91.5", "48.125", "1e-7", "1e21", "0.0", "123456789.0"]);
    let tag = dice.of(&["", "a", "\\\"", "\\\\", "\\n\\t", "\\u0001", "é/{", "\\f"]);
    match dice.below(4) {
        0 => "null".to_owned(),
        1 => format!(r#"{{"lat":{lat}}}"#),
        _ => format!(r#"{{"lat":{lat},"lng":0.1,"tag":"{tag}"}}"#),
    }
}

fn home(dice: &mut Dice) -> String {
    let city = dice.of(&["Ulm", "", "Q\\\"", "ß"]);
    let names = dice.of(&["null", "[]", r#"["a"]"#, r#"["a","b","c"]"#]);
    let (geo, floor) = (geo(dice), dice.of(&["-1", "0", "2", "40"]));
    let open = dice.of(&["null", "\"17:30:00\"", "\"00:00:00.125\""]);
    format!(r#"{{"city":"{city}","geo":{geo},"names":{names},"floor":{floor},"open":{open}}}"#)
}

fn ask(dice: &mut Dice) -> String {
    let (person, mark, id) = (dice.below(4) + 1, dice.below(4) + 1, dice.below(9) + 1);
    match dice.below(24) {
        0 | 1 => format!("run user geo_of/{person}"),
        2 | 3 => format!("run user names_of/{person}"),
        4 | 5 => format!("run user moved/{person}"),
        6 | 7 => format!(r#"run user mark {{"id":{id},"person":{person}}}"#),
        8..=10 => format!(r#"run user again/{mark} {{"person":{person}}}"#),
        11..=13 => format!(r#"run user within/{mark} {{"person":{person}}}"#),
        14 | 15 => format!(r#"run user level/{mark} {{"person":{person}}}"#),
        16..=18 => format!(r#"run user swap/{person} {{"mark":{mark}}}"#),
        19 => format!(r#"change user Person {person} {{"home":null}}"#),
        20 | 21 => format!(r#"change user Person {person} {{"home":{}}}"#, home(dice)),
        _ => {
            let note =
                dice.of(&["null", "1", "\"t\"", "[1,{}]", r#"{"a":"a long text, too long"}"#]);
            let (may, inner) = (dice.below(3) > 0, home(dice));
            let may = if may { home(dice) } else { "null".to_owned() };
            format!(
                r#"change user Person {person} {{"out":{{"may":{may},"in":{inner},"note":{note}}}}}"#
            )
        }
    }
}

/// All that a world holds, and what it has told.
fn held(world: &World) -> String {
    let database = world.url.as_deref().unwrap().rsplit('/').next().unwrap();
    let all = "SELECT 'p', to_jsonb(t)::text, t.out::text, t.home::text FROM person AS t \
               UNION ALL SELECT 'm', to_jsonb(t)::text, t.geo::text, t.home::text FROM mark AS t \
               UNION ALL SELECT 'e', data::text, '', '' FROM mimar.event ORDER BY 1, 2, 3, 4";
    testbed::postgres().psql(database, all)
}

fn people(world: &World) {
    for id in 1..=4 {
        for add in [
            format!(r#"add user Person {{"id":{id},"out":{{"in":{{"city":"n{id}"}}}}}}"#),
            format!(r#"add user Mark {{"id":{id}}}"#),
        ] {
            let told = world.ask(&add);
            assert!(told.starts_with('{'), "{add}: {told}");
        }
    }
}

#[test]
fn whatever_is_within() {
    for seed in 1..=4 {
        Agreement::of(model(), people, held).go_through(seed, ask, |_, _, _| ());
    }
}

//! What is told under values of rows and under counted keys, times that are worked out, patterns and parts that must be there (PostgreSQL).

use expect_test::expect;

use crate::agreement::Agreement;
use crate::direct::Dice;
use crate::explain::compare;
use crate::world::{World, in_two};

const SCENE: &str = include_str!("scenes/told.scene");

fn model() -> &'static str {
    in_two(SCENE).0
}

#[test]
fn what_it_is_told_under_is_told_of() {
    compare(
        SCENE,
        &expect![[r#"
            bump: 1, told 1 to 1
            by_load: 1, told 1 to 1
            by_more: 1, told 1 to 1
            by_next: 1, told 1 to 1
            by_on: 1, told 1 to 1
            by_raw: 1, told 1 to 1
            by_size: 1, told 1 to 1
            by_tags: 1, told 1 to 1
            decide: 1, told 1 to 1
            decide_behind: 1, told 1 to 1
            decide_each: 1, told 1 to 1
            decide_emptied: 1, told 1 to 1
            decide_failing: 1, told 1 to 1
            decide_field: 1, told 1 to 1
            decide_made: 1, told 1 to 1
            decide_next: 1, told 1 to 1
            decide_skipped: 2, told 2 to 2
            decide_two: 1, told 1 to 1
            found: 1, told 1 to 1
            found_bare: 1, told 1 to 1
            found_each: 1, told 1 to 1
            found_many: 1, told 1 to 1
            fresh_day: 1, told 1 to 1
            latest: 1, told 1 to 1
            latest_told: 1, told 1 to 1
            loaded: 1, told 1 to 1
            long: 1, told 1 to 1
            open: 1, told 1 to 1
            open_each: 1, told 1 to 1
            pack: 1, told 1 to 1
            sides: 1, told 1 to 1
            sized: 1, told 1 to 1
            slot: 1, told 1 to 1
            slots_of: 1, told 1 to 1
            strike: 1, told 1 to 1
            struck: 1, told 1 to 1
            switched: 1, told 1 to 1
            tail: 1, told 1 to 1
            whole: 1, told 1 to 1
            word: 1, told 1 to 1
        "#]],
    );
}

const NAMES: [&str; 9] =
    ["end", "the end-of it", "éend", "end é", "bend", "a b cd", "--a-", "中 end", "🦀 end\\n"];

fn ask(dice: &mut Dice) -> String {
    let mut one = || dice.below(4) + 1;
    let (thing, other, third, day) = (one(), one(), one(), one());
    let by = dice.of(&["-3", "0", "1", "2", "4", "7", "30"]);
    let load = dice.of(&[
        "0.5",
        "-1.25",
        "0.1",
        "1e21",
        "1e-7",
        "3",
        "2.5e-5",
        "-1e15",
        "1.2345678901234567e16",
    ]);
    let at = dice.of(&["00:00:00", "07:30:00.25", "23:59:59.999999", "12:00:00"]);
    let things = format!("[{thing},{other},{third}]");
    match dice.below(76) {
        71 | 72 => format!(r#"run user decide_field/{thing} {{"other":{other},"n":{by}}}"#),
        73..=75 => {
            let word = dice.of(&["", "x", "é"]);
            format!(r#"run user sides/{thing} {{"n":{by},"word":"{word}"}}"#)
        }
        63 | 64 => {
            let skip = dice.below(2) == 0;
            format!(r#"run user decide_skipped/{thing} {{"n":{by},"skip":{skip}}}"#)
        }
        65 | 66 => format!(
            r#"run user decide_behind {{"things":[{other},{third}],"thing":{thing},"n":{by}}}"#
        ),
        67 => format!(r#"run user decide_failing/{thing} {{"id":{day},"n":{by}}}"#),
        68..=70 => {
            let (id, to) = (dice.below(30), dice.of(&["null", "1", "2", "5", "7", "12"]));
            format!(r#"run user decide_emptied/{id} {{"thing":{thing},"to":{to}}}"#)
        }
        47 | 48 => format!(r#"run user decide/{thing} {{"n":{by}}}"#),
        49 | 50 => format!(r#"run user decide_next/{thing} {{"n":{by}}}"#),
        51 | 52 => format!(r#"run user decide_each {{"things":{things},"n":{by}}}"#),
        53 | 54 => {
            let id = dice.below(20) + 1;
            format!(r#"run user decide_made/{thing} {{"id":{id},"least":{by}}}"#)
        }
        55 | 56 => format!(r#"run user decide_named/{thing} {{"size":{by}}}"#),
        57 | 58 => format!(r#"run user decide_two/{thing} {{"other":{other},"n":{by}}}"#),
        59 | 60 => format!("run user whole/{thing}"),
        61 | 62 => {
            let plain = dice.below(2) == 0;
            format!(r#"run user sized/{thing} {{"day":{day},"plain":{plain}}}"#)
        }
        0 | 1 => format!("run user switched/{thing}"),
        2 | 3 => format!(r#"run user loaded/{thing} {{"by":{load}}}"#),
        4..=9 => {
            let by = ["on", "load", "raw", "more", "size", "tags", "next"];
            format!("run user by_{}/{thing}", dice.of(&by))
        }
        10 => format!("run user open/{thing}"),
        11 | 12 => format!(r#"run user open_each {{"things":{things}}}"#),
        13 | 14 => {
            let plain = dice.below(2) == 0;
            format!(r#"run user strike/{thing} {{"plain":{plain}}}"#)
        }
        15 | 16 => format!("run user struck/{thing}"),
        17 | 18 => format!(r#"run user slot/{day} {{"thing":{thing}}}"#),
        19 => format!(r#"run user slots_of/{day} {{"things":{things}}}"#),
        20 | 21 => format!(r#"run user latest/{day} {{"thing":{thing}}}"#),
        22 | 23 => format!("run user latest_told/{day}"),
        24 => format!(r#"run user fresh_day {{"id":{},"thing":{thing}}}"#, dice.below(9) + 1),
        25 => format!(r#"change user Day {day} {{"slots":[]}}"#),
        26..=28 => {
            let by = dice.of(&["word", "long", "tail"]);
            format!(r#"run user {by}/{other} {{"thing":{thing}}}"#)
        }
        29 | 30 => format!("run user found/{thing}"),
        31 => format!(r#"run user found_bare/{thing} {{"seats":{}}}"#, dice.below(3) > 0),
        32 | 33 => format!(r#"run user found_each {{"things":{things},"by":{by}}}"#),
        34 | 35 => {
            let sizes = dice.of(&["[]", "[1]", "[2,3]", "[1,1,1,1]"]);
            format!(r#"run user found_many {{"things":[{thing},{other}],"sizes":{sizes}}}"#)
        }
        36 | 37 => format!(r#"run user pack {{"things":[{thing},{other}],"by":{by}}}"#),
        38 => format!(r#"change user Thing {thing} {{"next":{other}}}"#),
        39 => format!(r#"change user Thing {thing} {{"load":{load},"on":true}}"#),
        40 => {
            let raw = dice.of(&[r#""""#, r#""AQI=""#, "null", r#""+/8=""#]);
            let more = dice.of(&["null", "{}", r#"{"b":[1.5,"é\"x"],"a":null}"#, r#""end""#, "7"]);
            let size = dice.of(&["null", r#"{"wide":2}"#, r#"{"wide":-3,"high":0}"#]);
            let tags = dice.of(&["null", "[]", r#"["a","é\\"]"#]);
            format!(
                r#"change user Thing {thing} {{"raw":{raw},"more":{more},"size":{size},"tags":{tags}}}"#
            )
        }
        41 => format!(r#"change user Thing {thing} {{"at":"{at}"}}"#),
        42 | 43 => {
            let name = dice.of(&NAMES);
            format!(r#"change user Thing {thing} {{"name":"{name}"}}"#)
        }
        _ => format!(r#"change user Thing {thing} {{"rank":{}}}"#, dice.below(60)),
    }
}

/// All that a world holds, but for what is counted, and what it has told.
fn held(world: &World) -> String {
    let database = world.url.as_deref().unwrap().rsplit('/').next().unwrap();
    let tables = ["thing", "day", "slot", "note", "club", "chair", "box"];
    let rows = tables.map(|of| format!("SELECT '{of}', to_jsonb(t)::text FROM {of} AS t"));
    let all = rows.join(" UNION ALL ")
        + " UNION ALL SELECT 'ticket', (to_jsonb(t) - 'no')::text FROM ticket AS t \
            UNION ALL SELECT name, concat(key, data::text) FROM mimar.event \
            UNION ALL SELECT target, CASE WHEN arguments::jsonb ? 'ticket' \
              THEN (position(arguments::jsonb->>'ticket' IN unique_key) > 0)::text \
              ELSE concat(unique_key, arguments::text) END FROM mimar.task ORDER BY 1, 2";
    testbed::postgres().psql(database, &all)
}

fn people(world: &World) {
    for id in 1..=4 {
        for add in [
            format!(r#"add user Thing {{"id":{id},"rank":{id}}}"#),
            format!(r#"add user Day {{"id":{id}}}"#),
            format!(r#"add user Note {{"id":{id}}}"#),
        ] {
            let told = world.ask(&add);
            assert!(told.starts_with('{'), "{add}: {told}");
        }
    }
}

#[test]
fn whatever_is_told() {
    for seed in 1..=4 {
        Agreement::of(model(), people, held).go_through(seed, ask, |_, _, _| ());
    }
}

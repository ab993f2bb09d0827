//! Answers of which only the database knows all: what a policy that looks at other rows lets the caller see of a row, and all that is kept with
//! an `Idempotency-Key` (PostgreSQL).

use expect_test::expect;

use crate::agreement::Agreement;
use crate::direct::Dice;
use crate::explain::{compare, compare_kept};
use crate::world::{World, in_two};

const SCENE: &str = include_str!("scenes/answers.scene");

fn model() -> &'static str {
    in_two(SCENE).0
}

#[test]
fn answers_are_sent_as_told() {
    compare(
        SCENE,
        &expect![[r#"
            double_all: 1, told 1 to 1
            fill: 1, told 1 to 1
            look: 1, told 1 to 1
            make: 1, told 1 to 1
            one_of: 1, told 1 to 1
            open: 1, told 1 to 1
            perhaps: 1, told 1 to 1
            points_of: 1, told 1 to 1
            raise: 1, told 1 to 1
            shut: 1, told 1 to 1
            title_of: 1, told 1 to 1
            work: 1, told 1 to 1
            write: 1, told 1 to 1
        "#]],
    );
}

#[test]
fn what_is_kept_is_kept_as_told() {
    let scenes = [
        SCENE,
        include_str!("scenes/found.scene"),
        include_str!("scenes/counted.scene"),
        include_str!("scenes/steps.scene"),
        include_str!("scenes/folds.scene"),
    ];
    std::thread::scope(|scope| {
        for scene in scenes {
            scope.spawn(|| compare_kept(scene));
        }
    });
}

fn ask(dice: &mut Dice) -> String {
    let (by, sheet, other) = (dice.below(2) + 1, dice.below(12) + 1, dice.below(12) + 1);
    let points = dice.of(&["1", "2", "-3", "30", "0", "-40", "9223372036854775807"]);
    let title = dice.of(&[
        "",
        "plain",
        "\\\"q\\\"",
        "\\u00e4\\u2028\\u007f",
        "\\b",
        "a\\tb\\\\",
        "\\u0001",
    ]);
    let hours = dice.of(&["[]", "[1]", "[1,2,3]", "[4,5]"]);
    let mut maybe = |value: &str| match dice.below(3) {
        0 => "null".to_owned(),
        _ => format!("\"{value}\""),
    };
    let day = maybe("2024-02-29");
    let clock = maybe("17:30:00.000001");
    let at = maybe("1969-12-31T23:59:59.9Z");
    let lasts = maybe("-P3DT4H0.5S");
    let raw = maybe("AAECAwQFBgcICQoLDA0ODw==");
    let other_id = maybe("018f4e5a-7b3c-7def-8123-456789abcdef");
    let weight = dice.of(&["0.5", "1e30", "-0.0", "3", "0.1", "123456789.125"]);
    match dice.below(16) {
        0 | 1 => format!(
            r#"run user:{by} make {{"id":{sheet},"title":"{title}","points":{points},"day":{day},"lasts":{lasts}}}"#
        ),
        2 | 3 => format!(r#"run user:{by} raise/{sheet} {{"by":{points}}}"#),
        4 | 5 => format!(
            r#"run user:{by} fill/{sheet} {{"title":"{title}","weight":{weight},"day":{day},"clock":{clock},"at":{at},"lasts":{lasts},"raw":{raw},"other":{other_id}}}"#
        ),
        6 => format!("run user:{by} look/{sheet}"),
        7 => format!(
            r#"run user:{by} one_of/{sheet} {{"other":{other},"first":{}}}"#,
            dice.below(2) == 0
        ),
        8 => format!(r#"run user:{by} perhaps/{sheet} {{"by":{points}}}"#),
        9 => {
            format!(r#"run user:{by} write/{sheet} {{"text":"{}"}}"#, dice.of(&["plain", "secret"]))
        }
        10 => format!(r#"run user:{by} work/{sheet} {{"hours":{hours}}}"#),
        11 => format!("run user:{by} points_of/{sheet}"),
        12 => format!("run user:{by} title_of/{sheet}"),
        13 => format!(r#"run user:{by} double_all {{"sheets":[{sheet},{other}],"sheet":{sheet}}}"#),
        14 => format!(r#"run user:{by} shut/{by} {{"sheet":{sheet}}}"#),
        _ => format!("run boss open/{by}"),
    }
}

fn held(world: &World) -> String {
    let database = world.url.as_deref().unwrap().rsplit('/').next().unwrap();
    let all = "SELECT 't', to_jsonb(t)::text FROM team AS t UNION ALL SELECT 's', to_jsonb(t)::text FROM sheet AS t \
               UNION ALL SELECT 'n', (to_jsonb(t) - 'number')::text FROM note AS t \
               UNION ALL SELECT 'h', (to_jsonb(t) - 'note')::text FROM step AS t ORDER BY 1, 2";
    let events = "SELECT name, key, data::text FROM mimar.event ORDER BY number";
    [all, events].map(|sql| testbed::postgres().psql(database, sql)).join("\n")
}

fn people(world: &World) {
    for id in 1..=2 {
        for add in [
            format!(r#"add boss Team {{"id":{id},"name":"team {id}"}}"#),
            format!(r#"add boss Member {{"id":{id},"email":"m{id}@example.org","team":{id}}}"#),
            format!(r#"run user:{id} make {{"id":{id},"title":"one","points":{id}}}"#),
        ] {
            let told = world.ask(&add);
            assert!(told.starts_with('{'), "{add}: {told}");
        }
    }
}

#[test]
fn whatever_is_answered() {
    for seed in 1..=4 {
        let mut both = Agreement::of(model(), people, held);
        both.go_through(seed, ask, |_, _, _| ());
    }
}

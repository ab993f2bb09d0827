//! Rows that go beside others to which something is done (PostgreSQL): what goes with them, what is cleared, and by how much versions rise.

use expect_test::expect;

use crate::agreement::Agreement;
use crate::direct::Dice;
use crate::explain::compare;
use crate::world::{On, World, in_two};

const SCENE: &str = include_str!("scenes/going.scene");

fn model() -> &'static str {
    in_two(SCENE).0
}

#[test]
fn what_goes_goes_as_told() {
    compare(
        SCENE,
        &expect![[r#"
            run user pin_late/2: 2 transactions
            after: 1, told 1 to 1
            anew: 1, told 1 to 1
            badge_and_drop: 1, told 1 to 1
            drop: 1, told 1 to 1
            drop_all: 1, told 1 to 1
            drop_and_log: 1, told 1 to 1
            drop_and_tell: 1, told 1 to 1
            drop_between: 1, told 1 to 1
            drop_if: 1, told 1 to 1
            drop_late: 1, told 1 to 1
            drop_marks: 1, told 1 to 1
            drop_of: 1, told 1 to 1
            drop_two: 1, told 1 to 1
            grow: 1, told 1 to 1
            hang: 1, told 1 to 1
            log_and_drop: 1, told 1 to 1
            mark_again: 1, told 1 to 1
            mark_and_drop: 1, told 1 to 1
            merge: 1, told 1 to 1
            new_badge: 1, told 1 to 1
            own: 1, told 1 to 1
            renew: 1, told 1 to 1
            seal_and_drop: 1, told 1 to 1
            seal_of: 1, told 1 to 1
            see_all: 1, told 1 to 1
            see_mark: 1, told 1 to 1
            see_pages: 1, told 1 to 1
            see_seal: 1, told 1 to 1
            see_trail: 1, told 1 to 1
            spot: 1, told 1 to 1
            spot_and_drop: 1, told 1 to 1
            unlock: 1, told 1 to 1
            unpin: 1, told 1 to 1
        "#]],
    );
}

fn ask(dice: &mut Dice) -> String {
    let mut one = || dice.below(6) + 1;
    let (folder, other, mark, tag) = (one(), one(), one(), one());
    let by = dice.of(&["1", "2", "3", "5", "9"]);
    let maybe = if dice.below(3) == 0 { "null".to_owned() } else { other.to_string() };
    match dice.below(76) {
        74 | 75 => {
            format!(r#"run user mark_again/{folder} {{"id":{tag},"other":{other},"mark":{mark}}}"#)
        }
        70..=73 => {
            let id = if dice.below(3) == 0 { other } else { folder };
            format!(r#"run user renew/{folder} {{"id":{id},"tag":{tag},"by":{by}}}"#)
        }
        66..=68 => {
            format!(r#"run user seal_of/{tag} {{"pin":{mark},"folder":{folder},"by":{by}}}"#)
        }
        69 => format!(r#"run user mark_all/{folder} {{"by":{by}}}"#),
        53 | 54 => format!(r#"run user see_seal/{tag} {{"folder":{folder},"by":{by}}}"#),
        55 | 56 => format!(r#"run user see_mark/{mark} {{"folder":{folder}}}"#),
        57 | 58 => format!(r#"run user see_pages/{folder} {{"other":{other}}}"#),
        59 | 60 => format!(r#"run user see_trail/{tag} {{"folder":{folder},"by":{by}}}"#),
        61 | 62 => format!(
            r#"run user see_all {{"folders":[{folder},{other}],"seal":{tag},"hook":{tag}}}"#
        ),
        63 => format!(r#"run user drop_seen/{folder} {{"tag":{tag}}}"#),
        64 => format!(r#"add user Hook {{"id":{tag},"mark":{mark},"folder":{maybe}}}"#),
        65 => format!(r#"add user Seal {{"id":{tag},"mark":{mark}}}"#),
        49 => format!(r#"add user Seal {{"id":{tag},"mark":{mark}}}"#),
        50 => format!(r#"add user Trail {{"id":{tag},"mark":{mark}}}"#),
        51 => format!(r#"run user seal_and_drop/{tag} {{"folder":{folder},"by":{by}}}"#),
        52 => format!(r#"run user trail_and_drop/{tag} {{"folder":{folder},"by":{by}}}"#),
        47 | 48 => format!(r#"add user Hook {{"id":{tag},"folder":{folder},"mark":{mark}}}"#),
        45 | 46 => format!(r#"add user Twin {{"id":{mark},"folder":{folder},"owner":{maybe}}}"#),
        42 => format!(r#"run user drop_board/{mark} {{"shelf":{tag}}}"#),
        43 => format!(r#"run user unlock/{folder} {{"shelf":{tag},"limit":{by}}}"#),
        44 => format!(r#"add user Board {{"id":{mark},"folder":{folder}}}"#),
        34 => format!(r#"run user badge_and_drop/{folder} {{"badge":{tag},"by":{by}}}"#),
        35 => format!(r#"run user new_badge/{folder} {{"id":{tag},"by":{by}}}"#),
        36 => format!(r#"run user spot_and_drop/{tag} {{"folder":{folder},"board":{maybe}}}"#),
        37 | 38 => format!(r#"run user spot/{tag} {{"folder":{folder},"board":{maybe}}}"#),
        39 => format!(r#"run user drop_seen/{folder} {{"tag":{tag}}}"#),
        40 => format!(r#"run user drop_between/{folder} {{"pin":{mark},"two":{other}}}"#),
        41 => format!(r#"run user merge/{folder} {{"into":{other},"mark":{folder}}}"#),
        0 => format!(r#"run user drop/{folder} {{"tag":{tag}}}"#),
        1 => format!(r#"run user drop_late/{folder} {{"tag":{tag}}}"#),
        2 => format!(r#"run user drop_all {{"folders":[{folder},{other}],"tag":{tag}}}"#),
        3 => format!("run user drop_of/{mark}"),
        4 => format!(r#"run user drop_and_tell/{mark} {{"tag":{tag}}}"#),
        5 => format!(r#"run user mark_and_drop/{folder} {{"id":{mark}}}"#),
        6 => format!(r#"run user merge/{folder} {{"into":{other},"mark":{mark}}}"#),
        7 | 8 => format!(r#"run user drop_marks {{"marks":[{mark},{tag}],"folder":{folder}}}"#),
        9 => format!(r#"run user drop_two/{folder} {{"other":{other},"tag":{tag}}}"#),
        10 | 11 => format!(r#"run user drop_if/{folder} {{"mark":{mark},"by":{by}}}"#),
        12 => format!(r#"run user anew/{folder} {{"id":{other},"tag":{tag}}}"#),
        13 => format!("run user log_and_drop/{folder}"),
        14 => format!(r#"run user drop_and_log/{folder} {{"other":{other}}}"#),
        15 => format!(r#"run user unpin/{mark} {{"folder":{folder}}}"#),
        16 => format!("run user pin_late/{mark}"),
        17 => format!(r#"run user after/{folder} {{"tag":{tag},"mark":{mark}}}"#),
        18..=20 => format!(r#"run user grow/{folder} {{"tag":{tag},"mark":{maybe}}}"#),
        21 | 22 => {
            format!(r#"run user hang/{folder} {{"parent":{maybe},"tag":{tag},"mark":{mark}}}"#)
        }
        23 => format!(r#"run user own/{mark} {{"owner":{maybe}}}"#),
        24..=28 => format!(r#"add user Folder {{"id":{folder},"name":"f{folder}"}}"#),
        29 | 30 => format!(r#"add user Mark {{"id":{mark},"folder":{folder},"owner":{maybe}}}"#),
        31 => format!(r#"add user Pin {{"id":{mark},"folder":{folder}}}"#),
        _ => format!(r#"add user Tag {{"id":{tag},"mark":{mark},"folder":{maybe}}}"#),
    }
}

/// All that a world holds, but for what is drawn by chance.
fn held(world: &World) -> String {
    let database = world.url.as_deref().unwrap().rsplit('/').next().unwrap();
    let all = "SELECT 'f', to_jsonb(t)::text FROM folder AS t UNION ALL SELECT 'p', to_jsonb(t)::text FROM page AS t \
               UNION ALL SELECT 'm', to_jsonb(t)::text FROM mark AS t UNION ALL SELECT 't', to_jsonb(t)::text FROM tag AS t \
               UNION ALL SELECT 'n', to_jsonb(t)::text FROM note AS t UNION ALL SELECT 'i', to_jsonb(t)::text FROM pin AS t \
               UNION ALL SELECT 'b', to_jsonb(t)::text FROM badge AS t UNION ALL SELECT 'h', to_jsonb(t)::text FROM shelf AS t \
               UNION ALL SELECT 'o', to_jsonb(t)::text FROM spot AS t UNION ALL SELECT 'w', to_jsonb(t)::text FROM twin AS t UNION ALL SELECT 'e', to_jsonb(t)::text FROM seal AS t \
               UNION ALL SELECT 'r', to_jsonb(t)::text FROM trail AS t UNION ALL SELECT 'k', to_jsonb(t)::text FROM hook AS t UNION ALL SELECT 'd', to_jsonb(t)::text FROM board AS t UNION ALL SELECT 'l', (to_jsonb(t) - 'number')::text FROM log AS t \
               UNION ALL SELECT 's', (to_jsonb(t) - 'id')::text FROM slip AS t ORDER BY 1, 2";
    let events = "SELECT name, key, data::text FROM mimar.event ORDER BY number";
    [all, events].map(|sql| testbed::postgres().psql(database, sql)).join("\n")
}

fn people(world: &World) {
    for id in 1..=5 {
        for add in [
            format!(r#"add user Folder {{"id":{id},"name":"f{id}"}}"#),
            format!(r#"add user Mark {{"id":{id},"folder":{id},"owner":1}}"#),
            format!(r#"add user Tag {{"id":{id},"mark":{id},"folder":1}}"#),
            format!(r#"add user Badge {{"id":{id},"folder":{id},"count":{id}}}"#),
            format!(r#"add user Shelf {{"id":{id}}}"#),
            format!(r#"add user Board {{"id":{id},"folder":{id}}}"#),
        ] {
            let told = world.ask(&add);
            assert!(told.starts_with('{'), "{add}: {told}");
        }
    }
}

#[test]
fn whatever_goes() {
    for seed in 1..=4 {
        Agreement::of(model(), people, held).go_through(seed, ask, |_, _, _| ());
    }
}

/// Who looks for rows after a deletion finds what it clears, also what is not here: at once, and of what goes along.
#[test]
fn what_is_cleared_is_found() {
    for on in [On::Sqlite, On::Postgres] {
        let world = World::new(on, model());
        people(&world);
        for ask in [
            r#"add user Seal {"id":1,"mark":2}"#,
            r#"add user Seal {"id":2,"mark":3}"#,
            r#"add user Seal {"id":3}"#,
            r#"add user Hook {"id":1,"folder":2,"mark":3}"#,
            r#"add user Hook {"id":2,"folder":3,"mark":2}"#,
            r#"run user mark_all/2 {"by":2}"#,
        ] {
            let told = world.ask(ask);
            assert!(told.starts_with(['{', '2']), "{ask}: {told}");
        }
        let held = |ask: &str| world.ask(ask);
        assert!(held("read user Seal 1").starts_with(r#"{"id":1,"mark":null,"count":2}"#));
        assert!(held("read user Seal 2").starts_with(r#"{"id":2,"mark":3,"count":0}"#));
        assert!(held("read user Seal 3").starts_with(r#"{"id":3,"mark":null,"count":2}"#));
        assert!(held("read user Hook 1").starts_with(r#"{"id":1,"folder":null,"mark":null}"#));
        assert!(held("read user Hook 2").starts_with(r#"{"id":2,"folder":3,"mark":null}"#));
    }
}

//! Rules over counted keys, fields that are worked out of each other, folds inside folds, rows that go in a circle, and branches over what is set
//! on the way (PostgreSQL).

use expect_test::expect;

use crate::agreement::Agreement;
use crate::direct::Dice;
use crate::explain::compare;
use crate::world::{World, in_two};

const SCENE: &str = include_str!("scenes/layers.scene");

fn model() -> &'static str {
    in_two(SCENE).0
}

#[test]
fn what_layers_send_is_told_of() {
    compare(
        SCENE,
        &expect![[r#"
            run user lost/1 {"other":1,"n":7}: 2 transactions
            album: 1, told 1 to 1
            all_tagged: 1, told 1 to 1
            along: 3, told 3 to 3
            aside: 1, told 1 to 1
            beside: 1, told 1 to 1
            bump: 1, told 1 to 1
            card: 1, told 1 to 1
            card_given: 1, told 1 to 1
            cleared: 1, told 1 to 1
            either_way: 1, told 1 to 1
            fits: 1, told 1 to 1
            freed: 1, told 1 to 1
            freshly: 1, told 1 to 1
            hand_over: 1, told 1 to 1
            leave: 1, told 1 to 1
            leave_all: 1, told 1 to 1
            leave_and: 1, told 1 to 1
            level: 1, told 1 to 1
            lines_of: 1, told 1 to 1
            lost: 1, told 1 to 1
            made_or: 1, told 1 to 1
            move: 1, told 1 to 1
            next_of: 1, told 1 to 1
            next_then: 1, told 1 to 1
            order_again: 1, told 1 to 1
            order_line: 1, told 1 to 1
            order_many: 1, told 1 to 1
            order_rate: 1, told 1 to 1
            pass: 1, told 1 to 1
            pass_behind: 1, told 1 to 1
            pass_bound: 1, told 1 to 1
            pass_each: 1, told 1 to 1
            pass_given: 1, told 1 to 1
            pass_quick: 1, told 1 to 1
            place: 1, told 1 to 1
            promote: 1, told 1 to 1
            raise: 1, told 1 to 1
            raise_by: 1, told 1 to 1
            raise_each: 1, told 1 to 1
            same_of: 1, told 1 to 1
            sell: 1, told 1 to 1
            sell_beside: 6, told 2 to 4 and more
            sell_dear: 1, told 1 to 1
            sell_each: 1, told 1 to 1
            sell_like: 4, told 4 to 4
            sell_marked: 1, told 1 to 1
            sell_named: 1, told 1 to 1
            shift: 1, told 1 to 1
            tier: 1, told 1 to 1
            weigh: 1, told 1 to 1
            weigh_by: 1, told 1 to 1
        "#]],
    );
}

fn ask(dice: &mut Dice) -> String {
    let mut one = || dice.below(4) + 1;
    let (first, second, third) = (one(), one(), one());
    let n = dice.of(&["-3", "0", "1", "3", "4", "6", "9", "40", "700", "99999"]);
    let price = dice.of(&["0.00", "0.55", "3.10", "12.34", "49.99", "180.00"]);
    let three = format!("[{first},{second},{third}]");
    match dice.below(103) {
        0 => format!(r#"run user pass {{"n":{n}}}"#),
        1 => format!(r#"run user pass_quick {{"n":{n}}}"#),
        2 | 3 => format!(r#"run user pass_behind/{first} {{"n":{n}}}"#),
        4 | 5 => format!(r#"run user pass_bound {{"before":{n}}}"#),
        6 | 7 => format!(r#"run user pass_each {{"ns":[{n},{first},{second}]}}"#),
        8 => format!(r#"run user pass_given {{"no":{},"n":{n}}}"#, 90_000 + dice.below(9)),
        9 => format!(r#"run user album {{"n":{n}}}"#),
        10..=12 => format!(r#"run user card/{first} {{"n":{n}}}"#),
        13 => format!(r#"run user card_given/{first} {{"no":{}}}"#, 90_000 + dice.below(20)),
        14 => format!(r#"run user tier {{"id":{},"base":{n}}}"#, dice.below(12) + 1),
        15 | 16 => format!(r#"run user tier_like/{first} {{"id":{}}}"#, dice.below(12) + 1),
        17 | 18 => format!(r#"run user raise/{first} {{"by":{n}}}"#),
        19 => format!(r#"run user raise_to/{first} {{"base":{n}}}"#),
        20 | 21 => format!(r#"run user raise_by/{first} {{"other":{second}}}"#),
        22 | 23 => format!(r#"run user raise_each {{"tiers":{three},"by":{n}}}"#),
        24 => format!("run user level/{first}"),
        25..=27 => {
            format!(r#"run user order_line/{first} {{"price":"{price}","many":{second}}}"#)
        }
        28 | 29 => format!(r#"run user order_many/{first} {{"prices":["{price}","1.01"]}}"#),
        30 => format!(r#"run user order_again/{first} {{"id":{}}}"#, dice.below(20) + 1),
        31 => format!(r#"run user order_rate/{first} {{"rate":"0.0{second}"}}"#),
        32 | 33 => {
            let name = dice.of(&["x", "y", "z"]);
            format!(r#"run user all_tagged/{first} {{"name":"{name}"}}"#)
        }
        34 => format!("run user weigh/{first}"),
        35 | 36 => format!(r#"run user weigh_by/{first} {{"least":{second}}}"#),
        37..=39 => format!(r#"run user place/{first} {{"book":{second},"extra":{n}}}"#),
        40 | 41 => format!(r#"run user fits/{first} {{"person":{second}}}"#),
        42 => format!(r#"run user promote/{first} {{"book":{second}}}"#),
        43 => {
            let name = dice.of(&["x", "y", "z"]);
            let tags =
                format!(r#"[{{"name":"{name}","by":{second}}},{{"name":"x","weight":{third}}}]"#);
            format!(r#"change user Book {first} {{"tags":{tags}}}"#)
        }
        44 => format!(r#"change user Shelf {first} {{"places":[]}}"#),
        45 => format!(r#"change user Order {first} {{"lines":[]}}"#),
        46 | 47 => format!(r#"run user leave/{first} {{"memo":{second},"n":{n}}}"#),
        48 | 49 => format!(r#"run user leave_all {{"guests":[{first},{third}],"memo":{second}}}"#),
        50 => format!(r#"run user leave_and/{first} {{"host":{second}}}"#),
        51 => format!(r#"add user Host {{"id":{first}}}"#),
        52 => format!(r#"add user Guest {{"id":{first},"of":{second}}}"#),
        53 => format!(r#"change user Host {first} {{"by":{second}}}"#),
        54 => format!(r#"change user Guest {first} {{"of":{second}}}"#),
        55 => format!(r#"change user Memo {first} {{"host":{second}}}"#),
        56 => format!(r#"change user Memo {first} {{"n":{n}}}"#),
        57 | 58 => format!(r#"run user either_way/{first} {{"n":{n}}}"#),
        59 | 60 => format!(r#"run user beside/{first} {{"people":{three},"n":{n}}}"#),
        61 | 62 => {
            format!(r#"run user cleared/{first} {{"host":{second},"tier":{third},"n":{n}}}"#)
        }
        63 | 64 => format!(r#"run user aside/{first} {{"person":{second},"n":{n}}}"#),
        65 | 66 => format!(r#"run user freshly/{first} {{"n":{n}}}"#),
        67 | 68 => format!(r#"run user next_of/{first} {{"person":{second},"n":{n}}}"#),
        69 | 70 => format!(r#"run user next_then/{first} {{"person":{second},"n":{n}}}"#),
        71 | 72 => format!(r#"run user lines_of/{first} {{"n":{third}}}"#),
        73..=75 => format!(r#"run user same_of/{first} {{"other":{second},"n":{n}}}"#),
        76 | 77 => format!(r#"run user lost/{first} {{"other":{second},"n":{n}}}"#),
        78 => {
            let other = dice.of(&["1", "2", "3"]);
            format!(r#"run user freed/{first} {{"note":{second},"other":{other},"n":{n}}}"#)
        }
        79 | 80 => format!(r#"run user move/{first} {{"other":{second},"slot":{n}}}"#),
        81 | 82 => format!(r#"run user hand_over/{first} {{"other":{second}}}"#),
        83 => format!(r#"run user shift {{"jobs":{three}}}"#),
        84 => format!(r#"add user Note {{"id":{first}}}"#),
        88 | 89 => {
            format!(r#"run user sell/{first} {{"prices":[{second},{n}],"n":{third}}}"#)
        }
        90 => {
            format!(r#"run user sell_each {{"people":{three},"prices":[{n},{first}]}}"#)
        }
        97 | 98 => {
            format!(r#"run user sell_beside/1 {{"people":{three},"price":{n}}}"#)
        }
        99 => {
            let id = dice.below(12) + 1;
            let other = dice.of(&["1", "3", "5", "7", "9", "11"]);
            format!(r#"run user made_or {{"id":{id},"tier":{other},"n":{n}}}"#)
        }
        94 | 95 => format!(r#"run user sell_dear/{first} {{"n":{n}}}"#),
        92 => format!(r#"run user sell_like/{first} {{"n":{n}}}"#),
        100 | 101 => {
            format!(r#"run user sell_named/{first} {{"prices":[{second},{n}],"n":{third}}}"#)
        }
        91 => format!(r#"run user sell_marked/{first} {{"prices":[{second},{n}],"n":{third}}}"#),
        85 => format!(r#"add user Leaf {{"id":{first},"note":{second}}}"#),
        86 | 87 => {
            format!(r#"run user along/{first} {{"leaf":{second},"note":{third},"n":{n}}}"#)
        }
        _ => format!(r#"change user Tier {first} {{"base":1,"bonus":0}}"#),
    }
}

/// All that a world holds, and what it has told.
fn held(world: &World) -> String {
    let database = world.url.as_deref().unwrap().rsplit('/').next().unwrap();
    let tables = [
        "pass", "album", "card", "tier", "order", "line", "person", "seat", "book", "tag", "shelf",
        "place", "host", "guest", "memo", "job", "note", "mark", "leaf", "sale", "item",
    ];
    let rows =
        tables.map(|of| format!("SELECT '{of}' AS name, to_jsonb(t)::text FROM \"{of}\" AS t"));
    let all = rows.join(" UNION ALL ")
        + " UNION ALL SELECT name, concat(key, data::text) FROM mimar.event ORDER BY 1, 2";
    testbed::postgres().psql(database, &all)
}

fn people(world: &World) {
    let mut adds = Vec::new();
    for id in 1..=4 {
        adds.push(format!(r#"add user Person {{"id":{id},"rank":{id}}}"#));
        adds.push(format!(r#"add user Book {{"id":{id},"tags":[{{"name":"x","by":{id}}}]}}"#));
        adds.push(format!(r#"add user Shelf {{"id":{id},"places":[{{"book":{id}}}]}}"#));
        adds.push(format!(r#"add user Tier {{"id":{id},"base":{id}}}"#));
        adds.push(format!(r#"add user Order {{"id":{id}}}"#));
        adds.push(format!(r#"add user Seat {{"id":{id},"by":{id}}}"#));
        adds.push(format!(r#"add user Host {{"id":{id}}}"#));
        adds.push(format!(r#"add user Guest {{"id":{id},"of":{id}}}"#));
        adds.push(format!(r#"change user Host {id} {{"by":{id}}}"#));
        adds.push(format!(r#"add user Memo {{"id":{id},"host":{id}}}"#));
        adds.push(r#"add user Pass {"n":1}"#.to_owned());
        adds.push(r#"add user Album {}"#.to_owned());
        adds.push(format!(r#"add user Sale {{"by":{id}}}"#));
        adds.push(format!(r#"add user Note {{"id":{id}}}"#));
        adds.push(format!(r#"add user Leaf {{"id":{id},"note":{id}}}"#));
        adds.push(format!(r#"add user Mark {{"id":{id},"of":{id}}}"#));
        adds.push(format!(r#"add user Job {{"id":{id},"slot":{id},"a":{id}}}"#));
    }
    for add in adds {
        let told = world.ask(&add);
        assert!(told.starts_with('{'), "{add}: {told}");
    }
}

/// Has both databases count keys on from the same number: what was refused has drawn some.
fn count_alike(both: &Agreement, turn: u32, ask: &str) {
    if !["pass", "card", "album", "fresh", "sell"].iter().any(|of| ask.contains(of)) {
        return;
    }
    let from = (turn + 1) * 100;
    let sets = ["pass", "album", "card", "sale", "item"]
        .map(|of| format!("SELECT setval(pg_get_serial_sequence('{of}', 'no'), {from})"));
    for world in [&both.loaded, &both.direct] {
        let database = world.url.as_deref().unwrap().rsplit('/').next().unwrap();
        testbed::postgres().psql(database, &sets.join("; "));
    }
}

#[test]
fn whatever_is_in_layers() {
    for seed in 1..=4 {
        Agreement::of(model(), people, held).go_through(seed, ask, count_alike);
    }
}

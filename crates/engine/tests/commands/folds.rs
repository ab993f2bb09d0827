//! Folds over parts that look at what these refer to (PostgreSQL): which rows those are is known where the parts are looked at only.

use std::sync::atomic::{AtomicUsize, Ordering};

use expect_test::expect;

use crate::agreement::Agreement;
use crate::contention::at_once;
use crate::direct::Dice;
use crate::explain::compare;
use crate::world::{On, World, in_two};

const SCENE: &str = include_str!("scenes/folds.scene");

fn model() -> &'static str {
    in_two(SCENE).0
}

#[test]
fn folds_are_sent_as_told() {
    compare(
        SCENE,
        &expect![[r#"
            add: 1, told 1 to 1
            book: 1, told 1 to 1
            boss: 1, told 1 to 1
            choose: 1, told 1 to 1
            confirm: 1, told 1 to 1
            deep: 1, told 1 to 1
            each_order: 1, told 1 to 1
            found: 1, told 1 to 1
            fresh: 1, told 1 to 1
            give_away: 1, told 1 to 1
            grow: 5, told 4 to 5
            later: 1, told 1 to 1
            many: 1, told 1 to 1
            measure: 1, told 1 to 1
            move_price: 1, told 1 to 1
            placed: 1, told 1 to 1
            quote: 1, told 1 to 1
            raise: 1, told 1 to 1
            rehome: 1, told 1 to 1
            same_maker: 1, told 1 to 1
            ship: 1, told 1 to 1
            swap: 2, told 2 to 2
            take: 1, told 1 to 1
            tell: 1, told 1 to 1
            turn: 1, told 1 to 1
        "#]],
    );
}

fn people(world: &World) {
    let each = |add: &dyn Fn(usize) -> String| {
        for id in 1..=4 {
            let add = add(id);
            let told = world.ask(&add);
            assert!(told.starts_with('{'), "{add}: {told}");
        }
    };
    each(&|id| format!(r#"add user Maker {{"id":{id},"name":"m{id}","points":{id}}}"#));
    each(&|id| {
        let place = format!(r#"{{"shelf":{id},"code":"c{id}"}}"#);
        format!(
            r#"add user Product {{"id":{id},"name":"p{id}","maker":{id},"by":1,"place":{place}}}"#
        )
    });
    each(&|id| {
        let lines = [
            r#"{"product":1},{"product":2,"pieces":3}"#,
            r#"{"product":2,"spare":1},{"product":1},{"product":2}"#,
            r#"{"product":1},{"product":2}"#,
            "",
        ];
        format!(r#"add user Order {{"id":{id},"of":{id},"lines":[{}]}}"#, lines[id - 1])
    });
    each(&|id| format!(r#"add user Shipment {{"id":{id},"order":{id}}}"#));
    each(&|id| format!(r#"add user Offer {{"id":{id},"product":{id}}}"#));
    each(&|id| {
        format!(r#"add user Shipment {{"id":{},"order":{},"behind":{id}}}"#, id + 4, id % 4 + 1)
    });
}

fn ask(dice: &mut Dice) -> String {
    let mut one = || dice.below(4) + 1;
    let (order, product, other, maker) = (one(), one(), one(), one());
    let by = dice.of(&["1", "2", "3", "5", "-1", "-4", "30", "0", "4"]);
    let maybe = if dice.below(3) == 0 { "null".to_owned() } else { other.to_string() };
    let id = dice.below(30);
    match dice.below(54) {
        0 | 1 => format!("run user confirm/{order}"),
        2 | 3 => format!("run user quote/{order}"),
        4 => format!("run user tell/{order}"),
        5 => format!(r#"run user deep/{order} {{"least":{by}}}"#),
        6 => format!(r#"run user placed/{order} {{"shelf":{by}}}"#),
        7 => format!(r#"run user same_maker/{order} {{"product":{product}}}"#),
        8 | 9 => format!(r#"run user raise/{order} {{"product":{product},"by":{by}}}"#),
        10..=12 => {
            format!(
                r#"run user rehome/{order} {{"product":{product},"maker":{maker},"least":{by}}}"#
            )
        }
        13 | 14 => {
            format!(r#"run user give_away/{order} {{"product":{product},"other":{other}}}"#)
        }
        15 | 16 => {
            format!(r#"run user each_order {{"orders":[{order},{other},{order}],"by":{by}}}"#)
        }
        17 => format!("run user ship/{}", dice.below(8) + 1),
        18..=20 => {
            format!(r#"run user book/{maker} {{"id":{id},"products":[{product},{other}]}}"#)
        }
        21..=25 => format!(r#"run user add/{order} {{"product":{product},"other":{maybe}}}"#),
        26 => format!("run user later/{order}"),
        27 | 28 => {
            format!(r#"run user choose/{order} {{"product":{product},"least":{by}}}"#)
        }
        29 => format!(r#"run user turn/{product} {{"state":{by}}}"#),
        30..=32 => {
            format!(r#"run user move_price/{product} {{"other":{other},"by":"0.25"}}"#)
        }
        33..=35 => {
            format!(r#"run user swap/{order} {{"product":{product},"other":{other}}}"#)
        }
        37 | 38 => format!(r#"run user measure/{order} {{"product":{product},"by":{by}}}"#),
        40 | 41 => format!(r#"run user take/{order} {{"offer":{product}}}"#),
        42 | 43 => format!(
            r#"run user fresh/{order} {{"id":{id},"maker":{maker},"place":{{"shelf":{by}}}}}"#
        ),
        44 | 45 => format!(r#"run user found/{order} {{"product":{product},"id":{id}}}"#),
        46 | 47 => format!(r#"run user boss/{order} {{"product":{product},"maker":{maker}}}"#),
        48 | 49 => {
            format!(r#"run viewer many {{"orders":[{order},{other}],"maker":{maker}}}"#)
        }
        50 => format!(r#"run user many {{"orders":[{order},{other}],"maker":{maker}}}"#),
        51 => format!(r#"run user grow/{order} {{"product":{product},"by":{by}}}"#),
        52 | 53 => format!(
            r#"add user Maker {{"id":{id},"name":"m{id}","points":{maker},"boss":{maybe}}}"#
        ),
        36 => format!("remove user Order {id}"),
        _ => format!(
            r#"add user Product {{"id":{product},"name":"new","maker":{maker},"by":{maybe},"place":{{"shelf":{other}}}}}"#
        ),
    }
}

/// All that a world holds, but for what is drawn by chance.
fn held(world: &World) -> String {
    let database = world.url.as_deref().unwrap().rsplit('/').next().unwrap();
    let all = "SELECT 'm', to_jsonb(t)::text FROM maker AS t UNION ALL SELECT 'p', to_jsonb(t)::text FROM product AS t \
               UNION ALL SELECT 'o', to_jsonb(t)::text FROM \"order\" AS t UNION ALL SELECT 's', to_jsonb(t)::text FROM shipment AS t \
               UNION ALL SELECT 'l', (to_jsonb(t) - 'id')::text FROM line AS t ORDER BY 1, 2";
    let events = "SELECT name, key, data::text FROM mimar.event ORDER BY number";
    [all, events].map(|sql| testbed::postgres().psql(database, sql)).join("\n")
}

#[test]
fn whatever_is_folded() {
    for seed in 1..=4 {
        Agreement::of(model(), people, held).go_through(seed, ask, |_, _, _| ());
    }
}

/// Who folds sees what parts refer to as it is at one moment: prices that move from one product to another add up to the same, also where parts
/// come to refer to others meanwhile.
#[test]
fn what_is_folded_is_of_one_moment() {
    let world = World::new(On::Postgres, model());
    people(&world);
    let done = AtomicUsize::new(0);
    at_once(8, |number| {
        let caller = world.caller("user");
        for turn in 0..30 {
            let (command, body) = match (number + turn) % 4 {
                0 => ("move_price/1", r#"{"other":2,"by":"0.25"}"#),
                1 => ("move_price/2", r#"{"other":1,"by":"0.50"}"#),
                2 => ("swap/3", r#"{"product":1,"other":2}"#),
                _ => ("quote/3", "{}"),
            };
            let told = world.run(&caller, command, body, None).unwrap();
            if command == "quote/3" {
                assert_eq!(told, "\"3.00\"");
            }
            done.fetch_add(1, Ordering::Relaxed);
        }
    });
    assert!(done.into_inner() > 100);
}

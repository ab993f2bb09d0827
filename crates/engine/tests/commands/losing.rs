//! Rows that lose what they refer to, and parts that go, when others are deleted: what is computed of them, and what must be true.

use expect_test::expect;

use crate::agreement::Agreement;
use crate::direct::Dice;
use crate::explain::compare;
use crate::world::{On, World, in_two};

const SCENE: &str = include_str!("scenes/losing.scene");

fn model() -> &'static str {
    in_two(SCENE).0
}

#[test]
fn what_is_lost_is_told() {
    compare(
        SCENE,
        &expect![[r#"
            bit: 1, told 1 to 1
            bit_and_drop: 1, told 1 to 1
            close: 1, told 1 to 1
            count_and_drop: 1, told 1 to 1
            drop_and_bit: 1, told 1 to 1
            drop_and_count: 1, told 1 to 1
            drop_and_save: 1, told 1 to 1
            fell_and_count: 1, told 1 to 1
            grow: 1, told 1 to 1
            label: 1, told 1 to 1
            least: 1, told 1 to 1
            new_and_drop: 1, told 1 to 1
            plant: 1, told 1 to 1
            rename: 1, told 1 to 1
            see: 1, told 1 to 1
            see_box: 1, told 1 to 1
            see_leaf: 1, told 1 to 1
            see_node: 1, told 1 to 1
            slot_and_drop: 1, told 1 to 1
        "#]],
    );
}

fn ask(dice: &mut Dice) -> String {
    let mut one = || dice.below(5) + 1;
    let (tag, other, item, id) = (one(), one(), one(), one());
    let by = dice.of(&["-2", "1", "2", "3", "5", "8"]);
    let maybe = if dice.below(3) == 0 { "null".to_owned() } else { other.to_string() };
    match dice.below(66) {
        48 => format!("run user fell/{tag}"),
        49..=52 => format!(r#"run user grow/{item} {{"node":{tag},"by":{by}}}"#),
        53 | 54 => format!(r#"run user fell_and_count/{tag} {{"leaf":{item},"by":{by}}}"#),
        55 => format!(r#"run user see_leaf/{tag} {{"leaf":{item}}}"#),
        56 => format!(r#"run user see_node/{tag} {{"other":{other}}}"#),
        57..=61 => {
            format!(r#"run user plant {{"id":{id},"parent":{maybe},"beside":{other},"tag":{tag}}}"#)
        }
        62 => format!(r#"run user fell_of/{tag} {{"leaf":{item}}}"#),
        63 | 64 => format!(r#"change user Leaf {item} {{"node":{tag}}}"#),
        65 => format!("remove user Node {tag}"),
        0 => format!("run user drop/{tag}"),
        1 | 2 => format!("remove user Tag {tag}"),
        3 => format!(r#"run user drop_all {{"tags":[{tag},{other}]}}"#),
        4 => format!("run user drop_group/{}", 1 + tag % 2),
        5 | 6 => format!(r#"run user see/{tag} {{"item":{item}}}"#),
        7..=9 => format!(r#"run user count_and_drop/{tag} {{"item":{item},"by":{by}}}"#),
        10 | 11 => format!(r#"run user drop_and_count/{tag} {{"item":{item},"by":{by}}}"#),
        12 | 13 => format!(r#"run user drop_and_save/{tag} {{"other":{other},"item":{item}}}"#),
        14 => format!(r#"run user new_and_drop/{tag} {{"id":{id},"by":{by}}}"#),
        15 | 16 => format!(r#"run user bit_and_drop/{tag} {{"item":{item},"by":{by}}}"#),
        17 => {
            format!(r#"run user drop_and_bit/{tag} {{"other":{other},"item":{item},"by":{by}}}"#)
        }
        18..=21 => format!(r#"run user bit/{item} {{"tag":{maybe},"by":{by}}}"#),
        22 => format!(r#"run user least/{item} {{"least":{by},"tag":{tag}}}"#),
        23 => format!(r#"run user label/{item} {{"tag":{tag}}}"#),
        24 | 25 => format!(r#"run user slot_and_drop/{item} {{"tag":{tag},"other":{other}}}"#),
        26 => format!(r#"run user see_box/{item} {{"tag":{tag}}}"#),
        27 => format!(r#"run user double/{tag} {{"by":{by}}}"#),
        28 => format!(r#"run user close/{tag} {{"deal":{item}}}"#),
        29 | 30 => format!(
            r#"add user Box {{"id":{id},"slots":[{{"tag":{tag}}},{{"tag":{other},"size":3}}]}}"#
        ),
        31 => format!(r#"remove user Box {id}"#),
        32 => format!(r#"add user Deal {{"id":{id},"tag":{tag},"until":"2199-01-01T00:00:00Z"}}"#),
        33 | 34 => format!(r#"change user Item {item} {{"tag":{tag},"other":{maybe}}}"#),
        35 => format!(r#"remove user Item {id}"#),
        36..=38 => format!(
            r#"add user Item {{"id":{id},"tag":{tag},"other":{maybe},"at":"2026-01-02T03:04:05Z","opens":"08:00:00","bits":[{{"tag":{other}}}]}}"#
        ),
        39 => format!(r#"add user Group {{"id":{}}}"#, 1 + tag % 2),
        _ => {
            let group =
                if dice.below(3) == 0 { (1 + tag % 2).to_string() } else { "null".to_owned() };
            format!(r#"add user Tag {{"id":{tag},"name":"t{tag}","group":{group}}}"#)
        }
    }
}

/// All that a world holds; what is computed is what its formula says.
fn held(world: &World) -> String {
    let database = world.url.as_deref().unwrap().rsplit('/').next().unwrap();
    let wrong = "SELECT 'item', i.id FROM item AS i CROSS JOIN LATERAL (SELECT i.tag IS NULL AS bare) AS b \
                 WHERE i.bare <> b.bare OR i.worth <> i.count * (1 + b.bare::int) \
                 OR i.more <> i.worth + 1 + (i.other IS NULL)::int * 100 OR i.cost <> round(i.price / (1 + b.bare::int), 2) \
                 OR i.held <> (SELECT count(*) FROM bit WHERE item = i.id AND tag IS NOT NULL) \
                 OR i.sum <> (SELECT coalesce(sum(value), 0) FROM bit WHERE item = i.id) OR i.total <> i.sum + i.cost \
                 UNION ALL SELECT 'bit', item FROM bit WHERE value <> CASE WHEN tag IS NULL THEN 0.25 ELSE amount * 1.5 END \
                 UNION ALL SELECT 'box', id FROM box AS b WHERE many <> (SELECT count(*) FROM slot WHERE box = b.id) \
                 OR b.full <> (SELECT coalesce(sum(size), 0) FROM slot WHERE box = b.id) \
                 UNION ALL SELECT 'leaf', id FROM leaf AS l WHERE free <> (node IS NULL) OR kept <> (SELECT count(*) FROM rib WHERE leaf = l.id)";
    assert_eq!(testbed::postgres().psql(database, wrong), "");
    let all = "SELECT 'i', to_jsonb(t)::text FROM item AS t UNION ALL SELECT 'b', to_jsonb(t)::text FROM bit AS t \
               UNION ALL SELECT 'x', to_jsonb(t)::text FROM box AS t UNION ALL SELECT 's', to_jsonb(t)::text FROM slot AS t \
               UNION ALL SELECT 'l', to_jsonb(t)::text FROM leaf AS t UNION ALL SELECT 'r', to_jsonb(t)::text FROM rib AS t \
               UNION ALL SELECT 'n', to_jsonb(t)::text FROM node AS t \
               UNION ALL SELECT 'd', (to_jsonb(t) - 'until')::text FROM deal AS t UNION ALL SELECT 't', to_jsonb(t)::text FROM tag AS t \
               ORDER BY 1, 2";
    let events = "SELECT name, key, data::text FROM mimar.event ORDER BY number";
    [all, events].map(|sql| testbed::postgres().psql(database, sql)).join("\n")
}

fn people(world: &World) {
    for id in 1..=5 {
        for add in [
            format!(r#"add user Tag {{"id":{id},"name":"t{id}"}}"#),
            format!(
                r#"add user Node {{"id":{id},"parent":{},"count":{id}}}"#,
                if id % 2 == 0 { "null".to_owned() } else { (id / 2 * 2).max(1).to_string() }
            ),
            format!(r#"add user Leaf {{"id":{id},"node":{id}}}"#),
        ] {
            world.ask(&add);
        }
    }
    for id in 1..=5 {
        for add in [
            format!(
                r#"add user Item {{"id":{id},"tag":{id},"count":{id},"at":"2026-01-02T03:04:05Z","bits":[{{"tag":1}}]}}"#
            ),
            format!(r#"add user Box {{"id":{id},"slots":[{{"tag":{id}}},{{"tag":2,"size":4}}]}}"#),
        ] {
            let told = world.ask(&add);
            assert!(told.starts_with('{') || told.contains("too many"), "{add}: {told}");
        }
    }
}

#[test]
fn whatever_is_lost() {
    for seed in 1..=4 {
        Agreement::of(model(), people, held).go_through(seed, ask, |_, _, _| ());
    }
}

/// Who comes to refer to what goes, while it goes, loses that, too: the deletion waits for it, and sees it.
#[test]
fn who_comes_meanwhile_loses_it_as_well() {
    let world = World::new(On::Postgres, model());
    people(&world);
    let database = world.url.as_deref().unwrap().rsplit('/').next().unwrap().to_owned();
    for ask in [
        r#"run user plant {"id":11}"#,
        r#"run user plant {"id":12,"parent":11}"#,
        r#"run user plant {"id":13,"beside":12}"#,
        r#"add user Leaf {"id":11,"node":13}"#,
    ] {
        assert!(!world.ask(ask).starts_with("invalid"), "{ask}");
    }
    for (id, copied, ask) in [
        (51, ("item", "tag", 1, "bare"), "remove user Tag 1"),
        (52, ("item", "tag", 3, "bare"), "run user drop/3"),
        (53, ("item", "tag", 4, "bare"), r#"run user count_and_drop/4 {"item":2,"by":1}"#),
        (54, ("leaf", "node", 12, "free"), "run user fell/11"),
    ] {
        let (table, column, key, computed) = copied;
        let insert = format!(
            "BEGIN; INSERT INTO {table} SELECT (jsonb_populate_record(t, '{{\"id\": {id}, \"{column}\": {key}, \"{computed}\": false, \"row_version\": 7}}')).* \
             FROM {table} AS t WHERE id = 2; SELECT pg_sleep(1); COMMIT"
        );
        let of = database.clone();
        let comes = std::thread::spawn(move || testbed::postgres().psql(&of, &insert));
        std::thread::sleep(std::time::Duration::from_millis(300));
        let told = world.ask(ask);
        comes.join().unwrap();
        assert!(!told.starts_with("invalid"), "{ask}: {told}");
        let left = format!(
            "SELECT {column} IS NULL, {computed}, row_version FROM {table} WHERE id = {id}"
        );
        assert_eq!(testbed::postgres().psql(&database, &left).trim(), "t|t|8", "{ask}");
    }
}

//! Keys that the database counts, in commands that do not wait for them (PostgreSQL).

use expect_test::expect;

use crate::contention::at_once;
use crate::direct::Dice;
use crate::explain::{compare, wired};
use crate::world::{On, World, in_two};

pub const SCENE: &str = include_str!("scenes/counted.scene");

fn model() -> &'static str {
    in_two(SCENE).0
}

#[test]
fn what_is_counted_is_not_waited_for() {
    compare(
        SCENE,
        &expect![[r#"
            bill: 1, told 1 to 1
            chain: 1, told 1 to 1
            close: 1, told 1 to 1
            close_of: 1, told 1 to 1
            file: 1, told 1 to 1
            follow: 1, told 1 to 1
            is_numbered: 1, told 1 to 1
            jot: 1, told 1 to 1
            made: 1, told 1 to 1
            mark: 1, told 1 to 1
            note_each: 1, told 1 to 1
            open: 1, told 1 to 1
            open_all: 1, told 1 to 1
            restock: 1, told 1 to 1
            seal: 1, told 1 to 1
            vacate: 1, told 1 to 1
        "#]],
    );
}

/// What happened to tickets, by the numbers of their order.
fn held(world: &World) -> String {
    let database = world.url.as_deref().unwrap().rsplit('/').next().unwrap();
    let sql = |text: &str| testbed::postgres().psql(database, text);
    let mut all = sql(
        "WITH t AS (SELECT *, row_number() OVER (ORDER BY number) AS at FROM ticket) \
         SELECT t.at, t.item, t.text, t.weight, t.size, t.sum, t.marks = (SELECT number FROM t AS o WHERE o.at = t.at - 1) * (SELECT count(*) FROM entry AS e WHERE e.ticket = t.number), t.double, t.most, t.row_version, b.at, \
         (SELECT json_agg(json_build_array(e.position, e.count, e.twice, e.price, e.amount) ORDER BY e.position) FROM entry AS e WHERE e.ticket = t.number)::text, \
         (SELECT json_agg(w.by ORDER BY w.by) FROM watch AS w WHERE w.ticket = t.number)::text, \
         (SELECT json_agg(b.of ORDER BY b.number) FROM bill AS b WHERE b.ticket = t.number)::text, \
         (SELECT json_agg(i.id ORDER BY i.id) FROM item AS i WHERE i.latest = t.number)::text \
         FROM t LEFT JOIN t AS b ON b.number = t.before ORDER BY t.at",
    );
    all += &sql("SELECT id, stock, row_version FROM item ORDER BY id");
    // Events of tickets that have gone are told by none of these.
    all += &sql(
        "WITH t AS (SELECT number, row_number() OVER (ORDER BY number) AS at FROM ticket) \
         SELECT e.name, t.at, e.data::jsonb - 'ticket', e.key = e.data->>'ticket' FROM mimar.event AS e \
         LEFT JOIN t ON t.number::text = e.key ORDER BY e.number",
    );
    all
}

fn ask(dice: &mut Dice, known: usize) -> String {
    let item = dice.below(4) + 1;
    let ticket = format!("@{}", dice.below(known.max(1)) + 1);
    let text = dice.of(&["a", "ab", "", "far too long", "Straße"]);
    let by = dice.of(&["1", "2", "5", "-1", "90", "0"]);
    match dice.below(17) {
        12 | 13 => {
            let many: Vec<&str> =
                (0..dice.below(4)).map(|_| dice.of(&["1", "2", "9", "0"])).collect();
            format!(r#"run user mark/{item} {{"many":[{}]}}"#, many.join(","))
        }
        14 => format!(r#"run user note_each/{item} {{"many":[{by},1,2]}}"#),
        15 if known > 0 => {
            format!(r#"run user drop/{ticket} {{"by":@{}}}"#, dice.below(known.max(1)) + 1)
        }
        0 => format!("run user jot/{item}"),
        1 => format!(r#"run user file/{item} {{"text":"{text}"}}"#),
        2 | 3 => format!(
            r#"run user open/{item} {{"text":"{text}","count":{}}}"#,
            dice.of(&["1", "2", "9", "0", "38"])
        ),
        4 => {
            let items: Vec<String> =
                (0..dice.below(4)).map(|_| (dice.below(3) + 1).to_string()).collect();
            format!(
                r#"run user open_all {{"items":[{}],"text":"many","by":{by}}}"#,
                items.join(",")
            )
        }
        5 => format!(r#"run user follow/{item} {{"many":[{by},2,1]}}"#),
        6 | 7 => format!("run user chain/{item}"),
        8 => format!("run user bill/{ticket}"),
        9 => format!("run user made/{item}"),
        10 => format!("run user close/{ticket}"),
        11 => format!(r#"run user close_of/{ticket} {{"item":{item}}}"#),
        _ => format!("run user seal/{ticket}"),
    }
}

#[test]
fn whatever_is_asked_is_answered_as_where_keys_are_waited_for() {
    for seed in 1..=4 {
        let mut loaded = World::new(On::Postgres, model());
        loaded.loads = true;
        let mut direct = World::new(On::Postgres, model());
        let mut dice = Dice(0x9e37_79b9_7f4a_7c15_u64.rotate_left(seed));
        for world in [&loaded, &direct] {
            for id in 1..=3 {
                world.ask(&format!(r#"add user Item {{"id":{id},"name":"item {id}","stock":60,"size":{},"price":"{id}.25"}}"#, id * 4 - 3));
            }
            // Their numbers are others.
            world.ask("run user jot/1");
            world.ask("run user jot/9");
        }
        direct.keeps = seed % 2 == 0;
        let (mut known, mut done, mut refused) = (0, 0, 0);
        for _ in 0..150 {
            let ask = ask(&mut dice, known);
            let told = loaded.ask(&ask);
            assert_eq!(told, direct.ask(&ask), "seed {seed}: {ask}");
            assert_eq!(loaded.ask("work"), direct.ask("work"), "seed {seed}: {ask}");
            if let Some((number, _)) =
                told.strip_prefix(r#"{"number":@"#).and_then(|rest| rest.split_once(','))
            {
                known = known.max(number.parse().unwrap());
            }
            let is_done = told == "done" || told.starts_with('{');
            *(if is_done { &mut done } else { &mut refused }) += 1;
            if dice.below(10) == 0 {
                assert_eq!(held(&loaded), held(&direct), "seed {seed}, after {ask}");
            }
        }
        assert_eq!(held(&loaded), held(&direct), "seed {seed}");
        assert!(done > 40 && refused > 20, "seed {seed}: {done} done, {refused} refused");
    }
}

/// More of them than are kept together, by many at once: each has its own, and what names it names that.
#[test]
fn each_has_its_own_however_many() {
    let (wire, world) = wired(model());
    for id in 1..=8 {
        world.ask(&format!(r#"add user Item {{"id":{id},"name":"item {id}"}}"#));
    }
    at_once(8, |number| {
        let caller = world.caller("user");
        let items = vec![(number + 1).to_string(); 150].join(",");
        for by in 0..3 {
            let body = format!(r#"{{"items":[{items}],"text":"many","by":{by}}}"#);
            assert_eq!(world.run(&caller, "open_all", &body, None), Ok("done".to_owned()));
        }
    });
    wire.take();
    let database = world.url.as_deref().unwrap().rsplit('/').next().unwrap();
    let database = database.split('?').next().unwrap();
    let sql = |text: &str| testbed::postgres().psql(database, text);
    assert_eq!(sql("SELECT count(*), count(DISTINCT number) FROM ticket"), "3600|3600\n");
    let parts = "SELECT count(*) FROM ticket AS t JOIN entry AS e ON e.ticket = t.number JOIN watch AS w ON w.ticket = t.number WHERE t.weight = w.by AND e.position = 1";
    assert_eq!(sql(parts), "3600\n");
    let named = "SELECT count(*), count(DISTINCT key) FROM mimar.event WHERE name = 'Watched' AND data::text LIKE '{\"ticket\":' || key || ',%'";
    assert_eq!(sql(named), "3600|3600\n");
    let lanes = "SELECT count(*), count(DISTINCT lane) FROM mimar.task AS t JOIN mimar.event AS e ON e.id = t.event WHERE t.lane = t.target || '/' || e.key";
    assert_eq!(sql(lanes), "3600|3600\n");
}

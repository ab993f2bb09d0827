//! Commands of which nothing is said of rows as they were, but each statement sees what those before it have done (PostgreSQL).

use std::sync::atomic::{AtomicUsize, Ordering};

use expect_test::expect;

use crate::agreement::Agreement;
use crate::contention::at_once;
use crate::direct::Dice;
use crate::explain::compare;
use crate::world::{On, World, in_two};

const SCENE: &str = include_str!("scenes/steps.scene");

fn model() -> &'static str {
    in_two(SCENE).0
}

#[test]
fn steps_are_sent_as_told() {
    compare(
        SCENE,
        &expect![[r#"
            add_lines: 1, told 1 to 1
            all_pairs: 1, told 1 to 1
            build_later: 1, told 1 to 1
            buy: 1, told 1 to 1
            double_all: 1, told 1 to 1
            file: 1, told 1 to 1
            file_each: 1, told 1 to 1
            go_on: 1, told 1 to 1
            hidden: 1, told 1 to 1
            hidden_deep: 1, told 1 to 1
            hidden_in: 1, told 1 to 1
            hidden_of: 1, told 1 to 1
            house: 1, told 1 to 1
            join_all: 1, told 1 to 1
            later_all: 1, told 1 to 1
            let_out: 1, told 1 to 1
            list_houses: 1, told 1 to 1
            only_some: 1, told 1 to 1
            open_for: 1, told 1 to 1
            pay_teams: 1, told 1 to 1
            perhaps: 1, told 1 to 1
            rename_all: 1, told 1 to 1
            rise_and_fall: 1, told 1 to 1
            stub_each: 1, told 1 to 1
            swap_all: 1, told 1 to 1
            through: 1, told 1 to 1
            ticket_of: 1, told 1 to 1
            told_by: 1, told 1 to 1
            wait_on: 1, told 1 to 1
            wait_twice: 1, told 1 to 1
            who: 1, told 1 to 1
        "#]],
    );
}

/// Who is found in one turn after another is locked in one order: nobody waits for another in a circle, and nothing is lost.
#[test]
fn nobody_waits_in_a_circle() {
    let world = World::new(On::Postgres, model());
    people(&world);
    let done = AtomicUsize::new(0);
    at_once(8, |number| {
        let caller = world.caller("user");
        for turn in 0..20 {
            let members = [[1, 2, 3], [3, 2, 1], [4, 6, 5], [6, 1, 2]][(number + turn) % 4];
            let body = format!(r#"{{"members":{members:?},"by":7}}"#);
            let told = world.run(&caller, "stub_each", &body, None);
            done.fetch_add(usize::from(told.is_ok()), Ordering::Relaxed);
        }
    });
    let database = world.url.as_deref().unwrap().rsplit('/').next().unwrap().to_owned();
    // What a connection has seen is counted when it ends.
    drop(world);
    let of = "(SELECT sum(told) FROM team), (SELECT count(*) FROM stub)";
    let told =
        format!("SELECT {of}, deadlocks FROM pg_stat_database WHERE datname = current_database()");
    let done = done.into_inner();
    assert!(done > 100, "{done}");
    let told = testbed::postgres().psql(&database, &told);
    assert_eq!(told, format!("{}|{}|0\n", 21 * done, 3 * done));
}

fn ask(dice: &mut Dice) -> String {
    let mut one = || dice.below(6) + 1;
    let (id, other, third) = (one(), one(), one());
    let by = dice.of(&["1", "2", "3", "5", "-1", "-4", "30", "0", "4", "9223372036854775807"]);
    let few = dice.of(&["0", "1", "2", "3", "9", "14", "15", "30"]);
    let members = match dice.below(4) {
        0 => format!("[{id}]"),
        1 => format!("[{id},{other}]"),
        2 => format!("[{id},{other},{third}]"),
        _ => format!("[{id},{id}]"),
    };
    let (order, one_of_three) = (dice.below(40), dice.below(3) + 1);
    match dice.below(36) {
        34 | 35 => {
            format!(r#"run user wait_on/{id} {{"other":{other},"house":{one_of_three},"by":{by}}}"#)
        }
        24 => format!(r#"run user hidden/{id} {{"house":1,"opt":null,"by":{by}}}"#),
        25 => format!(r#"run user hidden_of/{id} {{"opt":null,"by":{by}}}"#),
        26 => format!(r#"run user hidden_in/{id} {{"opt":null,"by":{by},"flag":true}}"#),
        27 => format!(r#"run user open_for/{id} {{"id":{order}}}"#),
        28 => format!("run user wait_twice/{id}"),
        29 => format!("run user wait_twice/{other}"),
        30 => format!(r#"run user house/{} {{"other":{},"by":{by}}}"#, one_of_three, other % 3 + 1),
        31 => format!(r#"run user list_houses {{"houses":[{one_of_three},1]}}"#),
        22 | 23 => format!(r#"run user add_lines/{order} {{"counts":[{few},1]}}"#),
        0 | 1 => format!(r#"run user pay_teams {{"members":{members},"by":{by}}}"#),
        2 => format!(r#"run user all_pairs {{"members":{members},"others":[{third},{other}]}}"#),
        3 | 4 => {
            let note = dice.of(&["", "dear", "cheap"]);
            format!(r#"run user buy/{id} {{"id":{order},"by":{few},"note":"{note}"}}"#)
        }
        5 => format!(r#"run user buy_nothing/{id} {{"id":{order}}}"#),
        6 => format!(r#"run user file/{id} {{"hours":[{few},1]}}"#),
        7 => format!(r#"run user file_each {{"members":{members}}}"#),
        8 => format!(r#"run user told_by/{id} {{"by":{by}}}"#),
        9 => format!(r#"run user who/{id} {{"by":{by}}}"#),
        10 => format!(r#"run user swap_all {{"members":{members},"other":{third}}}"#),
        11 => format!(r#"run user double_all {{"members":{members}}}"#),
        12 => format!(r#"run user rename_all {{"members":{members}}}"#),
        13 => format!(r#"run user through/{id} {{"id":{order},"by":{by}}}"#),
        14 => format!(r#"run user rise_and_fall/{id} {{"by":{few},"steps":[1,2]}}"#),
        15 => format!(r#"run user go_on {{"members":{members}}}"#),
        16 => format!(r#"run user join_all {{"members":{members},"other":{third}}}"#),
        17 => format!(r#"run user stub_each {{"members":{members},"by":{by}}}"#),
        18 => format!(r#"run user later_all {{"members":{members}}}"#),
        19 => format!(r#"run user only_some {{"members":{members},"by":{by}}}"#),
        20 => {
            let other = if id == other { "null".to_owned() } else { other.to_string() };
            format!(r#"run user perhaps/{id} {{"other":{other},"by":{by},"steps":[1,{few}]}}"#)
        }
        21 => format!(r#"run user told_by/{id} {{"by":-{few}}}"#),
        _ => {
            format!(r#"add user Member {{"id":{id},"name":"m{id}","team":{}}}"#, dice.below(3) + 1)
        }
    }
}

/// All that a world holds, but for what is drawn by chance.
fn held(world: &World) -> String {
    let database = world.url.as_deref().unwrap().rsplit('/').next().unwrap();
    let all = "SELECT 't', to_jsonb(t)::text FROM team AS t UNION ALL SELECT 'm', to_jsonb(t)::text FROM member AS t \
               UNION ALL SELECT 'o', to_jsonb(t)::text FROM \"order\" AS t \
               UNION ALL SELECT 'l', to_jsonb(t)::text FROM line AS t \
               UNION ALL SELECT 'k', to_jsonb(t)::text FROM ticket AS t UNION ALL SELECT 's', to_jsonb(t)::text FROM step AS t \
               UNION ALL SELECT 'h', to_jsonb(t)::text FROM house AS t UNION ALL SELECT 'u', (to_jsonb(t) - 'id')::text FROM stub AS t ORDER BY 1, 2";
    let events = "SELECT name, key, data::text FROM mimar.event ORDER BY number";
    let tasks = "SELECT target, lane, priority, CASE WHEN failures = 0 THEN due END, failures, unique_key, arguments::text FROM mimar.task ORDER BY number";
    [all, events, tasks].map(|sql| testbed::postgres().psql(database, sql)).join("\n")
}

fn people(world: &World) {
    for id in 1..=3 {
        let add = format!(r#"add owner Team {{"id":{id},"name":"team {id}"}}"#);
        assert!(world.ask(&add).starts_with('{'), "{}", world.ask(&add));
    }
    for id in 1..=6 {
        let boss = if id == 1 { "null".to_owned() } else { (id / 2).to_string() };
        let add = format!(
            r#"add user Member {{"id":{id},"name":"m{id}","team":{},"boss":{boss},"points":{id}}}"#,
            id % 3 + 1
        );
        assert!(world.ask(&add).starts_with('{'), "{}", world.ask(&add));
    }
    let places = [
        r#"{"city":"Bo\"nn \u00e4","floor":3,"flat":true,"rent":"700.50"}"#,
        r#"{"city":"","zip":"53111","floor":-9,"flat":false,"at":{"name":"x","deep":4}}"#,
        r#"{"city":"Turin","floor":12,"flat":false,"at":{"name":"y"}}"#,
    ];
    for (at, place) in (1..).zip(places) {
        let add = format!(r#"add user House {{"id":{at},"team":{at},"place":{place}}}"#);
        assert!(world.ask(&add).starts_with('{'), "{}", world.ask(&add));
    }
}

/// Sets what the next ticket is counted.
fn count_from(world: &World, number: u32) {
    let database = world.url.as_deref().unwrap().rsplit('/').next().unwrap();
    let set = format!("SELECT setval(pg_get_serial_sequence('ticket', 'number'), {number})");
    testbed::postgres().psql(database, &set);
}

/// What others have written into a value object is read by the database as it is where rows are loaded, or not at all.
#[test]
fn value_objects_are_read_alike() {
    let both = Agreement::of(model(), people, held);
    for place in [
        r#"{"city":"A","floor":1,"flat":true,"rent":700.5}"#,
        r#"{"city":"A","floor":1,"flat":true,"rent":"1.239"}"#,
        r#"{"city":"A","floor":1,"flat":true,"rent":"1.2"}"#,
        r#"{"city":5,"floor":1,"flat":true}"#,
        r#"{"city":{"b":1},"floor":1,"flat":true}"#,
        r#"{"city":"A","floor":"5","flat":true}"#,
        r#"{"city":"A","floor":1.0,"flat":true}"#,
        r#"{"city":"A","floor":1,"flat":"t"}"#,
        r#"{"city":"A","floor":1,"flat":true,"at":"x"}"#,
        r#"{"city":"A","floor":1,"flat":true,"at":{"name":3}}"#,
        r#"{"floor":1,"flat":true}"#,
        r#"{"city":"\u0041\n","floor":-0,"flat":false}"#,
        "5",
        "\"x\"",
        "[]",
    ] {
        for world in [&both.loaded, &both.direct] {
            let database = world.url.as_deref().unwrap().rsplit('/').next().unwrap();
            let set = format!("UPDATE house SET place = '{place}', city = '', rent = NULL");
            testbed::postgres().psql(database, &set);
        }
        for ask in [
            r#"run user house/1 {"other":2,"by":1}"#,
            r#"run user list_houses {"houses":[1]}"#,
            "read user Team 1",
            "run user name_of/1",
        ] {
            both.ask(ask, place);
        }
        both.look(place);
    }
    for lease in [
        r#"{"from":"2024-02-30"}"#,
        r#"{"from":"2024-2-3"}"#,
        r#"{"from":"0000-01-01"}"#,
        r#"{"from":"yesterday"}"#,
        r#"{"from":"9999-12-31","opens":"24:00:00"}"#,
        r#"{"opens":"23:59:60"}"#,
        r#"{"opens":"23:59:59.9"}"#,
        r#"{"opens":"23:59:59.123456000"}"#,
        r#"{"opens":"23:59"}"#,
        r#"{"built":"2024-02-29T00:00:00+01:00"}"#,
        r#"{"built":"2024-02-29t00:00:00z"}"#,
        r#"{"built":"2024-02-29 00:00:00Z"}"#,
        r#"{"built":"0001-01-01T00:00:00.000001Z"}"#,
        r#"{"runs":"P1W"}"#,
        r#"{"runs":"P"}"#,
        r#"{"runs":"PT"}"#,
        r#"{"runs":"P1DT"}"#,
        r#"{"runs":"P2DT25H61M61.5S"}"#,
        r#"{"runs":"PT0.1234567S"}"#,
        r#"{"runs":"P106751991DT4H"}"#,
        r#"{"runs":"P106751992D"}"#,
        r#"{"runs":"P99999999999D"}"#,
        r#"{"runs":"-P1D","built":"2024-02-29T00:00:00Z"}"#,
        r#"{"runs":"P31D","built":"2024-02-29T00:00:00Z"}"#,
        r#"{"runs":"-PT0S","seal":""}"#,
        r#"{"runs":"-P106751991DT4H","seal":"AA=="}"#,
        r#"{"runs":"--PT1S","seal":"AB=="}"#,
        r#"{"runs":"-PT1.5S","seal":"AAA"}"#,
        r#"{"seal":"AAAA\nAAA="}"#,
        r#"{"seal":"-_8="}"#,
        r#"{"seal":"+/8=","runs":"-P1DT0.000001S"}"#,
        r#"{"seal":"AAF="}"#,
        r#"{"seal":"AAAAAAAAAAAAAAAAAAAA"}"#,
        r#"{"seal":7}"#,
        r#"{"slope":-0.0}"#,
        r#"{"slope":0e5}"#,
        r#"{"slope":1e400}"#,
        r#"{"slope":1e-400}"#,
        r#"{"slope":1E+2}"#,
        r#"{"slope":"1.5"}"#,
        r#"{"slope":0.1}"#,
        r#"{"slope":12345678901234567890}"#,
        r#"{"slope":4.9e-324}"#,
        "null",
        "[]",
    ] {
        for world in [&both.loaded, &both.direct] {
            let database = world.url.as_deref().unwrap().rsplit('/').next().unwrap();
            let set = format!("UPDATE house SET lease = '{lease}'");
            testbed::postgres().psql(database, &set);
        }
        // A number that Rust has none of makes the whole object unreadable there; the database reads what is asked for.
        let whole = !lease.contains("e400");
        let wait_on = r#"run user wait_on/1 {"other":2,"house":3,"by":1}"#;
        for ask in [r#"run user let_out/1 {"other":2}"#, "run user build_later/1"]
            .into_iter()
            .chain(whole.then_some(wait_on))
        {
            both.ask(ask, lease);
        }
        both.look(lease);
    }
}

#[test]
fn whatever_is_asked_is_answered_as_where_rows_are_loaded() {
    for seed in 1..=4 {
        let mut both = Agreement::of(model(), people, held);
        both.go_through(seed, ask, |both, turn, ask| {
            if ask.contains(" file") {
                // The loaded way draws some ahead.
                for world in [&both.loaded, &both.direct] {
                    count_from(world, 100 * (turn + 1));
                }
            }
        });
    }
}

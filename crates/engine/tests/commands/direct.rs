//! Rows that change by themselves: whatever is asked is answered as where rows are loaded.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use engine::Wanted;
use expect_test::expect;
use operation::{Dialect, Fault, Receipt};
use store::Options;

use crate::contention::at_once;
use crate::explain::{apart, compare, explained, is, wired};
use crate::world::{On, World, in_two, now};

const SCENE: &str = include_str!("scenes/direct.scene");

fn model() -> &'static str {
    in_two(SCENE).0
}

#[test]
fn rows_change_by_themselves_as_told() {
    compare(
        SCENE,
        &expect![[r#"
            run user put_off/4 {"days":-30000,"by":"-P800000DT0.25S"}: 2 transactions
            run user put_off/4 {"days":1,"by":"P106751991DT4H"}: 2 transactions
            adjust: 1, told 1 to 1
            aside: 1, told 1 to 1
            both: 1, told 1 to 1
            call_loudly: 1, told 1 to 1
            compare_all: 1, told 1 to 1
            compare_each: 1, told 1 to 1
            copy_code: 1, told 1 to 1
            count_up: 1, told 1 to 1
            exchange: 1, told 1 to 1
            give_later: 1, told 1 to 1
            grade_of: 1, told 1 to 1
            level: 1, told 1 to 1
            level_all: 1, told 1 to 1
            log: 1, told 1 to 1
            merge: 1, told 1 to 1
            move_on: 1, told 1 to 1
            moved_of: 1, told 1 to 1
            never: 1, told 1 to 1
            note_all: 1, told 1 to 1
            note_down: 1, told 1 to 1
            one_more: 1, told 1 to 1
            order: 1, told 1 to 1
            outdo: 1, told 1 to 1
            over_again: 1, told 1 to 1
            pass_on: 1, told 1 to 1
            peek: 1, told 1 to 1
            perhaps: 2, told 2 to 2
            pick_each: 1, told 1 to 1
            publish: 1, told 1 to 1
            publish_all: 1, told 1 to 1
            put_off: 1, told 1 to 1
            rename: 1, told 1 to 1
            reprice: 1, told 1 to 1
            rerank: 1, told 1 to 1
            restock: 1, told 1 to 1
            restock_all: 1, told 1 to 1
            retire: 1, told 1 to 1
            sell: 1, told 1 to 1
            set_least: 1, told 1 to 1
            shout: 1, told 1 to 1
            stock_of: 1, told 1 to 1
            stub: 1, told 1 to 1
            stub_all: 1, told 1 to 1
            stub_each: 1, told 1 to 1
            stub_more: 1, told 1 to 1
            stub_seen: 1, told 1 to 1
            swap: 1, told 1 to 1
            take_off: 1, told 1 to 1
            tear: 1, told 1 to 1
            tear_all: 1, told 1 to 1
            tear_anew: 1, told 1 to 1
            tear_counted: 1, told 1 to 1
            tear_off: 1, told 1 to 1
            tear_some: 1, told 1 to 1
            tell: 1, told 1 to 1
            told_of: 1, told 1 to 1
            unasked: 1, told 1 to 1
            weigh: 1, told 1 to 1
            weigh_later: 1, told 1 to 1
            worth_of: 1, told 1 to 1
            write: 1, told 1 to 1
        "#]],
    );
}

/// Numbers that look random (xorshift64*): the same for the same seed.
pub struct Dice(pub u64);

impl Dice {
    pub fn below(&mut self, most: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let high = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33;
        usize::try_from(high).unwrap() % most
    }

    pub fn of<'t>(&mut self, all: &[&'t str]) -> &'t str {
        all[self.below(all.len())]
    }
}

/// Something that may be asked for, sensible or not.
fn ask(dice: &mut Dice) -> String {
    // The last is not there.
    let item = dice.below(7) + 1;
    let number = dice.of(&[
        "1",
        "0",
        "2",
        "-1",
        "3",
        "-4",
        "7",
        "11",
        "-12",
        "29",
        "41",
        "-60",
        "99",
        "4000000000",
        "9223372036854775807",
        "-9223372036854775808",
    ]);
    let role = dice.of(&["user", "user", "owner"]);
    let text =
        dice.of(&["", "a", "ab", "Straße", "kettle", "ninechars", "thirteen chars", "ada@b.org"]);
    let state = dice.of(&["draft", "live", "gone"]);
    let grade = dice.of(&["null", r#""low""#, r#""high""#]);
    let money = dice.of(&["0.01", "-0.03", "1.99", "-5.00", "92233720368547758.00", "0.00"]);
    let measure = dice.of(&["0.5", "-0.1", "1e300", "3.0", "0.0"]);
    let flag = dice.of(&["true", "false"]);
    match dice.below(69) {
        65 | 66 => {
            let items: Vec<String> =
                (0..dice.below(4)).map(|_| (dice.below(6) + 1).to_string()).collect();
            let (other, most) = (dice.below(7) + 1, dice.of(&["1", "3", "20", "60"]));
            format!(
                r#"run {role} compare_each {{"items":[{}],"other":{other},"most":{most}}}"#,
                items.join(",")
            )
        }
        67 | 68 => {
            let want = |dice: &mut Dice| {
                let (item, count) = (dice.below(6) + 1, dice.of(&["1", "2", "9", "0"]));
                format!(r#"{{"item":{item},"count":{count}}}"#)
            };
            let wants: Vec<String> = (0..dice.below(4)).map(|_| want(dice)).collect();
            format!(r#"run owner pick_each {{"wants":[{}],"text":"{text}"}}"#, wants.join(","))
        }
        62 => {
            let (slip, from) = (dice.below(7) + 1, dice.below(7) + 1);
            format!(r#"run owner merge/{item} {{"slip":{slip},"from":{from}}}"#)
        }
        63 | 64 => {
            let (other, weight) = (dice.below(7) + 1, dice.of(&["-1", "1", "7"]));
            let who = dice.of(&["user", "system"]);
            format!(
                r#"run {who} set_weight/{item} {{"other":{other},"copy":{flag},"weight":{weight}}}"#
            )
        }
        56 => {
            let (other, by) = (dice.below(7) + 1, dice.below(12));
            format!(r#"run user outdo/{item} {{"other":{other},"by":{by}}}"#)
        }
        57 => {
            let (other, factor) = (dice.below(7) + 1, dice.below(5));
            format!(r#"run user level/{item} {{"other":{other},"factor":{factor}}}"#)
        }
        58 => {
            let (other, of) = (dice.below(7) + 1, dice.below(7) + 1);
            format!(r#"run user level_all {{"items":[{of},{item}],"other":{other}}}"#)
        }
        59 => format!(r#"run user exchange/{item} {{"other":{}}}"#, dice.below(7) + 1),
        60 => format!(r#"run user unasked/{item} {{"by":{number}}}"#),
        61 => format!(r#"run owner weigh_slip/{item} {{"item":{}}}"#, dice.below(7) + 1),
        53 => {
            let counts: Vec<&str> = (0..dice.below(4)).map(|_| dice.of(&["1", "2", "9"])).collect();
            format!(r#"run owner stub_seen/{item} {{"counts":[{}]}}"#, counts.join(","))
        }
        54 => {
            let (id, slip) = (dice.below(9) + 1, dice.below(9) + 1);
            format!(r#"run owner stub_fresh {{"id":{id},"slip":{slip},"count":2}}"#)
        }
        55 => format!(r#"run owner rerank/{item} {{"by":{number}}}"#),
        49 => format!(r#"run owner take_off/{item} {{"off":{}}}"#, dice.of(&["0", "4", "6", "20"])),
        50 => format!(r#"run owner set_least/{item} {{"least":{}}}"#, dice.below(9)),
        51 => {
            let (of, over) = (dice.below(7) + 1, dice.below(9));
            format!(r#"run owner count_up/{item} {{"item":{of},"over":{over}}}"#)
        }
        52 => format!("run owner tear_counted/{item}"),
        44 => format!(r#"run user stub/{item} {{"count":{number}}}"#),
        45 | 46 => {
            let (of, count) = (dice.below(7) + 1, dice.below(6));
            format!(r#"run owner stub_more/{item} {{"item":{of},"count":{count}}}"#)
        }
        47 => {
            let counts: Vec<&str> =
                (0..dice.below(4)).map(|_| dice.of(&["1", "2", "7", "9"])).collect();
            format!(r#"run owner stub_all/{item} {{"counts":[{}]}}"#, counts.join(","))
        }
        48 => {
            let (other, count) = (dice.below(7) + 1, dice.below(6));
            format!(r#"run owner stub_each {{"slips":[{other},{item}],"count":{count}}}"#)
        }
        36 => format!(r#"run user over_again/{item} {{"by":{number}}}"#),
        37 => format!(r#"run owner rush/{item} {{"to":"{state}"}}"#),
        38 | 39 => {
            let by = dice.of(&["41", "-10", "1", "2", "-3", "29"]);
            format!(r#"run user perhaps/{item} {{"other":{},"by":{by}}}"#, dice.below(7) + 1)
        }
        40 => format!(r#"run user stock_of/{item} {{"by":{number}}}"#),
        41 => format!(r#"run user told_of/{item} {{"by":{number}}}"#),
        42 => format!(r#"run user never/{item} {{"by":{}}}"#, dice.below(5)),
        43 => {
            let name =
                dice.of(&["user grade_of", "user moved_of", "owner worth_of", "user worth_of"]);
            format!("run {name}/{item}")
        }
        30 | 31 => format!(
            r#"add owner Slip {{"id":{item},"item":{},"left":{},"text":"slip","stubs":[{{"count":{item}}},{{"count":2}}]}}"#,
            dice.below(6) + 1,
            dice.below(5),
        ),
        32 => format!(r#"run {role} tear/{item} {{"most":{}}}"#, dice.below(5)),
        33 => format!(r#"run {role} tear_all {{"slips":[{},{item}]}}"#, dice.below(7) + 1),
        34 => {
            let (other, of, by) = (dice.below(7) + 1, dice.below(7) + 1, dice.below(4));
            format!(r#"run owner tear_some/{item} {{"other":{other},"item":{of},"by":{by}}}"#)
        }
        35 => match dice.below(3) {
            0 => format!(r#"run user tear_off/{item} {{"item":{}}}"#, dice.below(7) + 1),
            1 => format!(r#"run owner tear_anew/{item} {{"id":{}}}"#, dice.below(7) + 1),
            _ => format!(r#"run owner tear_twice/{item} {{"other":{}}}"#, dice.below(7) + 1),
        },
        0 | 1 => format!(r#"run user restock/{item} {{"by":{number}}}"#),
        2 | 3 => format!(r#"run user sell/{item} {{"quantity":{}}}"#, dice.below(70) + 1),
        4 => format!("run {role} publish/{item}"),
        5 => format!(r#"run owner retire/{item} {{"grade":{grade}}}"#),
        6 => format!(r#"run owner move_on/{item} {{"state":"{state}"}}"#),
        7 => format!(r#"run user rename/{item} {{"name":"{text}"}}"#),
        8 => format!("run {role} shout/{item}"),
        9 => format!(r#"run user reprice/{item} {{"by":"{money}","factor":{measure}}}"#),
        10 => format!(r#"run user weigh/{item} {{"by":{number}}}"#),
        11 => format!(r#"run user write/{item} {{"code":"{text}"}}"#),
        12 => format!(r#"run user swap/{item} {{"b":{},"amount":{number}}}"#, dice.below(7) + 1),
        27..=29 => {
            let want = |dice: &mut Dice| {
                let (item, count) = (dice.below(6) + 1, dice.of(&["1", "2", "3", "9", "0"]));
                format!(r#"{{"item":{item},"count":{count}}}"#)
            };
            let wants: Vec<String> = (0..1 + dice.below(3)).map(|_| want(dice)).collect();
            let (by, name) =
                (dice.of(&["1", "2", "3", "0"]), dice.of(&["user order", "owner order_back"]));
            format!(r#"run {name} {{"wants":[{}],"by":{by}}}"#, wants.join(","))
        }
        25 => format!(r#"run user note_down/{item} {{"by":{number}}}"#),
        26 => {
            format!(r#"run user note_all {{"items":[{},{item}],"all":{flag}}}"#, dice.below(6) + 1)
        }
        13 => format!(r#"run user tell/{item} {{"by":{number}}}"#),
        14 | 15 => format!(r#"run user adjust/{item} {{"by":{number},"loud":{flag}}}"#),
        16 | 17 => {
            let parcel = |dice: &mut Dice| {
                let (item, by) = (dice.below(6) + 1, dice.of(&["1", "2", "-3", "6", "9", "60"]));
                let text = dice.of(&["null", r#""new""#, r#""much too long""#]);
                format!(r#"{{"item":{item},"by":{by},"text":{text}}}"#)
            };
            let parcels: Vec<String> = (0..dice.below(4)).map(|_| parcel(dice)).collect();
            let most = dice.of(&["90", "30", "12"]);
            format!(r#"run user restock_all {{"parcels":[{}],"most":{most}}}"#, parcels.join(","))
        }
        18 => format!(r#"run {role} aside/{item} {{"other":{}}}"#, dice.below(7) + 1),
        19 => format!(r#"run {role} publish_all {{"items":[{},{}]}}"#, dice.below(7) + 1, item),
        20 | 21 => {
            let (one, other) = (dice.below(6) + 1, dice.below(6) + 1);
            let (count, most) = (1 + dice.below(9) / 8, dice.below(6));
            format!(
                r#"run {role} compare_all {{"items":[{one},{item}],"count":{count},"other":{other},"most":{most}}}"#
            )
        }
        22 => {
            let other = dice.below(7) + 1;
            let by = dice.of(&["1", "9", "30"]);
            format!(r#"run user peek/{item} {{"other":{other},"by":{by}}}"#)
        }
        _ => match dice.below(7) {
            5 | 6 => {
                let days = dice.of(&["0", "1", "-1", "365", "-40000", "2000000"]);
                let by =
                    dice.of(&["PT0S", "PT0.000001S", "-P1DT1.5S", "P300000D", "-P200000DT0.001S"]);
                format!(r#"run user put_off/{item} {{"days":{days},"by":"{by}"}}"#)
            }
            4 => format!("run user pass_on/{item}"),
            0 => format!(r#"run user log/{item} {{"text":"{text}"}}"#),
            1 => format!(
                r#"run user call_loudly/{item} {{"label":{{"text":"{}","loud":true}}}}"#,
                dice.of(&["", "a", "kettle", "Straße"])
            ),
            2 => format!(r#"run user both/{item} {{"by":{number}}}"#),
            _ => format!(r#"run user give_later/{item} {{"to":{}}}"#, dice.below(9)),
        },
    }
}

const NAMES: [&str; 5] = ["Moved", "Live", "Changed", "Ordered", "Torn"];

/// An answer without the key of an order, which is another one each time.
fn without_id(answer: String) -> String {
    match answer.strip_prefix(r#"{"id":""#).and_then(|rest| rest.split_once('"')) {
        Some((_, rest)) => rest.to_owned(),
        None => answer,
    }
}

/// All that a world holds, but for what is drawn by chance.
fn held(world: &World) -> String {
    let rows = (1..=6).map(|id| world.ask(&format!("read owner Item {id}")));
    let mut all: Vec<String> = rows.chain([world.ask("read owner Count 1")]).collect();
    let database = world.url.as_deref().unwrap().rsplit('/').next().unwrap();
    let notes = "SELECT item, text, stock, price, moved, grade, hint, by, double, row_version FROM note ORDER BY 1, 2, 3, 4, 5, 6, 7, 8";
    all.push(testbed::postgres().psql(database, notes));
    let orders = "SELECT o.by, o.total, o.pieces, o.most, o.row_version, (SELECT json_agg(to_jsonb(l) - 'order') FROM \
                  (SELECT * FROM line WHERE \"order\" = o.id ORDER BY position) AS l)::text AS lines FROM \"order\" AS o ORDER BY 1, 2, 3, 6";
    all.push(testbed::postgres().psql(database, orders));
    let slips = "SELECT s.*, (SELECT json_agg(t ORDER BY position) FROM stub AS t WHERE t.slip = s.id)::text FROM slip AS s ORDER BY id";
    all.push(testbed::postgres().psql(database, slips));
    let wanted = Wanted { names: NAMES.map(str::to_owned).to_vec(), key: None, since: None };
    let events = world.runtime.block_on(world.engine.events_after(&wanted, 0, 5_000)).unwrap();
    let told = |event: &store::Event| {
        format!("{} {:?} {}", event.event.name, event.event.key, event.event.data)
    };
    all.extend(events.events.iter().map(told));
    all.join("\n")
}

#[test]
fn whatever_is_asked_is_answered_as_where_rows_are_loaded() {
    for seed in 1..=4 {
        let mut loaded = World::new(On::Postgres, model());
        loaded.loads = true;
        let mut direct = World::new(On::Postgres, model());
        let mut dice = Dice(0x9e37_79b9_7f4a_7c15_u64.rotate_left(seed));
        for id in 1..=6 {
            let stock = dice.below(30);
            let add = format!(r#"add owner Item {{"id":{id},"name":"item {id}","stock":{stock}}}"#);
            assert_eq!(loaded.ask(&add), direct.ask(&add));
        }
        for world in [&loaded, &direct] {
            world.ask(r#"add owner Count {"id":1}"#);
        }
        direct.keeps = seed % 2 == 0;
        let (mut done, mut refused) = (0, 0);
        for _ in 0..250 {
            let ask = ask(&mut dice);
            let told = without_id(loaded.ask(&ask));
            assert_eq!(told, without_id(direct.ask(&ask)), "seed {seed}: {ask}");
            // Tasks that stand in no lane are done in any order: one at a time.
            assert_eq!(loaded.ask("work"), direct.ask("work"), "seed {seed}: {ask}");
            let is_done = told == "done"
                || told.starts_with('"')
                || told.starts_with('{')
                || told.parse::<i64>().is_ok();
            *(if is_done { &mut done } else { &mut refused }) += 1;
            if dice.below(10) == 0 {
                assert_eq!(held(&loaded), held(&direct), "seed {seed}, after {ask}");
            }
        }
        assert_eq!(held(&loaded), held(&direct), "seed {seed}");
        assert!(done > 40 && refused > 40, "seed {seed}: {done} done, {refused} refused");
    }
}

fn count(one_more: &AtomicUsize) {
    one_more.fetch_add(1, Ordering::Relaxed);
}

/// Each state is left once, however many would leave it.
#[test]
fn one_of_many_goes_where_the_flow_leads_once() {
    let world = World::new(On::Postgres, model());
    for id in 1..=5 {
        world.ask(&format!(r#"add owner Item {{"id":{id},"name":"item {id}","stock":50}}"#));
        let (live, refused) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let (published, sold) = (format!("publish/{id}"), format!("sell/{id}"));
        at_once(16, |_| {
            let (caller, owner) = (world.caller("user"), world.caller("owner"));
            match world.run(&owner, &published, "", None) {
                Ok(_) => count(&live),
                Err(Fault::Invalid(_)) => {}
                Err(fault) => panic!("{fault}"),
            }
            match world.run(&caller, &sold, r#"{"quantity":4}"#, None) {
                Ok(_) => {}
                // What there are no more than two of is not seen.
                Err(Fault::Raised { .. } | Fault::NotFound) => count(&refused),
                Err(fault) => panic!("{fault}"),
            }
        });
        assert_eq!((live.into_inner(), refused.into_inner()), (1, 4));
        assert!(world.ask(&format!("read owner Item {id}")).contains(r#""stock":2,"#));
        let gone = AtomicUsize::new(0);
        at_once(16, |_| {
            let caller = world.caller("owner");
            match world.run(&caller, &format!("retire/{id}"), "", None) {
                Ok(_) => count(&gone),
                Err(Fault::Invalid(_)) => {}
                Err(fault) => panic!("{fault}"),
            }
        });
        assert_eq!(gone.into_inner(), 1);
    }
    let wanted = Wanted { names: vec!["Live".to_owned()], key: None, since: None };
    let events = world.runtime.block_on(world.engine.events_after(&wanted, 0, 1_000)).unwrap();
    assert_eq!(events.events.len(), 5);
}

/// What is told of a row is what it was when it changed, however many change it.
#[test]
fn what_is_told_is_what_changed() {
    let world = World::new(On::Postgres, model());
    world.ask(r#"add owner Item {"id":1,"name":"cup","stock":3}"#);
    let answered = std::sync::Mutex::new(Vec::new());
    at_once(8, |number| {
        let caller = world.caller("user");
        for _ in 0..5 {
            if number % 2 == 0 {
                world.run(&caller, "adjust/1", r#"{"by":1,"loud":true}"#, None).unwrap();
            } else {
                let row = world.run(&caller, "one_more/1", "", None).unwrap();
                answered.lock().unwrap().push(number_of(&row, r#""stock":"#));
            }
        }
    });
    let wanted = Wanted { names: vec!["Changed".to_owned()], key: None, since: None };
    let events = world.runtime.block_on(world.engine.events_after(&wanted, 0, 1_000)).unwrap();
    let told = events.events.iter().map(|event| number_of(&event.event.data, r#""left":"#));
    let mut all: Vec<i64> = told.collect();
    assert!(all.len() == 20 && all.is_sorted(), "{all:?}");
    all.extend(answered.into_inner().unwrap());
    all.sort_unstable();
    assert_eq!(all, (4..44).collect::<Vec<i64>>());
}

fn number_of(json: &str, member: &str) -> i64 {
    let (_, rest) = json.split_once(member).unwrap();
    rest.split([',', '}']).next().unwrap().parse().unwrap()
}

/// Two rows in both orders, at once: all take them in one.
#[test]
fn two_rows_are_changed_in_one_order() {
    let world = World::new(On::Postgres, model());
    for id in 1..=2 {
        world.ask(&format!(r#"add owner Item {{"id":{id},"name":"item {id}","stock":25}}"#));
    }
    at_once(12, |number| {
        let caller = world.caller("user");
        let (a, b) = if number % 2 == 0 { (1, 2) } else { (2, 1) };
        for _ in 0..20 {
            let body = format!(r#"{{"b":{b},"amount":1}}"#);
            world.run(&caller, &format!("swap/{a}"), &body, None).unwrap();
        }
    });
    for id in 1..=2 {
        let row = world.ask(&format!("read owner Item {id}"));
        assert!(row.contains(r#""stock":25,"#) && row.ends_with("version 241"), "{row}");
    }
}

/// Those who load rows and those who do not, at once: as while one server takes the place of another.
#[test]
fn who_loads_and_who_does_not_share_rows() {
    let world = World::new(On::Postgres, model());
    for id in 1..=2 {
        world.ask(&format!(r#"add owner Item {{"id":{id},"name":"item {id}","stock":20}}"#));
    }
    let mut loaded = world.beside();
    loaded.loads = true;
    at_once(8, |number| {
        let world = if number % 2 == 0 { &world } else { &loaded };
        let caller = world.caller("user");
        let (a, b) = if number % 4 < 2 { (1, 2) } else { (2, 1) };
        for _ in 0..10 {
            let body = format!(r#"{{"b":{b},"amount":1}}"#);
            world.run(&caller, &format!("swap/{a}"), &body, None).unwrap();
            world.run(&caller, &format!("restock/{a}"), r#"{"by":0}"#, None).unwrap();
        }
    });
    for id in 1..=2 {
        let row = world.ask(&format!("read owner Item {id}"));
        assert!(row.contains(r#""stock":20,"#) && row.ends_with("version 121"), "{row}");
    }
}

/// What was done under a key is not done again; and it waits for nothing more.
#[test]
fn a_key_is_held_without_waiting() {
    let (wire, world) = wired(model());
    world.ask(r#"add owner Item {"id":1,"name":"cup"}"#);
    let caller = world.caller("user");
    let receipt = |key| Receipt { key: [key; 32], request: [1; 32], now: now() };
    let restock = |key, by: &str| {
        world.run(&caller, "restock/1", &format!(r#"{{"by":{by}}}"#), Some(receipt(key)))
    };
    // The first prepares what it sends.
    assert_eq!(restock(1, "1"), Ok("done".to_owned()));
    wire.take();
    assert_eq!(restock(2, "1"), Ok("done".to_owned()));
    let [transaction] = &*wire.take() else { panic!("not one transaction") };
    assert_eq!(transaction.trips, 1, "{transaction:#?}");
    let told = explained(&world, "user", "restock", Dialect::Postgres);
    assert_eq!(told.round_trips_with_key, 0);
    let mut sent = transaction.sent.iter().flat_map(|sent| apart(sent));
    for told in &told.with_key {
        assert!(sent.any(|sent| is(&sent, told)), "{told:?}: {:#?}", transaction.sent);
    }
    assert_eq!(restock(2, "1"), Ok("done".to_owned()));
    assert!(world.ask("read owner Item 1").contains(r#""stock":12,"#));
    let other = Receipt { request: [2; 32], ..receipt(2) };
    let reused = world.run(&caller, "restock/1", r#"{"by":1}"#, Some(other));
    assert_eq!(reused, Err(Fault::KeyReused));
    // A refusal is kept by nobody.
    assert!(matches!(restock(3, "100"), Err(Fault::Invalid(_))));
    assert_eq!(restock(3, "1"), Ok("done".to_owned()));
    let done = AtomicUsize::new(0);
    at_once(32, |_| match restock(4, "1") {
        Ok(_) => count(&done),
        Err(Fault::InFlight) => {}
        Err(fault) => panic!("{fault}"),
    });
    assert!(done.into_inner() > 0);
    assert!(world.ask("read owner Item 1").contains(r#""stock":14,"#));
}

/// A command that only makes rows waits for nothing more under a key either.
#[test]
fn a_key_of_what_is_made_is_held_without_waiting() {
    let (model, _) = in_two(include_str!("scenes/rules.scene"));
    let (wire, world) = wired(model);
    let caller = world.caller("user");
    let open = |id: u8, key| {
        let body = format!(r#"{{"id":{id},"owner":"ada{id}"}}"#);
        let receipt = Receipt { key: [key; 32], request: [id; 32], now: now() };
        world.run(&caller, "open", &body, Some(receipt)).unwrap()
    };
    open(1, 1);
    wire.take();
    let opened = open(2, 2);
    let [transaction] = &*wire.take() else { panic!("not one transaction") };
    let told = explained(&world, "user", "open", Dialect::Postgres);
    assert_eq!(transaction.trips, told.round_trips().usual + told.round_trips_with_key);
    assert_eq!(transaction.trips, 1, "{transaction:#?}");
    assert_eq!(open(2, 2), opened);
}

/// A task whose rows change by themselves is ended with them.
#[test]
fn a_task_is_ended_with_what_it_does() {
    let (wire, world) = wired(model());
    world.ask(r#"add owner Item {"id":1,"name":"cup"}"#);
    world.ask(r#"run user give_later/1 {"to":5}"#);
    // What it sends is prepared by now.
    assert_eq!(world.ask("work"), "1 tasks");
    world.ask(r#"run user give_later/1 {"to":6}"#);
    wire.take();
    assert_eq!(world.ask("work"), "1 tasks");
    let given: Vec<_> = wire
        .take()
        .into_iter()
        .filter(|transaction| transaction.sent.iter().any(|sent| sent.contains(r#"SET "owner""#)))
        .collect();
    assert_eq!(given.iter().map(|given| given.trips).collect::<Vec<_>>(), [1], "{given:#?}");
    assert!(world.ask("read owner Item 1").contains(r#""owner":6,"#));
}

/// Whoever cannot have a row in time is told so, and that nothing was done.
#[test]
fn a_row_that_somebody_keeps_is_given_up() {
    let options = Options { deadline: Duration::from_millis(200), ..Options::default() };
    let world = World::with(On::Postgres, model(), options);
    world.ask(r#"add owner Item {"id":1,"name":"cup"}"#);
    let database = world.url.as_deref().unwrap().rsplit('/').next().unwrap();
    let (keeps, kept) = std::sync::mpsc::channel();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            kept.recv().unwrap();
            let keep = "BEGIN; UPDATE item SET stock = stock; SELECT pg_sleep(2); COMMIT";
            testbed::postgres().psql(database, keep);
        });
        // What it sends is prepared on every connection, so that nothing but the row is waited for.
        for _ in 0..8 {
            assert_eq!(world.ask(r#"run user restock/1 {"by":1}"#), "done");
        }
        keeps.send(()).unwrap();
        std::thread::sleep(Duration::from_millis(700));
        let caller = world.caller("user");
        let given_up = world.run(&caller, "restock/1", r#"{"by":1}"#, None);
        let Err(Fault::Unavailable { reason, .. }) = given_up else { panic!("{given_up:?}") };
        assert_eq!(reason, "the database took too long");
    });
    assert!(world.ask("read owner Item 1").contains(r#""stock":18,"#));
}

/// A database that lets nobody change what has changed meanwhile: who is refused for that tries again.
#[test]
fn what_stood_in_the_way_is_tried_again() {
    let url = testbed::postgres().database();
    let database = url.rsplit('/').next().unwrap();
    let strict = "SET default_transaction_isolation = 'repeatable read'";
    testbed::postgres().psql(database, &format!("ALTER DATABASE \"{database}\" {strict}"));
    let world = World::at(&url, model(), Options::default());
    world.ask(r#"add owner Item {"id":1,"name":"cup","stock":3}"#);
    at_once(3, |_| {
        let caller = world.caller("user");
        for _ in 0..12 {
            world.run(&caller, "restock/1", r#"{"by":1}"#, None).unwrap();
        }
    });
    assert!(world.ask("read owner Item 1").contains(r#""stock":39,"#));
}

const KINDS: &str = r#"
app Kinds { version 1  roles user  surface rest }

entity Part { key code: String(1..20)  allow read, create to user }

entity Thing {
  key id: Uuid
  name:  String(0..60)
  size:  Decimal(12, 3)
  price: Money(EUR)
  whole: Decimal(9, 0)
  many:  Int
  small: Bool
  day:   Date
  hour:  Time
  since: Timestamp
  more:  Json(..1KB)?
  raw:   Bytes(..1KB)
  part:  Part
  note:  String(0..60)?
  rank:  enum { low, high }?
  mass:  Float
  wait:  Duration
  allow read, create to user
}

event Seen by thing {
  thing: Thing  name: String  size: Decimal(12, 3)  price: Money(EUR)  whole: Decimal(9, 0)  many: Int
  small: Bool  day: Date  hour: Time  since: Timestamp  more: Json(..1KB)?  raw: Bytes(..1KB)  part: Part
  note: String?  rank: Thing.rank?  worth: Money(EUR)  large: Bool?  mass: Float  half: Float  wait: Duration
}

command see(thing: Thing) {
  allow user
  update thing { many: .many + 1 }
  emit Seen {
    thing, name: thing.name, size: thing.size, price: thing.price, whole: thing.whole, many: thing.many
    small: thing.small, day: thing.day, hour: thing.hour, since: thing.since, more: thing.more, raw: thing.raw
    part: thing.part, note: thing.note, rank: thing.rank, worth: thing.price * 3, large: thing.size > 2.5
    mass: thing.mass, half: thing.mass * -0.5, wait: thing.wait
  }
}
"#;

/// What PostgreSQL puts together is, byte for byte, what Rust writes; where it is not, the command is run over its rows.
#[test]
fn what_is_told_of_rows_is_what_rust_writes() {
    let mut loaded = World::new(On::Postgres, KINDS);
    loaded.loads = true;
    let (wire, direct) = wired(KINDS);
    let texts = [
        r"",
        r#"a \"quoted\" word"#,
        r"back\\slash \/ and \\b \\u0041",
        r"line\nbreak\r\ttab",
        r"\u0001\u0002\u0007\u000b\u000e\u001b\u001f\u007f",
        r"ünïcödé Straße 漢字 \u2028 \u2029 \ufffe \uffff",
        r"\ud83d\ude00 \udbff\udfff",
        r"a backspace \b",
        r"a form feed \f",
    ];
    let numbers = [
        ("0", "0.000", "0.00", "0"),
        ("-1", "-0.001", "-0.50", "-7"),
        ("9223372036854775806", "999999999.999", "30744573456182586.00", "999999999"),
        ("-9223372036854775808", "-999999999.999", "-30744573456182586.01", "-999999999"),
        ("1000", "2.500", "19.90", "100"),
    ];
    let times = [
        ("0001-01-01", "00:00:00", "0001-01-01T00:00:00Z"),
        ("1969-12-31", "23:59:59.999999", "1969-12-31T23:59:59.999999Z"),
        ("2026-02-28", "17:30:00.5", "2026-11-21T17:30:00.120Z"),
        ("9999-12-31", "12:00:00.000001", "9999-12-31T23:59:59.001Z"),
        ("0000-01-01", "01:02:03.04", "0000-12-31T23:59:59Z"),
    ];
    let bytes = ["", "AA==", "/+8=", &"q83v".repeat(40)];
    let more = ["null", "{ \"b\" : [1, 2.50,\"x\\u0041\"],\"a\":null}", "[]", "\"\\b\""];
    let mut directly = 0;
    for world in [&loaded, &direct] {
        world.ask(r#"add user Part {"code":"a\"b"}"#);
    }
    for at in 0..texts.len() {
        let (many, size, price, whole) = numbers[at % numbers.len()];
        let (day, hour, since) = times[at % times.len()];
        let (raw, more) = (bytes[at % bytes.len()], more[at % more.len()]);
        let id = format!("0190f5b2-7c3a-7def-8123-0000000000{at:02}");
        let note = if at % 3 == 0 { "null".to_owned() } else { format!("\"{}\"", texts[at]) };
        let rank = ["null", "\"low\"", "\"high\""][at % 3];
        let (name, small) = (texts[at], at % 2 == 0);
        let wait = [
            "PT0S",
            "-PT0.000001S",
            "P1D",
            "P1DT0.5S",
            "-P106751991DT4H",
            "PT1H",
            "PT59M59.999999S",
            "P30DT1M",
            "PT1H0.25S",
        ][at];
        let mass = [
            "0",
            "-0.0",
            "0.1",
            "1e14",
            "-123456789.25",
            "2.5e-7",
            "99.999999999999",
            "-1e21",
            "1e-5",
        ][at];
        let add = format!(
            r#"add user Thing {{"id":"{id}","name":"{name}","size":"{size}","price":"{price}","whole":"{whole}","many":{many},"small":{small},"day":"{day}","hour":"{hour}","since":"{since}","more":{more},"raw":"{raw}","part":"a\"b","note":{note},"rank":{rank},"mass":{mass},"wait":"{wait}"}}"#
        );
        let added = loaded.ask(&add);
        assert!(added.starts_with("{"), "{add}\n{added}");
        assert_eq!(added, direct.ask(&add));
        wire.take();
        let see = format!("run user see/{id}");
        let told = loaded.ask(&see);
        assert_eq!(told, direct.ask(&see));
        directly += usize::from(wire.take().len() == 1);
        assert_eq!(told, "done", "{add}");
    }
    let wanted = Wanted { names: vec!["Seen".to_owned()], key: None, since: None };
    let seen = |world: &World| {
        let events = world.runtime.block_on(world.engine.events_after(&wanted, 0, 1_000)).unwrap();
        events.events.into_iter().map(|event| event.event.data.to_string()).collect::<Vec<_>>()
    };
    let (told, said) = (seen(&direct), seen(&loaded));
    assert_eq!(told.len(), texts.len());
    for (told, said) in told.iter().zip(&said) {
        assert_eq!(told, said);
    }
    // The year 0 is left to Rust.
    assert_eq!(directly, texts.len() - 1, "{told:#?}");
}

/// What the database would not do, or would do unseen, when a row goes is done over its rows.
#[test]
fn a_row_goes_by_itself_only_where_the_database_agrees() {
    let world = World::new(On::Postgres, model());
    let database = world.url.as_deref().unwrap().rsplit('/').next().unwrap();
    let sql = |text: &str| testbed::postgres().psql(database, text);
    // Tables of others may keep no references, a later version of the model may have brought some.
    let constraint = sql(
        "SELECT conname FROM pg_constraint WHERE conrelid = 'stub'::regclass AND contype = 'f'",
    );
    sql(&format!("ALTER TABLE stub DROP CONSTRAINT {}", constraint.trim()));
    sql(
        "CREATE TABLE mark (id bigint PRIMARY KEY, slip bigint REFERENCES slip (id) ON DELETE SET NULL, row_version bigint NOT NULL)",
    );
    for id in 1..=2 {
        world.ask(&format!(
            r#"add owner Slip {{"id":{id},"text":"one","stubs":[{{"count":1}},{{"count":2}}]}}"#
        ));
    }
    sql("INSERT INTO mark VALUES (1, 1, 5), (2, 2, 5)");
    assert_eq!(world.ask(r#"run user tear_all {"slips":[1]}"#), "done");
    let left = "SELECT slip, count(*) FROM stub GROUP BY 1; SELECT * FROM mark ORDER BY id";
    assert_eq!(sql(left), "2|2\n1||6\n2|2|5\n");
}

//! What commands are said to send, and what they send.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use expect_test::{Expect, expect};
use operation::{Dialect, Receipt};
use store::Options;
use store::explain::{Explanation, RoundTrips, Sent, Times, Trip, explain};

use crate::wire::{Transaction, Wire};
use crate::world::{World, in_two, now};

/// What a command is said to do for these roles.
pub fn explained(world: &World, caller: &str, name: &str, dialect: Dialect) -> Explanation {
    let commands = &world.loaded.model.commands;
    let at = commands.iter().position(|command| command.name == name).unwrap();
    let id = model::CommandId(u32::try_from(at).unwrap());
    let program = world.loaded.plan.program(id, world.caller(caller).roles).unwrap();
    explain(&program, &world.loaded.schema.tables, world.loaded.plan.redraws(), dialect).unwrap()
}

/// Which columns an `UPDATE` sets, and the rest of it.
fn updated(text: &str) -> Option<(&str, Vec<&str>)> {
    let (head, rest) = text.split_once(" SET ")?;
    let end = rest.find(" FROM ").or_else(|| rest.find(" WHERE "))?;
    let sets = rest[..end].split(", ").map(|set| set.split(" = ").next().unwrap_or_default());
    Some((head, sets.collect()))
}

/// Whether a statement is one that was told: of an update fewer columns may have changed.
pub fn is(sent: &str, told: &Sent) -> bool {
    let texts = [Some(&told.text), told.of_one.as_ref()];
    texts.into_iter().flatten().any(|text| {
        text == sent
            // What a bind holds decides whether it is one parameter or, as two things, two.
            || uncounted(text) == uncounted(sent)
            || match (updated(sent), updated(text)) {
                (Some((head, sets)), Some((of, all))) => {
                    head == of && sets.iter().all(|set| all.contains(set))
                }
                _ => false,
            }
    })
}

/// A statement without the numbers of its parameters, and whether it waits.
fn uncounted(text: &str) -> String {
    let pieces =
        text.split('$').map(|piece| piece.trim_start_matches(|c: char| c.is_ascii_digit()));
    // Whether a lock may be waited for depends on what was locked before, which a branch may have left out.
    let mut text = pieces.collect::<Vec<_>>().join("$").replace(" NOWAIT", "");
    // As many keys as there are.
    while text.contains("IN ($, $") {
        text = text.replace("IN ($, $", "IN ($");
    }
    text
}

/// The statements that went as one: each as it is told, which counts its parameters from one.
pub fn apart(sent: &str) -> Vec<String> {
    let Some(rest) = sent.strip_prefix("WITH s0 AS (") else { return vec![sent.to_owned()] };
    let rest = rest.strip_suffix(") SELECT 1").unwrap();
    let (mut parts, mut left) = (Vec::new(), rest);
    for next in 1.. {
        match left.split_once(&format!("), s{next} AS (")) {
            Some((part, others)) => {
                parts.push(part);
                left = others;
            }
            None => break,
        }
    }
    parts.push(left);
    // The last one is executed first.
    parts.into_iter().rev().map(from_one).collect()
}

/// The same statement with its parameters counted from one.
fn from_one(text: &str) -> String {
    let mut pieces = text.split('$');
    let mut out = pieces.next().unwrap().to_owned();
    let parted: Vec<(usize, &str)> = pieces
        .map(|piece| {
            let end = piece.find(|c: char| !c.is_ascii_digit()).unwrap_or(piece.len());
            (piece[..end].parse().unwrap(), &piece[end..])
        })
        .collect();
    let first = parted.iter().map(|(number, _)| *number).min().unwrap_or(1);
    for (number, rest) in parted {
        let _ = write!(out, "${}{rest}", number - first + 1);
    }
    out
}

/// Whether what was sent is what was told, in that order; statements may be missing, and those of loops come again.
fn follows(transaction: &Transaction, told: &Explanation) -> Result<(), String> {
    follows_trips(transaction, told, &told.trips).or_else(|reason| {
        // Or two names were of one row.
        let twice = &told.when_named_twice;
        if twice.is_empty() {
            return Err(reason);
        }
        let either = |other| format!("{reason}\nor, of one row named twice, {other}");
        follows_trips(transaction, told, twice).map_err(either)
    })
}

fn follows_trips(
    transaction: &Transaction,
    told: &Explanation,
    trips: &[Trip],
) -> Result<(), String> {
    let all: Vec<(&Sent, Times)> = trips
        .iter()
        .flat_map(|trip| trip.statements.iter().map(|sent| (sent, trip.times)))
        .collect();
    let mut at = 0;
    for sent in transaction.sent.iter().flat_map(|sent| apart(sent)) {
        let sent = &*sent;
        let next = all[at..].iter().position(|(told, _)| is(sent, told));
        let next = next.map(|next| at + next).or_else(|| {
            // Of one table the key decides which changes first; what loops send for each row takes turns.
            let again = |told: &Sent, times| {
                times > Times::AtMostOnce || sent.starts_with("WITH changed") || told.each_row
            };
            all.iter().position(|(told, times)| again(told, *times) && is(sent, told))
        });
        // The same may stand for rows with other columns: it is not left behind.
        at = next.ok_or_else(|| format!("nobody told of, or not here:\n{sent}"))?;
    }
    let told = told.round_trips();
    if transaction.trips > told.most && !told.grow {
        return Err(format!("{} round trips: {told:?}", transaction.trips));
    }
    Ok(())
}

/// A world whose database is reached over a wire that is written down.
pub fn wired(model: &str) -> (Wire, World) {
    let (url, port) = (testbed::postgres().database(), testbed::postgres().port());
    let wire = Wire::to(port);
    let through = url.replace(&port.to_string(), &wire.port.to_string());
    let world = World::at(&format!("{through}?sslmode=disable"), model, Options::default());
    (wire, world)
}

/// Who asks for which command.
fn command_of(ask: &str) -> Option<(&str, &str)> {
    let mut words = ask.strip_prefix("run ")?.split(' ');
    let (caller, name) = (words.next()?, words.next()?);
    Some((caller, name.split('/').next()?))
}

fn is_refused(answer: &str) -> bool {
    let said = answer.split([' ', ':']).next().unwrap();
    ["invalid", "conflict", "not", "forbidden", "raised", "unavailable"].contains(&said)
}

/// Plays a scene, and compares what each command sends.
pub fn compare(text: &str, expect: &Expect) {
    let (model, script) = in_two(text);
    let (wire, world) = wired(model);
    let mut most: BTreeMap<String, (usize, RoundTrips)> = BTreeMap::new();
    // What was done only when it was tried once more.
    let mut tried = String::new();
    for ask in script.lines().filter_map(|line| line.strip_prefix("> ")) {
        wire.take();
        let answer = world.ask(ask);
        let transactions = wire.take();
        let Some((caller, name)) = command_of(ask) else { continue };
        // What is refused ends before its end, or is tried once more to say why.
        let [transaction] = &*transactions else {
            if !is_refused(&answer) && transactions.len() > 1 {
                let _ = writeln!(tried, "{ask}: {} transactions", transactions.len());
            }
            continue;
        };
        if transaction.sent.last().is_none_or(|last| last != "COMMIT") {
            continue;
        }
        let told = explained(&world, caller, name, Dialect::Postgres);
        if let Err(reason) = follows(transaction, &told) {
            panic!("{ask}\n{answer}\n{reason}\n\nsent: {:#?}\n\ntold: {told:#?}", transaction.sent);
        }
        let known = most.entry(name.to_owned()).or_insert((0, told.round_trips()));
        known.0 = known.0.max(transaction.trips);
    }
    let mut out = tried;
    for (name, (real, RoundTrips { usual, most, grow })) in most {
        let more = if grow { " and more" } else { "" };
        let _ = writeln!(out, "{name}: {real}, told {usual} to {most}{more}");
    }
    expect.assert_eq(&out);
}

/// Plays a scene in which each command is asked for under a key: it waits for nothing more, sends what is told besides, and answers the same
/// when it is asked again.
pub fn compare_kept(text: &str) {
    let (model, script) = in_two(text);
    let (wire, mut world) = wired(model);
    world.keeps = true;
    let (mut done, mut worded) = (0, 0);
    for ask in script.lines().filter_map(|line| line.strip_prefix("> ")) {
        wire.take();
        let answer = world.ask(ask);
        let transactions = wire.take();
        let Some((caller, name)) = command_of(ask) else { continue };
        let told = explained(&world, caller, name, Dialect::Postgres);
        // Asked for again it cannot be held, and what came of it is then found.
        let [transaction, _, _] = &*transactions else { continue };
        if told.loaded_since.is_some() || is_refused(&answer) {
            continue;
        }
        assert_eq!(told.round_trips_with_key, 0, "{ask}");
        assert_eq!(transaction.trips, 1, "{ask}: {answer}\n{transaction:#?}");
        let sent: Vec<String> = transaction.sent.iter().flat_map(|sent| apart(sent)).collect();
        let keeps = |text: &str| text.contains("INTO mimar.receipt");
        let kept = sent.iter().filter(|sent| keeps(sent)).collect::<Vec<_>>();
        let [kept] = &*kept else { panic!("{ask}: kept {} times", kept.len()) };
        let is_told = told.with_key.iter().any(|told| is(kept, told));
        assert!(is_told, "{ask}: {kept}\ntold: {:#?}", told.with_key);
        for told in told.with_key.iter().filter(|told| !keeps(&told.text)) {
            assert!(sent.iter().any(|sent| is(sent, told)), "{ask}: {told:?}");
        }
        done += 1;
        worded += usize::from(kept.contains("a.json"));
    }
    assert!(done > 4, "{done} under a key, {worded} of them put into words");
}

#[test]
fn a_key_is_looked_up_and_kept_as_told() {
    let (model, _) = in_two(include_str!("scenes/place_order.scene"));
    let (wire, world) = wired(model);
    world.ask(r#"add clerk Product {"sku":"cup","price":"1.00","stock":1000,"state":"live"}"#);
    world.ask(r#"add clerk Customer {"id":1,"email":"ada@example.org"}"#);
    wire.take();
    let caller = world.caller("customer:1");
    let receipt = Receipt { key: [7; 32], request: [1; 32], now: now() };
    let body = r#"{"basket":[{"product":"cup","quantity":1}]}"#;
    world.run(&caller, "place_order", body, Some(receipt)).unwrap();
    let told = explained(&world, "customer:1", "place_order", Dialect::Postgres);
    let [transaction] = &*wire.take() else { panic!("not one transaction") };
    assert_eq!(transaction.trips, told.round_trips().usual + told.round_trips_with_key);
    let mut sent = transaction.sent.iter();
    for told in &told.with_key {
        assert!(sent.any(|sent| is(sent, told)), "{told:?}: {:#?}", transaction.sent);
    }
}

#[test]
fn an_order_waits_once_however_much_is_in_it() {
    let shop = include_str!("../../../../examples/shop/shop.mimar");
    let (wire, world) = wired(shop);
    let customer = "00000000-0000-7000-8000-000000000001";
    let database = world.url.as_deref().unwrap().rsplit('/').next().unwrap();
    let database = database.split('?').next().unwrap();
    testbed::postgres().psql(
        database,
        &format!(
            "INSERT INTO sales.customer (id, email, name, joined, row_version) \
             VALUES ('{customer}', 'ada@example.org', 'Ada', now(), 1)"
        ),
    );
    for at in 0..20 {
        let product = r#""name":"Cup","price":"1.00","stock":1000,"state":"live""#;
        world.ask(&format!(r#"add clerk Product {{"sku":"cup{at}",{product}}}"#));
    }
    let told = explained(&world, "customer", "place_order", Dialect::Postgres);
    assert_eq!(told.round_trips(), RoundTrips { usual: 1, most: 1, grow: false });
    // Nobody else can publish under the key of an order that is not there yet; under that of another somebody may.
    let waits = |told: &Explanation| {
        let mut sent = told.trips.iter().flat_map(|trip| &trip.statements);
        sent.any(|sent| sent.text.contains("pg_advisory_xact_lock"))
    };
    assert!(!waits(&told), "{told:#?}");
    assert!(waits(&explained(&world, "clerk", "mark_paid", Dialect::Postgres)));
    let mut sent = Vec::new();
    for count in [1, 20] {
        wire.take();
        let items: Vec<String> =
            (0..count).map(|at| format!(r#"{{"product":"cup{at}","quantity":2}}"#)).collect();
        let basket = format!(r#"{{"basket":[{}]}}"#, items.join(","));
        let order = world.ask(&format!("run customer:{customer} place_order {basket}"));
        assert!(order.contains(&format!(r#""total":"{}.00""#, count * 2)), "{order}");
        let [transaction] = &*wire.take() else { panic!("not one transaction") };
        follows(transaction, &told).unwrap();
        assert_eq!(transaction.trips, 1, "{transaction:#?}");
        sent.push(transaction.sent.len());
    }
    assert_eq!(sent[0], sent[1], "{sent:?}");
}

#[test]
fn a_table_with_rules_of_others_is_written_by_itself() {
    let (model, _) = in_two(include_str!("scenes/place_order.scene"));
    let (wire, world) = wired(model);
    world.ask(r#"add clerk Product {"sku":"cup","price":"1.00","stock":1000,"state":"live"}"#);
    world.ask(r#"add clerk Customer {"id":1,"email":"ada@example.org"}"#);
    let database = world.url.as_deref().unwrap().rsplit('/').next().unwrap();
    let database = database.split('?').next().unwrap();
    // No `WITH` may set off such a rule (PostgreSQL's manual, "Data-Modifying Statements in WITH").
    let rule = "CREATE RULE told AS ON INSERT TO line DO ALSO NOTIFY lines";
    testbed::postgres().psql(database, rule);
    wire.take();
    let answer = world.ask(
        r#"run customer:1 place_order {"basket":[{"product":"cup","quantity":2},{"product":"cup","quantity":1}]}"#,
    );
    assert!(answer.contains(r#""total":"3.00""#), "{answer}");
    let transactions = wire.take();
    let last = transactions.last().unwrap();
    assert_eq!(last.sent.last().unwrap(), "COMMIT");
    assert!(last.sent.iter().all(|sent| apart(sent).len() == 1), "{last:#?}");
    assert!(world.ask("read clerk Product cup").contains(r#""stock":997"#));
}

#[test]
fn orders_are_placed_as_told() {
    compare(
        include_str!("scenes/place_order.scene"),
        &expect![[r#"
            cancel: 4, told 3 to 4
            mark_paid: 1, told 1 to 1
            place_order: 1, told 1 to 1
        "#]],
    );
}

#[test]
fn rules_are_held_as_told() {
    compare(
        include_str!("scenes/rules.scene"),
        &expect![[r#"
            close: 1, told 1 to 1
            open: 1, told 1 to 1
            rename: 1, told 1 to 1
            tag: 1, told 1 to 1
            transfer: 1, told 1 to 1
            twice: 1, told 1 to 1
        "#]],
    );
}

#[test]
fn parts_are_changed_as_told() {
    compare(
        include_str!("scenes/parts.scene"),
        &expect![[r#"
            clear: 1, told 1 to 1
            dear: 1, told 1 to 1
            double: 2, told 2 to 2
            drop: 2, told 2 to 2
            fill: 1, told 1 to 1
            put: 1, told 1 to 1
            swap: 2, told 2 to 2
        "#]],
    );
}

#[test]
fn branches_and_loops_are_run_as_told() {
    compare(
        include_str!("scenes/control.scene"),
        &expect![[r#"
            befriend: 1, told 1 to 1
            city: 1, told 1 to 1
            invite: 1, told 1 to 1
            level_of: 2, told 2 to 2
            likes_of: 2, told 2 to 2
            praise: 4, told 3 to 5
            reward: 2, told 2 to 2
        "#]],
    );
}

#[test]
fn policies_are_looked_at_as_told() {
    compare(
        include_str!("scenes/policies.scene"),
        &expect![[r#"
            cheer: 1, told 1 to 1
            hide: 1, told 1 to 1
            mine: 1, told 1 to 1
            move_gold: 1, told 1 to 1
            team_of: 1, told 1 to 1
        "#]],
    );
}

#[test]
fn events_are_published_as_told() {
    compare(
        include_str!("scenes/events.scene"),
        &expect![[r#"
            pay: 1, told 1 to 1
            pay_later: 1, told 1 to 1
        "#]],
    );
}

#[test]
fn what_can_be_foreseen_is_loaded_as_told() {
    compare(
        include_str!("scenes/foresight.scene"),
        &expect![[r#"
            cheaper: 1, told 1 to 1
            describe: 1, told 1 to 1
            fill: 1, told 1 to 1
            maker_of: 1, told 1 to 1
            move: 3, told 2 to 3
            sell_best: 4, told 3 to 4
            worth: 1, told 1 to 1
        "#]],
    );
}

#[test]
fn odd_things_are_done_as_told() {
    compare(
        include_str!("scenes/odd.scene"),
        &expect![[r#"
            run user unhooked/11 {"link":10,"ring":10}: 2 transactions
            blink: 1, told 1 to 1
            drop_with_marks: 1, told 1 to 1
            fell: 1, told 1 to 1
            flicker: 1, told 1 to 1
            flicker_page: 2, told 2 to 2
            flicker_twice: 1, told 1 to 1
            hooked: 1, told 1 to 1
            linked: 1, told 1 to 1
            many: 1, told 1 to 1
            mark_and_drop: 1, told 1 to 1
            merge: 1, told 1 to 1
            merge_anew: 1, told 1 to 1
            outer: 2, told 2 to 2
            renew: 1, told 1 to 1
            renew_with_marks: 1, told 1 to 1
            ring: 1, told 1 to 1
            swap_parents: 1, told 1 to 1
            sweep: 3, told 4 to 7
        "#]],
    );
}

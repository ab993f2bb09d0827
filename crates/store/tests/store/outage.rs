//! PostgreSQL behind a wire that fails: refused, swallowed, cut in the middle of a commit.

use std::time::{Duration, Instant};

use operation::{Fault, Value};
use store::{Options, Store};
use testbed::{Proxy, Way};

use crate::shop::{POSTGRES, Shop};

/// A shop behind a proxy, with one customer and one product.
fn behind(options: Options) -> (Shop, Proxy) {
    let server = testbed::postgres();
    let url = server.database();
    let proxy = Proxy::to(server.port());
    let through = url.replace(&format!(":{}/", server.port()), &format!(":{}/", proxy.port()));
    let store = Store::connect(&through, options).unwrap();
    let ddl: Vec<String> = POSTGRES.iter().map(|text| (*text).to_owned()).collect();
    store.execute_schema(&ddl).unwrap();
    let shop = Shop::around(tempfile::tempdir().unwrap(), store);
    shop.write(shop.new_customer("Ann", "ann@example.org", true)).unwrap();
    shop.write(shop.new_product("pen", 150, 10)).unwrap();
    (shop, proxy)
}

fn hasty() -> Options {
    Options { deadline: Duration::from_millis(500), ..Options::default() }
}

/// The reason, if it is that the database cannot be reached.
fn unavailable<T: std::fmt::Debug>(outcome: Result<T, Fault>) -> String {
    match outcome {
        Err(Fault::Unavailable { reason, retry_after }) if retry_after > 0 => reason,
        other => panic!("{other:?}"),
    }
}

/// Passes if it is that nobody knows whether it was done.
fn is_unknown<T: std::fmt::Debug>(outcome: Result<T, Fault>) {
    match outcome {
        Err(Fault::OutcomeUnknown { retry_after, .. }) if retry_after > 0 => {}
        other => panic!("{other:?}"),
    }
}

/// Everything is done again, a moment after the way is open.
fn works_again(shop: &Shop) {
    let began = Instant::now();
    while shop.store.read_blocking(&shop.read_customer, &[Value::Int(1)]).is_err() {
        assert!(began.elapsed() < Duration::from_secs(5), "it does not come back");
        std::thread::sleep(Duration::from_millis(50));
    }
    assert!(shop.one(&shop.read_customer, Value::Int(1)).is_some());
    let set = [(1, Value::text("Anna"))];
    let edit = shop.edit(&shop.customers, &shop.read_customer, Value::Int(1), &set);
    shop.write(operation::Write::Edit(edit)).unwrap();
    shop.write(shop.new_order(1, vec![Shop::line("pen", 1, 150)])).unwrap();
}

#[test]
fn a_refused_connection_is_unavailable_and_comes_back() {
    let (shop, proxy) = behind(hasty());
    works_again(&shop);
    proxy.set(Way::Refused);
    unavailable(shop.store.read_blocking(&shop.read_customer, &[Value::Int(1)]));
    unavailable(shop.write(shop.new_product("ink", 1, 1)));
    let edit = shop.edit(&shop.customers, &shop.read_customer, Value::Int(1), &[]);
    unavailable(shop.write(operation::Write::Edit(edit)));
    proxy.set(Way::Open);
    works_again(&shop);
}

#[test]
fn a_silent_wire_is_not_waited_for_long() {
    let (shop, proxy) = behind(hasty());
    works_again(&shop);
    proxy.set(Way::Swallowed);
    let began = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                unavailable(shop.store.read_blocking(&shop.read_customer, &[Value::Int(1)]));
                // One statement, its own commit: where it went out, nobody knows whether it arrived.
                let outcome = shop.write(shop.new_product("ink", 1, 1));
                assert!(outcome.as_ref().is_err_and(Fault::is_passing), "{outcome:?}");
            });
        }
        scope.spawn(|| {
            let edit = shop.edit(&shop.customers, &shop.read_customer, Value::Int(1), &[]);
            unavailable(shop.write(operation::Write::Edit(edit)));
        });
    });
    let took = began.elapsed();
    assert!(took < Duration::from_secs(12), "{took:?}");
    proxy.set(Way::Open);
    works_again(&shop);
}

/// What is asked becomes this within two seconds.
fn becomes<T: PartialEq + std::fmt::Debug>(asked: impl Fn() -> T, wanted: T) {
    let until = Instant::now() + Duration::from_secs(2);
    while asked() != wanted && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(asked(), wanted);
}

#[test]
fn a_commit_that_is_cut_off_is_unknown_and_never_done_twice() {
    let (shop, proxy) = behind(hasty());
    works_again(&shop);
    let count = || shop.store.count(&shop.order).unwrap();
    let before = count();
    // Done, and nobody heard of it.
    proxy.set(Way::CutBehind(b"COMMIT"));
    is_unknown(shop.write(shop.new_order(1, vec![Shop::line("pen", 1, 150)])));
    proxy.set(Way::Open);
    // The database may still be at it when we hear that the wire is cut.
    becomes(count, before + 1);
    // Not done, which nobody can know either.
    proxy.set(Way::CutBefore(b"COMMIT"));
    is_unknown(shop.write(shop.new_order(1, vec![Shop::line("pen", 1, 150)])));
    proxy.set(Way::Open);
    assert_eq!(count(), before + 1);
    // The same of new roots that go as one statement, which is its own commit; the name of the product is on its way with it.
    let products = || shop.store.count(&shop.product).unwrap();
    let stood = products();
    proxy.set(Way::CutBehind(b"cut behind"));
    is_unknown(shop.write(shop.new_product("cut behind", 1, 1)));
    proxy.set(Way::Open);
    becomes(products, stood + 1);
    proxy.set(Way::CutBefore(b"cut before"));
    is_unknown(shop.write(shop.new_product("cut before", 1, 1)));
    proxy.set(Way::Open);
    assert_eq!(products(), stood + 1);
    // The same of a change, whose commit is sent apart.
    let version = || shop.one(&shop.read_customer, Value::Int(1)).unwrap().1;
    let rename = |name: &str| {
        let set = [(1, Value::text(name))];
        shop.write(operation::Write::Edit(shop.edit(
            &shop.customers,
            &shop.read_customer,
            Value::Int(1),
            &set,
        )))
    };
    let stood = version();
    proxy.set(Way::CutBehind(b"COMMIT"));
    is_unknown(rename("Eve"));
    proxy.set(Way::Open);
    becomes(version, stood + 1);
    // Under a receipt, asking again settles it: what stands is told, and what does not is done, once.
    for way in [Way::CutBehind(b"COMMIT"), Way::CutBefore(b"COMMIT")] {
        let before = count();
        let receipt = operation::Receipt {
            key: [u8::from(way == Way::CutBehind(b"COMMIT")); 32],
            request: [0; 32],
            now: 0,
        };
        let order = || shop.new_order(1, vec![Shop::line("pen", 1, 150)]);
        proxy.set(way);
        is_unknown(shop.store.write_once_blocking(order(), Some(receipt)));
        proxy.set(Way::Open);
        let settled = loop {
            match shop.store.write_once_blocking(order(), Some(receipt)) {
                // What was cut off is still being done.
                Err(Fault::InFlight) => std::thread::sleep(Duration::from_millis(5)),
                outcome => break outcome.unwrap(),
            }
        };
        assert_eq!(settled.replayed, way == Way::CutBehind(b"COMMIT"));
        assert_eq!(count(), before + 1);
    }
    // Lost before the commit was sent, nothing is unknown: it is tried again, and here in vain.
    proxy.set(Way::CutBefore(b"UPDATE"));
    works_again_or_refuses(&shop, &proxy, rename("Eva"));
    assert!(version() <= stood + 2);
}

/// A write whose statement was prepared before meets no `UPDATE` on the wire and goes through.
fn works_again_or_refuses(shop: &Shop, proxy: &Proxy, outcome: Result<store::Written, Fault>) {
    if let Err(fault) = outcome {
        assert!(matches!(fault, Fault::Unavailable { .. }), "{fault:?}");
    }
    proxy.set(Way::Open);
    works_again(shop);
}

#[test]
fn a_server_that_restarts_is_found_again() {
    // A server of its own: others would lose theirs.
    let server = testbed::Postgres::start();
    let store = Store::connect(&server.database(), Options::default()).unwrap();
    let ddl: Vec<String> = POSTGRES.iter().map(|text| (*text).to_owned()).collect();
    store.execute_schema(&ddl).unwrap();
    let shop = Shop::around(tempfile::tempdir().unwrap(), store);
    shop.write(shop.new_customer("Ann", "ann@example.org", true)).unwrap();
    shop.write(shop.new_product("pen", 150, 10)).unwrap();
    for _ in 0..3 {
        works_again(&shop);
        server.restart();
        // What was prepared is prepared anew; a read is asked again, a write was not begun.
        works_again(&shop);
    }
}

#[test]
fn a_list_that_waits_holds_up_no_row_by_key() {
    let server = testbed::postgres();
    let url = server.database();
    let store = Store::connect(&url, Options::default()).unwrap();
    let ddl: Vec<String> = POSTGRES.iter().map(|text| (*text).to_owned()).collect();
    store.execute_schema(&ddl).unwrap();
    let shop = Shop::around(tempfile::tempdir().unwrap(), store);
    shop.write(shop.new_customer("Ann", "ann@example.org", true)).unwrap();
    let (_, name) = url.rsplit_once('/').unwrap();
    let slowly = Duration::from_secs(2);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let lock =
                "BEGIN; LOCK TABLE \"order\" IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(2); COMMIT";
            server.psql(name, lock);
        });
        std::thread::sleep(Duration::from_millis(500));
        scope.spawn(|| {
            let began = Instant::now();
            let binds = [Value::Int(1), Value::Int(10)];
            shop.store.read_blocking(&shop.read_orders, &binds).unwrap();
            assert!(began.elapsed() > slowly / 2, "the list did not wait");
        });
        std::thread::sleep(Duration::from_millis(100));
        let began = Instant::now();
        assert!(shop.one(&shop.read_customer, Value::Int(1)).is_some());
        assert!(began.elapsed() < slowly / 4, "{:?}", began.elapsed());
    });
}

//! Writes that are asked for again under one receipt.

use std::sync::Arc;
use std::thread;

use operation::{Fault, PartChange, Receipt, Value, Write};
use store::Written;

use crate::shop::{Shop, both};

const NOW: i64 = 1_800_000_000_000_000;
const DAY: i64 = 24 * 3_600 * 1_000_000;

fn receipt(key: u8, request: u8) -> Receipt {
    Receipt { key: [key; 32], request: [request; 32], now: NOW }
}

fn stocked() -> Shop {
    let shop = Shop::open();
    shop.write(shop.new_customer("Ann", "ann@example.org", true)).unwrap();
    shop.write(shop.new_product("pen", 150, 10)).unwrap();
    shop.write(shop.new_product("ink", 990, 10)).unwrap();
    shop
}

fn once(shop: &Shop, write: Write, receipt: Receipt) -> Result<Written, Fault> {
    shop.store.write_once_blocking(write, Some(receipt))
}

/// The same, apart from being told again.
/// The same as a client does it: told that another is being carried out under this key, it asks again.
fn until_done(shop: &Shop, write: &Write, receipt: Receipt) -> Result<Written, Fault> {
    loop {
        match once(shop, write.clone(), receipt) {
            Err(Fault::InFlight) => thread::sleep(std::time::Duration::from_millis(1)),
            outcome => return outcome,
        }
    }
}

fn same(a: &Written, b: &Written) -> bool {
    let told = |written: &Written| {
        (written.key.clone(), written.version, written.json.clone(), written.part_key.clone())
    };
    told(a) == told(b)
}

#[test]
fn a_write_is_done_once_and_answered_alike() {
    both(|| {
        let shop = stocked();
        let order = || shop.new_order(1, vec![Shop::line("pen", 2, 150)]);
        let first = once(&shop, order(), receipt(1, 1)).unwrap();
        let again = once(&shop, order(), receipt(1, 1)).unwrap();
        assert!(!first.replayed && again.replayed);
        assert!(same(&first, &again), "{first:?} {again:?}");
        assert_eq!(shop.store.count(&shop.order), Ok(1));
        // One that is stored as it was asked for, and one whose key is a text.
        let product = || shop.new_product("nib", 1, 1);
        let first = once(&shop, product(), receipt(2, 2)).unwrap();
        let again = once(&shop, product(), receipt(2, 2)).unwrap();
        assert!(again.replayed && same(&first, &again), "{first:?} {again:?}");
        // A part that was added: its key is told, too.
        let line = || shop.edit_lines(1, PartChange::Add(Shop::line("ink", 1, 990)));
        let first = once(&shop, line(), receipt(3, 3)).unwrap();
        let again = once(&shop, line(), receipt(3, 3)).unwrap();
        assert!(again.replayed && same(&first, &again), "{first:?} {again:?}");
        assert_eq!(first.part_key, Some(Value::Int(2)));
        assert_eq!(shop.store.count(&shop.line), Ok(2));
        // Another key is another write.
        assert!(!once(&shop, order(), receipt(4, 1)).unwrap().replayed);
        assert_eq!(shop.store.count(&shop.order), Ok(2));
    });
}

#[test]
fn a_key_names_one_request() {
    both(|| {
        let shop = stocked();
        once(&shop, shop.new_product("nib", 1, 1), receipt(1, 1)).unwrap();
        let other = once(&shop, shop.new_product("pad", 1, 1), receipt(1, 2));
        assert_eq!(other, Err(Fault::KeyReused));
        assert_eq!(shop.store.count(&shop.product), Ok(3));
    });
}

#[test]
fn what_failed_is_tried_anew() {
    both(|| {
        let shop = stocked();
        let order = |customer| shop.new_order(customer, vec![Shop::line("pen", 2, 150)]);
        assert!(matches!(once(&shop, order(2), receipt(1, 1)), Err(Fault::Invalid(_))));
        shop.write(shop.new_customer("Bob", "bob@example.org", true)).unwrap();
        // The key that the database counts may have a gap on PostgreSQL.
        let bob = if shop.one(&shop.read_customer, Value::Int(2)).is_some() { 2 } else { 3 };
        assert!(!once(&shop, order(bob), receipt(1, 1)).unwrap().replayed);
        assert!(once(&shop, order(bob), receipt(1, 1)).unwrap().replayed);
    });
}

#[test]
fn a_receipt_is_kept_for_a_day() {
    both(|| {
        let shop = stocked();
        let order = || shop.new_order(1, vec![Shop::line("pen", 2, 150)]);
        once(&shop, order(), receipt(1, 1)).unwrap();
        let later = |after| Receipt { now: NOW + after, ..receipt(1, 1) };
        assert!(once(&shop, order(), later(DAY)).unwrap().replayed);
        // Another write of the next day forgets it.
        once(&shop, order(), Receipt { now: NOW + DAY + 1, ..receipt(2, 2) }).unwrap();
        assert!(!once(&shop, order(), later(DAY + 2)).unwrap().replayed);
    });
}

#[test]
fn a_repeat_does_not_trip_over_what_it_repeats() {
    both(|| {
        let shop = Arc::new(stocked());
        for order in 1..7 {
            let lines = vec![Shop::line("pen", 2, 150)];
            shop.write(shop.new_order(1, lines)).unwrap();
            let outcomes: Vec<Result<Written, Fault>> = thread::scope(|scope| {
                let asking: Vec<_> = (0..8)
                    .map(|_| {
                        let shop = shop.clone();
                        scope.spawn(move || {
                            // Whoever comes second meets version 2, and a line that is there.
                            let Write::Edit(mut edit) =
                                shop.edit_lines(order, PartChange::Add(Shop::line("ink", 1, 990)))
                            else {
                                panic!("no edit")
                            };
                            edit.expected = Some(vec![1]);
                            let own = u8::try_from(100 + order).unwrap();
                            until_done(&shop, &Write::Edit(edit), receipt(own, own))
                        })
                    })
                    .collect();
                asking.into_iter().map(|asking| asking.join().unwrap()).collect()
            });
            let outcomes: Vec<Written> = outcomes.into_iter().map(Result::unwrap).collect();
            assert_eq!(outcomes.iter().filter(|written| !written.replayed).count(), 1);
            assert!(outcomes.iter().all(|written| same(written, &outcomes[0])));
        }
    });
}

#[test]
fn many_at_once_under_one_key_do_it_once() {
    both(|| {
        let shop = Arc::new(stocked());
        for round in 10..16 {
            let outcomes: Vec<Written> = thread::scope(|scope| {
                let asking: Vec<_> = (0..16)
                    .map(|_| {
                        let shop = shop.clone();
                        scope.spawn(move || {
                            let order = shop.new_order(1, vec![Shop::line("pen", 2, 150)]);
                            until_done(&shop, &order, receipt(round, round)).unwrap()
                        })
                    })
                    .collect();
                asking.into_iter().map(|asking| asking.join().unwrap()).collect()
            });
            assert_eq!(outcomes.iter().filter(|written| !written.replayed).count(), 1);
            assert!(outcomes.iter().all(|written| same(written, &outcomes[0])));
        }
        assert_eq!(shop.store.count(&shop.order), Ok(6));
    });
}

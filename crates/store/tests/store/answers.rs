//! Kept answers: never stale once a write is acknowledged, and never different from what is stored.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use operation::{PartChange, Value, Write};
use proptest::prelude::*;
use store::{Options, Rows, Store};

use crate::shop::{Shop, text};

#[test]
fn an_acknowledged_write_is_seen_by_every_later_read() {
    let shop = Shop::open();
    let keys = 8;
    for key in 0..keys {
        shop.write(shop.new_product(&format!("p{key}"), 1, 0)).unwrap();
    }
    // What each key's stock was acknowledged to be at least; only grows.
    let acknowledged: Vec<AtomicI64> = (0..keys).map(|_| AtomicI64::new(0)).collect();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for reader in 0..3_usize {
            let (shop, acknowledged, done) = (&shop, &acknowledged, &done);
            scope.spawn(move || {
                let mut n = reader;
                while !done.load(Ordering::Relaxed) {
                    n += 1;
                    let key = n % keys;
                    let least = acknowledged[key].load(Ordering::SeqCst);
                    let sku = Value::text(format!("p{key}"));
                    let (json, _) = shop.one(&shop.read_product, sku).unwrap();
                    let stock = json.split("\"stock\":").nth(1).unwrap().trim_end_matches('}');
                    let stock: i64 = stock.parse().unwrap();
                    assert!(stock >= least, "{stock} after {least} was acknowledged");
                }
            });
        }
        std::thread::scope(|scope| {
            for key in 0..keys {
                let (shop, acknowledged) = (&shop, &acknowledged);
                scope.spawn(move || {
                    for n in 1..=250 {
                        let sku = Value::text(format!("p{key}"));
                        let set = [(3, Value::Int(n))];
                        let edit = shop.edit(&shop.products, &shop.read_product, sku, &set);
                        shop.write(Write::Edit(edit)).unwrap();
                        acknowledged[key].store(n, Ordering::SeqCst);
                    }
                });
            }
        });
        done.store(true, Ordering::Relaxed);
    });
    let figures = shop.store.statistics();
    assert!(figures.answer_hits > 1_000, "{figures:?}");
}

#[test]
fn another_process_is_noticed() {
    let shop = Shop::open();
    shop.write(shop.new_product("pen", 1, 1)).unwrap();
    let read = || shop.one(&shop.read_product, Value::text("pen")).unwrap().0;
    for _ in 0..3 {
        read();
    }
    let hits = shop.store.statistics().answer_hits;
    assert!(hits > 0);
    // Another connection stands for another process: the store knows nothing of it.
    let other = rusqlite::Connection::open(shop.folder.path().join("shop.db")).unwrap();
    other.execute("UPDATE product SET stock = 99", []).unwrap();
    std::thread::sleep(std::time::Duration::from_millis(400));
    assert!(read().contains("\"stock\":99"));
}

#[test]
fn our_own_commits_and_checkpoints_are_not_taken_for_others() {
    let options = Options { checkpoint: 64 << 10, log_limit: 256 << 10, ..Options::default() };
    let shop = Shop::with(options);
    shop.write(shop.new_product("pen", 1, 1)).unwrap();
    let read = || shop.one(&shop.read_product, Value::text("pen")).unwrap();
    read();
    read();
    for i in 0..400 {
        shop.write(shop.new_product(&format!("p{i}"), 1, 1)).unwrap();
    }
    std::thread::sleep(std::time::Duration::from_millis(300));
    let before = shop.store.statistics();
    assert!(before.checkpoints > 0);
    read();
    let after = shop.store.statistics();
    assert_eq!(after.answer_hits, before.answer_hits + 1, "{before:?} {after:?}");
}

#[test]
fn what_vanishes_with_a_row_vanishes_from_the_answers() {
    let shop = Shop::open();
    shop.write(shop.new_customer("Ann", "a@x", true)).unwrap();
    shop.write(shop.new_of_customer(&shop.reviews, &shop.read_review, 1)).unwrap();
    shop.write(shop.new_of_customer(&shop.coupons, &shop.read_coupon, 1)).unwrap();
    let review = || shop.one(&shop.read_review, Value::Int(1));
    let coupon = || shop.one(&shop.read_coupon, Value::Int(1));
    for _ in 0..3 {
        assert_eq!(review(), Some((r#"{"id":1,"customer":1}"#.to_owned(), 1)));
        assert_eq!(coupon(), Some((r#"{"id":1,"customer":1}"#.to_owned(), 1)));
    }
    assert!(shop.store.statistics().answer_hits > 0);
    shop.write(shop.delete(&shop.customers, Value::Int(1))).unwrap();
    assert_eq!(review(), None);
    // Its reference was cleared, which is a change: the version says so.
    assert_eq!(coupon(), Some((r#"{"id":1,"customer":null}"#.to_owned(), 2)));
}

#[test]
fn a_reference_cleared_inside_a_part_changes_its_root() {
    let shop = Shop::open();
    shop.write(shop.new_customer("Ann", "a@x", true)).unwrap();
    shop.write(shop.new_customer("Bob", "b@x", true)).unwrap();
    shop.write(shop.new_product("pen", 100, 1)).unwrap();
    shop.write(shop.new_order(1, vec![Shop::line("pen", 1, 100)])).unwrap();
    let note = r#"INSERT INTO order_note ("order", position, author) VALUES (1, 1, 2)"#;
    shop.store.execute_schema(&[note.to_owned()]).unwrap();
    let version = || shop.one(&shop.read_order, Value::Int(1)).unwrap().1;
    for _ in 0..3 {
        assert_eq!(version(), 1);
    }
    shop.write(shop.delete(&shop.customers, Value::Int(2))).unwrap();
    assert_eq!(version(), 2);
}

#[test]
fn a_kept_snapshot_is_never_old_news() {
    let shop = Shop::with(Options { answers: 0, ..Options::default() });
    let all = operation::Read {
        id: operation::ReadId::fresh(),
        filter: operation::Expression::yes(),
        cardinality: operation::Cardinality::Page { limit: 0 },
        ..operation::Read::clone(&shop.read_product)
    };
    let products = || shop.store.read_blocking(&all, &[Value::Int(1_000)]).unwrap();
    for round in 0..200 {
        let expected = match round % 3 {
            0 => {
                shop.write(shop.new_product(&format!("a{round}"), 1, 1)).unwrap();
                round + 1
            }
            1 => {
                act(&shop, Step::Load(round));
                round + 1
            }
            _ => {
                let added = format!("INSERT INTO product VALUES ('s{round}', 's', 1, 1, 1)");
                shop.store.execute_schema(&[added]).unwrap();
                round + 1
            }
        };
        for _ in 0..3 {
            let Rows::Page { count, .. } = products() else { panic!("not a page") };
            assert_eq!(count, usize::from(expected), "round {round}");
        }
    }
}

#[test]
fn reads_of_what_changes_leave_the_others_their_snapshot() {
    let shop = Shop::with(Options { answers: 0, ..Options::default() });
    shop.write(shop.new_customer("Ann", "a@x", true)).unwrap();
    shop.write(shop.new_product("pen", 1, 0)).unwrap();
    shop.write(shop.new_product("ink", 1, 0)).unwrap();
    let before = shop.store.statistics().snapshots;
    for n in 1..=500 {
        let set = [(3, Value::Int(n))];
        let edit = shop.edit(&shop.products, &shop.read_product, Value::text("pen"), &set);
        shop.write(Write::Edit(edit)).unwrap();
        let (pen, version) = shop.one(&shop.read_product, Value::text("pen")).unwrap();
        assert!(pen.contains(&format!("\"stock\":{n}}}")), "{pen} after {n}");
        assert_eq!(version, n + 1);
        assert!(shop.one(&shop.read_product, Value::text("ink")).is_some());
        assert!(shop.one(&shop.read_customer, Value::Int(1)).is_some());
    }
    // Not one for each of the 500 commits.
    let taken = shop.store.statistics().snapshots - before;
    assert!((3..=8).contains(&taken), "{taken} snapshots");
}

#[derive(Debug, Clone)]
enum Step {
    Customer(i64, bool),
    Rename(usize, u8),
    Order(i64, Vec<usize>),
    Lines(i64, Vec<usize>),
    AddLine(i64, usize),
    RemoveLine(i64, i64),
    Status(i64, bool),
    DeleteOrder(i64),
    DeleteCustomer(i64),
    DeleteProduct(usize),
    Load(u16),
    Review(i64),
    Coupon(i64),
}

fn step() -> impl Strategy<Value = Step> {
    let products = || proptest::collection::vec(0..4_usize, 1..4);
    prop_oneof![
        (1..4_i64, any::<bool>()).prop_map(|(key, active)| Step::Customer(key, active)),
        (0..4_usize, any::<u8>()).prop_map(|(key, name)| Step::Rename(key, name)),
        (1..4_i64, products()).prop_map(|(key, lines)| Step::Order(key, lines)),
        (1..6_i64, products()).prop_map(|(key, lines)| Step::Lines(key, lines)),
        (1..6_i64, 0..4_usize).prop_map(|(key, product)| Step::AddLine(key, product)),
        (1..6_i64, 1..4_i64).prop_map(|(key, position)| Step::RemoveLine(key, position)),
        (1..6_i64, any::<bool>()).prop_map(|(key, placed)| Step::Status(key, placed)),
        (1..6_i64).prop_map(Step::DeleteOrder),
        (1..4_i64).prop_map(Step::DeleteCustomer),
        (0..4_usize).prop_map(Step::DeleteProduct),
        any::<u16>().prop_map(Step::Load),
        (1..4_i64).prop_map(Step::Review),
        (1..4_i64).prop_map(Step::Coupon),
    ]
}

const SKUS: [&str; 4] = ["ink", "nib", "pad", "pen"];

fn act(shop: &Shop, step: Step) {
    let rows = |lines: Vec<usize>| {
        lines.iter().map(|at| Shop::line(SKUS[*at], 1, 100)).collect::<Vec<_>>()
    };
    let order = |key: i64, set: &[(usize, Value)]| {
        Write::Edit(shop.edit(&shop.orders, &shop.bare_order, Value::Int(key), set))
    };
    let write = match step {
        Step::Customer(key, active) => Write::Edit(shop.edit(
            &shop.customers,
            &shop.read_customer,
            Value::Int(key),
            &[(3, Value::Bool(active))],
        )),
        Step::Rename(key, name) => Write::Edit(shop.edit(
            &shop.products,
            &shop.read_product,
            Value::text(SKUS[key]),
            &[(1, Value::text(format!("name {name}")))],
        )),
        Step::Order(customer, lines) => shop.new_order(customer, rows(lines)),
        Step::Lines(key, lines) => shop.edit_lines(key, PartChange::Replace(rows(lines))),
        Step::AddLine(key, product) => {
            shop.edit_lines(key, PartChange::Add(Shop::line(SKUS[product], 2, 100)))
        }
        Step::RemoveLine(key, position) => {
            shop.edit_lines(key, PartChange::Remove { key: Value::Int(position) })
        }
        Step::Status(key, placed) => {
            order(key, &[(2, Value::text(if placed { "placed" } else { "cancelled" }))])
        }
        Step::DeleteOrder(key) => shop.delete(&shop.orders, Value::Int(key)),
        Step::DeleteCustomer(key) => shop.delete(&shop.customers, Value::Int(key)),
        Step::DeleteProduct(key) => shop.delete(&shop.products, Value::text(SKUS[key])),
        Step::Review(customer) => shop.new_of_customer(&shop.reviews, &shop.read_review, customer),
        Step::Coupon(customer) => shop.new_of_customer(&shop.coupons, &shop.read_coupon, customer),
        Step::Load(n) => {
            let values = vec![
                Value::text(format!("loaded {n}")),
                Value::text("loaded"),
                Value::Int(1),
                Value::Int(1),
                Value::Int(1),
            ];
            let _ = shop.store.load([Ok::<_, String>((shop.product.clone(), values))]);
            return;
        }
    };
    // Many are refused, which is as good a test.
    let _ = shop.write(write);
}

/// Every read of the shop as one text; the second asking is what may come from kept answers.
fn everything(shop: &Shop, store: &Store) -> String {
    let mut all = String::new();
    let mut ask = |read: &operation::Read, binds: &[Value]| {
        let rows = store.read_blocking(read, binds).unwrap();
        all.push_str(&match rows {
            Rows::One(None) => "-".to_owned(),
            Rows::One(Some(row)) => format!("{} {}", text(&row.json), row.version),
            Rows::Page { json, count, next } => format!("{} {count} {next:?}", text(&json)),
        });
        all.push('\n');
    };
    for key in 1..6 {
        ask(&shop.read_order, &[Value::Int(key)]);
        ask(&shop.read_customer, &[Value::Int(key)]);
        ask(&shop.read_orders, &[Value::Int(key), Value::Int(2)]);
        ask(&shop.active_orders, &[Value::Int(key), Value::Int(2)]);
        ask(&shop.read_review, &[Value::Int(key)]);
        ask(&shop.read_coupon, &[Value::Int(key)]);
    }
    for sku in SKUS {
        ask(&shop.read_product, &[Value::text(sku)]);
    }
    ask(&shop.drafts, &[Value::Null, Value::Int(3)]);
    all
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    #[test]
    fn kept_and_stored_agree(steps in proptest::collection::vec(step(), 1..60)) {
        let kept = Shop::open();
        for (name, email) in [("Ann", "a@x"), ("Bob", "b@x"), ("Cid", "c@x")] {
            kept.write(kept.new_customer(name, email, true)).unwrap();
        }
        for sku in SKUS {
            kept.write(kept.new_product(sku, 100, 1)).unwrap();
        }
        // The same file through a store that has kept nothing yet, neither answers nor a snapshot.
        let path = kept.folder.path().join("shop.db");
        let plain = || Store::open(&path, Options { answers: 0, ..Options::default() }).unwrap();
        everything(&kept, &kept.store);
        everything(&kept, &kept.store);
        for step in steps {
            act(&kept, step.clone());
            let seen = everything(&kept, &kept.store);
            let stored = everything(&kept, &plain());
            prop_assert_eq!(seen, stored, "after {:?}", step);
        }
        everything(&kept, &kept.store);
        everything(&kept, &kept.store);
        prop_assert!(kept.store.statistics().answer_hits > 0);
    }
}

//! Many writers at once: isolated, none lost, none waiting for readers or making them wait.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use operation::{Fault, FaultCode, Guard, Value, Write};
use store::{Options, Rows};

use crate::shop::Shop;

fn stock(shop: &Shop, sku: &str) -> (i64, i64) {
    let (json, version) = shop.one(&shop.read_product, Value::text(sku)).unwrap();
    let stock = json.split("\"stock\":").nth(1).unwrap().trim_end_matches('}');
    (stock.parse().unwrap(), version)
}

#[test]
fn one_that_fails_harms_none_of_64() {
    let shop = Shop::open();
    let barrier = std::sync::Barrier::new(64);
    std::thread::scope(|scope| {
        for i in 0..64 {
            let (shop, barrier) = (&shop, &barrier);
            scope.spawn(move || {
                for round in 0..10 {
                    let mut write = shop.new_product(&format!("p{i}-{round}"), 1, 1);
                    if let Write::Create(create) = &mut write {
                        match i {
                            // A constraint, a refusal, and a template whose execution panics or fails inside.
                            7 => create.row.values[1] = Value::Null,
                            8 => create.guard = Guard::Never,
                            9 => create.row.values.clear(),
                            _ => {}
                        }
                    }
                    barrier.wait();
                    let outcome = shop.write(write);
                    assert_eq!(outcome.is_ok(), !(7..=9).contains(&i), "{i} {outcome:?}");
                }
            });
        }
    });
    assert_eq!(shop.store.count(&shop.product), Ok(610));
    let figures = shop.store.statistics();
    assert_eq!((figures.writes, figures.failures, figures.queue), (610, 30, 0));
    assert!(figures.commits < 640, "nothing was grouped: {figures:?}");
}

/// What fails when it has written already takes the group's transaction with it: the others are done again, it is told why,
/// and nothing of it stays.
#[test]
fn one_that_fails_late_harms_none_of_64() {
    let shop = Shop::open();
    for i in 0..64 {
        shop.write(shop.new_product(&format!("p{i}"), 1, 0)).unwrap();
    }
    shop.write(shop.new_customer("Ada", "ada@example.org", true)).unwrap();
    let barrier = std::sync::Barrier::new(64);
    std::thread::scope(|scope| {
        for i in 0..64 {
            let (shop, barrier) = (&shop, &barrier);
            scope.spawn(move || {
                for round in 1..=20 {
                    let sku = format!("p{i}");
                    let write = match i {
                        // An order whose second line refers to nothing, and a change that is forbidden once it is made.
                        7 => {
                            let lines = vec![Shop::line("p1", 1, 100), Shop::line("none", 1, 100)];
                            shop.new_order(1, lines)
                        }
                        8 => {
                            let set = [(3, Value::Int(round))];
                            let key = Value::text(&*sku);
                            let mut edit = shop.edit(&shop.products, &shop.read_product, key, &set);
                            edit.guard_after = Guard::Never;
                            Write::Edit(edit)
                        }
                        9 => shop.new_order(1, vec![Shop::line("p2", round, 100)]),
                        _ => {
                            let set = [(3, Value::Int(round))];
                            let key = Value::text(&*sku);
                            Write::Edit(shop.edit(&shop.products, &shop.read_product, key, &set))
                        }
                    };
                    barrier.wait();
                    match (i, shop.write(write)) {
                        (7, Err(Fault::Invalid(found))) => {
                            assert_eq!(found[0].code, FaultCode::UnknownReference);
                        }
                        (8, Err(Fault::Forbidden(_))) => {}
                        (7 | 8, other) => panic!("{i}: {other:?}"),
                        (_, other) => drop(other.unwrap()),
                    }
                }
            });
        }
    });
    for i in (0..64).filter(|i| !(7..=9).contains(i)) {
        assert_eq!(stock(&shop, &format!("p{i}")), (20, 21), "{i}");
    }
    assert_eq!(stock(&shop, "p8"), (0, 1));
    assert_eq!(shop.store.count(&shop.order), Ok(20));
    let figures = shop.store.statistics();
    assert_eq!((figures.writes, figures.failures), (65 + 62 * 20, 40));
}

#[test]
fn no_update_is_lost() {
    let shop = Shop::open();
    shop.write(shop.new_product("pen", 1, 0)).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..64 {
            scope.spawn(|| {
                for _ in 0..5 {
                    loop {
                        let (stock, version) = stock(&shop, "pen");
                        let set = [(3, Value::Int(stock + 1))];
                        let key = Value::text("pen");
                        let mut edit = shop.edit(&shop.products, &shop.read_product, key, &set);
                        edit.expected = Some(vec![version]);
                        match shop.write(Write::Edit(edit)) {
                            Ok(_) => break,
                            Err(Fault::VersionMismatch { .. }) => {}
                            other => panic!("{other:?}"),
                        }
                    }
                }
            });
        }
    });
    assert_eq!(stock(&shop, "pen"), (320, 321));
}

#[test]
fn a_full_queue_refuses_and_a_closed_store_finishes() {
    let options = Options { queue: 4, ..Options::default() };
    let shop = Shop::with(options);
    let mut tickets = Vec::new();
    let mut refused = 0;
    for i in 0..2_000 {
        match pollster(shop.store.write(Box::new(shop.new_product(&format!("p{i}"), 1, 1)), None)) {
            Started::Refused(Fault::Overloaded { retry_after: 1 }) => refused += 1,
            Started::Refused(other) => panic!("{other:?}"),
            Started::Running(future) => tickets.push(future),
        }
    }
    shop.store.close();
    let accepted = tickets.len() as u64;
    assert!(refused > 0 && accepted > 0);
    assert_eq!(accepted + refused, 2_000);
    for ticket in tickets {
        wait(ticket).unwrap();
    }
    assert_eq!(shop.store.count(&shop.product), Ok(accepted));
    let late = shop.write(shop.new_product("late", 1, 1));
    assert!(matches!(late, Err(Fault::Unavailable { .. })), "{late:?}");
}

type Pending = std::pin::Pin<Box<dyn Future<Output = Result<store::Written, Fault>> + Send>>;

enum Started {
    Refused(Fault),
    Running(Pending),
}

/// Polls once: a refusal is known at once.
fn pollster(
    future: impl Future<Output = Result<store::Written, Fault>> + Send + 'static,
) -> Started {
    let mut future: Pending = Box::pin(future);
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    match future.as_mut().poll(&mut context) {
        std::task::Poll::Ready(Err(fault)) => Started::Refused(fault),
        std::task::Poll::Ready(Ok(written)) => Started::Running(Box::pin(async { Ok(written) })),
        std::task::Poll::Pending => Started::Running(future),
    }
}

fn wait(mut future: Pending) -> Result<store::Written, Fault> {
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    loop {
        match future.as_mut().poll(&mut context) {
            std::task::Poll::Ready(outcome) => return outcome,
            std::task::Poll::Pending => std::thread::sleep(Duration::from_millis(1)),
        }
    }
}

#[test]
fn readers_do_not_wait_for_the_writer() {
    let shop = Shop::with(Options { answers: 0, ..Options::default() });
    shop.write(shop.new_product("pen", 1, 0)).unwrap();
    let done = AtomicBool::new(false);
    let (reads, slowest) = (AtomicU64::new(0), AtomicU64::new(0));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                let began = Instant::now();
                shop.one(&shop.read_product, Value::text("pen")).unwrap();
                slowest.fetch_max(began.elapsed().as_millis() as u64, Ordering::Relaxed);
                reads.fetch_add(1, Ordering::Relaxed);
            }
        });
        // The writer stands still inside a load that takes its time; readers see the state before it.
        let rows = (0..5).map(|i| {
            std::thread::sleep(Duration::from_millis(60));
            let values = vec![
                Value::text(format!("x{i}")),
                Value::text("x"),
                Value::Int(1),
                Value::Int(1),
                Value::Int(1),
            ];
            Ok::<_, String>((shop.product.clone(), values))
        });
        let before = reads.load(Ordering::Relaxed);
        assert_eq!(shop.store.load(rows).unwrap().rows, 5);
        assert!(reads.load(Ordering::Relaxed) > before + 20, "reads stood still");
        done.store(true, Ordering::Relaxed);
    });
    assert!(slowest.load(Ordering::Relaxed) < 200, "a read waited {slowest:?} ms");
    let Rows::One(row) =
        shop.store.read_blocking(&shop.read_product, &[Value::text("x4")]).unwrap()
    else {
        panic!("not a row")
    };
    assert!(row.is_some());
}

#[test]
fn the_log_stays_bounded() {
    let options = Options { checkpoint: 64 << 10, log_limit: 512 << 10, ..Options::default() };
    let shop = Shop::with(options);
    let done = AtomicBool::new(false);
    let mut largest = 0;
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                let _ = shop.one(&shop.read_product, Value::text("p0-1"));
            }
        });
        std::thread::scope(|scope| {
            for i in 0..4 {
                let shop = &shop;
                scope.spawn(move || {
                    for n in 0..250 {
                        shop.write(shop.new_product(&format!("p{i}-{n}"), 1, 1)).unwrap();
                    }
                });
            }
        });
        largest = std::fs::metadata(shop.folder.path().join("shop.db-wal")).unwrap().len();
        done.store(true, Ordering::Relaxed);
    });
    assert!(largest < 2 << 20, "{largest}");
    assert!(shop.store.statistics().checkpoints > 0);
}

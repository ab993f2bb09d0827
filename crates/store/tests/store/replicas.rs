//! Reads on streaming replicas: of PostgreSQL's own, on this machine.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use operation::{Read, Value, Write};
use store::{Options, ReplicaReads, Row, Rows, Store, StoreFault};
use testbed::{Postgres, Proxy, Way};
use tokio::runtime::Runtime;

use crate::shop::{POSTGRES, Shop, text};

/// A primary with a shop, and a replica of it.
struct Bench {
    primary: Postgres,
    replica: Postgres,
    url: String,
    runtime: Runtime,
}

impl Bench {
    fn new() -> Self {
        let primary = Postgres::start();
        let url = primary.database();
        let store = Store::connect(&url, Options::default()).unwrap();
        let ddl: Vec<String> = POSTGRES.iter().map(|text| (*text).to_owned()).collect();
        store.execute_schema(&ddl).unwrap();
        let replica = primary.replica();
        let mut runtime = tokio::runtime::Builder::new_multi_thread();
        let runtime = runtime.worker_threads(4).enable_all().build().unwrap();
        Self { primary, replica, url, runtime }
    }

    fn replica_url(&self) -> String {
        self.replica.like(&self.url)
    }

    /// Another process that serves the database, as far as the database sees it.
    fn server(&self, replicas: &[String]) -> Shop {
        let store = Store::connect_with(&self.url, replicas, Options::default()).unwrap();
        Shop::around(tempfile::tempdir().unwrap(), store)
    }

    fn on_replica(&self, sql: &str) {
        self.replica.psql("postgres", sql);
    }
}

/// A shop with two customers, three products and twelve orders.
fn fill(shop: &Shop) {
    for name in ["Ann", "Bob"] {
        let email = format!("{name}@example.org");
        shop.write(shop.new_customer(name, &email, true)).unwrap();
    }
    for (at, sku) in ["pen", "ink", "nib"].into_iter().enumerate() {
        shop.write(shop.new_product(sku, 150 + at as i64, 1_000_000)).unwrap();
    }
    for number in 0..12 {
        let lines = ["pen", "ink", "nib"].iter().take(1 + number % 3);
        let lines = lines.map(|sku| Shop::line(sku, 1 + number as i64, 150)).collect();
        shop.write(shop.new_order(1 + number as i64 % 2, lines)).unwrap();
    }
}

fn reads(shop: &Shop) -> ReplicaReads {
    shop.store.statistics().replicas.unwrap()
}

async fn row(shop: &Shop, read: &Read, key: i64) -> Option<(String, i64)> {
    match shop.store.read(read, &[Value::Int(key)]).await.unwrap() {
        Rows::One(row) => row.map(|Row { json, version }| (text(&json), version)),
        Rows::Page { .. } => panic!("a page"),
    }
}

/// Reads until the replica answers; within ten seconds, or it does not come back.
async fn warm(shop: &Shop) {
    let (before, began) = (reads(shop).served, Instant::now());
    while reads(shop).served < before + 20 {
        row(shop, &shop.read_customer, 1).await;
        shop.store.read(&shop.read_orders, &[Value::Int(1), Value::Int(5)]).await.unwrap();
        let left = reads(shop);
        assert!(began.elapsed() < Duration::from_secs(10), "{left:?} {:?}", shop.store.replicas());
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

fn rename(shop: &Shop, customer: i64, name: &str) -> Write {
    let set = [(1, Value::text(name))];
    Write::Edit(shop.edit(&shop.customers, &shop.read_customer, Value::Int(customer), &set))
}

#[test]
fn each_sees_what_was_written_before_by_whichever_server() {
    let bench = Bench::new();
    let urls = [bench.replica_url()];
    let servers = [bench.server(&urls), bench.server(&urls)];
    fill(&servers[0]);
    for number in 2..8 {
        let email = format!("{number}@example.org");
        servers[0].write(servers[0].new_customer("C", &email, true)).unwrap();
    }
    bench.runtime.block_on(async {
        warm(&servers[0]).await;
        warm(&servers[1]).await;
    });
    let until = Instant::now() + Duration::from_secs(5);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            // What is replayed comes to a halt and goes on, again and again.
            while Instant::now() < until {
                bench.on_replica("SELECT pg_wal_replay_pause()");
                std::thread::sleep(Duration::from_millis(120));
                bench.on_replica("SELECT pg_wal_replay_resume()");
                std::thread::sleep(Duration::from_millis(400));
            }
        });
        bench.runtime.block_on(async {
            let callers = (1..=8_i64).map(|customer| {
                let servers = &servers;
                async move {
                    let mut turn = 0_usize;
                    while Instant::now() < until {
                        turn += 1;
                        let (one, other) = (&servers[turn % 2], &servers[(turn + 1) % 2]);
                        let name = format!("C{customer} {turn}");
                        let write = one.store.write(Box::new(rename(one, customer, &name)), None);
                        let version = write.await.unwrap().version;
                        for shop in [other, one] {
                            let (json, seen) =
                                row(shop, &shop.read_customer, customer).await.unwrap();
                            assert!(json.contains(&name) && seen == version, "{name}: {json}");
                        }
                        if turn.is_multiple_of(4) {
                            let order = one.new_order(customer, vec![Shop::line("pen", 1, 150)]);
                            let key = one.store.write(Box::new(order), None).await.unwrap().key;
                            let id = key.as_int().unwrap();
                            assert!(row(other, &other.read_order, id).await.is_some(), "{id}");
                            let binds = [Value::Int(customer), Value::Int(10_000)];
                            let list = other.store.read(&other.read_orders, &binds).await.unwrap();
                            let Rows::Page { json, .. } = list else { panic!("no page") };
                            assert!(text(&json).contains(&format!("\"id\":{id},")), "{id}");
                        }
                        // Now and then nothing is written for a while.
                        if turn.is_multiple_of(10) {
                            for _ in 0..20 {
                                let seen = row(other, &other.read_customer, customer).await;
                                assert_eq!(seen.unwrap().1, version);
                            }
                        }
                    }
                    turn
                }
            });
            let turns = futures_util::future::join_all(callers).await;
            assert!(turns.iter().all(|turns| *turns > 5), "{turns:?}");
        });
    });
    for shop in &servers {
        let reads = reads(shop);
        assert!(reads.served > 50 && reads.behind > 0, "{reads:?}");
    }
}

#[test]
fn a_replica_answers_as_the_primary_does() {
    let bench = Bench::new();
    let shop = bench.server(&[bench.replica_url()]);
    fill(&shop);
    bench.runtime.block_on(warm(&shop));
    let mut asked = Vec::new();
    for key in 0..16 {
        asked.push((shop.read_order.clone(), vec![Value::Int(key)]));
        asked.push((shop.bare_order.clone(), vec![Value::Int(key)]));
        asked.push((shop.read_customer.clone(), vec![Value::Int(key)]));
        asked.push((shop.read_product.clone(), vec![Value::text("ink")]));
        for list in [&shop.read_orders, &shop.active_orders, &shop.drafts] {
            asked.push((list.clone(), vec![Value::Int(key % 4), Value::Int(1 + key % 5)]));
        }
    }
    let primary: Vec<_> =
        asked.iter().map(|(read, binds)| shop.store.read_blocking(read, binds)).collect();
    let (before, gathered) = (reads(&shop), shop.store.statistics().gathered);
    for _ in 0..20 {
        let each = asked.iter().map(|(read, binds)| shop.store.read(read, binds));
        let replica = bench.runtime.block_on(futures_util::future::join_all(each));
        assert_eq!(replica, primary);
    }
    let reads = reads(&shop);
    // Each thread has a connection of its own to open, meanwhile it asks the primary.
    assert!(reads.served - before.served > asked.len() as u64 * 10, "{reads:?}");
    assert!(shop.store.statistics().gathered > gathered, "none went together");
}

#[test]
fn a_replica_that_dies_fails_no_read_and_is_used_again() {
    let bench = Bench::new();
    let shop = bench.server(&[bench.replica_url()]);
    fill(&shop);
    bench.runtime.block_on(warm(&shop));
    let (is_back, until) = (AtomicBool::new(false), Instant::now() + Duration::from_secs(60));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(Duration::from_millis(300));
            bench.replica.kill();
            // What it had answered before is taken in.
            std::thread::sleep(Duration::from_millis(200));
            let served = reads(&shop).served;
            std::thread::sleep(Duration::from_millis(700));
            assert_eq!(reads(&shop).served, served);
            bench.replica.restart();
            is_back.store(true, Ordering::Release);
        });
        let readers = (0..6).map(|_| async {
            while !is_back.load(Ordering::Acquire) {
                assert!(row(&shop, &shop.read_order, 3).await.is_some());
                shop.store.read(&shop.drafts, &[Value::Int(1), Value::Int(5)]).await.unwrap();
                assert!(Instant::now() < until, "it is not back");
            }
        });
        bench.runtime.block_on(futures_util::future::join_all(readers));
    });
    bench.runtime.block_on(warm(&shop));
    let reads = reads(&shop);
    assert!(reads.away > 0, "{reads:?}");
}

#[test]
fn what_is_none_of_its_replicas_is_not_read_from() {
    let bench = Bench::new();
    // The primary itself: as after a failover, when the two have changed places.
    let shop = bench.server(std::slice::from_ref(&bench.url));
    fill(&shop);
    bench.runtime.block_on(async {
        for _ in 0..20 {
            assert!(row(&shop, &shop.read_customer, 1).await.is_some());
        }
    });
    let [(name, Some(reason))] = &shop.store.replicas()[..] else { panic!("it is used") };
    assert!(name.ends_with("on 127.0.0.1") && reason.contains("takes writes"), "{name} {reason}");
    assert_eq!(reads(&shop), ReplicaReads { away: 20, ..ReplicaReads::default() });
    // Nobody listens there.
    let shop = bench.server(&["postgres://postgres@127.0.0.1:1/test_0".to_owned()]);
    bench.runtime.block_on(async {
        assert!(row(&shop, &shop.read_customer, 1).await.is_some());
    });
    assert!(shop.store.replicas()[0].1.is_some());
    let refused = |url: String| {
        let store = Store::connect_with(&bench.url, &[url], Options::default());
        store.map(|store| store.replicas()).unwrap_err()
    };
    let other = refused(testbed::postgres().database());
    assert!(matches!(&other, StoreFault::Replica { .. }), "{other:?}");
    assert!(other.to_string().contains("made by itself"), "{other}");
    let other = refused(bench.replica.like("/postgres"));
    assert!(other.to_string().contains("database postgres"), "{other}");
    let pooled = refused(format!("{}?pgbouncer=true", bench.replica_url()));
    assert!(matches!(pooled, StoreFault::PooledReplica { .. }), "{pooled:?}");
    let other = refused(format!("{}?options=-c%20search_path%3Dpg_catalog", bench.replica_url()));
    assert!(other.to_string().contains("search_path"), "{other}");
    let garbled = refused("postgres://a b".to_owned());
    assert!(matches!(garbled, StoreFault::Address { .. }), "{garbled:?}");
}

#[test]
fn a_replica_that_is_promoted_is_read_from_no_more() {
    let bench = Bench::new();
    let shop = bench.server(&[bench.replica_url()]);
    fill(&shop);
    bench.runtime.block_on(async {
        warm(&shop).await;
        bench.on_replica("SELECT pg_promote()");
        let (_, name) = bench.url.rsplit_once('/').unwrap();
        bench.replica.psql(name, "UPDATE customer SET name = 'Forged', row_version = 99");
        for turn in 0..200 {
            let (json, _) = row(&shop, &shop.read_customer, 1).await.unwrap();
            assert!(!json.contains("Forged"), "{turn}: {json}");
            let list = shop.store.read(&shop.read_orders, &[Value::Int(1), Value::Int(5)]).await;
            list.unwrap();
        }
        // It is connected to again, and seen for what it is.
        let began = Instant::now();
        while shop.store.replicas()[0].1.is_none() {
            assert!(began.elapsed() < Duration::from_secs(20), "it is used");
            let (json, _) = row(&shop, &shop.read_customer, 1).await.unwrap();
            assert!(!json.contains("Forged"), "{json}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    });
    let [(_, Some(reason))] = &shop.store.replicas()[..] else { panic!("it is used") };
    assert!(reason.contains("no replica"), "{reason}");
}

#[test]
fn a_silent_replica_is_not_waited_for_long() {
    let bench = Bench::new();
    let proxy = Proxy::to(bench.replica.port());
    let (_, name) = bench.url.rsplit_once('/').unwrap();
    let through = [format!("postgres://postgres@127.0.0.1:{}/{name}", proxy.port())];
    let shop = bench.server(&through);
    fill(&shop);
    bench.runtime.block_on(async {
        for written in [false, true] {
            proxy.set(Way::Open);
            warm(&shop).await;
            proxy.set(Way::Swallowed);
            if written {
                shop.store.write(Box::new(rename(&shop, 1, "Anna")), None).await.unwrap();
            }
            let began = Instant::now();
            for _ in 0..10 {
                assert!(row(&shop, &shop.read_customer, 1).await.is_some());
                shop.store.read(&shop.drafts, &[Value::Int(1), Value::Int(5)]).await.unwrap();
            }
            let took = began.elapsed();
            assert!(took < Duration::from_secs(3), "{took:?}");
        }
    });
    // Silent from the start: looked at for a bounded time, and then not waited for.
    let began = Instant::now();
    let late = bench.server(&through);
    let took = began.elapsed();
    assert!(took < Duration::from_secs(6), "{took:?}");
    let [(_, Some(reason))] = &late.store.replicas()[..] else { panic!("it is used") };
    assert!(reason.contains("does not answer"), "{reason}");
    bench.runtime.block_on(async {
        let began = Instant::now();
        for _ in 0..20 {
            assert!(row(&late, &late.read_customer, 1).await.is_some());
        }
        assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
        // It comes later, and is used.
        proxy.set(Way::Open);
        warm(&late).await;
    });
}

#[test]
fn tables_that_change_are_read_as_they_are() {
    let bench = Bench::new();
    let shop = bench.server(&[bench.replica_url()]);
    fill(&shop);
    bench.runtime.block_on(async {
        warm(&shop).await;
        // The replica has not heard of it yet.
        bench.on_replica("SELECT pg_wal_replay_pause()");
        let change = [r#"ALTER TABLE customer ALTER COLUMN email TYPE varchar(200)"#.to_owned()];
        tokio::task::block_in_place(|| shop.store.execute_schema(&change)).unwrap();
        shop.store.write(Box::new(rename(&shop, 2, "Bert")), None).await.unwrap();
        for _ in 0..20 {
            let (json, _) = row(&shop, &shop.read_customer, 2).await.unwrap();
            assert!(json.contains("Bert"), "{json}");
        }
        bench.on_replica("SELECT pg_wal_replay_resume()");
        warm(&shop).await;
        let (json, _) = row(&shop, &shop.read_customer, 2).await.unwrap();
        assert!(json.contains("Bert"), "{json}");
        // What only the primary lets read is read there.
        let (_, name) = bench.url.rsplit_once('/').unwrap();
        bench.primary.psql(name, "CREATE ROLE reader LOGIN");
    });
    let (_, rest) = bench.url.split_once('@').unwrap();
    let name = rest.rsplit_once('/').unwrap().1;
    let poor = format!("postgres://reader@127.0.0.1:{}/{name}", bench.replica.port());
    std::thread::sleep(Duration::from_millis(500));
    let shop = bench.server(&[poor]);
    bench.runtime.block_on(async {
        for _ in 0..50 {
            assert!(row(&shop, &shop.read_customer, 1).await.is_some());
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    });
    let reads = reads(&shop);
    assert!(reads.served == 0 && reads.failed > 0, "{reads:?} {:?}", shop.store.replicas());
}

#[test]
fn what_is_acknowledged_before_it_is_flushed_is_seen() {
    let bench = Bench::new();
    for sql in [
        "ALTER SYSTEM SET synchronous_commit = off",
        "ALTER SYSTEM SET wal_writer_delay = '2s'",
        "SELECT pg_reload_conf()",
    ] {
        bench.primary.psql("postgres", sql);
    }
    let shop = bench.server(&[bench.replica_url()]);
    fill(&shop);
    bench.runtime.block_on(async {
        warm(&shop).await;
        for turn in 0..60 {
            let name = format!("Ann {turn}");
            shop.store.write(Box::new(rename(&shop, 1, &name)), None).await.unwrap();
            let (json, _) = row(&shop, &shop.read_customer, 1).await.unwrap();
            assert!(json.contains(&name), "{name}: {json}");
        }
    });
}

#[test]
fn a_replica_that_cancels_fails_no_read() {
    let bench = Bench::new();
    // Nothing that is replayed waits for who reads.
    for sql in ["ALTER SYSTEM SET max_standby_streaming_delay = 0", "SELECT pg_reload_conf()"] {
        bench.on_replica(sql);
    }
    let shop = bench.server(&[bench.replica_url()]);
    fill(&shop);
    bench.runtime.block_on(warm(&shop));
    let (_, name) = bench.url.rsplit_once('/').unwrap();
    let until = Instant::now() + Duration::from_secs(3);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while Instant::now() < until {
                bench.primary.psql(name, "ALTER TABLE customer ADD COLUMN more int DEFAULT 1");
                bench.primary.psql(name, "VACUUM FULL \"order\"");
                bench.primary.psql(name, "ALTER TABLE customer DROP COLUMN more");
            }
        });
        bench.runtime.block_on(async {
            let readers = (1..=8_i64).map(|order| {
                let shop = &shop;
                async move {
                    while Instant::now() < until {
                        assert!(row(shop, &shop.read_order, order).await.is_some());
                        let binds = [Value::Int(1), Value::Int(5)];
                        shop.store.read(&shop.active_orders, &binds).await.unwrap();
                    }
                }
            });
            futures_util::future::join_all(readers).await;
        });
    });
    bench.runtime.block_on(warm(&shop));
}

#[test]
fn after_a_failover_a_replica_is_read_from_once_it_follows_the_new_primary() {
    let bench = Bench::new();
    fill(&bench.server(&[]));
    let (old, new, replica) = (&bench.primary, &bench.replica, bench.primary.replica());
    // Both have all of it, and nothing more comes.
    let replayed = |server: &Postgres| {
        server.psql("postgres", "SELECT pg_last_wal_replay_lsn()").trim().to_owned()
    };
    let began = Instant::now();
    loop {
        let all = old.psql("postgres", "SELECT pg_current_wal_flush_lsn()").trim().to_owned();
        if replayed(new) == all && replayed(&replica) == all {
            break;
        }
        assert!(began.elapsed() < Duration::from_secs(30), "they do not follow");
        std::thread::sleep(Duration::from_millis(20));
    }
    old.kill();
    new.psql("postgres", "SELECT pg_promote()");
    let from = format!("host=127.0.0.1 port={} user=postgres", new.port());
    replica.psql("postgres", &format!("ALTER SYSTEM SET primary_conninfo = '{from}'"));
    replica.psql("postgres", "SELECT pg_reload_conf()");
    let urls = [replica.like(&bench.url)];
    let connect = |server: &Postgres| {
        let store = Store::connect_with(&server.like(&bench.url), &urls, Options::default());
        Shop::around(tempfile::tempdir().unwrap(), store.unwrap())
    };
    let shop = connect(new);
    bench.runtime.block_on(async {
        // It does not tell yet whose log it follows.
        for _ in 0..50 {
            assert!(row(&shop, &shop.read_customer, 1).await.is_some());
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        assert_eq!(reads(&shop).served, 0);
        shop.store.write(Box::new(rename(&shop, 1, "Anna")), None).await.unwrap();
        let (_, name) = bench.url.rsplit_once('/').unwrap();
        let ask = "SELECT name FROM customer WHERE id = 1";
        while replica.psql(name, ask).trim() != "Anna" {
            assert!(began.elapsed() < Duration::from_secs(30), "it does not follow");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        new.psql(name, "CHECKPOINT");
        let timeline = "SELECT timeline_id FROM pg_control_checkpoint()";
        while replica.psql(name, timeline).trim() != "2" {
            assert!(began.elapsed() < Duration::from_secs(30), "it has no restart point");
            replica.psql(name, "CHECKPOINT");
        }
        warm(&shop).await;
        let (json, _) = row(&shop, &shop.read_customer, 1).await.unwrap();
        assert!(json.contains("Anna"), "{json}");
    });
    // For whom the old primary is still the one, it has another log.
    old.restart();
    let shop = connect(old);
    bench.runtime.block_on(async {
        for _ in 0..50 {
            let (json, _) = row(&shop, &shop.read_customer, 1).await.unwrap();
            assert!(!json.contains("Anna"), "{json}");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    });
    assert_eq!(reads(&shop).served, 0);
}

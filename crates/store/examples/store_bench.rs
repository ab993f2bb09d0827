//! How fast the store is by itself, without a server in front: `cargo run --release --example store_bench`.
//!
//! Figures depend on the machine; their ratios say what a technique is worth. CPU time is that of the whole
//! process, clients included; it is 0 where the system does not tell it as Linux does.

#![expect(clippy::print_stdout, reason = "its output is what it is for")]
#![expect(clippy::unwrap_used, reason = "a measurement that fails has no result to save")]

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use operation::{
    Cardinality, Column, Create, Edit, Expression, Field, Guard, Ident, Object, Output, PartRow,
    Read, ReadId, Scalar, SetColumn, Table, TableId, Target, Value, Write,
};
use store::{Options, Store};

const ROWS: i64 = 100_000;
const LASTS: Duration = Duration::from_millis(1_500);

fn main() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bench.db");
    let shop = Shop::new();
    shop.fill(&path);

    let plain = Options { answers: 0, ..Options::default() };
    let kept = Options::default();
    // Too little room for what is asked: what keeping costs where nothing comes of it.
    let small = Options { answers: 1 << 20, ..Options::default() };
    for (name, options) in
        [("answers not kept", &plain), ("answers kept", &kept), ("1 MiB of answers kept", &small)]
    {
        for (keys, of) in [("all rows", ROWS), ("1,000 rows", 1_000)] {
            for threads in [1, 2] {
                let store = Store::open(&path, options.clone()).unwrap();
                let cpu = Cpu::now();
                let rate = shop.reads(&store, threads, of);
                let cpu = cpu.each(rate);
                let hits = store.statistics().answer_hits * 100
                    / (store.statistics().answer_hits + store.statistics().reads).max(1);
                println!(
                    "read by key, {name}, {keys}, {threads} thread(s): {rate}/s, {cpu} each, {hits} % hits"
                );
            }
        }
    }
    for batch in [1, 8, 64] {
        for clients in [1, 32, 128] {
            let store = Store::open(&path, Options { batch, ..Options::default() }).unwrap();
            let cpu = Cpu::now();
            let (rate, slowest) = shop.writes(&store, clients);
            let cpu = cpu.each(rate);
            println!(
                "create, {batch} a commit, {clients} client(s): {rate}/s, {cpu} each, p99 {slowest:?}"
            );
        }
    }
    for (name, options) in [("answers not kept", &plain), ("answers kept", &kept)] {
        for (keys, of) in [("all rows", ROWS), ("5,000 rows", 5_000)] {
            let store = Store::open(&path, options.clone()).unwrap();
            let cpu = Cpu::now();
            let rate = shop.mixed(&store, 32, of);
            let cpu = cpu.each(rate);
            let figures = store.statistics();
            let hits = figures.answer_hits * 100 / (figures.answer_hits + figures.reads).max(1);
            println!(
                "9 reads and 1 write, 32 clients, {name}, {keys}: {rate}/s, {cpu} each, {hits} % hits"
            );
        }
    }
}

/// CPU time of this process so far, in hundredths of a second.
struct Cpu(u64);

impl Cpu {
    fn now() -> Self {
        let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
        let after_name = stat.rsplit(')').next().unwrap_or_default();
        let fields = after_name.split_whitespace().skip(11).take(2);
        Self(fields.filter_map(|field| field.parse::<u64>().ok()).sum())
    }

    /// Since then, for each of so many operations a second.
    fn each(&self, rate: u64) -> String {
        let spent = (Self::now().0 - self.0) as f64 / 100.0;
        format!("{:.2} µs CPU", spent / LASTS.as_secs_f64() / (rate.max(1) as f64) * 1e6)
    }
}

struct Shop {
    table: Arc<Table>,
    target: Arc<Target>,
    read: Arc<Read>,
}

impl Shop {
    fn new() -> Self {
        let columns = [
            ("id", Scalar::Int),
            ("name", Scalar::Text),
            ("email", Scalar::Text),
            ("city", Scalar::Text),
            ("credit", Scalar::Decimal { scale: 2 }),
            ("since", Scalar::Timestamp),
            ("row_version", Scalar::Int),
        ];
        let columns = columns.map(|(name, scalar)| Column {
            name: Ident::fit(name),
            field: if name == "row_version" { "".into() } else { name.into() },
            scalar,
            nullable: false,
            native: None,
        });
        let table = Arc::new(Table {
            id: TableId(0),
            rank: 0,
            name: Ident::fit("customer"),
            entity: "Customer".into(),
            columns: columns.to_vec(),
            key: vec![0],
            root: None,
            auto: Some(0),
            version: Some(6),
            uniques: Vec::new(),
            foreign_keys: Vec::new(),
            tracked: vec![0],
        });
        let target = Target {
            id: ReadId::fresh(),
            table: table.clone(),
            visible: Guard::Always,
            computed: Vec::new(),
            checks: Vec::new(),
            flows: Vec::new(),
            references: Vec::new(),
            immutable: Vec::new(),
            parts: Vec::new(),
        };
        let fields = (0..6)
            .map(|column| {
                Field::new(&table.columns[column].field, Output::Column { source: 0, column })
            })
            .collect();
        let read = Read {
            id: ReadId::fresh(),
            table: table.clone(),
            joins: Vec::new(),
            filter: Expression::equal(Expression::column(0), Expression::Bind(0)),
            order: Vec::new(),
            cardinality: Cardinality::One,
            output: Object { fields },
            root_bind: None,
            index: None,
        };
        Self { table, target: Arc::new(target), read: Arc::new(read) }
    }

    fn fill(&self, path: &Path) {
        let store = Store::open(path, Options::default()).unwrap();
        let ddl = "CREATE TABLE customer (id INTEGER PRIMARY KEY, name TEXT NOT NULL, \
                   email TEXT NOT NULL, city TEXT NOT NULL, credit INTEGER NOT NULL, \
                   since INTEGER NOT NULL, row_version INTEGER NOT NULL DEFAULT 1)";
        store.execute_schema(&[ddl.to_owned()]).unwrap();
        let rows = (1..=ROWS).map(|id| Ok::<_, String>((self.table.clone(), row(Value::Int(id)))));
        let began = Instant::now();
        store.load(rows).unwrap();
        println!("load: {} rows/s", (ROWS as f64 / began.elapsed().as_secs_f64()) as u64);
    }

    fn reads(&self, store: &Store, threads: usize, of: i64) -> u64 {
        let (done, count) = (AtomicBool::new(false), AtomicU64::new(0));
        let began = Instant::now();
        std::thread::scope(|scope| {
            for thread in 0..threads {
                let (done, count) = (&done, &count);
                scope.spawn(move || {
                    let mut seed = thread as u64 + 1;
                    let mut read = 0;
                    while !done.load(Ordering::Relaxed) {
                        for _ in 0..64 {
                            let key = 1 + (random(&mut seed) % of as u64) as i64;
                            store.read_blocking(&self.read, &[Value::Int(key)]).unwrap();
                        }
                        read += 64;
                    }
                    count.fetch_add(read, Ordering::Relaxed);
                });
            }
            std::thread::sleep(LASTS);
            done.store(true, Ordering::Relaxed);
        });
        (count.into_inner() as f64 / began.elapsed().as_secs_f64()) as u64
    }

    fn create(&self) -> Write {
        Write::Create(Create {
            target: self.target.clone(),
            binds: Vec::new(),
            row: PartRow { values: row(Value::Null), named: Vec::new() },
            parts: Vec::new(),
            guard: Guard::Always,
            answer: self.read.clone(),
        })
    }

    fn edit(&self, key: i64) -> Write {
        Write::Edit(Edit {
            target: self.target.clone(),
            binds: Vec::new(),
            key: Value::Int(key),
            expected: None,
            guard: Guard::Always,
            guard_after: Guard::Always,
            set: vec![SetColumn { column: 4, value: Value::Int(key), named: true }],
            parts: Vec::new(),
            answer: self.read.clone(),
            answer_key: None,
        })
    }

    fn writes(&self, store: &Store, clients: usize) -> (u64, Duration) {
        let mut times = self.run(clients, 1, |_| {
            let write = store.write(Box::new(self.create()), None);
            async move {
                write.await.unwrap();
            }
        });
        times.sort_unstable();
        let rate = times.len() as f64 / LASTS.as_secs_f64();
        (rate as u64, times[times.len() * 99 / 100])
    }

    fn mixed(&self, store: &Store, clients: usize, of: i64) -> u64 {
        let times = self.run(clients, 2, |seed| {
            let key = 1 + (random(seed) % of as u64) as i64;
            let write = random(seed)
                .is_multiple_of(10)
                .then(|| store.write(Box::new(self.edit(key)), None));
            if write.is_none() {
                store.read_blocking(&self.read, &[Value::Int(key)]).unwrap();
            }
            async move {
                match write {
                    Some(write) => {
                        write.await.unwrap();
                    }
                    None => tokio::task::yield_now().await,
                }
            }
        });
        (times.len() as f64 / LASTS.as_secs_f64()) as u64
    }

    /// Runs clients over threads; the answer is how long each of their turns took.
    fn run<F: Future<Output = ()>>(
        &self,
        clients: usize,
        threads: usize,
        turn: impl Fn(&mut u64) -> F + Sync,
    ) -> Vec<Duration> {
        std::thread::scope(|scope| {
            let handles: Vec<_> = (0..threads)
                .map(|thread| {
                    let turn = &turn;
                    scope.spawn(move || {
                        let runtime =
                            tokio::runtime::Builder::new_current_thread().build().unwrap();
                        let local = tokio::task::LocalSet::new();
                        let began = Instant::now();
                        let client = async |client: usize| {
                            let mut seed = (client * 64 + thread) as u64 + 1;
                            let mut times = Vec::new();
                            while began.elapsed() < LASTS {
                                let turn_began = Instant::now();
                                turn(&mut seed).await;
                                times.push(turn_began.elapsed());
                            }
                            times
                        };
                        let all = join((0..clients.div_ceil(threads)).map(client).collect());
                        runtime.block_on(local.run_until(all))
                    })
                })
                .collect();
            handles.into_iter().flat_map(|handle| handle.join().unwrap()).collect()
        })
    }
}

/// Runs futures together until all have ended.
async fn join<F: Future<Output = Vec<Duration>>>(futures: Vec<F>) -> Vec<Duration> {
    let mut running: Vec<_> = futures.into_iter().map(|future| Some(Box::pin(future))).collect();
    let mut all = Vec::new();
    std::future::poll_fn(|context| {
        let mut left = false;
        for slot in &mut running {
            if let Some(future) = slot {
                match future.as_mut().poll(context) {
                    std::task::Poll::Ready(times) => {
                        all.extend(times);
                        *slot = None;
                    }
                    std::task::Poll::Pending => left = true,
                }
            }
        }
        if left { std::task::Poll::Pending } else { std::task::Poll::Ready(()) }
    })
    .await;
    all
}

fn row(key: Value) -> Vec<Value> {
    vec![
        key,
        Value::text("Augusta Example"),
        Value::text("augusta.example@example.org"),
        Value::text("Gouda"),
        Value::Int(123_456),
        Value::Int(1_700_000_000_000_000),
        Value::Int(1),
    ]
}

fn random(seed: &mut u64) -> u64 {
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    seed.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 16
}

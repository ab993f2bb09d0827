//! What is counted: requests by route, method and status, and how long they took. Each thread counts for itself.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;
use std::sync::atomic::{AtomicI64, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use engine::exchange::Traffic;
use engine::{Backlog, Figures, Queue, ReplicaReads, Statistics};
use parking_lot::Mutex;

/// Every status that Mimar answers by itself. Errors of a model may have others.
const STATUSES: &[u16] = &[
    200, 201, 202, 204, 303, 304, 400, 401, 403, 404, 405, 406, 408, 409, 412, 413, 414, 415, 422,
    431, 500, 503,
];

/// Upper bounds of the histogram's buckets, in microseconds; the last has none.
const BOUNDS: &[u64] = &[
    100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 1_000_000,
    5_000_000,
];

/// Counters of one route and method.
#[derive(Debug, Default)]
pub(crate) struct Counter {
    shards: OnceLock<Box<[Shard]>>,
    /// Answers with other statuses.
    others: Mutex<BTreeMap<u16, u64>>,
}

/// What one thread counts; on cache lines of its own.
#[derive(Debug)]
#[repr(align(128))]
struct Shard {
    statuses: [AtomicU64; STATUSES.len()],
    buckets: [AtomicU64; BOUNDS.len() + 1],
    micros: AtomicU64,
}

impl Default for Shard {
    fn default() -> Self {
        Self {
            statuses: std::array::from_fn(|_| AtomicU64::new(0)),
            buckets: std::array::from_fn(|_| AtomicU64::new(0)),
            micros: AtomicU64::new(0),
        }
    }
}

/// How many shards a counter has.
fn shards() -> usize {
    static COUNT: OnceLock<usize> = OnceLock::new();
    *COUNT.get_or_init(|| {
        std::thread::available_parallelism().map_or(1, usize::from).next_power_of_two().min(8)
    })
}

/// The number of this thread.
fn thread() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static NUMBER: usize = NEXT.fetch_add(1, Ordering::Relaxed);
    }
    NUMBER.with(|number| *number)
}

impl Counter {
    /// Counts one answer.
    pub(crate) fn count(&self, status: u16, took: Duration) {
        // Routes that nobody asks for cost nothing.
        let all = self.shards.get_or_init(|| (0..shards()).map(|_| Shard::default()).collect());
        let Some(shard) = all.get(thread() & (all.len() - 1)) else { return };
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let known = STATUSES.iter().position(|s| *s == status);
        match known.and_then(|at| shard.statuses.get(at)) {
            Some(count) => {
                count.fetch_add(1, Ordering::Relaxed);
            }
            None => *self.others.lock().entry(status).or_default() += 1,
        }
        let bucket = BOUNDS.iter().position(|bound| micros <= *bound).unwrap_or(BOUNDS.len());
        if let Some(bucket) = shard.buckets.get(bucket) {
            bucket.fetch_add(1, Ordering::Relaxed);
        }
        shard.micros.fetch_add(micros, Ordering::Relaxed);
    }
}

/// What becomes of tasks.
#[derive(Debug, Default)]
pub(crate) struct Work {
    /// What the worker of this process has come to.
    pub(crate) done: Figures,
    /// How many there are, whoever carries them out; nothing where the database does not say.
    pub(crate) queue: Option<Queue>,
    /// What has gone to the broker and come from it, and what waits for it where the database says so; nothing without a broker.
    pub(crate) exchanged: Option<(Traffic, Option<Backlog>)>,
}

/// All counters of the process.
#[derive(Debug, Default)]
pub(crate) struct Metrics {
    counters: Mutex<HashMap<(&'static str, String), Arc<Counter>>>,
    /// Open connections.
    pub(crate) connections: AtomicI64,
    /// Handlers that panicked.
    pub(crate) panics: AtomicU64,
}

impl Metrics {
    /// The counter of a method and a path template; the same over reloads.
    pub(crate) fn counter(&self, method: &'static str, template: &str) -> Arc<Counter> {
        let mut counters = self.counters.lock();
        Arc::clone(counters.entry((method, template.to_owned())).or_default())
    }

    /// Everything, in the text format of Prometheus (version 0.0.4).
    pub(crate) fn text(&self, store: &Statistics, work: &Work) -> String {
        let mut out = String::with_capacity(4096);
        self.requests(&mut out);
        let connections = self.connections.load(Ordering::Relaxed).max(0);
        let connections = u64::try_from(connections).unwrap_or(0);
        for (name, kind, help, value) in [
            ("mimar_connections", "gauge", "Open connections.", connections),
            (
                "mimar_panics_total",
                "counter",
                "Handlers that panicked.",
                self.panics.load(Ordering::Relaxed),
            ),
            ("mimar_store_queue", "gauge", "Writes that wait.", store.queue),
            (
                "mimar_store_overloaded_total",
                "counter",
                "Writes refused because the queue was full.",
                store.overloaded,
            ),
            ("mimar_store_commits_total", "counter", "Commits.", store.commits),
            ("mimar_store_writes_total", "counter", "Writes acknowledged.", store.writes),
            ("mimar_store_failures_total", "counter", "Writes that failed.", store.failures),
            (
                "mimar_store_ahead_total",
                "counter",
                "Commands that were worked out before their turn to write.",
                store.ahead,
            ),
            (
                "mimar_store_reads_total",
                "counter",
                "Reads that the database answered.",
                store.reads,
            ),
            (
                "mimar_store_gathered_total",
                "counter",
                "Of them those that another read's statement answered.",
                store.gathered,
            ),
            (
                "mimar_store_answer_hits_total",
                "counter",
                "Reads that a kept answer served.",
                store.answer_hits,
            ),
            (
                "mimar_store_answer_misses_total",
                "counter",
                "Reads for which no valid answer was kept.",
                store.answer_misses,
            ),
            ("mimar_store_answer_bytes", "gauge", "Bytes of kept answers.", store.answer_bytes),
            (
                "mimar_store_snapshots_total",
                "counter",
                "Snapshots that threads took to read SQLite with.",
                store.snapshots,
            ),
            ("mimar_store_log_bytes", "gauge", "Size of the write-ahead log.", store.log_bytes),
            ("mimar_store_checkpoints_total", "counter", "Checkpoints.", store.checkpoints),
            ("mimar_events_total", "counter", "Events published.", store.events),
            ("mimar_tasks_done_total", "counter", "Tasks done, and runs of jobs.", work.done.done),
            (
                "mimar_tasks_failed_total",
                "counter",
                "Attempts at tasks that failed.",
                work.done.failed,
            ),
            (
                "mimar_webhook_delivered_total",
                "counter",
                "Deliveries that have arrived at their endpoints.",
                work.done.delivered,
            ),
            (
                "mimar_webhook_failed_total",
                "counter",
                "Attempts to deliver that failed.",
                work.done.undelivered,
            ),
        ] {
            let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}\n{name} {value}");
        }
        if let Some(reads) = &store.replicas {
            replicated(&mut out, reads);
        }
        if let Some(queue) = &work.queue {
            queued(&mut out, queue);
        }
        if let Some((traffic, backlog)) = &work.exchanged {
            exchanged(&mut out, traffic, backlog.as_ref());
        }
        out
    }

    fn requests(&self, out: &mut String) {
        let counters = self.counters.lock();
        let mut used: Vec<_> = counters
            .iter()
            .filter_map(|((method, route), counter)| {
                Some((route, *method, counter.shards.get()?, &counter.others))
            })
            .collect();
        used.sort_by_key(|(route, method, ..)| (*route, *method));
        let _ = writeln!(
            out,
            "# HELP mimar_requests_total Requests answered.\n# TYPE mimar_requests_total counter"
        );
        for (route, method, shards, others) in &used {
            let known = STATUSES.iter().enumerate();
            let known = known.map(|(at, status)| (*status, sum(shards, |it| it.statuses.get(at))));
            let others = others.lock().clone();
            for (status, count) in known.chain(others) {
                if count > 0 {
                    let _ = writeln!(
                        out,
                        "mimar_requests_total{{method=\"{method}\",route=\"{route}\",status=\"{status}\"}} {count}"
                    );
                }
            }
        }
        let _ = writeln!(
            out,
            "# HELP mimar_request_seconds Time from the header's end to the answer.\n# TYPE mimar_request_seconds histogram"
        );
        for (route, method, shards, _) in &used {
            let labels = format!("method=\"{method}\",route=\"{route}\"");
            let mut total = 0;
            for (at, bound) in BOUNDS.iter().map(Some).chain([None]).enumerate() {
                total += sum(shards, |shard| shard.buckets.get(at));
                let _ = match bound {
                    Some(micros) => writeln!(
                        out,
                        "mimar_request_seconds_bucket{{{labels},le=\"{}\"}} {total}",
                        seconds(*micros)
                    ),
                    None => writeln!(
                        out,
                        "mimar_request_seconds_bucket{{{labels},le=\"+Inf\"}} {total}"
                    ),
                };
            }
            let micros = sum(shards, |shard| Some(&shard.micros));
            let _ = writeln!(
                out,
                "mimar_request_seconds_sum{{{labels}}} {}\nmimar_request_seconds_count{{{labels}}} {total}",
                seconds(micros)
            );
        }
    }
}

/// How long ago a moment is, in microseconds since 1970-01-01T00:00:00Z; nothing where there is none.
fn since(moment: Option<i64>) -> Duration {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let moment = moment.and_then(|moment| u64::try_from(moment).ok());
    moment.map_or(Duration::ZERO, |moment| now.saturating_sub(Duration::from_micros(moment)))
}

fn exchanged(out: &mut String, traffic: &Traffic, backlog: Option<&Backlog>) {
    let Traffic { published, failed, received, unreadable } = *traffic;
    for (name, help, value) in [
        ("published", "Events that the broker has acknowledged.", published),
        ("failed", "Attempts to send events that the broker has not acknowledged.", failed),
        ("received", "Events that came from the broker.", received),
        ("unreadable", "What came from the broker and could not be read.", unreadable),
    ] {
        let name = format!("mimar_broker_{name}_total");
        let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} counter\n{name} {value}");
    }
    let Some(backlog) = backlog else { return };
    let oldest = since(backlog.oldest).as_secs_f64();
    for (name, help, value) in [
        ("waiting", "Events that wait for the broker.", backlog.waiting as f64),
        ("oldest_seconds", "How old the first event is that waits for the broker.", oldest),
    ] {
        let name = format!("mimar_broker_{name}");
        let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} gauge\n{name} {value}");
    }
}

fn replicated(out: &mut String, reads: &ReplicaReads) {
    let name = "mimar_store_replica_reads_total";
    let help = "Reads by where they were made: on a replica, or on the primary because no replica had all that was acknowledged before \
                (behind), none was connected to (away), or the one that was asked failed.";
    let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} counter");
    for (made, why, count) in [
        ("replica", "", reads.served),
        ("primary", "behind", reads.behind),
        ("primary", "away", reads.away),
        ("primary", "failed", reads.failed),
    ] {
        let _ = writeln!(out, "{name}{{made=\"{made}\",why=\"{why}\"}} {count}");
    }
}

fn queued(out: &mut String, queue: &Queue) {
    let waited = since(queue.oldest);
    for (name, help, value) in [
        ("mimar_webhook_waiting", "Deliveries that wait for their endpoints.", queue.deliveries),
        ("mimar_webhook_endpoints_disabled", "Endpoints that nothing is sent to.", queue.disabled),
    ] {
        let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} gauge\n{name} {value}");
    }
    for (name, help, value) in [
        ("waiting", "Tasks that wait, also for their time.", queue.waiting as f64),
        ("taken", "Tasks that are carried out.", queue.taken as f64),
        ("failing", "Tasks that have failed and are tried again.", queue.failing as f64),
        ("parked", "Tasks that have failed too often: `mimar events dead`.", queue.parked as f64),
        ("oldest_seconds", "How long the task waits that is due longest.", waited.as_secs_f64()),
    ] {
        let name = format!("mimar_tasks_{name}");
        let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} gauge\n{name} {value}");
    }
}

fn sum<'a>(shards: &'a [Shard], of: impl Fn(&'a Shard) -> Option<&'a AtomicU64>) -> u64 {
    shards.iter().filter_map(of).map(|count| count.load(Ordering::Relaxed)).sum()
}

fn seconds(micros: u64) -> f64 {
    micros as f64 / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_counted() {
        let metrics = Metrics::default();
        let counter = metrics.counter("GET", "/v1/products/{sku}");
        counter.count(200, Duration::from_micros(80));
        counter.count(404, Duration::from_micros(300));
        counter.count(299, Duration::from_secs(60));
        let queue = Queue {
            waiting: 3,
            failing: 2,
            parked: 1,
            deliveries: 5,
            disabled: 2,
            ..Queue::default()
        };
        let done = Figures { delivered: 7, undelivered: 8, ..Figures::default() };
        let traffic = Traffic { published: 5, unreadable: 2, ..Traffic::default() };
        let exchanged = Some((traffic, Some(Backlog { waiting: 4, oldest: None })));
        let work = Work { queue: Some(queue), done, exchanged };
        let replicas = Some(ReplicaReads { served: 9, behind: 6, ..ReplicaReads::default() });
        let store = Statistics { replicas, ..Statistics::default() };
        let text = metrics.text(&store, &work);
        for line in [
            r#"mimar_requests_total{method="GET",route="/v1/products/{sku}",status="200"} 1"#,
            r#"mimar_requests_total{method="GET",route="/v1/products/{sku}",status="299"} 1"#,
            r#"mimar_request_seconds_bucket{method="GET",route="/v1/products/{sku}",le="0.0001"} 1"#,
            r#"mimar_request_seconds_bucket{method="GET",route="/v1/products/{sku}",le="+Inf"} 3"#,
            r#"mimar_store_replica_reads_total{made="replica",why=""} 9"#,
            r#"mimar_store_replica_reads_total{made="primary",why="behind"} 6"#,
            "mimar_tasks_waiting 3",
            "mimar_tasks_failing 2",
            "mimar_tasks_oldest_seconds 0",
            "mimar_broker_published_total 5",
            "mimar_broker_unreadable_total 2",
            "mimar_broker_waiting 4",
            "mimar_broker_oldest_seconds 0",
            "mimar_webhook_delivered_total 7",
            "mimar_webhook_failed_total 8",
            "mimar_webhook_waiting 5",
            "mimar_webhook_endpoints_disabled 2",
        ] {
            assert!(text.contains(line), "{text}");
        }
    }
}

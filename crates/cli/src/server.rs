//! The runtime, the server on it, and how both end.

use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use engine::{Engine, Terms, exchange, webhook};
use serve::http::{Origins, Settings};
use store::{Store, Workers};
use tokio::net::TcpListener;
use tokio::runtime::{Handle, Runtime};
use tokio::sync::watch;

use crate::failure::Failure;

/// How long requests under way get to end.
const DRAIN: Duration = Duration::from_secs(10);

/// For whom is served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Somebody who writes the model, and the page they try it from.
    Development,
    /// Everybody.
    Production {
        /// Origins whose pages may call.
        origins: Vec<String>,
        /// Whether webhooks may send to private networks.
        to_private: bool,
        /// For how long events are kept.
        keep_events: Duration,
    },
}

/// An async runtime with so many threads, or one for each processor, whose requests come to a store: it is told when they rest.
pub(crate) fn runtime(threads: Option<usize>, store: &Store) -> Result<Runtime, Failure> {
    let threads =
        threads.or_else(|| thread::available_parallelism().ok().map(usize::from)).unwrap_or(1);
    runtime_of(threads, store.workers(threads))
}

fn runtime_of(threads: usize, workers: Workers) -> Result<Runtime, Failure> {
    let resting = workers.clone();
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(threads)
        .on_thread_park(move || resting.rest())
        .on_thread_unpark(move || workers.run())
        .enable_all()
        .thread_name("worker")
        .build()
        .map_err(Failure::Runtime)
}

/// An async runtime of one thread, for a command that asks something and ends.
pub(crate) fn small_runtime() -> Result<Runtime, Failure> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .map_err(Failure::Runtime)
}

/// Threads with a runtime each, for connections whose requests wait for a database elsewhere; they end with this.
///
/// A request that waits is woken where its answer arrives. On one runtime for all threads that is often another thread than the
/// one that has its connection, and each crossing costs as much as parsing the request.
pub(crate) struct Threads {
    stop: watch::Sender<bool>,
    handles: Vec<Handle>,
    threads: Vec<JoinHandle<()>>,
}

impl Threads {
    /// None.
    pub(crate) fn none() -> Self {
        let (stop, _) = watch::channel(false);
        Self { stop, handles: Vec::new(), threads: Vec::new() }
    }

    /// So many, or one for each processor.
    pub(crate) fn start(count: Option<usize>) -> Result<Self, Failure> {
        let count = count.or_else(|| thread::available_parallelism().ok().map(usize::from));
        let mut threads = Self::none();
        for number in 0..count.unwrap_or(1).max(1) {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let runtime = runtime.map_err(Failure::Runtime)?;
            threads.handles.push(runtime.handle().clone());
            let mut stopped = threads.stop.subscribe();
            let thread = thread::Builder::new().name(format!("worker-{number}"));
            let run = move || {
                runtime.block_on(async {
                    tokio::select! {
                        // An error is a sender that has gone, which is an end as well.
                        _ = stopped.wait_for(|stopped| *stopped) => {}
                        () = tick() => {}
                    }
                });
            };
            threads.threads.push(thread.spawn(run).map_err(Failure::Runtime)?);
        }
        Ok(threads)
    }
}

/// Never ends, and has a timer that is due soon all the while. A timer that is due before all others makes the runtime wake itself,
/// by a system call and a round of its loop: each question to the database would, as its time is limited.
async fn tick() {
    loop {
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        self.stop.send_replace(true);
        for thread in self.threads.drain(..) {
            // One that has panicked has said so.
            let _ = thread.join();
        }
    }
}

/// Serves until SIGTERM or SIGINT, then stops accepting, lets requests end and the writer finish.
pub(crate) async fn serve(
    listener: TcpListener,
    engine: Arc<Engine>,
    mode: Mode,
    exchanging: Option<exchange::Settings>,
    threads: &Threads,
) -> Result<(), Failure> {
    let (origins, to_private, terms) = match mode {
        Mode::Development => (Origins::Any, true, Terms::default()),
        Mode::Production { origins, to_private, keep_events: kept } => {
            (Origins::Listed(origins), to_private, Terms { kept, ..Terms::default() })
        }
    };
    let worker = Arc::clone(&engine);
    let worker = tokio::spawn(async move {
        let sending = webhook::Settings::new(to_private);
        let exchanging = async {
            if let Some(settings) = &exchanging {
                worker.exchange(settings).await;
            }
        };
        tokio::join!(worker.work_with(terms), worker.send(&sending), exchanging)
    });
    let settings = Settings { origins, drain_time: DRAIN, ..Settings::default() };
    let outcome = serve::http::serve_on(
        threads.handles.clone(),
        listener,
        Arc::clone(&engine),
        settings,
        ended(),
    )
    .await;
    engine.rest();
    // What is not done by then comes back when its time has run out.
    let _ = tokio::time::timeout(DRAIN, worker).await;
    let closed = tokio::task::spawn_blocking(move || engine.close()).await;
    outcome.map_err(|error| Failure::Server(error.to_string()))?;
    closed.map_err(|error| Failure::Server(error.to_string()))
}

/// Resolves when the process is asked to end.
async fn ended() {
    let interrupt = tokio::signal::ctrl_c();
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        match signal(SignalKind::terminate()) {
            Ok(mut terminate) => tokio::select! {
                _ = interrupt => {}
                _ = terminate.recv() => {}
            },
            Err(_) => drop(interrupt.await),
        }
    }
    #[cfg(not(unix))]
    drop(interrupt.await);
    tracing::info!("asked to end: finishing what is under way");
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use store::Options;

    use super::*;

    #[test]
    fn the_store_knows_whether_a_thread_runs() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("rows.db"), Options::default()).unwrap();
        let workers = store.workers(2);
        let runtime = runtime_of(2, workers.clone()).unwrap();
        let rests = || {
            let until = Instant::now() + Duration::from_secs(30);
            while workers.any_runs() {
                assert!(Instant::now() < until, "nothing is to be done, and a thread runs");
                thread::yield_now();
            }
        };
        for _ in 0..100 {
            rests();
            let told = workers.clone();
            let runs =
                runtime.block_on(async { tokio::spawn(async move { told.any_runs() }).await });
            assert!(runs.unwrap());
        }
    }
}

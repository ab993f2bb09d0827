//! HTTP: the REST surface of a contract.
//!
//! Paths, methods and parameters come from the [`contract`], decisions from the engine. Nothing here knows a rule of
//! a model, and nothing elsewhere knows a status.

mod answer;
mod connection;
mod cors;
mod event;
mod fixed;
mod hook;
mod metrics;
mod negotiate;
mod page;
mod peer;
mod problem;
mod query;
mod receipt;
mod replay;
mod reply;
mod surface;
mod tag;
mod text;
mod trace;

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use arc_swap::ArcSwap;
use engine::Engine;
use parking_lot::Mutex;
use tokio::sync::Semaphore;

use metrics::{Counter, Metrics};
use surface::Surface;

pub use connection::{serve, serve_on};
pub use cors::Origins;

/// Bounds and habits of the door. Everything that waits has a time, everything that grows has a bound.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Open connections; further ones wait in the kernel's queue.
    pub connections: usize,
    /// The longest path and query, in bytes.
    pub uri_bytes: usize,
    /// Fields of a header; beyond 100 a connection is cut off without a word.
    pub header_fields: usize,
    /// Names and values of a header, in bytes.
    pub header_bytes: usize,
    /// The largest body, in bytes.
    pub body_bytes: usize,
    /// How long a connection may be without a request, its header still arriving or not begun: at least so long, at most
    /// twice.
    pub header_time: Duration,
    /// How long a body may take.
    pub body_time: Duration,
    /// How long requests under way get to end when the server stops.
    pub drain_time: Duration,
    /// From how many bytes an answer is compressed for callers who take gzip.
    pub compress_from: usize,
    /// Pages of which origins may call.
    pub origins: Origins,
    /// Streams of events that may be open at once; who asks for another is told to come later.
    pub streams: usize,
    /// Peers whose word about the caller's address is believed.
    pub proxies: Vec<IpAddr>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            connections: 4_096,
            uri_bytes: 8 << 10,
            header_fields: 64,
            header_bytes: 32 << 10,
            body_bytes: 1 << 20,
            header_time: Duration::from_secs(30),
            body_time: Duration::from_secs(30),
            drain_time: Duration::from_secs(30),
            compress_from: 1 << 10,
            origins: Origins::Listed(Vec::new()),
            streams: 256,
            proxies: Vec::new(),
        }
    }
}

/// What all connections share.
struct Door {
    engine: Arc<Engine>,
    settings: Settings,
    metrics: Metrics,
    /// Counts requests that reach no operation.
    other: Arc<Counter>,
    surface: ArcSwap<Surface>,
    /// Set when the server stops: connections end after their requests.
    stopping: Arc<AtomicBool>,
    /// One for each stream of events that may be opened.
    streams: Arc<Semaphore>,
    /// Held while a surface is made, so that a reload makes one and not one for each request.
    making: Mutex<()>,
}

impl Door {
    fn new(engine: Arc<Engine>, settings: Settings) -> Self {
        let metrics = Metrics::default();
        let surface = Surface::new(engine.loaded(), &metrics);
        Self {
            other: metrics.counter("*", "none"),
            surface: ArcSwap::from_pointee(surface),
            stopping: Arc::default(),
            streams: Arc::new(Semaphore::new(settings.streams)),
            making: Mutex::new(()),
            engine,
            settings,
            metrics,
        }
    }

    /// The surface of the model that a new request is served with.
    async fn surface(&self) -> arc_swap::Guard<Arc<Surface>> {
        let loaded = self.engine.current().await;
        let surface = self.surface.load();
        if surface.loaded.generation == loaded.generation {
            return surface;
        }
        let making = self.making.lock();
        if self.surface.load().loaded.generation < loaded.generation {
            self.surface.store(Arc::new(Surface::new(loaded, &self.metrics)));
        }
        drop(making);
        self.surface.load()
    }
}

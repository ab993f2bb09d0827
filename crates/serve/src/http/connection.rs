//! Connections: accepted within a bound, served until they end, drained when the server stops.

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::io;
use std::net::IpAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::task::Poll;
use std::time::Duration;

use engine::Engine;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use super::reply::{Body, Reply};
use super::{Door, Settings, answer};

/// Streams of one HTTP/2 connection that may be open at once.
const STREAMS: u32 = 128;
/// What hyper buffers of one HTTP/1 connection, in bytes; beyond it a header is refused.
const BUFFER: usize = 64 << 10;

/// Serves until `shutdown` ends, then lets requests under way end, within [`Settings::drain_time`].
///
/// Runs on a multi-threaded runtime: reads run on the worker that has the connection.
///
/// # Errors
/// When the listener is lost.
pub async fn serve(
    listener: TcpListener,
    engine: Arc<Engine>,
    settings: Settings,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    serve_on(Vec::new(), listener, engine, settings, shutdown).await
}

/// The same with each connection on one of these runtimes, that with the fewest, from its first byte to its last: what a
/// request waits for then never crosses threads. Without any they stay on the runtime that this runs on.
///
/// # Errors
/// When the listener is lost.
pub async fn serve_on(
    threads: Vec<Handle>,
    listener: TcpListener,
    engine: Arc<Engine>,
    settings: Settings,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let threads = threads.into_iter().map(|runtime| Thread { runtime, open: Arc::default() });
    let threads: Vec<Thread> = threads.collect();
    let drain_time = settings.drain_time;
    let permits = Arc::new(Semaphore::new(settings.connections.max(1)));
    let all = u32::try_from(settings.connections.max(1)).unwrap_or(u32::MAX);
    let door = Arc::new(Door::new(engine, settings));
    let (stop, stopping) = watch::channel(false);
    // Accepting is a task of a worker: the thread that blocks on this future would need waking for each connection.
    let accepting =
        tokio::spawn(accept(listener, threads, Arc::clone(&door), Arc::clone(&permits), stopping));
    shutdown.await;
    door.stopping.store(true, Ordering::Relaxed);
    let _ = stop.send(true);
    accepting.abort();
    // Whoever holds every permit knows that no connection is open.
    let _ = tokio::time::timeout(drain_time, permits.acquire_many(all)).await;
    Ok(())
}

/// A runtime that connections are given to.
struct Thread {
    runtime: Handle,
    /// Connections that it has.
    open: Arc<AtomicUsize>,
}

/// A connection of a [`Thread`].
struct Open(Arc<AtomicUsize>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

async fn accept(
    listener: TcpListener,
    threads: Vec<Thread>,
    door: Arc<Door>,
    permits: Arc<Semaphore>,
    stopping: watch::Receiver<bool>,
) {
    loop {
        let Ok(permit) = Arc::clone(&permits).acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, peer)) => {
                let (door, stopping) = (Arc::clone(&door), stopping.clone());
                let least = threads.iter().min_by_key(|thread| thread.open.load(Ordering::Relaxed));
                let Some(Thread { runtime, open }) = least else {
                    tokio::spawn(converse(stream, peer.ip(), door, permit, stopping));
                    continue;
                };
                open.fetch_add(1, Ordering::Relaxed);
                let open = Open(Arc::clone(open));
                // A socket belongs to the runtime that waits for it.
                let stream = stream.into_std();
                runtime.spawn(async move {
                    let _open = open;
                    match stream.and_then(TcpStream::from_std) {
                        Ok(stream) => converse(stream, peer.ip(), door, permit, stopping).await,
                        Err(error) => tracing::warn!(%error, "a connection was not taken over"),
                    }
                });
            }
            Err(error) => {
                // Out of descriptors, or a peer that left: the next may do better, but not at once.
                tracing::warn!(%error, "a connection was not accepted");
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    }
}

/// One open connection: what its requests share.
struct Connection {
    door: Arc<Door>,
    peer: IpAddr,
    /// Requests that began.
    begun: AtomicU64,
    /// Requests that ended.
    ended: AtomicU64,
}

impl Connection {
    fn new(door: Arc<Door>, peer: IpAddr) -> Self {
        door.metrics.connections.fetch_add(1, Ordering::Relaxed);
        // An address of IPv4 that came through a socket of IPv6 is what it is.
        Self { door, peer: peer.to_canonical(), begun: AtomicU64::new(0), ended: AtomicU64::new(0) }
    }

    /// How many requests have begun, and whether one is under way.
    fn requests(&self) -> (u64, bool) {
        let begun = self.begun.load(Ordering::Relaxed);
        (begun, begun != self.ended.load(Ordering::Relaxed))
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.door.metrics.connections.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Marks a request as ended when it is, also by its caller leaving.
struct UnderWay<'a>(&'a Connection);

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.ended.fetch_add(1, Ordering::Relaxed);
    }
}

/// Answers a request. A handler's panic is an answer, too: the connection lives, and so does the process.
async fn respond(
    connection: Arc<Connection>,
    request: Request<Incoming>,
) -> Result<Reply, Infallible> {
    connection.begun.fetch_add(1, Ordering::Relaxed);
    let _under_way = UnderWay(&connection);
    let door = &*connection.door;
    // Pinned here and not in a function of its own, which would hold the handler twice.
    let mut handler = pin!(answer::answer(door, connection.peer, request));
    let outcome = poll_fn(|context| {
        match catch_unwind(AssertUnwindSafe(|| handler.as_mut().poll(context))) {
            Ok(Poll::Ready(reply)) => Poll::Ready(Some(reply)),
            Ok(Poll::Pending) => Poll::Pending,
            Err(_) => Poll::Ready(None),
        }
    });
    let mut reply = match outcome.await {
        Some(reply) => reply,
        None => answer::panicked(door),
    };
    if let Body::Stream(stream) = reply.body_mut() {
        stream.hold(Streaming::begin(&connection));
    }
    Ok(reply)
}

/// Keeps a request under way that is answered piece by piece.
struct Streaming(Arc<Connection>);

impl Streaming {
    fn begin(connection: &Arc<Connection>) -> Self {
        connection.begun.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(connection))
    }
}

impl Drop for Streaming {
    fn drop(&mut self) {
        self.0.ended.fetch_add(1, Ordering::Relaxed);
    }
}

/// What a client of HTTP/2 says first (RFC 9113 §3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Whether the client speaks HTTP/2 from the start. Looking once costs less than a wrapper around every read.
async fn speaks_http2(stream: &TcpStream) -> io::Result<bool> {
    let mut start = [0; PREFACE.len()];
    loop {
        let length = stream.peek(&mut start).await?;
        let seen = start.get(..length).unwrap_or_default();
        if length == 0 || !PREFACE.starts_with(seen) {
            return Ok(false);
        }
        if length == PREFACE.len() {
            return Ok(true);
        }
        // The rest of the preface is on its way; nothing tells when more than what was seen has come.
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

async fn converse(
    stream: TcpStream,
    peer: IpAddr,
    door: Arc<Door>,
    permit: OwnedSemaphorePermit,
    stopping: watch::Receiver<bool>,
) {
    let _permit = permit;
    if stream.set_nodelay(true).is_err() {
        return;
    }
    let settings = &door.settings;
    let header_time = settings.header_time;
    let connection = Arc::new(Connection::new(Arc::clone(&door), peer));
    let http2 = match tokio::time::timeout(header_time, speaks_http2(&stream)).await {
        Ok(Ok(http2)) => http2,
        Ok(Err(_)) | Err(_) => return,
    };
    let shared = Arc::clone(&connection);
    let service = service_fn(move |request| respond(Arc::clone(&shared), request));
    let io = TokioIo::new(stream);
    // Errors are a peer that left or sent no HTTP; hyper has answered the latter.
    if http2 {
        let mut builder = http2::Builder::new(TokioExecutor::new());
        builder
            .timer(TokioTimer::new())
            .max_concurrent_streams(STREAMS)
            .max_header_list_size(u32::try_from(settings.header_bytes).unwrap_or(u32::MAX))
            .keep_alive_interval(Duration::from_secs(30))
            .keep_alive_timeout(Duration::from_secs(10));
        let served = pin!(builder.serve_connection(io, service));
        attend(served, http2::Connection::graceful_shutdown, &connection, stopping).await;
    } else {
        let mut builder = http1::Builder::new();
        builder.max_buf_size(BUFFER).pipeline_flush(true);
        let served = pin!(builder.serve_connection(io, service));
        attend(served, http1::Connection::graceful_shutdown, &connection, stopping).await;
    }
}

/// Drives a connection to its end: until the peer leaves, until it idles too long, or until the server stops and its
/// requests have ended.
///
/// A timer for each header would cost every request; one that looks now and then whether any request began costs none,
/// and sees both a peer that idles and one whose header never ends.
async fn attend<C: Future>(
    mut served: Pin<&mut C>,
    shut_down: impl Fn(Pin<&mut C>),
    connection: &Connection,
    mut stopping: watch::Receiver<bool>,
) {
    let header_time = connection.door.settings.header_time;
    let mut seen = (0, false);
    let mut look = pin!(tokio::time::sleep(header_time));
    let mut stop = pin!(stopping.wait_for(|stop| *stop));
    let mut told = false;
    let mut polled_with = u64::MAX;
    poll_fn(|context| {
        if served.as_mut().poll(context).is_ready() {
            return Poll::Ready(());
        }
        let now = connection.requests();
        let stopped = connection.door.stopping.load(Ordering::Relaxed);
        // What woke us was a request, and nothing else is due.
        let asked = polled_with != now.0 && polled_with != u64::MAX;
        if asked && !stopped && !look.is_elapsed() {
            polled_with = now.0;
            return Poll::Pending;
        }
        polled_with = now.0;
        while look.as_mut().poll(context).is_ready() {
            if now == seen && !now.1 {
                return Poll::Ready(());
            }
            seen = now;
            look.as_mut().reset(tokio::time::Instant::now() + header_time);
        }
        if !told && (stopped || stop.as_mut().poll(context).is_ready()) {
            told = true;
            shut_down(served.as_mut());
            if served.as_mut().poll(context).is_ready() {
                return Poll::Ready(());
            }
        }
        Poll::Pending
    })
    .await;
}

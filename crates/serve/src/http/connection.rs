//! Connections: accepted within a bound, served until they end, drained when the server stops.

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::io;
use std::net::IpAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Poll;
use std::time::Duration;

use engine::Engine;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use super::reply::Reply;
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
    let drain_time = settings.drain_time;
    let permits = Arc::new(Semaphore::new(settings.connections.max(1)));
    let all = u32::try_from(settings.connections.max(1)).unwrap_or(u32::MAX);
    let door = Arc::new(Door::new(engine, settings));
    let (stop, stopping) = watch::channel(false);
    // Accepting is a task of a worker: the thread that blocks on this future would need waking for each connection.
    let accepting =
        tokio::spawn(accept(listener, Arc::clone(&door), Arc::clone(&permits), stopping));
    shutdown.await;
    let _ = stop.send(true);
    accepting.abort();
    // Whoever holds every permit knows that no connection is open.
    let _ = tokio::time::timeout(drain_time, permits.acquire_many(all)).await;
    Ok(())
}

async fn accept(
    listener: TcpListener,
    door: Arc<Door>,
    permits: Arc<Semaphore>,
    stopping: watch::Receiver<bool>,
) {
    loop {
        let Ok(permit) = Arc::clone(&permits).acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, peer)) => {
                let connection =
                    converse(stream, peer.ip(), Arc::clone(&door), permit, stopping.clone());
                tokio::spawn(connection);
            }
            Err(error) => {
                // Out of descriptors, or a peer that left: the next may do better, but not at once.
                tracing::warn!(%error, "a connection was not accepted");
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    }
}

/// Counts a connection while it is open.
struct Open(Arc<Door>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.metrics.connections.fetch_sub(1, Ordering::Relaxed);
    }
}

async fn converse(
    stream: TcpStream,
    peer: IpAddr,
    door: Arc<Door>,
    permit: OwnedSemaphorePermit,
    mut stopping: watch::Receiver<bool>,
) {
    door.metrics.connections.fetch_add(1, Ordering::Relaxed);
    let _open = Open(Arc::clone(&door));
    let _permit = permit;
    if stream.set_nodelay(true).is_err() {
        return;
    }
    // An address of IPv4 that came through a socket of IPv6 is what it is.
    let peer = peer.to_canonical();
    let service = service_fn(|request| {
        let door = Arc::clone(&door);
        async move { Ok::<_, Infallible>(guarded(&door, answer::answer(&door, peer, request)).await) }
    });
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(door.settings.header_time)
        .max_buf_size(BUFFER)
        .pipeline_flush(true);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS)
        .max_header_list_size(u32::try_from(door.settings.header_bytes).unwrap_or(u32::MAX))
        .keep_alive_interval(Duration::from_secs(30))
        .keep_alive_timeout(Duration::from_secs(10));
    let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service));
    tokio::select! {
        // Errors are a peer that left or sent no HTTP; hyper has answered the latter.
        _ = connection.as_mut() => return,
        _ = stopping.wait_for(|stop| *stop) => connection.as_mut().graceful_shutdown(),
    }
    let _ = connection.await;
}

/// A handler whose panic is an answer: the connection lives, and so does the process.
async fn guarded(door: &Door, handler: impl Future<Output = Reply>) -> Reply {
    let mut handler = pin!(handler);
    let outcome = poll_fn(|context| {
        match catch_unwind(AssertUnwindSafe(|| handler.as_mut().poll(context))) {
            Ok(Poll::Ready(reply)) => Poll::Ready(Some(reply)),
            Ok(Poll::Pending) => Poll::Pending,
            Err(_) => Poll::Ready(None),
        }
    });
    match outcome.await {
        Some(reply) => reply,
        None => answer::panicked(door),
    }
}

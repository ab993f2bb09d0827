//! The runtime, the server on it, and how both end.

use std::sync::Arc;
use std::time::Duration;

use engine::Engine;
use serve::http::{Origins, Settings};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

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
    },
}

/// An async runtime; one thread for each processor unless told.
pub(crate) fn runtime(workers: Option<usize>) -> Result<Runtime, Failure> {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    if let Some(workers) = workers {
        builder.worker_threads(workers);
    }
    builder.enable_all().thread_name("worker").build().map_err(Failure::Runtime)
}

/// Serves until SIGTERM or SIGINT, then stops accepting, lets requests end and the writer finish.
pub(crate) async fn serve(
    listener: TcpListener,
    engine: Arc<Engine>,
    mode: Mode,
) -> Result<(), Failure> {
    let origins = match mode {
        Mode::Development => Origins::Any,
        Mode::Production { origins } => Origins::Listed(origins),
    };
    let settings = Settings { origins, drain_time: DRAIN, ..Settings::default() };
    let outcome = serve::http::serve(listener, Arc::clone(&engine), settings, ended()).await;
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

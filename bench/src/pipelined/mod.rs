//! The limit on PostgreSQL: a server written by hand for exactly the requests of the workload, with every technique that
//! measurements have shown to pay. It is what Mimar is compared with, so it must be as good as can be.
//!
//! A thread for each processor, each with a runtime, a listener (`SO_REUSEPORT`) and connections of its own, so that nothing
//! crosses threads. Reads by key that come while one runs are the next one, pages are pipelined on a connection of their own,
//! and writes that come while one commits are the next commit.

mod reader;
mod transaction;
mod wire;
mod writer;

use std::cell::RefCell;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpSocket, TcpStream};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::task::{LocalSet, spawn_local};
use tokio_postgres::{Client, NoTls};

use crate::fault::{Doing as _, Fault};
use crate::form;
use crate::http::Change;
use crate::http::{
    self, Answer, BARE, BODY_LIMIT, Tokens, VERSION_ONE, contents, etag, found, made, not_found,
    problem, refused,
};
use reader::Reader;
use transaction::Transactions;
use writer::Writer;

/// How the server is started.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where it listens.
    pub listen: SocketAddr,
    /// The address of the database that [`crate::data::POSTGRES_TABLES`] describes.
    pub database: String,
    /// The most requests that one commit or one read by key carries.
    pub batch: usize,
    /// Threads.
    pub threads: usize,
    /// The key of callers' tokens.
    pub secret: Vec<u8>,
}

/// What a thread has for itself.
struct Worker {
    secret: Vec<u8>,
    tokens: RefCell<Tokens>,
    reader: Reader,
    writer: Writer,
    transactions: Transactions,
}

/// Serves until SIGTERM or SIGINT.
///
/// # Errors
/// When the database cannot be reached or the address cannot be listened on.
pub fn serve(options: &Options) -> Result<(), Fault> {
    let (stop, stopped) = watch::channel(false);
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..options.threads.max(1))
            .map(|_| {
                let stopped = stopped.clone();
                scope.spawn(move || on_thread(options, stopped))
            })
            .collect();
        let signals = scope.spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let runtime = runtime.doing("starting a runtime")?;
            runtime.block_on(async {
                let mut terminate = signal(SignalKind::terminate()).doing("waiting for SIGTERM")?;
                let mut interrupt = signal(SignalKind::interrupt()).doing("waiting for SIGINT")?;
                tokio::select! {
                    _ = terminate.recv() => {}
                    _ = interrupt.recv() => {}
                    // A thread that could not start has told why.
                    () = stop.closed() => {}
                }
                stop.send_replace(true);
                Ok(())
            })
        });
        drop(stopped);
        let mut outcome = Ok(());
        for thread in threads.into_iter().chain([signals]) {
            let ended = thread.join().unwrap_or(Err(Fault::Unreadable("a thread has panicked")));
            outcome = outcome.and(ended);
        }
        outcome
    })
}

fn on_thread(options: &Options, mut stopped: watch::Receiver<bool>) -> Result<(), Fault> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.doing("starting a runtime")?;
    LocalSet::new().block_on(&runtime, async {
        let worker = Rc::new(Worker {
            secret: options.secret.clone(),
            tokens: RefCell::default(),
            reader: Reader::open(&options.database, options.batch).await?,
            writer: Writer::open(&options.database, options.batch).await?,
            transactions: Transactions::open(&options.database).await?,
        });
        let socket = TcpSocket::new_v4().doing("making a socket")?;
        socket.set_reuseport(true).doing("sharing a port")?;
        let doing = || format!("listening on {}", options.listen);
        socket.bind(options.listen).doing(doing())?;
        let listener = socket.listen(1_024).doing(doing())?;
        let accepting = async {
            loop {
                match listener.accept().await {
                    Ok((stream, _)) => {
                        spawn_local(converse(stream, Rc::clone(&worker)));
                    }
                    // Out of descriptors, or a peer that left: the next may do better, but not at once.
                    Err(_) => tokio::time::sleep(Duration::from_millis(1)).await,
                }
            }
        };
        tokio::select! {
            () = accepting => {}
            _ = stopped.wait_for(|stopped| *stopped) => {}
        }
        Ok(())
    })
}

async fn converse(stream: TcpStream, worker: Rc<Worker>) {
    if stream.set_nodelay(true).is_err() {
        return;
    }
    let service = service_fn(|request| answer(&worker, request));
    // An error here is a peer that left or sent no HTTP; hyper has answered the latter.
    let _ = http1::Builder::new()
        .pipeline_flush(true)
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

async fn answer(worker: &Worker, request: Request<Incoming>) -> Result<Answer, Infallible> {
    let outcome = match *request.method() {
        Method::GET => read(worker, &request).await,
        Method::POST => Box::pin(write(worker, request)).await,
        _ => return Ok(problem(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", &[])),
    };
    let failed = |_| problem(StatusCode::INTERNAL_SERVER_ERROR, "database_failed", &[]);
    Ok(outcome.unwrap_or_else(failed))
}

async fn read(worker: &Worker, request: &Request<Incoming>) -> Result<Answer, reader::Failed> {
    let path = request.uri().path();
    if path == "/bare" {
        return Ok(found(&Bytes::from_static(BARE), VERSION_ONE, request));
    }
    if path == "/readyz" || path == "/livez" {
        return Ok(Response::new(Full::new(Bytes::from_static(b"ok"))));
    }
    let caller = worker.tokens.borrow_mut().caller(&worker.secret, request);
    let Ok(caller) = caller else {
        return Ok(problem(StatusCode::UNAUTHORIZED, "invalid_token", &[]));
    };
    let query = request.uri().query().unwrap_or_default();
    let one = |found_: Option<(Vec<u8>, i64)>, by_contents: bool| match found_ {
        Some((body, version)) => {
            let tag = if by_contents { contents(&body) } else { etag(version) };
            found(&Bytes::from(body), tag, request)
        }
        None => not_found(),
    };
    if let Some(id) = path.strip_prefix("/v1/customers/") {
        let Some(id) = form::parse_uuid(id.as_bytes()) else { return Ok(not_found()) };
        return Ok(one(worker.reader.customer(caller, id).await?, false));
    }
    if let Some(id) = path.strip_prefix("/v1/orders/") {
        let Some(id) = form::parse_uuid(id.as_bytes()) else { return Ok(not_found()) };
        let with_lines = match query {
            "" => false,
            "include=lines.product" => true,
            _ => return Ok(problem(StatusCode::BAD_REQUEST, "unknown_parameter", &[])),
        };
        let order = worker.reader.order(caller, id, with_lines).await?;
        // The order's version says nothing about the products that are shown with it.
        return Ok(one(order, with_lines));
    }
    if path == "/v1/recent-orders" {
        let (customer, after) = match http::page(caller, query) {
            Ok(page) => page,
            Err(refusal) => return Ok(*refusal),
        };
        let (body, next) = worker.reader.recent_orders(customer, after).await?;
        return Ok(http::paged(&body, &customer, next.as_deref(), request));
    }
    Ok(not_found())
}

async fn write(worker: &Worker, request: Request<Incoming>) -> Result<Answer, reader::Failed> {
    let (head, body) = request.into_parts();
    let head = Request::from_parts(head, ());
    let caller = worker.tokens.borrow_mut().caller(&worker.secret, &head);
    let Ok(caller) = caller else {
        return Ok(problem(StatusCode::UNAUTHORIZED, "invalid_token", &[]));
    };
    let Ok(body) = Limited::new(body, BODY_LIMIT).collect().await else {
        return Ok(problem(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", &[]));
    };
    let (change, reply) = match http::change(head.uri().path(), caller, &body.to_bytes()) {
        Ok(change) => change,
        Err(refusal) => return Ok(*refusal),
    };
    let outcome = match change {
        Change::Basket { id, customer, placed, lines } => {
            worker.transactions.place_order(id, customer, placed, lines).await
        }
        other => worker.writer.submit(other).await.map(|()| 0),
    };
    Ok(match outcome {
        Ok(total) => made(reply, total),
        Err(refusal) => refused(refusal),
    })
}

/// A connection, driven on this thread.
async fn connect(database: &str) -> Result<Client, Fault> {
    let (client, connection) = tokio_postgres::connect(database, NoTls).await?;
    // Whoever waits for an answer is told by it when the connection breaks.
    spawn_local(async move { drop(connection.await) });
    // A plan for each batch would cost more than its rows.
    client.batch_execute("SET plan_cache_mode = force_generic_plan").await?;
    Ok(client)
}

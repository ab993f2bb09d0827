//! The front door: which request it is, who asks, and the answer's head and body.

use std::cell::RefCell;
use std::convert::Infallible;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper::{Method, Request, Response, StatusCode};

use super::Shared;
use super::reader::Reader;
use crate::form;
use crate::http::{
    self, Answer, BARE, BODY_LIMIT, Tokens, VERSION_ONE, contents, etag, found, made, not_found,
    problem, refused,
};
use crate::identity::Caller;

/// What a worker thread has for itself.
struct Worker {
    reader: Reader,
    tokens: Tokens,
    out: Vec<u8>,
}

thread_local! {
    static WORKER: RefCell<Option<Worker>> = const { RefCell::new(None) };
}

/// Gives back the snapshot of a worker that goes to sleep.
pub(super) fn rest() {
    WORKER.with(|worker| {
        if let Ok(mut worker) = worker.try_borrow_mut()
            && let Some(worker) = worker.as_mut()
        {
            // A transaction that cannot be ended is ended by the next refresh or shows itself there.
            let _ = worker.reader.rest();
        }
    });
}

/// Answers one request. Reads are answered before the future is first awaited upon anything.
pub(super) async fn answer(
    shared: &Shared,
    request: Request<Incoming>,
) -> Result<Answer, Infallible> {
    Ok(match *request.method() {
        Method::GET => read(shared, &request),
        // Boxed, so that the future which each read moves about stays small.
        Method::POST => Box::pin(write(shared, request)).await,
        _ => problem(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", &[]),
    })
}

fn read<B>(shared: &Shared, request: &Request<B>) -> Answer {
    let path = request.uri().path();
    if path == "/bare" {
        return found(&Bytes::from_static(BARE), VERSION_ONE, request);
    }
    if path == "/readyz" || path == "/livez" {
        return Response::new(Full::new(Bytes::from_static(b"ok")));
    }
    let outcome = with_worker(shared, |worker| {
        let Ok(caller) = worker.tokens.caller(&shared.secret, request) else {
            return Ok(problem(StatusCode::UNAUTHORIZED, "invalid_token", &[]));
        };
        worker.reader.refresh(shared)?;
        worker.out.clear();
        let query = request.uri().query().unwrap_or_default();
        if let Some(id) = path.strip_prefix("/v1/customers/") {
            let Some(id) = form::parse_uuid(id.as_bytes()) else { return Ok(not_found()) };
            let version = worker.reader.customer(caller, &id, &mut worker.out)?;
            return Ok(worker.found(version, request));
        }
        if let Some(id) = path.strip_prefix("/v1/orders/") {
            let Some(id) = form::parse_uuid(id.as_bytes()) else { return Ok(not_found()) };
            let with_lines = match query {
                "" => false,
                "include=lines.product" => true,
                _ => return Ok(problem(StatusCode::BAD_REQUEST, "unknown_parameter", &[])),
            };
            let version = worker.reader.order(caller, &id, with_lines, &mut worker.out)?;
            if with_lines && version.is_some() {
                // The order's version says nothing about the products that are shown with it.
                let body = Bytes::copy_from_slice(&worker.out);
                return Ok(found(&body, contents(&worker.out), request));
            }
            return Ok(worker.found(version, request));
        }
        if path == "/v1/recent-orders" {
            return worker.recent_orders(caller, query, request);
        }
        Ok(not_found())
    });
    outcome.unwrap_or_else(|_| problem(StatusCode::INTERNAL_SERVER_ERROR, "database_failed", &[]))
}

impl Worker {
    fn found<B>(&self, version: Option<i64>, request: &Request<B>) -> Answer {
        match version {
            Some(version) => found(&Bytes::copy_from_slice(&self.out), etag(version), request),
            None => not_found(),
        }
    }

    fn recent_orders<B>(
        &mut self,
        caller: Caller,
        query: &str,
        request: &Request<B>,
    ) -> rusqlite::Result<Answer> {
        let (customer, after) = match http::page(caller, query) {
            Ok(page) => page,
            Err(refusal) => return Ok(*refusal),
        };
        let next = self.reader.recent_orders(&customer, after, &mut self.out)?;
        Ok(http::paged(&self.out, &customer, next.as_deref(), request))
    }
}

fn with_worker<T>(
    shared: &Shared,
    run: impl FnOnce(&mut Worker) -> rusqlite::Result<T>,
) -> rusqlite::Result<T> {
    WORKER.with(|slot| {
        let mut slot = slot.borrow_mut();
        match slot.as_mut() {
            Some(worker) => run(worker),
            None => run(slot.insert(Worker {
                reader: Reader::open(shared)?,
                tokens: Tokens::default(),
                out: Vec::with_capacity(8_192),
            })),
        }
    })
}

async fn write(shared: &Shared, request: Request<Incoming>) -> Answer {
    let (parts, body) = request.into_parts();
    let head = Request::from_parts(parts, ());
    let caller = with_worker(shared, |worker| Ok(worker.tokens.caller(&shared.secret, &head)));
    let caller = match caller {
        Ok(Ok(caller)) => caller,
        Ok(Err(())) => return problem(StatusCode::UNAUTHORIZED, "invalid_token", &[]),
        Err(_) => return problem(StatusCode::INTERNAL_SERVER_ERROR, "database_failed", &[]),
    };
    let (head, ()) = head.into_parts();
    let Ok(body) = Limited::new(body, BODY_LIMIT).collect().await else {
        return problem(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", &[]);
    };
    let (change, reply) = match http::change(head.uri.path(), caller, &body.to_bytes()) {
        Ok(change) => change,
        Err(refusal) => return *refusal,
    };
    match shared.queue.submit(change).await {
        Ok(total) => made(reply, total),
        Err(refusal) => refused(refusal),
    }
}

//! The front door: which request it is, who asks, and the answer's head and body.

use std::borrow::Cow;
use std::cell::RefCell;
use std::convert::Infallible;
use std::hash::Hasher as _;
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper::header::{
    AUTHORIZATION, CONTENT_TYPE, ETAG, HeaderName, HeaderValue, IF_NONE_MATCH, LINK, LOCATION,
    RETRY_AFTER,
};
use hyper::{Method, Request, Response, StatusCode};
use rustc_hash::{FxHashMap, FxHasher};
use serde::Deserialize;
use uuid::Uuid;

use super::Shared;
use super::reader::Reader;
use super::writer::{Change, Line, Refusal};
use crate::form;
use crate::identity::{self, Caller};

type Answer = Response<Full<Bytes>>;

/// Bytes of a body that are read at most.
const BODY_LIMIT: usize = 1 << 20;
/// Verified tokens that a worker remembers.
const TOKENS: usize = 8_192;
const JSON: HeaderValue = HeaderValue::from_static("application/json");
const PROBLEM: HeaderValue = HeaderValue::from_static("application/problem+json");
const VERSION_ONE: HeaderValue = HeaderValue::from_static("\"1\"");
/// What `/bare` answers: as long as a customer, from no database and for anyone.
const BARE: &[u8] = br#"{"id":"018cc251-f400-7000-8000-000000000000","email":"ada.lovelace.12345@example.com","name":"Ada Lovelace","phone":"+49 30 1234567","joined":"2024-01-01T00:00:00.000Z"}"#;

/// What a worker thread has for itself.
struct Worker {
    reader: Reader,
    tokens: FxHashMap<Box<[u8]>, (Caller, u64)>,
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
        let Ok(caller) = worker.caller(shared, request) else {
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
    fn caller<B>(&mut self, shared: &Shared, request: &Request<B>) -> Result<Caller, ()> {
        let Some(header) = request.headers().get(AUTHORIZATION) else { return Ok(Caller::Anyone) };
        let token = header.as_bytes().strip_prefix(b"Bearer ").ok_or(())?;
        let (caller, expires) = match self.tokens.get(token) {
            Some(known) => *known,
            None => {
                let verified = identity::verify(&shared.secret, token).ok_or(())?;
                if self.tokens.len() >= TOKENS {
                    self.tokens.clear();
                }
                self.tokens.insert(token.into(), verified);
                verified
            }
        };
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_err(|_| ())?.as_secs();
        if expires > now { Ok(caller) } else { Err(()) }
    }

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
        let mut customer = None;
        let mut after = None;
        for pair in query.split('&') {
            match pair.split_once('=') {
                Some(("customer", id)) => customer = form::parse_uuid(id.as_bytes()),
                Some(("after", cursor)) => match form::parse_cursor(cursor) {
                    Some(place) => after = Some(place),
                    None => return Ok(problem(StatusCode::BAD_REQUEST, "invalid_cursor", &[])),
                },
                _ => return Ok(problem(StatusCode::BAD_REQUEST, "unknown_parameter", &[])),
            }
        }
        let Some(customer) = customer else {
            return Ok(problem(StatusCode::BAD_REQUEST, "missing_parameter", &[]));
        };
        match caller {
            Caller::Clerk => {}
            Caller::Customer(own) if own == customer => {}
            Caller::Customer(_) => return Ok(problem(StatusCode::FORBIDDEN, "forbidden", &[])),
            Caller::Anyone => return Ok(problem(StatusCode::UNAUTHORIZED, "no_token", &[])),
        }
        let next = self.reader.recent_orders(&customer, after, &mut self.out)?;
        let mut answer = found(&Bytes::copy_from_slice(&self.out), contents(&self.out), request);
        if let Some(cursor) = next {
            let out = &mut self.out;
            out.clear();
            out.extend_from_slice(b"</v1/recent-orders?customer=");
            form::uuid(out, &customer);
            out.extend_from_slice(b"&after=");
            out.extend_from_slice(cursor.as_bytes());
            out.extend_from_slice(b">; rel=\"next\"");
            insert(&mut answer, LINK, out);
        }
        Ok(answer)
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
                tokens: FxHashMap::default(),
                out: Vec::with_capacity(8_192),
            })),
        }
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewProduct<'a> {
    #[serde(borrow)]
    sku: Cow<'a, str>,
    #[serde(borrow)]
    name: Cow<'a, str>,
    #[serde(borrow)]
    price: Cow<'a, str>,
    #[serde(default)]
    stock: i64,
    #[serde(borrow)]
    state: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewOrder<'a> {
    #[serde(borrow)]
    customer: Cow<'a, str>,
    #[serde(borrow)]
    lines: Vec<NewLine<'a>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewLine<'a> {
    #[serde(borrow)]
    product: Cow<'a, str>,
    quantity: i64,
    #[serde(borrow)]
    price: Cow<'a, str>,
}

async fn write(shared: &Shared, request: Request<Incoming>) -> Answer {
    let (parts, body) = request.into_parts();
    let head = Request::from_parts(parts, ());
    let caller = with_worker(shared, |worker| Ok(worker.caller(shared, &head)));
    let caller = match caller {
        Ok(Ok(caller)) => caller,
        Ok(Err(())) => return problem(StatusCode::UNAUTHORIZED, "invalid_token", &[]),
        Err(_) => return problem(StatusCode::INTERNAL_SERVER_ERROR, "database_failed", &[]),
    };
    let (head, ()) = head.into_parts();
    let Ok(body) = Limited::new(body, BODY_LIMIT).collect().await else {
        return problem(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", &[]);
    };
    match head.uri.path() {
        "/v1/products" => create_product(shared, caller, &body.to_bytes()).await,
        "/v1/orders" => create_order(shared, caller, &body.to_bytes()).await,
        _ => not_found(),
    }
}

async fn create_product(shared: &Shared, caller: Caller, body: &[u8]) -> Answer {
    if caller != Caller::Clerk {
        return problem(StatusCode::FORBIDDEN, "forbidden", &[]);
    }
    let Ok(new) = serde_json::from_slice::<NewProduct<'_>>(body) else {
        return problem(StatusCode::BAD_REQUEST, "malformed_body", &[]);
    };
    let mut faults = Vec::new();
    if !(3..=40).contains(&new.sku.chars().count()) {
        faults.push(("/sku", "has 3 to 40 characters"));
    }
    if !(1..=200).contains(&new.name.chars().count()) {
        faults.push(("/name", "has 1 to 200 characters"));
    }
    let price = form::parse_money(&new.price);
    if price.is_none() {
        faults.push(("/price", "is an amount with at most two decimals"));
    }
    if new.stock < 0 {
        faults.push(("/stock", "is at least 0"));
    }
    let state = match new.state.as_deref() {
        None | Some("draft") => "draft",
        Some("live") => "live",
        Some("retired") => "retired",
        Some(_) => {
            faults.push(("/state", "is one of draft, live, retired"));
            ""
        }
    };
    let (Some(price), true) = (price, faults.is_empty()) else {
        return problem(StatusCode::UNPROCESSABLE_ENTITY, "invalid_body", &faults);
    };

    let mut out = Vec::with_capacity(96 + body.len());
    out.extend_from_slice(b"{\"sku\":");
    form::string(&mut out, new.sku.as_bytes());
    out.extend_from_slice(b",\"name\":");
    form::string(&mut out, new.name.as_bytes());
    out.extend_from_slice(b",\"price\":\"");
    form::money(&mut out, price);
    out.extend_from_slice(b"\",\"stock\":");
    form::integer(&mut out, new.stock);
    out.extend_from_slice(b",\"state\":\"");
    out.extend_from_slice(state.as_bytes());
    out.extend_from_slice(b"\"}");
    let location = [b"/v1/products/", new.sku.as_bytes()].concat();
    let change = Change::Product {
        sku: new.sku.into_owned(),
        name: new.name.into_owned(),
        price,
        stock: new.stock,
        state,
    };
    match shared.queue.submit(change).await {
        Ok(()) => created(out, &location),
        Err(refusal) => refused(refusal),
    }
}

async fn create_order(shared: &Shared, caller: Caller, body: &[u8]) -> Answer {
    let Ok(new) = serde_json::from_slice::<NewOrder<'_>>(body) else {
        return problem(StatusCode::BAD_REQUEST, "malformed_body", &[]);
    };
    let Some(customer) = form::parse_uuid(new.customer.as_bytes()) else {
        return problem(
            StatusCode::UNPROCESSABLE_ENTITY,
            "invalid_body",
            &[("/customer", "is the key of a customer")],
        );
    };
    match caller {
        Caller::Clerk => {}
        Caller::Customer(own) if own == customer => {}
        Caller::Customer(_) | Caller::Anyone => {
            return problem(StatusCode::FORBIDDEN, "forbidden", &[]);
        }
    }
    let mut faults = Vec::new();
    if !(1..=50).contains(&new.lines.len()) {
        faults.push(("/lines", "has 1 to 50 items"));
    }
    let mut total: Option<i64> = Some(0);
    let mut lines = Vec::with_capacity(new.lines.len());
    for line in new.lines {
        if !(1..=100).contains(&line.quantity) {
            faults.push(("/lines/*/quantity", "is from 1 to 100"));
        }
        let Some(price) = form::parse_money(&line.price) else {
            faults.push(("/lines/*/price", "is an amount with at most two decimals"));
            continue;
        };
        total = total.and_then(|total| price.checked_mul(line.quantity)?.checked_add(total));
        lines.push(Line { product: line.product.into_owned(), quantity: line.quantity, price });
    }
    let (Some(total), true) = (total, faults.is_empty()) else {
        return problem(StatusCode::UNPROCESSABLE_ENTITY, "invalid_body", &faults);
    };
    let Ok(now) = SystemTime::now().duration_since(UNIX_EPOCH) else {
        return problem(StatusCode::INTERNAL_SERVER_ERROR, "clock_failed", &[]);
    };
    let placed = now.as_micros() as i64;
    let id = *Uuid::now_v7().as_bytes();

    let mut out = Vec::with_capacity(224);
    out.extend_from_slice(b"{\"id\":\"");
    form::uuid(&mut out, &id);
    out.extend_from_slice(b"\",\"customer\":\"");
    form::uuid(&mut out, &customer);
    out.extend_from_slice(b"\",\"status\":\"pending\",\"total\":\"");
    form::money(&mut out, total);
    out.extend_from_slice(b"\",\"placed\":\"");
    form::timestamp(&mut out, placed);
    out.extend_from_slice(b"\"}");
    let mut location = b"/v1/orders/".to_vec();
    form::uuid(&mut location, &id);
    let sees_all = caller == Caller::Clerk;
    let change = Change::Order { id, customer, total, placed, lines, sees_all };
    match shared.queue.submit(change).await {
        Ok(()) => created(out, &location),
        Err(refusal) => refused(refusal),
    }
}

fn etag(version: i64) -> HeaderValue {
    if version == 1 {
        return VERSION_ONE;
    }
    HeaderValue::try_from(format!("\"{version}\"")).unwrap_or(VERSION_ONE)
}

/// A weak tag of what is shown, for an answer made of many rows.
fn contents(body: &[u8]) -> HeaderValue {
    let mut hasher = FxHasher::default();
    hasher.write(body);
    HeaderValue::try_from(format!("W/\"{:016x}\"", hasher.finish())).unwrap_or(VERSION_ONE)
}

fn found<B>(body: &Bytes, etag: HeaderValue, request: &Request<B>) -> Answer {
    if request.headers().get(IF_NONE_MATCH) == Some(&etag) {
        let mut answer = Response::new(Full::default());
        *answer.status_mut() = StatusCode::NOT_MODIFIED;
        answer.headers_mut().insert(ETAG, etag);
        return answer;
    }
    let mut answer = Response::new(Full::new(body.clone()));
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, JSON);
    headers.insert(ETAG, etag);
    answer
}

fn created(body: Vec<u8>, location: &[u8]) -> Answer {
    let mut answer = Response::new(Full::new(Bytes::from(body)));
    *answer.status_mut() = StatusCode::CREATED;
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, JSON);
    headers.insert(ETAG, VERSION_ONE);
    insert(&mut answer, LOCATION, location);
    answer
}

/// Inserts a value that came from outside, if a header can carry it.
fn insert(answer: &mut Answer, name: HeaderName, value: &[u8]) {
    if let Ok(value) = HeaderValue::from_bytes(value) {
        answer.headers_mut().insert(name, value);
    }
}

fn not_found() -> Answer {
    problem(StatusCode::NOT_FOUND, "not_found", &[])
}

fn refused(refusal: Refusal) -> Answer {
    match refusal {
        Refusal::Taken => problem(StatusCode::CONFLICT, "taken", &[]),
        Refusal::Dangling => problem(StatusCode::UNPROCESSABLE_ENTITY, "dangling_reference", &[]),
        Refusal::Failed => problem(StatusCode::INTERNAL_SERVER_ERROR, "database_failed", &[]),
        Refusal::Busy => {
            let mut answer = problem(StatusCode::SERVICE_UNAVAILABLE, "busy", &[]);
            insert(&mut answer, RETRY_AFTER, b"1");
            answer
        }
    }
}

/// A problem document of RFC 9457; `faults` are pairs of a JSON pointer and what the value there must be.
fn problem(status: StatusCode, code: &str, faults: &[(&str, &str)]) -> Answer {
    let errors: Vec<_> = faults
        .iter()
        .map(|(pointer, detail)| serde_json::json!({ "pointer": pointer, "detail": detail }))
        .collect();
    let document = serde_json::json!({
        "title": status.canonical_reason(),
        "status": status.as_u16(),
        "code": code,
        "errors": errors,
    });
    let mut answer = Response::new(Full::new(Bytes::from(document.to_string())));
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, PROBLEM);
    answer
}

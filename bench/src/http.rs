//! What the servers that are written by hand have in common: their requests' bodies, and answers' heads.

use std::borrow::Cow;
use std::hash::Hasher as _;
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{
    AUTHORIZATION, CONTENT_TYPE, ETAG, HeaderName, HeaderValue, IF_NONE_MATCH, LINK, LOCATION,
    RETRY_AFTER,
};
use hyper::{Request, Response, StatusCode};
use rustc_hash::{FxHashMap, FxHasher};
use serde::Deserialize;
use uuid::Uuid;

use crate::form;
use crate::identity::{self, Caller};

pub(crate) type Answer = Response<Full<Bytes>>;

/// Bytes of a body that are read at most.
pub(crate) const BODY_LIMIT: usize = 1 << 20;
/// Verified tokens that a worker remembers.
const TOKENS: usize = 8_192;
const JSON: HeaderValue = HeaderValue::from_static("application/json");
const PROBLEM: HeaderValue = HeaderValue::from_static("application/problem+json");
pub(crate) const VERSION_ONE: HeaderValue = HeaderValue::from_static("\"1\"");
/// What `/bare` answers: as long as a customer, from no database and for anyone.
pub(crate) const BARE: &[u8] = br#"{"id":"018cc251-f400-7000-8000-000000000000","email":"ada.lovelace.12345@example.com","name":"Ada Lovelace","phone":"+49 30 1234567","joined":"2024-01-01T00:00:00.000Z"}"#;

/// Tokens that were verified, until they expire.
#[derive(Default)]
pub(crate) struct Tokens(FxHashMap<Box<[u8]>, (Caller, u64)>);

impl Tokens {
    /// Who asks; an error if the token is not to be believed.
    pub(crate) fn caller<B>(&mut self, secret: &[u8], request: &Request<B>) -> Result<Caller, ()> {
        let Some(header) = request.headers().get(AUTHORIZATION) else { return Ok(Caller::Anyone) };
        let token = header.as_bytes().strip_prefix(b"Bearer ").ok_or(())?;
        let (caller, expires) = match self.0.get(token) {
            Some(known) => *known,
            None => {
                let verified = identity::verify(secret, token).ok_or(())?;
                if self.0.len() >= TOKENS {
                    self.0.clear();
                }
                self.0.insert(token.into(), verified);
                verified
            }
        };
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_err(|_| ())?.as_secs();
        if expires > now { Ok(caller) } else { Err(()) }
    }
}

/// What answers a change once it is made.
pub(crate) enum Made {
    /// A new row.
    Row {
        /// It.
        body: Vec<u8>,
        /// Where it is.
        location: Vec<u8>,
    },
    /// An order that was placed; what it costs in all is known when it is made.
    Order {
        /// Its key.
        id: [u8; 16],
        /// Whose it is.
        customer: [u8; 16],
        /// When, in microseconds since 1970.
        placed: i64,
    },
}

/// What a request wants changed; everything that needs no look at the database is already checked.
pub(crate) enum Change {
    /// A row of `product`.
    Product { sku: String, name: String, price: i64, stock: i64, state: &'static str },
    /// A row of `order` and its lines.
    Order {
        id: [u8; 16],
        customer: [u8; 16],
        total: i64,
        placed: i64,
        lines: Vec<Line>,
        /// Whether the caller sees every product; otherwise it may name live ones only.
        sees_all: bool,
    },
    /// An order of live products that are taken out of stock, at their prices.
    Basket { id: [u8; 16], customer: [u8; 16], placed: i64, lines: Vec<Line> },
}

/// The event of an order that was placed: its key, and what it carries.
pub(crate) fn order_placed(id: &[u8; 16], total: i64) -> (String, String) {
    let mut key = Vec::new();
    form::uuid(&mut key, id);
    let key = String::from_utf8_lossy(&key).into_owned();
    let mut data = format!("{{\"order\":\"{key}\",\"total\":\"").into_bytes();
    form::money(&mut data, total);
    data.extend_from_slice(b"\"}");
    (key, String::from_utf8_lossy(&data).into_owned())
}

/// A row of `line` of an order that is being made.
pub(crate) struct Line {
    pub(crate) product: String,
    pub(crate) quantity: i64,
    pub(crate) price: i64,
}

/// Why a change was not made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// A row with this key exists.
    Taken,
    /// A reference leads nowhere.
    Dangling,
    /// There is less than is wanted.
    OutOfStock,
    /// Too many wait.
    Busy,
    /// The database failed.
    Failed,
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
struct NewBasket<'a> {
    #[serde(borrow)]
    basket: Vec<NewItem<'a>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewItem<'a> {
    #[serde(borrow)]
    product: Cow<'a, str>,
    quantity: i64,
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

/// Reads the body of a `POST`.
///
/// # Errors
/// The refusal, as far as it needs no look at the database.
pub(crate) fn change(
    path: &str,
    caller: Caller,
    body: &[u8],
) -> Result<(Change, Made), Box<Answer>> {
    match path {
        "/v1/products" => new_product(caller, body),
        "/v1/orders" => new_order(caller, body),
        "/v1/place-order" => new_basket(caller, body),
        _ => Err(Box::new(not_found())),
    }
}

/// Reads the body of `POST /v1/products`.
///
/// # Errors
/// The refusal, as far as it needs no look at the database.
fn new_product(caller: Caller, body: &[u8]) -> Result<(Change, Made), Box<Answer>> {
    if caller != Caller::Clerk {
        return Err(Box::new(problem(StatusCode::FORBIDDEN, "forbidden", &[])));
    }
    let Ok(new) = serde_json::from_slice::<NewProduct<'_>>(body) else {
        return Err(Box::new(problem(StatusCode::BAD_REQUEST, "malformed_body", &[])));
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
        return Err(Box::new(problem(StatusCode::UNPROCESSABLE_ENTITY, "invalid_body", &faults)));
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
    Ok((change, Made::Row { body: out, location }))
}

/// Reads the body of `POST /v1/orders`.
///
/// # Errors
/// The refusal, as far as it needs no look at the database.
fn new_order(caller: Caller, body: &[u8]) -> Result<(Change, Made), Box<Answer>> {
    let Ok(new) = serde_json::from_slice::<NewOrder<'_>>(body) else {
        return Err(Box::new(problem(StatusCode::BAD_REQUEST, "malformed_body", &[])));
    };
    let Some(customer) = form::parse_uuid(new.customer.as_bytes()) else {
        return Err(Box::new(problem(
            StatusCode::UNPROCESSABLE_ENTITY,
            "invalid_body",
            &[("/customer", "is the key of a customer")],
        )));
    };
    match caller {
        Caller::Clerk => {}
        Caller::Customer(own) if own == customer => {}
        Caller::Customer(_) | Caller::Anyone => {
            return Err(Box::new(problem(StatusCode::FORBIDDEN, "forbidden", &[])));
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
        return Err(Box::new(problem(StatusCode::UNPROCESSABLE_ENTITY, "invalid_body", &faults)));
    };
    let Ok(now) = SystemTime::now().duration_since(UNIX_EPOCH) else {
        return Err(Box::new(problem(StatusCode::INTERNAL_SERVER_ERROR, "clock_failed", &[])));
    };
    let placed = now.as_micros() as i64;
    let id = *Uuid::now_v7().as_bytes();

    let out = order_body(&id, &customer, total, placed);
    let mut location = b"/v1/orders/".to_vec();
    form::uuid(&mut location, &id);
    let sees_all = caller == Caller::Clerk;
    let change = Change::Order { id, customer, total, placed, lines, sees_all };
    Ok((change, Made::Row { body: out, location }))
}

/// Reads the body of `POST /v1/place-order`.
///
/// # Errors
/// The refusal, as far as it needs no look at the database.
fn new_basket(caller: Caller, body: &[u8]) -> Result<(Change, Made), Box<Answer>> {
    let Caller::Customer(customer) = caller else {
        return Err(Box::new(problem(StatusCode::FORBIDDEN, "forbidden", &[])));
    };
    let Ok(new) = serde_json::from_slice::<NewBasket<'_>>(body) else {
        return Err(Box::new(problem(StatusCode::BAD_REQUEST, "malformed_body", &[])));
    };
    let mut faults = Vec::new();
    if !(1..=50).contains(&new.basket.len()) {
        faults.push(("/basket", "has 1 to 50 items"));
    }
    if new.basket.iter().any(|item| !(1..=100).contains(&item.quantity)) {
        faults.push(("/basket/*/quantity", "is from 1 to 100"));
    }
    if !faults.is_empty() {
        return Err(Box::new(problem(StatusCode::UNPROCESSABLE_ENTITY, "invalid_body", &faults)));
    }
    let Ok(now) = SystemTime::now().duration_since(UNIX_EPOCH) else {
        return Err(Box::new(problem(StatusCode::INTERNAL_SERVER_ERROR, "clock_failed", &[])));
    };
    let (id, placed) = (*Uuid::now_v7().as_bytes(), now.as_micros() as i64);
    let lines = new.basket.into_iter().map(|item| Line {
        product: item.product.into_owned(),
        quantity: item.quantity,
        price: 0,
    });
    let change = Change::Basket { id, customer, placed, lines: lines.collect() };
    Ok((change, Made::Order { id, customer, placed }))
}

/// The parameters of `recent_orders`: the customer, and where the page begins.
pub(crate) type Page = ([u8; 16], Option<(i64, [u8; 16])>);

/// Reads the query string of `recent_orders` and judges who may ask.
///
/// # Errors
/// The refusal.
pub(crate) fn page(caller: Caller, query: &str) -> Result<Page, Box<Answer>> {
    let mut customer = None;
    let mut after = None;
    for pair in query.split('&') {
        match pair.split_once('=') {
            Some(("customer", id)) => customer = form::parse_uuid(id.as_bytes()),
            Some(("after", cursor)) => match form::parse_cursor(cursor) {
                Some(place) => after = Some(place),
                None => {
                    return Err(Box::new(problem(StatusCode::BAD_REQUEST, "invalid_cursor", &[])));
                }
            },
            _ => return Err(Box::new(problem(StatusCode::BAD_REQUEST, "unknown_parameter", &[]))),
        }
    }
    let Some(customer) = customer else {
        return Err(Box::new(problem(StatusCode::BAD_REQUEST, "missing_parameter", &[])));
    };
    match caller {
        Caller::Clerk => Ok((customer, after)),
        Caller::Customer(own) if own == customer => Ok((customer, after)),
        Caller::Customer(_) => Err(Box::new(problem(StatusCode::FORBIDDEN, "forbidden", &[]))),
        Caller::Anyone => Err(Box::new(problem(StatusCode::UNAUTHORIZED, "no_token", &[]))),
    }
}

/// A page of orders, with the way to the next.
pub(crate) fn paged<B>(
    body: &[u8],
    customer: &[u8; 16],
    next: Option<&str>,
    request: &Request<B>,
) -> Answer {
    let mut answer = found(&Bytes::copy_from_slice(body), contents(body), request);
    if let Some(cursor) = next {
        let mut link = b"</v1/recent-orders?customer=".to_vec();
        form::uuid(&mut link, customer);
        link.extend_from_slice(b"&after=");
        link.extend_from_slice(cursor.as_bytes());
        link.extend_from_slice(b">; rel=\"next\"");
        insert(&mut answer, LINK, &link);
    }
    answer
}

pub(crate) fn etag(version: i64) -> HeaderValue {
    if version == 1 {
        return VERSION_ONE;
    }
    HeaderValue::try_from(format!("\"{version}\"")).unwrap_or(VERSION_ONE)
}

/// A weak tag of what is shown, for an answer made of many rows.
pub(crate) fn contents(body: &[u8]) -> HeaderValue {
    let mut hasher = FxHasher::default();
    hasher.write(body);
    HeaderValue::try_from(format!("W/\"{:016x}\"", hasher.finish())).unwrap_or(VERSION_ONE)
}

pub(crate) fn found<B>(body: &Bytes, etag: HeaderValue, request: &Request<B>) -> Answer {
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

/// The answer to a change that was made; `total` is what an order costs in all, if it is one.
pub(crate) fn made(made: Made, total: i64) -> Answer {
    match made {
        Made::Row { body, location } => {
            let mut answer = Response::new(Full::new(Bytes::from(body)));
            *answer.status_mut() = StatusCode::CREATED;
            let headers = answer.headers_mut();
            headers.insert(CONTENT_TYPE, JSON);
            headers.insert(ETAG, VERSION_ONE);
            insert(&mut answer, LOCATION, &location);
            answer
        }
        Made::Order { id, customer, placed } => {
            let body = order_body(&id, &customer, total, placed);
            let mut answer = Response::new(Full::new(Bytes::from(body)));
            answer.headers_mut().insert(CONTENT_TYPE, JSON);
            answer
        }
    }
}

fn order_body(id: &[u8; 16], customer: &[u8; 16], total: i64, placed: i64) -> Vec<u8> {
    let mut out = Vec::with_capacity(224);
    out.extend_from_slice(b"{\"id\":\"");
    form::uuid(&mut out, id);
    out.extend_from_slice(b"\",\"customer\":\"");
    form::uuid(&mut out, customer);
    out.extend_from_slice(b"\",\"status\":\"pending\",\"total\":\"");
    form::money(&mut out, total);
    out.extend_from_slice(b"\",\"placed\":\"");
    form::timestamp(&mut out, placed);
    out.extend_from_slice(b"\"}");
    out
}

/// Inserts a value that came from outside, if a header can carry it.
pub(crate) fn insert(answer: &mut Answer, name: HeaderName, value: &[u8]) {
    if let Ok(value) = HeaderValue::from_bytes(value) {
        answer.headers_mut().insert(name, value);
    }
}

pub(crate) fn not_found() -> Answer {
    problem(StatusCode::NOT_FOUND, "not_found", &[])
}

pub(crate) fn refused(refusal: Refusal) -> Answer {
    match refusal {
        Refusal::Taken => problem(StatusCode::CONFLICT, "taken", &[]),
        Refusal::Dangling => problem(StatusCode::UNPROCESSABLE_ENTITY, "dangling_reference", &[]),
        Refusal::OutOfStock => problem(StatusCode::CONFLICT, "out_of_stock", &[]),
        Refusal::Failed => problem(StatusCode::INTERNAL_SERVER_ERROR, "database_failed", &[]),
        Refusal::Busy => {
            let mut answer = problem(StatusCode::SERVICE_UNAVAILABLE, "busy", &[]);
            insert(&mut answer, RETRY_AFTER, b"1");
            answer
        }
    }
}

/// A problem document of RFC 9457; `faults` are pairs of a JSON pointer and what the value there must be.
pub(crate) fn problem(status: StatusCode, code: &str, faults: &[(&str, &str)]) -> Answer {
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

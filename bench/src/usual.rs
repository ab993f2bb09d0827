//! What is usually written: axum, a pool of sqlx, structs of serde, a transaction for each write. It shows what the techniques
//! of the [limit](crate::pipelined) and of Mimar are worth.

use std::hash::Hasher as _;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::{FromRequestParts, Path, Query, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use chrono::{DateTime, Utc};
use rustc_hash::FxHasher;
use serde::{Deserialize, Serialize};
use sqlx_core::query::query;
use sqlx_core::query_as::query_as;
use sqlx_postgres::{PgPool, PgPoolOptions};
use tokio::signal::unix::{SignalKind, signal};
use uuid::Uuid;

use crate::fault::{Doing as _, Fault};
use crate::form;
use crate::http::order_placed;
use crate::identity::{self, Caller};

/// Connections of the pool: what its documentation and most projects have, give or take a few.
const CONNECTIONS: u32 = 20;
/// Rows of one page of `recent_orders`.
const PAGE: usize = 20;

/// How the server is started.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where it listens.
    pub listen: SocketAddr,
    /// The address of the database that [`crate::data::POSTGRES_TABLES`] describes.
    pub database: String,
    /// The key of callers' tokens.
    pub secret: Vec<u8>,
}

/// Serves until SIGTERM.
///
/// # Errors
/// When the database cannot be reached or the address cannot be listened on.
pub fn serve(options: &Options) -> Result<(), Fault> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    runtime.doing("starting the workers")?.block_on(async {
        let pool =
            PgPoolOptions::new().max_connections(CONNECTIONS).connect(&options.database).await?;
        let shared = Arc::new(Shared { pool, secret: options.secret.clone() });
        let router = Router::new()
            .route("/readyz", get(async || "ok"))
            .route("/v1/customers/{id}", get(customer))
            .route("/v1/orders/{id}", get(order))
            .route("/v1/recent-orders", get(recent_orders))
            .route("/v1/products", post(create_product))
            .route("/v1/orders", post(create_order))
            .route("/v1/place-order", post(place_order))
            .with_state(shared);
        let listener = tokio::net::TcpListener::bind(options.listen).await;
        let listener = listener.doing(format!("listening on {}", options.listen))?;
        let mut terminate = signal(SignalKind::terminate()).doing("waiting for SIGTERM")?;
        axum::serve(
            axum::serve::ListenerExt::tap_io(listener, |stream| {
                // A stream that cannot be told is slow, not wrong.
                let _ = stream.set_nodelay(true);
            }),
            router,
        )
        .with_graceful_shutdown(async move {
            terminate.recv().await;
        })
        .await
        .doing("serving")
    })
}

struct Shared {
    pool: PgPool,
    secret: Vec<u8>,
}

/// Why there is no answer.
enum Refusal {
    Unknown,
    Unauthorized,
    Forbidden,
    Invalid,
    Taken,
    Failed,
}

impl From<sqlx_core::Error> for Refusal {
    fn from(error: sqlx_core::Error) -> Self {
        match error.as_database_error() {
            Some(error) if error.is_unique_violation() => Self::Taken,
            Some(error) if error.is_foreign_key_violation() => Self::Invalid,
            _ => Self::Failed,
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let status = match self {
            Self::Unknown => StatusCode::NOT_FOUND,
            Self::Unauthorized => StatusCode::UNAUTHORIZED,
            Self::Forbidden => StatusCode::FORBIDDEN,
            Self::Invalid => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Taken => StatusCode::CONFLICT,
            Self::Failed => StatusCode::INTERNAL_SERVER_ERROR,
        };
        let body =
            serde_json::json!({ "title": status.canonical_reason(), "status": status.as_u16() });
        (status, [(header::CONTENT_TYPE, "application/problem+json")], body.to_string())
            .into_response()
    }
}

impl FromRequestParts<Arc<Shared>> for Caller {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, shared: &Arc<Shared>) -> Result<Self, Refusal> {
        let Some(header) = parts.headers.get(header::AUTHORIZATION) else {
            return Ok(Self::Anyone);
        };
        let token = header.as_bytes().strip_prefix(b"Bearer ").ok_or(Refusal::Unauthorized)?;
        let (caller, expires) =
            identity::verify(&shared.secret, token).ok_or(Refusal::Unauthorized)?;
        let now = Utc::now().timestamp().cast_unsigned();
        if expires > now { Ok(caller) } else { Err(Refusal::Unauthorized) }
    }
}

#[derive(Serialize)]
struct Customer {
    id: Uuid,
    email: String,
    name: String,
    phone: Option<String>,
    joined: String,
}

#[derive(Serialize)]
struct Order {
    id: Uuid,
    customer: Uuid,
    status: String,
    total: String,
    placed: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    lines: Option<Vec<Line>>,
}

#[derive(Serialize)]
struct Line {
    position: i64,
    product: Shown,
    quantity: i64,
    price: String,
}

/// A product, or its key for those who may not see it.
#[derive(Serialize)]
#[serde(untagged)]
enum Shown {
    Product(Product),
    Key(String),
}

#[derive(Serialize)]
struct Product {
    sku: String,
    name: String,
    price: String,
    stock: i64,
    state: String,
}

#[derive(Serialize)]
struct Orders {
    data: Vec<Order>,
    next: Option<String>,
}

type CustomerRow = (Uuid, String, String, Option<String>, DateTime<Utc>, i64);
type LineRow = (i64, i64, i64, String, String, i64, i64, String);
type OrderRow = (Uuid, Uuid, String, i64, DateTime<Utc>, i64);

impl From<OrderRow> for Order {
    fn from((id, customer, status, total, placed, _): OrderRow) -> Self {
        Self { id, customer, status, total: money(total), placed: moment(placed), lines: None }
    }
}

fn money(cents: i64) -> String {
    let mut out = Vec::new();
    form::money(&mut out, cents);
    String::from_utf8_lossy(&out).into_owned()
}

fn moment(moment: DateTime<Utc>) -> String {
    let mut out = Vec::new();
    form::timestamp(&mut out, moment.timestamp_micros());
    String::from_utf8_lossy(&out).into_owned()
}

fn tagged(value: &impl Serialize, tag: Option<i64>) -> Result<Response, Refusal> {
    let body = serde_json::to_vec(value).map_err(|_| Refusal::Failed)?;
    let tag = match tag {
        Some(version) => format!("\"{version}\""),
        None => {
            let mut hasher = FxHasher::default();
            hasher.write(&body);
            format!("W/\"{:016x}\"", hasher.finish())
        }
    };
    Ok(([(header::CONTENT_TYPE, "application/json".to_owned()), (header::ETAG, tag)], body)
        .into_response())
}

async fn customer(
    caller: Caller,
    State(shared): State<Arc<Shared>>,
    Path(id): Path<Uuid>,
) -> Result<Response, Refusal> {
    match caller {
        Caller::Clerk => {}
        Caller::Customer(own) if own == *id.as_bytes() => {}
        _ => return Err(Refusal::Unknown),
    }
    let row: Option<CustomerRow> =
        query_as("SELECT id, email, name, phone, joined, row_version FROM customer WHERE id = $1")
            .bind(id)
            .fetch_optional(&shared.pool)
            .await?;
    let (id, email, name, phone, joined, version) = row.ok_or(Refusal::Unknown)?;
    tagged(&Customer { id, email, name, phone, joined: moment(joined) }, Some(version))
}

#[derive(Deserialize)]
struct Include {
    include: Option<String>,
}

async fn order(
    caller: Caller,
    State(shared): State<Arc<Shared>>,
    Path(id): Path<Uuid>,
    Query(Include { include }): Query<Include>,
) -> Result<Response, Refusal> {
    let row: Option<OrderRow> = query_as(
        r#"SELECT id, customer, status, total, placed, row_version FROM "order" WHERE id = $1"#,
    )
    .bind(id)
    .fetch_optional(&shared.pool)
    .await?;
    let row = row.ok_or(Refusal::Unknown)?;
    match caller {
        Caller::Clerk => {}
        Caller::Customer(own) if own == *row.1.as_bytes() => {}
        _ => return Err(Refusal::Unknown),
    }
    let version = row.5;
    let mut order = Order::from(row);
    if include.as_deref() != Some("lines.product") {
        return tagged(&order, Some(version));
    }
    let rows: Vec<LineRow> = query_as(
        r#"SELECT l.position, l.quantity, l.price, p.sku, p.name, p.price, p.stock, p.state
           FROM line l JOIN product p ON p.sku = l.product WHERE l."order" = $1 ORDER BY l.position"#,
    )
    .bind(id)
    .fetch_all(&shared.pool)
    .await?;
    let lines = rows.into_iter().map(|row| {
        let (position, quantity, price, sku, name, product_price, stock, state) = row;
        let product = if caller == Caller::Clerk || state == "live" {
            Shown::Product(Product { sku, name, price: money(product_price), stock, state })
        } else {
            Shown::Key(sku)
        };
        Line { position, product, quantity, price: money(price) }
    });
    order.lines = Some(lines.collect());
    tagged(&order, None)
}

#[derive(Deserialize)]
struct Page {
    customer: Uuid,
    after: Option<String>,
}

async fn recent_orders(
    caller: Caller,
    State(shared): State<Arc<Shared>>,
    Query(Page { customer, after }): Query<Page>,
) -> Result<Response, Refusal> {
    match caller {
        Caller::Clerk => {}
        Caller::Customer(own) if own == *customer.as_bytes() => {}
        Caller::Customer(_) => return Err(Refusal::Forbidden),
        Caller::Anyone => return Err(Refusal::Unauthorized),
    }
    let mut rows: Vec<OrderRow> = match after {
        None => {
            query_as(
                r#"SELECT id, customer, status, total, placed, row_version FROM "order"
                   WHERE customer = $1 ORDER BY placed DESC, id DESC LIMIT 21"#,
            )
            .bind(customer)
            .fetch_all(&shared.pool)
            .await?
        }
        Some(after) => {
            let (placed, id) = form::parse_cursor(&after).ok_or(Refusal::Invalid)?;
            query_as(
                r#"SELECT id, customer, status, total, placed, row_version FROM "order"
                   WHERE customer = $1 AND (placed, id) < ($2, $3)
                   ORDER BY placed DESC, id DESC LIMIT 21"#,
            )
            .bind(customer)
            .bind(DateTime::from_timestamp_micros(placed).ok_or(Refusal::Invalid)?)
            .bind(Uuid::from_bytes(id))
            .fetch_all(&shared.pool)
            .await?
        }
    };
    let has_more = rows.len() > PAGE;
    rows.truncate(PAGE);
    let next = rows
        .last()
        .filter(|_| has_more)
        .map(|last| form::cursor(last.4.timestamp_micros(), last.0.as_bytes()));
    let link = next
        .as_ref()
        .map(|next| format!("</v1/recent-orders?customer={customer}&after={next}>; rel=\"next\""));
    let orders = Orders { data: rows.into_iter().map(Order::from).collect(), next };
    let mut response = tagged(&orders, None)?;
    if let Some(link) = link.and_then(|link| HeaderValue::try_from(link).ok()) {
        response.headers_mut().insert(header::LINK, link);
    }
    Ok(response)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewProduct {
    sku: String,
    name: String,
    price: String,
    #[serde(default)]
    stock: i64,
    #[serde(default = "draft")]
    state: String,
}

fn draft() -> String {
    "draft".to_owned()
}

async fn create_product(
    caller: Caller,
    State(shared): State<Arc<Shared>>,
    Json(new): Json<NewProduct>,
) -> Result<Response, Refusal> {
    if caller != Caller::Clerk {
        return Err(Refusal::Forbidden);
    }
    let price = form::parse_money(&new.price).ok_or(Refusal::Invalid)?;
    if !(3..=40).contains(&new.sku.chars().count())
        || !(1..=200).contains(&new.name.chars().count())
        || new.stock < 0
        || !["draft", "live", "retired"].contains(&new.state.as_str())
    {
        return Err(Refusal::Invalid);
    }
    query("INSERT INTO product (sku, name, price, stock, state) VALUES ($1, $2, $3, $4, $5)")
        .bind(&new.sku)
        .bind(&new.name)
        .bind(price)
        .bind(new.stock)
        .bind(&new.state)
        .execute(&shared.pool)
        .await?;
    let location = format!("/v1/products/{}", new.sku);
    let NewProduct { sku, name, stock, state, .. } = new;
    created(&Product { sku, name, price: money(price), stock, state }, &location)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewOrder {
    customer: Uuid,
    lines: Vec<NewLine>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewLine {
    product: String,
    quantity: i64,
    price: String,
}

async fn create_order(
    caller: Caller,
    State(shared): State<Arc<Shared>>,
    Json(new): Json<NewOrder>,
) -> Result<Response, Refusal> {
    match caller {
        Caller::Clerk => {}
        Caller::Customer(own) if own == *new.customer.as_bytes() => {}
        _ => return Err(Refusal::Forbidden),
    }
    if !(1..=50).contains(&new.lines.len()) {
        return Err(Refusal::Invalid);
    }
    let mut total: i64 = 0;
    let mut prices = Vec::with_capacity(new.lines.len());
    for line in &new.lines {
        let price = form::parse_money(&line.price).ok_or(Refusal::Invalid)?;
        let sum = price.checked_mul(line.quantity).and_then(|sum| sum.checked_add(total));
        total = sum.filter(|_| (1..=100).contains(&line.quantity)).ok_or(Refusal::Invalid)?;
        prices.push(price);
    }
    let (id, placed) = (Uuid::now_v7(), Utc::now());
    let mut transaction = shared.pool.begin().await?;
    query(
        r#"INSERT INTO "order" (id, customer, status, total, placed) VALUES ($1, $2, 'pending', $3, $4)"#,
    )
    .bind(id)
    .bind(new.customer)
    .bind(total)
    .bind(placed)
    .execute(&mut *transaction)
    .await?;
    for (at, (line, price)) in new.lines.iter().zip(prices).enumerate() {
        let state: Option<(String,)> = query_as("SELECT state FROM product WHERE sku = $1")
            .bind(&line.product)
            .fetch_optional(&mut *transaction)
            .await?;
        let (state,) = state.ok_or(Refusal::Invalid)?;
        if caller != Caller::Clerk && state != "live" {
            return Err(Refusal::Invalid);
        }
        query(
            r#"INSERT INTO line ("order", position, product, quantity, price) VALUES ($1, $2, $3, $4, $5)"#,
        )
        .bind(id)
        .bind(at as i64 + 1)
        .bind(&line.product)
        .bind(line.quantity)
        .bind(price)
        .execute(&mut *transaction)
        .await?;
    }
    transaction.commit().await?;
    let order = Order {
        id,
        customer: new.customer,
        status: "pending".to_owned(),
        total: money(total),
        placed: moment(placed),
        lines: None,
    };
    created(&order, &format!("/v1/orders/{id}"))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewBasket {
    basket: Vec<NewItem>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewItem {
    product: String,
    quantity: i64,
}

async fn place_order(
    caller: Caller,
    State(shared): State<Arc<Shared>>,
    Json(mut new): Json<NewBasket>,
) -> Result<Response, Refusal> {
    let Caller::Customer(customer) = caller else { return Err(Refusal::Forbidden) };
    let in_bounds = |item: &NewItem| (1..=100).contains(&item.quantity);
    if !(1..=50).contains(&new.basket.len()) || !new.basket.iter().all(in_bounds) {
        return Err(Refusal::Invalid);
    }
    let (id, customer, placed) = (Uuid::now_v7(), Uuid::from_bytes(customer), Utc::now());
    let mut transaction = shared.pool.begin().await?;
    query(
        r#"INSERT INTO "order" (id, customer, status, total, placed) VALUES ($1, $2, 'pending', 0, $3)"#,
    )
    .bind(id)
    .bind(customer)
    .bind(placed)
    .execute(&mut *transaction)
    .await?;
    // In one order, so that two of them do not wait for each other; each keeps its place.
    let mut places: Vec<usize> = (0..new.basket.len()).collect();
    places.sort_by(|a, b| new.basket[*a].product.cmp(&new.basket[*b].product));
    let mut total: i64 = 0;
    for at in places {
        let item = &mut new.basket[at];
        let price: Option<(i64,)> = query_as(
            "UPDATE product SET stock = stock - $2, row_version = row_version + 1
             WHERE sku = $1 AND stock >= $2 AND state = 'live' RETURNING price",
        )
        .bind(&item.product)
        .bind(item.quantity)
        .fetch_optional(&mut *transaction)
        .await?;
        let (price,) = price.ok_or(Refusal::Invalid)?;
        total += price * item.quantity;
        query(
            r#"INSERT INTO line ("order", position, product, quantity, price) VALUES ($1, $2, $3, $4, $5)"#,
        )
        .bind(id)
        .bind(at as i64 + 1)
        .bind(&item.product)
        .bind(item.quantity)
        .bind(price)
        .execute(&mut *transaction)
        .await?;
    }
    query(r#"UPDATE "order" SET total = $2 WHERE id = $1"#)
        .bind(id)
        .bind(total)
        .execute(&mut *transaction)
        .await?;
    let (key, data) = order_placed(id.as_bytes(), total);
    query("INSERT INTO event (id, name, key, made, data) VALUES ($1, 'OrderPlaced', $2, $3, $4::json)")
        .bind(Uuid::now_v7())
        .bind(key)
        .bind(placed.timestamp_micros())
        .bind(data)
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await?;
    let order = Order {
        id,
        customer,
        status: "pending".to_owned(),
        total: money(total),
        placed: moment(placed),
        lines: None,
    };
    Ok(Json(order).into_response())
}

fn created(value: &impl Serialize, location: &str) -> Result<Response, Refusal> {
    let mut response = tagged(value, Some(1))?;
    *response.status_mut() = StatusCode::CREATED;
    let headers: &mut HeaderMap = response.headers_mut();
    if let Ok(location) = HeaderValue::try_from(location) {
        headers.insert(header::LOCATION, location);
    }
    Ok(response)
}

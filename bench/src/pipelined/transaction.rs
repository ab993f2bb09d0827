//! Transactions that must know what they find before they write: locked, looked at, written, each over a connection of its own
//! while it runs. What needs no answer in between shares a round trip.

use std::cell::RefCell;
use std::rc::Rc;

use futures_util::{
    FutureExt as _,
    future::{try_join, try_join_all},
};
use tokio::sync::Semaphore;
use tokio::task::spawn_local;
use tokio_postgres::{Client, Error, Statement};

use super::connect;
use super::wire::{Key, Moment};
use crate::fault::Fault;
use crate::http::{Line, Refusal, order_placed};

/// Connections of a thread.
const CONNECTIONS: usize = 4;

/// Locked in the order of their keys, so that two orders do not wait for each other.
const LOCK: &str = "SELECT sku, price, stock FROM product WHERE sku = ANY($1) AND state = 'live'
    ORDER BY sku FOR NO KEY UPDATE";

const TAKE: &str = "UPDATE product SET stock = stock - g.quantity, row_version = row_version + 1
    FROM unnest($1::text[], $2::int8[]) AS g (sku, quantity) WHERE product.sku = g.sku";

const ORDER: &str = r#"INSERT INTO "order" (id, customer, status, total, placed) VALUES ($1, $2, 'pending', $3, $4)"#;

const LINES: &str = r#"INSERT INTO line ("order", position, product, quantity, price)
    SELECT $1, * FROM unnest($2::int8[], $3::text[], $4::int8[], $5::int8[])"#;

const EVENT: &str = "INSERT INTO event (id, name, key, made, data) VALUES ($1, 'OrderPlaced', $2, $3, $4::text::json)";

struct Connection {
    client: Client,
    lock: Statement,
    take: Statement,
    order: Statement,
    lines: Statement,
    event: Statement,
}

/// A thread's connections for transactions.
pub(super) struct Transactions(Rc<Inner>);

struct Inner {
    free: RefCell<Vec<Rc<Connection>>>,
    room: Semaphore,
}

impl Transactions {
    pub(super) async fn open(database: &str) -> Result<Self, Fault> {
        let mut free = Vec::with_capacity(CONNECTIONS);
        for _ in 0..CONNECTIONS {
            let client = connect(database).await?;
            free.push(Rc::new(Connection {
                lock: client.prepare(LOCK).await?,
                take: client.prepare(TAKE).await?,
                order: client.prepare(ORDER).await?,
                lines: client.prepare(LINES).await?,
                event: client.prepare(EVENT).await?,
                client,
            }));
        }
        let room = Semaphore::new(CONNECTIONS);
        Ok(Self(Rc::new(Inner { free: RefCell::new(free), room })))
    }

    /// Places an order; what it costs in all.
    pub(super) async fn place_order(
        &self,
        id: [u8; 16],
        customer: [u8; 16],
        placed: i64,
        lines: Vec<Line>,
    ) -> Result<i64, Refusal> {
        let inner = Rc::clone(&self.0);
        // By itself, so that a caller who leaves does not leave a transaction open.
        let placing = async move { inner.place_order(id, customer, placed, &lines).await };
        spawn_local(placing).await.unwrap_or(Err(Refusal::Failed))
    }
}

impl Inner {
    async fn place_order(
        &self,
        id: [u8; 16],
        customer: [u8; 16],
        placed: i64,
        lines: &[Line],
    ) -> Result<i64, Refusal> {
        let _room = self.room.acquire().await.map_err(|_| Refusal::Busy)?;
        let Some(connection) = self.free.borrow_mut().pop() else { return Err(Refusal::Busy) };
        let outcome = connection.place_order(id, customer, placed, lines).await;
        if outcome.is_err() {
            // If even this fails, the connection is gone, and what it had begun with it.
            let _ = connection.client.batch_execute("ROLLBACK").await;
        }
        self.free.borrow_mut().push(connection);
        outcome
    }
}

impl Connection {
    async fn place_order(
        &self,
        id: [u8; 16],
        customer: [u8; 16],
        placed: i64,
        lines: &[Line],
    ) -> Result<i64, Refusal> {
        let failed = |_: Error| Refusal::Failed;
        // The same product twice is one row to take from.
        let mut wanted: Vec<(&str, i64)> = Vec::with_capacity(lines.len());
        for line in lines {
            match wanted.iter_mut().find(|(sku, _)| *sku == line.product) {
                Some((_, quantity)) => *quantity += line.quantity,
                None => wanted.push((&line.product, line.quantity)),
            }
        }
        let (skus, quantities): (Vec<&str>, Vec<i64>) = wanted.into_iter().unzip();
        let client = &self.client;
        let (_, rows) = try_join(client.batch_execute("BEGIN"), client.query(&self.lock, &[&skus]))
            .await
            .map_err(failed)?;
        if rows.len() < skus.len() {
            return Err(Refusal::Dangling);
        }
        let (mut total, mut prices) = (0, Vec::with_capacity(lines.len()));
        for line in lines {
            let row = rows.iter().find(|row| row.get::<_, &str>(0) == line.product);
            let price: i64 = row.ok_or(Refusal::Dangling)?.get(1);
            total += price * line.quantity;
            prices.push(price);
        }
        for (sku, quantity) in skus.iter().zip(&quantities) {
            let row = rows.iter().find(|row| row.get::<_, &str>(0) == *sku);
            if row.is_none_or(|row| row.get::<_, i64>(2) < *quantity) {
                return Err(Refusal::OutOfStock);
            }
        }
        let positions: Vec<i64> = (1..).take(lines.len()).collect();
        let products: Vec<&str> = lines.iter().map(|line| line.product.as_str()).collect();
        let each: Vec<i64> = lines.iter().map(|line| line.quantity).collect();
        let (key, data) = order_placed(&id, total);
        let (id, customer, moment) = (Key(id), Key(customer), Moment(placed));
        let event = Key(*uuid::Uuid::now_v7().as_bytes());
        let (skus, quantities, prices) = (&skus, &quantities, &prices);
        try_join_all([
            client.execute(&self.take, &[skus, quantities]).boxed_local(),
            client.execute(&self.order, &[&id, &customer, &total, &moment]).boxed_local(),
            client.execute(&self.lines, &[&id, &positions, &products, &each, prices]).boxed_local(),
            client.execute(&self.event, &[&event, &key, &placed, &data]).boxed_local(),
            client.batch_execute("COMMIT").map(|outcome| outcome.map(|()| 0)).boxed_local(),
        ])
        .await
        .map_err(failed)?;
        Ok(total)
    }
}

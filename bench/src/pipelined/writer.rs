//! Writes: what has queued while the last commit ran is the next commit, as one statement; one that fails is made singly.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use tokio::sync::oneshot;
use tokio::task::spawn_local;
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Statement};

use super::connect;
use super::wire::{Key, Moment};
use crate::fault::Fault;
use crate::http::{Change, Refusal};

/// Requests that may wait; past it a request is turned away at once.
const BOUND: usize = 8_192;

const PRODUCTS: &str = "INSERT INTO product (sku, name, price, stock, state)
    SELECT * FROM unnest($1::text[], $2::text[], $3::int8[], $4::int8[], $5::text[])";

/// Nothing is written unless each product is there for who orders it; the answer is how many orders were.
const ORDERS: &str = r#"WITH given AS (
      SELECT * FROM unnest($5::uuid[], $6::int8[], $7::text[], $8::int8[], $9::int8[], $10::bool[])
        AS g (ord, position, product, quantity, price, sees_all)),
    fit AS (SELECT count(*) = cardinality($5) AS all FROM given g JOIN product p ON p.sku = g.product
      WHERE g.sees_all OR p.state = 'live'),
    made AS (INSERT INTO "order" (id, customer, status, total, placed)
      SELECT o.id, o.customer, 'pending', o.total, o.placed
      FROM unnest($1::uuid[], $2::uuid[], $3::int8[], $4::timestamptz[]) AS o (id, customer, total, placed), fit
      WHERE fit.all RETURNING 1),
    lines AS (INSERT INTO line ("order", position, product, quantity, price)
      SELECT ord, position, product, quantity, price FROM given, fit WHERE fit.all)
    SELECT count(*) FROM made"#;

struct Job {
    change: Change,
    reply: oneshot::Sender<Result<(), Refusal>>,
}

struct Inner {
    client: Client,
    products: Statement,
    orders: Statement,
    batch: usize,
    waiting: RefCell<Vec<Job>>,
    runs: Cell<bool>,
}

/// A thread's connection for writing.
pub(super) struct Writer(Rc<Inner>);

impl Writer {
    pub(super) async fn open(database: &str, batch: usize) -> Result<Self, Fault> {
        let client = connect(database).await?;
        let (products, orders) = (client.prepare(PRODUCTS).await?, client.prepare(ORDERS).await?);
        Ok(Self(Rc::new(Inner {
            client,
            products,
            orders,
            batch,
            waiting: RefCell::default(),
            runs: Cell::new(false),
        })))
    }

    /// Has `change` made; answers after its commit.
    pub(super) async fn submit(&self, change: Change) -> Result<(), Refusal> {
        let (reply, answer) = oneshot::channel();
        {
            let mut waiting = self.0.waiting.borrow_mut();
            if waiting.len() >= BOUND {
                return Err(Refusal::Busy);
            }
            waiting.push(Job { change, reply });
        }
        if !self.0.runs.replace(true) {
            let inner = Rc::clone(&self.0);
            spawn_local(async move { inner.run().await });
        }
        answer.await.unwrap_or(Err(Refusal::Failed))
    }
}

impl Inner {
    async fn run(&self) {
        loop {
            let batch: Vec<Job> = {
                let mut waiting = self.waiting.borrow_mut();
                let count = waiting.len().min(self.batch);
                waiting.drain(..count).collect()
            };
            if batch.is_empty() {
                self.runs.set(false);
                return;
            }
            let (products, orders): (Vec<Job>, Vec<Job>) =
                batch.into_iter().partition(|job| matches!(job.change, Change::Product { .. }));
            for jobs in [products, orders] {
                self.make(jobs).await;
            }
        }
    }

    async fn make(&self, jobs: Vec<Job>) {
        if jobs.is_empty() {
            return;
        }
        let all: Vec<&Change> = jobs.iter().map(|job| &job.change).collect();
        let outcome = self.insert(&all).await;
        if outcome.is_ok() || jobs.len() == 1 {
            for job in jobs {
                let _ = job.reply.send(outcome);
            }
            return;
        }
        for job in jobs {
            let outcome = self.insert(&[&job.change]).await;
            let _ = job.reply.send(outcome);
        }
    }

    /// Inserts changes of one kind.
    async fn insert(&self, changes: &[&Change]) -> Result<(), Refusal> {
        let refusal = |error: tokio_postgres::Error| match error.code() {
            Some(code) if *code == SqlState::UNIQUE_VIOLATION => Refusal::Taken,
            Some(code) if *code == SqlState::FOREIGN_KEY_VIOLATION => Refusal::Dangling,
            _ => Refusal::Failed,
        };
        if matches!(changes.first(), Some(Change::Product { .. })) {
            let (mut skus, mut names) = (Vec::new(), Vec::new());
            let (mut prices, mut stocks, mut states) = (Vec::new(), Vec::new(), Vec::new());
            for change in changes {
                if let Change::Product { sku, name, price, stock, state } = change {
                    skus.push(sku.as_str());
                    names.push(name.as_str());
                    prices.push(*price);
                    stocks.push(*stock);
                    states.push(*state);
                }
            }
            let made = self
                .client
                .execute(&self.products, &[&skus, &names, &prices, &stocks, &states])
                .await;
            return made.map(drop).map_err(refusal);
        }
        let (mut ids, mut customers) = (Vec::new(), Vec::new());
        let (mut totals, mut moments) = (Vec::new(), Vec::new());
        let (mut owners, mut positions, mut products) = (Vec::new(), Vec::new(), Vec::new());
        let (mut quantities, mut prices, mut sees) = (Vec::new(), Vec::new(), Vec::new());
        for change in changes {
            if let Change::Order { id, customer, total, placed, lines, sees_all } = change {
                ids.push(Key(*id));
                customers.push(Key(*customer));
                totals.push(*total);
                moments.push(Moment(*placed));
                for (at, line) in lines.iter().enumerate() {
                    owners.push(Key(*id));
                    positions.push(at as i64 + 1);
                    products.push(line.product.as_str());
                    quantities.push(line.quantity);
                    prices.push(line.price);
                    sees.push(*sees_all);
                }
            }
        }
        let made = self
            .client
            .query_one(
                &self.orders,
                &[
                    &ids,
                    &customers,
                    &totals,
                    &moments,
                    &owners,
                    &positions,
                    &products,
                    &quantities,
                    &prices,
                    &sees,
                ],
            )
            .await
            .map_err(refusal)?;
        if made.get::<_, i64>(0) == 0 { Err(Refusal::Dangling) } else { Ok(()) }
    }
}

//! Reads: by key as one statement for all that wait, pages one by one in a pipeline.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use futures_util::{TryStreamExt as _, pin_mut};
use rustc_hash::FxHashMap;
use tokio::sync::oneshot;
use tokio::task::spawn_local;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Row, Statement};

use super::connect;
use super::wire::{Key, Moment, integer, key, moment, raw, text};
use crate::fault::Fault;
use crate::form;
use crate::identity::Caller;

/// Rows of one page of `recent_orders`.
const PAGE: usize = 20;

const CUSTOMERS: &str =
    "SELECT id, email, name, phone, joined, row_version FROM customer WHERE id = ANY ($1)";
const ORDERS: &str =
    r#"SELECT id, customer, status, total, placed, row_version FROM "order" WHERE id = ANY ($1)"#;
const WHOLE_ORDERS: &str = r#"SELECT o.id, o.customer, o.status, o.total, o.placed, o.row_version,
    l.position, l.quantity, l.price, p.sku, p.name, p.price, p.stock, p.state
    FROM "order" o LEFT JOIN line l ON l."order" = o.id LEFT JOIN product p ON p.sku = l.product
    WHERE o.id = ANY ($1) ORDER BY o.id, l.position"#;
const PAGES: &str = r#"SELECT id, customer, status, total, placed FROM "order"
    WHERE customer = $1 ORDER BY placed DESC, id DESC LIMIT 21"#;
const PAGES_AFTER: &str = r#"SELECT id, customer, status, total, placed FROM "order"
    WHERE customer = $1 AND (placed, id) < ($2, $3) ORDER BY placed DESC, id DESC LIMIT 21"#;

/// The database did not answer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Failed;

impl From<tokio_postgres::Error> for Failed {
    fn from(_: tokio_postgres::Error) -> Self {
        Self
    }
}

/// An object and its version; `None` if there is none that the caller may see.
type Found = Option<(Vec<u8>, i64)>;

/// What writes the rows of one key for a caller.
type Write = fn(&[Row], Caller) -> Result<Found, tokio_postgres::Error>;

struct Waiting {
    key: [u8; 16],
    caller: Caller,
    reply: oneshot::Sender<Result<Found, Failed>>,
}

/// Reads by key that wait for the one that runs.
struct ByKey {
    client: Rc<Client>,
    statement: Statement,
    write: Write,
    batch: usize,
    waiting: RefCell<Vec<Waiting>>,
    runs: Cell<bool>,
}

impl ByKey {
    async fn open(
        client: &Rc<Client>,
        text: &str,
        write: Write,
        batch: usize,
    ) -> Result<Rc<Self>, Fault> {
        let statement = client.prepare(text).await?;
        Ok(Rc::new(Self {
            client: Rc::clone(client),
            statement,
            write,
            batch,
            waiting: RefCell::default(),
            runs: Cell::new(false),
        }))
    }

    async fn ask(self: &Rc<Self>, key: [u8; 16], caller: Caller) -> Result<Found, Failed> {
        let (reply, answer) = oneshot::channel();
        self.waiting.borrow_mut().push(Waiting { key, caller, reply });
        if !self.runs.replace(true) {
            let this = Rc::clone(self);
            spawn_local(async move { this.run().await });
        }
        answer.await.unwrap_or(Err(Failed))
    }

    async fn run(&self) {
        loop {
            let batch: Vec<Waiting> = {
                let mut waiting = self.waiting.borrow_mut();
                let count = waiting.len().min(self.batch);
                waiting.drain(..count).collect()
            };
            if batch.is_empty() {
                self.runs.set(false);
                return;
            }
            let keys: Vec<Key> = batch.iter().map(|waiting| Key(waiting.key)).collect();
            let rows = self.client.query(&self.statement, &[&keys]).await;
            let Ok(rows) = rows else {
                for waiting in batch {
                    let _ = waiting.reply.send(Err(Failed));
                }
                continue;
            };
            // Rows of one key follow each other.
            let mut ranges: FxHashMap<[u8; 16], (usize, usize)> = FxHashMap::default();
            for (at, row) in rows.iter().enumerate() {
                let key = key(row, 0).unwrap_or_default();
                ranges.entry(key).or_insert((at, at)).1 = at + 1;
            }
            for waiting in batch {
                let (from, to) = ranges.get(&waiting.key).copied().unwrap_or_default();
                let found = (self.write)(&rows[from..to], waiting.caller);
                // Who has gone needs no answer.
                let _ = waiting.reply.send(found.map_err(Failed::from));
            }
        }
    }
}

/// A thread's connections for reading.
pub(super) struct Reader {
    customers: Rc<ByKey>,
    orders: Rc<ByKey>,
    whole_orders: Rc<ByKey>,
    pages: Client,
    page: Statement,
    page_after: Statement,
}

impl Reader {
    pub(super) async fn open(database: &str, batch: usize) -> Result<Self, Fault> {
        let keys = Rc::new(connect(database).await?);
        let pages = connect(database).await?;
        Ok(Self {
            customers: ByKey::open(&keys, CUSTOMERS, write_customer, batch).await?,
            orders: ByKey::open(&keys, ORDERS, write_order, batch).await?,
            whole_orders: ByKey::open(&keys, WHOLE_ORDERS, write_whole_order, batch).await?,
            page: pages.prepare(PAGES).await?,
            page_after: pages.prepare(PAGES_AFTER).await?,
            pages,
        })
    }

    /// One customer.
    pub(super) async fn customer(&self, caller: Caller, id: [u8; 16]) -> Result<Found, Failed> {
        match caller {
            Caller::Clerk => {}
            Caller::Customer(own) if own == id => {}
            Caller::Customer(_) | Caller::Anyone => return Ok(None),
        }
        self.customers.ask(id, caller).await
    }

    /// One order, and its lines with their products where `with_lines`.
    pub(super) async fn order(
        &self,
        caller: Caller,
        id: [u8; 16],
        with_lines: bool,
    ) -> Result<Found, Failed> {
        let lane = if with_lines { &self.whole_orders } else { &self.orders };
        lane.ask(id, caller).await
    }

    /// A page of one customer's orders, the newest first, and the cursor of the next page.
    /// The caller may see the orders of this customer: that is decided before.
    pub(super) async fn recent_orders(
        &self,
        customer: [u8; 16],
        after: Option<(i64, [u8; 16])>,
    ) -> Result<(Vec<u8>, Option<String>), Failed> {
        let customer = Key(customer);
        let rows = match after {
            None => {
                let binds: [&(dyn ToSql + Sync); 1] = [&customer];
                self.pages.query_raw(&self.page, binds).await?
            }
            Some((placed, id)) => {
                let (placed, id) = (Moment(placed), Key(id));
                let binds: [&(dyn ToSql + Sync); 3] = [&customer, &placed, &id];
                self.pages.query_raw(&self.page_after, binds).await?
            }
        };
        pin_mut!(rows);
        let mut out = Vec::with_capacity(4_096);
        out.extend_from_slice(b"{\"data\":[");
        let mut count = 0;
        let mut last = (0, [0; 16]);
        let mut next = None;
        while let Some(row) = rows.try_next().await? {
            if count == PAGE {
                next = Some(form::cursor(last.0, &last.1));
                continue;
            }
            if count > 0 {
                out.push(b',');
            }
            count += 1;
            last = write_columns(&mut out, &row)?;
            out.push(b'}');
        }
        match &next {
            Some(cursor) => {
                out.extend_from_slice(b"],\"next\":\"");
                out.extend_from_slice(cursor.as_bytes());
                out.extend_from_slice(b"\"}");
            }
            None => out.extend_from_slice(b"],\"next\":null}"),
        }
        Ok((out, next))
    }
}

fn write_customer(rows: &[Row], _: Caller) -> Result<Found, tokio_postgres::Error> {
    let Some(row) = rows.first() else { return Ok(None) };
    let mut out = Vec::with_capacity(256);
    out.extend_from_slice(b"{\"id\":\"");
    form::uuid(&mut out, &key(row, 0)?);
    out.extend_from_slice(b"\",\"email\":");
    text(&mut out, row, 1)?;
    out.extend_from_slice(b",\"name\":");
    text(&mut out, row, 2)?;
    out.extend_from_slice(b",\"phone\":");
    text(&mut out, row, 3)?;
    out.extend_from_slice(b",\"joined\":\"");
    form::timestamp(&mut out, moment(row, 4)?);
    out.extend_from_slice(b"\"}");
    Ok(Some((out, integer(row, 5)?)))
}

fn is_visible(row: &Row, caller: Caller) -> Result<bool, tokio_postgres::Error> {
    Ok(match caller {
        Caller::Clerk => true,
        Caller::Customer(own) => key(row, 1)? == own,
        Caller::Anyone => false,
    })
}

fn write_order(rows: &[Row], caller: Caller) -> Result<Found, tokio_postgres::Error> {
    let Some(row) = rows.first() else { return Ok(None) };
    if !is_visible(row, caller)? {
        return Ok(None);
    }
    let mut out = Vec::with_capacity(256);
    write_columns(&mut out, row)?;
    out.push(b'}');
    Ok(Some((out, integer(row, 5)?)))
}

fn write_whole_order(rows: &[Row], caller: Caller) -> Result<Found, tokio_postgres::Error> {
    let Some(row) = rows.first() else { return Ok(None) };
    if !is_visible(row, caller)? {
        return Ok(None);
    }
    let mut out = Vec::with_capacity(256 + rows.len() * 192);
    write_columns(&mut out, row)?;
    out.extend_from_slice(b",\"lines\":[");
    let mut first = true;
    for row in rows {
        if raw(row, 6)?.is_none() {
            continue;
        }
        if !first {
            out.push(b',');
        }
        first = false;
        write_line(&mut out, row, caller)?;
    }
    out.extend_from_slice(b"]}");
    Ok(Some((out, integer(row, 5)?)))
}

/// Writes an order from the columns id, customer, status, total, placed, without its closing brace.
fn write_columns(out: &mut Vec<u8>, row: &Row) -> Result<(i64, [u8; 16]), tokio_postgres::Error> {
    let id = key(row, 0)?;
    out.extend_from_slice(b"{\"id\":\"");
    form::uuid(out, &id);
    out.extend_from_slice(b"\",\"customer\":\"");
    form::uuid(out, &key(row, 1)?);
    out.extend_from_slice(b"\",\"status\":");
    text(out, row, 2)?;
    out.extend_from_slice(b",\"total\":\"");
    form::money(out, integer(row, 3)?);
    out.extend_from_slice(b"\",\"placed\":\"");
    let placed = moment(row, 4)?;
    form::timestamp(out, placed);
    out.push(b'"');
    Ok((placed, id))
}

/// Writes a line and its product; one that the caller may not see is left as its key.
fn write_line(out: &mut Vec<u8>, row: &Row, caller: Caller) -> Result<(), tokio_postgres::Error> {
    out.extend_from_slice(b"{\"position\":");
    form::integer(out, integer(row, 6)?);
    out.extend_from_slice(b",\"product\":");
    if caller == Caller::Clerk || raw(row, 13)? == Some(b"live") {
        out.extend_from_slice(b"{\"sku\":");
        text(out, row, 9)?;
        out.extend_from_slice(b",\"name\":");
        text(out, row, 10)?;
        out.extend_from_slice(b",\"price\":\"");
        form::money(out, integer(row, 11)?);
        out.extend_from_slice(b"\",\"stock\":");
        form::integer(out, integer(row, 12)?);
        out.extend_from_slice(b",\"state\":");
        text(out, row, 13)?;
        out.push(b'}');
    } else {
        text(out, row, 9)?;
    }
    out.extend_from_slice(b",\"quantity\":");
    form::integer(out, integer(row, 7)?);
    out.extend_from_slice(b",\"price\":\"");
    form::money(out, integer(row, 8)?);
    out.extend_from_slice(b"\"}");
    Ok(())
}

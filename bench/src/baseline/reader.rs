//! A worker's own eyes on the database: one connection, statements prepared once, rows written to JSON
//! straight from the columns.
//!
//! A read transaction stays open from one request to the next for as long as nobody commits: taking and
//! giving back a snapshot costs two system calls, more than the look-up of a row. That a newer snapshot is
//! due is known from the writer's count of commits, which rises before a write is answered, so whoever has
//! seen an answer reads what it wrote.
//!
//! While nobody commits, pages are read where the kernel maps them. SQLite gives a mapping up with each new
//! snapshot, and mapping it again costs more than copying the few pages that are wanted; so while commits
//! come, pages are copied into the connection's own cache instead.

use std::sync::atomic::Ordering;

use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags, Row, Statement};

use super::Shared;
use crate::form;
use crate::identity::Caller;

/// Rows of one page of `recent_orders`.
const PAGE: usize = 20;

const CUSTOMER: &str =
    "SELECT id, email, name, phone, joined, row_version FROM customer WHERE id = ?1";
const ORDERS: &str = r#"SELECT id, customer, status, total, placed FROM "order"
    WHERE customer = ?1 ORDER BY placed DESC, id DESC LIMIT 21"#;
const ORDERS_AFTER: &str = r#"SELECT id, customer, status, total, placed FROM "order"
    WHERE customer = ?1 AND (placed, id) < (?2, ?3) ORDER BY placed DESC, id DESC LIMIT 21"#;
const ORDER: &str =
    r#"SELECT id, customer, status, total, placed, row_version FROM "order" WHERE id = ?1"#;
const LINES: &str = r#"SELECT l.position, l.quantity, l.price, p.sku, p.name, p.price, p.stock, p.state
    FROM line AS l CROSS JOIN product AS p ON p.sku = l.product WHERE l."order" = ?1 ORDER BY l.position"#;

/// Reads without a commit in between after which the database is mapped again.
const CALM: u32 = 4_096;

/// A connection for reading and its statements; it belongs to one thread for as long as the process lives.
pub(super) struct Reader {
    connection: &'static Connection,
    begin: Statement<'static>,
    commit: Statement<'static>,
    customer: Statement<'static>,
    orders: Statement<'static>,
    orders_after: Statement<'static>,
    order: Statement<'static>,
    lines: Statement<'static>,
    /// Whether a read transaction is open.
    open: bool,
    /// The count of commits when the last read transaction began, whether or not it is still open.
    known: u64,
    mapped: bool,
    /// Reads since the count of commits last changed, while the database is not mapped.
    calm: u32,
}

impl Reader {
    /// Opens a connection that lives as long as its thread, which is as long as the process.
    pub(super) fn open(shared: &Shared) -> rusqlite::Result<Reader> {
        let connection: &'static Connection =
            Box::leak(Box::new(super::open(shared, OpenFlags::SQLITE_OPEN_READ_ONLY)?));
        Ok(Reader {
            connection,
            begin: connection.prepare("BEGIN")?,
            commit: connection.prepare("COMMIT")?,
            customer: connection.prepare(CUSTOMER)?,
            orders: connection.prepare(ORDERS)?,
            orders_after: connection.prepare(ORDERS_AFTER)?,
            order: connection.prepare(ORDER)?,
            lines: connection.prepare(LINES)?,
            open: false,
            known: shared.commits.load(Ordering::Acquire),
            mapped: true,
            calm: 0,
        })
    }

    /// Makes sure that the next statement sees everything that was answered before now.
    #[inline]
    pub(super) fn refresh(&mut self, shared: &Shared) -> rusqlite::Result<()> {
        // Read before the transaction begins: the snapshot may be newer than its number, never older.
        let commits = shared.commits.load(Ordering::Acquire);
        if self.known != commits {
            self.rest()?;
            self.known = commits;
            self.calm = 0;
            if self.mapped {
                self.map(false)?;
            }
            if !shared.refreshed.load(Ordering::Relaxed) {
                shared.refreshed.store(true, Ordering::Relaxed);
            }
        } else if !self.mapped {
            self.calm += 1;
            if self.calm == CALM {
                self.rest()?;
                self.map(true)?;
            }
        }
        if !self.open {
            self.begin.raw_execute()?;
            self.open = true;
        }
        Ok(())
    }

    fn map(&mut self, mapped: bool) -> rusqlite::Result<()> {
        let size: i64 = if mapped { super::MAPPED } else { 0 };
        self.connection.pragma_update(None, "mmap_size", size)?;
        self.mapped = mapped;
        Ok(())
    }

    /// Gives the snapshot back.
    pub(super) fn rest(&mut self) -> rusqlite::Result<()> {
        if std::mem::take(&mut self.open) {
            self.commit.raw_execute()?;
        }
        Ok(())
    }

    /// Writes one customer to `out`; gives its version, or `None` if there is none that the caller may see.
    pub(super) fn customer(
        &mut self,
        caller: Caller,
        id: &[u8; 16],
        out: &mut Vec<u8>,
    ) -> rusqlite::Result<Option<i64>> {
        match caller {
            Caller::Clerk => {}
            Caller::Customer(own) if own == *id => {}
            Caller::Customer(_) | Caller::Anyone => return Ok(None),
        }
        self.customer.raw_bind_parameter(1, &id[..])?;
        let mut rows = self.customer.raw_query();
        let Some(row) = rows.next()? else { return Ok(None) };
        out.extend_from_slice(b"{\"id\":\"");
        key(out, row, 0)?;
        out.extend_from_slice(b"\",\"email\":");
        text(out, row, 1)?;
        out.extend_from_slice(b",\"name\":");
        text(out, row, 2)?;
        out.extend_from_slice(b",\"phone\":");
        text(out, row, 3)?;
        out.extend_from_slice(b",\"joined\":\"");
        form::timestamp(out, row.get_ref(4)?.as_i64()?);
        out.extend_from_slice(b"\"}");
        Ok(Some(row.get_ref(5)?.as_i64()?))
    }

    /// Writes a page of one customer's orders, the newest first, to `out`; gives the cursor of the next page.
    /// The caller may see the orders of this customer: that is decided before.
    pub(super) fn recent_orders(
        &mut self,
        customer: &[u8; 16],
        after: Option<(i64, [u8; 16])>,
        out: &mut Vec<u8>,
    ) -> rusqlite::Result<Option<String>> {
        let mut rows = if let Some((placed, id)) = after {
            self.orders_after.raw_bind_parameter(1, &customer[..])?;
            self.orders_after.raw_bind_parameter(2, placed)?;
            self.orders_after.raw_bind_parameter(3, &id[..])?;
            self.orders_after.raw_query()
        } else {
            self.orders.raw_bind_parameter(1, &customer[..])?;
            self.orders.raw_query()
        };
        out.extend_from_slice(b"{\"data\":[");
        let mut count = 0;
        let mut last = (0, [0; 16]);
        let mut next = None;
        while let Some(row) = rows.next()? {
            if count == PAGE {
                next = Some(form::cursor(last.0, &last.1));
                break;
            }
            if count > 0 {
                out.push(b',');
            }
            count += 1;
            last = order(out, row)?;
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
        Ok(next)
    }

    /// Writes one order, and its lines with their products where `with_lines`, to `out`; gives its version,
    /// or `None` if there is none that the caller may see.
    pub(super) fn order(
        &mut self,
        caller: Caller,
        id: &[u8; 16],
        with_lines: bool,
        out: &mut Vec<u8>,
    ) -> rusqlite::Result<Option<i64>> {
        let version = {
            self.order.raw_bind_parameter(1, &id[..])?;
            let mut rows = self.order.raw_query();
            let Some(row) = rows.next()? else { return Ok(None) };
            let visible = match caller {
                Caller::Clerk => true,
                Caller::Customer(own) => row.get_ref(1)?.as_blob()? == own,
                Caller::Anyone => false,
            };
            if !visible {
                return Ok(None);
            }
            order(out, row)?;
            row.get_ref(5)?.as_i64()?
        };
        if with_lines {
            self.lines.raw_bind_parameter(1, &id[..])?;
            let mut rows = self.lines.raw_query();
            out.extend_from_slice(b",\"lines\":[");
            let mut first = true;
            while let Some(row) = rows.next()? {
                if !first {
                    out.push(b',');
                }
                first = false;
                line(out, row, caller)?;
            }
            out.push(b']');
        }
        out.push(b'}');
        Ok(Some(version))
    }
}

/// Writes an order from the columns id, customer, status, total, placed, without its closing brace.
#[inline]
fn order(out: &mut Vec<u8>, row: &Row<'_>) -> rusqlite::Result<(i64, [u8; 16])> {
    out.extend_from_slice(b"{\"id\":\"");
    let id = key(out, row, 0)?;
    out.extend_from_slice(b"\",\"customer\":\"");
    key(out, row, 1)?;
    out.extend_from_slice(b"\",\"status\":");
    text(out, row, 2)?;
    out.extend_from_slice(b",\"total\":\"");
    form::money(out, row.get_ref(3)?.as_i64()?);
    out.extend_from_slice(b"\",\"placed\":\"");
    let placed = row.get_ref(4)?.as_i64()?;
    form::timestamp(out, placed);
    out.push(b'"');
    Ok((placed, id))
}

/// Writes a line and its product; one that the caller may not see is left as its key.
#[inline]
fn line(out: &mut Vec<u8>, row: &Row<'_>, caller: Caller) -> rusqlite::Result<()> {
    out.extend_from_slice(b"{\"position\":");
    form::integer(out, row.get_ref(0)?.as_i64()?);
    out.extend_from_slice(b",\"product\":");
    let state = row.get_ref(7)?;
    if caller == Caller::Clerk || state == ValueRef::Text(b"live") {
        out.extend_from_slice(b"{\"sku\":");
        text(out, row, 3)?;
        out.extend_from_slice(b",\"name\":");
        text(out, row, 4)?;
        out.extend_from_slice(b",\"price\":\"");
        form::money(out, row.get_ref(5)?.as_i64()?);
        out.extend_from_slice(b"\",\"stock\":");
        form::integer(out, row.get_ref(6)?.as_i64()?);
        out.extend_from_slice(b",\"state\":");
        text(out, row, 7)?;
        out.push(b'}');
    } else {
        text(out, row, 3)?;
    }
    out.extend_from_slice(b",\"quantity\":");
    form::integer(out, row.get_ref(1)?.as_i64()?);
    out.extend_from_slice(b",\"price\":\"");
    form::money(out, row.get_ref(2)?.as_i64()?);
    out.extend_from_slice(b"\"}");
    Ok(())
}

#[inline]
fn text(out: &mut Vec<u8>, row: &Row<'_>, column: usize) -> rusqlite::Result<()> {
    match row.get_ref(column)? {
        ValueRef::Text(text) => form::string(out, text),
        _ => out.extend_from_slice(b"null"),
    }
    Ok(())
}

#[inline]
fn key(out: &mut Vec<u8>, row: &Row<'_>, column: usize) -> rusqlite::Result<[u8; 16]> {
    let key: [u8; 16] = row.get_ref(column)?.as_blob()?.try_into().map_err(|_| {
        rusqlite::Error::InvalidColumnType(column, "key".into(), rusqlite::types::Type::Blob)
    })?;
    form::uuid(out, &key);
    Ok(key)
}

//! Values as PostgreSQL sends and takes them in binary.

use std::error::Error;

use bytes::{BufMut as _, BytesMut};
use tokio_postgres::Row;
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, to_sql_checked};

use crate::form;

/// Microseconds from 1970 to 2000, when PostgreSQL's moments begin.
pub(super) const EPOCH: i64 = 946_684_800_000_000;

/// A column as it came; `None` for null.
pub(super) struct Raw<'a>(pub(super) Option<&'a [u8]>);

impl<'a> FromSql<'a> for Raw<'a> {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(Raw(Some(raw)))
    }

    fn from_sql_null(_: &Type) -> Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(Raw(None))
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}

/// A `uuid`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Key(pub(super) [u8; 16]);

impl ToSql for Key {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        out.put_slice(&self.0);
        Ok(IsNull::No)
    }

    fn accepts(ty: &Type) -> bool {
        *ty == Type::UUID
    }

    to_sql_checked!();
}

/// A `timestamptz` by its microseconds since 1970.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment(pub(super) i64);

impl ToSql for Moment {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        out.put_i64(self.0 - EPOCH);
        Ok(IsNull::No)
    }

    fn accepts(ty: &Type) -> bool {
        *ty == Type::TIMESTAMPTZ
    }

    to_sql_checked!();
}

pub(super) fn raw(row: &Row, column: usize) -> Result<Option<&[u8]>, tokio_postgres::Error> {
    Ok(row.try_get::<_, Raw<'_>>(column)?.0)
}

pub(super) fn integer(row: &Row, column: usize) -> Result<i64, tokio_postgres::Error> {
    row.try_get(column)
}

/// A key, or zeros for null.
pub(super) fn key(row: &Row, column: usize) -> Result<[u8; 16], tokio_postgres::Error> {
    Ok(raw(row, column)?.and_then(|bytes| bytes.try_into().ok()).unwrap_or_default())
}

/// Microseconds since 1970.
pub(super) fn moment(row: &Row, column: usize) -> Result<i64, tokio_postgres::Error> {
    let bytes = raw(row, column)?.and_then(|bytes| bytes.try_into().ok());
    Ok(i64::from_be_bytes(bytes.unwrap_or_default()) + EPOCH)
}

/// Writes a text as JSON.
pub(super) fn text(
    out: &mut Vec<u8>,
    row: &Row,
    column: usize,
) -> Result<(), tokio_postgres::Error> {
    match raw(row, column)? {
        Some(text) => form::string(out, text),
        None => out.extend_from_slice(b"null"),
    }
    Ok(())
}

//! Writes that are asked for again: done once, answered alike.

use std::sync::OnceLock;

use bytes::Bytes;
use operation::{Dialect, Fault, PartChange, ReadId, Receipt, Scalar, Table, Value, Write};

use super::{Answer, Asked, Database, Failure, Key, Kind, Left, Reply};
use crate::Written;
use crate::lower::{ill_formed, receipt};

/// How long a receipt is kept, in microseconds: a day.
const KEPT: i64 = 24 * 3_600 * 1_000_000;

/// Which of the statements of receipts.
fn asked(kind: Kind) -> Asked {
    static TARGET: OnceLock<ReadId> = OnceLock::new();
    let target = *TARGET.get_or_init(ReadId::fresh);
    Asked::Kept(Key { target, place: 0, kind, columns: 0, binds: 0 })
}

/// The statement by which a key is held.
fn asked_alone() -> Asked {
    match asked(Kind::Select) {
        Asked::Kept(key) => Asked::Kept(Key { columns: 1, ..key }),
        other => other,
    }
}

/// What came of the write when it was first asked for; `None` if this is the first time.
pub(super) async fn found<D: Database>(
    database: &mut D,
    write: &Write,
    Receipt { key, request, now }: &Receipt,
) -> Result<Option<Reply>, Fault> {
    if D::DIALECT == Dialect::Postgres {
        // Whoever asks for the same at the same time is told so, instead of meeting what the first has just changed. (On SQLite
        // one is done after the other, and the second finds what came of the first.)
        let (part, lock) = (Value::Int(lock_of(key)), || Ok(receipt::try_lock()));
        let locked = database.run(asked_alone(), lock, [&part].into_iter()).await.map_err(told)?;
        if locked.first().and_then(|row| row.first()) != Some(&Value::Bool(true)) {
            return Err(Fault::InFlight);
        }
    }
    let key = Value::Bytes((*key).into());
    let since = Value::Int(now.saturating_sub(KEPT));
    let rows = database.run(
        asked(Kind::Select),
        || Ok(receipt::find(D::DIALECT)),
        [&key, &since].into_iter(),
    );
    let Some(row) = rows.await.map_err(Failure::into_fault)?.pop() else { return Ok(None) };
    let [Value::Bytes(known), Value::Text(row_key), part_key, Value::Int(version), json] = &*row
    else {
        return Err(ill_formed("a receipt of another form"));
    };
    if **known != *request {
        return Err(Fault::KeyReused);
    }
    let (key, part_key) = match (tables(write), part_key) {
        (Some((root, Some(part))), Value::Text(text)) => {
            (own_key(root, row_key)?, Some(own_key(part, text)?))
        }
        (Some((root, _)), _) => (own_key(root, row_key)?, None),
        (None, _) => (Value::Null, None),
    };
    let json = match json {
        Value::Text(json) => Some(Bytes::copy_from_slice(json.as_bytes())),
        _ => None,
    };
    Ok(Some(Reply::Left(Left {
        key,
        version: *version,
        part_key,
        answer: Answer::Ready(json),
        replayed: true,
        wakes: false,
        published: 0,
    })))
}

/// Holds a key where nothing is awaited: the transaction ends where somebody else does, or where something came of it before.
pub(super) async fn hold<D: Database>(
    database: &mut D,
    Receipt { key, now, .. }: &Receipt,
) -> Result<(), Fault> {
    let part = Value::Int(lock_of(key));
    let (key, since) = (Value::Bytes((*key).into()), Value::Int(now.saturating_sub(KEPT)));
    let lower = || Ok(receipt::hold());
    let held = database.run(asked(Kind::Sure), lower, [&part, &key, &since].into_iter()).await;
    held.map(drop).map_err(told)
}

/// The lock of a key.
fn lock_of(key: &[u8; 32]) -> i64 {
    key.first_chunk().map_or(0, |bytes| i64::from_be_bytes(*bytes))
}

/// Keeps what came of a write, and forgets what is old.
pub(super) async fn keep<D: Database>(
    database: &mut D,
    write: &Write,
    receipt: &Receipt,
    written: &Written,
) -> Result<(), Fault> {
    let Receipt { key, request, now } = receipt;
    let tables = tables(write);
    let json = match &written.json {
        Some(json) => Value::text(String::from_utf8_lossy(json)),
        None => Value::Null,
    };
    let values = [
        Value::Bytes((*key).into()),
        Value::Bytes((*request).into()),
        Value::Int(*now),
        tables.map_or_else(|| Value::text(""), |(root, _)| text(root, &written.key)),
        tables
            .and_then(|(_, part)| part)
            .zip(written.part_key.as_ref())
            .map_or(Value::Null, |(part, key)| text(part, key)),
        Value::Int(written.version),
        json,
    ];
    forget(database, receipt).await.map_err(told)?;
    let keep = || Ok(receipt::keep(D::DIALECT));
    database.run(asked(Kind::Insert), keep, values.iter()).await.map_err(told)?;
    database.settle().await.map_err(told)
}

/// Forgets what is old, and what is kept under this key for too long.
pub(super) async fn forget<D: Database>(
    database: &mut D,
    Receipt { key, now, .. }: &Receipt,
) -> Result<(), Failure> {
    let (old, own) = (Value::Int(now.saturating_sub(KEPT)), Value::Bytes((*key).into()));
    let forget = || Ok(receipt::forget(D::DIALECT));
    database.run(asked(Kind::Delete), forget, [&old, &own].into_iter()).await.map(drop)
}

/// A constraint can stand against a receipt only where the same is asked for at the same time: then one of them is
/// tried again, and finds the other's.
fn told(failure: Failure) -> Fault {
    match failure {
        Failure::Constraint(reason) => Fault::Internal(reason),
        Failure::Fault(fault) => fault,
    }
}

/// The table of the root, and that of the part that is added; a command is about no row.
fn tables(write: &Write) -> Option<(&Table, Option<&Table>)> {
    Some(match write {
        Write::Command(_) | Write::Chore(_) => return None,
        Write::Create(create) => (&create.target.table, None),
        Write::Delete(delete) => (&delete.target.table, None),
        Write::Edit(edit) => {
            let part = match edit.parts.as_slice() {
                [(at, PartChange::Add(_) | PartChange::Set { .. })] => edit.target.parts.get(*at),
                _ => None,
            };
            (&edit.target.table, part.map(|part| &*part.table))
        }
    })
}

fn scalar(table: &Table) -> Scalar {
    table.columns.get(table.own_key()).map_or(Scalar::Text, |column| column.scalar)
}

fn text(table: &Table, key: &Value) -> Value {
    let mut text = Vec::new();
    scalar(table).print(key, &mut text);
    Value::text(String::from_utf8_lossy(&text))
}

fn own_key(table: &Table, text: &str) -> Result<Value, Fault> {
    scalar(table).parse(text).map_err(|_| ill_formed("the key of a receipt"))
}

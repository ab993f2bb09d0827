//! Values between SQLite and us.

use operation::{Scalar, Value};
use rusqlite::types::{ToSqlOutput, ValueRef};

/// A value as SQLite binds it, without a copy.
pub(crate) fn bound(value: &Value) -> ToSqlOutput<'_> {
    ToSqlOutput::Borrowed(match value {
        Value::Null => ValueRef::Null,
        Value::Bool(b) => ValueRef::Integer(i64::from(*b)),
        Value::Int(n) => ValueRef::Integer(*n),
        Value::Float(f) => ValueRef::Real(*f),
        Value::Text(text) => ValueRef::Text(text.as_bytes()),
        Value::Uuid(bytes) => ValueRef::Blob(bytes),
        Value::Bytes(bytes) => ValueRef::Blob(bytes),
    })
}

/// A stored value as its scalar says.
pub(crate) fn stored(scalar: Scalar, value: ValueRef<'_>) -> Value {
    match (value, scalar) {
        (ValueRef::Null, _) => Value::Null,
        (ValueRef::Integer(n), Scalar::Bool) => Value::Bool(n != 0),
        (ValueRef::Integer(n), Scalar::Float) => Value::Float(n as f64),
        (ValueRef::Integer(n), _) => Value::Int(n),
        (ValueRef::Real(f), _) => Value::Float(f),
        (ValueRef::Text(text), _) => Value::text(String::from_utf8_lossy(text)),
        (ValueRef::Blob(bytes), Scalar::Uuid) => match bytes.try_into() {
            Ok(uuid) => Value::Uuid(uuid),
            Err(_) => Value::Bytes(bytes.into()),
        },
        (ValueRef::Blob(bytes), _) => Value::Bytes(bytes.into()),
    }
}

/// Writes a stored value as JSON.
pub(crate) fn write_json(scalar: Scalar, value: ValueRef<'_>, out: &mut Vec<u8>) {
    match value {
        ValueRef::Null => out.extend_from_slice(b"null"),
        ValueRef::Integer(n) => scalar.write_json_int(n, out),
        ValueRef::Real(f) => scalar.write_json(&Value::Float(f), out),
        ValueRef::Text(text) => scalar.write_json_stored(text, out),
        ValueRef::Blob(bytes) => scalar.write_json_bytes(bytes, out),
    }
}

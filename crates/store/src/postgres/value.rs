//! Values between PostgreSQL and us, in its binary format.
//!
//! The layouts are those of PostgreSQL's own send and receive functions (`src/backend/utils/adt`): big-endian numbers,
//! days and microseconds since 2000-01-01, `numeric` as digits of base 10,000.

use std::error::Error;

use bytes::{BufMut, BytesMut};
use operation::{Scalar, Value};
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, to_sql_checked};

/// Days from 1970-01-01 to 2000-01-01.
const EPOCH_DAYS: i64 = 10_957;

/// The same in microseconds.
const EPOCH_MICROSECONDS: i64 = EPOCH_DAYS * DAY;

/// Microseconds in a day.
const DAY: i64 = 86_400_000_000;

/// What a `timestamptz` can hold of what we can say, in microseconds since 2000-01-01 (4714 BC to 294247 AD). The very last
/// moment that 64 bits can count from 1970 is left out: `extract(epoch …)` rounds it.
const TIMESTAMPS: std::ops::Range<i64> = -211_813_488_000_000_000..i64::MAX - EPOCH_MICROSECONDS;

/// What a `date` can hold, in days since 2000-01-01 (4714 BC to 5874897 AD).
const DATES: std::ops::Range<i64> = -2_451_545..2_145_031_949;

/// The type of a scalar's columns.
pub(crate) fn type_of(scalar: Scalar) -> Type {
    match scalar {
        Scalar::Bool => Type::BOOL,
        Scalar::Int => Type::INT8,
        Scalar::Float => Type::FLOAT8,
        Scalar::Decimal { .. } => Type::NUMERIC,
        Scalar::Text => Type::TEXT,
        Scalar::Uuid => Type::UUID,
        Scalar::Date => Type::DATE,
        Scalar::Time => Type::TIME,
        Scalar::Timestamp => Type::TIMESTAMPTZ,
        Scalar::Duration => Type::INTERVAL,
        Scalar::Json => Type::JSON,
        Scalar::Bytes => Type::BYTEA,
    }
}

/// The type of an array of a scalar's values.
pub(crate) fn array_type_of(scalar: Scalar) -> Type {
    match scalar {
        Scalar::Bool => Type::BOOL_ARRAY,
        Scalar::Int => Type::INT8_ARRAY,
        Scalar::Float => Type::FLOAT8_ARRAY,
        Scalar::Decimal { .. } => Type::NUMERIC_ARRAY,
        Scalar::Text => Type::TEXT_ARRAY,
        Scalar::Uuid => Type::UUID_ARRAY,
        Scalar::Date => Type::DATE_ARRAY,
        Scalar::Time => Type::TIME_ARRAY,
        Scalar::Timestamp => Type::TIMESTAMPTZ_ARRAY,
        Scalar::Duration => Type::INTERVAL_ARRAY,
        Scalar::Json => Type::JSON_ARRAY,
        Scalar::Bytes => Type::BYTEA_ARRAY,
    }
}

/// The name of a scalar's type, in a cast.
pub(crate) fn type_name(scalar: Scalar) -> &'static str {
    match scalar {
        Scalar::Bool => "boolean",
        Scalar::Int => "bigint",
        Scalar::Float => "double precision",
        Scalar::Decimal { .. } => "numeric",
        Scalar::Text => "text",
        Scalar::Uuid => "uuid",
        Scalar::Date => "date",
        Scalar::Time => "time",
        Scalar::Timestamp => "timestamptz",
        Scalar::Duration => "interval",
        Scalar::Json => "json",
        Scalar::Bytes => "bytea",
    }
}

/// Whether a value can stand as one of a scalar.
pub(crate) fn fits(scalar: Scalar, value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(_) => scalar == Scalar::Bool,
        Value::Int(_) => !matches!(
            scalar,
            Scalar::Bool
                | Scalar::Float
                | Scalar::Text
                | Scalar::Json
                | Scalar::Uuid
                | Scalar::Bytes
        ),
        Value::Float(_) => scalar == Scalar::Float,
        Value::Text(_) => matches!(scalar, Scalar::Text | Scalar::Json),
        Value::Uuid(_) => scalar == Scalar::Uuid,
        Value::Bytes(_) => scalar == Scalar::Bytes,
    }
}

/// A value on its way into a statement.
#[derive(Debug)]
pub(crate) struct Bound<V> {
    /// What.
    pub value: V,
    /// As whose column type it stands.
    pub form: Scalar,
}

/// A value that its column's type cannot hold: a moment before 4714 BC, say.
#[derive(Debug, thiserror::Error)]
#[error("the value is out of the range of its type")]
pub(crate) struct OutOfRange;

impl<V: std::borrow::Borrow<Value> + std::fmt::Debug> ToSql for Bound<V> {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        let value = self.value.borrow();
        if value.is_null() {
            return Ok(IsNull::Yes);
        }
        write_binary(self.form, value, out)?;
        Ok(IsNull::No)
    }

    fn accepts(_: &Type) -> bool {
        // Statements are prepared with the types that their forms say.
        true
    }

    to_sql_checked!();
}

/// Values of one scalar on their way into a statement about many rows, as the database takes them (`array_recv`).
#[derive(Debug)]
pub(crate) struct Array {
    form: Scalar,
    count: usize,
    has_null: bool,
    /// Each with its length before it.
    elements: BytesMut,
}

impl Array {
    /// None.
    pub fn of(form: Scalar) -> Self {
        Self { form, count: 0, has_null: false, elements: BytesMut::new() }
    }

    /// None yet, with room for so many of the length of most.
    pub fn with_room(form: Scalar, count: usize) -> Self {
        Self { elements: BytesMut::with_capacity(count.saturating_mul(4 + 16)), ..Self::of(form) }
    }

    /// Adds a value; nothing of one that its type cannot hold.
    pub fn push(&mut self, value: &Value) -> Result<(), OutOfRange> {
        let start = self.elements.len();
        self.elements.put_i32(-1);
        if value.is_null() {
            self.has_null = true;
        } else {
            let from = self.elements.len();
            if let Err(fault) = write_binary(self.form, value, &mut self.elements) {
                self.elements.truncate(start);
                return Err(fault);
            }
            let length = i32::try_from(self.elements.len() - from).map_err(|_| OutOfRange)?;
            if let Some(place) = self.elements.get_mut(start..from) {
                place.copy_from_slice(&length.to_be_bytes());
            }
        }
        self.count += 1;
        Ok(())
    }

    /// Leaves the first so many.
    pub fn truncate(&mut self, count: usize) {
        let mut end = 0;
        for _ in 0..count {
            let Some((length, _)) = self.elements.get(end..).and_then(|it| it.split_first_chunk())
            else {
                return;
            };
            end += 4 + usize::try_from(i32::from_be_bytes(*length)).unwrap_or(0);
        }
        self.elements.truncate(end);
        self.count = self.count.min(count);
    }
}

impl ToSql for Array {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        out.put_i32(i32::from(self.count > 0));
        out.put_i32(i32::from(self.has_null));
        out.put_u32(type_of(self.form).oid());
        if self.count > 0 {
            out.put_i32(i32::try_from(self.count)?);
            out.put_i32(1);
        }
        out.put_slice(&self.elements);
        Ok(IsNull::No)
    }

    fn accepts(_: &Type) -> bool {
        // The text of the statement says of what its arrays are.
        true
    }

    to_sql_checked!();
}

/// A parameter of statements that go as one: of some rows are one, of others many.
#[derive(Debug)]
pub(crate) enum Given {
    /// Of one row.
    One(Bound<Value>),
    /// Of many.
    Many(Array),
}

impl Given {
    /// Its type.
    pub fn type_of(&self) -> Type {
        match self {
            Self::One(bound) => type_of(bound.form),
            Self::Many(array) => array_type_of(array.form),
        }
    }
}

impl ToSql for Given {
    fn to_sql(
        &self,
        of: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        match self {
            Self::One(bound) => bound.to_sql(of, out),
            Self::Many(array) => array.to_sql(of, out),
        }
    }

    fn accepts(_: &Type) -> bool {
        // Statements are prepared with these types.
        true
    }

    to_sql_checked!();
}

/// Writes a value that is not null.
pub(crate) fn write_binary(
    scalar: Scalar,
    value: &Value,
    out: &mut BytesMut,
) -> Result<(), OutOfRange> {
    match value {
        Value::Null => {}
        Value::Bool(b) => out.put_u8(u8::from(*b)),
        Value::Int(n) => return write_integer(scalar, *n, out),
        Value::Float(f) => out.put_f64(*f),
        Value::Text(text) => out.put_slice(text.as_bytes()),
        Value::Uuid(bytes) => out.put_slice(bytes),
        Value::Bytes(bytes) => out.put_slice(bytes),
    }
    Ok(())
}

fn write_integer(scalar: Scalar, n: i64, out: &mut BytesMut) -> Result<(), OutOfRange> {
    match scalar {
        Scalar::Decimal { scale } => write_numeric(n, scale, out),
        Scalar::Date => {
            let days = n.checked_sub(EPOCH_DAYS).filter(|days| DATES.contains(days));
            out.put_i32(days.and_then(|days| i32::try_from(days).ok()).ok_or(OutOfRange)?);
        }
        Scalar::Time => {
            out.put_i64(Some(n).filter(|n| (0..=DAY).contains(n)).ok_or(OutOfRange)?);
        }
        Scalar::Timestamp => {
            let moment = n.checked_sub(EPOCH_MICROSECONDS);
            out.put_i64(moment.filter(|moment| TIMESTAMPS.contains(moment)).ok_or(OutOfRange)?);
        }
        Scalar::Duration => {
            out.put_i64(n);
            // Days and months, of which a duration of ours has none.
            out.put_i32(0);
            out.put_i32(0);
        }
        _ => out.put_i64(n),
    }
    Ok(())
}

/// Digits of base 10,000; the weight of the first is the power of 10,000 that it counts.
fn write_numeric(n: i64, scale: u8, out: &mut BytesMut) {
    let scale = u32::from(scale.min(18));
    let unit = 10_u64.pow(scale);
    let (mut whole, fraction) = (n.unsigned_abs() / unit, n.unsigned_abs() % unit);
    let mut digits = [0_i16; 10];
    // The whole part takes five groups of four digits at most, the fraction five more.
    let mut count = 0;
    let mut groups = [0_i16; 5];
    while whole > 0 {
        groups[count] = (whole % 10_000) as i16;
        whole /= 10_000;
        count += 1;
    }
    for (at, group) in groups[..count].iter().rev().enumerate() {
        digits[at] = *group;
    }
    let weight = count as i16 - 1;
    // The fraction, filled up to whole groups.
    let padding = (4 - scale % 4) % 4;
    let fraction_groups = scale.div_ceil(4) as usize;
    let mut rest = u128::from(fraction) * u128::from(10_u64.pow(padding));
    for at in (0..fraction_groups).rev() {
        digits[count + at] = (rest % 10_000) as i16;
        rest /= 10_000;
    }
    let mut used = count + fraction_groups;
    while used > 0 && digits[used - 1] == 0 {
        used -= 1;
    }
    let mut first = 0;
    let mut weight = weight;
    while first < used && digits[first] == 0 {
        first += 1;
        weight -= 1;
    }
    if first == used {
        weight = 0;
    }
    out.put_i16((used - first) as i16);
    out.put_i16(weight);
    out.put_u16(if n < 0 { 0x4000 } else { 0 });
    out.put_i16(scale as i16);
    for digit in &digits[first..used] {
        out.put_i16(*digit);
    }
}

/// A column of an answer as it came.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Raw<'a>(pub Option<&'a [u8]>);

impl<'a> FromSql<'a> for Raw<'a> {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(Self(Some(raw)))
    }

    fn from_sql_null(_: &Type) -> Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(Self(None))
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}

/// Bytes that are no value of the scalar that their column is said to hold.
#[derive(Debug, thiserror::Error)]
#[error("the database holds what is no {}", .0.name())]
pub(crate) struct Foreign(pub Scalar);

/// Reads a value that is not null.
pub(crate) fn value_of(scalar: Scalar, bytes: &[u8]) -> Result<Value, Foreign> {
    let foreign = || Foreign(scalar);
    Ok(match scalar {
        Scalar::Bool => Value::Bool(bytes.first().is_some_and(|b| *b != 0)),
        Scalar::Float => {
            let float = float(bytes).filter(|f| f.is_finite()).ok_or_else(foreign)?;
            Value::Float(operation::unsigned_zero(float))
        }
        Scalar::Text | Scalar::Json => {
            Value::text(std::str::from_utf8(bytes).map_err(|_| foreign())?)
        }
        Scalar::Uuid => Value::Uuid(bytes.try_into().map_err(|_| foreign())?),
        Scalar::Bytes => Value::Bytes(bytes.into()),
        Scalar::Int
        | Scalar::Decimal { .. }
        | Scalar::Date
        | Scalar::Time
        | Scalar::Timestamp
        | Scalar::Duration => Value::Int(integer_of(scalar, bytes).ok_or_else(foreign)?),
    })
}

/// Writes a value as JSON, null where there is none.
pub(crate) fn write_json(
    scalar: Scalar,
    bytes: Option<&[u8]>,
    out: &mut Vec<u8>,
) -> Result<(), Foreign> {
    let foreign = || Foreign(scalar);
    let Some(bytes) = bytes else {
        out.extend_from_slice(b"null");
        return Ok(());
    };
    match scalar {
        Scalar::Text if scalar.write_json_plain(bytes, out) => {}
        Scalar::Text | Scalar::Json => {
            let text = std::str::from_utf8(bytes).map_err(|_| foreign())?;
            scalar.write_json_text(text, out);
        }
        Scalar::Uuid | Scalar::Bytes => scalar.write_json_bytes(bytes, out),
        Scalar::Bool | Scalar::Float => scalar.write_json(&value_of(scalar, bytes)?, out),
        _ => scalar.write_json_int(integer_of(scalar, bytes).ok_or_else(foreign)?, out),
    }
    Ok(())
}

fn integer_of(scalar: Scalar, bytes: &[u8]) -> Option<i64> {
    match scalar {
        Scalar::Decimal { scale } => numeric(bytes, scale),
        Scalar::Date => integer(bytes)?.checked_add(EPOCH_DAYS),
        Scalar::Timestamp => integer(bytes)?.checked_add(EPOCH_MICROSECONDS),
        Scalar::Duration => {
            let (microseconds, rest) = bytes.split_first_chunk::<8>()?;
            let (days, months) = rest.split_first_chunk::<4>()?;
            // A month has no length of its own.
            let months = i32::from_be_bytes(months.try_into().ok()?);
            let days = i64::from(i32::from_be_bytes(*days)).checked_mul(DAY)?;
            (months == 0).then_some(())?;
            i64::from_be_bytes(*microseconds).checked_add(days)
        }
        _ => integer(bytes),
    }
}

/// An integer of any of PostgreSQL's sizes.
fn integer(bytes: &[u8]) -> Option<i64> {
    match bytes.len() {
        8 => Some(i64::from_be_bytes(bytes.try_into().ok()?)),
        4 => Some(i64::from(i32::from_be_bytes(bytes.try_into().ok()?))),
        2 => Some(i64::from(i16::from_be_bytes(bytes.try_into().ok()?))),
        _ => None,
    }
}

fn float(bytes: &[u8]) -> Option<f64> {
    match bytes.len() {
        8 => Some(f64::from_be_bytes(bytes.try_into().ok()?)),
        4 => Some(f64::from(f32::from_be_bytes(bytes.try_into().ok()?))),
        _ => None,
    }
}

/// The head of a `numeric` (`numeric_send`): how many digits of base 10,000 follow, and the power of 10,000 that the first counts;
/// whether it is negative. `None` for what is no number (NaN, infinity).
fn numeric_head(bytes: &[u8]) -> Option<(i16, i32, bool, &[u8])> {
    let (&[a, b, c, d, e, f, _, _], digits) = bytes.split_first_chunk::<8>()?;
    let sign = u16::from_be_bytes([e, f]);
    let is_number = sign & 0xc000 != 0xc000;
    let (count, weight) = (i16::from_be_bytes([a, b]), i16::from_be_bytes([c, d]));
    is_number.then_some((count, i32::from(weight), sign == 0x4000, digits))
}

/// A `numeric` as a number of `10^-scale` units; `None` if it is none (NaN), too large, or finer.
fn numeric(bytes: &[u8], scale: u8) -> Option<i64> {
    short_numeric(bytes, scale).or_else(|| long_numeric(bytes, scale))
}

/// The same, of one that 64 bits can count at each step, as nearly all can.
fn short_numeric(bytes: &[u8], scale: u8) -> Option<i64> {
    let (count, weight, is_negative, digits) = numeric_head(bytes)?;
    let count = usize::try_from(count).ok()?;
    let mut total = 0_i64;
    for digit in digits.get(..count * 2)?.chunks_exact(2) {
        let digit = i16::from_be_bytes([*digit.first()?, *digit.get(1)?]);
        total = total.checked_mul(10_000)?.checked_add(i64::from(digit))?;
    }
    if total == 0 {
        return Some(0);
    }
    // The last digit counts 10^(4·place), which is 10^(4·place + scale) units.
    let exponent = 4 * (weight + 1 - i32::try_from(count).ok()?) + i32::from(scale);
    let power = 10_i64.checked_pow(exponent.unsigned_abs())?;
    let total = match exponent {
        0.. => total.checked_mul(power)?,
        _ if total % power == 0 => total / power,
        _ => return None,
    };
    Some(if is_negative { -total } else { total })
}

fn long_numeric(bytes: &[u8], scale: u8) -> Option<i64> {
    let (count, weight, is_negative, digits) = numeric_head(bytes)?;
    let mut total: i128 = 0;
    for at in 0..usize::try_from(count).ok()? {
        let digit = digits.get(at * 2..at * 2 + 2)?.try_into().ok()?;
        let digit = i128::from(i16::from_be_bytes(digit));
        // This digit counts 10^(4·place), which is 10^(4·place + scale) units.
        let exponent = 4 * (weight - i32::try_from(at).ok()?) + i32::from(scale);
        let units = match u32::try_from(exponent) {
            Ok(exponent) if exponent <= 30 => digit.checked_mul(10_i128.pow(exponent))?,
            Ok(_) => return None,
            Err(_) => {
                let under = 10_i128.pow(exponent.unsigned_abs().min(30));
                (digit % under == 0).then(|| digit / under)?
            }
        };
        total = total.checked_add(units)?;
    }
    i64::try_from(if is_negative { -total } else { total }).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn through(scalar: Scalar, value: &Value) -> Option<Value> {
        let mut out = BytesMut::new();
        write_binary(scalar, value, &mut out).ok()?;
        value_of(scalar, &out).ok()
    }

    #[test]
    fn numbers_come_back_as_they_went() {
        for scale in 0..=18 {
            let scalar = Scalar::Decimal { scale };
            for n in
                [0, 1, -1, 9, 10, 99, 100, 9_999, 10_000, 10_001, 123_456_789, 1_000_000_000_000]
                    .into_iter()
                    .flat_map(|n| [n, -n])
                    .chain([i64::MAX, i64::MIN, i64::MAX - 1])
            {
                assert_eq!(through(scalar, &Value::Int(n)), Some(Value::Int(n)), "{n} at {scale}");
                let mut bytes = BytesMut::new();
                write_numeric(n, scale, &mut bytes);
                assert_eq!(long_numeric(&bytes, scale), Some(n), "{n} at {scale}");
                let short = short_numeric(&bytes, scale);
                assert!(short.is_none_or(|short| short == n), "{n} at {scale}: {short:?}");
                assert!(short.is_some() || n.unsigned_abs() > 1 << 40, "{n} at {scale}");
            }
        }
    }

    #[test]
    fn times_come_back_and_those_without_a_place_are_refused() {
        for n in [0, 1, -1, 20_000, -719_528, 2_932_896] {
            assert_eq!(through(Scalar::Date, &Value::Int(n)), Some(Value::Int(n)));
            let moment = Value::Int(n * DAY + 1);
            assert_eq!(through(Scalar::Timestamp, &moment), Some(moment));
        }
        assert_eq!(through(Scalar::Duration, &Value::Int(-5)), Some(Value::Int(-5)));
        assert_eq!(through(Scalar::Timestamp, &Value::Int(i64::MIN)), None);
        assert_eq!(through(Scalar::Date, &Value::Int(i64::MAX)), None);
        assert_eq!(through(Scalar::Time, &Value::Int(-1)), None);
    }
}

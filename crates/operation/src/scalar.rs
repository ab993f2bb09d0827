//! The closed set of stored types, and the one place that says how each is written and read as text.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::{Tree, Value, number};
pub(crate) use text::string as write_json_string;

mod text;

/// What a column's values mean. The table in this file is the only one: storage, JSON form and text form derive
/// from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scalar {
    /// `true` or `false`. SQLite `INTEGER` 0/1.
    Bool,
    /// 64-bit signed integer.
    Int,
    /// 64-bit binary floating point, finite.
    Float,
    /// Exact decimal: an integer of `10^-scale` units. JSON: a string with exactly `scale` fraction digits.
    Decimal {
        /// Fraction digits, 0 to 18.
        scale: u8,
    },
    /// UTF-8 text, compared by code point.
    Text,
    /// UUID (RFC 9562), 16 bytes. JSON: canonical lower-case text.
    Uuid,
    /// Days since 1970-01-01. JSON: `2026-11-21` (RFC 3339 full-date).
    Date,
    /// Microseconds since midnight. JSON: `17:30:00`.
    Time,
    /// Microseconds since 1970-01-01T00:00:00Z. JSON: RFC 3339 in UTC.
    Timestamp,
    /// Microseconds. JSON: ISO 8601, `PT1M30S`.
    Duration,
    /// JSON text, embedded as it is.
    Json,
    /// Raw bytes. JSON: base64 (RFC 4648 §4).
    Bytes,
}

/// Why a text is not of a scalar: what would be right, as the end of a sentence ("must be …").
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TextFault(pub &'static str);

/// How a scalar is stored, by SQLite's and PostgreSQL's names.
const STORED: &[(&str, &str, &str)] = &[
    ("Bool", "INTEGER", "boolean"),
    ("Int", "INTEGER", "bigint"),
    ("Float", "REAL", "double precision"),
    ("Decimal", "INTEGER", "numeric"),
    ("Text", "TEXT", "text"),
    ("Uuid", "BLOB", "uuid"),
    ("Date", "INTEGER", "date"),
    ("Time", "INTEGER", "time"),
    ("Timestamp", "INTEGER", "timestamptz"),
    ("Duration", "INTEGER", "interval"),
    ("Json", "TEXT", "json"),
    ("Bytes", "BLOB", "bytea"),
];

impl Scalar {
    /// All but decimals, of which there is one for each number of digits.
    pub const PLAIN: &[Self] = &[
        Self::Bool,
        Self::Int,
        Self::Float,
        Self::Text,
        Self::Uuid,
        Self::Date,
        Self::Time,
        Self::Timestamp,
        Self::Duration,
        Self::Json,
        Self::Bytes,
    ];

    fn row(self) -> (&'static str, &'static str, &'static str) {
        let at = match self {
            Self::Bool => 0,
            Self::Int => 1,
            Self::Float => 2,
            Self::Decimal { .. } => 3,
            Self::Text => 4,
            Self::Uuid => 5,
            Self::Date => 6,
            Self::Time => 7,
            Self::Timestamp => 8,
            Self::Duration => 9,
            Self::Json => 10,
            Self::Bytes => 11,
        };
        STORED[at]
    }

    /// The name users know.
    pub fn name(self) -> &'static str {
        self.row().0
    }

    /// The column type on SQLite.
    pub fn sqlite(self) -> &'static str {
        self.row().1
    }

    /// The column type on PostgreSQL.
    pub fn postgres(self) -> &'static str {
        self.row().2
    }

    /// The digits after the point of a number of this scalar; `None` for what is not an exact number.
    pub fn scale(self) -> Option<u8> {
        match self {
            Self::Int => Some(0),
            Self::Decimal { scale } => Some(scale),
            _ => None,
        }
    }

    /// Reads the plain text form (a query parameter, a CSV cell, the inside of a JSON string).
    ///
    /// # Errors
    /// [`TextFault`] ends the sentence "must be …".
    pub fn parse(self, text: &str) -> Result<Value, TextFault> {
        match self {
            Self::Bool => match text {
                "true" => Ok(Value::Bool(true)),
                "false" => Ok(Value::Bool(false)),
                _ => Err(TextFault("`true` or `false`")),
            },
            Self::Int => parse_int(text).map(Value::Int).ok_or(TextFault(
                "a whole number between -9223372036854775808 and 9223372036854775807",
            )),
            Self::Float => {
                parse_float(text).map(Value::Float).ok_or(TextFault("a finite number such as 1.5"))
            }
            Self::Decimal { scale } => parse_decimal(text, scale).map(Value::Int).ok_or(TextFault(
                "a decimal number such as 12.50, with no more fraction digits than its type has",
            )),
            Self::Text => {
                if text.contains('\0') {
                    return Err(TextFault("text without NUL characters"));
                }
                Ok(Value::text(text))
            }
            Self::Uuid => parse_uuid(text)
                .map(Value::Uuid)
                .ok_or(TextFault("a UUID such as 018f4e5a-7b3c-7def-8123-456789abcdef")),
            Self::Date => {
                parse_date(text).map(Value::Int).ok_or(TextFault("a date such as 2026-11-21"))
            }
            Self::Time => {
                parse_time(text).map(Value::Int).ok_or(TextFault("a time of day such as 17:30:00"))
            }
            Self::Timestamp => parse_timestamp(text).map(Value::Int).ok_or(TextFault(
                "a moment with its offset (RFC 3339) such as 2026-11-21T17:30:00Z",
            )),
            Self::Duration => parse_duration(text)
                .map(Value::Int)
                .ok_or(TextFault("a duration (ISO 8601, weeks to seconds) such as PT1H30M")),
            Self::Json => serde_json::from_str::<&serde_json::value::RawValue>(text)
                .map(|raw| Value::text(raw.get()))
                .map_err(|_| TextFault("JSON")),
            Self::Bytes => STANDARD
                .decode(text)
                .map(|bytes| Value::Bytes(bytes.into()))
                .map_err(|_| TextFault("base64 with padding (RFC 4648 §4)")),
        }
    }

    /// Reads a value from JSON, as [`Scalar::write_json`] writes it.
    ///
    /// # Errors
    /// As [`Scalar::parse`].
    pub fn of_json(self, tree: &Tree<'_>) -> Result<Value, TextFault> {
        match (self, tree) {
            (_, Tree::Null) => Ok(Value::Null),
            (Self::Json, tree) => {
                let mut text = Vec::new();
                tree.write(&mut text);
                String::from_utf8(text).map(Value::text).map_err(|_| TextFault("JSON"))
            }
            (Self::Bool, Tree::Bool(b)) => Ok(Value::Bool(*b)),
            (Self::Int, Tree::Int(n)) => Ok(Value::Int(*n)),
            (Self::Float, Tree::Int(n)) => Ok(Value::Float(*n as f64)),
            (Self::Float, Tree::Float(f)) => Ok(Value::Float(number::unsigned_zero(*f))),
            (_, Tree::Text(text)) => self.parse(text),
            _ => Err(TextFault("of another type")),
        }
    }

    /// Writes the plain text form: what [`Scalar::parse`] reads. Null writes nothing.
    pub fn print(self, value: &Value, out: &mut Vec<u8>) {
        match value {
            Value::Text(text) => out.extend_from_slice(text.as_bytes()),
            Value::Null => {}
            _ => {
                let start = out.len();
                self.write_json(value, out);
                if out.get(start) == Some(&b'"') {
                    out.remove(start);
                    out.pop();
                }
            }
        }
    }

    /// Writes a value as JSON.
    pub fn write_json(self, value: &Value, out: &mut Vec<u8>) {
        match value {
            Value::Null => out.extend_from_slice(b"null"),
            Value::Bool(b) => out.extend_from_slice(if *b { b"true" } else { b"false" }),
            Value::Int(n) => self.write_json_int(*n, out),
            Value::Float(f) => write_json_float(*f, out),
            Value::Text(text) => self.write_json_text(text, out),
            Value::Uuid(bytes) => self.write_json_bytes(bytes, out),
            Value::Bytes(bytes) => self.write_json_bytes(bytes, out),
        }
    }

    /// Writes what is stored as an integer.
    pub fn write_json_int(self, n: i64, out: &mut Vec<u8>) {
        match self {
            Self::Bool => out.extend_from_slice(if n != 0 { b"true" } else { b"false" }),
            Self::Decimal { scale } => text::decimal(n, scale, out),
            Self::Date => text::date(n, out),
            Self::Time => text::time(n, out),
            Self::Timestamp => text::timestamp(n, out),
            Self::Duration => text::duration(n, out),
            Self::Float => write_json_float(n as f64, out),
            Self::Int | Self::Text | Self::Uuid | Self::Json | Self::Bytes => {
                out.extend_from_slice(itoa::Buffer::new().format(n).as_bytes());
            }
        }
    }

    /// Writes what is stored as text.
    pub fn write_json_text(self, text: &str, out: &mut Vec<u8>) {
        if self == Self::Json {
            out.extend_from_slice(text.as_bytes());
        } else {
            write_json_string(text, out);
        }
    }

    /// Writes text as a database gives it, without a promise that it is UTF-8: what is not becomes U+FFFD.
    pub fn write_json_stored(self, text: &[u8], out: &mut Vec<u8>) {
        if !self.write_json_plain(text, out) {
            self.write_json_text(&String::from_utf8_lossy(text), out);
        }
    }

    /// Writes text that is ASCII of which nothing must be escaped, as most is; false, and nothing written, where it is not.
    pub fn write_json_plain(self, text: &[u8], out: &mut Vec<u8>) -> bool {
        self != Self::Json && text::plain(text, out)
    }

    /// Writes what is stored as bytes.
    pub fn write_json_bytes(self, bytes: &[u8], out: &mut Vec<u8>) {
        match (self, <[u8; 16]>::try_from(bytes)) {
            (Self::Uuid, Ok(uuid)) => text::uuid(uuid, out),
            _ => {
                out.push(b'"');
                out.extend_from_slice(STANDARD.encode(bytes).as_bytes());
                out.push(b'"');
            }
        }
    }
}

/// Microseconds in a day.
pub(crate) const DAY: i64 = 86_400_000_000;

fn write_json_float(f: f64, out: &mut Vec<u8>) {
    out.extend_from_slice(ryu::Buffer::new().format_finite(f).as_bytes());
}

fn parse_int(text: &str) -> Option<i64> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    text.parse().ok()
}

fn parse_float(text: &str) -> Option<f64> {
    // The JSON grammar, so that `inf`, `nan` and `+1` of Rust's grammar stay out.
    let number = serde_json::from_str::<serde_json::Number>(text).ok()?.as_f64();
    number.filter(|f| f.is_finite()).map(number::unsigned_zero)
}

fn parse_decimal(text: &str, scale: u8) -> Option<i64> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let plain = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    let kept = fraction.trim_end_matches('0');
    if !plain(whole) || !plain(fraction) || kept.len() > usize::from(scale) {
        return None;
    }
    let mut n: i64 = 0;
    let padding = usize::from(scale) - kept.len();
    for digit in whole.bytes().chain(kept.bytes()).chain(std::iter::repeat_n(b'0', padding)) {
        let digit = i64::from(digit - b'0');
        // Counted downwards, so that the most negative value can be read.
        n = n.checked_mul(10)?.checked_sub(digit)?;
    }
    if negative { Some(n) } else { n.checked_neg() }
}

fn parse_uuid(text: &str) -> Option<[u8; 16]> {
    // The hyphenated form only: braces and URN prefixes are other spellings of one key.
    if text.len() != 36 {
        return None;
    }
    uuid::Uuid::try_parse(text).ok().map(uuid::Uuid::into_bytes)
}

fn parse_date(text: &str) -> Option<i64> {
    let b = text.as_bytes();
    if b.len() != 10 || b[4] != b'-' || b[7] != b'-' {
        return None;
    }
    let (y, m, d) = (digits(&b[..4])?, digits(&b[5..7])?, digits(&b[8..])?);
    days_from_civil(y, m, d)
}

fn parse_time(text: &str) -> Option<i64> {
    let b = text.as_bytes();
    if b.len() < 8 || b[2] != b':' || b[5] != b':' {
        return None;
    }
    let (h, m, s) = (digits(&b[..2])?, digits(&b[3..5])?, digits(&b[6..8])?);
    if h > 23 || m > 59 || s > 59 {
        return None;
    }
    let micros = match b.get(8..) {
        Some([]) | None => 0,
        Some([b'.', fraction @ ..]) if (1..=9).contains(&fraction.len()) => {
            let n = digits(fraction)?;
            // What is finer than a microsecond is refused unless it is nothing.
            if fraction.len() <= 6 {
                n * 10_i64.pow(6 - fraction.len() as u32)
            } else {
                let unit = 10_i64.pow(fraction.len() as u32 - 6);
                if n % unit != 0 {
                    return None;
                }
                n / unit
            }
        }
        Some(_) => return None,
    };
    Some(((h * 60 + m) * 60 + s) * 1_000_000 + micros)
}

fn parse_timestamp(text: &str) -> Option<i64> {
    if !text.is_ascii() || text.len() < 20 {
        return None;
    }
    let days = parse_date(&text[..10])?;
    if !matches!(text.as_bytes()[10], b'T' | b't' | b' ') {
        return None;
    }
    let rest = &text[11..];
    let (clock, offset) = match rest.find(['Z', 'z', '+', '-']) {
        Some(at) => rest.split_at(at),
        None => return None,
    };
    let offset_minutes = match offset.as_bytes() {
        [b'Z' | b'z'] => 0,
        [sign, h1, h2, b':', m1, m2] => {
            let (h, m) = (digits(&[*h1, *h2])?, digits(&[*m1, *m2])?);
            if h > 23 || m > 59 {
                return None;
            }
            if *sign == b'-' { -(h * 60 + m) } else { h * 60 + m }
        }
        _ => return None,
    };
    // An offset may lead out of the years that a date can be written in.
    let moment = days * DAY + parse_time(clock)? - offset_minutes * 60_000_000;
    (days_from_civil(0, 1, 1)? * DAY..(days_from_civil(9999, 12, 31)? + 1) * DAY)
        .contains(&moment)
        .then_some(moment)
}

fn parse_duration(text: &str) -> Option<i64> {
    let (negative, body) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let mut rest = body.strip_prefix('P')?;
    let (mut total, mut in_time, mut parts) = (0_i64, false, 0);
    let mut last_rank = 0;
    while !rest.is_empty() {
        if let Some(time) = rest.strip_prefix('T') {
            if in_time || time.is_empty() {
                return None;
            }
            in_time = true;
            rest = time;
            continue;
        }
        let at = rest.find(|c: char| c.is_ascii_alphabetic())?;
        let (number, unit) = (&rest[..at], rest.as_bytes()[at]);
        let (rank, micros) = match (in_time, unit) {
            (false, b'W') => (1, 7 * DAY),
            (false, b'D') => (2, DAY),
            (true, b'H') => (3, 3_600_000_000),
            (true, b'M') => (4, 60_000_000),
            (true, b'S') => (5, 1_000_000),
            _ => return None,
        };
        if rank <= last_rank {
            return None;
        }
        last_rank = rank;
        let amount = if unit == b'S' {
            parse_decimal(number, 6)?
        } else {
            if !number.bytes().all(|b| b.is_ascii_digit()) {
                return None;
            }
            number.parse::<i64>().ok()?.checked_mul(micros)?
        };
        if number.starts_with('-') {
            return None;
        }
        total = total.checked_add(amount)?;
        parts += 1;
        rest = &rest[at + 1..];
    }
    if parts == 0 {
        return None;
    }
    Some(if negative { -total } else { total })
}

fn digits(bytes: &[u8]) -> Option<i64> {
    bytes.iter().try_fold(0_i64, |n, b| b.is_ascii_digit().then(|| n * 10 + i64::from(b - b'0')))
}

/// Days since 1970-01-01 in the proleptic Gregorian calendar, years 0000 to 9999.
fn days_from_civil(year: i64, month: i64, day: i64) -> Option<i64> {
    let date =
        jiff::civil::Date::new(year.try_into().ok()?, month.try_into().ok()?, day.try_into().ok()?);
    let epoch = jiff::civil::Date::constant(1970, 1, 1);
    Some(i64::from(date.ok()?.since(epoch).ok()?.get_days()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round_trip(scalar: Scalar, text: &str) -> String {
        let value = scalar.parse(text).unwrap();
        let mut out = Vec::new();
        scalar.print(&value, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn texts_are_read_and_written() {
        let decimal = Scalar::Decimal { scale: 2 };
        for (scalar, text, printed) in [
            (Scalar::Int, "-9223372036854775808", "-9223372036854775808"),
            (decimal, "12.5", "12.50"),
            (decimal, "-0.05", "-0.05"),
            (decimal, "-92233720368547758.08", "-92233720368547758.08"),
            (decimal, "7.000", "7.00"),
            (Scalar::Float, "-0.0", "0.0"),
            (Scalar::Date, "2024-02-29", "2024-02-29"),
            (Scalar::Date, "0001-01-01", "0001-01-01"),
            (Scalar::Time, "23:59:59.5", "23:59:59.500"),
            (Scalar::Timestamp, "2026-11-21T03:00:00+02:00", "2026-11-21T01:00:00Z"),
            (Scalar::Timestamp, "1969-12-31T23:59:59.000001Z", "1969-12-31T23:59:59.000001Z"),
            (Scalar::Duration, "P1DT2H3M4.5S", "P1DT2H3M4.500S"),
            (Scalar::Duration, "PT0S", "PT0S"),
            (Scalar::Duration, "P2W", "P14D"),
            (
                Scalar::Uuid,
                "018F4E5A-7B3C-7DEF-8123-456789ABCDEF",
                "018f4e5a-7b3c-7def-8123-456789abcdef",
            ),
            (Scalar::Bytes, "AAEC", "AAEC"),
            (Scalar::Json, "{\"a\": [1,2]}", "{\"a\": [1,2]}"),
        ] {
            assert_eq!(round_trip(scalar, text), printed, "{scalar:?} {text}");
        }
    }

    #[test]
    fn odd_texts_are_refused() {
        let decimal = Scalar::Decimal { scale: 2 };
        for (scalar, text) in [
            (Scalar::Int, "+1"),
            (Scalar::Int, "9223372036854775808"),
            (Scalar::Int, "1_000"),
            (Scalar::Float, "NaN"),
            (Scalar::Float, "1e999"),
            (decimal, "1.005"),
            (decimal, "1e2"),
            (decimal, "."),
            (decimal, "92233720368547758.08"),
            (Scalar::Date, "2023-02-29"),
            (Scalar::Date, "2023-2-9"),
            (Scalar::Timestamp, "2026-11-21T03:00:00"),
            (Scalar::Timestamp, "2026-11-21T24:00:00Z"),
            (Scalar::Timestamp, "9999-12-31T23:59:59-00:01"),
            (Scalar::Timestamp, "0000-01-01T00:00:00+00:01"),
            (Scalar::Duration, "P"),
            (Scalar::Duration, "PT1M1H"),
            (Scalar::Duration, "P1Y"),
            (Scalar::Uuid, "{018f4e5a-7b3c-7def-8123-456789abcdef}"),
            (Scalar::Bytes, "A"),
            (Scalar::Text, "a\0b"),
        ] {
            assert!(scalar.parse(text).is_err(), "{scalar:?} {text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn every_moment_survives(n in -62_135_596_800_000_000_i64..253_402_300_799_999_999) {
            let mut out = Vec::new();
            Scalar::Timestamp.print(&Value::Int(n), &mut out);
            let text = String::from_utf8(out).unwrap();
            proptest::prop_assert_eq!(Scalar::Timestamp.parse(&text), Ok(Value::Int(n)));
        }

        #[test]
        fn every_decimal_survives(n: i64, scale in 0_u8..=18) {
            let scalar = Scalar::Decimal { scale };
            let mut out = Vec::new();
            scalar.print(&Value::Int(n), &mut out);
            let text = String::from_utf8(out).unwrap();
            proptest::prop_assert_eq!(scalar.parse(&text), Ok(Value::Int(n)));
        }
    }
}

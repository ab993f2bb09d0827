//! Values as others keep them in SQLite, which has no types of its own for dates, decimals and truth values.
//!
//! What is read may have any of these forms, whichever it is; what is written has the one that the column's values have
//! ([`Kept`]).

use operation::{EvaluationFault, Kept, Scalar, Value};

/// A value as a file of rows would write it for a scalar; `None` where it is absent. SQLite keeps no dates, decimals or truth values of
/// its own: numbers count seconds from 1970 on or, with a fraction, days of the Julian calendar (as SQLite's own functions take them),
/// texts are taken for UTC where they do not say otherwise. What still does not fit stays as it is, and is refused by who reads it.
pub fn text_of(scalar: Scalar, value: &Value) -> Option<String> {
    Some(match (scalar, value) {
        (_, Value::Null) => return None,
        (Scalar::Bool, Value::Int(n @ (0 | 1))) => (*n == 1).to_string(),
        (Scalar::Bool, Value::Text(text)) => match &*text.to_ascii_lowercase() {
            "t" | "true" | "y" | "yes" | "on" | "1" => "true".to_owned(),
            "f" | "false" | "n" | "no" | "off" | "0" => "false".to_owned(),
            _ => text.to_string(),
        },
        (Scalar::Date | Scalar::Timestamp, Value::Int(seconds)) => {
            moment(scalar, seconds.checked_mul(1_000_000)).unwrap_or_else(|| seconds.to_string())
        }
        (Scalar::Date | Scalar::Timestamp, Value::Float(days)) => {
            // A float holds such a day to a millisecond, no finer.
            let milliseconds = ((days - JULIAN) * 86_400_000.0).round();
            moment(scalar, (milliseconds as i64).checked_mul(1_000))
                .unwrap_or_else(|| days.to_string())
        }
        (Scalar::Timestamp, Value::Text(text)) => with_offset(text),
        (Scalar::Date, Value::Text(text)) => {
            let midnight = text.get(10..).is_some_and(|rest| {
                let clock = rest.trim_start_matches(['T', ' ']).trim_end_matches('Z');
                rest.len() > clock.len() && clock.chars().all(|c| matches!(c, '0' | ':' | '.'))
            });
            if midnight { text[..10].to_owned() } else { text.to_string() }
        }
        (Scalar::Time, Value::Text(text)) if text.len() == 5 => format!("{text}:00"),
        (Scalar::Decimal { scale }, Value::Float(f)) => {
            // The fewest digits that are this number, where the decimal has as many. 0.1 + 0.2 is 0.30000000000000004 there, and
            // means 0.30; what lies further off is no such decimal.
            let shortest = f.to_string();
            let digits = shortest.split_once('.').map_or(0, |(_, fraction)| fraction.len());
            let rounded = format!("{f:.*}", usize::from(scale));
            let most = (f.abs() * 1e-12).min(10_f64.powi(-i32::from(scale)) / 1_000.0);
            let is_near = rounded.parse::<f64>().is_ok_and(|near| (near - f).abs() <= most);
            if digits > usize::from(scale) && is_near { rounded } else { shortest }
        }
        (Scalar::Int, Value::Float(f)) if f.fract() == 0.0 => format!("{f:.0}"),
        (Scalar::Uuid, Value::Bytes(bytes)) => match <[u8; 16]>::try_from(&bytes[..]) {
            Ok(uuid) => printed(scalar, &Value::Uuid(uuid)),
            Err(_) => printed(Scalar::Bytes, value),
        },
        (Scalar::Bytes, Value::Text(text)) => {
            printed(scalar, &Value::Bytes(text.as_bytes().into()))
        }
        // A number is not one of the scalar's own: a whole one where a text is wanted, say.
        (_, Value::Int(n)) => n.to_string(),
        (_, Value::Float(f)) => f.to_string(),
        (_, Value::Text(text)) => text.to_string(),
        (_, value) => printed(Scalar::Bytes, value),
    })
}

/// A moment as a date or a timestamp; it is a date where nothing of a day has passed. `None` outside of the years 0 to 9999, in which
/// alone a date can be written: milliseconds that were taken for seconds, perhaps.
fn moment(scalar: Scalar, microseconds: Option<i64>) -> Option<String> {
    const DAY: i64 = 86_400_000_000;
    // From 0000-01-01 up to 9999-12-31.
    const DAYS: std::ops::RangeInclusive<i64> = -719_528..=2_932_896;
    let microseconds = microseconds?;
    let days = microseconds.div_euclid(DAY);
    if !DAYS.contains(&days) {
        return None;
    }
    let is_date = scalar == Scalar::Date && microseconds.rem_euclid(DAY) == 0;
    let (scalar, n) =
        if is_date { (Scalar::Date, days) } else { (Scalar::Timestamp, microseconds) };
    Some(printed(scalar, &Value::Int(n)))
}

/// A date, or a date and a clock without seconds or an offset, as a moment with all of them.
fn with_offset(text: &str) -> String {
    let Some((date, clock)) = text.split_at_checked(10) else { return text.to_owned() };
    let clock = clock.trim_start_matches(['T', 't', ' ']);
    let (time, offset) = match clock.find(['Z', 'z', '+', '-']) {
        Some(at) => (clock[..at].trim_end(), &clock[at..]),
        None => (clock, "Z"),
    };
    let time = match time.len() {
        0 => "00:00:00".to_owned(),
        5 => format!("{time}:00"),
        _ => time.to_owned(),
    };
    format!("{date}T{time}{offset}")
}

/// The value that is meant, as Mimar would store it.
///
/// # Errors
/// What would be right, where it is nothing of the kind.
pub(crate) fn read(scalar: Scalar, value: Value) -> Result<Value, String> {
    match (scalar, &value) {
        (_, Value::Null)
        | (Scalar::Int, Value::Int(_))
        | (Scalar::Text, Value::Text(_))
        | (Scalar::Bool, Value::Int(0 | 1)) => return Ok(value),
        (Scalar::Float, Value::Float(f)) if f.is_finite() => return Ok(value),
        _ => {}
    }
    let text = text_of(scalar, &value).unwrap_or_default();
    scalar.parse(&text).map_err(|fault| format!("`{text}`, which must be {}", fault.0))
}

/// A value in the form in which a column keeps its values: fractions of a second are left out where that has none.
///
/// # Errors
/// [`EvaluationFault::Overflow`] where a decimal has more digits than such a column holds.
pub(crate) fn write(scalar: Scalar, kept: Kept, value: Value) -> Result<Value, EvaluationFault> {
    if let (Scalar::Json, Value::Text(text)) = (scalar, &value)
        && text.starts_with(|c: char| c == '-' || c.is_ascii_digit())
        && text.len() > 15
    {
        // Where a column makes numbers of texts, SQLite keeps some 15 digits of them.
        return Err(EvaluationFault::Overflow);
    }
    let Value::Int(n) = value else {
        return Ok(match (kept, scalar) {
            (Kept::Number | Kept::Julian, _) | (_, Scalar::Text | Scalar::Json) => value,
            _ if value.is_null() => value,
            _ => Value::text(printed(scalar, &value)),
        });
    };
    const DAY: i64 = 86_400;
    Ok(match (kept, scalar) {
        (Kept::Number, Scalar::Decimal { .. }) => {
            let text = printed(scalar, &value);
            let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
            let written = if fraction.trim_end_matches('0').is_empty() {
                whole.parse().map(Value::Int).ok()
            } else {
                text.parse().map(Value::Float).ok()
            };
            let written = written.ok_or(EvaluationFault::Overflow)?;
            if read(scalar, written.clone()) != Ok(value) {
                // SQLite's numbers hold some 15 digits.
                return Err(EvaluationFault::Overflow);
            }
            written
        }
        (Kept::Number, Scalar::Date) => Value::Int(n.saturating_mul(DAY)),
        (Kept::Number, Scalar::Timestamp) => Value::Int(n.div_euclid(1_000_000)),
        (Kept::Julian, Scalar::Date) => Value::Float(n as f64 + JULIAN),
        (Kept::Julian, Scalar::Timestamp) => Value::Float(n as f64 / 1e6 / DAY as f64 + JULIAN),
        (Kept::Number | Kept::Julian, _) => value,
        (Kept::Text, Scalar::Timestamp) => {
            Value::text(printed(scalar, &value).replace('T', " ").trim_end_matches('Z'))
        }
        (Kept::Midnight, Scalar::Date) => Value::text(printed(scalar, &value) + " 00:00:00"),
        (Kept::Iso, Scalar::Date) => Value::text(printed(scalar, &value) + "T00:00:00Z"),
        (Kept::Text, Scalar::Bool) => Value::text(if n == 0 { "false" } else { "true" }),
        (Kept::Text | Kept::Iso | Kept::Midnight, _) => Value::text(printed(scalar, &value)),
    })
}

/// A scalar as a number, by which a statement tells it to its functions.
pub(crate) fn code_of(scalar: Scalar) -> i64 {
    match scalar {
        Scalar::Decimal { scale } => DECIMAL + i64::from(scale),
        plain => Scalar::PLAIN.iter().position(|known| *known == plain).map_or(-1, |at| at as i64),
    }
}

/// The scalar of a number.
pub(crate) fn scalar_of(code: i64) -> Option<Scalar> {
    match code.checked_sub(DECIMAL) {
        Some(scale @ 0..) => Some(Scalar::Decimal { scale: u8::try_from(scale).ok()? }),
        _ => Scalar::PLAIN.get(usize::try_from(code).ok()?).copied(),
    }
}

/// A form as a number.
pub(crate) fn code_of_form(kept: Kept) -> i64 {
    FORMS.iter().position(|known| *known == kept).map_or(-1, |at| at as i64)
}

/// The form of a number.
pub(crate) fn form_of(code: i64) -> Option<Kept> {
    FORMS.get(usize::try_from(code).ok()?).copied()
}

const DECIMAL: i64 = 100;

const FORMS: &[Kept] = &[Kept::Text, Kept::Iso, Kept::Midnight, Kept::Number, Kept::Julian];

/// The day of the Julian calendar in the middle of which 1970 began.
const JULIAN: f64 = 2_440_587.5;

fn printed(scalar: Scalar, value: &Value) -> String {
    let mut text = Vec::new();
    scalar.print(value, &mut text);
    String::from_utf8_lossy(&text).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn becomes(scalar: Scalar, value: Value, wanted: &str) {
        assert_eq!(text_of(scalar, &value).as_deref(), Some(wanted), "{value:?}");
        if !wanted.starts_with('!') {
            assert!(scalar.parse(wanted).is_ok(), "{wanted} is no {}", scalar.name());
        }
    }

    #[test]
    fn what_sqlite_keeps_is_read_as_what_it_means() {
        let text = |text: &str| Value::text(text);
        let two = Scalar::Decimal { scale: 2 };
        becomes(Scalar::Bool, Value::Int(1), "true");
        becomes(Scalar::Bool, text("No"), "false");
        becomes(two, Value::Float(0.1 + 0.2), "0.30");
        becomes(Scalar::Decimal { scale: 6 }, Value::Float(123_456_789_012.34), "123456789012.34");
        becomes(Scalar::Decimal { scale: 16 }, Value::Float(12.34), "12.34");
        becomes(two, Value::Float(-1.98), "-1.98");
        becomes(two, Value::Int(7), "7");
        becomes(Scalar::Int, Value::Float(3.0), "3");
        becomes(Scalar::Timestamp, text("2009-01-01 00:00:00"), "2009-01-01T00:00:00Z");
        becomes(Scalar::Timestamp, text("2009-01-01"), "2009-01-01T00:00:00Z");
        becomes(Scalar::Timestamp, text("2009-01-01T10:30"), "2009-01-01T10:30:00Z");
        becomes(
            Scalar::Timestamp,
            text("2009-01-01 10:30:00.5+02:00"),
            "2009-01-01T10:30:00.5+02:00",
        );
        becomes(Scalar::Timestamp, Value::Int(1_230_768_000), "2009-01-01T00:00:00Z");
        becomes(Scalar::Timestamp, Value::Float(2_454_832.5), "2009-01-01T00:00:00Z");
        becomes(Scalar::Date, text("2009-01-01 00:00:00"), "2009-01-01");
        becomes(Scalar::Date, Value::Int(1_230_768_000), "2009-01-01");
        // The first and the last day that can be written.
        becomes(Scalar::Date, Value::Int(-719_528 * 86_400), "0000-01-01");
        becomes(Scalar::Date, Value::Int(2_932_896 * 86_400), "9999-12-31");
        becomes(Scalar::Time, text("17:30"), "17:30:00");
        becomes(Scalar::Text, Value::Int(12_345), "12345");
        becomes(Scalar::Float, Value::Int(2), "2");
        becomes(
            Scalar::Uuid,
            Value::Bytes([1; 16].as_slice().into()),
            "01010101-0101-0101-0101-010101010101",
        );
        becomes(Scalar::Bytes, text("ab"), "YWI=");
        assert_eq!(text_of(Scalar::Text, &Value::Null), None);
    }

    #[test]
    fn what_means_something_else_is_left_to_be_refused() {
        for (scalar, value) in [
            (Scalar::Bool, Value::Int(2)),
            (Scalar::Decimal { scale: 2 }, Value::Float(0.125)),
            (Scalar::Decimal { scale: 2 }, Value::Float(9_999_999_999.128)),
            (Scalar::Int, Value::Float(1.5)),
            (Scalar::Date, Value::text("2009-01-01 10:00:00")),
            (Scalar::Date, Value::Int(1)),
            (Scalar::Timestamp, Value::text("yesterday")),
            // Milliseconds; the day before the first; what no clock holds.
            (Scalar::Timestamp, Value::Int(1_767_323_045_000)),
            (Scalar::Date, Value::Int(-719_529 * 86_400)),
            (Scalar::Timestamp, Value::Int(i64::MAX)),
            (Scalar::Timestamp, Value::Int(i64::MIN)),
            (Scalar::Timestamp, Value::Float(1e300)),
            (Scalar::Date, Value::Float(f64::INFINITY)),
            (Scalar::Timestamp, Value::text("é009-01-01")),
            (Scalar::Uuid, Value::Bytes([1; 15].as_slice().into())),
        ] {
            let text = text_of(scalar, &value);
            // Absent would be worse than wrong: nobody would be told.
            assert!(
                text.as_ref().is_some_and(|text| scalar.parse(text).is_err()),
                "{value:?} became {text:?}"
            );
        }
    }

    #[test]
    fn what_is_written_is_read_back() {
        let two = Scalar::Decimal { scale: 2 };
        let text = |text: &str| Value::text(text);
        let moment = Value::Int(1_230_768_000_000_000);
        let day = Value::Int(14_245);
        for (scalar, kept, value, wanted) in [
            (two, Kept::Number, Value::Int(1250), Value::Float(12.5)),
            (two, Kept::Number, Value::Int(1200), Value::Int(12)),
            (two, Kept::Number, Value::Int(0), Value::Int(0)),
            (two, Kept::Number, Value::Int(-30), Value::Float(-0.3)),
            (two, Kept::Number, Value::Int(10_000), Value::Int(100)),
            (Scalar::Decimal { scale: 0 }, Kept::Number, Value::Int(10), Value::Int(10)),
            (two, Kept::Text, Value::Int(1250), text("12.50")),
            (Scalar::Timestamp, Kept::Text, moment.clone(), text("2009-01-01 00:00:00")),
            (Scalar::Timestamp, Kept::Iso, moment.clone(), text("2009-01-01T00:00:00Z")),
            (Scalar::Timestamp, Kept::Number, moment.clone(), Value::Int(1_230_768_000)),
            (Scalar::Timestamp, Kept::Julian, moment, Value::Float(2_454_832.5)),
            (Scalar::Date, Kept::Text, day.clone(), text("2009-01-01")),
            (Scalar::Date, Kept::Midnight, day.clone(), text("2009-01-01 00:00:00")),
            (Scalar::Date, Kept::Iso, day.clone(), text("2009-01-01T00:00:00Z")),
            (Scalar::Date, Kept::Number, day.clone(), Value::Int(1_230_768_000)),
            (Scalar::Date, Kept::Julian, day, Value::Float(2_454_832.5)),
            (Scalar::Bool, Kept::Number, Value::Int(1), Value::Int(1)),
            (Scalar::Bool, Kept::Text, Value::Int(0), text("false")),
            (Scalar::Time, Kept::Text, Value::Int(3_600_000_000), text("01:00:00")),
            (Scalar::Duration, Kept::Text, Value::Int(90_000_000), text("PT1M30S")),
            (Scalar::Float, Kept::Number, Value::Float(1.5), Value::Float(1.5)),
            (Scalar::Text, Kept::Text, text("a"), text("a")),
            (Scalar::Json, Kept::Text, text("[1]"), text("[1]")),
            (Scalar::Text, Kept::Text, Value::Null, Value::Null),
            (Scalar::Date, Kept::Text, Value::Null, Value::Null),
        ] {
            let written = write(scalar, kept, value.clone());
            assert_eq!(written.as_ref(), Ok(&wanted), "{scalar:?} {kept:?}");
            let back = read(scalar, wanted).map(|back| match back {
                Value::Bool(b) => Value::Int(i64::from(b)),
                other => other,
            });
            assert_eq!(back, Ok(value), "{scalar:?} {kept:?}");
        }
        let digits = write(two, Kept::Number, Value::Int(i64::MAX));
        assert_eq!(digits, Err(EvaluationFault::Overflow));
        assert!(read(Scalar::Json, text("{")).unwrap_err().contains("must be JSON"));
        assert!(read(Scalar::Float, Value::Float(f64::INFINITY)).is_err());
        for scalar in Scalar::PLAIN.iter().copied().chain([two, Scalar::Decimal { scale: 18 }]) {
            assert_eq!(scalar_of(code_of(scalar)), Some(scalar));
        }
        for kept in FORMS {
            assert_eq!(form_of(code_of_form(*kept)), Some(*kept));
        }
    }
}

//! Rows of an SQLite file that others made, in the forms in which files of rows have them.

use std::fs;
use std::io::Read as _;
use std::path::Path;

use engine::Loaded;
use model::EntityId;
use operation::{Scalar, Value};
use store::others::{self, OthersColumn, OthersTable};

use crate::failure::Failure;

/// Whether a path leads to an SQLite file.
pub(crate) fn is_database(path: &Path) -> bool {
    let mut start = [0; 16];
    let read = fs::File::open(path).and_then(|mut file| file.read_exact(&mut start));
    read.is_ok() && start == *b"SQLite format 3\0"
}

/// What an SQLite file holds for a model.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// Tables with rows of entities, which have them under their stored names.
    pub(crate) tables: Vec<(EntityId, OthersTable)>,
    /// What is of no entity and no field: tables, and columns as `table.column`.
    pub(crate) left: Vec<String>,
}

/// Looks a file through for what a model wants of it.
pub(crate) fn find(path: &Path, loaded: &Loaded) -> Result<Found, Failure> {
    let Found { mut tables, mut left } = Found::default();
    for there in others::tables(path)? {
        let entity = loaded
            .model
            .entity_ids()
            .find(|id| loaded.schema.table(*id).name.as_str().eq_ignore_ascii_case(&there.name));
        let Some(entity) = entity else {
            left.push(there.name);
            continue;
        };
        let strange = there.columns.iter().filter(|column| at(loaded, entity, column).is_none());
        left.extend(strange.map(|column| format!("{}.{}", there.name, column.name)));
        tables.push((entity, there));
    }
    tables.sort_by_key(|(entity, _)| *entity);
    Ok(Found { tables, left })
}

/// The position of the column in an entity's table that a column of the file is: the one that is stored under its name, or the way to
/// the root, which has the root's name here and any there.
pub(crate) fn at(loaded: &Loaded, entity: EntityId, column: &OthersColumn) -> Option<usize> {
    let table = loaded.schema.table(entity);
    let named = |name: &str| {
        table.columns.iter().position(|known| known.name.as_str().eq_ignore_ascii_case(name))
    };
    named(&column.name).filter(|at| table.version != Some(*at)).or_else(|| {
        let (way, to) = (table.root?, column.refers_to.as_deref()?);
        let root = loaded.model.part_of(entity)?.root;
        loaded.schema.table(root).name.as_str().eq_ignore_ascii_case(to).then_some(way)
    })
}

/// A value as a file of rows would write it for a scalar; `None` where it is absent. SQLite keeps no dates, decimals or truth values of
/// its own: numbers count seconds from 1970 on or, with a fraction, days of the Julian calendar (as SQLite's own functions take them),
/// texts are taken for UTC where they do not say otherwise. What still does not fit stays as it is, and is refused by who reads it.
pub(crate) fn text_of(scalar: Scalar, value: &Value) -> Option<String> {
    let printed = |scalar: Scalar, value: &Value| {
        let mut text = Vec::new();
        scalar.print(value, &mut text);
        String::from_utf8_lossy(&text).into_owned()
    };
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
            // 1970 began in the middle of the Julian day 2,440,587; a float holds such a day to a millisecond, no finer.
            let milliseconds = ((days - 2_440_587.5) * 86_400_000.0).round();
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
            // 0.1 + 0.2 is 0.30000000000000004 there, and means 0.30; what lies further off is no such decimal.
            let rounded = format!("{f:.*}", usize::from(scale));
            let is_near =
                rounded.parse::<f64>().is_ok_and(|near| (near - f).abs() <= f.abs() * 1e-12);
            if is_near { rounded } else { f.to_string() }
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
    let mut text = Vec::new();
    scalar.print(&Value::Int(n), &mut text);
    Some(String::from_utf8_lossy(&text).into_owned())
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
}

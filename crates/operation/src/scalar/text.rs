//! How values are written: each in a place of its own first, so that it goes to what is written before it in one piece. These
//! run for each column of each row of an answer.

/// Microseconds in a day.
const DAY: i64 = super::DAY;

/// The two digits of each number below 100; more of them than that, so that no index needs to be looked at.
const PAIRS: [[u8; 2]; 128] = {
    let mut pairs = [[0; 2]; 128];
    let mut n = 0;
    while n < 128 {
        pairs[n] = [b'0' + (n / 10 % 10) as u8, b'0' + (n % 10) as u8];
        n += 1;
    }
    pairs
};

/// The two hexadecimal digits of each byte.
const HEXADECIMAL: [[u8; 2]; 256] = {
    let digits = b"0123456789abcdef";
    let mut pairs = [[0; 2]; 256];
    let mut n = 0;
    while n < 256 {
        pairs[n] = [digits[n >> 4], digits[n & 15]];
        n += 1;
    }
    pairs
};

/// Two digits: those of a number below 100.
fn pair(n: u32) -> [u8; 2] {
    PAIRS[n as usize & 127]
}

/// Four digits: those of a number below 10,000.
fn quad(n: u32) -> [u8; 4] {
    let ([a, b], [c, d]) = (pair(n / 100), pair(n % 100));
    [a, b, c, d]
}

/// An exact decimal of `10^-scale` units, within quotes.
pub(super) fn decimal(n: i64, scale: u8, out: &mut Vec<u8>) {
    // 19 digits, or 18 behind the point and one before it; a sign, the point, quotes.
    let mut text = [b'"'; 23];
    let mut at = text.len() - 1;
    let mut put = |byte: u8| {
        at -= 1;
        text[at] = byte;
    };
    let mut rest = n.unsigned_abs();
    let mut digits = scale.min(18);
    while digits >= 2 {
        let [ten, one] = pair((rest % 100) as u32);
        put(one);
        put(ten);
        rest /= 100;
        digits -= 2;
    }
    if digits == 1 {
        put(b'0' + (rest % 10) as u8);
        rest /= 10;
    }
    if scale > 0 {
        put(b'.');
    }
    while rest >= 100 {
        let [ten, one] = pair((rest % 100) as u32);
        put(one);
        put(ten);
        rest /= 100;
    }
    let [ten, one] = pair(rest as u32);
    put(one);
    if rest >= 10 {
        put(ten);
    }
    if n < 0 {
        put(b'-');
    }
    put(b'"');
    out.extend_from_slice(&text[at..]);
}

/// A UUID in its canonical form (RFC 9562, section 4), within quotes. A list of rows has two in each: looked up byte by byte they cost three fifths
/// of what `uuid::fmt` takes.
pub(super) fn uuid(bytes: [u8; 16], out: &mut Vec<u8>) {
    let mut text = *b"\"00000000-0000-0000-0000-000000000000\"";
    for (byte, at) in bytes.iter().zip([1, 3, 5, 7, 10, 12, 15, 17, 20, 22, 25, 27, 29, 31, 33, 35])
    {
        text[at..at + 2].copy_from_slice(&HEXADECIMAL[usize::from(*byte)]);
    }
    out.extend_from_slice(&text);
}

/// The day of a number of days since 1970-01-01 in the proleptic Gregorian calendar: year, month, day.
/// Algorithm: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", `civil_from_days`.
fn civil(days: i64) -> (i64, u32, u32) {
    // Days count from 0000-03-01, so that the leap day is the last of its year.
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = (shifted - era * 146_097) as u32;
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    (i64::from(year_of_era) + era * 400 + i64::from(month <= 2), month, day)
}

/// `2026-11-21`; `None` for years that take more than four digits, or are before the first of them.
fn calendar(days: i64) -> Option<[u8; 10]> {
    let (year, month, day) = civil(days);
    let year = u32::try_from(year).ok().filter(|year| *year <= 9_999)?;
    let mut text = *b"0000-00-00";
    text[..4].copy_from_slice(&quad(year));
    text[5..7].copy_from_slice(&pair(month));
    text[8..].copy_from_slice(&pair(day));
    Some(text)
}

/// `17:30:00`, `17:30:00.500` or `17:30:00.000001`, and how long that is.
fn clock(micros_of_day: u64) -> ([u8; 15], usize) {
    let (seconds, micros) =
        ((micros_of_day / 1_000_000) as u32, (micros_of_day % 1_000_000) as u32);
    let mut text = *b"00:00:00.000000";
    text[..2].copy_from_slice(&pair(seconds / 3_600));
    text[3..5].copy_from_slice(&pair(seconds / 60 % 60));
    text[6..8].copy_from_slice(&pair(seconds % 60));
    if micros == 0 {
        return (text, 8);
    }
    text[9..11].copy_from_slice(&pair(micros / 10_000));
    text[11..].copy_from_slice(&quad(micros % 10_000));
    (text, if micros.is_multiple_of(1_000) { 12 } else { 15 })
}

/// Days since 1970-01-01 (RFC 3339, full-date), within quotes.
pub(super) fn date(days: i64, out: &mut Vec<u8>) {
    let mut text = *b"\"0000-00-00\"";
    match calendar(days) {
        Some(date) => text[1..11].copy_from_slice(&date),
        None => return far_date(days, out),
    }
    out.extend_from_slice(&text);
}

/// A date of a year that nobody can write here, and that a database may hold all the same.
#[cold]
fn far_date(days: i64, out: &mut Vec<u8>) {
    let (year, month, day) = civil(days);
    out.extend_from_slice(format!("\"{:04}-{month:02}-{day:02}\"", year.unsigned_abs()).as_bytes());
}

/// Microseconds since midnight, within quotes.
pub(super) fn time(micros: i64, out: &mut Vec<u8>) {
    let (clock, length) = clock(micros.unsigned_abs());
    let mut text = [b'"'; 17];
    text[1..16].copy_from_slice(&clock);
    text[length + 1] = b'"';
    out.extend_from_slice(&text[..length + 2]);
}

/// Microseconds since 1970-01-01T00:00:00Z (RFC 3339, in UTC), within quotes.
pub(super) fn timestamp(micros: i64, out: &mut Vec<u8>) {
    let days = micros.div_euclid(DAY);
    let (clock, length) = clock(micros.rem_euclid(DAY).unsigned_abs());
    let mut text = *b"\"0000-00-00T00:00:00.000000Z\"";
    text[12..27].copy_from_slice(&clock);
    let end = 12 + length;
    text[end] = b'Z';
    text[end + 1] = b'"';
    match calendar(days) {
        Some(date) => {
            text[1..11].copy_from_slice(&date);
            out.extend_from_slice(&text[..end + 2]);
        }
        None => {
            far_date(days, out);
            out.pop();
            out.extend_from_slice(&text[11..end + 2]);
        }
    }
}

/// A duration (ISO 8601), within quotes.
pub(super) fn duration(n: i64, out: &mut Vec<u8>) {
    out.push(b'"');
    if n < 0 {
        out.push(b'-');
    }
    let n = n.unsigned_abs();
    let (seconds, micros) = (n / 1_000_000, n % 1_000_000);
    let (days, hours, minutes, secs) =
        (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60, seconds % 60);
    let number = |n: u64, unit: u8, out: &mut Vec<u8>| {
        out.extend_from_slice(itoa::Buffer::new().format(n).as_bytes());
        out.push(unit);
    };
    out.push(b'P');
    if days > 0 {
        number(days, b'D', out);
    }
    if hours + minutes + secs + micros > 0 || days == 0 {
        out.push(b'T');
        if hours > 0 {
            number(hours, b'H', out);
        }
        if minutes > 0 {
            number(minutes, b'M', out);
        }
        if secs + micros > 0 || hours + minutes == 0 {
            out.extend_from_slice(itoa::Buffer::new().format(secs).as_bytes());
            let (clock, length) = clock(micros);
            out.extend_from_slice(&clock[8..length]);
            out.push(b'S');
        }
    }
    out.push(b'"');
}

/// Whether a byte of a JSON string stands for itself only behind a backslash (RFC 8259 §7).
fn must_be_escaped(b: u8) -> bool {
    b < 0x20 || b == b'"' || b == b'\\'
}

/// Writes a JSON string that stands for itself, as nearly all do; false, and nothing written, where some of its bytes do not, or may
/// be no UTF-8.
pub(super) fn plain(text: &[u8], out: &mut Vec<u8>) -> bool {
    let odd = |b: u8| b >= 0x80 || must_be_escaped(b);
    let is_plain = if text.len() < 24 {
        !text.iter().any(|&b| odd(b))
    } else {
        // Looked at once for both questions, without a branch: many bytes at once, which pays where there are many.
        !text.iter().fold(false, |found, &b| found | odd(b))
    };
    if is_plain {
        quoted(text, out);
    }
    is_plain
}

fn quoted(text: &[u8], out: &mut Vec<u8>) {
    out.reserve(text.len() + 2);
    out.push(b'"');
    out.extend_from_slice(text);
    out.push(b'"');
}

/// Writes a JSON string (RFC 8259 §7), escaping only what must be.
pub(crate) fn string(text: &str, out: &mut Vec<u8>) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let bytes = text.as_bytes();
    if !bytes.iter().fold(false, |found, &b| found | must_be_escaped(b)) {
        return quoted(bytes, out);
    }
    out.reserve(text.len() + 2);
    out.push(b'"');
    let mut start = 0;
    for (i, &b) in bytes.iter().enumerate() {
        if !must_be_escaped(b) {
            continue;
        }
        out.extend_from_slice(&bytes[start..i]);
        start = i + 1;
        match b {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            8 => out.extend_from_slice(b"\\b"),
            12 => out.extend_from_slice(b"\\f"),
            _ => {
                out.extend_from_slice(b"\\u00");
                out.push(HEX[usize::from(b >> 4)]);
                out.push(HEX[usize::from(b & 15)]);
            }
        }
    }
    out.extend_from_slice(&bytes[start..]);
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn strings_are_escaped_as_json() {
        let text = "a\"b\\c\n\u{1}\u{8}\u{c}é";
        assert_eq!(written(|out| string(text, out)), "\"a\\\"b\\\\c\\n\\u0001\\b\\fé\"");
        for (text, is_plain) in [("plain", true), ("", true), ("é", false), ("\"", false)] {
            let mut out = Vec::new();
            assert_eq!(plain(text.as_bytes(), &mut out), is_plain);
            assert_eq!(out.is_empty(), !is_plain, "{text}");
        }
    }

    #[test]
    fn what_nobody_can_write_is_written_all_the_same() {
        assert_eq!(written(|out| date(2_932_897, out)), "\"10000-01-01\"");
        assert_eq!(written(|out| date(-719_529, out)), "\"0001-12-31\"");
        let moment = 253_402_300_800_000_001;
        assert_eq!(written(|out| timestamp(moment, out)), "\"10000-01-01T00:00:00.000001Z\"");
        for n in [i64::MIN, i64::MAX] {
            assert!(written(|out| timestamp(n, out)).ends_with("Z\""));
            assert_eq!(written(|out| time(n, out)).len(), 17);
            assert!(written(|out| decimal(n, 18, out)).contains("9.223372036854775"));
        }
    }
}

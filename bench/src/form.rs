//! The written forms of values: JSON text straight into a byte buffer, and back where a body carries them.
//!
//! Money is minor units of two digits, a timestamp is microseconds since 1970 in UTC, a key is 16 bytes.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

const HEX: [[u8; 2]; 256] = {
    let digits = b"0123456789abcdef";
    let mut table = [[0; 2]; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = [digits[byte >> 4], digits[byte & 15]];
        byte += 1;
    }
    table
};

/// Appends `text` as a JSON string with its quotes; `text` is UTF-8.
#[inline]
pub fn string(out: &mut Vec<u8>, text: &[u8]) {
    out.push(b'"');
    let mut start = 0;
    for (at, &byte) in text.iter().enumerate() {
        if byte >= 0x20 && byte != b'"' && byte != b'\\' {
            continue;
        }
        out.extend_from_slice(&text[start..at]);
        start = at + 1;
        match byte {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            _ => {
                out.extend_from_slice(b"\\u00");
                out.extend_from_slice(&HEX[usize::from(byte)]);
            }
        }
    }
    out.extend_from_slice(&text[start..]);
    out.push(b'"');
}

/// Appends an integer in decimal digits.
#[inline]
pub fn integer(out: &mut Vec<u8>, value: i64) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

/// Appends a key in the canonical lower-case form of RFC 9562, without quotes.
#[inline]
pub fn uuid(out: &mut Vec<u8>, key: &[u8; 16]) {
    let mut text = [b'-'; 36];
    let mut at = 0;
    for (index, &byte) in key.iter().enumerate() {
        if matches!(index, 4 | 6 | 8 | 10) {
            at += 1;
        }
        text[at..at + 2].copy_from_slice(&HEX[usize::from(byte)]);
        at += 2;
    }
    out.extend_from_slice(&text);
}

/// Reads the canonical form of RFC 9562 in either case; `None` for anything else.
#[inline]
#[must_use]
pub fn parse_uuid(text: &[u8]) -> Option<[u8; 16]> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    };
    if text.len() != 36 {
        return None;
    }
    let mut key = [0; 16];
    let mut at = 0;
    for (index, byte) in key.iter_mut().enumerate() {
        if matches!(index, 4 | 6 | 8 | 10) {
            if text[at] != b'-' {
                return None;
            }
            at += 1;
        }
        *byte = digit(text[at])? << 4 | digit(text[at + 1])?;
        at += 2;
    }
    Some(key)
}

/// Appends an amount with exactly two decimals, without quotes.
#[inline]
pub fn money(out: &mut Vec<u8>, minor: i64) {
    if minor < 0 {
        out.push(b'-');
    }
    let minor = minor.unsigned_abs();
    out.extend_from_slice(itoa::Buffer::new().format(minor / 100).as_bytes());
    let cents = (minor % 100) as u8;
    out.extend_from_slice(&[b'.', b'0' + cents / 10, b'0' + cents % 10]);
}

/// Reads an amount with at most two decimals into minor units; `None` if it is no amount or does not fit.
#[must_use]
pub fn parse_money(text: &str) -> Option<i64> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "00"));
    let all_digits =
        |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    if !all_digits(whole) || !all_digits(fraction) || fraction.len() > 2 {
        return None;
    }
    let cents: i64 = fraction.parse().ok()?;
    let cents = if fraction.len() == 1 { cents * 10 } else { cents };
    let minor = whole.parse::<i64>().ok()?.checked_mul(100)?.checked_add(cents)?;
    Some(if negative { -minor } else { minor })
}

/// Appends a moment as RFC 3339 in UTC, without quotes; the fraction has no, three or six digits.
#[inline]
pub fn timestamp(out: &mut Vec<u8>, micros: i64) {
    const DAY: i64 = 86_400_000_000;
    let (days, rest) = (micros.div_euclid(DAY), micros.rem_euclid(DAY));
    // Days count from 0000-03-01, so that the leap day is the last of its year.
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);

    let seconds = rest / 1_000_000;
    let fraction = rest % 1_000_000;
    let pair = |value: i64| [b'0' + (value / 10) as u8, b'0' + (value % 10) as u8];
    let mut text = *b"0000-00-00T00:00:00.000000Z";
    text[0..2].copy_from_slice(&pair(year / 100));
    text[2..4].copy_from_slice(&pair(year % 100));
    text[5..7].copy_from_slice(&pair(month));
    text[8..10].copy_from_slice(&pair(day));
    text[11..13].copy_from_slice(&pair(seconds / 3_600));
    text[14..16].copy_from_slice(&pair(seconds / 60 % 60));
    text[17..19].copy_from_slice(&pair(seconds % 60));
    let end = if fraction == 0 {
        19
    } else {
        text[20..22].copy_from_slice(&pair(fraction / 10_000));
        text[22..24].copy_from_slice(&pair(fraction / 100 % 100));
        text[24..26].copy_from_slice(&pair(fraction % 100));
        if fraction % 1_000 == 0 { 23 } else { 26 }
    };
    text[end] = b'Z';
    out.extend_from_slice(&text[..=end]);
}

/// The place after an order in a list sorted by `placed`, then `id`, both falling.
#[must_use]
pub fn cursor(placed: i64, id: &[u8; 16]) -> String {
    let mut bytes = [0; 24];
    bytes[..8].copy_from_slice(&placed.to_be_bytes());
    bytes[8..].copy_from_slice(id);
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Reads what [`cursor`] wrote; `None` if it is not ours.
#[must_use]
pub fn parse_cursor(text: &str) -> Option<(i64, [u8; 16])> {
    let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
    let (placed, id) = bytes.split_first_chunk::<8>()?;
    Some((i64::from_be_bytes(*placed), id.try_into().ok()?))
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
    fn values_have_their_written_forms() {
        assert_eq!(written(|out| string(out, b"a\"b\\c\nd\x01")), r#""a\"b\\c\nd\u0001""#);
        assert_eq!(written(|out| money(out, 1205)), "12.05");
        assert_eq!(written(|out| money(out, -7)), "-0.07");
        for (micros, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_400_000_000, "2000-02-29T00:00:00Z"),
            (1_735_689_599_123_000, "2024-12-31T23:59:59.123Z"),
            (1_735_689_599_123_456, "2024-12-31T23:59:59.123456Z"),
            (-1, "1969-12-31T23:59:59.999999Z"),
        ] {
            assert_eq!(written(|out| timestamp(out, micros)), text);
        }
    }

    #[test]
    fn what_is_written_can_be_read() {
        let key = *b"0123456789abcdef";
        assert_eq!(parse_uuid(written(|out| uuid(out, &key)).as_bytes()), Some(key));
        assert_eq!(parse_uuid(b"30313233-3435-3637-3839-61626364656g"), None);
        assert_eq!(parse_cursor(&cursor(-5, &key)), Some((-5, key)));
        for (text, minor) in
            [("12.50", Some(1250)), ("-0.07", Some(-7)), ("3", Some(300)), ("3.1", Some(310))]
        {
            assert_eq!(parse_money(text), minor);
        }
        for text in ["", ".", "1.", ".5", "1.234", "+1", "1e3", "99999999999999999999"] {
            assert_eq!(parse_money(text), None, "{text}");
        }
    }
}

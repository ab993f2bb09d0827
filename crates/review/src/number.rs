//! Numbers as people read them.

/// `1,000,000`; fractions only below ten.
pub(crate) fn count(number: f64) -> String {
    if number < 10.0 && number.fract() > 0.05 {
        return format!("{number:.1}");
    }
    let digits = format!("{:.0}", number.max(0.0));
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// `2.1 GB`: decimal units, as the language has them.
pub(crate) fn bytes(number: f64) -> String {
    let units = ["bytes", "KB", "MB", "GB", "TB", "PB"];
    let mut number = number;
    let mut at = 0;
    while number >= 999.5 && at + 1 < units.len() {
        number /= 1_000.0;
        at += 1;
    }
    let digits = usize::from(at > 0 && number < 99.5);
    format!("{number:.digits$} {}", units[at])
}

/// Microseconds as the language writes durations: `200ms`, `30m`, `1.5s`.
pub(crate) fn duration(microseconds: i64) -> String {
    let units = [
        (86_400_000_000, "d"),
        (3_600_000_000, "h"),
        (60_000_000, "m"),
        (1_000_000, "s"),
        (1_000, "ms"),
    ];
    for (size, suffix) in units {
        if microseconds >= size {
            let number = microseconds as f64 / size as f64;
            let digits = usize::from((number * 10.0).round() % 10.0 > 0.0);
            return format!("{number:.digits$}{suffix}");
        }
    }
    format!("{microseconds}us")
}

/// The least duration that the language can write and that is not below: whole seconds, minutes or hours.
pub(crate) fn duration_above(microseconds: i64) -> String {
    for (size, suffix, most) in
        [(1_000, "ms", 1_000), (1_000_000, "s", 120), (60_000_000, "m", 120)]
    {
        let count = (microseconds.max(1) - 1) / size + 1;
        if count < most {
            return format!("{count}{suffix}");
        }
    }
    format!("{}h", (microseconds.max(1) - 1) / 3_600_000_000 + 1)
}

/// `99.95%`, without needless digits.
pub(crate) fn percent(number: f64) -> String {
    let text = format!("{number:.4}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    format!("{text}%")
}

/// `one`, or `many` with its number.
pub(crate) fn plural(number: usize, one: &str, many: &str) -> String {
    if number == 1 { format!("1 {one}") } else { format!("{} {many}", count(number as f64)) }
}

/// Names in a sentence: `a`, `a and b`, `a, b and c`; beyond `most` only how many more there are.
pub(crate) fn list(names: &[String], most: usize) -> String {
    let quoted: Vec<String> = names.iter().take(most).map(|name| format!("`{name}`")).collect();
    if names.len() > most {
        return format!("{} and {} more", quoted.join(", "), names.len() - most);
    }
    match quoted.as_slice() {
        [] => String::new(),
        [only] => only.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        assert_eq!(count(1_234_567.0), "1,234,567");
        assert_eq!(count(0.5), "0.5");
        assert_eq!(count(3.0), "3");
        assert_eq!(bytes(2_100_000_000.0), "2.1 GB");
        assert_eq!(bytes(999.6), "1.0 KB");
        assert_eq!(bytes(12.0), "12 bytes");
        assert_eq!(duration(200_000), "200ms");
        assert_eq!(duration(90_000_000), "1.5m");
        assert_eq!(duration(86_400_000_000), "1d");
        assert_eq!(duration_above(1_500_000), "2s");
        assert_eq!(duration_above(200_000), "200ms");
        assert_eq!(duration_above(3_600_000_001), "61m");
        assert_eq!(duration_above(40_000_000_000), "12h");
        assert_eq!(percent(99.95), "99.95%");
        assert_eq!(percent(100.0), "100%");
    }

    #[test]
    fn lists_read_like_sentences() {
        let names: Vec<String> = ["a", "b", "c"].map(str::to_owned).to_vec();
        assert_eq!(list(&names[..1], 3), "`a`");
        assert_eq!(list(&names[..2], 3), "`a` and `b`");
        assert_eq!(list(&names, 3), "`a`, `b` and `c`");
        assert_eq!(list(&names, 2), "`a`, `b` and 1 more");
    }
}

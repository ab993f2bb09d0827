//! Whether one pattern takes all that another takes.

/// Which of two patterns takes more, where that is easily seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    /// They take the same.
    Same,
    /// The new one takes all of the old one, and more.
    Wider,
    /// The new one takes only some of the old one.
    Narrower,
    /// Neither is seen.
    Unknown,
}

/// Compares two patterns that differ in nothing but the bounds of their quantifiers, `{1,16}`: a greater bound takes more. Patterns
/// that look around or back are left alone, since there more may mean less.
pub(super) fn order(old: &str, new: &str) -> Order {
    if old == new {
        return Order::Same;
    }
    let looks = |it: &str| ["(?=", "(?!", "(?<", "\\1", "\\k"].iter().any(|sign| it.contains(sign));
    if looks(old) || looks(new) {
        return Order::Unknown;
    }
    let ((old, before), (new, after)) = (bounds(old), bounds(new));
    if old != new || before.len() != after.len() {
        return Order::Unknown;
    }
    let pairs = || before.iter().zip(&after);
    if pairs().all(|((a, b), (c, d))| c <= a && b <= d) {
        Order::Wider
    } else if pairs().all(|((a, b), (c, d))| a <= c && d <= b) {
        Order::Narrower
    } else {
        Order::Unknown
    }
}

/// A pattern without the bounds of its quantifiers, and those.
fn bounds(pattern: &str) -> (String, Vec<(u64, u64)>) {
    let (mut bare, mut found) = (String::new(), Vec::new());
    let mut rest = pattern;
    while let Some(letter) = rest.chars().next() {
        let after = rest.get(letter.len_utf8()..).unwrap_or("");
        if letter == '\\' {
            // What is escaped opens nothing.
            let end = 1 + after.chars().next().map_or(0, char::len_utf8);
            bare.push_str(rest.get(..end).unwrap_or(rest));
            rest = rest.get(end..).unwrap_or("");
            continue;
        }
        let quantifier = (letter == '{').then(|| after.split_once('}')).flatten();
        if let Some(((least, greatest), after)) =
            quantifier.and_then(|(inner, after)| Some((bound(inner)?, after)))
        {
            bare.push_str("{}");
            found.push((least, greatest));
            rest = after;
        } else {
            bare.push(letter);
            rest = after;
        }
    }
    (bare, found)
}

/// `3`, `3,` or `3,5`.
fn bound(inner: &str) -> Option<(u64, u64)> {
    let Some((least, greatest)) = inner.split_once(',') else {
        let exact = inner.parse().ok()?;
        return Some((exact, exact));
    };
    let greatest = if greatest.is_empty() { u64::MAX } else { greatest.parse().ok()? };
    Some((least.parse().ok()?, greatest))
}

#[cfg(test)]
mod tests {
    use super::{Order, order};

    #[test]
    fn bounds_of_quantifiers_are_compared() {
        for (old, new, expected) in [
            ("^a{1,3}$", "^a{1,3}$", Order::Same),
            ("^a{1,3}$", "^a{1,4}$", Order::Wider),
            ("^a{1,3}$", "^a{2,3}$", Order::Narrower),
            ("^a{2}$", "^a{2,}$", Order::Wider),
            ("^a{1,3}b{2}$", "^a{1,4}b{1}$", Order::Unknown),
            ("^a{1,3}$", "^b{1,3}$", Order::Unknown),
            ("^a\\{1,3}$", "^a\\{1,4}$", Order::Unknown),
            ("^(?!a{1,3})$", "^(?!a{1,4})$", Order::Unknown),
            ("{", "{{", Order::Unknown),
        ] {
            assert_eq!(order(old, new), expected, "{old} to {new}");
        }
    }
}

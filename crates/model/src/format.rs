//! Formats of text that types promise: one definition for the server that checks and the contract that states.

/// An email address as HTML defines it (WHATWG HTML, "valid email address"): what mail servers take in practice,
/// without the comments and quotes of RFC 5322; before the `@` also letters beyond ASCII (RFC 6531), since people have
/// such addresses. The ranges leave out white space and stay in the basic plane, where every dialect of regular
/// expressions reads them alike.
pub const EMAIL_PATTERN: &str = "^[a-zA-Z0-9.!#$%&'*+/=?^_`{|}~\u{c0}-\u{167f}\u{1681}-\u{1fff}\u{3001}-\u{d7ff}-]+@[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?(?:\\.[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?)*$";

/// The longest email address, in characters (RFC 5321 §4.5.3.1.3, without its angle brackets).
pub const EMAIL_LENGTH: usize = 254;

/// An absolute web address: scheme, host, and no white space or controls.
pub const URL_PATTERN: &str =
    "^https?://[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?(:[0-9]{1,5})?([/?#][!-~]*)?$";

/// The longest URL.
pub const URL_LENGTH: usize = 2_048;

/// Whether `text` is an email address by [`EMAIL_PATTERN`] and [`EMAIL_LENGTH`].
#[must_use]
pub fn is_email(text: &str) -> bool {
    let Some((local, domain)) = text.split_once('@') else { return false };
    let atom = |c: char| {
        c.is_ascii_alphanumeric()
            || ".!#$%&'*+/=?^_`{|}~-".contains(c)
            || matches!(c, '\u{c0}'..='\u{167f}' | '\u{1681}'..='\u{1fff}' | '\u{3001}'..='\u{d7ff}')
    };
    text.chars().count() <= EMAIL_LENGTH
        && !local.is_empty()
        && local.chars().all(atom)
        && domain.split('.').all(|label| {
            (1..=63).contains(&label.len())
                && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
                && !label.starts_with('-')
                && !label.ends_with('-')
        })
}

/// Whether `text` is a web address by [`URL_PATTERN`] and [`URL_LENGTH`].
#[must_use]
pub fn is_url(text: &str) -> bool {
    let Some(rest) = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://")) else {
        return false;
    };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, tail) = rest.split_at(end);
    let (host, port) = match authority.split_once(':') {
        Some((host, port)) => (host, Some(port)),
        None => (authority, None),
    };
    let edge = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    text.len() <= URL_LENGTH
        && host.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'.' || b == b'-')
        && edge(host.chars().next())
        && edge(host.chars().last())
        && port.is_none_or(|port| {
            (1..=5).contains(&port.len()) && port.bytes().all(|b| b.is_ascii_digit())
        })
        && tail.bytes().all(|b| b.is_ascii_graphic())
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn the_functions_say_what_the_patterns_say(text in "[a-z@.:/?# -]{0,12}|https?://[a-z.:0-9/#-]{0,9}|[a-z.+ł\u{1680}\u{2003}-]{0,4}@[a-z.-]{0,9}") {
            for (pattern, says) in [(EMAIL_PATTERN, is_email(&text)), (URL_PATTERN, is_url(&text))] {
                proptest::prop_assert_eq!(regex::Regex::new(pattern).unwrap().is_match(&text), says, "{}", text);
            }
        }
    }
}

//! Entity tags (RFC 9110 §8.8.3) and the conditions on them (§13.1).
//!
//! A tag is `"version"`, or `"version-mark"` where the version alone does not settle what was sent; a compressed
//! answer's ends with `-gz`. `If-Match` counts the version only, so that a change of what a caller did not see, or of
//! the interface, stops nobody; `If-None-Match` counts the whole.

use http::HeaderValue;

use super::problem::Refusal;

/// At the end of the tag of a compressed answer.
const COMPRESSED: &str = "-gz";

/// A tag: the version, and what else settles the answer.
pub(crate) fn strong(version: i64, mark: &str) -> HeaderValue {
    let mut number = itoa::Buffer::new();
    let number = number.format(version);
    let mut text = Vec::with_capacity(number.len() + mark.len() + 3);
    text.push(b'"');
    text.extend_from_slice(number.as_bytes());
    if !mark.is_empty() {
        text.push(b'-');
        text.extend_from_slice(mark.as_bytes());
    }
    text.push(b'"');
    value(text)
}

/// A tag of what has no version of its own: good for caches, never for `If-Match`.
pub(crate) fn weak(mark: &str) -> HeaderValue {
    value(format!("W/\"{mark}\"").into_bytes())
}

fn value(text: Vec<u8>) -> HeaderValue {
    // Digits, letters, quotes and dashes only: always a header's value.
    HeaderValue::try_from(text).unwrap_or_else(|_| HeaderValue::from_static("W/\"\""))
}

/// The tag of the same answer, compressed.
pub(crate) fn compressed(tag: &HeaderValue) -> HeaderValue {
    let bytes = tag.as_bytes();
    match bytes.strip_suffix(b"\"") {
        Some(open) => value([open, COMPRESSED.as_bytes(), b"\""].concat()),
        None => tag.clone(),
    }
}

/// A hash of an answer, as letters and digits.
pub(crate) fn mark(bytes: &[u8]) -> String {
    use std::hash::{BuildHasher as _, Hasher as _};
    let mut hasher = foldhash::quality::FixedState::with_seed(0x6d69_6d61).build_hasher();
    hasher.write(bytes);
    // `format!` does the same at four times the cost, for each read.
    let mut number = hasher.finish();
    let mut mark = String::with_capacity(16);
    for _ in 0..16 {
        number = number.rotate_left(4);
        mark.push(char::from(HEX[(number & 15) as usize]));
    }
    mark
}

const HEX: [u8; 16] = *b"0123456789abcdef";

/// `If-Match`, as the versions of which the stored one must be one; `None` if any will do. What cannot be read is refused, so
/// that nothing is changed on its word.
pub(crate) fn versions(header: &HeaderValue) -> Result<Option<Vec<i64>>, Refusal> {
    let malformed = || {
        let detail = "must be `*` or entity tags in quotes with commas between, such as \"3\"";
        Refusal::Header { name: "If-Match", detail: detail.to_owned() }
    };
    match list(header).ok_or_else(malformed)? {
        None => Ok(None),
        Some(tags) => {
            // Compared strongly: a weak tag matches nothing.
            let strong = tags.into_iter().filter(|tag| !tag.weak);
            let versions = strong.filter_map(|tag| {
                tag.text.split('-').next().and_then(|digits| {
                    // `01` is not what we gave out for version 1.
                    let ours = digits == "0" || !digits.starts_with('0');
                    (ours && digits.bytes().all(|b| b.is_ascii_digit()))
                        .then(|| digits.parse().ok())?
                })
            });
            Ok(Some(versions.collect()))
        }
    }
}

/// Whether `If-None-Match` names this tag, so that the caller has the answer already. Compared weakly. What cannot be
/// read names nothing: the caller gets the answer.
pub(crate) fn names(header: &HeaderValue, tag: &HeaderValue) -> bool {
    let Some(tags) = list(header) else { return false };
    let Some(tags) = tags else { return true };
    let ours = tag.to_str().unwrap_or_default();
    let ours = ours.strip_prefix("W/").unwrap_or(ours).trim_matches('"');
    tags.iter().any(|tag| tag.text.strip_suffix(COMPRESSED).unwrap_or(tag.text) == ours)
}

struct Tag<'a> {
    weak: bool,
    text: &'a str,
}

/// A list of tags, the inner `None` for `*`; the outer for what is no such list.
fn list(header: &HeaderValue) -> Option<Option<Vec<Tag<'_>>>> {
    let text = header.to_str().ok()?.trim_matches([' ', '\t']);
    if text == "*" {
        return Some(None);
    }
    let mut tags = Vec::new();
    let mut rest = text;
    loop {
        rest = rest.trim_start_matches([' ', '\t']);
        let (weak, quoted) = match rest.strip_prefix("W/") {
            Some(after) => (true, after),
            None => (false, rest),
        };
        let inside = quoted.strip_prefix('"')?;
        let (tag, after) = inside.split_once('"')?;
        if !tag.bytes().all(|b| b == 0x21 || (0x23..=0x7e).contains(&b)) {
            return None;
        }
        tags.push(Tag { weak, text: tag });
        rest = after.trim_start_matches([' ', '\t']);
        match rest.strip_prefix(',') {
            Some(after) => rest = after,
            None if rest.is_empty() => return Some(Some(tags)),
            None => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(text: &str) -> HeaderValue {
        HeaderValue::from_str(text).unwrap()
    }

    #[test]
    fn versions_are_read() {
        for (text, wanted) in [
            ("*", None),
            ("\"3\"", Some(vec![3])),
            ("\"3-a1f\", \"4\"", Some(vec![3, 4])),
            ("\"3-a1f-gz\"", Some(vec![3])),
            ("W/\"3\"", Some(vec![])),
            ("\"abc\"", Some(vec![])),
            ("\"\"", Some(vec![])),
            ("\"+3\"", Some(vec![])),
            ("\"99999999999999999999\"", Some(vec![])),
        ] {
            assert_eq!(versions(&header(text)).unwrap(), wanted, "{text}");
        }
        for text in ["", "3", "\"3", "\"3\" \"4\"", "\"3\",", "w/\"3\"", "*, \"3\""] {
            assert!(versions(&header(text)).is_err(), "{text}");
        }
    }

    #[test]
    fn a_caller_who_has_it_is_known() {
        let tag = strong(3, "a1");
        assert_eq!(tag, "\"3-a1\"");
        for (text, wanted) in [
            ("*", true),
            ("\"3-a1\"", true),
            ("W/\"3-a1\"", true),
            ("\"3-a1-gz\"", true),
            ("\"2\", \"3-a1\"", true),
            ("\"3\"", false),
            ("\"3-a2\"", false),
        ] {
            assert_eq!(names(&header(text), &tag), wanted, "{text}");
        }
        assert_eq!(compressed(&tag), "\"3-a1-gz\"");
        assert!(names(&header("\"a1\""), &weak("a1")));
        assert!(!names(&header("a1"), &weak("a1")));
    }

    proptest::proptest! {
        #[test]
        fn no_header_breaks_the_reader(text in "[ -~]{0,40}") {
            let _ = (versions(&header(&text)), names(&header(&text), &strong(1, "")));
        }
    }
}

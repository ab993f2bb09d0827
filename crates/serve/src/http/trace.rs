//! The name of a request in the logs.

use http::HeaderMap;

/// The trace a request belongs to: the caller's, if it says so (W3C Trace Context, `traceparent`), or a fresh one.
pub(crate) fn trace_id(headers: &HeaderMap) -> String {
    let header = headers.get("traceparent").and_then(|header| header.to_str().ok());
    match header.and_then(of_parent) {
        Some(id) => id.to_owned(),
        None => uuid::Uuid::new_v4().simple().to_string(),
    }
}

fn of_parent(text: &str) -> Option<&str> {
    let hex = |part: &str, length: usize| {
        part.len() == length
            && part.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
    };
    let mut parts = text.split('-');
    let (version, trace, span, flags) =
        (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let whole = hex(version, 2)
        && version != "ff"
        && hex(trace, 32)
        && hex(span, 16)
        && hex(flags, 2)
        && (version != "00" || parts.next().is_none());
    let zero = |part: &str| part.bytes().all(|b| b == b'0');
    (whole && !zero(trace) && !zero(span)).then_some(trace)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trace_is_carried_on() {
        let id = "4bf92f3577b34da6a3ce929d0e0e4736";
        for (text, wanted) in [
            (format!("00-{id}-00f067aa0ba902b7-01"), true),
            (format!("01-{id}-00f067aa0ba902b7-01-more"), true),
            (format!("00-{id}-00f067aa0ba902b7-01-more"), false),
            (format!("ff-{id}-00f067aa0ba902b7-01"), false),
            (format!("00-{}-00f067aa0ba902b7-01", "0".repeat(32)), false),
            (format!("00-{}-00f067aa0ba902b7-01", id.to_uppercase()), false),
            (String::new(), false),
        ] {
            assert_eq!(of_parent(&text).is_some(), wanted, "{text}");
        }
        assert_eq!(trace_id(&HeaderMap::new()).len(), 32);
    }
}

//! What a caller sends and takes (RFC 9110 §12).

use http::header::{ACCEPT, ACCEPT_ENCODING, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue};

/// Whether JSON may be answered.
pub(crate) fn accepts_json(headers: &HeaderMap) -> bool {
    let mut any = false;
    for header in headers.get_all(ACCEPT) {
        any = true;
        // Most callers say just this.
        if header == "*/*" || header == "application/json" {
            return true;
        }
        let Ok(text) = header.to_str() else { continue };
        // The narrowest range that fits decides: `*/*, application/json;q=0` takes anything but JSON.
        let mut best: Option<(u8, bool)> = None;
        for range in text.split(',') {
            let (media, wanted) = weighed(range);
            let rank = match media {
                m if m.eq_ignore_ascii_case("application/json") => 3,
                m if m.eq_ignore_ascii_case("application/*") => 2,
                "*/*" => 1,
                _ => continue,
            };
            if best.is_none_or(|(known, _)| rank > known) {
                best = Some((rank, wanted));
            }
        }
        if best.is_some_and(|(_, wanted)| wanted) {
            return true;
        }
        if text.trim().is_empty() {
            return true;
        }
    }
    !any
}

/// Whether this very media type may be answered; `whole`: or a range that holds all there are.
pub(crate) fn accepts(headers: &HeaderMap, media_type: &str, whole: bool) -> bool {
    headers.get_all(ACCEPT).iter().filter_map(|header| header.to_str().ok()).any(|text| {
        text.split(',').map(weighed).any(|(media, wanted)| {
            wanted && (media.eq_ignore_ascii_case(media_type) || whole && media == "*/*")
        })
    })
}

/// Whether a page for people is preferred to JSON: a browser.
pub(crate) fn prefers_html(headers: &HeaderMap) -> bool {
    let accept = headers.get(ACCEPT).and_then(|header| header.to_str().ok());
    accept
        .is_some_and(|text| text.split(',').any(|r| weighed(r).0.eq_ignore_ascii_case("text/html")))
}

/// Whether an answer may be compressed with gzip.
pub(crate) fn takes_gzip(headers: &HeaderMap) -> bool {
    headers.get_all(ACCEPT_ENCODING).iter().any(|header| {
        header.to_str().is_ok_and(|text| {
            text.split(',').any(|coding| {
                let (name, wanted) = weighed(coding);
                wanted && name.eq_ignore_ascii_case("gzip")
            })
        })
    })
}

/// A range or coding without its parameters, and whether its weight is more than nothing.
fn weighed(item: &str) -> (&str, bool) {
    let mut parts = item.split(';');
    let name = parts.next().unwrap_or_default().trim();
    let wanted = !parts.any(|parameter| {
        let parameter = parameter.trim();
        let weight = parameter.strip_prefix("q=").or_else(|| parameter.strip_prefix("Q="));
        weight.is_some_and(|q| q.trim().parse::<f32>().is_ok_and(|q| q <= 0.0))
    });
    (name, wanted)
}

/// Whether the body is of one of these media types; a charset other than UTF-8 is another type.
pub(crate) fn is_of(headers: &HeaderMap, media_types: &[&str]) -> bool {
    let mut all = headers.get_all(CONTENT_TYPE).iter();
    let (Some(header), None) = (all.next(), all.next()) else { return false };
    fits(header, media_types)
}

fn fits(header: &HeaderValue, media_types: &[&str]) -> bool {
    let Ok(text) = header.to_str() else { return false };
    let mut parts = text.split(';');
    let media = parts.next().unwrap_or_default().trim();
    media_types.iter().any(|known| media.eq_ignore_ascii_case(known))
        && parts.all(|parameter| match parameter.trim().split_once('=') {
            Some((name, value)) if name.eq_ignore_ascii_case("charset") => {
                value.trim_matches('"').eq_ignore_ascii_case("utf-8")
            }
            _ => true,
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: http::HeaderName, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::from_str(value).unwrap())])
    }

    #[test]
    fn json_is_given_where_it_is_taken() {
        assert!(accepts_json(&HeaderMap::new()));
        for (text, wanted) in [
            ("*/*", true),
            ("application/json", true),
            ("Application/JSON; charset=utf-8", true),
            ("text/html, application/xhtml+xml, */*;q=0.8", true),
            ("application/*;q=0.1", true),
            ("text/html", false),
            ("application/xml", false),
            ("application/json;q=0", false),
            ("*/*, application/json;q=0.0", false),
            ("", true),
        ] {
            assert_eq!(accepts_json(&headers(ACCEPT, text)), wanted, "{text}");
        }
    }

    #[test]
    fn gzip_is_given_where_it_is_taken() {
        for (text, wanted) in
            [("gzip", true), ("br, GZIP;q=0.5", true), ("gzip;q=0", false), ("identity", false)]
        {
            assert_eq!(takes_gzip(&headers(ACCEPT_ENCODING, text)), wanted, "{text}");
        }
    }

    #[test]
    fn bodies_are_of_their_type() {
        for (text, wanted) in [
            ("application/json", true),
            ("application/json; charset=UTF-8", true),
            ("application/json; charset=latin1", false),
            ("application/jsonx", false),
            ("text/plain", false),
        ] {
            assert_eq!(
                is_of(&headers(CONTENT_TYPE, text), &["application/json"]),
                wanted,
                "{text}"
            );
        }
    }
}

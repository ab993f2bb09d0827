//! Which pages of other origins may call (the Fetch standard, "CORS protocol").

use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ORIGIN,
};
use http::{HeaderMap, HeaderValue};

/// Which origins may call from a browser. Callers prove who they are by a token, never by a cookie, so that no
/// origin gains anything by another's visitor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origins {
    /// Any.
    Any,
    /// These, as `https://shop.example`, and no others.
    Listed(Vec<String>),
}

impl Origins {
    /// Whether answers differ by origin.
    pub(crate) fn vary(&self) -> bool {
        *self != Self::Any
    }

    /// What an answer says to the origin that asked.
    pub(crate) fn answer(&self, request: &HeaderMap, response: &mut HeaderMap) {
        let Some(origin) = request.get(ORIGIN) else { return };
        let Some(allowed) = self.allow(origin) else { return };
        response.insert(ACCESS_CONTROL_ALLOW_ORIGIN, allowed);
        response.insert(
            ACCESS_CONTROL_EXPOSE_HEADERS,
            HeaderValue::from_static(
                "ETag, Link, Location, Retry-After, Deprecation, Sunset, Idempotency-Replayed",
            ),
        );
    }

    /// What a preflight is told besides.
    pub(crate) fn preflight(
        &self,
        request: &HeaderMap,
        methods: &HeaderValue,
        response: &mut HeaderMap,
    ) {
        if request.get(ORIGIN).is_none_or(|origin| self.allow(origin).is_none()) {
            return;
        }
        response.insert(ACCESS_CONTROL_ALLOW_METHODS, methods.clone());
        response.insert(
            ACCESS_CONTROL_ALLOW_HEADERS,
            HeaderValue::from_static(
                "Authorization, Content-Type, If-Match, If-None-Match, Idempotency-Key, Traceparent",
            ),
        );
        response.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
    }

    fn allow(&self, origin: &HeaderValue) -> Option<HeaderValue> {
        match self {
            Self::Any => Some(HeaderValue::from_static("*")),
            Self::Listed(list) => list
                .iter()
                .any(|listed| listed.as_bytes() == origin.as_bytes())
                .then(|| origin.clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_listed_origins_are_answered() {
        let listed = Origins::Listed(vec!["https://shop.example".to_owned()]);
        for (origins, origin, wanted) in [
            (&Origins::Any, "https://a.example", Some("*")),
            (&listed, "https://shop.example", Some("https://shop.example")),
            (&listed, "https://shop.example.evil", None),
            (&listed, "null", None),
        ] {
            let request = HeaderMap::from_iter([(ORIGIN, HeaderValue::from_static(origin))]);
            let mut response = HeaderMap::new();
            origins.answer(&request, &mut response);
            let allowed = response.get(ACCESS_CONTROL_ALLOW_ORIGIN).and_then(|v| v.to_str().ok());
            assert_eq!(allowed, wanted, "{origin}");
        }
    }
}

//! The API page at `/docs`: one document that needs nothing from elsewhere, and may run nothing but itself.

use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::HeaderValue;
use sha2::{Digest as _, Sha256};

const FRAME: &str = include_str!("page/page.html");
const STYLE: &str = include_str!("page/page.css");
const SCRIPT: &str = include_str!("page/page.js");

/// The page and what it may do.
pub(crate) struct Page {
    pub(crate) html: Bytes,
    /// `Content-Security-Policy`: its own style and script by their hashes, and calls to its own server.
    pub(crate) policy: HeaderValue,
}

/// The page, put together once.
pub(crate) fn page() -> &'static Page {
    static PAGE: LazyLock<Page> = LazyLock::new(build);
    &PAGE
}

fn build() -> Page {
    let html = FRAME.replace("/*style*/", STYLE).replace("/*script*/", SCRIPT);
    let policy = format!(
        "default-src 'none'; style-src '{}'; script-src '{}'; connect-src 'self'; img-src data:; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        hash(STYLE),
        hash(SCRIPT)
    );
    Page {
        html: Bytes::from(html),
        policy: HeaderValue::try_from(policy)
            .unwrap_or_else(|_| HeaderValue::from_static("default-src 'none'")),
    }
}

/// A source by its hash (CSP Level 3).
fn hash(text: &str) -> String {
    format!("sha256-{}", STANDARD.encode(Sha256::digest(text)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_is_whole_and_needs_nothing() {
        let html = std::str::from_utf8(&page().html).unwrap();
        assert!(html.contains(STYLE) && html.contains(SCRIPT));
        for outside in ["http://", "https://", "src=", "@import", " style=", "onclick="] {
            assert!(!html.contains(outside), "{outside}");
        }
    }
}

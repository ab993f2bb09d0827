//! Requests that may be sent again: by what each is known (draft-ietf-httpapi-idempotency-key-header).

use std::time::{SystemTime, UNIX_EPOCH};

use http::request::Parts;
use http::{HeaderName, HeaderValue};
use operation::Receipt;
use plan::Caller;
use sha2::{Digest as _, Sha256};

use super::problem::Refusal;
use super::reply::Reply;

/// The name by which a request is known if it is sent again.
pub(crate) static IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// Says that a request was done before, and is answered as it was then.
pub(crate) const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// By which a POST is known if it is sent again, where it says so. The key is the sender's own: another's of the same name is another key.
///
/// # Errors
/// Where it is no key.
pub(crate) fn of(
    head: &Parts,
    sender: &Sender<'_>,
    body: &[u8],
) -> Result<Option<Box<Receipt>>, Refusal> {
    let mut keys = head.headers.get_all(&IDEMPOTENCY_KEY).iter();
    let Some(key) = keys.next() else { return Ok(None) };
    let key = key.as_bytes();
    let bare = key.strip_prefix(b"\"").and_then(|key| key.strip_suffix(b"\"")).unwrap_or(key);
    let plain = bare.iter().all(|byte| byte.is_ascii_graphic() && !b"\"\\".contains(byte));
    if keys.next().is_some() || !plain || !(1..=255).contains(&bare.len()) {
        return Err(refused(
            "must be one text of 1 to 255 visible ASCII characters, such as a UUID",
        ));
    }
    let path = head.uri.path();
    let target = head.uri.path_and_query().map_or("", |target| target.as_str());
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Ok(Some(Box::new(Receipt {
        key: Sha256::new()
            .chain_update(sender.told())
            .chain_update(path)
            .chain_update(b"\n")
            .chain_update(bare)
            .finalize()
            .into(),
        request: Sha256::new()
            .chain_update(target)
            .chain_update(b"\n")
            .chain_update(body)
            .finalize()
            .into(),
        now: i64::try_from(since.as_micros()).unwrap_or(i64::MAX),
    })))
}

/// That a key does not belong where it stands.
pub(crate) fn refused(detail: &str) -> Refusal {
    Refusal::Header { name: "Idempotency-Key", detail: detail.to_owned() }
}

/// Says so of an answer that was given before.
pub(crate) fn mark(reply: &mut Reply, replayed: bool) {
    if replayed {
        reply.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
    }
}

/// Whose key it is.
pub(crate) enum Sender<'a> {
    Caller(&'a Caller),
    /// Who signs what comes in by a webhook of this name.
    Webhook(&'a str),
}

impl Sender<'_> {
    fn told(&self) -> String {
        match self {
            Self::Caller(Caller { roles, subject, authenticated }) => {
                format!("{roles:?} {subject:?} {authenticated} ")
            }
            Self::Webhook(name) => format!("webhook {name} "),
        }
    }
}

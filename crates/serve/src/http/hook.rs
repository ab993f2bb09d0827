//! Webhooks that take events in.

use contract::{CloudEvent, Webhook};
use engine::webhook::{Arrival, Taken};
use http::header::{ALLOW, CONTENT_ENCODING};
use http::request::Parts;
use http::{HeaderValue, Method, StatusCode};
use hyper::body::Incoming;
use operation::Fault;

use super::problem::Refusal;
use super::receipt::{self, Sender};
use super::reply::{self, Keep, Reply};
use super::surface::Surface;
use super::{Door, answer, negotiate};

const ALLOWED: HeaderValue = HeaderValue::from_static("POST, OPTIONS");

/// Takes an event in; there is an answer when it is kept.
pub(crate) async fn answer(
    door: &Door,
    surface: &Surface,
    webhook: &Webhook,
    head: &Parts,
    body: &mut Incoming,
) -> Result<Reply, Refusal> {
    if head.method == Method::OPTIONS {
        let mut reply = reply::empty(StatusCode::NO_CONTENT, Keep::Never);
        reply.headers_mut().insert(ALLOW, ALLOWED);
        return Ok(reply);
    }
    if head.method != Method::POST {
        return Err(Refusal::Method { allow: ALLOWED });
    }
    if !negotiate::is_of(&head.headers, &["application/json", CloudEvent::MEDIA_TYPE]) {
        return Err(Refusal::MediaType { wanted: "application/json" });
    }
    if head.headers.contains_key(CONTENT_ENCODING) {
        let detail = "send the body as it is".to_owned();
        return Err(Refusal::Header { name: "Content-Encoding", detail });
    }
    let body = answer::collect(door, head, body).await?;
    let header = |name: &str| head.headers.get(name).and_then(|value| value.to_str().ok());
    let arrival = Arrival {
        webhook: &webhook.name,
        id: header("webhook-id"),
        timestamp: header("webhook-timestamp"),
        signature: header("webhook-signature"),
        kind: header("ce-type"),
        body: &body,
        receipt: receipt::of(head, &Sender::Webhook(&webhook.name), &body)?,
    };
    match door.engine.receive(&surface.loaded, arrival).await {
        Ok(taken) => {
            let mut reply = reply::empty(StatusCode::NO_CONTENT, Keep::Never);
            receipt::mark(&mut reply, taken == Taken::Again);
            Ok(reply)
        }
        // It is signed and whole: what is wrong is what it says.
        Err(Fault::Invalid(violations)) => Err(Refusal::Content(violations)),
        Err(fault) => Err(fault.into()),
    }
}

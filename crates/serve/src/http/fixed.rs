//! What every server has, whatever its model says: health, metrics, documents.

use bytes::Bytes;
use http::header::{ALLOW, CONTENT_SECURITY_POLICY, LOCATION, REFERRER_POLICY};
use http::request::Parts;
use http::{HeaderValue, Method, StatusCode};
use serde_json::json;

use super::metrics::Work;
use super::problem::Refusal;
use super::reply::{self, Keep, Reply};
use super::surface::Surface;
use super::{Door, negotiate, page};

const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");
const HTML: HeaderValue = HeaderValue::from_static("text/html; charset=utf-8");
const PROMETHEUS: HeaderValue =
    HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
const ALLOWED: HeaderValue = HeaderValue::from_static("GET, HEAD, OPTIONS");

/// The paths, besides `/schemas/EVENT`.
const PATHS: [&str; 7] =
    ["/", "/docs", "/openapi.json", "/asyncapi.json", "/livez", "/readyz", "/metrics"];

/// Answers under the paths that are not the model's.
pub(crate) async fn answer(door: &Door, surface: &Surface, head: &Parts) -> Result<Reply, Refusal> {
    let path = head.uri.path();
    let schema = path.strip_prefix("/schemas/").and_then(|name| surface.event_schema(name));
    if !PATHS.contains(&path) && schema.is_none() {
        return Err(Refusal::NoRoute);
    }
    match head.method {
        Method::GET | Method::HEAD => {}
        Method::OPTIONS => {
            let mut reply = reply::empty(StatusCode::NO_CONTENT, Keep::Never);
            reply.headers_mut().insert(ALLOW, ALLOWED);
            door.settings.origins.preflight(&head.headers, &ALLOWED, reply.headers_mut());
            return Ok(reply);
        }
        _ => return Err(Refusal::Method { allow: ALLOWED }),
    }
    let text = |text: &'static str| {
        reply::body(StatusCode::OK, TEXT, Bytes::from_static(text.as_bytes()), Keep::Never)
    };
    let document = |(document, etag)| {
        reply::read(&head.headers, false, document, etag, Keep::Anyone, door.settings.compress_from)
    };
    if let Some(schema) = schema {
        return Ok(document(schema));
    }
    match path {
        "/livez" => Ok(text("alive\n")),
        "/readyz" => {
            door.engine.ready().await?;
            Ok(text("ready\n"))
        }
        "/metrics" => {
            let (engine, queue) = (&door.engine, door.engine.queue().await);
            let exchanged = match engine.traffic() {
                Some(traffic) => Some((traffic, engine.backlog().await)),
                None => None,
            };
            let work = Work { done: engine.work_figures(), queue, exchanged };
            let metrics = door.metrics.text(&engine.statistics(), &work);
            Ok(reply::body(StatusCode::OK, PROMETHEUS, Bytes::from(metrics), Keep::Never))
        }
        "/openapi.json" => Ok(document(surface.openapi())),
        "/asyncapi.json" => Ok(document(surface.asyncapi())),
        "/docs" => Ok(docs()),
        _ => Ok(index(surface, head)),
    }
}

fn docs() -> Reply {
    let page = page::page();
    let mut reply = reply::body(StatusCode::OK, HTML, page.html.clone(), Keep::Anyone);
    let headers = reply.headers_mut();
    headers.insert(CONTENT_SECURITY_POLICY, page.policy.clone());
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    reply
}

fn index(surface: &Surface, head: &Parts) -> Reply {
    if negotiate::prefers_html(&head.headers) {
        let mut reply = reply::empty(StatusCode::SEE_OTHER, Keep::Never);
        reply.headers_mut().insert(LOCATION, HeaderValue::from_static("/docs"));
        return reply;
    }
    let contract = &surface.contract;
    let json = json!({
        "name": contract.name,
        "version": contract.version,
        "docs": "/docs",
        "openapi": "/openapi.json",
        "asyncapi": "/asyncapi.json",
    });
    reply::body(StatusCode::OK, reply::JSON, Bytes::from(json.to_string()), Keep::Anyone)
}

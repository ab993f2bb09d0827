//! Events that are heard once more, and what failed too often when they were heard.

use bytes::Bytes;
use engine::Parked;
use http::header::LINK;
use http::request::Parts;
use http::{HeaderValue, StatusCode};
use hyper::body::{Body as _, Incoming};
use operation::{Fault, FaultCode, Scalar, Value, Violation};
use plan::Caller;
use serde_json::json;

use super::event::{PAGE, bounded, wanted};
use super::problem::Refusal;
use super::query::{self, EventsAsked, Parameters};
use super::receipt::{self, IDEMPOTENCY_KEY, Sender};
use super::reply::{self, Keep, Reply};
use super::surface::Surface;
use super::{Door, negotiate};

const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// What is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Replaying<'a> {
    /// Events are heard once more.
    Events,
    /// Dead letters are listed.
    Dead,
    /// One is dropped, by its number as it stands in the path.
    Drop(&'a str),
    /// One is tried again.
    Retry(&'a str),
}

/// Does it for a caller who may replay some events.
pub(crate) async fn answer(
    door: &Door,
    surface: &Surface,
    what: Replaying<'_>,
    head: &Parts,
    body: &Incoming,
    caller: &Caller,
) -> Result<Reply, Refusal> {
    if !negotiate::accepts_json(&head.headers) {
        return Err(Refusal::NotAcceptable);
    }
    if !body.is_end_stream() {
        let detail = "this takes no body: the address says it all".to_owned();
        return Err(Refusal::Header { name: "Content-Length", detail });
    }
    let mut found = Vec::new();
    let parameters = Parameters::parse(head.uri.query(), &mut found);
    match what {
        Replaying::Events => {
            let asked = parameters.events(true, &mut found);
            let limit = bounded(&asked, PAGE.1, &mut found);
            let wanted = open(surface, caller, &asked, found)?;
            let engine = &door.engine;
            let after = match (asked.after, asked.since) {
                (Some(after), _) => after,
                (None, Some(since)) => engine.events_since(since).await?,
                (None, None) => 0,
            };
            // What is published from now on is heard anyway.
            let until = match asked.until {
                Some(until) => until,
                None => engine.last_event().await?,
            };
            let receipt = receipt::of(head, &Sender::Caller(caller), b"")?;
            let place = (after, until);
            let (replayed, again) =
                engine.replay(&surface.loaded, &wanted, place, limit, receipt).await?;
            tracing::info!(events = replayed.events, tasks = replayed.tasks, "events are replayed");
            let said = json!({"events": replayed.events, "tasks": replayed.tasks});
            let mut reply = body_of(StatusCode::ACCEPTED, &said);
            if let Some(after) = replayed.after {
                let until = replayed.until.to_string();
                let place = [("after", after.to_string()), ("until", until)];
                link(head, &place, &mut reply);
            }
            receipt::mark(&mut reply, again);
            Ok(reply)
        }
        Replaying::Dead => {
            let asked = parameters.events(false, &mut found);
            let limit = bounded(&asked, PAGE.0, &mut found);
            if asked.after.is_some() && asked.since.is_none() {
                let detail = "goes together with `since`; the `Link` of a page has both".to_owned();
                found.push(Violation::parameter(FaultCode::WrongFormat, "after", detail));
            }
            let wanted = open(surface, caller, &asked, found)?;
            // One more tells whether there are more.
            let mut parked = door.engine.dead(wanted, asked.after, limit + 1).await?;
            let is_last = parked.len() <= limit;
            parked.truncate(limit);
            let rows: Vec<_> = parked.iter().map(|parked| row(surface, parked)).collect();
            let mut reply = body_of(StatusCode::OK, &json!(rows));
            if let (false, Some(last)) = (is_last, parked.last()) {
                let place = [("since", moment(last.since)), ("after", last.number.to_string())];
                link(head, &place, &mut reply);
            }
            Ok(reply)
        }
        Replaying::Drop(number) | Replaying::Retry(number) => {
            parameters.none(&mut found);
            let names = open(surface, caller, &EventsAsked::default(), found)?.names;
            // What is no number is no task's.
            let number = number.parse::<i64>().map_err(|_| Fault::NotFound)?;
            if matches!(what, Replaying::Drop(_)) {
                if head.headers.contains_key(&IDEMPOTENCY_KEY) {
                    return Err(receipt::refused(
                        "is for POST; what is dropped twice is not found",
                    ));
                }
                door.engine.drop_dead(names, number).await?;
                return Ok(reply::empty(StatusCode::NO_CONTENT, Keep::Never));
            }
            let receipt = receipt::of(head, &Sender::Caller(caller), b"")?;
            let again = door.engine.retry_dead(names, number, receipt).await?;
            let mut reply = reply::empty(StatusCode::ACCEPTED, Keep::Never);
            receipt::mark(&mut reply, again);
            Ok(reply)
        }
    }
}

/// The events that are asked for, of those that the caller may replay, unless something is wrong with the request.
fn open(
    surface: &Surface,
    caller: &Caller,
    asked: &EventsAsked<'_>,
    found: Vec<Violation>,
) -> Result<engine::Wanted, Fault> {
    let replayable = surface.loaded.plan.replayable_events(caller.roles);
    let replayable = replayable.map(|id| surface.contract.event(id)).collect();
    let wanted = wanted(replayable, "replay", asked)?;
    if found.is_empty() { Ok(wanted) } else { Err(Fault::Invalid(found)) }
}

/// A dead letter. What was to be done is told, not with what: that is read with the event, by whoever may.
fn row(surface: &Surface, parked: &Parked) -> serde_json::Value {
    let name = parked.name.as_deref().unwrap_or_default();
    let event = surface.contract.events.iter().find(|event| event.stored == name);
    let id = parked.event.map(|id| printed(Scalar::Uuid, &Value::Uuid(id)));
    json!({
        "number": parked.number,
        "type": event.map_or(name, |event| event.kind.as_str()),
        "event": id,
        "key": parked.key,
        "target": parked.target,
        "failures": parked.failures,
        "since": moment(parked.since),
        "error": parked.error,
    })
}

fn moment(microseconds: i64) -> String {
    printed(Scalar::Timestamp, &Value::Int(microseconds))
}

fn printed(scalar: Scalar, value: &Value) -> String {
    let mut text = Vec::new();
    scalar.print(value, &mut text);
    String::from_utf8_lossy(&text).into_owned()
}

fn body_of(status: StatusCode, said: &serde_json::Value) -> Reply {
    reply::body(status, JSON, Bytes::from(said.to_string()), Keep::Never)
}

/// Leads on to the next page.
fn link(head: &Parts, place: &[(&str, String)], reply: &mut Reply) {
    let mut link = format!("<{}", head.uri.path());
    query::next_at(head.uri.query(), place, &mut link);
    link.push_str(">; rel=\"next\"");
    if let Ok(link) = HeaderValue::try_from(link) {
        reply.headers_mut().insert(LINK, link);
    }
}

//! Events, read and followed: [CloudEvents](https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md)
//! in batches, and as
//! [Server-Sent Events](https://html.spec.whatwg.org/multipage/server-sent-events.html).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use contract::{CloudEvent, EventType};
use engine::{Engine, Follow, Wanted};
use http::header::{CONTENT_TYPE, LINK};
use http::request::Parts;
use http::{HeaderName, HeaderValue, Method, StatusCode};
use operation::{Fault, FaultCode, Violation};
use plan::Caller;
use tokio::sync::{OwnedSemaphorePermit, mpsc};

use super::problem::Refusal;
use super::query::{self, EventsAsked, Parameters};
use super::reply::{self, Body, Keep, Reply};
use super::surface::Surface;
use super::{Door, negotiate};

const BATCH: HeaderValue = HeaderValue::from_static(CloudEvent::BATCH_TYPE);
const STREAM: HeaderValue = HeaderValue::from_static("text/event-stream");

/// Where a stream before has ended.
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// Events of a page where nothing else is said, and the most.
pub(crate) const PAGE: (usize, usize) = (20, 100);

/// How often new events are looked for.
const LOOK: Duration = Duration::from_millis(250);

/// After how long of silence a word is said, so that nobody between takes the connection for dead.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// How long a stream lasts: whoever goes on asks anew, with a token that still holds.
const LIFE: Duration = Duration::from_secs(600);

/// How long a reader may take for what waits for it.
const PATIENCE: Duration = Duration::from_secs(30);

/// How many events may wait for a reader.
const WAITING: usize = 64;

/// When a full house is asked again, in seconds.
const RETRY: u32 = 5;

/// Answers what was published, to a caller who may read some of it.
pub(crate) async fn answer(
    door: &Door,
    surface: &Arc<Surface>,
    head: &Parts,
    caller: &Caller,
) -> Result<Reply, Refusal> {
    let is_followed = negotiate::accepts(&head.headers, "text/event-stream", false);
    let is_read = negotiate::accepts(&head.headers, CloudEvent::BATCH_TYPE, true)
        || negotiate::accepts_json(&head.headers);
    if !is_followed && !is_read {
        return Err(Refusal::NotAcceptable);
    }
    let mut found = Vec::new();
    let parameters = Parameters::parse(head.uri.query(), &mut found);
    let asked = parameters.events(false, &mut found);
    let readable = surface.loaded.plan.readable_events(caller.roles);
    let readable = readable.map(|id| surface.contract.event(id)).collect();
    let wanted = wanted(readable, "read", &asked)?;
    let limit = bounded(&asked, PAGE.0, &mut found);
    if !found.is_empty() {
        return Err(Fault::Invalid(found).into());
    }
    if is_followed {
        return follow(door, surface, head, &asked, wanted).await;
    }
    let after = match (asked.after, asked.since) {
        (Some(after), _) => after,
        (None, Some(since)) => door.engine.events_since(since).await?,
        (None, None) => 0,
    };
    let page = door.engine.events_after(&wanted, after, limit).await?;
    let mut body = vec![b'['];
    for event in &page.events {
        if body.len() > 1 {
            body.push(b',');
        }
        let envelope = CloudEvent::of(&surface.contract, None, &event.event).structured();
        body.extend_from_slice(envelope.as_bytes());
    }
    body.push(b']');
    let mut reply = reply::body(StatusCode::OK, BATCH, Bytes::from(body), Keep::Never);
    // There is a next page always: what happens later is on it.
    let mut link = format!("<{}", head.uri.path());
    query::next(head.uri.query(), &page.after.to_string(), &mut link);
    link.push_str(">; rel=\"next\"");
    if let Ok(link) = HeaderValue::try_from(link) {
        reply.headers_mut().insert(LINK, link);
    }
    Ok(reply)
}

/// How many are asked for; `usual` where nothing is said.
pub(crate) fn bounded(asked: &EventsAsked<'_>, usual: usize, found: &mut Vec<Violation>) -> usize {
    let limit = asked.limit.unwrap_or(usual);
    if !(1..=PAGE.1).contains(&limit) {
        let detail = format!("must be 1 to {}", PAGE.1);
        found.push(Violation::parameter(FaultCode::OutOfBounds, "limit", detail));
    }
    limit
}

/// The events that are asked for, of those that are open to the caller for what it does (`verb`).
pub(crate) fn wanted(
    open: Vec<&EventType>,
    verb: &str,
    asked: &EventsAsked<'_>,
) -> Result<Wanted, Fault> {
    if open.is_empty() {
        return Err(Fault::Forbidden(format!("you may not {verb} any events")));
    }
    let mut names = Vec::new();
    let mut found = Vec::new();
    for kind in &asked.types {
        match open.iter().find(|event| event.kind == *kind) {
            Some(event) => names.push(event.stored.clone()),
            None => {
                let known: Vec<&str> = open.iter().map(|event| event.kind.as_str()).collect();
                let detail = format!(
                    "there is no event `{kind}` that you may {verb}; there are: {}",
                    known.join(", ")
                );
                found.push(Violation::parameter(FaultCode::WrongFormat, "type", detail));
            }
        }
    }
    if !found.is_empty() {
        return Err(Fault::Invalid(found));
    }
    if asked.types.is_empty() {
        names = open.iter().map(|event| event.stored.clone()).collect();
    }
    Ok(Wanted { names, key: asked.key.map(str::to_owned), since: asked.since })
}

async fn follow(
    door: &Door,
    surface: &Arc<Surface>,
    head: &Parts,
    asked: &EventsAsked<'_>,
    wanted: Wanted,
) -> Result<Reply, Refusal> {
    if asked.limit.is_some() {
        let detail = "is for pages; a stream has no end".to_owned();
        return Err(refused(FaultCode::UnknownParameter, "limit", detail).into());
    }
    let last = match head.headers.get(LAST_EVENT_ID) {
        None => None,
        Some(header) => {
            let number = header.to_str().ok().and_then(|text| text.trim().parse::<i64>().ok());
            let detail = "must be the `id` of an event of such a stream".to_owned();
            let refused = || Refusal::Header { name: "Last-Event-ID", detail };
            Some(number.filter(|number| *number >= 0).ok_or_else(refused)?)
        }
    };
    // Where it broke off comes before where it began.
    let after = match (last.or(asked.after), asked.since) {
        (Some(after), _) => after,
        (None, Some(since)) => door.engine.events_since(since).await?,
        (None, None) => door.engine.last_event().await?,
    };
    let mut reply = reply::empty(StatusCode::OK, Keep::Never);
    let headers = reply.headers_mut();
    headers.insert(CONTENT_TYPE, STREAM);
    // What stands between shall not gather events before it lets them through.
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    if head.method == Method::HEAD {
        return Ok(reply);
    }
    let Ok(permit) = Arc::clone(&door.streams).try_acquire_owned() else {
        return Err(Fault::Overloaded { retry_after: RETRY }.into());
    };
    let (sender, receiver) = mpsc::channel(WAITING);
    let tail = Tail {
        engine: Arc::clone(&door.engine),
        surface: Arc::clone(surface),
        stopping: Arc::clone(&door.stopping),
        wanted,
        sender,
        _permit: permit,
    };
    tokio::spawn(tail.run(Follow::after(after)));
    *reply.body_mut() = Body::stream(receiver);
    Ok(reply)
}

/// A stream under way.
struct Tail {
    engine: Arc<Engine>,
    surface: Arc<Surface>,
    stopping: Arc<AtomicBool>,
    wanted: Wanted,
    sender: mpsc::Sender<Bytes>,
    _permit: OwnedSemaphorePermit,
}

impl Tail {
    /// Sends events until the reader leaves, the server stops, the model changes or the stream has lasted long enough. Whoever
    /// reads it comes back by itself and says where it was.
    async fn run(self, mut follow: Follow) {
        let began = Instant::now();
        let mut spoken = began;
        if !self.say(format!("retry: 1000\nid: {}\n\n", follow.mark())).await {
            return;
        }
        while began.elapsed() < LIFE && !self.stopping.load(Ordering::Acquire) {
            if self.engine.loaded().generation != self.surface.loaded.generation {
                return;
            }
            let more = match self.engine.follow_events(&self.wanted, &mut follow).await {
                Ok((events, more)) => {
                    let mark = follow.mark();
                    for (at, event) in events.iter().enumerate() {
                        // Behind the last the mark is where all of these have come; before it, where they began.
                        let id =
                            if at + 1 == events.len() { mark } else { mark.min(event.number - 1) };
                        let envelope = CloudEvent::of(&self.surface.contract, None, &event.event);
                        let mut said = format!("id: {id}\n");
                        for line in envelope.structured().lines() {
                            said.push_str("data: ");
                            said.push_str(line);
                            said.push('\n');
                        }
                        said.push('\n');
                        spoken = Instant::now();
                        if !self.say(said).await {
                            return;
                        }
                    }
                    more
                }
                Err(fault) if fault.is_passing() => false,
                Err(fault) => {
                    tracing::error!(%fault, "a stream of events ended");
                    return;
                }
            };
            if spoken.elapsed() > HEARTBEAT {
                spoken = Instant::now();
                if !self.say(format!("id: {}\n:\n\n", follow.mark())).await {
                    return;
                }
            }
            if !more {
                tokio::select! {
                    () = tokio::time::sleep(LOOK) => {}
                    () = self.sender.closed() => return,
                }
            }
        }
    }

    /// Whether it was taken in time.
    async fn say(&self, text: String) -> bool {
        let sent = self.sender.send_timeout(Bytes::from(text), PATIENCE);
        sent.await.is_ok()
    }
}

fn refused(code: FaultCode, parameter: &str, detail: String) -> Fault {
    Fault::Invalid(vec![Violation::parameter(code, parameter, detail)])
}

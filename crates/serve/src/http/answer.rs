//! From a request to its answer.

use std::future::{Future as _, poll_fn};
use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Poll;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use contract::{CommandRoute, Resource};
use engine::Outcome;
use http::header::{
    ALLOW, AUTHORIZATION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, ETAG, IF_MATCH,
    IF_NONE_MATCH, LINK, LOCATION,
};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode};
use http_body_util::BodyExt as _;
use hyper::body::{Body as _, Incoming};
use operation::{Fault, FaultCode, Receipt, Tree, Violation};
use plan::{Caller, Intent, List, Source};

use super::problem::Refusal;
use super::query::{self, Parameters};
use super::receipt::{self, IDEMPOTENCY_KEY, Sender};
use super::reply::{self, Keep, Reply};
use super::surface::{Endpoint, Place, Surface, Verb};
use super::{Door, event, fixed, hook, negotiate, replay, tag, text, trace};

/// Answers one request; whatever goes wrong, there is an answer.
pub(crate) async fn answer(door: &Door, peer: IpAddr, request: Request<Incoming>) -> Reply {
    let began = Instant::now();
    let (head, mut body) = request.into_parts();
    let surface = door.surface().await;
    let _under_way = door.engine.enter();
    let mut counted = None;
    let outcome = match within_bounds(door, &head) {
        Ok(()) => match surface.find(head.uri.path()) {
            Some((endpoint, place)) => {
                let verb = Verb::of(&head.method);
                let allowed = verb.and_then(|verb| endpoint.operations[verb as usize].as_ref());
                counted = allowed.map(|allowed| Arc::clone(&allowed.counter));
                serve(door, &surface, endpoint, place, &head, &mut body).await
            }
            None => match surface.hook(head.uri.path()) {
                Some((webhook, counter)) => {
                    // Other methods lead nowhere.
                    counted = (head.method == Method::POST).then(|| Arc::clone(counter));
                    Box::pin(hook::answer(door, &surface, webhook, &head, &mut body)).await
                }
                None => Box::pin(fixed::answer(door, &surface, &head)).await,
            },
        },
        Err(refusal) => Err(refusal),
    };
    let mut reply = match outcome {
        Ok(reply) => reply,
        Err(refusal) => {
            Box::pin(discard(door, &head, &mut body)).await;
            refuse(door, peer, &head, &refusal)
        }
    };
    let headers = reply.headers_mut();
    reply::vary(headers, door.settings.origins.vary());
    door.settings.origins.answer(&head.headers, headers);
    match counted {
        Some(counter) => counter.count(reply.status().as_u16(), began.elapsed()),
        None => door.other.count(reply.status().as_u16(), began.elapsed()),
    }
    reply
}

/// A problem, and what the log says of it.
pub(crate) fn refuse(door: &Door, peer: IpAddr, head: &Parts, refusal: &Refusal) -> Reply {
    let trace_id = trace::trace_id(&head.headers);
    if let Some(reason) = refusal.secret() {
        let caller = super::peer::client(peer, &head.headers, &door.settings.proxies);
        tracing::error!(%trace_id, method = %head.method, path = head.uri.path(), %caller, reason, "failed");
    }
    reply::problem(refusal, &trace_id)
}

/// How long a refused caller may go on sending what nobody reads.
const PATIENCE: Duration = Duration::from_secs(1);

/// Reads what is left of a refused body, within a bound: a peer whose data is left unread is reset, and never sees why
/// it was refused.
async fn discard(door: &Door, head: &Parts, body: &mut Incoming) {
    // Who waits for a word before sending is not given one.
    if body.is_end_stream() || head.headers.contains_key(http::header::EXPECT) {
        return;
    }
    let most = door.settings.body_bytes.saturating_mul(4);
    let rest = async {
        let mut read = 0_usize;
        while let Some(Ok(frame)) = body.frame().await {
            read += frame.data_ref().map_or(0, Bytes::len);
            if read > most {
                return;
            }
        }
    };
    // Nothing follows from the time running out: the connection closes either way.
    let _ = tokio::time::timeout(PATIENCE, rest).await;
}

fn within_bounds(door: &Door, head: &Parts) -> Result<(), Refusal> {
    let settings = &door.settings;
    let uri = head.uri.path_and_query().map_or(0, |text| text.as_str().len());
    if uri > settings.uri_bytes {
        return Err(Refusal::UriTooLong { most: settings.uri_bytes });
    }
    let bytes: usize =
        head.headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
    if bytes > settings.header_bytes || head.headers.len() > settings.header_fields {
        return Err(Refusal::HeadersTooLarge);
    }
    Ok(())
}

async fn serve(
    door: &Door,
    surface: &Arc<Surface>,
    endpoint: &Endpoint,
    place: Place<'_>,
    head: &Parts,
    body: &mut Incoming,
) -> Result<Reply, Refusal> {
    if endpoint.operations.iter().all(Option::is_none) {
        return Err(Refusal::NoRoute);
    }
    if head.method == Method::OPTIONS {
        let mut reply = reply::empty(StatusCode::NO_CONTENT, Keep::Never);
        reply.headers_mut().insert(ALLOW, endpoint.allow.clone());
        door.settings.origins.preflight(&head.headers, &endpoint.allow, reply.headers_mut());
        return Ok(reply);
    }
    let operation = Verb::of(&head.method)
        .and_then(|verb| Some((verb, endpoint.operations[verb as usize].as_ref()?)));
    let Some((verb, allowed)) = operation else {
        return Err(Refusal::Method { allow: endpoint.allow.clone() });
    };
    let noted = Noted::of(&head.headers);
    let caller = door.engine.caller(noted.authorization()?, &surface.loaded)?;
    if !caller.authenticated && !allowed.anyone {
        return Err(Fault::Unauthenticated("a token is needed for this".to_owned()).into());
    }
    if let Place::Events = place {
        return Box::pin(event::answer(door, surface, head, &caller)).await;
    }
    if let Place::Replaying(what) = place {
        return Box::pin(replay::answer(door, surface, what, head, body, &caller)).await;
    }
    let headers = &head.headers;
    if !negotiate::accepts_json(headers) {
        return Err(Refusal::NotAcceptable);
    }
    let plain = noted.plain;
    let exchange = Exchange { door, surface, endpoint, head, plain, caller: &caller };
    let mut reply = match verb {
        Verb::Get => exchange.read(place).await?,
        // On the heap, so that a read, which needs neither, is small enough to be moved about for nothing.
        Verb::Delete => Box::pin(exchange.delete(place)).await?,
        Verb::Post | Verb::Put | Verb::Patch => match place {
            Place::Command(route, row) => Box::pin(exchange.command(route, row, body)).await?,
            place => Box::pin(exchange.write(verb, place, body)).await?,
        },
    };
    for (name, value) in [("deprecation", &endpoint.deprecation), ("sunset", &endpoint.sunset)] {
        if let Some(value) = value {
            reply.headers_mut().insert(name, value.clone());
        }
    }
    Ok(reply)
}

/// What is looked for in the headers of each request, found in one pass: most have few headers and of these one, and to look
/// for each by its name costs more.
struct Noted<'a> {
    authorization: Option<&'a HeaderValue>,
    /// Whether there is a second `Authorization`.
    repeated: bool,
    /// Whether there is none of the headers that bind a request to something.
    plain: bool,
}

impl<'a> Noted<'a> {
    fn of(headers: &'a HeaderMap) -> Self {
        let binding = [&IF_MATCH, &IF_NONE_MATCH, &CONTENT_ENCODING, &IDEMPOTENCY_KEY];
        let mut noted = Self { authorization: None, repeated: false, plain: true };
        for (name, value) in headers {
            if *name == AUTHORIZATION {
                noted.repeated |= noted.authorization.replace(value).is_some();
            } else if binding.contains(&name) {
                noted.plain = false;
            }
        }
        noted
    }

    fn authorization(&self) -> Result<Option<&'a str>, Refusal> {
        let refused = |detail: &str| Fault::Unauthenticated(detail.to_owned()).into();
        if self.repeated {
            return Err(refused("one Authorization header is enough"));
        }
        let Some(header) = self.authorization else { return Ok(None) };
        header.to_str().map(Some).map_err(|_| {
            refused(
                "the Authorization header must be `Bearer` and a token, in ASCII; it holds another character",
            )
        })
    }
}

/// One request under way.
struct Exchange<'a> {
    door: &'a Door,
    surface: &'a Surface,
    endpoint: &'a Endpoint,
    head: &'a Parts,
    /// Whether its headers bind it to nothing.
    plain: bool,
    caller: &'a Caller,
}

/// Decodes a key; one that cannot be text is no row's.
fn key(encoded: &str) -> Result<std::borrow::Cow<'_, str>, Refusal> {
    text::segment(encoded).ok_or(Refusal::Fault(Fault::NotFound))
}

impl Exchange<'_> {
    fn keep(&self) -> Keep {
        if self.caller.authenticated { Keep::Caller } else { Keep::Anyone }
    }

    /// Carries an intent out, unless something is wrong with its request.
    async fn run(&self, intent: &Intent<'_>, found: Vec<Violation>) -> Result<Outcome, Refusal> {
        self.run_once(intent, found, None).await
    }

    async fn run_once(
        &self,
        intent: &Intent<'_>,
        found: Vec<Violation>,
        receipt: Option<Box<Receipt>>,
    ) -> Result<Outcome, Refusal> {
        let loaded = &self.surface.loaded;
        let outcome = if found.is_empty() {
            self.door.engine.run(loaded, intent, self.caller, receipt).await
        } else {
            Err(loaded.refuse(intent, self.caller, found))
        };
        outcome.map_err(|fault| Refusal::of(fault, &self.surface.contract))
    }

    async fn read(&self, place: Place<'_>) -> Result<Reply, Refusal> {
        let query = self.head.uri.query();
        let mut found = Vec::new();
        let parameters = Parameters::parse(query, &mut found);
        let outcome = match place {
            Place::One(resource, id) => {
                let (entity, key) = (resource.entity, key(id)?);
                let shape = parameters.shape(&mut found);
                self.run(&Intent::Read { entity, key: &key, shape }, found).await?
            }
            Place::Part(resource, root, id) => {
                let (part, root, key) = (resource.entity, key(root)?, key(id)?);
                let shape = parameters.shape(&mut found);
                self.run(&Intent::ReadPart { part, root: &root, key: &key, shape }, found).await?
            }
            Place::Many(resource) => {
                let page = parameters.page(&mut found);
                self.run(&list(Source::Entity(resource.entity), page), found).await?
            }
            Place::Parts(resource, root) => {
                let root = key(root)?;
                let page = parameters.page(&mut found);
                self.run(&list(Source::Parts { part: resource.entity, root: &root }, page), found)
                    .await?
            }
            Place::Query(route) => {
                let declared = |name: &str| route.parameters.iter().any(|p| p.name == name);
                let mut page = parameters.arguments(declared);
                let arguments = std::mem::take(&mut page.arguments);
                self.run(&list(Source::Query { query: route.query, arguments }, page), found)
                    .await?
            }
            Place::Command(..) | Place::Events | Place::Replaying(_) => return Err(mixed_up()),
        };
        match outcome {
            Outcome::One { json, version, composite } => {
                let etag = self.tag(version, composite, &json);
                Ok(self.answer(json, etag))
            }
            Outcome::Page { json, next } => self.page(&json, next.as_deref()),
            _ => Err(mixed_up()),
        }
    }

    fn answer(&self, json: Bytes, etag: HeaderValue) -> Reply {
        let from = self.door.settings.compress_from;
        reply::read(&self.head.headers, self.plain, json, etag, self.keep(), from)
    }

    fn tag(&self, version: i64, composite: bool, json: &Bytes) -> HeaderValue {
        match (version, composite) {
            // A part has no version of its own.
            (0, _) => tag::weak(&tag::mark(json)),
            (version, true) => tag::strong(version, &tag::mark(json)),
            (version, false) => tag::strong(version, &self.endpoint.mark),
        }
    }

    fn page(&self, rows: &Bytes, next: Option<&str>) -> Result<Reply, Refusal> {
        let mut body = BytesMut::with_capacity(rows.len() + next.map_or(0, str::len) + 24);
        body.extend_from_slice(b"{\"data\":");
        body.extend_from_slice(rows);
        body.extend_from_slice(b",\"next\":");
        match next {
            // A cursor is base64url: nothing in it needs escaping.
            Some(cursor) => {
                body.extend_from_slice(b"\"");
                body.extend_from_slice(cursor.as_bytes());
                body.extend_from_slice(b"\"}");
            }
            None => body.extend_from_slice(b"null}"),
        }
        let etag = tag::weak(&tag::mark(&body));
        let mut reply = self.answer(body.freeze(), etag);
        if let Some(cursor) = next {
            let mut link = String::with_capacity(cursor.len() + 64);
            link.push('<');
            link.push_str(self.head.uri.path());
            query::next(self.head.uri.query(), cursor, &mut link);
            link.push_str(">; rel=\"next\"");
            if let Ok(link) = HeaderValue::try_from(link) {
                reply.headers_mut().insert(LINK, link);
            }
        }
        Ok(reply)
    }

    /// `If-Match`: the versions of which the stored one must be one.
    fn expected(&self) -> Result<Option<Vec<i64>>, Refusal> {
        if self.plain {
            return Ok(None);
        }
        if let Some(header) = self.head.headers.get(IF_NONE_MATCH) {
            return Err(if header == "*" {
                Refusal::Precondition(
                    "`If-None-Match: *` asks that there be nothing here yet".to_owned(),
                )
            } else {
                let detail = "is for reads; let a change depend on `If-Match`".to_owned();
                Refusal::Header { name: "If-None-Match", detail }
            });
        }
        let mut expected: Option<Vec<i64>> = None;
        for header in self.head.headers.get_all(IF_MATCH) {
            match tag::versions(header)? {
                Some(versions) => expected.get_or_insert_default().extend(versions),
                None => return Ok(None),
            }
        }
        Ok(expected)
    }

    /// By which this request is known if it is sent again, where it says so (draft-ietf-httpapi-idempotency-key-header).
    /// The key is the caller's own: another's of the same name is another key.
    fn receipt(&self, verb: Verb, body: &[u8]) -> Result<Option<Box<Receipt>>, Refusal> {
        if self.plain {
            return Ok(None);
        }
        if verb != Verb::Post && self.head.headers.contains_key(&IDEMPOTENCY_KEY) {
            return Err(receipt::refused("is for POST; let a change depend on `If-Match`"));
        }
        receipt::of(self.head, &Sender::Caller(self.caller), body)
    }

    async fn delete(&self, place: Place<'_>) -> Result<Reply, Refusal> {
        let mut found = Vec::new();
        Parameters::parse(self.head.uri.query(), &mut found).none(&mut found);
        let expected = self.expected()?;
        let outcome = match place {
            Place::One(resource, id) => {
                let (entity, key) = (resource.entity, key(id)?);
                self.run(&Intent::Delete { entity, key: &key, expected }, found).await?
            }
            Place::Part(resource, root, id) => {
                let (part, root, key) = (resource.entity, key(root)?, key(id)?);
                self.run(&Intent::DeletePart { part, root: &root, key: &key, expected }, found)
                    .await?
            }
            Place::Many(_)
            | Place::Parts(..)
            | Place::Query(_)
            | Place::Command(..)
            | Place::Events
            | Place::Replaying(_) => {
                return Err(mixed_up());
            }
        };
        match outcome {
            Outcome::Deleted | Outcome::PartDeleted { .. } => {
                Ok(reply::empty(StatusCode::NO_CONTENT, Keep::Never))
            }
            _ => Err(mixed_up()),
        }
    }

    async fn write(
        &self,
        verb: Verb,
        place: Place<'_>,
        body: &mut Incoming,
    ) -> Result<Reply, Refusal> {
        let headers = &self.head.headers;
        let (media_types, wanted): (&[&str], _) = match verb {
            Verb::Patch => (
                &[reply::MERGE_PATCH, "application/json"],
                "application/merge-patch+json (or application/json)",
            ),
            _ => (&["application/json"], "application/json"),
        };
        if !negotiate::is_of(headers, media_types) {
            return Err(Refusal::MediaType { wanted });
        }
        self.uncoded()?;
        let mut found = Vec::new();
        let parameters = Parameters::parse(self.head.uri.query(), &mut found);
        let shape = parameters.shape(&mut found);
        let expected = self.expected()?;
        // Apart, so that what is held while the write is waited for stays below what an allocator hands out at once.
        let bytes = Box::pin(collect(self.door, self.head, body)).await?;
        let receipt = self.receipt(verb, &bytes)?;
        let body = parse(&bytes, &mut found)?;
        let outcome = match (verb, &place) {
            (Verb::Post, Place::Many(resource)) => {
                if expected.is_some() {
                    let detail = "nothing new matches a version; leave `If-Match` out".to_owned();
                    return Err(Refusal::Precondition(detail));
                }
                let create = Intent::Create { entity: resource.entity, body, shape };
                self.run_once(&create, found, receipt).await?
            }
            (Verb::Post, Place::Parts(resource, root)) => {
                let (part, root) = (resource.entity, &key(root)?);
                let create = Intent::CreatePart { part, root, body, expected, shape };
                self.run_once(&create, found, receipt).await?
            }
            (Verb::Patch, Place::One(resource, id)) => {
                let (entity, key) = (resource.entity, &key(id)?);
                self.run(&Intent::Patch { entity, key, body, expected, shape }, found).await?
            }
            (Verb::Patch, Place::Part(resource, root, id)) => {
                let (part, root, key) = (resource.entity, &key(root)?, &key(id)?);
                self.run(&Intent::PatchPart { part, root, key, body, expected, shape }, found)
                    .await?
            }
            (_, Place::One(resource, id)) => {
                let (entity, key) = (resource.entity, &key(id)?);
                self.run(&Intent::Replace { entity, key, body, expected, shape }, found).await?
            }
            (_, Place::Part(resource, root, id)) => {
                let (part, root, key) = (resource.entity, &key(root)?, &key(id)?);
                self.run(&Intent::ReplacePart { part, root, key, body, expected, shape }, found)
                    .await?
            }
            _ => return Err(mixed_up()),
        };
        self.written(&place, outcome)
    }

    async fn command(
        &self,
        route: &CommandRoute,
        row: Option<&str>,
        body: &mut Incoming,
    ) -> Result<Reply, Refusal> {
        let is_json = || {
            let wanted = "application/json";
            let fits = negotiate::is_of(&self.head.headers, &[wanted]);
            if fits { Ok(()) } else { Err(Refusal::MediaType { wanted }) }
        };
        // Who sends nothing has no type to name.
        if self.head.headers.contains_key(CONTENT_TYPE) && !body.is_end_stream() {
            is_json()?;
        }
        self.uncoded()?;
        let mut found = Vec::new();
        Parameters::parse(self.head.uri.query(), &mut found).none(&mut found);
        if self.expected()?.is_some() {
            let detail = "a command is bound to no version; leave `If-Match` out".to_owned();
            return Err(Refusal::Precondition(detail));
        }
        let bytes = Box::pin(collect(self.door, self.head, body)).await?;
        let receipt = self.receipt(Verb::Post, &bytes)?;
        let body = if bytes.is_empty() {
            None
        } else {
            is_json()?;
            Some(parse(&bytes, &mut found)?)
        };
        let row = row.map(key).transpose()?;
        let command = Intent::Command { command: route.command, key: row.as_deref(), body };
        let Outcome::Done { json, replayed } = self.run_once(&command, found, receipt).await?
        else {
            return Err(mixed_up());
        };
        Ok(done(json, replayed))
    }

    /// A body is taken as it is.
    fn uncoded(&self) -> Result<(), Refusal> {
        if self.plain {
            return Ok(());
        }
        match self.head.headers.get(CONTENT_ENCODING) {
            Some(coding) if coding != "identity" => {
                let detail = "send the body as it is".to_owned();
                Err(Refusal::Header { name: "Content-Encoding", detail })
            }
            _ => Ok(()),
        }
    }

    fn written(&self, place: &Place<'_>, outcome: Outcome) -> Result<Reply, Refusal> {
        match outcome {
            Outcome::Created { key, part_key, version, json, composite, replayed } => {
                let (path, key) = (self.head.uri.path(), part_key.as_deref().unwrap_or(&key));
                // What is no UUID and no number may grow when it is encoded.
                let mut location = String::with_capacity(path.len() + 1 + key.len());
                location.push_str(path);
                location.push('/');
                text::encode(key, &mut location);
                let json = match (json, place) {
                    (Some(json), _) => json,
                    (None, Place::Many(resource) | Place::Parts(resource, _)) => {
                        key_alone(resource, key)
                    }
                    (None, _) => return Err(mixed_up()),
                };
                let etag = self.tag(version, composite, &json);
                let mut reply = reply::body(StatusCode::CREATED, reply::JSON, json, Keep::Never);
                reply.headers_mut().insert(ETAG, etag);
                if let Ok(location) = HeaderValue::try_from(location) {
                    reply.headers_mut().insert(LOCATION, location);
                }
                receipt::mark(&mut reply, replayed);
                Ok(reply)
            }
            Outcome::Changed { version, json: Some(json), composite } => {
                let etag = self.tag(version, composite, &json);
                let mut reply = reply::body(StatusCode::OK, reply::JSON, json, Keep::Never);
                reply.headers_mut().insert(ETAG, etag);
                Ok(reply)
            }
            Outcome::Changed { version, json: None, .. } => {
                let mut reply = reply::empty(StatusCode::NO_CONTENT, Keep::Never);
                // Without a version and without a body there is nothing to make a tag of.
                if version != 0 {
                    reply.headers_mut().insert(ETAG, tag::strong(version, &self.endpoint.mark));
                }
                Ok(reply)
            }
            _ => Err(mixed_up()),
        }
    }
}

/// The body, within its bound and its time.
pub(crate) async fn collect(
    door: &Door,
    head: &Parts,
    body: &mut Incoming,
) -> Result<Bytes, Refusal> {
    let settings = &door.settings;
    let most = settings.body_bytes;
    let too_large = || Refusal::TooLarge { most };
    let announced = head.headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok());
    if announced.and_then(|length| length.parse::<u64>().ok()).is_some_and(|n| n > most as u64) {
        return Err(too_large());
    }
    let whole = async {
        let mut first = Bytes::new();
        let mut rest: Option<BytesMut> = None;
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|_| Refusal::BodyBroken)?;
            let Ok(data) = frame.into_data() else { continue };
            let length = rest.as_ref().map_or(first.len(), BytesMut::len);
            if length + data.len() > most {
                return Err(too_large());
            }
            match &mut rest {
                Some(rest) => rest.extend_from_slice(&data),
                // Nearly every body comes in one piece, and is not copied.
                None if first.is_empty() => first = data,
                None => {
                    let mut all = BytesMut::with_capacity((length + data.len()) * 2);
                    all.extend_from_slice(&first);
                    all.extend_from_slice(&data);
                    rest = Some(all);
                }
            }
        }
        Ok(rest.map_or(first, BytesMut::freeze))
    };
    let mut whole = pin!(whole);
    // Nearly every body came with its head: it needs no timer.
    if let Poll::Ready(body) = poll_fn(|context| Poll::Ready(whole.as_mut().poll(context))).await {
        return body;
    }
    match tokio::time::timeout(settings.body_time, whole).await {
        Ok(body) => body,
        Err(_) => Err(Refusal::BodyTimeout),
    }
}

fn list<'a>(source: Source<'a>, page: query::Page<'a>) -> Intent<'a> {
    Intent::List(List {
        source,
        filters: page.filters,
        sort: page.sort,
        limit: page.limit,
        after: page.after,
        shape: page.shape,
    })
}

/// Reads a body; what was found before is said with what is wrong here.
fn parse<'b>(bytes: &'b [u8], found: &mut Vec<Violation>) -> Result<Tree<'b>, Refusal> {
    operation::parse_json(bytes).map_err(|detail| {
        let code = if detail.contains("appears twice") {
            FaultCode::DuplicateMember
        } else {
            FaultCode::MalformedBody
        };
        found.push(Violation::at(code, "", detail));
        Refusal::Fault(Fault::Invalid(std::mem::take(found)))
    })
}

/// What a command has answered. It is no row, so it has no version and no tag.
fn done(json: Option<Bytes>, replayed: bool) -> Reply {
    let mut reply = match json {
        Some(json) => reply::body(StatusCode::OK, reply::JSON, json, Keep::Never),
        None => reply::empty(StatusCode::NO_CONTENT, Keep::Never),
    };
    receipt::mark(&mut reply, replayed);
    reply
}

/// What a caller is told of a row that it may create and not read.
fn key_alone(resource: &Resource, key: &str) -> Bytes {
    let member = resource.key_member();
    let value = if member.shape.is_text() {
        serde_json::Value::String(key.to_owned())
    } else {
        serde_json::from_str(key).unwrap_or(serde_json::Value::Null)
    };
    let object = serde_json::Map::from_iter([(member.name.clone(), value)]);
    Bytes::from(serde_json::Value::Object(object).to_string())
}

fn mixed_up() -> Refusal {
    Refusal::Fault(Fault::Internal("the outcome is not of the kind that was asked for".to_owned()))
}

/// Counts a panic and answers for the handler that is gone.
pub(crate) fn panicked(door: &Door) -> Reply {
    door.metrics.panics.fetch_add(1, Ordering::Relaxed);
    let trace_id = uuid::Uuid::new_v4().simple().to_string();
    tracing::error!(%trace_id, "a handler panicked");
    reply::problem(&Refusal::Panicked, &trace_id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::receipt::REPLAYED;

    #[test]
    fn a_command_answers_once_and_says_when_it_answers_again() {
        let first = done(Some(Bytes::from_static(b"null")), false);
        assert_eq!(first.status(), StatusCode::OK);
        assert_eq!(first.headers()[CONTENT_TYPE], "application/json");
        assert_eq!(first.headers()["cache-control"], "no-store");
        assert!(!first.headers().contains_key(REPLAYED) && !first.headers().contains_key(ETAG));
        let again = done(None, true);
        assert_eq!(again.status(), StatusCode::NO_CONTENT);
        assert_eq!(again.headers()[REPLAYED], "true");
        assert!(!again.headers().contains_key(CONTENT_TYPE));
    }
}

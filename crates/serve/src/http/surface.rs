//! What is served now: a loaded model, its contract, and the table that paths are looked up in.

use std::sync::{Arc, OnceLock};
use std::time::{Duration, UNIX_EPOCH};

use bytes::Bytes;
use contract::{CommandRoute, Contract, Farewell, Grant, QueryRoute, Resource, Webhook};
use engine::Loaded;
use http::HeaderValue;
use rustc_hash::FxHashMap;

use super::metrics::{Counter, Metrics};
use super::replay::Replaying;
use super::tag;

/// A loaded model as the door serves it. It never changes: a reload makes another one.
pub(crate) struct Surface {
    pub(crate) loaded: Arc<Loaded>,
    pub(crate) contract: Contract,
    /// `/v1/`
    prefix: String,
    segments: FxHashMap<Box<str>, Segment>,
    roots: Vec<Option<Root>>,
    queries: Vec<Endpoint>,
    commands: Vec<Endpoint>,
    events: Endpoint,
    /// What is done about events.
    replay: Replay,
    /// What counts the events that webhooks take in, by the webhook's position.
    hooks: Vec<Arc<Counter>>,
    openapi: OnceLock<(Bytes, HeaderValue)>,
    asyncapi: OnceLock<(Bytes, HeaderValue)>,
}

#[derive(Clone, Copy)]
enum Segment {
    Root(usize),
    Query(usize),
    Command(usize),
    Events,
}

/// The endpoints of a root.
struct Root {
    many: Endpoint,
    one: Endpoint,
    /// Its parts: segment, entity, endpoints.
    parts: Vec<(Box<str>, usize, Endpoint, Endpoint)>,
    /// What is done to one of its rows: segment, position among the commands.
    commands: Vec<(Box<str>, usize)>,
}

/// One path template.
pub(crate) struct Endpoint {
    /// What may be done, by [`Verb`].
    pub(crate) operations: [Option<Allowed>; Verb::COUNT],
    /// The value of `Allow`.
    pub(crate) allow: HeaderValue,
    /// Settles, beside a row's version, what is answered: a hash of the interface.
    pub(crate) mark: Box<str>,
    /// `Deprecation` (RFC 9745).
    pub(crate) deprecation: Option<HeaderValue>,
    /// `Sunset` (RFC 8594).
    pub(crate) sunset: Option<HeaderValue>,
}

/// An operation that somebody may call.
pub(crate) struct Allowed {
    /// Whether a token is not needed.
    pub(crate) anyone: bool,
    pub(crate) counter: Arc<Counter>,
}

/// What is done, by method. `HEAD` is `GET`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verb {
    Get,
    Post,
    Put,
    Patch,
    Delete,
}

impl Verb {
    const COUNT: usize = 5;
    const ALL: [(Self, &'static str); Self::COUNT] = [
        (Self::Get, "GET"),
        (Self::Post, "POST"),
        (Self::Put, "PUT"),
        (Self::Patch, "PATCH"),
        (Self::Delete, "DELETE"),
    ];

    pub(crate) fn of(method: &http::Method) -> Option<Self> {
        match *method {
            http::Method::GET | http::Method::HEAD => Some(Self::Get),
            http::Method::POST => Some(Self::Post),
            http::Method::PUT => Some(Self::Put),
            http::Method::PATCH => Some(Self::Patch),
            http::Method::DELETE => Some(Self::Delete),
            _ => None,
        }
    }
}

/// Under which path events are taken in, by the name of their webhook.
const HOOKS: &str = "/hooks/";

/// Where a path leads. Keys are as they stand in the path, encoded.
pub(crate) enum Place<'a> {
    Many(&'a Resource),
    One(&'a Resource, &'a str),
    Parts(&'a Resource, &'a str),
    Part(&'a Resource, &'a str, &'a str),
    Query(&'a QueryRoute),
    /// With the key of the row that it is done to, if it is done to one.
    Command(&'a CommandRoute, Option<&'a str>),
    /// What was published.
    Events,
    /// What is done about it.
    Replaying(Replaying<'a>),
}

/// The endpoints of what is done about events.
struct Replay {
    events: Endpoint,
    dead: Endpoint,
    one: Endpoint,
    retry: Endpoint,
}

impl Replay {
    fn find<'a>(
        &'a self,
        first: &str,
        second: Option<&'a str>,
        third: Option<&str>,
    ) -> Option<(&'a Endpoint, Place<'a>)> {
        let (endpoint, what) = match (first, second, third) {
            ("replay", None, None) => (&self.events, Replaying::Events),
            ("dead", None, None) => (&self.dead, Replaying::Dead),
            ("dead", Some(number), None) => (&self.one, Replaying::Drop(number)),
            ("dead", Some(number), Some("retry")) => (&self.retry, Replaying::Retry(number)),
            _ => return None,
        };
        Some((endpoint, Place::Replaying(what)))
    }
}

impl Surface {
    pub(crate) fn new(loaded: Arc<Loaded>, metrics: &Metrics) -> Self {
        let contract = contract::derive(&loaded.model);
        let mut segments = FxHashMap::default();
        let mut roots: Vec<Option<Root>> = Vec::with_capacity(contract.resources.len());
        for (at, resource) in contract.resources.iter().enumerate() {
            if resource.part.is_some() {
                roots.push(None);
                continue;
            }
            let parts = resource.parts.iter().map(|id| contract.resource(*id));
            let parts: Vec<_> = parts
                .filter(|part| !part.is_hidden())
                .map(|part| {
                    let segment = part.segment.as_str().into();
                    (segment, part.entity.index(), many(part, metrics), one(part, metrics))
                })
                .collect();
            let commands =
                routed(&contract).filter(|(_, route)| route.row == Some(resource.entity));
            let commands: Vec<_> =
                commands.map(|(at, route)| (route.segment.as_str().into(), at)).collect();
            if resource.is_hidden() && parts.is_empty() && commands.is_empty() {
                roots.push(None);
                continue;
            }
            segments.insert(resource.segment.as_str().into(), Segment::Root(at));
            roots.push(Some(Root {
                many: many(resource, metrics),
                one: one(resource, metrics),
                parts,
                commands,
            }));
        }
        let mut queries = Vec::with_capacity(contract.queries.len());
        for (at, route) in contract.queries.iter().enumerate() {
            if !route.grant.is_empty() {
                segments.insert(route.segment.as_str().into(), Segment::Query(at));
            }
            let operations = [(Verb::Get, &route.grant)];
            let farewell = route.farewell.as_ref();
            let mark = tag::mark(format!("{:?}", contract.resource(route.entity)).as_bytes());
            queries.push(endpoint(&route.path, &operations, farewell, &mark, metrics));
        }
        for (at, route) in routed(&contract).filter(|(_, route)| route.row.is_none()) {
            segments.insert(route.segment.as_str().into(), Segment::Command(at));
        }
        let commands = contract.commands.iter().map(|route| {
            // What a command answers has no version, and so no tag for which a mark would be needed.
            let operations = [(Verb::Post, &route.grant)];
            endpoint(&route.path, &operations, route.farewell.as_ref(), "", metrics)
        });
        let commands = commands.collect();
        let grant = contract.events_grant();
        let replay = contract.replay_grant();
        if !grant.is_empty() || !replay.is_empty() {
            segments.insert(contract.events_segment().into(), Segment::Events);
        }
        let events = endpoint(&contract.events_path(), &[(Verb::Get, &grant)], None, "", metrics);
        let replaying = |path: &str, verb| endpoint(path, &[(verb, &replay)], None, "", metrics);
        let replay = Replay {
            events: replaying(&contract.replay_path(), Verb::Post),
            dead: replaying(&contract.dead_path(), Verb::Get),
            one: replaying(&contract.dead_item_path(), Verb::Delete),
            retry: replaying(&contract.retry_path(), Verb::Post),
        };
        let hooks = contract.webhooks.iter();
        let hooks = hooks.map(|it| metrics.counter("POST", &format!("{HOOKS}{}", it.name)));
        let hooks = hooks.collect();
        Self {
            prefix: format!("{}/", contract.prefix),
            loaded,
            contract,
            segments,
            roots,
            queries,
            commands,
            events,
            replay,
            hooks,
            openapi: OnceLock::new(),
            asyncapi: OnceLock::new(),
        }
    }

    /// Looks a path up. Paths have one spelling: an empty segment, a slash at the end or an encoded name leads nowhere.
    pub(crate) fn find<'a>(&'a self, path: &'a str) -> Option<(&'a Endpoint, Place<'a>)> {
        let mut parts = path.strip_prefix(self.prefix.as_str())?.split('/');
        let segment = self.segments.get(parts.next()?)?;
        let (key, part, part_key, rest) = (parts.next(), parts.next(), parts.next(), parts.next());
        if rest.is_some() || [key, part, part_key].contains(&Some("")) {
            return None;
        }
        let (root, resource) = match (*segment, key) {
            (Segment::Root(at), _) => {
                (self.roots.get(at)?.as_ref()?, self.contract.resources.get(at)?)
            }
            (Segment::Query(at), None) => {
                return Some((self.queries.get(at)?, Place::Query(self.contract.queries.get(at)?)));
            }
            (Segment::Command(at), None) => return self.command(at, None),
            (Segment::Events, None) => return Some((&self.events, Place::Events)),
            (Segment::Events, Some(key)) => return self.replay.find(key, part, part_key),
            (Segment::Query(_) | Segment::Command(_), Some(_)) => return None,
        };
        let Some(key) = key else { return Some((&root.many, Place::Many(resource))) };
        let Some(part) = part else { return Some((&root.one, Place::One(resource, key))) };
        let found = root.parts.iter().find(|(segment, ..)| **segment == *part);
        let Some((_, at, many, one)) = found else {
            let (_, at) = root.commands.iter().find(|(segment, _)| **segment == *part)?;
            return if part_key.is_none() { self.command(*at, Some(key)) } else { None };
        };
        let resource = self.contract.resources.get(*at)?;
        Some(match part_key {
            None => (many, Place::Parts(resource, key)),
            Some(part_key) => (one, Place::Part(resource, key, part_key)),
        })
    }

    fn command<'a>(&'a self, at: usize, key: Option<&'a str>) -> Option<(&'a Endpoint, Place<'a>)> {
        Some((self.commands.get(at)?, Place::Command(self.contract.commands.get(at)?, key)))
    }

    /// The OpenAPI document and its tag; written when it is first asked for.
    pub(crate) fn openapi(&self) -> (Bytes, HeaderValue) {
        self.openapi.get_or_init(|| written(&contract::openapi(&self.contract))).clone()
    }

    /// The AsyncAPI document and its tag; written when it is first asked for.
    pub(crate) fn asyncapi(&self) -> (Bytes, HeaderValue) {
        self.asyncapi.get_or_init(|| written(&contract::asyncapi(&self.contract))).clone()
    }

    /// The webhook that takes events in under a path, and what counts them.
    pub(crate) fn hook(&self, path: &str) -> Option<(&Webhook, &Arc<Counter>)> {
        let name = path.strip_prefix(HOOKS)?;
        let mut webhooks = self.contract.webhooks.iter().zip(&self.hooks);
        webhooks.find(|(webhook, _)| webhook.name == name && !webhook.receives.is_empty())
    }

    /// The schema of an event and its tag, by the event's name among the schemas.
    pub(crate) fn event_schema(&self, name: &str) -> Option<(Bytes, HeaderValue)> {
        let event = self.contract.events.iter().find(|event| event.name == name)?;
        Some(written(&contract::event_schema(&self.contract, event)))
    }
}

fn written(document: &serde_json::Value) -> (Bytes, HeaderValue) {
    let bytes = serde_json::to_vec(document).map_or_else(|_| Bytes::new(), Bytes::from);
    let tag = tag::weak(&tag::mark(&bytes));
    (bytes, tag)
}

/// The commands that somebody outside may call, and their positions.
fn routed(contract: &Contract) -> impl Iterator<Item = (usize, &CommandRoute)> {
    contract.commands.iter().enumerate().filter(|(_, route)| !route.grant.is_empty())
}

fn many(resource: &Resource, metrics: &Metrics) -> Endpoint {
    let operations = [(Verb::Get, &resource.read), (Verb::Post, &resource.create)];
    of_resource(resource, &resource.path, &operations, metrics)
}

fn one(resource: &Resource, metrics: &Metrics) -> Endpoint {
    let operations = [
        (Verb::Get, &resource.read),
        (Verb::Put, &resource.replace),
        (Verb::Patch, &resource.update),
        (Verb::Delete, &resource.delete),
    ];
    of_resource(resource, &resource.item_path, &operations, metrics)
}

fn of_resource(
    resource: &Resource,
    path: &str,
    operations: &[(Verb, &Grant)],
    metrics: &Metrics,
) -> Endpoint {
    // Everything that is said of the resource shapes its JSON or stands beside what does.
    let mark = tag::mark(format!("{resource:?}").as_bytes());
    endpoint(path, operations, resource.farewell.as_ref(), &mark, metrics)
}

fn endpoint(
    path: &str,
    operations: &[(Verb, &Grant)],
    farewell: Option<&Farewell>,
    mark: &str,
    metrics: &Metrics,
) -> Endpoint {
    let mut allow = Vec::new();
    let allowed = Verb::ALL.map(|(verb, method)| {
        let grant = operations.iter().find(|(v, grant)| *v == verb && !grant.is_empty())?.1;
        allow.push(method);
        if verb == Verb::Get {
            allow.push("HEAD");
        }
        Some(Allowed { anyone: grant.anyone, counter: metrics.counter(method, path) })
    });
    allow.push("OPTIONS");
    let day = |day: i64| {
        let seconds = u64::try_from(day).ok()?.checked_mul(86_400)?;
        UNIX_EPOCH.checked_add(Duration::from_secs(seconds)).map(|moment| (seconds, moment))
    };
    let header = |text: String| HeaderValue::try_from(text).ok();
    Endpoint {
        operations: allowed,
        allow: header(allow.join(", ")).unwrap_or_else(|| HeaderValue::from_static("OPTIONS")),
        // Eight digits tell interfaces apart well enough, and keep tags short.
        mark: mark.get(..8).unwrap_or(mark).into(),
        deprecation: farewell.and_then(|f| {
            let (seconds, _) = day(f.since.unwrap_or(0))?;
            header(format!("@{seconds}"))
        }),
        sunset: farewell.and_then(|f| header(httpdate::fmt_http_date(day(f.sunset?)?.1))),
    }
}

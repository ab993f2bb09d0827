//! The public surface as data: what the router routes and the documents describe.

use model::{CommandId, EntityId, EnumId, ErrorId, EventId, QueryId, RecordId};
use operation::Scalar;

use crate::Shape;

/// Everything a client can see of a model.
#[derive(Debug, Clone)]
pub struct Contract {
    /// The app's name.
    pub name: String,
    /// Its documentation.
    pub docs: Option<String>,
    /// The version of its interface.
    pub version: u32,
    /// Before every path: `/v1`.
    pub prefix: String,
    /// Contexts, by which operations are grouped: name and documentation.
    pub tags: Vec<Tag>,
    /// Roots and parts: position `n` is entity `n` of the model.
    pub resources: Vec<Resource>,
    /// Named access patterns, in the model's order.
    pub queries: Vec<QueryRoute>,
    /// Commands, in the model's order; those that nobody outside may call have an empty grant.
    pub commands: Vec<CommandRoute>,
    /// Errors that commands raise, by [`ErrorId`].
    pub errors: Vec<ErrorType>,
    /// Events, by [`EventId`].
    pub events: Vec<EventType>,
    /// What is sent to partners, in the model's order.
    pub webhooks: Vec<Webhook>,
    /// Enums, by [`EnumId`].
    pub enums: Vec<Labels>,
    /// Value objects, by [`RecordId`].
    pub records: Vec<Record>,
}

/// A group of operations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tag {
    /// Its name.
    pub name: String,
    /// Its documentation.
    pub docs: Option<String>,
}

/// A root, or a part under its root.
#[derive(Debug, Clone)]
pub struct Resource {
    /// Of what.
    pub entity: EntityId,
    /// Its name among the schemas, unique: the entity's, with its service's before it where two share one.
    pub name: String,
    /// Its documentation.
    pub docs: Option<String>,
    /// The path's segment: `media-types`; for a part the member that holds it: `lines`.
    pub segment: String,
    /// The path of many: `/v1/orders`, `/v1/orders/{order}/lines`.
    pub path: String,
    /// The path of one: `/v1/orders/{id}`, `/v1/orders/{order}/lines/{position}`.
    pub item_path: String,
    /// The parameter of the paths that holds the own key.
    pub key_parameter: String,
    /// Position of the key among the members.
    pub key: usize,
    /// Which group it belongs to: position in [`Contract::tags`].
    pub tag: usize,
    /// How it hangs on its root, for a part.
    pub part: Option<PartOf>,
    /// Its fields, in source order. Parts are in [`Resource::parts`].
    pub members: Vec<Member>,
    /// Its parts.
    pub parts: Vec<EntityId>,
    /// Who may read.
    pub read: Grant,
    /// Who may create. For a part: who may add one.
    pub create: Grant,
    /// Who may change something.
    pub update: Grant,
    /// Who may change everything, so that replacing makes sense.
    pub replace: Grant,
    /// Who may delete.
    pub delete: Grant,
    /// Fields that lists may be filtered by.
    pub filters: Vec<Filter>,
    /// Fields that lists may be sorted by.
    pub sorts: Vec<String>,
    /// Paths that may be included: `lines.product`, at most three steps, the shorter first.
    pub includes: Vec<String>,
    /// `deprecated`
    pub farewell: Option<Farewell>,
}

/// How a part hangs on its root.
#[derive(Debug, Clone)]
pub struct PartOf {
    /// The root.
    pub root: EntityId,
    /// The member of the root that holds the parts: `lines`.
    pub member: String,
    /// The parameter of the paths that holds the root's key.
    pub root_parameter: String,
    /// The fewest that a root has.
    pub minimum: u32,
    /// The most.
    pub maximum: u32,
    /// Whether its key is its position.
    pub positional: bool,
}

/// Who may do something; what conditions say of rows comes on top.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Grant {
    /// Everybody, without a token too.
    pub anyone: bool,
    /// Roles, in the model's order.
    pub roles: Vec<String>,
}

impl Grant {
    /// Whether nobody may.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        !self.anyone && self.roles.is_empty()
    }
}

/// A field.
#[derive(Debug, Clone)]
pub struct Member {
    /// Its name.
    pub name: String,
    /// Its documentation.
    pub docs: Option<String>,
    /// Its form.
    pub shape: Shape,
    /// Whether it may be null.
    pub nullable: bool,
    /// Whether somebody may read it.
    pub readable: bool,
    /// Whether it may be set when the row is created.
    pub creatable: bool,
    /// Whether it must be.
    pub required: bool,
    /// Whether somebody may change it later.
    pub updatable: bool,
    /// What it is when it is left out, as JSON, if that is a constant.
    pub default: Option<serde_json::Value>,
    /// Whether it is personal data.
    pub personal: bool,
    /// `deprecated`
    pub farewell: Option<Farewell>,
}

/// A field that lists may be filtered by.
#[derive(Debug, Clone)]
pub struct Filter {
    /// Its name.
    pub field: String,
    /// Its form.
    pub shape: Shape,
    /// Whether it may be absent, and so be asked for with `[null]`.
    pub nullable: bool,
    /// The words that may stand in brackets; the first, `eq`, may be left out.
    pub operators: Vec<&'static str>,
}

/// A named access pattern.
#[derive(Debug, Clone)]
pub struct QueryRoute {
    /// Which.
    pub query: QueryId,
    /// Its name.
    pub name: String,
    /// Its documentation.
    pub docs: Option<String>,
    /// The path's segment: `recent-orders`.
    pub segment: String,
    /// Its path.
    pub path: String,
    /// Its group.
    pub tag: usize,
    /// What it answers.
    pub entity: EntityId,
    /// Its parameters.
    pub parameters: Vec<Parameter>,
    /// Rows of a page, unless the caller says otherwise.
    pub page: u32,
    /// The most rows of a page.
    pub page_maximum: u32,
    /// Who may ask.
    pub grant: Grant,
    /// `deprecated`
    pub farewell: Option<Farewell>,
}

/// A transaction that clients may ask for.
#[derive(Debug, Clone)]
pub struct CommandRoute {
    /// Which.
    pub command: CommandId,
    /// Its name.
    pub name: String,
    /// Its documentation.
    pub docs: Option<String>,
    /// The path's last segment: `mark-paid`.
    pub segment: String,
    /// Its path: `/v1/place-order`, `/v1/orders/{id}/mark-paid`.
    pub path: String,
    /// The root whose row is its first parameter, where the path names that row.
    pub row: Option<EntityId>,
    /// Its group.
    pub tag: usize,
    /// Its other parameters: the members of its body.
    pub parameters: Vec<Parameter>,
    /// The name of its body among the schemas, unique.
    pub body: String,
    /// What it answers, if anything.
    pub answer: Option<Answer>,
    /// Errors that it may raise, each once, in the model's order.
    pub raises: Vec<ErrorId>,
    /// Who may call it.
    pub grant: Grant,
    /// `deprecated`
    pub farewell: Option<Farewell>,
}

/// What a command answers.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// Its form. [`Shape::Reference`] is the row itself, as far as the caller may read it.
    pub shape: Shape,
    /// Whether it may be null.
    pub nullable: bool,
}

/// A problem of the model's own.
#[derive(Debug, Clone)]
pub struct ErrorType {
    /// Its name among the schemas, unique.
    pub name: String,
    /// What names it for programs: `out_of_stock`; unique among the model's errors.
    pub code: String,
    /// What names it for people: `Out of stock`.
    pub title: String,
    /// Its documentation.
    pub docs: Option<String>,
    /// HTTP status, 400 to 599.
    pub status: u16,
    /// What is said, with `{member}` where a member's value is to stand.
    pub message: String,
    /// What it carries.
    pub members: Vec<ErrorMember>,
}

impl ErrorType {
    /// Its message with its members in it. What a member says is never looked through again.
    pub fn says(&self, values: &[operation::Value]) -> String {
        let mut text = Vec::with_capacity(self.message.len() + 16);
        let mut rest = self.message.as_str();
        while let Some((before, after)) = rest.split_once('{') {
            text.extend_from_slice(before.as_bytes());
            let named = after.split_once('}').and_then(|(name, after)| {
                let at = self.members.iter().position(|member| member.name == name)?;
                Some((self.members.get(at)?.scalar, values.get(at)?, after))
            });
            rest = match named {
                Some((_, operation::Value::Null, after)) => {
                    text.extend_from_slice(b"null");
                    after
                }
                Some((scalar, value, after)) => {
                    scalar.print(value, &mut text);
                    after
                }
                None => {
                    text.push(b'{');
                    after
                }
            };
        }
        text.extend_from_slice(rest.as_bytes());
        String::from_utf8(text).unwrap_or_default()
    }
}

/// What a problem of the model carries.
#[derive(Debug, Clone)]
pub struct ErrorMember {
    /// Its name.
    pub name: String,
    /// Its documentation.
    pub docs: Option<String>,
    /// Its form.
    pub shape: Shape,
    /// What its value is, by which it is written.
    pub scalar: Scalar,
    /// Whether it may be null.
    pub nullable: bool,
}

/// A fact that is published.
#[derive(Debug, Clone)]
pub struct EventType {
    /// Which.
    pub event: EventId,
    /// Its name among the schemas, unique: the event's, with its service's before it where two share one.
    pub name: String,
    /// By what a store knows it: `sales.OrderPlaced`.
    pub stored: String,
    /// What kind of thing has happened (the `type` of CloudEvents): `shop.sales.OrderPlaced.v1`. The app, the service if there is
    /// one, the event, and the version of the interface.
    pub kind: String,
    /// Where it happened (the `source` of CloudEvents): `/shop/sales`.
    pub source: String,
    /// Where it comes from, if another system publishes it: a subject, stream, queue or topic of the broker. Then its kind and its
    /// source are what it is called here, not what it says of itself.
    pub from: Option<String>,
    /// Its documentation.
    pub docs: Option<String>,
    /// Its group.
    pub tag: usize,
    /// The member by which its order is kept, by position.
    pub key: Option<usize>,
    /// Who may read it.
    pub grant: Grant,
    /// Who may have it heard once more, and sees to what failed when it was heard.
    pub replay: Grant,
    /// What it carries, in source order.
    pub members: Vec<Member>,
}

/// Events that are sent to partners.
#[derive(Debug, Clone)]
pub struct Webhook {
    /// Its name.
    pub name: String,
    /// Its documentation.
    pub docs: Option<String>,
    /// What it sends.
    pub events: Vec<EventId>,
    /// What it takes in, and by which types.
    pub receives: Vec<(EventId, String)>,
}

impl Webhook {
    /// Where it takes events in.
    #[must_use]
    pub fn path(&self) -> String {
        format!("/hooks/{}", self.name)
    }
}

/// A parameter of a query or a command.
#[derive(Debug, Clone)]
pub struct Parameter {
    /// Its name.
    pub name: String,
    /// Its form.
    pub shape: Shape,
    /// Whether it must be there.
    pub required: bool,
}

/// `deprecated`: days since 1970-01-01.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Farewell {
    /// Since when (RFC 9745).
    pub since: Option<i64>,
    /// Until when (RFC 8594).
    pub sunset: Option<i64>,
    /// What to use instead.
    pub advice: Option<String>,
}

/// An enum's labels.
#[derive(Debug, Clone)]
pub struct Labels {
    /// Its name among the schemas, unique.
    pub name: String,
    /// Its documentation.
    pub docs: Option<String>,
    /// Its labels and their documentation.
    pub labels: Vec<(String, Option<String>)>,
}

/// A value object.
#[derive(Debug, Clone)]
pub struct Record {
    /// Its name among the schemas, unique.
    pub name: String,
    /// Its documentation.
    pub docs: Option<String>,
    /// Its members.
    pub members: Vec<Member>,
}

/// Rows of a page where nothing else is said.
pub const PAGE: u32 = 20;
/// The most rows of a page where nothing else is said.
pub const PAGE_MAXIMUM: u32 = 100;

/// The segment under which events are read.
pub(crate) const EVENTS: &str = "events";

impl Contract {
    /// Where events are read.
    #[must_use]
    pub fn events_path(&self) -> String {
        format!("{}/{EVENTS}", self.prefix)
    }

    /// Where events are heard once more.
    #[must_use]
    pub fn replay_path(&self) -> String {
        format!("{}/replay", self.events_path())
    }

    /// Where tasks are that failed too often when an event was heard.
    #[must_use]
    pub fn dead_path(&self) -> String {
        format!("{}/dead", self.events_path())
    }

    /// Where one of them is.
    #[must_use]
    pub fn dead_item_path(&self) -> String {
        format!("{}/{{number}}", self.dead_path())
    }

    /// Where one of them is tried again.
    #[must_use]
    pub fn retry_path(&self) -> String {
        format!("{}/retry", self.dead_item_path())
    }

    /// The segment of the path of events behind the prefix.
    #[must_use]
    pub fn events_segment(&self) -> &'static str {
        EVENTS
    }

    /// Who may read any event.
    #[must_use]
    pub fn events_grant(&self) -> Grant {
        any_of(self.events.iter().map(|event| &event.grant))
    }

    /// Who may have any event heard once more.
    #[must_use]
    pub fn replay_grant(&self) -> Grant {
        any_of(self.events.iter().map(|event| &event.replay))
    }

    /// The resource of an entity.
    #[must_use]
    pub fn resource(&self, entity: EntityId) -> &Resource {
        &self.resources[entity.index()]
    }

    /// The labels of an enum.
    #[must_use]
    pub fn labels(&self, id: EnumId) -> &Labels {
        &self.enums[id.index()]
    }

    /// A problem of the model.
    #[must_use]
    pub fn error(&self, id: ErrorId) -> &ErrorType {
        &self.errors[id.index()]
    }

    /// A fact that is published.
    #[must_use]
    pub fn event(&self, id: EventId) -> &EventType {
        &self.events[id.index()]
    }

    /// The members of a value object.
    #[must_use]
    pub fn record(&self, id: RecordId) -> &Record {
        &self.records[id.index()]
    }
}

impl Resource {
    /// The member that is the key.
    #[must_use]
    pub fn key_member(&self) -> &Member {
        &self.members[self.key]
    }

    /// The member of its root that holds it; empty for a root.
    #[must_use]
    pub fn member(&self) -> &str {
        self.part.as_ref().map_or("", |part| part.member.as_str())
    }

    /// Whether nothing of it is public.
    #[must_use]
    pub fn is_hidden(&self) -> bool {
        [&self.read, &self.create, &self.update, &self.delete].iter().all(|grant| grant.is_empty())
    }
}

/// Whoever one of these means.
fn any_of<'a>(grants: impl Iterator<Item = &'a Grant>) -> Grant {
    let mut all = Grant::default();
    for Grant { anyone, roles } in grants {
        all.anyone |= anyone;
        for role in roles {
            if !all.roles.contains(role) {
                all.roles.push(role.clone());
            }
        }
    }
    all
}

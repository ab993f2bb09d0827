//! The file, its items, and the small ones among them: app, auth, service.

use super::{
    Command, Decision, Entity, Enum, Environment, Event, External, Fault, Job, Limit, Literal,
    Load, Name, On, Path, Query, Record, Roles, Slo, Webhook, Workflow, choice, views,
};
use crate::kind::NodeKind;
use crate::tree::Node;

/// A whole file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Root<'a>(Node<'a>);

impl<'a> Root<'a> {
    pub(crate) const fn new(node: Node<'a>) -> Self {
        Self(node)
    }

    /// The node it views.
    #[must_use]
    pub const fn node(self) -> Node<'a> {
        self.0
    }

    /// The items outside of any service, and the services.
    #[must_use]
    pub fn items(self) -> super::Views<'a, Item<'a>> {
        super::children(self.0)
    }
}

choice! {
    /// What may stand at the top of a file or inside a `service`.
    ///
    /// The parser lets every item stand in both places; what belongs where is for the model to say.
    Item {
        /// `app`
        App(App),
        /// `auth`
        Auth(Auth),
        /// `service`
        Service(Service),
        /// `entity`
        Entity(Entity),
        /// `record`
        Record(Record),
        /// `enum`
        Enum(Enum),
        /// `error`
        Fault(Fault),
        /// `query`
        Query(Query),
        /// `command`
        Command(Command),
        /// `event`
        Event(Event),
        /// `on`
        On(On),
        /// `webhook`
        Webhook(Webhook),
        /// `workflow`
        Workflow(Workflow),
        /// `job`
        Job(Job),
        /// `limit`
        Limit(Limit),
        /// `slo`
        Slo(Slo),
        /// `external`
        External(External),
        /// `load`
        Load(Load),
        /// `environment`
        Environment(Environment),
        /// `decision`
        Decision(Decision),
    }
}

impl<'a> Item<'a> {
    /// The name it declares; `auth`, `on`, `limit`, `slo` and `decision` declare none.
    #[must_use]
    pub fn name(self) -> Option<Name<'a>> {
        super::name_of(self.node(), NodeKind::Name)
    }

    /// The keyword it starts with.
    #[must_use]
    pub fn keyword(self) -> &'static str {
        match self {
            Self::App(_) => "app",
            Self::Auth(_) => "auth",
            Self::Service(_) => "service",
            Self::Entity(_) => "entity",
            Self::Record(_) => "record",
            Self::Enum(_) => "enum",
            Self::Fault(_) => "error",
            Self::Query(_) => "query",
            Self::Command(_) => "command",
            Self::Event(_) => "event",
            Self::On(_) => "on",
            Self::Webhook(_) => "webhook",
            Self::Workflow(_) => "workflow",
            Self::Job(_) => "job",
            Self::Limit(_) => "limit",
            Self::Slo(_) => "slo",
            Self::External(_) => "external",
            Self::Load(_) => "load",
            Self::Environment(_) => "environment",
            Self::Decision(_) => "decision",
        }
    }
}

views! {
    /// `app Name { members }`
    App = App {
        /// Its name.
        name: the declared;
        /// What stands inside.
        members: children AppMember;
    }

    /// `version 1`
    AppVersion = AppVersion {
        /// An integer.
        number: child Literal;
    }

    /// `roles customer, clerk`
    AppRoles = AppRoles {
        /// Each role; may carry documentation.
        roles: children Role;
    }

    /// One role of `roles`.
    Role = Role {
        /// Its name.
        name: the declared;
    }

    /// `surface rest, graphql, grpc`
    AppSurface = AppSurface {
        /// Each front door.
        surfaces: each name;
    }

    /// `auth { members }`
    Auth = Auth {
        /// What stands inside.
        members: children AuthMember;
    }

    /// `users Entity by field as role, role`: callers of these roles are rows of that entity.
    AuthUsers = AuthUsers {
        /// The entity; `sales.Customer` where it must be qualified.
        entity: child Path;
        /// The field that a user signs in by.
        field: the used;
        /// The roles.
        roles: child Roles;
    }

    /// `password`: accounts of our own.
    AuthPassword = AuthPassword {}

    /// `oidc name { issuer … client … roles claim "…" }`
    AuthOidc = AuthOidc {
        /// The provider's name.
        name: the declared;
        /// Its settings.
        claims: children Claim;
    }

    /// `token { issuer … audience "…" roles claim "…" }`: what a bearer token must hold.
    AuthToken = AuthToken {
        /// Its settings.
        claims: children Claim;
    }

    /// `limit 10 per 1m by ip`: how often anyone may try to sign in.
    AuthLimit = AuthLimit {
        /// How many, an integer.
        count: literal 0;
        /// In how long, a duration.
        period: literal 1;
        /// What is counted: `ip`.
        by: the used;
    }

    /// `issuer SETTING`
    ClaimIssuer = ClaimIssuer {
        /// The issuer's URL.
        value: child Setting;
    }

    /// `client SETTING`
    ClaimClient = ClaimClient {
        /// The client's identifier.
        value: child Setting;
    }

    /// `audience SETTING`
    ClaimAudience = ClaimAudience {
        /// The audience.
        value: child Setting;
    }

    /// `roles claim "groups"`: the claim that names the roles.
    ClaimRoles = ClaimRoles {
        /// The claim, a string.
        claim: child Literal;
    }

    /// `service name { items }`: a bounded context.
    Service = Service {
        /// Its name.
        name: the declared;
        /// What stands inside.
        items: children Item;
    }

    /// `"text"`, `env NAME` or `secret NAME`.
    Setting = Setting {
        /// The variable or secret, where it is one.
        name: the used;
        /// The text, where it is one.
        literal: child Literal;
    }
}

choice! {
    /// What may stand in `app`.
    AppMember {
        /// `version`
        Version(AppVersion),
        /// `roles`
        Roles(AppRoles),
        /// `surface`
        Surface(AppSurface),
    }
}

choice! {
    /// What may stand in `auth`.
    AuthMember {
        /// `users`
        Users(AuthUsers),
        /// `password`
        Password(AuthPassword),
        /// `oidc`
        Oidc(AuthOidc),
        /// `token`
        Token(AuthToken),
        /// `limit`
        Limit(AuthLimit),
    }
}

choice! {
    /// A setting of `oidc` or `token`.
    Claim {
        /// `issuer`
        Issuer(ClaimIssuer),
        /// `client`
        Client(ClaimClient),
        /// `audience`
        Audience(ClaimAudience),
        /// `roles claim`
        Roles(ClaimRoles),
    }
}

/// Where a setting comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source<'a> {
    /// Written in the model.
    Text(Literal<'a>),
    /// Read from the environment variable of that name.
    Env(Name<'a>),
    /// Read from the secret store under that name, never printed.
    Secret(Name<'a>),
}

impl<'a> Setting<'a> {
    /// Where it comes from.
    #[must_use]
    pub fn source(self) -> Option<Source<'a>> {
        match self.literal() {
            Some(text) => Some(Source::Text(text)),
            None if self.node().has_word("secret") => self.name().map(Source::Secret),
            None => self.name().map(Source::Env),
        }
    }
}

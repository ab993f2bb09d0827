//! Going through all that a model names by where it stands: places in the text, and positions in its own tables.

use std::sync::Arc;

use smallvec::SmallVec;
use syntax::{Shift, Span};

use crate::{
    App, Auth, Bound, Check, Command, Creation, Decision, Default, Deprecation, Entity, EntityKind,
    EnumId, EnumType, EnumValue, Environment, ErrorType, Event, Expression, ExpressionKind,
    External, ExternalCall, ExternalOperation, Field, FieldId, Flow, Index, Invocation, Job, Limit,
    Load, Model, Oidc, Parameter, PartOf, Policy, Privacy, Query, RecordType, Role, Service,
    SignIn, Slo, SortKey, Source, Statement, StatementKind, Step, Subscription, Terms, Type,
    Unique, ValueSource, Webhook, Workflow,
};

/// Who changes what it is shown.
pub(crate) trait Visitor {
    /// Whether it looks at positions in tables.
    const IDS: bool;

    /// A place in the text.
    fn span(&mut self, span: &mut Span);

    /// A field.
    fn field(&mut self, _: &mut FieldId) {}

    /// An enum.
    fn enumeration(&mut self, _: &mut EnumId) {}
}

/// Moves places to where they stand after an edit.
impl Visitor for Shift {
    const IDS: bool = false;

    fn span(&mut self, span: &mut Span) {
        Shift::span(*self, span);
    }
}

/// What has places and ids.
pub(crate) trait Visit {
    /// Shows all of them.
    fn visit(&mut self, visitor: &mut impl Visitor);
}

impl Visit for Span {
    fn visit(&mut self, visitor: &mut impl Visitor) {
        visitor.span(self);
    }
}

impl Visit for FieldId {
    fn visit(&mut self, visitor: &mut impl Visitor) {
        visitor.field(self);
    }
}

impl Visit for EnumId {
    fn visit(&mut self, visitor: &mut impl Visitor) {
        visitor.enumeration(self);
    }
}

impl<T: Visit> Visit for Option<T> {
    fn visit(&mut self, visitor: &mut impl Visitor) {
        self.iter_mut().for_each(|it| it.visit(visitor));
    }
}

impl<T: Visit> Visit for Vec<T> {
    fn visit(&mut self, visitor: &mut impl Visitor) {
        self.iter_mut().for_each(|it| it.visit(visitor));
    }
}

impl<A: smallvec::Array<Item: Visit>> Visit for SmallVec<A> {
    fn visit(&mut self, visitor: &mut impl Visitor) {
        self.iter_mut().for_each(|it| it.visit(visitor));
    }
}

impl<T: Visit> Visit for Box<T> {
    fn visit(&mut self, visitor: &mut impl Visitor) {
        self.as_mut().visit(visitor);
    }
}

/// Each who shares it has a copy of its own then: what is visited once moves once.
impl Visit for Arc<Expression> {
    fn visit(&mut self, visitor: &mut impl Visitor) {
        Arc::make_mut(self).visit(visitor);
    }
}

impl Visit for (FieldId, Expression) {
    fn visit(&mut self, visitor: &mut impl Visitor) {
        self.0.visit(visitor);
        self.1.visit(visitor);
    }
}

/// A key of an index, and whether it descends.
impl Visit for (FieldId, bool) {
    fn visit(&mut self, visitor: &mut impl Visitor) {
        self.0.visit(visitor);
    }
}

/// An answer, and whether it may be absent.
impl Visit for (Type, bool) {
    fn visit(&mut self, visitor: &mut impl Visitor) {
        self.0.visit(visitor);
    }
}

impl Visit for Type {
    fn visit(&mut self, visitor: &mut impl Visitor) {
        fn ids<V: Visitor>(ty: &mut Type, visitor: &mut V) {
            match ty {
                Type::Enum(id) => visitor.enumeration(id),
                Type::List(element, _) => ids(element, visitor),
                _ => {}
            }
        }
        if is_of_ids(visitor) {
            ids(self, visitor);
        }
    }
}

impl Visit for Bound {
    fn visit(&mut self, visitor: &mut impl Visitor) {
        match self {
            Self::Value(ty) => ty.visit(visitor),
            Self::Answer(fields) => fields.visit(visitor),
        }
    }
}

const fn is_of_ids<V: Visitor>(_: &V) -> bool {
    V::IDS
}

/// For each struct the fields in which there is something to visit, and the others. All are named, so that a new one does not
/// compile before it is thought of here.
macro_rules! visits {
    ($($name:ident { $($visited:ident),* ; $($other:ident),* })*) => {$(
        impl Visit for $name {
            fn visit(&mut self, visitor: &mut impl Visitor) {
                let Self { $($visited,)* $($other: _,)* } = self;
                $($visited.visit(visitor);)*
            }
        }
    )*};
}

visits! {
    Model {
        app, roles, auth, services, entities, fields, enums, records, errors, queries, commands, events, subscriptions, webhooks,
        workflows, jobs, limits, slos, externals, loads, environments, decisions;
    }
    App { span; name, docs, version, surfaces }
    Role { span; name, docs, entity }
    Service { span; name, docs }
    Auth { users, oidc, span; password, token, limit }
    SignIn { span, by; entity, roles }
    Oidc { span; name }
    Deprecation { span; since, sunset, advice }
    External { span, operations; name, docs }
    ExternalOperation { span, parameters, answer; name }
    Load { span; name, entries }
    Environment { span; name, store, replicas, keeping, cache, broker, cloud, budget, deployments }
    Decision { span; title, criteria, options, chosen, because }
    Entity { span, kind, fields, key, indexes, uniques, checks, flows, policies, privacy, deprecation; name, docs, service, was, stored_as, parts, cache, audit }
    PartOf { name_span; root, name, minimum, maximum }
    Field { span, ty, type_span, default, computed, deprecation; name, docs, optional, is_key, is_position, unique, immutable, search, pii, sensitive, encrypted, secret, pattern, was, half, stored_as, on_delete }
    Index { span, keys;  }
    Unique { span, fields;  }
    Check { condition, span; message }
    Flow { span, field; transitions }
    Policy { condition, span, fields; action, parts, grantees }
    Privacy { after; subject, retain }
    EnumType { span, values; name, inline, was, docs }
    EnumValue { span; name, docs, was }
    RecordType { span, fields; name, docs, service }
    ErrorType { span, fields; name, docs, service, status, message }
    Query { span, parameters, filter, sort, policies, deprecation; name, docs, service, entity, page, page_maximum }
    SortKey { field; descending }
    Parameter { span, ty; name, optional }
    Command { span, parameters, answer, policies, deprecation, body; name, docs, service, by_code }
    Event { span, by, fields; name, docs, service, from, readers, replayers }
    Subscription { arguments, span; event, command }
    Webhook { span; name, docs, events, receives, retry }
    Workflow { span, parameters, bodies; name, docs, service, on, steps }
    Step { body, undo; }
    Job { span, body; name, docs, service, schedule, jitter, catch_up }
    Limit { span; name, target, count, period }
    Slo { span; name, target, percent, under }
    Statement { kind, span; }
    Creation { root, fields; entity }
    Invocation { arguments, terms; target, later }
    Terms { delay, unique; priority }
    ExternalCall { arguments; external, operation }
    Expression { kind, ty, span; optional }
}

impl Visit for EntityKind {
    fn visit(&mut self, visitor: &mut impl Visitor) {
        match self {
            Self::Root => {}
            Self::Part(part) => part.visit(visitor),
        }
    }
}

impl Visit for Default {
    fn visit(&mut self, visitor: &mut impl Visitor) {
        match self {
            Self::Auto | Self::Uuid => {}
            Self::Expression(value) => value.visit(visitor),
        }
    }
}

impl Visit for StatementKind {
    fn visit(&mut self, visitor: &mut impl Visitor) {
        match self {
            Self::Unknown => {}
            Self::Let { number: _, value } => value.visit(visitor),
            Self::Require { condition, error: _, members } => {
                condition.visit(visitor);
                members.visit(visitor);
            }
            Self::For { number: _, source, body } => {
                source.visit(visitor);
                body.visit(visitor);
            }
            Self::If { condition, then, otherwise } => {
                condition.visit(visitor);
                then.visit(visitor);
                otherwise.visit(visitor);
            }
            Self::Create(creation) => creation.visit(visitor),
            Self::Update { target, entity: _, fields } => {
                target.visit(visitor);
                fields.visit(visitor);
            }
            Self::Delete { target, entity: _ } => target.visit(visitor),
            Self::Emit { event: _, members } => members.visit(visitor),
            Self::Run(run) => run.visit(visitor),
            Self::Call(call) => call.visit(visitor),
            Self::Return(value) => value.visit(visitor),
        }
    }
}

impl Visit for ValueSource {
    fn visit(&mut self, visitor: &mut impl Visitor) {
        match self {
            Self::Expression(value) => value.visit(visitor),
            Self::Create(creation) => creation.visit(visitor),
            Self::Run(run) => run.visit(visitor),
            Self::Call(call) => call.visit(visitor),
        }
    }
}

impl Visit for Source {
    fn visit(&mut self, visitor: &mut impl Visitor) {
        match self {
            Self::List(list) => list.visit(visitor),
            Self::Parts { root, part: _ } => root.visit(visitor),
            Self::Rows { entity: _, filter } => filter.visit(visitor),
        }
    }
}

impl Visit for ExpressionKind {
    fn visit(&mut self, visitor: &mut impl Visitor) {
        match self {
            Self::Unknown | Self::Null | Self::Literal(_) | Self::Now => {}
            Self::EnumValue(id, _) => id.visit(visitor),
            Self::Caller { entity: _, path }
            | Self::Row { depth: _, path }
            | Self::Parameter { position: _, path }
            | Self::Local { number: _, path } => path.visit(visitor),
            Self::Not(inner) | Self::Negate(inner) => inner.visit(visitor),
            Self::Binary(_, left, right) => {
                left.visit(visitor);
                right.visit(visitor);
            }
            Self::And(all) | Self::Or(all) | Self::Call(_, all) => all.visit(visitor),
            Self::In(value, all) => {
                value.visit(visitor);
                all.visit(visitor);
            }
            Self::Aggregate { aggregate: _, part: _, depth: _, body } => body.visit(visitor),
            Self::AggregateOf { aggregate: _, part: _, root, body } => {
                root.visit(visitor);
                body.visit(visitor);
            }
            Self::If(test, then, otherwise) => {
                test.visit(visitor);
                then.visit(visitor);
                otherwise.visit(visitor);
            }
        }
    }
}

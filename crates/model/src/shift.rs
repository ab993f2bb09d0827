//! Moving the places of a model to where they stand after an edit.

use syntax::{Shift, Span};

use crate::{
    App, Auth, Check, Command, Creation, Decision, Default, Deprecation, Entity, EntityKind,
    EnumType, EnumValue, Environment, ErrorType, Event, Expression, ExpressionKind, External,
    ExternalCall, ExternalOperation, Field, FieldId, Flow, Index, Invocation, Job, Limit, Load,
    Model, Oidc, Parameter, PartOf, Policy, Privacy, Query, RecordType, Role, Service, SignIn, Slo,
    Source, Statement, StatementKind, Step, Subscription, Terms, Unique, ValueSource, Webhook,
    Workflow,
};

/// What has places.
pub(crate) trait Moves {
    /// Moves all of them.
    fn shift(&mut self, shift: Shift);
}

impl Moves for Span {
    fn shift(&mut self, shift: Shift) {
        shift.span(self);
    }
}

impl<T: Moves> Moves for Option<T> {
    fn shift(&mut self, shift: Shift) {
        self.iter_mut().for_each(|it| it.shift(shift));
    }
}

impl<T: Moves> Moves for Vec<T> {
    fn shift(&mut self, shift: Shift) {
        self.iter_mut().for_each(|it| it.shift(shift));
    }
}

impl<T: Moves> Moves for Box<T> {
    fn shift(&mut self, shift: Shift) {
        self.as_mut().shift(shift);
    }
}

impl Moves for (FieldId, Expression) {
    fn shift(&mut self, shift: Shift) {
        self.1.shift(shift);
    }
}

/// For each struct the fields that have places, and those that have none. All are named, so that a new one does not compile
/// before it is thought of here.
macro_rules! moves {
    ($($name:ident { $($moves:ident),* ; $($stays:ident),* })*) => {$(
        impl Moves for $name {
            fn shift(&mut self, shift: Shift) {
                let Self { $($moves,)* $($stays: _,)* } = self;
                $($moves.shift(shift);)*
            }
        }
    )*};
}

moves! {
    Model {
        app, roles, auth, services, entities, fields, enums, records, errors, queries, commands, events, subscriptions, webhooks,
        workflows, jobs, limits, slos, externals, loads, environments, decisions;
    }
    App { span; name, docs, version, surfaces }
    Role { span; name, docs, entity }
    Service { span; name, docs }
    Auth { users, oidc, span; password, token, limit }
    SignIn { span; entity, by, roles }
    Oidc { span; name }
    Deprecation { span; since, sunset, advice }
    External { span, operations; name, docs }
    ExternalOperation { span; name, parameters, answer }
    Load { span; name, entries }
    Environment { span; name, store, keeping, cache, broker, cloud, budget, deployments }
    Decision { span; title, criteria, options, chosen, because }
    Entity {
        span, kind, indexes, uniques, checks, flows, policies, privacy, deprecation;
        name, docs, service, was, stored_as, fields, key, parts, cache, audit
    }
    PartOf { name_span; root, name, minimum, maximum }
    Field {
        span, type_span, default, computed, deprecation;
        name, docs, ty, optional, is_key, is_position, unique, immutable, search, pii, sensitive, encrypted, secret, pattern, was,
        half, stored_as, on_delete
    }
    Index { span; keys }
    Unique { span; fields }
    Check { condition, span; message }
    Flow { span; field, transitions }
    Policy { condition, span; action, fields, parts, grantees }
    Privacy { after; subject, retain }
    EnumType { span, values; name, inline, was, docs }
    EnumValue { span; name, docs, was }
    RecordType { span; name, docs, service, fields }
    ErrorType { span; name, docs, service, status, message, fields }
    Query {
        span, parameters, filter, policies, deprecation;
        name, docs, service, entity, sort, page, page_maximum
    }
    Parameter { span; name, ty, optional }
    Command { span, parameters, policies, deprecation, body; name, docs, service, answer, by_code }
    Event { span; name, docs, service, from, by, fields, readers }
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
    Expression { kind, span; ty, optional }
}

impl Moves for EntityKind {
    fn shift(&mut self, shift: Shift) {
        match self {
            Self::Root => {}
            Self::Part(part) => part.shift(shift),
        }
    }
}

impl Moves for Default {
    fn shift(&mut self, shift: Shift) {
        match self {
            Self::Auto | Self::Uuid => {}
            Self::Expression(value) => value.shift(shift),
        }
    }
}

impl Moves for StatementKind {
    fn shift(&mut self, shift: Shift) {
        match self {
            Self::Unknown => {}
            Self::Let { number: _, value } => value.shift(shift),
            Self::Require { condition, error: _, members } => {
                condition.shift(shift);
                members.shift(shift);
            }
            Self::For { number: _, source, body } => {
                source.shift(shift);
                body.shift(shift);
            }
            Self::If { condition, then, otherwise } => {
                condition.shift(shift);
                then.shift(shift);
                otherwise.shift(shift);
            }
            Self::Create(creation) => creation.shift(shift),
            Self::Update { target, entity: _, fields } => {
                target.shift(shift);
                fields.shift(shift);
            }
            Self::Delete { target, entity: _ } => target.shift(shift),
            Self::Emit { event: _, members } => members.shift(shift),
            Self::Run(run) => run.shift(shift),
            Self::Call(call) => call.shift(shift),
            Self::Return(value) => value.shift(shift),
        }
    }
}

impl Moves for ValueSource {
    fn shift(&mut self, shift: Shift) {
        match self {
            Self::Expression(value) => value.shift(shift),
            Self::Create(creation) => creation.shift(shift),
            Self::Run(run) => run.shift(shift),
            Self::Call(call) => call.shift(shift),
        }
    }
}

impl Moves for Source {
    fn shift(&mut self, shift: Shift) {
        match self {
            Self::List(list) => list.shift(shift),
            Self::Parts { root, part: _ } => root.shift(shift),
            Self::Rows { entity: _, filter } => filter.shift(shift),
        }
    }
}

impl Moves for ExpressionKind {
    fn shift(&mut self, shift: Shift) {
        match self {
            Self::Unknown
            | Self::Null
            | Self::Literal(_)
            | Self::EnumValue(..)
            | Self::Now
            | Self::Caller { .. }
            | Self::Row { .. }
            | Self::Parameter { .. }
            | Self::Local { .. } => {}
            Self::Not(inner) | Self::Negate(inner) => inner.shift(shift),
            Self::Binary(_, left, right) => {
                left.shift(shift);
                right.shift(shift);
            }
            Self::And(all) | Self::Or(all) | Self::Call(_, all) => all.shift(shift),
            Self::In(value, all) => {
                value.shift(shift);
                all.shift(shift);
            }
            Self::Aggregate { aggregate: _, part: _, depth: _, body } => body.shift(shift),
            Self::AggregateOf { aggregate: _, part: _, root, body } => {
                root.shift(shift);
                body.shift(shift);
            }
            Self::If(test, then, otherwise) => {
                test.shift(shift);
                then.shift(shift);
                otherwise.shift(shift);
            }
        }
    }
}

//! Who may do what, for one set of roles. Closed where nothing is said.

use model::{Action, EntityId, Event, EventId, FieldId, Grantee, Model, Policy};
use operation::{Expression, Guard};

use crate::Roles;
use crate::condition::{BindSource, Binder, World};

/// The grants of one action on one entity that reach a set of roles, lowered.
pub(crate) struct Grants<'a> {
    grants: Vec<(&'a Policy, Expression)>,
}

impl<'a> World<'a> {
    /// The policies of `action` on a root that are meant for one of the roles.
    pub(crate) fn policies(
        &self,
        root: EntityId,
        action: Action,
        roles: Roles,
    ) -> impl Iterator<Item = &'a Policy> + use<'a> {
        let policies = self.model[root].policies.iter();
        policies.filter(move |policy| policy.action == action && reaches(policy, roles))
    }

    /// The grants of `action` on a root. A part's are its root's: ask for the root.
    pub(crate) fn grants(
        &self,
        root: EntityId,
        action: Action,
        roles: Roles,
        binder: &mut Binder,
    ) -> Grants<'a> {
        let grants = self
            .policies(root, action, roles)
            .map(|policy| {
                let condition = match &policy.condition {
                    Some(condition) => self.lower(condition, &[root], binder),
                    None => Expression::yes(),
                };
                (policy, condition)
            })
            .collect();
        Grants { grants }
    }
}

/// Whether a policy is meant for one of the roles.
pub(crate) fn reaches(policy: &Policy, roles: Roles) -> bool {
    reaches_any(&policy.grantees, roles)
}

/// Whether one of these is anyone, or one of the roles.
fn reaches_any(grantees: &[Grantee], roles: Roles) -> bool {
    grantees.iter().any(|grantee| match grantee {
        Grantee::Anyone => true,
        Grantee::Role(role) => roles.has(*role),
    })
}

/// The events that these roles may read.
pub(crate) fn readable_events(model: &Model, roles: Roles) -> impl Iterator<Item = EventId> {
    events(model, move |event| reaches_any(&event.readers, roles))
}

/// The events that these roles may have heard once more.
pub(crate) fn replayable_events(model: &Model, roles: Roles) -> impl Iterator<Item = EventId> {
    events(model, move |event| reaches_any(&event.replayers, roles))
}

fn events(model: &Model, is_meant: impl Fn(&Event) -> bool) -> impl Iterator<Item = EventId> {
    let events = model.events.iter().enumerate().filter(move |(_, event)| is_meant(event));
    events.map(|(at, _)| EventId(at as u32))
}

/// Whether a policy speaks of a field.
pub(crate) fn covers_field(policy: &Policy, field: FieldId) -> bool {
    policy.fields.as_ref().is_none_or(|fields| fields.contains(&field))
}

/// Whether a policy speaks of a kind of parts.
pub(crate) fn covers_part(policy: &Policy, part: EntityId) -> bool {
    match (&policy.fields, &policy.parts) {
        (_, Some(parts)) if parts.contains(&part) => true,
        (fields, _) => fields.is_none(),
    }
}

impl Grants<'_> {
    /// Where any grant holds: which rows the action reaches at all.
    pub(crate) fn any(&self) -> Expression {
        Expression::any(self.grants.iter().map(|(_, condition)| condition.clone()))
    }

    /// Where the action reaches `field`: [`Guard::Always`] means wherever it reaches the row.
    pub(crate) fn field(&self, field: FieldId) -> Guard {
        self.within(|policy| covers_field(policy, field))
    }

    /// The same of a kind of parts.
    pub(crate) fn part(&self, part: EntityId) -> Guard {
        self.within(|policy| covers_part(policy, part))
    }

    fn within(&self, covers: impl Fn(&Policy) -> bool) -> Guard {
        let covering: Vec<_> = self.grants.iter().filter(|(policy, _)| covers(policy)).collect();
        if covering.is_empty() {
            Guard::Never
        } else if covering.len() == self.grants.len() {
            Guard::Always
        } else {
            Guard::of(Expression::any(covering.iter().map(|(_, condition)| condition.clone())))
        }
    }

    /// Where the action reaches every one of `fields` and `parts`.
    pub(crate) fn covering(&self, fields: &[FieldId], parts: &[EntityId]) -> Expression {
        let mut terms = vec![self.any()];
        let guards =
            fields.iter().map(|f| self.field(*f)).chain(parts.iter().map(|p| self.part(*p)));
        for guard in guards {
            let term = guard.expression();
            if !terms.contains(&term) {
                terms.push(term);
            }
        }
        Expression::all(terms)
    }

    /// The terms of `covering` that speak of the caller: they must hold of the row after the change, too, or a
    /// caller could hand the row to somebody else. Terms about the row alone (`.state == draft`) need not: they say
    /// from where a change may start.
    pub(crate) fn covering_after(
        &self,
        fields: &[FieldId],
        parts: &[EntityId],
        binder: &Binder,
    ) -> Expression {
        let after = Grants {
            grants: self
                .grants
                .iter()
                .map(|(p, condition)| (*p, of_caller(condition, binder)))
                .collect(),
        };
        after.covering(fields, parts)
    }
}

/// The conjuncts of a condition that speak of the caller.
fn of_caller(condition: &Expression, binder: &Binder) -> Expression {
    let speaks = |expression: &Expression| {
        let mut found = false;
        expression.visit(&mut |e| {
            if let Expression::Bind(at) = e {
                found |= matches!(binder.sources.get(*at), Some(BindSource::Caller(_)));
            }
        });
        found
    };
    match condition {
        Expression::And(terms) => Expression::all(terms.iter().filter(|t| speaks(t)).cloned()),
        other if speaks(other) => other.clone(),
        _ => Expression::yes(),
    }
}

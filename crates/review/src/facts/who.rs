//! Who asks: roles that are held to their own rows, and roles that are not.

use model::{EntityId, Grantee, Model, Policy, RoleId};

use super::mentions_caller;

/// What is known of roles.
#[derive(Debug, Default)]
pub(crate) struct Who {
    /// By role: whether some policy holds it to rows of its own.
    bounded: Vec<bool>,
    /// By role: whether anything is granted to it.
    granted: Vec<bool>,
}

impl Who {
    pub(crate) fn of(model: &Model) -> Self {
        let mut found = Self {
            bounded: vec![false; model.roles.len()],
            granted: vec![false; model.roles.len()],
        };
        let entities = model.entities.iter().flat_map(|entity| &entity.policies);
        let queries = model.queries.iter().flat_map(|query| &query.policies);
        let commands = model.commands.iter().flat_map(|command| &command.policies);
        for policy in entities.chain(queries).chain(commands) {
            let own = policy.condition.as_deref().is_some_and(mentions_caller);
            for role in roles(policy) {
                found.granted[role.index()] = true;
                found.bounded[role.index()] |= own;
            }
        }
        for event in &model.events {
            for grantee in event.readers.iter().chain(&event.replayers) {
                if let Grantee::Role(role) = grantee {
                    found.granted[role.index()] = true;
                }
            }
        }
        found
    }

    /// Whether some policy holds a role to rows of its own, so that its callers do not trust each other.
    pub(crate) fn is_bounded(&self, role: RoleId) -> bool {
        self.bounded.get(role.index()).copied().unwrap_or(false)
    }

    /// Whether anything is granted to it.
    pub(crate) fn is_granted(&self, role: RoleId) -> bool {
        self.granted.get(role.index()).copied().unwrap_or(false)
    }

    /// The entity whose rows callers of a role are.
    pub(crate) fn entity(model: &Model, role: RoleId) -> Option<EntityId> {
        model[role].entity
    }
}

/// The roles of a policy.
pub(crate) fn roles(policy: &Policy) -> impl Iterator<Item = RoleId> + '_ {
    policy.grantees.iter().filter_map(|grantee| match grantee {
        Grantee::Anyone => None,
        Grantee::Role(role) => Some(*role),
    })
}

/// Whether somebody outside is meant.
pub(crate) fn is_outside(grantees: &[Grantee]) -> bool {
    grantees.iter().any(|grantee| match grantee {
        Grantee::Anyone => true,
        Grantee::Role(role) => *role != RoleId::SYSTEM,
    })
}

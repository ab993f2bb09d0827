//! Tokens to begin with: one for each role, speaking of a row that has something to see.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::time::Duration;

use engine::{Loaded, identity};
use model::{
    BinaryOperator, EntityId, Expression, ExpressionKind, FieldId, Grantee, Model, RoleId,
};
use operation::{Comparison, Value};
use store::Store;

use crate::failure::Failure;

/// How many rows are looked at to find a subject.
const LOOKED_AT: usize = 20_000;

/// A token for one role.
pub(super) struct RoleToken {
    pub(super) role: String,
    /// Whom it speaks of: `Customer 5`.
    pub(super) speaks_of: Option<String>,
    pub(super) token: String,
}

/// A token for each role that a token can carry.
pub(super) fn tokens(
    loaded: &Loaded,
    store: &Store,
    secret: &[u8],
    lifetime: Duration,
) -> Result<Vec<RoleToken>, Failure> {
    let model: &Model = &loaded.model;
    let mut tokens = Vec::new();
    for (id, role) in (0_u32..).map(RoleId).zip(&model.roles) {
        if id == RoleId::SYSTEM || role.name == "anyone" {
            continue;
        }
        let subject = match role.entity {
            None => None,
            Some(entity) => {
                subject(loaded, store, id, entity)?.map(|key| loaded.plan.key_text(entity, &key))
            }
        };
        let speaks_of = role.entity.map(|entity| match &subject {
            Some(key) => format!("{} {key}", model[entity].name),
            None => format!("no {} yet", model[entity].name),
        });
        let named = subject.as_deref().or(role.entity.is_none().then_some("dev"));
        let token = identity::mint(model, secret, &role.name, named, lifetime)?;
        tokens.push(RoleToken { role: role.name.clone(), speaks_of, token });
    }
    Ok(tokens)
}

/// A row of the role's entity: the one that most rows belong to by a policy of that role (`.owner == caller`), or
/// else the first.
fn subject(
    loaded: &Loaded,
    store: &Store,
    role: RoleId,
    entity: EntityId,
) -> Result<Option<Value>, Failure> {
    let mut counts: HashMap<Value, usize> = HashMap::new();
    for (owner, field) in owned(&loaded.model, role, entity) {
        let Some(column) = loaded.schema.column(owner, field) else { continue };
        let mut looked_at = 0;
        store.dump(loaded.schema.table(owner), |row| {
            looked_at += 1;
            if let Some(value) = row.get(column).filter(|value| !value.is_null()) {
                *counts.entry(value.clone()).or_default() += 1;
            }
            if looked_at < LOOKED_AT { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        })?;
    }
    let most = counts.values().copied().max().unwrap_or(0);
    let table = loaded.schema.table(entity);
    let mut found = None;
    let mut first = None;
    let mut looked_at = 0;
    store.dump(table, |row| {
        looked_at += 1;
        let key = row.get(table.own_key()).cloned();
        if first.is_none() {
            first.clone_from(&key);
        }
        if most == 0 || looked_at > LOOKED_AT {
            return ControlFlow::Break(());
        }
        if key.as_ref().and_then(|key| counts.get(key)) == Some(&most) {
            found = key;
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    })?;
    Ok(found.or(first))
}

/// The references that a policy of the role compares with the caller.
fn owned(model: &Model, role: RoleId, entity: EntityId) -> Vec<(EntityId, FieldId)> {
    let mut found = Vec::new();
    for id in model.entity_ids() {
        for policy in &model[id].policies {
            if !policy.grantees.contains(&Grantee::Role(role)) {
                continue;
            }
            if let Some(condition) = &policy.condition {
                visit(condition, &mut |field| {
                    if model[field].ty.as_entity() == Some(entity) && !found.contains(&(id, field))
                    {
                        found.push((id, field));
                    }
                });
            }
        }
    }
    found
}

/// Calls `each` for the field of every `.field == caller` in a condition.
fn visit(condition: &Expression, each: &mut impl FnMut(FieldId)) {
    match &condition.kind {
        ExpressionKind::And(terms) | ExpressionKind::Or(terms) => {
            for term in terms {
                visit(term, each);
            }
        }
        ExpressionKind::Binary(BinaryOperator::Compare(Comparison::Equal), left, right) => {
            match (&left.kind, &right.kind) {
                (ExpressionKind::Row { path, .. }, ExpressionKind::Caller { .. })
                | (ExpressionKind::Caller { .. }, ExpressionKind::Row { path, .. }) => {
                    if let [field] = path.as_slice() {
                        each(*field);
                    }
                }
                _ => {}
            }
        }
        _ => {}
    }
}

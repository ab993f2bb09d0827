//! What an index carries beside its keys, and which index nobody needs.

use model::{
    Action, BinaryOperator, Entity, EntityId, EntityKind, Expression, ExpressionKind, FieldId,
    Model, OnDelete, Statement, StatementKind, Type,
};
use operation::Comparison;

/// The widest row that an index repeats, in bytes: about what a page of twenty may cost without doubling the table.
const WIDEST: u32 = 96;

/// The fields behind the keys of an index that make it answer a query alone: the key of the row, which ends the query's
/// order, then what else a row shows. Rows of an order by something other than their key are scattered over the table,
/// and each costs a search; in the index they stand side by side. Only narrow rows are repeated so.
pub(crate) fn carried(model: &Model, id: EntityId, keys: &[FieldId]) -> Vec<FieldId> {
    let entity = &model[id];
    let serves = model.queries.iter().any(|query| query.entity == id && is_served(query, keys));
    if !serves || !is_narrow(model, entity) {
        return Vec::new();
    }
    let mut carried = vec![entity.key];
    carried.extend(entity.fields.iter().copied().filter(|field| *field != entity.key));
    carried.retain(|field| !keys.contains(field));
    carried
}

/// Whether the keys are the fields that a query compares with its parameters, then those it sorts by.
fn is_served(query: &model::Query, keys: &[FieldId]) -> bool {
    let mut equal = Vec::new();
    if let Some(filter) = &query.filter {
        equalities(filter, &mut equal);
    }
    let sorted: Vec<FieldId> = query.sort.iter().map(|key| key.field).collect();
    !sorted.is_empty()
        && keys.len() == equal.len() + sorted.len()
        && keys[..equal.len()].iter().all(|key| equal.contains(key))
        && keys[equal.len()..] == sorted
}

fn equalities(expression: &Expression, found: &mut Vec<FieldId>) {
    match &expression.kind {
        ExpressionKind::And(terms) => terms.iter().for_each(|term| equalities(term, found)),
        ExpressionKind::Binary(BinaryOperator::Compare(Comparison::Equal), left, right) => {
            for side in [left, right] {
                if let ExpressionKind::Row { depth: 0, path } = &side.kind
                    && let [field] = path.as_slice()
                {
                    found.push(*field);
                }
            }
        }
        _ => {}
    }
}

fn is_narrow(model: &Model, entity: &Entity) -> bool {
    let widths = entity.fields.iter().map(|field| width(model, &model[*field].ty));
    widths.sum::<u32>() <= WIDEST
}

/// About how many bytes a value takes at most.
fn width(model: &Model, ty: &Type) -> u32 {
    match ty {
        Type::Bool => 1,
        Type::Uuid => 16,
        Type::String(bounds) => bounds.greatest.unwrap_or(WIDEST + 1),
        Type::Enum(id) => {
            let longest = model[*id].values.iter().map(|value| value.name.len()).max();
            u32::try_from(longest.unwrap_or(0)).unwrap_or(u32::MAX / 64)
        }
        Type::Entity(id) => width(model, &model[model[*id].key].ty),
        Type::Email
        | Type::Url
        | Type::Json(_)
        | Type::Record(_)
        | Type::List(..)
        | Type::Bytes(_) => WIDEST + 1,
        _ => 8,
    }
}

/// Whether rows that refer to `target` by a field of `owner` are ever looked up by it. Callers filter roots by their
/// references; parts they reach through their root only, so that there it is the deletion of the target alone that
/// looks who refers to it.
pub(crate) fn is_looked_up(model: &Model, owner: &Entity, target: EntityId) -> bool {
    matches!(owner.kind, EntityKind::Root) || may_be_deleted(model, target)
}

fn may_be_deleted(model: &Model, target: EntityId) -> bool {
    let entity = &model[target];
    let granted = entity.policies.iter().any(|policy| policy.action == Action::Delete);
    let follows = entity.fields.iter().any(|field| {
        model[*field].ty.as_entity().is_some() && model[*field].on_delete == OnDelete::Cascade
    });
    let bodies = model.commands.iter().map(|command| &command.body);
    let bodies = bodies.chain(model.jobs.iter().map(|job| &job.body));
    let coded = model.commands.iter().any(|command| command.by_code);
    granted || follows || coded || bodies.into_iter().any(|body| deletes(body, target))
}

fn deletes(body: &[Statement], target: EntityId) -> bool {
    body.iter().any(|statement| match &statement.kind {
        StatementKind::Delete { entity, .. } => *entity == target,
        StatementKind::For { body, .. } => deletes(body, target),
        StatementKind::If { then, otherwise, .. } => {
            deletes(then, target) || deletes(otherwise, target)
        }
        _ => false,
    })
}

//! How rows are looked for, and the index that serves it.

use model::{
    Action, BinaryOperator, CommandId, EntityId, EntityKind, Expression, ExpressionKind, FieldId,
    Model, Parameter, QueryId, SortKey, Type,
};
use operation::Comparison;
use schema::Schema;
use syntax::Span;

use super::effect::{Actor, EffectKind, Effects};
use super::{Loads, Rate, conjuncts, mentions_caller, own_field};

/// Who looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asker {
    /// A query.
    Query(QueryId),
    /// Lists under a read policy, by its position.
    Policy(usize),
    /// A loop of a command.
    Command(CommandId),
    /// A loop of a job, by its position.
    Job(usize),
    /// A loop of a step, by its workflow.
    Workflow(usize),
}

/// One way in which rows are looked for.
#[derive(Debug, Clone)]
pub(crate) struct Access<'a> {
    /// Who looks.
    pub(crate) asker: Asker,
    /// For rows of what.
    pub(crate) entity: EntityId,
    /// Where it is said.
    pub(crate) span: Span,
    /// The condition, if there is one.
    pub(crate) filter: Option<&'a Expression>,
    /// Fields that must have one value, and where they are compared.
    pub(crate) equal: Vec<(FieldId, Span)>,
    /// The same, as far as the caller says a value.
    pub(crate) maybe: Vec<(FieldId, Span)>,
    /// Fields that must lie in a range.
    pub(crate) ranges: Vec<(FieldId, Span)>,
    /// In which order, the key left out.
    pub(crate) sort: &'a [SortKey],
    /// How often.
    pub(crate) rate: Option<Rate>,
}

/// What rows can be found and sorted by.
#[derive(Debug, Clone)]
pub(crate) struct AccessIndex {
    /// Its fields; in that of a part's key the root comes first, which is no field.
    pub(crate) fields: Vec<FieldId>,
    /// Whether it is of a unique constraint or the key.
    pub(crate) unique: bool,
    /// Where it stands, if anywhere.
    pub(crate) span: Option<Span>,
}

/// How an access is served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Served {
    /// An index finds the rows in their order, or there is nothing to find.
    Whole,
    /// An index finds the rows, and they are sorted afterwards.
    Unsorted,
    /// All rows are read.
    Not,
}

impl Access<'_> {
    /// How the indexes of the entity serve it.
    pub(crate) fn served(&self, model: &Model, indexes: &[AccessIndex]) -> Served {
        let key = model[self.entity].key;
        let sort = self.sort.first().map(|first| first.field).filter(|field| *field != key);
        let is_equal = |field: &FieldId| self.equal.iter().any(|(equal, _)| equal == field);
        let sorts = |index: &AccessIndex| {
            let behind = index.fields.iter().find(|field| !is_equal(field));
            sort.is_none_or(|sort| behind == Some(&sort))
        };
        if self.equal.is_empty() && self.ranges.is_empty() {
            // Without a condition that an index can find, pages follow the order, the key's if there is none.
            let ordered = sort
                .is_none_or(|sort| indexes.iter().any(|index| index.fields.first() == Some(&sort)));
            return if ordered { Served::Whole } else { Served::Not };
        }
        let finds = |index: &&AccessIndex| {
            index.fields.first().is_some_and(|first| {
                is_equal(first)
                    || (self.equal.is_empty()
                        && self.ranges.iter().any(|(range, _)| range == first))
            })
        };
        let mut found = indexes.iter().filter(finds).peekable();
        if found.peek().is_none() {
            return Served::Not;
        }
        let whole = found.any(|index| {
            sorts(index)
                // A key or a unique constraint finds one row, which needs no order.
                || (index.unique && index.fields.iter().all(is_equal))
                // A range that is also what is sorted by.
                || (self.equal.is_empty() && index.fields.first() == sort.as_ref())
        });
        if whole { Served::Whole } else { Served::Unsorted }
    }
}

/// What rows of each entity can be found and sorted by.
pub(crate) fn indexes(model: &Model, schema: &Schema) -> Vec<Vec<AccessIndex>> {
    let mut found: Vec<Vec<AccessIndex>> = model
        .entities
        .iter()
        .map(|entity| {
            let mut indexes = Vec::new();
            if matches!(entity.kind, EntityKind::Root) {
                indexes.push(AccessIndex { fields: vec![entity.key], unique: true, span: None });
            }
            indexes.extend(entity.uniques.iter().map(|unique| AccessIndex {
                fields: unique.fields.clone(),
                unique: true,
                span: Some(unique.span),
            }));
            indexes.extend(entity.indexes.iter().map(|index| AccessIndex {
                fields: index.keys.iter().map(|(field, _)| *field).collect(),
                unique: false,
                span: Some(index.span),
            }));
            indexes
        })
        .collect();
    for index in schema.indexes.iter().filter(|index| index.automatic) {
        let at = index.table.0 as usize;
        let (Some(entity), Some((column, _))) = (model.entities.get(at), index.columns.first())
        else {
            continue;
        };
        let id = EntityId(at as u32);
        let field = entity.fields.iter().find(|it| schema.column(id, **it) == Some(*column));
        if let Some(field) = field {
            found[at].push(AccessIndex { fields: vec![*field], unique: false, span: None });
        }
    }
    found
}

/// All ways in which rows are looked for by a condition or in an order.
pub(crate) fn accesses<'a>(
    model: &'a Model,
    effects: &Effects<'a>,
    loads: &Loads,
) -> Vec<Access<'a>> {
    let mut found = Vec::new();
    for (at, query) in model.queries.iter().enumerate() {
        let id = QueryId(at as u32);
        let span = query.filter.as_ref().map_or(query.span, |filter| filter.span);
        let mut access = Access::new(Asker::Query(id), query.entity, span, query.filter.as_ref());
        access.sort = &query.sort;
        access.rate = loads.query(id);
        access.read(model, &query.parameters);
        found.push(access);
    }
    for id in model.entity_ids() {
        for (at, policy) in model[id].policies.iter().enumerate() {
            let Some(condition) = &policy.condition else { continue };
            if policy.action != Action::Read || !mentions_caller(condition) {
                continue;
            }
            let mut access = Access::new(Asker::Policy(at), id, condition.span, Some(condition));
            access.rate = loads.entity(id, Action::Read);
            access.read(model, &[]);
            found.push(access);
        }
    }
    for effect in effects.all() {
        let EffectKind::Rows { entity, filter } = effect.kind else { continue };
        let (asker, rate) = match effect.actor {
            Actor::Command(id) => (Asker::Command(id), loads.command(id)),
            Actor::Job(at) => (Asker::Job(at), None),
            Actor::Step { workflow, .. } => (Asker::Workflow(workflow), None),
        };
        let span = filter.map_or(effect.span, |filter| filter.span);
        let mut access = Access::new(asker, entity, span, filter);
        access.rate = rate;
        access.read(model, &[]);
        found.push(access);
    }
    found
}

impl<'a> Access<'a> {
    pub(super) fn new(
        asker: Asker,
        entity: EntityId,
        span: Span,
        filter: Option<&'a Expression>,
    ) -> Self {
        Self {
            asker,
            entity,
            span,
            filter,
            equal: Vec::new(),
            maybe: Vec::new(),
            ranges: Vec::new(),
            sort: &[],
            rate: None,
        }
    }

    /// Takes the condition apart.
    pub(super) fn read(&mut self, model: &Model, parameters: &[Parameter]) {
        let Some(filter) = self.filter else { return };
        for term in conjuncts(filter) {
            match &term.kind {
                ExpressionKind::Binary(BinaryOperator::Compare(comparison), left, right) => {
                    let sides = [(left, right, *comparison), (right, left, *comparison)];
                    for (side, other, comparison) in sides {
                        let Some(field) = own_field(side) else { continue };
                        // A field compared with another of the same row is no way to find it.
                        if own_field(other).is_some() {
                            break;
                        }
                        let at = (field, side.span);
                        let optional = matches!(&other.kind, ExpressionKind::Parameter { position, .. }
                            if parameters.get(*position).is_some_and(|it| it.optional));
                        match comparison {
                            Comparison::Equal if optional => self.maybe.push(at),
                            Comparison::Equal => self.equal.push(at),
                            Comparison::NotEqual => {}
                            _ if optional => {}
                            _ => self.ranges.push(at),
                        }
                        break;
                    }
                }
                ExpressionKind::In(value, _) => {
                    self.equal.extend(own_field(value).map(|field| (field, value.span)));
                }
                _ => {
                    let flag =
                        own_field(term).filter(|field| matches!(model[*field].ty, Type::Bool));
                    self.equal.extend(flag.map(|field| (field, term.span)));
                }
            }
        }
    }
}

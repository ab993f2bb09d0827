//! Filters: conditions on fields that an index serves and the caller may read.

use model::{EntityId, FieldId, Model, Type};
use operation::{Comparison, Expression, FaultCode, Scalar, Value, Violation};

use crate::body::{At, Decoder};
use crate::condition::{BindSource, Binder};
use crate::page::{OF_EVERY_LIST, Subject, list_of};
use crate::plan::{Plan, Request};
use crate::shape::{field_guard, read_grants};
use crate::{Caller, Filter, FilterOperator};

/// The most values of one `[in]`.
const IN_MAXIMUM: usize = 100;

impl Plan {
    pub(crate) fn filters<'a>(
        &self,
        subject: &Subject,
        filters: &[Filter<'a>],
        caller: &Caller,
        faults: &mut Vec<Violation>,
    ) -> Vec<Condition<'a>> {
        let mut conditions = Vec::with_capacity(filters.len());
        for filter in filters {
            match self.filter(subject, filter, caller) {
                Ok(condition) => conditions.push(condition),
                // What may not be read is not spoken of, not even to say how it would be asked for.
                Err(violation) => {
                    let known = self.filterable_by(subject.entity, caller).contains(&filter.field);
                    faults.push(if known {
                        violation
                    } else {
                        let parameter = parameter_name(filter.field, filter.operator);
                        self.not_filterable(subject, &parameter, filter.field, caller)
                    });
                }
            }
        }
        conditions
    }

    /// The fields that a caller may filter by: a field that may not be read is as unknown as one that is not there.
    fn filterable_by(&self, entity: EntityId, caller: &Caller) -> Vec<&str> {
        let world = self.world();
        let mut binder = Binder::default();
        let grants = read_grants(world, entity, caller.roles, &mut binder);
        let fields = self.model[entity].fields.iter().copied();
        fields
            .filter(|field| {
                filterable(&self.model, entity, *field)
                    && field_guard(world, entity, *field, grants.as_ref()).is_some()
            })
            .map(|field| self.model[field].name.as_str())
            .collect()
    }

    pub(crate) fn not_filterable(
        &self,
        subject: &Subject,
        parameter: &str,
        name: &str,
        caller: &Caller,
    ) -> Violation {
        let mut known = self.filterable_by(subject.entity, caller);
        let world = self.world();
        let mut binder = Binder::default();
        let grants = read_grants(world, subject.entity, caller.roles, &mut binder);
        let readable = self
            .model
            .field_named(subject.entity, name)
            .is_some_and(|f| field_guard(world, subject.entity, f, grants.as_ref()).is_some());
        if readable {
            let detail = format!(
                "`{name}` cannot be filtered by: it is no key, no reference and in no index; what can: {}",
                list_of(&known)
            );
            return Violation::parameter(FaultCode::NotFilterable, parameter, detail);
        }
        if let Some(query) = subject.query {
            let own = self.model[query].parameters.iter().map(|p| p.name.as_str());
            known.splice(0..0, own);
        }
        known.extend(OF_EVERY_LIST);
        if subject.query.is_none() {
            known.push("sort");
        }
        let detail = format!("there is no parameter `{name}`; parameters are: {}", list_of(&known));
        Violation::parameter(FaultCode::UnknownParameter, parameter, detail)
    }

    fn filter<'a>(
        &self,
        subject: &Subject,
        filter: &Filter<'a>,
        caller: &Caller,
    ) -> Result<Condition<'a>, Violation> {
        let model: &Model = &self.model;
        let entity = subject.entity;
        let parameter = parameter_name(filter.field, filter.operator);
        let field = model
            .field_named(entity, filter.field)
            .filter(|field| filterable(model, entity, *field))
            .ok_or_else(|| self.not_filterable(subject, &parameter, filter.field, caller))?;
        let operators = operators(model, field);
        if !operators.contains(&filter.operator) {
            let words: Vec<_> = operators.iter().map(|o| o.word()).collect();
            return Err(Violation::parameter(
                FaultCode::NotFilterable,
                parameter,
                format!("`{}` takes: {}", filter.field, words.join(", ")),
            ));
        }
        let ty = &model[field].ty;
        let read = |text: &str| {
            self.text_value(ty, text)
                .map_err(|(code, detail)| Violation::parameter(code, parameter.clone(), detail))
        };
        let values = match filter.operator {
            FilterOperator::Null => match filter.value {
                "true" => vec![Value::Bool(true)],
                "false" => vec![Value::Bool(false)],
                _ => {
                    return Err(Violation::parameter(
                        FaultCode::WrongType,
                        parameter,
                        "must be `true` or `false`".to_owned(),
                    ));
                }
            },
            // An empty list matches nothing, and says so by answering nothing.
            FilterOperator::In if filter.value.is_empty() => Vec::new(),
            FilterOperator::In => {
                let items: Vec<&str> = filter.value.split(',').collect();
                if items.len() > IN_MAXIMUM {
                    return Err(Violation::parameter(
                        FaultCode::OutOfBounds,
                        parameter,
                        format!("at most {IN_MAXIMUM} values can be listed, {} were", items.len()),
                    ));
                }
                items.into_iter().map(read).collect::<Result<_, _>>()?
            }
            _ => vec![read(filter.value)?],
        };
        Ok(Condition { field, operator: filter.operator, name: filter.field, values })
    }

    /// A value of a type from plain text, its bounds kept: a query parameter.
    pub(crate) fn text_value(&self, ty: &Type, text: &str) -> Result<Value, (FaultCode, String)> {
        let mut decoder = Decoder { plan: self, request: Request::default(), faults: Vec::new() };
        match decoder.cell(ty, text, &At::BODY) {
            Some(value) => Ok(value),
            None => Err(decoder
                .faults
                .pop()
                .map_or((FaultCode::WrongType, String::new()), |fault| (fault.code, fault.detail))),
        }
    }
}

/// One filter, read.
pub(crate) struct Condition<'a> {
    pub(crate) field: FieldId,
    pub(crate) operator: FilterOperator,
    pub(crate) name: &'a str,
    pub(crate) values: Vec<Value>,
}

/// How a filter is spelt in a query string.
fn parameter_name(field: &str, operator: FilterOperator) -> String {
    match operator {
        FilterOperator::Equal => field.to_owned(),
        operator => format!("{field}[{}]", operator.word()),
    }
}

impl Condition<'_> {
    /// How it was spelt, but for an `[eq]` that was written out.
    pub(crate) fn parameter(&self) -> String {
        parameter_name(self.name, self.operator)
    }

    pub(crate) fn expression(
        &self,
        column: usize,
        at: &mut usize,
        binder: &mut Binder,
    ) -> Expression {
        let mut next = |binder: &mut Binder| {
            let bind = binder.bind(BindSource::Filter(*at));
            *at += 1;
            bind
        };
        let column = Expression::column(column);
        let comparison = match self.operator {
            FilterOperator::Equal => Comparison::Equal,
            FilterOperator::NotEqual => Comparison::NotEqual,
            FilterOperator::Less => Comparison::Less,
            FilterOperator::LessOrEqual => Comparison::LessOrEqual,
            FilterOperator::Greater => Comparison::Greater,
            FilterOperator::GreaterOrEqual => Comparison::GreaterOrEqual,
            FilterOperator::In => {
                let items = self.values.iter().map(|_| next(binder)).collect();
                return Expression::In(Box::new(column), items);
            }
            FilterOperator::Null => {
                return Expression::equal(Expression::IsNull(Box::new(column)), next(binder));
            }
        };
        Expression::Compare(comparison, Box::new(column), Box::new(next(binder)))
    }
}

/// Whether a field can be filtered and sorted by: keys, references, unique and indexed fields.
pub(crate) fn filterable(model: &Model, entity: EntityId, field: FieldId) -> bool {
    let entity = &model[entity];
    let item = &model[field];
    !item.secret
        && (item.is_key
            || item.is_position
            || item.unique
            || item.ty.as_entity().is_some()
            || entity.uniques.iter().any(|unique| unique.fields.contains(&field))
            || entity.indexes.iter().any(|index| index.keys.iter().any(|(f, _)| *f == field)))
}

/// The comparisons that a field takes: ordered types all, others equality.
pub(crate) fn operators(model: &Model, field: FieldId) -> Vec<FilterOperator> {
    let item = &model[field];
    let scalar = model.scalar(&item.ty);
    let ordered = !matches!(item.ty, Type::Enum(_) | Type::Entity(_))
        && !matches!(
            scalar,
            Some(Scalar::Bool | Scalar::Uuid | Scalar::Json | Scalar::Bytes) | None
        );
    FilterOperator::ALL
        .iter()
        .map(|(operator, _)| *operator)
        .filter(|operator| match operator {
            FilterOperator::Equal | FilterOperator::NotEqual => true,
            FilterOperator::In => scalar != Some(Scalar::Bool),
            FilterOperator::Null => item.optional,
            FilterOperator::Less
            | FilterOperator::LessOrEqual
            | FilterOperator::Greater
            | FilterOperator::GreaterOrEqual => ordered,
        })
        .collect()
}

//! Expressions of the model, lowered to expressions over tables and binds.

use model::{BinaryOperator, EntityId, ExpressionKind, FieldId, Function, Model, Type};
use operation::{Arithmetic, Comparison, Expression, NumberKind, Scalar, Value};
use schema::Schema;

/// Where the value of a bind comes from.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum BindSource {
    /// The caller's subject, read as this scalar; null for a caller whose subject is no such key.
    Caller(Scalar),
    /// The moment of the request.
    Now,
    /// A parameter of the query.
    Parameter(usize),
    /// The value of a filter, by position among the values of all filters.
    Filter(usize),
    /// A value of the cursor, by position.
    Cursor(usize),
    /// The page's size.
    Limit,
    /// The root's key, in a list of its parts.
    Root,
    /// Filled in by a step of a command; each has its number.
    Local(usize),
}

/// What a name stands for in the body of a command.
#[derive(Debug, Clone)]
pub(crate) struct Local {
    /// The bind that holds it.
    pub(crate) bind: usize,
    /// Its type.
    pub(crate) ty: Type,
    /// Members of it that have binds of their own, if it is a value object.
    pub(crate) members: Vec<operation::Member>,
}

/// The names of the body that is being compiled.
#[derive(Debug, Clone, Default)]
pub(crate) struct Frame {
    /// What its parameters are, by position; empty outside commands.
    pub(crate) parameters: Vec<Local>,
    /// What its locals are, by number.
    pub(crate) locals: Vec<Option<Local>>,
}

/// Gives out bind positions; the same source gets the same position.
#[derive(Debug, Clone, Default)]
pub(crate) struct Binder {
    pub(crate) sources: Vec<BindSource>,
    pub(crate) frame: Frame,
}

impl Binder {
    pub(crate) fn bind(&mut self, source: BindSource) -> Expression {
        Expression::Bind(self.position(source))
    }

    pub(crate) fn position(&mut self, source: BindSource) -> usize {
        if let Some(at) = self.sources.iter().position(|s| *s == source) {
            return at;
        }
        self.sources.push(source);
        self.sources.len() - 1
    }

    /// A bind that a step fills in.
    pub(crate) fn local(&mut self) -> usize {
        let at = self.sources.len();
        self.sources.push(BindSource::Local(at));
        at
    }
}

/// What lowering looks things up in.
#[derive(Clone, Copy)]
pub(crate) struct World<'a> {
    pub(crate) model: &'a Model,
    pub(crate) schema: &'a Schema,
}

impl World<'_> {
    /// Position of a field's column in its own entity's table.
    pub(crate) fn column(&self, entity: EntityId, field: FieldId) -> usize {
        // Every field of an entity is a column, by construction of the schema.
        self.schema.column(entity, field).unwrap_or(usize::MAX)
    }

    /// Lowers an expression. `rows` are the entities in scope, the innermost last.
    pub(crate) fn lower(
        &self,
        expression: &model::Expression,
        rows: &[EntityId],
        binder: &mut Binder,
    ) -> Expression {
        let ty = &expression.ty;
        let go = |e: &model::Expression, binder: &mut Binder| self.lower(e, rows, binder);
        match &expression.kind {
            // A valid model holds no poison; false is the closed reading.
            ExpressionKind::Unknown => Expression::no(),
            ExpressionKind::Null => Expression::Literal(Value::Null),
            ExpressionKind::Literal(value) => Expression::Literal(value.clone()),
            ExpressionKind::EnumValue(id, at) => {
                Expression::Literal(Value::text(self.model[*id].values[*at].name.as_str()))
            }
            ExpressionKind::Now => binder.bind(BindSource::Now),
            ExpressionKind::Caller { entity, path } => {
                let scalar = entity
                    .and_then(|entity| self.model.scalar(&Type::Entity(entity)))
                    .unwrap_or(Scalar::Text);
                let key = binder.bind(BindSource::Caller(scalar));
                match entity {
                    Some(entity) => self.follow(*entity, key, path),
                    None => key,
                }
            }
            ExpressionKind::Row { depth, path } => {
                let Some(entity) = rows.iter().rev().nth(*depth).copied() else {
                    return Expression::no();
                };
                match path.split_first() {
                    None => Expression::Column {
                        depth: *depth,
                        column: self.column(entity, self.model[entity].key),
                    },
                    Some((first, rest)) => {
                        let column = Expression::Column {
                            depth: *depth,
                            column: self.column(entity, *first),
                        };
                        self.onward(*first, column, rest)
                    }
                }
            }
            ExpressionKind::Parameter { position, path }
                if binder.frame.parameters.get(*position).is_some() =>
            {
                self.local(|frame| frame.parameters.get_mut(*position), path, binder)
            }
            ExpressionKind::Local { number, path } => {
                self.local(|frame| frame.locals.get_mut(*number)?.as_mut(), path, binder)
            }
            ExpressionKind::AggregateOf { aggregate, part, root, body } => {
                let Some(of) = self.model.part_of(*part) else { return Expression::no() };
                let mut inner = rows.to_vec();
                inner.extend([of.root, *part]);
                let lowered = match body {
                    Some(body) => align(
                        self.lower(body, &inner, binder),
                        &body.ty,
                        ty_of_fold(*aggregate, body, ty),
                    ),
                    None => Expression::yes(),
                };
                Expression::Lookup {
                    table: self.schema.table(of.root).clone(),
                    key: Box::new(go(root, binder)),
                    value: Box::new(Expression::Aggregate {
                        aggregate: *aggregate,
                        table: self.schema.table(*part).clone(),
                        depth: 0,
                        body: Box::new(lowered),
                        kind: number_kind(ty),
                    }),
                }
            }
            ExpressionKind::Parameter { position, path } => {
                let bind = binder.bind(BindSource::Parameter(*position));
                match path.first().map(|first| self.owner(*first)) {
                    Some(Some(entity)) => self.follow(entity, bind, path),
                    _ => bind,
                }
            }
            ExpressionKind::Not(inner) => Expression::Not(Box::new(go(inner, binder))),
            ExpressionKind::Negate(inner) => {
                Expression::Negate(number_kind(ty), Box::new(go(inner, binder)))
            }
            ExpressionKind::Binary(BinaryOperator::Compare(comparison), left, right) => {
                self.compare(*comparison, left, right, rows, binder)
            }
            ExpressionKind::Binary(BinaryOperator::Arithmetic(operation), left, right) => {
                let (l, r) = (go(left, binder), go(right, binder));
                self.arithmetic(*operation, (l, &left.ty), (r, &right.ty), ty)
            }
            ExpressionKind::And(terms) => {
                Expression::all(terms.iter().map(|term| go(term, binder)))
            }
            ExpressionKind::Or(terms) => Expression::any(terms.iter().map(|term| go(term, binder))),
            ExpressionKind::In(needle, list) => {
                let lowered = go(needle, binder);
                let items =
                    list.iter().map(|item| align(go(item, binder), &item.ty, &needle.ty)).collect();
                Expression::In(Box::new(lowered), items)
            }
            ExpressionKind::Aggregate { aggregate, part, depth, body } => {
                let mut inner = rows.to_vec();
                inner.push(*part);
                let lowered = match body {
                    Some(body) => align(
                        self.lower(body, &inner, binder),
                        &body.ty,
                        ty_of_fold(*aggregate, body, ty),
                    ),
                    None => Expression::yes(),
                };
                Expression::Aggregate {
                    aggregate: *aggregate,
                    table: self.schema.table(*part).clone(),
                    depth: *depth,
                    body: Box::new(lowered),
                    kind: number_kind(ty),
                }
            }
            ExpressionKind::Call(Function::Coalesce, list) => Expression::Coalesce(
                list.iter().map(|item| align(go(item, binder), &item.ty, ty)).collect(),
            ),
            ExpressionKind::Call(Function::Plain(function), list) => {
                Expression::Call(*function, list.iter().map(|item| go(item, binder)).collect())
            }
            ExpressionKind::If(condition, then, otherwise) => Expression::If {
                condition: Box::new(go(condition, binder)),
                then: Box::new(align(go(then, binder), &then.ty, ty)),
                otherwise: Box::new(align(go(otherwise, binder), &otherwise.ty, ty)),
            },
        }
    }

    /// A filter in which comparisons with parameters that were left out have dropped out: `None` if all have.
    pub(crate) fn lower_present(
        &self,
        expression: &model::Expression,
        rows: &[EntityId],
        present: &[bool],
        binder: &mut Binder,
    ) -> Option<Expression> {
        match &expression.kind {
            ExpressionKind::And(terms) => {
                let kept: Vec<_> = terms
                    .iter()
                    .filter_map(|t| self.lower_present(t, rows, present, binder))
                    .collect();
                (!kept.is_empty()).then(|| Expression::all(kept))
            }
            ExpressionKind::Or(terms) => {
                let kept: Vec<_> = terms
                    .iter()
                    .filter_map(|t| self.lower_present(t, rows, present, binder))
                    .collect();
                (!kept.is_empty()).then(|| Expression::any(kept))
            }
            ExpressionKind::Not(inner) => self
                .lower_present(inner, rows, present, binder)
                .map(|inner| Expression::Not(Box::new(inner))),
            _ if mentions_absent(expression, present) => None,
            _ => Some(self.lower(expression, rows, binder)),
        }
    }

    /// The entity that a field belongs to.
    fn owner(&self, field: FieldId) -> Option<EntityId> {
        self.model.entity_ids().find(|entity| self.model[*entity].fields.contains(&field))
    }

    /// The value at the end of `path`, from the row of `entity` whose key is `key`. The last step needs no look-up
    /// where it only names the key that is already in hand.
    fn follow(&self, entity: EntityId, key: Expression, path: &[FieldId]) -> Expression {
        let Some((first, rest)) = path.split_first() else { return key };
        if *first == self.model[entity].key {
            return match self.model[*first].ty.as_entity() {
                Some(target) => self.follow(target, key, rest),
                None => key,
            };
        }
        let found = Expression::Lookup {
            table: self.schema.table(entity).clone(),
            key: Box::new(key),
            value: Box::new(Expression::column(self.column(entity, *first))),
        };
        self.onward(*first, found, rest)
    }

    /// The value at the end of `path`, from the value of a field: a reference leads to its row, a value object to its member.
    fn onward(&self, field: FieldId, value: Expression, path: &[FieldId]) -> Expression {
        let Some((next, rest)) = path.split_first() else { return value };
        match &self.model[field].ty {
            Type::Entity(target) => self.follow(*target, value, path),
            Type::Record(_) => self.onward(*next, self.member(value, *next), rest),
            _ => value,
        }
    }

    fn member(&self, object: Expression, field: FieldId) -> Expression {
        let field = &self.model[field];
        Expression::Member {
            object: Box::new(object),
            name: field.name.as_str().into(),
            scalar: self.model.scalar(&field.ty).unwrap_or(Scalar::Json),
        }
    }

    /// The value at the end of `path`, from a name of a body.
    fn local(
        &self,
        find: impl Fn(&mut Frame) -> Option<&mut Local>,
        path: &[FieldId],
        binder: &mut Binder,
    ) -> Expression {
        let mut frame = std::mem::take(&mut binder.frame);
        let lowered = match find(&mut frame) {
            None => Expression::no(),
            Some(local) => match &local.ty {
                Type::Entity(entity) => self.beyond(*entity, local.bind, path),
                Type::Record(_) if !path.is_empty() => self.of_object(local, path, binder),
                _ => Expression::Bind(local.bind),
            },
        };
        binder.frame = frame;
        lowered
    }

    /// The value at the end of `path`, from a row that a bind stands for: by its key, or by a number if it is a part.
    fn beyond(&self, entity: EntityId, bind: usize, path: &[FieldId]) -> Expression {
        match path.split_first() {
            Some((first, rest)) if self.model.part_of(entity).is_some() => {
                let found = Expression::Lookup {
                    table: self.schema.table(entity).clone(),
                    key: Box::new(Expression::Bind(bind)),
                    value: Box::new(Expression::column(self.column(entity, *first))),
                };
                self.onward(*first, found, rest)
            }
            _ => self.follow(entity, Expression::Bind(bind), path),
        }
    }

    /// A member of a value object that a name stands for: it gets a bind, so that the object is read once.
    fn of_object(&self, local: &mut Local, path: &[FieldId], binder: &mut Binder) -> Expression {
        let mut names: Vec<Box<str>> = Vec::new();
        let mut rest = path;
        while let Some((field, after)) = rest.split_first() {
            names.push(self.model[*field].name.as_str().into());
            rest = after;
            if after.is_empty() || !matches!(self.model[*field].ty, Type::Record(_)) {
                let known = local.members.iter().find(|member| member.path == names);
                let bind = known.map_or_else(|| binder.local(), |member| member.bind);
                if known.is_none() {
                    let scalar = self.model.scalar(&self.model[*field].ty).unwrap_or(Scalar::Json);
                    local.members.push(operation::Member { path: names, scalar, bind });
                }
                return self.onward(*field, Expression::Bind(bind), rest);
            }
        }
        Expression::Bind(local.bind)
    }

    fn compare(
        &self,
        comparison: Comparison,
        left: &model::Expression,
        right: &model::Expression,
        rows: &[EntityId],
        binder: &mut Binder,
    ) -> Expression {
        let (l, r) = (self.lower(left, rows, binder), self.lower(right, rows, binder));
        let other = match (&left.kind, &right.kind) {
            (ExpressionKind::Null, _) => Some(r.clone()),
            (_, ExpressionKind::Null) => Some(l.clone()),
            _ => None,
        };
        if let Some(other) = other {
            let is_null = Expression::IsNull(Box::new(other));
            return match comparison {
                Comparison::Equal => is_null,
                _ => Expression::Not(Box::new(is_null)),
            };
        }
        let common = common_type(&left.ty, &right.ty);
        Expression::Compare(
            comparison,
            Box::new(align(l, &left.ty, &common)),
            Box::new(align(r, &right.ty, &common)),
        )
    }

    fn arithmetic(
        &self,
        operation: Arithmetic,
        (left, left_type): (Expression, &Type),
        (right, right_type): (Expression, &Type),
        result: &Type,
    ) -> Expression {
        let plain = |left, right, kind| Expression::Arithmetic {
            operation,
            kind,
            left: Box::new(left),
            right: Box::new(right),
        };
        if matches!(result, Type::Float(_)) {
            return plain(
                align(left, left_type, result),
                align(right, right_type, result),
                NumberKind::Float,
            );
        }
        match (left_type, right_type, operation) {
            (Type::Date, Type::Duration, _) => {
                let moment = plain(
                    Expression::Call(operation::Function::TimestampOf, vec![left]),
                    right,
                    NumberKind::Int,
                );
                match result {
                    Type::Date => Expression::Call(operation::Function::DateOf, vec![moment]),
                    _ => moment,
                }
            }
            (Type::Date, Type::Date, Arithmetic::Subtract) => Expression::Call(
                operation::Function::TimestampOf,
                vec![plain(left, right, NumberKind::Int)],
            ),
            _ => {
                let (from, to) = (digits(left_type), digits(right_type));
                let wanted = digits(result);
                match operation {
                    Arithmetic::Add | Arithmetic::Subtract => plain(
                        rescale(left, from, wanted),
                        rescale(right, to, wanted),
                        NumberKind::Int,
                    ),
                    Arithmetic::Multiply => rescale(
                        plain(left, right, NumberKind::Int),
                        from.saturating_add(to),
                        wanted,
                    ),
                    Arithmetic::Divide if from == 0 && to == 0 && wanted == 0 => {
                        plain(left, right, NumberKind::Int)
                    }
                    Arithmetic::Divide => Expression::DivideDecimal {
                        left: Box::new(left),
                        left_scale: from,
                        right: Box::new(right),
                        right_scale: to,
                        scale: wanted,
                    },
                }
            }
        }
    }
}

/// Whether a parameter that was left out stands anywhere inside.
fn mentions_absent(expression: &model::Expression, present: &[bool]) -> bool {
    let absent = matches!(expression.kind, ExpressionKind::Parameter { position, .. }
        if !present.get(position).copied().unwrap_or(true));
    absent || expression.children().into_iter().any(|child| mentions_absent(child, present))
}

/// Digits after the point; spans, days and moments are whole numbers.
fn digits(ty: &Type) -> u8 {
    ty.scalar().and_then(Scalar::scale).unwrap_or(0)
}

fn number_kind(ty: &Type) -> NumberKind {
    if matches!(ty, Type::Float(_)) { NumberKind::Float } else { NumberKind::Int }
}

/// What the body of a fold must become: for sums and extremes the fold's own type.
fn ty_of_fold<'a>(
    aggregate: operation::Aggregate,
    body: &'a model::Expression,
    fold: &'a Type,
) -> &'a Type {
    match aggregate {
        operation::Aggregate::Sum | operation::Aggregate::Min | operation::Aggregate::Max => fold,
        operation::Aggregate::Count | operation::Aggregate::Any | operation::Aggregate::All => {
            &body.ty
        }
    }
}

fn common_type(left: &Type, right: &Type) -> Type {
    match (left, right) {
        (Type::Float(_), _) => left.clone(),
        (_, Type::Float(_)) => right.clone(),
        _ if digits(right) > digits(left) => right.clone(),
        _ => left.clone(),
    }
}

/// A value of one type as one of another: exact numbers change their scale or become floating.
pub(crate) fn align(expression: Expression, from: &Type, to: &Type) -> Expression {
    match (from, to) {
        (Type::Float(_), _) => expression,
        (_, Type::Float(_)) => match from.scalar().and_then(Scalar::scale) {
            Some(scale) => Expression::ToFloat(Box::new(expression), scale),
            None => expression,
        },
        _ => match (from.scalar().and_then(Scalar::scale), to.scalar().and_then(Scalar::scale)) {
            (Some(from), Some(to)) => rescale(expression, from, to),
            _ => expression,
        },
    }
}

fn rescale(value: Expression, from: u8, to: u8) -> Expression {
    if from == to {
        return value;
    }
    if let Expression::Literal(Value::Int(n)) = &value
        && let Ok(n) = operation::rescale(*n, from, to)
    {
        return Expression::Literal(Value::Int(n));
    }
    Expression::Rescale { value: Box::new(value), from, to }
}
